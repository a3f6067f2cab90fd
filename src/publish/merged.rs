//! Stories to the merged feed, in the shape that every format is rendered from.
//!
//! Pure. A merged feed is made of what is stored and of the output's heading, and of nothing else: the same stories give the
//! same value, and each format renders the same value to the same bytes.

use std::collections::{BinaryHeap, HashMap, HashSet};
use std::io;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::config::{Content, Coverage, Format, OnCoverage};
use crate::model::media_type;
use crate::model::permalink::Permalink;
use crate::model::{Detail, Enclosure, EntryId, FeedRef, Person, Relayed, StoryId, StoryRef};
use crate::net::{LONGEST_ADDRESS, without_fragment};
use crate::normalise::language;
pub use crate::normalise::told_below::TITLE_OF_THE_PAGE;
use crate::normalise::told_below::{self, Listed as ListedBelow};
use crate::publish::outlet::{Outlet, Outlets, name_of};
use crate::publish::relays::Relays;
use crate::publish::texts;
use crate::redact;
use crate::sanitise::{self, Origin};
use crate::store::digests::Listed;
use crate::store::feeds::Source;
use crate::store::follows::Neighbour;
use crate::store::stories::{Story, Telling};
use crate::text;

/// The longest title made from a text that has none, in characters.
const TITLE_FROM_TEXT: usize = 90;
/// What stands in the place of a text that the store cannot give back.
const DAMAGED: &str = "<p>The text of this entry is damaged where it was stored. Its page has it.</p>";
/// How many stories a page of a search shows.
pub const HITS_ON_A_PAGE: usize = 100;
/// Under how many names other newsfolds are told that they may know an entry. So many newsfolds stand in no row.
const MOST_NAMES: usize = 15;
/// The most other tellings that an entry lists.
const MOST_OTHERS: usize = 100;
/// The most bytes that the formats of one document have together, about.
pub const MOST_BYTES: usize = 32 << 20;
/// What a story is shown with that has no room for its text: so many authors, labels, and other tellings.
const FEW: usize = 10;

/// What an output is called and where it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// The output's name in addresses.
    pub name: String,
    /// What readers show.
    pub title: String,
    /// The address that everything is served under, with a slash at its end.
    pub public_url: Url,
    /// The same without a token: what the output's names for life are made of.
    pub named_under: Url,
    /// The hub that tells subscribers of changes.
    pub hub: Option<Url>,
}

impl Heading {
    /// Where the output is served with this ending, such as `.atom`; the page has none.
    #[must_use]
    pub fn address(&self, ending: &str) -> String {
        format!("{}{}{ending}", self.public_url, self.name)
    }

    /// Its name for life, or that of what is found in it for a query. It stays whatever its token is.
    #[must_use]
    pub fn id(&self, query: Option<&str>) -> String {
        let named = Self { public_url: self.named_under.clone(), ..self.clone() };
        query.map_or_else(|| named.address(""), |query| named.search(query, 1, ".atom"))
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

    /// Where the picture is that stands for the output.
    #[must_use]
    pub fn icon(&self) -> String {
        format!("{}icon.png", self.public_url)
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

/// What a document is made of, one story after another: it need not have them all in memory.
pub trait Sequence {
    /// The dates of each, in their order.
    fn dates(&self) -> Vec<Dates>;

    /// Shows each, in their order.
    ///
    /// # Errors
    /// What `show` returned, or why a story cannot be read.
    fn each(&self, show: impl FnMut(&MergedStory) -> io::Result<()>) -> io::Result<()>;
}

impl Sequence for [MergedStory] {
    fn dates(&self) -> Vec<Dates> {
        self.iter().map(Dates::of).collect()
    }

    fn each(&self, show: impl FnMut(&MergedStory) -> io::Result<()>) -> io::Result<()> {
        self.iter().try_for_each(show)
    }
}

/// When a story was published and changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dates {
    /// Which story.
    pub id: StoryId,
    /// When it was first published.
    pub published: DateTime<Utc>,
    /// When its canonical entry last changed.
    pub updated: DateTime<Utc>,
}

impl Dates {
    /// Those of a story.
    #[must_use]
    pub fn of(story: &MergedStory) -> Self {
        Self { id: story.id, published: story.published, updated: story.updated }
    }

    /// The newest of all; `None` where there is no story.
    pub fn newest(all: impl IntoIterator<Item = Self>) -> Option<DateTime<Utc>> {
        all.into_iter().map(|dates| dates.updated.max(dates.published)).max()
    }
}

/// One story as it is published. All markup is sanitised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Who wrote it: that feed, or whom it says that it took the entry from, however many took it before.
    pub outlet: Credit,
    /// The state of that feed which the canonical entry was taken from.
    pub source_updated: DateTime<Utc>,
    /// The tellings of all other feeds, oldest first.
    pub others: Vec<Other>,
    /// What is said of them below the text.
    pub told_below: Below,
    /// Under which names other newsfolds may know what is told here, so that they know it again.
    pub known_as: Vec<StoryId>,
    /// The older story that it follows.
    pub follows: Option<Followed>,
    /// The stories that tell the same in other languages, oldest first.
    pub other_languages: Vec<InOtherLanguage>,
    /// How many feeds tell it.
    pub sources: u32,
    /// Whether the text of its canonical entry is damaged in the store.
    pub is_damaged: bool,
    /// What it lists, where it is a digest of our own and no story.
    pub digest: Option<Vec<Listed>>,
}

/// A feed, credited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// What it is called: the operator's name for it, else its own title.
    pub title: String,
    /// Its name for life: a URN derived from the address it was first configured with, which may hold a reader's token.
    pub id: String,
    /// Where it is; `None` where that is only for us to know, and for a file of this machine.
    pub address: Option<String>,
    /// The page it belongs to.
    pub link: Option<String>,
    /// By what it is known, where it is polled here.
    #[serde(skip)]
    pub known_by: Outlet,
    /// The address it was first configured with, which is for nobody to see.
    #[serde(skip)]
    pub identity: String,
}

