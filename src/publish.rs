//! What subscribers and visitors see, rendered from the store and kept in memory.
//!
//! Edge: reads the store, and notes there what is served. What is served often is rendered once for each change ([`publish`]); what is asked for now and then
//! is rendered when it is asked for, and kept until the next change ([`Published::render`]). The formats themselves are pure,
//! in the modules below, and depend on what is stored alone; `serve` hands out what was rendered here.

pub mod address;
pub mod after;
pub mod archive;
pub mod atom;
pub mod data;
pub mod digest;
pub mod files;
mod isolate;
pub mod json;
pub mod merged;
pub mod notice;
pub mod opml;
pub mod outlet;
pub mod pages;
pub mod relays;
pub mod rendered;
mod replacement;
pub mod rss;
pub mod select;
pub mod sight;
pub mod spool;
mod texts;
pub mod theme;
pub mod token;
pub mod xml;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use url::Url;

use crate::clock;
use crate::config::{Format, Order, OutputConfig, Query, Secret, ServeConfig};
use crate::model::{Detail, EntryRef, FeedRef, StoryId};
use crate::plural::counted;
use crate::publish::address::Wanted;
use crate::publish::digest::Due;
use crate::publish::merged::{Credit, Heading, MergedFeed, MergedStory};
use crate::publish::opml::Listed;
use crate::publish::rendered::Rendered;
use crate::publish::select::Archive;
use crate::publish::theme::Theme;
use crate::publish::token::Token;
use crate::store::outputs::{Closed, Served};
use crate::store::stories::DamagedEntry;
use crate::store::{self, Connection, Policy, Store, digests, feeds, outputs, search};

/// How many pages are kept that were rendered when they were asked for.
const MOST_KEPT: usize = 1_000;
/// And of how many bytes together, unless one alone has more.
const MOST_KEPT_BYTES: usize = 16 << 20;

/// An output and the feeds that it takes stories from.
#[derive(Debug, Clone)]
pub struct Output {
    /// As configured.
    pub config: OutputConfig,
    /// The address that everything is served under.
    pub public_url: Url,
    /// The same without a token.
    pub named_under: Url,
    /// The hub that is told of changes.
    pub hub: Option<Url>,
    /// Whether stories have pages where readers of this output find them.
    pub has_story_pages: bool,
    /// The feeds whose tags it names; `None` is every feed.
    pub feeds: Option<HashSet<FeedRef>>,
    /// The tags of every feed that has some.
    pub tags: Arc<HashMap<FeedRef, Vec<String>>>,
    /// The feeds whose word counts on who else tells a story.
    pub aggregators: Arc<HashSet<FeedRef>>,
    /// The feeds whose entries its readers may see: not those that left the configuration, nor those that private outputs of
    /// other readers alone take stories from.
    pub visible: Arc<HashSet<FeedRef>>,
    /// Whether there are feeds in the configuration that its readers may not see.
    pub hides_feeds: bool,
}

impl Output {
    /// What it is called and where it is found.
    #[must_use]
    pub fn heading(&self) -> Heading {
        Heading {
            name: self.config.name.clone(),
            title: self.config.title.clone(),
            public_url: self.public_url.clone(),
            named_under: self.named_under.clone(),
            hub: self.hub.clone(),
        }
    }

    /// Whether it is for those who know this token.
    fn has_token(&self, token: &Secret) -> bool {
        self.config.token.as_ref().is_some_and(|own| token::is_one(own, token))
    }

    /// Whether every story that it shows stays in it until newer ones push it out. Only then has it a past to keep.
    #[must_use]
    pub fn has_archives(&self) -> bool {
        self.config.order == Order::Newest && self.config.per_feed == 0 && self.config.digest.is_none()
    }
}

impl Format {
    /// What an output's address ends in.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Self::Atom => ".atom",
            Self::Rss => ".rss",
            Self::Json => ".json",
            Self::Html => "",
        }
    }

    /// What it is served as.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Atom => "application/atom+xml; charset=utf-8",
            Self::Rss => "application/rss+xml; charset=utf-8",
            Self::Json => "application/feed+json; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
        }
    }
}

