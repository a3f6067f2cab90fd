//! Documents one after the other, and which entry of them is which. Pure.

use proptest::prelude::*;

use super::super::{Changes, plan};
use super::*;
use crate::model::Detail;
use chrono::{DateTime, TimeDelta, Utc};

const NOW: DateTime<Utc> = DateTime::from_timestamp(1_768_046_400, 0).unwrap();

/// An entry as a document has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Item {
    id: Option<&'static str>,
    page: &'static str,
    title: &'static str,
    day: Option<i64>,
    /// Whether its date is the day alone.
    is_at_midnight: bool,
    text: &'static str,
}

impl Item {
    const fn new(id: &'static str, page: &'static str, title: &'static str, day: i64, text: &'static str) -> Self {
        Self { id: Some(id), page, title, day: Some(day), is_at_midnight: false, text }
    }

    fn date(&self) -> Option<DateTime<Utc>> {
        let time = if self.is_at_midnight { NOW - TimeDelta::hours(12) } else { NOW };
        self.day.map(|day| time + TimeDelta::days(day))
    }
}

/// What newsfold makes of a document.
fn document(items: &[Item]) -> Vec<Entry> {
    let entry = |item: &Item| {
        let permalink: Option<Permalink> = item.page.parse().ok();
        let published = item.date();
        let parsed = crate::parse::ParsedEntry {
            id: item.id.map(Into::into),
            title: Some(item.title.into()),
            published,
            ..crate::parse::ParsedEntry::default()
        };
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        Hash::hash(&(item.title, item.page, item.text), &mut hash);
        Entry {
            id: identity::id(&parsed, permalink.as_ref()),
            permalink,
            id_permalink: None,
            title: item.title.into(),
            published,
            updated: None,
            detail: Detail {
                content: Some(item.text.into()).filter(|text: &String| !text.is_empty()),
                ..Detail::default()
            },
            digest: hash.digest().cast_signed(),
            is_half_told: false,
        }
    };
    let mut entries = items.iter().map(entry).collect();
    identity::make_unique(&mut entries);
    entries
}

/// A feed as the store has it.
#[derive(Default)]
struct Feed {
    stored: Vec<StoredEntry>,
    listed: Vec<EntryRef>,
    ids_stay: bool,
}

impl Feed {
    /// Takes a document in, and gives which entry each of it is.
    fn take_in(&mut self, items: &[Item]) -> Vec<(EntryRef, Item)> {
        let mut polled = document(items);
        let mut known = self.known(&polled);
        self.ids_stay = known.ids_stay;
        if is_wanted(&known, &polled) {
            if let Some(apart) = identity::kept_apart(&polled, &shared_ids(&known, &polled, &self.stored)) {
                polled = apart;
                known = self.known(&polled);
            }
            known.renamed = renamed(&known, &polled, &self.stored, true);
        }
        self.apply(plan(&known, &polled, NOW));
        let is = |entry: &Entry, item: &Item| {
            let page = entry.permalink.as_ref().map_or("", Permalink::as_str);
            (entry.title.as_str(), said_text(entry), page) == (item.title, item.text, item.page)
                && entry.published == item.date()
        };
        let item_of = |entry: &Entry| items.iter().find(|item| is(entry, item)).copied().unwrap();
        let stored_as = |entry: &Entry| self.stored.iter().find(|stored| stored.id == entry.id).unwrap().known.entry;
        polled.iter().map(|entry| (stored_as(entry), item_of(entry))).collect()
    }

    fn known(&self, polled: &[Entry]) -> Known {
        let by_id = |entry: &Entry| self.stored.iter().find(|stored| stored.id == entry.id);
        let found = polled.iter().filter_map(|entry| Some((entry.id.clone(), by_id(entry)?.known.clone())));
        let listed = self.listed.clone();
        let known = Known { entries: found.collect(), renamed: HashMap::new(), listed, ids_stay: self.ids_stay };
        Known { ids_stay: known.ids_stay || known.has_kept_an_id(polled), ..known }
    }

