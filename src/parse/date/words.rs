//! Dates in words: RFC 822, asctime, `May 3, 2024`, `3. Mai 2024, 14:05 Uhr`, `2024년 5월 3일`.
//!
//! Pure. All words and numbers are read first, and what they mean together is settled at the end: which word is the month and
//! which the weekday, which number the year and which the day.

use chrono::{DateTime, Datelike, NaiveDate, Utc};

use super::iso::clock;
use super::names::{self, Set};
use super::zone::{Zone, signed};
use super::{Cursor, Moment};

/// The instant that a date in words names.
pub(super) fn read(text: &str) -> Option<DateTime<Utc>> {
    let mut reading = Reading::default();
    let mut cursor = Cursor { rest: text };
    while let Some(c) = cursor.peek() {
        let was_in_date = std::mem::take(&mut reading.is_in_date);
        if c.is_ascii_digit() {
            reading.read_number(&mut cursor)?;
        } else if names::is_letter(c) {
            reading.read_word(&mut cursor);
        } else if reading.has_time && (c == '+' || matches!(c, '-' | '−') && !was_in_date) && is_offset(cursor.rest) {
            reading.zone.set_offset(signed(&mut cursor)?);
        } else if matches!(c, '(' | '[') {
            reading.zone.read_aside(&mut cursor);
        } else {
            cursor.skip();
        }
    }
    reading.settle()
}

/// Whether digits follow the sign, or the second sign (`+-0100`).
fn is_offset(rest: &str) -> bool {
    rest.chars().skip(1).find(|c| !matches!(c, '+' | '-')).is_some_and(|c| c.is_ascii_digit())
}

/// What was read so far.
#[derive(Debug, Default)]
struct Reading {
    /// The time of day.
    time: Moment,
    zone: Zone,
    has_time: bool,
    /// Whether the last that was read is a number of the date.
    is_in_date: bool,
    /// Numbers that do not say what they are, with how many digits they have.
    numbers: Vec<(u32, usize)>,
    /// Which months and which weekdays the words may name.
    words: Vec<(Set, Set)>,
    year: Option<u32>,
    month: Option<u32>,
    day: Option<u32>,
    /// How many years had passed before the era that is named.
    years_before: u32,
    /// Whether the next number is the month.
    is_before_month: bool,
    is_slashed: bool,
    is_dotted: bool,
    is_afternoon: Option<bool>,
}

impl Reading {
    fn read_number(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        let run = cursor.rest.bytes().take_while(u8::is_ascii_digit).count();
        let mut after = cursor.rest.get(run..).unwrap_or_default().chars();
        let is_clock = match after.next() {
            Some(':') => true,
            // `14h05` and `14.05` behind a whole date.
            Some('h' | 'H') => self.has_date(),
            Some('.') => self.has_date() && after.next().is_some_and(|c| c.is_ascii_digit()),
            _ => false,
        };
        if is_clock && !self.has_time && run <= 2 {
            self.has_time = true;
            return clock(cursor, &mut self.time);
        }
        if run > 4 {
            return None;
        }
        let value = cursor.digits(1, 4)?;
        match cursor.peek() {
            // Years of an era are counted from its beginning.
            Some('年' | '년') => self.year = Some(value + self.years_before),
            Some('月' | '월') => self.month = Some(value),
            Some('日' | '일') => self.day = Some(value),
            Some('时' | '時' | '시' | '点') => {
                self.time.hour = value;
                self.has_time = true;
            }
            Some('分' | '분') => self.time.minute = value,
            Some('秒' | '초') => self.time.second = value,
            _ if std::mem::take(&mut self.is_before_month) => {
                self.month = Some(value);
                return Some(());
            }
            next => {
                self.is_slashed |= next == Some('/');
                self.is_dotted |= next == Some('.');
                self.is_in_date = true;
                self.numbers.push((value, run));
                return Some(());
            }
        }
        cursor.skip();
        Some(())
    }

    /// Whether a day, a month and a year were read.
    fn has_date(&self) -> bool {
        self.numbers.len() + usize::from(self.words.iter().any(|(months, _)| *months != 0)) >= 3
    }

