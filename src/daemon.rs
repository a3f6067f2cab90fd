//! The daemon: a loop over a closed set of events.
//!
//! Edge. A feed comes due, a poll is done, work ended, the configuration is to be read again, or it is time to stop. What is to
//! be done about each is decided by a value (`core`), which says it in actions; here they are carried out. None of them waits:
//! what takes time, be it the network, the store or the disk, is done in a task (`tasks`) whose end is another event.
//!
//! Nothing but what waiting cannot mend ends the daemon: see [`store::Error::policy`].
//!
//! | what | module |
//! | --- | --- |
//! | what is done about an event | `core` |
//! | which feeds are due | `agenda` |
//! | feeds of one host go together | `rounds` |
//! | the kinds of work, what they come to, when they rest | `work` |
//! | the tasks that do it | `tasks` |
//! | due times are moved before a poll | `lease` |
//! | a configuration comes into force | `reload` |
//! | something is published | `publishing` |
//! | tellings in other languages are looked for | `encoding` |
//! | hubs are asked | `hubs` |

mod agenda;
mod core;
mod encoding;
mod hubs;
mod lease;
mod publishing;
mod reload;
mod rounds;
mod tasks;
mod work;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::core::{Action, Core, Event, News};
use crate::clock;
use crate::config::{Config, Format};
use crate::encoder::Pace;
use crate::fetch::{Client, Settings};
use crate::host_queue::{HostQueue, Limits, Outcome};
use crate::maintenance;
use crate::metrics::Counters;
use crate::notify::Patience;
use crate::politeness::Politeness;
use crate::poll::Poller;
use crate::publish::files;
use crate::publish::theme::{Theme, ThemeError};
use crate::publish::{Published, Site};
use crate::serve::{self, Health, Listeners, OperatorsPages, Pulse};
use crate::store::{self, Policy, Store};
use crate::subscriptions::Subscriptions;
use crate::systemd;
use crate::websub::callback::{CallbackHandler, Means, Word};
use crate::websub::subscriber::Subscriber;
use agenda::Now;
use tasks::Tasks;
use work::{Done, Work};

