//! Words, numbers and sentences of a text.
//!
//! Pure. Knows scripts, not languages: stop words and stems are `language`'s, what counts how much is `features`'.

use std::str::Chars;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

/// The longest word that counts; what is longer (a data URL, a megabyte of one letter) is cut here.
const WORD_CHARS: usize = 40;

/// What a token is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Letters, in lower case; may hold digits, as in `g20`.
    Word,
    /// Digits with the thousands' commas taken out and the decimal sign kept as a point: `1200`, `5.9`.
    Number,
    /// Two neighbouring characters of a script that writes no spaces.
    Pair,
}

/// Compatibility form of a text (NFKC), borrowed where it already has it.
pub fn normal(text: &str) -> std::borrow::Cow<'_, str> {
    if text.is_ascii() || is_nfkc_quick(text.chars()) == IsNormalized::Yes {
        std::borrow::Cow::Borrowed(text)
    } else {
        std::borrow::Cow::Owned(text.nfkc().collect())
    }
}

/// Calls `each` with every token of a text in turn; `false` from it ends the walk.
///
/// Web addresses are passed over, possessive endings are cut, and what has no letter or digit is no token.
pub fn tokens(text: &str, mut each: impl FnMut(Kind, &str) -> bool) {
    walk::<true>(text, |kind, token, _| each(kind, token));
}

/// The same, with whether the token is a word that the text writes in small letters.
pub fn written_tokens(text: &str, each: impl FnMut(Kind, &str, bool) -> bool) {
    walk::<true>(text, each);
}

/// The same; unless plain words `ARE_TAKEN_WHOLE`, character by character.
fn walk<const ARE_TAKEN_WHOLE: bool>(text: &str, mut each: impl FnMut(Kind, &str, bool) -> bool) {
    let mut chars = text.chars();
    let mut word = String::with_capacity(WORD_CHARS);
    let mut last_unspaced = None;
    loop {
        if ARE_TAKEN_WHOLE && let Some((plain, rest)) = plain_word(chars.as_str()) {
            last_unspaced = None;
            chars = rest.chars();
            let kind = if plain.has_letters { Kind::Word } else { Kind::Number };
            let goes_on = if plain.has_capitals {
                word.clear();
                word.push_str(plain.word);
                word.make_ascii_lowercase();
                each(kind, &word, false)
            } else {
                each(kind, plain.word, plain.has_letters)
            };
            if !goes_on {
                return;
            }
        }
        let Some(first) = chars.next() else { return };
        if ARE_TAKEN_WHOLE && first.is_ascii() && !first.is_ascii_alphanumeric() {
            last_unspaced = None;
            continue;
        }
        if is_unspaced(first) {
            if let Some(before) = last_unspaced {
                word.clear();
                word.push(before);
                word.push(first);
                if !each(Kind::Pair, &word, false) {
                    return;
                }
            }
            last_unspaced = Some(first);
            continue;
        }
        last_unspaced = None;
        if !first.is_alphanumeric() {
            continue;
        }
        word.clear();
        let mut letters = 0_usize;
        let (mut has_small, mut has_capitals) = (first.is_lowercase(), first.is_uppercase());
        let mut length = 0_usize;
        push_lower(&mut word, first);
        letters += usize::from(!first.is_numeric());
        loop {
            let run = chars.as_str().bytes().take_while(u8::is_ascii_alphanumeric).count();
            if let Some((run, rest)) = chars.as_str().split_at_checked(run).filter(|(run, _)| !run.is_empty()) {
                let kept = run.get(..WORD_CHARS.saturating_sub(length + 1)).unwrap_or(run);
                let begun = word.len();
                word.push_str(kept);
                has_small |= kept.bytes().any(|byte| byte.is_ascii_lowercase());
                has_capitals |= kept.bytes().any(|byte| byte.is_ascii_uppercase());
                word.get_mut(begun..).unwrap_or_default().make_ascii_lowercase();
                letters += kept.bytes().filter(u8::is_ascii_alphabetic).count();
                length += run.len();
                chars = rest.chars();
            }
            let Some(next) = chars.clone().next() else { break };
            if is_unspaced(next) {
                break;
            }
            if next.is_alphanumeric() {
                chars.next();
                length += 1;
                if length < WORD_CHARS {
                    push_lower(&mut word, next);
                    has_small |= next.is_lowercase();
                    has_capitals |= next.is_uppercase();
                    letters += usize::from(!next.is_numeric());
                }
            } else if is_mark(next) {
                // Arabic short vowels, Hebrew points, soft hyphens and zero-width joiners belong to no word.
                chars.next();
            } else if letters == 0 && matches!(next, '.' | ',') {
                chars.next();
                match chars.clone().next() {
                    Some(digit) if digit.is_ascii_digit() => {
                        if next == '.' || !thousands_follow(chars.clone()) {
                            word.push('.');
                        }
                    }
                    _ => break,
                }
            } else if matches!(next, '\'' | '’' | 'ʼ') {
                chars.next();
                // "Kelce's" is Kelce; "l’Italia" and "don't" go on as one word or the next.
                let mut ahead = chars.clone();
                if matches!(ahead.next(), Some('s' | 'S')) && !ahead.next().is_some_and(char::is_alphanumeric) {
                    chars.next();
                    break;
                }
                if length < 3 {
                    break;
                }
            } else if next == ':' && matches!(word.as_str(), "http" | "https") {
                skip_address(&mut chars);
                word.clear();
                break;
            } else {
                break;
            }
        }
        if word == "www" {
            skip_address(&mut chars);
            continue;
        }
        if word.is_empty() {
            continue;
        }
        let kind = if letters == 0 { Kind::Number } else { Kind::Word };
        if !each(kind, &word, has_small && !has_capitals) {
            return;
        }
    }
}

