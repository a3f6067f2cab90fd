//! What may stay: elements, attributes, addresses.
//!
//! Pure. Ammonia's own list, less what would let an entry restyle or reach out of its place, and with the elements of formulas.
//! Everything else here decides how a text is best shown; whether it is harmless is decided here alone.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use ammonia::{Builder, UrlRelative};

use crate::net::LONGEST_ADDRESS;

/// What links of a text may lead to: another place to read, to write to, or to fetch from.
pub(super) const LINKED: &[&str] = &[
    "http",
    "https",
    "bitcoin",
    "doi",
    "ftp",
    "gemini",
    "geo",
    "gopher",
    "im",
    "ipfs",
    "irc",
    "ircs",
    "magnet",
    "mailto",
    "matrix",
    "mms",
    "news",
    "nntp",
    "openpgp4fpr",
    "sip",
    "sips",
    "sms",
    "smsto",
    "tel",
    "webcal",
    "xmpp",
];

/// The markup without anything that could do harm. A paragraph is parted by a block that stands in it; what is left of it
/// without a word goes.
pub(super) fn clean(markup: &str) -> String {
    let clean = RULES.clean(markup).to_string();
    let clean = if clean.contains(EMPTY_PARAGRAPH) { clean.replace(EMPTY_PARAGRAPH, "") } else { clean };
    if clean.contains("<pre") { with_first_lines(&clean) } else { clean }
}

/// The markup with one more line break where preformatted text begins with one: the first one is the tag's (HTML §13.1.2.5).
fn with_first_lines(markup: &str) -> String {
    let mut kept = String::with_capacity(markup.len());
    for (number, part) in markup.split("<pre").enumerate() {
        let (tag, text) = if number == 0 { ("", part) } else { part.split_at(part.find('>').map_or(0, |end| end + 1)) };
        kept.push_str(if number == 0 { "" } else { "<pre" });
        kept.push_str(tag);
        kept.push_str(if text.starts_with('\n') && !tag.is_empty() { "\n" } else { "" });
        kept.push_str(text);
    }
    kept
}

const EMPTY_PARAGRAPH: &str = "<p></p>";

/// Whether an element of HTML may stay.
pub(super) fn is_element(name: &str) -> bool {
    KEPT.elements.contains(name) && !is_formula_part(name)
}

/// Whether an attribute of an element may stay.
pub(super) fn is_attribute(element: &str, name: &str) -> bool {
    KEPT.everywhere.contains(name) || KEPT.attributes.get(element).is_some_and(|known| known.contains(name))
}

/// Whether an attribute says how an element of HTML is best shown. Those that may not stay are looked at and go.
pub(super) fn is_looked_at(element: &str, name: &str) -> bool {
    let may_hold_an_address = || name.starts_with("data-") || name.contains("src");
    LOOKED_AT.contains(&name) || (matches!(element, "img" | "source") && may_hold_an_address())
}

/// Whether an element of MathML may stay. Those that lead out of it, run or load something are not among them.
pub(super) fn is_formula_part(name: &str) -> bool {
    FORMULA_PARTS.contains(&name)
}

/// The element that shows what one that may not stay holds.
pub(super) fn stand_in(name: &str) -> Option<&'static str> {
    Some(match name {
        "address" | "center" | "dialog" | "fieldset" | "form" | "frameset" | "legend" | "main" | "optgroup"
        | "option" | "search" | "section" | "select" | "title" => "div",
        "dir" | "menu" => "ul",
        "listing" | "plaintext" | "textarea" | "xmp" => "pre",
        _ => return None,
    })
}

/// What [`RULES`] let stay.
struct Kept {
    elements: HashSet<&'static str>,
    everywhere: HashSet<&'static str>,
    attributes: HashMap<&'static str, HashSet<&'static str>>,
}

static KEPT: LazyLock<Kept> = LazyLock::new(|| Kept {
    elements: RULES.clone_tags(),
    everywhere: RULES.clone_generic_attributes(),
    attributes: RULES.clone_tag_attributes(),
});

