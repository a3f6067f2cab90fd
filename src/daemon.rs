//! The daemon: a loop over a closed set of events.
//!
//! Edge. A feed comes due, a poll is done, something is to be published, the configuration is to be read again, or it is time
//! to stop. Each is handled by one function below, and none of them waits for the network.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::config::{self, Config, Format};
use crate::fetch::{self, Client, Settings};
use crate::hosts::{Errand, Hosts, Limits, Outcome};
use crate::model::FeedRef;
use crate::poll::{Polled, Poller, Report};
use crate::publish::files;
use crate::publish::look::{Look, LookError};
use crate::publish::{self, Output, Published, Site};
use crate::roster::Roster;
use crate::schedule;
use crate::serve::{self, Health, Pulse};
use crate::store::{self, Store, feeds, outputs, search};

/// The longest sleep: after a suspend or a step of the clock, what has come due meanwhile waits no longer.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// What changed within this time is published together.
const PUBLISH_EVERY: Duration = Duration::from_secs(2);
/// How often a person's corrections, which come from another process, are looked for.
const CORRECTIONS_EVERY: Duration = Duration::from_secs(2);
/// How many entries are indexed at a time for searches, and how many times between two looks at the polls.
const INDEXED_AT_A_TIME: usize = 500;
const INDEXED_AT_ONCE: usize = 10;
/// How long nobody is asked after the store refused to write.
const AFTER_TROUBLE: TimeDelta = TimeDelta::seconds(60);
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
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(Error::Signals)?;

    let store = Store::open(store_path)?;
    let listener = serve::listen(&config.serve.listen).await?;
    let (mut daemon, mut reports) = Daemon::start(config, store).await?;
    daemon.publish().await?;
    let stop = CancellationToken::new();
    let address = listener.as_ref().map(serve::Listener::address);
    daemon.greet(address.as_deref());
    let server = listener.map(|listener| tokio::spawn(serve::serve(listener, daemon.sources(), stop.clone())));

    let mut publish = tokio::time::interval(PUBLISH_EVERY);
    publish.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut corrections = tokio::time::interval(CORRECTIONS_EVERY);
    corrections.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = tokio::time::sleep(daemon.until_due(clock::now())) => daemon.poll_due(clock::now()).await?,
            Some(report) = reports.recv() => daemon.take(report),
            _ = publish.tick(), if daemon.is_stale => daemon.publish().await?,
            _ = corrections.tick() => daemon.look_for_corrections().await?,
            _ = hangup.recv() => match reread() {
                Ok(config) => daemon.reload(config).await?,
                Err(problems) => tracing::error!("the configuration is wrong, and the one before it stays in force:\n{problems}"),
            },
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }

    tracing::info!("stopping");
    daemon.hosts.stop().await;
    stop.cancel();
    if let Some(server) = server {
        // A reader that takes its time does not keep us.
        let _ = tokio::time::timeout(LAST_ANSWERS, server).await;
    }
    if daemon.is_stale {
        daemon.publish().await?;
    }
    let Daemon { store, hosts, .. } = daemon;
    drop(hosts);
    store.close().await;
    tracing::info!("stopped");
    Ok(())
}

struct Daemon {
    config: Config,
    store: Store,
    roster: Roster,
    outputs: Vec<Output>,
    look: Look,
    hosts: Hosts,
    reports: mpsc::UnboundedSender<Outcome>,
    /// When each feed that is not being polled is due, the earliest on top.
    due: BinaryHeap<Reverse<(DateTime<Utc>, FeedRef)>>,
    in_flight: HashSet<FeedRef>,
    failing: HashMap<FeedRef, String>,
    store_trouble: Option<String>,
    is_stale: bool,
    /// How many corrections by a person are published.
    corrections: u64,
    published: watch::Sender<Published>,
    health: watch::Sender<Health>,
    pulse: watch::Sender<Pulse>,
}

impl Daemon {
    async fn start(config: Config, store: Store) -> Result<(Self, mpsc::UnboundedReceiver<Outcome>), Error> {
        let (reports, received) = mpsc::unbounded_channel();
        let mut daemon = Self {
            hosts: hosts(&config, &store, reports.clone()),
            roster: Roster::default(),
            outputs: Vec::new(),
            look: Look::from(config.serve.templates.as_deref())?,
            due: BinaryHeap::new(),
            in_flight: HashSet::new(),
            failing: HashMap::new(),
            store_trouble: None,
            is_stale: false,
            corrections: 0,
            published: watch::Sender::default(),
            health: watch::Sender::default(),
            pulse: watch::Sender::default(),
            reports,
            config,
            store,
        };
        daemon.enlist(clock::now()).await?;
        Ok((daemon, received))
    }

