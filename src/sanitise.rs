//! A publisher's markup made safe to show under our own name.
//!
//! Pure. Everything that is published or shown passes here; what is stored stays as it came, so a better sanitiser also
//! cleans what is already stored. The work is linear in the fragment: what could make a browser's parser work more than
//! that (deep nesting, formatting that is opened and never closed) is shown as plain text.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::LazyLock;

use ammonia::{Builder, UrlRelative};
use memchr::{memchr, memchr_iter};
use url::Url;

use crate::normalise::text;

/// The deepest nesting of elements that is kept.
const DEEPEST: usize = 200;
/// The most elements like `b` and `a` that may be open at a time: a browser opens all of them anew in every paragraph.
const MOST_FORMATTING: usize = 24;
/// The most references to characters: their number in one text costs its square.
const MOST_REFERENCES: usize = 10_000;
/// The most tags of a fragment with a table: what stands in a table and not in a cell is moved before it, one by one.
const MOST_TAGS_WITH_TABLE: usize = 20_000;
/// Wrappers that show nothing when they hold nothing.
const WRAPPERS: &[&str] = &[
    "p",
    "div",
    "span",
    "a",
    "b",
    "i",
    "em",
    "strong",
    "u",
    "small",
    "center",
    "figure",
    "figcaption",
    "picture",
    "ul",
    "ol",
    "li",
    "blockquote",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
];

thread_local! {
    /// What the addresses of the fragment in work are resolved against: the rules are built once, the base differs.
    static BASE: RefCell<Option<Url>> = const { RefCell::new(None) };
}

/// The fragment with only harmless elements and attributes left, and every address absolute.
///
/// Relative addresses are resolved against `base`; without one they are taken out. Scripts, styles, forms, frames, event
/// handlers, classes and ids are gone, and links lead only to `http`, `https` and `mailto`. So are pictures that only
/// count readers, and elements that hold nothing.
#[must_use]
pub fn html(fragment: &str, base: Option<&Url>) -> String {
    if !fragment.contains(['<', '&']) {
        return without_overrides(&escape(fragment.trim()));
    }
    let fragment = text::before_endless_tag(fragment);
    if is_hostile(fragment) {
        return without_overrides(&escape(&text::plain(fragment)));
    }
    BASE.with(|slot| {
        let mut held = slot.borrow_mut();
        if held.as_ref() != base {
            *held = base.cloned();
        }
    });
    let clean = RULES.clean(fragment).to_string();
    without_overrides(tidy(&clean).trim())
}

/// Plain text on one line, without what could reach out of its place: control characters, and those that turn the direction
/// of all that follows.
#[must_use]
pub fn line(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let folded = text::fold_space(text);
    if folded.contains(turns) { text::fold_space(&folded.replace(turns, "")) } else { folded }
}

/// Markup without the characters that write text in the other direction. Embeddings stay: they end with their paragraph.
fn without_overrides(markup: &str) -> String {
    markup.replace(['\u{202d}', '\u{202e}'], "")
}

/// Whether a browser's parser would do more work on the fragment than its size warrants.
fn is_hostile(fragment: &str) -> bool {
    const FORMATTING: &[&str] =
        &["a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"];
    const VOID: &[&str] =
        &["br", "img", "hr", "input", "meta", "link", "source", "wbr", "col", "area", "embed", "param", "track"];
    // Elements whose end a browser finds by itself, and which therefore do not nest when they are not closed.
    const CLOSED_BY_NEXT: &[&str] = &["p", "li", "td", "tr", "th", "dt", "dd", "option", "tbody", "thead"];
    let bytes = fragment.as_bytes();
    if memchr_iter(b'&', bytes).count() > MOST_REFERENCES {
        return true;
    }
    let (mut depth, mut formatting) = (0_usize, 0_usize);
    let (mut tags, mut has_table) = (0_usize, false);
    for at in memchr_iter(b'<', bytes) {
        let rest = bytes.get(at + 1..).unwrap_or_default();
        let (is_end, rest) = rest.strip_prefix(b"/").map_or((false, rest), |rest| (true, rest));
        let name = rest.get(..rest.len().min(16)).unwrap_or_default();
        let end = name.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(name.len());
        let name = name.get(..end).unwrap_or_default();
        if name.is_empty() {
            continue;
        }
        let is = |names: &[&str]| names.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name));
        let is_formatting = is(FORMATTING);
        tags += 1;
        has_table |= is(&["table"]);
        if has_table && tags > MOST_TAGS_WITH_TABLE {
            return true;
        }
        if is_end {
            depth = depth.saturating_sub(1);
            formatting = formatting.saturating_sub(usize::from(is_formatting));
        } else if !is(VOID) {
            depth += usize::from(!is(CLOSED_BY_NEXT));
            formatting += usize::from(is_formatting);
            if depth > DEEPEST || formatting > MOST_FORMATTING {
                return true;
            }
        }
    }
    false
}

