//! The tables, and how an older store becomes this one.
//!
//! Pure but for [`migrate`], which writes to the connection it is given. A change to the tables is a new line at the end of
//! [`MIGRATIONS`]; a line that was released never changes.

use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, TransactionBehavior};

use crate::model::permalink::Permalink;
use crate::store::checksum;

/// Marks a SQLite file as ours ("nwsf").
pub const APPLICATION_ID: i32 = 0x6e77_7366;

/// Each takes the tables one version further; how many there are is the version.
pub const MIGRATIONS: &[&str] = &[
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
    include_str!("schema/5.sql"),
    include_str!("schema/6.sql"),
    include_str!("schema/7.sql"),
    include_str!("schema/8.sql"),
    include_str!("schema/9.sql"),
    include_str!("schema/10.sql"),
    include_str!("schema/11.sql"),
    include_str!("schema/12.sql"),
    include_str!("schema/13.sql"),
    include_str!("schema/14.sql"),
    include_str!("schema/15.sql"),
    include_str!("schema/16.sql"),
    include_str!("schema/17.sql"),
];

/// Brings the tables to the newest version, all steps in one transaction: a store has never some of them.
///
/// # Errors
/// When the database refuses; nothing was changed then.
pub fn migrate(connection: &mut Connection, from: usize) -> rusqlite::Result<()> {
    checksum::define(connection)?;
    if from == MIGRATIONS.len() {
        return Ok(());
    }
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("page_key", 1, flags, |given| {
        Ok(given.get_raw(0).as_str().ok().and_then(|page| page.parse::<Permalink>().ok()).map(|page| page.key()))
    })?;
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    MIGRATIONS.iter().skip(from).try_for_each(|step| tx.execute_batch(step))?;
    tx.pragma_update(None, "user_version", MIGRATIONS.len())?;
    tx.commit()?;
    connection.remove_function("page_key", 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::*;
    use chrono::DateTime;

    use crate::fold::canonical::Site;
    use crate::fold::link::Telling;
    use crate::model::EntryRef;
    use crate::store::{copies, entries, file, open, search};

    const TEXT: &str = "<p>The text</p>";

    fn fill(connection: &Connection) {
        connection.execute_batch(MIGRATIONS[0]).unwrap();
        connection
            .execute_batch(
                "INSERT INTO feed (id, identity, address, name, configured, next_poll, next_poll_why)
                 VALUES (1, 'https://one.example/feed', 'https://one.example/feed', 'one', 1, 0, '');
                 INSERT INTO entry (id, feed, id_hash, entry_id, title, first_seen, digest, archived, detail)
                 VALUES (7, 1, 42, 'a', 'A title', 0, 0, 0, CAST(x'00' || '{\"c\":\"<p>The text</p>\"}' AS BLOB));",
            )
            .unwrap();
    }

    fn text(connection: &Connection) -> String {
        entries::detail_of(connection, EntryRef(7)).unwrap().content.unwrap()
    }

    #[test]
    fn a_store_of_the_first_version_keeps_its_texts() {
        let mut connection = Connection::open_in_memory().unwrap();
        fill(&connection);
        migrate(&mut connection, 1).unwrap();
        assert_eq!(text(&connection), TEXT);
    }

    #[test]
    fn an_index_of_words_is_filled_anew() {
        let mut connection = Connection::open_in_memory().unwrap();
        fill(&connection);
        migrate(&mut connection, 1).unwrap();
        connection
            .execute_batch(
                "UPDATE entry SET title = '東京で大雨'; INSERT INTO search (rowid, title, text) VALUES (7, '東京で大雨', '');
                 UPDATE tally SET searchable = 7;",
            )
            .unwrap();
        connection.execute_batch(MIGRATIONS[6]).unwrap();
        assert!(!search::is_current(&connection).unwrap());
        assert!(!search::fill(&connection, 10).unwrap());
        let found = |words: &str| {
            let sql = "SELECT count(*) FROM search WHERE search MATCH ?1";
            connection.query_row(sql, [words], |row| row.get::<_, u64>(0)).unwrap()
        };
        assert_eq!((found("\"大 雨\""), found("\"東京で大雨\"")), (1, 0));
    }

    #[test]
    fn a_store_of_an_older_version_keeps_its_pages() {
        (1..=2).for_each(keeps_its_pages);
    }

    fn keeps_its_pages(from: usize) {
        let mut connection = Connection::open_in_memory().unwrap();
        fill(&connection);
        MIGRATIONS[1..from].iter().for_each(|step| connection.execute_batch(step).unwrap());
        connection
            .execute_batch(
                "UPDATE entry SET story = 7, entry_id = 'https://one.example/?p=7', permalink = 'https://one.example/7', permalink_key = 1;
                 INSERT INTO story (id, public_id, canonical, founded, sources) VALUES (7, x'07', 7, 0, 1);
                 INSERT INTO entry_alias (permalink_key, entry, permalink) VALUES (2, 7, 'https://one.example/?p=7');",
            )
            .unwrap();
        migrate(&mut connection, from).unwrap();
        for page in ["https://one.example/7", "http://one.example/?p=7"] {
            let telling = Telling {
                entry: EntryRef(8),
                feed: Some(2),
                permalinks: vec![page.parse().unwrap()],
                title: "A title".into(),
                site: Some(Site::default()),
                published: DateTime::UNIX_EPOCH,
            };
            let pages = entries::leading_to(&connection, telling.permalinks.iter()).unwrap();
            assert_eq!(pages.find(&telling).map(|linked| linked.matched), Some(EntryRef(7)), "{page}");
        }
    }

    /// The files of a folder, by name.
    type Files = BTreeMap<String, Vec<u8>>;

    /// Brings the store in `folder` up, and gives all that a crash at any of SQLite's instructions would have left there, each
    /// once, in order. Where its log grew, it is also cut at every sector, because a write may be stopped midway.
    fn bring_up(folder: &Path) -> Vec<Files> {
        let look = {
            let folder = folder.to_owned();
            move || -> Files {
                let names =
                    std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
                // Whoever opens a store first after a crash makes the log's index anew.
                let names = names.filter(|name| !name.ends_with("-shm"));
                names.map(|name| (name.clone(), std::fs::read(folder.join(name)).unwrap_or_default())).collect()
            }
        };
        let seen = Arc::new(Mutex::new(vec![look()]));
        let path = folder.join("newsfold.db");
        let mut connection = Connection::open(&path).unwrap();
        let (noted, glance) = (seen.clone(), look.clone());
        let note = move || {
            let (files, mut noted) = (glance(), noted.lock().unwrap());
            if noted.last() != Some(&files) {
                noted.push(files);
            }
            false
        };
        connection.progress_handler(1, Some(note)).unwrap();
        open::bring_up(&mut connection, &path, false).unwrap();
        let mut seen = seen.lock().unwrap().clone();
        seen.push(look());
        let mut all = Vec::new();
        for pair in seen.windows(2) {
            all.push(pair[0].clone());
            for (name, after) in pair[1].iter().filter(|(name, _)| name.ends_with("-wal")) {
                let before = pair[0].get(name).map_or(0, Vec::len);
                for length in (before..after.len()).step_by(512) {
                    let mut cut = pair[1].clone();
                    cut.insert(name.clone(), after[..length].to_vec());
                    all.push(cut);
                }
            }
        }
        all.extend(seen.pop());
        all
    }

    /// Opens the store after each of `crashes`, and gives the versions that it was found at.
    fn open_after(crashes: &[Files], check: impl Fn(usize, &Path, &Connection)) -> Vec<usize> {
        let mut versions = Vec::new();
        for files in crashes {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("newsfold.db");
            files.iter().for_each(|(name, bytes)| std::fs::write(folder.path().join(name), bytes).unwrap());
            let (version, _) = file::identify(&Connection::open(&path).unwrap(), &path).unwrap();
            let owned = file::own(&path, Duration::ZERO).unwrap();
            let connection = open::open_as_owner(&path, &owned).unwrap();
            check(version, folder.path(), &connection);
            drop(connection);
            assert_eq!(copies::check(&path).unwrap(), Vec::<String>::new());
            let strays = std::fs::read_dir(folder.path()).unwrap();
            let strays: Vec<_> = strays
                .map(|file| file.unwrap().file_name())
                .filter(|name| name.to_string_lossy().contains("tmp"))
                .collect();
            assert!(strays.is_empty(), "{strays:?}");
            versions.push(version);
        }
        versions.dedup();
        versions
    }

    #[test]
    fn a_migration_killed_at_any_instruction_leaves_the_old_store_or_the_new_one_and_a_whole_copy() {
        let folder = tempfile::tempdir().unwrap();
        let old = Connection::open(folder.path().join("newsfold.db")).unwrap();
        old.pragma_update(None, "journal_mode", "WAL").unwrap();
        old.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        fill(&old);
        old.pragma_update(None, "user_version", 1).unwrap();
        drop(old);
        let crashes = bring_up(folder.path());
        assert!(crashes.len() > 50, "{}", crashes.len());
        let versions = open_after(&crashes, |_, folder, connection| {
            assert_eq!(text(connection), TEXT);
            let copy = Connection::open(folder.join("newsfold.db.v1")).unwrap();
            let old =
                copy.query_row("SELECT CAST(detail AS TEXT) FROM entry", [], |row| row.get::<_, String>(0)).unwrap();
            assert!(old.contains(TEXT), "{old}");
            assert_eq!(file::identify(&copy, folder).unwrap().0, 1);
            file::look_through(&copy, folder).unwrap();
        });
        assert_eq!(versions, [1, MIGRATIONS.len()], "it is the one until it is the other");
    }

    #[test]
    fn a_store_killed_while_it_is_made_is_made_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let crashes = bring_up(folder.path());
        assert!(crashes.len() > 50, "{}", crashes.len());
        let versions = open_after(&crashes, |_, folder, connection| {
            assert_eq!(connection.query_row("SELECT count(*) FROM tally", [], |row| row.get::<_, u64>(0)).unwrap(), 1);
            assert!(!folder.join("newsfold.db.v1").exists(), "there is nothing to copy");
        });
        assert_eq!(versions, [0, MIGRATIONS.len()]);
    }
}
