//! The form of a title: what stays the same from one edition of a series to the next, and what a title says of its news.
//!
//! Pure. What two titles of one form mean for a fold is for `score` to say.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::hash::Prehashed;
use super::hash::{hash_of, low};
use super::language::Language;
use super::text::{self, Kind};

/// A title with its figures taken out, and the figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Title {
    /// Hash of the title as it stands, but for case and signs.
    pub exact: u32,
    /// Hash of the title with numbers and dates masked: `Day 1,201 of the war` and `Day 1,202 of the war` have one form.
    pub form: u32,
    /// Hash of what was masked; 0 when there was nothing.
    pub figures: u32,
    /// How many words it has, figures apart.
    pub words: u8,
    /// What it says of its news.
    pub signs: Signs,
    /// The date that it names.
    pub date: Date,
}

/// The day of a year that a title names first, as one of some day of twelve months; 0 where it names none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Date(pub u16);

impl Date {
    /// Of a month, from 1, and a day in it, 0 where it is not said.
    fn new(month: u16, day: u16) -> Self {
        Self(month * 32 + day.min(31))
    }

    /// Whether two titles name different days: another day's price, forecast or puzzle.
    pub fn differs(self, other: Self) -> bool {
        let ((month, day), (other_month, other_day)) = (self.parts(), other.parts());
        let both = |one: u16, two: u16| one != 0 && two != 0 && one != two;
        both(month, other_month) || (month == other_month && both(day, other_day))
    }

    fn parts(self) -> (u16, u16) {
        (self.0 / 32, self.0 % 32)
    }
}

/// What a title begins with: a byte each of the first two words that say something, 0 where there are none.
///
/// A byte is one of 255 by chance; so two titles that begin with different things seem to begin alike once in 64 times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lead(pub [u8; 2]);

impl Lead {
    /// Adds a word by the hash of its stem, unless the title has begun already.
    pub(super) fn see(&mut self, hash: u32) {
        let byte = hash.to_le_bytes().iter().fold(0, |all, byte| all ^ byte).max(1);
        if !self.0.contains(&byte)
            && let Some(free) = self.0.iter_mut().find(|lead| **lead == 0)
        {
            *free = byte;
        }
    }

    /// Whether two titles begin with different things; `false` where one of them is not known.
    pub fn differs(self, other: Self) -> bool {
        let is_known = |lead: Self| lead.0 != [0; 2];
        is_known(self) && is_known(other) && !self.0.iter().any(|lead| *lead != 0 && other.0.contains(lead))
    }
}

/// What a title says of its news, by single words: which side of which opposites, and whether it looks ahead or explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Signs(pub u32);

impl Signs {
    /// It tells what is to come: a preview, a plan, a threat.
    const AHEAD: u32 = 1 << 30;
    /// It explains, asks or advises.
    const EXPLAINS: u32 = 1 << 31;
    /// It does so behind "to": headlines in English tell the future by it ("Senate to vote").
    const AFTER_TO: u32 = 1 << 29;
    /// It asks or explains where it begins so ("Why the ferry ran aground").
    const ASKS: u32 = 1 << 28;
    /// It denies something.
    const DENIES: u32 = 1 << 27;
    /// It tells who won or lost, as the fourth line of the opposites has it.
    const CONTEST: u32 = 0b11 << 6;
    /// The bits of one side of the opposites; those of the other stand one higher.
    const ONE_SIDE: u32 = 0x0155_5555;

    /// Whether the two say the contrary of each other: one host is down and the other up, one warning issued and one lifted.
    pub fn are_opposed(self, other: Self) -> bool {
        let sides = |signs: Self| (signs.0 & Self::ONE_SIDE, signs.0 >> 1 & Self::ONE_SIDE);
        let ((one, two), (other_one, other_two)) = (sides(self), sides(other));
        (one & !two & other_two & !other_one) | (two & !one & other_one & !other_two) != 0
    }

    /// Whether two titles of the same words say different things all the same: one of them denies it, or tells of a contest, whose
    /// first name is the winner's, or the loser's.
    pub fn say_another(self, lead: Lead, other: Self, other_lead: Lead) -> bool {
        let begin_apart = lead.0[0] != other_lead.0[0] && lead != Lead::default() && other_lead != Lead::default();
        (self.0 ^ other.0) & Self::DENIES != 0 || (begin_apart && self.0 & other.0 & Self::CONTEST != 0)
    }

    /// Whether one looks ahead to what the other tells as done.
    pub fn differ_in_time(self, other: Self) -> bool {
        (self.0 ^ other.0) & Self::AHEAD != 0
    }

