//! The second half of a poll: what it found goes into the store and into stories.
//!
//! Edge, inside one transaction: known -> `update::plan` -> apply -> candidates -> `fold::plan` -> apply. The validators are
//! stored with the entries that they vouch for, never before them, or a later 304 would hide lost news.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::Connection;

use crate::config::{Judged, Rule};
use crate::fold::canonical::Site;
use crate::fold::fingerprint::Fingerprint;
use crate::fold::link::{Linked, Pages, Standing, Telling};
use crate::fold::plan::{Decision, Rule as FoldRule, Verdict};
use crate::fold::{self, Article, Rules};
use crate::model::{Entry, EntryRef, Feed, Level, StoryNames, StoryRef, Validators};
use crate::normalise::{identity, text};
use crate::plural::counted;
use crate::schedule::rhythm::Rhythm;
use crate::store::stories::Shown;
use crate::store::texts::{Kept, Place};
use crate::store::{
    Result, WriteContext, WriterCache, corrections, entries, feeds, fingerprints, follows, rekey, retention, search,
    stories, texts,
};
use crate::update::{self, Changes, Known, Lately, matching};

mod belonging;

use belonging::Others;

/// After how many new entries the weights are kept and old prints forgotten.
const TIDY_EVERY: u64 = 4096;
/// How far before we first saw it a new entry may stand among the published: what a publisher dates back is not buried.
const LONGEST_BACKDATING: TimeDelta = TimeDelta::hours(1);
/// When a feed whose hub told too much at once is polled for the rest.
const AFTER_TOO_MUCH: TimeDelta = TimeDelta::hours(1);
/// How many old entries a publisher may keep at the end of a document from which newer ones fall off.
const MOST_PINNED: usize = 2;

/// What came of a poll that brought a document.
#[derive(Debug, Clone)]
pub struct PollRecord {
    /// The feed as it is to be remembered, with the validators of this document.
    pub feed: Feed,
    /// When it was polled.
    pub at: DateTime<Utc>,
    /// Whether the feed had never been read before.
    pub is_first: bool,
    /// Whether it is not the feed's whole document, so that what is not in it is not gone.
    pub is_partial: bool,
    /// What the document holds, oldest first.
    pub entries: Arc<[Entry]>,
    /// How the configuration wants it taken in.
    pub terms: Arc<Terms>,
}

impl PollRecord {
    /// What `before` becomes with what came. Where nothing of it bears a date, that is when it was polled.
    #[must_use]
    pub fn rhythm_after(&self, before: &Rhythm) -> Rhythm {
        let is_undated =
            !self.is_first && !self.is_partial && self.entries.iter().all(|entry| entry.published.is_none());
        let dates = self.entries.iter().filter_map(|entry| entry.published).chain(is_undated.then_some(self.at));
        let mut rhythm = before.clone();
        rhythm.note(dates, self.at);
        rhythm
    }
}

/// What the configuration says about taking a feed's entries in.
#[derive(Debug, Clone)]
pub struct Terms {
    /// How far to fold this feed's entries.
    pub level: Level,
    /// What folding goes by.
    pub folding: Rules,
    /// Entries older than this at the first poll are stored and not published as new.
    pub backfill: Duration,
    /// An entry must fit one of these, if there are any.
    pub keep: Vec<Rule>,
    /// An entry must fit none of these.
    pub drop: Vec<Rule>,
    /// The site whose pages are the feed's own.
    pub site: Site,
}

/// What taking in a document came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ingested {
    /// Entries not seen before.
    pub added: usize,
    /// Entries that their publisher edited.
    pub revised: usize,
    /// New entries that joined a story.
    pub folds: Folds,
    /// New entries that a rule of the configuration dropped.
    pub dropped: usize,
    /// Entries whose text was too large for the store, and is kept in part.
    pub shortened: usize,
}

/// New entries that joined a story, by rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Folds {
    /// They lead to one page.
    pub link: usize,
    /// They have the same text.
    pub copy: usize,
    /// They tell the same happening in other words.
    pub story: usize,
}

impl Folds {
    /// By whichever rule.
    #[must_use]
    pub fn total(self) -> usize {
        self.link + self.copy + self.story
    }

    fn add(&mut self, rule: FoldRule) {
        match rule {
            FoldRule::Link => self.link += 1,
            FoldRule::Copy => self.copy += 1,
            FoldRule::Story => self.story += 1,
            // A person joins stories, not entries that are new.
            FoldRule::Person => {}
        }
    }
}

impl Ingested {
    /// Adds what another document came to.
    pub fn add(&mut self, other: Self) {
        let Self { added, revised, folds, dropped, shortened } = self;
        *added += other.added;
        *revised += other.revised;
        *dropped += other.dropped;
        *shortened += other.shortened;
        folds.link += other.folds.link;
        folds.copy += other.folds.copy;
        folds.story += other.folds.story;
    }

    /// Whether anything that is published may have changed.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.added + self.revised > 0
    }
}

/// What of a document is yet to be taken in.
#[derive(Debug, Clone)]
pub struct Rest {
    intake: update::Intake,
    /// Its entries under other ids, where those were given them to be kept apart from others.
    apart: Option<Arc<[Entry]>>,
    /// How many of its new entries are still to come.
    added: usize,
    /// What came of it so far.
    ingested: Ingested,
}

/// How far a document is taken in.
#[derive(Debug, Clone)]
pub enum Progress {
    /// All of it.
    Done(Ingested),
    /// A part; the rest wants transactions of its own, so that no feed keeps the store from the others for long.
    Partly(Rest),
}

