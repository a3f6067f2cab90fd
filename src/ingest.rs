//! The second half of a poll: what it found goes into the store and into stories.
//!
//! Edge, inside one transaction: `facts` are read, `plan` decides, and `apply` writes; first of the document, then of its new
//! entries, then of its edited ones, of which `belonging` asks whether they still tell what others tell. The
//! validators are stored with the entries that they vouch for, never before them, or a later 304 would hide lost news.

use std::collections::HashMap;

use crate::fold::folding::Folding;
use crate::model::{EntryRef, Feed, Level};
use crate::plural::counted;
use crate::redact;
use crate::store::{Connection, Result, WriteContext, WriterCache, entries, feeds, stories, succession};
use crate::update::{self, Changes, Lately};

mod apply;
mod belonging;
mod cache;
mod facts;
mod plan;
mod record;

pub(crate) use record::{Folds, Ingested, PollRecord, Progress, Rest};

use apply::Transaction;
use facts::{Facts, Names};
use plan::{Addition, Part, Told};

/// Takes in what a poll brought, or as much of it as one transaction should hold; on an error nothing. `rest` is what the call
/// before left of the same document.
///
/// Only the last call stores the validators, since they vouch for all entries. Should there never be one, the document is asked
/// for in full again.
///
/// # Errors
/// When the store refuses.
pub(crate) fn ingest(context: &mut WriteContext<'_>, record: &PollRecord, rest: Option<Rest>) -> Result<Progress> {
    let WriteContext { tx, memory } = context;
    let heir = if rest.is_none() { heir(tx, record)? } else { None };
    if heir.is_some() {
        // What the other feed told is this one's from now on, for folding, too.
        memory.index = None;
    }
    let record = heir.as_ref().unwrap_or(record);
    let Facts { feed, known, apart } = Facts::read(tx, record, rest.as_ref())?;
    let polled = apart.as_deref().unwrap_or(&record.entries);

    let changes = plan::changes(record, &known, polled);
    let mut rest = rest.unwrap_or_else(|| {
        let lately = memory.lately.entry(feed.feed).or_insert_with(|| Lately::begin(record.at));
        let intake = plan::intake(record, feed.floods, [polled.len(), changes.added.len()], lately);
        tell_of_a_flood(&feed, intake);
        Rest { intake, apart: apart.clone(), added: intake.take, ingested: Ingested::default() }
    });
    let Part { mut feed, changes, listing, is_last } = plan::part(record, feed, &known, changes, &rest);

    if known.ids_stay {
        feeds::note_that_ids_stay(tx, feed.feed)?;
    }
    let mut transaction = Transaction::begin(tx, record);
    let revised = changes.revised.len() + changes.restored.len();
    let mut ingested = Ingested { added: changes.added.len(), revised, ..Ingested::default() };
    transaction.relist(&listing)?;
    let added = add(&mut transaction, memory, &changes, &mut ingested)?;
    revise(&mut transaction, memory, &changes)?;
    transaction.settle()?;
    added.first().map_or(Ok(()), |first| cache::tidy(tx, memory, record, *first))?;
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
    if feeds::save(tx, &feed, Some(&listed))? {
        stories::settle_those_of(tx, feed.feed, true, record.at)?;
    }
    Ok(if is_last { Progress::Done(rest.ingested) } else { Progress::Partly(rest) })
}

/// What the poll brought as that of the feed that it is under another address, if it has told nothing under this one.
fn heir(tx: &Connection, record: &PollRecord) -> Result<Option<PollRecord>> {
    if record.is_partial {
        return Ok(None);
    }
    let Some(identity) = succession::take_over(tx, record.feed.feed, &record.entries)? else { return Ok(None) };
    tracing::info!(
        name: "feed.succeeds",
        { feed = record.feed.name, former = redact::message(&identity) },
        "it lists what a feed did that is subscribed to no more, and goes on in its place"
    );
    stories::settle_those_of(tx, record.feed.feed, false, record.at)?;
    Ok(Some(PollRecord { feed: Feed { identity, ..record.feed.clone() }, ..record.clone() }))
}

fn tell_of_a_flood(feed: &Feed, intake: update::Intake) {
    if intake.floods >= update::FLOODS {
        tracing::warn!(
            name: "feed.floods",
            { feed.name, floods = intake.floods },
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
    let level = record.options.level;
    let handles = cache::handles(tx, memory, changes.added.len())?;
    let Some(first) = handles.first().copied() else { return Ok(handles) };
    let before = facts::before(tx, record.feed.feed, &changes.added)?;
    let arrivals = plan::arrivals(record, &changes.added, first, &before);
    let mut tellings = arrivals.iter().filter_map(|arrival| arrival.telling.as_ref());
    let mut pages = facts::pages(tx, level, tellings.clone())?;
    if level >= Level::Copy && tellings.next().is_some() {
        cache::bring_up(tx, memory, record)?;
    }
    let mut texts = transaction.keep(changes.added.iter().copied())?.into_iter();
    let mut statement = entries::Additions::begin(tx)?;
    let mut arrivals = arrivals.into_iter();
    while !arrivals.as_slice().is_empty() {
        let Names { namesakes, passed_on } = facts::names(tx, arrivals.as_slice())?;
        let known = plan::known_again(record, arrivals.as_slice(), &namesakes, &passed_on);
        let index = memory.index.as_mut().filter(|_| level >= Level::Copy);
        let mut folding = Folding { index, pages: &mut pages };
        let additions = plan::additions(record, &mut arrivals, &mut folding, &namesakes, &known);
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
    Ok(handles)
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
mod publishers;

#[cfg(test)]
mod tests;
