//! Small questions about markup and names that every format asks.
//!
//! Pure. Making markup safe is `sanitise`'s work, plain text `normalise::text`'s.

use html5ever::data::NAMED_ENTITIES;
use memchr::memchr2_iter;

use crate::model::Person;
use crate::normalise::text::plain;
use crate::parse::tokens::{Token, Tokens};
pub(super) use crate::sanitise::{escape, escape_into};

/// How much of a text is looked at for markup: what has none so far has none.
const LONGEST_LOOK: usize = 64 * 1024;

/// Elements that a text written as HTML may hold; `<foo>` in a title is a word in brackets.
const ELEMENTS: &[&str] = &[
    "a",
    "abbr",
    "acronym",
    "address",
    "area",
    "article",
    "aside",
    "audio",
    "b",
    "base",
    "bdi",
    "bdo",
    "big",
    "blink",
    "blockquote",
    "body",
    "br",
    "button",
    "canvas",
    "caption",
    "center",
    "cite",
    "code",
    "col",
    "colgroup",
    "data",
    "dd",
    "del",
    "details",
    "dfn",
    "dir",
    "div",
    "dl",
    "dt",
    "em",
    "embed",
    "fieldset",
    "figcaption",
    "figure",
    "font",
    "footer",
    "form",
    "frame",
    "frameset",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hr",
    "html",
    "i",
    "iframe",
    "img",
    "input",
    "ins",
    "kbd",
    "label",
    "legend",
    "li",
    "link",
    "main",
    "map",
    "mark",
    "marquee",
    "meta",
    "meter",
    "nav",
    "nobr",
    "noscript",
    "object",
    "ol",
    "option",
    "p",
    "param",
    "picture",
    "pre",
    "q",
    "rp",
    "rt",
    "ruby",
    "s",
    "samp",
    "script",
    "section",
    "select",
    "small",
    "source",
    "span",
    "strike",
    "strong",
    "style",
    "sub",
    "summary",
    "sup",
    "svg",
    "table",
    "tbody",
    "td",
    "textarea",
    "tfoot",
    "th",
    "thead",
    "time",
    "tr",
    "track",
    "tt",
    "u",
    "ul",
    "var",
    "video",
    "wbr",
];

/// Whether a text that may be either is HTML: it has a tag of HTML, a comment, or a reference to a character.
pub(super) fn looks_like_html(text: &str) -> bool {
    let look = text.get(..text.floor_char_boundary(LONGEST_LOOK)).unwrap_or(text);
    memchr2_iter(b'<', b'&', look.as_bytes()).any(|at| {
        let rest = look.get(at..).unwrap_or_default();
        if rest.starts_with('&') { is_reference(rest) } else { is_tag(rest) }
    })
}

fn is_tag(rest: &str) -> bool {
    if rest.starts_with("<!--") {
        return true;
    }
    let name = rest.strip_prefix('<').unwrap_or(rest);
    let name = name.strip_prefix('/').unwrap_or(name);
    let end = name.bytes().take(16).take_while(u8::is_ascii_alphanumeric).count();
    let Some((name, after)) = name.split_at_checked(end) else {
        return false;
    };
    after.starts_with(|c: char| c.is_whitespace() || matches!(c, '>' | '/'))
        && ELEMENTS.iter().any(|element| element.eq_ignore_ascii_case(name))
}

fn is_reference(rest: &str) -> bool {
    let name = rest.get(1..rest.floor_char_boundary(36)).unwrap_or_default();
    let Some((name, _)) = name.split_once(';') else {
        return false;
    };
    match name.strip_prefix('#') {
        Some(number) => {
            !number.is_empty() && number.trim_start_matches(['x', 'X']).bytes().all(|b| b.is_ascii_hexdigit())
        }
        None => !name.is_empty() && NAMED_ENTITIES.get(format!("{name};").as_str()).is_some(),
    }
}

