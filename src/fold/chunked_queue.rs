//! A queue in pieces: it grows and shrinks by a piece at a time, so a million entries cost no second million while it grows.
//!
//! Pure.

use std::collections::VecDeque;

/// Values in a piece.
pub(super) const PIECE: usize = 1024;

/// Values by their place in the queue, oldest first.
#[derive(Debug)]
pub(super) struct ChunkedQueue<T> {
    pieces: VecDeque<Vec<T>>,
    /// Values of the oldest piece that are gone already.
    gone: usize,
    length: usize,
}

impl<T> Default for ChunkedQueue<T> {
    fn default() -> Self {
        Self { pieces: VecDeque::new(), gone: 0, length: 0 }
    }
}

impl<T: Clone> ChunkedQueue<T> {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn get(&self, at: usize) -> Option<&T> {
        let at = at.checked_add(self.gone)?;
        self.pieces.get(at / PIECE)?.get(at % PIECE)
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        let at = at.checked_add(self.gone)?;
        self.pieces.get_mut(at / PIECE)?.get_mut(at % PIECE)
    }

    pub(super) fn front(&self) -> Option<&T> {
        self.get(0)
    }

    /// The number of the piece, counted from the oldest one, that the value at a place is in.
    pub(super) fn piece_of(&self, at: usize) -> usize {
        at.saturating_add(self.gone) / PIECE
    }

    pub(super) fn push_back(&mut self, value: T) {
        if self.pieces.back().is_none_or(|piece| piece.len() == PIECE) {
            self.pieces.push_back(Vec::with_capacity(PIECE));
        }
        if let Some(piece) = self.pieces.back_mut() {
            piece.push(value);
            self.length += 1;
        }
    }

    /// Takes the oldest value out.
    pub(super) fn pop_front(&mut self) -> Option<T> {
        let value = self.front()?.clone();
        self.gone += 1;
        self.length -= 1;
        if self.gone == PIECE {
            self.gone = 0;
            self.pieces.pop_front();
        }
        Some(value)
    }

    /// How many pieces there are.
    pub(super) fn pieces(&self) -> usize {
        self.pieces.len()
    }
}

impl<T: Copy> FromIterator<T> for ChunkedQueue<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut chunked_queue = Self::default();
        values.into_iter().for_each(|value| chunked_queue.push_back(value));
        chunked_queue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_order_over_the_pieces() {
        let mut chunked_queue: ChunkedQueue<usize> = (0..3 * PIECE).collect();
        for gone in 0..PIECE + 5 {
            assert_eq!(chunked_queue.pop_front(), Some(gone));
        }
        assert_eq!(chunked_queue.pieces(), 2);
        assert_eq!(chunked_queue.get(0), Some(&(PIECE + 5)));
        assert_eq!(chunked_queue.get(2 * PIECE - 6), Some(&(3 * PIECE - 1)));
        assert_eq!(chunked_queue.get(2 * PIECE - 5), None);
    }
}
