//! Feeds added to a configuration file and taken out of it: what else stands there stays as it is, byte for byte.
//!
//! Pure: the file's text in, its new text out. Whether that is a configuration is checked by reading it.

use toml::de::{DeTable, DeValue};
use toml::{Spanned, Value};

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

/// The text of a configuration with these feeds behind those that it has, with the line ends that it has there.
///
/// # Errors
/// Why nothing can be added to it.
pub fn with_feeds(text: &str, feeds: &[NewFeed]) -> Result<String, String> {
    let root = DeTable::parse(text).map_err(|error| format!("not valid TOML: {error}"))?;
    let (before, after) = text.split_at_checked(behind_the_feeds(text, root.get_ref())?).unwrap_or((text, ""));
    let is_windows =
        before.trim_end_matches('\n').ends_with('\r') || (!before.ends_with('\n') && before.contains("\r\n"));
    let line_end = if is_windows { "\r\n" } else { "\n" };
    let mut added = String::new();
    if !before.is_empty() && !before.ends_with('\n') {
        added.push_str(line_end);
    }
    for line in feeds.iter().flat_map(lines) {
        added.push_str(&line);
        added.push_str(line_end);
    }
    Ok(format!("{before}{added}{after}"))
}

/// The text of a configuration without the feed at this position among those that it has, and without the comments below it.
///
/// # Errors
/// Why it cannot be taken out.
pub fn without_feed(text: &str, position: usize) -> Result<String, String> {
    let root = DeTable::parse(text).map_err(|error| format!("not valid TOML: {error}"))?;
    let feeds = root.get_ref().get("feed").and_then(|feeds| feeds.get_ref().as_array());
    let Some(feed) = feeds.and_then(|feeds| feeds.get(position)).filter(|feed| is_headed(text, feed)) else {
        return Err(IN_ONE_LINE.to_owned());
    };
    let (begin, end) = (feed.span().start, below(text, end_of(feed)));
    let (before, after) = (text.get(..begin).unwrap_or_default(), text.get(end..).unwrap_or_default());
    // Of the blank lines around it one pair is enough.
    let after = match after.strip_prefix("\r\n").or_else(|| after.strip_prefix('\n')) {
        Some(rest) if before.is_empty() || before.ends_with("\n\n") || before.ends_with("\n\r\n") => rest,
        _ => after,
    };
    Ok(format!("{before}{after}"))
}

/// Why nothing is changed about feeds that have no table of their own.
const IN_ONE_LINE: &str = "its feeds are written in one line; write each under a `[[feed]]` of its own";

/// A feed as it is written, with a line between it and what is above.
fn lines(feed: &NewFeed) -> Vec<String> {
    let text = |text: &String| Value::String(text.clone());
    let mut lines = vec![String::new(), "[[feed]]".to_owned(), format!("url = {}", text(&feed.url))];
    lines.extend(feed.name.as_ref().map(|name| format!("name = {}", text(name))));
    if !feed.tags.is_empty() {
        lines.push(format!("tags = {}", Value::Array(feed.tags.iter().map(text).collect())));
    }
    lines
}

/// Where the last feed ends, with the comments that stand right below it; without feeds, the end of the file.
fn behind_the_feeds(text: &str, root: &DeTable<'_>) -> Result<usize, String> {
    let Some(feeds) = root.get("feed") else { return Ok(text.len()) };
    let last = feeds.get_ref().as_array().and_then(|feeds| feeds.iter().last());
    let Some(last) = last.filter(|feed| is_headed(text, feed)) else { return Err(IN_ONE_LINE.to_owned()) };
    Ok(below(text, end_of(last)))
}

/// Whether a feed stands under a `[[feed]]` of its own.
fn is_headed(text: &str, feed: &Spanned<DeValue<'_>>) -> bool {
    text.get(feed.span().start..).is_some_and(|feed| feed.starts_with('['))
}

/// Where the line ends in which a feed ends, and the comments that stand right below it.
fn below(text: &str, mut end: usize) -> usize {
    for (position, line) in text.get(end..).unwrap_or_default().split_inclusive('\n').enumerate() {
        let is_comment = line.trim_start().starts_with('#');
        if position > 0 && !is_comment {
            break;
        }
        end += line.len();
    }
    end
}