/// The plain text of a title that is HTML. One that is only a picture is told by the text that stands for the picture,
/// or by the name of its file.
pub(super) fn title(html: &str) -> String {
    let title = plain(html);
    if !title.is_empty() {
        return title;
    }
    let picture = Tokens::new(html).find_map(|token| match token {
        Token::Start { name, attributes, .. } if name.eq_ignore_ascii_case("img") => Some(attributes),
        _ => None,
    });
    let Some(picture) = picture else {
        return title;
    };
    let told = plain(picture.get("alt").unwrap_or_default());
    if told.is_empty() {
        let file = picture.get("src").unwrap_or_default().rsplit('/').next();
        plain(file.unwrap_or_default())
    } else {
        told
    }
}

/// Whether HTML's element of this name has no end tag.
pub(super) fn is_void(name: &str) -> bool {
    matches!(
        name,
        "area"
            | "base"
            | "br"
            | "col"
            | "embed"
            | "hr"
            | "img"
            | "input"
            | "link"
            | "meta"
            | "param"
            | "source"
            | "track"
            | "wbr"
    )
}

/// The text without white space around it.
pub(super) fn trimmed(mut text: String) -> String {
    text.truncate(text.trim_end().len());
    text.drain(..text.len() - text.trim_start().len());
    text
}

/// The text that a base64 text holds (RFC 4648 §4), white space inside ignored; `None` when it holds none.
pub(super) fn base64(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => break,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).ok()?);
        }
    }
    String::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}

/// A person as RSS writes one: `mail (Name)`, `Name <mail>`, `Name (mail)`, a mail address, or a name.
pub(super) fn person(said: &str) -> Person {
    let said = if looks_like_html(said) { plain(said) } else { crate::normalise::text::fold_space(said) };
    let (outside, inside) = match bracketed(&said, '(', ')').or_else(|| bracketed(&said, '<', '>')) {
        Some(parts) => parts,
        None => (said.clone(), String::new()),
    };
    let bare = |text: &str| text.strip_prefix("mailto:").unwrap_or(text).to_owned();
    let (name, email) = if is_mail(&outside) {
        (inside, Some(bare(&outside)))
    } else if is_mail(&inside) {
        (outside, Some(bare(&inside)))
    } else {
        (said, None)
    };
    let name = name.trim_matches(['"', ' ']).to_owned();
    Person { name: if name.is_empty() { email.clone().unwrap_or_default() } else { name }, email, url: None }
}

/// What stands outside and inside a pair of brackets.
fn bracketed(said: &str, open: char, close: char) -> Option<(String, String)> {
    let (before, rest) = said.split_once(open)?;
    let (inside, after) = rest.rsplit_once(close)?;
    let outside = format!("{} {}", before.trim(), after.trim());
    Some((outside.trim().to_owned(), inside.trim().to_owned()))
}

fn is_mail(text: &str) -> bool {
    !text.contains(char::is_whitespace)
        && text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_told_from_words_in_brackets() {
        for html in ["a <b>c</b>", "a<br>b", "a<br/>b", "&eacute;", "&#233;", "a</p>", "<!-- c -->"] {
            assert!(looks_like_html(html), "{html}");
        }
        for plain in ["1 < 2", "AT&T", "a & b; c", "use Vec<T> here", "<foo>", "x &y; z", "<b"] {
            assert!(!looks_like_html(plain), "{plain}");
        }
    }

    #[test]
    fn base64_is_read_as_text() {
        assert_eq!(base64("PHA+SGk8L3A+").as_deref(), Some("<p>Hi</p>"));
        assert_eq!(base64(" PHA+\nSGk8L3A+ ").as_deref(), Some("<p>Hi</p>"));
        assert_eq!(base64("<p>Hi</p>"), None);
        assert_eq!(base64("/w=="), None);
    }

    #[test]
    fn a_person_is_read_in_every_spelling() {
        let check = |said: &str, name: &str, email: Option<&str>| {
            let person = person(said);
            assert_eq!((person.name.as_str(), person.email.as_deref()), (name, email), "{said}");
        };
        check("me@example.org (Me Myself)", "Me Myself", Some("me@example.org"));
        check("Me Myself <me@example.org>", "Me Myself", Some("me@example.org"));
        check("Me Myself (me@example.org)", "Me Myself", Some("me@example.org"));
        check("me@example.org", "me@example.org", Some("me@example.org"));
        check("Me Myself", "Me Myself", None);
        check("Me (of Example)", "Me (of Example)", None);
        check("@handle", "@handle", None);
    }
}
