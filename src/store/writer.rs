//! The thread that writes: transaction after transaction, each with all the work that waits together.
//!
//! Edge. While another program holds the store locked the writer waits for it, and the work waits with it: nothing of it is
//! lost, and whoever watches is told ([`Trouble`]). What else keeps a transaction from being committed is told to those who
//! gave the work, and [`Error::policy`] says what they do about it. Work that panics costs itself alone.

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::time::Instant;

use crate::clock;
use crate::fold::index::Index;
use crate::model::{EntryRef, FeedRef};
use crate::store::file::OpenedFile;
use crate::store::{Error, Policy, Result};
use crate::update::Lately;

/// How long the writer waits for another closure to share its transaction with.
const GATHER: Duration = Duration::from_millis(40);
/// The longest that a transaction stays open for others to join.
const LONGEST_TRANSACTION: Duration = Duration::from_millis(400);
/// With less room in the queue than this, in KiB, those that wait for it may not fit.
const FULL_BELOW_KIB: usize = 384;
/// With so many entries a store is large enough for SQLite to learn from how its tables are filled.
const LARGE: u64 = 50_000;
/// Work that takes longer than this is told: whoever is due waits for it.
const LONG_WORK: Duration = Duration::from_millis(250);
/// The pause before a lock is tried again that SQLite did not wait for itself.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What the writer hands to the work that it is given.
pub struct WriteContext<'a> {
    /// The transaction. The work neither commits it nor rolls it back.
    pub tx: &'a Connection,
    /// What work leaves for the work after it.
    pub memory: &'a mut WriterCache,
}

/// What is read from the tables once and kept up by those who write to them.
///
/// It is forgotten whenever a transaction fails, because it may know of what was not stored.
#[derive(Default)]
pub struct WriterCache {
    /// SQLite's number for what other processes have changed so far.
    data_version: Option<i64>,
    /// The handle that the next new entry gets.
    pub next_entry: Option<EntryRef>,
    /// The stories of the folding window.
    pub index: Option<Index>,
    /// How many new entries each feed brought of late.
    pub lately: HashMap<FeedRef, Lately>,
}

/// What keeps the store from being written to, until it passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Another program holds it locked. What is to be stored waits.
    Locked,
    /// It refuses: the disk is full, read-only or failing. In words, for a person.
    Refused(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked => Error::Busy.fmt(f),
            Self::Refused(what) => f.write_str(what),
        }
    }
}

/// What the writer shows of itself.
#[derive(Default)]
pub(super) struct Signs {
    pub(super) trouble: watch::Sender<Option<Trouble>>,
    /// Counts what it did, looking whether the lock of another program is gone included.
    pub(super) turns: watch::Sender<u64>,
    /// The longest that one piece of work has kept the store from others, in microseconds.
    pub(super) longest_work_us: AtomicU64,
}

