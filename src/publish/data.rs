//! Stories and feeds as JSON, for programs (`/story/ID.json`, `/feeds.json`).
//!
//! Edge: reads the store. What stands here stands on the pages for people, too.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::model::FeedRef;
use crate::publish::Output;
use crate::publish::merged::{self, Credit, InOtherLanguage, Style};
use crate::publish::sight::{self, Seen};
use crate::sanitise;
use crate::store::feeds::Source;
use crate::store::stories::Telling;
use crate::store::{self, Connection, entries, feeds};

/// A story and everyone who tells it, in the order in which they were seen; `None` when it is not published.
///
/// # Errors
/// When the store cannot be read.
pub fn story(connection: &Connection, output: &Output, seen: &Seen) -> store::Result<Option<String>> {
    let heading = output.heading();
    let Seen { story, coverage, .. } = seen;
    let credits = Credit::of_feeds(&feeds::sources_of(connection, coverage.iter().map(|telling| telling.feed))?);
    let detail = entries::detail_of(connection, story.canonical)?;
    let relays = sight::relays(connection, output, coverage)?;
    let shown = merged::story(story, coverage, detail, Style::default(), &relays, |telling| credits.get(&telling.feed));
    let Some(shown) = shown else { return Ok(None) };
    let told = |telling: &Telling| {
        json!({
            "source": relays.outlet(telling).or_else(|| Some(credits.get(&telling.feed)?.title.as_str())),
            "title": sanitise::line(&telling.title),
            "url": telling.permalink.as_ref().map(ToString::to_string),
            "date": instant(merged::told_at(telling)),
            "is_canonical": telling.entry == story.canonical,
            "rule": telling.fold.as_ref().map(|fold| &fold.rule),
            "score": telling.fold.as_ref().map(|fold| fold.score),
        })
    };
    let relayed = shown.others.iter().filter(|other| other.via.is_some()).map(|other| {
        json!({
            "source": other.source,
            "title": other.title,
            "url": other.permalink,
            "date": instant(other.at),
            "is_canonical": false,
            "rule": "relayed",
            "score": null,
        })
    });
    let other_languages: Vec<InOtherLanguage> = sight::in_other_languages(connection, output, story)?
        .into_iter()
        .map(|(language, other)| InOtherLanguage::of(language, &other, heading.story(other.id)))
        .collect();
    Ok(Some(text(&json!({
        "id": shown.id.urn(),
        "story_url": heading.story(shown.id),
        "title": shown.title,
        "url": shown.permalink,
        "lead": shown.lead,
        "image": shown.image,
        "language": shown.language,
        "date_published": instant(shown.published),
        "date_modified": instant(shown.updated),
        "sources": shown.sources,
        "coverage": coverage.iter().map(told).chain(relayed).collect::<Vec<_>>(),
        "also_in_other_languages": other_languages,
    }))))
}

/// Those of the feeds that are subscribed to which may be seen, by name, each with how it is doing. An address that is nobody's but the operator's is left
/// out.
///
/// # Errors
/// When the store cannot be read.
pub fn feeds(connection: &Connection, visible: &HashSet<FeedRef>) -> store::Result<String> {
    let sources: HashMap<FeedRef, Source> =
        feeds::sources(connection)?.into_iter().map(|source| (source.feed, source)).collect();
    let configured = feeds::configured(connection)?.into_iter().filter(|feed| visible.contains(&feed.feed));
    let listed = configured.filter_map(|feed| {
        let Credit { title, address, link, .. } = Credit::of(sources.get(&feed.feed)?);
        Some(json!({
            "title": title,
            "feed_url": address,
            "home_page_url": link,
            "state": feed.state(),
            "last_success": feed.last_success.map(instant),
            "failing_since": feed.failing_since.map(instant),
        }))
    });
    Ok(text(&json!({ "feeds": listed.collect::<Vec<_>>() })))
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn text(value: &Value) -> String {
    format!("{value:#}\n")
}
