//! What a date says of its zone: an offset in digits, a place, or a name.
//!
//! Pure. Digits count before names, because they have one meaning: `+0800 CST` is China's time, `CST` alone is not. Names in
//! brackets, which only explain, come last.

use chrono::{LocalResult, NaiveDateTime, Offset, TimeDelta, TimeZone};
use chrono_tz::{America, Tz};

use super::Cursor;

/// The largest offset that is meant; none in use is larger than 14 hours.
const MOST_SECONDS: i64 = 26 * 3600;

/// What was said of the zone so far. Of each kind the first counts.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Zone {
    /// Seconds east of Greenwich.
    offset: Option<i64>,
    name: Option<Named>,
    /// What stands in brackets, or is a letter of RFC 822.
    aside: Option<Named>,
}

/// A zone by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// Seconds east of Greenwich, the year round.
    Fixed(i64),
    /// A place, whose clocks may change.
    Place(Tz),
}

impl Zone {
    /// What is left after a time: nothing, an offset, a name, or several of them; `None` when it is something else.
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        let mut zone = Self::default();
        loop {
            cursor.skip_space();
            match cursor.peek() {
                None => return Some(zone),
                Some('(' | '[') => zone.read_aside(cursor),
                Some('+' | '-' | '−') => zone.set_offset(signed(cursor)?),
                Some(c) if c.is_alphabetic() => {
                    if !zone.read_name(cursor) {
                        return None;
                    }
                }
                Some(_) => return None,
            }
        }
    }

    /// Takes in an offset in seconds east of Greenwich.
    pub(super) fn set_offset(&mut self, seconds: i64) {
        self.offset = self.offset.or(Some(seconds));
    }

    /// Takes in the name that the cursor stands at, if it is a zone's; otherwise the cursor stays.
    pub(super) fn read_name(&mut self, cursor: &mut Cursor<'_>) -> bool {
        let mut after = Cursor { rest: cursor.rest };
        let path = after.word(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+'));
        if path.contains(|c: char| c == '/' || c.is_ascii_digit())
            && let Some(place) = place(path)
        {
            self.name = self.name.or(Some(Named::Place(place)));
            cursor.rest = after.rest;
            return true;
        }
        let mut after = Cursor { rest: cursor.rest };
        let name = after.word(char::is_alphabetic);
        // At the end nothing else can be meant by an abbreviation, however it is written.
        let is_last = name.len() > 2 && after.rest.trim().is_empty();
        let Some(found) = named(name).or_else(|| named(&name.to_ascii_uppercase()).filter(|_| is_last)) else {
            return false;
        };
        let slot = if is_military(name) { &mut self.aside } else { &mut self.name };
        *slot = slot.or(Some(found));
        cursor.rest = after.rest;
        true
    }

    /// Passes over brackets: a comment (RFC 5322 §3.2.2), or a place (RFC 9557 §4.1). A zone in them counts where nothing else
    /// is said.
    pub(super) fn read_aside(&mut self, cursor: &mut Cursor<'_>) {
        let close = if cursor.eat(&['[']) { ']' } else { ')' };
        cursor.eat(&['(']);
        let said = cursor.word(|c| c != close);
        cursor.eat(&[close]);
        let said = said.trim_start_matches('!').trim();
        self.aside = self.aside.or_else(|| place(said).filter(|_| said.contains('/')).map(Named::Place));
        self.aside = self.aside.or_else(|| named(said));
    }

    /// Seconds east of Greenwich when the clocks say `local`, UTC where nothing is said; `None` where it cannot be meant.
    pub(super) fn seconds_east(self, local: NaiveDateTime) -> Option<i64> {
        let name = self.name.or(self.aside);
        let seconds = match (self.offset, name) {
            (Some(seconds), _) | (None, Some(Named::Fixed(seconds))) => seconds,
            (None, Some(Named::Place(place))) => seconds_at(place, local),
            (None, None) => 0,
        };
        (seconds.abs() <= MOST_SECONDS).then_some(seconds)
    }
}

