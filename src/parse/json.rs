//! JSON Feed 1.0 and 1.1, read as loosely as feeds are written.
//!
//! Pure. A value of the wrong type is taken for what it plainly means (a number for an id) or left out; an entry never
//! costs another. The document is read as it comes (`shape`), never as a tree of all that is in it.

mod mend;
mod shape;

use std::borrow::Cow;

use serde_json::error::Category;

use crate::model::{Enclosure, Fault, Person};
use crate::parse::address::{Joiner, bare};
use crate::parse::entities::decoded;
use crate::parse::reader::{Mode, body, resolve};
use crate::parse::repairs::Repair;
use crate::parse::{AlsoToldBy, Context, Error, ParsedEntry, ParsedFeed, Source, date, lines, markup};
use crate::text;
pub(super) use mend::mended;
use shape::{Also, Attachment, Author, Hub, Item, Own, Tag, Taken};

/// Reads a JSON Feed.
///
/// # Errors
/// When it is no JSON, with line and column, or JSON that is no feed.
pub(super) fn read(document: &str, context: Context<'_>) -> Result<ParsedFeed, Error> {
    let no_feed = || Error::NotAFeed("JSON that is no feed".into());
    let mut is_mended = false;
    let read = shape::read(document, context.deadline).or_else(|error| {
        let Cow::Owned(mended) = mended(document) else { return Err(error) };
        is_mended = true;
        // Where it breaks off is told of what was written.
        shape::read(&mended, context.deadline).map_err(|_| error)
    });
    let read = read.map_err(|error| match error.classify() {
        Category::Data => no_feed(),
        Category::Eof => unreadable(&error, "the document ends too early"),
        Category::Syntax | Category::Io => {
            let told = error.to_string();
            unreadable(&error, told.split(" at line").next().unwrap_or_default())
        }
    })?;
    let version = read.version.as_deref().unwrap_or_default();
    let is_versioned = version.contains("jsonfeed");
    let Some(items) = read.items.or_else(|| is_versioned.then(Vec::new)) else { return Err(no_feed()) };
    let joiner = Joiner::default();
    let address = |value: Option<String>| value.map(|url| joiner.absolute(&url, context.base));
    let is_of_1_0 = version.trim_end_matches('/').ends_with("/1");
    let mut feed = ParsedFeed {
        format: if is_of_1_0 { "JSON Feed 1.0" } else { "JSON Feed 1.1" }.to_owned(),
        title: read.title.map(|title| text::fold_space(&title)),
        link: address(read.home_page_url),
        description: read.description.map(|said| markup::escape(&said)),
        language: read.language,
        image: address(read.icon).or_else(|| address(read.favicon)),
        self_link: address(read.feed_url),
        next_page: address(read.next_url),
        authors: people(read.authors, read.author, &address),
        hubs: read.hubs.into_iter().filter(is_websub).filter_map(|hub| address(hub.url)).collect(),
        ..ParsedFeed::default()
    };
    for (item, position) in items.into_iter().zip(1..) {
        match item {
            Some(item) => feed.entries.push(entry(item, &address)),
            None => feed
                .faults
                .push(Fault { entry: Some(format!("number {position}")), what: "it is no object; left out".into() }),
        }
    }
    if !is_versioned && feed.entries.iter().all(|entry| entry.id.is_none() && entry.url.is_none()) {
        return Err(no_feed());
    }
    if !is_versioned {
        feed.repairs.push("`version` names no JSON Feed; read as one all the same".into());
    }
    if is_mended {
        feed.repairs
            .push("slips of JSON mended: raw line breaks, unknown escapes, half characters or extra commas".into());
    }
    if read.is_cut {
        feed.repairs.push("more entries, or more in one of them, than are read; the first were kept".into());
    }
    resolve(&mut feed, context, &joiner);
    if joiner.is_full() {
        feed.repairs.push(Repair::Addresses.told().into());
    }
    Ok(feed)
}

/// Whether a hub is spoken to by the protocol that we know; `type` names it, and rssCloud is another.
fn is_websub(hub: &Hub) -> bool {
    let is_known = |kind: &str| ["websub", "pubsubhubbub"].iter().any(|known| kind.trim().eq_ignore_ascii_case(known));
    hub.kind.as_deref().is_none_or(is_known)
}

