//! White space: what holds only that, and what a style said of it.
//!
//! Pure. White space in an element inside a line is text (`<span> </span>` stands between the words of highlighted code). A block
//! that holds nothing else is a gap that only its style gave a meaning.

use super::tree::{Element, Kind, Tree};
use crate::text::hidden::property;

/// Blocks that show nothing when they hold nothing.
const BLOCKS: &[&str] = &[
    "article",
    "aside",
    "blockquote",
    "div",
    "figcaption",
    "figure",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "li",
    "nav",
    "ol",
    "p",
    "ul",
];
/// Elements of a line that show no more than what they hold.
const INLINE: &[&str] = &["a", "b", "em", "font", "i", "s", "small", "span", "strong", "sub", "sup", "u"];
/// Elements that show something by themselves, or whose place in a table or list does.
const SHOWN: &[&str] = &[
    "audio", "caption", "col", "colgroup", "dd", "details", "dl", "dt", "hr", "img", "input", "math", "rp", "rt",
    "ruby", "source", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "video", "wbr",
];
/// The most line breaks that are made of one text's white space.
const MOST_BREAKS: usize = 10_000;

/// Whether the element of this name is a block that shows nothing when it holds nothing.
pub(super) fn is_block(name: &str) -> bool {
    BLOCKS.contains(&name)
}

/// Whether the element of this name stands in a line and shows no more than what it holds.
pub(super) fn is_inline(name: &str) -> bool {
    INLINE.contains(&name)
}

/// Gives an element lines of its own, by gaps around it: those that part no words go with the others.
pub(super) fn part(tree: &mut Tree, number: usize) {
    let Some(parent) = tree.parent(number) else { return };
    for place in [Some(number), tree.after(number)] {
        let gap = tree.add_element("div", &[]);
        tree.link(parent, place, gap);
    }
}

/// What an element holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Holding {
    Nothing,
    /// White space, or line breaks.
    Space,
    Something,
}

/// Elements besides [`BLOCKS`] at which a line ends.
const BREAKING: &[&str] = &[
    "caption", "dd", "details", "dl", "dt", "hr", "pre", "summary", "table", "tbody", "td", "tfoot", "th", "thead",
    "tr",
];

/// Takes out of a text what holds nothing. Where a block was all that ended a line, a line break stays.
pub(super) fn settle_empty(tree: &mut Tree) {
    let Some(root) = tree.root() else { return };
    let order: Vec<usize> = tree.inside(root).collect();
    let preformatted = preformatted(tree, &order);
    let mut held = vec![Holding::Nothing; tree.len()];
    let mut is_gap = vec![false; tree.len()];
    for number in order.into_iter().rev() {
        let inner = tree.children(number).map(|at| held[at]).max().unwrap_or(Holding::Nothing);
        let is_code = preformatted[number];
        held[number] = match tree.kind(number) {
            Kind::Bare => Holding::Nothing,
            Kind::Text(text) if text.is_empty() => Holding::Nothing,
            Kind::Text(text) if !is_code && text.chars().all(char::is_whitespace) => Holding::Space,
            Kind::Text(_) => Holding::Something,
            Kind::Element(element) => match element.html() {
                None => inner,
                Some(name)
                    if (name == "img" && is_no_picture(element))
                        || (name == "picture" && inner < Holding::Something) =>
                {
                    tree.detach(number);
                    Holding::Nothing
                }
                Some(name) if SHOWN.contains(&name) => Holding::Something,
                Some("br") => {
                    if is_code {
                        Holding::Something
                    } else {
                        Holding::Space
                    }
                }
                Some(_) if element.value("id").is_some() => Holding::Something,
                // A line of code is one, and so is a number of a list.
                Some(name) if is_block(name) && inner < Holding::Something && !is_code => {
                    is_gap[number] = name != "li" || !is_numbered(tree, number);
                    Holding::Nothing
                }
                Some(name) if INLINE.contains(&name) && inner < Holding::Something => {
                    tree.unwrap(number);
                    inner
                }
                Some(_) => inner,
            },
        };
    }
    close_gaps(tree, root, &held, &is_gap);
}

/// Takes out the blocks that hold nothing. The first one between two words ends the line of the first word.
fn close_gaps(tree: &mut Tree, root: usize, held: &[Holding], is_gap: &[bool]) {
    let order: Vec<usize> = tree.inside(root).collect();
    // What comes after each block that is open, the innermost last; `None` where nothing does.
    let mut behind: Vec<Option<usize>> = Vec::new();
    let (mut is_in_line, mut gap) = (false, None);
    let mut skipped_to: Option<Option<usize>> = None;
    for number in order {
        if skipped_to.is_some_and(|end| end != Some(number)) {
            continue;
        }
        skipped_to = None;
        let mut is_at_end = false;
        while behind.last() == Some(&Some(number)) {
            behind.pop();
            is_at_end = true;
        }
        let name = tree.html(number);
        let is_breaking = name.is_some_and(|name| is_block(name) || BREAKING.contains(&name)) && !is_gap[number];
        if is_at_end || is_breaking || name == Some("br") {
            is_in_line = false;
            gap.take().into_iter().for_each(|gap| tree.detach(gap));
        }
        let is_shown = match tree.kind(number) {
            Kind::Text(_) => held[number] == Holding::Something,
            Kind::Element(element) => {
                tree.first(number).is_none() && element.html().is_some_and(|name| SHOWN.contains(&name))
            }
            Kind::Bare => false,
        };
        if is_gap[number] {
            skipped_to = Some(tree.next_beside(number, root));
            if is_in_line && gap.is_none() {
                gap = Some(number);
            } else {
                tree.detach(number);
            }
        } else if is_breaking {
            behind.push(tree.next_beside(number, root));
        } else if is_shown {
            if let Some(gap) = gap.take() {
                let line_break = tree.add_element("br", &[]);
                tree.replace(gap, line_break);
            }
            is_in_line = true;
        }
    }
    gap.into_iter().for_each(|gap| tree.detach(gap));
}

