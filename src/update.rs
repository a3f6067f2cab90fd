//! What a poll changes about a feed's entries.
//!
//! Pure: stored entries and polled ones in, [`Changes`] out. Writing them down is `ingest`'s work.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::{Entry, EntryId, EntryRef};

pub mod listing;
pub mod matching;

/// How often an entry may change without its publisher saying so and without another title, before such changes have to wait.
///
/// Some feeds print the time, a counter or an advertisement into each entry, and would be revised at every poll for ever.
const QUIET_REVISIONS: u32 = 24;
/// How long the first change waits that does, after the one before it; each later one waits twice as long,
const FIRST_PAUSE: TimeDelta = TimeDelta::hours(1);
/// up to this.
const LONGEST_PAUSE: TimeDelta = TimeDelta::days(1);
/// An entry that was left alone for so long has no changes behind it that count.
const FORGIVEN_AFTER: TimeDelta = TimeDelta::days(3);

/// What the store holds of one entry, as far as deciding needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownEntry {
    /// Which entry.
    pub entry: EntryRef,
    /// Its title; empty where it has none.
    pub title: String,
    /// The digest it was stored with.
    pub digest: i64,
    /// How often it changed without a new `updated`.
    pub quiet_revisions: u32,
    /// Milliseconds since 1970 of its last revision; `None` where there was none.
    pub revised_ms: Option<i64>,
    /// Milliseconds since 1970 of its `updated`, as stored.
    pub updated_ms: Option<i64>,
    /// Whether its text was damaged and set aside.
    pub has_lost_text: bool,
    /// Whether its row is not what was stored, so that nothing else is known of it.
    pub is_damaged: bool,
}

impl KnownEntry {
    /// An entry whose row is damaged.
    #[must_use]
    pub fn damaged(entry: EntryRef) -> Self {
        Self {
            entry,
            title: String::new(),
            digest: 0,
            quiet_revisions: 0,
            revised_ms: None,
            updated_ms: None,
            has_lost_text: false,
            is_damaged: true,
        }
    }
}

/// What the store holds of one feed, as far as deciding needs it.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// By the publisher's id.
    pub entries: HashMap<EntryId, KnownEntry>,
    /// The entries of the feed that polled ones are whose ids are not known, by these ids ([`matching::renamed`]).
    pub renamed: HashMap<EntryId, KnownEntry>,
    /// The entries that stood in the document before this one.
    pub listed: Vec<EntryRef>,
    /// Whether ids of the feed have been seen to stay from one document to the next.
    pub ids_stay: bool,
}

impl Known {
    /// Whether an entry of the document before stands in `polled` under the id and the title that it had.
    #[must_use]
    pub fn has_kept_an_id(&self, polled: &[Entry]) -> bool {
        let listed: HashSet<EntryRef> = self.listed.iter().copied().collect();
        let is_kept = |entry: &Entry| {
            let known = self.entries.get(&entry.id).filter(|known| listed.contains(&known.entry));
            known.is_some_and(|known| known.title == entry.title)
        };
        polled.iter().any(is_kept)
    }
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
    /// Whether its row was damaged, so that it may well be what it was.
    pub was_damaged: bool,
}

/// What came of comparing a polled document with the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes<'a> {
    /// Entries not seen before, in the order in which they were polled.
    pub added: Vec<&'a Entry>,
    /// Entries that changed.
    pub revised: Vec<Revision<'a>>,
    /// Entries that have another id now.
    pub renamed: Vec<(EntryRef, &'a Entry)>,
    /// Entries that are as stored but for their text, which the store has lost; they count as unchanged too.
    pub restored: Vec<(EntryRef, &'a Entry)>,
    /// Entries that are as stored.
    pub unchanged: Vec<EntryRef>,
    /// Entries that changed so often that this change waits; they count as unchanged too.
    pub waiting: Vec<EntryRef>,
    /// Entries that stood in the last document and do not stand in this one.
    pub gone: Vec<EntryRef>,
}

/// Decides what `polled`, the whole of a feed's document `now`, changes about `known`.
#[must_use]
pub fn plan<'a>(known: &Known, polled: &'a [Entry], now: DateTime<Utc>) -> Changes<'a> {
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
        match edit(before, entry, now) {
            Edit::Shown(revision) => {
                changes.revised.push(revision);
                continue;
            }
            Edit::Waits => changes.waiting.push(before.entry),
            Edit::None if before.has_lost_text => changes.restored.push((before.entry, entry)),
            Edit::None => {}
        }
        changes.unchanged.push(before.entry);
    }
    changes.gone = known.listed.iter().filter(|entry| !listed.contains(entry)).copied().collect();
    changes
}

