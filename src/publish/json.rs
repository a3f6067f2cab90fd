//! The merged feed as JSON Feed 1.1.
//!
//! Pure. What the format has no name for stands under `_newsfold`, as its section on extensions has it.

use std::io::{self, Write};

use chrono::{DateTime, Utc};
use serde::ser::{Error, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::model::{Person, StoryId};
use crate::publish::merged::{MergedFeed, MergedStory, Part, Sequence};
use crate::publish::xml::in_memory;

/// The document, its members in the order of their names.
#[derive(Serialize)]
struct Document<'a, S: Sequence + ?Sized> {
    favicon: String,
    feed_url: String,
    home_page_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hubs: Option<Value>,
    icon: String,
    #[serde(serialize_with = "each")]
    items: &'a S,
    /// What comes after this document in time or in order; the format has no name for other neighbours.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_url: Option<String>,
    title: &'a str,
    version: &'static str,
}

/// An item, its members in the order of their names. What there is nothing of is left out.
#[derive(Serialize)]
struct Item<'a> {
    #[serde(rename = "_newsfold")]
    own: Value,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authors: Vec<Value>,
    content_html: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    date_modified: Option<String>,
    date_published: String,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<&'a str>,
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
}

/// The feed as a JSON Feed document.
#[must_use]
pub fn render(feed: &MergedFeed) -> String {
    in_memory(|out| write(feed, &*feed.stories, out))
}

/// The same with these stories in the place of the feed's own, written as it is made.
///
/// # Errors
/// When it cannot be written, or a story not be read.
pub fn write(feed: &MergedFeed, stories: &(impl Sequence + ?Sized), out: &mut impl Write) -> io::Result<()> {
    let MergedFeed { heading, part, .. } = feed;
    let mut neighbours = part.beside(heading, ".json").into_iter();
    let document = Document {
        favicon: heading.icon(),
        feed_url: part.address(heading, ".json"),
        home_page_url: match part {
            Part::Search { .. } => part.address(heading, ""),
            Part::Current { .. } | Part::Archive { .. } => heading.address(""),
        },
        hubs: match (part, &heading.hub) {
            (Part::Current { .. }, Some(hub)) => Some(json!([{ "type": "WebSub", "url": hub.as_str() }])),
            _ => None,
        },
        icon: heading.icon(),
        items: stories,
        next_url: neighbours.find(|(rel, _)| ["next", "prev-archive"].contains(rel)).map(|(_, next)| next),
        title: &heading.title,
        version: "https://jsonfeed.org/version/1.1",
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    out.write_all(b"\n")
}

fn each<S: Serializer>(stories: &&(impl Sequence + ?Sized), serializer: S) -> Result<S::Ok, S::Error> {
    let mut items = serializer.serialize_seq(None)?;
    let mut failed = None;
    let shown = stories.each(|story| {
        items.serialize_element(&item(story)).map_err(|error| {
            failed = Some(error);
            io::ErrorKind::Other.into()
        })
    });
    failed.map_or(Ok(()), Err)?;
    shown.map_err(S::Error::custom)?;
    items.end()
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

fn item(story: &MergedStory) -> Item<'_> {
    let author = |person: &Person| match &person.url {
        Some(url) => json!({ "name": person.name, "url": url }),
        None => json!({ "name": person.name }),
    };
    let others = story.categories.iter().filter(|label| !story.tags.contains(label));
    let attachments = story.enclosures.iter().map(|enclosure| {
        let kind = enclosure.media_type.as_deref().unwrap_or("application/octet-stream");
        match enclosure.length {
            Some(length) => json!({ "url": enclosure.url, "mime_type": kind, "size_in_bytes": length }),
            None => json!({ "url": enclosure.url, "mime_type": kind }),
        }
    });
    Item {
        own: own(story),
        attachments: attachments.collect(),
        authors: story.bylines().iter().map(author).collect(),
        content_html: &story.content,
        date_modified: (story.updated > story.published).then(|| instant(story.updated)),
        date_published: instant(story.published),
        id: story.id.urn(),
        image: story.image.as_deref(),
        language: story.language.as_deref(),
        summary: story.summary.as_ref().map(|_| story.lead.as_str()),
        tags: story.tags.iter().chain(others).map(String::as_str).collect(),
        title: &story.title,
        url: story.permalink.as_deref(),
    }
}

/// What the format has no name for.
fn own(story: &MergedStory) -> Value {
    if let Some(listed) = &story.digest {
        let stories = listed.iter().map(|story| {
            json!({
                "id": story.id,
                "title": story.title,
                "url": story.url,
                "source": story.source,
                "sources": story.sources,
                "date_published": DateTime::from_timestamp_millis(story.published).map(instant),
            })
        });
        return json!({ "digest": stories.collect::<Vec<_>>() });
    }
    let others = story.others.iter().map(|other| {
        let mut told =
            json!({ "source": other.source, "title": other.title, "url": other.permalink, "date": instant(other.at) });
        for (name, address) in [("feed_url", &other.feed_url), ("home_page_url", &other.home)] {
            if let Some(address) = address {
                told[name] = json!(address);
            }
        }
        told
    });
    let source =
        json!({ "title": story.outlet.title, "feed_url": story.outlet.address, "home_page_url": story.outlet.link });
    let mut own = json!({ "source": source, "sources": story.sources, "also": others.collect::<Vec<_>>() });
    for (name, value) in [
        ("story_url", json!(story.page())),
        (
            "known_as",
            Some(&story.known_as)
                .filter(|names| !names.is_empty())
                .map_or(Value::Null, |names| json!(names.iter().map(StoryId::urn).collect::<Vec<_>>())),
        ),
        ("story_title", json!(Some(&story.headline).filter(|headline| **headline != story.title))),
        (
            "follows",
            story.follows.as_ref().map_or(Value::Null, |of| json!({ "title": of.title, "story_url": of.page })),
        ),
        (
            "also_in_other_languages",
            Some(&story.other_languages).filter(|told| !told.is_empty()).map_or(Value::Null, |told| json!(told)),
        ),
        ("comments", json!(story.comments)),
        ("comment_count", json!(story.comment_count)),
        ("in_reply_to", json!(story.in_reply_to)),
    ] {
        if !value.is_null() {
            own[name] = value;
        }
    }
    own
}
