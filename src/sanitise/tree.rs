//! A text as a tree, and the ways to change one.
//!
//! Pure. Nodes are linked to those around them by their numbers, so that taking one elsewhere costs the same wherever it stands.
//! Every look from one node to another is counted: whoever walks a tree over and over comes to an end.

use std::cell::Cell;

use html5ever::tendril::StrTendril;
use html5ever::{Attribute, LocalName, QualName, ns};

/// The number of the node that holds all others.
pub(super) const DOCUMENT: usize = 0;
/// How often it is looked from one node of a tree to another, at most. An article of a hundred pages takes a hundredth of it.
const MOST_STEPS: u32 = 20_000_000;

/// What stands in a tree.
#[derive(Debug)]
pub(super) enum Kind {
    /// A node that only holds others, or says nothing.
    Bare,
    Text(StrTendril),
    Element(Element),
}

#[derive(Debug)]
pub(super) struct Element {
    pub(super) name: QualName,
    pub(super) attributes: Vec<Attribute>,
}

impl Element {
    /// Its name, when it is one of HTML.
    pub(super) fn html(&self) -> Option<&str> {
        (self.name.ns == ns!(html)).then_some(&*self.name.local)
    }

    /// The value of an attribute.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|attribute| &*attribute.name.local == name).map(|attribute| &*attribute.value)
    }

    /// Whether it is of a class.
    pub(super) fn is_of(&self, class: &str) -> bool {
        self.value("class").is_some_and(|classes| classes.split_ascii_whitespace().any(|own| own == class))
    }

    /// Gives an attribute a value.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        match self.attributes.iter_mut().find(|attribute| &*attribute.name.local == name) {
            Some(attribute) => attribute.value = StrTendril::from_slice(value),
            None => self.attributes.push(Attribute {
                name: QualName::new(None, ns!(), LocalName::from(name)),
                value: StrTendril::from_slice(value),
            }),
        }
    }

    /// Takes an attribute away.
    pub(super) fn unset(&mut self, name: &str) {
        self.attributes.retain(|attribute| &*attribute.name.local != name);
    }
}

#[derive(Debug)]
struct Node {
    kind: Kind,
    parent: Option<usize>,
    before: Option<usize>,
    after: Option<usize>,
    first: Option<usize>,
    last: Option<usize>,
}

/// A text.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    /// How often it may still be looked from one node to another.
    steps: Cell<u32>,
}

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: Vec::new(), steps: Cell::new(MOST_STEPS) }
    }
}

impl Tree {
    /// Whether it was walked so often that nothing more is found.
    pub(super) fn is_worn_out(&self) -> bool {
        self.steps.get() == 0
    }

    /// Lets it be walked as often as a new one.
    pub(super) fn rest(&self) {
        self.steps.set(MOST_STEPS);
    }

    fn step(&self) -> Option<()> {
        let left = self.steps.get().checked_sub(1)?;
        self.steps.set(left);
        Some(())
    }

    /// How many nodes it has had; their numbers are below that.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Makes a node, which stands nowhere yet.
    pub(super) fn add(&mut self, kind: Kind) -> usize {
        self.nodes.push(Node { kind, parent: None, before: None, after: None, first: None, last: None });
        self.nodes.len() - 1
    }

    /// Makes an element of HTML, which stands nowhere yet.
    pub(super) fn add_element(&mut self, name: &str, attributes: &[(&str, &str)]) -> usize {
        let mut element =
            Element { name: QualName::new(None, ns!(html), LocalName::from(name)), attributes: Vec::new() };
        for (name, value) in attributes {
            element.set(name, value);
        }
        self.add(Kind::Element(element))
    }

    /// Makes a text, which stands nowhere yet.
    pub(super) fn add_text(&mut self, text: &str) -> usize {
        self.add(Kind::Text(StrTendril::from_slice(text)))
    }

    pub(super) fn kind(&self, number: usize) -> &Kind {
        &self.nodes[number].kind
    }

    pub(super) fn element(&self, number: usize) -> Option<&Element> {
        match &self.nodes[number].kind {
            Kind::Element(element) => Some(element),
            Kind::Bare | Kind::Text(_) => None,
        }
    }

    pub(super) fn element_mut(&mut self, number: usize) -> Option<&mut Element> {
        match &mut self.nodes[number].kind {
            Kind::Element(element) => Some(element),
            Kind::Bare | Kind::Text(_) => None,
        }
    }

