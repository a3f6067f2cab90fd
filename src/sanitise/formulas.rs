//! Formulas, each once, and the words of drawings.
//!
//! Pure. A formula is MathML where there is some. What is written beside it for a style sheet or a script (KaTeX's layer,
//! MathJax's boxes, its source) says the same again, in an order that only the style puts right. Where MathJax only drew a
//! formula, its parts say what they are, and where a script was to draw it, its source is shown.

use html5ever::{LocalName, QualName, ns};
use unicode_normalization::UnicodeNormalization;

use super::rules;
use super::tree::{Element, Kind, Tree};
use crate::text;
use crate::text::hidden::property;

/// The deepest formula that is read from a drawing.
const DEEPEST: usize = 64;

/// Settles a formula, or a drawing.
pub(super) fn settle(tree: &mut Tree, number: usize) {
    let Some(element) = tree.element(number) else { return };
    if element.name.ns == ns!(mathml) {
        return settle_part(tree, number);
    }
    if element.name.ns == ns!(svg) {
        let is_outermost =
            tree.parent(number).and_then(|at| tree.element(at)).is_none_or(|outer| outer.name.ns != ns!(svg));
        if is_outermost {
            settle_drawing(tree, number);
        }
        return;
    }
    match element.html() {
        Some("script") => settle_source(tree, number),
        Some("mjx-container") => settle_rendered(tree, number),
        // XHTML with a prefix, read as HTML: its elements are unknown ones, and show their words.
        Some(name) if name.ends_with(":annotation") || name.ends_with(":annotation-xml") => tree.detach(number),
        Some("span" | "div") if element.value("class").is_some() => {
            if element.is_of("katex-html") && has_formula_beside(tree, number) {
                tree.detach(number);
            } else if element.is_of("vlist") {
                settle_stack(tree, number);
            } else if is_rendered(element) {
                settle_rendered(tree, number);
            } else if element.is_of("MathJax_Preview") && is_followed_by_formula(tree, number) {
                tree.detach(number);
            }
        }
        _ => {}
    }
}

fn is_container(element: &Element) -> bool {
    element.html() == Some("mjx-container")
}

fn is_rendered(element: &Element) -> bool {
    ["MathJax", "MathJax_Display", "MathJax_SVG", "MathJax_CHTML", "mjx-chtml"].iter().any(|class| element.is_of(class))
}

/// A formula itself: what it is annotated with is the same again.
fn settle_part(tree: &mut Tree, number: usize) {
    let name = tree.element(number).map(|element| element.name.local.clone());
    match name.as_deref() {
        Some("annotation" | "annotation-xml") => tree.detach(number),
        // The first of several that a reader may choose from.
        Some("maction") => {
            let others: Vec<usize> = tree.children(number).filter(|at| tree.element(*at).is_some()).skip(1).collect();
            others.into_iter().for_each(|at| tree.detach(at));
        }
        Some("mfenced") => {
            let parts: Vec<usize> = tree.children(number).filter(|at| tree.element(*at).is_some()).collect();
            let row = add_part(tree, "mrow");
            let sign = |tree: &mut Tree, text: &str| {
                let (sign, text) = (add_part(tree, "mo"), tree.add_text(text));
                tree.link(sign, None, text);
                tree.link(row, None, sign);
            };
            sign(tree, "(");
            for (at, part) in parts.into_iter().enumerate() {
                if at > 0 {
                    sign(tree, ",");
                }
                tree.link(row, None, part);
            }
            sign(tree, ")");
            tree.replace(number, row);
        }
        _ => {}
    }
}

fn add_part(tree: &mut Tree, name: &str) -> usize {
    let name = QualName::new(None, ns!(mathml), LocalName::from(name));
    tree.add(Kind::Element(Element { name, attributes: Vec::new() }))
}

/// The formula in a node, if it says something.
fn formula_in(tree: &Tree, number: usize) -> Option<usize> {
    tree.inside(number).find(|at| {
        tree.element(*at).is_some_and(|element| element.name.ns == ns!(mathml) && &*element.name.local == "math")
            && tree.first(*at).is_some()
    })
}

/// Whether KaTeX wrote the formula right beside its layer.
fn has_formula_beside(tree: &Tree, number: usize) -> bool {
    let is_whole = |at: usize| {
        tree.element(at).is_some_and(|element| element.is_of("katex-mathml") || element.name.ns == ns!(mathml))
            && (formula_in(tree, at).is_some() || tree.element(at).is_some_and(|element| element.html().is_none()))
    };
    std::iter::successors(tree.before(number), |at| tree.before(*at)).take(2).any(is_whole)
}

