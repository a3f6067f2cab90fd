//! An entry's terms, weighed: a sparse vector of length one in whole numbers.
//!
//! Pure. Sums of whole numbers do not depend on their order, which keeps a restarted index equal to one that never stopped.

use super::features::Features;
use super::hash::Secret;
use super::hash::short;
use super::weights::Weights;

/// Features kept of an entry: the heaviest.
pub(super) const CELLS: usize = 64;

/// What a vector of length one has as its length: the largest weight that a packed cell holds.
const UNIT: f32 = 2_047.0;

/// How much more a word of the title weighs that the summary or the beginning of the text has, too (1.2 and more), than one that
/// stands in the title alone (1).
const TOLD_OF: f32 = 1.15;

/// Features by which an entry is looked for and found.
pub const KEYS: usize = 12;

/// One term of a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// The term: the upper 27 bits of its hash.
    pub hash: u32,
    /// Its share of the vector, of 2,047.
    pub weight: u16,
    /// How rare it was when the entry came: sixteenths of `Weights::rarity`.
    pub rarity: u8,
    flags: u8,
}

impl Cell {
    const TITLE: u8 = 1;
    const NUMBER: u8 = 2;

    /// Bytes of a packed cell.
    pub const PACKED: usize = 6;

    /// The cell in six bytes: 27 bits of hash, 11 of weight, 8 of rarity, 2 of flags.
    pub fn packed(self) -> [u8; Self::PACKED] {
        let bits = u64::from(self.hash)
            | u64::from(self.weight.min(2_047)) << 27
            | u64::from(self.rarity) << 38
            | u64::from(self.flags & 3) << 46;
        let [a, b, c, d, e, f, ..] = bits.to_le_bytes();
        [a, b, c, d, e, f]
    }

    /// The cell that `packed` wrote.
    pub fn unpacked([a, b, c, d, e, f]: [u8; Self::PACKED]) -> Self {
        Self {
            hash: u32::from_le_bytes([a, b, c, d & 7]),
            weight: u16::from_le_bytes([d >> 3 | e << 5, e >> 3 & 7]),
            rarity: e >> 6 | f << 2,
            flags: f >> 6,
        }
    }

    /// Whether the title has it.
    pub fn in_title(self) -> bool {
        self.flags & Self::TITLE != 0
    }

    /// Whether it is a number.
    pub fn is_number(self) -> bool {
        self.flags & Self::NUMBER != 0
    }

    /// Whether the title has it and the text tells of it, too: it weighs more than a word that stands in the title alone.
    /// `norm` is that of its vector.
    fn is_told_of(self, norm: f32) -> bool {
        let told = f32::from(self.weight) * norm / UNIT;
        self.in_title() && told > TOLD_OF * f32::from(self.rarity) / 16.0
    }

    /// Whether it may be what a form is filled in with: a number of the title, or a word of it that the text tells of.
    fn fills(self, norm: f32) -> bool {
        self.in_title() && (self.is_number() || self.is_told_of(norm))
    }
}

/// The weighed terms of an entry, by ascending hash.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Vector {
    /// The terms.
    pub cells: Box<[Cell]>,
    /// What the weights were divided by.
    pub norm: f32,
}

/// Weighs the terms of an entry by where they stand, how often, and how rare they are.
pub fn of(features: &Features, weights: &Weights) -> Vector {
    let mut rarity_of = weights.rarities(features.language);
    let mut raw: Vec<(f32, Cell)> = features
        .terms
        .iter()
        .map(|term| {
            let often = f32::from(term.title) + 0.7 * f32::from(term.summary) + 0.15 * f32::from(term.body);
            let rarity = rarity_of(term.hash);
            let weight = (1.0 + often).log2() * rarity;
            let flags = if term.title > 0 { Cell::TITLE } else { 0 } | if term.number { Cell::NUMBER } else { 0 };
            (weight, Cell { hash: short(term.hash), weight: 0, rarity: tick(rarity), flags })
        })
        .collect();
    let order = |(a, x): &(f32, Cell), (b, y): &(f32, Cell)| b.total_cmp(a).then(x.hash.cmp(&y.hash));
    // What is not kept can be shared with nobody, and does not count as lacking: long texts would be unlike everything.
    if raw.len() > CELLS {
        raw.select_nth_unstable_by(CELLS, order);
        raw.truncate(CELLS);
    }
    raw.sort_unstable_by(order);
    let norm = raw.iter().map(|(weight, _)| f64::from(*weight) * f64::from(*weight)).sum::<f64>().sqrt();
    let norm = narrow(norm);
    let mut cells: Vec<Cell> =
        raw.into_iter().map(|(weight, cell)| Cell { weight: whole(weight / norm * UNIT), ..cell }).collect();
    cells.sort_unstable_by_key(|cell| (cell.hash, std::cmp::Reverse(cell.weight)));
    // Hardly ever are two terms one to us; then the heavier one stands.
    cells.dedup_by_key(|cell| cell.hash);
    Vector { cells: cells.into_boxed_slice(), norm }
}