/// The story that another one follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Followed {
    /// Its title, plain text, never empty.
    pub title: String,
    /// Where it has its page.
    pub page: String,
}

impl Followed {
    /// The story as it is named where its page is at `page`.
    #[must_use]
    pub fn of(neighbour: &Neighbour, page: String) -> Self {
        let title = sanitise::line(&neighbour.title);
        Self { title: if title.is_empty() { "an earlier story".into() } else { title }, page }
    }
}

/// A story that tells the same as another in another language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InOtherLanguage {
    /// The first part of a BCP 47 tag.
    pub language: String,
    /// Its title, plain text, never empty.
    pub title: String,
    /// Where it has its page.
    #[serde(rename = "story_url")]
    pub page: String,
}

impl InOtherLanguage {
    /// The story as it is named where its page is at `page`.
    #[must_use]
    pub fn of(language: String, neighbour: &Neighbour, page: String) -> Self {
        let title = sanitise::line(&neighbour.title);
        Self { language, title: if title.is_empty() { "Untitled".into() } else { title }, page }
    }
}

/// Another telling of a story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Other {
    /// Who tells it.
    pub source: String,
    /// Under which title, plain text.
    pub title: String,
    /// The page.
    pub permalink: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
    /// Where their feed is; where that is not known or not for everybody, where their page is.
    pub feed_url: Option<String>,
    /// The same.
    pub home: Option<String>,
    /// The name of the feed by whose word it is known, where nothing else is.
    pub via: Option<String>,
}

impl Other {
    fn listed(&self) -> ListedBelow<'_> {
        ListedBelow { source: &self.source, title: &self.title, page: self.permalink.as_deref(), at: self.at }
    }
}

impl Credit {
    /// How a feed is credited.
    #[must_use]
    pub fn of(source: &Source) -> Self {
        let web = |address: &str| sanitise::web_address(address, None);
        let title = title_of(source);
        Self {
            known_by: Outlet::of(source, &title),
            identity: source.identity.clone(),
            title,
            id: StoryId::derive(&source.identity, &EntryId(String::new())).urn(),
            address: web(&source.address).filter(|_| !source.is_private).map(|url| without_fragment(&url).into()),
            link: source.link.as_deref().and_then(redact::page),
        }
    }
}

impl Credit {
    /// How feeds are credited, by their handles.
    #[must_use]
    pub fn of_feeds(sources: &HashMap<FeedRef, Source>) -> HashMap<FeedRef, Self> {
        sources.iter().map(|(feed, source)| (*feed, Self::of(source))).collect()
    }

    /// By what the feed of a telling is known, which is credited like this.
    #[must_use]
    pub fn known(credit: Option<&Self>, telling: &Telling) -> Option<Outlet> {
        credit.map(|credit| credit.known_by.telling(telling))
    }

