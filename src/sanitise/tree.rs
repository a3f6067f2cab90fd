//! A publisher's markup as the tree that a browser makes of it, within bounds, and that tree as markup again.
//!
//! Pure. A small text can make a large tree: formatting that is never closed is opened anew in every paragraph. So what is
//! counted is what the parser builds, while it builds it, and it is stopped there. What comes out is well formed and has
//! every element closed where it ends, so that the next parser has no more to do than its length says. Which elements are
//! harmless is `sanitise`'s to say.

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
use url::Url;

use super::{LONGEST_BASE, LONGEST_REFERENCE, escape_into, joined};

/// The most elements of one text, those included that the parser opens anew by itself.
const MOST_ELEMENTS: usize = 50_000;
/// The most bytes of one text as it is written again.
pub(super) const MOST_BYTES: usize = 1024 * 1024;
/// The most elements that the parser holds open, those included that it will open anew: each tag may cost as much as that.
const MOST_OPEN: usize = 200;
/// The most elements like `b` and `a` that lie in each other; more of them change nothing that one sees.
const MOST_FORMATTING: usize = 24;
/// The longest value of an attribute, in bytes: room for the candidates of a `srcset`.
const LONGEST_VALUE: usize = 8 * 1024;
/// How many bytes of a text are written in one piece.
const LONGEST_TEXT: usize = 4 * 1024;
/// How many bytes the parser is given at a time: it is asked in between whether it has built enough.
const PIECE: usize = 16 * 1024;

/// Elements that a browser opens anew where the next block begins.
const FORMATTING: &[&str] =
    &["a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"];
/// Elements without an end.
const VOID: &[&str] =
    &["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"];
/// Elements that go with all that is in them: it is not text.
const HIDDEN: &[&str] =
    &["script", "style", "template", "noembed", "noframes", "xmp", "plaintext", "iframe", "svg", "math"];
/// Elements that are not shown themselves, and that keep the blocks in them from closing a paragraph around them.
const ENCLOSING: &[&str] = &["applet", "button", "marquee", "object"];

/// A text within the bounds.
#[derive(Debug)]
pub(super) struct Bounded {
    /// Well-formed markup.
    pub(super) html: String,
    /// Whether all of the text is in it.
    pub(super) is_whole: bool,
}

/// The fragment as markup that is no larger than the bounds, with only those elements and attributes that `is_kept` knows:
/// it is asked with the name of an element and of an attribute, or with `None` for the element itself.
///
/// Addresses are left as they are, but for those below an `xml:base`, which are joined to that and to `base`.
pub(super) fn bounded(fragment: &str, base: Option<&Url>, is_kept: fn(&str, Option<&str>) -> bool) -> Bounded {
    let builder = Builder::new(is_kept);
    let tokenizer = Tokenizer::new(builder, TokenizerOpts::default());
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
    let Sink { nodes, is_full, .. } = tokenizer.sink.into_sink();
    let is_full = is_full.get();
    Bounded { html: Writer::new(&nodes.into_inner(), base, is_kept).write(), is_whole: !is_full }
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
    let mut open = 0_usize;
    memchr_iter(b'<', bytes).zip(1..).all(|(at, tags)| {
        let rest = bytes.get(at + 1..).unwrap_or_default();
        let (is_end, rest) = rest.strip_prefix(b"/").map_or((false, rest), |rest| (true, rest));
        let is_formatting = FORMATTING.iter().any(|name| {
            let (head, after) = rest.split_at_checked(name.len()).unwrap_or_default();
            head.eq_ignore_ascii_case(name.as_bytes()) && !after.first().is_some_and(u8::is_ascii_alphanumeric)
        });
        match (is_formatting, is_end) {
            (true, false) => open += 1,
            (true, true) => open = open.saturating_sub(1),
            (false, _) => {}
        }
        tags * (1 + open) <= MOST_ELEMENTS
    })
}

/// What stands in a tree.
#[derive(Debug)]
enum Kind {
    /// A node that only holds others, or says nothing.
    Bare,
    Text(StrTendril),
    Element(QualName, Vec<Attribute>),
}

/// A node, linked to those around it by their numbers, so that taking it elsewhere costs the same wherever it stands.
#[derive(Debug)]
struct Node {
    kind: Kind,
    parent: Option<usize>,
    before: Option<usize>,
    after: Option<usize>,
    first: Option<usize>,
    last: Option<usize>,
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
    fn new(is_kept: fn(&str, Option<&str>) -> bool) -> Self {
        let sink = Sink {
            nodes: RefCell::new(Vec::new()),
            elements: Cell::new(0),
            bytes: Cell::new(0),
            is_full: Cell::new(false),
            is_kept,
        };
        let html = |local| QualName::new(None, ns!(html), local);
        sink.node(Kind::Bare);
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
        let is_left_out = !VOID.contains(&&*tag.name) && self.held() >= MOST_OPEN;
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
    nodes: RefCell<Vec<Node>>,
    elements: Cell<usize>,
    /// How long it is as markup, about.
    bytes: Cell<usize>,
    is_full: Cell<bool>,
    is_kept: fn(&str, Option<&str>) -> bool,
}

impl Sink {
    fn node(&self, kind: Kind) -> usize {
        let mut nodes = self.nodes.borrow_mut();
        nodes.push(Node { kind, parent: None, before: None, after: None, first: None, last: None });
        nodes.len() - 1
    }

