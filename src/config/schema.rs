//! A JSON Schema of the configuration, for editors and for whoever makes the file by a program.
//!
//! Pure. Made of the table of `keys` and the words of the commented file. It knows less than the reader: whether a crontab line
//! is one, or a name is taken, is for `newsfold check` to say.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::COMMENTED;
use super::commented::{Part, parts};
use super::feed::SECRET_KEYS;
use super::keys::{self, Key, Kind};
use super::rules::RuleField;
use crate::units::{print_duration, print_size};
use std::time::Duration;

const DURATION: &str = r"^\s*([0-9]+\s*(w|d|h|m|s|ms)\s*)+$";
const SIZE: &str = r"^\s*[0-9]+\s*([KkMmGg][Ii]?)?[Bb]\s*$";

/// What the commented file says of a key.
#[derive(Debug, Default)]
struct Said<'t> {
    words: Vec<&'t str>,
    /// The line that sets it, and whether it does, or is only shown.
    line: Option<(&'t str, bool)>,
}

/// What it says of all of them: by the heading above, then by the name; of a section itself under no name.
type Words<'t> = HashMap<&'t str, HashMap<&'t str, Said<'t>>>;

/// The schema (JSON Schema draft 7).
#[must_use]
pub fn schema() -> Value {
    let said = said_of_keys(COMMENTED);
    let mut root = table(keys::ROOT, "", &said);
    root.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
    root.insert("title".to_owned(), json!("newsfold.toml"));
    root.insert("description".to_owned(), json!("The configuration of newsfold."));
    Value::Object(root)
}

fn said_of_keys(commented: &str) -> Words<'_> {
    let mut said = Words::new();
    let mut heading = "";
    for part in parts(commented) {
        match part {
            Part::Heading(found) => heading = found,
            Part::Said { keys, words } if keys.is_empty() => {
                said.entry(heading).or_default().entry("").or_default().words.extend(words);
            }
            Part::Said { keys, words } => {
                for (line, sets) in keys {
                    let name = line.split_once(" = ").map_or(line, |(name, _)| name);
                    said.entry(heading)
                        .or_default()
                        .insert(name, Said { words: words.clone(), line: Some((line, sets)) });
                }
            }
        }
    }
    said
}

/// A table in which these keys may stand and no others.
fn table(keys: &[Key], heading: &str, said: &Words<'_>) -> Map<String, Value> {
    let properties: Map<String, Value> =
        keys.iter().map(|key| (key.name.to_owned(), Value::Object(property(key, heading, said)))).collect();
    let needed: Vec<&str> = keys.iter().filter(|key| key.is_needed).map(|key| key.name).collect();
    let mut table = object(json!({ "type": "object", "additionalProperties": false, "properties": properties }));
    if !needed.is_empty() {
        table.insert("required".to_owned(), json!(needed));
    }
    table
}

/// What one key takes, and what is said of it.
fn property(key: &Key, heading: &str, said: &Words<'_>) -> Map<String, Value> {
    let own = key.heading(heading);
    let (mut property, bounds) = match key.kind {
        Kind::Section(keys) => (table(keys, &own, said), None),
        Kind::Tables(keys) => (object(json!({ "type": "array", "items": table(keys, &own, said) })), None),
        kind => (object(value(kind)), bounds(kind)),
    };
    let found = match key.is_section() {
        true => said.get(own.as_str()).and_then(|below| below.get("")),
        false => said.get(heading).and_then(|below| below.get(key.name)),
    };
    let mut words = found.map(|said| said.words.join("\n")).unwrap_or_default();
    if let Some(bounds) = bounds {
        words = format!("{words}\n{bounds}").trim_start().to_owned();
    }
    if !words.is_empty() {
        property.insert("description".to_owned(), json!(words));
    }
    if let Some((line, sets)) = found.and_then(|said| said.line)
        && let Some(shown) = value_in(line)
    {
        // The tables of a list are shown by an example; a section stands at its defaults.
        let is_default = sets && !heading.starts_with("[[");
        let (name, shown) = if is_default { ("default", shown) } else { ("examples", json!([shown])) };
        property.insert(name.to_owned(), shown);
    }
    property
}

