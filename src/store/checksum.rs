//! Checksums of rows, by which a bit that changed on the disk is told and not published.
//!
//! Edge: a function that statements of SQLite call, whose file has no checksums. Covered is what readers are shown of an entry,
//! a story and a feed, but for dates: a wrong one is no other's news, and whoever puts dates right by hand damages nothing. A row that has none is from another program or a test. Texts have their own (`texts`).

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;
use xxhash_rust::xxh3::xxh3_64;

/// The checksum of an entry as its row is.
macro_rules! entry_checksum {
    () => {
        "row_checksum(entry.id, entry.feed, entry.entry_id, entry.permalink, entry.title)"
    };
}
pub(super) use entry_checksum;

/// The checksum of a story as its row is.
macro_rules! story_checksum {
    () => {
        "row_checksum(story.id, story.public_id, story.canonical, story.merged_into)"
    };
}
pub(super) use story_checksum;

/// The checksum of a feed as its row is.
macro_rules! feed_checksum {
    () => {
        "row_checksum(feed.id, feed.identity, feed.title, feed.link)"
    };
}
pub(super) use feed_checksum;

/// Whether the row of an entry is what was stored.
macro_rules! entry_is_whole {
    () => {
        concat!("(entry.checksum IS NULL OR entry.checksum = ", $crate::store::checksum::entry_checksum!(), ")")
    };
}
pub(super) use entry_is_whole;

/// Whether the row of a story is what was stored.
macro_rules! story_is_whole {
    () => {
        concat!("(story.checksum IS NULL OR story.checksum = ", $crate::store::checksum::story_checksum!(), ")")
    };
}
pub(super) use story_is_whole;

/// Whether the row of a feed is what was stored.
macro_rules! feed_is_whole {
    () => {
        concat!("(feed.checksum IS NULL OR feed.checksum = ", $crate::store::checksum::feed_checksum!(), ")")
    };
}
pub(super) use feed_is_whole;

/// Lets the statements of a connection call `row_checksum`.
///
/// # Errors
/// When SQLite refuses.
pub(super) fn define(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("row_checksum", -1, flags, |given| {
        let mut row = Vec::with_capacity(512);
        for at in 0..given.len() {
            append(&mut row, given.get_raw(at));
        }
        Ok(xxh3_64(&row).cast_signed())
    })
}

/// Appends a value so that no other values make the same bytes.
fn append(row: &mut Vec<u8>, value: ValueRef<'_>) {
    let mut put = |kind: u8, bytes: &[u8]| {
        row.push(kind);
        row.extend_from_slice(&bytes.len().to_le_bytes());
        row.extend_from_slice(bytes);
    };
    match value {
        ValueRef::Null => put(0, &[]),
        ValueRef::Integer(number) => put(1, &number.to_le_bytes()),
        ValueRef::Real(number) => put(2, &number.to_le_bytes()),
        ValueRef::Text(text) => put(3, text),
        ValueRef::Blob(bytes) => put(4, bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_differ_in_a_bit_or_in_where_a_value_ends_have_other_checksums() {
        let connection = Connection::open_in_memory().unwrap();
        define(&connection).unwrap();
        let of = |values: &str| -> i64 {
            connection.query_row(&format!("SELECT row_checksum({values})"), [], |row| row.get(0)).unwrap()
        };
        let rows =
            ["1, 'ab', 'c'", "1, 'a', 'bc'", "1, 'ac', 'c'", "1, NULL, 'abc'", "1, x'6162', 'c'", "0, 'ab', 'c'"];
        let sums: std::collections::HashSet<i64> = rows.iter().map(|row| of(row)).collect();
        assert_eq!(sums.len(), rows.len());
        assert_eq!(of(rows[0]), of(rows[0]));
    }
}