/// Leaves out the edits by which entries would become older than they are, by their publisher's own word.
///
/// The document that a server gives says how things are; a message may have been kept by somebody, and come late.
pub fn without_steps_back(known: &Known, changes: &mut Changes<'_>) {
    changes.revised.retain(|revision| {
        let id = &revision.now.id;
        let before = known.entries.get(id).or_else(|| known.renamed.get(id)).and_then(|before| before.updated_ms);
        let now = revision.now.updated.map(|updated| updated.timestamp_millis());
        before.is_none() || now >= before
    });
}

/// How many new entries a feed brought of late.
#[derive(Debug, Clone, Copy)]
pub struct Lately {
    since: DateTime<Utc>,
    /// By whatever way,
    added: usize,
    /// and by a hub.
    told: usize,
}

impl Lately {
    const HOUR: TimeDelta = TimeDelta::hours(1);

    /// None yet, in the hour that begins.
    #[must_use]
    pub fn begin(now: DateTime<Utc>) -> Self {
        Self { since: now, added: 0, told: 0 }
    }

    /// How many more it may bring, by a hub if `is_told`, in the hour that runs now; when that is over, or the clock was set,
    /// another begins.
    pub fn left(&mut self, is_told: bool, now: DateTime<Utc>) -> usize {
        if (now - self.since).abs() >= Self::HOUR {
            *self = Self::begin(now);
        }
        let left = MOST_NEW.saturating_sub(self.added);
        if is_told { left.min(MOST_TOLD.saturating_sub(self.told)) } else { left }
    }

    /// Takes more into account.
    pub fn add(&mut self, is_told: bool, added: usize) {
        self.added += added;
        self.told += if is_told { added } else { 0 };
    }
}

/// How many new entries a document and its feed brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived {
    /// New entries of the document.
    pub added: usize,
    /// All its entries.
    pub polled: usize,
    /// How many new ones the feed may still bring; see [`Lately::left`].
    pub left: usize,
    /// Whether the feed had never been read before.
    pub is_first: bool,
    /// Whether it is a part of the feed's document, as hubs send it.
    pub is_partial: bool,
}

/// How a document's new entries are to be taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intake {
    /// How many entries are new.
    pub added: usize,
    /// How many of them to take in, the newest.
    pub take: usize,
    /// Whether the rest is to be taken in at the next poll, so that the document has to be asked for in full again.
    pub ask_again: bool,
    /// How many documents in a row, this one included, have held next to nothing but new entries.
    pub floods: u32,
}

/// Decides how many of a document's new entries are taken in.
///
/// `floods` is how many documents before it held next to nothing but new entries. A feed that is always new is hardly one of
/// news: it makes up its ids, or is a trap. What a hub sends is a part, and new by its nature; there only a large one counts.
#[must_use]
pub fn intake(arrived: Arrived, floods: u32) -> Intake {
    let Arrived { added, polled, left, is_first, is_partial } = arrived;
    let is_new = !is_first && polled > 1 && added * 10 >= polled * 9;
    let floods = match is_partial {
        false if is_new => floods.saturating_add(1),
        false => 0,
        true if is_new && added >= MOST_OF_A_FLOOD => floods.saturating_add(1),
        true => floods,
    };
    if floods >= FLOODS {
        return Intake { added, take: added.min(MOST_OF_A_FLOOD).min(left), ask_again: false, floods };
    }
    Intake { added, take: added.min(left), ask_again: added > left, floods }
}

/// The most new entries that a feed can bring within an hour.
pub const MOST_NEW: usize = 2_000;
/// The most of them that a hub can bring: what is more comes with the next poll, should the feed itself hold it.
pub const MOST_TOLD: usize = 50;
/// After so many documents in a row with next to nothing but new entries a feed is taken for one that is always new.
pub const FLOODS: u32 = 3;
/// The most new entries that one document of such a feed brings.
pub const MOST_OF_A_FLOOD: usize = 100;

/// The most new and edited entries that are taken in at once, and about the most text: others wait for the store meanwhile.
pub const AT_ONCE: usize = 200;
/// See [`AT_ONCE`]; in bytes.
pub const BYTES_AT_ONCE: usize = 512 * 1024;

