//! What the writer keeps in memory for taking documents in: the stories of the window, and the next handle.
//!
//! Edge: read from the store where it is not in memory yet.

use std::ops::RangeInclusive;

use chrono::DateTime;

use super::record::PollRecord;
use crate::fold::index::Index;
use crate::model::EntryRef;
use crate::store::{Connection, Result, WriterCache, entries, fingerprints};

/// After how many new entries old prints are forgotten.
const FORGET_EVERY: u64 = 4096;

/// After how many new entries the weights are kept, one for so many terms that they count: what is written for an entry is about
/// the same whether they count few or many.
const TERMS_FOR_ENTRY: u64 = 16;
/// And at least and at most.
const KEEP_EVERY: RangeInclusive<u64> = 256..=4096;

/// The handles of so many new entries.
pub(super) fn handles(tx: &Connection, memory: &mut WriterCache, count: usize) -> Result<Vec<EntryRef>> {
    let EntryRef(first) = match memory.next_entry {
        Some(next) => next,
        None => entries::next_ref(tx)?,
    };
    let handles: Vec<EntryRef> = (first..).map(EntryRef).take(count).collect();
    memory.next_entry = handles.last().map_or(Some(EntryRef(first)), |EntryRef(last)| Some(EntryRef(last + 1)));
    Ok(handles)
}

/// Has the stories of the window in memory, under the rules by which the document is folded.
pub(super) fn bring_up<'a>(tx: &Connection, memory: &'a mut WriterCache, record: &PollRecord) -> Result<&'a mut Index> {
    let rules = record.options.folding;
    let index = match memory.index.take() {
        Some(index) if *index.rules() == rules => index,
        _ => fingerprints::restore(tx, rules, record.at)?,
    };
    Ok(memory.index.insert(index))
}

/// Now and then, keeps what was learned and forgets what left the window.
pub(super) fn tidy(
    tx: &Connection,
    memory: &WriterCache,
    record: &PollRecord,
    EntryRef(first): EntryRef,
) -> Result<()> {
    let (Some(index), Some(EntryRef(next))) = (&memory.index, memory.next_entry) else { return Ok(()) };
    let has_passed = |every: u64| next / every > first / every;
    let terms = u64::try_from(index.weights().terms()).unwrap_or(u64::MAX);
    if has_passed((terms / TERMS_FOR_ENTRY).clamp(*KEEP_EVERY.start(), *KEEP_EVERY.end())) {
        fingerprints::keep_weights(tx, index.weights())?;
    }
    if has_passed(FORGET_EVERY) {
        let begins = record.at.checked_sub_signed(index.rules().window).unwrap_or(DateTime::UNIX_EPOCH);
        fingerprints::forget(tx, begins)?;
    }
    Ok(())
}
