//! What is kept of an entry: no text, only what later decisions need.
//!
//! Pure. The index keeps it in memory and the caller keeps its bytes in the store, so that a restart reads no text again.

use chrono::{DateTime, TimeDelta, Utc};

use super::EntryRef;
use super::copy::Sketch;
use super::features::{Amount, Features};
use super::language::Language;
use super::title::{Date, Signs, Title};
use super::vector::{self, Cell, Vector};
use super::weights::Weights;

/// The version of the bytes that [`Fingerprint::to_bytes`] writes, and of what they mean: terms, weights and norms of two versions are
/// not comparable.
const VERSION: u8 = 4;

/// An entry as the index keeps it and the store should.
#[derive(Debug, Clone, PartialEq)]
pub struct Fingerprint {
    /// The entry.
    pub entry: EntryRef,
    /// Its feed.
    pub feed: Option<u64>,
    /// Whether it is in its story for where it leads alone, so that its words say nothing about the story.
    pub is_claim: bool,
    /// When it came.
    pub at: DateTime<Utc>,
    /// How many minutes before it came its publisher put it out; `None` when it does not say so, or cannot mean it.
    pub minutes_old: Option<u16>,
    /// How alike the nearest entry of another feed was, a cosine of 255; `None` when none came near.
    pub nearest: Option<u8>,
    /// The language that it was read in.
    pub language: Language,
    /// How much there was to read.
    pub amount: Amount,
    /// Numbers among the words of its text, per cent.
    pub figures: u8,
    /// The form of its title.
    pub title: Title,
    /// The outlet that its title ends with, as a hash, where its feed gives those of many; 0 for none.
    pub outlet: u16,
    /// Its weighed terms, with the weights of the moment when it came.
    pub vector: Vector,
    /// The sketch of its text.
    pub sketch: Sketch,
    /// Its sentences and title segments, by which its feed's furniture is learned.
    pub sentences: Box<[u32]>,
    /// All its terms, by which the weights are learned.
    pub terms: Box<[u32]>,
}

impl Fingerprint {
    /// Weighs what was read of an entry.
    pub fn of(features: &Features, weights: &Weights) -> Self {
        Self {
            entry: features.entry,
            feed: features.feed,
            is_claim: false,
            at: features.at,
            minutes_old: features.published.and_then(|published| minutes_between(published, features.at)),
            nearest: None,
            language: features.language,
            amount: features.amount,
            figures: features.figures,
            title: features.title,
            outlet: features.outlet,
            vector: vector::of(features, weights),
            sketch: features.sketch.clone(),
            sentences: features.sentences.clone().into_boxed_slice(),
            terms: features.terms.iter().map(|term| term.hash).collect(),
        }
    }

    /// When its publisher put it out; when it came, where it does not say so.
    pub fn told(&self) -> DateTime<Utc> {
        self.minutes_old.map_or(self.at, |minutes| self.at - TimeDelta::minutes(minutes.into()))
    }

