//! The daemon: a loop over a closed set of events.
//!
//! Edge. A feed comes due, a poll is done, something is to be published, the configuration is to be read again, or it is time
//! to stop. Each is handled by one function, and none of them waits for the network.
//!
//! | what | module |
//! | --- | --- |
//! | feeds come due, polls are done | `due` |
//! | something is to be published | `publishing` |
//! | hubs are to be asked, or say something | `hubs` |

mod due;
mod hubs;
mod publishing;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::config::{self, Config, Format};
use crate::fetch::{Client, Settings};
use crate::hosts::{Hosts, Limits, Outcome};
use crate::manners::Manners;
use crate::metrics::Counters;
use crate::model::FeedRef;
use crate::plural::counted;
use crate::poll::Poller;
use crate::publish::files;
use crate::publish::look::{Look, LookError};
use crate::publish::{Output, Published};
use crate::roster::Roster;
use crate::schedule;
use crate::serve::{self, Health, Pulse};
use crate::service;
use crate::store::{self, Store, feeds, holds};
use crate::upkeep::{self, Kept};
use crate::websub::ear::{Ear, Means, Word};
use crate::websub::subscriber::Subscriber;

/// What changed within this time is published together.
const PUBLISH_EVERY: Duration = Duration::from_secs(2);
/// How often a person's corrections, which come from another process, are looked for.
const CORRECTIONS_EVERY: Duration = Duration::from_secs(2);
/// How often it is looked whether a hub is to be asked for something.
const HUBS_EVERY: Duration = Duration::from_secs(2);
/// How long answers under way may take when the daemon stops.
const LAST_ANSWERS: Duration = Duration::from_secs(3);

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
    Look(#[from] LookError),
    /// The system gives us no signals.
    #[error("cannot wait for signals: {0}")]
    Signals(std::io::Error),
}