/// Seconds east of Greenwich at a place. A time that the clocks show twice is the first, and one that they leave out is
/// counted as before they were put forward.
fn seconds_at(place: Tz, local: NaiveDateTime) -> i64 {
    const BEFORE: TimeDelta = TimeDelta::hours(3);
    let found = match place.offset_from_local_datetime(&local) {
        LocalResult::Single(offset) | LocalResult::Ambiguous(offset, _) => Some(offset),
        LocalResult::None => place.offset_from_local_datetime(&(local - BEFORE)).earliest(),
    };
    found.map_or(0, |offset| i64::from(offset.fix().local_minus_utc()))
}

/// `+0200`, `+02:00`, `+2`, `-00:00`, `+020000`; in seconds.
pub(super) fn signed(cursor: &mut Cursor<'_>) -> Option<i64> {
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

/// A place by its name in the IANA database, also where it is not spelt with capitals.
fn place(name: &str) -> Option<Tz> {
    name.parse().ok().or_else(|| {
        let mut is_first = true;
        let capitalised: String = name
            .chars()
            .map(|c| {
                let capital = if is_first { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
                is_first = matches!(c, '/' | '_' | '-');
                capital
            })
            .collect();
        capitalised.parse().ok()
    })
}

/// Whether it is one of the letters of RFC 822 for a zone. So many other things are written as one letter (`14:05 h`) that it
/// counts least.
fn is_military(name: &str) -> bool {
    name.len() == 1 && !name.eq_ignore_ascii_case("z")
}

/// A zone by an abbreviation. Those that are words too are meant when they are written in capitals.
pub(super) fn named(name: &str) -> Option<Named> {
    if name == "GMT" {
        return Some(Named::Fixed(0));
    }
    let lower = name.to_ascii_lowercase();
    let is_capital = name.starts_with(|c: char| c.is_ascii_uppercase());
    if !is_capital && !matches!(lower.as_str(), "gmt" | "utc" | "z") {
        return None;
    }
    if let Some((_, minutes)) = ZONES.iter().find(|(zone, _)| *zone == lower) {
        return Some(Named::Fixed(minutes * 60));
    }
    let is_upper = name.bytes().all(|byte| byte.is_ascii_uppercase());
    match name {
        "ET" => return Some(Named::Place(America::New_York)),
        "CT" => return Some(Named::Place(America::Chicago)),
        "MT" => return Some(Named::Place(America::Denver)),
        "PT" => return Some(Named::Place(America::Los_Angeles)),
        _ if name.len() > 3 && !is_upper => return name.parse().ok().map(Named::Place),
        _ => {}
    }
    // RFC 822 §5.1: A to M without J lie west, N to Y east.
    let &[letter] = name.as_bytes() else { return None };
    let letter = i64::from(letter.to_ascii_lowercase());
    let hours = match letter {
        0x61..=0x69 => -(letter - 0x60),
        0x6b..=0x6d => -(letter - 0x61),
        0x6e..=0x79 => letter - 0x6d,
        _ => return None,
    };
    Some(Named::Fixed(hours * 3600))
}

/// Zones by name, in minutes east of Greenwich: RFC 822's, and those that feeds of our time name.
///
/// Names that several places use with different offsets are read as the place that most feeds mean (`IST` India, `CST` and
/// `EST` North America, `BST` Britain).
const ZONES: &[(&str, i64)] = &[
    ("sst", -660),
    ("hst", -600),
    ("akst", -540),
    ("hdt", -540),
    ("akdt", -480),
    ("pst", -480),
    ("mst", -420),
    ("pdt", -420),
    ("cst", -360),
    ("mdt", -360),
    ("cdt", -300),
    ("cot", -300),
    ("ect", -300),
    ("est", -300),
    ("ast", -240),
    ("bot", -240),
    ("clt", -240),
    ("edt", -240),
    ("vet", -240),
    ("nst", -210),
    ("adt", -180),
    ("art", -180),
    ("brt", -180),
    ("clst", -180),
    ("uyt", -180),
    ("ndt", -150),
    ("brst", -120),
    ("gmt", 0),
    ("ut", 0),
    ("utc", 0),
    ("wet", 0),
    ("z", 0),
    ("bst", 60),
    ("cet", 60),
    ("met", 60),
    ("mez", 60),
    ("wat", 60),
    ("west", 60),
    ("cat", 120),
    ("cest", 120),
    ("eet", 120),
    ("mest", 120),
    ("mesz", 120),
    ("sast", 120),
    ("eat", 180),
    ("eest", 180),
    ("idt", 180),
    ("msk", 180),
    ("trt", 180),
    ("irst", 210),
    ("gst", 240),
    ("msd", 240),
    ("pkt", 300),
    ("yekt", 300),
    ("ist", 330),
    ("npt", 345),
    ("omst", 360),
    ("ict", 420),
    ("krat", 420),
    ("novt", 420),
    ("wib", 420),
    ("awst", 480),
    ("hkt", 480),
    ("irkt", 480),
    ("myt", 480),
    ("pht", 480),
    ("sgt", 480),
    ("wita", 480),
    ("jst", 540),
    ("kst", 540),
    ("wit", 540),
    ("acst", 570),
    ("aest", 600),
    ("vlat", 600),
    ("acdt", 630),
    ("aedt", 660),
    ("nzst", 720),
    ("nzdt", 780),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, local: &str, minutes: Option<i64>) {
        let zone = Zone::read(&mut Cursor { rest: text });
        let local = local.parse().unwrap();
        assert_eq!(zone.and_then(|zone| zone.seconds_east(local)), minutes.map(|minutes| minutes * 60), "{text}");
    }

    #[test]
    fn digits_count_before_names_wherever_they_stand() {
        for (text, minutes) in [
            ("", 0),
            ("Z", 0),
            ("GMT", 0),
            ("+0200", 120),
            ("GMT+2", 120),
            ("GMT +02:00", 120),
            ("UTC-3", -180),
            ("+0800 CST", 480),
            ("CST +0800", 480),
            ("+0200 IST", 120),
            ("+1000 EST", 600),
            ("+0330 +0330", 210),
            ("+01:00Z", 60),
            ("+0100 (CET)", 60),
            ("(CEST)", 120),
            ("+01:00[Europe/Paris]", 60),
            ("Z[Europe/Paris]", 0),
            ("[Asia/Tokyo]", 540),
            ("[!Asia/Tokyo]", 540),
            ("--0400", -240),
            ("−03:30", -210),
        ] {
            check(text, "2026-11-28T20:00:00", Some(minutes));
        }
    }

    #[test]
    fn a_place_has_the_offset_of_its_clocks_on_that_day() {
        for (text, local, minutes) in [
            ("America/Los_Angeles", "2026-11-28T20:00:00", -480),
            ("america/los_angeles", "2026-07-28T20:00:00", -420),
            ("Europe/Berlin", "2026-07-18T20:00:00", 120),
            ("America/Argentina/Buenos_Aires", "2026-07-18T20:00:00", -180),
            ("America/Port-au-Prince", "2026-01-18T20:00:00", -300),
            ("Etc/GMT+8", "2026-07-18T20:00:00", -480),
            ("Europe/Berlin CET", "2026-07-18T20:00:00", 120),
            ("Singapore", "2026-07-18T20:00:00", 480),
            ("PST8PDT", "2026-07-18T20:00:00", -420),
            ("ET", "2026-07-18T20:00:00", -240),
            ("ET", "2026-12-18T20:00:00", -300),
            ("PT", "2026-07-18T20:00:00", -420),
            // The hour that the clocks leave out, and the one that they show twice.
            ("Europe/Berlin", "2026-03-29T02:30:00", 60),
            ("Europe/Berlin", "2026-10-25T02:30:00", 120),
        ] {
            check(text, local, Some(minutes));
        }
    }

    #[test]
    fn names_that_are_words_are_zones_in_capitals_only() {
        for (text, minutes) in [
            ("EST", Some(-300)),
            ("est", Some(-300)),
            ("est 2026", None),
            ("et", None),
            ("gmt", Some(0)),
            ("A", Some(-60)),
        ] {
            check(text, "2026-11-28T20:00:00", minutes);
        }
        for text in ["h", "Uhr", "Europe/Nowhere", "+12345", "+0260", "+9900", "?"] {
            check(text, "2026-11-28T20:00:00", None);
        }
        check("H CET", "2026-11-28T20:00:00", Some(60));
    }
}
