//! The second half of a poll: what it found goes into the store and into stories.
//!
//! Edge, inside one transaction: what the store knows is read, `plan` decides, and `apply` writes; first of the document, then
//! of its new entries, then of its edited ones, of which `belonging` asks whether they still tell what others tell. The
//! validators are stored with the entries that they vouch for, never before them, or a later 304 would hide lost news.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::Connection;

use crate::config::Rule;
use crate::fold::Rules;
use crate::fold::canonical::Site;
use crate::fold::folding::Folding;
use crate::fold::index::Index;
use crate::fold::link::Pages;
use crate::fold::plan::Rule as FoldRule;
use crate::model::{Entry, EntryRef, Feed, FeedRef, Level, StoryNames};
use crate::normalise::identity;
use crate::plural::counted;
use crate::schedule::rhythm::Rhythm;
use crate::store::{
    Result, WriteContext, WriterCache, corrections, entries, feeds, fingerprints, rekey, retention, stories,
};
use crate::update::{self, Changes, Known, Lately, matching};

mod apply;
mod belonging;
mod plan;

use apply::Transaction;
use plan::{Addition, Arrival, Before, Part, Told};

/// After how many new entries the weights are kept and old prints forgotten.
const TIDY_EVERY: u64 = 4096;

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
    let WriteContext { tx, memory } = context;
    let feed = as_learned(tx, record)?;
    let (known, apart) = known(tx, record, rest.as_ref())?;
    let polled = apart.as_deref().unwrap_or(&record.entries);

    let changes = plan::changes(record, &known, polled);
    let mut rest = rest.unwrap_or_else(|| {
        let lately = memory.lately.entry(feed.feed).or_insert_with(|| Lately::begin(record.at));
        let intake = plan::intake(record, feed.floods, [polled.len(), changes.added.len()], lately);
        tell_of_a_flood(&feed, intake);
        Rest { intake, apart: apart.clone(), added: intake.take, ingested: Ingested::default() }
    });
    let Part { mut feed, changes, listing, is_last } = plan::part(record, feed, &known, changes, &rest);

    let mut transaction = Transaction::begin(tx, record);
    let revised = changes.revised.len() + changes.restored.len();
    let mut ingested = Ingested { added: changes.added.len(), revised, ..Ingested::default() };
    let added = add(&mut transaction, memory, &changes, &mut ingested)?;
    revise(&mut transaction, memory, &changes)?;
    transaction.relist(&listing)?;
    transaction.settle()?;
    ingested.shortened = transaction.shortened;

    rest.added = rest.added.saturating_sub(ingested.added);
    rest.ingested.add(ingested);
    if rest.ingested.shortened > 0 {
        let shortened = counted(rest.ingested.shortened, "text");
        feed.repairs.push(format!(
            "{shortened} larger than the store takes; the beginning is kept, and no author, label or file"
        ));
    }
    let listed: Vec<EntryRef> = listing.listed.into_iter().chain(added).collect();
    feeds::save(tx, &feed, Some(&listed))?;
    Ok(if is_last { Progress::Done(rest.ingested) } else { Progress::Partly(rest) })
}

