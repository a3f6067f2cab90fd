//! What becomes of the feeds that a list elsewhere names.
//!
//! Pure. Whoever keeps a list may make a mistake, and what is served in its place may be another document: a list that names far
//! fewer feeds than before takes none of them away until two further readings say the same, or a person asks for it.

use std::collections::{BTreeMap, BTreeSet};

/// How many readings in a row have to leave a feed out before it leaves a list together with many others.
pub const AGREEING_READINGS: u32 = 3;
/// Of this many feeds one may leave a list at once without doubt.
const ONE_OF: usize = 3;
/// The most feeds that one list brings at a time, those that are in doubt included.
pub const MOST_FEEDS: usize = 2_000;

/// What a list named at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does so still, or its last readings are not believed.
    Named {
        /// How many readings in a row left the feed out.
        missed: u32,
    },
    /// It does not any more.
    Left,
}

/// What a reading of a list changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Feeds that it names for the first time, or again; as many as there is room for.
    pub joined: Vec<String>,
    /// Feeds that it does not name any more.
    pub left: Vec<String>,
    /// Feeds that it does not name, which is not believed yet.
    pub missed: Vec<String>,
    /// Feeds that readings left out which were not believed, and that it names after all.
    pub found: Vec<String>,
    /// How many readings in a row left out the one of `missed` that was left out most often; 0 when none is in doubt.
    pub readings: u32,
}

/// What is to be changed about the feeds that are `known`, once a list was read that names these. `is_asked_for`: by a person.
#[must_use]
pub fn plan(known: &BTreeMap<String, Standing>, named: &BTreeSet<String>, is_asked_for: bool) -> Changes {
    let active = known.iter().filter_map(|(feed, standing)| match standing {
        Standing::Named { missed } => Some((feed, *missed)),
        Standing::Left => None,
    });
    let (here, absent): (Vec<_>, Vec<_>) = active.partition(|(feed, _)| named.contains(*feed));
    let is_doubtful = absent.len() * ONE_OF > here.len() + absent.len() || (named.is_empty() && !absent.is_empty());
    let leaves = |missed: u32| is_asked_for || !is_doubtful || missed + 1 >= AGREEING_READINGS;
    let (left, missed): (Vec<_>, Vec<_>) = absent.into_iter().partition(|(_, missed)| leaves(*missed));
    let room = MOST_FEEDS.saturating_sub(here.len() + missed.len());
    let is_new = |feed: &&String| !matches!(known.get(*feed), Some(Standing::Named { .. }));
    let names = |feeds: &[(&String, u32)]| feeds.iter().map(|(feed, _)| (*feed).clone()).collect();
    Changes {
        joined: named.iter().filter(is_new).take(room).cloned().collect(),
        left: names(&left),
        readings: missed.iter().map(|(_, missed)| missed + 1).max().unwrap_or(0),
        missed: names(&missed),
        found: here.iter().filter(|(_, missed)| *missed > 0).map(|(feed, _)| (*feed).clone()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &str) -> BTreeSet<String> {
        names.chars().map(String::from).collect()
    }

    /// Reads one list after the other; gives the feeds that are named at the end.
    fn after(readings: &[&str], is_asked_for: bool) -> String {
        let mut known = BTreeMap::new();
        for (at, reading) in readings.iter().enumerate() {
            read(&mut known, &set(reading), is_asked_for && at + 1 == readings.len());
        }
        let named = known.into_iter().filter(|(_, standing)| *standing != Standing::Left);
        named.map(|(feed, _)| feed).collect()
    }

    fn read(known: &mut BTreeMap<String, Standing>, named: &BTreeSet<String>, is_asked_for: bool) {
        let Changes { joined, left, missed, found, .. } = plan(known, named, is_asked_for);
        for feed in missed {
            let Some(Standing::Named { missed }) = known.get_mut(&feed) else { panic!("{feed} was not named") };
            *missed += 1;
        }
        known.extend(joined.into_iter().chain(found).map(|feed| (feed, Standing::Named { missed: 0 })));
        known.extend(left.into_iter().map(|feed| (feed, Standing::Left)));
    }

    #[test]
    fn a_few_leave_at_once_and_many_when_three_readings_agree() {
        for (readings, expected) in [
            (&["abcdef", "abcdeg"][..], "abcdeg"),
            (&["abcdef", "abcd"], "abcd"),
            (&["abcdef", "abc"], "abcdef"),
            (&["abcdef", "abcx"], "abcdefx"),
            (&["abcdef", "abc", "abc"], "abcdef"),
            (&["abcdef", "abc", "abc", "abc"], "abc"),
            (&["abcdef", "abc", "ab", "abc"], "abc"),
            (&["abcdef", "abc", "abc", "abcdef", "abc"], "abcdef"),
            (&["abcdef", ""], "abcdef"),
            (&["abcdef", "", "", ""], ""),
            (&["a", "b"], "ab"),
            (&["abcdef", "abcde", "abcdef"], "abcdef"),
        ] {
            assert_eq!(after(readings, false), expected, "{readings:?}");
        }
        assert_eq!(after(&["abcdef", "ab"], true), "ab", "a person has asked for it");
    }

    #[test]
    fn a_list_that_names_others_each_time_does_not_grow() {
        let mut known = BTreeMap::new();
        for reading in 0..10 {
            let steady = (0..4).map(|feed| format!("steady {feed}"));
            let named = steady.chain((0..3).map(|feed| format!("{reading}/{feed}"))).collect();
            read(&mut known, &named, false);
            assert!(known.values().filter(|standing| **standing != Standing::Left).count() <= 4 + 3 * 3);
        }
        let mut known = BTreeMap::new();
        for reading in 0..6 {
            read(&mut known, &(0..MOST_FEEDS + 500).map(|feed| format!("{reading}/{feed}")).collect(), false);
            assert!(known.values().filter(|standing| **standing != Standing::Left).count() <= MOST_FEEDS);
        }
    }
}
