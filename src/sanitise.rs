//! A publisher's markup made safe to show under our own name, with nothing lost that the publisher wrote.
//!
//! Pure. Everything that is published or shown passes here; what is stored stays as it came, so a better sanitiser also
//! cleans what is already stored. A text is read as a browser's parser would build it, within bounds (`parser`). Room after room
//! then settles what a reader of feeds would miss or see twice: `formulas`, `pictures`, `players`, what is `hidden`, what is shown
//! by something else (`stand_ins`), what `styles` say, where its links lead (`address`), and white space (`space`). Last, ammonia takes out what
//! could do harm (`rules`). What is longer than the bounds is shown as far as they go, and that is told.

mod address;
mod bulk;
mod formulas;
mod hidden;
mod parser;
mod pictures;
mod players;
mod rules;
mod space;
mod stand_ins;
mod styles;
mod text;
mod tree;
mod writer;

use memchr::memmem;
use url::Url;

pub use address::{web_address, without_user};
pub use bulk::without_bulk;
pub use text::{escape, escape_into, line};

use crate::text::tags;
use parser::Bounded;
use tree::Tree;

/// The most bytes that a character is written with: `&quot;`.
const LONGEST_REFERENCE: usize = 6;
/// The longest base that an element may set for the addresses in it, in bytes.
pub const LONGEST_BASE: usize = 1024;
/// The longest value of an attribute, in bytes: room for the candidates of a `srcset`. What is longer is not read.
const LONGEST_VALUE: usize = 8 * 1024;

/// Where a text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Origin<'a> {
    /// What its relative addresses start from; without one they are taken out.
    pub base: Option<&'a Url>,
    /// The page on which it stands: where links to a place in the text lead.
    pub page: Option<&'a Url>,
}

impl<'a> Origin<'a> {
    /// Where the text of an entry comes from that has this `page`, and a base of its own.
    ///
    /// A base that is said for the whole feed lies above its pages; one that is said for a text is the text's true page, which
    /// the entry's link may reach by a detour.
    #[must_use]
    pub fn of_entry(base: Option<&'a Url>, page: Option<&'a Url>) -> Self {
        let own = base.filter(|base| {
            let (folder, _) = base.as_str().rsplit_once('/').unwrap_or_default();
            base.path() != "/" && page.is_some_and(|page| !page.as_str().starts_with(folder))
        });
        Self { base: base.or(page), page: own.or(page) }
    }
}

/// Markup that is safe to show.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sanitised {
    /// The markup.
    pub html: String,
    /// Whether it is all of the text; what is missing was beyond the bounds of one text.
    pub is_whole: bool,
}

/// As [`sanitise`], of a text that stands on no page of its own.
#[must_use]
pub fn html(fragment: &str, base: Option<&Url>) -> String {
    sanitise(fragment, Origin { base, page: None }).html
}

/// The fragment with only harmless elements and attributes left, and every address absolute.
///
/// Scripts, styles, forms, event handlers and classes are gone, and links lead only to where nothing runs (the web, mail, a telephone, a torrent), or to a
/// place in the text. So are pictures that only count readers, what is hidden, and elements that hold nothing. Frames are links.
///
/// # Examples
/// ```
/// use newsfold::sanitise::{Origin, sanitise};
/// use url::Url;
///
/// let page = Url::parse("https://example.org/news/1")?;
/// let text = r#"<p onclick="steal()">See <a href="/map">the map</a>.<script>steal()</script></p>"#;
/// let clean = sanitise(text, Origin { base: Some(&page), page: Some(&page) }).html;
/// assert!(clean.contains(r#"href="https://example.org/map""#) && clean.contains(">the map</a>."));
/// assert!(!clean.contains("steal"));
/// # Ok::<(), url::ParseError>(())
/// ```
#[must_use]
pub fn sanitise(fragment: &str, origin: Origin<'_>) -> Sanitised {
    if !fragment.contains(['<', '&']) && fragment.len() <= parser::MOST_BYTES / LONGEST_REFERENCE {
        let text = fragment.trim().replace('>', "&gt;");
        return Sanitised { html: without_overrides(&text), is_whole: true };
    }
    let readable = tags::readable(fragment.trim());
    let Bounded { mut tree, is_whole } = parser::parse(readable.html.trim_end());
    let has_room = settle(&mut tree, origin, fragment);
    if tree.is_worn_out() {
        // Made to cost more than its length says: its words alone are shown.
        let words = escape(&crate::text::plain(&readable.html));
        return Sanitised { html: without_overrides(&words), is_whole: false };
    }
    tree.rest();
    let clean = rules::clean(&writer::write(&tree));
    Sanitised { html: without_overrides(clean.trim()), is_whole: is_whole && readable.is_whole && has_room }
}

