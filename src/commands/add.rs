//! `newsfold add`, `import` and `export`: feeds into the configuration, and out of it.
//!
//! Edge: asks servers, reads and writes files. The configuration is replaced as a whole or not at all.

use std::collections::HashSet;
use std::io::Write;
use std::path::Path;

use anyhow::Context as _;
use url::Url;

use crate::clock;
use crate::commands::{Exit, print, runtime};
use crate::config::edit::{NewFeed, with_feeds};
use crate::config::{self, Config};
use crate::fetch::access::Access;
use crate::fetch::{Client, Fetched, Question, Settings, decode};
use crate::manners::Manners;
use crate::opml::{self, Outline};
use crate::parse::{self, Context, LinkedFeed};
use crate::plural::counted;

/// Finds the feed at an address, tries it, and adds it.
pub(super) fn add(config: &Config, address: &str, tags: &[String]) -> anyhow::Result<Exit> {
    let written = if address.contains("://") || address.starts_with("file:") {
        address.to_owned()
    } else {
        format!("https://{address}")
    };
    let url = Url::parse(&written)
        .with_context(|| format!("`{address}` is no address; write it like `https://example.org/`"))?;
    let client = Client::new(Settings::of(config), Manners::default());
    let runtime = runtime()?;
    let found = match runtime.block_on(look(&client, &url))? {
        Look::Feed(found) => found,
        Look::Page(linked) => match linked.as_slice() {
            [] => anyhow::bail!("{url} is a page that names no feed; look for its feed's address and add that"),
            [only] => {
                let url = Url::parse(&only.url)
                    .with_context(|| format!("the page names `{}` as its feed, which is no address", only.url))?;
                match runtime.block_on(look(&client, &url))? {
                    Look::Feed(found) => found,
                    Look::Page(_) => anyhow::bail!("{url}, which the page names as its feed, is a page too"),
                }
            }
            several => {
                print(&offered(several))?;
                anyhow::bail!("{url} is a page that names {} feeds; add the one you mean", several.len());
            }
        },
    };
    if is_listed(config, &found.url) {
        print(&format!("{} is in {} already\n", found.url, config.file.display()))?;
        return Ok(Exit::Done);
    }
    let feed = NewFeed { url: found.url.to_string(), name: None, tags: tags.to_vec() };
    rewrite(config, &[feed])?;
    let Found { url, title, entries } = found;
    print(&format!("added {url} ({title}, {}) to {}\n", counted(entries, "entry"), config.file.display()))?;
    eprintln!("a running newsfold takes it up on SIGHUP (`systemctl reload newsfold`)");
    Ok(Exit::Done)
}

/// Adds the feeds of a list that are not there yet.
pub(super) fn import(config: &Config, file: &Path) -> anyhow::Result<Exit> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let outlines = opml::read(&text).map_err(|error| anyhow::anyhow!("{}:{error}", file.display()))?;
    let mut seen = HashSet::new();
    let mut names: HashSet<String> = config.feeds.iter().map(|feed| feed.name.clone()).collect();
    let mut added = Vec::new();
    let mut skipped = Vec::new();
    for Outline { url, title, tags, line } in outlines {
        let label = title.clone().unwrap_or_else(|| url.clone());
        let mut skip = |why: &str| skipped.push(format!("{}:{line}: {label}: {why}", file.display()));
        let address = match Url::parse(&url) {
            Ok(address) if matches!(address.scheme(), "http" | "https") => address,
            _ => {
                skip("its address is neither https nor http");
                continue;
            }
        };
        if !address.username().is_empty() || address.password().is_some() {
            skip("its address holds a password; add it by hand with `username` and `password`");
        } else if is_listed(config, &address) || !seen.insert(address.clone()) {
            skip("it is there already");
        } else {
            let name = title.filter(|title| title.chars().count() <= 100 && !title.chars().any(char::is_control));
            let name = name.filter(|name| names.insert(name.clone()));
            added.push(NewFeed { url: address.into(), name, tags });
        }
    }
    if !added.is_empty() {
        rewrite(config, &added)?;
    }
    skipped.iter().for_each(|line| eprintln!("skipped: {line}"));
    print(&format!(
        "{} added to {}, {} skipped\n",
        counted(added.len(), "feed"),
        config.file.display(),
        skipped.len()
    ))?;
    Ok(Exit::Done)
}

