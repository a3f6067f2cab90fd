//! Which stories an output shows.
//!
//! Edge: reads the store. What an output asks for is its configuration; how a story looks is `merged`'s work.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use rusqlite::Connection;

use crate::config::{Order, OutputConfig, Query};
use crate::model::{EntryRef, FeedRef, StoryRef};
use crate::normalise::permalink::Permalink;
use crate::publish::Output;
use crate::publish::merged::{self, HITS_ON_A_PAGE, MergedFeed, MergedStory, Part, Style};
use crate::store::feeds::Source;
use crate::store::outputs::{self, Closed};
use crate::store::stories::{Story, Telling};
use crate::store::{Result, entries, feeds, search, stories};

/// What is shown, and whether anything had to be left out for want of room.
pub struct Shown {
    /// The document.
    pub feed: MergedFeed,
    /// The places of the stories that are shown, in their order.
    pub places: Vec<DateTime<Utc>>,
    /// The place of the first story that found no room.
    pub left_out: Option<DateTime<Utc>>,
}

/// The merged feed of one output, as the store has it now.
///
/// # Errors
/// When the store cannot be read.
pub fn current(connection: &Connection, output: &Output) -> Result<Shown> {
    let OutputConfig { name, per_feed, limit, order, .. } = &output.config;
    let selection = Selection::new(connection, output)?;
    let (mut led, mut shown, mut places): (HashMap<FeedRef, usize>, Vec<MergedStory>, Vec<_>) = Default::default();
    let mut left_out = None;
    let mut take = |story: &Story| -> Result<bool> {
        let Some(chosen) = selection.choose(story)? else { return Ok(true) };
        if shown.len() == *limit {
            left_out = story.sort_at;
            return Ok(false);
        }
        let leads = led.entry(chosen.speaker).or_default();
        if *per_feed > 0 && *leads >= *per_feed {
            return Ok(true);
        }
        *leads += 1;
        if let Some(story_shown) = selection.merged(story, &chosen.coverage)? {
            shown.push(story_shown);
            places.extend(story.sort_at);
        }
        Ok(true)
    };
    match order {
        Order::Newest => stories::newest(connection, None, |story| take(&story))?,
        Order::Coverage => {
            for story in most_told(connection, output)? {
                if !take(&story)? {
                    break;
                }
            }
        }
    }
    let newest_archive = outputs::archives(connection, name)?.pop().map(|closed| closed.name);
    let newest_archive = newest_archive.filter(|_| output.has_archives());
    let feed = merged::feed(output.heading(), Part::Current { newest_archive }, shown);
    Ok(Shown { feed, places, left_out })
}

/// The stories of the window, which ends with the newest story, those that most sources tell first.
fn most_told(connection: &Connection, output: &Output) -> Result<Vec<Story>> {
    let mut newest = None;
    stories::newest(connection, None, |story| {
        newest = story.sort_at;
        Ok(false)
    })?;
    let window = chrono::TimeDelta::from_std(output.config.window).unwrap_or(chrono::TimeDelta::MAX);
    let since = newest.and_then(|newest| newest.checked_sub_signed(window));
    let mut found = Vec::new();
    stories::newest(connection, since, |story| {
        found.push(story);
        Ok(true)
    })?;
    found.sort_by_key(|story| (Reverse(story.sources), Reverse(story.sort_at), story.id));
    Ok(found)
}

/// A page of what is found in all stories that are published, the newest first; pages are counted from 1.
///
/// # Errors
/// When the store cannot be read.
pub fn search(connection: &Connection, output: &Output, query: &Query, page: usize) -> Result<MergedFeed> {
    let found = search::find(connection, query)?;
    let everything = OutputConfig { title: output.config.title.clone(), ..OutputConfig::default() };
    let output = Output { config: everything, feeds: None, ..output.clone() };
    let selection = Selection::new(connection, &output)?;
    let mut hits: Vec<Story> = found.into_iter().map(|story| stories::one(connection, story)).collect::<Result<_>>()?;
    hits.retain(|story| story.sort_at.is_some());
    hits.sort_by_key(|story| (Reverse(story.sort_at), story.id));
    let mut shown = Vec::new();
    for story in hits.iter().skip((page - 1) * HITS_ON_A_PAGE).take(HITS_ON_A_PAGE) {
        shown.extend(selection.merged(story, &stories::coverage(connection, story.story)?)?);
    }
    Ok(merged::feed(output.heading(), Part::Search { query: query.text.clone(), page, hits: hits.len() }, shown))
}