/// A word that is a run of ASCII letters and digits, and ends before a character that is no part of any word.
struct PlainWord<'a> {
    word: &'a str,
    has_letters: bool,
    has_capitals: bool,
}

/// The plain word with which a text begins, and what follows it; most words of most texts are plain.
fn plain_word(text: &str) -> Option<(PlainWord<'_>, &str)> {
    let (mut has_letters, mut has_capitals) = (false, false);
    let mut length = 0;
    let end = loop {
        match text.as_bytes().get(length) {
            Some(b'0'..=b'9') => {}
            Some(b'a'..=b'z') => has_letters = true,
            Some(b'A'..=b'Z') => (has_letters, has_capitals) = (true, true),
            end => break end.copied().unwrap_or(b' '),
        }
        length += 1;
    };
    let goes_on = match end {
        b'\'' | b':' | 0x80.. => true,
        b'.' | b',' => !has_letters,
        _ => false,
    };
    let (word, rest) = text.split_at_checked(length)?;
    let is_plain = (1..WORD_CHARS).contains(&length) && !goes_on && !word.eq_ignore_ascii_case("www");
    is_plain.then_some((PlainWord { word, has_letters, has_capitals }, rest))
}

/// Whether what ends a sentence begins with this byte.
fn may_end_a_sentence(byte: &u8) -> bool {
    const ENDS: [bool; 1 << u8::BITS] = {
        let (mut ends, firsts) = ([false; 1 << u8::BITS], b"\n|.!?\xe2\xe3\xef");
        let mut at = 0;
        while at < firsts.len() {
            ends[firsts[at] as usize] = true;
            at += 1;
        }
        ends
    };
    ENDS.get(usize::from(*byte)).is_some_and(|ends| *ends)
}

/// Calls `each` with every sentence of a text: up to a full stop, question or exclamation mark before a space, or a line's end.
pub fn sentences<'a>(text: &'a str, mut each: impl FnMut(&'a str)) {
    let (mut start, mut from) = (0, 0);
    while let Some(at) = text.as_bytes().get(from..).and_then(|rest| rest.iter().position(may_end_a_sentence)) {
        let at = from + at;
        from = at + 1;
        let mut chars = text.get(at..).unwrap_or_default().chars();
        let Some(c) = chars.next() else { continue };
        let ends = match c {
            '\n' | '。' | '！' | '？' | '|' | '•' | '➤' => true,
            '.' | '!' | '?' | '…' => chars.next().is_some_and(char::is_whitespace),
            _ => false,
        };
        if ends {
            let end = at + c.len_utf8();
            // An initial or an abbreviation ("U.S. troops", "Rep. Boebert") ends no sentence worth the name.
            if end - start >= 24 || c == '\n' {
                if let Some(sentence) = text.get(start..end) {
                    each(sentence);
                }
                start = end;
            }
        }
    }
    if let Some(rest) = text.get(start..)
        && !rest.trim().is_empty()
    {
        each(rest);
    }
}

/// The parts of a title between the signs that set off a kicker, a section or the outlet's name.
pub fn segments<'a>(title: &'a str, mut each: impl FnMut(&'a str)) {
    let mut rest = title;
    while let Some((at, width)) = next_seam(rest) {
        if let Some(part) = rest.get(..at)
            && !part.trim().is_empty()
        {
            each(part);
        }
        rest = rest.get(at + width..).unwrap_or_default();
    }
    if !rest.trim().is_empty() {
        each(rest);
    }
}

