//! A publisher's markup made safe to show under our own name.
//!
//! Pure. Everything that is published or shown passes here; what is stored stays as it came, so a better sanitiser also
//! cleans what is already stored. First the markup is brought within bounds (`tree`), as a browser's parser would build it;
//! then ammonia takes out what could do harm. What is longer than the bounds is shown as far as they go, and that is told.

mod tree;

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use ammonia::{Builder, UrlRelative};
use memchr::memchr;
use url::Url;

use crate::normalise::text;

/// The longest address, in bytes; what is longer is none. Browsers and servers take no more than a few thousand.
pub const LONGEST_ADDRESS: usize = 4 * 1024;
/// By how much all addresses of one text may grow when they are made absolute, in bytes.
const MOST_JOINED: usize = 512 * 1024;
/// The most bytes that a character is written with: `&quot;`.
const LONGEST_REFERENCE: usize = 6;
/// The longest base that an element may set for the addresses in it, in bytes.
pub const LONGEST_BASE: usize = 1024;

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
    /// By how many bytes its addresses may still grow; `None` when they would have grown by more.
    static ROOM: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Markup that is safe to show.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sanitised {
    /// The markup.
    pub html: String,
    /// Whether it is all of the text; what is missing was beyond the bounds of one text.
    pub is_whole: bool,
}

/// The fragment with only harmless elements and attributes left, and every address absolute.
///
/// Relative addresses are resolved against `base`; without one they are taken out. Scripts, styles, forms, frames, event
/// handlers, classes and ids are gone, and links lead only to `http`, `https` and `mailto`. So are pictures that only
/// count readers, and elements that hold nothing.
#[must_use]
pub fn html(fragment: &str, base: Option<&Url>) -> String {
    sanitise(fragment, base).html
}

/// As [`html`], with whether that is all of the text.
#[must_use]
pub fn sanitise(fragment: &str, base: Option<&Url>) -> Sanitised {
    if !fragment.contains(['<', '&']) && fragment.len() <= tree::MOST_BYTES / LONGEST_REFERENCE {
        let text = fragment.trim().replace('>', "&gt;");
        return Sanitised { html: without_overrides(&text), is_whole: true };
    }
    let base = base.filter(|base| base.as_str().len() <= LONGEST_ADDRESS);
    BASE.with(|slot| {
        let mut held = slot.borrow_mut();
        if held.as_ref() != base {
            *held = base.cloned();
        }
    });
    ROOM.set(Some(MOST_JOINED));
    let readable = text::before_endless_tag(fragment);
    let bounded = tree::bounded(readable.trim(), base, is_kept);
    let clean = RULES.clean(&bounded.html).to_string();
    let is_whole = bounded.is_whole && readable.len() == fragment.len() && ROOM.get().is_some();
    Sanitised { html: without_overrides(tidy(&clean).trim()), is_whole }
}

/// Whether a text is within the bounds, so that it is shown whole. For texts that are not shown yet: most look so small that
/// this is not tried.
#[must_use]
pub fn is_within_bounds(fragment: &str) -> bool {
    tree::looks_small(fragment)
        || (text::before_endless_tag(fragment).len() == fragment.len()
            && tree::bounded(fragment, None, is_kept).is_whole)
}

