//! Which entries lead to one page.
//!
//! Pure. Two entries of different feeds that lead to one page tell one story; so do two of one feed whose titles are equal
//! too, unless both stand in its document and say two things: the forecasts of a place have one page and one title. An address
//! that reads like a section's wants a word that both titles have. A front page, and a page that one feed gives to several
//! entries of different titles, belongs to none of them and folds nothing.
//!
//! An entry that leads to a page says nothing about the stories that the page's owner tells there: who comes joins the story
//! of the owner, else one that is shown with this page, and never one that a claim alone has tied to it.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use xxhash_rust::xxh3::xxh3_64;

use super::canonical::Site;
use super::text::{self, Kind};
use super::{EntryRef, StoryRef};
use crate::model::permalink::Permalink;

/// So long before its owner's date a page may have been told of; who told of it earlier could not have known it. (Publishers'
/// clocks and time zones are off by hours.)
const LONGEST_HEAD_START: TimeDelta = TimeDelta::days(1);

/// What one feed lists beside each other under one page, one title and one text is one where no more time lies between the two.
const AGAIN_WITHIN: TimeDelta = TimeDelta::hours(6);

/// How much later an entry is that is the next of its kind, and not what became of the one that left: less than the day by which a
/// daily column counts.
const A_DAY: TimeDelta = TimeDelta::hours(20);

/// How many tellings of one page are looked at: as many of the oldest as of the newest.
const MOST_OF_A_PAGE: usize = 256;

/// Letters of a word that may say what a title is about, and how many such words of a title are looked at.
const LONG_WORD: usize = 4;
const MOST_WORDS: usize = 24;

/// An entry as far as its links are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telling {
    /// Which entry.
    pub entry: EntryRef,
    /// The feed that tells it; two without one are taken to be of different feeds.
    pub feed: Option<u64>,
    /// Its page, and the page that its id leads to.
    pub permalinks: Vec<Permalink>,
    /// Plain text.
    pub title: String,
    /// The site that its feed is served from; `None` where nothing is known of feeds, and every claim is believed.
    pub site: Option<Site>,
    /// The date of the page: the publisher's, else when it was first seen.
    pub published: DateTime<Utc>,
    /// Its text, by hash; `None` when it has none.
    pub text: Option<i64>,
    /// When it came.
    pub seen: DateTime<Utc>,
    /// When it left its feed's document; `None` while it stands there.
    pub left: Option<DateTime<Utc>>,
}

impl Telling {
    fn owns(&self, page: &Permalink) -> bool {
        self.site.as_ref().is_none_or(|site| site.owns(page))
    }
}

/// What is known of a telling that is in a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The story.
    pub story: StoryRef,
    /// Whether it speaks for the story.
    pub speaks: bool,
    /// Since when it leads to its pages, by our own clock; `None` when it was edited to.
    pub since: Option<DateTime<Utc>>,
}

/// A telling that leads to the same page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linked {
    /// The story that it tells.
    pub story: StoryRef,
    /// Which entry it is.
    pub matched: EntryRef,
}

/// Known tellings by the pages they lead to.
#[derive(Debug, Default)]
pub struct Pages {
    by_page: HashMap<i64, Vec<Known>>,
    /// By page and feed: the title, by hash, that the feed gives to the page, and whether it gives it others too.
    titles: HashMap<(i64, u64), (u64, bool)>,
    /// Who speaks for the stories, as far as they lead to these pages.
    speakers: HashMap<StoryRef, EntryRef>,
    /// Stories that turned out to be older ones.
    merged: HashMap<StoryRef, StoryRef>,
}

#[derive(Debug)]
struct Known {
    entry: EntryRef,
    feed: Option<u64>,
    page: Permalink,
    title: u64,
    /// The words of its title, where the page may be a section that many entries lead to.
    words: Box<[u64]>,
    story: StoryRef,
    owns: bool,
    since: Option<DateTime<Utc>>,
    published: DateTime<Utc>,
    text: Option<i64>,
    left: Option<DateTime<Utc>>,
}

impl Known {
    /// Whether it stood in its document no more when an entry came.
    fn had_left(&self, telling: &Telling) -> bool {
        self.left.is_some_and(|left| left <= telling.seen)
    }

    /// Whether an entry that came under the same page and title of the same feed, after it left, may be what became of it: what
    /// comes a day later is the next of its kind.
    fn may_have_become(&self, telling: &Telling) -> bool {
        self.had_left(telling) && telling.published - self.published < A_DAY
    }

