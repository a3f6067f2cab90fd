//! `newsfold feeds`: how each feed is doing.
//!
//! Edge: reads the store.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::json;

use crate::clock;
use crate::commands::console::{Exit, print};
use crate::commands::table;
use crate::config::Config;
use crate::model::Feed;
use crate::model::history::Sample;
use crate::store::{Reader, feeds};
use crate::update;

pub(super) fn run(config: &Config, reader: &Reader, as_json: bool) -> anyhow::Result<Exit> {
    let (states, counts) =
        reader.read(|connection| Ok((feeds::configured(connection)?, feeds::entry_counts(connection)?)))?;
    let count = |feed: &Feed| counts.get(&feed.feed).copied().unwrap_or(0);
    if as_json {
        let shown: Vec<_> = states.iter().map(|feed| in_json(feed, count(feed))).collect();
        print(&format!("{}\n", serde_json::to_string_pretty(&shown)?))?;
        return Ok(Exit::Done);
    }
    let now = clock::now();
    // What fails is what people look for.
    let (mut states, fine): (Vec<Feed>, Vec<Feed>) = states.into_iter().partition(|feed| feed.failures > 0);
    let failing = states.len();
    states.extend(fine);
    let rows: Vec<Vec<String>> = states.iter().map(|feed| row(feed, count(feed), now)).collect();
    print(&table::aligned(&["FEED", "STATE", "LAST", "NEXT", "ENTRIES", "WHY"], &rows, |row| row < failing))?;
    for feed in &states {
        if let Some(error) = &feed.last_error {
            let since = feed.failing_since.map(|since| format!(" since {}", moment(since))).unwrap_or_default();
            print(&format!("{}: failing{since}: {error}\n", feed.name))?;
        }
        if is_flooding(feed) {
            print(&format!(
                "{}: every entry has been new for {} polls, so it is taken in only in part\n",
                feed.name, feed.floods
            ))?;
        }
        if let Some(moved) = &feed.moved_to {
            let is_configured = config.feeds.iter().any(|configured| configured.url == feed.address);
            let stale = match is_configured {
                true => format!("its `url` in {} is stale", config.file.display()),
                false => "its address is stale in the list that names it".to_owned(),
            };
            print(&format!("{}: has moved for good to {moved}; {stale}\n", feed.name))?;
        }
    }
    Ok(Exit::Done)
}

fn row(feed: &Feed, entries: u64, now: DateTime<Utc>) -> Vec<String> {
    vec![
        feed.name.clone(),
        match feed.failures {
            0 => feed.state().to_owned(),
            failures => format!("failing ({failures})"),
        },
        feed.last_success.map_or_else(|| "never".into(), |at| format!("{} ago", length(now - at))),
        match feed.next() {
            None => "never".to_owned(),
            Some(next) if next <= now => "now".to_owned(),
            Some(next) => format!("in {}", length(next - now)),
        },
        entries.to_string(),
        feed.next_poll_why.clone(),
    ]
}

/// A length of time in its largest unit.
fn length(length: TimeDelta) -> String {
    let seconds = length.num_seconds().max(0);
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let (size, unit) = units.into_iter().find(|(size, _)| seconds >= 2 * size).unwrap_or((1, "s"));
    format!("{} {unit}", seconds / size)
}

fn in_json(feed: &Feed, entries: u64) -> serde_json::Value {
    let instant = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let bytes = |value: &Option<Vec<u8>>| value.as_ref().map(|value| String::from_utf8_lossy(value).into_owned());
    json!({
        "name": feed.name,
        "title": feed.title,
        "state": feed.state(),
        "address": feed.address.as_str(),
        "moved_to": feed.moved_to.as_ref().map(url::Url::as_str),
        "entries": entries,
        "last_poll": feed.last_poll.map(instant),
        "last_success": feed.last_success.map(instant),
        "last_error": feed.last_error,
        "failures": feed.failures,
        "failing_since": feed.failing_since.map(instant),
        "next_poll": feed.next().map(instant),
        "next_poll_why": feed.next_poll_why,
        "etag": bytes(&feed.validators.etag),
        "last_modified": bytes(&feed.validators.last_modified),
        "polls": feed.polls,
        "not_modified": feed.not_modified,
        "saved_bytes": feed.saved_bytes,
        "response_ms": feed.response_ms,
        "body_bytes": feed.body_bytes,
        "median_ms": feed.recent.median_ms().or(feed.response_ms),
        "median_bytes": feed.recent.median_bytes().or(feed.body_bytes),
        "validators": { "etag": bytes(&feed.validators.etag), "last_modified": bytes(&feed.validators.last_modified) },
        "hints": feed.hints,
        "is_flooding": is_flooding(feed),
        "repairs": feed.repairs,
        "recent": feed.recent.iter().rev().map(in_recent).collect::<Vec<_>>(),
    })
}

/// A poll as told in JSON, the newest first.
fn in_recent(sample: Sample) -> serde_json::Value {
    json!({
        "at": sample.at.to_rfc3339_opts(SecondsFormat::Secs, true),
        "ms": sample.took_ms,
        "bytes": sample.bytes,
        "outcome": sample.outcome,
    })
}

fn is_flooding(feed: &Feed) -> bool {
    feed.floods >= update::FLOODS
}

fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_told_in_one_unit() {
        for (seconds, expected) in
            [(-5, "0 s"), (59, "59 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (200_000, "2 d")]
        {
            assert_eq!(length(TimeDelta::seconds(seconds)), expected);
        }
    }
}
