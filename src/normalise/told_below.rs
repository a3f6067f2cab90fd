//! What stands below the text of a story in a merged feed: who else tells it, and where it has its page.
//!
//! Pure. `publish` puts it there; when another newsfold's entries are taken in, it is taken off again, or each newsfold on the way
//! would add its own.

use chrono::{DateTime, Utc};

use crate::parse::AlsoToldBy;
use crate::sanitise;

/// What the line is called that leads to a story's page.
pub const TITLE_OF_THE_PAGE: &str = "This story and everyone who tells it";

/// Another telling, as it is listed.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    /// Who tells it, plain text.
    pub source: &'a str,
    /// Under which title, plain text.
    pub title: &'a str,
    /// Its page.
    pub page: Option<&'a str>,
    /// When.
    pub at: DateTime<Utc>,
}

/// Appends the list "Also told by", if it is to list any.
pub fn append_list<'a>(content: &mut String, others: impl IntoIterator<Item = Listed<'a>>) {
    let mut others = others.into_iter().peekable();
    if others.peek().is_none() {
        return;
    }
    content.push_str("\n<p>Also told by:</p>\n<ul>\n");
    for Listed { source, title, page, at } in others {
        let source = sanitise::escape(source);
        let title = sanitise::escape(title);
        let at = at.format("%Y-%m-%d %H:%M UTC");
        match page {
            Some(page) => {
                let page = sanitise::escape(page);
                content.push_str(&format!("<li>{source}: <a href=\"{page}\">{title}</a> ({at})</li>\n"));
            }
            None => content.push_str(&format!("<li>{source}: {title} ({at})</li>\n")),
        }
    }
    content.push_str("</ul>");
}

/// Appends the line that leads to the story's page.
pub fn append_page(content: &mut String, page: &str) {
    content.push_str(&format!("\n<p><a href=\"{}\">{TITLE_OF_THE_PAGE}</a></p>", sanitise::escape(page)));
}

/// A text without what another newsfold put below it.
///
/// That is known letter by letter from what it says beside the text: that these tell the story too, and where its page is. Where
/// it does not stand there, the text is whole.
#[must_use]
pub fn without<'t>(text: &'t str, also: &[AlsoToldBy], page: Option<&str>) -> &'t str {
    let list = || {
        let listed = also.iter().filter_map(|also| {
            let AlsoToldBy { source, title, url, date, .. } = also;
            Some(Listed { source: source.as_deref()?, title: title.as_deref()?, page: url.as_deref(), at: (*date)? })
        });
        let mut list = String::new();
        append_list(&mut list, listed);
        list
    };
    let line = || {
        let mut line = String::new();
        page.into_iter().for_each(|page| append_page(&mut line, page));
        line
    };
    let (list, line) = (list(), line());
    for below in [format!("{list}{line}"), line, list] {
        if let Some(own) = text.strip_suffix(&below).filter(|_| !below.is_empty()) {
            return own;
        }
        // Nothing stood before it.
        if !below.is_empty() && text.trim() == below.trim() {
            return "";
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "https://a.example/story/1?a&b";

    fn also() -> AlsoToldBy {
        AlsoToldBy {
            source: Some("Tribune & Co".into()),
            title: Some("A < B".into()),
            url: Some("https://t.example/1".into()),
            date: Some(DateTime::UNIX_EPOCH),
            ..AlsoToldBy::default()
        }
    }

    fn below(also: &[AlsoToldBy], page: Option<&str>) -> String {
        let mut text = String::new();
        append_list(
            &mut text,
            also.iter().map(|also| Listed {
                source: also.source.as_deref().unwrap(),
                title: also.title.as_deref().unwrap(),
                page: also.url.as_deref(),
                at: also.date.unwrap(),
            }),
        );
        page.into_iter().for_each(|page| append_page(&mut text, page));
        text
    }

    #[test]
    fn what_was_put_below_a_text_comes_off_and_nothing_else() {
        let check = |text: &str, also: &[AlsoToldBy], page: Option<&str>, expected: &str| {
            assert_eq!(without(text, also, page), expected, "{text:?}");
        };
        let both = [also(), AlsoToldBy { url: None, ..also() }];
        for (others, page) in [(&both[..], Some(PAGE)), (&both[..], None), (&[], Some(PAGE))] {
            check(&format!("<p>Words.</p>{}", below(others, page)), others, page, "<p>Words.</p>");
            check(below(others, page).trim(), others, page, "");
            check("<p>Words.</p>", others, page, "<p>Words.</p>");
            check(&format!("{} More.", below(others, page)), others, page, &format!("{} More.", below(others, page)));
        }
        check("Words.", &[], None, "Words.");
        // An output may name the page alone, whoever else tells the story.
        check(&format!("Words.{}", below(&[], Some(PAGE))), &both, Some(PAGE), "Words.");
        let elsewhere = format!("Words.{}", below(&[], Some("https://b.example/story/2")));
        check(&elsewhere, &both, Some(PAGE), &elsewhere);
    }
}
