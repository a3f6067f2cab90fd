//! What becomes of the feeds that a list elsewhere names.
//!
//! Pure. Whoever keeps a list may make a mistake, and what is served in its place may be another document: a list that names far
//! fewer feeds than before takes none of them away until two further readings say the same, or a person asks for it.

use std::collections::{BTreeMap, BTreeSet};

use xxhash_rust::xxh3::xxh3_64;

/// How many readings in a row have to agree before many feeds leave a list.
pub const AGREEING_READINGS: u32 = 3;
/// Of this many feeds one may leave a list at once without doubt.
const ONE_OF: usize = 3;

/// What a list named at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does so still.
    Named,
    /// It does not any more.
    Left,
}

/// A list that is not believed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// Stands for the feeds that it did not name.
    pub missing: i64,
    /// How many readings in a row did not.
    pub readings: u32,
}

/// What a reading of a list changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Feeds that it names for the first time, or again.
    pub joined: Vec<String>,
    /// Feeds that it does not name any more.
    pub left: Vec<String>,
    /// What is not believed yet; `None` when all is.
    pub doubt: Option<Doubt>,
}

/// What is to be changed about the feeds that are `known`, once a list was read that names these. `is_asked_for`: by a person.
#[must_use]
pub fn plan(
    known: &BTreeMap<String, Standing>,
    named: &BTreeSet<String>,
    before: Option<Doubt>,
    is_asked_for: bool,
) -> Changes {
    let is_active = |feed: &&String| known.get(*feed) == Some(&Standing::Named);
    let joined = named.iter().filter(|feed| !is_active(feed)).cloned().collect();
    let active = known.values().filter(|standing| **standing == Standing::Named).count();
    let left: Vec<String> = known.keys().filter(is_active).filter(|feed| !named.contains(*feed)).cloned().collect();
    let is_doubtful = left.len() * ONE_OF > active || (named.is_empty() && !left.is_empty());
    if !is_doubtful || is_asked_for {
        return Changes { joined, left, doubt: None };
    }
    let missing = xxh3_64(left.join("\n").as_bytes()).cast_signed();
    let readings = before.filter(|before| before.missing == missing).map_or(1, |before| before.readings + 1);
    if readings >= AGREEING_READINGS {
        return Changes { joined, left, doubt: None };
    }
    Changes { joined, left: Vec::new(), doubt: Some(Doubt { missing, readings }) }
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
        let mut doubt = None;
        for (at, reading) in readings.iter().enumerate() {
            let changes = plan(&known, &set(reading), doubt, is_asked_for && at + 1 == readings.len());
            known.extend(changes.joined.into_iter().map(|feed| (feed, Standing::Named)));
            known.extend(changes.left.into_iter().map(|feed| (feed, Standing::Left)));
            doubt = changes.doubt;
        }
        let named = known.into_iter().filter(|(_, standing)| *standing == Standing::Named);
        named.map(|(feed, _)| feed).collect()
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
            (&["abcdef", "abc", "ab", "abc", "abc"], "abcdef"),
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
}
