//! What a `[[feed]]` may hold: its address, its name, and what is needed to read it.
//!
//! Pure. Secrets stay where they are until `fetch` needs them.

use super::read::{cadence, proxy, web_address};
use super::table::{Notes, Table, Value, listed, shown};
use super::{Access, FeedConfig, PollConfig, Role, Rule, Secret};
use crate::model::Level;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use url::Url;

/// The ways to give a secret that is kept elsewhere.
pub(super) const SECRET_KEYS: &[&str] = &["file", "env", "credential"];

/// Headers that newsfold sets itself, or that would break the request.
const OWN_HEADERS: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-length",
    "host",
    "if-modified-since",
    "if-none-match",
    "range",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Reads every `[[feed]]`; one without a usable address is noted and left out.
pub(super) fn feeds(tables: &[Table<'_>], poll: &PollConfig, folder: &Path) -> Vec<Arc<FeedConfig>> {
    let mut names: BTreeMap<String, (&Notes<'_>, usize)> = BTreeMap::new();
    let mut urls: BTreeMap<Url, (String, &Notes<'_>, usize)> = BTreeMap::new();
    let mut spellings: BTreeMap<String, (String, &Notes<'_>, usize)> = BTreeMap::new();
    let mut feeds = Vec::new();
    for table in tables {
        let name = name(table);
        if let Some((name, at)) = &name {
            if let Some((notes, first)) = names.get(name) {
                let first = notes.place(*first, table.notes);
                table.notes.problem(
                    *at,
                    format!("feed `{name}`: the feed on {first} has this name too; give one of the two another"),
                );
            } else {
                names.insert(name.clone(), (table.notes, *at));
            }
        }
        let url = url(table, folder);
        let feed = settings(table, poll, folder);
        let Some((url, at)) = url else {
            continue;
        };
        let mut document = url.clone();
        document.set_fragment(None);
        if let Some((first, notes, first_at)) = urls.get(&document) {
            let first_place = notes.place(*first_at, table.notes);
            table.notes.problem(
                at,
                format!("{}url is also that of {first} on {first_place}; take one of the two out", table.subject),
            );
        } else {
            let label = table.subject.trim_end_matches(": ").to_owned();
            if let Some((first, notes, first_at)) = spellings.get(&spelling(&document)) {
                let first_place = notes.place(*first_at, table.notes);
                table.notes.warning(
                    at,
                    format!(
                        "{}url looks like that of {first} on {first_place} in another spelling; if it is the same feed, take one of the two out",
                        table.subject
                    ),
                );
            }
            spellings.insert(spelling(&document), (label.clone(), table.notes, at));
            urls.insert(document, (label, table.notes, at));
        }
        feeds.push(FeedConfig {
            url,
            name_is_derived: name.is_none(),
            role: if table.is_of("list") { Role::List } else { Role::Feed },
            name: name.map(|(name, _)| name).unwrap_or_default(),
            ..feed
        });
    }
    let mut names = FeedNames::of(names.into_keys());
    for feed in feeds.iter_mut().filter(|feed| feed.name_is_derived) {
        feed.name = names.derive(&feed.url);
    }
    feeds.into_iter().map(Arc::new).collect()
}

/// What addresses have in common that most likely lead to one document: with encryption or without, with `www.` or without,
/// with a slash at the end or without.
fn spelling(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}{port}{}{query}", host.trim_start_matches("www."), url.path().trim_end_matches('/'))
}

/// The names of feeds, each once.
pub struct FeedNames {
    taken: HashSet<String>,
    /// Up to which number a name that addresses give was asked for.
    numbers: HashMap<String, u64>,
}

impl FeedNames {
    /// These names.
    pub fn of(names: impl IntoIterator<Item = String>) -> Self {
        Self { taken: names.into_iter().collect(), numbers: HashMap::new() }
    }

    /// Takes a name, if it is free.
    pub fn take(&mut self, name: &str) -> bool {
        self.taken.insert(name.to_owned())
    }

    /// A name made from an address, taken: its host without `www.`, or its file without what follows the dot; numbered from the
    /// second on.
    pub fn derive(&mut self, url: &Url) -> String {
        let base = match url.host_str() {
            Some(host) => host.trim_start_matches("www.").to_owned(),
            None => url
                .path_segments()
                .and_then(|mut segments| segments.next_back())
                .and_then(|file| file.split('.').next())
                .filter(|stem| !stem.is_empty())
                .unwrap_or("feed")
                .to_owned(),
        };
        let number = self.numbers.entry(base.clone()).or_default();
        loop {
            *number += 1;
            let name = if *number == 1 { base.clone() } else { format!("{base}-{number}") };
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }
}

/// Everything but address and name.
fn settings(table: &Table<'_>, poll: &PollConfig, folder: &Path) -> FeedConfig {
    let username = table.get("username").and_then(|value| value.text("\"me\"")).map(str::to_owned);
    let password = table.get("password").and_then(|value| secret(&value, folder));
    if table.get("username").is_some() != table.get("password").is_some() {
        table
            .notes
            .problem(table.at, format!("{}only one of `username` and `password` is given; give both", table.subject));
    }
    // How entries are taken in is said of feeds alone.
    let own = |key| if table.is_of("list") { None } else { table.get(key) };
    FeedConfig {
        url: Url::parse("about:blank").expect("it is an address"),
        name: String::new(),
        name_is_derived: true,
        tags: tags(table),
        cadence: cadence(table, poll.timezone, poll.min_interval),
        priority: own("priority").map_or(0, |_| table.number("priority", 0)),
        home: own("home").and_then(|value| value.parsed("\"https://example.org/\"", web_address)),
        fold: own("fold").and_then(|_| table.choice("fold", &Level::NAMES)),
        is_aggregator: own("aggregator").is_some() && table.flag("aggregator", false),
        keep: own("keep").map(|_| table.list("keep", "\"title ~ '(?i)budget'\"", Rule::parse)).unwrap_or_default(),
        drop: own("drop").map(|_| table.list("drop", "\"title ~ '(?i)advert'\"", Rule::parse)).unwrap_or_default(),
        is_private: table.get("private").is_some().then(|| table.flag("private", false)),
        role: Role::Feed,
        access: Arc::new(Access {
            username,
            password,
            headers: headers(table, folder),
            proxy: table.get("proxy").map_or_else(|| poll.proxy.clone(), |value| proxy(&value)),
            ca: table.get("ca").and_then(|value| value.text("\"authority.pem\"")).map(|file| folder.join(file)),
        }),
    }
}

/// The name and where it stands.
fn name(table: &Table<'_>) -> Option<(String, usize)> {
    let value = table.get("name")?;
    let name = value.parsed("\"example\"", |text| {
        if text.trim().is_empty() {
            return Err("is empty; write a short name, or leave it out".to_owned());
        }
        if text.chars().any(char::is_control) || text.chars().count() > 100 {
            return Err("does not fit on a line; write a short name".to_owned());
        }
        Ok(text.trim().to_owned())
    })?;
    Some((name, value.at))
}

/// The address and where it stands.
fn url(table: &Table<'_>, folder: &Path) -> Option<(Url, usize)> {
    let Some(value) = table.get("url") else {
        table.notes.problem(table.at, format!("{}it has no `url`; write `url = \"https://…\"`", table.subject));
        return None;
    };
    let url = value.parsed_unseen("\"https://example.org/feed.xml\"", |text| {
        feed_address(text, folder).map_err(|error| format!("`{}` {error}", without_secrets(text)))
    })?;
    if !url.username().is_empty() || url.password().is_some() {
        value.problem("holds a user name or password; write them as `username` and `password`");
    }
    Some((url, value.at))
}

/// An address for a message, which may end up in a log: without query and user, which may hold a reader's token.
fn without_secrets(text: &str) -> String {
    let (address, query) = match text.split_once('?') {
        Some((address, _)) => (address, "?…"),
        None => (text, ""),
    };
    let (scheme, rest) = address.split_once("//").unwrap_or(("", address));
    let address = match rest.split_once('@') {
        Some((_, rest)) => format!("{scheme}//…@{rest}"),
        None => address.to_owned(),
    };
    shown(&format!("{address}{query}"))
}

/// Reads `https:`, `http:` and `file:`; a `file:` without slashes is relative to `folder`.
fn feed_address(text: &str, folder: &Path) -> Result<Url, String> {
    let cure = "write `https://…`, `http://…`, or `file:PATH`";
    let Some((scheme, _)) = text.split_once(':') else {
        return Err(format!("has no scheme; {cure}"));
    };
    if !scheme.eq_ignore_ascii_case("file") {
        return web_address(text).map_err(|error| match error.split_once("; ") {
            Some((fault, _)) => format!("{fault}; {cure}"),
            None => error,
        });
    }
    let base = Url::from_directory_path(folder);
    let url = Url::options()
        .base_url(base.as_ref().ok())
        .parse(text)
        .map_err(|_no_base| "is relative, but the folder of this file is not known; write `file:///…`".to_owned())?;
    if url.host_str().is_some_and(|host| !host.is_empty()) {
        return Err("names a host; write `file:PATH` for this folder, or `file:///…` with three slashes".to_owned());
    }
    if url.path().ends_with('/') {
        return Err("names a folder; write the path of a file".to_owned());
    }
    Ok(url)
}

fn tags(table: &Table<'_>) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for tag in table.list("tags", "\"world\"", |text| {
        if text.trim().is_empty() || text.chars().any(char::is_control) {
            return Err("is no tag; write a short word".to_owned());
        }
        Ok(text.trim().to_owned())
    }) {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

pub(super) fn headers(table: &Table<'_>, folder: &Path) -> Vec<(String, Secret)> {
    let Some(value) = table.get("headers") else {
        return Vec::new();
    };
    let Some(entries) = value.table() else {
        value.wrong_type("a table", "{ X-Api-Key = { file = \"example.key\" } }");
        return Vec::new();
    };
    let mut headers = Vec::new();
    for (name, header) in entries {
        let header = value.inner(header);
        let name: &str = name.get_ref();
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(is_token) {
            header.problem(&format!("has `{name}`, which is no name of a header; write letters, digits and `-`"));
        } else if OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            header.problem(&format!("has `{name}`, which newsfold sets itself; take it out"));
        } else if let Some(secret) = secret(&header, folder) {
            if matches!(&secret, Secret::Literal(value) if value.contains(['\r', '\n', '\0'])) {
                header.problem(&format!("has `{name}` with a line break, which no header can hold; take it out"));
            }
            headers.push((name.to_owned(), secret));
        }
    }
    headers
}

/// Reads a secret, given as text or as where it is kept.
pub(super) fn secret(value: &Value<'_>, folder: &Path) -> Option<Secret> {
    const LIKE: &str = "{ file = \"…\" }";
    if value.is_text() {
        return Some(Secret::Literal(value.text(LIKE)?.to_owned()));
    }
    let Some(entries) = value.table() else {
        value.wrong_type("a string or a table", LIKE);
        return None;
    };
    let cure = format!("write one of {}, as in `{LIKE}`", listed(SECRET_KEYS));
    let mut entries = entries.iter();
    let (Some((key, place)), None) = (entries.next(), entries.next()) else {
        value.problem(&format!("does not say where one secret is kept; {cure}"));
        return None;
    };
    let key: &str = key.get_ref();
    let Some(place) = place.get_ref().as_str().filter(|place| !place.is_empty()) else {
        value.problem(&format!("has no name for its `{key}`; {cure}"));
        return None;
    };
    match key {
        "file" => Some(Secret::File(folder.join(place))),
        "env" => Some(Secret::Env(place.to_owned())),
        "credential" => Some(Secret::Credential(place.to_owned())),
        _ => {
            value.problem(&format!("has the unknown key `{key}`; {cure}"));
            None
        }
    }
}
