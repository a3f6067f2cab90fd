//! What changed is rendered, put where readers see it, and told to the hub.
//!
//! Edge: reads the store, writes the outputs' files, and hands the documents to the server.

use std::time::Duration;

use super::{Daemon, Error};
use crate::clock;
use crate::config::Format;
use crate::fetch;
use crate::publish::files::{self, ArchiveFile};
use crate::publish::{self, Output, Published, Site};
use crate::store::{self, outputs, search};

/// How many entries are indexed at a time for searches, and how many times between two looks at the polls.
const INDEXED_AT_A_TIME: usize = 500;
const INDEXED_AT_ONCE: usize = 10;
/// How many archives are written between two looks at the polls.
const ARCHIVES_AT_ONCE: usize = 5;
/// How often an archive that is there is looked at again.
const ARCHIVE_EVERY: Duration = Duration::from_secs(60);

impl Daemon {
    /// Renders what changed, puts it where readers see it, and tells the hub.
    pub(super) async fn publish(&mut self) -> Result<(), Error> {
        let begun = clock::instant();
        let is_indexed = self.index().await?;
        let before = self.published.borrow().clone();
        let site = || Site { outputs: self.outputs.clone(), look: self.look.clone() };
        let (mut rendered, mut chores) = self.render(site(), before.clone()).await?;
        while !chores.archives.is_empty() {
            // An archive that was closed is named in the document that it belongs to.
            self.store.write(0, move |desk| chores.apply(desk.tx)).await?;
            (rendered, chores) = self.render(site(), rendered).await?;
        }
        if !chores.is_empty() {
            self.store.write(0, move |desk| chores.apply(desk.tx)).await?;
        }
        let are_written = self.write_archives(site()).await?;
        let (written, outputs) = (rendered.clone(), self.outputs.clone());
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || files::write(&written, &outputs)).await {
            tracing::error!("{error}");
        }
        self.tell_hub(&before, &rendered);
        self.published.send_replace(rendered);
        self.corrections = self.store.read(outputs::corrections).await?;
        self.is_stale = !is_indexed || !are_written;
        self.counters.send_modify(|counters| counters.render = begun.elapsed());
        tracing::debug!(outputs = self.outputs.len(), "published");
        Ok(())
    }

    /// Writes the archives that are new, those that documents name first, and now and then another one in turn: what a
    /// publisher corrects is corrected there too. Gives whether all that are new were written.
    async fn write_archives(&mut self, site: Site) -> Result<bool, Error> {
        let outputs = site.outputs.clone();
        let all = self.store.read(move |connection| files::archives(connection, &outputs)).await?;
        let mut due: Vec<ArchiveFile> = all.iter().rev().filter(|file| file.is_due()).cloned().collect();
        let is_all = due.len() <= ARCHIVES_AT_ONCE;
        due.truncate(ARCHIVES_AT_ONCE);
        let (last, turn) = self.archive_turn;
        if last.elapsed() >= ARCHIVE_EVERY && !all.is_empty() {
            due.extend(all.get(turn % all.len()).cloned());
            self.archive_turn = (clock::instant(), turn.wrapping_add(1));
        }
        for file in due {
            let site = site.clone();
            let write = move |connection: &_| Ok(files::write_archive(connection, &site, &file));
            if let Err(error) = self.store.read(write).await? {
                tracing::error!("{error}");
                return Ok(true);
            }
        }
        Ok(is_all)
    }

    pub(super) async fn render(&self, site: Site, before: Published) -> store::Result<(Published, publish::Chores)> {
        let now = clock::now();
        self.store.read(move |connection| publish::publish(connection, site, &before, now)).await
    }

    /// Keeps the index of words up, if somebody searches. Gives whether it has caught up.
    pub(super) async fn index(&self) -> store::Result<bool> {
        let is_searched = self.outputs.iter().any(|output| output.config.query.is_some());
        if !is_searched && self.store.read(search::filled).await?.is_none() {
            return Ok(true);
        }
        for _ in 0..INDEXED_AT_ONCE {
            if self.store.read(search::is_current).await? {
                return Ok(true);
            }
            self.store.write(0, |desk| search::fill(desk.tx, INDEXED_AT_A_TIME)).await?;
        }
        Ok(false)
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
