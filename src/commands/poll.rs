//! `newsfold poll`: every feed once, now; the main job without a daemon.
//!
//! Edge: polls, stores, and writes the outputs' files.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;

use crate::clock;
use crate::commands::console::{Exit, print};
use crate::commands::site::site;
use crate::config::Config;
use crate::encoder;
use crate::fetch::{Client, Settings};
use crate::host_queue::{HostQueue, Limits};
use crate::ingest::Ingested;
use crate::maintenance;
use crate::model::{Feed, FeedRef};
use crate::net::domain::domain_of;
use crate::notify::{self, Patience};
use crate::plural::counted;
use crate::politeness::Politeness;
use crate::politeness::cooldowns::Cooldowns;
use crate::poll::{PollJob, Polled, Poller, Postponement, Report, Trigger};
use crate::publish::{self, Output, Published, Site, after, files};
use crate::schedule;
use crate::store::{self, Policy, Store, cooldowns, feeds, outputs};
use crate::subscriptions::Subscriptions;
use crate::terminal;
use crate::websub::publisher;

/// How long the command waits for another program that holds the store locked.
const FOR_A_LOCK: Duration = Duration::from_secs(60);
/// The longest that people are told of stories: a service may take its time, and a poll ends.
const TOLD_WITHIN: Duration = Duration::from_secs(120);

pub(super) async fn run(
    config: &Config,
    store_path: &Path,
    only_due: bool,
    is_quiet: bool,
    names: &[String],
) -> anyhow::Result<Exit> {
    let store = Store::open_within(store_path, FOR_A_LOCK).map_err(|error| match error {
        store::Error::Locked(path) => anyhow::anyhow!(
            "{}: another newsfold is using this store; a daemon polls by itself, and asks a failing feed soon once what was \
             wrong in its configuration is put right and the daemon is told to reload (SIGHUP); stop it to poll with this command",
            path.display()
        ),
        error => error.into(),
    })?;
    let mut round = poll_once(config, &store, (only_due, names), &HashSet::new()).await?;
    if round.came.lists_changed {
        // What a list names is polled like the rest.
        let more = poll_once(config, &store, (only_due, &[]), &round.asked).await?;
        round.came.add(more.came);
        (round.subscriptions, round.all) = (more.subscriptions, round.all + more.all);
    }
    let Round { subscriptions, came, all, left_alone, .. } = round;

    let outputs = subscriptions.outputs(config);
    if outputs.iter().any(|output| output.config.query.is_some()) {
        maintenance::index(&store, usize::MAX).await?;
    }
    encoder::bring_on_in_time(&store, config, clock::now()).await?;
    let is_rendered = |output: &Output| output.config.directory.is_some() || output.config.digest.is_some();
    let files =
        if outputs.iter().any(is_rendered) { publish_files(&store, site(config, outputs)?, config).await? } else { 0 };
    let (watchers, patience) = (subscriptions.watchers(config), Patience::default());
    let told = notify::tell(&store, &watchers, &patience, TOLD_WITHIN, &config.poll.user_agent, clock::now()).await?;
    for untold in told.untold {
        tracing::warn!(name: "notify.not_told", "{untold}");
    }
    match maintenance::tidy(store.clone(), config.store.clone(), clock::now()).await {
        Err(error) if error.policy() != Policy::Exit => {
            tracing::warn!(name: "store.not_tidied", "the store could not be tidied, which the next poll does: {error}")
        }
        tidied => drop(tidied?),
    }
    store.close().await;
    let failed = came.failed.len() + came.offline + came.unstored.len();
    let has_failed = came.is_store_refusing || (all > 0 && failed == all);
    if has_failed || !is_quiet {
        print(&came.summary(all, left_alone + came.held, files))?;
    }
    Ok(if has_failed { Exit::Failed } else { Exit::Done })
}

/// What came of polling feeds once.
struct Round {
    subscriptions: Subscriptions,
    came: Came,
    /// The feeds that were not to be left alone.
    asked: HashSet<FeedRef>,
    /// How many were to be polled.
    all: usize,
    left_alone: usize,
}

