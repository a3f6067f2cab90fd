//! Dates of ISO 8601.
//!
//! Pure. A text that goes on in words is `words`' to read.

use chrono::{DateTime, Datelike, NaiveDate, Utc};

use super::zone::Zone;
use super::{Cursor, Moment};

/// ISO 8601: RFC 3339, W3CDTF, and the forms that leave something out.
pub(super) fn read(text: &str) -> Option<DateTime<Utc>> {
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
    moment.zone = Zone::read(&mut cursor)?;
    cursor.skip_space();
    cursor.rest.is_empty().then_some(moment)?.instant()
}

fn set_date(moment: &mut Moment, date: NaiveDate) {
    (moment.month, moment.day) = (date.month(), date.day());
    moment.year = date.year();
}

/// `12:34:56.789`, `12:34`, `123456`, with `am` or `pm`.
pub(super) fn clock(cursor: &mut Cursor<'_>, moment: &mut Moment) -> Option<()> {
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
        // `14:05 am 3. Mai` is German.
        "am" | "a.m." if moment.hour <= 12 => moment.hour %= 12,
        "pm" | "p.m." => moment.hour = moment.hour % 12 + 12,
        _ => return Some(()),
    }
    cursor.rest = after.rest;
    Some(())
}