impl Vector {
    /// The terms by which the entry is looked for: the heaviest, in no order.
    pub fn keys(&self) -> Vec<Cell> {
        keys(self.cells.iter().copied())
    }
}

/// The heaviest of some terms, in no order.
///
/// Of equally heavy ones those with the smallest hashes: two entries that share them are to choose the same, before a restart
/// and after it. Where their places are in a table does not follow from that; see [`Secret`].
pub(super) fn keys(cells: impl Iterator<Item = Cell>) -> Vec<Cell> {
    let mut keys: Vec<Cell> = cells.collect();
    let order = |key: &Cell| (std::cmp::Reverse(key.weight), key.hash);
    if keys.len() > KEYS {
        keys.select_nth_unstable_by_key(KEYS, order);
        keys.truncate(KEYS);
    }
    keys
}

/// A vector as the index keeps it: packed cells and what the weights were divided by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packed<'a> {
    pub(super) cells: &'a [u8],
    pub(super) norm: f32,
}

impl<'a> Packed<'a> {
    pub(super) fn cells(self) -> impl Iterator<Item = Cell> + use<'a> {
        let (cells, _) = self.cells.as_chunks::<{ Cell::PACKED }>();
        cells.iter().map(|cell| Cell::unpacked(*cell))
    }
}

/// What two vectors share.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Overlap {
    /// The share of the first one's title, by weight, that the second has anywhere.
    pub(super) title_in_other: f32,
    /// The share of the second one's title, by weight, that the first has anywhere.
    pub(super) other_title_in: f32,
    /// How much the shared terms tell, all in all.
    pub(super) mass: f32,
    /// The share of what the one that tells less tells that the other tells too.
    pub(super) contained: f32,
    /// How rare the rarest term of the first one's title is that the second lacks.
    pub(super) missing: f32,
    /// How rare the rarest term of the second one's title is that the first lacks.
    pub(super) other_missing: f32,
    /// Numbers that both have.
    pub(super) numbers: u16,
    /// Numbers that the one with fewer has.
    pub(super) fewer_numbers: u16,
    /// How rare the two rarest shared terms are, the rarest first.
    pub(super) anchors: [f32; 2],
    /// Which cells of the first one the second has, a bit each.
    pub(super) shared: u64,
    /// Words in both titles that the first one's entry writes in small letters somewhere.
    pub(super) deeds: u8,
}

/// Two titles beside each other, word by word.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Titles {
    /// How many words the first one has, the second, and both.
    pub(super) own: u32,
    pub(super) other: u32,
    pub(super) both: u32,
    /// Whether each has a word that may be filled into a form and that the other entry has nowhere.
    fills: bool,
    other_fills: bool,
    /// Whether such a word of the first one is a name or a number.
    pub(super) fills_a_name: bool,
    /// Whether the first one has a name or a number, told of or not, that the other entry has nowhere.
    pub(super) has_own_name: bool,
    /// Whether the text of the first one tells of a word of its title.
    pub(super) is_told: bool,
}

impl Titles {
    /// Whether each has a word that is filled into a form: two fillings of one.
    pub(super) fn are_fillings(self) -> bool {
        self.fills && self.other_fills
    }

    /// How many words either has that the other lacks, at most.
    pub(super) fn lacking(self) -> u32 {
        self.own.max(self.other) - self.both
    }

    /// Whether they have the same words.
    pub(super) fn are_same_words(self) -> bool {
        self.own == self.both && self.other == self.both
    }
}

/// Slots in which a probe's cells are found.
const SLOTS: usize = 1 << u8::BITS;

/// A vector made ready for comparing it with many others.
#[derive(Debug)]
pub(super) struct ProbeVector<'a> {
    vector: &'a Vector,
    /// One more than the place of each cell, by the lower bits of its hash; what is taken goes to the next slot.
    slots: [u8; SLOTS],
    title: u32,
    /// All weights together.
    whole: u32,
    numbers: u16,
    /// Which cells of its title are words that the entry writes in small letters somewhere, a bit each.
    small: u64,
}

