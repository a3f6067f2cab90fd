//! What is to become of a document, as values.
//!
//! Pure: what the store knows in, what is to be written out. [`super::ingest`] reads the one beforehand, and `apply` writes the
//! other. What is folded is folded within the writer's index and pages, which are forgotten when the transaction fails.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::record::{PollRecord, Rest};
use crate::config::{Judged, Rule};
use crate::fold::Article;
use crate::fold::fingerprint::Fingerprint;
use crate::fold::folding::{Fold, Folding};
use crate::fold::link::{Linked, Telling};
use crate::fold::plan::Verdict;
use crate::model::{Entry, EntryId, EntryRef, Feed, Level, StoryId, StoryNames, Validators};
use crate::normalise::identity;
use crate::store::known_as::PassedOn;
use crate::store::stories::{Shown, Story};
use crate::subscription::IngestOptions;
use crate::text;
use crate::update::{self, Changes, Known, Lately};

/// How far before we first saw it a new entry may stand among the published: what a publisher dates back is not buried.
const LONGEST_BACKDATING: TimeDelta = TimeDelta::hours(1);
/// When a feed whose hub told too much at once is polled for the rest.
const AFTER_TOO_MUCH: TimeDelta = TimeDelta::hours(1);
/// How many old entries a publisher may keep at the end of a document from which newer ones fall off.
const MOST_PINNED: usize = 2;

/// What a document changes about what is known of its feed.
pub(super) fn changes<'a>(record: &PollRecord, known: &Known, polled: &'a [Entry]) -> Changes<'a> {
    let mut changes = update::plan(known, polled, record.at);
    if record.is_partial {
        update::without_steps_back(known, &mut changes);
    }
    changes
}

/// How many of a document's new entries are taken in; `lately` is what the feed brought before it, and has them counted after.
pub(super) fn intake(
    record: &PollRecord,
    floods: u32,
    [polled, added]: [usize; 2],
    lately: &mut Lately,
) -> update::Intake {
    let PollRecord { at, is_first, is_partial, .. } = *record;
    let left = lately.left(is_partial, at);
    let intake = update::intake(update::Arrived { added, polled, left, is_first, is_partial }, floods);
    lately.add(is_partial, intake.take);
    intake
}

/// What one transaction takes in of a document.
#[derive(Debug)]
pub(super) struct Part<'a> {
    /// The feed as it is to be stored.
    pub(super) feed: Feed,
    /// What becomes of the entries.
    pub(super) changes: Changes<'a>,
    /// Which entries stand in the document.
    pub(super) listing: Listing,
    /// Whether nothing of the document is left after it.
    pub(super) is_last: bool,
}

/// Which of the feed's stored entries stand in its document.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    /// Those that left it,
    pub(super) gone: Vec<EntryRef>,
    /// and those of them that did so from its midst.
    pub(super) withdrawn: Vec<EntryRef>,
    /// Those that came back.
    pub(super) back: Vec<EntryRef>,
    /// Those that stand in it. The new ones come after them.
    pub(super) listed: Vec<EntryRef>,
}

/// Decides what of a document is taken in at once, and how its feed is remembered with it.
pub(super) fn part<'a>(
    record: &PollRecord,
    mut feed: Feed,
    known: &Known,
    mut changes: Changes<'a>,
    rest: &Rest,
) -> Part<'a> {
    let PollRecord { at, is_first, .. } = *record;
    cap(&mut feed, &mut changes, rest);
    if !changes.waiting.is_empty() {
        ask_in_full(&mut feed);
    }
    if record.is_partial && rest.intake.ask_again && feed.next_poll > at + AFTER_TOO_MUCH {
        feed.next_poll = at + AFTER_TOO_MUCH;
        feed.next_poll_why = "its hub told more than is taken from hubs".to_owned();
    }
    let is_last = !update::limit(&mut changes);
    if !is_last {
        ask_in_full(&mut feed);
    }
    if !is_last || rest.intake.ask_again {
        // The rest is as old as what came before it, and no news when it comes with another document.
        feed.last_success = feed.last_success.filter(|_| !is_first);
    }
    let listing = listing(known, &changes, record.is_partial || !is_last);
    Part { feed, changes, listing, is_last }
}

