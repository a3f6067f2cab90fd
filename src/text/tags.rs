//! Names that are no elements, told from tags.
//!
//! Pure. Who writes `vector<int>` means the words, and a parser of HTML takes them away. A name that HTML does not know and that
//! nothing closes is shown as it is written. Elements of HTML that are only spoken of were told from tags when the text was read
//! (`parse::markup`).

use std::borrow::Cow;
use std::collections::HashSet;

use memchr::memchr;

use super::elements;

/// A fragment whose tags are tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readable<'a> {
    /// The fragment, with each `<` that begins no tag as a reference.
    pub html: Cow<'a, str>,
    /// Whether it is all of the fragment.
    pub is_whole: bool,
}

/// A tag has no more attributes: html5ever takes time in the square of their number.
const MOST_ATTRIBUTES: usize = 2_000;
/// The longest name that is shown, and how far its `>` is looked for, in bytes.
const LONGEST_WORDS: usize = 200;

/// The fragment as far as it can be read, with names that are no elements as words.
#[must_use]
pub fn readable(html: &str) -> Readable<'_> {
    let mut reader = Reader { html, ends: None, foreign: 0, code: 0 };
    let (mut out, mut copied, mut at) = (String::new(), 0, 0);
    while let Some(found) = memchr(b'<', html.as_bytes().get(at..).unwrap_or_default()) {
        let start = at + found;
        match reader.look(start) {
            Begun::Tag { end } => at = end,
            Begun::Other => at = start + 1,
            Begun::Words => {
                out.push_str(html.get(copied..start).unwrap_or_default());
                out.push_str("&lt;");
                (copied, at) = (start + 1, start + 1);
            }
            Begun::Endless => {
                out.push_str(html.get(copied..start).unwrap_or_default());
                return Readable { html: Cow::Owned(out), is_whole: false };
            }
        }
    }
    if copied == 0 {
        return Readable { html: Cow::Borrowed(html), is_whole: true };
    }
    out.push_str(html.get(copied..).unwrap_or_default());
    Readable { html: Cow::Owned(out), is_whole: true }
}

/// What a `<` begins.
enum Begun {
    /// A tag, as a parser reads it; it ends before `end`.
    Tag { end: usize },
    /// Something else that a parser knows: a comment, or text.
    Other,
    /// Words.
    Words,
    /// A tag with more attributes than anybody writes.
    Endless,
}

struct Reader<'a> {
    html: &'a str,
    /// The names of all end tags, in lower case.
    ends: Option<HashSet<String>>,
    /// How many elements are open in which names mean something else,
    foreign: usize,
    /// and how many that hold code.
    code: usize,
}

impl<'a> Reader<'a> {
    fn look(&mut self, start: usize) -> Begun {
        let rest = self.html.get(start + 1..).unwrap_or_default();
        let (is_end, rest) = rest.strip_prefix('/').map_or((false, rest), |rest| (true, rest));
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            // A bogus comment, for a parser: it ends with the next `>`.
            return Begun::Other;
        }
        let head = rest.get(..rest.floor_char_boundary(LONGEST_WORDS)).unwrap_or(rest);
        let name = head.find(is_end_of_name).and_then(|end| head.get(..end)).unwrap_or(head);
        let after = rest.get(name.len()..).unwrap_or_default();
        let is_words = if self.code > 0 { self.is_code(name) } else { !is_end && self.is_words(name, after) };
        if is_words {
            return Begun::Words;
        }
        let from = self.html.len() - after.len();
        let Some(end) = tag_end(self.html.as_bytes(), from) else { return Begun::Endless };
        let is_empty = self.html.get(..end).is_some_and(|tag| tag.ends_with("/>"));
        let is_one = |of: &[&str]| of.iter().any(|one| name.eq_ignore_ascii_case(one));
        let open = match (is_one(FOREIGN), is_one(CODE)) {
            (true, _) => Some(&mut self.foreign),
            (_, true) => Some(&mut self.code),
            _ => None,
        };
        if let Some(open) = open {
            *open = if is_end { open.saturating_sub(1) } else { *open + usize::from(!is_empty) };
        }
        Begun::Tag { end }
    }

    /// Whether what looks like a tag in code is part of it: no element of HTML, and none that a script or an office program makes.
    fn is_code(&self, name: &str) -> bool {
        let is_of_office =
            || OFFICE.iter().any(|prefix| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(':')));
        self.foreign == 0 && elements::of(name).is_none() && !name.contains('-') && !is_of_office()
    }

    /// Whether what looks like a start tag is meant to be read: nobody but the writer knows its name, and nothing closes it.
    fn is_words(&mut self, name: &str, after: &str) -> bool {
        if self.foreign > 0 || elements::of(name).is_some() || !is_shown(name, after) {
            return false;
        }
        !self.ends().contains(&name.to_ascii_lowercase())
    }

    fn ends(&mut self) -> &HashSet<String> {
        let html = self.html;
        self.ends.get_or_insert_with(|| {
            let names = html.split("</").skip(1).filter_map(|rest| {
                let head = rest.get(..rest.floor_char_boundary(LONGEST_WORDS)).unwrap_or(rest);
                head.get(..head.find(is_end_of_name)?)
            });
            names.map(str::to_ascii_lowercase).collect()
        })
    }
}

