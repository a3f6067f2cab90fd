//! Any text as a publisher's markup: what comes out has nothing that runs, and comes out again as it is.
//!
//! `cargo +nightly fuzz run markup fuzz/corpus/markup fuzz/seeds/markup -- -timeout=1 -rss_limit_mb=512`
#![no_main]

use libfuzzer_sys::fuzz_target;
use newsfold::{text, sanitise};
use url::Url;

fuzz_target!(|fragment: &str| {
    let base = Url::parse("https://example.org/a/").expect("a constant address");
    let clean = sanitise::html(fragment, Some(&base));
    let lower = clean.to_ascii_lowercase();
    for tag in lower.split('<').skip(1).filter_map(|piece| piece.split('>').next()) {
        for mark in ["script", "style", "iframe", "svg"] {
            assert!(!tag.starts_with(mark), "{clean}");
        }
        assert!(!tag.contains("=\"javascript:"), "{clean}");
    }
    let plain = text::plain(fragment);
    assert_eq!(text::fold_space(&plain), plain);
});
