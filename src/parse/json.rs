//! JSON Feed 1.0 and 1.1, read as loosely as feeds are written.
//!
//! Pure. A value of the wrong type is taken for what it plainly means (a number for an id) or left out; an entry never
//! costs another. Every entry is read on its own, so that one bad entry is one bad entry.

use serde::Deserialize;
use serde_json::Value;

use crate::model::{Enclosure, Fault, Person};
use crate::normalise::text;
use crate::parse::address::absolute;
use crate::parse::reader::resolve;
use crate::parse::{Context, Error, ParsedEntry, ParsedFeed, date, markup};

/// The most entries of one document.
const MOST_ENTRIES: usize = 20_000;
/// The longest field, in bytes.
const LONGEST_FIELD: usize = 1024 * 1024;

/// The top level; what is inside is taken apart value by value.
#[derive(Debug, Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Document {
    version: Value,
    title: Value,
    home_page_url: Value,
    feed_url: Value,
    description: Value,
    language: Value,
    icon: Value,
    favicon: Value,
    next_url: Value,
    author: Value,
    authors: Value,
    hubs: Value,
    items: Value,
}

/// Reads a JSON Feed.
///
/// # Errors
/// When it is no JSON, with line and column, or JSON that is no feed.
pub(super) fn read(document: &str, context: Context<'_>) -> Result<ParsedFeed, Error> {
    let read: Document = match serde_json::from_str(document) {
        Ok(read) => read,
        Err(error) if error.is_data() => return Err(Error::NotAFeed("JSON that is no feed".into())),
        Err(error) => {
            let what = if error.is_eof() {
                "the document ends too early".into()
            } else {
                let told = error.to_string();
                told.split(" at line").next().unwrap_or_default().to_owned()
            };
            return Err(Error::Unreadable(format!("line {}, column {}: {what}", error.line(), error.column())));
        }
    };
    let is_versioned = string(&read.version).is_some_and(|version| version.contains("jsonfeed"));
    if !is_versioned && !read.items.is_array() {
        return Err(Error::NotAFeed("JSON that is no feed".into()));
    }
    let address = |value: &Value| string(value).map(|url| absolute(&url, context.base));
    let is_of_1_0 = string(&read.version).is_some_and(|version| version.trim_end_matches('/').ends_with("/1"));
    let mut feed = ParsedFeed {
        format: if is_of_1_0 { "JSON Feed 1.0" } else { "JSON Feed 1.1" }.to_owned(),
        title: string(&read.title).map(|title| text::fold_space(&title)),
        link: address(&read.home_page_url),
        description: string(&read.description).map(|said| markup::escape(&said)),
        language: string(&read.language),
        image: address(&read.icon).or_else(|| address(&read.favicon)),
        self_link: address(&read.feed_url),
        next_page: address(&read.next_url),
        authors: people(&read.authors, &read.author, context),
        hubs: list(&read.hubs).iter().filter(|hub| is_websub(hub)).filter_map(|hub| address(hub.get("url")?)).collect(),
        ..ParsedFeed::default()
    };
    if let Value::Array(items) = read.items {
        for (position, item) in items.into_iter().take(MOST_ENTRIES).enumerate() {
            match item {
                Value::Object(_) => feed.entries.push(entry(&item, context)),
                _ => feed.faults.push(Fault {
                    entry: Some(format!("number {}", position + 1)),
                    what: "it is no object; left out".into(),
                }),
            }
        }
    }
    if !is_versioned && feed.entries.iter().all(|entry| entry.id.is_none() && entry.url.is_none()) {
        return Err(Error::NotAFeed("JSON that is no feed".into()));
    }
    if !is_versioned {
        feed.repairs.push("`version` names no JSON Feed; read as one all the same".into());
    }
    resolve(&mut feed, context);
    Ok(feed)
}

