//! What a document that is no feed seems to be.
//!
//! Pure. One line for the person who configured the address; for a web page, the feeds that it links to.

use url::Url;

use crate::parse::address::absolute;
use crate::parse::entities::{Declared, decode_into};
use crate::parse::names::lower;
use crate::parse::tokens::{Attributes, Token, Tokens};
use crate::text;

/// How much of a document is looked at for what it seems to be.
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

/// The feeds that a web page links to, in its order, each once: in its head, or else wherever it does
/// (`rel="alternate"` with the type of a feed).
///
/// `base` is the page's own address; a `base` element of the page comes before it.
#[must_use]
pub fn linked_feeds(page: &str, base: Option<&Url>) -> Vec<LinkedFeed> {
    let mut own_base = None;
    let mut feeds: Vec<LinkedFeed> = Vec::new();
    let mut tokens = Tokens::new(page);
    while let Some(token) = tokens.next() {
        let Token::Start { name, attributes, is_empty } = token else {
            continue;
        };
        match lower(name).as_ref() {
            "base" => {
                own_base = own_base.or_else(|| Url::parse(&absolute(&value(attributes, "href")?, base)).ok());
            }
            "link" | "a" | "area" => {
                let linked = linked_feed(attributes, own_base.as_ref().or(base));
                feeds.extend(linked.filter(|linked| feeds.iter().all(|feed| feed.url != linked.url)));
            }
            name if HOLDS_NO_MARKUP.contains(&name) && !is_empty => tokens.skip_content(name),
            "body" if !feeds.is_empty() => break,
            _ => {}
        }
        if feeds.len() >= MOST_FEEDS {
            break;
        }
    }
    feeds
}

/// Elements of HTML whose content is no part of the page: text, whatever it looks like, or what a script may put there.
const HOLDS_NO_MARKUP: &[&str] =
    &["script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes", "template"];

/// The feed that a link leads to, if it is one to a feed.
fn linked_feed(attributes: Attributes<'_>, base: Option<&Url>) -> Option<LinkedFeed> {
    const TYPES: &[&str] = &[
        "application/rss+xml",
        "application/atom+xml",
        "application/feed+json",
        "application/rdf+xml",
        "application/xml",
        "text/xml",
        "application/json",
    ];
    let relations = value(attributes, "rel")?;
    let is = |wanted: &str| relations.split_whitespace().any(|relation| relation.eq_ignore_ascii_case(wanted));
    let media_type = value(attributes, "type").unwrap_or_default();
    let media_type = lower(media_type.split(';').next().unwrap_or_default().trim()).into_owned();
    let href = value(attributes, "href")?;
    // WordPress' own interface is linked as JSON too.
    let is_feed = TYPES.contains(&media_type.as_str()) && !href.contains("/wp-json/") && !href.contains("oembed");
    let title = attributes.get("title").map(text::plain);
    ((is("alternate") && is_feed) || is("feed")).then(|| LinkedFeed { url: absolute(&href, base), title, media_type })
}