/// The element that follows, white space between them left out.
fn following(tree: &Tree, number: usize) -> Option<usize> {
    let is_space = |at: &usize| matches!(tree.kind(*at), Kind::Text(text) if text.trim().is_empty());
    std::iter::successors(tree.after(number), |at| tree.after(*at)).find(|at| !is_space(at))
}

fn is_followed_by_formula(tree: &Tree, number: usize) -> bool {
    following(tree, number)
        .and_then(|at| tree.element(at))
        .is_some_and(|element| is_rendered(element) || is_source(element))
}

fn is_source(element: &Element) -> bool {
    element.html() == Some("script") && element.value("type").is_some_and(|kind| kind.trim_start().starts_with("math/"))
}

/// What MathJax made of a formula: the formula itself where it was left for screen readers, or what its drawing says.
fn settle_rendered(tree: &mut Tree, number: usize) {
    // The outermost element that it wrote was looked at, with all that is in it.
    if tree.ancestors(number).filter_map(|at| tree.element(at)).any(|outer| is_rendered(outer) || is_container(outer)) {
        return;
    }
    let formula = formula_in(tree, number).or_else(|| drawn(tree, number));
    let Some(formula) = formula else { return };
    // Its source stands behind it.
    if let Some(source) = following(tree, number).filter(|at| tree.element(*at).is_some_and(is_source)) {
        tree.detach(source);
    }
    tree.replace(number, formula);
}

/// The source of a formula that a script was to draw, as such sources are written in texts.
fn settle_source(tree: &mut Tree, number: usize) {
    let Some(kind) =
        tree.element(number).filter(|element| is_source(element)).and_then(|element| element.value("type"))
    else {
        return;
    };
    let is_display = kind.contains("mode=display");
    let is_tex = kind.trim_start().starts_with("math/tex");
    let source = tree.text(number);
    let source = source.trim().trim_start_matches("% <![CDATA[").trim_end_matches("%]]>").trim();
    match (is_tex, is_display) {
        _ if kind.contains("mml") || source.is_empty() => tree.detach(number),
        (true, true) => tree.replace_by_text(number, &format!("\\[{source}\\]")),
        (true, false) => tree.replace_by_text(number, &format!("\\({source}\\)")),
        (false, _) => tree.replace_by_text(number, &format!("`{source}`")),
    }
}

/// What KaTeX lays one above the other for its style sheet, where it wrote nothing else: from above, as it is read, with a stroke
/// where a fraction has its line.
fn settle_stack(tree: &mut Tree, number: usize) {
    let height = |at: usize| {
        let style = tree.element(at)?.value("style")?;
        property(style, "top")?.trim_end_matches("em").parse::<f64>().ok()
    };
    let mut rows: Vec<(f64, usize)> = tree.children(number).filter_map(|at| Some((height(at)?, at))).collect();
    rows.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    for (_, row) in rows {
        let is_line =
            tree.inside(row).take(3).any(|at| tree.element(at).is_some_and(|element| element.is_of("frac-line")));
        tree.detach(row);
        let row = if is_line { tree.add_text("/") } else { row };
        tree.link(number, None, row);
    }
}

/// The formula that MathJax drew in a node; `None` when the drawing does not say what it shows.
fn drawn(tree: &mut Tree, number: usize) -> Option<usize> {
    let math = add_part(tree, "math");
    read_drawn(tree, number, math, DEEPEST);
    (!tree.text(math).is_empty()).then_some(math)
}

fn read_drawn(tree: &mut Tree, from: usize, into: usize, depth: usize) {
    let children: Vec<usize> = if depth == 0 { Vec::new() } else { tree.children(from).collect() };
    for child in children {
        let text = match tree.kind(child) {
            Kind::Bare => None,
            Kind::Text(text) => Some(text.trim().to_owned()),
            Kind::Element(element) => letter_of(element),
        };
        if let Some(text) = text {
            let text = tree.add_text(&text);
            tree.link(into, None, text);
            continue;
        }
        let Some(part) = tree.element(child).map(part_of) else { continue };
        match part {
            Some(name) if name != "math" => {
                let part = add_part(tree, &name);
                read_drawn(tree, child, part, depth - 1);
                // The sign of a root is drawn; in the formula the element says it.
                let is_root = matches!(&*name, "mo") && tree.text(part) == "√";
                if !is_root {
                    tree.link(into, None, part);
                }
                if matches!(&*name, "msubsup" | "munderover") {
                    // The upper one is drawn first.
                    if let Some(last) = tree.last(part).filter(|_| tree.children(part).count() == 3)
                        && let Some(middle) = tree.before(last)
                    {
                        tree.link(part, Some(middle), last);
                    }
                }
            }
            _ => read_drawn(tree, child, into, depth - 1),
        }
    }
}

