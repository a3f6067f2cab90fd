//! Copies of the store: made while it is in use, checked, and put back.
//!
//! Edge: files and SQLite. A copy is made with SQLite's own means, never file by file, and nothing is ever overwritten.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::Connection;

use crate::model::{EntryRef, FeedRef, StoryRef};
use crate::store::checksum::{entry_is_whole, feed_is_whole, story_is_whole};
use crate::store::file::{self, beside};
use crate::store::texts::{self, Block, Place, place_columns};
use crate::store::{Error, Reader, Result, entries, feeds, open, schema, stories, whole_copy};

/// How many faults of a damaged file are told.
const MOST_FAULTS: usize = 20;

/// Copies the store that `reader` reads into the new file `to`, as it is at one instant, and checks the copy.
///
/// # Errors
/// When `to` exists or cannot be written, or the copy is not whole; no half copy is left behind then.
pub fn back_up(reader: &Reader, to: &Path) -> Result<()> {
    file::make_private(to).map_err(|error| Error::Copy { path: to.to_owned(), error })?;
    let copied = reader.read(|connection| whole_copy::copy(connection, to));
    let whole = copied.and_then(|()| match check(to)?.as_slice() {
        [] => Ok(()),
        faults => Err(Error::Corrupt { path: to.to_owned(), what: faults.join("; ") }),
    });
    if whole.is_err() {
        // What is there is of no use to anyone; that it could not be removed either is not worth another message.
        let _ = std::fs::remove_file(to);
    }
    whole
}

/// What is wrong with the store at `path`, a line each; empty when it is whole.
///
/// # Errors
/// When there is no store, or it is not ours.
pub fn check(path: &Path) -> Result<Vec<String>> {
    told_as_faults(Reader::open(path).and_then(|reader| reader.read(faults)))
}

/// What is wrong with a store, a line each.
fn faults(connection: &Connection) -> Result<Vec<String>> {
    let mut faults: Vec<String> = Vec::new();
    connection.pragma_query(None, "integrity_check", |row| {
        faults.extend(Some(row.get::<_, String>(0)?).filter(|line| line != "ok"));
        Ok(())
    })?;
    connection.pragma_query(None, "foreign_key_check", |row| {
        faults.push(format!("a row of `{}` names one that is missing", row.get::<_, String>(0)?));
        Ok(())
    })?;
    let untold = "SELECT count(*) FROM entry WHERE story IS NOT NULL AND story NOT IN (SELECT id FROM story)";
    let untold: u64 = connection.query_row(untold, [], |row| row.get(0))?;
    if untold > 0 {
        faults.push(format!("{untold} entries tell a story that is missing"));
    }
    faults.truncate(MOST_FAULTS);
    Ok(faults)
}

/// What is wrong with a file that SQLite gives up on is a fault, too.
fn told_as_faults(found: Result<Vec<String>>) -> Result<Vec<String>> {
    match found {
        Err(Error::Corrupt { what, .. }) => Ok(vec![what]),
        Err(Error::Sqlite(error)) if file::is_corruption(&error) => Ok(vec![error.to_string()]),
        other => other,
    }
}

/// An entry whose text is not what was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedText {
    /// Which entry.
    pub entry: EntryRef,
    /// The name of its feed.
    pub feed: String,
    /// Its title, plain text, which stands elsewhere.
    pub title: String,
    /// What is wrong.
    pub what: String,
}

