//! What a style says that an element would say: editors write so, and what they write is more than looks.
//!
//! Pure. Styles do not stay. An element of a line that a style makes a block, or the item of a box, has lines of its own; words
//! that are struck out, raised, lowered, bold or italic get the element for it, and `<b>` that a style makes plain is none.

use super::space;
use super::tree::{Kind, Tree};
use crate::text::hidden::property;

/// Values of `display` that make a block of an element (CSS Display 3 §2).
const BLOCK: &[&str] =
    &["block", "flex", "flow-root", "grid", "list-item", "table", "table-row", "-webkit-box", "-webkit-flex"];
/// Values that make items of what an element holds: blocks beside each other (CSS Flexbox 1 §4, CSS Grid 1 §6).
const BOX: &[&str] = &["flex", "grid", "inline-flex", "inline-grid", "-webkit-box", "-webkit-flex"];
/// Elements without a meaning of their own, which editors hang styles on.
const BARE: &[&str] = &["font", "span"];
/// Elements that are bold by themselves.
const BOLD: &[&str] = &["b", "h1", "h2", "h3", "h4", "h5", "h6", "strong", "th"];
/// The lightest weight that is bold.
const BOLD_FROM: u32 = 600;

/// Settles the element with this number.
pub(super) fn settle(tree: &mut Tree, number: usize) {
    let Some(element) = tree.element(number) else { return };
    let (Some(name), Some(style)) = (element.html(), element.value("style")) else { return };
    let (name, style) = (name.to_owned(), style.to_ascii_lowercase());
    let says = |property_name: &str| property(&style, property_name).unwrap_or_default();
    let is_in = |tree: &Tree, names: &[&str]| {
        tree.ancestors(number).any(|at| tree.html(at).is_some_and(|name| names.contains(&name)))
    };
    let is_code = is_in(tree, &["pre"]);
    let display = says("display");
    if (space::is_inline(&name) || name == "img") && BLOCK.contains(&display) {
        if is_code { end_lines(tree, number) } else { space::part(tree, number) }
    }
    if is_code {
        return;
    }
    if BOX.contains(&display) || display == "table-row" {
        let items = std::iter::successors(tree.first(number), |item| tree.after(*item));
        let in_lines: Vec<usize> = items.filter(|item| tree.html(*item).is_some_and(space::is_inline)).collect();
        in_lines.into_iter().for_each(|item| space::part(tree, item));
    }
    let weight = says("font-weight");
    let is_plain = match name.as_str() {
        "b" | "strong" => matches!(weight, "normal" | "400" | "lighter"),
        "i" | "em" => says("font-style") == "normal",
        _ => false,
    };
    if is_plain {
        return tree.rename(number, "span");
    }
    if !BARE.contains(&name.as_str()) {
        return;
    }
    let is_bold = matches!(weight, "bold" | "bolder") || weight.parse().is_ok_and(|weight: u32| weight >= BOLD_FROM);
    let is_struck = ["text-decoration", "text-decoration-line"].iter().any(|name| says(name).contains("line-through"));
    let is_italic = matches!(says("font-style"), "italic" | "oblique");
    let meant = [
        (is_struck && !is_in(tree, &["s", "del", "strike"]), "s"),
        (says("vertical-align") == "super" && !is_in(tree, &["sup"]), "sup"),
        (says("vertical-align") == "sub" && !is_in(tree, &["sub"]), "sub"),
        (is_bold && !is_in(tree, BOLD), "b"),
        (is_italic && !is_in(tree, &["i", "em"]), "i"),
    ];
    for (_, name) in meant.into_iter().filter(|(is_meant, _)| *is_meant) {
        let inner = tree.add_element(name, &[]);
        while let Some(child) = tree.first(number) {
            tree.link(inner, None, child);
        }
        tree.link(number, None, inner);
    }
}

/// Ends the line before a block in code, and the block's own line, where no line break does.
fn end_lines(tree: &mut Tree, number: usize) {
    let Some(parent) = tree.parent(number) else { return };
    let ends_line = |tree: &Tree, at: usize| match tree.kind(at) {
        Kind::Text(text) => text.ends_with('\n'),
        Kind::Element(_) => tree.text(at).ends_with('\n'),
        Kind::Bare => false,
    };
    if tree.before(number).is_some_and(|before| !ends_line(tree, before)) {
        let line_break = tree.add_text("\n");
        tree.link(parent, Some(number), line_break);
    }
    let begins_line = |tree: &Tree, at: usize| matches!(tree.kind(at), Kind::Text(text) if text.starts_with('\n'));
    if let Some(after) = tree.after(number)
        && !begins_line(tree, after)
        && !ends_line(tree, number)
    {
        let line_break = tree.add_text("\n");
        tree.link(parent, Some(after), line_break);
    }
}

#[cfg(test)]
mod tests {
    use crate::sanitise::space::tests::check;

    #[test]
    fn a_block_in_a_line_has_lines_of_its_own() {
        check(
            "<p><strong style=\"display:block\">Heading</strong>Text <small style=\"display: block\">small</small></p>",
            "<p><strong>Heading</strong><br>Text <br><small>small</small></p>",
        );
        check("a<span style=\"display:block\">b</span><span style=\"display:flex\">c</span>d", "a<br>b<br>c<br>d");
        check("<p><span style=\"display:block\">alone</span></p><p>next</p>", "<p>alone</p><p>next</p>");
        check("<p>a<span style=\"display:inline-block\">b</span></p>", "<p>ab</p>");
        check(
            "<div style=\"display:flex\"><span>a</span><b>b</b></div><div style=\"display:grid\"><a href=\"https://a.example/\">c</a><span>d</span></div>",
            "<div>a<br><b>b</b></div><div><a href=\"https://a.example/\">c</a><br>d</div>",
        );
        check(
            "<span style=\"display:table-row\"><span style=\"display:table-cell\">a</span><span style=\"display:table-cell\">b</span></span>",
            "a<br>b",
        );
        check(
            "<pre><code><span style=\"display:block\">l1</span><span style=\"display:flex\">  l2</span></code></pre>",
            "<pre><code>l1\n  l2</code></pre>",
        );
        check(
            "<pre><span style=\"display:block\">l1\n</span><span style=\"display:block\">l2</span>\nl3</pre>",
            "<pre>l1\nl2\nl3</pre>",
        );
    }

    #[test]
    fn emphasis_is_kept_however_it_is_written() {
        check("<span style=\"text-decoration:line-through\">a</span> b", "<s>a</s> b");
        check("mc<span style=\"vertical-align:super;font-size:60%\">2</span>", "mc<sup>2</sup>");
        check("H<span style=\"vertical-align: sub\">2</span>O", "H<sub>2</sub>O");
        check("<span style=\"font-weight:700;font-style:italic\">a</span>", "<i><b>a</b></i>");
        check(
            "<b style=\"font-weight:normal\"><p>plain <span style=\"font-weight:700\">bold</span></p></b>",
            "<p>plain <b>bold</b></p>",
        );
        check("<h2><span style=\"font-weight:bold\">a</span></h2>", "<h2>a</h2>");
        check("<span style=\"font-weight:400;vertical-align:baseline\">a</span>", "a");
        check("<pre><span style=\"font-weight:bold\">let</span> a</pre>", "<pre>let a</pre>");
    }
}
