//! Entries in the store.
//!
//! Edge: SQL on the connection it is given. Entries are looked up by 64-bit hashes, which keep the indices small, and the
//! text decides on a hit.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, Statement, params};

use crate::fold::Article;
use crate::fold::canonical::Site;
use crate::fold::link::{Pages, Standing, Telling};
use crate::model::permalink::Permalink;
use crate::model::{Detail, Entry, EntryRef, FeedRef, StoryId, StoryRef};
use crate::normalise::identity;
use crate::store::checksum::{entry_checksum, entry_is_whole};
use crate::store::texts::{self, LastBlock, Place, place_columns};
use crate::store::{Error, Policy, Result, feeds, instant, millis};
use crate::text;
use crate::update::{Known, KnownEntry, Revision};

/// The columns of what deciding needs of an entry; [`KNOWN_COLUMNS`] of them, read by [`read_known`].
macro_rules! known_columns {
    () => {
        concat!(
            "id, ",
            $crate::store::checksum::entry_is_whole!(),
            ", digest, quiet_revisions, updated, text_block IS NULL, title, revised_at"
        )
    };
}
pub(super) use known_columns;

/// What the store knows under the ids of `polled`, a document of `feed`.
///
/// # Errors
/// When the store cannot be read.
pub fn known(connection: &Connection, feed: FeedRef, polled: &[Entry]) -> Result<Known> {
    let mut by_id = connection.prepare_cached(concat!(
        "SELECT ",
        known_columns!(),
        ", entry_id FROM entry WHERE feed = ?1 AND id_hash = ?2"
    ))?;
    let mut known = Known { listed: feeds::listed(connection, feed)?, ..Known::default() };
    let mut any = connection.prepare_cached("SELECT 1 FROM entry WHERE feed = ?1 LIMIT 1")?;
    if known.listed.is_empty() && !any.exists([feed.0])? {
        return Ok(known);
    }
    for entry in polled {
        let mut rows = by_id.query(params![feed.0, entry.id.hash()])?;
        while let Some(row) = rows.next()? {
            if row.get_ref(KNOWN_COLUMNS)?.as_str().unwrap_or_default() == entry.id.0 {
                known.entries.insert(entry.id.clone(), read_known(row)?);
            }
        }
    }
    known.ids_stay = known.has_kept_an_id(polled) || feeds::ids_stay(connection, feed)?;
    Ok(known)
}

/// How many columns [`known_columns`] are.
pub(super) const KNOWN_COLUMNS: usize = 8;

/// Reads the [`known_columns`] that a row begins with.
pub(super) fn read_known(row: &Row<'_>) -> rusqlite::Result<KnownEntry> {
    let entry = EntryRef(row.get(0)?);
    if !row.get::<_, bool>(1)? {
        return Ok(KnownEntry::damaged(entry));
    }
    Ok(KnownEntry {
        entry,
        is_damaged: false,
        digest: row.get(2)?,
        quiet_revisions: row.get(3)?,
        updated_ms: row.get(4)?,
        has_lost_text: row.get(5)?,
        title: row.get(6)?,
        revised_ms: row.get(7)?,
    })
}

/// The handle that the next new entry gets; those after it count up.
///
/// # Errors
/// When the store cannot be read.
pub fn next_ref(connection: &Connection) -> Result<EntryRef> {
    // A story outlives the entry that founded it, and keeps its number.
    let mut query = connection.prepare_cached(
        "SELECT max(coalesce((SELECT max(id) FROM entry), 0), coalesce((SELECT max(id) FROM story), 0))",
    )?;
    let newest: u64 = query.query_row([], |row| row.get(0))?;
    Ok(EntryRef(newest + 1))
}

/// A new entry and where it belongs.
#[derive(Debug)]
pub struct Addition<'a> {
    /// Its handle, from [`next_ref`].
    pub handle: EntryRef,
    /// The feed that told it.
    pub feed: FeedRef,
    /// What it says.
    pub entry: &'a Entry,
    /// Where its text was put.
    pub text: Place,
    /// The story it tells; `None` when a rule of the configuration dropped it.
    pub story: Option<StoryRef>,
    /// Its place in what is published, newest first; `None` for what was old already when its feed was first polled.
    pub place: Option<DateTime<Utc>>,
}

/// Stores new entries, many with one statement.
pub struct Additions<'a>(CachedStatement<'a>);

