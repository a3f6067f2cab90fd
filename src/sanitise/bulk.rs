//! What makes a text long and is never shown.
//!
//! Pure. A picture that is written into a text (`data:`), a script or a comment may be longer than all words around it. Where a
//! text is too long to be kept, these go first, so that they cost only themselves.

use std::borrow::Cow;

use memchr::memchr;

use super::LONGEST_VALUE;

/// The markup without what is never shown of it, as far as that is long.
#[must_use]
pub fn without_bulk(markup: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = memchr(b'<', markup.as_bytes().get(at..).unwrap_or_default()) {
        let start = at + found;
        let rest = markup.get(start..).unwrap_or_default();
        let skipped = skipped(rest);
        if skipped > 0 {
            out.push_str(markup.get(copied..start).unwrap_or_default());
            at = start + skipped;
            copied = at;
            continue;
        }
        at = start + 1;
        if !rest.get(1..2).is_some_and(|first| first.starts_with(|c: char| c.is_ascii_alphabetic())) {
            continue;
        }
        while let Some((from, to, is_end)) = value(markup, at) {
            if to - from > LONGEST_VALUE {
                out.push_str(markup.get(copied..from).unwrap_or_default());
                copied = to;
            }
            // One past the quote behind it.
            at = if is_end { to } else { to + 1 };
            if is_end {
                break;
            }
        }
    }
    if copied == 0 {
        return Cow::Borrowed(markup);
    }
    out.push_str(markup.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// How long the comment, script or style is that `rest` begins with; 0 when it begins with something else, or has no end.
fn skipped(rest: &str) -> usize {
    const ENDS: &[(&str, &str)] = &[("<!--", "-->"), ("<script", "</script>"), ("<style", "</style>")];
    let begins = |head: &str| rest.get(..head.len()).is_some_and(|own| own.eq_ignore_ascii_case(head));
    let Some((head, end)) = ENDS.iter().find(|(head, _)| begins(head)) else { return 0 };
    let tag = rest.split('>').next().unwrap_or_default();
    // The source of a formula is shown.
    if *head == "<script" && tag.contains("math/") {
        return 0;
    }
    let bytes = rest.as_bytes();
    let mut at = head.len();
    while let Some(found) = memchr(end.as_bytes()[0], bytes.get(at..).unwrap_or_default()) {
        at += found;
        if bytes.get(at..at + end.len()).is_some_and(|own| own.eq_ignore_ascii_case(end.as_bytes())) {
            return at + end.len();
        }
        at += 1;
    }
    0
}

/// Where the next quoted value of a tag begins and ends, and whether the tag ends before there is one more.
fn value(markup: &str, mut at: usize) -> Option<(usize, usize, bool)> {
    let bytes = markup.as_bytes();
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'>' => return Some((at, at, true)),
            b'"' | b'\'' if bytes.get(at.wrapping_sub(2)) == Some(&b'=') => {
                let end = memchr(*byte, bytes.get(at..)?)?;
                return Some((at, at + end, false));
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_in_the_text_costs_only_itself() {
        let long = "A".repeat(LONGEST_VALUE + 1);
        let check = |markup: &str, expected: &str| assert_eq!(without_bulk(markup), expected);
        check(
            &format!("<p>a</p><img alt=\"b\" src=\"data:{long}\" width='2'><p>c"),
            "<p>a</p><img alt=\"b\" src=\"\" width='2'><p>c",
        );
        check(
            &format!("<img src='{long}'><img src='{long}'>\"{long}\""),
            &format!("<img src=''><img src=''>\"{long}\""),
        );
        check("a<!-- b > c -->d<SCRIPT>\"</p>\"</Script>e<style>f</style>g", "adeg");
        check("<script type=\"math/tex\">x</script>", "<script type=\"math/tex\">x</script>");
        for same in ["<p title=\"a>b\">c</p>", "a < b \"c\"", "<!-- a", "<script>a", "<img src=\"a", "<p a=b>=\"c"] {
            assert!(matches!(without_bulk(same), Cow::Borrowed(_)), "{same}");
        }
    }
}
