//! What newsfold tells about itself, as OpenMetrics text for Prometheus.
//!
//! Pure: figures in, text out. Counting is `daemon`'s work, and reading the store `serve`'s. Labels are bounded: names of
//! feeds, at most [`MOST_FEEDS`] of them, names of outputs, and words of ours.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Registry, Unit};

use crate::ingest::{Folds, Ingested};
use crate::model::Feed;
use crate::model::history::Outcome;

/// The most feeds that have figures of their own; the failing ones come first.
pub(crate) const MOST_FEEDS: usize = 2_000;
/// The media type of what [`render`] gives.
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What was counted since the daemon started.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Counters {
    polls: [u64; Outcome::ALL.len()],
    body_bytes: u64,
    ingested: Ingested,
    refused_reloads: u64,
    /// Whether the configuration in force is the one in the file, as far as it was read.
    pub is_config_refused: bool,
    /// How long it took to render all outputs, the last time.
    pub render: Duration,
    /// How many stories are left out of outputs because they cannot be read or rendered.
    pub stories_left_out: usize,
    /// Whether the store cannot be written to: another program holds it locked, or its disk is full or failing.
    pub is_store_refusing: bool,
    failed_tasks: BTreeMap<&'static str, u64>,
    encoded: u64,
    translations: u64,
}

impl Counters {
    /// Counts a poll that was made.
    pub(crate) fn poll(&mut self, outcome: Outcome, body_bytes: u64) {
        let known = Outcome::ALL.iter().zip(&mut self.polls).find(|(known, _)| **known == outcome);
        known.into_iter().for_each(|(_, polls)| *polls += 1);
        self.body_bytes += body_bytes;
    }

    /// Counts what a poll brought into the store.
    pub(crate) fn ingest(&mut self, ingested: Ingested) {
        self.ingested.add(ingested);
    }

    /// None yet; a counter is there from the first, so that its first step is one.
    #[must_use]
    pub(crate) fn of_tasks(tasks: impl IntoIterator<Item = &'static str>) -> Self {
        Self { failed_tasks: tasks.into_iter().map(|task| (task, 0)).collect(), ..Self::default() }
    }

    /// Counts a task of the daemon that failed, and is begun again.
    pub(crate) fn task_failed(&mut self, task: &'static str) {
        *self.failed_tasks.entry(task).or_default() += 1;
    }

    /// Counts entries that an encoder made vectors of, and pairs of them that tell the same in two languages.
    pub(crate) fn encode(&mut self, entries: usize, pairs: usize) {
        self.encoded += entries as u64;
        self.translations += pairs as u64;
    }

    /// Notes that the configuration was read again, and whether it was refused.
    pub(crate) fn reload(&mut self, refused: bool) {
        self.refused_reloads += u64::from(refused);
        self.is_config_refused = refused;
    }
}

/// All figures at one instant.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures {
    /// What was counted since the start.
    pub counters: Counters,
    /// When the daemon started.
    pub started: DateTime<Utc>,
    /// The configured feeds, and how many entries each has.
    pub feeds: Vec<(Feed, u64)>,
    /// The store's file.
    pub store_bytes: u64,
    /// The store's log, which is written into the file now and then.
    pub log_bytes: u64,
    /// Stories that are shown without their text, because that is damaged in the store.
    pub damaged_texts: usize,
    /// Entries that are not shown, because their rows are damaged in the store.
    pub damaged_entries: usize,
    /// Polls that wait in line at their hosts, or are under way.
    pub polls_waiting: usize,
    /// What waits to be stored, in bytes.
    pub store_queue_bytes: u64,
    /// The longest that one piece of work has kept the store from others.
    pub store_longest_work: Duration,
}

#[derive(Clone, Hash, PartialEq, Eq, Debug, EncodeLabelSet)]
struct OfFeed {
    feed: String,
}

/// A label whose values are words of ours.
type Label = [(&'static str, &'static str); 1];

/// A gauge for each feed.
type PerFeed = Family<OfFeed, Gauge<f64, std::sync::atomic::AtomicU64>>;

