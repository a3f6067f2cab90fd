//! The dates of feeds, in every spelling that has one meaning.
//!
//! Pure. A date without a zone is read as UTC, never as local time; a spelling that two countries read differently
//! (`05/06/2024`) has no meaning and stays absent, unless a weekday beside it settles which is meant. So does a date that
//! programs write where they know none (`0001-01-01`). What counts as published or updated is the reader's to say.
//!
//! | spelling | module |
//! | --- | --- |
//! | ISO 8601 and its profiles | `iso` |
//! | dates in words | `words`, with the months and weekdays of `names` |
//! | what is said of the zone, in all of them | `zone` |

mod iso;
mod names;
mod words;
mod zone;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};

use zone::Zone;

/// The longest text that is looked at; dates are short, and noise is not worth the time.
const LONGEST: usize = 128;
/// The years that a feed's date may lie in. The years before them are zero dates (`0001-01-01`, `-0001-11-30`) and years of
/// two digits that a program printed with four.
const YEARS: std::ops::RangeInclusive<i32> = 1000..=9999;
/// Where the calendars of programs begin, as year, month and day: midnight of such a day is written for a date that is not
/// known. Unix; OLE and Delphi; SQL Server and spreadsheets; Mac OS; Windows; SQL Server's `datetime`.
const ZERO_DATES: &[(i32, u32, u32)] =
    &[(1970, 1, 1), (1899, 12, 30), (1900, 1, 1), (1904, 1, 1), (1601, 1, 1), (1753, 1, 1)];

/// The instant that `text` names.
///
/// Read are RFC 3339 and the ISO 8601 profiles (calendar, ordinal and week dates, basic forms, parts left out), RFC 822
/// and its successors, asctime, Unix times from seconds to nanoseconds, and dates in words in the languages of `names`.
/// `None` when the text has no meaning, or more than one, or names a zero date.
#[must_use]
pub fn parse(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if text.is_empty() || text.len() > LONGEST {
        return None;
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let read = if digits == text.len() {
        number(text)
    } else if let Some(seconds) = without_fraction(text, digits) {
        number(seconds)
    } else {
        let text = without_reading(text);
        (digits >= 4).then(|| iso::read(text)).flatten().or_else(|| words::read(text))
    };
    read.filter(|at| !is_zero(at.naive_utc()))
}

/// The whole seconds of a Unix time with a fraction (`1714745106.25`).
fn without_fraction(text: &str, digits: usize) -> Option<&str> {
    let (seconds, fraction) = text.split_once('.')?;
    let is_fraction = fraction.bytes().all(|byte| byte.is_ascii_digit()) && matches!(digits, 9 | 10);
    (is_fraction && seconds.len() == digits).then_some(seconds)
}

/// The text without the reading of the machine's clock that Go prints behind a time (` m=+0.000012`).
fn without_reading(text: &str) -> &str {
    text.find(" m=").and_then(|at| text.get(..at)).unwrap_or(text)
}

/// Whether it is the beginning of some program's calendar.
fn is_zero(at: NaiveDateTime) -> bool {
    let is_first = |(year, month, day): &(i32, u32, u32)| {
        NaiveDate::from_ymd_opt(*year, *month, *day).and_then(|date| date.and_hms_opt(0, 0, 0)) == Some(at)
    };
    ZERO_DATES.iter().any(is_first)
}

/// A run of digits: a Unix time, or a date without separators.
fn number(text: &str) -> Option<DateTime<Utc>> {
    let value: i64 = text.parse().ok()?;
    match text.len() {
        4 => Moment::on(i32::try_from(value).ok()?, 1, 1).instant(),
        6 => Moment::on(i32::try_from(value / 100).ok()?, two(value), 1).instant(),
        8 => Moment::on(i32::try_from(value / 10_000).ok()?, two(value / 100), two(value)).instant(),
        9 | 10 => DateTime::from_timestamp(value, 0),
        13 => DateTime::from_timestamp_millis(value),
        14 => {
            let date = value / 1_000_000;
            let mut moment = Moment::on(i32::try_from(date / 10_000).ok()?, two(date / 100), two(date));
            (moment.hour, moment.minute, moment.second) = (two(value / 10_000), two(value / 100), two(value));
            moment.instant()
        }
        16 => DateTime::from_timestamp_micros(value),
        19 => Some(DateTime::from_timestamp_nanos(value)),
        _ => None,
    }
}

/// The last two decimal digits.
fn two(value: i64) -> u32 {
    u32::try_from(value.rem_euclid(100)).unwrap_or_default()
}

/// What a date says, before it is checked to exist.
#[derive(Debug, Clone, Copy, Default)]
struct Moment {
    year: i32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    nanos: u32,
    zone: Zone,
}

impl Moment {
    fn on(year: i32, month: u32, day: u32) -> Self {
        Self { year, month, day, hour: 0, minute: 0, second: 0, nanos: 0, zone: Zone::default() }
    }

    fn instant(self) -> Option<DateTime<Utc>> {
        if !YEARS.contains(&self.year) || self.minute > 59 {
            return None;
        }
        let date = NaiveDate::from_ymd_opt(self.year, self.month, self.day)?;
        // 24:00 is the end of the day, and a leap second the beginning of the next minute.
        let whole_day = self.hour == 24 && self.minute == 0 && self.second == 0;
        if (self.hour > 23 && !whole_day) || self.second > 60 {
            return None;
        }
        let seconds = i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second);
        let local = date.and_hms_opt(0, 0, 0)? + TimeDelta::new(seconds, self.nanos)?;
        if is_zero(local) {
            return None;
        }
        local.checked_sub_signed(TimeDelta::seconds(self.zone.seconds_east(local)?)).map(|utc| utc.and_utc())
    }
}