    /// How somebody is credited whom a feed names as the source of an entry; `None` where it names nobody.
    fn by_its_word(detail: &Detail) -> Option<Self> {
        let (title, page) = detail.taken_from.as_ref()?;
        let title = name_of(title);
        let link = page.as_deref().and_then(redact::page);
        let address = detail.taken_from_document.as_deref().and_then(redact::of_everybody);
        let identity = address.as_deref().or(link.as_deref()).unwrap_or(&title);
        let id = StoryId::derive(identity, &EntryId(String::new())).urn();
        (!title.is_empty()).then_some(Self {
            id,
            title,
            address,
            link,
            known_by: Outlet::default(),
            identity: String::new(),
        })
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
pub struct Style<'a> {
    /// Whether the name of the source stands before each title.
    pub source_in_title: bool,
    /// What another telling does.
    pub on_coverage: OnCoverage,
    /// With so many sources the story counts as updated.
    pub bump_at: &'a [usize],
    /// How much of the text is passed on.
    pub content: Content,
    /// How the text says who else tells the story.
    pub coverage: Coverage,
    /// Where the story has its page; `None` where it has none.
    pub page: Option<&'a str>,
    /// Whether it is hardly rendered again, as in an archive, so that nothing is remembered for that.
    pub is_once: bool,
}

/// A story as it is published: told by `coverage`, the canonical entry's text being `detail`.
///
/// `None` when it is not to be published, or its canonical entry is not among those who tell it.
#[must_use]
pub fn story<'a>(
    story: &Story,
    coverage: &[Telling],
    detail: Detail,
    style: Style<'_>,
    relays: &Relays,
    credit_of: impl Fn(&Telling) -> Option<&'a Credit>,
) -> Option<MergedStory> {
    let published = story.published?;
    let speaker = coverage.iter().find(|telling| telling.entry == story.canonical)?;
    let source = credit_of(speaker)?.clone();
    let is_another = |outlet: &Credit| outlet.title != source.title;
    let outlet = Credit::by_its_word(&detail).filter(is_another).unwrap_or_else(|| source.clone());
    let permalink = page_of(speaker);
    let [base, page] = [&detail.base, &permalink].map(|address| Url::parse(address.as_deref()?).ok());
    // The base may be that of the whole feed, in which no place of the text is.
    let origin = Origin { base: base.as_ref().or(page.as_ref()), page: page.as_ref() };
    let clean = |markup: &Option<String>| {
        let shown = if style.is_once { texts::shown_once } else { texts::shown };
        markup.as_deref().map(|markup| shown(markup, origin)).filter(|clean| !clean.html.is_empty())
    };
    let (summary, full) = (clean(&detail.summary), clean(&detail.content));
    let is_whole = full.as_ref().or(summary.as_ref()).is_none_or(|text| text.is_whole);
    let [summary, full] = [summary, full].map(|text| text.map(|text| text.html.clone()));
    let (lead, goes_on) = text::lead_of_sanitised(summary.as_deref().or(full.as_deref()).unwrap_or_default());
    let lead = sanitise::line(&lead);
    let title = match sanitise::line(&speaker.title) {
        none if none.is_empty() && lead.is_empty() => permalink.clone().unwrap_or_else(|| "Untitled".into()),
        none if none.is_empty() => text::shorten(&lead, TITLE_FROM_TEXT),
        title => title,
    };
    let told = Told { speaker, detail: &detail, title: &title, relays, credit_of: &credit_of };
    let others = told.others(coverage);
    // A publisher that gives one text gives no short form of it; where it is long, its beginning is one.
    let summary_shown = match (&summary, &full) {
        (Some(summary), Some(_)) => Some(summary.clone()),
        _ => goes_on.then(|| sanitise::escape(&lead)),
    };
    let mut content = match style.content {
        _ if detail.is_damaged => DAMAGED.to_owned(),
        Content::Full => full.or_else(|| summary.clone()).unwrap_or_default(),
        Content::Summary => summary_shown.clone().or(full).or_else(|| summary.clone()).unwrap_or_default(),
        Content::None => String::new(),
    };
    let (summary_shown, lead) = match style.content {
        Content::Full => (summary_shown, lead),
        Content::Summary => (None, lead),
        Content::None => (None, String::new()),
    };
    if !is_whole && style.content == Content::Full {
        append_page(&mut content, permalink.as_deref());
    }
    let told_below = Below { coverage: style.coverage, page: style.page.map(str::to_owned) };
    told_below.append(&mut content, &others);
    let counts = relays.counts(coverage, |telling| Credit::known(credit_of(telling), telling));
    let revised = at_so_many(coverage, &counts, style.bump_at).max(story.updated).unwrap_or(published);
    let updated = match style.on_coverage {
        OnCoverage::Quiet => revised,
        OnCoverage::Bump => {
            let joined = coverage.iter().filter(|telling| telling.fold.is_some()).map(|telling| telling.first_seen);
            joined.max().map_or(revised, |joined| joined.max(revised))
        }
    };
    Some(MergedStory {
        id: story.id,
        title: if style.source_in_title { format!("{}: {title}", outlet.title) } else { title.clone() },
        headline: title,
        permalink,
        published,
        updated: updated.max(published),
        authors: detail.authors.into_iter().filter_map(person).collect(),
        summary: summary_shown,
        content,
        lead,
        categories: labels(&detail.categories),
        enclosures: detail.enclosures.into_iter().filter_map(enclosure).collect(),
        language: detail.language.as_deref().and_then(language::tag),
        image: detail.image.filter(is_short).map(sanitise::without_user),
        comments: detail.comments.filter(is_short).map(sanitise::without_user),
        comment_count: detail.comment_count,
        in_reply_to: detail.in_reply_to.filter(is_short).map(sanitise::without_user),
        tags: Vec::new(),
        outlet,
        source_updated: speaker.updated.or(speaker.published).unwrap_or(speaker.first_seen).min(speaker.first_seen),
        others,
        told_below,
        known_as: known_as(story, speaker, &source, relays),
        source,
        follows: None,
        other_languages: Vec::new(),
        sources: counts.last().map_or(0, |last| u32::try_from(*last).unwrap_or(u32::MAX)),
        is_damaged: detail.is_damaged,
        digest: None,
    })
}

