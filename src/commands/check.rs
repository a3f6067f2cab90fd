//! `newsfold check`: what is wrong with the configuration, before anything depends on it.
//!
//! Edge: with `--online`, asks each feed once and stores nothing; with `--notify`, sends each `[[notify]]` a notice.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use url::Host;

use crate::clock;
use crate::commands::console::{Exit, print, runtime};
use crate::config::{Config, FeedConfig, Listen, OutputConfig, Role, Secret};
use crate::fetch::{Client, Settings};
use crate::net::blocklist::refused;
use crate::notify;
use crate::parse::opml;
use crate::plural::counted;
use crate::politeness::Politeness;
use crate::poll::{self, LookError, Looked};
use crate::publish::notice;
use crate::publish::theme::Theme;
use crate::publish::token;
use crate::secrets;
use crate::serve::OperatorsPages;

pub(super) fn run(config: &Config, store: &Path, online: bool, notify: bool) -> anyhow::Result<Exit> {
    if let Err(error) = Theme::from(config.serve.templates.as_deref()) {
        eprintln!("newsfold: {error}");
        return Ok(Exit::Misconfigured);
    }
    if store.is_dir() {
        eprintln!("newsfold: store.path is the folder {}; name a file in it, such as `newsfold.db`", store.display());
        return Ok(Exit::Misconfigured);
    }
    let mut found = open_secrets(config);
    found.extend(config.feeds.iter().flat_map(|feed| unreachable(config, feed)));
    found.extend(config.outputs.iter().filter_map(|output| {
        let why = unwritable(output.directory.as_deref()?)?;
        Some(format!("output `{}`: {why}", output.name))
    }));
    found.extend(open_folders(config));
    let tokens = config.outputs.iter().filter_map(|output| Some((&output.name, output.token.as_ref()?)));
    found.extend(tokens.filter(|(_, secret)| is_known_here(secret)).filter_map(|(name, secret)| {
        let why = token::fault(secret)?;
        Some(format!("output `{name}`: {why}; until then nobody sees it"))
    }));
    found.extend(config.notify.iter().filter_map(|notify| {
        let fault = notice::fault(&notify.body)?;
        Some(format!("notify `{}`: `body` is no template: {fault}", notify.name))
    }));
    found.iter().for_each(|warning| eprintln!("newsfold: {warning}"));
    let (feeds, outputs) = (
        counted(config.feeds.iter().filter(|feed| feed.role == Role::Feed).count(), "feed"),
        counted(config.outputs.len(), "output"),
    );
    let verdict = match found.len() + config.warnings.len() {
        0 => "nothing wrong".to_owned(),
        count => format!("{} above to look at", counted(count, "warning")),
    };
    print(&format!("{}: {feeds} and {outputs}, {verdict}\n", config.file.display()))?;
    let serve = &config.serve;
    let at = if serve.admin == Listen::Off { &serve.listen } else { &serve.admin };
    if *at != Listen::Off {
        print(&format!("{}\n", OperatorsPages::configured(serve).told(at)))?;
    }
    let mut exit = Exit::Done;
    if online {
        exit = runtime()?.block_on(ask_all(config))?;
    }
    if notify && runtime()?.block_on(notify_all(config))? != Exit::Done {
        exit = Exit::Failed;
    }
    Ok(exit)
}

/// Sends each `[[notify]]` a notice, and says what came of it.
async fn notify_all(config: &Config) -> anyhow::Result<Exit> {
    if config.notify.is_empty() {
        print("there is no `[[notify]]` that could be tried\n")?;
    }
    let mut exit = Exit::Done;
    for watcher in &config.notify {
        let sent = notify::try_out(watcher, &config.serve.public_url, &config.poll.user_agent, clock::now()).await;
        if sent.is_err() {
            exit = Exit::Failed;
        }
        let came = sent.map_or_else(|why| format!("not told: {why}"), |()| "told".to_owned());
        print(&format!("notify {}: {came}\n", watcher.name))?;
    }
    Ok(exit)
}

/// What is told of secrets that every user of this machine may read.
fn open_secrets(config: &Config) -> Vec<String> {
    let main = config.file.as_path();
    let secrets = config.feeds.iter().enumerate().flat_map(|(position, feed)| {
        let own = feed.access.password.iter().chain(feed.access.headers.iter().map(|(_, secret)| secret));
        let file = config.place_of_feed(position).map_or(main, |(file, _)| file);
        own.map(move |secret| (format!("feed `{}`", feed.name), secret, file))
    });
    let of_notices = config.notify.iter().flat_map(|notify| {
        let own = std::iter::once(&notify.url).chain(notify.headers.iter().map(|(_, secret)| secret));
        own.map(|secret| (format!("notify `{}`", notify.name), secret, main))
    });
    let of_outputs = config
        .outputs
        .iter()
        .filter_map(|output| Some((format!("output `{}`", output.name), output.token.as_ref()?, main)));
    let of_encoder = config.fold.encoder.iter().filter_map(|encoder| encoder.key.as_ref());
    let of_encoder = of_encoder.map(|secret| ("fold.encoder".to_owned(), secret, main));
    let secrets = secrets.chain(of_notices).chain(of_outputs).chain(of_encoder);
    let open = secrets.filter_map(|(name, secret, file)| match secret {
        Secret::Literal(_) => secrets::is_open_to_all(file).then_some((name, file)),
        secret => Some((name, secrets::open_to_all(secret)?)),
    });
    let warn = |(owner, file): (String, &Path)| {
        format!(
            "{owner}: every user of this machine may read its secret in {file}; take that right away (`chmod o-r {file}`)",
            file = file.display()
        )
    };
    open.map(warn).collect()
}