/// How often it is looked what is to be done that no event tells of: corrections, which come from another process, hubs that are
/// to be asked, and what failed a while ago.
const LOOK_EVERY: Duration = Duration::from_secs(2);
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
pub(crate) enum Error {
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
pub(crate) async fn run(
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
    daemon.heed(Event::Time)?;
    loop {
        let rests_for = daemon.core.rests_for(daemon.now());
        let event = tokio::select! {
            () = tokio::time::sleep(rests_for.unwrap_or_default()), if rests_for.is_some() => Event::Time,
            Some(report) = reports.recv(), if daemon.core.takes_reports() => Event::Polled(report),
            (work, came) = daemon.tasks.next() => Event::Ended(work, came),
            Some(word) = words.recv() => Event::Told(word),
            _ = look.tick() => Event::Look,
            () = tick(&mut watchdog) => Event::Watchdog,
            Ok(()) = trouble.changed() => Event::Store(trouble.borrow_and_update().clone()),
            _ = hangup.recv() => {
                systemd::reloading();
                Event::Reread(reread().map(with_theme))
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        };
        daemon.heed(event)?;
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

/// A configuration with the look that it gives pages, unless its templates are wrong.
fn with_theme(config: Config) -> Box<(Config, Option<Theme>)> {
    let theme = Theme::from(config.serve.templates.as_deref())
        .inspect_err(|error| tracing::error!(name: "theme.refused", "{error}; pages keep the look that they had"));
    Box::new((config, theme.ok()))
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

/// The value that decides, and what its actions touch.
struct Daemon {
    core: Core,
    started: Instant,
    store: Store,
    politeness: Politeness,
    poller: Arc<Poller>,
    host_queue: HostQueue,
    subscriber: Arc<Mutex<Subscriber>>,
    callbacks: CallbackHandler,
    /// With what hubs' news is taken in.
    means: watch::Sender<Means>,
    tasks: Tasks,
    /// How fast the encoder is.
    pace: Pace,
    patience: Patience,
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
        let outputs = subscriptions.outputs(&config);
        files::sweep(&outputs);
        let host_queue = HostQueue::new(poller.clone(), Limits::of(&config), reports);
        let now = Now { wall: clock::now(), steady: Duration::ZERO };
        let core = Core::new(config, theme, subscriptions, outputs, politeness.clone(), now);
        let daemon = Self {
            counters: watch::Sender::new(core.counters().clone()),
            core,
            started: clock::instant(),
            host_queue,
            poller,
            subscriber: Arc::new(Mutex::new(Subscriber::new(store.clone()))),
            callbacks: CallbackHandler::new(store.clone(), means.subscribe(), words),
            means,
            politeness,
            tasks: Tasks::default(),
            pace: Pace::default(),
            patience: Patience::default(),
            listeners,
            server: None,
            published: watch::Sender::default(),
            health: watch::Sender::default(),
            pulse: watch::Sender::default(),
            store,
        };
        Ok((daemon, received, heard))
    }

    fn now(&self) -> Now {
        Now { wall: clock::now(), steady: self.started.elapsed() }
    }

    /// Does what is to be done about an event.
    ///
    /// # Errors
    /// When it is about something that waiting cannot mend.
    fn heed(&mut self, event: Event) -> Result<(), Error> {
        let now = self.now();
        let (words, deeds): (Vec<Action>, Vec<Action>) =
            self.core.handle(event, now).into_iter().partition(Action::is_a_word);
        deeds.into_iter().try_for_each(|action| self.carry_out(action, now))?;
        self.tell_how_it_goes();
        // What is said is so by then for everybody who looks.
        words.into_iter().try_for_each(|action| self.carry_out(action, now))
    }

    fn carry_out(&mut self, action: Action, now: Now) -> Result<(), Error> {
        match action {
            Action::Begin(work) => self.begin(work, now.wall),
            Action::Poll(jobs) => self.host_queue.push(jobs),
            Action::TakeUp => self.take_up(),
            Action::Show => drop(self.published.send_replace(self.core.published().clone())),
            Action::Greet => self.greet(),
            Action::Ready => systemd::ready(&self.core.status()),
            Action::Alive => systemd::alive(),
            Action::Tell(news) => tell(news),
            Action::End(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Begins a piece of work, with what it needs of the state as it is now.
    fn begin(&mut self, work: Work, now: DateTime<Utc>) {
        let shows_feeds = self.shows_feeds();
        let (core, store) = (&self.core, self.store.clone());
        let config = core.config().clone();
        let tasks = &mut self.tasks;
        match work {
            Work::Sync => {
                if let Some(pending) = core.pending().cloned() {
                    tasks.begin(work, reload::sync(store, pending, now));
                }
            }
            Work::Lease => {
                let agenda = core.agenda();
                let (chosen, subscriptions) = (agenda.leasing().to_vec(), agenda.subscriptions().clone());
                tasks.begin(work, lease::lease(store, chosen, subscriptions, now));
            }
            Work::Publish => {
                let (outputs, theme) = (core.outputs().to_vec(), core.theme().clone());
                let site = Site::new(outputs, theme, &config.serve, shows_feeds);
                tasks.begin(work, publishing::render(store, site, core.published().clone(), core.edition()));
            }
            Work::Files => tasks.begin(work, publishing::write_files(store, core.published().clone())),
            Work::Tidy => {
                let tidied = maintenance::tidy(store, config.store.clone(), now);
                tasks.begin(work, async move { Ok(Done::Tidied(tidied.await?)) });
            }
            Work::Corrections => {
                let read = async move { Ok(Done::Corrections(store.read(store::outputs::corrections).await?)) };
                tasks.begin(work, read);
            }
            Work::Hubs => {
                let (subscriber, poller) = (self.subscriber.clone(), self.poller.clone());
                tasks.begin(work, hubs::ask(subscriber, poller, core.agenda().subscriptions().clone(), config));
            }
            Work::Replan => tasks.begin(work, hubs::look_up(store, core.tending().to_vec())),
            Work::TellHub => tasks.begin(work, publishing::tell_hub(store, core.published().clone(), config)),
            Work::Notify => tasks
                .begin(work, publishing::tell_people(store, core.watchers().clone(), self.patience.clone(), config)),
            Work::Encode => tasks.begin(work, encoding::bring_on(store, config, self.pace.clone(), now)),
            Work::Commands => tasks.begin(work, publishing::run_commands(store, core.outputs().to_vec())),
            Work::Watchdog => tasks.begin(work, async move {
                store.sign_of_life().await;
                Ok(Done::Alive)
            }),
            Work::Serve => {
                if let Some((sources, stop)) = &self.server {
                    let served = serve::serve(self.listeners.clone(), sources.clone(), stop.clone());
                    tasks.begin(work, async move {
                        served.await;
                        Ok(Done::Served)
                    });
                }
            }
        }
    }

    /// Polls and hubs go by the configuration in force. Polls under way finish as they were begun.
    fn take_up(&mut self) {
        let config = self.core.config();
        self.poller = poller(config, &self.store, &self.politeness);
        self.host_queue = self.host_queue.renewed(self.poller.clone(), Limits::of(config));
        let subscriptions = self.core.agenda().subscriptions().clone();
        self.means.send_replace(Means { subscriptions, poller: self.poller.clone() });
    }

    /// Whoever watches sees how it goes.
    fn tell_how_it_goes(&self) {
        renew(&self.counters, self.core.counters());
        renew(&self.pulse, &self.core.pulse());
        let health = self.core.health();
        // What the service manager knows at the end is that it ends.
        if renew(&self.health, &health) && !health.is_stopping {
            systemd::status(&self.core.status());
        }
    }

    /// Gives up the polls under way, lets answers come to their end, publishes what was stored, and closes the store. What
    /// waits for a store that cannot be written to is not waited for.
    async fn end(mut self, stop: CancellationToken, mut reports: Reports) -> Result<(), Error> {
        self.core.stop();
        self.tell_how_it_goes();
        self.server = None;
        self.tasks.stop_all_but(&[Work::Publish, Work::Files, Work::Serve]);
        let _ = tokio::time::timeout(LAST_POLLS, self.host_queue.stop()).await;
        while let Ok(report) = reports.try_recv() {
            self.heed(Event::Polled(report))?;
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
            if let Err(error) = self.heed(Event::Ended(work, came)) {
                tracing::warn!(name: "task.unfinished", "{error}");
            }
        }
    }

    /// Publishes what is stored and not published yet, and writes the files of it.
    async fn publish_the_last(&mut self) {
        self.come_to_rest(&[Work::Publish, Work::Files]).await;
        for work in [Work::Publish, Work::Files] {
            let now = self.now();
            if self.core.begin_last(work, now) {
                self.begin(work, now.wall);
                self.come_to_rest(&[work]).await;
            }
        }
    }

    /// Begins to serve readers, if somebody is to be served.
    fn serve(&mut self, started: DateTime<Utc>, stop: &CancellationToken) {
        if !self.listeners.is_empty() {
            self.server = Some((self.sources(started), stop.clone()));
            self.core.serve();
        }
    }

    /// Where operators' pages are.
    fn operators_pages(&self) -> OperatorsPages {
        self.listeners.operators_pages(&self.core.config().serve)
    }

    /// Whether readers are shown how feeds are doing.
    fn shows_feeds(&self) -> bool {
        self.operators_pages() == OperatorsPages::WithReaders
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
            root: self.core.config().serve.public_url.path().to_owned(),
            shows_feeds: self.shows_feeds(),
        }
    }

    /// Says where to subscribe, or that nothing is served.
    fn greet(&self) {
        let address = self.listeners.readers.as_ref().map(|listener| listener.address());
        let config = self.core.config();
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
}

/// Tells the log.
fn tell(news: News) {
    match news {
        News::Published { outputs } => tracing::debug!(name: "output.published", outputs, "published"),
        News::Reloaded { feeds } => {
            tracing::info!(name: "config.reloaded", feeds, "the configuration was read again")
        }
        News::ReloadWaits => tracing::warn!(
            name: "config.waits",
            "the configuration was read again, and comes into force when the store can take it up; the one before it stays in force until then"
        ),
        News::Refused { problems } => tracing::error!(
            name: "config.refused",
            "the configuration is wrong, and the one before it stays in force:\n{problems}"
        ),
        News::Failed { work, what, pause } if work.is_dispensable() => tracing::warn!(
            name: "task.failed",
            task = work.name(),
            "{what}; it is tried again, first in {} s",
            pause.as_secs()
        ),
        News::Failed { work, what, pause } => tracing::error!(
            name: "task.failed",
            task = work.name(),
            "{what}; it is tried again, first in {} s",
            pause.as_secs()
        ),
        News::Recovered { work } => {
            tracing::info!(name: "task.recovered", task = work.name(), "what failed before was done now")
        }
    }
}

/// Shows a value where it differs from the one that is shown; gives whether it does.
fn renew<T: PartialEq + Clone>(shown: &watch::Sender<T>, value: &T) -> bool {
    shown.send_if_modified(|known| {
        let changed = known != value;
        if changed {
            known.clone_from(value);
        }
        changed
    })
}

fn poller(config: &Config, store: &Store, politeness: &Politeness) -> Arc<Poller> {
    let client = Client::new(Settings::of(config), politeness.clone());
    Arc::new(Poller::new(client, store.clone()))
}

#[cfg(test)]
mod weeks;
