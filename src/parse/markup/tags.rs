//! Which `<` of a text begins a tag that is meant.
//!
//! Pure. RSS does not say whether a text is HTML, and writers forget to escape what they write about: `The <select> element`,
//! `for $1<p \leq 2$`. A parser of HTML takes such words away, and with some of them all that follows. So a tag has to look
//! like one, and a title is a text in which a whole, paired element may be markup. A guess never costs a word: what is no
//! tag is written `&lt;`, and shown as it stands.

use std::borrow::Cow;
use std::collections::HashMap;

use memchr::{memchr, memchr_iter, memmem};

use super::is_reference;
use crate::text::elements::{self, Element};

/// How much of a text is looked at for markup: what has none so far has none.
const LONGEST_LOOK: usize = 64 * 1024;
/// For so many doubtful tags of one text it is looked whether they have an end; the others are text.
const MOST_DOUBTFUL: usize = 64;
/// How often a text is gone through, all in all, in search of the ends of what turns out to be no tag; then no `<` of it is one.
const MOST_PASSES: usize = 8;

/// A tag as it stands in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tag<'a> {
    name: &'a str,
    is_end: bool,
    is_self_closing: bool,
    /// Whether an attribute has a value.
    has_value: bool,
    looks: Looks,
    /// How long it is, in bytes.
    length: usize,
}

/// What stands in a tag behind its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Looks {
    /// Attributes, or nothing.
    Sound,
    /// Words that are the names of no attributes.
    Words,
    /// What cannot be the name of an attribute: `$1<p \leq 2$`.
    Prose,
}

/// What a `<` begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begun<'a> {
    Tag(Tag<'a>),
    /// A comment of this length.
    Comment(usize),
    /// A declaration or an instruction (`<!DOCTYPE html>`, `<?xml … ?>`) of this length.
    Declaration(usize),
    /// A tag of which only so much is there: the text was cut, and sometimes closed again behind the cut.
    Cut(usize),
    Text,
}

/// Whether a text that may be either is HTML: it has a tag that is meant, a comment, or a reference to a character.
pub(in crate::parse) fn looks_like_html(text: &str) -> bool {
    let look = text.get(..text.floor_char_boundary(LONGEST_LOOK)).unwrap_or(text);
    if memchr_iter(b'&', look.as_bytes()).any(|at| look.get(at..).is_some_and(is_reference)) {
        return true;
    }
    // Of most texts that are HTML the first tag tells it.
    memchr(b'<', look.as_bytes()).is_some_and(|at| is_markup_at(look, at) || List::of(look).is_markup())
}

/// The element of this name, if one is meant where it is written.
fn element(name: &str) -> Option<Element> {
    elements::of(name).filter(|element| *element != Element::Rare)
}

/// Whether what begins there shows by itself that a text is HTML.
fn is_markup_at(text: &str, at: usize) -> bool {
    match begun(text.get(at..).unwrap_or_default(), &mut Search::through(text)) {
        Begun::Tag(tag) => is_markup_by(text, at, &tag, false),
        Begun::Comment(_) | Begun::Cut(_) => true,
        Begun::Declaration(_) | Begun::Text => false,
    }
}

/// Whether a tag shows that a text is HTML.
fn is_markup_by(text: &str, at: usize, tag: &Tag<'_>, is_paired: bool) -> bool {
    let Some(element) = element(tag.name) else {
        // One that a script makes into something: `<amp-img src="a.png"></amp-img>`.
        return is_paired && tag.looks == Looks::Sound && (tag.name.contains('-') || tag.name == "oembed");
    };
    if tag.looks != Looks::Sound {
        return tag.has_value;
    }
    let may_stand_alone = matches!(element, Element::Void | Element::Break | Element::Optional);
    // A text that was cut has elements without an end. They stand before what they hold, as words of a sentence do not.
    let after = text.get(at + tag.length..).and_then(|rest| rest.chars().next());
    let holds = after.is_some_and(|c| c.is_alphanumeric() || c == '<');
    let begins = text.get(..at).is_some_and(|before| before.trim().is_empty());
    tag.is_end || is_paired || tag.has_value || may_stand_alone || holds || begins
}