fn unreadable(error: &serde_json::Error, what: &str) -> Error {
    Error::Unreadable(format!("line {}, column {}: {what}", error.line(), error.column()))
}

/// An entry. Its addresses start from the feed's page (`resolve`), those of people from the document.
fn entry(item: Item, absolute: &impl Fn(Option<String>) -> Option<String>) -> ParsedEntry {
    let address = |said: Option<String>| said.map(|said| bare(&said).into_owned());
    // A newsfold that reads a newsfold credits whom that one credits.
    let Own { source, also, story_url, story_title, known_as } = item.own.unwrap_or_default();
    // An id that is an address is the page where none is named (JSON Feed 1.1: "ideally the full URL").
    let is_address = |id: &&String| ["http://", "https://"].iter().any(|scheme| id.starts_with(scheme));
    let page = item.id.as_ref().filter(is_address).cloned();
    ParsedEntry {
        url: address(item.url).or_else(|| address(item.external_url)).or(page),
        id: item.id,
        title: item.title.map(|title| title_of(&title)).filter(|title| !title.is_empty()),
        summary: item.summary.map(|said| lines::html(&said)),
        content: item
            .content_html
            .and_then(|html| body(html, Mode::Html))
            .or_else(|| item.content_text.map(|said| lines::html(&said))),
        published: item.date_published.and_then(|said| date::parse(&said)),
        updated: item.date_modified.and_then(|said| date::parse(&said)),
        authors: people(item.authors, item.author, absolute),
        categories: item.tags.into_iter().filter_map(|Tag(said)| said).collect(),
        enclosures: item
            .attachments
            .into_iter()
            .filter_map(|Attachment { url, mime_type, size_in_bytes }| {
                let length = size_in_bytes.and_then(|size| size.parse().ok());
                Some(Enclosure { url: address(url)?, media_type: mime_type, length })
            })
            .collect(),
        language: item.language,
        image: address(item.image).or_else(|| address(item.banner_image)),
        is_by_newsfold: source.is_some(),
        source: source.map(|Taken { title, home_page_url, feed_url }| Source {
            id: None,
            title,
            url: address(home_page_url),
            feed_url: address(feed_url),
        }),
        also: also
            .into_iter()
            .map(|Also { source, title, url, date, home_page_url, feed_url }| AlsoToldBy {
                source,
                title,
                url: address(url),
                date: date.and_then(|said| date::parse(&said)),
                home_page_url: address(home_page_url),
                feed_url: address(feed_url),
            })
            .collect(),
        story_page: address(story_url),
        story_title,
        known_as: known_as.into_iter().filter_map(|Tag(said)| said).collect(),
        ..ParsedEntry::default()
    }
}

/// `authors` of 1.1, else `author` of 1.0.
fn people(
    authors: Vec<Author>,
    author: Option<Author>,
    address: &impl Fn(Option<String>) -> Option<String>,
) -> Vec<Person> {
    let one = |author: Author| match author {
        Author { said: Some(said), .. } => Some(markup::person(&said)),
        Author { name, url, .. } => {
            let url = address(url);
            let name = name.or_else(|| url.clone())?;
            Some(Person { name: title_of(&name), email: None, url })
        }
    };
    let people: Vec<Person> = authors.into_iter().filter_map(one).collect();
    if people.is_empty() { author.and_then(one).into_iter().collect() } else { people }
}

