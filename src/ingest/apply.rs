//! Writes down what was planned of a document.
//!
//! Edge, inside the transaction of [`super::ingest`]. What is to be written is `plan`'s to decide, and whether an edited entry
//! still belongs to its story `belonging`'s.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::plan::{self, Addition, Listing, Told};
use super::record::{Ingested, PollRecord};
use crate::fold::fingerprint::Fingerprint;
use crate::fold::plan::{Rule, Verdict};
use crate::model::{Entry, EntryRef, StoryRef};
use crate::store::texts::{Kept, Place};
use crate::store::{Connection, Result, entries, fingerprints, follows, known_as, retention, search, stories, texts};
use crate::update::{Changes, Revision};

/// A document on its way into the store.
pub(super) struct Transaction<'a> {
    pub(super) tx: &'a Connection,
    pub(super) record: &'a PollRecord,
    /// Stories whose coverage or whose tellings changed.
    pub(super) touched: BTreeSet<StoryRef>,
    /// How many texts were too large for the store.
    pub(super) shortened: usize,
    /// What the weights learned, in its order.
    terms: Vec<u8>,
}

impl<'a> Transaction<'a> {
    pub(super) fn begin(tx: &'a Connection, record: &'a PollRecord) -> Self {
        Self { tx, record, touched: BTreeSet::new(), shortened: 0, terms: Vec::new() }
    }

    /// Stores the texts of entries, and gives where each went.
    pub(super) fn keep<'e>(&mut self, entries: impl Iterator<Item = &'e Entry>) -> Result<Vec<Place>> {
        let Kept { places, shortened } = texts::keep(self.tx, entries.map(|entry| &entry.detail))?;
        self.shortened += shortened;
        Ok(places)
    }

    /// Stores a new entry whose text is at `text`, and why it is in the story that it tells.
    pub(super) fn add(
        &mut self,
        statement: &mut entries::Additions<'_>,
        addition: &Addition<'_>,
        text: Place,
        ingested: &mut Ingested,
    ) -> Result<()> {
        let (tx, at, feed) = (self.tx, self.record.at, self.record.feed.feed);
        let Addition { arrival, told } = addition;
        let entry = arrival.handle;
        if arrival.is_back {
            retention::recall(tx, feed, &arrival.entry.id)?;
        }
        if let Some(name) = told.as_ref().and_then(|told| told.founds) {
            stories::found(tx, entry, name, arrival.shown, at)?;
        }
        let story = told.as_ref().map(|told| told.fold.verdict.story(entry));
        let place = arrival.shown.map(|shown| shown.sort_at);
        let row = entries::Addition { handle: entry, feed, entry: arrival.entry, text, story, place };
        statement.add(&row, at)?;
        let (Some(told), Some(story)) = (told, story) else {
            ingested.dropped += 1;
            return Ok(());
        };
        if let Verdict::Joins { rule, .. } = &told.fold.verdict
            && !told.is_founder
        {
            ingested.folds.add(*rule);
        }
        if self.record.options.is_aggregator {
            known_as::add(tx, entry, &arrival.elsewhere)?;
        }
        self.enter(entry, story, told, at)
    }

    /// Stores why an entry is in its story, which stories are one now, and what later entries have to know of it.
    fn enter(&mut self, entry: EntryRef, story: StoryRef, told: &Told, at: DateTime<Utc>) -> Result<()> {
        let Told { fold, is_founder, made_way, .. } = told;
        if let Verdict::Joins { rule, found, absorbs } = &fold.verdict {
            if !is_founder {
                stories::link(self.tx, entry, *rule, found, at)?;
            }
            for younger in absorbs {
                stories::absorb(self.tx, story, *younger, Rule::Story, found, at)?;
            }
            self.touched.insert(story);
        }
        if let Some(followed) = fold.verdict.follows() {
            follows::add(self.tx, story, followed, at)?;
        }
        fold.fingerprint.iter().try_for_each(|fingerprint| self.remember(fingerprint))?;
        if made_way.is_empty() {
            return Ok(());
        }
        made_way.iter().try_for_each(|claim| fingerprints::discount(self.tx, *claim))?;
        entries::take_over(self.tx, entry, made_way, at)
    }

    /// Stores what later entries are folded by.
    pub(super) fn remember(&mut self, fingerprint: &Fingerprint) -> Result<()> {
        fingerprint.terms_to_bytes(&mut self.terms);
        fingerprints::add(self.tx, fingerprint)
    }

    /// Stores which entries have other ids, and the texts of those whose text was lost.
    pub(super) fn rename_and_restore(&mut self, changes: &Changes<'_>) -> Result<()> {
        for (entry, now) in &changes.renamed {
            entries::rename(self.tx, *entry, now)?;
        }
        let restored = self.keep(changes.restored.iter().map(|(_, now)| *now))?;
        for ((entry, _), text) in changes.restored.iter().zip(restored) {
            entries::restore(self.tx, *entry, text)?;
        }
        Ok(())
    }

    /// Stores what a publisher made of an entry, and has the story updated that it speaks for. Gives the story that it told
    /// until now, if it is to be asked whether it still does.
    pub(super) fn revise(&mut self, revision: &Revision<'_>, text: Place) -> Result<Option<StoryRef>> {
        let (tx, at, feed) = (self.tx, self.record.at, &self.record.feed);
        // That others tell its story too is no edit of a publisher's.
        let is_as_written = !revision.was_damaged && entries::is_as_written(tx, revision.entry, revision.now)?;
        let has_moved = match entries::revise(tx, feed.feed, revision, text, at) {
            // It stays as it is, and hidden where its row is damaged, until the store is repaired.
            Err(error) if error.is_corruption() => {
                tracing::warn!(
                    name: "entry.not_revised",
                    { feed.name, entry.id = revision.entry.0 },
                    "an edited entry cannot be stored: {error}"
                );
                return Ok(None);
            }
            revised => revised?,
        };
        search::revise(tx, revision.entry, revision.now)?;
        // What was damaged comes back, and no reader is told of an edit.
        if revision.was_damaged {
            self.touched.extend(stories::told_by(tx, revision.entry)?);
            return Ok(None);
        }
        if is_as_written {
            return Ok(None);
        }
        if let Some(mut story) = stories::spoken_for_by(tx, revision.entry)? {
            story.updated = Some(plan::revised_at(revision.now, &story, at));
            stories::save(tx, &story)?;
        }
        let story = stories::told_by(tx, revision.entry)?;
        self.touched.extend(story.filter(|_| has_moved));
        Ok(story)
    }

    /// Stores which entries left the document and which came back; a withdrawn one no longer speaks for its story.
    pub(super) fn relist(&mut self, listing: &Listing) -> Result<()> {
        let Listing { gone, withdrawn, back, .. } = listing;
        entries::relist(self.tx, gone, withdrawn, back, self.record.at)?;
        for entry in withdrawn {
            self.touched.extend(stories::spoken_for_by(self.tx, *entry)?.map(|story| story.story));
        }
        for entry in back {
            self.touched.extend(stories::told_by(self.tx, *entry)?);
        }
        Ok(())
    }

    /// Counts the sources of stories that were joined, chooses anew who speaks for them, and notes what was learned.
    pub(super) fn settle(&self) -> Result<()> {
        fingerprints::note_terms(self.tx, &self.terms)?;
        self.touched.iter().try_for_each(|story| stories::settle(self.tx, *story, self.record.at))
    }
}
