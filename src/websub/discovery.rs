//! Which hub a document names, and under which topic (WebSub §4).
//!
//! Pure.

use url::Url;

/// A hub counts among so many of a document; a longer list is somebody's joke.
const MOST_HUBS: usize = 8;

/// What a feed says about being told of its changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The hubs, in the publisher's order; never empty.
    pub hubs: Vec<Url>,
    /// What to subscribe to: the feed's own address, by its own word.
    pub topic: Url,
}

/// What a document read from `address` says: its `Link` fields first, then what stands in it.
///
/// `None` when it names no hub that can be asked.
#[must_use]
pub fn discover(links: &[String], hubs: &[String], self_link: Option<&str>, address: &Url) -> Option<Found> {
    let web = |text: &str| address.join(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let fields: Vec<(&str, String)> = links.iter().flat_map(|field| fields_of(field)).collect();
    let by = |relation: &'static str| {
        let is_so = move |(_, relations): &&(&str, String)| {
            relations.split_ascii_whitespace().any(|known| known.eq_ignore_ascii_case(relation))
        };
        fields.iter().filter(is_so).filter_map(|(target, _)| web(target))
    };
    let mut named: Vec<Url> = by("hub").take(MOST_HUBS).collect();
    if named.is_empty() {
        named = hubs.iter().take(MOST_HUBS).filter_map(|hub| web(hub)).collect();
    }
    let topic = by("self").next().or_else(|| web(self_link?)).or_else(|| web(""))?;
    (!named.is_empty()).then_some(Found { hubs: named, topic })
}

/// The targets of a `Link` field with their relations (RFC 8288 §3).
fn fields_of(field: &str) -> Vec<(&str, String)> {
    let mut found = Vec::new();
    let mut rest = field;
    while let Some((_, begun)) = rest.split_once('<') {
        let Some((target, after)) = begun.split_once('>') else { break };
        // The next link begins at a comma that stands in no quotes.
        let mut is_quoted = false;
        let end = after.find(|c| {
            is_quoted ^= c == '"';
            c == ',' && !is_quoted
        });
        let (parameters, next) = after.split_at(end.unwrap_or(after.len()));
        let relation = parameters.split(';').find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("rel").then(|| value.trim().trim_matches('"').to_owned())
        });
        found.extend(relation.map(|relation| (target.trim(), relation)));
        rest = next;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(links: &[&str], hubs: &[&str], self_link: Option<&str>, expected: Option<(&[&str], &str)>) {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let address = Url::parse("https://news.example/feed?a=1").unwrap();
        let found = discover(&owned(links), &owned(hubs), self_link, &address);
        let url = |text: &&str| Url::parse(text).unwrap();
        let expected = expected.map(|(hubs, topic)| Found { hubs: hubs.iter().map(url).collect(), topic: url(&topic) });
        assert_eq!(found, expected, "{links:?} {hubs:?}");
    }

    #[test]
    fn header_fields_come_before_the_document() {
        check(
            &[
                "<https://one.example/>; rel=\"hub\", <https://two.example/a,b>; title=\"a, b\"; rel=hub",
                "</self>; rel=self",
            ],
            &["https://three.example/"],
            Some("https://news.example/other"),
            Some((&["https://one.example/", "https://two.example/a,b"], "https://news.example/self")),
        );
        check(
            &["</style.css>; rel=preload"],
            &["https://three.example/"],
            Some("https://news.example/other"),
            Some((&["https://three.example/"], "https://news.example/other")),
        );
    }

    #[test]
    fn without_a_hub_on_the_web_there_is_nothing_to_ask() {
        check(&["</self>; rel=self"], &[], None, None);
        check(&["<file:///etc/passwd>; rel=hub"], &["mailto:a@b.example"], None, None);
        check(&["<https://one.example/", "rel=hub"], &[], None, None);
        check(&[], &["/hub"], None, Some((&["https://news.example/hub"], "https://news.example/feed?a=1")));
    }
}
