//! Polls that are due, in line at their hosts.
//!
//! Edge. Feeds of one host are asked one after the other, with a pause between, so that no host sees a burst and one
//! connection serves them all. A slow host holds up its own line only: a poll takes one of the places that limit how many
//! run at once when its turn has come, and not while it waits for it. Where no pause is wanted a line keeps its place for a
//! while, so that a host is done with, and its connection closed, before too many others are begun. A poll that panics costs
//! itself: it is recorded as a failure of its feed, and its line goes on.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use url::Url;

use crate::clock;
use crate::config::Config;
use crate::model::FeedRef;
use crate::politeness::limiter::Limiter;
use crate::poll::{InLine, PollJob, Poller, Recording, Report, SlowPoll};
use crate::store;
use crate::subscription::Subscription;

/// How long a line without pauses keeps its place: a slow host takes turns with the others.
const LONGEST_TURN: Duration = Duration::from_secs(1);

/// How long it takes until a connection is known to be free again: who asks sooner makes another one.
const UNTIL_FREE: Duration = Duration::from_millis(1);

/// How many requests go out at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// In all.
    pub concurrency: usize,
    /// To one host.
    pub per_host: usize,
    /// Between two requests to one host.
    pub gap: Duration,
}

impl Limits {
    /// As configured.
    #[must_use]
    pub(crate) fn of(config: &Config) -> Self {
        let poll = &config.poll;
        Self { concurrency: poll.concurrency, per_host: poll.per_host, gap: poll.per_host_gap }
    }
}

/// What came of a job: a report, or which feed's could not be stored, and why.
pub(crate) type Outcome = Result<Report, (FeedRef, store::Error)>;

/// The lines, one a host. Dropping it lets the polls under way finish.
pub(crate) struct HostQueue {
    shared: Arc<Shared>,
    tasks: TaskTracker,
}

struct Shared {
    poller: Arc<Poller>,
    limits: Limits,
    places: Limiter,
    lines: Mutex<HashMap<String, Line>>,
    reports: mpsc::UnboundedSender<Outcome>,
    stop: CancellationToken,
}

#[derive(Default)]
struct Line {
    waiting: VecDeque<(Instant, PollJob)>,
    walkers: usize,
}

impl HostQueue {
    /// Lines whose polls are made by `poller`; what comes of them is sent to `reports`.
    #[must_use]
    pub(crate) fn new(poller: Arc<Poller>, limits: Limits, reports: mpsc::UnboundedSender<Outcome>) -> Self {
        let (places, stop) = (Limiter::new(limits.concurrency), CancellationToken::new());
        let shared = Shared { poller, limits, places, lines: Mutex::default(), reports, stop };
        Self { shared: Arc::new(shared), tasks: TaskTracker::new() }
    }

    /// Lines for a changed configuration, which report to where these do. Stopping them stops these too, and the polls of
    /// both together are no more at a time than the new limits say.
    #[must_use]
    pub(crate) fn renewed(&self, poller: Arc<Poller>, limits: Limits) -> Self {
        let Shared { places, reports, stop, .. } = &*self.shared;
        places.set_limit(limits.concurrency);
        let (places, reports, stop) = (places.clone(), reports.clone(), stop.clone());
        let shared = Shared { poller, limits, places, lines: Mutex::default(), reports, stop };
        Self { shared: Arc::new(shared), tasks: self.tasks.clone() }
    }

    /// Puts polls in line at their hosts. All are in line before the first is made, so that the last of a line is known.
    pub(crate) fn push(&self, jobs: impl IntoIterator<Item = PollJob>) {
        self.shared.push(jobs.into_iter().map(|job| (clock::instant(), job)), &self.tasks);
    }

