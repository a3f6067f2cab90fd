//! One feed, one poll: fetch, parse, normalise, store, fold.
//!
//! Edge. `Poller::ask` is the first half of the sentence and `ingest` the second; what came of it, be it news, a 304 or a
//! failure, is recorded in one place, [`Poller::poll`]. When a feed is polled is `schedule`'s to say, and in which order
//! `host_queue`'.

mod readers;
mod remember;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use url::Url;
use xxhash_rust::xxh3::xxh3_64;

use crate::clock;
use crate::config;
use crate::fetch::access::Access;
use crate::fetch::{self, Client, Document, Fetched, Question, Reply, decode};
use crate::ingest::{Ingested, PollRecord, Progress, Rest, Terms, ingest};
use crate::model::history::Outcome;
use crate::model::{Entry, Fault, Feed, FeedRef, Hints};
use crate::normalise::{self, text};
use crate::parse::{self, Context, Deadline};
use crate::politeness::connectivity::{Side, Sign, Turn};
use crate::politeness::domain::domain_of;
use crate::redact;
use crate::schedule::{self, Cadence, Due};
use crate::store::{self, Store, Submitted, cooldowns, feeds, hubs};
use crate::update;
use crate::websub::discovery::{self, Found, discover};

pub use readers::SlowPoll;
use readers::{Place, Readers};
use remember::{Failure, millis, plan_next};

/// After so long a document is asked for in full, in case "not modified" was a lie.
const FULL_AFTER: TimeDelta = TimeDelta::days(7);
/// The most lines that are remembered about what a document needed to be read, and the longest, in characters.
const MOST_REPAIRS: usize = 50;
const LONGEST_REPAIR: usize = 500;
/// A poll that waited longer than this in its host's line moves its due time once more before it asks.
const LONG_IN_LINE: Duration = Duration::from_secs(1);
/// When a poll that the network on our side kept from being made is made, unless the network is back before.
const WHEN_OFFLINE: TimeDelta = TimeDelta::seconds(60);
/// The most by which the polls that a server put off are spread when they may be made.
const HOLD_SPREAD: Duration = Duration::from_secs(300);

/// What the configuration says about polling one feed.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// How often.
    pub cadence: Cadence,
    /// Never more often than this.
    pub min_interval: Duration,
    /// How it is reached, and with which credentials.
    pub access: Arc<config::Access>,
    /// How what it brings is taken in.
    pub terms: Arc<Terms>,
}

impl Subscription {
    /// When the feed is due after a poll that ended at `from`.
    fn plan(
        &self,
        feed: &Feed,
        fresh_for: Option<Duration>,
        retry_after: Option<Duration>,
        from: DateTime<Utc>,
    ) -> Due {
        let terms = schedule::Terms {
            cadence: &self.cadence.settled(&feed.rhythm, from),
            min_interval: self.min_interval,
            address: feed.address.as_str(),
            freshness: fresh_for,
            retry_after,
            hints: &feed.hints,
            failures: feed.failures,
            told_until: feed.told_until,
        };
        schedule::next_poll(terms, from)
    }

    /// How much later than planned the feed may be polled at most, to go together with others.
    #[must_use]
    pub fn slack(&self, now: DateTime<Utc>) -> Duration {
        self.cadence.slack(self.min_interval, now)
    }

    /// When the feed is due again should a poll begun at `now` never end: as after a failure, and no sooner.
    #[must_use]
    pub fn after_a_crash(&self, feed: &Feed, now: DateTime<Utc>) -> DateTime<Utc> {
        let terms = schedule::Terms {
            cadence: &self.cadence.settled(&feed.rhythm, now),
            min_interval: self.min_interval,
            address: feed.address.as_str(),
            freshness: None,
            retry_after: None,
            hints: &feed.hints,
            failures: feed.failures.saturating_add(1),
            told_until: None,
        };
        schedule::next_poll(terms, now).at
    }