/// What is published, and how it looks.
#[derive(Debug, Clone, Default)]
pub struct Site {
    /// In the order of the configuration; the first is at `/`.
    pub outputs: Vec<Output>,
    /// The look of its pages.
    pub theme: Theme,
    /// The address that everything is served under; `None` until something is published.
    pub public_url: Option<Url>,
    /// The zone of the times on its pages.
    pub timezone: Tz,
    /// Whether it is for some readers alone.
    pub is_private: bool,
    /// Whether it has pages of how feeds are doing, where operators look at it too.
    pub shows_feeds: bool,
}

impl Site {
    /// What is published of these outputs as `serve` says.
    #[must_use]
    pub fn new(outputs: Vec<Output>, theme: Theme, serve: &ServeConfig, shows_feeds: bool) -> Self {
        let (public_url, timezone) = (Some(serve.public_url.clone()), serve.timezone);
        Self { outputs, theme, public_url, timezone, shows_feeds, is_private: false }
    }

    /// What everybody sees of it.
    fn public(&self) -> Self {
        let outputs = self.outputs.iter().filter(|output| output.config.token.is_none());
        Self { outputs: outputs.cloned().collect(), ..self.clone() }
    }

    /// What those see of it whom an output is for.
    #[must_use]
    pub fn as_seen_with(&self, output: &Output) -> Self {
        match (&output.config.token, &self.public_url) {
            (Some(token), Some(public_url)) => self.private(token, public_url),
            _ => self.public(),
        }
    }

    /// What those see of it who know this token, at the addresses below `public_url`.
    fn private(&self, token: &Secret, public_url: &Url) -> Self {
        let outputs = self.outputs.iter().filter(|output| output.has_token(token));
        let outputs = outputs.map(|output| Output { public_url: public_url.clone(), ..output.clone() });
        Self {
            outputs: outputs.collect(),
            theme: self.theme.clone(),
            timezone: self.timezone,
            public_url: Some(public_url.clone()),
            is_private: true,
            shows_feeds: false,
        }
    }
}

/// Everything that is published. Cheap to clone and never changed: a newer one takes its place.
#[derive(Debug, Clone, Default)]
pub struct Published(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    site: Site,
    pages: BTreeMap<String, Arc<Rendered>>,
    /// The names of outputs that were served at some time, and are not configured any more.
    served: BTreeSet<String>,
    /// The stories that are shown without their text, because that is damaged in the store, with their titles.
    damaged: BTreeMap<StoryId, String>,
    /// The entries that are not shown, because their rows are damaged in the store.
    damaged_entries: BTreeSet<DamagedEntry>,
    /// What could not be rendered of it.
    spoiled: Spoiled,
    /// Pages that were asked for, each with the count of polls when it was rendered.
    kept: Mutex<HashMap<String, (u64, Arc<Rendered>)>>,
    /// What only some see.
    private: Vec<Private>,
}

/// What those see who know a token.
#[derive(Debug)]
struct Private {
    token: Token,
    /// Below the token.
    below: Published,
    /// At the addresses that everybody uses, for those who give the token as their password, and in files: it does not name the
    /// token.
    plain: Published,
}

/// What a rendering had to do without.
#[derive(Debug, Default)]
struct Spoiled {
    /// Stories that are left out, and why.
    stories: BTreeMap<StoryId, String>,
    /// Outputs that stay as they were before, by name, and why.
    outputs: BTreeMap<String, String>,
}

/// What there is at an address.
#[derive(Debug)]
pub enum Found {
    /// A document.
    Ready(Arc<Rendered>),
    /// Something that [`Published::render`] makes.
    Askable(Wanted),
    /// It is at another path now.
    Moved(String),
    /// It was there, and is not published any more.
    Gone,
    /// The words of some entries are still to be indexed.
    NotIndexed,
    /// It is to be rendered for the first time.
    NotRendered,
    /// Nothing.
    Nothing,
}

impl Published {
    /// The stories that are shown without their text, because that is damaged in the store, with their titles.
    #[must_use]
    pub fn damaged(&self) -> &BTreeMap<StoryId, String> {
        &self.0.damaged
    }

    /// The entries that are not shown, because their rows are damaged in the store.
    #[must_use]
    pub fn damaged_entries(&self) -> &BTreeSet<DamagedEntry> {
        &self.0.damaged_entries
    }

