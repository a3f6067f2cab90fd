//! A document cut into tags and text, whatever its state.
//!
//! Pure, one pass, no copy: every token is a piece of the document. Nothing is an error here: what opens as a tag and does
//! not end as one is text, and what is not closed at the end of the document ends there. What the tokens mean is `reader`'s
//! work.

use memchr::{memchr, memchr2, memmem};

use crate::parse::entities::Declared;

/// The most attributes of one tag that are read.
const MOST_ATTRIBUTES: usize = 1_000;
/// The longest name of an element, in bytes: it is compared with those of others, and what is longer is text.
const LONGEST_NAME: usize = 256;
/// The longest document type declaration that is looked into.
const LONGEST_DOCTYPE: usize = 64 * 1024;

/// A piece of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// `<name attributes>`, or with `/` before the end.
    Start {
        /// With its prefix.
        name: &'a str,
        attributes: Attributes<'a>,
        is_empty: bool,
    },
    /// `</name>`.
    End { name: &'a str },
    /// Characters with their references as they stand.
    Text(&'a str),
    /// Characters that are meant literally.
    Literal(&'a str),
}

/// The attributes of a tag, unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attributes<'a>(pub(super) &'a str);

/// What a section of literal text begins with.
const CDATA: &[u8] = b"<![CDATA[";

/// Cuts a document into tokens.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    text: &'a str,
    at: usize,
    /// Ends that were looked for in vain: they are not looked for again, which keeps the pass linear.
    seen_doctype: bool,
    no_comment_end: bool,
    no_double_quote: bool,
    no_single_quote: bool,
    no_end_of: Vec<String>,
    /// The entities that the document declares.
    pub(super) declared: Declared<'a>,
    /// Where a `<` stood that begins no tag.
    pub(super) stray: Option<usize>,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            seen_doctype: false,
            no_comment_end: false,
            no_double_quote: false,
            no_single_quote: false,
            no_end_of: Vec::new(),
            declared: Declared::default(),
            stray: None,
        }
    }

    /// How far the document is read, in bytes.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Goes past what stands in an element that holds no markup, as HTML has it for scripts. One that is not closed holds
    /// nothing.
    pub(super) fn skip_content(&mut self, name: &str) {
        if self.no_end_of.iter().any(|known| known == name) {
            return;
        }
        let is_end = |at: &usize| {
            let end = self.rest(*at + 2);
            end.get(..name.len()).is_some_and(|end| end.eq_ignore_ascii_case(name.as_bytes()))
        };
        let ends = memmem::find_iter(self.rest(self.at), b"</").map(|found| self.at + found);
        match ends.into_iter().find(is_end) {
            Some(end) => self.at = end,
            None => self.no_end_of.push(name.to_owned()),
        }
    }

    fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    fn rest(&self, from: usize) -> &'a [u8] {
        self.text.as_bytes().get(from..).unwrap_or_default()
    }

    fn find_text(&self, from: usize, what: &str) -> Option<usize> {
        memmem::find(self.rest(from), what.as_bytes()).map(|found| from + found)
    }

    /// Text up to the next `<`, of which `from` may be the first byte if that one begins no tag.
    fn text_from(&mut self, from: usize) -> Token<'a> {
        let searched = from.max(self.at);
        let end = memchr(b'<', self.rest(searched)).map_or(self.text.len(), |found| searched + found);
        self.at = end;
        Token::Text(self.slice(from, end))
    }

    /// The literal text of a CDATA section that begins at `start`.
    fn literal(&mut self, start: usize) -> Token<'a> {
        let from = start + CDATA.len();
        let (end, next) = self.literal_end(from);
        self.at = next;
        Token::Literal(self.slice(from, end))
    }

    /// Where a section ends that begins at `from`, and where it goes on after it.
    ///
    /// One whose end lacks its `>` would take all up to the end of the next one with it. Nothing behind the next one is looked at.
    fn literal_end(&self, from: usize) -> (usize, usize) {
        let mut slip: Option<usize> = None;
        let mut at = from;
        while let Some(found) = memmem::find(self.rest(at), b"]]") {
            let end = at + found;
            if let Some(slip) = slip
                && memmem::find(self.slice(at, end).as_bytes(), CDATA).is_some()
            {
                return (slip, slip + 2);
            }
            let behind = self.rest(end + 2);
            if behind.starts_with(b">") {
                return (end, end + 3);
            }
            if behind.starts_with(b"</") {
                slip = slip.or(Some(end));
            }
            at = end + 1;
        }
        slip.map_or((self.text.len(), self.text.len()), |slip| (slip, slip + 2))
    }

    /// Goes past `<!…>` and `<?…>`, which say nothing that is kept.
    fn skip_declaration(&mut self, start: usize) {
        let rest = self.rest(start);
        if rest.starts_with(b"<!--") {
            let end = if self.no_comment_end { None } else { self.find_text(start + 4, "-->") };
            if let Some(end) = end {
                self.at = end + 3;
                return;
            }
            self.no_comment_end = true;
        } else if !self.seen_doctype && rest.get(..9).is_some_and(|head| head.eq_ignore_ascii_case(b"<!DOCTYPE")) {
            self.seen_doctype = true;
            self.doctype(start);
            return;
        }
        self.at = memchr(b'>', rest).map_or(self.text.len(), |found| start + found + 1);
    }

    /// Goes past a document type declaration and takes its short entities in.
    fn doctype(&mut self, start: usize) {
        let rest = self.rest(start);
        let window = rest.get(..LONGEST_DOCTYPE.min(rest.len())).unwrap_or(rest);
        let Some(first) = memchr2(b'[', b'>', window) else {
            self.at = memchr(b'>', rest).map_or(self.text.len(), |found| start + found + 1);
            return;
        };
        if window.get(first) == Some(&b'>') {
            self.at = start + first + 1;
            return;
        }
        let from = start + first + 1;
        let end = memmem::find(window, b"]>").or_else(|| memmem::find(window, b"] >")).map(|found| start + found);
        let Some(end) = end else {
            // An unclosed declaration: nothing of it is used, and the document goes on at its next tag.
            self.at = from;
            return;
        };
        for declaration in self.slice(from, end).split("<!ENTITY").skip(1) {
            let declaration = declaration.trim_start();
            let Some((name, rest)) = declaration.split_once(char::is_whitespace) else {
                continue;
            };
            let rest = rest.trim_start();
            let value = rest
                .strip_prefix('"')
                .and_then(|rest| rest.split_once('"'))
                .or_else(|| rest.strip_prefix('\'').and_then(|rest| rest.split_once('\'')));
            if let Some((value, _)) = value {
                self.declared.declare(name, value);
            }
        }
        self.at = memchr(b'>', self.rest(end)).map_or(self.text.len(), |found| end + found + 1);
    }

    /// The tag that begins at `start`, or `None` when it does not end as one.
    fn tag(&mut self, start: usize) -> Option<Token<'a>> {
        let bytes = self.text.as_bytes();
        let is_end = bytes.get(start + 1) == Some(&b'/');
        let name_from = start + 1 + usize::from(is_end);
        let first = *bytes.get(name_from)?;
        if !(first.is_ascii_alphabetic() || first == b'_' || first == b':' || first >= 0x80) {
            return None;
        }
        let mut name_to = name_from;
        while let Some(byte) = bytes.get(name_to)
            && !(byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/' | b'<' | b'=' | b'"' | b'\''))
        {
            name_to += 1;
        }
        if name_to - name_from > LONGEST_NAME {
            return None;
        }
        let name = self.slice(name_from, name_to);
        let mut at = name_to;
        loop {
            let rest = self.rest(at);
            // Byte by byte: tags are short, and each byte is looked at once however many quotes there are.
            let Some(end) = rest.iter().position(|byte| matches!(byte, b'>' | b'<' | b'"' | b'\'')) else {
                self.at = self.text.len();
                return Some(Token::Text(""));
            };
            let found = at + end;
            match rest.get(end) {
                Some(b'>') => {
                    self.at = found + 1;
                    if is_end {
                        return Some(Token::End { name });
                    }
                    let is_empty = found > name_to && bytes.get(found - 1) == Some(&b'/');
                    let attributes = Attributes(self.slice(name_to, found - usize::from(is_empty)));
                    return Some(Token::Start { name, attributes, is_empty });
                }
                Some(b'<') => {
                    // A `<` before the end: the tag was never one, or lost its `>`.
                    if is_end {
                        // `</title<link>`: an end tag needs no more than its name.
                        self.at = found;
                        return Some(Token::End { name });
                    }
                    return None;
                }
                // An apostrophe only quotes behind a `=`; elsewhere in a tag it is noise.
                Some(b'\'') if !bytes.get(name_to..found).is_some_and(is_assignment) => at = found + 1,
                Some(quote) => {
                    let gave_up = if *quote == b'"' { &mut self.no_double_quote } else { &mut self.no_single_quote };
                    let close = if *gave_up {
                        None
                    } else {
                        memchr(*quote, self.text.as_bytes().get(found + 1..).unwrap_or_default())
                    };
                    match close {
                        Some(close) => at = found + 1 + close + 1,
                        None => {
                            *gave_up = true;
                            at = found + 1;
                        }
                    }
                }
                None => return None,
            }
        }
    }
}

