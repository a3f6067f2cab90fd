//! Bytes of a feed document to the feed and entries that stand in it.
//!
//! Pure. RSS, Atom, CDF and JSON Feed come out as one shape. What the document does not say stays absent, and markup stays
//! as it came: making entries fit for the store is `normalise`'s work, making markup safe is `sanitise`'s.
//!
//! | step | module |
//! | --- | --- |
//! | bytes to characters | `charset` |
//! | an XML document to tags and text, and those to entries | `tokens`, `names`, `entities`, `reader` |
//! | a JSON document to entries | `json` |
//! | a document that those refuse to entries | `second`, which has feed-rs do it |
//! | the dates of all of them | [`date`] |
//! | what a document that is no feed seems to be | `diagnose` |

mod address;
mod charset;
pub mod date;
mod diagnose;
mod entities;
mod json;
mod lines;
mod markup;
mod names;
pub mod opml;
mod reader;
mod repairs;
mod second;
mod tokens;

use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use chrono::{DateTime, Utc};
use url::Url;

use crate::model::{Enclosure, Fault, Hints, Person};
pub use diagnose::{LinkedFeed, linked_feeds};
use repairs::Repairs;

/// The most entries of one document that are kept, the newest.
pub const MOST_ENTRIES: usize = 5_000;
/// A feed document, read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParsedFeed {
    /// The format that it is written in, such as `RSS 2.0`.
    pub format: String,
    /// The publisher's own name for it.
    pub id: Option<String>,
    /// Plain text.
    pub title: Option<String>,
    /// The page that the feed belongs to.
    pub link: Option<String>,
    /// HTML, as it came.
    pub description: Option<String>,
    /// What relative addresses inside the description are resolved against, where the document says so itself.
    pub base: Option<String>,
    /// BCP 47 tag.
    pub language: Option<String>,
    /// Last changed, by the publisher's word.
    pub updated: Option<DateTime<Utc>>,
    /// Who publishes it. They wrote those entries that name nobody.
    pub authors: Vec<Person>,
    /// The address of a picture that stands for the feed.
    pub image: Option<String>,
    /// When to come back, by the publisher's word.
    pub hints: Hints,
    /// The address that the document gives as its own.
    pub self_link: Option<String>,
    /// Where to subscribe to be told of changes (WebSub §4).
    pub hubs: Vec<String>,
    /// Where to subscribe to be told of changes, as RSS has it.
    pub cloud: Option<Cloud>,
    /// The next page of a paged feed (RFC 5005 §3).
    pub next_page: Option<String>,
    /// The archive that came before (RFC 5005 §4).
    pub previous_archive: Option<String>,
    /// The document that an archive belongs to (RFC 5005 §4).
    pub current: Option<String>,
    /// Whether the document is an archive, which does not change any more.
    pub is_archive: bool,
    /// Whether the document has every entry there is: what is not in it is gone (RFC 5005 §2).
    pub is_complete: bool,
    /// Whether it ends before its end: what is missing may be there the next time.
    pub is_cut_off: bool,
    /// In document order.
    pub entries: Vec<ParsedEntry>,
    /// What had to be repaired before the document could be read.
    pub repairs: Vec<String>,
    /// What could not be read and was left out.
    pub faults: Vec<Fault>,
}

/// One entry of a feed document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParsedEntry {
    /// The publisher's own name for it.
    pub id: Option<String>,
    /// Whether RSS says that its id is an address; `None` in formats that do not say.
    pub id_is_permalink: Option<bool>,
    /// Its web page; relative only where nothing says what to.
    pub url: Option<String>,
    /// Plain text.
    pub title: Option<String>,
    /// HTML, as it came.
    pub summary: Option<String>,
    /// HTML, as it came.
    pub content: Option<String>,
    /// What relative addresses inside the markup are resolved against, where the document says so itself.
    pub base: Option<String>,
    /// First put out.
    pub published: Option<DateTime<Utc>>,
    /// Last changed.
    pub updated: Option<DateTime<Utc>>,
    /// Who wrote it.
    pub authors: Vec<Person>,
    /// The publisher's labels.
    pub categories: Vec<String>,
    /// Attached media files.
    pub enclosures: Vec<Enclosure>,
    /// BCP 47 tag.
    pub language: Option<String>,
    /// The address of a picture that stands for the entry.
    pub image: Option<String>,
    /// The page where readers comment.
    pub comments: Option<String>,
    /// How many comments there are.
    pub comment_count: Option<u64>,
    /// The id of the entry that this one answers (RFC 4685 §3).
    pub in_reply_to: Option<String>,
    /// The feed that the entry was taken over from.
    pub source: Option<Source>,
    /// Who else tells its story, where another newsfold says so.
    pub also: Vec<AlsoToldBy>,
    /// Where another newsfold has a page of its story; `None` too where it has none.
    pub story_page: Option<String>,
    /// Its title alone, where another newsfold put the name of its source before it.
    pub story_title: Option<String>,
    /// Under which names newsfolds know its story.
    pub known_as: Vec<String>,
    /// Whether another newsfold says of it whom it credits.
    pub is_by_newsfold: bool,
    /// Whether the document breaks off in it.
    pub is_half_told: bool,
}

