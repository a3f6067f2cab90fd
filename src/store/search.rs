//! The index of words: which entries hold what a person looks for.
//!
//! Edge: SQL on the connection it is given. Indexing costs more than storing, so nothing is indexed while it is polled: once
//! somebody searches, [`fill`] is called between polls until it has caught up, and after each that brought news.

use std::collections::HashSet;

use rusqlite::{Connection, params};

use crate::config::Query;
use crate::model::{Detail, Entry, EntryRef, FeedRef, StoryRef};
use crate::normalise::spaceless;
use crate::store::{Result, entries};
use crate::text;

/// The most matches that are looked at, the newest first.
const MOST_MATCHES: usize = 20_000;

/// The last entry whose words are known; `None` while nobody has searched.
///
/// # Errors
/// When the store cannot be read.
pub fn filled(connection: &Connection) -> Result<Option<EntryRef>> {
    let filled: Option<u64> =
        connection.prepare_cached("SELECT searchable FROM tally")?.query_row([], |row| row.get(0))?;
    Ok(filled.map(EntryRef))
}

/// Whether the words of every entry are known.
///
/// # Errors
/// When the store cannot be read.
pub fn is_current(connection: &Connection) -> Result<bool> {
    let current = "SELECT coalesce(searchable >= coalesce((SELECT max(id) FROM entry), 0), 0) FROM tally";
    Ok(connection.prepare_cached(current)?.query_row([], |row| row.get(0))?)
}

/// Takes in the words of the next `most` entries; gives whether there may be more.
///
/// # Errors
/// When the store refuses.
pub fn fill(connection: &Connection, most: usize) -> Result<bool> {
    let EntryRef(from) = filled(connection)?.unwrap_or(EntryRef(0));
    let mut query = connection.prepare_cached("SELECT id, title FROM entry WHERE id > ?1 ORDER BY id LIMIT ?2")?;
    let mut rows = query.query(params![from, most])?;
    let (mut last, mut count) = (from, 0);
    while let Some(row) = rows.next()? {
        last = row.get(0)?;
        let detail = entries::detail_of(connection, EntryRef(last))?;
        put(connection, EntryRef(last), row.get_ref(1)?.as_str().unwrap_or_default(), &detail)?;
        count += 1;
    }
    connection.prepare_cached("UPDATE tally SET searchable = ?1")?.execute([last])?;
    Ok(count == most)
}

/// Takes in what a publisher made of an entry, if the words it had were known.
///
/// # Errors
/// When the store refuses.
pub fn revise(connection: &Connection, entry: EntryRef, now: &Entry) -> Result<()> {
    if filled(connection)?.is_some_and(|filled| entry <= filled) {
        put(connection, entry, &now.title, &now.detail)?;
    }
    Ok(())
}

fn put(connection: &Connection, entry: EntryRef, title: &str, detail: &Detail) -> Result<()> {
    let markup = detail.content.as_deref().or(detail.summary.as_deref()).unwrap_or_default();
    let mut put =
        connection.prepare_cached("INSERT OR REPLACE INTO search (rowid, title, text) VALUES (?1, ?2, ?3)")?;
    put.execute(params![entry.0, spaceless::apart(title), spaceless::apart(&text::plain(markup))])?;
    Ok(())
}

/// Takes out the words of entries that are forgotten.
///
/// # Errors
/// When the store refuses.
pub fn forget(connection: &Connection, forgotten: &[EntryRef]) -> Result<()> {
    let Some(filled) = filled(connection)? else { return Ok(()) };
    let mut delete = connection.prepare_cached("DELETE FROM search WHERE rowid = ?1")?;
    for entry in forgotten.iter().filter(|entry| **entry <= filled) {
        delete.execute([entry.0])?;
    }
    // The handle of the newest entry may be given again.
    let EntryRef(next) = entries::next_ref(connection)?;
    connection
        .prepare_cached("UPDATE tally SET searchable = min(searchable, ?1)")?
        .execute([next.saturating_sub(1)])?;
    Ok(())
}

/// Where a query is found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hits {
    /// The entries that hold it, of feeds that are subscribed to.
    pub entries: HashSet<EntryRef>,
    /// The stories that these tell.
    pub stories: HashSet<StoryRef>,
}

/// Where the query is found in entries of these feeds.
///
/// # Errors
/// When the store cannot be read.
pub fn find(connection: &Connection, query: &Query, feeds: &HashSet<FeedRef>) -> Result<Hits> {
    let mut find = connection.prepare_cached(
        "SELECT found, story, feed FROM (SELECT rowid AS found FROM search WHERE search MATCH ?1 ORDER BY rowid DESC LIMIT ?2)
         JOIN entry ON entry.id = found JOIN feed ON feed.id = feed AND configured = 1 WHERE story IS NOT NULL",
    )?;
    let mut hits = Hits::default();
    let mut rows = find.query(params![query.expression, MOST_MATCHES])?;
    while let Some(row) = rows.next()? {
        if !feeds.contains(&FeedRef(row.get(2)?)) {
            continue;
        }
        hits.entries.insert(EntryRef(row.get(0)?));
        hits.stories.insert(StoryRef(row.get(1)?));
    }
    Ok(hits)
}
