//! The second half of a poll: what it found goes into the store and into stories.
//!
//! Edge, inside one transaction: what the store knows is read, `plan` decides, and `apply` writes; first of the document, then
//! of its new entries, then of its edited ones, of which `belonging` asks whether they still tell what others tell. The
//! validators are stored with the entries that they vouch for, never before them, or a later 304 would hide lost news.

use std::collections::HashMap;
use std::sync::Arc;

use crate::fold::folding::Folding;
use crate::fold::link::Pages;
use crate::model::{Entry, EntryRef, Feed, FeedRef, Level};
use crate::normalise::identity;
use crate::plural::counted;
use crate::store::{
    Connection, Result, WriteContext, WriterCache, corrections, entries, feeds, known_as, rekey, retention, stories,
};
use crate::update::{self, Changes, Known, Lately, matching};

mod apply;
mod belonging;
mod cache;
mod plan;
mod record;

pub use record::{Folds, Ingested, PollRecord, Progress, Rest};

use apply::Transaction;
use plan::{Addition, Before, Part, Told};

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
    let arrivals = plan::arrivals(record, &changes.added, first, &before(tx, record.feed.feed, &changes.added)?);
    let tellings = || arrivals.iter().filter_map(|arrival| arrival.telling.as_ref());
    let mut pages = match level {
        Level::Off => Pages::default(),
        _ => entries::leading_to(tx, tellings().flat_map(|telling| &telling.permalinks))?,
    };
    tellings().for_each(|telling| pages.note(telling));
    if level >= Level::Copy && tellings().next().is_some() {
        cache::bring_up(tx, memory, record)?;
    }
    let mut texts = transaction.keep(changes.added.iter().copied())?.into_iter();
    let mut statement = entries::Additions::begin(tx)?;
    let mut arrivals = arrivals.into_iter();
    while !arrivals.as_slice().is_empty() {
        let named = || arrivals.as_slice().iter().filter(|arrival| arrival.telling.is_some());
        let elsewhere = || named().flat_map(|arrival| arrival.elsewhere.iter().copied());
        let mut namesakes = stories::namesakes(tx, named().map(|arrival| arrival.name))?;
        let passed_on = known_as::find(tx, named().map(|arrival| arrival.name).chain(elsewhere()))?;
        namesakes.extend(stories::namesakes(tx, elsewhere())?);
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
