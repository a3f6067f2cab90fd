//! What becomes of a field's text, and which of several spellings counts.
//!
//! Pure. The first of a doubled field counts, save where a later one says more.

use chrono::{DateTime, Utc};
use url::Url;

use super::media::Media;
use super::texts::Texts;
use super::{Capture, Field, Kind, Mode, Reader};
use crate::model::Person;
use crate::parse::address::{Joiner, is_absolute, is_web};
use crate::parse::repairs::Repair;
use crate::parse::{Context, ParsedEntry, ParsedFeed, date, lines, markup};
use crate::text;

/// The longest title that is looked at, in bytes.
const LONGEST_TITLE: usize = 64 * 1024;
/// The most parts of one kind (authors, categories, enclosures) of one entry.
pub(super) const MOST_PARTS: usize = 100;
/// The longest of them, in characters: each is compared with the others.
const LONGEST_PART: usize = 500;

/// What is known of an entry, or of the feed, before it is settled which of several spellings counts.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) entry: ParsedEntry,
    pub(super) media_title: Option<String>,
    pub(super) texts: Texts,
    pub(super) media: Media,
    /// Who wrote the feed that the entry was taken over from.
    pub(super) source_authors: Vec<Person>,
    /// `rdf:about`.
    pub(super) about: Option<String>,
    /// The text of RSS's `link`.
    pub(super) link: Option<String>,
    /// Atom's alternate links: the first to a page, and the first of any type.
    pub(super) page: Option<String>,
    pub(super) alternate: Option<String>,
    /// Where the text really is, when the link is a counter's.
    pub(super) original_link: Option<String>,
    pub(super) content_source: Option<String>,
    pub(super) dated: Option<DateTime<Utc>>,
    pub(super) created: Option<DateTime<Utc>>,
    pub(super) period_s: Option<u64>,
    pub(super) frequency: Option<u64>,
}

#[derive(Debug, Default)]
pub(super) struct PersonDraft {
    pub(super) is_of_source: bool,
    pub(super) text: String,
    pub(super) person: Person,
}

impl Reader<'_, '_> {
    pub(super) fn end_capture(&mut self) {
        let Some(capture) = self.capture.take() else {
            return;
        };
        let Capture { field, mode, text: raw, has_inline, instead, is_permalink, link, .. } = capture;
        let is_source = self.stack.last().is_some_and(|frame| frame.kind == Kind::Source);
        if field.is_markup() {
            let (raw, mode) = match mode {
                Mode::Base64 { is_plain } => match markup::base64(&raw) {
                    Some(decoded) => (decoded, if is_plain { Mode::Plain } else { Mode::Html }),
                    None if raw.contains(['<', '&', ' ']) => (raw, Mode::Guess),
                    None => return,
                },
                Mode::Guess if has_inline => (raw, Mode::Html),
                mode => (raw, mode),
            };
            if matches!(field, Field::Title | Field::MediaTitle | Field::PictureTitle) {
                if let Some(title) = title(&raw, mode) {
                    self.set_title(field, title, is_source);
                }
            } else if let Some(html) = body(raw, mode) {
                self.set_markup(field, html);
            }
            return;
        }
        let value = markup::unwrapped(&raw).trim();
        if value.is_empty() && instead.is_none() {
            return;
        }
        if is_source {
            if let Some(source) = self.item.as_mut().and_then(|item| item.entry.source.as_mut()) {
                source.id = Some(value.to_owned());
            }
            return;
        }
        match link {
            Some(attributes) => self.link(attributes, value),
            None => self.set_field(field, value, instead, is_permalink),
        }
    }

    pub(super) fn set_title(&mut self, field: Field, title: String, is_source: bool) {
        if is_source {
            if let Some(source) = self.item.as_mut().and_then(|item| item.entry.source.as_mut()) {
                source.title = Some(title);
            }
            return;
        }
        let draft = self.draft();
        match field {
            Field::Title => _ = draft.entry.title.get_or_insert(title),
            Field::PictureTitle => draft.media.set_picture_title(title),
            _ => _ = draft.media_title.get_or_insert(title),
        }
    }