/// What it takes to list who tells a story beside the telling that speaks for it.
struct Told<'s, F> {
    speaker: &'s Telling,
    /// What the speaker tells, and by its word who wrote that and who else tells it.
    detail: &'s Detail,
    /// The story's title.
    title: &'s str,
    relays: &'s Relays,
    credit_of: &'s F,
}

impl<'a, F: Fn(&Telling) -> Option<&'a Credit>> Told<'_, F> {
    /// The other tellings, in the order in which they were seen, and with each those that are known by its feed's word.
    fn others(&self, coverage: &[Telling]) -> Vec<Other> {
        let Self { speaker, relays, .. } = *self;
        let is_relayed = !self.detail.also_told_by.is_empty() || !relays.is_empty();
        let direct =
            if is_relayed { relays.direct(coverage, |telling| self.polled(telling)) } else { Outlets::default() };
        let shown = if is_relayed { self.outlet_of(speaker) } else { Outlet::default() };
        // By the word of a feed that is not trusted, which says nothing of what others tell.
        let claimed = match relays.passed_on(speaker) {
            None if is_relayed => Outlet::written(self.detail, speaker.permalink.as_ref()).map(|(_, outlet)| outlet),
            _ => None,
        };
        let is_known = |outlet: &Outlet| outlet.is(&shown) || direct.have(outlet);
        // What two feeds read from one address, the other of them lists.
        let is_double = |telling: &Telling| {
            let is_same = |other: &Telling| {
                other.source == telling.source && other.feed != telling.feed && other.permalink == telling.permalink
            };
            telling.source != telling.feed
                && coverage
                    .iter()
                    .any(|other| is_same(other) && (other.feed == other.source || other.feed < telling.feed))
        };
        let mut others: Vec<Other> = Vec::new();
        for telling in coverage {
            let passed_on = relays.passed_on(telling).map(|(_, outlet)| outlet);
            let is_outlet = match (passed_on, relays.passed_on(speaker)) {
                (None, None) => telling.source == speaker.source,
                _ => telling.entry == speaker.entry || self.outlet_of(telling).is(&shown),
            };
            // An outlet does not also tell what it tells; the story's page has all of its entries.
            if !is_outlet && !is_double(telling) && !passed_on.is_some_and(is_known) {
                others.push(self.told(telling));
            }
            let is_speaker = telling.entry == speaker.entry;
            let also = if is_speaker { &self.detail.also_told_by } else { relays.also(telling) };
            for relayed in also {
                let outlet = Outlet::named(relayed);
                let is_claimed = || is_speaker && claimed.as_ref().is_some_and(|claimed| claimed.is(&outlet));
                if is_known(&outlet) || is_claimed() {
                    continue;
                }
                let other = self.relayed(relayed, telling);
                let is_listed = |known: &Other| {
                    (&known.source, &known.permalink, &known.title) == (&other.source, &other.permalink, &other.title)
                };
                if others.len() < MOST_OTHERS && !others.iter().any(is_listed) {
                    others.push(other);
                }
            }
        }
        // Whoever is named takes no room from those whom we read.
        let mut room = MOST_OTHERS.saturating_sub(others.iter().filter(|other| other.via.is_none()).count());
        others.retain(|other| {
            let has_room = other.via.is_none() || room > 0;
            room = room.saturating_sub(usize::from(other.via.is_some()));
            has_room
        });
        others.truncate(MOST_OTHERS);
        others
    }

    /// By what the outlet that wrote a telling is known.
    fn outlet_of(&self, telling: &Telling) -> Outlet {
        let passed_on = self.relays.passed_on(telling).map(|(_, outlet)| outlet.clone());
        passed_on.or_else(|| self.polled(telling)).unwrap_or_default()
    }

    fn polled(&self, telling: &Telling) -> Option<Outlet> {
        Credit::known((self.credit_of)(telling), telling)
    }

    fn name_of(&self, telling: &Telling) -> String {
        let feed = || (self.credit_of)(telling).map(|credit| credit.title.as_str());
        self.relays.outlet(telling).or_else(feed).unwrap_or_default().to_owned()
    }

    fn titled(&self, title: &str) -> String {
        Some(sanitise::line(title)).filter(|title| !title.is_empty()).unwrap_or_else(|| self.title.to_owned())
    }

    fn told(&self, telling: &Telling) -> Other {
        let (feed_url, home) = match self.relays.written_at(telling) {
            Some((document, home)) => place(document, home),
            None => {
                (self.credit_of)(telling).map_or((None, None), |credit| (credit.address.clone(), credit.link.clone()))
            }
        };
        Other {
            source: self.name_of(telling),
            title: self.titled(&telling.title),
            // Whoever links to the page that the title leads to has none of its own to offer.
            permalink: page_of(telling).filter(|_| !is_one_page(telling.permalink.as_ref(), self.speaker)),
            at: told_at(telling),
            home: home.filter(|_| feed_url.is_none()),
            feed_url,
            via: None,
        }
    }

    fn relayed(&self, relayed: &Relayed, telling: &Telling) -> Other {
        let page = relayed.page.as_ref().and_then(|page| page.parse::<Permalink>().ok());
        let (feed_url, home) = place(relayed.feed_url.as_deref(), relayed.home.as_deref());
        Other {
            feed_url,
            home,
            source: name_of(&relayed.source),
            title: self.titled(&relayed.title),
            at: relayed.at.map_or_else(|| told_at(telling), |at| at.min(telling.first_seen)),
            permalink: page
                .filter(|page| !is_one_page(Some(page), self.speaker))
                .map(|page| page.to_string())
                .filter(is_short),
            via: Some((self.credit_of)(telling).map_or_else(String::new, |credit| credit.title.clone())),
        }
    }
}

