//! Servers that asked to be left alone, over restarts.
//!
//! Edge: SQL on the connection it is given. What a hold means is `politeness::cooldowns`' to say.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, params};

use crate::politeness::cooldowns::Cooldowns;
use crate::store::{Result, instant, millis};

/// Stores that a domain is left alone until then, as [`Cooldowns::put`] has it, and forgets the holds that are over.
///
/// # Errors
/// When the store refuses.
pub fn put(connection: &Connection, domain: &str, until: DateTime<Utc>, now: DateTime<Utc>) -> Result<()> {
    connection.prepare_cached("DELETE FROM hold WHERE until <= ?1")?.execute([millis(now)])?;
    connection
        .prepare_cached("INSERT INTO hold VALUES (?1, ?2) ON CONFLICT DO UPDATE SET until = excluded.until")?
        .execute(params![domain, millis(until)])?;
    Ok(())
}

/// The holds that are in force.
///
/// # Errors
/// When the store cannot be read.
pub fn all(connection: &Connection, now: DateTime<Utc>) -> Result<Cooldowns> {
    let mut query = connection.prepare_cached("SELECT domain, until FROM hold WHERE until > ?1")?;
    let rows = query.query_map([millis(now)], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
    let mut cooldowns = Cooldowns::default();
    for row in rows {
        let (domain, until) = row?;
        cooldowns.restore(domain, instant(until));
    }
    Ok(cooldowns)
}