impl Progress {
    /// What came of the document so far.
    #[must_use]
    pub fn ingested(self) -> Ingested {
        match self {
            Self::Done(ingested) | Self::Partly(Rest { ingested, .. }) => ingested,
        }
    }
}

/// Takes in what a poll brought, or as much of it as one transaction should hold; on an error nothing. `rest` is what the call
/// before left of the same document.
///
/// Only the last call stores the validators, since they vouch for all entries. Should there never be one, the document is asked
/// for in full again.
///
/// # Errors
/// When the store refuses.
pub fn ingest(context: &mut WriteContext<'_>, record: &PollRecord, rest: Option<Rest>) -> Result<Progress> {
    let PollRecord { entries: polled, at, is_first, is_partial, .. } = record;
    let tx = context.tx;
    let mut feed = record.feed.clone();
    // A hub may have told of it while it was being polled.
    if let Some((rhythm, floods)) = feeds::learned(tx, feed.feed)? {
        (feed.rhythm, feed.floods) = (record.rhythm_after(&rhythm), floods);
    }
    let (known, apart) = known(tx, record, rest.as_ref())?;
    let polled = apart.as_deref().unwrap_or(polled);
    let mut changes = update::plan(&known, polled, *at);
    if *is_partial {
        update::without_steps_back(&known, &mut changes);
    }
    let mut rest = match rest {
        Some(rest) => rest,
        None => {
            let (is_first, is_partial, polled) = (*is_first, *is_partial, polled.len());
            let lately = context.memory.lately.entry(feed.feed).or_insert_with(|| Lately::begin(*at));
            let added = changes.added.len();
            let left = lately.left(is_partial, *at);
            let arrived = update::Arrived { added, polled, left, is_first, is_partial };
            let intake = update::intake(arrived, feed.floods);
            lately.add(is_partial, intake.take);
            tell_of_a_flood(&feed, intake);
            Rest { intake, apart: apart.clone(), added: intake.take, ingested: Ingested::default() }
        }
    };
    stem(&mut feed, &mut changes, &rest);
    if !changes.waiting.is_empty() {
        ask_in_full(&mut feed);
    }
    if *is_partial && rest.intake.ask_again && feed.next_poll > *at + AFTER_TOO_MUCH {
        feed.next_poll = *at + AFTER_TOO_MUCH;
        feed.next_poll_why = "its hub told more than is taken from hubs".to_owned();
    }
    let is_done = !update::limit(&mut changes);
    if !is_done {
        ask_in_full(&mut feed);
    }
    if !is_done || rest.intake.ask_again {
        // The rest is as old as what came before it, and no news when it comes with another document.
        feed.last_success = feed.last_success.filter(|_| !is_first);
    }
    let is_partial = *is_partial || !is_done;
    if is_partial {
        changes.gone.clear();
    }
    let revised = changes.revised.len() + changes.restored.len();
    let mut ingested = Ingested { added: changes.added.len(), revised, ..Ingested::default() };

    let mut intake = Intake {
        tx,
        record,
        touched: BTreeSet::new(),
        others: HashMap::new(),
        fingerprint: None,
        shortened: 0,
        names: StoryNames::of(&feed.identity),
    };
    let added = intake.add(context.memory, &changes, &mut ingested)?;
    intake.revise(context.memory, &changes)?;
    let kept: Vec<EntryRef> =
        changes.revised.iter().map(|revision| revision.entry).chain(changes.unchanged.iter().copied()).collect();
    intake.relist(&changes.gone, &kept, &known.listed)?;
    intake.settle()?;
    ingested.shortened = intake.shortened;

    let is_kept: HashSet<EntryRef> = kept.iter().copied().collect();
    let still_listed = known.listed.iter().filter(|entry| is_partial && !is_kept.contains(entry)).copied();
    let listed: Vec<EntryRef> = still_listed.chain(kept.iter().copied()).chain(added).collect();
    rest.added = rest.added.saturating_sub(ingested.added);
    rest.ingested.add(ingested);
    if rest.ingested.shortened > 0 {
        let shortened = counted(rest.ingested.shortened, "text");
        feed.repairs.push(format!(
            "{shortened} larger than the store takes; the beginning is kept, and no author, label or file"
        ));
    }
    feeds::save(tx, &feed, Some(&listed))?;
    Ok(if is_done { Progress::Done(rest.ingested) } else { Progress::Partly(rest) })
}

/// What the store knows of a document's entries, and the entries under other ids where they have to be kept apart from others.
///
/// Which entries were renamed, and which have to be kept apart, is asked before the first part of a document is taken in alone.
fn known(tx: &Connection, record: &PollRecord, rest: Option<&Rest>) -> Result<(Known, Option<Arc<[Entry]>>)> {
    let PollRecord { feed, entries: polled, is_partial, .. } = record;
    if let Some(Rest { apart, .. }) = rest {
        return Ok((entries::known(tx, feed.feed, apart.as_deref().unwrap_or(polled))?, apart.clone()));
    }
    let mut known = entries::known(tx, feed.feed, polled)?;
    if !matching::is_wanted(&known, polled) {
        return Ok((known, None));
    }
    let mut stored = rekey::stored(tx, feed.feed, &known, polled)?;
    let apart: Option<Arc<[Entry]>> =
        identity::kept_apart(polled, &matching::shared_ids(&known, &stored)).map(Into::into);
    if let Some(apart) = &apart {
        known = entries::known(tx, feed.feed, apart)?;
        stored = rekey::stored(tx, feed.feed, &known, apart)?;
    }
    // Entries of one document are never each other's new names.
    known.renamed = matching::renamed(&known, apart.as_deref().unwrap_or(polled), &stored, !is_partial);
    Ok((known, apart))
}

