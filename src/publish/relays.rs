//! What aggregators say of who tells a story, where the operator has their word count (`aggregator = true`).
//!
//! Pure. A feed whose word does not count is one source, whatever it passes on.

use std::collections::{HashMap, HashSet};

use crate::model::{Detail, EntryRef, FeedRef, Relayed, StoryId};
use crate::publish::outlet::{Outlet, Outlets};
use crate::store::stories::Telling;

/// What is known of a story's tellings that came through aggregators.
#[derive(Debug, Default)]
pub struct Relays(HashMap<EntryRef, Relay>);

#[derive(Debug)]
struct Relay {
    /// The name of whoever wrote it, and by what that is known; `None` where the aggregator itself did.
    outlet: Option<(String, Outlet)>,
    /// That one's document and page.
    place: (Option<String>, Option<String>),
    also: Vec<Relayed>,
    /// Under which names newsfolds on the way know it.
    names: Vec<StoryId>,
}

impl Relays {
    /// Of these entries, which came through aggregators.
    #[must_use]
    pub fn of<'t>(entries: impl IntoIterator<Item = (&'t Telling, Detail)>) -> Self {
        let relay = |telling: &Telling, detail: Detail| {
            let outlet = Outlet::written(&detail, telling.permalink.as_ref());
            let home = detail.taken_from.and_then(|(_, home)| home);
            let names = telling.id.with(&detail.known_as);
            Relay { outlet, place: (detail.taken_from_document, home), also: detail.also_told_by, names }
        };
        Self(entries.into_iter().map(|(telling, detail)| (telling.entry, relay(telling, detail))).collect())
    }

    /// Whether none came through one.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Who wrote what an aggregator passed on.
    pub(super) fn outlet(&self, telling: &Telling) -> Option<&str> {
        self.passed_on(telling).map(|(name, _)| name.as_str())
    }

    /// The same, and by what it is known.
    pub(super) fn passed_on(&self, telling: &Telling) -> Option<&(String, Outlet)> {
        self.0.get(&telling.entry)?.outlet.as_ref()
    }

    /// Where the document of whoever wrote it is, and that one's page.
    pub(super) fn written_at(&self, telling: &Telling) -> Option<(Option<&str>, Option<&str>)> {
        let Relay { outlet, place: (document, home), .. } = self.0.get(&telling.entry)?;
        outlet.as_ref().map(|_| (document.as_deref(), home.as_deref()))
    }

    /// Who else tells the story by the word of an aggregator that tells it.
    pub(super) fn also(&self, telling: &Telling) -> &[Relayed] {
        self.0.get(&telling.entry).map_or(&[], |relay| relay.also.as_slice())
    }

    /// Under which names newsfolds on the way know what an aggregator passed on; `None` of what came through none.
    pub(super) fn names(&self, telling: &Telling) -> Option<&[StoryId]> {
        self.0.get(&telling.entry).map(|relay| relay.names.as_slice())
    }

    /// The feeds that tell the story themselves; `polled` says by what the feed of a telling is known.
    pub(super) fn direct(&self, coverage: &[Telling], polled: impl Fn(&Telling) -> Option<Outlet>) -> Outlets {
        let mut direct = Outlets::default();
        direct.extend(coverage.iter().filter(|telling| self.outlet(telling).is_none()).filter_map(polled));
        direct
    }

    /// How many sources told the story with each of its tellings, in their order: feeds, and those whom aggregators pass on or
    /// name, each once.
    pub(super) fn counts(&self, coverage: &[Telling], polled: impl Fn(&Telling) -> Option<Outlet>) -> Vec<usize> {
        let mut sources: HashSet<FeedRef> = HashSet::new();
        if self.0.is_empty() {
            let count = |telling: &Telling| {
                sources.insert(telling.source);
                sources.len()
            };
            return coverage.iter().map(count).collect();
        }
        let direct = self.direct(coverage, polled);
        let (mut relayed, mut named) = (Outlets::default(), 0);
        let mut name = |outlet: Outlet| {
            if !direct.have(&outlet) && !relayed.have(&outlet) {
                named += 1;
                relayed.extend([outlet]);
            }
            named
        };
        let mut counts = Vec::with_capacity(coverage.len());
        let mut so_far = 0;
        for telling in coverage {
            match self.passed_on(telling) {
                None => drop(sources.insert(telling.source)),
                Some((_, outlet)) => so_far = name(outlet.clone()),
            }
            for also in self.also(telling) {
                so_far = name(Outlet::named(also));
            }
            counts.push(sources.len() + so_far);
        }
        counts
    }

    /// How many sources tell the story.
    pub(super) fn sources(&self, coverage: &[Telling], polled: impl Fn(&Telling) -> Option<Outlet>) -> u32 {
        let last = self.counts(coverage, polled).last().copied().unwrap_or_default();
        u32::try_from(last).unwrap_or(u32::MAX)
    }
}
