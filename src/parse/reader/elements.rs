//! What an element means, where it stands.
//!
//! Pure. An element is known by its vocabulary, its name in lower case, and what it stands in; what its attributes say is
//! taken in at once, and what its text is for goes to `fields` when it closes.

use std::borrow::Cow;

use super::fields::{Draft, MOST_PARTS, PersonDraft};
use super::{Capture, Field, Kind, Mode, Reader};
use crate::model::Enclosure;
use crate::parse::names::{Vocabulary, lower};
use crate::parse::repairs::Repair;
use crate::parse::tokens::Attributes;
use crate::parse::{AlsoToldBy, Cloud, Source, date};

/// The most entries of one document.
const MOST_ENTRIES: usize = 20_000;
/// The most hubs of a feed.
const MOST_HUBS: usize = 16;

impl<'a> Reader<'a, '_> {
    /// What an element outside any text is, with what its attributes say taken in.
    pub(super) fn element(&mut self, vocabulary: Vocabulary, local: &str, attributes: Attributes<'a>) -> Kind {
        use Vocabulary::{Atom, Dc, DcTerms, Itunes, Media, Rdf, Rss, Syndication};
        if let (Rss | Atom, "item" | "entry") = (vocabulary, local) {
            return self.open_entry(attributes);
        }
        let parent = self.stack.last().map(|frame| frame.kind);
        match (parent, vocabulary, local) {
            (_, Rss | Atom, "channel" | "feed") if self.item.is_none() => {
                self.open_feed(attributes);
                Kind::Feed
            }
            (None, ..) | (Some(Kind::Foreign), Rdf, "rdf") => Kind::Root,
            (Some(Kind::Person), Rss | Atom | Itunes, "name" | "title") => self.capture(Field::PersonName, Mode::Plain),
            (Some(Kind::Person), Rss | Atom | Itunes, "email") => self.capture(Field::PersonEmail, Mode::Plain),
            (Some(Kind::Person), Rss | Atom | Itunes, "uri" | "url" | "homepage") => {
                self.capture(Field::PersonUri, Mode::Plain)
            }
            (Some(Kind::Image), Rss | Atom, "url") => self.capture(Field::ImageUrl, Mode::Plain),
            (Some(Kind::Hours), Rss, "hour") => self.capture(Field::Hour, Mode::Plain),
            (Some(Kind::Days), Rss, "day") => self.capture(Field::Day, Mode::Plain),
            (Some(Kind::Foreign | Kind::Person | Kind::Image | Kind::Hours | Kind::Days), ..) => Kind::Foreign,
            (Some(Kind::Source), Rss | Atom, "title") => self.capture(Field::Title, self.mode(vocabulary, attributes)),
            (Some(Kind::Source), Rss | Atom, "id") => self.capture(Field::Guid, Mode::Plain),
            (Some(Kind::Source), Rss | Atom, "author") => self.open_person_of(true),
            (Some(Kind::Source), Rss | Atom, "link") => {
                self.source_link(attributes);
                Kind::Foreign
            }
            (Some(Kind::Source), ..) => Kind::Foreign,
            (Some(parent), Media, _) => self.media(parent, local, attributes),
            (_, Rss | Atom, _) => self.core(vocabulary, local, attributes),
            (_, Dc, "title") => self.capture(Field::Title, Mode::Guess),
            (_, Dc, "creator" | "author") | (_, Itunes, "author") => self.open_person(),
            (_, Dc, "subject") | (_, DcTerms, "subject") => self.capture(Field::Category, Mode::Plain),
            (_, Dc, "date") | (_, DcTerms, "date") => self.capture(Field::Dated, Mode::Plain),
            (_, Dc, "language") | (_, DcTerms, "language") => self.capture(Field::Language, Mode::Plain),
            (_, Dc, "description") | (_, DcTerms, "abstract" | "description") => {
                self.capture(Field::Summary, Mode::Guess)
            }
            (_, DcTerms, "issued" | "available") => self.capture(Field::Published, Mode::Plain),
            (_, DcTerms, "modified") => self.capture(Field::Updated, Mode::Plain),
            (_, DcTerms, "created") => self.capture(Field::Created, Mode::Plain),
            (_, DcTerms, "title") => self.capture(Field::MediaTitle, Mode::Guess),
            (_, Vocabulary::Content, "encoded") => self.capture(Field::Content, self.mode(Rss, attributes)),
            (_, Vocabulary::Xhtml, "body" | "div") => self.capture(Field::Content, Mode::Xhtml),
            // An element of the feed that declares the namespace of what it holds for itself.
            (Some(Kind::Entry | Kind::Feed), Vocabulary::Xhtml, "title") => self.capture(Field::Title, Mode::Guess),
            (Some(Kind::Entry | Kind::Feed), Vocabulary::Xhtml, "description" | "summary") => {
                self.capture(Field::Summary, Mode::Guess)
            }
            (Some(Kind::Entry), Vocabulary::Xhtml, "content") => self.capture(Field::Content, Mode::Guess),
            (_, Itunes, "summary") => self.capture(Field::Summary, Mode::Guess),
            (_, Itunes, "subtitle") => self.capture(Field::SummaryToo, Mode::Guess),
            (_, Itunes, "title") => self.capture(Field::MediaTitle, Mode::Guess),
            (_, Itunes, "keywords") => self.capture(Field::Keywords, Mode::Plain),
            (_, Itunes, "category") => {
                let term = self.attribute(attributes, "text");
                self.add_category(term);
                // Categories nest.
                Kind::Media
            }
            (_, Itunes, "image") => {
                let href = self.attribute(attributes, "href").or_else(|| self.attribute(attributes, "url"));
                self.set_image(href);
                Kind::Foreign
            }
            (_, Syndication, "updateperiod") => self.capture(Field::Period, Mode::Plain),
            (_, Syndication, "updatefrequency") => self.capture(Field::Frequency, Mode::Plain),
            (_, Vocabulary::Slash, "comments") | (_, Vocabulary::Threading, "total") => {
                self.capture(Field::CommentCount, Mode::Plain)
            }
            (_, Vocabulary::Threading, "in-reply-to") => {
                let to = self.attribute(attributes, "ref").or_else(|| self.attribute(attributes, "href"));
                if let Some(item) = &mut self.item {
                    item.entry.in_reply_to = item.entry.in_reply_to.take().or(to);
                }
                Kind::Foreign
            }
            (_, Vocabulary::History, "archive") => {
                self.feed.is_archive = true;
                Kind::Foreign
            }
            (_, Vocabulary::History, "complete") => {
                self.feed.is_complete = true;
                Kind::Foreign
            }
            (Some(Kind::Entry), Vocabulary::Newsfold, _) => {
                self.newsfold(local, attributes);
                Kind::Foreign
            }
            (_, Vocabulary::FeedBurner, "origlink") => self.capture(Field::OriginalLink, Mode::Plain),
            (_, Vocabulary::FeedBurner, "origenclosurelink") => self.capture(Field::OriginalEnclosure, Mode::Plain),
            _ => Kind::Foreign,
        }
    }

    /// Elements of RSS and Atom in a feed or an entry.
    pub(super) fn core(&mut self, vocabulary: Vocabulary, local: &str, attributes: Attributes<'a>) -> Kind {
        let is_entry = self.item.is_some();
        match local {
            "title" => self.capture(Field::Title, self.mode(vocabulary, attributes)),
            "link" => {
                if let Some(href) = attributes.get("href") {
                    self.link(attributes, &self.decoded(href));
                    return Kind::Foreign;
                }
                let kind = self.capture(Field::Link, Mode::Plain);
                if let Some(capture) = &mut self.capture {
                    capture.link = attributes.get("rel").map(|_| attributes);
                }
                kind
            }
            "guid" | "id" => {
                let is_permalink =
                    attributes.get("ispermalink").map(|value| !value.trim().eq_ignore_ascii_case("false"));
                let kind = self.capture(Field::Guid, Mode::Plain);
                if let Some(capture) = &mut self.capture {
                    // RSS's guid is an address unless it says otherwise; Atom's id never says.
                    capture.is_permalink = (local == "guid").then_some(is_permalink.unwrap_or(true));
                } else if let Some(item) = &mut self.item {
                    item.entry.id_is_permalink = (local == "guid").then_some(is_permalink.unwrap_or(true));
                }
                kind
            }
            "description" | "subtitle" | "tagline" | "summary" | "abstract" => {
                self.capture(Field::Summary, self.mode(vocabulary, attributes))
            }
            "info" if !is_entry => self.capture(Field::SummaryToo, self.mode(vocabulary, attributes)),
            "content" | "body" | "fullitem" => {
                if let Some(source) = self.attribute(attributes, "src") {
                    let source = self.absolute(&source);
                    if let Some(item) = &mut self.item {
                        item.content_source = Some(source);
                    }
                }
                self.capture(Field::Content, self.mode(vocabulary, attributes))
            }
            "pubdate" | "published" | "issued" => self.capture(Field::Published, Mode::Plain),
            "updated" | "modified" | "lastbuilddate" | "lastmod" => self.capture(Field::Updated, Mode::Plain),
            "date" => self.capture(Field::Dated, Mode::Plain),
            "created" => self.capture(Field::Created, Mode::Plain),
            "author" | "managingeditor" => self.open_person(),
            "category" => {
                let kind = self.capture(Field::Category, Mode::Plain);
                let (term, label) = (self.attribute(attributes, "term"), self.attribute(attributes, "label"));
                if let Some(capture) = &mut self.capture {
                    capture.instead = shown_label(term, label);
                }
                kind
            }
            "keywords" | "tags" => self.capture(Field::Keywords, Mode::Plain),
            "enclosure" => {
                self.enclosure(attributes);
                Kind::Media
            }
            "comments" => self.capture(Field::Comments, Mode::Plain),
            "language" => self.capture(Field::Language, Mode::Plain),
            "source" if is_entry => {
                let address = self.attribute(attributes, "url").map(|url| self.absolute(&url));
                if let Some(item) = &mut self.item {
                    let source = item.entry.source.get_or_insert_with(Source::default);
                    source.feed_url = source.feed_url.take().or(address);
                }
                Kind::Source
            }
            "image" | "textinput" | "textinput1" => Kind::Image,
            "logo" | "icon" => self.capture(Field::ImageUrl, Mode::Plain),
            "ttl" => self.capture(Field::Ttl, Mode::Plain),
            "skiphours" => Kind::Hours,
            "skipdays" => Kind::Days,
            "cloud" => {
                self.cloud(attributes);
                Kind::Foreign
            }
            _ => Kind::Foreign,
        }
    }

    pub(super) fn open_feed(&mut self, attributes: Attributes<'a>) {
        // CDF writes them as attributes.
        let link = self.attribute(attributes, "href").map(|href| self.absolute(&href));
        self.feed_draft.page = self.feed_draft.page.take().or(link);
        let updated = self.attribute(attributes, "lastmod").and_then(|text| date::parse(&text));
        self.feed.updated = self.feed.updated.or(updated);
        self.feed.base = self.bases.last().map(|base| base.as_str().to_owned()).or(self.feed.base.take());
        let language = self.languages.last().filter(|language| !language.is_empty()).cloned();
        self.feed_draft.entry.language = self.feed_draft.entry.language.take().or(language);
    }

    pub(super) fn open_entry(&mut self, attributes: Attributes<'a>) -> Kind {
        if let Some(open) = self.stack.iter().rposition(|frame| frame.kind == Kind::Entry) {
            if self.stack.last().is_some_and(|frame| frame.kind == Kind::Foreign) {
                return Kind::Foreign;
            }
            self.repairs.note(Repair::Unclosed, self.at);
            self.pop_to(open);
        }
        if self.feed.entries.len() >= MOST_ENTRIES {
            self.repairs.note(Repair::TooManyEntries, self.at);
            self.is_full = true;
            return Kind::Foreign;
        }
        let mut draft = Box::new(Draft::default());
        draft.about = attributes
            .iter()
            .find(|(name, _)| lower(name.rsplit(':').next().unwrap_or(name)) == "about")
            .map(|(_, value)| self.decoded(value).trim().to_owned());
        draft.page = self.attribute(attributes, "href").map(|href| self.absolute(&href));
        draft.dated = self.attribute(attributes, "lastmod").and_then(|text| date::parse(&text));
        draft.entry.base = self.bases.last().map(|base| base.as_str().to_owned());
        draft.entry.language = self.languages.last().filter(|language| !language.is_empty()).cloned();
        self.item = Some(draft);
        Kind::Entry
    }

    pub(super) fn open_person(&mut self) -> Kind {
        self.open_person_of(false)
    }

    fn open_person_of(&mut self, is_of_source: bool) -> Kind {
        self.person = Some(PersonDraft { is_of_source, ..PersonDraft::default() });
        Kind::Person
    }

    /// Begins to take the text of the element that is being opened.
    pub(super) fn capture(&mut self, field: Field, mode: Mode) -> Kind {
        self.capture = Some(Capture {
            field,
            mode,
            depth: self.stack.len() + 1,
            text: String::new(),
            has_inline: false,
            is_cut: false,
            instead: None,
            is_permalink: None,
            link: None,
        });
        Kind::Captured
    }

    /// How an element's text is written, by its attributes.
    pub(super) fn mode(&self, vocabulary: Vocabulary, attributes: Attributes<'a>) -> Mode {
        let is_atom = self.is_atom || vocabulary == Vocabulary::Atom;
        let kind = attributes.get("type").map(|kind| kind.trim().to_ascii_lowercase());
        let is_base64 = attributes.get("mode").is_some_and(|mode| mode.trim().eq_ignore_ascii_case("base64"));
        let kind = kind.as_deref().map(|kind| kind.split(';').next().unwrap_or(kind).trim_end());
        let mode = match kind {
            None | Some("") if is_atom => Mode::Plain,
            None | Some("") => Mode::Guess,
            Some("text" | "text/plain" | "plain") if is_atom => Mode::Plain,
            Some("html" | "text/html") => Mode::Html,
            Some("xhtml" | "application/xhtml+xml" | "text/xhtml") => Mode::Xhtml,
            Some(kind) if kind.ends_with("+xml") || kind.ends_with("/xml") => Mode::Xml,
            Some(kind) if is_atom && kind.contains('/') && !kind.starts_with("text/") => {
                Mode::Base64 { is_plain: true }
            }
            Some(_) if is_atom => Mode::Plain,
            Some(_) => Mode::Guess,
        };
        if is_base64 {
            return Mode::Base64 { is_plain: mode == Mode::Plain };
        }
        mode
    }

    /// An Atom link, by its relation.
    pub(super) fn link(&mut self, attributes: Attributes<'a>, href: &str) {
        let relation = relation(attributes);
        // An empty address means the base (RFC 3986 §4.4). For a page that is a slip of the publisher's.
        if href.trim().is_empty() && (relation != "enclosure" || self.bases.is_empty()) {
            return;
        }
        let href = self.absolute(href);
        let kind = self.attribute(attributes, "type");
        match relation.as_ref() {
            "alternate" | "" => {
                let is_page = kind.as_deref().is_none_or(|kind| kind.contains("html"));
                let draft = self.draft();
                if is_page {
                    draft.page.get_or_insert_with(|| href.clone());
                }
                draft.alternate.get_or_insert(href);
            }
            "enclosure" => self.add_enclosure(Enclosure {
                url: href,
                media_type: kind,
                length: attributes.get("length").and_then(|length| length.trim().parse().ok()),
            }),
            "replies" if kind.as_deref().is_none_or(|kind| kind.contains("html")) => {
                self.draft().entry.comments.get_or_insert(href);
            }
            "self" if self.item.is_none() => {
                self.feed.self_link.get_or_insert(href);
            }
            "hub" if self.item.is_none() && self.feed.hubs.len() < MOST_HUBS => self.feed.hubs.push(href),
            "next" if self.item.is_none() => {
                self.feed.next_page.get_or_insert(href);
            }
            "prev-archive" if self.item.is_none() => {
                self.feed.previous_archive.get_or_insert(href);
            }
            "current" if self.item.is_none() => {
                self.feed.current.get_or_insert(href);
            }
            _ => {}
        }
    }

    /// What another newsfold says of an entry: whom it credits, who else tells the story, and where that has its page.
    fn newsfold(&mut self, local: &str, attributes: Attributes<'a>) {
        let said = |name| self.attribute(attributes, name);
        match local {
            "source" => {
                let [title, url, feed_url] = [said("title"), said("home_page_url"), said("feed_url")];
                if let Some(item) = &mut self.item {
                    // It says more than `source`, in which RSS has one address for either.
                    let id = item.entry.source.take().and_then(|source| source.id);
                    item.entry.source = Some(Source { id, title, url, feed_url });
                    item.entry.is_by_newsfold = true;
                }
            }
            "also" => {
                let date = said("date").and_then(|said| date::parse(&said));
                let [source, title, url] = [said("source"), said("title"), said("url")];
                let [home_page_url, feed_url] = [said("home_page_url"), said("feed_url")];
                let also = AlsoToldBy { source, title, url, date, home_page_url, feed_url };
                if let Some(item) = &mut self.item
                    && item.entry.also.len() < MOST_PARTS
                {
                    item.entry.also.push(also);
                }
            }
            "story" => {
                let [page, title, names] = [said("url"), said("title"), said("known_as")];
                if let Some(item) = &mut self.item {
                    item.entry.story_page = page;
                    item.entry.story_title = title;
                    let names = names.iter().flat_map(|names| names.split_ascii_whitespace());
                    item.entry.known_as = names.take(MOST_PARTS).map(str::to_owned).collect();
                }
            }
            _ => {}
        }
    }

    pub(super) fn source_link(&mut self, attributes: Attributes<'a>) {
        let Some(href) = self.attribute(attributes, "href") else {
            return;
        };
        let href = self.absolute(&href);
        let relation = attributes.get("rel").map(lower);
        if let Some(source) = self.item.as_mut().and_then(|item| item.entry.source.as_mut()) {
            match relation.as_deref() {
                None | Some("alternate" | "") => source.url.get_or_insert(href),
                Some("self") => source.feed_url.get_or_insert(href),
                _ => return,
            };
        }
    }

    pub(super) fn cloud(&mut self, attributes: Attributes<'a>) {
        let Some(domain) = self.attribute(attributes, "domain") else {
            return;
        };
        self.feed.cloud = Some(Cloud {
            domain,
            port: attributes.get("port").and_then(|port| port.trim().parse().ok()),
            path: self.attribute(attributes, "path"),
            procedure: self.attribute(attributes, "registerProcedure"),
            protocol: self.attribute(attributes, "protocol"),
        });
    }
}

/// What is shown of a category: its label, where the term is a name for machines (RFC 4287 §4.2.2), else the term.
pub(super) fn shown_label(term: Option<String>, label: Option<String>) -> Option<String> {
    match (term, label) {
        (Some(term), Some(label)) if is_for_machines(&term, &label) => Some(label),
        (term, label) => term.or(label),
    }
}

/// Whether a term is an address, a path, or a longer name that ends with its label.
fn is_for_machines(term: &str, label: &str) -> bool {
    let has_scheme = term.split_once(':').is_some_and(|(scheme, rest)| {
        !rest.starts_with(char::is_whitespace) && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    let spoken =
        |text: &str| -> String { text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect() };
    let (short, long) = (spoken(label), spoken(term));
    has_scheme
        || term.starts_with(['/', '#'])
        || (!short.is_empty() && long.len() > short.len() && long.ends_with(&short))
}

/// The relation of a link in lower case; a link without one leads to the page (RFC 4287 §4.2.7.2).
fn relation<'a>(attributes: Attributes<'a>) -> Cow<'a, str> {
    let relation = attributes.get("rel").map_or("alternate", str::trim);
    lower(relation.strip_prefix("http://www.iana.org/assignments/relation/").unwrap_or(relation))
}
