//! From the text of a configuration file to a [`Config`], or to everything that is wrong with it.
//!
//! Pure but for `load`, which opens the files: no secret is fetched.
//! The defaults stand here, the keys with their bounds in `keys`, their meaning for people in `config/newsfold.toml`, and tests
//! hold the three together.

pub mod commented;
pub mod edit;
mod feed;
mod keys;
pub mod load;
mod notify;
mod output;
mod problem;
mod query;
mod read;
pub mod rules;
mod schema;
mod table;

pub use feed::FeedNames;
pub use output::SHORTEST_TOKEN;
pub use problem::{Problem, Problems};
pub use query::Query;
pub use rules::{Judged, Rule, RuleField};
pub use schema::schema;

use crate::model::{Level, Profile};
use crate::schedule::{Cadence, Crontab};
use chrono_tz::Tz;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// The commented configuration with every key at its default.
pub const COMMENTED: &str = include_str!("../config/newsfold.toml");

/// Reads a configuration with the files in `feeds.d` beside it, whose feeds come behind its own. Their paths are relative to the
/// folder of `file`, too.
///
/// # Errors
///
/// Every problem of the files, in their order.
pub fn from_files(text: &str, file: &Path, further: &[Further]) -> Result<Config, Problems> {
    read::config(text, file, further)
}

/// A file with feeds alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Further {
    /// As it is named in messages.
    pub file: PathBuf,
    /// What stands in it.
    pub text: String,
}

/// A configuration that was checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The file it was read from, as given to [`from_files`].
    pub file: PathBuf,
    /// `[store]`
    pub store: StoreConfig,
    /// `[poll]`
    pub poll: PollConfig,
    /// `[fold]`
    pub fold: FoldConfig,
    /// `[serve]`
    pub serve: ServeConfig,
    /// Each `[[feed]]`, in the order of the files, and each `[[list]]` behind them.
    pub feeds: Vec<Arc<FeedConfig>>,
    /// The files that feeds stand in, in their order, each with how many these are.
    pub feed_files: Vec<(PathBuf, usize)>,
    /// Each `[[output]]`, in the order of the file; never empty.
    pub outputs: Vec<OutputConfig>,
    /// Each `[[notify]]`, in the order of the file.
    pub notify: Vec<NotifyConfig>,
    /// What is allowed but hardly meant.
    pub warnings: Vec<Problem>,
}

impl Config {
    /// The file that the feed at this position stands in, and its position there.
    #[must_use]
    pub fn place_of_feed(&self, mut position: usize) -> Option<(&Path, usize)> {
        for (file, count) in &self.feed_files {
            if position < *count {
                return Some((file, position));
            }
            position -= count;
        }
        None
    }

    /// Whether an address is that of a document of one of the outputs, as readers know it.
    #[must_use]
    pub fn is_own_output(&self, address: &Url) -> bool {
        let Some(path) = address.as_str().strip_prefix(self.serve.public_url.as_str()) else { return false };
        let path = path.split(['?', '#']).next().unwrap_or_default();
        // What is private has its name behind its token.
        let name = path.strip_prefix("t/").and_then(|path| path.split_once('/')).map_or(path, |(_, path)| path);
        self.outputs.iter().any(|output| {
            let ending = name.strip_prefix(&output.name).and_then(|ending| ending.strip_prefix('.'));
            ending.is_some_and(|ending| ["atom", "rss", "json"].contains(&ending))
        })
    }

    /// The file of the store.
    ///
    /// A relative `store.path` is relative to `state_directory` (systemd's `$STATE_DIRECTORY`) if there is one, else to the configuration file.
    pub fn store_path(&self, state_directory: Option<&Path>) -> PathBuf {
        state_directory.unwrap_or_else(|| folder(&self.file)).join(&self.store.path)
    }
}

/// Where entries are kept, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// As given; [`Config::store_path`] says which file it is.
    pub path: PathBuf,
    /// Entries last seen in their feed longer ago are pruned.
    pub keep: Duration,
    /// Entries that left their feed are pruned earlier while the store is larger; `None` for no limit.
    pub max_size_bytes: Option<u64>,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { path: PathBuf::from("newsfold.db"), keep: Duration::from_secs(90 * 86_400), max_size_bytes: None }
    }
}

