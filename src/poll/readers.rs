//! Where documents are read: a few at a time, and never all of those places for feeds that are slow to read.
//!
//! Edge: threads. Reading is work for the processor and cannot be taken from a thread, so what is read is asked now and then
//! whether its time is over. A feed whose document took long, or is stored by parts, has the slow lane from then on: one such
//! document is read and stored at a time, and a few such polls are under way, however many such feeds there are. So they keep
//! neither the places for reading nor those for requests from others. Which feeds are slow is known afterwards, so a document that
//! takes long is set aside while it is read: its place is another's. One that nothing ends is left behind: its thread goes on, and
//! nothing of that feed is read until it is done.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinError;
use tokio::time::Instant;

use crate::clock;
use crate::model::FeedRef;

/// How many documents are unpacked and read at a time. What a poll brought keeps its place until the store has room for it,
/// so that those that wait do so as they came, packed.
const READERS: usize = 2;
/// How many of them may be of slow feeds, until they are stored.
const SLOW_READERS: usize = 1;
/// How many polls of slow feeds may be under way.
const SLOW_POLLS: usize = 8;
/// How long it may take before it counts as long; a document of many entries takes a tenth of that.
const LONG: Duration = Duration::from_millis(100);
/// After so many quick documents in a row a feed is slow no more.
const FORGIVEN_AFTER: u8 = 8;
/// How long a document may take to be read before it is given up.
const LONGEST: Duration = Duration::from_secs(10);
/// When it is set aside.
const SET_ASIDE_AFTER: Duration = Duration::from_secs(1);
/// When it is left behind, because it does not ask whether its time is over.
const LEFT_BEHIND_AFTER: Duration = Duration::from_secs(20);
/// How many documents may be set aside at a time, as they share the processors, and how many left behind; the others keep their
/// places.
const MOST_ASIDE: usize = 2;
const MOST_LEFT_BEHIND: usize = 16;

/// How long a thread waits for the next document. Each has a heap of its own.
const IDLE: Duration = Duration::from_millis(100);

/// Why a document was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is left behind, or the one before it still is.
    TakesTooLong,
    /// Reading it panicked.
    Panicked,
}

/// The places in which documents are read.
#[derive(Debug)]
pub(super) struct Readers {
    threads: Threads,
    places: Arc<Semaphore>,
    slow: Arc<Semaphore>,
    polls: Arc<Semaphore>,
    aside: Arc<Semaphore>,
    left_behind: Arc<Semaphore>,
    slow_feeds: SlowFeeds,
    /// Of which feeds a document is being read.
    under_way: UnderWay,
    /// When a document is set aside, and when it is left behind.
    patience: [Duration; 2],
}

/// Threads for documents alone, so that those that are never done keep none from others, and nobody waits for them at the end.
#[derive(Debug)]
struct Threads(Option<Runtime>);

impl Threads {
    fn new() -> Self {
        let most = READERS + MOST_ASIDE + MOST_LEFT_BEHIND;
        let runtime = Builder::new_current_thread().max_blocking_threads(most).thread_keep_alive(IDLE).build();
        Self(Some(runtime.expect("it waits for nothing of the system's")))
    }

