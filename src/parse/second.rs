//! A second opinion, by feed-rs.
//!
//! Pure. Two readers that different people wrote seldom have the same hole: where our own finds no feed in a document, or
//! fails on it, feed-rs is asked, and what it finds is better than nothing. It is not asked first: it takes three times as
//! long, rejects a document for a bare `&`, and drops what folding and publishing live on (`guid isPermaLink`, `source`,
//! `xml:base`).
//!
//! The traps of feed-rs are closed here: it names entries at random where they have no id, a parser that met an error must
//! not be used again, some documents make it panic, and some small ones take more stack or memory than there is.

use std::panic::{AssertUnwindSafe, catch_unwind};

use feed_rs::model::{self as other, FeedType};

use crate::model::{Enclosure, Hints, Person};
use crate::parse::reader::{self, Mode};
use crate::parse::tokens::{Token, Tokens};
use crate::parse::{Context, MOST_ENTRIES, ParsedEntry, ParsedFeed, date};

/// The largest document that feed-rs is given, in bytes: it holds twice the memory that our own reader holds.
const LARGEST: usize = 1024 * 1024;
/// The deepest elements of one that it is given: it calls itself for some of them.
const DEEPEST: usize = 64;
/// What it copies into each element below, or each entry.
const COPIED: &[&str] = &["xml:base", "/mrss"];

/// The feed as feed-rs reads it; `None` when it finds no entry either.
pub(super) fn read(document: &str, context: Context<'_>) -> Option<ParsedFeed> {
    if document.len() > LARGEST || COPIED.iter().any(|name| document.contains(name)) || is_deep(document) {
        return None;
    }
    // A fresh parser each time: one that met an error holds on to half an entry.
    let parser = feed_rs::parser::Builder::new()
        .id_generator(|_, _, _| String::new())
        .timestamp_parser(date::parse)
        .base_uri(context.base)
        .sanitize_content(false)
        .build();
    // Without the declaration: the text is UTF-8 by now, whatever it was before.
    let body = match document.strip_prefix("<?xml") {
        Some(declared) => declared.split_once("?>")?.1,
        None => document,
    };
    let found = catch_unwind(AssertUnwindSafe(|| parser.parse(body.as_bytes()))).ok()?.ok()?;
    let format = format(&found.feed_type);
    let entries = found.entries.into_iter().take(MOST_ENTRIES).map(|entry| read_entry(entry, &found.feed_type));
    let entries: Vec<ParsedEntry> = entries.collect();
    let linked = |rel: &'static str| {
        found.links.iter().filter(move |link| link.rel.as_deref() == Some(rel)).map(|link| link.href.clone())
    };
    (!entries.is_empty()).then(|| ParsedFeed {
        format: format.into(),
        title: found.title.and_then(|title| reader::title(&title.content, mode(&title, &found.feed_type))),
        link: page(&found.links),
        hubs: linked("hub").collect(),
        self_link: linked("self").next(),
        hints: Hints { ttl_s: found.ttl.map(|minutes| u64::from(minutes) * 60), ..Hints::default() },
        description: found.description.and_then(|text| read_text(text, &found.feed_type)),
        language: found.language,
        updated: found.updated,
        authors: found.authors.into_iter().filter_map(person).collect(),
        entries,
        ..ParsedFeed::default()
    })
}

fn format(of: &FeedType) -> &'static str {
    match of {
        FeedType::Atom => "Atom",
        FeedType::JSON => "JSON Feed",
        FeedType::RSS0 | FeedType::RSS1 | FeedType::RSS2 => "RSS",
    }
}

fn read_entry(entry: other::Entry, format: &FeedType) -> ParsedEntry {
    let is_attached = |link: &&other::Link| match link.rel.as_deref() {
        Some(rel) => rel == "enclosure",
        None => link.media_type.as_deref().is_some_and(|media| !media.contains("html")),
    };
    let enclosures = entry.links.iter().filter(is_attached).map(|link| Enclosure {
        url: link.href.clone(),
        media_type: link.media_type.clone(),
        length: link.length,
    });
    let media = entry.media.iter().flat_map(|media| &media.content).filter_map(|content| {
        Some(Enclosure {
            url: content.url.as_ref()?.to_string(),
            media_type: content.content_type.as_ref().map(ToString::to_string),
            length: content.size,
        })
    });
    let content = entry.content.and_then(|content| {
        let mode = mode_of(content.content_type.as_ref(), format);
        reader::body(content.body?, mode)
    });
    let mut read = ParsedEntry {
        url: page(&entry.links),
        enclosures: enclosures.chain(media).collect(),
        id: Some(entry.id.trim().to_owned()).filter(|id| !id.is_empty()),
        title: entry.title.and_then(|title| reader::title(&title.content, mode(&title, format))),
        summary: entry.summary.and_then(|text| read_text(text, format)),
        content,
        base: entry.base,
        published: entry.published,
        updated: entry.updated,
        authors: entry.authors.into_iter().filter_map(person).collect(),
        categories: entry.categories.into_iter().map(|category| category.label.unwrap_or(category.term)).collect(),
        language: entry.language,
        ..ParsedEntry::default()
    };
    reader::link_by_id(&mut read);
    read
}

