//! Which entries lead to one page.
//!
//! Pure. Two entries of different feeds that lead to one page tell one story; so do two of one feed whose titles are equal
//! too. A front page, and a page that one feed gives to several entries of different titles, belongs to none of them and
//! folds nothing.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;

use super::{EntryRef, StoryRef};
use crate::normalise::permalink::Permalink;

/// An entry as far as its links are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telling {
    /// Which entry.
    pub entry: EntryRef,
    /// The feed that tells it; two without one are taken to be of different feeds.
    pub feed: Option<u64>,
    /// Its page, and the page that its id leads to.
    pub permalinks: Vec<Permalink>,
    /// Plain text.
    pub title: String,
}

/// A telling that leads to the same page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linked {
    /// The story that it tells.
    pub story: StoryRef,
    /// Which entry it is.
    pub matched: EntryRef,
}

/// Known tellings by the pages they lead to.
#[derive(Debug, Default)]
pub struct Pages {
    by_page: HashMap<i64, Vec<Known>>,
    /// By page and feed: the title, by hash, that the feed gives to the page, and whether it gives it others too.
    titles: HashMap<(i64, u64), (u64, bool)>,
    /// Stories that turned out to be older ones.
    merged: HashMap<StoryRef, StoryRef>,
}

#[derive(Debug)]
struct Known {
    entry: EntryRef,
    feed: Option<u64>,
    page: Permalink,
    title: u64,
    story: StoryRef,
}

impl Pages {
    /// Notes what a telling calls its pages. Done for all of a poll's entries before the first is decided, so that their
    /// order cannot matter to what a page is.
    pub fn note(&mut self, telling: &Telling) {
        let title = title_of(telling);
        let Some(feed) = telling.feed else { return };
        for permalink in &telling.permalinks {
            let (first, has_others) = self.titles.entry((permalink.key(), feed)).or_insert((title, false));
            *has_others |= *first != title;
        }
    }

    /// Adds a telling that is in a story.
    pub fn add(&mut self, telling: &Telling, story: StoryRef) {
        self.note(telling);
        for permalink in telling.permalinks.iter().filter(|permalink| !permalink.is_front_page()) {
            let known = Known {
                entry: telling.entry,
                feed: telling.feed,
                page: permalink.clone(),
                title: title_of(telling),
                story,
            };
            self.by_page.entry(permalink.key()).or_insert_with(|| Vec::with_capacity(1)).push(known);
        }
    }

    /// Two stories are one: who tells the younger tells the older.
    pub fn absorb(&mut self, older: StoryRef, younger: StoryRef) {
        self.merged.insert(younger, older);
    }

    /// The oldest telling that leads to one of the same pages.
    #[must_use]
    pub fn find(&self, telling: &Telling) -> Option<Linked> {
        let title = title_of(telling);
        let shared_within = |permalink: &Permalink, feed: Option<u64>| {
            feed.and_then(|feed| self.titles.get(&(permalink.key(), feed))).is_some_and(|(_, has_others)| *has_others)
        };
        let fits = |permalink: &Permalink, known: &Known| {
            let same_feed = known.feed.is_some() && known.feed == telling.feed;
            let is_shared = shared_within(permalink, known.feed) || shared_within(permalink, telling.feed);
            let certain = known.title == title || !(same_feed || is_shared);
            known.entry != telling.entry && known.page.without_scheme() == permalink.without_scheme() && certain
        };
        telling
            .permalinks
            .iter()
            .flat_map(|permalink| {
                self.by_page.get(&permalink.key()).into_iter().flatten().filter(move |known| fits(permalink, known))
            })
            .min_by_key(|known| known.entry)
            .map(|known| Linked { story: self.now(known.story), matched: known.entry })
    }

    /// The story that this one has become.
    fn now(&self, story: StoryRef) -> StoryRef {
        std::iter::successors(Some(story), |story| self.merged.get(story).copied()).last().unwrap_or(story)
    }
}

fn title_of(telling: &Telling) -> u64 {
    xxh3_64(telling.title.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn telling(entry: u64, feed: u64, page: &str, title: &str) -> Telling {
        Telling {
            entry: EntryRef(entry),
            feed: Some(feed),
            permalinks: vec![page.parse().unwrap()],
            title: title.into(),
        }
    }

    fn check(new: &Telling, known: &[Telling], expected: Option<u64>) {
        let mut pages = Pages::default();
        for telling in known {
            pages.add(telling, StoryRef(telling.entry.0));
        }
        pages.note(new);
        assert_eq!(pages.find(new).map(|linked| linked.matched.0), expected, "{new:?}");
    }

    const PAGE: &str = "https://example.org/a";

    #[test]
    fn two_feeds_with_one_permalink_tell_one_story() {
        check(&telling(2, 2, PAGE, "B"), &[telling(1, 1, "http://example.org/a?utm_source=x", "A")], Some(1));
        check(&telling(2, 2, "https://example.org/b", "A"), &[telling(1, 1, PAGE, "A")], None);
    }

    #[test]
    fn one_feed_needs_the_title_too() {
        check(&telling(2, 1, PAGE, "B"), &[telling(1, 1, PAGE, "A")], None);
        check(&telling(2, 1, PAGE, "A"), &[telling(1, 1, PAGE, "A")], Some(1));
    }

    #[test]
    fn a_page_shared_by_many_entries_folds_nothing() {
        check(&telling(2, 2, "https://example.org/", "B"), &[telling(1, 1, "https://example.org/", "A")], None);
        let candidates = [telling(1, 1, PAGE, "Monday"), telling(2, 1, PAGE, "Tuesday")];
        check(&telling(3, 2, PAGE, "A link to the series"), &candidates, None);
    }

    #[test]
    fn who_leads_to_a_story_that_was_merged_joins_what_it_became() {
        let (mut pages, known) = (Pages::default(), telling(3, 1, PAGE, "A"));
        pages.add(&known, StoryRef(3));
        pages.absorb(StoryRef(2), StoryRef(3));
        pages.absorb(StoryRef(1), StoryRef(2));
        let linked = Some(Linked { story: StoryRef(1), matched: EntryRef(3) });
        assert_eq!(pages.find(&telling(4, 2, PAGE, "B")), linked);
    }

    #[test]
    fn an_id_that_leads_to_the_page_is_enough() {
        let mut new = telling(2, 2, "https://other.example/1", "B");
        new.permalinks.push(PAGE.parse().unwrap());
        check(&new, &[telling(1, 1, PAGE, "A")], Some(1));
    }
}