/// Leaves out the oldest of too many new entries, and says so.
///
/// Where the rest is to come at the next poll, nothing vouches for the document: it is asked for in full.
fn cap(feed: &mut Feed, changes: &mut Changes<'_>, Rest { intake, added, .. }: &Rest) {
    let came = changes.added.len();
    changes.added.drain(..came.saturating_sub(*added));
    let update::Intake { added: all, take, ask_again, floods } = *intake;
    feed.floods = floods;
    if ask_again {
        ask_in_full(feed);
        feed.repairs.push(format!(
            "{all} entries are new at once, more than may come in an hour; the newest {take} are taken in, and the other {} at the next polls",
            all - take
        ));
    }
    if floods >= update::FLOODS {
        feed.repairs.push(format!(
            "nearly every entry has been new for {floods} polls; no more than {} are taken in at a time",
            update::MOST_OF_A_FLOOD
        ));
    }
}

/// Has the next poll ask for the whole document, whether or not it has changed.
fn ask_in_full(feed: &mut Feed) {
    feed.validators = Validators::default();
    feed.body_hash = None;
}

/// What is not in a part of a document may well be in the rest of it.
fn listing(known: &Known, changes: &Changes<'_>, is_partial: bool) -> Listing {
    let kept: Vec<EntryRef> =
        changes.revised.iter().map(|revision| revision.entry).chain(changes.unchanged.iter().copied()).collect();
    let [were, are] = [&known.listed, &kept].map(|entries| entries.iter().copied().collect::<HashSet<EntryRef>>());
    let gone = if is_partial { Vec::new() } else { changes.gone.clone() };
    let withdrawn = withdrawn(&gone, &kept);
    let back = kept.iter().filter(|entry| !were.contains(entry)).copied().collect();
    let still_listed = known.listed.iter().filter(|entry| is_partial && !are.contains(entry)).copied();
    Listing { gone, withdrawn, back, listed: still_listed.chain(kept.iter().copied()).collect() }
}

/// The entries of `gone` that did not fall off the end of the document: older ones still stand in it. One or two prove
/// nothing, as some publishers pin an old entry.
fn withdrawn(gone: &[EntryRef], kept: &[EntryRef]) -> Vec<EntryRef> {
    let mut kept = kept.to_vec();
    kept.sort_unstable();
    let is_midst = |entry: &&EntryRef| kept.get(MOST_PINNED).is_some_and(|kept| kept < *entry);
    gone.iter().filter(is_midst).copied().collect()
}

/// A new entry, before it is folded.
#[derive(Debug)]
pub(super) struct Arrival<'a> {
    /// Its handle.
    pub(super) handle: EntryRef,
    /// What it says.
    pub(super) entry: &'a Entry,
    /// As far as its links are looked at; `None` for one that is not published, and tells no story.
    pub(super) telling: Option<Telling>,
    /// The name of the story that it would found.
    pub(super) name: StoryId,
    /// The names under which newsfolds elsewhere know it, by its publisher's word.
    pub(super) elsewhere: Vec<StoryId>,
    /// Its date and place in what is published; `None` where it is no news.
    pub(super) shown: Option<Shown>,
    /// Whether it was known once, and is forgotten.
    pub(super) is_back: bool,
}

/// What the store knows of entries that are new to it, by the publisher's id.
#[derive(Debug, Default)]
pub(super) struct Before<'a> {
    /// Those that were known once, and are forgotten.
    pub(super) forgotten: HashSet<&'a EntryId>,
    /// Those that a person does not want.
    pub(super) unwanted: HashSet<&'a EntryId>,
}

/// Decides which of the new entries, whose handles begin with `first`, are news, and which of them tell stories.
pub(super) fn arrivals<'a>(
    record: &PollRecord,
    added: &[&'a Entry],
    EntryRef(first): EntryRef,
    before: &Before<'_>,
) -> Vec<Arrival<'a>> {
    let PollRecord { feed, at, is_first, options, .. } = record;
    let names = StoryNames::of(&feed.identity);
    let arrival = |(handle, entry): (EntryRef, &&'a Entry)| {
        let is_old = *is_first && entry.published.is_some_and(|published| *at - published > delta(options.backfill));
        let is_back = before.forgotten.contains(&entry.id);
        let is_told = !is_dropped(entry, feed, options) && !before.unwanted.contains(&entry.id);
        Arrival {
            handle,
            entry,
            telling: is_told.then(|| telling(record, handle, entry)),
            name: names.story(&entry.id),
            elsewhere: entry.id.with(&entry.detail.known_as),
            shown: (!is_back && !is_old).then(|| shown(entry, *at, *is_first)),
            is_back,
        }
    };
    (first..).map(EntryRef).zip(added).map(arrival).collect()
}

