//! What is kept of why an entry is in a story, or why its story follows another: what a person is shown of it.
//!
//! Pure. The measurements themselves ([`Similarity`](super::score::Similarity)) are not kept: they are taken again by whoever lays
//! two entries beside each other, and kept they were larger than the text that they speak of.

use super::plan::Match;

/// The first byte of evidence where nothing was measured, and where the threshold follows.
const UNMEASURED: u8 = 0;
const MEASURED: u8 = 1;

/// Why two tellings belong together, beside how alike they are.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Evidence {
    /// How alike they had to be; `None` where nothing was measured, as for a link.
    pub threshold: Option<f32>,
    /// The words that carried it, heaviest first, as they stood in the entry.
    pub terms: Vec<String>,
}

impl From<&Match> for Evidence {
    fn from(found: &Match) -> Self {
        Self { threshold: found.likeness.map(|_| found.threshold), terms: found.terms.clone() }
    }
}

impl Evidence {
    /// As bytes, for the store: a byte that says what comes, the threshold, and each word behind its length; tens of bytes. Of a
    /// word longer than 255 bytes the beginning is kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(5 + self.terms.iter().map(|term| 1 + term.len()).sum::<usize>());
        bytes.push(if self.threshold.is_some() { MEASURED } else { UNMEASURED });
        bytes.extend(self.threshold.iter().flat_map(|threshold| threshold.to_le_bytes()));
        for term in &self.terms {
            let term = term.get(..term.floor_char_boundary(usize::from(u8::MAX))).unwrap_or(term);
            bytes.extend(u8::try_from(term.len()));
            bytes.extend(term.as_bytes());
        }
        bytes
    }

    /// The evidence that `to_bytes` wrote; of bytes that it did not write, what can be read.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut evidence = Self::default();
        let Some((form, mut rest)) = bytes.split_first() else { return evidence };
        match *form {
            UNMEASURED => {}
            MEASURED => {
                let Some((threshold, terms)) = rest.split_first_chunk() else { return evidence };
                evidence.threshold = Some(f32::from_le_bytes(*threshold));
                rest = terms;
            }
            _ => return evidence,
        }
        while let Some((length, from)) = rest.split_first() {
            let Some((term, after)) = from.split_at_checked(usize::from(*length)) else { break };
            evidence.terms.push(String::from_utf8_lossy(term).into_owned());
            rest = after;
        }
        evidence
    }

    /// The evidence in the JSON of a [`Match`], which is how stores up to version 17 keep it; of other text nothing.
    pub fn from_json(json: &str) -> Self {
        let json: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
        let terms = json["terms"].as_array().into_iter().flatten();
        let threshold: Option<f32> = serde_json::from_value(json["threshold"].clone()).ok();
        Self {
            threshold: threshold.filter(|_| !json["likeness"].is_null()),
            terms: terms.filter_map(|term| term.as_str()).map(str::to_owned).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::score::Similarity;
    use super::super::{EntryRef, StoryRef};
    use super::*;

    fn found(likeness: Option<Similarity>, terms: &[&str]) -> Match {
        Match {
            story: StoryRef(1),
            matched: EntryRef(2),
            score: 0.7,
            threshold: 0.512_345_6,
            follows: false,
            veto: None,
            likeness,
            terms: terms.iter().map(|term| (*term).to_owned()).collect(),
        }
    }

    #[test]
    fn evidence_is_read_back_from_its_bytes_and_from_the_json_of_older_stores() {
        let check = |found: &Match, length: usize| {
            let evidence = Evidence::from(found);
            assert_eq!(evidence.threshold.is_some(), found.likeness.is_some());
            assert_eq!(evidence.terms, found.terms);
            assert_eq!(Evidence::from_bytes(&evidence.to_bytes()), evidence);
            assert_eq!(Evidence::from_json(&serde_json::to_string(found).unwrap()), evidence);
            assert_eq!(evidence.to_bytes().len(), length);
        };
        check(&found(None, &[]), 1);
        check(&found(Some(Similarity::default()), &[]), 5);
        check(&found(Some(Similarity::default()), &["skarvholm", "fähre", ""]), 5 + 10 + 7 + 1);
    }

    #[test]
    fn a_word_that_is_too_long_is_cut_between_two_characters() {
        let evidence = Evidence { threshold: None, terms: vec!["ü".repeat(200), "next".into()] };
        assert_eq!(Evidence::from_bytes(&evidence.to_bytes()).terms, ["ü".repeat(127), "next".into()]);
    }

    #[test]
    fn of_damaged_bytes_what_can_be_read_is_shown() {
        let bytes = Evidence { threshold: Some(0.5), terms: vec!["one".into(), "two".into()] }.to_bytes();
        let terms: Vec<usize> = (0..=bytes.len()).map(|end| Evidence::from_bytes(&bytes[..end]).terms.len()).collect();
        assert_eq!(terms, [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2]);
        assert_eq!(Evidence::from_bytes(b"{\"terms\":[]}"), Evidence::default());
        assert_eq!(Evidence::from_json("no JSON"), Evidence::default());
    }
}