/// Under which names other newsfolds may know what the speaker tells, beside the story's own: those by which newsfolds on the way
/// know it, by the word of one that counts, and of what was read where it was told the one that it has of itself.
fn known_as(story: &Story, speaker: &Telling, source: &Credit, relays: &Relays) -> Vec<StoryId> {
    let names = match relays.names(speaker) {
        Some(names) => names.to_vec(),
        None if StoryRef::founded_by(speaker.entry) == story.story => Vec::new(),
        None => vec![StoryId::derive(&source.identity, &speaker.id)],
    };
    let mut kept = Vec::new();
    for name in names {
        if name != story.id && !kept.contains(&name) && kept.len() < MOST_NAMES {
            kept.push(name);
        }
    }
    kept
}

/// Where the feed of an outlet is and where its page, by the word of others, as strangers may see them.
fn place(document: Option<&str>, home: Option<&str>) -> (Option<String>, Option<String>) {
    let feed_url = document.and_then(redact::of_everybody).filter(is_short);
    let home = home.filter(|_| feed_url.is_none()).and_then(redact::page).filter(is_short);
    (feed_url, home)
}

/// When the story last came to have one of these numbers of sources, by the order in which its tellings were seen.
///
/// `counts` says how many there were with each.
fn at_so_many(coverage: &[Telling], counts: &[usize], numbers: &[usize]) -> Option<DateTime<Utc>> {
    let before = std::iter::once(0).chain(counts.iter().copied());
    let reached = coverage.iter().zip(counts).zip(before);
    let is_meant = |from: usize, to: usize| numbers.iter().any(|number| from < *number && *number <= to);
    reached.filter(|((_, to), from)| is_meant(*from, **to)).map(|((telling, _), _)| telling.first_seen).max()
}

/// Whether a page is that of a telling, whatever the scheme.
fn is_one_page(page: Option<&Permalink>, other: &Telling) -> bool {
    let [one, other] = [page, other.permalink.as_ref()].map(|page| page.map(Permalink::without_scheme));
    one == other
}

/// What stands below the text of a story.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Below {
    coverage: Coverage,
    page: Option<String>,
}

impl Below {
    /// Appends the list "Also told by", and the line that leads to the story's page. That line is there from the first, so that
    /// an entry without a list never changes because others tell its story.
    fn append(&self, content: &mut String, others: &[Other]) {
        if self.coverage == Coverage::List {
            told_below::append_list(content, others.iter().map(Other::listed));
        }
        if let (Coverage::List | Coverage::Link, Some(page)) = (self.coverage, &self.page) {
            told_below::append_page(content, page);
        }
    }
}

/// The page of an entry. What is stored may be older than the greatest length of an address.
fn page_of(telling: &Telling) -> Option<String> {
    telling.permalink.as_ref().map(ToString::to_string).filter(is_short)
}

// As it is handed to `Option::filter`.
#[expect(clippy::ptr_arg, reason = "that hands on what the option holds")]
fn is_short(address: &String) -> bool {
    address.len() <= LONGEST_ADDRESS
}