/// Whether what stands before a quote ends as `name=` does.
fn is_assignment(before: &[u8]) -> bool {
    before.trim_ascii_end().last() == Some(&b'=')
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let start = self.at;
            let bytes = self.text.as_bytes();
            match (bytes.get(start)?, bytes.get(start + 1)) {
                (b'<', Some(b'!')) if self.rest(start).starts_with(CDATA) => return Some(self.literal(start)),
                (b'<', Some(b'!' | b'?')) => self.skip_declaration(start),
                (b'<', _) => match self.tag(start) {
                    Some(token) => return Some(token),
                    None => {
                        self.stray.get_or_insert(start);
                        self.at = start + 1;
                        return Some(self.text_from(start));
                    }
                },
                _ => return Some(self.text_from(start)),
            }
        }
    }
}

impl<'a> Attributes<'a> {
    /// The attribute's raw value, whatever case its name is written in; where it has a prefix, that is overlooked.
    pub(super) fn get(self, name: &str) -> Option<&'a str> {
        let mut prefixed = None;
        for (found, value) in self.iter() {
            if found.eq_ignore_ascii_case(name) {
                return Some(value);
            }
            let local = found.split_once(':').filter(|(prefix, _)| !matches!(*prefix, "xml" | "xmlns" | "xsi"));
            if local.is_some_and(|(_, local)| local.eq_ignore_ascii_case(name)) {
                prefixed = prefixed.or(Some(value));
            }
        }
        prefixed
    }

    /// Every attribute with its raw value; the value of one without a value is its name, as in HTML of old.
    pub(super) fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '='));
            let end = rest.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(rest.len());
            let (name, after) = rest.split_at_checked(end)?;
            if name.is_empty() {
                return None;
            }
            let Some(value) = after.trim_start().strip_prefix('=') else {
                rest = after;
                return Some((name, name));
            };
            let value = value.trim_start();
            let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
            let (value, after) = match quote {
                Some(quote) => {
                    let inner = value.strip_prefix(quote).unwrap_or(value);
                    inner.split_once(quote).unwrap_or((inner, ""))
                }
                None => {
                    let end = value.find(char::is_whitespace).unwrap_or(value.len());
                    value.split_at_checked(end).unwrap_or((value, ""))
                }
            };
            rest = after;
            Some((name, value))
        })
        .take(MOST_ATTRIBUTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tokens(text: &str) -> Vec<Token<'_>> {
        Tokens::new(text).collect()
    }

    #[test]
    fn tags_text_and_literals_are_told_apart() {
        let read = tokens("<?xml version='1.0'?><a b='1>2' c=\"3\"/>x &amp; y<![CDATA[<b>]]><!-- <c> --></A>");
        assert_eq!(
            read,
            [
                Token::Start { name: "a", attributes: Attributes(" b='1>2' c=\"3\""), is_empty: true },
                Token::Text("x &amp; y"),
                Token::Literal("<b>"),
                Token::End { name: "A" },
            ]
        );
    }

    #[test]
    fn what_does_not_end_as_a_tag_is_text() {
        assert_eq!(tokens("1 < 2"), [Token::Text("1 "), Token::Text("< 2")]);
        assert_eq!(tokens("x<y and z</p>").last(), Some(&Token::End { name: "p" }));
        assert_eq!(tokens("<y and z</p>").first(), Some(&Token::Text("<y and z")));
    }

    #[test]
    fn the_end_of_the_document_closes_what_is_open() {
        assert_eq!(tokens("<![CDATA[ab"), [Token::Literal("ab")]);
        let cut = tokens("<t><![CDATA[a]]</t><u><![CDATA[b]]></u>");
        assert_eq!(cut.get(1..3), Some(&[Token::Literal("a"), Token::End { name: "t" }][..]));
        assert!(cut.contains(&Token::Literal("b")));
        assert_eq!(tokens("<![CDATA[a]]</b> c]]>"), [Token::Literal("a]]</b> c")], "as it is, where it ends itself");
        assert_eq!(tokens("a<b c=\"d"), [Token::Text("a"), Token::Text("")]);
        assert_eq!(tokens("<!-- a <b>c").first(), Some(&Token::Text("c")));
    }

    #[test]
    fn sections_whose_ends_are_cut_are_read_in_a_moment() {
        let text = "<![CDATA[a]]</t>".repeat(100_000) + "]]>";
        assert_eq!(tokens(&text).iter().filter(|token| **token == Token::Literal("a")).count(), 99_999);
    }

    #[test]
    fn attributes_are_read_in_every_spelling() {
        let read: Vec<_> = Attributes(" a=\"1\" B='2' c=3 d e = \"4\"").iter().collect();
        assert_eq!(read, [("a", "1"), ("B", "2"), ("c", "3"), ("d", "d"), ("e", "4")]);
        assert_eq!(Attributes(" B='2'").get("b"), Some("2"));
    }

    #[test]
    fn entities_are_declared_in_the_document_type() {
        let mut tokens =
            Tokens::new("<!DOCTYPE rss [<!ENTITY a \"x\"> <!ENTITY b SYSTEM 'file:///etc/passwd'>]><rss>&a;&b;");
        let _ = tokens.by_ref().last();
        let mut text = String::new();
        crate::parse::entities::decode_into("&a;&b;", &mut text, &tokens.declared);
        assert_eq!(text, "x&b;");
    }

    proptest! {
        #[test]
        fn any_text_is_cut_without_panic_and_to_its_end(text in "[<>/!?a-c\"'= \\[\\]&;-]{0,60}|\\PC{0,60}") {
            let mut tokens = Tokens::new(&text);
            for token in tokens.by_ref() {
                if let Token::Start { attributes, .. } = token {
                    let _ = attributes.iter().count();
                }
            }
            prop_assert_eq!(tokens.position(), text.len());
        }
    }
}