impl<'a> ProbeVector<'a> {
    pub(super) fn new(features: &Features, vector: &'a Vector) -> Self {
        let mut slots = [0; SLOTS];
        let (mut title, mut whole, mut numbers, mut small) = (0, 0, 0, 0);
        for (place, cell) in (1_u8..).zip(vector.cells.iter().take(CELLS)) {
            let mut slot = Self::home(cell.hash);
            while slots.get(slot).is_some_and(|taken| *taken != 0) {
                slot = (slot + 1) % SLOTS;
            }
            if let Some(free) = slots.get_mut(slot) {
                *free = place;
            }
            whole += u32::from(cell.weight);
            title += if cell.in_title() { u32::from(cell.weight) } else { 0 };
            numbers += u16::from(cell.is_number());
            let is_small = cell.in_title() && features.term_of(cell.hash).is_some_and(|term| term.is_small);
            small |= u64::from(is_small) << (place - 1);
        }
        Self { vector, slots, title, whole, numbers, small }
    }

    /// The slot of a hash: its lowest byte, which is the first one of a packed cell.
    fn home(hash: u32) -> usize {
        usize::from(hash.to_le_bytes()[0])
    }

    fn find(&self, hash: u32) -> Option<(usize, Cell)> {
        let mut slot = Self::home(hash);
        loop {
            let place = usize::from(*self.slots.get(slot)?).checked_sub(1)?;
            let cell = *self.vector.cells.get(place)?;
            if cell.hash == hash {
                return Some((place, cell));
            }
            slot = (slot + 1) % SLOTS;
        }
    }

    /// What the two give if they are multiplied, and which cells of the first one the second has, a bit each.
    ///
    /// It is asked of every member of every story that an entry may tell, and most terms are not shared: a byte of the hash says so.
    pub(super) fn product(&self, other: Packed<'_>) -> (u64, u64) {
        let (cells, _) = other.cells.as_chunks::<{ Cell::PACKED }>();
        let (mut dot, mut shared) = (0, 0);
        for cell in cells {
            let [home, ..] = *cell;
            if self.slots.get(usize::from(home)).is_some_and(|place| *place != 0) {
                let theirs = Cell::unpacked(*cell);
                if let Some((place, own)) = self.find(theirs.hash) {
                    dot += u64::from(own.weight) * u64::from(theirs.weight);
                    shared |= 1 << place;
                }
            }
        }
        (dot, shared)
    }

    /// The share of its title, by weight, that is in the cells of `shared`.
    pub(super) fn title_in(&self, shared: u64) -> f32 {
        let held = self.vector.cells.iter().enumerate().filter(|(at, cell)| cell.in_title() && shared >> at & 1 == 1);
        share(held.map(|(_, cell)| u32::from(cell.weight)).sum(), self.title)
    }

    /// Lays another vector over it.
    pub(super) fn overlap(&self, other: Packed<'_>) -> Overlap {
        let (mut found, mut other_title, mut other_found, mut other_whole) = (0_u32, 0_u32, 0_u32, 0_u32);
        let (mut numbers, mut other_numbers) = (0_u16, 0_u16);
        let mut other_missing = 0_u8;
        let mut shared = 0_u64;
        let mut in_titles = 0_u64;
        let mut mass = 0.0_f32;
        let mut anchors = [0.0_f32; 2];
        for theirs in other.cells() {
            let in_title = if theirs.in_title() { u32::from(theirs.weight) } else { 0 };
            other_title += in_title;
            other_whole += u32::from(theirs.weight);
            other_numbers += u16::from(theirs.is_number());
            let Some((place, own)) = self.find(theirs.hash) else {
                other_missing = other_missing.max(if theirs.in_title() { theirs.rarity } else { 0 });
                continue;
            };
            shared |= 1 << place;
            in_titles |= u64::from(theirs.in_title()) << place;
            other_found += in_title;
            found += if own.in_title() { u32::from(own.weight) } else { 0 };
            numbers += u16::from(own.is_number());
            mass += (f32::from(own.weight) * self.vector.norm).min(f32::from(theirs.weight) * other.norm) / UNIT;
            let mut rest = f32::from(own.rarity.min(theirs.rarity)) / 16.0;
            for anchor in &mut anchors {
                if rest > *anchor {
                    std::mem::swap(&mut rest, anchor);
                }
            }
        }
        let cells = self.vector.cells.iter().enumerate();
        let lacked = cells.filter(|(at, cell)| cell.in_title() && shared >> at & 1 == 0);
        let missing = lacked.map(|(_, cell)| cell.rarity).max().unwrap_or(0);
        let told = |whole: u32, norm: f32| super::weights::real(whole) * norm / UNIT;
        let less = told(self.whole, self.vector.norm).min(told(other_whole, other.norm));
        Overlap {
            title_in_other: share(found, self.title),
            other_title_in: share(other_found, other_title),
            mass,
            contained: if less > 0.0 { (mass / less).min(1.0) } else { 0.0 },
            missing: f32::from(missing) / 16.0,
            other_missing: f32::from(other_missing) / 16.0,
            numbers,
            fewer_numbers: self.numbers.min(other_numbers),
            anchors,
            shared,
            deeds: u8::try_from((in_titles & self.small).count_ones()).unwrap_or(u8::MAX),
        }
    }

