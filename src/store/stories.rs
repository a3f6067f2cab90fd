//! Stories in the store: who tells them, who speaks for them, and their place in what is published.
//!
//! Edge: SQL on the connection it is given.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::fold::canonical::{self, CanonicalCandidate, Site};
use crate::fold::evidence::Evidence;
use crate::fold::link::Linked;
use crate::fold::plan::{Match, Rule};
use crate::model::permalink::Permalink;
use crate::model::{EntryId, EntryRef, FeedRef, StoryId, StoryRef};
use crate::store::checksum::{entry_is_whole, story_checksum, story_is_whole};
use crate::store::outputs::{self, Closed};
use crate::store::{Error, Result, instant, millis};

/// A story that is told more often is crowded, and not every entry of it is listed.
const CROWDED: usize = 200;
/// The most entries of one feed that the coverage of a crowded story lists.
const OF_ONE_FEED: usize = 20;

/// The columns of a [`Story`], in the order in which [`read_story`] takes them.
macro_rules! story_columns {
    () => {
        "story.id, public_id, canonical, founded, story.published, story.updated, sort_at, sources"
    };
}

/// The rows of `entry` that tell story `?1`, with their feeds: the founder, and those that joined it. What is not subscribed
/// to tells nothing. They are put in order where they are read, because SQLite would make two tables for that, and asks as if
/// they were `IN` a list would make one. (`CROSS` has it go from the entries to their feeds, however few feeds it believes that
/// there are.)
macro_rules! tellings {
    () => {
        "(SELECT id AS telling FROM entry WHERE id = ?1 AND story = ?1
          UNION ALL SELECT id FROM entry WHERE story = ?1 AND story <> id) CROSS JOIN entry ON entry.id = telling
         CROSS JOIN feed ON feed.id = entry.feed AND configured = 1"
    };
}

/// A story as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// Our handle.
    pub story: StoryRef,
    /// Its public name.
    pub id: StoryId,
    /// The entry that speaks for it, whatever the rules of an output are.
    pub canonical: EntryRef,
    /// When its first telling was seen.
    pub founded: DateTime<Utc>,
    /// The date that readers are shown, that of its canonical entry; `None` while it is not published.
    pub published: Option<DateTime<Utc>>,
    /// When its canonical entry was last revised or changed.
    pub updated: Option<DateTime<Utc>>,
    /// Its place in what is published, newest first: that of its canonical entry.
    pub sort_at: Option<DateTime<Utc>>,
    /// How many feeds that are subscribed to tell it.
    pub sources: u32,
}

impl Story {
    /// The story as it is where `telling` speaks for it.
    #[must_use]
    pub fn spoken_for(&self, telling: &Telling) -> Self {
        if telling.entry == self.canonical && self.sort_at.is_some() {
            return self.clone();
        }
        Self {
            canonical: telling.entry,
            published: telling.place.and(Some(telling.shown_at())),
            updated: None,
            sort_at: telling.place,
            ..self.clone()
        }
    }
}

/// One entry's part in a story.
#[derive(Debug, Clone, PartialEq)]
pub struct Telling {
    /// Which entry.
    pub entry: EntryRef,
    /// The feed that tells it.
    pub feed: FeedRef,
    /// The source as which it counts: the feed, or another that is read from where redirects lead this one.
    pub source: FeedRef,
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
    /// Its own place in what is published; `None` when it was old already when its feed was first polled.
    pub place: Option<DateTime<Utc>>,
    /// What its right to speak for the story follows from.
    pub candidate: CanonicalCandidate,
    /// Why it is in the story; `None` for the founder.
    pub fold: Option<Folded>,
}

impl Telling {
    /// The date that it is shown with: the publisher's, unless that lies after we saw it.
    #[must_use]
    pub fn shown_at(&self) -> DateTime<Utc> {
        self.published.or(self.updated).map_or(self.first_seen, |published| published.min(self.first_seen))
    }
}

/// An entry whose row is not what was stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DamagedEntry {
    /// Which entry.
    pub entry: EntryRef,
    /// The name of its feed.
    pub feed: String,
}

