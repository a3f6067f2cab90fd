//! The feeds that lists elsewhere name.
//!
//! Edge: SQL on the connection it is given. What a reading of a list changes is `update::listing`'s to say.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, params};

use crate::store::{Result, millis};
use crate::update::listing::{self, Changes, Doubt, Standing};

/// Every feed that a list names or named, by address.
///
/// # Errors
/// When the store cannot be read.
pub fn named_by(connection: &Connection, list: &str) -> Result<BTreeMap<String, Standing>> {
    let mut query = connection.prepare_cached("SELECT address, left_at IS NOT NULL FROM listed WHERE list = ?1")?;
    let rows = query.query_map([list], |row| {
        let standing = if row.get(1)? { Standing::Left } else { Standing::Named };
        Ok((row.get(0)?, standing))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
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
    let mut query = connection.prepare_cached("SELECT missing, readings FROM list_doubt WHERE list = ?1")?;
    let doubt = |row: &rusqlite::Row<'_>| Ok(Doubt { missing: row.get(0)?, readings: row.get(1)? });
    let before = query.query_row([list], doubt).optional()?;
    let changes = listing::plan(&named_by(connection, list)?, named, before, is_asked_for);
    let mut join = connection.prepare_cached(
        "INSERT INTO listed (list, address, since) VALUES (?1, ?2, ?3) ON CONFLICT (list, address) DO UPDATE SET left_at = NULL",
    )?;
    for address in &changes.joined {
        join.execute(params![list, address, millis(now)])?;
    }
    let mut leave = connection.prepare_cached("UPDATE listed SET left_at = ?3 WHERE list = ?1 AND address = ?2")?;
    for address in &changes.left {
        leave.execute(params![list, address, millis(now)])?;
    }
    connection.prepare_cached("DELETE FROM list_doubt WHERE list = ?1")?.execute([list])?;
    if let Some(Doubt { missing, readings }) = changes.doubt {
        connection
            .prepare_cached("INSERT INTO list_doubt (list, missing, readings) VALUES (?1, ?2, ?3)")?
            .execute(params![list, missing, readings])?;
    }
    Ok(changes)
}
