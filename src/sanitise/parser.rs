//! A publisher's markup as the tree that a browser makes of it, within bounds.
//!
//! Pure. A small text can make a large tree: formatting that is never closed is opened anew in every paragraph. So what is
//! counted is what the parser builds, while it builds it, and it is stopped there: elements, and the bytes of what may be shown.
//! What is never shown counts for nothing, however long it is.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use html5ever::buffer_queue::BufferQueue;
use html5ever::interface::{ElementFlags, NodeOrText, QuirksMode, Tracer, TreeSink};
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use html5ever::tree_builder::{TreeBuilder, TreeBuilderOpts};
use html5ever::{Attribute, ExpandedName, LocalName, QualName, local_name, ns};
use memchr::memchr_iter;

use crate::text::elements;

use super::tree::{DOCUMENT, Element, Kind, Tree};
use super::{LONGEST_REFERENCE, LONGEST_VALUE, rules};

/// The most elements of one text, those included that the parser opens anew by itself.
const MOST_ELEMENTS: usize = 50_000;
/// The most bytes of one text as it is written again.
pub(super) const MOST_BYTES: usize = 1024 * 1024;
/// The most elements that the parser holds open, those included that it will open anew: each tag may cost as much as that.
const MOST_OPEN: usize = 200;
/// The most bytes of what is looked at and not shown: classes and styles, which formatting that is opened anew repeats.
const MOST_LOOKED_AT: usize = 4 * MOST_BYTES;
/// How many bytes the parser is given at a time: it is asked in between whether it has built enough.
const PIECE: usize = 16 * 1024;

/// Elements that a browser opens anew where the next block begins.
pub(super) const FORMATTING: &[&str] =
    &["a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"];
/// Elements that go with all that is in them: it is not text.
pub(super) const UNSEEN: &[&str] = &["script", "style", "template", "noembed", "noframes", "iframe", "datalist"];

/// A text within the bounds.
#[derive(Debug)]
pub(super) struct Bounded {
    pub(super) tree: Tree,
    /// Whether all of the text is in it.
    pub(super) is_whole: bool,
}

/// The fragment as a tree that is no larger than the bounds, with only those attributes that may stay or are looked at.
pub(super) fn parse(fragment: &str) -> Bounded {
    let tokenizer = Tokenizer::new(Builder::new(), TokenizerOpts::default());
    let queue = BufferQueue::default();
    let mut rest = fragment;
    while !rest.is_empty() && !tokenizer.sink.is_full() {
        let (piece, after) = rest.split_at_checked(rest.floor_char_boundary(PIECE)).unwrap_or((rest, ""));
        rest = after;
        queue.push_back(StrTendril::from_slice(piece));
        // A script is a pause, for whoever runs it.
        while !queue.is_empty() && !tokenizer.sink.is_full() {
            let _ = tokenizer.feed(&queue);
        }
    }
    if !tokenizer.sink.is_full() {
        tokenizer.end();
    }
    let Sink { tree, is_full, .. } = tokenizer.sink.into_sink();
    Bounded { tree: tree.into_inner(), is_whole: !is_full.get() }
}

/// Whether a quick look tells that a text is within the bounds. It goes by how many tags there are, and how much formatting
/// they leave open; what is built of the text is not looked at.
pub(super) fn looks_small(fragment: &str) -> bool {
    // Each tag builds no more than what is open.
    const FEW: usize = MOST_ELEMENTS / MOST_OPEN;
    let bytes = fragment.as_bytes();
    fragment.len() <= MOST_BYTES / LONGEST_REFERENCE
        && (memchr_iter(b'<', bytes).take(FEW + 1).count() <= FEW || leaves_little_open(bytes))
}

fn leaves_little_open(bytes: &[u8]) -> bool {
    const LONGEST_FORMATTING: usize = "strike".len();
    let mut open = 0_usize;
    memchr_iter(b'<', bytes).zip(1..).all(|(at, tags)| {
        let rest = bytes.get(at + 1..).unwrap_or_default();
        let (is_end, rest) = rest.strip_prefix(b"/").map_or((false, rest), |rest| (true, rest));
        let length = rest.iter().take(LONGEST_FORMATTING + 1).take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let name = rest.get(..length).unwrap_or_default();
        let is_formatting = FORMATTING.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        match (is_formatting, is_end) {
            (true, false) => open += 1,
            (true, true) => open = open.saturating_sub(1),
            (false, _) => {}
        }
        tags * (1 + open) <= MOST_ELEMENTS
    })
}

