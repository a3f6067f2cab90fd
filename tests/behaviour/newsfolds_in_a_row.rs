//! What comes through newsfolds that read newsfolds.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{Origin, Scene, rss};

/// The items of an output by their pages.
fn by_page(scene: &Scene) -> BTreeMap<String, Value> {
    let feed = scene.json(&["publish", "--format", "json"]);
    let items = feed["items"].as_array().unwrap().iter();
    items.map(|item| (item["url"].as_str().unwrap().to_owned(), item.clone())).collect()
}

/// A newsfold that reads what another publishes in a format, and a feed.
fn reads(other: &Scene, format: &str, feed: &Origin) -> Scene {
    let published = other.must(&["publish", "--format", format]);
    let kind = match format {
        "json" => "application/feed+json",
        _ => "application/atom+xml",
    };
    let origin = Origin::start(move |_| crate::support::Answer::new("200 OK", &[("Content-Type", kind)], &published));
    let scene = Scene::with(&[("planet", origin.url("/news")), ("own", feed.url("/feed"))], "");
    scene.must(&["poll"]);
    scene
}

#[test]
fn an_outlet_keeps_its_credit_and_its_dates_through_three_newsfolds() {
    let outlet = |name: &str, number: usize| {
        let page = format!("https://{number}.example/a");
        let title = format!("News {number} of {}", ["eels", "ferries", "storms"][number]);
        Origin::of(rss(name, &[("1", &page, &title, "Some text of it.")]))
    };
    let outlets = [outlet("Harbour Post", 0), outlet("Tribune", 1), outlet("Daily", 2)];
    let feeds: Vec<(&str, String)> =
        ["a", "b", "c"].into_iter().zip(&outlets).map(|(name, origin)| (name, origin.url("/feed"))).collect();
    let text = |scene: &Scene| {
        // Names are those that feeds have, not the operator's.
        let text = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
        scene.write(
            "newsfold.toml",
            &text.lines().filter(|line| !line.starts_with("name = ")).collect::<Vec<_>>().join("\n"),
        );
    };
    let whole = Scene::with(&feeds, "");
    text(&whole);
    whole.must(&["poll"]);
    let expected = by_page(&whole);
    for format in ["atom", "json"] {
        let first = Scene::with(&feeds[..1], "");
        text(&first);
        first.must(&["poll"]);
        let second = reads(&first, format, &outlets[1]);
        let third = reads(&second, format, &outlets[2]);
        let found = by_page(&third);
        assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{format}");
        let (one, other) = (&found["https://0.example/a"], &expected["https://0.example/a"]);
        assert_eq!(one["_newsfold"]["source"]["title"], "Harbour Post", "{format}: {one}");
        assert_eq!(one["authors"][0]["name"], "Harbour Post", "{format}: who wrote it is named once");
        for same in ["title", "url", "date_published"] {
            assert_eq!(one[same], other[same], "{format}: {same}");
        }
    }
}
