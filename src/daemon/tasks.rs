//! The work beside the loop, each piece in a task of its own.
//!
//! Edge: starts tasks. How one ended, be it well, with an error or with a panic, is an event for the loop. What failed is begun
//! again after a pause that grows with each failure; what to do about it is the loop's to decide.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use tokio::task::{AbortHandle, Id, JoinSet};
use tokio::time::Instant;

use super::due::Leased;
use super::publishing::Publication;
use super::reload::Synced;
use crate::maintenance::Kept;
use crate::publish::files::WriteError;
use crate::store;

/// The longest pause before failed work is begun again.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A kind of work. Of each there is at most one task at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Work {
    /// Making the store's feeds those of the configuration.
    Sync,
    /// Moving the due times of feeds that are about to be polled.
    Lease,
    /// Rendering the outputs.
    Publish,
    /// Writing the outputs' files.
    Files,
    /// Forgetting entries whose time is over.
    Tidy,
    /// Looking for corrections by a person.
    Corrections,
    /// Asking hubs to tell us of changes.
    Hubs,
    /// Planning feeds that a hub tells of no more.
    Replan,
    /// Telling our hub of changes.
    TellHub,
    /// Telling people of stories.
    Notify,
    /// Running the commands that follow changed files.
    Commands,
    /// Waiting for a sign of life of the store's writer.
    Watchdog,
    /// Answering readers.
    Serve,
}

impl Work {
    /// Every kind.
    pub(super) const ALL: [Self; 13] = [
        Self::Sync,
        Self::Lease,
        Self::Publish,
        Self::Files,
        Self::Tidy,
        Self::Corrections,
        Self::Hubs,
        Self::Replan,
        Self::TellHub,
        Self::Notify,
        Self::Commands,
        Self::Watchdog,
        Self::Serve,
    ];

    /// What it is called in metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Lease => "lease",
            Self::Publish => "publish",
            Self::Files => "files",
            Self::Tidy => "tidy",
            Self::Corrections => "corrections",
            Self::Hubs => "hubs",
            Self::Replan => "replan",
            Self::TellHub => "tell_hub",
            Self::Notify => "notify",
            Self::Commands => "commands",
            Self::Watchdog => "watchdog",
            Self::Serve => "serve",
        }
    }

    /// What failed, for a person.
    pub(super) fn failed(self) -> &'static str {
        match self {
            Self::Sync => "the configuration could not be applied to the store",
            Self::Lease => "no feed is polled while due times cannot be moved in the store",
            Self::Publish => "the outputs could not be rendered; what was published before stays",
            Self::Files => "the outputs' files could not be written",
            Self::Tidy => "the store could not be tidied",
            Self::Corrections => "corrections by `split` and `join` could not be looked for",
            Self::Hubs => "hubs could not be asked",
            Self::Replan => "a feed that its hub tells of no more could not be planned anew",
            Self::TellHub => "the hub could not be told of a change",
            Self::Notify => "somebody could not be told of a story",
            Self::Commands => "a command that follows changed files failed",
            Self::Watchdog => "the store's writer could not be watched",
            Self::Serve => "the HTTP server ended",
        }
    }
}

/// What a piece of work came to.
pub(super) enum Done {
    Synced(Box<Synced>),
    Leased(Leased),
    Published(Box<Publication>),
    FilesWritten,
    Tidied(Kept),
    Corrections(u64),
    HubsAsked,
    /// What is known of feeds that are to be planned anew.
    Known(Vec<crate::model::Feed>),
    HubTold,
    Notified,
    CommandsRun,
    /// The writer of the store does something.
    Alive,
    /// The server came to its end.
    Served,
}

/// Why a piece of work failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Files(#[from] WriteError),
    /// Some outputs could not be rendered, or some services not told.
    #[error("{0}")]
    Some(String),
    #[error("it panicked, which is a fault of newsfold; please report it with the log")]
    Panicked,
    #[error("it ended without a word")]
    Ended,
}

/// How a piece of work ended.
pub(super) type Came = Result<Done, Failure>;

/// The work under way, and when what failed may be begun again.
#[derive(Default)]
pub(super) struct Tasks {
    running: JoinSet<Came>,
    works: HashMap<Id, (Work, AbortHandle)>,
    pauses: HashMap<Work, Pause>,
}

