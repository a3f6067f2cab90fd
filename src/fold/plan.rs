//! What is to become of an entry, and why: the plan that `Index::decide` makes and `Index::apply` carries out.
//!
//! Pure: values to print, to store with the entry, or to throw away.

use serde::Serialize;

use super::fingerprint::Fingerprint;
use super::link::Linked;
use super::score::{Similarity, Veto};
use super::{EntryRef, StoryRef};

/// By which rule an entry joined a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// The same permalink.
    Link,
    /// The same text.
    Copy,
    /// The same happening.
    Story,
    /// A person said so.
    Person,
}

/// A plan: what an entry is and what is to become of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The entry, as it is to be kept.
    pub fingerprint: Fingerprint,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// What is to become of an entry.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It founds a story, which takes its number.
    New {
        /// The story that came nearest, and why it was not enough.
        nearest: Option<Box<Match>>,
    },
    /// It joins one.
    Joins {
        /// The rule.
        rule: Rule,
        /// The story and the evidence.
        found: Box<Match>,
        /// Younger stories that turn out to be this one; their names answer with it from now on.
        absorbs: Vec<StoryRef>,
    },
}

impl Verdict {
    /// The story that the entry follows with one of its own, and the evidence.
    #[must_use]
    pub fn follows(&self) -> Option<&Match> {
        match self {
            Self::New { nearest } => nearest.as_deref().filter(|nearest| nearest.follows),
            Self::Joins { .. } => None,
        }
    }

    /// The story that `entry` will be in.
    #[must_use]
    pub fn story(&self, entry: EntryRef) -> StoryRef {
        match self {
            Self::New { .. } => StoryRef::founded_by(entry),
            Self::Joins { found, .. } => found.story,
        }
    }
}

impl Decision {
    /// The story that the entry will be in.
    pub fn story(&self) -> StoryRef {
        self.verdict.story(self.fingerprint.entry)
    }
}

/// How an entry compares with a story.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Match {
    /// The story.
    pub story: StoryRef,
    /// The member that is nearest.
    pub matched: EntryRef,
    /// How alike they are; for a copy, the share of the shorter text that the other holds.
    pub score: f32,
    /// How alike they had to be.
    pub threshold: f32,
    /// Whether the entry tells what follows the story: it would have joined if the story were young and began with the same.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub follows: bool,
    /// What forbade the fold, if anything did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub veto: Option<Veto>,
    /// The measurements; none were taken for a link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub likeness: Option<Similarity>,
    /// The words that carried it, heaviest first, as they stood in the entry.
    pub terms: Vec<String>,
}

impl From<Linked> for Match {
    /// A link is certain, and needs no measurement.
    fn from(Linked { story, matched }: Linked) -> Self {
        Self {
            story,
            matched,
            score: 1.0,
            threshold: 1.0,
            follows: false,
            veto: None,
            likeness: None,
            terms: Vec::new(),
        }
    }
}

impl From<Linked> for Verdict {
    fn from(linked: Linked) -> Self {
        Self::Joins { rule: Rule::Link, found: Box::new(linked.into()), absorbs: Vec::new() }
    }
}

impl Rule {
    /// The rule's name, as stored and shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Copy => "copy",
            Self::Story => "story",
            Self::Person => "person",
        }
    }
}
