//! Hubs that tell of news: who is to be asked, and what they say.
//!
//! Edge. Asking is `websub::subscriber`'s work and hearing `websub::ear`'s.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};

use super::{Daemon, Error};
use crate::config::Config;
use crate::store::{self, feeds};
use crate::websub::ear::Word;

impl Daemon {
    /// Asks hubs for what is due; without waiting for them.
    pub(super) async fn ask_hubs(&mut self, now: DateTime<Utc>) -> Result<(), Error> {
        let Config { serve, .. } = &self.config;
        let (client, roster) = (self.poller.client(), &self.roster);
        match self.subscriber.ask_due(client, roster, &serve.public_url, serve.websub, now).await {
            // The writer has told why; it is tried again soon.
            Err(store::Error::Refused(_)) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Notes what a hub said.
    pub(super) async fn heed_hub(&mut self, word: Word) -> Result<(), Error> {
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
}