/// The telling that speaks for a story that `coverage` tells; `None` when nobody does.
#[must_use]
pub fn speaker<'a>(coverage: impl IntoIterator<Item = &'a Telling>) -> Option<&'a Telling> {
    let tellings: Vec<&Telling> = coverage.into_iter().collect();
    let candidates: Vec<CanonicalCandidate> = tellings.iter().map(|telling| telling.candidate.clone()).collect();
    let chosen = canonical::choose(&candidates)?.entry;
    tellings.into_iter().find(|telling| telling.entry == chosen)
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
    /// What is shown of what was measured.
    pub evidence: Evidence,
}

/// The stories that bear these names, which are of one feed.
///
/// One whose founder was forgotten lives on with those who joined it. Each is given as a link to who speaks for it, `None` where
/// its row is damaged.
///
/// # Errors
/// When the store cannot be read.
pub fn namesakes(
    connection: &Connection,
    names: impl IntoIterator<Item = StoryId>,
) -> Result<HashMap<StoryId, Option<Linked>>> {
    let names: BTreeSet<StoryId> = names.into_iter().collect();
    let mut namesakes = HashMap::new();
    let (Some(first), Some(last)) = (names.first(), names.last()) else { return Ok(namesakes) };
    // The names of one feed stand together, so one look is enough for a feed that comes for the first time.
    let mut near = connection.prepare_cached("SELECT 1 FROM story WHERE public_id BETWEEN ?1 AND ?2")?;
    if !near.exists([first.0, last.0])? {
        return Ok(namesakes);
    }
    for name in &names {
        if near.exists([name.0, name.0])? {
            let own = by_id(connection, *name)?;
            namesakes.insert(*name, own.map(|own| Linked { story: own.story, matched: own.canonical }));
        }
    }
    Ok(namesakes)
}

/// Stores the story that `entry` founds; `shown` is its date and place, `None` to keep it unpublished. There is none of its name
/// ([`namesakes`]).
///
/// # Errors
/// When the store refuses.
pub fn found(
    connection: &Connection,
    entry: EntryRef,
    id: StoryId,
    shown: Option<Shown>,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO story (id, public_id, canonical, founded, published, sort_at, sources, checksum)
         VALUES (?1, ?2, ?1, ?3, ?4, ?5, 1, row_checksum(?1, ?2, ?1, NULL))
         ON CONFLICT (public_id) DO NOTHING",
    )?;
    insert.execute(params![
        StoryRef::founded_by(entry).0,
        id.0,
        millis(now),
        shown.map(|shown| millis(shown.published)),
        shown.map(|shown| millis(shown.sort_at))
    ])?;
    outputs::moved(connection)
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
    let evidence = Evidence::from(found).to_bytes();
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
    let mut seal = connection.prepare_cached(concat!(
        "UPDATE story SET checksum = ",
        story_checksum!(),
        " WHERE merged_into = ?1"
    ))?;
    seal.execute([older.0])?;
    Ok(())
}

/// Whether an entry is the only one in its story, subscribed to or not.
///
/// # Errors
/// When the store cannot be read.
pub fn is_alone_in(connection: &Connection, entry: EntryRef, story: StoryRef) -> Result<bool> {
    let mut others = connection.prepare_cached(
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM entry WHERE story = ?1 AND story <> id AND id <> ?2)
         OR EXISTS (SELECT 1 FROM entry WHERE id = ?1 AND story = ?1 AND id <> ?2)",
    )?;
    Ok(!others.exists([story.0, entry.0])?)
}

/// Puts an entry into another story.
///
/// # Errors
/// When the store refuses.
pub fn enter(connection: &Connection, entry: EntryRef, story: StoryRef) -> Result<()> {
    connection.prepare_cached("UPDATE entry SET story = ?2 WHERE id = ?1")?.execute([entry.0, story.0])?;
    Ok(())
}

