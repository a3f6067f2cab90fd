//! Pages for people: what the templates are given.
//!
//! Edge: reads the store for pages that are rendered when they are asked for. No script, nothing from elsewhere; how it
//! looks is the templates' and the style sheet's.

mod feeds;
mod story;
mod timeline;

use std::cmp::Reverse;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;
use minijinja::{Value, context};
use url::Url;

pub use feeds::{feed, feeds};
pub use story::story;

use crate::config::Format;
use crate::publish::Site;
use crate::publish::merged::{MergedFeed, MergedStory, Other, Part};
use crate::sanitise;
use crate::store::digests::Listed;

/// So many sources make a story one that stands out, of which others' words are shown.
const MUCH_TOLD: u32 = 3;
/// How many of those stand before all others, and how much older than the newest story they may be.
const MOST_LEADS: usize = 3;
const LEADS_FOR: TimeDelta = TimeDelta::days(3);
/// How many other tellings of such a story are shown with their words.
const OPEN_TELLINGS: usize = 2;
/// How many tellers are named before they are counted.
const MOST_TELLERS: usize = 3;

/// A river of stories.
#[must_use]
pub fn river(site: &Site, feed: &MergedFeed) -> String {
    let leads = leads(feed);
    let shown = context! {
        leads => leads.iter().map(|story| teaser(site, feed, story, true)).collect::<Vec<_>>(),
        days => days(site, feed, &leads),
        links => links(site, &feed.heading.name),
        ..layout(site, &feed.heading.title, Some(&feed.heading.name))
    };
    site.theme.page("river.html", &shown)
}

/// What was found, or why nothing can be.
#[must_use]
pub fn search(site: &Site, query: &str, found: Result<&MergedFeed, &String>) -> String {
    let parts = found.as_ref().ok().map(|feed| {
        let beside = feed.part.beside(&feed.heading, "");
        let page = |wanted| beside.iter().find(|(rel, _)| *rel == wanted).map(|(_, address)| site_path(site, address));
        context! {
            atom => site_path(site, &feed.heading.search(query, 1, ".atom")),
            count => hits(&feed.part),
            days => days(site, feed, &[]),
            newer => page("previous"),
            older => page("next"),
        }
    });
    let shown = context! {
        query,
        found => parts,
        problem => found.err().filter(|_| !query.trim().is_empty()),
        ..layout(site, if query.trim().is_empty() { "Search" } else { query }, None)
    };
    site.theme.page("search.html", &shown)
}

/// How many stories were found.
fn hits(part: &Part) -> usize {
    if let Part::Search { hits, .. } = part { *hits } else { 0 }
}

/// What every page shows around what it is about.
fn layout(site: &Site, title: &str, current: Option<&str>) -> Value {
    let first = site.outputs.first();
    let outputs: Vec<Value> = site
        .outputs
        .iter()
        .filter(|output| output.config.formats.contains(&Format::Html))
        .map(|output| {
            let name = &output.config.name;
            context! {
                title => &output.config.title,
                href => format!("{}{name}", root(site)),
                is_current => current == Some(name),
            }
        })
        .collect();
    context! {
        title,
        site => first.map_or("newsfold", |output| &output.config.title),
        root => root(site),
        is_private => site.is_private,
        shows_feeds => site.shows_feeds,
        zone => site.timezone.name(),
        outputs,
        main => links(site, first.map_or("", |output| &output.config.name)),
    }
}

/// The path that everything is served under, with a slash at its end.
fn root(site: &Site) -> &str {
    site.public_url.as_ref().map_or("/", Url::path)
}

/// An address of ours as a path, so that a page works under every name of its server.
fn site_path(site: &Site, address: &str) -> String {
    let whole = site.public_url.as_ref().map_or("", Url::as_str);
    format!("{}{}", root(site), address.strip_prefix(whole).unwrap_or(address))
}

/// Where to subscribe to an output.
fn links(site: &Site, name: &str) -> Vec<Value> {
    let Some(output) = site.outputs.iter().find(|output| output.config.name == name) else { return Vec::new() };
    let formats = output.config.formats.iter().filter(|format| **format != Format::Html);
    formats
        .map(|format| {
            let label = match format {
                Format::Atom => "Atom",
                Format::Rss => "RSS",
                Format::Json | Format::Html => "JSON Feed",
            };
            let kind = format.media_type().split(';').next();
            context! { href => format!("{}{name}{}", root(site), format.ending()), type => kind, label, title => &output.config.title }
        })
        .collect()
}

/// The stories that most sources tell of those that are as new as the newest. What is not sorted by time has its order already.
fn leads(feed: &MergedFeed) -> Vec<&MergedStory> {
    let newest = feed.stories.iter().map(|story| story.published).max();
    let is_new = |story: &&MergedStory| newest.is_some_and(|newest| story.published > newest - LEADS_FOR);
    let is_much_told = |story: &&MergedStory| story.sources >= MUCH_TOLD && story.digest.is_none();
    if !is_by_time(feed) || matches!(feed.part, Part::Search { .. }) {
        return Vec::new();
    }
    let mut leads: Vec<&MergedStory> = feed.stories.iter().filter(is_new).filter(is_much_told).collect();
    leads.sort_by_key(|story| Reverse((story.sources, story.published)));
    leads.truncate(MOST_LEADS);
    leads
}

