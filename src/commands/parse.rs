//! `newsfold parse`: what a feed document parses to.
//!
//! Edge: reads a file or standard input. Nothing is invented: what the document does not say is `null`.

use std::io::Read;
use std::path::Path;

use serde_json::{Value, json};
use url::Url;

use crate::commands::console::{Exit, print};
use crate::net::redirects;
use crate::parse::{self, Context, ParsedEntry};
use crate::sanitise::{self, Origin};

pub(super) fn run(file: &Path, base_url: Option<&Url>, content_type: Option<&str>) -> anyhow::Result<Exit> {
    let mut document = Vec::new();
    let read = match file.to_str() {
        Some("-") => std::io::stdin().read_to_end(&mut document).map(drop),
        _ => std::fs::read(file).map(|bytes| document = bytes),
    };
    read.map_err(|error| anyhow::anyhow!("{}: {error}", file.display()))?;
    let context = Context { base: base_url, content_type, ..Context::default() };
    let feed = parse::parse(&document, context).map_err(|error| anyhow::anyhow!("{}: {error}", file.display()))?;
    let link = feed.link.as_deref().and_then(|link| sanitise::web_address(link, base_url));
    // Atom's addresses start from the document; others are read as starting from the feed's page.
    let is_atom = feed.format.starts_with("Atom");
    let base = if is_atom { base_url.or(link.as_ref()) } else { link.as_ref().or(base_url) };
    let own_base = feed.base.as_deref().and_then(|own| Url::parse(own).ok());
    let repairs = feed.repairs.iter().cloned().chain(feed.faults.iter().map(|fault| match &fault.entry {
        Some(entry) => format!("entry {entry}: {}", fault.what),
        None => fault.what.clone(),
    }));
    let shown = json!({
        "format": feed.format,
        "feed": {
            "title": feed.title,
            "link": feed.link,
            "description": feed.description.as_deref().map(|markup| sanitise::html(markup, own_base.as_ref().or(base))),
            "language": feed.language,
            "updated": feed.updated.map(instant),
            "ttl_s": feed.hints.ttl_s,
        },
        "entries": feed.entries.iter().map(|found| entry(found, base)).collect::<Vec<_>>(),
        "repairs": repairs.collect::<Vec<_>>(),
    });
    print(&format!("{}\n", serde_json::to_string_pretty(&shown)?))?;
    Ok(Exit::Done)
}

fn entry(entry: &ParsedEntry, base: Option<&Url>) -> Value {
    let own = entry.base.as_deref().and_then(|own| base.map_or_else(|| Url::parse(own), |base| base.join(own)).ok());
    let base = own.as_ref().or(base);
    let absolute =
        |address: &String| base.and_then(|base| base.join(address).ok()).map_or_else(|| address.clone(), String::from);
    let page = entry.url.as_deref().and_then(|url| sanitise::web_address(url, base));
    let origin = Origin { base, ..Origin::of_entry(own.as_ref(), page.as_ref()) };
    let html = |markup: &Option<String>| markup.as_deref().map(|markup| sanitise::sanitise(markup, origin).html);
    json!({
        "id": entry.id,
        "url": entry.url.as_ref().map(absolute).map(led_on),
        "title": entry.title,
        "summary": html(&entry.summary),
        "content_html": html(&entry.content),
        "published": entry.published.map(instant),
        "updated": entry.updated.map(instant),
        "authors": entry.authors,
        "categories": entry.categories,
        "enclosures": entry.enclosures.iter().map(|enclosure| json!({
            "url": absolute(&enclosure.url), "type": enclosure.media_type, "length": enclosure.length,
        })).collect::<Vec<_>>(),
    })
}

/// The address, or where it leads if it is a redirect that names its page.
fn led_on(address: String) -> String {
    Url::parse(&address).ok().and_then(|url| redirects::target(&url)).map_or(address, String::from)
}

fn instant(at: chrono::DateTime<chrono::Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}
