//! `newsfold fold`: the folding alone, over articles on standard input or over what is stored.
//!
//! Edge: reads standard input or the store, and changes neither. Both ways fold with the very index that the daemon runs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use chrono::{DateTime, Utc};

use crate::clock;
use crate::commands::console::{Exit, print};
use crate::config::Config;
use crate::fold::folding::Folding;
use crate::fold::index::Index;
use crate::fold::lines::{self, Options};
use crate::fold::link::{Linked, Pages};
use crate::fold::plan::Verdict;
use crate::model::{EntryRef, Level, StoryRef};
use crate::store::{self, Connection, Reader, corrections, entries, fingerprints, stories};
use crate::subscriptions::{self, Subscriptions};
use crate::text;

/// Folds articles from standard input, line by line.
pub(super) fn stream(options: &Options) -> anyhow::Result<Exit> {
    lines::stream(std::io::stdin().lock(), std::io::stdout().lock(), options)?;
    Ok(Exit::Done)
}

/// Folds the stored window anew under `config`, and prints which stories would merge and which would split.
pub(super) fn from_store(config: &Config, store: &Path) -> anyhow::Result<Exit> {
    let words = Reader::open(store)?.read(|connection| {
        let replayed = replay(connection, config, clock::now())?;
        in_words(connection, &replayed)
    })?;
    print(&words)?;
    Ok(Exit::Done)
}

/// A stored entry, the story that it is in, and the one that it would be in.
struct Replayed {
    entry: EntryRef,
    stored: StoryRef,
    now: StoryRef,
}

/// Decides every entry of the window again, in the order in which they came. A person's word holds as it does in the daemon, and
/// so do the names that newsfolds elsewhere have for an entry.
fn replay(connection: &Connection, config: &Config, now: DateTime<Utc>) -> store::Result<Vec<Replayed>> {
    let subscriptions = Subscriptions::look_up(connection, config)?;
    let rules = subscriptions::rules(config);
    let begins = now.checked_sub_signed(rules.window).unwrap_or(DateTime::UNIX_EPOCH);
    let level_of = |feed| subscriptions.subscription(feed).map_or(config.fold.level, |of| of.options.level);
    let mut index =
        Index::restore(rules, fingerprints::weights(connection)?, Vec::new(), corrections::splits(connection)?);
    let mut pages = Pages::default();
    // Where each entry is, kept up while stories merge.
    let mut now_in: HashMap<EntryRef, StoryRef> = HashMap::new();
    let mut replayed = Vec::new();
    for entries::Told { telling, story: stored, joined_to } in entries::told_since(connection, begins)? {
        let text = entries::text_of(connection, telling.entry)?;
        let level = level_of(text.feed);
        pages.note(&telling);
        let told = joined_to.map(|matched| Linked { story: stored, matched });
        let linked = told.or_else(|| pages.find(&telling).filter(|_| level >= Level::Link));
        let linked = linked
            .map(|linked| Linked { story: now_in.get(&linked.matched).copied().unwrap_or(linked.story), ..linked });
        let article = text.article();
        let mut folding = Folding { index: Some(&mut index), pages: &mut pages };
        let fold = folding.decide(&telling, Some(&article), level, linked);
        if let Verdict::Joins { found, absorbs, .. } = &fold.verdict {
            now_in.values_mut().filter(|story| absorbs.contains(story)).for_each(|story| *story = found.story);
        }
        folding.apply(&telling, &fold, article.at, None);
        now_in.insert(telling.entry, fold.verdict.story(telling.entry));
        replayed.push((telling.entry, stored));
    }
    let place = |(entry, stored)| Replayed { entry, stored, now: now_in.get(&entry).copied().unwrap_or(stored) };
    Ok(replayed.into_iter().map(place).collect())
}

/// What would be otherwise.
#[derive(Debug, Default, PartialEq, Eq)]
struct Differences {
    /// Stories that would be one.
    merges: Vec<BTreeSet<StoryRef>>,
    /// A story, and the entries of it that would be elsewhere, each group by itself.
    splits: Vec<(StoryRef, Vec<Vec<EntryRef>>)>,
}

fn differences(replayed: &[Replayed]) -> Differences {
    let mut by_now: BTreeMap<StoryRef, BTreeSet<StoryRef>> = BTreeMap::new();
    let mut by_stored: BTreeMap<StoryRef, BTreeMap<StoryRef, Vec<EntryRef>>> = BTreeMap::new();
    for Replayed { entry, stored, now } in replayed {
        by_now.entry(*now).or_default().insert(*stored);
        by_stored.entry(*stored).or_default().entry(*now).or_default().push(*entry);
    }
    let merges = by_now.into_values().filter(|stored| stored.len() > 1).collect();
    let parts = |groups: BTreeMap<StoryRef, Vec<EntryRef>>| {
        let mut groups: Vec<Vec<EntryRef>> = groups.into_values().collect();
        groups.sort_by_key(|group| group.first().copied());
        // The first to tell it keep the story; the others leave.
        groups.split_off(1)
    };
    let splits = by_stored.into_iter().filter(|(_, groups)| groups.len() > 1);
    Differences { merges, splits: splits.map(|(story, groups)| (story, parts(groups))).collect() }
}

fn in_words(connection: &Connection, replayed: &[Replayed]) -> store::Result<String> {
    let count = |story: fn(&Replayed) -> StoryRef| replayed.iter().map(story).collect::<BTreeSet<_>>().len();
    let (stored, now) = (count(|entry| entry.stored), count(|entry| entry.now));
    let mut words =
        format!("{} entries in the window: {stored} stories as stored, {now} as configured\n", replayed.len());
    let Differences { merges, splits } = differences(replayed);
    let titled = |entry: EntryRef| -> store::Result<String> {
        Ok(text::shorten(&entries::text_of(connection, entry)?.title, 100))
    };
    for stories in merges {
        words.push_str("\nwould merge:\n");
        for story in stories {
            let story = stories::one(connection, story)?;
            words.push_str(&format!("  {}  {}\n", story.id, titled(story.canonical)?));
        }
    }
    for (story, groups) in splits {
        let story = stories::one(connection, story)?;
        words.push_str(&format!("\nwould split:\n  {}  {}\n", story.id, titled(story.canonical)?));
        for group in groups {
            for (at, entry) in group.iter().enumerate() {
                let lead = if at == 0 { "without" } else { "    and" };
                words.push_str(&format!("    {lead} entry {}  {}\n", entry.0, titled(*entry)?));
            }
        }
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replayed(entry: u64, stored: u64, now: u64) -> Replayed {
        Replayed { entry: EntryRef(entry), stored: StoryRef(stored), now: StoryRef(now) }
    }

    #[test]
    fn what_stays_together_is_no_difference() {
        let same = [replayed(1, 1, 1), replayed(2, 1, 1), replayed(3, 3, 3)];
        assert_eq!(differences(&same), Differences::default());
    }

    #[test]
    fn merges_name_the_stories_and_splits_the_entries_that_leave() {
        let merged = differences(&[replayed(1, 1, 1), replayed(2, 2, 1)]);
        assert_eq!(merged.merges, [BTreeSet::from([StoryRef(1), StoryRef(2)])]);
        let split = differences(&[replayed(1, 1, 1), replayed(2, 1, 2), replayed(3, 1, 2)]);
        assert_eq!(split.splits, [(StoryRef(1), vec![vec![EntryRef(2), EntryRef(3)]])]);
    }
}