    /// What a feed's due time is planned by, as far as the configuration and hubs can change it between two polls.
    #[must_use]
    pub fn plan_name(&self, is_told: bool) -> String {
        let told = if is_told { ", told by a hub" } else { "" };
        format!("{}, at least {}{told}", self.cadence, config::print_duration(self.min_interval))
    }

    /// When a feed that was polled before is due, now that its due time is not what the configuration asks for any more.
    ///
    /// It is what the last poll would have planned: no sooner after it than the new cadence has it, and no sooner than its
    /// server asked for.
    #[must_use]
    pub fn replan(&self, feed: &Feed) -> Option<Due> {
        let last = feed.recent.iter().next_back();
        let took = last.map_or(0, |sample| sample.took_ms);
        let begun = feed.last_poll.max(last.map(|sample| sample.at))?;
        let ended = begun + TimeDelta::milliseconds(i64::try_from(took).unwrap_or(0));
        let wait = |until: Option<DateTime<Utc>>| until.and_then(|until| (until - ended).to_std().ok());
        Some(self.plan(feed, wait(feed.fresh_until), wait(feed.not_before), ended))
    }
}

/// A poll to be made.
#[derive(Debug)]
pub struct PollJob {
    /// The feed, with its state. It is large, and waits in line.
    pub feed: Box<Feed>,
    /// How to poll it.
    pub subscription: Arc<Subscription>,
    /// On whose word.
    pub trigger: Trigger,
    /// The right to poll a slow feed, once it waited for that.
    pub slow: Option<SlowPoll>,
}

/// On whose word a poll is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// It is due.
    Due,
    /// It is due, and shows whether our network is back.
    Probe,
    /// A person named the feed, and it is asked whatever its server said.
    Person,
}

/// How a poll stood in its host's line.
#[derive(Debug, Clone, Copy)]
pub struct InLine {
    /// How long it waited for its turn.
    pub waited: Duration,
    /// Whether nobody stands behind it, so that the connection is of no use after it.
    pub is_last: bool,
}

/// What came of a poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Polled {
    /// A new document.
    Document(Ingested),
    /// The document that we hold.
    Unchanged,
    /// The feed is gone for good.
    Gone,
    /// No document; why, for a person.
    Failed(String),
    /// Nobody was asked, or nobody could be; nothing counts.
    Postponed(Postponement),
}

/// Why a poll was put off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Postponement {
    /// Its server asked to be left alone.
    Held,
    /// The network on our side is down.
    Offline,
}

/// A poll that is done and recorded.
#[derive(Debug, Clone)]
pub struct Report {
    /// The feed as it is remembered now.
    pub feed: Arc<Feed>,
    /// What came of polling it.
    pub polled: Polled,
    /// What it counts as; `None` when nobody was asked.
    pub outcome: Option<Outcome>,
    /// What it says about the network on our side.
    pub turn: Turn,
}

/// A poll that is done, and whose outcome is on its way into the store.
#[must_use]
pub struct Recording {
    report: Report,
    stored: Stored,
}

/// How far it is with storing an outcome.
enum Stored {
    /// It is on its way; what came in with a document, `None` where none came.
    Soon(Submitted<Option<Ingested>>),
    /// It is done.
    Already(Ingested),
}

impl Recording {
    /// Waits until the outcome is stored.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn stored(self) -> store::Result<Report> {
        let Self { mut report, stored } = self;
        let ingested = match stored {
            Stored::Soon(submitted) => submitted.committed().await?,
            Stored::Already(ingested) => Some(ingested),
        };
        if let Some(ingested) = ingested {
            let Ingested { added, revised, folds, .. } = ingested;
            let Feed { name, body_bytes, recent, .. } = &*report.feed;
            let duration_ms = recent.iter().next_back().map(|sample| sample.took_ms);
            tracing::info!(
                feed.name = name,
                added,
                revised,
                folded = folds.total(),
                size_bytes = body_bytes,
                duration_ms,
                "polled"
            );
            report.polled = Polled::Document(ingested);
        }
        Ok(report)
    }
}

