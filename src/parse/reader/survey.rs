//! Going through a sound document around what feed-rs maps.
//!
//! Pure. It takes what feed-rs drops, by the very code that reads everything else, and gives up at the first thing that
//! feed-rs would read in another way.

use super::{Field, Kind, Mode, Reader};
use crate::parse::entities::{Found, decode_into};
use crate::parse::names::Vocabulary;
use crate::parse::repairs::Repairs;
use crate::parse::tokens::Attributes;
use crate::parse::{Context, ParsedFeed};

/// What a sound document holds beside the texts that feed-rs maps.
#[derive(Debug)]
pub(in crate::parse) struct Survey {
    /// Without those texts.
    pub(in crate::parse) feed: ParsedFeed,
    /// For each entry, which of them it has.
    pub(in crate::parse) outlines: Vec<Outline>,
}

/// Which of the texts that feed-rs maps an entry has, and how they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::parse) struct Outline {
    pub(in crate::parse) title: Option<Mode>,
    pub(in crate::parse) summary: Option<Mode>,
    pub(in crate::parse) content: Option<Mode>,
    pub(in crate::parse) has_id: bool,
    pub(in crate::parse) has_published: bool,
    pub(in crate::parse) has_updated: bool,
}

/// Goes through a document and takes what feed-rs does not; `None` when feed-rs would not read it as [`read`] does.
pub(in crate::parse) fn survey(text: &str, context: Context<'_>) -> Option<Survey> {
    let mut repairs = Repairs::default();
    let mut reader = Reader::new(text, context, &mut repairs, true);
    reader.find_root(text).ok()?;
    if !reader.is_sound {
        return None;
    }
    while reader.is_sound {
        reader.at = reader.tokens.position();
        let Some(token) = reader.tokens.next() else {
            break;
        };
        reader.token(token);
    }
    let is_whole = reader.stack.is_empty() && !reader.is_full && !reader.tokens.oddities.is_any();
    if !reader.is_sound || !is_whole || !reader.repairs.is_empty() {
        return None;
    }
    let outlines = std::mem::take(&mut reader.outlines);
    Some(Survey { feed: reader.finish(), outlines })
}

impl<'a> Reader<'a, '_> {
    /// Looks at an element for what feed-rs would read in another way.
    pub(super) fn survey_element(
        &mut self,
        vocabulary: Vocabulary,
        name: &str,
        local: &str,
        attributes: Attributes<'a>,
    ) {
        let parent = self.stack.last().map(|frame| frame.kind);
        let is_known = match (parent, vocabulary, local) {
            // Only the dialects, spelt as their standards spell them.
            (None, Vocabulary::Rss, "rss") => {
                name == "rss" && attributes.get("version") == Some("2.0") && attributes.get("xmlns").is_none()
            }
            (None, Vocabulary::Atom, "feed") => {
                name == "feed" && attributes.get("xmlns") == Some("http://www.w3.org/2005/Atom")
            }
            (None, ..) | (Some(Kind::Left | Kind::Captured), ..) => false,
            // Where an entry has several texts of one meaning, which of them counts differs.
            (Some(Kind::Entry), Vocabulary::Dc, "title" | "description" | "date")
            | (Some(Kind::Entry), Vocabulary::DcTerms | Vocabulary::Xhtml, _)
            | (Some(Kind::Entry), Vocabulary::Itunes, "summary") => false,
            (Some(Kind::Entry), Vocabulary::Atom, _) if !self.is_atom => local == "link",
            (Some(Kind::Entry), Vocabulary::Rss, _) if self.is_atom => false,
            (Some(Kind::Entry), Vocabulary::Rss | Vocabulary::Atom, _) => self.has_own_name(name, attributes),
            (Some(Kind::Entry), Vocabulary::Content, "encoded") => name == "content:encoded",
            (Some(Kind::Root), Vocabulary::Rss, "channel") => name == "channel" && self.feed.entries.is_empty(),
            (Some(Kind::Feed), Vocabulary::Rss, "item") => name == "item" && !self.is_atom,
            (Some(Kind::Feed), Vocabulary::Atom, "entry") => name == "entry" && self.is_atom,
            (_, Vocabulary::Rss | Vocabulary::Atom, "item" | "entry" | "channel" | "feed") => false,
            _ => true,
        };
        self.is_sound &= is_known;
    }

    /// Whether an element of an entry is one of its format, spelt so, with a type that feed-rs knows.
    pub(super) fn has_own_name(&self, name: &str, attributes: Attributes<'a>) -> bool {
        if self.is_atom {
            let is_typed = || matches!(attributes.get("type"), Some("text" | "html"));
            return match name {
                "title" => attributes.get("type").is_none() || is_typed(),
                "summary" | "content" => {
                    is_typed() && attributes.get("src").is_none() && attributes.get("mode").is_none()
                }
                "id" | "published" | "updated" | "link" | "author" | "contributor" | "category" | "rights" => true,
                // Of names that we read more into, such as Atom 0.3's.
                _ => false,
            };
        }
        matches!(
            name,
            "title"
                | "link"
                | "description"
                | "pubDate"
                | "guid"
                | "category"
                | "author"
                | "comments"
                | "enclosure"
                | "source"
        ) && (name == "enclosure" || attributes.get("type").is_none())
    }

    /// Leaves a text of an entry to feed-rs; `None` when it is none of those.
    pub(super) fn leave(&mut self, field: Field, mode: Mode) -> Option<Kind> {
        if self.stack.last()?.kind != Kind::Entry {
            return None;
        }
        let outline = self.outlines.last_mut()?;
        let mut is_sound = matches!(mode, Mode::Guess | Mode::Plain | Mode::Html);
        // Of a doubled element feed-rs takes the last.
        let mut leave = |slot: &mut Option<Mode>| is_sound &= slot.replace(mode).is_none();
        match field {
            Field::Title => leave(&mut outline.title),
            Field::Summary => leave(&mut outline.summary),
            Field::Content => leave(&mut outline.content),
            Field::Guid => is_sound &= !std::mem::replace(&mut outline.has_id, true),
            Field::Published => is_sound &= !std::mem::replace(&mut outline.has_published, true),
            Field::Updated => is_sound &= !std::mem::replace(&mut outline.has_updated, true),
            _ => return None,
        }
        self.is_sound &= is_sound;
        self.left_tokens = 0;
        Some(Kind::Left)
    }

    /// Looks at a text for what feed-rs would read in another way.
    pub(super) fn survey_text(&mut self, raw: &str, is_literal: bool) {
        let Some(frame) = self.stack.last() else {
            return;
        };
        if frame.kind != Kind::Left {
            return;
        }
        self.left_tokens += 1;
        let is_plain = is_literal || !raw.contains('&') || {
            let found = decode_into(raw, &mut String::new(), &self.tokens.declared);
            found == Found::default()
        };
        self.is_sound &= is_plain && self.left_tokens == 1 && !raw.contains('\r');
    }
}