/// An attribute's value with its references decoded; `None` for an empty one, and for a name without a value.
fn value(attributes: Attributes<'_>, name: &str) -> Option<String> {
    let raw = attributes.get(name).filter(|raw| !raw.eq_ignore_ascii_case(name))?;
    let mut value = String::new();
    decode_into(raw, &mut value, &Declared::default());
    Some(value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// What a document is by its first bytes, for the same sentence; `None` for what may be text.
pub(super) fn packed(document: &[u8]) -> Option<&'static str> {
    const BEGINNINGS: &[(&[u8], &str)] = &[
        (b"\x1f\x8b", "a packed file (gzip)"),
        (b"PK\x03\x04", "a packed file (zip)"),
        (b"BZh", "a packed file (bzip2)"),
        (b"\xfd7zXZ\0", "a packed file (xz)"),
        (b"\x28\xb5\x2f\xfd", "a packed file (zstd)"),
        (b"7z\xbc\xaf\x27\x1c", "a packed file (7z)"),
        (b"Rar!\x1a\x07", "a packed file (rar)"),
        (b"%PDF-", "a PDF document"),
        (b"\x89PNG", "a picture"),
        (b"GIF8", "a picture"),
        (b"\xff\xd8\xff", "a picture"),
        (b"ID3", "a sound"),
        (b"OggS", "a sound"),
        (b"SQLite format 3\0", "a database"),
    ];
    BEGINNINGS.iter().find(|(beginning, _)| document.starts_with(beginning)).map(|(_, what)| *what)
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
        _ if start.chars().take(256).any(|c| c == char::REPLACEMENT_CHARACTER) => Some("a file of some binary format"),
        _ => Some("plain text"),
    };
    if let Some(known) = known {
        return Some(known.to_owned());
    }
    let page = look.to_ascii_lowercase();
    let has = |marks: &[&str]| marks.iter().any(|mark| page.contains(mark));
    let feeds = linked_feeds(document, base);
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
    fn what_is_packed_is_named_by_its_first_bytes() {
        assert_eq!(packed(b"\x1f\x8b\x08\0"), Some("a packed file (gzip)"));
        assert_eq!(packed(b"\xff\xd8\xff\xe0"), Some("a picture"));
        for text in [&b"<rss/>"[..], b"\xff\xfe<\0", b"{}", b""] {
            assert_eq!(packed(text), None);
        }
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

    #[test]
    fn a_page_says_in_many_ways_where_its_feed_is() {
        let base = Url::parse("https://example.org/").unwrap();
        let found =
            |page: &str| -> Vec<String> { linked_feeds(page, Some(&base)).into_iter().map(|feed| feed.url).collect() };
        let style = format!("<style>{}</style>", "p > a { color: red } ".repeat(40_000));
        for link in [
            "<link rel=alternate type='application/rss&#43;xml' href=/feed>",
            "<link rel='ALTERNATE' type='application/atom+xml; charset=utf-8' href='&#47;feed'>",
            "<link type=\"Application/RSS+XML \" rel=\"home alternate\" href=\" /feed \">",
            "<link rel=alternate type='application/feed+json' href='/feed'><link rel=alternate type=text/xml href=/feed>",
            "<link href rel=alternate type=application/rss+xml><link rel=feed href='/feed'>",
            "<script>var s = '<link rel=feed href=/no>' + \"it's</b>\";</script><link rel=feed href='/feed'>",
            "<template><link rel=feed href=/no></template><link rel=feed href='/feed'>",
            "<title>How <link rel=feed href=/no> works</title><link rel=feed href='/feed'>",
            "<body><p>News</p><a rel='alternate' type='application/rss+xml' href='/feed'>RSS</a>",
        ] {
            for page in [link.to_owned(), format!("{style}{link}")] {
                assert_eq!(found(&page), ["https://example.org/feed"], "{link}");
            }
        }
        for none in ["<link href rel=alternate type=application/rss+xml>", "<link rel=feed href=''>", "<link rel=feed"]
        {
            assert_eq!(found(none), [""; 0], "{none}");
        }
        assert_eq!(found("<link rel=feed href='/a?x=1&amp;y=%26'><link rel=feed href='/b'>").len(), 2);
    }

    #[test]
    fn what_a_page_costs_grows_with_its_length() {
        for run in [
            "<script>",
            "<style>",
            "<textarea>",
            "<title>",
            "<link rel=alternate type=application/rss+xml href=/N>",
            "<!--",
        ] {
            let page: String = (0..200_000 / run.len()).map(|n| run.replace('N', &n.to_string())).collect();
            let began = crate::clock::instant();
            let _ = linked_feeds(&page, None);
            let took = began.elapsed();
            assert!(took.as_secs() < 3, "{run}: {took:?}, where a tenth of a second is much");
        }
    }
}
