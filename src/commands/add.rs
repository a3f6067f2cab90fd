//! `newsfold add`, `import` and `export`: feeds into the configuration, and out of it.
//!
//! Edge: asks servers, reads and writes files. The configuration is replaced as a whole or not at all.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
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
use crate::normalise::text;
use crate::opml::{self, Outline};
use crate::parse::{self, Context, LinkedFeed};
use crate::plural::counted;
use crate::sanitise;

/// The most of a title that is shown, in characters.
const LONGEST_LABEL: usize = 100;

/// Finds the feed at an address, tries it, and adds it.
pub(super) fn add(config: &Config, address: &str, tags: &[String]) -> anyhow::Result<Exit> {
    let addresses = addresses(address)?;
    let client = Client::new(Settings::of(config), Manners::default());
    let access = config::Access { proxy: config.poll.proxy.clone(), ..config::Access::default() };
    let found = runtime()?.block_on(find(&client, &access, &addresses))?;
    if is_listed(config, &found.url) {
        print(&format!("{} is in {} already\n", found.url, config.file.display()))?;
        return Ok(Exit::Done);
    }
    let feed = NewFeed { url: found.url.to_string(), name: None, tags: tags.to_vec() };
    rewrite(config, &[feed])?;
    let Found { url, title, entries } = found;
    let title = text::shorten(&sanitise::line(&title), LONGEST_LABEL);
    print(&format!("added {url} ({title}, {}) to {}\n", counted(entries, "entry"), config.file.display()))?;
    eprintln!("a running newsfold takes it up on SIGHUP (`systemctl reload newsfold`)");
    Ok(Exit::Done)
}

/// The addresses that a person can mean, to be tried in this order. What names no scheme is on the web, and `feed:` is how
/// browsers were once told that an address is a feed's.
fn addresses(written: &str) -> anyhow::Result<Vec<Url>> {
    let written = written.trim();
    let bare = written.get(..5).filter(|start| start.eq_ignore_ascii_case("feed:")).and(written.get(5..));
    let candidates = match (bare.unwrap_or(written), bare) {
        (host, Some(_)) if host.starts_with("//") => vec![format!("https:{host}"), format!("http:{host}")],
        (address, _) if address.contains("://") || address.starts_with("file:") => vec![address.to_owned()],
        (host, _) => vec![format!("https://{host}")],
    };
    let parsed = candidates.iter().map(|candidate| Url::parse(candidate)).collect::<Result<Vec<_>, _>>();
    let shown = sanitise::line(written);
    let parsed = parsed.with_context(|| format!("`{shown}` is no address; write it like `https://example.org/`"))?;
    let is_known = |url: &Url| matches!(url.scheme(), "http" | "https" | "file");
    anyhow::ensure!(parsed.iter().all(is_known), "`{shown}` is no address of the web, nor of a file");
    Ok(parsed)
}

