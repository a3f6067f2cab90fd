//! The merged feed as RSS 2.0, with the modules that readers know.
//!
//! Pure. What RSS has no element for is taken from Atom's namespace, as its own profile recommends.

use std::borrow::Cow;
use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};

use crate::publish::merged::{MergedFeed, MergedStory, Part, Sequence, TITLE_OF_THE_PAGE};
use crate::publish::xml::{Document, NEWSFOLD, for_newsfolds, in_memory, is_like_markup, without_markup};
use crate::sanitise;

/// What this is.
const RSS: Option<&str> = Some("application/rss+xml");

/// The feed as an RSS document.
#[must_use]
pub fn render(feed: &MergedFeed) -> String {
    in_memory(|out| write(feed, &*feed.stories, out))
}

/// The same with these stories in the place of the feed's own, written as it is made.
///
/// # Errors
/// When it cannot be written, or a story not be read.
pub fn write(feed: &MergedFeed, stories: &(impl Sequence + ?Sized), out: &mut impl Write) -> io::Result<()> {
    let MergedFeed { heading, part, updated, .. } = feed;
    let mut document = Document::new();
    document.open(
        "rss",
        &[
            ("version", Some("2.0")),
            ("xmlns:atom", Some("http://www.w3.org/2005/Atom")),
            ("xmlns:content", Some("http://purl.org/rss/1.0/modules/content/")),
            ("xmlns:fh", matches!(part, Part::Archive { .. }).then_some("http://purl.org/syndication/history/1.0")),
            ("xmlns:dc", Some("http://purl.org/dc/elements/1.1/")),
            ("xmlns:media", Some("http://search.yahoo.com/mrss/")),
            ("xmlns:newsfold", Some(NEWSFOLD)),
            ("xmlns:slash", Some("http://purl.org/rss/1.0/modules/slash/")),
        ],
    );
    document.open("channel", &[]);
    title(&mut document, &heading.title);
    let page = match part {
        Part::Search { .. } => part.address(heading, ""),
        Part::Current { .. } | Part::Archive { .. } => heading.address(""),
    };
    document.leaf("link", &[], &page);
    let about = match part {
        Part::Search { query, .. } => format!("What {} has on {query}", heading.title),
        Part::Current { .. } | Part::Archive { .. } => format!("{}, each story once", heading.title),
    };
    document.leaf("description", &[], &sanitise::escape(&about));
    let mut link = |rel, href: &str, kind| {
        document.empty("atom:link", &[("rel", Some(rel)), ("href", Some(href)), ("type", kind)]);
    };
    link("self", &part.address(heading, ".rss"), RSS);
    if let (Part::Current { .. }, Some(hub)) = (part, &heading.hub) {
        link("hub", hub.as_str(), None);
    }
    for (rel, address) in part.beside(heading, ".rss") {
        link(rel, &address, RSS);
    }
    if matches!(part, Part::Archive { .. }) {
        document.empty("fh:archive", &[]);
    }
    if let Some(updated) = updated {
        document.leaf("lastBuildDate", &[], &instant(*updated));
    }
    document.open("image", &[]);
    document.leaf("url", &[], &heading.icon());
    title(&mut document, &heading.title);
    document.leaf("link", &[], &page);
    document.close();
    document.leaf("docs", &[], "https://www.rssboard.org/rss-specification");
    document.leaf("generator", &[], concat!("newsfold ", env!("CARGO_PKG_VERSION")));
    stories.each(|story| {
        item(&mut document, story);
        document.pass_on(out)
    })?;
    document.finish(out)
}