    pub(super) fn set_markup(&mut self, field: Field, html: String) {
        let base = self.bases.last().map(|base| base.as_str().to_owned());
        self.draft().texts.take(field, html, base);
    }

    pub(super) fn set_field(&mut self, field: Field, value: &str, instead: Option<String>, is_permalink: Option<bool>) {
        match field {
            Field::Published | Field::Updated | Field::Dated | Field::Created => self.set_date(field, value),
            Field::Link => {
                let link = self.absolute(value);
                self.draft().link.get_or_insert(link);
            }
            Field::OriginalLink => {
                let link = self.absolute(value);
                self.draft().original_link.get_or_insert(link);
            }
            Field::OriginalEnclosure => {
                let link = self.absolute(value);
                self.draft().media.set_original(link);
            }
            Field::Guid => {
                // Atom's id has to be absolute; one that is not was written for the base beside it.
                let id = match self.bases.last() {
                    Some(base) if is_permalink.is_none() => self.joiner.absolute(value, Some(base)),
                    _ => value.to_owned(),
                };
                let entry = &mut self.draft().entry;
                if entry.id.is_none() {
                    entry.id = Some(id);
                    entry.id_is_permalink = is_permalink;
                }
            }
            Field::Category => {
                self.add_category(if value.is_empty() { instead } else { Some(value.to_owned()) });
            }
            Field::Keywords => {
                for word in value.split(',') {
                    self.add_category(Some(word.to_owned()));
                }
            }
            Field::Comments => {
                let comments = self.absolute(value);
                self.draft().entry.comments.get_or_insert(comments);
            }
            Field::CommentCount => self.draft().entry.comment_count = value.parse().ok(),
            Field::Language => {
                let language = value.to_owned();
                match &mut self.item {
                    Some(item) => item.entry.language = Some(language),
                    None => self.feed.language = Some(language),
                }
            }
            Field::Ttl => {
                let minutes: Option<u64> = value.parse().ok();
                self.feed.hints.ttl_s = minutes.and_then(|minutes| minutes.checked_mul(60));
            }
            Field::Hour => {
                // RSS 0.91 counts from 1 to 24, and its 24 is the hour that begins at midnight.
                if let Ok(hour @ 0..=24) = value.parse::<u32>() {
                    self.feed.hints.skip_hours |= 1 << (hour % 24);
                }
            }
            Field::Day => self.feed.hints.skip_days |= weekday(value),
            Field::Period => self.feed_draft.period_s = period_s(value),
            Field::Frequency => self.feed_draft.frequency = value.parse().ok(),
            Field::PersonName => self.set_person(|person| &mut person.name, text::fold_space(value)),
            Field::PersonEmail => self.set_person(|person| person.email.get_or_insert_default(), value.to_owned()),
            Field::PersonUri => {
                let uri = self.absolute(value);
                self.set_person(|person| person.url.get_or_insert_default(), uri);
            }
            Field::ImageUrl => self.set_image(Some(value.to_owned())),
            Field::Title
            | Field::MediaTitle
            | Field::PictureTitle
            | Field::Summary
            | Field::SummaryToo
            | Field::Content => {}
        }
    }

    pub(super) fn set_date(&mut self, field: Field, value: &str) {
        let Some(at) = date::parse(value) else {
            self.repairs.note(Repair::Date, self.at);
            return;
        };
        let draft = self.draft();
        let slot = match field {
            Field::Published => &mut draft.entry.published,
            Field::Updated => &mut draft.entry.updated,
            Field::Created => &mut draft.created,
            _ => &mut draft.dated,
        };
        slot.get_or_insert(at);
    }

    pub(super) fn set_person(&mut self, slot: impl Fn(&mut Person) -> &mut String, value: String) {
        if let Some(draft) = &mut self.person {
            let slot = slot(&mut draft.person);
            if slot.is_empty() {
                *slot = value;
            }
        }
    }

