//! Stories in the store: who tells them, who speaks for them, and their place in what is published.
//!
//! Edge: SQL on the connection it is given.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::fold::canonical::{Owner, Speaker, same_publisher};
use crate::fold::plan::{Match, Rule};
use crate::model::{EntryId, EntryRef, FeedRef, StoryId, StoryRef};
use crate::normalise::permalink::{Permalink, host_in};
use crate::store::outputs::Closed;
use crate::store::{Error, Result, instant, millis};

/// The columns of a [`Story`], in the order in which [`read_story`] takes them.
macro_rules! story_columns {
    () => {
        "id, public_id, canonical, founded, published, updated, sort_at, sources"
    };
}

/// The rows of `entry` that tell story `?1`: the founder, and those that joined it. They are put in order where they are
/// read, because SQLite would make two tables for that, and asks as if they were `IN` a list would make one.
macro_rules! tellings {
    () => {
        "(SELECT id AS telling FROM entry WHERE id = ?1 AND story = ?1
          UNION ALL SELECT id FROM entry WHERE story = ?1 AND story <> id) JOIN entry ON entry.id = telling"
    };
}

/// A story as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// Our handle.
    pub story: StoryRef,
    /// Its public name.
    pub id: StoryId,
    /// The entry that speaks for it.
    pub canonical: EntryRef,
    /// When its first telling was seen.
    pub founded: DateTime<Utc>,
    /// The date that readers are shown; `None` while it is not published.
    pub published: Option<DateTime<Utc>>,
    /// When its canonical entry was last revised or changed.
    pub updated: Option<DateTime<Utc>>,
    /// Its place in what is published, newest first.
    pub sort_at: Option<DateTime<Utc>>,
    /// How many feeds tell it.
    pub sources: u32,
}

/// One entry's part in a story.
#[derive(Debug, Clone, PartialEq)]
pub struct Telling {
    /// Which entry.
    pub entry: EntryRef,
    /// The feed that tells it.
    pub feed: FeedRef,
    /// The publisher's name for the entry.
    pub id: EntryId,
    /// Its page.
    pub permalink: Option<Permalink>,
    /// Plain text.
    pub title: String,
    /// By the publisher's word.
    pub published: Option<DateTime<Utc>>,
    /// By the publisher's word.
    pub updated: Option<DateTime<Utc>>,
    /// By our own clock.
    pub first_seen: DateTime<Utc>,
    /// Why it is in the story; `None` for the founder.
    pub fold: Option<Folded>,
}

/// Why an entry is in a story that it did not found.
#[derive(Debug, Clone, PartialEq)]
pub struct Folded {
    /// By which rule: `link`, `copy`, `story` or `person`.
    pub rule: String,
    /// The entry that it matched.
    pub matched: EntryRef,
    /// How alike the two are; 1 is certain.
    pub score: f64,
    /// What was measured, JSON.
    pub evidence: String,
}

/// Stores the story that `entry` founds; `shown` is its date and place, `None` to keep it unpublished.
///
/// Gives whether there was none of this name: one whose founder was forgotten lives on with those who joined it.
///
/// # Errors
/// When the store refuses.
pub fn found(
    connection: &Connection,
    entry: EntryRef,
    id: StoryId,
    shown: Option<Shown>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO story (id, public_id, canonical, founded, published, sort_at, sources) VALUES (?1, ?2, ?1, ?3, ?4, ?5, 1)
         ON CONFLICT (public_id) DO NOTHING",
    )?;
    let founded = insert.execute(params![
        StoryRef::founded_by(entry).0,
        id.0,
        millis(now),
        shown.map(|shown| millis(shown.published)),
        shown.map(|shown| millis(shown.sort_at))
    ])?;
    Ok(founded > 0)
}

/// Where and with which date a story stands in what is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// The date that readers are shown.
    pub published: DateTime<Utc>,
    /// What stories are sorted by, newest first.
    pub sort_at: DateTime<Utc>,
}

/// Stores why `entry` belongs to a story that it did not found.
///
/// # Errors
/// When the store refuses.
pub fn link(connection: &Connection, entry: EntryRef, rule: Rule, found: &Match, now: DateTime<Utc>) -> Result<()> {
    let evidence = serde_json::to_string(found).map_err(|error| Error::Damaged(error.to_string()))?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO fold (entry, rule, matched, score, evidence, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (entry) DO UPDATE SET rule = ?2, matched = ?3, score = ?4, evidence = ?5, at = ?6",
    )?;
    insert.execute(params![entry.0, rule.name(), found.matched.0, found.score, evidence, millis(now)])?;
    Ok(())
}