    /// The document that is kept ready at `path`, which begins with a slash.
    #[must_use]
    pub fn ready(&self, path: &str) -> Option<Arc<Rendered>> {
        self.0.pages.get(path).cloned()
    }

    /// What there is at an address; `polls` counts the polls so far.
    #[must_use]
    pub fn find(&self, path: &str, query: Option<&str>, polls: u64) -> Found {
        if let Some(ready) = self.ready(path) {
            return Found::Ready(ready);
        }
        // A token without the slash behind it.
        if path.is_empty() && self.is_private() {
            return Found::Moved("/".to_owned());
        }
        if self.0.site.public_url.is_none() {
            return Found::NotRendered;
        }
        let Some(wanted) = Wanted::at(path, query) else { return self.once_served(path) };
        // How feeds are doing is for the operator, whoever else knows a token.
        if self.is_private() && matches!(wanted, Wanted::Feeds(_) | Wanted::Feed(_)) {
            return Found::Nothing;
        }
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.get(&key(&wanted)) {
            Some((at, page)) if *at == polls || !wanted.is_of_feeds() => Found::Ready(page.clone()),
            _ => Found::Askable(wanted),
        }
    }

    /// What somebody sees who was led to a token's addresses by one; `None` when it is no token.
    #[must_use]
    pub fn below_token(&self, said: &str) -> Option<&Self> {
        // Each is compared, so that the time it takes does not tell how many there are before it.
        self.0.private.iter().fold(None, |found, private| found.or(private.token.is(said).then_some(&private.below)))
    }

    /// What somebody sees who gives this password; `None` when it is no token.
    #[must_use]
    pub fn by_password(&self, said: &str) -> Option<&Self> {
        self.0.private.iter().fold(None, |found, private| found.or(private.token.is(said).then_some(&private.plain)))
    }

    /// Whether there is something at this path for those who give a password.
    #[must_use]
    pub fn asks_for_password(&self, path: &str) -> bool {
        let name = name_in(path).0;
        let is_named = |output: &Output| {
            let OutputConfig { name: own, formerly, .. } = &output.config;
            own == name || formerly.iter().any(|former| former == name)
        };
        (path == "/" && self.0.site.outputs.is_empty() && !self.0.private.is_empty())
            || self.0.private.iter().any(|private| private.plain.0.site.outputs.iter().any(is_named))
    }

