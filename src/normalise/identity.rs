//! Which entry is which, within its feed.
//!
//! Pure. An id is scoped to its feed, so nothing here looks at another one. Where a document gives several entries one id, each
//! is called by that id and by what tells it apart: its page, else its title, its date, its text. Such a name depends on the
//! other entries of the document, so an entry may be stored under a longer or a shorter one: [`names`] has them all, and
//! `update::matching` asks for each.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::model::permalink::Permalink;
use crate::model::{Detail, Entry, EntryId};
use crate::parse::ParsedEntry;

/// The longest id that is kept as it is, in bytes; what is longer is named by its hash.
const LONGEST: usize = 1024;
/// What ids begin with that are hashes.
const HASH: &str = "hash:";
/// Stands between an id that entries share and what tells one of them apart; no document can hold it (XML 1.0 §2.2).
const APART: char = '\u{1f}';
/// In how many steps entries are told apart: by page, by title, by date, by text.
const STEPS: usize = 4;

/// The entry's id: the publisher's own, else its permalink, else a hash of what it says.
///
/// The last is taken from the title and date where there are any, so that an edit of the text leaves it alone.
#[must_use]
pub fn id(entry: &ParsedEntry, permalink: Option<&Permalink>) -> EntryId {
    if let Some(id) = &entry.id {
        return if id.len() <= LONGEST {
            EntryId(id.replace(APART, " "))
        } else {
            EntryId(format!("{HASH}{:032x}", xxh3_128(id.as_bytes())))
        };
    }
    if let Some(permalink) = permalink {
        return EntryId(permalink.as_str().to_owned());
    }
    let date = entry.published.map(|date| date.timestamp().to_string()).unwrap_or_default();
    let said = match &entry.title {
        Some(title) => title,
        None => entry.content.as_ref().or(entry.summary.as_ref()).map_or("", String::as_str),
    };
    EntryId(format!("{HASH}{:032x}", xxh3_128(format!("{date}\0{said}").as_bytes())))
}

/// The id that the publisher gave to this entry and to others, where `id` is one of those that [`make_unique`] makes of it.
#[must_use]
pub fn shared(id: &EntryId) -> Option<&str> {
    id.0.split_once(APART).map(|(shared, _)| shared)
}

/// Whether an id was made here of what the entry says, or of an id that was too long.
#[must_use]
pub fn is_made_up(id: &EntryId) -> bool {
    id.0.starts_with(HASH)
}

/// A hash of what an entry says: of its text, and of the recording that comes with it. Episodes of one show may have one text.
/// `None` where it has neither.
#[must_use]
pub fn text_hash(detail: &Detail) -> Option<i64> {
    match (recording(detail), words_hash(detail)) {
        (Some(recording), words) => Some(xxh3_64(format!("{recording}\0{words:?}").as_bytes()).cast_signed()),
        (None, words) => words,
    }
}

fn words_hash(detail: &Detail) -> Option<i64> {
    let text = detail.content.as_ref().or(detail.summary.as_ref())?;
    Some(xxh3_64(text.as_bytes()).cast_signed())
}

/// The end of the path of an entry's first audio or video file: whoever counts listeners writes another beginning, and servers
/// a query.
fn recording(detail: &Detail) -> Option<&str> {
    let is_recording = |media_type: &str| media_type.starts_with("audio/") || media_type.starts_with("video/");
    let file = detail.enclosures.iter().find(|file| file.media_type.as_deref().is_some_and(is_recording))?;
    let path = file.url.split(['?', '#']).next()?;
    let folder = path.rmatch_indices('/').nth(1).map_or(0, |(at, _)| at);
    path.get(folder..)
}

/// The names under which an entry may be stored whose id is, was or comes to be shared: from the id alone to all that it says.
#[must_use]
pub fn names(entry: &Entry) -> Vec<EntryId> {
    let shared = shared(&entry.id).unwrap_or(&entry.id.0);
    let steps = (1..=STEPS).map(|step| name(shared, entry, step));
    std::iter::once(EntryId(shared.to_owned())).chain(steps).collect()
}

/// The name by which an entry is told apart in so many steps from others of this id.
fn name(shared: &str, entry: &Entry, steps: usize) -> EntryId {
    let time = |date: Option<DateTime<Utc>>| date.map(|date| date.timestamp().to_string()).unwrap_or_default();
    let said = [
        entry.permalink.as_ref().map_or("", Permalink::without_scheme).to_owned(),
        entry.title.clone(),
        time(entry.published),
        words_hash(&entry.detail).map(|text| text.to_string()).unwrap_or_default(),
    ];
    let said = said.get(..steps).unwrap_or_default().join("\0");
    EntryId(format!("{shared}{APART}{:032x}", xxh3_128(said.as_bytes())))
}