    pub(super) fn text_mut(&mut self, number: usize) -> Option<&mut StrTendril> {
        match &mut self.nodes[number].kind {
            Kind::Text(text) => Some(text),
            Kind::Bare | Kind::Element(_) => None,
        }
    }

    /// The name of a node that is an element of HTML.
    pub(super) fn html(&self, number: usize) -> Option<&str> {
        self.element(number)?.html()
    }

    /// Makes an element one of HTML with another name.
    pub(super) fn rename(&mut self, number: usize, name: &str) {
        if let Some(element) = self.element_mut(number) {
            element.name = QualName::new(None, ns!(html), LocalName::from(name));
        }
    }

    pub(super) fn parent(&self, number: usize) -> Option<usize> {
        self.step()?;
        self.nodes[number].parent
    }

    pub(super) fn before(&self, number: usize) -> Option<usize> {
        self.step()?;
        self.nodes[number].before
    }

    pub(super) fn after(&self, number: usize) -> Option<usize> {
        self.step()?;
        self.nodes[number].after
    }

    pub(super) fn first(&self, number: usize) -> Option<usize> {
        self.step()?;
        self.nodes[number].first
    }

    pub(super) fn last(&self, number: usize) -> Option<usize> {
        self.step()?;
        self.nodes[number].last
    }

    /// The element that the parser puts around a fragment.
    pub(super) fn root(&self) -> Option<usize> {
        self.nodes[DOCUMENT].first
    }

    /// The nodes around one, the innermost first.
    pub(super) fn ancestors(&self, number: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(self.parent(number), |at| self.parent(*at))
    }

    /// The nodes right inside one.
    pub(super) fn children(&self, number: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(self.first(number), |at| self.after(*at))
    }

    /// The nodes inside one, in the order of the text.
    pub(super) fn inside(&self, number: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(self.first(number), move |at| self.next(*at, number))
    }

    /// The node that follows in the order of the text, inside `root`.
    pub(super) fn next(&self, number: usize, root: usize) -> Option<usize> {
        self.step()?;
        self.nodes[number].first.or_else(|| self.next_beside(number, root))
    }

    /// The node that follows in the order of the text and is not inside this one, inside `root`.
    pub(super) fn next_beside(&self, mut number: usize, root: usize) -> Option<usize> {
        while number != root {
            self.step()?;
            if let Some(after) = self.nodes[number].after {
                return Some(after);
            }
            number = self.nodes[number].parent?;
        }
        None
    }

    /// All text inside a node.
    pub(super) fn text(&self, number: usize) -> String {
        let mut text = String::new();
        for at in self.inside(number) {
            if let Kind::Text(piece) = &self.nodes[at].kind {
                text.push_str(piece);
            }
        }
        text
    }

    /// Takes a node from where it stands into `parent` before `after`, or to its end.
    pub(super) fn link(&mut self, parent: usize, after: Option<usize>, number: usize) {
        self.detach(number);
        let before = after.map_or(self.nodes[parent].last, |after| self.nodes[after].before);
        let node = &mut self.nodes[number];
        (node.parent, node.before, node.after) = (Some(parent), before, after);
        match before {
            Some(before) => self.nodes[before].after = Some(number),
            None => self.nodes[parent].first = Some(number),
        }
        match after {
            Some(after) => self.nodes[after].before = Some(number),
            None => self.nodes[parent].last = Some(number),
        }
    }

    /// Takes a node, and all that is in it, out of the text.
    pub(super) fn detach(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        let (parent, before, after) = (node.parent.take(), node.before.take(), node.after.take());
        let Some(parent) = parent else { return };
        match before {
            Some(before) => self.nodes[before].after = after,
            None => self.nodes[parent].first = after,
        }
        match after {
            Some(after) => self.nodes[after].before = before,
            None => self.nodes[parent].last = before,
        }
    }

    /// Puts a node where another stands, which goes.
    pub(super) fn replace(&mut self, number: usize, with: usize) {
        if let Some(parent) = self.nodes[number].parent {
            self.link(parent, Some(number), with);
            self.detach(number);
        }
    }

    /// Puts what is in a node where it stands, and takes it out.
    pub(super) fn unwrap(&mut self, number: usize) {
        if let Some(parent) = self.nodes[number].parent {
            while let Some(first) = self.nodes[number].first {
                self.link(parent, Some(number), first);
            }
        }
        self.detach(number);
    }