    /// These, of what is known besides to explain, ask or advise.
    #[must_use]
    pub fn explaining(self) -> Self {
        Self(self.0 | Self::EXPLAINS)
    }

    /// Whether it explains, asks or advises, rather than reports.
    pub fn explains(self) -> bool {
        self.0 & Self::EXPLAINS != 0
    }
}

/// Takes a title apart.
pub fn of(title: &str, language: Language) -> Title {
    let mut exact = xxhash_rust::xxh3::Xxh3Default::new();
    let mut form = xxhash_rust::xxh3::Xxh3Default::new();
    let mut figures = xxhash_rust::xxh3::Xxh3Default::new();
    let mut any_figure = false;
    let mut words = 0_u8;
    let mut before = Before::Other;
    let (mut date, mut last_day, mut month_was_last) = (Date::default(), 0, false);
    let mut signs = if title.trim_end().ends_with(['?', '？', '؟']) { Signs::EXPLAINS } else { 0 };
    let mut first_words = 0..FIRST_WORDS;
    let mut has_verb = false;
    let mut before_won = None;
    text::tokens(title, |kind, token| {
        exact.update(token.as_bytes());
        exact.update(b" ");
        let is_first = first_words.next().is_some();
        let hash = hash_of(token);
        if is_figure(kind, token, hash) {
            any_figure = true;
            // "2 January", "January 2nd", "02.01.2026": the number beside the month is the day.
            let (number, name) = (day_of(token), month_of(hash));
            date = match (date.parts(), name, number) {
                ((0, _), Some(month), _) => Date::new(month, last_day),
                ((0, _), None, _) => numeric_date(token).unwrap_or(date),
                ((month, 0), None, Some(day)) if month_was_last => Date::new(month, day),
                _ => date,
            };
            (last_day, month_was_last) = (number.unwrap_or(0), name.is_some());
            figures.update(token.as_bytes());
            figures.update(b" ");
            form.update(b"0 ");
        } else {
            (last_day, month_was_last) = (0, false);
            words = words.saturating_add(u8::from(!language.stops_hash(hash)));
            form.update(token.as_bytes());
            form.update(b" ");
            // "won't" comes in two.
            signs = before_won.filter(|_| token == "t").unwrap_or(signs);
            before_won = (token == "won").then_some(signs);
            signs |= opposites().get(&hash_of(beginning(token))).copied().unwrap_or(0);
            let manner = manner().get(language.kind());
            let sign = manner.and_then(|words| words.get(&hash)).copied().unwrap_or(0);
            signs |= sign & !(Signs::AFTER_TO | Signs::ASKS);
            if sign & Signs::ASKS != 0 && is_first {
                signs |= Signs::EXPLAINS;
            }
            if sign & Signs::AFTER_TO != 0 && before == Before::To {
                signs |= Signs::AHEAD;
            }
        }
        before = match (token, before) {
            ("how", _) => Before::How,
            // "Envoy arrives to meet the mayor": behind a verb it says what for, and not what is to come.
            ("to", Before::Other) if language.code() == Some("en") && !has_verb => Before::To,
            _ => Before::Other,
        };
        has_verb = has_verb || is_form_of_verb(token, language);
        true
    });
    Title {
        exact: low(exact.digest()),
        form: low(form.digest()),
        figures: if any_figure { low(figures.digest()).max(1) } else { 0 },
        words,
        signs: Signs(signs),
        date,
    }
}

/// Whether a token is a verb that headlines tell the future by, in another form: `arrives`, `reached`.
fn is_form_of_verb(token: &str, language: Language) -> bool {
    let Some(words) = manner().get(language.kind()) else { return false };
    let is_verb = |base: &str| words.get(&hash_of(base)).is_some_and(|sign| sign & Signs::AFTER_TO != 0);
    ["s", "es", "d", "ed"].iter().any(|ending| token.strip_suffix(ending).is_some_and(is_verb))
}

/// The words with which a title begins.
const FIRST_WORDS: u8 = 2;

/// What stood before a word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    How,
    To,
    Other,
}

/// Whether a token changes from one edition of a series to the next: a number, an ordinal, a month or a weekday.
fn is_figure(kind: Kind, token: &str, hash: u64) -> bool {
    match kind {
        Kind::Number => true,
        Kind::Word => token.starts_with(|c: char| c.is_ascii_digit()) || is_calendar(hash),
        Kind::Pair => false,
    }
}

/// Whether this is the hash of a word (in lower case) that is a month or a weekday, as headlines inflect them.
pub(super) fn is_calendar(hash: u64) -> bool {
    calendar().contains_key(&hash)
}

