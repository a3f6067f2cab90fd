//! What each stage of a poll costs by itself: `cargo bench --bench stages`.
//!
//! The document is made here: 200 entries of about 1.7 kB of markup, as a busy feed has them.

use chrono::{DateTime, Utc};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use newsfold::fold::index::Index;
use newsfold::fold::weights::Weights;
use newsfold::fold::{Article, EntryRef, Level, Rules, features};
use newsfold::model::{Detail, Entry, StoryId};
use newsfold::normalise;
use newsfold::parse::{self, Context};
use newsfold::publish::merged::{self, Credit, Heading, MergedFeed, MergedStory, Part};
use newsfold::publish::outlet::Outlet;
use newsfold::publish::{atom, json, rss};
use newsfold::store::{schema, texts};
use newsfold::text;
use newsfold::update::{self, Known};
use newsfold::{fetch, sanitise};
use rusqlite::Connection;
use url::Url;

const ENTRIES: usize = 200;

fn main() {
    divan::main();
}

fn markup(entry: usize) -> String {
    let words =
        ["harbour", "council", "bridge", "minister", "weather", "festival", "railway", "budget", "museum", "school"];
    let sentence = |at: usize| {
        let word = |step: usize| words[(entry * 7 + at * 3 + step * (at + 1)) % words.len()];
        format!("The {} of {} told the {} on day {at} that the {} was ready. ", word(1), word(2), word(3), word(4))
    };
    let paragraph = |at: usize| {
        format!("<p>{}<a href=\"/page/{entry}/{at}\">more</a></p>", (0..6).map(sentence).collect::<String>())
    };
    (0..4).map(paragraph).collect()
}

fn document() -> String {
    let items: String = (0..ENTRIES)
        .map(|entry| {
            format!(
                "<item><title>Report number {entry} from the harbour</title><link>https://example.org/{entry}</link>\
                 <guid>https://example.org/{entry}</guid><pubDate>Thu, 01 Jan 2026 00:00:00 GMT</pubDate>\
                 <description>{}</description></item>",
                sanitise::escape(&markup(entry))
            )
        })
        .collect();
    format!(
        "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>A feed</title><link>https://example.org/</link>{items}</channel></rss>"
    )
}

fn address() -> Url {
    "https://example.org/feed".parse().expect("an address")
}

fn entries() -> Vec<Entry> {
    let parsed = parse::parse(document().as_bytes(), Context::default()).expect("a sound document");
    normalise::entries(parsed, &address()).0
}

fn at() -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse().expect("a date")
}

#[divan::bench]
fn decode_gzip(bencher: Bencher<'_, '_>) {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packer, document().as_bytes()).expect("memory takes it");
    let packed = packer.finish().expect("memory takes it");
    bencher
        .counter(BytesCount::of_str(&document()))
        .with_inputs(|| packed.clone())
        .bench_values(|packed| fetch::decode::decode(packed, "gzip", 1 << 30).expect("a sound body"));
}

#[divan::bench]
fn parse(bencher: Bencher<'_, '_>) {
    let document = document();
    bencher
        .counter(BytesCount::of_str(&document))
        .bench(|| parse::parse(black_box(document.as_bytes()), Context::default()));
}

#[divan::bench]
fn normalise(bencher: Bencher<'_, '_>) {
    let parsed = parse::parse(document().as_bytes(), Context::default()).expect("a sound document");
    bencher
        .counter(ItemsCount::new(ENTRIES))
        .with_inputs(|| parsed.clone())
        .bench_values(|parsed| normalise::entries(parsed, &address()));
}

#[divan::bench]
fn update(bencher: Bencher<'_, '_>) {
    let entries = entries();
    bencher
        .counter(ItemsCount::new(ENTRIES))
        .bench(|| update::plan(&Known::default(), black_box(&entries), DateTime::UNIX_EPOCH).added.len());
}

#[divan::bench]
fn pack(bencher: Bencher<'_, '_>) {
    let details: Vec<Detail> = entries().into_iter().map(|entry| entry.detail).collect();
    let mut connection = Connection::open_in_memory().expect("a store in memory");
    schema::migrate(&mut connection, 0).expect("its tables");
    bencher
        .counter(ItemsCount::new(ENTRIES))
        .bench_local(|| texts::keep(&connection, &details).expect("blocks").places.len());
}

#[divan::bench]
fn fold(bencher: Bencher<'_, '_>) {
    let texts: Vec<(String, String)> =
        (0..ENTRIES).map(|entry| (format!("Report number {entry}"), text::plain(&markup(entry)))).collect();
    bencher.counter(ItemsCount::new(ENTRIES)).bench(|| {
        let mut index = Index::new(Rules::default(), Weights::default());
        for (entry, (title, content)) in (1..).zip(&texts) {
            let article = Article {
                page: None,
                entry: EntryRef(entry),
                feed: Some(entry % 7),
                title,
                summary: "",
                content,
                language: Some("en"),
                at: at(),
                published: None,
            };
            let read = features::of(&article, index.boilerplate(article.feed));
            let decision = index.decide(&read, Level::Story, None);
            index.apply(&decision);
        }
        index.stories()
    });
}

#[divan::bench]
fn sanitise(bencher: Bencher<'_, '_>) {
    let markup = markup(1);
    let base = address();
    bencher.counter(BytesCount::of_str(&markup)).bench(|| sanitise::html(black_box(&markup), Some(&base)));
}

fn merged_feed() -> MergedFeed {
    let source = Credit {
        title: "A feed".into(),
        id: address().into(),
        address: Some(address().into()),
        link: None,
        known_by: Outlet::default(),
        identity: String::new(),
    };
    let story = |number: usize| MergedStory {
        id: StoryId::derive("https://example.org/feed", &newsfold::model::EntryId(number.to_string())),
        title: format!("Report number {number}"),
        headline: format!("Report number {number}"),
        permalink: Some(format!("https://example.org/{number}")),
        published: at(),
        updated: at(),
        authors: Vec::new(),
        summary: None,
        content: markup(number),
        lead: "A lead.".into(),
        categories: vec!["harbour".into()],
        enclosures: Vec::new(),
        language: Some("en".into()),
        image: None,
        comments: None,
        comment_count: None,
        in_reply_to: None,
        tags: Vec::new(),
        outlet: source.clone(),
        source: source.clone(),
        source_updated: at(),
        others: Vec::new(),
        told_below: merged::Below::default(),
        known_as: Vec::new(),
        follows: None,
        other_languages: Vec::new(),
        sources: 1,
        is_damaged: false,
        digest: None,
    };
    let heading = Heading {
        name: "news".into(),
        title: "News".into(),
        public_url: "https://example.org/".parse().expect("an address"),
        named_under: "https://example.org/".parse().expect("an address"),
        hub: None,
    };
    merged::feed(heading, Part::Current { newest_archive: None }, (0..100).map(story).collect())
}

#[divan::bench(args = ["atom", "rss", "json"])]
fn render(bencher: Bencher<'_, '_>, format: &str) {
    let feed = merged_feed();
    let render = match format {
        "atom" => atom::render,
        "rss" => rss::render,
        _ => json::render,
    };
    bencher.counter(ItemsCount::new(100_usize)).bench(|| render(black_box(&feed)));
}