/// A media file as strangers may be shown one.
fn enclosure(enclosure: Enclosure) -> Option<Enclosure> {
    let Enclosure { url, media_type, length } = enclosure;
    // What is stored may be older than what is known of endings.
    let media_type = media_type::of(media_type.as_deref(), &url);
    let url = sanitise::without_user(url);
    is_short(&url).then_some(Enclosure { url, media_type, length })
}

/// When an entry was told: by its publisher's word, unless that lies after we saw it.
#[must_use]
pub fn told_at(telling: &Telling) -> DateTime<Utc> {
    telling.published.filter(|at| *at <= telling.first_seen).unwrap_or(telling.first_seen)
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
    let url = person.url.as_deref().and_then(redact::page);
    (!name.is_empty()).then(|| Person { name, email: person.email.filter(is_address), url })
}

/// Labels that say something, each once.
fn labels(labels: &[String]) -> Vec<String> {
    let mut seen = HashSet::new();
    let clean = labels.iter().map(|label| name_of(label)).filter(|label| !label.is_empty());
    clean.filter(|label| seen.insert(label.to_lowercase())).collect()
}

/// Where the rest of a text is, which is longer than what is shown of it.
fn append_page(content: &mut String, permalink: Option<&str>) {
    content.push_str("\n<p>The text is longer than what is shown here");
    if let Some(permalink) = permalink {
        content.push_str(&format!(": <a href=\"{}\">read on</a>", sanitise::escape(permalink)));
    }
    content.push_str(".</p>");
}

/// The merged feed of `stories`, which are sorted already.
#[must_use]
pub fn feed(heading: Heading, part: Part, stories: Vec<MergedStory>) -> MergedFeed {
    MergedFeed { heading, part, updated: Dates::newest(stories.iter().map(Dates::of)), stories }
}

/// How much room a document has left.
///
/// When there is none, the largest story is shown in brief, then the next: the others stay as they are.
#[derive(Debug, Default)]
pub struct Room {
    stories: usize,
    /// Those that may still be shown in brief: how many bytes each has, with its position.
    whole: BinaryHeap<(usize, usize)>,
    total: usize,
    /// How many are shown in brief.
    pub in_brief: usize,
}

impl Room {
    /// Counts one more story, of so many `bytes`. `shorten` is told which stories to show in brief, by their positions, if that
    /// makes them smaller, and gives how many bytes fewer each has then.
    pub fn add(&mut self, bytes: usize, mut shorten: impl FnMut(usize) -> usize) {
        self.whole.push((bytes, self.stories));
        self.stories += 1;
        self.total += bytes;
        while self.total > MOST_BYTES {
            let Some((_, largest)) = self.whole.pop() else { return };
            let fewer = shorten(largest);
            self.total -= fewer;
            self.in_brief += usize::from(fewer > 0);
        }
    }

    /// Whether there is none left, with all stories in brief.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.total > MOST_BYTES
    }
}

/// Stories on their way into a document, within what it may hold.
#[derive(Debug, Default)]
pub struct Stories {
    stories: Vec<MergedStory>,
    room: Room,
}

impl Stories {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.stories.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stories.is_empty()
    }

    /// How many are shown in brief.
    #[must_use]
    pub fn in_brief(&self) -> usize {
        self.room.in_brief
    }

    /// Whether there is no room for another one.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.room.is_full()
    }

    /// Adds a story below the others.
    fn push(&mut self, story: MergedStory) {
        let Self { stories, room } = self;
        let bytes = story.rendered_bytes();
        stories.push(story);
        room.add(bytes, |at| {
            let Some(story) = stories.get_mut(at) else { return 0 };
            let fewer = story.rendered_bytes().saturating_sub(story.brief_bytes());
            if fewer > 0 {
                story.shorten();
            }
            fewer
        });
    }

    /// The stories, in the order in which they came.
    #[must_use]
    pub fn into_vec(self) -> Vec<MergedStory> {
        self.stories
    }
}

impl Extend<MergedStory> for Stories {
    fn extend<I: IntoIterator<Item = MergedStory>>(&mut self, stories: I) {
        stories.into_iter().for_each(|story| self.push(story));
    }
}

impl MergedStory {
    /// How many bytes it has in all formats together, about: twice as XML, which escapes markup once more, and as JSON.
    #[must_use]
    pub fn rendered_bytes(&self) -> usize {
        self.bytes_with([Some(&self.content), self.summary.as_deref()], usize::MAX, usize::MAX)
    }

    /// The same of the story in brief.
    #[must_use]
    pub fn brief_bytes(&self) -> usize {
        self.bytes_with([Some(&self.in_brief()), None], FEW, 1)
    }