/// The figures as OpenMetrics text.
#[must_use]
pub(crate) fn render(figures: &Figures) -> String {
    let mut registry = Registry::with_prefix("newsfold");
    process(&mut registry, figures);
    polls(&mut registry, &figures.counters);
    feeds(&mut registry, figures);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = encode(&mut text, &registry);
    text
}

fn process(registry: &mut Registry, figures: &Figures) {
    let counters = &figures.counters;
    let mut gauge = |name: &str, help: &str, unit: Option<Unit>, value: f64| match unit {
        Some(unit) => registry.register_with_unit(name, help, unit, ConstGauge::new(value)),
        None => registry.register(name, help, ConstGauge::new(value)),
    };
    gauge("start_time", "When the daemon started", Some(Unit::Seconds), seconds(figures.started));
    gauge("store", "The store's file", Some(Unit::Bytes), count(figures.store_bytes));
    gauge("store_log", "The store's write-ahead log", Some(Unit::Bytes), count(figures.log_bytes));
    gauge("store_queue", "What waits to be stored", Some(Unit::Bytes), count(figures.store_queue_bytes));
    let longest = "The longest that one piece of work has kept the store from others";
    gauge("store_longest_work", longest, Some(Unit::Seconds), figures.store_longest_work.as_secs_f64());
    let damaged = "Stories shown without their text, which is damaged in the store";
    gauge("store_damaged_texts", damaged, None, count(figures.damaged_texts as u64));
    let damaged = "Entries not shown, because their rows are damaged in the store";
    gauge("store_damaged_entries", damaged, None, count(figures.damaged_entries as u64));
    gauge("polls_waiting", "Polls in line or under way", None, count(figures.polls_waiting as u64));
    gauge("render", "Rendering all outputs, the last time", Some(Unit::Seconds), counters.render.as_secs_f64());
    let is_current = f64::from(!counters.is_config_refused);
    gauge("config_current", "1 when the configuration in force is the one in the file", None, is_current);
    let is_writable = f64::from(!counters.is_store_refusing);
    gauge(
        "store_writable",
        "0 while the store is locked by another program, or its disk is full or failing",
        None,
        is_writable,
    );
    let left_out = count(counters.stories_left_out as u64);
    gauge("stories_left_out", "Stories left out because they cannot be read or rendered", None, left_out);
    let refused = ConstCounter::new(counters.refused_reloads);
    registry.register("config_refused", "Configurations that were wrong when they were read again", refused);
}

fn polls(registry: &mut Registry, counters: &Counters) {
    let each =
        |registry: &mut Registry, name: &str, help: &str, label: &'static str, values: &[(&'static str, u64)]| {
            let family = Family::<Label, Counter>::default();
            for (value, counted) in values {
                family.get_or_create(&[(label, *value)]).inc_by(*counted);
            }
            registry.register(name, help, family);
        };
    let outcomes: Vec<(&str, u64)> =
        Outcome::ALL.iter().map(|outcome| outcome.name()).zip(counters.polls.iter().copied()).collect();
    each(registry, "polls", "Polls made, by what came of them", "outcome", &outcomes);
    let Ingested { added, revised, dropped, folds, .. } = counters.ingested;
    let entries = [("added", added), ("revised", revised), ("dropped", dropped)].map(|(name, n)| (name, n as u64));
    each(registry, "entries", "Entries that polls brought", "change", &entries);
    let Folds { link, copy, story } = folds;
    let folds = [("link", link), ("copy", copy), ("story", story)].map(|(name, n)| (name, n as u64));
    let failed: Vec<(&str, u64)> = counters.failed_tasks.iter().map(|(task, failed)| (*task, *failed)).collect();
    each(registry, "task_failures", "Tasks of the daemon that failed and were begun again", "task", &failed);
    each(registry, "folds", "New entries that joined a story, by rule", "rule", &folds);
    let encoded = ConstCounter::new(counters.encoded);
    registry.register("encoded_entries", "Entries that the encoder made vectors of", encoded);
    let translations = ConstCounter::new(counters.translations);
    registry.register("translations", "Pairs of entries found to tell the same in two languages", translations);
    let received = ConstCounter::new(counters.body_bytes);
    registry.register_with_unit("received", "Bodies of feeds, as they were received", Unit::Bytes, received);
}

