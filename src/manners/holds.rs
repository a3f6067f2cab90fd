//! Servers that asked to be left alone (`Retry-After` on 429 and 503).
//!
//! Pure: the caller says what time it is. They are kept over restarts by `store::holds`.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

/// The longest that a server is left alone for the asking.
const LONGEST: TimeDelta = TimeDelta::days(7);

/// Until when each domain is left alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holds(HashMap<String, DateTime<Utc>>);

impl Holds {
    /// Leaves a domain alone until then; a shorter request does not undo a longer one.
    pub fn put(&mut self, domain: &str, until: DateTime<Utc>, now: DateTime<Utc>) {
        self.0.retain(|_, until| *until > now);
        let until = until.min(now + LONGEST);
        let held = self.0.entry(domain.to_owned()).or_insert(until);
        *held = if *held > now + LONGEST { until } else { until.max(*held) };
    }

    /// Takes up a hold that was stored.
    pub fn restore(&mut self, domain: String, until: DateTime<Utc>) {
        self.0.insert(domain, until);
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
        self.0.get(domain).copied().filter(|until| *until > now && *until <= now + LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_left_alone_until_the_latest_time_it_asked_for() {
        let at = |hours| DateTime::<Utc>::UNIX_EPOCH + TimeDelta::hours(hours);
        let mut holds = Holds::default();
        holds.put("example.com", at(5), at(0));
        holds.put("example.com", at(3), at(0));
        assert_eq!(holds.until("example.com", at(1)), Some(at(5)));
        assert_eq!(holds.until("example.com", at(5)), None);
        assert_eq!(holds.until("example.org", at(1)), None);
        holds.put("example.org", at(10_000), at(0));
        assert_eq!(holds.until("example.org", at(1)), Some(at(7 * 24)));
    }

    #[test]
    fn a_hold_from_a_clock_that_was_wrong_does_not_hold() {
        let at = |days| DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(days);
        let mut holds = Holds::default();
        holds.restore("example.com".into(), at(365));
        assert_eq!(holds.until("example.com", at(1)), None);
    }
}
