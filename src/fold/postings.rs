//! Which entries have a term, newest first.
//!
//! Pure. A table from term to list. A term of one entry, which most are, stands in the table itself; the others have a
//! block of words of three bytes, taken from pools by size, that is read from one end to the other: a search reads hundreds of
//! places, and following a chain through memory would cost a cache miss for each. Lists keep the newest entries that a
//! search reads and no more, and an endless stream needs no more than its window.

use super::hash::Secret;

/// Entries that a list keeps: as many as are looked at for one key.
pub(super) const PER_KEY: usize = 300;

/// Entries that the lists can tell apart at one time: a list holds the lower 24 bits of their numbers.
pub(super) const ENTRIES_AT_MOST: usize = (1 << 24) - 1;

/// A number of 24 bits.
type Word = [u8; 3];

fn word(number: u32) -> Word {
    let [a, b, c, _] = number.to_le_bytes();
    [a, b, c]
}

fn number([a, b, c]: Word) -> u32 {
    u32::from_le_bytes([a, b, c, 0])
}

/// Sizes of blocks, in words: what a list holds and one for its bounds.
const SIZES: [usize; 15] = [3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, PER_KEY + 1];

/// Words in a chunk of a pool.
const CHUNK: usize = 8_192;

/// The lists.
#[derive(Debug, Default)]
pub(super) struct Postings {
    table: Table,
    pools: [Pool; SIZES.len()],
    first: u32,
    end: u32,
}

impl Postings {
    /// How many keys have a list.
    pub(super) fn keys(&self) -> usize {
        self.table.taken
    }

    /// Reads a little of the lists of some keys that are about to be read or changed, so that all are waited for together.
    pub(super) fn prefetch(&self, keys: impl Iterator<Item = u32>) {
        let slots: Vec<Slot> = keys.filter_map(|key| self.table.find(key)).map(|at| self.table.get(at)).collect();
        let blocks = slots.iter().filter_map(|slot| match slot.place() {
            Place::One(_) => None,
            Place::List { size, block } => Some(self.pools.get(size)?.block(size, block)),
        });
        std::hint::black_box(blocks.fold(0, |all, block| all ^ block.first().map_or(0, |word| word[0])));
    }

    /// Takes in the next entry by its keys, all different.
    pub(super) fn push(&mut self, keys: impl Iterator<Item = u32>) {
        let arrival = self.end;
        self.end = self.end.wrapping_add(1);
        for key in keys {
            match self.table.find(key) {
                None => self.table.insert(Slot::new(key, Place::One(arrival))),
                Some(at) => {
                    let place = self.append(self.table.get(at).place(), arrival);
                    self.table.set(at, Slot::new(key, place));
                }
            }
        }
    }

    /// Forgets the oldest entry, which had these keys.
    pub(super) fn pop(&mut self, keys: impl Iterator<Item = u32>) {
        let oldest = self.first;
        self.first = self.first.wrapping_add(1);
        for key in keys {
            let Some(at) = self.table.find(key) else { continue };
            match self.table.get(at).place() {
                Place::One(arrival) => {
                    if arrival == oldest {
                        self.table.remove(at);
                    }
                }
                Place::List { size, block } => {
                    let place = self.cut(size, block, oldest);
                    self.table.set(at, Slot::new(key, place));
                }
            }
        }
        self.table.shrink();
    }

    /// The entries that have a key, newest first.
    pub(super) fn of(&self, key: u32) -> impl Iterator<Item = u32> {
        let (one, list) = match self.table.find(key).map(|at| self.table.get(at).place()) {
            None => (None, None),
            Some(Place::One(arrival)) => (Some(arrival), None),
            Some(Place::List { size, block }) => (None, self.pools.get(size).map(|pool| List(pool.block(size, block)))),
        };
        let end = self.end;
        one.into_iter()
            .chain(list.into_iter().flat_map(move |list| list.newest_first().map(move |low| whole_of(low, end))))
    }

