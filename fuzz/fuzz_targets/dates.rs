//! Any text as a date; what is read is an instant that we write and read again.
//!
//! `cargo +nightly fuzz run dates fuzz/corpus/dates fuzz/seeds/dates -- -timeout=1 -rss_limit_mb=512`
#![no_main]

use libfuzzer_sys::fuzz_target;
use newsfold::parse::date;

fuzz_target!(|text: &str| {
    if let Some(at) = date::parse(text) {
        assert_eq!(date::parse(&at.to_rfc3339()), Some(at), "{text}");
    }
});
