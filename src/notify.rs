//! Telling somebody of a story, once, as soon as enough feeds tell it (`[[notify]]`).
//!
//! Edge: reads the store and asks services. What was told is noted in the store when it was sent, so that a restart tells
//! nothing twice; what could not be sent is tried again, for as long as it is news.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use url::Url;

use crate::clock;
use crate::config::NotifyConfig;
use crate::fetch::notice::{self, Error as SendError, Notice};
use crate::maintenance;
use crate::model::{EntryRef, StoryId};
use crate::publish::{self, Output, select};
use crate::schedule;
use crate::secrets;
use crate::store::{self, Connection, Store, notices};

/// What is older is no news any more.
const NEWS_FOR: TimeDelta = TimeDelta::hours(1);
/// The most notices at once: what is more is left out, and the log says so.
const MOST_AT_ONCE: usize = 20;
/// How many notices of a turn may get no answer at all before the rest wait for the next.
const MOST_SILENCES: usize = 3;
/// How often it is looked whether somebody has been told who takes long.
const LOOKED_AFTER: Duration = Duration::from_secs(1);
/// The longest pause that a service may ask for: what waited longer is no news.
const LONGEST_REST: Duration = Duration::from_secs(3_600);

/// Somebody who is to be told.
#[derive(Debug, Clone)]
pub(crate) struct Watcher {
    /// As configured.
    pub config: Arc<NotifyConfig>,
    /// Of which stories.
    pub output: Output,
}

/// Who is being told, and who could not be told of what there is. Clones share it; with the last one goes what is under way.
///
/// One watcher's service says nothing about another's, nor does what it makes of one story about the next: each watcher is told and
/// rests by itself, and a story that could not be sent stands behind those that were not tried yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Patience {
    standings: Standings,
    under_way: Arc<tokio::sync::Mutex<JoinSet<store::Result<()>>>>,
}

/// How it stands with each watcher, by name; `None` with one who is being told.
type Standings = Arc<Mutex<HashMap<String, Option<Standing>>>>;

/// How a watcher's service took what was sent.
#[derive(Debug, Clone, Default)]
struct Standing {
    /// How often in a row it could not be told.
    failures: u32,
    /// Until when it is left alone, and why; `None` where it took what it was sent last.
    rest: Option<(Instant, String)>,
    /// How often each story was sent that it did not take.
    tries: HashMap<StoryId, u32>,
}

/// How it stands with a watcher, while that one is told.
struct Held {
    standings: Standings,
    name: String,
    standing: Standing,
}

impl Held {
    /// `None` where somebody holds it.
    fn take(standings: &Standings, name: &str) -> Option<Self> {
        let standing = lock(standings).insert(name.to_owned(), None).unwrap_or_else(|| Some(Standing::default()))?;
        Some(Self { standings: standings.clone(), name: name.to_owned(), standing })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        lock(&self.standings).insert(std::mem::take(&mut self.name), Some(std::mem::take(&mut self.standing)));
    }
}

fn lock(standings: &Standings) -> MutexGuard<'_, HashMap<String, Option<Standing>>> {
    standings.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What telling people came to.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Who could not be told, and why, a line each.
    pub untold: Vec<String>,
    /// When somebody is to be told again of what they could not be told, or were not yet; `None` where that is nobody.
    pub again_in: Option<Duration>,
}

/// What there is to be told, and what not any more.
#[derive(Debug)]
struct Plan {
    due: Vec<(StoryId, String)>,
    /// Stories that are too old, or too many.
    passed_over: Vec<StoryId>,
    too_many: usize,
    /// Everything up to this entry is looked at; `None` when nothing came since.
    upto: Option<EntryRef>,
}

