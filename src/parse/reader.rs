//! The tolerant reader: RSS 0.90 to 2.0, RSS 1.0 and 1.1, Atom 0.3 and 1.0 and CDF, in whatever state they come.
//!
//! Pure, one pass, linear in the size of the document. It knows elements by vocabulary and name, holds what is open on a
//! stack of bounded depth, and never builds a tree: an entry is finished when its element closes. What closes out of turn
//! closes what stands open inside it, and what does not close at all ends where its parent or its next sibling does.
//!
//! Here is what is open and whose text it is. What an element means is `elements`' to say, and what becomes of its text
//! `fields`'.

mod elements;
mod fields;
mod media;
mod texts;

use std::borrow::Cow;

use url::Url;

use crate::parse::address::{Joiner, is_web};
use crate::parse::entities::{Found, decode_into};
use crate::parse::names::{Bindings, Vocabulary, lower};
use crate::parse::repairs::{Repair, Repairs, place};
use crate::parse::tokens::{Attributes, Token, Tokens};
use crate::parse::{Context, Error, ParsedFeed, markup};
use crate::sanitise::LONGEST_BASE;
use crate::text;
use crate::text::elements::is_void;
use fields::{Draft, PersonDraft};
pub(super) use fields::{body, link_by_id, resolve, title};

/// The most elements that are open at a time; deeper ones are taken out, their text stays.
const DEEPEST: usize = 256;
/// The longest field, in bytes.
const LONGEST_FIELD: usize = 1024 * 1024;
/// XML's attribute for what addresses are relative to.
const BASE: &str = "xml:base";
/// The longest name of a language, in bytes (RFC 5646 §4.4.1 asks for room for 35).
const LONGEST_TAG: usize = 64;
/// After so many tokens it is asked whether the time is over.
const TOKENS_BETWEEN: usize = 1_024;
/// How far into the document its root may stand.
const FARTHEST_ROOT: usize = 64 * 1024;

/// Reads a document of an XML dialect.
///
/// # Errors
/// When no element of it is the root of a feed.
pub(super) fn read(text: &str, context: Context<'_>, repairs: &mut Repairs) -> Result<ParsedFeed, Error> {
    Reader::new(text, context, repairs).run(text)
}

/// What an open element is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `rss`, `rdf:RDF`.
    Root,
    /// `channel`, `feed`.
    Feed,
    /// `item`, `entry`.
    Entry,
    /// `source` of an entry.
    Source,
    /// `author` and its kin.
    Person,
    /// `image` and its kin of a feed, whose title and link are not the feed's.
    Image,
    /// `skipHours`.
    Hours,
    /// `skipDays`.
    Days,
    /// `media:content`, and other elements whose children count as if they stood outside.
    Media,
    /// `media:group`: one thing in several files.
    Group,
    /// A picture, whose title and description are not the entry's.
    Picture,
    /// The element whose text is being taken.
    Captured,
    /// Markup inside the captured element.
    Inline,
    /// As `Inline`, and left out of the text.
    Unwrapped,
    /// Anything else; only entries are looked for inside.
    Foreign,
}

#[derive(Debug, Clone, Copy)]
struct Frame<'a> {
    name: &'a str,
    kind: Kind,
    bindings: usize,
    bases: usize,
    languages: usize,
}

/// What a text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Title,
    MediaTitle,
    /// The title of a picture.
    PictureTitle,
    Summary,
    /// A summary from a module, for want of a better one.
    SummaryToo,
    Content,
    Link,
    OriginalLink,
    OriginalEnclosure,
    Guid,
    Published,
    Updated,
    /// A date that may be either.
    Dated,
    Created,
    Category,
    Keywords,
    Comments,
    CommentCount,
    Language,
    Ttl,
    Hour,
    Day,
    Period,
    Frequency,
    PersonName,
    PersonEmail,
    PersonUri,
    ImageUrl,
}

