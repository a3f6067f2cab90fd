//! The elements of HTML, as far as it matters what becomes of their words.
//!
//! Pure.

use std::sync::LazyLock;

/// What an element does with its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// Shows them.
    Plain,
    /// Shows them, and needs no end tag.
    Optional,
    /// Breaks the line, and has none.
    Break,
    /// Has none.
    Void,
    /// Does not show them as words of the text; without an end it takes all that follows.
    Hiding,
    /// Holds no words.
    Raw,
    /// Is so rarely written that who writes its name more likely writes about it.
    Rare,
}

/// The element of this name; `None` when HTML has none and never had.
#[must_use]
pub fn of(name: &str) -> Option<Element> {
    let name = packed(name)?;
    let at = BY_NAME.binary_search_by_key(&name, |(known, _)| *known).ok()?;
    BY_NAME.get(at).map(|(_, element)| *element)
}

/// [`ELEMENTS`] in the order of their packed names: every tag of every text is looked up.
static BY_NAME: LazyLock<Vec<(u128, Element)>> = LazyLock::new(|| {
    let named = |(element, names): &(Element, &[&str])| {
        names.iter().filter_map(|name| Some((packed(name)?, *element))).collect::<Vec<_>>()
    };
    let mut all: Vec<(u128, Element)> = ELEMENTS.iter().flat_map(named).collect();
    all.sort_unstable_by_key(|(name, _)| *name);
    all
});

/// A name in lower case as one number, which is compared at once; `None` when it is longer than that of any element.
fn packed(name: &str) -> Option<u128> {
    let mut bytes = [0; 16];
    bytes.get_mut(1..=name.len())?.copy_from_slice(name.as_bytes());
    bytes.make_ascii_lowercase();
    // The length tells a name from one that ends with a zero.
    bytes[0] = u8::try_from(name.len()).ok()?;
    Some(u128::from_be_bytes(bytes))
}

/// Whether HTML's element of this name has no end tag.
#[must_use]
pub fn is_void(name: &str) -> bool {
    matches!(of(name), Some(Element::Void | Element::Break))
}

/// Whether HTML has an attribute of this name that is written without a value.
#[must_use]
pub fn is_bare_attribute(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    BARE.contains(&name.as_str()) || name.starts_with("data-") || name.starts_with("aria-")
}

/// Whether a word is the beginning of the name of an attribute that is met often.
#[must_use]
pub fn begins_an_attribute(word: &str) -> bool {
    const USUAL: &[&str] = &[
        "align", "alt", "bgcolor", "border", "class", "colspan", "data-", "height", "href", "id", "loading", "name",
        "rel", "rowspan", "sizes", "src", "srcset", "style", "target", "title", "type", "valign", "value", "width",
    ];
    !word.is_empty() && USUAL.iter().any(|name| name.starts_with(word))
}

const ELEMENTS: &[(Element, &[&str])] = &[
    (
        Element::Plain,
        &[
            "a",
            "b",
            "i",
            "em",
            "strong",
            "span",
            "div",
            "ul",
            "ol",
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "code",
            "pre",
            "blockquote",
            "u",
            "s",
            "q",
            "small",
            "sub",
            "sup",
            "font",
            "table",
            "figure",
            "figcaption",
            "abbr",
            "acronym",
            "address",
            "article",
            "aside",
            "audio",
            "bdi",
            "bdo",
            "big",
            "blink",
            "body",
            "button",
            "canvas",
            "center",
            "cite",
            "data",
            "del",
            "details",
            "dfn",
            "dir",
            "dl",
            "fieldset",
            "footer",
            "form",
            "header",
            "html",
            "ins",
            "kbd",
            "label",
            "legend",
            "main",
            "map",
            "mark",
            "marquee",
            "meter",
            "nav",
            "nobr",
            "picture",
            "ruby",
            "samp",
            "section",
            "strike",
            "summary",
            "time",
            "tt",
            "var",
            "video",
        ],
    ),
    (
        Element::Optional,
        &[
            "p", "li", "td", "tr", "th", "dd", "dt", "tbody", "thead", "tfoot", "colgroup", "caption", "rp", "rt",
            "option", "optgroup",
        ],
    ),
    (Element::Break, &["br", "wbr"]),
    (
        Element::Void,
        &["img", "hr", "input", "link", "meta", "source", "area", "base", "col", "embed", "frame", "param", "track"],
    ),
    (
        Element::Hiding,
        &[
            "select",
            "textarea",
            "head",
            "object",
            "noscript",
            "iframe",
            "svg",
            "math",
            "template",
            "title",
            "datalist",
            "frameset",
            "noembed",
            "noframes",
            "plaintext",
            "xmp",
        ],
    ),
    (Element::Raw, &["script", "style"]),
    (
        Element::Rare,
        &[
            "applet", "basefont", "bgsound", "command", "content", "dialog", "hgroup", "isindex", "keygen", "listing",
            "menu", "menuitem", "multicol", "nextid", "noindex", "output", "portal", "progress", "rb", "rtc", "search",
            "slot", "spacer",
        ],
    ),
];

const BARE: &[&str] = &[
    "allowfullscreen",
    "async",
    "autofocus",
    "autoplay",
    "border",
    "checked",
    "compact",
    "controls",
    "crossorigin",
    "declare",
    "default",
    "defer",
    "disabled",
    "download",
    "formnovalidate",
    "frameborder",
    "hidden",
    "inert",
    "ismap",
    "itemscope",
    "loop",
    "mozallowfullscreen",
    "multiple",
    "muted",
    "nohref",
    "nomodule",
    "noresize",
    "noshade",
    "novalidate",
    "nowrap",
    "open",
    "playsinline",
    "readonly",
    "required",
    "reversed",
    "scoped",
    "seamless",
    "selected",
    "typemustmatch",
    "webkitallowfullscreen",
    "alt",
    "title",
    "class",
    "id",
    "href",
    "src",
    "style",
    "target",
    "rel",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_any_case_and_once() {
        assert_eq!(of("BR"), Some(Element::Break));
        assert_eq!((of("foo"), of(&"a".repeat(20)), of(""), of("p\0")), (None, None, None, None));
        assert!(is_void("wbr") && is_void("IMG") && !is_void("p"));
        let names: Vec<&str> = ELEMENTS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        for name in &names {
            assert_eq!(names.iter().filter(|other| *other == name).count(), 1, "{name}");
        }
    }
}