    pub(super) fn end_person(&mut self) {
        let Some(PersonDraft { is_of_source, text: said, mut person }) = self.person.take() else {
            return;
        };
        if person.name.is_empty() && person.email.is_none() {
            let url = person.url.take();
            person = markup::person(markup::unwrapped(&said));
            person.url = url;
        }
        if person.name.is_empty() {
            person.name = person.email.clone().or_else(|| person.url.clone()).unwrap_or_default();
        }
        person.name = text::shorten(&person.name, LONGEST_PART);
        let authors = match &mut self.item {
            Some(item) if is_of_source => &mut item.source_authors,
            Some(item) => &mut item.entry.authors,
            None => &mut self.feed.authors,
        };
        if !person.name.is_empty()
            && authors.len() < MOST_PARTS
            && !authors.iter().any(|known| known.name == person.name)
        {
            authors.push(person);
        }
    }

    pub(super) fn add_category(&mut self, term: Option<String>) {
        let term = text::shorten(&text::fold_space(&term.unwrap_or_default()), LONGEST_PART);
        let Some(item) = &mut self.item else {
            return;
        };
        let categories = &mut item.entry.categories;
        if !term.is_empty() && categories.len() < MOST_PARTS && !categories.contains(&term) {
            categories.push(term);
        }
    }

    pub(super) fn draft(&mut self) -> &mut Draft {
        match &mut self.item {
            Some(item) => item,
            None => &mut self.feed_draft,
        }
    }

    pub(super) fn end_entry(&mut self) {
        let Some(draft) = self.item.take().map(|draft| *draft) else {
            return;
        };
        let mut entry = draft.entry;
        entry.title = entry.title.or(draft.media_title);
        draft.texts.settle(&mut entry);
        if entry.authors.is_empty() {
            entry.authors = draft.source_authors;
        }
        draft.media.settle(&mut entry);
        let about = draft.about.as_deref().filter(|about| is_web(about));
        let link = draft
            .link
            .filter(|link| !link.is_empty())
            .or(draft.page)
            .or(draft.alternate)
            .or(draft.content_source)
            .or_else(|| about.map(str::to_owned));
        // Whoever counts readers says where the page is, and so does an id that is one, as RSS has it.
        let is_page = |address: &String| is_web(address) && !is_counter(address);
        let page = entry.id.clone().filter(|_| entry.id_is_permalink == Some(true)).filter(is_page);
        entry.url = match (link, draft.original_link) {
            (_, Some(original)) if is_page(&original) => Some(original),
            (Some(link), _) if is_counter(&link) => page.or(Some(link)),
            (link, original) => link.or(original),
        };
        link_by_id(&mut entry);
        entry.id = entry.id.or_else(|| draft.about.filter(|about| !about.is_empty()));
        entry.published = entry.published.or(draft.created).or(draft.dated);
        if entry.published != draft.dated {
            entry.updated = entry.updated.or(draft.dated);
        }
        entry.is_half_told = self.is_breaking_off;
        self.feed.entries.push(entry);
    }

    /// The feed; `end` is where the document ends.
    pub(super) fn finish(self, end: usize) -> ParsedFeed {
        let Self { mut feed, feed_draft: draft, context, joiner, repairs, .. } = self;
        let Draft { entry, .. } = draft;
        feed.title = entry.title.or(draft.media_title);
        feed.link = draft.link.or(draft.page).or(draft.alternate);
        let (description, base) = draft.texts.description();
        feed.description = description;
        feed.updated = entry.updated.or(draft.dated).or(entry.published).or(draft.created).or(feed.updated);
        feed.base = base.or(feed.base);
        feed.id = entry.id;
        feed.language = feed.language.or(entry.language);
        if let Some(period) = draft.period_s {
            feed.hints.update_period_s = Some(period / draft.frequency.unwrap_or(1).max(1));
        }
        resolve(&mut feed, context, &joiner);
        if joiner.is_full() {
            repairs.note(Repair::Addresses, end);
        }
        feed
    }
}

/// A title as plain text; `None` when nothing is left of it.
pub(in crate::parse) fn title(raw: &str, mode: Mode) -> Option<String> {
    let raw = raw.get(..raw.floor_char_boundary(LONGEST_TITLE)).unwrap_or(raw);
    let raw = markup::unwrapped(raw);
    let title = match mode {
        Mode::Xhtml | Mode::Xml => markup::title_of_elements(raw),
        _ if is_plain(raw, mode) => text::fold_space(raw),
        _ => markup::title(raw),
    };
    (!title.is_empty()).then_some(title)
}