/// Leaves what is too much for one time out of `changes`, and says whether anything was left out.
///
/// What is left out is still a change when the document is compared with the store again.
pub fn limit(changes: &mut Changes<'_>) -> bool {
    let (mut entries, mut bytes) = (0, 0);
    let mut fits = |entry: &Entry| {
        entries += 1;
        bytes += weight(entry);
        entries == 1 || (entries <= AT_ONCE && bytes <= BYTES_AT_ONCE)
    };
    let added = changes.added.iter().take_while(|entry| fits(entry)).count();
    let revised = changes.revised.iter().take_while(|revision| fits(revision.now)).count();
    let is_cut = added < changes.added.len() || revised < changes.revised.len();
    changes.added.truncate(added);
    changes.revised.truncate(revised);
    is_cut
}

/// Whether a document can be taken in at once, whatever of it is new.
#[must_use]
pub fn is_small(entries: &[Entry]) -> bool {
    entries.len() <= AT_ONCE && entries.iter().map(weight).sum::<usize>() <= BYTES_AT_ONCE
}

/// About how much memory an entry holds on to.
#[must_use]
pub fn weight(entry: &Entry) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    size_of::<Entry>() + entry.title.len() + text(&entry.detail.summary) + text(&entry.detail.content)
}

/// What becomes of what a publisher made of an entry.
enum Edit<'a> {
    /// It made nothing of it.
    None,
    /// It is shown,
    Shown(Revision<'a>),
    /// or will be.
    Waits,
}

fn edit<'a>(before: &KnownEntry, now: &'a Entry, at: DateTime<Utc>) -> Edit<'a> {
    if before.is_damaged {
        return Edit::Shown(Revision { entry: before.entry, now, quiet_revisions: 0, was_damaged: true });
    }
    if before.digest == now.digest || now.is_half_told {
        return Edit::None;
    }
    let is_announced = now.updated.map(|updated| updated.timestamp_millis()) > before.updated_ms;
    let since = before.revised_ms.and_then(DateTime::from_timestamp_millis).map(|revised| at - revised);
    let quiet_before = if since.is_some_and(|since| since >= FORGIVEN_AFTER) { 0 } else { before.quiet_revisions };
    let may_be_shown = is_announced
        || before.title != now.title
        // A clock that was set back holds nothing up.
        || since.is_none_or(|since| since < TimeDelta::zero() || since >= pause_after(quiet_before));
    if !may_be_shown {
        return Edit::Waits;
    }
    let quiet_revisions = quiet_before.saturating_add(u32::from(!is_announced));
    Edit::Shown(Revision { entry: before.entry, now, quiet_revisions, was_damaged: false })
}

