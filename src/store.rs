//! The SQLite file that holds everything newsfold knows.
//!
//! Edge. One thread owns the one connection that writes; [`Store::write`] sends it a closure, which runs in one immediate
//! transaction and is done even if the asker has gone. Closures that wait together share a transaction, so that a burst of
//! polls costs one commit; when one of them fails, the transaction is undone and each of them runs again in its own. (A
//! savepoint for each would save that, and cost every poll a copy of the pages it touches.) Readers have connections of their own that cannot write and never wait.
//!
//! What the tables mean to the rest of the program is in the modules below; what is written when is `ingest`'s to decide.

pub mod copies;
pub mod corrections;
pub mod entries;
pub mod feeds;
mod file;
pub mod holds;
pub mod hubs;
pub mod outputs;
pub mod prints;
pub mod rekey;
pub mod retention;
pub mod schema;
pub mod search;
pub mod stories;
pub mod texts;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::clock;
use crate::fold::index::Index;
use crate::model::{EntryRef, FeedRef};
use crate::store::file::Ownership;
use crate::update::Lately;

/// How long a start waits for a command that owns the store for a moment, as one that corrects something does.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the writer waits for another closure to share its transaction with.
const GATHER: Duration = Duration::from_millis(40);
/// The longest that a transaction stays open for others to join.
const LONGEST_TRANSACTION: Duration = Duration::from_millis(400);
/// How much polled text may wait for the writer, in KiB, before polls wait too.
const QUEUE_KIB: u32 = 1536;
/// With less room in the queue than this, those that wait for it may not fit.
const FULL_BELOW_KIB: usize = 384;
/// After so many of its steps SQLite lets a reader look at the clock.
const STEPS: i32 = 10_000;
/// How many idle reading connections are kept.
const IDLE_READERS: usize = 2;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process owns it.
    #[error("{}: another newsfold is using this store; stop it first, or give this one its own `store.path`", .0.display())]
    Locked(PathBuf),
    /// The file has a second name.
    #[error("{}: this file has a second name (a hard link), and SQLite would keep a log beside each, which damages the store; remove the other name, or make a copy with `newsfold store backup`", .0.display())]
    Linked(PathBuf),
    /// There is none.
    #[error("{}: there is no store yet; `newsfold poll` or `newsfold run` makes it", .0.display())]
    Missing(PathBuf),
    /// The file belongs to another program.
    #[error("{}: this is not a newsfold store; nothing was changed; point `store.path` elsewhere", .0.display())]
    Foreign(PathBuf),
    /// A newer newsfold wrote it.
    #[error("{}: a newer newsfold wrote this store (version {found}, this one knows {known}); nothing was changed; upgrade newsfold", path.display())]
    Newer {
        /// The store.
        path: PathBuf,
        /// The version of its tables.
        found: i64,
        /// The newest version that this program knows.
        known: usize,
    },
    /// The file is not what SQLite wrote.
    #[error(
        "{}: the store is damaged ({what}); nothing was changed; put a copy back with `newsfold store restore COPY`, or move the file away to begin anew", path.display()
    )]
    Corrupt {
        /// The store.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// The folder cannot be used.
    #[error("{}: {error}; `store.path` names a file, in a folder that this user may write to", path.display())]
    Folder {
        /// What could not be used.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// The writer has ended, after an error that it reported itself.
    #[error("the store has been closed")]
    Closed,
    /// SQLite's own word.
    #[error("the store: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A transaction could not be committed: the disk is full, or read-only, or failing.
    #[error(
        "the store refuses to write ({0}); what was polled is asked for again later; see to the disk that holds it"
    )]
    Refused(String),
    /// A stored value is not what was put there.
    #[error("the store holds something unreadable: {0}")]
    Damaged(String),
}

impl Error {
    /// Whether a person has to change something before trying again can help.
    #[must_use]
    pub fn is_misconfigured(&self) -> bool {
        matches!(self, Self::Foreign(_) | Self::Newer { .. } | Self::Corrupt { .. })
    }
}

/// What a closure given to the writer comes to.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the writer hands to the work that it is given.
pub struct Desk<'a> {
    /// The transaction. The work neither commits it nor rolls it back.
    pub tx: &'a Connection,
    /// What work leaves for the work after it.
    pub memory: &'a mut Memory,
}

