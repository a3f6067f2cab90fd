//! Plain text as HTML that shows its lines.
//!
//! Pure. What is plain text says its lines with line breaks: the chapters of a film, a poem, an address. HTML lets them run together.
//! Text that was only filled to a width, as mail and abstracts are, runs together as it was meant to.

use crate::sanitise::escape;

/// Text is not filled to less than this, in characters.
const NARROWEST: usize = 50;
/// How many spaces a tab is worth, and how many are shown before a line at most.
const TAB: usize = 4;
const WIDEST: usize = 40;
/// So many lines have to be full before a text is taken for a filled one.
const FEWEST: usize = 3;

/// The text as HTML: paragraphs where blank lines are, line breaks where lines end.
pub(super) fn html(text: &str) -> String {
    // The first line stands behind a tag; what all others are indented by is how the document is laid out.
    let text = text.trim();
    if !text.contains(['\n', '\r']) {
        return escape(text);
    }
    let lines: Vec<&str> = text.lines().flat_map(|line| line.split('\r')).map(str::trim_end).collect();
    let paragraphs: Vec<&[&str]> =
        lines.split(|line| line.is_empty()).filter(|paragraph| !paragraph.is_empty()).collect();
    let is_filled = is_filled(&paragraphs);
    let between = if is_filled { "\n" } else { "<br>" };
    let others = lines.iter().skip(1).filter(|line| !line.is_empty());
    let margin = others.map(|line| indent(line).0).min().unwrap_or_default();
    let shown = |line: &&str| {
        let (width, words) = indent(line);
        let beyond = if is_filled { 0 } else { width.saturating_sub(margin).min(WIDEST) };
        format!("{}{}", "&nbsp;".repeat(beyond), escape(words))
    };
    let html = |paragraph: &&[&str]| paragraph.iter().map(shown).collect::<Vec<_>>().join(between);
    match &*paragraphs {
        [only] => html(only),
        paragraphs => paragraphs.iter().map(|paragraph| format!("<p>{}</p>", html(paragraph))).collect(),
    }
}

/// How far a line is indented, in spaces, and what stands in it.
fn indent(line: &str) -> (usize, &str) {
    let words = line.trim_start();
    let space = line.get(..line.len() - words.len()).unwrap_or_default();
    (space.chars().map(|c| if c == '\t' { TAB } else { 1 }).sum(), words)
}

/// Whether each line ends only where the next word had no room.
fn is_filled(paragraphs: &[&[&str]]) -> bool {
    let length = |line: &str| line.trim_start().chars().count();
    let width = paragraphs.iter().flat_map(|lines| lines.iter()).map(|line| length(line)).max().unwrap_or_default();
    let mut full = 0;
    for pair in paragraphs.iter().flat_map(|lines| lines.windows(2)) {
        let [line, next] = pair else { continue };
        let word = next.split_whitespace().next().unwrap_or_default();
        if length(line) + 1 + word.chars().count() <= width {
            return false;
        }
        full += 1;
    }
    width >= NARROWEST && full >= FEWEST
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(html(text), expected, "{text:?}");
    }

    #[test]
    fn lines_and_paragraphs_are_shown() {
        check("a < b", "a &lt; b");
        check("Roses are red\nViolets are blue", "Roses are red<br>Violets are blue");
        check(
            "\n We walk.\n\nChapters:\r\n0:00 Start\n  \n\n4:10 Mill\n",
            "<p>We walk.</p><p>Chapters:<br>0:00 Start</p><p>4:10 Mill</p>",
        );
        check("a\rb\r\rc", "<p>a<br>b</p><p>c</p>");
        check("a\n  b", "a<br>b");
        check("if x:\n\ty()\nz", "if x:<br>&nbsp;&nbsp;&nbsp;&nbsp;y()<br>z");
        check("\n  a\n    b\n  c\n", "a<br>&nbsp;&nbsp;b<br>c");
        check("a\n\n b\n  c", "<p>a</p><p>b<br>&nbsp;c</p>");
        check("", "");
    }

    #[test]
    fn filled_text_runs_together() {
        let filled = "We show that the operator is bounded on each of these\nspaces, and that this fails for all that are larger. The\nproof is short and uses nothing that was not known before\nthe work of the last year.";
        check(filled, filled);
        check(&format!("{filled}\n\nEnd."), &format!("<p>{filled}</p><p>End.</p>"));
        let chapters = filled.replace(" are larger. The\n", "\n");
        assert!(html(&chapters).contains("<br>"), "a line that ends early is one");
        check(
            "A line that is long enough to be one of a filled text, but alone\nb",
            "A line that is long enough to be one of a filled text, but alone<br>b",
        );
    }
}
