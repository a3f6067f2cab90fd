//! Plain text as HTML that shows its lines.
//!
//! Pure. What is plain text says its lines with line breaks: the chapters of a film, a poem, an address. HTML lets them run together.
//! Text that was only filled to a width, as mail and abstracts are, runs together as it was meant to.

use crate::sanitise::escape;

/// Text is not filled to less than this, in characters.
const NARROWEST: usize = 50;
/// So many lines have to be full before a text is taken for a filled one.
const FEWEST: usize = 3;

/// The text as HTML: paragraphs where blank lines are, line breaks where lines end.
pub(super) fn html(text: &str) -> String {
    let text = text.trim();
    if !text.contains(['\n', '\r']) {
        return escape(text);
    }
    let lines: Vec<&str> = text.lines().flat_map(|line| line.split('\r')).map(str::trim_end).collect();
    let paragraphs: Vec<&[&str]> =
        lines.split(|line| line.is_empty()).filter(|paragraph| !paragraph.is_empty()).collect();
    let between = if is_filled(&paragraphs) { "\n" } else { "<br>" };
    let html =
        |paragraph: &&[&str]| paragraph.iter().map(|line| escape(line.trim_start())).collect::<Vec<_>>().join(between);
    match &*paragraphs {
        [only] => html(only),
        paragraphs => paragraphs.iter().map(|paragraph| format!("<p>{}</p>", html(paragraph))).collect(),
    }
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