/// Whether ammonia keeps an element, or one of its attributes.
fn is_kept(element: &str, attribute: Option<&str>) -> bool {
    let Kept { elements, everywhere, attributes } = &*KEPT;
    match attribute {
        None => elements.contains(element),
        Some(name) => everywhere.contains(name) || attributes.get(element).is_some_and(|known| known.contains(name)),
    }
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

/// Plain text on one line, without what could reach out of its place: control characters, those that turn the direction of
/// all that follows, and those that nobody sees.
#[must_use]
pub fn line(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let folded = text::fold_space(text);
    if !folded.contains(|c| turns(c) || is_tag_character(c)) {
        return folded;
    }
    text::fold_space(&without_stray_tags(&folded.replace(turns, "")))
}

/// Tag characters spell ASCII that is not shown. They mean something in a flag alone (Unicode TS 51, ED-14a).
fn is_tag_character(c: char) -> bool {
    matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// The text with the tag characters of flags alone: a black flag, a code of at most six letters and digits, and the end.
fn without_stray_tags(text: &str) -> String {
    const FLAG: char = '\u{1f3f4}';
    const END: char = '\u{e007f}';
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(is_tag_character) {
        let (before, tags) = rest.split_at_checked(at).unwrap_or((rest, ""));
        let length = tags.find(|c| !is_tag_character(c)).unwrap_or(tags.len());
        let (tags, after) = tags.split_at_checked(length).unwrap_or((tags, ""));
        kept.push_str(before);
        let is_code = |c: char| matches!(c, '\u{e0030}'..='\u{e0039}' | '\u{e0061}'..='\u{e007a}');
        let code = tags.strip_suffix(END).unwrap_or_default();
        if before.ends_with(FLAG) && (1..=6).contains(&code.chars().count()) && code.chars().all(is_code) {
            kept.push_str(tags);
        }
        rest = after;
    }
    kept + rest
}

/// Markup without the characters that write text in the other direction. Embeddings stay: they end with their paragraph.
fn without_overrides(markup: &str) -> String {
    markup.replace(['\u{202d}', '\u{202e}'], "")
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

/// The address, if a reader may be sent there: absolute, `http` or `https`, and no longer than [`LONGEST_ADDRESS`].
#[must_use]
pub fn web_address(text: &str, base: Option<&Url>) -> Option<Url> {
    address(text, base).filter(|url| matches!(url.scheme(), "http" | "https"))
}

/// The address, made absolute, unless it is longer than [`LONGEST_ADDRESS`].
fn address(text: &str, base: Option<&Url>) -> Option<Url> {
    let text = text.trim();
    if text.len() > LONGEST_ADDRESS {
        return None;
    }
    let url = Url::parse(text).or_else(|error| base.ok_or(error)?.join(text)).ok()?;
    (url.as_str().len() <= LONGEST_ADDRESS).then_some(url)
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
            // Ammonia does not know them for addresses.
            "poster" | "cite" => web(value).map(Cow::Owned),
            "href" | "src" if value.len() > LONGEST_ADDRESS => None,
            _ => Some(Cow::Borrowed(value)),
        })
        .link_rel(Some("noopener noreferrer nofollow"));
    rules
}

/// A relative address of the fragment in work, resolved; `None` without a base, or where it leads out of the web.
fn absolute(address: &str) -> Option<Cow<'_, str>> {
    BASE.with_borrow(|base| {
        let url = joined(address, Some(base.as_ref()?))?;
        matches!(url.scheme(), "http" | "https" | "mailto").then(|| Cow::Owned(url.into()))
    })
}

/// An address of the fragment in work that has to lead to the web.
fn web(address: &str) -> Option<String> {
    BASE.with_borrow(|base| joined(address, base.as_ref()))
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .map(Into::into)
}

