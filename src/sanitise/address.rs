//! The addresses in a text, made absolute.
//!
//! Pure. Relative ones start from the text's own base, or from the `xml:base` of an element around them. A link to a place in
//! the text leads to that place on the entry's own page (RFC 3986 §4.4: the document that the text stands in, not the feed that
//! carried it). Where an entry has no page, the place is in the text as we publish it, under a name that no other text has.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use url::Url;
use xxhash_rust::xxh3::xxh3_64;

use super::tree::Tree;
use super::{LONGEST_BASE, Origin, rules};
use crate::net::LONGEST_ADDRESS;

/// By how much all addresses of one text may grow when they are made absolute, in bytes.
const MOST_JOINED: usize = 512 * 1024;
/// The most candidates of one `srcset`.
const MOST_CANDIDATES: usize = 64;
/// XML's attribute for what addresses are relative to, as it stands in XHTML that was taken over.
const XML_BASE: &str = "xml:base";

/// The address, if a reader may be sent there: absolute, `http` or `https`, and no longer than `LONGEST_ADDRESS`.
#[must_use]
pub fn web_address(text: &str, base: Option<&Url>) -> Option<Url> {
    address(text, base).filter(|url| matches!(url.scheme(), "http" | "https"))
}

/// An address without the user and the password in it, which are somebody's.
#[must_use]
pub fn without_user(address: String) -> String {
    if !address.contains('@') {
        return address;
    }
    match Url::parse(&address) {
        Ok(mut url) if !url.username().is_empty() || url.password().is_some() => {
            // A failure is impossible on an address that has one.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.into()
        }
        _ => address,
    }
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

/// Makes every address of a text absolute, and takes out those that lead nowhere; whether there was room for what they grew by.
///
/// `source` is the text as it came; the names of its places are made of it.
pub(super) fn settle(tree: &mut Tree, origin: Origin<'_>, source: &str) -> bool {
    let Some(root) = tree.root() else { return true };
    let base = origin.base.filter(|base| base.as_str().len() <= LONGEST_ADDRESS);
    let page = origin.page.filter(|page| page.as_str().len() <= LONGEST_ADDRESS);
    let mut joiner = Joiner { base, page, bases: HashMap::new(), room: Some(MOST_JOINED) };
    let mut places = if page.is_none() { Places::of(tree, root, source) } else { Places::default() };
    let mut next = tree.first(root);
    while let Some(number) = next {
        joiner.settle(tree, number, &mut places);
        next = tree.next(number, root);
    }
    places.name(tree, root);
    joiner.room.is_some()
}

/// What addresses are joined to.
struct Joiner<'a> {
    base: Option<&'a Url>,
    page: Option<&'a Url>,
    /// What elements set as their base, each joined to the one around it; `None` where that is no address.
    bases: HashMap<usize, Option<Url>>,
    /// By how many bytes the addresses may still grow; `None` when they would have grown by more.
    room: Option<usize>,
}

impl<'a> Joiner<'a> {
    fn settle(&mut self, tree: &mut Tree, number: usize, places: &mut Places) {
        let Some(element) = tree.element(number).filter(|element| !element.attributes.is_empty()) else { return };
        if let Some(own) = element.value(XML_BASE) {
            let outer = self.base_of(tree, number);
            let base = self.joined(own, outer.as_deref()).filter(|base| base.as_str().len() <= LONGEST_BASE);
            self.bases.insert(number, base);
        }
        let base = self.base_of(tree, number);
        let Some(element) = tree.element_mut(number) else { return };
        if places.known.is_empty() {
            element.unset("id");
        }
        element.attributes.retain_mut(|attribute| {
            let value = &*attribute.value;
            let settled = match &*attribute.name.local {
                "srcset" => self.candidates(value, base.as_deref()),
                "href" => self.link(value, base.as_deref(), places),
                "src" | "poster" | "cite" => self.web(value, base.as_deref()),
                _ => return true,
            };
            let is_kept = settled.is_some();
            if let Some(address) = settled {
                attribute.value = address.into();
            }
            is_kept
        });
    }