impl Signs {
    /// Runs work, and notes how long it kept the store from others.
    fn timed(&self, job: &mut dyn Job, context: &mut WriteContext<'_>) -> bool {
        let begun = clock::instant();
        let is_done = job.run(context);
        let took = begun.elapsed();
        self.longest_work_us.fetch_max(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        if took > LONG_WORK {
            tracing::info!(
                name: "store.slow",
                duration_ms = took.as_millis(),
                "one piece of work kept the store from others for long"
            );
        }
        is_done
    }

    fn turned(&self) {
        self.turns.send_modify(|turns| *turns = turns.wrapping_add(1));
    }

    /// Tells of trouble, in the log when it is not known yet.
    fn meets(&self, error: &Error) {
        if error.policy() != Policy::Retry {
            return;
        }
        let trouble = if is_lock(error) { Trouble::Locked } else { Trouble::Refused(error.to_string()) };
        self.trouble.send_if_modified(|known| {
            let is_news = known.as_ref() != Some(&trouble);
            if is_news {
                match &trouble {
                    Trouble::Locked => {
                        tracing::warn!(name: "store.locked", "{trouble}; what was polled waits until then")
                    }
                    Trouble::Refused(_) => tracing::error!(
                        name: "store.refuses",
                        "{trouble}; what is published stays as it is, and what was polled is asked for again later"
                    ),
                }
                *known = Some(trouble);
            }
            is_news
        });
    }

    /// The trouble is over, if it is one that `is_over` says is.
    fn passes(&self, is_over: impl Fn(&Trouble) -> bool) {
        self.trouble.send_if_modified(|known| {
            let is_news = known.as_ref().is_some_and(is_over);
            if is_news {
                tracing::info!(name: "store.recovered", "the store can be written to again");
                *known = None;
            }
            is_news
        });
    }
}

fn is_lock(error: &Error) -> bool {
    match error {
        Error::Busy => true,
        Error::Refused(error) => is_lock(error),
        _ => false,
    }
}

/// Work that waits for the writer. It can be run again: when one piece fails, what shared its transaction is.
pub(super) trait Job: Send {
    /// Runs the work; `false` when it failed.
    fn run(&mut self, context: &mut WriteContext<'_>) -> bool;
    /// Why it failed when it was last run.
    fn failure(&self) -> Option<&Error>;
    /// Tells the asker, once the transaction's fate is known.
    fn tell(self: Box<Self>, committed: Result<()>);
}

/// A closure and who waits for what it comes to.
pub(super) struct Asked<T, W> {
    work: W,
    came: Result<T>,
    reply: oneshot::Sender<Result<T>>,
    /// Room in the queue, given back when this is dropped.
    _place: Option<OwnedSemaphorePermit>,
}

impl<T, W> Asked<T, W> {
    /// Work that holds its `place` in the queue until it is done, and where its result will be.
    pub(super) fn new(work: W, place: Option<OwnedSemaphorePermit>) -> (Self, Submitted<T>) {
        let (reply, answer) = oneshot::channel();
        (Self { work, came: Err(Error::Closed), reply, _place: place }, Submitted(answer))
    }
}

impl<T: Send, W: Fn(&mut WriteContext<'_>) -> Result<T> + Send> Job for Asked<T, W> {
    fn run(&mut self, context: &mut WriteContext<'_>) -> bool {
        // What it left half done is undone: the transaction, and all that is remembered.
        self.came = catch_unwind(AssertUnwindSafe(|| (self.work)(context))).unwrap_or(Err(Error::Panicked));
        self.came.is_ok()
    }

    fn failure(&self) -> Option<&Error> {
        self.came.as_ref().err()
    }

    fn tell(self: Box<Self>, committed: Result<()>) {
        // Nobody waits any more when the asker was cancelled; what was stored stays stored.
        let _ = self.reply.send(committed.and(self.came));
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
        self.0.await.unwrap_or(Err(Error::Closed))
    }
}

/// The writer's own things.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) file: OpenedFile,
    /// The room in the queue of work, in KiB.
    pub(super) room: Arc<Semaphore>,
    pub(super) signs: Arc<Signs>,
    /// How long another program's lock is waited for; `None` is as long as it takes.
    pub(super) patience: Option<Duration>,
    pub(super) memory: WriterCache,
    /// Since when another program has held the store locked, as far as the writer met it.
    pub(super) locked_since: Option<Instant>,
}

impl Writer {
    /// Writes until nobody can give it work any more.
    pub(super) fn run(mut self, jobs: &Receiver<Box<dyn Job>>) {
        while let Ok(first) = jobs.recv() {
            self.write_together(first, jobs);
        }
        // A store that cannot be tidied is still whole. What SQLite learns of a small store would have it read all of a large
        // one later.
        let newest =
            self.connection.query_row("SELECT coalesce(max(id), 0) FROM entry", [], |row| row.get::<_, u64>(0));
        if newest.is_ok_and(|newest| newest > LARGE) {
            let _ = self.connection.execute_batch("PRAGMA optimize");
        }
        let _ = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    /// One transaction: `first`, and what arrives while it is open. When a piece of work fails, each has one of its own.
    fn write_together(&mut self, first: Box<dyn Job>, jobs: &Receiver<Box<dyn Job>>) {
        let opened = clock::instant();
        let (room, signs) = (self.room.clone(), self.signs.clone());
        let mut together = vec![first];
        let committed = self.transact(|context| {
            let mut at = 0;
            while let Some(job) = together.get_mut(at) {
                if !signs.timed(&mut **job, context) {
                    return false;
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
            true
        });
        match committed {
            Ok(true) => together.into_iter().for_each(|job| job.tell(Ok(()))),
            Ok(false) => together.into_iter().for_each(|job| self.write_alone(job)),
            Err(error) => {
                let error = Arc::new(error);
                together.into_iter().for_each(|job| job.tell(Err(Error::Refused(error.clone()))));
            }
        }
    }

    fn write_alone(&mut self, mut job: Box<dyn Job>) {
        let signs = self.signs.clone();
        let committed = self.transact(|context| signs.timed(&mut *job, context));
        if let (Ok(false), Some(error)) = (&committed, job.failure()) {
            self.signs.meets(error);
        }
        job.tell(committed.map(drop).map_err(|error| Error::Refused(Arc::new(error))));
    }

    /// Runs `work` in a transaction that is committed when it says so. Whenever it is not, the memory is forgotten.
    fn transact(&mut self, work: impl FnOnce(&mut WriteContext<'_>) -> bool) -> Result<bool> {
        let changes = self.connection.total_changes();
        let committed = self.attempt(work);
        if !matches!(committed, Ok(true)) {
            self.memory = WriterCache::default();
        }
        match &committed {
            // A transaction that changed nothing says nothing of the disk.
            Ok(true) if self.connection.total_changes() != changes => self.signs.passes(|_| true),
            Ok(_) => {}
            Err(error) => self.signs.meets(error),
        }
        self.signs.turned();
        committed
    }

    fn attempt(&mut self, work: impl FnOnce(&mut WriteContext<'_>) -> bool) -> Result<bool> {
        let Self { connection, memory, .. } = self;
        self.file.is_in_place()?;
        let tx = loop {
            match Transaction::new_unchecked(connection, TransactionBehavior::Immediate).map_err(Error::from) {
                Err(Error::Busy) => {
                    let since = *self.locked_since.get_or_insert_with(clock::instant);
                    if self.patience.is_some_and(|patience| since.elapsed() >= patience) {
                        return Err(Error::Busy);
                    }
                    self.signs.meets(&Error::Busy);
                    self.signs.turned();
                    std::thread::sleep(LOOK_AGAIN);
                }
                begun => break begun?,
            }
        };
        self.locked_since = None;
        self.signs.passes(|trouble| *trouble == Trouble::Locked);
        // A person's correction comes from another process; what is remembered may not know of it.
        let data_version = tx.pragma_query_value(None, "data_version", |row| row.get(0))?;
        if memory.data_version != Some(data_version) {
            *memory = WriterCache { data_version: Some(data_version), ..WriterCache::default() };
        }
        let keep = work(&mut WriteContext { tx: &tx, memory });
        // What is not committed is rolled back when it is dropped, unless SQLite did so itself, as it does when the disk is full.
        if keep {
            tx.commit()?;
        }
        Ok(keep)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};
    use std::task::Poll;

    use super::*;
    use crate::store::Store;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("newsfold.db")).unwrap();
        store.reader().read(|_| Ok(())).unwrap();
        (folder, store)
    }

    /// Work that writes a row of this name.
    fn keep(name: &'static str) -> impl Fn(&mut WriteContext<'_>) -> Result<()> + Send + 'static {
        move |context| {
            context.tx.execute("INSERT INTO output (name, digest, modified) VALUES (?1, '', 0)", [name])?;
            Ok(())
        }
    }

    async fn kept(store: &Store) -> Vec<String> {
        let look = |connection: &Connection| {
            let mut query = connection.prepare("SELECT name FROM output ORDER BY name")?;
            let rows = query.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        };
        store.read(look).await.unwrap()
    }

    #[tokio::test]
    async fn work_that_fails_or_panics_costs_itself_and_not_what_shared_its_transaction() {
        let (_folder, store) = store();
        let runs = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = runs.clone();
        let first = move |context: &mut WriteContext<'_>| {
            counted.fetch_add(1, Ordering::Relaxed);
            keep("first")(context)
        };
        let fails = |context: &mut WriteContext<'_>| {
            keep("fails")(context)?;
            Err::<(), _>(Error::Damaged("on purpose".into()))
        };
        let panics = |context: &mut WriteContext<'_>| -> Result<()> {
            keep("panics")(context)?;
            panic!("on purpose")
        };
        let first = store.submit(0, first).await.unwrap();
        let (fails, panics) = (store.submit(0, fails).await.unwrap(), store.submit(0, panics).await.unwrap());
        let last = store.submit(0, keep("last")).await.unwrap();
        assert!(matches!(fails.committed().await, Err(Error::Damaged(_))));
        assert!(matches!(panics.committed().await, Err(Error::Panicked)));
        first.committed().await.unwrap();
        last.committed().await.unwrap();
        assert_eq!(kept(&store).await, ["first", "last"]);
        assert!(runs.load(Ordering::Relaxed) > 1, "it shared a transaction that was undone");
    }

