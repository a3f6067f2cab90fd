//! What is known of the words of texts: the stem of each, and whether it says nothing or belongs to a date.
//!
//! Pure but for what each thread remembers. Most words of a text were met before, and to find out what one is takes longer than
//! all else that is done with it.

use std::cell::RefCell;

use super::hash::{hash_of, low};
use super::language::Stem;
use super::title;

/// How many words are remembered.
const REMEMBERED: usize = 1 << 14;

/// What a word is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// The hash of its stem; of a word that says nothing, 0.
    pub(super) stem: u32,
    /// Whether it says nothing in the language of its text, or is a single letter.
    pub(super) says_nothing: bool,
    /// Whether it is a month or a weekday.
    pub(super) is_calendar: bool,
}

impl Word {
    /// Finds out what a word in lower case is; `hash` is its own.
    fn of(word: &str, hash: u64, stem: &Stem) -> Self {
        let says_nothing = stem.language().stops_hash(hash) || word.chars().nth(1).is_none();
        Self {
            stem: if says_nothing { 0 } else { low(hash_of(&stem.of(word))) },
            says_nothing,
            is_calendar: title::is_calendar(hash),
        }
    }
}

thread_local! {
    static LEXICON: RefCell<Lexicon> = RefCell::default();
}

/// The words that were met last: by the lower bits of a number that stands for a word and how it is cut, the number and the word.
#[derive(Debug, Default)]
pub(super) struct Lexicon(Vec<(u64, Word)>);

impl Lexicon {
    /// Has the words of a text looked up, in what this thread remembers.
    pub(super) fn with<T>(read: impl FnOnce(&mut Self) -> T) -> T {
        LEXICON.with_borrow_mut(|lexicon| {
            lexicon.0.resize(REMEMBERED, (0, Word::default()));
            read(lexicon)
        })
    }

    /// What a word in lower case is; `hash` is its own.
    pub(super) fn word(&mut self, word: &str, hash: u64, stem: &Stem) -> Word {
        let number = hash ^ (stem.kind() + 1) << 56;
        let place = usize::try_from(number & (REMEMBERED as u64 - 1)).unwrap_or(0);
        match self.0.get_mut(place) {
            Some((known, word)) if *known == number => *word,
            slot => {
                let found = Word::of(word, hash, stem);
                if let Some(slot) = slot {
                    *slot = (number, found);
                }
                found
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::language::Language;
    use super::*;

    #[test]
    fn a_word_is_the_same_when_it_is_met_again() {
        for language in ["en", "de", "uk", "ru-Latn", "xx"].map(Language::of_tag) {
            let stem = language.stemmer("");
            for word in ["running", "the", "monday", "a", "häuser", "президента", "running", "the", "monday"]
            {
                let found = Lexicon::with(|lexicon| lexicon.word(word, hash_of(word), &stem));
                assert_eq!(found, Word::of(word, hash_of(word), &stem), "{word}");
            }
        }
    }

    #[test]
    fn what_says_nothing_has_no_stem_and_a_weekday_is_told() {
        let stem = Language::ENGLISH.stemmer("");
        let of = |word: &str| Word::of(word, hash_of(word), &stem);
        assert_eq!(of("the"), Word { stem: 0, says_nothing: true, is_calendar: false });
        assert_eq!(of("running"), Word { stem: low(hash_of("run")), says_nothing: false, is_calendar: false });
        assert!(of("monday").is_calendar && !of("monday").says_nothing);
    }
}
