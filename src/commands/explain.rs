//! `newsfold explain`: why entries are together.
//!
//! Edge: reads the store.

use std::collections::HashMap;

use crate::commands::console::{Exit, print};
use crate::commands::correct::{no_such, one_entry, story_named};
use crate::commands::table;
use crate::config::Config;
use crate::fold::evidence::Evidence;
use crate::fold::index::Index;
use crate::fold::plan::{Decision, Match, Verdict};
use crate::model::{EntryRef, FeedRef};
use crate::store::stories::{self, Story, Telling};
use crate::store::{self, Connection, Reader, entries, feeds, fingerprints};
use crate::subscriptions;
use crate::terminal;

/// Why the entries of a story are together, or why two entries are or are not.
pub(super) fn run(config: &Config, reader: &Reader, what: &str, other: Option<&str>) -> anyhow::Result<Exit> {
    match other {
        None => {
            let found = reader.read(|connection| {
                let Some(story) = story_named(connection, what)? else { return Ok(None) };
                Ok(Some((stories::one(connection, story)?, stories::coverage(connection, story)?, names(connection)?)))
            })?;
            let Some((story, coverage, names)) = found else { return Err(no_such(what)) };
            print(&story_in_words(&story, &coverage, &names))?;
        }
        Some(other) => {
            let [one, other] = [what, other].map(|name| reader.read(|connection| Ok(one_entry(connection, name))));
            let (one, other) = (one??, other??);
            print(&reader.read(|connection| pair_in_words(connection, config, one, other))?)?;
        }
    }
    Ok(Exit::Done)
}

fn names(connection: &Connection) -> store::Result<HashMap<FeedRef, String>> {
    Ok(feeds::sources(connection)?.into_iter().map(|source| (source.feed, source.name)).collect())
}

fn story_in_words(story: &Story, coverage: &[Telling], names: &HashMap<FeedRef, String>) -> String {
    let name = |telling: &Telling| names.get(&telling.feed).map_or("?", String::as_str).to_owned();
    let mut words = format!(
        "story {}, told by {} {}\n",
        story.id,
        story.sources,
        if story.sources == 1 { "feed" } else { "feeds" }
    );
    for telling in coverage {
        let seen = telling.first_seen.format("%Y-%m-%d %H:%MZ");
        let speaks = if telling.entry == story.canonical { ", speaks for the story" } else { "" };
        let title = table::cut(&telling.title, 2, terminal::width());
        words.push_str(&format!("\nentry {} of {}, seen {seen}{speaks}\n  {title}\n", telling.entry.0, name(telling)));
        match &telling.fold {
            None => words.push_str("  founded the story\n"),
            Some(fold) => {
                let matched = coverage.iter().find(|other| other.entry == fold.matched);
                let matched = matched.map_or(String::new(), |other| format!(" of {}", name(other)));
                words.push_str(&format!("  {} with entry {}{matched}\n", reason(&fold.rule), fold.matched.0));
                words.push_str(&evidence_in_words(fold.score, &fold.evidence));
            }
        }
    }
    words
}

fn reason(rule: &str) -> &'static str {
    match rule {
        "link" => "leads to one page",
        "copy" => "has the same text",
        "person" => "joined by a person",
        _ => "tells the same happening",
    }
}

/// The score and the terms that carried a fold.
fn evidence_in_words(score: f64, evidence: &Evidence) -> String {
    let mut words = String::new();
    if let Some(threshold) = evidence.threshold {
        words.push_str(&format!("  score {score:.2}, where {threshold:.2} was needed\n"));
    }
    if !evidence.terms.is_empty() {
        words.push_str(&format!("  by the words {}\n", evidence.terms.join(", ")));
    }
    words
}

/// Whether two entries are in one story, and how alike they are when nothing else is known.
fn pair_in_words(connection: &Connection, config: &Config, one: EntryRef, other: EntryRef) -> store::Result<String> {
    let (first, second) = (one.min(other), one.max(other));
    let mut index = Index::new(subscriptions::rules(config), fingerprints::weights(connection)?);
    let level = config.fold.level;
    let decided = |index: &Index, entry: EntryRef| -> store::Result<Decision> {
        let text = entries::text_of(connection, entry)?;
        Ok(index.plan(&text.article(), level, None))
    };
    let founding = decided(&index, first)?;
    index.apply(&founding);
    let decision = decided(&index, second)?;
    let together = stories::told_by(connection, first)? == stories::told_by(connection, second)?;
    let mut words =
        if together { "they are in one story\n".to_owned() } else { "they are in different stories\n".to_owned() };
    words.push_str(&match &decision.verdict {
        Verdict::Joins { rule, found, .. } => {
            format!("by themselves they fold: {}\n{}", reason(rule.name()), measured(found))
        }
        Verdict::New { nearest: Some(found) } => format!("by themselves they do not fold\n{}", measured(found)),
        Verdict::New { nearest: None } => "by themselves they do not fold: they share no telling word\n".to_owned(),
    });
    Ok(words)
}

fn measured(found: &Match) -> String {
    let mut words = evidence_in_words(found.score.into(), &Evidence::from(found));
    if let Some(veto) = found.veto {
        let veto =
            serde_json::to_value(veto).ok().and_then(|veto| veto.as_str().map(str::to_owned)).unwrap_or_default();
        words.push_str(&format!("  forbidden: {}\n", veto.replace('_', " ")));
    }
    words
}
