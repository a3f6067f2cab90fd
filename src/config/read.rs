//! What each section of the configuration may hold, and what it means.
//!
//! Pure. Feeds are read by `feed`; types and places are `table`'s work.

use super::keys::{self, Key};
use super::problem::{Problem, Problems};
use super::table::{Notes, Table, Value, nearest, shown};
use super::{
    Config, EncoderConfig, FoldConfig, Further, Listen, OutputConfig, PollConfig, ServeConfig, StoreConfig, feed,
    folder, notify, output,
};
use crate::model::{Level, Profile};
use crate::schedule::{Cadence, Crontab};
use crate::units;
use chrono_tz::Tz;
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use toml::Spanned;
use toml::de::DeTable;
use url::Url;

/// The least interval that does not call for a warning.
const POLITE_INTERVAL: Duration = Duration::from_secs(300);

/// So many feeds are polled without asking for a contact.
const UNREMARKED_FEEDS: usize = 5;

/// Reads a configuration and the files with further feeds.
pub(super) fn config(text: &str, file: &Path, further: &[Further]) -> Result<Config, Problems> {
    let main = Document::parse(text, file);
    let further: Vec<Document<'_>> =
        further.iter().map(|further| Document::parse(&further.text, &further.file)).collect();
    let mut config = sections(&main, &further, file);
    let (mut problems, mut warnings) = (Vec::new(), Vec::new());
    for document in std::iter::once(main).chain(further) {
        let (wrong, doubtful) = document.into_lists();
        problems.extend(wrong);
        warnings.extend(doubtful);
    }
    if problems.is_empty() {
        config.warnings = warnings;
        Ok(config)
    } else {
        Err(Problems(problems))
    }
}

/// A file, as far as it could be read.
struct Document<'t> {
    notes: Notes<'t>,
    root: Spanned<DeTable<'t>>,
    broken_lines: BTreeSet<usize>,
}

impl<'t> Document<'t> {
    fn parse(text: &'t str, file: &'t Path) -> Self {
        let notes = Notes::new(text, file);
        let (root, errors) = DeTable::parse_recoverable(text);
        let mut broken_lines = BTreeSet::new();
        for error in &errors {
            let at = error.span().map_or(0, |span| span.start);
            broken_lines.insert(notes.line(at));
            notes.problem(at, syntax_problem(text, at, error.message()));
        }
        Self { notes, root, broken_lines }
    }

    /// Its problems and its warnings.
    fn into_lists(self) -> (Vec<Problem>, Vec<Problem>) {
        let (mut problems, warnings) = self.notes.into_lists();
        if !self.broken_lines.is_empty() {
            // What stands on a line that could not be read is the parser's guess, and no second fault;
            // nor are keys that seem to stand at the top because the section above was not read.
            let mut seen = BTreeSet::new();
            problems.retain(|problem| {
                (!self.broken_lines.contains(&problem.line) && !problem.message.starts_with("unknown key"))
                    || (problem.message.starts_with(SYNTAX) && seen.insert(problem.line))
            });
        }
        (problems, warnings)
    }
}

const SYNTAX: &str = "this is no TOML: ";

/// Words for a fault that the TOML parser found.
fn syntax_problem(text: &str, at: usize, message: &str) -> String {
    let rest = text.get(at..).unwrap_or_default();
    let ends_here = rest.trim_start_matches([' ', '\t', '\r']).starts_with('\n') || rest.is_empty();
    let fault = if message.starts_with("string values must be quoted") && ends_here {
        "the value is missing; write one after `=`, or take the line out".to_owned()
    } else if message.starts_with("string values must be quoted") {
        "text needs quotes; write it as `\"…\"`".to_owned()
    } else if message.starts_with("duplicate key") {
        "this key was given before; take one of the two out".to_owned()
    } else {
        message.replacen(", expected", "; expected", 1)
    };
    format!("{SYNTAX}{fault}")
}