fn next_seam(text: &str) -> Option<(usize, usize)> {
    let mut before = ' ';
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let spaced = before.is_whitespace() && chars.peek().is_some_and(|(_, next)| next.is_whitespace());
        let seam = match c {
            '|' | '·' | '•' | '»' | '«' | '：' | '｜' | '【' | '】' => true,
            '-' | '–' | '—' => spaced,
            ':' => chars.peek().is_some_and(|(_, next)| next.is_whitespace()),
            _ => false,
        };
        if seam {
            return Some((at, c.len_utf8()));
        }
        before = c;
    }
    None
}

fn skip_address(chars: &mut Chars<'_>) {
    let rest = chars.as_str();
    *chars = rest.get(rest.find(char::is_whitespace).unwrap_or(rest.len())..).unwrap_or_default().chars();
}

fn thousands_follow(mut chars: Chars<'_>) -> bool {
    let three = chars.by_ref().take(3).filter(char::is_ascii_digit).count() == 3;
    three && !chars.next().is_some_and(|c| c.is_ascii_digit())
}

fn push_lower(word: &mut String, c: char) {
    if c.is_ascii() {
        word.push(c.to_ascii_lowercase());
    } else {
        word.extend(c.to_lowercase().filter(|c| !is_mark(*c)));
    }
}

/// Marks that change how a word looks or sounds and not which word it is.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{300}'..='\u{36f}' | '\u{5b0}'..='\u{5c7}' | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{2060}' | '\u{feff}')
}

/// Scripts without spaces between words: Han, Kana, Hangul (whose endings stick), Thai, Lao, Khmer, Burmese.
fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3134f}')
        && c.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let mut found = Vec::new();
        tokens(&normal(text), |_, token| {
            found.push(token.to_owned());
            true
        });
        assert_eq!(found, expected, "{text}");
    }

    proptest::proptest! {
        #[test]
        fn plain_words_taken_whole_are_what_they_are_character_by_character(text in "[ab1A é.,:'’東\u{301}\n-]{0,24}|(www|WWW|http|https|a{39}|a{40}|B{41}|[ .:'/12]){0,8}") {
            let found = |are_taken_whole: bool| {
                let mut found = Vec::new();
                let note = |kind, token: &str, is_small| {
                    found.push((kind, token.to_owned(), is_small));
                    true
                };
                if are_taken_whole { walk::<true>(&text, note) } else { walk::<false>(&text, note) }
                found
            };
            proptest::prop_assert_eq!(found(true), found(false));
        }
    }

    #[test]
    fn numbers_lose_their_commas_and_keep_their_point() {
        check("1,200 dead, 5.9 on the scale, 3,5 proc.", &["1200", "dead", "5.9", "on", "the", "scale", "3.5", "proc"]);
    }

    #[test]
    fn possessives_are_cut_and_elisions_parted() {
        check("Marlow's dog and l’Italia", &["marlow", "dog", "and", "l", "italia"]);
    }

    #[test]
    fn a_text_falls_into_its_sentences() {
        fn check(text: &str, expected: &[&str]) {
            let mut found = Vec::new();
            sentences(text, |sentence| found.push(sentence));
            assert_eq!(found, expected, "{text}");
        }
        check(
            "The ferry Skarvholm ran aground. Why? All 5.9 million are safe…\nEnd",
            &["The ferry Skarvholm ran aground.", " Why? All 5.9 million are safe…", "\n", "End"],
        );
        check(
            "東京で大雨が降りました。「本当」！明日も雨です、気をつけて",
            &["東京で大雨が降りました。", "「本当」！明日も雨です、気をつけて"],
        );
        check(
            "Ships • boats and ferries of all kinds ➤ ports|",
            &["Ships • boats and ferries of all kinds ➤", " ports|"],
        );
        check("", &[]);
    }

    #[test]
    fn addresses_are_no_words() {
        check("see https://news.example/a?b=c now www.news.example/x", &["see", "now"]);
    }

    #[test]
    fn words_in_small_letters_are_told() {
        let mut small = Vec::new();
        written_tokens("Ferry runs Aground: iPhone 15 wróciła do éMile, l'île 东京", |_, token, is_small| {
            small.extend(is_small.then(|| token.to_owned()));
            true
        });
        assert_eq!(small, ["runs", "wróciła", "do", "l", "île"]);
    }

    #[test]
    fn scripts_without_spaces_give_pairs() {
        check("东京地震 G20", &["东京", "京地", "地震", "g20"]);
    }

    #[test]
    fn compatibility_forms_are_one() {
        check("Ｇ２０ ﬁre", &["g20", "fire"]);
    }

    #[test]
    fn a_title_falls_into_its_segments() {
        let mut parts = Vec::new();
        segments("Live: Storm nears - The Daily Example | News", |part| parts.push(part.trim().to_owned()));
        assert_eq!(parts, ["Live", "Storm nears", "The Daily Example", "News"]);
    }
}
