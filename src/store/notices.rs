//! Who was told of which stories (`[[notify]]`).
//!
//! Edge: SQL on the connection it is given.

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Connection, OptionalExtension, params};

use crate::model::{EntryRef, StoryId, StoryRef};
use crate::store::{Result, entries, instant, millis};

/// For so long it is remembered who was told of a story.
const REMEMBERED_FOR: TimeDelta = TimeDelta::days(90);

/// How far one was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Since when there is this one.
    pub begun: DateTime<Utc>,
    /// The newest entry that was looked at.
    pub upto: EntryRef,
}

/// How far this one was told; `None` when it was never there before.
///
/// # Errors
/// When the store cannot be read.
pub fn progress(connection: &Connection, name: &str) -> Result<Option<Progress>> {
    let mut query = connection.prepare_cached("SELECT begun, upto FROM notify WHERE name = ?1")?;
    let progress =
        query.query_row([name], |row| Ok(Progress { begun: instant(row.get(0)?), upto: EntryRef(row.get(1)?) }));
    Ok(progress.optional()?)
}

/// The newest entry there is.
///
/// # Errors
/// When the store cannot be read.
pub fn newest(connection: &Connection) -> Result<EntryRef> {
    Ok(EntryRef(entries::next_ref(connection)?.0.saturating_sub(1)))
}

/// Notes that everything up to this entry was looked at, and forgets what was told long ago.
///
/// # Errors
/// When the store refuses.
pub fn advance(connection: &Connection, name: &str, upto: EntryRef, now: DateTime<Utc>) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO notify (name, begun, upto) VALUES (?1, ?3, ?2) ON CONFLICT (name) DO UPDATE SET upto = ?2",
        )?
        .execute(params![name, upto.0, millis(now)])?;
    connection
        .prepare_cached("DELETE FROM notice WHERE name = ?1 AND at < ?2")?
        .execute(params![name, now.checked_sub_signed(REMEMBERED_FOR).map(millis)])?;
    Ok(())
}

/// Whether this one was told of the story, or of one that turned out to be the same.
///
/// # Errors
/// When the store cannot be read.
pub fn was_told(connection: &Connection, name: &str, story: StoryRef) -> Result<bool> {
    let mut query = connection.prepare_cached(
        "SELECT 1 FROM story JOIN notice ON notice.story = public_id WHERE (id = ?2 OR merged_into = ?2) AND name = ?1 LIMIT 1",
    )?;
    Ok(query.exists(params![name, story.0])?)
}

/// Notes that this one was told of the story, or is not to be told of it any more.
///
/// # Errors
/// When the store refuses.
pub fn note(connection: &Connection, name: &str, story: StoryId, now: DateTime<Utc>) -> Result<()> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO notice (name, story, at) VALUES (?1, ?2, ?3)")?
        .execute(params![name, story.0, millis(now)])?;
    Ok(())
}
