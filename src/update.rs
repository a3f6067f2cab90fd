//! What a poll changes about a feed's entries.
//!
//! Pure: stored entries and polled ones in, [`Changes`] out. Writing them down is `ingest`'s work.

use std::collections::{HashMap, HashSet};

use crate::model::{Entry, EntryId, EntryRef};

/// How often an entry may change without its publisher saying so, before such changes are taken for noise.
///
/// Some feeds print the time, a counter or an advertisement into each entry, and would be revised at every poll for ever.
const QUIET_REVISIONS: u32 = 12;

/// What the store holds of one entry, as far as deciding needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownEntry {
    /// Which entry.
    pub entry: EntryRef,
    /// The digest it was stored with.
    pub digest: i64,
    /// How often it changed without a new `updated`.
    pub quiet_revisions: u32,
    /// Milliseconds since 1970 of its `updated`, as stored.
    pub updated_ms: Option<i64>,
}

/// What the store holds of one feed, as far as deciding needs it.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// By the publisher's id.
    pub entries: HashMap<EntryId, KnownEntry>,
    /// The entries of the feed that bear the permalink and title of a polled entry whose id is not known: the text is that
    /// of the polled entry.
    pub renamed: HashMap<EntryId, KnownEntry>,
    /// The entries that stood in the document before this one.
    pub listed: Vec<EntryRef>,
}

/// An entry that its publisher edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision<'a> {
    /// Which one.
    pub entry: EntryRef,
    /// As it is now.
    pub now: &'a Entry,
    /// How many of its revisions the publisher did not announce, this one included.
    pub quiet_revisions: u32,
}

/// What came of comparing a polled document with the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes<'a> {
    /// Entries not seen before, in the order in which they were polled.
    pub added: Vec<&'a Entry>,
    /// Entries that changed.
    pub revised: Vec<Revision<'a>>,
    /// Entries whose publisher gave them another id and left them as they were otherwise.
    pub renamed: Vec<(EntryRef, EntryId)>,
    /// Entries that are as stored.
    pub unchanged: Vec<EntryRef>,
    /// Entries that stood in the last document and do not stand in this one.
    pub gone: Vec<EntryRef>,
}

/// Decides what `polled`, the whole of a feed's document now, changes about `known`.
#[must_use]
pub fn plan<'a>(known: &Known, polled: &'a [Entry]) -> Changes<'a> {
    let mut changes = Changes::default();
    let mut listed = HashSet::new();
    for entry in polled {
        let found = known.entries.get(&entry.id).or_else(|| known.renamed.get(&entry.id));
        let Some(before) = found else {
            changes.added.push(entry);
            continue;
        };
        if !listed.insert(before.entry) {
            continue;
        }
        if !known.entries.contains_key(&entry.id) {
            changes.renamed.push((before.entry, entry.id.clone()));
        }
        match revision(before, entry) {
            Some(revision) => changes.revised.push(revision),
            None => changes.unchanged.push(before.entry),
        }
    }
    changes.gone = known.listed.iter().filter(|entry| !listed.contains(entry)).copied().collect();
    changes
}

fn revision<'a>(before: &KnownEntry, now: &'a Entry) -> Option<Revision<'a>> {
    if before.digest == now.digest {
        return None;
    }
    let announced = now.updated.map(|updated| updated.timestamp_millis()) > before.updated_ms;
    let quiet_revisions = before.quiet_revisions + u32::from(!announced);
    (announced || quiet_revisions <= QUIET_REVISIONS).then_some(Revision { entry: before.entry, now, quiet_revisions })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Detail;

    fn entry(id: &str, digest: i64) -> Entry {
        Entry {
            id: EntryId(id.into()),
            permalink: None,
            id_permalink: None,
            title: id.into(),
            published: None,
            updated: None,
            second_hand: false,
            detail: Detail::default(),
            digest,
        }
    }

    fn stored(entry: u64, digest: i64, quiet_revisions: u32) -> KnownEntry {
        KnownEntry { entry: EntryRef(entry), digest, quiet_revisions, updated_ms: None }
    }

    fn known(entries: &[(&str, KnownEntry)]) -> Known {
        Known {
            entries: entries.iter().map(|(id, entry)| (EntryId((*id).into()), entry.clone())).collect(),
            renamed: HashMap::new(),
            listed: entries.iter().map(|(_, known)| known.entry).collect(),
        }
    }

    #[test]
    fn the_same_document_twice_changes_nothing() {
        let polled = [entry("a", 7)];
        let changes = plan(&known(&[("a", stored(1, 7, 0))]), &polled);
        assert_eq!(changes, Changes { unchanged: vec![EntryRef(1)], ..Changes::default() });
    }

    #[test]
    fn an_edit_is_a_revision_and_a_new_id_is_an_entry() {
        let polled = [entry("a", 8), entry("b", 1)];
        let changes = plan(&known(&[("a", stored(1, 7, 0))]), &polled);
        assert_eq!(changes.revised.iter().map(|revision| revision.entry).collect::<Vec<_>>(), [EntryRef(1)]);
        assert_eq!(changes.added.len(), 1);
    }

    #[test]
    fn an_entry_that_left_the_document_is_gone_and_not_deleted() {
        let polled = [entry("b", 7)];
        let changes = plan(&known(&[("a", stored(1, 7, 0)), ("b", stored(2, 7, 0))]), &polled);
        assert_eq!(changes.gone, [EntryRef(1)]);
    }

    #[test]
    fn a_feed_that_prints_the_time_into_its_entries_does_not_churn_for_ever() {
        let polled = [entry("a", 8)];
        let changes = plan(&known(&[("a", stored(1, 7, QUIET_REVISIONS))]), &polled);
        assert!(changes.revised.is_empty());
        let announced = Entry { updated: Some("2026-01-01T00:00:00Z".parse().unwrap()), ..entry("a", 8) };
        let polled = [announced];
        let changes = plan(&known(&[("a", stored(1, 7, QUIET_REVISIONS))]), &polled);
        assert_eq!(changes.revised.len(), 1, "an announced change always counts");
    }

    #[test]
    fn a_new_id_for_the_same_page_and_title_is_the_same_entry() {
        let mut known = known(&[("a", stored(1, 7, 0))]);
        known.renamed.insert(EntryId("b".into()), stored(1, 7, 0));
        let polled = [entry("b", 7)];
        let changes = plan(&known, &polled);
        assert_eq!(changes.renamed, [(EntryRef(1), EntryId("b".into()))]);
        assert!(changes.added.is_empty() && changes.gone.is_empty());
    }
}
