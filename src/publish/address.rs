//! What an address asks for that is not kept ready.
//!
//! Pure.

use url::form_urlencoded;

use crate::config::Format;
use crate::model::StoryId;

/// Something that is rendered when it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// A story and the timeline of its tellings.
    Story(StoryId),
    /// The same for programs.
    StoryData(StoryId),
    /// The feeds for programs.
    FeedData,
    /// What is found, in a format.
    Search {
        /// In which words.
        query: String,
        /// Which page of it, from 1.
        page: usize,
        /// As what.
        format: Format,
    },
    /// How all feeds are doing.
    Feeds(FeedTable),
    /// How one feed is doing.
    Feed(String),
    /// The feeds as a list to subscribe to.
    Opml,
    /// An archive of an output, by both names, in a format.
    Archive(String, String, Format),
}

/// A page of the table of feeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedTable {
    /// What it is sorted by.
    pub order: FeedOrder,
    /// What the names, titles or addresses of its feeds hold; empty for all.
    pub filter: String,
    /// Which page of it, from 1.
    pub page: usize,
}

impl FeedTable {
    /// Where this page is, below the address of everything, as a path without a slash before it.
    #[must_use]
    pub fn address(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let order = FeedOrder::NAMES.iter().find(|(_, order, _)| *order == self.order);
        if let Some((name, ..)) = order.filter(|_| self.order != FeedOrder::default()) {
            query.append_pair("sort", name);
        }
        if !self.filter.is_empty() {
            query.append_pair("q", &self.filter);
        }
        if self.page > 1 {
            query.append_pair("page", &self.page.to_string());
        }
        let query = query.finish();
        if query.is_empty() { "feeds".to_owned() } else { format!("feeds?{query}") }
    }
}

/// What feeds are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FeedOrder {
    /// Those in trouble first, then by name.
    #[default]
    Problems,
    /// By name.
    Name,
    /// The one polled next first.
    Next,
    /// The one that answered last first.
    Success,
    /// The one with most entries first.
    Entries,
    /// The slowest first.
    Slowest,
    /// The largest document first.
    Size,
}

impl FeedOrder {
    /// Every order with its name in addresses and its heading on the page.
    pub const NAMES: [(&'static str, Self, &'static str); 7] = [
        ("problems", Self::Problems, "State"),
        ("name", Self::Name, "Feed"),
        ("success", Self::Success, "Last success"),
        ("next", Self::Next, "Next poll"),
        ("entries", Self::Entries, "Entries"),
        ("slowest", Self::Slowest, "Response"),
        ("size", Self::Size, "Size"),
    ];
}

/// The longest search that is looked up, in characters.
const LONGEST_QUERY: usize = 300;

/// The last page of a search, more than a search can find.
const LAST_PAGE: usize = 1_000_000;

impl Wanted {
    /// What the address asks for; `None` when it is no address of ours.
    #[must_use]
    pub fn at(path: &str, query: Option<&str>) -> Option<Self> {
        let parameter = |wanted: &str| {
            form_urlencoded::parse(query.unwrap_or_default().as_bytes())
                .find(|(name, _)| name == wanted)
                .map(|(_, value)| value.into_owned())
        };
        let words = || parameter("q").unwrap_or_default().chars().take(LONGEST_QUERY).collect::<String>();
        let page = || {
            let page = parameter("page").and_then(|page| page.parse().ok());
            page.filter(|page| (1..=LAST_PAGE).contains(page)).unwrap_or(1)
        };
        let parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        match parts.as_slice() {
            ["story", id] => match id.strip_suffix(".json") {
                Some(id) => id.parse().ok().map(Self::StoryData),
                None => id.parse().ok().map(Self::Story),
            },
            ["feeds.json"] => Some(Self::FeedData),
            ["feeds.opml"] => Some(Self::Opml),
            ["feeds"] => {
                let sort = parameter("sort");
                let known = FeedOrder::NAMES.iter().find(|(name, ..)| sort.as_deref() == Some(name));
                let order = known.map(|(_, order, _)| *order).unwrap_or_default();
                Some(Self::Feeds(FeedTable { order, filter: words().trim().to_owned(), page: page() }))
            }
            ["feeds", name] => Some(Self::Feed(decoded(name))),
            [document] => {
                let ("search", format) = split(document) else { return None };
                Some(Self::Search { query: words(), page: page(), format })
            }
            [output, document] => match split(document) {
                (_, Format::Html) => None,
                (archive, format) => Some(Self::Archive((*output).to_owned(), archive.to_owned(), format)),
            },
            _ => None,
        }
    }

    /// Whether it shows how feeds are doing, which changes with every poll.
    #[must_use]
    pub fn is_of_feeds(&self) -> bool {
        matches!(self, Self::Feeds(_) | Self::Feed(_) | Self::FeedData)
    }
}

/// The name of a document, and its format by its ending.
fn split(document: &str) -> (&str, Format) {
    let known = [Format::Atom, Format::Rss, Format::Json].into_iter();
    let named = known.filter_map(|format| Some((document.strip_suffix(format.ending())?, format))).next();
    named.unwrap_or((document, Format::Html))
}

/// A part of a path as text. In a path a plus stands for itself.
#[must_use]
pub fn decoded(part: &str) -> String {
    let whole = format!("p={}", part.replace('+', "%2B").replace('&', "%26"));
    form_urlencoded::parse(whole.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// Text as a part of a path.
#[must_use]
pub fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, expected: impl Into<Option<Wanted>>) {
        let (path, query) = address.split_once('?').map_or((address, None), |(path, query)| (path, Some(query)));
        assert_eq!(Wanted::at(path, query), expected.into(), "{address}");
    }

    #[test]
    fn addresses_are_read() {
        let search = |query: &str, page, format| Wanted::Search { query: query.into(), page, format };
        check("/search?q=grey+sea", search("grey sea", 1, Format::Html));
        check("/search.atom?x=1&q=a%26b&page=3", search("a&b", 3, Format::Atom));
        for page in ["0", "-1", "x", "", "99999999999999999999"] {
            check(&format!("/search.json?q=a&page={page}"), search("a", 1, Format::Json));
        }
        for (address, order, filter, page) in [
            ("feeds?sort=next&q=grey+sea&page=2", FeedOrder::Next, "grey sea", 2),
            ("feeds?sort=name", FeedOrder::Name, "", 1),
            ("feeds", FeedOrder::Problems, "", 1),
        ] {
            let table = FeedTable { order, filter: filter.into(), page };
            assert_eq!(table.address(), address);
            check(&format!("/{address}"), Wanted::Feeds(table));
        }
        let first = FeedTable { order: FeedOrder::Problems, filter: String::new(), page: 1 };
        check("/feeds?sort=nonsense&page=0&q=+", Wanted::Feeds(first));
        check("/feeds/a%20b+c", Wanted::Feed("a b+c".into()));
        check("/feeds.opml", Wanted::Opml);
        check("/feeds.json", Wanted::FeedData);
        let id = StoryId([7; 16]);
        check(&format!("/story/{id}"), Wanted::Story(id));
        check(&format!("/story/{id}.json"), Wanted::StoryData(id));
        check("/news/2026-10.atom", Wanted::Archive("news".into(), "2026-10".into(), Format::Atom));
        check("/news/2026-11.2.json", Wanted::Archive("news".into(), "2026-11.2".into(), Format::Json));
        for nothing in ["/story/nonsense", "/search.exe", "/a/b/c", "/nothing", "nothing"] {
            check(nothing, None);
        }
        check(&format!("/feeds/{}", encoded("a b/ü+&c")), Wanted::Feed("a b/ü+&c".into()));
    }
}