    /// Gives up the polls that are waiting or under way, and returns once none is. What they had stored stays stored.
    pub(crate) async fn stop(&self) {
        self.shared.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Shared {
    fn push(self: &Arc<Self>, jobs: impl IntoIterator<Item = (Instant, PollJob)>, tasks: &TaskTracker) {
        let mut lines = self.lines();
        for (came, job) in jobs {
            let host = host_of(job.feed.target());
            let line = lines.entry(host.clone()).or_default();
            line.waiting.push_back((came, job));
            if line.walkers < self.limits.per_host {
                line.walkers += 1;
                let (shared, walk) = (self.clone(), tasks.clone());
                tasks.spawn(async move { shared.walk(&host, &walk).await });
            }
        }
    }

    /// Has a poll wait out of its host's line for the right to be made, which few slow feeds have at a time: its neighbours
    /// do not wait with it.
    fn step_aside(
        self: &Arc<Self>,
        came: Instant,
        job: PollJob,
        right: impl Future<Output = SlowPoll> + Send + 'static,
        tasks: &TaskTracker,
    ) {
        let (shared, more) = (self.clone(), tasks.clone());
        tasks.spawn(async move {
            tokio::select! {
                slow = right => shared.push([(came, PollJob { slow: Some(slow), ..job })], &more),
                () = shared.stop.cancelled() => {}
            }
        });
    }

    /// Walks one host's line to its end.
    async fn walk(self: &Arc<Self>, host: &str, tasks: &TaskTracker) {
        let walk = async {
            let mut turn = None;
            while let Some((came, job)) = self.next(host) {
                if job.slow.is_none()
                    && let Some(right) = self.poller.slow_poll(job.feed.feed)
                {
                    self.step_aside(came, job, right, tasks);
                    continue;
                }
                let place = match turn.take() {
                    Some(place) => place,
                    None => (self.places.acquire().await, clock::instant()),
                };
                let feed = job.feed.feed;
                let in_line = InLine { waited: came.elapsed(), is_last: self.is_at_its_end(host) };
                let polled = self.poll(job, in_line).await;
                let reports = self.reports.clone();
                tasks.spawn(async move {
                    let report = match polled {
                        Ok(recording) => recording.stored().await,
                        Err(error) => Err(error),
                    };
                    // Nobody listens any more when the daemon is stopping.
                    let _ = reports.send(report.map_err(|error| (feed, error)));
                });
                if self.limits.gap.is_zero() || host.is_empty() {
                    if !host.is_empty() && !in_line.is_last {
                        tokio::time::sleep(UNTIL_FREE).await;
                    }
                    turn = Some(place).filter(|(_, since)| since.elapsed() < LONGEST_TURN);
                } else {
                    drop(place);
                    tokio::time::sleep(self.limits.gap).await;
                }
            }
        };
        tokio::select! {
            () = walk => {}
            () = self.stop.cancelled() => {}
        }
    }

    /// Makes a poll in a task of its own, so that a panic there ends nothing but that.
    async fn poll(&self, job: PollJob, in_line: InLine) -> store::Result<Recording> {
        let (feed, subscription) = (job.feed.feed, job.subscription.clone());
        let poller = self.poller.clone();
        let task = tokio::spawn(async move { poller.poll(job, in_line).await });
        self.joined(feed, &subscription, AbortOnDropHandle::new(task)).await
    }

    /// What came of a poll's task; a panic is recorded as a failure of the feed that is ours.
    async fn joined(
        &self,
        feed: FeedRef,
        subscription: &Subscription,
        task: AbortOnDropHandle<store::Result<Recording>>,
    ) -> store::Result<Recording> {
        match task.await {
            Ok(polled) => polled,
            Err(ended) if ended.is_panic() => self.poller.note_panic(feed, subscription, clock::now()).await,
            Err(cancelled) => Err(cancelled.into()),
        }
    }

    /// The next poll in line; when there is none, the line is taken down.
    fn next(&self, host: &str) -> Option<(Instant, PollJob)> {
        let mut lines = self.lines();
        let line = lines.get_mut(host)?;
        let next = line.waiting.pop_front();
        if next.is_none() {
            line.walkers -= 1;
            if line.walkers == 0 {
                lines.remove(host);
            }
        }
        next
    }

    /// Whether nobody waits in this host's line.
    fn is_at_its_end(&self, host: &str) -> bool {
        self.lines().get(host).is_none_or(|line| line.waiting.is_empty())
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, HashMap<String, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one line is for: scheme, host and port do not matter to a machine that is asked too often, its name does.
fn host_of(address: &Url) -> String {
    address.host_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::{Client, Settings, SystemNames};
    use crate::model::history;
    use crate::politeness::Politeness;
    use crate::poll::Polled;
    use crate::store::{Store, feeds};

    #[tokio::test]
    async fn a_poll_that_panics_is_recorded_as_a_failure_of_ours_and_costs_that_poll() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("newsfold.db")).unwrap();
        let configured = feeds::Configured {
            address: "https://one.example/feed".parse().unwrap(),
            name: "one".into(),
            standing: feeds::Standing::default(),
            first_poll: clock::now(),
            first_poll_why: String::new(),
            planned_by: String::new(),
        };
        let add = move |context: &mut store::WriteContext<'_>| {
            feeds::reconfigure(context.tx, std::slice::from_ref(&configured))
        };
        let feed = store.write(0, add).await.unwrap().handles[0];
        let settings = Settings {
            user_agent: "newsfold".into(),
            timeout: Duration::from_secs(1),
            max_body_bytes: 1,
            per_host: 1,
            per_host_gap: Duration::ZERO,
            look_up: Arc::new(SystemNames::default()),
            allow_networks: Vec::new(),
        };
        let subscription = Subscription::hourly();
        let poller = Arc::new(Poller::new(Client::new(settings, Politeness::default()), store.clone()));
        let limits = Limits { concurrency: 1, per_host: 1, gap: Duration::ZERO };
        let host_queue = HostQueue::new(poller, limits, mpsc::unbounded_channel().0);
        let task = AbortOnDropHandle::new(tokio::spawn(async { panic!("on purpose") }));
        let recording = host_queue.shared.joined(feed, &subscription, task).await.unwrap();
        let report = recording.stored().await.unwrap();
        assert!(matches!(&report.polled, Polled::Failed(why) if why.contains("fault of newsfold")), "{report:?}");
        assert_eq!(report.outcome, Some(history::Outcome::Ours));
        let stored = store.read(move |connection| feeds::one(connection, feed)).await.unwrap();
        assert_eq!((stored.failures, stored.polls), (1, 1));
        assert!(stored.next_poll > clock::now(), "and it is polled again");
    }
}