    fn append(&mut self, place: Place, arrival: u32) -> Place {
        match place {
            Place::One(only) => self.list(0, [only, arrival].into_iter()),
            Place::List { size, block } => {
                let Some(pool) = self.pools.get_mut(size) else { return place };
                let words = pool.block_mut(size, block);
                if push(words, arrival) {
                    return place;
                }
                if size + 1 == SIZES.len() {
                    pop(words);
                    push(words, arrival);
                    return place;
                }
                self.moved(size, block, size + 1, Some(arrival))
            }
        }
    }

    /// Takes the oldest entry out of a list, if it is there, and puts what is left where it fits.
    fn cut(&mut self, size: usize, block: u32, oldest: u32) -> Place {
        let place = Place::List { size, block };
        let Some(pool) = self.pools.get_mut(size) else { return place };
        let words = pool.block_mut(size, block);
        if List(words).oldest() != Some(number(word(oldest))) {
            return place;
        }
        pop(words);
        let list = List(words);
        if list.len() == 1 {
            let only = list.oldest().map_or(oldest, |low| whole_of(low, self.end));
            pool.give_back(block);
            return Place::One(only);
        }
        // Two sizes less at once, so that a list that goes up and down is not moved each time.
        match size.checked_sub(2) {
            Some(less) if SIZES.get(less).is_some_and(|words| list.len() + 1 < *words) => {
                self.moved(size, block, less, None)
            }
            _ => place,
        }
    }

    fn moved(&mut self, size: usize, block: u32, to: usize, more: Option<u32>) -> Place {
        let Some(pool) = self.pools.get_mut(size) else { return Place::List { size, block } };
        let mut kept = [0; PER_KEY];
        let list = List(pool.block(size, block));
        let length = list.len();
        kept.iter_mut().zip(list.oldest_first()).for_each(|(kept, arrival)| *kept = arrival);
        pool.give_back(block);
        self.list(to, kept.into_iter().take(length).chain(more))
    }

    fn list(&mut self, size: usize, arrivals: impl Iterator<Item = u32>) -> Place {
        let Some(pool) = self.pools.get_mut(size) else { return Place::One(self.end) };
        let block = pool.take(size);
        let words = pool.block_mut(size, block);
        arrivals.for_each(|arrival| {
            push(words, arrival);
        });
        Place::List { size, block }
    }
}

/// A block as a list: the first number holds where it begins and how long it is, the others go round.
struct List<'a>(&'a [Word]);

/// The number of an entry of which a list holds the lower bits, when `end` comes next.
fn whole_of(low: u32, end: u32) -> u32 {
    end.wrapping_sub(number(word(end.wrapping_sub(low))))
}

fn bounds(words: &[Word]) -> (usize, usize) {
    let bounds = words.first().copied().map_or(0, number);
    (whole(bounds >> 12), whole(bounds & 0xfff))
}

fn bind(words: &mut [Word], begin: usize, length: usize) {
    if let Some(first) = words.first_mut() {
        *first = word(u32::try_from(begin << 12 | length).unwrap_or(0));
    }
}

/// Adds to a list; `false` when there is no room.
fn push(words: &mut [Word], arrival: u32) -> bool {
    let (begin, length) = bounds(words);
    let room = words.len() - 1;
    if length == room {
        return false;
    }
    if let Some(place) = words.get_mut(1 + (begin + length) % room) {
        *place = word(arrival);
    }
    bind(words, begin, length + 1);
    true
}

/// Takes the oldest out of a list that is not empty.
fn pop(words: &mut [Word]) {
    let (begin, length) = bounds(words);
    let room = words.len() - 1;
    bind(words, (begin + 1) % room, length.saturating_sub(1));
}

impl<'a> List<'a> {
    fn len(&self) -> usize {
        bounds(self.0).1
    }

    fn oldest(&self) -> Option<u32> {
        self.oldest_first().next()
    }

