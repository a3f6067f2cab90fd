//! What a document that is no feed seems to be.
//!
//! Pure. One line for the person who configured the address; for a web page, the feeds that it links to.

use url::Url;

use crate::parse::address::absolute;
use crate::parse::names::lower;
use crate::parse::tokens::{Token, Tokens};

/// How much of a document is looked at.
const LONGEST_LOOK: usize = 256 * 1024;
/// The most feeds of a page that are named.
const MOST_FEEDS: usize = 8;

/// A feed that a page links to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedFeed {
    /// Where it is; relative only where nothing says what to.
    pub url: String,
    /// What the page calls it.
    pub title: Option<String>,
    /// Its media type.
    pub media_type: String,
}

/// The feeds that a web page links to in its head, in its order (`link rel="alternate"`).
///
/// `base` is the page's own address; a `base` element of the page comes before it.
#[must_use]
pub fn linked_feeds(page: &str, base: Option<&Url>) -> Vec<LinkedFeed> {
    const TYPES: &[&str] = &[
        "application/rss+xml",
        "application/atom+xml",
        "application/feed+json",
        "application/rdf+xml",
        "application/xml",
        "text/xml",
        "application/json",
    ];
    let look = page.get(..page.floor_char_boundary(LONGEST_LOOK)).unwrap_or(page);
    let mut own_base = None;
    let mut feeds = Vec::new();
    for token in Tokens::new(look) {
        let Token::Start { name, attributes, .. } = token else {
            continue;
        };
        match lower(name).as_ref() {
            "base" => {
                own_base = own_base.or_else(|| {
                    let href = attributes.get("href")?;
                    Url::parse(&absolute(href, base)).ok()
                });
            }
            "link" => {
                let has = |name: &str, wanted: &str| {
                    attributes
                        .get(name)
                        .is_some_and(|value| value.split_whitespace().any(|word| word.eq_ignore_ascii_case(wanted)))
                };
                let media_type = lower(attributes.get("type").unwrap_or_default().trim()).into_owned();
                // WordPress' own interface is linked as JSON too.
                let is_feed = TYPES.contains(&media_type.as_str())
                    && !attributes
                        .get("href")
                        .is_some_and(|href| href.contains("/wp-json/") || href.contains("oembed"));
                if (has("rel", "alternate") && is_feed) || has("rel", "feed") {
                    let Some(href) = attributes.get("href") else {
                        continue;
                    };
                    let href = href.replace("&amp;", "&");
                    feeds.push(LinkedFeed {
                        url: absolute(&href, own_base.as_ref().or(base)),
                        title: attributes.get("title").map(crate::normalise::text::plain),
                        media_type,
                    });
                }
            }
            "body" if !feeds.is_empty() => break,
            _ => {}
        }
        if feeds.len() >= MOST_FEEDS {
            break;
        }
    }
    feeds
}

/// What the document seems to be, for the sentence "this is …, not a feed"; `None` when it could have been a feed.
pub(super) fn seems(document: &str, base: Option<&Url>) -> Option<String> {
    let look = document.get(..document.floor_char_boundary(LONGEST_LOOK)).unwrap_or(document);
    let start = look.trim_start();
    let head = start.get(..start.floor_char_boundary(4096)).unwrap_or(start).to_ascii_lowercase();
    let root = Tokens::new(look).find_map(|token| match token {
        Token::Start { name, .. } => Some(lower(name.rsplit(':').next().unwrap_or(name)).into_owned()),
        _ => None,
    });
    let known = match root.as_deref() {
        Some("opml") => Some("an OPML list of feeds (`newsfold import` takes it in)"),
        Some("urlset" | "sitemapindex") => Some("a sitemap"),
        Some("kml") => Some("a KML map"),
        Some("opensearchdescription") => Some("the description of a search engine"),
        Some("html" | "head" | "body" | "title" | "meta" | "script" | "link" | "p" | "h1" | "div" | "center") => None,
        _ if head.starts_with("<!doctype html") => None,
        Some(_) if head.starts_with('<') => return None,
        _ if start.is_empty() => return None,
        _ if start.starts_with(['{', '[']) => Some("JSON that is no feed"),
        _ if head.starts_with("%pdf") => Some("a PDF document"),
        _ if head.starts_with("pk\u{3}\u{4}") || head.starts_with("\u{1f}") => Some("a packed file"),
        _ if start.chars().take(256).any(|c| c == char::REPLACEMENT_CHARACTER) => Some("a file of some binary format"),
        _ => Some("plain text"),
    };
    if let Some(known) = known {
        return Some(known.to_owned());
    }
    let page = look.to_ascii_lowercase();
    let has = |marks: &[&str]| marks.iter().any(|mark| page.contains(mark));
    let feeds = linked_feeds(look, base);
    if !feeds.is_empty() {
        let urls: Vec<&str> = feeds.iter().map(|feed| feed.url.as_str()).collect();
        let which = if urls.len() == 1 { "the feed" } else { "the feeds" };
        return Some(format!("a web page, which links to {which} {}", urls.join(" and ")));
    }
    let what =
        if has(&["cf-challenge", "cf_chl", "just a moment...", "captcha", "are you a robot", "ddos-guard", "datadome"])
        {
            "a page that keeps robots out"
        } else if has(&["type=\"password\"", "type='password'", "type=password"]) {
            "a page that asks to log in"
        } else if has(&["cookie consent", "cookie-consent", "consent.google", "gdpr-consent", "consent-form"]) {
            "a page that asks for consent"
        } else {
            "a web page that links to no feed"
        };
    Some(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(document: &str, expected: &str) {
        assert_eq!(seems(document, None).as_deref(), Some(expected), "{document}");
    }

    #[test]
    fn what_is_no_feed_is_named() {
        check("<!DOCTYPE html><html><body>x</body></html>", "a web page that links to no feed");
        check("<html><form><input type=\"password\"></form></html>", "a page that asks to log in");
        check("<html><title>Just a moment...</title></html>", "a page that keeps robots out");
        check("<opml version='2.0'/>", "an OPML list of feeds (`newsfold import` takes it in)");
        check("<urlset/>", "a sitemap");
        check("{\"a\":1}", "JSON that is no feed");
        check("Not found", "plain text");
        assert_eq!(seems("<rss/>", None), None);
    }

    #[test]
    fn a_page_names_its_feeds() {
        let page = "<html><head><base href='https://example.org/a/'><link rel=alternate type='application/rss+xml' href='feed.xml?a=1&amp;b=2' title='News'>\
            <link rel='stylesheet' href='x.css'></head></html>";
        let base = Url::parse("https://www.example.org/").unwrap();
        let feeds = linked_feeds(page, Some(&base));
        assert_eq!(feeds.len(), 1);
        assert_eq!(feeds[0].url, "https://example.org/a/feed.xml?a=1&b=2");
        assert_eq!(feeds[0].title.as_deref(), Some("News"));
        check(page, "a web page, which links to the feed https://example.org/a/feed.xml?a=1&b=2");
    }
}
