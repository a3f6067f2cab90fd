//! Telling somebody of a story, once, as soon as enough feeds tell it (`[[notify]]`).
//!
//! Edge: reads the store and asks services. What was told is noted in the store when it was sent, so that a restart tells
//! nothing twice; what could not be sent is tried again, for as long as it is news.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

use crate::config::NotifyConfig;
use crate::fetch::notice::{self, Error as SendError, Notice};
use crate::maintenance;
use crate::model::{EntryRef, StoryId};
use crate::publish::{self, Output, select};
use crate::secrets;
use crate::store::{self, Connection, Store, notices};

/// What is older is no news any more.
const NEWS_FOR: TimeDelta = TimeDelta::hours(1);
/// The most notices at once: what is more is left out, and the log says so.
const MOST_AT_ONCE: usize = 20;

/// Somebody who is to be told.
#[derive(Debug, Clone)]
pub(crate) struct Watcher {
    /// As configured.
    pub config: Arc<NotifyConfig>,
    /// Of which stories.
    pub output: Output,
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

/// Tells everybody of the stories that are due, one service after the other.
///
/// # Errors
/// When the store refuses. That a service could not be told is no error: it is in what is given, a line for each.
pub(crate) async fn tell(
    store: &Store,
    watchers: &[Watcher],
    agent: &str,
    now: DateTime<Utc>,
) -> store::Result<Vec<String>> {
    if watchers.iter().any(|watcher| watcher.config.selection.query.is_some()) {
        maintenance::index(store, usize::MAX).await?;
    }
    let mut untold = Vec::new();
    for watcher in watchers {
        if let Err(why) = tell_one(store, watcher, agent, now).await? {
            untold.push(format!("notify `{}`: {why}", watcher.config.name));
        }
    }
    Ok(untold)
}

/// Tells one; gives why somebody could not be told, if that may be different later.
async fn tell_one(
    store: &Store,
    watcher: &Watcher,
    agent: &str,
    now: DateTime<Utc>,
) -> store::Result<Result<(), String>> {
    let Watcher { config, .. } = watcher;
    let asked = watcher.clone();
    let plan = match store.read(move |connection| plan(connection, &asked, now)).await? {
        Ok(plan) => plan,
        Err(fault) => return Ok(Err(format!("`body` is no template for this story: {fault}"))),
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
    let Plan { due, passed_over, upto, .. } = plan;
    if !passed_over.is_empty() {
        let name = config.name.clone();
        let note = move |story: &StoryId, tx: &_| notices::note(tx, &name, *story, now);
        store.write(0, move |context| passed_over.iter().try_for_each(|story| note(story, context.tx))).await?;
    }
    for (story, body) in due {
        match send(config, body, agent).await {
            Ok(()) => tracing::info!(name: "notify.told", notify = config.name, story.id = %story, "told"),
            Err(SendError::Later(why)) => return Ok(Err(why)),
            Err(refused) => {
                tracing::error!(name: "notify.refused", notify = config.name, story.id = %story, "{refused}")
            }
        }
        let name = config.name.clone();
        store.write(0, move |context| notices::note(context.tx, &name, story, now)).await?;
    }
    if let Some(upto) = upto {
        let name = config.name.clone();
        store.write(0, move |context| notices::advance(context.tx, &name, upto, now)).await?;
    }
    Ok(Ok(()))
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
    send(config, body, agent).await.map_err(|error| match error {
        SendError::Later(why) => why,
        refused => refused.to_string(),
    })
}

async fn send(config: &NotifyConfig, body: String, agent: &str) -> Result<(), SendError> {
    let reveal = |secret| secrets::reveal(secret).map_err(SendError::Later);
    let url =
        Url::parse(reveal(&config.url)?.trim()).map_err(|_| SendError::Later("its `url` is no address".into()))?;
    let headers = config.headers.iter().map(|(name, value)| Ok((name.clone(), reveal(value)?)));
    let headers = headers.collect::<Result<_, SendError>>()?;
    notice::send(Notice { url, method: config.method, headers, body }, agent).await
}

/// What is to be told; the inner error is a fault of the template.
fn plan(connection: &Connection, watcher: &Watcher, now: DateTime<Utc>) -> store::Result<Result<Plan, String>> {
    let Watcher { config, output } = watcher;
    let newest = notices::newest(connection)?;
    let mut plan = Plan { due: Vec::new(), passed_over: Vec::new(), too_many: 0, upto: Some(newest) };
    // Who is new is told of what comes, and of nothing that is there.
    let Some(progress) = notices::progress(connection, &config.name)? else { return Ok(Ok(plan)) };
    if progress.upto == newest {
        plan.upto = None;
        return Ok(Ok(plan));
    }
    let oldest = progress.begun.max(now - NEWS_FOR);
    let mut fault = None;
    select::entered_after(connection, output, progress.upto, |entered| {
        if fault.is_some() || notices::was_told(connection, &config.name, entered.story)? {
            return Ok(());
        }
        let id = entered.shown.id;
        if entered.since < oldest {
            plan.passed_over.push(id);
        } else if plan.due.len() >= MOST_AT_ONCE {
            plan.passed_over.push(id);
            plan.too_many += 1;
        } else {
            match publish::notice::body(&config.body, &output.heading(), &entered.shown) {
                Ok(body) => plan.due.push((id, body)),
                Err(why) => fault = Some(why),
            }
        }
        Ok(())
    })?;
    Ok(fault.map_or(Ok(plan), Err))
}
