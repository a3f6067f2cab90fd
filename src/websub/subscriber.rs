//! Asking hubs: to tell us of a feed, to go on, or to stop (WebSub §5.1).
//!
//! Edge. What is to be asked stands in the store (`store::hubs`), and is noted there before anything is sent: a hub may ask back
//! before it has answered, and a crash does not have us ask again at once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use aws_lc_rs::rand;
use chrono::{DateTime, Utc};
use tokio::task::{self, JoinSet};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::clock;
use crate::fetch::access::Access;
use crate::fetch::{self, Client};
use crate::model::FeedRef;
use crate::model::hub::HubMode;
use crate::net::domain::domain_of;
use crate::store::hubs::{self, Request};
use crate::store::{self, Store, WriteContext};
use crate::subscriptions::Subscriptions;

/// How many hubs are asked at a time, one request each: one that dawdles holds up no other.
const AT_ONCE: usize = 4;
/// The subscription that we wish for, in seconds: ten days.
const LEASE_S: u64 = 10 * 86_400;

/// What asks hubs.
pub(crate) struct Subscriber {
    store: Store,
    /// Requests under way, and whose hubs they are for.
    asking: JoinSet<()>,
    busy: HashMap<task::Id, String>,
}

impl Subscriber {
    /// One that has not asked anybody yet.
    #[must_use]
    pub(crate) fn new(store: Store) -> Self {
        Self { store, asking: JoinSet::new(), busy: HashMap::new() }
    }

    /// Asks for what is due, without waiting for answers. While `is_on` is false, hubs are only told to stop.
    ///
    /// # Errors
    /// When the store refuses.
    pub(crate) async fn ask_due(
        &mut self,
        client: &Client,
        subscriptions: &Subscriptions,
        public_url: &Url,
        is_on: bool,
        now: DateTime<Utc>,
    ) -> store::Result<()> {
        while let Some(ended) = self.asking.try_join_next_with_id() {
            let id = match ended {
                Ok((id, ())) => id,
                Err(panicked) => {
                    tracing::error!(
                        name: "hub.panicked",
                        "asking a hub failed in a way that is a fault of newsfold; please report it: {panicked}"
                    );
                    panicked.id()
                }
            };
            self.busy.remove(&id);
        }
        let due = self.store.read(move |connection| hubs::due(connection, is_on, now)).await?;
        let mut taken: HashSet<String> = self.busy.values().cloned().collect();
        let free = AT_ONCE.saturating_sub(taken.len());
        let next: Vec<FeedRef> =
            due.into_iter().filter(|(_, hub)| taken.insert(domain_of(hub))).map(|(feed, _)| feed).take(free).collect();
        if next.is_empty() {
            return Ok(());
        }
        let named: Vec<_> = next.iter().filter_map(|feed| Some((*feed, (unguessable()?, unguessable()?)))).collect();
        let ours = public_url.clone();
        let ask = move |context: &mut WriteContext<'_>| hubs::ask(context.tx, &named, &ours, now);
        let requests = self.store.write(next.len() * 64, ask).await?;
        for request in requests {
            let access = subscriptions.subscription(request.feed).map(|subscription| subscription.access.clone());
            let callback = format!("{}websub/{}", request.public_url, request.callback);
            let client = client.clone();
            let store = self.store.clone();
            let domain = domain_of(&request.hub);
            let asked = self.asking.spawn(async move {
                // Credentials are the publisher's, and not for hubs; the way there may be through a proxy.
                let access = Access::in_time(&access.unwrap_or_default(), &request.hub).await;
                let access = access.unwrap_or_default().without_headers();
                let answer = client.post_form(&request.hub, form(&request, &callback), &access, clock::now()).await;
                let request = Arc::new(request);
                let refused = request.clone();
                let is_next = !matches!(answer, Ok(200..=299))
                    && store
                        .write(64, move |context| hubs::failed(context.tx, &refused, clock::now()))
                        .await
                        .unwrap_or(false);
                tell(&request, answer, is_next);
            });
            self.busy.insert(asked.id(), domain);
        }
        Ok(())
    }
}

/// The request, as it is sent.
fn form(request: &Request, callback: &str) -> String {
    let mut form = Serializer::new(String::new());
    form.append_pair("hub.callback", callback)
        .append_pair("hub.mode", request.mode.name())
        .append_pair("hub.topic", &request.topic);
    if request.mode == HubMode::Subscribe {
        form.append_pair("hub.lease_seconds", &LEASE_S.to_string()).append_pair("hub.secret", &request.secret);
    }
    form.finish()
}

/// Tells what a hub answered; `is_next` is whether the feed's next hub is asked.
fn tell(request: &Request, answer: Result<u16, fetch::Error>, is_next: bool) {
    let (name, mode) = (&request.name, request.mode.name());
    let then = if is_next { "the feed's next hub is asked" } else { "that is tried again later" };
    match answer {
        Ok(200..=299) => tracing::debug!(name: "hub.asked", { feed.name = name, mode }, "the hub was asked"),
        Ok(status) => tracing::warn!(
            name: "hub.refused",
            { feed.name = name, mode },
            "the hub answered {status}; {then}, and the feed is polled meanwhile"
        ),
        Err(error) => tracing::warn!(
            name: "hub.unreachable",
            { feed.name = name, mode },
            "the hub could not be asked: {error}; {then}, and the feed is polled meanwhile"
        ),
    }
}

/// A word that nobody can guess; `None` when the system has no randomness for us.
fn unguessable() -> Option<String> {
    let mut bytes = [0; 20];
    rand::fill(&mut bytes).ok()?;
    Some(hex::encode(bytes))
}
