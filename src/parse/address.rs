//! Addresses as they stand in documents.
//!
//! Pure. They are joined to their base and otherwise left as they are: one spelling is `normalise`'s work.

use url::Url;

/// The address joined to `base`; as it stands where there is none, or where it needs none.
pub(super) fn absolute(address: &str, base: Option<&Url>) -> String {
    let address = address.trim();
    if is_absolute(address) {
        return address.to_owned();
    }
    base.and_then(|base| base.join(address).ok()).map_or_else(|| address.to_owned(), String::from)
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
    fn only_what_has_no_scheme_is_joined() {
        let base = Url::parse("https://example.org/a/").ok();
        let check = |address: &str, expected: &str| assert_eq!(absolute(address, base.as_ref()), expected, "{address}");
        check("b", "https://example.org/a/b");
        check(" //other.example/b ", "https://other.example/b");
        check("HTTP://other.example", "HTTP://other.example");
        check("urn:x", "urn:x");
        check("", "https://example.org/a/");
        assert_eq!(absolute("b", None), "b");
        assert!(is_web("HTTPS://x") && is_web("http://x.example") && !is_web("urn:x") && !is_web("httpé"));
    }
}