    fn apply(&mut self, changes: Changes<'_>) {
        for (handle, now) in &changes.renamed {
            self.stored
                .iter_mut()
                .filter(|stored| stored.known.entry == *handle)
                .for_each(|stored| stored.id = now.id.clone());
        }
        let mut listed = changes.unchanged.clone();
        for revision in &changes.revised {
            let before = self.stored.iter_mut().find(|stored| stored.known.entry == revision.entry).unwrap();
            *before = stored(revision.entry, revision.now);
            listed.push(revision.entry);
        }
        for new in changes.added {
            let handle = EntryRef(u64::try_from(self.stored.len()).unwrap() + 1);
            self.stored.push(stored(handle, new));
            listed.push(handle);
        }
        self.listed = listed;
    }
}

fn said_text(entry: &Entry) -> &str {
    entry.detail.content.as_deref().unwrap_or_default()
}

fn stored(handle: EntryRef, entry: &Entry) -> StoredEntry {
    StoredEntry {
        known: KnownEntry {
            entry: handle,
            title: entry.title.clone(),
            digest: entry.digest,
            quiet_revisions: 0,
            revised_ms: None,
            updated_ms: None,
            has_lost_text: false,
            is_damaged: false,
        },
        id: entry.id.clone(),
        permalink: entry.permalink.clone(),
        published_ms: entry.published.map(|date| date.timestamp_millis()),
        text: identity::text_hash(&entry.detail),
    }
}

/// Takes documents in one after the other and compares which entries the last one holds, numbered as they were first seen.
fn check(what: &str, documents: &[&[Item]], expected: &[u64]) {
    let mut feed = Feed::default();
    let mut found = Vec::new();
    for items in documents {
        let taken = feed.take_in(items);
        found = items
            .iter()
            .filter_map(|item| taken.iter().find(|(_, taken)| taken == item))
            .map(|(handle, _)| handle.0)
            .collect();
    }
    assert_eq!(found, expected, "{what}");
}

const PAGE: &str = "https://a.example/news/1";
/// The newest and the oldest of a feed's other entries.
const X: Item = Item::new("x", "https://a.example/x", "X", -1, "The text of X");
const Y: Item = Item::new("y", "https://a.example/y", "Y", -9, "The text of Y");

#[test]
fn an_entry_that_took_the_place_of_another_is_that_entry() {
    let before = Item::new(PAGE, PAGE, "Hall closed", -2, "The hall is closed");
    let check = |what: &str, before: Item, after: Item| check(what, &[&[X, before, Y], &[X, after, Y]], &[1, 2, 3]);
    const MOVED: &str = "https://a.example/news/one";
    let moved = Item { id: Some(MOVED), page: MOVED, ..before };
    check("another slug", before, moved);
    check("another slug and headline", before, Item { title: "Old hall closed", ..moved });
    check("another slug and text", before, Item { text: "The hall was closed", ..moved });
    check("another slug, without a date", Item { day: None, ..before }, Item { day: None, ..moved });
    check("another slug and no ids", Item { id: None, ..before }, Item { id: None, ..moved });
    let counted = |id| Item { id: Some(id), ..before };
    let retitled = |id| Item { id: Some(id), title: "Hall to open again", text: "It opens", ..before };
    check("a number behind #", counted("https://a.example/1#0"), retitled("https://a.example/1#1"));
    check("a version in a query", counted("https://a.example/1?v=1"), retitled("https://a.example/1?v=2"));
    check("a version at the end", counted("tag:a.example,1-v9"), retitled("tag:a.example,1-v10"));
    check("a number and a date", counted("1#0"), Item { day: Some(0), ..retitled("1#1") });
    check("an id of another kind", before, Item { id: Some("42"), title: "Hall to open again", ..before });
    let session = |page| Item { id: None, page, day: None, ..before };
    check("a session in the address", session("https://a.example/n?s=1"), session("https://a.example/n?s=2"));
    let changing = Item { text: "It is ten o'clock", ..session("https://a.example/n?s=2") };
    check("a session and another text", session("https://a.example/n?s=1"), changing);
    let dated = |day| Item { id: None, page: "", day: Some(day), ..before };
    check("the date is that of the request", dated(-3), dated(-2));
    check("and all others are newer", dated(-10), dated(-2));
}