/// Leaves out the oldest of too many new entries, and says so.
///
/// Where the rest is to come at the next poll, nothing vouches for the document: it is asked for in full.
fn stem(feed: &mut Feed, changes: &mut Changes<'_>, Rest { intake, added, .. }: &Rest) {
    let came = changes.added.len();
    changes.added.drain(..came.saturating_sub(*added));
    let update::Intake { added: all, take, ask_again, floods } = *intake;
    feed.floods = floods;
    if ask_again {
        ask_in_full(feed);
        feed.repairs.push(format!(
            "{all} entries are new at once, more than may come in an hour; the newest {take} are taken in, and the other {} at the next polls",
            all - take
        ));
    }
    if floods >= update::FLOODS {
        feed.repairs.push(format!(
            "nearly every entry has been new for {floods} polls; no more than {} are taken in at a time",
            update::MOST_OF_A_FLOOD
        ));
    }
}

/// Has the next poll ask for the whole document, whether or not it has changed.
fn ask_in_full(feed: &mut Feed) {
    feed.validators = Validators::default();
    feed.body_hash = None;
}

fn tell_of_a_flood(feed: &Feed, intake: update::Intake) {
    if intake.floods >= update::FLOODS {
        tracing::warn!(
            feed.name,
            floods = intake.floods,
            "nearly every entry has been new poll after poll; only the newest are taken in"
        );
    }
}

/// What became of a new entry.
struct Told {
    verdict: Verdict,
    /// Whether it founded the story that it is in, now or before it was forgotten.
    is_founder: bool,
}

/// One document on its way in.
struct Intake<'a> {
    tx: &'a Connection,
    record: &'a PollRecord,
    /// Stories whose coverage or whose tellings changed.
    touched: BTreeSet<StoryRef>,
    /// What other feeds tell of the stories whose entries were edited.
    others: HashMap<StoryRef, Others>,
    /// What folding keeps of the entry in hand, until the entry is stored.
    fingerprint: Option<Fingerprint>,
    /// How many texts were too large for the store.
    shortened: usize,
    /// The names of the stories that the feed's entries found.
    names: StoryNames,
}

