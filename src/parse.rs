//! Bytes of a feed document to the feed and entries that stand in it.
//!
//! Pure. RSS, Atom and JSON Feed come out as one shape. What the document does not say stays absent, and markup stays as
//! it came: making entries fit for the store is `normalise`'s work, making markup safe is `sanitise`'s.
//!
//! The mapping is done by feed-rs, whose traps are closed here: it names entries at random where they have no id, a parser
//! that met an error must not be used again, some documents make it panic, and it takes a document of an unknown dialect
//! for a feed without entries.

use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono::{DateTime, Utc};
use feed_rs::model as feed_rs_model;
use url::Url;

use crate::model::{Enclosure, Fault, Hints, Person};
use crate::normalise::text;

/// A feed document, read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParsedFeed {
    /// Plain text.
    pub title: Option<String>,
    /// The page that the feed belongs to.
    pub link: Option<String>,
    /// HTML, as it came.
    pub description: Option<String>,
    /// BCP 47 tag.
    pub language: Option<String>,
    /// Last changed, by the publisher's word.
    pub updated: Option<DateTime<Utc>>,
    /// When to come back, by the publisher's word.
    pub hints: Hints,
    /// In document order.
    pub entries: Vec<ParsedEntry>,
    /// What had to be repaired before the document could be read.
    pub repairs: Vec<String>,
    /// What could not be read and was left out.
    pub faults: Vec<Fault>,
}

/// One entry of a feed document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParsedEntry {
    /// The publisher's own name for it.
    pub id: Option<String>,
    /// Its web page; relative only where nothing says what to.
    pub url: Option<String>,
    /// Plain text.
    pub title: Option<String>,
    /// HTML, as it came.
    pub summary: Option<String>,
    /// HTML, as it came.
    pub content: Option<String>,
    /// What relative addresses inside the markup are resolved against, where the entry says so itself.
    pub base: Option<String>,
    /// First put out.
    pub published: Option<DateTime<Utc>>,
    /// Last changed.
    pub updated: Option<DateTime<Utc>>,
    /// Who wrote it.
    pub authors: Vec<Person>,
    /// The publisher's labels.
    pub categories: Vec<String>,
    /// Attached media files.
    pub enclosures: Vec<Enclosure>,
    /// BCP 47 tag.
    pub language: Option<String>,
    /// The address of a picture that stands for the entry.
    pub image: Option<String>,
    /// The page where readers comment.
    pub comments: Option<String>,
}

/// What is known of a document from outside.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// The address it was read from.
    pub base: Option<&'a Url>,
    /// The `Content-Type` it came with. It names the character set at most: servers are too often wrong about the rest.
    pub content_type: Option<&'a str>,
}

/// Why a document is no feed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is nothing in it.
    #[error("the document is empty")]
    Empty,
    /// It is something else.
    #[error("this is {0}, not a feed")]
    NotAFeed(&'static str),
    /// It could not be read to the end.
    #[error("the feed cannot be read: {0}")]
    Unreadable(String),
    /// It was read, and holds neither a title nor a link nor an entry.
    #[error("the document holds neither a title, a link nor an entry of a known feed format")]
    Hollow,
}

/// Reads a feed document.
///
/// The same bytes give the same value, whatever the clock says.
///
/// # Errors
/// When the document is no feed, or is broken beyond repair. Nothing of it should be stored then.
pub fn parse(document: &[u8], context: Context<'_>) -> Result<ParsedFeed, Error> {
    if document.iter().all(u8::is_ascii_whitespace) {
        return Err(Error::Empty);
    }
    // A fresh parser each time: one that met an error holds on to half an entry.
    let parser = feed_rs::parser::Builder::new()
        .base_uri(context.base)
        .id_generator(|_, _, _| String::new())
        .sanitize_content(false)
        .build();
    let read = catch_unwind(AssertUnwindSafe(|| parser.parse(document)));
    let feed = match read {
        Ok(Ok(feed)) => feed,
        Ok(Err(error)) => {
            return Err(looks_like(document).map_or_else(|| Error::Unreadable(error.to_string()), Error::NotAFeed));
        }
        Err(_) => return Err(Error::Unreadable("the parser gave up on it".into())),
    };
    let parsed = mapped(feed);
    if parsed.entries.is_empty() && parsed.title.is_none() && parsed.link.is_none() {
        return Err(looks_like(document).map_or(Error::Hollow, Error::NotAFeed));
    }
    Ok(parsed)
}