impl Field {
    /// Whether markup means something in it.
    fn is_markup(self) -> bool {
        matches!(
            self,
            Self::Title | Self::MediaTitle | Self::PictureTitle | Self::Summary | Self::SummaryToo | Self::Content
        )
    }
}

/// How the text of a field is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Plain text, or HTML: RSS does not say.
    Guess,
    Plain,
    /// Escaped HTML.
    Html,
    /// Markup as elements of the document.
    Xhtml,
    /// As `Xhtml`, of some other vocabulary: no element of it is the feed's.
    Xml,
    Base64 {
        is_plain: bool,
    },
}

#[derive(Debug)]
struct Capture<'a> {
    field: Field,
    mode: Mode,
    /// The depth of its element.
    depth: usize,
    text: String,
    /// Whether elements were met in a text that did not announce any.
    has_inline: bool,
    is_cut: bool,
    /// What an attribute says in its stead.
    instead: Option<String>,
    /// `isPermaLink` of a guid.
    is_permalink: Option<bool>,
    /// The attributes of a link that has its address as text.
    link: Option<Attributes<'a>>,
}

struct Reader<'a, 'c> {
    tokens: Tokens<'a>,
    context: Context<'c>,
    repairs: &'c mut Repairs,
    /// Where the current token began.
    at: usize,
    stack: Vec<Frame<'a>>,
    /// How many elements are open beyond the deepest that are held.
    overflow: usize,
    bindings: Bindings<'a>,
    bases: Vec<Url>,
    joiner: Joiner,
    languages: Vec<String>,
    /// Whether a text without a type is plain, as Atom says.
    is_atom: bool,
    capture: Option<Capture<'a>>,
    person: Option<PersonDraft>,
    feed: ParsedFeed,
    feed_draft: Draft,
    item: Option<Box<Draft>>,
    is_full: bool,
    /// Whether the document broke off, and what is open is ended here.
    is_breaking_off: bool,
}

/// The format of a document with this root, by its version or the namespaces that it names.
fn format(root: &str, attributes: Attributes<'_>) -> String {
    let names = |namespace| attributes.0.contains(namespace);
    let version = attributes.get("version").map(str::trim).filter(|version| !version.is_empty());
    match (root, version) {
        ("rss", Some(version)) => return format!("RSS {}", text::shorten(version, 10)),
        ("rss", None) => "RSS",
        ("rdf", _) if names("my.netscape.com/rdf/simple/0.9") => "RSS 0.90",
        ("rdf", _) => "RSS 1.0",
        ("channel", _) if names("purl.org/net/rss1.1#") => "RSS 1.1",
        ("channel", _) if attributes.get("href").or_else(|| attributes.get("HREF")).is_some() => "CDF",
        ("channel" | "item", _) => "RSS",
        (_, Some("0.3")) => "Atom 0.3",
        _ if names("purl.org/atom/ns#") => "Atom 0.3",
        _ => "Atom 1.0",
    }
    .to_owned()
}

impl<'a, 'c> Reader<'a, 'c> {
    fn new(text: &'a str, context: Context<'c>, repairs: &'c mut Repairs) -> Self {
        Self {
            tokens: Tokens::new(text),
            context,
            repairs,
            at: 0,
            stack: Vec::with_capacity(16),
            overflow: 0,
            bindings: Bindings::default(),
            bases: Vec::new(),
            joiner: Joiner::default(),
            languages: Vec::new(),
            is_atom: false,
            capture: None,
            person: None,
            feed: ParsedFeed::default(),
            feed_draft: Draft::default(),
            item: None,
            is_full: false,
            is_breaking_off: false,
        }
    }

    fn token(&mut self, token: Token<'a>) {
        match token {
            Token::Start { name, attributes, is_empty } => self.start(name, attributes, is_empty),
            Token::End { name } => self.end(name),
            Token::Text(raw) => self.text(raw, false),
            Token::Literal(raw) => self.text(raw, true),
        }
    }

