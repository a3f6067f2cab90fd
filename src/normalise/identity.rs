//! Which entry is which, within its feed.
//!
//! Pure. An id is scoped to its feed, so nothing here looks at another one.

use std::collections::{HashMap, HashSet};

use xxhash_rust::xxh3::xxh3_128;

use crate::model::{Entry, EntryId};
use crate::normalise::permalink::Permalink;
use crate::parse::ParsedEntry;

/// The longest id that is kept as it is, in bytes; what is longer is named by its hash.
const LONGEST: usize = 1024;

/// The entry's id: the publisher's own, else its permalink, else a hash of what it says.
///
/// The last is taken from the title and date where there are any, so that an edit of the text leaves it alone.
#[must_use]
pub fn id(entry: &ParsedEntry, permalink: Option<&Permalink>) -> EntryId {
    if let Some(id) = &entry.id {
        return if id.len() <= LONGEST {
            EntryId(id.clone())
        } else {
            EntryId(format!("hash:{:032x}", xxh3_128(id.as_bytes())))
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
    EntryId(format!("hash:{:032x}", xxh3_128(format!("{date}\0{said}").as_bytes())))
}

/// Makes ids unique within one document.
///
/// Some feeds give every entry the same id; where their permalinks differ they are different entries, and each takes its
/// permalink into its id, which leads to no page then. An entry that stands twice in a document is kept once, as it stands first.
pub fn make_unique(entries: &mut Vec<Entry>) {
    let ids: HashSet<&EntryId> = entries.iter().map(|entry| &entry.id).collect();
    if ids.len() == entries.len() {
        return;
    }
    let mut permalinks_of: HashMap<EntryId, Vec<Option<Permalink>>> = HashMap::new();
    for entry in entries.iter() {
        let permalinks = permalinks_of.entry(entry.id.clone()).or_default();
        if !permalinks.contains(&entry.permalink) {
            permalinks.push(entry.permalink.clone());
        }
    }
    let mut seen = HashSet::new();
    entries.retain_mut(|entry| {
        if permalinks_of.get(&entry.id).is_some_and(|permalinks| permalinks.len() > 1)
            && let Some(permalink) = &entry.permalink
        {
            entry.id = EntryId(format!("{}|{permalink}", entry.id.0));
            entry.id_permalink = None;
        }
        seen.insert(entry.id.clone())
    });
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