/// A body as HTML; `None` when there is nothing in it.
pub(in crate::parse) fn body(raw: String, mode: Mode) -> Option<String> {
    let raw = match mode {
        Mode::Xhtml | Mode::Xml => return Some(markup::trimmed(raw)).filter(|html| !html.is_empty()),
        Mode::Plain => markup::unwrapped(&raw).to_owned(),
        _ => markup::without_cdata(raw),
    };
    let html = match (is_plain(&raw, mode), mode) {
        // In HTML a line break is white space.
        (true, Mode::Html) => markup::escape(raw.trim()),
        (true, _) => lines::html(&raw),
        (false, _) => markup::body(raw),
    };
    (!html.is_empty()).then_some(html)
}

/// Whether a text has no markup, by its type or by its looks.
fn is_plain(raw: &str, mode: Mode) -> bool {
    match mode {
        Mode::Plain => true,
        Mode::Guess => !markup::looks_like_html(raw.trim()),
        // Declared as HTML, but without one whole tag or reference: a `<` in it is meant.
        Mode::Html => !raw.contains(['>', '&']),
        Mode::Xhtml | Mode::Xml | Mode::Base64 { .. } => false,
    }
}

/// Takes an entry's id for its address where it has no other, as RSS says of `guid`.
pub(in crate::parse) fn link_by_id(entry: &mut ParsedEntry) {
    if entry.url.is_none() && entry.id_is_permalink != Some(false) {
        entry.url = entry.id.clone().filter(|id| is_web(id));
    }
}

/// Makes the addresses of entries absolute that start from the feed's page, or, where that is not known, from the document.
pub(in crate::parse) fn resolve(feed: &mut ParsedFeed, context: Context<'_>, joiner: &Joiner) {
    let page = feed.link.as_deref().and_then(|link| Url::parse(link).ok()).filter(|page| !page.cannot_be_a_base());
    let Some(base) = page.as_ref().or(context.base) else {
        return;
    };
    let relative = |address: &mut String| {
        if !is_absolute(address) {
            *address = joiner.absolute(address, Some(base));
        }
    };
    for entry in &mut feed.entries {
        entry.url.iter_mut().for_each(relative);
        entry.image.iter_mut().for_each(relative);
        entry.comments.iter_mut().for_each(relative);
        entry.enclosures.iter_mut().map(|enclosure| &mut enclosure.url).for_each(relative);
    }
}

/// Whether the address only counts a reader and sends him on: a service's, or one of a publisher's own name whose path is that of
/// such a service (`/~r/NAME/~3/ID/`, `/~/ID/`).
fn is_counter(link: &str) -> bool {
    const COUNTERS: &[&str] = &[
        "feedproxy.google.com",
        "feeds.feedburner.com",
        "feeds2.feedburner.com",
        "feeds.feedblitz.com",
        "rss.feedsportal.com",
        "feedproxy.feedly.com",
        "feeds.pheedo.com",
    ];
    let rest = link.split_once("://").map_or(link, |(_, rest)| rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let is_number = |text: &str| text.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
    COUNTERS.contains(&host)
        || (path.starts_with("~r/") && path.contains("/~3/"))
        || path.strip_prefix("~/").is_some_and(is_number)
}

/// The bit of a weekday, Monday the lowest.
fn weekday(name: &str) -> u8 {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let name = name.trim().to_ascii_lowercase();
    DAYS.iter().position(|day| name.starts_with(day)).map_or(0, |at| 1 << at)
}

fn period_s(name: &str) -> Option<u64> {
    const HOUR: u64 = 3600;
    Some(match name.trim().to_ascii_lowercase().as_str() {
        "hourly" => HOUR,
        "daily" => 24 * HOUR,
        "weekly" => 7 * 24 * HOUR,
        "monthly" => 30 * 24 * HOUR,
        "yearly" => 365 * 24 * HOUR,
        _ => return None,
    })
}