    /// Work that says when it has begun, and goes on when it is told to.
    fn held() -> (impl Fn(&mut WriteContext<'_>) -> Result<()> + Send, Receiver<()>, Sender<()>) {
        let ((begins, begun), (go, goes)) = (channel(), channel());
        let work = move |_: &mut WriteContext<'_>| {
            begins.send(()).unwrap();
            goes.recv().unwrap();
            Ok(())
        };
        (work, begun, go)
    }

    #[tokio::test]
    async fn work_that_waits_together_is_committed_together() {
        let (_folder, store) = store();
        let (work, begun, go) = held();
        let turns = || *store.signs.turns.borrow();
        let before = turns();
        let mut submitted = vec![store.submit(0, work).await.unwrap()];
        tokio::task::spawn_blocking(move || begun.recv().unwrap()).await.unwrap();
        for name in ["a", "b", "c", "d"] {
            submitted.push(store.submit(0, keep(name)).await.unwrap());
        }
        go.send(()).unwrap();
        for work in submitted {
            work.committed().await.unwrap();
        }
        assert_eq!(turns(), before + 1, "one transaction for all of them");
        assert_eq!(kept(&store).await, ["a", "b", "c", "d"]);
    }

    #[tokio::test]
    async fn who_brings_more_than_there_is_room_for_waits_until_there_is() {
        let (_folder, store) = store();
        let (work, begun, go) = held();
        let first = store.submit(usize::MAX, work).await.unwrap();
        tokio::task::spawn_blocking(move || begun.recv().unwrap()).await.unwrap();
        assert!(store.queued_bytes() > 0);
        let mut second = std::pin::pin!(store.submit(0, keep("second")));
        let waits = std::future::poll_fn(|context| Poll::Ready(second.as_mut().poll(context).is_pending()));
        assert!(waits.await, "the queue is full");
        go.send(()).unwrap();
        first.committed().await.unwrap();
        second.await.unwrap().committed().await.unwrap();
        assert_eq!(kept(&store).await, ["second"]);
    }