/// How feeds are polled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollConfig {
    /// For feeds that have none of their own.
    pub cadence: Cadence,
    /// The zone of all crontab lines.
    pub timezone: Tz,
    /// No feed is polled more often.
    pub min_interval: Duration,
    /// Polls at a time.
    pub concurrency: usize,
    /// Requests at a time to one host.
    pub per_host: usize,
    /// From the end of a request to the next one to the same host.
    pub per_host_gap: Duration,
    /// For a whole poll, redirects and body included.
    pub timeout: Duration,
    /// The largest document that is read, counted after decompression.
    pub max_body_bytes: u64,
    /// Entries older than this when their feed is first polled are stored, not published as new.
    pub backfill: Duration,
    /// Where publishers reach whoever runs this: a web address or one for mail.
    pub contact: Option<String>,
    /// What newsfold calls itself, with the contact.
    pub user_agent: String,
    /// Private networks that feeds may live in.
    pub allow_networks: Vec<IpNet>,
    /// The proxy all requests go through.
    pub proxy: Option<Url>,
}

impl Default for PollConfig {
    fn default() -> Self {
        Self {
            cadence: Cadence::default(),
            timezone: Tz::UTC,
            min_interval: Duration::from_secs(300),
            concurrency: 32,
            per_host: 1,
            per_host_gap: Duration::from_secs(1),
            timeout: Duration::from_secs(30),
            max_body_bytes: 16 << 20,
            backfill: Duration::from_secs(7 * 86_400),
            contact: None,
            user_agent: read::user_agent_of(read::USER_AGENT, None),
            allow_networks: Vec::new(),
            proxy: None,
        }
    }
}

/// How entries are folded into stories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldConfig {
    /// For feeds that have none of their own.
    pub level: Level,
    /// Which way the fold leans.
    pub profile: Profile,
    /// How far apart in time two tellings of one story may be.
    pub window: Duration,
    /// Who knows tellings in other languages for one another; `None`: nobody.
    pub encoder: Option<EncoderConfig>,
}

/// A server that makes vectors of texts, which are near each other where the texts say the same, whatever their languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncoderConfig {
    /// Where it is asked: the whole address of its `embeddings`.
    pub url: Url,
    /// Which of its models; empty is the one that it has.
    pub model: String,
    /// What it asks for, sent as a bearer token (RFC 6750 §2.1).
    pub key: Option<Secret>,
    /// Put before each text.
    pub prefix: String,
    /// How long an answer may take.
    pub patience: Duration,
}

impl Default for FoldConfig {
    fn default() -> Self {
        Self {
            level: Level::default(),
            profile: Profile::default(),
            window: Duration::from_secs(3 * 86_400),
            encoder: None,
        }
    }
}

/// Where the merged feeds are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeConfig {
    /// Where to listen, unless systemd passes sockets.
    pub listen: Listen,
    /// The mode of a Unix socket: who may connect to it, as far as its folder lets them.
    pub socket_mode: u32,
    /// The group of a Unix socket; `None` is that of the process.
    pub socket_group: Option<String>,
    /// Where operators look; [`Listen::Off`] is where readers do, as long as those are on this machine.
    pub admin: Listen,
    /// The zone of the times on pages.
    pub timezone: Tz,
    /// Where readers find us; ends in `/`.
    pub public_url: Url,
    /// Whether to subscribe to hubs.
    pub websub: bool,
    /// The hub to ping when an output changed.
    pub hub: Option<Url>,
    /// A folder of templates that stand in for those of the program, absolute.
    pub templates: Option<PathBuf>,
}

impl Default for ServeConfig {
    fn default() -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
        Self {
            listen: Listen::Tcp(listen),
            socket_mode: 0o660,
            socket_group: None,
            admin: Listen::Off,
            timezone: Tz::UTC,
            public_url: read::public_url_of(listen),
            websub: false,
            hub: None,
            templates: None,
        }
    }
}

impl ServeConfig {
    /// What of this is in force in a daemon that goes on listening as it was told before: what it publishes names no address
    /// at which nobody answers.
    #[must_use]
    pub fn as_long_as_it_listens(self, before: &Self) -> Self {
        let follows = self.public_url == read::public_url_at(&self.listen);
        let public_url = if follows { read::public_url_at(&before.listen) } else { self.public_url };
        Self { listen: before.listen.clone(), admin: before.admin.clone(), public_url, ..self }
    }
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Nowhere: nothing is served.
    Off,
    /// An address and port.
    Tcp(SocketAddr),
    /// The path of a Unix socket, absolute.
    Unix(PathBuf),
}