/// A title as HTML: what is no whole element of it is text.
pub(super) fn settled_title(text: &str) -> String {
    let list = List::of(text);
    let mut settled = String::with_capacity(text.len() + 16);
    let mut from = 0;
    for (at, begun, is_paired) in &list.begun {
        let before = text.get(from..*at).unwrap_or_default();
        escape_bare_into(before, &mut settled);
        let length = match begun {
            Begun::Tag(tag) if is_meant_in_title(tag, *is_paired) => {
                let is_kept = element(tag.name) != Some(Element::Hiding);
                settled.push_str(text.get(*at..*at + tag.length).filter(|_| is_kept).unwrap_or_default());
                tag.length
            }
            Begun::Comment(length) | Begun::Cut(length) => *length,
            _ => {
                settled.push_str("&lt;");
                1
            }
        };
        from = at + length;
    }
    escape_bare_into(text.get(from..).unwrap_or_default(), &mut settled);
    settled
}

fn is_meant_in_title(tag: &Tag<'_>, is_paired: bool) -> bool {
    match element(tag.name) {
        None => false,
        Some(Element::Break) => tag.looks == Looks::Sound,
        Some(Element::Void) => tag.looks == Looks::Sound && (tag.has_value || tag.is_self_closing),
        Some(_) => (is_paired && tag.looks == Looks::Sound) || tag.has_value,
    }
}

