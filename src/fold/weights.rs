//! How rare a term is: counts of entries, learned as the stream runs.
//!
//! Pure. Each language has its own. English starts from shipped ones (`warm.txt`), all are halved every 65,536 entries, and can be written to bytes and
//! read back. All arithmetic on them is in whole numbers, so a restart changes nothing.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::hash::Prehashed;
use super::hash::{hash_of, low};
use super::language::Language;

/// How alike an entry and its nearest neighbour of another feed are in English, where one in four is more alike: a cosine of .45,
/// of 65,536. And how alike they are taken to be at first in any other language.
const ALIKE: u32 = 29_491;
const ALIKE_AT_FIRST: u32 = 23_592;

/// How far one entry that is less alike moves what is known; one that is more alike moves it three times as far.
const ALIKE_STEP: u32 = 12;

/// How much less alike than in English they are taken to be at most: a language with few feeds has few neighbours, too.
const MOST_UNLIKE: f32 = 0.12;

/// Entries after which all counts are halved.
const HALVED_AFTER: u32 = 65_536;

/// How many entries the shipped counts stand for.
const WARM_ENTRIES: u32 = 4_000;

/// How many entries are taken to have been there of a language without shipped counts, so that its first words are not all
/// equally common.
const OTHER_ENTRIES: u32 = 1_500;

/// Entries from which on the words of a language are known well enough.
const WELL_KNOWN: f32 = 300.0;

/// How many terms are counted at most; what a stream of news has between two halvings is less. When there are more, as when
/// somebody makes words up, those in the fewest entries are forgotten until half as many are left.
const COUNTED_AT_MOST: usize = 1 << 20;

/// The version of the bytes that `Weights::to_bytes` writes, and the one before, which knew another measure of likeness.
const VERSION: u8 = 3;
const WITH_MEDIANS: u8 = 2;

/// Counts of entries by term, for each language apart: what one language tells changes nothing in another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weights {
    by_language: [Counts; Language::KINDS],
}

/// The entries of one language, and in how many of them each term stood.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Counts {
    entries: u32,
    /// How alike an entry and the nearest one of another feed are, where one in four is more alike: a cosine, of 65,536.
    alike: u32,
    with: HashMap<u32, u32, Prehashed>,
}

impl Default for Counts {
    fn default() -> Self {
        Self { entries: 0, alike: ALIKE_AT_FIRST, with: HashMap::default() }
    }
}

impl Default for Weights {
    fn default() -> Self {
        Self { by_language: std::array::from_fn(|_| Counts::default()) }
    }
}

impl Weights {
    /// How much a term tells in a text of this language: `ln(1 + N / n)`, with N entries of the language of which n have it.
    pub fn rarity(&self, language: Language, hash: u32) -> f32 {
        let (with, all) = self.share(language, hash);
        rarity(with, real(all))
    }

    /// The same of many terms. Most are in few entries, and of those in as many the logarithm is taken once.
    pub(super) fn rarities(&self, language: Language) -> impl FnMut(u32) -> f32 {
        let (with, all) = self.shares(language);
        let all = real(all);
        let mut known = [None; 256];
        move |hash| {
            let with = with(hash);
            match usize::try_from(with).ok().and_then(|with| known.get_mut(with)) {
                Some(known) => *known.get_or_insert_with(|| rarity(with, all)),
                None => rarity(with, all),
            }
        }
    }

    /// How many entries of a language (shipped ones included) have a term, and of how many.
    pub fn share(&self, language: Language, hash: u32) -> (u32, u32) {
        let (with, all) = self.shares(language);
        (with(hash), all)
    }

    /// The same of many terms.
    fn shares(&self, language: Language) -> (impl Fn(u32) -> u32, u32) {
        let counts = self.of(language);
        let shipped = is_warm(language).then(warm);
        let of = |counts: &HashMap<u32, u32, Prehashed>, hash: u32| counts.get(&hash).copied().unwrap_or(0);
        let with = move |hash| of(&counts.with, hash) + shipped.map_or(0, |shipped| of(shipped, hash));
        (with, counts.entries + prior(language))
    }

    /// How well the words of a language are known, 0 (not at all: every word seems rare) to 1 (from some hundred entries on).
    pub fn known(&self, language: Language) -> f32 {
        let shipped = if language == Language::ENGLISH { WARM_ENTRIES } else { 0 };
        (real(self.of(language).entries + shipped) / WELL_KNOWN).min(1.0)
    }

    /// How much less alike an entry and its nearest neighbour are in a language than they are in English: a difference of
    /// cosines, 0 where they are as much alike or more, and while little of the language was seen. What is asked of entries is
    /// asked of English ones, so there it is 0 whatever was learned.
    pub fn unlike(&self, language: Language) -> f32 {
        if is_warm(language) {
            return 0.0;
        }
        let counts = self.of(language);
        let less = (real(ALIKE.saturating_sub(counts.alike)) / 65_536.0).min(MOST_UNLIKE);
        less * (real(counts.entries) / WELL_KNOWN).min(1.0)
    }