/// Takes an entry out of its story into one of its own, where it stands as itself; those who stay keep theirs, and its name.
///
/// Where the story bears the entry's name, the entry gets another one, and with it the handle `spare`, which must be free.
///
/// # Errors
/// When the store refuses.
pub fn leave(connection: &Connection, entry: EntryRef, spare: EntryRef, now: DateTime<Utc>) -> Result<StoryRef> {
    let (identity, mut id): (String, String) = connection
        .prepare_cached("SELECT identity, entry_id FROM entry JOIN feed ON feed.id = feed WHERE entry.id = ?1")?
        .query_row([entry.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut named = connection.prepare_cached("SELECT id FROM story WHERE public_id = ?1")?;
    let mut numbered = connection.prepare_cached("SELECT 1 FROM story WHERE id = ?1")?;
    let (alone, name) = loop {
        let name = StoryId::derive(&identity, &EntryId(id.clone()));
        let known: Option<u64> = named.query_row([name.0], |row| row.get(0)).optional()?;
        match known.map(StoryRef) {
            // It was in this one once, and left nobody there.
            Some(story) if told_by(connection, entry)? != Some(story) && is_alone_in(connection, entry, story)? => {
                break (story, name);
            }
            Some(_) => id.push('#'),
            None if numbered.exists([entry.0])? => break (StoryRef::founded_by(spare), name),
            None => break (StoryRef::founded_by(entry), name),
        }
    };
    connection.prepare_cached("DELETE FROM fold WHERE entry = ?1")?.execute([entry.0])?;
    enter(connection, entry, alone)?;
    connection
        .prepare_cached(
            "INSERT INTO story (id, public_id, canonical, founded, sources) VALUES (?1, ?2, ?3, ?4, 1)
             ON CONFLICT (id) DO UPDATE SET merged_into = NULL, canonical = ?3, published = NULL, sort_at = NULL",
        )?
        .execute(params![alone.0, name.0, entry.0, millis(now)])?;
    seal(connection, alone)?;
    settle(connection, alone, now)?;
    Ok(alone)
}

/// The story with this handle.
///
/// # Errors
/// When there is none, or the store cannot be read.
pub fn one(connection: &Connection, story: StoryRef) -> Result<Story> {
    let mut query = connection.prepare_cached(concat!(
        "SELECT ",
        story_columns!(),
        " FROM story WHERE id = ?1 AND ",
        story_is_whole!()
    ))?;
    let found = query.query_row([story.0], read_story).optional()?;
    found.ok_or_else(|| Error::Damaged(format!("the row of story {}", story.0)))
}

/// The story with this public name, or the older one that it turned out to be.
///
/// # Errors
/// When the store cannot be read.
pub fn by_id(connection: &Connection, id: StoryId) -> Result<Option<Story>> {
    let mut query = connection.prepare_cached(concat!(
        "SELECT ",
        story_columns!(),
        " FROM story WHERE id = (SELECT coalesce(merged_into, id) FROM story WHERE public_id = ?1 AND ",
        story_is_whole!(),
        ") AND ",
        story_is_whole!()
    ))?;
    Ok(query.query_row([id.0], read_story).optional()?)
}

/// The stories whose id ends in these hexadecimal digits, each as what it turned out to be. The whole store is looked through.
///
/// # Errors
/// When the store cannot be read.
pub fn ending_in(connection: &Connection, digits: &str) -> Result<Vec<StoryRef>> {
    let mut query = connection.prepare_cached(
        "SELECT DISTINCT coalesce(merged_into, id) FROM story WHERE hex(public_id) LIKE '%' || ?1 ORDER BY 1",
    )?;
    let rows = query.query_map([digits], |row| row.get(0).map(StoryRef))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The story that one turned out to be, or it itself; `None` when there is none of this handle.
///
/// # Errors
/// When the store cannot be read.
pub fn as_it_is_now(connection: &Connection, story: StoryRef) -> Result<Option<StoryRef>> {
    let mut query = connection.prepare_cached("SELECT coalesce(merged_into, id) FROM story WHERE id = ?1")?;
    Ok(query.query_row([story.0], |row| row.get(0)).optional()?.map(StoryRef))
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
        " FROM story WHERE id = (SELECT story FROM entry WHERE id = ?1) AND canonical = ?1 AND ",
        story_is_whole!()
    ))?;
    Ok(query.query_row([entry.0], read_story).optional()?)
}

/// Published stories, newest first, those of one time in the order in which their documents list them, until `each` says that it
/// has enough by returning `false`.
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
        " FROM story WHERE sort_at IS NOT NULL AND sort_at >= ?1 AND ",
        story_is_whole!(),
        " ORDER BY sort_at DESC, story.id DESC"
    ))?;
    let mut rows = query.query([since.map_or(i64::MIN, millis)])?;
    while let Some(row) = rows.next()? {
        if !each(read_story(row)?)? {
            break;
        }
    }
    Ok(())
}