/// What is read from the tables once and kept up by those who write to them.
///
/// It is forgotten whenever a transaction fails, because it may know of what was not stored.
#[derive(Default)]
pub struct Memory {
    /// SQLite's number for what other processes have changed so far.
    data_version: Option<i64>,
    /// The handle that the next new entry gets.
    pub next_entry: Option<EntryRef>,
    /// The stories of the folding window.
    pub index: Option<Index>,
    /// How many new entries each feed brought of late.
    pub lately: HashMap<FeedRef, Lately>,
}

/// Work that waits for the writer. It can be run again: when one piece fails, what shared its transaction is.
trait Job: Send {
    /// Runs the work; `false` when it failed.
    fn run(&mut self, desk: &mut Desk<'_>) -> bool;
    /// Tells the asker, once the transaction's fate is known.
    fn tell(self: Box<Self>, committed: Result<()>);
}

struct Asked<T, W> {
    work: W,
    came: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
    /// Room in the queue, given back when this is dropped.
    _place: OwnedSemaphorePermit,
}

impl<T: Send, W: Fn(&mut Desk<'_>) -> Result<T> + Send> Job for Asked<T, W> {
    fn run(&mut self, desk: &mut Desk<'_>) -> bool {
        let came = (self.work)(desk);
        let is_done = came.is_ok();
        self.came = Some(came);
        is_done
    }

    fn tell(self: Box<Self>, committed: Result<()>) {
        let came = self.came.unwrap_or(Err(Error::Closed));
        // Nobody waits any more when the asker was cancelled; what was stored stays stored.
        let _ = self.reply.send(came.and_then(|value| committed.map(|()| value)));
    }
}

/// The store, open for writing. Clones share the one writer.
#[derive(Clone)]
pub struct Store {
    jobs: Sender<Box<dyn Job>>,
    queue: Arc<Semaphore>,
    reader: Reader,
    writer: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Store {
    /// Opens the store at `path`, makes it if there is none, and brings an older one up to date after copying it.
    ///
    /// # Errors
    /// When another process owns it, it is not ours, or the folder cannot be written to. The store was not changed then.
    pub fn open(path: &Path) -> Result<Self> {
        let path = &file::resolved(path);
        let owned = file::own(path, PATIENCE)?;
        let connection = file::open_as_owner(path, &owned)?;
        let (jobs, received) = channel();
        let queue = Arc::new(Semaphore::new(QUEUE_KIB as usize));
        let room = queue.clone();
        let writer = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || write_until_closed(connection, &received, &room, owned))
            .map_err(|error| Error::Folder { path: path.to_owned(), error })?;
        Ok(Self { jobs, queue, reader: Reader::open(path)?, writer: Arc::new(Mutex::new(Some(writer))) })
    }

    /// Runs `work` on the writer's thread, all of it or nothing, and answers once it is committed.
    ///
    /// `bytes` is about how much memory `work` holds on to while it waits its turn.
    ///
    /// # Errors
    /// What `work` returned, or what kept it from being committed; nothing of it was stored then.
    pub async fn write<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl Fn(&mut Desk<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.submit(bytes, work).await?.committed().await
    }

    /// Like [`write`](Self::write), but returns as soon as there is room in the queue, so that whatever held the work up
    /// until then can be given back before it is committed.
    ///
    /// # Errors
    /// When the writer has ended.
    pub async fn submit<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl Fn(&mut Desk<'_>) -> Result<T> + Send + 'static,
    ) -> Result<Submitted<T>> {
        let kib = u32::try_from(bytes / 1024 + 1).unwrap_or(QUEUE_KIB).min(QUEUE_KIB);
        let place = self.queue.clone().acquire_many_owned(kib).await.map_err(|_| Error::Closed)?;
        let (reply, answer) = oneshot::channel();
        let asked = Asked { work, came: None, reply, _place: place };
        self.jobs.send(Box::new(asked)).map_err(|_| Error::Closed)?;
        Ok(Submitted(answer))
    }

    /// Runs `look` on a connection that only reads, without waiting for the writer.
    ///
    /// # Errors
    /// What `look` returned, or why there is no connection.
    pub async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let reader = self.reader.clone();
        tokio::task::spawn_blocking(move || reader.read(look)).await.map_err(|_| Error::Closed)?
    }

