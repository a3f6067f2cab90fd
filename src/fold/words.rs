//! The words of an entry, to ask whether two still say something of the same.
//!
//! Pure. Folding weighs words by how rare they are; this is the plain question that is asked of an entry which was edited.

use std::collections::HashSet;

use super::boilerplate::FeedBoilerplate;
use super::{Article, features};

/// The words of an entry that say something, by their stems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words(HashSet<u32>);

impl Words {
    /// The words of a title and its text.
    #[must_use]
    pub fn of(article: &Article<'_>) -> Self {
        Self(features::of(article, FeedBoilerplate::default()).terms.iter().map(|term| term.hash).collect())
    }

    /// Whether the two say something of the same: a quarter of the words of the one that has fewer, and three at least, or all
    /// where there are not so many.
    #[must_use]
    pub fn tell_the_same(&self, other: &Self) -> bool {
        let fewer = self.0.len().min(other.0.len());
        fewer > 0 && self.0.intersection(&other.0).count() >= fewer.div_ceil(4).max(LEAST_SHARED.min(fewer))
    }
}

/// Two texts share a word or two whatever they are about.
const LEAST_SHARED: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::EntryRef;

    fn words(title: &str, summary: &str) -> Words {
        Words::of(&Article {
            page: None,
            published: None,
            entry: EntryRef(1),
            feed: None,
            title,
            summary,
            content: "",
            language: Some("en"),
            at: chrono::DateTime::UNIX_EPOCH,
        })
    }

    #[test]
    fn an_entry_that_grew_still_shares_its_words_and_one_that_was_exchanged_does_not() {
        let first = words("Bridge closed", "The bridge over the river was closed on Monday.");
        let grown = words(
            "Bridge stays closed for months",
            "Engineers found cracks in two pillars of the bridge over the river, closed on Monday, and want it repaired.",
        );
        assert!(first.tell_the_same(&grown) && grown.tell_the_same(&first));
        assert!(words("Bridge closed", "").tell_the_same(&first));
        assert!(!grown.tell_the_same(&words("Buy two now", "Bridge pills.")));
        assert!(!first.tell_the_same(&words("", "")));
    }
}