    /// What addresses of this element are relative to.
    fn base_of(&self, tree: &Tree, number: usize) -> Option<Cow<'a, Url>> {
        let around = || std::iter::once(number).chain(tree.ancestors(number));
        match around().find_map(|at| self.bases.get(&at)).filter(|_| !self.bases.is_empty()) {
            Some(own) => own.clone().map(Cow::Owned),
            None => self.base.map(Cow::Borrowed),
        }
    }

    fn link(&mut self, value: &str, base: Option<&Url>, places: &mut Places) -> Option<String> {
        let value = value.trim();
        let Some(fragment) = value.strip_prefix('#').or_else(|| Some(value).filter(|value| value.is_empty())) else {
            let url = self.joined(value, base)?;
            return rules::LINKED.contains(&url.scheme()).then(|| without_user(url.into()));
        };
        // A base that the text sets for itself goes first.
        let is_own = base.map(Url::as_str) != self.base.map(Url::as_str);
        match self.page.filter(|_| !is_own) {
            Some(page) => self.web(value, Some(page)),
            None => places.lead_to(fragment).or_else(|| self.web(value, base)),
        }
    }

    /// An address that has to lead to the web.
    fn web(&mut self, value: &str, base: Option<&Url>) -> Option<String> {
        let web = self.joined(value, base).filter(|url| matches!(url.scheme(), "http" | "https"));
        web.map(|url| without_user(url.into()))
    }

    /// An address made absolute, as long as there is room for what it grows by.
    fn joined(&mut self, text: &str, base: Option<&Url>) -> Option<Url> {
        let url = address(text, base)?;
        self.room = self.room?.checked_sub(url.as_str().len().saturating_sub(text.len()));
        self.room.map(|_| url)
    }

    /// The candidates of a `srcset` with absolute addresses; `None` when none is left.
    ///
    /// An address ends at white space, so a comma inside it stays (HTML §4.8.4.2.1).
    fn candidates(&mut self, srcset: &str, base: Option<&Url>) -> Option<String> {
        let mut kept: Vec<String> = Vec::new();
        for (address, descriptor) in candidates(srcset).take(MOST_CANDIDATES) {
            let is_descriptor = descriptor
                .chars()
                .all(|c| c.is_ascii_digit() || matches!(c, '.' | 'w' | 'x' | 'h') || c.is_whitespace());
            if let Some(url) = self.web(address, base).filter(|_| is_descriptor) {
                kept.push(if descriptor.is_empty() { url } else { format!("{url} {descriptor}") });
            }
        }
        (!kept.is_empty()).then(|| kept.join(", "))
    }
}

/// The addresses of a `srcset`, each with its descriptor.
pub(super) fn candidates(srcset: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_between = |c: char| c.is_whitespace() || c == ',';
    let mut rest = srcset.trim_start_matches(is_between);
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (address, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let has_descriptor = !address.ends_with(',');
        let (descriptor, after) =
            if has_descriptor { after.split_once(',').unwrap_or((after, "")) } else { ("", after) };
        rest = after.trim_start_matches(is_between);
        Some((address.trim_end_matches(','), descriptor.trim()))
    })
}

/// The places in a text that links of it may lead to.
#[derive(Default)]
struct Places {
    known: HashSet<String>,
    /// Those that a link leads to.
    wanted: HashSet<String>,
    /// What their names begin with in what we publish, so that none is that of another text's or of a page of ours.
    prefix: String,
}

impl Places {
    fn of(tree: &Tree, root: usize, source: &str) -> Self {
        let known: HashSet<String> = tree.inside(root).filter_map(|number| place_of(tree, number)).collect();
        let prefix = if known.is_empty() { String::new() } else { format!("n{:x}-", xxh3_64(source.as_bytes())) };
        Self { known, wanted: HashSet::new(), prefix }
    }

    /// The link to a place in the text, if it is there.
    fn lead_to(&mut self, fragment: &str) -> Option<String> {
        let name = as_fragment(fragment).filter(|name| self.known.contains(name))?;
        let link = format!("#{}{name}", self.prefix);
        self.wanted.insert(name);
        Some(link)
    }

    /// Gives each place that a link leads to its name, once, and takes all other names out.
    fn name(mut self, tree: &mut Tree, root: usize) {
        if self.known.is_empty() {
            return;
        }
        let mut next = tree.first(root);
        while let Some(number) = next {
            next = tree.next(number, root);
            let name = place_of(tree, number).filter(|name| self.wanted.remove(name));
            let Some(element) = tree.element_mut(number).filter(|element| !element.attributes.is_empty()) else {
                continue;
            };
            match name {
                Some(name) => element.set("id", &format!("{}{name}", self.prefix)),
                None => element.unset("id"),
            }
        }
    }
}