    fn element(&self, name: QualName, mut attributes: Vec<Attribute>, flags: &ElementFlags) -> Handle {
        attributes.retain(|attribute| {
            name.ns == ns!(html)
                && attribute.value.len() <= LONGEST_VALUE
                && (&*attribute.name.local == BASE || (self.is_kept)(&name.local, Some(&attribute.name.local)))
        });
        let values =
            attributes.iter().map(|attribute| attribute.name.local.len() + written_bytes(&attribute.value) + 4);
        self.count(1, 2 * name.local.len() + 5 + values.sum::<usize>());
        let contents = flags.template.then(|| self.held(Kind::Bare, name.clone(), None, false));
        let is_integration_point = flags.mathml_annotation_xml_integration_point;
        self.held(Kind::Element(name.clone(), attributes), name, contents, is_integration_point)
    }

    fn held(&self, kind: Kind, name: QualName, contents: Option<Handle>, is_integration_point: bool) -> Handle {
        let number = self.node(kind);
        Handle(Rc::new(Held { number, name, contents, is_integration_point }))
    }

    fn bare(&self) -> Handle {
        self.held(Kind::Bare, QualName::new(None, ns!(), local_name!("")), None, false)
    }

    fn count(&self, elements: usize, bytes: usize) {
        self.elements.update(|sum| sum + elements);
        self.bytes.update(|sum| sum + bytes);
        if self.elements.get() > MOST_ELEMENTS || self.bytes.get() > MOST_BYTES {
            self.is_full.set(true);
        }
    }

    /// Puts a node, or a text, into `parent` before `after`, or at its end; a text joins one that it would stand beside.
    fn insert(&self, parent: usize, after: Option<usize>, child: NodeOrText<Handle>) {
        let text = match child {
            NodeOrText::AppendNode(Handle(held)) => return self.link(parent, after, held.number),
            NodeOrText::AppendText(text) => text,
        };
        if matches!(&self.nodes.borrow()[parent].kind, Kind::Element(name, _) if is_hidden(name)) {
            return;
        }
        self.count(0, written_bytes(&text));
        let before = self.before(parent, after);
        if let Some(before) = before
            && let Kind::Text(known) = &mut self.nodes.borrow_mut()[before].kind
        {
            known.push_tendril(&text);
            return;
        }
        let number = self.node(Kind::Text(text));
        self.link(parent, after, number);
    }

    /// What stands in `parent` right before `after`, or at its end.
    fn before(&self, parent: usize, after: Option<usize>) -> Option<usize> {
        let nodes = self.nodes.borrow();
        after.map_or_else(|| nodes[parent].last, |after| nodes[after].before)
    }

    /// Takes a node from where it stands into `parent` before `after`, or to its end.
    fn link(&self, parent: usize, after: Option<usize>, number: usize) {
        self.detach(number);
        let before = self.before(parent, after);
        let mut nodes = self.nodes.borrow_mut();
        let node = &mut nodes[number];
        (node.parent, node.before, node.after) = (Some(parent), before, after);
        match before {
            Some(before) => nodes[before].after = Some(number),
            None => nodes[parent].first = Some(number),
        }
        match after {
            Some(after) => nodes[after].before = Some(number),
            None => nodes[parent].last = Some(number),
        }
    }

    fn detach(&self, number: usize) {
        let mut nodes = self.nodes.borrow_mut();
        let node = &mut nodes[number];
        let (parent, before, after) = (node.parent.take(), node.before.take(), node.after.take());
        let Some(parent) = parent else { return };
        match before {
            Some(before) => nodes[before].after = after,
            None => nodes[parent].first = after,
        }
        match after {
            Some(after) => nodes[after].before = before,
            None => nodes[parent].last = before,
        }
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
        if self.nodes.borrow()[element.0.number].parent.is_some() {
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
        let parent = self.nodes.borrow()[sibling].parent;
        self.insert(parent.unwrap_or(DOCUMENT), parent.and(Some(sibling)), child);
    }

    // Only of `html` and `body`, which stand around the text.
    fn add_attrs_if_missing(&self, _: &Handle, _: Vec<Attribute>) {}

    fn remove_from_parent(&self, target: &Handle) {
        self.detach(target.0.number);
    }

    fn reparent_children(&self, node: &Handle, parent: &Handle) {
        loop {
            let first = self.nodes.borrow()[node.0.number].first;
            let Some(first) = first else { return };
            self.link(parent.0.number, None, first);
        }
    }

    fn is_mathml_annotation_xml_integration_point(&self, target: &Handle) -> bool {
        target.0.is_integration_point
    }
}

/// The number of the node that holds all others.
const DOCUMENT: usize = 0;
/// XML's attribute for what addresses are relative to, as it stands in XHTML that was taken over.
const BASE: &str = "xml:base";

/// Whether an element goes with all that is in it.
fn is_hidden(name: &QualName) -> bool {
    name.ns != ns!(html) || HIDDEN.contains(&&*name.local)
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

/// An element whose end is still to be written.
struct Open<'a> {
    /// `None` when it is not written itself.
    name: Option<&'a str>,
    is_formatting: bool,
    has_base: bool,
}

/// Writes a tree as markup.
struct Writer<'a> {
    nodes: &'a [Node],
    is_kept: fn(&str, Option<&str>) -> bool,
    out: String,
    open: Vec<Open<'a>>,
    formatting: usize,
    base: Option<&'a Url>,
    /// What the elements around set as their base, each joined to the one before.
    bases: Vec<Option<Url>>,
}

impl<'a> Writer<'a> {
    fn new(nodes: &'a [Node], base: Option<&'a Url>, is_kept: fn(&str, Option<&str>) -> bool) -> Self {
        Self { nodes, is_kept, out: String::new(), open: Vec::new(), formatting: 0, base, bases: Vec::new() }
    }