/// Why there is no document to store.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Fetch(#[from] fetch::Error),
    #[error(transparent)]
    Decode(#[from] decode::Error),
    #[error(transparent)]
    Parse(#[from] parse::Error),
    #[error("reading the document failed in a way that is a fault of newsfold; please report it with the document")]
    Panicked,
}

impl Error {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Fetch(error) => error.outcome(),
            Self::Decode(decode::Error::TooLarge(_)) => Outcome::TooLarge,
            Self::Decode(_) => Outcome::Damaged,
            Self::Parse(_) | Self::Panicked => Outcome::Unreadable,
        }
    }

    /// What it says about the network on our side, if anything.
    fn sign(&self) -> Option<Sign> {
        match self.outcome() {
            Outcome::Unreachable => Some(Sign::Unreachable),
            // Silence may be theirs or ours, and what was never sent tells nothing.
            Outcome::TimedOut | Outcome::Forbidden | Outcome::Ours => None,
            _ => Some(Sign::Answered),
        }
    }
}

/// What the first half of a poll comes to.
enum Answer {
    News(Box<News>),
    Unchanged(Box<Reply>),
    Gone,
}

/// What is stored with a poll that brought no document.
#[derive(Default)]
struct Beside {
    /// Whose server is to be left alone since, and until when.
    hold: Option<(String, DateTime<Utc>)>,
    /// What the header fields say of hubs; `None` when they leave it at that.
    found: Option<Found>,
}

/// A document that was read.
struct News {
    reply: Reply,
    hash: i64,
    title: Option<String>,
    link: Option<String>,
    hints: Hints,
    repairs: Vec<String>,
    is_cut_off: bool,
    found: Option<Found>,
    entries: Vec<Entry>,
    /// Its place among the documents that are being read.
    place: Place,
}

/// Polls feeds, one call a poll.
pub struct Poller {
    client: Client,
    store: Store,
    readers: Readers,
}

impl Poller {
    /// A poller that asks through `client` and stores in `store`.
    #[must_use]
    pub fn new(client: Client, store: Store) -> Self {
        Self { client, store, readers: Readers::new() }
    }

    /// The right to poll a feed, where its documents are slow to read, so that few such polls are under way; `None` where it
    /// needs none.
    pub fn slow_poll(&self, feed: FeedRef) -> Option<impl Future<Output = SlowPoll> + use<>> {
        self.readers.is_slow(feed).then(|| self.readers.slow_poll())
    }

