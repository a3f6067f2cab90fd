#!/usr/bin/env bash
# Builds the last stage of packaging/Containerfile around a static program that is there already, and writes the image to a file
# that `podman load` and `docker load` read:
#
#   packaging/image.sh PROGRAM amd64|arm64 VERSION FILE
#
# It needs buildah, and downloads nothing.
set -euo pipefail
program=$(realpath "$1") architecture=$2 version=$3 file=$(realpath -m "$4") name=localhost/newsfold:latest
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/volume" "$work/image/usr/share/doc/newsfold"
packaging/licences.py "$([ "$architecture" = arm64 ] && echo aarch64 || echo x86_64)-unknown-linux-musl" \
  | gzip -9n > "$work/image/usr/share/doc/newsfold/licences.txt.gz"
install -D -m 755 "$program" "$work/image/usr/bin/newsfold"
install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$work/image/etc/ssl/certs/ca-certificates.crt"
install -D -m 644 packaging/container.toml "$work/image/etc/newsfold/newsfold.toml"
# What the first stage leaves is the folder that this builds in.
sed -n '/^FROM scratch$/,$p' packaging/Containerfile | sed 's/ --from=build / /' > "$work/Containerfile"

export BUILDAH_ISOLATION=chroot XDG_RUNTIME_DIR=$work
images() { buildah --root "$work/images" --runroot "$work/run" --storage-driver vfs "$@"; }
images build --quiet --format docker --platform "linux/$architecture" ${SOURCE_DATE_EPOCH:+--timestamp "$SOURCE_DATE_EPOCH"} \
  --label "org.opencontainers.image.version=$version" --tag "$name" --file "$work/Containerfile" "$work" >/dev/null
rm -f "$file"
images push --quiet "$name" "docker-archive:$file:$name"
