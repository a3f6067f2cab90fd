//! Which stories an output shows.
//!
//! Edge: reads the store. What an output asks for is its configuration; how a story looks is `merged`'s work.

use std::cell::{OnceCell, RefCell};
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};

use crate::config::{Format, Judged, Order, OutputConfig, Query, Rule};
use crate::model::permalink::Permalink;
use crate::model::{Detail, EntryRef, FeedRef, StoryId, StoryRef};
use crate::publish::merged::{
    self, Credit, Followed, HITS_ON_A_PAGE, InOtherLanguage, MergedFeed, MergedStory, Part, Stories, Style,
};
use crate::publish::relays::Relays;
use crate::publish::spool::{Spool, Spooled};
use crate::publish::{Output, digest, isolate, sight};
use crate::store::feeds::Source;
use crate::store::follows::Neighbour;
use crate::store::outputs::{self, Closed};
use crate::store::stories::{DamagedEntry, Story, Telling};
use crate::store::texts::LastBlock;
use crate::store::{Connection, Policy, Result, entries, feeds, other_languages, search, stories};

/// An archive. Those of a month hold what all feeds told in it, so that their stories are not in memory.
pub struct Archive {
    /// Its name within the output.
    pub name: String,
    /// All of it but the stories.
    pub feed: MergedFeed,
    /// The stories.
    pub stories: Spooled,
}

/// So many bytes of texts are kept for the stories' pages.
const MOST_TEXTS: usize = 4 << 20;

/// What is shown, and whether anything had to be left out for want of room.
pub struct Shown {
    /// The document.
    pub feed: MergedFeed,
    /// The places of the stories that are shown, in their order.
    pub places: Vec<DateTime<Utc>>,
    /// The place of the first story that found no room.
    pub left_out: Option<DateTime<Utc>>,
    /// Stories that cannot be read, with why: they are missing.
    pub spoiled: Vec<(StoryId, String)>,
    /// Entries that are missing, because their rows are damaged.
    pub damaged: BTreeSet<DamagedEntry>,
    /// How many stories are shown in brief, because the document would have been too large.
    pub in_brief: usize,
    /// The texts of entries that speak for stories, as far as there is room for them, where the stories' pages are written too.
    pub texts: HashMap<EntryRef, Detail>,
}

/// The merged feed of one output, as the store has it now.
///
/// # Errors
/// When the store cannot be read.
pub fn current(connection: &Connection, output: &Output) -> Result<Shown> {
    if output.config.digest.is_some() {
        let feed =
            merged::feed(output.heading(), Part::Current { newest_archive: None }, digest::shown(connection, output)?);
        let (places, spoiled, damaged, texts) = Default::default();
        return Ok(Shown { feed, places, left_out: None, spoiled, damaged, in_brief: 0, texts });
    }
    let OutputConfig { name, order, directory, formats, .. } = &output.config;
    let keeps_texts = directory.is_some() && formats.contains(&Format::Html);
    let selection = Selection { keeps_texts, ..Selection::new(connection, output)? };
    let mut page = Page {
        selection: &selection,
        led: HashMap::new(),
        places: Vec::new(),
        shown: Stories::default(),
        left_out: None,
    };
    match order {
        Order::Newest => {
            let mut speakers: HashMap<StoryRef, Option<EntryRef>> = HashMap::new();
            stories::newest_tellings(connection, |entry, story| {
                // A story that many tell is met with each telling, and is shown with the one that speaks for it here.
                let speaker = match speakers.get(&story.story) {
                    Some(speaker) => *speaker,
                    None => {
                        let chosen = selection.guard(&story, || selection.choose(&story))?;
                        let speaker = chosen.as_ref().map(|chosen| chosen.story.canonical);
                        if chosen.is_some_and(|chosen| chosen.coverage.len() > 1) || story.canonical != entry {
                            speakers.insert(story.story, speaker);
                        }
                        speaker
                    }
                };
                if speaker == Some(entry) { page.take(&story) } else { Ok(true) }
            })?;
        }
        Order::Coverage => {
            for story in most_told(&selection)? {
                if !page.take(&story)? {
                    break;
                }
            }
        }
    }
    let (left_out, in_brief) = (page.left_out, page.shown.in_brief());
    let mut placed: Vec<(DateTime<Utc>, MergedStory)> = page.places.into_iter().zip(page.shown.into_vec()).collect();
    if *order == Order::Newest {
        placed.sort_by_key(|(place, _)| Reverse(*place));
    }
    let (places, shown) = placed.into_iter().unzip();
    let newest_archive = outputs::archives(connection, name)?.pop().map(|closed| closed.name);
    let newest_archive = newest_archive.filter(|_| output.has_archives());
    let feed = merged::feed(output.heading(), Part::Current { newest_archive }, shown);
    let (spoiled, damaged) = (selection.spoiled.into_inner(), selection.damaged.into_inner());
    let (_, texts) = selection.texts.into_inner();
    Ok(Shown { feed, places, left_out, spoiled, damaged, in_brief, texts })
}

