//! When a feed is next due.
//!
//! Pure: the caller says what time it is. Waiting until then is `daemon`'s work, and reading the server's headers is `fetch`'s.
//! The wait is the longest of what the configuration, the server and the feed itself ask for, so nobody is asked more often than anybody wants.

mod crontab;

use crate::model::rhythm::Rhythm;
pub use crontab::{Crontab, CrontabError};

use crate::model::Hints;
use crate::units::print_duration;
use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64;

/// How often a feed is polled where nothing says otherwise.
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(3600);

/// The longest wait that back-off, or anything but `Retry-After`, can lead to, unless the cadence itself is longer.
pub const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// The longest `Retry-After` that is obeyed.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);

/// The longest pause before failed work is begun again, where nobody asked for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The most that jitter adds to an interval.
const LONGEST_JITTER: Duration = Duration::from_secs(300);

/// The most that jitter adds to a time of a crontab line.
const LONGEST_CRONTAB_JITTER: Duration = Duration::from_secs(3);

/// Up to so many feeds are all polled at once at the first start.
const SMALL_CONFIGURATION: usize = 50;

/// The share of the first polls' spread that each feed adds, and the longest spread.
const SPREAD_PER_FEED: Duration = Duration::from_millis(100);
const LONGEST_SPREAD: Duration = Duration::from_secs(900);

/// How often a feed is polled by its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cadence {
    /// A fixed time apart.
    Every(Duration),
    /// At the times of a crontab line.
    Crontab(Crontab),
    /// As often as the feed publishes; every [`DEFAULT_INTERVAL`] until that is learned.
    Auto,
    /// What [`Cadence::Auto`] has come to.
    Learned(Duration),
}

impl Default for Cadence {
    fn default() -> Self {
        Self::Every(DEFAULT_INTERVAL)
    }
}

impl fmt::Display for Cadence {
    /// What is compared to tell whether a feed's cadence was changed; what was learned is no change.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(interval) => write!(f, "every {}", print_duration(*interval)),
            Self::Crontab(crontab) => write!(f, "schedule `{crontab}` in {}", crontab.timezone()),
            Self::Auto | Self::Learned(_) => f.write_str("auto"),
        }
    }
}

impl Cadence {
    /// The cadence with what a feed's rhythm teaches, where it is to go by that.
    #[must_use]
    pub fn settled(&self, rhythm: &Rhythm, now: DateTime<Utc>) -> Cow<'_, Self> {
        match self {
            Self::Auto => Cow::Owned(rhythm.interval(now).map_or(Self::Auto, Self::Learned)),
            settled => Cow::Borrowed(settled),
        }
    }

    /// When the cadence alone would have the next poll after one at `now`, and why.
    fn next(&self, min_interval: Duration, now: DateTime<Utc>) -> Due {
        let every = |interval: Duration| Due {
            at: after(now, interval.max(min_interval)),
            reason: format!("every {}", print_duration(interval.max(min_interval))),
        };
        match self {
            Self::Every(interval) => every(*interval),
            Self::Auto => every(DEFAULT_INTERVAL),
            Self::Learned(interval) => {
                let due = every(whole_seconds(*interval));
                Due { reason: format!("{}, as it publishes", due.reason), ..due }
            }
            Self::Crontab(crontab) => {
                // Its times stand on a grid, and the last poll began somewhat late on it: without
                // this allowance `*/5` would miss every second time at a `min_interval` of 5m.
                let allowance = (min_interval / 10).min(Duration::from_secs(30));
                let soonest = if min_interval.is_zero() {
                    now
                } else {
                    // One nanosecond less, as the search is for a strictly later time.
                    after(now, min_interval - allowance) - TimeDelta::nanoseconds(1)
                };
                Due {
                    at: crontab.next_after(soonest.max(now)).unwrap_or_else(|| after(now, LONGEST_WAIT)),
                    reason: format!("schedule `{crontab}`"),
                }
            }
        }
    }

    /// The length of one round, from which back-off and jitter are reckoned.
    fn interval(&self, min_interval: Duration, now: DateTime<Utc>) -> Duration {
        let interval = match self {
            Self::Every(interval) | Self::Learned(interval) => *interval,
            Self::Auto => DEFAULT_INTERVAL,
            Self::Crontab(crontab) => crontab
                .next_after(now)
                .and_then(|first| (crontab.next_after(first)? - first).to_std().ok())
                .unwrap_or(LONGEST_WAIT),
        };
        interval.max(min_interval)
    }

    /// By how much a poll may be put off so that it goes together with others, or does not: a tenth of the interval, and no more
    /// than a few minutes.
    #[must_use]
    pub fn slack(&self, min_interval: Duration, now: DateTime<Utc>) -> Duration {
        self.longest_jitter(self.interval(min_interval, now))
    }

    fn longest_jitter(&self, interval: Duration) -> Duration {
        match self {
            Self::Crontab(_) => LONGEST_CRONTAB_JITTER.min(interval / 10),
            Self::Every(_) | Self::Auto | Self::Learned(_) => LONGEST_JITTER.min(interval / 10),
        }
    }

    /// The feeds of one host are put off alike, so that those that were polled together come due together.
    fn jitter(&self, address: &str, interval: Duration) -> Duration {
        share(host_in(address), self.longest_jitter(interval))
    }
}