/// An entry as far as its links are looked at.
fn telling(record: &PollRecord, entry: EntryRef, from: &Entry) -> Telling {
    Telling {
        entry,
        feed: Some(record.feed.feed.0),
        permalinks: from.permalink.iter().chain(&from.id_permalink).cloned().collect(),
        title: from.title.clone(),
        site: Some(record.options.site.clone()),
        published: from.published.unwrap_or(record.at),
        text: identity::text_hash(&from.detail),
        seen: record.at,
        left: None,
    }
}

/// A new entry, and what becomes of it.
#[derive(Debug)]
pub(super) struct Addition<'a> {
    /// The entry.
    pub(super) arrival: Arrival<'a>,
    /// What it tells; `None` for one that tells no story.
    pub(super) told: Option<Told>,
}

/// Which story a new entry tells.
#[derive(Debug)]
pub(super) struct Told {
    /// The story, and what is kept of the entry.
    pub(super) fold: Fold,
    /// The name of the story that is to be stored with it.
    pub(super) founds: Option<StoryId>,
    /// Whether it founded the story that it is in, now or before it was forgotten.
    pub(super) is_founder: bool,
    /// What was told of its pages by others, and makes way for it.
    pub(super) made_way: Vec<EntryRef>,
}

/// An entry that is here already, having come another way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Same {
    /// Which it is, and which story it tells.
    pub(super) linked: Linked,
    /// Whether it came through an aggregator, and now from where it was told.
    pub(super) was_passed_on: bool,
}

/// The new entries that are here already, by their handles.
pub(super) type KnownAgain = HashMap<EntryRef, Same>;

/// The new entries that are here already, of those that tell stories: `namesakes` are the stories of their names, and `passed_on`
/// the entries of aggregators that bear them.
///
/// An aggregator's word on what it passes on counts, and so do its names. Whoever else says that an entry is one of a story here
/// says as much as with a link to that story's page, and knows of no story that is not published yet. What an entry has by itself
/// is made of its feed's address, which no other feed can have; one entry at most takes over what was passed on, or an aggregator
/// could make one story of those of others.
pub(super) fn known_again(
    record: &PollRecord,
    arrivals: &[Arrival<'_>],
    namesakes: &Namesakes,
    passed_on: &HashMap<StoryId, PassedOn>,
) -> KnownAgain {
    let IngestOptions { is_aggregator, level, .. } = *record.options;
    let known = |arrival: &Arrival<'_>| {
        arrival.telling.as_ref()?;
        let here = |name: &StoryId| namesakes.get(name).copied().flatten();
        let by_others = || {
            let believed = arrival.elsewhere.iter().filter(|_| is_aggregator || level >= Level::Link);
            believed.clone().find_map(here).or_else(|| {
                let mut trusted = believed.filter(|_| is_aggregator);
                trusted.find_map(|name| passed_on.get(name)).map(|passed_on| passed_on.linked)
            })
        };
        let is_new = !is_aggregator && !namesakes.contains_key(&arrival.name);
        let by_itself = passed_on.get(&arrival.name).filter(|passed_on| is_new && passed_on.is_alone);
        let same = match by_itself {
            Some(PassedOn { linked, .. }) => Some(Same { linked: *linked, was_passed_on: true }),
            None => by_others().map(|linked| Same { linked, was_passed_on: false }),
        };
        Some((arrival.handle, same?))
    };
    arrivals.iter().filter_map(known).collect()
}

/// The stories that bear the names which new entries would give theirs, as a link to who speaks for them; `None` for one whose
/// row is damaged.
pub(super) type Namesakes = HashMap<StoryId, Option<Linked>>;

