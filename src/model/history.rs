//! What came of a feed's last polls.
//!
//! Pure. A feed's row carries its history in a few hundred bytes, so that a chart or a median costs no table and no write of
//! its own. Who draws it is `commands::feeds`' and `publish`'s business.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::Serialize;

/// How many polls are remembered.
pub const KEPT: usize = 48;

/// The form in which a history is stored; another first byte is a history from another age, and forgotten.
const FORM: u8 = 1;

/// What came of one poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A document other than the one before.
    Document,
    /// The same document in full.
    Same,
    /// The word that nothing changed (304).
    NotModified,
    /// The word that the feed is gone for good (410).
    Gone,
    /// Nobody was reached: no name, no route, no connection.
    Unreachable,
    /// The network on our side was down; nothing is held against the feed.
    Offline,
    /// The certificate is not to be trusted.
    Certificate,
    /// The answer broke off, or was none.
    Broken,
    /// The answer took too long.
    TimedOut,
    /// The server asked for fewer requests (429), or for time (503).
    Throttled,
    /// The request was refused (4xx).
    Refused,
    /// The server failed (5xx).
    ServerFailed,
    /// Another status that carries no feed.
    Unexpected,
    /// A redirect that is not followed.
    Redirect,
    /// An address that may not be asked.
    Forbidden,
    /// More header than is read.
    HeadTooLarge,
    /// More document than is read.
    TooLarge,
    /// A document that cannot be unpacked.
    Damaged,
    /// A document that is no feed.
    Unreadable,
    /// A fault on our side: a file or a secret that cannot be read.
    Ours,
}

impl Outcome {
    /// Every outcome; its place is its number in the store, so new ones come last.
    pub const ALL: [Self; 20] = [
        Self::Document,
        Self::Same,
        Self::NotModified,
        Self::Gone,
        Self::Unreachable,
        Self::Offline,
        Self::Certificate,
        Self::Broken,
        Self::TimedOut,
        Self::Throttled,
        Self::Refused,
        Self::ServerFailed,
        Self::Unexpected,
        Self::Redirect,
        Self::Forbidden,
        Self::HeadTooLarge,
        Self::TooLarge,
        Self::Damaged,
        Self::Unreadable,
        Self::Ours,
    ];

    /// Its name in JSON and in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Same => "same",
            Self::NotModified => "not_modified",
            Self::Gone => "gone",
            Self::Unreachable => "unreachable",
            Self::Offline => "offline",
            Self::Certificate => "certificate",
            Self::Broken => "broken",
            Self::TimedOut => "timed_out",
            Self::Throttled => "throttled",
            Self::Refused => "refused",
            Self::ServerFailed => "server_failed",
            Self::Unexpected => "unexpected",
            Self::Redirect => "redirect",
            Self::Forbidden => "forbidden",
            Self::HeadTooLarge => "head_too_large",
            Self::TooLarge => "too_large",
            Self::Damaged => "damaged",
            Self::Unreadable => "unreadable",
            Self::Ours => "ours",
        }
    }

    /// Whether the feed answered well.
    #[must_use]
    pub fn is_good(self) -> bool {
        matches!(self, Self::Document | Self::Same | Self::NotModified)
    }

    fn number(self) -> u8 {
        Self::ALL.iter().position(|known| *known == self).and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX)
    }
}

/// One poll that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When, to the second.
    pub at: DateTime<Utc>,
    /// From the first request to the end of the answer.
    pub took_ms: u64,
    /// The body as it was received, still packed; 0 when there was none.
    pub bytes: u64,
    /// What came of it.
    pub outcome: Outcome,
}

/// A feed's last polls, at most [`KEPT`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History(VecDeque<Sample>);

impl History {
    /// Adds the newest poll, and forgets the oldest when there are too many.
    pub fn push(&mut self, sample: Sample) {
        let whole_second = DateTime::from_timestamp(sample.at.timestamp(), 0).unwrap_or(sample.at);
        self.0.push_back(Sample { at: whole_second, ..sample });
        while self.0.len() > KEPT {
            self.0.pop_front();
        }
    }