/// What is known about a feed when its next poll is planned.
#[derive(Clone, Copy, Debug)]
pub struct ScheduleInputs<'a> {
    /// The feed's own cadence, or that of `[poll]`.
    pub cadence: &'a Cadence,
    /// No wait is shorter.
    pub min_interval: Duration,
    /// The feed's configured address, which seeds the jitter.
    pub address: &'a str,
    /// How long the latest answer stays fresh, counted from the poll: `max-age` less `Age`, or `Expires` less `Date`.
    pub freshness: Option<Duration>,
    /// How long the server asked us to stay away, counted from the poll.
    pub retry_after: Option<Duration>,
    /// What the feed's latest document says.
    pub hints: &'a Hints,
    /// How many polls have failed in a row, the last one included; 0 after a success.
    pub failures: u32,
    /// Until when a hub has promised to tell of changes (WebSub).
    pub told_until: Option<DateTime<Utc>>,
}

impl<'a> ScheduleInputs<'a> {
    /// Terms where nothing but the cadence is known, with the jitter of an empty address.
    pub fn of_cadence(cadence: &'a Cadence, min_interval: Duration) -> Self {
        const NONE: &Hints = &Hints { ttl_s: None, update_period_s: None, skip_hours: 0, skip_days: 0 };
        Self {
            cadence,
            min_interval,
            address: "",
            freshness: None,
            retry_after: None,
            hints: NONE,
            failures: 0,
            told_until: None,
        }
    }
}

/// When a feed is polled next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Not before this instant.
    pub at: DateTime<Utc>,
    /// Because of what: `every 1h`, `Retry-After`; to stand in a sentence.
    pub reason: String,
}