fn sections<'t>(main: &'t Document<'t>, further: &'t [Document<'t>], file: &'t Path) -> Config {
    let notes = &main.notes;
    let root = Table::open(notes, String::new(), 0, keys::ROOT, Some(main.root.get_ref()), owner_of_key);
    let folder = folder(file);
    let store = store(&section(&root, "store"));
    let poll_section = section(&root, "poll");
    let poll = poll(&poll_section);
    let fold_section = section(&root, "fold");
    let fold = FoldConfig { encoder: encoder(&within(&fold_section, "encoder"), folder), ..fold(&fold_section) };
    let serve = serve(&section(&root, "serve"), folder);
    if store.keep < fold.window {
        notes.warning(
            0,
            "store.keep is shorter than fold.window, so stories lose tellings too early; lengthen store.keep"
                .to_owned(),
        );
    }
    let mut tables = array(&root, "feed");
    let mut feed_files = vec![(file.to_owned(), tables.len())];
    for document in further {
        let found = further_feeds(document, file);
        feed_files.push((document.notes.file.to_owned(), found.len()));
        tables.extend(found);
    }
    let lists = array(&root, "list");
    // How many feeds lists name is not known here.
    let most_feeds = if lists.is_empty() { tables.len() } else { usize::MAX };
    tables.extend(lists);
    let feeds = feed::feeds(&tables, &poll, folder);
    if feeds.is_empty() {
        notes.warning(
            0,
            "no feed is configured, so there is nothing to poll; add a `[[feed]]` with its `url`".to_owned(),
        );
    }
    if poll.min_interval < POLITE_INTERVAL
        && feeds.iter().any(|feed| feed.url.scheme() != "file")
        && let Some(value) = poll_section.get("min_interval")
    {
        value.warning("is below 5m, which many publishers take amiss; use it for feeds of your own");
    }
    let polled = feeds.iter().filter(|feed| feed.url.scheme() != "file").count();
    if polled > UNREMARKED_FEEDS && poll.contact.is_none() && poll_section.get("user_agent").is_none() {
        let message = format!(
            "poll.contact is not set, and {polled} feeds are polled; give an address where their publishers reach you, \
             so that they write before they block"
        );
        notes.warning(poll_section.at, message);
    }
    let tags: BTreeSet<&str> = feeds.iter().flat_map(|feed| feed.tags.iter().map(String::as_str)).collect();
    let mut outputs = output::outputs(&array(&root, "output"), &tags, most_feeds, folder, poll.timezone);
    if outputs.is_empty() {
        outputs.push(OutputConfig::default());
    }
    let notify = notify::notify(&array(&root, "notify"), &outputs, &tags, most_feeds, folder);
    let (file, warnings) = (file.to_owned(), Vec::new());
    let mut config = Config { file, store, poll, fold, serve, feeds, feed_files, outputs, notify, warnings };
    // What is told here, told once more, is no source.
    let own: Vec<bool> = config.feeds.iter().map(|feed| config.is_own_output(&feed.url)).collect();
    for (feed, _) in config.feeds.iter_mut().zip(own).filter(|(_, is_own)| *is_own) {
        Arc::make_mut(feed).is_aggregator = true;
    }
    for url in tables.iter().filter_map(|table| table.get("url")).filter(Value::is_text) {
        if url.text("").and_then(|text| Url::parse(text).ok()).is_some_and(|url| config.is_own_output(&url)) {
            url.warning(
                "is that of an output of this newsfold, which tells nothing that is not known here; take it out",
            );
        }
    }
    config
}

/// Opens the feeds of a file that may hold nothing else.
fn further_feeds<'t>(document: &'t Document<'t>, main: &Path) -> Vec<Table<'t>> {
    let main = main.file_name().unwrap_or_default().display();
    let elsewhere = |_: &str| Some(format!("only `[[feed]]` may stand here; write it into {main}"));
    let root = Table::open(&document.notes, String::new(), 0, keys::FURTHER, Some(document.root.get_ref()), elsewhere);
    array(&root, "feed")
}

/// Opens `[name]`, which need not be there.
fn section<'t>(root: &Table<'t>, name: &'static str) -> Table<'t> {
    let value = root.get(name);
    let entries = value.as_ref().and_then(|value| {
        let entries = value.table();
        if entries.is_none() {
            value.problem(&format!("must be a section; write `[{name}]` on a line of its own and its keys below"));
        }
        entries
    });
    let at = value.map_or(0, |value| value.key_at);
    Table::open(root.notes, format!("{name}."), at, keys_of(name), entries, |key| belongs_elsewhere(key, name))
}

