//! Whatever one feed claims, what others tell is shown as it would be without it.
//!
//! Edge: a store in memory, which documents are taken into and outputs are chosen from.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::*;
use crate::config::{OutputConfig, Query, Rule as OutputRule};
use crate::fold::canonical::Site;
use crate::model::{Detail, Entry, EntryId, FeedRef, Level, StoryId, StoryRef};
use crate::publish::Output;
use crate::publish::select;
use crate::store::{Connection, corrections, schema, search, stories};
use crate::subscription::IngestOptions;

const VICTIM: usize = 0;
const OTHER: usize = 1;
const EVIL: usize = 2;
const ADDRESSES: [&str; 3] =
    ["http://feeds.victim.example/rss", "http://other.example/feed", "http://evil.example/feed"];

/// What the honest feeds tell: whose it is, its page, its title and its text. Each is a story of its own.
const NEWS: [(usize, &str, &str, &str); 4] = [
    (
        VICTIM,
        "http://www.victim.example/n/1",
        "Riverton bridge closed after cracks found in pillars",
        "The old stone bridge over the river Arvo in Riverton was closed on Monday after engineers found deep cracks in two of its pillars, the city council said. Mayor Anna Lindqvist told reporters that repairs would take eleven months and cost nine million crowns.",
    ),
    (
        OTHER,
        "http://other.example/n/2",
        "Climbers rescued from Mount Kessler after avalanche",
        "Two climbers were rescued from the north face of Mount Kessler on Tuesday by a helicopter crew from Oakdale. The pair, students from Hilltop university, had spent three nights in a snow cave after an avalanche buried their tents, the mountain rescue service reported.",
    ),
    (
        VICTIM,
        "http://www.victim.example/n/3",
        "Museum buys lost portrait of violinist",
        "The Lakeside museum has bought a portrait of the violinist Clara Benedek that had been missing since 1911. It was found in an attic in Newport behind a wardrobe and will hang beside her letters from spring, curators announced.",
    ),
    (
        OTHER,
        "http://other.example/n/4",
        "Dockers end strike over night shifts",
        "Dockers at the container port of Brookfield ended their strike on Thursday when the operator agreed to pay a third more for night shifts. Forty ships were waiting outside the harbour, and unloading them would last a fortnight, a union leader told radio listeners.",
    ),
];

/// A store that three feeds are taken into.
struct World {
    store: Connection,
    feeds: Vec<FeedRef>,
    memory: WriterCache,
    level: Level,
    now: DateTime<Utc>,
    /// Whether feeds bring their whole documents.
    is_whole: bool,
}

impl World {
    fn at(level: Level) -> Self {
        let mut store = Connection::open_in_memory().unwrap();
        schema::migrate(&mut store, 0).unwrap();
        let mut world = Self {
            store,
            feeds: Vec::new(),
            memory: WriterCache::default(),
            level,
            now: "2026-01-10T12:00:00Z".parse().unwrap(),
            is_whole: false,
        };
        world.feeds = world.subscribe(&ADDRESSES);
        world
    }

    fn subscribe(&mut self, addresses: &[&str]) -> Vec<FeedRef> {
        let configured = |address: &&str| feeds::Configured {
            address: address.parse().unwrap(),
            name: (*address).into(),
            standing: feeds::Standing { site: Site::of(&address.parse().unwrap()), ..feeds::Standing::default() },
            first_poll: self.now,
            first_poll_why: String::new(),
            planned_by: String::new(),
        };
        let configured: Vec<feeds::Configured> = addresses.iter().map(configured).collect();
        let reconfigured = feeds::reconfigure(&self.store, &configured).unwrap();
        for feed in reconfigured.changed {
            stories::settle_those_of(&self.store, feed, false, self.now).unwrap();
        }
        reconfigured.handles
    }

