//! What the configuration says about polling one feed and taking in what it brings.
//!
//! Pure: when the feed is due follows from it, from what is remembered of the feed, and from `schedule`.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use xxhash_rust::xxh3::Xxh3Default;

use crate::config::{self, PollConfig, Rule};
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
    /// A few bits of all that its answers depend on: enough to notice a change, too few to learn a secret from.
    pub asked_as: u16,
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

/// What stands before [`Subscription::asked_as`] in what a due time is planned by.
const ASKED_AS: &str = ", asked as ";

/// [`Subscription::asked_as`], by how the feed is reached and what holds for all feeds.
#[must_use]
pub(crate) fn asked_as(access: &config::Access, poll: &PollConfig) -> u16 {
    let mut hasher = Xxh3Default::new();
    (access, &poll.allow_networks, poll.max_body_bytes, poll.timeout, &poll.user_agent).hash(&mut hasher);
    let [one, two, ..] = hasher.finish().to_be_bytes();
    u16::from_be_bytes([one, two])
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
        let min_interval = units::print_duration(self.min_interval);
        format!("{}, at least {min_interval}{told}{ASKED_AS}{:04x}", self.cadence, self.asked_as)
    }

    /// When a failing feed is due that was asked otherwise than the configuration has it now: what was wrong may have been put
    /// right. It is one of so many that are configured. `None` where its back-off holds.
    ///
    /// That is no sooner than its server asked for, and with the others spread like a first start.
    #[must_use]
    pub(crate) fn retry(&self, feed: &Feed, feed_count: usize, now: DateTime<Utc>) -> Option<Due> {
        let (_, asked_as) = feed.planned_by.as_deref()?.rsplit_once(ASKED_AS)?;
        if feed.failures == 0 || asked_as == format!("{:04x}", self.asked_as) {
            return None;
        }
        let rested = last_ended(feed)? + TimeDelta::from_std(self.min_interval).unwrap_or(TimeDelta::MAX);
        let from = now.max(rested).max(feed.not_before.unwrap_or(now));
        let first = schedule::first_poll(&self.cadence, self.min_interval, feed.address.as_str(), feed_count, from);
        Some(Due { at: first.at, reason: "what it is asked with was changed".to_owned() })
    }

    /// When a feed that was polled before is due, now that its due time is not what the configuration asks for any more.
    ///
    /// It is what the last poll would have planned: no sooner after it than the new cadence has it, and no sooner than its
    /// server asked for.
    #[must_use]
    pub(crate) fn replan(&self, feed: &Feed) -> Option<Due> {
        let ended = last_ended(feed)?;
        let wait = |until: Option<DateTime<Utc>>| until.and_then(|until| (until - ended).to_std().ok());
        Some(self.plan(feed, wait(feed.fresh_until), wait(feed.not_before), ended))
    }
}

/// When the last poll of a feed ended; `None` where there was none.
fn last_ended(feed: &Feed) -> Option<DateTime<Utc>> {
    let last = feed.recent.iter().next_back();
    let took = last.map_or(0, |sample| sample.took_ms);
    let begun = feed.last_poll.max(last.map(|sample| sample.at))?;
    Some(begun + TimeDelta::milliseconds(i64::try_from(took).unwrap_or(0)))
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
            asked_as: 0,
            options: Arc::new(IngestOptions::plain(Level::Off, Site::default())),
            is_list: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FeedRef;

    #[test]
    fn a_failing_feed_that_is_asked_otherwise_is_asked_soon_and_never_sooner_than_its_server_said() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(30);
        let before = Subscription::hourly();
        let with_password = config::Access { username: Some("me".to_owned()), ..config::Access::default() };
        let cured = Subscription { asked_as: asked_as(&with_password, &PollConfig::default()), ..before.clone() };
        let failing = |failures, not_before: Option<TimeDelta>| Feed {
            failures,
            not_before: not_before.map(|wait| now + wait),
            last_poll: Some(now - TimeDelta::seconds(10)),
            planned_by: Some(before.plan_name(false)),
            ..Feed::unasked(FeedRef(0), "https://example.org/feed")
        };
        let wait = |subscription: &Subscription, feed: &Feed, count| {
            subscription.retry(feed, count, now).map(|due| (due.at - now).num_seconds())
        };
        let feed = failing(5, None);
        assert_eq!(wait(&before, &feed, 1), None, "nothing was changed");
        assert_eq!(wait(&cured, &feed, 1), Some(50), "the least interval holds");
        assert!(wait(&cured, &feed, 1_000).is_some_and(|wait| wait > 50), "many are spread");
        assert_eq!(wait(&cured, &failing(5, Some(TimeDelta::hours(3))), 1), Some(3 * 3_600));
        assert_eq!(wait(&cured, &failing(0, None), 1), None, "it does well");
        let older = Feed { planned_by: Some("every 1h, at least 1m".to_owned()), ..failing(5, None) };
        assert_eq!(wait(&cured, &older, 1), None, "an older newsfold did not note with what it asked");
    }
}