/// Another telling of an entry's story, as a newsfold names it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlsoToldBy {
    /// Who tells it, plain text.
    pub source: Option<String>,
    /// Plain text.
    pub title: Option<String>,
    /// Its page.
    pub url: Option<String>,
    /// When.
    pub date: Option<DateTime<Utc>>,
    /// The page that its feed belongs to.
    pub home_page_url: Option<String>,
    /// The document of its feed.
    pub feed_url: Option<String>,
}

/// The feed that an entry was taken over from, by the publisher's word.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Source {
    /// The feed's own name for itself.
    pub id: Option<String>,
    /// Plain text.
    pub title: Option<String>,
    /// The page that the feed belongs to.
    pub url: Option<String>,
    /// The feed's document.
    pub feed_url: Option<String>,
}

/// RSS's `cloud`: where to subscribe to be told of changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cloud {
    /// Its host.
    pub domain: String,
    /// Its port.
    pub port: Option<u16>,
    /// Its path.
    pub path: Option<String>,
    /// The procedure to call.
    pub procedure: Option<String>,
    /// How to call it: `xml-rpc`, `soap` or `http-post`.
    pub protocol: Option<String>,
}

/// What is known of a document from outside.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// The address it was read from.
    pub base: Option<&'a Url>,
    /// The `Content-Type` it came with. It names the character set at most: servers are too often wrong about the rest.
    pub content_type: Option<&'a str>,
    /// When it is given up.
    pub deadline: Deadline<'a>,
}

/// When a document is given up that takes too long to be read: whoever has it read says so, as nothing here knows the time.
#[derive(Clone, Copy, Default)]
pub struct Deadline<'a>(Option<&'a dyn Fn() -> bool>);

impl<'a> Deadline<'a> {
    /// It is over when `is_over` says so, which is asked now and then.
    #[must_use]
    pub fn when(is_over: &'a dyn Fn() -> bool) -> Self {
        Self(Some(is_over))
    }

    fn is_over(self) -> bool {
        self.0.is_some_and(|is_over| is_over())
    }
}

impl fmt::Debug for Deadline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Deadline" } else { "no Deadline" })
    }
}

/// Why a document is no feed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is nothing in it.
    #[error("the document is empty")]
    Empty,
    /// It is something else.
    #[error("this is {0}, not a feed")]
    NotAFeed(String),
    /// It took too long.
    #[error(
        "the feed takes too long to be read and was given up; ask its publisher for a shorter one, or take it out of the configuration"
    )]
    OutOfTime,
    /// It could not be read; where, and why.
    #[error("the feed cannot be read: {0}")]
    Unreadable(String),
    /// It was read, and holds neither a title nor a link nor an entry.
    #[error("the document holds neither a title, a link nor an entry of a known feed format")]
    Hollow,
}

