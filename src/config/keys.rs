//! Every key of the configuration: what kind of value it takes, and between which bounds.
//!
//! Pure. The one table of keys: the reader knows these and no others and holds values to these bounds, and `schema` says the
//! same to editors, with the words of `config/newsfold.toml`. Whoever adds a key adds a line here; tests compare the two files
//! and the reader.

use super::{Content, Coverage, Format, NotifyMethod, OnCoverage, Order};
use crate::model::{Level, Profile};

/// A key, and what it takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    /// As it is written.
    pub(super) name: &'static str,
    /// What it takes.
    pub(super) kind: Kind,
    /// Whether its table is wrong without it.
    pub(super) is_needed: bool,
}

/// What a key takes. Bounds are included.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A section, `[poll]`.
    Section(&'static [Key]),
    /// Any number of tables, `[[feed]]`.
    Tables(&'static [Key]),
    /// Text; what it has to be is for the reader to say.
    Text,
    /// Text, or where it is kept.
    Secret,
    /// A table of names and secrets.
    Secrets,
    /// A length of time, in seconds.
    Duration(u64, u64),
    /// A length of time, or `auto`; its bounds are those of `poll.min_interval`.
    Interval,
    /// A size in bytes.
    Size(u64, u64),
    /// A whole number.
    Number(i64, i64),
    /// A list of whole numbers.
    Numbers(i64, i64),
    /// `true` or `false`.
    Flag,
    /// One of these.
    Choice(&'static [&'static str]),
    /// A list of these, of at least one.
    Choices(&'static [&'static str]),
    /// A list of texts.
    Texts,
    /// A list of rules.
    Rules,
}

const fn key(name: &'static str, kind: Kind) -> Key {
    Key { name, kind, is_needed: false }
}

const fn needed(name: &'static str, kind: Kind) -> Key {
    Key { name, kind, is_needed: true }
}

