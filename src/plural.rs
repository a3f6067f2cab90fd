//! Things counted in words.
//!
//! Pure.

use std::fmt::Display;

/// `1 feed`, `2 feeds`, `1 entry`, `2 entries`: `one` is the word for one of them.
#[must_use]
pub(crate) fn counted<N: Copy + Display + PartialEq + From<u8>>(count: N, one: &str) -> String {
    match one.strip_suffix('y') {
        _ if count == N::from(1) => format!("1 {one}"),
        Some(stem) => format!("{count} {stem}ies"),
        None => format!("{count} {one}s"),
    }
}
