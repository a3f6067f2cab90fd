//! What shows the same where an element or a style may not stay.
//!
//! Pure. A section is a block, a task box is a sign, and a style that turns the direction of a text is its direction.

use super::rules;
use super::tree::{Kind, Tree};
use crate::text::hidden::property;

/// How many texts of nothing but space are looked at before the box of a task.
const MOST_SPACES: usize = 8;

/// Settles an element that may not stay as it is.
pub(super) fn settle(tree: &mut Tree, number: usize) {
    let Some(element) = tree.element(number) else { return };
    let Some(name) = element.html() else { return };
    if name == "input" {
        return settle_box(tree, number);
    }
    if let Some(stand_in) = rules::stand_in(name) {
        tree.rename(number, stand_in);
        // A paragraph ends where a block begins, so one that a parser let it stand in is a block as well.
        let around: Vec<usize> = tree.ancestors(number).filter(|at| tree.html(*at) == Some("p")).collect();
        around.into_iter().for_each(|paragraph| tree.rename(paragraph, "div"));
    }
    settle_direction(tree, number);
}

/// The box of a task in a list.
fn settle_box(tree: &mut Tree, number: usize) {
    let Some(element) = tree.element(number) else { return };
    let is_box = element.value("type").is_some_and(|kind| kind.eq_ignore_ascii_case("checkbox"));
    let sign = if element.value("checked").is_some() { "☑ " } else { "☐ " };
    // Boxes before it are gone, and the spaces between them are not.
    let is_first = |at: usize| {
        let mut before = std::iter::successors(tree.before(at), |at| tree.before(*at));
        let is_space = |at: usize| matches!(tree.kind(at), Kind::Text(text) if text.trim().is_empty());
        before.by_ref().take(MOST_SPACES).all(is_space) && before.next().is_none()
    };
    let around = std::iter::once(number).chain(tree.ancestors(number));
    let is_item = |at: usize| tree.html(at) == Some("li");
    let begins_item = around.take(4).take_while(|at| is_first(*at) || is_item(*at)).any(is_item);
    if is_box && begins_item {
        tree.replace_by_text(number, sign);
    } else {
        tree.detach(number);
    }
}

fn settle_direction(tree: &mut Tree, number: usize) {
    let Some(element) = tree.element_mut(number).filter(|element| !element.attributes.is_empty()) else { return };
    let of_style = element.value("style").and_then(|style| property(style, "direction")).map(str::to_ascii_lowercase);
    let own = element.value("dir").map(|own| own.trim().to_ascii_lowercase());
    match own.or(of_style).filter(|dir| matches!(&**dir, "ltr" | "rtl" | "auto")) {
        Some(dir) => element.set("dir", &dir),
        None => element.unset("dir"),
    }
}

#[cfg(test)]
mod tests {
    fn check(fragment: &str, expected: &str) {
        assert_eq!(crate::sanitise::html(fragment, None), expected, "{fragment}");
    }

    #[test]
    fn what_stands_in_a_paragraph_stays_there_as_a_block() {
        check("<p title=\"a\"><textarea>b</textarea>c</p>", "<div title=\"a\"><pre>b</pre>c</div>");
        check("<p>a<select><option>b</select>c</p>", "<div>a<div><div>b</div></div>c</div>");
    }

    #[test]
    fn the_direction_of_a_text_stays() {
        check(
            "<div dir=\"rtl\" style=\"text-align:right\"><p dir=\"RTL\">א</p></div>",
            "<div dir=\"rtl\"><p dir=\"rtl\">א</p></div>",
        );
        check("<p style=\"direction: rtl\">א</p>", "<p dir=\"rtl\">א</p>");
        check(
            "<span dir=\"auto\">א</span><bdo dir=\"ltr\">b</bdo>",
            "<span dir=\"auto\">א</span><bdo dir=\"ltr\">b</bdo>",
        );
        check("<p dir=\"up\">a</p>", "<p>a</p>");
        check("<section dir=\"rtl\">א</section>", "<div dir=\"rtl\">א</div>");
    }

    #[test]
    fn blocks_stay_apart() {
        check("<section>a</section><section>b</section>", "<div>a</div><div>b</div>");
        check("<form><select><option>a<option>b</select></form>", "<div><div><div>a</div><div>b</div></div></div>");
        check("<html><head><title>a</title></head><body>b", "<div>a</div>b");
        check("<p><title>a</title></p>", "<div><div>a</div></div>");
        check("<menu><li>a</menu>", "<ul><li>a</li></ul>");
        check("<xmp>a <b></xmp>", "<pre>a &lt;b&gt;</pre>");
        check("<center>a</center>b<address>c</address>", "<div>a</div>b<div>c</div>");
    }

    #[test]
    fn a_task_box_is_a_sign() {
        check(
            "<ul><li><input type=\"checkbox\" checked disabled> done</li><li><label><input type=checkbox>open</label></li></ul>",
            "<ul><li>☑  done</li><li>☐ open</li></ul>",
        );
        check("<li><p><input type=\"checkbox\"> a</p></li>", "<li><p>☐  a</p></li>");
        check("<p><input type=\"checkbox\">a<input value=\"b\"></p>", "<p>a</p>");
        check("<li>a <input type=\"checkbox\"></li>", "<li>a </li>");
    }

    #[test]
    fn lists_count_as_they_did() {
        check(
            "<ol start=\"3\" reversed type=\"a\"><li value=\"7\">x</li></ol>",
            "<ol start=\"3\" reversed=\"\" type=\"a\"><li value=\"7\">x</li></ol>",
        );
    }
}