impl<'a> Additions<'a> {
    /// For the entries of a document.
    ///
    /// # Errors
    /// When the store refuses.
    pub fn begin(connection: &'a Connection) -> Result<Self> {
        Ok(Self(connection.prepare_cached(
        "INSERT INTO entry (id, feed, id_hash, entry_id, permalink_key, permalink, title, published, updated, first_seen, digest, story, archived, place,
                            text_block, text_at, text_length, id_page_key, text_hash, checksum)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
                 row_checksum(?1, ?2, ?4, ?6, ?7))",
        )?))
    }

    /// Stores one.
    ///
    /// # Errors
    /// When the store refuses.
    pub fn add(&mut self, addition: &Addition<'_>, now: DateTime<Utc>) -> Result<()> {
        let Addition { handle, feed, entry, text, story, place } = addition;
        self.0.execute(params![
            handle.0,
            feed.0,
            entry.id.hash(),
            entry.id.0,
            entry.permalink.as_ref().map(Permalink::key),
            entry.permalink.as_ref().map(Permalink::as_str),
            entry.title,
            entry.published.map(millis),
            entry.updated.map(millis),
            millis(now),
            entry.digest,
            story.map(|story| story.0),
            place.is_none(),
            place.map(millis),
            text.block,
            text.at,
            text.length,
            entry.id_permalink.as_ref().map(Permalink::key),
            identity::text_hash(&entry.detail),
        ])?;
        Ok(())
    }
}

/// Stores what a publisher made of an entry `at` this time; `text` is where its text now is. Gives whether it leads to another
/// page.
///
/// # Errors
/// When the store refuses.
pub fn revise(
    connection: &Connection,
    feed: FeedRef,
    revision: &Revision<'_>,
    text: Place,
    at: DateTime<Utc>,
) -> Result<bool> {
    let entry = revision.now;
    if !is_whole(connection, revision.entry)? {
        reset(connection, feed, revision.entry, entry, at)?;
    } else if let Some(before) = place_of(connection, revision.entry)? {
        texts::release(connection, before)?;
    }
    let [page, id_page] = [&entry.permalink, &entry.id_permalink].map(|page| page.as_ref().map(Permalink::key));
    let mut moved = connection
        .prepare_cached("SELECT 1 FROM entry WHERE id = ?1 AND (permalink_key IS NOT ?2 OR id_page_key IS NOT ?3)")?;
    let has_moved = moved.exists(params![revision.entry.0, page, id_page])?;
    let mut update = connection.prepare_cached(
        "UPDATE entry SET permalink_key = ?2, permalink = ?3, title = ?4, published = coalesce(?5, published), updated = coalesce(?6, updated),
         digest = ?7, quiet_revisions = ?8, text_block = ?9, text_at = ?10, text_length = ?11, id_page_key = ?12, has_moved = max(has_moved, ?13),
         text_hash = ?14, revised_at = ?15, gone_at = NULL, withdrawn = 0 WHERE id = ?1",
    )?;
    update.execute(params![
        revision.entry.0,
        page,
        entry.permalink.as_ref().map(Permalink::as_str),
        entry.title,
        entry.published.map(millis),
        entry.updated.map(millis),
        entry.digest,
        revision.quiet_revisions,
        text.block,
        text.at,
        text.length,
        id_page,
        has_moved,
        identity::text_hash(&entry.detail),
        millis(at),
    ])?;
    seal(connection, revision.entry)?;
    Ok(has_moved)
}

/// Whether an entry that another newsfold publishes says what it said, and nothing is new but who else tells its story. Of one
/// that nobody else tells it is not asked.
///
/// # Errors
/// When the store cannot be read.
pub fn is_as_written(connection: &Connection, entry: EntryRef, now: &Entry) -> Result<bool> {
    if now.detail.also_told_by.is_empty() {
        return Ok(false);
    }
    let mut same = connection.prepare_cached(concat!(
        "SELECT 1 FROM entry WHERE id = ?1 AND title = ?2 AND permalink IS ?3 AND updated IS ?4 AND ",
        entry_is_whole!()
    ))?;
    let page = now.permalink.as_ref().map(Permalink::as_str);
    if !same.exists(params![entry.0, now.title, page, now.updated.map(millis)])? {
        return Ok(false);
    }
    let before = match detail_of(connection, entry) {
        Err(error) if error.policy() == Policy::Report => return Ok(false),
        detail => detail?,
    };
    let written = |detail: Detail| Detail { also_told_by: Vec::new(), ..detail };
    Ok(written(before) == written(now.detail.clone()))
}