fn feeds(registry: &mut Registry, figures: &Figures) {
    let states = Family::<Label, Gauge>::default();
    let mut by_name: Vec<&(Feed, u64)> = figures.feeds.iter().collect();
    by_name.sort_by_key(|(feed, _)| (feed.failures == 0, &feed.name));
    for (feed, _) in &by_name {
        states.get_or_create(&[("state", feed.state())]).inc();
    }
    registry.register("feeds", "Configured feeds, by state", states);

    let mut per_feed = |name: &str, help: &str, unit: Option<Unit>, value: &dyn Fn(&Feed, u64) -> Option<f64>| {
        let family = PerFeed::default();
        for (feed, entries) in by_name.iter().take(MOST_FEEDS) {
            if let Some(value) = value(feed, *entries) {
                family.get_or_create(&OfFeed { feed: feed.name.clone() }).set(value);
            }
        }
        match unit {
            Some(unit) => registry.register_with_unit(name, help, unit, family),
            None => registry.register(name, help, family),
        }
    };
    per_feed("feed_last_success", "The last good answer", Some(Unit::Seconds), &|feed, _| {
        feed.last_success.map(seconds)
    });
    per_feed("feed_failing_since", "Since when it fails, where it does", Some(Unit::Seconds), &|feed, _| {
        feed.failing_since.filter(|_| feed.retired_at.is_none()).map(seconds)
    });
    per_feed("feed_next_poll", "When the feed is due", Some(Unit::Seconds), &|feed, _| feed.next().map(seconds));
    per_feed("feed_failures", "Polls that failed since the last good one", None, &|feed, _| {
        Some(f64::from(feed.failures))
    });
    per_feed("feed_entries", "Entries stored", None, &|_, entries| Some(count(entries)));
    per_feed("feed_body", "Its last document, as received", Some(Unit::Bytes), &|feed, _| feed.body_bytes.map(count));
    per_feed("feed_saved", "What its 304s saved", Some(Unit::Bytes), &|feed, _| Some(count(feed.saved_bytes)));
    per_feed("feed_response", "The median time to its answer", Some(Unit::Seconds), &|feed, _| {
        feed.recent.median_ms().map(|ms| Duration::from_millis(ms).as_secs_f64())
    });
}

fn seconds(at: DateTime<Utc>) -> f64 {
    at.timestamp_millis() as f64 / 1000.0
}

fn count(counted: u64) -> f64 {
    counted as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(figures: &Figures) -> Vec<String> {
        render(figures).lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    #[test]
    fn counters_are_told_by_outcome_and_rule() {
        let mut figures = Figures::default();
        figures.counters.poll(Outcome::NotModified, 0);
        figures.counters.poll(Outcome::Document, 512);
        figures.counters.ingest(Ingested {
            added: 3,
            folds: Folds { copy: 2, ..Folds::default() },
            ..Ingested::default()
        });
        figures.counters.reload(true);
        let lines = lines(&figures);
        for line in [
            "newsfold_polls_total{outcome=\"not_modified\"} 1",
            "newsfold_polls_total{outcome=\"document\"} 1",
            "newsfold_polls_total{outcome=\"gone\"} 0",
            "newsfold_received_bytes_total 512",
            "newsfold_entries_total{change=\"added\"} 3",
            "newsfold_folds_total{rule=\"copy\"} 2",
            "newsfold_config_refused_total 1",
            "newsfold_config_current 0.0",
        ] {
            assert!(lines.iter().any(|told| told == line), "{line} is not in {lines:#?}");
        }
    }

    #[test]
    fn the_text_ends_as_openmetrics_wants_it_and_names_each_family_once() {
        let text = render(&Figures::default());
        assert!(text.ends_with("# EOF\n"));
        let mut families: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
        let all = families.len();
        families.sort_unstable();
        families.dedup();
        assert_eq!(families.len(), all, "{text}");
    }
}
