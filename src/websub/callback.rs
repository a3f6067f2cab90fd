//! What hubs say to us: whether we meant it (WebSub §5.3), that they will not (§5.2), and news (§7).
//!
//! Edge: looks things up and stores them. How it is said over HTTP is `serve`'s work.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use url::form_urlencoded;
use xxhash_rust::xxh3::xxh3_64;

use crate::fetch::Document;
use crate::model::FeedRef;
use crate::model::hub::HubMode;
use crate::net::domain::domain_of;
use crate::politeness::host_limiter::{HostLimiter, Pass};
use crate::poll::Poller;
use crate::redact;
use crate::store::hubs::{self, Expected};
use crate::store::{Result, Store};
use crate::subscriptions::Subscriptions;
use crate::websub::signature;

/// How many messages are received and taken in at a time, and how many of one publisher's hubs: each may be as large as
/// `poll.max_body` allows, and a hub that dawdles holds up no other.
const AT_ONCE: usize = 6;
const OF_ONE_HUB: usize = 2;
/// The shortest and the longest subscription that is believed in.
const SHORTEST_LEASE: TimeDelta = TimeDelta::seconds(1);
const LONGEST_LEASE: TimeDelta = TimeDelta::days(90);
/// How long a subscription holds whose hub does not say.
const UNSAID_LEASE: TimeDelta = TimeDelta::days(1);

/// With what news is taken in; replaced when the configuration is read again.
#[derive(Clone)]
pub(crate) struct Means {
    /// The feeds.
    pub subscriptions: Subscriptions,
    /// What stores documents.
    pub poller: Arc<Poller>,
}

/// What the daemon should know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// What is published may have changed.
    News,
    /// The hub tells of this feed no more, so it is to be polled as configured.
    Ended(FeedRef),
}

/// What listens to hubs. Clones are the same.
#[derive(Clone)]
pub(crate) struct CallbackHandler {
    store: Store,
    means: watch::Receiver<Means>,
    words: mpsc::UnboundedSender<Word>,
    places: Arc<Semaphore>,
    hubs: HostLimiter,
}

/// Room for one message, until it is stored.
pub(crate) struct Room {
    _of_its_hub: Pass,
    _of_all: Option<OwnedSemaphorePermit>,
}

/// A message as it came.
pub(crate) struct Message {
    /// `X-Hub-Signature`.
    pub signature: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Encoding`, empty when there is none.
    pub coding: String,
    /// The body.
    pub body: Bytes,
}

impl CallbackHandler {
    /// An ear that passes on what the daemon should know to `words`.
    #[must_use]
    pub(crate) fn new(store: Store, means: watch::Receiver<Means>, words: mpsc::UnboundedSender<Word>) -> Self {
        Self { store, means, words, places: Arc::new(Semaphore::new(AT_ONCE)), hubs: HostLimiter::default() }
    }

    /// What a hub's question at `callback` is to be answered with; `None` when we did not ask for it.
    ///
    /// # Errors
    /// When the store refuses.
    pub(crate) async fn reply(&self, callback: &str, query: &str, now: DateTime<Utc>) -> Result<Option<String>> {
        let said = |name: &str| {
            form_urlencoded::parse(query.as_bytes())
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.into_owned())
        };
        let (Some(mode), Some(topic)) = (said("hub.mode"), said("hub.topic")) else { return Ok(None) };
        let callback = callback.to_owned();
        let confirmed = match mode.as_str() {
            "denied" => {
                let denied =
                    self.store.write(64, move |context| hubs::deny(context.tx, &callback, &topic, now)).await?;
                let Some((feed, name)) = denied else { return Ok(None) };
                let why = said("hub.reason").filter(|why| !why.trim().is_empty());
                let why = why.map_or_else(|| "it does not say why".to_owned(), |why| redact::message(&why));
                tracing::warn!(
                    name: "hub.denied",
                    { feed.name = name },
                    "the hub does not tell us of this feed ({why}); it is polled as configured"
                );
                let _ = self.words.send(Word::Ended(feed));
                return Ok(Some(String::new()));
            }
            "subscribe" => HubMode::Subscribe,
            "unsubscribe" => HubMode::Unsubscribe,
            _ => return Ok(None),
        };
        let Some(challenge) = said("hub.challenge") else { return Ok(None) };
        let lease = said("hub.lease_seconds")
            .and_then(|seconds| TimeDelta::try_seconds(seconds.parse().ok()?))
            .map_or(UNSAID_LEASE, |lease| lease.clamp(SHORTEST_LEASE, LONGEST_LEASE));
        let meant = move |context: &mut crate::store::WriteContext<'_>| {
            hubs::confirm(context.tx, &callback, confirmed, &topic, lease, now)
        };
        let Some(name) = self.store.write(64, meant).await? else { return Ok(None) };
        match confirmed {
            HubMode::Subscribe => tracing::info!(
                name: "hub.subscribed",
                { feed.name = name, until = %(now + lease).format("%Y-%m-%d %H:%MZ") },
                "a hub tells of this feed's changes"
            ),
            HubMode::Unsubscribe => {
                tracing::info!(name: "hub.unsubscribed", { feed.name = name }, "a hub tells of this feed no more")
            }
        }
        Ok(Some(challenge))
    }

    /// Whose news is expected at `callback`; `None` when there is no subscription.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn expected(&self, callback: &str) -> Result<Option<Expected>> {
        let callback = callback.to_owned();
        self.store.read(move |connection| hubs::expected(connection, &callback)).await
    }

    /// The most that a message may hold, in bytes.
    #[must_use]
    pub(crate) fn most_bytes(&self) -> usize {
        usize::try_from(self.means.borrow().poller.max_body_bytes()).unwrap_or(usize::MAX)
    }

    /// Room for one message, to be had before its body is read and given back when it is stored.
    pub(crate) async fn room(&self, expected: &Expected) -> Room {
        let of_its_hub = self.hubs.enter(&domain_of(&expected.hub), OF_ONE_HUB, Duration::ZERO).await;
        Room { _of_its_hub: of_its_hub, _of_all: self.places.clone().acquire_owned().await.ok() }
    }

    /// Takes news in; it is stored when this returns. What is not signed by who was told the secret is ignored.
    ///
    /// # Errors
    /// When the store refuses.
    pub(crate) async fn hear(&self, expected: Expected, message: Message, now: DateTime<Utc>) -> Result<()> {
        let Expected { feed, name, secret, address, .. } = expected;
        let Message { signature, content_type, coding, body } = message;
        if !signature.is_some_and(|signature| signature::is_good(&signature, &secret, &body)) {
            tracing::warn!(
                name: "hub.unsigned",
                { feed.name = name },
                "what came from a hub is not signed as it should be, and ignored"
            );
            return Ok(());
        }
        let Means { subscriptions, poller } = self.means.borrow().clone();
        let Some(subscription) = subscriptions.subscription(feed) else { return Ok(()) };
        let size_bytes = body.len();
        let hash = xxh3_64(&body).cast_signed();
        let document = Document { body: body.into(), coding, content_type, hash, address };
        match poller.hear(feed, document, subscription, now).await? {
            Ok(ingested) => {
                tracing::info!(
                    name: "hub.told",
                    { feed.name = name, added = ingested.added, revised = ingested.revised, folded = ingested.folds.total(), size_bytes },
                    "told by a hub"
                );
                if ingested.changed() {
                    let _ = self.words.send(Word::News);
                }
            }
            Err(why) => {
                tracing::warn!(name: "hub.of_no_use", { feed.name = name }, "what came from a hub is of no use: {why}")
            }
        }
        Ok(())
    }
}