/// Plans the poll that follows one made at `now`.
///
/// The latest of these wins and gives the reason: the cadence; the answer's freshness, `ttl` and `sy:*`, each at most [`LONGEST_WAIT`]; back-off, which doubles from the interval to [`LONGEST_WAIT`]; `Retry-After`, at most [`LONGEST_RETRY_AFTER`].
/// While a hub tells of changes, a poll only makes sure that it does: the wait is [`LONGEST_WAIT`], and no longer than the hub's promise.
/// Then `skipHours` and `skipDays` put it off to the first hour they permit, by at most a day; all 24 hours or all 7 days are a mistake and ignored.
/// Jitter, which a feed's address settles for good, lengthens the wait by up to a tenth of the interval and 5 minutes, or 3 seconds for a crontab line; it never leads into an hour that is to be skipped.
///
/// The wait is never shorter than `min_interval`, save that a crontab line's time may come up to a tenth (at most 30 s) sooner.
///
/// # Examples
/// ```
/// use std::time::Duration;
///
/// use chrono::{DateTime, TimeDelta};
/// use newsfold::schedule::{Cadence, ScheduleInputs, next_poll};
///
/// let now = DateTime::from_timestamp(1_767_225_600, 0).unwrap();
/// let hourly = Cadence::Every(Duration::from_secs(3600));
/// let inputs = ScheduleInputs::of_cadence(&hourly, Duration::from_secs(300));
/// assert_eq!(next_poll(inputs, now).reason, "every 1h");
///
/// let day = Duration::from_secs(86_400);
/// let due = next_poll(ScheduleInputs { retry_after: Some(day), ..inputs }, now);
/// assert!(due.at >= now + TimeDelta::days(1));
/// ```
pub fn next_poll(inputs: ScheduleInputs<'_>, now: DateTime<Utc>) -> Due {
    let ScheduleInputs { cadence, min_interval, address, freshness, retry_after, hints, failures, told_until } = inputs;
    let interval = cadence.interval(min_interval, now);
    let asked = |asked: Option<Duration>, longest: Duration, name: &str, place: &str| {
        let wait = asked?.min(longest);
        Some(Due { at: after(now, wait), reason: format!("{name} of {}{place}", print_duration(whole_seconds(wait))) })
    };
    let backed_off = (failures > 0).then(|| Due {
        at: after(now, back_off(interval, failures)),
        reason: match failures {
            1 => "back-off after 1 failure".to_owned(),
            _ => format!("back-off after {failures} failures"),
        },
    });
    let retry_after =
        retry_after.map(|wait| Due { at: after(now, wait.min(LONGEST_RETRY_AFTER)), reason: "Retry-After".to_owned() });
    // A feed that fails is looked after as ever, and so is one whose hub has made no promise.
    let told = told_until.filter(|_| failures == 0).map(|until| Due {
        at: after(now, LONGEST_WAIT).min(until),
        reason: "its hub tells of changes, and it is polled all the same now and then".to_owned(),
    });
    let mut due = cadence.next(min_interval, now);
    let others = [
        asked(freshness, LONGEST_WAIT, "the server's max-age", ""),
        asked(hints.ttl_s.map(Duration::from_secs), LONGEST_WAIT, "ttl", " in the feed"),
        asked(hints.update_period_s.map(Duration::from_secs), LONGEST_WAIT, "sy:updatePeriod", " in the feed"),
        backed_off,
        retry_after,
        told,
    ];
    for other in others.into_iter().flatten() {
        if other.at > due.at {
            due = other;
        }
    }
    due = put_off(due, hints);
    let jittered = after(due.at, cadence.jitter(address, interval));
    if permitted(jittered, hints) {
        due.at = jittered;
    }
    due
}

/// Plans the very first poll of a feed.
///
/// Up to 50 feeds start at once. More are spread by their addresses over a tenth of a second for each, at most their interval and 15 minutes.
/// A crontab line waits for its time.
pub fn first_poll(
    cadence: &Cadence,
    min_interval: Duration,
    address: &str,
    feed_count: usize,
    now: DateTime<Utc>,
) -> Due {
    if let Cadence::Crontab(_) = cadence {
        return cadence.next(Duration::ZERO, now);
    }
    if feed_count <= SMALL_CONFIGURATION {
        return Due { at: now, reason: "first poll".to_owned() };
    }
    let spread = spread_of(feed_count).min(cadence.interval(min_interval, now));
    Due {
        at: after(now, share(host_in(address), spread)),
        reason: format!("first poll, spread over {}", print_duration(whole_seconds(spread))),
    }
}

/// Plans the polls of feeds that all came due at once: after an outage, or a suspend. The herd is spread like a first start.
#[must_use]
pub fn after_a_gap(address: &str, feed_count: usize, now: DateTime<Utc>) -> DateTime<Utc> {
    if feed_count <= SMALL_CONFIGURATION { now } else { after(now, share(host_in(address), spread_of(feed_count))) }
}

/// Over how long so many feeds are spread that could all be polled at once.
fn spread_of(feed_count: usize) -> Duration {
    u32::try_from(feed_count).map_or(LONGEST_SPREAD, |count| SPREAD_PER_FEED * count).min(LONGEST_SPREAD)
}

/// Puts right a stored due time that no plan can have made, as after a step of the clock.
///
/// A time later than the longest wait from `now` becomes the cadence's next; every other stays.
/// A time that has passed is due now, once, however many rounds were missed.
pub fn put_right(
    stored: DateTime<Utc>,
    cadence: &Cadence,
    min_interval: Duration,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    let next = cadence.next(min_interval, now).at;
    let longest = next.max(after(now, LONGEST_RETRY_AFTER));
    // Skipped hours and jitter come on top.
    if stored > after(longest, LONGEST_WAIT + LONGEST_JITTER) { next } else { stored }
}