/// A document that is being filled.
struct Page<'a> {
    selection: &'a Selection<'a>,
    /// How many of the stories that are shown each feed speaks for.
    led: HashMap<FeedRef, usize>,
    /// The places of the stories.
    places: Vec<DateTime<Utc>>,
    /// The stories.
    shown: Stories,
    left_out: Option<DateTime<Utc>>,
}

impl Page<'_> {
    /// Shows a story, if the output takes it; gives whether there is room for more.
    ///
    /// Where a feed speaks for as many as it may, the next one who tells the story speaks for it.
    fn take(&mut self, story: &Story) -> Result<bool> {
        let OutputConfig { per_feed, limit, .. } = &self.selection.output.config;
        let has_room = |feed: FeedRef| *per_feed == 0 || self.led.get(&feed).is_none_or(|leads| leads < per_feed);
        let chosen = self.selection.guard(story, || self.selection.choose_among(story, |_| true, has_room))?;
        let Some(Chosen { story, coverage }) = chosen else { return Ok(true) };
        if self.shown.len() == *limit || self.shown.is_full() {
            self.left_out = story.sort_at;
            return Ok(false);
        }
        let merged = self.selection.guard(&story, || self.selection.merged(&story, &coverage))?;
        if let (Some(place), Some(shown)) = (story.sort_at, merged) {
            let speaker = coverage.iter().find(|telling| telling.entry == story.canonical).map(|telling| telling.feed);
            speaker.into_iter().for_each(|feed| *self.led.entry(feed).or_default() += 1);
            self.places.push(place);
            self.shown.extend([shown]);
        }
        Ok(true)
    }
}

/// The stories of the window, which ends with the newest story, those that most sources tell first.
fn most_told(selection: &Selection<'_>) -> Result<Vec<Story>> {
    let Selection { connection, output, .. } = selection;
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
    if !output.aggregators.is_empty() {
        for story in &mut found {
            let coverage = selection.guard(story, || stories::coverage(connection, story.story).map(Some))?;
            if let Some(coverage) = coverage {
                story.sources = selection.count(&coverage)?;
            }
        }
    }
    found.sort_by_key(|story| Reverse(story.sources));
    Ok(found)
}

/// A page of what is found in all stories that are published, the newest first; pages are counted from 1.
///
/// # Errors
/// When the store cannot be read.
pub fn search(connection: &Connection, output: &Output, query: &Query, page: usize) -> Result<MergedFeed> {
    let found = search::find(connection, query, &output.visible)?;
    let everything = OutputConfig { title: output.config.title.clone(), ..OutputConfig::default() };
    let output = Output { config: everything, feeds: None, ..output.clone() };
    let selection = Selection::new(connection, &output)?;
    let mut hits: Vec<Story> =
        found.stories.into_iter().map(|story| stories::one(connection, story)).collect::<Result<_>>()?;
    hits.retain(|story| story.sort_at.is_some());
    hits.sort_by_key(|story| Reverse((story.sort_at, story.story)));
    let mut shown = Stories::default();
    for story in hits.iter().skip((page - 1) * HITS_ON_A_PAGE).take(HITS_ON_A_PAGE) {
        if let Some(Chosen { story, coverage }) = selection.guard(story, || selection.choose(story))? {
            shown.extend(selection.guard(&story, || selection.merged(&story, &coverage))?);
        }
    }
    Ok(merged::feed(
        output.heading(),
        Part::Search { query: query.text.clone(), page, hits: hits.len() },
        shown.into_vec(),
    ))
}