/// Reads every text of the store, and gives those that are damaged, in the order in which they came.
///
/// Of a store that an older newsfold wrote none are read: its owner brings it up to date first.
///
/// # Errors
/// When the store cannot be read.
pub fn damaged_texts(connection: &Connection) -> Result<Vec<DamagedText>> {
    if !is_of_this_version(connection)? {
        return Ok(Vec::new());
    }
    let mut query = connection.prepare(concat!(
        "SELECT entry.id, feed.name, entry.title, ",
        place_columns!(),
        " FROM entry JOIN feed ON feed.id = entry.feed WHERE text_block > 0 ORDER BY entry.id"
    ))?;
    let mut rows = query.query([])?;
    let mut damaged = Vec::new();
    // Entries that came together lie together.
    let mut held: Option<(i64, Result<Block>)> = None;
    while let Some(row) = rows.next()? {
        let place = Place::read(row, 3)?;
        let (_, block) = match held.take() {
            Some(same) if same.0 == place.block => held.insert(same),
            _ => held.insert((place.block, texts::block(connection, place.block))),
        };
        let what = match block {
            Ok(block) => block.text(place).err(),
            Err(Error::Damaged(what)) => Some(Error::Damaged(what.clone())),
            Err(_) => held.take().and_then(|(_, block)| block.err()),
        };
        if let Some(what) = what {
            let Error::Damaged(what) = what else { return Err(what) };
            damaged.push(DamagedText { entry: EntryRef(row.get(0)?), feed: row.get(1)?, title: row.get(2)?, what });
        }
    }
    Ok(damaged)
}

/// Sets the damaged ones of the store's texts aside, gives them, and has their feeds asked in full: an entry that still stands
/// in its feed's document gets its text back.
///
/// # Errors
/// When the store refuses.
pub fn set_damaged_aside(tx: &Connection) -> Result<Vec<DamagedText>> {
    let damaged = damaged_texts(tx)?;
    for DamagedText { entry, .. } in &damaged {
        entries::forget_text(tx, *entry)?;
        feeds::ask_in_full(tx, *entry)?;
    }
    Ok(damaged)
}

/// A row of which readers would be shown something else than what was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DamagedRow {
    /// Of an entry.
    Entry(EntryRef),
    /// Of a story.
    Story(StoryRef),
    /// Of a feed.
    Feed(FeedRef),
}

/// The rows of the store that have another checksum than what is in them, each with the name of its feed. Those that were set
/// aside before are none of them.
///
/// # Errors
/// When the store cannot be read.
pub fn damaged_rows(connection: &Connection) -> Result<Vec<(DamagedRow, String)>> {
    if !is_of_this_version(connection)? {
        return Ok(Vec::new());
    }
    let mut damaged = Vec::new();
    let mut find = |sql: &str, row_of: fn(u64) -> DamagedRow| -> Result<()> {
        let mut query = connection.prepare(sql)?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let feed = row.get_ref(1)?.as_str_or_null().ok().flatten().unwrap_or("?").to_owned();
            damaged.push((row_of(row.get(0)?), feed));
        }
        Ok(())
    };
    find(
        concat!(
            "SELECT id, (SELECT name FROM feed WHERE feed.id = entry.feed) FROM entry WHERE checksum <> 0 AND NOT ",
            entry_is_whole!()
        ),
        |id| DamagedRow::Entry(EntryRef(id)),
    )?;
    find(
        concat!(
            "SELECT id, (SELECT name FROM entry JOIN feed ON feed.id = entry.feed WHERE entry.id = story.id) FROM story WHERE NOT ",
            story_is_whole!()
        ),
        |id| DamagedRow::Story(StoryRef(id)),
    )?;
    find(concat!("SELECT id, name FROM feed WHERE NOT ", feed_is_whole!()), |id| DamagedRow::Feed(FeedRef(id)))?;
    Ok(damaged)
}

/// Sets the damaged rows aside, and gives them: an entry is not shown until its feed, which is asked in full, has brought it
/// again; a story and a feed are made anew of what is known.
///
/// # Errors
/// When the store refuses.
pub fn mend_damaged_rows(tx: &Connection, now: DateTime<Utc>) -> Result<Vec<(DamagedRow, String)>> {
    let damaged = damaged_rows(tx)?;
    for (row, _) in &damaged {
        match row {
            DamagedRow::Entry(entry) => {
                feeds::ask_in_full(tx, *entry)?;
                tx.execute("UPDATE entry SET checksum = 0 WHERE id = ?1", [entry.0])?;
            }
            DamagedRow::Story(story) => stories::settle(tx, *story, now)?,
            DamagedRow::Feed(feed) => feeds::forget_own_words(tx, *feed)?,
        }
    }
    Ok(damaged)
}

