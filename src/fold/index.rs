//! The stories of the window, and the decision which of them an entry joins.
//!
//! Pure: a value in memory. All of it follows from the prints of the window in their order of arrival, the story of each, and
//! the weights; so a restart that is given these goes on as if there had been none, and no state outlives the window.

use std::collections::{BTreeSet, HashMap, VecDeque};

use chrono::{DateTime, Utc};

use super::boilerplate::{Boilerplate, FeedBoilerplate, NO_FEED};
use super::chunked_queue::ChunkedQueue;
use super::features::{self, Features};
use super::fingerprint::Fingerprint;
use super::hash::Prehashed;
use super::link::Linked;
use super::members::Members;
use super::plan::{Decision, Match, Rule, Verdict};
use super::postings::{self, Postings};
use super::score::Veto;
use super::stories::{EntrySlot, Stories, Story};
use super::vector::{self, Centroid, ProbeVector};
use super::weights::{Weights, real};
use super::{Article, EntryRef, Level, Rules, StoryRef, score};

mod compare;

/// Members of a story that an entry is compared with: the first one of the window and the newest.
const COMPARED: usize = 16;

/// Entries looked at for one key, newest first, and for all keys together, rarest key first.
const POSTINGS_PER_KEY: usize = postings::PER_KEY;
const POSTINGS_AT_MOST: usize = 800;

/// Keys of the window. An entry of news shares most of its twelve with others; entries of made-up words share none, and so many
/// entries of those would take all memory.
const KEYS_AT_MOST: usize = 1 << 23;

/// Stories compared in full.
const CANDIDATES: usize = 16;

/// The least cosine to a core for its members to be looked at one by one.
const LEAST_CORE: f32 = 0.1;

/// What an entry must have in common with what another feed tells of a story, as a cosine, or one feed alone speaks for it.
const SUPPORT: f32 = 0.09;

/// The serial number of no story: an entry that was edited into another one is nowhere as what it was.
const NOWHERE: u32 = u32::MAX;

/// Stories of one feed that share a title term before it is part of that feed's frame.
const FRAME_STORIES: usize = 2;

/// A print out of the store, for [`Index::restore`].
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// The entry.
    pub fingerprint: Fingerprint,
    /// The story that it is in.
    pub story: StoryRef,
    /// When the story's founder was put out; `None` when that is not known any more.
    pub founded: Option<DateTime<Utc>>,
}

/// The stories of the window.
#[derive(Debug)]
pub struct Index {
    rules: Rules,
    weights: Weights,
    boilerplate: Boilerplate,
    /// The entries of the window by arrival; `hot` is what a search reads of each.
    members: Members,
    hot: ChunkedQueue<EntrySlot>,
    stories: Stories,
    /// The cores of the large stories.
    cores: HashMap<u32, Kept, Prehashed>,
    postings: Postings,
    splits: BTreeSet<(EntryRef, StoryRef)>,
}

impl Index {
    /// An empty index.
    pub fn new(rules: Rules, weights: Weights) -> Self {
        Self {
            rules,
            weights,
            boilerplate: Boilerplate::default(),
            members: Members::default(),
            hot: ChunkedQueue::default(),
            stories: Stories::default(),
            cores: HashMap::default(),
            postings: Postings::default(),
            splits: BTreeSet::new(),
        }
    }

    /// The index as it was when the last of `stored` had been applied.
    ///
    /// `stored` are the entries of the window in their order of arrival (older ones do no harm), `weights` what
    /// [`Index::weights`] gave then, and `splits` the corrections by which people took an entry out of a story.
    pub fn restore(
        rules: Rules,
        weights: Weights,
        stored: impl IntoIterator<Item = Stored>,
        splits: impl IntoIterator<Item = (EntryRef, StoryRef)>,
    ) -> Self {
        let mut index = Self::new(rules, weights);
        index.splits.extend(splits);
        for Stored { fingerprint, story, founded } in stored {
            let serial = index.take_in(&fingerprint, story, false);
            if let (Some(founded), Some(story)) = (founded, index.stories.get_mut(serial)) {
                story.set_founded(founded.timestamp_micros());
            }
        }
        // Made once from what is there in the end, the cores are what they became step by step.
        for serial in index.stories.serials() {
            index.refresh(serial);
        }
        index
    }