/// How long after its last revision an entry is revised again that has had so many which its publisher did not announce.
fn pause_after(quiet_revisions: u32) -> TimeDelta {
    match quiet_revisions.checked_sub(QUIET_REVISIONS) {
        None => TimeDelta::zero(),
        Some(beyond) => {
            1_i32.checked_shl(beyond.min(8)).map_or(LONGEST_PAUSE, |times| (FIRST_PAUSE * times).min(LONGEST_PAUSE))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Detail;

    const NOW: DateTime<Utc> = DateTime::from_timestamp(1_768_046_400, 0).unwrap();

    fn entry(id: &str, digest: i64) -> Entry {
        Entry {
            id: EntryId(id.into()),
            permalink: None,
            id_permalink: None,
            title: id.into(),
            published: None,
            updated: None,
            detail: Detail::default(),
            digest,
            is_half_told: false,
        }
    }

    fn stored(entry: u64, digest: i64, quiet_revisions: u32) -> KnownEntry {
        KnownEntry {
            entry: EntryRef(entry),
            title: String::new(),
            digest,
            quiet_revisions,
            revised_ms: None,
            updated_ms: None,
            has_lost_text: false,
            is_damaged: false,
        }
    }

    fn known(entries: &[(&str, KnownEntry)]) -> Known {
        Known {
            entries: entries.iter().map(|(id, entry)| (EntryId((*id).into()), entry.clone())).collect(),
            listed: entries.iter().map(|(_, known)| known.entry).collect(),
            ..Known::default()
        }
    }

    #[test]
    fn the_same_document_twice_changes_nothing() {
        let polled = [entry("a", 7)];
        let changes = plan(&known(&[("a", stored(1, 7, 0))]), &polled, NOW);
        assert_eq!(changes, Changes { unchanged: vec![EntryRef(1)], ..Changes::default() });
    }

    #[test]
    fn a_lost_text_comes_back_and_is_no_edit() {
        let polled = [entry("a", 7)];
        let lost = KnownEntry { has_lost_text: true, ..stored(1, 7, 0) };
        let changes = plan(&known(&[("a", lost)]), &polled, NOW);
        assert_eq!(changes.restored, [(EntryRef(1), &polled[0])]);
        assert!(changes.revised.is_empty() && changes.unchanged == [EntryRef(1)]);
    }

    #[test]
    fn an_edit_is_a_revision_and_a_new_id_is_an_entry() {
        let polled = [entry("a", 8), entry("b", 1)];
        let changes = plan(&known(&[("a", stored(1, 7, 0))]), &polled, NOW);
        assert_eq!(changes.revised.iter().map(|revision| revision.entry).collect::<Vec<_>>(), [EntryRef(1)]);
        assert_eq!(changes.added.len(), 1);
    }

    #[test]
    fn an_edit_that_comes_late_undoes_nothing() {
        let hour = |hour: i64| DateTime::<Utc>::UNIX_EPOCH + TimeDelta::hours(hour);
        let check = |before: Option<i64>, now: Option<i64>, expected: usize| {
            let before = KnownEntry { updated_ms: before.map(|at| hour(at).timestamp_millis()), ..stored(1, 7, 0) };
            let (known, polled) = (known(&[("a", before)]), [Entry { updated: now.map(hour), ..entry("a", 8) }]);
            let mut changes = plan(&known, &polled, NOW);
            without_steps_back(&known, &mut changes);
            assert_eq!(changes.revised.len(), expected, "{:?}", polled[0].updated);
        };
        check(Some(2), Some(1), 0);
        check(Some(2), None, 0);
        check(Some(2), Some(2), 1);
        check(Some(2), Some(3), 1);
        check(None, None, 1);
    }

    #[test]
    fn an_entry_that_left_the_document_is_gone_and_not_deleted() {
        let polled = [entry("b", 7)];
        let changes = plan(&known(&[("a", stored(1, 7, 0)), ("b", stored(2, 7, 0))]), &polled, NOW);
        assert_eq!(changes.gone, [EntryRef(1)]);
    }

    #[test]
    fn corrections_are_shown_however_many_there_are_only_slower() {
        let check = |what: &str, before: &KnownEntry, now: Entry, hours: i64, expected: Option<u32>| {
            let polled = [Entry { title: now.title.clone(), ..now }];
            let changes = plan(&known(&[("a", before.clone())]), &polled, NOW + TimeDelta::hours(hours));
            assert_eq!(changes.revised.first().map(|revision| revision.quiet_revisions), expected, "{what}");
            let waiting = if expected.is_none() { vec![EntryRef(1)] } else { Vec::new() };
            assert_eq!((&changes.waiting, &changes.unchanged), (&waiting, &waiting), "{what}");
        };
        let before = |quiet: u32| KnownEntry {
            title: "a".into(),
            revised_ms: Some(NOW.timestamp_millis()),
            ..stored(1, 7, quiet)
        };
        let most = QUIET_REVISIONS;
        check("the last that does not wait", &before(most - 1), entry("a", 8), 0, Some(most));
        check("one too many", &before(most), entry("a", 8), 0, None);
        check("an hour later", &before(most), entry("a", 8), 1, Some(most + 1));
        check("the pauses grow", &before(most + 3), entry("a", 8), 7, None);
        check("twice as long each", &before(most + 3), entry("a", 8), 8, Some(most + 4));
        check("up to a day", &before(u32::MAX), entry("a", 8), 24, Some(u32::MAX));
        check("days without a change", &before(most + 9), entry("a", 8), 72, Some(1));
        check("a clock set back", &before(most), entry("a", 8), -1, Some(most + 1));
        let retitled = Entry { title: "another".into(), ..entry("a", 8) };
        check("another title", &before(most), retitled, 0, Some(most + 1));
        let announced = Entry { updated: Some(NOW), ..entry("a", 8) };
        check("its publisher's word", &before(most), announced, 0, Some(most));
    }

    #[test]
    fn an_entry_that_was_found_under_another_id_gets_the_one_of_now() {
        let mut known = known(&[("a", stored(1, 7, 0))]);
        known.renamed.insert(EntryId("b".into()), stored(1, 7, 0));
        let polled = [entry("b", 7)];
        let changes = plan(&known, &polled, NOW);
        let renamed: Vec<_> = changes.renamed.iter().map(|(entry, now)| (*entry, now.id.0.as_str())).collect();
        assert_eq!(renamed, [(EntryRef(1), "b")]);
        assert!(changes.added.is_empty() && changes.gone.is_empty());
    }

    #[test]
    fn a_flood_is_taken_in_by_and_by_and_a_feed_that_is_always_new_is_limited() {
        let whole = |added, polled| Arrived { added, polled, left: MOST_NEW, is_first: false, is_partial: false };
        let check = |arrived: Arrived, floods, take, ask_again, now| {
            let expected = Intake { added: arrived.added, take, ask_again, floods: now };
            assert_eq!(intake(arrived, floods), expected, "{arrived:?}");
        };
        check(whole(5, 30), 0, 5, false, 0);
        check(Arrived { is_first: true, ..whole(30, 30) }, 0, 30, false, 0);
        check(Arrived { is_first: true, ..whole(3_000, 3_000) }, 0, MOST_NEW, true, 0);
        check(whole(1_000, 3_000), 0, 1_000, false, 0);
        check(whole(300, 300), 1, 300, false, 2);
        check(whole(300, 300), 2, MOST_OF_A_FLOOD, false, 3);
        check(whole(1_999, 2_000), 2, MOST_OF_A_FLOOD, false, 3);
        check(whole(150, 300), 9, 150, false, 0);
        check(whole(1, 1), 9, 1, false, 0);
    }

    #[test]
    fn an_hour_has_room_for_so_many_entries_of_a_feed_whichever_way_they_come() {
        let at = |minutes| DateTime::<Utc>::UNIX_EPOCH + TimeDelta::minutes(minutes);
        let mut lately = Lately::begin(at(0));
        lately.add(false, MOST_NEW - 100);
        assert_eq!(
            (lately.left(false, at(1)), lately.left(true, at(1))),
            (100, MOST_TOLD),
            "a poll leaves hubs their share"
        );
        lately.add(true, MOST_TOLD - 10);
        assert_eq!((lately.left(false, at(59)), lately.left(true, at(59))), (60, 10));
        lately.add(false, 100);
        assert_eq!((lately.left(false, at(59)), lately.left(true, at(59))), (0, 0));
        assert_eq!((lately.left(true, at(60)), lately.left(false, at(60))), (MOST_TOLD, MOST_NEW));
        lately.add(false, 3);
        assert_eq!(lately.left(false, at(-10_000)), MOST_NEW, "set back, the clock does not shut a feed out");
        let arrived = Arrived { added: 500, polled: 2_000, left: 200, is_first: false, is_partial: false };
        let expected = Intake { added: 500, take: 200, ask_again: true, floods: 0 };
        assert_eq!(intake(arrived, 0), expected, "the others may come at the next poll");
        assert_eq!(intake(Arrived { added: 2_000, left: 50, ..arrived }, 2).take, 50, "a flood has no more of it");
    }

    #[test]
    fn what_hubs_send_is_new_by_its_nature_and_a_flood_where_it_is_much() {
        let part = |added, polled| Arrived { added, polled, left: MOST_TOLD, is_first: false, is_partial: true };
        assert_eq!(intake(part(3, 3), 2).floods, 2);
        assert_eq!(intake(part(1, 30), 2).floods, 2, "a part does not say that the flood is over");
        assert_eq!(intake(part(1_000, 1_000), 2).floods, 3);
    }

    #[test]
    fn an_entry_whose_row_is_damaged_is_stored_anew_whatever_it_says() {
        let known = known(&[("a", KnownEntry::damaged(EntryRef(1)))]);
        let polled = [entry("a", 0)];
        let changes = plan(&known, &polled, NOW);
        assert_eq!(changes.revised.len(), 1);
        assert!(changes.added.is_empty() && changes.unchanged.is_empty());
    }

    #[test]
    fn much_is_taken_in_bit_by_bit_and_a_large_entry_alone() {
        let large = || Entry { title: "x".repeat(BYTES_AT_ONCE), ..entry("large", 1) };
        let taken = |polled: &[Entry]| {
            let mut changes = plan(&Known::default(), polled, NOW);
            (limit(&mut changes), changes.added.len())
        };
        let many: Vec<Entry> = (0..500).map(|number| entry(&number.to_string(), 1)).collect();
        assert_eq!(taken(&many), (true, AT_ONCE));
        assert_eq!(taken(&many[..AT_ONCE]), (false, AT_ONCE));
        assert_eq!(taken(&[large(), entry("a", 1)]), (true, 1));
        assert_eq!(taken(&[entry("a", 1), large()]), (true, 1));
        assert!(is_small(&many[..AT_ONCE]) && !is_small(&many) && !is_small(&[large()]));
        let known = known(&[("1", stored(1, 7, 0)), ("2", stored(2, 7, 0))]);
        let edited = [entry("1", 8), Entry { id: EntryId("2".into()), ..large() }];
        let mut changes = plan(&known, &edited, NOW);
        assert!(limit(&mut changes) && changes.revised.len() == 1, "edits count as well");
    }
}
