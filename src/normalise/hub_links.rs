//! Which hub a document names, and under which topic (WebSub §4).
//!
//! Pure.

use url::Url;

use crate::model::hub::HubLinks;
use crate::sanitise::web_address;

/// A hub counts among so many of a document; a longer list is somebody's joke.
const MOST_HUBS: usize = 8;

/// What a document read from `address` says: its `Link` fields first, then what stands in it.
///
/// `None` when it names no hub that can be asked.
#[must_use]
pub fn discover(links: &[String], hubs: &[String], self_link: Option<&str>, address: &Url) -> Option<HubLinks> {
    let fields = Fields::of(links);
    let mut named: Vec<Url> = fields.by("hub").filter_map(|hub| web(hub, address)).take(MOST_HUBS).collect();
    if named.is_empty() {
        named = hubs.iter().filter_map(|hub| web(hub, address)).take(MOST_HUBS).collect();
    }
    let topic = fields
        .by("self")
        .find_map(|own| as_written(own, address))
        .or_else(|| as_written(self_link?, address))
        .or_else(|| as_written("", address))?;
    (!named.is_empty()).then_some(HubLinks { hubs: named, topic })
}

/// What `Link` fields alone say, where they name both a hub and the feed's own address.
#[must_use]
pub fn in_fields(links: &[String], address: &Url) -> Option<HubLinks> {
    Fields::of(links).by("self").next()?;
    discover(links, &[], None, address)
}

/// The hubs and the own address that `Link` fields name, to be compared with those of another answer; empty when they name
/// neither.
#[must_use]
pub fn named_in_fields(links: &[String], address: &Url) -> String {
    let fields = Fields::of(links);
    let targets = ["hub", "self"].map(|relation| {
        let targets: Vec<String> = fields.by(relation).filter_map(|target| as_written(target, address)).collect();
        targets.into_iter().map(|target| format!("{relation} {target}\n")).collect::<String>()
    });
    targets.concat()
}

/// An address of the web, as it is asked.
fn web(text: &str, base: &Url) -> Option<Url> {
    web_address(text, Some(base))
}

/// An address of the web, as it is written where it is whole.
fn as_written(text: &str, base: &Url) -> Option<String> {
    let joined = web(text, base)?;
    let is_whole = Url::parse(text).is_ok();
    Some(if is_whole { text.trim().to_owned() } else { joined.into() })
}

/// `Link` fields: targets with their relations.
struct Fields<'a>(Vec<(&'a str, String)>);

impl<'a> Fields<'a> {
    fn of(links: &'a [String]) -> Self {
        Self(links.iter().flat_map(|field| fields_of(field)).collect())
    }

    /// The targets of one relation.
    fn by(&self, relation: &str) -> impl Iterator<Item = &'a str> {
        let is_so =
            move |relations: &str| relations.split_ascii_whitespace().any(|known| known.eq_ignore_ascii_case(relation));
        self.0.iter().filter(move |(_, relations)| is_so(relations)).map(|(target, _)| *target)
    }
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
        let expected =
            expected.map(|(hubs, topic)| HubLinks { hubs: hubs.iter().map(url).collect(), topic: topic.to_owned() });
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
    fn the_topic_is_what_the_publisher_wrote() {
        for own in [
            "https://News.Example/feed",
            "https://news.example:443/feed",
            "https://news.example/x/../feed",
            "https://news.example/f\u{f6}\u{f6}d?a=b c",
        ] {
            check(&[], &["/hub"], Some(own), Some((&["https://news.example/hub"], own)));
            let field = format!("</hub>; rel=hub, <{own}>; rel=self");
            check(&[&field], &[], None, Some((&["https://news.example/hub"], own)));
        }
        check(&[], &["/hub"], Some("../feed"), Some((&["https://news.example/hub"], "https://news.example/feed")));
        check(&[], &["/hub"], Some("urn:x"), Some((&["https://news.example/hub"], "https://news.example/feed?a=1")));
    }

    #[test]
    fn what_fields_name_is_compared_whatever_else_they_say() {
        let named = |fields: &[&str]| {
            let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
            named_in_fields(&fields, &Url::parse("https://news.example/feed").unwrap())
        };
        assert_eq!(named(&["</a.css?1>; rel=preload"]), "");
        let both = named(&["</hub>; rel=hub, </a.css?1>; rel=preload", "<>; rel=self"]);
        assert_eq!(
            both,
            named(&["<https://news.example/hub>; rel=hub", "</a.css?2>; rel=preload", "</feed>; rel=self"])
        );
        assert_ne!(both, named(&["</other>; rel=hub", "</feed>; rel=self"]));
        assert_ne!(both, named(&["</hub>; rel=hub"]));
    }

    #[test]
    fn without_a_hub_on_the_web_there_is_nothing_to_ask() {
        check(&["</self>; rel=self"], &[], None, None);
        check(&["<file:///etc/passwd>; rel=hub"], &["mailto:a@b.example"], None, None);
        check(&["<https://one.example/", "rel=hub"], &[], None, None);
        check(&[], &["/hub"], None, Some((&["https://news.example/hub"], "https://news.example/feed?a=1")));
    }
}
