//! Documents are taken into a store in memory, and what it holds is looked at.
//!
//! Edge: a store in memory.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::fold::canonical::Site;
use crate::model::{Detail, Entry, EntryId, FeedRef, StoryId, StoryRef, Validators};
use crate::store::{Connection, corrections, fingerprints, follows, retention, schema, stories};
use crate::subscription::IngestOptions;

fn entry(published: Option<&str>) -> Entry {
    Entry {
        id: EntryId("a".into()),
        permalink: None,
        id_permalink: None,
        title: String::new(),
        published: published.map(|date| date.parse().unwrap()),
        updated: None,
        detail: Detail::default(),
        digest: 0,
        is_half_told: false,
    }
}

const NOW: DateTime<Utc> = DateTime::from_timestamp(1_768_046_400, 0).unwrap();

/// A store that two feeds are taken into.
struct Scene {
    store: Connection,
    feeds: Vec<FeedRef>,
    memory: WriterCache,
    level: Level,
}

impl Scene {
    fn at(level: Level) -> Self {
        let mut store = Connection::open_in_memory().unwrap();
        schema::migrate(&mut store, 0).unwrap();
        let configured = ["https://one.example/feed", "https://two.example/feed"].map(|address| feeds::Configured {
            address: address.parse().unwrap(),
            name: address.into(),
            first_poll: NOW,
            first_poll_why: String::new(),
            planned_by: String::new(),
            standing: feeds::Standing { site: Site::of(&address.parse().unwrap()), ..Default::default() },
        });
        let feeds = feeds::reconfigure(&store, &configured).unwrap().handles;
        Self { store, feeds, memory: WriterCache::default(), level }
    }

    /// One of the feeds brings entries with these ids, all of which lead to one page.
    fn take_in(&mut self, feed: usize, ids: &[&str], page: &str) {
        let entry = |id: &&str| Entry {
            id: EntryId((*id).into()),
            permalink: Some(format!("https://one.example/{page}").parse().unwrap()),
            title: page.into(),
            ..entry(None)
        };
        let record = self.record(feed, ids.iter().map(entry).collect());
        self.ingest(&PollRecord { is_partial: true, ..record });
    }

    /// A feed's first document.
    fn record(&self, feed: usize, entries: Vec<Entry>) -> PollRecord {
        let feed = feeds::one(&self.store, self.feeds[feed]).unwrap();
        let options = Arc::new(IngestOptions::plain(self.level, Site::of(&feed.address)));
        PollRecord { feed, at: NOW, is_first: true, is_partial: false, entries: entries.into(), options }
    }

    /// Takes a document in, and says in how many steps.
    fn ingest(&mut self, record: &PollRecord) -> (Ingested, usize) {
        let mut rest = None;
        for steps in 1.. {
            let mut context = WriteContext { tx: &self.store, memory: &mut self.memory };
            match ingest(&mut context, record, rest).unwrap() {
                Progress::Done(ingested) => return (ingested, steps),
                Progress::Partly(more) => rest = Some(more),
            }
        }
        unreachable!("it ends")
    }

    fn forget(&self, entry: u64) {
        self.store.execute("UPDATE entry SET gone_at = 0 WHERE id = ?1", [entry]).unwrap();
        assert_eq!(retention::prune(&self.store, NOW, 10, NOW).unwrap(), 1);
    }

    /// Each entry, its story, and by which rule it is there.
    fn told(&self) -> Vec<(u64, u64, Option<String>)> {
        let sql = "SELECT id, story, rule FROM entry LEFT JOIN fold ON entry = id ORDER BY id";
        let mut query = self.store.prepare(sql).unwrap();
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }
}

