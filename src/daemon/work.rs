//! The kinds of work beside the loop: what each comes to, why it may fail, and when it rests.
//!
//! Pure: values. A task does the work (`tasks`), and `core` says which is begun.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::config::Config;
use crate::encoder::Turn;
use crate::maintenance::Kept;
use crate::model::{Feed, FeedRef};
use crate::notify::{Told, Watcher};
use crate::politeness::cooldowns::Cooldowns;
use crate::poll::Trigger;
use crate::publish::files::WriteError;
use crate::publish::theme::Theme;
use crate::publish::{Output, Published};
use crate::schedule;
use crate::store;
use crate::subscriptions::Subscriptions;

/// The longest pause that a service may ask for.
const LONGEST_REST: Duration = Duration::from_secs(86_400);

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
    /// Looking for tellings in other languages.
    Encode,
    /// Running the commands that follow changed files.
    Commands,
    /// Waiting for a sign of life of the store's writer.
    Watchdog,
    /// Answering readers.
    Serve,
}

impl Work {
    /// Every kind.
    pub(super) const ALL: [Self; 14] = [
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
        Self::Encode,
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
            Self::Encode => "encode",
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
            Self::Encode => "stories are not looked for in other languages, because the encoder could not be asked",
            Self::Commands => "a command that follows changed files failed",
            Self::Watchdog => "the store's writer could not be watched",
            Self::Serve => "the HTTP server ended",
        }
    }

    /// Whether it asks somebody else's service, without which all else goes on as well: its failure says nothing about the
    /// daemon's health.
    pub(super) fn is_dispensable(self) -> bool {
        matches!(self, Self::Encode | Self::Notify | Self::TellHub)
    }
}

/// What a piece of work came to.
#[derive(Debug)]
pub(super) enum Done {
    Synced(Box<Synced>),
    Leased(Leased),
    Published(Box<Publication>),
    /// How long that took.
    FilesWritten(Duration),
    Tidied(Kept),
    Corrections(u64),
    HubsAsked,
    /// What is known of feeds that are to be planned anew.
    Known(Vec<Feed>),
    HubTold,
    /// Who could not be told, among others.
    Notified(Told),
    Encoded(Turn),
    CommandsRun,
    /// The writer of the store does something.
    Alive,
    /// The server came to its end.
    Served,
}

/// A configuration that is to come into force.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) config: Arc<Config>,
    /// `None` where its templates are wrong: pages keep the look that they had.
    pub(super) theme: Option<Theme>,
}

/// What there is once the store's feeds are those of a configuration.
#[derive(Debug)]
pub(super) struct Synced {
    pub(super) pending: Pending,
    pub(super) subscriptions: Subscriptions,
    pub(super) outputs: Vec<Output>,
    pub(super) watchers: Vec<Watcher>,
    /// When each feed is due.
    pub(super) due: Vec<(FeedRef, DateTime<Utc>)>,
    pub(super) cooldowns: Cooldowns,
}

/// Feeds whose due times were moved, and those that cannot be read.
#[derive(Debug)]
pub(super) struct Leased {
    pub(super) feeds: Vec<(Feed, Trigger)>,
    pub(super) unreadable: Vec<(FeedRef, store::Error)>,
}

/// What was rendered.
#[derive(Debug)]
pub(super) struct Publication {
    pub(super) rendered: Published,
    /// Which configuration it was rendered for, counted.
    pub(super) edition: u64,
    /// How many corrections by a person it has.
    pub(super) corrections: u64,
    /// Whether searches find all that is stored.
    pub(super) is_indexed: bool,
    pub(super) took: Duration,
}

/// Why a piece of work failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Files(#[from] WriteError),
    /// Some outputs could not be rendered, or some commands not run.
    #[error("{0}")]
    Some(String),
    /// Somebody else's service would not have it now.
    #[error("{why}")]
    Later {
        /// Why, for a person.
        why: String,
        /// For how long it asks not to be asked again.
        rest: Option<Duration>,
    },
    #[error("it panicked, which is a fault of newsfold; please report it with the log")]
    Panicked,
    #[error("it ended without a word")]
    Ended,
}

/// How a piece of work ended.
pub(super) type Came = Result<Done, Failure>;

/// Which kinds of work are under way, and when what failed may be begun again. Times are since the daemon started.
#[derive(Debug, Default)]
pub(super) struct Works {
    under_way: BTreeSet<Work>,
    pauses: BTreeMap<Work, Pause>,
}

#[derive(Debug, Clone, Copy)]
struct Pause {
    failures: u32,
    until: Duration,
}

impl Works {
    /// Notes that work of this kind begins.
    pub(super) fn begin(&mut self, work: Work) {
        self.under_way.insert(work);
    }

    /// Notes that work of this kind ended, however it did.
    pub(super) fn end(&mut self, work: Work) {
        self.under_way.remove(&work);
    }

    /// Whether work of this kind is under way.
    pub(super) fn is_under_way(&self, work: Work) -> bool {
        self.under_way.contains(&work)
    }

    /// Whether work of this kind may be begun: none is under way, and none failed a moment ago.
    pub(super) fn may_begin(&self, work: Work, at: Duration) -> bool {
        !self.is_under_way(work) && self.pauses.get(&work).is_none_or(|pause| pause.until <= at)
    }

    /// Notes that work of this kind failed; gives how long it is not begun again, which is no less than the `rest` that was asked
    /// for.
    pub(super) fn failed(&mut self, work: Work, at: Duration, rest: Option<Duration>) -> Duration {
        let failures = self.pauses.get(&work).map_or(0, |pause| pause.failures) + 1;
        let pause = schedule::pause_after(failures, rest, LONGEST_REST);
        self.pauses.insert(work, Pause { failures, until: at + pause });
        pause
    }

    /// Notes that work of this kind was done.
    pub(super) fn succeeded(&mut self, work: Work) {
        self.pauses.remove(&work);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_is_under_way_or_rests_is_not_begun() {
        let (mut works, at) = (Works::default(), Duration::from_secs(5));
        works.begin(Work::Publish);
        assert!(!works.may_begin(Work::Publish, at) && works.may_begin(Work::Files, at));
        works.end(Work::Publish);
        let pause = works.failed(Work::Publish, at, None);
        assert!(!works.may_begin(Work::Publish, at) && works.may_begin(Work::Publish, at + pause));
        works.succeeded(Work::Publish);
        assert!(works.may_begin(Work::Publish, at));
        let asked = Duration::from_secs(600);
        assert_eq!(works.failed(Work::TellHub, at, Some(asked)), asked);
        assert_eq!(works.failed(Work::TellHub, at, Some(Duration::MAX)), LONGEST_REST);
    }
}
