//! Small questions about markup and names that every format asks.
//!
//! Pure. Making markup safe is `sanitise`'s work, plain text `text`'s.

mod tags;

use std::borrow::Cow;

use html5ever::data::NAMED_ENTITIES;

use crate::model::Person;
use crate::parse::entities::without_surrogates;
use crate::parse::tokens::{Token, Tokens};
pub(super) use crate::sanitise::{escape, escape_into};
use crate::text::plain;
pub(super) use tags::looks_like_html;

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

/// Whether a text that should be plain was escaped as HTML: nothing in it is written as it would be in plain text alone.
pub(super) fn is_escaped(text: &str) -> bool {
    text.contains('&')
        && !text.contains(['<', '>'])
        && text.match_indices('&').all(|(at, _)| text.get(at..).is_some_and(is_reference))
}

/// The plain text of a title that may have markup. One that is only a picture is told by the text that stands for the
/// picture, or by the name of its file.
pub(super) fn title(html: &str) -> String {
    title_of_elements(&with_raised_numbers(&tags::settled_title(&without_surrogates(html))))
}

/// A title in which raised numbers are written with the characters for them: `10<sup>6</sup>` is no 106.
fn with_raised_numbers(html: &str) -> String {
    const BEGIN: &str = "<sup>";
    let raised = |c: char| "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻".chars().nth("0123456789+-−".chars().position(|plain| plain == c)?);
    let mut parts = html.split(BEGIN);
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let number = part.split_once("</sup>").filter(|(number, _)| !number.is_empty());
        match number.and_then(|(number, rest)| Some((number.chars().map(raised).collect::<Option<String>>()?, rest))) {
            Some((number, rest)) => kept.extend([number.as_str(), rest]),
            None => kept.extend([BEGIN, part]),
        }
    }
    kept
}

/// As [`title`], of HTML in which every tag is one.
pub(super) fn title_of_elements(html: &str) -> String {
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

/// A body that is HTML, as it was meant: no word of it is lost to a `<` that begins no tag.
pub(super) fn body(html: String) -> String {
    let mended = match without_surrogates(&html) {
        Cow::Borrowed(_) => None,
        Cow::Owned(mended) => Some(mended),
    };
    trimmed(tags::settled_body(mended.unwrap_or(html)))
}

/// A text that may be HTML without the marks of a CDATA section that was written twice.
pub(super) fn without_cdata(raw: String) -> String {
    match tags::without_cdata(&raw) {
        Cow::Borrowed(_) => raw,
        Cow::Owned(bare) => bare,
    }
}

/// The inside of a text that is one CDATA section written twice; the text itself where it is none.
pub(super) fn unwrapped(raw: &str) -> &str {
    tags::unwrapped(raw).unwrap_or(raw)
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
    let said = if looks_like_html(said) { plain(said) } else { crate::text::fold_space(said) };
    let (outside, inside) = match bracketed(&said, '(', ')').or_else(|| bracketed(&said, '<', '>')) {
        Some(parts) => parts,
        None => (said.clone(), String::new()),
    };
    let bare = |text: &str| text.strip_prefix("mailto:").unwrap_or(text).to_owned();
    let (name, email) = if is_mail(&outside) {
        (inside, Some(bare(&outside)))
    } else if is_mail(&inside) {
        (outside, Some(bare(&inside)))
    } else if let Some((name, email)) = said.rsplit_once([' ', ',']).filter(|(_, email)| is_mail(email)) {
        (name.to_owned(), Some(bare(email)))
    } else if let Some((email, name)) = said.split_once([' ', ',']).filter(|(email, _)| is_mail(email)) {
        (name.to_owned(), Some(bare(email)))
    } else {
        (said, None)
    };
    let name = name.trim_matches(['"', ' ', ',', ';']).to_owned();
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
    fn a_title_keeps_every_word_and_a_whole_element_is_markup() {
        for (raw, expected) in [
            ("A <b>bold</b> word &amp; more", "A bold word & more"),
            ("Line one<br>line two", "Line one line two"),
            ("10<sup>6</sup> m<sup>-2</sup>, the 1<sup>st</sup>", "10⁶ m⁻², the 1st"),
            ("The <select> element can be styled now", "The <select> element can be styled now"),
            ("What goes into the <head> of a page", "What goes into the <head> of a page"),
            ("Firefox drops <blink> at last", "Firefox drops <blink> at last"),
            ("On norms for $1<p \\leq 2$ in the plane", "On norms for $1<p \\leq 2$ in the plane"),
            ("<i>Use</i> Vec<T> and <img>, not <b>", "Use Vec<T> and <img>, not <b>"),
            ("Why <!DOCTYPE html> <i>matters</i>", "Why <!DOCTYPE html> matters"),
            ("Closing </body> <i>tags</i>", "Closing </body> tags"),
            ("AT&T &copy 2026 &#8211; <b>x</b>", "AT&T &copy 2026 – x"),
            ("How <svg> and </svg> <b>hide</b>", "How and hide"),
            ("<a href=\"https://example.org/\">A link that was cut", "A link that was cut"),
            ("Party &#55356;&#57225; <b>tonight</b>", "Party 🎉 tonight"),
            ("<img src=\"https://example.org/a.png\" alt=\"A picture\">", "A picture"),
        ] {
            assert_eq!(title(raw), expected, "{raw}");
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
        check("Me Myself, me@example.org", "Me Myself", Some("me@example.org"));
        check("me@example.org Me Myself", "Me Myself", Some("me@example.org"));
        check("@handle", "@handle", None);
    }
}