#[test]
fn news_that_follows_is_a_story_of_its_own_and_says_what_it_follows() {
    let mut scene = Scene::at(Level::Story);
    let told = |id: &str, hours: i64, title: &str, lead: &str| {
        let at = NOW + TimeDelta::hours(hours);
        let detail = Detail { summary: Some(lead.into()), language: Some("en".into()), ..Detail::default() };
        (at, Entry { id: EntryId(id.into()), title: title.into(), published: Some(at), detail, ..entry(None) })
    };
    let aground = "The car ferry Skarvholm ran aground in thick fog off Tannerby with two hundred people aboard.";
    let charged = "Prosecutors charged the captain of the car ferry Skarvholm that ran aground in fog off Tannerby.";
    let entries = [
        (0, told("1", 0, "Ferry Skarvholm aground off Tannerby in fog", aground)),
        (1, told("2", 1, "Skarvholm ferry runs aground off Tannerby in thick fog", aground)),
        (1, told("3", 50, "Captain of Skarvholm ferry charged with running aground off Tannerby", charged)),
    ];
    for (feed, (at, entry)) in entries {
        let record = scene.record(feed, vec![entry]);
        scene.ingest(&PollRecord { at, is_partial: true, ..record });
    }
    let in_stories: Vec<u64> = scene.told().iter().map(|(_, story, _)| *story).collect();
    assert_eq!(in_stories, [1, 1, 3]);
    let id = |story| stories::one(&scene.store, StoryRef(story)).unwrap().id;
    let followed = follows::followed(&scene.store, StoryRef(3)).unwrap().unwrap();
    assert_eq!((followed.id, followed.title.as_str()), (id(1), "Ferry Skarvholm aground off Tannerby in fog"));
    assert!(followed.evidence.terms.iter().any(|term| term == "skarvholm"), "{:?}", followed.evidence);
    let followers: Vec<StoryId> =
        follows::followers(&scene.store, StoryRef(1)).unwrap().into_iter().map(|follower| follower.id).collect();
    assert_eq!(followers, [id(3)]);
    assert_eq!(follows::followed(&scene.store, StoryRef(1)).unwrap(), None);
}

#[test]
fn a_founder_that_was_forgotten_comes_back_to_its_story() {
    for level in [Level::Link, Level::Story] {
        let mut scene = Scene::at(level);
        scene.take_in(0, &["1"], "first");
        scene.take_in(1, &["a"], "first");
        scene.forget(1);
        scene.take_in(0, &["1", "2"], "elsewhere");
        let link = Some("link".to_owned());
        assert_eq!(scene.told(), [(2, 1, link.clone()), (3, 1, None), (4, 1, link)], "with what leads to its page");
        assert_eq!(stories::one(&scene.store, StoryRef(1)).unwrap().sources, 2);
        scene.take_in(1, &["b"], "elsewhere");
        assert_eq!(scene.told()[3].1, 1, "and folding knows where it is");
    }
}

/// So many entries, each two of which bear one title and lead to one page.
fn many(count: usize) -> Vec<Entry> {
    let pair = |number: usize| Entry {
        id: EntryId(number.to_string()),
        permalink: Some(format!("https://one.example/{}", number / 2).parse().unwrap()),
        title: format!("Title {}", number / 2),
        ..entry(Some("2026-01-10T11:30:00Z"))
    };
    (0..count).map(pair).collect()
}

#[test]
fn a_large_document_is_taken_in_bit_by_bit_and_vouched_for_with_the_last() {
    let mut scene = Scene::at(Level::Link);
    let document = PollRecord {
        feed: Feed {
            validators: Validators { etag: Some(b"\"1\"".into()), last_modified: None },
            body_hash: Some(7),
            last_success: Some(NOW),
            ..scene.record(0, Vec::new()).feed
        },
        ..scene.record(0, many(2 * update::AT_ONCE + 1))
    };
    let mut context = WriteContext { tx: &scene.store, memory: &mut scene.memory };
    let Progress::Partly(rest) = ingest(&mut context, &document, None).unwrap() else { panic!("it is large") };
    assert_eq!(scene.told().len(), update::AT_ONCE);
    let stored = feeds::one(&scene.store, scene.feeds[0]).unwrap();
    let held = (stored.validators.etag, stored.body_hash, stored.last_success);
    assert_eq!(held, (None, None, None), "stopped here, it is asked for in full, and its entries are old news still");
    let mut context = WriteContext { tx: &scene.store, memory: &mut scene.memory };
    let Progress::Partly(rest) = ingest(&mut context, &document, Some(rest)).unwrap() else { panic!("one is left") };
    let mut context = WriteContext { tx: &scene.store, memory: &mut scene.memory };
    let Progress::Done(ingested) = ingest(&mut context, &document, Some(rest)).unwrap() else { panic!("all is in") };
    assert_eq!((ingested.added, ingested.folds.link), (401, 200), "none is taken for another one's new name");
    let stored = feeds::one(&scene.store, scene.feeds[0]).unwrap();
    assert_eq!((stored.validators, stored.body_hash), (document.feed.validators, Some(7)));
    assert_eq!(feeds::listed(&scene.store, scene.feeds[0]).unwrap().len(), 401);
}

