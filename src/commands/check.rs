//! `newsfold check`: what is wrong with the configuration, before anything depends on it.
//!
//! Edge: with `--online`, asks each feed once and stores nothing.

use std::path::Path;

use crate::clock;
use crate::commands::{Exit, print, runtime};
use crate::config::{Config, FeedConfig, Secret};
use crate::fetch::access::Access;
use crate::fetch::{self, Client, Fetched, Question, Settings, decode};
use crate::manners::Manners;
use crate::parse::{self, Context};
use crate::plural::counted;
use crate::publish::look::Look;
use crate::secrets;

pub(super) fn run(config: &Config, online: bool) -> anyhow::Result<Exit> {
    if let Err(error) = Look::from(config.serve.templates.as_deref()) {
        eprintln!("newsfold: {error}");
        return Ok(Exit::Misconfigured);
    }
    open_secrets(config).iter().for_each(|warning| eprintln!("newsfold: {warning}"));
    let (feeds, outputs) = (counted(config.feeds.len(), "feed"), counted(config.outputs.len(), "output"));
    print(&format!("{}: {feeds} and {outputs}, nothing wrong\n", config.file.display()))?;
    if online { runtime()?.block_on(ask_all(config)) } else { Ok(Exit::Done) }
}

/// What is told of secrets that every user of this machine may read.
fn open_secrets(config: &Config) -> Vec<String> {
    let secrets = config.feeds.iter().flat_map(|feed| {
        let own = feed.access.password.iter().chain(feed.access.headers.iter().map(|(_, secret)| secret));
        own.map(|secret| (feed.name.as_str(), secret))
    });
    let is_file_open = secrets::is_open_to_all(&config.file);
    let open = secrets.filter_map(|(name, secret)| match secret {
        Secret::Literal(_) if is_file_open => Some((name, config.file.as_path())),
        secret => Some((name, secrets::open_to_all(secret)?)),
    });
    let warn = |(name, file): (&str, &Path)| {
        format!(
            "feed `{name}`: every user of this machine may read its secret in {file}; take that right away (`chmod o-r {file}`)",
            file = file.display()
        )
    };
    open.map(warn).collect()
}

/// Asks every feed, one after the other: this is looked at by a person, and no server should notice it.
async fn ask_all(config: &Config) -> anyhow::Result<Exit> {
    let client = Client::new(Settings::of(config), Manners::default());
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
    let access = Access::of(&feed.access, &feed.url).map_err(fetch::Error::Access)?;
    let (document, reply) = match client.get(Question::first(&feed.url, &access), clock::now()).await? {
        Fetched::Document(document, reply) => (document, reply),
        Fetched::NotModified(_) => anyhow::bail!("answered 304 although nothing was held"),
        Fetched::Gone => anyhow::bail!("answered 410 Gone: take it out of the configuration"),
    };
    let bytes = document.body.len();
    let text = decode::decode(document.body, &document.coding, client.max_body_bytes())?;
    let parsed =
        parse::parse(&text, Context { base: Some(&document.address), content_type: document.content_type.as_deref() })?;
    let title = parsed.title.as_deref().unwrap_or("untitled");
    let conditional = if reply.validators.is_empty() { ", sends no validators" } else { "" };
    let moved = reply.moved_to.map(|moved| format!(", has moved for good to {moved}")).unwrap_or_default();
    Ok(format!(
        "{title:?}, {}, {bytes} bytes in {} ms{conditional}{moved}",
        counted(parsed.entries.len(), "entry"),
        reply.took.as_millis()
    ))
}
