# Short names for what CONTRIBUTING.md and .ci/run describe. `just --list` tells them.

target := env("CARGO_TARGET_DIR", "target")
newsfold := target / "debug/newsfold"

# Everything that decides whether a change lands, up to the trials with other programs
check:
    cargo fmt --check
    cargo clippy --quiet --all-targets --locked -- -D warnings
    cargo test --locked
    RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps --locked
    RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps --locked --document-private-items
    cargo check --quiet --locked --manifest-path fuzz/Cargo.toml
    cargo deny --all-features check bans licenses sources

# The tests whose names contain NAME, or all
test NAME="":
    cargo test --locked {{ NAME }}

# One trial of tests/e2e, with what it takes: `just e2e reliability --rounds 6 killed_at_every_write`
[positional-arguments]
e2e NAME *ARGUMENTS:
    #!/usr/bin/env bash
    set -euo pipefail
    cargo build --quiet --locked
    name=$1; shift
    if [ -e "tests/e2e/$name.sh" ]; then
      bash "tests/e2e/$name.sh" {{ newsfold }} "$@"
    else
      python3 "tests/e2e/$name.py" {{ newsfold }} "$@"
    fi

# One benchmark: a bench of cargo (`stages`, `fold`) or a script (`poll WORKLOAD`, `everyday WORKLOAD`, `publishing CONFIG`, `serving`, `fold_table DATA`)
[positional-arguments]
bench NAME *ARGUMENTS:
    #!/usr/bin/env bash
    set -euo pipefail
    name=$1; shift
    release={{ target }}/release/newsfold
    case $name in
    poll) cargo build --release --locked; cargo bench --no-run --bench floor; python3 benches/poll.py "$@" ;;
    everyday) cargo build --release --locked; python3 benches/everyday.py "$@" ;;
    publishing) cargo build --release --locked; python3 benches/publishing.py "$1" "$release" "${@:2}" ;;
    serving) cargo build --release --locked; python3 benches/serving.py "$release" "$@" ;;
    fold_table) cargo build --release --locked; python3 benches/fold_table.py "$1" "$release" "${@:2}" ;;
    *) cargo bench --bench "$name" -- "$@" ;;
    esac

# What a release hands out: packages, archives, images, checksums
package *ARGUMENTS:
    packaging/release.sh {{ ARGUMENTS }}
