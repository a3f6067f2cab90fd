//! What language a text is in, which of its words say nothing, and what a word is at its stem.
//!
//! Pure. The lists are short and of our own making: they hold what is frequent in headlines and leads, not a grammar.
//! Where no stemmer knows a language, a word is its first letters, which does for endings what a stemmer would; so is a stem of
//! Polish or Czech, which have more endings than theirs know.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

use frostem::{Algorithm, Stemmer};

use super::hash::{Prehashed, hash_of};

/// Letters kept of a word whose language no stemmer knows, and of a stem in one with so many endings that a stemmer leaves some.
const HEAD: usize = 6;

/// A language that we have a list of stop words for, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Language(Option<u8>);

struct Known {
    code: &'static str,
    stemmer: Option<Algorithm>,
    stop_words: &'static str,
}

const KNOWN: [Known; 16] = [
    Known { code: "en", stemmer: Some(Algorithm::English), stop_words: include_str!("stopwords/en.txt") },
    Known { code: "de", stemmer: Some(Algorithm::German), stop_words: include_str!("stopwords/de.txt") },
    Known { code: "fr", stemmer: Some(Algorithm::French), stop_words: include_str!("stopwords/fr.txt") },
    Known { code: "es", stemmer: Some(Algorithm::Spanish), stop_words: include_str!("stopwords/es.txt") },
    Known { code: "it", stemmer: Some(Algorithm::Italian), stop_words: include_str!("stopwords/it.txt") },
    Known { code: "pt", stemmer: Some(Algorithm::Portuguese), stop_words: include_str!("stopwords/pt.txt") },
    Known { code: "nl", stemmer: Some(Algorithm::Dutch), stop_words: include_str!("stopwords/nl.txt") },
    Known { code: "sv", stemmer: Some(Algorithm::Swedish), stop_words: include_str!("stopwords/sv.txt") },
    Known { code: "da", stemmer: Some(Algorithm::Danish), stop_words: include_str!("stopwords/da.txt") },
    Known { code: "no", stemmer: Some(Algorithm::Norwegian), stop_words: include_str!("stopwords/da.txt") },
    Known { code: "pl", stemmer: Some(Algorithm::Polish), stop_words: include_str!("stopwords/pl.txt") },
    Known { code: "cs", stemmer: Some(Algorithm::Czech), stop_words: include_str!("stopwords/cs.txt") },
    Known { code: "ru", stemmer: Some(Algorithm::Russian), stop_words: include_str!("stopwords/ru.txt") },
    Known { code: "uk", stemmer: None, stop_words: include_str!("stopwords/uk.txt") },
    Known { code: "tr", stemmer: Some(Algorithm::Turkish), stop_words: include_str!("stopwords/tr.txt") },
    Known { code: "ar", stemmer: Some(Algorithm::Arabic), stop_words: include_str!("stopwords/ar.txt") },
];

impl Language {
    /// How many languages we tell apart, the unknown ones as one.
    pub const KINDS: usize = KNOWN.len() + 1;

    /// No language that we know.
    pub const UNKNOWN: Self = Self(None);
    /// English.
    pub const ENGLISH: Self = Self(Some(0));

    /// The language of a tag such as `en`, `pt-BR` or `ru-Latn` (RFC 5646 §2.1): its first part counts.
    pub fn of_tag(tag: &str) -> Self {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        let primary =
            if primary.eq_ignore_ascii_case("nb") || primary.eq_ignore_ascii_case("nn") { "no" } else { primary };
        Self(
            KNOWN
                .iter()
                .position(|known| known.code.eq_ignore_ascii_case(primary))
                .and_then(|at| u8::try_from(at).ok()),
        )
    }

    /// A number below [`Language::KINDS`], the same in every run of one version.
    pub fn kind(self) -> usize {
        self.0.map_or(KNOWN.len(), usize::from)
    }

    /// The language of a number that `kind` gave.
    pub fn of_kind(kind: u8) -> Self {
        Self(Some(kind).filter(|kind| usize::from(*kind) < KNOWN.len()))
    }

