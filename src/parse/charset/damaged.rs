//! UTF-8 that is damaged: characters cut in two, surrogates written as bytes, and bytes of windows-1252 among them.
//!
//! Pure. Programs that count bytes cut a text inside a character (PHP's `substr`), and the half that is left says nothing.
//! Bytes that no character of UTF-8 begins with were written by a program that does not know UTF-8, in nearly every case in
//! windows-1252.

use encoding_rs::WINDOWS_1252;

/// Leads of sequences that windows-1252 has no use for in front of the bytes that follow them: general punctuation and emoji.
const UNLIKELY: [u8; 2] = [0xe2, 0xf0];
/// For one cut character so many whole ones show that a document is UTF-8, whatever it says.
const WHOLE_FOR_ONE_CUT: usize = 10;

/// A document of damaged UTF-8, as text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mended {
    pub(super) text: String,
    /// Where in the text the first damage is.
    pub(super) first: usize,
    /// What was done.
    pub(super) told: &'static str,
}

/// How much of a document is UTF-8.
#[derive(Debug)]
pub(super) struct Damage {
    /// Characters of several bytes.
    whole: usize,
    cut: usize,
    /// Cut characters that show by themselves that a document is UTF-8.
    plainly_cut: usize,
    /// Bytes that are something else.
    stray: usize,
    /// With which bytes its characters begin.
    leads: [bool; 256],
}

/// A piece of a damaged document.
enum Piece<'a> {
    Whole(&'a str),
    /// A character that is written as two surrogates of three bytes each (CESU-8).
    Pair(char),
    /// A part of a character, or half of such a pair.
    Cut {
        is_plain: bool,
    },
    Stray(&'a [u8]),
}

impl Damage {
    /// Looks through a document.
    pub(super) fn of(document: &[u8]) -> Self {
        let mut damage = Self { whole: 0, cut: 0, plainly_cut: 0, stray: 0, leads: [false; 256] };
        for chunk in document.utf8_chunks() {
            for lead in chunk.valid().bytes().filter(|byte| *byte >= 0xc0) {
                damage.whole += 1;
                damage.leads[usize::from(lead)] = true;
            }
        }
        let leads = damage.leads;
        for piece in pieces(document, &leads) {
            match piece {
                Piece::Whole(_) => {}
                Piece::Pair(_) => damage.whole += 1,
                Piece::Cut { is_plain } => {
                    damage.cut += 1;
                    damage.plainly_cut += usize::from(is_plain);
                }
                Piece::Stray(bytes) => damage.stray += bytes.len(),
            }
        }
        damage
    }

    /// Whether it is UTF-8 whatever it says.
    pub(super) fn is_utf8_beyond_doubt(&self) -> bool {
        self.stray == 0 && self.whole >= self.cut.max(1) * WHOLE_FOR_ONE_CUT
    }

    /// Whether it is UTF-8 more than anything else; `says_so` is what it declares, or declares nothing else.
    pub(super) fn is_mostly_utf8(&self, says_so: bool) -> bool {
        let plainly_cut = if says_so { self.plainly_cut } else { 0 };
        self.whole + plainly_cut > self.stray + self.cut - self.plainly_cut
    }

    /// The document's text.
    pub(super) fn mend(&self, document: &[u8]) -> Mended {
        let mut text = String::with_capacity(document.len() + self.stray);
        let mut first = None;
        for piece in pieces(document, &self.leads) {
            if !matches!(piece, Piece::Whole(_)) {
                first.get_or_insert(text.len());
            }
            match piece {
                Piece::Whole(whole) => text.push_str(whole),
                Piece::Pair(character) => text.push(character),
                Piece::Cut { .. } => {}
                Piece::Stray(bytes) => {
                    let (characters, _) = WINDOWS_1252.decode_without_bom_handling(bytes);
                    text.extend(characters.chars().filter(|c| !c.is_control()));
                }
            }
        }
        let told = match (self.cut, self.stray) {
            (_, 0) if self.cut == 0 => "characters written as surrogates joined",
            (_, 0) => "characters cut in two left out",
            (0, _) => "stray bytes in UTF-8 read as windows-1252",
            _ => "stray bytes in UTF-8 read as windows-1252, and characters cut in two left out",
        };
        Mended { text, first: first.unwrap_or_default(), told }
    }
}

/// The pieces of a document; `leads` are the first bytes of its whole characters.
fn pieces<'a>(document: &'a [u8], leads: &[bool; 256]) -> impl Iterator<Item = Piece<'a>> {
    let mut rest = document;
    std::iter::from_fn(move || {
        let chunk = rest.utf8_chunks().next()?;
        if !chunk.valid().is_empty() {
            rest = rest.get(chunk.valid().len()..).unwrap_or_default();
            return Some(Piece::Whole(chunk.valid()));
        }
        let (piece, length) = match surrogates(rest) {
            Some(found) => found,
            None => {
                let invalid = chunk.invalid();
                let after = rest.get(invalid.len()..).unwrap_or_default();
                (cut(invalid, after, leads).unwrap_or(Piece::Stray(invalid)), invalid.len())
            }
        };
        rest = rest.get(length..).unwrap_or_default();
        Some(piece)
    })
}

