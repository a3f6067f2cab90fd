//! Feeds in the store: their state, when each is due, and what came of polling them.
//!
//! Edge: SQL on the connection it is given.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, params};
use url::Url;

use crate::fold::canonical::Site;
use crate::model::history::History;
use crate::model::rhythm::Rhythm;
use crate::model::{EntryRef, Feed, FeedRef, Validators};
use crate::schedule::Due;
use crate::store::checksum::feed_is_whole;
use crate::store::{Error, Result, instant, lists, millis};

/// The columns of a [`Feed`], in the order in which [`read`] takes them.
macro_rules! columns {
    () => {
        "id, identity, address, name, moved_to, etag, last_modified, body_hash, body_bytes, hints, title, link, next_poll, next_poll_why, \
         last_poll, last_success, last_full, failures, failing_since, last_error, retired_at, polls, not_modified, saved_bytes, response_ms, repairs, not_before, recent, read_from, rhythm, floods, planned_by, fresh_until, \
         (SELECT lease_until FROM hub_subscription AS hub WHERE hub.feed = feed.id AND hub.missed < 2 AND hub.pending IS NOT 'unsubscribe')"
    };
}

/// The columns that [`source`] reads.
macro_rules! source_columns {
    () => {
        concat!("id, identity, address, name, title, link, is_named, is_private, ", feed_is_whole!())
    };
}

/// A feed as the configuration names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configured {
    /// Where it is.
    pub address: Url,
    /// What it is called.
    pub name: String,
    /// What others' stories depend on.
    pub standing: Standing,
    /// When to poll it first, if the store does not know it yet.
    pub first_poll: DateTime<Utc>,
    /// Why then.
    pub first_poll_why: String,
    /// By what that was planned.
    pub planned_by: String,
}

/// What the configuration says of a feed that others' stories depend on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// Higher speaks for a story first.
    pub priority: i32,
    /// The site whose pages are its own.
    pub site: Site,
    /// Whether nothing joins what it tells.
    pub is_closed: bool,
    /// Whether its name is the operator's, and not made from its address.
    pub is_named: bool,
    /// Whether its address is not to be shown to strangers.
    pub is_private: bool,
    /// Whether the list that named it does so no more.
    pub has_left: bool,
}