    /// Its code, for the evidence.
    pub fn code(self) -> Option<&'static str> {
        self.known().map(|known| known.code)
    }

    /// Whether a word (in lower case) says nothing in this language.
    pub fn stops(self, word: &str) -> bool {
        self.stops_hash(hash_of(word))
    }

    /// The same of the hash of a word.
    pub(super) fn stops_hash(self, hash: u64) -> bool {
        self.0.is_some_and(|at| stop_words().get(&hash).is_some_and(|languages| languages & (1 << at) != 0))
    }

    /// The stemmer for the words of a text in this language, if there is one, which begins with `title`; build it once per text.
    pub fn stemmer(self, title: &str) -> Stem {
        // In a text in Cyrillic letters, Latin ones are somebody's name.
        let is_romanised = !title.chars().any(|c| matches!(c, 'а'..='я' | 'А'..='Я'));
        Stem {
            language: self,
            latin: self.known().is_some_and(|known| !matches!(known.code, "ru" | "ar" | "uk")),
            romanised: is_romanised && self.known().is_some_and(|known| matches!(known.code, "ru" | "uk")),
            is_cut: self.known().is_some_and(|known| matches!(known.code, "pl" | "cs")),
            stemmer: self.known().and_then(|known| known.stemmer).map(Stemmer::new),
        }
    }

    fn known(self) -> Option<&'static Known> {
        self.0.and_then(|at| KNOWN.get(usize::from(at)))
    }
}

/// Cuts words to what they share with their other forms.
pub struct Stem {
    language: Language,
    latin: bool,
    romanised: bool,
    /// Whether its stems are cut, too.
    is_cut: bool,
    stemmer: Option<Stemmer>,
}

impl Stem {
    /// A number for how words are cut: that of the language, and whether they are Cyrillic ones in Latin letters.
    pub(super) fn kind(&self) -> u64 {
        2 * u64::try_from(self.language.kind()).unwrap_or(0) + u64::from(self.romanised)
    }

    /// The language of the text.
    pub(super) fn language(&self) -> Language {
        self.language
    }

    /// The stem of a word in lower case; the word's first letters where no stemmer knows its language or script.
    pub fn of<'a>(&self, word: &'a str) -> Cow<'a, str> {
        if self.latin == word.chars().next().is_some_and(is_latin)
            && let Some(stemmer) = &self.stemmer
        {
            return if self.is_cut { cut(stemmer.stem(word)) } else { stemmer.stem(word) };
        }
        if self.romanised && word.is_ascii() {
            let mut sounds = romanised(word);
            sounds.truncate(HEAD);
            return Cow::Owned(sounds);
        }
        cut(Cow::Borrowed(word))
    }
}

/// The first letters of a word.
fn cut(word: Cow<'_, str>) -> Cow<'_, str> {
    let Some((end, _)) = word.char_indices().nth(HEAD) else { return word };
    match word {
        Cow::Borrowed(word) => Cow::Borrowed(word.get(..end).unwrap_or(word)),
        Cow::Owned(mut word) => {
            word.truncate(end);
            Cow::Owned(word)
        }
    }
}

/// How one Cyrillic letter is written in Latin ones, by one scheme or another, and what stands for it here. Longer ones first.
const SPELLINGS: [(&str, &str); 13] = [
    ("shch", "w"),
    ("shh", "w"),
    ("sch", "w"),
    ("tch", "c"),
    ("sh", "w"),
    ("zh", "q"),
    ("kh", "h"),
    ("ch", "c"),
    ("ts", "c"),
    ("tc", "c"),
    ("tz", "c"),
    ("cz", "c"),
    ("x", "h"),
];

/// A Cyrillic word in Latin letters by its sounds, as all schemes hear them: `bolnitsyu`, `bolnicju` and `bolnicu` are one.
fn romanised(word: &str) -> String {
    let mut sounds = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let spelt = SPELLINGS.iter().find(|(spelling, _)| rest.starts_with(spelling));
        let (letters, sound) = spelt
            .map_or((rest.get(..first.len_utf8()).unwrap_or_default(), None), |(letters, sound)| {
                (*letters, Some(*sound))
            });
        rest = rest.get(letters.len()..).unwrap_or_default();
        // `ya`, `ja` and `ia` differ only in how they write a softness; `yi`, `ij` and `y` are one ending.
        let sound = match first {
            'i' | 'j' | 'y' if rest.starts_with(['a', 'e', 'o', 'u', 'i', 'j', 'y']) => "",
            'i' | 'j' | 'y' => "i",
            _ => sound.unwrap_or(letters),
        };
        if !sounds.ends_with(sound) {
            sounds.push_str(sound);
        }
    }
    sounds
}