/// The stories that entries after this one tell.
///
/// # Errors
/// When the store cannot be read.
pub fn told_after(connection: &Connection, entry: EntryRef) -> Result<Vec<StoryRef>> {
    let mut query = connection
        .prepare_cached("SELECT DISTINCT story FROM entry WHERE id > ?1 AND story IS NOT NULL ORDER BY story")?;
    let rows = query.query_map([entry.0], |row| row.get(0).map(StoryRef))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
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
/// both but told again between them.
///
/// They come in the order of the entries that speak for them, so that these are read in the order in which they are stored.
///
/// # Errors
/// When the store cannot be read, or what `each` returned.
pub fn between(
    connection: &Connection,
    before: Option<&Closed>,
    archive: &Closed,
    mut each: impl FnMut(Story) -> Result<()>,
) -> Result<()> {
    let mut query = connection.prepare_cached(concat!(
        "SELECT ",
        story_columns!(),
        " FROM story WHERE sort_at < ?2 AND (sort_at >= ?1 OR id IN (SELECT story FROM entry WHERE id > ?3 AND id <= ?4))
         AND ",
        story_is_whole!(),
        " ORDER BY canonical, story.id"
    ))?;
    let (from, after) = before.map_or((i64::MIN, 0), |before| (millis(before.until), before.upto.0));
    let mut rows = query.query(params![from, millis(archive.until), after, archive.upto.0])?;
    while let Some(row) = rows.next()? {
        each(read_story(row)?)?;
    }
    Ok(())
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

/// Instants that part the published stories from `from` to `until` into runs of so many stories, and of so many bytes of text as
/// they are stored, without the two ends.
///
/// # Errors
/// When the store cannot be read.
pub fn runs(
    connection: &Connection,
    (from, until): (Option<DateTime<Utc>>, DateTime<Utc>),
    most_stories: usize,
    most_bytes: usize,
) -> Result<Vec<DateTime<Utc>>> {
    let mut query = connection.prepare_cached(
        "SELECT sort_at, coalesce(text_length, 0) FROM story LEFT JOIN entry ON entry.id = canonical
         WHERE sort_at > ?1 AND sort_at < ?2 ORDER BY sort_at",
    )?;
    let mut found = Vec::new();
    // The run, and those of its stories that stand at the last instant, which cannot be parted.
    let (mut run, mut last) = (Run::default(), Run::default());
    let mut rows = query.query(params![from.map_or(i64::MIN, millis), millis(until)])?;
    while let Some(row) = rows.next()? {
        let (at, text): (i64, usize) = (row.get(0)?, row.get(1)?);
        if at != last.from {
            last = Run { from: at, ..Run::default() };
        }
        if run.stories == 0 {
            run.from = at;
        }
        for run in [&mut run, &mut last] {
            run.stories += 1;
            run.bytes += text;
        }
        if run.from < at && (run.stories > most_stories || run.bytes > most_bytes) {
            found.push(instant(at));
            run = last;
        }
    }
    Ok(found)
}

/// Stories that follow each other.
#[derive(Clone, Copy, Default)]
struct Run {
    from: i64,
    stories: usize,
    bytes: usize,
}

/// The columns of a [`Telling`], in the order in which [`read_telling`] takes them.
macro_rules! telling_columns {
    () => {
        "entry.id, feed, entry_id, permalink, entry.title, published, updated, first_seen, rule, matched, score, evidence,
         place, iif(id_page_key IS NULL, NULL, entry_id), priority, site, withdrawn, coalesce(told_since, first_seen),
         CASE WHEN read_from IS NULL AND moved_to IS NULL THEN feed ELSE coalesce(
             (SELECT min(id) FROM feed AS same WHERE same.address = coalesce(feed.read_from, feed.moved_to) AND same.configured = 1),
             (SELECT min(id) FROM feed AS same WHERE coalesce(same.read_from, same.moved_to) = coalesce(feed.read_from, feed.moved_to)
              AND same.configured = 1), feed) END"
    };
}

/// How many these are.
const TELLING_COLUMNS: usize = 19;

/// How many entries tell a story.
///
/// # Errors
/// When the store cannot be read.
pub fn times_told(connection: &Connection, story: StoryRef) -> Result<usize> {
    let mut query = connection.prepare_cached(concat!("SELECT count(*) FROM ", tellings!()))?;
    Ok(query.query_row([story.0], |row| row.get(0))?)
}

/// Of a story that is told more than [`CROWDED`] times the entries that stand for all: of each feed the first and the newest,
/// and who speaks for the story. `None` where all do.
fn listed(connection: &Connection, story: StoryRef) -> Result<Option<BTreeSet<u64>>> {
    let mut some = connection
        .prepare_cached("SELECT count(*) FROM (SELECT 1 FROM entry WHERE story = ?1 AND story <> id LIMIT ?2)")?;
    if some.query_row(params![story.0, CROWDED], |row| row.get::<_, usize>(0))? < CROWDED {
        return Ok(None);
    }
    let mut next =
        connection.prepare_cached("SELECT min(feed) FROM entry WHERE story = ?1 AND story <> id AND feed > ?2")?;
    let mut of_feed = connection.prepare_cached(
        "SELECT id FROM (SELECT id FROM entry WHERE story = ?1 AND story <> id AND feed = ?2 ORDER BY id LIMIT ?4)
         UNION SELECT id FROM (SELECT id FROM entry WHERE story = ?1 AND story <> id AND feed = ?2 ORDER BY id DESC LIMIT ?3)",
    )?;
    let mut canonical = connection.prepare_cached("SELECT canonical FROM story WHERE id = ?1")?;
    let mut founder = connection.prepare_cached("SELECT feed FROM entry WHERE id = ?1 AND story = ?1")?;
    let founder: Option<i64> = founder.query_row([story.0], |row| row.get(0)).optional()?;
    let mut listed = BTreeSet::from([story.0]);
    listed.extend(canonical.query_row([story.0], |row| row.get::<_, u64>(0)).optional()?);
    let mut feed = -1_i64;
    while let Some(found) = next.query_row(params![story.0, feed], |row| row.get::<_, Option<i64>>(0))? {
        feed = found;
        // The founder is the first of its feed.
        let first = u8::from(founder != Some(feed));
        let rows = of_feed.query_map(params![story.0, feed, OF_ONE_FEED - 1, first], |row| row.get(0))?;
        for entry in rows {
            listed.insert(entry?);
        }
    }
    Ok(Some(listed))
}

/// The entries of subscribed feeds that tell a story, in the order in which they were first seen.
///
/// All of them, unless there are very many: a feed that tells one story over and over is listed with the first and the newest
/// of its entries, and [`times_told`] says how many there are.
///
/// # Errors
/// When the store cannot be read.
pub fn coverage(connection: &Connection, story: StoryRef) -> Result<Vec<Telling>> {
    Ok(coverage_and_damage(connection, story)?.0)
}

/// The same, and those of these entries that cannot be shown, because their rows are not what was stored.
///
/// # Errors
/// When the store cannot be read.
pub fn coverage_and_damage(connection: &Connection, story: StoryRef) -> Result<(Vec<Telling>, Vec<DamagedEntry>)> {
    let (mut tellings, mut damaged) = (Vec::new(), Vec::new());
    let mut keep = |row: &Row<'_>| -> rusqlite::Result<()> {
        if row.get(TELLING_COLUMNS)? {
            tellings.push(read_telling(row)?);
        } else {
            damaged.push(DamagedEntry { entry: EntryRef(row.get(0)?), feed: row.get(TELLING_COLUMNS + 1)? });
        }
        Ok(())
    };
    match listed(connection, story)? {
        None => {
            let mut query = connection.prepare_cached(concat!(
                "SELECT ",
                telling_columns!(),
                ", ",
                entry_is_whole!(),
                ", name FROM ",
                tellings!(),
                " LEFT JOIN fold ON fold.entry = entry.id",
            ))?;
            let mut rows = query.query([story.0])?;
            while let Some(row) = rows.next()? {
                keep(row)?;
            }
        }
        Some(listed) => {
            let mut query = connection.prepare_cached(concat!(
                "SELECT ",
                telling_columns!(),
                ", ",
                entry_is_whole!(),
                ", name FROM entry CROSS JOIN feed ON feed.id = feed AND configured = 1 LEFT JOIN fold ON fold.entry = entry.id
                 WHERE entry.id = ?1 AND story = ?2",
            ))?;
            for entry in listed {
                query.query_row([entry, story.0], |row| keep(row)).optional()?;
            }
        }
    }
    tellings.sort_by_key(|telling: &Telling| telling.entry);
    Ok((tellings, damaged))
}

/// One entry's part in its story; `None` when nothing of its feed is subscribed to.
///
/// # Errors
/// When the store cannot be read.
pub fn telling(connection: &Connection, entry: EntryRef) -> Result<Option<Telling>> {
    let mut query = connection.prepare_cached(concat!(
        "SELECT ",
        telling_columns!(),
        " FROM entry CROSS JOIN feed ON feed.id = feed AND configured = 1 LEFT JOIN fold ON fold.entry = entry.id WHERE entry.id = ?1 AND ",
        entry_is_whole!()
    ))?;
    Ok(query.query_row([entry.0], read_telling).optional()?)
}

fn read_telling(row: &Row<'_>) -> rusqlite::Result<Telling> {
    let time = |at: Option<i64>| at.map(instant);
    let entry = EntryRef(row.get(0)?);
    let permalink = row.get::<_, Option<String>>(3)?.map(Permalink::stored);
    let place = time(row.get(12)?);
    let id_page = row.get_ref(13)?.as_str_or_null()?.and_then(|id| id.parse().ok());
    let candidate = CanonicalCandidate {
        entry,
        priority: row.get(14)?,
        site: Site::new(row.get::<_, String>(15)?),
        pages: permalink.iter().cloned().chain(id_page).collect(),
        is_placed: place.is_some(),
        is_withdrawn: row.get(16)?,
        since: instant(row.get(17)?),
    };
    let fold = match row.get::<_, Option<String>>(8)? {
        Some(rule) => Some(Folded {
            rule,
            matched: EntryRef(row.get(9)?),
            score: row.get(10)?,
            evidence: Evidence::from_bytes(row.get_ref(11)?.as_blob().unwrap_or_default()),
        }),
        None => None,
    };
    Ok(Telling {
        entry,
        feed: FeedRef(row.get(1)?),
        source: FeedRef(row.get(18)?),
        id: EntryId(row.get(2)?),
        permalink,
        title: row.get(4)?,
        published: time(row.get(5)?),
        updated: time(row.get(6)?),
        first_seen: instant(row.get(7)?),
        place,
        candidate,
        fold,
    })
}

/// How many sources tell a story: feeds, of those that are read from one address one.
#[must_use]
pub fn count_sources<'a>(coverage: impl IntoIterator<Item = &'a Telling>) -> u32 {
    let sources: HashSet<FeedRef> = coverage.into_iter().map(|telling| telling.source).collect();
    u32::try_from(sources.len()).unwrap_or(u32::MAX)
}

