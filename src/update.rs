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

/// An entry of a feed's last document, with what tells it apart besides its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedEntry {
    /// The entry.
    pub known: KnownEntry,
    /// Its title, never empty.
    pub title: String,
    /// Milliseconds since 1970 of its date.
    pub published_ms: i64,
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
    pub renamed: Vec<(EntryRef, &'a Entry)>,
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
            changes.renamed.push((before.entry, entry));
        }
        match revision(before, entry) {
            Some(revision) => changes.revised.push(revision),
            None => changes.unchanged.push(before.entry),
        }
    }
    changes.gone = known.listed.iter().filter(|entry| !listed.contains(entry)).copied().collect();
    changes
}

/// Whether so much of a document is new that its publisher may have changed all ids at once.
#[must_use]
pub fn looks_rekeyed(known: &Known, polled: &[Entry]) -> bool {
    let is_known = |entry: &&Entry| known.entries.contains_key(&entry.id) || known.renamed.contains_key(&entry.id);
    !known.listed.is_empty() && polled.len() > 1 && 2 * polled.iter().filter(is_known).count() < polled.len()
}

/// The entries of `listed` that polled ones with unknown ids are, by title and date, where those name one and one only.
///
/// This is for documents that [`looks_rekeyed`] is true of: in others two entries with one title and date are two entries.
#[must_use]
pub fn rekeyed(known: &Known, polled: &[Entry], listed: Vec<ListedEntry>) -> HashMap<EntryId, KnownEntry> {
    let taken: HashSet<EntryRef> =
        known.entries.values().chain(known.renamed.values()).map(|known| known.entry).collect();
    let mut by_name: HashMap<(String, i64), Vec<KnownEntry>> = HashMap::new();
    for ListedEntry { known, title, published_ms } in listed {
        if !taken.contains(&known.entry) {
            by_name.entry((title, published_ms)).or_default().push(known);
        }
    }
    let mut found: HashMap<EntryRef, Vec<(EntryId, KnownEntry)>> = HashMap::new();
    for entry in polled {
        if known.entries.contains_key(&entry.id) || known.renamed.contains_key(&entry.id) {
            continue;
        }
        let Some(published) = entry.published else { continue };
        if let Some([only]) = by_name.get(&(entry.title.clone(), published.timestamp_millis())).map(Vec::as_slice) {
            found.entry(only.entry).or_default().push((entry.id.clone(), only.clone()));
        }
    }
    found.into_values().filter(|claims| claims.len() == 1).flatten().collect()
}

/// How a document's new entries are to be taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intake {
    /// How many of the new entries, the newest.
    pub take: usize,
    /// Whether the rest is to be taken in at the next poll, so that the document has to be asked for in full again.
    pub ask_again: bool,
    /// How many documents in a row, this one included, have held nothing but new entries.
    pub floods: u32,
}

/// Decides how many of a document's new entries are taken in.
///
/// `floods` is how many documents before it held nothing but new entries. A feed that is always new is hardly one of news: it
/// makes up its ids, or is a trap.
#[must_use]
pub fn intake(added: usize, polled: usize, is_first: bool, floods: u32) -> Intake {
    let is_flood = !is_first && polled > 1 && added == polled;
    let floods = if is_flood { floods.saturating_add(1) } else { 0 };
    if floods >= FLOODS {
        return Intake { take: added.min(MOST_OF_A_FLOOD), ask_again: false, floods };
    }
    Intake { take: added.min(MOST_NEW), ask_again: added > MOST_NEW, floods }
}

/// The most new entries that one poll takes in.
pub const MOST_NEW: usize = 2_000;
/// After so many documents in a row with nothing but new entries a feed is taken for one that is always new.
pub const FLOODS: u32 = 3;
/// The most new entries that one poll of such a feed takes in.
pub const MOST_OF_A_FLOOD: usize = 100;

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
        let renamed: Vec<_> = changes.renamed.iter().map(|(entry, now)| (*entry, now.id.0.as_str())).collect();
        assert_eq!(renamed, [(EntryRef(1), "b")]);
        assert!(changes.added.is_empty() && changes.gone.is_empty());
    }

    #[test]
    fn ids_that_all_changed_are_found_again_by_title_and_date() {
        let dated = |id: &str, title: &str, hour: u32| Entry {
            title: title.into(),
            published: Some(format!("2026-01-01T{hour:02}:00:00Z").parse().unwrap()),
            ..entry(id, 7)
        };
        let listed = |n: u64, title: &str, hour: u32| ListedEntry {
            known: stored(n, 7, 0),
            title: title.into(),
            published_ms: dated("", "", hour).published.unwrap().timestamp_millis(),
        };
        let known = Known { listed: (1..=5).map(EntryRef).collect(), ..Known::default() };
        let polled = [dated("x", "A", 1), dated("y", "B", 2), dated("z", "C", 9), dated("w", "D", 4)];
        assert!(looks_rekeyed(&known, &polled));
        let before =
            vec![listed(1, "A", 1), listed(2, "B", 2), listed(3, "C", 3), listed(4, "D", 4), listed(5, "D", 4)];
        let found = rekeyed(&known, &polled, before);
        let mut found: Vec<(&str, u64)> = found.iter().map(|(id, known)| (id.0.as_str(), known.entry.0)).collect();
        found.sort_unstable();
        assert_eq!(found, [("x", 1), ("y", 2)], "another date and a doubtful one are no match");
        let half = self::known(&[("a", stored(1, 7, 0))]);
        assert!(!looks_rekeyed(&half, &[entry("a", 7), entry("n", 7)]), "half of it is known");
    }

    #[test]
    fn a_flood_is_taken_in_by_and_by_and_a_feed_that_is_always_new_is_limited() {
        let check = |added, polled, is_first, floods, take, ask_again, now| {
            assert_eq!(intake(added, polled, is_first, floods), Intake { take, ask_again, floods: now });
        };
        check(5, 30, false, 0, 5, false, 0);
        check(30, 30, true, 0, 30, false, 0);
        check(3_000, 3_000, true, 0, MOST_NEW, true, 0);
        check(1_000, 3_000, false, 0, 1_000, false, 0);
        check(300, 300, false, 1, 300, false, 2);
        check(300, 300, false, 2, MOST_OF_A_FLOOD, false, 3);
        check(299, 300, false, 9, 299, false, 0);
        check(1, 1, false, 9, 1, false, 0);
    }
}