/// Polls each feed once that is wanted and was not `already` known.
async fn poll_once(
    config: &Config,
    store: &Store,
    (only_due, names): (bool, &[String]),
    already: &HashSet<FeedRef>,
) -> anyhow::Result<Round> {
    let now = clock::now();
    let synced = config.clone();
    let subscriptions = store.write(0, move |context| Subscriptions::sync(context, &synced, now)).await?;
    let wanted: Option<Vec<FeedRef>> = match names {
        [] => None,
        names => {
            let found = |name: &String| {
                subscriptions
                    .named(name)
                    .ok_or_else(|| anyhow::anyhow!("there is no feed `{name}`; `newsfold feeds` lists them"))
            };
            Some(names.iter().map(found).collect::<anyhow::Result<_>>()?)
        }
    };
    let (states, held) =
        store.read(move |connection| Ok((feeds::configured(connection)?, cooldowns::all(connection, now)?))).await?;
    let is_due = |feed: &Feed| {
        let at = subscriptions.subscription(feed.feed).map_or(feed.next_poll, |subscription| {
            schedule::put_right(feed.next_poll, &subscription.cadence, subscription.min_interval, now)
        });
        at <= now
    };
    let known: HashSet<FeedRef> = states.iter().map(|state| state.feed).collect();
    let is_wanted =
        |feed: &FeedRef| !already.contains(feed) && wanted.as_ref().is_none_or(|wanted| wanted.contains(feed));
    let unread: Vec<String> = subscriptions
        .handles()
        .filter(|feed| is_wanted(feed) && !known.contains(feed))
        .filter_map(|feed| subscriptions.name(feed).map(str::to_owned))
        .collect();
    let is_polled = |feed: &Feed| is_wanted(&feed.feed) && subscriptions.subscription(feed.feed).is_some();
    let polled = states.iter().filter(|feed| is_polled(feed)).count();
    let chosen: Vec<Feed> = states
        .into_iter()
        .filter(is_polled)
        .filter(|feed| !only_due || is_due(feed))
        .filter(|feed| (wanted.is_some() && !only_due) || may_be_asked(feed, &held, now))
        .collect();
    let left_alone = if only_due || wanted.is_some() { 0 } else { polled - chosen.len() };
    let leases: Vec<_> = chosen.iter().map(|feed| (feed.feed, subscriptions.after_a_crash(feed, now))).collect();
    store.write(chosen.len() * 64, move |context| feeds::lease(context.tx, &leases, now)).await?;

    let (reports, received) = mpsc::unbounded_channel();
    let politeness = Politeness::default();
    politeness.cooldowns().restore_all(held);
    politeness.uplinks().expect(chosen.iter().map(|feed| &feed.address));
    let client = Client::new(Settings::of(config), politeness);
    let host_queue = HostQueue::new(Arc::new(Poller::new(client, store.clone())), Limits::of(config), reports);
    let trigger = if wanted.is_some() && !only_due { Trigger::Person } else { Trigger::Due };
    let asked = chosen.len();
    let all = asked + unread.len();
    host_queue.push(chosen.into_iter().filter_map(|feed| {
        let subscription = subscriptions.subscription(feed.feed)?.clone();
        Some(PollJob { feed: Box::new(feed), subscription, trigger, slow: None })
    }));
    let mut came = tokio::select! {
        came = gather(received, asked, &subscriptions) => came?,
        _ = tokio::signal::ctrl_c() => {
            host_queue.stop().await;
            anyhow::bail!("interrupted; what was polled so far is stored");
        }
    };
    host_queue.stop().await;
    drop(host_queue);
    came.unstored.extend(unread);
    let asked = subscriptions.handles().filter(|feed| subscriptions.subscription(*feed).is_some()).collect();
    Ok(Round { subscriptions, came, asked, all, left_alone })
}

/// Renders the outputs, writes those that have a directory there, and tells the hub of them; gives how many files were written.
async fn publish_files(store: &Store, site: Site, config: &Config) -> anyhow::Result<usize> {
    files::sweep(&site.outputs);
    let noted = store.write(0, |context| {
        // Nothing is polled any more, and what is published needs the room.
        context.memory.index = None;
        outputs::note(context.tx)
    });
    let (change, made_of) = noted.await?;
    // What a hub could not be told, and which digest is due, is known of what is rendered only.
    let may_stay = config.serve.hub.is_none() && site.outputs.iter().all(|output| output.config.digest.is_none());
    if may_stay && made_of == Some(files::made_of(&site, change)) {
        tracing::debug!(name: "output.unchanged", "nothing that is published changed since the files were written");
        run_commands(store, &site).await?;
        return Ok(0);
    }
    let published = publish::publish(store, &site, Published::default()).await?;
    published.failures().iter().for_each(|failed| tracing::error!(name: "publish.failed", "{failed}"));
    let archives = files::write_new_archives(store, &published).await?;
    let documents = files::write(&published).await?;
    if let Some(hub) = &config.serve.hub {
        let is_written = |output: &Output| output.config.directory.is_some();
        if let Err(error) =
            publisher::tell_of_changes(store, &published, is_written, hub, &config.poll.user_agent).await?
        {
            tracing::warn!(
                name: "hub.not_told",
                "the hub was not told of a change: {error}; subscribers find it when they poll"
            );
        }
    }
    let compared = files::compare(store, &published, clock::now()).await?;
    let written = archives.and(documents).and(compared);
    after::owe(store, &site.outputs, &written).await?;
    if may_stay && published.failures().is_empty() {
        let made_of = files::made_of(&site, change);
        store.write(made_of.len(), move |context| outputs::wrote_files(context.tx, &made_of)).await?;
    }
    run_commands(store, &site).await?;
    Ok(written.files)
}

