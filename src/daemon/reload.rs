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
use crate::host_queue::Limits;
use crate::model::FeedRef;
use crate::politeness::cooldowns::Cooldowns;
use crate::publish::theme::Theme;
use crate::schedule;
use crate::store::{self, Store, cooldowns, feeds};
use crate::subscriptions::Subscriptions;
use crate::websub::callback::Means;

/// A configuration that is to come into force.
#[derive(Clone)]
pub(super) struct Pending {
    pub(super) config: Arc<Config>,
    /// `None` where its templates are wrong: pages keep the look that they had.
    pub(super) theme: Option<Theme>,
}

/// What the store says once its feeds are those of a configuration.
pub(super) struct Synced {
    pending: Pending,
    subscriptions: Subscriptions,
    due: Vec<(FeedRef, DateTime<Utc>)>,
    cooldowns: Cooldowns,
}

/// Makes the store's feeds those of the configuration, and looks up when they are due.
pub(super) async fn sync(store: Store, pending: Pending, now: DateTime<Utc>) -> Came {
    let config = pending.config.clone();
    let synced = move |context: &mut store::WriteContext<'_>| {
        let subscriptions = Subscriptions::sync(context, &config, now)?;
        let mut due = feeds::due_times(context.tx)?;
        due.retain(|(feed, _)| subscriptions.subscription(*feed).is_some());
        let mut wrong = Vec::new();
        for (feed, at) in &mut due {
            let Some(subscription) = subscriptions.subscription(*feed) else { continue };
            let right = schedule::put_right(*at, &subscription.cadence, subscription.min_interval, now);
            if right != *at {
                *at = right;
                wrong.push((*feed, right));
            }
        }
        feeds::put_right(context.tx, &wrong)?;
        Ok((subscriptions, due, cooldowns::all(context.tx, now)?))
    };
    let (subscriptions, due, cooldowns) = store.write(0, synced).await?;
    Ok(Done::Synced(Box::new(Synced { pending, subscriptions, due, cooldowns })))
}

impl Daemon {
    /// Takes up a configuration that was read again. It is in force once the store has it.
    pub(super) fn reload(&mut self, mut config: Config) {
        let (serve, before) = (&config.serve, &self.config.serve);
        if (&serve.listen, &serve.admin, &config.store.path) != (&before.listen, &before.admin, &self.config.store.path)
        {
            tracing::warn!(
                name: "config.needs_restart",
                "a changed `serve.listen`, `serve.admin` or `store.path` takes effect at the next start"
            );
        }
        config.serve = config.serve.as_long_as_it_listens(&self.config.serve);
        let theme = Theme::from(config.serve.templates.as_deref())
            .inspect_err(|error| tracing::error!(name: "theme.refused", "{error}; pages keep the look that they had"))
            .ok();
        self.refused = None;
        self.pending = Some(Pending { config: Arc::new(config), theme });
    }

    /// Keeps the configuration as it is, because the one in the file is wrong.
    pub(super) fn refuse(&mut self, problems: &str) {
        tracing::error!(
            name: "config.refused",
            "the configuration is wrong, and the one before it stays in force:\n{problems}"
        );
        self.refused = problems.lines().next().map(str::to_owned);
        self.counters.send_modify(|counters| counters.reload(true));
    }

    /// Puts a configuration that the store has into force. Polls under way finish as they were begun.
    pub(super) fn apply(&mut self, synced: Synced) {
        let Synced { pending, subscriptions, due, cooldowns } = synced;
        // One that was read meanwhile is applied next.
        self.pending = self.pending.take().filter(|next| !Arc::ptr_eq(&next.config, &pending.config));
        let config = pending.config;
        self.politeness.cooldowns().restore_all(cooldowns);
        self.poller = poller(&config, &self.store, &self.politeness);
        self.host_queue = self.host_queue.renewed(self.poller.clone(), Limits::of(&config));
        self.theme = pending.theme.unwrap_or_else(|| self.theme.clone());
        if config.store != self.config.store {
            self.tidy_at = clock::instant();
        }
        self.outputs = subscriptions.outputs(&config);
        self.watchers = subscriptions.watchers(&config).into();
        self.config = config;
        self.plan_digests(clock::now());
        // What is under way asks the address from before; the one of now is asked next, and not when that was to be asked.
        let is_moved = |feed: &&FeedRef| {
            let (before, now) = (self.subscriptions.address(**feed), subscriptions.address(**feed));
            before.is_some() && now.is_some() && before != now
        };
        let moved: Vec<FeedRef> = self.in_flight.iter().filter(is_moved).copied().collect();
        self.moved.extend(moved);
        self.subscriptions = subscriptions;
        self.means.send_replace(Means { subscriptions: self.subscriptions.clone(), poller: self.poller.clone() });
        self.due = due
            .into_iter()
            .filter(|(feed, _)| !self.in_flight.contains(feed))
            .map(|(feed, at)| Reverse((at, feed)))
            .collect();
        let subscriptions = &self.subscriptions;
        self.failing.retain(|feed, _| subscriptions.subscription(*feed).is_some());
        self.unreadable.retain(|feed, _| subscriptions.subscription(*feed).is_some());
        (self.is_synced, self.is_stale) = (true, true);
        self.edition += 1;
        if self.is_reload() || self.is_reload_late {
            self.counters.send_modify(|counters| counters.reload(false));
        }
    }
}