/// What a document that is no feed seems to be.
fn looks_like(document: &[u8]) -> Option<&'static str> {
    let head = String::from_utf8_lossy(document.get(..2048).unwrap_or(document)).to_ascii_lowercase();
    let has = |mark: &str| head.contains(mark);
    if has("<!doctype html") || has("<html") {
        Some("a web page")
    } else if has("<opml") {
        Some("an OPML list of feeds")
    } else if has("<urlset") || has("<sitemapindex") {
        Some("a sitemap")
    } else {
        None
    }
}

fn mapped(feed: feed_rs_model::Feed) -> ParsedFeed {
    ParsedFeed {
        title: feed.title.map(|title| text::plain(&title.content)).filter(|title| !title.is_empty()),
        link: page_link(&feed.links),
        description: feed.description.map(|description| description.content),
        language: feed.language,
        updated: feed.updated.or(feed.published),
        hints: Hints { ttl_s: feed.ttl.map(|minutes| u64::from(minutes) * 60), ..Hints::default() },
        entries: feed.entries.into_iter().map(mapped_entry).collect(),
        repairs: Vec::new(),
        faults: Vec::new(),
    }
}

fn mapped_entry(entry: feed_rs_model::Entry) -> ParsedEntry {
    let url = page_link(&entry.links).or_else(|| entry.content.as_ref()?.src.as_ref().map(|link| link.href.clone()));
    let mut enclosures: Vec<Enclosure> = entry
        .links
        .iter()
        .filter(|link| link.rel.as_deref() == Some("enclosure"))
        .map(|link| Enclosure { url: link.href.clone(), media_type: link.media_type.clone(), length: link.length })
        .collect();
    let mut image = None;
    for media in &entry.media {
        for content in &media.content {
            let Some(url) = content.url.as_ref().map(ToString::to_string) else {
                continue;
            };
            if enclosures.iter().all(|known| known.url != url) {
                let media_type = content.content_type.as_ref().map(ToString::to_string);
                enclosures.push(Enclosure { url, media_type, length: content.size });
            }
        }
        image = image.or_else(|| media.thumbnails.first().map(|thumbnail| thumbnail.image.uri.clone()));
    }
    let some_text = |text: String| (!text.trim().is_empty()).then_some(text);
    ParsedEntry {
        id: some_text(entry.id.trim().to_owned()),
        title: entry.title.and_then(|title| some_text(text::plain(&title.content))),
        summary: entry.summary.and_then(|summary| some_text(as_html(&summary.content_type, summary.content))),
        content: entry.content.and_then(|content| some_text(as_html(&content.content_type, content.body?))),
        base: entry.base,
        published: entry.published,
        updated: entry.updated,
        authors: entry.authors.into_iter().filter_map(person).collect(),
        categories: entry
            .categories
            .into_iter()
            .map(|category| category.label.unwrap_or(category.term))
            .filter_map(some_text)
            .collect(),
        comments: entry.links.iter().find(|link| link.rel.as_deref() == Some("replies")).map(|link| link.href.clone()),
        language: entry.language,
        url,
        enclosures,
        image,
    }
}

/// The link that leads to a page: the one of relation `alternate`, or without relation.
fn page_link(links: &[feed_rs_model::Link]) -> Option<String> {
    let page = |link: &&feed_rs_model::Link| matches!(link.rel.as_deref(), None | Some("alternate"));
    let html = |link: &&feed_rs_model::Link| link.media_type.as_deref().is_none_or(|kind| kind.contains("html"));
    links
        .iter()
        .filter(page)
        .find(html)
        .or_else(|| links.iter().find(page))
        .map(|link| link.href.trim().to_owned())
        .filter(|href| !href.is_empty())
}

/// Markup as HTML: a plain-text construct is escaped, except RSS's, whose plain type is only feed-rs's default.
fn as_html(kind: &impl ToString, body: String) -> String {
    let is_plain = kind.to_string().starts_with("text/plain");
    let has_markup = body.contains("</")
        || body.contains("/>")
        || body.contains("<p>")
        || body.contains("<br")
        || body.contains("&");
    if is_plain && !has_markup { crate::sanitise::escape(&body) } else { body }
}

fn person(person: feed_rs_model::Person) -> Option<Person> {
    let name = person.name.filter(|name| !name.trim().is_empty()).or_else(|| person.email.clone())?;
    Some(Person { name: text::plain(&name), email: person.email, url: person.uri })
}
