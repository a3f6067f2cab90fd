//! Names and numbers of a text, by keys that other languages share: what still says the same where no word does.
//!
//! Pure. A name is a word with a capital letter that is no stop word; where every noun has one, most of these meet nothing in
//! another language. Its key is what the spellings of languages and scripts leave alone, its first consonants: `Macron`,
//! `Makron` and `Макрон` have one, and so have `Zelensky`, `Selenskyj` and `Зеленский`, whatever their endings.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::hash::{hash_of, low};
use super::language::Language;

/// The most names and numbers of one text; those that stand first say what it is about.
const MOST: usize = 32;
/// Consonants of a name that count.
const CONSONANTS: usize = 5;
/// A shorter name, or one with fewer consonants, could be anybody's,
const LEAST_LETTERS: usize = 4;
const LEAST_CONSONANTS: usize = 3;
/// unless it is an abbreviation, of capitals alone and no longer than this.
const ABBREVIATION: usize = 5;

/// A name or a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name<'t> {
    /// What it is known by in other languages.
    pub(super) key: u32,
    /// As it stands in the text.
    pub(super) word: &'t str,
}

/// The names and numbers of a text, each once, in their order.
pub(super) fn of(text: &str, language: Language) -> Vec<Name<'_>> {
    let mut names: Vec<Name<'_>> = Vec::new();
    for word in text.split(|c: char| !c.is_alphanumeric()) {
        if names.len() == MOST {
            break;
        }
        if let Some(key) = key(word, language)
            && names.iter().all(|name| name.key != key)
        {
            names.push(Name { key, word });
        }
    }
    names
}

fn key(word: &str, language: Language) -> Option<u32> {
    let first = word.chars().next()?;
    let letters = word.chars().count();
    if first.is_ascii_digit() {
        let is_number = letters >= 2 && word.bytes().all(|byte| byte.is_ascii_digit()) && !is_year(word);
        return is_number.then(|| low(hash_of(&format!("#{word}"))));
    }
    if !first.is_uppercase() || letters < 2 || language.stops(&word.to_lowercase()) {
        return None;
    }
    let plain = plain(word);
    if letters <= ABBREVIATION && word.chars().all(char::is_uppercase) {
        return Some(low(hash_of(&format!("!{plain}"))));
    }
    let consonants = consonants(&plain);
    (letters >= LEAST_LETTERS && consonants.len() >= LEAST_CONSONANTS).then(|| low(hash_of(&consonants)))
}

/// Whether a number may be a year: what is told in one year has it in common.
fn is_year(word: &str) -> bool {
    word.len() == 4 && (word.starts_with("19") || word.starts_with("20"))
}

/// A word in small Latin letters without marks.
fn plain(word: &str) -> String {
    let mut plain = String::with_capacity(word.len());
    for c in word.chars().flat_map(char::to_lowercase) {
        match CYRILLIC.iter().chain(&LATIN).find(|(letter, _)| *letter == c) {
            Some((_, letters)) => plain.push_str(letters),
            None => plain.extend(std::iter::once(c).nfd().filter(|c| !is_combining_mark(*c))),
        }
    }
    plain
}

/// Letters of Russian and Ukrainian in Latin ones. Those that only soften are left out.
const CYRILLIC: [(char, &str); 37] = [
    ('а', "a"),
    ('б', "b"),
    ('в', "v"),
    ('г', "g"),
    ('д', "d"),
    ('е', "e"),
    ('ё', "e"),
    ('ж', "z"),
    ('з', "z"),
    ('и', "i"),
    ('й', "i"),
    ('к', "k"),
    ('л', "l"),
    ('м', "m"),
    ('н', "n"),
    ('о', "o"),
    ('п', "p"),
    ('р', "r"),
    ('с', "s"),
    ('т', "t"),
    ('у', "u"),
    ('ф', "f"),
    ('х', "h"),
    ('ц', "c"),
    ('ч', "c"),
    ('ш', "s"),
    ('щ', "s"),
    ('ъ', ""),
    ('ы', "i"),
    ('ь', ""),
    ('э', "e"),
    ('ю', "iu"),
    ('я', "ia"),
    ('і', "i"),
    ('ї', "i"),
    ('є', "e"),
    ('ґ', "g"),
];

/// Letters of Latin scripts that are no other letter with a mark.
const LATIN: [(char, &str); 6] = [('ł', "l"), ('ø', "o"), ('đ', "d"), ('ß', "ss"), ('æ', "ae"), ('œ', "oe")];

/// What several letters write in one language and one in another.
const SPELLINGS: [(&str, &str); 10] = [
    ("sch", "s"),
    ("ph", "f"),
    ("th", "t"),
    ("sh", "s"),
    ("sz", "s"),
    ("ch", "h"),
    ("kh", "h"),
    ("cz", "k"),
    ("rz", "s"),
    ("ck", "k"),
];

/// The first consonants of a word as [`plain`] gives it, each written as one letter in every language; a vowel counts where the
/// word begins with it, as any vowel.
fn consonants(plain: &str) -> String {
    let mut found = String::with_capacity(CONSONANTS);
    let mut rest = plain;
    let mut is_first = true;
    while let Some(first) = rest.chars().next() {
        let spelt = SPELLINGS.iter().find(|(spelling, _)| rest.starts_with(spelling));
        let (length, sound) = match spelt {
            Some((spelling, sound)) => (spelling.len(), sound.chars().next().unwrap_or(first)),
            None => (first.len_utf8(), first),
        };
        let sound = match sound {
            'c' | 'q' => 'k',
            'z' | 'x' => 's',
            'w' => 'v',
            'a' | 'e' | 'i' | 'o' | 'u' | 'y' | 'j' => 'a',
            sound => sound,
        };
        if (sound != 'a' || is_first) && !found.ends_with(sound) {
            found.push(sound);
        }
        if found.chars().count() == CONSONANTS {
            break;
        }
        is_first = false;
        rest = rest.get(length..).unwrap_or_default();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str, tag: &str) -> Vec<u32> {
        of(text, Language::of_tag(tag)).into_iter().map(|name| name.key).collect()
    }

    #[test]
    fn a_name_has_one_key_in_all_spellings_and_cases() {
        fn check(spellings: &[&str]) {
            let found: Vec<Vec<u32>> = spellings.iter().map(|spelling| keys(spelling, "xx")).collect();
            assert_eq!(found[0].len(), 1, "{spellings:?}");
            assert!(found.iter().all(|key| *key == found[0]), "{spellings:?}");
        }
        check(&["Macron", "Makron", "Макрон", "Макрону", "Macrona"]);
        check(&["Zelensky", "Selenskyj", "Zełenski", "Зеленский", "Зеленского"]);
        check(&["Trump", "Trumpa", "Трамп", "Трампа"]);
        check(&["Putin", "Putina", "Poutine", "Путин"]);
        check(&["Warsaw", "Varsovia", "Warszawa"]);
        check(&["Orbán", "Orban", "Орбан"]);
        check(&["NATO"]);
        check(&["212"]);
    }

    #[test]
    fn what_begins_a_sentence_or_is_short_is_no_name() {
        assert!(keys("The and 7 of it in Li", "en").is_empty());
        assert!(keys("Der und in", "de").is_empty());
        assert!(keys("In 2026 and 1999", "en").is_empty(), "years say little");
        assert_eq!(keys("Trump Trump Trumpa", "en").len(), 1);
    }

    #[test]
    fn a_long_text_has_a_bounded_number_of_names() {
        let text: String = (10..200).map(|number| format!("{number} ")).collect();
        assert_eq!(keys(&text, "en").len(), MOST);
    }
}
