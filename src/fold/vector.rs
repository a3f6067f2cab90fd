//! An entry's terms, weighed: a sparse vector of length one in whole numbers.
//!
//! Pure. Sums of whole numbers do not depend on their order, which keeps a restarted index equal to one that never stopped.

use super::terms::Terms;
use super::weights::Weights;

/// Terms kept of an entry: the heaviest.
const CELLS: usize = 64;

/// What a vector of length one has as its length.
const UNIT: f32 = 16_384.0;

/// Terms by which an entry is looked for and found.
pub const KEYS: usize = 12;

/// One term of a vector, in eight bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// The term.
    pub hash: u32,
    /// Its share of the vector, of 16,384.
    pub weight: u16,
    /// How rare it was when the entry came: sixteenths of `Weights::rarity`.
    pub rarity: u8,
    flags: u8,
}

impl Cell {
    const TITLE: u8 = 1;
    const NUMBER: u8 = 2;

    /// A cell of its parts; `flags` are what [`Cell::flags`] gave.
    pub fn new(hash: u32, weight: u16, rarity: u8, flags: u8) -> Self {
        Self { hash, weight, rarity, flags }
    }

    /// Whether the title has it.
    pub fn in_title(self) -> bool {
        self.flags & Self::TITLE != 0
    }

    /// Whether it is a number.
    pub fn is_number(self) -> bool {
        self.flags & Self::NUMBER != 0
    }

    /// What `new` takes.
    pub fn flags(self) -> u8 {
        self.flags
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
pub fn of(terms: &Terms, weights: &Weights) -> Vector {
    let mut raw: Vec<(f32, Cell)> = terms
        .terms
        .iter()
        .map(|term| {
            let often = f32::from(term.title) + 0.7 * f32::from(term.summary) + 0.25 * f32::from(term.body);
            let rarity = weights.rarity(term.hash);
            let weight = (1.0 + often).log2() * rarity;
            let flags = if term.title > 0 { Cell::TITLE } else { 0 } | if term.number { Cell::NUMBER } else { 0 };
            (weight, Cell::new(term.hash, 0, tick(rarity), flags))
        })
        .collect();
    raw.sort_unstable_by(|(a, x), (b, y)| b.total_cmp(a).then(x.hash.cmp(&y.hash)));
    // The whole text sets the length, also that part of it that is not kept.
    let norm = raw.iter().map(|(weight, _)| f64::from(*weight) * f64::from(*weight)).sum::<f64>().sqrt();
    raw.truncate(CELLS);
    let norm = narrow(norm);
    let mut cells: Vec<Cell> =
        raw.into_iter().map(|(weight, cell)| Cell { weight: whole(weight / norm * UNIT), ..cell }).collect();
    cells.sort_unstable_by_key(|cell| cell.hash);
    Vector { cells: cells.into_boxed_slice(), norm }
}

impl Vector {
    /// Whether it has a term.
    pub fn has(&self, hash: u32) -> bool {
        self.cells.binary_search_by_key(&hash, |cell| cell.hash).is_ok()
    }

    /// The terms by which the entry is looked for: the heaviest, heaviest first.
    pub fn keys(&self) -> Vec<Cell> {
        let mut keys = self.cells.to_vec();
        keys.sort_unstable_by_key(|cell| (std::cmp::Reverse(cell.weight), cell.hash));
        keys.truncate(KEYS);
        keys
    }
}

/// What two vectors share.
#[derive(Debug, Clone, Copy, Default)]
pub struct Overlap {
    /// Their cosine, 0 to 1.
    pub cosine: f32,
    /// The share of the first one's title, by weight, that the second has anywhere.
    pub title_in_other: f32,
    /// The share of the second one's title, by weight, that the first has anywhere.
    pub other_title_in: f32,
    /// How much the shared terms tell, all in all.
    pub mass: f32,
    /// How rare the rarest term of the first one's title is that the second lacks.
    pub missing: f32,
    /// How rare the rarest term of the second one's title is that the first lacks.
    pub other_missing: f32,
    /// Numbers that both have.
    pub numbers: u16,
    /// Numbers that the one with fewer has.
    pub fewer_numbers: u16,
    /// How rare the two rarest shared terms are, the rarest first.
    pub anchors: [f32; 2],
}

/// Lays one vector over another.
pub fn overlap(one: &Vector, two: &Vector) -> Overlap {
    let mut dot = 0_u64;
    let (mut one_title, mut one_found, mut two_title, mut two_found) = (0_u32, 0_u32, 0_u32, 0_u32);
    let mut numbers = 0_u16;
    let (mut one_numbers, mut two_numbers) = (0_u16, 0_u16);
    let (mut missing, mut other_missing) = (0_u8, 0_u8);
    let mut mass = 0.0_f32;
    let mut anchors = [0.0_f32; 2];
    let (mut left, mut right) = (one.cells.iter().peekable(), two.cells.iter().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (Some(a), Some(b)) => a.hash.cmp(&b.hash),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (None, None) => break,
        };
        let a = if order.is_le() { left.next() } else { None };
        let b = if order.is_ge() { right.next() } else { None };
        let both = a.is_some() && b.is_some();
        one_numbers += u16::from(a.is_some_and(|a| a.is_number()));
        two_numbers += u16::from(b.is_some_and(|b| b.is_number()));
        if let Some(a) = a
            && a.in_title()
        {
            one_title += u32::from(a.weight);
            if both {
                one_found += u32::from(a.weight);
            } else {
                missing = missing.max(a.rarity);
            }
        }
        if let Some(b) = b
            && b.in_title()
        {
            two_title += u32::from(b.weight);
            if both {
                two_found += u32::from(b.weight);
            } else {
                other_missing = other_missing.max(b.rarity);
            }
        }
        if let (Some(a), Some(b)) = (a, b) {
            dot += u64::from(a.weight) * u64::from(b.weight);
            numbers += u16::from(a.is_number());
            let tells = (f32::from(a.weight) * one.norm).min(f32::from(b.weight) * two.norm) / UNIT;
            mass += tells;
            let mut rest = f32::from(a.rarity.min(b.rarity)) / 16.0;
            for anchor in &mut anchors {
                if rest > *anchor {
                    std::mem::swap(&mut rest, anchor);
                }
            }
        }
    }
    Overlap {
        cosine: cosine(dot, UNIT * UNIT),
        title_in_other: share(one_found, one_title),
        other_title_in: share(two_found, two_title),
        mass,
        missing: f32::from(missing) / 16.0,
        other_missing: f32::from(other_missing) / 16.0,
        numbers,
        fewer_numbers: one_numbers.min(two_numbers),
        anchors,
    }
}

/// A story's core: the sum of its members' vectors.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Core {
    sums: Vec<(u32, u32)>,
    length: f32,
}

