//! How rare a term is: counts of entries, learned as the stream runs.
//!
//! Pure. The counts start from shipped ones (`warm.txt`), are halved every 65,536 entries, and can be written to bytes and
//! read back. All arithmetic on them is in whole numbers, so a restart changes nothing.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::hash::Prehashed;
use super::language::Language;
use super::terms::{hash_of, low};

/// Entries after which all counts are halved.
const HALVED_AFTER: u32 = 65_536;

/// How many entries the shipped counts stand for.
const WARM_ENTRIES: u32 = 4_000;

/// Entries from which on the words of a language are known well enough.
const WELL_KNOWN: f32 = 300.0;

/// How many terms are counted at most; what a stream of news has between two halvings is less. When there are more, as when
/// somebody makes words up, those in the fewest entries are forgotten until half as many are left.
const COUNTED_AT_MOST: usize = 1 << 20;

/// The version of the bytes that `Weights::to_bytes` writes.
const VERSION: u8 = 1;

/// Counts of entries by term.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Weights {
    entries: u32,
    by_language: [u32; Language::KINDS],
    counts: HashMap<u32, u32, Prehashed>,
}

impl Weights {
    /// How much a term tells: `ln(1 + N / n)`, with N entries of which n have it.
    pub fn rarity(&self, hash: u32) -> f32 {
        let with = self.counts.get(&hash).copied().unwrap_or(0) + warm().get(&hash).copied().unwrap_or(0);
        let all = self.entries + WARM_ENTRIES;
        (real(all) / real(with.max(1))).ln_1p()
    }

    /// How many entries (shipped ones included) have a term, and of how many.
    pub fn share(&self, hash: u32) -> (u32, u32) {
        (
            self.counts.get(&hash).copied().unwrap_or(0) + warm().get(&hash).copied().unwrap_or(0),
            self.entries + WARM_ENTRIES,
        )
    }

    /// How well the words of a language are known, 0 (not at all: every word seems rare) to 1 (from some hundred entries on).
    pub fn known(&self, language: Language) -> f32 {
        let seen = self.by_language.get(language.kind()).copied().unwrap_or(0)
            + if language == Language::of_tag("en") { WARM_ENTRIES } else { 0 };
        (real(seen) / WELL_KNOWN).min(1.0)
    }

    /// Takes an entry into account: its language and its distinct terms.
    pub fn learn(&mut self, language: Language, terms: impl Iterator<Item = u32>) {
        for hash in terms {
            *self.counts.entry(hash).or_insert(0) += 1;
        }
        self.entries += 1;
        if let Some(seen) = self.by_language.get_mut(language.kind()) {
            *seen += 1;
        }
        if self.entries >= HALVED_AFTER {
            self.entries /= 2;
            self.by_language.iter_mut().for_each(|seen| *seen /= 2);
            self.counts.retain(|_, count| {
                *count /= 2;
                *count > 0
            });
            self.counts.shrink_to_fit();
        }
        if self.counts.len() > COUNTED_AT_MOST {
            self.forget_the_rarest(COUNTED_AT_MOST / 2);
        }
    }

    /// Forgets terms until no more than `most` are left. One that stood in a single entry is as rare as one never seen, so
    /// little is lost with the first of them.
    fn forget_the_rarest(&mut self, most: usize) {
        let mut fewest = 1;
        while self.counts.len() > most {
            self.counts.retain(|_, count| *count > fewest);
            fewest *= 2;
        }
    }

    /// The counts as bytes, for the store.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut counts: Vec<_> = self.counts.iter().map(|(hash, count)| (*hash, *count)).collect();
        counts.sort_unstable();
        let mut bytes = vec![VERSION];
        bytes.extend(self.entries.to_le_bytes());
        for seen in self.by_language {
            bytes.extend(seen.to_le_bytes());
        }
        for (hash, count) in counts {
            bytes.extend(hash.to_le_bytes());
            bytes.extend(count.to_le_bytes());
        }
        bytes
    }

    /// The counts that `to_bytes` wrote; `None` for bytes of another version or length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&version, rest) = bytes.split_first()?;
        let (entries, rest) = rest.split_first_chunk::<4>()?;
        let (languages, pairs) = rest.split_first_chunk::<{ 4 * Language::KINDS }>()?;
        let mut by_language = [0; Language::KINDS];
        for (seen, bytes) in by_language.iter_mut().zip(languages.chunks_exact(4)) {
            *seen = u32::from_le_bytes(bytes.try_into().ok()?);
        }
        if version != VERSION || pairs.len() % 8 != 0 {
            return None;
        }
        let mut counts = HashMap::default();
        for pair in pairs.chunks_exact(8) {
            let (hash, count) = pair.split_first_chunk::<4>()?;
            counts.insert(u32::from_le_bytes(*hash), u32::from_le_bytes(count.try_into().ok()?));
        }
        Some(Self { entries: u32::from_le_bytes(*entries), by_language, counts })
    }
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
        let english = Language::of_tag("en");
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
        weights.learn(Language::UNKNOWN, [3, 5].into_iter());
        weights.learn(Language::UNKNOWN, [5].into_iter());
        assert_eq!(Weights::from_bytes(&weights.to_bytes()), Some(weights.clone()));
        assert_eq!(Weights::from_bytes(b"x"), None);
        assert!(weights.rarity(5) < weights.rarity(3));
    }

    #[test]
    fn made_up_words_are_forgotten_before_those_of_the_news() {
        let mut weights = Weights::default();
        for entry in 0..4_000_u32 {
            weights.learn(Language::UNKNOWN, [1, 2].into_iter().chain((0..320).map(|word| 1_000 + entry * 320 + word)));
        }
        assert!(weights.counts.len() <= COUNTED_AT_MOST);
        assert_eq!((weights.share(1).0, weights.share(2).0), (4_000, 4_000));
        assert_eq!(weights.rarity(1_001), weights.rarity(7), "a word of one entry was as good as new");
    }

    #[test]
    fn counts_are_halved_and_the_rare_forgotten() {
        let mut weights = Weights::default();
        weights.learn(Language::UNKNOWN, [1, 2].into_iter());
        for _ in 1..HALVED_AFTER {
            weights.learn(Language::UNKNOWN, [2].into_iter());
        }
        assert_eq!(weights.share(1).0, 0);
        assert_eq!(weights.share(2).0, HALVED_AFTER / 2);
    }
}
