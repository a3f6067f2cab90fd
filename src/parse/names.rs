//! What an element's prefix means.
//!
//! Pure. Namespaces are known by their address, in the spellings that feeds really use, and where the address is unknown or
//! missing, by the prefix that everybody gives them.

use std::borrow::Cow;

/// The most prefixes that are bound at a time.
const MOST_BINDINGS: usize = 256;

/// A vocabulary that feeds use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Vocabulary {
    /// RSS of any version, and elements without a namespace.
    Rss,
    /// Atom 0.3 or 1.0.
    Atom,
    Rdf,
    /// Dublin Core elements.
    Dc,
    /// Dublin Core terms.
    DcTerms,
    /// RSS 1.0's `content`.
    Content,
    Itunes,
    /// Yahoo's Media RSS.
    Media,
    /// RSS 1.0's syndication module.
    Syndication,
    Slash,
    /// Atom threading, RFC 4685.
    Threading,
    /// Feed paging and archiving, RFC 5005.
    History,
    /// The comment API of well-formed web.
    CommentApi,
    FeedBurner,
    /// XHTML, and the formulas and drawings in it.
    Xhtml,
    /// Ours: what newsfolds tell each other (docs/api.md).
    Newsfold,
    /// One that means nothing to us.
    Other,
}

/// Vocabularies by address, without scheme, in lower case, without `/` or `#` at the end.
const ADDRESSES: &[(&str, Vocabulary)] = &[
    ("www.w3.org/2005/atom", Vocabulary::Atom),
    ("w3.org/2005/atom", Vocabulary::Atom),
    ("purl.org/atom/ns", Vocabulary::Atom),
    ("purl.org/net/atom/ns", Vocabulary::Atom),
    ("purl.org/dc/elements/1.1", Vocabulary::Dc),
    ("purl.org/dc/elements/1.0", Vocabulary::Dc),
    ("purl.org/rss/1.0/modules/dc", Vocabulary::Dc),
    ("purl.org/dc/terms", Vocabulary::DcTerms),
    ("purl.org/rss/1.0/modules/content", Vocabulary::Content),
    ("www.itunes.com/dtds/podcast-1.0.dtd", Vocabulary::Itunes),
    ("itunes.com/dtds/podcast-1.0.dtd", Vocabulary::Itunes),
    ("example.com/dtds/podcast-1.0.dtd", Vocabulary::Itunes),
    ("search.yahoo.com/mrss", Vocabulary::Media),
    ("video.search.yahoo.com/mrss", Vocabulary::Media),
    ("tools.search.yahoo.com/mrss", Vocabulary::Media),
    ("purl.org/rss/1.0/modules/syndication", Vocabulary::Syndication),
    ("purl.org/rss/1.0/modules/slash", Vocabulary::Slash),
    ("purl.org/syndication/thread/1.0", Vocabulary::Threading),
    ("purl.org/syndication/history/1.0", Vocabulary::History),
    ("wellformedweb.org/commentapi", Vocabulary::CommentApi),
    ("rssnamespace.org/feedburner/ext/1.0", Vocabulary::FeedBurner),
    // Another counter of readers, whose `origLink` means the same.
    ("www.pheedo.com/namespace/pheedo", Vocabulary::FeedBurner),
    ("www.w3.org/1999/xhtml", Vocabulary::Xhtml),
    ("www.w3.org/1998/math/mathml", Vocabulary::Xhtml),
    ("www.w3.org/2000/svg", Vocabulary::Xhtml),
    ("newsfold.example/ns", Vocabulary::Newsfold),
    ("www.w3.org/1999/02/22-rdf-syntax-ns", Vocabulary::Rdf),
    ("purl.org/rss/1.0", Vocabulary::Rss),
    ("purl.org/net/rss1.1", Vocabulary::Rss),
    ("my.netscape.com/rdf/simple/0.9", Vocabulary::Rss),
    ("channel.netscape.com/rdf/simple/0.9", Vocabulary::Rss),
    ("my.netscape.com/publish/formats/rss-0.91.dtd", Vocabulary::Rss),
    ("purl.org/rss/1.0/modules/rss091", Vocabulary::Rss),
    ("blogs.law.harvard.edu/tech/rss", Vocabulary::Rss),
    ("cyber.law.harvard.edu/rss", Vocabulary::Rss),
    ("cyber.harvard.edu/rss", Vocabulary::Rss),
    ("www.rssboard.org/rss-specification", Vocabulary::Rss),
    ("example.com/newformat", Vocabulary::Rss),
    ("example.com/necho", Vocabulary::Atom),
    ("purl.org/echo", Vocabulary::Atom),
    ("uri/of/echo/namespace", Vocabulary::Atom),
    ("purl.org/pie", Vocabulary::Atom),
];

