//! What people decide: that an entry is not in its story, that two stories are one, that an entry is not to be shown.
//!
//! Edge: SQL on the connection it is given. A correction is kept for as long as the entry it names, and folding obeys it;
//! [`undo()`] takes it back.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use crate::fold::link::Linked;
use crate::fold::plan::Rule;
use crate::model::permalink::Permalink;
use crate::model::{Entry, EntryRef, FeedRef, StoryId, StoryRef};
use crate::normalise::identity;
use crate::store::{Error, Result, digests, entries, instant, millis, stories};

mod undo;

pub use undo::undo;

/// What became of a correction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Corrected {
    /// It is done; the story that holds the entry, or all entries, from now on, or that lost the entry.
    Done(StoryId),
    /// There was nothing to do.
    Already,
}

/// What a person decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An entry does not tell its story.
    Split,
    /// Two stories are one.
    Join,
    /// An entry is not to be shown.
    Forget,
}

impl Kind {
    /// As it is stored, and the name of its command.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Split => "split",
            Self::Join => "join",
            Self::Forget => "forget",
        }
    }

    fn parse(name: &str) -> Result<Self> {
        [Self::Split, Self::Join, Self::Forget]
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| Error::Damaged(format!("a correction is of the unknown kind `{name}`")))
    }
}

/// A correction that holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Correction {
    /// Its number, by which it can be taken back.
    pub number: u64,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// What was decided.
    pub kind: Kind,
    /// The entry that was taken out or forgotten, or one of the story that was joined to another.
    pub entry: EntryRef,
    /// The title of that entry.
    pub title: String,
    /// The name of its feed.
    pub feed: String,
    /// The story that the entry told, or that others were joined to.
    pub story: StoryRef,
    /// The title of that story as it is shown now; `None` when nobody tells it.
    pub story_title: Option<String>,
    /// The story that the entry tells by itself, or that was joined to the other.
    other: StoryRef,
    undo: Undo,
}

/// What there was before a correction, as far as the store does not say it otherwise.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Undo {
    /// Of a `split`: why the entry was in the story; nothing for its founder.
    #[serde(skip_serializing_if = "Option::is_none")]
    fold: Option<Fold>,
    /// and its place in what is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<i64>,
    /// Of a `join`: the entries of the story that went,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    entries: Vec<u64>,
    /// the stories that had been found to be it before,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stories: Vec<u64>,
    /// and which entries had been taken out of which of the two stories.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    splits: Vec<(u64, u64)>,
}

/// A row of `fold`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Fold {
    rule: String,
    matched: u64,
    score: f64,
    /// As it is kept, in hexadecimal digits.
    evidence: String,
    at: i64,
}

/// The columns of a [`Correction`], in the order in which [`read`] takes them, and where they come from.
macro_rules! correction_columns {
    () => {
        "correction.id, at, kind, correction.entry, entry.title, feed.name, correction.story, speaker.title, other, undo
         FROM correction JOIN entry ON entry.id = correction.entry JOIN feed ON feed.id = entry.feed
         LEFT JOIN story AS told ON told.id = correction.story
         LEFT JOIN story ON story.id = coalesce(told.merged_into, told.id)
         LEFT JOIN entry AS speaker ON speaker.id = story.canonical AND speaker.story = story.id"
    };
}
use correction_columns;