/// Opens `[above.name]`, which need not be there.
fn within<'t>(above: &Table<'t>, name: &'static str) -> Table<'t> {
    let value = above.get(name);
    let heading = above.heading_of(name);
    let entries = value.as_ref().and_then(|value| {
        let entries = value.table();
        if entries.is_none() {
            value.problem(&format!("must be a section; write `{heading}` on a line of its own and its keys below"));
        }
        entries
    });
    let at = value.map_or(0, |value| value.key_at);
    Table::open(above.notes, format!("{}{name}.", above.subject), at, above.keys_below(name), entries, owner_of_key)
}

/// Opens each `[[name]]`.
fn array<'t>(root: &Table<'t>, name: &'static str) -> Vec<Table<'t>> {
    let Some(value) = root.get(name) else {
        return Vec::new();
    };
    let Some(tables) = value.tables() else {
        value.problem(&format!("is written with two brackets; write `[[{name}]]` above the keys of each"));
        return Vec::new();
    };
    tables
        .into_iter()
        .enumerate()
        .map(|(index, (at, entries))| {
            let label = entries
                .get("name")
                .and_then(|label| label.get_ref().as_str())
                .filter(|label| !label.trim().is_empty())
                .map_or_else(|| format!("{name} {}: ", index + 1), |label| format!("{name} `{}`: ", shown(label)));
            Table::open(root.notes, label, at, keys_of(name), Some(entries), |key| belongs_elsewhere(key, name))
        })
        .collect()
}

fn keys_of(section: &str) -> &'static [Key] {
    keys::ROOT.iter().find(|known| known.name == section).map_or(&[], Key::below)
}

/// The section that knows `key`, as it is written.
fn owner_of(key: &str) -> Option<String> {
    let owner = keys::ROOT.iter().find(|section| section.below().iter().any(|known| known.name == key))?;
    Some(format!("`{}`", owner.heading("")))
}

fn owner_of_key(key: &str) -> Option<String> {
    owner_of(key).map(|owner| format!("it belongs below {owner}"))
}

fn belongs_elsewhere(key: &str, here: &str) -> Option<String> {
    if keys::ROOT.iter().any(|section| section.name == key) && key != here {
        return None;
    }
    owner_of_key(key)
}

fn store(table: &Table<'_>) -> StoreConfig {
    let default = StoreConfig::default();
    let path = table
        .get("path")
        .and_then(|value| {
            value.parsed("\"newsfold.db\"", |text| {
                if text.trim().is_empty() {
                    return Err("is empty; write the name of a file".to_owned());
                }
                Ok(PathBuf::from(text))
            })
        })
        .unwrap_or(default.path);
    StoreConfig { path, keep: table.duration("keep", default.keep), max_size_bytes: table.size("max_size", 2 << 30) }
}

fn timezone(table: &Table<'_>) -> Option<Tz> {
    table.get("timezone").and_then(|value| {
        value.parsed("\"Europe/Berlin\"", |text| {
            text.parse::<Tz>().map_err(|_unknown| {
                let near = nearest(text, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()));
                match near {
                    Some(near) => format!("is no time zone; did you mean `{near}`?"),
                    None => "is no time zone; write a name such as `UTC` or `Europe/Berlin`".to_owned(),
                }
            })
        })
    })
}

fn poll(table: &Table<'_>) -> PollConfig {
    let default = PollConfig::default();
    let timezone = timezone(table).unwrap_or(default.timezone);
    let min_interval = table.duration("min_interval", default.min_interval);
    let contact = table.get("contact").and_then(|value| value.parsed("\"mailto:me@example.org\"", contact)).flatten();
    let user_agent = table.get("user_agent").and_then(|value| {
        value.parsed(&format!("\"{USER_AGENT}\""), |text| {
            if text.trim().is_empty() || !is_plain(text) {
                return Err("cannot stand in a request; write plain ASCII".to_owned());
            }
            Ok(text.to_owned())
        })
    });
    PollConfig {
        cadence: cadence(table, timezone, min_interval).unwrap_or_else(|| {
            // The default gives way to a longer `min_interval`.
            match default.cadence {
                Cadence::Every(interval) => Cadence::Every(interval.max(min_interval)),
                other => other,
            }
        }),
        timezone,
        min_interval,
        concurrency: table.number("concurrency", default.concurrency),
        per_host: table.number("per_host", default.per_host),
        per_host_gap: table.duration("per_host_gap", default.per_host_gap),
        timeout: table.duration("timeout", default.timeout),
        max_body_bytes: table.size("max_body", default.max_body_bytes).unwrap_or(default.max_body_bytes),
        backfill: table.duration("backfill", default.backfill),
        user_agent: user_agent_of(user_agent.as_deref().unwrap_or(USER_AGENT), contact.as_deref()),
        contact,
        allow_networks: table.list("allow_networks", "\"192.168.1.0/24\"", |text| {
            let alone = || text.parse::<IpAddr>().map(IpNet::from);
            text.parse::<IpNet>().or_else(|_no_prefix| alone()).map_err(|_no_address| {
                "is no network; write an address, `/` and the length of the prefix, for example `192.168.1.0/24`"
                    .to_owned()
            })
        }),
        proxy: table.get("proxy").and_then(|value| proxy(&value)),
    }
}