    /// Puts a text where a node stands, which goes.
    pub(super) fn replace_by_text(&mut self, number: usize, text: &str) {
        let text = self.add_text(text);
        self.replace(number, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree as a text: elements in brackets.
    fn told(tree: &Tree, number: usize) -> String {
        let inner: String = tree.children(number).map(|at| told(tree, at)).collect();
        match tree.kind(number) {
            Kind::Bare => inner,
            Kind::Text(text) => text.to_string(),
            Kind::Element(element) => format!("({}{inner})", &*element.name.local),
        }
    }

    /// `(p a (b c) d)` below the document, and the numbers of `p`, `a`, `b`, `c`, `d`.
    fn tree() -> (Tree, [usize; 5]) {
        let mut tree = Tree::default();
        tree.add(Kind::Bare);
        let [p, b] = ["p", "b"].map(|name| tree.add_element(name, &[("class", "x y"), ("id", "1")]));
        let [a, c, d] = ["a", "c", "d"].map(|text| tree.add_text(text));
        for (parent, child) in [(DOCUMENT, p), (p, a), (p, b), (b, c), (p, d)] {
            tree.link(parent, None, child);
        }
        (tree, [p, a, b, c, d])
    }

    #[test]
    fn nodes_are_taken_elsewhere() {
        let check = |change: fn(&mut Tree, [usize; 5]), expected: &str| {
            let (mut tree, numbers) = tree();
            change(&mut tree, numbers);
            assert_eq!(told(&tree, DOCUMENT), expected);
            let backwards: Vec<usize> = std::iter::successors(tree.last(numbers[0]), |at| tree.before(*at)).collect();
            let mut forwards: Vec<usize> = tree.children(numbers[0]).collect();
            forwards.reverse();
            assert_eq!(backwards, forwards, "{expected}");
        };
        check(|_, _| {}, "(pa(bc)d)");
        check(|tree, [p, _, _, _, d]| tree.link(p, tree.first(p), d), "(pda(bc))");
        check(|tree, [_, a, b, ..]| tree.link(b, None, a), "(p(bca)d)");
        check(|tree, [_, a, ..]| tree.detach(a), "(p(bc)d)");
        check(|tree, [_, _, _, _, d]| tree.detach(d), "(pa(bc))");
        check(|tree, [_, _, b, ..]| tree.detach(b), "(pad)");
        check(|tree, [_, _, b, ..]| tree.unwrap(b), "(pacd)");
        check(|tree, [_, _, b, ..]| tree.replace_by_text(b, "x"), "(paxd)");
        check(|tree, [_, a, b, ..]| tree.replace(b, a), "(pad)");
        check(|tree, [_, _, b, ..]| tree.rename(b, "i"), "(pa(ic)d)");
        check(
            |tree, [_, a, ..]| {
                tree.detach(a);
                tree.detach(a);
                tree.replace_by_text(a, "x");
            },
            "(p(bc)d)",
        );
    }

    #[test]
    fn a_tree_is_walked_in_the_order_of_its_text() {
        let (tree, [p, a, b, c, d]) = tree();
        assert_eq!(tree.inside(p).collect::<Vec<_>>(), [a, b, c, d]);
        assert_eq!(tree.inside(b).collect::<Vec<_>>(), [c]);
        assert_eq!(tree.ancestors(c).collect::<Vec<_>>(), [b, p, DOCUMENT]);
        assert_eq!((tree.next_beside(b, p), tree.next_beside(c, b), tree.next_beside(d, p)), (Some(d), None, None));
        assert_eq!((tree.text(p).as_str(), tree.root(), tree.len()), ("acd", Some(p), 6));
    }

    #[test]
    fn a_tree_that_is_walked_over_and_over_wears_out_and_rests() {
        let (tree, _) = tree();
        let inside = || tree.inside(DOCUMENT).count();
        let before = inside();
        while inside() > 0 {}
        assert!(tree.is_worn_out());
        tree.rest();
        assert_eq!((before > 0, inside()), (true, before));
    }

    #[test]
    fn attributes_are_set_and_taken_away() {
        let (mut tree, [p, ..]) = tree();
        let element = tree.element_mut(p).unwrap();
        assert!(element.is_of("x") && element.is_of("y") && !element.is_of("x y") && !element.is_of("z"));
        element.set("id", "2");
        element.set("dir", "rtl");
        element.unset("class");
        assert_eq!((element.value("id"), element.value("dir"), element.value("class")), (Some("2"), Some("rtl"), None));
        assert_eq!((element.html(), element.attributes.len()), (Some("p"), 2));
    }
}
