//! The SQLite file that holds everything newsfold knows.
//!
//! Edge. One thread (`writer`) owns the one connection that writes; [`Store::write`] sends it a closure, which runs in one
//! immediate transaction and is done even if the asker has gone. Closures that wait together share a transaction, so that a burst of
//! polls costs one commit; when one of them fails, the transaction is undone and each of them runs again in its own. (A
//! savepoint for each would save that, and cost every poll a copy of the pages it touches.) Readers have connections of their own that cannot write and never wait.
//! Whoever meets an error asks [`Error::policy`] what to do about it.
//!
//! What the tables mean to the rest of the program is in the modules below; what is written when is `ingest`'s to decide.

mod checksum;
pub mod cooldowns;
pub mod copies;
pub mod corrections;
pub mod digests;
pub mod embeddings;
pub mod entries;
mod error;
pub mod feeds;
mod file;
pub mod fingerprints;
pub mod follows;
pub mod hubs;
pub mod known_as;
pub mod lists;
pub mod notices;
mod open;
pub mod other_languages;
pub mod outputs;
mod reader;
pub mod rekey;
pub mod retention;
pub mod salvage;
pub mod schema;
pub mod search;
pub mod stories;
pub mod succession;
pub mod texts;
mod time;
mod whole_copy;
mod writer;

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::TransactionBehavior;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinError;

pub use error::{Error, Policy, Result};
pub use reader::Reader;
pub use rusqlite::Connection;
pub use time::{instant, millis};
pub use writer::{Submitted, Trouble, WriteContext, WriterCache};

use crate::clock;
use file::OpenedFile;
use writer::{Asked, Job, Signs, Writer};

/// How long a start waits for a command that owns the store for a moment, as one that corrects something does.
const PATIENCE: Duration = Duration::from_secs(1);
/// How much polled text may wait for the writer, in KiB, before polls wait too.
const QUEUE_KIB: u32 = 1536;

/// The store, open for writing. Clones share the one writer.
#[derive(Clone)]
pub struct Store {
    jobs: Sender<Box<dyn Job>>,
    queue: Arc<Semaphore>,
    signs: Arc<Signs>,
    reader: Reader,
    writer: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Store {
    /// Opens the store at `path`, makes it if there is none, and brings an older one up to date after copying it.
    ///
    /// While another program holds it locked, writing waits as long as it takes.
    ///
    /// # Errors
    /// When another process owns it, it is not ours, or the folder cannot be written to. The store was not changed then.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, None)
    }

    /// Like [`open`](Self::open), for who has not all the time: another program's lock is waited for no longer than `patience`.
    ///
    /// # Errors
    /// As [`open`](Self::open), or when the store was locked for so long.
    pub fn open_within(path: &Path, patience: Duration) -> Result<Self> {
        let begun = clock::instant();
        loop {
            match Self::open_with(path, Some(patience)) {
                Err(Error::Busy) if begun.elapsed() < patience => {
                    tracing::warn!(name: "store.busy", "{}; it is waited for", Error::Busy)
                }
                opened => return opened,
            }
        }
    }

    fn open_with(path: &Path, patience: Option<Duration>) -> Result<Self> {
        let path = &file::resolved(path);
        let owned = file::own(path, PATIENCE)?;
        let connection = open::open_as_owner(path, &owned)?;
        let file = OpenedFile::at(path)?;
        let (jobs, received) = channel();
        let room = Arc::new(Semaphore::new(QUEUE_KIB as usize));
        let signs = Arc::new(Signs::default());
        let writer = Writer {
            connection,
            file: file.clone(),
            room: room.clone(),
            signs: signs.clone(),
            patience,
            memory: WriterCache::default(),
            locked_since: None,
        };
        let writer = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || {
                writer.run(&received);
                drop(owned);
            })
            .map_err(|error| Error::Folder { path: path.to_owned(), error })?;
        let reader = Reader::beside_writer(path, file)?;
        Ok(Self { jobs, queue: room, signs, reader, writer: Arc::new(Mutex::new(Some(writer))) })
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
        work: impl Fn(&mut WriteContext<'_>) -> Result<T> + Send + 'static,
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
        work: impl Fn(&mut WriteContext<'_>) -> Result<T> + Send + 'static,
    ) -> Result<Submitted<T>> {
        let kib = u32::try_from(bytes / 1024 + 1).unwrap_or(QUEUE_KIB).min(QUEUE_KIB);
        let place = self.queue.clone().acquire_many_owned(kib).await.map_err(|_| Error::Closed)?;
        let (asked, submitted) = Asked::new(work, Some(place));
        self.jobs.send(Box::new(asked)).map_err(|_| Error::Closed)?;
        Ok(submitted)
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
        tokio::task::spawn_blocking(move || reader.read(look)).await?
    }

    /// What keeps the store from being written to; `None` while nothing does.
    #[must_use]
    pub fn trouble(&self) -> watch::Receiver<Option<Trouble>> {
        self.signs.trouble.subscribe()
    }

    /// Waits until the writer has done something after this was called. Waiting for another program's lock counts, because
    /// a new start could do no more; work that never ends does not.
    pub async fn sign_of_life(&self) {
        let mut turns = self.signs.turns.subscribe();
        let (nothing, _) = Asked::new(|_: &mut WriteContext<'_>| Ok(()), None);
        // Where the writer has ended nothing turns any more.
        if self.jobs.send(Box::new(nothing)).is_err() || turns.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
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
        tokio::task::spawn_blocking(move || reader.read_within(most, look)).await?
    }

    /// How much polled text waits for the writer, in bytes.
    #[must_use]
    pub fn queued_bytes(&self) -> u64 {
        (QUEUE_KIB as usize).saturating_sub(self.queue.available_permits()) as u64 * 1024
    }

    /// The longest that one piece of work has kept the store from others.
    #[must_use]
    pub fn longest_work(&self) -> Duration {
        Duration::from_micros(self.signs.longest_work_us.load(Ordering::Relaxed))
    }

    /// Whether `path` leads to the store itself. No part of the program but SQLite may open that: see `store::file`.
    #[must_use]
    pub fn is_at(&self, path: &Path) -> bool {
        file::is_part_of(self.reader.path(), path)
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

impl From<JoinError> for Error {
    fn from(ended: JoinError) -> Self {
        // Only the end of the program cancels what the store was asked.
        if ended.is_panic() { Self::Panicked } else { Self::Closed }
    }
}

/// The size of the log beside the file of `connection`; 0 where there is none.
#[must_use]
pub fn log_bytes(connection: &Connection) -> u64 {
    let log = connection.path().map(|path| format!("{path}-wal"));
    log.and_then(|log| std::fs::metadata(log).ok()).map_or(0, |log| log.len())
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
            Ok(owned) => open::open_as_owner(path, &owned),
            Err(Error::Locked(_)) => open::open_beside_owner(path),
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
