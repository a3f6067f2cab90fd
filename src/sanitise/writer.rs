//! A tree as markup.
//!
//! Pure. What comes out is well formed and has every element closed where it ends, so that the next parser has no more to do than
//! its length says. What may not stay is not written, and elements that would say nothing are left out: the many `span`s of
//! highlighted code are its colours alone.

use html5ever::{Attribute, ns};

use crate::text::elements;

use super::parser::{FORMATTING, UNSEEN};
use super::tree::{Element, Kind, Tree};
use super::{escape_into, rules};

/// The most elements like `b` and `a` that lie in each other; more of them change nothing that one sees.
const MOST_FORMATTING: usize = 24;
/// How many bytes of a text are written in one piece.
const LONGEST_TEXT: usize = 4 * 1024;
/// Elements that are not shown themselves, and that keep the blocks in them from closing a paragraph around them.
const ENCLOSING: &[&str] = &["applet", "button", "marquee", "object"];
/// Elements that show nothing without an attribute.
const SILENT: &[&str] = &["a", "data", "span"];

/// The tree as markup.
pub(super) fn write(tree: &Tree) -> String {
    let mut writer = Writer { out: String::new(), open: Vec::new(), formatting: 0, formulas: 0 };
    // The document holds the element that the parser puts around a fragment.
    let Some(root) = tree.root() else { return writer.out };
    let mut next = tree.first(root);
    while let Some(number) = next {
        let inner = if writer.enter(tree.kind(number)) { tree.first(number) } else { None };
        next = inner.or_else(|| writer.leave(tree, number, root));
    }
    writer.out
}

/// An element whose end is still to be written.
struct Open<'a> {
    /// `None` when it is not written itself.
    name: Option<&'a str>,
    is_formatting: bool,
    is_formula: bool,
}

struct Writer<'a> {
    out: String,
    open: Vec<Open<'a>>,
    formatting: usize,
    /// How many elements of a formula are open.
    formulas: usize,
}

impl<'a> Writer<'a> {
    /// Closes a node and those that end with it, and says which one comes then.
    fn leave(&mut self, tree: &Tree, mut number: usize, root: usize) -> Option<usize> {
        while number != root {
            if tree.element(number).is_some() {
                self.close();
            }
            if let Some(after) = tree.after(number) {
                return Some(after);
            }
            number = tree.parent(number)?;
        }
        None
    }

    /// Writes what a node begins with; whether what is in it is written.
    fn enter(&mut self, kind: &'a Kind) -> bool {
        match kind {
            Kind::Bare => false,
            Kind::Text(text) => {
                self.text(text);
                false
            }
            Kind::Element(element) => self.begin(element),
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

    fn begin(&mut self, element: &'a Element) -> bool {
        let name = &*element.name.local;
        let is_formula = element.name.ns == ns!(mathml);
        let is_formatting = !is_formula && FORMATTING.contains(&name);
        let is_written = if is_formula { self.is_formula_written(name) } else { self.is_html_written(element) };
        if is_written {
            self.out.push('<');
            self.out.push_str(name);
            let owner = if is_formula { "math" } else { name };
            attributes(element, owner).for_each(|attribute| self.attribute(attribute));
            self.out.push('>');
            if name == "pre" {
                // The line break that a parser skips there; one that is meant comes after it.
                self.out.push('\n');
            }
        }
        self.formatting += usize::from(is_formatting && is_written);
        self.formulas += usize::from(is_formula && is_written);
        self.open.push(Open {
            name: Some(name).filter(|name| is_written && (is_formula || !elements::is_void(name))),
            is_formatting: is_formatting && is_written,
            is_formula: is_formula && is_written,
        });
        is_formula || element.html().is_some_and(|name| !UNSEEN.contains(&name))
    }

    fn is_formula_written(&self, name: &str) -> bool {
        rules::is_formula_part(name) && (name == "math") == (self.formulas == 0)
    }

    /// Whether an element of HTML is written. In a formula none is: there it would lead out of it.
    fn is_html_written(&self, element: &Element) -> bool {
        let Some(name) = element.html().filter(|_| self.formulas == 0) else { return false };
        (rules::is_element(name) || ENCLOSING.contains(&name))
            && (self.formatting < MOST_FORMATTING || !FORMATTING.contains(&name))
            && (!SILENT.contains(&name) || attributes(element, name).next().is_some())
    }

    fn attribute(&mut self, attribute: &Attribute) {
        self.out.push(' ');
        self.out.push_str(&attribute.name.local);
        self.out.push_str("=\"");
        escape_into(&attribute.value, &mut self.out);
        self.out.push('"');
    }

    fn close(&mut self) {
        let Some(Open { name, is_formatting, is_formula }) = self.open.pop() else { return };
        if let Some(name) = name {
            self.out.push_str("</");
            self.out.push_str(name);
            self.out.push('>');
        }
        self.formatting -= usize::from(is_formatting);
        self.formulas -= usize::from(is_formula);
    }
}

/// The attributes that may stay.
fn attributes<'a>(element: &'a Element, owner: &'a str) -> impl Iterator<Item = &'a Attribute> {
    element.attributes.iter().filter(move |attribute| rules::is_attribute(owner, &attribute.name.local))
}
