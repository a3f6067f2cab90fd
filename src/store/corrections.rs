//! What people say about stories: that an entry is not in its story, or that two stories are one.
//!
//! Edge: SQL on the connection it is given. A correction is kept for as long as the entries it names, and folding obeys it.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, params};

use crate::fold::plan::{Match, Rule};
use crate::model::{EntryRef, StoryId, StoryRef};
use crate::normalise::permalink::Permalink;
use crate::store::{Result, entries, millis, stories};

/// What became of a correction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Corrected {
    /// It is done; the story that holds the entry, or all entries, from now on.
    Done(StoryId),
    /// There was nothing to do.
    Already,
}

/// The entries that a person can mean by `name`: a handle, a permalink, or the publisher's id.
///
/// # Errors
/// When the store cannot be read.
pub fn entries_named(connection: &Connection, name: &str) -> Result<Vec<EntryRef>> {
    let page = name.parse::<Permalink>().ok();
    let mut query = connection.prepare_cached(
        "SELECT id, permalink FROM entry WHERE story IS NOT NULL AND (permalink_key = ?1 OR (id = ?2 AND ?2 > 0) OR (entry_id = ?3 AND ?1 IS NULL AND ?2 = 0)) ORDER BY id",
    )?;
    let handle = name.parse::<u64>().unwrap_or(0);
    let mut found = Vec::new();
    let mut rows = query.query(params![page.as_ref().map(Permalink::key), handle, name])?;
    while let Some(row) = rows.next()? {
        let stored = row.get::<_, Option<String>>(1)?.map(Permalink::stored);
        let is_meant = |page: &Permalink| stored.is_some_and(|stored| stored.without_scheme() == page.without_scheme());
        if page.as_ref().is_none_or(is_meant) {
            found.push(EntryRef(row.get(0)?));
        }
    }
    Ok(found)
}

/// The entries that people took out of a story, and the story that each never joins again.
///
/// # Errors
/// When the store cannot be read.
pub fn splits(connection: &Connection) -> Result<Vec<(EntryRef, StoryRef)>> {
    let mut query = connection.prepare_cached("SELECT entry, story FROM split ORDER BY entry, story")?;
    let rows = query.query_map([], |row| Ok((EntryRef(row.get(0)?), StoryRef(row.get(1)?))))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Takes an entry out of its story: it tells one of its own from now on, and never joins the other again.
///
/// # Errors
/// When the store refuses.
pub fn split(connection: &Connection, entry: EntryRef, now: DateTime<Utc>) -> Result<Corrected> {
    let Some(from) = stories::told_by(connection, entry)? else { return Ok(Corrected::Already) };
    if stories::is_alone_in(connection, entry, from)? {
        return Ok(Corrected::Already);
    }
    connection.execute("INSERT OR IGNORE INTO split (entry, story) VALUES (?1, ?2)", [entry.0, from.0])?;
    // It was hidden in the other story until now, so it takes its place among what is new.
    connection.execute("UPDATE entry SET place = ?2 WHERE id = ?1", params![entry.0, millis(now)])?;
    let alone = stories::leave(connection, entry, entries::next_ref(connection)?, now)?;
    stories::settle(connection, from, now)?;
    count(connection)?;
    Ok(Corrected::Done(stories::one(connection, alone)?.id))
}

/// Makes one story of two; the older one stays.
///
/// # Errors
/// When the store refuses.
pub fn join(connection: &Connection, one: StoryRef, other: StoryRef, now: DateTime<Utc>) -> Result<Corrected> {
    let (older, younger) = (one.min(other), one.max(other));
    if older == younger {
        return Ok(Corrected::Already);
    }
    for (from, to) in [(older, younger), (younger, older)] {
        connection.execute(
            "DELETE FROM split WHERE story = ?1 AND entry IN (SELECT id FROM entry WHERE story = ?2)",
            [from.0, to.0],
        )?;
    }
    let said = Match {
        story: older,
        matched: EntryRef(older.0),
        score: 1.0,
        threshold: 1.0,
        veto: None,
        likeness: None,
        terms: Vec::new(),
    };
    stories::absorb(connection, older, younger, Rule::Person, &said, now)?;
    stories::settle(connection, older, now)?;
    count(connection)?;
    Ok(Corrected::Done(stories::one(connection, older)?.id))
}

/// Counts a correction, so that a running daemon notices it and publishes anew.
fn count(connection: &Connection) -> Result<()> {
    connection.execute("UPDATE tally SET corrections = corrections + 1", [])?;
    Ok(())
}
