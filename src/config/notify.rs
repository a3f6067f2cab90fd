//! What a `[[notify]]` may hold: of which stories somebody is told, where and how.
//!
//! Pure.

use super::feed::{headers, secret};
use super::output;
use super::read::web_address;
use super::table::{Table, listed, nearest};
use super::{NotifyConfig, NotifyMethod, OutputConfig, Secret};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What is sent where nothing else is configured.
const BODY: &str = "{{ title }}\n{{ url }}\n";

/// Reads every `[[notify]]`. One that names an output tells of the stories of that.
pub(super) fn notify(
    tables: &[Table<'_>],
    outputs: &[OutputConfig],
    known_tags: &BTreeSet<&str>,
    feeds: usize,
    folder: &Path,
) -> Vec<NotifyConfig> {
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    let mut found = Vec::new();
    for table in tables {
        let url = url(table, folder);
        let name = table.text("name", &name_after(url.as_ref()));
        let line = table.notes.line(table.at);
        if let Some(first) = lines.insert(name.clone(), line) {
            table.notes.problem(
                table.at,
                format!(
                    "notify `{name}`: another on line {first} has this name; give one of the two a `name` of its own"
                ),
            );
        }
        let of_output = of_output(table, outputs);
        let min_sources = of_output.map_or(OutputConfig::default().min_sources, |output| output.min_sources);
        let asked = output::selection(table, min_sources, known_tags, feeds);
        let selection = match of_output {
            Some(output) => OutputConfig { min_sources: asked.min_sources, ..output.clone() },
            None => asked,
        };
        // All of it is read, so that one fault hides no other.
        let method = table.choice("method", &NotifyMethod::NAMES).unwrap_or_default();
        let (headers, body) = (headers(table, folder), table.text("body", BODY));
        found.extend(url.map(|url| NotifyConfig { name, selection, url, method, headers, body }));
    }
    found
}

/// The output that a table names; it says which stories, so that nothing else may.
fn of_output<'o>(table: &Table<'_>, outputs: &'o [OutputConfig]) -> Option<&'o OutputConfig> {
    let value = table.get("output")?;
    for key in ["tags", "query", "keep", "drop"] {
        if let Some(other) = table.get(key) {
            other.problem("says which stories, and so does `output`; take one of the two out");
        }
    }
    value.parsed("\"news\"", |text| {
        let names = || outputs.iter().map(|output| output.name.as_str());
        outputs.iter().find(|output| output.name == text).ok_or_else(|| match nearest(text, names()) {
            Some(near) => format!("is no output; did you mean `{near}`?"),
            None => format!("is no output; write one of {}", listed(&names().collect::<Vec<_>>())),
        })
    })
}

/// Where it is sent. Many such addresses are secrets.
fn url(table: &Table<'_>, folder: &Path) -> Option<Secret> {
    let Some(value) = table.get("url") else {
        table.notes.problem(
            table.at,
            format!("{}it has no `url`; write where it is sent, `url = \"https://…\"`", table.subject),
        );
        return None;
    };
    let secret = secret(&value, folder)?;
    if let Secret::Literal(_) = &secret {
        value.parsed_unseen("\"https://ntfy.example/world\"", web_address)?;
    }
    Some(secret)
}

/// The host that is told, where that is no secret.
fn name_after(url: Option<&Secret>) -> String {
    let host = match url {
        Some(Secret::Literal(text)) => web_address(text).ok().and_then(|url| url.host_str().map(str::to_owned)),
        _ => None,
    };
    host.unwrap_or_else(|| "notify".to_owned())
}
