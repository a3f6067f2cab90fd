//! What changed is rendered, put where readers see it, and told to the hub.
//!
//! Edge: reads the store, writes the outputs' files, and hands the documents to the server. None of it is done in the loop:
//! readers have the documents as soon as they are rendered, and files follow.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::tasks::{Came, Done, Failure, Work};
use super::{Daemon, Error};
use crate::clock;
use crate::maintenance;
use crate::notify;
use crate::publish::{self, Output, Published, Site, after, files};
use crate::store::stories::DamagedEntry;
use crate::store::{self, Policy, Store, outputs, search};
use crate::websub::publisher;

/// How many steps the index for searches is brought on before what is there is rendered.
const INDEXED_AT_ONCE: usize = 10;

/// What was rendered.
pub(super) struct Publication {
    rendered: Published,
    /// Which configuration it was rendered for, counted.
    edition: u64,
    /// How many corrections by a person it has.
    corrections: u64,
    /// Whether searches find all that is stored.
    is_indexed: bool,
    took: Duration,
}

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
    // An archive stands there before a document names it. Those of long ago hold years, and come last.
    let archives = files::write_new_archives(&store, &published).await;
    let documents = files::write(&published).await;
    let written = archives.and_then(|archives| Ok(archives.and(documents?)))?;
    let compared = files::compare(&store, &published, clock::now()).await?;
    let outputs: Vec<Output> = published.for_files().flat_map(|seen| seen.site().outputs.clone()).collect();
    after::owe(&store, &outputs, &written.and(compared)).await?;
    Ok(Done::FilesWritten)
}

impl Daemon {
    /// Puts what was rendered where readers see it.
    ///
    /// # Errors
    /// As [`Daemon::failed`], for outputs that could not be rendered: they keep what they had, and are tried again.
    pub(super) fn show(&mut self, publication: Publication) -> Result<(), Error> {
        let Publication { rendered, edition, corrections, is_indexed, took } = publication;
        let before = self.published.borrow().clone();
        for (story, title) in rendered.damaged().iter().filter(|(story, _)| !before.damaged().contains_key(story)) {
            tracing::error!(
                name: "story.text_damaged",
                { story.id = %story },
                "{title}: its text is damaged in the store, so it is shown without; `newsfold store check --repair` has its feed asked for it again"
            );
        }
        for DamagedEntry { entry, feed } in rendered.damaged_entries().difference(before.damaged_entries()) {
            tracing::error!(
                name: "entry.damaged",
                { feed.name = feed, entry.id = entry.0 },
                "the entry is damaged in the store and not shown; `newsfold store check --repair` has its feed asked for it again"
            );
        }
        self.published.send_replace(rendered.clone());
        self.corrections = corrections;
        self.is_stale |= !is_indexed;
        (self.are_files_stale, self.is_hub_stale, self.is_anybody_untold) = (true, true, !self.watchers.is_empty());
        self.counters.send_modify(|counters| {
            counters.render = took;
            counters.stories_left_out = rendered.stories_left_out();
        });
        tracing::debug!(name: "output.published", outputs = self.outputs.len(), "published");
        if edition == self.edition && self.is_synced {
            self.announce();
        }
        self.tell_health();
        match rendered.failures() {
            failures if failures.is_empty() => Ok(()),
            failures => self.failed(Work::Publish, Failure::Some(failures.join("; "))),
        }
    }

    /// Begins to run the commands that follow changed files.
    pub(super) fn run_commands(&mut self) {
        let (store, outputs) = (self.store.clone(), self.outputs.clone());
        self.tasks.begin(Work::Commands, async move {
            let failed = after::run(&store, &outputs).await?;
            if failed.is_empty() { Ok(Done::CommandsRun) } else { Err(Failure::Some(failed.join("; "))) }
        });
    }

    /// Begins to tell people of stories.
    pub(super) fn notify(&mut self, now: DateTime<Utc>) {
        let (store, watchers) = (self.store.clone(), self.watchers.clone());
        let agent = self.config.poll.user_agent.clone();
        self.tasks.begin(Work::Notify, async move {
            let untold = notify::tell(&store, &watchers, &agent, now).await?;
            if untold.is_empty() { Ok(Done::Notified) } else { Err(Failure::Some(untold.join("; "))) }
        });
    }

    /// Begins to tell the hub which documents changed. Without a hub nobody is told.
    pub(super) fn tell_hub(&mut self) {
        let Some(hub) = self.config.serve.hub.clone() else { return };
        let agent = self.config.poll.user_agent.clone();
        let (store, published) = (self.store.clone(), self.published.borrow().clone());
        self.tasks.begin(Work::TellHub, async move {
            publisher::tell_of_changes(&store, &published, |_| true, &hub, &agent).await?;
            Ok(Done::HubTold)
        });
    }
}
