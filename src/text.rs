//! Markup to plain text.
//!
//! Pure. Titles are plain text everywhere, and folding compares plain text; sanitising markup for display is `sanitise`'s work.

pub mod elements;
pub mod hidden;
pub mod tags;

use std::cell::{Cell, RefCell};

use html5ever::buffer_queue::BufferQueue;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts, states};
use html5ever::{LocalName, local_name};

use hidden::is_hidden;

/// The visible text of an HTML fragment: tags out, references decoded, white space folded to single spaces.
///
/// Script, style and other text that no browser shows is left out; so are control characters.
#[must_use]
pub fn plain(html: &str) -> String {
    if !html.contains(['<', '&']) {
        return fold_space(html);
    }
    let sink = TextSink { text: RefCell::new(String::with_capacity(html.len() / 2)), ..TextSink::default() };
    let tokenizer = Tokenizer::new(sink, TokenizerOpts::default());
    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from_slice(&tags::readable(html).html));
    let _ = tokenizer.feed(&queue);
    tokenizer.end();
    fold_space(&tokenizer.sink.text.borrow())
}

/// White space and control characters folded to single spaces, none at the ends; characters that are not seen left out.
#[must_use]
pub fn fold_space(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut is_between = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        // Most of most texts are words of ASCII with single spaces between them.
        let run = run_of_words(rest.as_bytes());
        let (next, after) = rest.split_at_checked(run.max(c.len_utf8())).unwrap_or((rest, ""));
        rest = after;
        if is_invisible(c) {
            continue;
        }
        if c.is_whitespace() || c.is_control() {
            is_between = !folded.is_empty();
            continue;
        }
        if std::mem::take(&mut is_between) {
            folded.push(' ');
        }
        folded.push_str(next);
    }
    folded
}

/// How many bytes at the beginning are words of ASCII with single spaces between them.
fn run_of_words(text: &[u8]) -> usize {
    let is_word = |at: usize| text.get(at).is_some_and(u8::is_ascii_graphic);
    let mut at = 0;
    loop {
        while is_word(at) {
            at += 1;
        }
        if at == 0 || text.get(at) != Some(&b' ') || !is_word(at + 1) {
            return at;
        }
        at += 1;
    }
}

/// At most `most` characters of `text`, cut between words where there are any, with an ellipsis if something was cut.
#[must_use]
pub fn shorten(text: &str, most: usize) -> String {
    let Some((cut, _)) = text.char_indices().nth(most) else {
        return text.to_owned();
    };
    let head = text.get(..cut).unwrap_or(text);
    let head = head.rsplit_once(' ').map_or(head, |(head, _)| head);
    format!("{}…", head.trim_end_matches([',', ';', ':', ' ', '.', '-', '–']))
}

/// The longest beginning that stands for a text, in characters.
const LONGEST_LEAD: usize = 300;
/// How much markup is looked at for it, in bytes.
const LONGEST_HEAD: usize = 64 * 1024;

/// The beginning of a text, plain, to stand for the whole; the second is whether the text goes on after it.
///
/// It is made where it is shown and never stored, so that folding does not compare a text with itself.
#[must_use]
pub fn lead(html: &str) -> (String, bool) {
    let head = html.get(..html.floor_char_boundary(LONGEST_HEAD)).unwrap_or(html);
    // A tag that is cut in two is no text.
    let head = if head.len() < html.len() { head.rsplit_once('<').map_or(head, |(before, _)| before) } else { head };
    let text = plain(head);
    let lead = shorten(&text, LONGEST_LEAD);
    let goes_on = lead != text || (head.len() < html.len() && !lead.is_empty());
    (lead, goes_on)
}

/// How much of a sanitised text is looked at first, in bytes, and how many characters more than a lead there should be, so that
/// nothing of the lead is what was cut in two.
const SHORT_HEAD: usize = 1024;
const ENOUGH: usize = LONGEST_LEAD + 40;

/// The same of a text that was sanitised: what follows in it changes nothing of its beginning, which is mostly enough.
#[must_use]
pub fn lead_of_sanitised(html: &str) -> (String, bool) {
    let head = html.get(..html.floor_char_boundary(SHORT_HEAD)).unwrap_or(html);
    if head.len() < html.len() {
        let text = plain(head.rsplit_once('<').map_or(head, |(before, _)| before));
        if text.chars().nth(ENOUGH).is_some() {
            return (shorten(&text, LONGEST_LEAD), true);
        }
    }
    lead(html)
}

/// Characters without width that feeds carry inside and between words.
///
/// They say at most where a line may break: byte order marks, soft hyphens, joiners of words. Those that change letters (U+200C,
/// U+200D) are none of them.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