    /// Whether it is for some readers alone.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.0.site.is_private
    }

    /// Whether it has pages of how feeds are doing, where operators look at it too; `None` before anything is published.
    #[must_use]
    pub fn shows_feeds(&self) -> Option<bool> {
        self.0.site.public_url.as_ref().map(|_| self.0.site.shows_feeds)
    }

    /// What is written to files: what everybody sees, and what only some do.
    pub fn for_files(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(self.0.private.iter().map(|private| &private.plain))
    }

    /// What to say of an output that is not there: where it went, or that it is gone.
    fn once_served(&self, path: &str) -> Found {
        let (name, rest) = name_in(path);
        let now = self.0.site.outputs.iter().find(|output| output.config.formerly.iter().any(|former| former == name));
        match now {
            None if self.0.spoiled.outputs.contains_key(name) => Found::NotRendered,
            Some(output) => Found::Moved(format!("/{}{rest}", output.config.name)),
            None if self.0.served.contains(name)
                && !self.0.site.outputs.iter().any(|output| output.config.name == name) =>
            {
                Found::Gone
            }
            None => Found::Nothing,
        }
    }

    /// Renders what was asked for, and keeps it until something changes.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn render(&self, connection: &Connection, wanted: &Wanted, polls: u64) -> store::Result<Found> {
        let found = self.rendered(connection, wanted)?;
        if let Found::Ready(page) = &found {
            let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let bytes: usize = kept.values().map(|(_, page)| page.body.len()).sum();
            if kept.len() >= MOST_KEPT || bytes + page.body.len() > MOST_KEPT_BYTES {
                kept.clear();
            }
            kept.insert(key(wanted), (polls, page.clone()));
        }
        Ok(found)
    }

    fn rendered(&self, connection: &Connection, wanted: &Wanted) -> store::Result<Found> {
        let site = &self.0.site;
        let page = |text, updated| Found::Ready(Arc::new(Rendered::new(Format::Html.media_type(), text, updated)));
        let in_json = |text| Found::Ready(Arc::new(Rendered::new("application/json; charset=utf-8", text, None)));
        match wanted {
            Wanted::Feeds(asked) => return Ok(page(pages::feeds(connection, site, asked)?, None)),
            Wanted::Feed(name) => {
                let text = pages::feed(connection, site, name)?;
                return Ok(text.map_or(Found::Nothing, |text| page(text, None)));
            }
            _ => {}
        }
        let Some(first) = site.outputs.first() else { return Ok(Found::Nothing) };
        let seen = |id| sight::story(connection, first, id);
        Ok(match wanted {
            Wanted::Story(id) => match seen(*id)? {
                Some(seen) if seen.story.id != *id => Found::Moved(format!("/story/{}", seen.story.id)),
                Some(seen) => {
                    let text = pages::story(connection, site, &seen, None)?;
                    text.map_or(Found::Nothing, |(text, updated)| page(text, Some(updated)))
                }
                None => Found::Nothing,
            },
            Wanted::StoryData(id) => match seen(*id)? {
                Some(seen) if seen.story.id != *id => Found::Moved(format!("/story/{}.json", seen.story.id)),
                Some(seen) => data::story(connection, first, &seen)?.map_or(Found::Nothing, in_json),
                None => Found::Nothing,
            },
            Wanted::FeedData => in_json(data::feeds(connection, &first.visible)?),
            Wanted::Search { query: text, page: number, format } => {
                let feed = match Query::parse(text) {
                    Ok(_) if !search::is_current(connection)? => return Ok(Found::NotIndexed),
                    Ok(query) => Ok(select::search(connection, first, &query, *number)?),
                    Err(why) => Err(why),
                };
                match (feed, format) {
                    (Ok(feed), _) if *number > 1 && feed.stories.is_empty() => Found::Nothing,
                    (feed, Format::Html) => page(pages::search(site, text, feed.as_ref()), None),
                    (Ok(feed), format) => Found::Ready(Arc::new(render(site, &feed, *format))),
                    (Err(_), _) => Found::Nothing,
                }
            }
            Wanted::Feeds(_) | Wanted::Feed(_) => Found::Nothing,
            Wanted::Opml => {
                Found::Ready(Arc::new(Rendered::new("text/x-opml; charset=utf-8", list(connection, first)?, None)))
            }
            Wanted::Archive(name, archive, format) => {
                let (output, ending) =
                    (site.outputs.iter().find(|output| output.config.name == *name), format.ending());
                let Some(output) = output else { return Ok(self.once_served(&format!("/{name}/{archive}{ending}"))) };
                if !output.config.formats.contains(format) {
                    return Ok(Found::Nothing);
                }
                // Where SQLite keeps its files.
                let store = connection.path().map(PathBuf::from).unwrap_or_default();
                let folder = store.parent().unwrap_or(Path::new("."));
                let in_words = |error| store::Error::Folder { path: folder.to_owned(), error };
                let found = select::archives(connection, output, std::slice::from_ref(archive), folder)?;
                match found.map_err(in_words)?.pop() {
                    Some(archive) => Found::Ready(Arc::new(archive.render(*format).map_err(in_words)?)),
                    None => match archive::instead(connection, output, archive)? {
                        Some(other) => Found::Moved(format!("/{name}/{other}{ending}")),
                        None => Found::Nothing,
                    },
                }
            }
        })
    }

    /// What is published, and how it looks.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.0.site
    }

    /// The path of the address that it names, with a slash at its end; `None` before anything is published.
    #[must_use]
    pub fn root(&self) -> Option<&str> {
        self.0.site.public_url.as_ref().map(Url::path)
    }

    /// The addresses of story pages that are ready.
    pub fn story_pages(&self) -> impl Iterator<Item = &str> {
        self.0.pages.keys().map(String::as_str).filter(|path| path.starts_with("/story/"))
    }

    /// How many stories are left out because they cannot be read or rendered.
    #[must_use]
    pub fn stories_left_out(&self) -> usize {
        self.0.spoiled.stories.len()
    }

    /// The outputs that could not be rendered, each with why. They are published as they were before.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let outputs = self.0.spoiled.outputs.iter();
        outputs.map(|(name, why)| format!("output `{name}`: {why}")).collect()
    }
}