/// Whether the row of an entry is what was stored.
fn is_whole(connection: &Connection, entry: EntryRef) -> Result<bool> {
    let mut query = connection.prepare_cached(concat!("SELECT 1 FROM entry WHERE id = ?1 AND ", entry_is_whole!()))?;
    Ok(query.exists([entry.0])?)
}

/// Stores the checksum of an entry whose row was changed.
fn seal(connection: &Connection, entry: EntryRef) -> Result<()> {
    let mut update =
        connection.prepare_cached(concat!("UPDATE entry SET checksum = ", entry_checksum!(), " WHERE id = ?1"))?;
    update.execute([entry.0])?;
    Ok(())
}

/// Puts right what the damaged row of an entry says beside what its publisher says `now`: what cannot be known is as for one
/// that comes `at` this time. Its text's block may be any, and is left alone.
fn reset(connection: &Connection, feed: FeedRef, entry: EntryRef, now: &Entry, at: DateTime<Utc>) -> Result<()> {
    let mut update = connection.prepare_cached(
        "UPDATE entry SET feed = ?5, entry_id = ?2, id_hash = ?3, published = NULL, updated = NULL,
         first_seen = coalesce((SELECT founded FROM story WHERE id = ?1), min(max(first_seen, 0), ?4)),
         story = coalesce((SELECT coalesce(merged_into, id) FROM story WHERE id = ?1),
                          (SELECT matched.story FROM fold JOIN entry AS matched ON matched.id = fold.matched WHERE fold.entry = ?1), story),
         place = coalesce((SELECT sort_at FROM story WHERE id = ?1), min(max(first_seen, 0), ?4)), archived = 0, has_moved = 0,
         withdrawn = 0, told_since = NULL WHERE id = ?1",
    )?;
    update.execute(params![entry.0, now.id.0, now.id.hash(), millis(at), feed.0])?;
    Ok(())
}

/// Stores since when an entry counts as telling its story.
///
/// # Errors
/// When the store refuses.
pub fn tells_since(connection: &Connection, entry: EntryRef, since: DateTime<Utc>) -> Result<()> {
    let mut update = connection.prepare_cached("UPDATE entry SET told_since = ?2 WHERE id = ?1")?;
    update.execute(params![entry.0, millis(since)])?;
    Ok(())
}

/// Stores that an entry took over what `claims` had told of its page until `now`.
///
/// It counts as telling the story for as long as they did, and they for as long as they are listed below it. So nothing that
/// came in between gets before it, whatever becomes of them.
///
/// # Errors
/// When the store refuses.
pub fn take_over(connection: &Connection, entry: EntryRef, claims: &[EntryRef], now: DateTime<Utc>) -> Result<()> {
    let mut inherit = connection.prepare_cached(
        "UPDATE entry SET told_since = min(coalesce(told_since, first_seen),
             (SELECT coalesce(told_since, first_seen) FROM entry WHERE id = ?2)) WHERE id = ?1",
    )?;
    for claim in claims {
        inherit.execute([entry.0, claim.0])?;
        tells_since(connection, *claim, now)?;
    }
    Ok(())
}

/// Stores that a publisher gave an entry another id. One that leads to another page now than its link does counts as an edit
/// that led it there.
///
/// # Errors
/// When the store refuses.
pub fn rename(connection: &Connection, entry: EntryRef, now: &Entry) -> Result<()> {
    let mut update = connection.prepare_cached(
        "UPDATE entry SET entry_id = ?2, id_hash = ?3, has_moved = max(has_moved, ?5 AND id_page_key IS NOT ?4), id_page_key = ?4 WHERE id = ?1",
    )?;
    let page_of = |page: &Permalink| page.without_scheme().split('#').next().unwrap_or_default().to_owned();
    let leads_elsewhere =
        now.id_permalink.as_ref().is_some_and(|page| now.permalink.as_ref().map(page_of) != Some(page_of(page)));
    let id_page = now.id_permalink.as_ref().map(Permalink::key);
    update.execute(params![entry.0, now.id.0, now.id.hash(), id_page, leads_elsewhere])?;
    seal(connection, entry)
}