/// Appends a text that has no tag, an `&` that begins no reference escaped: parsers know names that need no `;`.
fn escape_bare_into(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = memchr(b'&', rest.as_bytes()) {
        let (before, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        out.push_str(if is_reference(after) { "&" } else { "&amp;" });
        rest = after.strip_prefix('&').unwrap_or_default();
    }
    out.push_str(rest);
}

/// A body that is HTML, every `<` that begins no tag escaped, and without the tags of elements that would hide all that follows.
pub(super) fn settled_body(html: String) -> String {
    let mut body = Body {
        html: &html,
        search: Search::through(&html),
        ends: Vec::new(),
        lasts: None,
        doubtful: MOST_DOUBTFUL,
        has_ends: false,
    };
    let mut faults = Vec::new();
    let mut from = 0;
    while let Some(found) = html.get(from..).and_then(|rest| memchr(b'<', rest.as_bytes())) {
        let at = from + found;
        let (fault, length) = body.step(at);
        faults.extend(fault.map(|fault| (at, fault)));
        from = at + length;
    }
    if faults.is_empty() {
        return html;
    }
    let mut settled = String::with_capacity(html.len() + 3 * faults.len());
    let mut from = 0;
    for (at, fault) in faults {
        settled.push_str(html.get(from..at).unwrap_or_default());
        from = match fault {
            Fault::Text => {
                settled.push_str("&lt;");
                at + 1
            }
            Fault::Cut(length) => at + length,
            Fault::Unclosed { name, length } => {
                settled.push_str(html.get(at..at + length).unwrap_or_default());
                settled.push_str("</");
                settled.push_str(html.get(at + 1..=at + name).unwrap_or_default());
                settled.push('>');
                at + length
            }
        };
    }
    settled.push_str(html.get(from..).unwrap_or_default());
    settled
}

/// How long the names of elements are that hide their text, at least: most tags have shorter ones.
const SHORTEST_HIDING: usize = "svg".len();

/// What is wrong with a `<`.
enum Fault {
    /// It begins no tag.
    Text,
    /// It begins a tag of which only so much is there.
    Cut(usize),
    /// It begins the tag of an element that has no end, or says that it has none, and would hide all that follows: lengths of
    /// its name and of the tag.
    Unclosed { name: usize, length: usize },
}

/// A body on the way through it.
struct Body<'a> {
    html: &'a str,
    search: Search,
    /// Where the next end tag of a name stands, `None` where there is none any more.
    ends: Vec<(&'a str, Option<usize>)>,
    /// Where the last end tag begins, and where the last sign of a program stands, once that was asked.
    lasts: Option<[Option<usize>; 2]>,
    doubtful: usize,
    /// Whether an end tag came, so that what looks like the beginning of a tag at the end is one.
    has_ends: bool,
}

impl<'a> Body<'a> {
    /// What is wrong with the `<` there, and how far to go on.
    fn step(&mut self, at: usize) -> (Option<Fault>, usize) {
        let rest = self.html.get(at..).unwrap_or_default();
        match begun(rest, &mut self.search) {
            Begun::Tag(tag) if self.is_meant(&tag, rest) => {
                self.has_ends |= tag.is_end;
                let element = if tag.is_end || tag.name.len() < SHORTEST_HIDING { None } else { element(tag.name) };
                let Some(element @ (Element::Hiding | Element::Raw)) = element else {
                    return (None, tag.length);
                };
                let unclosed = Fault::Unclosed { name: tag.name.len(), length: tag.length };
                if tag.is_self_closing {
                    // HTML knows no such thing, but for drawings and formulas.
                    let is_html = !["svg", "math"].iter().any(|name| name.eq_ignore_ascii_case(tag.name));
                    return (is_html.then_some(unclosed), tag.length);
                }
                let end = self.end(tag.name, at);
                match (element, end) {
                    (Element::Raw, Some(end)) => (None, end - at),
                    // A script that was cut off, to the end of the text.
                    (Element::Raw, None) if !tag.has_value && self.is_code(at + tag.length) => (None, rest.len()),
                    (_, Some(_)) => (None, tag.length),
                    (_, None) if tag.has_value => (Some(unclosed), tag.length),
                    // A bare name is a word of the text: `the <select> element`.
                    (_, None) => (Some(Fault::Text), tag.length),
                }
            }
            Begun::Comment(length) | Begun::Declaration(length) => (None, length),
            Begun::Cut(length) => (Some(Fault::Cut(length)), length),
            // `a < b` is text to every parser.
            Begun::Tag(_) | Begun::Text => {
                if let Some(length) = Some(rest).filter(|_| self.has_ends).and_then(cut_at_the_end) {
                    return (Some(Fault::Cut(length)), length);
                }
                let is_like_one = |byte: &u8| byte.is_ascii_alphabetic() || b"/!?".contains(byte);
                (rest.as_bytes().get(1).is_some_and(is_like_one).then_some(Fault::Text), 1)
            }
        }
    }

    /// Where the element that begins `at` ends.
    fn end(&mut self, name: &'a str, at: usize) -> Option<usize> {
        let known = self.ends.iter().position(|(known, _)| known.eq_ignore_ascii_case(name));
        if let Some((_, end)) = known.and_then(|known| self.ends.get(known))
            && end.is_none_or(|end| end > at)
        {
            return *end;
        }
        let end = self.html.get(at..).and_then(|rest| end_of(rest, name)).map(|end| at + end);
        match known.and_then(|known| self.ends.get_mut(known)) {
            Some(known) => known.1 = end,
            None => self.ends.push((name, end)),
        }
        end
    }

    /// Whether what follows there to the end of the text is a program rather than words and tags.
    fn is_code(&mut self, from: usize) -> bool {
        let lasts = || [self.html.rfind("</"), self.html.rfind(['{', '}', ';', '=', '('])];
        let [end, sign] = self.lasts.get_or_insert_with(lasts).map(|last| last.is_some_and(|last| last >= from));
        sign && !end
    }

    /// Names that are no elements are left to whoever shows the text.
    fn is_meant(&mut self, tag: &Tag<'_>, rest: &str) -> bool {
        match tag.looks {
            Looks::Sound => true,
            Looks::Prose | Looks::Words if tag.has_value => true,
            Looks::Prose => false,
            Looks::Words => {
                let may_look = self.doubtful > 0;
                self.doubtful = self.doubtful.saturating_sub(1);
                may_look && end_of(rest, tag.name).is_some()
            }
        }
    }
}

/// How much of a text that ends within a tag or a comment is left of that: `<h3`, `</`, `<!-- CUDA Dri`, also before an ellipsis.
fn cut_at_the_end(rest: &str) -> Option<usize> {
    const LONGEST: usize = 100;
    const ELLIPSES: [&str; 6] = ["...", "…", "[...]", "[…]", "&hellip;", "&#8230;"];
    if rest.len() > LONGEST {
        return None;
    }
    let tail = rest.trim_end();
    let tail = ELLIPSES.iter().find_map(|ellipsis| tail.strip_suffix(ellipsis)).unwrap_or(tail).trim_end();
    let name = tail.trim_start_matches('<').trim_start_matches('/');
    let is_cut = matches!(tail, "<" | "</" | "<!" | "<!-")
        || (tail.starts_with("<!--") && !tail.contains("-->"))
        || (!name.contains('<') && element(name).is_some() && tail.len() - name.len() <= "</".len());
    is_cut.then_some(tail.len())
}

/// Where the first end tag of this name stands.
fn end_of(text: &str, name: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memmem::find(text.as_bytes().get(from..)?, b"</")?;
        let found = text.get(at + 2..).and_then(|rest| rest.split_at_checked(name.len()));
        if found.is_some_and(|(found, after)| {
            found.eq_ignore_ascii_case(name) && !after.starts_with(|c: char| c.is_ascii_alphanumeric())
        }) {
            return Some(at);
        }
        from = at + 2;
    }
}

