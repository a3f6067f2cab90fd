//! The values that the stages hand to each other.
//!
//! Pure: data and its spelling, no decisions. The stages that make and use them are named in `lib`.

pub mod history;
pub mod hub;
pub mod media_type;
pub mod permalink;
pub mod rhythm;

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use url::Url;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use crate::model::history::History;
use crate::model::permalink::Permalink;
use crate::model::rhythm::Rhythm;

/// How far folding may go. Each level includes the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Every entry is a story of its own.
    Off,
    /// Entries with the same permalink.
    Link,
    /// Entries with the same text.
    Copy,
    /// Entries that tell the same event in other words.
    #[default]
    Story,
}

impl Level {
    /// Every level with its name in the configuration, the weakest first.
    pub const NAMES: [(&'static str, Self); 4] =
        [("off", Self::Off), ("link", Self::Link), ("copy", Self::Copy), ("story", Self::Story)];
}

/// How much is asked of two tellings before they are folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Hardly ever a false fold.
    #[default]
    Careful,
}

impl Profile {
    /// Every profile with its name in the configuration.
    pub const NAMES: [(&'static str, Self); 1] = [("careful", Self::Careful)];
}

/// Our handle for a feed in the store. Never leaves the machine: a rebuilt store numbers anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct FeedRef(pub u64);

/// Our handle for an entry in the store. Later entries have larger ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct EntryRef(pub u64);

/// Our handle for a story in the store: that of the entry which founded it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct StoryRef(pub u64);

impl StoryRef {
    /// The story that `founder` founds.
    #[must_use]
    pub fn founded_by(founder: EntryRef) -> Self {
        Self(founder.0)
    }
}

/// The publisher's permanent name for an entry, or the one that `normalise` made where there was none.
///
/// Unique within its feed only: another feed may use the same text for something else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub String);

impl EntryId {
    /// The 64 bits under which the store looks the id up; the text decides on a hit.
    #[must_use]
    pub fn hash(&self) -> i64 {
        xxh3_64(self.0.as_bytes()).cast_signed()
    }
}

/// The public name of a story, the same for life and in every rebuilt store.
///
/// Derived from the entry that founded it: a UUID of version 8 (RFC 9562 §5.8), of which the first four bytes are the
/// feed's, so that its stories stand together in the store, and the rest is over the feed's address and the entry's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StoryId(pub [u8; 16]);

impl EntryId {
    /// The name of the story that the entry is at another newsfold, whose ids are such, before the names that it goes by
    /// elsewhere.
    #[must_use]
    pub fn with(&self, known_as: &[StoryId]) -> Vec<StoryId> {
        let own = self.0.starts_with("urn:uuid:").then(|| self.0.parse().ok()).flatten();
        own.into_iter().chain(known_as.iter().copied()).collect()
    }
}

impl StoryId {
    /// The id of the story that entry `id` of the feed first configured at `address` founds.
    #[must_use]
    pub fn derive(address: &str, id: &EntryId) -> Self {
        StoryNames::of(address).story(id)
    }

    /// The end of the id, which is enough to tell stories apart by hand. (All stories that a feed founds begin alike.)
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string().split_off(36 - Self::SHORT)
    }

    /// How many characters [`StoryId::short`] has.
    pub const SHORT: usize = 8;

    /// The id as a URI, for the `id` and `guid` elements of what we publish.
    #[must_use]
    pub fn urn(&self) -> String {
        format!("urn:uuid:{self}")
    }
}

/// What the ids of all stories of one feed have in common, so that it is derived once for many.
#[derive(Debug, Clone)]
pub struct StoryNames {
    feed: [u8; 4],
    /// What their names are made of before the entry's id.
    prefix: Vec<u8>,
}

impl StoryNames {
    /// Of the feed first configured at `address`.
    #[must_use]
    pub fn of(address: &str) -> Self {
        let mut feed = [0; 4];
        feed.copy_from_slice(&sha256(&[b"newsfold feed\0", address.as_bytes()].concat()).as_ref()[..4]);
        Self { feed, prefix: [b"newsfold story\0", address.as_bytes(), b"\0"].concat() }
    }