/// Counts which language's stop words a text uses most.
#[derive(Debug, Default)]
pub struct Guess {
    hits: [u16; KNOWN.len()],
    words: u16,
}

impl Guess {
    /// Takes one word, in lower case, into account.
    pub fn see(&mut self, word: &str) {
        self.words = self.words.saturating_add(1);
        if let Some(languages) = stop_words().get(&hash_of(word)) {
            for (at, hits) in self.hits.iter_mut().enumerate() {
                *hits = hits.saturating_add(u16::from(languages & (1 << at) != 0));
            }
        }
    }

    /// The language by now, given that one language's stop words are at least two, a tenth of the words and more than any other's.
    pub fn language(&self) -> Language {
        let most = self.hits.iter().copied().max().unwrap_or(0);
        let mut leaders = self.hits.iter().enumerate().filter(|(_, hits)| **hits == most);
        match (leaders.next(), leaders.next()) {
            (Some((at, _)), None) if most >= 2 && most.saturating_mul(10) >= self.words => {
                Language(u8::try_from(at).ok())
            }
            _ => Language::UNKNOWN,
        }
    }
}

fn is_latin(c: char) -> bool {
    matches!(c, 'a'..='z' | '0'..='9' | '\u{df}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}')
}

/// By the hash of each word, the languages in which it says nothing.
fn stop_words() -> &'static HashMap<u64, u32, Prehashed> {
    static WORDS: OnceLock<HashMap<u64, u32, Prehashed>> = OnceLock::new();
    WORDS.get_or_init(|| {
        let mut words = HashMap::default();
        for (at, known) in KNOWN.iter().enumerate() {
            for word in known.stop_words.split_whitespace() {
                *words.entry(hash_of(word)).or_insert(0) |= 1 << at;
            }
        }
        words
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_counts_by_its_first_part() {
        assert_eq!(Language::of_tag("en-GB"), Language::ENGLISH);
        assert_eq!(Language::of_tag("pt-BR").code(), Some("pt"));
        assert_eq!(Language::of_tag("nb-NO").code(), Some("no"));
        assert_eq!(Language::of_tag("xx").code(), None);
    }

    #[test]
    fn stop_words_tell_the_language() {
        fn check(text: &str, expected: Option<&str>) {
            let mut guess = Guess::default();
            text.split_whitespace().for_each(|word| guess.see(word));
            assert_eq!(guess.language().code(), expected, "{text}");
        }
        check("the mayor of the town has said that it is over", Some("en"));
        check("der bürgermeister hat gesagt dass es nicht so ist", Some("de"));
        check("burmistrz powiedział że nie jest to jego sprawa", Some("pl"));
        check("mayor resigns", None);
    }

    #[test]
    fn a_word_without_a_stemmer_is_its_first_letters() {
        assert_eq!(Language::of_tag("uk").stemmer("Київ").of("президента"), "презид");
        assert_eq!(Language::of_tag("pl").stemmer("").of("warszawskiego"), "warsza");
        assert_eq!(Language::of_tag("pl").stemmer("").of("źródłosłów"), "źródło");
        assert_eq!(Language::of_tag("ru-Latn").stemmer("").of("prezidenta"), "prezid");
        assert_eq!(Language::of_tag("ru").stemmer("Завод Nissan").of("nissan"), "nissan");
        assert_eq!(Language::of_tag("en").stemmer("").of("earthquakes"), "earthquak");
    }

    #[test]
    fn cyrillic_in_latin_letters_is_read_by_its_sounds() {
        fn check(spellings: &[&str], expected: &str) {
            for spelling in spellings {
                assert_eq!(Language::of_tag("ru-Latn").stemmer("").of(spelling), expected, "{spelling}");
            }
        }
        check(&["czena", "tsena", "cena", "tcena"], "cena");
        check(&["khishchnik", "hishhnik", "xischnik"], "hiwnik");
        check(&["novyi", "novyj", "novij", "noviy", "novy"], "novi");
        check(&["yarmarka", "jarmarka", "iarmarka"], "armark");
    }
}
