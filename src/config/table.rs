//! Reads TOML tables key by key, and notes every fault instead of stopping at the first.
//!
//! Pure. It knows TOML, places and types; which keys there are and between which bounds stands in `keys`, what they mean is
//! `read`'s work.

use super::keys::{Key, Kind};
use super::problem::{Problem, place};
use crate::units;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Collects problems and warnings by their place in the text.
pub(super) struct Notes<'t> {
    text: &'t str,
    /// Where each line begins: a large configuration asks for the line of every feed.
    line_starts: Vec<usize>,
    pub(super) file: &'t Path,
    problems: RefCell<Vec<(usize, String)>>,
    warnings: RefCell<Vec<(usize, String)>>,
}

impl<'t> Notes<'t> {
    pub(super) fn new(text: &'t str, file: &'t Path) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, line_starts, file, problems: RefCell::default(), warnings: RefCell::default() }
    }

    pub(super) fn problem(&self, at: usize, message: String) {
        self.problems.borrow_mut().push((at, message));
    }

    pub(super) fn warning(&self, at: usize, message: String) {
        self.warnings.borrow_mut().push((at, message));
    }

    /// The line of the byte at `at`, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= at)
    }

    /// Where something stands, told in a message about `other`: by its line, and by its file where that is another.
    pub(super) fn place(&self, at: usize, other: &Self) -> String {
        let line = self.line(at);
        if self.file == other.file { format!("line {line}") } else { format!("line {line} of {}", self.file.display()) }
    }

    /// Problems and warnings, each in the order of the file.
    pub(super) fn into_lists(self) -> (Vec<Problem>, Vec<Problem>) {
        let Self { text, file, problems, warnings, .. } = self;
        let placed = |notes: RefCell<Vec<(usize, String)>>| {
            let mut notes = notes.into_inner();
            notes.sort_by_key(|(at, _)| *at);
            notes
                .into_iter()
                .map(|(at, message)| {
                    let (line, column) = place(text, at);
                    Problem { file: file.to_owned(), line, column, message }
                })
                .collect()
        };
        (placed(problems), placed(warnings))
    }
}

/// A table of the file, or the empty one that stands for a missing section.
pub(super) struct Table<'t> {
    pub(super) notes: &'t Notes<'t>,
    /// What messages put before a key: `poll.`, or ``feed `example`: ``.
    pub(super) subject: String,
    /// Where the table begins.
    pub(super) at: usize,
    /// Every key that may stand here.
    keys: &'static [Key],
    entries: Option<&'t DeTable<'t>>,
}

impl<'t> Table<'t> {
    /// Opens a table and notes its unknown keys.
    ///
    /// `elsewhere` says where a key that is unknown here belongs, if it belongs somewhere.
    pub(super) fn open(
        notes: &'t Notes<'t>,
        subject: String,
        at: usize,
        keys: &'static [Key],
        entries: Option<&'t DeTable<'t>>,
        elsewhere: impl Fn(&str) -> Option<String>,
    ) -> Self {
        for (key, _) in entries.into_iter().flatten() {
            let name: &str = key.get_ref();
            // An empty key is what the parser makes of a line it could not read.
            let known = || keys.iter().map(|key| key.name);
            if !name.is_empty() && !known().any(|key| key == name) {
                let cure = nearest(name, known())
                    .map(|near| format!("did you mean `{near}`?"))
                    .or_else(|| elsewhere(name))
                    .unwrap_or_else(|| format!("the keys here are {}", listed(&known().collect::<Vec<_>>())));
                notes.problem(
                    key.span().start,
                    format!("{subject}unknown key `{name}`; {cure}", subject = subject_of_key(&subject)),
                );
            }
        }
        Self { notes, subject, at, keys, entries }
    }

    /// Whether it is one of the `[[section]]`s.
    pub(super) fn is_of(&self, section: &str) -> bool {
        self.subject.split([' ', '.']).next() == Some(section)
    }

    /// The value of `key`, if the file gives one.
    pub(super) fn get(&self, key: &'static str) -> Option<Value<'t>> {
        debug_assert!(self.kind(key).is_some(), "`{key}` is not among the keys");
        let (name, value) = self.entries?.get_key_value(key)?;
        Some(Value {
            notes: self.notes,
            subject: format!("{}{key}", self.subject),
            key,
            key_at: name.span().start,
            at: value.span().start,
            value: value.get_ref(),
        })
    }

    /// The keys that may stand in the section of this name within.
    pub(super) fn keys_below(&self, name: &str) -> &'static [Key] {
        self.keys.iter().find(|known| known.name == name).map_or(&[], Key::below)
    }