/// Writes the configured feeds as a list.
pub(super) fn export(config: &Config) -> anyhow::Result<Exit> {
    let feeds: Vec<Outline> = config
        .feeds
        .iter()
        .filter(|feed| feed.url.scheme() != "file")
        .map(|feed| Outline {
            url: feed.url.to_string(),
            title: Some(feed.name.clone()),
            tags: feed.tags.clone(),
            line: 0,
        })
        .collect();
    print(&opml::write("Feeds of newsfold", &feeds))?;
    Ok(Exit::Done)
}

struct Found {
    url: Url,
    title: String,
    entries: usize,
}

enum Look {
    Feed(Found),
    Page(Vec<LinkedFeed>),
}

/// What there is at an address: a feed, or a page and the feeds that it names.
async fn look(client: &Client, url: &Url) -> anyhow::Result<Look> {
    let access = Access::default();
    let (document, reply) = match client.get(Question::first(url, &access), clock::now()).await? {
        Fetched::Document(document, reply) => (document, reply),
        Fetched::NotModified(_) => anyhow::bail!("{url} answered 304 although nothing was held"),
        Fetched::Gone => anyhow::bail!("{url} is gone for good (410)"),
    };
    let text = decode::decode(document.body, &document.coding, client.max_body_bytes())?;
    let context = Context { base: Some(&document.address), content_type: document.content_type.as_deref() };
    match parse::parse(&text, context) {
        Ok(parsed) => Ok(Look::Feed(Found {
            url: reply.moved_to.unwrap_or_else(|| url.clone()),
            title: parsed.title.unwrap_or_else(|| "untitled".into()),
            entries: parsed.entries.len(),
        })),
        Err(error) => {
            let page = String::from_utf8_lossy(&text);
            let mut linked = parse::linked_feeds(&page, Some(&document.address));
            linked.dedup_by(|one, two| one.url == two.url);
            let is_page = page.to_ascii_lowercase().contains("<html") || !linked.is_empty();
            if is_page { Ok(Look::Page(linked)) } else { Err(error).with_context(|| url.to_string()) }
        }
    }
}

fn offered(linked: &[LinkedFeed]) -> String {
    linked
        .iter()
        .map(|feed| format!("newsfold add '{}'  # {}\n", feed.url, feed.title.as_deref().unwrap_or(&feed.media_type)))
        .collect()
}

fn is_listed(config: &Config, address: &Url) -> bool {
    let bare = |url: &Url| {
        let mut url = url.clone();
        url.set_fragment(None);
        url
    };
    config.feeds.iter().any(|feed| bare(&feed.url) == bare(address))
}

/// Adds feeds to the configuration file, unless that would make it wrong.
fn rewrite(config: &Config, feeds: &[NewFeed]) -> anyhow::Result<()> {
    // A link is followed, so that it is not replaced by a file.
    let file = config.file.canonicalize().unwrap_or_else(|_| config.file.clone());
    let cannot = || format!("{} cannot be changed", file.display());
    let before = std::fs::read_to_string(&file).with_context(cannot)?;
    let after = with_feeds(&before, feeds).map_err(|why| anyhow::anyhow!("{}: {why}", cannot()))?;
    config::from_toml(&after, &config.file).map_err(|problems| {
        anyhow::anyhow!("{}, because it would be wrong then:\n{}", cannot(), problems.shown_as(&config.file))
    })?;
    let beside = file.with_added_extension("new");
    let written = std::fs::metadata(&file).and_then(|known| {
        let mut new = std::fs::File::create(&beside)?;
        new.set_permissions(known.permissions())?;
        new.write_all(after.as_bytes())?;
        new.sync_all()?;
        std::fs::rename(&beside, &file)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written.with_context(cannot)
}