/// The corrections that hold, newest first.
///
/// # Errors
/// When the store cannot be read.
pub fn all(connection: &Connection) -> Result<Vec<Correction>> {
    let mut query =
        connection.prepare_cached(concat!("SELECT ", correction_columns!(), " ORDER BY correction.id DESC"))?;
    let mut rows = query.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

fn read(row: &Row<'_>) -> Result<Correction> {
    let undo = row.get_ref(9)?.as_str().unwrap_or_default();
    Ok(Correction {
        number: row.get(0)?,
        at: instant(row.get(1)?),
        kind: Kind::parse(row.get_ref(2)?.as_str().unwrap_or_default())?,
        entry: EntryRef(row.get(3)?),
        title: row.get(4)?,
        feed: row.get(5)?,
        story: StoryRef(row.get(6)?),
        story_title: row.get(7)?,
        other: StoryRef(row.get(8)?),
        undo: serde_json::from_str(undo)
            .map_err(|error| Error::Damaged(format!("what a correction changed cannot be read: {error}")))?,
    })
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
    let place =
        connection.prepare_cached("SELECT place FROM entry WHERE id = ?1")?.query_row([entry.0], |row| row.get(0))?;
    let undo = Undo { fold: fold_of(connection, entry)?, place, ..Undo::default() };
    connection.execute("INSERT OR IGNORE INTO split (entry, story) VALUES (?1, ?2)", [entry.0, from.0])?;
    // It was hidden in the other story until now, so it takes its place among what is new.
    connection.execute("UPDATE entry SET place = ?2 WHERE id = ?1", params![entry.0, millis(now)])?;
    let alone = stories::leave(connection, entry, entries::next_ref(connection)?, now)?;
    stories::settle(connection, from, now)?;
    note(connection, Kind::Split, [entry.0, from.0, alone.0], &undo, now)?;
    Ok(Corrected::Done(stories::one(connection, alone)?.id))
}

fn fold_of(connection: &Connection, entry: EntryRef) -> Result<Option<Fold>> {
    let mut query =
        connection.prepare_cached("SELECT rule, matched, score, hex(evidence), at FROM fold WHERE entry = ?1")?;
    let fold = query.query_row([entry.0], |row| {
        Ok(Fold { rule: row.get(0)?, matched: row.get(1)?, score: row.get(2)?, evidence: row.get(3)?, at: row.get(4)? })
    });
    Ok(fold.optional()?)
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
    let undo = Undo {
        entries: numbers(connection, "SELECT id FROM entry WHERE story = ?1 ORDER BY id", younger)?,
        stories: numbers(connection, "SELECT id FROM story WHERE merged_into = ?1", younger)?,
        splits: give_up_splits(connection, older, younger)?,
        ..Undo::default()
    };
    // Its founder may have left it or be forgotten.
    let Some(told_by) = undo.entries.iter().find(|entry| **entry == younger.0).or(undo.entries.first()).copied() else {
        return Ok(Corrected::Already);
    };
    let said = Linked { story: older, matched: EntryRef(older.0) }.into();
    stories::absorb(connection, older, younger, Rule::Person, &said, now)?;
    stories::settle(connection, older, now)?;
    note(connection, Kind::Join, [told_by, older.0, younger.0], &undo, now)?;
    Ok(Corrected::Done(stories::one(connection, older)?.id))
}

/// What a query about one story lists.
fn numbers(connection: &Connection, sql: &str, story: StoryRef) -> Result<Vec<u64>> {
    let mut query = connection.prepare_cached(sql)?;
    let rows = query.query_map([story.0], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Lets entries of each of two stories into the other, and gives those that were kept out, with the story that they were.
fn give_up_splits(connection: &Connection, one: StoryRef, other: StoryRef) -> Result<Vec<(u64, u64)>> {
    let mut query = connection.prepare_cached(
        "DELETE FROM split WHERE story = ?1 AND entry IN (SELECT id FROM entry WHERE story = ?2) RETURNING entry, story",
    )?;
    let mut given_up = Vec::new();
    for (from, to) in [(one, other), (other, one)] {
        let rows = query.query_map([from.0, to.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
        given_up.extend(rows.collect::<rusqlite::Result<Vec<_>>>()?);
    }
    Ok(given_up)
}

/// Takes an entry out of all that is published and searched, for good.
///
/// It tells no story, whatever its publisher makes of it, and is not pruned, so that it is known again should it come back
/// under another id.
///
/// # Errors
/// When the store refuses.
pub fn forget(connection: &Connection, entry: EntryRef, now: DateTime<Utc>) -> Result<Corrected> {
    let Some(story) = stories::told_by(connection, entry)? else { return Ok(Corrected::Already) };
    connection.prepare_cached("UPDATE entry SET story = NULL WHERE id = ?1")?.execute([entry.0])?;
    stories::settle(connection, story, now)?;
    digests::forget(connection, entry)?;
    note(connection, Kind::Forget, [entry.0, story.0, story.0], &Undo::default(), now)?;
    Ok(Corrected::Done(stories::one(connection, story)?.id))
}

/// Whether a person wanted anything forgotten, so that [`is_forgotten`] may find it.
///
/// # Errors
/// When the store cannot be read.
pub fn forgets_anything(connection: &Connection) -> Result<bool> {
    Ok(connection.prepare_cached("SELECT 1 FROM correction WHERE kind = 'forget' LIMIT 1")?.exists([])?)
}

/// Whether what a feed tells is what a person wanted forgotten of it: the same page under the same title or with the same text.
///
/// (`CROSS` has SQLite begin with the few corrections, and not with the many entries that a page may have.)
///
/// # Errors
/// When the store cannot be read.
pub fn is_forgotten(connection: &Connection, feed: FeedRef, entry: &Entry) -> Result<bool> {
    let mut query = connection.prepare_cached(
        "SELECT 1 FROM correction CROSS JOIN entry ON entry.id = correction.entry
         WHERE kind = 'forget' AND feed = ?1 AND permalink_key IS ?2 AND (title = ?3 AND title <> '' OR text_hash = ?4) LIMIT 1",
    )?;
    let page = entry.permalink.as_ref().map(Permalink::key);
    Ok(query.exists(params![feed.0, page, entry.title, identity::text_hash(&entry.detail)])?)
}

/// Remembers a correction of `[entry, story, other]`, and counts it, so that a running daemon notices it and publishes anew.
fn note(connection: &Connection, kind: Kind, whom: [u64; 3], undo: &Undo, now: DateTime<Utc>) -> Result<()> {
    let undo = serde_json::to_string(undo).map_err(|error| Error::Damaged(error.to_string()))?;
    let [entry, story, other] = whom;
    connection
        .prepare_cached("INSERT INTO correction (at, kind, entry, story, other, undo) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![millis(now), kind.name(), entry, story, other, undo])?;
    count(connection)
}

fn count(connection: &Connection) -> Result<()> {
    connection.execute("UPDATE tally SET corrections = corrections + 1", [])?;
    Ok(())
}
