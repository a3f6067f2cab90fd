//! What the tests stand on: a scripted origin, and a newsfold with a folder of its own.

mod identity;
mod origin;
mod scene;

pub(crate) use identity::{Identity, Stream, answer_once};
pub(crate) use origin::{Answer, Origin, Request};
pub(crate) use scene::{Daemon, Scene};

/// An RSS document with these entries: `(guid, link, title, description)`.
pub(crate) fn rss(title: &str, entries: &[(&str, &str, &str, &str)]) -> String {
    let items: String = entries
        .iter()
        .map(|(guid, link, title, text)| {
            format!(
                "<item><guid isPermaLink=\"false\">{guid}</guid><link>{link}</link><title>{title}</title>\
                 <description>{text}</description><pubDate>Thu, 01 Jan 2026 00:00:00 GMT</pubDate></item>"
            )
        })
        .collect();
    format!(
        "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>{title}</title>\
         <link>https://example.org/</link><description>d</description>{items}</channel></rss>"
    )
}

/// An RSS document with one plain entry for each of `names`.
pub(crate) fn rss_of(names: &[&str]) -> String {
    let links: Vec<String> = names.iter().map(|name| format!("https://example.org/{name}")).collect();
    let entries: Vec<_> =
        names.iter().zip(&links).map(|(name, link)| (*name, link.as_str(), *name, "Some text.")).collect();
    rss("A feed", &entries)
}
