//! What a reader holds already, and how it wants the rest.
//!
//! Pure.

use chrono::{DateTime, Utc};
use http::{HeaderMap, header};

use crate::publish::rendered::{Coding, Rendered};

/// Whether the reader holds this document, in whatever coding (RFC 9110 §13.1.2, §13.1.3): entity tags first, and the date only
/// when there are none.
pub(super) fn is_held(page: &Rendered, asked: &HeaderMap) -> bool {
    let mut tags = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).peekable();
    if tags.peek().is_some() {
        return tags.flat_map(|list| list.split(',')).any(|tag| {
            let tag = tag.trim();
            let bare = tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"');
            tag == "*" || bare.split('-').next() == Some(page.etag())
        });
    }
    let since = asked
        .get(header::IF_MODIFIED_SINCE)
        .and_then(|since| since.to_str().ok())
        .and_then(|since| httpdate::parse_http_date(since).ok());
    match (since, page.last_modified) {
        (Some(since), Some(modified)) => modified.timestamp() <= DateTime::<Utc>::from(since).timestamp(),
        _ => false,
    }
}

/// The coding to answer in, by an `Accept-Encoding` field (RFC 9110 §12.5.3): the reader's wish, then ours.
pub(super) fn choose(accepted: &str) -> Option<Coding> {
    let weight_of = |name: &str| {
        let weight = |entry: &str| {
            let weight = entry.split(';').nth(1).and_then(|weight| weight.trim().strip_prefix("q=")).unwrap_or("1");
            weight.trim().parse::<f32>().unwrap_or(0.0)
        };
        let entry = |wanted: &str| {
            accepted
                .split(',')
                .find(|entry| entry.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted))
        };
        entry(name).or_else(|| entry("*")).map_or(0.0, weight)
    };
    let mut best = None;
    for coding in Coding::ALL {
        let weight = weight_of(coding.name());
        if weight > best.map_or(0.0, |(_, weight)| weight) {
            best = Some((coding, weight));
        }
    }
    best.map(|(coding, _)| coding)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accepted: &str, expected: Option<Coding>) {
        assert_eq!(choose(accepted), expected, "{accepted}");
    }

    #[test]
    fn the_readers_wish_comes_before_ours() {
        check("gzip, deflate, br", Some(Coding::Brotli));
        check("gzip", Some(Coding::Gzip));
        check("gzip;q=1.0, br;q=0.5", Some(Coding::Gzip));
        check("br;q=0, *", Some(Coding::Zstd));
        check("identity", None);
        check("", None);
        check("gzip;q=nonsense", None);
    }
}