#[test]
fn an_entry_whose_id_never_stays_is_one_among_others_without_dates_too() {
    let notice = |page, day| Item { id: None, ..Item::new("", page, "Notice", day, "Office hours") };
    let undated = |item: Item| Item { day: None, ..item };
    let (first, second) = (notice("https://a.example/n?s=1", -3), notice("https://a.example/n?s=2", -2));
    check("undated others", &[&[undated(X), first], &[undated(X), second]], &[1, 2]);
    check("dated others", &[&[X, first, Y], &[X, second, Y]], &[1, 2, 3]);
}

#[test]
fn the_next_of_its_kind_takes_the_place_of_none() {
    const PAGES: [[&str; 3]; 3] = [
        ["https://a.example/11", "https://a.example/12", "https://a.example/13"],
        ["https://a.example/21", "https://a.example/22", "https://a.example/23"],
        ["https://a.example/31", "https://a.example/32", "https://a.example/33"],
    ];
    const TITLES: [&str; 3] = ["Evening news", "Weather", "Quiz hour"];
    let programme = |week: usize| {
        [0, 1, 2].map(|at| {
            let day = i64::try_from(7 * week + at).unwrap();
            Item::new(PAGES[week][at], PAGES[week][at], TITLES[at], day, TITLES[at])
        })
    };
    let (day, next, third) = (programme(0), programme(1), programme(2));
    check("a programme", &[&day[..2], &day, &next, &third], &[7, 8, 9]);
    check("whose ids may be others each time", &[&day, &next, &third], &[1, 2, 3]);
    let all_at_once = programme(1).map(|item| Item { day: Some(30), ..item });
    check("a site that moves and dates all anew", &[&day[..2], &day, &all_at_once], &[1, 2, 3]);
    let pinned = Item::new("pin", "https://a.example/pin", "Welcome", -9, "Welcome to the guide");
    let [first, second, _] = programme(0);
    let [next_first, next_second, _] = programme(1);
    check("and one that stays", &[&[pinned, first, second], &[pinned, next_first, next_second]], &[1, 4, 5]);
    let class = |id, day| Item::new(id, "https://a.example/yoga", "Yoga class", day, "With Anna");
    let (first, other, third) = (class("y1", 1), class("y2", 8), class("y3", 15));
    check("a course", &[&[first, other], &[other, third]], &[2, 3]);
    let alert = |id, title, day, form| Item::new(id, "https://a.example/alerts", title, day, form);
    let (gold, oil) =
        (alert("1", "Gold rises", 1, "An alert of the exchange"), alert("2", "Oil falls", 1, "An alert of the office"));
    let (tin, gas) =
        (alert("3", "Tin rises", 2, "An alert of the exchange"), alert("4", "Gas falls", 2, "An alert of the office"));
    check("two forms on one page", &[&[gold], &[gold, oil], &[tin, gas]], &[3, 4]);
}

#[test]
fn a_day_tells_no_entry_from_another() {
    let item = |id, page, title, text| Item { is_at_midnight: true, ..Item::new(id, page, title, 0, text) };
    let traffic = item("1", "https://a.example/1", "Traffic", "All is clear");
    let (markets, again) = (
        item("2", "https://a.example/2", "Markets", "Up"),
        item("3", "https://a.example/3", "Traffic", "A crash on the A7"),
    );
    check("the same title on the same day", &[&[traffic, markets], &[markets, again]], &[2, 3]);
    check("alone", &[&[traffic], &[Item { text: "All is well", ..traffic }], &[again]], &[2]);
}

