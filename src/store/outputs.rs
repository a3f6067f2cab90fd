//! What was served: outputs by name, and the archives that were closed.
//!
//! Edge: SQL on the connection it is given. When an archive is closed, and what is in it, is `publish::archive`'s to say.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, params};

use crate::model::EntryRef;
use crate::store::{Result, instant, millis};

/// The bounds of a closed archive; what the one before it holds is not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// Its name within the output: a month, or a part of one.
    pub name: String,
    /// Its stories stand before this instant.
    pub until: DateTime<Utc>,
    /// The last entry that was known when it was closed.
    pub upto: EntryRef,
}

/// The documents of an output, as far as they are remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Of all of them together.
    pub digest: String,
    /// When one of them last changed.
    pub modified: DateTime<Utc>,
}

/// Remembers what is served of an output.
///
/// # Errors
/// When the store refuses.
pub fn serve(connection: &Connection, name: &str, served: &Served) -> Result<()> {
    let mut upsert =
        connection.prepare_cached("INSERT OR REPLACE INTO output (name, digest, modified) VALUES (?1, ?2, ?3)")?;
    upsert.execute(params![name, served.digest, millis(served.modified)])?;
    Ok(())
}

/// All outputs that were ever served, by name.
///
/// # Errors
/// When the store cannot be read.
pub fn served(connection: &Connection) -> Result<BTreeMap<String, Served>> {
    let mut query = connection.prepare_cached("SELECT name, digest, modified FROM output")?;
    let rows =
        query.query_map([], |row| Ok((row.get(0)?, Served { digest: row.get(1)?, modified: instant(row.get(2)?) })))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The closed archives of an output, oldest first.
///
/// # Errors
/// When the store cannot be read.
pub fn archives(connection: &Connection, output: &str) -> Result<Vec<Closed>> {
    let mut query =
        connection.prepare_cached("SELECT name, until, upto FROM archive WHERE output = ?1 ORDER BY until")?;
    let rows = query.query_map([output], |row| {
        Ok(Closed { name: row.get(0)?, until: instant(row.get(1)?), upto: EntryRef(row.get(2)?) })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// When the files of each archive of an output were last brought up to date.
///
/// # Errors
/// When the store cannot be read.
pub fn written(connection: &Connection, output: &str) -> Result<BTreeMap<String, DateTime<Utc>>> {
    let mut query =
        connection.prepare_cached("SELECT name, written FROM archive WHERE output = ?1 AND written IS NOT NULL")?;
    let rows = query.query_map([output], |row| Ok((row.get(0)?, instant(row.get(1)?))))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Notes that the files of an archive are up to date.
///
/// # Errors
/// When the store refuses.
pub fn wrote(connection: &Connection, output: &str, archive: &str, now: DateTime<Utc>) -> Result<()> {
    let mut update = connection.prepare_cached("UPDATE archive SET written = ?3 WHERE output = ?1 AND name = ?2")?;
    update.execute(params![output, archive, millis(now)])?;
    Ok(())
}

/// Closes archives of an output, in this order. One that ends a month takes the place of the parts of that month.
///
/// # Errors
/// When the store refuses.
pub fn close(connection: &Connection, output: &str, closed: &[Closed]) -> Result<()> {
    let mut parts = connection.prepare_cached("DELETE FROM archive WHERE output = ?1 AND name LIKE ?2 || '.%'")?;
    let mut insert = connection
        .prepare_cached("INSERT OR IGNORE INTO archive (output, until, upto, name) VALUES (?1, ?2, ?3, ?4)")?;
    for archive in closed {
        if !archive.name.contains('.') {
            parts.execute(params![output, archive.name])?;
        }
        insert.execute(params![output, millis(archive.until), archive.upto.0, archive.name])?;
    }
    Ok(())
}

/// Gives an output what there is of it under the name that it had: its digests, and its archives, whose files are to be written
/// anew. What it has under its own name stays.
///
/// # Errors
/// When the store refuses.
pub fn rename(connection: &Connection, former: &str, name: &str) -> Result<()> {
    let has_moved = |table: &str, also: &str| -> Result<bool> {
        let update = format!(
            "UPDATE {table} SET output = ?2{also} WHERE output = ?1 AND NOT EXISTS (SELECT 1 FROM {table} WHERE output = ?2)"
        );
        Ok(connection.prepare_cached(&update)?.execute([former, name])? > 0)
    };
    has_moved("archive", ", written = NULL")?;
    // How far its digests go belongs to what they are.
    if has_moved("digest_progress", "")? {
        has_moved("digest", "")?;
    }
    Ok(())
}

/// How often a person has corrected the stories.
///
/// # Errors
/// When the store cannot be read.
pub fn corrections(connection: &Connection) -> Result<u64> {
    Ok(connection.prepare_cached("SELECT corrections FROM tally")?.query_row([], |row| row.get(0))?)
}

/// Takes note of what is stored: gives a number that moves with the next change of anything that is shown, and what the
/// outputs' files were made of when all of them were last written.
///
/// # Errors
/// When the store refuses.
pub fn note(connection: &Connection) -> Result<(i64, Option<String>)> {
    connection.prepare_cached("UPDATE shown SET noted = change WHERE noted <> change")?.execute([])?;
    let mut query = connection.prepare_cached("SELECT change, files FROM shown")?;
    Ok(query.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// Says that something is shown that was not: what the triggers of schema 15 say of every other change, for those who come too
/// often for a trigger.
///
/// # Errors
/// When the store refuses.
pub(super) fn moved(connection: &Connection) -> Result<()> {
    connection.prepare_cached("UPDATE shown SET change = change + 1 WHERE change = noted")?.execute([])?;
    Ok(())
}

/// Remembers what the outputs' files were made of.
///
/// # Errors
/// When the store refuses.
pub fn wrote_files(connection: &Connection, made_of: &str) -> Result<()> {
    connection.prepare_cached("UPDATE shown SET files = ?1")?.execute([made_of])?;
    Ok(())
}

/// What decided who may see what when the outputs' files were last put right; `None` before that.
///
/// # Errors
/// When the store cannot be read.
pub fn standing(connection: &Connection) -> Result<Option<String>> {
    Ok(connection.prepare_cached("SELECT standing FROM shown")?.query_row([], |row| row.get(0))?)
}

/// Remembers what decides who may see what.
///
/// # Errors
/// When the store refuses.
pub fn stand(connection: &Connection, standing: &str) -> Result<()> {
    connection.prepare_cached("UPDATE shown SET standing = ?1")?.execute([standing])?;
    Ok(())
}

/// Notes that an output's command is to be run.
///
/// # Errors
/// When the store refuses.
pub fn owe_command(connection: &Connection, output: &str) -> Result<()> {
    let mut owe = connection.prepare_cached(
        "INSERT INTO owed_command (output, times) VALUES (?1, 1) ON CONFLICT (output) DO UPDATE SET times = times + 1",
    )?;
    owe.execute([output])?;
    Ok(())
}

/// Notes that an output's command was run when it was owed so many `times`. What changed since is still to be followed.
///
/// # Errors
/// When the store refuses.
pub fn strike_command(connection: &Connection, output: &str, times: u64) -> Result<()> {
    let mut strike = connection.prepare_cached("DELETE FROM owed_command WHERE output = ?1 AND times = ?2")?;
    strike.execute(params![output, times])?;
    Ok(())
}

/// The outputs whose command is to be run, each with how often its files changed since it was.
///
/// # Errors
/// When the store cannot be read.
pub fn commands_owed(connection: &Connection) -> Result<BTreeMap<String, u64>> {
    let mut query = connection.prepare_cached("SELECT output, times FROM owed_command")?;
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
