//! `newsfold import` and `export`: feeds into the configuration from other readers' lists, and out of it.
//!
//! Edge: reads files and the store. `rewrite` changes the configuration.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use anyhow::Context as _;
use url::Url;

use crate::commands::add::{LONGEST_LABEL, addresses};
use crate::commands::console::{Exit, print};
use crate::commands::rewrite::add_feeds;
use crate::config::edit::NewFeed;
use crate::config::{Config, Role};
use crate::net::without_fragment;
use crate::parse::opml::{self, List, Outline};
use crate::plural::counted;
use crate::publish::opml::{Listed, render};
use crate::redact;
use crate::sanitise;
use crate::store::{Reader, feeds};
use crate::text;

/// Adds the feeds of a list that are not there yet.
pub(super) fn import(config: &Config, file: &Path) -> anyhow::Result<Exit> {
    let document = std::fs::read(file).with_context(|| file.display().to_string())?;
    let List { outlines, breaks_off } =
        opml::read(&document).map_err(|error| anyhow::anyhow!("{}:{error}", file.display()))?;
    let Plan { added, skipped } = plan(config, outlines);
    if !added.is_empty() {
        add_feeds(config, &added)?;
    }
    let file = file.display();
    skipped.iter().for_each(|(line, why)| eprintln!("skipped: {file}:{line}: {why}"));
    if let Some(line) = breaks_off {
        eprintln!("{file}:{line}: the list breaks off here; feeds that should follow are missing");
    }
    let (feeds, configuration) = (counted(added.len(), "feed"), config.file.display());
    print(&format!("{feeds} added to {configuration}, {} skipped\n", skipped.len()))?;
    Ok(Exit::Done)
}

/// What is to become of a list.
#[derive(Default)]
struct Plan {
    added: Vec<NewFeed>,
    /// What is not taken: its line, what it is called, and why.
    skipped: Vec<(usize, String)>,
}

fn plan(config: &Config, outlines: Vec<Outline>) -> Plan {
    let mut names: HashSet<String> = config.feeds.iter().map(|feed| feed.name.clone()).collect();
    let configured: HashSet<Url> = config.feeds.iter().map(|feed| without_fragment(&feed.url)).collect();
    // A feed that stands in several folders has the tags of all.
    let mut taken: HashMap<Url, usize> = HashMap::new();
    let mut plan = Plan::default();
    for Outline { url, title, tags, is_scraped, line } in outlines {
        match feed_address(&configured, &url, is_scraped) {
            Ok(address) => match taken.get(&address).and_then(|at| plan.added.get_mut(*at)) {
                Some(feed) => {
                    let further = tags.into_iter().filter(|tag| !feed.tags.contains(tag)).collect::<Vec<_>>();
                    feed.tags.extend(further);
                }
                None => {
                    let fits = |title: &String| title.chars().count() <= 100 && names.insert(title.clone());
                    let name = title.filter(fits);
                    taken.insert(address.clone(), plan.added.len());
                    plan.added.push(NewFeed { url: address.into(), name, tags });
                }
            },
            Err(why) => {
                let label = text::shorten(&sanitise::line(title.as_deref().unwrap_or(&url)), LONGEST_LABEL);
                plan.skipped.push((line, format!("{label}: {why}")));
            }
        }
    }
    plan
}

/// The address of a feed in a list, or why it is not taken.
fn feed_address(configured: &HashSet<Url>, written: &str, is_scraped: bool) -> Result<Url, String> {
    if is_scraped {
        let page = redact::address(written).unwrap_or_else(|| "its address".to_owned());
        return Err(format!("{page} is a web page that the other reader makes a feed of, and no feed"));
    }
    let first = addresses(written).ok().and_then(|addresses| addresses.into_iter().next());
    let address = first.filter(|address| matches!(address.scheme(), "http" | "https"));
    match address {
        None => Err("its address is neither https nor http".to_owned()),
        Some(address) if !address.username().is_empty() || address.password().is_some() => {
            Err("its address holds a password; add it by hand with `username` and `password`".to_owned())
        }
        Some(address) if configured.contains(&without_fragment(&address)) => Err("it is there already".to_owned()),
        Some(address) => Ok(address),
    }
}

/// Writes the configured feeds as a list, with their pages as far as the store knows them.
pub(super) fn export(config: &Config, store: &Path) -> anyhow::Result<Exit> {
    // Whoever has not polled yet has no pages, and a list all the same.
    let sources = Reader::open(store).and_then(|reader| reader.read(feeds::sources)).unwrap_or_default();
    let pages: HashMap<&str, &str> =
        sources.iter().filter_map(|source| Some((source.address.as_str(), source.link.as_deref()?))).collect();
    let feeds = || config.feeds.iter().filter(|feed| feed.role == Role::Feed);
    let of_the_web = || feeds().filter(|feed| feed.url.scheme() != "file");
    let listed: Vec<Listed<'_>> = of_the_web()
        .map(|feed| Listed {
            name: &feed.name,
            address: feed.url.as_str(),
            page: pages.get(feed.url.as_str()).copied().or(feed.home.as_ref().map(Url::as_str)),
            tags: &feed.tags,
        })
        .collect();
    print(&render("Feeds of newsfold", &listed, None))?;
    let left_out = feeds().count() - listed.len();
    if left_out > 0 {
        eprintln!("{} of this machine left out: no other reader has them", counted(left_out, "file"));
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn planned(list: &str) -> (Vec<NewFeed>, Vec<String>) {
        let known = "[[feed]]\nurl = 'https://known.example/feed'";
        let config = config::from_toml(known, Path::new("/n.toml")).unwrap();
        let list = opml::read(format!("<opml><body>{list}</body></opml>").as_bytes()).unwrap();
        let Plan { added, skipped } = plan(&config, list.outlines);
        (added, skipped.into_iter().map(|(_, why)| why).collect())
    }

    #[test]
    fn a_feed_in_several_folders_has_the_tags_of_all() {
        let a = "<outline text='A' xmlUrl='https://a.example/'/>";
        let (added, skipped) = planned(&format!(
            "{a}<outline text='Music'>{a}</outline><outline text='Film'>{a}{a}</outline><outline text='Music'>{a}</outline>"
        ));
        assert_eq!(skipped, [""; 0]);
        let [feed] = &added[..] else { panic!("one feed: {added:?}") };
        assert_eq!((feed.name.as_deref(), &feed.tags[..]), (Some("A"), &["Music".to_owned(), "Film".to_owned()][..]));
    }

    #[test]
    fn what_is_no_feed_to_add_is_named_with_the_reason() {
        let (added, skipped) = planned(
            "<outline text='Page' type='HTML+XPath' xmlUrl='https://page.example/'/>\
             <outline text='Known' xmlUrl='https://known.example/feed#top'/>\
             <outline xmlUrl='gopher://x/'/>\
             <outline text='Secret' xmlUrl='https://me:pw@x.example/'/>\
             <outline text='A' xmlUrl='feed://a.example/'/><outline text='A' xmlUrl='https://b.example/'/>",
        );
        let starts = [
            "Page: https://page.example/ is a web page",
            "Known: it is there",
            "gopher://x/: its address",
            "Secret: its address",
        ];
        assert!(skipped.iter().zip(starts).all(|(line, start)| line.starts_with(start)), "{skipped:?}");
        assert_eq!(skipped.len(), starts.len());
        let found: Vec<_> = added.iter().map(|feed| (feed.url.as_str(), feed.name.as_deref())).collect();
        assert_eq!(found, [("https://a.example/", Some("A")), ("https://b.example/", None)], "names are unique");
    }
}
