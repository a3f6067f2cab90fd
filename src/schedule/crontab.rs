//! Crontab lines, with crontab's meaning.
//!
//! Pure: the caller says what time it is.
//! The `cron` crate finds the next match on a plain calendar; this file gives it fields it cannot misread, and carries the match over changes of the clock.
//! Rules, as in crontab(5) of Vixie cron:
//!
//! - Five fields, `minute hour day month weekday`, or six with leading seconds; or `@hourly` and its like.
//! - Weekdays 0 and 7 are Sunday; months and weekdays have English names of three letters.
//! - Where neither day of month nor weekday begins with `*`, a day that matches either will do; otherwise it must match both.
//! - A line whose hour begins with `*` goes by the hours that pass, through every change of the clock.
//! - A line that names its hours goes by the clock on the wall: a time that the clock skips comes right after the gap, one that the clock shows twice comes the first time only.
//!
//! Vixie cron counts `*/30 2 * * *` among the former because of its minute; here it is among the latter, so that no day goes without.

use chrono::{DateTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// The nicknames of crontab(5) and what they stand for.
const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// A crontab line in its time zone, which comes due at least once.
#[derive(Clone)]
pub struct Crontab {
    text: String,
    timezone: Tz,
    /// One schedule, or two where a day may match either day field; on a calendar without changes of the clock.
    schedules: Vec<cron::Schedule>,
    /// Whether the line names its hours, so that it goes by the clock on the wall.
    names_hours: bool,
}

/// Why a crontab line is refused; to stand behind the line in a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CrontabError {
    /// Not five fields, nor six.
    #[error(
        "has {0} field{s}; write five, `minute hour day month weekday`, for example `*/30 * * * *`",
        s = if *.0 == 1 { "" } else { "s" }
    )]
    FieldCount(usize),
    /// A name with `@` that there is not.
    #[error("is no nickname; write `@hourly`, `@daily`, `@weekly`, `@monthly` or `@yearly`")]
    Nickname,
    /// A field with something that cannot be read.
    #[error("has `{part}` for the {field}; write {cure}")]
    Field {
        /// What the field counts, such as `minute`.
        field: &'static str,
        /// The part of it that is wrong.
        part: String,
        /// What could stand there.
        cure: String,
    },
    /// A date that no year has.
    #[error("never comes due; write a day that its month has")]
    Never,
}

