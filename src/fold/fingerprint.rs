//! What is kept of an entry: no text, only what later decisions need.
//!
//! Pure. The index keeps it in memory and the caller keeps its bytes in the store, so that a restart reads no text again.

use chrono::{DateTime, TimeDelta, Utc};

use super::EntryRef;
use super::copy::Sketch;
use super::features::{Amount, Features};
use super::language::Language;
use super::title::{Date, Lead, Signs, Title};
use super::vector::{self, Cell, Vector};
use super::weights::Weights;

/// The version of the bytes that [`Fingerprint::to_bytes`] writes, and of what they mean: terms, weights and norms of two versions are
/// not comparable.
const VERSION: u8 = 5;

/// The version of the bytes that [`Fingerprint::terms_to_bytes`] writes.
const TERMS_VERSION: u8 = 1;

/// An entry as the index keeps it and the store should.
#[derive(Debug, Clone, PartialEq)]
pub struct Fingerprint {
    /// The entry.
    pub entry: EntryRef,
    /// Its feed.
    pub feed: Option<u64>,
    /// What its address has in common with others of the same article.
    pub article_key: Option<u32>,
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
    /// What its title begins with.
    pub lead: Lead,
    /// Its weighed terms, with the weights of the moment when it came.
    pub vector: Vector,
    /// The sketch of its text.
    pub sketch: Sketch,
    /// Its sentences and title segments, by which its feed's furniture is learned.
    pub sentences: Box<[u32]>,
    /// All its terms, by which the weights are learned; none where that is done.
    pub terms: Box<[u32]>,
}

impl Fingerprint {
    /// Weighs what was read of an entry.
    pub fn of(features: &Features, weights: &Weights) -> Self {
        Self {
            entry: features.entry,
            feed: features.feed,
            article_key: features.article_key,
            is_claim: false,
            at: features.at,
            minutes_old: features.published.and_then(|published| minutes_between(published, features.at)),
            nearest: None,
            language: features.language,
            amount: features.amount,
            figures: features.figures,
            title: features.title,
            outlet: features.outlet,
            lead: features.lead,
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

    /// The print as bytes, for the store: some hundred of them for a headline and its lead. Whose it is, and what the weights are
    /// to learn of it ([`Fingerprint::terms_to_bytes`]), is not among them.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64 + self.vector.cells.len() * Cell::PACKED + self.sentences.len() * 4);
        let amount = match self.amount {
            Amount::Title => 0,
            Amount::Summary => 1,
            Amount::Body => 2,
        };
        bytes.push(VERSION);
        bytes.push(u8::from(self.feed.is_some()) | u8::from(self.is_claim) << 1 | amount << 2);
        bytes.extend(self.feed.unwrap_or(0).to_le_bytes());
        bytes.extend(self.at.timestamp_micros().to_le_bytes());
        bytes.extend(self.minutes_old.unwrap_or(UNDATED).to_le_bytes());
        bytes.push(self.nearest.map_or(0, |nearest| nearest.max(1)));
        bytes.push(u8::try_from(self.language.kind()).unwrap_or(u8::MAX));
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
            bytes.extend_from_slice(&cell.packed());
        }
        push_length(&mut bytes, self.sketch.hashes.len());
        for hash in &self.sketch.hashes {
            bytes.extend_from_slice(&hash.to_le_bytes());
        }
        push_hashes(&mut bytes, &self.sentences);
        if self.lead != Lead::default() {
            bytes.extend(self.lead.0);
        }
        bytes.extend(self.article_key.into_iter().flat_map(u32::to_le_bytes));
        bytes
    }

