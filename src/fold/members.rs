//! The entries of the window, as small as they go.
//!
//! Pure. What every entry has stands in a [`ChunkedQueue`]; its terms and its sketch, of which it may have few or many, stand packed
//! one after another in bytes, those of one piece of the ring together.

use std::collections::{HashMap, VecDeque};

use super::EntryRef;
use super::chunked_queue::{ChunkedQueue, PIECE};
use super::copy::SIZE;
use super::features::Amount;
use super::fingerprint::{Fingerprint, UNDATED};
use super::hash::Prehashed;
use super::title::{Date, Lead, Signs};
use super::vector::{CELLS, Cell, Packed};

/// What is asked of an entry that another is compared with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub(super) entry: EntryRef,
    /// What its address has in common with others of the same article.
    pub(super) article_key: Option<u32>,
    /// When it came, in microseconds since 1970.
    pub(super) at: i64,
    /// When its publisher put it out, by the same count; when it came, where it does not say so.
    pub(super) told: i64,
    pub(super) is_dated: bool,
    /// The form of its title, and what was masked in it.
    pub(super) form: u32,
    pub(super) title_figures: u32,
    /// What it says of its news, and the date that it names.
    pub(super) signs: Signs,
    pub(super) date: Date,
    pub(super) outlet: u16,
    pub(super) lead: Lead,
    pub(super) amount: Amount,
    pub(super) figures: u8,
    /// Whether it is in its story for where it leads alone.
    pub(super) is_claim: bool,
}

/// An entry.
#[derive(Debug, Clone, Copy)]
struct Record {
    /// Its number and its time, counted from those of its piece; [`FAR`] for what that cannot say.
    entry: u32,
    at: [u16; 3],
    amount: Amount,
    figures: u8,
    /// How many minutes before it came its publisher put it out; [`UNDATED`] when it does not say so.
    minutes_old: u16,
    outlet: u16,
    lead: Lead,
    signs: u32,
    date: u16,
    /// [`Member::article_key`]; 0 for none.
    article_key: u32,
    form: u32,
    title_figures: u32,
    /// Its neighbours in its story, by arrival.
    before: Neighbour,
    after: Neighbour,
    norm: f32,
    /// Where its bytes begin, in the upper 19 bits, how many terms (7 bits) and hashes (5) they hold, and between the two
    /// whether it is a claim.
    bytes: u32,
}

/// The number of an entry that is kept apart with its time.
const FAR: u32 = u32::MAX;

const _: () = assert!(size_of::<Record>() == 52, "there are a million of them");
const _: () =
    assert!(PIECE * (CELLS * Cell::PACKED + SIZE * 2) < 1 << 19, "the bytes of a piece are counted in 19 bits");
const _: () = assert!(SIZE < 1 << 5, "hashes are counted in 5 bits");
const _: () = assert!(CELLS < 1 << 7, "terms are counted in 7 bits");

/// The bit of [`Record::bytes`] that says that an entry is a claim.
const CLAIM: u32 = 1 << 5;

impl Record {
    fn begin(&self) -> usize {
        usize::try_from(self.bytes >> 13).unwrap_or(usize::MAX)
    }

    fn terms(&self) -> usize {
        usize::try_from(self.bytes >> 6 & 0x7f).unwrap_or(0)
    }

    fn hashes(&self) -> usize {
        usize::try_from(self.bytes & 31).unwrap_or(0)
    }

    /// When its publisher put it out, given when it came.
    fn told(&self, came: i64) -> i64 {
        if self.minutes_old == UNDATED { came } else { came - i64::from(self.minutes_old) * 60_000_000 }
    }

    fn is_claim(&self) -> bool {
        self.bytes & CLAIM != 0
    }
}

/// An entry beside another in a story, in four bytes.
#[derive(Debug, Clone, Copy)]
struct Neighbour(u32);

impl Neighbour {
    const NONE: Self = Self(u32::MAX);

    fn get(self) -> Option<u32> {
        (self.0 != u32::MAX).then_some(self.0)
    }
}

impl From<Option<u32>> for Neighbour {
    fn from(arrival: Option<u32>) -> Self {
        arrival.map_or(Self::NONE, Self)
    }
}

/// What the entries of one piece of the ring have together.
#[derive(Debug)]
struct Piece {
    /// Their terms and sketches.
    bytes: Vec<u8>,
    /// The number and the time that theirs are counted from: those of its first entry.
    entry: u64,
    at: i64,
}

/// The entries of the window by arrival.
#[derive(Debug, Default)]
pub(super) struct Members {
    chunked_queue: ChunkedQueue<Record>,
    pieces: VecDeque<Piece>,
    /// Numbers and times that are too far from those of their piece.
    far: HashMap<u32, (EntryRef, i64), Prehashed>,
    first: u32,
}

