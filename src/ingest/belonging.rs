//! Whether an entry still belongs to its story: asked again when it was edited, and when what it joined by is discounted.
//!
//! Edge, inside the transaction of [`super::ingest`].

use std::collections::HashMap;

use super::apply::Transaction;
use super::{cache, facts};
use crate::fold::Article;
use crate::fold::fingerprint::Fingerprint;
use crate::fold::link::{Linked, Telling};
use crate::fold::plan::{Decision, Rule, Verdict};
use crate::fold::words::Words;
use crate::model::{EntryRef, Level, StoryId, StoryRef};
use crate::store::{Error, Result, WriterCache, entries, known_as, stories};

/// With how many others of its story an entry is compared, the first to tell it.
const COMPARED: usize = 4;
/// How many entries of one story are asked at once.
const ASKED: usize = 100;

/// What others tell of a story, by which it is asked whether an entry of this feed does.
#[derive(Debug, Default)]
pub(super) struct Others {
    tellings: Vec<stories::Telling>,
    is_by_person: bool,
}

impl Others {
    /// The tellings of a story that `are_certain`. A person's word on the story is not asked again.
    fn of(coverage: Vec<stories::Telling>, are_certain: impl Fn(&stories::Telling) -> bool) -> Self {
        let is_by_person =
            |telling: &stories::Telling| telling.fold.as_ref().is_some_and(|fold| fold.rule == Rule::Person.name());
        Self {
            is_by_person: coverage.iter().any(is_by_person),
            tellings: coverage.into_iter().filter(are_certain).collect(),
        }
    }
}

/// Takes an edited entry out of its story if it does not tell any more what other feeds tell there.
///
/// What its own feed tells there proves nothing. What others do is read once for all entries of a document, which cannot
/// change it, and kept in `known`.
pub(super) fn ask_edited(
    transaction: &mut Transaction<'_>,
    memory: &mut WriterCache,
    known: &mut HashMap<StoryRef, Others>,
    entry: EntryRef,
    story: StoryRef,
) -> Result<()> {
    let (tx, own) = (transaction.tx, transaction.record.feed.feed);
    let others = match known.remove(&story) {
        Some(others) => others,
        None => Others::of(stories::coverage(tx, story)?, |telling| telling.feed != own),
    };
    if !others.tellings.is_empty()
        && let Some(telling) = stories::telling(tx, entry)?
        && !still_tells(transaction, &telling, &others, story)?
    {
        move_out(transaction, memory, &telling, story)?;
    }
    known.insert(story, others);
    Ok(())
}

/// Takes those out of a story who joined by what `made_way` for its owner, and do not tell what the owner tells.
pub(super) fn ask_those_who_joined_claims(
    transaction: &mut Transaction<'_>,
    memory: &mut WriterCache,
    owner: EntryRef,
    made_way: &[EntryRef],
    story: StoryRef,
) -> Result<()> {
    let coverage = stories::coverage(transaction.tx, story)?;
    let is_doubtful = |telling: &&stories::Telling| telling.entry != owner && !made_way.contains(&telling.entry);
    let doubtful: Vec<stories::Telling> = coverage.iter().filter(is_doubtful).take(ASKED).cloned().collect();
    let certain = Others::of(coverage, |telling| telling.entry == owner);
    for telling in &doubtful {
        if !still_tells(transaction, telling, &certain, story)? {
            move_out(transaction, memory, telling, story)?;
        }
    }
    Ok(())
}

