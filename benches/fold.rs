//! How fast folding is with many entries in the window: `cargo bench --bench fold -- ARTICLES.jsonl COUNT...`
//!
//! The articles are repeated as often as it takes, each time with their rare words and their feeds renamed, and spread evenly over
//! one window. Prints entries a second (reading, deciding and applying), the slowest ones, what each of the three takes in the
//! middle, resident memory, and how long the index takes to come back from what was stored: each time in a process of its own,
//! as a daemon does it.
#![expect(clippy::print_stdout, reason = "it is what a bench is for")]

use std::collections::HashMap;
use std::error::Error;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use newsfold::clock;
use newsfold::fold::fingerprint::Fingerprint;
use newsfold::fold::index::{Index, Stored};
use newsfold::fold::plan::Verdict;
use newsfold::fold::weights::Weights;
use newsfold::fold::{Article, EntryRef, Level, Rules, StoryRef, features};
use serde::Deserialize;

/// Entries that are timed once the window is full.
const TIMED: u64 = 20_000;

/// Restarts that are timed.
const RESTARTS: usize = 5;

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
    if let Some(store) = std::env::var_os(RESTORE) {
        return restore(Path::new(&store));
    }
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
        "{:>10} {:>10} {:>7} {:>7} {:>7} {:>7} {:>7} {:>8} {:>8} {:>9} {:>12} {:>12} {:>12}",
        "in window",
        "entries/s",
        "p50 us",
        "p99 us",
        "max us",
        "read us",
        "decide",
        "apply us",
        "RSS MiB",
        "stories",
        "restart p50",
        "restart p99",
        "restart MiB"
    );
    for count in arguments {
        measure(&lines, &counts, count.parse()?)?;
    }
    Ok(())
}

/// The rules of all that is measured here.
fn rules() -> Rules {
    Rules { window: TimeDelta::days(3), ..Rules::default() }
}

fn measure(lines: &[Line], counts: &HashMap<&str, u32>, count: u64) -> Result<(), Box<dyn Error>> {
    let rules = rules();
    let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse()?;
    let step = TimeDelta::microseconds(rules.window.num_microseconds().unwrap_or(0) / i64::try_from(count)?);
    let before = resident_kib();
    let mut index = Index::new(rules, Weights::default());
    let store = std::env::temp_dir().join(format!("fold-bench-{}", std::process::id()));
    let mut writer = BufWriter::new(std::fs::File::create(&store)?);
    let mut renamed: HashMap<u64, u64> = HashMap::new();
    let mut times: Vec<[Duration; 3]> = Vec::new();
    for number in 0..count + TIMED {
        let round = number / u64::try_from(lines.len())?;
        let line = &lines[usize::try_from(number % u64::try_from(lines.len())?)?];
        let [title, summary, content] =
            [&line.title, &line.summary, &line.content].map(|text| rename(text, counts, round));
        let article = Article {
            page: None,
            entry: EntryRef(number),
            feed: Some(xxhash_rust::xxh3::xxh3_64(line.source.as_bytes()) ^ round),
            title: &title,
            summary: &summary,
            content: &content,
            language: Some(line.lang.as_str()),
            at: start + step * i32::try_from(number)?,
            published: None,
        };
        let begun = clock::instant();
        let read = features::of(&article, index.boilerplate(article.feed));
        let reading = begun.elapsed();
        let decision = index.decide(&read, Level::Story, None);
        let deciding = begun.elapsed() - reading;
        // A print does not say whose it is; here they lie one behind the other.
        let bytes = [&number.to_le_bytes()[..], &decision.fingerprint.to_bytes()].concat();
        if let Verdict::Joins { absorbs, .. } = &decision.verdict {
            renamed.extend(absorbs.iter().map(|younger| (younger.0, decision.story().0)));
        }
        let begun = clock::instant();
        let story = index.apply(&decision);
        if number >= count {
            times.push([reading, deciding, begun.elapsed()]);
        }
        writer.write_all(&u32::try_from(bytes.len())?.to_le_bytes())?;
        writer.write_all(&story.0.to_le_bytes())?;
        writer.write_all(&bytes)?;
    }
    writer.flush()?;
    let resident = resident_kib().saturating_sub(before) / 1024;
    let (entries, stories, weights) = (index.entries(), index.stories(), index.weights().to_bytes());
    drop(index);
    let window = std::env::temp_dir().join(format!("fold-bench-{}.window", std::process::id()));
    let skipped = count + TIMED - u64::try_from(entries)?;
    keep_window(&store, &window, &weights, skipped, &renamed)?;
    std::fs::remove_file(&store)?;
    let restarts = (0..RESTARTS).map(|_| restarted(&window)).collect::<Result<Vec<_>, _>>();
    std::fs::remove_file(&window)?;
    let restarts = restarts?;
    if let Some(other) = restarts.iter().find(|restart| (restart.entries, restart.stories) != (entries, stories)) {
        let Restart { entries: restored, stories: told, .. } = other;
        return Err(format!("restored {restored} entries in {told} stories, not {entries} in {stories}").into());
    }
    let restart = |share| at(share, restarts.iter().map(|restart| restart.seconds).collect());
    let micros = |share, of: fn(&[Duration; 3]) -> Duration| {
        at(share, times.iter().map(|time| of(time).as_secs_f64() * 1e6).collect())
    };
    let all = |time: &[Duration; 3]| time.iter().sum();
    let total: Duration = times.iter().flatten().sum();
    println!(
        "{count:>10} {:>10.0} {:>7.0} {:>7.0} {:>7.0} {:>7.1} {:>7.1} {:>8.1} {resident:>8} {stories:>9} {:>12.2} {:>12.2} {:>12}",
        20_000.0 / total.as_secs_f64(),
        micros(500, all),
        micros(990, all),
        micros(1000, all),
        micros(500, |time| time[0]),
        micros(500, |time| time[1]),
        micros(500, |time| time[2]),
        restart(500),
        restart(990),
        restarts.first().map_or(0, |restart| restart.resident_mib),
    );
    Ok(())
}