    #[tokio::test]
    async fn a_read_that_panics_costs_that_read() {
        let (_folder, store) = store();
        let panicked = store.read(|_| -> Result<()> { panic!("on purpose") }).await;
        assert!(matches!(panicked, Err(Error::Panicked)));
        store.write(0, keep("after")).await.unwrap();
        assert_eq!(kept(&store).await, ["after"]);
    }

    #[tokio::test]
    async fn work_waits_for_another_programs_lock_and_the_lock_is_told() {
        let (folder, store) = store();
        let other = Connection::open(folder.path().join("newsfold.db")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut trouble = store.trouble();
        let waits = store.submit(0, keep("waits")).await.unwrap();
        trouble.changed().await.unwrap();
        assert_eq!(*trouble.borrow_and_update(), Some(Trouble::Locked));
        // A lock is no reason to think that the writer hangs.
        store.sign_of_life().await;
        other.execute_batch("ROLLBACK").unwrap();
        waits.committed().await.unwrap();
        assert_eq!(*trouble.borrow(), None);
        assert_eq!(kept(&store).await, ["waits"]);
    }

    #[tokio::test]
    async fn who_has_not_all_the_time_is_told_that_the_store_is_locked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("newsfold.db");
        let store = Store::open_within(&path, Duration::ZERO).unwrap();
        let other = Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let refused = store.write(0, keep("never")).await.unwrap_err();
        assert!(refused.to_string().contains("another program holds the store locked"), "{refused}");
        assert_eq!(refused.policy(), Policy::Retry);
        other.execute_batch("ROLLBACK").unwrap();
        store.write(0, keep("later")).await.unwrap();
        assert_eq!(kept(&store).await, ["later"]);
    }

    #[tokio::test]
    async fn a_full_store_is_told_until_something_fits_again() {
        let (_folder, store) = store();
        let pages = |context: &mut WriteContext<'_>| {
            Ok(context.tx.pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0))?)
        };
        let now = store.write(0, pages).await.unwrap();
        let limit = |pages: i64| {
            move |context: &mut WriteContext<'_>| Ok(context.tx.pragma_update(None, "max_page_count", pages)?)
        };
        store.write(0, limit(now)).await.unwrap();
        let large = |context: &mut WriteContext<'_>| {
            let name = "x".repeat(1 << 20);
            context.tx.execute("INSERT INTO output (name, digest, modified) VALUES (?1, '', 0)", [name])?;
            Ok(())
        };
        let refused = store.write(0, large).await.unwrap_err();
        assert_eq!(refused.policy(), Policy::Retry, "{refused}");
        assert!(matches!(&*store.trouble().borrow(), Some(Trouble::Refused(what)) if what.contains("full")));
        store.write(0, |_| Ok(())).await.unwrap();
        assert!(store.trouble().borrow().is_some(), "what writes nothing proves nothing");
        store.write(0, limit(now + 10_000)).await.unwrap();
        store.write(0, large).await.unwrap();
        assert_eq!(*store.trouble().borrow(), None);
    }

    #[tokio::test]
    async fn a_store_that_is_replaced_or_deleted_is_neither_read_nor_written_any_more() {
        for is_replaced in [false, true] {
            let (folder, store) = store();
            let path = folder.path().join("newsfold.db");
            std::fs::rename(&path, folder.path().join("moved.db")).unwrap();
            if is_replaced {
                std::fs::write(&path, "").unwrap();
            }
            for taken in [store.write(0, keep("lost")).await, store.read(|_| Ok(())).await] {
                let taken = taken.unwrap_err();
                assert!(
                    taken.is_misconfigured() && taken.to_string().contains("moved, deleted or replaced"),
                    "{taken}"
                );
            }
        }
    }
}
