//! `newsfold feeds`: how each feed is doing.
//!
//! Edge: reads the store.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

use crate::clock;
use crate::commands::{Exit, print, table};
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
    let rows: Vec<Vec<String>> = states.iter().map(|feed| row(feed, count(feed), now)).collect();
    print(&table::aligned(&["FEED", "STATE", "LAST SUCCESS", "NEXT POLL", "WHY", "ENTRIES", "MS", "BYTES"], &rows))?;
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
            print(&format!(
                "{}: has moved for good to {moved}; its `url` in {} is stale\n",
                feed.name,
                config.file.display()
            ))?;
        }
    }
    Ok(Exit::Done)
}

fn row(feed: &Feed, entries: u64, now: DateTime<Utc>) -> Vec<String> {
    let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".into());
    vec![
        feed.name.clone(),
        match feed.failures {
            0 => feed.state().to_owned(),
            failures => format!("failing ({failures})"),
        },
        or_dash(feed.last_success.map(moment)),
        match feed.retired_at {
            Some(_) => "never".to_owned(),
            None if feed.next_poll <= now => "now".to_owned(),
            None => moment(feed.next_poll),
        },
        feed.next_poll_why.clone(),
        entries.to_string(),
        or_dash(feed.recent.median_ms().or(feed.response_ms).map(|ms| ms.to_string())),
        or_dash(feed.recent.median_bytes().or(feed.body_bytes).map(|bytes| bytes.to_string())),
    ]
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
        "next_poll": if feed.retired_at.is_some() { None } else { Some(instant(feed.next_poll)) },
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