    fn oldest_first(&self) -> impl DoubleEndedIterator<Item = u32> + use<'a> {
        let (begin, length) = bounds(self.0);
        let chunked_queue = self.0.get(1..).unwrap_or_default();
        let (front, back) = chunked_queue.split_at(begin.min(chunked_queue.len()));
        let straight = length.min(back.len());
        let (back, front) = (back.get(..straight), front.get(..length - straight));
        back.unwrap_or_default().iter().chain(front.unwrap_or_default()).copied().map(number)
    }

    fn newest_first(self) -> impl Iterator<Item = u32> + use<'a> {
        self.oldest_first().rev()
    }
}

/// Blocks of one size.
#[derive(Debug, Default)]
struct Pool {
    chunks: Vec<Box<[Word]>>,
    blocks: u32,
    free: Vec<u32>,
}

impl Pool {
    fn take(&mut self, size: usize) -> u32 {
        let block = self.free.pop().unwrap_or_else(|| {
            let block = self.blocks;
            self.blocks += 1;
            if whole(block).is_multiple_of(CHUNK / width(size)) {
                self.chunks.push(vec![[0; 3]; CHUNK].into_boxed_slice());
            }
            block
        });
        bind(self.block_mut(size, block), 0, 0);
        block
    }

    fn give_back(&mut self, block: u32) {
        self.free.push(block);
    }

    fn block(&self, size: usize, block: u32) -> &[Word] {
        let (chunk, range) = range(size, block);
        self.chunks.get(chunk).and_then(|chunk| chunk.get(range)).unwrap_or_default()
    }

    fn block_mut(&mut self, size: usize, block: u32) -> &mut [Word] {
        let (chunk, range) = range(size, block);
        self.chunks.get_mut(chunk).and_then(|chunk| chunk.get_mut(range)).unwrap_or_default()
    }
}

fn width(size: usize) -> usize {
    SIZES.get(size).copied().unwrap_or(CHUNK)
}

fn range(size: usize, block: u32) -> (usize, std::ops::Range<usize>) {
    let width = width(size);
    let each = CHUNK / width;
    let begin = whole(block) % each * width;
    (whole(block) / each, begin..begin + width)
}

/// Where the entries of a term are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    One(u32),
    List { size: usize, block: u32 },
}

/// A term and its place in eight bytes: 32 bits of place, 5 of kind (1 for `One`), 27 of term; all zero for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Slot(u64);

impl Slot {
    fn new(key: u32, place: Place) -> Self {
        let (size, number) = match place {
            Place::One(arrival) => (1, arrival),
            Place::List { size, block } => (size + 2, block),
        };
        Self(u64::from(key) << 37 | u64::try_from(size).unwrap_or(0) << 32 | u64::from(number))
    }

    fn is_free(self) -> bool {
        self.0 == 0
    }

    fn key(self) -> u32 {
        u32::try_from(self.0 >> 37).unwrap_or(0)
    }

    fn place(self) -> Place {
        let number = u32::try_from(self.0 & 0xffff_ffff).unwrap_or(0);
        match usize::try_from(self.0 >> 32 & 31).unwrap_or(0) {
            0 | 1 => Place::One(number),
            size => Place::List { size: size - 2, block: number },
        }
    }
}

/// A hash table with linear probing that grows by a quarter.
#[derive(Debug, Default)]
struct Table {
    slots: Vec<Slot>,
    taken: usize,
    secret: Secret,
}

impl Table {
    const LEAST: usize = 64;

    fn home(&self, key: u32) -> usize {
        self.secret.home(key, self.slots.len())
    }

    fn after(&self, at: usize) -> usize {
        if at + 1 == self.slots.len() { 0 } else { at + 1 }
    }

    fn get(&self, at: usize) -> Slot {
        self.slots.get(at).copied().unwrap_or_default()
    }

    fn set(&mut self, at: usize, slot: Slot) {
        if let Some(place) = self.slots.get_mut(at) {
            *place = slot;
        }
    }

    fn find(&self, key: u32) -> Option<usize> {
        let mut at = self.home(key);
        loop {
            let slot = self.get(at);
            if slot.is_free() {
                return None;
            }
            if slot.key() == key {
                return Some(at);
            }
            at = self.after(at);
        }
    }