/// What became of the wall clock between two looks at it, told by a clock that nobody sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockStep {
    /// It went on.
    None,
    /// It was put back by so much (negative): every due time would be that much too late.
    Back(TimeDelta),
    /// It leapt ahead by so much, or the machine slept: what came due meanwhile is due at once.
    Ahead(TimeDelta),
}

/// Compares the two clocks: `then` and `now` by the wall, and the time that has `passed` in truth.
#[must_use]
pub fn clock_step(then: DateTime<Utc>, now: DateTime<Utc>, passed: Duration) -> ClockStep {
    const STEP_BACK: TimeDelta = TimeDelta::seconds(-5);
    const LEAP: TimeDelta = TimeDelta::seconds(60);
    let step = (now - then) - TimeDelta::from_std(passed).unwrap_or(TimeDelta::zero());
    if step < STEP_BACK {
        ClockStep::Back(step)
    } else if step > LEAP {
        ClockStep::Ahead(step)
    } else {
        ClockStep::None
    }
}

/// The wait after so many failures in a row: the interval, doubled from the second on, to a day.
fn back_off(interval: Duration, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    interval.saturating_mul(1 << doublings).min(LONGEST_WAIT.max(interval))
}

/// Moves a due time to the first permitted hour, by at most a day.
fn put_off(due: Due, hints: &Hints) -> Due {
    if permitted(due.at, hints) {
        return due;
    }
    let latest = after(due.at, LONGEST_WAIT);
    let mut at = due.at;
    while !permitted(at, hints) && at < latest {
        let to_next_hour = 3600 - at.timestamp().rem_euclid(3600);
        at = DateTime::from_timestamp(at.timestamp() + to_next_hour, 0).unwrap_or(latest);
    }
    let reason = if skips_hour(due.at, hints) { "skipHours" } else { "skipDays" };
    Due { at: at.min(latest), reason: format!("{reason} in the feed") }
}

fn permitted(at: DateTime<Utc>, hints: &Hints) -> bool {
    !skips_hour(at, hints) && !skips_day(at, hints)
}

fn skips_hour(at: DateTime<Utc>, hints: &Hints) -> bool {
    const ALL: u32 = (1 << 24) - 1;
    let listed = hints.skip_hours & ALL;
    listed != ALL && listed & (1 << at.hour()) != 0
}

fn skips_day(at: DateTime<Utc>, hints: &Hints) -> bool {
    const ALL: u8 = (1 << 7) - 1;
    let listed = hints.skip_days & ALL;
    listed != ALL && listed & (1 << at.weekday().num_days_from_monday()) != 0
}

/// The host that an address names, with its port; the whole address where it names none.
fn host_in(address: &str) -> &str {
    let rest = address.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().filter(|host| !host.is_empty()).unwrap_or(address)
}

/// A share of `most` that an address settles for good.
#[must_use]
pub fn share(address: &str, most: Duration) -> Duration {
    let most_ms = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
    let part = (u128::from(xxh3_64(address.as_bytes())) * u128::from(most_ms)) >> 64;
    Duration::from_millis(u64::try_from(part).unwrap_or(most_ms))
}

