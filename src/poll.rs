//! One feed, one poll: fetch, decode, parse, normalise, decide, submit.
//!
//! Edge. [`Poller::poll`] is that sentence, and `ingest` goes on where it stops. What came of a poll, be it news, a 304 or a
//! failure, is decided in `decide` and carried out in one place, `submit`. When a feed is polled is `schedule`'s to
//! say, and in which order `host_queue`'s.

pub(crate) mod decide;
mod document;
mod job;
mod look;
pub(crate) mod outcome;
mod readers;
mod remember;
mod submit;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use url::Url;
use xxhash_rust::xxh3::xxh3_64;

use crate::clock;
use crate::fetch::access::Access;
use crate::fetch::{self, Client, Document, Fetched, Question, Reply};
use crate::ingest::{Ingested, PollRecord, Progress, Rest, ingest};
use crate::model::{Entry, FeedRef};
use crate::net::domain::domain_of;
use crate::normalise::hub_links;
use crate::politeness::connectivity::Side;
use crate::redact;
use crate::store::{self, Store, WriteContext, feeds, hubs};
use crate::subscription::Subscription;

pub(crate) use job::{InLine, PollJob, Trigger};
pub(crate) use look::{LookError, Looked, look};
pub(crate) use outcome::{Polled, Postponement, Report};
pub(crate) use readers::SlowPoll;
pub(crate) use submit::Recording;

use decide::{Intent, Obstacles};
use outcome::{Answer, Asked, Error, News};
use readers::{Place, Readers};

/// A poll that waited longer than this in its host's line moves its due time once more before it asks.
const LONG_IN_LINE: Duration = Duration::from_secs(1);

/// Polls feeds, one call a poll.
pub(crate) struct Poller {
    client: Client,
    store: Store,
    readers: Readers,
}

impl Poller {
    /// A poller that asks through `client` and stores in `store`.
    #[must_use]
    pub(crate) fn new(client: Client, store: Store) -> Self {
        Self { client, store, readers: Readers::new() }
    }

    /// The right to poll a feed, where its documents are slow to read, so that few such polls are under way; `None` where it
    /// needs none.
    pub(crate) fn slow_poll(&self, feed: FeedRef) -> Option<impl Future<Output = SlowPoll> + use<>> {
        self.readers.is_slow(feed).then(|| self.readers.slow_poll())
    }

    /// Polls a feed once and has what came of it recorded.
    ///
    /// It is done as soon as the store has room for what came: the store bounds what waits there, and nobody's turn should
    /// wait for a commit.
    ///
    /// # Errors
    /// When the store refuses. Everything else that can go wrong is an outcome, and recorded.
    pub(crate) async fn poll(&self, job: PollJob, in_line: InLine) -> store::Result<Recording> {
        let now = clock::now();
        if let Some(later) = self.what_keeps_us(&job, now) {
            return self.submit(decide::postpone(*job.feed, later), None, now).await;
        }
        self.lease_anew(&job, in_line, now).await?;
        let (asked, place) = self.ask(&job, in_line.is_last, now).await;
        let turn = decide::notice(&mut self.client.politeness().uplinks(), &job.feed, &asked, now);
        let PollJob { feed, subscription, slow: _slow, .. } = job;
        self.submit(decide::after_poll(*feed, &subscription, asked, turn, now), place, now).await
    }

    /// Why nobody is to be asked now, and until when.
    fn what_keeps_us(&self, job: &PollJob, now: DateTime<Utc>) -> Option<decide::Later> {
        let target = job.feed.target();
        let domain = domain_of(target);
        let cooldown = self.client.politeness().cooldowns().until(&domain, now);
        decide::before_poll(job, Obstacles { domain: &domain, cooldown, is_offline: self.is_down(target) }, now)
    }

    /// Moves the due time of a feed that waited in line.
    async fn lease_anew(&self, job: &PollJob, in_line: InLine, now: DateTime<Utc>) -> store::Result<()> {
        let PollJob { feed, subscription, .. } = job;
        // A file of this machine has no server that a crash in a loop could have us hammer.
        if in_line.waited > LONG_IN_LINE && feed.target().scheme() != "file" {
            let lease = [(feed.feed, subscription.after_a_crash(feed, now))];
            self.store.write(64, move |context| feeds::lease(context.tx, &lease, now)).await?;
        }
        Ok(())
    }

    /// Asks a feed's server, and reads what comes. A document has its place among those being read with it.
    async fn ask(&self, job: &PollJob, is_last: bool, now: DateTime<Utc>) -> (Asked, Option<Place>) {
        let address = job.feed.target().clone();
        let begun = clock::instant();
        let fetched = self.fetch(job, &address, is_last, now).await;
        let took = begun.elapsed();
        let (answer, place) = match fetched {
            Ok(Fetched::NotModified(reply)) => (Ok(Answer::Unchanged(Box::new(reply))), None),
            Ok(Fetched::Gone) => (Ok(Answer::Gone), None),
            Ok(Fetched::Document(mut document, reply)) => {
                document.hash = hash_with_fields(&document, &reply);
                if Some(document.hash) == job.feed.body_hash && !job.subscription.is_list {
                    (Ok(Answer::Unchanged(Box::new(reply))), None)
                } else {
                    match self.read((job.feed.feed, job.subscription.is_list), document, reply).await {
                        Ok((news, place)) => (Ok(Answer::News(Box::new(news))), Some(place)),
                        Err(error) => (Err(error), None),
                    }
                }
            }
            Err(error) => (Err(error.into()), None),
        };
        (Asked { address, trigger: job.trigger, took, answer }, place)
    }

