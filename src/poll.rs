//! One feed, one poll: fetch, parse, normalise, store, fold.
//!
//! Edge. `Poller::ask` is the first half of the sentence and `ingest` the second; what came of it, be it news, a 304 or a
//! failure, is recorded in one place, [`Poller::poll`]. When a feed is polled is `schedule`'s to say, and in which order
//! `hosts`'.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

use crate::fetch::{self, Client, Document, Fetched, Reply, decode};
use crate::ingest::{Ingested, PollRecord, Terms, ingest};
use crate::model::{Entry, Fault, Feed, Hints, Validators};
use crate::normalise;
use crate::parse::{self, Context};
use crate::schedule::{self, Cadence};
use crate::store::{self, Store, feeds};

/// After so long a document is asked for in full, in case "not modified" was a lie.
const FULL_AFTER: TimeDelta = TimeDelta::days(7);
/// How many documents are unpacked and read at a time: reading is work for the processor, not waiting.
const READERS: usize = 2;

/// What the configuration says about polling one feed.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// How often.
    pub cadence: Cadence,
    /// Never more often than this.
    pub min_interval: Duration,
    /// How what it brings is taken in.
    pub terms: Arc<Terms>,
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
}

/// A poll that is done and recorded.
#[derive(Debug, Clone)]
pub struct Report {
    /// The feed as it is remembered now.
    pub feed: Feed,
    /// What came of polling it.
    pub polled: Polled,
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

/// What the first half of a poll comes to.
enum Answer {
    News(Box<News>),
    Unchanged(Reply),
    Gone,
}

/// A document that was read.
struct News {
    reply: Reply,
    hash: i64,
    bytes: u64,
    title: Option<String>,
    link: Option<String>,
    hints: Hints,
    repairs: Vec<String>,
    entries: Vec<Entry>,
}

/// Polls feeds, one call a poll.
pub struct Poller {
    client: Client,
    store: Store,
    readers: Arc<Semaphore>,
}

impl Poller {
    /// A poller that asks through `client` and stores in `store`.
    #[must_use]
    pub fn new(client: Client, store: Store) -> Self {
        Self { client, store, readers: Arc::new(Semaphore::new(READERS)) }
    }

    /// Polls `feed` once and records what came of it.
    ///
    /// `place`, which limits how many ask at once, is given back as soon as the store has room for what came: the store
    /// bounds what waits there, and nobody's turn should wait for a commit.
    ///
    /// # Errors
    /// When the store refuses. Everything else that can go wrong is an outcome, and recorded.
    pub async fn poll(
        &self,
        mut feed: Feed,
        subscription: &Subscription,
        now: DateTime<Utc>,
        place: OwnedSemaphorePermit,
    ) -> store::Result<Report> {
        let answer = self.ask(&feed, now).await;
        feed.polls += 1;
        let is_first = feed.last_success.is_none();
        match answer {
            Ok(Answer::News(news)) => {
                let News { reply, hash, bytes, title, link, hints, repairs, entries } = *news;
                answered(&mut feed, &reply, now);
                feed.validators = reply.validators;
                feed.moved_to = reply.moved_to.or(feed.moved_to).filter(|moved| *moved != feed.address);
                feed.last_full = Some(now);
                (feed.body_hash, feed.body_bytes) = (Some(hash), Some(bytes));
                (feed.title, feed.link, feed.hints, feed.repairs) =
                    (title.or(feed.title), link.or(feed.link), hints, repairs);
                plan_next(&mut feed, subscription, reply.fresh_for, None, now + reply.took);
                let record =
                    PollRecord { feed: feed.clone(), at: now, is_first, entries, terms: subscription.terms.clone() };
                let held = record.entries.iter().map(weight).sum();
                let submitted = self.store.submit(held, move |desk| ingest(desk, &record)).await?;
                drop(place);
                let ingested = submitted.committed().await?;
                let Ingested { added, revised, folded, .. } = ingested;
                tracing::info!(
                    feed.name,
                    added,
                    revised,
                    folded,
                    size_bytes = bytes,
                    duration_ms = millis(reply.took),
                    "polled"
                );
                Ok(Report { feed, polled: Polled::Document(ingested) })
            }
            Ok(Answer::Unchanged(reply)) => {
                answered(&mut feed, &reply, now);
                refresh(&mut feed, &reply);
                feed.not_modified += 1;
                feed.saved_bytes += feed.body_bytes.unwrap_or(0);
                plan_next(&mut feed, subscription, reply.fresh_for, None, now + reply.took);
                tracing::debug!(feed.name, duration_ms = millis(reply.took), "unchanged");
                self.record(feed, Polled::Unchanged, place).await
            }
            Ok(Answer::Gone) => {
                feed.retired_at = Some(now);
                feed.next_poll_why = format!("gone for good (410); `newsfold poll {}` asks once more", feed.name);
                feed.last_error = Some("410 Gone".into());
                tracing::warn!(
                    feed.name,
                    "the feed is gone for good (410) and is not polled any more; its entries are kept"
                );
                self.record(feed, Polled::Gone, place).await
            }
            Err(error) => {
                feed.failures += 1;
                feed.failing_since = feed.failing_since.or(Some(now));
                let retry_after = match &error {
                    Error::Fetch(error) => error.retry_after().and_then(|wait| wait.to_std().ok()),
                    _ => None,
                };
                feed.not_before = retry_after.map(|wait| now + wait.min(schedule::LONGEST_RETRY_AFTER));
                plan_next(&mut feed, subscription, None, retry_after, now);
                let what = error.to_string();
                let next = feed.next_poll.format("%Y-%m-%d %H:%MZ");
                tracing::warn!(
                    feed.name,
                    failures = feed.failures,
                    "{what}; its entries are kept, next try {next} ({})",
                    feed.next_poll_why
                );
                feed.last_error = Some(what.clone());
                self.record(feed, Polled::Failed(what), place).await
            }
        }
    }