/// Prefixes that everybody uses for the same vocabulary.
const PREFIXES: &[(&str, Vocabulary)] = &[
    ("atom", Vocabulary::Atom),
    ("atom10", Vocabulary::Atom),
    ("atom03", Vocabulary::Atom),
    ("a10", Vocabulary::Atom),
    ("rss", Vocabulary::Rss),
    ("rdf", Vocabulary::Rdf),
    ("dc", Vocabulary::Dc),
    ("dcterms", Vocabulary::DcTerms),
    ("dcterm", Vocabulary::DcTerms),
    ("content", Vocabulary::Content),
    ("itunes", Vocabulary::Itunes),
    ("media", Vocabulary::Media),
    ("sy", Vocabulary::Syndication),
    ("slash", Vocabulary::Slash),
    ("thr", Vocabulary::Threading),
    ("fh", Vocabulary::History),
    ("wfw", Vocabulary::CommentApi),
    ("feedburner", Vocabulary::FeedBurner),
    ("pheedo", Vocabulary::FeedBurner),
    ("xhtml", Vocabulary::Xhtml),
    ("newsfold", Vocabulary::Newsfold),
];

/// The vocabulary at `address`; `None` when we know none there.
pub(super) fn vocabulary(address: &str) -> Option<Vocabulary> {
    let address = address.trim().to_ascii_lowercase();
    if address.is_empty() {
        return Some(Vocabulary::Rss);
    }
    let bare = address
        .strip_prefix("http://")
        .or_else(|| address.strip_prefix("https://"))
        .unwrap_or(&address)
        .trim_end_matches(['/', '#']);
    if bare.starts_with("backend.userland.com/") {
        return Some(Vocabulary::Rss);
    }
    ADDRESSES.iter().find(|(known, _)| *known == bare).map(|(_, vocabulary)| *vocabulary)
}

/// The prefixes that are bound where the reader stands.
#[derive(Debug, Default)]
pub(super) struct Bindings<'a>(Vec<(&'a str, Vocabulary)>);

impl<'a> Bindings<'a> {
    /// How many there are; what [`Bindings::cut`] takes to forget later ones.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn cut(&mut self, len: usize) {
        self.0.truncate(len);
    }

    /// Takes in what `xmlns:prefix="address"` says; the prefix is empty for the default namespace.
    ///
    /// On the outer elements an unknown default namespace is taken for the feed's own: formats were moved more often than
    /// their elements were renamed.
    ///
    /// `false` when it was no address as the standards spell it that told the vocabulary.
    pub(super) fn bind(&mut self, prefix: &'a str, address: &str, is_outer: bool) -> bool {
        let known = vocabulary(address);
        let is_usual = !address.trim_start().starts_with("https:");
        let vocabulary = known.or_else(|| by_prefix(prefix)).unwrap_or(if prefix.is_empty() && is_outer {
            Vocabulary::Rss
        } else {
            Vocabulary::Other
        });
        if self.0.len() < MOST_BINDINGS {
            self.0.push((prefix, vocabulary));
        }
        vocabulary == Vocabulary::Other || (known.is_some() && is_usual)
    }

    /// Whether an element's prefix is bound; an element without one needs no namespace.
    pub(super) fn is_bound(&self, name: &str) -> bool {
        name.split_once(':').is_none_or(|(prefix, _)| self.0.iter().any(|(bound, _)| *bound == prefix))
    }

    /// An element's vocabulary and its name there, in lower case.
    pub(super) fn resolve(&self, name: &'a str) -> (Vocabulary, Cow<'a, str>) {
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let bound = self.0.iter().rev().find(|(bound, _)| *bound == prefix).map(|(_, vocabulary)| *vocabulary);
        let vocabulary = bound.or_else(|| by_prefix(prefix)).unwrap_or(if prefix.is_empty() {
            Vocabulary::Rss
        } else {
            Vocabulary::Other
        });
        (vocabulary, lower(local))
    }
}

fn by_prefix(prefix: &str) -> Option<Vocabulary> {
    if prefix.is_empty() {
        return None;
    }
    PREFIXES.iter().find(|(known, _)| known.eq_ignore_ascii_case(prefix)).map(|(_, vocabulary)| *vocabulary)
}

/// The name in lower case: feeds differ in it, and no format has two names that differ in case only.
pub(super) fn lower(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_known_in_every_spelling() {
        for address in ["http://www.w3.org/2005/Atom", "https://www.w3.org/2005/Atom", " http://www.w3.org/2005/Atom/ "]
        {
            assert_eq!(vocabulary(address), Some(Vocabulary::Atom), "{address}");
        }
        assert_eq!(vocabulary("http://backend.userland.com/RSS2"), Some(Vocabulary::Rss));
        assert_eq!(vocabulary("http://example.org/"), None);
    }

    #[test]
    fn an_unbound_prefix_means_what_it_always_means() {
        let bindings = Bindings::default();
        assert_eq!(bindings.resolve("dc:Creator"), (Vocabulary::Dc, "creator".into()));
        assert_eq!(bindings.resolve("x:y").0, Vocabulary::Other);
        assert_eq!(bindings.resolve("item").0, Vocabulary::Rss);
    }

    #[test]
    fn the_innermost_binding_counts() {
        let mut bindings = Bindings::default();
        bindings.bind("a", "http://www.w3.org/2005/Atom", true);
        let outer = bindings.len();
        bindings.bind("a", "http://purl.org/dc/terms/", false);
        assert_eq!(bindings.resolve("a:x").0, Vocabulary::DcTerms);
        bindings.cut(outer);
        assert_eq!(bindings.resolve("a:x").0, Vocabulary::Atom);
    }
}