    /// A feed brings these, a minute after what came before. Gives the most work that was one transaction's, in steps of
    /// SQLite's.
    fn take_in(&mut self, feed: usize, entries: Vec<Entry>) -> usize {
        self.now += TimeDelta::minutes(1);
        let state = feeds::one(&self.store, self.feeds[feed]).unwrap();
        let options = IngestOptions::plain(self.level, Site::of(&state.address));
        let record = PollRecord {
            feed: state,
            at: self.now,
            is_first: false,
            is_partial: !self.is_whole,
            entries: entries.into(),
            options: Arc::new(options),
        };
        let steps = Arc::new(AtomicUsize::new(0));
        let counted = steps.clone();
        let count = move || {
            counted.fetch_add(COUNTED_STEPS, Ordering::Relaxed);
            false
        };
        self.store.progress_handler(i32::try_from(COUNTED_STEPS).unwrap(), Some(count)).unwrap();
        let (mut rest, mut most) = (None, 0);
        loop {
            let mut context = WriteContext { tx: &self.store, memory: &mut self.memory };
            let progress = ingest(&mut context, &record, rest).unwrap();
            most = most.max(steps.swap(0, Ordering::Relaxed));
            match progress {
                Progress::Done(_) => return most,
                Progress::Partly(more) => rest = Some(more),
            }
        }
    }

    /// The honest feed tells what it has to tell of this.
    fn tell(&mut self, news: usize) {
        let (feed, page, title, text) = NEWS[news];
        let date = self.now;
        self.take_in(feed, vec![entry(page, Some(page), title, text, Some(date))]);
    }

    fn shown(&self, config: OutputConfig) -> Vec<Seen> {
        let output = Output {
            has_story_pages: true,
            config,
            public_url: "http://localhost/".parse().unwrap(),
            named_under: "http://localhost/".parse().unwrap(),
            hub: None,
            feeds: None,
            tags: Arc::default(),
            aggregators: Arc::default(),
            visible: Arc::new(self.feeds.iter().copied().collect::<HashSet<_>>()),
            hides_feeds: false,
        };
        let shown = select::current(&self.store, &output).unwrap();
        shown.feed.stories.into_iter().map(|story| (story.headline, story.permalink, story.published)).collect()
    }

    /// What honest feeds told, as it is shown in each of some outputs.
    fn honest(&self) -> Vec<BTreeSet<Seen>> {
        let is_honest = |seen: &Seen| NEWS.iter().any(|(_, page, ..)| seen.1.as_deref() == Some(*page));
        let output = |config| self.shown(config).into_iter().filter(is_honest).collect();
        outputs().into_iter().map(output).collect()
    }
}

/// How often the steps of SQLite are counted.
const COUNTED_STEPS: usize = 100;
/// The most steps of one transaction: about 100 ms of one core.
const MOST_WORK: usize = 1_500_000;

/// A story as readers see it: title, page, date.
type Seen = (String, Option<String>, DateTime<Utc>);

fn outputs() -> [OutputConfig; 4] {
    let everything = || OutputConfig { limit: 1_000, ..OutputConfig::default() };
    let rule = |text: &str| vec![OutputRule::parse(text).unwrap()];
    [
        everything(),
        OutputConfig { drop: rule("title ~ 'PILLS'"), ..everything() },
        OutputConfig { keep: rule("title ~ '^[A-Z][a-z]'"), ..everything() },
        OutputConfig { per_feed: 2, ..everything() },
    ]
}

fn entry(id: &str, page: Option<&str>, title: &str, text: &str, published: Option<DateTime<Utc>>) -> Entry {
    let permalink = page.and_then(|page| page.parse().ok());
    let id_permalink = id.parse().ok().filter(|address| Some(address) != permalink.as_ref());
    Entry {
        id: EntryId(id.into()),
        permalink,
        id_permalink,
        title: title.into(),
        published,
        updated: None,
        detail: Detail { content: Some(text.into()), language: Some("en".into()), ..Detail::default() },
        digest: i64::try_from(xxhash_rust::xxh3::xxh3_64(format!("{page:?}{title}{text}").as_bytes()) >> 1).unwrap(),
        is_half_told: false,
    }
}

