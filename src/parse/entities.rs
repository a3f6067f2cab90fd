//! Character and entity references to characters.
//!
//! Pure. HTML's names are known, whether or not a document type declares them; what is no reference stays as it stands.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;

use html5ever::data::NAMED_ENTITIES;
use memchr::memchr;

use crate::parse::charset::damaged::joined;

/// The longest reference, from `&` to `;`; HTML's longest name has 32 characters.
const LONGEST: usize = 40;
/// The most entities that a document may declare for itself.
const MOST_DECLARED: usize = 256;
/// The most text that all references to declared entities may come to.
const MOST_EXPANDED: usize = 256 * 1024;
/// The longest text that a declared entity may stand for: an entity is a short name, never a bomb.
const LONGEST_DECLARED: usize = 1024;

/// The entities that a document declares for itself, flat: none is expanded inside another.
#[derive(Debug, Default)]
pub(super) struct Declared<'a> {
    values: HashMap<&'a str, &'a str>,
    /// How many bytes they were expanded to so far.
    expanded: Cell<usize>,
}

impl<'a> Declared<'a> {
    /// Takes one declaration in; the first of a name counts (XML 1.0 §4.2).
    pub(super) fn declare(&mut self, name: &'a str, value: &'a str) {
        if self.values.len() < MOST_DECLARED && value.len() <= LONGEST_DECLARED {
            self.values.entry(name).or_insert(value);
        }
    }
}

/// How the references of a text were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Found {
    /// An `&` that begins no reference.
    pub(super) bare: bool,
    /// A name that XML does not know and HTML does.
    pub(super) named: bool,
    /// A number of no character.
    pub(super) forbidden: bool,
    /// A number of windows-1252, where XML's would be a control character.
    pub(super) windows: bool,
    /// Where in the text the first of these was met.
    pub(super) at: Option<usize>,
}

/// Appends `raw` to `text` with its references decoded.
pub(super) fn decode_into(raw: &str, text: &mut String, declared: &Declared<'_>) -> Found {
    let mut found = Found::default();
    let mut rest = raw;
    text.reserve(raw.len());
    while let Some(at) = memchr(b'&', rest.as_bytes()) {
        let (before, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
        text.push_str(before);
        if let Some((character, after)) = usual(after) {
            text.push(character);
            rest = after;
            continue;
        }
        let met = raw.len() - after.len();
        if let Some((character, after)) = surrogates(after) {
            text.push(character);
            rest = after;
            continue;
        }
        let window = after.get(..after.floor_char_boundary(LONGEST)).unwrap_or(after);
        let reference = window.find(';').and_then(|end| after.split_at_checked(end + 1));
        let decoded = reference.is_some_and(|(reference, _)| {
            let name = reference.strip_prefix('&').and_then(|name| name.strip_suffix(';')).unwrap_or_default();
            name_into(name, text, declared, &mut found)
        });
        match reference {
            Some((_, after)) if decoded => rest = after,
            _ => {
                text.push('&');
                found.bare = true;
                rest = after.strip_prefix('&').unwrap_or_default();
            }
        }
        if found.at.is_none() && found != Found::default() {
            found.at = Some(met);
        }
    }
    text.push_str(rest);
    found
}

/// The character of a reference that markup is escaped with, and what stands behind it: nearly all references of a feed are such.
fn usual(text: &str) -> Option<(char, &str)> {
    const USUAL: [(&str, char); 5] = [("&lt;", '<'), ("&gt;", '>'), ("&amp;", '&'), ("&quot;", '"'), ("&apos;", '\'')];
    USUAL.iter().find_map(|(reference, character)| Some((*character, text.strip_prefix(reference)?)))
}

/// The character that two references to surrogates make together, as programs write an emoji that count in UTF-16, and what
/// stands behind them.
fn surrogates(text: &str) -> Option<(char, &str)> {
    let (high, after) = numbered(text)?;
    if !(0xd800..0xdc00).contains(&high) {
        return None;
    }
    let (low, after) = numbered(after)?;
    Some((joined(high, low)?, after))
}

/// The number of the reference that a text begins with, and what stands behind it.
fn numbered(text: &str) -> Option<(u32, &str)> {
    let number = text.strip_prefix("&#")?;
    let end = number.bytes().take(LONGEST).position(|byte| byte == b';')?;
    let (number, after) = number.split_at_checked(end)?;
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => number.parse(),
    };
    Some((code.ok()?, after.strip_prefix(';')?))
}

/// Markup without references to surrogates: two that make a character together are that character, and one alone is nothing.
pub(super) fn without_surrogates(markup: &str) -> Cow<'_, str> {
    let is_surrogate = |(code, _): &(u32, &str)| (0xd800..0xe000).contains(code);
    let mut mended = String::new();
    let mut rest = markup;
    let mut from = 0;
    while let Some(at) = rest.get(from..).and_then(|rest| memchr(b'&', rest.as_bytes())).map(|at| from + at) {
        let reference = rest.get(at..).unwrap_or_default();
        let Some((_, after)) = numbered(reference).filter(is_surrogate) else {
            from = at + 1;
            continue;
        };
        mended.push_str(rest.get(..at).unwrap_or_default());
        let pair = surrogates(reference);
        mended.extend(pair.map(|(character, _)| character));
        (rest, from) = (pair.map_or(after, |(_, after)| after), 0);
    }
    if mended.is_empty() && rest.len() == markup.len() {
        return Cow::Borrowed(markup);
    }
    mended.push_str(rest);
    Cow::Owned(mended)
}