/// The value below which so many of a thousand are.
fn at(share: usize, mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get((values.len() * share / 1000).min(values.len().saturating_sub(1))).copied().unwrap_or(0.0)
}

/// Writes what a store holds when the window is full: the weights, and its prints with the stories they are in by now.
fn keep_window(
    store: &Path,
    window: &Path,
    weights: &[u8],
    skipped: u64,
    renamed: &HashMap<u64, u64>,
) -> Result<(), Box<dyn Error>> {
    let mut reader = BufReader::new(std::fs::File::open(store)?);
    let mut writer = BufWriter::new(std::fs::File::create(window)?);
    writer.write_all(&u32::try_from(weights.len())?.to_le_bytes())?;
    writer.write_all(weights)?;
    let mut number = 0;
    while let Some((mut story, bytes)) = stored(&mut reader) {
        number += 1;
        if number > skipped {
            while let Some(older) = renamed.get(&story) {
                story = *older;
            }
            writer.write_all(&u32::try_from(bytes.len())?.to_le_bytes())?;
            writer.write_all(&story.to_le_bytes())?;
            writer.write_all(&bytes)?;
        }
    }
    Ok(writer.flush()?)
}

/// The next print of a file, and its story.
fn stored(reader: &mut impl Read) -> Option<(u64, Vec<u8>)> {
    let (mut length, mut story) = ([0; 4], [0; 8]);
    reader.read_exact(&mut length).ok()?;
    reader.read_exact(&mut story).ok()?;
    let mut bytes = vec![0; usize::try_from(u32::from_le_bytes(length)).ok()?];
    reader.read_exact(&mut bytes).ok()?;
    Some((u64::from_le_bytes(story), bytes))
}

/// What a restart took, in numbers that the other process wrote.
struct Restart {
    seconds: f64,
    entries: usize,
    stories: usize,
    resident_mib: u64,
}

/// Where the process that restarts finds its prints.
const RESTORE: &str = "FOLD_BENCH_RESTORE";

/// Has another process come back from what was stored.
fn restarted(window: &Path) -> Result<Restart, Box<dyn Error>> {
    let output = Command::new(std::env::current_exe()?).env(RESTORE, window).output()?;
    let text = String::from_utf8(output.stdout)?;
    let mut words = text.split_whitespace();
    let mut next = || words.next().ok_or("the process that restarts said nothing");
    Ok(Restart {
        seconds: next()?.parse()?,
        entries: next()?.parse()?,
        stories: next()?.parse()?,
        resident_mib: next()?.parse()?,
    })
}

/// Comes back from what was stored, first of all that this process does, and writes what it took.
fn restore(window: &Path) -> Result<(), Box<dyn Error>> {
    let before = resident_kib();
    let begun = clock::instant();
    let mut reader = BufReader::with_capacity(1 << 20, std::fs::File::open(window)?);
    let mut length = [0; 4];
    reader.read_exact(&mut length)?;
    let mut weights = vec![0; usize::try_from(u32::from_le_bytes(length))?];
    reader.read_exact(&mut weights)?;
    let weights = Weights::from_bytes(&weights).ok_or("no weights")?;
    let fingerprints = std::iter::from_fn(|| {
        let (story, bytes) = stored(&mut reader)?;
        let (entry, print) = bytes.split_first_chunk()?;
        let fingerprint = Fingerprint::from_bytes(EntryRef(u64::from_le_bytes(*entry)), print)?;
        Some(Stored { fingerprint, story: StoryRef(story), founded: None })
    });
    let index = Index::restore(rules(), weights, fingerprints, []);
    let restart = begun.elapsed();
    let resident = resident_kib().saturating_sub(before) / 1024;
    println!("{} {} {} {resident}", restart.as_secs_f64(), index.entries(), index.stories());
    Ok(())
}

fn rename(text: &str, counts: &HashMap<&str, u32>, round: u64) -> String {
    let mut renamed = String::with_capacity(text.len() + 16);
    for word in text.split(' ') {
        if round > 0 && counts.get(word).is_some_and(|count| *count <= 300) && word.chars().all(char::is_alphanumeric) {
            // In front, and in few letters: of some languages only the first ones count.
            let mut rest = round;
            while rest > 0 {
                renamed.extend(u32::try_from(0x1e01 + 2 * (rest % 64)).ok().and_then(char::from_u32));
                rest /= 64;
            }
        }
        renamed.push_str(word);
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
