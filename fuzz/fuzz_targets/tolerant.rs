//! The tolerant reader against the fast path: whatever both read, they read alike.
//!
//! `cargo +nightly fuzz run tolerant fuzz/corpus/tolerant tests/fixtures/feeds -- -timeout=1 -rss_limit_mb=512`
#![no_main]

use libfuzzer_sys::fuzz_target;
use newsfold::parse::{self, Context};

fuzz_target!(|document: &[u8]| {
    let context = Context::default();
    let tolerant = parse::tolerantly(document, context);
    if let Some(quick) = parse::quickly(document, context) {
        assert_eq!(Ok(quick), tolerant);
    }
});