/// What newsfold calls itself when nothing else is configured.
pub(super) const USER_AGENT: &str = "newsfold/VERSION (+CONTACT)";

/// `template` with newsfold's version, and with where its operator is reached, if that is known. No address is made up.
pub(super) fn user_agent_of(template: &str, contact: Option<&str>) -> String {
    let named = template.replace("VERSION", env!("CARGO_PKG_VERSION"));
    match contact {
        Some(contact) if named.contains("CONTACT") => named.replace("CONTACT", contact),
        Some(contact) => format!("{named} (+{contact})"),
        None => named.replace(" (+CONTACT)", "").replace("CONTACT", "").trim().to_owned(),
    }
}

fn is_plain(text: &str) -> bool {
    text.chars().all(|c| matches!(c, ' '..='~'))
}

/// Reads where publishers reach the operator: a web address or one for mail; `""` is none.
fn contact(text: &str) -> Result<Option<String>, String> {
    let is_mail = |text: &str| text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
    let is_web = || web_address(text).is_ok();
    let is_one_word = is_plain(text) && !text.contains([' ', '(', ')']);
    match text {
        "" => Ok(None),
        _ if is_one_word && (is_mail(text.trim_start_matches("mailto:")) || is_web()) => Ok(Some(text.to_owned())),
        _ => Err("is not an address; write one where publishers reach you, `https://…` or for mail, in plain ASCII"
            .to_owned()),
    }
}

/// Reads the address of a proxy; `""` is none.
pub(super) fn proxy(value: &Value<'_>) -> Option<Url> {
    value.parsed_unseen("\"http://127.0.0.1:3128\"", |text| {
        if text.is_empty() {
            return Ok(None);
        }
        let cure = "write `http://HOST:PORT`, or `socks5h://HOST:PORT` where the proxy resolves names";
        let url = Url::parse(text).map_err(|error| format!("is no address: {error}; {cure}"))?;
        match url.scheme() {
            _ if url.host_str().unwrap_or_default().is_empty() => Err(format!("names no host; {cure}")),
            "http" | "https" | "socks5" | "socks5h" => Ok(Some(url)),
            scheme => Err(format!("has the scheme `{scheme}`; {cure}")),
        }
    })?
}

/// Reads `interval` and `schedule`, of which only one may stand there.
pub(super) fn cadence(table: &Table<'_>, timezone: Tz, min_interval: Duration) -> Option<Cadence> {
    let interval = table.get("interval");
    let schedule = table.get("schedule");
    if let (Some(interval), Some(schedule)) = (&interval, &schedule) {
        let later = if interval.key_at > schedule.key_at { interval } else { schedule };
        let other = if later.key_at == interval.key_at { "schedule" } else { "interval" };
        later.problem(&format!("stands beside `{other}`, and a feed goes by one of them; take one of the two out"));
    }
    let too_often = |gap: Duration| {
        let (gap, least) = (units::print_duration(gap), units::print_duration(min_interval));
        format!(
            "polls every {gap}, more often than `poll.min_interval` of {least} allows; write a longer one, or lower `poll.min_interval`"
        )
    };
    let interval = interval.and_then(|value| {
        value.parsed("\"1h\"", |text| {
            if text.trim() == "auto" {
                return Ok(Cadence::Auto);
            }
            let interval = units::duration(text)?;
            if interval < min_interval {
                return Err(too_often(interval));
            }
            if interval > Duration::from_secs(keys::CENTURY) {
                return Err("is too long; write `365d` or less".to_owned());
            }
            Ok(Cadence::Every(interval))
        })
    });
    let schedule = schedule.and_then(|value| {
        value.parsed("\"*/30 * * * *\"", |text| {
            let crontab = Crontab::parse(text, timezone).map_err(|error| error.to_string())?;
            match crontab.shortest_gap() {
                Some(gap) if gap < min_interval => Err(too_often(gap)),
                _ => Ok(Cadence::Crontab(crontab)),
            }
        })
    });
    schedule.or(interval)
}

