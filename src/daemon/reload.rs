//! A configuration comes into force: at the start, and when it was read again.
//!
//! Edge. Applying it to the store may take long, or may have to wait until the store can be written to; what was in force stays
//! so until then.

use std::cmp::Reverse;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::tasks::{Came, Done};
use super::{Daemon, poller};
use crate::clock;
use crate::config::Config;
use crate::hosts::Limits;
use crate::manners::holds::Holds;
use crate::model::FeedRef;
use crate::publish::look::Look;
use crate::roster::Roster;
use crate::schedule;
use crate::store::{self, Store, feeds, holds};
use crate::websub::ear::Means;

/// A configuration that is to come into force.
#[derive(Clone)]
pub(super) struct Pending {
    pub(super) config: Arc<Config>,
    /// `None` where its templates are wrong: pages keep the look that they had.
    pub(super) look: Option<Look>,
}

/// What the store says once its feeds are those of a configuration.
pub(super) struct Synced {
    pending: Pending,
    roster: Roster,
    due: Vec<(FeedRef, DateTime<Utc>)>,
    holds: Holds,
}

/// Makes the store's feeds those of the configuration, and looks up when they are due.
pub(super) async fn sync(store: Store, pending: Pending, now: DateTime<Utc>) -> Came {
    let config = pending.config.clone();
    let synced = move |desk: &mut store::Desk<'_>| {
        let roster = Roster::enlist(desk, &config, now)?;
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
    let (roster, due, holds) = store.write(0, synced).await?;
    Ok(Done::Synced(Box::new(Synced { pending, roster, due, holds })))
}

impl Daemon {
    /// Takes up a configuration that was read again. It is in force once the store has it.
    pub(super) fn reload(&mut self, mut config: Config) {
        if config.serve.listen != self.config.serve.listen || config.store.path != self.config.store.path {
            tracing::warn!("a changed `serve.listen` or `store.path` takes effect at the next start");
        }
        config.serve = config.serve.as_long_as_it_listens(&self.config.serve);
        let look = Look::from(config.serve.templates.as_deref())
            .inspect_err(|error| tracing::error!("{error}; pages keep the look that they had"))
            .ok();
        self.refused = None;
        self.pending = Some(Pending { config: Arc::new(config), look });
    }

    /// Keeps the configuration as it is, because the one in the file is wrong.
    pub(super) fn refuse(&mut self, problems: &str) {
        tracing::error!("the configuration is wrong, and the one before it stays in force:\n{problems}");
        self.refused = problems.lines().next().map(str::to_owned);
        self.counters.send_modify(|counters| counters.reload(true));
    }

    /// Puts a configuration that the store has into force. Polls under way finish as they were begun.
    pub(super) fn apply(&mut self, synced: Synced) {
        let Synced { pending, roster, due, holds } = synced;
        // One that was read meanwhile is applied next.
        self.pending = self.pending.take().filter(|next| !Arc::ptr_eq(&next.config, &pending.config));
        let config = pending.config;
        self.manners.holds().restore_all(holds);
        self.poller = poller(&config, &self.store, &self.manners);
        self.hosts = self.hosts.renewed(self.poller.clone(), Limits::of(&config));
        self.look = pending.look.unwrap_or_else(|| self.look.clone());
        if config.store != self.config.store {
            self.tidy_at = clock::instant();
        }
        self.outputs = roster.outputs(&config);
        self.watchers = roster.watchers(&config).into();
        self.config = config;
        // What is under way asks the address from before; the one of now is asked next, and not when that was to be asked.
        let is_moved = |feed: &&FeedRef| {
            let (before, now) = (self.roster.address(**feed), roster.address(**feed));
            before.is_some() && now.is_some() && before != now
        };
        let moved: Vec<FeedRef> = self.in_flight.iter().filter(is_moved).copied().collect();
        self.moved.extend(moved);
        self.roster = roster;
        self.means.send_replace(Means { roster: self.roster.clone(), poller: self.poller.clone() });
        self.due = due
            .into_iter()
            .filter(|(feed, _)| !self.in_flight.contains(feed))
            .map(|(feed, at)| Reverse((at, feed)))
            .collect();
        let roster = &self.roster;
        self.failing.retain(|feed, _| roster.subscription(*feed).is_some());
        self.unreadable.retain(|feed, _| roster.subscription(*feed).is_some());
        (self.is_synced, self.is_stale) = (true, true);
        self.edition += 1;
        if self.is_reload() {
            self.counters.send_modify(|counters| counters.reload(false));
        }
    }
}