impl Intake<'_> {
    /// Stores the texts of entries, and gives where each went.
    fn keep<'a>(&mut self, entries: impl Iterator<Item = &'a Entry>) -> Result<Vec<Place>> {
        let Kept { places, shortened } = texts::keep(self.tx, entries.map(|entry| &entry.detail))?;
        self.shortened += shortened;
        Ok(places)
    }

    /// Stores the new entries, folds them, and gives their handles.
    fn add(
        &mut self,
        memory: &mut WriterCache,
        changes: &Changes<'_>,
        ingested: &mut Ingested,
    ) -> Result<Vec<EntryRef>> {
        let PollRecord { feed, at, is_first, terms, .. } = self.record;
        let EntryRef(first) = match memory.next_entry {
            Some(next) => next,
            None => entries::next_ref(self.tx)?,
        };
        let handles: Vec<EntryRef> = (first..).map(EntryRef).take(changes.added.len()).collect();
        memory.next_entry = handles.last().map_or(Some(EntryRef(first)), |EntryRef(last)| Some(EntryRef(last + 1)));
        let new: Vec<(EntryRef, &Entry)> = handles.iter().copied().zip(changes.added.iter().copied()).collect();
        let forgets_anything = corrections::forgets_anything(self.tx)?;
        let mut tellings: HashMap<EntryRef, Telling> = HashMap::new();
        for (handle, entry) in &new {
            let is_forgotten = forgets_anything && corrections::is_forgotten(self.tx, feed.feed, entry)?;
            if !is_dropped(entry, feed, terms) && !is_forgotten {
                tellings.insert(*handle, self.telling(*handle, entry, *at));
            }
        }
        ingested.dropped = new.len() - tellings.len();
        let mut pages = match terms.level {
            Level::Off => Pages::default(),
            _ => entries::leading_to(self.tx, tellings.values().flat_map(|telling| &telling.permalinks))?,
        };
        tellings.values().for_each(|telling| pages.note(telling));
        let texts = self.keep(changes.added.iter().copied())?;
        let has_forgotten = retention::has_forgotten(self.tx, feed.feed)?;
        let mut additions = entries::Additions::begin(self.tx)?;
        for ((handle, entry), text) in new.into_iter().zip(texts) {
            let is_old = *is_first && entry.published.is_some_and(|published| *at - published > delta(terms.backfill));
            let is_back = has_forgotten && retention::recall(self.tx, feed.feed, &entry.id)?;
            let shown = (!is_back && !is_old).then(|| shown(entry, *at, *is_first));
            let told = match tellings.get(&handle) {
                Some(telling) => Some(self.fold(memory, telling, entry, &pages, shown)?),
                None => None,
            };
            let story = told.as_ref().map(|told| told.verdict.story(handle));
            let place = shown.map(|shown| shown.sort_at);
            let addition = entries::Addition { handle, feed: feed.feed, entry, text, story, place };
            additions.add(&addition, *at)?;
            if let (Some(telling), Some(told)) = (tellings.get(&handle), told) {
                if let (Verdict::Joins { rule, .. }, false) = (&told.verdict, told.is_founder) {
                    ingested.folds.add(*rule);
                }
                self.enter(memory, telling, told, &mut pages)?;
            }
        }
        self.tidy(memory, first)?;
        Ok(handles)
    }

    /// Decides what a new entry joins, or founds its story, and keeps the index up.
    fn fold(
        &mut self,
        memory: &mut WriterCache,
        telling: &Telling,
        entry: &Entry,
        pages: &Pages,
        shown: Option<Shown>,
    ) -> Result<Told> {
        let linked = pages.find(telling).filter(|_| self.record.terms.level >= Level::Link);
        if self.record.terms.level < Level::Copy {
            return self.found(telling, entry, linked.map_or(Verdict::New { nearest: None }, Verdict::from), shown);
        }
        let plain = |markup: &Option<String>| markup.as_deref().map(text::plain).unwrap_or_default();
        let article = Article {
            entry: telling.entry,
            feed: telling.feed,
            title: &entry.title,
            summary: &plain(&entry.detail.summary),
            content: &plain(&entry.detail.content),
            language: entry.detail.language.as_deref(),
            at: self.record.at,
            published: entry.published,
        };
        let Decision { fingerprint, verdict } = self.decide(memory, &article, linked)?;
        let told = self.found(telling, entry, verdict, shown)?;
        // Who comes to a page of its own is no claim.
        let is_claim = fingerprint.is_claim && !telling.permalinks.iter().all(|page| self.record.terms.site.owns(page));
        self.fingerprint = Some(Fingerprint { is_claim, ..fingerprint });
        Ok(told)
    }

    /// Reads an entry and decides which story it tells.
    fn decide(&self, memory: &mut WriterCache, article: &Article<'_>, linked: Option<Linked>) -> Result<Decision> {
        let PollRecord { at, terms, .. } = self.record;
        let index = match memory.index.take() {
            Some(index) if *index.rules() == terms.folding => index,
            _ => fingerprints::restore(self.tx, terms.folding, *at)?,
        };
        let read = fold::terms::of(article, index.boilerplate(article.feed));
        let decision = index.decide(&read, terms.level, linked);
        memory.index = Some(index);
        Ok(decision)
    }

    /// Carries out for a stored entry what was decided: why it is in its story, which stories are one now, and what the
    /// index and later entries have to know of it.
    fn enter(&mut self, memory: &mut WriterCache, telling: &Telling, told: Told, pages: &mut Pages) -> Result<()> {
        let (entry, at) = (telling.entry, self.record.at);
        let story = told.verdict.story(entry);
        let mut made_way = Vec::new();
        if let Verdict::Joins { rule, found, absorbs } = &told.verdict {
            if !told.is_founder {
                stories::link(self.tx, entry, *rule, found, at)?;
            }
            for younger in absorbs {
                stories::absorb(self.tx, story, *younger, FoldRule::Story, found, at)?;
                pages.absorb(story, *younger);
            }
            made_way = pages.outranked(telling, story).collect();
            self.touched.insert(story);
        }
        if let Some(followed) = told.verdict.follows() {
            follows::add(self.tx, story, followed, at)?;
        }
        let speaks = matches!(told.verdict, Verdict::New { .. }) || !made_way.is_empty();
        pages.add(telling, Standing { story, speaks, since: Some(at) });
        let fingerprint = self.fingerprint.take();
        if let (Some(index), Some(fingerprint)) = (&mut memory.index, &fingerprint) {
            index.apply(Decision { fingerprint: fingerprint.clone(), verdict: told.verdict });
            made_way.iter().for_each(|claim| index.discount(*claim, story));
        }
        fingerprint.iter().try_for_each(|fingerprint| fingerprints::add(self.tx, fingerprint))?;
        if made_way.is_empty() {
            return Ok(());
        }
        made_way.iter().try_for_each(|claim| fingerprints::discount(self.tx, *claim))?;
        entries::take_over(self.tx, entry, &made_way, at)?;
        // Who joined by what the claims said has not said that it tells of this page.
        self.ask_those_who_joined_claims(memory, entry, &made_way, story)
    }

    /// Founds the story of an entry that joins none. One that founded a story, was forgotten and came back is in that one
    /// again.
    fn found(&self, telling: &Telling, entry: &Entry, verdict: Verdict, shown: Option<Shown>) -> Result<Told> {
        let at = &self.record.at;
        let Verdict::New { .. } = verdict else { return Ok(Told { verdict, is_founder: false }) };
        let id = self.names.story(&entry.id);
        let is_new = stories::found(self.tx, telling.entry, id, shown, *at)?;
        let own = if is_new { None } else { stories::by_id(self.tx, id)? };
        let verdict = own.map_or(verdict, |own| Linked { story: own.story, matched: own.canonical }.into());
        Ok(Told { verdict, is_founder: true })
    }

    /// Now and then, keeps what was learned and forgets what left the window.
    fn tidy(&self, memory: &WriterCache, first: u64) -> Result<()> {
        let (Some(index), Some(EntryRef(next))) = (&memory.index, memory.next_entry) else { return Ok(()) };
        if next / TIDY_EVERY > first / TIDY_EVERY {
            let begins = self.record.at.checked_sub_signed(index.rules().window).unwrap_or(DateTime::UNIX_EPOCH);
            fingerprints::tidy(self.tx, index, EntryRef(next - 1), begins)?;
        }
        Ok(())
    }

    /// Stores what publishers edited; a story whose canonical entry was edited is updated, and an entry that does not tell its
    /// story any more leaves it.
    fn revise(&mut self, memory: &mut WriterCache, changes: &Changes<'_>) -> Result<()> {
        for (entry, now) in &changes.renamed {
            entries::rename(self.tx, *entry, now)?;
        }
        let restored = self.keep(changes.restored.iter().map(|(_, now)| *now))?;
        for ((entry, _), text) in changes.restored.iter().zip(restored) {
            entries::restore(self.tx, *entry, text)?;
        }
        let texts = self.keep(changes.revised.iter().map(|revision| revision.now))?;
        for (revision, text) in changes.revised.iter().zip(texts) {
            let feed = &self.record.feed;
            let has_moved = match entries::revise(self.tx, feed.feed, revision, text, self.record.at) {
                // It stays as it is, and hidden where its row is damaged, until the store is repaired.
                Err(error) if error.is_corruption() => {
                    tracing::warn!(feed.name, entry.id = revision.entry.0, "an edited entry cannot be stored: {error}");
                    continue;
                }
                revised => revised?,
            };
            search::revise(self.tx, revision.entry, revision.now)?;
            // What was damaged comes back, and no reader is told of an edit.
            if revision.was_damaged {
                self.touched.extend(stories::told_by(self.tx, revision.entry)?);
                continue;
            }
            if let Some(mut story) = stories::spoken_for_by(self.tx, revision.entry)? {
                story.updated = Some(revised_at(revision.now, &story, self.record.at));
                stories::save(self.tx, &story)?;
            }
            let Some(story) = stories::told_by(self.tx, revision.entry)? else { continue };
            if has_moved {
                self.touched.insert(story);
            }
            self.ask_edited(memory, revision.entry, story)?;
        }
        Ok(())
    }

    /// Stores which entries left the document and which came back; a withdrawn one no longer speaks for its story.
    fn relist(&mut self, gone: &[EntryRef], kept: &[EntryRef], listed: &[EntryRef]) -> Result<()> {
        let withdrawn = withdrawn(gone, kept);
        let listed: HashSet<EntryRef> = listed.iter().copied().collect();
        let back: Vec<EntryRef> = kept.iter().filter(|entry| !listed.contains(entry)).copied().collect();
        entries::relist(self.tx, gone, &withdrawn, &back, self.record.at)?;
        for entry in withdrawn {
            self.touched.extend(stories::spoken_for_by(self.tx, entry)?.map(|story| story.story));
        }
        for entry in back {
            self.touched.extend(stories::told_by(self.tx, entry)?);
        }
        Ok(())
    }

    /// Counts the sources of stories that were joined, and chooses anew who speaks for them.
    fn settle(&self) -> Result<()> {
        self.touched.iter().try_for_each(|story| stories::settle(self.tx, *story, self.record.at))
    }

    /// An entry, first seen `at`, as far as its links are looked at.
    fn telling(&self, entry: EntryRef, from: &Entry, at: DateTime<Utc>) -> Telling {
        Telling {
            entry,
            feed: Some(self.record.feed.feed.0),
            permalinks: from.permalink.iter().chain(&from.id_permalink).cloned().collect(),
            title: from.title.clone(),
            site: Some(self.record.terms.site.clone()),
            published: from.published.unwrap_or(at),
        }
    }
}

