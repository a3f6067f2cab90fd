//! Hubs that tell of news: who is to be asked, and who is looked up once one tells no more.
//!
//! Edge. Asking is `websub::subscriber`'s work and hearing `websub::callback`'s.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::work::{Came, Done};
use crate::clock;
use crate::config::Config;
use crate::model::FeedRef;
use crate::poll::Poller;
use crate::store::{Policy, Store, feeds};
use crate::subscriptions::Subscriptions;
use crate::websub::subscriber::Subscriber;

/// Asks hubs for what is due.
pub(super) async fn ask(
    subscriber: Arc<Mutex<Subscriber>>,
    poller: Arc<Poller>,
    subscriptions: Subscriptions,
    config: Arc<Config>,
) -> Came {
    let (serve, now) = (&config.serve, clock::now());
    let mut subscriber = subscriber.lock().await;
    subscriber.ask_due(poller.client(), &subscriptions, &serve.public_url, serve.websub, now).await?;
    Ok(Done::HubsAsked)
}

/// What is known of these feeds, as far as it can be read.
pub(super) async fn look_up(store: Store, wanted: Vec<FeedRef>) -> Came {
    let look = move |connection: &_| {
        let states = wanted.iter().map(|feed| feeds::one(connection, *feed));
        states.filter(|state| !matches!(state, Err(error) if error.policy() == Policy::Report)).collect()
    };
    Ok(Done::Known(store.read(look).await?))
}