impl fmt::Display for Listen {
    /// As it is written in the configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => Ok(()),
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A feed to poll.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedConfig {
    /// Its address: `https`, `http`, or an absolute `file`.
    pub url: Url,
    /// What it is called in logs, messages and commands; unique.
    pub name: String,
    /// Whether the name was made from the address, so that the feed's own title may be shown instead.
    pub name_is_derived: bool,
    /// What outputs choose it by.
    pub tags: Vec<String>,
    /// Its own cadence; `None` is that of `[poll]`.
    pub cadence: Option<Cadence>,
    /// A feed with a higher one speaks for a story first.
    pub priority: i32,
    /// The site whose pages are the feed's own; `None` is that of its address.
    pub home: Option<Url>,
    /// Its own level; `None` is that of `[fold]`.
    pub fold: Option<Level>,
    /// Whether its word counts on who else tells a story.
    pub is_aggregator: bool,
    /// An entry is kept if one of these matches; empty keeps all.
    pub keep: Vec<Rule>,
    /// An entry is dropped if one of these matches, kept or not.
    pub drop: Vec<Rule>,
    /// Whether its address is kept from strangers; `None`: if it looks as if it held a key.
    pub is_private: Option<bool>,
    /// How it is reached, and with which credentials.
    pub access: Arc<Access>,
    /// What it is.
    pub role: Role,
}

/// What the document at a feed's address is to us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// A feed that the configuration names.
    #[default]
    Feed,
    /// A list of feeds (`[[list]]`).
    List,
    /// A feed that a list of this name names,
    Listed(String),
    /// or named once: what it told stays, and it is not asked any more.
    Left(String),
}

/// How a feed is reached, and with which credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Access {
    /// For Basic authentication, with `password`.
    pub username: Option<String>,
    /// For Basic authentication, with `username`.
    pub password: Option<Secret>,
    /// Further request headers, by name.
    pub headers: Vec<(String, Secret)>,
    /// The proxy that its requests go through: its own, or that of `[poll]`.
    pub proxy: Option<Url>,
    /// A file with the certificates of further authorities to trust, absolute.
    pub ca: Option<PathBuf>,
}

/// A secret, or where it is kept; fetching it is the caller's work.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Secret {
    /// The secret itself, in the configuration.
    Literal(String),
    /// The content of a file, absolute; a line break at its end does not count.
    File(PathBuf),
    /// The value of an environment variable.
    Env(String),
    /// The name of a systemd credential (`LoadCredential=`).
    Credential(String),
}

impl fmt::Debug for Secret {
    /// Never prints the secret itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(_) => f.write_str("Literal(…)"),
            Self::File(path) => write!(f, "File({path:?})"),
            Self::Env(name) => write!(f, "Env({name:?})"),
            Self::Credential(name) => write!(f, "Credential({name:?})"),
        }
    }
}

/// A merged feed to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputConfig {
    /// Served at `/NAME.atom` and so on; unique, fit for an address.
    pub name: String,
    /// What readers show as its title.
    pub title: String,
    /// Only stories of feeds with one of these tags; empty is every feed.
    pub tags: Vec<String>,
    /// Only stories told by so many feeds.
    pub min_sources: usize,
    /// The most stories that one feed may lead; 0 is no cap.
    pub per_feed: usize,
    /// The most stories.
    pub limit: usize,
    /// The forms it is published in, each once.
    pub formats: Vec<Format>,
    /// Where it is also written as files, absolute.
    pub directory: Option<PathBuf>,
    /// Whether each of those files has a `.gz` and a `.br` beside it.
    pub compress: bool,
    /// A command, and what it is given, that is run when one of those files changed; empty is none.
    pub after: Vec<String>,
    /// A story is shown if its canonical entry fits one of these; empty shows all.
    pub keep: Vec<Rule>,
    /// A story is left out if its canonical entry fits one of these, kept or not.
    pub drop: Vec<Rule>,
    /// What must be found in one of a story's tellings; `None` asks for nothing.
    pub query: Option<Query>,
    /// What stands first.
    pub order: Order,
    /// How far back `order = "coverage"` counts.
    pub window: Duration,
    /// Whether the name of the source stands before each title.
    pub source_in_title: bool,
    /// What another telling of a story does to it.
    pub on_coverage: OnCoverage,
    /// How much of each entry is passed on.
    pub content: Content,
    /// How an entry says who else tells its story.
    pub coverage: Coverage,
    /// With so many sources a story counts as updated, once each; in ascending order.
    pub bump_at: Vec<usize>,
    /// Names that it had before: their addresses lead to this one.
    pub formerly: Vec<String>,
    /// When it tells of the stories since the last time, in one entry; `None`: it shows each story by itself.
    pub digest: Option<Crontab>,
    /// What a reader has to know to see it; `None` is for everybody.
    pub token: Option<Secret>,
}