    fn read_word(&mut self, cursor: &mut Cursor<'_>) {
        if self.has_time && self.zone.read_name(cursor) {
            return;
        }
        let word = cursor.word(names::is_letter);
        match word {
            "오후" | "下午" | "午後" => self.is_afternoon = Some(true),
            "오전" | "上午" | "午前" => self.is_afternoon = Some(false),
            "tháng" | "Tháng" => self.is_before_month = true,
            "令和" => self.years_before = 2018,
            "平成" => self.years_before = 1988,
            "昭和" => self.years_before = 1925,
            "民國" | "中華民國" => self.years_before = 1911,
            _ => {
                let named = names::named(word);
                if named != (0, 0) {
                    self.words.push(named);
                }
            }
        }
    }

    /// What all of it means; `None` when it means nothing, or may mean two days.
    fn settle(mut self) -> Option<DateTime<Utc>> {
        match self.is_afternoon {
            Some(true) => self.time.hour = self.time.hour % 12 + 12,
            Some(false) => self.time.hour %= 12,
            None => {}
        }
        let (months, weekdays) = self.months_and_weekdays();
        let mut dates = self.dates(months);
        dates.sort_unstable();
        dates.dedup();
        if dates.len() > 1 {
            // The weekday tells which of them is meant.
            dates.retain(|date| weekdays & 1 << date.weekday().num_days_from_monday() != 0);
        }
        let [date] = dates[..] else { return None };
        let moment = Moment { year: date.year(), month: date.month(), day: date.day(), zone: self.zone, ..self.time };
        moment.instant()
    }

    /// The months and the weekdays that are named. Where a word may be either (`mar.`: Tuesday or March in French), it is the
    /// weekday if another word or a number is the month, and of two the first is.
    fn months_and_weekdays(&self) -> (Set, Set) {
        let is_month = |(months, weekdays): &(Set, Set)| *months != 0 && *weekdays == 0;
        let by_number = self.month.filter(|month| (1..=12).contains(month)).map(|month| 1 << (month - 1));
        let at = match self.words.iter().position(is_month) {
            None if self.numbers.len() < 3 => self.words.iter().rposition(|(months, _)| *months != 0),
            found => found,
        };
        let at = at.filter(|_| by_number.is_none());
        let by_name = at.and_then(|at| self.words.get(at)).map(|(months, _)| *months);
        let others = self.words.iter().enumerate().filter(|(other, _)| Some(*other) != at);
        (by_number.or(by_name).unwrap_or_default(), others.fold(0, |all, (_, (_, weekdays))| all | weekdays))
    }

    /// The days that the numbers may mean in one of these months.
    fn dates(&self, months: Set) -> Vec<NaiveDate> {
        let in_months = |year: Option<i32>, day: u32| -> Vec<NaiveDate> {
            let named = (1..=12).filter(|month| months & 1 << (month - 1) != 0);
            named.filter_map(|month| NaiveDate::from_ymd_opt(year?, month, day)).collect()
        };
        let on = |year: Option<i32>, month, day| year.and_then(|year| NaiveDate::from_ymd_opt(year, month, day));
        let year = |number| self.year.and_then(|year| i32::try_from(year).ok()).or_else(|| year_of(number));
        match (self.numbers.as_slice(), months != 0) {
            ([], true) => in_months(year((0, 0)), self.day.unwrap_or(1)),
            // `2004-july-13`, `2024 Mai 3`.
            ([first @ (_, 4), (day, 1 | 2)], true) => in_months(year(*first), *day),
            // `Fri, 3 May 2024`, `May 3 24`, `Fri May 3 2024`.
            ([(day, 1 | 2), last], true) => in_months(year(*last), *day),
            // `May 2024`.
            ([only @ (_, 4)], true) => in_months(year(*only), self.day.unwrap_or(1)),
            ([first @ (_, 4), (month, 1 | 2), (day, 1 | 2)], false) => {
                on(year(*first), *month, *day).into_iter().collect()
            }
            ([(a, 1 | 2), (b, 1 | 2), last], false) => {
                let day_first = on(year(*last), *b, *a);
                // `03.05.2024` is day first wherever it is written so.
                let month_first = on(year(*last), *a, *b).filter(|_| !self.is_dotted || self.is_slashed);
                day_first.into_iter().chain(month_first).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// The year that a number names: RFC 5322 §4.3 for years of two and three digits.
fn year_of((value, digits): (u32, usize)) -> Option<i32> {
    let value = i32::try_from(value).ok()?;
    match digits {
        0 => None,
        1 | 2 if value < 50 => Some(2000 + value),
        1..=3 => Some(1900 + value),
        _ => Some(value),
    }
}
