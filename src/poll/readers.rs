//! Where documents are read: a few at a time, and never all of those places for feeds that are slow to read.
//!
//! Edge: threads. Reading is work for the processor and cannot be taken from a thread, so what is read is asked now and then
//! whether its time is over, and a feed whose document took long waits behind other such feeds from then on.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinError;

use crate::clock;
use crate::model::FeedRef;

/// How many documents are unpacked and read at a time. What a poll brought keeps its place until the store has room for it,
/// so that those that wait do so as they came, packed.
const READERS: usize = 2;
/// How many of them may be of feeds whose document took long before.
const SLOW_READERS: usize = 1;
/// How long it may take before it counts as long; a large document takes a tenth of that.
const LONG: Duration = Duration::from_secs(1);
/// How long a document may take to be read before it is given up.
const LONGEST: Duration = Duration::from_secs(10);

/// The places in which documents are read.
#[derive(Debug)]
pub(super) struct Readers {
    places: Arc<Semaphore>,
    slow: Arc<Semaphore>,
    slow_feeds: Arc<Mutex<HashSet<FeedRef>>>,
}

impl Readers {
    pub(super) fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(READERS)),
            slow: Arc::new(Semaphore::new(SLOW_READERS)),
            slow_feeds: Arc::default(),
        }
    }

    /// Reads a document of `feed` on a thread of its own, when there is a place; `read` is given the place, and what to ask
    /// whether its time is over.
    ///
    /// # Errors
    /// When reading panicked.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        feed: FeedRef,
        read: impl FnOnce(OwnedSemaphorePermit, &dyn Fn() -> bool) -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        let slow_feeds = self.slow_feeds.clone();
        let was_slow = slow_feeds.lock().unwrap_or_else(PoisonError::into_inner).contains(&feed);
        let lane = if was_slow { Some(place_in(&self.slow).await) } else { None };
        let place = place_in(&self.places).await;
        let reading = tokio::task::spawn_blocking(move || {
            let begun = clock::instant();
            let done = read(place, &|| begun.elapsed() > LONGEST);
            let mut slow_feeds = slow_feeds.lock().unwrap_or_else(PoisonError::into_inner);
            if begun.elapsed() > LONG {
                slow_feeds.insert(feed);
            } else {
                slow_feeds.remove(&feed);
            }
            drop(lane);
            done
        });
        reading.await
    }
}

async fn place_in(semaphore: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    semaphore.clone().acquire_owned().await.expect("it is never closed")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn feeds_that_were_slow_leave_a_place_to_the_others() {
        let readers = Arc::new(Readers::new());
        readers.slow_feeds.lock().unwrap().extend([FeedRef(1), FeedRef(2)]);
        let (end, ended) = mpsc::channel::<()>();
        let ended = Arc::new(Mutex::new(ended));
        let slow = [1, 2].map(|feed| {
            let (readers, ended) = (readers.clone(), ended.clone());
            tokio::spawn(async move {
                let wait = move |_: OwnedSemaphorePermit, _: &dyn Fn() -> bool| ended.lock().unwrap().recv().is_ok();
                readers.run(FeedRef(feed), wait).await.unwrap()
            })
        });
        // Both places would be taken by now, if they were not kept apart.
        while readers.slow.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(readers.run(FeedRef(3), |_, _| "read").await.unwrap(), "read");
        end.send(()).unwrap();
        end.send(()).unwrap();
        for reading in slow {
            assert!(reading.await.unwrap());
        }
        assert!(readers.slow_feeds.lock().unwrap().is_empty(), "they were quick this time");
    }
}