/// Takes out pictures that only count readers, and wrappers that hold nothing.
///
/// `clean` is what ammonia wrote: every tag well formed, every attribute in double quotes, no `<` or `>` but those of tags.
fn tidy(clean: &str) -> String {
    let mut out = String::with_capacity(clean.len());
    // Where each open wrapper began, and its name.
    let mut open: Vec<(usize, &str)> = Vec::new();
    let mut rest = clean;
    while let Some(at) = memchr(b'<', rest.as_bytes()) {
        let (before, tag) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        let end = tag_end(tag);
        let (tag, after) = tag.split_at_checked(end).unwrap_or((tag, ""));
        rest = after;
        let inner = tag.trim_start_matches('<').trim_end_matches('>');
        if let Some(name) = inner.strip_prefix('/') {
            let began = open.pop_if(|(_, opened)| *opened == name);
            match began {
                Some((from, _)) if WRAPPERS.contains(&name) && holds_nothing(out.get(from..).unwrap_or_default()) => {
                    out.truncate(from);
                }
                _ => out.push_str(tag),
            }
            continue;
        }
        let name = inner.split([' ', '\n']).next().unwrap_or_default();
        match name {
            "img" if is_counter(inner) => {}
            "br" | "hr" | "img" | "source" | "wbr" | "col" | "track" => out.push_str(tag),
            _ => {
                open.push((out.len(), name));
                out.push_str(tag);
            }
        }
    }
    out.push_str(rest);
    out
}

/// One past the `>` that ends a tag; one inside a quoted value does not.
fn tag_end(tag: &str) -> usize {
    let mut is_quoted = false;
    for (at, byte) in tag.bytes().enumerate() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'>' if !is_quoted => return at + 1,
            _ => {}
        }
    }
    tag.len()
}

/// Whether an element's opening tag is followed by nothing that shows.
fn holds_nothing(element: &str) -> bool {
    let content = element.get(tag_end(element)..).unwrap_or_default();
    content.chars().all(char::is_whitespace) || matches!(content.trim(), "&nbsp;" | "<br>")
}

/// Whether a picture is there to be fetched rather than seen.
fn is_counter(tag: &str) -> bool {
    const COUNTERS: &[&str] = &[
        "feeds.feedburner.com/~r/",
        "feeds.feedburner.com/~ff/",
        "feedsportal.com/",
        "pixel.wp.com/",
        "stats.wordpress.com/",
        "pixel.quantserve.com/",
        "www.google-analytics.com/",
        "sb.scorecardresearch.com/",
        "b.scorecardresearch.com/",
        "feedads.g.doubleclick.net/",
        "ad.doubleclick.net/",
        "rss-tracking.",
        "/open.aspx?",
        "blogger.googleusercontent.com/tracker/",
        "statcounter.com/",
        "/feed-pixel",
        "/tracking-pixel",
    ];
    let value = |name: &str| {
        let (_, rest) = tag.split_once(name)?;
        rest.strip_prefix("=\"")?.split('"').next()
    };
    let is_tiny = |name: &str| value(name).is_some_and(|size| matches!(size.trim().trim_end_matches("px"), "0" | "1"));
    let source = value(" src").unwrap_or_default();
    source.is_empty() && value(" srcset").is_none() && value(" alt").is_none_or(str::is_empty)
        || (is_tiny(" width") && is_tiny(" height"))
        || COUNTERS.iter().any(|counter| source.contains(counter))
}

/// Plain text as HTML that shows it.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    escape_into(text, &mut escaped);
    escaped
}

/// Appends plain text as HTML that shows it.
pub fn escape_into(text: &str, escaped: &mut String) {
    for piece in text.split_inclusive(['&', '<', '>', '"']) {
        let (plain, special) = match piece.char_indices().next_back() {
            Some((at, c @ ('&' | '<' | '>' | '"'))) => (piece.get(..at).unwrap_or_default(), Some(c)),
            _ => (piece, None),
        };
        escaped.push_str(plain);
        match special {
            Some('&') => escaped.push_str("&amp;"),
            Some('<') => escaped.push_str("&lt;"),
            Some('>') => escaped.push_str("&gt;"),
            Some('"') => escaped.push_str("&quot;"),
            _ => {}
        }
    }
}