impl Core {
    /// The sum of some vectors.
    pub fn of<'a>(vectors: impl Iterator<Item = &'a Vector>) -> Self {
        let mut sums: Vec<(u32, u32)> =
            vectors.flat_map(|vector| vector.cells.iter()).map(|cell| (cell.hash, u32::from(cell.weight))).collect();
        sums.sort_unstable();
        sums.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 += if same { next.1 } else { 0 };
            same
        });
        sums.shrink_to_fit();
        Self { length: length(&sums), sums }
    }

    /// Adds a vector to the sum.
    pub fn add(&mut self, vector: &Vector) {
        let mut sums = Vec::with_capacity(self.sums.len() + vector.cells.len());
        let mut old = self.sums.iter().copied().peekable();
        for cell in &vector.cells {
            while let Some(sum) = old.next_if(|(hash, _)| *hash < cell.hash) {
                sums.push(sum);
            }
            let before = old.next_if(|(hash, _)| *hash == cell.hash).map_or(0, |(_, sum)| sum);
            sums.push((cell.hash, before + u32::from(cell.weight)));
        }
        sums.extend(old);
        self.length = length(&sums);
        self.sums = sums;
    }

    /// Takes a vector that was added out of the sum.
    pub fn remove(&mut self, vector: &Vector) {
        for cell in &vector.cells {
            if let Ok(at) = self.sums.binary_search_by_key(&cell.hash, |(hash, _)| *hash)
                && let Some((_, sum)) = self.sums.get_mut(at)
            {
                *sum = sum.saturating_sub(u32::from(cell.weight));
            }
        }
        self.sums.retain(|(_, sum)| *sum > 0);
        self.length = length(&self.sums);
    }

    /// The cosine of a vector and the core.
    pub fn cosine(&self, vector: &Vector) -> f32 {
        let mut dot = 0_u64;
        let mut sums = self.sums.iter().peekable();
        for cell in &vector.cells {
            while sums.next_if(|(hash, _)| *hash < cell.hash).is_some() {}
            if let Some((_, sum)) = sums.next_if(|(hash, _)| *hash == cell.hash) {
                dot += u64::from(*sum) * u64::from(cell.weight);
            }
        }
        if self.length > 0.0 { cosine(dot, self.length * UNIT) } else { 0.0 }
    }

    /// The cosine of two cores.
    pub fn cosine_to(&self, other: &Self) -> f32 {
        let mut dot = 0_u64;
        let mut sums = other.sums.iter().peekable();
        for (hash, sum) in &self.sums {
            while sums.next_if(|(theirs, _)| theirs < hash).is_some() {}
            if let Some((_, theirs)) = sums.next_if(|(theirs, _)| theirs == hash) {
                dot += u64::from(*theirs) * u64::from(*sum);
            }
        }
        if self.length > 0.0 && other.length > 0.0 { cosine(dot, self.length * other.length) } else { 0.0 }
    }
}

fn cosine(dot: u64, lengths: f32) -> f32 {
    (wide(dot) / lengths).min(1.0)
}

fn share(part: u32, whole: u32) -> f32 {
    if whole == 0 { 0.0 } else { super::weights::real(part) / super::weights::real(whole) }
}

fn length(sums: &[(u32, u32)]) -> f32 {
    wide(sums.iter().map(|(_, sum)| u64::from(*sum) * u64::from(*sum)).sum()).sqrt()
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
    reason = "a float-to-int cast saturates, and a weight is 0 to 16,384"
)]
fn whole(weight: f32) -> u16 {
    weight.round() as u16
}