    /// The same with these texts, and the first of what it has many of.
    fn bytes_with(&self, texts: [Option<&str>; 2], few: usize, enclosures: usize) -> usize {
        // XML names them for readers, and for newsfolds.
        let others = self.others.iter().take(few).chain(self.others.iter().take(few));
        let plain = others
            .flat_map(|other| {
                let place = other.feed_url.as_ref().or(other.home.as_ref());
                [Some(&other.title), Some(&other.source), other.permalink.as_ref(), place]
            })
            .chain(
                self.authors
                    .iter()
                    .take(few)
                    .flat_map(|person| [Some(&person.name), person.url.as_ref(), person.email.as_ref()]),
            )
            .chain(self.enclosures.iter().take(enclosures).map(|enclosure| Some(&enclosure.url)))
            .chain(self.categories.iter().take(few).map(Some))
            .chain([self.permalink.as_ref(), self.image.as_ref(), self.comments.as_ref(), self.in_reply_to.as_ref()])
            .flatten();
        let texts = texts.into_iter().flatten();
        texts.map(|text| 2 * xml_bytes(text) + json_bytes(text)).sum::<usize>()
            + plain.map(|text| 3 * xml_bytes(text)).sum::<usize>()
    }

    /// Shows the beginning of its text alone, and where the rest is.
    pub fn shorten(&mut self) {
        self.content = self.in_brief();
        self.summary = None;
        self.enclosures.truncate(1);
        self.authors.truncate(FEW);
        self.categories.truncate(FEW);
        // Those that are not named here are on the story's page.
        self.others.truncate(FEW);
    }

    /// The beginning of its text, and where the rest is.
    fn in_brief(&self) -> String {
        let mut content = format!("<p>{}</p>", sanitise::escape(&self.lead));
        append_page(&mut content, self.permalink.as_deref());
        self.told_below.append(&mut content, self.others.get(..FEW).unwrap_or(&self.others));
        content
    }

    /// An entry that nobody told but we: a digest, with its title, the beginning of its text and the whole, and where it is.
    #[must_use]
    pub fn of_our_own(
        heading: &Heading,
        id: StoryId,
        (title, lead, content): (String, String, String),
        page: String,
        at: DateTime<Utc>,
        digest: Vec<Listed>,
    ) -> Self {
        let credit = || Credit {
            title: heading.title.clone(),
            id: heading.id(None),
            address: None,
            link: Some(heading.address("")),
            known_by: Outlet::default(),
            identity: String::new(),
        };
        Self {
            id,
            headline: title.clone(),
            title,
            permalink: Some(page),
            published: at,
            updated: at,
            authors: Vec::new(),
            summary: None,
            content,
            lead,
            categories: Vec::new(),
            enclosures: Vec::new(),
            language: None,
            image: None,
            comments: None,
            comment_count: None,
            in_reply_to: None,
            tags: Vec::new(),
            source: credit(),
            outlet: credit(),
            source_updated: at,
            others: Vec::new(),
            told_below: Below::default(),
            known_as: Vec::new(),
            follows: None,
            other_languages: Vec::new(),
            sources: 1,
            is_damaged: false,
            digest: Some(digest),
        }
    }

    /// The stories whose pages it leads to.
    pub fn linked(&self) -> impl Iterator<Item = StoryId> {
        let listed = self.digest.iter().flatten().filter_map(|listed| listed.id.parse().ok());
        self.digest.is_none().then_some(self.id).into_iter().chain(listed)
    }

    /// Where it has its page, with everybody who tells it; `None` where it has none.
    #[must_use]
    pub fn page(&self) -> Option<&str> {
        self.told_below.page.as_deref()
    }

    /// Whom readers are shown as the authors: the people with the outlet that they wrote for, which no reader shows otherwise,
    /// or the outlet alone.
    #[must_use]
    pub fn bylines(&self) -> Vec<Person> {
        let outlet = &self.outlet.title;
        if self.authors.is_empty() {
            return vec![Person { name: outlet.clone(), url: self.outlet.link.clone(), email: None }];
        }
        let byline = |person: &Person| {
            let is_named = person.name.to_lowercase().contains(&outlet.to_lowercase());
            let name = if is_named { person.name.clone() } else { format!("{} ({outlet})", person.name) };
            Person { name, ..person.clone() }
        };
        self.authors.iter().map(byline).collect()
    }
}

/// How many bytes a text has in XML.
fn xml_bytes(text: &str) -> usize {
    text.len() + 5 * count(text, |byte| matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\''))
}

/// How many bytes a text has in JSON.
fn json_bytes(text: &str) -> usize {
    text.len() + count(text, |byte| matches!(byte, b'"' | b'\\' | b'\n'))
}