fn item(document: &mut Document, story: &MergedStory) {
    document.open("item", &[]);
    title(document, &story.title);
    if let Some(permalink) = &story.permalink {
        document.leaf("link", &[], permalink);
    }
    document.leaf("guid", &[("isPermaLink", Some("false"))], &story.id.urn());
    document.leaf("pubDate", &[], &instant(story.published));
    if story.updated > story.published {
        document.leaf("atom:updated", &[], &story.updated.to_rfc3339_opts(SecondsFormat::Secs, true));
    }
    for person in story.bylines() {
        document.leaf("dc:creator", &[], &person.name);
    }
    if let Some(language) = &story.language {
        document.leaf("dc:language", &[], language);
    }
    for category in story.tags.iter().chain(story.categories.iter().filter(|label| !story.tags.contains(label))) {
        document.leaf("category", &[], category);
    }
    if let Some(comments) = &story.comments {
        document.leaf("comments", &[], comments);
    }
    if let Some(count) = story.comment_count {
        document.leaf("slash:comments", &[], &count.to_string());
    }
    document.leaf("description", &[], &description(story));
    // Behind the description: readers that know one of the two alone take the last, or the first.
    if !story.content.is_empty() {
        document.leaf("content:encoded", &[], &story.content);
    }
    media(document, story);
    for other in &story.others {
        if let Some(permalink) = &other.permalink {
            let title = format!("{}: {}", other.source, other.title);
            document
                .empty("atom:link", &[("rel", Some("related")), ("href", Some(permalink)), ("title", Some(&title))]);
        }
    }
    if let Some(page) = story.page() {
        let title = Some(TITLE_OF_THE_PAGE);
        document.empty("atom:link", &[("rel", Some("related")), ("href", Some(page)), ("title", title)]);
    }
    if let Some(followed) = &story.follows {
        let title = format!("Follows: {}", followed.title);
        document
            .empty("atom:link", &[("rel", Some("related")), ("href", Some(&followed.page)), ("title", Some(&title))]);
    }
    for told in &story.other_languages {
        let title = format!("Also in other languages: {}", told.title);
        document.empty(
            "atom:link",
            &[
                ("rel", Some("related")),
                ("href", Some(&told.page)),
                ("hreflang", Some(&told.language)),
                ("title", Some(&title)),
            ],
        );
    }
    // RSS wants the address of the feed; its page is the next best, and without either the credit goes to `dc:publisher`.
    match story.outlet.address.as_ref().or(story.outlet.link.as_ref()) {
        _ if story.digest.is_some() => {}
        Some(address) => document.leaf("source", &[("url", Some(address))], &story.outlet.title),
        None => document.leaf("dc:publisher", &[], &story.outlet.title),
    }
    if story.digest.is_none() {
        for_newsfolds(document, story);
    }
    document.close();
}

/// The short form, which every item has: many readers and most widgets show nothing else. Of a short text it is the text, and of
/// none the title.
fn description(story: &MergedStory) -> Cow<'_, str> {
    match &story.summary {
        Some(summary) => Cow::Borrowed(summary),
        None if story.lead.is_empty() => Cow::Owned(sanitise::escape(&story.headline)),
        None => Cow::Owned(sanitise::escape(&story.lead)),
    }
}

/// RSS has one enclosure an item, with a length that may be 0 where it is not known; the others go to Media RSS.
fn media(document: &mut Document, story: &MergedStory) {
    if let Some(enclosure) = story.enclosures.first() {
        let length = enclosure.length.unwrap_or(0).to_string();
        let kind = enclosure.media_type.as_deref().or(Some("application/octet-stream"));
        document.empty("enclosure", &[("url", Some(&enclosure.url)), ("length", Some(&length)), ("type", kind)]);
    }
    for enclosure in story.enclosures.iter().skip(1) {
        let length = enclosure.length.map(|length| length.to_string());
        let kind = enclosure.media_type.as_deref();
        document
            .empty("media:content", &[("url", Some(&enclosure.url)), ("fileSize", length.as_deref()), ("type", kind)]);
    }
    if let Some(image) = &story.image {
        document.empty("media:thumbnail", &[("url", Some(image))]);
    }
}

/// RSS does not say whether a title is text or markup, and most readers take it for markup: one that looks like it is
/// escaped once more, so that it is shown as it was written.
fn title(document: &mut Document, title: &str) {
    if is_like_markup(title) {
        document.leaf("title", &[], &without_markup(title));
    } else {
        document.leaf("title", &[], title);
    }
}

/// The date of RFC 822 with four digits of year and two of day, as RSS wants it.
fn instant(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