static RULES: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut rules = Builder::default();
    rules
        .url_schemes(LINKED.iter().copied().collect())
        .rm_tags(["map", "area", "center"])
        .add_tags(["picture", "source", "audio", "video", "figure", "figcaption", "tfoot"])
        .add_tags(FORMULA_PARTS.iter().copied())
        // The direction of a text is part of it (HTML §3.2.6.4). Ids are those that links of the text lead to (`fragments`).
        .add_generic_attributes(["dir", "id"])
        .add_tag_attributes("audio", ["src", "controls", "preload"])
        .add_tag_attributes("video", ["src", "poster", "controls", "preload", "width", "height"])
        .add_tag_attributes("source", ["src", "srcset", "type", "media", "sizes"])
        .add_tag_attributes("img", ["srcset", "sizes"])
        .add_tag_attributes("details", ["open"])
        .add_tag_attributes("ol", ["reversed", "type"])
        .add_tag_attributes("li", ["value"])
        .add_tag_attributes("time", ["datetime"])
        .rm_tag_attributes("img", ["align"])
        .clean_content_tags(HashSet::from(["script", "style", "template", "noembed", "noframes", "xmp", "plaintext"]))
        .url_relative(UrlRelative::Custom(Box::new(in_the_text)))
        .attribute_filter(|_, attribute, value| match attribute {
            "href" | "src" if value.len() > LONGEST_ADDRESS => None,
            "dir" => Some(Cow::Borrowed(value)).filter(|value| matches!(&**value, "ltr" | "rtl" | "auto")),
            _ => Some(Cow::Borrowed(value)),
        })
        .link_rel(Some("noopener noreferrer nofollow"));
    for name in FORMULA_PARTS {
        rules.add_tag_attributes(*name, FORMULA_ATTRIBUTES.iter().copied());
    }
    rules
});

/// All other addresses are absolute by now.
fn in_the_text(address: &str) -> Option<Cow<'_, str>> {
    address.starts_with('#').then_some(Cow::Borrowed(address))
}

/// MathML Core, and what older formulas are written with.
const FORMULA_PARTS: &[&str] = &[
    "math",
    "menclose",
    "merror",
    "mfrac",
    "mi",
    "mmultiscripts",
    "mn",
    "mo",
    "mover",
    "mpadded",
    "mphantom",
    "mprescripts",
    "mroot",
    "mrow",
    "ms",
    "mspace",
    "msqrt",
    "mstyle",
    "msub",
    "msubsup",
    "msup",
    "mtable",
    "mtd",
    "mtext",
    "mtr",
    "munder",
    "munderover",
    "none",
];

const FORMULA_ATTRIBUTES: &[&str] = &[
    "accent",
    "accentunder",
    "columnalign",
    "columnspan",
    "depth",
    "display",
    "displaystyle",
    "fence",
    "form",
    "height",
    "largeop",
    "linethickness",
    "lspace",
    "mathvariant",
    "maxsize",
    "minsize",
    "movablelimits",
    "notation",
    "rowspan",
    "rspace",
    "scriptlevel",
    "separator",
    "stretchy",
    "symmetric",
    "voffset",
    "width",
];

const LOOKED_AT: &[&str] = &[
    "alt",
    "aria-hidden",
    "checked",
    "class",
    "data",
    "data-actualsrc",
    "data-full-src",
    "data-hi-res-src",
    "data-image",
    "data-large-file",
    "data-lazy",
    "data-lazy-src",
    "data-lazy-srcset",
    "data-lazyload",
    "data-orig-file",
    "data-original",
    "data-original-src",
    "data-src",
    "data-srcset",
    "data-url",
    "data-videoid",
    "height",
    "hidden",
    "href",
    "id",
    "layout",
    "name",
    "poster",
    "src",
    "srcset",
    "style",
    "type",
    "url",
    "value",
    "videoid",
    "width",
    "xml:base",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_runs_or_restyles_may_stay() {
        for name in ["script", "style", "iframe", "object", "embed", "form", "input", "svg", "base", "meta", "link"] {
            assert!(!is_element(name), "{name}");
        }
        for name in ["annotation", "annotation-xml", "maction", "mglyph", "malignmark", "semantics", "svg", "script"] {
            assert!(!is_formula_part(name), "{name}");
        }
        for name in ["style", "class", "onclick", "background", "action", "data-src", "xlink:href"] {
            assert!(!is_attribute("p", name) && !is_attribute("math", name) && !is_attribute("mi", name), "{name}");
        }
        assert!(!is_attribute("math", "href") && is_attribute("a", "href") && is_attribute("math", "display"));
    }

    #[test]
    fn the_rules_hold_by_themselves() {
        let check = |markup: &str, expected: &str| assert_eq!(clean(markup), expected, "{markup}");
        check("<p onclick=\"x()\" style=\"a\" class=\"b\">a<script>x()</script></p>", "<p>a</p>");
        check("<a href=\"javascript:x()\">a</a>", "<a rel=\"noopener noreferrer nofollow\">a</a>");
        check("<a href=\"/relative\">a</a>", "<a rel=\"noopener noreferrer nofollow\">a</a>");
        check("<p dir=\"rtl\">a</p><p dir=\"x\">b</p>", "<p dir=\"rtl\">a</p><p>b</p>");
        check("<math href=\"https://a.example/\"><mi>x</mi></math>", "<math><mi>x</mi></math>");
        check("<math><mtext><style><img src=x onerror=x()></style></mtext></math>", "<math><mtext></mtext></math>");
    }
}
