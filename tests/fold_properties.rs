//! What folding promises whatever comes: no dependence on the order within a poll, on a restart or on a second run, and bounded memory.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::Write;

use chrono::{DateTime, TimeDelta, Utc};
use newsfold::fold::fingerprint::{self, Fingerprint};
use newsfold::fold::index::{Index, Stored};
use newsfold::fold::lines::{self, Options};
use newsfold::fold::link::Linked;
use newsfold::fold::plan::Decision;
use newsfold::fold::weights::Weights;
use newsfold::fold::{self, Article, EntryRef, Level, Profile, Rules, StoryRef, features};
use proptest::prelude::*;

const WORDS: [&str; 24] = [
    "harbour", "mayor", "strike", "flood", "Marlow", "Tannerby", "minister", "bridge", "ferry", "verdict", "court",
    "goal", "winner", "storm", "budget", "school", "hospital", "Kestrel", "2024", "17", "percent", "Monday", "vote",
    "protest",
];

#[derive(Debug, Clone)]
struct Entry {
    number: u64,
    feed: u64,
    title: String,
    summary: String,
    at: DateTime<Utc>,
}

fn text(words: &[usize]) -> String {
    words.iter().map(|word| WORDS[word % WORDS.len()]).collect::<Vec<_>>().join(" ")
}

prop_compose! {
    fn entry()(
        feed in 0_u64..4,
        title in proptest::collection::vec(0_usize..24, 2..8),
        summary in proptest::collection::vec(0_usize..24, 0..20),
        minutes in 0_i64..240,
    ) -> (u64, Vec<usize>, Vec<usize>, i64) {
        (feed, title, summary, minutes)
    }
}

fn stream() -> impl Strategy<Value = Vec<Entry>> {
    proptest::collection::vec(entry(), 1..60).prop_map(|drawn| {
        let mut at: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut entries = Vec::new();
        for (number, (feed, title, summary, minutes)) in (0..).zip(drawn) {
            at += TimeDelta::minutes(minutes);
            entries.push(Entry { number, feed, title: text(&title), summary: text(&summary), at });
        }
        entries
    })
}

fn article(entry: &Entry) -> Article<'_> {
    Article {
        page: None,
        entry: EntryRef(entry.number),
        feed: Some(entry.feed),
        title: &entry.title,
        summary: &entry.summary,
        content: "",
        language: Some("en"),
        at: entry.at,
        published: Some(entry.at),
    }
}

fn step(index: &mut Index, entry: &Entry) -> (Fingerprint, StoryRef) {
    let read = features::of(&article(entry), index.boilerplate(Some(entry.feed)));
    let decision: Decision = index.decide(&read, Level::Story, None);
    let fingerprint = decision.fingerprint.clone();
    (fingerprint, index.apply(&decision))
}

fn rules() -> Rules {
    Rules { profile: Profile::Careful, window: TimeDelta::hours(30), ..Rules::default() }
}

/// What an index says of the entries to come: it is all that can be seen of it.
fn goes_on(index: &mut Index, rest: &[Entry]) -> Vec<(Fingerprint, StoryRef)> {
    rest.iter().map(|entry| step(index, entry)).collect()
}

