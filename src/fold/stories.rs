//! The stories of the window, as small as they go.
//!
//! Pure. Most have one entry, and there are more than half as many as entries, so each counts. They stand in a [`ChunkedQueue`] by the
//! order in which they were founded; the table that finds one by its name holds no name, only where to look.

use std::cell::Cell;

use super::StoryRef;
use super::chunked_queue::ChunkedQueue;

/// A story.
#[derive(Debug, Clone)]
pub(super) struct Story {
    id: [u8; 8],
    /// Its entries that came first and last, and the one with the latest date.
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) newest: u32,
    pub(super) members: u32,
    /// When its founder was put out, in minutes since 1970; 0 for one without entries so far.
    founded: u32,
    /// The length of its core; NaN until somebody asks for it.
    length: Cell<f32>,
}

/// What a search reads of an entry: its story, and its feed as `boilerplate` numbers it.
#[derive(Debug, Clone, Copy)]
pub(super) struct EntrySlot {
    pub(super) story: u32,
    pub(super) feed: u32,
}

impl Story {
    /// The number of members of a story that is gone.
    const GONE: u32 = u32::MAX;

    pub(super) fn id(&self) -> StoryRef {
        StoryRef(u64::from_le_bytes(self.id))
    }

    /// When its founder was put out, in microseconds since 1970, by whole minutes.
    pub(super) fn founded(&self) -> i64 {
        i64::from(self.founded) * 60_000_000
    }

    pub(super) fn set_founded(&mut self, told: i64) {
        self.founded = u32::try_from(told / 60_000_000).unwrap_or(0);
    }

    /// The length of its core, which is made once from its members.
    pub(super) fn length(&self, make: impl FnOnce() -> f32) -> f32 {
        if self.length.get().is_nan() {
            self.length.set(make());
        }
        self.length.get()
    }

    /// Has the length made anew, because its members are others.
    pub(super) fn forget_length(&mut self) {
        self.length.set(f32::NAN);
    }

    fn is_there(&self) -> bool {
        self.members != Self::GONE
    }
}

/// The stories by serial number, and by name.
#[derive(Debug, Default)]
pub(super) struct Stories {
    chunked_queue: ChunkedQueue<Story>,
    first: u32,
    /// Serial numbers by the hash of the story's name, with linear probing.
    slots: Vec<u32>,
    there: usize,
}

impl Stories {
    const FREE: u32 = u32::MAX;
    const LEAST: usize = 64;

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.there
    }

    /// Their serial numbers; some may be gone.
    pub(super) fn serials(&self) -> std::ops::Range<u32> {
        self.first..self.end()
    }

    pub(super) fn get(&self, serial: u32) -> Option<&Story> {
        self.chunked_queue.get(self.place_of(serial)?).filter(|story| story.is_there())
    }

    pub(super) fn get_mut(&mut self, serial: u32) -> Option<&mut Story> {
        let at = self.place_of(serial)?;
        self.chunked_queue.get_mut(at).filter(|story| story.is_there())
    }

    /// The serial number of a story.
    pub(super) fn of(&self, id: StoryRef) -> Option<u32> {
        let mut at = self.home(id);
        loop {
            let serial = self.slots.get(at).copied().filter(|serial| *serial != Self::FREE)?;
            if self.get(serial).is_some_and(|story| story.id() == id) {
                return Some(serial);
            }
            at = self.after(at);
        }
    }

    /// Founds a story that is not there yet, without an entry.
    pub(super) fn found(&mut self, id: StoryRef) -> u32 {
        let serial = self.end();
        if (self.there + 1) * 4 > self.slots.len() * 3 {
            self.resize((self.slots.len() + self.slots.len() / 4).max(Self::LEAST));
        }
        self.chunked_queue.push_back(Story {
            id: id.0.to_le_bytes(),
            first: 0,
            last: 0,
            newest: 0,
            members: 0,
            founded: 0,
            length: Cell::new(f32::NAN),
        });
        self.there += 1;
        self.put(id, serial);
        serial
    }

    /// Removes a story.
    pub(super) fn remove(&mut self, serial: u32) {
        let Some(id) = self.get(serial).map(Story::id) else { return };
        let mut hole = self.home(id);
        while self.slots.get(hole).is_some_and(|taken| *taken != serial) {
            hole = self.after(hole);
        }
        // What stood behind it only because it was taken moves up.
        let mut next = self.after(hole);
        while let Some(story) = self.slots.get(next).and_then(|serial| self.get(*serial)) {
            let length = self.slots.len();
            let from_home = (next + length - self.home(story.id())) % length;
            let from_hole = (next + length - hole) % length;
            if from_home >= from_hole {
                self.slots.swap(hole, next);
                hole = next;
            }
            next = self.after(next);
        }
        if let Some(slot) = self.slots.get_mut(hole) {
            *slot = Self::FREE;
        }
        self.there -= 1;
        if let Some(story) = self.get_mut(serial) {
            story.members = Story::GONE;
        }
        while self.chunked_queue.front().is_some_and(|story| !story.is_there()) {
            self.chunked_queue.pop_front();
            self.first += 1;
        }
        if self.slots.len() > Self::LEAST && self.there * 2 < self.slots.len() {
            self.resize((self.slots.len() * 3 / 4).max(Self::LEAST));
        }
    }

    fn end(&self) -> u32 {
        self.first + u32::try_from(self.chunked_queue.len()).unwrap_or(u32::MAX)
    }

    fn place_of(&self, serial: u32) -> Option<usize> {
        serial.checked_sub(self.first).and_then(|at| usize::try_from(at).ok())
    }

    fn home(&self, id: StoryRef) -> usize {
        let length = u64::try_from(self.slots.len()).unwrap_or(0);
        usize::try_from(((id.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) * length) >> 32).unwrap_or(0)
    }

    fn after(&self, at: usize) -> usize {
        if at + 1 >= self.slots.len() { 0 } else { at + 1 }
    }

    fn put(&mut self, id: StoryRef, serial: u32) {
        let mut at = self.home(id);
        while self.slots.get(at).is_some_and(|taken| *taken != Self::FREE) {
            at = self.after(at);
        }
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = serial;
        }
    }

    fn resize(&mut self, length: usize) {
        self.slots = vec![Self::FREE; length];
        for serial in self.serials() {
            if let Some(id) = self.get(serial).map(Story::id) {
                self.put(id, serial);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn stories_that_come_and_go_are_found_by_name() {
        let mut stories = Stories::default();
        let mut plain: HashMap<u64, u32> = HashMap::new();
        let mut random = 7_u64;
        for step in 0..20_000_u64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // The names of a store grow, with gaps; now and then some come that are older or far away.
            let id = if random >> 60 == 0 { random } else { step * 3 };
            plain.entry(id).or_insert_with(|| stories.found(StoryRef(id)));
            // Their number breathes.
            let most = if step / 4_000 % 2 == 0 { 2_000 } else { 5 };
            while plain.len() > most {
                let id = *plain.keys().next().unwrap();
                stories.remove(plain.remove(&id).unwrap());
                assert_eq!(stories.of(StoryRef(id)), None);
            }
            assert_eq!(stories.len(), plain.len());
            if step % 500 == 0 {
                for (id, serial) in &plain {
                    assert_eq!(stories.of(StoryRef(*id)), Some(*serial));
                    assert_eq!(stories.get(*serial).map(Story::id), Some(StoryRef(*id)));
                }
            }
        }
    }
}
