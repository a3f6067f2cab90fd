//! Whatever program a publisher uses and whatever happens to its posts: each post that it lists is stored once, as it is now, and
//! none that it listed before is written over.
//!
//! Edge: a store in memory, which documents are taken into. Each post bears its number as its category, which tells nobody which
//! entry it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::*;
use crate::fold::canonical::Site;
use crate::model::FeedRef;
use crate::store::{Connection, schema};
use crate::subscription::IngestOptions;
use crate::{normalise, parse};

const ADDRESS: &str = "https://site.example/feed.xml";
const START: DateTime<Utc> = DateTime::from_timestamp(1_768_046_400, 0).unwrap();

/// What a publisher's program makes a guid, or the address of a page, from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MadeOf {
    Nothing,
    Number,
    Title,
    /// It is the same for all posts.
    Feed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dated {
    No,
    Day,
    Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    None,
    /// The same for all posts.
    Shared,
    Own,
}

/// How a publisher's program writes its feed.
#[derive(Debug, Clone, Copy)]
struct Program {
    guid: MadeOf,
    page: MadeOf,
    dated: Dated,
    titles: Words,
    texts: Words,
    /// How many posts a document lists.
    window: usize,
    has_recordings: bool,
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Post,
    /// A few words are added to a headline.
    Retitle(usize),
    Rewrite(usize),
    Remove(usize),
    Redate(usize),
    /// The addresses get another host.
    Move,
    Wait(i64),
    Poll,
}

#[derive(Debug, Clone)]
struct Post {
    number: usize,
    title: String,
    text: String,
    date: DateTime<Utc>,
}

struct Publisher {
    program: Program,
    posts: Vec<Post>,
    written: usize,
    moved: usize,
}

const SYLLABLES: [&str; 16] =
    ["ba", "ko", "ri", "me", "tu", "sa", "lo", "vi", "dar", "pen", "gos", "hul", "jat", "wem", "zir", "fon"];

fn word(seed: usize) -> String {
    let hash = xxhash_rust::xxh3::xxh3_64(&seed.to_le_bytes());
    (0..3).map(|at| SYLLABLES[usize::try_from(hash >> (at * 8) & 15).unwrap()]).collect()
}

fn words(seed: usize, count: usize) -> String {
    (0..count).map(|at| word(seed * 1_000 + at)).collect::<Vec<_>>().join(" ")
}

impl Publisher {
    fn post(&mut self, now: DateTime<Utc>) {
        let number = self.written;
        self.written += 1;
        let said = |words_are: Words, own: String, shared: &str| match words_are {
            Words::None => String::new(),
            Words::Shared => shared.to_owned(),
            Words::Own => own,
        };
        let shared_text = words(9_999, 20);
        let text = said(self.program.texts, words(number + 50, 20), &shared_text);
        let title = said(self.program.titles, words(number, 6), "Traffic report");
        self.posts.insert(0, Post { number, title, text, date: now });
    }

    fn act(&mut self, act: Act, now: DateTime<Utc>) {
        let count = self.posts.len().min(self.program.window);
        let at = |which: usize| which.checked_rem(count);
        match act {
            Act::Post => self.post(now),
            Act::Retitle(which) => {
                if let Some(at) = at(which).filter(|_| self.program.titles == Words::Own) {
                    self.posts[at].title += " after all";
                }
            }
            Act::Rewrite(which) => {
                if let Some(at) = at(which).filter(|_| self.program.texts == Words::Own) {
                    self.posts[at].text += " and so on";
                }
            }
            Act::Remove(which) => {
                if let Some(at) = at(which) {
                    self.posts.remove(at);
                }
            }
            Act::Redate(which) => {
                if let Some(at) = at(which) {
                    self.posts[at].date += TimeDelta::seconds(433);
                }
            }
            Act::Move => self.moved += 1,
            Act::Wait(_) | Act::Poll => {}
        }
    }

    /// What its document lists, the newest first.
    fn listed(&self) -> &[Post] {
        &self.posts[..self.posts.len().min(self.program.window)]
    }

