//! Whose server an address belongs to.
//!
//! Pure. A request to be left alone is meant by whoever runs the server, and under a public suffix that is the domain that was
//! registered there. The list of suffixes comes with the crate `psl`.

use url::{Host, Url};

/// The registrable domain of an address's host; the host itself where there is none: a literal address, a bare name, a name
/// of a private network.
#[must_use]
pub(crate) fn domain_of(address: &Url) -> String {
    match address.host() {
        Some(Host::Domain(host)) => {
            let host = host.trim_end_matches('.');
            psl::domain(host.as_bytes())
                .filter(|domain| domain.suffix().is_known())
                .and_then(|domain| std::str::from_utf8(domain.as_bytes()).ok())
                .unwrap_or(host)
                .to_owned()
        }
        Some(host) => host.to_string(),
        None => String::new(),
    }
}

/// The site that a host belongs to: its registrable domain, whether or not the list knows the suffix, so that all hosts of
/// `paper.internal` are one site; the host itself where there is none.
#[must_use]
pub(crate) fn site_of(host: &str) -> &str {
    let host = host.trim_end_matches('.');
    if host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok() {
        return host;
    }
    psl::domain(host.as_bytes()).and_then(|domain| std::str::from_utf8(domain.as_bytes()).ok()).unwrap_or(host)
}

/// Whether the names below this one belong to different people, as those below `co.uk` do.
#[must_use]
pub(crate) fn is_public_suffix(name: &str) -> bool {
    psl::domain_str(name).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_hosts_of_a_registrant_are_one_site() {
        let check = |host: &str, expected: &str| assert_eq!(site_of(host), expected, "{host}");
        check("feeds.example.com", "example.com");
        check("www.paper.internal", "paper.internal");
        check("news.example.co.uk", "example.co.uk");
        check("anna.github.io", "anna.github.io");
        check("github.io", "github.io");
        check("127.0.0.1", "127.0.0.1");
        check("[::1]", "[::1]");
        check("localhost", "localhost");
        check("", "");
    }

    #[test]
    fn a_domain_is_what_was_registered() {
        let check = |address: &str, expected: &str| {
            assert_eq!(domain_of(&Url::parse(address).unwrap()), expected, "{address}");
        };
        check("https://feeds.example.com/rss", "example.com");
        check("https://news.example.co.uk:8443/rss", "example.co.uk");
        check("https://anna.github.io/feed", "anna.github.io");
        check("https://EXAMPLE.com./feed", "example.com");
        check("http://127.0.0.1:8080/feed", "127.0.0.1");
        check("http://[::1]/feed", "[::1]");
        check("http://localhost/feed", "localhost");
        check("http://a.lan.internal/feed", "a.lan.internal");
        check("http://b.lan.internal/feed", "b.lan.internal");
        check("file:///srv/a.xml", "");
    }
}
