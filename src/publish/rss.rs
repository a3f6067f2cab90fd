//! The merged feed as RSS 2.0, with the modules that readers know.
//!
//! Pure. What RSS has no element for is taken from Atom's namespace, as its own profile recommends.

use chrono::{DateTime, Utc};

use crate::publish::merged::{MergedFeed, MergedStory};
use crate::publish::xml::Document;

/// The feed as an RSS document.
#[must_use]
pub fn render(feed: &MergedFeed) -> String {
    let heading = &feed.heading;
    let mut document = Document::new();
    document.open(
        "rss",
        &[
            ("version", Some("2.0")),
            ("xmlns:atom", Some("http://www.w3.org/2005/Atom")),
            ("xmlns:content", Some("http://purl.org/rss/1.0/modules/content/")),
            ("xmlns:dc", Some("http://purl.org/dc/elements/1.1/")),
        ],
    );
    document.open("channel", &[]);
    document.leaf("title", &[], &heading.title);
    document.leaf("link", &[], &heading.address(""));
    document.leaf("description", &[], &format!("{}, each story once", heading.title));
    document.empty(
        "atom:link",
        &[("rel", Some("self")), ("href", Some(&heading.address(".rss"))), ("type", Some("application/rss+xml"))],
    );
    if let Some(updated) = feed.updated {
        document.leaf("lastBuildDate", &[], &instant(updated));
    }
    document.leaf("generator", &[], "newsfold");
    for story in &feed.stories {
        item(&mut document, story);
    }
    document.finish()
}

fn item(document: &mut Document, story: &MergedStory) {
    document.open("item", &[]);
    document.leaf("title", &[], &story.title);
    if let Some(permalink) = &story.permalink {
        document.leaf("link", &[], permalink);
    }
    document.leaf("guid", &[("isPermaLink", Some("false"))], &story.id.urn());
    document.leaf("pubDate", &[], &instant(story.published));
    if story.updated > story.published {
        document.leaf("atom:updated", &[], &story.updated.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    }
    for person in &story.authors {
        document.leaf("dc:creator", &[], &person.name);
    }
    if let Some(language) = &story.language {
        document.leaf("dc:language", &[], language);
    }
    for category in &story.categories {
        document.leaf("category", &[], category);
    }
    if let Some(comments) = &story.comments {
        document.leaf("comments", &[], comments);
    }
    if let Some(summary) = &story.summary {
        document.leaf("description", &[], summary);
    }
    document.leaf("content:encoded", &[], &story.content);
    // RSS has one enclosure an item, with a length that may be 0 where it is not known.
    if let Some(enclosure) = story.enclosures.first() {
        let length = enclosure.length.unwrap_or(0).to_string();
        let kind = enclosure.media_type.as_deref().unwrap_or("application/octet-stream");
        document.empty("enclosure", &[("url", Some(&enclosure.url)), ("length", Some(&length)), ("type", Some(kind))]);
    }
    for other in &story.others {
        if let Some(permalink) = &other.permalink {
            let title = format!("{}: {}", other.source, other.title);
            document
                .empty("atom:link", &[("rel", Some("related")), ("href", Some(permalink)), ("title", Some(&title))]);
        }
    }
    // RSS wants the address of the feed; its page is the next best, and without either the credit goes to `dc:publisher`.
    match story.source.address.as_ref().or(story.source.link.as_ref()) {
        Some(address) => document.leaf("source", &[("url", Some(address))], &story.source.title),
        None => document.leaf("dc:publisher", &[], &story.source.title),
    }
    document.close();
}

/// RFC 822 with four digits of year, as RSS wants it.
fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc2822()
}