    /// What a feed repeats, for [`super::features::of`].
    pub fn boilerplate(&self, feed: Option<u64>) -> FeedBoilerplate<'_> {
        self.boilerplate.of(feed, &self.hot, self.members.first())
    }

    /// What it goes by.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The weights as they stand; store them from time to time, with the number of the entry applied last.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// How many entries are remembered.
    pub fn entries(&self) -> usize {
        self.members.len()
    }

    /// How many stories these make.
    pub fn stories(&self) -> usize {
        self.stories.len()
    }

    /// Plans what becomes of an entry; `level` is its feed's, and `linked` the telling that leads to the same page, which
    /// may be older than the window.
    pub fn decide(&self, features: &Features, level: Level, linked: Option<Linked>) -> Decision {
        let fingerprint = Fingerprint::of(features, &self.weights);
        match linked.filter(|_| level >= Level::Link) {
            Some(linked) => {
                Decision { fingerprint: Fingerprint { is_claim: true, ..fingerprint }, verdict: linked.into() }
            }
            None => {
                let (verdict, nearest) = self.verdict(features, &fingerprint, level);
                Decision { fingerprint: Fingerprint { nearest, ..fingerprint }, verdict }
            }
        }
    }

    /// Reads an entry, and plans what becomes of it as [`Index::decide`] does.
    pub fn plan(&self, article: &Article<'_>, level: Level, linked: Option<Linked>) -> Decision {
        self.decide(&features::of(article, self.boilerplate(article.feed)), level, linked)
    }

    /// Carries a plan out, and says which story the entry is in.
    pub fn apply(&mut self, decision: &Decision) -> StoryRef {
        self.enter(&decision.fingerprint, &decision.verdict)
    }

    /// Takes an entry in as a plan has it, and says which story it is in.
    pub fn enter(&mut self, fingerprint: &Fingerprint, verdict: &Verdict) -> StoryRef {
        let story = verdict.story(fingerprint.entry);
        if let Verdict::Joins { absorbs, .. } = verdict {
            for younger in absorbs {
                self.absorb(story, *younger);
            }
        }
        self.place(fingerprint, story, true);
        story
    }

    /// A person says that two stories are one: the younger goes into the older.
    pub fn join(&mut self, older: StoryRef, younger: StoryRef) {
        for (story, other) in [(older, younger), (younger, older)] {
            let members: Vec<EntryRef> = self
                .stories
                .of(story)
                .and_then(|serial| self.stories.get(serial))
                .into_iter()
                .flat_map(|story| self.entries_of(story))
                .collect();
            for entry in members {
                self.splits.remove(&(entry, other));
            }
        }
        self.absorb(older, younger);
    }

    /// A person says that an entry is not in its story: it founds `alone`, and never joins the other again.
    pub fn split(&mut self, entry: EntryRef, from: StoryRef, alone: StoryRef) {
        self.splits.insert((entry, from));
        let Some((serial, arrival)) = self.find(entry, from) else { return };
        self.unlink(arrival);
        let own = self.stories.found(alone);
        self.link(arrival, own);
        self.refresh(own);
        self.refresh(serial);
        self.remove_if_empty(serial);
    }

    /// Takes in an entry that is in this story already, as an edit has it.
    pub fn keep(&mut self, fingerprint: &Fingerprint, story: StoryRef) {
        self.place(fingerprint, story, true);
    }

    /// Forgets what an entry said, because its publisher made another one of it.
    pub fn withdraw(&mut self, entry: EntryRef, from: StoryRef) {
        let Some((serial, arrival)) = self.find(entry, from) else { return };
        self.unlink(arrival);
        if let Some(hot) = self.hot_mut(arrival) {
            hot.story = NOWHERE;
        }
        self.refresh(serial);
        self.remove_if_empty(serial);
    }

    /// Says that an entry is in its story for where it leads alone: whose page that is has come.
    pub fn discount(&mut self, entry: EntryRef, story: StoryRef) {
        if let Some((serial, arrival)) = self.find(entry, story) {
            self.members.mark_claim(arrival);
            self.refresh(serial);
        }
    }

    /// The serial number of a story and the arrival of one of its entries.
    fn find(&self, entry: EntryRef, story: StoryRef) -> Option<(u32, u32)> {
        let serial = self.stories.of(story)?;
        let is_meant = |arrival: &u32| self.members.get(*arrival).is_some_and(|member| member.entry == entry);
        Some((serial, self.arrivals_of(self.stories.get(serial)?).find(is_meant)?))
    }

    /// Forgets what came before the window that ends at `now`; `apply` does so by itself.
    pub fn expire(&mut self, now: DateTime<Utc>) {
        let now = now.timestamp_micros();
        while self.members.len() >= self.rules.entries_at_most.clamp(1, postings::ENTRIES_AT_MOST)
            || self.postings.keys() > KEYS_AT_MOST
            || (self.members.len() > 0 && !self.in_window(self.members.at(self.members.first()), now))
        {
            let arrival = self.members.first();
            let Some(EntrySlot { story: serial, feed }) = self.hot.front().copied() else { return };
            self.unlink(arrival);
            self.refresh_oldest(serial, arrival, feed);
            self.remove_if_empty(serial);
            self.hot.pop_front();
            let keys = vector::keys(self.members.vector(arrival).cells());
            self.postings.prefetch(keys.iter().map(|key| key.hash));
            self.postings.pop(keys.iter().map(|key| key.hash));
            self.members.pop_front();
            self.boilerplate.forget(feed, arrival);
        }
    }

    fn verdict(&self, features: &Features, fingerprint: &Fingerprint, level: Level) -> (Verdict, Option<u8>) {
        if level < Level::Copy {
            return (Verdict::New { nearest: None }, None);
        }
        let (candidates, frame) = self.candidates(fingerprint);
        let probe = ProbeVector::new(features, &fingerprint.vector);
        let mut passed: Vec<Passed> = Vec::new();
        let mut nearest: Option<Match> = None;
        let mut alike: Option<u8> = None;
        let candidates = self.called_up(fingerprint, &candidates);
        let mut compared: Vec<(&Candidate<'_>, Rule, Match)> = candidates
            .iter()
            .filter_map(|candidate| {
                self.compare(fingerprint, &probe, &frame, candidate).map(|(rule, found)| (candidate, rule, found))
            })
            .collect();
        self.note_rivals(&mut compared);
        note_stock_text(&mut compared);
        for (candidate, rule, found) in compared {
            let Candidate { serial, story, .. } = candidate;
            let others = found.likeness.filter(|likeness| !likeness.same_feed && !likeness.further);
            alike = alike.max(others.map(|likeness| share_of_255(likeness.nearest)));
            let margin = found.score - found.threshold;
            if found.veto.is_none() && margin >= 0.0 && (rule < Rule::Story || level == Level::Story) {
                passed.push(Passed { serial: *serial, first: story.first, rule, margin, found });
            } else if nearest
                .as_ref()
                .is_none_or(|nearest| (found.follows, margin) > (nearest.follows, nearest.score - nearest.threshold))
            {
                nearest = Some(found);
            }
        }
        passed.sort_by(|a, b| a.rule.cmp(&b.rule).then(b.margin.total_cmp(&a.margin)).then(a.first.cmp(&b.first)));
        let Some(best) = passed.first() else {
            if let Some(found) = nearest.as_mut().filter(|found| found.follows)
                && let Some(serial) = self.stories.of(found.story)
            {
                found.terms = self.shared_terms(features, &probe, serial);
            }
            return (Verdict::New { nearest: nearest.map(Box::new) }, alike);
        };
        let (older, absorbs) = self.mergeable(&passed, fingerprint);
        let mut found = best.found.clone();
        found.story = older;
        found.terms = self.shared_terms(features, &probe, best.serial);
        (Verdict::Joins { rule: best.rule, found: Box::new(found), absorbs }, alike)
    }

    /// Notes for each story how nearly another one is as like the entry: where many are, what they share is the matter of the
    /// day and not the happening.
    fn note_rivals(&self, compared: &mut [(&Candidate<'_>, Rule, Match)]) {
        let nearest = |found: &Match| found.likeness.map_or(0.0, |likeness| likeness.nearest);
        let (mut most, mut second) = (0.0_f32, 0.0_f32);
        for (.., found) in compared.iter() {
            let cosine = nearest(found);
            (most, second) = if cosine > most { (cosine, most) } else { (most, second.max(cosine)) };
        }
        for (_, rule, found) in compared {
            let own = nearest(found);
            let Some(likeness) = found.likeness.as_mut().filter(|_| own > 0.0) else { continue };
            likeness.rival = (if own < most { most } else { second } / own).min(1.5);
            if *rule == Rule::Story {
                found.score = likeness.score();
            }
        }
    }

    /// The oldest, by number, of the best story and those that it may be merged with, and the younger ones that go into it.
    fn mergeable(&self, passed: &[Passed], fingerprint: &Fingerprint) -> (StoryRef, Vec<StoryRef>) {
        let Some((best, others)) = passed.split_first() else { return (StoryRef(0), Vec::new()) };
        let feed = self.boilerplate.number(fingerprint.feed);
        let mut one: Vec<u32> = vec![best.serial];
        for other in others {
            let alike = one.iter().all(|serial| {
                let are_young = found_young(&best.found) && found_young(&other.found);
                self.likeness_by_others(*serial, other.serial, feed) >= score::merge_at(are_young)
                    && !self.kept_apart(*serial, other.serial)
            });
            if alike {
                one.push(other.serial);
            }
        }
        let mut ids: Vec<StoryRef> = one.iter().filter_map(|serial| self.stories.get(*serial)).map(Story::id).collect();
        ids.sort_unstable();
        let mut ids = ids.into_iter();
        (ids.next().unwrap_or(best.found.story), ids.collect())
    }

    /// The cosine of two stories' cores without `feed` and without those that tell both, as each of these could have made them
    /// alike; 0 where nobody else tells one of the two.
    fn likeness_by_others(&self, one: u32, two: u32, feed: Option<u32>) -> f32 {
        let [one, two] = [one, two].map(|serial| self.tellers(serial));
        let is_heard = |teller: u32, others: &[(u32, u32)]| {
            Some(teller) != feed && (teller == NO_FEED || others.iter().all(|(other, _)| *other != teller))
        };
        let core = |tellers: &[(u32, u32)], others: &[(u32, u32)]| {
            let heard = tellers.iter().filter(|(teller, _)| is_heard(*teller, others));
            Centroid::of(heard.map(|(_, arrival)| self.members.vector(*arrival)))
        };
        core(&one, &two).cosine_to(&core(&two, &one))
    }

    /// The feeds that tell a story, each with the entry by which it counts in the story's core: its first, and none that is a
    /// claim. An entry of no feed counts for itself.
    fn tellers(&self, serial: u32) -> Vec<(u32, u32)> {
        match self.cores.get(&serial) {
            Some(kept) => kept.tellers().collect(),
            None => {
                let Some(story) = self.stories.get(serial) else { return Vec::new() };
                let mut arrivals: Vec<u32> = self.arrivals_of(story).collect();
                arrivals.reverse();
                self.tellers_among(&arrivals)
            }
        }
    }

    /// The same of a story that has these entries, oldest first.
    fn tellers_among(&self, arrivals: &[u32]) -> Vec<(u32, u32)> {
        let mut tellers: Vec<(u32, u32)> = Vec::with_capacity(arrivals.len());
        for arrival in arrivals.iter().filter(|arrival| !self.members.is_claim(**arrival)) {
            let feed = self.hot(*arrival).map_or(NO_FEED, |hot| hot.feed);
            if feed == NO_FEED || tellers.iter().all(|(teller, _)| *teller != feed) {
                tellers.push((feed, *arrival));
            }
        }
        tellers
    }

    /// Whether a person took an entry of one of two stories out of the other.
    fn kept_apart(&self, one: u32, two: u32) -> bool {
        let (Some(one), Some(two)) = (self.stories.get(one), self.stories.get(two)) else { return true };
        !self.splits.is_empty()
            && (self.entries_of(one).any(|entry| self.splits.contains(&(entry, two.id())))
                || self.entries_of(two).any(|entry| self.splits.contains(&(entry, one.id()))))
    }

    /// The stories that share the entry's keys, most promising first, and those of its title's terms that its feed often uses.
    fn candidates(&self, fingerprint: &Fingerprint) -> (Vec<u32>, Vec<u32>) {
        let mut frame = Vec::new();
        let mut hits = Hits::default();
        let mut found: Vec<(u32, EntrySlot)> = Vec::with_capacity(POSTINGS_PER_KEY);
        let mut left = POSTINGS_AT_MOST;
        let mut keys = fingerprint.vector.keys();
        keys.sort_by_key(|key| (std::cmp::Reverse(key.rarity), std::cmp::Reverse(key.weight), key.hash));
        self.postings.prefetch(keys.iter().map(|key| key.hash));
        let feed = self.boilerplate.number(fingerprint.feed);
        for (turn, key) in (0_u16..).zip(keys) {
            let weight = u32::from(key.weight) * u32::from(key.weight);
            let mut own: [u32; FRAME_STORIES] = [u32::MAX; FRAME_STORIES];
            // First all are read and then all are counted: reads that wait for nothing else wait for memory together.
            found.clear();
            let arrivals = self.postings.of(key.hash).take(left.min(POSTINGS_PER_KEY));
            arrivals.for_each(|arrival| found.extend(self.hot(arrival).map(|hot| (arrival, hot))));
            left -= found.len();
            for &(arrival, hot) in &found {
                if hot.story == NOWHERE {
                    continue;
                }
                if Some(hot.feed) == feed && !own.contains(&hot.story) {
                    own.rotate_right(1);
                    own[0] = hot.story;
                }
                hits.add(hot.story, turn, weight, arrival);
            }
            if key.in_title() && !own.contains(&u32::MAX) {
                frame.push(key.hash);
            }
        }
        (hits.most_promising(), frame)
    }

    /// Some stories and the members of each that an entry is compared with: the newest, newest first, and the first.
    ///
    /// They lie all over memory. Followed through one story after another, each is waited for; a step in every story at a
    /// time, they are waited for together.
    fn called_up(&self, fingerprint: &Fingerprint, serials: &[u32]) -> Vec<Candidate<'_>> {
        let mut candidates: Vec<Candidate<'_>> = serials
            .iter()
            .filter_map(|serial| Some((*serial, self.stories.get(*serial)?)))
            .filter_map(|(serial, story)| {
                // Of the large stories most are told from the entry by their cores, and nobody looks at their members.
                let core = self.cores.get(&serial).map(|kept| kept.core.cosine(&fingerprint.vector));
                let compared = Vec::with_capacity(COMPARED);
                core.is_none_or(|core| core >= LEAST_CORE).then_some(Candidate { serial, story, core, compared })
            })
            .collect();
        let mut ends: Vec<Option<u32>> = candidates.iter().map(|candidate| Some(candidate.story.last)).collect();
        for _ in 1..COMPARED {
            for (candidate, end) in candidates.iter_mut().zip(&mut ends) {
                let newest = end.filter(|arrival| *arrival != candidate.story.first);
                candidate.compared.extend(newest);
                *end = newest.and_then(|arrival| self.members.before(arrival));
            }
        }
        candidates.iter_mut().for_each(|candidate| candidate.compared.push(candidate.story.first));
        self.members.prefetch(candidates.iter().flat_map(|candidate| &candidate.compared).copied());
        candidates
    }

    /// The words that an entry shares with a story, heaviest first.
    fn shared_terms(&self, features: &Features, probe: &ProbeVector<'_>, serial: u32) -> Vec<String> {
        let Some(story) = self.stories.get(serial) else { return Vec::new() };
        let mut shared = probe.shared_with(self.compared(story).map(|arrival| self.members.vector(arrival)));
        shared.sort_unstable_by_key(|cell| (std::cmp::Reverse(cell.weight), cell.hash));
        shared.iter().take(8).filter_map(|cell| features.word_of(cell.hash)).map(str::to_owned).collect()
    }

    fn place(&mut self, fingerprint: &Fingerprint, id: StoryRef, count: bool) {
        let serial = self.take_in(fingerprint, id, count);
        self.refresh_newest(serial);
    }

    /// Places an entry in its story, and leaves the story's core as it was.
    fn take_in(&mut self, fingerprint: &Fingerprint, id: StoryRef, count: bool) -> u32 {
        self.expire(fingerprint.at);
        let arrival = self.members.first() + u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        let serial = self.stories.of(id).unwrap_or_else(|| self.stories.found(id));
        if count {
            self.weights.learn(fingerprint.language, fingerprint.terms.iter().copied(), fingerprint.nearest);
        }
        let feed = self.boilerplate.learn(fingerprint.feed, arrival, &fingerprint.sentences);
        let keys = fingerprint.vector.keys();
        self.postings.prefetch(keys.iter().map(|key| key.hash));
        self.postings.push(keys.iter().map(|key| key.hash));
        self.hot.push_back(EntrySlot { story: serial, feed });
        self.members.push(fingerprint);
        self.link(arrival, serial);
        serial
    }

    /// Puts an entry into a story, at its place by arrival.
    fn link(&mut self, arrival: u32, serial: u32) {
        let (before, after, newest) = match self.stories.get(serial) {
            Some(story) if story.members > 0 => {
                let mut before = Some(story.last);
                let mut after = None;
                while let Some(here) = before.filter(|here| *here > arrival) {
                    after = Some(here);
                    before = self.members.before(here);
                }
                (
                    before,
                    after,
                    if self.members.at(arrival) >= self.members.at(story.newest) { arrival } else { story.newest },
                )
            }
            _ => (None, None, arrival),
        };
        // A story is as old as the entry that founded it, also when that one has left the window.
        let is_founding = self.stories.get(serial).is_some_and(|story| story.members == 0 && story.founded() == 0);
        let told = is_founding.then(|| self.members.get(arrival).map_or(0, |member| member.told));
        self.members.set_neighbours(arrival, before, after);
        if let Some(before) = before {
            self.members.set_after(before, Some(arrival));
        }
        if let Some(after) = after {
            self.members.set_before(after, Some(arrival));
        }
        if let Some(hot) = self.hot_mut(arrival) {
            hot.story = serial;
        }
        if let Some(story) = self.stories.get_mut(serial) {
            story.newest = newest;
            story.members += 1;
            if let Some(told) = told {
                story.set_founded(told);
            }
            if before.is_none() {
                story.first = arrival;
            }
            if after.is_none() {
                story.last = arrival;
            }
        }
    }

    /// Takes an entry out of its story.
    fn unlink(&mut self, arrival: u32) {
        let (before, after) = (self.members.before(arrival), self.members.after(arrival));
        let Some(serial) = self.hot(arrival).map(|hot| hot.story) else { return };
        if let Some(before) = before {
            self.members.set_after(before, after);
        }
        if let Some(after) = after {
            self.members.set_before(after, before);
        }
        if let Some(story) = self.stories.get_mut(serial) {
            story.members = story.members.saturating_sub(1);
            if before.is_none() {
                story.first = after.unwrap_or(0);
            }
            if after.is_none() {
                story.last = before.unwrap_or(0);
            }
        }
        // Only where dates ran backwards can the one that goes have been the newest.
        if self.stories.get(serial).is_some_and(|story| story.newest == arrival) {
            let newest = self
                .stories
                .get(serial)
                .and_then(|story| self.arrivals_of(story).max_by_key(|arrival| self.members.at(*arrival)));
            if let (Some(story), Some(newest)) = (self.stories.get_mut(serial), newest) {
                story.newest = newest;
            }
        }
    }

    /// Removes a story that has no entry left.
    fn remove_if_empty(&mut self, serial: u32) {
        if self.stories.get(serial).is_some_and(|story| story.members == 0) {
            self.cores.remove(&serial);
            self.stories.remove(serial);
        }
    }

    fn absorb(&mut self, older: StoryRef, younger: StoryRef) {
        let (Some(into), Some(from)) = (self.stories.of(older), self.stories.of(younger)) else { return };
        if into == from {
            return;
        }
        let arrivals: Vec<u32> = self.stories.get(from).into_iter().flat_map(|story| self.arrivals_of(story)).collect();
        for arrival in arrivals {
            self.unlink(arrival);
            self.link(arrival, into);
        }
        self.remove_if_empty(from);
        self.refresh(into);
    }

    /// Has a story's core follow from its members as they are now.
    fn refresh(&mut self, serial: u32) {
        let mut kept = Kept::default();
        if let Some(story) = self.stories.get(serial).filter(|story| is_large(story)) {
            let mut arrivals: Vec<u32> = self.arrivals_of(story).collect();
            arrivals.reverse();
            arrivals.into_iter().for_each(|arrival| self.count(&mut kept, arrival));
        }
        self.keep_core(serial, kept);
    }

    /// Keeps the core of a large story; of a small one its length is made when it is asked for.
    fn keep_core(&mut self, serial: u32, kept: Kept) {
        let Some(story) = self.stories.get_mut(serial) else { return };
        story.forget_length();
        if is_large(story) {
            self.cores.insert(serial, kept);
        } else {
            self.cores.remove(&serial);
        }
    }

    /// Counts the newest member of a story in its core.
    fn count(&self, kept: &mut Kept, arrival: u32) {
        if !self.members.is_claim(arrival) {
            kept.add(self.hot(arrival).map_or(NO_FEED, |hot| hot.feed), arrival, &self.members);
        }
    }

    /// Brings a story's core up to date after its newest member was linked: what `refresh` would make, in fewer steps.
    fn refresh_newest(&mut self, serial: u32) {
        let Some(mut kept) = self.cores.remove(&serial) else { return self.refresh(serial) };
        let Some(newest) = self.stories.get(serial).map(|story| story.last) else { return };
        self.count(&mut kept, newest);
        self.keep_core(serial, kept);
    }

    /// Brings a story's core up to date after its oldest member, `gone`, of `feed`, was taken out.
    fn refresh_oldest(&mut self, serial: u32, gone: u32, feed: u32) {
        let Some(mut kept) = self.cores.remove(&serial) else { return self.refresh(serial) };
        if !self.members.is_claim(gone) {
            kept.remove(feed, gone, &self.members);
        }
        self.keep_core(serial, kept);
    }

    /// The members of a story that an entry is compared with: the newest, newest first, and the first.
    fn compared<'a>(&'a self, story: &'a Story) -> impl Iterator<Item = u32> + 'a {
        let newest = self.arrivals_of(story).take(COMPARED - 1).filter(|arrival| *arrival != story.first);
        newest.chain((story.members > 0).then_some(story.first))
    }

    /// The members of a story, newest first.
    fn arrivals_of<'a>(&'a self, story: &'a Story) -> impl Iterator<Item = u32> + 'a {
        std::iter::successors((story.members > 0).then_some(story.last), |arrival| self.members.before(*arrival))
    }

    fn entries_of<'a>(&'a self, story: &'a Story) -> impl Iterator<Item = EntryRef> + 'a {
        self.arrivals_of(story).filter_map(|arrival| self.members.get(arrival)).map(|member| member.entry)
    }

    fn in_window(&self, at: i64, now: i64) -> bool {
        now.saturating_sub(at).saturating_abs() <= self.rules.window.num_microseconds().unwrap_or(i64::MAX)
    }

    fn hot(&self, arrival: u32) -> Option<EntrySlot> {
        self.hot.get(self.members.position(arrival)?).copied()
    }

    fn hot_mut(&mut self, arrival: u32) -> Option<&mut EntrySlot> {
        let at = self.members.position(arrival)?;
        self.hot.get_mut(at)
    }
}

/// A large story's core, and the entries of each feed that tells it, oldest first. A feed counts once, by its first entry; an
/// entry of no feed counts for itself.
#[derive(Debug, Default)]
struct Kept {
    core: Centroid,
    arrivals: HashMap<u32, VecDeque<u32>, Prehashed>,
}

impl Kept {
    /// The feeds with the entry by which each counts.
    fn tellers(&self) -> impl Iterator<Item = (u32, u32)> {
        let counted = |feed: u32, arrivals: &VecDeque<u32>| if feed == NO_FEED { arrivals.len() } else { 1 };
        self.arrivals.iter().flat_map(move |(feed, arrivals)| {
            arrivals.iter().take(counted(*feed, arrivals)).map(|arrival| (*feed, *arrival))
        })
    }

    /// How many there are.
    fn len(&self) -> usize {
        let of_none = self.arrivals.get(&NO_FEED).map_or(0, |arrivals| arrivals.len().saturating_sub(1));
        self.arrivals.len() + of_none
    }

    /// Adds the newest entry.
    fn add(&mut self, feed: u32, arrival: u32, members: &Members) {
        let arrivals = self.arrivals.entry(feed).or_default();
        if arrivals.is_empty() || feed == NO_FEED {
            self.core.add(members.vector(arrival));
        }
        arrivals.push_back(arrival);
    }

    /// Takes the oldest entry out; the next one of its feed counts from now on.
    fn remove(&mut self, feed: u32, oldest: u32, members: &Members) {
        let Some(arrivals) = self.arrivals.get_mut(&feed) else { return };
        arrivals.pop_front();
        self.core.remove(members.vector(oldest));
        match arrivals.front() {
            Some(next) if feed != NO_FEED => self.core.add(members.vector(*next)),
            Some(_) => {}
            None => {
                self.arrivals.remove(&feed);
            }
        }
    }
}

/// A story that an entry may tell, and its members to compare with.
struct Candidate<'a> {
    serial: u32,
    story: &'a Story,
    /// The cosine to its core, where that is kept.
    core: Option<f32>,
    compared: Vec<u32>,
}

