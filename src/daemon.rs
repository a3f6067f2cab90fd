//! The daemon: a loop over a closed set of events.
//!
//! Edge. A feed comes due, a poll is done, work ended, the configuration is to be read again, or it is time to stop. Each is
//! handled by one function, and none of them waits: what takes time, be it the network, the store or the disk, is done in a task
//! (`tasks`) whose end is another event. After each event `Daemon::begin_work` begins what is to be done now.
//!
//! Nothing but what waiting cannot mend ends the daemon: see [`store::Error::policy`].
//!
//! | what | module |
//! | --- | --- |
//! | feeds come due, polls are done | `due` |
//! | feeds of one host go together | `rounds` |
//! | something is to be published | `publishing` |
//! | a configuration comes into force | `reload` |
//! | hubs are to be asked, or say something | `hubs` |
//! | work beside the loop, and how it ends | `tasks` |

mod due;
mod hubs;
mod publishing;
mod reload;
mod rounds;
mod tasks;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::config::{Config, Format};
use crate::fetch::{Client, Settings};
use crate::host_queue::{HostQueue, Limits, Outcome};
use crate::maintenance::{self, Kept};
use crate::metrics::Counters;
use crate::model::FeedRef;
use crate::notify::Watcher;
use crate::plural::counted;
use crate::politeness::Politeness;
use crate::poll::{Poller, Trigger};
use crate::publish::theme::{Theme, ThemeError};
use crate::publish::{Output, Published, Site};
use crate::publish::{digest, files};
use crate::serve::{self, Health, Listeners, OperatorsPages, Pulse};
use crate::store::{self, Policy, Store, Trouble};
use crate::subscriptions::Subscriptions;
use crate::systemd;
use crate::websub::callback::{CallbackHandler, Means, Word};
use crate::websub::subscriber::Subscriber;
use reload::Pending;
use tasks::{Came, Done, Failure, Tasks, Work};

/// What changed within this time is published together.
const PUBLISH_EVERY: Duration = Duration::from_secs(2);
/// How often it is looked what is to be done that no event tells of: corrections, which come from another process, hubs that are
/// to be asked, and what failed a while ago.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long the start waits for the store before what it holds already is published.
const FOR_THE_STORE: Duration = Duration::from_secs(3);
/// The service manager is told no later than this that the daemon is ready, or that the configuration was read again, whatever
/// is still being rendered: a large store is no reason to end a start. What is not rendered yet is answered with 503.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// How long another program's lock, or a full disk, keeps the start from opening the store before that is tried again.
const REOPEN_EVERY: Duration = Duration::from_secs(2);
/// How long the daemon waits for each of these when it stops: polls that are being stored, answers under way, the last documents
/// and files, and the writer of the store. Together that is less than systemd waits.
const LAST_POLLS: Duration = Duration::from_secs(3);
const LAST_ANSWERS: Duration = Duration::from_secs(3);
const LAST_DOCUMENTS: Duration = Duration::from_secs(5);
const LAST_WRITES: Duration = Duration::from_secs(5);