/// Replays a stream up to `cut`, stores it as the daemon would (joined stories under their older name), with the weights as they are
/// after `snapshot` entries and what they learn from there on, and restores.
fn restarted(entries: &[Entry], cut: usize, snapshot: usize) -> Index {
    let mut index = Index::new(rules(), Weights::default());
    let (mut weights, mut terms) = (Weights::default(), Vec::new());
    let mut stored: Vec<Stored> = Vec::new();
    for (at, entry) in entries.iter().take(cut).enumerate() {
        let read = features::of(&article(entry), index.boilerplate(Some(entry.feed)));
        let decision = index.decide(&read, Level::Story, None);
        if let fold::plan::Verdict::Joins { absorbs, .. } = &decision.verdict {
            let story = decision.story();
            stored.iter_mut().filter(|stored| absorbs.contains(&stored.story)).for_each(|stored| stored.story = story);
        }
        let fingerprint = Fingerprint::from_bytes(EntryRef(entry.number), &decision.fingerprint.to_bytes()).unwrap();
        assert_eq!(fingerprint, Fingerprint { terms: Box::default(), ..decision.fingerprint.clone() });
        let story = index.apply(&decision);
        stored.push(Stored {
            fingerprint,
            founded: entries.iter().find(|entry| entry.number == story.0).map(|founder| founder.at),
            story,
        });
        decision.fingerprint.terms_to_bytes(&mut terms);
        if at + 1 == snapshot {
            weights = Weights::from_bytes(&index.weights().to_bytes()).unwrap();
            terms.clear();
        }
    }
    let now = entries.get(cut.saturating_sub(1)).map_or(DateTime::UNIX_EPOCH, |entry| entry.at);
    // Entries out of the window are gone from the store.
    let stored = stored.into_iter().skip_while(|stored| now - stored.fingerprint.at > rules().window);
    fingerprint::learn_terms(&mut weights, &terms);
    Index::restore(rules(), weights, stored, [])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_stream_gives_the_same_stories(entries in stream()) {
        let mut one = Index::new(rules(), Weights::default());
        let mut two = Index::new(rules(), Weights::default());
        prop_assert_eq!(goes_on(&mut one, &entries), goes_on(&mut two, &entries));
    }

    #[test]
    fn a_restart_anywhere_changes_nothing(entries in stream(), cut in 0_usize..60, snapshot in 0_usize..60) {
        let cut = cut.min(entries.len());
        let snapshot = snapshot.min(cut);
        let mut without = Index::new(rules(), Weights::default());
        let _ = goes_on(&mut without, &entries[..cut]);
        let mut with = restarted(&entries, cut, snapshot);
        prop_assert_eq!(with.entries(), without.entries());
        prop_assert_eq!(with.stories(), without.stories());
        prop_assert_eq!(with.weights(), without.weights());
        prop_assert_eq!(goes_on(&mut with, &entries[cut..]), goes_on(&mut without, &entries[cut..]));
    }

    #[test]
    fn a_story_spans_three_days_at_most(entries in stream(), hours in 1_i64..40) {
        let mut index = Index::new(Rules::default(), Weights::default());
        let mut founded = std::collections::HashMap::new();
        for entry in &entries {
            // The same words hours apart, again and again: no chain of them makes a story older.
            let at = entry.at + TimeDelta::hours(hours * i64::try_from(entry.number).unwrap());
            let entry = Entry { title: "Ferry aground off Tannerby in thick fog".to_owned(), at, ..entry.clone() };
            let (_, story) = step(&mut index, &entry);
            let first = *founded.entry(story).or_insert(at);
            prop_assert!(at - first <= TimeDelta::days(3) + TimeDelta::minutes(1));
        }
    }

    #[test]
    fn the_order_of_languages_changes_nothing_within_one(entries in stream(), places in proptest::collection::vec(0_usize..60, 0..40)) {
        // What leaves the window does so with the next entry that comes, of whatever language.
        let endless = Rules { window: TimeDelta::days(30), ..rules() };
        let alone = goes_on(&mut Index::new(endless, Weights::default()), &entries);
        // Entries of another language and of other words come in between.
        let mut index = Index::new(endless, Weights::default());
        let mut mixed = Vec::new();
        let mut number = 1_000;
        for (at, entry) in entries.iter().enumerate() {
            for _ in places.iter().filter(|place| **place == at) {
                number += 1;
                let title = format!("Fähre{} strandet vor Elmstadt{} im Nebel", number % 3, number % 5);
                let article = Article { title: &title, summary: "", language: Some("de"), feed: Some(number), entry: EntryRef(number), ..article(entry) };
                let read = features::of(&article, index.boilerplate(article.feed));
                let decision = index.decide(&read, Level::Story, None);
                index.apply(&decision);
            }
            mixed.push(step(&mut index, entry));
        }
        prop_assert_eq!(alone, mixed);
    }

    #[test]
    fn whatever_the_text_nothing_panics(title in ".{0,60}", summary in ".{0,300}", content in "\\PC{0,300}") {
        let mut index = Index::new(rules(), Weights::default());
        for number in 0..2 {
            let article = Article { page: None, entry: EntryRef(number), feed: None, title: &title, summary: &summary, content: &content, language: None, at: DateTime::UNIX_EPOCH, published: None };
            let read = features::of(&article, index.boilerplate(None));
            let decision = index.decide(&read, Level::Story, None);
            index.apply(&decision);
        }
    }
}