/// Whether the newest stories stand first.
fn is_by_time(feed: &MergedFeed) -> bool {
    feed.stories.is_sorted_by(|one, two| one.published.date_naive() >= two.published.date_naive())
}

/// The stories by day, but for those that lead. What is sorted otherwise than by time is one group without a date, and what a
/// digest lists is one.
fn days(site: &Site, feed: &MergedFeed, leads: &[&MergedStory]) -> Vec<Value> {
    if feed.stories.iter().any(|story| story.digest.is_some()) {
        return feed.stories.iter().map(|story| digest(site, story)).collect();
    }
    let is_by_time = is_by_time(feed);
    let is_no_lead = |story: &&MergedStory| leads.iter().all(|lead| lead.id != story.id);
    let stories: Vec<&MergedStory> = feed.stories.iter().filter(is_no_lead).collect();
    let day = |story: &MergedStory| story.published.with_timezone(&site.timezone).date_naive();
    let groups: Vec<&[&MergedStory]> =
        if is_by_time { stories.chunk_by(|one, two| day(one) == day(two)).collect() } else { vec![&stories] };
    let is_search = matches!(feed.part, Part::Search { .. });
    groups
        .into_iter()
        .map(|stories| {
            let date = stories.first().filter(|_| is_by_time).map(|story| day(story));
            let with_date = !is_by_time || is_search;
            context! {
                date => date.map(|date| date.to_string()),
                label => date.map(|date| date.format("%A, %-d %B %Y").to_string()),
                stories => stories.iter().map(|story| teaser(site, feed, story, with_date)).collect::<Vec<_>>(),
            }
        })
        .collect()
}

fn digest(site: &Site, digest: &MergedStory) -> Value {
    let story = |listed: &Listed| {
        context! {
            id => listed.id.trim_start_matches("urn:uuid:"),
            title => &listed.title,
            permalink => &listed.url,
            lead => (!listed.lead.is_empty()).then_some(&listed.lead),
            source => &listed.source,
            sources => listed.sources,
            time => DateTime::from_timestamp_millis(listed.published).map(|at| time(site.timezone, at, "%-d %b %H:%M")),
            media => Vec::<String>::new(),
        }
    };
    context! {
        id => digest.id.to_string(),
        date => digest.published.to_rfc3339_opts(SecondsFormat::Secs, true),
        label => &digest.title,
        stories => digest.digest.iter().flatten().map(story).collect::<Vec<_>>(),
    }
}

fn teaser(site: &Site, feed: &MergedFeed, story: &MergedStory, with_date: bool) -> Value {
    let is_much_told = story.sources >= MUCH_TOLD;
    let open = if is_much_told { OPEN_TELLINGS.min(story.others.len()) } else { 0 };
    let (shown, folded) = story.others.split_at_checked(open).unwrap_or((&story.others, &[]));
    let mut tellers: Vec<&str> = folded.iter().map(|other| other.source.as_str()).collect();
    tellers.retain(|teller| *teller != story.source.title);
    let mut seen = std::collections::HashSet::new();
    tellers.retain(|teller| seen.insert(*teller));
    let other = |other: &Other| {
        context! {
            source => &other.source, title => &other.title, permalink => &other.permalink,
            time => time(site.timezone, other.at, "%-d %b %H:%M"),
        }
    };
    context! {
        id => story.id.to_string(),
        title => &story.headline,
        permalink => &story.permalink,
        // Some publishers repeat the title where a text should be.
        lead => Some(&story.lead).filter(|lead| **lead != story.headline),
        language => &story.language,
        image => story.image.as_deref().filter(|image| sanitise::web_address(image, None).is_some()),
        comments => &story.comments,
        comment_count => story.comment_count,
        source => &story.source.title,
        sources => story.sources,
        is_much_told,
        time => time(site.timezone, story.published, if with_date { "%-d %b %H:%M" } else { "%H:%M" }),
        tellers => tellers.iter().take(MOST_TELLERS).map(|teller| (*teller).to_owned()).collect::<Vec<_>>(),
        more_tellers => tellers.len().saturating_sub(MOST_TELLERS),
        shown => shown.iter().map(other).collect::<Vec<_>>(),
        others => folded.iter().map(other).collect::<Vec<_>>(),
        media => story.enclosures.iter().map(|enclosure| context! {
            href => &enclosure.url, kind => enclosure.media_type.as_deref().and_then(|kind| kind.split('/').next()),
        }).collect::<Vec<_>>(),
        output => &feed.heading.name,
    }
}

/// An instant for machines and for people: as short as its place allows, and whole with its zone.
fn time(zone: Tz, at: DateTime<Utc>, format: &str) -> Value {
    let local = at.with_timezone(&zone);
    context! {
        at => at.to_rfc3339_opts(SecondsFormat::Secs, true),
        label => local.format(format).to_string(),
        whole => local.format("%A, %-d %B %Y, %H:%M %Z").to_string(),
    }
}