/// How many bytes of a text are such. They are counted in pieces whose numbers fit into a byte, so that many are looked at at once.
fn count(text: &str, is_such: impl Fn(u8) -> bool) -> usize {
    let of_piece = |piece: &[u8]| usize::from(piece.iter().map(|byte| u8::from(is_such(*byte))).sum::<u8>());
    text.as_bytes().chunks(255).map(of_piece).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(content: &str) -> MergedStory {
        let at = DateTime::UNIX_EPOCH;
        let source = Credit {
            title: "Source".into(),
            id: "urn:x".into(),
            address: None,
            link: None,
            known_by: Outlet::default(),
            identity: String::new(),
        };
        MergedStory {
            id: StoryId::derive("https://example.org/feed", &EntryId(content.len().to_string())),
            title: "Title".into(),
            headline: "Title".into(),
            permalink: Some("https://example.org/1".into()),
            published: at,
            updated: at,
            authors: Vec::new(),
            summary: None,
            content: content.into(),
            lead: "A lead".into(),
            categories: Vec::new(),
            enclosures: Vec::new(),
            language: None,
            image: None,
            comments: None,
            comment_count: None,
            in_reply_to: None,
            tags: Vec::new(),
            source: source.clone(),
            outlet: source,
            source_updated: at,
            others: Vec::new(),
            told_below: Below::default(),
            known_as: Vec::new(),
            follows: None,
            other_languages: Vec::new(),
            sources: 1,
            is_damaged: false,
            digest: None,
        }
    }

    #[test]
    fn the_outlet_is_in_the_byline_and_not_twice() {
        let by = |names: &[&str]| {
            let person = |name: &&str| Person { name: (*name).into(), ..Person::default() };
            let story = MergedStory { authors: names.iter().map(person).collect(), ..told("") };
            story.bylines().into_iter().map(|person| person.name).collect::<Vec<_>>()
        };
        assert_eq!(by(&[]), ["Source"]);
        assert_eq!(by(&["Tom Reed", "the source newsroom"]), ["Tom Reed (Source)", "the source newsroom"]);
        let passed_on = MergedStory { outlet: Credit { title: "One".into(), ..told("").source }, ..told("") };
        assert_eq!(passed_on.bylines().first().map(|person| person.name.as_str()), Some("One"), "credit is kept");
    }

    #[test]
    fn the_largest_stories_of_a_document_that_is_too_large_are_shown_in_brief() {
        let mut stories = Stories::default();
        let large = "&amp;".repeat(200_000);
        for _ in 0..50 {
            stories.push(told(&large));
            stories.push(told("<p>words</p>"));
        }
        assert!(stories.room.total <= MOST_BYTES);
        let (in_brief, stories) = (stories.in_brief(), stories.into_vec());
        let are_whole = |content: &str| stories.iter().filter(|story| story.content == content).count();
        assert_eq!((are_whole("<p>words</p>"), are_whole(&large)), (50, 50 - in_brief));
        assert!(in_brief > 10 && in_brief < 50);
        assert!(stories.iter().all(|story| {
            let mut brief = story.clone();
            brief.shorten();
            story.brief_bytes() == brief.rendered_bytes()
        }));
        let brief = stories.iter().find(|story| story.content.starts_with("<p>A lead</p>")).unwrap();
        assert!(brief.content.contains("<a href=\"https://example.org/1\">read on</a>"), "{}", brief.content);
    }

    #[test]
    fn stories_that_are_no_smaller_in_brief_keep_no_other_from_being_shortened() {
        let other = |number: usize| Other {
            source: "Source".into(),
            title: "A long title. ".repeat(200),
            permalink: Some(format!("https://example.org/{number}")),
            at: DateTime::UNIX_EPOCH,
            feed_url: None,
            home: None,
            via: None,
        };
        let mut stories = Stories::default();
        for _ in 0..50 {
            stories.push(MergedStory { others: (0..FEW).map(other).collect(), ..told("a text") });
            (0..20).for_each(|_| stories.push(told(&"&amp;".repeat(2_000))));
        }
        assert!(stories.room.total <= MOST_BYTES && !stories.is_full(), "{}", stories.room.total);
        assert!((1..1_000).contains(&stories.in_brief()), "{}", stories.in_brief());
        assert_eq!(stories.into_vec().iter().filter(|story| story.content == "a text").count(), 50);
    }

    #[test]
    fn a_document_whose_stories_find_no_room_in_brief_is_full() {
        let long = "A long address. ".repeat(120);
        let mut stories = Stories::default();
        while !stories.is_full() {
            stories.push(MergedStory { image: Some(long.clone()), ..told("<p>words</p>") });
        }
        assert!((4_000..6_000).contains(&stories.len()), "{}", stories.len());
    }

    #[test]
    fn a_document_of_usual_size_is_left_as_it_is() {
        let mut stories = Stories::default();
        (0..1_000).for_each(|_| stories.push(told(&"<p>words</p>".repeat(200))));
        assert_eq!((stories.in_brief(), stories.len()), (0, 1_000));
    }
}