/// The archive of this name; `None` when there is none.
///
/// # Errors
/// When the store cannot be read.
pub fn archive(connection: &Connection, output: &Output, name: &str) -> Result<Option<MergedFeed>> {
    let closed = outputs::archives(connection, &output.config.name)?;
    let Some(at) = closed.iter().position(|closed| closed.name == name) else { return Ok(None) };
    let before = at.checked_sub(1).and_then(|at| closed.get(at));
    let selection = Selection::new(connection, output)?;
    let mut shown = Vec::new();
    for story in stories::between(connection, before, &closed[at])? {
        let Some(Chosen { mut coverage, .. }) = selection.choose(&story)? else { continue };
        let Some(entered) = selection.entered(&coverage) else { continue };
        let is_held =
            |archive: &Closed| story.sort_at.is_some_and(|place| place < archive.until) && entered <= archive.upto;
        if is_held(&closed[at]) && !before.is_some_and(is_held) {
            // What came later is no part of it.
            coverage.retain(|telling| telling.entry <= closed[at].upto || telling.entry == story.canonical);
            shown.extend(selection.merged(&story, &coverage)?);
        }
    }
    let part = Part::Archive { name: name.to_owned(), older: before.map(|before| before.name.clone()) };
    Ok(Some(merged::feed(output.heading(), part, shown)))
}

/// A story that an output takes.
struct Chosen {
    speaker: FeedRef,
    coverage: Vec<Telling>,
}

/// What an output asks for, with what it takes to answer.
struct Selection<'a> {
    connection: &'a Connection,
    output: &'a Output,
    sources: HashMap<FeedRef, Source>,
    /// The stories in which the output's query is found.
    found: Option<HashSet<StoryRef>>,
}

impl<'a> Selection<'a> {
    fn new(connection: &'a Connection, output: &'a Output) -> Result<Self> {
        let sources = feeds::sources(connection)?.into_iter().map(|source| (source.feed, source)).collect();
        let found = output.config.query.as_ref().map(|query| search::find(connection, query)).transpose()?;
        Ok(Self { connection, output, sources, found })
    }

    /// The story's coverage, if the output takes it.
    fn choose(&self, story: &Story) -> Result<Option<Chosen>> {
        let OutputConfig { min_sources, keep, drop, .. } = &self.output.config;
        let is_told = usize::try_from(story.sources).is_ok_and(|sources| sources >= *min_sources);
        if !is_told || self.found.as_ref().is_some_and(|found| !found.contains(&story.story)) {
            return Ok(None);
        }
        let coverage = stories::coverage(self.connection, story.story)?;
        let is_ours =
            self.output.feeds.as_ref().is_none_or(|feeds| coverage.iter().any(|telling| feeds.contains(&telling.feed)));
        let Some(speaker) = coverage.iter().find(|telling| telling.entry == story.canonical).filter(|_| is_ours) else {
            return Ok(None);
        };
        if !keep.is_empty() || !drop.is_empty() {
            let detail = entries::detail_of(self.connection, story.canonical)?;
            let permalink = speaker.permalink.as_ref().map(Permalink::as_str);
            let fits = |rule: &crate::config::Rule| rule.fits_parts(&speaker.title, permalink, &detail);
            if (!keep.is_empty() && !keep.iter().any(fits)) || drop.iter().any(fits) {
                return Ok(None);
            }
        }
        Ok(Some(Chosen { speaker: speaker.feed, coverage }))
    }

    /// The entry with which the story entered the output: the first after which it had the sources and the tag asked for.
    fn entered(&self, coverage: &[Telling]) -> Option<EntryRef> {
        let mut feeds = HashSet::new();
        let mut is_ours = self.output.feeds.is_none();
        coverage.iter().find_map(|telling| {
            feeds.insert(telling.feed);
            is_ours |= self.output.feeds.as_ref().is_some_and(|ours| ours.contains(&telling.feed));
            (is_ours && feeds.len() >= self.output.config.min_sources).then_some(telling.entry)
        })
    }

    fn merged(&self, story: &Story, coverage: &[Telling]) -> Result<Option<MergedStory>> {
        let detail = entries::detail_of(self.connection, story.canonical)?;
        let style =
            Style { source_in_title: self.output.config.source_in_title, on_coverage: self.output.config.on_coverage };
        let shown = merged::story(story, coverage, detail, style, |telling| self.sources.get(&telling.feed));
        let tags_of = |feed: &FeedRef| self.output.tags.get(feed).cloned().unwrap_or_default();
        let speaker = coverage.iter().find(|telling| telling.entry == story.canonical).map(|telling| telling.feed);
        Ok(shown.map(|shown| MergedStory {
            tags: speaker.as_ref().map(tags_of).unwrap_or_default(),
            sources: distinct_feeds(coverage),
            ..shown
        }))
    }
}

fn distinct_feeds(coverage: &[Telling]) -> u32 {
    let feeds: HashSet<FeedRef> = coverage.iter().map(|telling| telling.feed).collect();
    u32::try_from(feeds.len()).unwrap_or(u32::MAX)
}