/// The name of an output in a path, and what follows it.
fn name_in(path: &str) -> (&str, &str) {
    let file = path.trim_start_matches('/');
    file.find(['.', '/']).and_then(|end| file.split_at_checked(end)).unwrap_or((file, ""))
}

/// The feeds as a list to subscribe to, without those whose addresses strangers may not see.
fn list(connection: &Connection, output: &Output) -> store::Result<String> {
    let mut sources = feeds::sources(connection)?;
    sources.retain(|source| output.visible.contains(&source.feed));
    sources.sort_by(|one, other| one.name.cmp(&other.name));
    let credits: Vec<(FeedRef, Credit)> = sources.iter().map(|source| (source.feed, Credit::of(source))).collect();
    let listed: Vec<Listed<'_>> = credits
        .iter()
        .filter_map(|(feed, credit)| {
            Some(Listed {
                name: &credit.title,
                address: credit.address.as_deref()?,
                page: credit.link.as_deref(),
                tags: output.tags.get(feed).map(Vec::as_slice).unwrap_or_default(),
            })
        })
        .collect();
    let left_out = credits.len() - listed.len();
    let note = format!("{} not listed: the address is private, or not of the web", counted(left_out, "feed"));
    Ok(opml::render(&output.config.title, &listed, (left_out > 0).then_some(note.as_str())))
}

fn key(wanted: &Wanted) -> String {
    format!("{wanted:?}")
}

/// The merged feed of one output, as the store has it now.
///
/// # Errors
/// When the store cannot be read.
pub fn merge(connection: &Connection, output: &Output) -> store::Result<MergedFeed> {
    Ok(select::current(connection, output)?.feed)
}

/// The merged feed in one format. A story that cannot be rendered is left out, and the log says so.
#[must_use]
pub fn render(site: &Site, feed: &MergedFeed, format: Format) -> Rendered {
    let (rendered, left_out) = render_what_can_be(site, feed, format);
    left_out.iter().for_each(|(story, why)| tell_of_story(*story, why));
    rendered
}

/// The merged feed in one format, and the stories whose rendering panics, which are left out.
fn render_what_can_be(site: &Site, feed: &MergedFeed, format: Format) -> (Rendered, Vec<(StoryId, String)>) {
    let text = |feed: &MergedFeed| match format {
        Format::Atom => atom::render(feed),
        Format::Rss => rss::render(feed),
        Format::Json => json::render(feed),
        Format::Html => pages::river(site, feed),
    };
    let (text, left_out) = isolate::rendered(feed.stories.len(), |positions| match positions {
        None => text(feed),
        Some(positions) => text(&feed.with_only(positions)),
    });
    let left_out = left_out.into_iter().filter_map(|at| feed.stories.get(at));
    let left_out = left_out.map(|story| (story.id, store::Error::Panicked.to_string())).collect();
    (Rendered::new(format.media_type(), text, feed.updated).linked(feed.link_field(format)), left_out)
}

impl Archive {
    /// Writes it in one format, into what `begin` gives. A story that cannot be rendered is left out, and the log says so.
    ///
    /// # Errors
    /// When it cannot be written, or its stories not be read.
    pub(crate) fn write<W: Write>(&self, format: Format, begin: impl Fn() -> W) -> io::Result<W> {
        let (written, left_out) = isolate::rendered(self.stories.len(), |positions| {
            let (mut out, stories) = (begin(), self.stories.only(positions));
            match format {
                Format::Atom => atom::write(&self.feed, &stories, &mut out),
                Format::Rss => rss::write(&self.feed, &stories, &mut out),
                Format::Json => json::write(&self.feed, &stories, &mut out),
                Format::Html => Ok(()),
            }
            .map(|()| out)
        });
        let left_out = left_out.into_iter().filter_map(|at| self.stories.id(at));
        left_out.for_each(|story| tell_of_story(story, &store::Error::Panicked.to_string()));
        written
    }

    /// The same in memory, for which it has been kept small enough ([`archive::due`]).
    fn render(&self, format: Format) -> io::Result<Rendered> {
        let text = String::from_utf8(self.write(format, Vec::new)?).map_err(io::Error::other)?;
        Ok(Rendered::new(format.media_type(), text, self.feed.updated))
    }
}

