#!/usr/bin/env bash
# Boots real systemd in a container, installs the package, and runs checks.sh there:
#
#   tests/e2e/systemd/boot.sh PACKAGE OLDER_PACKAGE
#
# The root file system is made once and kept in $NEWSFOLD_ROOT_FS (default: target/systemd/root); each run works on a layer
# above it. Needs root, and the packages systemd-container and mmdebstrap. Status 77: it cannot run here, and says why.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
package=$(realpath "$1")
older=$(realpath "$2")
root_fs=${NEWSFOLD_ROOT_FS:-$here/../../../target/systemd/root}

cannot() { echo "skipped: $1"; exit 77; }
[ "$(id -u)" = 0 ] || cannot "not root"
command -v systemd-nspawn >/dev/null || cannot "systemd-nspawn is missing (package systemd-container)"

if [ ! -e "$root_fs/etc/os-release" ]; then
  command -v mmdebstrap >/dev/null || cannot "mmdebstrap is missing"
  mkdir -p "$(dirname "$root_fs")"
  rm -rf "$root_fs"
  mmdebstrap --quiet --variant=minbase \
    --include=systemd,systemd-sysv,dbus,procps,ca-certificates,curl,python3,init-system-helpers \
    bookworm "$root_fs" 2>/dev/null || cannot "no root file system could be made"
fi

work=$(mktemp -d)
booted=
finish() {
  [ -z "$booted" ] || kill "$booted" 2>/dev/null || true
  umount "$work/merged" 2>/dev/null || true
  umount "$work" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
mount -t tmpfs -o size=2g tmpfs "$work" || cannot "no tmpfs can be mounted"
mkdir "$work/upper" "$work/work" "$work/merged"
mount -t overlay overlay -o "lowerdir=$root_fs,upperdir=$work/upper,workdir=$work/work" "$work/merged" \
  || cannot "no overlay can be mounted"

mkdir -p "$work/merged/opt/checks"
cp "$package" "$work/merged/opt/checks/newsfold.deb"
cp "$older" "$work/merged/opt/checks/older.deb"
cp "$here"/checks.sh "$here"/origin.py "$work/merged/opt/checks/"
cat > "$work/merged/etc/systemd/system/checks.service" <<'UNIT'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/bash /opt/checks/checks.sh
StandardOutput=file:/opt/checks/out
StandardError=file:/opt/checks/err
ExecStopPost=/bin/systemctl --no-block poweroff
UNIT
mkdir -p "$work/merged/etc/systemd/system/default.target.wants"
ln -sf multi-user.target "$work/merged/etc/systemd/system/default.target"
mkdir -p "$work/merged/etc/systemd/system/multi-user.target.wants"
ln -s ../checks.service "$work/merged/etc/systemd/system/multi-user.target.wants/checks.service"

SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 timeout 240 systemd-nspawn --quiet --boot --register=no --keep-unit --console=pipe \
  --machine=newsfold-check --directory="$work/merged" </dev/null >"$work/console" 2>&1 &
booted=$!
wait "$booted" || true
booted=
if [ ! -s "$work/merged/opt/checks/out" ]; then
  tail -5 "$work/console"
  cannot "no container boots here"
fi
cat "$work/merged/opt/checks/out"
if grep -q '^FAILED' "$work/merged/opt/checks/out" || ! grep -q '^all checks ran$' "$work/merged/opt/checks/out"; then
  tail -40 "$work/merged/opt/checks/err"
  exit 1
fi
