//! Sound documents of today's dialects, mapped by feed-rs.
//!
//! Pure. feed-rs has what it is good at: the texts of entries of RSS 2.0 and Atom 1.0 that keep to their formats. Around
//! them, our own reader goes through the document first (`reader::survey`): it takes what feed-rs drops, and it says
//! whether the document is one that feed-rs reads as we do. Where it is not, or feed-rs refuses, the tolerant reader does it
//! all, and a test holds both to the same result.
//!
//! The traps of feed-rs are closed here: it names entries at random where they have no id, a parser that met an error must
//! not be used again, and some documents make it panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

use feed_rs::model as feed_rs_model;

use crate::parse::reader::{self, Outline, Survey};
use crate::parse::{Context, ParsedEntry, ParsedFeed, date};

/// The feed, if the document is sound; `None` when the tolerant reader has to read it.
pub(super) fn read(document: &str, context: Context<'_>) -> Option<ParsedFeed> {
    let Survey { mut feed, outlines } = reader::survey(document, context)?;
    // A fresh parser each time: one that met an error holds on to half an entry.
    let parser = feed_rs::parser::Builder::new()
        .id_generator(|_, _, _| String::new())
        .timestamp_parser(date::parse)
        .sanitize_content(false)
        .build();
    // Without the declaration: the text is UTF-8 by now, whatever it was before.
    let body = match document.strip_prefix("<?xml") {
        Some(declared) => declared.split_once("?>")?.1,
        None => document,
    };
    let mapped = catch_unwind(AssertUnwindSafe(|| parser.parse(body.as_bytes()))).ok()?.ok()?;
    if mapped.entries.len() != feed.entries.len() || outlines.len() != feed.entries.len() {
        return None;
    }
    for ((entry, mapped), outline) in feed.entries.iter_mut().zip(mapped.entries).zip(outlines) {
        fill(entry, mapped, outline)?;
    }
    Some(feed)
}

/// Takes the texts of one entry over; `None` when one that stands in the document did not come out.
fn fill(entry: &mut ParsedEntry, mapped: feed_rs_model::Entry, outline: Outline) -> Option<()> {
    if let Some(mode) = outline.title {
        entry.title = reader::title(&mapped.title?.content, mode).or(entry.title.take());
    }
    if let Some(mode) = outline.summary {
        entry.summary = reader::body(mapped.summary?.content, mode).or(entry.summary.take());
    }
    if let Some(mode) = outline.content {
        entry.content = reader::body(mapped.content?.body?, mode);
    }
    if outline.has_id {
        entry.id = Some(mapped.id.trim().to_owned()).filter(|id| !id.is_empty());
        entry.id_is_permalink = entry.id_is_permalink.filter(|_| entry.id.is_some());
        reader::link_by_id(entry);
    }
    if outline.has_published {
        entry.published = Some(mapped.published?);
    }
    if outline.has_updated {
        entry.updated = Some(mapped.updated?);
    }
    Some(())
}
