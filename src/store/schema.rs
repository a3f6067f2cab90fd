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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::EntryRef;
    use crate::store::entries;

    #[test]
    fn a_store_of_the_first_version_keeps_its_texts() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(MIGRATIONS[0]).unwrap();
        connection
            .execute_batch(
                "INSERT INTO feed (id, identity, address, name, configured, next_poll, next_poll_why)
                 VALUES (1, 'https://one.example/feed', 'https://one.example/feed', 'one', 1, 0, '');
                 INSERT INTO entry (id, feed, id_hash, entry_id, title, first_seen, digest, archived, detail)
                 VALUES (7, 1, 42, 'a', 'A title', 0, 0, 0, CAST(x'00' || '{\"c\":\"<p>The text</p>\"}' AS BLOB));",
            )
            .unwrap();
        migrate(&mut connection, 1).unwrap();
        let detail = entries::detail_of(&connection, EntryRef(7)).unwrap();
        assert_eq!(detail.content.as_deref(), Some("<p>The text</p>"));
    }
}
