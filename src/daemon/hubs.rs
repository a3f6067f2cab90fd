//! Hubs that tell of news: who is to be asked, and what they say.
//!
//! Edge. Asking is `websub::subscriber`'s work and hearing `websub::callback`'s.

use std::cmp::Reverse;
use std::sync::Arc;

use super::Daemon;
use super::tasks::{Came, Done, Work};
use crate::clock;
use crate::model::{Feed, FeedRef};
use crate::store::{Policy, Store, feeds};
use crate::websub::callback::Word;

impl Daemon {
    /// Begins to ask hubs for what is due.
    pub(super) fn ask_hubs(&mut self) {
        let (subscriber, subscriptions, config) =
            (self.subscriber.clone(), self.subscriptions.clone(), Arc::clone(&self.config));
        let poller = self.poller.clone();
        self.tasks.begin(Work::Hubs, async move {
            let (serve, now) = (&config.serve, clock::now());
            let mut subscriber = subscriber.lock().await;
            subscriber.ask_due(poller.client(), &subscriptions, &serve.public_url, serve.websub, now).await?;
            Ok(Done::HubsAsked)
        });
    }

    /// Notes what a hub said.
    pub(super) fn heed_hub(&mut self, word: Word) {
        match word {
            Word::News => self.is_stale = true,
            Word::Ended(feed) => self.untended.push(feed),
        }
    }

    /// Plans feeds that their hubs tell of no more.
    pub(super) fn replan(&mut self, states: Vec<Feed>) {
        for state in states {
            let feed = state.feed;
            let due = self.subscriptions.subscription(feed).filter(|_| state.retired_at.is_none());
            if let Some(due) = due.and_then(|subscription| subscription.replan(&state))
                && !self.in_flight.contains(&feed)
            {
                self.due.retain(|Reverse((_, known))| *known != feed);
                self.due.push(Reverse((due.at, feed)));
            }
        }
    }
}

/// What is known of these feeds, as far as it can be read.
pub(super) async fn look_up(store: Store, wanted: Vec<FeedRef>) -> Came {
    let look = move |connection: &_| {
        let states = wanted.iter().map(|feed| feeds::one(connection, *feed));
        states.filter(|state| !matches!(state, Err(error) if error.policy() == Policy::Report)).collect()
    };
    Ok(Done::Known(store.read(look).await?))
}
