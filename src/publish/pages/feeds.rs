//! How the feeds are doing: all of them in a table, and each on a page of its own.
//!
//! Edge: reads the store.

use std::cmp::Reverse;
use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use minijinja::{Value, context};

use super::{layout, root, time};
use crate::model::history::{Outcome, Sample};
use crate::model::{Feed, FeedRef};
use crate::plural::counted;
use crate::publish::Site;
use crate::publish::address::{FeedOrder, FeedTable, encoded};
use crate::publish::outlet::name_of;
use crate::redact;
use crate::sanitise;
use crate::store::{self, Connection, entries, feeds, stories};

/// How many feeds a page of the table has.
const FEEDS_A_PAGE: usize = 200;
/// How many entries the page of a feed lists.
const MOST_ENTRIES: usize = 50;
const MOMENT: &str = "%-d %b %H:%M";

/// A page of the table of feeds.
///
/// # Errors
/// When the store cannot be read.
pub fn feeds(connection: &Connection, site: &Site, asked: &FeedTable) -> store::Result<String> {
    let mut states = feeds::configured(connection)?;
    let counts = feeds::entry_counts(connection)?;
    sort(&mut states, asked.order, &counts);
    let totals = totals(site, connection, &states, &counts)?;
    let wanted = asked.filter.to_lowercase();
    let holds = |text: &str| text.to_lowercase().contains(&wanted);
    let is_meant =
        |feed: &Feed| holds(&feed.name) || feed.title.as_deref().is_some_and(holds) || holds(feed.address.as_str());
    states.retain(|feed| wanted.is_empty() || is_meant(feed));
    let pages = states.len().div_ceil(FEEDS_A_PAGE).max(1);
    let page = asked.page.min(pages);
    let address = |change: FeedTable| format!("{}{}", root(site), change.address());
    let turned = |to: usize| (1..=pages).contains(&to).then(|| address(FeedTable { page: to, ..asked.clone() }));
    let rows = states.iter().skip((page - 1) * FEEDS_A_PAGE).take(FEEDS_A_PAGE);
    let columns: Vec<Value> = FeedOrder::NAMES
        .iter()
        .map(|(name, column, heading)| {
            let href = address(FeedTable { order: *column, page: 1, ..asked.clone() });
            context! { name => *name, heading => *heading, is_sorted => *column == asked.order, href }
        })
        .collect();
    let shown = context! {
        rows => rows.map(|feed| row(site, feed, &counts)).collect::<Vec<_>>(),
        columns,
        filter => &asked.filter,
        found => counted(states.len(), "feed"),
        before => turned(page - 1),
        behind => turned(page + 1),
        page,
        pages,
        shows_feeds => true,
        totals,
        ..layout(site, "Feeds", None)
    };
    Ok(site.theme.page("feeds.html", &shown))
}

/// The page of one feed; `None` when there is none of that name.
///
/// # Errors
/// When the store cannot be read.
pub fn feed(connection: &Connection, site: &Site, name: &str) -> store::Result<Option<String>> {
    let states = feeds::configured(connection)?;
    let Some(feed) = states.iter().find(|feed| feed.name == name) else { return Ok(None) };
    let counts = feeds::entry_counts(connection)?;
    let newest: Vec<Value> = entries::newest_of(connection, feed.feed, MOST_ENTRIES)?
        .into_iter()
        .map(|listed| {
            context! {
                title => Some(sanitise::line(&listed.title)).filter(|title| !title.is_empty()),
                permalink => listed.permalink,
                time => time(site.timezone, listed.published.unwrap_or(listed.first_seen), "%-d %b %Y %H:%M"),
                story => listed.story.map(|id| id.to_string()),
                sources => listed.sources,
            }
        })
        .collect();
    let page = context! {
        feed => row(site, feed, &counts),
        shows_feeds => true,
        address => redact::address(feed.address.as_str()),
        link => &feed.link,
        own_title => feed.title.as_deref().map(name_of),
        moved_to => feed.moved_to.as_ref().and_then(|moved| redact::address(moved.as_str())),
        repairs => feed.repairs.iter().map(|repair| sanitise::line(repair)).collect::<Vec<_>>(),
        polls => feed.polls,
        not_modified => feed.not_modified,
        saved => bytes(feed.saved_bytes),
        last_poll => feed.last_poll.map(|at| time(site.timezone, at, MOMENT)),
        recent => feed.recent.iter().rev().map(|sample| context! {
            time => time(site.timezone, sample.at, "%-d %b %H:%M:%S"),
            outcome => in_words(&sample),
            is_good => sample.outcome.is_good(),
            took => format!("{} ms", sample.took_ms),
            size => bytes(sample.bytes),
        }).collect::<Vec<_>>(),
        entries => newest,
        ..layout(site, &feed.name, None)
    };
    Ok(Some(site.theme.page("feed.html", &page)))
}

/// What is wrong with a feed, if anything: the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Gone,
    Failing,
    Moved,
    Repaired,
    New,
    Well,
}

impl State {
    fn of(feed: &Feed) -> Self {
        match feed {
            Feed { retired_at: Some(_), .. } => Self::Gone,
            Feed { failures: 1.., .. } => Self::Failing,
            Feed { moved_to: Some(_), .. } => Self::Moved,
            Feed { last_success: None, .. } => Self::New,
            Feed { repairs, .. } if !repairs.is_empty() => Self::Repaired,
            Feed { .. } => Self::Well,
        }
    }

    /// A word for the table, and the name of its colour.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Gone => ("gone", "bad"),
            Self::Failing => ("failing", "bad"),
            Self::Moved => ("moved", "odd"),
            Self::Repaired => ("repaired", "well"),
            Self::New => ("new", "quiet"),
            Self::Well => ("ok", "well"),
        }
    }
}

