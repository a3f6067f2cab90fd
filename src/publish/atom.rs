//! The merged feed as Atom (RFC 4287), the format that carries everything.
//!
//! Pure.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::publish::merged::{Credit, MergedFeed, MergedStory};
use crate::publish::xml::Document;

/// The feed as an Atom document.
#[must_use]
pub fn render(feed: &MergedFeed) -> String {
    let heading = &feed.heading;
    let mut document = Document::new();
    document.open("feed", &[("xmlns", Some("http://www.w3.org/2005/Atom"))]);
    document.leaf("id", &[], &heading.address(""));
    document.leaf("title", &[], &heading.title);
    document.leaf("updated", &[], &instant(feed.updated.unwrap_or_default()));
    link(&mut document, "self", &heading.address(".atom"), Some("application/atom+xml"), None);
    link(&mut document, "alternate", &heading.address(""), Some("text/html"), None);
    document.leaf("generator", &[("uri", Some(env!("CARGO_PKG_HOMEPAGE")))], "newsfold");
    for story in &feed.stories {
        entry(&mut document, story);
    }
    document.finish()
}

fn entry(document: &mut Document, story: &MergedStory) {
    document.open("entry", &[("xml:lang", story.language.as_deref())]);
    document.leaf("id", &[], &story.id.urn());
    document.leaf("title", &[], &story.title);
    document.leaf("published", &[], &instant(story.published));
    document.leaf("updated", &[], &instant(story.updated));
    if let Some(permalink) = &story.permalink {
        link(document, "alternate", permalink, Some("text/html"), None);
    }
    for enclosure in &story.enclosures {
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
    for other in &story.others {
        if let Some(permalink) = &other.permalink {
            link(
                document,
                "related",
                permalink,
                Some("text/html"),
                Some(&format!("{}: {}", other.source, other.title)),
            );
        }
    }
    if let Some(comments) = &story.comments {
        link(document, "replies", comments, Some("text/html"), None);
    }
    // RFC 4287 §4.2.1: an entry without an author takes that of its source, which has one name at least.
    if story.authors.is_empty() {
        author(document, &story.source.title, None, None);
    }
    for person in &story.authors {
        author(document, &person.name, person.email.as_deref(), person.url.as_deref());
    }
    for category in &story.categories {
        document.empty("category", &[("term", Some(category))]);
    }
    if let Some(summary) = &story.summary {
        document.leaf("summary", &[("type", Some("html"))], summary);
    }
    document.leaf("content", &[("type", Some("html"))], &story.content);
    source(document, &story.source);
    document.close();
}

/// Where the story's text comes from (RFC 4287 §4.2.11).
fn source(document: &mut Document, source: &Credit) {
    document.open("source", &[]);
    document.leaf("id", &[], &source.id);
    document.leaf("title", &[], &source.title);
    if let Some(page) = &source.link {
        link(document, "alternate", page, Some("text/html"), None);
    }
    if let Some(address) = &source.address {
        link(document, "self", address, None, None);
    }
    document.close();
}

fn link(document: &mut Document, rel: &str, href: &str, kind: Option<&str>, title: Option<&str>) {
    document.empty("link", &[("rel", Some(rel)), ("href", Some(href)), ("type", kind), ("title", title)]);
}

fn author(document: &mut Document, name: &str, email: Option<&str>, uri: Option<&str>) {
    document.open("author", &[]);
    document.leaf("name", &[], name);
    if let Some(uri) = uri {
        document.leaf("uri", &[], uri);
    }
    if let Some(email) = email.filter(|email| email.contains('@')) {
        document.leaf("email", &[], email);
    }
    document.close();
}

/// RFC 3339, whole seconds, UTC.
fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
