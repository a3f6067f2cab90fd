//! What changed is rendered, put where readers see it, and told to the hub.
//!
//! Edge: reads the store, writes the outputs' files, and hands the documents to the server. None of it is done in the loop:
//! readers have the documents as soon as they are rendered, and files follow.

use std::sync::Arc;
use std::time::Duration;

use super::work::{Came, Done, Failure, Publication};
use crate::clock;
use crate::config::Config;
use crate::maintenance;
use crate::notify::{self, Patience, Watcher};
use crate::publish::{self, Output, Published, Site, after, files};
use crate::store::{self, Policy, Store, outputs, search};
use crate::websub::publisher;

/// How many steps the index for searches is brought on before what is there is rendered.
const INDEXED_AT_ONCE: usize = 10;

/// How long people who are slow to take a notice are waited for before others are told of what came since.
const WAITED: Duration = Duration::from_secs(2);

/// Renders the outputs.
pub(super) async fn render(store: Store, site: Site, before: Published, edition: u64) -> Came {
    let begun = clock::instant();
    // Read before anything is rendered: a correction that comes meanwhile counts as one that is still to be published.
    let corrections = store.read(outputs::corrections).await?;
    let is_indexed = match index(&store, &site).await {
        Err(error) if error.policy() != Policy::Exit => {
            tracing::warn!(name: "search.not_indexed", "new entries could not be indexed for searches: {error}");
            true
        }
        indexed => indexed?,
    };
    let rendered = publish::publish(&store, &site, before).await?;
    let took = begun.elapsed();
    Ok(Done::Published(Box::new(Publication { rendered, edition, corrections, is_indexed, took })))
}

/// Keeps the index of words up, if somebody searches. Gives whether it has caught up.
async fn index(store: &Store, site: &Site) -> store::Result<bool> {
    let is_searched = site.outputs.iter().any(|output| output.config.query.is_some());
    if !is_searched && store.read(search::filled).await?.is_none() {
        return Ok(true);
    }
    maintenance::index(store, INDEXED_AT_ONCE).await
}

/// Writes the outputs' files. What can be written is, whatever else cannot.
pub(super) async fn write_files(store: Store, published: Published) -> Came {
    let begun = clock::instant();
    // An archive stands there before a document names it. Those of long ago hold years, and come last.
    let archives = files::write_new_archives(&store, &published).await;
    let documents = files::write(&published).await;
    let written = archives.and_then(|archives| Ok(archives.and(documents?)))?;
    let compared = files::compare(&store, &published, clock::now()).await?;
    let outputs: Vec<Output> = published.for_files().flat_map(|seen| seen.site().outputs.clone()).collect();
    after::owe(&store, &outputs, &written.and(compared)).await?;
    Ok(Done::FilesWritten(begun.elapsed()))
}

/// Runs the commands that follow changed files.
pub(super) async fn run_commands(store: Store, outputs: Vec<Output>) -> Came {
    let failed = after::run(&store, &outputs).await?;
    if failed.is_empty() { Ok(Done::CommandsRun) } else { Err(Failure::Some(failed.join("; "))) }
}

/// Tells people of stories.
pub(super) async fn tell_people(
    store: Store,
    watchers: Arc<[Watcher]>,
    patience: Patience,
    config: Arc<Config>,
) -> Came {
    let told = notify::tell(&store, &watchers, &patience, WAITED, &config.poll.user_agent, clock::now());
    Ok(Done::Notified(told.await?))
}

/// Tells our hub which documents changed. Without a hub nobody is told.
pub(super) async fn tell_hub(store: Store, published: Published, config: Arc<Config>) -> Came {
    if let Some(hub) = &config.serve.hub {
        let told = publisher::tell_of_changes(&store, &published, |_| true, hub, &config.poll.user_agent).await?;
        told.map_err(|error| Failure::Later { why: error.to_string(), rest: error.rest() })?;
    }
    Ok(Done::HubTold)
}