    /// Sends the request, conditional where it can be.
    async fn fetch(
        &self,
        PollJob { feed, subscription, trigger, .. }: &PollJob,
        address: &Url,
        is_last: bool,
        now: DateTime<Utc>,
    ) -> Result<Fetched, fetch::Error> {
        if address.scheme() == "file" && address.to_file_path().is_ok_and(|path| self.store.is_at(&path)) {
            let why = "this is the store, which nobody but the store may read";
            return Err(fetch::Error::File(std::io::Error::new(std::io::ErrorKind::InvalidInput, why)));
        }
        let question = Question {
            address,
            validators: &decide::validators(feed, address, now),
            read_from: feed.read_from.as_ref(),
            access: &Access::in_time(&subscription.access, &feed.address).await.map_err(fetch::Error::Access)?,
            is_insistent: *trigger == Trigger::Person,
            // A redirect, should there be one again, may lead back to the same server.
            is_last: is_last && feed.read_from.is_none(),
        };
        match self.client.get(question, now).await? {
            // It had moved there, and what is gone there may still be where it came from.
            Fetched::Gone if *address != feed.address => {
                Err(fetch::Error::GoneElsewhere(address.host_str().unwrap_or_default().to_owned()))
            }
            fetched => Ok(fetched),
        }
    }

    /// Unpacks and reads a document on a thread of its own.
    async fn read(
        &self,
        (feed, is_list): (FeedRef, bool),
        document: Document,
        reply: Reply,
    ) -> Result<(News, Place), Error> {
        let most = self.client.max_body_bytes();
        let read = move |place, is_over: &dyn Fn() -> bool| {
            let news = if is_list {
                document::read_list(document, reply, most)
            } else {
                document::read(document, reply, most, is_over)
            };
            news.map(|news| (news, place))
        };
        self.readers.run(feed, read).await?
    }

    /// Whether our network is down on the side of that address.
    fn is_down(&self, asked: &Url) -> bool {
        Side::of(asked).is_some_and(|side| self.client.politeness().uplinks().is_down(side))
    }

    async fn submit(&self, intent: Intent, place: Option<Place>, now: DateTime<Utc>) -> store::Result<Recording> {
        submit::submit(&self.store, self.client.politeness(), intent, place, now).await
    }

    /// Records that a poll of this feed panicked, as a failure that is ours.
    ///
    /// # Errors
    /// When the store refuses.
    pub(crate) async fn note_panic(
        &self,
        feed: FeedRef,
        subscription: &Subscription,
        now: DateTime<Utc>,
    ) -> store::Result<Recording> {
        let feed = self.store.read(move |connection| feeds::one(connection, feed)).await?;
        self.submit(decide::after_panic(feed, subscription, now), None, now).await
    }

    /// Takes in what a hub sent of a feed, as if a poll had brought it; or says why it is of no use.
    ///
    /// It may be a part of the document, and it is none that validators vouch for: what is missing from it is not gone, and the
    /// validators stay as they are. What was told before is not told again: whoever kept a signed message cannot undo with it
    /// what came later.
    ///
    /// # Errors
    /// When the store refuses.
    pub(crate) async fn hear(
        &self,
        feed: FeedRef,
        document: Document,
        subscription: &Subscription,
        now: DateTime<Utc>,
    ) -> store::Result<Result<Ingested, String>> {
        let hash = document.hash;
        let (News { entries, .. }, place) = match self.read((feed, false), document, Reply::default()).await {
            Ok(read) => read,
            Err(error) => return Ok(Err(redact::message(&error.to_string()))),
        };
        drop(place);
        let options = subscription.options.clone();
        let (held, entries): (_, Arc<[Entry]>) = (submit::held(&entries), entries.into());
        let work = move |context: &mut WriteContext<'_>, rest: Option<Rest>| {
            // As it is now: a poll may have been stored since the hub called.
            let feed = feeds::one(context.tx, feed)?;
            if rest.is_none() && !hubs::told(context.tx, feed.feed, hash, now)? {
                return Ok(Progress::Done(Ingested::default()));
            }
            let (entries, options, is_first) = (entries.clone(), options.clone(), feed.last_success.is_none());
            ingest(context, &PollRecord { feed, at: now, is_first, is_partial: true, entries, options }, rest)
        };
        Ok(Ok(submit::store_by_parts(&self.store, held, work).await?))
    }

    /// The largest document that is read, after unpacking.
    #[must_use]
    pub(crate) fn max_body_bytes(&self) -> u64 {
        self.client.max_body_bytes()
    }

    /// What asks servers.
    #[must_use]
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }
}

/// By what a document is known again: its bytes, and what the header fields beside it say of hubs.
fn hash_with_fields(document: &Document, reply: &Reply) -> i64 {
    let named = hub_links::named_in_fields(&reply.links, &document.address);
    if named.is_empty() { document.hash } else { document.hash ^ xxh3_64(named.as_bytes()).cast_signed() }
}