/// The address, if a reader may be sent there: absolute, `http` or `https`.
#[must_use]
pub fn web_address(text: &str, base: Option<&Url>) -> Option<Url> {
    let text = text.trim();
    let url = Url::parse(text).or_else(|error| base.ok_or(error)?.join(text)).ok()?;
    matches!(url.scheme(), "http" | "https").then_some(url)
}

static RULES: LazyLock<Builder<'static>> = LazyLock::new(rules);

/// What may stay. Ammonia's own list, less what would let an entry restyle or reach out of its place.
fn rules() -> Builder<'static> {
    let mut rules = Builder::default();
    rules
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .rm_tags(["map", "area"])
        .add_tags(["picture", "source", "audio", "video", "figure", "figcaption"])
        .add_tag_attributes("audio", ["src", "controls", "preload"])
        .add_tag_attributes("video", ["src", "poster", "controls", "preload", "width", "height"])
        .add_tag_attributes("source", ["src", "srcset", "type", "media", "sizes"])
        .add_tag_attributes("img", ["srcset", "sizes"])
        .rm_tag_attributes("img", ["align"])
        .clean_content_tags(HashSet::from(["script", "style", "template", "noembed", "noframes", "xmp", "plaintext"]))
        .url_relative(UrlRelative::Custom(Box::new(absolute)))
        .attribute_filter(|_, attribute, value| match attribute {
            "srcset" => candidates(value).map(Cow::Owned),
            // Ammonia does not know it for an address.
            "poster" => web(value).map(Cow::Owned),
            _ => Some(Cow::Borrowed(value)),
        })
        .link_rel(Some("noopener noreferrer nofollow"));
    rules
}

/// A relative address, resolved; `None` without a base, or where it leads out of the web.
fn absolute(address: &str) -> Option<Cow<'_, str>> {
    BASE.with(|base| {
        let base = base.borrow();
        let url = base.as_ref()?.join(address).ok()?;
        matches!(url.scheme(), "http" | "https" | "mailto").then(|| Cow::Owned(url.into()))
    })
}

fn web(address: &str) -> Option<String> {
    BASE.with(|base| web_address(address, base.borrow().as_ref()).map(Into::into))
}