impl Crontab {
    /// Reads a line and settles its time zone.
    ///
    /// # Errors
    ///
    /// What is wrong with the line and what to write instead.
    pub fn parse(text: &str, timezone: Tz) -> Result<Self, CrontabError> {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let line = if text.starts_with('@') {
            NICKNAMES
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(&text))
                .map(|(_, line)| *line)
                .ok_or(CrontabError::Nickname)?
        } else {
            text.as_str()
        };
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (second, [minute, hour, day, month, weekday]) = match fields[..] {
            [minute, hour, day, month, weekday] => ("0", [minute, hour, day, month, weekday]),
            [second, minute, hour, day, month, weekday] => (second, [minute, hour, day, month, weekday]),
            _ => return Err(CrontabError::FieldCount(fields.len())),
        };
        let times = [SECOND.read(second)?, MINUTE.read(minute)?, HOUR.read(hour)?].join(" ");
        let days = DAY.read(day)?;
        let months = MONTH.read(month)?;
        let weekdays = WEEKDAY.read(weekday)?;
        let lines = if day.starts_with('*') || weekday.starts_with('*') {
            vec![format!("{times} {days} {months} {weekdays}")]
        } else {
            vec![format!("{times} {days} {months} *"), format!("{times} * {months} {weekdays}")]
        };
        let schedules = lines
            .iter()
            .map(|line| {
                cron::Schedule::from_str(line).expect("the fields were checked and written out as plain numbers")
            })
            .collect();
        let names_hours = !hour.starts_with('*');
        let crontab = Self { text, timezone, schedules, names_hours };
        // Any day of the calendar comes round within 28 years, 29 February on each weekday included.
        match crontab.next_on_calendar(DateTime::UNIX_EPOCH.naive_utc(), true) {
            Some(_) => Ok(crontab),
            None => Err(CrontabError::Never),
        }
    }

    /// The line as it was written, with single spaces.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The zone whose clock the line goes by.
    pub fn timezone(&self) -> Tz {
        self.timezone
    }

    /// The next time the line comes due, strictly later than `after`; `None` from the year 2100 on.
    pub fn next_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut segment =
            Segment { from: after, local: after.with_timezone(&self.timezone).naive_local(), inclusive: false };
        // A time shown twice was due when it was shown first: look on from there.
        if self.names_hours
            && let Some(first) = self.timezone.from_local_datetime(&segment.local).earliest()
            && first < after
        {
            segment.from = first.with_timezone(&Utc);
        }
        loop {
            let Segment { from, local, inclusive } = segment;
            let offset = self.offset(from);
            let next = self.next_on_calendar(local, inclusive)?;
            let due = (next - offset).and_utc();
            let Some(change) = self.change_between(from, due) else {
                if due > after {
                    return Some(due);
                }
                // It was due when the clock showed `after` for the first time.
                segment = Segment { from: due, local: next, inclusive: false };
                continue;
            };
            let old_local = change.naive_utc() + offset;
            let new_local = change.naive_utc() + self.offset(change);
            let local = if self.names_hours {
                if next < new_local && change > after {
                    return Some(change);
                }
                old_local.max(new_local)
            } else {
                new_local
            };
            segment = Segment { from: change, local, inclusive: true };
        }
    }

    /// The shortest time between two of the line's first hundred times on a calendar without changes of the clock.
    ///
    /// `None` where there is only one.
    pub fn shortest_gap(&self) -> Option<Duration> {
        let mut last = self.next_on_calendar(DateTime::UNIX_EPOCH.naive_utc(), true)?;
        let times = std::iter::successors(Some(last), |due| self.next_on_calendar(*due, false)).skip(1);
        times
            .take(100)
            .filter_map(|due| {
                let gap = (due - last).to_std().ok();
                last = due;
                gap
            })
            .min()
    }

    /// The next match on a calendar where every hour comes once.
    fn next_on_calendar(&self, local: NaiveDateTime, inclusive: bool) -> Option<NaiveDateTime> {
        // `cron` looks from the next whole second on.
        let from = if inclusive { local - TimeDelta::nanoseconds(1) } else { local };
        self.schedules
            .iter()
            .filter_map(|schedule| schedule.after(&from.and_utc()).next())
            .min()
            .map(|due| due.naive_utc())
    }

    fn offset(&self, at: DateTime<Utc>) -> TimeDelta {
        let offset = self.timezone.offset_from_utc_datetime(&at.naive_utc());
        TimeDelta::seconds(offset.fix().local_minus_utc().into())
    }

    /// The first instant after `from`, up to `to`, at which the clock is changed.
    fn change_between(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // No zone has changed its clock and changed it back within three days.
        const STRIDE: TimeDelta = TimeDelta::days(3);
        if self.timezone == Tz::UTC {
            return None;
        }
        let offset = self.offset(from);
        let mut before = from;
        while before < to {
            let mut at = (before + STRIDE).min(to);
            if self.offset(at) != offset {
                // Halve down to the second; changes fall on whole seconds.
                while at.timestamp() - before.timestamp() > 1 {
                    let middle = i64::midpoint(at.timestamp(), before.timestamp());
                    let middle = DateTime::from_timestamp(middle, 0)?;
                    if self.offset(middle) == offset {
                        before = middle;
                    } else {
                        at = middle;
                    }
                }
                return DateTime::from_timestamp(at.timestamp(), 0);
            }
            before = at;
        }
        None
    }
}

/// Where a search goes on: from this instant, and from this time on the wall.
struct Segment {
    from: DateTime<Utc>,
    local: NaiveDateTime,
    inclusive: bool,
}

impl fmt::Display for Crontab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Crontab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crontab({:?} in {})", self.text, self.timezone)
    }
}

impl PartialEq for Crontab {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.timezone == other.timezone
    }
}

impl Eq for Crontab {}

/// One field of a line: its bounds and names.
struct FieldKind {
    name: &'static str,
    least: u32,
    most: u32,
    names: &'static [&'static str],
    example: &'static str,
}

const SECOND: FieldKind = FieldKind { name: "second", least: 0, most: 59, names: &[], example: "`*/10`" };
const MINUTE: FieldKind = FieldKind { name: "minute", least: 0, most: 59, names: &[], example: "`*/15`" };
const HOUR: FieldKind = FieldKind { name: "hour", least: 0, most: 23, names: &[], example: "`6-22`" };
const DAY: FieldKind = FieldKind { name: "day", least: 1, most: 31, names: &[], example: "`1,15`" };
const MONTH: FieldKind = FieldKind { name: "month", least: 1, most: 12, names: &MONTHS, example: "`jan-jun`" };
const WEEKDAY: FieldKind = FieldKind { name: "weekday", least: 0, most: 7, names: &WEEKDAYS, example: "`mon-fri`" };

