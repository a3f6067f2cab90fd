//! The form of a title: what stays the same from one edition of a series to the next.
//!
//! Pure. What two titles of one form mean for a fold is for `score` to say.

use std::collections::HashSet;
use std::sync::OnceLock;

use super::language::Language;
use super::terms::{hash_of, low};
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
}

/// Takes a title apart.
pub fn of(title: &str, language: Language) -> Title {
    let mut exact = xxhash_rust::xxh3::Xxh3Default::new();
    let mut form = xxhash_rust::xxh3::Xxh3Default::new();
    let mut figures = xxhash_rust::xxh3::Xxh3Default::new();
    let mut any_figure = false;
    let mut words = 0_u8;
    text::tokens(title, |kind, token| {
        exact.update(token.as_bytes());
        exact.update(b" ");
        let dated = match kind {
            Kind::Number => true,
            Kind::Word => token.starts_with(|c: char| c.is_ascii_digit()) || calendar().contains(&low(hash_of(token))),
            Kind::Pair => false,
        };
        if dated {
            any_figure = true;
            figures.update(token.as_bytes());
            figures.update(b" ");
            form.update(b"0 ");
        } else {
            words = words.saturating_add(u8::from(!language.stops(token)));
            form.update(token.as_bytes());
            form.update(b" ");
        }
        true
    });
    Title {
        exact: low(exact.digest()),
        form: low(form.digest()),
        figures: if any_figure { low(figures.digest()).max(1) } else { 0 },
        words,
    }
}

/// Months and weekdays, as headlines inflect them.
fn calendar() -> &'static HashSet<u32> {
    static WORDS: OnceLock<HashSet<u32>> = OnceLock::new();
    WORDS.get_or_init(|| include_str!("calendar.txt").split_whitespace().map(|word| low(hash_of(word))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(title: &str) -> Title {
        of(title, Language::of_tag("en"))
    }

    #[test]
    fn editions_of_a_series_share_their_form_and_differ_in_figures() {
        let (one, two) =
            (form("Quizzle #81 answers for Monday, June 1st"), form("Quizzle #82 answers for Tuesday, June 2nd"));
        assert_eq!(one.form, two.form);
        assert_ne!(one.figures, two.figures);
    }

    #[test]
    fn case_and_signs_do_not_make_another_title() {
        assert_eq!(form("Mayor resigns!").exact, form("MAYOR RESIGNS").exact);
        assert_eq!(form("Mayor resigns").figures, 0);
    }
}