    /// Like [`read`](Self::read), and gives up when it takes longer than `most`: then there is `None`.
    ///
    /// # Errors
    /// What `look` returned, or why there is no connection.
    pub async fn read_within<T: Send + 'static>(
        &self,
        most: Duration,
        look: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<Option<T>> {
        let reader = self.reader.clone();
        tokio::task::spawn_blocking(move || reader.read_within(most, look)).await.map_err(|_| Error::Closed)?
    }

    /// How much polled text waits for the writer, in bytes.
    #[must_use]
    pub fn queued_bytes(&self) -> u64 {
        (QUEUE_KIB as usize).saturating_sub(self.queue.available_permits()) as u64 * 1024
    }

    /// Whether `path` leads to the store itself. No part of the program but SQLite may open that: see `store::file`.
    #[must_use]
    pub fn is_at(&self, path: &Path) -> bool {
        file::is_part_of(&self.reader.path, path)
    }

    /// A reader of the same file, for code that is not async.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Waits until everything given to the writer is stored, tidies up, and lets go of the file.
    pub async fn close(self) {
        let Self { jobs, writer, .. } = self;
        drop(jobs);
        let writer = writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            let _ = tokio::task::spawn_blocking(move || writer.join()).await;
        }
    }
}

/// Work that waits for its transaction, or is in it. It is done even if nobody waits for it.
#[must_use]
pub struct Submitted<T>(oneshot::Receiver<Result<T>>);

impl<T> Submitted<T> {
    /// Waits until the work is committed.
    ///
    /// # Errors
    /// What the work returned, or what kept it from being committed; nothing of it was stored then.
    pub async fn committed(self) -> Result<T> {
        self.0.await.map_err(|_| Error::Closed)?
    }
}

/// Connections that can only read. Clones share them.
#[derive(Clone)]
pub struct Reader {
    path: PathBuf,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Reader {
    /// A reader of the store at `path`, which may be in use by a daemon.
    ///
    /// # Errors
    /// When there is no store, or it is not ours.
    pub fn open(path: &Path) -> Result<Self> {
        let reader = Self { path: file::resolved(path), idle: Arc::default() };
        reader.read(|_| Ok(()))?;
        Ok(reader)
    }

    /// Runs `look` within one view of the store, however much is written meanwhile.
    ///
    /// # Errors
    /// What `look` returned, or why there is no connection.
    pub fn read<T>(&self, look: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let mut connection = self.take()?;
        let found = view(&mut connection, look)?;
        self.give_back(connection);
        found
    }

    /// Like [`read`](Self::read), and gives up when it takes longer than `most`: then there is `None`.
    ///
    /// # Errors
    /// What `look` returned, or why there is no connection.
    pub fn read_within<T>(&self, most: Duration, look: impl FnOnce(&Connection) -> Result<T>) -> Result<Option<T>> {
        let mut connection = self.take()?;
        let begun = clock::instant();
        connection.progress_handler(STEPS, Some(move || begun.elapsed() > most))?;
        let found = view(&mut connection, look)?;
        connection.progress_handler(0, None::<fn() -> bool>)?;
        self.give_back(connection);
        match found {
            Err(Error::Sqlite(error))
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) =>
            {
                Ok(None)
            }
            found => found.map(Some),
        }
    }

    fn take(&self) -> Result<Connection> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| file::open_for_reading(&self.path), Ok)
    }

    fn give_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_READERS {
            idle.push(connection);
        }
    }
}

/// Runs `look` within one view of the store.
fn view<T>(connection: &mut Connection, look: impl FnOnce(&Connection) -> Result<T>) -> Result<Result<T>> {
    let view = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
    let found = look(&view);
    view.finish()?;
    Ok(found)
}

/// The size of the log beside the file of `connection`; 0 where there is none.
#[must_use]
pub fn log_bytes(connection: &Connection) -> u64 {
    let log = connection.path().map(|path| format!("{path}-wal"));
    log.and_then(|log| std::fs::metadata(log).ok()).map_or(0, |log| log.len())
}

/// Milliseconds since 1970, as every time is stored.
#[must_use]
pub fn millis(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis()
}

/// The instant stored as `millis`.
#[must_use]
pub fn instant(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::UNIX_EPOCH)
}

/// A connection that writes what a person commands, whether or not a daemon is running.
pub struct SideWriter(Connection);

