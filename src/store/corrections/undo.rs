//! Taking a correction back.
//!
//! Edge: SQL on the connection it is given. What came in between stays as it is: an entry that tells yet another story by now
//! is left there, and folding may find again what a person had joined.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, params};

use super::{Corrected, Correction, Kind, Undo, correction_columns, count, read};
use crate::fold::link::Linked;
use crate::fold::plan::Rule;
use crate::model::{EntryRef, StoryRef};
use crate::store::{Result, entries, stories};

/// Takes the correction of this number back; `None` when there is none.
///
/// # Errors
/// When the store refuses.
pub fn undo(connection: &Connection, number: u64, now: DateTime<Utc>) -> Result<Option<Corrected>> {
    let mut query =
        connection.prepare_cached(concat!("SELECT ", correction_columns!(), " WHERE correction.id = ?1"))?;
    let mut rows = query.query([number])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let correction = read(row)?;
    let told = match correction.kind {
        Kind::Forget => show(connection, &correction, now)?,
        Kind::Split => put_back(connection, &correction, now)?,
        Kind::Join => part(connection, &correction, now)?,
    };
    connection.prepare_cached("DELETE FROM correction WHERE id = ?1")?.execute([number])?;
    count(connection)?;
    Ok(Some(match told {
        Some(story) => Corrected::Done(stories::one(connection, story)?.id),
        None => Corrected::Already,
    }))
}

/// Shows an entry again that was forgotten, in the story that it told or, where that is gone, in one of its own.
fn show(connection: &Connection, forgotten: &Correction, now: DateTime<Utc>) -> Result<Option<StoryRef>> {
    let Some(story) = stories::as_it_is_now(connection, forgotten.story)? else {
        return stories::leave(connection, forgotten.entry, entries::next_ref(connection)?, now).map(Some);
    };
    stories::enter(connection, forgotten.entry, story)?;
    stories::settle(connection, story, now)?;
    Ok(Some(story))
}

/// Puts an entry, with those that joined it since, into the story that it was taken out of, for the reason that there was.
fn put_back(connection: &Connection, split: &Correction, now: DateTime<Utc>) -> Result<Option<StoryRef>> {
    let Correction { entry, story, other, undo, .. } = split;
    connection.prepare_cached("DELETE FROM split WHERE entry = ?1 AND story = ?2")?.execute([entry.0, story.0])?;
    let Some(from) = stories::as_it_is_now(connection, *story)? else { return Ok(None) };
    if from == *other || stories::told_by(connection, *entry)? != Some(*other) {
        return Ok(None);
    }
    let said = Linked { story: from, matched: EntryRef(from.0) }.into();
    stories::absorb(connection, from, *other, Rule::Person, &said, now)?;
    connection.prepare_cached("UPDATE entry SET place = ?2 WHERE id = ?1")?.execute(params![entry.0, undo.place])?;
    match &undo.fold {
        Some(fold) => connection
            .prepare_cached(
                "INSERT OR REPLACE INTO fold (entry, rule, matched, score, evidence, at) VALUES (?1, ?2, ?3, ?4, unhex(?5), ?6)",
            )?
            .execute(params![entry.0, fold.rule, fold.matched, fold.score, fold.evidence, fold.at])?,
        None => connection.prepare_cached("DELETE FROM fold WHERE entry = ?1 AND ?1 = ?2")?.execute([entry.0, from.0])?,
    };
    stories::settle(connection, from, now)?;
    Ok(Some(from))
}

/// Makes two stories again of those that were joined.
fn part(connection: &Connection, join: &Correction, now: DateTime<Utc>) -> Result<Option<StoryRef>> {
    let Undo { entries, stories: merged, splits, .. } = &join.undo;
    let younger = join.other;
    let Some(older) = stories::as_it_is_now(connection, join.story)? else { return Ok(None) };
    let mut still = Vec::new();
    for entry in entries.iter().copied().map(EntryRef) {
        if stories::told_by(connection, entry)? == Some(older) {
            still.push(entry);
        }
    }
    if still.is_empty() || older == younger {
        return Ok(None);
    }
    let mut stands =
        connection.prepare_cached("UPDATE story SET merged_into = ?2 WHERE id = ?1 AND merged_into = ?3")?;
    stands.execute(params![younger.0, None::<u64>, older.0])?;
    stories::seal(connection, younger)?;
    for story in merged {
        stands.execute(params![story, younger.0, older.0])?;
        stories::seal(connection, StoryRef(*story))?;
    }
    for entry in still {
        stories::enter(connection, entry, younger)?;
    }
    // Who founded it needs no reason to be in it.
    connection.prepare_cached("DELETE FROM fold WHERE entry = ?1")?.execute([younger.0])?;
    let mut apart = connection.prepare_cached(
        "INSERT OR IGNORE INTO split (entry, story) SELECT ?1, ?2 WHERE EXISTS (SELECT 1 FROM entry WHERE id = ?1)",
    )?;
    for (entry, story) in splits {
        apart.execute([entry, story])?;
    }
    stories::settle(connection, older, now)?;
    stories::settle(connection, younger, now)?;
    Ok(Some(younger))
}