fn is_end_of_name(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c' | '/' | '>')
}

/// One past the `>` of a tag whose attributes begin at `at`, or past the end where it has none; `None` when its attributes are
/// too many.
fn tag_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    let (mut attributes, mut is_value) = (0, false);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'>' => break,
            b'"' | b'\'' if is_value => {
                at += memchr(*byte, bytes.get(at..).unwrap_or_default()).map_or(bytes.len(), |end| end + 1);
                (attributes, is_value) = (attributes + 1, false);
            }
            b'=' => is_value = true,
            b' ' | b'\t' | b'\n' | b'\r' | b'\x0c' => attributes += 1,
            b'/' => (attributes, is_value) = (attributes + 1, false),
            _ => is_value = false,
        }
    }
    (attributes <= MOST_ATTRIBUTES).then_some(at)
}

/// Whether a name that is no element of HTML is shown. Names of other vocabularies (`o:p`), of elements that scripts make
/// (`my-player`) and tags with values are not.
fn is_shown(name: &str, after: &str) -> bool {
    let is_address = name.contains('@') || ["http:", "https:", "mailto:"].iter().any(|scheme| name.starts_with(scheme));
    let head = after.get(..after.floor_char_boundary(LONGEST_WORDS)).unwrap_or(after);
    let Some((attributes, _)) = head.split_once('>') else { return false };
    name.len() <= LONGEST_WORDS
        && (is_address
            || name.contains("::")
            || (!name.contains(['-', ':', '_', '<', '=', '"']) && !attributes.contains('=')))
}

/// Elements that hold code.
const CODE: &[&str] = &["code", "pre", "samp", "kbd", "tt"];

/// The prefixes of what office programs leave in a text.
const OFFICE: &[&str] = &["o", "v", "w", "m", "st1"];

/// Vocabularies of their own, and text that a parser takes as it is.
const FOREIGN: &[&str] = &["svg", "math", "xmp", "script", "style"];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(html: &str, expected: &str) {
        assert_eq!(readable(html), Readable { html: expected.into(), is_whole: true }, "{html}");
    }

    fn check_same(html: &str) {
        check(html, html);
        assert!(matches!(readable(html).html, Cow::Borrowed(_)), "{html}");
    }

    #[test]
    fn a_name_that_html_does_not_know_is_words() {
        check("<p>A vector<int> grows.</p>", "<p>A vector&lt;int> grows.</p>");
        check("<td><Root>/Mixer</td>", "<td>&lt;Root>/Mixer</td>");
        check("Map<String, List<Integer>> m", "Map&lt;String, List&lt;Integer>> m");
        check("a<T/>b, <query, Topic>", "a&lt;T/>b, &lt;query, Topic>");
        check("<me@example.org> <https://example.org/>", "&lt;me@example.org> &lt;https://example.org/>");
        check("<script>a</script><p>Box<G>", "<script>a</script><p>Box&lt;G>");
        check("<svg/>a<int>b", "<svg/>a&lt;int>b");
        check("<image> and <set>", "&lt;image> and &lt;set>");
        check("map<std::string, T>", "map&lt;std::string, T>");
    }

    #[test]
    fn code_is_shown_as_it_is_written() {
        check("<code><MyComponent prop={x} /></code>", "<code>&lt;MyComponent prop={x} /></code>");
        check("<pre>\n<Foo a=\"b\">c</Foo></pre> <lj user=x>", "<pre>\n&lt;Foo a=\"b\">c&lt;/Foo></pre> <lj user=x>");
        check("<pre><xs:element name='a'/></pre>", "<pre>&lt;xs:element name='a'/></pre>");
        check("<code>#include <stdio.h></code>", "<code>#include &lt;stdio.h></code>");
        check_same("<pre><span class=k>a</span><o:p></o:p><my-token x=y>b</my-token><svg><g/></svg></pre>");
        check_same("<code>a</code> <lj user=x> <tt>b</tt>");
    }

    #[test]
    fn what_may_be_an_element_stays_one() {
        check_same("Stream<Path> walk</Path>");
        check_same("<o:p></o:p><o:p><my-player><lj user=x>");
        check_same("<svg><g><path d='M0'/><rect></svg>");
        check_same("<math><mi>x</mi><mo>+</math>");
        check_same("<script type=\"math/tex\">x<y</script><xmp><int></xmp>");
        check_same("<IMG SRC=a><Br/><p align=center nowrap>");
        check_same("<image src='a.png'>");
        check_same("a < b, <3, <!-- <int> -->".get(..10).unwrap());
        check_same("a <b");
    }

    #[test]
    fn a_tag_without_end_ends_the_text() {
        let attributes: String = (0..50_000).map(|n| format!(" a{n}='>'")).collect();
        let cut = |html: &str| readable(html).html.into_owned();
        assert_eq!(cut(&format!("<p title=\"a b\">before<p{attributes}>after")), "<p title=\"a b\">before");
        assert_eq!(cut(&format!("<p>before<p{}>after", attributes.replace(' ', "/"))), "<p>before");
        assert!(!readable(&format!("<p{attributes}>")).is_whole);
    }
}
