//! What can be read of a store whose file is damaged, in a new file.
//!
//! Edge: files and SQLite. Rows are copied as they are, in whatever order they can be reached: from the first to the first
//! damage, from the last back to it, and one by one between. Indices are made anew. What refers to something that is lost goes
//! with it, and each feed is asked in full, so that what it still has comes back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, ErrorCode, Row, TransactionBehavior, params_from_iter};

use crate::store::{Error, Result, copies, file, open, schema, stories};

/// The most row numbers between two damaged places that are tried one by one.
const MOST_TRIED: i64 = 1_000_000;
/// And the most of them in a row that lead to nothing: more rows than one page of a table leads to.
const MOST_IN_VAIN: u32 = 50_000;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salvaged {
    /// Where the damaged store is kept.
    pub kept: PathBuf,
    /// How many entries the new store has.
    pub entries: u64,
    /// Tables that could not be read through to the end.
    pub damaged: Vec<String>,
}

/// Puts a new store in the place of the damaged one at `path`, with all that can be read of that. The damaged one is kept.
///
/// # Errors
/// When a newsfold is running on the store, or its tables cannot be found; nothing was changed then.
pub fn salvage(path: &Path, now: DateTime<Utc>) -> Result<Salvaged> {
    let path = &file::resolved(path);
    let _owned = file::own(path, Duration::ZERO)?;
    file::look_at(path)?;
    let source = Connection::open(path)?;
    // Else SQLite opens no file that lost its end, and none whose schema has a letter wrong.
    source.pragma_update(None, "writable_schema", true)?;
    let (version, _) = file::identify(&source, path)?;
    if version != schema::MIGRATIONS.len() {
        let what = "an older newsfold wrote it; only a store of this version can be salvaged".to_owned();
        return Err(Error::Corrupt { path: path.to_owned(), what });
    }
    let fresh = copies::begin_fresh(path)?;
    let mut target = Connection::open(&fresh)?;
    open::bring_up(&mut target, &fresh, false)?;
    target.pragma_update(None, "foreign_keys", false)?;
    let tx = target.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut damaged = Vec::new();
    for table in tables(&tx)? {
        let is_whole = match copy_rows(&source, &tx, &table) {
            // Its schema says nothing of this table, or something else. Without its feeds and entries it is no store.
            Err(Error::Sqlite(error)) if names_nothing(&error) && !["feed", "entry"].contains(&table.as_str()) => false,
            copied => copied?,
        };
        if !is_whole {
            damaged.push(table);
        }
    }
    make_consistent(&tx, now)?;
    let entries = tx.query_row("SELECT count(*) FROM entry", [], |row| row.get(0))?;
    tx.commit()?;
    target.close().map_err(|(_, error)| error)?;
    drop(source);
    let kept = copies::put_in_place(path, &fresh, now)?;
    Ok(Salvaged { kept: kept.unwrap_or_else(|| path.to_owned()), entries, damaged })
}

/// Whether a statement names a table or a column that is not there.
fn names_nothing(error: &rusqlite::Error) -> bool {
    error.to_string().contains("no such ")
}

/// The tables whose rows are copied, those that others refer to first. The index of words is filled anew.
fn tables(target: &Connection) -> Result<Vec<String>> {
    let mut query = target.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE 'search%'
         ORDER BY name <> 'feed', name <> 'entry', name",
    )?;
    let rows = query.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Copies what can be read of a table, and says whether that was all.
