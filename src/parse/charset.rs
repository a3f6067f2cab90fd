//! Bytes to characters.
//!
//! Pure. A byte order mark decides, then what the bytes themselves show: valid UTF-8 is UTF-8 whatever header and
//! declaration say, because servers are configured once and for all documents. Only then comes what was declared.

pub(super) mod damaged;

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, ISO_2022_JP, UTF_8, UTF_16BE, UTF_16LE};
use memchr::memmem;

use crate::parse::repairs::told_at;
use crate::text::shorten;
use damaged::{Damage, Mended};

/// How far the XML declaration is looked for.
const HEAD: usize = 1024;
/// How much of a document the detector looks at.
const LONGEST_SAMPLE: usize = 256 * 1024;

/// A document as text.
#[derive(Debug)]
pub(super) struct Decoded<'a> {
    pub(super) text: Cow<'a, str>,
    /// What had to be done that the document did not ask for.
    pub(super) repair: Option<String>,
}

/// The text of a document that came with `content_type`.
pub(super) fn decode<'a>(document: &'a [u8], content_type: Option<&str>) -> Decoded<'a> {
    if let Some(rest) = document.strip_prefix(b"\xef\xbb\xbf") {
        return utf8(rest, content_type);
    }
    if let Some(rest) = document.strip_prefix(b"\0\0\xfe\xff") {
        return utf32(rest, u32::from_be_bytes, "UTF-32BE");
    }
    if let Some(rest) = document.strip_prefix(b"\xff\xfe\0\0") {
        return utf32(rest, u32::from_le_bytes, "UTF-32LE");
    }
    match document.get(..4) {
        Some([0xfe, 0xff, ..]) => return sound(document.get(2..).unwrap_or_default(), UTF_16BE),
        Some([0xff, 0xfe, ..]) => return sound(document.get(2..).unwrap_or_default(), UTF_16LE),
        // Without a mark, the zero bytes of the first characters, which are ASCII in every document we read.
        Some(&[a, b, c, d]) => match (a == 0, b == 0, c == 0, d == 0) {
            (true, true, true, false) => return utf32(document, u32::from_be_bytes, "UTF-32BE"),
            (false, true, true, true) => return utf32(document, u32::from_le_bytes, "UTF-32LE"),
            (true, false, true, false) => return sound(document, UTF_16BE),
            (false, true, false, true) => return sound(document, UTF_16LE),
            _ => {}
        },
        _ => {}
    }
    utf8(document, content_type)
}

/// A document whose bytes left no doubt.
fn sound<'a>(document: &'a [u8], encoding: &'static Encoding) -> Decoded<'a> {
    let (text, broken) = encoding.decode_without_bom_handling(document);
    Decoded { text, repair: broken.then(|| format!("not all of it is valid {}", encoding.name())) }
}

fn utf32<'a>(document: &[u8], read: fn([u8; 4]) -> u32, name: &str) -> Decoded<'a> {
    let text: String = document
        .as_chunks::<4>()
        .0
        .iter()
        .map(|unit| char::from_u32(read(*unit)).unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    Decoded { text: Cow::Owned(text), repair: Some(format!("read as {name}")) }
}

/// A document of single bytes or UTF-8.
fn utf8<'a>(document: &'a [u8], content_type: Option<&str>) -> Decoded<'a> {
    let declared = declared(document);
    let named = [content_type.and_then(charset), declared];
    if let Ok(text) = std::str::from_utf8(document) {
        let is_japanese = named.into_iter().flatten().any(|label| encoding(label) == Some(ISO_2022_JP));
        if is_japanese && text.contains('\u{1b}') {
            return sound(document, ISO_2022_JP);
        }
        return Decoded { text: Cow::Borrowed(text), repair: None };
    }
    let damage = Damage::of(document);
    let mended = || {
        let Mended { text, first, told } = damage.mend(document);
        Decoded { repair: Some(told_at(&text, first, told)), text: Cow::Owned(text) }
    };
    let mut says_otherwise = false;
    for label in named.into_iter().flatten() {
        let Some(encoding) = encoding(label) else {
            continue;
        };
        // Without a zero byte it is no UTF-16, whatever it says; and an UTF-8 that is none was just ruled out.
        if [UTF_8, UTF_16BE, UTF_16LE].contains(&encoding) {
            continue;
        }
        // Any bytes are valid in a character set of single bytes.
        if encoding.is_single_byte() && damage.is_utf8_beyond_doubt() {
            return mended();
        }
        says_otherwise = true;
        if let Some(text) = encoding.decode_without_bom_handling_and_without_replacement(document) {
            return Decoded { text, repair: None };
        }
    }
    if damage.is_mostly_utf8(!says_otherwise) {
        return mended();
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(document.get(..LONGEST_SAMPLE).unwrap_or(document), true);
    let guess = detector.guess(None, Utf8Detection::Deny);
    let (text, _) = guess.decode_without_bom_handling(document);
    // Until there, every character set that is guessed reads the bytes alike.
    let first = document.iter().position(|byte| !byte.is_ascii()).unwrap_or_default();
    let what = match declared {
        Some(declared) => {
            format!("the character set is not `{}` as declared; read as {}", shorten(declared, 40), guess.name())
        }
        None => format!("no character set is declared, and it is no UTF-8; read as {}", guess.name()),
    };
    let repair = told_at(&text, first, &what);
    Decoded { text, repair: Some(repair) }
}