/// Decides what becomes of the next new entries, each by what became of those before it.
///
/// It ends with one that has claims make way: who joined by what those said is asked next, and may leave, before the others are
/// folded.
pub(super) fn additions<'a>(
    record: &PollRecord,
    arrivals: &mut impl Iterator<Item = Arrival<'a>>,
    folding: &mut Folding<'_>,
    namesakes: &Namesakes,
    known: &KnownAgain,
) -> Vec<Addition<'a>> {
    let mut additions: Vec<Addition<'a>> = Vec::new();
    for arrival in arrivals {
        let told = arrival.telling.as_ref().map(|telling| {
            let same = known.get(&arrival.handle);
            let mut fold = decide(record, folding, telling, arrival.entry, same);
            let is_founder = matches!(fold.verdict, Verdict::New { .. });
            let namesake = namesakes.get(&arrival.name).filter(|_| is_founder);
            // One that founded a story, was forgotten and came back is in that one again.
            if let Some(Some(own)) = namesake {
                fold.verdict = (*own).into();
            }
            let founds = (is_founder && namesake.is_none()).then_some(arrival.name);
            let passed_on = same.filter(|same| same.was_passed_on).map(|same| same.linked.matched);
            let made_way = folding.apply(telling, &fold, record.at, passed_on);
            Told { fold, founds, is_founder, made_way }
        });
        let is_asked = told.as_ref().is_some_and(|told| !told.made_way.is_empty());
        additions.push(Addition { arrival, told });
        if is_asked {
            break;
        }
    }
    additions
}

fn decide(record: &PollRecord, folding: &Folding<'_>, telling: &Telling, entry: &Entry, same: Option<&Same>) -> Fold {
    let page = || folding.pages.find(telling).filter(|_| record.options.level >= Level::Link);
    let linked = same.map(|same| same.linked).or_else(page);
    // That it is here already is no matter of how far its feed is folded.
    let level = if same.is_some() { record.options.level.max(Level::Link) } else { record.options.level };
    let is_claim = same.is_some_and(|same| !same.was_passed_on);
    let claimed = |fold: Fold| match fold {
        Fold { verdict, fingerprint: Some(fingerprint) } if is_claim => {
            Fold { verdict, fingerprint: Some(Fingerprint { is_claim, ..fingerprint }) }
        }
        fold => fold,
    };
    if folding.index.is_none() {
        return folding.decide(telling, None, level, linked);
    }
    let plain = |markup: &Option<String>| markup.as_deref().map(text::plain).unwrap_or_default();
    let article = Article {
        entry: telling.entry,
        feed: telling.feed,
        page: entry.permalink.as_ref(),
        title: &entry.title,
        summary: &plain(&entry.detail.summary),
        content: &plain(&entry.detail.content),
        language: entry.detail.language.as_deref(),
        at: record.at,
        published: entry.published,
    };
    claimed(folding.decide(telling, Some(&article), level, linked))
}

/// Whether the feed's keep and drop rules leave the entry out of what is published.
fn is_dropped(entry: &Entry, feed: &Feed, options: &IngestOptions) -> bool {
    let judged = Judged::of(entry, &feed.name, feed.title.as_deref());
    let fits = |rule: &Rule| rule.fits(&judged);
    (!options.keep.is_empty() && !options.keep.iter().any(fits)) || options.drop.iter().any(fits)
}

/// The date and place of a story founded by `entry`, first seen `now`.
///
/// The date is the publisher's, unless it lies in the future. At the first poll of a feed its entries take the places of
/// their dates; later ones stand where they were found, or readers with a full page would never see what was dated back.
fn shown(entry: &Entry, now: DateTime<Utc>, is_first: bool) -> Shown {
    let published = entry.published.or(entry.updated).map_or(now, |published| published.min(now));
    let sort_at = if is_first { published } else { published.max(now - LONGEST_BACKDATING) };
    Shown { published, sort_at }
}

/// When a story counts as updated whose canonical entry was edited: by the publisher's word where it can be true.
pub(super) fn revised_at(entry: &Entry, story: &Story, now: DateTime<Utc>) -> DateTime<Utc> {
    let since = story.updated.or(story.published);
    entry.updated.filter(|updated| *updated <= now && since.is_none_or(|since| *updated > since)).unwrap_or(now)
}