fn copy_rows(source: &Connection, target: &Connection, table: &str) -> Result<bool> {
    let columns: Vec<String> = {
        let mut query = target.prepare("SELECT name FROM pragma_table_info(?1)")?;
        let rows = query.query_map([table], |row| row.get(0))?;
        rows.collect::<rusqlite::Result<_>>()?
    };
    let has_rowid: bool =
        target.query_row("SELECT NOT wr FROM pragma_table_list WHERE name = ?1", [table], |row| row.get(0))?;
    let names = columns.join(", ");
    let places = vec!["?"; columns.len()].join(", ");
    let mut insert = target.prepare(&format!("INSERT OR REPLACE INTO {table} ({names}) VALUES ({places})"))?;
    let mut keep = |row: &Row<'_>| -> rusqlite::Result<()> {
        let values: Vec<ToSqlOutput<'_>> =
            (0..columns.len()).map(|at| row.get_ref(at).map(ToSqlOutput::Borrowed)).collect::<rusqlite::Result<_>>()?;
        match insert.execute(params_from_iter(values)) {
            // It is no row of this table any more.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => Ok(()),
            done => done.map(drop),
        }
    };
    if !has_rowid {
        let mut all = true;
        for order in ["", "DESC"] {
            let first = columns.first().map_or("", String::as_str);
            let sql = format!("SELECT {names} FROM {table} ORDER BY {first} {order}");
            all = read_through(source, &sql, [], &mut |row| keep(row))?;
            if all {
                break;
            }
        }
        return Ok(all);
    }
    let (mut from, mut until) = (i64::MIN, i64::MAX);
    let numbered = format!("SELECT {names}, rowid FROM {table}");
    let number = columns.len();
    let forward = format!("{numbered} ORDER BY rowid");
    if read_through(source, &forward, [], &mut |row| {
        from = row.get(number)?;
        keep(row)
    })? {
        return Ok(true);
    }
    let back = format!("{numbered} WHERE rowid > ?1 ORDER BY rowid DESC");
    read_through(source, &back, [from], &mut |row| {
        until = row.get(number)?;
        keep(row)
    })?;
    let single = format!("{numbered} WHERE rowid = ?1");
    let gap = from.saturating_add(1).max(1)..until.min(from.max(0).saturating_add(MOST_TRIED));
    let mut in_vain = 0;
    for rowid in gap {
        in_vain += 1;
        read_through(source, &single, [rowid], &mut |row| {
            in_vain = 0;
            keep(row)
        })?;
        if in_vain >= MOST_IN_VAIN {
            break;
        }
    }
    Ok(false)
}

