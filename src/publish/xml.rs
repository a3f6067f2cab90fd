//! Writing XML that every parser accepts.
//!
//! Pure. All text passes [`legal`]: a single character that XML forbids, in one title, would break the merged feed for
//! every subscriber.

use std::borrow::Cow;
use std::io::{self, Write};

use chrono::SecondsFormat;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use crate::model::StoryId;
use crate::publish::merged::{Credit, MergedStory, Other};

/// The text without the characters that XML 1.0 forbids (§2.2).
#[must_use]
pub fn legal(text: &str) -> Cow<'_, str> {
    let is_forbidden =
        |c: char| matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    // Nearly every text holds neither a control character nor what begins as U+FFFE does.
    let may_be = |byte: u8| byte == 0xef || (byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r'));
    // Piece by piece, of which all bytes are looked at together.
    if !text.as_bytes().chunks(256).any(|piece| piece.iter().fold(false, |any, byte| any | may_be(*byte))) {
        return Cow::Borrowed(text);
    }
    if text.contains(is_forbidden) { Cow::Owned(text.replace(is_forbidden, "")) } else { Cow::Borrowed(text) }
}

/// Whether a reader that takes plain text for markup would show it otherwise than it is written.
#[must_use]
pub fn is_like_markup(text: &str) -> bool {
    let starts = |rest: &str, is: fn(char) -> bool| rest.chars().next().is_some_and(is);
    text.split('<').skip(1).any(|rest| starts(rest, |c| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')))
        || text.split('&').skip(1).any(|rest| {
            starts(rest, |c| c.is_ascii_alphabetic() || c == '#')
                && rest.split(';').next().is_some_and(|name| {
                    name.len() < rest.len()
                        && name.len() < 32
                        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '#')
                })
        })
}

/// A text that looks like markup, so that a reader which takes it for markup shows what is written. Nothing else of it is
/// escaped: a reader that takes it for text shows as little of that as can be.
#[must_use]
pub fn without_markup(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// What `write` wrote, in memory.
pub(super) fn in_memory(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
    let mut bytes = Vec::new();
    write(&mut bytes).expect("writing to memory cannot fail");
    String::from_utf8(bytes).expect("only text was written")
}

/// The namespace of what Atom and RSS have no element for.
pub(super) const NEWSFOLD: &str = concat!(env!("CARGO_PKG_HOMEPAGE"), "ns");

/// What a newsfold that reads this one has to know of a story, in the words of JSON Feed's `_newsfold`: whom it credits, who else
/// tells it, and where it has its page. What is said elsewhere in the entry is said for readers, and not whole.
pub(super) fn for_newsfolds(document: &mut Document, story: &MergedStory) {
    let Credit { title, address, link, .. } = &story.outlet;
    document.empty(
        "newsfold:source",
        &[("title", Some(title)), ("home_page_url", link.as_deref()), ("feed_url", address.as_deref())],
    );
    for Other { source, title, permalink, at, feed_url, home, .. } in &story.others {
        let at = at.to_rfc3339_opts(SecondsFormat::Secs, true);
        document.empty(
            "newsfold:also",
            &[
                ("source", Some(source)),
                ("title", Some(title)),
                ("url", permalink.as_deref()),
                ("date", Some(&at)),
                ("home_page_url", home.as_deref()),
                ("feed_url", feed_url.as_deref()),
            ],
        );
    }
    // The title alone, where another stands before it.
    let title = Some(story.headline.as_str()).filter(|headline| *headline != story.title);
    let names: Vec<String> = story.known_as.iter().map(StoryId::urn).collect();
    let names = Some(names.join(" ")).filter(|names| !names.is_empty());
    if story.page().is_some() || title.is_some() || names.is_some() {
        document.empty("newsfold:story", &[("url", story.page()), ("title", title), ("known_as", names.as_deref())]);
    }
}

/// A document being written, indented by two.
pub(super) struct Document {
    writer: Writer<Vec<u8>>,
    open: Vec<&'static str>,
}

/// An attribute; one without a value is not written.
pub(super) type Attribute<'a> = (&'static str, Option<&'a str>);

impl Document {
    pub(super) fn new() -> Self {
        let mut document = Self { writer: Writer::new_with_indent(Vec::new(), b' ', 2), open: Vec::new() };
        document.write(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)));
        document
    }

    /// Opens an element that others stand in.
    pub(super) fn open(&mut self, name: &'static str, attributes: &[Attribute<'_>]) {
        self.write(Event::Start(start(name, attributes)));
        self.open.push(name);
    }

    /// Closes the element opened last.
    pub(super) fn close(&mut self) {
        if let Some(name) = self.open.pop() {
            self.write(Event::End(BytesEnd::new(name)));
        }
    }

    /// An element that holds only text.
    pub(super) fn leaf(&mut self, name: &'static str, attributes: &[Attribute<'_>], text: &str) {
        self.write(Event::Start(start(name, attributes)));
        self.write(Event::Text(BytesText::new(&legal(text))));
        self.write(Event::End(BytesEnd::new(name)));
    }

    /// An element that holds nothing.
    pub(super) fn empty(&mut self, name: &'static str, attributes: &[Attribute<'_>]) {
        self.write(Event::Empty(start(name, attributes)));
    }

    /// A note for whoever reads the document as text.
    pub(super) fn comment(&mut self, note: &str) {
        // Two dashes would end it (XML 1.0 §2.5).
        self.write(Event::Comment(BytesText::from_escaped(format!(" {} ", legal(note).replace("--", "–")))));
    }

    /// Hands on what is written so far.
    pub(super) fn pass_on(&mut self, out: &mut impl Write) -> io::Result<()> {
        let written = self.writer.get_mut();
        out.write_all(written)?;
        written.clear();
        Ok(())
    }

    /// Closes what is open, and hands on the rest.
    pub(super) fn finish(mut self, out: &mut impl Write) -> io::Result<()> {
        while !self.open.is_empty() {
            self.close();
        }
        self.writer.get_mut().push(b'\n');
        self.pass_on(out)
    }

    fn write(&mut self, event: Event<'_>) {
        self.writer.write_event(event).expect("writing to memory cannot fail");
    }
}

fn start<'a>(name: &'static str, attributes: &[Attribute<'_>]) -> BytesStart<'a> {
    let mut start = BytesStart::new(name);
    for (key, value) in attributes {
        if let Some(value) = value {
            start.push_attribute((*key, &*legal(value)));
        }
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_xml_forbids_are_left_out() {
        assert_eq!(legal("a\u{8}b\0c\u{b}d\u{ffff}e\tf\ng"), "abcde\tf\ng");
        let mut document = Document::new();
        document.leaf("title", &[("lang", Some("e\u{1}n"))], "a\u{8} < b & \"c\"");
        let text = in_memory(|out| document.finish(out));
        for (text, expected) in [
            ("Use of <b> in HTML", true),
            ("a &lt; b", true),
            ("</script>", true),
            ("AT&T; and more", true),
            ("1 < 2 & 3 > 2", false),
            ("Smith & Sons; a history", false),
        ] {
            assert_eq!(is_like_markup(text), expected, "{text}");
        }
        assert!(text.contains("<title lang=\"en\">a &lt; b &amp; "), "{text}");
    }
}