    fn document(&self) -> String {
        let host = format!("https://www{}.site.example", self.moved);
        let mut items = String::new();
        for post in self.listed() {
            let slug = post.title.replace(' ', "-");
            let page = match self.program.page {
                MadeOf::Nothing => None,
                MadeOf::Feed => Some(format!("{host}/traffic")),
                MadeOf::Number => Some(format!("{host}/post/{}", post.number)),
                MadeOf::Title => Some(format!("{host}/{slug}")),
            };
            let guid = match self.program.guid {
                MadeOf::Nothing => None,
                MadeOf::Feed => Some("latest".to_owned()),
                MadeOf::Number => Some(format!("post {}", post.number)),
                MadeOf::Title => Some(slug),
            };
            let date = match self.program.dated {
                Dated::No => None,
                Dated::Day => Some(post.date.format("%a, %d %b %Y 00:00:00 GMT").to_string()),
                Dated::Time => Some(post.date.to_rfc2822()),
            };
            let recording = self.program.has_recordings.then(|| {
                format!(r#"<enclosure url="{host}/audio/{}.mp3" length="1" type="audio/mpeg"/>"#, post.number)
            });
            let element = |name: &str, value: Option<String>| {
                value
                    .filter(|value| !value.is_empty())
                    .map(|value| format!("<{name}>{value}</{name}>"))
                    .unwrap_or_default()
            };
            write!(
                items,
                "<item>{}{}{}{}{}<category>post{}</category>{}</item>",
                element("title", Some(post.title.clone())),
                element("link", page),
                element("guid", guid),
                element("pubDate", date),
                element("description", Some(post.text.clone())),
                post.number,
                recording.unwrap_or_default(),
            )
            .unwrap();
        }
        format!(
            r#"<rss version="2.0"><channel><title>Sample</title><link>https://site.example/</link><description/>{items}</channel></rss>"#
        )
    }
}

/// A store that one feed is taken into.
struct Subscriber {
    store: Connection,
    feed: FeedRef,
    memory: WriterCache,
    polls: usize,
}

impl Subscriber {
    fn new() -> Self {
        let mut store = Connection::open_in_memory().unwrap();
        schema::migrate(&mut store, 0).unwrap();
        let configured = feeds::Configured {
            address: ADDRESS.parse().unwrap(),
            name: "sample".into(),
            standing: feeds::Standing { site: Site::of(&ADDRESS.parse().unwrap()), ..feeds::Standing::default() },
            first_poll: START,
            first_poll_why: String::new(),
            planned_by: String::new(),
        };
        let feed = feeds::reconfigure(&store, &[configured]).unwrap().handles[0];
        Self { store, feed, memory: WriterCache::default(), polls: 0 }
    }

    fn poll(&mut self, document: &str, now: DateTime<Utc>) {
        let parsed = parse::parse(document.as_bytes(), parse::Context::default()).unwrap();
        let (entries, _) = normalise::entries(parsed, &ADDRESS.parse().unwrap());
        let state = feeds::one(&self.store, self.feed).unwrap();
        let options = IngestOptions::plain(Level::Link, Site::of(&state.address));
        let record = PollRecord {
            feed: state,
            at: now,
            is_first: self.polls == 0,
            is_partial: false,
            entries: entries.into(),
            options: Arc::new(options),
        };
        self.polls += 1;
        let mut rest = None;
        loop {
            let mut context = WriteContext { tx: &self.store, memory: &mut self.memory };
            match ingest(&mut context, &record, rest).unwrap() {
                Progress::Done(_) => return,
                Progress::Partly(more) => rest = Some(more),
            }
        }
    }

