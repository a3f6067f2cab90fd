//! Plain text as it is shown: on one line, and as markup.
//!
//! Pure.

use crate::text;

/// Plain text on one line, without what could reach out of its place: control characters, those that turn the direction of
/// all that follows, and those that nobody sees.
#[must_use]
pub fn line(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let folded = text::fold_space(text);
    if !folded.contains(|c| turns(c) || is_tag_character(c)) {
        return folded;
    }
    text::fold_space(&without_stray_tags(&folded.replace(turns, "")))
}

/// Tag characters spell ASCII that is not shown. They mean something in a flag alone (Unicode TS 51, ED-14a).
fn is_tag_character(c: char) -> bool {
    matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// The text with the tag characters of flags alone: a black flag, a code of at most six letters and digits, and the end.
fn without_stray_tags(text: &str) -> String {
    const FLAG: char = '\u{1f3f4}';
    const END: char = '\u{e007f}';
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(is_tag_character) {
        let (before, tags) = rest.split_at_checked(at).unwrap_or((rest, ""));
        let length = tags.find(|c| !is_tag_character(c)).unwrap_or(tags.len());
        let (tags, after) = tags.split_at_checked(length).unwrap_or((tags, ""));
        kept.push_str(before);
        let is_code = |c: char| matches!(c, '\u{e0030}'..='\u{e0039}' | '\u{e0061}'..='\u{e007a}');
        let code = tags.strip_suffix(END).unwrap_or_default();
        if before.ends_with(FLAG) && (1..=6).contains(&code.chars().count()) && code.chars().all(is_code) {
            kept.push_str(tags);
        }
        rest = after;
    }
    kept + rest
}

/// Plain text as HTML that shows it.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    escape_into(text, &mut escaped);
    escaped
}

/// Appends plain text as HTML that shows it.
pub fn escape_into(text: &str, escaped: &mut String) {
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let reference = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            _ => continue,
        };
        escaped.push_str(text.get(from..at).unwrap_or_default());
        escaped.push_str(reference);
        from = at + 1;
    }
    escaped.push_str(text.get(from..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_nothing_that_is_not_seen() {
        assert_eq!(line("a\u{202e}b\u{2066}c"), "abc");
        assert_eq!(line("title\u{e0041}\u{e0042} x\u{e007f}"), "title x");
        let scotland = "\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}";
        assert_eq!(line(&format!("{scotland} won")), format!("{scotland} won"));
        assert_eq!(line("\u{1f3f4}\u{e0067}\u{e0062} lost"), "\u{1f3f4} lost");
    }

    #[test]
    fn every_special_character_is_escaped() {
        assert_eq!(escape("a & <b> \"c\" 'd'"), "a &amp; &lt;b&gt; &quot;c&quot; 'd'");
        assert_eq!(escape(""), "");
    }
}
