//! Which entries tell one story.
//!
//! Pure: new entries and the stored ones that could match them in, a [`FoldPlan`] out. A fold links entries, it never deletes
//! or hides one. Reading candidates and writing the plan down is `ingest`'s work.
//!
//! The rule of the level `link`: two entries of different feeds that lead to one page tell one story; so do two of one feed
//! whose titles are equal too. A front page, and a page that one feed gives to several entries of different titles, belongs
//! to none of them and folds nothing.

pub mod canonical;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::model::{EntryRef, FeedRef, Level, StoryRef};
use crate::normalise::permalink::Permalink;

/// An entry as far as folding looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telling {
    /// Which entry.
    pub entry: EntryRef,
    /// The feed that tells it.
    pub feed: FeedRef,
    /// Its page, and the page that its id leads to.
    pub permalinks: Vec<Permalink>,
    /// Plain text.
    pub title: String,
}

/// A stored entry that a new one could be folded with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What it tells.
    pub telling: Telling,
    /// The story it belongs to.
    pub story: StoryRef,
}

/// By which rule two entries were folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// They lead to one page.
    Link,
}

/// Why an entry was folded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    /// By which rule.
    pub rule: Rule,
    /// The entry that it matched.
    pub matched: EntryRef,
    /// From 0 to 1; 1 is certain.
    pub score: f64,
}

/// Where an entry belongs.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// It is the first to tell its story.
    Founds,
    /// It is another telling of a story.
    Joins(StoryRef, Evidence),
}

/// A decision for each new entry, in the order in which they were given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FoldPlan {
    /// Which entry goes where.
    pub decisions: Vec<(EntryRef, Decision)>,
}

/// Decides where each of the `new` entries of one poll belongs.
#[must_use]
pub fn plan(new: &[Telling], stored: &[Candidate], level: Level) -> FoldPlan {
    let mut candidates = Candidates::default();
    for candidate in stored {
        candidates.add(&candidate.telling, candidate.story);
    }
    // All of a poll's entries are known before the first is decided, so that their order cannot matter to what a page is.
    for telling in new {
        candidates.count_titles(telling);
    }
    let mut plan = FoldPlan::default();
    for telling in new {
        let decision = match candidates.find(telling) {
            Some((story, matched)) if level >= Level::Link => {
                Decision::Joins(story, Evidence { rule: Rule::Link, matched, score: 1.0 })
            }
            _ => Decision::Founds,
        };
        let story = match &decision {
            Decision::Founds => StoryRef::founded_by(telling.entry),
            Decision::Joins(story, _) => *story,
        };
        candidates.add(telling, story);
        plan.decisions.push((telling.entry, decision));
    }
    plan
}

/// Known tellings by the pages they lead to.
#[derive(Default)]
struct Candidates<'a> {
    by_page: HashMap<i64, Vec<(&'a Telling, StoryRef)>>,
    titles: HashMap<(i64, FeedRef), Vec<&'a str>>,
}

impl<'a> Candidates<'a> {
    fn count_titles(&mut self, telling: &'a Telling) {
        for permalink in &telling.permalinks {
            let titles = self.titles.entry((permalink.key(), telling.feed)).or_default();
            if !titles.contains(&telling.title.as_str()) {
                titles.push(&telling.title);
            }
        }
    }

    fn add(&mut self, telling: &'a Telling, story: StoryRef) {
        self.count_titles(telling);
        for permalink in telling.permalinks.iter().filter(|permalink| !permalink.is_front_page()) {
            self.by_page.entry(permalink.key()).or_default().push((telling, story));
        }
    }

    /// The oldest telling that leads to one of the same pages.
    fn find(&self, telling: &Telling) -> Option<(StoryRef, EntryRef)> {
        let fits = |permalink: &Permalink, other: &Telling| {
            let same_page = other.permalinks.iter().any(|page| page.without_scheme() == permalink.without_scheme());
            let shared_within = |feed| self.titles.get(&(permalink.key(), feed)).is_some_and(|titles| titles.len() > 1);
            let certain = other.title == telling.title
                || (other.feed != telling.feed && !shared_within(other.feed) && !shared_within(telling.feed));
            other.entry != telling.entry && same_page && certain
        };
        telling
            .permalinks
            .iter()
            .flat_map(|permalink| {
                self.by_page
                    .get(&permalink.key())
                    .into_iter()
                    .flatten()
                    .filter(move |(other, _)| fits(permalink, other))
            })
            .min_by_key(|(other, _)| other.entry)
            .map(|(other, story)| (*story, other.entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn telling(entry: i64, feed: i64, page: &str, title: &str) -> Telling {
        Telling {
            entry: EntryRef(entry),
            feed: FeedRef(feed),
            permalinks: vec![page.parse().unwrap()],
            title: title.into(),
        }
    }

    fn stored(entry: i64, feed: i64, page: &str, title: &str) -> Candidate {
        Candidate { telling: telling(entry, feed, page, title), story: StoryRef(entry) }
    }

    fn check(new: &Telling, candidates: &[Candidate], expected: Option<i64>) {
        let plan = plan(std::slice::from_ref(new), candidates, Level::Link);
        let found = match &plan.decisions[0].1 {
            Decision::Founds => None,
            Decision::Joins(_, evidence) => Some(evidence.matched.0),
        };
        assert_eq!(found, expected, "{new:?}");
    }

    const PAGE: &str = "https://example.org/a";

    #[test]
    fn two_feeds_with_one_permalink_tell_one_story() {
        check(&telling(2, 2, PAGE, "B"), &[stored(1, 1, "http://example.org/a?utm_source=x", "A")], Some(1));
        check(&telling(2, 2, "https://example.org/b", "A"), &[stored(1, 1, PAGE, "A")], None);
    }

    #[test]
    fn one_feed_needs_the_title_too() {
        check(&telling(2, 1, PAGE, "B"), &[stored(1, 1, PAGE, "A")], None);
        check(&telling(2, 1, PAGE, "A"), &[stored(1, 1, PAGE, "A")], Some(1));
    }

    #[test]
    fn a_page_shared_by_many_entries_folds_nothing() {
        check(&telling(2, 2, "https://example.org/", "B"), &[stored(1, 1, "https://example.org/", "A")], None);
        let candidates = [stored(1, 1, PAGE, "Monday"), stored(2, 1, PAGE, "Tuesday")];
        check(&telling(3, 2, PAGE, "A link to the series"), &candidates, None);
    }

    #[test]
    fn an_id_that_leads_to_the_page_is_enough() {
        let mut new = telling(2, 2, "https://other.example/1", "B");
        new.permalinks.push(PAGE.parse().unwrap());
        check(&new, &[stored(1, 1, PAGE, "A")], Some(1));
    }

    #[test]
    fn the_level_off_folds_nothing() {
        let plan = plan(&[telling(2, 2, PAGE, "B")], &[stored(1, 1, PAGE, "A")], Level::Off);
        assert_eq!(plan.decisions, [(EntryRef(2), Decision::Founds)]);
    }
}