/// Every `<` of a text with what it begins, and whether that has its partner.
struct List<'a> {
    text: &'a str,
    begun: Vec<(usize, Begun<'a>, bool)>,
}

impl<'a> List<'a> {
    fn of(text: &'a str) -> Self {
        let mut list: Vec<(usize, Begun<'a>, bool)> = Vec::new();
        let mut open: HashMap<String, Vec<usize>> = HashMap::new();
        let mut search = Search::through(text);
        let mut from = 0;
        while let Some(found) = text.get(from..).and_then(|rest| memchr(b'<', rest.as_bytes())) {
            let at = from + found;
            let begun = begun(text.get(at..).unwrap_or_default(), &mut search);
            from = at + 1;
            let mut is_paired = false;
            match begun {
                Begun::Tag(tag) => {
                    from = at + tag.length;
                    let same = open.entry(tag.name.to_ascii_lowercase()).or_default();
                    if !tag.is_end {
                        same.push(list.len());
                    } else if let Some(start) = same.pop() {
                        is_paired = true;
                        list[start].2 = true;
                    }
                }
                Begun::Comment(length) | Begun::Declaration(length) | Begun::Cut(length) => from = at + length,
                Begun::Text => {}
            }
            list.push((at, begun, is_paired));
        }
        Self { text, begun: list }
    }

    fn is_markup(&self) -> bool {
        self.begun.iter().any(|(at, begun, is_paired)| match begun {
            Begun::Tag(tag) => is_markup_by(self.text, *at, tag, *is_paired),
            Begun::Comment(_) | Begun::Cut(_) => true,
            Begun::Declaration(_) | Begun::Text => false,
        })
    }
}

/// How a text was looked through for the ends of comments and tags, so that it is not done again and again.
#[derive(Debug)]
struct Search {
    /// Whether the rest of the text holds none.
    has_no_comment_end: bool,
    has_no_tag_end: bool,
    /// How many bytes may yet be looked at in vain.
    bytes_left: usize,
}

impl Search {
    fn through(text: &str) -> Self {
        let bytes_left = text.len().saturating_mul(MOST_PASSES);
        Self { has_no_comment_end: false, has_no_tag_end: false, bytes_left }
    }
}

/// What the `<` at the beginning of a text begins.
fn begun<'a>(rest: &'a str, search: &mut Search) -> Begun<'a> {
    let bytes = rest.as_bytes();
    if search.has_no_tag_end || search.bytes_left == 0 {
        return Begun::Text;
    }
    if !matches!(bytes.get(1), Some(b'!' | b'?')) {
        let (begun, looked_at) = tag(rest);
        if begun == Begun::Text {
            search.bytes_left = search.bytes_left.saturating_sub(looked_at);
        }
        return begun;
    }
    if let Some(inside) = bytes.strip_prefix(b"<!--") {
        let is_end = |at: &usize| inside.get(..*at).is_some_and(|text| text.ends_with(b"--") || text.ends_with(b"--!"));
        let end = if search.has_no_comment_end { None } else { memchr_iter(b'>', inside).find(is_end) };
        search.has_no_comment_end = end.is_none();
        return end.map_or(Begun::Text, |end| Begun::Comment(end + 5));
    }
    let begins = |with: &str| rest.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with));
    // Office writes conditions around what other programs are to leave out: `<![if !vml]>`, `<![endif]>`.
    if !["<?", "<!doctype", "<![if ", "<![endif]"].into_iter().any(begins) {
        return Begun::Text;
    }
    let end = memchr(b'>', bytes);
    search.has_no_tag_end = end.is_none();
    end.map_or(Begun::Text, |end| Begun::Declaration(end + 1))
}

