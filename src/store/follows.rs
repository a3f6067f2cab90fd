//! Which story follows which: from the first report of a running affair to the last.
//!
//! Edge: SQL on the connection it is given. What makes a story follow another is `fold`'s to decide.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, params};

use crate::fold::evidence::Evidence;
use crate::fold::plan::Match;
use crate::model::{StoryId, StoryRef};
use crate::store::checksum::{entry_is_whole, story_is_whole};
use crate::store::{Result, instant, millis};

/// The most stories that follow one, as they are shown.
const MOST_FOLLOWERS: u32 = 20;

/// A published story that another one follows, or that follows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbour {
    /// Its public name.
    pub id: StoryId,
    /// The title of its canonical entry, plain text; may be empty.
    pub title: String,
    /// The date that it is shown with.
    pub published: DateTime<Utc>,
    /// What the two have in common.
    pub evidence: Evidence,
}

/// Stores that `story` follows the story that `found` names.
///
/// # Errors
/// When the store refuses.
pub fn add(connection: &Connection, story: StoryRef, found: &Match, now: DateTime<Utc>) -> Result<()> {
    let evidence = Evidence::from(found).to_bytes();
    let mut insert = connection.prepare_cached(
        "INSERT INTO follow (story, follows, matched, score, evidence, at)
         SELECT ?1, id, ?3, ?4, ?5, ?6 FROM story WHERE id = ?2 AND id <> ?1
         ON CONFLICT (story) DO NOTHING",
    )?;
    insert.execute(params![story.0, found.story.0, found.matched.0, found.score, evidence, millis(now)])?;
    Ok(())
}

/// The published story that this one follows; a story that was merged stands for the older one that it became.
///
/// # Errors
/// When the store cannot be read.
pub fn followed(connection: &Connection, story: StoryRef) -> Result<Option<Neighbour>> {
    let mut query = connection.prepare_cached(concat!(
        "SELECT story.public_id, entry.title, story.published, evidence
         FROM follow JOIN story AS named ON named.id = follows
         JOIN story ON story.id = coalesce(named.merged_into, named.id) JOIN entry ON entry.id = story.canonical
         WHERE follow.story = ?1 AND story.sort_at IS NOT NULL AND story.published IS NOT NULL AND story.id <> ?1 AND ",
        story_is_whole!(),
        " AND ",
        entry_is_whole!()
    ))?;
    Ok(query.query_row([story.0], read).optional()?)
}

/// The published stories that follow this one, oldest first.
///
/// # Errors
/// When the store cannot be read.
pub fn followers(connection: &Connection, story: StoryRef) -> Result<Vec<Neighbour>> {
    let mut query = connection.prepare_cached(concat!(
        "SELECT story.public_id, entry.title, story.published, evidence
         FROM follow JOIN story ON story.id = follow.story JOIN entry ON entry.id = story.canonical
         WHERE follows IN (SELECT id FROM story WHERE id = ?1 OR merged_into = ?1)
         AND story.sort_at IS NOT NULL AND story.published IS NOT NULL AND story.id <> ?1 AND ",
        story_is_whole!(),
        " AND ",
        entry_is_whole!(),
        " ORDER BY story.published, story.id LIMIT ?2"
    ))?;
    let rows = query.query_map(params![story.0, MOST_FOLLOWERS], read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Neighbour> {
    Ok(Neighbour {
        id: StoryId(row.get(0)?),
        title: row.get(1)?,
        published: instant(row.get(2)?),
        evidence: Evidence::from_bytes(row.get_ref(3)?.as_blob().unwrap_or_default()),
    })
}