/// Counts a story's sources, chooses who speaks for it, and puts it where that entry belongs, under its date.
///
/// A story that nobody tells any more whom we subscribe to is not published until somebody does.
///
/// # Errors
/// When the store refuses.
pub fn settle(connection: &Connection, story: StoryRef, now: DateTime<Utc>) -> Result<()> {
    let coverage = coverage(connection, story)?;
    let before = match one(connection, story) {
        Err(Error::Damaged(_)) if exists(connection, story)? => {
            reset(connection, story, now)?;
            one(connection, story)?
        }
        found => found?,
    };
    let mut after = match speaker(&coverage) {
        Some(speaker) => before.spoken_for(speaker),
        None => Story { published: None, sort_at: None, ..before.clone() },
    };
    after.sources = count_sources(&coverage);
    // Coming to light, and back to it, is no change of hands.
    after.updated =
        if after.canonical == before.canonical || before.sort_at.is_none() { before.updated } else { Some(now) };
    if after != before {
        save(connection, &after)?;
    }
    Ok(())
}

fn exists(connection: &Connection, story: StoryRef) -> Result<bool> {
    Ok(connection.prepare_cached("SELECT 1 FROM story WHERE id = ?1")?.exists([story.0])?)
}

/// Settles the stories that a feed tells; only those that others tell too, when `shared`.
///
/// # Errors
/// When the store refuses.
pub fn settle_those_of(connection: &Connection, feed: FeedRef, shared: bool, now: DateTime<Utc>) -> Result<()> {
    let mut query = connection.prepare_cached(
        "SELECT DISTINCT story.id FROM entry JOIN story ON story.id = entry.story WHERE feed = ?1 AND (NOT ?2 OR sources > 1)",
    )?;
    let rows = query.query_map(params![feed.0, shared], |row| Ok(StoryRef(row.get(0)?)))?;
    let told: Vec<StoryRef> = rows.collect::<rusqlite::Result<_>>()?;
    told.into_iter().try_for_each(|story| settle(connection, story, now))
}