/// The number of a month, from 1, by the hash of its name.
fn month_of(hash: u64) -> Option<u16> {
    calendar().get(&hash).copied().filter(|line| *line <= MONTHS)
}

/// The day that a number or an ordinal may mean.
fn day_of(token: &str) -> Option<u16> {
    let digits = token.trim_end_matches(|c: char| !c.is_ascii_digit());
    digits.parse().ok().filter(|day| (1..=31).contains(day))
}

/// The date in `14.09.2023` and `14.09`: the day comes first wherever dates are written with points.
fn numeric_date(token: &str) -> Option<Date> {
    let mut parts = token.split('.');
    let (day, month) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let is_year = parts.next().is_some_and(|year| year.len() == 4);
    (is_year && (1..=31).contains(&day) && (1..=MONTHS).contains(&month)).then(|| Date::new(month, day))
}

/// The months of a year, which are the first lines of `calendar.txt`; the days of the week follow.
const MONTHS: u16 = 12;

/// By the hash of each word of `calendar.txt`, its line, from 1.
fn calendar() -> &'static HashMap<u64, u16, Prehashed> {
    static WORDS: OnceLock<HashMap<u64, u16, Prehashed>> = OnceLock::new();
    WORDS.get_or_init(|| {
        let lines = (1..).zip(include_str!("calendar.txt").lines());
        lines.flat_map(|(number, line)| line.split_whitespace().map(move |word| (hash_of(word), number))).collect()
    })
}

/// The letters by which a word of `opposites.txt` is known in its other forms.
const BEGINNING: usize = 7;

fn beginning(word: &str) -> &str {
    word.char_indices().nth(BEGINNING).and_then(|(end, _)| word.get(..end)).unwrap_or(word)
}

/// By the hash of the beginning of each word of `opposites.txt`, its bit: a pair of neighbouring bits is a line, and its sides.
fn opposites() -> &'static HashMap<u64, u32, Prehashed> {
    static WORDS: OnceLock<HashMap<u64, u32, Prehashed>> = OnceLock::new();
    WORDS.get_or_init(|| {
        let mut words = HashMap::default();
        for (pair, line) in include_str!("opposites.txt").lines().enumerate() {
            for (side, of_side) in line.split('|').enumerate() {
                for word in of_side.split_whitespace() {
                    *words.entry(hash_of(beginning(word))).or_insert(0) |= 1 << (2 * pair + side);
                }
            }
        }
        words
    })
}