/// Makes ids unique within one document, whatever the order of its entries, which stays.
///
/// Entries that share an id are each called by as much of what they say as it takes; such an id leads to no page. Of those that
/// say the same, and of the versions of one entry (RFC 4287 §4.1.1), the one that was updated last is kept.
pub fn make_unique(entries: &mut Vec<Entry>) {
    let mut count_of: HashMap<EntryId, usize> = HashMap::new();
    for entry in entries.iter() {
        *count_of.entry(entry.id.clone()).or_default() += 1;
    }
    if count_of.len() == entries.len() {
        return;
    }
    let (mut sharing, mut unique): (Vec<Placed>, Vec<Placed>) =
        entries.drain(..).enumerate().partition(|(_, entry)| count_of.get(&entry.id).is_some_and(|count| *count > 1));
    keep_newest_version(&mut sharing);
    let names: Vec<Vec<EntryId>> = sharing.iter().map(|(_, entry)| names(entry)).collect();
    let mut bearers: HashMap<EntryId, usize> = HashMap::new();
    for name in names.iter().flatten() {
        *bearers.entry(name.clone()).or_default() += 1;
    }
    for ((_, entry), names) in sharing.iter_mut().zip(names) {
        let is_its_own = |name: &EntryId| bearers.get(name) == Some(&1);
        let Some(name) = names.into_iter().find(is_its_own) else { continue };
        if name != entry.id {
            entry.id_permalink = None;
        }
        entry.id = name;
    }
    unique.append(&mut sharing);
    unique.sort_by_key(|(position, _)| *position);
    entries.extend(unique.into_iter().map(|(_, entry)| entry));
}

/// An entry with its position in the document.
type Placed = (usize, Entry);

/// Of the entries that differ in nothing by which entries are told apart, or in their text and in when they were updated,
/// leaves the one that was updated last.
fn keep_newest_version(sharing: &mut Vec<Placed>) {
    sharing.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.updated));
    let mut seen: HashSet<EntryId> = HashSet::new();
    let mut versions: HashMap<EntryId, Option<DateTime<Utc>>> = HashMap::new();
    sharing.retain(|(_, entry)| {
        let first_updated = *versions.entry(name(&entry.id.0, entry, STEPS - 1)).or_insert(entry.updated);
        let is_older_version = entry.published.is_some() && entry.updated != first_updated;
        seen.insert(name(&entry.id.0, entry, STEPS)) && !is_older_version
    });
}

