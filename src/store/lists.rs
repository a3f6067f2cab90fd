//! The feeds that lists elsewhere name.
//!
//! Edge: SQL on the connection it is given. What a reading of a list changes is `update::listing`'s to say.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, params};

use crate::store::{Result, millis};
use crate::update::listing::{self, Changes, Standing};

/// Every feed that a list names or named, by address.
///
/// # Errors
/// When the store cannot be read.
pub fn named_by(connection: &Connection, list: &str) -> Result<BTreeMap<String, Standing>> {
    let mut query =
        connection.prepare_cached("SELECT address, left_at IS NOT NULL, missed FROM listed WHERE list = ?1")?;
    let rows = query.query_map([list], |row| {
        let standing = if row.get(1)? { Standing::Left } else { Standing::Named { missed: row.get(2)? } };
        Ok((row.get(0)?, standing))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Lets the list that is `feed` name under its new address what it named under the one that it has still; gives whether it named
/// anything.
///
/// # Errors
/// When the store refuses.
pub fn follow(connection: &Connection, feed: u64, address: &str) -> Result<bool> {
    let mut follow = connection.prepare_cached(
        "UPDATE OR REPLACE listed SET list = ?2 WHERE list = (SELECT address FROM feed WHERE id = ?1)",
    )?;
    Ok(follow.execute(params![feed, address])? > 0)
}

/// Notes what a list names; gives what that changes.
///
/// # Errors
/// When the store refuses.
pub fn take(
    connection: &Connection,
    list: &str,
    named: &BTreeSet<String>,
    is_asked_for: bool,
    now: DateTime<Utc>,
) -> Result<Changes> {
    let changes = listing::plan(&named_by(connection, list)?, named, is_asked_for);
    let mut join = connection.prepare_cached(
        "INSERT INTO listed (list, address, since) VALUES (?1, ?2, ?3) ON CONFLICT (list, address) DO UPDATE SET left_at = NULL, missed = 0",
    )?;
    for address in &changes.joined {
        join.execute(params![list, address, millis(now)])?;
    }
    let mut leave = connection.prepare_cached("UPDATE listed SET left_at = ?3 WHERE list = ?1 AND address = ?2")?;
    for address in &changes.left {
        leave.execute(params![list, address, millis(now)])?;
    }
    for (feeds, now_missed) in [(&changes.missed, "missed + 1"), (&changes.found, "0")] {
        let mut miss = connection
            .prepare_cached(&format!("UPDATE listed SET missed = {now_missed} WHERE list = ?1 AND address = ?2"))?;
        for address in feeds {
            miss.execute([list, address])?;
        }
    }
    Ok(changes)
}