/// The entries of `gone` that did not fall off the end of the document: older ones still stand in it. One or two prove
/// nothing, as some publishers pin an old entry.
fn withdrawn(gone: &[EntryRef], kept: &[EntryRef]) -> Vec<EntryRef> {
    let mut kept = kept.to_vec();
    kept.sort_unstable();
    let is_midst = |entry: &&EntryRef| kept.get(MOST_PINNED).is_some_and(|kept| kept < *entry);
    gone.iter().filter(is_midst).copied().collect()
}

/// Whether the feed's keep and drop rules leave the entry out of what is published.
fn is_dropped(entry: &Entry, feed: &Feed, terms: &Terms) -> bool {
    let judged = Judged::of(entry, &feed.name, feed.title.as_deref());
    let fits = |rule: &Rule| rule.fits(&judged);
    (!terms.keep.is_empty() && !terms.keep.iter().any(fits)) || terms.drop.iter().any(fits)
}

/// The date and place of a story founded by `entry`, first seen `now`.
///
/// The date is the publisher's, unless it lies in the future. At the first poll of a feed its entries take the places of
/// their dates; later ones stand where they were found, or readers with a full page would never see what was dated back.
fn shown(entry: &Entry, now: DateTime<Utc>, is_first: bool) -> Shown {
    let published = entry.published.or(entry.updated).map_or(now, |published| published.min(now));
    let sort_at = if is_first { published } else { published.max(now - LONGEST_BACKDATING) };
    Shown { published, sort_at }
}

/// When a story counts as updated whose canonical entry was edited: by the publisher's word where it can be true.
fn revised_at(entry: &Entry, story: &stories::Story, now: DateTime<Utc>) -> DateTime<Utc> {
    let since = story.updated.or(story.published);
    entry.updated.filter(|updated| *updated <= now && since.is_none_or(|since| *updated > since)).unwrap_or(now)
}

