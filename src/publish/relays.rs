//! What aggregators say of who tells a story, where the operator has their word count (`aggregator = true`).
//!
//! Pure. A feed whose word does not count is one source, whatever it passes on.

use std::collections::{HashMap, HashSet};

use crate::model::{Detail, EntryRef, FeedRef, Relayed};
use crate::sanitise;
use crate::store::stories::Telling;
use crate::text;

/// The longest name of a person, a label or a feed, in characters.
const LONGEST_NAME: usize = 200;

/// A name on one line, and not a page of it.
#[must_use]
pub fn name_of(text: &str) -> String {
    text::shorten(&sanitise::line(text), LONGEST_NAME)
}

/// What is known of a story's tellings that came through aggregators.
#[derive(Debug, Default)]
pub struct Relays(HashMap<EntryRef, Relay>);

#[derive(Debug)]
struct Relay {
    /// The name of whoever wrote it; `None` where the aggregator itself did.
    outlet: Option<String>,
    also: Vec<Relayed>,
}

impl Relays {
    /// Of these entries, which came through aggregators.
    #[must_use]
    pub fn of(entries: impl IntoIterator<Item = (EntryRef, Detail)>) -> Self {
        let relay = |detail: Detail| {
            let outlet = detail.taken_from.map(|(title, _)| name_of(&title)).filter(|title| !title.is_empty());
            Relay { outlet, also: detail.also_told_by }
        };
        Self(entries.into_iter().map(|(entry, detail)| (entry, relay(detail))).collect())
    }

    /// Whether none came through one.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Who wrote what an aggregator passed on.
    pub(super) fn outlet(&self, telling: &Telling) -> Option<&str> {
        self.0.get(&telling.entry)?.outlet.as_deref()
    }

    /// Who else tells the story by the word of an aggregator that tells it.
    pub(super) fn also(&self, telling: &Telling) -> &[Relayed] {
        self.0.get(&telling.entry).map_or(&[], |relay| relay.also.as_slice())
    }

    /// The names, in lower case, of the feeds that tell the story themselves. `title_of` says how a telling's feed is called.
    pub(super) fn direct<'c>(
        &self,
        coverage: &'c [Telling],
        title_of: impl Fn(&'c Telling) -> Option<&'c str>,
    ) -> HashSet<String> {
        let direct = coverage.iter().filter(|telling| self.outlet(telling).is_none());
        direct.filter_map(title_of).map(str::to_lowercase).collect()
    }

    /// How many sources told the story with each of its tellings, in their order: feeds, and those whom aggregators pass on or
    /// name, each once.
    pub(super) fn counts<'c>(
        &self,
        coverage: &'c [Telling],
        title_of: impl Fn(&'c Telling) -> Option<&'c str>,
    ) -> Vec<usize> {
        let mut feeds: HashSet<FeedRef> = HashSet::new();
        if self.0.is_empty() {
            let count = |telling: &Telling| {
                feeds.insert(telling.feed);
                feeds.len()
            };
            return coverage.iter().map(count).collect();
        }
        let direct = self.direct(coverage, title_of);
        let mut names: HashSet<String> = HashSet::new();
        let mut counts = Vec::with_capacity(coverage.len());
        for telling in coverage {
            match self.outlet(telling) {
                None => drop(feeds.insert(telling.feed)),
                Some(outlet) => names.extend(Some(outlet.to_lowercase()).filter(|name| !direct.contains(name))),
            }
            let also = self.also(telling).iter().map(|relayed| name_of(&relayed.source).to_lowercase());
            names.extend(also.filter(|name| !direct.contains(name)));
            counts.push(feeds.len() + names.len());
        }
        counts
    }

    /// How many sources tell the story.
    pub(super) fn sources<'c>(
        &self,
        coverage: &'c [Telling],
        title_of: impl Fn(&'c Telling) -> Option<&'c str>,
    ) -> u32 {
        let last = self.counts(coverage, title_of).last().copied().unwrap_or_default();
        u32::try_from(last).unwrap_or(u32::MAX)
    }
}

/// Whether two names are those of one outlet.
pub(super) fn same_name(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}