/// What part of a formula an element draws.
fn part_of(element: &Element) -> Option<String> {
    let name = element.value("data-mml-node").or_else(|| element.html()?.strip_prefix("mjx-"))?;
    let name = if name == "TeXAtom" { "mrow" } else { name };
    rules::is_formula_part(name).then(|| name.to_owned())
}

/// The letter that an element draws. Slanted ones are letters: the element around them says that they are slanted.
fn letter_of(element: &Element) -> Option<String> {
    let of_class = || {
        let classes = element.value("class").filter(|_| element.html() == Some("mjx-c"))?;
        classes.split_ascii_whitespace().find_map(|class| class.strip_prefix("mjx-c"))
    };
    let letter = char::from_u32(u32::from_str_radix(element.value("data-c").or_else(of_class)?, 16).ok()?)?;
    let is_styled = matches!(letter, '\u{1d400}'..='\u{1d7ff}');
    Some(if is_styled { letter.nfkc().collect() } else { letter.to_string() })
}

/// A drawing goes, and what is written in it stays.
fn settle_drawing(tree: &mut Tree, number: usize) {
    let is_text =
        |at: usize| tree.element(at).is_some_and(|element| matches!(&*element.name.local, "text" | "foreignObject"));
    let mut words = String::new();
    let mut next = tree.first(number);
    while let Some(at) = next {
        next = if is_text(at) { tree.next_beside(at, number) } else { tree.next(at, number) };
        if is_text(at) {
            words.push(' ');
            words.push_str(&tree.text(at));
        }
    }
    let words = text::fold_space(&words);
    if words.is_empty() {
        tree.detach(number);
    } else {
        tree.replace_by_text(number, &format!(" {words} "));
    }
}

#[cfg(test)]
mod tests {
    fn check(fragment: &str, expected: &str) {
        assert_eq!(crate::sanitise::html(fragment, None), expected, "{fragment}");
    }

    const FORMULA: &str = "<math><mfrac><mi>p</mi><mi>q</mi></mfrac></math>";

    #[test]
    fn a_formula_stays_one_without_what_says_it_again() {
        check(&format!("So {FORMULA} holds."), &format!("So {FORMULA} holds."));
        check(
            "<math xmlns=\"x\" display=\"block\" class=\"a\"><semantics><mrow><mi mathvariant=\"bold\">p</mi></mrow><annotation encoding=\"application/x-tex\">p</annotation><annotation-xml encoding=\"text/html\"><b>p</b></annotation-xml></semantics></math>",
            "<math display=\"block\"><mrow><mi mathvariant=\"bold\">p</mi></mrow></math>",
        );
        check("<m:math><m:mi>p</m:mi><m:annotation>p</m:annotation></m:math>", "p");
        check("<math><maction><mi>p</mi><mi>q</mi></maction></math>", "<math><mi>p</mi></math>");
        check(
            "<math><mfenced><mi>p</mi><mi>q</mi></mfenced></math>",
            "<math><mrow><mo>(</mo><mi>p</mi><mo>,</mo><mi>q</mi><mo>)</mo></mrow></math>",
        );
    }

    #[test]
    fn what_leads_out_of_a_formula_is_its_text() {
        check("<math><mtext>a<b>c</b></mtext></math>", "<math><mtext>ac</mtext></math>");
        check("<math><mtext><script>x()</script><img src=x>y</mtext></math>", "<math><mtext>y</mtext></math>");
        check("<math href=\"javascript:x()\"><mi onclick=\"x()\" style=\"a\">x</mi></math>", "<math><mi>x</mi></math>");
        check(
            "<math><mglyph><style><a title=\"</style><img src=x onerror=x()>\"></style></mglyph>y</math>",
            "<math>y</math>",
        );
        check("<mi>x</mi><p>a<mo>b</mo></p>", "x<p>ab</p>");
    }

