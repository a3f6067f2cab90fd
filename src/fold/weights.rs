//! How rare a term is: counts of entries, learned as the stream runs.
//!
//! Pure. The counts start from shipped ones (`warm.txt`), are halved every 65,536 entries, and can be written to bytes and
//! read back. All arithmetic on them is in whole numbers, so a restart changes nothing.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::language::Language;
use super::terms::{hash_of, low};

/// Entries after which all counts are halved.
const HALVED_AFTER: u32 = 65_536;

/// How many entries the shipped counts stand for.
const WARM_ENTRIES: u32 = 4_000;

/// Entries from which on the words of a language are known well enough.
const WELL_KNOWN: f32 = 300.0;

/// The version of the bytes that `Weights::to_bytes` writes.
const VERSION: u8 = 1;

/// Counts of entries by term.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Weights {
    entries: u32,
    by_language: [u32; Language::KINDS],
    counts: HashMap<u32, u32, Plain>,
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

/// The hashes are hashes already: the map takes them as they are.
pub(super) type Plain = std::hash::BuildHasherDefault<PlainHasher>;

/// See [`Plain`].
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct PlainHasher(u64);

impl std::hash::Hasher for PlainHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    fn write_u32(&mut self, hash: u32) {
        self.0 = u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
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
fn warm() -> &'static HashMap<u32, u32, Plain> {
    static COUNTS: OnceLock<HashMap<u32, u32, Plain>> = OnceLock::new();
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
