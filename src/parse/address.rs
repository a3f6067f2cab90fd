//! Addresses as they stand in documents.
//!
//! Pure. They are joined to their base and otherwise left as they are, slips apart that no address can mean: one spelling is
//! `normalise`'s work.

use std::borrow::Cow;
use std::cell::Cell;

use url::Url;

use crate::net::LONGEST_ADDRESS;
use crate::text::is_invisible;

/// By how much all addresses of a document may grow when they are joined to their base, in bytes. A base is written once in a
/// document and joined to each of its addresses.
const MOST_JOINED: usize = 8 * 1024 * 1024;

/// Joins the addresses of one document to their bases, as long as there is room for what they grow by.
#[derive(Debug)]
pub(super) struct Joiner {
    room: Cell<usize>,
}

impl Default for Joiner {
    fn default() -> Self {
        Self { room: Cell::new(MOST_JOINED) }
    }
}

impl Joiner {
    /// Whether there was not room for all of them.
    pub(super) fn is_full(&self) -> bool {
        self.room.get() == 0
    }

    /// As [`absolute`]; the address as it stands where there is no room left.
    pub(super) fn absolute(&self, address: &str, base: Option<&Url>) -> String {
        let joined = absolute(address, base.filter(|_| !self.is_full()));
        if self.has_room(joined.len().saturating_sub(address.len())) { joined } else { bare(address).into_owned() }
    }

    /// A base that is written relative to another; `None` where it is none, or there is no room left.
    pub(super) fn base(&self, address: &str, outer: Option<&Url>) -> Option<Url> {
        let outer = outer.filter(|_| !self.is_full());
        let base = Url::parse(address).or_else(|error| outer.ok_or(error)?.join(address)).ok()?;
        self.has_room(base.as_str().len().saturating_sub(address.len())).then_some(base)
    }

    fn has_room(&self, bytes: usize) -> bool {
        let left = self.room.get().checked_sub(bytes).filter(|left| *left > 0);
        self.room.set(left.unwrap_or(0));
        left.is_some()
    }
}

/// The address joined to `base`; as it stands where there is none, where it needs none, or where one of them is too long to
/// be meant.
pub(super) fn absolute(address: &str, base: Option<&Url>) -> String {
    let address = bare(address);
    let base = base.filter(|base| base.as_str().len() <= LONGEST_ADDRESS && address.len() <= LONGEST_ADDRESS);
    if is_absolute(&address) {
        return address.into_owned();
    }
    base.and_then(|base| base.join(&address).ok()).map_or_else(|| address.into_owned(), String::from)
}

/// An address without what is not seen at its ends, its ampersands escaped once less where they were escaped twice.
pub(super) fn bare(address: &str) -> Cow<'_, str> {
    let address = address.trim_matches(|c: char| c.is_whitespace() || c.is_control() || is_invisible(c));
    if ["&amp;", "&#38;", "&#038;", "&#x26;"].iter().any(|escaped| address.contains(escaped)) {
        let bare = address.replace("&amp;", "&").replace("&#38;", "&").replace("&#038;", "&").replace("&#x26;", "&");
        return Cow::Owned(bare);
    }
    Cow::Borrowed(address)
}

/// Whether the address begins with a scheme (RFC 3986 §3.1).
pub(super) fn is_absolute(address: &str) -> bool {
    let Some((scheme, _)) = address.split_once(':') else {
        return false;
    };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

/// Whether a browser could open it.
pub(super) fn is_web(address: &str) -> bool {
    address
        .get(..8)
        .is_some_and(|head| head.eq_ignore_ascii_case("https://") || head.to_ascii_lowercase().starts_with("http://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_not_joined_to_more_addresses_than_there_is_room_for() {
        let base = Url::parse(&format!("https://example.org/{}/", "a".repeat(4_000))).unwrap();
        let joiner = Joiner::default();
        let bytes: usize = (0..10_000).map(|_| joiner.absolute("b", Some(&base)).len()).sum();
        assert!(joiner.is_full() && bytes < 9 * 1024 * 1024, "{bytes}");
        assert_eq!(joiner.absolute("https://example.org/c", Some(&base)), "https://example.org/c");
    }

    #[test]
    fn only_what_has_no_scheme_is_joined() {
        let base = Url::parse("https://example.org/a/").ok();
        let check = |address: &str, expected: &str| assert_eq!(absolute(address, base.as_ref()), expected, "{address}");
        check("b", "https://example.org/a/b");
        check(" //other.example/b ", "https://other.example/b");
        check("HTTP://other.example", "HTTP://other.example");
        check("urn:x", "urn:x");
        check("", "https://example.org/a/");
        check("\u{feff}https://other.example/c", "https://other.example/c");
        check("\u{200b}/d\u{a0}\u{2060}", "https://example.org/d");
        check("e?a=1&amp;b=2&#038;c=3", "https://example.org/a/e?a=1&b=2&c=3");
        assert_eq!(absolute("b", None), "b");
        assert_eq!(
            absolute("b", Url::parse(&format!("https://example.org/{}/", "a".repeat(5_000))).ok().as_ref()),
            "b"
        );
        assert!(is_web("HTTPS://x") && is_web("http://x.example") && !is_web("urn:x") && !is_web("httpé"));
    }
}
