//! Which entries have a term, newest first.
//!
//! Pure. One chain per term through the entries of the window: each entry says, for each of its keys, which entry
//! before it had that key too. A chain costs four bytes an entry and key, nothing is moved when entries expire, and an endless stream
//! needs no more than its window.

use std::collections::{HashMap, VecDeque};

use super::vector::KEYS;
use super::weights::Plain;

/// The chains.
#[derive(Debug, Default)]
pub(super) struct Postings {
    heads: HashMap<u32, Place, Plain>,
    links: VecDeque<[u32; KEYS]>,
    first: u32,
}

/// An entry and one of its slots, in four bytes: the lower 28 bits of its arrival number, which tell it apart within any
/// window that fits into memory, and 4 bits of slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place(u32);

impl Place {
    const ARRIVALS: u32 = (1 << 28) - 1;

    fn new(arrival: u32, slot: u32) -> Self {
        Self((arrival & Self::ARRIVALS) << 4 | slot & 15)
    }

    /// The arrival number, given one that is not before it.
    fn arrival(self, latest: u32) -> u32 {
        latest.wrapping_sub(latest.wrapping_sub(self.0 >> 4) & Self::ARRIVALS)
    }

    fn slot(self) -> usize {
        usize::try_from(self.0 & 15).unwrap_or(0)
    }
}

impl Postings {
    /// Takes in the next entry by its keys.
    pub(super) fn push(&mut self, keys: impl Iterator<Item = u32>) {
        let arrival = self.end();
        let mut links = [None; KEYS];
        for ((slot, link), key) in (0_u32..).zip(&mut links).zip(keys) {
            *link = self.heads.insert(key, Place::new(arrival, slot));
        }
        self.links.push_back(links.map(|link| link.map_or(Self::END, |place| place.0)));
    }

    /// Forgets the oldest entry, which had these keys.
    pub(super) fn pop(&mut self, keys: impl Iterator<Item = u32>) {
        let latest = self.end();
        for key in keys {
            if self.heads.get(&key).is_some_and(|place| place.arrival(latest) == self.first) {
                self.heads.remove(&key);
            }
        }
        self.links.pop_front();
        self.first = self.first.wrapping_add(1);
        if self.heads.capacity() > 1024 && self.heads.len() < self.heads.capacity() / 8 {
            self.heads.shrink_to_fit();
        }
    }

    /// The entries that have a key, newest first.
    pub(super) fn of(&self, key: u32) -> impl Iterator<Item = u32> {
        let mut before = self.end();
        let mut place = self.heads.get(&key).copied();
        std::iter::from_fn(move || {
            let here = place?;
            let arrival = here.arrival(before);
            let at = usize::try_from(arrival.checked_sub(self.first)?).ok()?;
            let link = *self.links.get(at)?.get(here.slot())?;
            before = arrival;
            place = (link != Self::END).then_some(Place(link));
            Some(arrival)
        })
    }

    /// Where a chain ends: a slot that no entry has, as keys are fewer than sixteen.
    const END: u32 = u32::MAX;

    fn end(&self) -> u32 {
        self.first.wrapping_add(u32::try_from(self.links.len()).unwrap_or(u32::MAX))
    }
}

const _: () = assert!(KEYS < 16, "a slot has four bits, and one of its values marks the end");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_runs_from_the_newest_entry_to_the_oldest_of_the_window() {
        let mut postings = Postings::default();
        postings.push([7, 8].into_iter());
        postings.push([9].into_iter());
        postings.push([8, 9].into_iter());
        assert_eq!(postings.of(8).collect::<Vec<_>>(), [2, 0]);
        postings.pop([7, 8].into_iter());
        assert_eq!(postings.of(8).collect::<Vec<_>>(), [2]);
        assert_eq!(postings.of(7).count(), 0);
        assert_eq!(postings.of(9).collect::<Vec<_>>(), [2, 1]);
    }
}