struct Passed {
    serial: u32,
    first: u32,
    rule: Rule,
    margin: f32,
    found: Match,
}

/// Per story, how much speaks for it, and the newest entry that does.
struct Hits {
    found: Vec<Hit>,
    /// One more than the place of each story, by its number's lower bits; what is taken goes to the next slot.
    slots: [u16; Self::SLOTS],
}

struct Hit {
    weight: u32,
    newest: u32,
    story: u32,
    /// The key that spoke for it last.
    turn: u16,
}

impl Default for Hits {
    fn default() -> Self {
        Self { found: Vec::with_capacity(256), slots: [0; Self::SLOTS] }
    }
}

impl Hits {
    /// More than twice as many as there can be stories.
    const SLOTS: usize = 2_048;

    fn add(&mut self, story: u32, turn: u16, weight: u32, arrival: u32) {
        let mut at = usize::try_from(story.wrapping_mul(0x9e37_79b1) >> 21).unwrap_or(0);
        while let Some(slot) = self.slots.get_mut(at) {
            let Some(hit) = usize::from(*slot).checked_sub(1).and_then(|at| self.found.get_mut(at)) else {
                self.found.push(Hit { weight, newest: arrival, story, turn });
                *slot = u16::try_from(self.found.len()).unwrap_or(0);
                return;
            };
            if hit.story == story {
                // A story with many entries is no likelier for it.
                if hit.turn != turn {
                    hit.weight += weight;
                    hit.turn = turn;
                }
                hit.newest = hit.newest.max(arrival);
                return;
            }
            at = (at + 1) % Self::SLOTS;
        }
    }

