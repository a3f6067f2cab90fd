//! Stories to the merged feed, in the shape that every format is rendered from.
//!
//! Pure. A merged feed is made of what is stored and of the output's heading, and of nothing else: the same stories give the
//! same value, and each format renders the same value to the same bytes.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use url::Url;

use crate::config::{Format, OnCoverage};
use crate::model::{Detail, Enclosure, EntryId, Person, StoryId};
use crate::normalise::text;
use crate::sanitise;
use crate::store::feeds::Source;
use crate::store::stories::{Story, Telling};

/// The longest title made from a text that has none, in characters.
const TITLE_FROM_TEXT: usize = 90;
/// The longest name of a person, a label or a feed, in characters.
const LONGEST_NAME: usize = 200;
/// What stands in the place of a text that the store cannot give back.
const DAMAGED: &str = "<p>The text of this entry is damaged where it was stored. Its page has it.</p>";
/// How many stories a page of a search shows.
pub const HITS_ON_A_PAGE: usize = 100;
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
    /// The hub that tells subscribers of changes.
    pub hub: Option<Url>,
}

impl Heading {
    /// Where the output is served with this ending, such as `.atom`; the page has none.
    #[must_use]
    pub fn address(&self, ending: &str) -> String {
        format!("{}{}{ending}", self.public_url, self.name)
    }

    /// Where one of the output's archives is served with this ending.
    #[must_use]
    pub fn archive(&self, name: &str, ending: &str) -> String {
        format!("{}{}/{name}{ending}", self.public_url, self.name)
    }

    /// Where what was found for a query is served with this ending; pages are counted from 1.
    #[must_use]
    pub fn search(&self, query: &str, page: usize, ending: &str) -> String {
        let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let page = if page > 1 { format!("&page={page}") } else { String::new() };
        format!("{}search{ending}?q={query}{page}", self.public_url)
    }

    /// Where a story has its page.
    #[must_use]
    pub fn story(&self, id: StoryId) -> String {
        format!("{}story/{id}", self.public_url)
    }
}

/// Which part of an output a document is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// What is new, and the newest archive of what was (RFC 5005 §4).
    Current {
        /// Its name.
        newest_archive: Option<String>,
    },
    /// What was new once.
    Archive {
        /// Its name.
        name: String,
        /// The one before it. The one after it is not named: it comes later, and this document stays as it is.
        older: Option<String>,
    },
    /// A page of what was found (RFC 5005 §3).
    Search {
        /// In which words it was looked for.
        query: String,
        /// Which page this is, from 1.
        page: usize,
        /// How many stories were found on all pages.
        hits: usize,
    },
}

impl Part {
    /// Where the document that shows this part is served with this ending.
    #[must_use]
    pub fn address(&self, heading: &Heading, ending: &str) -> String {
        match self {
            Self::Current { .. } => heading.address(ending),
            Self::Archive { name, .. } => heading.archive(name, ending),
            Self::Search { query, page, .. } => heading.search(query, *page, ending),
        }
    }

    /// Where the documents beside this one are served with this ending, each with its relation to this one (RFC 5005).
    #[must_use]
    pub fn beside(&self, heading: &Heading, ending: &str) -> Vec<(&'static str, String)> {
        let archive = |rel, name: &Option<String>| Some((rel, heading.archive(name.as_ref()?, ending)));
        match self {
            Self::Current { newest_archive } => archive("prev-archive", newest_archive).into_iter().collect(),
            Self::Archive { older, .. } => [Some(("current", heading.address(ending))), archive("prev-archive", older)]
                .into_iter()
                .flatten()
                .collect(),
            Self::Search { query, page, hits } => {
                let last = hits.div_ceil(HITS_ON_A_PAGE).max(1);
                let pages = [("first", 1), ("previous", page - 1), ("next", page + 1), ("last", last)];
                let are_there = pages.into_iter().filter(|(_, other)| last > 1 && (1..=last).contains(other));
                are_there.map(|(rel, other)| (rel, heading.search(query, other, ending))).collect()
            }
        }
    }
}

/// A merged feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergedFeed {
    /// Its name, title and address.
    pub heading: Heading,
    /// Which part of the output it is.
    pub part: Part,
    /// When the newest of its stories last changed; `None` when there is none.
    pub updated: Option<DateTime<Utc>>,
    /// Newest first.
    pub stories: Vec<MergedStory>,
}