    /// Polls a feed once and has what came of it recorded.
    ///
    /// It is done as soon as the store has room for what came: the store bounds what waits there, and nobody's turn should
    /// wait for a commit.
    ///
    /// # Errors
    /// When the store refuses. Everything else that can go wrong is an outcome, and recorded.
    pub async fn poll(&self, job: PollJob, in_line: InLine) -> store::Result<Recording> {
        let now = clock::now();
        let PollJob { feed, subscription, trigger, slow: _slow } = job;
        let mut feed = *feed;
        if let Some(postponement) = self.postponement(&feed, trigger, now) {
            return self.postpone(feed, postponement, now).await;
        }
        // A file of this machine has no server that a crash in a loop could have us hammer.
        if in_line.waited > LONG_IN_LINE && feed.target().scheme() != "file" {
            let lease = [(feed.feed, subscription.after_a_crash(&feed, now))];
            self.store.write(64, move |context| feeds::lease(context.tx, &lease, now)).await?;
        }
        let asked = feed.target().clone();
        let begun = clock::instant();
        let fetched = self.ask(&feed, &asked, &subscription, trigger, in_line.is_last, now).await;
        let took = begun.elapsed();
        let answer = match fetched {
            Ok(fetched) => self.understand(fetched, &feed).await,
            Err(error) => Err(error),
        };
        if let Err(Error::Fetch(fetch::Error::Held { until, domain })) = &answer {
            let postponement = (Postponement::Held, *until, format!("Retry-After of {domain}"));
            return self.postpone(feed, postponement, now).await;
        }
        let sign = answer.as_ref().map_or_else(Error::sign, |_| Some(Sign::Answered));
        let turn = match (sign, &answer) {
            (Some(sign), _) => self.note(&feed, &asked, sign, now),
            // It was asked before the network went down, and the answer never came.
            (None, Err(error)) if error.outcome() == Outcome::TimedOut && self.is_down(&asked) => Turn::StillDown,
            (None, _) => Turn::None,
        };
        feed.polls += 1;
        match answer {
            Ok(Answer::News(news)) => self.take_in(feed, &asked, *news, &subscription, turn, now).await,
            Ok(Answer::Unchanged(reply)) => {
                let outcome = if reply.is_full { Outcome::Same } else { Outcome::NotModified };
                remember::answered(&mut feed, &asked, &reply, outcome, now);
                remember::refreshed(&mut feed, &reply);
                plan_next(&mut feed, &subscription, reply.fresh_for, None, now + took);
                tracing::debug!(feed.name, duration_ms = millis(reply.took), "unchanged");
                // What came with the same document was read with it; a 304 brings fields alone.
                let from = reply.read_from.as_ref().unwrap_or(&asked);
                let found = discovery::in_fields(&reply.links, from).filter(|_| !reply.is_full);
                self.record(feed, Polled::Unchanged, Some(outcome), turn, Beside { hold: None, found }, now).await
            }
            Ok(Answer::Gone) => {
                let polled = if remember::gone(&mut feed, &subscription, took, now) {
                    tracing::warn!(
                        feed.name,
                        "the feed is gone for good (410) and is not polled any more; its entries are kept"
                    );
                    Polled::Gone
                } else {
                    tell_failure(&feed)
                };
                self.record(feed, polled, Some(Outcome::Gone), turn, Beside::default(), now).await
            }
            Err(error) if matches!(turn, Turn::Down(_) | Turn::StillDown) => self.excuse(feed, &error, turn, now).await,
            Err(error) => {
                let what = redact::message(&error.to_string());
                let outcome = error.outcome();
                let (retry_after, hold) = match &error {
                    Error::Fetch(error) => (error.retry_after(), error.hold()),
                    _ => (None, None),
                };
                remember::failed(&mut feed, &subscription, &Failure { outcome, what: &what, retry_after }, took, now);
                if let (Error::Fetch(fetch::Error::GoneElsewhere(_)), Some(_)) = (&error, &feed.moved_to) {
                    remember::forget_the_move(&mut feed);
                }
                let hold = hold.and_then(|(domain, wait)| {
                    let until = self.client.politeness().cooldowns().put(domain, feed.feed, now + took + wait, now)?;
                    Some((domain.to_owned(), until))
                });
                let polled = tell_failure(&feed);
                self.record(feed, polled, Some(outcome), turn, Beside { hold, found: None }, now).await
            }
        }
    }

    /// Why nobody is to be asked now, and until when.
    fn postponement(
        &self,
        feed: &Feed,
        trigger: Trigger,
        now: DateTime<Utc>,
    ) -> Option<(Postponement, DateTime<Utc>, String)> {
        if trigger == Trigger::Person {
            return None;
        }
        let is_sane = |until: &DateTime<Utc>| *until > now && *until <= now + schedule::LONGEST_RETRY_AFTER;
        if let Some(until) = feed.not_before.filter(is_sane) {
            return Some((Postponement::Held, until, "Retry-After".to_owned()));
        }
        let domain = domain_of(feed.target());
        if let Some(until) = self.client.politeness().cooldowns().until(&domain, now) {
            let spread = HOLD_SPREAD.min((until - now).to_std().unwrap_or_default() / 10);
            let until = until + schedule::share(feed.address.as_str(), spread);
            return Some((Postponement::Held, until, format!("Retry-After of {domain}")));
        }
        (trigger == Trigger::Due && self.is_down(feed.target()))
            .then(|| (Postponement::Offline, now + WHEN_OFFLINE, OFFLINE.to_owned()))
    }

