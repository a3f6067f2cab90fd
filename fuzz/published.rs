//! From a feed's bytes to what is published of them, in every format, as a poll and a rendering do it but for the store.
//!
//! Shared by the fuzz target and by `tests/published.rs`, which runs the seeds.

use chrono::DateTime;
use newsfold::config::Format;
use newsfold::fold::canonical::{CanonicalCandidate, Site};
use newsfold::model::{EntryRef, FeedRef, StoryId, StoryRef};
use newsfold::normalise;
use newsfold::parse::{self, Context};
use newsfold::publish;
use newsfold::publish::merged::{self, Credit, Heading, Part, Stories, Style};
use newsfold::publish::relays::Relays;
use newsfold::store::feeds::Source;
use newsfold::store::stories::{Story, Telling};
use url::Url;

/// The documents that a reader would get; `None` when the bytes are no feed.
pub(crate) fn published(document: &[u8]) -> Option<Vec<String>> {
    let address = Url::parse("https://feeds.example.org/all").expect("a constant address");
    let parsed = parse::parse(document, Context { base: Some(&address), ..Context::default() }).ok()?;
    let source = Source {
        feed: FeedRef(1),
        identity: address.to_string(),
        address: address.to_string(),
        name: "all".into(),
        title: parsed.title.clone(),
        link: parsed.link.clone(),
        is_named: false,
        is_private: false,
    };
    let credit = Credit::of(&source);
    let mut stories = Stories::default();
    let (entries, _) = normalise::entries(parsed, &address);
    for (entry, number) in entries.into_iter().zip(1..) {
        let seen = DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000);
        let story = Story {
            story: StoryRef(number),
            id: StoryId::derive(&source.identity, &entry.id),
            canonical: EntryRef(number),
            founded: seen,
            published: Some(entry.published.unwrap_or(seen)),
            updated: entry.updated,
            sort_at: Some(seen),
            sources: 1,
        };
        let candidate = CanonicalCandidate {
            entry: EntryRef(number),
            priority: 0,
            site: Site::of(&address),
            pages: entry.permalink.iter().cloned().collect(),
            is_placed: true,
            is_withdrawn: false,
            since: seen,
        };
        let telling = Telling {
            entry: EntryRef(number),
            feed: source.feed,
            source: source.feed,
            id: entry.id,
            permalink: entry.permalink,
            title: entry.title,
            published: entry.published,
            updated: entry.updated,
            first_seen: seen,
            place: Some(seen),
            candidate,
            fold: None,
        };
        stories.extend(merged::story(&story, &[telling], entry.detail, Style::default(), &Relays::default(), |_| {
            Some(&credit)
        }));
    }
    let heading = Heading {
        name: "news".into(),
        title: "News".into(),
        public_url: Url::parse("https://news.example.org/").expect("a constant address"),
        named_under: Url::parse("https://news.example.org/").expect("a constant address"),
        hub: None,
    };
    let feed = merged::feed(heading, Part::Current { newest_archive: None }, stories.into_vec());
    let formats = [Format::Atom, Format::Rss, Format::Json, Format::Html];
    let text = |format| String::from_utf8(publish::render(&publish::Site::default(), &feed, format).body.to_vec());
    Some(formats.map(text).into_iter().map(|text| text.expect("documents are text")).collect())
}