    /// The print as bytes, for the store: some hundred of them for a headline and its lead.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(136 + self.vector.cells.len() * Cell::PACKED + self.terms.len() * 4);
        bytes.push(VERSION);
        bytes.extend(self.entry.0.to_le_bytes());
        bytes.push(u8::from(self.feed.is_some()) | u8::from(self.is_claim) << 1);
        bytes.extend(self.feed.unwrap_or(0).to_le_bytes());
        bytes.extend(self.at.timestamp().to_le_bytes());
        bytes.extend(self.at.timestamp_subsec_nanos().to_le_bytes());
        bytes.extend(self.minutes_old.unwrap_or(UNDATED).to_le_bytes());
        bytes.push(self.nearest.map_or(0, |nearest| nearest.max(1)));
        bytes.push(u8::try_from(self.language.kind()).unwrap_or(u8::MAX));
        bytes.push(match self.amount {
            Amount::Title => 0,
            Amount::Summary => 1,
            Amount::Body => 2,
        });
        bytes.push(self.figures);
        for hash in [self.title.exact, self.title.form, self.title.figures] {
            bytes.extend(hash.to_le_bytes());
        }
        bytes.push(self.title.words);
        bytes.extend(self.title.signs.0.to_le_bytes());
        bytes.extend(self.title.date.0.to_le_bytes());
        bytes.extend(self.outlet.to_le_bytes());
        bytes.extend(self.vector.norm.to_le_bytes());
        push_length(&mut bytes, self.vector.cells.len());
        for cell in &self.vector.cells {
            bytes.extend(cell.packed());
        }
        push_length(&mut bytes, self.sketch.hashes.len());
        for hash in &self.sketch.hashes {
            bytes.extend(hash.to_le_bytes());
        }
        for list in [&self.sentences, &self.terms] {
            push_length(&mut bytes, list.len());
            for hash in list {
                bytes.extend(hash.to_le_bytes());
            }
        }
        bytes
    }

    /// The print that `to_bytes` wrote; `None` for bytes of another version, or broken ones.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(bytes);
        if bytes.byte()? != VERSION {
            return None;
        }
        let entry = EntryRef(u64::from_le_bytes(bytes.some()?));
        let traits = bytes.byte()?;
        let feed = u64::from_le_bytes(bytes.some()?);
        let feed = (traits & 1 != 0).then_some(feed);
        let is_claim = traits & 2 != 0;
        let at = DateTime::from_timestamp(i64::from_le_bytes(bytes.some()?), u32::from_le_bytes(bytes.some()?))?;
        let minutes_old = Some(u16::from_le_bytes(bytes.some()?)).filter(|minutes| *minutes != UNDATED);
        let nearest = Some(bytes.byte()?).filter(|nearest| *nearest > 0);
        let language = Language::of_kind(bytes.byte()?);
        let amount = match bytes.byte()? {
            0 => Amount::Title,
            1 => Amount::Summary,
            2 => Amount::Body,
            _ => return None,
        };
        let figures = bytes.byte()?;
        let title = Title {
            exact: bytes.hash()?,
            form: bytes.hash()?,
            figures: bytes.hash()?,
            words: bytes.byte()?,
            signs: Signs(bytes.hash()?),
            date: Date(u16::from_le_bytes(bytes.some()?)),
        };
        let outlet = u16::from_le_bytes(bytes.some()?);
        let norm = f32::from_le_bytes(bytes.some()?);
        let cells = bytes.list().filter(|cells| cells.len() <= vector::CELLS)?;
        let cells = cells.iter().map(|cell| Cell::unpacked(*cell)).collect();
        let sketch = Sketch { hashes: bytes.list()?.iter().map(|hash| u16::from_le_bytes(*hash)).collect() };
        let (sentences, terms) = (bytes.hashes()?, bytes.hashes()?);
        if !bytes.0.is_empty() {
            return None;
        }
        Some(Self {
            entry,
            feed,
            is_claim,
            at,
            minutes_old,
            nearest,
            language,
            amount,
            figures,
            title,
            outlet,
            vector: Vector { cells, norm },
            sketch,
            sentences,
            terms,
        })
    }
}

/// When an entry was put out that came at `came`: by its publisher's word where that can be true.
pub fn told(came: DateTime<Utc>, published: Option<DateTime<Utc>>) -> DateTime<Utc> {
    let minutes = published.and_then(|published| minutes_between(published, came));
    minutes.map_or(came, |minutes| came - TimeDelta::minutes(minutes.into()))
}

/// The minutes of an entry that has no date.
pub(super) const UNDATED: u16 = u16::MAX;

/// Whole minutes from one moment to a later one, at most 45 days; `None` for an earlier one.
fn minutes_between(from: DateTime<Utc>, to: DateTime<Utc>) -> Option<u16> {
    let minutes = (to - from).num_minutes();
    (minutes >= 0).then(|| u16::try_from(minutes).unwrap_or(UNDATED).min(UNDATED - 1))
}

fn push_length(bytes: &mut Vec<u8>, length: usize) {
    bytes.extend(u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn some<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.some::<1>().map(|[byte]| byte)
    }

    fn hash(&mut self) -> Option<u32> {
        self.some().map(u32::from_le_bytes)
    }

    fn length(&mut self) -> Option<u16> {
        self.some().map(u16::from_le_bytes)
    }

    /// A list behind its length, each value in N bytes; its size is known before the first value is read.
    fn list<const N: usize>(&mut self) -> Option<&[[u8; N]]> {
        let length = usize::from(self.length()?);
        let (list, rest) = self.0.split_at_checked(length * N)?;
        self.0 = rest;
        Some(list.as_chunks().0)
    }

    fn hashes(&mut self) -> Option<Box<[u32]>> {
        Some(self.list()?.iter().map(|hash| u32::from_le_bytes(*hash)).collect())
    }
}