/// Reads a text from the left.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn eat(&mut self, what: &[char]) -> bool {
        match self.rest.strip_prefix(what) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// A number of between `least` and `most` digits.
    fn digits(&mut self, least: usize, most: usize) -> Option<u32> {
        let run = self.rest.bytes().take_while(u8::is_ascii_digit).count().min(most);
        if run < least {
            return None;
        }
        let (digits, rest) = self.rest.split_at_checked(run)?;
        self.rest = rest;
        digits.parse().ok()
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn skip(&mut self) {
        let mut chars = self.rest.chars();
        chars.next();
        self.rest = chars.as_str();
    }

    fn word(&mut self, is_part: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: &str) {
        let read = parse(text).map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true));
        assert_eq!(read.as_deref(), Some(expected), "{text}");
    }

    #[test]
    fn every_standard_spelling_is_read() {
        for text in [
            "2024-05-03T14:05:06Z",
            "2024-05-03T16:05:06+02:00",
            "2024-05-03 14:05:06",
            "20240503T140506Z",
            "2024-124T14:05:06Z",
            "2024-W18-5T14:05:06Z",
            "Fri, 03 May 2024 14:05:06 GMT",
            "Fri, 3 May 24 16:05:06 +0200",
            "Fri,03 May 2024 14:05:06 GMT",
            "03 May 2024 10:05:06 EDT",
            "Fri, 03 May 2024 16:05:06 CEST",
            "Fri, 03 May 2024 16:05:06 GMT+0200",
            "Fri May  3 14:05:06 2024",
            "Fri May 3 14:05:06 UTC 2024",
            "Friday, 03-May-24 14:05:06 GMT",
            "May 3, 2024 2:05:06 PM",
            "1714745106",
            "1714745106000",
            "2024/05/03 14:05:06",
        ] {
            check(text, "2024-05-03T14:05:06Z");
        }
        check("2024-05-03T14:05Z", "2024-05-03T14:05:00Z");
        check("2024-05-03T14:05:06.25Z", "2024-05-03T14:05:06.250Z");
    }

    #[test]
    fn what_is_left_out_is_the_beginning() {
        check("2024", "2024-01-01T00:00:00Z");
        check("2024-05", "2024-05-01T00:00:00Z");
        check("2024-05-03", "2024-05-03T00:00:00Z");
        check("20240503", "2024-05-03T00:00:00Z");
        check("Fri, 03 May 2024", "2024-05-03T00:00:00Z");
        check("May 2024", "2024-05-01T00:00:00Z");
    }

    #[test]
    fn months_are_read_in_many_languages() {
        for text in [
            "Freitag, 3. Mai 2024 14:05 Uhr",
            "vendredi 3 mai 2024 14:05",
            "viernes, 3 de mayo de 2024 14:05",
            "venerdì 3 maggio 2024, 14:05",
            "sexta-feira, 3 de maio de 2024 14:05",
            "vrijdag 3 mei 2024 14:05",
            "piątek, 3 maja 2024 14:05",
            "пятница, 3 мая 2024 14:05",
            "2024년 5월 3일 오후 2:05",
            "2024年5月3日 14:05",
        ] {
            check(text, "2024-05-03T14:05:00Z");
        }
        check("mardi 5 mars 2024", "2024-03-05T00:00:00Z");
        check("mar. 6 août 2024", "2024-08-06T00:00:00Z");
        check("martes, 6 de agosto de 2024", "2024-08-06T00:00:00Z");
        check("Di, 05 Mär 2024 14:05:00 +0100", "2024-03-05T13:05:00Z");
        check("5 grudnia 2024", "2024-12-05T00:00:00Z");
        check("3 marzo 2024", "2024-03-03T00:00:00Z");
        check("3 czerwca 2024", "2024-06-03T00:00:00Z");
        check("3 luglio 2024", "2024-07-03T00:00:00Z");
        check("3 juillet 2024", "2024-07-03T00:00:00Z");
        check("3 dezembro 2024", "2024-12-03T00:00:00Z");
        check("3 октября 2024", "2024-10-03T00:00:00Z");
        check("Κυρ, 11 Ιούλ 2004 12:00:00 EST", "2004-07-11T17:00:00Z");
        check("2004-július-13T9:15-05:00", "2004-07-13T14:15:00Z");
    }

    #[test]
    fn the_edges_of_the_day_exist() {
        check("2024-12-31T24:00:00Z", "2025-01-01T00:00:00Z");
        check("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z");
        check("2024-02-29", "2024-02-29T00:00:00Z");
    }

    #[test]
    fn what_has_no_meaning_or_two_is_absent() {
        for text in [
            "0001T1:0,05,1W1",
            "",
            "yesterday",
            "05/06/2024",
            "2024-13-01",
            "2023-02-29",
            "Fri, 33 May 2024 14:05:06 GMT",
            "0",
            "12345",
            "2024-05-03T25:00:00Z",
            "Sun, 00 Jan 2000 00:00:00 GMT",
            "now",
            "99999999999999999999",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        check("25/06/2024", "2024-06-25T00:00:00Z");
        check("06/25/2024", "2024-06-25T00:00:00Z");
        check("05.06.2024", "2024-06-05T00:00:00Z");
    }

    #[test]
    fn a_zero_date_is_no_date() {
        for text in [
            "Mon, 01 Jan 0001 00:00:00 +0000",
            "0001-01-01T00:00:00Z",
            "0001-01-01T00:00:00+08:00",
            "0000-00-00 00:00:00",
            "Sun, 00 Jan 0000 00:00:00 +0000",
            "Mon, 30 Nov -0001 00:00:00 +0000",
            "-0001-11-30T00:00:00+00:00",
            "Wed, 30 Nov -0001 00:00:00 +0100",
            "1970-01-01T00:00:00Z",
            "Thu, 01 Jan 1970 00:00:00 GMT",
            "Thu, 01 Jan 1970 00:00:00 +0100",
            "Wed, 31 Dec 1969 16:00:00 -0800",
            "1970-01-01",
            "1970",
            "000000000",
            "0000000000000",
            "1899-12-30T00:00:00",
            "Mon, 01 Jan 1900 00:00:00 GMT",
            "1904-01-01T00:00:00Z",
            "1601-01-01T00:00:00Z",
            "1753-01-01T00:00:00",
            "Sat, 28 Nov 0026 20:00:00 GMT",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        check("1970-01-01T10:00:00Z", "1970-01-01T10:00:00Z");
        check("1900-01-02", "1900-01-02T00:00:00Z");
    }

    #[test]
    fn dates_are_read_as_libraries_print_them() {
        for text in [
            // Go, whose time has the offset and the name, and sometimes the reading of a clock.
            "2026-11-28 20:00:00 +0800 CST",
            "2026-11-28 20:00:00 +0800 CST m=+0.000000001",
            "2026-11-28 08:00:00 -0400 -04",
            // Java, JavaScript, .NET, Python, Ruby, PHP.
            "2026-11-28T20:00:00+08:00[Asia/Shanghai]",
            "Sat Nov 28 20:00:00 GMT+08:00 2026",
            "Sat Nov 28 2026 20:00:00 GMT+0800 (China Standard Time)",
            "11/28/2026 8:00:00 PM +08:00",
            "28/11/2026 20:00:00 +08:00",
            "2026-11-28 20:00:00.000000+08:00",
            "2026-11-28 12:00:00 UTC",
            "Saturday, 28-Nov-2026 20:00:00 +08",
            "Sat Nov 28 12:00:00 +0000 2026",
            "Sat Nov 28 07:00:00 -0500 2026",
            // Places.
            "Sat, 28 Nov 2026 20:00:00 Asia/Shanghai",
            "2026-11-28 20:00 Asia/Shanghai",
            "Sat, 28 Nov 2026 07:00:00 America/New_York",
            "28 Nov 2026 13:00 (CET)",
            // Times before dates.
            "12:00 28-11-2026",
            "12:00, 28 November 2026",
            "14:00 am 28. November 2026 MEZ+0200",
            // Unix times in smaller units.
            "1795867200",
            "1795867200.0",
            "1795867200000",
            "1795867200000000",
            "1795867200000000000",
        ] {
            check(text, "2026-11-28T12:00:00Z");
        }
        check("Sat, 28 Nov 2026 20:00:00 +0200 IST", "2026-11-28T18:00:00Z");
        check("28. November 2026, 14.05 Uhr", "2026-11-28T14:05:00Z");
        check("28 novembre 2026 à 14h05", "2026-11-28T14:05:00Z");
    }

    #[test]
    fn a_weekday_is_no_month_in_any_language_and_tells_which_of_two_days_is_meant() {
        for (text, expected) in [
            ("maanantai 3. elokuuta 2026 14:05", "2026-08-03T14:05:00Z"),
            ("marți, 4 august 2026 14:05", "2026-08-04T14:05:00Z"),
            ("marti, 3 noiembrie 2026", "2026-11-03T00:00:00Z"),
            ("5. lipnja 2026.", "2026-06-05T00:00:00Z"),
            ("5 lipca 2026", "2026-07-05T00:00:00Z"),
            ("mar. 6 août 2024", "2024-08-06T00:00:00Z"),
            ("mar. 5 mar. 2024", "2024-03-05T00:00:00Z"),
            ("5 mar. 2024", "2024-03-05T00:00:00Z"),
            ("martedì 5 marzo 2024", "2024-03-05T00:00:00Z"),
            ("3 mart 2026 salı", "2026-03-03T00:00:00Z"),
            ("28 Kas 2026 Cts", "2026-11-28T00:00:00Z"),
            ("1 Kas 2026 Paz", "2026-11-01T00:00:00Z"),
            ("sobota, 28 listopada 2026", "2026-11-28T00:00:00Z"),
            ("subota, 28. studenoga 2026.", "2026-11-28T00:00:00Z"),
            ("srijeda, 28. listopada 2026.", "2026-10-28T00:00:00Z"),
            ("субота, 28 листопада 2026", "2026-11-28T00:00:00Z"),
            ("28. června 2026", "2026-06-28T00:00:00Z"),
            ("28. července 2026", "2026-07-28T00:00:00Z"),
            ("28 tháng 11, 2026 14:05", "2026-11-28T14:05:00Z"),
            ("28 نوفمبر 2026", "2026-11-28T00:00:00Z"),
            ("28 בנובמבר 2026", "2026-11-28T00:00:00Z"),
            ("28 नवंबर 2026", "2026-11-28T00:00:00Z"),
            ("令和8年11月28日", "2026-11-28T00:00:00Z"),
            ("民國115年11月28日", "2026-11-28T00:00:00Z"),
            ("Wed, 05/06/2024", "2024-06-05T00:00:00Z"),
            ("Mon, 05/06/2024", "2024-05-06T00:00:00Z"),
        ] {
            check(text, expected);
        }
        for text in ["28 listopada 2026", "5 lip 2026", "Tue, 05/06/2024", "3 jui 2024"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,40}|[0-9:+ TZ/.-]{0,30}") {
            let _ = parse(&text);
        }

        #[test]
        fn what_we_write_we_read(seconds in 1i64..4_000_000_000) {
            let at = DateTime::from_timestamp(seconds, 0).unwrap();
            prop_assert_eq!(parse(&at.to_rfc3339()), Some(at));
            prop_assert_eq!(parse(&at.to_rfc2822()), Some(at));
            prop_assert_eq!(parse(&at.format("%a %b %e %T %Y").to_string()), Some(at));
        }
    }
}