/// The entries of a document with ids that stay apart from others which bore the same in documents before; `None` where they
/// are so already.
///
/// `shared` are the ids that the feed has given to several entries.
#[must_use]
pub fn kept_apart(entries: &[Entry], shared: &HashSet<String>) -> Option<Vec<Entry>> {
    if !entries.iter().any(|entry| shared.contains(&entry.id.0)) {
        return None;
    }
    let apart = |entry: &Entry| {
        let mut entry = entry.clone();
        if shared.contains(&entry.id.0) {
            let steps = if entry.title.is_empty() { STEPS } else { 2 };
            entry.id = name(&entry.id.0, &entry, steps);
            entry.id_permalink = None;
        }
        entry
    };
    Some(entries.iter().map(apart).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Enclosure;

    fn parsed(id: Option<&str>, title: &str) -> ParsedEntry {
        ParsedEntry { id: id.map(Into::into), title: Some(title.into()), ..ParsedEntry::default() }
    }

    #[test]
    fn the_publishers_id_comes_first() {
        let permalink: Permalink = "https://example.org/a".parse().unwrap();
        assert_eq!(id(&parsed(Some("7"), "A"), Some(&permalink)).0, "7");
        assert_eq!(id(&parsed(None, "A"), Some(&permalink)).0, "https://example.org/a");
    }

    #[test]
    fn an_entry_without_id_and_link_has_the_same_id_at_every_poll() {
        assert_eq!(id(&parsed(None, "A"), None), id(&parsed(None, "A"), None));
        assert_ne!(id(&parsed(None, "A"), None), id(&parsed(None, "B"), None));
    }

    /// An entry by id, page, title, day, text and the hour of its update; empty and 0 are absent.
    fn entry(id: &str, page: &str, title: &str, day: u32, text: &str, hour: u32) -> Entry {
        let at = |day: u32, hour: u32| Some(format!("2026-01-{day:02}T{hour:02}:00:00Z").parse().unwrap());
        Entry {
            id: EntryId(id.into()),
            permalink: (!page.is_empty()).then(|| page.parse().unwrap()),
            id_permalink: None,
            title: title.into(),
            published: if day == 0 { None } else { at(day, 0) },
            updated: if hour == 0 { None } else { at(28, hour) },
            detail: Detail { content: (!text.is_empty()).then(|| text.into()), ..Detail::default() },
            digest: 0,
            is_half_told: false,
        }
    }

    fn unique(mut entries: Vec<Entry>) -> Vec<Entry> {
        make_unique(&mut entries);
        entries.sort_by(|one, two| one.id.cmp(&two.id));
        entries
    }

    #[test]
    fn entries_of_one_id_are_told_apart_by_what_tells_them_apart_in_any_order() {
        const PAGE: &str = "https://example.org/news";
        let check = |what: &str, entries: Vec<Entry>, expected: usize| {
            let found = unique(entries.clone());
            let ids: HashSet<&EntryId> = found.iter().map(|entry| &entry.id).collect();
            assert_eq!((found.len(), ids.len()), (expected, expected), "{what}: {found:#?}");
            assert_eq!(unique(entries.into_iter().rev().collect()), found, "{what}: the order does not matter");
        };
        check("pages", vec![entry("1", PAGE, "A", 1, "", 0), entry("1", "https://example.org/2", "A", 1, "", 0)], 2);
        check("titles", vec![entry("1", PAGE, "A", 0, "", 0), entry("1", PAGE, "B", 0, "", 0)], 2);
        check("dates", (1..=3).map(|day| entry("1", PAGE, "A", day, "x", 0)).collect(), 3);
        check("texts", vec![entry("1", "", "", 0, "x", 0), entry("1", "", "", 0, "y", 0)], 2);
        check("texts on one day", vec![entry("1", "", "A", 1, "x", 0), entry("1", "", "A", 1, "y", 0)], 2);
        check("all alike", vec![entry("1", PAGE, "A", 1, "x", 0), entry("1", PAGE, "A", 1, "x", 0)], 1);
        check("two versions", vec![entry("1", PAGE, "A", 1, "x", 1), entry("1", PAGE, "A", 1, "y", 2)], 1);
        let mixed = ["A", "A", "B", "C"].into_iter().zip([1, 2, 2, 0]);
        check("some titles and some dates", mixed.map(|(title, day)| entry("1", PAGE, title, day, "", 0)).collect(), 4);
    }

    #[test]
    fn of_two_versions_the_newer_is_kept() {
        let versions = vec![entry("1", "", "A", 1, "old", 1), entry("1", "", "A", 1, "new", 2)];
        let kept = unique(versions);
        assert_eq!(kept[0].detail.content.as_deref(), Some("new"));
        assert_eq!(kept[0].id.0, "1", "alone it needs no longer name");
    }

    #[test]
    fn an_entry_has_among_its_names_the_one_that_it_has_in_any_document() {
        let (a, b, c) =
            (entry("1", "", "A", 1, "x", 0), entry("1", "", "B", 1, "y", 0), entry("1", "", "A", 2, "x", 0));
        let known = names(&a);
        for others in [vec![], vec![b.clone()], vec![c.clone()], vec![b, c]] {
            let document = unique(others.into_iter().chain([a.clone()]).collect());
            let found = document.iter().find(|entry| entry.title == "A" && entry.published == a.published).unwrap();
            assert!(known.contains(&found.id), "{found:?}");
            assert_eq!(names(found), known);
        }
    }

    #[test]
    fn an_id_that_was_shared_stays_apart() {
        let shared = HashSet::from(["1".to_owned()]);
        let alone = [entry("1", "", "A", 1, "x", 0)];
        let apart = kept_apart(&alone, &shared).unwrap();
        assert_eq!(super::shared(&apart[0].id), Some("1"));
        assert!(names(&alone[0]).contains(&apart[0].id));
        assert_eq!(kept_apart(&apart, &shared), None);
        assert_eq!(super::shared(&alone[0].id), None);
    }

    #[test]
    fn episodes_with_one_text_are_told_apart_by_their_files() {
        let episode = |file: &str| Detail {
            content: Some("The news of the hour".into()),
            enclosures: vec![Enclosure { url: file.into(), media_type: Some("audio/mpeg".into()), length: None }],
            ..Detail::default()
        };
        let first = text_hash(&episode("https://r.example/audio/1.mp3"));
        assert_ne!(first, text_hash(&episode("https://r.example/audio/2.mp3")));
        assert_eq!(first, text_hash(&episode("https://count.example/r.example/audio/1.mp3?token=a")));
        assert_ne!(first, text_hash(&Detail { enclosures: Vec::new(), ..episode("") }));
    }
}
