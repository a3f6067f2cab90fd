//! How often a feed publishes.
//!
//! Pure. Learned from the dates of its entries, so that one document is enough to begin with; where entries bear no dates, the
//! polls that found something new stand for them. `interval = "auto"` goes by it.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// How many publications are remembered.
const KEPT: usize = 16;
/// The fewest that say anything.
const LEAST: usize = 3;
/// The longest time between two polls that is learned.
pub const SLOWEST: Duration = Duration::from_secs(24 * 3600);

/// When a feed last published, in seconds since 1970, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rhythm(Vec<i64>);

impl Rhythm {
    /// Takes in when entries were published; what lies after `now` counts as now.
    pub fn note(&mut self, published: impl Iterator<Item = DateTime<Utc>>, now: DateTime<Utc>) {
        self.0.extend(published.map(|at| at.min(now).timestamp()));
        self.0.sort_unstable();
        self.0.dedup();
        let surplus = self.0.len().saturating_sub(KEPT);
        self.0.drain(..surplus);
    }

    /// How long to wait before looking again: half the usual time between two publications.
    ///
    /// A feed that has been quiet for longer than usual is asked less and less often, and as often as before once it
    /// publishes again. `None` until enough is known; at most [`SLOWEST`].
    #[must_use]
    pub fn interval(&self, now: DateTime<Utc>) -> Option<Duration> {
        let (Some(first), Some(last)) = (self.0.first(), self.0.last()) else { return None };
        if self.0.len() < LEAST {
            return None;
        }
        let usual = (last - first) / i64::try_from(self.0.len() - 1).ok()?;
        let quiet = (now.timestamp() - last).max(0);
        let wait = usual.max(quiet / 2) / 2;
        Some(Duration::from_secs(u64::try_from(wait).unwrap_or(0)).min(SLOWEST))
    }

    /// As it is stored: 8 bytes each, little-endian.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|at| at.to_le_bytes()).collect()
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let (times, _) = bytes.as_chunks::<8>();
        Self(times.iter().take(KEPT).map(|bytes| i64::from_le_bytes(*bytes)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600;

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + hours * HOUR, 0).unwrap()
    }

    fn check(published: &[i64], now: i64, expected_hours: Option<f64>) {
        let mut rhythm = Rhythm::default();
        rhythm.note(published.iter().map(|hours| at(*hours)), at(now));
        let hours = rhythm.interval(at(now)).map(|interval| interval.as_secs_f64() / 3600.0);
        assert_eq!(hours, expected_hours, "{published:?}");
        assert_eq!(Rhythm::from_bytes(&rhythm.to_bytes()), rhythm);
    }

    #[test]
    fn a_feed_is_asked_twice_as_often_as_it_publishes() {
        check(&[0, 2, 4, 6], 6, Some(1.0));
        check(&[6, 0, 4, 2], 7, Some(1.0));
        check(&[0, 240, 480], 480, Some(24.0));
    }

    #[test]
    fn one_that_has_gone_quiet_is_asked_less_and_less() {
        check(&[0, 1, 2, 3], 11, Some(2.0));
        check(&[0, 1, 2, 3], 1_000, Some(24.0));
    }

    #[test]
    fn little_is_learned_from_little() {
        check(&[], 0, None);
        check(&[0, 1], 1, None);
        check(&[5, 5, 5, 5], 5, None);
        check(&[0, 1, 2, 99], 3, Some(0.5));
    }

    #[test]
    fn only_the_newest_count() {
        let weekly_then_hourly: Vec<i64> =
            (0..20).map(|week| week * 168).chain((0..16).map(|hour| 4_000 + hour)).collect();
        check(&weekly_then_hourly, 4_015, Some(0.5));
    }
}
