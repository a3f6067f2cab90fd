//! What is taken in, and what that comes to.
//!
//! Pure: values.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::fold::plan::Rule as FoldRule;
use crate::model::rhythm::Rhythm;
use crate::model::{Entry, Feed};
use crate::subscription::IngestOptions;
use crate::update;

/// What came of a poll that brought a document.
#[derive(Debug, Clone)]
pub(crate) struct PollRecord {
    /// The feed as it is to be remembered, with the validators of this document.
    pub feed: Feed,
    /// When it was polled.
    pub at: DateTime<Utc>,
    /// Whether the feed had never been read before.
    pub is_first: bool,
    /// Whether it is not the feed's whole document, so that what is not in it is not gone.
    pub is_partial: bool,
    /// What the document holds, oldest first.
    pub entries: Arc<[Entry]>,
    /// How the configuration wants it taken in.
    pub options: Arc<IngestOptions>,
}

impl PollRecord {
    /// What `before` becomes with what came. Where nothing of it bears a date, that is when it was polled.
    #[must_use]
    pub(crate) fn rhythm_after(&self, before: &Rhythm) -> Rhythm {
        let is_undated =
            !self.is_first && !self.is_partial && self.entries.iter().all(|entry| entry.published.is_none());
        let dates = self.entries.iter().filter_map(|entry| entry.published).chain(is_undated.then_some(self.at));
        let mut rhythm = before.clone();
        rhythm.note(dates, self.at);
        rhythm
    }
}

/// What taking in a document came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ingested {
    /// Entries not seen before.
    pub added: usize,
    /// Entries that their publisher edited.
    pub revised: usize,
    /// New entries that joined a story.
    pub folds: Folds,
    /// New entries that a rule of the configuration dropped.
    pub dropped: usize,
    /// Entries whose text was too large for the store, and is kept in part.
    pub shortened: usize,
}

/// New entries that joined a story, by rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Folds {
    /// They lead to one page.
    pub link: usize,
    /// They have the same text.
    pub copy: usize,
    /// They tell the same happening in other words.
    pub story: usize,
}

impl Folds {
    /// By whichever rule.
    #[must_use]
    pub(crate) fn total(self) -> usize {
        self.link + self.copy + self.story
    }

    pub(super) fn add(&mut self, rule: FoldRule) {
        match rule {
            FoldRule::Link => self.link += 1,
            FoldRule::Copy => self.copy += 1,
            FoldRule::Story => self.story += 1,
            // A person joins stories, not entries that are new.
            FoldRule::Person => {}
        }
    }
}

impl Ingested {
    /// Adds what another document came to.
    pub(crate) fn add(&mut self, other: Self) {
        let Self { added, revised, folds, dropped, shortened } = self;
        *added += other.added;
        *revised += other.revised;
        *dropped += other.dropped;
        *shortened += other.shortened;
        folds.link += other.folds.link;
        folds.copy += other.folds.copy;
        folds.story += other.folds.story;
    }

    /// Whether anything that is published may have changed.
    #[must_use]
    pub(crate) fn changed(&self) -> bool {
        self.added + self.revised > 0
    }
}

/// What of a document is yet to be taken in.
#[derive(Debug, Clone)]
pub(crate) struct Rest {
    pub(super) intake: update::Intake,
    /// Its entries under other ids, where those were given them to be kept apart from others.
    pub(super) apart: Option<Arc<[Entry]>>,
    /// How many of its new entries are still to come.
    pub(super) added: usize,
    /// What came of it so far.
    pub(super) ingested: Ingested,
}

/// How far a document is taken in.
#[derive(Debug, Clone)]
pub(crate) enum Progress {
    /// All of it.
    Done(Ingested),
    /// A part; the rest wants transactions of its own, so that no feed keeps the store from the others for long.
    Partly(Rest),
}

impl Progress {
    /// What came of the document so far.
    #[must_use]
    pub(crate) fn ingested(self) -> Ingested {
        match self {
            Self::Done(ingested) | Self::Partly(Rest { ingested, .. }) => ingested,
        }
    }
}
