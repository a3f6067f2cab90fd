//! What came of a feed's last polls.
//!
//! Pure. A feed's row carries its history in a few hundred bytes, so that a chart or a median costs no table and no write of
//! its own. Who draws it is `commands::feeds`' and `publish`'s business.

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
///
/// It stays in the form in which it is stored, because it is looked at far more rarely than it is written: a byte that names
/// the form, the newest poll's second (8 bytes, little-endian), how many polls there are, and for each, oldest first, the
/// seconds since the one before, the milliseconds and the bytes (each in groups of seven bits, the lowest first), and the
/// outcome's number. The oldest is dropped by leaving it out: times are counted back from the newest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History(Vec<u8>);

/// Where the polls begin.
const HEAD: usize = 10;

impl History {
    /// Adds the newest poll, and forgets the oldest when there are too many.
    pub fn push(&mut self, sample: Sample) {
        let (last, count) = self.head().unwrap_or_else(|| {
            self.0 = vec![0; HEAD];
            (sample.at.timestamp(), 0)
        });
        let at = sample.at.timestamp();
        put(&mut self.0, zigzag(at - last));
        put(&mut self.0, sample.took_ms);
        put(&mut self.0, sample.bytes);
        self.0.push(sample.outcome.number());
        let mut kept = count + 1;
        if kept > KEPT {
            let whole = self.0.len() - HEAD;
            let mut rest = self.0.get(HEAD..).unwrap_or_default();
            let _ = raw(&mut rest);
            let oldest = whole - rest.len();
            self.0.drain(HEAD..HEAD + oldest);
            kept = KEPT;
        }
        self.0[0] = FORM;
        self.0[1..9].copy_from_slice(&at.to_le_bytes());
        self.0[9] = u8::try_from(kept).unwrap_or(u8::MAX);
    }

    /// The polls, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Sample> + ExactSizeIterator {
        self.samples().unwrap_or_default().into_iter()
    }

    /// The median time to a good answer; `None` when there was none.
    #[must_use]
    pub fn median_ms(&self) -> Option<u64> {
        median(self.iter().filter(|sample| sample.outcome.is_good()).map(|sample| sample.took_ms))
    }

    /// The median size of a document as received; `None` when none came.
    #[must_use]
    pub fn median_bytes(&self) -> Option<u64> {
        median(self.iter().filter(|sample| sample.outcome.is_good() && sample.bytes > 0).map(|sample| sample.bytes))
    }

    /// As it is stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What was stored; what is no history is an empty one.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        let history = Self(bytes);
        if history.head().is_some() { history } else { Self::default() }
    }

    /// The newest poll's second, and how many polls there are.
    fn head(&self) -> Option<(i64, usize)> {
        let (&[FORM, ref last @ .., count], _) = self.0.split_first_chunk::<HEAD>()? else { return None };
        (usize::from(count) <= KEPT).then(|| (i64::from_le_bytes(*last), usize::from(count)))
    }

    fn samples(&self) -> Option<Vec<Sample>> {
        let (mut at, count) = self.head()?;
        let mut rest = self.0.get(HEAD..)?;
        let raws = (0..count).map(|_| raw(&mut rest)).collect::<Option<Vec<_>>>()?;
        let back = raws.into_iter().rev().map(|(since, took_ms, bytes, outcome)| {
            let sample = Sample { at: DateTime::from_timestamp(at, 0)?, took_ms, bytes, outcome };
            at = at.checked_sub(since)?;
            Some(sample)
        });
        let mut samples = back.collect::<Option<Vec<_>>>()?;
        samples.reverse();
        Some(samples)
    }
}

/// One poll as it is stored: the seconds since the one before, milliseconds, bytes, outcome.
fn raw(bytes: &mut &[u8]) -> Option<(i64, u64, u64, Outcome)> {
    let since = unzigzag(take(bytes)?);
    let (took_ms, size) = (take(bytes)?, take(bytes)?);
    let (number, rest) = bytes.split_first()?;
    *bytes = rest;
    Some((since, took_ms, size, *Outcome::ALL.get(usize::from(*number))?))
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
        assert!(history.as_bytes().len() < 6 * KEPT, "{}", history.as_bytes().len());
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
            let pushed: Vec<Sample> =
                polls.iter().map(|(at, took, bytes, outcome)| sample(*at, *took, *bytes, Outcome::ALL[*outcome])).collect();
            pushed.iter().for_each(|sample| history.push(*sample));
            let newest: Vec<Sample> = pushed.iter().rev().take(KEPT).rev().copied().collect();
            let read = History::from_bytes(history.as_bytes().to_vec());
            prop_assert_eq!(read.iter().collect::<Vec<_>>(), newest);
            prop_assert_eq!(read, history);
        }

        #[test]
        fn no_bytes_make_it_stumble(bytes: Vec<u8>) {
            let mut history = History::from_bytes(bytes);
            prop_assert!(history.iter().len() <= KEPT);
            history.push(sample(1, 2, 3, Outcome::Same));
        }
    }
}