    /// The polls, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Sample> + ExactSizeIterator {
        self.0.iter()
    }

    /// The median time to a good answer; `None` when there was none.
    #[must_use]
    pub fn median_ms(&self) -> Option<u64> {
        median(self.0.iter().filter(|sample| sample.outcome.is_good()).map(|sample| sample.took_ms))
    }

    /// The median size of a document as received; `None` when none came.
    #[must_use]
    pub fn median_bytes(&self) -> Option<u64> {
        median(self.0.iter().filter(|sample| sample.outcome.is_good() && sample.bytes > 0).map(|sample| sample.bytes))
    }

    /// As it is stored: a byte that names the form, then for each poll, oldest first, the seconds since the one before, the
    /// milliseconds, the bytes (each in groups of seven bits, the lowest first) and the outcome's number.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + self.0.len() * 8);
        bytes.push(FORM);
        let mut before = 0;
        for sample in &self.0 {
            let at = sample.at.timestamp();
            put(&mut bytes, zigzag(at - before));
            put(&mut bytes, sample.took_ms);
            put(&mut bytes, sample.bytes);
            bytes.push(sample.outcome.number());
            before = at;
        }
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote; what cannot be read is left out with all that follows.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut history = Self::default();
        let Some((&FORM, mut rest)) = bytes.split_first() else { return history };
        let mut at = 0_i64;
        let mut next = || {
            let since = unzigzag(take(&mut rest)?);
            let (took_ms, bytes) = (take(&mut rest)?, take(&mut rest)?);
            let (number, tail) = rest.split_first()?;
            rest = tail;
            at = at.checked_add(since)?;
            Some(Sample {
                at: DateTime::from_timestamp(at, 0)?,
                took_ms,
                bytes,
                outcome: *Outcome::ALL.get(usize::from(*number))?,
            })
        };
        while let Some(sample) = next() {
            history.push(sample);
        }
        history
    }
}

fn median(values: impl Iterator<Item = u64>) -> Option<u64> {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values.get(values.len().checked_sub(1)? / 2).copied()
}

/// Small numbers of either sign to small numbers: a clock that was put back must not cost ten bytes.
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        bytes.push(0x80 | low_bits(value));
        value >>= 7;
    }
    bytes.push(low_bits(value));
}

fn low_bits(value: u64) -> u8 {
    value.to_le_bytes()[0] & 0x7f
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(at: i64, took_ms: u64, bytes: u64, outcome: Outcome) -> Sample {
        Sample { at: DateTime::from_timestamp(at, 0).unwrap(), took_ms, bytes, outcome }
    }

    #[test]
    fn the_last_polls_are_kept_and_no_more() {
        let mut history = History::default();
        (0..100).for_each(|n| history.push(sample(1_800_000_000 + n * 3600, 40, 0, Outcome::NotModified)));
        assert_eq!(history.iter().len(), KEPT);
        assert_eq!(history.iter().next().map(|sample| sample.at.timestamp()), Some(1_800_000_000 + 52 * 3600));
        assert!(history.to_bytes().len() < 6 * KEPT, "{}", history.to_bytes().len());
    }

    #[test]
    fn medians_are_those_of_good_answers() {
        let mut history = History::default();
        assert_eq!((history.median_ms(), history.median_bytes()), (None, None));
        for (took, bytes, outcome) in [
            (30, 5_000, Outcome::Document),
            (10, 0, Outcome::NotModified),
            (20, 0, Outcome::NotModified),
            (30_000, 0, Outcome::TimedOut),
        ] {
            history.push(sample(1, took, bytes, outcome));
        }
        assert_eq!((history.median_ms(), history.median_bytes()), (Some(20), Some(5_000)));
    }

    #[test]
    fn every_outcome_is_spelt_the_same_everywhere() {
        for outcome in Outcome::ALL {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.name());
        }
    }

    proptest! {
        #[test]
        fn what_was_stored_is_read_back(
            polls in prop::collection::vec((-4_000_000_000_i64..8_000_000_000, any::<u64>(), any::<u64>(), 0..Outcome::ALL.len()), 0..60),
        ) {
            let mut history = History::default();
            for (at, took, bytes, outcome) in polls {
                history.push(sample(at, took, bytes, Outcome::ALL[outcome]));
            }
            prop_assert_eq!(History::from_bytes(&history.to_bytes()), history);
        }

        #[test]
        fn no_bytes_make_it_stumble(bytes: Vec<u8>) {
            prop_assert!(History::from_bytes(&bytes).iter().len() <= KEPT);
        }
    }
}