fn tell_of_story(story: StoryId, why: &str) {
    tracing::error!(
        name: "story.left_out",
        { story.id = %story },
        "a story is left out, because it cannot be read or rendered: {why}; `newsfold explain {story}` shows what there is of it"
    );
}

/// Renders every output, to be served, and stores what is to be remembered about that.
///
/// What has not changed since `before` is taken over with its packed forms.
///
/// # Errors
/// When the store refuses.
pub async fn publish(store: &Store, site: &Site, before: Published) -> store::Result<Published> {
    loop {
        let (site, before, now) = (site.clone(), before.clone(), clock::now());
        let (rendered, Chores { served, archives, digests }) =
            store.read(move |connection| all(connection, &site, &before, now)).await?;
        if !archives.is_empty() || !digests.is_empty() {
            // An archive that is closed is named in the document that it belongs to, and a digest stands in one, so that these
            // are stored first, and rendered then.
            store
                .write(0, move |context| {
                    archives.iter().try_for_each(|(output, closed)| outputs::close(context.tx, output, closed))?;
                    let put = |(output, due): &(String, Due)| digests::put(context.tx, output, &due.made, due.progress);
                    digests.iter().try_for_each(put)
                })
                .await?;
            continue;
        }
        if !served.is_empty() {
            store
                .write(0, move |context| {
                    served.iter().try_for_each(|(name, served)| outputs::serve(context.tx, name, served))
                })
                .await?;
        }
        return Ok(rendered);
    }
}

/// Every output, rendered, and what is to be stored about that. `now` decides which months are over, and when what changed did;
/// no document shows it.
///
/// An output that cannot be rendered stays as it was, whatever becomes of the others.
fn all(
    connection: &Connection,
    site: &Site,
    before: &Published,
    now: DateTime<Utc>,
) -> store::Result<(Published, Chores)> {
    let served = outputs::served(connection)?;
    // Whoever sees some of the outputs is not told that another one is gone.
    let is_gone = |name: &&String| !site.outputs.iter().any(|output| output.config.name == **name);
    let gone: BTreeSet<String> = served.keys().filter(is_gone).cloned().collect();
    let (mut whole, mut chores) = one_site(connection, site.public(), before, &served, None, now)?;
    let nothing = Published::default();
    for secret in token::distinct(site.outputs.iter().filter_map(|output| output.config.token.as_ref())) {
        let own = || site.outputs.iter().filter(|output| output.has_token(secret));
        let (token, public_url) = match (Token::of(secret), &site.public_url) {
            (Ok(token), Some(public_url)) => (token, public_url),
            (Err(why), _) => {
                whole.spoiled.outputs.extend(own().map(|output| (output.config.name.clone(), why.clone())));
                continue;
            }
            (Ok(_), None) => continue,
        };
        let is_same = |private: &&Private| {
            let mut names = private.plain.0.site.outputs.iter().map(|output| &output.config.name);
            names.any(|name| own().any(|output| output.config.name == *name))
        };
        let known = before.0.private.iter().find(is_same);
        let (plain_before, below_before) = known.map_or((&nothing, &nothing), |known| (&known.plain, &known.below));
        let site_below = site.private(secret, &token.address(public_url));
        let (mut plain, more) =
            one_site(connection, site.private(secret, public_url), plain_before, &served, None, now)?;
        let (mut below, _) = one_site(connection, site_below, below_before, &served, Some(&plain), now)?;
        (plain.served, below.served) = (gone.clone(), gone.clone());
        chores.add(more);
        whole.take_over(&plain);
        whole.private.push(Private { token, below: Published(Arc::new(below)), plain: Published(Arc::new(plain)) });
    }
    whole.served = gone;
    let news = whole.spoiled.stories.iter().filter(|(story, _)| !before.0.spoiled.stories.contains_key(*story));
    news.for_each(|(story, why)| tell_of_story(*story, why));
    Ok((Published(Arc::new(whole)), chores))
}

