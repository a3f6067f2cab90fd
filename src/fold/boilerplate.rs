//! What a feed repeats from entry to entry: bylines, invitations to subscribe, the outlet's name behind each title.
//!
//! Pure. A sentence counts by the number of stories in which the feed used it, not of entries: a feed that tells one story
//! three times has not made its lead into furniture.

use std::collections::{HashMap, VecDeque};

use super::chunked_queue::ChunkedQueue;
use super::hash::Prehashed;
use super::stories::EntrySlot;

/// Entries of a feed that are looked back on.
const LOOK_BACK: usize = 48;

/// Stories that must share a sentence before it counts nothing in the next.
const STORIES: usize = 2;

/// What the feeds repeat.
#[derive(Debug, Default)]
pub struct Boilerplate {
    numbers: HashMap<u64, u32, Prehashed>,
    /// The feeds by number; a number whose feed is forgotten goes to the next new one.
    feeds: Vec<Feed>,
    free: Vec<u32>,
}

/// The entries of a feed, and their sentences one after another.
#[derive(Debug, Default)]
struct Feed {
    name: u64,
    entries: VecDeque<Seen>,
    sentences: VecDeque<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    arrival: u32,
    sentences: u32,
}

impl Feed {
    fn pop(&mut self) {
        if let Some(oldest) = self.entries.pop_front() {
            self.sentences.drain(..oldest.sentences().min(self.sentences.len()));
        }
    }
}

impl Seen {
    fn sentences(self) -> usize {
        usize::try_from(self.sentences).unwrap_or(usize::MAX)
    }
}

impl Boilerplate {
    /// What a feed repeats; nothing for an unknown one. `stories` says for each arrival from `first` on which story it is in.
    pub(super) fn of<'a>(
        &'a self,
        feed: Option<u64>,
        stories: &'a ChunkedQueue<EntrySlot>,
        first: u32,
    ) -> FeedBoilerplate<'a> {
        FeedBoilerplate {
            feed: self.number(feed).and_then(|number| self.feeds.get(place(number))),
            stories: Some(stories),
            first,
        }
    }

    /// The number of a feed that has an entry in the window.
    pub(super) fn number(&self, feed: Option<u64>) -> Option<u32> {
        self.numbers.get(&feed?).copied()
    }

    /// Takes an entry into account, and says which number its feed has.
    pub(super) fn learn(&mut self, feed: Option<u64>, arrival: u32, sentences: &[u32]) -> u32 {
        let Some(name) = feed else { return NO_FEED };
        let number = *self.numbers.entry(name).or_insert_with(|| {
            self.free.pop().unwrap_or_else(|| {
                self.feeds.push(Feed::default());
                u32::try_from(self.feeds.len() - 1).unwrap_or(NO_FEED)
            })
        });
        let Some(feed) = self.feeds.get_mut(place(number)) else { return NO_FEED };
        feed.name = name;
        if feed.entries.len() == LOOK_BACK {
            feed.pop();
        }
        feed.entries.push_back(Seen { arrival, sentences: u32::try_from(sentences.len()).unwrap_or(0) });
        feed.sentences.extend(sentences);
        number
    }

    /// Forgets an entry and those of its feed that came before it; `feed` is the number that `learn` gave.
    pub(super) fn forget(&mut self, feed: u32, arrival: u32) {
        let Some(known) = self.feeds.get_mut(place(feed)) else { return };
        while known.entries.front().is_some_and(|seen| seen.arrival <= arrival) {
            known.pop();
        }
        if known.entries.is_empty() && self.numbers.remove(&known.name).is_some() {
            *known = Feed::default();
            self.free.push(feed);
        }
    }
}

/// The number of no feed.
pub(super) const NO_FEED: u32 = u32::MAX;

fn place(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// What one feed repeats, as far as the window shows it.
#[derive(Debug, Clone, Copy, Default)]
pub struct FeedBoilerplate<'a> {
    feed: Option<&'a Feed>,
    stories: Option<&'a ChunkedQueue<EntrySlot>>,
    first: u32,
}

impl FeedBoilerplate<'_> {
    /// Whether a sentence stood in several stories of this feed lately.
    pub fn repeats(&self, sentence: u32) -> bool {
        let (Some(feed), true) = (self.feed, sentence != 0) else { return false };
        let (one, two) = feed.sentences.as_slices();
        if !one.contains(&sentence) && !two.contains(&sentence) {
            return false;
        }
        let mut stories = [None; STORIES];
        let mut sentences = feed.sentences.iter();
        for seen in &feed.entries {
            if sentences.by_ref().take(seen.sentences()).filter(|known| **known == sentence).count() > 0 {
                let story = self.story(seen.arrival);
                if !stories.contains(&Some(story)) {
                    stories.rotate_right(1);
                    stories[0] = Some(story);
                    if !stories.contains(&None) {
                        return true;
                    }
                }
            }
        }
        false
    }

    fn story(&self, arrival: u32) -> u32 {
        let at = usize::try_from(arrival.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.stories.and_then(|stories| stories.get(at)).map_or(u32::MAX, |hot| hot.story)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_of_two_stories_is_furniture_and_of_one_story_is_not() {
        let mut boilerplate = Boilerplate::default();
        let hot: ChunkedQueue<EntrySlot> = [7, 7, 8].into_iter().map(|story| EntrySlot { story, feed: 0 }).collect();
        let feed = boilerplate.learn(Some(1), 0, &[11]);
        boilerplate.learn(Some(1), 1, &[11]);
        assert!(!boilerplate.of(Some(1), &hot, 0).repeats(11));
        boilerplate.learn(Some(1), 2, &[11]);
        assert!(boilerplate.of(Some(1), &hot, 0).repeats(11));
        assert!(!boilerplate.of(Some(2), &hot, 0).repeats(11));
        boilerplate.forget(feed, 1);
        assert!(!boilerplate.of(Some(1), &hot, 0).repeats(11));
    }
}