    /// Whether an entry that came under the same page and title of the same feed says the same again.
    fn is_said_again_by(&self, telling: &Telling) -> bool {
        self.text == telling.text && (self.published - telling.published).abs() <= AGAIN_WITHIN
    }
}

impl Pages {
    /// Notes what a telling calls its pages. Done for all of a poll's entries before the first is decided, so that their
    /// order cannot matter to what a page is.
    pub fn note(&mut self, telling: &Telling) {
        let title = title_of(telling);
        let Some(feed) = telling.feed else { return };
        for permalink in &telling.permalinks {
            let (first, has_others) = self.titles.entry((permalink.key(), feed)).or_insert((title, false));
            *has_others |= *first != title;
        }
    }

    /// Adds a telling that is in a story.
    pub fn add(&mut self, telling: &Telling, standing: Standing) {
        self.note(telling);
        let Standing { story, speaks, since } = standing;
        if speaks {
            self.speakers.insert(story, telling.entry);
        }
        for permalink in telling.permalinks.iter().filter(|permalink| !permalink.is_front_page()) {
            let known = Known {
                entry: telling.entry,
                feed: telling.feed,
                page: permalink.clone(),
                title: title_of(telling),
                words: if permalink.is_general() { words_of(telling) } else { Box::default() },
                story,
                owns: telling.owns(permalink),
                since,
                published: telling.published,
                text: telling.text,
                left: telling.left,
            };
            let all = self.by_page.entry(permalink.key()).or_insert_with(|| Vec::with_capacity(1));
            if all.len() >= MOST_OF_A_PAGE {
                all.remove(MOST_OF_A_PAGE / 2);
            }
            all.push(known);
        }
    }

    /// Two stories are one: who tells the younger tells the older.
    pub fn absorb(&mut self, older: StoryRef, younger: StoryRef) {
        self.merged.insert(younger, older);
    }

    /// The telling that an entry joins: one that leads to one of the same pages, the owner's first, then the oldest.
    #[must_use]
    pub fn find(&self, telling: &Telling) -> Option<Linked> {
        self.matching(telling)
            .filter(|(_, known)| self.stands_for_its_page(known))
            .filter(|(page, known)| is_timely(known, page, telling))
            .min_by_key(|(_, known)| (!known.owns, known.entry))
            .map(|(_, known)| Linked { story: self.now(known.story), matched: known.entry })
    }

    /// The tellings of a story that make way for this one, which joined it: they lead to its own pages from elsewhere.
    pub fn outranked<'a>(&'a self, telling: &'a Telling, story: StoryRef) -> impl Iterator<Item = EntryRef> + 'a {
        self.matching(telling)
            .filter(move |(page, known)| self.now(known.story) == story && telling.owns(page) && !known.owns)
            .map(|(_, known)| known.entry)
    }

    /// The tellings that lead to one of the same pages, each with the page.
    fn matching<'a>(&'a self, telling: &'a Telling) -> impl Iterator<Item = (&'a Permalink, &'a Known)> {
        let title = title_of(telling);
        let shared_within = |permalink: &Permalink, feed: Option<u64>| {
            feed.and_then(|feed| self.titles.get(&(permalink.key(), feed))).is_some_and(|(_, has_others)| *has_others)
        };
        // What came under the page and title of one that left took its place, unless another stands there beside it.
        let is_alone = move |permalink: &Permalink| {
            let known = self.by_page.get(&permalink.key()).into_iter().flatten();
            let mut stands = known.filter(|known| known.feed == telling.feed && known.title == title);
            !stands.any(|known| !known.had_left(telling) && known.entry != telling.entry)
        };
        let fits = move |permalink: &Permalink, known: &Known| {
            let same_feed = known.feed.is_some() && known.feed == telling.feed;
            let is_shared = shared_within(permalink, known.feed) || shared_within(permalink, telling.feed);
            // A section's page is no proof where nothing else agrees.
            let is_same_matter = || !permalink.is_general() || share_a_word(&known.words, &words_of(telling));
            let certain = if known.title == title {
                !same_feed
                    || known.is_said_again_by(telling)
                    || (!is_shared && known.may_have_become(telling) && is_alone(permalink))
            } else {
                !same_feed && !is_shared && is_same_matter()
            };
            known.entry != telling.entry && known.page.without_scheme() == permalink.without_scheme() && certain
        };
        telling.permalinks.iter().flat_map(move |permalink| {
            let known = self.by_page.get(&permalink.key()).into_iter().flatten();
            known.filter(move |known| fits(permalink, known)).map(move |known| (permalink, known))
        })
    }

    /// Whether a telling's story is about its page: it owns the page, or is what the story is shown by.
    fn stands_for_its_page(&self, known: &Known) -> bool {
        known.owns || self.speakers.get(&known.story) == Some(&known.entry)
    }

    /// The story that this one has become.
    fn now(&self, story: StoryRef) -> StoryRef {
        std::iter::successors(Some(story), |story| self.merged.get(story).copied()).last().unwrap_or(story)
    }
}