    /// Lays the title of another beside its own, word by word.
    pub(super) fn titles(&self, other: Packed<'_>) -> Titles {
        let mut titles = Titles::default();
        let mut shared = 0_u64;
        for theirs in other.cells() {
            titles.other += u32::from(theirs.in_title());
            match self.find(theirs.hash) {
                Some((place, own)) => {
                    shared |= 1 << place;
                    titles.both += u32::from(theirs.in_title() && own.in_title());
                }
                None => titles.other_fills |= theirs.fills(other.norm),
            }
        }
        for (at, cell) in self.vector.cells.iter().enumerate().filter(|(_, cell)| cell.in_title()) {
            titles.own += 1;
            titles.is_told |= cell.is_told_of(self.vector.norm);
            if shared >> at & 1 == 0 {
                let (fills, is_name) = (cell.fills(self.vector.norm), self.small >> at & 1 == 0);
                titles.fills |= fills;
                titles.fills_a_name |= fills && is_name;
                titles.has_own_name |= is_name;
            }
        }
        titles
    }

    /// The share of its title that another has too, the terms of `frame` apart; `shared` says which terms the other has.
    pub(super) fn beyond(&self, frame: &[u32], shared: u64) -> f32 {
        let (mut rest, mut found) = (0_u32, 0_u32);
        for (at, cell) in self.vector.cells.iter().enumerate() {
            if cell.in_title() && !frame.contains(&cell.hash) {
                rest += u32::from(cell.weight);
                found += if shared >> at & 1 == 1 { u32::from(cell.weight) } else { 0 };
            }
        }
        share(found, rest)
    }

    /// The terms that one of the others has too.
    pub(super) fn shared_with(&self, others: impl Iterator<Item = Packed<'a>>) -> Vec<Cell> {
        let mut shared = 0_u64;
        for theirs in others.flat_map(Packed::cells) {
            shared |= self.find(theirs.hash).map_or(0, |(place, _)| 1 << place);
        }
        let cells = self.vector.cells.iter().enumerate();
        cells.filter(|(at, _)| shared >> at & 1 == 1).map(|(_, cell)| *cell).collect()
    }
}

const _: () = assert!(CELLS <= 64, "the shared terms of a vector are told in 64 bits");

/// A story's core: the sum of its members' vectors.
///
/// A table with linear probing. It lies cold in memory when it is asked, and of a table each question reads one place, whereas a
/// search in a sorted list waits for a dozen, one after another.
#[derive(Debug, Clone, Default)]
pub(super) struct Centroid {
    slots: Vec<Sum>,
    taken: usize,
    square: u64,
    secret: Secret,
}

/// A term and its weight in a core; 0 when those that had it are gone.
#[derive(Debug, Clone, Copy)]
struct Sum {
    hash: u32,
    weight: u32,
}

impl Sum {
    const FREE: Self = Self { hash: u32::MAX, weight: 0 };
}

impl Centroid {
    const LEAST: usize = 64;

