//! Which stories are told in other languages too.
//!
//! Edge: SQL on the connection it is given. What tells the same is noted of entries, so that it holds whatever stories these are
//! in later; finding it is `encoder`'s work.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, params};

use crate::fold::cross_lingual::Translation;
use crate::fold::evidence::Evidence;
use crate::model::{StoryId, StoryRef};
use crate::store::checksum::{entry_is_whole, story_is_whole};
use crate::store::follows::Neighbour;
use crate::store::{Result, instant, millis};

/// The most stories in other languages, as they are shown.
const MOST: u32 = 20;

/// Notes that two entries tell the same in two languages.
///
/// # Errors
/// When the store refuses.
pub fn add(connection: &Connection, found: &Translation, now: DateTime<Utc>) -> Result<()> {
    let evidence = Evidence { threshold: Some(found.threshold), terms: found.names.clone() }.to_bytes();
    // Either may have been forgotten meanwhile.
    let mut insert = connection.prepare_cached(
        "INSERT OR IGNORE INTO other_language (entry, other, language, other_language, score, evidence, at)
         SELECT one.id, other.id, ?3, ?4, ?5, ?6, ?7 FROM entry AS one JOIN entry AS other ON other.id = ?2 WHERE one.id = ?1",
    )?;
    let Translation { entry, other, language, other_language, score, .. } = found;
    insert.execute(params![
        entry.0,
        other.0,
        language.as_str(),
        other_language.as_str(),
        score,
        evidence,
        millis(now)
    ])?;
    Ok(())
}

/// Whether any story was found in another language.
///
/// # Errors
/// When the store cannot be read.
pub fn are_there_any(connection: &Connection) -> Result<bool> {
    Ok(connection.prepare_cached("SELECT 1 FROM other_language LIMIT 1")?.exists([])?)
}

/// The published stories that tell the same as this one in other languages, oldest first, each with the language in which it was
/// found: the first part of a tag.
///
/// # Errors
/// When the store cannot be read.
pub fn of(connection: &Connection, story: StoryRef) -> Result<Vec<(String, Neighbour)>> {
    // What SQLite picks beside the highest score is of the row that has it (its documentation, "bare columns").
    let mut query = connection.prepare_cached(concat!(
        "SELECT story.public_id, entry.title, story.published, evidence, found.language, max(score)
         FROM (SELECT id AS told FROM entry WHERE id = ?1 AND story = ?1
               UNION ALL SELECT id FROM entry WHERE story = ?1 AND story <> id)
         CROSS JOIN (SELECT entry AS one, other, other_language AS language, score, evidence FROM other_language
                     UNION ALL SELECT other, entry, language, score, evidence FROM other_language) AS found ON found.one = told
         CROSS JOIN entry AS teller ON teller.id = found.other
         CROSS JOIN story ON story.id = teller.story CROSS JOIN entry ON entry.id = story.canonical
         WHERE story.id <> ?1 AND story.sort_at IS NOT NULL AND story.published IS NOT NULL AND ",
        story_is_whole!(),
        " AND ",
        entry_is_whole!(),
        " GROUP BY story.id ORDER BY story.published, story.id LIMIT ?2"
    ))?;
    let rows = query.query_map(params![story.0, MOST], |row| {
        let neighbour = Neighbour {
            id: StoryId(row.get(0)?),
            title: row.get(1)?,
            published: instant(row.get(2)?),
            evidence: Evidence::from_bytes(row.get_ref(3)?.as_blob().unwrap_or_default()),
        };
        Ok((row.get(4)?, neighbour))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