/// What each subscribed feed's stories depend on.
fn standings(connection: &Connection) -> Result<HashMap<FeedRef, Standing>> {
    let mut query = connection.prepare_cached(
        "SELECT id, priority, site, is_closed, is_named, is_private, has_left FROM feed WHERE configured = 1",
    )?;
    let rows = query.query_map([], |row| {
        let site = Site::new(row.get::<_, String>(2)?);
        let standing = Standing {
            priority: row.get(1)?,
            site,
            is_closed: row.get(3)?,
            is_named: row.get(4)?,
            is_private: row.get(5)?,
            has_left: row.get(6)?,
        };
        Ok((FeedRef(row.get(0)?), standing))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// What a new configuration changed about the feeds that others' stories depend on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reconfigured {
    /// The handles of the feeds, in the order of the configuration.
    pub handles: Vec<FeedRef>,
    /// Feeds that are subscribed to since then, or no longer: all their stories are to be settled.
    pub changed: Vec<FeedRef>,
    /// Feeds that speak with another right: the stories that they share are to be settled.
    pub ranked_anew: Vec<FeedRef>,
    /// Whether others may now join what a feed tells, or no longer.
    pub joins_changed: bool,
    /// The lists that have another address since then, and name what they named before.
    pub moved_lists: Vec<FeedRef>,
}

impl Reconfigured {
    /// What this changed after `before`, taken together.
    #[must_use]
    pub fn after(mut self, before: Self) -> Self {
        let further = |known: &[FeedRef], feeds: Vec<FeedRef>| -> Vec<FeedRef> {
            feeds.into_iter().filter(|feed| !known.contains(feed)).collect()
        };
        self.changed.extend(further(&self.changed, before.changed));
        self.ranked_anew.extend(further(&self.ranked_anew, before.ranked_anew));
        self.moved_lists.extend(before.moved_lists);
        self.joins_changed |= before.joins_changed;
        self
    }
}

/// Makes the store's feeds those of the configuration, and says what that changed.
///
/// # Errors
/// When the store refuses.
pub fn reconfigure(connection: &Connection, feeds: &[Configured]) -> Result<Reconfigured> {
    let before = standings(connection)?;
    let (handles, moved_lists) = configure(connection, feeds)?;
    let mut update = connection.prepare_cached(
        "UPDATE feed SET priority = ?2, site = ?3, is_closed = ?4, is_named = ?5, is_private = ?6, has_left = ?7 WHERE id = ?1",
    )?;
    let mut reconfigured = Reconfigured { moved_lists, ..Reconfigured::default() };
    for (handle, Configured { standing, .. }) in handles.iter().zip(feeds) {
        let Standing { priority, site, is_closed, is_named, is_private, has_left } = standing;
        let former = before.get(handle);
        if former != Some(standing) {
            update.execute(params![handle.0, priority, site.as_str(), is_closed, is_named, is_private, has_left])?;
        }
        match former {
            None => reconfigured.changed.push(*handle),
            Some(former) if (former.priority, &former.site) != (*priority, site) => {
                reconfigured.ranked_anew.push(*handle);
            }
            Some(_) => {}
        }
        reconfigured.joins_changed |= former.is_some_and(|former| former.is_closed != *is_closed);
    }
    let named: HashSet<FeedRef> = handles.iter().copied().collect();
    let mut dropped: Vec<FeedRef> = before.into_keys().filter(|feed| !named.contains(feed)).collect();
    dropped.sort_unstable();
    reconfigured.changed.extend(dropped);
    reconfigured.handles = handles;
    Ok(reconfigured)
}

/// Makes the store's feeds those of the configuration, and gives their handles in its order, and which of them are lists that
/// have another address now.
///
/// A feed keeps its history when it is no longer named, and takes it up again when it comes back. One whose address was
/// corrected to where a permanent redirect had led is the same feed, and so is one that is asked over https from now on, or no
/// longer, or that has another address under the name that the operator gave it until now.
///
/// # Errors
/// When the store refuses.
fn configure(connection: &Connection, feeds: &[Configured]) -> Result<(Vec<FeedRef>, Vec<FeedRef>)> {
    let mut known = connection.prepare_cached("SELECT id FROM feed WHERE address = ?1")?;
    let mut moved =
        connection.prepare_cached("SELECT id FROM feed WHERE moved_to = ?1 AND configured = 0 ORDER BY id LIMIT 1")?;
    let mut idle = connection.prepare_cached("SELECT id FROM feed WHERE address = ?1 AND configured = 0")?;
    let mut first_named = connection.prepare_cached("SELECT id, configured FROM feed WHERE identity = ?1")?;
    let mut named = connection
        .prepare_cached("UPDATE feed SET configured = 1, name = ?2 WHERE id = ?1 AND (configured = 0 OR name <> ?2)")?;
    let mut followed = connection
        .prepare_cached("UPDATE feed SET configured = 1, name = ?2, address = ?3, moved_to = NULL WHERE id = ?1")?;
    // A validator goes to no other address than the one that it came from, and what failed there may do well here.
    let mut begun_anew = connection.prepare_cached(
        "UPDATE feed SET etag = NULL, last_modified = NULL, body_hash = NULL, read_from = NULL, retired_at = NULL, failures = 0, failing_since = NULL,
             last_error = NULL, last_error_at = NULL, not_before = NULL, fresh_until = NULL,
             next_poll = ?2, next_poll_why = ?3, planned_by = ?4 WHERE id = ?1",
    )?;
    let mut added = connection.prepare_cached(
        "INSERT INTO feed (identity, address, name, configured, next_poll, next_poll_why, planned_by) VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6)",
    )?;
    // Feeds that kept their address are told first, so that none of them is taken for one that moved.
    let mut handles: Vec<Option<u64>> = Vec::with_capacity(feeds.len());
    for feed in feeds {
        let id: Option<u64> = known.query_row([feed.address.as_str()], |row| row.get(0)).optional()?;
        if let Some(id) = id {
            named.execute(params![id, feed.name])?;
        }
        handles.push(id);
    }
    // Only what changes is written: at most starts nothing does.
    let named_still: HashSet<u64> = handles.iter().flatten().copied().collect();
    let mut query = connection.prepare_cached("SELECT id, name, is_named FROM feed WHERE configured = 1")?;
    let configured: Vec<(u64, String, bool)> =
        query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect::<rusqlite::Result<_>>()?;
    let mut dropped = connection.prepare_cached("UPDATE feed SET configured = 0 WHERE id = ?1")?;
    // What had a name until now. (A name that was free for a while may be another feed's by now.)
    let (mut bore, mut taken_up) = (HashMap::new(), HashSet::new());
    for (id, name, is_named) in configured.into_iter().filter(|(id, ..)| !named_still.contains(id)) {
        dropped.execute([id])?;
        if is_named {
            bore.insert(name, id);
        }
    }
    let mut moved_lists = Vec::new();
    let mut follow = |id: u64, feed: &Configured| -> Result<()> {
        if lists::follow(connection, id, feed.address.as_str())? {
            moved_lists.push(FeedRef(id));
        }
        followed.execute(params![id, feed.name, feed.address.as_str()])?;
        Ok(())
    };
    let handles = feeds
        .iter()
        .zip(handles)
        .map(|(feed, known)| {
            let (address, first_poll) = (feed.address.as_str(), millis(feed.first_poll));
            if let Some(id) = known {
                return Ok(FeedRef(id));
            }
            if let Some(id) = moved.query_row([address], |row| row.get::<_, u64>(0)).optional()? {
                follow(id, feed)?;
                taken_up.insert(id);
                return Ok(FeedRef(id));
            }
            // It may be known by the address that it was first configured with, or by the same one with or without encryption.
            let mut identity = address.to_owned();
            let named_so = |row: &Row<'_>| Ok((row.get::<_, u64>(0)?, row.get::<_, bool>(1)?));
            let mut taken = first_named.query_row([&identity], named_so).optional()?;
            let mut former = taken.filter(|(_, is_configured)| !is_configured).map(|(id, _)| id);
            let in_the_other_scheme = [("https://", "http://"), ("http://", "https://")]
                .into_iter()
                .find_map(|(now, then)| Some(format!("{then}{}", address.strip_prefix(now)?)));
            if let (None, Some(other)) = (former, in_the_other_scheme) {
                former = idle.query_row([other], |row| row.get(0)).optional()?;
            }
            if former.is_none() && feed.standing.is_named {
                former = bore.get(&feed.name).copied().filter(|id| !taken_up.contains(id));
            }
            if let Some(id) = former {
                follow(id, feed)?;
                taken_up.insert(id);
                begun_anew.execute(params![id, first_poll, feed.first_poll_why, feed.planned_by])?;
                return Ok(FeedRef(id));
            }
            // Another feed that went elsewhere keeps the name that its stories have from it.
            while taken.is_some() {
                identity.push('#');
                taken = first_named.query_row([&identity], named_so).optional()?;
            }
            added.execute(params![identity, address, feed.name, first_poll, feed.first_poll_why, feed.planned_by])?;
            Ok(FeedRef(u64::try_from(connection.last_insert_rowid()).unwrap_or_default()))
        })
        .collect::<Result<_>>()?;
    Ok((handles, moved_lists))
}

/// When each configured feed that is not retired is due.
///
/// # Errors
/// When the store cannot be read.
pub fn due_times(connection: &Connection) -> Result<Vec<(FeedRef, DateTime<Utc>)>> {
    let mut query = connection.prepare_cached(
        "SELECT id, next_poll FROM feed WHERE configured = 1 AND retired_at IS NULL ORDER BY next_poll, id",
    )?;
    let rows = query.query_map([], |row| Ok((FeedRef(row.get(0)?), instant(row.get(1)?))))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The configured feeds that were never asked.
///
/// # Errors
/// When the store cannot be read.
pub fn never_asked(connection: &Connection) -> Result<HashSet<FeedRef>> {
    let mut query = connection.prepare_cached("SELECT id FROM feed WHERE configured = 1 AND last_poll IS NULL")?;
    let rows = query.query_map([], |row| Ok(FeedRef(row.get(0)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Moves the due times of feeds that are about to be polled, each to its own, so that no crash can make us ask again at once.
///
/// # Errors
/// When the store refuses.
pub fn lease(connection: &Connection, leases: &[(FeedRef, DateTime<Utc>)], now: DateTime<Utc>) -> Result<()> {
    let mut update = connection
        .prepare_cached("UPDATE feed SET next_poll = ?2, next_poll_why = ?3, last_poll = ?4 WHERE id = ?1")?;
    for (feed, next) in leases {
        update.execute(params![feed.0, millis(*next), "a poll is under way", millis(now)])?;
    }
    Ok(())
}

/// Takes back the last failures of feeds that failed only because our network was down, of each so many.
///
/// # Errors
/// When the store refuses.
pub fn excuse(connection: &Connection, feeds: &[(FeedRef, u32)], next: DateTime<Utc>, why: &str) -> Result<()> {
    let mut update = connection.prepare_cached(
        "UPDATE feed SET failures = max(failures - ?4, 0), next_poll = ?2, next_poll_why = ?3,
         failing_since = CASE WHEN failures > ?4 THEN failing_since END, last_error = CASE WHEN failures > ?4 THEN last_error END WHERE id = ?1",
    )?;
    for (feed, times) in feeds {
        update.execute(params![feed.0, millis(next), why, times])?;
    }
    Ok(())
}

/// The feeds whose due times are planned by something, and whether a hub tells of their changes now.
///
/// # Errors
/// When the store cannot be read.
pub fn plans(connection: &Connection) -> Result<Vec<(FeedRef, String, bool)>> {
    let mut query = connection.prepare_cached(
        "SELECT id, planned_by, EXISTS (SELECT 1 FROM hub_subscription AS hub WHERE hub.feed = feed.id AND hub.missed < 2 AND hub.pending IS NOT 'unsubscribe' AND hub.lease_until IS NOT NULL)
         FROM feed WHERE configured = 1 AND retired_at IS NULL AND planned_by IS NOT NULL",
    )?;
    let rows = query.query_map([], |row| Ok((FeedRef(row.get(0)?), row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Stores when a feed is due, why, and by what that was planned.
///
/// # Errors
/// When the store refuses.
pub fn plan(connection: &Connection, feed: FeedRef, due: &Due, planned_by: &str) -> Result<()> {
    connection
        .prepare_cached("UPDATE feed SET next_poll = ?2, next_poll_why = ?3, planned_by = ?4 WHERE id = ?1")?
        .execute(params![feed.0, millis(due.at), due.reason, planned_by])?;
    Ok(())
}

/// Stores due times that had to be put right.
///
/// # Errors
/// When the store refuses.
pub fn put_right(connection: &Connection, feeds: &[(FeedRef, DateTime<Utc>)]) -> Result<()> {
    let mut update = connection.prepare_cached("UPDATE feed SET next_poll = ?2 WHERE id = ?1")?;
    for (feed, next) in feeds {
        update.execute(params![feed.0, millis(*next)])?;
    }
    Ok(())
}

/// The state of one feed.
///
/// # Errors
/// When there is no such feed, or the store cannot be read.
pub fn one(connection: &Connection, feed: FeedRef) -> Result<Feed> {
    let mut query = connection.prepare_cached(concat!("SELECT ", columns!(), " FROM feed WHERE id = ?1"))?;
    query.query_row([feed.0], |row| Ok(read(row)))?
}

/// The state of every configured feed, by name. One whose row cannot be read is left out.
///
/// # Errors
/// When the store cannot be read.
pub fn configured(connection: &Connection) -> Result<Vec<Feed>> {
    let mut query =
        connection.prepare_cached(concat!("SELECT ", columns!(), " FROM feed WHERE configured = 1 ORDER BY name"))?;
    let rows = query.query_map([], |row| Ok(readable(row, read(row))))?;
    Ok(rows.filter_map(Result::transpose).collect::<rusqlite::Result<_>>()?)
}

/// What is learned of a feed from all that it brought, by polls and by hubs: how often it publishes, and how many polls in a
/// row were all new. `None` when the store does not know the feed.
///
/// # Errors
/// When the store cannot be read.
pub fn learned(connection: &Connection, feed: FeedRef) -> Result<Option<(Rhythm, u32)>> {
    let mut query = connection.prepare_cached("SELECT rhythm, floods FROM feed WHERE id = ?1")?;
    let read = |row: &Row<'_>| Ok((rhythm(row, 0)?, row.get(1)?));
    Ok(query.query_row([feed.0], read).optional()?)
}

fn rhythm(row: &Row<'_>, column: usize) -> rusqlite::Result<Rhythm> {
    Ok(row.get::<_, Option<Vec<u8>>>(column)?.as_deref().map(Rhythm::from_bytes).unwrap_or_default())
}

/// How many entries are stored of each feed.
///
/// # Errors
/// When the store cannot be read.
pub fn entry_counts(connection: &Connection) -> Result<HashMap<FeedRef, u64>> {
    let mut query =
        connection.prepare_cached("SELECT feed, count(*) FROM entry INDEXED BY entry_by_id GROUP BY feed")?;
    let rows = query.query_map([], |row| Ok((FeedRef(row.get(0)?), row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The name and page of every feed that has entries, configured or not: what credit is given by. One whose row cannot be read
/// is left out.
///
/// # Errors
/// When the store cannot be read.
pub fn sources(connection: &Connection) -> Result<Vec<Source>> {
    let mut query = connection.prepare_cached(concat!("SELECT ", source_columns!(), " FROM feed"))?;
    let rows = query.query_map([], |row| Ok(readable(row, source(row))))?;
    Ok(rows.filter_map(Result::transpose).collect::<rusqlite::Result<_>>()?)
}

/// Those of some feeds, by their handles.
///
/// # Errors
/// When the store cannot be read.
pub fn sources_of(
    connection: &Connection,
    feeds: impl IntoIterator<Item = FeedRef>,
) -> Result<HashMap<FeedRef, Source>> {
    let mut query = connection.prepare_cached(concat!("SELECT ", source_columns!(), " FROM feed WHERE id = ?1"))?;
    let mut sources = HashMap::new();
    for feed in feeds {
        if let Entry::Vacant(place) = sources.entry(feed) {
            let mut rows = query.query_map([feed.0], |row| Ok(readable(row, source(row))))?;
            if let Some(source) = rows.find_map(Result::transpose).transpose()? {
                place.insert(source);
            }
        }
    }
    Ok(sources)
}

fn source(row: &Row<'_>) -> rusqlite::Result<Source> {
    // What the configuration says of it is put right at each start.
    if !row.get::<_, bool>(8)? {
        let address: String = row.get(2)?;
        return Ok(Source {
            feed: FeedRef(row.get(0)?),
            identity: address.clone(),
            address,
            name: row.get(3)?,
            title: None,
            link: None,
            is_named: row.get(6)?,
            is_private: row.get(7)?,
        });
    }
    Ok(Source {
        feed: FeedRef(row.get(0)?),
        identity: row.get(1)?,
        address: row.get(2)?,
        name: row.get(3)?,
        title: row.get(4)?,
        link: row.get(5)?,
        is_named: row.get(6)?,
        is_private: row.get(7)?,
    })
}

/// A feed as credited in what we publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Our handle.
    pub feed: FeedRef,
    /// The address it was first configured with.
    pub identity: String,
    /// The address it is configured with.
    pub address: String,
    /// The name it is configured with.
    pub name: String,
    /// Its own title.
    pub title: Option<String>,
    /// The page it belongs to.
    pub link: Option<String>,
    /// Whether its name is the operator's, and not made from its address.
    pub is_named: bool,
    /// Whether its address is not to be shown to strangers.
    pub is_private: bool,
}

/// Stores what is remembered of a feed between polls; which entries it lists only when given. Gives whether it is read from
/// another address than before, which may be that of another feed.
///
/// A feed whose address was changed since it was read stays as it is: validators and due times of one address are not
/// another's.
///
/// # Errors
/// When the store refuses.
pub fn save(connection: &Connection, feed: &Feed, listed: Option<&[EntryRef]>) -> Result<bool> {
    let mut place = connection
        .prepare_cached("SELECT coalesce(read_from, moved_to) IS NOT ?2 FROM feed WHERE id = ?1 AND address = ?3")?;
    let now = feed.read_from.as_ref().or(feed.moved_to.as_ref()).map(Url::as_str);
    let has_moved = place.query_row(params![feed.feed.0, now, feed.address.as_str()], |row| row.get(0)).optional()?;
    match listed {
        None => save_quiet(connection, feed)?,
        Some(listed) => save_whole(connection, feed, listed)?,
    }
    Ok(has_moved.unwrap_or_default())
}

fn save_whole(connection: &Connection, feed: &Feed, listed: &[EntryRef]) -> Result<()> {
    let mut update = connection.prepare_cached(
        "UPDATE feed SET moved_to = ?2, etag = ?3, last_modified = ?4, body_hash = ?5, body_bytes = ?6, hints = ?7, title = ?8, link = ?9,
         next_poll = ?10, next_poll_why = ?11, last_success = ?12, last_full = ?13, failures = ?14, failing_since = ?15, last_error = ?16,
         retired_at = ?17, polls = ?18, not_modified = ?19, saved_bytes = ?20, response_ms = ?21, repairs = ?22, listed = ?23, not_before = ?24, recent = ?25, read_from = ?26,
         rhythm = ?27, floods = ?28, planned_by = ?29, fresh_until = ?30, checksum = row_checksum(id, identity, ?8, ?9) WHERE id = ?1 AND address = ?31",
    )?;
    update.execute(params![
        feed.feed.0,
        feed.moved_to.as_ref().map(Url::as_str),
        feed.validators.etag,
        feed.validators.last_modified,
        feed.body_hash,
        feed.body_bytes,
        json(&feed.hints),
        feed.title,
        feed.link,
        millis(feed.next_poll),
        feed.next_poll_why,
        feed.last_success.map(millis),
        feed.last_full.map(millis),
        feed.failures,
        feed.failing_since.map(millis),
        feed.last_error,
        feed.retired_at.map(millis),
        feed.polls,
        feed.not_modified,
        feed.saved_bytes,
        feed.response_ms,
        json(&feed.repairs),
        listed.iter().flat_map(|entry| entry.0.to_le_bytes()).collect::<Vec<u8>>(),
        feed.not_before.map(millis),
        feed.recent.as_bytes(),
        feed.read_from.as_ref().map(Url::as_str),
        feed.rhythm.to_bytes(),
        feed.floods,
        feed.planned_by,
        feed.fresh_until.map(millis),
        feed.address.as_str(),
    ])?;
    Ok(())
}

/// The columns that a poll without a new document can change.
fn save_quiet(connection: &Connection, feed: &Feed) -> Result<()> {
    let mut update = connection.prepare_cached(
        "UPDATE feed SET moved_to = ?2, etag = ?3, last_modified = ?4, next_poll = ?5, next_poll_why = ?6, last_success = ?7, failures = ?8,
         failing_since = ?9, last_error = ?10, retired_at = ?11, polls = ?12, not_modified = ?13, saved_bytes = ?14, response_ms = ?15,
         last_full = ?16, not_before = ?17, recent = ?18, read_from = ?19, planned_by = ?20, fresh_until = ?21 WHERE id = ?1 AND address = ?22",
    )?;
    update.execute(params![
        feed.feed.0,
        feed.moved_to.as_ref().map(Url::as_str),
        feed.validators.etag,
        feed.validators.last_modified,
        millis(feed.next_poll),
        feed.next_poll_why,
        feed.last_success.map(millis),
        feed.failures,
        feed.failing_since.map(millis),
        feed.last_error,
        feed.retired_at.map(millis),
        feed.polls,
        feed.not_modified,
        feed.saved_bytes,
        feed.response_ms,
        feed.last_full.map(millis),
        feed.not_before.map(millis),
        feed.recent.as_bytes(),
        feed.read_from.as_ref().map(Url::as_str),
        feed.planned_by,
        feed.fresh_until.map(millis),
        feed.address.as_str(),
    ])?;
    Ok(())
}

/// The entries that stood in the feed's last document.
///
/// # Errors
/// When the store cannot be read.
pub fn listed(connection: &Connection, feed: FeedRef) -> Result<Vec<EntryRef>> {
    let mut query = connection.prepare_cached("SELECT listed FROM feed WHERE id = ?1")?;
    let bytes: Option<Vec<u8>> = query.query_row([feed.0], |row| row.get(0))?;
    let (refs, _) = bytes.as_deref().unwrap_or_default().as_chunks::<8>();
    Ok(refs.iter().map(|bytes| EntryRef(u64::from_le_bytes(*bytes))).collect())
}

/// Whether ids of the feed have been seen to stay from one document to the next.
///
/// # Errors
/// When the store cannot be read.
pub fn ids_stay(connection: &Connection, feed: FeedRef) -> Result<bool> {
    let mut query = connection.prepare_cached("SELECT ids_stay FROM feed WHERE id = ?1")?;
    Ok(query.query_row([feed.0], |row| row.get(0))?)
}

/// Notes that they do.
///
/// # Errors
/// When the store refuses.
pub fn note_that_ids_stay(connection: &Connection, feed: FeedRef) -> Result<()> {
    let mut update = connection.prepare_cached("UPDATE feed SET ids_stay = 1 WHERE id = ?1 AND ids_stay = 0")?;
    update.execute([feed.0])?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Feed> {
    let address =
        |text: String| Url::parse(&text).map_err(|error| Error::Damaged(format!("the address of a feed: {error}")));
    let time = |at: Option<i64>| at.map(instant);
    Ok(Feed {
        feed: FeedRef(row.get(0)?),
        identity: row.get(1)?,
        address: address(row.get(2)?)?,
        name: row.get(3)?,
        moved_to: row.get::<_, Option<String>>(4)?.map(address).transpose()?,
        validators: Validators { etag: row.get(5)?, last_modified: row.get(6)? },
        body_hash: row.get(7)?,
        body_bytes: row.get(8)?,
        hints: parsed(row.get(9)?),
        title: row.get(10)?,
        link: row.get(11)?,
        next_poll: instant(row.get(12)?),
        next_poll_why: row.get(13)?,
        last_poll: time(row.get(14)?),
        last_success: time(row.get(15)?),
        last_full: time(row.get(16)?),
        failures: row.get(17)?,
        failing_since: time(row.get(18)?),
        last_error: row.get(19)?,
        retired_at: time(row.get(20)?),
        polls: row.get(21)?,
        not_modified: row.get(22)?,
        saved_bytes: row.get(23)?,
        response_ms: row.get(24)?,
        repairs: parsed(row.get(25)?),
        not_before: time(row.get(26)?),
        recent: row.get::<_, Option<Vec<u8>>>(27)?.map(History::from_bytes).unwrap_or_default(),
        read_from: row.get::<_, Option<String>>(28)?.map(address).transpose()?,
        rhythm: rhythm(row, 29)?,
        floods: row.get(30)?,
        planned_by: row.get(31)?,
        fresh_until: time(row.get(32)?),
        told_until: time(row.get(33)?),
    })
}

/// What was read of a feed's row; `None` when it cannot be read. Whoever polls it tells so.
fn readable<T, E: std::fmt::Display>(row: &Row<'_>, came: Result<T, E>) -> Option<T> {
    let told = |error: &E| {
        tracing::debug!(
            name: "feed.row_left_out",
            { feed.id = row.get::<_, u64>(0).ok() },
            "a feed's row is left out: {error}"
        )
    };
    came.inspect_err(told).ok()
}

/// JSON of a value that stays `NULL` while it says nothing.
fn json<T: serde::Serialize + Default + PartialEq>(value: &T) -> Option<String> {
    (*value != T::default()).then(|| serde_json::to_string(value).ok()).flatten()
}

/// A hint that cannot be read any more is no hint.
fn parsed<T: serde::de::DeserializeOwned + Default>(json: Option<String>) -> T {
    json.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default()
}

/// Has the feed of an entry asked for its whole document at the next poll, whether or not that has changed.
///
/// # Errors
/// When the store refuses.
pub fn ask_in_full(connection: &Connection, entry: EntryRef) -> Result<()> {
    let mut update = connection.prepare_cached(
        "UPDATE feed SET etag = NULL, last_modified = NULL, body_hash = NULL WHERE id = (SELECT feed FROM entry WHERE id = ?1)",
    )?;
    update.execute([entry.0])?;
    Ok(())
}

/// Forgets what a feed says of itself, because its row is damaged, and has it asked for that.
///
/// # Errors
/// When the store refuses.
pub fn forget_own_words(connection: &Connection, feed: FeedRef) -> Result<()> {
    connection.execute(
        "UPDATE feed SET title = NULL, link = NULL, etag = NULL, last_modified = NULL, body_hash = NULL,
         checksum = row_checksum(id, identity, NULL, NULL) WHERE id = ?1",
        [feed.0],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema;

    fn named(name: &str, address: &str) -> Configured {
        Configured {
            address: Url::parse(address).unwrap(),
            name: name.to_owned(),
            standing: Standing::default(),
            first_poll: DateTime::UNIX_EPOCH,
            first_poll_why: String::new(),
            planned_by: String::new(),
        }
    }

    #[test]
    fn a_feed_whose_address_is_edited_under_its_given_name_is_the_same_feed() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection, 0).unwrap();
        let configure = |feeds: &[(&str, &str, bool)]| {
            let feeds: Vec<Configured> = feeds
                .iter()
                .map(|(name, address, is_named)| Configured {
                    standing: Standing { is_named: *is_named, ..Standing::default() },
                    address: Url::parse(address).unwrap(),
                    name: (*name).to_owned(),
                    first_poll: DateTime::UNIX_EPOCH,
                    first_poll_why: String::new(),
                    planned_by: String::new(),
                })
                .collect();
            reconfigure(&connection, &feeds).unwrap().handles
        };
        let (given, derived) = (true, false);
        let before =
            configure(&[("blog", "https://a.example/1", given), ("b.example", "https://b.example/1", derived)]);
        let after = configure(&[("blog", "https://c.example/2", given), ("b.example", "https://b.example/2", derived)]);
        assert_eq!(before[0], after[0]);
        assert_ne!(before[1], after[1], "a derived name is no word of the operator's");
        let swapped = configure(&[("other", "https://c.example/2", given), ("blog", "https://d.example/", given)]);
        assert_eq!(swapped[0], after[0], "the address is the better witness");
        assert_ne!(swapped[1], after[0]);
        configure(&[]);
        let later = configure(&[("blog", "https://e.example/", given)]);
        assert_ne!(later[0], swapped[1], "a name that was free for a while may be another feed's");
    }

    #[test]
    fn a_feed_that_is_asked_over_https_from_now_on_is_the_same_feed() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection, 0).unwrap();
        let configure = |addresses: &[&str]| {
            let feeds: Vec<Configured> = addresses.iter().map(|address| named(address, address)).collect();
            configure(&connection, &feeds).unwrap().0
        };
        let before = configure(&["http://one.example/feed?a", "http://two.example/"]);
        connection.execute("UPDATE feed SET etag = x'31'", []).unwrap();
        let after = configure(&["https://one.example/feed?a", "http://two.example/", "https://two.example/"]);
        assert_eq!(before, after[..2]);
        assert_ne!(after[2], before[1], "both are named, so they are two");
        let vouched = |feed: FeedRef| -> bool {
            connection.query_row("SELECT etag IS NOT NULL FROM feed WHERE id = ?1", [feed.0], |row| row.get(0)).unwrap()
        };
        assert!(!vouched(after[0]) && vouched(after[1]));
        assert_ne!(configure(&["https://one.example/feed?b"])[0], before[0]);
        let all = "https://one.example/feed?a";
        assert_eq!(configure(&["http://one.example/feed?a"])[0], before[0], "and back");
        connection.execute("UPDATE feed SET retired_at = 1, failures = 9", []).unwrap();
        assert_eq!(configure(&[all])[0], before[0]);
        let is_due = "SELECT retired_at IS NULL AND failures = 0 FROM feed WHERE id = ?1";
        assert!(connection.query_row(is_due, [before[0].0], |row| row.get::<_, bool>(0)).unwrap());
        let both = configure(&[all, "http://one.example/feed?a"]);
        assert_eq!(both[0], before[0]);
        assert_ne!(both[1], before[0], "the old address is another feed beside the new one");
    }

    #[test]
    fn what_was_learned_at_one_address_is_not_stored_under_another() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection, 0).unwrap();
        let feed = configure(&connection, &[named("one", "http://one.example/feed")]).unwrap().0[0];
        let vouched = |feed: &Feed| Feed {
            validators: Validators { etag: Some(b"1".to_vec()), last_modified: None },
            failures: 3,
            ..feed.clone()
        };
        for listed in [None, Some(&[][..])] {
            configure(&connection, &[named("one", "http://one.example/feed")]).unwrap();
            let polled = one(&connection, feed).unwrap();
            // The configuration is read again while the poll is under way.
            assert_eq!(configure(&connection, &[named("one", "https://one.example/feed")]).unwrap().0, [feed]);
            save(&connection, &vouched(&polled), listed).unwrap();
            let now = one(&connection, feed).unwrap();
            assert_eq!((now.validators.etag.as_deref(), now.failures), (None, 0));
            save(&connection, &vouched(&now), listed).unwrap();
            assert_eq!(one(&connection, feed).unwrap().failures, 3, "what was learned there is kept");
        }
    }

    #[test]
    fn a_row_that_cannot_be_read_is_left_out_of_lists() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection, 0).unwrap();
        let feeds = ["ill", "well"].map(|name| named(name, &format!("https://{name}.example/")));
        configure(&connection, &feeds).unwrap();
        connection.execute("UPDATE feed SET moved_to = 'no address' WHERE name = 'ill'", []).unwrap();
        let names = |feeds: Vec<Feed>| feeds.into_iter().map(|feed| feed.name).collect::<Vec<_>>();
        assert_eq!(names(configured(&connection).unwrap()), ["well"]);
        assert_eq!(sources(&connection).unwrap().len(), 2, "credit needs no more than its name");
    }
}