    fn write(mut self) -> String {
        // The document holds the `html` element that the parser puts around a fragment.
        let Some(root) = self.nodes[DOCUMENT].first else { return self.out };
        let mut next = self.nodes[root].first;
        while let Some(number) = next {
            let inner = if self.enter(number) { self.nodes[number].first } else { None };
            next = inner.or_else(|| self.leave(number, root));
        }
        self.out
    }

    /// Closes a node and those that end with it, and says which one comes then.
    fn leave(&mut self, mut number: usize, root: usize) -> Option<usize> {
        while number != root {
            if matches!(self.nodes[number].kind, Kind::Element(..)) {
                self.close();
            }
            if let Some(after) = self.nodes[number].after {
                return Some(after);
            }
            number = self.nodes[number].parent?;
        }
        None
    }

    /// Writes what a node begins with; whether what is in it is written.
    fn enter(&mut self, number: usize) -> bool {
        match &self.nodes[number].kind {
            Kind::Bare => false,
            Kind::Text(text) => {
                self.text(text);
                false
            }
            Kind::Element(name, attributes) => self.begin(name, attributes),
        }
    }

    /// Writes a text in pieces: html5ever's serialiser, which ammonia writes with, looks for the end of a text at each of its
    /// references. A comment ends it, and ammonia takes that out.
    fn text(&mut self, mut text: &str) {
        while let Some((piece, after)) = text.split_at_checked(text.floor_char_boundary(LONGEST_TEXT)) {
            escape_into(piece, &mut self.out);
            if after.is_empty() {
                return;
            }
            self.out.push_str("<!---->");
            text = after;
        }
    }

    fn begin(&mut self, qualified: &'a QualName, attributes: &[Attribute]) -> bool {
        let name = &*qualified.local;
        let is_hidden = is_hidden(qualified);
        let is_formatting = FORMATTING.contains(&name) && self.formatting < MOST_FORMATTING;
        let is_written = !is_hidden
            && ((self.is_kept)(name, None) || ENCLOSING.contains(&name))
            && (is_formatting || !FORMATTING.contains(&name));
        let own_base = attributes.iter().find(|attribute| &*attribute.name.local == BASE);
        if let Some(own) = own_base {
            let outer = self.bases.last().map_or(self.base, Option::as_ref);
            self.bases.push(joined(&own.value, outer).filter(|base| base.as_str().len() <= LONGEST_BASE));
        }
        if is_written {
            self.out.push('<');
            self.out.push_str(name);
            attributes.iter().for_each(|attribute| self.attribute(attribute));
            self.out.push('>');
            if name == "pre" {
                // The line break that a parser skips there; one that is meant comes after it.
                self.out.push('\n');
            }
        }
        let has_end = is_written && !VOID.contains(&name);
        self.formatting += usize::from(is_formatting && is_written);
        self.open.push(Open {
            name: has_end.then_some(name),
            is_formatting: is_formatting && is_written,
            has_base: own_base.is_some(),
        });
        !is_hidden
    }

    fn attribute(&mut self, attribute: &Attribute) {
        let name = &*attribute.name.local;
        if name == BASE {
            return;
        }
        let value = match self.bases.last() {
            Some(base) if matches!(name, "href" | "src" | "cite" | "poster") => {
                match joined(&attribute.value, base.as_ref()) {
                    Some(address) => Cow::Owned(String::from(address)),
                    None => return,
                }
            }
            _ => Cow::Borrowed(&*attribute.value),
        };
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        escape_into(&value, &mut self.out);
        self.out.push('"');
    }

    fn close(&mut self) {
        let Some(Open { name, is_formatting, has_base }) = self.open.pop() else { return };
        if let Some(name) = name {
            self.out.push_str("</");
            self.out.push_str(name);
            self.out.push('>');
        }
        self.formatting -= usize::from(is_formatting);
        if has_base {
            self.bases.pop();
        }
    }
}