    /// Makes the store's feeds those of the configuration, and looks up when they are due.
    async fn enlist(&mut self, now: DateTime<Utc>) -> store::Result<()> {
        let config = self.config.clone();
        let (roster, due) = self
            .store
            .write(0, move |desk| Ok((Roster::enlist(desk.tx, &config, now)?, feeds::due_times(desk.tx)?)))
            .await?;
        self.outputs = roster.outputs(&self.config);
        self.roster = roster;
        let right = |feed: FeedRef, at| match self.roster.subscription(feed) {
            Some(subscription) => schedule::put_right(at, &subscription.cadence, subscription.min_interval, now),
            None => at,
        };
        self.due = due
            .into_iter()
            .filter(|(feed, _)| !self.in_flight.contains(feed))
            .map(|(feed, at)| Reverse((right(feed, at), feed)))
            .collect();
        self.failing.retain(|feed, _| self.roster.subscription(*feed).is_some());
        self.tell_health();
        Ok(())
    }

    /// What the server is given.
    fn sources(&self) -> serve::Sources {
        serve::Sources {
            published: self.published.subscribe(),
            health: self.health.subscribe(),
            pulse: self.pulse.subscribe(),
            store: self.store.clone(),
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

    /// How long to sleep until a feed is due.
    fn until_due(&self, now: DateTime<Utc>) -> Duration {
        let next = self.due.peek().map_or(TimeDelta::MAX, |Reverse((at, _))| *at - now);
        next.to_std().unwrap_or(Duration::ZERO).min(LONGEST_SLEEP)
    }

    /// Sends the feeds that are due to their hosts' lines, after moving their due times in the store.
    async fn poll_due(&mut self, now: DateTime<Utc>) -> Result<(), Error> {
        let mut leases = Vec::new();
        while let Some(Reverse((at, feed))) = self.due.peek().copied().filter(|Reverse((at, _))| *at <= now) {
            self.due.pop();
            if let Some(subscription) = self.roster.subscription(feed) {
                let after_a_crash = schedule::next_poll(
                    schedule::Terms::of_cadence(&subscription.cadence, subscription.min_interval),
                    now.max(at),
                );
                leases.push((feed, after_a_crash.at));
            }
        }
        if leases.is_empty() {
            return Ok(());
        }
        let asked = leases.clone();
        match self.store.write(leases.len() * 64, move |desk| feeds::lease(desk.tx, &asked, now)).await {
            Ok(states) => {
                self.store_trouble = None;
                for feed in states {
                    if let Some(subscription) = self.roster.subscription(feed.feed).cloned() {
                        self.in_flight.insert(feed.feed);
                        self.hosts.push(Errand { feed, subscription });
                    }
                }
            }
            Err(store::Error::Closed) => return Err(store::Error::Closed.into()),
            Err(error) => {
                // Nothing is asked of anyone while we could not keep the answer.
                self.store_trouble = Some(error.to_string());
                let later = now + AFTER_TROUBLE;
                self.due.extend(leases.into_iter().map(|(feed, _)| Reverse((later, feed))));
            }
        }
        self.tell_health();
        Ok(())
    }

    /// Notes what came of a poll.
    fn take(&mut self, report: Outcome) {
        match report {
            Ok(Report { feed, polled }) => {
                self.in_flight.remove(&feed.feed);
                self.pulse.send_modify(|pulse| pulse.polls += 1);
                self.is_stale |= matches!(&polled, Polled::Document(ingested) if ingested.changed());
                if self.roster.subscription(feed.feed).is_some() && feed.retired_at.is_none() {
                    self.due.push(Reverse((feed.next_poll, feed.feed)));
                }
                match polled {
                    Polled::Failed(why) => {
                        self.failing.insert(feed.feed, why);
                    }
                    Polled::Document(_) | Polled::Unchanged | Polled::Gone => {
                        self.failing.remove(&feed.feed);
                    }
                }
            }
            // The writer has told why. What the feed brought is lost with its validators, so nothing of it is missed later.
            Err((feed, error)) => {
                self.in_flight.remove(&feed);
                self.due.push(Reverse((clock::now() + AFTER_TROUBLE, feed)));
                self.store_trouble = Some(error.to_string());
            }
        }
        self.tell_health();
    }

    /// Renders what changed, puts it where readers see it, and tells the hub.
    async fn publish(&mut self) -> Result<(), Error> {
        let is_indexed = self.index().await?;
        let before = self.published.borrow().clone();
        let site = || Site { outputs: self.outputs.clone(), look: self.look.clone() };
        let (mut rendered, mut chores) = self.render(site(), before.clone()).await?;
        while !chores.archives.is_empty() {
            // An archive that was closed is named in the document that it belongs to.
            self.store.write(0, move |desk| chores.apply(desk.tx)).await?;
            (rendered, chores) = self.render(site(), rendered).await?;
        }
        if !chores.is_empty() {
            self.store.write(0, move |desk| chores.apply(desk.tx)).await?;
        }
        let (written, outputs) = (rendered.clone(), self.outputs.clone());
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || files::write(&written, &outputs)).await {
            tracing::error!("{error}");
        }
        self.tell_hub(&before, &rendered);
        self.published.send_replace(rendered);
        self.corrections = self.store.read(outputs::corrections).await?;
        self.is_stale = !is_indexed;
        tracing::debug!(outputs = self.outputs.len(), "published");
        Ok(())
    }

    async fn render(&self, site: Site, before: Published) -> store::Result<(Published, publish::Chores)> {
        let now = clock::now();
        self.store.read(move |connection| publish::publish(connection, site, &before, now)).await
    }

    /// Keeps the index of words up, if somebody searches. Gives whether it has caught up.
    async fn index(&self) -> store::Result<bool> {
        let is_searched = self.outputs.iter().any(|output| output.config.query.is_some());
        if !is_searched && self.store.read(search::filled).await?.is_none() {
            return Ok(true);
        }
        for _ in 0..INDEXED_AT_ONCE {
            if self.store.read(search::is_current).await? {
                return Ok(true);
            }
            self.store.write(0, |desk| search::fill(desk.tx, INDEXED_AT_A_TIME)).await?;
        }
        Ok(false)
    }

    /// Tells the hub which documents changed, without waiting for it.
    fn tell_hub(&self, before: &Published, now: &Published) {
        let Some(hub) = &self.config.serve.hub else { return };
        let formats = |output: &Output| {
            let is_document = |format: &&Format| **format != Format::Html;
            let heading = output.heading();
            output
                .config
                .formats
                .iter()
                .filter(is_document)
                .map(|format| heading.address(format.ending()))
                .collect::<Vec<_>>()
        };
        let changed: Vec<String> = now.changed_since(before).into_iter().flat_map(formats).collect();
        if !changed.is_empty() {
            let (hub, agent) = (hub.clone(), self.config.poll.user_agent.clone());
            tokio::spawn(async move {
                match fetch::hub::tell(&hub, &changed, &agent).await {
                    Ok(()) => tracing::debug!(documents = changed.len(), "the hub was told"),
                    Err(error) => {
                        tracing::warn!("the hub was not told of a change: {error}; subscribers find it when they poll")
                    }
                }
            });
        }
    }

    /// A person may have corrected stories with `split` or `join`: then they are published anew.
    async fn look_for_corrections(&mut self) -> Result<(), Error> {
        let corrections = self.store.read(outputs::corrections).await?;
        self.is_stale |= corrections != self.corrections;
        Ok(())
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
        self.hosts = hosts(&config, &self.store, self.reports.clone());
        self.config = config;
        self.enlist(clock::now()).await?;
        self.publish().await?;
        tracing::info!(feeds = self.roster.len(), "the configuration was read again");
        Ok(())
    }

    fn tell_health(&self) {
        let next_poll = self.due.peek().map(|Reverse((at, _))| *at);
        self.pulse.send_if_modified(|pulse| std::mem::replace(&mut pulse.next_poll, next_poll) != next_poll);
        let health = Health {
            reasons: self.store_trouble.iter().cloned().collect(),
            feeds: self.roster.len(),
            failing: self.failing.len(),
        };
        self.health.send_if_modified(|known| {
            let changed = *known != health;
            *known = health;
            changed
        });
    }
}

fn hosts(config: &Config, store: &Store, reports: mpsc::UnboundedSender<Outcome>) -> Hosts {
    Hosts::new(Poller::new(Client::new(Settings::of(config)), store.clone()), Limits::of(config), reports)
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
