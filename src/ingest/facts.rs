//! What the store knows of a document, read before anything is decided about it.
//!
//! Edge, inside the transaction of [`super::ingest`]: reads only.

use std::collections::HashMap;
use std::sync::Arc;

use super::plan::{Arrival, Before, Namesakes};
use super::record::{PollRecord, Rest};
use crate::fold::link::{Pages, Telling};
use crate::model::{Entry, Feed, FeedRef, Level, StoryId};
use crate::normalise::identity;
use crate::store::known_as::PassedOn;
use crate::store::{Connection, Result, corrections, entries, feeds, known_as, rekey, retention, stories};
use crate::update::{Known, matching};

/// What is known of a document's feed and of its entries.
pub(super) struct Facts {
    /// The feed with what was noted of it while it was being polled: a hub may have told of it.
    pub(super) feed: Feed,
    /// Its entries.
    pub(super) known: Known,
    /// The document's entries under other ids, where they have to be kept apart from others.
    pub(super) apart: Option<Arc<[Entry]>>,
}

impl Facts {
    /// Reads them; `rest` is what an earlier part left of the document.
    pub(super) fn read(tx: &Connection, record: &PollRecord, rest: Option<&Rest>) -> Result<Self> {
        let feed = feed(tx, record)?;
        let PollRecord { entries: polled, is_partial, .. } = record;
        // Which entries were renamed, and which have to be kept apart, is asked before the first part is taken in alone.
        if let Some(Rest { apart, .. }) = rest {
            let known = entries::known(tx, feed.feed, apart.as_deref().unwrap_or(polled))?;
            return Ok(Self { feed, known, apart: apart.clone() });
        }
        let mut known = entries::known(tx, feed.feed, polled)?;
        if !matching::is_wanted(&known, polled) {
            return Ok(Self { feed, known, apart: None });
        }
        let mut stored = rekey::stored(tx, feed.feed, &known, polled)?;
        let apart: Option<Arc<[Entry]>> =
            identity::kept_apart(polled, &matching::shared_ids(&known, polled, &stored)).map(Into::into);
        if let Some(apart) = &apart {
            known = entries::known(tx, feed.feed, apart)?;
            stored = rekey::stored(tx, feed.feed, &known, apart)?;
        }
        // Entries of one document are never each other's new names.
        known.renamed = matching::renamed(&known, apart.as_deref().unwrap_or(polled), &stored, !is_partial);
        Ok(Self { feed, known, apart })
    }
}

fn feed(tx: &Connection, record: &PollRecord) -> Result<Feed> {
    let feed = record.feed.clone();
    Ok(match feeds::learned(tx, feed.feed)? {
        Some((rhythm, floods)) => Feed { rhythm: record.rhythm_after(&rhythm), floods, ..feed },
        None => feed,
    })
}

/// What the store knows of entries that are new to it.
pub(super) fn before<'a>(tx: &Connection, feed: FeedRef, added: &[&'a Entry]) -> Result<Before<'a>> {
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

/// Who leads to the pages that `tellings` lead to, these among them.
pub(super) fn pages<'a>(
    tx: &Connection,
    level: Level,
    tellings: impl Iterator<Item = &'a Telling> + Clone,
) -> Result<Pages> {
    let mut pages = match level {
        Level::Off => Pages::default(),
        _ => entries::leading_to(tx, tellings.clone().flat_map(|telling| &telling.permalinks))?,
    };
    tellings.for_each(|telling| pages.note(telling));
    Ok(pages)
}

/// Who bears the names of new entries already, here and on the ways of aggregators.
pub(super) struct Names {
    /// The stories that bear one.
    pub(super) namesakes: Namesakes,
    /// The entries that came through aggregators and bear one.
    pub(super) passed_on: HashMap<StoryId, PassedOn>,
}

/// Who bears the names of those of `arrivals` that tell a story, or the names under which they are known elsewhere.
pub(super) fn names(tx: &Connection, arrivals: &[Arrival<'_>]) -> Result<Names> {
    let told = || arrivals.iter().filter(|arrival| arrival.telling.is_some());
    let elsewhere = || told().flat_map(|arrival| arrival.elsewhere.iter().copied());
    let mut namesakes = stories::namesakes(tx, told().map(|arrival| arrival.name))?;
    namesakes.extend(stories::namesakes(tx, elsewhere())?);
    let passed_on = known_as::find(tx, told().map(|arrival| arrival.name).chain(elsewhere()))?;
    Ok(Names { namesakes, passed_on })
}
