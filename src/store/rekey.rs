//! Entries whose publisher may have given them other ids.
//!
//! Edge: SQL on the connection it is given. Which of them are the same is `update::matching`'s to decide.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, Row, params};

use crate::model::permalink::Permalink;
use crate::model::{Entry, EntryId, EntryRef, FeedRef};
use crate::normalise::identity;
use crate::store::Result;
use crate::store::checksum::entry_is_whole;
use crate::store::entries::{KNOWN_COLUMNS, known_columns, read_known};
use crate::update::Known;
use crate::update::matching::StoredEntry;

/// The columns of a [`StoredEntry`].
macro_rules! stored_columns {
    () => {
        concat!(known_columns!(), ", entry_id, permalink, published, text_hash")
    };
}

/// The most entries of one page that are looked at, the newest: some feeds give every entry the same page.
const MOST_OF_A_PAGE: usize = 256;

/// The entries that stood in a feed's last document, and those that bear another name, or the page and title, of a polled entry
/// whose id is not known.
///
/// # Errors
/// When the store cannot be read.
pub fn stored(connection: &Connection, feed: FeedRef, known: &Known, polled: &[Entry]) -> Result<Vec<StoredEntry>> {
    let mut by_ref = connection.prepare_cached(concat!(
        "SELECT ",
        stored_columns!(),
        " FROM entry WHERE id = ?1 AND ",
        entry_is_whole!()
    ))?;
    let mut by_id = connection.prepare_cached(concat!(
        "SELECT ",
        stored_columns!(),
        " FROM entry WHERE feed = ?1 AND id_hash = ?2 AND ",
        entry_is_whole!()
    ))?;
    let mut by_page = connection.prepare_cached(concat!(
        "SELECT ",
        stored_columns!(),
        " FROM (SELECT id AS found FROM entry WHERE permalink_key = ?1 ORDER BY id DESC LIMIT ?3) JOIN entry ON entry.id = found
          WHERE feed = ?2 AND ",
        entry_is_whole!()
    ))?;
    let mut found: HashMap<EntryRef, StoredEntry> = HashMap::new();
    let mut keep = |stored: StoredEntry| {
        found.insert(stored.known.entry, stored);
    };
    for entry in &known.listed {
        by_ref.query_map([entry.0], read)?.try_for_each(|row| row.map(&mut keep))?;
    }
    let mut titles_of: HashMap<i64, HashSet<&str>> = HashMap::new();
    for entry in polled.iter().filter(|entry| !known.entries.contains_key(&entry.id)) {
        for name in identity::names(entry) {
            by_id.query_map(params![feed.0, name.hash()], read)?.try_for_each(|row| row.map(&mut keep))?;
        }
        if let Some(page) = entry.permalink.as_ref().filter(|_| !entry.title.is_empty()) {
            titles_of.entry(page.key()).or_default().insert(&entry.title);
        }
    }
    // Each page is read once, however many entries lead to it.
    for (page, titles) in titles_of {
        for stored in by_page.query_map(params![page, feed.0, MOST_OF_A_PAGE], read)? {
            let stored = stored?;
            if titles.contains(stored.known.title.as_str()) {
                keep(stored);
            }
        }
    }
    let mut found: Vec<StoredEntry> = found.into_values().collect();
    found.sort_by_key(|stored| stored.known.entry);
    Ok(found)
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredEntry> {
    Ok(StoredEntry {
        known: read_known(row)?,
        id: EntryId(row.get(KNOWN_COLUMNS)?),
        permalink: row.get::<_, Option<String>>(KNOWN_COLUMNS + 1)?.map(Permalink::stored),
        published_ms: row.get(KNOWN_COLUMNS + 2)?,
        text: row.get(KNOWN_COLUMNS + 3)?,
    })
}