#[test]
fn a_first_subscription_publishes_nothing_old_however_many_polls_it_takes() {
    let mut scene = Scene::at(Level::Link);
    let archive: Vec<Entry> = (0..update::MOST_NEW + 100)
        .map(|number| Entry {
            id: EntryId(number.to_string()),
            title: format!("Title {number}"),
            ..entry(Some("2020-01-01T00:00:00Z"))
        })
        .collect();
    let options =
        IngestOptions { backfill: Duration::from_secs(3_600), ..(*scene.record(0, Vec::new()).options).clone() };
    let poll = |scene: &Scene, at: DateTime<Utc>| {
        let record = scene.record(0, archive.clone());
        let is_first = record.feed.last_success.is_none();
        let feed = Feed { last_success: Some(at), ..record.feed };
        PollRecord { feed, at, is_first, options: Arc::new(options.clone()), ..record }
    };
    let took = [0, 2, 4].map(|hours| {
        let record = poll(&scene, NOW + TimeDelta::hours(hours));
        scene.ingest(&record).0.added
    });
    assert_eq!(took, [update::MOST_NEW, 100, 0]);
    let shown = "SELECT count(*) FROM story WHERE sort_at IS NOT NULL";
    assert_eq!(scene.store.query_row(shown, [], |row| row.get::<_, u64>(0)).unwrap(), 0);
    assert!(!poll(&scene, NOW).is_first, "it is read");
}

#[test]
fn an_edit_that_waits_has_the_document_asked_for_in_full() {
    let mut scene = Scene::at(Level::Link);
    let versions = (0..60).map(|number| Entry { digest: number, title: "Title".into(), ..entry(None) });
    for version in versions {
        let record = scene.record(0, vec![version]);
        let feed = Feed { body_hash: Some(7), ..record.feed };
        scene.ingest(&PollRecord { feed, is_first: false, ..record });
    }
    let stored = feeds::one(&scene.store, scene.feeds[0]).unwrap();
    assert_eq!(stored.body_hash, None, "or it would never be shown");
    let record = PollRecord {
        at: NOW + TimeDelta::hours(1),
        ..scene.record(0, vec![Entry { digest: 59, title: "Title".into(), ..entry(None) }])
    };
    assert_eq!(scene.ingest(&record).0.revised, 1, "an hour later it is");
}

#[test]
fn what_left_a_large_document_is_gone_once_all_of_it_is_read() {
    let mut scene = Scene::at(Level::Link);
    scene.ingest(&scene.record(0, many(10)));
    let later = PollRecord { is_first: false, ..scene.record(0, many(500).split_off(5)) };
    let (ingested, steps) = scene.ingest(&later);
    assert_eq!((ingested.added, steps), (490, 3));
    let gone: u32 =
        scene.store.query_row("SELECT count(*) FROM entry WHERE gone_at IS NOT NULL", [], |row| row.get(0)).unwrap();
    assert_eq!(gone, 5);
}

#[test]
fn what_is_too_much_for_an_hour_waits_however_it_comes() {
    let mut scene = Scene::at(Level::Off);
    scene.ingest(&scene.record(0, many(update::MOST_NEW - 10)));
    let more = many(update::MOST_NEW + 90).split_off(update::MOST_NEW - 10);
    let (ingested, _) = scene.ingest(&PollRecord { is_first: false, ..scene.record(0, more.clone()) });
    assert_eq!(ingested.added, 10);
    let stored = feeds::one(&scene.store, scene.feeds[0]).unwrap();
    assert!(stored.repairs.iter().any(|repair| repair.contains("100 entries are new at once")), "{:?}", stored.repairs);
    let an_hour_later = NOW + TimeDelta::hours(1);
    let again = PollRecord { is_first: false, at: an_hour_later, ..scene.record(0, more) };
    assert_eq!(scene.ingest(&again).0.added, 90);
}