    #[test]
    fn katex_is_its_formula() {
        let layer = "<span class=\"katex-html\" aria-hidden=\"true\"><span>q</span><span>p</span></span>";
        check(
            &format!("<span class=\"katex\"><span class=\"katex-mathml\">{FORMULA}</span>{layer}</span>."),
            &format!("{FORMULA}."),
        );
        check(&format!("<span class=\"katex\">{FORMULA}{layer}</span>"), FORMULA);
        check(&format!("<span class=\"katex\">{layer}</span>"), "qp");
        check(&format!("<span class=\"katex\"><span class=\"katex-mathml\"></span>{layer}</span>"), "qp");
        let row = |top: &str, inner: &str| format!("<span style=\"top:{top}em;\"><span>{inner}</span></span>");
        let stack = [row("-2.3", "q"), row("-3.2", "<span class=\"frac-line\"></span>"), row("-3.7", "p")].concat();
        check(&format!("<span class=\"katex-html\"><span class=\"vlist\">{stack}</span></span>"), "p/q");
    }

    #[test]
    fn what_mathjax_made_is_its_formula() {
        check(
            &format!("<mjx-container><svg><g/></svg><mjx-assistive-mml>{FORMULA}</mjx-assistive-mml></mjx-container>"),
            FORMULA,
        );
        check(
            &format!(
                "a <span class=\"MathJax_Preview\">p/q</span><span class=\"MathJax\"><nobr aria-hidden=\"true\">q p</nobr><span class=\"MJX_Assistive_MathML\">{FORMULA}</span></span><script type=\"math/tex\">\\frac pq</script> b"
            ),
            &format!("a {FORMULA} b"),
        );
        check(
            "<mjx-container><mjx-math><mjx-msup><mjx-mi><mjx-c class=\"mjx-c1D465 TEX-I\"></mjx-c></mjx-mi><mjx-script><mjx-mn><mjx-c class=\"mjx-c32\"></mjx-c></mjx-mn></mjx-script></mjx-msup></mjx-math></mjx-container>",
            "<math><msup><mi>x</mi><mn>2</mn></msup></math>",
        );
    }

    #[test]
    fn a_drawn_formula_is_read_from_its_drawing() {
        let draw = |name: &str, inner: &str| format!("<g data-mml-node=\"{name}\">{inner}</g>");
        let letter = |code: &str| format!("<path data-c=\"{code}\" d=\"M0\"></path>");
        let check_drawn = |inner: &str, expected: &str| {
            check(
                &format!("a <mjx-container jax=\"SVG\"><svg><g>{}</g></svg></mjx-container> b", draw("math", inner)),
                &format!("a <math>{expected}</math> b"),
            );
        };
        let (x, n, one) = (draw("mi", &letter("1D465")), draw("mi", &letter("1D45B")), draw("mn", &letter("31")));
        check_drawn(&draw("mfrac", &format!("<g>{x}</g><g>{n}</g><rect/>")), "<mfrac><mi>x</mi><mi>n</mi></mfrac>");
        check_drawn(&draw("msubsup", &format!("{x}{one}{n}")), "<msubsup><mi>x</mi><mi>n</mi><mn>1</mn></msubsup>");
        check_drawn(
            &draw("msqrt", &format!("<g>{x}</g>{}<rect/>", draw("mo", &letter("221A")))),
            "<msqrt><mi>x</mi></msqrt>",
        );
        check_drawn(&draw("TeXAtom", &draw("mtext", "<text>词</text>")), "<mrow><mtext>词</mtext></mrow>");
    }

    #[test]
    fn a_source_that_nobody_drew_is_shown() {
        check("a <script type=\"math/tex\">E &lt; mc^2</script> b", "a \\(E &amp;lt; mc^2\\) b");
        check("<script type=\"math/tex; mode=display\">% <![CDATA[\nx<y %]]></script>", "\\[x&lt;y\\]");
        check("<script type=\"math/asciimath\">x/y</script>", "`x/y`");
        check("a<script type=\"text/javascript\">x()</script><script>math/tex</script>", "a");
    }

    #[test]
    fn a_drawing_costs_itself_and_its_words_stay() {
        check("a<svg><rect width=\"1\"/><path d=\"M0\"/></svg>b", "ab");
        check(
            "<p>a<svg><title>no</title><style>no</style><g><text>Rain</text><text>by <tspan>month</tspan></text></g></svg>b</p>",
            "<p>a Rain by month b</p>",
        );
        let chart = format!("<p>a</p><svg>{}</svg><p>b</p>", "<rect x='1' y='2'/>".repeat(30_000));
        check(&chart, "<p>a</p><p>b</p>");
    }
}