impl SideWriter {
    /// Opens the store at `path`. Where nobody owns it, it is looked through and brought up to date as its owner would.
    ///
    /// # Errors
    /// When there is no store, it is not ours, or its owner has still to bring it up to date.
    pub fn open(path: &Path) -> Result<Self> {
        let path = &file::resolved(path);
        // It is made by who polls. (Who reads it first, and closes it again, takes the log away that tells of a crash.)
        file::look_at(path)?;
        match file::own(path, Duration::ZERO) {
            // It is given back at once, because a daemon may start meanwhile.
            Ok(owned) => file::open_as_owner(path, &owned),
            Err(Error::Locked(_)) => file::open_beside_owner(path),
            Err(error) => Err(error),
        }
        .map(Self)
    }

    /// Runs `work` in one transaction: all of it, or nothing.
    ///
    /// # Errors
    /// What `work` returned, or why the store refuses.
    pub fn write<T>(&mut self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let tx = self.0.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&tx)?;
        tx.commit()?;
        Ok(done)
    }
}

/// The writer's thread: transaction after transaction until every [`Store`] is gone.
fn write_until_closed(mut connection: Connection, jobs: &Receiver<Box<dyn Job>>, room: &Semaphore, owned: Ownership) {
    let mut memory = Memory::default();
    while let Ok(first) = jobs.recv() {
        write_together(&mut connection, &mut memory, first, jobs, room);
    }
    // A store that cannot be tidied is still whole.
    let _ = connection.execute_batch("PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE);");
    drop(connection);
    drop(owned);
}

/// One transaction: `first`, and what arrives while it is open. When a piece of work fails, each has one of its own.
fn write_together(
    connection: &mut Connection,
    memory: &mut Memory,
    first: Box<dyn Job>,
    jobs: &Receiver<Box<dyn Job>>,
    room: &Semaphore,
) {
    let opened = clock::instant();
    let mut together = vec![first];
    let committed = transact(connection, memory, |desk| {
        let mut at = 0;
        while let Some(job) = together.get_mut(at) {
            if !job.run(desk) {
                return Ok(false);
            }
            let left = LONGEST_TRANSACTION.saturating_sub(opened.elapsed());
            if left.is_zero() {
                break;
            }
            let is_full = room.available_permits() < FULL_BELOW_KIB;
            // Work makes room when it is committed; where there is none, nothing more can come before that.
            together.extend(jobs.recv_timeout(if is_full { Duration::ZERO } else { GATHER.min(left) }));
            at += 1;
        }
        Ok(true)
    });
    match committed {
        Ok(true) => together.into_iter().for_each(|job| job.tell(Ok(()))),
        Ok(false) => {
            for mut job in together {
                let committed = transact(connection, memory, |desk| Ok(job.run(desk)));
                job.tell(committed.map(drop));
            }
        }
        Err(error) => {
            tracing::error!(%error, "the store refused to write; what was polled is asked for again at the next poll");
            let error = error.to_string();
            together.into_iter().for_each(|job| job.tell(Err(Error::Refused(error.clone()))));
        }
    }
}

/// Runs `work` in a transaction that is committed when it says so. Whenever it is not, the memory is forgotten.
fn transact(
    connection: &mut Connection,
    memory: &mut Memory,
    work: impl FnOnce(&mut Desk<'_>) -> Result<bool>,
) -> Result<bool> {
    let attempt = || {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // A person's correction comes from another process; what is remembered may not know of it.
        let data_version = tx.pragma_query_value(None, "data_version", |row| row.get(0))?;
        if memory.data_version != Some(data_version) {
            *memory = Memory { data_version: Some(data_version), ..Memory::default() };
        }
        let keep = work(&mut Desk { tx: &tx, memory: &mut *memory })?;
        if keep {
            tx.commit()?
        } else {
            tx.rollback()?
        }
        Ok(keep)
    };
    let committed = attempt();
    if !matches!(committed, Ok(true)) {
        *memory = Memory::default();
    }
    committed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_gives_up_when_its_time_is_over_and_the_next_has_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("newsfold.db")).unwrap();
        let reader = store.reader();
        let count = |most: i64| {
            move |connection: &Connection| {
                let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) SELECT count(*) FROM n";
                Ok(connection.query_row(sql, [most], |row| row.get::<_, i64>(0))?)
            }
        };
        assert_eq!(reader.read_within(Duration::ZERO, count(i64::MAX)).unwrap(), None);
        assert_eq!(reader.read_within(Duration::from_secs(60), count(50_000)).unwrap(), Some(50_000));
        assert_eq!(reader.read(count(50_000)).unwrap(), 50_000, "and what is read without a bound has none");
    }
}