#[test]
fn memory_stays_within_the_window_on_an_endless_stream() {
    let mut index = Index::new(Rules { entries_at_most: 500, ..rules() }, Weights::default());
    let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    for number in 0..5_000_u64 {
        let entry = Entry {
            number,
            feed: number % 7,
            title: format!("word{number} other{} third{}", number * 3, number * 7),
            summary: String::new(),
            at: start + TimeDelta::seconds(i64::try_from(number).unwrap()),
        };
        step(&mut index, &entry);
        assert!(index.entries() <= 500);
        assert!(index.stories() <= 500);
    }
}

#[test]
fn entries_out_of_the_window_are_forgotten() {
    let mut index = Index::new(rules(), Weights::default());
    let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    let entry = |number, hours| Entry {
        number,
        feed: number,
        title: "Ferry aground off Tannerby in thick fog".to_owned(),
        summary: String::new(),
        at: start + TimeDelta::hours(hours),
    };
    let (_, first) = step(&mut index, &entry(0, 0));
    let (_, second) = step(&mut index, &entry(1, 1));
    assert_eq!(first, second);
    let (_, late) = step(&mut index, &entry(2, 40));
    assert_eq!(late, StoryRef(2));
    assert_eq!(index.entries(), 1);
}

#[test]
fn a_persons_split_and_join_are_respected() {
    let mut index = Index::new(rules(), Weights::default());
    let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    let entry = |number: u64| Entry {
        number,
        feed: number,
        title: "Ferry aground off Tannerby in thick fog".to_owned(),
        summary: String::new(),
        at: start + TimeDelta::minutes(i64::try_from(number).unwrap()),
    };
    let (_, story) = step(&mut index, &entry(0));
    step(&mut index, &entry(1));
    index.split(EntryRef(1), story, StoryRef(1));
    assert_eq!(index.stories(), 2);
    // Decided anew, it stays out of the story that it was taken from; and a third telling does not merge the two.
    let again = features::of(&article(&entry(1)), index.boilerplate(Some(1)));
    assert_ne!(index.decide(&again, Level::Story, None).story(), story);
    step(&mut index, &entry(2));
    assert_eq!(index.stories(), 2);
    index.join(story, StoryRef(1));
    assert_eq!(index.stories(), 1);
    let (_, later) = step(&mut index, &entry(3));
    assert_eq!(later, story);
}

#[test]
fn levels_include_one_another() {
    fn check(level: Level, expected: [bool; 3]) {
        let mut index = Index::new(rules(), Weights::default());
        let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        let lead = "A car ferry with two hundred people aboard ran aground off Skarvholm on Tuesday night in thick fog, the coastguard said";
        let say = |number: u64, title: &str, summary: &str| Entry {
            number,
            feed: number,
            title: title.to_owned(),
            summary: summary.to_owned(),
            at: start,
        };
        let entries = [
            say(0, "Ferry aground off Skarvholm", lead),
            say(1, "Something else altogether", ""),
            say(2, "All safe after fog drama", lead),
            say(
                3,
                "Skarvholm ferry aground: two hundred taken off in fog",
                "Lifeboats took off the passengers of the car ferry that ran aground off Skarvholm.",
            ),
        ];
        let mut stories = Vec::new();
        for entry in &entries {
            let read = features::of(&article(entry), index.boilerplate(Some(entry.feed)));
            let linked = (entry.number == 1).then_some(Linked { story: StoryRef(0), matched: EntryRef(0) });
            let decision = index.decide(&read, level, linked);
            stories.push(index.apply(&decision));
        }
        assert_eq!([1, 2, 3].map(|at| stories[at] == stories[0]), expected, "{level:?}");
    }
    check(Level::Off, [false, false, false]);
    check(Level::Link, [true, false, false]);
    check(Level::Copy, [true, true, false]);
    check(Level::Story, [true, true, true]);
}

