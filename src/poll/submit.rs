//! Carries out what was decided of a poll: it is stored, and the log is told.
//!
//! Edge: the store. What is to be done is `decide`'s to say.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::decide::{Intent, Stored, Told};
use super::outcome::{Polled, Report};
use super::readers::Place;
use crate::ingest::{Ingested, PollRecord, Progress, Rest, ingest};
use crate::model::hub::HubLinks;
use crate::model::{Entry, Feed};
use crate::politeness::Politeness;
use crate::store::{self, Store, Submitted, WriteContext, cooldowns, feeds, hubs, lists, stories};
use crate::update;
use crate::update::listing::{AGREEING_READINGS, Changes};

/// A poll that is done, and whose outcome is on its way into the store.
#[must_use]
pub(crate) struct Recording {
    report: Report,
    progress: Storing,
}

/// How far it is with storing an outcome.
enum Storing {
    /// It is on its way; what came in with a document, `None` where none came.
    Soon(Submitted<Option<Ingested>>),
    /// It is done.
    Already(Ingested),
    /// A list is on its way; what it changes.
    List(Submitted<Changes>),
}

impl Recording {
    /// Waits until the outcome is stored.
    ///
    /// # Errors
    /// When the store refuses.
    pub(crate) async fn stored(self) -> store::Result<Report> {
        let Self { mut report, progress } = self;
        let ingested = match progress {
            Storing::List(submitted) => {
                let changes = submitted.committed().await?;
                tell_of_a_list(&report.feed, &changes);
                report.polled = Polled::List(!changes.joined.is_empty() || !changes.left.is_empty());
                return Ok(report);
            }
            Storing::Soon(submitted) => submitted.committed().await?,
            Storing::Already(ingested) => Some(ingested),
        };
        if let Some(ingested) = ingested {
            let Ingested { added, revised, folds, .. } = ingested;
            let Feed { name, body_bytes, recent, .. } = &*report.feed;
            let duration_ms = recent.iter().next_back().map(|sample| sample.took_ms);
            tracing::info!(
                name: "feed.polled",
                { feed.name = name, added, revised, folded = folds.total(), size_bytes = body_bytes, duration_ms },
                "polled"
            );
            report.polled = Polled::Document(ingested);
        }
        Ok(report)
    }
}

/// Has stored, and tells the log, what was decided of a poll. A document keeps its place until the store has room for it.
pub(super) async fn submit(
    store: &Store,
    politeness: &Politeness,
    intent: Intent,
    place: Option<Place>,
    now: DateTime<Utc>,
) -> store::Result<Recording> {
    let Intent { feed, polled, outcome, turn, told, stored } = intent;
    tell(&feed, &told);
    let progress = match stored {
        Stored::Feed { cooldown, found } => store_feed(store, politeness, feed.clone(), (cooldown, found), now).await?,
        Stored::Excused { others, until, why } => {
            // It is waited for, because the failures of the others have to be stored before they are taken back.
            let saved = feed.clone();
            store.write(size_of::<Feed>(), move |context| feeds::save(context.tx, &saved, None)).await?;
            let work = move |context: &mut WriteContext<'_>| {
                feeds::excuse(context.tx, &others, until, why)?;
                Ok(None)
            };
            Storing::Soon(store.submit(64, work).await?)
        }
        Stored::List { named, is_asked_for } => {
            let saved = feed.clone();
            let work = move |context: &mut WriteContext<'_>| {
                let changes = lists::take(context.tx, saved.address.as_str(), &named, is_asked_for, now)?;
                let mut saved = (*saved).clone();
                if changes.readings > 0 {
                    // The next reading has to be one, to agree or not.
                    (saved.validators, saved.body_hash) = Default::default();
                }
                feeds::save(context.tx, &saved, Some(&[]))?;
                Ok(changes)
            };
            Storing::List(store.submit(size_of::<Feed>(), work).await?)
        }
        Stored::Document { record, found, is_cut_off } => {
            store_document(store, record, found, is_cut_off, place.as_ref()).await?
        }
    };
    drop(place);
    Ok(Recording { report: Report { feed, polled, outcome, turn }, progress })
}

/// Stores what is remembered of a poll that brought no document.
async fn store_feed(
    store: &Store,
    politeness: &Politeness,
    feed: Arc<Feed>,
    (cooldown, found): (Option<(String, DateTime<Utc>)>, Option<HubLinks>),
    now: DateTime<Utc>,
) -> store::Result<Storing> {
    let cooldown = cooldown.and_then(|(domain, until)| {
        let until = politeness.cooldowns().put(&domain, feed.feed, until, now)?;
        Some((domain, until))
    });
    let work = move |context: &mut WriteContext<'_>| {
        if let Some((domain, until)) = &cooldown {
            cooldowns::put(context.tx, domain, *until, now)?;
        }
        if found.is_some() {
            hubs::note(context.tx, feed.feed, found.as_ref(), now)?;
        }
        if feeds::save(context.tx, &feed, None)? {
            stories::settle_those_of(context.tx, feed.feed, true, now)?;
        }
        Ok(None)
    };
    Ok(Storing::Soon(store.submit(size_of::<Feed>(), work).await?))
}

