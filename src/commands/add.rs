//! `newsfold add` and `remove`: the feed at an address, tried and added to the configuration, and one taken out of it.
//!
//! Edge: asks servers, and reads the store. `rewrite` changes the configuration.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use url::Url;

use crate::clock;
use crate::commands::console::{Exit, print, runtime};
use crate::commands::rewrite::{add_feeds, file_with, remove_feed};
use crate::config::edit::NewFeed;
use crate::config::{self, Config, FeedConfig, Role};
use crate::fetch::{self, Client, Settings};
use crate::model::FeedRef;
use crate::parse::{self, LinkedFeed};
use crate::plural::counted;
use crate::politeness::Politeness;
use crate::poll::{self, LookError, Looked};
use crate::sanitise;
use crate::store::{Connection, Reader};
use crate::subscriptions::Subscriptions;
use crate::text;

/// The most of a title that is shown, in characters.
pub(super) const LONGEST_LABEL: usize = 100;

/// Finds the feed at an address, tries it, and adds it.
pub(super) fn add(config: &Config, address: &str, name: Option<&str>, tags: &[String]) -> anyhow::Result<Exit> {
    let is_free = |name: &str| config.feeds.iter().all(|feed| feed.name != name);
    if let Some(taken) = name.filter(|name| !is_free(name)) {
        anyhow::bail!("another feed is called `{taken}`; give this one another name");
    }
    let addresses = addresses(address)?;
    let client = Client::new(Settings::of(config), Politeness::default());
    let access = config::Access { proxy: config.poll.proxy.clone(), ..config::Access::default() };
    let found = runtime()?.block_on(find(&client, &access, &addresses))?;
    if let Some(file) = file_with(config, &found.url) {
        print(&format!("{} is in {} already\n", found.url, file.display()))?;
        return Ok(Exit::Done);
    }
    let Found { url, title, entries } = found;
    let title = sanitise::line(&title.unwrap_or_default());
    let is_a_name = |title: &&str| !title.is_empty() && title.chars().count() <= LONGEST_LABEL && is_free(title);
    let name = name.or_else(|| Some(title.as_str()).filter(is_a_name)).map(str::to_owned);
    add_feeds(config, &[NewFeed { url: url.to_string(), name, tags: tags.to_vec() }])?;
    let title = if title.is_empty() { "untitled".to_owned() } else { text::shorten(&title, LONGEST_LABEL) };
    print(&format!("added {url} ({title}, {}) to {}\n", counted(entries, "entry"), config.file.display()))?;
    eprintln!("a running newsfold takes it up on SIGHUP (`systemctl reload newsfold`)");
    Ok(Exit::Done)
}

/// Takes a feed out, by its name or address.
pub(super) fn remove(config: &Config, store: &Path, named: &str) -> anyhow::Result<Exit> {
    let is_meant = |feed: &Arc<FeedConfig>| feed.name == named || feed.url.as_str() == named;
    let written_in = config.file.display();
    let Some(position) = config.feeds.iter().position(is_meant) else {
        if let Some(list) = list_that_names(config, store, named) {
            anyhow::bail!("`{named}` is there because the list `{list}` names it, and stays for as long as that does");
        }
        anyhow::bail!("{written_in} has no feed `{named}`; `newsfold feeds` lists their names");
    };
    if config.feeds.get(position).is_some_and(|feed| feed.role == Role::List) {
        anyhow::bail!("`{named}` is a list of feeds; take its `[[list]]` out of {written_in} by hand");
    }
    let file = remove_feed(config, position)?;
    print(&format!("removed {named} from {}\n", file.display()))?;
    eprintln!(
        "a running newsfold shows nothing of it from SIGHUP on (`systemctl reload newsfold`); what was stored stays for a while, should it come back"
    );
    Ok(Exit::Done)
}

/// The list that names a feed of this name or address, as far as the store knows.
fn list_that_names(config: &Config, store: &Path, named: &str) -> Option<String> {
    let find = |connection: &Connection| {
        let feeds = Subscriptions::look_up(connection, config)?;
        let is_meant = |feed: &FeedRef| {
            feeds.name(*feed) == Some(named) || feeds.address(*feed).is_some_and(|url| url.as_str() == named)
        };
        let feed = feeds.handles().find(is_meant);
        Ok(feed.and_then(|feed| feeds.listed_by(feed).map(str::to_owned)))
    };
    Reader::open(store).and_then(|reader| reader.read(find)).ok().flatten()
}

/// The addresses that a person can mean, to be tried in this order. What names no scheme is on the web, and so is what has one
/// that only says which program is to open it.
pub(super) fn addresses(written: &str) -> anyhow::Result<Vec<Url>> {
    const FOR_A_PROGRAM: &[&str] = &["feed", "itpc", "pcast", "podcast", "rss"];
    let written = written.trim();
    let bare = written
        .split_once(':')
        .filter(|(scheme, _)| FOR_A_PROGRAM.iter().any(|known| scheme.eq_ignore_ascii_case(known)))
        .map(|(_, rest)| rest.trim_start_matches('/'));
    let candidates = match bare.unwrap_or(written) {
        address if address.contains("://") || address.starts_with("file:") => vec![address.to_owned()],
        host if bare.is_some() => vec![format!("https://{host}"), format!("http://{host}")],
        host => vec![format!("https://{host}")],
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

struct Found {
    url: Url,
    title: Option<String>,
    entries: usize,
}

enum Look {
    Feed(Found),
    Page(Vec<LinkedFeed>),
}

/// What there is at an address: a feed, or a page and the feeds that it names.
async fn look(client: &Client, configured: &config::Access, url: &Url) -> anyhow::Result<Look> {
    let Looked { feed, moved_to, address, .. } = match poll::look(client, configured, url, clock::now()).await {
        Ok(looked) => looked,
        Err(LookError::Fetch(fetch::Error::Access(why))) => anyhow::bail!("{url} cannot be asked: {why}"),
        Err(error @ LookError::NothingHeld) => anyhow::bail!("{url} {error}"),
        Err(error @ LookError::Gone) => anyhow::bail!("{url} is {error}"),
        Err(error) => return Err(error.into()),
    };
    match feed {
        Ok(parsed) => Ok(Look::Feed(Found {
            url: moved_to.unwrap_or_else(|| url.clone()),
            title: parsed.title,
            entries: parsed.entries.len(),
        })),
        Err((error, page)) => {
            let linked = parse::linked_feeds(&page, Some(&address));
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
        check("feed:example.org", &["https://example.org/", "http://example.org/"]);
        check("feed://https://example.org/rss", &["https://example.org/rss"]);
        check("itpc://example.org/pod", &["https://example.org/pod", "http://example.org/pod"]);
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
}
