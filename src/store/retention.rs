//! What the store forgets, and when.
//!
//! Edge: SQL on the connection it is given. An entry that stands in its feed's document is never forgotten; one that left it
//! is, `store.keep` later. Its id stays as a tombstone, so that an entry which comes back is no news.

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Connection, params};

use crate::model::{EntryId, EntryRef, FeedRef, StoryRef};
use crate::store::texts::{self, Place, place_columns};
use crate::store::{Result, millis, search, stories};

/// After this long even the tombstone goes.
const TOMBSTONES_FOR: TimeDelta = TimeDelta::days(2 * 365);

/// The entries that may be forgotten: those that left their document before `?1`, and those of feeds that the
/// configuration does not name any more and that were last polled before `?1`. Those that left first come first. (`CROSS` has
/// SQLite begin with the few feeds.) What a person had forgotten is kept, or it would be news when it comes back.
macro_rules! expired {
    () => {
        "SELECT expired.id, at FROM (
             SELECT id, gone_at AS at FROM entry WHERE gone_at < ?1
             UNION ALL
             SELECT entry.id, last_poll FROM feed CROSS JOIN entry ON entry.feed = feed.id
             WHERE configured = 0 AND coalesce(last_poll, 0) < ?1 AND coalesce(gone_at, ?1) >= ?1) AS expired
         WHERE NOT EXISTS (SELECT 1 FROM correction WHERE correction.entry = expired.id AND kind = 'forget')"
    };
}

/// How many entries were last seen in their feed before `cutoff`.
///
/// # Errors
/// When the store cannot be read.
pub fn expired(connection: &Connection, cutoff: DateTime<Utc>) -> Result<u64> {
    let mut query = connection.prepare_cached(concat!("SELECT count(*) FROM (", expired!(), ")"))?;
    Ok(query.query_row([millis(cutoff)], |row| row.get(0))?)
}

/// Forgets entries that were last seen in their feed before `cutoff`, `most` of them at most, and says how many.
///
/// A story goes with its last entry; one that lost its speaker gets another.
///
/// # Errors
/// When the store refuses.
pub fn prune(connection: &Connection, cutoff: DateTime<Utc>, most: usize, now: DateTime<Utc>) -> Result<usize> {
    let mut query = connection.prepare_cached(concat!(expired!(), " ORDER BY 2, 1 LIMIT ?2"))?;
    let rows = query.query_map(params![millis(cutoff), most], |row| Ok(EntryRef(row.get(0)?)))?;
    let expired: Vec<EntryRef> = rows.collect::<rusqlite::Result<_>>()?;
    let mut told: Vec<StoryRef> = Vec::new();
    for entry in &expired {
        if let Some(story) = forget(connection, *entry, now)?
            && !told.contains(&story)
        {
            told.push(story);
        }
    }
    for story in told {
        let mut still_told = connection.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM entry WHERE story = ?1 AND story <> id) OR EXISTS (SELECT 1 FROM entry WHERE id = ?1 AND story = ?1)",
        )?;
        if still_told.query_row([story.0], |row| row.get(0))? {
            stories::settle(connection, story, now)?;
        } else {
            connection.prepare_cached("DELETE FROM story WHERE id = ?1 OR merged_into = ?1")?.execute([story.0])?;
        }
    }
    search::forget(connection, &expired)?;
    connection
        .prepare_cached("DELETE FROM tombstone WHERE pruned_at < ?1")?
        .execute([now.checked_sub_signed(TOMBSTONES_FOR).map(millis)])?;
    Ok(expired.len())
}

/// Takes one entry out, leaves its tombstone, and says which story it told.
fn forget(connection: &Connection, entry: EntryRef, now: DateTime<Utc>) -> Result<Option<StoryRef>> {
    let mut query =
        connection.prepare_cached(concat!("SELECT story, ", place_columns!(), " FROM entry WHERE id = ?1"))?;
    let (story, place) = query.query_row([entry.0], |row| Ok((row.get::<_, Option<u64>>(0)?, Place::read(row, 1)?)))?;
    texts::release(connection, place)?;
    // A feed that is not polled any more starts anew when it comes back: its validators vouch for what is forgotten here.
    connection
        .prepare_cached(
            "UPDATE feed SET etag = NULL, last_modified = NULL, body_hash = NULL, listed = NULL, last_success = NULL
             WHERE configured = 0 AND id = (SELECT feed FROM entry WHERE id = ?1)",
        )?
        .execute([entry.0])?;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO tombstone (feed, id_hash, pruned_at) SELECT feed, id_hash, ?2 FROM entry WHERE id = ?1",
        )?
        .execute(params![entry.0, millis(now)])?;
    connection.prepare_cached("DELETE FROM entry WHERE id = ?1")?.execute([entry.0])?;
    Ok(story.map(StoryRef))
}

/// Whether anything of the feed is forgotten, so that [`is_forgotten`] may be true of an entry.
///
/// # Errors
/// When the store cannot be read.
pub fn has_forgotten(connection: &Connection, feed: FeedRef) -> Result<bool> {
    Ok(connection.prepare_cached("SELECT 1 FROM tombstone WHERE feed = ?1 LIMIT 1")?.exists([feed.0])?)
}

/// Whether an entry of this id was known once and is forgotten.
///
/// # Errors
/// When the store cannot be read.
pub fn is_forgotten(connection: &Connection, feed: FeedRef, id: &EntryId) -> Result<bool> {
    let mut query = connection.prepare_cached("SELECT 1 FROM tombstone WHERE feed = ?1 AND id_hash = ?2")?;
    Ok(query.exists(params![feed.0, id.hash()])?)
}

/// Has an entry that was forgotten known again from now on.
///
/// # Errors
/// When the store refuses.
pub fn recall(connection: &Connection, feed: FeedRef, id: &EntryId) -> Result<()> {
    let mut delete = connection.prepare_cached("DELETE FROM tombstone WHERE feed = ?1 AND id_hash = ?2")?;
    delete.execute(params![feed.0, id.hash()])?;
    Ok(())
}

/// How many bytes of the file hold something, and how many are free to be given back.
///
/// # Errors
/// When the store cannot be read.
pub fn room(connection: &Connection) -> Result<(u64, u64)> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
    let (pages, free, size) = (pragma("page_count")?, pragma("freelist_count")?, pragma("page_size")?);
    Ok(((pages - free.min(pages)) * size, free * size))
}

/// Gives free pages at the end of the file back to the disk, `most` at most.
///
/// # Errors
/// When the store refuses.
pub fn give_back(connection: &Connection, most: u32) -> Result<()> {
    // Each row that it gives stands for a page; executed as other statements are, it would stop after the first.
    let mut pages = connection.prepare(&format!("PRAGMA incremental_vacuum({most})"))?;
    let mut given = pages.query([])?;
    while given.next()?.is_some() {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_back_many_pages_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("newsfold.db")).unwrap();
        connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; CREATE TABLE t (b); INSERT INTO t VALUES (zeroblob(1000000)); DELETE FROM t;").unwrap();
        let (_, free) = room(&connection).unwrap();
        give_back(&connection, 100).unwrap();
        let page: u64 = connection.pragma_query_value(None, "page_size", |row| row.get(0)).unwrap();
        assert_eq!(room(&connection).unwrap().1, free - 100 * page);
    }
}
