//! The entries of the window, as small as they go.
//!
//! Pure. What every entry has stands in a [`Ring`]; its terms and its sketch, of which it may have few or many, stand packed
//! one after another in bytes, those of one piece of the ring together.

use std::collections::VecDeque;
use std::num::NonZeroU64;

use chrono::{DateTime, Utc};

use super::EntryRef;
use super::copy::SIZE;
use super::print::Print;
use super::ring::{PIECE, Ring};
use super::terms::Amount;
use super::vector::{Cell, Packed};

/// An entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub(super) entry: EntryRef,
    pub(super) feed: Option<NonZeroU64>,
    pub(super) at: DateTime<Utc>,
    /// The form of its title, and what was masked in it.
    pub(super) form: u32,
    pub(super) title_figures: u32,
    /// Its neighbours in its story, by arrival.
    pub(super) before: Neighbour,
    pub(super) after: Neighbour,
    norm: f32,
    /// Where its bytes begin, and how many terms and hashes they hold.
    begin: u32,
    terms: u8,
    hashes: u8,
    pub(super) amount: Amount,
    pub(super) figures: u8,
}

/// An entry beside another in a story, in four bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Neighbour(u32);

impl Neighbour {
    const NONE: Self = Self(u32::MAX);

    pub(super) fn get(self) -> Option<u32> {
        (self.0 != u32::MAX).then_some(self.0)
    }
}

impl From<Option<u32>> for Neighbour {
    fn from(arrival: Option<u32>) -> Self {
        arrival.map_or(Self::NONE, Self)
    }
}

/// The entries of the window by arrival.
#[derive(Debug, Default)]
pub(super) struct Members {
    ring: Ring<Member>,
    bytes: VecDeque<Vec<u8>>,
    first: u32,
}

impl Members {
    pub(super) fn len(&self) -> usize {
        self.ring.len()
    }

    /// The arrival number of the oldest.
    pub(super) fn first(&self) -> u32 {
        self.first
    }

    pub(super) fn front(&self) -> Option<&Member> {
        self.ring.front()
    }

    pub(super) fn get(&self, arrival: u32) -> Option<&Member> {
        self.ring.get(self.position(arrival)?)
    }

    pub(super) fn get_mut(&mut self, arrival: u32) -> Option<&mut Member> {
        let at = self.position(arrival)?;
        self.ring.get_mut(at)
    }

    pub(super) fn position(&self, arrival: u32) -> Option<usize> {
        usize::try_from(arrival.checked_sub(self.first)?).ok()
    }

    /// The terms of an entry; none for one out of the window.
    pub(super) fn vector(&self, arrival: u32) -> Packed<'_> {
        let none = Packed { cells: &[], norm: 0.0 };
        let Some((member, bytes)) = self.bytes_of(arrival) else { return none };
        bytes.get(..usize::from(member.terms) * Cell::PACKED).map_or(none, |cells| Packed { cells, norm: member.norm })
    }

    /// The sketch of an entry's text, into `room`.
    pub(super) fn sketch<'a>(&self, arrival: u32, room: &'a mut [u16; SIZE]) -> &'a [u16] {
        let Some((member, bytes)) = self.bytes_of(arrival) else { return &[] };
        let (hashes, _) = bytes.get(usize::from(member.terms) * Cell::PACKED..).unwrap_or_default().as_chunks::<2>();
        let length = usize::from(member.hashes).min(hashes.len()).min(SIZE);
        room.iter_mut().zip(hashes.iter().take(length)).for_each(|(room, hash)| *room = u16::from_le_bytes(*hash));
        room.get(..length).unwrap_or_default()
    }

    fn bytes_of(&self, arrival: u32) -> Option<(&Member, &[u8])> {
        let at = self.position(arrival)?;
        let member = self.ring.get(at)?;
        let bytes = self.bytes.get(self.ring.piece_of(at))?;
        Some((member, bytes.get(usize::try_from(member.begin).ok()?..)?))
    }

    /// Reads a little of some entries that are about to be compared.
    ///
    /// They lie all over memory. Read one after another, each is waited for; asked for at once, they are waited for together.
    pub(super) fn call_up(&self, arrivals: impl Iterator<Item = u32>) {
        let bytes: Vec<&[u8]> = arrivals.filter_map(|arrival| Some(self.bytes_of(arrival)?.1)).collect();
        let read = |at: usize| bytes.iter().fold(0, |all, bytes| all ^ bytes.get(at).copied().unwrap_or(0));
        std::hint::black_box((read(0), read(64), read(128)));
    }

    /// Takes in the next entry, which is in no story yet.
    pub(super) fn push(&mut self, print: &Print) {
        if self.ring.piece_of(self.ring.len()) == self.bytes.len() {
            // The last piece is full, and its bytes grow no more.
            if let Some(full) = self.bytes.back_mut() {
                full.shrink_to_fit();
            }
            self.bytes.push_back(Vec::with_capacity(PIECE * 64));
        }
        let Some(bytes) = self.bytes.back_mut() else { return };
        let begin = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let cells = print.vector.cells.iter().take(usize::from(u8::MAX));
        bytes.extend(cells.clone().flat_map(|cell| cell.packed()));
        let hashes = print.sketch.hashes.iter().take(SIZE);
        bytes.extend(hashes.clone().flat_map(|hash| hash.to_le_bytes()));
        self.ring.push_back(Member {
            entry: print.entry,
            feed: print.feed.and_then(NonZeroU64::new),
            at: print.at,
            form: print.title.form,
            title_figures: print.title.figures,
            before: Neighbour::NONE,
            after: Neighbour::NONE,
            norm: print.vector.norm,
            begin,
            terms: u8::try_from(cells.len()).unwrap_or(u8::MAX),
            hashes: u8::try_from(hashes.len()).unwrap_or(u8::MAX),
            amount: print.amount,
            figures: print.figures,
        });
    }

    /// Forgets the oldest entry.
    pub(super) fn pop_front(&mut self) -> Option<Member> {
        let member = self.ring.pop_front()?;
        self.first += 1;
        while self.bytes.len() > self.ring.pieces() {
            self.bytes.pop_front();
        }
        Some(member)
    }
}