    /// Takes an entry into account: its language, its distinct terms, and how alike (a cosine, of 255) the nearest entry of
    /// another feed was, if any came near.
    pub fn learn(&mut self, language: Language, terms: impl Iterator<Item = u32>, nearest: Option<u8>) {
        let Some(counts) = self.by_language.get_mut(language.kind()) else { return };
        // The quartile is where three steps go down for one that goes up; what many outlets retell pulls it no further than that.
        // It tells languages apart better than the median does, below which the neighbours are of other news.
        match nearest.map(|nearest| u32::from(nearest) * 257) {
            Some(nearest) if nearest > counts.alike => counts.alike += 3 * ALIKE_STEP,
            Some(_) => counts.alike = counts.alike.saturating_sub(ALIKE_STEP),
            None => {}
        }
        for hash in terms {
            *counts.with.entry(hash).or_insert(0) += 1;
        }
        counts.entries += 1;
        if counts.entries >= HALVED_AFTER {
            counts.halve();
        }
        if self.terms() > COUNTED_AT_MOST
            && let Some(largest) = self.by_language.iter_mut().max_by_key(|counts| counts.with.len())
        {
            largest.forget_the_rarest(largest.with.len() / 2);
        }
    }

    /// How many terms are counted.
    pub fn terms(&self) -> usize {
        self.by_language.iter().map(|counts| counts.with.len()).sum()
    }

    fn of(&self, language: Language) -> &Counts {
        static NONE: OnceLock<Counts> = OnceLock::new();
        self.by_language.get(language.kind()).unwrap_or_else(|| NONE.get_or_init(Counts::default))
    }

    /// The counts as bytes, for the store.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        for counts in &self.by_language {
            let mut with: Vec<_> = counts.with.iter().map(|(hash, count)| (*hash, *count)).collect();
            with.sort_unstable();
            bytes.extend(counts.entries.to_le_bytes());
            bytes.extend(counts.alike.to_le_bytes());
            bytes.extend(u32::try_from(with.len()).unwrap_or(u32::MAX).to_le_bytes());
            for (hash, count) in with {
                bytes.extend(hash.to_le_bytes());
                bytes.extend(count.to_le_bytes());
            }
        }
        bytes
    }

    /// The counts that `to_bytes` wrote; `None` for bytes of another version or length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&version, mut rest) = bytes.split_first()?;
        if ![VERSION, WITH_MEDIANS].contains(&version) {
            return None;
        }
        let mut weights = Self::default();
        for counts in &mut weights.by_language {
            let ([entries, alike], after) = numbers(rest)?;
            let (terms, after) = after.split_first_chunk()?;
            (counts.entries, counts.alike) = (entries, if version == VERSION { alike } else { ALIKE_AT_FIRST });
            rest = after;
            for _ in 0..u32::from_le_bytes(*terms) {
                let ([hash, count], after) = numbers(rest)?;
                counts.with.insert(hash, count);
                rest = after;
            }
        }
        rest.is_empty().then_some(weights)
    }
}

impl Counts {
    fn halve(&mut self) {
        self.entries /= 2;
        self.with.retain(|_, count| {
            *count /= 2;
            *count > 0
        });
        self.with.shrink_to_fit();
    }

    /// Forgets terms until no more than `most` are left. One that stood in a single entry is as rare as one never seen, so
    /// little is lost with the first of them.
    fn forget_the_rarest(&mut self, most: usize) {
        let mut fewest = 1;
        while self.with.len() > most {
            self.with.retain(|_, count| *count > fewest);
            fewest *= 2;
        }
    }
}

/// The next two numbers of some bytes, and what comes after them.
fn numbers(bytes: &[u8]) -> Option<([u32; 2], &[u8])> {
    let (one, rest) = bytes.split_first_chunk()?;
    let (two, rest) = rest.split_first_chunk()?;
    Some(([u32::from_le_bytes(*one), u32::from_le_bytes(*two)], rest))
}

/// How much a term tells that `with` of `all` entries have.
fn rarity(with: u32, all: f32) -> f32 {
    (all / real(with.max(1))).ln_1p()
}

/// Whether the shipped counts, which are of English words, hold for texts in this language; one that nobody could tell is
/// English more often than not.
fn is_warm(language: Language) -> bool {
    language == Language::ENGLISH || language == Language::UNKNOWN
}

/// How many entries a language is taken to have had before its first one.
fn prior(language: Language) -> u32 {
    if is_warm(language) { WARM_ENTRIES } else { OTHER_ENTRIES }
}