/// A text whose references stand for characters, though its format has none: a slip that is met in JSON.
pub(super) fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut decoded = String::with_capacity(text.len());
    decode_into(text, &mut decoded, &Declared::default());
    Cow::Owned(decoded)
}

/// Appends what `&name;` stands for; `false` when that is nothing.
fn name_into(name: &str, text: &mut String, declared: &Declared<'_>, found: &mut Found) -> bool {
    if let Some(number) = name.strip_prefix('#') {
        return number_into(number, text, found);
    }
    if let Some(value) = declared.values.get(name)
        && declared.expanded.get() < MOST_EXPANDED
    {
        declared.expanded.update(|sum| sum + value.len());
        // One level: references inside it that are not characters stay as they stand.
        decode_into(value, text, &Declared::default());
        return true;
    }
    html_into(name, text, found)
}

/// Appends the character of a number, `xe9` or `233`; `false` when it is no number.
fn number_into(number: &str, text: &mut String, found: &mut Found) -> bool {
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => number.parse(),
    };
    let is_number = number.trim_start_matches(['x', 'X']).bytes().all(|b| b.is_ascii_hexdigit());
    match code {
        Ok(code) => match character(code) {
            Some(c) => {
                found.windows |= (0x80..0xa0).contains(&code);
                text.push(c);
            }
            None => found.forbidden = true,
        },
        // Too large for a number: no character either.
        Err(_) if is_number && number.len() > 6 => found.forbidden = true,
        Err(_) => return false,
    }
    true
}

fn html_into(name: &str, text: &mut String, found: &mut Found) -> bool {
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return false;
    }
    let mut key = String::with_capacity(name.len() + 1);
    key.push_str(name);
    key.push(';');
    let Some((first, second)) = NAMED_ENTITIES.get(key.as_str()) else {
        return false;
    };
    if *first == 0 {
        return false;
    }
    text.extend([*first, *second].into_iter().filter(|code| *code != 0).filter_map(char::from_u32));
    found.named = true;
    true
}

/// The character of a number, read as browsers do: 128 to 159 are windows-1252's.
fn character(code: u32) -> Option<char> {
    const WINDOWS_1252: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match code {
        0x09 | 0x0a | 0x0d => char::from_u32(code),
        0x80..=0x9f => usize::try_from(code - 0x80).ok().and_then(|at| WINDOWS_1252.get(at).copied()),
        0..0x20 | 0x7f | 0xfffe | 0xffff => None,
        _ => char::from_u32(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, expected: &str) {
        let mut text = String::new();
        decode_into(raw, &mut text, &Declared::default());
        assert_eq!(text, expected, "{raw}");
    }

    #[test]
    fn references_become_characters() {
        check("a &amp; b &lt;c&gt; &quot;&apos;", "a & b <c> \"'");
        check("&#233;&#xe9;&eacute;&hellip;&NotEqualTilde;", "ééé…\u{2242}\u{338}");
        check("it&#146;s &#150;", "it’s –");
    }

    #[test]
    fn what_is_no_reference_stays() {
        check("AT&T & R&D; &; &unknown; &amp", "AT&T & R&D; &; &unknown; &amp");
        check("a?b=1&copy=2", "a?b=1&copy=2");
        check("a &&lt; b &&eacute;", "a &< b &é");
    }

    #[test]
    fn a_number_of_no_character_is_left_out() {
        check("a&#0;b&#x1F;c&#xD800;d&#99999999999;", "abcd");
    }

    #[test]
    fn two_surrogates_are_one_character() {
        check("Party &#55356;&#57225; tonight", "Party 🎉 tonight");
        check("&#xD83C;&#XDF89;&#55356;&#57225;", "🎉🎉");
        check("a&#55356;b&#57225;c&#57225;&#55356;d&#55356;", "abcd");
        check("&#55356;&amp;", "&");
        for (markup, expected) in [
            ("<p>plates &#55356;&#57214; please</p>", "<p>plates 🍾 please</p>"),
            ("a&#xd83c;b &amp; &#233;", "ab &amp; &#233;"),
            ("&#55356;", ""),
            ("a & b &#; &#x;", "a & b &#; &#x;"),
        ] {
            assert_eq!(without_surrogates(markup), expected);
        }
    }

    #[test]
    fn a_declared_entity_is_expanded_once() {
        let mut declared = Declared::default();
        declared.declare("a", "x &b; &#33;");
        declared.declare("b", "&a;&a;");
        let mut text = String::new();
        decode_into("&a;", &mut text, &declared);
        assert_eq!(text, "x &b; !");
        let mut bomb = String::new();
        decode_into(&"&a;".repeat(1_000_000), &mut bomb, &declared);
        assert!(bomb.len() < 4_000_000);
    }
}