/// Whether an entry tells what others tell: it leads to a page of theirs, or has words of theirs.
fn still_tells(
    transaction: &Transaction<'_>,
    telling: &stories::Telling,
    others: &Others,
    story: StoryRef,
) -> Result<bool> {
    let leads_there = |other: &stories::Telling| {
        let leads = |page: &str| telling.candidate.pages.iter().any(|own| own.without_scheme() == page);
        other.candidate.pages.iter().any(|page| leads(page.without_scheme()))
    };
    if others.is_by_person
        || others.tellings.iter().any(leads_there)
        || is_one_of(transaction, telling, &others.tellings, story)?
    {
        return Ok(true);
    }
    let words = |entry| Ok::<_, Error>(Words::of(&entries::text_of(transaction.tx, entry)?.article()));
    let told = words(telling.entry)?;
    for other in others.tellings.iter().take(COMPARED) {
        if told.tell_the_same(&words(other.entry)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether an entry of a story is one of others there, or that story's own, having come another way.
fn is_one_of(
    transaction: &Transaction<'_>,
    telling: &stories::Telling,
    others: &[stories::Telling],
    story: StoryRef,
) -> Result<bool> {
    let feed = &transaction.record.feed;
    let names = |telling: &stories::Telling| {
        let mut names = known_as::of(transaction.tx, telling.entry)?;
        // What is polled now has the name that is made of its address, too.
        if telling.feed == feed.feed {
            names.push(StoryId::derive(&feed.identity, &telling.id));
        }
        Ok::<_, Error>(names)
    };
    let elsewhere = known_as::of(transaction.tx, telling.entry)?;
    for name in &elsewhere {
        if !others.is_empty() && stories::by_id(transaction.tx, *name)?.is_some_and(|named| named.story == story) {
            return Ok(true);
        }
    }
    let own = names(telling)?;
    for other in others.iter().take(ASKED) {
        if names(other)?.iter().any(|name| own.contains(name)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Moves an entry out of a story into the one where it belongs, which it may have to found.
fn move_out(
    transaction: &mut Transaction<'_>,
    memory: &mut WriterCache,
    left: &stories::Telling,
    from: StoryRef,
) -> Result<()> {
    let (tx, entry, at) = (transaction.tx, left.entry, transaction.record.at);
    if let Some(index) = &mut memory.index {
        index.withdraw(entry, from);
    }
    let linked = linked_elsewhere(transaction, left, from)?;
    let (fingerprint, verdict) = belongs(transaction, memory, entry, linked)?;
    let story = match verdict {
        Verdict::Joins { rule, found, .. } => {
            stories::enter(tx, entry, found.story)?;
            stories::link(tx, entry, rule, &found, at)?;
            found.story
        }
        Verdict::New { .. } => found_anew(transaction, memory, entry)?,
    };
    entries::tells_since(tx, entry, at)?;
    transaction.touched.extend([from, story]);
    if let (Some(index), Some(fingerprint)) = (&mut memory.index, &fingerprint) {
        index.keep(fingerprint, story);
    }
    fingerprint.iter().try_for_each(|fingerprint| transaction.remember(fingerprint))
}

/// The telling of another story that leads to a page of an entry which leaves its own.
fn linked_elsewhere(transaction: &Transaction<'_>, left: &stories::Telling, from: StoryRef) -> Result<Option<Linked>> {
    let telling = Telling {
        entry: left.entry,
        feed: Some(left.feed.0),
        permalinks: left.candidate.pages.clone(),
        title: left.title.clone(),
        site: Some(left.candidate.site.clone()),
        published: left.published.unwrap_or(left.first_seen),
        text: entries::text_hash_of(transaction.tx, left.entry)?,
        seen: left.first_seen,
        left: None,
    };
    let pages = facts::pages(transaction.tx, transaction.record.options.level, std::iter::once(&telling))?;
    Ok(pages.find(&telling).filter(|linked| linked.story != from))
}

/// Where a stored entry belongs, and what is kept of it then.
fn belongs(
    transaction: &Transaction<'_>,
    memory: &mut WriterCache,
    entry: EntryRef,
    linked: Option<Linked>,
) -> Result<(Option<Fingerprint>, Verdict)> {
    let Transaction { tx, record, .. } = transaction;
    let level = record.options.level;
    if level < Level::Copy {
        return Ok((None, linked.map_or(Verdict::New { nearest: None }, Verdict::from)));
    }
    let text = entries::text_of(tx, entry)?;
    let index = cache::bring_up(tx, memory, record)?;
    let Decision { fingerprint, verdict } = index.plan(&Article { at: record.at, ..text.article() }, level, linked);
    Ok((Some(fingerprint), verdict))
}

/// Gives an entry that leaves its story one of its own.
fn found_anew(transaction: &Transaction<'_>, memory: &mut WriterCache, entry: EntryRef) -> Result<StoryRef> {
    let spare = match memory.next_entry {
        Some(next) => next,
        None => entries::next_ref(transaction.tx)?,
    };
    let alone = stories::leave(transaction.tx, entry, spare, transaction.record.at)?;
    let EntryRef(next) = spare;
    memory.next_entry = Some(EntryRef(next + u64::from(alone == StoryRef::founded_by(spare))));
    Ok(alone)
}