/// Makes one story of two: everyone who tells `younger` tells `older` from now on, for the reason that `found` gives. The
/// name of the younger answers with the older.
///
/// # Errors
/// When the store refuses.
pub fn absorb(
    connection: &Connection,
    older: StoryRef,
    younger: StoryRef,
    rule: Rule,
    found: &Match,
    now: DateTime<Utc>,
) -> Result<()> {
    let (mut kept, gone) = (one(connection, older)?, one(connection, younger)?);
    let founder = EntryRef(younger.0);
    // It may have been forgotten, or have left.
    if told_by(connection, founder)? == Some(younger) {
        link(connection, founder, rule, found, now)?;
    }
    for sql in [
        "UPDATE entry SET story = ?1 WHERE story = ?2 AND story <> id",
        "UPDATE entry SET story = ?1 WHERE id = ?2 AND story = ?2",
        "UPDATE story SET merged_into = ?1, sort_at = NULL WHERE id = ?2",
        "UPDATE story SET merged_into = ?1 WHERE merged_into = ?2",
    ] {
        connection.prepare_cached(sql)?.execute([older.0, younger.0])?;
    }
    if kept.published.is_none() && gone.published.is_some() {
        (kept.published, kept.sort_at) = (gone.published, gone.sort_at);
        save(connection, &kept)?;
    }
    Ok(())
}

/// The story with this handle.
///
/// # Errors
/// When there is none, or the store cannot be read.
pub fn one(connection: &Connection, story: StoryRef) -> Result<Story> {
    let mut query = connection.prepare_cached(concat!("SELECT ", story_columns!(), " FROM story WHERE id = ?1"))?;
    Ok(query.query_row([story.0], read_story)?)
}

/// The story with this public name, or the older one that it turned out to be.
///
/// # Errors
/// When the store cannot be read.
pub fn by_id(connection: &Connection, id: StoryId) -> Result<Option<Story>> {
    let mut query = connection.prepare_cached(concat!(
        "SELECT ",
        story_columns!(),
        " FROM story WHERE id = (SELECT coalesce(merged_into, id) FROM story WHERE public_id = ?1)"
    ))?;
    Ok(query.query_row([id.0], read_story).optional()?)
}

/// The story that an entry tells.
///
/// # Errors
/// When the store cannot be read.
pub fn told_by(connection: &Connection, entry: EntryRef) -> Result<Option<StoryRef>> {
    let mut query = connection.prepare_cached("SELECT story FROM entry WHERE id = ?1")?;
    let story: Option<Option<u64>> = query.query_row([entry.0], |row| row.get(0)).optional()?;
    Ok(story.flatten().map(StoryRef))
}

/// The stories that `entries` speak for, as far as they do.
///
/// # Errors
/// When the store cannot be read.
pub fn spoken_for_by(connection: &Connection, entry: EntryRef) -> Result<Option<Story>> {
    let mut query = connection.prepare_cached(concat!(
        "SELECT ",
        story_columns!(),
        " FROM story WHERE id = (SELECT story FROM entry WHERE id = ?1) AND canonical = ?1"
    ))?;
    Ok(query.query_row([entry.0], read_story).optional()?)
}

/// Published stories, newest first, until `each` says that it has enough by returning `false`.
///
/// # Errors
/// When the store cannot be read, or what `each` returned.
pub fn newest(
    connection: &Connection,
    since: Option<DateTime<Utc>>,
    mut each: impl FnMut(Story) -> Result<bool>,
) -> Result<()> {
    let mut query = connection.prepare_cached(concat!(
        "SELECT ",
        story_columns!(),
        " FROM story WHERE sort_at IS NOT NULL AND sort_at >= ?1 ORDER BY sort_at DESC, public_id"
    ))?;
    let mut rows = query.query([since.map_or(i64::MIN, millis)])?;
    while let Some(row) = rows.next()? {
        if !each(read_story(row)?)? {
            break;
        }
    }
    Ok(())
}

