//! The merged feed as Atom (RFC 4287), the format that carries everything.
//!
//! Pure. Archives and their links are those of RFC 5005, replies those of RFC 4685, pictures those of Media RSS.

use std::collections::HashSet;
use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};

use crate::model::{Enclosure, Person};
use crate::publish::merged::{Credit, Dates, MergedFeed, MergedStory, Part, Sequence, TITLE_OF_THE_PAGE};
use crate::publish::xml::{Document, NEWSFOLD, for_newsfolds, in_memory, is_like_markup, without_markup};
use crate::sanitise;

/// What pages are.
const HTML: Option<&str> = Some("text/html");
/// What this is.
const ATOM: Option<&str> = Some("application/atom+xml");

/// The feed as an Atom document.
#[must_use]
pub fn render(feed: &MergedFeed) -> String {
    in_memory(|out| write(feed, &*feed.stories, out))
}

/// The same with these stories in the place of the feed's own, written as it is made.
///
/// # Errors
/// When it cannot be written, or a story not be read.
pub fn write(feed: &MergedFeed, stories: &(impl Sequence + ?Sized), out: &mut impl Write) -> io::Result<()> {
    let MergedFeed { heading, part, updated, .. } = feed;
    let mut document = Document::new();
    let is_archive = matches!(part, Part::Archive { .. });
    document.open(
        "feed",
        &[
            ("xmlns", Some("http://www.w3.org/2005/Atom")),
            ("xmlns:media", Some("http://search.yahoo.com/mrss/")),
            ("xmlns:newsfold", Some(NEWSFOLD)),
            ("xmlns:thr", Some("http://purl.org/syndication/thread/1.0")),
            ("xmlns:fh", is_archive.then_some("http://purl.org/syndication/history/1.0")),
        ],
    );
    let query = match part {
        Part::Search { query, .. } => Some(query.as_str()),
        Part::Current { .. } | Part::Archive { .. } => None,
    };
    document.leaf("id", &[], &heading.id(query));
    title(&mut document, &heading.title);
    document.leaf("updated", &[], &instant(updated.unwrap_or_default()));
    document.leaf("icon", &[], &heading.icon());
    if is_archive {
        document.empty("fh:archive", &[]);
    }
    link(&mut document, "self", &part.address(heading, ".atom"), ATOM, None);
    match part {
        Part::Current { .. } => {
            link(&mut document, "alternate", &heading.address(""), HTML, None);
            if let Some(hub) = &heading.hub {
                link(&mut document, "hub", hub.as_str(), None, None);
            }
        }
        Part::Archive { .. } => {}
        Part::Search { .. } => link(&mut document, "alternate", &part.address(heading, ""), HTML, None),
    }
    for (rel, address) in part.beside(heading, ".atom") {
        link(&mut document, rel, &address, ATOM, None);
    }
    document.leaf(
        "generator",
        &[("uri", Some(env!("CARGO_PKG_HOMEPAGE"))), ("version", Some(env!("CARGO_PKG_VERSION")))],
        "newsfold",
    );
    let mut updated = distinct_seconds(&stories.dates()).into_iter();
    stories.each(|story| {
        entry(&mut document, story, updated.next().unwrap_or(story.updated));
        document.pass_on(out)
    })?;
    document.finish(out)
}