fn delta(length: Duration) -> TimeDelta {
    TimeDelta::from_std(length).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fold::canonical::Site;
    use crate::fold::link::{Pages, Standing};
    use crate::model::{Detail, FeedRef, StoryRef};

    const NOW: DateTime<Utc> = DateTime::from_timestamp(1_768_046_400, 0).unwrap();
    const PAGE: &str = "https://one.example/page";

    fn entry(id: &str, page: Option<&str>) -> Entry {
        Entry {
            id: EntryId(id.into()),
            permalink: page.map(|page| page.parse().unwrap()),
            id_permalink: None,
            title: format!("Title {id}"),
            published: None,
            updated: None,
            detail: Detail::default(),
            digest: 0,
            is_half_told: false,
        }
    }

    /// What feed 1 of this site brings.
    fn record(site: &str, entries: Vec<Entry>) -> PollRecord {
        PollRecord {
            feed: Feed::unasked(FeedRef(1), "https://one.example/feed"),
            at: NOW,
            is_first: false,
            is_partial: false,
            entries: entries.into(),
            options: Arc::new(IngestOptions::plain(Level::Link, Site::new(site))),
        }
    }

    /// What becomes of a document whose entries are all new, where `pages` are known.
    fn planned<'a>(record: &'a PollRecord, pages: &mut Pages, namesakes: &Namesakes) -> Vec<Addition<'a>> {
        let added: Vec<&Entry> = record.entries.iter().collect();
        let arrivals = arrivals(record, &added, EntryRef(10), &Before::default());
        arrivals.iter().filter_map(|arrival| arrival.telling.as_ref()).for_each(|telling| pages.note(telling));
        let mut folding = Folding { index: None, pages };
        additions(record, &mut arrivals.into_iter(), &mut folding, namesakes, &KnownAgain::new())
    }

    fn names() -> StoryNames {
        StoryNames::of("https://one.example/feed")
    }

    /// The story of each, whether it founded it, and what made way for it.
    fn told(additions: &[Addition<'_>]) -> Vec<(u64, bool, Vec<u64>)> {
        let one = |Addition { arrival, told }: &Addition<'_>| {
            let Told { fold, is_founder, made_way, .. } = told.as_ref().unwrap();
            let StoryRef(story) = fold.verdict.story(arrival.handle);
            (story, *is_founder, made_way.iter().map(|claim| claim.0).collect())
        };
        additions.iter().map(one).collect()
    }

    /// Another feed's entry 1, in story 1, which leads to the page and does not own it.
    fn claimed() -> Pages {
        let claim = Telling {
            entry: EntryRef(1),
            feed: Some(2),
            permalinks: vec![PAGE.parse().unwrap()],
            title: "Claim".into(),
            site: Some(Site::new("two.example")),
            published: NOW,
            text: None,
            seen: NOW,
            left: None,
        };
        let mut pages = Pages::default();
        pages.add(&claim, Standing { story: StoryRef(1), speaks: true, since: Some(NOW) });
        pages
    }

    #[test]
    fn entries_of_one_document_are_folded_in_their_order() {
        let same = |id: &str| Entry { title: "Title".into(), ..entry(id, Some(PAGE)) };
        let record = record("one.example", vec![same("a"), entry("b", None), same("c")]);
        let plan = planned(&record, &mut Pages::default(), &Namesakes::new());
        assert_eq!(told(&plan), [(10, true, vec![]), (11, true, vec![]), (10, false, vec![])]);
        let founds = |addition: &Addition<'_>| addition.told.as_ref().unwrap().founds;
        let name = |id: &str| Some(names().story(&EntryId(id.into())));
        assert_eq!(plan.iter().map(founds).collect::<Vec<_>>(), [name("a"), name("b"), None]);
    }

    #[test]
    fn a_founder_that_comes_back_is_in_its_story_again_and_founds_none() {
        let record = record("one.example", vec![entry("a", None), entry("b", None)]);
        let name = |id: &str| names().story(&EntryId(id.into()));
        let own = Linked { story: StoryRef(3), matched: EntryRef(4) };
        let plan = planned(&record, &mut Pages::default(), &[(name("a"), Some(own)), (name("b"), None)].into());
        assert_eq!(told(&plan), [(3, true, vec![]), (11, true, vec![])]);
        assert!(plan.iter().all(|addition| addition.told.as_ref().unwrap().founds.is_none()), "damaged ones too");
    }

    #[test]
    fn the_plan_ends_with_an_entry_that_claims_make_way_for() {
        let entries = || vec![entry("a", None), entry("b", Some(PAGE)), entry("c", None)];
        let owner = record("one.example", entries());
        assert_eq!(
            told(&planned(&owner, &mut claimed(), &Namesakes::new())),
            [(10, true, vec![]), (1, false, vec![1])]
        );
        let stranger = record("three.example", entries());
        assert_eq!(told(&planned(&stranger, &mut claimed(), &Namesakes::new())).len(), 3);
    }

    #[test]
    fn what_was_forgotten_is_no_news_and_what_nobody_wants_tells_no_story() {
        let record = record("one.example", vec![entry("a", None), entry("b", None)]);
        let added: Vec<&Entry> = record.entries.iter().collect();
        let [a, b] = ["a", "b"].map(|id| EntryId(id.into()));
        let before = Before { forgotten: HashSet::from([&a]), unwanted: HashSet::from([&b]) };
        let arrivals = arrivals(&record, &added, EntryRef(10), &before);
        let news = |arrival: &Arrival<'_>| (arrival.is_back, arrival.shown.is_some(), arrival.telling.is_some());
        assert_eq!(arrivals.iter().map(news).collect::<Vec<_>>(), [(true, false, true), (false, true, false)]);
    }

    #[test]
    fn a_part_of_a_document_says_nothing_of_what_is_gone() {
        let refs = |numbers: &[u64]| numbers.iter().copied().map(EntryRef).collect::<Vec<_>>();
        let known = Known { listed: refs(&[1, 2, 9]), ..Known::default() };
        let changes = Changes { unchanged: refs(&[2, 3, 4, 5]), gone: refs(&[1, 9]), ..Changes::default() };
        let whole =
            Listing { gone: refs(&[1, 9]), withdrawn: refs(&[9]), back: refs(&[3, 4, 5]), listed: refs(&[2, 3, 4, 5]) };
        assert_eq!(listing(&known, &changes, false), whole);
        let part = Listing { back: refs(&[3, 4, 5]), listed: refs(&[1, 9, 2, 3, 4, 5]), ..Listing::default() };
        assert_eq!(listing(&known, &changes, true), part);
    }

    #[test]
    fn an_entry_that_leaves_from_among_older_ones_is_withdrawn() {
        let entries = |numbers: &[u64]| numbers.iter().copied().map(EntryRef).collect::<Vec<_>>();
        assert_eq!(withdrawn(&entries(&[7]), &entries(&[3, 4, 5, 9])), entries(&[7]));
        assert_eq!(withdrawn(&entries(&[2, 7]), &entries(&[5, 6, 8, 9])), entries(&[]), "two may be pinned");
    }

    fn check(published: Option<&str>, is_first: bool, date: &str, place: &str) {
        let now = "2026-01-10T12:00:00Z".parse().unwrap();
        let entry = Entry { published: published.map(|date| date.parse().unwrap()), ..entry("a", None) };
        let expected = Shown { published: date.parse().unwrap(), sort_at: place.parse().unwrap() };
        assert_eq!(shown(&entry, now, is_first), expected, "{published:?}");
    }

    #[test]
    fn an_entry_is_shown_with_its_date_and_where_readers_will_see_it() {
        check(Some("2026-01-10T11:30:00Z"), false, "2026-01-10T11:30:00Z", "2026-01-10T11:30:00Z");
        check(Some("2026-01-08T00:00:00Z"), false, "2026-01-08T00:00:00Z", "2026-01-10T11:00:00Z");
        check(Some("2026-01-08T00:00:00Z"), true, "2026-01-08T00:00:00Z", "2026-01-08T00:00:00Z");
    }

    #[test]
    fn a_date_that_is_missing_or_in_the_future_is_that_of_the_first_sight() {
        check(None, false, "2026-01-10T12:00:00Z", "2026-01-10T12:00:00Z");
        check(Some("2027-01-01T00:00:00Z"), false, "2026-01-10T12:00:00Z", "2026-01-10T12:00:00Z");
    }
}