/// Stores what a new document holds.
async fn store_document(
    store: &Store,
    record: Arc<PollRecord>,
    found: Option<HubLinks>,
    is_cut_off: bool,
    place: Option<&Place>,
) -> store::Result<Storing> {
    let (held, is_small) = (held(&record.entries), update::is_small(&record.entries));
    let work = move |context: &mut WriteContext<'_>, rest| {
        let progress = ingest(context, &record, rest)?;
        if let Progress::Done(ingested) = progress {
            if found.is_some() || !is_cut_off {
                hubs::note(context.tx, record.feed.feed, found.as_ref(), record.at)?;
            }
            if ingested.added > 0 && record.feed.told_until.is_some() {
                hubs::missed(context.tx, record.feed.feed)?;
            }
        }
        Ok(progress)
    };
    if is_small {
        let whole = move |context: &mut WriteContext<'_>| work(context, None).map(|done| Some(done.ingested()));
        Ok(Storing::Soon(store.submit(held, whole).await?))
    } else {
        place.into_iter().for_each(Place::is_stored_by_parts);
        Ok(Storing::Already(store_by_parts(store, held, work).await?))
    }
}

/// Stores a document in as many transactions as it takes, so that what others bring is stored between them.
pub(super) async fn store_by_parts(
    store: &Store,
    held: usize,
    work: impl Fn(&mut WriteContext<'_>, Option<Rest>) -> store::Result<Progress> + Clone + Send + 'static,
) -> store::Result<Ingested> {
    let mut rest: Option<Rest> = None;
    loop {
        let (work, rest_of_it) = (work.clone(), rest.take());
        match store.write(held, move |context| work(context, rest_of_it.clone())).await? {
            Progress::Done(ingested) => return Ok(ingested),
            Progress::Partly(more) => rest = Some(more),
        }
    }
}

/// Tells the log what a list changed.
fn tell_of_a_list(feed: &Feed, Changes { joined, left, readings, .. }: &Changes) {
    let (joined, left) = (joined.len(), left.len());
    match readings {
        0 if joined + left == 0 => {}
        0 => tracing::info!(name: "list.read", { feed.name, joined, left }, "the list was read"),
        readings => tracing::warn!(
            name: "list.doubtful",
            { feed.name, joined, readings },
            "the list names far fewer feeds than before, and none leaves before {AGREEING_READINGS} readings in a row left it out; if it is right, `newsfold poll {}` takes it at its word",
            feed.name
        ),
    }
}

/// Tells the log what came of a poll.
fn tell(feed: &Feed, told: &Told) {
    let failures = feed.failures;
    let what = feed.last_error.as_deref().unwrap_or_default();
    match told {
        Told::Nothing => {}
        Told::Unchanged { duration_ms } => {
            tracing::debug!(name: "feed.unchanged", { feed.name, duration_ms }, "unchanged")
        }
        Told::Postponed => tracing::debug!(name: "feed.postponed", { feed.name }, "put off: {}", feed.next_poll_why),
        Told::Gone => tracing::warn!(
            name: "feed.gone",
            { feed.name },
            "the feed is gone for good (410) and is not polled any more; its entries are kept"
        ),
        Told::Failed => {
            let next = feed.next_poll.format("%Y-%m-%d %H:%MZ");
            tracing::warn!(
                name: "feed.failed",
                { feed.name, failures },
                "{what}; its entries are kept, next try {next} ({})",
                feed.next_poll_why
            );
        }
        Told::Panicked => tracing::error!(name: "feed.panicked", { feed.name, failures }, "{what}"),
        Told::Offline(words) => tracing::debug!(name: "feed.offline", { feed.name }, "{words}"),
        Told::WentOffline(words) => {
            tracing::debug!(name: "feed.offline", { feed.name }, "{words}");
            tracing::warn!(
                name: "network.down",
                "many servers that have nothing to do with each other cannot be reached, so the network here seems to be down; nothing is counted against the feeds, and a few are tried now and then"
            );
        }
    }
}

/// About how much memory entries hold on to while they wait for the store, as far as they do so at once.
pub(super) fn held(entries: &[Entry]) -> usize {
    entries.iter().map(update::weight).sum::<usize>().min(update::BYTES_AT_ONCE)
}