/// The feed with what was noted of it while it was being polled: a hub may have told of it.
fn as_learned(tx: &Connection, record: &PollRecord) -> Result<Feed> {
    let feed = record.feed.clone();
    Ok(match feeds::learned(tx, feed.feed)? {
        Some((rhythm, floods)) => Feed { rhythm: record.rhythm_after(&rhythm), floods, ..feed },
        None => feed,
    })
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

fn tell_of_a_flood(feed: &Feed, intake: update::Intake) {
    if intake.floods >= update::FLOODS {
        tracing::warn!(
            feed.name,
            floods = intake.floods,
            "nearly every entry has been new poll after poll; only the newest are taken in"
        );
    }
}

/// Stores the new entries, folds them, and gives their handles.
fn add(
    transaction: &mut Transaction<'_>,
    memory: &mut WriterCache,
    changes: &Changes<'_>,
    ingested: &mut Ingested,
) -> Result<Vec<EntryRef>> {
    let (tx, record) = (transaction.tx, transaction.record);
    let level = record.terms.level;
    let handles = handles(tx, memory, changes.added.len())?;
    let Some(first) = handles.first().copied() else { return Ok(handles) };
    let arrivals = plan::arrivals(record, &changes.added, first, &before(tx, record.feed.feed, &changes.added)?);
    let tellings = || arrivals.iter().filter_map(|arrival| arrival.telling.as_ref());
    let mut pages = match level {
        Level::Off => Pages::default(),
        _ => entries::leading_to(tx, tellings().flat_map(|telling| &telling.permalinks))?,
    };
    tellings().for_each(|telling| pages.note(telling));
    if level >= Level::Copy && tellings().next().is_some() {
        bring_up_the_index(tx, memory, record)?;
    }
    let mut texts = transaction.keep(changes.added.iter().copied())?.into_iter();
    let mut statement = entries::Additions::begin(tx)?;
    let names = StoryNames::of(&record.feed.identity);
    let mut arrivals = arrivals.into_iter();
    while !arrivals.as_slice().is_empty() {
        let tell = |arrival: &Arrival<'_>| arrival.telling.as_ref().map(|_| names.story(&arrival.entry.id));
        let namesakes = stories::namesakes(tx, arrivals.as_slice().iter().filter_map(tell))?;
        let index = memory.index.as_mut().filter(|_| level >= Level::Copy);
        let mut folding = Folding { index, pages: &mut pages };
        let additions = plan::additions(record, &mut arrivals, &mut folding, &names, &namesakes);
        for (addition, text) in additions.iter().zip(&mut texts) {
            transaction.add(&mut statement, addition, text, ingested)?;
        }
        // Who joined by what the claims said has not said that it tells of this page.
        if let Some(Addition { arrival, told: Some(Told { fold, made_way, .. }) }) = additions.last()
            && !made_way.is_empty()
        {
            belonging::ask_those_who_joined_claims(
                transaction,
                memory,
                arrival.handle,
                made_way,
                fold.verdict.story(arrival.handle),
            )?;
        }
    }
    tidy(tx, memory, record, first)?;
    Ok(handles)
}

/// The handles of so many new entries.
fn handles(tx: &Connection, memory: &mut WriterCache, count: usize) -> Result<Vec<EntryRef>> {
    let EntryRef(first) = match memory.next_entry {
        Some(next) => next,
        None => entries::next_ref(tx)?,
    };
    let handles: Vec<EntryRef> = (first..).map(EntryRef).take(count).collect();
    memory.next_entry = handles.last().map_or(Some(EntryRef(first)), |EntryRef(last)| Some(EntryRef(last + 1)));
    Ok(handles)
}

/// What the store knows of entries that are new to it.
fn before<'a>(tx: &Connection, feed: FeedRef, added: &[&'a Entry]) -> Result<Before<'a>> {
    let mut before = Before::default();
    if retention::has_forgotten(tx, feed)? {
        for entry in added {
            before.forgotten.extend(retention::is_forgotten(tx, feed, &entry.id)?.then_some(&entry.id));
        }
    }
    if corrections::forgets_anything(tx)? {
        for entry in added {
            before.unwanted.extend(corrections::is_forgotten(tx, feed, entry)?.then_some(&entry.id));
        }
    }
    Ok(before)
}

/// Has the stories of the window in memory, under the rules by which the document is folded.
fn bring_up_the_index<'a>(tx: &Connection, memory: &'a mut WriterCache, record: &PollRecord) -> Result<&'a mut Index> {
    let rules = record.terms.folding;
    let index = match memory.index.take() {
        Some(index) if *index.rules() == rules => index,
        _ => fingerprints::restore(tx, rules, record.at)?,
    };
    Ok(memory.index.insert(index))
}

/// Now and then, keeps what was learned and forgets what left the window.
fn tidy(tx: &Connection, memory: &WriterCache, record: &PollRecord, EntryRef(first): EntryRef) -> Result<()> {
    let (Some(index), Some(EntryRef(next))) = (&memory.index, memory.next_entry) else { return Ok(()) };
    if next / TIDY_EVERY > first / TIDY_EVERY {
        let begins = record.at.checked_sub_signed(index.rules().window).unwrap_or(DateTime::UNIX_EPOCH);
        fingerprints::tidy(tx, index, EntryRef(next - 1), begins)?;
    }
    Ok(())
}

/// Stores what publishers edited; a story whose canonical entry was edited is updated, and an entry that does not tell its
/// story any more leaves it.
fn revise(transaction: &mut Transaction<'_>, memory: &mut WriterCache, changes: &Changes<'_>) -> Result<()> {
    transaction.rename_and_restore(changes)?;
    let texts = transaction.keep(changes.revised.iter().map(|revision| revision.now))?;
    let mut others = HashMap::new();
    for (revision, text) in changes.revised.iter().zip(texts) {
        if let Some(story) = transaction.revise(revision, text)? {
            belonging::ask_edited(transaction, memory, &mut others, revision.entry, story)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod hostile;

#[cfg(test)]
mod tests;