/// A node as the parser holds it.
#[derive(Debug, Clone)]
struct Handle(Rc<Held>);

#[derive(Debug)]
struct Held {
    number: usize,
    name: QualName,
    /// Where the children of a `template` go.
    contents: Option<Handle>,
    is_integration_point: bool,
}

/// The parser's tokens on their way to its tree.
struct Builder {
    tree: TreeBuilder<Handle, Sink>,
    /// How many elements of each name were not opened, because too many were open. Their ends close nothing else.
    unopened: RefCell<HashMap<LocalName, usize>>,
}

impl Builder {
    fn new() -> Self {
        let sink = Sink {
            tree: RefCell::default(),
            elements: Cell::new(0),
            bytes: Cell::new(0),
            looked_at: Cell::new(0),
            is_full: Cell::new(false),
        };
        sink.tree.borrow_mut().add(Kind::Bare);
        let html = |local| QualName::new(None, ns!(html), local);
        let context = sink.element(html(local_name!("div")), Vec::new(), &ElementFlags::default());
        // Without scripts, as feed readers show it: what stands in `noscript` is markup.
        let options = TreeBuilderOpts { scripting_enabled: false, ..TreeBuilderOpts::default() };
        Self { tree: TreeBuilder::new_for_fragment(sink, context, None, options), unopened: RefCell::default() }
    }

    fn is_full(&self) -> bool {
        self.tree.sink.is_full.get()
    }

    fn into_sink(self) -> Sink {
        self.tree.sink
    }

    /// How many elements the parser holds: open ones, and formatting that it will open anew.
    fn held(&self) -> usize {
        struct Count(Cell<usize>);
        impl Tracer for Count {
            type Handle = Handle;

            fn trace_handle(&self, _: &Handle) {
                self.0.update(|count| count + 1);
            }
        }
        let count = Count(Cell::new(0));
        self.tree.trace_handles(&count);
        count.0.get()
    }

    /// Whether a tag is left out, because too much is open.
    fn is_left_out(&self, tag: &Tag) -> bool {
        let mut unopened = self.unopened.borrow_mut();
        if tag.kind == TagKind::EndTag {
            let Some(count) = unopened.get_mut(&tag.name).filter(|count| **count > 0) else { return false };
            *count -= 1;
            return true;
        }
        let is_left_out = !elements::is_void(&tag.name) && self.held() >= MOST_OPEN;
        if is_left_out && !tag.self_closing {
            *unopened.entry(tag.name.clone()).or_default() += 1;
        }
        is_left_out
    }
}

impl TokenSink for Builder {
    type Handle = Handle;

    fn process_token(&self, token: Token, line: u64) -> TokenSinkResult<Handle> {
        if self.is_full() {
            return TokenSinkResult::Continue;
        }
        if let Token::TagToken(tag) = &token
            && self.is_left_out(tag)
        {
            return TokenSinkResult::Continue;
        }
        self.tree.process_token(token, line)
    }

    fn end(&self) {
        self.tree.end();
    }

    fn adjusted_current_node_present_but_not_in_html_namespace(&self) -> bool {
        self.tree.adjusted_current_node_present_but_not_in_html_namespace()
    }
}

/// The tree that the parser builds.
struct Sink {
    tree: RefCell<Tree>,
    elements: Cell<usize>,
    /// How long it is as markup, about.
    bytes: Cell<usize>,
    looked_at: Cell<usize>,
    is_full: Cell<bool>,
}

impl Sink {
    fn element(&self, name: QualName, mut attributes: Vec<Attribute>, flags: &ElementFlags) -> Handle {
        let (mut shown, mut looked_at) = (0, 0);
        attributes.retain(|attribute| {
            let (own, length) = (&*attribute.name.local, attribute.value.len());
            let is_shown = match &name.ns {
                ns if *ns == ns!(html) => rules::is_attribute(&name.local, own),
                ns if *ns == ns!(mathml) => rules::is_attribute("math", own),
                _ => false,
            };
            let is_kept =
                length <= LONGEST_VALUE && (is_shown || rules::is_looked_at(&name.local, own) || DRAWN.contains(&own));
            match (is_kept, is_shown) {
                (true, true) => shown += own.len() + written_bytes(&attribute.value) + 4,
                (true, false) => looked_at += own.len() + length,
                (false, _) => {}
            }
            is_kept
        });
        // Drawings are not shown, and none of their elements is ever opened anew.
        if name.ns != ns!(svg) {
            self.count(1, 2 * name.local.len() + 5 + shown);
        }
        self.looked_at.update(|sum| sum + looked_at);
        let contents = flags.template.then(|| self.held(Kind::Bare, name.clone(), None, false));
        let is_integration_point = flags.mathml_annotation_xml_integration_point;
        self.held(Kind::Element(Element { name: name.clone(), attributes }), name, contents, is_integration_point)
    }

