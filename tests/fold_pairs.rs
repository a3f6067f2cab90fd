//! Hard pairs in eleven languages, written for this test: what must not be folded, and how much of the rest is.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use newsfold::fold::index::Index;
use newsfold::fold::plan::Verdict;
use newsfold::fold::weights::Weights;
use newsfold::fold::{Article, EntryRef, Level, Profile, Rules, StoryRef, features};
use newsfold::model::permalink::Permalink;
use serde::Deserialize;

#[derive(Deserialize)]
struct Pair {
    lang: String,
    kind: String,
    same: bool,
    hours: i64,
    one_feed: bool,
    a: Telling,
    b: Telling,
}

#[derive(Deserialize)]
struct Telling {
    title: String,
    summary: String,
}

struct Outcome {
    recall: f64,
    false_folds: Vec<String>,
}

fn pairs() -> Vec<Pair> {
    include_str!("fixtures/folds/pairs.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Folds all pairs as one stream of about three days.
fn fold(pairs: &[Pair], profile: Profile) -> Outcome {
    let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut stream = Vec::new();
    for (number, pair) in (0_u64..).zip(pairs) {
        let at = start + TimeDelta::minutes(i64::try_from(number).unwrap());
        let feed = 1_000 * (number + 1);
        stream.push((at, 2 * number, feed, pair.lang.as_str(), &pair.a));
        stream.push((
            at + TimeDelta::hours(pair.hours),
            2 * number + 1,
            if pair.one_feed { feed } else { feed + 1 },
            pair.lang.as_str(),
            &pair.b,
        ));
    }
    stream.sort_by_key(|(at, number, ..)| (*at, *number));
    let mut index = Index::new(Rules { profile, ..Rules::default() }, Weights::default());
    let mut stories: HashMap<u64, StoryRef> = HashMap::new();
    for (at, number, feed, lang, telling) in stream {
        stories.insert(number, take_in(&mut index, number, (feed, at, lang), telling));
    }
    let together = |number: u64| stories[&(2 * number)] == stories[&(2 * number + 1)];
    let same = pairs.iter().filter(|pair| pair.same).count();
    let found = (0_u64..).zip(pairs).filter(|(number, pair)| pair.same && together(*number)).count();
    let false_folds = (0_u64..)
        .zip(pairs)
        .filter(|(number, pair)| !pair.same && together(*number))
        .map(|(_, pair)| format!("{} {}: {} / {}", pair.lang, pair.kind, pair.a.title, pair.b.title))
        .collect();
    for (_, pair) in (0_u64..).zip(pairs).filter(|(number, pair)| pair.same && !together(*number)) {
        eprintln!("missed: {} {}: {} / {}", pair.lang, pair.kind, pair.a.title, pair.b.title);
    }
    let recall = f64::from(u32::try_from(found).unwrap()) / f64::from(u32::try_from(same).unwrap());
    eprintln!("{profile:?}: {found} of {same} true pairs folded");
    Outcome { recall, false_folds }
}

/// Takes in what a feed tells at a time in a language, and gives its story.
fn take_in(
    index: &mut Index,
    number: u64,
    (feed, at, lang): (u64, DateTime<Utc>, &str),
    telling: &Telling,
) -> StoryRef {
    let article = Article {
        page: None,
        entry: EntryRef(number),
        feed: Some(feed),
        title: &telling.title,
        summary: &telling.summary,
        content: "",
        language: Some(lang),
        at,
        published: Some(at),
    };
    let read = features::of(&article, index.boilerplate(article.feed));
    let decision = index.decide(&read, Level::Story, None);
    index.apply(&decision)
}

/// Two entries of one feed, both of which stand in its document.
#[derive(Deserialize)]
struct Beside {
    lang: String,
    kind: String,
    minutes: i64,
    /// Whether they are headlines that were tried on one text.
    #[serde(default)]
    variant: bool,
    a: Telling,
    b: Telling,
}

fn beside() -> Vec<Beside> {
    include_str!("fixtures/folds/one_feed.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Whether the second of two entries, each told as feed, minute and words, joins the first, in an index of their own.
fn are_one_story(lang: &str, tellings: [(u64, i64, &Telling); 2]) -> bool {
    let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut index = Index::new(Rules::default(), Weights::default());
    let mut step = |(number, (feed, minutes, telling)): (u64, (u64, i64, &Telling))| {
        take_in(&mut index, number, (feed, start + TimeDelta::minutes(minutes), lang), telling)
    };
    let [one, two] = tellings;
    step((1, one)) == step((2, two))
}

/// The pairs whose two entries are in one story, each pair in an index of its own.
fn folded() -> Vec<Beside> {
    let is_folded = |pair: &Beside| are_one_story(&pair.lang, [(1, 0, &pair.a), (1, pair.minutes, &pair.b)]);
    beside().into_iter().filter(is_folded).collect()
}

#[test]
fn what_a_feed_says_beside_its_like_is_a_story_of_its_own() {
    let pairs = beside();
    let further: Vec<&Beside> = pairs.iter().filter(|pair| !pair.variant).collect();
    let kinds: HashSet<&str> = further.iter().map(|pair| pair.kind.as_str()).collect();
    let languages: HashSet<&str> = further.iter().map(|pair| pair.lang.as_str()).collect();
    assert!(further.len() >= 60 && kinds.len() >= 15 && languages.len() >= 6, "{}", further.len());
    let folded = folded();
    let further = folded.iter().filter(|pair| !pair.variant);
    let wrong: Vec<String> =
        further.map(|pair| format!("{} {}: {} / {}", pair.lang, pair.kind, pair.a.title, pair.b.title)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let variants = folded.iter().filter(|pair| pair.variant).count();
    let all = pairs.iter().filter(|pair| pair.variant).count();
    assert!(variants * 10 >= all * 8, "{variants} of {all} headline variants");
}

#[test]
fn there_are_enough_pairs_in_enough_languages() {
    let pairs = pairs();
    let mut languages: Vec<&str> = pairs.iter().map(|pair| pair.lang.as_str()).collect();
    languages.sort_unstable();
    languages.dedup();
    assert!(pairs.len() >= 120, "{}", pairs.len());
    assert!(languages.len() >= 6, "{languages:?}");
}

#[test]
fn careful_folds_no_false_pair() {
    let outcome = fold(&pairs(), Profile::Careful);
    assert!(outcome.false_folds.is_empty(), "{:#?}", outcome.false_folds);
    assert!(outcome.recall >= 0.9, "{}", outcome.recall);
}

/// Two entries that one form makes nearly alike.
#[derive(Deserialize)]
struct Filled {
    lang: String,
    kind: String,
    a: Telling,
    b: Telling,
}

#[test]
fn one_form_filled_in_twice_is_two_stories_in_two_feeds_and_in_one() {
    let pairs = include_str!("fixtures/folds/two_feeds.jsonl").lines();
    let pairs: Vec<Filled> = pairs.map(|line| serde_json::from_str(line).unwrap()).collect();
    let languages: HashSet<&str> = pairs.iter().map(|pair| pair.lang.as_str()).collect();
    assert!(pairs.len() >= 24 && languages.len() >= 6, "{} in {languages:?}", pairs.len());
    let mut folded = Vec::new();
    for pair in &pairs {
        for (feed, minutes) in [(2, 30), (1, 10)] {
            let one = are_one_story(&pair.lang, [(1, 0, &pair.a), (feed, minutes, &pair.b)]);
            folded.extend(one.then(|| format!("{} {}, feed {feed}: {}", pair.lang, pair.kind, pair.b.title)));
        }
    }
    assert!(folded.is_empty(), "{folded:#?}");
}

/// The stories of entries that come an hour apart, each of a feed, with a title and a text.
fn stories_of(entries: &[(u64, &str, &str)]) -> Vec<u64> {
    let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut index = Index::new(Rules::default(), Weights::default());
    let mut step = |(number, (feed, title, summary)): (u64, &(u64, &str, &str))| {
        let at = start + TimeDelta::hours(i64::try_from(number).unwrap());
        let article = Article {
            page: None,
            entry: EntryRef(number),
            feed: Some(*feed),
            title,
            summary,
            content: "",
            language: Some("en"),
            at,
            published: Some(at),
        };
        let decision = index.plan(&article, Level::Story, None);
        index.apply(&decision).0
    };
    (0..).zip(entries).map(&mut step).collect()
}

#[test]
fn what_a_publisher_puts_under_everything_is_no_copy_in_another_feed_of_its() {
    let text = "Get up, live and love with our morning dose of energy for the whole day. Subscribe to the channel, \
                ring the bell, and support the Elm Street foundation with a donation of your own.";
    let told = |title| [(1, "Wake-up call: Better", text), (1, "Wake-up call: Lighthouse", text), (2, title, text)];
    assert_eq!(stories_of(&told("Wake-up call: Guitar")), [0, 1, 2]);
    assert_eq!(stories_of(&told("Wake-up call: Better")), [0, 1, 0], "its headline tells which it is");
}

#[test]
fn what_a_feed_puts_out_again_word_for_word_is_told_once() {
    let title = "Chief archivist leaves the Harbour Museum after thirty years";
    let text = "Ada Quill will hand over the reading room and the map collection at the end of March, and says that she \
                means to walk the coast path from Marlow to Tannerby before she looks at another drawer.";
    let longer = "The Harbour Museum looks for somebody who knows both tides and paper, its director told the council on \
                  Tuesday, and hopes that the reading room need not close for more than a week.";
    let after = |hours: usize, again: (u64, &'static str, &'static str)| {
        let mut told = vec![(1, title, text)];
        told.extend(std::iter::repeat_n((2, "Rain", "It rains."), hours - 1));
        told.push(again);
        stories_of(&told)[hours]
    };
    assert_eq!(after(11, (1, title, text)), 0);
    assert_ne!(after(24, (1, title, text)), 0, "what comes every day is each day's own");
    assert_ne!(after(11, (1, title, longer)), 0, "a headline alone may be a series");
    assert_ne!(after(11, (1, "Museum shop sells old maps", text)), 0, "what stands under everything");
}

#[test]
fn outlets_that_one_feed_gives_for_the_first_time_are_others() {
    let told = |outlet: &str| {
        let told = [
            "Car ferry Lady Ansel runs aground off Skarvholm in thick fog",
            "Skarvholm: fog strands car ferry Lady Ansel",
        ];
        let told = told.iter().zip(["Harbour Post", outlet]).map(|(headline, outlet)| {
            (format!("{headline} - {outlet}"), format!("{headline} {outlet} Fog holds Marlow airport Some Paper"))
        });
        let told: Vec<(String, String)> = told.collect();
        stories_of(&told.iter().map(|(title, text)| (1, title.as_str(), text.as_str())).collect::<Vec<_>>())
    };
    assert_eq!(told("The Tribune"), [0, 0]);
    assert_eq!(told("Harbour Post"), [0, 1], "an outlet tells it once more");
}

/// By which rule the second entry joins the first one, each told as feed, address and headline, some hours apart.
fn rule_between(first: (u64, &str, &str), second: (u64, &str, &str), hours: i64) -> &'static str {
    let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut index = Index::new(Rules::default(), Weights::default());
    let mut take = |entry: u64, (feed, page, title): (u64, &str, &str), hours: i64| {
        let page: Permalink = page.parse().unwrap();
        let at = start + TimeDelta::hours(hours);
        let article = Article {
            page: Some(&page),
            entry: EntryRef(entry),
            feed: Some(feed),
            title,
            summary: "Lifeboats from two harbours took all passengers off in fog.",
            content: "",
            language: Some("en"),
            at,
            published: Some(at),
        };
        let decision = index.plan(&article, Level::Story, None);
        index.apply(&decision);
        match decision.verdict {
            Verdict::New { .. } => "new",
            Verdict::Joins { rule, .. } => rule.name(),
        }
    };
    take(1, first, 0);
    take(2, second, hours)
}

#[test]
fn an_article_stays_one_story_when_its_feed_corrects_headline_and_address() {
    let first = (1, "https://one.example/local/ferry-aground-7344629", "Ferry aground off Tannerby, 12 hurt");
    let rule_of = |feed, page, title| rule_between(first, (feed, page, title), 8);
    let corrected =
        ("https://one.example/local/ferry-is-afloat-again-7344629", "Tannerby: all 212 are safe, says the harbour");
    assert_eq!(rule_of(1, corrected.0, corrected.1), "link", "by its number");
    assert_eq!(
        rule_of(1, "https://one.example/local/ferry-aground-7344630", first.2),
        "new",
        "another number is another article"
    );
    assert_ne!(rule_of(2, corrected.0, corrected.1), "link", "another feed has no say in what is one article here");
}

#[test]
fn a_page_that_its_feed_puts_out_again_under_the_days_address_and_one_headline_stays_one_story() {
    let first = (
        1,
        "https://one.example/sea/2026/01/01/how-to-sail-round-skarvholm-in-winter/",
        "How to sail round Skarvholm in winter: harbours, tides and fog",
    );
    let next = "https://one.example/sea/2026/01/02/how-to-sail-round-skarvholm-in-winter/";
    let rule_of = |feed, page, title| rule_between(first, (feed, page, title), 24);
    assert_eq!(rule_of(1, next, first.2), "link");
    assert_eq!(rule_of(1, next, "How to sail round Skarvholm in winter: the harbours that freeze"), "new");
    assert_ne!(rule_of(2, next, first.2), "link", "another feed has no say in it");
    let days = ["02", "03"].map(|day| format!("https://one.example/2026/01/{day}/talk-about-anything-you-like-here"));
    let [one, two] = days.each_ref().map(|day| (1, day.as_str(), "Daily discussion thread"));
    assert_eq!(rule_between(one, two, 24), "new", "a series has a short name");
}
