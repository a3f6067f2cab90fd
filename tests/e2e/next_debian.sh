#!/usr/bin/env bash
# Unpacks a package of the next Debian release into a folder: for programs that the release of this machine does not have.
#
#   tests/e2e/next_debian.sh PACKAGE FOLDER
#
# The sources are those of this machine with the release's name replaced, and everything that apt keeps goes into a temporary
# folder: nothing is installed, and nothing of this machine is changed. What the package depends on is not looked after.
# Prints what went wrong and ends with status 1 where the package cannot be had.
set -euo pipefail

package=$1 folder=$2
next=trixie
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial"
# shellcheck source=/dev/null
release=$(. /etc/os-release && printf %s "${VERSION_CODENAME:-}")
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[[ -e $keys ]] && signed="[signed-by=$keys] " || signed=
# shellcheck disable=SC2016 # apt fills these in
apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Identifier: Packages' |
	awk -v release="$release" -v next_one="$next" -v signed="$signed" \
		'$2 == release && $3 == "main" && $1 ~ /\/debian\/?$/ { print "deb " signed $1 " " next_one " main" }' |
	sort -u >"$work/sources.list"
[[ -s $work/sources.list ]] || { echo "no source of Debian is configured here" >&2; exit 1; }
apt() {
	apt-get -qq -o Dir::State="$work/state" -o Dir::Cache="$work/cache" -o Dir::Etc::SourceList="$work/sources.list" \
		-o Dir::Etc::SourceParts=/dev/null -o Dir::State::Status=/dev/null -o Acquire::Languages=none \
		-o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o APT::Sandbox::User="$(id -un)" "$@"
}
cd "$work"
apt update
apt download "$package"
mkdir -p "$folder"
dpkg-deb -x "$package"_*.deb "$folder"