/// The candidates of a `srcset` with absolute addresses; `None` when none is left.
///
/// An address ends at white space, so a comma inside it stays (HTML §4.8.4.2.1).
fn candidates(srcset: &str) -> Option<String> {
    let mut kept: Vec<String> = Vec::new();
    let mut rest = srcset.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
    while !rest.is_empty() && kept.len() < 64 {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (address, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let has_descriptor = !address.ends_with(',');
        let address = address.trim_end_matches(',');
        let (descriptor, after) =
            if has_descriptor { after.split_once(',').unwrap_or((after, "")) } else { ("", after) };
        let is_descriptor =
            descriptor.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'w' | 'x' | 'h') || c.is_whitespace());
        if let Some(url) = web(address).filter(|_| is_descriptor) {
            let descriptor = descriptor.trim();
            kept.push(if descriptor.is_empty() { url } else { format!("{url} {descriptor}") });
        }
        rest = after.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
    }
    (!kept.is_empty()).then(|| kept.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(fragment: &str, expected: &str) {
        let base = Url::parse("https://example.org/a/b").unwrap();
        assert_eq!(html(fragment, Some(&base)), expected, "{fragment}");
    }

    #[test]
    fn what_runs_or_restyles_is_taken_out() {
        check("<p onclick=\"x()\">a<script>x()</script></p>", "<p>a</p>");
        check("<style>p{}</style><p style=\"position:fixed\" class=\"c\" id=\"i\">a</p>", "<p>a</p>");
        check("<a href=\"javascript:x()\">a</a>", "<a rel=\"noopener noreferrer nofollow\">a</a>");
        check("<a href=\"data:text/html,x\">a</a>", "<a rel=\"noopener noreferrer nofollow\">a</a>");
        check("<form action=\"/x\"><input></form><iframe src=\"https://x.example\"></iframe>", "");
        check("</div></body></html><p>a", "<p>a</p>");
        // An attribute that leaves its quotes, as one parser's rebuilt XHTML does.
        check(
            "<img alt=\"\" onerror=\"alert(1)\" src=\"https://example.org/i.png\">",
            "<img alt=\"\" src=\"https://example.org/i.png\">",
        );
    }

    #[test]
    fn addresses_become_absolute() {
        check("<img src=\"i.png\">", "<img src=\"https://example.org/a/i.png\">");
        check("<a href=\"/x\">x</a>", "<a href=\"https://example.org/x\" rel=\"noopener noreferrer nofollow\">x</a>");
        assert_eq!(html("<img src=\"i.png\" alt=\"i\">", None), "<img alt=\"i\">");
    }

    #[test]
    fn every_kind_of_address_becomes_absolute() {
        check(
            "<img src=\"i.png\" srcset=\"i.png 1x, /j,k.png 2x,javascript:x() 3x\">",
            "<img src=\"https://example.org/a/i.png\" srcset=\"https://example.org/a/i.png 1x, https://example.org/j,k.png 2x\">",
        );
        check(
            "<video poster=\"p.png\" src=\"v.mp4\"></video>",
            "<video poster=\"https://example.org/a/p.png\" src=\"https://example.org/a/v.mp4\"></video>",
        );
        check("<video poster=\"javascript:x()\">v</video>", "<video>v</video>");
        check(
            "<a href=\"#f\">a</a>",
            "<a href=\"https://example.org/a/b#f\" rel=\"noopener noreferrer nofollow\">a</a>",
        );
    }

    #[test]
    fn what_only_counts_readers_is_taken_out() {
        check("a<img src=\"https://example.org/p.gif\" width=\"1\" height=\"1\">", "a");
        check("a<img src=\"http://feeds.feedburner.com/~r/x/~4/y\">", "a");
        check(
            "<p><a href=\"https://example.org/\"><img width=\"1\" height=\"1\" src=\"https://t.example/\"></a></p>b",
            "b",
        );
    }

    #[test]
    fn wrappers_that_hold_nothing_are_taken_out() {
        check("<div><p> </p><p>&nbsp;</p><span></span></div><p>a</p>", "<p>a</p>");
        check(
            "<table><tbody><tr><td></td><td>a</td></tr></tbody></table>",
            "<table><tbody><tr><td></td><td>a</td></tr></tbody></table>",
        );
        check("<p>a > \"b\" &lt; c</p>", "<p>a &gt; \"b\" &lt; c</p>");
    }

    #[test]
    fn what_would_make_a_parser_labour_is_plain_text() {
        let deep = format!("{}deep", "<div>".repeat(10_000));
        check(&deep, "deep");
        let unclosed = format!("{}{}", "<font size=1><i>".repeat(1_000), "<p>a".repeat(1_000));
        assert!(html(&unclosed, None).len() < 10_000);
    }

    #[test]
    fn plain_text_is_escaped() {
        assert_eq!(html("a \"quoted\" text", None), "a &quot;quoted&quot; text");
        assert_eq!(html("1 < 2 & 3", None), "1 &lt; 2 &amp; 3");
    }

    #[test]
    fn only_the_web_is_linked_to() {
        assert_eq!(web_address("javascript:x()", None), None);
        assert_eq!(web_address("/a", None), None);
        let base = Url::parse("https://example.org/").unwrap();
        assert_eq!(web_address("/a", Some(&base)).unwrap().as_str(), "https://example.org/a");
    }

    proptest! {
        // Not for links inside tables, which a browser's parser moves about anew each time.
        #[test]
        fn sanitising_twice_is_sanitising_once(fragment in "(<(a|p|b|img|div|/p|/b|/div|br|blockquote|li|!--)( (href|src|title)=\"[a-z:/\"'<>]{0,8}\")?/?>|[a-z&;<> ]{0,6}){0,12}") {
            let once = html(&fragment, None);
            prop_assert_eq!(html(&once, None), once);
        }

        #[test]
        fn nothing_that_runs_is_left(fragment in "(<(script|img|svg|math|a|style|title|iframe)( (onerror|src|href)=(\"|')?(javascript:)?[a-z]{0,4}(\"|')?)?>|</(script|svg|math|style|title)>|<!--|-->|[a-z<>]{0,4}){0,12}") {
            let clean = html(&fragment, None).to_lowercase();
            for tag in clean.split('<').skip(1).filter_map(|piece| piece.split('>').next()) {
                for mark in ["script", "style", "iframe", "svg", " onerror=", "\"javascript:"] {
                    prop_assert!(!tag.contains(mark), "{} in {}", mark, clean);
                }
            }
        }
    }
}