/// Collects the character tokens that a browser would show.
#[derive(Default)]
struct TextSink {
    text: RefCell<String>,
    /// The element whose content is being skipped, and how many of its name are open.
    hidden: RefCell<Option<(LocalName, usize)>>,
    /// Whether a formula is being read: its parts are letters of one word.
    is_formula: Cell<bool>,
}

/// Whether the text of an element is never shown. What a formula is annotated with says the same again.
fn hides(name: &LocalName) -> bool {
    matches!(
        *name,
        local_name!("script")
            | local_name!("style")
            | local_name!("template")
            | local_name!("noscript")
            | local_name!("iframe")
            | local_name!("svg")
            | local_name!("textarea")
            | local_name!("select")
            | local_name!("head")
            | local_name!("annotation")
            | local_name!("annotation-xml")
    )
}

/// Whether an element ends where the next of its name begins.
fn ends_with_sibling(name: &LocalName) -> bool {
    matches!(
        *name,
        local_name!("p")
            | local_name!("li")
            | local_name!("dt")
            | local_name!("dd")
            | local_name!("tr")
            | local_name!("td")
            | local_name!("th")
            | local_name!("option")
    )
}

/// Whether an element stands inside a word or line: no space is put in its place.
fn is_inline(name: &LocalName) -> bool {
    matches!(
        *name,
        local_name!("a")
            | local_name!("abbr")
            | local_name!("acronym")
            | local_name!("b")
            | local_name!("bdi")
            | local_name!("bdo")
            | local_name!("big")
            | local_name!("cite")
            | local_name!("code")
            | local_name!("del")
            | local_name!("dfn")
            | local_name!("em")
            | local_name!("font")
            | local_name!("i")
            | local_name!("ins")
            | local_name!("kbd")
            | local_name!("mark")
            | local_name!("math")
            | local_name!("q")
            | local_name!("s")
            | local_name!("samp")
            | local_name!("small")
            | local_name!("span")
            | local_name!("strong")
            | local_name!("sub")
            | local_name!("sup")
            | local_name!("time")
            | local_name!("tt")
            | local_name!("u")
            | local_name!("var")
            | local_name!("wbr")
    )
}

impl TextSink {
    /// Whether the tag is inside what is not shown, or its beginning or end.
    fn is_skipped(&self, tag: &Tag) -> bool {
        let mut hidden = self.hidden.borrow_mut();
        let is_start = tag.kind == TagKind::StartTag;
        match &mut *hidden {
            Some((name, open)) if *name == tag.name => {
                let follows = is_start && ends_with_sibling(name);
                *open = if is_start && !follows { *open + 1 } else { *open - 1 };
                if *open == 0 {
                    *hidden = None;
                }
                if !follows {
                    return true;
                }
            }
            Some(_) => return true,
            None => {}
        }
        let hides = hides(&tag.name) || (!tag.attrs.is_empty() && is_hidden_by(tag));
        if is_start && hides && !tag.self_closing {
            *hidden = Some((tag.name.clone(), 1));
        }
        is_start && hides
    }
}

/// Whether an element's attributes hide it. KaTeX writes each formula a second time, for its own style sheet.
fn is_hidden_by(tag: &Tag) -> bool {
    let value = |name: &str| tag.attrs.iter().find(|own| &*own.name.local == name).map(|own| &*own.value);
    !elements::is_void(&tag.name) && (is_hidden(value) || value("class").is_some_and(|class| class == "katex-html"))
}

impl TokenSink for TextSink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        match token {
            Token::CharacterTokens(text) if self.hidden.borrow().is_none() => self.text.borrow_mut().push_str(&text),
            Token::TagToken(tag) => {
                let name: &str = &tag.name;
                if name == "math" {
                    self.is_formula.set(tag.kind == TagKind::StartTag && !tag.self_closing);
                }
                if !is_inline(&tag.name) && !self.is_formula.get() {
                    self.text.borrow_mut().push(' ');
                }
                if self.is_skipped(&tag)
                    && tag.kind == TagKind::StartTag
                    && matches!(name, "script" | "style" | "iframe")
                {
                    return TokenSinkResult::RawData(states::RawKind::Rawtext);
                }
            }
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(html: &str, expected: &str) {
        assert_eq!(plain(html), expected, "{html}");
    }