/// Reads a feed document.
///
/// The same bytes give the same value, whatever the clock says.
///
/// # Errors
/// When the document is no feed, or is broken beyond repair. Nothing of it should be stored then.
///
/// # Examples
/// ```
/// use newsfold::parse::{Context, parse};
///
/// let cut_off = b"<rss><channel><title>Harbour Post</title><item><title>Fish & chips</title>";
/// let feed = parse(cut_off, Context::default())?;
/// assert_eq!(feed.title.as_deref(), Some("Harbour Post"));
/// assert_eq!(feed.entries[0].title.as_deref(), Some("Fish & chips"));
/// assert_eq!(feed.entries[0].published, None, "what is not said stays absent");
/// assert!(feed.is_cut_off && !feed.repairs.is_empty());
/// # Ok::<(), newsfold::parse::Error>(())
/// ```
pub fn parse(document: &[u8], context: Context<'_>) -> Result<ParsedFeed, Error> {
    if document.iter().all(u8::is_ascii_whitespace) {
        return Err(Error::Empty);
    }
    if let Some(what) = diagnose::packed(document) {
        return Err(Error::NotAFeed(what.into()));
    }
    let decoded = charset::decode(document, context.content_type);
    let mut repairs = Repairs::default();
    repairs.general.extend(decoded.repair);
    let (text, forbidden) = charset::without_forbidden(decoded.text);
    let general = repairs.general.clone();
    let own = catch_unwind(AssertUnwindSafe(|| read(&text, forbidden, repairs, context)));
    let why = match own {
        Ok(Ok(feed)) => return Ok(feed),
        Ok(Err(Error::OutOfTime)) => return Err(Error::OutOfTime),
        Ok(Err(_)) => "finds no feed in it",
        Err(_) => "fails on it",
    };
    match second::read(text.trim_start_matches(is_padding), context) {
        Some(mut feed) => {
            feed.repairs.extend(general);
            feed.repairs.push(format!("read by the second reader, because the first {why}; please report it"));
            Ok(feed)
        }
        None => own.unwrap_or_else(|panic| resume_unwind(panic)),
    }
}

/// The text of a document that is no feed, in whatever character set it is.
#[must_use]
pub fn decoded(document: &[u8], content_type: Option<&str>) -> String {
    charset::decode(document, content_type).text.into_owned()
}

/// A label as plain text: like a title, it is text in which a whole, paired element may be markup.
#[must_use]
pub fn label(written: &str) -> String {
    reader::title(written, reader::Mode::Guess).unwrap_or_default()
}

/// JSON with the slips mended that programs make which put it together from strings; as it is where there are none.
#[must_use]
pub fn mended_json(document: &str) -> Cow<'_, str> {
    json::mended(document)
}

