//! A document's bytes to entries: unpacked, parsed, normalised.
//!
//! Pure: whoever has it read says when its time is over.

use std::collections::BTreeSet;

use url::Url;

use super::outcome::{Error, News};
use crate::fetch::{Document, Reply, decode};
use crate::model::Fault;
use crate::net::blocklist;
use crate::normalise;
use crate::normalise::hub_links::discover;
use crate::parse::{self, Context, Deadline, ParsedFeed, opml};
use crate::redact;
use crate::sanitise;
use crate::text;

/// The most lines that are remembered about what a document needed to be read, and the longest, in characters.
const MOST_REPAIRS: usize = 50;
const LONGEST_REPAIR: usize = 500;

/// A document that was unpacked.
#[derive(Debug)]
pub(super) struct Unpacked {
    pub(super) text: Vec<u8>,
    pub(super) address: Url,
    content_type: Option<String>,
}

impl Unpacked {
    /// Unpacks a document, unless it becomes larger than `most` bytes.
    pub(super) fn of(document: Document, most: u64) -> Result<Self, decode::Error> {
        let Document { body, coding, content_type, address, .. } = document;
        Ok(Self { text: decode::decode(body, &coding, most)?, address, content_type })
    }

    /// Its text in whatever character set it is.
    pub(super) fn decoded(&self) -> String {
        parse::decoded(&self.text, self.content_type.as_deref())
    }

    /// What it says, unless reading it takes longer than until the `deadline`.
    pub(super) fn parse(&self, deadline: Deadline<'_>) -> Result<ParsedFeed, parse::Error> {
        let context = Context { base: Some(&self.address), content_type: self.content_type.as_deref(), deadline };
        parse::parse(&self.text, context)
    }
}

/// The most feeds that are taken from a list.
const MOST_LISTED: usize = 2_000;

/// Bytes to the addresses of the feeds that a list names. What a list of the internet names in a private network is left out:
/// its keeper is a stranger.
pub(super) fn read_list(document: Document, reply: Reply, most: u64) -> Result<News, Error> {
    let hash = document.hash;
    let Unpacked { text, address, .. } = Unpacked::of(document, most)?;
    let opml::List { outlines, breaks_off } = opml::read(&text)?;
    let is_ours = blocklist::is_private(&address);
    let (mut named, mut repairs) = (BTreeSet::new(), Vec::new());
    for outline in outlines {
        let line = outline.line;
        let mut leave_out = |why: &str| repairs.push(format!("line {line}: {why}"));
        match sanitise::web_address(&outline.url, Some(&address)) {
            _ if outline.is_scraped => leave_out("a page that another reader makes a feed of is left out"),
            None => leave_out("what is not on the web is left out"),
            Some(feed) if !feed.username().is_empty() || feed.password().is_some() => {
                leave_out("an address with a user is left out");
            }
            Some(feed) if !is_ours && blocklist::is_private(&feed) => {
                leave_out("a feed in a private network is left out; name it in a `[[feed]]` of its own");
            }
            Some(_) if named.len() >= MOST_LISTED => leave_out("a list may name 2000 feeds; this one is left out"),
            Some(mut feed) => {
                feed.set_fragment(None);
                named.insert(feed.into());
            }
        }
    }
    bound(&mut repairs);
    let repairs = repairs.iter().map(|repair| redact::message(repair)).collect();
    let is_cut_off = breaks_off.is_some();
    let (title, link, hints, found, entries) = Default::default();
    Ok(News { reply, hash, title, link, hints, repairs, is_cut_off, found, entries, list: Some(named) })
}

/// Bytes to entries, unless `is_over` says that they took too long.
pub(super) fn read(document: Document, reply: Reply, most: u64, is_over: &dyn Fn() -> bool) -> Result<News, Error> {
    let hash = document.hash;
    let unpacked = Unpacked::of(document, most)?;
    let mut parsed = unpacked.parse(Deadline::when(is_over))?;
    let Unpacked { text, address, .. } = unpacked;
    drop(text);
    let title = parsed.title.take().map(|title| text::shorten(&title, normalise::LONGEST_TITLE));
    let (link, hints) = (parsed.link.clone(), parsed.hints);
    let mut repairs = std::mem::take(&mut parsed.repairs);
    let is_cut_off = parsed.is_cut_off;
    let found = discover(&reply.links, &parsed.hubs, parsed.self_link.as_deref(), &address);
    let (entries, faults) = normalise::entries(parsed, &address);
    repairs.extend(faults.into_iter().map(told));
    bound(&mut repairs);
    let repairs = repairs.iter().map(|repair| redact::message(repair)).collect();
    let link = link.and_then(|link| sanitise::web_address(&link, Some(&address))).map(Into::into);
    Ok(News { reply, hash, title, link, hints, repairs, is_cut_off, found, entries, list: None })
}

/// Keeps as many lines as a person would read.
fn bound(repairs: &mut Vec<String>) {
    let more = repairs.len().saturating_sub(MOST_REPAIRS);
    repairs.truncate(MOST_REPAIRS);
    repairs.iter_mut().for_each(|repair| *repair = text::shorten(repair, LONGEST_REPAIR));
    if more > 0 {
        repairs.push(format!("and {more} more of these"));
    }
}

/// A fault as one line.
fn told(fault: Fault) -> String {
    match fault.entry {
        Some(entry) => format!("entry {entry}: {}", fault.what),
        None => fault.what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_document_needed_is_told_in_as_many_lines_as_one_reads() {
        let mut repairs: Vec<String> = (0..5_000).map(|n| format!("{n} {}", "long ".repeat(1_000))).collect();
        bound(&mut repairs);
        assert_eq!((repairs.len(), repairs[50].as_str()), (51, "and 4950 more of these"));
        assert!(repairs.iter().all(|repair| repair.chars().count() <= LONGEST_REPAIR + 1));
    }
}