    /// The sum of some vectors.
    pub(super) fn of<'a>(vectors: impl Iterator<Item = Packed<'a>>) -> Self {
        let mut core = Self::default();
        vectors.for_each(|vector| core.add(vector));
        core
    }

    /// Its length.
    pub(super) fn length(&self) -> f32 {
        wide(self.square).sqrt()
    }

    /// Adds a vector to the sum.
    pub(super) fn add(&mut self, vector: Packed<'_>) {
        vector.cells().for_each(|cell| self.change(cell.hash, |sum| sum + u32::from(cell.weight)));
    }

    /// Takes a vector that was added out of the sum.
    pub(super) fn remove(&mut self, vector: Packed<'_>) {
        vector.cells().for_each(|cell| self.change(cell.hash, |sum| sum.saturating_sub(u32::from(cell.weight))));
    }

    fn change(&mut self, hash: u32, change: impl Fn(u32) -> u32) {
        if (self.taken + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        let at = self.place(hash);
        let Some(sum) = self.slots.get_mut(at) else { return };
        self.taken += usize::from(sum.hash == u32::MAX);
        let before = u64::from(sum.weight);
        *sum = Sum { hash, weight: change(sum.weight) };
        let after = u64::from(sum.weight);
        self.square = (self.square + after * after).saturating_sub(before * before);
    }

    /// Makes room, first of all by dropping the terms that nobody has any more.
    fn grow(&mut self) {
        let kept: Vec<Sum> = self.slots.iter().copied().filter(|sum| sum.weight > 0).collect();
        self.taken = kept.len();
        self.slots = vec![Sum::FREE; (kept.len() * 7 / 4).max(Self::LEAST)];
        for sum in kept {
            let at = self.place(sum.hash);
            if let Some(slot) = self.slots.get_mut(at) {
                *slot = sum;
            }
        }
    }

    /// Where a term stands, or would.
    fn place(&self, hash: u32) -> usize {
        let mut at = self.secret.home(hash, self.slots.len());
        while self.slots.get(at).is_some_and(|sum| sum.hash != hash && sum.hash != u32::MAX) {
            at = if at + 1 == self.slots.len() { 0 } else { at + 1 };
        }
        at
    }

    fn weight(&self, hash: u32) -> u64 {
        self.slots.get(self.place(hash)).map_or(0, |sum| u64::from(sum.weight))
    }

    /// The cosine of a vector and the core.
    pub(super) fn cosine(&self, vector: &Vector) -> f32 {
        let dot = vector.cells.iter().map(|cell| self.weight(cell.hash) * u64::from(cell.weight)).sum();
        core_cosine(dot, self.length())
    }

    /// The cosine of two cores.
    pub(super) fn cosine_to(&self, other: &Self) -> f32 {
        let sums = self.slots.iter().filter(|sum| sum.weight > 0);
        let dot = sums.map(|sum| other.weight(sum.hash) * u64::from(sum.weight)).sum();
        let (own, theirs) = (self.length(), other.length());
        if own > 0.0 && theirs > 0.0 { over(dot, own * theirs) } else { 0.0 }
    }
}

/// The cosine of two vectors, by their product.
pub(super) fn cosine(dot: u64) -> f32 {
    over(dot, UNIT * UNIT)
}

/// The cosine of a vector and a core, by their product and the core's length.
pub(super) fn core_cosine(dot: u64, length: f32) -> f32 {
    if length > 0.0 { over(dot, length * UNIT) } else { 0.0 }
}

fn over(dot: u64, lengths: f32) -> f32 {
    (wide(dot) / lengths).min(1.0)
}

fn share(part: u32, whole: u32) -> f32 {
    if whole == 0 { 0.0 } else { super::weights::real(part) / super::weights::real(whole) }
}

/// A whole number as a real one; sums here stay far below 2^53.
fn wide(number: u64) -> f32 {
    let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
    let (high, lower) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
    narrow(f64::from(high) * 4_294_967_296.0 + f64::from(lower))
}

#[expect(clippy::cast_possible_truncation, reason = "rounds to the nearest f32, which is all that a weight needs")]
fn narrow(number: f64) -> f32 {
    number as f32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float-to-int cast saturates, which is what is wanted"
)]
fn tick(rarity: f32) -> u8 {
    (rarity * 16.0).round() as u8
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float-to-int cast saturates, and a weight is 0 to 2,047"
)]
fn whole(weight: f32) -> u16 {
    weight.round() as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_cell_is_the_cell() {
        for (hash, weight, rarity, flags) in [(0, 0, 0, 0), (0x7ff_ffff, 2_047, 255, 3), (0x512_3456, 1_029, 177, 1)] {
            let cell = Cell { hash, weight, rarity, flags };
            assert_eq!(Cell::unpacked(cell.packed()), cell);
        }
    }
}
