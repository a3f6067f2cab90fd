//! The dates of feeds, in every spelling that has one meaning.
//!
//! Pure. A date without a zone is read as UTC, never as local time; a spelling that two countries read differently
//! (`05/06/2024`) has no meaning and stays absent. What counts as published or updated is the reader's to say.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};

/// The longest text that is looked at; dates are short, and noise is not worth the time.
const LONGEST: usize = 128;

/// The instant that `text` names.
///
/// Read are RFC 3339 and the ISO 8601 profiles (calendar, ordinal and week dates, basic forms, parts left out), RFC 822
/// and its successors, asctime, Unix times in seconds and milliseconds, and dates in words in the languages of [`MONTHS`].
/// `None` when the text has no meaning, or more than one, or names a year that four digits cannot.
#[must_use]
pub fn parse(text: &str) -> Option<DateTime<Utc>> {
    read(text).filter(|at| (1..=9999).contains(&at.year()))
}

fn read(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if text.is_empty() || text.len() > LONGEST {
        return None;
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits == text.len() {
        return number(text);
    }
    if digits >= 4
        && let Some(instant) = iso(text)
    {
        return Some(instant);
    }
    words(text)
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
        _ => None,
    }
}

/// The last two decimal digits.
fn two(value: i64) -> u32 {
    u32::try_from(value.rem_euclid(100)).unwrap_or_default()
}

/// What a date says, before it is checked to exist.
#[derive(Debug, Clone, Copy)]
struct Moment {
    year: i32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    nanos: u32,
    /// Seconds east of Greenwich.
    offset: i64,
}

impl Moment {
    fn on(year: i32, month: u32, day: u32) -> Self {
        Self { year, month, day, hour: 0, minute: 0, second: 0, nanos: 0, offset: 0 }
    }