/// What a `<` begins that no `!` or `?` follows, and how many bytes were looked at.
fn tag(rest: &str) -> (Begun<'_>, usize) {
    let bytes = rest.as_bytes();
    let is_end = bytes.get(1) == Some(&b'/');
    let start = 1 + usize::from(is_end);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':' | b'_');
    let length = bytes.iter().skip(start).take_while(|byte| is_name(byte)).count();
    let name = rest.get(start..start + length).unwrap_or_default();
    let mut at = start + length;
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return (Begun::Text, at);
    }
    let mut last = None;
    let mut tag = Tag { name, is_end, is_self_closing: false, has_value: false, looks: Looks::Sound, length: 0 };
    match bytes.get(at) {
        Some(b'<') if is_end => return (Begun::Cut(at), at),
        Some(byte) if !byte.is_ascii_whitespace() && !matches!(byte, b'>' | b'/') => return (Begun::Text, at),
        _ => {}
    }
    loop {
        let Some(byte) = bytes.get(at).filter(|byte| **byte != b'<') else {
            let is_cut = match tag.looks {
                Looks::Sound => is_end || last.is_some(),
                // `<td c`, and not `<b then`.
                Looks::Words => {
                    tag.has_value || (last == Some(start + length + 1) && is_cut_word(rest, last, at, name))
                }
                Looks::Prose => false,
            };
            return (if is_cut { Begun::Cut(at) } else { Begun::Text }, at);
        };
        match byte {
            b'>' => {
                tag.length = at + 1;
                return (Begun::Tag(tag), tag.length);
            }
            b'/' => {
                tag.is_self_closing = bytes.get(at + 1) == Some(&b'>');
                at += 1;
            }
            byte if byte.is_ascii_whitespace() => at += 1,
            _ => match attribute(bytes, at) {
                Attribute { end: None, .. } => {
                    let is_last = memchr(b'>', bytes.get(at..).unwrap_or_default()).is_none();
                    return (if is_last { Begun::Cut(rest.len()) } else { Begun::Text }, rest.len());
                }
                Attribute { end: Some(end), has_value, looks } => {
                    last = Some(at);
                    at = end;
                    tag.has_value |= has_value;
                    tag.looks = tag.looks.max(looks);
                }
            },
        }
    }
}

/// Whether what begins at `last` and ends at `end` is the beginning of an attribute's name.
fn is_cut_word(rest: &str, last: Option<usize>, end: usize, name: &str) -> bool {
    let word = last.and_then(|last| rest.get(last..end)).unwrap_or_default();
    name.len() > 1 && element(name).is_some() && elements::begins_an_attribute(word)
}

/// An attribute of a tag.
struct Attribute {
    /// Where it ends; `None` when its value does not.
    end: Option<usize>,
    has_value: bool,
    looks: Looks,
}

fn attribute(bytes: &[u8], at: usize) -> Attribute {
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'=' | b'>' | b'/' | b'<');
    let length = bytes.iter().skip(at).take_while(|byte| !is_end(byte)).count().max(1);
    let name = bytes.get(at..at + length).unwrap_or_default();
    let space = |from: usize| bytes.iter().skip(from).take_while(|byte| byte.is_ascii_whitespace()).count();
    let equals = at + length + space(at + length);
    let is_name = name.first().is_some_and(|byte| byte.is_ascii_alphabetic() || b"_:@*#[(".contains(byte))
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_:@*#[().-]".contains(byte));
    if bytes.get(equals) != Some(&b'=') || !is_name {
        let looks = match std::str::from_utf8(name) {
            Ok(name) if is_name && elements::is_bare_attribute(name) => Looks::Sound,
            _ if is_name => Looks::Words,
            _ => Looks::Prose,
        };
        return Attribute { end: Some(at + length), has_value: false, looks };
    }
    let value = equals + 1 + space(equals + 1);
    let end = match bytes.get(value) {
        Some(quote @ (b'"' | b'\'')) => {
            memchr(*quote, bytes.get(value + 1..).unwrap_or_default()).map(|end| value + end + 2)
        }
        _ => {
            let is_end = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'>';
            let length = bytes.iter().skip(value).take_while(|byte| !is_end(byte)).count();
            Some(value + length)
        }
    };
    Attribute { end, has_value: true, looks: Looks::Sound }
}

const CDATA: &str = "<![CDATA[";
const CDATA_END: &str = "]]>";