/// The name of the place that an element is, as links write it.
fn place_of(tree: &Tree, number: usize) -> Option<String> {
    let element = tree.element(number)?;
    let named = || element.value("name").filter(|_| element.html() == Some("a"));
    as_fragment(element.value("id").or_else(named)?)
}

/// A name as an address has it behind its `#`.
fn as_fragment(name: &str) -> Option<String> {
    let mut address = Url::parse("https://fragment.invalid/").ok()?;
    address.set_fragment(Some(name));
    address.fragment().filter(|name| (1..=LONGEST_ADDRESS).contains(&name.len())).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sanitise::sanitise;

    fn check(page: Option<&str>, fragment: &str, expected: &str) {
        let [base, page] = [Some("https://example.org/feed/"), page].map(|url| Some(Url::parse(url?).unwrap()));
        let shown = sanitise(fragment, Origin { base: base.as_ref(), page: page.as_ref() }).html;
        assert_eq!(shown.replace(" rel=\"noopener noreferrer nofollow\"", ""), expected, "{fragment}");
    }

    #[test]
    fn a_link_to_a_place_in_the_text_leads_to_the_entrys_page() {
        let page = Some("https://example.org/posts/1/");
        let cases = [
            ("#note-1", "https://example.org/posts/1/#note-1"),
            (" #note 2", "https://example.org/posts/1/#note%202"),
            ("#", "https://example.org/posts/1/#"),
            ("", "https://example.org/posts/1/"),
            ("#fn:1", "https://example.org/posts/1/#fn:1"),
            ("x#note-1", "https://example.org/feed/x#note-1"),
            ("/#note-1", "https://example.org/#note-1"),
            ("https://example.net/#a", "https://example.net/#a"),
        ];
        for (href, expected) in cases {
            check(page, &format!("<a href=\"{href}\">a</a>"), &format!("<a href=\"{expected}\">a</a>"));
        }
        check(
            page,
            "<a href=\"#a\">a</a><p id=\"a\">b</p>",
            "<a href=\"https://example.org/posts/1/#a\">a</a><p>b</p>",
        );
        check(
            page,
            "<div xml:base=\"/own/\"><a href=\"#a\">a</a></div>",
            "<div><a href=\"https://example.org/own/#a\">a</a></div>",
        );
    }

    #[test]
    fn without_a_page_it_leads_to_the_place_in_the_text() {
        let prefix = |fragment: &str| format!("n{:x}-", xxh3_64(fragment.as_bytes()));
        let check = |fragment: &str, expected: &str| check(None, fragment, &expected.replace("N-", &prefix(fragment)));
        check(
            "<a href=\"#a\" id=\"back\">1</a><p id=\"a\" class=\"b\">b<a href=\"#back\">^</a></p><p id=\"c\">c</p>",
            "<a href=\"#N-a\" id=\"N-back\">1</a><p id=\"N-a\">b<a href=\"#N-back\">^</a></p><p>c</p>",
        );
        check("<a href=\"#%C3%A9\">1</a><a name=\"é\">b</a>", "<a href=\"#N-%C3%A9\">1</a><a id=\"N-%C3%A9\">b</a>");
        check(
            "<a href=\"#a\">1</a><i id=\"a\">b</i><i id=\"a\">c</i>",
            "<a href=\"#N-a\">1</a><i id=\"N-a\">b</i><i>c</i>",
        );
        check("<a href=\"#none\">1</a>", "<a href=\"https://example.org/feed/#none\">1</a>");
    }

    #[test]
    fn a_srcset_is_read_as_its_commas_say() {
        let check = |srcset: &str, expected: &[(&str, &str)]| {
            assert_eq!(candidates(srcset).collect::<Vec<_>>(), expected, "{srcset}");
        };
        check("a.png 1x, b,c.png 2x", &[("a.png", "1x"), ("b,c.png", "2x")]);
        check(" , a.png,b.png 2x", &[("a.png,b.png", "2x")]);
        check("a.png, b.png", &[("a.png", ""), ("b.png", "")]);
        check("", &[]);
    }
}