/// The names of choices.
const fn names<T: Copy, const N: usize>(choices: [(&'static str, T); N]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut at = 0;
    while at < N {
        names[at] = choices[at].0;
        at += 1;
    }
    names
}

const MINUTE: u64 = 60;
const DAY: u64 = 86_400;
/// Beyond every sensible length, and far within what times can be reckoned with.
pub(super) const CENTURY: u64 = 36_500 * DAY;

/// What stands at the top.
pub(super) const ROOT: &[Key] = &[
    key("store", Kind::Section(STORE)),
    key("poll", Kind::Section(POLL)),
    key("fold", Kind::Section(FOLD)),
    key("serve", Kind::Section(SERVE)),
    key("feed", Kind::Tables(FEED)),
    key("list", Kind::Tables(LIST)),
    key("output", Kind::Tables(OUTPUT)),
    key("notify", Kind::Tables(NOTIFY)),
];

/// What stands at the top of the files below `feeds.d`.
pub(super) const FURTHER: &[Key] = &[key("feed", Kind::Tables(FEED))];

const STORE: &[Key] = &[
    key("path", Kind::Text),
    key("keep", Kind::Duration(MINUTE, CENTURY)),
    key("max_size", Kind::Size(16 << 20, 1 << 50)),
];

const POLL: &[Key] = &[
    key("interval", Kind::Interval),
    key("schedule", Kind::Text),
    key("timezone", Kind::Text),
    key("min_interval", Kind::Duration(1, DAY)),
    key("concurrency", Kind::Number(1, 1_000)),
    key("per_host", Kind::Number(1, 100)),
    key("per_host_gap", Kind::Duration(0, 60 * MINUTE)),
    key("timeout", Kind::Duration(1, 60 * MINUTE)),
    key("max_body", Kind::Size(1 << 10, 1 << 30)),
    key("backfill", Kind::Duration(0, CENTURY)),
    key("contact", Kind::Text),
    key("user_agent", Kind::Text),
    key("allow_networks", Kind::Texts),
    key("proxy", Kind::Text),
];

const FOLD: &[Key] = &[
    key("level", Kind::Choice(&names(Level::NAMES))),
    key("profile", Kind::Choice(&names(Profile::NAMES))),
    key("window", Kind::Duration(MINUTE, CENTURY)),
    key("encoder", Kind::Section(ENCODER)),
];

const ENCODER: &[Key] = &[
    key("url", Kind::Text),
    key("model", Kind::Text),
    key("key", Kind::Secret),
    key("prefix", Kind::Text),
    key("patience", Kind::Duration(1, 10 * MINUTE)),
    key("fold", Kind::Flag),
];

const SERVE: &[Key] = &[
    key("listen", Kind::Text),
    key("socket_mode", Kind::Text),
    key("socket_group", Kind::Text),
    key("admin", Kind::Text),
    key("timezone", Kind::Text),
    key("public_url", Kind::Text),
    key("websub", Kind::Flag),
    key("hub", Kind::Text),
    key("templates", Kind::Text),
];

const FEED: &[Key] = &[
    needed("url", Kind::Text),
    key("name", Kind::Text),
    key("tags", Kind::Texts),
    key("interval", Kind::Interval),
    key("schedule", Kind::Text),
    key("priority", Kind::Number(-1_000_000, 1_000_000)),
    key("home", Kind::Text),
    key("fold", Kind::Choice(&names(Level::NAMES))),
    key("aggregator", Kind::Flag),
    key("keep", Kind::Rules),
    key("drop", Kind::Rules),
    key("username", Kind::Text),
    key("password", Kind::Secret),
    key("headers", Kind::Secrets),
    key("proxy", Kind::Text),
    key("ca", Kind::Text),
    key("private", Kind::Flag),
];

const LIST: &[Key] = &[
    needed("url", Kind::Text),
    key("name", Kind::Text),
    key("tags", Kind::Texts),
    key("interval", Kind::Interval),
    key("schedule", Kind::Text),
    key("username", Kind::Text),
    key("password", Kind::Secret),
    key("headers", Kind::Secrets),
    key("proxy", Kind::Text),
    key("ca", Kind::Text),
    key("private", Kind::Flag),
];

const OUTPUT: &[Key] = &[
    key("name", Kind::Text),
    key("title", Kind::Text),
    key("tags", Kind::Texts),
    key("keep", Kind::Rules),
    key("drop", Kind::Rules),
    key("query", Kind::Text),
    key("min_sources", Kind::Number(1, 1_000)),
    key("per_feed", Kind::Number(0, 10_000)),
    key("order", Kind::Choice(&names(Order::NAMES))),
    key("window", Kind::Duration(MINUTE, CENTURY)),
    key("limit", Kind::Number(1, 10_000)),
    key("source_in_title", Kind::Flag),
    key("on_coverage", Kind::Choice(&names(OnCoverage::NAMES))),
    key("bump_at", Kind::Numbers(2, 1_000)),
    key("content", Kind::Choice(&names(Content::NAMES))),
    key("coverage", Kind::Choice(&names(Coverage::NAMES))),
    key("formats", Kind::Choices(&names(Format::NAMES))),
    key("directory", Kind::Text),
    key("compress", Kind::Flag),
    key("after", Kind::Texts),
    key("formerly", Kind::Texts),
    key("digest", Kind::Text),
    key("token", Kind::Secret),
];

const NOTIFY: &[Key] = &[
    key("name", Kind::Text),
    key("output", Kind::Text),
    key("tags", Kind::Texts),
    key("keep", Kind::Rules),
    key("drop", Kind::Rules),
    key("query", Kind::Text),
    key("min_sources", Kind::Number(1, 1_000)),
    needed("url", Kind::Secret),
    key("method", Kind::Choice(&names(NotifyMethod::NAMES))),
    key("headers", Kind::Secrets),
    key("body", Kind::Text),
];

impl Key {
    /// The keys that may stand below this one.
    pub(super) fn below(&self) -> &'static [Self] {
        match self.kind {
            Kind::Section(keys) | Kind::Tables(keys) => keys,
            _ => &[],
        }
    }

    /// How its heading is written, where it is a section or has tables, below the heading `above`, which is empty at the top.
    pub(super) fn heading(&self, above: &str) -> String {
        match (self.kind, above.trim_matches(['[', ']'])) {
            (Kind::Tables(_), _) => format!("[[{}]]", self.name),
            (_, "") => format!("[{}]", self.name),
            (_, above) => format!("[{above}.{}]", self.name),
        }
    }

    /// Whether it is a section or has tables, so that it has keys of its own and no value.
    pub(super) fn is_section(&self) -> bool {
        matches!(self.kind, Kind::Section(_) | Kind::Tables(_))
    }
}

/// Every section by its heading, those within another behind it, with the keys that have values there.
#[cfg(test)]
pub(super) fn sections() -> Vec<(String, Vec<&'static Key>)> {
    let mut found = Vec::new();
    let mut next: Vec<(&'static Key, String)> = ROOT.iter().rev().map(|section| (section, String::new())).collect();
    while let Some((section, above)) = next.pop() {
        let heading = section.heading(&above);
        let (sections, keys): (Vec<_>, Vec<_>) = section.below().iter().partition(|key| key.is_section());
        next.extend(sections.into_iter().map(|section| (section, heading.clone())));
        found.push((heading, keys));
    }
    found
}
