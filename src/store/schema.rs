//! The tables, and how an older store becomes this one.
//!
//! Pure but for [`migrate`], which writes to the connection it is given. A change to the tables is a new line at the end of
//! [`MIGRATIONS`]; a line that was released never changes.

use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, TransactionBehavior};

use crate::fold::evidence::Evidence;
use crate::fold::fingerprint;
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
    include_str!("schema/18.sql"),
    include_str!("schema/19.sql"),
    include_str!("schema/20.sql"),
    include_str!("schema/21.sql"),
    include_str!("schema/22.sql"),
    include_str!("schema/23.sql"),
    include_str!("schema/24.sql"),
    include_str!("schema/25.sql"),
    include_str!("schema/26.sql"),
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
    define(connection)?;
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    MIGRATIONS.iter().skip(from).try_for_each(|step| tx.execute_batch(step))?;
    tx.pragma_update(None, "user_version", MIGRATIONS.len())?;
    tx.commit()?;
    FUNCTIONS.iter().try_for_each(|name| connection.remove_function(*name, 1))
}

/// What [`define`] defines.
const FUNCTIONS: [&str; 4] = ["page_key", "packed_evidence", "print_terms", "print_without_terms"];

/// Lets the steps call what they need.
fn define(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("page_key", 1, flags, |given| {
        Ok(given.get_raw(0).as_str().ok().and_then(|page| page.parse::<Permalink>().ok()).map(|page| page.key()))
    })?;
    connection.create_scalar_function("packed_evidence", 1, flags, |given| {
        Ok(Evidence::from_json(given.get_raw(0).as_str().unwrap_or_default()).to_bytes())
    })?;
    connection.create_scalar_function("print_terms", 1, flags, |given| {
        Ok(fingerprint::of_version_4(given.get_raw(0).as_blob().unwrap_or_default()).map(|(_, terms)| terms))
    })?;
    connection.create_scalar_function("print_without_terms", 1, flags, |given| {
        Ok(fingerprint::of_version_4(given.get_raw(0).as_blob().unwrap_or_default()).map(|(print, _)| print))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::*;
    use chrono::DateTime;
    use rusqlite::params;

    use crate::fold::canonical::Site;
    use crate::fold::fingerprint::Fingerprint;
    use crate::fold::index::Index;
    use crate::fold::link::Telling;
    use crate::fold::weights::Weights;
    use crate::fold::{Article, Level, Rules};
    use crate::model::{EntryRef, StoryRef};
    use crate::store::{copies, entries, file, fingerprints, follows, open, search, stories};

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
    fn months_that_are_too_large_for_a_document_are_closed_again() {
        let mut connection = Connection::open_in_memory().unwrap();
        fill(&connection);
        migrate(&mut connection, 1).unwrap();
        // In the third month there is a story of 7 MB.
        connection
            .execute_batch(
                "INSERT INTO story (id, public_id, canonical, founded, sort_at, sources) VALUES (7, zeroblob(16), 7, 0, 25, 1);
                 UPDATE entry SET text_length = 7000000;
                 INSERT INTO archive (output, until, upto, name) VALUES ('one', 10, 7, '1'), ('one', 20, 7, '2'), ('one', 30, 7, '3'),
                     ('one', 40, 7, '4.1'), ('other', 20, 7, '2');",
            )
            .unwrap();
        connection.execute_batch(MIGRATIONS[20]).unwrap();
        let mut archives = connection.prepare("SELECT output || name FROM archive ORDER BY 1").unwrap();
        let archives: Vec<String> =
            archives.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(archives, ["one1", "one2", "other2"]);
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
                text: None,
                seen: DateTime::UNIX_EPOCH,
                left: None,
            };
            let pages = entries::leading_to(&connection, telling.permalinks.iter()).unwrap();
            assert_eq!(pages.find(&telling).map(|linked| linked.matched), Some(EntryRef(7)), "{page}");
        }
    }

    /// A store as the version `to` left it, with one feed and its entry.
    fn store_of(to: usize) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        checksum::define(&connection).unwrap();
        define(&connection).unwrap();
        fill(&connection);
        MIGRATIONS[1..to].iter().for_each(|step| connection.execute_batch(step).unwrap());
        connection
    }

    #[test]
    fn what_an_older_version_kept_of_folds_is_read() {
        let mut connection = store_of(17);
        let json = r#"{"story":3,"matched":3,"score":0.71,"threshold":0.45,"likeness":{"nearest":0.5},"terms":["ferry","fähre"]}"#;
        let link = r#"{"story":3,"matched":3,"score":1.0,"threshold":1.0,"terms":[]}"#;
        connection
            .execute_batch(&format!(
                "INSERT INTO entry (id, feed, id_hash, entry_id, title, first_seen, digest, archived) VALUES (3, 1, 41, 'b', '', 0, 0, 0);
                 INSERT INTO story (id, public_id, canonical, founded, published, sort_at, sources)
                 VALUES (3, zeroblob(16), 3, 0, 0, 0, 1), (7, unhex('07000000000000000000000000000000'), 7, 0, 0, 0, 1);
                 UPDATE entry SET story = 3;
                 INSERT INTO fold (entry, rule, matched, score, evidence, at) VALUES (7, 'story', 3, 0.71, '{json}', 5), (3, 'link', 3, 1, '{link}', 5);
                 INSERT INTO follow (story, follows, matched, score, evidence, at) VALUES (7, 3, 3, 0.71, '{json}', 5);
                 INSERT INTO correction (at, kind, entry, story, other, undo)
                 VALUES (0, 'split', 7, 3, 7, json_object('fold', json_object('rule', 'story', 'matched', 3, 'score', 0.71, 'evidence', '{json}', 'at', 5), 'place', 9)),
                        (0, 'join', 7, 3, 7, '{{\"entries\":[7]}}');"
            ))
            .unwrap();
        migrate(&mut connection, 17).unwrap();
        let evidence = Evidence { threshold: Some(0.45), terms: vec!["ferry".into(), "fähre".into()] };
        let fold = |entry| stories::telling(&connection, EntryRef(entry)).unwrap().unwrap().fold.unwrap();
        assert_eq!((fold(7).evidence, fold(3).evidence), (evidence.clone(), Evidence::default()));
        assert_eq!((fold(7).rule.as_str(), fold(7).score), ("story", 0.71));
        let followed = follows::followed(&connection, StoryRef(7)).unwrap().unwrap();
        assert_eq!(followed.evidence, evidence);
        let undone: Vec<String> = {
            let mut query = connection.prepare("SELECT undo FROM correction ORDER BY id").unwrap();
            query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        let hex: String = evidence.to_bytes().iter().map(|byte| format!("{byte:02X}")).collect();
        assert!(
            undone[0].contains(&format!("\"evidence\":\"{hex}\"")) && undone[0].contains("\"place\":9"),
            "{undone:?}"
        );
        assert_eq!(undone[1], r#"{"entries":[7]}"#);
    }

    #[test]
    fn the_prints_of_an_older_version_are_kept_and_their_terms_learned_once() {
        let mut connection = store_of(18);
        let print = |entry: u64, title: &str| {
            let article = Article {
                page: None,
                entry: EntryRef(entry),
                feed: Some(1),
                title,
                summary: "",
                content: "",
                language: Some("en"),
                at: DateTime::UNIX_EPOCH,
                published: None,
            };
            let index = Index::new(Rules::default(), Weights::default());
            index.plan(&article, Level::Story, None).fingerprint
        };
        let prints = [print(3, "Ferry aground off Tannerby"), print(7, "Captain of the ferry charged")];
        let mut weights = Weights::default();
        let learn = |weights: &mut Weights, print: &Fingerprint| {
            weights.learn(print.language, print.terms.iter().copied(), print.nearest);
        };
        learn(&mut weights, &prints[0]);
        connection
            .execute_batch(
                "INSERT INTO entry (id, feed, id_hash, entry_id, title, first_seen, digest, archived) VALUES (3, 1, 41, 'b', '', 0, 0, 0);
                 UPDATE entry SET story = id;",
            )
            .unwrap();
        for print in &prints {
            let bytes = fingerprint::in_version_4(print);
            connection
                .execute("INSERT INTO print (entry, bytes) VALUES (?1, ?2)", params![print.entry.0, bytes])
                .unwrap();
        }
        let counted = weights.to_bytes();
        connection.execute("INSERT INTO weights (one, counted, bytes) VALUES (1, 3, ?1)", [counted]).unwrap();
        migrate(&mut connection, 18).unwrap();
        learn(&mut weights, &prints[1]);
        let index = fingerprints::restore(&connection, Rules::default(), DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(index.weights(), &weights);
        assert_eq!((index.entries(), index.stories()), (2, 2));
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