/// A character as two surrogates, or one of them alone, with how many bytes that has.
fn surrogates<'a>(bytes: &[u8]) -> Option<(Piece<'a>, usize)> {
    let half = |bytes: &[u8]| match *bytes {
        [0xed, second @ 0xa0..=0xbf, third @ 0x80..=0xbf, ..] => {
            Some(0xd000 | (u32::from(second) & 0x3f) << 6 | u32::from(third) & 0x3f)
        }
        _ => None,
    };
    let high = half(bytes)?;
    let joined = bytes.get(3..).and_then(half).and_then(|low| joined(high, low));
    Some(joined.map_or((Piece::Cut { is_plain: true }, 3), |character| (Piece::Pair(character), 6)))
}

/// The character that two surrogates make together (Unicode §3.9); `None` when they make none.
pub(in crate::parse) fn joined(high: u32, low: u32) -> Option<char> {
    let is_pair = (0xd800..0xdc00).contains(&high) && (0xdc00..0xe000).contains(&low);
    if is_pair { char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)) } else { None }
}

/// Whether these bytes are the beginning of a character whose end is missing: the text breaks off behind them, and characters
/// of this kind are met in the document, or the bytes make no sense otherwise.
fn cut<'a>(bytes: &[u8], after: &[u8], leads: &[bool; 256]) -> Option<Piece<'a>> {
    let lead = *bytes.first()?;
    let is_met = leads.get(usize::from(lead)).copied().unwrap_or_default();
    let is_plain = bytes.len() > 1 && (is_met || UNLIKELY.contains(&lead));
    ((0xc2..=0xf4).contains(&lead) && is_end(after) && (is_met || is_plain)).then_some(Piece::Cut { is_plain })
}

/// Whether a text may break off here: at markup, white space, punctuation, an ellipsis or the end.
fn is_end(after: &[u8]) -> bool {
    match after {
        [] | [0xe2, 0x80, 0xa6, ..] => true,
        [byte, ..] => byte.is_ascii() && !byte.is_ascii_alphanumeric(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(document: &[u8], expected: &str) {
        let damage = Damage::of(document);
        assert!(damage.is_mostly_utf8(true), "{damage:?}");
        assert_eq!(damage.mend(document).text, expected);
    }

    fn with(whole: &str, bytes: &[u8], after: &str) -> Vec<u8> {
        [whole.as_bytes(), bytes, after.as_bytes()].concat()
    }

    #[test]
    fn half_a_character_is_left_out() {
        for after in ["...", "…", "<", " ", "", "\"", "]]>", "&#8230;"] {
            check(&with("понедельни", b"\xd0", after), &format!("понедельни{after}"));
            check(&with("止め", b"\xe3\x81", after), &format!("止め{after}"));
            check(&with("止め", b"\xe3", after), &format!("止め{after}"));
        }
        check(&with("Café: soup ", b"\xe2\x80", "..."), "Café: soup ...");
        check(&with("soup ", b"\xe2\x80", "..."), "soup ...");
        check(&with("party ", b"\xf0\x9f\x8e", "..."), "party ...");
    }

    #[test]
    fn other_bytes_are_windows_1252() {
        check(&with("äöü ", b"\x93a\x94", ""), "äöü “a”");
        check(&with("äöü ", b"caf\xe9", "s"), "äöü cafés");
        // No character of this document begins as half of one would, and French has such words.
        check(&with("déjà là ", b"caf\xe9", " "), "déjà là café ");
        check(&with("äöü ", b"a\x81b", ""), "äöü ab");
    }

    #[test]
    fn surrogates_as_bytes_are_one_character() {
        check(&with("olé olé ", b"\xed\xa0\xbd\xed\xb8\x80", "!"), "olé olé 😀!");
        check(&with("ole ", b"\xed\xa0\xbd\xed\xb8\x80", "!"), "ole 😀!");
        check(&with("olé ", b"\xed\xa0\xbd", "!"), "olé !");
        assert_eq!(joined(0xd83c, 0xdf89), Some('🎉'));
        assert_eq!((joined(0xdf89, 0xd83c), joined(0xd83c, 0x41)), (None, None));
    }

    #[test]
    fn what_is_another_character_set_is_not_taken_for_utf8() {
        for document in
            [&b"caf\xe9... th\xe9"[..], b"caf\xe9 \xe0 la", b"\xc4\xe3\xba\xc3 \xca\xc0\xbd\xe7", b"\xe9 \xbb"]
        {
            assert!(!Damage::of(document).is_mostly_utf8(true), "{document:x?}");
        }
    }
}