/// An address of the fragment in work, made absolute, as long as there is room for what it grows by.
fn joined(text: &str, base: Option<&Url>) -> Option<Url> {
    let url = address(text, base)?;
    let room = ROOM.get()?.checked_sub(url.as_str().len().saturating_sub(text.len()));
    ROOM.set(room);
    room.map(|_| url)
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
    fn what_would_make_a_parser_labour_is_bounded() {
        let deep = html(&format!("{}deep", "<div>".repeat(10_000)), None);
        assert!(deep.contains("deep") && deep.len() < 4_000, "{deep}");
        for formatting in ["<font size=1><i>".repeat(1_000), (0..1_500).map(|n| format!("<b lang=a{n}></i>")).collect()]
        {
            let clean = sanitise(&format!("<p>{formatting}{}", "<p>x".repeat(1_500)), None);
            assert!(clean.html.len() < 2 * 1024 * 1024, "{} bytes", clean.html.len());
            assert!(clean.html.contains('x'));
        }
    }

    #[test]
    fn a_text_beyond_the_bounds_is_shown_as_far_as_they_go() {
        let base = Url::parse(&format!("https://example.org/{}/", "long/".repeat(800))).unwrap();
        let pictures = sanitise(&format!("<p>words</p>{}", "<img src=x alt=y>".repeat(2_000)), Some(&base));
        assert!(pictures.html.starts_with("<p>words</p><img") && pictures.html.len() < 1024 * 1024);
        assert!(!pictures.is_whole);
        let words = sanitise(&"<p>words and words</p>".repeat(60_000), None);
        assert!(words.html.len() < 2 * 1024 * 1024 && !words.is_whole);
        assert_eq!(sanitise("<p>words</p>", None), Sanitised { html: "<p>words</p>".into(), is_whole: true });
    }

    #[test]
    fn a_long_article_is_shown_whole() {
        // Code as highlighters write it: many elements, little text; a chart as a drawing; anchors that are not closed.
        let code = format!(
            "<table><tr><td><pre>{}</pre></td></tr></table>",
            "<span class=\"k\">let</span> x\n".repeat(12_000)
        );
        let hidden = format!("<style>{}</style><script>{0}</script>", "p { color: red } ".repeat(60_000));
        let chart = format!("<svg>{}</svg>", "<rect width='1' height='2'/>".repeat(2_000));
        let anchors = "<a name=\"x\"><p>words</p>".repeat(100);
        let references = "&lt;tag&gt; ".repeat(20_000);
        let clean = sanitise(&format!("<p>begin</p>{code}{chart}{hidden}{anchors}{references}<p>end</p>"), None);
        assert!(clean.is_whole);
        assert!(clean.html.starts_with("<p>begin</p><table>") && clean.html.contains("<p>end</p>"));
        assert_eq!(clean.html.matches("let").count(), 12_000);
        assert_eq!(clean.html.matches("&lt;tag&gt;").count(), 20_000);
    }

    #[test]
    fn what_is_no_element_of_html_shows_its_words() {
        check("<p>A vector<int> grows when it must.</p>", "<p>A vector grows when it must.</p>");
        check("<table><tr><td><set>x</td></tr></table>", "<table><tbody><tr><td>x</td></tr></tbody></table>");
    }

    #[test]
    fn a_base_of_xml_counts_below_the_element_that_has_it() {
        check(
            "<p xml:base=\"/deep/\"><a href=\"x\">x</a></p><a href=\"x\">y</a>",
            "<p><a href=\"https://example.org/deep/x\" rel=\"noopener noreferrer nofollow\">x</a></p><a href=\"https://example.org/a/x\" rel=\"noopener noreferrer nofollow\">y</a>",
        );
        let base = format!("/{}/", "long".repeat(240));
        let clean = sanitise(
            &format!("<p xml:base=\"{base}\">{}</p>", "<a href=\"x\">x</a>".repeat(1_000)),
            Url::parse("https://example.org/").ok().as_ref(),
        );
        assert!(clean.html.len() < 1024 * 1024 && !clean.is_whole);
    }

    #[test]
    fn an_address_that_is_not_shown_is_no_way_out_of_the_web() {
        check("<q cite=\"javascript:x()\">a</q>", "<q>a</q>");
        check("<blockquote cite=\"/c\">a</blockquote>", "<blockquote cite=\"https://example.org/c\">a</blockquote>");
        check("<del cite=\"data:text/html,x\">a</del>", "<del>a</del>");
        check(
            &format!("<a href=\"https://example.org/{}\">a</a>", "long".repeat(2_000)),
            "<a rel=\"noopener noreferrer nofollow\">a</a>",
        );
        assert_eq!(web_address(&format!("https://example.org/{}", "a".repeat(5_000)), None), None);
    }

    #[test]
    fn a_line_holds_nothing_that_is_not_seen() {
        assert_eq!(line("a\u{202e}b\u{2066}c"), "abc");
        assert_eq!(line("title\u{e0041}\u{e0042} x\u{e007f}"), "title x");
        let scotland = "\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}";
        assert_eq!(line(&format!("{scotland} won")), format!("{scotland} won"));
        assert_eq!(line("\u{1f3f4}\u{e0067}\u{e0062} lost"), "\u{1f3f4} lost");
    }

    #[test]
    fn plain_text_is_escaped() {
        assert_eq!(html("a \"quoted\" text > 1", None), "a \"quoted\" text &gt; 1");
        assert_eq!(html("<a<a href=\"\">\"<a\">", None), "\"");
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