/// Stores which entries left their feed's document, which of those were `withdrawn` from its midst, and which came back.
///
/// # Errors
/// When the store refuses.
pub fn relist(
    connection: &Connection,
    gone: &[EntryRef],
    withdrawn: &[EntryRef],
    back: &[EntryRef],
    now: DateTime<Utc>,
) -> Result<()> {
    let mut left =
        connection.prepare_cached("UPDATE entry SET gone_at = ?2, withdrawn = ?3 WHERE id = ?1 AND gone_at IS NULL")?;
    for entry in gone {
        left.execute(params![entry.0, millis(now), withdrawn.contains(entry)])?;
    }
    let mut returned = connection
        .prepare_cached("UPDATE entry SET gone_at = NULL, withdrawn = 0 WHERE id = ?1 AND gone_at IS NOT NULL")?;
    for entry in back {
        returned.execute([entry.0])?;
    }
    Ok(())
}

/// The most entries of one page that are looked at from either end. Some feeds give every entry the same page.
const MOST_OF_A_PAGE: usize = 128;

/// The stored entries of a story that lead to one of `permalinks`, or whose id does.
///
/// Those that speak for their stories come first, then the oldest. Of very many on one page there are the oldest, the newest,
/// and those that speak for the stories of these.
///
/// # Errors
/// When the store cannot be read.
pub fn leading_to<'a>(connection: &Connection, permalinks: impl Iterator<Item = &'a Permalink>) -> Result<Pages> {
    let mut query = connection.prepare_cached(concat!(
        "SELECT entry.id, feed, entry.title, permalink, iif(id_page_key IS NULL, NULL, entry_id), site, entry.published, first_seen,
                text_hash, gone_at, story, canonical, has_moved
         FROM entry CROSS JOIN feed ON feed.id = feed CROSS JOIN story ON story.id = entry.story
         WHERE entry.id = ?1 AND configured = 1 AND is_closed = 0 AND ",
        entry_is_whole!(),
    ))?;
    let mut one = |entry: u64| {
        let read = |row: &Row<'_>| {
            let (telling, canonical) = (read_telling(row)?, row.get::<_, u64>(11)?);
            let since = (!row.get::<_, bool>(12)?).then_some(row.get(7)?).map(instant);
            let standing = Standing { story: StoryRef(row.get(10)?), speaks: canonical == entry, since };
            Ok((telling, standing, canonical))
        };
        query.query_row([entry], read).optional()
    };
    let mut few = connection.prepare_cached(
        "SELECT id FROM entry WHERE permalink_key = ?1 UNION ALL SELECT id FROM entry WHERE id_page_key = ?1 LIMIT ?2",
    )?;
    let mut pages = Pages::default();
    let mut asked = HashSet::new();
    for permalink in permalinks.filter(|permalink| !permalink.is_front_page()) {
        let key = permalink.key();
        if !asked.insert(key) {
            continue;
        }
        let mut entries = found_on_page(&mut few, key)?;
        if entries.is_empty() {
            continue;
        }
        if entries.len() >= MOST_OF_A_PAGE {
            entries = ends_of_page(connection, key)?;
        }
        let mut found = Vec::with_capacity(entries.len());
        for entry in &entries {
            found.extend(one(*entry)?);
        }
        let speakers: BTreeSet<u64> = found.iter().map(|(_, _, canonical)| *canonical).collect();
        for speaker in speakers.difference(&entries) {
            let leads_here = |(telling, ..): &(Telling, _, _)| telling.permalinks.iter().any(|page| page.key() == key);
            found.extend(one(*speaker)?.filter(leads_here));
        }
        found.sort_by_key(|(telling, standing, _)| (!standing.speaks, telling.entry));
        found.iter().for_each(|(telling, standing, _)| pages.add(telling, *standing));
    }
    Ok(pages)
}