/// Runs the commands that follow changed files.
async fn run_commands(store: &Store, site: &Site) -> store::Result<()> {
    for failed in after::run(store, &site.outputs).await? {
        tracing::warn!(name: "publish.command_failed", "{failed}; the next poll tries it again");
    }
    Ok(())
}

/// Whether a feed may be asked without a person naming it: it is not gone, and its server does not want to be left alone.
fn may_be_asked(feed: &Feed, cooldowns: &Cooldowns, now: DateTime<Utc>) -> bool {
    let is_held = |until: DateTime<Utc>| until > now && until <= now + schedule::LONGEST_RETRY_AFTER;
    feed.retired_at.is_none()
        && !feed.not_before.is_some_and(is_held)
        && cooldowns.until(&domain_of(feed.target()), now).is_none()
}

/// How many feeds the summary names before it counts the rest.
const MOST_NAMES: usize = 10;

/// What came of all polls.
#[derive(Default)]
struct Came {
    ingested: Ingested,
    feeds_with_news: usize,
    unchanged: usize,
    gone: Vec<String>,
    failed: Vec<String>,
    held: usize,
    offline: usize,
    /// Feeds that the store could not read, or take up the news of.
    unstored: Vec<String>,
    /// Whether it was for the store's own sake: what was polled is not all written.
    is_store_refusing: bool,
    /// Whether a list of feeds names others than before.
    lists_changed: bool,
}

async fn gather(
    mut reports: mpsc::UnboundedReceiver<crate::host_queue::Outcome>,
    asked: usize,
    subscriptions: &Subscriptions,
) -> anyhow::Result<Came> {
    let bar = terminal::bar(asked);
    let mut came = Came::default();
    for _ in 0..asked {
        let Some(report) = reports.recv().await else { break };
        let Report { feed, polled, .. } = match report {
            Ok(report) => report,
            Err((_, error)) if error.policy() == Policy::Exit => return Err(error.into()),
            Err((feed, error)) => {
                let name = subscriptions.name(feed).unwrap_or_default().to_owned();
                tracing::warn!(
                    name: "feed.not_stored",
                    { feed.name = name },
                    "what it brought could not be stored: {error}"
                );
                came.is_store_refusing |= error.policy() == Policy::Retry;
                came.unstored.push(name);
                continue;
            }
        };
        bar.step(&feed.name);
        match polled {
            Polled::Document(ingested) => {
                came.feeds_with_news += usize::from(ingested.changed());
                came.unchanged += usize::from(!ingested.changed());
                came.ingested.add(ingested);
            }
            Polled::List(is_changed) => {
                came.lists_changed |= is_changed;
                came.feeds_with_news += usize::from(is_changed);
                came.unchanged += usize::from(!is_changed);
            }
            Polled::Unchanged => came.unchanged += 1,
            Polled::Gone => came.gone.push(feed.name.clone()),
            Polled::Failed(_) => came.failed.push(feed.name.clone()),
            Polled::Postponed(Postponement::Held) => came.held += 1,
            Polled::Postponed(Postponement::Offline) => came.offline += 1,
        }
    }
    Ok(came)
}

impl Came {
    fn add(&mut self, more: Self) {
        self.ingested.add(more.ingested);
        self.feeds_with_news += more.feeds_with_news;
        self.unchanged += more.unchanged;
        self.held += more.held;
        self.offline += more.offline;
        self.gone.extend(more.gone);
        self.failed.extend(more.failed);
        self.unstored.extend(more.unstored);
        self.is_store_refusing |= more.is_store_refusing;
    }

    fn summary(&self, asked: usize, left_alone: usize, files: usize) -> String {
        let Ingested { added, revised, folds, .. } = self.ingested;
        let mut parts = vec![format!(
            "{added} new and {revised} revised entries in {} of {}, {} of them folded",
            self.feeds_with_news,
            counted(asked, "feed"),
            folds.total()
        )];
        parts.push(format!("{} without news", counted(self.unchanged, "feed")));
        let mut named = |what: &str, names: &[String]| {
            let mut names = names.to_vec();
            names.sort_unstable();
            if !names.is_empty() {
                let (shown, more) = names.split_at(names.len().min(MOST_NAMES));
                let more = if more.is_empty() {
                    String::new()
                } else {
                    format!(" and {} more (`newsfold feeds` has all)", more.len())
                };
                parts.push(format!("{} {what}: {}{more}", names.len(), shown.join(", ")));
            }
        };
        named("failed", &self.failed);
        named("gone for good", &self.gone);
        named("not stored (the log says why)", &self.unstored);
        if self.offline > 0 {
            parts.push(format!("{} not reached because the network here seems to be down", self.offline));
        }
        if left_alone > 0 {
            parts.push(format!("{left_alone} left alone as their servers asked or because they are gone"));
        }
        if files > 0 {
            parts.push(format!("{} written", counted(files, "file")));
        }
        parts.join("; ") + "\n"
    }
}
