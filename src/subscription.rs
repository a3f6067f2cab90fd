//! What the configuration says about polling one feed and taking in what it brings.
//!
//! Pure: when the feed is due follows from it, from what is remembered of the feed, and from `schedule`.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::{self, Rule};
use crate::fold::Rules;
use crate::fold::canonical::Site;
use crate::model::{Feed, Level};
use crate::schedule::{self, Cadence, Due, ScheduleInputs};
use crate::units;

/// What the configuration says about polling one feed.
#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    /// How often.
    pub cadence: Cadence,
    /// Never more often than this.
    pub min_interval: Duration,
    /// How it is reached, and with which credentials.
    pub access: Arc<config::Access>,
    /// How what it brings is taken in.
    pub options: Arc<IngestOptions>,
    /// Whether it is a list of feeds.
    pub is_list: bool,
}

/// What the configuration says about taking a feed's entries in.
#[derive(Debug, Clone)]
pub(crate) struct IngestOptions {
    /// How far to fold this feed's entries.
    pub level: Level,
    /// What folding goes by.
    pub folding: Rules,
    /// Entries older than this at the first poll are stored and not published as new.
    pub backfill: Duration,
    /// An entry must fit one of these, if there are any.
    pub keep: Vec<Rule>,
    /// An entry must fit none of these.
    pub drop: Vec<Rule>,
    /// The site whose pages are the feed's own.
    pub site: Site,
    /// Whether its word counts on who tells what it passes on.
    pub is_aggregator: bool,
}

impl Subscription {
    /// When the feed is due after a poll that ended at `from`.
    #[must_use]
    pub(crate) fn plan(
        &self,
        feed: &Feed,
        fresh_for: Option<Duration>,
        retry_after: Option<Duration>,
        from: DateTime<Utc>,
    ) -> Due {
        let inputs = ScheduleInputs {
            cadence: &self.cadence.settled(&feed.rhythm, from),
            min_interval: self.min_interval,
            address: feed.address.as_str(),
            freshness: fresh_for,
            retry_after,
            hints: &feed.hints,
            failures: feed.failures,
            told_until: feed.told_until,
        };
        schedule::next_poll(inputs, from)
    }

    /// How much later than planned the feed may be polled at most, to go together with others.
    #[must_use]
    pub(crate) fn slack(&self, now: DateTime<Utc>) -> Duration {
        self.cadence.slack(self.min_interval, now)
    }

    /// When the feed is due again should a poll begun at `now` never end: as after a failure, and no sooner.
    #[must_use]
    pub(crate) fn after_a_crash(&self, feed: &Feed, now: DateTime<Utc>) -> DateTime<Utc> {
        let inputs = ScheduleInputs {
            cadence: &self.cadence.settled(&feed.rhythm, now),
            min_interval: self.min_interval,
            address: feed.address.as_str(),
            freshness: None,
            retry_after: None,
            hints: &feed.hints,
            failures: feed.failures.saturating_add(1),
            told_until: None,
        };
        schedule::next_poll(inputs, now).at
    }

    /// What a feed's due time is planned by, as far as the configuration and hubs can change it between two polls.
    #[must_use]
    pub(crate) fn plan_name(&self, is_told: bool) -> String {
        let told = if is_told { ", told by a hub" } else { "" };
        format!("{}, at least {}{told}", self.cadence, units::print_duration(self.min_interval))
    }

    /// When a feed that was polled before is due, now that its due time is not what the configuration asks for any more.
    ///
    /// It is what the last poll would have planned: no sooner after it than the new cadence has it, and no sooner than its
    /// server asked for.
    #[must_use]
    pub(crate) fn replan(&self, feed: &Feed) -> Option<Due> {
        let last = feed.recent.iter().next_back();
        let took = last.map_or(0, |sample| sample.took_ms);
        let begun = feed.last_poll.max(last.map(|sample| sample.at))?;
        let ended = begun + TimeDelta::milliseconds(i64::try_from(took).unwrap_or(0));
        let wait = |until: Option<DateTime<Utc>>| until.and_then(|until| (until - ended).to_std().ok());
        Some(self.plan(feed, wait(feed.fresh_until), wait(feed.not_before), ended))
    }
}

#[cfg(test)]
impl IngestOptions {
    /// As the configuration has it where it names nothing but a level.
    pub(crate) fn plain(level: Level, site: Site) -> Self {
        let (keep, drop) = (Vec::new(), Vec::new());
        Self { level, folding: Rules::default(), backfill: Duration::MAX, keep, drop, site, is_aggregator: false }
    }
}

#[cfg(test)]
impl Subscription {
    /// Once an hour, and nothing else.
    pub(crate) fn hourly() -> Self {
        Self {
            cadence: Cadence::Every(Duration::from_secs(3600)),
            min_interval: Duration::from_secs(60),
            access: Arc::default(),
            options: Arc::new(IngestOptions::plain(Level::Off, Site::default())),
            is_list: false,
        }
    }
}
