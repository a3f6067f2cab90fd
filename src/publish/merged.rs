//! Stories to the merged feed, in the shape that every format is rendered from.
//!
//! Pure. A merged feed is made of what is stored and of the output's heading, and of nothing else: the same stories give the
//! same value, and each format renders the same value to the same bytes.

use chrono::{DateTime, Utc};
use url::Url;

use crate::model::{Detail, Enclosure, EntryId, Person, StoryId};
use crate::normalise::text;
use crate::sanitise;
use crate::store::feeds::Source;
use crate::store::stories::{Story, Telling};

/// The longest title made from a text that has none, in characters.
const TITLE_FROM_TEXT: usize = 90;
/// The most other tellings that an entry lists.
const MOST_OTHERS: usize = 100;

/// What an output is called and where it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// The output's name in addresses.
    pub name: String,
    /// What readers show.
    pub title: String,
    /// The address that everything is served under, with a slash at its end.
    pub public_url: Url,
}

impl Heading {
    /// Where the output is served with this ending, such as `.atom`; the page has none.
    #[must_use]
    pub fn address(&self, ending: &str) -> String {
        format!("{}{}{ending}", self.public_url, self.name)
    }
}

/// A merged feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergedFeed {
    /// Its name, title and address.
    pub heading: Heading,
    /// When the newest of its stories last changed; `None` when there is none.
    pub updated: Option<DateTime<Utc>>,
    /// Newest first.
    pub stories: Vec<MergedStory>,
}

/// One story as it is published. All markup is sanitised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergedStory {
    /// Its name for life.
    pub id: StoryId,
    /// Plain text, never empty.
    pub title: String,
    /// The canonical entry's page.
    pub permalink: Option<String>,
    /// When it was first published.
    pub published: DateTime<Utc>,
    /// When its canonical entry last changed.
    pub updated: DateTime<Utc>,
    /// The canonical entry's authors.
    pub authors: Vec<Person>,
    /// HTML: the short form.
    pub summary: Option<String>,
    /// HTML: the full form, with the other tellings listed below it.
    pub content: String,
    /// The beginning of the text, plain.
    pub lead: String,
    /// The canonical entry's labels.
    pub categories: Vec<String>,
    /// The canonical entry's media files.
    pub enclosures: Vec<Enclosure>,
    /// BCP 47 tag.
    pub language: Option<String>,
    /// A picture that stands for it.
    pub image: Option<String>,
    /// Where readers comment on it.
    pub comments: Option<String>,
    /// The feed of the canonical entry.
    pub source: Credit,
    /// Everyone else who tells it, oldest first.
    pub others: Vec<Other>,
    /// How many feeds tell it.
    pub sources: u32,
}

/// A feed, credited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credit {
    /// What it is called: its own title, else the configured name.
    pub title: String,
    /// Its name for life: a URN derived from the address it was first configured with, which may hold a reader's token.
    pub id: String,
    /// Where it is, without what only we may know; `None` for a file of this machine.
    pub address: Option<String>,
    /// The page it belongs to.
    pub link: Option<String>,
}

/// Another telling of a story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// Who tells it.
    pub source: String,
    /// Under which title, plain text.
    pub title: String,
    /// The page.
    pub permalink: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

impl Credit {
    /// How a feed is credited.
    #[must_use]
    pub fn of(source: &Source) -> Self {
        let web = |address: &str| sanitise::web_address(address, None).map(String::from);
        Self {
            title: source.title.clone().unwrap_or_else(|| source.name.clone()),
            id: StoryId::derive(&source.identity, &EntryId(String::new())).urn(),
            address: public_address(&source.address),
            link: source.link.as_deref().and_then(web),
        }
    }
}

/// The address of a feed as strangers may see it: its user and its query are left out, as they may hold a reader's token.
fn public_address(address: &str) -> Option<String> {
    let mut address = sanitise::web_address(address, None)?;
    address.set_query(None);
    address.set_fragment(None);
    // A failure is impossible on a web address.
    let _ = address.set_username("");
    let _ = address.set_password(None);
    Some(address.into())
}

/// A story as it is published: told by `coverage`, the canonical entry's text being `detail`.
///
/// `None` when it is not to be published, or its canonical entry is not among those who tell it.
#[must_use]
pub fn story<'a>(
    story: &Story,
    coverage: &[Telling],
    detail: Detail,
    source_of: impl Fn(&Telling) -> Option<&'a Source>,
) -> Option<MergedStory> {
    let published = story.published?;
    let speaker = coverage.iter().find(|telling| telling.entry == story.canonical)?;
    let permalink = speaker.permalink.as_ref().map(ToString::to_string);
    let base = detail.base.as_deref().or(permalink.as_deref()).and_then(|base| Url::parse(base).ok());
    let clean = |markup: &Option<String>| {
        markup.as_deref().map(|markup| sanitise::html(markup, base.as_ref())).filter(|clean| !clean.is_empty())
    };
    let (summary, full) = (clean(&detail.summary), clean(&detail.content));
    let lead = text::plain(summary.as_deref().or(full.as_deref()).unwrap_or_default());
    let title = match speaker.title.as_str() {
        "" if lead.is_empty() => permalink.clone().unwrap_or_else(|| "Untitled".into()),
        "" => text::shorten(&lead, TITLE_FROM_TEXT),
        title => title.to_owned(),
    };
    let others: Vec<Other> = coverage
        .iter()
        .filter(|telling| telling.entry != speaker.entry)
        .map(|telling| Other {
            source: source_of(telling).map_or_else(String::new, |source| Credit::of(source).title),
            title: if telling.title.is_empty() { title.clone() } else { telling.title.clone() },
            permalink: telling.permalink.as_ref().map(ToString::to_string),
            at: telling.published.filter(|at| *at <= telling.first_seen).unwrap_or(telling.first_seen),
        })
        .take(MOST_OTHERS)
        .collect();
    let mut content = full.or_else(|| summary.clone()).unwrap_or_default();
    append_others(&mut content, &others);
    Some(MergedStory {
        id: story.id,
        title,
        permalink,
        published,
        updated: story.updated.unwrap_or(published),
        authors: detail.authors,
        summary: summary.filter(|_| detail.content.is_some()),
        content,
        lead: text::shorten(&lead, 300),
        categories: detail.categories,
        enclosures: detail.enclosures,
        language: detail.language,
        image: detail.image,
        comments: detail.comments,
        source: Credit::of(source_of(speaker)?),
        others,
        sources: story.sources,
    })
}

/// The list "Also told by" at the end of a story's text.
fn append_others(content: &mut String, others: &[Other]) {
    if others.is_empty() {
        return;
    }
    content.push_str("\n<p>Also told by:</p>\n<ul>\n");
    for other in others {
        let source = sanitise::escape(&other.source);
        let title = sanitise::escape(&other.title);
        let at = other.at.format("%Y-%m-%d %H:%M UTC");
        match &other.permalink {
            Some(permalink) => {
                content.push_str(&format!(
                    "<li>{source}: <a href=\"{}\">{title}</a> ({at})</li>\n",
                    sanitise::escape(permalink)
                ));
            }
            None => content.push_str(&format!("<li>{source}: {title} ({at})</li>\n")),
        }
    }
    content.push_str("</ul>");
}

/// The merged feed of `stories`, which are sorted already.
#[must_use]
pub fn feed(heading: Heading, stories: Vec<MergedStory>) -> MergedFeed {
    MergedFeed { heading, updated: stories.iter().map(|story| story.updated.max(story.published)).max(), stories }
}