/// The encoding of a label, also of one that no standard has.
fn encoding(label: &str) -> Option<&'static Encoding> {
    const OTHERS: &[(&str, &str)] = &[
        ("mac-roman", "macintosh"),
        ("macroman", "macintosh"),
        ("mac-cyrillic", "x-mac-cyrillic"),
        ("maccyrillic", "x-mac-cyrillic"),
        ("latin-1", "latin1"),
        ("iso-latin-1", "latin1"),
        ("win-1251", "windows-1251"),
        ("win1251", "windows-1251"),
        ("windows1251", "windows-1251"),
        ("win-1252", "windows-1252"),
        ("windows1252", "windows-1252"),
        ("cp-1252", "windows-1252"),
        ("koi8r", "koi8-r"),
        ("shiftjis", "shift_jis"),
        ("eucjp", "euc-jp"),
        ("gb-2312", "gb2312"),
        ("utf8mb4", "utf-8"),
    ];
    let lower = label.trim().to_ascii_lowercase();
    let other = OTHERS.iter().find(|(known, _)| *known == lower).map_or(lower.as_str(), |(_, standard)| standard);
    Encoding::for_label(other.as_bytes())
}

/// The `charset` parameter of a `Content-Type`.
fn charset(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches(['"', '\'']))
    })
}

/// The encoding that the XML declaration names.
fn declared(document: &[u8]) -> Option<&str> {
    let head = document.get(..HEAD).unwrap_or(document);
    let start = memmem::find(head, b"<?xml")?;
    let declaration = head.get(start..)?;
    let declaration = declaration.get(..memmem::find(declaration, b"?>")?)?;
    let at = memmem::find(declaration, b"encoding")? + b"encoding".len();
    let value = std::str::from_utf8(declaration.get(at..)?).ok()?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    value.strip_prefix(quote)?.split(quote).next().map(str::trim)
}

/// The text without characters that XML forbids: they carry nothing, and one of them would spoil what we publish.
///
/// The second is where the first of them stood.
pub(super) fn without_forbidden(text: Cow<'_, str>) -> (Cow<'_, str>, Option<usize>) {
    if !has_forbidden(text.as_bytes()) {
        return (text, None);
    }
    let first = text.find(is_forbidden);
    let clean = text.chars().filter(|c| !is_forbidden(*c)).collect();
    (Cow::Owned(clean), first)
}

fn is_forbidden(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

fn has_forbidden(bytes: &[u8]) -> bool {
    // Without an early exit inside a piece, so that the compiler may look at many bytes at once.
    let control = bytes.chunks(4096).any(|piece| {
        piece.iter().fold(false, |found, byte| found | (*byte < 0x20 && !matches!(*byte, b'\t' | b'\n' | b'\r')))
    });
    control || ["\u{fffe}", "\u{ffff}"].iter().any(|c| memmem::find(bytes, c.as_bytes()).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(document: &[u8], content_type: Option<&str>, expected: &str) {
        assert_eq!(decode(document, content_type).text, expected);
    }

    #[test]
    fn the_bytes_decide_before_the_words() {
        check("é".as_bytes(), Some("text/xml; charset=iso-8859-1"), "é");
        check(b"\xef\xbb\xbfa", None, "a");
        check(b"\xfe\xff\0<\0a", None, "<a");
        check(b"<\0a\0", None, "<a");
        check(b"<\0\0\0a\0\0\0", None, "<a");
        check(b"\0\0\xfe\xff\0\0\0<", None, "<");
    }

    #[test]
    fn what_is_not_utf8_is_what_it_says_it_is() {
        check(b"\xe9", Some("text/xml; charset=\"ISO-8859-1\""), "é");
        check(b"<?xml version='1.0' encoding='koi8-r'?>\xc1", None, "<?xml version='1.0' encoding='koi8-r'?>а");
        check(b"\xe9", Some("text/xml; charset=windows1251"), "й");
        check(b"<?xml encoding=\"utf-16\"?>a\xe9", None, "<?xml encoding=\"utf-16\"?>aé");
    }

    #[test]
    fn one_stray_byte_costs_no_other_character() {
        check(b"\xc3\xa4\xc3\xb6\xc3\xbc \x93a\x94", None, "äöü “a”");
    }

    #[test]
    fn what_is_utf8_but_for_cut_characters_is_so_whatever_is_declared() {
        let document = ["Мост закрыт до понедельни".as_bytes(), b"\xd0..."].concat();
        check(&document, Some("text/xml; charset=iso-8859-1"), "Мост закрыт до понедельни...");
        check(b"<?xml encoding='utf-8'?>Caf\xc3\xa9 bread \xe2\x80...", None, "<?xml encoding='utf-8'?>Café bread ...");
        check(b"caf\xe9... th\xe9", Some("text/xml; charset=utf-8"), "café... thé");
    }

    #[test]
    fn forbidden_characters_go() {
        assert_eq!(without_forbidden("a\u{0}b\u{b}c\td\u{ffff}".into()).0, "abc\td");
        assert_eq!(without_forbidden("a\u{0}".into()).1, Some(1));
        assert_eq!(without_forbidden("a\n\t".into()).1, None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_text(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let decoded = decode(&bytes, None);
            let (text, _) = without_forbidden(decoded.text);
            prop_assert!(!has_forbidden(text.as_bytes()));
        }
    }
}