#[test]
fn a_site_that_moves_keeps_its_entries() {
    let moved = |id, page, item: Item| Item { id: Some(id), page, ..item };
    let (x, y) = (moved("1", "https://b.example/x", X), moved("2", "https://b.example/y", Y));
    check("with dates", &[&[X, Y], &[x, y]], &[1, 2]);
    let undated = |item: Item| Item { day: None, ..item };
    check("without dates", &[&[undated(X), undated(Y)], &[undated(x), undated(y)]], &[1, 2]);
    let titled = |item: Item| Item { text: "", ..undated(item) };
    check("with titles only", &[&[titled(X), titled(Y)], &[titled(x), titled(y)]], &[1, 2]);
}

#[test]
fn a_headline_that_is_corrected_with_its_address_and_date_is_that_entry() {
    let item = |id, page, title, day, text| Item::new(id, page, title, day, text);
    let (top, end) =
        (item("t", "https://a.example/t", "Top", 0, "t"), item("e", "https://a.example/e", "End", -9, "e"));
    let told = item("b", "https://a.example/bridge", "Bridge closes", -5, "The bridge closes");
    let longer = item("c", "https://a.example/bridge-after-all", "Bridge closes after all", -4, "The bridge closes");
    check("a headline grew", &[&[top, told, end], &[top, longer, end]], &[1, 2, 3]);
    let other = item("c", "https://a.example/road", "Road closes", -4, "The bridge closes");
    check("another headline", &[&[top, told, end], &[top, other, end]], &[1, 4, 3]);
    check("both are listed", &[&[top, told, end], &[top, longer, told, end]], &[1, 4, 2, 3]);
}

#[test]
fn what_falls_off_the_end_is_not_what_comes_on_top() {
    let job = |id, page, title, text| Item::new(id, page, title, -1, text);
    let driver = job("1", "https://a.example/1", "Truck driver", "In Leeds");
    let (nurse, cook) =
        (job("2", "https://a.example/2", "Nurse", "In York"), job("3", "https://a.example/3", "Cook", "In Hull"));
    let next = job("4", "https://a.example/4", "Truck driver", "In Bath");
    check("one title and day", &[&[driver, nurse, cook], &[nurse, cook, next]], &[2, 3, 4]);
    let usual = |item: Item| Item { text: "Apply now", ..item };
    let other = Item { title: "Baker", ..usual(next) };
    check("one text and day", &[&[usual(driver), nurse, cook], &[nurse, cook, other]], &[2, 3, 4]);
}

#[test]
fn a_site_that_moves_to_another_program_keeps_its_entries() {
    let post = |id, page, title, day, text| Item::new(id, page, title, day, text);
    let before = [
        post("1", "https://a.example/?p=1", "On bees", -3, "Bees"),
        post("2", "https://a.example/?p=2", "On wasps", -9, "Wasps"),
        post("3", "https://a.example/?p=3", "On ants", -20, "Ants"),
    ];
    let moved = [
        post("x", "https://b.example/bees/", "On bees", -4, "Bees. Thanks for reading!"),
        post("y", "https://b.example/wasps/", "On wasps", -10, "Wasps. Thanks for reading!"),
        post("z", "https://b.example/ants/", "On ants", -20, "Ants. Thanks for reading!"),
    ];
    check("dates and frames", &[&before, &moved], &[1, 2, 3]);
    let next = moved.map(|item| Item { day: item.day.map(|day| day + 2), ..item });
    check("the next edition of each", &[&before, &next], &[4, 5, 6]);
    let mixed = [before[0], moved[1], moved[2]];
    check("some ids stay", &[&before, &mixed], &[1, 4, 3]);
}

