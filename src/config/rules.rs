//! Rules that keep or drop entries: `FIELD ~ 'REGEX'`.
//!
//! Pure.

use super::table::one_of;
use crate::model::permalink::Permalink;
use crate::model::{Detail, Enclosure, Entry};
use crate::text;
use regex::Regex;
use std::fmt;

/// A field of an entry and the pattern that it must match somewhere.
#[derive(Clone)]
pub struct Rule {
    /// What is looked at.
    pub field: RuleField,
    /// What must be found there.
    pub pattern: Regex,
    /// The rule as it was written.
    pub text: String,
}

/// The field of an entry that a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleField {
    /// The title as it is shown: of an entry without one, the beginning of its text.
    Title,
    /// The summary as it is shown: of an entry without one, the beginning of its text.
    Summary,
    /// The text as it is shown: of an entry that has a summary alone, that.
    Content,
    /// The permalink.
    Url,
    /// Any author's name.
    Author,
    /// Any category.
    Category,
    /// The type or the address of any media file.
    Enclosure,
    /// The name of the feed.
    Feed,
    /// What the feed calls itself.
    Source,
    /// The language, as a tag.
    Language,
}

impl RuleField {
    /// Every field with its name in a rule.
    pub const NAMES: [(&'static str, Self); 10] = [
        ("title", Self::Title),
        ("summary", Self::Summary),
        ("content", Self::Content),
        ("url", Self::Url),
        ("author", Self::Author),
        ("category", Self::Category),
        ("enclosure", Self::Enclosure),
        ("feed", Self::Feed),
        ("source", Self::Source),
        ("lang", Self::Language),
    ];
}

/// An entry, as far as rules look at it.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// Plain text.
    pub title: &'a str,
    /// Its page.
    pub permalink: Option<&'a str>,
    /// All else that its publisher says of it.
    pub detail: &'a Detail,
    /// The name of its feed.
    pub feed: &'a str,
    /// What that feed calls itself.
    pub source: Option<&'a str>,
}

impl<'a> Judged<'a> {
    /// A polled entry.
    #[must_use]
    pub fn of(entry: &'a Entry, feed: &'a str, source: Option<&'a str>) -> Self {
        let permalink = entry.permalink.as_ref().map(Permalink::as_str);
        Self { title: &entry.title, permalink, detail: &entry.detail, feed, source }
    }
}

impl Rule {
    /// Reads a rule.
    ///
    /// # Errors
    ///
    /// What is wrong and what to write instead, to stand behind the rule in a message.
    pub fn parse(text: &str) -> Result<Self, String> {
        const CURE: &str = "write FIELD ~ 'REGEX', for example `title ~ '(?i)budget'`";
        let (field, quoted) = text.split_once('~').ok_or_else(|| format!("has no `~`; {CURE}"))?;
        let field = one_of(field.trim(), &RuleField::NAMES)
            .map_err(|error| format!("looks at the field `{}`, which {error}", field.trim()))?;
        let quoted = quoted.trim();
        let pattern = ['\'', '"']
            .into_iter()
            .find_map(|quote| quoted.strip_prefix(quote)?.strip_suffix(quote))
            .ok_or_else(|| format!("has no quotes around its pattern; {CURE}"))?;
        let pattern = Regex::new(pattern).map_err(|error| {
            let error = error.to_string();
            let reason = error.lines().last().unwrap_or_default();
            let reason = reason.trim().trim_start_matches("error: ");
            format!(
                "has a bad pattern: {reason}; correct the pattern, or write `\\` before a sign that is meant as such"
            )
        })?;
        Ok(Self { field, pattern, text: text.to_owned() })
    }
}

impl Rule {
    /// Whether the entry has what the rule asks for. Markup counts as the text that it shows.
    #[must_use]
    pub fn fits(&self, entry: &Judged<'_>) -> bool {
        let Judged { title, permalink, detail, feed, source } = *entry;
        let is_match = |text: &str| self.pattern.is_match(text);
        let (summary, content) = (detail.summary.as_deref(), detail.content.as_deref());
        let lead = || text::lead(summary.or(content).unwrap_or_default()).0;
        match self.field {
            RuleField::Title if title.is_empty() => is_match(&lead()),
            RuleField::Title => is_match(title),
            RuleField::Summary => match summary {
                Some(summary) => is_match(&text::plain(summary)),
                None => is_match(&lead()),
            },
            RuleField::Content => is_match(&text::plain(content.or(summary).unwrap_or_default())),
            RuleField::Url => permalink.is_some_and(is_match),
            RuleField::Author => detail.authors.iter().any(|author| is_match(&author.name)),
            RuleField::Category => detail.categories.iter().any(|category| is_match(category)),
            RuleField::Enclosure => {
                let said = |enclosure: &Enclosure| {
                    is_match(&enclosure.url) || enclosure.media_type.as_deref().is_some_and(is_match)
                };
                detail.enclosures.iter().any(said)
            }
            RuleField::Feed => is_match(feed),
            RuleField::Source => source.is_some_and(is_match),
            RuleField::Language => detail.language.as_deref().is_some_and(is_match),
        }
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Rule {}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rule({})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_a_field_and_a_quoted_pattern() {
        fn check(text: &str, field: RuleField, pattern: &str) {
            let rule = Rule::parse(text).unwrap();
            assert_eq!((rule.field, rule.pattern.as_str()), (field, pattern));
        }
        check("title ~ '(?i)kim'", RuleField::Title, "(?i)kim");
        check("url~\"/sport/\"", RuleField::Url, "/sport/");
        check("category ~ 'a'b~c'", RuleField::Category, "a'b~c");
    }

    #[test]
    fn a_rule_sees_what_is_shown() {
        let check = |rule: &str, title: &str, summary: &str, content: &str, expected: bool| {
            let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let detail = Detail { summary: text(summary), content: text(content), ..Detail::default() };
            let judged = Judged { title, permalink: None, detail: &detail, feed: "paper", source: Some("A Paper") };
            let fits = Rule::parse(rule).unwrap().fits(&judged);
            assert_eq!(fits, expected, "{rule} {title} {summary} {content}");
        };
        const AD: &str = "<p>A <b>spon</b>sored post.</p>";
        check("content ~ 'sponsored'", "T", AD, "", true);
        check("content ~ 'sponsored'", "T", "", AD, true);
        check("content ~ 'sponsored'", "T", "A lead.", AD, true);
        check("content ~ 'lead'", "T", "A lead.", AD, false);
        check("summary ~ 'sponsored'", "T", "", AD, true);
        check("summary ~ 'sponsored'", "T", "A lead.", AD, false);
        check("title ~ 'sponsored'", "", "", AD, true);
        check("title ~ 'sponsored'", "T", "", AD, false);
        check("content ~ '<b>'", "T", "", AD, false);
        // What has no text has an empty one, as it had no summary before.
        check("content ~ 'x'", "T", "", "", false);
    }

    #[test]
    fn a_bad_rule_says_what_is_wrong() {
        fn check(text: &str, start: &str) {
            let message = Rule::parse(text).unwrap_err();
            assert!(message.starts_with(start), "{text}: {message}");
        }
        check("title = 'x'", "has no `~`; write FIELD ~ 'REGEX'");
        check("titel ~ 'x'", "looks at the field `titel`, which is unknown; did you mean `title`?");
        check("title ~ x", "has no quotes around its pattern; write");
        check("title ~ 'x", "has no quotes around its pattern; write");
        check("title ~ '", "has no quotes around its pattern; write");
        check("title ~ '(x'", "has a bad pattern: unclosed group; correct");
    }
}