/// What may stand before a document without meaning anything.
fn is_padding(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

impl ParsedFeed {
    /// Whether it holds nothing that a feed is for.
    fn is_hollow(&self) -> bool {
        self.entries.is_empty() && self.title.is_none() && self.link.is_none() && self.description.is_none()
    }
}

/// Reads a document by its characters; `forbidden` is where the first stood that XML does not allow.
fn read(text: &str, forbidden: Option<usize>, mut repairs: Repairs, context: Context<'_>) -> Result<ParsedFeed, Error> {
    if let Some(at) = forbidden {
        repairs.general.push(repairs::told_at(text, at, "characters that XML forbids taken out"));
    }
    let start = text.trim_start_matches(is_padding);
    if start.is_empty() {
        return Err(Error::Empty);
    }
    let is_json = start.starts_with(['{', '[']) && !start.contains("<rss");
    let read = if is_json { json::read(start, context) } else { reader::read(text, context, &mut repairs) };
    let refused = |error| match error {
        _ if context.deadline.is_over() => Error::OutOfTime,
        // It began as a feed would, and where it breaks off says more than what it seems to be.
        Error::Unreadable(_) if is_json => error,
        _ => diagnose::seems(text, context.base).map_or(error, Error::NotAFeed),
    };
    let mut feed = read.map_err(refused)?;
    // JSON Feed says in so many words that it is one; an element called `feed` says little.
    if !is_json && feed.is_hollow() {
        return Err(refused(Error::Hollow));
    }
    feed.is_cut_off = repairs.has_cut_off();
    let mut lines = repairs.lines(text);
    lines.append(&mut feed.repairs);
    feed.repairs = lines;
    Ok(feed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(document: &str) -> Result<ParsedFeed, Error> {
        parse(document.as_bytes(), Context::default())
    }

    #[test]
    fn nothing_is_told_from_something_else() {
        assert_eq!(parsed(""), Err(Error::Empty));
        assert_eq!(parsed(" \n\t"), Err(Error::Empty));
        assert_eq!(parsed("\u{feff} "), Err(Error::Empty));
        assert_eq!(parsed("<rss version='2.0'/>"), Err(Error::Hollow));
        assert!(matches!(parsed("<html></html>"), Err(Error::NotAFeed(_))));
        assert!(matches!(parsed("\0\0\0"), Err(Error::Empty)));
    }

    #[test]
    fn a_document_that_takes_too_long_is_given_up() {
        let asked = std::cell::Cell::new(0);
        let is_over = || {
            asked.update(|asked| asked + 1);
            asked.get() > 3
        };
        let context = Context { deadline: Deadline::when(&is_over), ..Context::default() };
        let rss = format!("<rss><channel><title>t</title>{}", "<item><title>One</title></item>".repeat(10_000));
        let json = format!(
            "{{\"version\":\"https://jsonfeed.org/version/1\",\"items\":[{}{{}}]}}",
            "{\"id\":1},".repeat(10_000)
        );
        for document in [rss, json] {
            asked.set(0);
            assert_eq!(parse(document.as_bytes(), context), Err(Error::OutOfTime));
            assert!((4..10).contains(&asked.get()), "asked {} times", asked.get());
            assert!(parse(document.as_bytes(), Context::default()).is_ok());
        }
    }

    #[test]
    fn a_document_that_cannot_be_read_says_where() {
        let error = parsed("<a>\n  <b/></a>").unwrap_err().to_string();
        assert!(error.contains("line 1, column 1: `<a>`"), "{error}");
        let error =
            parsed("{\"version\": \"https://jsonfeed.org/version/1\",\n \"items\": [}").unwrap_err().to_string();
        assert!(error.contains("line 2, column 12"), "{error}");
    }

    #[test]
    fn a_large_document_is_read_as_a_small_one() {
        let item = "<item><title>One</title><link>https://example.org/1</link></item>";
        let of = |count: usize| {
            format!("<rss version=\"2.0\"><channel><title>t</title>{}</channel></rss>", item.repeat(count))
        };
        let (small, large) = (parsed(&of(1)).unwrap(), parsed(&of(19_000)).unwrap());
        assert_eq!(large.entries.len(), 19_000);
        assert_eq!(large.entries[18_999], small.entries[0]);
    }

    #[test]
    fn more_entries_than_are_read_are_told() {
        let feed =
            parsed(&format!("<rss><channel><title>t</title>{}", "<item><title>One</title></item>".repeat(20_005)))
                .unwrap();
        assert_eq!(feed.entries.len(), 20_000);
        assert!(feed.repairs.iter().any(|repair| repair.contains("more entries than are read")), "{:?}", feed.repairs);
    }

    /// Pieces of feeds, sound and broken, in any order.
    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "<item>",
            "</item>",
            "<entry>",
            "</entry>",
            "<title>",
            "</title>",
            "<title type=\"html\">",
            "<description>",
            "</description>",
            "<content:encoded>",
            "</content:encoded>",
            "<![CDATA[",
            "]]>",
            "<b>",
            "</b>",
            "<br/>",
            "&amp;",
            "&lt;p&gt;",
            "&eacute;",
            "&",
            "<",
            "text",
            " ",
            "\n",
            "<link>https://example.org/1</link>",
            "<link href=\"/1\"/>",
            "<guid>1</guid>",
            "<pubDate>Fri, 01 May 2026 10:00:00 GMT</pubDate>",
            "<updated>2026-05-01</updated>",
            "<author>",
            "</author>",
            "<name>",
            "</name>",
            "<media:group>",
            "</media:group>",
            "<source>",
            "</source>",
            "<!--",
            "-->",
            "<x xml:base=\"/b/\">",
            "</x>",
            "<category term=\"a\"/>",
            "<itunes:category text=\"a\">",
            "</itunes:category>",
        ]);
        let root = prop::sample::select(vec![
            "<rss version=\"2.0\" xmlns:content=\"http://purl.org/rss/1.0/modules/content/\"><channel><title>t</title>",
            "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>t</title>",
            "<rdf:RDF><channel><title>t</title>",
        ]);
        let end = prop::sample::select(vec!["</channel></rss>", "</feed>", ""]);
        (root, prop::collection::vec(piece, 0..24), end)
            .prop_map(|(root, pieces, end)| format!("{root}{}{end}", pieces.concat()))
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes, Context::default());
        }

        #[test]
        fn any_pieces_are_read_or_refused_and_the_same_each_time(document in pieces()) {
            let context = Context::default();
            prop_assert_eq!(parse(document.as_bytes(), context), parse(document.as_bytes(), context));
        }
    }
}