fn folded(input: &str) -> (String, Result<(), lines::Fault>) {
    let options = Options { rules: Rules::default(), explain: false };
    let mut output = Vec::new();
    let done = lines::stream(input.as_bytes(), &mut output, &options);
    (String::from_utf8(output).unwrap(), done)
}

#[test]
fn lines_before_a_broken_one_are_already_out() {
    fn check(bad: &str, message: &str) {
        let (output, done) = folded(&format!(
            "{{\"id\":\"a\",\"title\":\"Mayor resigns\"}}\n{bad}\n{{\"id\":\"z\",\"title\":\"Late\"}}\n"
        ));
        assert_eq!(output, "{\"id\":\"a\",\"story\":\"a\",\"rule\":\"new\",\"matched\":null,\"score\":0.0}\n");
        let fault = done.unwrap_err().to_string();
        assert!(fault.starts_with("line 2: ") && fault.contains(message), "{fault}");
    }
    check("{\"id\":\"b\", ", "not an article");
    check("[1, 2]", "not an article");
    check("{\"title\":\"No id\"}", "no `id`");
    check("{\"id\":\"a\",\"title\":\"Again\"}", "a second time");
    check("{\"id\":\"b\"}", "no `title`");
}

#[test]
fn slips_of_the_program_that_wrote_a_line_end_no_stream() {
    let (output, done) = folded(
        "\u{feff}{\"id\":\"a\",\"title\":\"Mayor resigns\"}\n{\"id\":\"b\",\"title\":\"Cake \\ud83c\"}\n{\"id\":\"c\",\"title\":\"Rain\",}\n",
    );
    done.unwrap();
    let ids: Vec<&str> = output.lines().filter_map(|line| line.get(..9)).collect();
    assert_eq!(ids, ["{\"id\":\"a\"", "{\"id\":\"b\"", "{\"id\":\"c\""]);
}

#[test]
fn odd_articles_get_a_sane_answer() {
    let word = "a".repeat(1 << 20);
    let words = "word ".repeat(200_000);
    let mut input = Vec::new();
    writeln!(input, "{{\"id\":\"1\",\"title\":\"\"}}").unwrap();
    writeln!(input, "{{\"id\":\"2\",\"title\":\"\"}}").unwrap();
    writeln!(input, "{{\"id\":3,\"title\":\"A megabyte\",\"content\":\"{word}\"}}").unwrap();
    writeln!(input, "{{\"id\":\"4\",\"title\":\"{words}\"}}").unwrap();
    writeln!(input, "{{\"id\":\"5\",\"title\":\"Dated\",\"published\":\"2026-01-05T00:00:00Z\"}}").unwrap();
    writeln!(input, "{{\"id\":\"6\",\"title\":\"Earlier news\",\"published\":\"2026-01-01T00:00:00Z\"}}").unwrap();
    writeln!(input, "{{\"id\":\"7\",\"title\":\"Undated item\",\"published\":\"yesterday\",\"summary\":null}}")
        .unwrap();
    writeln!(input, "{{\"id\":\"8\",\"title\":\"Far off\",\"published\":\"9999-01-01T00:00:00Z\"}}").unwrap();
    let (output, done) = folded(&String::from_utf8(input).unwrap());
    done.unwrap();
    assert_eq!(output.lines().count(), 8);
    assert!(output.lines().all(|line| line.contains("\"rule\":\"new\"")), "{output}");
}
