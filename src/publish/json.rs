//! The merged feed as JSON Feed 1.1.
//!
//! Pure. What the format has no name for stands under `_newsfold`, as its section on extensions has it.

use serde_json::{Map, Value, json};

use crate::model::Person;
use crate::publish::merged::{MergedFeed, MergedStory, Part};

/// The feed as a JSON Feed document.
#[must_use]
pub fn render(feed: &MergedFeed) -> String {
    let MergedFeed { heading, part, stories, .. } = feed;
    let mut document = json!({
        "version": "https://jsonfeed.org/version/1.1",
        "title": heading.title,
        "home_page_url": match part {
            Part::Search { .. } => part.address(heading, ""),
            Part::Current { .. } | Part::Archive { .. } => heading.address(""),
        },
        "feed_url": part.address(heading, ".json"),
        "icon": heading.icon(),
        "favicon": heading.icon(),
        "items": stories.iter().map(item).collect::<Vec<_>>(),
    });
    if let (Part::Current { .. }, Some(hub)) = (part, &heading.hub) {
        document["hubs"] = json!([{ "type": "WebSub", "url": hub.as_str() }]);
    }
    // What comes after this document in time or in order; the format has no name for other neighbours.
    if let Some((_, next)) =
        part.beside(heading, ".json").into_iter().find(|(rel, _)| ["next", "prev-archive"].contains(rel))
    {
        document["next_url"] = json!(next);
    }
    let mut text = serde_json::to_string_pretty(&document).expect("a JSON value has text");
    text.push('\n');
    text
}

fn item(story: &MergedStory) -> Value {
    let instant = |at: chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let mut item = Map::new();
    let mut set = |name: &str, value: Value| {
        if !value.is_null() && value.as_array().is_none_or(|values| !values.is_empty()) {
            item.insert(name.to_owned(), value);
        }
    };
    set("id", json!(story.id.urn()));
    set("url", json!(story.permalink));
    set("title", json!(story.title));
    set("content_html", json!(story.content));
    set("summary", json!(story.summary.as_ref().map(|_| &story.lead)));
    set("image", json!(story.image));
    set("date_published", json!(instant(story.published)));
    set("date_modified", if story.updated > story.published { json!(instant(story.updated)) } else { Value::Null });
    let author = |person: &Person| match &person.url {
        Some(url) => json!({ "name": person.name, "url": url }),
        None => json!({ "name": person.name }),
    };
    set("authors", story.bylines().iter().map(author).collect());
    let others = story.categories.iter().filter(|label| !story.tags.contains(label));
    set("tags", json!(story.tags.iter().chain(others).collect::<Vec<_>>()));
    set("language", json!(story.language));
    let attachments = story.enclosures.iter().map(|enclosure| {
        let kind = enclosure.media_type.as_deref().unwrap_or("application/octet-stream");
        match enclosure.length {
            Some(length) => json!({ "url": enclosure.url, "mime_type": kind, "size_in_bytes": length }),
            None => json!({ "url": enclosure.url, "mime_type": kind }),
        }
    });
    set("attachments", attachments.collect());
    let others = story.others.iter().map(|other| {
        json!({ "source": other.source, "title": other.title, "url": other.permalink, "date": instant(other.at) })
    });
    let source =
        json!({ "title": story.outlet.title, "feed_url": story.outlet.address, "home_page_url": story.outlet.link });
    let mut own = json!({ "source": source, "sources": story.sources, "also": others.collect::<Vec<_>>() });
    for (name, value) in [
        ("story_url", json!(story.page())),
        (
            "follows",
            story.follows.as_ref().map_or(Value::Null, |of| json!({ "title": of.title, "story_url": of.page })),
        ),
        ("comments", json!(story.comments)),
        ("comment_count", json!(story.comment_count)),
        ("in_reply_to", json!(story.in_reply_to)),
    ] {
        if !value.is_null() {
            own[name] = value;
        }
    }
    if let Some(listed) = &story.digest {
        let stories = listed.iter().map(|story| {
            json!({
                "id": story.id,
                "title": story.title,
                "url": story.url,
                "source": story.source,
                "sources": story.sources,
                "date_published": chrono::DateTime::from_timestamp_millis(story.published).map(instant),
            })
        });
        own = json!({ "digest": stories.collect::<Vec<_>>() });
    }
    set("_newsfold", own);
    Value::Object(item)
}