    /// The id of the story that entry `id` founds.
    #[must_use]
    pub fn story(&self, id: &EntryId) -> StoryId {
        let story = sha256(&[&*self.prefix, id.0.as_bytes()].concat());
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&self.feed);
        bytes[4..].copy_from_slice(&story.as_ref()[..12]);
        StoryId(uuid::Builder::from_custom_bytes(bytes).into_uuid().into_bytes())
    }
}

fn sha256(bytes: &[u8]) -> digest::Digest {
    digest::digest(&digest::SHA256, bytes)
}

impl fmt::Display for StoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).fmt(f)
    }
}

/// The text is no story id.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a story id is a UUID such as `0b5c1f0e-3c7a-8d52-9a64-5a2b7c0d9e1f`")]
pub struct StoryIdError;

impl FromStr for StoryId {
    type Err = StoryIdError;

    /// Reads any form of RFC 9562 §4, with or without hyphens or `urn:uuid:` before it, in either case.
    fn from_str(text: &str) -> Result<Self, StoryIdError> {
        Uuid::try_parse(text).map(|id| Self(id.into_bytes())).map_err(|_| StoryIdError)
    }
}

/// Someone who wrote an entry.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Person {
    /// The name as it is shown.
    pub name: String,
    /// An electronic mail address, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// A page about the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// A media file attached to an entry.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Enclosure {
    /// Where it is.
    pub url: String,
    /// Its media type, such as `audio/mpeg`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Its size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
}

/// Whether it is spelt as a media type: two names of at most 127 characters each (RFC 6838 §4.2).
#[must_use]
pub fn is_media_type(text: &str) -> bool {
    let is_name = |name: &str| {
        (1..=127).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    text.split_once('/').is_some_and(|(kind, name)| is_name(kind) && is_name(name))
}

/// A telling of a story that is known from another newsfold alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relayed {
    /// Who tells it.
    #[serde(rename = "s")]
    pub source: String,
    /// Under which title, plain text; empty where none is said.
    #[serde(rename = "t", default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Its page.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// The document of its feed.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub feed_url: Option<String>,
    /// The page that its feed belongs to.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// When.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub at: Option<DateTime<Utc>>,
}

/// What an entry holds beside the columns that the store looks things up by.
///
/// The markup is as the publisher sent it: whoever shows it sanitises it first (`sanitise`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail {
    /// A short form, HTML.
    #[serde(rename = "s", skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// The full form, HTML.
    #[serde(rename = "c", skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The address that relative links inside the markup are resolved against; the permalink where absent.
    #[serde(rename = "b", skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Who wrote it.
    #[serde(rename = "a", skip_serializing_if = "Vec::is_empty")]
    pub authors: Vec<Person>,
    /// The publisher's own labels.
    #[serde(rename = "k", skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// Attached media files.
    #[serde(rename = "e", skip_serializing_if = "Vec::is_empty")]
    pub enclosures: Vec<Enclosure>,
    /// BCP 47 tag of the text's language.
    #[serde(rename = "l", skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The address of a picture that stands for the entry.
    #[serde(rename = "i", skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The page where readers comment on it.
    #[serde(rename = "d", skip_serializing_if = "Option::is_none")]
    pub comments: Option<String>,
    /// How many comments there were.
    #[serde(rename = "n", skip_serializing_if = "Option::is_none")]
    pub comment_count: Option<u64>,
    /// The id of what it answers, a URI (RFC 4685 §3).
    #[serde(rename = "r", skip_serializing_if = "Option::is_none")]
    pub in_reply_to: Option<String>,
    /// The title of the feed that it was taken over from, by its publisher's word, and that feed's page.
    #[serde(rename = "f", skip_serializing_if = "Option::is_none")]
    pub taken_from: Option<(String, Option<String>)>,
    /// The document of that feed, by its publisher's word.
    #[serde(rename = "g", skip_serializing_if = "Option::is_none")]
    pub taken_from_document: Option<String>,
    /// Who else tells its story, by its publisher's word: what another newsfold says.
    #[serde(rename = "o", skip_serializing_if = "Vec::is_empty")]
    pub also_told_by: Vec<Relayed>,
    /// Under which names newsfolds on the way know its story, the nearest first, by its publisher's word.
    #[serde(rename = "w", skip_serializing_if = "Vec::is_empty")]
    pub known_as: Vec<StoryId>,
    /// Whether the store could not give back what was put there, so that nothing else is here.
    #[serde(skip)]
    pub is_damaged: bool,
}

