//! Bytes to entries, by the whole front end; what is read twice is the same, and what is read is fit to be stored.
//!
//! `cargo +nightly fuzz run entries fuzz/corpus/entries tests/fixtures/feeds -- -timeout=1 -rss_limit_mb=512`
#![no_main]

use libfuzzer_sys::fuzz_target;
use newsfold::normalise;
use newsfold::parse::{self, Context, Deadline};
use url::Url;

fuzz_target!(|document: &[u8]| {
    let base = Url::parse("https://feeds.example.org/all").expect("a constant address");
    let context = Context {
        base: Some(&base),
        content_type: None,
        deadline: Deadline::default(),
    };
    let read = parse::parse(document, context);
    assert_eq!(read, parse::parse(document, context));
    if let Ok(feed) = read {
        let (entries, _) = normalise::entries(feed, &base);
        for entry in entries {
            assert!(!entry.title.contains('\0'));
        }
    }
});
