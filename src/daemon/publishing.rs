//! What changed is rendered, put where readers see it, and told to the hub.
//!
//! Edge: reads the store, writes the outputs' files, and hands the documents to the server.

use super::{Daemon, Error};
use crate::clock;
use crate::config::Format;
use crate::fetch;
use crate::publish::{self, Output, Published, Site, files};
use crate::store::{self, outputs, search};
use crate::upkeep;

/// How many steps the index for searches is brought on between two looks at the polls.
const INDEXED_AT_ONCE: usize = 10;

impl Daemon {
    /// Renders what changed, puts it where readers see it, and tells the hub.
    pub(super) async fn publish(&mut self) -> Result<(), Error> {
        let begun = clock::instant();
        let is_indexed = self.index().await?;
        let before = self.published.borrow().clone();
        let site = Site { outputs: self.outputs.clone(), look: self.look.clone() };
        let rendered = publish::publish(&self.store, &site, before.clone()).await?;
        // An archive stands there before a document names it.
        for written in [files::write_new_archives(&self.store, &rendered).await, files::write(&rendered).await] {
            if let Err(error) = written {
                tracing::error!("{error}");
            }
        }
        self.archive(&rendered);
        self.tell_hub(&before, &rendered);
        for (story, title) in rendered.damaged().iter().filter(|(story, _)| !before.damaged().contains_key(story)) {
            tracing::error!(
                story.id = %story,
                "{title}: its text is damaged in the store, so it is shown without; `newsfold store check --repair` has its feed asked for it again"
            );
        }
        self.published.send_replace(rendered);
        self.tell_health();
        self.corrections = self.store.read(outputs::corrections).await?;
        self.is_stale = !is_indexed;
        self.counters.send_modify(|counters| counters.render = begun.elapsed());
        tracing::debug!(outputs = self.outputs.len(), "published");
        Ok(())
    }

    /// Begins to bring the files of older archives up to date, unless that is still being done.
    fn archive(&mut self, published: &Published) {
        while self.archiving.try_join_next().is_some() {}
        if self.archiving.is_empty() {
            let (store, published) = (self.store.clone(), published.clone());
            self.archiving.spawn(async move {
                if let Err(error) = files::compare_archives(&store, &published, clock::now()).await {
                    tracing::error!("{error}");
                }
            });
        }
    }

    /// Keeps the index of words up, if somebody searches. Gives whether it has caught up.
    pub(super) async fn index(&self) -> store::Result<bool> {
        let is_searched = self.outputs.iter().any(|output| output.config.query.is_some());
        if !is_searched && self.store.read(search::filled).await?.is_none() {
            return Ok(true);
        }
        upkeep::index(&self.store, INDEXED_AT_ONCE).await
    }

    /// Tells the hub which documents changed, without waiting for it.
    pub(super) fn tell_hub(&self, before: &Published, now: &Published) {
        let Some(hub) = &self.config.serve.hub else { return };
        let formats = |output: &Output| {
            let is_document = |format: &&Format| **format != Format::Html;
            let heading = output.heading();
            output
                .config
                .formats
                .iter()
                .filter(is_document)
                .map(|format| heading.address(format.ending()))
                .collect::<Vec<_>>()
        };
        let changed: Vec<String> = now.changed_since(before).into_iter().flat_map(formats).collect();
        if !changed.is_empty() {
            let (hub, agent) = (hub.clone(), self.config.poll.user_agent.clone());
            tokio::spawn(async move {
                match fetch::hub::tell(&hub, &changed, &agent).await {
                    Ok(()) => tracing::debug!(documents = changed.len(), "the hub was told"),
                    Err(error) => {
                        tracing::warn!("the hub was not told of a change: {error}; subscribers find it when they poll")
                    }
                }
            });
        }
    }

    /// A person may have corrected stories with `split` or `join`: then they are published anew.
    pub(super) async fn look_for_corrections(&mut self) -> Result<(), Error> {
        let corrections = self.store.read(outputs::corrections).await?;
        self.is_stale |= corrections != self.corrections;
        Ok(())
    }
}