/// One thing that a feed publishes, normalised and ready for the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The publisher's name for it.
    pub id: EntryId,
    /// Its one web address; `None` when it has none.
    pub permalink: Option<Permalink>,
    /// The address that its id spells, where the id is a web address other than the permalink.
    pub id_permalink: Option<Permalink>,
    /// Plain text; empty when the publisher gave none.
    pub title: String,
    /// First put out, by the publisher's word.
    pub published: Option<DateTime<Utc>>,
    /// Last changed, by the publisher's word.
    pub updated: Option<DateTime<Utc>>,
    /// Everything else.
    pub detail: Detail,
    /// Hash over all that a reader sees; it differs when the publisher edited the entry.
    pub digest: i64,
    /// Whether its document broke off in it: what is known of it is better.
    pub is_half_told: bool,
}

/// The two strings by which a server recognises the document that we hold, byte for byte (RFC 9110 §8.8).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Validators {
    /// `ETag`.
    pub etag: Option<Vec<u8>>,
    /// `Last-Modified`.
    pub last_modified: Option<Vec<u8>>,
}

impl Validators {
    /// Whether there is nothing to make a GET conditional with.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }

    /// The validators, or none.
    #[must_use]
    pub fn only_if(self, is_so: bool) -> Self {
        if is_so { self } else { Self::default() }
    }
}

/// What a feed's own document says about when to come back, remembered across answers without a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Hints {
    /// RSS `ttl`, and the period that the syndication module names: how long the document stays fresh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<u64>,
    /// `sy:updatePeriod` divided by `sy:updateFrequency`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_period_s: Option<u64>,
    /// RSS `skipHours`: bit N set means not to come between N:00 and N:59 GMT.
    pub skip_hours: u32,
    /// RSS `skipDays`: bit 0 is Monday.
    pub skip_days: u8,
}

/// A feed that we poll: where it is, and what is remembered of the polls so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// Our handle.
    pub feed: FeedRef,
    /// The address it was first configured with; story ids derive from it.
    pub identity: String,
    /// The address it is configured with.
    pub address: Url,
    /// The name it is configured with.
    pub name: String,
    /// Where a permanent redirect led to a good feed.
    pub moved_to: Option<Url>,
    /// What to make the next GET conditional with.
    pub validators: Validators,
    /// Hash of the last document as it was received.
    pub body_hash: Option<i64>,
    /// Size of the last document as it was received.
    pub body_bytes: Option<u64>,
    /// When to come back, by the last document's word.
    pub hints: Hints,
    /// The feed's own title, plain text.
    pub title: Option<String>,
    /// The page that the feed belongs to.
    pub link: Option<String>,
    /// When it is polled next.
    pub next_poll: DateTime<Utc>,
    /// Why then, for a person.
    pub next_poll_why: String,
    /// What the configuration said about its cadence when that was planned.
    pub planned_by: Option<String>,
    /// Until when the last answer is fresh, by its headers.
    pub fresh_until: Option<DateTime<Utc>>,
    /// Until when a hub has promised to tell of its changes; `None` too when that promise was broken.
    pub told_until: Option<DateTime<Utc>>,
    /// Until when its server asked to be left alone (`Retry-After`).
    pub not_before: Option<DateTime<Utc>>,
    /// When it was last asked.
    pub last_poll: Option<DateTime<Utc>>,
    /// When it last answered well.
    pub last_success: Option<DateTime<Utc>>,
    /// When it last answered with a document.
    pub last_full: Option<DateTime<Utc>>,
    /// How many polls have failed since the last good one.
    pub failures: u32,
    /// Since when.
    pub failing_since: Option<DateTime<Utc>>,
    /// What the last failure was, for a person.
    pub last_error: Option<String>,
    /// Since when it is gone for good (410).
    pub retired_at: Option<DateTime<Utc>>,
    /// How many times it was asked.
    pub polls: u64,
    /// How many of the answers were "not modified", or the same document again.
    pub not_modified: u64,
    /// How many bytes those answers spared.
    pub saved_bytes: u64,
    /// How long it takes to answer, smoothed over the last polls.
    pub response_ms: Option<u64>,
    /// What the last document needed to be read, and what was left out of it.
    pub repairs: Vec<String>,
    /// What came of the last polls.
    pub recent: History,
    /// Where the document that we hold came from, when that was behind a redirect: its validators are that address's.
    pub read_from: Option<Url>,
    /// When it last published.
    pub rhythm: Rhythm,
    /// How many documents in a row held nothing but entries not seen before.
    pub floods: u32,
}