/// Why a feed cannot be read, as far as it can be known without asking anybody: for this user, on this machine, now.
fn unreachable(config: &Config, feed: &FeedConfig) -> Vec<String> {
    let FeedConfig { url, access, .. } = feed;
    let mut found: Vec<String> = access
        .password
        .iter()
        .chain(access.headers.iter().map(|(_, secret)| secret))
        .filter(|secret| is_known_here(secret))
        .filter_map(|secret| secrets::reveal(secret).err())
        .map(|why| format!("its secret cannot be read: {why}"))
        .collect();
    found.extend(access.ca.iter().filter_map(|file| {
        let error = std::fs::metadata(file).err()?;
        Some(format!("`ca` cannot be read: {}: {error}", file.display()))
    }));
    if let Ok(file) = url.to_file_path() {
        found.extend(
            std::fs::File::open(&file)
                .err()
                .map(|error| format!("its file cannot be read: {}: {error}", file.display())),
        );
    }
    let address = match url.host() {
        Some(Host::Ipv4(literal)) => Some(IpAddr::from(literal)),
        Some(Host::Ipv6(literal)) => Some(IpAddr::from(literal)),
        Some(Host::Domain(name)) if name == "localhost" || name.ends_with(".localhost") => {
            Some(Ipv4Addr::LOCALHOST.into())
        }
        Some(Host::Domain(_)) | None => None,
    };
    found.extend(address.and_then(|address| {
        let network = refused(address, &config.poll.allow_networks)?;
        Some(format!("{address} is {network}, where feeds may not live; if this one may, put `{address}` into `poll.allow_networks`"))
    }));
    found.into_iter().map(|why| format!("feed `{}`: {why}", feed.name)).collect()
}

/// Whether a secret is to be had by whoever checks: what systemd passes to the service is not there for a shell.
fn is_known_here(secret: &Secret) -> bool {
    !matches!(secret, Secret::Credential(_)) || std::env::var_os("CREDENTIALS_DIRECTORY").is_some()
}

/// What is told of private outputs whose files stand, by way of links, where those of outputs for others do.
fn open_folders(config: &Config) -> Vec<String> {
    let whole = |output: &OutputConfig| {
        let folder = output.directory.as_deref()?;
        let there = folder.ancestors().find(|folder| folder.exists())?;
        Some(there.canonicalize().ok()?.join(folder.strip_prefix(there).ok()?))
    };
    let folders: Vec<(&OutputConfig, PathBuf)> =
        config.outputs.iter().filter_map(|output| Some((output, whole(output)?))).collect();
    let warn = |(output, folder): &(&OutputConfig, PathBuf)| {
        let token = output.token.as_ref()?;
        let is_for_others = |other: &OutputConfig| !other.token.as_ref().is_some_and(|own| token::is_one(own, token));
        let (other, _) = folders.iter().find(|(other, theirs)| {
            is_for_others(other) && (folder.starts_with(theirs) || theirs.starts_with(folder))
        })?;
        Some(format!(
            "output `{}`: its `directory` is a link to where the files of output `{}` stand, which is for others; give it a folder of its own",
            output.name, other.name
        ))
    };
    folders.iter().filter_map(warn).collect()
}

/// Why no file can be made in a folder, or in the one that it would be made in.
fn unwritable(folder: &Path) -> Option<String> {
    let there = folder.ancestors().find(|folder| folder.exists())?;
    let probe = there.join(format!(".newsfold-{:016x}", RandomState::new().hash_one(0)));
    let error = std::fs::File::create_new(&probe).and_then(|_| std::fs::remove_file(&probe)).err()?;
    let there = there.display();
    Some(format!(
        "`directory` cannot be written to: {there}: {error}; give it to the user who runs newsfold, or name another"
    ))
}

/// Asks every feed, one after the other: this is looked at by a person, and no server should notice it.
async fn ask_all(config: &Config) -> anyhow::Result<Exit> {
    let client = Client::new(Settings::of(config), Politeness::default());
    let mut exit = Exit::Done;
    for feed in &config.feeds {
        match ask(&client, feed).await {
            Ok(came) => print(&format!("{}: {came}\n", feed.name))?,
            Err(error) => {
                exit = Exit::Failed;
                print(&format!("{}: {error}\n", feed.name))?;
            }
        }
    }
    Ok(exit)
}

async fn ask(client: &Client, feed: &FeedConfig) -> anyhow::Result<String> {
    let Looked { feed: parsed, moved_to, sends_validators, bytes, took, .. } =
        match poll::look(client, &feed.access, &feed.url, clock::now()).await {
            Ok(looked) => looked,
            Err(LookError::Gone) => anyhow::bail!("answered 410 Gone: take it out of the configuration"),
            Err(error) => return Err(error.into()),
        };
    if let (Role::List, Err((_, text))) = (&feed.role, &parsed) {
        let named = opml::read(text.as_bytes()).map_err(|error| anyhow::anyhow!("line {error}"))?.outlines.len();
        return Ok(format!("a list of {}, {bytes} bytes in {} ms", counted(named, "feed"), took.as_millis()));
    }
    let parsed = parsed.map_err(|(error, _)| error)?;
    let title = parsed.title.as_deref().unwrap_or("untitled");
    let conditional = if sends_validators { "" } else { ", sends no validators" };
    let moved = moved_to.map(|moved| format!(", has moved for good to {moved}")).unwrap_or_default();
    let entries = counted(parsed.entries.len(), "entry");
    Ok(format!("{title:?}, {entries}, {bytes} bytes in {} ms{conditional}{moved}", took.as_millis()))
}
