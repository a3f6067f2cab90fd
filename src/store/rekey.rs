//! Entries whose publisher gave them other ids, found again.
//!
//! Edge: SQL on the connection it is given. Which of them are the same is `update::rekeyed`'s to decide.

use rusqlite::Connection;

use crate::model::EntryRef;
use crate::store::Result;
use crate::update::{KnownEntry, ListedEntry};

/// The entries that stood in a feed's last document, with what tells them apart besides their ids.
///
/// # Errors
/// When the store cannot be read.
pub fn listed(connection: &Connection, entries: &[EntryRef]) -> Result<Vec<ListedEntry>> {
    let mut query = connection.prepare_cached(
        "SELECT digest, quiet_revisions, updated, title, published, text_block IS NULL FROM entry WHERE id = ?1 AND published IS NOT NULL AND title <> ''",
    )?;
    let mut found = Vec::new();
    for entry in entries {
        let mut rows = query.query([entry.0])?;
        while let Some(row) = rows.next()? {
            let known = KnownEntry {
                entry: *entry,
                digest: row.get(0)?,
                quiet_revisions: row.get(1)?,
                updated_ms: row.get(2)?,
                has_lost_text: row.get(5)?,
            };
            found.push(ListedEntry { known, title: row.get(3)?, published_ms: row.get(4)? });
        }
    }
    Ok(found)
}