    /// Whether our network is down on that side.
    fn is_down(&self, asked: &Url) -> bool {
        self.client.politeness().uplinks().is_down(Side::of(asked))
    }

    async fn postpone(
        &self,
        mut feed: Feed,
        (postponement, until, why): (Postponement, DateTime<Utc>, String),
        now: DateTime<Utc>,
    ) -> store::Result<Recording> {
        remember::postponed(&mut feed, until, why);
        tracing::debug!(feed.name, "put off: {}", feed.next_poll_why);
        self.record(feed, Polled::Postponed(postponement), None, Turn::None, Beside::default(), now).await
    }

    /// A failure that is no feed's fault: nothing is counted, and what was counted while nobody knew is taken back.
    async fn excuse(&self, mut feed: Feed, error: &Error, turn: Turn, now: DateTime<Utc>) -> store::Result<Recording> {
        let until = now + WHEN_OFFLINE;
        remember::postponed(&mut feed, until, OFFLINE.to_owned());
        tracing::debug!(feed.name, "{error}; {OFFLINE}");
        let polled = Polled::Postponed(Postponement::Offline);
        let Turn::Down(others) = &turn else {
            return self.record(feed, polled, Some(Outcome::Offline), turn, Beside::default(), now).await;
        };
        tracing::warn!(
            "many servers that have nothing to do with each other cannot be reached, so the network here seems to be down; nothing is counted against the feeds, and a few are tried now and then"
        );
        let excused: Vec<_> = others.iter().copied().filter(|other| *other != feed.feed).collect();
        // It is waited for, because the failures of the others have to be stored before they are taken back.
        let saved = feed.clone();
        self.store.write(size_of::<Feed>(), move |context| feeds::save(context.tx, &saved, None)).await?;
        let work = move |context: &mut store::WriteContext<'_>| {
            feeds::excuse(context.tx, &excused, until, OFFLINE)?;
            Ok(None)
        };
        let submitted = self.store.submit(64, work).await?;
        let report = Report { feed: Arc::new(feed), polled, outcome: Some(Outcome::Offline), turn };
        Ok(Recording { report, stored: Stored::Soon(submitted) })
    }

    fn note(&self, feed: &Feed, asked: &Url, sign: Sign, now: DateTime<Utc>) -> Turn {
        if asked.scheme() == "file" {
            return Turn::None;
        }
        self.client.politeness().uplinks().note(Side::of(asked), feed.feed, &domain_of(asked), sign, now)
    }

    /// Stores what a new document holds.
    async fn take_in(
        &self,
        mut feed: Feed,
        asked: &Url,
        news: News,
        subscription: &Subscription,
        turn: Turn,
        now: DateTime<Utc>,
    ) -> store::Result<Recording> {
        let is_first = feed.last_success.is_none();
        let News { reply, hash, title, link, hints, repairs, is_cut_off, found, entries, place } = news;
        remember::answered(&mut feed, asked, &reply, Outcome::Document, now);
        if !is_cut_off {
            feed.validators = reply.validators;
            feed.last_full = Some(now);
        }
        // A document that comes cut off twice in a row is all there is, and its validators are taken then.
        (feed.body_hash, feed.body_bytes) = (Some(hash), Some(reply.bytes));
        (feed.title, feed.link, feed.hints, feed.repairs) = (title.or(feed.title), link.or(feed.link), hints, repairs);
        let (entries, terms) = (entries.into(), subscription.terms.clone());
        let mut record = PollRecord { feed, at: now, is_first, is_partial: false, entries, terms };
        record.feed.rhythm = record.rhythm_after(&record.feed.rhythm);
        plan_next(&mut record.feed, subscription, reply.fresh_for, None, now + reply.took);
        let feed = record.feed.clone();
        let (held, is_small) = (held(&record.entries), update::is_small(&record.entries));
        let record = Arc::new(record);
        let work = move |context: &mut store::WriteContext<'_>, rest| {
            let progress = ingest(context, &record, rest)?;
            if let Progress::Done(ingested) = progress {
                if found.is_some() || !is_cut_off {
                    hubs::note(context.tx, record.feed.feed, found.as_ref(), now)?;
                }
                if ingested.added > 0 && record.feed.told_until.is_some() {
                    hubs::missed(context.tx, record.feed.feed)?;
                }
            }
            Ok(progress)
        };
        let stored = if is_small {
            let whole = move |context: &mut store::WriteContext<'_>| {
                work(context, None).map(|progress| Some(progress.ingested()))
            };
            Stored::Soon(self.store.submit(held, whole).await?)
        } else {
            place.is_stored_by_parts();
            Stored::Already(self.store_by_parts(held, work).await?)
        };
        drop(place);
        let polled = Polled::Document(Ingested::default());
        let report = Report { feed: Arc::new(feed), polled, outcome: Some(Outcome::Document), turn };
        Ok(Recording { report, stored })
    }

    /// Stores a document in as many transactions as it takes, so that what others bring is stored between them.
    async fn store_by_parts(
        &self,
        held: usize,
        work: impl Fn(&mut store::WriteContext<'_>, Option<Rest>) -> store::Result<Progress> + Clone + Send + 'static,
    ) -> store::Result<Ingested> {
        let mut rest: Option<Rest> = None;
        loop {
            let (work, rest_of_it) = (work.clone(), rest.take());
            match self.store.write(held, move |context| work(context, rest_of_it.clone())).await? {
                Progress::Done(ingested) => return Ok(ingested),
                Progress::Partly(more) => rest = Some(more),
            }
        }
    }

    /// Records that a poll of this feed panicked, as a failure that is ours.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn note_panic(
        &self,
        feed: FeedRef,
        subscription: &Subscription,
        now: DateTime<Utc>,
    ) -> store::Result<Recording> {
        let mut feed = self.store.read(move |connection| feeds::one(connection, feed)).await?;
        feed.polls += 1;
        let what = "polling it failed in a way that is a fault of newsfold; please report it with the log";
        let failure = Failure { outcome: Outcome::Ours, what, retry_after: None };
        remember::failed(&mut feed, subscription, &failure, Duration::ZERO, now);
        tracing::error!(feed.name, failures = feed.failures, "{what}");
        self.record(feed, Polled::Failed(what.to_owned()), Some(Outcome::Ours), Turn::None, Beside::default(), now)
            .await
    }

    /// Takes in what a hub sent of a feed, as if a poll had brought it; or says why it is of no use.
    ///
    /// It may be a part of the document, and it is none that validators vouch for: what is missing from it is not gone, and the
    /// validators stay as they are. What was told before is not told again: whoever kept a signed message cannot undo with it
    /// what came later.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn hear(
        &self,
        feed: FeedRef,
        document: Document,
        subscription: &Subscription,
        now: DateTime<Utc>,
    ) -> store::Result<Result<Ingested, String>> {
        let hash = document.hash;
        let entries = match self.read(feed, document, Reply::default()).await {
            Ok(news) => news.entries,
            Err(error) => return Ok(Err(redact::message(&error.to_string()))),
        };
        let terms = subscription.terms.clone();
        let (held, entries): (_, Arc<[Entry]>) = (held(&entries), entries.into());
        let work = move |context: &mut store::WriteContext<'_>, rest: Option<Rest>| {
            // As it is now: a poll may have been stored since the hub called.
            let feed = feeds::one(context.tx, feed)?;
            if rest.is_none() && !hubs::told(context.tx, feed.feed, hash, now)? {
                return Ok(Progress::Done(Ingested::default()));
            }
            let (entries, terms, is_first) = (entries.clone(), terms.clone(), feed.last_success.is_none());
            ingest(context, &PollRecord { feed, at: now, is_first, is_partial: true, entries, terms }, rest)
        };
        Ok(Ok(self.store_by_parts(held, work).await?))
    }

    /// The largest document that is read, after unpacking.
    #[must_use]
    pub fn max_body_bytes(&self) -> u64 {
        self.client.max_body_bytes()
    }

    /// What asks servers.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Sends the request, conditional where it can be.
    async fn ask(
        &self,
        feed: &Feed,
        address: &Url,
        subscription: &Subscription,
        trigger: Trigger,
        is_last: bool,
        now: DateTime<Utc>,
    ) -> Result<Fetched, Error> {
        if address.scheme() == "file" && address.to_file_path().is_ok_and(|path| self.store.is_at(&path)) {
            let why = "this is the store, which nobody but the store may read";
            return Err(fetch::Error::File(std::io::Error::new(std::io::ErrorKind::InvalidInput, why)).into());
        }
        let access = Access::of(&subscription.access, &feed.address).map_err(fetch::Error::Access)?;
        // The configured address is tried again when the one it moved to fails, and what we hold came from there.
        let is_theirs = feed.moved_to.as_ref().is_none_or(|moved| moved == address);
        let is_recent = feed.last_full.is_some_and(|full| (now - full).abs() < FULL_AFTER);
        let validators = feed.validators.clone().only_if(is_theirs && feed.body_hash.is_some() && is_recent);
        let question = Question {
            address,
            validators: &validators,
            read_from: feed.read_from.as_ref(),
            access: &access,
            is_insistent: trigger == Trigger::Person,
            // A redirect, should there be one again, may lead back to the same server.
            is_last: is_last && feed.read_from.is_none(),
        };
        match self.client.get(question, now).await? {
            // It had moved there, and what is gone there may still be where it came from.
            Fetched::Gone if *address != feed.address => {
                Err(fetch::Error::GoneElsewhere(address.host_str().unwrap_or_default().to_owned()).into())
            }
            fetched => Ok(fetched),
        }
    }

    /// Reads what was fetched, unless it is the document of the feed that we hold.
    async fn understand(&self, fetched: Fetched, feed: &Feed) -> Result<Answer, Error> {
        match fetched {
            Fetched::Document(mut document, reply) => {
                document.hash = hash_with_fields(&document, &reply);
                if Some(document.hash) == feed.body_hash {
                    return Ok(Answer::Unchanged(Box::new(reply)));
                }
                Ok(Answer::News(Box::new(self.read(feed.feed, document, reply).await?)))
            }
            Fetched::NotModified(reply) => Ok(Answer::Unchanged(Box::new(reply))),
            Fetched::Gone => Ok(Answer::Gone),
        }
    }

    /// Unpacks and reads a document on a thread of its own.
    async fn read(&self, feed: FeedRef, document: Document, reply: Reply) -> Result<News, Error> {
        let most = self.client.max_body_bytes();
        let read = move |place, is_over: &dyn Fn() -> bool| read(document, reply, most, place, is_over);
        self.readers.run(feed, read).await.map_err(|_| Error::Panicked)?
    }

    /// Stores what is remembered of a poll that brought no document.
    async fn record(
        &self,
        feed: Feed,
        polled: Polled,
        outcome: Option<Outcome>,
        turn: Turn,
        beside: Beside,
        now: DateTime<Utc>,
    ) -> store::Result<Recording> {
        let feed = Arc::new(feed);
        let saved = feed.clone();
        let work = move |context: &mut store::WriteContext<'_>| {
            if let Some((domain, until)) = &beside.hold {
                cooldowns::put(context.tx, domain, *until, now)?;
            }
            if beside.found.is_some() {
                hubs::note(context.tx, saved.feed, beside.found.as_ref(), now)?;
            }
            feeds::save(context.tx, &saved, None)?;
            Ok(None)
        };
        let submitted = self.store.submit(size_of::<Feed>(), work).await?;
        Ok(Recording { report: Report { feed, polled, outcome, turn }, stored: Stored::Soon(submitted) })
    }
}