    /// How the heading of the section of this name within is written.
    pub(super) fn heading_of(&self, name: &str) -> String {
        format!("[{}{name}]", self.subject)
    }

    /// What `key` takes.
    fn kind(&self, key: &str) -> Option<Kind> {
        self.keys.iter().find(|known| known.name == key).map(|known| known.kind)
    }

    /// A length of time within its bounds.
    pub(super) fn duration(&self, key: &'static str, default: Duration) -> Duration {
        let (Some(value), Some(Kind::Duration(least, most))) = (self.get(key), self.kind(key)) else {
            return default;
        };
        let (least, most) = (Duration::from_secs(least), Duration::from_secs(most));
        let like = format!("\"{}\"", units::print_duration(default));
        value
            .parsed(&like, |text| {
                let read = units::duration(text)?;
                if read < least {
                    let least = units::print_duration(least);
                    return Err(format!("is too short; write `{least}` or more"));
                }
                if read > most {
                    let most = units::print_duration(most);
                    return Err(format!("is too long; write `{most}` or less"));
                }
                Ok(read)
            })
            .unwrap_or(default)
    }

    /// A size within its bounds. `like` is how one is written.
    pub(super) fn size(&self, key: &'static str, like: u64) -> Option<u64> {
        let (Some(value), Some(Kind::Size(least, most))) = (self.get(key), self.kind(key)) else {
            return None;
        };
        let [like, smallest, largest] = [like, least, most].map(units::print_size);
        value.parsed(&format!("\"{like}\""), |text| {
            let read = units::size(text)?;
            if !(least..=most).contains(&read) {
                return Err(format!("is out of range; write a size from `{smallest}` to `{largest}`"));
            }
            Ok(read)
        })
    }

    /// A whole number within its bounds.
    pub(super) fn number<N>(&self, key: &'static str, default: N) -> N
    where
        N: TryFrom<i64> + Copy + std::fmt::Display,
    {
        let (Some(value), Some(Kind::Number(least, most))) = (self.get(key), self.kind(key)) else {
            return default;
        };
        value.number(&default, (least, most)).unwrap_or(default)
    }

    /// A list of whole numbers within their bounds; each once, in ascending order.
    pub(super) fn numbers(&self, key: &'static str) -> Vec<usize> {
        let (Some(value), Some(Kind::Numbers(least, most))) = (self.get(key), self.kind(key)) else {
            return Vec::new();
        };
        let like = least.to_string();
        let numbers: BTreeSet<usize> =
            value.items(&like).filter_map(|item| item.number(&least, (least, most))).collect();
        numbers.into_iter().collect()
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, key: &'static str, default: bool) -> bool {
        let Some(value) = self.get(key) else {
            return default;
        };
        value.value.as_bool().unwrap_or_else(|| {
            value.wrong_type("`true` or `false`", &default.to_string());
            default
        })
    }

    /// Text as it stands.
    pub(super) fn text(&self, key: &'static str, default: &str) -> String {
        self.get(key).and_then(|value| value.text(&format!("\"{default}\""))).unwrap_or(default).to_owned()
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let like = format!("\"{}\"", choices.first().map_or("", |(name, _)| name));
        self.get(key)?.parsed(&like, |text| one_of(text, choices))
    }

    /// A list of texts, each read by `read`; what could not be read is noted and left out.
    pub(super) fn list<T>(&self, key: &'static str, like: &str, read: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        self.get(key)
            .map(|value| value.items(like).filter_map(|item| item.parsed(like, &read)).collect())
            .unwrap_or_default()
    }
}

/// A value of the file and its place.
pub(super) struct Value<'t> {
    notes: &'t Notes<'t>,
    /// What messages call it: `poll.interval`, or ``feed `example`: interval``.
    subject: String,
    key: &'static str,
    /// Where the key stands.
    pub(super) key_at: usize,
    /// Where the value stands.
    pub(super) at: usize,
    value: &'t DeValue<'t>,
}

impl<'t> Value<'t> {
    /// Notes a problem of this value: its subject, then `message`.
    pub(super) fn problem(&self, message: &str) {
        self.notes.problem(self.at, format!("{} {message}", self.subject));
    }

    /// Notes a warning about this value: its subject, then `message`.
    pub(super) fn warning(&self, message: &str) {
        self.notes.warning(self.at, format!("{} {message}", self.subject));
    }