impl FieldKind {
    /// Reads one field and writes it as `cron` understands it: plain numbers, or `*` for all.
    fn read(&self, text: &str) -> Result<String, CrontabError> {
        let mut set = [false; 60];
        for part in text.split(',') {
            for number in self.part(part).ok_or_else(|| self.error(part))? {
                // Sunday is 0 and 7.
                let number = if self.is_weekday() { number % 7 } else { number };
                if let Some(member) = usize::try_from(number).ok().and_then(|n| set.get_mut(n)) {
                    *member = true;
                }
            }
        }
        let last = if self.is_weekday() { 6 } else { self.most };
        let numbers: Vec<u32> = (self.least..=last)
            .zip(set.iter().skip(usize::try_from(self.least).unwrap_or(0)))
            .filter(|(_, member)| **member)
            .map(|(number, _)| number)
            .collect();
        if u32::try_from(numbers.len()) == Ok(last - self.least + 1) {
            return Ok("*".to_owned());
        }
        // `cron` counts weekdays from 1 for Sunday.
        let shift = u32::from(self.is_weekday());
        let numbers: Vec<String> = numbers.iter().map(|n| (n + shift).to_string()).collect();
        Ok(numbers.join(","))
    }

    /// The numbers of `*`, `7`, `1-5`, `*/15` or `0-30/10`; `None` for anything else.
    fn part(&self, part: &str) -> Option<Vec<u32>> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(plain_number(step).filter(|step| *step > 0)?)),
            None => (part, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (self.least, if self.is_weekday() { 6 } else { self.most }),
            Some((first, last)) => {
                let last_number = self.number(last)?;
                // In `fri-sun` Sunday ends the week.
                let ends_week = self.is_weekday() && last.eq_ignore_ascii_case("sun");
                (self.number(first)?, if ends_week { 7 } else { last_number })
            }
            // `5/15` means nothing in crontab; other programs read it in two ways.
            None if step.is_some() => return None,
            None => {
                let number = self.number(range)?;
                (number, number)
            }
        };
        let step = usize::try_from(step.unwrap_or(1)).ok()?;
        (first <= last).then(|| (first..=last).step_by(step).collect())
    }

    fn number(&self, text: &str) -> Option<u32> {
        if let Some(index) = self.names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
            return Some(u32::try_from(index).ok()? + self.least);
        }
        plain_number(text).filter(|number| (self.least..=self.most).contains(number))
    }

    fn is_weekday(&self) -> bool {
        self.name == "weekday"
    }

    fn error(&self, part: &str) -> CrontabError {
        let Self { name, least, most, example, .. } = self;
        let zero = if self.is_weekday() { " (0 and 7 are Sunday)" } else { "" };
        CrontabError::Field {
            field: name,
            part: part.chars().take(40).collect(),
            cure: format!("`*`, or numbers from {least} to {most}{zero} as in {example}"),
        }
    }
}

