//! What an encoder made of the entries of the window, and whose work that is.
//!
//! Edge: SQL on the connection it is given. What is near what is `fold::cross_lingual`'s to say.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, params};

use crate::fold::cross_lingual::{Embedding, LanguageTag};
use crate::model::{EntryRef, StoryRef};
use crate::store::{Result, instant, millis};

/// Whose vectors there are, and how far they go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// What was asked, as the configuration has it.
    pub configured: String,
    /// What the encoder calls its model; empty where it does not say, or was not asked yet.
    pub model: String,
    /// How long its vectors are; 0 while there are none.
    pub dimensions: usize,
    /// Every entry of the window up to this one was looked at.
    pub upto: EntryRef,
}

/// Whose vectors there are; `None` while there are none.
///
/// # Errors
/// When the store cannot be read.
pub fn progress(connection: &Connection) -> Result<Option<Progress>> {
    let mut query = connection.prepare_cached("SELECT configured, model, dimensions, upto FROM encoder")?;
    let progress = query.query_row([], |row| {
        let (configured, model, dimensions) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(Progress { configured, model, dimensions, upto: EntryRef(row.get(3)?) })
    });
    Ok(progress.optional()?)
}

/// Forgets every vector: those that come are another encoder's, and go back to the beginning of the window.
///
/// # Errors
/// When the store refuses.
pub fn begin(connection: &Connection, configured: &str, window_begins: DateTime<Utc>) -> Result<()> {
    connection.prepare_cached("DELETE FROM embedding")?.execute([])?;
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO encoder (one, configured, model, dimensions, upto) VALUES (1, ?1, '', 0, ?2)",
    )?;
    insert.execute(params![configured, before(connection, window_begins)?.0])?;
    Ok(())
}

/// Notes what the encoder calls its model, and how long its vectors are.
///
/// # Errors
/// When the store refuses.
pub fn name(connection: &Connection, model: &str, dimensions: usize) -> Result<()> {
    connection.prepare_cached("UPDATE encoder SET model = ?1, dimensions = ?2")?.execute(params![model, dimensions])?;
    Ok(())
}

/// The newest entry from before the window; the walk to it is as long as the window.
fn before(connection: &Connection, window_begins: DateTime<Utc>) -> Result<EntryRef> {
    let mut query = connection.prepare_cached("SELECT id FROM entry WHERE first_seen < ?1 ORDER BY id DESC LIMIT 1")?;
    let found: Option<u64> = query.query_row([millis(window_begins)], |row| row.get(0)).optional()?;
    Ok(EntryRef(found.unwrap_or(0)))
}

/// The newest entries of the window that were not looked at, newest first, `most` at most, each with its story: those that are
/// published, of feeds that are subscribed to and fold.
///
/// # Errors
/// When the store cannot be read.
pub fn waiting(
    connection: &Connection,
    window_begins: DateTime<Utc>,
    most: usize,
) -> Result<Vec<(EntryRef, StoryRef)>> {
    let mut query = connection.prepare_cached(
        "SELECT entry.id, story FROM entry CROSS JOIN feed ON feed.id = entry.feed AND configured = 1 AND is_closed = 0
         WHERE entry.id > coalesce((SELECT upto FROM encoder), 0) AND story IS NOT NULL AND place >= ?1 AND first_seen >= ?1
         AND NOT EXISTS (SELECT 1 FROM embedding WHERE entry = entry.id)
         ORDER BY entry.id DESC LIMIT ?2",
    )?;
    let rows = query
        .query_map(params![millis(window_begins), most], |row| Ok((EntryRef(row.get(0)?), StoryRef(row.get(1)?))))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Keeps what the encoder made of an entry.
///
/// # Errors
/// When the store refuses.
pub fn add(connection: &Connection, embedding: &Embedding) -> Result<()> {
    let vector: Vec<u8> = embedding.vector.iter().map(|value| value.cast_unsigned()).collect();
    let names: Vec<u8> = embedding.names.iter().flat_map(|name| name.to_le_bytes()).collect();
    insert(connection, embedding.entry, Some(embedding.language.as_str()), &vector, &names)
}

/// Notes of an entry that there is nothing to compare it by.
///
/// # Errors
/// When the store refuses.
pub fn pass_over(connection: &Connection, entry: EntryRef) -> Result<()> {
    insert(connection, entry, None, &[], &[])
}

fn insert(connection: &Connection, entry: EntryRef, language: Option<&str>, vector: &[u8], names: &[u8]) -> Result<()> {
    // The entry may have been forgotten while the encoder was asked.
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO embedding (entry, language, vector, names) SELECT id, ?2, ?3, ?4 FROM entry WHERE id = ?1",
    )?;
    insert.execute(params![entry.0, language, vector, names])?;
    Ok(())
}

/// Notes that every entry of the window up to this one was looked at, and forgets what is from before the window.
///
/// # Errors
/// When the store refuses.
pub fn advance(connection: &Connection, upto: EntryRef, window_begins: DateTime<Utc>) -> Result<()> {
    connection.prepare_cached("UPDATE encoder SET upto = ?1 WHERE upto < ?1")?.execute([upto.0])?;
    connection.prepare_cached("DELETE FROM embedding WHERE entry <= ?1")?.execute([before(
        connection,
        window_begins,
    )?
    .0])?;
    Ok(())
}

/// What there is of the window, each with the story that it tells now.
///
/// # Errors
/// When the store cannot be read.
pub fn window(connection: &Connection, window_begins: DateTime<Utc>) -> Result<Vec<Embedding>> {
    let Some(Progress { dimensions, .. }) = progress(connection)? else { return Ok(Vec::new()) };
    let mut query = connection.prepare_cached(
        "SELECT entry.id, story, language, min(coalesce(published, first_seen), first_seen), vector, names
         FROM embedding CROSS JOIN entry ON entry.id = embedding.entry JOIN feed ON feed.id = entry.feed
         WHERE language IS NOT NULL AND story IS NOT NULL AND configured = 1 AND is_closed = 0 AND first_seen >= ?1",
    )?;
    let mut rows = query.query([millis(window_begins)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let vector: Vec<i8> =
            row.get_ref(4)?.as_blob().unwrap_or_default().iter().map(|byte| byte.cast_signed()).collect();
        let language = row.get_ref(2)?.as_str().ok().and_then(LanguageTag::of);
        if let (Some(language), true) = (language, vector.len() == dimensions) {
            let (names, _) = row.get_ref(5)?.as_blob().unwrap_or_default().as_chunks();
            found.push(Embedding {
                entry: EntryRef(row.get(0)?),
                story: StoryRef(row.get(1)?),
                language,
                at: instant(row.get(3)?),
                vector,
                names: names.iter().map(|name| u32::from_le_bytes(*name)).collect(),
            });
        }
    }
    Ok(found)
}