fn fold(table: &Table<'_>) -> FoldConfig {
    let default = FoldConfig::default();
    FoldConfig {
        level: table.choice("level", &Level::NAMES).unwrap_or(default.level),
        profile: table.choice("profile", &Profile::NAMES).unwrap_or(default.profile),
        window: table.duration("window", default.window),
        encoder: None,
    }
}

/// How long an answer may take where nothing else is configured.
const ENCODER_PATIENCE: Duration = Duration::from_secs(10);

/// Reads `[fold.encoder]`; `None` where it has no `url`, which is how it is switched off.
fn encoder(table: &Table<'_>, folder: &Path) -> Option<EncoderConfig> {
    let url = table.get("url").and_then(|value| {
        value.parsed_unseen("\"http://127.0.0.1:8000/v1/embeddings\"", |text| {
            (!text.is_empty()).then(|| web_address(text)).transpose()
        })
    });
    // All of it is read, so that one fault hides no other.
    let (model, prefix) = (table.text("model", ""), table.text("prefix", ""));
    let key = table.get("key").and_then(|value| feed::secret(&value, folder));
    let patience = table.duration("patience", ENCODER_PATIENCE);
    if table.flag("fold", false)
        && let Some(value) = table.get("fold")
    {
        value.problem(
            "cannot be `true` in this version: tellings in other languages are listed and not folded; take it out",
        );
    }
    Some(EncoderConfig { url: url.flatten()?, model, key, prefix, patience })
}