/// By language and the hash of each word of `manner.txt`, its bit.
fn manner() -> &'static [HashMap<u64, u32, Prehashed>; Language::KINDS] {
    static WORDS: OnceLock<[HashMap<u64, u32, Prehashed>; Language::KINDS]> = OnceLock::new();
    WORDS.get_or_init(|| {
        let mut words: [HashMap<u64, u32, Prehashed>; Language::KINDS] = std::array::from_fn(|_| HashMap::default());
        for (head, list) in include_str!("manner.txt").lines().filter_map(|line| line.split_once(':')) {
            let Some((language, manner)) = head.split_once(' ') else { continue };
            let sign = match manner {
                "ahead" => Signs::AHEAD,
                "to" => Signs::AFTER_TO,
                "asks" => Signs::ASKS,
                "denies" => Signs::DENIES,
                _ => Signs::EXPLAINS,
            };
            let Some(words) = words.get_mut(Language::of_tag(language).kind()) else { continue };
            for word in list.split_whitespace() {
                *words.entry(hash_of(word)).or_insert(0) |= sign;
            }
        }
        words
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(title: &str) -> Title {
        of(title, Language::ENGLISH)
    }

    #[test]
    fn editions_of_a_series_share_their_form_and_differ_in_figures() {
        let (one, two) =
            (form("Quizzle #81 answers for Monday, June 1st"), form("Quizzle #82 answers for Tuesday, June 2nd"));
        assert_eq!(one.form, two.form);
        assert_ne!(one.figures, two.figures);
    }

    #[test]
    fn titles_that_begin_with_different_things_are_told_apart() {
        let lead = |words: &[&str]| {
            let mut lead = Lead::default();
            words.iter().for_each(|word| lead.see(low(hash_of(word))));
            lead
        };
        let ferry = lead(&["ferry", "aground", "fog"]);
        assert!(ferry.differs(lead(&["mayor", "resigns", "ferry"])), "two words are a beginning");
        assert!(!ferry.differs(lead(&["skarvholm", "ferry"])) && !ferry.differs(lead(&["aground"])));
        assert!(!ferry.differs(lead(&[])) && !lead(&[]).differs(ferry), "what is not known");
        assert_eq!(lead(&["ferry", "ferry", "aground"]), ferry);
    }

    #[test]
    fn case_and_signs_do_not_make_another_title() {
        assert_eq!(form("Mayor resigns!").exact, form("MAYOR RESIGNS").exact);
        assert_eq!(form("Mayor resigns").figures, 0);
    }

    #[test]
    fn titles_of_different_days_are_told_apart() {
        fn check(one: &str, two: &str, expected: bool) {
            let date = |title| of(title, Language::UNKNOWN).date;
            assert_eq!(date(one).differs(date(two)), expected, "{one} / {two}");
        }
        check("Hints for Friday, January 2 (game #9)", "Answers for September 15th, #8", true);
        check("Kurs CHF/PLN 02 stycznia 2026 r.", "Ile kosztuje frank? 14.09.2023", true);
        check("Kurs CHF/PLN 02 stycznia 2026 r.", "Kurs franka 02.01.2026", false);
        check("Weather on January 2", "Weather on January 3", true);
        check("Weather on January 2", "Weather in January", false);
        check("Trial set for March", "Trial set", false);
        check("Release 5.9", "Release 5.10", false);
    }

    #[test]
    fn opposites_are_told_in_each_language() {
        fn check(one: &str, two: &str, expected: bool) {
            let signs = |title| of(title, Language::UNKNOWN).signs;
            assert_eq!(signs(one).are_opposed(signs(two)), expected, "{one} / {two}");
            assert_eq!(signs(two).are_opposed(signs(one)), expected, "{two} / {one}");
        }
        check("Server alpha is DOWN", "Server alpha is UP", true);
        check("Elm Street bridge reopened", "Elm Street bridge closed", true);
        check("Ostrzeżenie przed wichurą wydano", "Ostrzeżenie przed wichurą odwołano", true);
        check("A4 bei Elmstadt gesperrt", "A4 bei Elmstadt freigegeben", true);
        check("Мост через Эльм открыт", "Мост через Эльм закрыт", true);
        check("Orland holds its key rate", "Orland cuts its key rate", true);
        check("NBP utrzymał stopy procentowe", "NBP obniżył stopy procentowe", true);
        check("Bank holds rates now and cuts them later", "Bank cuts rates", false);
        check("Server alpha is down", "Server beta is down", false);
        check("Shop opens and closes on one day", "Shop closes", false);
    }

    #[test]
    fn titles_of_the_same_words_may_say_another_thing() {
        let lead = |first: &str| {
            let mut lead = Lead::default();
            lead.see(low(hash_of(first)));
            lead
        };
        let check = |(one, first): (&str, &str), (two, other): (&str, &str), expected: bool| {
            let says = form(one).signs.say_another(lead(first), form(two).signs, lead(other));
            assert_eq!(says, expected, "{one} / {two}");
        };
        check(("Mayor found guilty", "mayor"), ("Mayor found not guilty", "mayor"), true);
        check(("Marlow beat Tarn 2-1", "marlow"), ("Tarn beat Marlow 2-1", "tarn"), true);
        check(("Marlow lose to Tarn", "marlow"), ("Tarn lose to Marlow", "tarn"), true);
        check(("Ferry aground off Tarn", "ferry"), ("Tarn: ferry aground", "tarn"), false);
        check(("Mayor won't resign", "mayor"), ("Mayor will not resign", "mayor"), false);
        check(("Tarn won't host Marlow", "tarn"), ("Marlow won't host Tarn", "marlow"), false);
        assert!(!form("Marlow beat Tarn").signs.say_another(lead("marlow"), form("Tarn beat").signs, Lead::default()));
    }

    #[test]
    fn what_looks_ahead_is_told_from_what_is_done() {
        let signs = |title| form(title).signs;
        assert!(signs("Senate will vote on the budget").differ_in_time(signs("Senate votes down the budget")));
        assert!(signs("Senate to vote on the budget").differ_in_time(signs("Senate votes down the budget")));
        assert!(!signs("How to vote").differ_in_time(signs("Minister flies to Tannerby")));
        assert!(signs("Envoy to meet the mayor").differ_in_time(signs("Envoy arrives in Tannerby to meet the mayor")));
        assert!(signs("Councillors weigh a tram line").differ_in_time(signs("Councillors back a tram line")));
        assert!(signs("Why the ferry ran aground").explains() && signs("Is it safe?").explains());
        assert!(!signs("Ferry runs aground").explains());
    }
}
