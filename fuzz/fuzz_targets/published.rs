//! Any bytes to what is published of them: bounded, the same each time, and with nothing that runs.
//!
//! `cargo +nightly fuzz run published fuzz/corpus/published fuzz/seeds/published tests/fixtures/feeds -- -timeout=1 -rss_limit_mb=256`
#![no_main]

#[path = "../published.rs"]
mod published;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|document: &[u8]| {
    let once = published::published(document);
    assert_eq!(once, published::published(document));
    for text in once.into_iter().flatten() {
        assert!(text.len() < 64 << 20, "{} bytes", text.len());
        assert!(!text.contains("<script"));
    }
});