/// Gives each row that a query finds to `keep`, until there is damage; says whether there was none.
fn read_through<const N: usize>(
    source: &Connection,
    sql: &str,
    values: [i64; N],
    keep: &mut dyn FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> Result<bool> {
    let is_damage = |error: &rusqlite::Error| file::is_corruption(error);
    let mut query = match source.prepare_cached(sql) {
        Err(error) if is_damage(&error) => return Ok(false),
        query => query?,
    };
    let mut rows = query.query(params_from_iter(values))?;
    loop {
        match rows.next() {
            Ok(Some(row)) => keep(row)?,
            Ok(None) => return Ok(true),
            Err(error) if is_damage(&error) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Takes out what refers to rows that are lost, and has every feed asked in full.
fn make_consistent(target: &Connection, now: DateTime<Utc>) -> Result<()> {
    let parents = BTreeMap::from([
        ("feed", ["entry", "tombstone", "hub_subscription", "hub_message"].as_slice()),
        ("entry", ["fold", "print", "split", "correction", "embedding", "other_language", "known_as"].as_slice()),
    ]);
    for (parent, children) in parents.iter().rev() {
        for child in *children {
            target.execute(&format!("DELETE FROM {child} WHERE {parent} NOT IN (SELECT id FROM {parent})"), [])?;
        }
    }
    target.execute_batch(
        "DELETE FROM other_language WHERE other NOT IN (SELECT id FROM entry);
         DELETE FROM text_block WHERE id NOT IN (SELECT text_block FROM entry WHERE text_block IS NOT NULL);
         UPDATE text_block SET held = found.times
             FROM (SELECT text_block AS block, count(*) AS times FROM entry GROUP BY text_block) AS found WHERE found.block = id;
         INSERT OR IGNORE INTO tally (one, corrections) VALUES (1, 0);
         UPDATE tally SET searchable = 0 WHERE searchable IS NOT NULL;
         UPDATE feed SET etag = NULL, last_modified = NULL, body_hash = NULL;",
    )?;
    stories::found_missing(target, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store with a feed, so many entries and their texts.
    fn filled(path: &Path, entries: u64) {
        let owned = file::own(path, Duration::ZERO).unwrap();
        let store = open::open_as_owner(path, &owned).unwrap();
        store
            .execute_batch(
                "INSERT INTO feed (id, identity, address, name, configured, next_poll, next_poll_why, etag)
                 VALUES (1, 'https://one.example/', 'https://one.example/', 'one', 1, 0, '', x'22');",
            )
            .unwrap();
        for n in 1..=entries {
            let text = "x".repeat(2000);
            store
                .execute("INSERT INTO text_block (id, held, bytes) VALUES (?1, 1, CAST(?2 AS BLOB))", (n, &text))
                .unwrap();
            store
                .execute(
                    "INSERT INTO entry (id, feed, id_hash, entry_id, title, first_seen, digest, archived, text_block, text_at, story)
                     VALUES (?1, 1, ?1, 'e' || ?1, ?2, 0, 0, 0, ?1, 0, ?1)",
                    (n, "A title of some length, so that many rows take many pages. ".repeat(8)),
                )
                .unwrap();
            store
                .execute(
                    "INSERT INTO story (id, public_id, canonical, founded, sources) VALUES (?1, CAST(?1 AS BLOB), ?1, 0, 1)",
                    [n],
                )
                .unwrap();
        }
        store.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    }

    fn count(path: &Path, table: &str) -> u64 {
        let sql = format!("SELECT count(*) FROM {table}");
        Connection::open(path).unwrap().query_row(&sql, [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_file_that_lost_its_end_is_brought_back_as_far_as_it_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("newsfold.db");
        filled(&path, 400);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 4 * 8_192]).unwrap();
        let salvaged = salvage(&path, DateTime::UNIX_EPOCH).unwrap();
        assert!((300..=400).contains(&salvaged.entries), "{}", salvaged.entries);
        assert_eq!(copies::check(&path).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_schema_with_a_wrong_letter_costs_its_table_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("newsfold.db");
        filled(&path, 40);
        let mut bytes = std::fs::read(&path).unwrap();
        let (right, wrong) = (b"CREATE TABLE correction", b"CREATE TABLE corruption");
        let at = bytes.windows(right.len()).position(|found| found == right).unwrap();
        bytes[at..at + wrong.len()].copy_from_slice(wrong);
        std::fs::write(&path, &bytes).unwrap();
        let salvaged = salvage(&path, DateTime::UNIX_EPOCH).unwrap();
        assert_eq!((salvaged.entries, salvaged.damaged), (40, vec!["correction".to_owned()]));
        assert_eq!(copies::check(&path).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_a_damaged_page_does_not_hold_is_brought_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("newsfold.db");
        filled(&path, 400);
        let store = Connection::open(&path).unwrap();
        let (root, size): (usize, usize) = store
            .query_row(
                "SELECT rootpage, page_size FROM sqlite_schema, pragma_page_size WHERE name = 'entry'",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .unwrap();
        drop(store);
        let mut bytes = std::fs::read(&path).unwrap();
        // A child of the tree's root: the last four bytes of its first cell's place say which.
        let page = &bytes[(root - 1) * size..root * size];
        let cell = usize::from(u16::from_be_bytes([page[12 + 20], page[13 + 20]]));
        let child = u32::from_be_bytes(page[cell..cell + 4].try_into().unwrap()) as usize;
        bytes[(child - 1) * size..(child - 1) * size + 200].fill(0xff);
        std::fs::write(&path, &bytes).unwrap();
        assert!(!copies::check(&path).unwrap().is_empty());

        let salvaged = salvage(&path, DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(salvaged.damaged, ["entry"]);
        assert_eq!(copies::check(&path).unwrap(), Vec::<String>::new());
        let entries = count(&path, "entry");
        assert!((350..400).contains(&entries) && entries == salvaged.entries, "{entries}");
        assert_eq!((count(&path, "text_block"), count(&path, "feed WHERE etag IS NULL")), (entries, 1));
        assert_eq!(std::fs::read(salvaged.kept).unwrap(), bytes, "the damaged one is kept as it was");
    }
}