#[derive(Clone, Copy)]
struct Pause {
    failures: u32,
    until: Instant,
}

impl Tasks {
    /// Begins a piece of work.
    pub(super) fn begin(&mut self, work: Work, task: impl Future<Output = Came> + Send + 'static) {
        let handle = self.running.spawn(task);
        self.works.insert(handle.id(), (work, handle));
    }

    /// Whether work of this kind is under way.
    pub(super) fn is_running(&self, work: Work) -> bool {
        self.works.values().any(|(running, _)| *running == work)
    }

    /// Whether work of this kind may be begun: none is under way, and none failed a moment ago.
    pub(super) fn may_begin(&self, work: Work, now: Instant) -> bool {
        !self.is_running(work) && self.pauses.get(&work).is_none_or(|pause| pause.until <= now)
    }

    /// Waits until some work ends. Nothing is lost when this is given up.
    pub(super) async fn next(&mut self) -> (Work, Came) {
        loop {
            let (id, came) = match self.running.join_next_with_id().await {
                Some(Ok((id, came))) => (id, came),
                Some(Err(ended)) if ended.is_panic() => (ended.id(), Err(Failure::Panicked)),
                // It was told to stop, and nobody waits for it.
                Some(Err(ended)) => {
                    self.works.remove(&ended.id());
                    continue;
                }
                None => std::future::pending().await,
            };
            if let Some((work, _)) = self.works.remove(&id) {
                return (work, came);
            }
        }
    }

    /// Notes that work of this kind failed; gives how long it is not begun again.
    pub(super) fn failed(&mut self, work: Work, now: Instant) -> Duration {
        let failures = self.pauses.get(&work).map_or(0, |pause| pause.failures) + 1;
        let pause = pause_after(failures);
        self.pauses.insert(work, Pause { failures, until: now + pause });
        pause
    }

    /// Notes that work of this kind was done.
    pub(super) fn succeeded(&mut self, work: Work) {
        self.pauses.remove(&work);
    }

    /// Gives up all work but that of these kinds.
    pub(super) fn stop_all_but(&mut self, kept: &[Work]) {
        let others = self.works.values().filter(|(work, _)| !kept.contains(work));
        others.for_each(|(_, handle)| handle.abort());
    }
}

/// How long failed work rests: a second after the first failure, twice as long after each further one.
fn pause_after(failures: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    Duration::from_secs(1).saturating_mul(doubled).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn failed_work_rests_longer_and_longer_up_to_a_minute() {
        let seconds = [1, 2, 3, 6, 7, 1_000].map(|failures| pause_after(failures).as_secs());
        assert_eq!(seconds, [1, 2, 4, 32, 60, 60]);
    }

    #[tokio::test]
    async fn a_panic_is_an_event_like_any_other_end_and_work_rests_after_it() {
        let mut tasks = Tasks::default();
        tasks.begin(Work::Publish, async { panic!("on purpose") });
        tasks.begin(Work::Corrections, std::future::pending());
        let (work, came) = tasks.next().await;
        assert_eq!(work, Work::Publish);
        assert!(matches!(came, Err(Failure::Panicked)));
        let now = clock::instant();
        let pause = tasks.failed(work, now);
        assert!(!tasks.may_begin(work, now) && tasks.may_begin(work, now + pause));
        assert!(!tasks.may_begin(Work::Corrections, now), "it is under way");
        tasks.begin(work, async { Ok(Done::HubTold) });
        assert!(matches!(tasks.next().await, (Work::Publish, Ok(_))));
        tasks.succeeded(work);
        assert!(tasks.may_begin(work, now));
    }

    #[tokio::test]
    async fn what_is_given_up_is_no_event() {
        let mut tasks = Tasks::default();
        tasks.begin(Work::Tidy, std::future::pending());
        tasks.stop_all_but(&[Work::Publish]);
        tasks.begin(Work::Publish, async { Ok(Done::FilesWritten) });
        assert!(matches!(tasks.next().await, (Work::Publish, Ok(Done::FilesWritten))));
        tokio::task::yield_now().await;
    }
}