/// A text without the marks of CDATA sections that were written twice: as HTML they mean nothing, and hide the next tag.
pub(super) fn without_cdata(raw: &str) -> Cow<'_, str> {
    if memmem::find(raw.as_bytes(), CDATA.as_bytes()).is_none() {
        return Cow::Borrowed(raw);
    }
    let mut bare = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once(CDATA) {
        let is_first = bare.is_empty() && before.trim().is_empty();
        bare.push_str(before);
        match after.split_once(CDATA_END) {
            // One inside another ends with it.
            Some((inside, after)) => {
                bare.push_str(&inside.replace(CDATA, ""));
                rest = after;
            }
            None => {
                bare.push_str(if is_first { "" } else { CDATA });
                bare.push_str(after);
                rest = "";
            }
        }
    }
    bare.push_str(rest);
    Cow::Owned(bare)
}

/// The inside of a text that is one such section from its beginning to its end, or to where the text was cut.
pub(super) fn unwrapped(raw: &str) -> Option<&str> {
    let raw = raw.trim();
    let Some(inside) = raw.strip_prefix(CDATA) else {
        // Its brackets alone are left where a program took the rest for a tag.
        let inside = raw.strip_prefix("![CDATA[").or_else(|| raw.strip_prefix("[CDATA["))?;
        return inside.strip_suffix(CDATA_END).or_else(|| inside.strip_suffix("]]"));
    };
    match inside.strip_suffix(CDATA_END) {
        None => (!inside.contains(CDATA_END)).then_some(inside),
        found => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_told_from_words_in_brackets() {
        for html in [
            "a <b>c</b>",
            "a<br>b",
            "a<br/>b",
            "&eacute;",
            "&#233;",
            "a</p>",
            "<!-- c -->",
            "<p>One",
            "<strong>Cut off …",
            "One <a href=x>two",
            "One <img src='a.png'>",
            "a <input disabled checked> b",
            "One <em>two …",
            "<amp-img src='a.png'></amp-img>",
            "<my-card>a</my-card>",
        ] {
            assert!(looks_like_html(html), "{html}");
        }
        for plain in [
            "1 < 2",
            "AT&T",
            "a & b; c",
            "use Vec<T> here",
            "<foo>",
            "x &y; z",
            "<b",
            "The <select> element",
            "Firefox drops <blink> at last",
            "On norms for $1<p \\leq 2$ and p>2.",
            "If a <b then it converges, and c> d.",
            "<!-- c",
            "Why <!DOCTYPE html> matters",
            "Where <your-name> stands",
        ] {
            assert!(!looks_like_html(plain), "{plain}");
        }
    }

    #[test]
    fn a_body_keeps_every_word() {
        for (html, expected) in [
            ("<p>For $1<q \\leq 2$ it holds</p>", "<p>For $1&lt;q \\leq 2$ it holds</p>"),
            ("&amp; p <b then q> r", "&amp; p &lt;b then q> r"),
            ("<p>The <select> element</p>", "<p>The &lt;select> element</p>"),
            ("<p>The <svg> and the <svg> again</p>", "<p>The &lt;svg> and the &lt;svg> again</p>"),
            ("<p>cut <a href=\"https://example.org/", "<p>cut "),
            ("<p>cut <img src</p> <b>x</b", "<p>cut </p> <b>x"),
            ("<tr><td c</tr> <code>x</code</p>", "<tr></tr> <code>x</p>"),
            ("<i>x</i\n</p>", "<i>x</p>"),
            ("<embed src=\"a\" width=\"1\" type</div>", "</div>"),
            ("if a<b</p> and <b then</p>", "if a&lt;b</p> and &lt;b then</p>"),
            (
                "a <iframe src=\"x\"> b <select name='c'>d",
                "a <iframe src=\"x\"></iframe> b <select name='c'></select>d",
            ),
            ("a <iframe src=x /> b <script src=x /> c", "a <iframe src=x /></iframe> b <script src=x /></script> c"),
            ("<p>x<!-- never closed</p>", "<p>x&lt;!-- never closed</p>"),
            ("<a href=\"x>one</a> two", "&lt;a href=\"x>one</a> two"),
            ("<p>Put <code><script></code> first</p>", "<p>Put <code>&lt;script></code> first</p>"),
            ("<p>The <style> element</p>", "<p>The &lt;style> element</p>"),
            ("The <script> element is old", "The &lt;script> element is old"),
            ("a <script src=x> b</p> c", "a <script src=x></script> b</p> c"),
            (
                "<p><code><noembed></code> <xmp> <plaintext> b</p>",
                "<p><code>&lt;noembed></code> &lt;xmp> &lt;plaintext> b</p>",
            ),
            ("a <p>b</p> <![x]> c", "a <p>b</p> &lt;![x]> c"),
        ] {
            assert_eq!(settled_body(html.into()), expected);
        }
        for sound in [
            "<p>a < b</p>",
            "<a href='x' title='a > b <c>'>d</a>",
            "<select><option>a</select> b",
            "<script>if (a<b && c>d) {}</script> e",
            "<script>if (a<b",
            "<video controls autoplay src=x></video>",
            "<o:p></o:p>vector<int> x",
            "a <svg/> b <math /> c",
            "<td nowrap data-x aria-y>z",
            "<!DOCTYPE html><?xml:namespace prefix = o />a",
            "<p>a</p><![if !supportLists]><b>b</b><![ENDIF]>",
            "<custom-element some thing>a</custom-element>",
        ] {
            assert_eq!(settled_body(sound.into()), sound);
        }
    }

    #[test]
    fn a_section_that_was_wrapped_twice_is_unwrapped() {
        for (raw, expected) in [
            ("<![CDATA[Wrapped twice]]>", "Wrapped twice"),
            ("a <![CDATA[<p>b</p>]]> c", "a <p>b</p> c"),
            ("<![CDATA[<![CDATA[a]]>]]>", "a]]>"),
            ("<![CDATA[cut off", "cut off"),
            ("none ]]>", "none ]]>"),
            ("how <![CDATA[ begins", "how <![CDATA[ begins"),
        ] {
            assert_eq!(without_cdata(raw), expected);
        }
        assert_eq!(unwrapped(" <![CDATA[a]]> "), Some("a"));
        assert_eq!(unwrapped("<![CDATA[cut off"), Some("cut off"));
        assert_eq!(unwrapped("![CDATA[a]]"), Some("a"));
        assert_eq!(unwrapped("[CDATA[a]]>"), Some("a"));
        assert_eq!(unwrapped("a <![CDATA[b]]>"), None);
    }

    #[test]
    fn a_text_of_nothing_but_tags_is_read_in_a_moment() {
        for piece in ["<b>", "<b x y>", "<select>", "<", "</b>", "<a href=\"", "<!--", "<?", "&", "<![CDATA["] {
            for end in ["", "</select>", "-->"] {
                let text = piece.repeat(1024 * 1024 / piece.len()) + end;
                let _ = looks_like_html(&text);
                let _ = without_cdata(&text);
                let _ = settled_body(text);
            }
        }
    }

    #[test]
    fn a_text_that_was_cut_within_a_tag_ends_before_it() {
        for (cut, expected) in [
            ("<h2>Usage</h2>\n<h3", "<h2>Usage</h2>\n"),
            ("<p>One</p> two <a…", "<p>One</p> two …"),
            ("<p>One</p><!-- CUDA Dri", "<p>One</p>"),
            ("<p>One</p></", "<p>One</p>"),
            ("<p>One</p><", "<p>One</p>"),
            ("<p>One</p> [<em>...", "<p>One</p> [<em>..."),
            ("a <b", "a &lt;b"),
            ("<p>One</p> a <int", "<p>One</p> a &lt;int"),
            ("f<!--x--!>g", "f<!--x--!>g"),
        ] {
            assert_eq!(settled_body(cut.to_owned()), expected, "{cut}");
        }
    }

    #[test]
    fn what_a_body_costs_grows_with_its_length() {
        let names = "script style textarea select svg math p x";
        for name in names.split(' ') {
            let forms =
                ["<N>", "<N a=b>", "<N/>", "<N x y ", "<N>=", "</N", "<N a='>", "<N><!--", "<N></M>", "c=\"<N \" $ "];
            for form in forms {
                let run = form.replace('N', name);
                let body = format!("<p>x</p><{name} $ {}", run.repeat(200_000 / run.len()));
                let began = crate::clock::instant();
                let _ = settled_body(body);
                let took = began.elapsed();
                assert!(took.as_secs() < 2, "{run}: {took:?}, where a tenth of a second is much");
            }
        }
    }
}
