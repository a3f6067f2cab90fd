//! JSON that is not quite JSON.
//!
//! Pure. Programs that put JSON together from strings leave line breaks in them, cut them inside an emoji, escape what JSON
//! does not, or end a list with a comma. What they mean is plain, and a whole feed is too much to lose for it. What else is
//! wrong stays wrong.

use std::borrow::Cow;

use crate::parse::charset::damaged::joined;

/// The document with its slips mended; as it is where there are none.
pub(in crate::parse) fn mended(document: &str) -> Cow<'_, str> {
    let mut mended = String::with_capacity(document.len() + 64);
    let mut rest = document;
    let mut is_text = false;
    let mut has_slip = false;
    loop {
        let stop = |c: char| match is_text {
            true => matches!(c, '"' | '\\' | '\n' | '\r' | '\t'),
            false => matches!(c, '"' | ','),
        };
        let Some(at) = rest.find(stop) else { break };
        let (before, found) = rest.split_at_checked(at).unwrap_or((rest, ""));
        mended.push_str(before);
        let written = match found.chars().next() {
            Some('"') => {
                is_text = !is_text;
                Written { length: 1, mended: None }
            }
            Some('\\') => escape(found),
            Some(',') => comma(found),
            Some('\n') => Written { length: 1, mended: Some("\\n") },
            Some('\r') => Written { length: 1, mended: Some("\\r") },
            _ => Written { length: 1, mended: Some("\\t") },
        };
        let (as_it_is, after) = found.split_at_checked(written.length).unwrap_or((found, ""));
        has_slip |= written.mended.is_some();
        mended.push_str(written.mended.unwrap_or(as_it_is));
        rest = after;
    }
    if !has_slip {
        return Cow::Borrowed(document);
    }
    mended.push_str(rest);
    Cow::Owned(mended)
}

/// How long something is that may be a slip, and what is meant, if it is one.
struct Written {
    length: usize,
    mended: Option<&'static str>,
}

/// An escape in a text. Half of a surrogate pair says nothing.
fn escape(text: &str) -> Written {
    match text.as_bytes().get(1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Written { length: 2, mended: None },
        Some(b'\'') => Written { length: 2, mended: Some("'") },
        Some(b'u') => match unit(text) {
            None => Written { length: 1, mended: Some("\\\\") },
            Some(0xd800..0xdc00) => {
                let is_pair = text.get(6..).and_then(unit).zip(unit(text)).and_then(|(low, high)| joined(high, low));
                match is_pair {
                    Some(_) => Written { length: 12, mended: None },
                    None => Written { length: 6, mended: Some("") },
                }
            }
            Some(0xdc00..0xe000) => Written { length: 6, mended: Some("") },
            Some(_) => Written { length: 6, mended: None },
        },
        _ => Written { length: 1, mended: Some("\\\\") },
    }
}

/// The unit of UTF-16 that a text begins with, as `\u00e9`.
fn unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

/// A comma behind which nothing comes.
fn comma(text: &str) -> Written {
    let next = text.chars().skip(1).find(|c| !c.is_ascii_whitespace());
    Written { length: 1, mended: matches!(next, Some(']' | '}' | ',')).then_some("") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_plainly_meant_is_mended() {
        for (document, expected) in [
            ("[\"a\nb\tc\r\"]", r#"["a\nb\tc\r"]"#),
            (r#"["cake \ud83c"]"#, r#"["cake "]"#),
            (r#"["\udf89 cake \ud83cx"]"#, r#"[" cake x"]"#),
            (r#"["it\'s C:\x \u12"]"#, r#"["it's C:\\x \\u12"]"#),
            ("[1, 2, ]", "[1, 2 ]"),
            ("{\"a\": 1,}", "{\"a\": 1}"),
            ("[1,,2]", "[1,2]"),
        ] {
            let mended = mended(document);
            assert_eq!(mended, expected);
            assert!(serde_json::from_str::<serde_json::Value>(&mended).is_ok(), "{mended}");
        }
    }

    #[test]
    fn json_stays_as_it_is() {
        for document in [
            r#"{"a": ["b,]", "\\u", "\\ud83c", "\ud83c\udf89", "é\"", "\u00e9"], "c": 1}"#,
            "{\n\t\"a\": 1,\r\n\t\"b\": [2, 3]\n}",
        ] {
            assert!(matches!(mended(document), Cow::Borrowed(_)), "{document}");
        }
        for cut in ["\"a", "\"a\\", "\"\\u", "[1,"] {
            let _ = mended(cut);
        }
    }
}