/// What a hostile feed puts into an entry.
#[derive(Debug, Clone)]
struct Claim {
    /// Its id: one of a few, so that it is often an edit; the page of some news; a page of its own.
    id: usize,
    link: usize,
    title: usize,
    /// Whose words it has: those of two news that were told.
    words: (usize, usize),
    dated_days_ago: Option<i64>,
    padding: usize,
}

#[derive(Debug, Clone)]
enum Step {
    Tell(usize),
    Claim(Vec<Claim>),
    Wait(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let claim = (0..9_usize, 0..9_usize, 0..7_usize, (0..6_usize, 0..6_usize), prop::option::of(0..20_i64), 0..2_usize)
        .prop_map(|(id, link, title, words, dated_days_ago, padding)| Claim {
            id,
            link,
            title,
            words,
            dated_days_ago,
            padding,
        });
    let step = prop_oneof![
        2 => (0..NEWS.len()).prop_map(Step::Tell),
        4 => prop::collection::vec(claim, 1..6).prop_map(Step::Claim),
        1 => prop_oneof![Just(1_i64), Just(45), Just(300), Just(6_000), Just(15_000)].prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..24)
}

fn made_of(claim: &Claim, told: &BTreeSet<usize>, now: DateTime<Utc>) -> Entry {
    let page = |at: usize| NEWS.get(at).map_or_else(|| format!("http://evil.example/{at}"), |news| news.1.to_owned());
    let id = if claim.id < NEWS.len() { page(claim.id) } else { format!("id {}", claim.id) };
    // Nobody has the words of what is not told yet.
    let words = |at: usize| NEWS.get(at).filter(|_| told.contains(&at)).map_or("", |news| news.3);
    let title = match claim.title {
        at if told.contains(&at) => NEWS[at].2.to_owned(),
        5 => "Cheap things".to_owned(),
        at => format!("CHEAP PILLS {at}"),
    };
    let (one, two) = claim.words;
    let text = format!("{} {}{}", words(one), words(two), "<!-- padding -->".repeat(claim.padding * 200));
    let published = claim.dated_days_ago.map(|days| now - TimeDelta::days(days));
    // Names that anybody can make, also of what is not told yet.
    let name =
        |at: usize| NEWS.get(at).map(|(feed, page, ..)| StoryId::derive(ADDRESSES[*feed], &EntryId((*page).into())));
    let known_as = [one, two].into_iter().filter_map(name).collect();
    let made = entry(&id, Some(&page(claim.link)), &title, &text, published);
    Entry { detail: Detail { known_as, ..made.detail }, ..made }
}

/// Lets the steps happen, with and without what the hostile feed does.
fn played(level: Level, steps: &[Step], is_hostile: bool) -> World {
    let mut world = World::at(level);
    let mut told = BTreeSet::new();
    for step in steps {
        match step {
            Step::Wait(minutes) => world.now += TimeDelta::minutes(*minutes),
            Step::Tell(news) => {
                if told.insert(*news) {
                    world.tell(*news);
                }
            }
            Step::Claim(claims) if is_hostile => {
                let mut entries: HashMap<EntryId, Entry> = HashMap::new();
                for claim in claims {
                    let entry = made_of(claim, &told, world.now);
                    entries.insert(entry.id.clone(), entry);
                }
                let mut entries: Vec<Entry> = entries.into_values().collect();
                entries.sort_by(|one, two| one.id.cmp(&two.id));
                world.take_in(EVIL, entries);
            }
            Step::Claim(_) => world.now += TimeDelta::minutes(1),
        }
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_feed_claims_takes_nothing_that_others_tell_out_of_its_place(steps in steps(), level in 0..3_usize) {
        let level = [Level::Link, Level::Copy, Level::Story][level];
        let without = played(level, &steps, false).honest();
        let mut with = played(level, &steps, true);
        for (output, (with, without)) in with.honest().iter().zip(&without).enumerate() {
            prop_assert!(with.is_superset(without), "output {output}, {level:?}: {with:#?}\nwithout it: {without:#?}");
        }
        with.subscribe(&ADDRESSES[..EVIL]);
        with.feeds.truncate(EVIL);
        prop_assert_eq!(with.honest(), without, "and once it is taken out all is as it was");
        let all = with.shown(OutputConfig { limit: 1_000, ..OutputConfig::default() });
        prop_assert!(all.iter().all(|seen| NEWS.iter().any(|(_, _, title, _)| seen.0 == *title)), "{all:#?}");
    }
}

/// The title under which the story with this page is shown.
fn title_at(world: &World, page: &str) -> Vec<String> {
    let all = world.shown(OutputConfig::default());
    all.into_iter().filter(|seen| seen.1.as_deref() == Some(page)).map(|seen| seen.0).collect()
}

#[test]
fn a_story_keeps_its_id_when_its_owner_takes_it_over_and_when_it_is_left() {
    let mut world = World::at(Level::Link);
    let (_, page, title, _) = NEWS[0];
    world.take_in(EVIL, vec![entry("x", Some(page), "CHEAP PILLS", "", None)]);
    world.tell(0);
    let of = |entry: u64| stories::told_by(&world.store, EntryRef(entry)).unwrap().unwrap();
    assert_eq!((of(1), of(2)), (StoryRef(1), StoryRef(1)), "whoever saw it is not told again");
    assert_eq!(title_at(&world, page), [title]);
    world.take_in(EVIL, vec![entry("x", Some("http://evil.example/1"), "CHEAP PILLS", "", None)]);
    let of = |entry: u64| stories::told_by(&world.store, EntryRef(entry)).unwrap().unwrap();
    assert_eq!((of(1), of(2)), (StoryRef(3), StoryRef(1)), "who leaves gets another name");
    assert_eq!(title_at(&world, page), [title]);
    assert_eq!(title_at(&world, "http://evil.example/1"), ["CHEAP PILLS"]);
}

#[test]
fn a_claim_of_two_pages_ties_neither_to_the_other() {
    let mut world = World::at(Level::Link);
    world.take_in(EVIL, vec![entry(NEWS[0].1, Some(NEWS[2].1), "CHEAP PILLS", "", None)]);
    let both = [0, 2].map(|at| entry(NEWS[at].1, Some(NEWS[at].1), NEWS[at].2, "", Some(world.now)));
    world.take_in(VICTIM, both.into());
    assert_eq!(title_at(&world, NEWS[0].1), [NEWS[0].2]);
    assert_eq!(title_at(&world, NEWS[2].1), [NEWS[2].2]);
}

#[test]
fn a_person_takes_the_founder_out_of_its_story() {
    let mut world = World::at(Level::Story);
    world.take_in(EVIL, vec![entry("x", Some("http://evil.example/1"), "Mine", NEWS[0].3, None)]);
    world.tell(0);
    assert_eq!(title_at(&world, NEWS[0].1), [""; 0], "who told it first speaks");
    let split = corrections::split(&world.store, EntryRef(1), world.now).unwrap();
    assert!(matches!(split, corrections::Corrected::Done(_)), "{split:?}");
    assert_eq!(title_at(&world, NEWS[0].1), [NEWS[0].2]);
    assert_eq!(title_at(&world, "http://evil.example/1"), ["Mine"]);
    assert_eq!(corrections::split(&world.store, EntryRef(1), world.now).unwrap(), corrections::Corrected::Already);
}

#[test]
fn an_output_with_a_query_shows_the_telling_that_has_the_words() {
    let mut world = World::at(Level::Link);
    world.tell(0);
    world.take_in(EVIL, vec![entry("x", Some(NEWS[0].1), "Nine million for a bridge", "casino", None)]);
    while search::fill(&world.store, 100).unwrap() {}
    let found = |words: &str| {
        world.shown(OutputConfig { query: Some(Query::parse(words).unwrap()), ..OutputConfig::default() })
    };
    assert_eq!(found("engineers")[0].0, NEWS[0].2);
    assert_eq!(found("casino")[0].0, "Nine million for a bridge");
}

#[test]
fn who_joined_what_a_claim_said_does_not_tell_of_the_page_when_its_owner_comes() {
    let mut world = World::at(Level::Story);
    // It had the words of one and the page of another before either was seen.
    world.take_in(EVIL, vec![entry("x", Some(NEWS[0].1), NEWS[1].2, NEWS[1].3, None)]);
    world.tell(1);
    assert_eq!(title_at(&world, NEWS[1].1), [""; 0], "the first to tell speaks");
    world.tell(0);
    assert_eq!(title_at(&world, NEWS[0].1), [NEWS[0].2]);
    assert_eq!(title_at(&world, NEWS[1].1), [NEWS[1].2], "and stands as itself again");
    world.take_in(EVIL, vec![entry("y", Some("http://evil.example/1"), NEWS[1].2, NEWS[1].3, None)]);
    let told = |entry: u64| stories::told_by(&world.store, EntryRef(entry)).unwrap();
    assert_eq!(told(4), told(2), "where others find it");
}

/// What a feed may bring in an hour, in documents of so many entries; gives the most work of a transaction for each.
fn work_of(world: &mut World, documents: usize, entries: impl Fn(usize) -> Vec<Entry>) -> Vec<usize> {
    let take_in = |at: usize| {
        world.now += TimeDelta::hours(1);
        world.take_in(EVIL, entries(at))
    };
    (0..documents).map(take_in).collect()
}

#[test]
fn no_document_holds_the_store_longer_the_more_entries_lead_to_one_page_or_tell_one_story() {
    for level in [Level::Link, Level::Story] {
        let mut world = World { is_whole: true, ..World::at(level) };
        let work = work_of(&mut world, 16, |at| {
            let of_the_page = |n: usize| {
                entry(&format!("{at}-{n}"), Some("http://evil.example/page"), &format!("Again {at} {n}"), "x", None)
            };
            (0..300).map(of_the_page).collect()
        });
        let (first, last) = (work[2], work[15]);
        assert!(last < first * 3 / 2, "{level:?}: {work:?}");
        let told_as_one = work_of(&mut world, 16, |at| {
            let same =
                |n: usize| entry(&format!("same {at}-{n}"), Some("http://evil.example/same"), "Again", "x", None);
            (0..300).map(same).collect()
        });
        assert!(told_as_one[15] < told_as_one[2] * 3 / 2, "{level:?}: {told_as_one:?}");
        assert!(told_as_one[15] < MOST_WORK && last < MOST_WORK, "{level:?}: {work:?} {told_as_one:?}");
    }
}

#[test]
fn a_document_of_five_thousand_entries_is_taken_in_by_parts_of_bounded_work() {
    let mut world = World { is_whole: true, ..World::at(Level::Link) };
    let many = |text: &str| {
        let one = |n: usize| {
            entry(&format!("{n}"), Some(&format!("http://evil.example/{n}")), &format!("Entry {n}"), text, None)
        };
        (0..5_000).map(one).collect::<Vec<Entry>>()
    };
    for hour in 0..3 {
        world.now += TimeDelta::hours(1);
        let work = world.take_in(EVIL, many("x"));
        assert!(work < MOST_WORK, "new, hour {hour}: {work}");
    }
    world.now += TimeDelta::hours(1);
    let work = world.take_in(EVIL, many("edited"));
    assert!(work < MOST_WORK, "edited: {work}");
}

#[test]
fn what_sqlite_learned_of_a_small_store_makes_no_poll_of_a_large_one_slow() {
    let work = |has_learned: bool| {
        let mut world = World { is_whole: true, ..World::at(Level::Link) };
        if has_learned {
            world.store.execute_batch("ANALYZE").unwrap();
        }
        world
            .store
            .execute_batch(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
                 INSERT INTO feed (identity, address, name, configured, next_poll, next_poll_why) SELECT i, i, i, 1, 0, '' FROM n",
            )
            .unwrap();
        let told = |n: usize| entry(&format!("{n}"), Some(&format!("http://evil.example/{n}")), "Title", "x", None);
        world.take_in(OTHER, (0..100).map(told).collect());
        world.take_in(EVIL, (0..100).map(told).collect())
    };
    let (without, with) = (work(false), work(true));
    assert!(with < without * 3 / 2, "{without} and {with}");
}