fn sort(states: &mut [Feed], order: FeedOrder, counts: &HashMap<FeedRef, u64>) {
    states.sort_by(|one, two| one.name.cmp(&two.name));
    match order {
        FeedOrder::Problems => states.sort_by_key(State::of),
        FeedOrder::Name => {}
        FeedOrder::Next => states.sort_by_key(|feed| (feed.next().is_none(), feed.next_poll)),
        FeedOrder::Success => states.sort_by_key(|feed| Reverse(feed.last_success)),
        FeedOrder::Entries => states.sort_by_key(|feed| Reverse(counts.get(&feed.feed).copied())),
        FeedOrder::Slowest => states.sort_by_key(|feed| Reverse(feed.response_ms)),
        FeedOrder::Size => states.sort_by_key(|feed| Reverse(feed.body_bytes)),
    }
}

fn row(site: &Site, feed: &Feed, counts: &HashMap<FeedRef, u64>) -> Value {
    let (state, colour) = State::of(feed).words();
    context! {
        name => &feed.name,
        href => encoded(&feed.name),
        title => feed.title.as_deref().map(name_of).filter(|title| *title != feed.name),
        state,
        colour,
        failures => (feed.failures > 0).then(|| counted(feed.failures, "poll")),
        failing_since => feed.failing_since.map(|since| time(site.timezone, since, MOMENT)),
        error => feed.last_error.as_deref().map(sanitise::line),
        success => feed.last_success.map(|at| time(site.timezone, at, MOMENT)),
        next => feed.next().map(|next| time(site.timezone, next, MOMENT)),
        why => &feed.next_poll_why,
        entries => counts.get(&feed.feed).copied().unwrap_or(0),
        response => feed.response_ms.map(|ms| format!("{ms} ms")),
        size => feed.body_bytes.map(bytes),
        spark => spark(site, feed),
    }
}

/// A bar for each of the last polls, the newest at the right: how long it took, and whether it went well.
fn spark(site: &Site, feed: &Feed) -> Value {
    const TALLEST: u32 = 30;
    // A feed that was added today has few bars at the right end, and not a few broad ones.
    const FEWEST_PLACES: usize = 24;
    let samples: Vec<Sample> = feed.recent.iter().collect();
    let bars: Vec<Value> = samples
        .iter()
        .zip((FEWEST_PLACES.saturating_sub(samples.len())..).map(|place| place * 5))
        .map(|(sample, x)| {
            // Times differ by orders of magnitude, so the height is that of their logarithm.
            let height = (sample.took_ms.max(1).ilog2() * 2 + 6).min(TALLEST);
            let colour = match (sample.outcome.is_good(), sample.bytes) {
                (false, _) => "bad",
                (true, 0) => "quiet",
                (true, _) => "well",
            };
            let told = format!(
                "{}: {}, {} ms, {}",
                sample.at.with_timezone(&site.timezone).format("%-d %b %H:%M"),
                in_words(sample),
                sample.took_ms,
                bytes(sample.bytes)
            );
            context! { x, y => TALLEST - height, height, colour, told }
        })
        .collect();
    let failed = samples.iter().filter(|sample| !sample.outcome.is_good()).count();
    context! { bars, width => samples.len().max(FEWEST_PLACES) * 5, failed, count => samples.len() }
}

fn totals(
    site: &Site,
    connection: &Connection,
    states: &[Feed],
    counts: &HashMap<FeedRef, u64>,
) -> store::Result<Value> {
    let polls: u64 = states.iter().map(|feed| feed.polls).sum();
    let unchanged: u64 = states.iter().map(|feed| feed.not_modified).sum();
    let in_trouble = states.iter().filter(|feed| State::of(feed) <= State::Failing).count();
    let week = match stories::newest_place(connection)? {
        Some(newest) => stories::folded_since(connection, newest - TimeDelta::days(7))?,
        None => (0, 0),
    };
    Ok(context! {
        feeds => counted(states.len(), "feed"),
        in_trouble,
        entries => grouped(counts.values().sum::<u64>()),
        polls => grouped(polls),
        unchanged_share => (polls > 0).then(|| unchanged * 100 / polls),
        saved => bytes(states.iter().map(|feed| feed.saved_bytes).sum()),
        week_tellings => grouped(week.0),
        week_stories => grouped(week.1),
        week_spared => grouped(week.0.saturating_sub(week.1)),
        next => states.iter().filter_map(Feed::next).min().map(|at: DateTime<Utc>| time(site.timezone, at, MOMENT)),
    })
}

/// What came of a poll, as people say it.
fn in_words(sample: &Sample) -> String {
    match sample.outcome {
        Outcome::Same => "the same document".to_owned(),
        Outcome::Ours => "failed on this machine".to_owned(),
        outcome => outcome.name().replace('_', " "),
    }
}

/// A size as people read it.
fn bytes(count: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000)];
    match UNITS.iter().find(|(_, unit)| count >= *unit) {
        // Two digits that count: nobody needs more to see what is large.
        Some((name, unit)) if count < unit * 10 => format!("{}.{}\u{a0}{name}", count / unit, count % unit * 10 / unit),
        Some((name, unit)) => format!("{}\u{a0}{name}", count / unit),
        None => format!("{count}\u{a0}B"),
    }
}

/// A number with its thousands set apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_sizes_are_easy_to_read() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        let sizes = [0, 999, 1_000, 9_140, 12_999, 761_000, 4_200_000, 3_000_000_000]
            .map(|size| bytes(size).replace('\u{a0}', " "));
        assert_eq!(sizes, ["0 B", "999 B", "1.0 KB", "9.1 KB", "12 KB", "761 KB", "4.2 MB", "3.0 GB"]);
    }
}
