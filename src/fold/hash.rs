//! The hashes of words, and where they lie in a table.
//!
//! Pure but for a secret that each process draws once. Words are strangers' to choose, and so are their hashes: placed by those
//! alone, they can be made to crowd in one corner of a table, where each is looked for among all others. The secret says where a
//! hash lies and never which hashes there are, so that nothing that is decided or stored depends on it.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;

/// Bits of a term's hash that a cell holds, the upper ones.
pub(super) const HASH_BITS: u32 = 27;

/// The stable hash by which texts are told apart (XXH3, 64 bits).
pub(super) fn hash_of(text: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}

/// The lower half of a hash.
pub(super) fn low(hash: u64) -> u32 {
    let [a, b, c, d, ..] = hash.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// The term that stands in a cell for a term's whole hash.
pub(super) fn short(hash: u32) -> u32 {
    hash >> (u32::BITS - HASH_BITS)
}

/// What spreads hashes over a table in a way that nobody outside can foresee.
#[derive(Debug, Clone, Copy)]
pub(super) struct Secret {
    mask: u64,
    factor: u64,
}

impl Default for Secret {
    /// The one of this process.
    fn default() -> Self {
        static DRAWN: OnceLock<Secret> = OnceLock::new();
        *DRAWN.get_or_init(|| {
            let random = RandomState::new();
            Self { mask: random.hash_one(0), factor: random.hash_one(1) | 1 }
        })
    }
}

impl Secret {
    /// The place at which to look for a hash first, in a table of `length` places.
    pub(super) fn home(self, hash: u32, length: usize) -> usize {
        let length = u64::try_from(length).unwrap_or(0);
        usize::try_from((self.spread(hash.into()) >> 32).wrapping_mul(length) >> 32).unwrap_or(0)
    }

    fn spread(self, hash: u64) -> u64 {
        let mixed = (hash ^ self.mask).wrapping_mul(self.factor);
        (mixed ^ mixed >> 32).wrapping_mul(self.factor)
    }
}

/// Makes the hashers of maps whose keys are hashes already.
pub(super) type Prehashed = Secret;

impl BuildHasher for Secret {
    type Hasher = PrehashedHasher;

    fn build_hasher(&self) -> PrehashedHasher {
        PrehashedHasher { secret: *self, hash: 0 }
    }
}

/// See [`Prehashed`].
#[derive(Debug, Clone, Copy)]
pub(super) struct PrehashedHasher {
    secret: Secret,
    hash: u64,
}

impl Hasher for PrehashedHasher {
    fn finish(&self) -> u64 {
        self.hash
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.hash = self.secret.spread(self.hash ^ u64::from(*byte)));
    }

    fn write_u32(&mut self, hash: u32) {
        self.hash = self.secret.spread(hash.into());
    }

    fn write_u64(&mut self, hash: u64) {
        self.hash = self.secret.spread(hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_that_lie_close_together_are_spread_over_the_table() {
        const LENGTH: usize = 1 << 12;
        for step in [1, 2, 1 << 7, 1 << 15] {
            let mut taken = vec![0_u32; LENGTH];
            (0..3_072_u32).for_each(|at| taken[Secret::default().home(at * step, LENGTH)] += 1);
            assert!(taken.iter().max() < Some(&16), "steps of {step}: {:?} at one place", taken.iter().max());
        }
    }
}