/// Whether elements lie in each other deeper than feed-rs can follow. What JSON nests, its own parser bounds.
fn is_deep(document: &str) -> bool {
    if document.starts_with('{') {
        return false;
    }
    let mut depth = 0_usize;
    Tokens::new(document).any(|token| {
        match token {
            Token::Start { is_empty: false, .. } => depth += 1,
            Token::End { .. } => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > DEEPEST
    })
}

/// The page that links lead to. feed-rs gives a target to what leads to comments, and a media type to what is attached.
fn page(links: &[other::Link]) -> Option<String> {
    let is_page = |link: &&other::Link| {
        link.rel.as_deref().is_none_or(|rel| rel == "alternate")
            && link.target.is_none()
            && link.media_type.as_deref().is_none_or(|media| media.contains("html"))
    };
    links.iter().find(is_page).map(|link| link.href.clone())
}

fn person(found: other::Person) -> Option<Person> {
    let name = found.name.or_else(|| found.email.clone())?;
    Some(Person { name, email: found.email, url: found.uri })
}

fn read_text(text: other::Text, format: &FeedType) -> Option<String> {
    let mode = mode(&text, format);
    reader::body(text.content, mode)
}

fn mode(text: &other::Text, format: &FeedType) -> Mode {
    mode_of(text.content_type.as_ref(), format)
}

/// How a text is written: only Atom and JSON Feed say so.
fn mode_of(media_type: &str, format: &FeedType) -> Mode {
    match format {
        FeedType::Atom | FeedType::JSON if media_type == "text/plain" => Mode::Plain,
        FeedType::Atom | FeedType::JSON => Mode::Html,
        _ => Mode::Guess,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;
    use proptest::prelude::*;

    /// What both readers take from an entry.
    fn told(feed: ParsedFeed) -> Vec<[Option<String>; 6]> {
        let told = |entry: ParsedEntry| {
            let published = entry.published.map(|date| date.to_rfc3339());
            [entry.id, entry.url, entry.title, entry.summary, entry.content, published]
        };
        feed.entries.into_iter().map(told).collect()
    }

    #[test]
    fn what_our_own_reader_does_not_find_is_found() {
        let feed = "<rss version=\"2.0\"><channel><title>t</title><item><title>One</title><guid>1</guid></item></channel></rss>";
        let behind = format!("<?xml version=\"1.0\"?>{}{feed}", "<!-- a long licence -->\n".repeat(10_000));
        let read = parse::parse(behind.as_bytes(), Context::default()).unwrap();
        assert_eq!(read.entries[0].title.as_deref(), Some("One"));
        assert!(read.repairs.iter().any(|repair| repair.contains("second reader")), "{:?}", read.repairs);
    }

    #[test]
    fn documents_that_cost_more_than_they_say_are_left_alone() {
        let deep = format!("<rss version=\"2.0\"><channel><item>{}", "<group>".repeat(20_000));
        let bases = format!(
            "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>t</title>{}",
            "<x xml:base=\"a/\">".repeat(20_000)
        );
        let large = format!("<rss version=\"2.0\"><channel><title>{}</title></channel></rss>", "long ".repeat(300_000));
        for document in [deep, bases, large] {
            assert_eq!(read(&document, Context::default()), None);
        }
    }

    #[test]
    fn what_is_said_about_an_entry_is_not_its_page() {
        let feed = "<rss version=\"2.0\"><channel><title>t</title><ttl>60</ttl><item><title>One</title>
            <comments>https://example.org/1/comments</comments><link>https://example.org/1</link></item></channel></rss>";
        let read = read(feed, Context::default()).unwrap();
        assert_eq!(read.entries[0].url.as_deref(), Some("https://example.org/1"));
        assert_eq!(read.hints.ttl_s, Some(3600));
    }

    #[test]
    fn entries_without_an_id_get_none_at_random() {
        let feed = "<rss version=\"2.0\"><channel><title>t</title><item><title>One</title></item></channel></rss>";
        let read = || read(feed, Context::default()).unwrap();
        assert_eq!(read().entries[0].id, None);
        assert_eq!(read(), read());
    }

    proptest! {
        #[test]
        fn both_readers_agree_on_sound_documents(
            texts in prop::collection::vec("[a-z<>&\"' é]{0,20}", 5),
            is_literal: bool,
        ) {
            let texts: Vec<String> = texts
                .iter()
                .map(|text| if is_literal { format!("<![CDATA[{text}]]>") } else { crate::sanitise::escape(text) })
                .collect();
            let rss = format!(
                "<rss version=\"2.0\"><channel><title>{}</title><item><title>{}</title><guid>{}</guid><link>https://example.org/1</link><pubDate>Fri, 01 May 2026 10:00:00 GMT</pubDate><description>{}</description></item></channel></rss>",
                texts[0], texts[1], texts[2], texts[3]
            );
            let atom = format!(
                "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>{}</title><entry><id>{}</id><title type=\"html\">{}</title><link href=\"https://example.org/1\"/><published>2026-05-01T10:00:00Z</published><summary type=\"text\">{}</summary><content type=\"html\">{}</content></entry></feed>",
                texts[0], texts[1], texts[2], texts[3], texts[4]
            );
            for document in [rss, atom] {
                let own = parse::parse(document.as_bytes(), Context::default()).unwrap();
                prop_assert_eq!(read(&document, Context::default()).map(told), Some(told(own)));
            }
        }
    }
}