/// `at` and `wait`, held at the end of the calendar.
#[must_use]
pub fn after(at: DateTime<Utc>, wait: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(wait).ok().and_then(|wait| at.checked_add_signed(wait)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Cut for people: a second is the least that a reason names.
fn whole_seconds(wait: Duration) -> Duration {
    Duration::from_secs(wait.as_secs())
}

/// How long failed work rests: a second after the first failure, twice as long after each further one up to a minute, and no less
/// than the `rest` that a service asked for, as far as that is within `longest`.
#[must_use]
pub(crate) fn pause_after(failures: u32, rest: Option<Duration>, longest: Duration) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    let pause = Duration::from_secs(1).saturating_mul(doubled).min(LONGEST_PAUSE);
    pause.max(rest.unwrap_or_default().min(longest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Weekday;
    use chrono_tz::{Europe::Berlin, UTC};
    use proptest::prelude::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3600);
    const DAY: Duration = Duration::from_secs(24 * 3600);
    const ADDRESS: &str = "https://news.example/feed.xml";

    /// All that a server and its feed can say.
    #[derive(Clone, Debug, Default)]
    struct Said {
        freshness: Option<Duration>,
        ttl: Option<Duration>,
        update_period: Option<Duration>,
        skip_hours: Vec<u8>,
        skip_days: Vec<Weekday>,
        retry_after: Option<Duration>,
    }

    impl Said {
        fn hints(&self) -> Hints {
            Hints {
                ttl_s: self.ttl.map(|ttl| ttl.as_secs()),
                update_period_s: self.update_period.map(|period| period.as_secs()),
                skip_hours: self.skip_hours.iter().fold(0, |bits, hour| bits | 1 << hour),
                skip_days: self.skip_days.iter().fold(0, |bits, day| bits | 1 << day.num_days_from_monday()),
            }
        }
    }

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// 12:00 on a Sunday.
    fn noon() -> DateTime<Utc> {
        time("2026-11-22T12:00:00Z")
    }

    fn crontab(line: &str) -> Cadence {
        Cadence::Crontab(Crontab::parse(line, UTC).unwrap())
    }

    fn planned(cadence: &Cadence, hints: &Said, failures: u32, now: DateTime<Utc>) -> Due {
        next_poll(
            ScheduleInputs {
                cadence,
                min_interval: 5 * MINUTE,
                address: ADDRESS,
                freshness: hints.freshness,
                retry_after: hints.retry_after,
                hints: &hints.hints(),
                failures,
                told_until: None,
            },
            now,
        )
    }

    /// `wait` from noon without jitter, and the reason, at an interval of an hour.
    fn check(hints: &Said, failures: u32, wait: Duration, reason: &str) {
        let due = planned(&Cadence::Every(HOUR), hints, failures, noon());
        let jitter = Cadence::Every(HOUR).jitter(ADDRESS, HOUR);
        assert_eq!((due.at - jitter, &*due.reason), (after(noon(), wait), reason));
    }

    #[test]
    fn failed_work_rests_longer_and_longer_up_to_a_minute() {
        let seconds = [1, 2, 3, 6, 7, 1_000].map(|failures| pause_after(failures, None, Duration::ZERO).as_secs());
        assert_eq!(seconds, [1, 2, 4, 32, 60, 60]);
    }

    #[test]
    fn the_longest_wait_wins_and_gives_the_reason() {
        check(&Said::default(), 0, HOUR, "every 1h");
        let freshness = |wait| Said { freshness: Some(wait), ..Said::default() };
        check(&freshness(3 * HOUR), 0, 3 * HOUR, "the server's max-age of 3h");
        check(&freshness(MINUTE), 0, HOUR, "every 1h");
        let ttl = Said { ttl: Some(2 * HOUR), freshness: Some(90 * MINUTE), ..Said::default() };
        check(&ttl, 0, 2 * HOUR, "ttl of 2h in the feed");
        check(&ttl, 3, 4 * HOUR, "back-off after 3 failures");
        let update_period = Said { update_period: Some(12 * HOUR), ..Said::default() };
        check(&update_period, 0, 12 * HOUR, "sy:updatePeriod of 12h in the feed");
        check(&Said::default(), 1, HOUR, "every 1h");
        check(&Said::default(), 2, 2 * HOUR, "back-off after 2 failures");
    }

    #[test]
    fn everything_but_retry_after_ends_at_a_day() {
        let week = Some(7 * DAY);
        let hints = Said { freshness: week, ttl: week, update_period: week, ..Said::default() };
        check(&hints, 0, DAY, "the server's max-age of 1d");
        check(&Said::default(), u32::MAX, DAY, "back-off after 4294967295 failures");
        let asked_to_stay_away = |wait| Said { retry_after: Some(wait), ..hints.clone() };
        check(&asked_to_stay_away(3 * DAY), 1, 3 * DAY, "Retry-After");
        check(&asked_to_stay_away(100 * DAY), 1, 7 * DAY, "Retry-After");
    }

    #[test]
    fn a_cadence_longer_than_a_day_stays() {
        let weekly = Cadence::Every(7 * DAY);
        let due = planned(&weekly, &Said::default(), 5, noon());
        assert_eq!(due.reason, "every 7d");
        assert!(due.at >= after(noon(), 7 * DAY) && due.at <= after(noon(), 7 * DAY + 5 * MINUTE));
    }

    #[test]
    fn an_interval_below_the_least_is_lengthened() {
        let due = planned(&Cadence::Every(MINUTE), &Said::default(), 0, noon());
        assert_eq!(due.reason, "every 5m");
    }

    #[test]
    fn a_crontab_line_comes_due_a_moment_after_its_time() {
        let half_hours = crontab("*/30 * * * *");
        let due = planned(&half_hours, &Said::default(), 0, noon());
        assert_eq!(due.reason, "schedule `*/30 * * * *`");
        assert!(due.at >= time("2026-11-22T12:30:00Z") && due.at < time("2026-11-22T12:30:03Z"));
        // Asked to stay away beyond that time, it waits just so long.
        let hints = Said { retry_after: Some(40 * MINUTE), ..Said::default() };
        assert_eq!(planned(&half_hours, &hints, 1, noon()).reason, "Retry-After");
    }

    #[test]
    fn a_crontab_line_as_dense_as_the_least_interval_misses_no_time() {
        let due = planned(&crontab("*/5 * * * *"), &Said::default(), 0, time("2026-11-22T12:00:04Z"));
        assert!(due.at >= time("2026-11-22T12:05:00Z") && due.at < time("2026-11-22T12:05:03Z"));
        // A denser one is thinned out.
        let due = planned(&crontab("* * * * *"), &Said::default(), 0, time("2026-11-22T12:00:04Z"));
        assert!(due.at >= time("2026-11-22T12:05:00Z") && due.at < time("2026-11-22T12:05:03Z"));
    }

    #[test]
    fn skipped_hours_and_days_put_off_to_the_first_permitted_hour() {
        fn check(skip_hours: &[u8], skip_days: &[Weekday], now: &str, at: &str, reason: &str) {
            let hints = Said { skip_hours: skip_hours.to_vec(), skip_days: skip_days.to_vec(), ..Said::default() };
            let due = planned(&Cadence::Every(HOUR), &hints, 0, time(now));
            let early = due.at - time(at);
            assert_eq!(due.reason, reason);
            assert!(early >= TimeDelta::zero() && early <= TimeDelta::minutes(5), "{}", due.at);
        }
        let now = "2026-11-22T12:20:00Z";
        check(&[13, 14], &[], now, "2026-11-22T15:00:00Z", "skipHours in the feed");
        check(&[14], &[], now, "2026-11-22T13:20:00Z", "every 1h");
        check(&[0], &[], "2026-11-22T23:10:00Z", "2026-11-23T01:00:00Z", "skipHours in the feed");
        let all: Vec<u8> = (0..24).collect();
        check(&all, &[], now, "2026-11-22T13:20:00Z", "every 1h");
        let all_but_11: Vec<u8> = (0..24).filter(|hour| *hour != 11).collect();
        check(&all_but_11, &[], now, "2026-11-23T11:00:00Z", "skipHours in the feed");
        check(&[], &[Weekday::Sun], now, "2026-11-23T00:00:00Z", "skipDays in the feed");
        // A weekend is longer than a day, which is the most that a feed can ask for.
        check(
            &[],
            &[Weekday::Sat, Weekday::Sun],
            "2026-11-20T23:30:00Z",
            "2026-11-22T00:30:00Z",
            "skipDays in the feed",
        );
        let all = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];
        check(&[], &all, now, "2026-11-22T13:20:00Z", "every 1h");
    }

    #[test]
    fn a_small_configuration_starts_at_once_and_a_large_one_is_spread() {
        let hourly = Cadence::Every(HOUR);
        let first = |cadence: &Cadence, address: &str, count| first_poll(cadence, 5 * MINUTE, address, count, noon());
        assert_eq!(first(&hourly, ADDRESS, 50), Due { at: noon(), reason: "first poll".to_owned() });
        let mut times: Vec<_> = (0..1000).map(|n| first(&hourly, &format!("https://n{n}.example/"), 1000).at).collect();
        times.sort();
        assert!(times[0] >= noon() && times[999] <= after(noon(), 100 * Duration::from_secs(1)));
        assert!(times[500] > after(noon(), Duration::from_secs(40)));
        assert!(times[500] < after(noon(), Duration::from_secs(60)));
        assert_eq!(first(&hourly, ADDRESS, 1000).reason, "first poll, spread over 1m40s");
        assert_eq!(first(&hourly, ADDRESS, usize::MAX).reason, "first poll, spread over 15m");
        assert_eq!(
            first(&crontab("0 6 * * *"), ADDRESS, 1),
            Due { at: time("2026-11-23T06:00:00Z"), reason: "schedule `0 6 * * *`".to_owned() }
        );
    }

    #[test]
    fn feeds_of_one_host_come_due_together_and_files_do_not() {
        let hourly = Cadence::Every(HOUR);
        let put_off = |address: &str| (hourly.jitter(address, HOUR), after_a_gap(address, 1000, noon()));
        assert_eq!(put_off("https://news.example/a?b#c"), put_off("https://news.example"));
        assert_ne!(put_off("https://news.example/a"), put_off("https://other.example/a"));
        assert_ne!(put_off("file:///a"), put_off("file:///b"));
    }

    #[test]
    fn what_came_due_at_once_is_spread_like_a_first_start() {
        assert_eq!(after_a_gap(ADDRESS, 50, noon()), noon());
        let latest = (0..1000).map(|n| after_a_gap(&format!("https://n{n}.example/"), 1000, noon())).max().unwrap();
        assert!(latest > after(noon(), MINUTE) && latest <= after(noon(), 100 * Duration::from_secs(1)));
    }

    #[test]
    fn a_feed_on_auto_is_polled_as_it_publishes() {
        let mut rhythm = Rhythm::default();
        let now = noon();
        assert_eq!(planned(&Cadence::Auto.settled(&rhythm, now), &Said::default(), 0, now).reason, "every 1h");
        rhythm.note((0..5).map(|n| now - TimeDelta::minutes(40 * n)), now);
        assert_eq!(
            planned(&Cadence::Auto.settled(&rhythm, now), &Said::default(), 0, now).reason,
            "every 20m, as it publishes"
        );
        rhythm.note((0..16).map(|n| now - TimeDelta::seconds(n)), now);
        assert_eq!(
            planned(&Cadence::Auto.settled(&rhythm, now), &Said::default(), 0, now).reason,
            "every 5m, as it publishes"
        );
    }

    #[test]
    fn a_clock_that_is_set_is_noticed_and_one_that_is_slewed_is_not() {
        let check = |now: &str, passed_s, expected| {
            assert_eq!(clock_step(noon(), time(now), Duration::from_secs(passed_s)), expected, "{now}");
        };
        check("2026-11-22T12:00:30Z", 30, ClockStep::None);
        check("2026-11-22T12:00:29Z", 30, ClockStep::None);
        check("2026-11-22T11:00:30Z", 30, ClockStep::Back(TimeDelta::hours(-1)));
        check("2025-11-22T12:00:00Z", 0, ClockStep::Back(TimeDelta::days(-365)));
        check("2026-11-22T20:00:30Z", 30, ClockStep::Ahead(TimeDelta::hours(8)));
    }

    #[test]
    fn a_due_time_from_another_age_is_put_right() {
        fn check(cadence: &Cadence, stored: &str, expected: &str) {
            assert_eq!(put_right(time(stored), cadence, 5 * MINUTE, noon()), time(expected));
        }
        let hourly = Cadence::Every(HOUR);
        check(&hourly, "2026-11-22T12:30:00Z", "2026-11-22T12:30:00Z");
        check(&hourly, "2025-11-22T12:30:00Z", "2025-11-22T12:30:00Z");
        check(&hourly, "2026-11-29T12:00:00Z", "2026-11-29T12:00:00Z");
        check(&hourly, "2027-11-22T12:30:00Z", "2026-11-22T13:00:00Z");
        let leap_days = crontab("0 0 29 2 *");
        check(&leap_days, "2028-02-29T00:00:02Z", "2028-02-29T00:00:02Z");
        check(&leap_days, "2036-02-29T00:00:00Z", "2028-02-29T00:00:00Z");
    }

    fn waits() -> impl Strategy<Value = Option<Duration>> {
        prop::option::of((0..2_000_000_u64).prop_map(Duration::from_secs))
    }

    prop_compose! {
        fn some_words()(
            freshness in waits(), ttl in waits(), update_period in waits(), retry_after in waits(),
            skip_hours in prop::collection::vec(0..24_u8, 0..6),
            days in prop::collection::vec(0..7_u8, 0..3),
        ) -> Said {
            let skip_days = days.into_iter().map(|day| Weekday::try_from(day).unwrap()).collect();
            Said { freshness, ttl, update_period, skip_hours, skip_days, retry_after }
        }
    }

    fn cadences() -> impl Strategy<Value = Cadence> {
        prop_oneof![
            (1..800_000_u64).prop_map(|s| Cadence::Every(Duration::from_secs(s))),
            prop::sample::select(vec!["*/5 * * * *", "0 6 * * *", "*/10 * * * * *", "30 2 * * mon"])
                .prop_map(|line| Cadence::Crontab(Crontab::parse(line, Berlin).unwrap())),
            Just(Cadence::Auto),
        ]
    }

    fn instants() -> impl Strategy<Value = DateTime<Utc>> {
        (1_767_225_600_000..1_830_297_600_000_i64).prop_map(|ms| DateTime::from_timestamp_millis(ms).unwrap())
    }

    proptest! {
        #[test]
        fn no_wait_is_shorter_than_the_least_nor_longer_than_the_cap(
            cadence in cadences(), hints in some_words(), failures in 0..40_u32,
            min_s in 1..4_000_u64, now in instants(), address in "[a-z]{1,12}",
        ) {
            let min_interval = Duration::from_secs(min_s);
            let inputs = ScheduleInputs { cadence: &cadence, min_interval, address: &address, freshness: hints.freshness, retry_after: hints.retry_after, hints: &hints.hints(), failures, told_until: None };
            let due = next_poll(inputs, now);
            let least = match cadence {
                Cadence::Crontab(_) => min_interval.mul_f64(0.9),
                _ => min_interval,
            };
            prop_assert!(due.at >= after(now, least));
            let longest = LONGEST_RETRY_AFTER.max(cadence.interval(min_interval, now)) + LONGEST_WAIT + LONGEST_JITTER;
            let by_cadence = cadence.next(min_interval, now).at;
            prop_assert!(due.at <= after(now, longest).max(after(by_cadence, LONGEST_WAIT + LONGEST_JITTER)));
            prop_assert_eq!(put_right(due.at, &cadence, min_interval, now), due.at, "a plan is never put right");
        }

        #[test]
        fn asking_for_more_never_brings_the_poll_forward(
            cadence in cadences(), hints in some_words(), failures in 0..40_u32, more_s in 0..100_000_u64, now in instants(),
        ) {
            let plain = Said { skip_hours: Vec::new(), skip_days: Vec::new(), ..hints };
            let more = Duration::from_secs(more_s);
            let longer = Said {
                freshness: plain.freshness.map(|wait| wait + more),
                ttl: plain.ttl.map(|wait| wait + more),
                update_period: plain.update_period.map(|wait| wait + more),
                retry_after: plain.retry_after.map(|wait| wait + more),
                ..plain.clone()
            };
            let due = planned(&cadence, &plain, failures, now);
            prop_assert!(planned(&cadence, &longer, failures, now).at >= due.at);
            prop_assert!(planned(&cadence, &plain, failures + 1, now).at >= due.at);
        }

        #[test]
        fn skipped_hours_are_kept_whatever_the_jitter(
            hours in prop::collection::vec(0..24_u8, 0..20), now in instants(), address in "[a-z]{1,12}",
        ) {
            let hints = Said { skip_hours: hours, ..Said::default() };
            let cadence = Cadence::Every(HOUR);
            let due = next_poll(ScheduleInputs { cadence: &cadence, min_interval: MINUTE, address: &address, freshness: hints.freshness, retry_after: hints.retry_after, hints: &hints.hints(), failures: 0, told_until: None }, now);
            prop_assert!(!skips_hour(due.at, &hints.hints()));
        }

        #[test]
        fn jitter_is_settled_by_the_address_and_only_lengthens(address: String, seconds in 0..1_000_000_u64) {
            let interval = Duration::from_secs(seconds);
            let cadence = Cadence::Every(interval);
            let jitter = cadence.jitter(&address, interval);
            prop_assert_eq!(jitter, cadence.jitter(&address, interval));
            prop_assert!(jitter <= interval / 10 && jitter <= LONGEST_JITTER);
        }
    }
}