impl Feed {
    /// The address to poll: where it has moved to, else where it is configured.
    ///
    /// When the new address keeps failing, the configured one is tried every other time: moves are sometimes mistakes.
    #[must_use]
    pub fn target(&self) -> &Url {
        let doubtful = self.failures >= 4 && self.failures.is_multiple_of(2);
        self.moved_to.as_ref().filter(|_| !doubtful).unwrap_or(&self.address)
    }

    /// When a feed is due that is not to be polled.
    pub const NEVER: DateTime<Utc> = DateTime::from_timestamp(253_370_764_800, 0).unwrap();

    /// When it is polled next; `None` when it is not: it is gone, or the list that named it does so no more.
    #[must_use]
    pub fn next(&self) -> Option<DateTime<Utc>> {
        (self.retired_at.is_none() && self.next_poll < Self::NEVER).then_some(self.next_poll)
    }

    /// How it is doing, in a word.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match self {
            Self { retired_at: Some(_), .. } => "gone",
            Self { failures: 1.., .. } => "failing",
            Self { last_success: None, .. } => "new",
            _ => "ok",
        }
    }
}

/// Something about an entry or a feed that could not be read and was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Which entry, by title or position; `None` for the feed itself.
    pub entry: Option<String>,
    /// What was wrong with it, for a person.
    pub what: String,
}

#[cfg(test)]
impl Feed {
    /// A feed that was never asked.
    pub(crate) fn unasked(feed: FeedRef, address: &str) -> Self {
        Self {
            feed,
            identity: address.to_owned(),
            address: address.parse().unwrap(),
            name: address.to_owned(),
            moved_to: None,
            validators: Validators::default(),
            body_hash: None,
            body_bytes: None,
            hints: Hints::default(),
            title: None,
            link: None,
            next_poll: DateTime::UNIX_EPOCH,
            next_poll_why: String::new(),
            planned_by: None,
            fresh_until: None,
            told_until: None,
            not_before: None,
            last_poll: None,
            last_success: None,
            last_full: None,
            failures: 0,
            failing_since: None,
            last_error: None,
            retired_at: None,
            polls: 0,
            not_modified: 0,
            saved_bytes: 0,
            response_ms: None,
            repairs: Vec::new(),
            recent: History::default(),
            read_from: None,
            rhythm: Rhythm::default(),
            floods: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_id_reads_back_in_every_spelling() {
        let id = StoryId::derive("https://example.org/feed", &EntryId("1".into()));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.urn().parse(), Ok(id));
        assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
        assert_eq!("nonsense".parse::<StoryId>(), Err(StoryIdError));
        assert_eq!(
            id.to_string(),
            "570395d2-91fd-88ea-b57f-8671450484ba",
            "a rebuilt store gives the same ids as every version before"
        );
    }

    #[test]
    fn a_story_id_depends_on_feed_and_entry() {
        let id = |address, entry: &str| StoryId::derive(address, &EntryId(entry.into()));
        assert_eq!(id("a", "1"), id("a", "1"));
        assert_ne!(id("a", "1"), id("b", "1"));
        assert_ne!(id("a", "1"), id("a", "2"));
        assert_eq!(id("a", "1").0[..4], id("a", "2").0[..4], "the stories of a feed stand together");
    }
}