/// What one kind of readers sees. With `dated`, the same outputs at other addresses, the documents have the dates of those.
fn one_site(
    connection: &Connection,
    site: Site,
    before: &Published,
    served: &BTreeMap<String, Served>,
    dated: Option<&Inner>,
    now: DateTime<Utc>,
) -> store::Result<(Inner, Chores)> {
    let mut pages: BTreeMap<String, Arc<Rendered>> = BTreeMap::new();
    let mut put = |path: String, page: Rendered| {
        let same = before.ready(&path).filter(|old| old.body == page.body && old.last_modified == page.last_modified);
        pages.insert(path, same.unwrap_or_else(|| Arc::new(page)));
    };
    let (mut chores, mut damaged, mut spoiled) = (Chores::default(), BTreeMap::new(), Spoiled::default());
    let mut damaged_entries = BTreeSet::new();
    for (position, output) in site.outputs.iter().enumerate() {
        let name = &output.config.name;
        let dated = dated.map(|dated| dated.date_of(output).unwrap_or(now));
        match isolate::work(|| one(connection, &site, output, served.get(name), dated, now)) {
            Ok(OutputRendered {
                documents,
                story_pages,
                served,
                closed,
                without_text,
                damaged: hidden,
                left_out,
                digests,
            }) => {
                damaged.extend(without_text);
                damaged_entries.extend(hidden);
                for (format, page) in documents {
                    if position == 0 && format == Format::Html {
                        put("/".to_owned(), page.again());
                    }
                    put(format!("/{name}{}", format.ending()), page);
                }
                story_pages.into_iter().for_each(|(path, page)| put(path, page));
                chores.served.extend(served.map(|served| (name.clone(), served)));
                chores.archives.extend((!closed.is_empty()).then(|| (name.clone(), closed)));
                chores.digests.extend(digests.map(|due| (name.clone(), due)));
                spoiled.stories.extend(left_out);
            }
            Err(error) if error.policy() == Policy::Report => {
                spoiled.outputs.insert(name.clone(), error.to_string());
            }
            Err(error) => return Err(error),
        }
    }
    put("/style.css".to_owned(), Rendered::new("text/css; charset=utf-8", site.theme.style().to_owned(), None));
    put("/icon.svg".to_owned(), Rendered::new("image/svg+xml", theme::ICON.to_owned(), None));
    put("/icon.png".to_owned(), Rendered::picture("image/png", theme::ICON_PNG));
    put("/favicon.ico".to_owned(), Rendered::picture("image/x-icon", theme::FAVICON));
    if !spoiled.outputs.is_empty() {
        let is_kept = |path: &str| {
            let first = site.outputs.first().map(|output| output.config.name.as_str());
            let name = match name_in(path).0 {
                "" => first.unwrap_or_default(),
                name => name,
            };
            name == "story" || spoiled.outputs.contains_key(name)
        };
        for (path, page) in before.0.pages.iter().filter(|(path, _)| is_kept(path)) {
            pages.entry(path.clone()).or_insert_with(|| page.clone());
        }
    }
    let (kept, private, served) = Default::default();
    Ok((Inner { site, pages, served, damaged, damaged_entries, spoiled, kept, private }, chores))
}

impl Inner {
    /// When the documents of an output last changed.
    fn date_of(&self, output: &Output) -> Option<DateTime<Utc>> {
        let OutputConfig { name, formats, .. } = &output.config;
        let documents = formats.iter().filter_map(|format| self.pages.get(&format!("/{name}{}", format.ending())));
        documents.filter_map(|document| document.last_modified).max()
    }

    /// What went wrong with what only some see is told with the rest.
    fn take_over(&mut self, private: &Self) {
        self.damaged.extend(private.damaged.iter().map(|(story, title)| (*story, title.clone())));
        self.damaged_entries.extend(private.damaged_entries.iter().cloned());
        let Spoiled { stories, outputs } = &private.spoiled;
        self.spoiled.stories.extend(stories.iter().map(|(story, why)| (*story, why.clone())));
        self.spoiled.outputs.extend(outputs.iter().map(|(name, why)| (name.clone(), why.clone())));
    }
}