/// What a value has to look like.
fn value(kind: Kind) -> Value {
    let duration = json!({ "type": "string", "pattern": DURATION });
    let text = json!({ "type": "string" });
    let places: Map<String, Value> = SECRET_KEYS.iter().map(|place| ((*place).to_owned(), text.clone())).collect();
    let kept = json!({ "type": "object", "additionalProperties": false, "properties": places, "minProperties": 1, "maxProperties": 1 });
    let secret = json!({ "anyOf": [text, kept] });
    match kind {
        Kind::Section(_) | Kind::Tables(_) => json!({}),
        Kind::Text => text,
        Kind::Secret => secret,
        Kind::Secrets => json!({ "type": "object", "additionalProperties": secret }),
        Kind::Duration(..) => duration,
        Kind::Interval => json!({ "anyOf": [{ "const": "auto" }, duration] }),
        Kind::Size(..) => json!({ "type": "string", "pattern": SIZE }),
        Kind::Number(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Numbers(least, most) => list(&json!({ "type": "integer", "minimum": least, "maximum": most }), 0),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Choice(names) => json!({ "enum": names }),
        Kind::Choices(names) => list(&json!({ "enum": names }), 1),
        Kind::Texts => list(&text, 0),
        Kind::Rules => list(&json!({ "type": "string", "pattern": rule() }), 0),
    }
}

/// What a rule has to look like.
fn rule() -> String {
    let fields = RuleField::NAMES.map(|(name, _)| name).join("|");
    format!(r#"^\s*({fields})\s*~\s*('.*'|".*")\s*$"#)
}

fn list(items: &Value, least: usize) -> Value {
    json!({ "type": "array", "items": items, "minItems": least })
}

/// Bounds that no schema can hold a text to, in words.
fn bounds(kind: Kind) -> Option<String> {
    let length = |seconds| print_duration(Duration::from_secs(seconds));
    match kind {
        Kind::Duration(least, keys::CENTURY) => Some(format!("{} or more.", length(least))),
        Kind::Duration(least, most) => Some(format!("From {} to {}.", length(least), length(most))),
        Kind::Size(least, most) => Some(format!("From {} to {}.", print_size(least), print_size(most))),
        _ => None,
    }
}

/// The value that a line of TOML gives to its key.
fn value_in(line: &str) -> Option<Value> {
    let (_, value) = toml::from_str::<toml::Table>(line).ok()?.into_iter().next()?;
    serde_json::to_value(value).ok()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_words_and_every_line_of_the_commented_file_a_key() {
        let mut said = said_of_keys(COMMENTED);
        let mut unsaid = Vec::new();
        let sections = keys::sections();
        for (heading, keys) in &sections {
            let mut below = said.remove(heading.as_str()).unwrap_or_default();
            below.remove("");
            for key in keys {
                if below.remove(key.name).is_none_or(|found| found.words.is_empty()) {
                    unsaid.push(format!("{heading} {}", key.name));
                }
            }
            assert!(below.is_empty(), "{heading}: {below:?} is not in the table of keys");
        }
        assert_eq!(unsaid, [""; 0], "config/newsfold.toml does not tell of these");
        assert_eq!(said.into_keys().collect::<Vec<_>>(), [""], "a heading that is not in the table of keys");
    }

    #[test]
    fn what_the_commented_file_shows_is_of_the_kind_that_the_table_has() {
        let said = said_of_keys(COMMENTED);
        for (heading, keys) in keys::sections() {
            for key in keys {
                let (line, _) = said[heading.as_str()][key.name].line.unwrap();
                let shown = value_in(line).unwrap();
                let fits = match key.kind {
                    Kind::Number(least, most) => shown.as_i64().is_some_and(|number| (least..=most).contains(&number)),
                    Kind::Flag => shown.is_boolean(),
                    Kind::Secrets => shown.is_object(),
                    Kind::Secret => shown.is_object() || shown.is_string(),
                    Kind::Numbers(..) | Kind::Choices(_) | Kind::Texts | Kind::Rules => shown.is_array(),
                    Kind::Choice(names) => shown.as_str().is_some_and(|name| names.contains(&name)),
                    _ => shown.is_string(),
                };
                assert!(fits, "{line}: {:?}", key.kind);
            }
        }
    }

    #[test]
    fn it_says_what_the_table_and_the_commented_file_say() {
        let schema = schema();
        let timeout = &schema["properties"]["poll"]["properties"]["timeout"];
        assert_eq!(timeout["default"], "30s");
        assert_eq!(timeout["description"], "For a whole poll, redirects and body included; 1s to 1h.\nFrom 1s to 1h.");
        let concurrency = &schema["properties"]["poll"]["properties"]["concurrency"];
        assert_eq!((concurrency["minimum"].as_i64(), concurrency["maximum"].as_i64()), (Some(1), Some(1_000)));
        let feed = &schema["properties"]["feed"]["items"];
        assert_eq!(feed["required"], json!(["url"]));
        assert_eq!(feed["properties"]["tags"]["examples"], json!([["world"]]));
        assert_eq!(feed["properties"]["fold"]["enum"], json!(["off", "link", "copy", "story"]));
    }
}