fn delta(length: Duration) -> TimeDelta {
    TimeDelta::from_std(length).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod hostile;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Detail, EntryId, FeedRef, StoryId};
    use crate::store::schema;

    fn entry(published: Option<&str>) -> Entry {
        Entry {
            id: EntryId("a".into()),
            permalink: None,
            id_permalink: None,
            title: String::new(),
            published: published.map(|date| date.parse().unwrap()),
            updated: None,
            detail: Detail::default(),
            digest: 0,
        }
    }

    fn check(published: Option<&str>, is_first: bool, date: &str, place: &str) {
        let now = "2026-01-10T12:00:00Z".parse().unwrap();
        let expected = Shown { published: date.parse().unwrap(), sort_at: place.parse().unwrap() };
        assert_eq!(shown(&entry(published), now, is_first), expected, "{published:?}");
    }

    #[test]
    fn an_entry_is_shown_with_its_date_and_where_readers_will_see_it() {
        check(Some("2026-01-10T11:30:00Z"), false, "2026-01-10T11:30:00Z", "2026-01-10T11:30:00Z");
        check(Some("2026-01-08T00:00:00Z"), false, "2026-01-08T00:00:00Z", "2026-01-10T11:00:00Z");
        check(Some("2026-01-08T00:00:00Z"), true, "2026-01-08T00:00:00Z", "2026-01-08T00:00:00Z");
    }

    const NOW: DateTime<Utc> = DateTime::from_timestamp(1_768_046_400, 0).unwrap();

    /// As the configuration has it where it names nothing but a level.
    pub(super) fn terms_at(level: Level, site: Site) -> Terms {
        let (keep, drop) = (Vec::new(), Vec::new());
        Terms { level, folding: Rules::default(), backfill: Duration::MAX, keep, drop, site }
    }

    /// A store that two feeds are taken into.
    struct Scene {
        store: Connection,
        feeds: Vec<FeedRef>,
        memory: WriterCache,
        level: Level,
    }

    impl Scene {
        fn at(level: Level) -> Self {
            let mut store = Connection::open_in_memory().unwrap();
            schema::migrate(&mut store, 0).unwrap();
            let configured =
                ["https://one.example/feed", "https://two.example/feed"].map(|address| feeds::Configured {
                    address: address.parse().unwrap(),
                    name: address.into(),
                    first_poll: NOW,
                    first_poll_why: String::new(),
                    planned_by: String::new(),
                    standing: feeds::Standing { site: Site::of(&address.parse().unwrap()), ..Default::default() },
                });
            let feeds = feeds::reconfigure(&store, &configured).unwrap().handles;
            Self { store, feeds, memory: WriterCache::default(), level }
        }

        /// One of the feeds brings entries with these ids, all of which lead to one page.
        fn take_in(&mut self, feed: usize, ids: &[&str], page: &str) {
            let entry = |id: &&str| Entry {
                id: EntryId((*id).into()),
                permalink: Some(format!("https://one.example/{page}").parse().unwrap()),
                title: page.into(),
                ..entry(None)
            };
            let record = self.record(feed, ids.iter().map(entry).collect());
            self.ingest(&PollRecord { is_partial: true, ..record });
        }

        /// A feed's first document.
        fn record(&self, feed: usize, entries: Vec<Entry>) -> PollRecord {
            let feed = feeds::one(&self.store, self.feeds[feed]).unwrap();
            let terms = terms_at(self.level, Site::of(&feed.address));
            PollRecord {
                feed,
                at: NOW,
                is_first: true,
                is_partial: false,
                entries: entries.into(),
                terms: Arc::new(terms),
            }
        }

        /// Takes a document in, and says in how many steps.
        fn ingest(&mut self, record: &PollRecord) -> (Ingested, usize) {
            let mut rest = None;
            for steps in 1.. {
                let mut context = WriteContext { tx: &self.store, memory: &mut self.memory };
                match ingest(&mut context, record, rest).unwrap() {
                    Progress::Done(ingested) => return (ingested, steps),
                    Progress::Partly(more) => rest = Some(more),
                }
            }
            unreachable!("it ends")
        }

        fn forget(&self, entry: u64) {
            self.store.execute("UPDATE entry SET gone_at = 0 WHERE id = ?1", [entry]).unwrap();
            assert_eq!(retention::prune(&self.store, NOW, 10, NOW).unwrap(), 1);
        }

        /// Each entry, its story, and by which rule it is there.
        fn told(&self) -> Vec<(u64, u64, Option<String>)> {
            let sql = "SELECT id, story, rule FROM entry LEFT JOIN fold ON entry = id ORDER BY id";
            let mut query = self.store.prepare(sql).unwrap();
            let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
            rows.collect::<rusqlite::Result<_>>().unwrap()
        }
    }

    #[test]
    fn news_that_follows_is_a_story_of_its_own_and_says_what_it_follows() {
        let mut scene = Scene::at(Level::Story);
        let told = |id: &str, hours: i64, title: &str, lead: &str| {
            let at = NOW + TimeDelta::hours(hours);
            let detail = Detail { summary: Some(lead.into()), language: Some("en".into()), ..Detail::default() };
            (at, Entry { id: EntryId(id.into()), title: title.into(), published: Some(at), detail, ..entry(None) })
        };
        let aground = "The car ferry Skarvholm ran aground in thick fog off Tannerby with two hundred people aboard.";
        let charged =
            "Prosecutors charged the captain of the car ferry Skarvholm that ran aground in fog off Tannerby.";
        let entries = [
            (0, told("1", 0, "Ferry Skarvholm aground off Tannerby in fog", aground)),
            (1, told("2", 1, "Skarvholm ferry runs aground off Tannerby in thick fog", aground)),
            (1, told("3", 50, "Captain of Skarvholm ferry charged with running aground off Tannerby", charged)),
        ];
        for (feed, (at, entry)) in entries {
            let record = scene.record(feed, vec![entry]);
            scene.ingest(&PollRecord { at, is_partial: true, ..record });
        }
        let in_stories: Vec<u64> = scene.told().iter().map(|(_, story, _)| *story).collect();
        assert_eq!(in_stories, [1, 1, 3]);
        let id = |story| stories::one(&scene.store, StoryRef(story)).unwrap().id;
        let followed = follows::followed(&scene.store, StoryRef(3)).unwrap().unwrap();
        assert_eq!((followed.id, followed.title.as_str()), (id(1), "Ferry Skarvholm aground off Tannerby in fog"));
        assert!(followed.evidence.contains("skarvholm"), "{}", followed.evidence);
        let followers: Vec<StoryId> =
            follows::followers(&scene.store, StoryRef(1)).unwrap().into_iter().map(|follower| follower.id).collect();
        assert_eq!(followers, [id(3)]);
        assert_eq!(follows::followed(&scene.store, StoryRef(1)).unwrap(), None);
    }

    #[test]
    fn a_founder_that_was_forgotten_comes_back_to_its_story() {
        for level in [Level::Link, Level::Story] {
            let mut scene = Scene::at(level);
            scene.take_in(0, &["1"], "first");
            scene.take_in(1, &["a"], "first");
            scene.forget(1);
            scene.take_in(0, &["1", "2"], "elsewhere");
            let link = Some("link".to_owned());
            assert_eq!(scene.told(), [(2, 1, link.clone()), (3, 1, None), (4, 1, link)], "with what leads to its page");
            assert_eq!(stories::one(&scene.store, StoryRef(1)).unwrap().sources, 2);
            scene.take_in(1, &["b"], "elsewhere");
            assert_eq!(scene.told()[3].1, 1, "and folding knows where it is");
        }
    }

    /// So many entries, each two of which bear one title and lead to one page.
    fn many(count: usize) -> Vec<Entry> {
        let pair = |number: usize| Entry {
            id: EntryId(number.to_string()),
            permalink: Some(format!("https://one.example/{}", number / 2).parse().unwrap()),
            title: format!("Title {}", number / 2),
            ..entry(Some("2026-01-10T11:30:00Z"))
        };
        (0..count).map(pair).collect()
    }

    #[test]
    fn a_large_document_is_taken_in_bit_by_bit_and_vouched_for_with_the_last() {
        let mut scene = Scene::at(Level::Link);
        let document = PollRecord {
            feed: Feed {
                validators: Validators { etag: Some(b"\"1\"".into()), last_modified: None },
                body_hash: Some(7),
                last_success: Some(NOW),
                ..scene.record(0, Vec::new()).feed
            },
            ..scene.record(0, many(2 * update::AT_ONCE + 1))
        };
        let mut context = WriteContext { tx: &scene.store, memory: &mut scene.memory };
        let Progress::Partly(rest) = ingest(&mut context, &document, None).unwrap() else { panic!("it is large") };
        assert_eq!(scene.told().len(), update::AT_ONCE);
        let stored = feeds::one(&scene.store, scene.feeds[0]).unwrap();
        let held = (stored.validators.etag, stored.body_hash, stored.last_success);
        assert_eq!(
            held,
            (None, None, None),
            "stopped here, it is asked for in full, and its entries are old news still"
        );
        let mut context = WriteContext { tx: &scene.store, memory: &mut scene.memory };
        let Progress::Partly(rest) = ingest(&mut context, &document, Some(rest)).unwrap() else {
            panic!("one is left")
        };
        let mut context = WriteContext { tx: &scene.store, memory: &mut scene.memory };
        let Progress::Done(ingested) = ingest(&mut context, &document, Some(rest)).unwrap() else {
            panic!("all is in")
        };
        assert_eq!((ingested.added, ingested.folds.link), (401, 200), "none is taken for another one's new name");
        let stored = feeds::one(&scene.store, scene.feeds[0]).unwrap();
        assert_eq!((stored.validators, stored.body_hash), (document.feed.validators, Some(7)));
        assert_eq!(feeds::listed(&scene.store, scene.feeds[0]).unwrap().len(), 401);
    }

    #[test]
    fn a_first_subscription_publishes_nothing_old_however_many_polls_it_takes() {
        let mut scene = Scene::at(Level::Link);
        let archive: Vec<Entry> = (0..update::MOST_NEW + 100)
            .map(|number| Entry {
                id: EntryId(number.to_string()),
                title: format!("Title {number}"),
                ..entry(Some("2020-01-01T00:00:00Z"))
            })
            .collect();
        let terms = Terms { backfill: Duration::from_secs(3_600), ..(*scene.record(0, Vec::new()).terms).clone() };
        let poll = |scene: &Scene, at: DateTime<Utc>| {
            let record = scene.record(0, archive.clone());
            let is_first = record.feed.last_success.is_none();
            let feed = Feed { last_success: Some(at), ..record.feed };
            PollRecord { feed, at, is_first, terms: Arc::new(terms.clone()), ..record }
        };
        let took = [0, 2, 4].map(|hours| {
            let record = poll(&scene, NOW + TimeDelta::hours(hours));
            scene.ingest(&record).0.added
        });
        assert_eq!(took, [update::MOST_NEW, 100, 0]);
        let shown = "SELECT count(*) FROM story WHERE sort_at IS NOT NULL";
        assert_eq!(scene.store.query_row(shown, [], |row| row.get::<_, u64>(0)).unwrap(), 0);
        assert!(!poll(&scene, NOW).is_first, "it is read");
    }

    #[test]
    fn an_edit_that_waits_has_the_document_asked_for_in_full() {
        let mut scene = Scene::at(Level::Link);
        let versions = (0..60).map(|number| Entry { digest: number, title: "Title".into(), ..entry(None) });
        for version in versions {
            let record = scene.record(0, vec![version]);
            let feed = Feed { body_hash: Some(7), ..record.feed };
            scene.ingest(&PollRecord { feed, is_first: false, ..record });
        }
        let stored = feeds::one(&scene.store, scene.feeds[0]).unwrap();
        assert_eq!(stored.body_hash, None, "or it would never be shown");
        let record = PollRecord {
            at: NOW + TimeDelta::hours(1),
            ..scene.record(0, vec![Entry { digest: 59, title: "Title".into(), ..entry(None) }])
        };
        assert_eq!(scene.ingest(&record).0.revised, 1, "an hour later it is");
    }

    #[test]
    fn what_left_a_large_document_is_gone_once_all_of_it_is_read() {
        let mut scene = Scene::at(Level::Link);
        scene.ingest(&scene.record(0, many(10)));
        let later = PollRecord { is_first: false, ..scene.record(0, many(500).split_off(5)) };
        let (ingested, steps) = scene.ingest(&later);
        assert_eq!((ingested.added, steps), (490, 3));
        let gone: u32 = scene
            .store
            .query_row("SELECT count(*) FROM entry WHERE gone_at IS NOT NULL", [], |row| row.get(0))
            .unwrap();
        assert_eq!(gone, 5);
    }

    #[test]
    fn what_is_too_much_for_an_hour_waits_however_it_comes() {
        let mut scene = Scene::at(Level::Off);
        scene.ingest(&scene.record(0, many(update::MOST_NEW - 10)));
        let more = many(update::MOST_NEW + 90).split_off(update::MOST_NEW - 10);
        let (ingested, _) = scene.ingest(&PollRecord { is_first: false, ..scene.record(0, more.clone()) });
        assert_eq!(ingested.added, 10);
        let stored = feeds::one(&scene.store, scene.feeds[0]).unwrap();
        assert!(
            stored.repairs.iter().any(|repair| repair.contains("100 entries are new at once")),
            "{:?}",
            stored.repairs
        );
        let an_hour_later = NOW + TimeDelta::hours(1);
        let again = PollRecord { is_first: false, at: an_hour_later, ..scene.record(0, more) };
        assert_eq!(scene.ingest(&again).0.added, 90);
    }

    #[test]
    fn a_feed_that_tells_one_story_over_and_over_is_listed_with_a_few_of_its_entries() {
        let mut scene = Scene::at(Level::Link);
        let same = |number: usize| Entry {
            id: EntryId(number.to_string()),
            permalink: Some("https://one.example/page".parse().unwrap()),
            title: "Title".into(),
            ..entry(None)
        };
        scene.ingest(&scene.record(0, (0..300).map(same).collect()));
        scene.take_in(1, &["a"], "page");
        let story = StoryRef(1);
        assert_eq!(stories::times_told(&scene.store, story).unwrap(), 301);
        let listed: Vec<u64> =
            stories::coverage(&scene.store, story).unwrap().iter().map(|telling| telling.entry.0).collect();
        let expected: Vec<u64> = std::iter::once(1).chain(282..=301).collect();
        assert_eq!(listed, expected, "the first, the newest, and all of the other feed");
    }

    #[test]
    fn a_story_without_its_founder_can_be_joined_and_left() {
        let mut scene = Scene::at(Level::Link);
        scene.take_in(1, &["z"], "other");
        scene.take_in(0, &["1"], "first");
        scene.take_in(1, &["a"], "first");
        scene.forget(2);
        corrections::join(&scene.store, StoryRef(1), StoryRef(2), NOW).unwrap();
        assert_eq!(scene.told(), [(1, 1, None), (3, 1, Some("link".into()))]);
        scene.take_in(0, &["1"], "elsewhere");
        assert_eq!(scene.told()[2], (4, 1, None), "it comes back to what its story has become");
        let name = StoryId::derive("https://one.example/feed", &EntryId("1".into()));
        let split = || corrections::split(&scene.store, EntryRef(4), NOW).unwrap();
        assert_eq!(split(), corrections::Corrected::Done(name), "a story bears the name of who founded it");
        assert_eq!(scene.told()[2], (4, 2, None));
        assert_eq!(split(), corrections::Corrected::Already);
        assert_eq!(stories::one(&scene.store, StoryRef(2)).unwrap().canonical, EntryRef(4));
    }

    #[test]
    fn an_entry_that_leaves_from_among_older_ones_is_withdrawn() {
        let entries = |numbers: &[u64]| numbers.iter().copied().map(EntryRef).collect::<Vec<_>>();
        assert_eq!(withdrawn(&entries(&[7]), &entries(&[3, 4, 5, 9])), entries(&[7]));
        assert_eq!(withdrawn(&entries(&[2, 7]), &entries(&[5, 6, 8, 9])), entries(&[]), "two may be pinned");
    }

    #[test]
    fn a_date_that_is_missing_or_in_the_future_is_that_of_the_first_sight() {
        check(None, false, "2026-01-10T12:00:00Z", "2026-01-10T12:00:00Z");
        check(Some("2027-01-01T00:00:00Z"), false, "2026-01-10T12:00:00Z", "2026-01-10T12:00:00Z");
    }
}