    #[test]
    fn markup_goes_and_text_stays() {
        check("plain", "plain");
        check("<p>One</p><p>two &amp; <b>th</b>ree</p>", "One two & three");
        check("a<br>b", "a b");
        check("caf&eacute;&nbsp;&#8211; now", "café – now");
        check("AT&T and R&D", "AT&T and R&D");
        check("1 < 2 and 3 > 2", "1 < 2 and 3 > 2");
        check("  \n a \t\u{a0} b ", "a b");
        check("<p>unclosed <em>tags", "unclosed tags");
    }

    #[test]
    fn what_is_not_shown_is_not_text() {
        check("a<script>var x = '<p>no</p>';</script>b", "a b");
        check("a<style>p { color: red }</style> b", "a b");
        check("a<!-- no -->b", "ab");
        check("a\u{0}b\u{7}c", "a b c");
    }

    #[test]
    fn what_is_not_seen_divides_no_word() {
        check("SPIR-\u{2060}V, Donau\u{200b}dampf&shy;schiff \u{feff}", "SPIR-V, Donaudampfschiff");
        check("\u{200b} a \u{200b} b\u{feff}", "a b");
        // Persian is written with a character that parts letters, and emoji with one that joins them.
        check("می\u{200c}شود 👩\u{200d}💻", "می\u{200c}شود 👩\u{200d}💻");
    }

    #[test]
    fn what_is_hidden_is_not_text_and_what_follows_is() {
        check("<p hidden>no</p>a", "a");
        check("<p hidden>no<p>a", "a");
        check("a<div style=\"display: none\"><div>no</div>no</div> b", "a b");
        check("a<svg><text>no</text></svg>b <object data=x>c</object>", "a b c");
        check("a<img hidden>b", "a b");
        check("<select><option>no</select>a", "a");
    }

    #[test]
    fn a_formula_is_text_once() {
        check(
            "Decay of <math><msup><mi>B</mi><mo>+</mo></msup><annotation>B^+</annotation></math> mesons",
            "Decay of B+ mesons",
        );
        check(
            "is <span class=\"katex\"><math><mi>p</mi></math><span class=\"katex-html\" aria-hidden=\"true\"><span>p</span></span></span>.",
            "is p.",
        );
    }

    #[test]
    fn the_beginning_of_a_text_stands_for_it() {
        assert_eq!(lead("<p>A <b>short</b> text.</p>"), ("A short text.".to_owned(), false));
        let (beginning, goes_on) = lead(&"<p>words and words</p>".repeat(50));
        assert!(goes_on && beginning.ends_with('…') && beginning.chars().count() <= 301, "{beginning}");
        assert_eq!(lead("<img src=\"a.png\">"), (String::new(), false));
        assert_eq!(lead(&"<img src=\"a.png\">".repeat(10_000)), (String::new(), false));
        assert_eq!(lead(&format!("A short text.{}", "<br>".repeat(30_000))), ("A short text.".to_owned(), true));
    }

    #[test]
    fn the_beginning_of_a_sanitised_text_is_found_in_its_beginning() {
        let texts = [
            "<p>A <b>short</b> text.</p>".to_owned(),
            "<p>words and <a href=\"https://example.org/a?b=1&amp;c=2\" title=\"a &lt; b\">words</a></p>\n".repeat(60),
            format!("<p>{}</p><ul><li>one &amp; two</li></ul>", "words &amp; words ".repeat(90)),
            format!("<p>{}", "wörter\u{a0}und &lt;wörter&gt; ".repeat(200)),
            format!("{}<p>words after pictures</p>", "<img src=\"https://example.org/a.png\">".repeat(60)),
            format!("{}{}", "é".repeat(511), "a&amp;b".repeat(90)),
        ];
        for text in &texts {
            for text in (0..text.len()).step_by(13).filter_map(|end| text.get(..end)) {
                assert_eq!(lead_of_sanitised(text), lead(text), "{text}");
            }
        }
    }

    #[test]
    fn a_long_text_is_cut_between_words() {
        assert_eq!(shorten("one two three", 9), "one two…");
        assert_eq!(shorten("one two", 7), "one two");
        assert_eq!(shorten("日本語のニュース", 3), "日本語…");
    }

    proptest! {
        #[test]
        fn space_is_folded_as_if_each_character_were_looked_at(text in "[ab.é \u{a0}\u{ad}\n\u{7}]{0,24}") {
            let seen: String = text.chars().filter(|c| !is_invisible(*c)).collect();
            let words: Vec<&str> = seen.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
            prop_assert_eq!(fold_space(&text), words.join(" "));
        }

        #[test]
        fn any_text_is_read_without_panic(html in "\\PC{0,64}|[<>&;a-z/!-]{0,40}") {
            let text = plain(&html);
            prop_assert_eq!(fold_space(&text), text);
        }
    }
}