/// Tells everybody of the stories that are due, each service beside the others. Who takes longer than `wait` is told on while
/// others are told of what comes next.
///
/// # Errors
/// When the store refuses. That a service could not be told is no error: it is in what is given.
pub(crate) async fn tell(
    store: &Store,
    watchers: &[Watcher],
    patience: &Patience,
    wait: Duration,
    agent: &str,
    now: DateTime<Utc>,
) -> store::Result<Told> {
    if watchers.iter().any(|watcher| watcher.config.selection.query.is_some()) {
        maintenance::index(store, usize::MAX).await?;
    }
    let mut under_way = patience.under_way.lock().await;
    for watcher in watchers {
        let Some(mut held) = Held::take(&patience.standings, &watcher.config.name) else { continue };
        let (store, watcher, agent) = (store.clone(), watcher.clone(), agent.to_owned());
        under_way.spawn(async move { tell_one(&store, &watcher, &mut held.standing, &agent, now).await });
    }
    let until = clock::instant() + wait;
    while let Ok(Some(told)) = tokio::time::timeout_at(until, under_way.join_next()).await {
        told.map_err(store::Error::from)??;
    }
    drop(under_way);
    let mut told = Told::default();
    let standings = lock(&patience.standings);
    for name in watchers.iter().map(|watcher| &watcher.config.name) {
        let rest = match standings.get(name) {
            Some(Some(Standing { rest: Some((until, why)), .. })) => {
                told.untold.push(format!("notify `{name}`: {why}"));
                until.saturating_duration_since(clock::instant())
            }
            // What came since it was begun is not known there.
            Some(None) => LOOKED_AFTER,
            _ => continue,
        };
        told.again_in = Some(told.again_in.map_or(rest, |again| again.min(rest)));
    }
    Ok(told)
}

/// Tells one, unless its service is to be left alone.
async fn tell_one(
    store: &Store,
    watcher: &Watcher,
    standing: &mut Standing,
    agent: &str,
    now: DateTime<Utc>,
) -> store::Result<()> {
    let Watcher { config, .. } = watcher;
    if standing.rest.as_ref().is_some_and(|(until, _)| *until > clock::instant()) {
        return Ok(());
    }
    let (asked, tried) = (watcher.clone(), standing.tries.keys().copied().collect::<HashSet<StoryId>>());
    let plan = match store.read(move |connection| plan(connection, &asked, &tried, now)).await? {
        Ok(plan) => plan,
        Err(fault) => {
            standing.fail(format!("`body` is no template for this story: {fault}"), None);
            return Ok(());
        }
    };
    if plan.too_many > 0 {
        tracing::warn!(
            name: "notify.too_many",
            notify = config.name,
            stories = plan.too_many,
            "too much at once; nobody is told of these"
        );
    }
    if plan.passed_over.len() > plan.too_many {
        tracing::info!(
            name: "notify.too_old",
            notify = config.name,
            stories = plan.passed_over.len() - plan.too_many,
            "nobody is told of what is older than an hour, or was there before the `[[notify]]`"
        );
    }
    let Plan { mut due, passed_over, upto, .. } = plan;
    if !passed_over.is_empty() {
        let name = config.name.clone();
        let note = move |story: &StoryId, tx: &_| notices::note(tx, &name, *story, now);
        store.write(0, move |context| passed_over.iter().try_for_each(|story| note(story, context.tx))).await?;
    }
    standing.tries.retain(|story, _| due.iter().any(|(due, _)| due == story));
    due.sort_by_key(|(story, _)| standing.tries.get(story).copied());
    let (mut untold, mut silences) = (None, 0);
    for (story, body) in due {
        match send(config, body, agent).await {
            Ok(()) => tracing::info!(name: "notify.told", notify = config.name, story.id = %story, "told"),
            Err(error @ (SendError::Silent(_) | SendError::Busy { .. })) => {
                *standing.tries.entry(story).or_default() += 1;
                let rest = if let SendError::Busy { rest, .. } = &error { *rest } else { None };
                silences += usize::from(matches!(error, SendError::Silent(_)));
                untold = Some((format!("{error}; it is tried again for an hour"), rest));
                if rest.is_some() || silences >= MOST_SILENCES {
                    break;
                }
                // What it makes of one story says nothing about the next.
                continue;
            }
            Err(refused) => {
                tracing::error!(name: "notify.refused", notify = config.name, story.id = %story, "{refused}")
            }
        }
        standing.failures = 0;
        standing.tries.remove(&story);
        let name = config.name.clone();
        store.write(0, move |context| notices::note(context.tx, &name, story, now)).await?;
    }
    if let Some((why, rest)) = untold {
        standing.fail(why, rest);
        return Ok(());
    }
    *standing = Standing::default();
    if let Some(upto) = upto {
        let name = config.name.clone();
        store.write(0, move |context| notices::advance(context.tx, &name, upto, now)).await?;
    }
    Ok(())
}

