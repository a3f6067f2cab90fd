//! Lists of feeds as OPML 2.0, for other readers and for whoever wants to subscribe to the feeds directly.
//!
//! Pure. [`crate::parse::opml`] reads them; what is written here is read back there as it was.

use crate::publish::xml::{Document, in_memory};

/// A feed to be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Where it is.
    pub address: &'a str,
    /// The page it belongs to.
    pub page: Option<&'a str>,
    /// What outputs choose it by.
    pub tags: &'a [String],
}

/// The list: each feed in the folder of its first tag, with all of its tags as categories where it has several.
///
/// `note` stands in it for whoever reads it as text.
#[must_use]
pub fn render(title: &str, feeds: &[Listed<'_>], note: Option<&str>) -> String {
    let mut document = Document::new();
    document.open("opml", &[("version", Some("2.0"))]);
    document.open("head", &[]);
    document.leaf("title", &[], title);
    document.close();
    if let Some(note) = note {
        document.comment(note);
    }
    document.open("body", &[]);
    for (folder, members) in folders(feeds) {
        if let Some(folder) = folder {
            document.open("outline", &[("text", Some(folder))]);
        }
        members.into_iter().for_each(|feed| outline(&mut document, feed));
        if folder.is_some() {
            document.close();
        }
    }
    in_memory(|out| document.finish(out))
}

/// The feeds by their first tag, in the order in which the tags come.
fn folders<'a>(feeds: &'a [Listed<'a>]) -> Vec<(Option<&'a str>, Vec<&'a Listed<'a>>)> {
    let mut folders: Vec<(Option<&str>, Vec<&Listed<'_>>)> = Vec::new();
    for feed in feeds {
        let folder = feed.tags.first().map(String::as_str);
        match folders.iter_mut().find(|(name, _)| *name == folder) {
            Some((_, members)) => members.push(feed),
            None => folders.push((folder, vec![feed])),
        }
    }
    folders
}

fn outline(document: &mut Document, feed: &Listed<'_>) {
    let categories: Vec<String> = feed.tags.iter().map(|tag| category(tag)).collect();
    let categories = (feed.tags.len() > 1).then(|| categories.join(","));
    document.empty(
        "outline",
        &[
            ("type", Some("rss")),
            ("text", Some(feed.name)),
            ("xmlUrl", Some(feed.address)),
            ("htmlUrl", feed.page),
            ("category", categories.as_deref()),
        ],
    );
}

/// A tag as a `category`, in which slashes and commas part one from another.
fn category(tag: &str) -> String {
    format!("/{}", tag.replace('%', "%25").replace('/', "%2F").replace(',', "%2C"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::opml;
    use proptest::prelude::*;

    fn read_back(feeds: &[(String, Vec<String>)]) {
        let listed: Vec<Listed<'_>> = feeds
            .iter()
            .map(|(name, tags)| Listed { name, address: "https://example.org/?a=1&b=2", page: None, tags })
            .collect();
        let list = opml::read(render("Feeds", &listed, Some("a -- note")).as_bytes()).unwrap();
        assert_eq!(list.breaks_off, None);
        let mut found: Vec<(String, Vec<String>)> =
            list.outlines.into_iter().map(|feed| (feed.title.unwrap(), feed.tags)).collect();
        let mut expected = feeds.to_vec();
        // A list goes by folders.
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn tags_come_back_whatever_letters_they_hold() {
        let feed = |name: &str, tags: &[&str]| (name.to_owned(), tags.iter().map(|tag| (*tag).to_owned()).collect());
        read_back(&[
            feed("one", &["Art/Design", "x"]),
            feed("two", &["News, local", "y"]),
            feed("three", &["100%", "50%2F"]),
            feed("four", &[]),
            feed("five", &["y", "Art/Design"]),
        ]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            feeds in prop::collection::vec(("[ -~é]{0,12}[!-~]", prop::collection::btree_set("[!-~ü]([ -~]{0,6}[!-~])?", 0..4)), 0..5)
        ) {
            let feeds: Vec<(String, Vec<String>)> = feeds
                .into_iter()
                .map(|(name, tags)| (name.trim().to_owned(), tags.into_iter().collect()))
                .collect();
            read_back(&feeds);
        }
    }

    #[test]
    fn a_feed_is_listed_with_its_page() {
        let tags = ["World".to_owned()];
        let feed = Listed { name: "A", address: "https://a.example/f", page: Some("https://a.example/"), tags: &tags };
        let list = render("Feeds", &[feed], None);
        assert!(list.contains("<outline text=\"World\">"), "{list}");
        let line = "<outline type=\"rss\" text=\"A\" xmlUrl=\"https://a.example/f\" htmlUrl=\"https://a.example/\"/>";
        assert!(list.contains(line), "{list}");
    }
}
