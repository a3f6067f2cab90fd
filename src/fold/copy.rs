//! Whether two texts are one text: a wire story cut, retitled or with another dateline.
//!
//! Pure. A sketch is the smallest hashes of a text's runs of four words; the smallest ones of two texts are
//! compared as far as both sketches reach, so that a shortened copy is found inside the full one.

use std::collections::BinaryHeap;

/// Hashes kept of one text.
pub(super) const SIZE: usize = 16;

/// The share of the shorter text's runs that the other must hold for the two to be one text.
pub const SHARE: f32 = 0.75;

/// The fewest runs by which that may be judged.
pub const RUNS: usize = 4;

/// How alike the two must be besides, titles included.
pub const COSINE: f32 = 0.5;

/// The share of one of the titles that the other entry must hold when they are of different feeds.
pub const OTHER_TITLE: f32 = 0.25;

/// Words in a run.
const RUN: usize = 4;

/// The smallest hashes of a text's runs of words, ascending; empty for a text of fewer than twelve words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sketch {
    /// The hashes: their upper halves, which tell apart as many runs as a text has.
    pub hashes: Box<[u16]>,
}

impl Sketch {
    /// The share of the smaller text's runs that the other, by the hashes of its sketch, has too, and by how many runs that was judged.
    pub fn contained(&self, other: &[u16]) -> (f32, usize) {
        let own = self.hashes.as_ref();
        let reach = |hashes: &[u16]| if hashes.len() < SIZE { u16::MAX } else { hashes.last().copied().unwrap_or(0) };
        let common = reach(own).min(reach(other));
        let mine = own.iter().take_while(|hash| **hash <= common).count();
        let theirs = other.iter().take_while(|hash| **hash <= common).count();
        let (few, many) = if mine <= theirs { (own, other) } else { (other, own) };
        let judged = mine.min(theirs);
        if judged == 0 {
            return (0.0, 0);
        }
        let shared = few.iter().take(judged).filter(|hash| many.binary_search(hash).is_ok()).count();
        (ratio(shared, judged), judged)
    }
}

fn ratio(part: usize, whole: usize) -> f32 {
    f32::from(u16::try_from(part).unwrap_or(u16::MAX)) / f32::from(u16::try_from(whole).unwrap_or(u16::MAX))
}

/// Makes a sketch, word by word.
#[derive(Debug, Default)]
pub struct Sketcher {
    run: [u32; RUN],
    words: usize,
    smallest: BinaryHeap<u16>,
}

impl Sketcher {
    /// Takes the next word of the text, as its hash.
    pub fn see(&mut self, word: u32) {
        let [_, second, third, fourth] = self.run;
        self.run = [second, third, fourth, word];
        self.words += 1;
        if self.words < RUN {
            return;
        }
        let hash =
            self.run.iter().fold(0x9e37_79b9_u32, |hash, word| (hash.rotate_left(5) ^ word).wrapping_mul(0x85eb_ca6b));
        let hash = (hash ^ (hash >> 15)).wrapping_mul(0xc2b2_ae35);
        let [.., third, fourth] = (hash ^ (hash >> 16)).to_le_bytes();
        let hash = u16::from_le_bytes([third, fourth]);
        if self.smallest.len() == SIZE {
            if self.smallest.peek().is_some_and(|largest| hash >= *largest) {
                return;
            }
            if self.smallest.iter().any(|kept| *kept == hash) {
                return;
            }
            self.smallest.pop();
        } else if self.smallest.iter().any(|kept| *kept == hash) {
            return;
        }
        self.smallest.push(hash);
    }

    /// The sketch of what was seen.
    pub fn finish(self) -> Sketch {
        if self.words < 12 {
            return Sketch::default();
        }
        Sketch { hashes: self.smallest.into_sorted_vec().into_boxed_slice() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch(words: impl Iterator<Item = u32>) -> Sketch {
        let mut sketcher = Sketcher::default();
        words.for_each(|word| sketcher.see(word.wrapping_mul(0x9e37_79b9)));
        sketcher.finish()
    }

    #[test]
    fn a_shortened_copy_is_contained_in_the_full_text() {
        let (share, judged) = sketch(1..300).contained(&sketch(1..180).hashes);
        assert!(share > 0.99 && judged >= 4, "{share} of {judged}");
    }

    #[test]
    fn another_text_shares_nothing() {
        let (share, _) = sketch(1..100).contained(&sketch(500..600).hashes);
        assert!(share < 0.1, "{share}");
    }

    #[test]
    fn a_few_words_are_no_text() {
        assert_eq!(sketch(1..8), Sketch::default());
    }
}