/// Whether a hub is spoken to by the protocol that we know; `type` names it, and rssCloud is another.
fn is_websub(hub: &Value) -> bool {
    hub.get("type")
        .and_then(Value::as_str)
        .is_none_or(|kind| ["websub", "pubsubhubbub"].iter().any(|known| kind.trim().eq_ignore_ascii_case(known)))
}

fn entry(item: &Value, context: Context<'_>) -> ParsedEntry {
    let field = |name: &str| item.get(name).and_then(string);
    let address = |name: &str| field(name).map(|url| absolute(&url, context.base));
    let html = field("content_html").or_else(|| field("content_text").map(|said| paragraphs(&said)));
    ParsedEntry {
        id: field("id"),
        url: address("url").or_else(|| address("external_url")),
        title: field("title").map(|title| text::fold_space(&title)).filter(|title| !title.is_empty()),
        summary: field("summary").map(|said| markup::escape(&said)),
        content: html,
        published: field("date_published").and_then(|said| date::parse(&said)),
        updated: field("date_modified").and_then(|said| date::parse(&said)),
        authors: people(
            item.get("authors").unwrap_or(&Value::Null),
            item.get("author").unwrap_or(&Value::Null),
            context,
        ),
        categories: item.get("tags").map(list).unwrap_or_default().iter().filter_map(string).collect(),
        enclosures: item
            .get("attachments")
            .map(list)
            .unwrap_or_default()
            .iter()
            .filter_map(|attachment| enclosure(attachment, context))
            .collect(),
        language: field("language"),
        image: address("image").or_else(|| address("banner_image")),
        ..ParsedEntry::default()
    }
}

fn enclosure(attachment: &Value, context: Context<'_>) -> Option<Enclosure> {
    Some(Enclosure {
        url: absolute(&string(attachment.get("url")?)?, context.base),
        media_type: attachment.get("mime_type").and_then(string),
        length: attachment.get("size_in_bytes").and_then(|size| match size {
            Value::Number(number) => number.as_u64(),
            Value::String(said) => said.trim().parse().ok(),
            _ => None,
        }),
    })
}

/// `authors` of 1.1, else `author` of 1.0.
fn people(authors: &Value, author: &Value, context: Context<'_>) -> Vec<Person> {
    let one = |author: &Value| -> Option<Person> {
        if let Some(said) = string(author) {
            return Some(markup::person(&said));
        }
        let url = author.get("url").and_then(string).map(|url| absolute(&url, context.base));
        let name = author.get("name").and_then(string).or_else(|| url.clone())?;
        Some(Person { name: text::fold_space(&name), email: None, url })
    };
    let people: Vec<Person> = list(authors).iter().filter_map(one).collect();
    if people.is_empty() { one(author).into_iter().collect() } else { people }
}

/// Plain text as HTML, its blank lines kept as paragraphs.
fn paragraphs(said: &str) -> String {
    if !said.contains("\n\n") {
        return markup::escape(said);
    }
    said.split("\n\n")
        .filter(|paragraph| !paragraph.trim().is_empty())
        .map(|paragraph| format!("<p>{}</p>", markup::escape(paragraph.trim())))
        .collect()
}

fn list(value: &Value) -> &[Value] {
    match value {
        Value::Array(values) => values,
        Value::Null => &[],
        single => std::slice::from_ref(single),
    }
}

/// The value as text, if it has one: a number means its digits.
fn string(value: &Value) -> Option<String> {
    let said = match value {
        Value::String(said) => said.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let said: String = if said.len() > LONGEST_FIELD { said.chars().take(LONGEST_FIELD / 4).collect() } else { said };
    (!said.is_empty()).then_some(said)
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
    fn json_that_is_something_else_is_refused() {
        for document in ["{}", "[]", r#"{"error":"not found"}"#, r#"{"items":[{"name":"x"}]}"#] {
            assert!(matches!(read(document, Context::default()), Err(Error::NotAFeed(_))), "{document}");
        }
        let error = read("{\"version\":\n nope}", Context::default()).unwrap_err().to_string();
        assert!(error.contains("line 2, column"), "{error}");
    }
}