/// Runs until it is told to stop (SIGTERM, SIGINT). `reread` gives the configuration anew on SIGHUP.
///
/// # Errors
/// When it cannot start, or the store refuses for good. Feeds that fail are no reason to end.
pub async fn run(
    config: Config,
    store_path: &Path,
    mut reread: impl FnMut() -> Result<Config, String>,
) -> Result<(), Error> {
    let mut hangup = signal(SignalKind::hangup()).map_err(Error::Signals)?;
    let started = clock::now();
    let store = Store::open(store_path)?;
    // Until here they end us at once, as they end any program: bringing a large store up to date takes long, and may be cut
    // short at any instant.
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
    let listener = serve::listen(&config.serve.listen).await?;
    let (mut daemon, mut reports, mut words) = Daemon::start(config, store).await?;
    daemon.publish().await?;
    let stop = CancellationToken::new();
    let address = listener.as_ref().map(serve::Listener::address);
    daemon.greet(address.as_deref());
    let server = listener.map(|listener| tokio::spawn(serve::serve(listener, daemon.sources(started), stop.clone())));
    service::ready(&daemon.status());
    let mut watchdog = service::watchdog().map(tokio::time::interval);

    let mut publish = tokio::time::interval(PUBLISH_EVERY);
    publish.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut tidy = tokio::time::interval(upkeep::every(daemon.config.store.keep));
    tidy.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut corrections = tokio::time::interval(CORRECTIONS_EVERY);
    corrections.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut hubs = tokio::time::interval(HUBS_EVERY);
    hubs.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = tokio::time::sleep(daemon.until_due(clock::now())) => {
                daemon.heed_the_clock(clock::now());
                daemon.poll_due(clock::now()).await?;
            }
            Some(report) = reports.recv() => daemon.take(report),
            _ = publish.tick(), if daemon.is_stale => daemon.publish().await?,
            _ = tidy.tick() => daemon.tidy(clock::now()),
            Some(word) = words.recv() => daemon.heed_hub(word).await?,
            _ = hubs.tick() => daemon.ask_hubs(clock::now()).await?,
            _ = corrections.tick() => daemon.look_for_corrections().await?,
            () = tick(&mut watchdog) => daemon.prove_progress(),
            _ = hangup.recv() => {
                service::reloading();
                match reread() {
                    Ok(config) => daemon.reload(config).await?,
                    Err(problems) => daemon.refuse(&problems),
                }
                service::ready(&daemon.status());
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }

    tracing::info!("stopping");
    service::stopping();
    tokio::select! {
        ended = daemon.end(server, stop, reports) => ended?,
        // What is stored is whole at any instant.
        _ = terminate.recv() => tracing::warn!("told twice to stop, so nothing more is waited for"),
        _ = interrupt.recv() => tracing::warn!("told twice to stop, so nothing more is waited for"),
    }
    tracing::info!("stopped");
    Ok(())
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

struct Daemon {
    config: Config,
    store: Store,
    manners: Manners,
    roster: Roster,
    outputs: Vec<Output>,
    look: Look,
    poller: Arc<Poller>,
    hosts: Hosts,
    subscriber: Subscriber,
    ear: Ear,
    /// With what hubs' news is taken in.
    means: watch::Sender<Means>,
    /// When each feed that is not being polled is due, the earliest on top.
    due: BinaryHeap<Reverse<(DateTime<Utc>, FeedRef)>>,
    in_flight: HashSet<FeedRef>,
    failing: HashMap<FeedRef, String>,
    /// Feeds whose polls were lost to an outage on our side.
    offline: HashSet<FeedRef>,
    /// When the two clocks were last looked at, to tell when one of them was set.
    ticked: (DateTime<Utc>, tokio::time::Instant),
    store_trouble: Option<String>,
    /// What is wrong with the configuration that was last read, if it was not taken.
    refused: Option<String>,
    is_stale: bool,
    /// The last tidying of the store.
    upkeep: JoinSet<()>,
    /// The last look at the files of archives.
    archiving: JoinSet<()>,
    /// How many corrections by a person are published.
    corrections: u64,
    published: watch::Sender<Published>,
    health: watch::Sender<Health>,
    pulse: watch::Sender<Pulse>,
    counters: watch::Sender<Counters>,
}

impl Daemon {
    async fn start(config: Config, store: Store) -> Result<(Self, Reports, Words), Error> {
        let (reports, received) = mpsc::unbounded_channel();
        let (words, heard) = mpsc::unbounded_channel();
        let manners = Manners::default();
        let poller = poller(&config, &store, &manners);
        let means = watch::Sender::new(Means { roster: Roster::default(), poller: poller.clone() });
        let mut daemon = Self {
            hosts: Hosts::new(poller.clone(), Limits::of(&config), reports),
            poller,
            subscriber: Subscriber::new(store.clone()),
            ear: Ear::new(store.clone(), means.subscribe(), words),
            means,
            manners,
            roster: Roster::default(),
            outputs: Vec::new(),
            look: Look::from(config.serve.templates.as_deref())?,
            due: BinaryHeap::new(),
            in_flight: HashSet::new(),
            failing: HashMap::new(),
            offline: HashSet::new(),
            ticked: (clock::now(), clock::instant()),
            store_trouble: None,
            refused: None,
            is_stale: false,
            upkeep: JoinSet::new(),
            archiving: JoinSet::new(),
            corrections: 0,
            published: watch::Sender::default(),
            health: watch::Sender::default(),
            pulse: watch::Sender::default(),
            counters: watch::Sender::default(),
            config,
            store,
        };
        daemon.enlist(clock::now()).await?;
        files::sweep(&daemon.outputs);
        Ok((daemon, received, heard))
    }

    /// Makes the store's feeds those of the configuration, and looks up when they are due.
    async fn enlist(&mut self, now: DateTime<Utc>) -> store::Result<()> {
        let config = self.config.clone();
        let taken_up = move |desk: &mut store::Desk<'_>| {
            let roster = Roster::enlist(desk, &config, now)?;
            let mut due = feeds::due_times(desk.tx)?;
            let mut wrong = Vec::new();
            for (feed, at) in &mut due {
                let Some(subscription) = roster.subscription(*feed) else { continue };
                let right = schedule::put_right(*at, &subscription.cadence, subscription.min_interval, now);
                if right != *at {
                    *at = right;
                    wrong.push((*feed, right));
                }
            }
            feeds::put_right(desk.tx, &wrong)?;
            Ok((roster, due, holds::all(desk.tx, now)?))
        };
        let (roster, due, stored_holds) = self.store.write(0, taken_up).await?;
        self.manners.holds().restore_all(stored_holds);
        self.outputs = roster.outputs(&self.config);
        self.roster = roster;
        self.means.send_replace(Means { roster: self.roster.clone(), poller: self.poller.clone() });
        self.due = due
            .into_iter()
            .filter(|(feed, _)| !self.in_flight.contains(feed))
            .map(|(feed, at)| Reverse((at, feed)))
            .collect();
        self.failing.retain(|feed, _| self.roster.subscription(*feed).is_some());
        self.tell_health();
        Ok(())
    }

    /// Gives up the polls under way, lets answers come to their end, publishes what was stored, and closes the store.
    async fn end(
        mut self,
        server: Option<JoinHandle<()>>,
        stop: CancellationToken,
        mut reports: Reports,
    ) -> Result<(), Error> {
        self.health.send_modify(|health| health.is_stopping = true);
        self.upkeep.shutdown().await;
        self.hosts.stop().await;
        while let Ok(report) = reports.try_recv() {
            self.take(report);
        }
        stop.cancel();
        if let Some(mut server) = server
            && tokio::time::timeout(LAST_ANSWERS, &mut server).await.is_err()
        {
            // A reader that takes its time does not keep us; as long as it is served, the store stays open.
            server.abort();
            let _ = server.await;
        }
        if self.is_stale {
            self.publish().await?;
        }
        self.archiving.shutdown().await;
        let store = self.store.clone();
        drop(self);
        store.close().await;
        Ok(())
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
            ear: self.ear.clone(),
            root: self.config.serve.public_url.path().to_owned(),
        }
    }

    /// Says where to subscribe, or that nothing is served.
    fn greet(&self, address: Option<&str>) {
        match address {
            Some(address) => tracing::info!(feeds = self.roster.len(), "listening on {address}"),
            None => tracing::info!(feeds = self.roster.len(), "nothing is served, because `serve.listen` is empty"),
        }
        for output in &self.outputs {
            let first = output.config.formats.first().copied().unwrap_or(Format::Atom);
            let title = &output.config.title;
            if address.is_some() {
                let (root, name, ending) = (&output.public_url, &output.config.name, first.ending());
                tracing::info!("subscribe to {title} at {root}{name}{ending}");
            }
            match &output.config.directory {
                Some(directory) => tracing::info!("{title} is written to {}", directory.display()),
                None if address.is_none() => {
                    tracing::warn!("{title} is neither served nor written: it has no `directory`")
                }
                None => {}
            }
        }
    }

    /// Begins to tidy the store, unless that is still being done.
    fn tidy(&mut self, now: DateTime<Utc>) {
        while self.upkeep.try_join_next().is_some() {}
        if !self.upkeep.is_empty() {
            return;
        }
        let tidied = upkeep::tidy(self.store.clone(), self.config.store.clone(), now);
        self.upkeep.spawn(async {
            match tidied.await {
                Ok(Kept { pruned: 0, is_too_large: false }) => {}
                Ok(Kept { pruned, is_too_large: false }) => {
                    tracing::info!(pruned, "entries past `store.keep` are forgotten")
                }
                Ok(Kept { pruned, is_too_large: true }) => tracing::warn!(pruned, "{}", upkeep::TOO_LARGE),
                Err(error) => {
                    tracing::warn!("the store could not be tidied: {error}; it is tried again within an hour")
                }
            }
        });
    }

    /// Tells the service manager that all goes on: this loop turns, and once the writer has answered, so does that.
    fn prove_progress(&self) {
        let store = self.store.clone();
        tokio::spawn(async move {
            if store.write(0, |_| Ok(())).await.is_ok() {
                service::alive();
            }
        });
    }

    /// Applies a changed configuration. Polls under way finish as they were begun.
    async fn reload(&mut self, config: Config) -> Result<(), Error> {
        if config.serve.listen != self.config.serve.listen || config.store != self.config.store {
            tracing::warn!("a changed `serve.listen` or `store` takes effect at the next start");
        }
        match Look::from(config.serve.templates.as_deref()) {
            Ok(look) => self.look = look,
            Err(error) => tracing::error!("{error}; pages keep the look that they had"),
        }
        if config.serve.public_url.path() != self.config.serve.public_url.path() {
            tracing::warn!("a changed path in `serve.public_url` takes effect at the next start");
        }
        self.poller = poller(&config, &self.store, &self.manners);
        self.hosts = self.hosts.renewed(self.poller.clone(), Limits::of(&config));
        self.config = config;
        self.enlist(clock::now()).await?;
        self.publish().await?;
        self.refused = None;
        self.counters.send_modify(|counters| counters.reload(false));
        tracing::info!(feeds = self.roster.len(), "the configuration was read again");
        Ok(())
    }

    /// Keeps the configuration as it is, because the one in the file is wrong.
    fn refuse(&mut self, problems: &str) {
        tracing::error!("the configuration is wrong, and the one before it stays in force:\n{problems}");
        self.refused = problems.lines().next().map(str::to_owned);
        self.counters.send_modify(|counters| counters.reload(true));
    }

    /// What the daemon is at, in a line for the service manager.
    fn status(&self) -> String {
        let (feeds, failing) = (self.roster.len(), self.failing.len());
        let mut status = format!("{}, {failing} failing", counted(feeds, "feed"));
        if let Some(Reverse((next, _))) = self.due.peek() {
            status.push_str(&format!("; next poll {}", next.format("%H:%M:%SZ")));
        }
        if let Some(trouble) = &self.store_trouble {
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

    /// What somebody should see to while all goes on.
    fn warnings(&self) -> Vec<String> {
        let damaged = self.published.borrow().damaged().len();
        let told = format!(
            "{} damaged in the store and not shown; `newsfold store check` names them",
            counted(damaged, "text")
        );
        (damaged > 0).then_some(told).into_iter().collect()
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
            reasons: self.store_trouble.iter().cloned().collect(),
            warnings: self.warnings(),
            feeds: self.roster.len(),
            failing: self.failing.len(),
            is_stopping: false,
        };
        let changed = self.health.send_if_modified(|known| {
            let changed = *known != health;
            *known = health;
            changed
        });
        if changed {
            service::status(&self.status());
        }
    }
}

fn poller(config: &Config, store: &Store, manners: &Manners) -> Arc<Poller> {
    let client = Client::new(Settings::of(config), manners.clone());
    Arc::new(Poller::new(client, store.clone()))
}

/// Reads the configuration, or says what is wrong with it, a problem a line.
///
/// # Errors
/// The problems, for a person.
pub fn read_config(file: &Path) -> Result<Config, String> {
    let in_words = |error: std::io::Error| format!("{}: {error}", file.display());
    let text = std::fs::read_to_string(file).map_err(|error| {
        let cure = "give the configuration with `--config FILE`, or write one with `newsfold init`";
        format!("{}: cannot be read as text: {error}; {cure}", file.display())
    })?;
    let whole = std::path::absolute(file).map_err(in_words)?;
    config::from_toml(&text, &whole).map_err(|problems| problems.shown_as(file).to_string())
}