    /// Adds a term that is not there yet.
    fn insert(&mut self, slot: Slot) {
        if (self.taken + 1) * 4 > self.slots.len() * 3 {
            self.resize((self.slots.len() + self.slots.len() / 4).max(Self::LEAST));
        }
        self.put(slot);
    }

    fn put(&mut self, slot: Slot) {
        let mut at = self.home(slot.key());
        while !self.get(at).is_free() {
            at = self.after(at);
        }
        self.set(at, slot);
        self.taken += 1;
    }

    /// Empties a place, and moves up what stood behind it only because it was taken.
    fn remove(&mut self, at: usize) {
        let mut hole = at;
        let mut next = self.after(at);
        while !self.get(next).is_free() {
            let slot = self.get(next);
            let length = self.slots.len();
            let from_home = (next + length - self.home(slot.key())) % length;
            let from_hole = (next + length - hole) % length;
            if from_home >= from_hole {
                self.set(hole, slot);
                hole = next;
            }
            next = self.after(next);
        }
        self.set(hole, Slot::default());
        self.taken -= 1;
    }

    fn shrink(&mut self) {
        if self.slots.len() > Self::LEAST && self.taken * 2 < self.slots.len() {
            self.resize((self.slots.len() * 3 / 4).max(Self::LEAST));
        }
    }

    fn resize(&mut self, length: usize) {
        let old = std::mem::replace(&mut self.slots, vec![Slot::default(); length]);
        self.taken = 0;
        old.into_iter().filter(|slot| !slot.is_free()).for_each(|slot| self.put(slot));
    }
}

fn whole(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{HashMap, VecDeque};

    #[test]
    fn keys_that_somebody_chose_are_found_as_fast_as_any() {
        let mut postings = Postings::default();
        // Of entries of equally rare words the keys are the smallest hashes.
        (0..60_000_u32).for_each(|entry| postings.push(entry * 12..entry * 12 + 12));
        let steps = |key: u32| {
            let (at, home) = (postings.table.find(key).unwrap(), postings.table.home(key));
            (at + postings.table.slots.len() - home) % postings.table.slots.len()
        };
        let keys = 60_000 * 12;
        assert!((0..keys).map(steps).sum::<usize>() < 4 * 60_000 * 12, "a few steps from home each");
        assert!((0..keys).map(steps).max() < Some(1_000), "and nobody far away");
    }

    #[test]
    fn a_list_runs_from_the_newest_entry_to_the_oldest_of_the_window() {
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

    #[test]
    fn lists_that_grow_and_shrink_say_what_plain_ones_do() {
        let mut postings = Postings::default();
        let mut plain: HashMap<u32, VecDeque<u32>> = HashMap::new();
        let mut window: VecDeque<Vec<u32>> = VecDeque::new();
        let mut random = 7_u64;
        for arrival in 0..6_000_u32 {
            let mut keys: Vec<u32> = (0..6_u32)
                .map(|slot| {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let rank = u32::try_from(random >> 33).unwrap() % (1 << (1 + 2 * slot));
                    rank.wrapping_mul(0x9e37_79b9) >> 5
                })
                .collect();
            keys.sort_unstable();
            keys.dedup();
            for key in &keys {
                plain.entry(*key).or_default().push_back(arrival);
            }
            postings.push(keys.iter().copied());
            window.push_back(keys);
            // The window breathes between three and two thousand entries.
            let most = if arrival / 1_500 % 2 == 0 { 2_000 } else { 3 };
            while window.len() > most {
                let keys = window.pop_front().unwrap();
                for key in &keys {
                    plain.get_mut(key).unwrap().pop_front();
                }
                postings.pop(keys.into_iter());
            }
            if arrival % 97 == 0 {
                for (key, arrivals) in &plain {
                    let expected: Vec<u32> = arrivals.iter().rev().take(PER_KEY).copied().collect();
                    assert_eq!(postings.of(*key).collect::<Vec<_>>(), expected);
                }
            }
        }
    }
}
