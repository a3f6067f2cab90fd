//! Under which names newsfolds elsewhere know the entries that came through them.
//!
//! Edge: SQL on the connection it is given. Such a name is that of a story, which is made of the address of a feed and of an
//! entry's id there: whoever polls that feed too makes the same name.

use std::collections::{BTreeSet, HashMap};

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::fold::link::Linked;
use crate::model::{EntryRef, StoryId, StoryRef};
use crate::store::Result;
use crate::store::checksum::entry_is_whole;

/// An entry that came through newsfolds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassedOn {
    /// Which it is, and which story it tells.
    pub linked: Linked,
    /// Whether nobody tells that story but newsfolds that passed it on.
    pub is_alone: bool,
}

/// Stores the names of an entry.
///
/// # Errors
/// When the store refuses.
pub fn add(connection: &Connection, entry: EntryRef, names: &[StoryId]) -> Result<()> {
    let mut insert = connection.prepare_cached("INSERT OR IGNORE INTO known_as (name, entry) VALUES (?1, ?2)")?;
    for name in names {
        insert.execute(params![name.0, entry.0])?;
    }
    Ok(())
}

/// The names of an entry.
///
/// # Errors
/// When the store cannot be read.
pub fn of(connection: &Connection, entry: EntryRef) -> Result<Vec<StoryId>> {
    let mut query = connection.prepare_cached("SELECT name FROM known_as WHERE entry = ?1")?;
    let rows = query.query_map([entry.0], |row| row.get(0).map(StoryId))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The first entry of each of these names that tells a story, with that story.
///
/// # Errors
/// When the store cannot be read.
pub fn find(connection: &Connection, names: impl IntoIterator<Item = StoryId>) -> Result<HashMap<StoryId, PassedOn>> {
    let mut found = HashMap::new();
    if !connection.prepare_cached("SELECT 1 FROM known_as LIMIT 1")?.exists([])? {
        return Ok(found);
    }
    let mut query = connection.prepare_cached(concat!(
        "SELECT entry.id, entry.story,
             EXISTS (SELECT 1 FROM known_as AS own WHERE own.entry = entry.story)
             AND NOT EXISTS (SELECT 1 FROM entry AS other WHERE other.story = entry.story AND other.story <> other.id
                             AND NOT EXISTS (SELECT 1 FROM known_as AS own WHERE own.entry = other.id))
         FROM known_as JOIN entry ON entry.id = known_as.entry JOIN feed ON feed.id = feed
         WHERE known_as.name = ?1 AND entry.story IS NOT NULL AND configured = 1 AND ",
        entry_is_whole!(),
        " ORDER BY entry.id LIMIT 1"
    ))?;
    for name in names.into_iter().collect::<BTreeSet<StoryId>>() {
        let passed_on = |row: &Row<'_>| {
            let linked = Linked { matched: EntryRef(row.get(0)?), story: StoryRef(row.get(1)?) };
            Ok(PassedOn { linked, is_alone: row.get(2)? })
        };
        found.extend(query.query_row([name.0], passed_on).optional()?.map(|passed_on| (name, passed_on)));
    }
    Ok(found)
}
