//! What an `[[output]]` may hold: which stories it shows, how, and under which name.
//!
//! Pure.

use super::feed::secret;
use super::table::{Table, listed, nearest, one_of};
use super::{Content, Coverage, Format, OnCoverage, Order, OutputConfig, Query, Rule, Secret};
use crate::schedule::Crontab;
use chrono_tz::Tz;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Addresses that the server needs for itself, so that no output may be named so.
const RESERVED_NAMES: &[&str] =
    &["story", "feeds", "search", "style", "index", "icon", "websub", "healthz", "readyz", "metrics", "t"];

/// The shortest token, in characters: a shorter one is found by trying.
pub const SHORTEST_TOKEN: usize = 16;

/// Reads every `[[output]]`.
pub(super) fn outputs(
    tables: &[Table<'_>],
    known_tags: &BTreeSet<&str>,
    feeds: usize,
    folder: &Path,
    timezone: Tz,
) -> Vec<OutputConfig> {
    // Of an output whose name is no good, nothing is said but that.
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    let outputs: Vec<OutputConfig> = tables
        .iter()
        .map(|table| {
            let (name, is_good) = name(table);
            let line = table.notes.line(table.at);
            match lines.get(&name).filter(|_| is_good) {
                Some(first) => table.notes.problem(
                    table.get("name").map_or(table.at, |value| value.at),
                    format!("output `{name}`: another on line {first} has this name; give one of the two another"),
                ),
                None if is_good => {
                    lines.insert(name.clone(), line);
                }
                None => {}
            }
            OutputConfig { digest: digest(table, timezone), ..output(table, name, known_tags, feeds, folder) }
        })
        .collect();
    for (table, output) in tables.iter().zip(&outputs) {
        let is_shared = |other: &&OutputConfig| {
            let (Some(own), Some(theirs)) = (&output.directory, &other.directory) else { return false };
            other.token != output.token && (own.starts_with(theirs) || theirs.starts_with(own))
        };
        if let (Some(value), Some(other)) = (table.get("token"), outputs.iter().find(is_shared)) {
            value.problem(&format!(
                "keeps it from those whom output `{}` is for, and the files of both are in one `directory`; give it a folder of its own",
                other.name
            ));
        }
    }
    for table in tables {
        let Some(value) = table.get("formerly") else { continue };
        for item in value.items("\"old-name\"") {
            item.parsed("\"old-name\"", |text| match lines.get(text) {
                Some(line) => Err(format!("is the name of the output on line {line}; take it out")),
                None => Ok(()),
            });
        }
    }
    outputs
}

/// The name, and whether it can be used.
fn name(table: &Table<'_>) -> (String, bool) {
    let default = || OutputConfig::default().name;
    match table.get("name") {
        None => (default(), true),
        Some(value) => match value.parsed("\"news\"", fit_name) {
            Some(name) => (name, true),
            None => (default(), false),
        },
    }
}

fn fit_name(text: &str) -> Result<String, String> {
    if RESERVED_NAMES.contains(&text) {
        return Err(format!("is taken by the server; write another name than {}", listed(RESERVED_NAMES)));
    }
    let fits = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_'))
        && text.len() <= 64;
    if !fits {
        return Err(
            "does not fit into an address; write lower-case letters, digits, `-` and `_`, at most 64".to_owned()
        );
    }
    Ok(text.to_owned())
}

fn output(table: &Table<'_>, name: String, known_tags: &BTreeSet<&str>, feeds: usize, folder: &Path) -> OutputConfig {
    let default = OutputConfig::default();
    // An output named otherwise is hardly all the news.
    let title = if name == "news" { default.title } else { name.clone() };
    OutputConfig {
        title: table.text("title", &title),
        per_feed: table.number("per_feed", default.per_feed),
        order: table.choice("order", &Order::NAMES).unwrap_or(default.order),
        window: table.duration("window", default.window),
        limit: table.number("limit", default.limit),
        source_in_title: table.flag("source_in_title", default.source_in_title),
        on_coverage: table.choice("on_coverage", &OnCoverage::NAMES).unwrap_or(default.on_coverage),
        content: table.choice("content", &Content::NAMES).unwrap_or(default.content),
        coverage: table.choice("coverage", &Coverage::NAMES).unwrap_or(default.coverage),
        bump_at: table.numbers("bump_at"),
        formats: formats(table).unwrap_or(default.formats),
        directory: directory(table, folder),
        compress: table.flag("compress", default.compress),
        after: after(table),
        formerly: table.list("formerly", "\"old-name\"", fit_name),
        token: token(table, folder),
        name,
        ..selection(table, default.min_sources, known_tags, feeds)
    }
}

/// Which stories a table asks for, with all else as in an output that says nothing.
pub(super) fn selection(
    table: &Table<'_>,
    min_sources: usize,
    known_tags: &BTreeSet<&str>,
    feeds: usize,
) -> OutputConfig {
    let query = table.get("query").and_then(|value| {
        value.parsed("\"ferry -strike\"", |text| {
            if text.matches('"').count() % 2 > 0 {
                return Err("has a quote that is not closed; write one at both ends of a phrase".to_owned());
            }
            if text.trim().is_empty() { Ok(None) } else { Query::parse(text).map(Some) }
        })?
    });
    let min_sources = table.number("min_sources", min_sources);
    if feeds > 0
        && min_sources > feeds
        && let Some(value) = table.get("min_sources")
    {
        value.warning(&format!(
            "is more than there are feeds ({feeds}), so nothing would be shown; write {feeds} or less"
        ));
    }
    let rules = |key| table.list(key, "\"title ~ '(?i)kim'\"", Rule::parse);
    OutputConfig {
        tags: tags(table, known_tags, feeds > 0),
        keep: rules("keep"),
        drop: rules("drop"),
        query,
        min_sources,
        ..OutputConfig::default()
    }
}

fn tags(table: &Table<'_>, known_tags: &BTreeSet<&str>, any_feeds: bool) -> Vec<String> {
    table.list("tags", "\"world\"", |text| {
        let known = || known_tags.iter().copied();
        if !any_feeds || known_tags.contains(text) {
            return Ok(text.to_owned());
        }
        Err(match nearest(text, known()) {
            Some(near) => format!("is on no feed; did you mean `{near}`?"),
            None if known_tags.is_empty() => "is on no feed; no feed has `tags`".to_owned(),
            None => {
                let known: Vec<&str> = known().take(10).collect();
                format!("is on no feed; feeds have {}", listed(&known))
            }
        })
    })
}

fn formats(table: &Table<'_>) -> Option<Vec<Format>> {
    let value = table.get("formats")?;
    let mut formats: Vec<Format> = Vec::new();
    let items: Vec<_> = value.items("\"atom\"").collect();
    if items.is_empty() && value.is_list() {
        value.problem("is empty, so nothing would be published; name at least one of `atom`, `rss`, `json`, `html`");
    }
    for item in items {
        let format = item.parsed("\"atom\"", |text| one_of(text, &Format::NAMES));
        if let Some(format) = format.filter(|format| !formats.contains(format)) {
            formats.push(format);
        }
    }
    Some(formats)
}

/// The command that follows changed files, which there are only in a `directory`.
fn after(table: &Table<'_>) -> Vec<String> {
    let command = table.list("after", "\"rsync\"", |text| Ok(text.to_owned()));
    let is_written =
        table.get("directory").and_then(|value| value.text("\"public\"")).is_some_and(|text| !text.is_empty());
    if let Some(value) = table.get("after").filter(|_| !command.is_empty() && !is_written) {
        value.problem("follows files, and there are none without a `directory`; name one");
    }
    command
}

/// When an output tells of what came since the last time.
fn digest(table: &Table<'_>, timezone: Tz) -> Option<Crontab> {
    let value = table.get("digest")?;
    for key in ["order", "per_feed", "bump_at", "on_coverage", "source_in_title", "content", "coverage"] {
        if let Some(other) = table.get(key) {
            other
                .problem("says how stories are shown, and a `digest` lists them in one entry; take one of the two out");
        }
    }
    value.parsed("\"0 7 * * *\"", |text| {
        if text.is_empty() {
            return Ok(None);
        }
        Crontab::parse(text, timezone).map(Some).map_err(|error| error.to_string())
    })?
}

/// What a reader has to know. It stands in addresses and is sent as a password, so that it has to be hard to guess.
fn token(table: &Table<'_>, folder: &Path) -> Option<Secret> {
    let value = table.get("token")?;
    let token = secret(&value, folder)?;
    if let Secret::Literal(text) = &token
        && text.chars().count() < SHORTEST_TOKEN
    {
        value.problem(&format!(
            "is easily guessed; write {SHORTEST_TOKEN} characters or more, such as `openssl rand -hex 16` prints"
        ));
    }
    Some(token)
}

fn directory(table: &Table<'_>, folder: &Path) -> Option<std::path::PathBuf> {
    let text = table.get("directory")?.text("\"public\"")?;
    (!text.is_empty()).then(|| folder.join(text))
}