    fn spawn<T: Send + 'static>(&self, read: impl FnOnce() -> T + Send + 'static) -> tokio::task::JoinHandle<T> {
        let runtime = self.0.as_ref().expect("it is there until this is dropped");
        runtime.spawn_blocking(read)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

type UnderWay = Arc<Mutex<HashSet<FeedRef>>>;

/// A document of a feed is being read, until this is dropped.
struct Reading(FeedRef, UnderWay);

impl Reading {
    /// `None` when one that was left behind still is.
    fn begin(feed: FeedRef, under_way: &UnderWay) -> Option<Self> {
        let is_new = under_way.lock().unwrap_or_else(PoisonError::into_inner).insert(feed);
        is_new.then(|| Self(feed, under_way.clone()))
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.1.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// The feeds that are slow, each with how many quick documents it takes until it is not.
#[derive(Debug, Clone, Default)]
struct SlowFeeds(Arc<Mutex<HashMap<FeedRef, u8>>>);

impl SlowFeeds {
    fn contains(&self, feed: FeedRef) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&feed)
    }

    fn note(&self, feed: FeedRef, is_slow: bool) {
        let mut feeds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if is_slow {
            feeds.insert(feed, FORGIVEN_AFTER);
        } else if let Some(left) = feeds.get_mut(&feed) {
            *left -= 1;
            if *left == 0 {
                feeds.remove(&feed);
            }
        }
    }
}

/// A place in which a document is read, kept until it is stored.
#[derive(Debug)]
pub(super) struct Place {
    feed: FeedRef,
    slow_feeds: SlowFeeds,
    _permits: Permits,
}

/// What the document has a place by: one of the readers, and the slow lane where its feed is slow; or its place aside.
type Permits = Arc<Mutex<Vec<OwnedSemaphorePermit>>>;

impl Place {
    /// Says that the document is stored by parts.
    pub(super) fn is_stored_by_parts(&self) {
        self.slow_feeds.note(self.feed, true);
    }
}

/// The right to poll a slow feed.
#[derive(Debug)]
pub(crate) struct SlowPoll(#[expect(dead_code, reason = "what it holds is the right")] OwnedSemaphorePermit);

impl Readers {
    pub(super) fn new() -> Self {
        Self {
            threads: Threads::new(),
            places: Arc::new(Semaphore::new(READERS)),
            slow: Arc::new(Semaphore::new(SLOW_READERS)),
            polls: Arc::new(Semaphore::new(SLOW_POLLS)),
            aside: Arc::new(Semaphore::new(MOST_ASIDE)),
            left_behind: Arc::new(Semaphore::new(MOST_LEFT_BEHIND)),
            slow_feeds: SlowFeeds::default(),
            under_way: UnderWay::default(),
            patience: [SET_ASIDE_AFTER, LEFT_BEHIND_AFTER],
        }
    }

    pub(super) fn is_slow(&self, feed: FeedRef) -> bool {
        self.slow_feeds.contains(feed)
    }

    /// Waits for the right to poll a slow feed.
    pub(super) fn slow_poll(&self) -> impl Future<Output = SlowPoll> + use<> {
        let polls = self.polls.clone();
        async move { SlowPoll(place_in(&polls).await) }
    }

    /// Reads a document of `feed` on a thread of its own, when there is a place; `read` is given the place, and what to ask
    /// whether its time is over.
    ///
    /// # Errors
    /// When reading panicked, or takes too long.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        feed: FeedRef,
        read: impl FnOnce(Place, &dyn Fn() -> bool) -> T + Send + 'static,
    ) -> Result<T, Unread> {
        let slow_feeds = self.slow_feeds.clone();
        let is_slow = slow_feeds.contains(feed);
        let mut permits = Vec::new();
        if is_slow {
            permits.push(place_in(&self.slow).await);
        }
        permits.push(place_in(&self.places).await);
        let permits = Arc::new(Mutex::new(permits));
        let under_way = Reading::begin(feed, &self.under_way).ok_or(Unread::TakesTooLong)?;
        let place = Place { feed, slow_feeds: slow_feeds.clone(), _permits: permits.clone() };
        let mut reading = self.threads.spawn(move || {
            let _under_way = under_way;
            let begun = clock::instant();
            let done = read(place, &|| begun.elapsed() > LONGEST);
            slow_feeds.note(feed, begun.elapsed() > LONG);
            done
        });
        let read = |done: Result<T, JoinError>| done.map_err(|_| Unread::Panicked);
        let begun = Instant::now();
        let [set_aside, left_behind] = self.patience;
        // Those of slow feeds have the lane, and keep nobody else.
        if !is_slow {
            tokio::select! {
                biased;
                done = &mut reading => return read(done),
                aside = self.place_aside(feed, set_aside) => put_into(&permits, aside),
                () = tokio::time::sleep(left_behind) => {}
            }
        }
        if let Ok(done) = tokio::time::timeout(left_behind.saturating_sub(begun.elapsed()), &mut reading).await {
            return read(done);
        }
        self.slow_feeds.note(feed, true);
        tokio::select! {
            biased;
            done = &mut reading => read(done),
            behind = place_in(&self.left_behind) => {
                put_into(&permits, behind);
                Err(Unread::TakesTooLong)
            }
        }
    }

    /// A place aside, for a document that takes longer than `patience`, and whose feed is slow therefore.
    async fn place_aside(&self, feed: FeedRef, patience: Duration) -> OwnedSemaphorePermit {
        tokio::time::sleep(patience).await;
        self.slow_feeds.note(feed, true);
        place_in(&self.aside).await
    }
}

/// Gives back what a document had its place by, for another place.
fn put_into(permits: &Permits, place: OwnedSemaphorePermit) {
    *permits.lock().unwrap_or_else(PoisonError::into_inner) = vec![place];
}

async fn place_in(semaphore: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    semaphore.clone().acquire_owned().await.expect("it is never closed")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn feeds_that_were_slow_leave_a_place_to_the_others_until_they_are_stored() {
        let readers = Arc::new(Readers::new());
        [1, 2].iter().for_each(|feed| readers.slow_feeds.note(FeedRef(*feed), true));
        let (end, ended) = mpsc::channel::<()>();
        let ended = Arc::new(Mutex::new(ended));
        let slow = [1, 2].map(|feed| {
            let (readers, ended) = (readers.clone(), ended.clone());
            tokio::spawn(async move {
                let wait = move |place: Place, _: &dyn Fn() -> bool| ended.lock().unwrap().recv().map(|()| place);
                readers.run(FeedRef(feed), wait).await.unwrap().unwrap()
            })
        });
        // Both places would be taken by now, if they were not kept apart.
        while readers.slow.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(readers.run(FeedRef(3), |_, _| "read").await.unwrap(), "read");
        end.send(()).unwrap();
        let [first, second] = slow;
        let read = first.await.unwrap();
        assert_eq!(readers.slow.available_permits(), 0, "what is read keeps the lane until it is stored");
        drop(read);
        end.send(()).unwrap();
        second.await.unwrap();
    }

    #[tokio::test]
    async fn a_feed_is_slow_until_it_was_quick_often_and_a_few_such_polls_are_under_way() {
        let readers = Readers::new();
        let feed = FeedRef(1);
        readers.run(feed, |place, _| place.is_stored_by_parts()).await.unwrap();
        for _ in 1..FORGIVEN_AFTER {
            assert!(readers.is_slow(feed));
            readers.run(feed, |_, _| ()).await.unwrap();
        }
        assert!(!readers.is_slow(feed), "it was quick often enough");
        let mut polls = Vec::new();
        for _ in 0..SLOW_POLLS {
            polls.push(readers.slow_poll().await);
        }
        let mut next = std::pin::pin!(readers.slow_poll());
        assert!(std::future::poll_fn(|context| std::task::Poll::Ready(next.as_mut().poll(context).is_pending())).await);
        polls.pop();
        next.await;
    }

    /// A document that is read until its end is told.
    fn until(ended: mpsc::Receiver<()>) -> impl FnOnce(Place, &dyn Fn() -> bool) + Send + 'static {
        move |_place, _| ended.recv().unwrap()
    }

    #[tokio::test]
    async fn a_document_that_does_not_end_is_left_behind_and_its_places_are_anothers() {
        let readers = Readers { patience: [Duration::ZERO; 2], ..Readers::new() };
        let feed = FeedRef(1);
        readers.slow_feeds.note(feed, true);
        let (end, ended) = mpsc::channel::<()>();
        assert_eq!(readers.run(feed, until(ended)).await, Err(Unread::TakesTooLong));
        let places = [&readers.places, &readers.slow].map(|places| places.available_permits());
        assert_eq!((places, readers.is_slow(feed)), ([READERS, SLOW_READERS], true));
        assert!(readers.run(feed, |_, _| ()).await.is_err(), "it is not done with the last one");
        end.send(()).unwrap();
        while readers.left_behind.available_permits() < MOST_LEFT_BEHIND {
            tokio::task::yield_now().await;
        }
        let readers = Readers { patience: [SET_ASIDE_AFTER, LEFT_BEHIND_AFTER], ..readers };
        while readers.run(feed, |_, _| ()).await.is_err() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn documents_that_take_long_keep_no_place_from_others_while_they_are_read() {
        let readers = Arc::new(Readers { patience: [Duration::ZERO, Duration::MAX], ..Readers::new() });
        let mut under_way = Vec::new();
        for feed in 1..=u64::try_from(MOST_ASIDE).unwrap() {
            let (end, ended) = mpsc::channel::<()>();
            let (readers, feed) = (readers.clone(), FeedRef(feed));
            under_way.push((end, tokio::spawn(async move { readers.run(feed, until(ended)).await })));
        }
        while readers.aside.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(readers.run(FeedRef(99), |_, _| "read").await, Ok("read"));
        for (end, reading) in under_way {
            end.send(()).unwrap();
            assert_eq!(reading.await.unwrap(), Ok(()), "what is set aside is read to its end");
        }
    }
}