/// A title or a name. They are plain text, and some publishers escape them all the same.
fn title_of(said: &str) -> String {
    text::fold_space(&if markup::is_escaped(said) { decoded(said) } else { Cow::Borrowed(said) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(document: &str) -> ParsedFeed {
        read(document, Context::default()).unwrap()
    }

    #[test]
    fn a_number_is_an_id_and_a_missing_version_is_forgiven() {
        let feed = read_one(r#"{"items":[{"id":7,"url":"https://example.org/7","content_text":"a < b"}]}"#);
        assert_eq!(feed.entries[0].id.as_deref(), Some("7"));
        assert_eq!(feed.entries[0].content.as_deref(), Some("a &lt; b"));
        assert_eq!(feed.repairs.len(), 1);
    }

    #[test]
    fn one_bad_entry_costs_no_other() {
        let feed = read_one(
            r#"{"version":"https://jsonfeed.org/version/1.1","items":["x",{"id":"1","tags":"a","authors":[{"url":"https://example.org/me"}],"attachments":[{"url":"https://example.org/a.mp3"},{}]}]}"#,
        );
        assert_eq!((feed.entries.len(), feed.faults.len()), (1, 1));
        assert_eq!(feed.entries[0].categories, ["a"]);
        assert_eq!(feed.entries[0].enclosures.len(), 1);
        assert_eq!(feed.entries[0].authors[0].name, "https://example.org/me");
    }

    #[test]
    fn a_hub_is_one_that_speaks_websub() {
        let feed = read_one(
            r#"{"version":"https://jsonfeed.org/version/1.1","items":[],"hubs":[{"type":"rssCloud","url":"https://cloud.example/"},{"type":"websub","url":"https://hub.example/"},{"url":"https://old.example/"},"x",{"type":"WebSub"}]}"#,
        );
        assert_eq!(feed.hubs, ["https://hub.example/", "https://old.example/"]);
    }

    #[test]
    fn a_member_of_another_type_is_absent_and_the_last_of_a_doubled_one_counts() {
        let feed = read_one(
            r#"{"version":"https://jsonfeed.org/version/1.1","title":{"a":[1]},"title":"t","items":[{"id":"1","id":2.5,"url":["x"],"title":true,"authors":"Me","tags":["a",{"b":"c"},["d"],3],"attachments":{"url":"https://example.org/a.mp3","size_in_bytes":"7"}}]}"#,
        );
        let entry = &feed.entries[0];
        assert_eq!((feed.title.as_deref(), entry.id.as_deref()), (Some("t"), Some("2.5")));
        assert_eq!((&entry.url, &entry.title), (&None, &None));
        assert_eq!((entry.authors[0].name.as_str(), entry.categories.join(" ")), ("Me", "a 3".to_owned()));
        assert_eq!(entry.enclosures[0].length, Some(7));
    }

    #[test]
    fn more_than_is_read_is_skipped_and_told() {
        let head = r#"{"version":"https://jsonfeed.org/version/1.1","items":["#;
        let authors = r#"{"name":"a"},"#.repeat(100_000);
        let one = read_one(&format!(r#"{head}{{"id":"1","authors":[{authors}{{}}]}}]}}"#));
        assert_eq!(one.entries[0].authors.len(), 100);
        let many = read_one(&format!(r#"{head}{}{{}}]}}"#, r#"{"id":"1"},"#.repeat(20_005)));
        assert_eq!(many.entries.len(), 20_000);
        for feed in [one, many] {
            assert!(feed.repairs.iter().any(|repair| repair.contains("than are read")), "{:?}", feed.repairs);
        }
    }

    #[test]
    fn slips_cost_no_entry_and_titles_are_text() {
        let feed = read_one(
            "{\"version\":\"https://jsonfeed.org/version/1.1\",\"items\":[{\"id\":\"1\",\"title\":\"It doesn&#39;t rain\",\"content_text\":\"a\nb\"},{\"id\":\"2\",\"summary\":\"cake \\ud83c\"},]}",
        );
        assert_eq!(feed.entries.len(), 2);
        assert_eq!(feed.entries[0].title.as_deref(), Some("It doesn't rain"));
        assert_eq!(feed.entries[1].summary.as_deref(), Some("cake"));
        assert!(feed.repairs[0].contains("slips of JSON"), "{:?}", feed.repairs);
    }

    #[test]
    fn a_title_is_text_and_is_decoded_only_where_all_of_it_is_escaped() {
        for (said, expected) in [
            ("AT&amp;T &#8211; it&rsquo;s", "AT&T – it’s"),
            ("Use of <b> & &amp; in HTML", "Use of <b> & &amp; in HTML"),
            ("R&D and &amp;", "R&D and &amp;"),
            ("1 < 2", "1 < 2"),
        ] {
            assert_eq!(title_of(said), expected);
        }
    }

    #[test]
    fn json_that_is_something_else_is_refused() {
        for document in ["{}", "[]", r#"{"error":"not found"}"#, r#"{"items":[{"name":"x"}]}"#] {
            assert!(matches!(read(document, Context::default()), Err(Error::NotAFeed(_))), "{document}");
        }
        let error = read("{\"version\":\n nope}", Context::default()).unwrap_err().to_string();
        assert!(error.contains("line 2, column"), "{error}");
    }
}
