//! How fast folding is with many entries in the window: `cargo bench --bench fold -- ARTICLES.jsonl COUNT...`
//!
//! The articles are repeated as often as it takes, each time with their rare words and their feeds renamed, and spread evenly over
//! one window. Prints entries a second (reading, deciding and applying), the slowest ones, resident memory, and how long the
//! index takes to come back from what was stored.
#![expect(clippy::print_stdout, reason = "it is what a bench is for")]

use std::collections::HashMap;
use std::error::Error;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use newsfold::clock;
use newsfold::fold::index::{Index, Stored};
use newsfold::fold::plan::Verdict;
use newsfold::fold::print::Print;
use newsfold::fold::weights::Weights;
use newsfold::fold::{Article, EntryRef, Level, Rules, StoryRef, terms};
use serde::Deserialize;

/// Entries that are timed once the window is full.
const TIMED: u64 = 20_000;

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    source: String,
    title: String,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    content: String,
    #[serde(default)]
    lang: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let Some(path) = arguments.find(|argument| !argument.starts_with('-')) else {
        // Without articles there is nothing to measure; `cargo bench` alone runs the other benches.
        eprintln!("fold: give a file of articles, and how many are to be in the window");
        return Ok(());
    };
    let lines: Vec<Line> = BufReader::new(std::fs::File::open(path)?)
        .lines()
        .map(|line| Ok::<_, Box<dyn Error>>(serde_json::from_str(&line?)?))
        .collect::<Result<_, _>>()?;
    let mut counts: HashMap<&str, u32> = HashMap::new();
    for line in &lines {
        for word in line.title.split(' ').chain(line.summary.split(' ')).chain(line.content.split(' ')) {
            *counts.entry(word).or_insert(0) += 1;
        }
    }
    println!(
        "{:>10} {:>12} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "in window", "entries/s", "p50 us", "p99 us", "max us", "RSS MiB", "stories", "restart s"
    );
    for count in arguments {
        measure(&lines, &counts, count.parse()?)?;
    }
    Ok(())
}

fn measure(lines: &[Line], counts: &HashMap<&str, u32>, count: u64) -> Result<(), Box<dyn Error>> {
    let rules = Rules { window: TimeDelta::days(3), ..Rules::default() };
    let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse()?;
    let step = TimeDelta::microseconds(rules.window.num_microseconds().unwrap_or(0) / i64::try_from(count)?);
    let before = resident_kib();
    let mut index = Index::new(rules, Weights::default());
    let store = std::env::temp_dir().join(format!("fold-bench-{}", std::process::id()));
    let mut writer = BufWriter::new(std::fs::File::create(&store)?);
    let mut renamed: HashMap<u64, u64> = HashMap::new();
    let mut times: Vec<Duration> = Vec::new();
    for number in 0..count + TIMED {
        let round = number / u64::try_from(lines.len())?;
        let line = &lines[usize::try_from(number % u64::try_from(lines.len())?)?];
        let [title, summary, content] =
            [&line.title, &line.summary, &line.content].map(|text| rename(text, counts, round));
        let article = Article {
            entry: EntryRef(number),
            feed: Some(xxhash_rust::xxh3::xxh3_64(line.source.as_bytes()) ^ round),
            title: &title,
            summary: &summary,
            content: &content,
            language: Some(line.lang.as_str()),
            at: start + step * i32::try_from(number)?,
        };
        let begun = clock::instant();
        let read = terms::of(&article, index.habits(article.feed));
        let decision = index.decide(&read, Level::Story, None);
        let took = begun.elapsed();
        let bytes = decision.print.to_bytes();
        if let Verdict::Joins { absorbs, .. } = &decision.verdict {
            renamed.extend(absorbs.iter().map(|younger| (younger.0, decision.story().0)));
        }
        let begun = clock::instant();
        let story = index.apply(decision);
        if number >= count {
            times.push(took + begun.elapsed());
        }
        writer.write_all(&u32::try_from(bytes.len())?.to_le_bytes())?;
        writer.write_all(&story.0.to_le_bytes())?;
        writer.write_all(&bytes)?;
    }
    writer.flush()?;
    let resident = resident_kib().saturating_sub(before) / 1024;
    let (entries, stories, weights) = (index.entries(), index.stories(), index.weights().clone());
    drop(index);
    let begun = clock::instant();
    let mut reader = BufReader::with_capacity(1 << 20, std::fs::File::open(&store)?);
    let skipped = count + TIMED - u64::try_from(entries)?;
    let mut at = 0;
    let stored = std::iter::from_fn(|| {
        loop {
            let (mut length, mut story) = ([0; 4], [0; 8]);
            reader.read_exact(&mut length).ok()?;
            reader.read_exact(&mut story).ok()?;
            let mut bytes = vec![0; usize::try_from(u32::from_le_bytes(length)).ok()?];
            reader.read_exact(&mut bytes).ok()?;
            at += 1;
            if at > skipped {
                let mut story = u64::from_le_bytes(story);
                while let Some(older) = renamed.get(&story) {
                    story = *older;
                }
                return Some(Stored { print: Print::from_bytes(&bytes)?, story: StoryRef(story), counted: true });
            }
        }
    });
    let restored = Index::restore(rules, weights, stored, []);
    let restart = begun.elapsed();
    std::fs::remove_file(&store)?;
    if restored.stories() != stories || restored.entries() != entries {
        return Err(format!(
            "restored {} entries in {} stories, not {entries} in {stories}",
            restored.entries(),
            restored.stories()
        )
        .into());
    }
    let total: Duration = times.iter().sum();
    times.sort_unstable();
    let micros =
        |share: usize| times.get((times.len() * share / 1000).min(times.len() - 1)).map_or(0, Duration::as_micros);
    println!(
        "{count:>10} {:>12.0} {:>9} {:>9} {:>9} {resident:>9} {stories:>9} {:>9.2}",
        20_000.0 / total.as_secs_f64(),
        micros(500),
        micros(990),
        micros(1000),
        restart.as_secs_f64()
    );
    Ok(())
}

fn rename(text: &str, counts: &HashMap<&str, u32>, round: u64) -> String {
    let mut renamed = String::with_capacity(text.len() + 16);
    for word in text.split(' ') {
        renamed.push_str(word);
        if round > 0 && counts.get(word).is_some_and(|count| *count <= 300) && word.chars().all(char::is_alphanumeric) {
            renamed.push_str(&format!("q{round}"));
        }
        renamed.push(' ');
    }
    renamed
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .and_then(|kib| kib.parse().ok())
        .unwrap_or(0)
}