    /// The print of an entry that `to_bytes` wrote, without its terms; `None` for bytes of another version, or broken ones.
    pub fn from_bytes(entry: EntryRef, bytes: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(bytes);
        if bytes.byte()? != VERSION {
            return None;
        }
        let traits = bytes.byte()?;
        let feed = u64::from_le_bytes(bytes.some()?);
        let feed = (traits & 1 != 0).then_some(feed);
        let is_claim = traits & 2 != 0;
        let amount = match traits >> 2 {
            0 => Amount::Title,
            1 => Amount::Summary,
            2 => Amount::Body,
            _ => return None,
        };
        let at = DateTime::from_timestamp_micros(i64::from_le_bytes(bytes.some()?))?;
        let minutes_old = Some(u16::from_le_bytes(bytes.some()?)).filter(|minutes| *minutes != UNDATED);
        let nearest = Some(bytes.byte()?).filter(|nearest| *nearest > 0);
        let language = Language::of_kind(bytes.byte()?);
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
        let sentences = bytes.hashes()?;
        // A title without a lead, and one that was read before leads were, ends here, or with the key.
        let lead = match bytes.0.len() {
            0 | 4 => Lead::default(),
            _ => Lead(bytes.some()?),
        };
        let article_key = bytes.hash();
        if !bytes.0.is_empty() {
            return None;
        }
        Some(Self {
            entry,
            feed,
            article_key,
            is_claim,
            at,
            minutes_old,
            nearest,
            language,
            amount,
            figures,
            title,
            outlet,
            lead,
            vector: Vector { cells, norm },
            sketch,
            sentences,
            terms: Box::default(),
        })
    }

    /// What the weights learn of the entry, behind what `bytes` hold: they keep it until the weights that have counted it are
    /// stored.
    pub fn terms_to_bytes(&self, bytes: &mut Vec<u8>) {
        bytes.push(TERMS_VERSION);
        bytes.push(u8::try_from(self.language.kind()).unwrap_or(u8::MAX));
        bytes.push(self.nearest.map_or(0, |nearest| nearest.max(1)));
        push_hashes(bytes, &self.terms);
    }
}

/// Has the weights learn what [`Fingerprint::terms_to_bytes`] wrote of some entries, one behind the other; from the first that is of
/// another version or broken on, nothing.
pub fn learn_terms(weights: &mut Weights, bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    while bytes.learn(weights).is_some() {}
}

/// What a print of version 4 is now, and the terms that stood in it; `None` for bytes of another version, or broken ones.
pub fn of_version_4(print: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut rest = Bytes(print);
    if rest.byte()? != 4 {
        return None;
    }
    let _entry: [u8; 8] = rest.some()?;
    let traits = rest.byte()?;
    let feed: [u8; 8] = rest.some()?;
    let (seconds, nanos) = (i64::from_le_bytes(rest.some()?), u32::from_le_bytes(rest.some()?));
    let at = DateTime::from_timestamp(seconds, nanos)?.timestamp_micros();
    let minutes: [u8; 2] = rest.some()?;
    let [nearest, language, amount, figures] = rest.some()?;
    let title: [u8; 25] = rest.some()?;
    let since = rest.0;
    let _cells: &[[u8; Cell::PACKED]] = rest.list()?;
    let _sketch: &[[u8; 2]] = rest.list()?;
    let _sentences = rest.hashes()?;
    let lists = since.get(..since.len() - rest.0.len())?;
    let terms = rest.0;
    let _terms = rest.hashes()?;
    if amount > 2 || !rest.0.is_empty() {
        return None;
    }
    let head =
        [&[VERSION, traits & 3 | amount << 2][..], &feed, &at.to_le_bytes(), &minutes, &[nearest, language, figures]];
    let print = [&head.concat(), &title[..], lists].concat();
    Some((print, [&[TERMS_VERSION, language, nearest][..], terms].concat()))
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

fn push_hashes(bytes: &mut Vec<u8>, hashes: &[u32]) {
    push_length(bytes, hashes.len());
    bytes.reserve(4 * hashes.len());
    hashes.iter().for_each(|hash| bytes.extend_from_slice(&hash.to_le_bytes()));
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
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
    fn list<const N: usize>(&mut self) -> Option<&'a [[u8; N]]> {
        let length = usize::from(self.length()?);
        let (list, rest) = self.0.split_at_checked(length * N)?;
        self.0 = rest;
        Some(list.as_chunks().0)
    }

    /// Has weights learn what is kept of the next entry's terms; `None` where there is none.
    fn learn(&mut self, weights: &mut Weights) -> Option<()> {
        let [TERMS_VERSION, language, nearest] = self.some()? else { return None };
        let terms = self.list()?.iter().map(|hash| u32::from_le_bytes(*hash));
        weights.learn(Language::of_kind(language), terms, Some(nearest).filter(|nearest| *nearest > 0));
        Some(())
    }

    fn hashes(&mut self) -> Option<Box<[u32]>> {
        Some(self.list()?.iter().map(|hash| u32::from_le_bytes(*hash)).collect())
    }
}