    /// The text; another type is noted. `like` is how such a value is written.
    pub(super) fn text(&self, like: &str) -> Option<&'t str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.wrong_type("a string", like);
        }
        text
    }

    /// The text read by `read`, whose error stands behind the text in the message.
    pub(super) fn parsed<T>(&self, like: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let text = self.text(like)?;
        read(text).map_err(|error| self.problem(&format!("`{}` {error}", shown(text)))).ok()
    }

    /// As [`Value::parsed`], for text that may hold a secret: the message does not repeat it.
    pub(super) fn parsed_unseen<T>(&self, like: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        read(self.text(like)?).map_err(|error| self.problem(&error)).ok()
    }

    /// The items of a list; another type is noted and has none.
    pub(super) fn items(&self, like: &str) -> impl Iterator<Item = Value<'t>> {
        let items = self.value.as_array();
        if items.is_none() {
            self.wrong_type("a list", &format!("[{like}]"));
        }
        items.into_iter().flat_map(|items| items.iter()).map(|item| self.inner(item))
    }

    /// The table, or `None` without a note when it is something else.
    pub(super) fn table(&self) -> Option<&'t DeTable<'t>> {
        self.value.as_table()
    }

    /// A value within this one, which messages call by this one's name.
    pub(super) fn inner(&self, inner: &'t Spanned<DeValue<'t>>) -> Self {
        Self {
            notes: self.notes,
            subject: self.subject.clone(),
            key: self.key,
            key_at: self.key_at,
            at: inner.span().start,
            value: inner.get_ref(),
        }
    }

    /// Whether it is text; the question is no fault.
    pub(super) fn is_text(&self) -> bool {
        self.value.is_str()
    }

    /// Whether it is a list; the question is no fault.
    pub(super) fn is_list(&self) -> bool {
        self.value.is_array()
    }

    /// The tables of an array of tables with their places, or `None` when it is something else.
    pub(super) fn tables(&self) -> Option<Vec<(usize, &'t DeTable<'t>)>> {
        self.value.as_array()?.iter().map(|item| Some((item.span().start, item.get_ref().as_table()?))).collect()
    }

    /// Notes that the type is another than the one wanted. `like` is how it is written.
    pub(super) fn wrong_type(&self, wanted: &str, like: &str) {
        let found = match self.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a fraction",
            DeValue::Boolean(_) => "`true` or `false`",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let like = if matches!(self.value, DeValue::Array(_)) || wanted != "a list" {
            format!("{} = {like}", self.key)
        } else {
            format!("{} = {like}, in square brackets", self.key)
        };
        self.problem(&format!("must be {wanted}, not {found}; write it like `{like}`"));
    }

    fn number<N: TryFrom<i64>>(&self, like: &dyn std::fmt::Display, (least, most): (i64, i64)) -> Option<N> {
        let Some(integer) = self.value.as_integer() else {
            self.wrong_type("a whole number", &like.to_string());
            return None;
        };
        let number = i64::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .filter(|number| (least..=most).contains(number))
            .and_then(|number| N::try_from(number).ok());
        if number.is_none() {
            let number = integer.as_str();
            self.problem(&format!("`{number}` is out of range; write a number from {least} to {most}"));
        }
        number
    }
}

/// Finds `text` among named choices.
///
/// # Errors
///
/// Names the nearest choice, or all of them.
pub(super) fn one_of<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == text) {
        return Ok(*choice);
    }
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    Err(match nearest(text, names.iter().copied()) {
        Some(near) => format!("is unknown; did you mean `{near}`?"),
        None => format!("is unknown; write one of {}", listed(&names)),
    })
}

/// The name most like `text`, if one is like it at all.
pub(super) fn nearest<'n>(text: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let text = text.to_lowercase();
    names
        .map(|name| (strsim::damerau_levenshtein(&text, &name.to_lowercase()), name))
        .min()
        .filter(|(distance, name)| *distance <= (name.chars().count() / 3).clamp(1, 3))
        .map(|(_, name)| name)
}

/// Names in backticks, with commas.
pub(super) fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// Text for a message: on one line, and not a page of it.
pub(super) fn shown(text: &str) -> String {
    let one_line: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    match one_line.char_indices().nth(100) {
        Some((cut, _)) => format!("{}…", one_line.get(..cut).unwrap_or_default()),
        None => one_line,
    }
}

/// `poll.` becomes `[poll]: ` before a key that does not exist; ``feed `x`: `` stays.
fn subject_of_key(subject: &str) -> String {
    match subject.strip_suffix('.') {
        Some(section) => format!("[{section}]: "),
        None => subject.to_owned(),
    }
}