/// The end of a value, and of what a table holds.
fn end_of(value: &Spanned<DeValue<'_>>) -> usize {
    let held = value.get_ref().as_table().into_iter().flatten().map(|(_, value)| end_of(value));
    held.chain([value.span().end]).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(url: &str) -> NewFeed {
        NewFeed { url: url.into(), ..NewFeed::default() }
    }

    /// Checks that what was there stays, with `added` between its two parts.
    fn check(before: &str, added: &str, after: &str) {
        let new = NewFeed {
            name: Some("b \"c\"".into()),
            tags: vec!["world".into(), "x".into()],
            ..feed("https://b.example/")
        };
        let found = with_feeds(&format!("{before}{after}"), &[new]).unwrap();
        assert_eq!(found, format!("{before}{added}{after}"));
    }

    const ADDED: &str = "\n[[feed]]\nurl = \"https://b.example/\"\nname = 'b \"c\"'\ntags = [\"world\", \"x\"]\n";

    #[test]
    fn what_was_there_stays_as_it_was() {
        let feed = "# Mine.\n[poll]\ninterval   =  \"2h\"   # slow\n\n[[feed]]\nurl = 'https://a.example/'  # a\n";
        let output = "\n# What comes out.\n[[output]]\nname = \"news\"\n# The end.\n";
        check(feed, ADDED, output);
        check(&format!("{feed}# tags = []\n"), ADDED, output);
        check(&format!("{feed}keep = [\n  \"url ~ '[['\", # one\n]\n[feed.headers]\nA = '1'\n"), ADDED, output);
        check(&format!("{output}{feed}"), ADDED, "");
        check(&format!("[poll]\n{output}"), ADDED, "");
        check("[[feed]]\nurl = 'https://a.example/'", &format!("\n{ADDED}"), "");
    }

    #[test]
    fn line_ends_are_those_that_stand_there() {
        let windows = |text: &str| text.replace('\n', "\r\n");
        let feed = "[[feed]]\nurl = 'https://a.example/'\n";
        check(&windows(feed), &windows(ADDED), &windows("\n[[output]]\nname = 'x'\n"));
        check(&windows(feed.trim_end()), &windows(&format!("\n{ADDED}")), "");
        check(&format!("# old\r\n{feed}"), ADDED, "\r\n[serve]\r\n");
    }

    #[test]
    fn a_feed_is_taken_out_with_all_that_is_its_own() {
        let a = "[[feed]]\nurl = 'https://a.example/' # mine\n[feed.headers]\nX = '1'\n# tags = []\n";
        let b = "[[feed]]\nurl = 'https://b.example/'\n";
        let [head, tail] =
            ["# All of it.\n[poll]\ninterval = '2h'\n\n", "\n# What comes out.\n[[output]]\nname = 'x'\n"];
        let whole = format!("{head}{a}\n{b}{tail}");
        assert_eq!(without_feed(&whole, 0).unwrap(), format!("{head}{b}{tail}"));
        assert_eq!(without_feed(&whole, 1).unwrap(), format!("{head}{a}{tail}"));
        let windows = |text: &str| text.replace('\n', "\r\n");
        assert_eq!(without_feed(&windows(&whole), 0).unwrap(), windows(&format!("{head}{b}{tail}")));
        assert_eq!(without_feed(b, 0).unwrap(), "");
        for (text, position) in [("feed = [{ url = 'x' }]\n", 0), (b, 1), ("[poll]\n", 0)] {
            assert!(without_feed(text, position).is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_without_feeds_gets_its_first() {
        let new = [feed("https://a.example/")];
        let added = "\n[[feed]]\nurl = \"https://a.example/\"\n";
        assert_eq!(with_feeds("[poll]\n", &new).unwrap(), format!("[poll]\n{added}"));
        assert_eq!(with_feeds("", &new).unwrap(), added);
        assert!(with_feeds("feed = [{ url = 'x' }]\n", &new).is_err());
    }
}