fn is_of_this_version(connection: &Connection) -> Result<bool> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(version).is_ok_and(|version| version >= schema::MIGRATIONS.len()))
}

/// Puts the copy `from` in the place of the store at `path`. What was there is kept beside it, and its name given.
///
/// # Errors
/// When a newsfold is running on the store, or the copy is damaged or not ours; nothing was changed then.
pub fn restore(path: &Path, from: &Path, now: DateTime<Utc>) -> Result<Option<PathBuf>> {
    match told_as_faults(open::open_copy(from).and_then(|copy| faults(&copy)))?.as_slice() {
        [] => {}
        faults => return Err(Error::Corrupt { path: from.to_owned(), what: faults.join("; ") }),
    }
    let path = &file::resolved(path);
    let _owned = file::own(path, Duration::ZERO)?;
    // The copy is whole under another name before anything is touched.
    let source = open::open_copy(from)?;
    let fresh = begin_fresh(path)?;
    whole_copy::copy(&source, &fresh)?;
    file::look_through(&Connection::open(&fresh)?, from)?;
    put_in_place(path, &fresh, now)
}

/// Makes the file that is to become the store at `path`, a resolved one; its owner calls.
pub(super) fn begin_fresh(path: &Path) -> Result<PathBuf> {
    let fresh = path.with_added_extension("restored");
    whole_copy::sweep(path);
    file::make_private(&fresh).map_err(unusable(&fresh))?;
    Ok(fresh)
}

/// Puts `fresh`, which is whole and closed, in the place of the store at `path`. What was there is kept beside it, and its
/// name given.
pub(super) fn put_in_place(path: &Path, fresh: &Path, now: DateTime<Utc>) -> Result<Option<PathBuf>> {
    let mut kept = None;
    if path.exists() {
        // Whoever reads a store without its log misses what stands there only; so it is emptied first, where that can be done.
        if let Ok(old) = Connection::open(path) {
            let _ = old.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        }
        let aside = free_name(path, &now.format("before-%Y%m%dT%H%M%SZ").to_string());
        // It gets a second name before it loses its first, so that there is a store at `path` whenever this is cut short. Its
        // log goes before the copy comes, because the log of one store is poison to another.
        for ending in ["", "-wal"] {
            let (old, new) = (beside(path, ending), beside(&aside, ending));
            if old.exists() {
                std::fs::hard_link(&old, &new).or_else(|_| std::fs::rename(&old, &new)).map_err(unusable(&old))?;
            }
        }
        for ending in ["-wal", "-shm"] {
            let old = beside(path, ending);
            if old.exists() {
                std::fs::remove_file(&old).map_err(unusable(&old))?;
            }
        }
        kept = Some(aside);
    }
    std::fs::rename(fresh, path).map_err(unusable(path))?;
    whole_copy::sync_folder(path).map_err(unusable(path))?;
    Ok(kept)
}

fn unusable(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |error| Error::Folder { path, error }
}

/// A name beside `path` that no file has.
fn free_name(path: &Path, extension: &str) -> PathBuf {
    let names = (1..).map(|number| match number {
        1 => path.with_added_extension(extension),
        number => path.with_added_extension(format!("{extension}-{number}")),
    });
    names.into_iter().find(|name| !name.exists()).unwrap_or_else(|| path.with_added_extension(extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_an_older_newsfold_wrote_can_be_checked() {
        let store = Connection::open_in_memory().unwrap();
        store.execute_batch(schema::MIGRATIONS[0]).unwrap();
        store.pragma_update(None, "user_version", 1).unwrap();
        assert!(damaged_texts(&store).unwrap().is_empty());
    }
}