    fn run(mut self, text: &'a str) -> Result<ParsedFeed, Error> {
        self.find_root(text)?;
        let mut read = 0_usize;
        while !self.is_full {
            self.at = self.tokens.position();
            let Some(token) = self.tokens.next() else {
                break;
            };
            self.token(token);
            read += 1;
            if read.is_multiple_of(TOKENS_BETWEEN) && self.context.deadline.is_over() {
                return Err(Error::OutOfTime);
            }
        }
        if let Some(at) = self.tokens.stray {
            self.repairs.note(Repair::StrayTag, at);
        }
        if !self.stack.is_empty() && !self.is_full {
            self.repairs.note(Repair::CutOff, text.len());
            // Half a sentence is worse than none: at the next poll it would show as an edit.
            self.capture = None;
            self.is_breaking_off = true;
        }
        self.pop_to(0);
        Ok(self.finish(text.len()))
    }

    /// Goes on until the root of a feed.
    fn find_root(&mut self, text: &'a str) -> Result<(), Error> {
        let mut first: Option<(&'a str, usize)> = None;
        let mut has_words = false;
        loop {
            self.at = self.tokens.position();
            if self.at > FARTHEST_ROOT {
                break;
            }
            let Some(token) = self.tokens.next() else {
                break;
            };
            let Token::Start { name, attributes, is_empty } = token else {
                has_words |= matches!(token, Token::Text(raw) if !raw.trim().is_empty());
                continue;
            };
            let local = lower(name.rsplit(':').next().unwrap_or(name));
            match local.as_ref() {
                "rss" | "rdf" | "feed" | "channel" | "item" | "entry" => {
                    if has_words || first.is_some() {
                        self.repairs.note(Repair::Junk, self.at);
                    }
                    self.is_atom = matches!(local.as_ref(), "feed" | "entry");
                    let version = attributes.get("version").map(str::trim);
                    if name == "rss" && !matches!(version, Some("2.0" | "0.91" | "0.92")) {
                        self.repairs.note(Repair::Version, self.at);
                    }
                    self.feed.format = format(&local, attributes);
                    self.start(name, attributes, is_empty);
                    return Ok(());
                }
                // A whole page, and not the warning of a script before the document.
                "html" | "head" | "body" | "opml" | "kml" | "urlset" | "sitemapindex" | "opensearchdescription" => {
                    break;
                }
                _ => {
                    first.get_or_insert((name, self.at));
                }
            }
        }
        let Some((name, at)) = first else {
            return Err(Error::Unreadable("line 1, column 1: no element of a feed in it".into()));
        };
        let (line, column) = place(text, at);
        let name = text::shorten(name, 40);
        Err(Error::Unreadable(format!("line {line}, column {column}: `<{name}>` is the root of no feed format")))
    }

    fn start(&mut self, name: &'a str, attributes: Attributes<'a>, is_empty: bool) {
        if self.stack.len() >= DEEPEST {
            self.repairs.note(Repair::Depth, self.at);
            if !is_empty {
                self.overflow += 1;
            }
            return;
        }
        let frame = Frame {
            name,
            kind: Kind::Foreign,
            bindings: self.bindings.len(),
            bases: self.bases.len(),
            languages: self.languages.len(),
        };
        if attributes.0.contains("xml") || (self.stack.is_empty() && !attributes.0.is_empty()) {
            self.scope(attributes);
        }
        let (vocabulary, local) = self.bindings.resolve(name);
        if vocabulary != Vocabulary::Other && !self.bindings.is_bound(name) {
            self.repairs.note(Repair::Prefix, self.at);
        }
        let (frame, is_void) = if self.capture.is_some() && !self.ends_capture(vocabulary, &local) {
            self.inline(frame, vocabulary, &local, attributes, is_empty)
        } else {
            let kind = self.element(vocabulary, &local, attributes);
            (Frame { kind, ..frame }, false)
        };
        self.stack.push(frame);
        if is_empty || is_void {
            self.pop_to(self.stack.len() - 1);
        }
    }

    /// Takes in the prefixes, the base and the language that an element sets.
    fn scope(&mut self, attributes: Attributes<'a>) {
        let is_outer = self.stack.len() < 2;
        for (name, value) in attributes.iter() {
            if let Some(prefix) = name.strip_prefix("xmlns") {
                let is_usual = match prefix.strip_prefix(':') {
                    Some(prefix) => self.bindings.bind(prefix, value, is_outer),
                    None => !prefix.is_empty() || self.bindings.bind("", value, is_outer),
                };
                if !is_usual {
                    self.repairs.note(Repair::Namespace, self.at);
                }
            } else if name == BASE || (is_outer && name.eq_ignore_ascii_case("base")) {
                let value = self.decoded(value);
                let base = self.joiner.base(value.trim(), self.base());
                // Each entry gets a copy.
                let is_usable = |base: &Url| !base.cannot_be_a_base() && base.as_str().len() <= LONGEST_BASE;
                self.bases.extend(base.filter(is_usable));
            } else if name == "xml:lang" {
                let language = self.decoded(value).trim().replace('_', "-");
                self.languages.push(Some(language).filter(|tag| tag.len() <= LONGEST_TAG).unwrap_or_default());
            }
        }
    }

    /// Whether an element inside the captured one shows that the captured one has no end.
    fn ends_capture(&mut self, vocabulary: Vocabulary, local: &str) -> bool {
        let Some(capture) = &self.capture else {
            return false;
        };
        let is_direct = self.stack.len() == capture.depth;
        let is_entry = is_entry(vocabulary, local);
        let ends = match (vocabulary, capture.mode) {
            (_, Mode::Xml) | (Vocabulary::Xhtml | Vocabulary::Other, _) => false,
            (Vocabulary::Rss | Vocabulary::Atom, _) => is_entry || (is_direct && is_sibling(local)),
            _ => is_direct,
        };
        if ends {
            let depth = capture.depth - 1;
            self.repairs.note(Repair::Unclosed, self.at);
            self.pop_to(depth);
        }
        ends
    }

    /// An element inside a captured one, as markup.
    fn inline(
        &mut self,
        frame: Frame<'a>,
        vocabulary: Vocabulary,
        local: &str,
        attributes: Attributes<'a>,
        is_empty: bool,
    ) -> (Frame<'a>, bool) {
        let Some(capture) =
            self.capture.as_mut().filter(|capture| capture.field.is_markup() && capture.text.len() < LONGEST_FIELD)
        else {
            return (Frame { kind: Kind::Unwrapped, ..frame }, false);
        };
        match capture.mode {
            Mode::Plain => {
                capture.text = markup::escape(&capture.text);
                capture.mode = Mode::Xhtml;
            }
            Mode::Guess | Mode::Html if !capture.has_inline => {
                self.repairs.note(Repair::Markup, self.at);
                // What came so far is markup only if it looks like it.
                if capture.mode == Mode::Guess && !markup::looks_like_html(&capture.text) {
                    capture.text = markup::escape(&capture.text);
                }
            }
            _ => {}
        }
        let is_first = !capture.has_inline && capture.text.trim().is_empty();
        capture.has_inline = true;
        let is_direct = self.stack.len() == capture.depth;
        if is_first && is_direct && local == "div" && capture.mode == Mode::Xhtml && attributes.get(BASE).is_none() {
            // The `div` that Atom asks for around XHTML is no part of it (RFC 4287 §3.1.1.3). One that says what its
            // addresses are relative to is still needed.
            return (Frame { kind: Kind::Unwrapped, ..frame }, false);
        }
        let local = if vocabulary == Vocabulary::Other { frame.name } else { local };
        write_tag(&mut capture.text, local, attributes, &self.tokens);
        let is_void = is_void(local);
        let kind = if is_void { Kind::Unwrapped } else { Kind::Inline };
        (Frame { kind, ..frame }, is_void && !is_empty)
    }

    fn end(&mut self, name: &'a str) {
        if self.overflow > 0 {
            self.overflow -= 1;
            return;
        }
        let Some(open) = self.opened_as(name) else {
            self.repairs.note(Repair::Mismatched, self.at);
            return;
        };
        if open + 1 != self.stack.len() {
            self.repairs.note(Repair::Mismatched, self.at);
        } else if self.stack.last().is_some_and(|frame| frame.name != name) {
            self.repairs.note(Repair::Case, self.at);
        }
        self.pop_to(open);
    }

    /// The innermost open element that `</name>` closes.
    fn opened_as(&self, name: &str) -> Option<usize> {
        if self.stack.last()?.name == name {
            return Some(self.stack.len() - 1);
        }
        let local = |name: &'a str| name.rsplit(':').next().unwrap_or(name);
        self.stack.iter().rposition(|frame| frame.name.eq_ignore_ascii_case(name)).or_else(|| {
            let bare = name.rsplit(':').next().unwrap_or(name);
            self.stack.iter().rposition(|frame| local(frame.name).eq_ignore_ascii_case(bare))
        })
    }

    fn pop_to(&mut self, depth: usize) {
        while self.stack.len() > depth {
            let Some(frame) = self.stack.pop() else {
                return;
            };
            match frame.kind {
                Kind::Captured => self.end_capture(),
                Kind::Inline => {
                    if let Some(capture) = &mut self.capture {
                        let (vocabulary, local) = self.bindings.resolve(frame.name);
                        let name = if vocabulary == Vocabulary::Other { frame.name } else { &local };
                        capture.text.push_str("</");
                        capture.text.push_str(name);
                        capture.text.push('>');
                    }
                }
                Kind::Person => self.end_person(),
                Kind::Group => self.end_group(),
                Kind::Entry => self.end_entry(),
                _ => {}
            }
            self.bindings.cut(frame.bindings);
            self.bases.truncate(frame.bases);
            self.languages.truncate(frame.languages);
        }
    }

    fn text(&mut self, raw: &'a str, is_literal: bool) {
        if let Some(capture) = &mut self.capture {
            if capture.text.len() >= LONGEST_FIELD {
                if !capture.is_cut {
                    capture.is_cut = true;
                    self.repairs.note(Repair::TooLong, self.at);
                }
                return;
            }
            let room = LONGEST_FIELD - capture.text.len();
            let raw = raw.get(..raw.floor_char_boundary(room)).unwrap_or(raw);
            let escapes = match capture.mode {
                Mode::Xhtml | Mode::Xml => true,
                Mode::Guess | Mode::Html => capture.has_inline && !is_literal,
                Mode::Plain | Mode::Base64 { .. } => false,
            };
            let text = &mut capture.text;
            if is_literal && escapes {
                markup::escape_into(raw, text);
            } else if is_literal {
                text.push_str(raw);
            } else if escapes && raw.contains('&') {
                let mut decoded = String::with_capacity(raw.len());
                note_references(self.repairs, self.at, decode_into(raw, &mut decoded, &self.tokens.declared));
                markup::escape_into(&decoded, text);
            } else if escapes {
                markup::escape_into(raw, text);
            } else {
                note_references(self.repairs, self.at, decode_into(raw, text, &self.tokens.declared));
            }
            return;
        }
        match self.stack.last().map(|frame| frame.kind) {
            // Also the text of elements inside: `by <b>Me</b>`.
            Some(Kind::Person | Kind::Foreign) if self.person.is_some() => {
                if let Some(person) = &mut self.person
                    && person.text.len() + raw.len() < LONGEST_FIELD
                {
                    if is_literal {
                        person.text.push_str(raw);
                    } else {
                        decode_into(raw, &mut person.text, &self.tokens.declared);
                    }
                }
            }
            // `<image>https://…</image>`, as some generators write it.
            Some(Kind::Image) => {
                let said = self.decoded(raw).trim().to_owned();
                if is_web(&said) {
                    self.set_image(Some(said));
                }
            }
            Some(Kind::Source) => {
                let said = if is_literal { Cow::Borrowed(raw) } else { self.decoded(raw) };
                let said = text::fold_space(&said);
                if let Some(source) = self.item.as_mut().and_then(|item| item.entry.source.as_mut())
                    && source.title.is_none()
                    && !said.is_empty()
                {
                    source.title = Some(said);
                }
            }
            _ => {}
        }
    }

    fn attribute(&self, attributes: Attributes<'a>, name: &str) -> Option<String> {
        let value = attributes.get(name)?;
        let value = self.decoded(value);
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    fn decoded(&self, raw: &'a str) -> Cow<'a, str> {
        if !raw.contains('&') {
            return Cow::Borrowed(raw);
        }
        let mut decoded = String::with_capacity(raw.len());
        decode_into(raw, &mut decoded, &self.tokens.declared);
        Cow::Owned(decoded)
    }

    /// The base that the document or its address gives.
    fn base(&self) -> Option<&Url> {
        self.bases.last().or(self.context.base)
    }

    /// The address, joined to its base. Atom says that this is the document's own address; what RSS says nothing of starts from
    /// the feed's page, as its readers have it, and that is known at the end (`resolve`).
    fn absolute(&self, address: &str) -> String {
        let base = if self.is_atom || self.item.is_none() { self.base() } else { self.bases.last() };
        self.joiner.absolute(address, base)
    }
}

fn is_entry(vocabulary: Vocabulary, local: &str) -> bool {
    matches!(vocabulary, Vocabulary::Rss | Vocabulary::Atom) && matches!(local, "item" | "entry")
}

/// Elements of RSS and Atom that are no elements of HTML, or only of its head.
fn is_sibling(local: &str) -> bool {
    matches!(
        local,
        "title"
            | "link"
            | "description"
            | "pubdate"
            | "guid"
            | "id"
            | "category"
            | "author"
            | "enclosure"
            | "comments"
            | "content"
            | "published"
            | "updated"
            | "issued"
            | "modified"
            | "created"
            | "channel"
            | "language"
            | "copyright"
            | "rights"
            | "generator"
            | "docs"
            | "lastbuilddate"
            | "managingeditor"
            | "webmaster"
            | "ttl"
            | "subtitle"
            | "tagline"
    )
}

/// Notes what was met in the references of a text that begins at `from`.
fn note_references(repairs: &mut Repairs, from: usize, found: Found) {
    let at = from + found.at.unwrap_or_default();
    if found.bare {
        repairs.note(Repair::Ampersand, at);
    }
    if found.named {
        repairs.note(Repair::Entity, at);
    }
    if found.forbidden {
        repairs.note(Repair::Reference, at);
    }
}

/// Writes an element of the document as HTML. Of XML's own attributes the base stays, which whoever shows the text joins its
/// addresses to: written into each address, it would make a large text of a small one.
fn write_tag(out: &mut String, name: &str, attributes: Attributes<'_>, tokens: &Tokens<'_>) {
    out.push('<');
    out.push_str(name);
    for (attribute, value) in attributes.iter() {
        // What XML calls a language HTML calls by another name (XHTML 1.0 §C.7).
        let is_language = attribute == "xml:lang" && attributes.get("lang").is_none();
        let attribute = if is_language { "lang" } else { attribute };
        if (attribute.starts_with("xml") && attribute != BASE)
            || !attribute.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b':'))
        {
            continue;
        }
        let mut decoded = String::with_capacity(value.len());
        decode_into(value, &mut decoded, &tokens.declared);
        out.push(' ');
        out.push_str(attribute);
        out.push_str("=\"");
        markup::escape_into(&decoded, out);
        out.push('"');
    }
    out.push('>');
}