/// Whether `known` may tie this page to its story: the owner may, and who told of it when the page was there or about to be,
/// going by the date that its owner gives it.
fn is_timely(known: &Known, page: &Permalink, telling: &Telling) -> bool {
    let earliest = telling.published.checked_sub_signed(LONGEST_HEAD_START).filter(|_| telling.owns(page));
    known.owns || known.since.is_some_and(|since| earliest.is_none_or(|earliest| since >= earliest))
}

/// The words of a title that may say what it is about, as hashes.
fn words_of(telling: &Telling) -> Box<[u64]> {
    let mut words = Vec::new();
    text::tokens(&telling.title, |kind, word| {
        if kind != Kind::Word || word.chars().nth(LONG_WORD - 1).is_some() {
            words.push(xxh3_64(word.as_bytes()));
        }
        words.len() < MOST_WORDS
    });
    words.into_boxed_slice()
}

fn share_a_word(one: &[u64], two: &[u64]) -> bool {
    one.iter().any(|word| two.contains(word))
}

fn title_of(telling: &Telling) -> u64 {
    xxh3_64(telling.title.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An entry of a feed that is served from `feedN.example`.
    fn telling(entry: u64, feed: u64, page: &str, title: &str) -> Telling {
        Telling {
            entry: EntryRef(entry),
            feed: Some(feed),
            permalinks: vec![page.parse().unwrap()],
            title: title.into(),
            site: Some(Site::new(format!("feed{feed}.example"))),
            published: at(entry),
            text: None,
            seen: at(entry),
            left: None,
        }
    }

    fn at(hour: u64) -> DateTime<Utc> {
        DateTime::from_timestamp(i64::try_from(hour).unwrap() * 3_600, 0).unwrap()
    }

    /// In the story of its own number, which it speaks for.
    fn founds(telling: &Telling) -> Standing {
        Standing { story: StoryRef(telling.entry.0), speaks: true, since: Some(at(telling.entry.0)) }
    }

    fn find(new: &Telling, known: &[(Telling, Standing)]) -> Option<Linked> {
        let mut pages = Pages::default();
        known.iter().for_each(|(telling, standing)| pages.add(telling, *standing));
        pages.note(new);
        pages.find(new)
    }

    fn check(new: &Telling, known: &[Telling], expected: Option<u64>) {
        let known: Vec<(Telling, Standing)> = known.iter().map(|known| (known.clone(), founds(known))).collect();
        assert_eq!(find(new, &known).map(|linked| linked.matched.0), expected, "{new:?}");
    }

    const PAGE: &str = "https://example.org/a";
    const OWN: &str = "https://feed9.example/a";

    #[test]
    fn two_feeds_with_one_permalink_tell_one_story() {
        check(&telling(2, 2, PAGE, "B"), &[telling(1, 1, "http://example.org/a?utm_source=x", "A")], Some(1));
        check(&telling(2, 2, "https://example.org/b", "A"), &[telling(1, 1, PAGE, "A")], None);
    }

    #[test]
    fn one_feed_needs_the_title_too() {
        check(&telling(2, 1, PAGE, "B"), &[telling(1, 1, PAGE, "A")], None);
        check(&telling(2, 1, PAGE, "A"), &[telling(1, 1, PAGE, "A")], Some(1));
    }

    #[test]
    fn a_page_shared_by_many_entries_folds_nothing() {
        check(&telling(2, 2, "https://example.org/", "B"), &[telling(1, 1, "https://example.org/", "A")], None);
        let candidates = [telling(1, 1, PAGE, "Monday"), telling(2, 1, PAGE, "Tuesday")];
        check(&telling(3, 2, PAGE, "A link to the series"), &candidates, None);
    }

    #[test]
    fn a_sections_page_needs_a_word_that_both_titles_have() {
        let page = "https://town.example/news";
        let flood = telling(1, 1, page, "Flood warning for the Elm valley");
        check(&telling(2, 2, page, "Minutes of the council meeting"), std::slice::from_ref(&flood), None);
        check(&telling(2, 2, page, "Elm valley: flood feared"), std::slice::from_ref(&flood), Some(1));
        check(
            &telling(2, 2, "https://town.example/en/", "Minutes"),
            &[telling(1, 1, "https://town.example/en/", "Flood")],
            None,
        );
        check(
            &telling(2, 2, "https://town.example/2026/flood-warning", "Read this"),
            &[telling(1, 1, "https://town.example/2026/flood-warning", "Flood")],
            Some(1),
        );
    }

    #[test]
    fn who_leads_to_a_story_that_was_merged_joins_what_it_became() {
        let (mut pages, known) = (Pages::default(), telling(3, 1, PAGE, "A"));
        pages.add(&known, founds(&known));
        pages.absorb(StoryRef(2), StoryRef(3));
        pages.absorb(StoryRef(1), StoryRef(2));
        let linked = Some(Linked { story: StoryRef(1), matched: EntryRef(3) });
        assert_eq!(pages.find(&telling(4, 2, PAGE, "B")), linked);
    }

    #[test]
    fn an_id_that_leads_to_the_page_is_enough() {
        let mut new = telling(2, 2, "https://other.example/1", "B");
        new.permalinks.push(PAGE.parse().unwrap());
        check(&new, &[telling(1, 1, PAGE, "A")], Some(1));
    }

    #[test]
    fn the_owners_story_comes_before_older_ones() {
        check(&telling(3, 3, OWN, "C"), &[telling(1, 1, OWN, "A"), telling(2, 9, OWN, "B")], Some(2));
    }

    #[test]
    fn a_claim_ties_no_page_to_a_story_that_is_shown_with_another() {
        let claim = telling(1, 1, OWN, "A");
        let listed_below = Standing { speaks: false, ..founds(&claim) };
        assert_eq!(find(&telling(2, 9, OWN, "B"), &[(claim.clone(), listed_below)]), None, "not for the owner");
        assert_eq!(find(&telling(2, 2, OWN, "B"), &[(claim, listed_below)]), None, "nor for anybody else");
        let owner = telling(1, 9, OWN, "A");
        let below_another = Standing { speaks: false, ..founds(&owner) };
        assert!(find(&telling(2, 2, OWN, "B"), &[(owner, below_another)]).is_some(), "what its owner tells there is");
    }

    #[test]
    fn a_page_cannot_have_been_told_of_before_its_time() {
        let owner = |published| Telling { published: at(published), ..telling(500, 9, OWN, "B") };
        check(&owner(30), &[telling(10, 1, OWN, "A")], Some(10));
        check(&owner(40), &[telling(10, 1, OWN, "A")], None);
        check(&telling(500, 2, OWN, "B"), &[telling(10, 1, OWN, "A")], Some(10));
        check(&owner(500), &[telling(10, 9, OWN, "A")], None);
        let left = [Telling { left: Some(at(20)), ..telling(10, 9, OWN, "A") }];
        check(&Telling { title: "A".into(), ..owner(20) }, &left, Some(10));
        check(&Telling { title: "A".into(), ..owner(40) }, &left, None);
    }

    #[test]
    fn an_entry_that_was_edited_to_lead_there_is_joined_by_nobody() {
        let claim = telling(1, 1, OWN, "A");
        let edited = Standing { since: None, ..founds(&claim) };
        assert_eq!(find(&telling(2, 9, OWN, "B"), &[(claim.clone(), edited)]), None);
        assert_eq!(find(&telling(2, 2, OWN, "B"), &[(claim, edited)]), None);
    }

    #[test]
    fn claims_make_way_for_the_owner_and_for_nobody_else() {
        let mut pages = Pages::default();
        let known = [telling(1, 1, OWN, "A"), telling(2, 2, OWN, "B")];
        known.iter().for_each(|known| pages.add(known, Standing { story: StoryRef(1), ..founds(known) }));
        let outranked = |telling: &Telling| pages.outranked(telling, StoryRef(1)).collect::<Vec<_>>();
        assert_eq!(outranked(&telling(3, 9, OWN, "C")), [EntryRef(1), EntryRef(2)]);
        assert_eq!(outranked(&telling(3, 3, OWN, "C")), []);
    }
}
