//! Feeds added to a configuration file, comments and layout kept.
//!
//! Pure: the file's text in, its new text out. Whether that is a configuration is checked by reading it.

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, value};

/// A feed to be added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewFeed {
    /// Its address.
    pub url: String,
    /// What to call it; `None` to let it be derived.
    pub name: Option<String>,
    /// What outputs choose it by.
    pub tags: Vec<String>,
}

/// The text of a configuration with these feeds behind those that it has.
///
/// # Errors
/// Why nothing can be added to it.
pub fn with_feeds(text: &str, feeds: &[NewFeed]) -> Result<String, String> {
    let mut document: DocumentMut = text.parse().map_err(|error| format!("this is no TOML: {error}"))?;
    let listed = document.entry("feed").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    let Some(listed) = listed.as_array_of_tables_mut() else {
        return Err("its feeds are written in one line; write each under a `[[feed]]` of its own".to_owned());
    };
    for feed in feeds {
        let mut table = Table::new();
        table.decor_mut().set_prefix("\n");
        table.insert("url", value(&feed.url));
        if let Some(name) = &feed.name {
            table.insert("name", value(name));
        }
        if !feed.tags.is_empty() {
            table.insert("tags", value(feed.tags.iter().map(String::as_str).collect::<Array>()));
        }
        listed.push(table);
    }
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(url: &str) -> NewFeed {
        NewFeed { url: url.into(), ..NewFeed::default() }
    }

    #[test]
    fn comments_and_layout_stay() {
        let before = "# Mine.\n[poll]\ninterval   =  \"2h\"   # slow\n\n[[feed]]\nurl = 'https://a.example/'\n\n# What comes out.\n[[output]]\nname = \"news\"\n# The end.\n";
        let new =
            NewFeed { name: Some("b".into()), tags: vec!["world".into(), "x".into()], ..feed("https://b.example/") };
        let after = with_feeds(before, &[new]).unwrap();
        let added = "\n[[feed]]\nurl = \"https://b.example/\"\nname = \"b\"\ntags = [\"world\", \"x\"]\n";
        assert!(after.contains(added), "{after}");
        assert_eq!(after.replacen(added, "", 1), before);
    }

    #[test]
    fn a_file_without_feeds_gets_its_first() {
        assert_eq!(
            with_feeds("[poll]\n", &[feed("https://a.example/")]).unwrap(),
            "[poll]\n\n[[feed]]\nurl = \"https://a.example/\"\n"
        );
        assert!(with_feeds("feed = [{ url = 'x' }]\n", &[feed("https://a.example/")]).is_err());
    }
}