/// Those archives that there are of these names, the oldest first, their stories kept in a file in `folder`. The inner error is
/// that file's.
///
/// # Errors
/// When the store cannot be read.
pub fn archives(
    connection: &Connection,
    output: &Output,
    names: &[String],
    folder: &Path,
) -> Result<io::Result<Vec<Archive>>> {
    let closed = outputs::archives(connection, &output.config.name)?;
    let wanted: Vec<usize> = (0..closed.len()).filter(|at| names.contains(&closed[*at].name)).collect();
    let (Some(first), Some(last)) = (wanted.first(), wanted.last()) else { return Ok(Ok(Vec::new())) };
    let before = |at: usize| at.checked_sub(1).and_then(|at| closed.get(at));
    let selection = Selection { is_once: true, ..Selection::new(connection, output)? };
    let mut shown = Spool::new(folder, wanted.len());
    stories::between(connection, before(*first), &closed[*last], |story| {
        let chosen = selection.guard(&story, || selection.choose(&story))?;
        let Some(Chosen { story: spoken_for, mut coverage }) = chosen else { return Ok(()) };
        let Some(entered) = selection.entered(&coverage)? else { return Ok(()) };
        let is_held =
            |archive: &Closed| story.sort_at.is_some_and(|place| place < archive.until) && entered <= archive.upto;
        // Those after the first that holds it do not.
        let holder = closed.iter().position(is_held);
        if let Some(document) = wanted.iter().position(|at| Some(*at) == holder) {
            let upto = closed[wanted[document]].upto;
            // What came later is no part of it.
            coverage.retain(|telling| telling.entry <= upto || telling.entry == spoken_for.canonical);
            let merged = selection.guard(&spoken_for, || selection.merged(&spoken_for, &coverage))?;
            merged.into_iter().for_each(|shown_story| shown.push(document, story.sort_at, &shown_story));
        }
        Ok(())
    })?;
    let archive = |(at, stories): (usize, Spooled)| {
        let part = Part::Archive { name: closed[at].name.clone(), older: before(at).map(|before| before.name.clone()) };
        let feed = MergedFeed { heading: output.heading(), part, updated: stories.updated(), stories: Vec::new() };
        Archive { name: closed[at].name.clone(), feed, stories }
    };
    Ok(shown.finish().map(|documents| wanted.iter().copied().zip(documents).map(archive).collect()))
}

/// A story that an output takes, and since when.
pub struct Entered {
    /// Which.
    pub story: StoryRef,
    /// As it is shown.
    pub shown: MergedStory,
    /// The telling that speaks for it.
    pub speaker: Telling,
    /// The entry with which it had the sources and the tag asked for.
    pub with: EntryRef,
    /// When the entry was published with which it had the sources and the tag asked for, or seen where that is not known.
    pub since: DateTime<Utc>,
}

/// Shows `each` story that an output takes of those which entries after `upto` tell.
///
/// # Errors
/// When the store cannot be read, or what `each` returned.
pub fn entered_after(
    connection: &Connection,
    output: &Output,
    upto: EntryRef,
    each: impl FnMut(Entered) -> Result<()>,
) -> Result<()> {
    entered_among(connection, output, upto, |_| true, each)
}

/// Shows `each` story that entered an output with an entry after one and not after another, as those told it who had by then.
///
/// # Errors
/// When the store cannot be read, or what `each` returned.
pub fn entered_between(
    connection: &Connection,
    output: &Output,
    after: EntryRef,
    upto: EntryRef,
    mut each: impl FnMut(Entered) -> Result<()>,
) -> Result<()> {
    entered_among(
        connection,
        output,
        after,
        |telling| telling.entry <= upto,
        |entered| if entered.with > after { each(entered) } else { Ok(()) },
    )
}

/// Shows `each` story that an output takes of those which entries after `upto` tell, as those tellings make it that `counts`.
fn entered_among(
    connection: &Connection,
    output: &Output,
    upto: EntryRef,
    counts: impl Fn(&Telling) -> bool,
    mut each: impl FnMut(Entered) -> Result<()>,
) -> Result<()> {
    let selection = Selection { is_once: true, ..Selection::new(connection, output)? };
    for story in stories::told_after(connection, upto)? {
        let story = stories::one(connection, story)?;
        let chosen = selection.guard(&story, || selection.choose_among(&story, &counts, |_| true))?;
        let Some(Chosen { story, coverage }) = chosen else { continue };
        let with = selection.entered(&coverage)?;
        let entered = coverage.iter().find(|telling| Some(telling.entry) == with);
        let speaker = coverage.iter().find(|telling| telling.entry == story.canonical).cloned();
        if let (Some(entered), Some(speaker), Some(shown)) =
            (entered, speaker, selection.guard(&story, || selection.merged(&story, &coverage))?)
        {
            let (with, since) = (entered.entry, entered.shown_at());
            each(Entered { story: story.story, shown, speaker, with, since })?;
        }
    }
    Ok(())
}

/// A story that an output takes, as it is where the telling speaks for it that the output chose, and all who tell it.
struct Chosen {
    story: Story,
    coverage: Vec<Telling>,
}

