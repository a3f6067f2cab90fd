//! Servers that asked to be left alone (`Retry-After` on 429 and 503).
//!
//! Pure: the caller says what time it is. They are kept over restarts by `store::cooldowns`. The feed that was answered so waits for
//! as long as it was told to (`Feed::not_before`); here stands how long the others of its domain wait, where one user's feed
//! may stand beside many people's.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::FeedRef;

/// The longest that a whole domain is left alone because of one feed. Whoever runs a server that is tired of us says so to the
/// next feed as well.
const LONGEST: TimeDelta = TimeDelta::hours(1);
/// How long it is remembered which feed had its domain left alone.
const REMEMBERED: TimeDelta = TimeDelta::days(1);

/// Until when each domain is left alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cooldowns(HashMap<String, Hold>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hold {
    until: DateTime<Utc>,
    /// Which feed was answered so; `None` for a hold that was stored.
    by: Option<FeedRef>,
}

impl Cooldowns {
    /// Leaves a domain alone because one of its feeds was told to stay away until then, and says until when; `None` when it is
    /// not left alone for longer than it was.
    ///
    /// A feed does not have its domain left alone twice in a row. Another one has to be answered so in between, or one user of
    /// a host could silence all others for ever, an hour at a time.
    pub fn put(
        &mut self,
        domain: &str,
        by: FeedRef,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        self.0.retain(|_, hold| hold.until + REMEMBERED > now && hold.until <= now + LONGEST);
        let until = until.min(now + LONGEST);
        let before = self.0.get(domain);
        if before.is_some_and(|hold| hold.by == Some(by) || hold.until >= until) {
            return None;
        }
        self.0.insert(domain.to_owned(), Hold { until, by: Some(by) });
        Some(until)
    }

    /// Takes up a hold that was stored.
    pub fn restore(&mut self, domain: String, until: DateTime<Utc>) {
        self.0.insert(domain, Hold { until, by: None });
    }

    /// Takes up the holds that were stored.
    pub fn restore_all(&mut self, stored: Self) {
        self.0.extend(stored.0);
    }

    /// Until when a domain is left alone; `None` when it may be asked.
    ///
    /// No hold reaches further than the longest: one that does was made by a clock that was wrong.
    #[must_use]
    pub fn until(&self, domain: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.0.get(domain).map(|hold| hold.until).filter(|until| *until > now && *until <= now + LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::<Utc>::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    #[test]
    fn a_domain_is_left_alone_until_the_latest_time_it_asked_for_and_no_longer_than_an_hour() {
        let mut cooldowns = Cooldowns::default();
        assert_eq!(cooldowns.put("example.com", FeedRef(1), at(50), at(0)), Some(at(50)));
        assert_eq!(cooldowns.put("example.com", FeedRef(2), at(30), at(0)), None);
        assert_eq!(cooldowns.until("example.com", at(1)), Some(at(50)));
        assert_eq!(cooldowns.until("example.com", at(50)), None);
        assert_eq!(cooldowns.until("example.org", at(1)), None);
        assert_eq!(cooldowns.put("example.org", FeedRef(1), at(10_000_000), at(0)), Some(at(60)));
        assert_eq!(cooldowns.until("example.org", at(1)), Some(at(60)));
    }

    #[test]
    fn one_feed_cannot_silence_its_neighbours_for_ever() {
        let mut cooldowns = Cooldowns::default();
        assert_eq!(cooldowns.put("example.com", FeedRef(1), at(60), at(0)), Some(at(60)));
        assert_eq!(cooldowns.put("example.com", FeedRef(1), at(121), at(61)), None);
        assert_eq!(cooldowns.until("example.com", at(62)), None);
        assert_eq!(cooldowns.put("example.com", FeedRef(2), at(130), at(70)), Some(at(130)), "their server means all");
        assert_eq!(cooldowns.put("example.com", FeedRef(1), at(191), at(131)), Some(at(191)));
    }

    #[test]
    fn a_hold_from_a_clock_that_was_wrong_does_not_hold() {
        let mut cooldowns = Cooldowns::default();
        cooldowns.restore("example.com".into(), at(365 * 24 * 60));
        assert_eq!(cooldowns.until("example.com", at(1)), None);
        assert_eq!(cooldowns.put("example.com", FeedRef(1), at(30), at(1)), Some(at(30)), "and is none to go by");
    }
}
