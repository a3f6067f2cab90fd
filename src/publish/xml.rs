//! Writing XML that every parser accepts.
//!
//! Pure. All text passes [`legal`]: a single character that XML forbids, in one title, would break the merged feed for
//! every subscriber.

use std::borrow::Cow;
use std::io::{self, Write};

use chrono::SecondsFormat;

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
    text: String,
    open: Vec<&'static str>,
}

/// An attribute; one without a value is not written.
pub(super) type Attribute<'a> = (&'static str, Option<&'a str>);

impl Document {
    pub(super) fn new() -> Self {
        Self { text: "<?xml version=\"1.0\" encoding=\"utf-8\"?>".to_owned(), open: Vec::new() }
    }

    /// Opens an element that others stand in.
    pub(super) fn open(&mut self, name: &'static str, attributes: &[Attribute<'_>]) {
        self.begin(name, attributes);
        self.text.push('>');
        self.open.push(name);
    }

    /// Closes the element opened last.
    pub(super) fn close(&mut self) {
        if let Some(name) = self.open.pop() {
            self.begin_line();
            self.end(name);
        }
    }

    /// An element that holds only text.
    pub(super) fn leaf(&mut self, name: &'static str, attributes: &[Attribute<'_>], text: &str) {
        self.begin(name, attributes);
        self.text.push('>');
        escape_into(&mut self.text, text, &IN_TEXT);
        self.end(name);
    }

    /// An element that holds nothing.
    pub(super) fn empty(&mut self, name: &'static str, attributes: &[Attribute<'_>]) {
        self.begin(name, attributes);
        self.text.push_str("/>");
    }

    /// A note for whoever reads the document as text.
    pub(super) fn comment(&mut self, note: &str) {
        self.begin_line();
        // Two dashes would end it (XML 1.0 §2.5).
        let note = legal(note).replace("--", "–");
        ["<!-- ", &note, " -->"].into_iter().for_each(|piece| self.text.push_str(piece));
    }

    /// Hands on what is written so far.
    pub(super) fn pass_on(&mut self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(self.text.as_bytes())?;
        self.text.clear();
        Ok(())
    }

    /// Closes what is open, and hands on the rest.
    pub(super) fn finish(mut self, out: &mut impl Write) -> io::Result<()> {
        while !self.open.is_empty() {
            self.close();
        }
        self.text.push('\n');
        self.pass_on(out)
    }

    /// A tag that begins an element, but for its end.
    fn begin(&mut self, name: &str, attributes: &[Attribute<'_>]) {
        self.begin_line();
        self.text.push('<');
        self.text.push_str(name);
        for (key, value) in attributes {
            let Some(value) = value else { continue };
            [" ", key, "=\""].into_iter().for_each(|piece| self.text.push_str(piece));
            escape_into(&mut self.text, value, &IN_ATTRIBUTE);
            self.text.push('"');
        }
    }

    fn end(&mut self, name: &str) {
        ["</", name, ">"].into_iter().for_each(|piece| self.text.push_str(piece));
    }

    fn begin_line(&mut self) {
        self.text.push('\n');
        self.open.iter().for_each(|_| self.text.push_str("  "));
    }
}

/// The bytes that stand as references in a text: a parser would make a line's end of a carriage return.
const IN_TEXT: [bool; 256] = among(b"<>&'\"\r");
/// Those in an attribute, where a parser makes a space of all white space.
const IN_ATTRIBUTE: [bool; 256] = among(b"<>&'\"\r\n\t");

const fn among(bytes: &[u8]) -> [bool; 256] {
    let mut are = [false; 256];
    let mut at = 0;
    while at < bytes.len() {
        are[bytes[at] as usize] = true;
        at += 1;
    }
    are
}

/// Adds a text whose bytes among these stand as references, and without the characters that XML forbids.
fn escape_into(out: &mut String, text: &str, are_references: &[bool; 256]) {
    let text = legal(text);
    let mut rest = &*text;
    // Piece by piece: most of it stays as it is.
    while let Some(at) = rest.bytes().position(|byte| are_references[usize::from(byte)]) {
        let (plain, special) = rest.split_at(at);
        let (special, behind) = special.split_at(1);
        out.push_str(plain);
        out.push_str(match special {
            "<" => "&lt;",
            ">" => "&gt;",
            "&" => "&amp;",
            "'" => "&apos;",
            "\"" => "&quot;",
            "\r" => "&#13;",
            "\n" => "&#10;",
            "\t" => "&#9;",
            other => other,
        });
        rest = behind;
    }
    out.push_str(rest);
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

    #[test]
    fn a_document_is_indented_and_its_text_escaped() {
        let mut document = Document::new();
        document.open("feed", &[("lang", Some("en")), ("base", None)]);
        document.comment("a -- b");
        document.leaf("title", &[], "\t<b>a & b's \"c\"\r\n</b> é");
        document.open("entry", &[]);
        document.empty("link", &[("href", Some("?a=1&b='2'\n\t\r<>\""))]);
        document.leaf("id", &[], "");
        let text = in_memory(|out| {
            document.pass_on(out)?;
            document.close();
            document.open("entry", &[]);
            document.finish(out)
        });
        let expected = "<?xml version=\"1.0\" encoding=\"utf-8\"?>
<feed lang=\"en\">
  <!-- a – b -->
  <title>\t&lt;b&gt;a &amp; b&apos;s &quot;c&quot;&#13;\n&lt;/b&gt; é</title>
  <entry>
    <link href=\"?a=1&amp;b=&apos;2&apos;&#10;&#9;&#13;&lt;&gt;&quot;\"/>
    <id></id>
  </entry>
  <entry>
  </entry>
</feed>
";
        assert_eq!(text, expected);
    }
}