impl MergedFeed {
    /// The `Link` field that names the hub and the document itself to subscribers (WebSub §4); `None` where no hub is told of
    /// it.
    #[must_use]
    pub fn link_field(&self, format: Format) -> Option<String> {
        let (Part::Current { .. }, Some(hub)) = (&self.part, &self.heading.hub) else { return None };
        let own = self.part.address(&self.heading, format.ending());
        (format != Format::Html).then(|| format!("<{hub}>; rel=\"hub\", <{own}>; rel=\"self\""))
    }

    /// The same feed with the stories at these positions alone.
    #[must_use]
    pub fn with_only(&self, positions: &[usize]) -> Self {
        let stories = positions.iter().filter_map(|at| self.stories.get(*at)).cloned().collect();
        Self { heading: self.heading.clone(), part: self.part.clone(), updated: self.updated, stories }
    }
}

/// One story as it is published. All markup is sanitised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergedStory {
    /// Its name for life.
    pub id: StoryId,
    /// Plain text, never empty; after the name of the source where the output asks for that.
    pub title: String,
    /// The title alone, for pages, which name the source beside it.
    pub headline: String,
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
    /// How many comments there were.
    pub comment_count: Option<u64>,
    /// The id of what it answers, a URI.
    pub in_reply_to: Option<String>,
    /// The configured tags of the canonical entry's feed.
    pub tags: Vec<String>,
    /// The feed of the canonical entry.
    pub source: Credit,
    /// The state of that feed which the canonical entry was taken from.
    pub source_updated: DateTime<Utc>,
    /// The tellings of all other feeds, oldest first.
    pub others: Vec<Other>,
    /// How many feeds tell it.
    pub sources: u32,
    /// Whether the text of its canonical entry is damaged in the store.
    pub is_damaged: bool,
}

/// A feed, credited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credit {
    /// What it is called: the operator's name for it, else its own title.
    pub title: String,
    /// Its name for life: a URN derived from the address it was first configured with, which may hold a reader's token.
    pub id: String,
    /// Where it is; `None` where that is only for us to know, and for a file of this machine.
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
        let web = |address: &str| sanitise::web_address(address, None);
        let without_fragment = |mut address: Url| {
            address.set_fragment(None);
            String::from(address)
        };
        Self {
            title: title_of(source),
            id: StoryId::derive(&source.identity, &EntryId(String::new())).urn(),
            address: web(&source.address).filter(|_| !source.is_private).map(without_fragment),
            link: source.link.as_deref().and_then(web).map(String::from),
        }
    }
}

/// The operator's name for a feed, in the feed's own spelling where that is all in which its title differs; where the operator
/// gave none, its title.
fn title_of(source: &Source) -> String {
    let title = name_of(source.title.as_deref().unwrap_or_default());
    let letters = |text: &str| -> String { text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect() };
    let is_the_name = letters(&title) == letters(&source.name);
    if title.is_empty() || (source.is_named && !is_the_name) { source.name.clone() } else { title }
}

/// What an output asks of the stories that it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Whether the name of the source stands before each title.
    pub source_in_title: bool,
    /// What another telling does.
    pub on_coverage: OnCoverage,
}