impl Standing {
    /// Has the service left alone for a while, and as long as it asks.
    fn fail(&mut self, why: String, asked: Option<Duration>) {
        self.failures += 1;
        let rest = schedule::pause_after(self.failures, asked, LONGEST_REST);
        self.rest = Some((clock::instant() + rest, why));
    }
}

/// Sends a notice of a story that is made up, to see whether it arrives.
///
/// # Errors
/// Why it could not be sent.
pub(crate) async fn try_out(
    config: &NotifyConfig,
    public_url: &Url,
    agent: &str,
    now: DateTime<Utc>,
) -> Result<(), String> {
    let body = publish::notice::trial(&config.body, public_url, now)
        .map_err(|fault| format!("`body` is no template for a story: {fault}"))?;
    send(config, body, agent).await.map_err(|error| error.to_string())
}

async fn send(config: &NotifyConfig, body: String, agent: &str) -> Result<(), SendError> {
    let wanted = config.clone();
    let revealed = secrets::in_time(move || {
        let headers = wanted.headers.iter().map(|(name, value)| Ok((name.clone(), secrets::reveal(value)?)));
        Ok((secrets::reveal(&wanted.url)?, headers.collect::<Result<_, String>>()?))
    });
    let (url, headers) = revealed.await.map_err(SendError::Silent)?;
    let url = Url::parse(url.trim()).map_err(|_| SendError::Silent("its `url` is no address".into()))?;
    notice::send(Notice { url, method: config.method, headers, body }, agent).await
}

/// What is to be told; the inner error is a fault of the template. Those that were `tried` crowd nothing out.
fn plan(
    connection: &Connection,
    watcher: &Watcher,
    tried: &HashSet<StoryId>,
    now: DateTime<Utc>,
) -> store::Result<Result<Plan, String>> {
    let Watcher { config, output } = watcher;
    let newest = notices::newest(connection)?;
    let mut plan = Plan { due: Vec::new(), passed_over: Vec::new(), too_many: 0, upto: Some(newest) };
    // Who is new is told of what comes, and of nothing that is there.
    let Some(progress) = notices::progress(connection, &config.name)? else { return Ok(Ok(plan)) };
    if progress.upto == newest {
        plan.upto = None;
        return Ok(Ok(plan));
    }
    // Who was first told under a clock that ran ahead is told all the same.
    let begun = Some(progress.begun).filter(|begun| *begun <= now);
    let oldest = begun.map_or(now - NEWS_FOR, |begun| begun.max(now - NEWS_FOR));
    let (mut fault, mut untried) = (None, 0);
    select::entered_after(connection, output, progress.upto, |entered| {
        if fault.is_some() || notices::was_told(connection, &config.name, entered.story)? {
            return Ok(());
        }
        let id = entered.shown.id;
        if entered.since < oldest {
            plan.passed_over.push(id);
        } else if untried >= MOST_AT_ONCE && !tried.contains(&id) {
            plan.passed_over.push(id);
            plan.too_many += 1;
        } else {
            untried += usize::from(!tried.contains(&id));
            match publish::notice::body(&config.body, &output.heading(), &entered.shown) {
                Ok(body) => plan.due.push((id, body)),
                Err(why) => fault = Some(why),
            }
        }
        Ok(())
    })?;
    Ok(fault.map_or(Ok(plan), Err))
}
