//! What the headers of an answer say about when to come back.
//!
//! Pure. Weighing it against the configuration is `schedule`'s work.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// As good as for ever, and within what times can be reckoned with.
const FOREVER_S: i64 = 100 * 365 * 86_400;

/// How long the answer stays fresh, by its own word (RFC 9111 §4.2.1): `max-age` less `Age`, else `Expires` less `Date`.
///
/// The headers are given as text, joined with commas where they came more than once. `None` when nothing is said, or that
/// the answer is stale at once. Counting from the answer's own `Date` makes a wrong clock on either side harmless; where it has
/// none, `now` stands in.
#[must_use]
pub fn fresh_for(
    cache_control: Option<&str>,
    expires: Option<&str>,
    date: Option<&str>,
    age: Option<&str>,
    now: DateTime<Utc>,
) -> Option<Duration> {
    let directives =
        || cache_control.unwrap_or_default().split(',').map(|directive| directive.trim().to_ascii_lowercase());
    if directives().any(|directive| directive == "no-store" || directive == "no-cache") {
        return None;
    }
    let age = age.and_then(|age| whole_number(age.trim())).unwrap_or(0);
    let max_age = directives()
        .find_map(|directive| directive.strip_prefix("max-age=").map(|value| whole_number(value.trim_matches('"'))));
    let seconds = match max_age {
        Some(max_age) => max_age?.saturating_sub(age),
        None => {
            let date = date.and_then(http_date).unwrap_or(now);
            u64::try_from((http_date(expires?)? - date).num_seconds()).ok()?.saturating_sub(age)
        }
    };
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

/// How long the server asks us to stay away, counted from `now`.
///
/// `value` is a `Retry-After` field (RFC 9110 §10.2.3): whole seconds, or an HTTP date, which is counted from the answer's own
/// `Date` where it has one. `None` when it is neither, or names an instant that has passed.
#[must_use]
pub fn retry_after(value: &str, date: Option<&str>, now: DateTime<Utc>) -> Option<TimeDelta> {
    let value = value.trim();
    let wait = match whole_number(value) {
        Some(seconds) => TimeDelta::seconds(i64::try_from(seconds).unwrap_or(i64::MAX).min(FOREVER_S)),
        None => http_date(value)? - date.and_then(http_date).unwrap_or(now),
    };
    (wait > TimeDelta::zero()).then_some(wait)
}

/// Digits as a number; more of them than a number can hold are the largest there is (RFC 9111 §1.2.2).
fn whole_number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

fn http_date(text: &str) -> Option<DateTime<Utc>> {
    httpdate::parse_http_date(text.trim()).ok().map(DateTime::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Thu, 01 Jan 2026 00:00:00 GMT";

    fn check(cache_control: Option<&str>, expires: Option<&str>, age: Option<&str>, expected: Option<u64>) {
        assert_eq!(
            fresh_for(cache_control, expires, Some(DATE), age, DateTime::UNIX_EPOCH).map(|fresh| fresh.as_secs()),
            expected,
            "{cache_control:?} {expires:?}"
        );
    }

    #[test]
    fn max_age_wins_over_expires_and_loses_the_age() {
        check(Some("public, Max-Age=3600"), Some("Thu, 01 Jan 2026 05:00:00 GMT"), None, Some(3600));
        check(Some("max-age=\"3600\""), None, Some("600"), Some(3000));
        check(Some("max-age=0"), Some("Thu, 01 Jan 2026 05:00:00 GMT"), None, None);
        check(None, Some("Thu, 01 Jan 2026 05:00:00 GMT"), None, Some(18_000));
    }

    #[test]
    fn nonsense_is_nothing() {
        check(Some("max-age=soon"), None, None, None);
        check(None, Some("0"), None, None);
        check(None, Some("Wed, 31 Dec 2025 00:00:00 GMT"), None, None);
        check(Some("no-cache, max-age=3600"), None, None, None);
        check(Some("max-age=-1"), Some("Thu, 01 Jan 2026 05:00:00 GMT"), None, None);
        check(Some("s-maxage=3600"), None, None, None);
    }

    #[test]
    fn a_number_too_large_to_hold_is_as_large_as_can_be() {
        check(Some("max-age=99999999999999999999999"), None, None, Some(u64::MAX));
        check(Some("max-age=60"), None, Some("99999999999999999999999"), None);
    }

    #[test]
    fn expires_without_a_date_counts_from_now_and_loses_the_age() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let fresh =
            |date, age| fresh_for(None, Some("Thu, 01 Jan 2026 01:00:00 GMT"), date, age, now).map(|s| s.as_secs());
        assert_eq!(fresh(None, None), Some(3600));
        assert_eq!(fresh(Some("Thu, 01 Jan 2026 00:30:00 GMT"), Some("600")), Some(1200));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let seconds = |value| retry_after(value, None, now).map(|wait| wait.num_seconds());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds("Thu, 01 Jan 2026 01:00:00 GMT"), Some(3600));
        assert_eq!(seconds("Wed, 31 Dec 2025 00:00:00 GMT"), None);
        assert_eq!(seconds("-1"), None);
        assert_eq!(seconds("tomorrow"), None);
        assert_eq!(seconds("0"), None);
        assert_eq!(seconds("99999999999999999999999"), Some(FOREVER_S));
        let ahead = Some("Thu, 01 Jan 2026 00:30:00 GMT");
        let wait = retry_after("Thu, 01 Jan 2026 01:00:00 GMT", ahead, now).map(|wait| wait.num_minutes());
        assert_eq!(wait, Some(30), "a server whose clock is ahead means the time by its own clock");
    }
}
