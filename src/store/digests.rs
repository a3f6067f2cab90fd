//! The digests that were made, and how far they go.
//!
//! Edge: SQL on the connection it is given. What a digest lists is `publish::digest`'s to say; nothing of it changes later but
//! that a person takes an entry out of it.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::model::{EntryRef, FeedRef};
use crate::store::{Error, Result, instant, millis};

/// How many digests of an output are kept.
pub const KEPT: usize = 100;

/// A digest: what most sources told in a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// Its name for life, a URI.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// The stories, those that most sources told first.
    pub stories: Vec<Listed>,
}

/// A story as a digest lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its public name, a URI.
    pub id: String,
    /// The entry that spoke for it.
    pub entry: u64,
    /// The feed of that.
    pub feed: u64,
    /// Plain text.
    pub title: String,
    /// The page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Who spoke for it.
    pub source: String,
    /// How many feeds told it.
    pub sources: u32,
    /// The beginning of its text, plain; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub lead: String,
    /// When it was published, in milliseconds since 1970.
    pub published: i64,
}

impl Listed {
    /// The feed that spoke for it.
    #[must_use]
    pub fn feed(&self) -> FeedRef {
        FeedRef(self.feed)
    }
}

/// How far the digests of an output go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// When the last period ended that is done with.
    pub until: DateTime<Utc>,
    /// The newest entry that was known then.
    pub upto: EntryRef,
}

/// How far the digests of an output go; `None` when it never had any.
///
/// # Errors
/// When the store cannot be read.
pub fn progress(connection: &Connection, output: &str) -> Result<Option<Progress>> {
    let mut query = connection.prepare_cached("SELECT until, upto FROM digest_progress WHERE output = ?1")?;
    let read = |row: &rusqlite::Row<'_>| Ok(Progress { until: instant(row.get(0)?), upto: EntryRef(row.get(1)?) });
    Ok(query.query_row([output], read).optional()?)
}

/// Stores digests of an output, each with the end of its period, and how far they go now. One that is there stays as it is.
///
/// # Errors
/// When the store refuses.
pub fn put(connection: &Connection, output: &str, made: &[(DateTime<Utc>, Digest)], progress: Progress) -> Result<()> {
    let mut insert =
        connection.prepare_cached("INSERT OR IGNORE INTO digest (output, until, content) VALUES (?1, ?2, ?3)")?;
    for (until, digest) in made {
        insert.execute(params![output, millis(*until), text(digest)?])?;
    }
    connection
        .prepare_cached("INSERT OR REPLACE INTO digest_progress (output, until, upto) VALUES (?1, ?2, ?3)")?
        .execute(params![output, millis(progress.until), progress.upto.0])?;
    connection
        .prepare_cached(
            "DELETE FROM digest WHERE output = ?1 AND until < (SELECT until FROM digest WHERE output = ?1 ORDER BY until DESC LIMIT 1 OFFSET ?2)",
        )?
        .execute(params![output, KEPT - 1])?;
    Ok(())
}

/// The digests of an output, newest first, each with the end of its period.
///
/// # Errors
/// When the store cannot be read.
pub fn of(connection: &Connection, output: &str) -> Result<Vec<(DateTime<Utc>, Digest)>> {
    let mut query = connection
        .prepare_cached("SELECT until, content FROM digest WHERE output = ?1 ORDER BY until DESC LIMIT ?2")?;
    let mut rows = query.query(params![output, KEPT])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let digest = serde_json::from_str(row.get_ref(1)?.as_str().unwrap_or_default());
        found.push((instant(row.get(0)?), digest.map_err(damaged)?));
    }
    Ok(found)
}

/// The last entry behind `upto` that was seen by then, if there is one.
///
/// # Errors
/// When the store cannot be read.
pub fn last_seen_by(connection: &Connection, upto: EntryRef, by: DateTime<Utc>) -> Result<Option<EntryRef>> {
    let mut query = connection.prepare_cached("SELECT max(id) FROM entry WHERE id > ?1 AND first_seen <= ?2")?;
    Ok(query.query_row(params![upto.0, millis(by)], |row| row.get::<_, Option<u64>>(0))?.map(EntryRef))
}

/// When the next entry behind `upto` was seen, if there is one.
///
/// # Errors
/// When the store cannot be read.
pub fn next_seen(connection: &Connection, upto: EntryRef) -> Result<Option<DateTime<Utc>>> {
    let mut query = connection.prepare_cached("SELECT first_seen FROM entry WHERE id > ?1 ORDER BY id LIMIT 1")?;
    Ok(query.query_row([upto.0], |row| row.get(0)).optional()?.map(instant))
}

/// Takes an entry out of all digests, because a person wants it forgotten.
///
/// # Errors
/// When the store refuses.
pub fn forget(connection: &Connection, entry: EntryRef) -> Result<()> {
    let mut update = connection.prepare_cached("UPDATE digest SET content = ?3 WHERE output = ?1 AND until = ?2")?;
    let mut query = connection.prepare_cached("SELECT output, until, content FROM digest")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let digest = serde_json::from_str(row.get_ref(2)?.as_str().unwrap_or_default());
        let mut digest: Digest = digest.map_err(damaged)?;
        let before = digest.stories.len();
        digest.stories.retain(|listed| listed.entry != entry.0);
        if digest.stories.len() < before {
            update.execute(params![row.get::<_, String>(0)?, row.get::<_, i64>(1)?, text(&digest)?])?;
        }
    }
    Ok(())
}

fn text(digest: &Digest) -> Result<String> {
    serde_json::to_string(digest).map_err(damaged)
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to `map_err`")]
fn damaged(error: serde_json::Error) -> Error {
    Error::Damaged(error.to_string())
}