    /// The titles of the entries that each post is stored as.
    fn stored(&self) -> BTreeMap<usize, Vec<String>> {
        let mut stored: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        let newest = entries::next_ref(&self.store).unwrap();
        for handle in (1..newest.0).map(EntryRef) {
            let detail = entries::detail_of(&self.store, handle).unwrap();
            let title = entries::text_of(&self.store, handle).unwrap().title;
            let number = detail.categories[0].strip_prefix("post").unwrap().parse().unwrap();
            stored.entry(number).or_default().push(title);
        }
        stored
    }
}

/// Lets a publisher act and a subscriber poll; says what went wrong, if anything did.
fn trial(program: Program, acts: &[Act]) -> Result<(), String> {
    let mut publisher = Publisher { program, posts: Vec::new(), written: 0, moved: 0 };
    let mut subscriber = Subscriber::new();
    let mut now = START;
    let mut ever: BTreeSet<usize> = BTreeSet::new();
    for act in acts {
        now += TimeDelta::minutes(1);
        if let Act::Wait(minutes) = act {
            now += TimeDelta::minutes(*minutes);
        }
        publisher.act(*act, now);
        if !matches!(act, Act::Poll) || publisher.posts.is_empty() {
            continue;
        }
        subscriber.poll(&publisher.document(), now);
        let stored = subscriber.stored();
        for Post { number, title, .. } in publisher.listed() {
            ever.insert(*number);
            if stored.get(number).is_none_or(|titles| *titles != [title.clone()]) {
                return Err(format!("post {number} is {title:?}, and stored as {:?}", stored.get(number)));
            }
        }
        if let Some(lost) = ever.iter().find(|number| !stored.contains_key(number)) {
            return Err(format!("post {lost} is stored no more"));
        }
    }
    Ok(())
}

fn dated() -> impl Strategy<Value = Dated> {
    prop_oneof![Just(Dated::No), Just(Dated::Day), Just(Dated::Time)]
}

fn texts() -> impl Strategy<Value = Words> {
    prop_oneof![Just(Words::None), Just(Words::Shared), Just(Words::Own)]
}

prop_compose! {
    /// Programs that give each post an id, or an address, of its own.
    fn with_ids()(guid in any::<bool>(), page in 0..3_usize, dated in dated(), texts in texts(), window in 1..7_usize, has_recordings in any::<bool>()) -> Program {
        let guid = if guid { MadeOf::Number } else { MadeOf::Nothing };
        let pages = [MadeOf::Number, MadeOf::Title, MadeOf::Feed];
        let page = if guid == MadeOf::Nothing { MadeOf::Number } else { pages[page] };
        Program { guid, page, dated, titles: Words::Own, texts, window, has_recordings }
    }
}

prop_compose! {
    /// Programs that make ids and addresses of the headlines, which are corrected.
    fn with_slugs()(has_guids in any::<bool>(), is_dated in any::<bool>(), window in 1..7_usize) -> Program {
        let guid = if has_guids { MadeOf::Title } else { MadeOf::Nothing };
        let dated = if is_dated { Dated::Time } else { Dated::No };
        Program { guid, page: MadeOf::Title, dated, titles: Words::Own, texts: Words::Own, window, has_recordings: false }
    }
}

prop_compose! {
    /// A series: each post has one title, and an id of its own.
    fn of_a_series()(has_pages in any::<bool>(), texts in texts(), window in 1..7_usize, has_recordings in any::<bool>()) -> Program {
        let page = if has_pages { MadeOf::Number } else { MadeOf::Nothing };
        Program { guid: MadeOf::Number, page, dated: Dated::Time, titles: Words::Shared, texts, window, has_recordings }
    }
}

/// What happens to posts without their site.
fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => Just(Act::Post),
        1 => (0..6_usize).prop_map(Act::Retitle),
        1 => (0..6_usize).prop_map(Act::Rewrite),
        1 => (0..6_usize).prop_map(Act::Remove),
        1 => (0..6_usize).prop_map(Act::Redate),
        1 => prop_oneof![Just(30_i64), Just(300), Just(1_500)].prop_map(Act::Wait),
        4 => Just(Act::Poll),
    ];
    prop::collection::vec(act, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_has_an_id_is_stored_once_whatever_happens_to_it(program in with_ids(), acts in acts()) {
        prop_assert_eq!(trial(program, &acts), Ok(()), "{:?}", program);
    }

    #[test]
    fn what_is_named_by_its_headline_is_stored_once_when_that_is_corrected(program in with_slugs(), mut acts in acts()) {
        // With another address and another text, or another place among the others, it is another one, and so it is with another
        // address after it was away.
        acts.retain(|act| !matches!(act, Act::Rewrite(_) | Act::Remove(_) | Act::Redate(_)));
        prop_assert_eq!(trial(program, &acts), Ok(()), "{:?}", program);
    }

    #[test]
    fn what_is_one_of_a_series_is_stored_once(program in of_a_series(), acts in acts()) {
        prop_assert_eq!(trial(program, &acts), Ok(()), "{:?}", program);
    }

    #[test]
    fn what_a_site_takes_along_when_it_moves_is_stored_once(program in with_ids(), posts in 2..6_usize, more in 0..3_usize) {
        let post = |count| std::iter::repeat_n(Act::Post, count);
        let acts: Vec<Act> = post(posts).chain([Act::Poll, Act::Move]).chain(post(more.min(posts - 1))).chain([Act::Poll]).collect();
        prop_assert_eq!(trial(Program { window: 6, ..program }, &acts), Ok(()), "{:?}", program);
    }
}