#[test]
fn what_repeats_the_words_of_another_entry_is_news() {
    let backup = |id, page, day| Item::new(id, page, "Backup finished", day, "All is well");
    let (first, second) = (backup("1", "https://a.example/1", -9), backup("2", "https://a.example/2", 0));
    check("it fell off the end", &[&[X, first], &[second, X]], &[3, 1]);
    check("both are listed", &[&[first], &[second, first]], &[2, 1]);
    check("it is the only one", &[&[first], &[second]], &[2]);
    let twice = [backup("3", "https://a.example/3", -5), first, X];
    check("there are several", &[&twice, &[second, twice[0], X]], &[4, 1, 3]);
    let usual = |id, page, title| Item::new(id, page, title, -2, "Read more on our page");
    let (one, other) = (usual("1", "https://a.example/1", "A"), usual("2", "https://a.example/2", "B"));
    check("the usual text and the same day", &[&[one], &[other]], &[2]);
    let notice = |id, title, day| Item::new(id, "https://a.example/notices", title, day, title);
    let (a, b, c) = (notice("n#1", "A", -3), notice("n#2", "B", -2), notice("n#3", "C", -1));
    check("notices on one page, counted up", &[&[b, a, X], &[c, b, X]], &[4, 1, 3]);
    check("the only notice of a page", &[&[a], &[b]], &[2]);
}

#[test]
fn entries_that_share_an_id_or_a_page_stay_apart_as_the_document_grows_and_shrinks() {
    const PAGES: [(Option<&str>, &str); 4] =
        [(None, PAGE), (Some(PAGE), PAGE), (Some("42"), ""), (Some("N/A"), "https://a.example/")];
    for (id, page) in PAGES {
        let item = |title, day| Item { id, page, ..Item::new("", "", title, day, title) };
        let [a, b, c, d] = [("A", -4), ("B", -3), ("C", -2), ("D", -1)].map(|(title, day)| item(title, day));
        check("it grows", &[&[c, b, a], &[d, c, b, a]], &[4, 1, 2, 3]);
        check("it grows from one", &[&[a], &[b, a], &[c, b, a]], &[3, 2, 1]);
        check("in another order", &[&[a, b, c], &[b, d, a, c]], &[2, 4, 1, 3]);
        check("the oldest falls off", &[&[b, a], &[c, b], &[d, c]], &[4, 3]);
        check("it shrinks to one", &[&[b, a], &[b]], &[1]);
        check("another one alone", &[&[b, a], &[c], &[d]], &[4]);
        check("one is edited", &[&[b, a], &[Item { text: "edited", ..b }, a]], &[1, 2]);
        check("one is retitled", &[&[b, a], &[Item { title: "Better", ..b }, a]], &[1, 2]);
        let same = |day| Item { text: "The same", ..item("Outage", day) };
        check("one title on several days", &[&[same(2), same(1)], &[same(3), same(2), same(1)]], &[3, 1, 2]);
        check("and the oldest falls off", &[&[same(2), same(1)], &[same(3), same(2)]], &[3, 1]);
    }
}

#[test]
fn an_id_that_a_feed_gives_again_tells_nothing() {
    const PAGES: [&str; 3] = ["https://a.example/ep1", "https://a.example/ep2", "https://a.example/ep3"];
    const TITLES: [&str; 3] = ["Fishing at night", "A lamp for the pier", "Who owns the tide"];
    let piece = |id, at: usize| Item::new(id, PAGES[at], TITLES[at], 3 * i64::try_from(at).unwrap(), TITLES[at]);
    let undated = |item: Item| Item { day: None, ..item };
    for id in ["latest", "https://a.example/"] {
        let [a, b, c] = [0, 1, 2].map(|at| piece(id, at));
        check("only the newest is listed", &[&[a], &[b], &[c], &[c]], &[3]);
        check("within the hours", &[&[a], &[Item { day: a.day.map(|day| day + 1), ..b }], &[c]], &[3]);
        check("without dates it is edited", &[&[undated(a)], &[undated(b)], &[undated(c)]], &[1]);
        check("it comes back", &[&[a], &[b], &[a]], &[1]);
        let retitled = Item { title: "A lamp for the old pier", ..b };
        check("the second is corrected", &[&[a], &[b], &[retitled]], &[2]);
    }
    let places = |first, second| [piece("slot1", first), piece("slot2", second)];
    check("places", &[&places(1, 0), &places(2, 1)], &[3, 1]);
    let strip = |day, title| Item::new("strip", "https://a.example/", title, day, title);
    check("a daily strip on the front page", &[&[strip(1, "Rain")], &[strip(2, "Snow")]], &[2]);
}

