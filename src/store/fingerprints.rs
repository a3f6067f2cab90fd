//! What folding remembers, in the store: the prints of its window, how rare terms are, and what that does not count yet.
//!
//! Edge: SQL on the connection it is given. A restart reads the index from here; it decides nothing a second time.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, params};

use crate::fold::fingerprint::{self, Fingerprint};
use crate::fold::index::{Index, Stored};
use crate::fold::weights::Weights;
use crate::fold::{EntryRef, Rules, StoryRef};
use crate::store::{Result, corrections, instant, millis};

/// Keeps the print of an entry. (`OR REPLACE` would have SQLite copy the page first, to be able to take it back.)
///
/// # Errors
/// When the store refuses.
pub fn add(connection: &Connection, fingerprint: &Fingerprint) -> Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO print (entry, bytes) VALUES (?1, ?2) ON CONFLICT (entry) DO UPDATE SET bytes = ?2",
    )?;
    insert.execute(params![fingerprint.entry.0, fingerprint.to_bytes()])?;
    Ok(())
}

/// Keeps what the weights have learned since they were kept, as [`Fingerprint::terms_to_bytes`] writes it, in its order.
///
/// # Errors
/// When the store refuses.
pub fn note_terms(connection: &Connection, terms: &[u8]) -> Result<()> {
    if !terms.is_empty() {
        connection.prepare_cached("INSERT INTO uncounted (terms) VALUES (?1)")?.execute([terms])?;
    }
    Ok(())
}

/// Says of an entry whose print is kept that it is in its story for where it leads alone.
///
/// # Errors
/// When the store refuses.
pub fn discount(connection: &Connection, entry: EntryRef) -> Result<()> {
    let mut query = connection.prepare_cached("SELECT bytes FROM print WHERE entry = ?1")?;
    let bytes: Option<Vec<u8>> = query.query_row([entry.0], |row| row.get(0)).optional()?;
    match bytes.and_then(|bytes| Fingerprint::from_bytes(entry, &bytes)) {
        Some(fingerprint) => add(connection, &Fingerprint { is_claim: true, ..fingerprint }),
        None => Ok(()),
    }
}

/// How rare terms were when that was kept last.
///
/// # Errors
/// When the store cannot be read.
pub fn weights(connection: &Connection) -> Result<Weights> {
    let mut query = connection.prepare_cached("SELECT bytes FROM weights")?;
    let kept: Option<Vec<u8>> = query.query_row([], |row| row.get(0)).optional()?;
    Ok(kept.and_then(|bytes| Weights::from_bytes(&bytes)).unwrap_or_default())
}

/// How rare terms are, with all that was learned since that was kept.
fn weights_of_now(connection: &Connection) -> Result<Weights> {
    let mut weights = weights(connection)?;
    let mut query = connection.prepare_cached("SELECT terms FROM uncounted ORDER BY id")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        fingerprint::learn_terms(&mut weights, row.get_ref(0)?.as_blob().unwrap_or_default());
    }
    Ok(weights)
}

/// The index as it was when the last print was kept.
///
/// A print that cannot be read, as one of another version, is left out: its entry is folded with by link alone.
///
/// # Errors
/// When the store cannot be read.
pub fn restore(connection: &Connection, rules: Rules, now: DateTime<Utc>) -> Result<Index> {
    let weights = weights_of_now(connection)?;
    // Put in order before the prints are read: with these they would be more than SQLite sorts in memory.
    let mut query = connection.prepare_cached(
        "WITH told AS MATERIALIZED
             (SELECT entry.id AS entry, entry.story, founder.first_seen, founder.published, entry.feed
              FROM entry LEFT JOIN entry AS founder ON founder.id = entry.story
              JOIN feed ON feed.id = entry.feed AND configured = 1 AND is_closed = 0
              WHERE entry.story IS NOT NULL AND max(entry.first_seen, coalesce(entry.told_since, 0)) >= ?1
              ORDER BY max(entry.first_seen, coalesce(entry.told_since, 0)), entry.id)
         SELECT bytes, story, told.entry, first_seen, published, feed FROM told CROSS JOIN print ON print.entry = told.entry",
    )?;
    let from = now.checked_sub_signed(rules.window).unwrap_or(DateTime::UNIX_EPOCH);
    let splits = corrections::splits(connection)?;
    let mut rows = query.query([millis(from)])?;
    let mut next = || -> Result<Option<Stored>> {
        while let Some(row) = rows.next()? {
            let bytes = row.get_ref(0)?.as_blob().unwrap_or_default();
            if let Some(fingerprint) = Fingerprint::from_bytes(EntryRef(row.get(2)?), bytes) {
                let time = |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(instant));
                let founded = time(3)?.map(|seen| fingerprint::told(seen, time(4).ok().flatten()));
                // Another feed may have taken over what this one told.
                let fingerprint = Fingerprint { feed: Some(row.get(5)?), ..fingerprint };
                return Ok(Some(Stored { fingerprint, story: StoryRef(row.get(1)?), founded }));
            }
        }
        Ok(None)
    };
    // One at a time: all of a window's prints beside the index would take more memory than it does.
    let mut fault = None;
    let stored = std::iter::from_fn(|| {
        next().unwrap_or_else(|error| {
            fault = Some(error);
            None
        })
    });
    let index = Index::restore(rules, weights, stored, splits);
    fault.map_or(Ok(index), Err)
}

/// Keeps the weights. All that was noted of what they learned is counted then.
///
/// # Errors
/// When the store refuses.
pub fn keep_weights(connection: &Connection, weights: &Weights) -> Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO weights (one, bytes) VALUES (1, ?1)")?
        .execute([weights.to_bytes()])?;
    connection.prepare_cached("DELETE FROM uncounted")?.execute([])?;
    Ok(())
}

/// Forgets the prints from before the window.
///
/// # Errors
/// When the store refuses.
pub fn forget(connection: &Connection, window_begins: DateTime<Utc>) -> Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM print WHERE entry IN
             (SELECT print.entry FROM print JOIN entry ON entry.id = print.entry WHERE first_seen < ?1)",
        )?
        .execute([millis(window_begins)])?;
    Ok(())
}