/// Why the daemon could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store refuses.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The address cannot be served on.
    #[error(transparent)]
    Listen(#[from] serve::ListenError),
    /// A template is wrong.
    #[error(transparent)]
    Theme(#[from] ThemeError),
    /// The system gives us no signals.
    #[error("cannot wait for signals: {0}")]
    Signals(std::io::Error),
}

/// Runs until it is told to stop (SIGTERM, SIGINT). `reread` gives the configuration anew on SIGHUP.
///
/// # Errors
/// When it cannot start, or the store is in a state that waiting cannot mend. Feeds that fail, stories that cannot be rendered
/// and a store that is locked, full or slow are no reason to end.
pub async fn run(
    config: Config,
    store_path: &Path,
    mut reread: impl FnMut() -> Result<Config, String>,
) -> Result<(), Error> {
    let mut hangup = signal(SignalKind::hangup()).map_err(Error::Signals)?;
    let started = clock::now();
    let store = open(store_path).await?;
    // Until here they end us at once, as they end any program: bringing a large store up to date takes long, and may be cut
    // short at any instant.
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
    let listeners = Listeners::take(&config.serve).await?;
    let (mut daemon, mut reports, mut words) = Daemon::start(config, store, listeners).await?;
    let stop = CancellationToken::new();
    daemon.serve(started, &stop);
    let mut watchdog = systemd::watchdog().map(tokio::time::interval);
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut trouble = daemon.store.trouble();
    loop {
        daemon.begin_work(clock::now(), clock::instant());
        let (until_due, announce_at) = (daemon.until_due(clock::now()), daemon.announce_at());
        tokio::select! {
            // What is due then is begun at the next turn.
            () = tokio::time::sleep(until_due), if daemon.may_lease(clock::instant()) => {}
            // While the store takes a configuration up, what it holds and what we know may differ.
            Some(report) = reports.recv(), if !daemon.tasks.is_running(Work::Sync) => daemon.take(report)?,
            (work, came) = daemon.tasks.next() => daemon.finished(work, came)?,
            Some(word) = words.recv() => daemon.heed_hub(word),
            _ = look.tick() => daemon.look_around(),
            () = tick(&mut watchdog) => daemon.watch_the_writer(),
            Ok(()) = trouble.changed() => daemon.heed_the_store(trouble.borrow_and_update().clone()),
            () = tokio::time::sleep_until(announce_at), if daemon.awaited.is_some() => daemon.announce(),
            _ = hangup.recv() => {
                systemd::reloading();
                match reread() {
                    Ok(config) => {
                        daemon.reload(config);
                        daemon.await_announcement(Awaited::Reload);
                    }
                    Err(problems) => {
                        daemon.refuse(&problems);
                        systemd::ready(&daemon.status());
                    }
                }
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }

    tracing::info!(name: "daemon.stopping", "stopping");
    systemd::stopping();
    tokio::select! {
        ended = daemon.end(stop, reports) => ended?,
        // What is stored is whole at any instant.
        _ = terminate.recv() => tracing::warn!(
            name: "daemon.stopped_at_once",
            "told twice to stop, so nothing more is waited for"
        ),
        _ = interrupt.recv() => tracing::warn!(
            name: "daemon.stopped_at_once",
            "told twice to stop, so nothing more is waited for"
        ),
    }
    tracing::info!(name: "daemon.stopped", "stopped");
    Ok(())
}

/// Opens the store, as soon as that can be done: another program may hold it locked, or its disk be full.
async fn open(path: &Path) -> Result<Store, Error> {
    loop {
        match Store::open(path) {
            Err(error) if error.policy() == Policy::Retry => {
                tracing::warn!(
                    name: "store.not_opened",
                    "the store cannot be opened now, which is tried again: {error}"
                );
                systemd::takes_its_time(&error.to_string());
                tokio::time::sleep(REOPEN_EVERY).await;
            }
            opened => return Ok(opened?),
        }
    }
}

/// Waits for the next tick; for ever where nobody waits for ours.
async fn tick(interval: &mut Option<tokio::time::Interval>) {
    match interval {
        Some(interval) => drop(interval.tick().await),
        None => std::future::pending().await,
    }
}

/// What came of polls.
type Reports = mpsc::UnboundedReceiver<Outcome>;
/// What came of hubs.
type Words = mpsc::UnboundedReceiver<Word>;

/// Of what the service manager is to be told that it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Start,
    Reload,
}

struct Daemon {
    config: Arc<Config>,
    store: Store,
    politeness: Politeness,
    subscriptions: Subscriptions,
    outputs: Vec<Output>,
    theme: Theme,
    poller: Arc<Poller>,
    host_queue: HostQueue,
    subscriber: Arc<tokio::sync::Mutex<Subscriber>>,
    callbacks: CallbackHandler,
    /// With what hubs' news is taken in.
    means: watch::Sender<Means>,
    tasks: Tasks,
    /// The configuration that is to come into force.
    pending: Option<Pending>,
    /// Whether the store's feeds are those of a configuration that was read by this process.
    is_synced: bool,
    /// Counts the configurations that came into force.
    edition: u64,
    awaited: Option<(Awaited, Instant)>,
    /// Whether a reload was told of before it was in force.
    is_reload_late: bool,
    started: Instant,
    /// When each feed that is not being polled is due, the earliest on top.
    due: BinaryHeap<Reverse<(DateTime<Utc>, FeedRef)>>,
    /// Rounds of hosts that feeds which are due wait for.
    rounds: rounds::Rounds,
    in_flight: HashSet<FeedRef>,
    /// Those of them whose due times are being moved.
    leasing: Vec<(FeedRef, Trigger)>,
    /// Those of them whose address the configuration has changed.
    moved: HashSet<FeedRef>,
    failing: HashMap<FeedRef, String>,
    /// How often in a row the store could not read a feed, or take in what it brought.
    unreadable: HashMap<FeedRef, u32>,
    /// Feeds whose polls were lost to an outage on our side.
    offline: HashSet<FeedRef>,
    /// Feeds that their hubs tell of no more, and those of them that are being looked up.
    untended: Vec<FeedRef>,
    tending: Vec<FeedRef>,
    /// When the two clocks were last looked at, to tell when one of them was set.
    ticked: (DateTime<Utc>, Instant),
    /// What keeps the store from being written to.
    store_trouble: Option<Trouble>,
    /// What work failed the last time it was tried, and why.
    troubles: BTreeMap<Work, String>,
    /// What is wrong with the configuration that was last read, if it was not taken.
    refused: Option<String>,
    is_stale: bool,
    publish_at: Instant,
    are_files_stale: bool,
    /// Whether documents may have changed since our hub was told.
    is_hub_stale: bool,
    /// Who is to be told of stories, and whether there may be some to be told of.
    watchers: Arc<[Watcher]>,
    is_anybody_untold: bool,
    /// Whether commands that follow changed files may be owed.
    are_commands_owed: bool,
    /// When the store is tidied next.
    tidy_at: Instant,
    look_for_corrections: bool,
    ask_hubs: bool,
    /// When the next digest is due.
    digest_at: Option<DateTime<Utc>>,
    /// How many corrections by a person are published.
    corrections: u64,
    listeners: Listeners,
    /// What a server is given, and how it is stopped.
    server: Option<(serve::Sources, CancellationToken)>,
    published: watch::Sender<Published>,
    health: watch::Sender<Health>,
    pulse: watch::Sender<Pulse>,
    counters: watch::Sender<Counters>,
}

impl Daemon {
    async fn start(config: Config, store: Store, listeners: Listeners) -> Result<(Self, Reports, Words), Error> {
        let (reports, received) = mpsc::unbounded_channel();
        let (words, heard) = mpsc::unbounded_channel();
        let politeness = Politeness::default();
        let poller = poller(&config, &store, &politeness);
        let means = watch::Sender::new(Means { subscriptions: Subscriptions::default(), poller: poller.clone() });
        let theme = Theme::from(config.serve.templates.as_deref())?;
        let config = Arc::new(config);
        // What the store knows already can be published before the rest is known to it.
        let known = config.clone();
        let subscriptions = match store.read(move |connection| Subscriptions::look_up(connection, &known)).await {
            Err(error) if error.policy() == Policy::Exit => return Err(error.into()),
            subscriptions => subscriptions.unwrap_or_default(),
        };
        let now = clock::instant();
        let daemon = Self {
            host_queue: HostQueue::new(poller.clone(), Limits::of(&config), reports),
            poller,
            subscriber: Arc::new(tokio::sync::Mutex::new(Subscriber::new(store.clone()))),
            callbacks: CallbackHandler::new(store.clone(), means.subscribe(), words),
            means,
            politeness,
            outputs: subscriptions.outputs(&config),
            subscriptions,
            pending: Some(Pending { config: config.clone(), theme: Some(theme.clone()) }),
            theme,
            tasks: Tasks::default(),
            is_synced: false,
            edition: 0,
            awaited: Some((Awaited::Start, now + READY_WITHIN)),
            is_reload_late: false,
            started: now,
            due: BinaryHeap::new(),
            rounds: rounds::Rounds::default(),
            in_flight: HashSet::new(),
            leasing: Vec::new(),
            moved: HashSet::new(),
            failing: HashMap::new(),
            unreadable: HashMap::new(),
            offline: HashSet::new(),
            untended: Vec::new(),
            tending: Vec::new(),
            ticked: (clock::now(), now),
            store_trouble: None,
            troubles: BTreeMap::new(),
            refused: None,
            is_stale: true,
            publish_at: now,
            are_files_stale: false,
            is_hub_stale: false,
            watchers: Arc::default(),
            is_anybody_untold: false,
            are_commands_owed: false,
            tidy_at: now,
            look_for_corrections: false,
            ask_hubs: false,
            digest_at: None,
            corrections: 0,
            listeners,
            server: None,
            published: watch::Sender::default(),
            health: watch::Sender::default(),
            pulse: watch::Sender::default(),
            counters: watch::Sender::new(Counters::of_tasks(Work::ALL.map(Work::name))),
            config,
            store,
        };
        files::sweep(&daemon.outputs);
        daemon.tell_health();
        Ok((daemon, received, heard))
    }

    /// Begins all work that is to be done now and is not under way.
    fn begin_work(&mut self, now: DateTime<Utc>, instant: Instant) {
        self.heed_the_clock(now);
        if self.tasks.may_begin(Work::Sync, instant)
            && let Some(pending) = self.pending.clone()
        {
            self.tasks.begin(Work::Sync, reload::sync(self.store.clone(), pending, now));
        }
        if self.may_lease(instant) {
            self.lease_due(now);
        }
        let is_late = instant >= self.started + FOR_THE_STORE;
        if self.is_stale
            && (self.is_synced || is_late)
            && instant >= self.publish_at
            && self.tasks.may_begin(Work::Publish, instant)
        {
            (self.is_stale, self.publish_at) = (false, instant + PUBLISH_EVERY);
            let site = self.site();
            let before = self.published.borrow().clone();
            self.tasks.begin(Work::Publish, publishing::render(self.store.clone(), site, before, self.edition));
        }
        if self.are_files_stale && self.tasks.may_begin(Work::Files, instant) {
            self.are_files_stale = false;
            let published = self.published.borrow().clone();
            self.tasks.begin(Work::Files, publishing::write_files(self.store.clone(), published));
        }
        if self.is_hub_stale && self.tasks.may_begin(Work::TellHub, instant) {
            self.is_hub_stale = false;
            self.tell_hub();
        }
        if self.are_commands_owed && self.is_synced && self.tasks.may_begin(Work::Commands, instant) {
            self.are_commands_owed = false;
            self.run_commands();
        }
        if self.is_anybody_untold && self.is_synced && self.tasks.may_begin(Work::Notify, instant) {
            self.is_anybody_untold = false;
            self.notify(now);
        }
        if self.is_synced && instant >= self.tidy_at && self.tasks.may_begin(Work::Tidy, instant) {
            self.tidy_at = instant + maintenance::every(self.config.store.keep);
            self.tidy(now);
        }
        // While something is being published it is not known which corrections will have been.
        if self.look_for_corrections
            && !self.tasks.is_running(Work::Publish)
            && self.tasks.may_begin(Work::Corrections, instant)
        {
            self.look_for_corrections = false;
            let store = self.store.clone();
            self.tasks.begin(Work::Corrections, async move {
                Ok(Done::Corrections(store.read(store::outputs::corrections).await?))
            });
        }
        if self.ask_hubs && self.is_synced && self.tasks.may_begin(Work::Hubs, instant) {
            self.ask_hubs = false;
            self.ask_hubs();
        }
        if !self.untended.is_empty() && self.tasks.may_begin(Work::Replan, instant) {
            self.tending = std::mem::take(&mut self.untended);
            self.tasks.begin(Work::Replan, hubs::look_up(self.store.clone(), self.tending.clone()));
        }
        if self.tasks.may_begin(Work::Serve, instant) {
            self.begin_to_serve();
        }
    }

    /// Whether feeds that are due may be polled now: not before the configuration is in force.
    fn may_lease(&self, instant: Instant) -> bool {
        self.is_synced && self.awaited.is_none() && self.tasks.may_begin(Work::Lease, instant)
    }

    /// Handles the end of a piece of work.
    ///
    /// # Errors
    /// When it met something that waiting cannot mend.
    fn finished(&mut self, work: Work, came: Came) -> Result<(), Error> {
        let done = match came {
            Ok(Done::Served) if self.server.is_some() => return self.failed(work, Failure::Ended),
            Ok(done) => done,
            Err(failure) => return self.failed(work, failure),
        };
        self.tasks.succeeded(work);
        if self.troubles.remove(&work).is_some() {
            tracing::info!(name: "task.recovered", task = work.name(), "what failed before was done now");
        }
        match done {
            Done::Synced(synced) => self.apply(*synced),
            Done::Leased(leased) => self.poll(leased),
            Done::Published(publication) => return self.show(*publication),
            Done::Tidied(kept) => tell_kept(kept),
            Done::Corrections(corrections) => self.is_stale |= corrections != self.corrections,
            Done::Known(states) => self.replan(states),
            Done::Alive => systemd::alive(),
            Done::FilesWritten => self.are_commands_owed = true,
            Done::CommandsRun | Done::HubsAsked | Done::HubTold | Done::Notified | Done::Served => {}
        }
        self.tell_health();
        Ok(())
    }

    /// Tells of work that failed, and sees to it that it is done later.
    fn failed(&mut self, work: Work, failure: Failure) -> Result<(), Error> {
        match failure {
            Failure::Store(error) | Failure::Files(files::WriteError::Store(error))
                if error.policy() == Policy::Exit =>
            {
                return Err(error.into());
            }
            _ => {}
        }
        self.counters.send_modify(|counters| counters.task_failed(work.name()));
        let pause = self.tasks.failed(work, clock::instant());
        let what = format!("{}: {failure}", work.failed());
        let is_new = self.troubles.insert(work, what.clone()).as_ref() != Some(&what);
        match work {
            Work::Lease => self.put_off_leases(clock::now()),
            Work::Publish => self.is_stale = true,
            Work::Files => self.are_files_stale = true,
            Work::Tidy => self.tidy_at = clock::instant(),
            Work::Replan => self.untended.append(&mut self.tending),
            Work::TellHub => self.is_hub_stale = true,
            Work::Notify => self.is_anybody_untold = true,
            Work::Commands => self.are_commands_owed = true,
            // What these look for is looked for again, and a configuration stays pending until it is in force.
            Work::Sync | Work::Corrections | Work::Hubs | Work::Watchdog | Work::Serve => {}
        }
        if matches!(work, Work::Sync | Work::Publish) && self.is_reload() {
            self.announce();
        }
        self.tell_health();
        if is_new {
            tracing::error!(
                name: "task.failed",
                task = work.name(),
                "{what}; it is tried again, first in {} s",
                pause.as_secs()
            );
        }
        Ok(())
    }

    /// What no event tells of is to be looked for.
    fn look_around(&mut self) {
        (self.look_for_corrections, self.ask_hubs) = (true, true);
        let now = clock::now();
        if self.digest_at.is_some_and(|at| at <= now) {
            self.is_stale = true;
            self.plan_digests(now);
        }
    }

    /// Looks up when the next digest is due.
    fn plan_digests(&mut self, now: DateTime<Utc>) {
        self.digest_at = self.outputs.iter().filter_map(|output| digest::next(output, now)).min();
    }

    /// Has the service manager be told that all goes on: this loop turns, and once the writer of the store does, so does that.
    fn watch_the_writer(&mut self) {
        if !self.tasks.is_running(Work::Watchdog) {
            let store = self.store.clone();
            self.tasks.begin(Work::Watchdog, async move {
                store.sign_of_life().await;
                Ok(Done::Alive)
            });
        }
    }

    /// The store cannot be written to, or can again.
    fn heed_the_store(&mut self, trouble: Option<Trouble>) {
        self.counters.send_modify(|counters| counters.is_store_refusing = trouble.is_some());
        self.store_trouble = trouble;
        self.tell_health();
    }

    fn is_reload(&self) -> bool {
        matches!(self.awaited, Some((Awaited::Reload, _)))
    }

    /// The service manager is to be told when this is done.
    fn await_announcement(&mut self, awaited: Awaited) {
        self.awaited = Some((awaited, clock::instant() + READY_WITHIN));
    }

    /// When it is told at the latest.
    fn announce_at(&self) -> Instant {
        self.awaited.map_or(self.started, |(_, at)| at)
    }

    /// Tells of a start or a reload that is done, or that takes longer than anybody should wait for it.
    fn announce(&mut self) {
        let is_in_force = self.pending.is_none();
        match self.awaited.take() {
            Some((Awaited::Start, _)) => self.greet(),
            Some((Awaited::Reload, _)) if is_in_force => self.tell_of_reload(),
            Some((Awaited::Reload, _)) => {
                self.is_reload_late = true;
                tracing::warn!(
                    name: "config.waits",
                    "the configuration was read again, and comes into force when the store can take it up; the one before it stays in force until then"
                );
            }
            None if self.is_reload_late && is_in_force => self.tell_of_reload(),
            None => return,
        }
        systemd::ready(&self.status());
    }

    /// Tells of a reload that is done.
    fn tell_of_reload(&mut self) {
        self.is_reload_late = false;
        let feeds = self.subscriptions.len();
        tracing::info!(name: "config.reloaded", feeds, "the configuration was read again");
    }

    /// Gives up the polls under way, lets answers come to their end, publishes what was stored, and closes the store. What
    /// waits for a store that cannot be written to is not waited for.
    async fn end(mut self, stop: CancellationToken, mut reports: Reports) -> Result<(), Error> {
        self.health.send_modify(|health| health.is_stopping = true);
        self.server = None;
        self.tasks.stop_all_but(&[Work::Publish, Work::Files, Work::Serve]);
        let _ = tokio::time::timeout(LAST_POLLS, self.host_queue.stop()).await;
        while let Ok(report) = reports.try_recv() {
            self.take(report)?;
        }
        stop.cancel();
        let _ = tokio::time::timeout(LAST_ANSWERS, self.come_to_rest(&[Work::Serve])).await;
        // A reader that takes its time does not keep us; as long as it is served, the store stays open.
        self.tasks.stop_all_but(&[Work::Publish, Work::Files]);
        let _ = tokio::time::timeout(LAST_DOCUMENTS, self.publish_the_last()).await;
        self.tasks.stop_all_but(&[]);
        let store = self.store.clone();
        drop(self);
        if tokio::time::timeout(LAST_WRITES, store.close()).await.is_err() {
            tracing::warn!(
                name: "store.not_written",
                "the store could not be written to until the end; what was not stored is polled again"
            );
        }
        Ok(())
    }

    /// Waits until no work of these kinds is under way.
    async fn come_to_rest(&mut self, works: &[Work]) {
        while works.iter().any(|work| self.tasks.is_running(*work)) {
            let (work, came) = self.tasks.next().await;
            // What fails now is done after the next start.
            let ended = match came {
                Ok(Done::Published(publication)) => self.show(*publication),
                Ok(_) => Ok(()),
                Err(failure) => self.failed(work, failure),
            };
            if let Err(error) = ended {
                tracing::warn!(name: "task.unfinished", "{error}");
            }
        }
    }

    /// Publishes what is stored and not published yet, and writes the files of it.
    async fn publish_the_last(&mut self) {
        self.come_to_rest(&[Work::Publish, Work::Files]).await;
        let (store, instant) = (self.store.clone(), clock::instant());
        if self.is_stale && self.tasks.may_begin(Work::Publish, instant) {
            let site = self.site();
            let before = self.published.borrow().clone();
            self.tasks.begin(Work::Publish, publishing::render(store.clone(), site, before, self.edition));
            self.come_to_rest(&[Work::Publish]).await;
        }
        if self.are_files_stale && self.tasks.may_begin(Work::Files, instant) {
            let published = self.published.borrow().clone();
            self.tasks.begin(Work::Files, publishing::write_files(store, published));
            self.come_to_rest(&[Work::Files]).await;
        }
    }

    /// Begins to serve readers, if somebody is to be served.
    fn serve(&mut self, started: DateTime<Utc>, stop: &CancellationToken) {
        if !self.listeners.is_empty() {
            self.server = Some((self.sources(started), stop.clone()));
        }
    }

    fn begin_to_serve(&mut self) {
        if let Some((sources, stop)) = &self.server {
            let served = serve::serve(self.listeners.clone(), sources.clone(), stop.clone());
            self.tasks.begin(Work::Serve, async move {
                served.await;
                Ok(Done::Served)
            });
        }
    }

    /// What is to be published.
    fn site(&self) -> Site {
        Site {
            shows_feeds: self.operators_pages() == OperatorsPages::WithReaders,
            ..Site::new(self.outputs.clone(), self.theme.clone(), self.config.serve.public_url.clone())
        }
    }

    /// Where operators' pages are.
    fn operators_pages(&self) -> OperatorsPages {
        self.listeners.operators_pages(&self.config.serve)
    }

    /// What the server is given.
    fn sources(&self, started: DateTime<Utc>) -> serve::Sources {
        serve::Sources {
            published: self.published.subscribe(),
            health: self.health.subscribe(),
            pulse: self.pulse.subscribe(),
            counters: self.counters.subscribe(),
            started,
            store: self.store.clone(),
            callbacks: self.callbacks.clone(),
            root: self.config.serve.public_url.path().to_owned(),
            shows_feeds: self.operators_pages() == OperatorsPages::WithReaders,
        }
    }

    /// Says where to subscribe, or that nothing is served.
    fn greet(&self) {
        let address = self.listeners.readers.as_ref().map(|listener| listener.address());
        let config = &self.config;
        match &address {
            Some(address) => {
                tracing::info!(name: "serve.listening", feeds = config.feeds.len(), "listening on {address}")
            }
            None => {
                tracing::info!(
                    name: "serve.off",
                    feeds = config.feeds.len(),
                    "nothing is served, because `serve.listen` is empty"
                )
            }
        }
        let of_operators = self.listeners.operators.as_ref().map(|listener| listener.address());
        if let Some(at) = of_operators.as_ref().or(address.as_ref()) {
            tracing::info!(name: "serve.operators", "{}", self.operators_pages().told(at));
        }
        for output in &config.outputs {
            let first = output.formats.first().copied().unwrap_or(Format::Atom);
            let title = &output.title;
            if address.is_some() {
                let (root, name, ending) = (&config.serve.public_url, &output.name, first.ending());
                match &output.token {
                    None => tracing::info!(name: "output.served", "subscribe to {title} at {root}{name}{ending}"),
                    Some(_) => tracing::info!(
                        name: "output.served",
                        "{title} is private: subscribe at {root}{name}{ending} with its token as the password, or at {root}t/TOKEN/{name}{ending}"
                    ),
                }
            }
            match &output.directory {
                Some(directory) => {
                    tracing::info!(name: "output.written", "{title} is written to {}", directory.display())
                }
                None if address.is_none() => {
                    tracing::warn!(
                        name: "output.unseen",
                        "{title} is neither served nor written: it has no `directory`"
                    )
                }
                None => {}
            }
        }
    }

    /// Begins to tidy the store.
    fn tidy(&mut self, now: DateTime<Utc>) {
        let tidied = maintenance::tidy(self.store.clone(), self.config.store.clone(), now);
        self.tasks.begin(Work::Tidy, async move { Ok(Done::Tidied(tidied.await?)) });
    }

    /// What the daemon is at, in a line for the service manager.
    fn status(&self) -> String {
        let (feeds, failing) = (self.subscriptions.len(), self.failing.len());
        let mut status = format!("{}, {failing} failing", counted(feeds, "feed"));
        if let Some(Reverse((next, _))) = self.due.peek() {
            status.push_str(&format!("; next poll {}", next.format("%H:%M:%SZ")));
        }
        for trouble in self.reasons() {
            status.push_str(&format!("; {trouble}"));
        }
        for warning in self.warnings() {
            status.push_str(&format!("; {warning}"));
        }
        if let Some(refused) = &self.refused {
            status.push_str(&format!("; the configuration is wrong, and the one before it stays in force: {refused}"));
        }
        status
    }

    /// What is wrong now, for a person.
    fn reasons(&self) -> Vec<String> {
        self.store_trouble.iter().map(Trouble::to_string).chain(self.troubles.values().cloned()).collect()
    }

    /// What somebody should see to while all goes on.
    fn warnings(&self) -> Vec<String> {
        let published = self.published.borrow();
        let (damaged, left_out) = (published.damaged().len(), published.stories_left_out());
        let damaged = (damaged > 0).then(|| {
            format!(
                "{} damaged in the store and not shown; `newsfold store check` names them",
                counted(damaged, "text")
            )
        });
        let hidden = published.damaged_entries().len();
        let hidden = (hidden > 0).then(|| {
            let entries = counted(hidden, "entry");
            format!("{entries} damaged in the store and not shown; `newsfold store check` names them")
        });
        let left_out = (left_out > 0).then(|| {
            format!("{left_out} of the stories cannot be read or rendered and are left out; the log names them")
        });
        damaged.into_iter().chain(hidden).chain(left_out).collect()
    }

    fn tell_health(&self) {
        let next_poll = self.due.peek().map(|Reverse((at, _))| *at);
        let waiting = self.in_flight.len();
        self.pulse.send_if_modified(|pulse| {
            let changed = (pulse.next_poll, pulse.waiting) != (next_poll, waiting);
            (pulse.next_poll, pulse.waiting) = (next_poll, waiting);
            changed
        });
        let health = Health {
            reasons: self.reasons(),
            warnings: self.warnings(),
            feeds: self.subscriptions.len(),
            failing: self.failing.len(),
            is_stopping: false,
        };
        let changed = self.health.send_if_modified(|known| {
            let changed = *known != health;
            *known = health;
            changed
        });
        if changed {
            systemd::status(&self.status());
        }
    }
}

fn tell_kept(kept: Kept) {
    match kept {
        Kept { pruned: 0, is_too_large: false } => {}
        Kept { pruned, is_too_large: false } => {
            tracing::info!(name: "store.pruned", pruned, "entries past `store.keep` are forgotten")
        }
        Kept { pruned, is_too_large: true } => {
            tracing::warn!(name: "store.too_large", pruned, "{}", maintenance::TOO_LARGE)
        }
    }
}

fn poller(config: &Config, store: &Store, politeness: &Politeness) -> Arc<Poller> {
    let client = Client::new(Settings::of(config), politeness.clone());
    Arc::new(Poller::new(client, store.clone()))
}
