//! `newsfold stories`: the newest stories and who tells them.
//!
//! Edge: reads the store.

use std::collections::HashMap;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::json;

use crate::clock;
use crate::commands::console::{Exit, print};
use crate::commands::table;
use crate::model::FeedRef;
use crate::store::stories::{self, Story, Telling};
use crate::store::{Reader, feeds};
use crate::terminal;

pub(super) fn run(reader: &Reader, since: TimeDelta, min_sources: u32, as_json: bool) -> anyhow::Result<Exit> {
    let from = clock::now().checked_sub_signed(since).unwrap_or(DateTime::UNIX_EPOCH);
    let (found, names) = reader.read(|connection| {
        let mut newest: Vec<Story> = Vec::new();
        stories::newest(connection, Some(from), |story| {
            newest.extend((story.sources >= min_sources).then_some(story));
            Ok(true)
        })?;
        let mut found = Vec::with_capacity(newest.len());
        for story in newest {
            let coverage = stories::coverage(connection, story.story)?;
            found.push((story, coverage));
        }
        let names: HashMap<FeedRef, String> =
            feeds::sources(connection)?.into_iter().map(|source| (source.feed, source.name)).collect();
        Ok((found, names))
    })?;
    let name_of = |feed: FeedRef| names.get(&feed).map_or("?", String::as_str);
    if as_json {
        let shown: Vec<_> = found.iter().map(|(story, coverage)| in_json(story, coverage, name_of)).collect();
        print(&format!("{}\n", serde_json::to_string_pretty(&shown)?))?;
        return Ok(Exit::Done);
    }
    for (story, coverage) in &found {
        print(&in_words(story, coverage, name_of, terminal::width()))?;
    }
    if found.is_empty() {
        eprintln!("no stories since {}; a longer `--since` looks further back", from.format("%Y-%m-%d %H:%MZ"));
    }
    Ok(Exit::Done)
}

fn in_words<'a>(
    story: &Story,
    coverage: &[Telling],
    name_of: impl Fn(FeedRef) -> &'a str,
    room: Option<usize>,
) -> String {
    let published = story.published.unwrap_or(story.founded).format("%Y-%m-%d %H:%MZ");
    let title = |telling: &Telling| {
        if telling.title.is_empty() { "(no title)".to_owned() } else { telling.title.clone() }
    };
    let (speakers, others): (Vec<&Telling>, Vec<&Telling>) =
        coverage.iter().partition(|telling| telling.entry == story.canonical);
    let number = |telling: &Telling| telling.entry.0;
    let mut words = String::new();
    for speaker in speakers {
        let sources = if story.sources > 1 { format!(" [{} sources]", story.sources) } else { String::new() };
        let head = format!("{}  {published}  {:>6}  ", story.id.short(), number(speaker));
        let line = format!("{}: {}", name_of(speaker.feed), title(speaker));
        words.push_str(&format!("{head}{}{sources}\n", table::cut(&line, head.len() + sources.len(), room)));
    }
    for other in others {
        let rule = other.fold.as_ref().map_or(String::new(), |fold| format!(" ({})", fold.rule));
        let head = format!("{:27}  {:>6}  ", "", number(other));
        let line = format!("also {}: {}", name_of(other.feed), title(other));
        words.push_str(&format!("{head}{}{rule}\n", table::cut(&line, head.len() + rule.len(), room)));
    }
    words
}

fn in_json<'a>(story: &Story, coverage: &[Telling], name_of: impl Fn(FeedRef) -> &'a str) -> serde_json::Value {
    let instant = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let tellings: Vec<_> = coverage
        .iter()
        .map(|telling| {
            json!({
                "entry": telling.entry.0,
                "feed": name_of(telling.feed),
                "id": telling.id.0,
                "url": telling.permalink.as_ref().map(ToString::to_string),
                "title": telling.title,
                "published": telling.published.map(instant),
                "first_seen": instant(telling.first_seen),
                "canonical": telling.entry == story.canonical,
                "rule": telling.fold.as_ref().map(|fold| &fold.rule),
                "score": telling.fold.as_ref().map(|fold| fold.score),
            })
        })
        .collect();
    let title = coverage.iter().find(|telling| telling.entry == story.canonical).map(|telling| &telling.title);
    json!({
        "id": story.id.to_string(),
        "title": title,
        "published": story.published.map(instant),
        "updated": story.updated.map(instant),
        "sources": story.sources,
        "coverage": tellings,
    })
}