    /// The stories for which most speaks, the first one first; ties go to the newer.
    fn most_promising(mut self) -> Vec<u32> {
        let order = |hit: &Hit| std::cmp::Reverse((hit.weight, hit.newest, hit.story));
        if self.found.len() > CANDIDATES {
            self.found.select_nth_unstable_by_key(CANDIDATES, order);
            self.found.truncate(CANDIDATES);
        }
        self.found.sort_unstable_by_key(order);
        self.found.iter().map(|hit| hit.story).collect()
    }
}

const _: () = assert!(POSTINGS_AT_MOST * 2 < Hits::SLOTS, "a slot is always free");

/// Has a text that two stories have speak for none but one that has the headline, too: it is what a publisher puts under all of
/// its entries, before either of its feeds has shown that.
fn note_stock_text(compared: &mut [(&Candidate<'_>, Rule, Match)]) {
    let has_text = |found: &Match| found.likeness.is_some_and(|likeness| likeness.one_text);
    if compared.iter().filter(|(.., found)| has_text(found)).count() < 2 {
        return;
    }
    for (.., found) in compared.iter_mut().filter(|(.., found)| has_text(found)) {
        if found.likeness.is_some_and(|likeness| !likeness.has_one_title()) {
            found.veto = found.veto.or(Some(Veto::StockText));
            found.follows = false;
        }
    }
}

/// Whether a story has more members than are compared, so that its core is kept.
fn is_large(story: &Story) -> bool {
    usize::try_from(story.members).is_ok_and(|members| members > COMPARED)
}

/// Whether a story was young when an entry was compared with it.
fn found_young(found: &Match) -> bool {
    found.likeness.is_some_and(|likeness| likeness.is_young())
}

/// Days from one moment to another, in microseconds; 0 where it lies before.
fn days_after(later: i64, earlier: i64) -> f32 {
    days(later.saturating_sub(earlier).max(0))
}

/// A share of one in 255 steps, one at least.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float-to-int cast saturates, which is what is wanted"
)]
fn share_of_255(share: f32) -> u8 {
    (share * 255.0).round().max(1.0) as u8
}

/// Days in some microseconds, by whole minutes.
fn days(gap: i64) -> f32 {
    real(u32::try_from(gap.unsigned_abs() / 60_000_000).unwrap_or(u32::MAX)) / 1_440.0
}