/// The entries that a statement finds on the page with this key, as many as are looked at.
fn found_on_page(query: &mut Statement<'_>, key: i64) -> Result<BTreeSet<u64>> {
    let rows = query.query_map(params![key, MOST_OF_A_PAGE], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The oldest and the newest entries whose page has this key, or the page that their id leads to.
fn ends_of_page(connection: &Connection, key: i64) -> Result<BTreeSet<u64>> {
    let mut ends = BTreeSet::new();
    for sql in [
        "SELECT id FROM entry WHERE permalink_key = ?1 ORDER BY id LIMIT ?2",
        "SELECT id FROM entry WHERE permalink_key = ?1 ORDER BY id DESC LIMIT ?2",
        "SELECT id FROM entry WHERE id_page_key = ?1 ORDER BY id LIMIT ?2",
        "SELECT id FROM entry WHERE id_page_key = ?1 ORDER BY id DESC LIMIT ?2",
    ] {
        ends.append(&mut found_on_page(&mut *connection.prepare_cached(sql)?, key)?);
    }
    Ok(ends)
}

/// A telling in the columns `id, feed, title, permalink`, the publisher's id where that leads to a page of its own, then
/// `site, published, first_seen, text_hash, gone_at`.
fn read_telling(row: &Row<'_>) -> rusqlite::Result<Telling> {
    let permalink = row.get::<_, Option<String>>(3)?.map(Permalink::stored);
    let id_page = row.get_ref(4)?.as_str_or_null()?.and_then(|id| id.parse().ok());
    Ok(Telling {
        entry: EntryRef(row.get(0)?),
        feed: Some(row.get(1)?),
        title: row.get(2)?,
        permalinks: permalink.into_iter().chain(id_page).collect(),
        site: Some(Site::new(row.get::<_, String>(5)?)),
        published: instant(row.get::<_, Option<i64>>(6)?.unwrap_or(row.get(7)?)),
        text: row.get(8)?,
        seen: instant(row.get(7)?),
        left: row.get::<_, Option<i64>>(9)?.map(instant),
    })
}

/// The hash of an entry's text; `None` where it has none.
///
/// # Errors
/// When the store cannot be read.
pub fn text_hash_of(connection: &Connection, entry: EntryRef) -> Result<Option<i64>> {
    let mut query = connection.prepare_cached("SELECT text_hash FROM entry WHERE id = ?1")?;
    Ok(query.query_row([entry.0], |row| row.get(0))?)
}

/// An entry as it is listed for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Plain text.
    pub title: String,
    /// Its page.
    pub permalink: Option<String>,
    /// By the publisher's word.
    pub published: Option<DateTime<Utc>>,
    /// By our own clock.
    pub first_seen: DateTime<Utc>,
    /// The story that it tells, if that is published.
    pub story: Option<StoryId>,
    /// How many feeds tell that story.
    pub sources: Option<u32>,
}

/// The entries of a feed that were seen last, newest first, without those that a person had forgotten.
///
/// # Errors
/// When the store cannot be read.
pub fn newest_of(connection: &Connection, feed: FeedRef, most: usize) -> Result<Vec<Listed>> {
    let mut query = connection.prepare_cached(concat!(
        "SELECT entry.title, permalink, entry.published, first_seen, public_id, sources
         FROM (SELECT id AS found FROM entry INDEXED BY entry_by_id WHERE feed = ?1
               AND NOT EXISTS (SELECT 1 FROM correction WHERE correction.entry = entry.id AND kind = 'forget') ORDER BY id DESC LIMIT ?2)
         JOIN entry ON entry.id = found LEFT JOIN story ON story.id = entry.story AND sort_at IS NOT NULL WHERE ",
        entry_is_whole!(),
        " ORDER BY found DESC",
    ))?;
    let rows = query.query_map(params![feed.0, most], |row| {
        Ok(Listed {
            title: row.get(0)?,
            permalink: row.get(1)?,
            published: row.get::<_, Option<i64>>(2)?.map(instant),
            first_seen: instant(row.get(3)?),
            story: row.get::<_, Option<[u8; 16]>>(4)?.map(StoryId),
            sources: row.get(5)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The text of an entry: an empty one where there is none, and one that says so where it is damaged.
///
/// # Errors
/// When the store cannot be read.
pub fn detail_of(connection: &Connection, entry: EntryRef) -> Result<Detail> {
    detail_beside(connection, entry, &mut LastBlock::default())
}

/// The same, read from the block that was unpacked last, if it is there.
///
/// # Errors
/// When the store cannot be read.
pub fn detail_beside(connection: &Connection, entry: EntryRef, last: &mut LastBlock) -> Result<Detail> {
    match place_of(connection, entry)?.map(|place| last.read(connection, place)) {
        Some(Err(Error::Damaged(what))) => {
            tracing::debug!(name: "entry.unreadable", { entry.id = entry.0 }, "{what}");
            Ok(Detail { is_damaged: true, ..Detail::default() })
        }
        found => found.unwrap_or_else(|| Ok(Detail::default())),
    }
}

/// Takes the text from an entry, because it is damaged; the entry keeps all else.
///
/// # Errors
/// When the store refuses.
pub fn forget_text(connection: &Connection, entry: EntryRef) -> Result<()> {
    if let Some(place) = place_of(connection, entry)? {
        texts::release(connection, place)?;
    }
    let mut update = connection
        .prepare_cached("UPDATE entry SET text_block = NULL, text_at = NULL, text_length = NULL WHERE id = ?1")?;
    update.execute([entry.0])?;
    Ok(())
}

/// Gives an entry, which has lost its text, the one that its publisher has for it now.
///
/// # Errors
/// When the store refuses.
pub fn restore(connection: &Connection, entry: EntryRef, text: Place) -> Result<()> {
    let mut update =
        connection.prepare_cached("UPDATE entry SET text_block = ?2, text_at = ?3, text_length = ?4 WHERE id = ?1")?;
    update.execute(params![entry.0, text.block, text.at, text.length])?;
    Ok(())
}

fn place_of(connection: &Connection, entry: EntryRef) -> Result<Option<Place>> {
    let mut query = connection.prepare_cached(concat!(
        "SELECT ",
        place_columns!(),
        " FROM entry WHERE id = ?1 AND text_block > 0"
    ))?;
    Ok(query.query_row([entry.0], |row| Place::read(row, 0)).optional()?)
}

/// What folding reads of a stored entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Which entry.
    pub entry: EntryRef,
    /// Who tells it.
    pub feed: FeedRef,
    /// Its page.
    pub page: Option<Permalink>,
    /// Plain text.
    pub title: String,
    /// Plain text; empty where there is none.
    pub summary: String,
    /// Plain text; empty where there is none.
    pub content: String,
    /// BCP 47 tag, by the publisher's word.
    pub language: Option<String>,
    /// By the publisher's word.
    pub published: Option<DateTime<Utc>>,
    /// When it was first seen.
    pub first_seen: DateTime<Utc>,
}

impl Text {
    /// It, for the fold.
    #[must_use]
    pub fn article(&self) -> Article<'_> {
        Article {
            entry: self.entry,
            feed: Some(self.feed.0),
            page: self.page.as_ref(),
            title: &self.title,
            summary: &self.summary,
            content: &self.content,
            language: self.language.as_deref(),
            at: self.first_seen,
            published: self.published,
        }
    }
}

/// What folding reads of a stored entry.
///
/// # Errors
/// When there is no such entry, or the store is damaged.
pub fn text_of(connection: &Connection, entry: EntryRef) -> Result<Text> {
    let mut query = connection.prepare_cached(concat!(
        "SELECT feed, permalink, iif(",
        entry_is_whole!(),
        ", title, ''), first_seen, published FROM entry WHERE id = ?1"
    ))?;
    let (feed, page, title, first_seen, published): (u64, Option<String>, String, i64, Option<i64>) =
        query.query_row([entry.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))?;
    let Detail { summary, content, language, .. } = detail_of(connection, entry)?;
    let plain = |markup: Option<String>| markup.as_deref().map(text::plain).unwrap_or_default();
    Ok(Text {
        entry,
        feed: FeedRef(feed),
        page: page.map(Permalink::stored),
        title,
        summary: plain(summary),
        content: plain(content),
        language,
        published: published.map(instant),
        first_seen: instant(first_seen),
    })
}

/// An entry that tells a story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The entry, as far as its links are looked at.
    pub telling: Telling,
    /// Its story.
    pub story: StoryRef,
    /// The entry that a person joined it to, or that it is itself by what newsfolds elsewhere call it.
    pub joined_to: Option<EntryRef>,
}

/// The entries that tell a story and were first seen since `begins`, in the order in which they came.
///
/// # Errors
/// When the store cannot be read.
pub fn told_since(connection: &Connection, begins: DateTime<Utc>) -> Result<Vec<Told>> {
    let mut query = connection.prepare_cached(concat!(
        "SELECT entry.id, feed, entry.title, permalink, iif(id_page_key IS NULL, NULL, entry_id), site, published, first_seen,
                text_hash, gone_at, story,
                (SELECT matched FROM fold WHERE entry = entry.id AND (rule = 'person' OR
                    (rule = 'link' AND EXISTS (SELECT 1 FROM known_as WHERE known_as.entry IN (fold.entry, fold.matched)))))
         FROM entry JOIN feed ON feed.id = feed WHERE story IS NOT NULL AND first_seen >= ?1 AND ",
        entry_is_whole!(),
        " ORDER BY entry.id",
    ))?;
    let rows = query.query_map([millis(begins)], |row| {
        Ok(Told {
            telling: read_telling(row)?,
            story: StoryRef(row.get(10)?),
            joined_to: row.get::<_, Option<u64>>(11)?.map(EntryRef),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