/// Every entry that has a place, newest first, with its story, until `each` says that it has enough by returning `false`.
///
/// # Errors
/// When the store cannot be read, or what `each` returned.
pub fn newest_tellings(connection: &Connection, mut each: impl FnMut(EntryRef, Story) -> Result<bool>) -> Result<()> {
    let mut query = connection.prepare_cached(concat!(
        "SELECT ",
        story_columns!(),
        ", entry.id FROM entry JOIN story ON story.id = entry.story WHERE place IS NOT NULL AND ",
        story_is_whole!(),
        " ORDER BY place DESC, entry.id DESC"
    ))?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        if !each(EntryRef(row.get(8)?), read_story(row)?)? {
            break;
        }
    }
    Ok(())
}

/// Stores what may change about a story.
///
/// # Errors
/// When the store refuses.
pub fn save(connection: &Connection, story: &Story) -> Result<()> {
    let mut update = connection.prepare_cached(
        "UPDATE story SET canonical = ?2, published = ?3, updated = ?4, sort_at = ?5, sources = ?6,
         checksum = row_checksum(id, public_id, ?2, merged_into) WHERE id = ?1",
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

/// Stores the checksum of a story whose row was changed. Whoever changes what `checksum` covers calls it.
///
/// # Errors
/// When the store refuses.
pub(super) fn seal(connection: &Connection, story: StoryRef) -> Result<()> {
    let mut update =
        connection.prepare_cached(concat!("UPDATE story SET checksum = ", story_checksum!(), " WHERE id = ?1"))?;
    update.execute([story.0])?;
    Ok(())
}

/// Makes the damaged row of a story anew from the entry that founded it. Where that is gone, its name is what the row says.
///
/// # Errors
/// When the store refuses.
pub(super) fn reset(connection: &Connection, story: StoryRef, now: DateTime<Utc>) -> Result<()> {
    let mut founder = connection.prepare_cached(concat!(
        "SELECT identity, entry_id, first_seen FROM entry JOIN feed ON feed.id = feed WHERE entry.id = ?1 AND ",
        entry_is_whole!()
    ))?;
    let founder: Option<(String, String, i64)> =
        founder.query_row([story.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    let mut named = connection.prepare_cached("SELECT 1 FROM story WHERE public_id = ?1 AND id <> ?2")?;
    if let Some((identity, id, first_seen)) = founder {
        let name = StoryId::derive(&identity, &EntryId(id));
        if !named.exists(params![name.0, story.0])? {
            let mut update =
                connection.prepare_cached("UPDATE story SET public_id = ?2, founded = ?3 WHERE id = ?1")?;
            update.execute(params![story.0, name.0, first_seen])?;
        }
    }
    let mut update = connection.prepare_cached(
        "UPDATE story SET canonical = id, founded = min(max(founded, 0), ?2), published = NULL, updated = NULL, sort_at = NULL,
         merged_into = (SELECT id FROM story AS older WHERE older.id = story.merged_into AND older.merged_into IS NULL) WHERE id = ?1",
    )?;
    update.execute(params![story.0, millis(now)])?;
    seal(connection, story)
}

/// Founds the stories anew that entries tell and that are lost, each under the name that its oldest telling gives it.
///
/// # Errors
/// When the store refuses.
pub(super) fn found_missing(connection: &Connection, now: DateTime<Utc>) -> Result<()> {
    let mut query = connection.prepare(
        "SELECT story, identity, entry_id, min(entry.id) FROM entry JOIN feed ON feed.id = feed
         WHERE story IS NOT NULL AND story NOT IN (SELECT id FROM story) GROUP BY story",
    )?;
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let missing: Vec<(u64, String, String, u64)> = rows.filter_map(rusqlite::Result::ok).collect();
    for (story, identity, mut id, entry) in missing {
        let mut insert = connection.prepare_cached(
            "INSERT OR IGNORE INTO story (id, public_id, canonical, founded, sources) VALUES (?1, ?2, ?3, ?4, 1)",
        )?;
        let mut name = StoryId::derive(&identity, &EntryId(id.clone()));
        while insert.execute(params![story, name.0, entry, millis(now)])? == 0 {
            id.push('#');
            name = StoryId::derive(&identity, &EntryId(id.clone()));
        }
        seal(connection, StoryRef(story))?;
        settle(connection, StoryRef(story), now)?;
    }
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