impl Members {
    pub(super) fn len(&self) -> usize {
        self.chunked_queue.len()
    }

    /// The arrival number of the oldest.
    pub(super) fn first(&self) -> u32 {
        self.first
    }

    pub(super) fn get(&self, arrival: u32) -> Option<Member> {
        let at = self.position(arrival)?;
        let record = self.chunked_queue.get(at)?;
        let (entry, time) = self.entry_and_time(arrival, at, record)?;
        Some(Member {
            entry,
            article_key: Some(record.article_key).filter(|key| *key != 0),
            at: time,
            told: record.told(time),
            is_dated: record.minutes_old != UNDATED,
            form: record.form,
            title_figures: record.title_figures,
            signs: Signs(record.signs),
            date: Date(record.date),
            outlet: record.outlet,
            lead: record.lead,
            amount: record.amount,
            figures: record.figures,
            is_claim: record.is_claim(),
        })
    }

    /// Whether an entry is in its story for where it leads alone.
    pub(super) fn is_claim(&self, arrival: u32) -> bool {
        self.position(arrival).and_then(|at| self.chunked_queue.get(at)).is_some_and(Record::is_claim)
    }

    /// Says that an entry is in its story for where it leads alone.
    pub(super) fn mark_claim(&mut self, arrival: u32) {
        if let Some(record) = self.position(arrival).and_then(|at| self.chunked_queue.get_mut(at)) {
            record.bytes |= CLAIM;
        }
    }

    /// When an entry came, in microseconds since 1970; 0 for one out of the window.
    pub(super) fn at(&self, arrival: u32) -> i64 {
        let time = |at: usize| Some(self.entry_and_time(arrival, at, self.chunked_queue.get(at)?)?.1);
        self.position(arrival).and_then(time).unwrap_or(0)
    }

    fn entry_and_time(&self, arrival: u32, at: usize, record: &Record) -> Option<(EntryRef, i64)> {
        if record.entry == FAR {
            return self.far.get(&arrival).copied();
        }
        let piece = self.pieces.get(self.chunked_queue.piece_of(at))?;
        Some((EntryRef(piece.entry.wrapping_add(record.entry.into())), piece.at.wrapping_add(after(record.at))))
    }

    /// The entry of the same story that came before.
    pub(super) fn before(&self, arrival: u32) -> Option<u32> {
        self.chunked_queue.get(self.position(arrival)?)?.before.get()
    }

    /// The entry of the same story that came after.
    pub(super) fn after(&self, arrival: u32) -> Option<u32> {
        self.chunked_queue.get(self.position(arrival)?)?.after.get()
    }

    pub(super) fn set_neighbours(&mut self, arrival: u32, before: Option<u32>, after: Option<u32>) {
        self.set_before(arrival, before);
        self.set_after(arrival, after);
    }

    pub(super) fn set_before(&mut self, arrival: u32, before: Option<u32>) {
        if let Some(record) = self.position(arrival).and_then(|at| self.chunked_queue.get_mut(at)) {
            record.before = before.into();
        }
    }

    pub(super) fn set_after(&mut self, arrival: u32, after: Option<u32>) {
        if let Some(record) = self.position(arrival).and_then(|at| self.chunked_queue.get_mut(at)) {
            record.after = after.into();
        }
    }

    pub(super) fn position(&self, arrival: u32) -> Option<usize> {
        usize::try_from(arrival.checked_sub(self.first)?).ok()
    }