/// Somebody to be told of stories, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifyConfig {
    /// What it is called in the log and in the store; unique.
    pub name: String,
    /// Of which stories, and from how many feeds on.
    pub selection: OutputConfig,
    /// Where it is sent, a web address.
    pub url: Secret,
    /// How.
    pub method: NotifyMethod,
    /// Further request headers, by name.
    pub headers: Vec<(String, Secret)>,
    /// A template of what is sent.
    pub body: String,
}

/// How somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum NotifyMethod {
    /// As nearly everybody wants it.
    #[default]
    Post,
    /// As Matrix does.
    Put,
}

impl NotifyMethod {
    /// Both with their names in the configuration, which are those of HTTP.
    pub const NAMES: [(&'static str, Self); 2] = [("POST", Self::Post), ("PUT", Self::Put)];
}

/// What stands first in an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Order {
    /// The newest story.
    #[default]
    Newest,
    /// The story that most sources tell.
    Coverage,
}

impl Order {
    /// Every order with its name in the configuration.
    pub const NAMES: [(&'static str, Self); 2] = [("newest", Self::Newest), ("coverage", Self::Coverage)];
}

/// What another telling does to a story that readers have seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum OnCoverage {
    /// Its text grows, and its dates stay.
    #[default]
    Quiet,
    /// It counts as updated, so that readers who show updates show it again.
    Bump,
}

impl OnCoverage {
    /// Both with their names in the configuration.
    pub const NAMES: [(&'static str, Self); 2] = [("quiet", Self::Quiet), ("bump", Self::Bump)];
}

/// How much of an entry is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Content {
    /// All of it.
    #[default]
    Full,
    /// Its short form, or the beginning of its text.
    Summary,
    /// Its title and where it is.
    None,
}

impl Content {
    /// Each with its name in the configuration.
    pub const NAMES: [(&'static str, Self); 3] =
        [("full", Self::Full), ("summary", Self::Summary), ("none", Self::None)];
}

/// How an entry says who else tells its story.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Coverage {
    /// By a list that grows, and a line that leads to the story's page.
    #[default]
    List,
    /// By that line alone, which stays as it is.
    Link,
    /// Not in its text.
    None,
}

impl Coverage {
    /// Each with its name in the configuration.
    pub const NAMES: [(&'static str, Self); 3] = [("list", Self::List), ("link", Self::Link), ("none", Self::None)];
}

impl Default for OutputConfig {
    fn default() -> Self {
        Self {
            name: "news".to_owned(),
            title: "All the news".to_owned(),
            tags: Vec::new(),
            min_sources: 1,
            per_feed: 0,
            limit: 100,
            formats: Format::NAMES.iter().map(|(_, format)| *format).collect(),
            directory: None,
            compress: false,
            after: Vec::new(),
            keep: Vec::new(),
            drop: Vec::new(),
            query: None,
            order: Order::default(),
            window: Duration::from_secs(86_400),
            source_in_title: false,
            on_coverage: OnCoverage::default(),
            content: Content::default(),
            coverage: Coverage::default(),
            bump_at: Vec::new(),
            formerly: Vec::new(),
            digest: None,
            token: None,
        }
    }
}

/// A form in which an output is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Atom (RFC 4287).
    Atom,
    /// RSS 2.0.
    Rss,
    /// JSON Feed 1.1.
    Json,
    /// A page for people.
    Html,
}

impl Format {
    /// Every format with its name in the configuration.
    pub const NAMES: [(&'static str, Self); 4] =
        [("atom", Self::Atom), ("rss", Self::Rss), ("json", Self::Json), ("html", Self::Html)];
}

/// The folder of a file.
fn folder(file: &Path) -> &Path {
    file.parent().unwrap_or(file)
}

/// Reads a configuration.
///
/// `file` names the file in messages; its folder is what relative paths and `file:` addresses are relative to, so it should be absolute.
///
/// # Errors
///
/// Every problem of the file, in its order; to be shown to whoever wrote it.
#[cfg(test)]
pub(crate) fn from_toml(text: &str, file: &Path) -> Result<Config, Problems> {
    from_files(text, file, &[])
}

#[cfg(test)]
mod tests;
