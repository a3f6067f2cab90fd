//! Lists of feeds as other readers exchange them (OPML 1 and 2), read as tolerantly as feeds are.
//!
//! Pure. Folders are tags. Which of the feeds are wanted is the caller's to decide; [`crate::publish::opml`] writes lists.

use crate::parse::charset;
use crate::parse::entities::decode_into;
use crate::parse::tokens::{Attributes, Token, Tokens};

/// What every entry of a list is.
const OUTLINE: &str = "outline";

/// How many folders and categories of a feed count: the folders right around it.
const MOST_TAGS: usize = 50;

/// A list that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    /// Its feeds, in its order. One that stands in several folders is here several times.
    pub outlines: Vec<Outline>,
    /// The line in which the list breaks off, if it does.
    pub breaks_off: Option<usize>,
}

/// A feed in a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    /// Its address as it stands there.
    pub url: String,
    /// What it is called.
    pub title: Option<String>,
    /// The folders that it stands in and the categories that it names, each once.
    pub tags: Vec<String>,
    /// Whether it is a page that the other reader makes a feed of, and no feed.
    pub is_scraped: bool,
    /// The line where it stands, from 1.
    pub line: usize,
}

/// Why a list cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}: {what}")]
pub struct Error {
    /// From 1.
    pub line: usize,
    /// What is wrong, for a person.
    pub what: String,
}

/// Reads a list in whatever character set it is.
///
/// # Errors
/// When it is no OPML; in which line that shows, and what it is instead.
pub fn read(document: &[u8]) -> Result<List, Error> {
    let (text, _) = charset::without_forbidden(charset::decode(document, None).text);
    let mut reading = Reading::new(&text);
    reading.read_all();
    let Reading { list, root, folders, line, is_closed, .. } = reading;
    let is_list = !list.outlines.is_empty() || root.is_some_and(|(name, _)| name.eq_ignore_ascii_case("opml"));
    if !is_list {
        let (what, line) = match root {
            Some((name, line)) => (format!("not an OPML list: it begins with `<{name}>`, not with `<opml>`"), line),
            None => ("not an OPML list: it holds no element".to_owned(), 1),
        };
        return Err(Error { line, what });
    }
    let breaks_off = (!is_closed || !folders.is_empty()).then_some(line);
    Ok(List { breaks_off, ..list })
}

/// A list on its way in.
struct Reading<'a> {
    text: &'a str,
    tokens: Tokens<'a>,
    /// Where in the text the tokens begin.
    from: usize,
    /// How far lines are counted, and the line there.
    counted: usize,
    line: usize,
    /// The first element, and its line.
    root: Option<(&'a str, usize)>,
    is_closed: bool,
    /// The open outlines: the name of each, if it is a folder.
    folders: Vec<Option<String>>,
    list: List,
}

