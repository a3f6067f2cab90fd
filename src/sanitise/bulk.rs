//! What makes a text long and is never shown.
//!
//! Pure. A picture that is written into a text (`data:`), a script or a comment may be longer than all words around it. Where a
//! text is too long to be kept, these go first, so that they cost only themselves.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memchr3_iter};

use super::LONGEST_VALUE;

/// The markup without what is never shown of it, as far as that is long.
#[must_use]
pub fn without_bulk(markup: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let (mut copied, mut at) = (0, 0);
    let mut unseen = Unseen::default();
    'tags: while let Some(found) = memchr(b'<', markup.as_bytes().get(at..).unwrap_or_default()) {
        let start = at + found;
        let rest = markup.get(start..).unwrap_or_default();
        if let Some(length) = unseen.length(rest) {
            out.push_str(markup.get(copied..start).unwrap_or_default());
            (copied, at) = (start + length, start + length);
            continue;
        }
        at = start + 1;
        if !rest.as_bytes().get(1).is_some_and(u8::is_ascii_alphabetic) {
            continue;
        }
        loop {
            // Neither a value nor an end of a tag follows, so none of another tag does.
            let Some(value) = value(markup, at) else { break 'tags };
            let Value::Quoted { from, to } = value else { break };
            if to - from > LONGEST_VALUE {
                out.push_str(markup.get(copied..from).unwrap_or_default());
                copied = to;
            }
            at = to + 1;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(markup);
    }
    out.push_str(markup.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// What begins with one text and ends with another, and is not shown.
const UNSEEN: [(&str, &str); 3] = [("<!--", "-->"), ("<script", "</script>"), ("<style", "</style>")];

/// Finds what is not shown.
#[derive(Default)]
struct Unseen {
    /// Which of them have no end any more: it is not looked for again.
    is_endless: [bool; UNSEEN.len()],
}

impl Unseen {
    /// How long the comment, script or style is that `rest` begins with.
    fn length(&mut self, rest: &str) -> Option<usize> {
        let begins = |head: &str| rest.get(..head.len()).is_some_and(|own| own.eq_ignore_ascii_case(head));
        let kind = UNSEEN.iter().position(|(head, _)| begins(head))?;
        let (head, end) = UNSEEN[kind];
        // The source of a formula is shown.
        let is_source = kind == 1 && rest.get(..rest.floor_char_boundary(100)).is_some_and(|tag| tag.contains("math/"));
        if is_source || self.is_endless[kind] {
            return None;
        }
        let bytes = rest.as_bytes().get(head.len()..)?;
        let is_end =
            |at: &usize| bytes.get(*at..at + end.len()).is_some_and(|own| own.eq_ignore_ascii_case(end.as_bytes()));
        let ends = memchr_iter(end.as_bytes()[0], bytes).find(is_end);
        self.is_endless[kind] = ends.is_none();
        ends.map(|at| head.len() + at + end.len())
    }
}

/// What comes next in a tag.
enum Value {
    Quoted { from: usize, to: usize },
    EndOfTag,
}

fn value(markup: &str, from: usize) -> Option<Value> {
    let bytes = markup.as_bytes();
    let rest = bytes.get(from..)?;
    for found in memchr3_iter(b'>', b'"', b'\'', rest) {
        let (at, byte) = (from + found, rest[found]);
        if byte == b'>' {
            return Some(Value::EndOfTag);
        }
        if at > 0 && bytes[at - 1] == b'=' {
            let length = memchr(byte, bytes.get(at + 1..)?)?;
            return Some(Value::Quoted { from: at + 1, to: at + 1 + length });
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

    #[test]
    fn it_costs_what_the_length_says() {
        for run in ["<a ", "<!--", "<script>", "<a b=\"", "<a b='\"", "<style", "<a b=\"c\"", "</a>", "<"] {
            let _ = without_bulk(&run.repeat(2 << 20 >> run.len().ilog2()));
        }
    }
}