/// The feed at the first of these addresses that answers.
async fn find(client: &Client, access: &config::Access, addresses: &[Url]) -> anyhow::Result<Found> {
    let mut failed = None;
    for url in addresses {
        match look(client, access, url).await {
            Ok(Look::Feed(found)) => return Ok(found),
            Ok(Look::Page(linked)) => return follow(client, access, url, &linked).await,
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(|| anyhow::anyhow!("there is no address to try")))
}

/// The feed that a page names. A page is a stranger's, and leads nowhere but to the web.
async fn follow(client: &Client, access: &config::Access, page: &Url, linked: &[LinkedFeed]) -> anyhow::Result<Found> {
    let on_the_web = |feed: &LinkedFeed| sanitise::web_address(&feed.url, None);
    let named: Vec<(Url, &LinkedFeed)> =
        linked.iter().filter_map(|feed| on_the_web(feed).map(|url| (url, feed))).collect();
    match named.as_slice() {
        [] => anyhow::bail!("{page} is a page that names no feed on the web; look for its feed's address and add that"),
        [(url, _)] => match look(client, access, url).await? {
            Look::Feed(found) => Ok(found),
            Look::Page(_) => anyhow::bail!("{url}, which the page names as its feed, is a page too"),
        },
        several => {
            print(&offered(several))?;
            anyhow::bail!("{page} is a page that names {} feeds; add the one you mean", several.len());
        }
    }
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
        let label = text::shorten(&sanitise::line(title.as_deref().unwrap_or(&url)), LONGEST_LABEL);
        let mut skip = |why: &str| skipped.push(format!("{}:{line}: {label}: {why}", file.display()));
        let address = match addresses(&url).map(|addresses| addresses.into_iter().next()) {
            Ok(Some(address)) if matches!(address.scheme(), "http" | "https") => address,
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
async fn look(client: &Client, configured: &config::Access, url: &Url) -> anyhow::Result<Look> {
    let access = Access::of(configured, url).map_err(|why| anyhow::anyhow!("{url} cannot be asked: {why}"))?;
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

fn offered(feeds: &[(Url, &LinkedFeed)]) -> String {
    let line = |(url, feed): &(Url, &LinkedFeed)| {
        let label = sanitise::line(feed.title.as_deref().unwrap_or(&feed.media_type));
        // A quote within quotes, as a shell reads it.
        let quoted = url.as_str().replace('\'', r"'\''");
        format!("newsfold add '{quoted}'  # {}\n", text::shorten(&label, LONGEST_LABEL))
    };
    feeds.iter().map(line).collect()
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
    replace(&file, &after).with_context(cannot)
}

/// Replaces a file as a whole. What is written stands under a name that nobody can foresee, and never where somebody put
/// something else: in a folder that others may write to, that could lead anywhere.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let known = std::fs::metadata(file)?;
    let beside = file.with_added_extension(format!("{:016x}.new", RandomState::new().hash_one(0)));
    let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    let written = new.write_all(text.as_bytes()).and_then(|()| {
        // Only root may give a file away; anybody else owns what they could replace.
        let _ = fchown(&new, Some(known.uid()), Some(known.gid()));
        new.set_permissions(known.permissions())?;
        new.sync_all()?;
        std::fs::rename(&beside, file)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_as_people_write_it() {
        let check = |written: &str, expected: &[&str]| {
            let found = addresses(written).unwrap_or_default();
            assert_eq!(found.iter().map(Url::as_str).collect::<Vec<_>>(), expected, "{written}");
        };
        check("example.org/feed", &["https://example.org/feed"]);
        check(" http://example.org ", &["http://example.org/"]);
        check("feed:https://example.org/rss", &["https://example.org/rss"]);
        check("FEED://example.org/rss", &["https://example.org/rss", "http://example.org/rss"]);
        check("feed:example.org", &["https://example.org/"]);
        check("file:///srv/feed.xml", &["file:///srv/feed.xml"]);
        for none in ["javascript://x", "feed:gopher://x", "ftp://x/", ""] {
            check(none, &[]);
        }
    }

    #[test]
    fn what_a_page_calls_its_feeds_stays_within_its_quotes_and_its_line() {
        let title = Some("News\n; rm\u{1b}[2J".into());
        let feed = LinkedFeed { url: String::new(), title, media_type: String::new() };
        let url = Url::parse("https://example.org/a'; touch b '").unwrap();
        let offered = offered(&[(url, &feed)]);
        assert_eq!(offered.lines().count(), 1);
        assert!(!offered.contains('\u{1b}'), "{offered:?}");
        assert!(offered.contains(r"'https://example.org/a'\'';%20touch%20b%20'\"), "{offered}");
    }

    #[test]
    fn a_file_is_replaced_with_its_rights_and_nothing_is_written_through_links() {
        let folder = tempfile::tempdir().unwrap();
        let (file, victim) = (folder.path().join("newsfold.toml"), folder.path().join("victim"));
        std::fs::write(&file, "before").unwrap();
        std::fs::write(&victim, "whole").unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&victim, folder.path().join("newsfold.toml.new")).unwrap();
        replace(&file, "after").unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "whole");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "after");
        let found = std::fs::symlink_metadata(&file).unwrap();
        assert!(found.is_file() && found.mode() & 0o777 == 0o640);
    }
}
