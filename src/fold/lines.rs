//! `newsfold fold`: stories out of articles, line by line.
//!
//! Edge in form only: it reads and writes what the caller hands it, and folds with the very index that the daemon runs.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{BufRead, Write};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::folding::Folding;
use super::hash;
use super::index::Index;
use super::link::{Pages, Telling};
use super::plan::{Match, Verdict};
use super::weights::Weights;
use super::{Article, EntryRef, Rules};
use crate::model::permalink::Permalink;
use crate::parse;

/// How `newsfold fold` is to work.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// What folding goes by.
    pub rules: Rules,
    /// Whether the evidence is written with each line.
    pub explain: bool,
}

/// Why it stopped.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A line that is no article.
    #[error("line {line}: {message}; the lines before it were folded")]
    Line {
        /// Its number, from 1.
        line: u64,
        /// What is wrong with it.
        message: String,
    },
    /// An input that could not be read or an output that could not be written.
    #[error("line {line}: {source}")]
    Stream {
        /// The line at which it happened.
        line: u64,
        /// What the system says.
        source: std::io::Error,
    },
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(default)]
    id: Option<serde_json::Value>,
    #[serde(default, borrow)]
    source: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    url: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    title: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    summary: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    content: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    published: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    lang: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct Folded<'a> {
    id: &'a str,
    story: &'a str,
    rule: &'static str,
    matched: Option<&'a str>,
    score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<&'a Match>,
}

/// Folds a stream of articles.
///
/// # Errors
///
/// [`Fault::Line`] for a line that is no JSON object, has no id or title, or repeats an id; [`Fault::Stream`] when reading or
/// writing fails. The lines before it were written by then.
pub fn stream(reader: impl BufRead, mut writer: impl Write, options: &Options) -> Result<(), Fault> {
    let mut index = Index::new(options.rules, Weights::default());
    let mut pages = Pages::default();
    let mut ids: Vec<String> = Vec::new();
    let mut numbers: HashMap<String, u64> = HashMap::new();
    let mut clock = DateTime::<Utc>::UNIX_EPOCH;
    let mut line_number = 0_u64;
    let mut reader = reader;
    let mut text = Vec::new();
    loop {
        text.clear();
        line_number += 1;
        let fault = |message: String| Fault::Line { line: line_number, message };
        let stream = |source| Fault::Stream { line: line_number, source };
        if reader.read_until(b'\n', &mut text).map_err(stream)? == 0 {
            return Ok(());
        }
        let written = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
        if written.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        // As feeds are read: a slip of the program that wrote it ends no stream.
        let mended: Cow<'_, str>;
        let line = match serde_json::from_slice::<Line<'_>>(written) {
            Ok(line) => line,
            Err(error) => {
                mended = parse::mended_json(std::str::from_utf8(written).unwrap_or_default());
                serde_json::from_str(&mended).map_err(|_| fault(format!("not an article in JSON: {error}")))?
            }
        };
        let id = match &line.id {
            Some(serde_json::Value::String(id)) if !id.is_empty() => id.clone(),
            Some(serde_json::Value::Number(id)) => id.to_string(),
            _ => return Err(fault("no `id`; every article needs one of its own".to_owned())),
        };
        if line.title.is_none() {
            return Err(fault(format!("no `title` for `{id}`; an empty one will do")));
        }
        let number = u64::try_from(ids.len()).unwrap_or(u64::MAX);
        if numbers.insert(id.clone(), number).is_some() {
            return Err(fault(format!("the id `{id}` occurs a second time")));
        }
        let published =
            line.published.as_deref().and_then(|text| DateTime::parse_from_rfc3339(text).ok()).map(|at| at.to_utc());
        clock = published.unwrap_or(clock);
        let page: Option<Permalink> = line.url.as_deref().and_then(|url| url.parse().ok());
        let article = Article {
            entry: EntryRef(number),
            feed: line.source.as_deref().filter(|source| !source.is_empty()).map(hash::hash_of),
            page: page.as_ref(),
            title: line.title.as_deref().unwrap_or_default(),
            summary: line.summary.as_deref().unwrap_or_default(),
            content: line.content.as_deref().unwrap_or_default(),
            language: line.lang.as_deref().filter(|lang| !lang.is_empty()),
            at: clock,
            published,
        };
        ids.push(id.clone());
        let telling = Telling {
            entry: article.entry,
            feed: article.feed,
            permalinks: page.iter().cloned().collect(),
            title: article.title.to_owned(),
            site: None,
            published: clock,
            text: None,
            seen: clock,
            // Lines stand in no document.
            left: Some(clock),
        };
        pages.note(&telling);
        let mut folding = Folding { index: Some(&mut index), pages: &mut pages };
        let linked = folding.pages.find(&telling);
        let fold = folding.decide(&telling, Some(&article), options.rules.level, linked);
        let name = |number: u64| usize::try_from(number).ok().and_then(|at| ids.get(at)).map_or("", String::as_str);
        let (rule, found) = match &fold.verdict {
            Verdict::New { nearest } => ("new", nearest.as_deref()),
            Verdict::Joins { rule, found, .. } => (rule.name(), Some(found.as_ref())),
        };
        let joined = found.filter(|_| rule != "new");
        let folded = Folded {
            id: &id,
            story: joined.map_or(id.as_str(), |found| name(found.story.0)),
            rule,
            matched: joined.map(|found| name(found.matched.0)),
            score: joined.map_or(0.0, |found| found.score),
            evidence: found.filter(|_| options.explain),
        };
        serde_json::to_writer(&mut writer, &folded).map_err(|error| stream(error.into()))?;
        writer.write_all(b"\n").map_err(stream)?;
        writer.flush().map_err(stream)?;
        folding.apply(&telling, &fold, clock, None);
    }
}