/// Whether a picture has nothing to show: its address led nowhere, and no words stand for it.
fn is_no_picture(element: &Element) -> bool {
    let has = |name: &str| element.value(name).is_some_and(|value| !value.trim().is_empty());
    !has("src") && !has("srcset") && !has("alt")
}

/// Whether each node stands in preformatted text.
fn preformatted(tree: &Tree, order: &[usize]) -> Vec<bool> {
    let mut is = vec![false; tree.len()];
    for number in order {
        is[*number] = tree.html(*number) == Some("pre") || tree.parent(*number).is_some_and(|parent| is[parent]);
    }
    is
}

fn is_numbered(tree: &Tree, number: usize) -> bool {
    tree.parent(number).is_some_and(|parent| tree.html(parent) == Some("ol"))
}

/// The lines that styles keep, on the way through a text.
#[derive(Debug, Default)]
pub(super) struct KeptLines {
    /// How many line breaks were made.
    breaks: usize,
    /// The last element whose lines were settled, and with them those of all elements in it.
    within: Option<usize>,
}

/// Shows the lines of elements whose style keeps them: code as such, the lines of other texts with breaks.
pub(super) fn settle_style(tree: &mut Tree, number: usize, kept: &mut KeptLines) {
    let Some(element) = tree.element(number) else { return };
    let Some(style) = element.value("style").and_then(|style| property(style, "white-space")) else { return };
    let (is_wrapped, is_indented) = match style.to_ascii_lowercase().as_str() {
        "pre" => (false, true),
        "pre-wrap" | "break-spaces" => (true, true),
        "pre-line" => (true, false),
        _ => return,
    };
    let is_in_code = |tree: &Tree, at: usize| tree.ancestors(at).any(|outer| tree.html(outer) == Some("pre"));
    let is_settled = kept.within.is_some_and(|outer| tree.ancestors(number).any(|at| at == outer));
    if is_settled || tree.html(number) == Some("pre") || is_in_code(tree, number) {
        return;
    }
    let is_apart =
        |tree: &Tree, at: usize| tree.html(at).is_some_and(|name| is_block(name) || name == "pre" || name == "table");
    if !is_wrapped && is_apart(tree, number) && !tree.inside(number).any(|at| is_apart(tree, at)) {
        return tree.rename(number, "pre");
    }
    kept.within = Some(number);
    let lines: Vec<usize> = tree.inside(number).collect();
    for at in lines {
        if kept.breaks >= MOST_BREAKS {
            return;
        }
        let Kind::Text(text) = tree.kind(at) else { continue };
        // White space between blocks is no line.
        let is_between_blocks = || [tree.before(at), tree.after(at)].into_iter().flatten().any(|at| is_apart(tree, at));
        if !text.contains('\n') || (text.trim().is_empty() && is_between_blocks()) || is_in_code(tree, at) {
            continue;
        }
        let Some(parent) = tree.parent(at) else { continue };
        let text = text.to_string();
        let lines = text.splitn(MOST_BREAKS - kept.breaks + 1, '\n');
        for (line, is_first) in lines.zip(std::iter::once(true).chain(std::iter::repeat(false))) {
            if !is_first {
                kept.breaks += 1;
                let line_break = tree.add_element("br", &[]);
                tree.link(parent, Some(at), line_break);
            }
            let is_inside = is_first && tree.before(at).is_some();
            let rest = if is_inside { line } else { line.trim_start_matches(' ') };
            let indent = if is_indented { "\u{a0}".repeat(line.len() - rest.len()) } else { String::new() };
            let line = tree.add_text(&format!("{indent}{rest}"));
            tree.link(parent, Some(at), line);
        }
        tree.detach(at);
    }
}

#[cfg(test)]
pub(super) mod tests {
    pub(in crate::sanitise) fn check(fragment: &str, expected: &str) {
        let shown = crate::sanitise::html(fragment, None);
        assert_eq!(shown.replace(" rel=\"noopener noreferrer nofollow\"", ""), expected, "{fragment}");
    }