    /// Fetch, parse, normalise.
    async fn ask(&self, feed: &Feed, now: DateTime<Utc>) -> Result<Answer, Error> {
        let nothing_held = Validators::default();
        let is_held = feed.body_hash.is_some() && feed.last_full.is_some_and(|full| now - full < FULL_AFTER);
        let validators = if is_held { &feed.validators } else { &nothing_held };
        let (document, reply) = match self.client.get(feed.target(), validators, now).await? {
            Fetched::Document(document, reply) if Some(document.hash) == feed.body_hash => {
                drop(document);
                return Ok(Answer::Unchanged(reply));
            }
            Fetched::Document(document, reply) => (document, reply),
            Fetched::NotModified(reply) => return Ok(Answer::Unchanged(reply)),
            Fetched::Gone => return Ok(Answer::Gone),
        };
        let most = self.client.max_body_bytes();
        let place = self.readers.clone().acquire_owned().await;
        let read = tokio::task::spawn_blocking(move || {
            let news = read(document, reply, most);
            drop(place);
            news
        });
        let news = read.await.map_err(|_| Error::Panicked)??;
        Ok(Answer::News(Box::new(news)))
    }

    /// Stores what is remembered of a poll that brought no document.
    async fn record(&self, feed: Feed, polled: Polled, place: OwnedSemaphorePermit) -> store::Result<Report> {
        let saved = feed.clone();
        let submitted = self.store.submit(size_of::<Feed>(), move |desk| feeds::save(desk.tx, &saved, None)).await?;
        drop(place);
        submitted.committed().await?;
        Ok(Report { feed, polled })
    }
}

/// Bytes to entries.
fn read(document: Document, reply: Reply, most: u64) -> Result<News, Error> {
    let Document { body, coding, content_type, hash, address } = document;
    let bytes = body.len() as u64;
    let text = decode::decode(body, &coding, most)?;
    let context = Context { base: Some(&address), content_type: content_type.as_deref() };
    let mut parsed = parse::parse(&text, context)?;
    drop(text);
    let (title, link, hints) = (parsed.title.take(), parsed.link.clone(), parsed.hints);
    let mut repairs = std::mem::take(&mut parsed.repairs);
    let (entries, faults) = normalise::entries(parsed, &address);
    repairs.extend(faults.into_iter().map(told));
    Ok(News { reply, hash, bytes, title, link: absolute(link, &address), hints, repairs, entries })
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

/// A good answer clears what failures left behind.
fn answered(feed: &mut Feed, reply: &Reply, now: DateTime<Utc>) {
    feed.last_success = Some(now);
    feed.retired_at = None;
    feed.not_before = None;
    feed.failures = 0;
    feed.failing_since = None;
    feed.last_error = None;
    let took = millis(reply.took);
    feed.response_ms = Some(feed.response_ms.map_or(took, |before| (3 * before + took) / 4));
}

/// What an answer without a new document says of the validators.
///
/// A 200 that brought the same bytes replaces both. A 304 freshens the date only if its strong entity tag is the one we hold
/// (RFC 9111 §4.3.4); one that names nothing changes nothing.
fn refresh(feed: &mut Feed, reply: &Reply) {
    if reply.is_full {
        feed.validators = reply.validators.clone();
        feed.last_full = feed.last_success;
    } else if reply
        .validators
        .etag
        .as_ref()
        .is_some_and(|etag| !etag.starts_with(b"W/") && Some(etag) == feed.validators.etag.as_ref())
        && reply.validators.last_modified.is_some()
    {
        feed.validators.last_modified.clone_from(&reply.validators.last_modified);
    }
}

/// Settles when the feed is polled next, and why then.
fn plan_next(
    feed: &mut Feed,
    subscription: &Subscription,
    fresh_for: Option<Duration>,
    retry_after: Option<Duration>,
    from: DateTime<Utc>,
) {
    let due = schedule::next_poll(
        schedule::Terms {
            cadence: &subscription.cadence,
            min_interval: subscription.min_interval,
            address: feed.address.as_str(),
            freshness: fresh_for,
            retry_after,
            hints: &feed.hints,
            failures: feed.failures,
        },
        from,
    );
    feed.next_poll = due.at;
    feed.next_poll_why = due.reason;
}

/// About how much memory an entry holds on to.
fn weight(entry: &Entry) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    size_of::<Entry>() + entry.title.len() + text(&entry.detail.summary) + text(&entry.detail.content)
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