/// A story as it is published: told by `coverage`, the canonical entry's text being `detail`.
///
/// `None` when it is not to be published, or its canonical entry is not among those who tell it.
#[must_use]
pub fn story<'a>(
    story: &Story,
    coverage: &[Telling],
    detail: Detail,
    style: Style,
    source_of: impl Fn(&Telling) -> Option<&'a Source>,
) -> Option<MergedStory> {
    let published = story.published?;
    let speaker = coverage.iter().find(|telling| telling.entry == story.canonical)?;
    let source = Credit::of(source_of(speaker)?);
    let permalink = speaker.permalink.as_ref().map(ToString::to_string);
    let base = detail.base.as_deref().or(permalink.as_deref()).and_then(|base| Url::parse(base).ok());
    let clean = |markup: &Option<String>| {
        markup.as_deref().map(|markup| sanitise::html(markup, base.as_ref())).filter(|clean| !clean.is_empty())
    };
    let (summary, full) = (clean(&detail.summary), clean(&detail.content));
    let (lead, goes_on) = text::lead(summary.as_deref().or(full.as_deref()).unwrap_or_default());
    let lead = sanitise::line(&lead);
    let title = match sanitise::line(&speaker.title) {
        none if none.is_empty() && lead.is_empty() => permalink.clone().unwrap_or_else(|| "Untitled".into()),
        none if none.is_empty() => text::shorten(&lead, TITLE_FROM_TEXT),
        title => title,
    };
    let others: Vec<Other> = coverage
        .iter()
        // An outlet does not also tell what it tells; the story's page has all of its entries.
        .filter(|telling| telling.feed != speaker.feed)
        .map(|telling| Other {
            source: source_of(telling).map_or_else(String::new, |source| Credit::of(source).title),
            title: Some(sanitise::line(&telling.title)).filter(|title| !title.is_empty()).unwrap_or(title.clone()),
            permalink: telling.permalink.as_ref().map(ToString::to_string),
            at: told_at(telling),
        })
        .take(MOST_OTHERS)
        .collect();
    // A publisher that gives one text gives no short form of it; where it is long, its beginning is one.
    let summary_shown = match (&summary, &full) {
        (Some(summary), Some(_)) => Some(summary.clone()),
        _ => goes_on.then(|| sanitise::escape(&lead)),
    };
    let mut content = match detail.is_damaged {
        true => DAMAGED.to_owned(),
        false => full.or_else(|| summary.clone()).unwrap_or_default(),
    };
    append_others(&mut content, &others);
    let revised = story.updated.unwrap_or(published);
    let updated = match style.on_coverage {
        OnCoverage::Quiet => revised,
        OnCoverage::Bump => {
            let joined = coverage.iter().filter(|telling| telling.fold.is_some()).map(|telling| telling.first_seen);
            joined.max().map_or(revised, |joined| joined.max(revised))
        }
    };
    Some(MergedStory {
        id: story.id,
        title: if style.source_in_title { format!("{}: {title}", source.title) } else { title.clone() },
        headline: title,
        permalink,
        published,
        updated: updated.max(published),
        authors: detail.authors.into_iter().filter_map(person).collect(),
        summary: summary_shown,
        content,
        lead,
        categories: labels(&detail.categories),
        enclosures: detail.enclosures,
        language: detail.language.filter(|tag| is_language(tag)),
        image: detail.image,
        comments: detail.comments,
        comment_count: detail.comment_count,
        in_reply_to: detail.in_reply_to,
        tags: Vec::new(),
        source,
        source_updated: speaker.updated.or(speaker.published).unwrap_or(speaker.first_seen).min(speaker.first_seen),
        others,
        sources: story.sources,
        is_damaged: detail.is_damaged,
    })
}

/// When an entry was told: by its publisher's word, unless that lies after we saw it.
#[must_use]
pub fn told_at(telling: &Telling) -> DateTime<Utc> {
    telling.published.filter(|at| *at <= telling.first_seen).unwrap_or(telling.first_seen)
}

/// A name on one line, and not a page of it.
#[must_use]
pub fn name_of(text: &str) -> String {
    text::shorten(&sanitise::line(text), LONGEST_NAME)
}

/// A person as strangers may be shown one; `None` without a name.
fn person(person: Person) -> Option<Person> {
    let name = name_of(&person.name);
    let is_address = |email: &String| {
        let (local, host) = email.split_once('@').unwrap_or_default();
        let is_plain =
            |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_graphic() && !"<>()\",;@".contains(c));
        is_plain(local) && is_plain(host) && host.contains('.')
    };
    let url = person.url.and_then(|url| sanitise::web_address(&url, None)).map(String::from);
    (!name.is_empty()).then(|| Person { name, email: person.email.filter(is_address), url })
}

/// Labels that say something, each once.
fn labels(labels: &[String]) -> Vec<String> {
    let mut seen = HashSet::new();
    let clean = labels.iter().map(|label| name_of(label)).filter(|label| !label.is_empty());
    clean.filter(|label| seen.insert(label.to_lowercase())).collect()
}

/// Whether it is the tag of a language (RFC 5646 §2.1): XML forbids any other text in `xml:lang`.
fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let is_primary = |part: &str| matches!(part.len(), 2..=8) && part.chars().all(|c| c.is_ascii_alphabetic());
    parts.next().is_some_and(is_primary)
        && parts.all(|part| matches!(part.len(), 1..=8) && part.chars().all(|c| c.is_ascii_alphanumeric()))
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
pub fn feed(heading: Heading, part: Part, stories: Vec<MergedStory>) -> MergedFeed {
    MergedFeed { heading, part, updated: stories.iter().map(|story| story.updated.max(story.published)).max(), stories }
}
