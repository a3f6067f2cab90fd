#!/usr/bin/env bash
# Makes the Debian package and prints where it is:  systemd/package.sh [PROFILE [VERSION]]
# PROFILE is a profile of Cargo.toml: `release`, which is packaged, or a quicker one to try the package with.
# Needs cargo-deb (`cargo install cargo-deb`).
set -euo pipefail
cd "$(dirname "$0")/.."
profile=${1:-release}
version=${2:-}
target=${CARGO_TARGET_DIR:-target}
folder=$target/$profile
[ "$profile" = dev ] && folder=$target/debug

cargo build --quiet --locked --bin newsfold --profile "$profile"
made=target/package
mkdir -p "$made"
rm -rf "$made/man"
"$folder/newsfold" man "$made/man"
for shell in bash zsh fish; do
  "$folder/newsfold" completions "$shell" > "$made/newsfold.$shell"
done
cp "$folder/newsfold" "$made/newsfold"
cargo deb --quiet --locked --no-build --profile "$profile" --output "$made/" ${version:+--deb-version "$version"}