/// Settles how a text is best shown; whether there was room for all of its addresses.
fn settle(tree: &mut Tree, origin: Origin<'_>, source: &str) -> bool {
    let mut kept = space::KeptLines::default();
    for number in 0..tree.len() {
        if tree.element(number).is_some() && !tree.is_worn_out() {
            formulas::settle(tree, number);
            hidden::settle(tree, number);
            pictures::settle(tree, number);
            players::settle(tree, number);
            stand_ins::settle(tree, number);
            space::settle_style(tree, number, &mut kept);
            styles::settle(tree, number);
        }
    }
    let has_room = address::settle(tree, origin, source);
    if let Some(root) = tree.root() {
        pictures::settle_doubled(tree, root);
    }
    space::settle_empty(tree);
    has_room
}

/// Whether a text is within the bounds, so that it is shown whole. For texts that are not shown yet: most look so small that
/// this is not tried.
#[must_use]
pub fn is_within_bounds(fragment: &str) -> bool {
    if parser::looks_small(fragment) {
        return true;
    }
    let readable = tags::readable(fragment);
    readable.is_whole && parser::parse(&readable.html).is_whole
}

/// Markup without the characters that write text in the other direction. Embeddings stay: they end with their paragraph.
fn without_overrides(markup: &str) -> String {
    const OVERRIDES: [&str; 2] = ["\u{202d}", "\u{202e}"];
    let is_written = |character: &&&str| memmem::find(markup.as_bytes(), character.as_bytes()).is_some();
    OVERRIDES.iter().filter(is_written).fold(markup.to_owned(), |markup, character| markup.replace(*character, ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(fragment: &str, base: Option<&Url>) -> Sanitised {
        sanitise(fragment, Origin { base, page: None })
    }

    fn check(fragment: &str, expected: &str) {
        let base = Url::parse("https://example.org/a/b").unwrap();
        assert_eq!(html(fragment, Some(&base)), expected, "{fragment}");
    }

    #[test]
    fn what_one_text_costs_grows_with_its_length() {
        for (before, piece, count) in [
            ("<li>", " <input>", 45_000),
            ("<picture>", "<source>", 24_000),
            ("<picture><source><source>", "<img>", 24_000),
            ("<div style=\"white-space:pre-wrap\">", "a\n", 200_000),
        ] {
            let text = before.repeat(200) + &piece.repeat(count);
            let began = crate::clock::instant();
            let _ = html(&text, None);
            let took = began.elapsed();
            assert!(took.as_secs() < 20, "{before}{piece}: {took:?}, where a second is much");
        }
        let text = format!("<picture>{}{}", "<source>".repeat(24_000), "<img>".repeat(24_000));
        let _ = html(&text, None);
    }

    #[test]
    fn what_runs_or_restyles_is_taken_out() {
        check("<p onclick=\"x()\">a<script>x()</script></p>", "<p>a</p>");
        check("<style>p{}</style><p style=\"position:fixed\" class=\"c\" id=\"i\">a</p>", "<p>a</p>");
        check("<a href=\"javascript:x()\">a</a>", "a");
        check("<a href=\"data:text/html,x\">a</a>", "a");
        check("<form action=\"/x\"><input></form><iframe src=\"javascript:x()\"></iframe>", "");
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
            "<video poster=\"p.png\" src=\"v.mp4\" controls=\"\"></video>",
            "<video poster=\"https://example.org/a/p.png\" src=\"https://example.org/a/v.mp4\" controls=\"\"></video>",
        );
        check("<video poster=\"javascript:x()\">v</video>", "<video controls=\"\">v</video>");
        check(
            "<a href=\"#f\">a</a>",
            "<a href=\"https://example.org/a/b#f\" rel=\"noopener noreferrer nofollow\">a</a>",
        );
    }

    #[test]
    fn what_is_shown_is_written_as_it_was() {
        check("<p>a > \"b\" &lt; c</p>", "<p>a &gt; \"b\" &lt; c</p>");
        check("<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>", "<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>");
        check("<details open><summary>a</summary>b</details>", "<details open=\"\"><summary>a</summary>b</details>");
        check(
            "<table><tr><td rowspan=2 colspan=3>a<td>b</table>",
            "<table><tbody><tr><td rowspan=\"2\" colspan=\"3\">a</td><td>b</td></tr></tbody></table>",
        );
        check("<ul><li>a<ul><li>b</ul><li>c</ul>", "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>");
        check("a<wbr>b&shy;c", "a<wbr>b\u{ad}c");
        check("<p>a<p>b<ul><li>c</ul></p>", "<p>a</p><p>b</p><ul><li>c</li></ul>");
        check("<span class=a>b</span><span lang=de>c</span>", "b<span lang=\"de\">c</span>");
    }

    #[test]
    fn what_would_make_a_parser_labour_is_bounded() {
        let deep = html(&format!("{}deep", "<div>".repeat(10_000)), None);
        assert!(deep.contains("deep") && deep.len() < 4_000, "{deep}");
        for formatting in ["<font size=1><i>".repeat(1_000), (0..1_500).map(|n| format!("<b lang=a{n}></i>")).collect()]
        {
            let clean = whole(&format!("<p>{formatting}{}", "<p>x".repeat(1_500)), None);
            assert!(clean.html.len() < 2 * 1024 * 1024, "{} bytes", clean.html.len());
            assert!(clean.html.contains('x'));
        }
    }

    #[test]
    fn a_text_beyond_the_bounds_is_shown_as_far_as_they_go() {
        let base = Url::parse(&format!("https://example.org/{}/", "long/".repeat(800))).unwrap();
        let pictures = whole(&format!("<p>words</p>{}", "<img src=x alt=y>".repeat(2_000)), Some(&base));
        assert!(pictures.html.starts_with("<p>words</p><img") && pictures.html.len() < 1024 * 1024);
        assert!(!pictures.is_whole);
        let words = whole(&"<p>words and words</p>".repeat(60_000), None);
        assert!(words.html.len() < 2 * 1024 * 1024 && !words.is_whole);
        assert_eq!(whole("<p>words</p>", None), Sanitised { html: "<p>words</p>".into(), is_whole: true });
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
        let clean = whole(&format!("<p>begin</p>{code}{chart}{hidden}{anchors}{references}<p>end</p>"), None);
        assert!(clean.is_whole);
        assert!(clean.html.starts_with("<p>begin</p><table>") && clean.html.contains("<p>end</p>"));
        assert_eq!(clean.html.matches("let").count(), 12_000);
        assert_eq!(clean.html.matches("&lt;tag&gt;").count(), 20_000);
    }

    #[test]
    fn what_is_no_element_of_html_shows_its_words() {
        check("<p>A vector<int> grows when it must.</p>", "<p>A vector&lt;int&gt; grows when it must.</p>");
        check(
            "<table><tr><td><set>x</td></tr></table>",
            "<table><tbody><tr><td>&lt;set&gt;x</td></tr></tbody></table>",
        );
        check(
            "<p>Give it a list<set>, <text>word by word</text>.</p>",
            "<p>Give it a list&lt;set&gt;, word by word.</p>",
        );
        check("<p>Stream<Path> walk : each file</Path></p>", "<p>Stream walk : each file</p>");
    }

    #[test]
    fn a_base_of_xml_counts_below_the_element_that_has_it() {
        check(
            "<p xml:base=\"/deep/\"><a href=\"x\">x</a></p><a href=\"x\">y</a>",
            "<p><a href=\"https://example.org/deep/x\" rel=\"noopener noreferrer nofollow\">x</a></p><a href=\"https://example.org/a/x\" rel=\"noopener noreferrer nofollow\">y</a>",
        );
        let base = format!("/{}/", "long".repeat(240));
        let clean = whole(
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
        check(&format!("<a href=\"https://example.org/{}\">a</a>", "long".repeat(2_000)), "a");
        assert_eq!(web_address(&format!("https://example.org/{}", "a".repeat(5_000)), None), None);
    }

    #[test]
    fn plain_text_is_escaped() {
        assert_eq!(html("a \"quoted\" text > 1", None), "a \"quoted\" text &gt; 1");
        assert_eq!(html("1 < 2 & 3", None), "1 &lt; 2 &amp; 3");
    }

    #[test]
    fn the_page_of_a_text_is_its_own_base_or_its_entrys_page() {
        let check = |base: &str, page: &str, expected: &str| {
            let [base, page] = [base, page].map(|url| Url::parse(url).unwrap());
            let origin = Origin::of_entry(Some(&base), Some(&page));
            assert_eq!((origin.base, origin.page.unwrap().as_str()), (Some(&base), expected));
        };
        check("https://site.example/", "https://site.example/1", "https://site.example/1");
        check("https://site.example/feed.xml", "https://site.example/1", "https://site.example/1");
        check("https://site.example/blog/", "https://site.example/blog/1", "https://site.example/blog/1");
        check("https://site.example/blog/1/", "https://counter.example/r", "https://site.example/blog/1/");
        check("https://site.example/", "https://counter.example/r", "https://counter.example/r");
        let page = Url::parse("https://site.example/1").unwrap();
        assert_eq!(Origin::of_entry(None, Some(&page)), Origin { base: Some(&page), page: Some(&page) });
        assert_eq!(Origin::of_entry(Some(&page), None), Origin { base: Some(&page), page: None });
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

        // What a reader's parser makes of our formulas is what ours made of them.
        #[test]
        fn a_formula_comes_out_again_as_it_is(fragment in "(<(/?(math|mi|mtext|mrow|mglyph|annotation-xml|semantics|svg|foreignObject|desc|title|p|b|style|textarea|a)|img src=x onerror=y|!--)( (encoding=text/html|title=\"</mtext><img src=x onerror=y>\"))?/?>|[a-z&;<]{0,4}){0,14}") {
            let once = html(&fragment, None);
            prop_assert_eq!(html(&once, None), once.clone());
            for tag in once.split('<').skip(1).filter_map(|piece| piece.split('>').next()) {
                for mark in ["style", "svg", "textarea", "mglyph", "annotation", " encoding"] {
                    prop_assert!(!tag.contains(mark), "{} in {}", mark, once);
                }
            }
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