    #[test]
    fn white_space_in_a_line_is_text() {
        for name in super::INLINE {
            check(&format!("a<{name}> </{name}>b"), "a b");
            check(&format!("a<{name}>&nbsp;</{name}>b"), "a&nbsp;b");
            check(&format!("a<{name}><br></{name}>b"), "a<br>b");
            check(&format!("a<{name}></{name}>b"), "ab");
            check(&format!("a<{name}>\n\t</{name}>b"), "a\n\tb");
        }
        check("a<span><span> </span></span>b<b><i></i></b>c", "a bc");
        check("<b>Every</b><span> </span><i>word</i>", "<b>Every</b> <i>word</i>");
    }

    #[test]
    fn code_is_what_it_was() {
        check(
            "<pre><code><span class=\"k\">def</span><span class=\"w\"> </span>f<span class=\"w\">\n    </span>g\n\n<span>\n</span></code></pre>",
            "<pre><code>def f\n    g\n\n\n</code></pre>",
        );
        check("<pre>a<br>\tb<br><br>c</pre>", "<pre>a<br>\tb<br><br>c</pre>");
        check(
            "<pre><div>a</div><div> </div><div><br></div><div>b</div></pre>",
            "<pre><div>a</div><div> </div><div><br></div><div>b</div></pre>",
        );
        check("<pre>  a &amp; b\u{a0}c  \n</pre>d", "<pre>  a &amp; b&nbsp;c  \n</pre>d");
        check("<p>a<code> </code>b</p>", "<p>a<code> </code>b</p>");
    }

    #[test]
    fn blocks_that_hold_nothing_are_taken_out() {
        for name in super::BLOCKS {
            for inner in ["", " \n", "&nbsp;", "<br>", "<span> </span>", "<script>x()</script>"] {
                check(&format!("<div>a</div><{name}>{inner}</{name}>b"), "<div>a</div>b");
                check(&format!("a<{name}>{inner}</{name}><p>b</p>"), "a<p>b</p>");
                check(&format!("<p>a</p><{name}>{inner}</{name}>"), "<p>a</p>");
            }
        }
        check("<div><p> </p><p>&nbsp;</p><span></span></div><p>a</p>", "<p>a</p>");
        check("<p>a <svg></svg></p><p><svg></svg></p>", "<p>a </p>");
        check("<ol><li></li><li>b</li></ol>", "<ol><li></li><li>b</li></ol>");
        check("<ol><li></li></ol><ul><li></li><li>b</li></ul>", "<ul><li>b</li></ul>");
        check("<table><tbody><tr><td></td></tr></tbody></table>", "<table><tbody><tr><td></td></tr></tbody></table>");
        check("<ul><li><hr></li></ul>", "<ul><li><hr></li></ul>");
    }

    #[test]
    fn a_block_that_holds_nothing_ends_the_line_before_it() {
        for name in super::BLOCKS.iter().filter(|name| **name != "li") {
            for inner in ["", " \n", "&nbsp;", "<br>", "<span> </span>"] {
                let gap = format!("<{name}>{inner}</{name}>");
                check(&format!("a{gap}b"), "a<br>b");
                check(&format!("a{gap} {gap}b"), "a<br> b");
                check(&format!("<div>a{gap}b<i>c</i>{gap}</div>{gap}d"), "<div>a<br>b<i>c</i></div>d");
            }
        }
        check("<b>a<div></div></b>b", "<b>a<br></b>b");
        check("a<br><div></div>b", "a<br>b");
        check("a<div></div><br>b", "a<br>b");
        check("a<div><div><br></div></div><img alt=\"b\">", "a<br><img alt=\"b\">");
        check(
            "<table><tbody><tr><td>a</td><td><p></p>b</td></tr></tbody></table>",
            "<table><tbody><tr><td>a</td><td>b</td></tr></tbody></table>",
        );
        check("a</p>b", "a<br>b");
        check("a<ul><li></li></ul>b", "a<br>b");
        check("a<picture></picture>b", "ab");
    }

    #[test]
    fn a_style_that_keeps_lines_keeps_them() {
        check("<div style=\"white-space: pre\">a\n  b</div>", "<pre>a\n  b</pre>");
        check("<p style=\"white-space:pre-wrap\"> a\n  b\n</p>", "<p>&nbsp;a<br>&nbsp;&nbsp;b<br></p>");
        check("<p style=\"white-space:pre-line\">a\n  b</p>", "<p>a<br>b</p>");
        check("<p>x<span style=\"white-space:pre-line\">a\nb</span></p>", "<p>xa<br>b</p>");
        check("<div style=\"white-space:pre-wrap\"><b>a</b>\n\n<b>b</b></div>", "<div><b>a</b><br><br><b>b</b></div>");
        check("<div style=\"white-space:pre\"><div>a\nb</div></div>", "<div><div>a<br>b</div></div>");
        check("<pre style=\"white-space:pre-wrap\">a\nb</pre>", "<pre>a\nb</pre>");
        check("<p style=\"white-space:nowrap\">a\nb</p>", "<p>a\nb</p>");
        check("<div style=\"white-space:pre-wrap\">\n<p>a</p>\n</div>", "<div>\n<p>a</p>\n</div>");
    }
}
