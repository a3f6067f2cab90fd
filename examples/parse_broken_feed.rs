//! Reads a feed however broken it is, makes its entries fit to be stored, and says what was wrong with it:
//!
//! ```sh
//! cargo run --example parse_broken_feed config/demo/tribune.rss.xml
//! ```
//!
//! Without a file it reads a document that has about everything wrong that a document can have.
#![expect(clippy::print_stdout, reason = "it is what it is for")]

use std::error::Error;

use newsfold::normalise;
use newsfold::parse::{Context, parse};
use newsfold::sanitise;
use url::Url;

/// A stray ampersand, an unknown entity, a relative link, a date that is none, and an end that is missing.
const BROKEN: &[u8] = b"\n<rss><channel><title>Harbour Post</title><link>https://harbourpost.example/</link>\
    <item><title>Fish & chips &eacute; la carte</title><link>/town/7</link><pubDate>yesterday</pubDate>\
    <description><![CDATA[<p onclick=\"steal()\">Open on <b>Mondays]]></description></item>\
    <item><title>Cut off in the mid";

fn main() -> Result<(), Box<dyn Error>> {
    let document = match std::env::args().nth(1) {
        Some(file) => std::fs::read(file)?,
        None => BROKEN.to_vec(),
    };
    let address = Url::parse("https://harbourpost.example/feed.xml")?;
    let feed = parse(&document, Context { base: Some(&address), ..Context::default() })?;
    println!("{} ({})", feed.title.as_deref().unwrap_or("a feed without a title"), feed.format);
    for repair in &feed.repairs {
        println!("  repaired: {repair}");
    }
    let (entries, faults) = normalise::entries(feed, &address);
    for entry in &entries {
        println!("- {}", entry.title);
        let page = entry.permalink.as_ref();
        println!("  {}", page.map_or("(no page)", |page| page.as_str()));
        if let Some(summary) = &entry.detail.summary {
            println!("  {}", sanitise::html(summary, Some(&address)));
        }
    }
    for fault in &faults {
        println!("  left out: {fault:?}");
    }
    Ok(())
}
