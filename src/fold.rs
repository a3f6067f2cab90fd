//! Which entries tell one story.
//!
//! Pure: no clock, no network, no disk. An entry is read into [`features::Features`]; [`index::Index::decide`] plans what it joins and
//! why; [`index::Index::apply`] carries the plan out on the index. Storing both is the caller's work, and from what was stored
//! [`index::Index::restore`] makes the index anew without reading a text or deciding anything a second time.
//!
//! The parts, in the order an entry passes through them: `text` and `language` (words and stems), `title` (the form of a title),
//! `boilerplate` (what a feed repeats), `features` (the entry read), `weights` and `vector` (how much each term tells), `copy` (the same
//! text), `link` (the same page), `score` (another telling), `index` (the stories of the window; `compare` within it lays an entry beside one of them; over `stories`, `members`, `postings`, `hash` and `chunked_queue`),
//! `plan`, `evidence` and `fingerprint` (what is decided and what is kept), `folding` (one entry after another). `words` asks whether an edited entry still says the same; `canonical`
//! chooses who speaks; `lines` is `newsfold fold`. `cross_lingual` (over `names`) knows tellings in other languages by the vectors
//! of an encoder, after all that.
//!
//! # Examples
//! ```
//! use chrono::{DateTime, TimeDelta};
//! use newsfold::fold::index::Index;
//! use newsfold::fold::weights::Weights;
//! use newsfold::fold::{Article, EntryRef, Level, Rules};
//!
//! let mut index = Index::new(Rules::default(), Weights::default());
//! let noon = DateTime::from_timestamp(1_767_268_800, 0).unwrap();
//! let text = "All 212 passengers of the Lady Ansel were taken off by lifeboats in thick fog on Friday night.";
//! let told = [("Ferry runs aground off Port Sable", text), ("Lifeboats take 212 off ferry", text), ("Fish market opens", "")];
//! let stories: Vec<u64> = (1..)
//!     .zip(told)
//!     .map(|(number, (title, content))| {
//!         let at = noon + TimeDelta::minutes(i64::try_from(number).unwrap_or_default());
//!         let article = Article {
//!             entry: EntryRef(number),
//!             feed: Some(number),
//!             page: None,
//!             title,
//!             summary: "",
//!             content,
//!             language: Some("en"),
//!             at,
//!             published: Some(at),
//!         };
//!         let decision = index.plan(&article, Level::Story, None);
//!         index.apply(&decision).0
//!     })
//!     .collect();
//! assert_eq!(stories, [1, 1, 3], "the second tells the first one's story, the third one of its own");
//! ```

pub mod boilerplate;
pub mod canonical;
mod chunked_queue;
pub mod copy;
pub mod cross_lingual;
pub mod evidence;
pub mod features;
pub mod fingerprint;
pub mod folding;
mod hash;
pub mod index;
pub mod language;
mod lexicon;
pub mod lines;
pub mod link;
mod members;
mod names;
pub mod plan;
mod postings;
pub mod score;
mod stories;
pub mod text;
pub mod title;
pub mod vector;
pub mod weights;
pub mod words;

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::permalink::Permalink;
pub use crate::model::{EntryRef, Level, Profile, StoryRef};

/// What folding reads of an entry.
#[derive(Debug, Clone, Copy)]
pub struct Article<'a> {
    /// The entry.
    pub entry: EntryRef,
    /// Its feed; `None` when unknown.
    pub feed: Option<u64>,
    /// Its page.
    pub page: Option<&'a Permalink>,
    /// Its title, plain text.
    pub title: &'a str,
    /// Its summary, plain text.
    pub summary: &'a str,
    /// Its content, plain text.
    pub content: &'a str,
    /// Its language tag, or its feed's.
    pub language: Option<&'a str>,
    /// When it came.
    pub at: DateTime<Utc>,
    /// When its publisher put it out, if it says so.
    pub published: Option<DateTime<Utc>>,
}

/// What folding goes by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// How far it goes, where a feed does not say otherwise.
    pub level: Level,
    /// How sure it has to be.
    pub profile: Profile,
    /// How long an entry is remembered; beyond it only a link is recognised, and by the store.
    pub window: TimeDelta,
    /// How many entries are remembered at most, however many come within the window.
    pub entries_at_most: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            level: Level::default(),
            profile: Profile::default(),
            window: TimeDelta::days(3),
            entries_at_most: 2_000_000,
        }
    }
}