#[test]
fn an_entry_that_is_rewritten_under_its_id_is_that_entry() {
    let before =
        Item::new("42", "https://a.example/ferry-aground", "Ferry runs aground off Sable", -2, "It ran aground");
    let after = |page, title, day| Item { page, title, day: Some(day), text: "All are safe", ..before };
    let alone_and_among_others = |what: &str, after: Item| {
        check(what, &[&[before], &[after]], &[1]);
        check(what, &[&[X, before, Y], &[X, after, Y]], &[1, 2, 3]);
    };
    const OTHER: &str = "https://a.example/all-safe";
    alone_and_among_others("on its page", after(before.page, "All safe", 0));
    alone_and_among_others("with its date", after(OTHER, "All safe", -2));
    alone_and_among_others(
        "with most of its headline",
        Item { day: None, ..after(OTHER, "Ferry runs aground off Sable, all safe", 0) },
    );
    let numbered = "https://a.example/ferry-aground-7344629";
    check(
        "with the number of the article",
        &[&[Item { page: numbered, ..before }], &[after("https://a.example/all-safe-7344629", "All safe", 0)]],
        &[1],
    );
    let other = after(OTHER, "All safe", 0);
    check("one among others", &[&[X, before, Y], &[X, other, Y]], &[1, 2, 3]);
    let live = |title| Item::new("live", "https://a.example/live", title, 0, title);
    check("a running page", &[&[live("At noon")], &[Item { day: Some(2), ..live("In the evening") }]], &[1]);
}

#[test]
fn what_a_hub_sends_takes_no_entrys_place() {
    let before = [Item::new("1#0", PAGE, "A", -1, "a"), X];
    let mut feed = Feed::default();
    feed.take_in(&before);
    let sent = document(&[Item::new("1#1", PAGE, "B", -1, "b"), Y]);
    assert!(renamed(&feed.known(&sent), &sent, &feed.stored, false).is_empty());
    assert_eq!(renamed(&feed.known(&sent), &sent, &feed.stored, true).len(), 1, "in a whole document it does");
}

prop_compose! {
    /// Few ids, pages, titles, days and texts, so that they meet.
    fn any_item()(id in 0_usize..4, page in 0_usize..4, title in 0_usize..5, day in prop::option::of(0_i64..3), text in 0_usize..5) -> Item {
        const IDS: [Option<&str>; 4] = [None, Some("1"), Some("1#1"), Some("https://a.example/p?v=2")];
        const PAGES: [&str; 4] = ["", PAGE, "https://a.example/n?s=1", "https://b.example/n?s=2"];
        const WORDS: [&str; 5] = ["", "A", "B", "C", "D"];
        Item { id: IDS[id], page: PAGES[page], title: WORDS[title], day, is_at_midnight: false, text: WORDS[text] }
    }
}

proptest! {
    #[test]
    fn no_sequence_of_documents_loses_an_entry_that_the_publisher_still_lists(
        documents in prop::collection::vec(prop::collection::vec(any_item(), 1..6), 1..8),
    ) {
        let mut feed = Feed::default();
        for mut items in documents {
            let mut seen = HashSet::new();
            items.retain(|item| seen.insert((item.title, item.text)));
            let taken = feed.take_in(&items);
            prop_assert_eq!(taken.len(), items.len(), "each is an entry");
            let handles: HashSet<EntryRef> = taken.iter().map(|(handle, _)| *handle).collect();
            prop_assert_eq!(handles.len(), items.len(), "of its own");
            for (handle, item) in &taken {
                let now = feed.stored.iter().find(|stored| stored.known.entry == *handle).unwrap();
                prop_assert_eq!(&now.known.title, item.title, "shown as it is now");
            }
            let before = feed.listed.clone();
            feed.take_in(&items.iter().rev().copied().collect::<Vec<_>>());
            let sorted = |mut listed: Vec<EntryRef>| { listed.sort_unstable(); listed };
            prop_assert_eq!(sorted(feed.listed.clone()), sorted(before), "the same document again changes nothing");
        }
    }
}
