//! Lists of feeds as other readers exchange them (OPML 1 and 2).
//!
//! Pure. Folders are tags; a feed may stand in several. Which of the feeds are wanted is the caller's to decide.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// A feed in a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    /// Its address as it stands there.
    pub url: String,
    /// What it is called.
    pub title: Option<String>,
    /// The folders that it stands in and the categories that it names, each once.
    pub tags: Vec<String>,
    /// The line where it stands, from 1.
    pub line: usize,
}

/// Why a list cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {what}")]
pub struct Error {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong, for a person.
    pub what: String,
}

/// Reads a list.
///
/// # Errors
/// When it is no OPML, or broken; where, and why.
pub fn read(text: &str) -> Result<Vec<Outline>, Error> {
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = Reader::from_str(text);
    let mut folders: Vec<Option<String>> = Vec::new();
    let mut outlines: Vec<Outline> = Vec::new();
    let mut is_opml = false;
    loop {
        let at = offset(reader.buffer_position());
        let event =
            reader.read_event().map_err(|error| placed(text, offset(reader.error_position()), error.to_string()))?;
        let (element, is_empty) = match event {
            Event::Start(element) => (element, false),
            Event::Empty(element) => (element, true),
            Event::End(element) => {
                if is_named(element.name().as_ref(), "outline") {
                    folders.pop();
                }
                continue;
            }
            Event::Eof => break,
            _ => continue,
        };
        if !is_opml {
            if !is_named(element.name().as_ref(), "opml") {
                let name = element.name().as_ref().to_owned();
                return Err(placed(text, at, format!("this is no OPML: its root is `{name}`, not `opml`")));
            }
            is_opml = true;
        }
        if !is_named(element.name().as_ref(), "outline") {
            continue;
        }
        let has = attributes(&element).map_err(|what| placed(text, at, what))?;
        let get = |name: &str| {
            let found = has.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let label = get("title").or_else(|| get("text"));
        if let Some(url) = get("xmlUrl") {
            let mut tags: Vec<String> = folders.iter().flatten().cloned().collect();
            for category in get("category").unwrap_or_default().split(',') {
                tags.extend(category.split('/').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned));
            }
            let mut seen = std::collections::HashSet::new();
            tags.retain(|tag| seen.insert(tag.clone()));
            outlines.push(Outline { url, title: label.clone(), tags, line: place(text, at).0 });
        }
        if !is_empty {
            // A feed that holds outlines is no folder.
            folders.push(label.filter(|_| get("xmlUrl").is_none()));
        }
    }
    if !is_opml {
        return Err(placed(text, 0, "this is no OPML: it holds no element".to_owned()));
    }
    if !folders.is_empty() {
        return Err(placed(text, text.len(), "the file breaks off inside an `outline`".to_owned()));
    }
    Ok(outlines)
}

/// Writes a list as OPML 2: each feed in the folder of its first tag, with all of them as categories.
#[must_use]
pub fn write(title: &str, feeds: &[Outline]) -> String {
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<opml version=\"2.0\">\n  <head>\n    <title>{}</title>\n  </head>\n  <body>\n",
        escaped(title)
    );
    let mut folders: Vec<(&str, Vec<&Outline>)> = Vec::new();
    for feed in feeds {
        let folder = feed.tags.first().map_or("", String::as_str);
        match folders.iter_mut().find(|(name, _)| *name == folder) {
            Some((_, members)) => members.push(feed),
            None => folders.push((folder, vec![feed])),
        }
    }
    for (folder, members) in folders {
        let indent = if folder.is_empty() { "    " } else { "      " };
        if !folder.is_empty() {
            text += &format!("    <outline text=\"{}\">\n", escaped(folder));
        }
        for feed in members {
            text += &outline(feed, indent);
        }
        if !folder.is_empty() {
            text += "    </outline>\n";
        }
    }
    text + "  </body>\n</opml>\n"
}

fn outline(feed: &Outline, indent: &str) -> String {
    let title = escaped(feed.title.as_deref().unwrap_or(&feed.url));
    let categories: Vec<String> = feed.tags.iter().map(|tag| format!("/{}", escaped(tag))).collect();
    let category = if feed.tags.len() > 1 { format!(" category=\"{}\"", categories.join(",")) } else { String::new() };
    format!("{indent}<outline type=\"rss\" text=\"{title}\" xmlUrl=\"{}\"{category}/>\n", escaped(&feed.url))
}

fn escaped(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

fn is_named(name: &str, wanted: &str) -> bool {
    name.eq_ignore_ascii_case(wanted)
}

fn attributes(element: &BytesStart<'_>) -> Result<Vec<(String, String)>, String> {
    element
        .attributes()
        .map(|attribute| {
            let attribute = attribute.map_err(|error| format!("an attribute cannot be read: {error}"))?;
            let name = attribute.key.as_ref().to_owned();
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| format!("the attribute `{name}` cannot be read: {error}"))?;
            Ok((name, value.into_owned()))
        })
        .collect()
}

fn offset(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

fn placed(text: &str, at: usize, what: String) -> Error {
    let (line, column) = place(text, at);
    Error { line, column, what }
}

fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (before.matches('\n').count() + 1, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"<?xml version="1.0"?>
<opml version="1.0"><head><title>Mine</title></head><body>
<outline text="World">
  <outline text="Ex &amp; Co" type="rss" xmlUrl="https://example.org/feed?a=1&amp;b=2"/>
  <outline title="Deep"><outline text="Inner" XMLURL="https://example.net/"/></outline>
</outline>
<outline text="Loose" xmlUrl="https://example.com/" category="/World/Asia,news"></outline>
<outline text="Only a note"/>
</body></opml>"#;

    #[test]
    fn folders_and_categories_are_tags() {
        let outlines = read(LIST).unwrap();
        let shown: Vec<(&str, &str, Vec<&str>, usize)> = outlines
            .iter()
            .map(|feed| {
                let tags = feed.tags.iter().map(String::as_str).collect();
                (feed.url.as_str(), feed.title.as_deref().unwrap_or_default(), tags, feed.line)
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("https://example.org/feed?a=1&b=2", "Ex & Co", vec!["World"], 4),
                ("https://example.net/", "Inner", vec!["World", "Deep"], 5),
                ("https://example.com/", "Loose", vec!["World", "Asia", "news"], 7),
            ]
        );
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut before = read(LIST).unwrap();
        let mut after = read(&write("Mine", &before)).unwrap();
        for list in [&mut before, &mut after] {
            list.iter_mut().for_each(|feed| feed.line = 0);
        }
        assert_eq!(after, before);
    }

    #[test]
    fn a_bad_file_is_told_with_line_and_column() {
        let check = |text: &str, expected: &str| {
            let told = read(text).unwrap_err().to_string();
            assert!(told.starts_with(expected), "{told}");
        };
        check("<rss><channel/></rss>", "1:1: this is no OPML: its root is `rss`");
        check("<opml>\n<body>\n <outline text='a'></body></opml>", "3:");
        check("<opml><body><outline text='a'>", "1:31: ");
        check("<opml>\n<body><outline text=a/></body></opml>", "2:7: ");
        check("", "1:1: ");
    }
}