/// A print as version 4 wrote it, with its terms.
#[cfg(test)]
pub(crate) fn in_version_4(print: &Fingerprint) -> Vec<u8> {
    let now = Fingerprint { lead: Lead::default(), ..print.clone() }.to_bytes();
    let (head, lists) = now.split_at(2 + 8 + 8 + 5 + 25);
    let mut bytes = vec![4];
    bytes.extend(print.entry.0.to_le_bytes());
    bytes.push(head[1] & 3);
    bytes.extend(&head[2..10]);
    bytes.extend(print.at.timestamp().to_le_bytes());
    bytes.extend(print.at.timestamp_subsec_nanos().to_le_bytes());
    bytes.extend(&head[18..22]);
    bytes.extend([head[1] >> 2, head[22]]);
    bytes.extend(&head[23..]);
    bytes.extend(lists);
    push_hashes(&mut bytes, &print.terms);
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::features;
    use super::*;
    use crate::fold::{Article, boilerplate::FeedBoilerplate};

    fn print(title: &str, content: &str) -> Fingerprint {
        let at = DateTime::from_timestamp_micros(1_768_046_400_123_456).unwrap();
        let article = Article {
            page: None,
            entry: EntryRef(7),
            feed: Some(3),
            title,
            summary: "",
            content,
            language: Some("en"),
            at,
            published: Some(at - TimeDelta::minutes(5)),
        };
        let print = Fingerprint::of(&features::of(&article, FeedBoilerplate::default()), &Weights::default());
        Fingerprint { is_claim: true, nearest: Some(9), ..print }
    }

    fn prints() -> Vec<Fingerprint> {
        let text = "All 212 passengers of the Lady Ansel were taken off by lifeboats in thick fog on Friday night. ";
        let long = (0..90).map(|number| format!("word{number} ")).collect::<String>();
        vec![
            print("Ferry aground", ""),
            print("Ferry aground - The Sable Times", text),
            print("", &long),
            print("", ""),
        ]
    }

    #[test]
    fn a_print_is_read_back_without_its_terms_and_these_are_learned_once() {
        let (mut learned, mut expected, mut terms) = (Weights::default(), Weights::default(), Vec::new());
        for print in prints() {
            let bytes = print.to_bytes();
            let kept = Fingerprint { terms: Box::default(), ..print.clone() };
            assert_eq!(Fingerprint::from_bytes(EntryRef(7), &bytes), Some(kept));
            let least = bytes.len() - if print.lead == Lead::default() { 0 } else { 2 };
            assert!((0..least).all(|end| Fingerprint::from_bytes(EntryRef(7), &bytes[..end]).is_none()));
            expected.learn(print.language, print.terms.iter().copied(), print.nearest);
            print.terms_to_bytes(&mut terms);
        }
        learn_terms(&mut learned, &terms);
        assert_eq!(learned, expected);
    }

    #[test]
    fn the_number_of_its_article_is_read_back() {
        for print in prints() {
            let print = Fingerprint { article_key: Some(7), terms: Box::default(), ..print };
            assert_eq!(Fingerprint::from_bytes(EntryRef(7), &print.to_bytes()), Some(print));
        }
    }

    #[test]
    fn prints_that_were_made_before_titles_had_leads_are_read() {
        for article_key in [None, Some(7)] {
            let print = Fingerprint { article_key, terms: Box::default(), ..print("Ferry aground", "") };
            let bytes = print.to_bytes();
            let (before, key) = bytes.split_at(bytes.len() - if article_key.is_some() { 6 } else { 2 });
            let bytes = [before, &key[2..]].concat();
            let read = Fingerprint::from_bytes(EntryRef(7), &bytes);
            assert_eq!(read, Some(Fingerprint { lead: Lead::default(), ..print }));
        }
    }

    #[test]
    fn prints_of_the_version_before_are_taken_apart() {
        for print in prints() {
            let mut terms = Vec::new();
            print.terms_to_bytes(&mut terms);
            let before = in_version_4(&print);
            let print = Fingerprint { lead: Lead::default(), ..print };
            assert_eq!(of_version_4(&before), Some((print.to_bytes(), terms)));
            assert!((0..before.len()).all(|end| of_version_4(&before[..end]).is_none()));
        }
    }
}