/// Tells of a failure that was noted.
fn tell_failure(feed: &Feed) -> Polled {
    let what = feed.last_error.clone().unwrap_or_default();
    let next = feed.next_poll.format("%Y-%m-%d %H:%MZ");
    tracing::warn!(
        feed.name,
        failures = feed.failures,
        "{what}; its entries are kept, next try {next} ({})",
        feed.next_poll_why
    );
    Polled::Failed(what)
}

/// Why a feed waits while our network is down.
const OFFLINE: &str = "the network here is down; it is tried again when that is back";

/// By what a document is known again: its bytes, and what the header fields beside it say of hubs.
fn hash_with_fields(document: &Document, reply: &Reply) -> i64 {
    let named = discovery::named_in_fields(&reply.links, &document.address);
    if named.is_empty() { document.hash } else { document.hash ^ xxh3_64(named.as_bytes()).cast_signed() }
}

/// Bytes to entries, unless `is_over` says that they took too long.
fn read(document: Document, reply: Reply, most: u64, place: Place, is_over: &dyn Fn() -> bool) -> Result<News, Error> {
    let Document { body, coding, content_type, hash, address } = document;
    let text = decode::decode(body, &coding, most)?;
    let context =
        Context { base: Some(&address), content_type: content_type.as_deref(), deadline: Deadline::when(is_over) };
    let mut parsed = parse::parse(&text, context)?;
    drop(text);
    let title = parsed.title.take().map(|title| text::shorten(&title, normalise::LONGEST_TITLE));
    let (link, hints) = (parsed.link.clone(), parsed.hints);
    let mut repairs = std::mem::take(&mut parsed.repairs);
    let is_cut_off = parsed.is_cut_off;
    let found = discover(&reply.links, &parsed.hubs, parsed.self_link.as_deref(), &address);
    let (entries, faults) = normalise::entries(parsed, &address);
    repairs.extend(faults.into_iter().map(told));
    bound(&mut repairs);
    let repairs = repairs.iter().map(|repair| redact::message(repair)).collect();
    let link = absolute(link, &address);
    Ok(News { reply, hash, title, link, hints, repairs, is_cut_off, found, entries, place })
}

