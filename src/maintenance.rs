//! What the store needs now and then: entries forgotten whose time is over, their room given back, new ones indexed for searches.
//!
//! Edge: small steps, each in its own transaction, so that polls wait for none of them long.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::StoreConfig;
use crate::store::{self, Connection, SideWriter, Store, retention, search};

/// How many entries are forgotten in one step.
const ENTRIES: usize = 200;
/// How many entries are indexed for searches in one step.
const INDEXED: usize = 500;
/// How many free pages go back to the disk in one step.
const PAGES: u32 = 256;
/// One part in so many may stay free: the next entries need it.
const SLACK: u64 = 8;
/// What left its document more recently is kept, however large the store is.
const LEAST_KEPT: TimeDelta = TimeDelta::days(1);

/// What a person is told when pruning was not enough.
pub(crate) const TOO_LARGE: &str = "the store is larger than `store.max_size`, and all it holds stands in a feed or left it within a day; raise `store.max_size`, or poll fewer feeds";

/// What one step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many entries were forgotten, and there may be more.
    Pruned(usize),
    /// Room was given back, and there may be more.
    GaveBack,
    /// There is nothing to do.
    Done {
        /// Whether the store is larger than `store.max_size` all the same: what it holds stands in the feeds' documents, or
        /// left them only now.
        is_too_large: bool,
    },
}

/// What all steps came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// How many entries were forgotten.
    pub pruned: usize,
    /// Whether the store is larger than `store.max_size` all the same.
    pub is_too_large: bool,
}

impl Kept {
    /// Adds what a step came to, and says whether there may be more to do.
    pub(crate) fn add(&mut self, step: Step) -> bool {
        match step {
            Step::Pruned(entries) => self.pruned += entries,
            Step::GaveBack => {}
            Step::Done { is_too_large } => self.is_too_large = is_too_large,
        }
        !matches!(step, Step::Done { .. })
    }
}

/// How often the store is tidied: once an hour, and more often where entries are kept for a few hours only.
#[must_use]
pub(crate) fn every(keep: Duration) -> Duration {
    (keep / 4).clamp(Duration::from_secs(10), Duration::from_secs(3600))
}

/// Before when an entry has to have left its feed's document to be forgotten.
#[must_use]
pub(crate) fn cutoff(keep: Duration, now: DateTime<Utc>) -> DateTime<Utc> {
    let keep = TimeDelta::from_std(keep).unwrap_or(TimeDelta::MAX);
    now.checked_sub_signed(keep).unwrap_or(DateTime::UNIX_EPOCH)
}

/// One step, in the caller's transaction.
///
/// # Errors
/// When the store refuses.
pub(crate) fn step(tx: &Connection, config: &StoreConfig, now: DateTime<Utc>) -> store::Result<Step> {
    let prune = |before| retention::prune(tx, before, ENTRIES, now);
    let pruned = prune(cutoff(config.keep, now))?;
    if pruned > 0 {
        return Ok(Step::Pruned(pruned));
    }
    let (used, free) = retention::room(tx)?;
    let is_too_large = config.max_size_bytes.is_some_and(|most| used > most);
    if is_too_large {
        let pruned = prune(now - LEAST_KEPT)?;
        if pruned > 0 {
            return Ok(Step::Pruned(pruned));
        }
    }
    if free > used / SLACK {
        retention::give_back(tx, PAGES)?;
        if retention::room(tx)?.1 < free {
            return Ok(Step::GaveBack);
        }
    }
    Ok(Step::Done { is_too_large })
}

/// All steps, one after the other among whatever else is written.
///
/// # Errors
/// When the store refuses. The steps before it stay done.
pub(crate) async fn tidy(store: Store, config: StoreConfig, now: DateTime<Utc>) -> store::Result<Kept> {
    let mut kept = Kept::default();
    loop {
        let config = config.clone();
        if !kept.add(store.write(0, move |context| step(context.tx, &config, now)).await?) {
            return Ok(kept);
        }
    }
}

/// Takes the words of all entries into the index for searches, whether or not a daemon is running.
///
/// # Errors
/// When the store cannot be read or refuses. The steps before it stay done.
pub(crate) fn index_beside(path: &Path) -> store::Result<()> {
    let mut writer = SideWriter::open(path)?;
    while writer.write(|connection| search::fill(connection, INDEXED))? {}
    Ok(())
}

/// Takes the words of new entries into the index for searches, in at most `steps` steps; gives whether it has caught up.
///
/// # Errors
/// When the store refuses. The steps before it stay done.
pub(crate) async fn index(store: &Store, steps: usize) -> store::Result<bool> {
    for _ in 0..steps {
        if store.read(search::is_current).await? {
            return Ok(true);
        }
        store.write(0, |context| search::fill(context.tx, INDEXED)).await?;
    }
    store.read(search::is_current).await
}
