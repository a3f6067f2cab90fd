//! The tables, and how an older store becomes this one.
//!
//! Pure but for [`migrate`], which writes to the connection it is given. A change to the tables is a new line at the end of
//! [`MIGRATIONS`]; a line that was released never changes.

use rusqlite::{Connection, TransactionBehavior};

/// Marks a SQLite file as ours ("nwsf").
pub const APPLICATION_ID: i32 = 0x6e77_7366;

/// Each takes the tables one version further; how many there are is the version.
pub const MIGRATIONS: &[&str] = &[include_str!("schema/1.sql"), include_str!("schema/2.sql")];

/// Brings the tables to the newest version, each step in a transaction of its own.
///
/// # Errors
/// When the database refuses; the steps before it stay.
pub fn migrate(connection: &mut Connection, from: usize) -> rusqlite::Result<()> {
    for (at, step) in MIGRATIONS.iter().enumerate().skip(from) {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute_batch(step)?;
        tx.pragma_update(None, "user_version", i64::try_from(at + 1).unwrap_or(i64::MAX))?;
        tx.commit()?;
    }
    Ok(())
}
