//! What becomes of documents that are made to be costly: what is published of them is bounded, and reading them costs no more
//! than their length says.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../fuzz/published.rs"]
mod published;

use std::path::Path;
use std::time::Duration;

use newsfold::normalise;
use newsfold::parse::{self, Context};
use newsfold::sanitise;
use published::published;
use url::Url;

#[test]
fn the_seeds_of_the_fuzzer_are_published_and_the_same_each_time() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/published");
    let mut read = 0;
    for seed in std::fs::read_dir(folder).unwrap() {
        let path = seed.unwrap().path();
        let document = std::fs::read(&path).unwrap();
        let once = published(&document).unwrap();
        assert_eq!(Some(&once), published(&document).as_ref(), "{}", path.display());
        for text in &once {
            assert!(text.len() < 100_000, "{}: {} bytes", path.display(), text.len());
            for mark in ["<script", "javascript:", "data:", "onerror", "1960-01-01"] {
                assert!(!text.contains(mark), "{}: {mark} in {text}", path.display());
            }
        }
        read += 1;
    }
    assert!(read > 8, "the seeds were not found");
}

/// A feed whose entries have this text.
fn rss(texts: impl IntoIterator<Item = String>) -> String {
    let items = texts.into_iter().zip(1..).map(|(text, number)| {
        format!("<item><guid>{number}</guid><link>http://example.org/{number}</link><title>T</title><description><![CDATA[{text}]]></description></item>")
    });
    format!("<rss version=\"2.0\"><channel><title>t</title>{}</channel></rss>", items.collect::<String>())
}

#[test]
fn what_is_published_of_a_small_document_is_bounded() {
    let unclosed: String = (0..3_000).map(|n| format!("<b lang=a{n}></i>")).collect();
    let documents = [
        rss([format!("<p>{unclosed}{}", "<p>x".repeat(3_000))]),
        rss([format!("<p title=\"{unclosed}\">{unclosed}<!-- {} -->{}", "</b>".repeat(500), "<p>x".repeat(3_000))]),
        rss((0..8).map(|_| format!("<p>{}", "&".repeat(100_000)))),
        rss((0..2).map(|_| "<div></x>".repeat(28_000))),
        rss(["<table>".to_owned() + &"x<b>y</b>".repeat(9_000)]),
        rss(["<img src=x alt=y>".repeat(2_000)])
            .replace("example.org/1<", &format!("example.org/{}<", "a".repeat(4_000))),
    ];
    for document in documents {
        let bytes: usize = published(document.as_bytes()).unwrap().iter().map(String::len).sum();
        assert!(bytes < 40 << 20, "{} bytes make {bytes}: {}", document.len(), &document.get(..200).unwrap());
    }
}

/// How long this thread was at work, whatever else the machine does.
fn at_work() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(told.split_whitespace().next().unwrap().parse().unwrap())
}

fn cost(document: &str) -> Duration {
    let begun = at_work();
    let address = Url::parse("http://example.org/feed").unwrap();
    if let Ok(feed) = parse::parse(document.as_bytes(), Context { base: Some(&address), ..Context::default() }) {
        let (entries, _) = normalise::entries(feed, &address);
        for entry in entries {
            let _ = sanitise::html(&entry.detail.content.or(entry.detail.summary).unwrap_or_default(), Some(&address));
        }
    }
    at_work() - begun
}

/// What opens something or repeats itself: each is written over and over, alone and inside what gives it a meaning.
const RUNS: &[&str] = &[
    "<",
    "<<",
    "</",
    "<!",
    "<!--",
    "<!-",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?",
    "<a",
    "<a ",
    "<a b",
    "<a b=",
    "<a b='",
    "<a b=\"",
    "<a '",
    "<a/",
    "<a>",
    "</a>",
    "</x>",
    "<b></i>",
    "&",
    "&#",
    "&amp",
    "&amp;",
    "&#x",
    "&;",
    "\"",
    "'",
    "\"'",
    "=",
    "/",
    ">",
    " ",
    "\n",
    "\u{feff}",
    "é",
    "\0",
    ":",
    "a:",
    "<a:b>",
    "(",
    ")",
    "@",
    "<item>",
    "<title>",
    "<content:encoded>",
    "<author>",
    "<category>x</category>",
    "<enclosure url='x'/>",
    "<link/>",
    "<source>",
    "<media:group>",
    "<itunes:category text='x'>",
    "<x xml:base='a/'>",
    "<x xml:lang='a'>",
    "<x xmlns:a='b'>",
    "<guid>x</guid>",
    "<!DOCTYPE x [",
    "<!ENTITY a 'b'>",
    "{",
    "[",
    "{\"a\":",
    "[[],",
    "\\",
    "\"\\u0061\",",
    "{\"id\":1},",
    "<svg><text>x",
    "<math><mi>x",
    "<object>x",
    "<mjx-container><mjx-c class='mjx-c31'>",
    "<span class='katex-html'>x</span>",
    "<div style='white-space:pre-line'>a\nb",
    "<a id='x' href='#x'>",
    "<int>",
    "<b c d e",
    "<noscript><img src=x alt=y>",
];

#[test]
fn reading_costs_no_more_than_the_length_says() {
    const BYTES: usize = 40_000;
    type Form = fn(&str) -> String;
    let forms: [(&str, Form); 6] = [
        ("alone", str::to_owned),
        ("in an element", |run| format!("<rss><channel><title>t</title><item><title>{run}")),
        ("in a text", |run| rss([run.to_owned()])),
        ("in a title", |run| {
            format!("<rss><channel><title>t</title><item><title><![CDATA[{run}]]></title></item></channel></rss>")
        }),
        ("in a name", |run| format!("<rss><channel><title>t</title><item {run}")),
        ("in JSON", |run| format!("{{\"version\":\"https://jsonfeed.org/version/1\",\"items\":[{run}")),
    ];
    for run in RUNS {
        for (place, form) in forms {
            let of = |bytes: usize| form(&run.repeat(bytes / run.len()));
            let (small, large) = (of(BYTES), of(3 * BYTES));
            // The processor is shared: the least of a few times is what it costs.
            let is_linear = (0..4).any(|_| cost(&large) < cost(&small) * 5 + Duration::from_millis(600));
            assert!(is_linear, "{run:?} {place}: {:?} and {:?}", cost(&small), cost(&large));
        }
    }
}

#[test]
fn names_that_differ_at_their_end_are_told_apart_in_time() {
    let long = "a".repeat(2_000);
    let parts: String =
        (0..5_000).map(|n| format!("<category>{long}{n}</category><enclosure url='{long}{n}'/>")).collect();
    let entries: String =
        (0..3_000).map(|n| format!("<item><guid>1</guid><link>http://example.org/{long}{n}</link></item>")).collect();
    let ends = format!("<{}>{}", "a".repeat(1_000_000), "</x>".repeat(250_000));
    for items in [format!("<item>{parts}</item>"), entries, ends] {
        let cost = cost(&format!("<rss><channel><title>t</title>{items}</channel></rss>"));
        assert!(cost < Duration::from_secs(20), "{cost:?}");
    }
}