    /// The terms of an entry; none for one out of the window.
    pub(super) fn vector(&self, arrival: u32) -> Packed<'_> {
        let none = Packed { cells: &[], norm: 0.0 };
        let Some((record, bytes)) = self.bytes_of(arrival) else { return none };
        bytes.get(..record.terms() * Cell::PACKED).map_or(none, |cells| Packed { cells, norm: record.norm })
    }

    /// The sketch of an entry's text, into `room`.
    pub(super) fn sketch<'a>(&self, arrival: u32, room: &'a mut [u16; SIZE]) -> &'a [u16] {
        let Some((record, bytes)) = self.bytes_of(arrival) else { return &[] };
        let (hashes, _) = bytes.get(record.terms() * Cell::PACKED..).unwrap_or_default().as_chunks::<2>();
        let length = record.hashes().min(hashes.len()).min(SIZE);
        room.iter_mut().zip(hashes.iter().take(length)).for_each(|(room, hash)| *room = u16::from_le_bytes(*hash));
        room.get(..length).unwrap_or_default()
    }

    fn bytes_of(&self, arrival: u32) -> Option<(&Record, &[u8])> {
        let at = self.position(arrival)?;
        let record = self.chunked_queue.get(at)?;
        let piece = self.pieces.get(self.chunked_queue.piece_of(at))?;
        Some((record, piece.bytes.get(record.begin()..)?))
    }

    /// Reads a little of some entries that are about to be compared.
    ///
    /// They lie all over memory. Read one after another, each is waited for; asked for at once, they are waited for together.
    pub(super) fn prefetch(&self, arrivals: impl Iterator<Item = u32>) {
        let bytes: Vec<&[u8]> = arrivals.filter_map(|arrival| Some(self.bytes_of(arrival)?.1)).collect();
        let read = |at: usize| bytes.iter().fold(0, |all, bytes| all ^ bytes.get(at).copied().unwrap_or(0));
        std::hint::black_box((read(0), read(64), read(128), read(192)));
    }

    /// Takes in the next entry, which is in no story yet.
    pub(super) fn push(&mut self, fingerprint: &Fingerprint) {
        let at = fingerprint.at.timestamp_micros();
        if self.chunked_queue.piece_of(self.chunked_queue.len()) == self.pieces.len() {
            // The last piece is full, and its bytes grow no more.
            if let Some(full) = self.pieces.back_mut() {
                full.bytes.shrink_to_fit();
            }
            self.pieces.push_back(Piece { bytes: Vec::with_capacity(PIECE * 64), entry: fingerprint.entry.0, at });
        }
        let arrival = self.first + u32::try_from(self.chunked_queue.len()).unwrap_or(u32::MAX);
        let Some(piece) = self.pieces.back_mut() else { return };
        let begin = u32::try_from(piece.bytes.len()).unwrap_or(u32::MAX);
        let cells = fingerprint.vector.cells.iter().take(CELLS);
        cells.clone().for_each(|cell| piece.bytes.extend_from_slice(&cell.packed()));
        let hashes = fingerprint.sketch.hashes.iter().take(SIZE);
        hashes.clone().for_each(|hash| piece.bytes.extend_from_slice(&hash.to_le_bytes()));
        let number = fingerprint.entry.0.checked_sub(piece.entry).and_then(|number| u32::try_from(number).ok());
        let near = number.filter(|number| *number != FAR).zip(at.checked_sub(piece.at).and_then(short));
        if near.is_none() {
            self.far.insert(arrival, (fingerprint.entry, at));
        }
        let (entry, at) = near.unwrap_or((FAR, [0; 3]));
        self.chunked_queue.push_back(Record {
            entry,
            at,
            article_key: fingerprint.article_key.unwrap_or(0),
            form: fingerprint.title.form,
            title_figures: fingerprint.title.figures,
            before: Neighbour::NONE,
            after: Neighbour::NONE,
            norm: fingerprint.vector.norm,
            bytes: begin << 13
                | u32::try_from(cells.len()).unwrap_or(0) << 6
                | if fingerprint.is_claim { CLAIM } else { 0 }
                | u32::try_from(hashes.len()).unwrap_or(0),
            amount: fingerprint.amount,
            figures: fingerprint.figures,
            minutes_old: fingerprint.minutes_old.unwrap_or(UNDATED),
            outlet: fingerprint.outlet,
            lead: fingerprint.lead,
            signs: fingerprint.title.signs.0,
            date: fingerprint.title.date.0,
        });
    }

    /// Forgets the oldest entry.
    pub(super) fn pop_front(&mut self) {
        let Some(record) = self.chunked_queue.pop_front() else { return };
        if record.entry == FAR {
            self.far.remove(&self.first);
        }
        self.first += 1;
        while self.pieces.len() > self.chunked_queue.pieces() {
            self.pieces.pop_front();
        }
    }
}

/// A time that is at most four years away, in six bytes.
fn short(time: i64) -> Option<[u16; 3]> {
    let [a, b, c, d, e, f, ..] = time.to_le_bytes();
    let short = [u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]), u16::from_le_bytes([e, f])];
    (after(short) == time).then_some(short)
}

/// The time that `short` wrote.
fn after([low, middle, high]: [u16; 3]) -> i64 {
    let high = i64::from(i16::from_le_bytes(high.to_le_bytes()));
    high << 32 | i64::from(middle) << 16 | i64::from(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_near_and_far_are_kept() {
        for time in [0, 1, -1, 65_536, -65_537, 259_200_000_000, -259_200_000_000, (1 << 47) - 1, -(1 << 47)] {
            assert_eq!(short(time).map(after), Some(time));
        }
        assert_eq!(short(1 << 47), None);
    }
}