/// Digits only: `+5` and an empty text are no numbers here.
fn plain_number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::{America::New_York, Australia::Lord_Howe, Europe::Berlin, UTC};
    use croner::parser::{CronParser, Seconds};
    use proptest::prelude::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// The first times due after `after`, as the clock on the wall shows them.
    fn due(line: &str, zone: Tz, after: &str, count: usize) -> Vec<String> {
        let crontab = Crontab::parse(line, zone).unwrap();
        let mut at = time(after);
        (0..count)
            .map(|_| {
                at = crontab.next_after(at).unwrap();
                let local = at.with_timezone(&zone);
                local.format("%a %F %T%:z").to_string()
            })
            .collect()
    }

    fn check(line: &str, zone: Tz, after: &str, expected: &[&str]) {
        assert_eq!(due(line, zone, after, expected.len()), expected, "`{line}` in {zone} after {after}");
    }

    #[test]
    fn five_fields_begin_with_minutes_and_six_with_seconds() {
        check(
            "*/30 * * * *",
            UTC,
            "2026-11-22T10:00:00Z",
            &["Sun 2026-11-22 10:30:00+00:00", "Sun 2026-11-22 11:00:00+00:00"],
        );
        check(
            "*/30 * * * * *",
            UTC,
            "2026-11-22T10:00:00.5Z",
            &["Sun 2026-11-22 10:00:30+00:00", "Sun 2026-11-22 10:01:00+00:00"],
        );
    }

    #[test]
    fn the_next_time_is_strictly_later() {
        check("0 6 * * *", UTC, "2026-11-22T06:00:00Z", &["Mon 2026-11-23 06:00:00+00:00"]);
        check("0 6 * * *", UTC, "2026-11-22T05:59:59.999Z", &["Sun 2026-11-22 06:00:00+00:00"]);
    }

    #[test]
    fn weekdays_0_and_7_are_sunday() {
        for line in ["0 6 * * 0", "0 6 * * 7", "0 6 * * sun", "0 6 * * SUN"] {
            check(line, UTC, "2026-11-22T06:00:00Z", &["Sun 2026-11-29 06:00:00+00:00"]);
        }
        check("0 6 * * 1-5", UTC, "2026-11-20T06:00:00Z", &["Mon 2026-11-23 06:00:00+00:00"]);
        check(
            "0 6 * * fri-sun",
            UTC,
            "2026-11-19T06:00:00Z",
            &[
                "Fri 2026-11-20 06:00:00+00:00",
                "Sat 2026-11-21 06:00:00+00:00",
                "Sun 2026-11-22 06:00:00+00:00",
                "Fri 2026-11-27 06:00:00+00:00",
            ],
        );
    }

    #[test]
    fn a_day_matches_either_day_field_where_both_are_restricted() {
        check(
            "0 6 13 * fri",
            UTC,
            "2026-11-01T00:00:00Z",
            &[
                "Fri 2026-11-06 06:00:00+00:00",
                "Fri 2026-11-13 06:00:00+00:00",
                "Fri 2026-11-20 06:00:00+00:00",
                "Fri 2026-11-27 06:00:00+00:00",
                "Fri 2026-12-04 06:00:00+00:00",
                "Fri 2026-12-11 06:00:00+00:00",
                "Sun 2026-12-13 06:00:00+00:00",
            ],
        );
    }

    #[test]
    fn a_day_field_that_begins_with_a_star_is_unrestricted_and_must_match_too() {
        // Vixie cron: odd days that are Mondays.
        check(
            "0 6 */2 * mon",
            UTC,
            "2026-11-01T00:00:00Z",
            &["Mon 2026-11-09 06:00:00+00:00", "Mon 2026-11-23 06:00:00+00:00"],
        );
    }

    #[test]
    fn nicknames_stand_for_lines() {
        check("@daily", UTC, "2026-11-22T06:00:00Z", &["Mon 2026-11-23 00:00:00+00:00"]);
        check("@weekly", UTC, "2026-11-23T06:00:00Z", &["Sun 2026-11-29 00:00:00+00:00"]);
    }

    #[test]
    fn a_time_that_the_clock_skips_comes_right_after_the_gap() {
        // Berlin: 29 March 2026, 02:00 becomes 03:00.
        check(
            "30 2 * * *",
            Berlin,
            "2026-03-28T12:00:00Z",
            &["Sun 2026-03-29 03:00:00+02:00", "Mon 2026-03-30 02:30:00+02:00"],
        );
        check(
            "15,45 1-3 * * *",
            Berlin,
            "2026-03-29T00:44:00Z",
            &["Sun 2026-03-29 01:45:00+01:00", "Sun 2026-03-29 03:00:00+02:00", "Sun 2026-03-29 03:15:00+02:00"],
        );
        // New York: 8 March 2026.
        check(
            "30 2 * * *",
            New_York,
            "2026-03-08T05:00:00Z",
            &["Sun 2026-03-08 03:00:00-04:00", "Mon 2026-03-09 02:30:00-04:00"],
        );
        // Lord Howe: half an hour, 4 October 2026, 02:00 becomes 02:30.
        check(
            "10 2 * * *",
            Lord_Howe,
            "2026-10-03T10:00:00Z",
            &["Sun 2026-10-04 02:30:00+11:00", "Mon 2026-10-05 02:10:00+11:00"],
        );
        // A line due at the end of the gap anyway comes once.
        check(
            "0,30 2,3 * * *",
            Berlin,
            "2026-03-29T00:00:00Z",
            &["Sun 2026-03-29 03:00:00+02:00", "Sun 2026-03-29 03:30:00+02:00"],
        );
    }

    #[test]
    fn a_time_that_the_clock_shows_twice_comes_the_first_time_only() {
        // Berlin: 25 October 2026, 03:00 becomes 02:00.
        check(
            "30 2 * * *",
            Berlin,
            "2026-10-24T12:00:00Z",
            &["Sun 2026-10-25 02:30:00+02:00", "Mon 2026-10-26 02:30:00+01:00"],
        );
        // Asked between the two, and within the second.
        for after in ["2026-10-25T00:45:00Z", "2026-10-25T01:10:00Z", "2026-10-25T01:30:00Z"] {
            check("30 2 * * *", Berlin, after, &["Mon 2026-10-26 02:30:00+01:00"]);
        }
        check("0 3 * * *", Berlin, "2026-10-25T00:45:00Z", &["Sun 2026-10-25 03:00:00+01:00"]);
        // Lord Howe: 5 April 2026, 02:00 becomes 01:30.
        check(
            "45 1 * * *",
            Lord_Howe,
            "2026-04-04T12:00:00Z",
            &["Sun 2026-04-05 01:45:00+11:00", "Mon 2026-04-06 01:45:00+10:30"],
        );
    }

    #[test]
    fn every_half_hour_goes_on_through_both_changes() {
        check(
            "*/30 * * * *",
            Berlin,
            "2026-03-29T00:15:00Z",
            &["Sun 2026-03-29 01:30:00+01:00", "Sun 2026-03-29 03:00:00+02:00", "Sun 2026-03-29 03:30:00+02:00"],
        );
        check(
            "*/30 * * * *",
            Berlin,
            "2026-10-24T23:45:00Z",
            &[
                "Sun 2026-10-25 02:00:00+02:00",
                "Sun 2026-10-25 02:30:00+02:00",
                "Sun 2026-10-25 02:00:00+01:00",
                "Sun 2026-10-25 02:30:00+01:00",
                "Sun 2026-10-25 03:00:00+01:00",
            ],
        );
    }

    #[test]
    fn a_leap_day_is_found_years_ahead() {
        check("0 0 29 2 *", Berlin, "2026-11-22T00:00:00Z", &["Tue 2028-02-29 00:00:00+01:00"]);
    }

    #[test]
    fn a_bad_line_says_what_is_wrong_and_what_to_write() {
        fn check(line: &str, expected: &str) {
            let error = Crontab::parse(line, UTC).unwrap_err();
            assert_eq!(error.to_string(), expected, "{line}");
        }
        check("*/15 * * *", "has 4 fields; write five, `minute hour day month weekday`, for example `*/30 * * * *`");
        check("", "has 0 fields; write five, `minute hour day month weekday`, for example `*/30 * * * *`");
        check(
            "0 0 1 1 * 2026 *",
            "has 7 fields; write five, `minute hour day month weekday`, for example `*/30 * * * *`",
        );
        check("61 * * * *", "has `61` for the minute; write `*`, or numbers from 0 to 59 as in `*/15`");
        check(
            "0 0 * * 8",
            "has `8` for the weekday; write `*`, or numbers from 0 to 7 (0 and 7 are Sunday) as in `mon-fri`",
        );
        check("0 22-6 * * *", "has `22-6` for the hour; write `*`, or numbers from 0 to 23 as in `6-22`");
        check("5/15 * * * *", "has `5/15` for the minute; write `*`, or numbers from 0 to 59 as in `*/15`");
        check("0 0 31 2 *", "never comes due; write a day that its month has");
        check("0 0 31 4,6,9,11 *", "never comes due; write a day that its month has");
        check("@reboot", "is no nickname; write `@hourly`, `@daily`, `@weekly`, `@monthly` or `@yearly`");
        for line in
            ["*/0 * * * *", "1,, * * * *", "? * * * *", "0 0 L * *", "+5 * * * *", "0 0 * jan-foo *", "- * * * *"]
        {
            assert!(Crontab::parse(line, UTC).is_err(), "{line}");
        }
        // Of two restricted day fields one is enough.
        assert!(Crontab::parse("0 0 31 2 mon", UTC).is_ok());
    }

    #[test]
    fn the_shortest_gap_is_found() {
        fn check(line: &str, seconds: u64) {
            let crontab = Crontab::parse(line, UTC).unwrap();
            let gap = crontab.shortest_gap().unwrap();
            assert_eq!(gap, Duration::from_secs(seconds), "{line}");
        }
        check("*/15 * * * *", 900);
        check("0,1 3 * * *", 60);
        check("*/7 * * * *", 240);
        check("@daily", 86_400);
    }

    fn field(least: u32, most: u32, starred: bool) -> BoxedStrategy<String> {
        let number = (least..=most).prop_map(|n| n.to_string());
        let range = (least..=most, least..=most).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b)));
        let list = prop::collection::vec(least..=most, 1..4)
            .prop_map(|ns| ns.iter().map(u32::to_string).collect::<Vec<_>>().join(","));
        let restricted = prop_oneof![number, range, list];
        if starred {
            prop_oneof![Just("*".to_owned()), (2..20_u32).prop_map(|n| format!("*/{n}")), restricted].boxed()
        } else {
            restricted.boxed()
        }
    }

    /// Lines that croner reads as crontab does.
    ///
    /// It differs in two places, which are left out here and tested by table above:
    /// `*/2` in a day field counts as restricted (Vixie cron: unrestricted), and a line with several named hours or minutes goes through changes of the clock by elapsed time (Vixie cron: by the clock on the wall, as we do).
    fn lines() -> impl Strategy<Value = String> {
        let by_elapsed_time = (field(0, 59, true), prop_oneof![Just("*".to_owned()), Just("*/3".to_owned())])
            .prop_map(|(minute, hour)| format!("{minute} {hour}"));
        let by_the_clock = (0..60_u32, 0..24_u32).prop_map(|(minute, hour)| format!("{minute} {hour}"));
        let day = prop_oneof![3 => Just("*".to_owned()), 1 => field(1, 28, false)];
        let month = prop_oneof![3 => Just("*".to_owned()), 1 => field(1, 12, true)];
        let weekday = prop_oneof![3 => Just("*".to_owned()), 1 => field(0, 6, false)];
        (prop_oneof![by_elapsed_time, by_the_clock], day, month, weekday)
            .prop_map(|(times, day, month, weekday)| format!("{times} {day} {month} {weekday}"))
    }

    fn zones() -> impl Strategy<Value = Tz> {
        prop_oneof![Just(UTC), Just(Berlin), Just(New_York), Just(Lord_Howe)]
    }

    /// Instants of 2026, half of them within a day of a change of some clock.
    fn instants() -> impl Strategy<Value = DateTime<Utc>> {
        let any = time("2026-01-01T00:00:00Z").timestamp()..time("2027-01-01T00:00:00Z").timestamp();
        let changes = prop::sample::select(vec![
            "2026-03-08T07:00:00Z",
            "2026-03-29T01:00:00Z",
            "2026-04-04T15:00:00Z",
            "2026-10-03T15:30:00Z",
            "2026-10-25T01:00:00Z",
            "2026-11-01T06:00:00Z",
        ]);
        let near = (changes, -90_000..90_000_i64).prop_map(|(change, apart)| time(change).timestamp() + apart);
        prop_oneof![any, near].prop_map(|second| DateTime::from_timestamp(second, 0).unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn croner_gives_the_same_next_time(line in lines(), zone in zones(), after in instants()) {
            let oracle = CronParser::builder().seconds(Seconds::Disallowed).build().parse(&line).unwrap();
            let crontab = Crontab::parse(&line, zone).unwrap();
            let expected = oracle.find_next_occurrence(&after.with_timezone(&zone), false).unwrap();
            prop_assert_eq!(
                crontab.next_after(after).map(|due| due.with_timezone(&zone)),
                Some(expected),
                "`{}` in {} after {}", line, zone, after
            );
        }

        #[test]
        fn walking_never_goes_back_nor_skips_what_a_later_question_finds(
            line in lines(), zone in zones(), after in instants(), later_s in 1..7_200_i64
        ) {
            let crontab = Crontab::parse(&line, zone).unwrap();
            let first = crontab.next_after(after).unwrap();
            prop_assert!(first > after);
            let later = after + TimeDelta::seconds(later_s);
            let second = crontab.next_after(later).unwrap();
            if later < first {
                prop_assert_eq!(second, first);
            } else {
                prop_assert!(second > first);
            }
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[-@*/,0-9a-z ]{0,24}") {
            let _ = Crontab::parse(&text, Berlin);
        }
    }
}