/// A feed, and how it is credited, which takes a while to work out and is the same in each of its stories.
struct Credited {
    source: Source,
    credit: OnceCell<Credit>,
}

impl Credited {
    fn credit(&self) -> &Credit {
        self.credit.get_or_init(|| Credit::of(&self.source))
    }
}

/// What an output asks for, with what it takes to answer.
struct Selection<'a> {
    connection: &'a Connection,
    output: &'a Output,
    sources: HashMap<FeedRef, Credited>,
    /// Whether what is selected is hardly rendered again.
    is_once: bool,
    /// Whether any story is told in other languages.
    is_multilingual: bool,
    /// Where the output's query is found.
    found: Option<search::Hits>,
    /// Whether texts are kept for the stories' pages.
    keeps_texts: bool,
    /// Those that are, and how many bytes they have.
    texts: RefCell<(usize, HashMap<EntryRef, Detail>)>,
    /// The texts that were read last. It is one view of the store.
    last_block: RefCell<LastBlock>,
    /// Stories that cannot be read, with why.
    spoiled: RefCell<Vec<(StoryId, String)>>,
    /// Entries that are not shown, because their rows are damaged.
    damaged: RefCell<BTreeSet<DamagedEntry>>,
}

impl<'a> Selection<'a> {
    fn new(connection: &'a Connection, output: &'a Output) -> Result<Self> {
        let sources = feeds::sources(connection)?
            .into_iter()
            .map(|source| (source.feed, Credited { source, credit: OnceCell::new() }))
            .collect();
        let found =
            output.config.query.as_ref().map(|query| search::find(connection, query, &output.visible)).transpose()?;
        let (texts, last_block, spoiled, damaged) = Default::default();
        let (is_once, keeps_texts) = (false, false);
        let is_multilingual = other_languages::are_there_any(connection)?;
        Ok(Self {
            connection,
            output,
            sources,
            is_once,
            is_multilingual,
            found,
            keeps_texts,
            texts,
            last_block,
            spoiled,
            damaged,
        })
    }

    /// What `read` makes of a story; `None` too when it cannot be read, which costs no other story its place.
    fn guard<T>(&self, story: &Story, read: impl FnOnce() -> Result<Option<T>>) -> Result<Option<T>> {
        match isolate::work(read) {
            Err(error) if error.policy() == Policy::Report => {
                self.spoiled.borrow_mut().push((story.id, error.to_string()));
                Ok(None)
            }
            came => came,
        }
    }

    /// The story, if the output takes it.
    fn choose(&self, story: &Story) -> Result<Option<Chosen>> {
        self.choose_among(story, |_| true, |_| true)
    }

    /// The same, told by those tellings that `counts`, and spoken for by a feed that `may_speak`. Of the tellings that pass the
    /// output's rules the best one speaks.
    fn choose_among(
        &self,
        story: &Story,
        counts: impl Fn(&Telling) -> bool,
        may_speak: impl Fn(FeedRef) -> bool,
    ) -> Result<Option<Chosen>> {
        let min_sources = self.output.config.min_sources;
        let is_told = |sources: u32| usize::try_from(sources).is_ok_and(|sources| sources >= min_sources);
        // Those whom aggregators name are not counted there.
        let is_counted = self.output.aggregators.is_empty();
        if (is_counted && !is_told(story.sources))
            || self.found.as_ref().is_some_and(|found| !found.stories.contains(&story.story))
        {
            return Ok(None);
        }
        let (mut coverage, damaged) = stories::coverage_and_damage(self.connection, story.story)?;
        self.damaged.borrow_mut().extend(damaged);
        coverage.retain(|telling| self.output.visible.contains(&telling.feed) && counts(telling));
        let is_ours =
            self.output.feeds.as_ref().is_none_or(|feeds| coverage.iter().any(|telling| feeds.contains(&telling.feed)));
        if !is_told(self.count(&coverage)?) || !is_ours {
            return Ok(None);
        }
        let Some(best) = stories::speaker(&coverage) else { return Ok(None) };
        let speaker = if may_speak(best.feed) && self.passes(best)? {
            Some(best)
        } else {
            let mut passing = Vec::new();
            for telling in coverage.iter().filter(|telling| may_speak(telling.feed)) {
                if self.passes(telling)? {
                    passing.push(telling);
                }
            }
            stories::speaker(passing)
        };
        Ok(speaker.map(|speaker| story.spoken_for(speaker)).map(|story| Chosen { story, coverage }))
    }

    fn relays(&self, coverage: &[Telling]) -> Result<Relays> {
        sight::relays(self.connection, self.output, coverage)
    }

