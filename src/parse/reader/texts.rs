//! Which of an entry's texts is its content, and which its summary.
//!
//! Pure. Publishers say one thing several times: `description`, `itunes:summary`, `content:encoded`, `media:description`, in any
//! order. What is called content is the content wherever it stands; of several summaries the richest is.

use super::Field;
use crate::parse::ParsedEntry;

/// The most summaries of one entry that are looked at.
const MOST_SUMMARIES: usize = 4;
/// What a text has that is more than words: a plain copy of it has lost that.
const RICH: &[&str] =
    &["<a ", "<img", "<li", "<h2", "<h3", "<table", "<pre", "<blockquote", "<iframe", "<video", "<audio"];

/// A text, with what its addresses are relative to, where the document says so.
#[derive(Debug)]
struct Text {
    html: String,
    base: Option<String>,
}

/// The texts of an entry, or of the feed, as they came.
#[derive(Debug, Default)]
pub(super) struct Texts {
    content: Option<Text>,
    summaries: Vec<Text>,
    /// A text from a module, for want of a better one.
    spare: Option<Text>,
}

impl Texts {
    /// Takes a text in.
    pub(super) fn take(&mut self, field: Field, html: String, base: Option<String>) {
        let text = Text { html, base };
        match field {
            Field::Content => _ = self.content.get_or_insert(text),
            Field::Summary if self.summaries.len() < MOST_SUMMARIES => self.summaries.push(text),
            Field::SummaryToo => _ = self.spare.get_or_insert(text),
            _ => {}
        }
    }

    /// Gives an entry its texts, and the base of the longer one.
    pub(super) fn settle(self, entry: &mut ParsedEntry) {
        let Self { content, mut summaries, spare } = self;
        let content = content.or_else(|| richest(&mut summaries));
        let summary = summaries.into_iter().next().or(spare);
        let base = |text: &Option<Text>| text.as_ref().and_then(|text| text.base.clone());
        entry.base = base(&content).or_else(|| base(&summary)).or(entry.base.take());
        entry.content = content.map(|text| text.html);
        entry.summary = summary.map(|text| text.html);
    }

    /// What describes a feed, with its base.
    pub(super) fn description(self) -> (Option<String>, Option<String>) {
        let text = self.summaries.into_iter().next().or(self.content).or(self.spare);
        text.map_or((None, None), |Text { html, base }| (Some(html), base))
    }
}

/// Of several summaries the one that says the most, which then is the content; of equals the last.
fn richest(summaries: &mut Vec<Text>) -> Option<Text> {
    if summaries.len() < 2 {
        return None;
    }
    let is_rich = |html: &str| RICH.iter().any(|tag| html.contains(tag));
    let weight = |(_, text): &(usize, &Text)| (is_rich(&text.html), text.html.len());
    let at = summaries.iter().enumerate().max_by_key(weight).map(|(at, _)| at)?;
    Some(summaries.remove(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(texts: &[(Field, &str)], content: Option<&str>, summary: Option<&str>) {
        let mut taken = Texts::default();
        texts.iter().for_each(|(field, html)| taken.take(*field, (*html).to_owned(), None));
        let mut entry = ParsedEntry::default();
        taken.settle(&mut entry);
        assert_eq!((entry.content.as_deref(), entry.summary.as_deref()), (content, summary), "{texts:?}");
    }

    #[test]
    fn what_is_called_content_is_the_content_wherever_it_stands() {
        use Field::{Content, Summary, SummaryToo};
        check(&[(Summary, "s")], None, Some("s"));
        check(&[(Content, "c"), (Summary, "s")], Some("c"), Some("s"));
        check(&[(Summary, "s"), (Summary, "longer s"), (Content, "c")], Some("c"), Some("s"));
        check(&[(Summary, "s"), (Content, "c"), (Summary, "t"), (Content, "d")], Some("c"), Some("s"));
        check(&[(SummaryToo, "m"), (Content, "c")], Some("c"), Some("m"));
        check(&[(SummaryToo, "m"), (Summary, "s")], None, Some("s"));
    }

    #[test]
    fn of_several_summaries_the_richest_is_the_content() {
        use Field::Summary;
        let notes = "<p>Notes <a href=\"https://example.org/\">here</a></p>";
        let plain = "Notes here, and the same once more without any link in it";
        check(&[(Summary, notes), (Summary, plain)], Some(notes), Some(plain));
        check(&[(Summary, plain), (Summary, notes)], Some(notes), Some(plain));
        check(&[(Summary, "short"), (Summary, "a longer one")], Some("a longer one"), Some("short"));
        check(&[(Summary, "a longer one"), (Summary, "short")], Some("a longer one"), Some("short"));
        check(&[(Summary, "same"), (Summary, "same")], Some("same"), Some("same"));
    }

    #[test]
    fn the_base_is_that_of_the_text_that_is_shown() {
        let mut texts = Texts::default();
        texts.take(Field::Content, "c".into(), Some("https://example.org/c/".into()));
        texts.take(Field::Summary, "s".into(), Some("https://example.org/s/".into()));
        let mut entry = ParsedEntry { base: Some("https://example.org/".into()), ..ParsedEntry::default() };
        texts.settle(&mut entry);
        assert_eq!(entry.base.as_deref(), Some("https://example.org/c/"));
        Texts::default().settle(&mut entry);
        assert_eq!(entry.base.as_deref(), Some("https://example.org/c/"));
    }
}