    fn held(&self, kind: Kind, name: QualName, contents: Option<Handle>, is_integration_point: bool) -> Handle {
        let number = self.tree.borrow_mut().add(kind);
        Handle(Rc::new(Held { number, name, contents, is_integration_point }))
    }

    fn bare(&self) -> Handle {
        self.held(Kind::Bare, QualName::new(None, ns!(), local_name!("")), None, false)
    }

    fn count(&self, elements: usize, bytes: usize) {
        self.elements.update(|sum| sum + elements);
        self.bytes.update(|sum| sum + bytes);
        if self.elements.get() > MOST_ELEMENTS || self.bytes.get() > MOST_BYTES || self.looked_at.get() > MOST_LOOKED_AT
        {
            self.is_full.set(true);
        }
    }

    /// Puts a node, or a text, into `parent` before `after`, or at its end; a text joins one that it would stand beside.
    fn insert(&self, parent: usize, after: Option<usize>, child: NodeOrText<Handle>) {
        let mut tree = self.tree.borrow_mut();
        let text = match child {
            NodeOrText::AppendNode(Handle(held)) => return tree.link(parent, after, held.number),
            NodeOrText::AppendText(text) => text,
        };
        if tree.element(parent).is_some_and(is_unseen) {
            return;
        }
        self.count(0, written_bytes(&text));
        let before = after.map_or_else(|| tree.last(parent), |after| tree.before(after));
        if let Some(before) = before
            && let Some(known) = tree.text_mut(before)
        {
            known.push_tendril(&text);
            return;
        }
        let number = tree.add(Kind::Text(text));
        tree.link(parent, after, number);
    }
}

impl TreeSink for Sink {
    type Handle = Handle;
    type Output = Self;
    type ElemName<'a> = ExpandedName<'a>;

    fn finish(self) -> Self {
        self
    }