/// Counts are far below the 2^24 up to which `f32` is exact where it matters.
pub(super) fn real(count: u32) -> f32 {
    let [a, b, c, d] = count.to_be_bytes();
    f32::from(u16::from_be_bytes([a, b])) * 65_536.0 + f32::from(u16::from_be_bytes([c, d]))
}

/// The shipped counts: English words by rank in `warm.txt`.
///
/// The ranks are the first 16,000 words in plain letters of `english_wikipedia` in zxcvbn 4.5.0 (MIT licence, Daniel Wolf and
/// Dropbox); each stands for as many entries as Zipf's law expects in short news texts.
fn warm() -> &'static HashMap<u32, u32, Prehashed> {
    static COUNTS: OnceLock<HashMap<u32, u32, Prehashed>> = OnceLock::new();
    COUNTS.get_or_init(|| {
        let english = Language::ENGLISH;
        let stem = english.stemmer("");
        let mut counts = HashMap::default();
        for (rank, word) in include_str!("warm.txt").split_whitespace().enumerate() {
            let expected = WARM_ENTRIES * 8 / (u32::try_from(rank).unwrap_or(u32::MAX).saturating_add(60));
            if !english.stops(word) && expected > 0 {
                *counts.entry(low(hash_of(&stem.of(word)))).or_insert(0) += expected;
            }
        }
        counts
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_survive_the_store() {
        let mut weights = Weights::default();
        weights.learn(Language::UNKNOWN, [3, 5].into_iter(), Some(9));
        weights.learn(Language::UNKNOWN, [5].into_iter(), None);
        assert_eq!(Weights::from_bytes(&weights.to_bytes()), Some(weights.clone()));
        assert_eq!(Weights::from_bytes(b"x"), None);
        assert!(weights.rarity(Language::UNKNOWN, 5) < weights.rarity(Language::UNKNOWN, 3));
    }

    #[test]
    fn counts_with_another_measure_of_likeness_are_read_without_it() {
        let mut weights = Weights::default();
        let polish = Language::of_tag("pl");
        (0..400).for_each(|_| weights.learn(polish, [3].into_iter(), Some(200)));
        let mut bytes = weights.to_bytes();
        bytes[0] = WITH_MEDIANS;
        let read = Weights::from_bytes(&bytes).unwrap();
        assert_eq!(read.share(polish, 3), weights.share(polish, 3));
        assert!(read.unlike(polish) > weights.unlike(polish));
    }

    #[test]
    fn a_language_whose_neighbours_are_less_alike_is_known_by_it_and_english_is_the_measure() {
        let unlike = |tag, nearest: fn(u32) -> u8| {
            let mut weights = Weights::default();
            (0..4_000).for_each(|at| weights.learn(Language::of_tag(tag), [at].into_iter(), Some(nearest(at))));
            weights.unlike(Language::of_tag(tag))
        };
        let [close, apart]: [fn(u32) -> u8; 2] =
            [|at| if at % 3 == 0 { 150 } else { 40 }, |at| if at % 3 == 0 { 90 } else { 40 }];
        assert_eq!(unlike("pl", close), 0.0);
        assert!(unlike("pl", apart) > 0.05);
        assert!(unlike("pl", |_| 1) <= MOST_UNLIKE);
        assert_eq!(unlike("en", apart), 0.0);
        assert_eq!(Weights::default().unlike(Language::of_tag("pl")), 0.0, "nothing was seen");
    }

    #[test]
    fn made_up_words_are_forgotten_before_those_of_the_news() {
        let mut weights = Weights::default();
        for entry in 0..4_000_u32 {
            weights.learn(
                Language::UNKNOWN,
                [1, 2].into_iter().chain((0..320).map(|word| 1_000 + entry * 320 + word)),
                None,
            );
        }
        assert!(weights.terms() <= COUNTED_AT_MOST);
        assert_eq!((weights.share(Language::UNKNOWN, 1).0, weights.share(Language::UNKNOWN, 2).0), (4_000, 4_000));
        assert_eq!(
            weights.rarity(Language::UNKNOWN, 1_001),
            weights.rarity(Language::UNKNOWN, 7),
            "a word of one entry was as good as new"
        );
    }

    #[test]
    fn counts_are_halved_and_the_rare_forgotten() {
        let mut weights = Weights::default();
        weights.learn(Language::UNKNOWN, [1, 2].into_iter(), None);
        for _ in 1..HALVED_AFTER {
            weights.learn(Language::UNKNOWN, [2].into_iter(), None);
        }
        assert_eq!(weights.share(Language::UNKNOWN, 1).0, 0);
        assert_eq!(weights.share(Language::UNKNOWN, 2).0, HALVED_AFTER / 2);
    }
}