    fn credit_of(&self, telling: &Telling) -> Option<&Credit> {
        self.sources.get(&telling.feed).map(Credited::credit)
    }

    /// How many sources tell what these tell.
    fn count(&self, coverage: &[Telling]) -> Result<u32> {
        Ok(self.relays(coverage)?.sources(coverage, |telling| Credit::known(self.credit_of(telling), telling)))
    }

    /// Whether a telling passes the output's rules.
    fn passes(&self, telling: &Telling) -> Result<bool> {
        let OutputConfig { keep, drop, .. } = &self.output.config;
        if self.found.as_ref().is_some_and(|found| !found.entries.contains(&telling.entry)) {
            return Ok(false);
        }
        if keep.is_empty() && drop.is_empty() {
            return Ok(true);
        }
        let detail = self.detail_of(telling.entry)?;
        let source = self.sources.get(&telling.feed).map(|credited| &credited.source);
        let judged = Judged {
            title: &telling.title,
            permalink: telling.permalink.as_ref().map(Permalink::as_str),
            detail: &detail,
            feed: source.map_or("", |source| &source.name),
            source: source.and_then(|source| source.title.as_deref()),
        };
        let fits = |rule: &Rule| rule.fits(&judged);
        Ok((keep.is_empty() || keep.iter().any(fits)) && !drop.iter().any(fits))
    }

    fn detail_of(&self, entry: EntryRef) -> Result<Detail> {
        entries::detail_beside(self.connection, entry, &mut self.last_block.borrow_mut())
    }

    /// The entry with which the story entered the output: the first after which it had the sources and the tag asked for.
    fn entered(&self, coverage: &[Telling]) -> Result<Option<EntryRef>> {
        let counts = self.relays(coverage)?.counts(coverage, |telling| Credit::known(self.credit_of(telling), telling));
        let mut is_ours = self.output.feeds.is_none();
        Ok(coverage.iter().zip(counts).find_map(|(telling, sources)| {
            is_ours |= self.output.feeds.as_ref().is_some_and(|ours| ours.contains(&telling.feed));
            (is_ours && sources >= self.output.config.min_sources).then_some(telling.entry)
        }))
    }

    fn merged(&self, story: &Story, coverage: &[Telling]) -> Result<Option<MergedStory>> {
        let detail = match self.detail_of(story.canonical) {
            // Its title and its link are still there.
            Err(error) if error.policy() == Policy::Report => Detail { is_damaged: true, ..Detail::default() },
            detail => detail?,
        };
        if self.keeps_texts && !detail.is_damaged {
            let (bytes, texts) = &mut *self.texts.borrow_mut();
            *bytes += [&detail.summary, &detail.content].into_iter().flatten().map(String::len).sum::<usize>();
            if *bytes < MOST_TEXTS {
                texts.insert(story.canonical, detail.clone());
            }
        }
        let OutputConfig { source_in_title, on_coverage, bump_at, content, coverage: list, .. } = &self.output.config;
        let page = self.output.has_story_pages.then(|| self.output.heading().story(story.id));
        let style = Style {
            source_in_title: *source_in_title,
            on_coverage: *on_coverage,
            bump_at,
            content: *content,
            coverage: *list,
            page: page.as_deref(),
            is_once: self.is_once,
        };
        let relays = self.relays(coverage)?;
        let shown = merged::story(story, coverage, detail, style, &relays, |telling| self.credit_of(telling));
        // A link to a story's page is for outputs whose stories have one.
        let has_page = shown.as_ref().is_some_and(|shown| shown.page().is_some());
        let followed = if has_page { sight::followed(self.connection, self.output, story)? } else { None };
        let heading = self.output.heading();
        let follows = followed.map(|followed| Followed::of(&followed, heading.story(followed.id)));
        let in_other_languages = match has_page && self.is_multilingual {
            true => sight::in_other_languages(self.connection, self.output, story)?,
            false => Vec::new(),
        };
        let named =
            |(language, other): (String, Neighbour)| InOtherLanguage::of(language, &other, heading.story(other.id));
        let other_languages = in_other_languages.into_iter().map(named).collect();
        let tags_of = |feed: &FeedRef| self.output.tags.get(feed).cloned().unwrap_or_default();
        let speaker = coverage.iter().find(|telling| telling.entry == story.canonical).map(|telling| telling.feed);
        Ok(shown.map(|shown| MergedStory {
            tags: speaker.as_ref().map(tags_of).unwrap_or_default(),
            follows,
            other_languages,
            ..shown
        }))
    }
}