fn entry(document: &mut Document, story: &MergedStory, updated: DateTime<Utc>) {
    document.open("entry", &[("xml:lang", story.language.as_deref())]);
    document.leaf("id", &[], &story.id.urn());
    title(document, &story.title);
    document.leaf("published", &[], &instant(story.published));
    document.leaf("updated", &[], &instant(updated));
    if let Some(permalink) = &story.permalink {
        link(document, "alternate", permalink, HTML, None);
    }
    for enclosure in &story.enclosures {
        attached(document, enclosure);
    }
    for other in &story.others {
        if let Some(permalink) = &other.permalink {
            link(document, "related", permalink, HTML, Some(&format!("{}: {}", other.source, other.title)));
        }
    }
    if let Some(page) = story.page() {
        link(document, "related", page, HTML, Some(TITLE_OF_THE_PAGE));
    }
    if let Some(followed) = &story.follows {
        link(document, "related", &followed.page, HTML, Some(&format!("Follows: {}", followed.title)));
    }
    for told in &story.other_languages {
        let title = format!("Also in other languages: {}", told.title);
        document.empty(
            "link",
            &[
                ("rel", Some("related")),
                ("href", Some(&told.page)),
                ("type", HTML),
                ("hreflang", Some(&told.language)),
                ("title", Some(&title)),
            ],
        );
    }
    if let Some(comments) = &story.comments {
        let count = story.comment_count.map(|count| count.to_string());
        document.empty(
            "link",
            &[("rel", Some("replies")), ("href", Some(comments)), ("type", HTML), ("thr:count", count.as_deref())],
        );
    }
    if let Some(id) = &story.in_reply_to {
        let page = sanitise::web_address(id, None);
        document.empty("thr:in-reply-to", &[("ref", Some(id)), ("href", page.as_ref().map(url::Url::as_str))]);
    }
    for person in &story.bylines() {
        author(document, person);
    }
    for category in story.tags.iter().chain(story.categories.iter().filter(|label| !story.tags.contains(label))) {
        document.empty("category", &[("term", Some(category))]);
    }
    if let Some(summary) = &story.summary {
        document.leaf("summary", &[("type", Some("html"))], summary);
    }
    // Validators want a text of each entry; of one without a text it is its title.
    if story.content.is_empty() {
        document.leaf("content", &[], &story.headline);
    } else {
        document.leaf("content", &[("type", Some("html"))], &story.content);
    }
    if let Some(image) = &story.image {
        document.empty("media:thumbnail", &[("url", Some(image))]);
    }
    // What is our own is from no other feed.
    if story.digest.is_none() {
        source(document, &story.outlet, story.source_updated);
        for_newsfolds(document, story);
    }
    document.close();
}

/// A title is plain text; one that looks like markup says so in a way that no reader can take for markup.
fn title(document: &mut Document, title: &str) {
    if is_like_markup(title) {
        document.leaf("title", &[("type", Some("html"))], &without_markup(title));
    } else {
        document.leaf("title", &[], title);
    }
}

fn attached(document: &mut Document, enclosure: &Enclosure) {
    let length = enclosure.length.map(|length| length.to_string());
    document.empty(
        "link",
        &[
            ("rel", Some("enclosure")),
            ("href", Some(&enclosure.url)),
            ("type", enclosure.media_type.as_deref()),
            ("length", length.as_deref()),
        ],
    );
}

/// Where the story's text comes from (RFC 4287 §4.2.11). Last in its entry and without a link to the outlet's page: some readers
/// take whichever `alternate` they meet last for the story's.
fn source(document: &mut Document, source: &Credit, updated: DateTime<Utc>) {
    document.open("source", &[]);
    document.leaf("id", &[], &source.id);
    title(document, &source.title);
    document.leaf("updated", &[], &instant(updated));
    if let Some(address) = &source.address {
        link(document, "self", address, None, None);
    }
    document.close();
}

fn link(document: &mut Document, rel: &str, href: &str, kind: Option<&str>, title: Option<&str>) {
    document.empty("link", &[("rel", Some(rel)), ("href", Some(href)), ("type", kind), ("title", title)]);
}

fn author(document: &mut Document, person: &Person) {
    document.open("author", &[]);
    document.leaf("name", &[], &person.name);
    if let Some(uri) = &person.url {
        document.leaf("uri", &[], uri);
    }
    if let Some(email) = &person.email {
        document.leaf("email", &[], email);
    }
    document.close();
}

/// RFC 3339, whole seconds, UTC.
fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// When each story was updated, in seconds that differ: validators warn of two entries that changed at one time, and publishers
/// date many to the full minute. The second of such a time belongs to the story, so that it stays whatever stands beside it; of
/// those that still are equal, the later ones are moved.
fn distinct_seconds(stories: &[Dates]) -> Vec<DateTime<Utc>> {
    let of_its_own = |story: &Dates| {
        let seconds = story.updated.timestamp();
        let [.., last] = story.id.0;
        if seconds % 60 == 0 { seconds + i64::from(last % 60) } else { seconds }
    };
    let mut order: Vec<usize> = (0..stories.len()).collect();
    order.sort_by_key(|at| stories.get(*at).map(|story| (story.published, story.id)));
    let mut taken: HashSet<i64> = HashSet::new();
    let mut updated: Vec<DateTime<Utc>> = stories.iter().map(|story| story.updated).collect();
    for at in order {
        let Some(mut seconds) = stories.get(at).map(of_its_own) else { continue };
        while !taken.insert(seconds) {
            seconds += 1;
        }
        if let (Some(slot), Some(time)) = (updated.get_mut(at), DateTime::from_timestamp(seconds, 0)) {
            *slot = time;
        }
    }
    updated
}
