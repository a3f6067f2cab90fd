//! The daemon: a loop over a closed set of events.
//!
//! Edge. A feed comes due, a poll is done, something is to be published, the configuration is to be read again, or it is time
//! to stop. Each is handled by one function below, and none of them waits for the network.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::config::{self, Config, Format};
use crate::fetch::{self, Client, Settings};
use crate::hosts::{Hosts, Limits, Outcome};
use crate::manners::Manners;
use crate::manners::uplink::{Side, Turn};
use crate::metrics::Counters;
use crate::model::FeedRef;
use crate::poll::{Errand, Polled, Poller, Postponement, Report, Urgency};
use crate::publish::files;
use crate::publish::look::{Look, LookError};
use crate::publish::{self, Output, Published, Site};
use crate::roster::Roster;
use crate::schedule::{self, ClockStep};
use crate::serve::{self, Health, Pulse};
use crate::service;
use crate::store::{self, Store, feeds, holds, outputs, search};
use crate::upkeep::{self, Kept};
use crate::websub::ear::{Ear, Means, Word};
use crate::websub::subscriber::Subscriber;

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
/// How often the store is tidied, the first time soon after the start.
const TIDY_EVERY: Duration = Duration::from_secs(3600);
/// While our network is down, how long feeds that are due wait before it is looked at again.
const OFFLINE_LOOK: TimeDelta = TimeDelta::seconds(5);
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
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(Error::Signals)?;

    let started = clock::now();
    let store = Store::open(store_path)?;
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
    let mut tidy = tokio::time::interval(TIDY_EVERY);
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
    daemon.health.send_modify(|health| health.is_stopping = true);
    daemon.upkeep.shutdown().await;
    daemon.hosts.stop().await;
    stop.cancel();
    if let Some(server) = server {
        // A reader that takes its time does not keep us.
        let _ = tokio::time::timeout(LAST_ANSWERS, server).await;
    }
    if daemon.is_stale {
        daemon.publish().await?;
    }
    let store = daemon.store.clone();
    drop(daemon);
    store.close().await;
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
    reports: mpsc::UnboundedSender<Outcome>,
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
            hosts: Hosts::new(poller.clone(), Limits::of(&config), reports.clone()),
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
            corrections: 0,
            published: watch::Sender::default(),
            health: watch::Sender::default(),
            pulse: watch::Sender::default(),
            counters: watch::Sender::default(),
            reports,
            config,
            store,
        };
        daemon.enlist(clock::now()).await?;
        Ok((daemon, received, heard))
    }

    /// Makes the store's feeds those of the configuration, and looks up when they are due.
    async fn enlist(&mut self, now: DateTime<Utc>) -> store::Result<()> {
        let config = self.config.clone();
        let taken_up = move |desk: &mut store::Desk<'_>| {
            let roster = Roster::enlist(desk.tx, &config, now)?;
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

    /// How long to sleep until a feed is due.
    fn until_due(&self, now: DateTime<Utc>) -> Duration {
        let next = self.due.peek().map_or(TimeDelta::MAX, |Reverse((at, _))| *at - now);
        next.to_std().unwrap_or(Duration::ZERO).min(LONGEST_SLEEP)
    }

    /// Keeps due times right when the clock is set, and when the machine slept.
    ///
    /// A clock that was put back would leave every feed waiting for a time that has been; one that leapt ahead makes all feeds
    /// due at once.
    fn heed_the_clock(&mut self, now: DateTime<Utc>) {
        let (then, since) = self.ticked;
        self.ticked = (now, clock::instant());
        match schedule::clock_step(then, now, since.elapsed()) {
            ClockStep::None => {}
            ClockStep::Back(step) => {
                tracing::warn!(seconds = step.num_seconds(), "the clock was put back, and due times with it");
                self.due = self.due.drain().map(|Reverse((at, feed))| Reverse((at + step, feed))).collect();
            }
            ClockStep::Ahead(step) => {
                tracing::info!(seconds = step.num_seconds(), "the clock leapt ahead, or the machine slept");
                self.spread(now, |at, _| at <= now);
            }
        }
    }

    /// Spreads the polls of the feeds that `is_meant` names, which may all be made now.
    fn spread(&mut self, now: DateTime<Utc>, is_meant: impl Fn(DateTime<Utc>, FeedRef) -> bool) {
        let count = self.due.iter().filter(|Reverse((at, feed))| is_meant(*at, *feed)).count();
        let roster = &self.roster;
        let later = |Reverse((at, feed)): Reverse<(DateTime<Utc>, FeedRef)>| {
            let address = roster.address(feed).map_or("", |address| address.as_str());
            Reverse((if is_meant(at, feed) { schedule::after_a_gap(address, count, now) } else { at }, feed))
        };
        self.due = self.due.drain().map(later).collect();
    }

    /// Takes the feeds that are due from the heap, with how urgent each is. While our network is down all but a few wait.
    fn due_now(&mut self, now: DateTime<Utc>) -> Vec<(FeedRef, Urgency)> {
        let mut chosen = Vec::new();
        let mut waiting = Vec::new();
        let mut probes: HashMap<Side, usize> = HashMap::new();
        while let Some(Reverse((_, feed))) = self.due.peek().copied().filter(|Reverse((at, _))| *at <= now) {
            self.due.pop();
            let Some(address) = self.roster.address(feed) else { continue };
            let side = Side::of(address);
            if !self.manners.uplinks().is_down(side) {
                chosen.push((feed, Urgency::Due));
                continue;
            }
            let left = probes.entry(side).or_insert_with(|| self.manners.uplinks().allowance(side, now));
            if *left > 0 {
                *left -= 1;
                chosen.push((feed, Urgency::Probe));
            } else {
                self.offline.insert(feed);
                waiting.push(Reverse((now + OFFLINE_LOOK, feed)));
            }
        }
        self.due.extend(waiting);
        chosen
    }

    /// Sends the feeds that are due to their hosts' lines, after moving their due times in the store.
    async fn poll_due(&mut self, now: DateTime<Utc>) -> Result<(), Error> {
        let chosen = self.due_now(now);
        if chosen.is_empty() {
            return Ok(());
        }
        let feeds: Vec<FeedRef> = chosen.iter().map(|(feed, _)| *feed).collect();
        let (asked, roster) = (feeds.clone(), self.roster.clone());
        let leased = move |desk: &mut store::Desk<'_>| {
            feeds::lease(desk.tx, asked.iter().copied(), now, |feed| roster.after_a_crash(feed, now))
        };
        match self.store.write(feeds.len() * 64, leased).await {
            Ok(states) => {
                self.store_trouble = None;
                for (feed, (_, urgency)) in states.into_iter().zip(chosen) {
                    if let Some(subscription) = self.roster.subscription(feed.feed).cloned() {
                        self.in_flight.insert(feed.feed);
                        self.hosts.push(Errand { feed, subscription, urgency });
                    }
                }
            }
            Err(store::Error::Closed) => return Err(store::Error::Closed.into()),
            Err(error) => {
                // Nothing is asked of anyone while we could not keep the answer.
                self.store_trouble = Some(error.to_string());
                let later = now + AFTER_TROUBLE;
                self.due.extend(feeds.into_iter().map(|feed| Reverse((later, feed))));
            }
        }
        self.tell_health();
        Ok(())
    }

    /// Notes what came of a poll.
    fn take(&mut self, report: Outcome) {
        match report {
            Ok(Report { feed, polled, outcome, turn }) => {
                self.in_flight.remove(&feed.feed);
                self.counters.send_modify(|counters| {
                    if let Some(outcome) = outcome {
                        counters.poll(outcome, feed.recent.iter().next_back().map_or(0, |newest| newest.bytes));
                    }
                    if let Polled::Document(ingested) = &polled {
                        counters.ingest(*ingested);
                    }
                });
                self.pulse.send_modify(|pulse| pulse.polls += 1);
                self.is_stale |= matches!(&polled, Polled::Document(ingested) if ingested.changed());
                if let Some(subscription) = self.roster.subscription(feed.feed).filter(|_| feed.retired_at.is_none()) {
                    // The configuration may have been read again meanwhile.
                    let is_planned = matches!(polled, Polled::Postponed(_))
                        || feed.planned_by == Some(subscription.plan_name(feed.told_until.is_some()));
                    let due = if is_planned { None } else { subscription.replan(&feed) };
                    self.due.push(Reverse((due.map_or(feed.next_poll, |due| due.at), feed.feed)));
                }
                match polled {
                    Polled::Failed(why) => {
                        self.failing.insert(feed.feed, why);
                    }
                    Polled::Document(_) | Polled::Unchanged | Polled::Gone => {
                        self.failing.remove(&feed.feed);
                    }
                    Polled::Postponed(Postponement::Held) => {}
                    Polled::Postponed(Postponement::Offline) => {
                        self.offline.insert(feed.feed);
                    }
                }
                self.turn(turn, clock::now());
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

    /// Begins to tidy the store, unless that is still being done.
    fn tidy(&mut self, now: DateTime<Utc>) {
        while self.upkeep.try_join_next().is_some() {}
        if !self.upkeep.is_empty() {
            return;
        }
        let tidied = upkeep::tidy(self.store.clone(), self.config.store.clone(), Arc::new(self.roster.clone()), now);
        self.upkeep.spawn(async {
            match tidied.await {
                Ok(Kept { pruned: 0, is_too_large: false }) => {}
                Ok(Kept { pruned, is_too_large: false }) => tracing::info!(pruned, "entries past `store.keep` are forgotten"),
                Ok(Kept { pruned, is_too_large: true }) => tracing::warn!(
                    pruned,
                    "the store is larger than `store.max_size`, and all it holds stands in a feed or left it within a day; raise `store.max_size`, or poll fewer feeds"
                ),
                Err(error) => tracing::warn!("the store could not be tidied: {error}; it is tried again in an hour"),
            }
        });
    }

    /// What a poll says about the network on our side.
    fn turn(&mut self, turn: Turn, now: DateTime<Utc>) {
        match turn {
            Turn::None | Turn::StillDown => {}
            Turn::Down(feeds) => {
                feeds.iter().for_each(|feed| drop(self.failing.remove(feed)));
                self.offline.extend(feeds);
                let offline = self.offline.clone();
                self.spread(now, |_, feed| offline.contains(&feed));
            }
            Turn::Up => {
                let offline = std::mem::take(&mut self.offline);
                tracing::info!(feeds = offline.len(), "the network is back; what was missed is polled now, spread out");
                self.spread(now, |_, feed| offline.contains(&feed));
            }
        }
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

    /// Renders what changed, puts it where readers see it, and tells the hub.
    async fn publish(&mut self) -> Result<(), Error> {
        let begun = clock::instant();
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
        self.counters.send_modify(|counters| counters.render = begun.elapsed());
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

    /// Asks hubs for what is due; without waiting for them.
    async fn ask_hubs(&mut self, now: DateTime<Utc>) -> Result<(), Error> {
        let Config { serve, .. } = &self.config;
        let (client, roster) = (self.poller.client(), &self.roster);
        match self.subscriber.ask_due(client, roster, &serve.public_url, serve.websub, now).await {
            // The writer has told why; it is tried again soon.
            Err(store::Error::Refused(_)) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Notes what a hub said.
    async fn heed_hub(&mut self, word: Word) -> Result<(), Error> {
        match word {
            Word::News => self.is_stale = true,
            Word::Ended(feed) => {
                let state = self.store.read(move |connection| feeds::one(connection, feed)).await?;
                let due = self.roster.subscription(feed).filter(|_| state.retired_at.is_none());
                if let Some(due) = due.and_then(|subscription| subscription.replan(&state))
                    && !self.in_flight.contains(&feed)
                {
                    self.due.retain(|Reverse((_, known))| *known != feed);
                    self.due.push(Reverse((due.at, feed)));
                }
            }
        }
        Ok(())
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
        self.poller = poller(&config, &self.store, &self.manners);
        self.hosts = Hosts::new(self.poller.clone(), Limits::of(&config), self.reports.clone());
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
        let mut status = format!("{feeds} {}, {failing} failing", if feeds == 1 { "feed" } else { "feeds" });
        if let Some(Reverse((next, _))) = self.due.peek() {
            status.push_str(&format!("; next poll {}", next.format("%H:%M:%SZ")));
        }
        if let Some(trouble) = &self.store_trouble {
            status.push_str(&format!("; {trouble}"));
        }
        if let Some(refused) = &self.refused {
            status.push_str(&format!("; the configuration is wrong, and the one before it stays in force: {refused}"));
        }
        status
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