#[test]
fn a_feed_that_tells_one_story_over_and_over_is_listed_with_a_few_of_its_entries() {
    let mut scene = Scene::at(Level::Link);
    let same = |number: usize| Entry {
        id: EntryId(number.to_string()),
        permalink: Some("https://one.example/page".parse().unwrap()),
        title: "Title".into(),
        ..entry(None)
    };
    scene.ingest(&scene.record(0, (0..300).map(same).collect()));
    scene.take_in(1, &["a"], "page");
    let story = StoryRef(1);
    assert_eq!(stories::times_told(&scene.store, story).unwrap(), 301);
    let listed: Vec<u64> =
        stories::coverage(&scene.store, story).unwrap().iter().map(|telling| telling.entry.0).collect();
    let expected: Vec<u64> = std::iter::once(1).chain(282..=301).collect();
    assert_eq!(listed, expected, "the first, the newest, and all of the other feed");
}

#[test]
fn a_story_without_its_founder_can_be_joined_and_left() {
    let mut scene = Scene::at(Level::Link);
    scene.take_in(1, &["z"], "other");
    scene.take_in(0, &["1"], "first");
    scene.take_in(1, &["a"], "first");
    scene.forget(2);
    corrections::join(&scene.store, StoryRef(1), StoryRef(2), NOW).unwrap();
    assert_eq!(scene.told(), [(1, 1, None), (3, 1, Some("link".into()))]);
    scene.take_in(0, &["1"], "elsewhere");
    assert_eq!(scene.told()[2], (4, 1, None), "it comes back to what its story has become");
    let name = StoryId::derive("https://one.example/feed", &EntryId("1".into()));
    let split = || corrections::split(&scene.store, EntryRef(4), NOW).unwrap();
    assert_eq!(split(), corrections::Corrected::Done(name), "a story bears the name of who founded it");
    assert_eq!(scene.told()[2], (4, 2, None));
    assert_eq!(split(), corrections::Corrected::Already);
    assert_eq!(stories::one(&scene.store, StoryRef(2)).unwrap().canonical, EntryRef(4));
}

#[test]
fn after_a_restart_terms_weigh_what_they_weighed_wherever_that_was_kept() {
    let mut scene = Scene::at(Level::Story);
    let told = |id: String, title: &str, page: &str| Entry {
        permalink: Some(format!("https://one.example/{page}").parse().unwrap()),
        title: title.to_owned(),
        digest: title.len().try_into().unwrap(),
        id: EntryId(id),
        ..entry(None)
    };
    let uncounted = |scene: &Scene| -> u64 {
        scene.store.query_row("SELECT count(*) FROM uncounted", [], |row| row.get(0)).unwrap()
    };
    let check = |scene: &Scene, what: &str| {
        let index = scene.memory.index.as_ref().unwrap();
        let restored = fingerprints::restore(&scene.store, *index.rules(), NOW).unwrap();
        assert!(restored.weights() == index.weights(), "{what}");
        assert_eq!(restored.stories(), index.stories(), "{what}");
    };
    let bring = |scene: &mut Scene, feed: usize, entries: Vec<Entry>| {
        let record = scene.record(feed, entries);
        scene.ingest(&PollRecord { is_partial: true, is_first: false, ..record });
    };
    bring(
        &mut scene,
        0,
        (0..5).map(|n| told(format!("a{n}"), &format!("Ferry aground off Tannerby {n}"), &format!("a{n}"))).collect(),
    );
    check(&scene, "none were kept yet");
    assert_eq!(uncounted(&scene), 1, "those of one document stand together");
    // Both lead to one page, until an edit leads one of them elsewhere.
    bring(&mut scene, 1, vec![told("b".into(), "Captain charged after ferry ran aground", "a0")]);
    bring(&mut scene, 1, vec![told("b".into(), "Fish market opens in Port Sable tomorrow", "b")]);
    check(&scene, "an edit was learned from");
    assert_eq!(uncounted(&scene), 3);
    // The weights are kept after so many entries.
    scene.memory.next_entry = Some(EntryRef(4_094));
    bring(
        &mut scene,
        0,
        (0..5).map(|n| told(format!("c{n}"), &format!("Harbour budget vote {n}"), &format!("c{n}"))).collect(),
    );
    check(&scene, "they were kept just now");
    assert_eq!(uncounted(&scene), 0);
    bring(&mut scene, 1, vec![told("d".into(), "Harbour budget passed by one vote", "d")]);
    check(&scene, "one was learned from since");
    scene.memory = WriterCache::default();
    bring(&mut scene, 0, vec![told("e".into(), "Harbour mayor resigns", "e")]);
    check(&scene, "after a restart");
}
