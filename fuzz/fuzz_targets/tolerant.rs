//! Any bytes are read or refused, and the same each time.
//!
//! `cargo +nightly fuzz run tolerant fuzz/corpus/tolerant tests/fixtures/feeds -- -timeout=1 -rss_limit_mb=512`
#![no_main]

use libfuzzer_sys::fuzz_target;
use newsfold::parse::{self, Context};

fuzz_target!(|document: &[u8]| {
    let context = Context::default();
    assert_eq!(parse::parse(document, context), parse::parse(document, context));
});
