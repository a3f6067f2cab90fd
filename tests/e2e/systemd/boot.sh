#!/usr/bin/env bash
# Boots real systemd in a container, installs the package, and runs checks.sh there:
#
#   tests/e2e/systemd/boot.sh FOLDER OLDER
#
# FOLDER and OLDER are what packaging/release.sh made of two versions; the store is filled by the older one.
#
# The container's only network is a private one, 192.168.77.0/24, as most homes and clouds have: its neighbour, 192.168.77.1, is
# the name server, has a feed, reads what newsfold serves, and passes readers on to it with nginx as docs/service.md has it.
#
# The root file system is of Debian 12, or of what NEWSFOLD_SUITE names (`trixie`; `jammy` or `noble` of Ubuntu). It is made once
# and kept in $NEWSFOLD_ROOT_FS (default: target/systemd/SUITE); each run works on a layer above it. Needs root, and the packages systemd-container, mmdebstrap, iproute2 and nginx-light. Status 77: it cannot run here,
# and says why.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$(realpath "$1") older=$(realpath "$2") architecture=$(dpkg --print-architecture)
suite=${NEWSFOLD_SUITE:-bookworm}
root_fs=${NEWSFOLD_ROOT_FS:-$here/../../../target/systemd/$suite}

cannot() { echo "skipped: $1"; exit 77; }
[ "$(id -u)" = 0 ] || cannot "not root"
command -v systemd-nspawn >/dev/null || cannot "systemd-nspawn is missing (package systemd-container)"

command -v ip >/dev/null || cannot "ip is missing (package iproute2)"
command -v nginx >/dev/null || cannot "nginx is missing (package nginx-light)"

if [ ! -e "$root_fs/usr/sbin/nginx" ]; then
  command -v mmdebstrap >/dev/null || cannot "mmdebstrap is missing"
  mkdir -p "$(dirname "$root_fs")"
  rm -rf "$root_fs"
  from=() mirror=()
  case $suite in
  jammy | noble)
    keys=$(dirname "$root_fs")/ubuntu-keys
    bash "$here/../next_debian.sh" ubuntu-archive-keyring "$keys" || cannot "the keys of Ubuntu's archive cannot be had"
    from=(--keyring="$keys/usr/share/keyrings/ubuntu-archive-keyring.gpg" --components=main,universe)
    mirror=(http://archive.ubuntu.com/ubuntu)
    ;;
  esac
  mmdebstrap --quiet --variant=minbase "${from[@]}" \
    --include=apt,systemd,systemd-sysv,dbus,procps,ca-certificates,curl,python3,init-system-helpers,nginx-light \
    "$suite" "$root_fs" "${mirror[@]}" 2>/dev/null || cannot "no root file system could be made"
fi

work=$(mktemp -d)
booted=
neighbours=()
lan=newsfold-lan-$$ box=newsfold-box-$$
finish() {
  for process in $booted "${neighbours[@]}"; do kill "$process" 2>/dev/null || true; done
  for namespace in "$lan" "$box"; do ip netns delete "$namespace" 2>/dev/null || true; done
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
for namespace in "$lan" "$box"; do
  ip netns add "$namespace" || cannot "no network namespace can be made"
  ip -n "$namespace" link set lo up
done
ip link add nf-box netns "$box" type veth peer name nf-lan netns "$lan" || cannot "no network can be made"
ip -n "$lan" address add 192.168.77.1/24 dev nf-lan
ip -n "$box" address add 192.168.77.2/24 dev nf-box
ip -n "$lan" link set nf-lan up
ip -n "$box" link set nf-box up
ip -n "$box" route add default via 192.168.77.1

ip netns exec "$lan" python3 "$here/neighbour.py" 192.168.77.1 &
neighbours+=($!)
location=$(sed -n '/^```nginx$/,/^```$/p' "$here/../../../docs/service.md" | grep -v '^```' | sed 's/127\.0\.0\.1:8080/192.168.77.2:8080/')
cat > "$work/nginx.conf" <<NGINX
daemon off; pid $work/nginx.pid; error_log $work/nginx.log; events {}
http { access_log off; client_body_temp_path $work/body; proxy_temp_path $work/proxy; fastcgi_temp_path $work/fastcgi;
  uwsgi_temp_path $work/uwsgi; scgi_temp_path $work/scgi;
  server { listen 192.168.77.1:8088; $location
  } }
NGINX
ip netns exec "$lan" nginx -p "$work" -c "$work/nginx.conf" &
neighbours+=($!)

cp "$folder"/*_"$architecture".deb "$work/merged/opt/checks/newsfold.deb"
cp "$older"/*_"$architecture".deb "$work/merged/opt/checks/older.deb"
cp "$folder"/*-linux-"$architecture".tar.gz "$work/merged/opt/checks/"
cp "$here"/checks.sh "$here"/origin.py "$here"/../../../docs/{service,install}.md "$work/merged/opt/checks/"
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

rm -f "$work/merged/etc/resolv.conf"
echo "nameserver 192.168.77.1" > "$work/merged/etc/resolv.conf"
# nginx is started by a check, with a configuration of its own.
ln -sf /dev/null "$work/merged/etc/systemd/system/nginx.service"

# With these capabilities an `IPAddressDeny=` would hold inside as it does outside.
SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 timeout 300 systemd-nspawn --quiet --boot --register=no --keep-unit --console=pipe \
  --network-namespace-path="/run/netns/$box" --resolv-conf=off \
  --capability=CAP_BPF,CAP_NET_ADMIN,CAP_PERFMON --system-call-filter=bpf --machine=newsfold-check --directory="$work/merged" </dev/null >"$work/console" 2>&1 &
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