/// One output, rendered. Where something is to be stored first, it is not rendered.
#[derive(Default)]
struct OutputRendered {
    documents: Vec<(Format, Rendered)>,
    story_pages: Vec<(String, Rendered)>,
    /// What is to be remembered of its documents, where they are new.
    served: Option<Served>,
    closed: Vec<Closed>,
    /// Digests that are due.
    digests: Option<Due>,
    /// Stories that are shown without their texts, with their titles.
    without_text: Vec<(StoryId, String)>,
    /// Entries that are not shown, because their rows are damaged.
    damaged: BTreeSet<DamagedEntry>,
    /// Stories that are not shown, with why.
    left_out: Vec<(StoryId, String)>,
}

fn one(
    connection: &Connection,
    site: &Site,
    output: &Output,
    known: Option<&Served>,
    dated: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> store::Result<OutputRendered> {
    let OutputConfig { formats, directory, .. } = &output.config;
    // What is due is stored first, and rendered then.
    let digests = if dated.is_some() { None } else { digest::due(connection, output, now)? };
    let mut shown = select::current(connection, output)?;
    let closed = archive::due(connection, output, &shown, now)?;
    if digests.is_some() || !closed.is_empty() {
        return Ok(OutputRendered { closed, digests, ..OutputRendered::default() });
    }
    let mut left_out = std::mem::take(&mut shown.spoiled);
    let without_text = shown.feed.stories.iter().filter(|story| story.is_damaged);
    let without_text = without_text.map(|story| (story.id, story.headline.clone())).collect();
    let mut documents = Vec::with_capacity(formats.len());
    for format in formats {
        let (rendered, panicked) = render_what_can_be(site, &shown.feed, *format);
        documents.push((*format, rendered));
        left_out.extend(panicked);
    }
    let digest = documents.iter().map(|(_, page)| page.etag()).collect::<Vec<_>>().join(" ");
    let mut served = None;
    let modified = match (dated, known) {
        (Some(dated), _) => dated,
        (None, Some(known)) if known.digest == digest => known.modified,
        (None, known) => {
            // The date is told in whole seconds, and two states of a document never share one.
            let after = known.map(|known| known.modified + TimeDelta::seconds(1));
            let modified = after.map_or(now, |after| after.max(now));
            served = Some(Served { digest, modified });
            if shown.in_brief > 0 {
                tracing::info!(
                    name: "output.in_brief",
                    output = output.config.name,
                    stories = shown.in_brief,
                    "the longest stories of the output are shown in brief, with a link to their pages: it would have been too large otherwise"
                );
            }
            modified
        }
    };
    let documents = documents.into_iter().map(|(format, page)| (format, page.modified(modified))).collect();
    let mut story_pages = Vec::new();
    if directory.is_some() && formats.contains(&Format::Html) {
        for id in shown.feed.stories.iter().flat_map(MergedStory::linked) {
            match isolate::work(|| story_page(connection, site, id, &mut shown.texts)) {
                Ok(page) => story_pages.extend(page.map(|page| (format!("/story/{id}"), page))),
                Err(error) if error.policy() == Policy::Report => left_out.push((id, error.to_string())),
                Err(error) => return Err(error),
            }
        }
    }
    let damaged = shown.damaged;
    Ok(OutputRendered { documents, story_pages, served, without_text, damaged, left_out, ..OutputRendered::default() })
}

/// The page of a story, to be written to an output's directory.
fn story_page(
    connection: &Connection,
    site: &Site,
    id: StoryId,
    texts: &mut HashMap<EntryRef, Detail>,
) -> store::Result<Option<Rendered>> {
    let seen = site.outputs.first().map(|output| sight::story(connection, output, id)).transpose()?;
    let Some(seen) = seen.flatten() else { return Ok(None) };
    let text = texts.remove(&seen.story.canonical);
    let page = pages::story(connection, site, &seen, text)?;
    Ok(page.map(|(text, updated)| Rendered::new(Format::Html.media_type(), text, Some(updated))))
}

/// What is to be stored about what was published.
#[derive(Debug, Default)]
struct Chores {
    /// Outputs whose documents are new.
    served: Vec<(String, Served)>,
    /// Archives to close, by output.
    archives: Vec<(String, Vec<Closed>)>,
    /// Digests that are due, by output.
    digests: Vec<(String, Due)>,
}

impl Chores {
    fn add(&mut self, mut others: Self) {
        self.served.append(&mut others.served);
        self.archives.append(&mut others.archives);
        self.digests.append(&mut others.digests);
    }
}