    fn instant(self) -> Option<DateTime<Utc>> {
        if !(1..=9999).contains(&self.year) || self.minute > 59 || self.offset.abs() > 26 * 3600 {
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
        local.checked_sub_signed(TimeDelta::seconds(self.offset)).map(|utc| utc.and_utc())
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

    fn word(&mut self, is_part: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        word
    }
}

/// ISO 8601: RFC 3339, W3CDTF, and the forms that leave something out.
fn iso(text: &str) -> Option<DateTime<Utc>> {
    let mut cursor = Cursor { rest: text };
    let run = text.bytes().take_while(u8::is_ascii_digit).count();
    let year = i32::try_from(cursor.digits(4, 4)?).ok()?;
    let mut moment = Moment::on(year, 1, 1);
    if run == 4 {
        let separator = cursor.peek()?;
        if !cursor.eat(&['-', '/', '.', ':']) {
            return None;
        }
        if cursor.eat(&['W', 'w']) {
            let week = cursor.digits(2, 2)?;
            let day = if cursor.eat(&['-']) { cursor.digits(1, 1)? } else { 1 };
            let weekday = chrono::Weekday::try_from(u8::try_from(day.checked_sub(1)?).ok()?).ok()?;
            set_date(&mut moment, NaiveDate::from_isoywd_opt(year, week, weekday)?);
        } else {
            let run = cursor.rest.bytes().take_while(u8::is_ascii_digit).count();
            if run == 3 {
                set_date(&mut moment, NaiveDate::from_yo_opt(year, cursor.digits(3, 3)?)?);
            } else {
                moment.month = cursor.digits(1, 2)?;
                if separator == ':' && !cursor.rest.starts_with(':') {
                    return None;
                }
                if cursor.eat(&['-', '/', '.', ':']) {
                    moment.day = cursor.digits(1, 2)?;
                }
            }
        }
    } else if run == 7 {
        set_date(&mut moment, NaiveDate::from_yo_opt(year, cursor.digits(3, 3)?)?);
    } else if run == 8 {
        (moment.month, moment.day) = (cursor.digits(2, 2)?, cursor.digits(2, 2)?);
    } else {
        return None;
    }
    cursor.eat(&[',']);
    let has_time = cursor.eat(&['T', 't', '_']) || cursor.rest.starts_with([' ', '\t', '\n']);
    cursor.skip_space();
    if has_time && cursor.peek().is_some_and(|c| c.is_ascii_digit()) {
        clock(&mut cursor, &mut moment)?;
    }
    cursor.skip_space();
    // The weekday that some generators put behind the date says nothing new.
    moment.offset = zone(&mut cursor)?;
    cursor.skip_space();
    cursor.rest.is_empty().then_some(moment)?.instant()
}

fn set_date(moment: &mut Moment, date: NaiveDate) {
    use chrono::Datelike;
    (moment.month, moment.day) = (date.month(), date.day());
    moment.year = date.year();
}

/// `12:34:56.789`, `12:34`, `123456`, with `am` or `pm`.
fn clock(cursor: &mut Cursor<'_>, moment: &mut Moment) -> Option<()> {
    let run = cursor.rest.bytes().take_while(u8::is_ascii_digit).count();
    if run == 6 || run == 4 {
        moment.hour = cursor.digits(2, 2)?;
        moment.minute = cursor.digits(2, 2)?;
        if run == 6 {
            moment.second = cursor.digits(2, 2)?;
        }
    } else {
        moment.hour = cursor.digits(1, 2)?;
        if cursor.eat(&[':', '.', 'h']) {
            moment.minute = cursor.digits(1, 2)?;
            if cursor.eat(&[':']) || (cursor.rest.starts_with('.') && cursor.eat(&['.'])) {
                moment.second = cursor.digits(1, 2)?;
            }
        }
    }
    if cursor.rest.starts_with(['.', ',']) {
        let mut fraction = Cursor { rest: cursor.rest };
        fraction.eat(&['.', ',']);
        let digits = fraction.word(|c| c.is_ascii_digit());
        if !digits.is_empty() {
            let padded: String = digits.chars().chain("000000000".chars()).take(9).collect();
            moment.nanos = padded.parse().ok()?;
            cursor.rest = fraction.rest;
        }
    }
    let mut after = Cursor { rest: cursor.rest };
    after.skip_space();
    let word = after.word(|c| c.is_alphabetic() || c == '.').to_ascii_lowercase();
    match word.as_str() {
        "am" | "a.m." => moment.hour %= 12,
        "pm" | "p.m." => moment.hour = moment.hour % 12 + 12,
        _ => return Some(()),
    }
    cursor.rest = after.rest;
    Some(())
}

/// What is left after a time: nothing, an offset, a zone's name, or both. Seconds east of Greenwich.
fn zone(cursor: &mut Cursor<'_>) -> Option<i64> {
    let mut offset = 0;
    loop {
        cursor.skip_space();
        match cursor.peek() {
            None => return Some(offset),
            Some('(') => {
                // A comment, RFC 5322 §3.2.2: `(CEST)`.
                cursor.word(|c| c != ')');
                cursor.eat(&[')']);
            }
            Some('+' | '-' | '−') => offset = signed(cursor)?,
            Some(c) if c.is_alphabetic() => {
                let name = cursor.word(|c| c.is_alphabetic());
                // `Europe/Berlin` would need a table that moves; its offset is said beside it or not at all.
                offset = named_zone(name)?;
            }
            Some(_) => return None,
        }
    }
}

/// `+0200`, `+02:00`, `+2`, `-00:00`.
fn signed(cursor: &mut Cursor<'_>) -> Option<i64> {
    let sign = if cursor.eat(&['+']) {
        1
    } else {
        cursor.eat(&['-', '−']);
        -1
    };
    // `+-0100` and `--0400` come from generators that print the sign twice.
    cursor.eat(&['-', '+']);
    let run = cursor.rest.bytes().take_while(u8::is_ascii_digit).count();
    let (hours, minutes) = match run {
        1 | 2 => {
            let hours = cursor.digits(1, 2)?;
            (hours, if cursor.eat(&[':']) { cursor.digits(1, 2)? } else { 0 })
        }
        3 => (cursor.digits(1, 1)?, cursor.digits(2, 2)?),
        4 => (cursor.digits(2, 2)?, cursor.digits(2, 2)?),
        _ => return None,
    };
    (minutes < 60).then(|| sign * (i64::from(hours) * 3600 + i64::from(minutes) * 60))
}

/// Zones by name, in minutes east of Greenwich: RFC 822's, and those that feeds of our time name.
///
/// Names that several places use with different offsets are read as the place that most feeds mean (`IST` India, `CST` and
/// `EST` North America, `BST` Britain).
const ZONES: &[(&str, i64)] = &[
    ("gmt", 0),
    ("utc", 0),
    ("ut", 0),
    ("z", 0),
    ("wet", 0),
    ("edt", -240),
    ("est", -300),
    ("et", -300),
    ("cdt", -300),
    ("cst", -360),
    ("ct", -360),
    ("mdt", -360),
    ("mst", -420),
    ("mt", -420),
    ("pdt", -420),
    ("pst", -480),
    ("pt", -480),
    ("adt", -180),
    ("ast", -240),
    ("at", -240),
    ("nst", -210),
    ("ndt", -150),
    ("akst", -540),
    ("akdt", -480),
    ("hst", -600),
    ("brt", -180),
    ("brst", -120),
    ("art", -180),
    ("clt", -240),
    ("cet", 60),
    ("met", 60),
    ("mez", 60),
    ("west", 60),
    ("bst", 60),
    ("cest", 120),
    ("mest", 120),
    ("mesz", 120),
    ("eet", 120),
    ("sast", 120),
    ("eest", 180),
    ("msk", 180),
    ("msd", 240),
    ("trt", 180),
    ("pkt", 300),
    ("ist", 330),
    ("ict", 420),
    ("wib", 420),
    ("hkt", 480),
    ("sgt", 480),
    ("awst", 480),
    ("jst", 540),
    ("kst", 540),
    ("acst", 570),
    ("acdt", 630),
    ("aest", 600),
    ("aedt", 660),
    ("nzst", 720),
    ("nzdt", 780),
];

fn named_zone(name: &str) -> Option<i64> {
    let lower = name.to_lowercase();
    if let Some((_, minutes)) = ZONES.iter().find(|(zone, _)| *zone == lower) {
        return Some(minutes * 60);
    }
    // RFC 822 §5.1: A to M without J lie west, N to Y east.
    let mut letters = lower.bytes();
    let (Some(letter), None) = (letters.next(), letters.next()) else {
        return None;
    };
    let letter = i64::from(letter);
    let hours = match letter {
        0x61..=0x69 => -(letter - 0x60),
        0x6b..=0x6d => -(letter - 0x61),
        0x6e..=0x79 => letter - 0x6d,
        _ => return None,
    };
    Some(hours * 3600)
}

/// Month names by their beginnings, in lower case, the longest first where one begins another.
///
/// English, German, French, Spanish, Italian, Portuguese, Dutch, Polish, Russian, and beyond those Greek, Hungarian, Swedish,
/// Danish, Norwegian, Finnish, Czech and Turkish as far as no beginning means two months.
pub const MONTHS: &[(u32, &[&str])] = &[
    (1, &["jan", "jän", "jän", "gen", "ene", "sty", "янв", "ιαν", "led", "oca", "tammi"]),
    (2, &["feb", "fev", "fév", "lut", "фев", "φεβ", "úno", "úno", "şub", "helmi"]),
    (3, &["mar", "mär", "maa", "mrt", "mrz", "mär", "márc", "мар", "μαρ", "μάρ", "bře"]),
    (4, &["apr", "avr", "abr", "ápr", "kwi", "апр", "απρ", "dub", "nis", "huhti"]),
    (5, &["may", "mai", "mag", "mei", "maj", "máj", "май", "мая", "μαι", "μάι", "μαϊ", "kvě", "touko"]),
    (6, &["jun", "juin", "giu", "jún", "cze", "июн", "ιουν", "ιούν", "haz", "kesä"]),
    (7, &["jul", "juil", "lug", "júl", "lip", "июл", "ιουλ", "ιούλ", "tem", "heinä"]),
    (8, &["aug", "aoû", "aou", "ago", "sie", "авг", "αυγ", "αύγ", "ağu", "elo"]),
    (9, &["sep", "set", "szept", "wrz", "сен", "σεπ", "září", "eyl", "syys"]),
    (10, &["oct", "okt", "ott", "out", "paź", "окт", "οκτ", "eki", "loka"]),
    (11, &["nov", "noi", "lis", "ноя", "νοε", "νοέ", "kas", "marras"]),
    (12, &["dec", "dez", "déc", "dic", "des", "gru", "дек", "δεκ", "pro", "ara", "joulu"]),
];

fn month(word: &str) -> Option<u32> {
    // `märz`, and `marras` (Finnish November) before `mar`: the longest beginning decides.
    MONTHS
        .iter()
        .flat_map(|(number, names)| names.iter().map(move |name| (*number, *name)))
        .filter(|(_, name)| word.starts_with(name))
        .max_by_key(|(_, name)| name.len())
        .map(|(number, _)| number)
}

/// A date in words: RFC 822, asctime, `May 3, 2024`, `3. Mai 2024, 14:05 Uhr`, `2024년 5월 3일`.
fn words(text: &str) -> Option<DateTime<Utc>> {
    let lower = text.to_lowercase();
    let mut cursor = Cursor { rest: &lower };
    let mut numbers: Vec<(u32, usize)> = Vec::with_capacity(3);
    let mut named_month = None;
    let mut year = None;
    let mut day = None;
    let mut moment = Moment::on(1, 1, 1);
    let mut has_time = false;
    let mut is_slashed = false;
    let mut is_dotted = false;
    let mut half: Option<bool> = None;
    while let Some(c) = cursor.peek() {
        if c.is_ascii_digit() {
            let run = cursor.rest.bytes().take_while(u8::is_ascii_digit).count();
            let after = cursor.rest.get(run..).and_then(|rest| rest.chars().next());
            if !has_time && run <= 2 && matches!(after, Some(':')) {
                clock(&mut cursor, &mut moment)?;
                has_time = true;
                continue;
            }
            // `2004-05-25 23:39` inside words, and `14h05` and `14.05` behind a date.
            if !has_time && run <= 2 && after == Some('h') && (numbers.len() + usize::from(named_month.is_some())) >= 3
            {
                clock(&mut cursor, &mut moment)?;
                has_time = true;
                continue;
            }
            if run > 4 {
                return None;
            }
            let value = cursor.digits(1, 4)?;
            match cursor.peek() {
                Some('年' | '년') => year = Some(value),
                Some('月' | '월') => named_month = Some(value),
                Some('日' | '일') => day = Some(value),
                Some('时' | '時' | '시' | '点') => {
                    moment.hour = value;
                    has_time = true;
                }
                Some('分' | '분') => moment.minute = value,
                Some('秒' | '초') => moment.second = value,
                next => {
                    is_slashed |= next == Some('/');
                    is_dotted |= next == Some('.');
                    numbers.push((value, run));
                    continue;
                }
            }
            let mut chars = cursor.rest.chars();
            chars.next();
            cursor.rest = chars.as_str();
        } else if c.is_alphabetic() {
            let word = cursor.word(|c| c.is_alphabetic() || c == '\u{308}' || c == '\u{301}');
            match word {
                "오후" | "下午" | "午後" => half = Some(true),
                "오전" | "上午" | "午前" => half = Some(false),
                "pm" => moment.hour = moment.hour % 12 + 12,
                "am" => moment.hour %= 12,
                "t" if !has_time => {}
                _ if has_time && named_zone(word).is_some() => moment.offset = named_zone(word).unwrap_or_default(),
                _ => {
                    // A weekday may begin as a month does (`mardi`, `martes`, `mar.`): where a month is already known,
                    // or stands further on, the earlier word was the weekday.
                    if let Some(found) = month(word)
                        && !(is_weekday(word) && (named_month.is_some() || names_month(cursor.rest)))
                    {
                        named_month = named_month.or(Some(found));
                    }
                }
            }
        } else if has_time && matches!(c, '+' | '-' | '−') {
            moment.offset = signed(&mut cursor)?;
        } else if c == '(' {
            cursor.word(|c| c != ')');
        } else {
            let mut chars = cursor.rest.chars();
            chars.next();
            cursor.rest = chars.as_str();
        }
    }
    match half {
        Some(true) => moment.hour = moment.hour % 12 + 12,
        Some(false) => moment.hour %= 12,
        None => {}
    }
    if let Some((year, month, day)) = year.zip(named_month).zip(day).map(|((y, m), d)| (y, m, d)) {
        (moment.year, moment.month, moment.day) = (i32::try_from(year).ok()?, month, day);
        return moment.instant();
    }
    let (found_year, found_month, found_day) = settle(&numbers, named_month, is_slashed, is_dotted)?;
    (moment.year, moment.month, moment.day) = (found_year, found_month, found_day);
    moment.instant()
}

/// Which of the numbers is the year, which the month, which the day; `None` when that is a matter of country.
fn settle(
    numbers: &[(u32, usize)],
    named_month: Option<u32>,
    is_slashed: bool,
    is_dotted: bool,
) -> Option<(i32, u32, u32)> {
    let year = |(value, run): (u32, usize)| -> Option<i32> {
        let value = i32::try_from(value).ok()?;
        // RFC 5322 §4.3 for years of two and three digits.
        Some(match run {
            1 | 2 if value < 50 => 2000 + value,
            1..=3 => 1900 + value,
            _ => value,
        })
    };
    match (numbers, named_month) {
        // `2004-july-13`, `2024 Mai 3`.
        ([first @ (_, 4), (day, 1 | 2)], Some(month)) => Some((year(*first)?, month, *day)),
        // `Fri, 3 May 2024`, `May 3 24`, `Fri May 3 2024`.
        ([(day, 1 | 2), last], Some(month)) => Some((year(*last)?, month, *day)),
        // `May 2024`.
        ([only @ (_, 4)], Some(month)) => Some((year(*only)?, month, 1)),
        ([first @ (_, 4), (month, 1 | 2), (day, 1 | 2)], None) => Some((year(*first)?, *month, *day)),
        ([(a, 1 | 2), (b, 1 | 2), last], None) => {
            let year = year(*last)?;
            if is_dotted && !is_slashed {
                // `03.05.2024` is day first wherever it is written so.
                return Some((year, *b, *a));
            }
            match (*a > 12, *b > 12) {
                (true, false) => Some((year, *b, *a)),
                (false, true) => Some((year, *a, *b)),
                _ if a == b => Some((year, *a, *b)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether a month's name stands in the rest of the text.
fn names_month(rest: &str) -> bool {
    rest.split(|c: char| !c.is_alphabetic()).any(|word| !word.is_empty() && month(word).is_some())
}

/// Weekdays whose names begin as a month's does.
fn is_weekday(word: &str) -> bool {
    const ALIKE: &[&str] = &["mar", "mardi", "martes", "martedì", "martedi", "maandag", "ma", "lis"];
    ALIKE.contains(&word)
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

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,40}|[0-9:+ TZ/.-]{0,30}") {
            let _ = parse(&text);
        }

        #[test]
        fn what_we_write_we_read(seconds in 0i64..4_000_000_000) {
            let at = DateTime::from_timestamp(seconds, 0).unwrap();
            prop_assert_eq!(parse(&at.to_rfc3339()), Some(at));
            prop_assert_eq!(parse(&at.to_rfc2822()), Some(at));
            prop_assert_eq!(parse(&at.format("%a %b %e %T %Y").to_string()), Some(at));
        }
    }
}