/// The place of the newest published story.
///
/// # Errors
/// When the store cannot be read.
pub fn newest_place(connection: &Connection) -> Result<Option<DateTime<Utc>>> {
    let mut query = connection.prepare_cached("SELECT max(sort_at) FROM story")?;
    Ok(query.query_row([], |row| row.get::<_, Option<i64>>(0))?.map(instant))
}

/// How many entries tell the stories that stand at `since` or later, and how many stories that is.
///
/// # Errors
/// When the store cannot be read.
pub fn folded_since(connection: &Connection, since: DateTime<Utc>) -> Result<(u64, u64)> {
    let mut query = connection.prepare_cached(
        "SELECT count(*) + coalesce(sum((SELECT count(*) FROM entry WHERE entry.story = story.id AND entry.story <> entry.id)), 0), count(*)
         FROM story WHERE sort_at >= ?1",
    )?;
    Ok(query.query_row([millis(since)], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// The published stories that can be in an archive: those placed between `before` and it, and those that were placed before
/// both but told again between them. Newest first.
///
/// # Errors
/// When the store cannot be read.
pub fn between(connection: &Connection, before: Option<&Closed>, archive: &Closed) -> Result<Vec<Story>> {
    let mut query = connection.prepare_cached(concat!(
        "SELECT ",
        story_columns!(),
        " FROM story WHERE sort_at < ?2 AND (sort_at >= ?1 OR id IN (SELECT story FROM entry WHERE id > ?3 AND id <= ?4))
         ORDER BY sort_at DESC, public_id"
    ))?;
    let (from, after) = before.map_or((i64::MIN, 0), |before| (millis(before.until), before.upto.0));
    let rows = query.query_map(params![from, millis(archive.until), after, archive.upto.0], read_story)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The first instant of each month that has published stories placed at `since` or later.
///
/// # Errors
/// When the store cannot be read.
pub fn months(connection: &Connection, since: Option<DateTime<Utc>>) -> Result<Vec<DateTime<Utc>>> {
    let mut query = connection.prepare_cached(
        "WITH RECURSIVE month(first) AS (
             SELECT unixepoch(min(sort_at) / 1000, 'unixepoch', 'start of month') FROM story WHERE sort_at >= ?1
             UNION ALL
             SELECT unixepoch((SELECT min(sort_at) FROM story
                               WHERE sort_at >= unixepoch(first, 'unixepoch', '+1 month') * 1000) / 1000, 'unixepoch', 'start of month')
             FROM month WHERE first IS NOT NULL)
         SELECT first * 1000 FROM month WHERE first IS NOT NULL",
    )?;
    let rows = query.query_map([since.map_or(i64::MIN, millis)], |row| Ok(instant(row.get(0)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Whether a story stands before `end` and was founded, or told by so many feeds, only after `last` was closed.
///
/// # Errors
/// When the store cannot be read.
pub fn came_late(connection: &Connection, last: &Closed, end: DateTime<Utc>, min_sources: usize) -> Result<bool> {
    let mut query = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM entry JOIN story ON story.id = entry.story
                        WHERE entry.id > ?1 AND sort_at < ?2 AND sources >= ?3 AND (story.id > ?1 OR sources = ?3))",
    )?;
    Ok(query.query_row(params![last.upto.0, millis(end), min_sources], |row| row.get(0))?)
}

/// Instants that part the published stories from `from` to `until` into runs of `count`, without the two ends.
///
/// # Errors
/// When the store cannot be read.
pub fn every(
    connection: &Connection,
    from: Option<DateTime<Utc>>,
    until: DateTime<Utc>,
    count: usize,
) -> Result<Vec<DateTime<Utc>>> {
    let mut query = connection.prepare_cached(
        "SELECT sort_at FROM story WHERE sort_at > ?1 AND sort_at < ?2 ORDER BY sort_at LIMIT 1 OFFSET ?3",
    )?;
    let mut found = Vec::new();
    let mut from = from.map_or(i64::MIN, millis);
    while let Some(next) = query.query_row(params![from, millis(until), count], |row| row.get(0)).optional()? {
        found.push(instant(next));
        from = next;
    }
    Ok(found)
}

/// All entries that tell a story, in the order in which they were first seen.
///
/// # Errors
/// When the store cannot be read.
pub fn coverage(connection: &Connection, story: StoryRef) -> Result<Vec<Telling>> {
    let mut query = connection.prepare_cached(
        concat!("SELECT entry.id, feed, entry_id, permalink, title, published, updated, first_seen, rule, matched, score, evidence
         FROM ", tellings!(), " LEFT JOIN fold ON fold.entry = entry.id",
    ))?;
    let time = |at: Option<i64>| at.map(instant);
    let rows = query.query_map([story.0], |row| {
        let rule: Option<String> = row.get(8)?;
        let fold = match rule {
            Some(rule) => {
                Some(Folded { rule, matched: EntryRef(row.get(9)?), score: row.get(10)?, evidence: row.get(11)? })
            }
            None => None,
        };
        Ok(Telling {
            entry: EntryRef(row.get(0)?),
            feed: FeedRef(row.get(1)?),
            id: EntryId(row.get(2)?),
            permalink: row.get::<_, Option<String>>(3)?.map(Permalink::stored),
            title: row.get(4)?,
            published: time(row.get(5)?),
            updated: time(row.get(6)?),
            first_seen: instant(row.get(7)?),
            fold,
        })
    })?;
    let mut tellings = rows.collect::<rusqlite::Result<Vec<Telling>>>()?;
    tellings.sort_by_key(|telling| telling.entry);
    Ok(tellings)
}

/// The tellings of a story as far as choosing its canonical entry looks at them, and how many feeds tell it.
///
/// # Errors
/// When the store cannot be read.
pub fn speakers(
    connection: &Connection,
    story: StoryRef,
    priority_of: impl Fn(FeedRef) -> i32,
) -> Result<(Vec<Speaker>, u32)> {
    let mut query = connection.prepare_cached(
        concat!("SELECT entry.id, feed, permalink, coalesce(text_length, 0), first_seen, address, link, second_hand, withdrawn FROM ", tellings!(), " JOIN feed ON feed.id = feed",
    ))?;
    let mut feeds = Vec::new();
    let mut speakers = Vec::new();
    let mut rows = query.query([story.0])?;
    while let Some(row) = rows.next()? {
        let feed = FeedRef(row.get(1)?);
        let address = |column| row.get::<_, Option<String>>(column).map(Option::unwrap_or_default);
        let (page, configured, claimed) = (address(2)?, address(5)?, address(6)?);
        let publishes = |home: &str| same_publisher(host_in(home), host_in(&page));
        let owner = match () {
            () if publishes(&configured) => Owner::Certain,
            () if publishes(&claimed) => Owner::Claimed,
            () => Owner::Another,
        };
        speakers.push(Speaker {
            entry: EntryRef(row.get(0)?),
            priority: priority_of(feed),
            owner,
            is_second_hand: row.get(7)?,
            is_withdrawn: row.get(8)?,
            text_bytes: usize::try_from(row.get::<_, i64>(3)?).unwrap_or_default(),
            first_seen: instant(row.get(4)?),
        });
        if !feeds.contains(&feed) {
            feeds.push(feed);
        }
    }
    speakers.sort_by_key(|speaker: &Speaker| speaker.entry);
    Ok((speakers, u32::try_from(feeds.len()).unwrap_or(u32::MAX)))
}

/// Stores what may change about a story.
///
/// # Errors
/// When the store refuses.
pub fn save(connection: &Connection, story: &Story) -> Result<()> {
    let mut update = connection.prepare_cached(
        "UPDATE story SET canonical = ?2, published = ?3, updated = ?4, sort_at = ?5, sources = ?6 WHERE id = ?1",
    )?;
    update.execute(params![
        story.story.0,
        story.canonical.0,
        story.published.map(millis),
        story.updated.map(millis),
        story.sort_at.map(millis),
        story.sources
    ])?;
    Ok(())
}

fn read_story(row: &Row<'_>) -> rusqlite::Result<Story> {
    let time = |at: Option<i64>| at.map(instant);
    Ok(Story {
        story: StoryRef(row.get(0)?),
        id: StoryId(row.get(1)?),
        canonical: EntryRef(row.get(2)?),
        founded: instant(row.get(3)?),
        published: time(row.get(4)?),
        updated: time(row.get(5)?),
        sort_at: time(row.get(6)?),
        sources: row.get(7)?,
    })
}