impl<'a> Reading<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            tokens: Tokens::new(text),
            from: 0,
            counted: 0,
            line: 1,
            root: None,
            is_closed: false,
            folders: Vec::new(),
            list: List::default(),
        }
    }

    fn read_all(&mut self) {
        let mut at = 0;
        while let Some(token) = self.tokens.next() {
            let line = self.line_at(at);
            match token {
                Token::Start { name, attributes, is_empty } => {
                    self.root.get_or_insert((name, line));
                    self.is_closed |= is_empty && name.eq_ignore_ascii_case("opml");
                    if name.eq_ignore_ascii_case(OUTLINE) {
                        let (own, is_empty) = self.without_the_next(attributes, is_empty);
                        self.outline(own, is_empty, line);
                    }
                }
                Token::End { name } if name.eq_ignore_ascii_case(OUTLINE) => drop(self.folders.pop()),
                Token::End { name } => self.is_closed |= name.eq_ignore_ascii_case("opml"),
                Token::Text(_) | Token::Literal(_) => {}
            }
            at = self.from + self.tokens.position();
        }
        self.line_at(self.text.trim_end().len());
    }

    /// The attributes of an outline alone. A stray quote makes the tag run on into the next one, which is then read again.
    fn without_the_next(&mut self, attributes: Attributes<'a>, is_empty: bool) -> (Attributes<'a>, bool) {
        let Attributes(whole) = attributes;
        let next = whole.match_indices('<').map(|(at, _)| at).find(|at| {
            let name = whole.get(at + 1..).unwrap_or_default().trim_start_matches('/');
            name.get(..OUTLINE.len()).is_some_and(|name| name.eq_ignore_ascii_case(OUTLINE))
        });
        let Some(next) = next else { return (attributes, is_empty) };
        let end = self.from + self.tokens.position() - 1 - usize::from(is_empty);
        self.from = end - whole.len() + next;
        let declared = std::mem::take(&mut self.tokens.declared);
        self.tokens = Tokens::new(self.text.get(self.from..).unwrap_or_default());
        self.tokens.declared = declared;
        let own = whole.get(..next).unwrap_or_default().trim_end().trim_end_matches('>');
        (Attributes(own.trim_end_matches('/')), own.ends_with('/'))
    }

    fn outline(&mut self, attributes: Attributes<'a>, is_empty: bool, line: usize) {
        let get = |name: &str| {
            let mut value = String::new();
            decode_into(attributes.get(name)?, &mut value, &self.tokens.declared);
            let value = value.replace(char::is_control, " ");
            Some(value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let title = get("title").or_else(|| get("text"));
        // Some write the address as that of a link.
        let is_feed =
            || get("type").is_some_and(|kind| ["rss", "atom"].iter().any(|known| kind.eq_ignore_ascii_case(known)));
        let url = get("xmlUrl").or_else(|| get("url").filter(|_| is_feed()));
        // A feed that holds outlines is no folder.
        let folder = title.clone().filter(|_| url.is_none());
        if let Some(url) = url {
            let categories = get("category").unwrap_or_default();
            let mut tags: Vec<String> = Vec::new();
            let folders = self.folders.iter().rev().flatten().take(MOST_TAGS).collect::<Vec<_>>();
            for tag in folders.into_iter().rev().cloned().chain(labels(&categories)) {
                if tags.len() < MOST_TAGS && !tags.contains(&tag) {
                    tags.push(tag);
                }
            }
            let is_scraped = get("type").is_some_and(|kind| is_scraped(&kind));
            self.list.outlines.push(Outline { url, title, tags, is_scraped, line });
        }
        if !is_empty {
            self.folders.push(folder);
        }
    }

    /// The line of the byte at `at`, which is never before one that was asked for.
    fn line_at(&mut self, at: usize) -> usize {
        let passed = self.text.as_bytes().get(self.counted..at).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.counted = self.counted.max(at);
        self.line
    }
}

/// The labels of a `category`: paths with slashes, commas between (OPML 2.0). What a label has of these itself is written with
/// percent signs, as in an address.
fn labels(category: &str) -> impl Iterator<Item = String> {
    let literal = |label: &str| label.trim().replace("%2F", "/").replace("%2C", ",").replace("%25", "%");
    category.split([',', '/']).map(literal).filter(|label| !label.is_empty())
}

/// Whether a reader makes a feed out of a page itself: `HTML+XPath`, `JSON+DotNotation` and their like are how other readers say
/// with what. The plus of a media type such as `application/rss+xml` says nothing of the kind.
fn is_scraped(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    (kind.contains('+') && !kind.contains('/')) || matches!(kind.as_str(), "html" | "xhtml" | "text/html")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(list: &str, expected: &[(&str, &str, &[&str])]) {
        let outlines = read(list.as_bytes()).unwrap().outlines;
        let shown: Vec<(&str, &str, Vec<&str>)> = outlines
            .iter()
            .map(|feed| {
                let tags = feed.tags.iter().map(String::as_str).collect();
                (feed.url.as_str(), feed.title.as_deref().unwrap_or_default(), tags)
            })
            .collect();
        let expected: Vec<_> = expected.iter().map(|(url, title, tags)| (*url, *title, tags.to_vec())).collect();
        assert_eq!(shown, expected, "{list}");
    }

    #[test]
    fn folders_and_categories_are_tags() {
        check(
            r#"<?xml version="1.0"?>
<opml version="1.0"><head><title>Mine</title></head><body>
<outline text="World">
  <outline text="Ex &amp; Co" type="rss" xmlUrl="https://example.org/feed?a=1&amp;b=2"/>
  <outline title="Deep"><outline text="Inner" XMLURL="https://example.net/"/></outline>
</outline>
<outline text="Loose" xmlUrl="https://example.com/" category="/World/Asia,news,Art%2FDesign,100%"></outline>
<outline text="Only a note"/>
</body></opml>"#,
            &[
                ("https://example.org/feed?a=1&b=2", "Ex & Co", &["World"]),
                ("https://example.net/", "Inner", &["World", "Deep"]),
                ("https://example.com/", "Loose", &["World", "Asia", "news", "Art/Design", "100%"]),
            ],
        );
    }

    #[test]
    fn one_bad_character_costs_no_feed() {
        // Each was met in a list that another reader had written.
        let two = |first: &str, second: &str| format!("<opml>\n<body>{first}\n{second}</body></opml>");
        let b = r#"<outline text="B" xmlUrl="https://b.example/"/>"#;
        let found = |first: &str, title: &str, url: &str| {
            check(&two(first, b), &[(url, title, &[]), ("https://b.example/", "B", &[])]);
        };
        found(
            r#"<outline text="R & D" htmlUrl="https://a?x=1&partner=rss" xmlUrl="https://a/?x=1&y=2"/>"#,
            "R & D",
            "https://a/?x=1&y=2",
        );
        found(r#"<outline text="Caf&eacute;&nbsp;A" xmlUrl="https://a/"/>"#, "Café\u{a0}A", "https://a/");
        found("<outline text=A unread=0 xmlUrl=https://a/feed />", "A", "https://a/feed");
        found("<outline text='It''s' xmlUrl='https://a/'/>", "It", "https://a/");
        found(r#"<outline text="5" disk" xmlUrl="https://a/"/>"#, "5", "https://a/");
        found(r#"<outline text="1 < 2 > 0" xmlUrl="https://a/"/>"#, "1 < 2 > 0", "https://a/");
        found("<outline type='rss' text='A' url='https://a/'/>", "A", "https://a/");
        found("<OUTLINE TEXT=\"A\nB\" XMLURL=\"https://a/\"></OUTLINE>", "A B", "https://a/");
        found("<br/><!-- <outline> --><outline text='A' xmlUrl='https://a/'/>\u{0}", "A", "https://a/");
    }

    #[test]
    fn entities_that_a_list_declares_are_known_and_so_is_each_character_set() {
        check(
            "<!DOCTYPE opml [<!ENTITY co \"Co\">]><opml><outline text='A &co;' xmlUrl='https://a/'/></opml>",
            &[("https://a/", "A Co", &[])],
        );
        let list = "<?xml version='1.0' encoding='iso-8859-1'?><opml><outline text='Café' xmlUrl='https://a/'/></opml>";
        let (latin1, _, _) = encoding_rs::WINDOWS_1252.encode(list);
        let utf16: Vec<u8> = "\u{feff}".encode_utf16().chain(list.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        for document in [&latin1[..], &utf16, list.as_bytes()] {
            assert_eq!(read(document).unwrap().outlines[0].title.as_deref(), Some("Café"));
        }
    }

    #[test]
    fn a_page_that_another_reader_scrapes_is_no_feed() {
        let check = |kind: &str, expected: bool| assert_eq!(is_scraped(kind), expected, "{kind}");
        for kind in ["HTML+XPath", "XML+XPath", "JSON+DotNotation", "html+xpath+json+dotnotation", "HTML"] {
            check(kind, true);
        }
        for kind in ["rss", "Atom", "RSS1", "application/rss+xml", "application/feed+json", "text/xml"] {
            check(kind, false);
        }
    }

    #[test]
    fn a_list_that_breaks_off_gives_what_is_there() {
        let whole = "<opml><body>\n<outline text='F'>\n<outline text='A' xmlUrl='https://a/'/></outline></body></opml>";
        assert_eq!(read(whole.as_bytes()).unwrap().breaks_off, None);
        let cut = read(whole.replace("</outline></body></opml>", "\n<outline text='B").as_bytes()).unwrap();
        assert_eq!((cut.outlines.len(), cut.breaks_off), (1, Some(4)));
        assert_eq!(cut.outlines[0].line, 3);
    }

    #[test]
    fn what_is_no_list_is_told_so() {
        let check = |text: &str, expected: &str| {
            let told = read(text.as_bytes()).unwrap_err().to_string();
            assert!(told.starts_with(expected), "{told}");
        };
        check("\n<rss><channel/></rss>", "2: not an OPML list: it begins with `<rss>`");
        check("{}", "1: not an OPML list: it holds no element");
        check("", "1: not an OPML list: it holds no element");
    }
}