/// Keeps as many lines as a person would read.
fn bound(repairs: &mut Vec<String>) {
    let more = repairs.len().saturating_sub(MOST_REPAIRS);
    repairs.truncate(MOST_REPAIRS);
    repairs.iter_mut().for_each(|repair| *repair = text::shorten(repair, LONGEST_REPAIR));
    if more > 0 {
        repairs.push(format!("and {more} more of these"));
    }
}

/// A fault as one line.
fn told(fault: Fault) -> String {
    match fault.entry {
        Some(entry) => format!("entry {entry}: {}", fault.what),
        None => fault.what,
    }
}

fn absolute(link: Option<String>, address: &Url) -> Option<String> {
    crate::sanitise::web_address(&link?, Some(address)).map(Into::into)
}

/// About how much memory entries hold on to while they wait for the store, as far as they do so at once.
fn held(entries: &[Entry]) -> usize {
    entries.iter().map(update::weight).sum::<usize>().min(update::BYTES_AT_ONCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_document_needed_is_told_in_as_many_lines_as_one_reads() {
        let mut repairs: Vec<String> = (0..5_000).map(|n| format!("{n} {}", "long ".repeat(1_000))).collect();
        bound(&mut repairs);
        assert_eq!((repairs.len(), repairs[50].as_str()), (51, "and 4950 more of these"));
        assert!(repairs.iter().all(|repair| repair.chars().count() <= LONGEST_REPAIR + 1));
    }
}