    fn parse_error(&self, _: Cow<'static, str>) {}

    fn set_quirks_mode(&self, _: QuirksMode) {}

    fn get_document(&self) -> Handle {
        let name = QualName::new(None, ns!(), local_name!(""));
        Handle(Rc::new(Held { number: DOCUMENT, name, contents: None, is_integration_point: false }))
    }

    fn elem_name<'a>(&'a self, target: &'a Handle) -> ExpandedName<'a> {
        target.0.name.expanded()
    }

    fn create_element(&self, name: QualName, attributes: Vec<Attribute>, flags: ElementFlags) -> Handle {
        self.element(name, attributes, &flags)
    }

    fn create_comment(&self, _: StrTendril) -> Handle {
        self.bare()
    }

    fn create_pi(&self, _: StrTendril, _: StrTendril) -> Handle {
        self.bare()
    }

    fn append(&self, parent: &Handle, child: NodeOrText<Handle>) {
        self.insert(parent.0.number, None, child);
    }

    fn append_based_on_parent_node(&self, element: &Handle, before: &Handle, child: NodeOrText<Handle>) {
        if self.tree.borrow().parent(element.0.number).is_some() {
            self.append_before_sibling(element, child);
        } else {
            self.append(before, child);
        }
    }

    fn append_doctype_to_document(&self, _: StrTendril, _: StrTendril, _: StrTendril) {}

    fn get_template_contents(&self, target: &Handle) -> Handle {
        target.0.contents.clone().unwrap_or_else(|| target.clone())
    }

    fn same_node(&self, one: &Handle, other: &Handle) -> bool {
        one.0.number == other.0.number
    }

    fn append_before_sibling(&self, sibling: &Handle, child: NodeOrText<Handle>) {
        let sibling = sibling.0.number;
        let parent = self.tree.borrow().parent(sibling);
        self.insert(parent.unwrap_or(DOCUMENT), parent.and(Some(sibling)), child);
    }

    // Only of `html` and `body`, which stand around the text.
    fn add_attrs_if_missing(&self, _: &Handle, _: Vec<Attribute>) {}

    fn remove_from_parent(&self, target: &Handle) {
        self.tree.borrow_mut().detach(target.0.number);
    }

    fn reparent_children(&self, node: &Handle, parent: &Handle) {
        loop {
            let mut tree = self.tree.borrow_mut();
            let Some(first) = tree.first(node.0.number) else { return };
            tree.link(parent.0.number, None, first);
        }
    }

    fn is_mathml_annotation_xml_integration_point(&self, target: &Handle) -> bool {
        target.0.is_integration_point
    }
}

/// What MathJax says of the parts of a formula that it draws.
const DRAWN: &[&str] = &["data-mml-node", "data-c"];

/// Whether the text in an element is none. A formula's source is, whoever was to draw it.
fn is_unseen(element: &Element) -> bool {
    match element.html() {
        Some("script") => !element.value("type").is_some_and(|kind| kind.trim_start().starts_with("math/")),
        Some(name) => UNSEEN.contains(&name),
        None => matches!(&*element.name.local, "script" | "style" | "title" | "desc" | "metadata"),
    }
}

/// How many bytes a text has as markup.
fn written_bytes(text: &str) -> usize {
    text.bytes()
        .map(|byte| match byte {
            b'&' => 5,
            b'<' | b'>' => 4,
            b'"' => 6,
            _ => 1,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_whole(fragment: &str) -> bool {
        parse(fragment).is_whole
    }

    #[test]
    fn the_bounds_count_what_is_built_and_may_be_shown() {
        assert!(is_whole(&"<i>a</i>".repeat(MOST_ELEMENTS - 10)));
        assert!(!is_whole(&"<i>a</i>".repeat(MOST_ELEMENTS + 10)));
        assert!(is_whole(&"a".repeat(MOST_BYTES - 100)) && !is_whole(&"a".repeat(MOST_BYTES + 1)));
        assert!(!is_whole(&"&amp;".repeat(MOST_BYTES / 5 + 1)) && is_whole(&"&amp;".repeat(MOST_BYTES / 5 - 100)));
        assert!(!is_whole(
            &format!("<p title=\"{}\">", "a".repeat(LONGEST_VALUE)).repeat(MOST_BYTES / LONGEST_VALUE + 1)
        ));
    }

    #[test]
    fn what_is_not_shown_counts_for_nothing() {
        let long = "a".repeat(MOST_BYTES);
        for unseen in ["script", "style", "iframe", "noembed", "noframes"] {
            assert!(is_whole(&format!("<{unseen}>{long}</{unseen}>b")), "{unseen}");
        }
        assert!(is_whole(&format!("<img src=\"data:{long}\">b<!-- {long} -->")));
        assert!(is_whole(&format!("<svg>{}</svg>", "<rect/>".repeat(2 * MOST_ELEMENTS))));
        assert!(is_whole(&format!("<p onclick=\"{}\">", "a".repeat(1_000)).repeat(5_000)));
    }

    #[test]
    fn what_formatting_repeats_is_bounded_though_it_is_not_shown() {
        let class = "a".repeat(LONGEST_VALUE - 10);
        assert!(!is_whole(&format!("<p><b class=\"{class}\">{}", "<p>x".repeat(5_000))));
    }

    #[test]
    fn a_text_that_looks_small_is_within_the_bounds() {
        let check = |fragment: &str, expected: bool| {
            assert_eq!(looks_small(fragment), expected, "{}", fragment.get(..60).unwrap_or(fragment));
            assert!(!expected || is_whole(fragment));
        };
        check("", true);
        check(&"<p>a</p>".repeat(20_000), true);
        check(&"<p>a</p>".repeat(30_000), false);
        check(&"<B>a".repeat(100), true);
        check(&"<B>a".repeat(260), false);
        check(&"<b>a</b>".repeat(10_000), true);
        check(&"<br>a<body>".repeat(10_000), true);
        check(&"a".repeat(MOST_BYTES / LONGEST_REFERENCE + 1), false);
    }

    #[test]
    fn what_is_a_formulas_source_is_text() {
        for (kind, expected) in [("math/tex", "a"), (" math/asciimath", "a"), ("text/javascript", ""), ("", "")] {
            let Bounded { tree, .. } = parse(&format!("<script type=\"{kind}\">a</script>"));
            assert_eq!(tree.text(DOCUMENT), expected, "{kind}");
        }
    }
}