/// Whether somebody cannot listen at an address because another does: one of them on every address of the machine.
fn is_taken_by(one: SocketAddr, other: SocketAddr) -> bool {
    // What listens on every address of IPv6 does so on those of IPv4 (ipv6(7), `bindv6only`).
    let takes = |all: IpAddr, ip: IpAddr| all.is_unspecified() && (all.is_ipv6() || ip.is_ipv4());
    let (ip, others) = (one.ip(), other.ip());
    one.port() == other.port() && one.port() != 0 && ip != others && (takes(ip, others) || takes(others, ip))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn serve(table: &Table<'_>, folder: &Path) -> ServeConfig {
    let default = ServeConfig::default();
    let listen = table
        .get("listen")
        .and_then(|value| value.parsed("\"127.0.0.1:8080\"", |text| listen_at(text, folder)))
        .unwrap_or(default.listen);
    let socket_mode = table.get("socket_mode").and_then(|value| value.parsed("\"0660\"", socket_mode));
    let socket_group = table
        .get("socket_group")
        .and_then(|value| value.text("\"www-data\""))
        .filter(|name| !name.is_empty())
        .map(str::to_owned);
    let admin = table
        .get("admin")
        .and_then(|value| value.parsed("\"127.0.0.1:8081\"", |text| listen_at(text, folder)))
        .unwrap_or(default.admin);
    if let (Listen::Tcp(readers), Listen::Tcp(operators)) = (&listen, &admin)
        && is_taken_by(*operators, *readers)
        && let Some(value) = table.get("admin")
    {
        value.problem(&format!(
            "is an address of this machine that `serve.listen` ({readers}) takes too; write another port, or the same address to have operators look where readers do"
        ));
    }
    let public_url = table.get("public_url").and_then(|value| {
        value.parsed("\"https://news.example/\"", |text| {
            let mut url = web_address(text)?;
            if url.query().is_some() || url.fragment().is_some() {
                return Err("has a `?` or `#`; write the address without".to_owned());
            }
            if !url.path().ends_with('/') {
                url.set_path(&format!("{}/", url.path()));
            }
            Ok(url)
        })
    });
    let is_open = match &listen {
        Listen::Tcp(address) => address.ip().is_unspecified(),
        Listen::Unix(_) => true,
        Listen::Off => false,
    };
    if public_url.is_none()
        && is_open
        && let Some(value) = table.get("listen")
    {
        let named = public_url_at(&listen);
        value.warning(&format!(
            "lets other machines in, and there is no `serve.public_url`, so what is published names `{named}`, which leads readers to their own machine; write the address at which they find this one"
        ));
    }
    // Both are of this machine, and lead to two programs, unless one passes readers on.
    if let (Some(url), Listen::Tcp(address), Some(value)) = (&public_url, &listen, table.get("public_url"))
        && let (true, Some(port)) = (address.ip().is_loopback() && is_loopback(url), url.port())
        && ![0, port].contains(&address.port())
    {
        value.warning(&format!(
            "names port {port} of this machine, and `serve.listen` is at port {}; unless a proxy there passes readers on, take it out, or write the same port",
            address.port()
        ));
    }
    let public_url = public_url.unwrap_or_else(|| public_url_at(&listen));
    let websub = table.flag("websub", default.websub);
    if websub && let Some(value) = table.get("websub") {
        if matches!(listen, Listen::Off) {
            value.problem("needs a `serve.listen`, because hubs call there; give one, or take `websub` out");
        } else if table.get("public_url").is_none() {
            value.problem("needs a `serve.public_url` that hubs can reach; give one, or take `websub` out");
        }
    }
    let hub = table.get("hub").and_then(|value| {
        value.parsed("\"https://hub.example/\"", |text| (!text.is_empty()).then(|| web_address(text)).transpose())?
    });
    let templates = table.get("templates").and_then(|value| {
        let text = value.text("\"templates\"")?;
        (!text.is_empty()).then(|| folder.join(text))
    });
    let socket_mode = socket_mode.unwrap_or(default.socket_mode);
    let timezone = timezone(table).unwrap_or(default.timezone);
    ServeConfig { listen, socket_mode, socket_group, admin, timezone, public_url, websub, hub, templates }
}

/// Reads the mode of a socket, which its owner has to be able to use.
fn socket_mode(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777 && mode & 0o600 == 0o600);
    mode.ok_or_else(|| "is not a mode of a socket; write octal digits, for example `0660` or `0666`".to_owned())
}

fn listen_at(text: &str, folder: &Path) -> Result<Listen, String> {
    if text.is_empty() {
        return Ok(Listen::Off);
    }
    if let Some(path) = text.strip_prefix("unix:") {
        if path.is_empty() {
            return Err("names no socket; write `unix:/run/newsfold/http.sock`".to_owned());
        }
        return Ok(Listen::Unix(folder.join(path)));
    }
    if let Some(port) = text.strip_prefix("localhost:")
        && let Ok(port) = port.parse::<u16>()
    {
        return Ok(Listen::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port))));
    }
    text.parse().map(Listen::Tcp).map_err(|_no_address| {
        "is no address to listen at; write `ADDRESS:PORT` as in `127.0.0.1:8080`, `unix:PATH`, or `\"\"` to serve nothing".to_owned()
    })
}

/// Where a reader on this machine finds what listens there; what listens nowhere, or at a socket, says nothing of that.
pub(super) fn public_url_at(listen: &Listen) -> Url {
    match listen {
        Listen::Tcp(address) => public_url_of(*address),
        Listen::Off | Listen::Unix(_) => ServeConfig::default().public_url,
    }
}

/// Where a reader on this machine finds what listens at `address`.
pub(super) fn public_url_of(address: SocketAddr) -> Url {
    let text = if address.ip().is_unspecified() {
        format!("http://localhost:{}/", address.port())
    } else {
        format!("http://{address}/")
    };
    Url::parse(&text).expect("an address and port make a host")
}

/// Reads an `http` or `https` address.
pub(super) fn web_address(text: &str) -> Result<Url, String> {
    let cure = "write the whole address, for example `https://example.org/`";
    let url = Url::parse(text).map_err(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => format!("has no scheme; {cure}"),
        error => format!("is no address: {error}; {cure}"),
    })?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        scheme => Err(format!("has the scheme `{scheme}:`; {cure}")),
    }
}
