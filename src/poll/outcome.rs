//! What a poll comes to.
//!
//! Pure: values, and what an error counts as.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::job::Trigger;
use super::readers::Unread;
use crate::fetch::{self, Reply, decode};
use crate::ingest::Ingested;
use crate::model::history::Outcome;
use crate::model::hub::HubLinks;
use crate::model::{Entry, Feed, Hints};
use crate::parse;
use crate::politeness::connectivity::{Sign, Turn};

/// What came of a poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Polled {
    /// A new document.
    Document(Ingested),
    /// A list of feeds, and whether it names others than before.
    List(bool),
    /// The document that we hold.
    Unchanged,
    /// The feed is gone for good.
    Gone,
    /// No document; why, for a person.
    Failed(String),
    /// Nobody was asked, or nobody could be; nothing counts.
    Postponed(Postponement),
}

/// Why a poll was put off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Postponement {
    /// Its server asked to be left alone.
    Held,
    /// The network on our side is down.
    Offline,
}

/// A poll that is done and recorded.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    /// The feed as it is remembered now.
    pub feed: Arc<Feed>,
    /// What came of polling it.
    pub polled: Polled,
    /// What it counts as; `None` when nobody was asked.
    pub outcome: Option<Outcome>,
    /// What it says about the network on our side.
    pub turn: Turn,
}

/// What a feed's server was asked, and what came.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Where the poll began.
    pub(crate) address: Url,
    /// Why it was made.
    pub(crate) trigger: Trigger,
    /// How long the answer took.
    pub(crate) took: Duration,
    /// The answer, read.
    pub(crate) answer: Result<Answer, Error>,
}

/// What a feed's server says.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A document that we do not hold.
    News(Box<News>),
    /// The document that we hold.
    Unchanged(Box<Reply>),
    /// That there is none, and will be none.
    Gone,
}

/// A document that was read.
#[derive(Debug)]
pub(crate) struct News {
    pub(crate) reply: Reply,
    pub(crate) hash: i64,
    pub(crate) title: Option<String>,
    pub(crate) link: Option<String>,
    pub(crate) hints: Hints,
    pub(crate) repairs: Vec<String>,
    pub(crate) is_cut_off: bool,
    /// What it and the header fields say of hubs.
    pub(crate) found: Option<HubLinks>,
    pub(crate) entries: Vec<Entry>,
    /// The addresses of the feeds that it names, where it is a list of them.
    pub(crate) list: Option<BTreeSet<String>>,
}

/// Why there is no document to store.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Fetch(#[from] fetch::Error),
    #[error(transparent)]
    Decode(#[from] decode::Error),
    #[error(transparent)]
    Parse(#[from] parse::Error),
    #[error("line {0}")]
    List(#[from] parse::opml::Error),
    #[error("reading the document failed in a way that is a fault of newsfold; please report it with the document")]
    Panicked,
}

impl From<Unread> for Error {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::TakesTooLong => Self::Parse(parse::Error::OutOfTime),
            Unread::Panicked => Self::Panicked,
        }
    }
}

impl Error {
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Fetch(error) => error.outcome(),
            Self::Decode(decode::Error::TooLarge(_)) => Outcome::TooLarge,
            Self::Decode(_) => Outcome::Damaged,
            Self::Parse(_) | Self::List(_) | Self::Panicked => Outcome::Unreadable,
        }
    }

    /// What it says about the network on our side, if anything.
    pub(crate) fn sign(&self) -> Option<Sign> {
        match self.outcome() {
            Outcome::Unreachable => Some(Sign::Unreachable),
            // Silence may be theirs or ours, and what was never sent tells nothing.
            Outcome::TimedOut | Outcome::Forbidden | Outcome::Ours => None,
            _ => Some(Sign::Answered),
        }
    }
}
