//! Media files and pictures of an entry.
//!
//! Pure. Media RSS lists one film in several sizes (`media:group`), the picture of who wrote an entry beside those of the entry,
//! and once more what `enclosure` has; readers are given each file once, in the form that the publisher prefers.

use super::fields::MOST_PARTS;
use super::{Field, Kind, Mode, Reader};
use crate::model::Enclosure;
use crate::model::media_type;
use crate::net::LONGEST_ADDRESS;
use crate::parse::ParsedEntry;
use crate::parse::address::bare;
use crate::parse::tokens::Attributes;

/// Parts of addresses that pictures of people have: services that keep them, and the usual folders.
const OF_PEOPLE: &[&str] = &[
    "gravatar.",
    "//avatars",
    "//avatar.",
    "/avatar/",
    "/avatars/",
    "/userpic/",
    "/userpics/",
    "/profile_images/",
    "//yt3.ggpht.com/",
    "libravatar.",
];

/// What an entry has of files and pictures, as it came.
#[derive(Debug, Default)]
pub(super) struct Media {
    enclosures: Vec<Enclosure>,
    /// Where the first enclosure really is, when its address is a counter's.
    original: Option<String>,
    /// The best of the group that is open so far.
    group: Option<Option<(Rank, Enclosure)>>,
    pictures: Vec<Picture>,
}

/// A picture that may stand for an entry.
#[derive(Debug)]
struct Picture {
    url: String,
    title: Option<String>,
}

/// How good a file of a group is: the publisher's default, no sample, no picture.
type Rank = (bool, bool, bool);

impl Media {
    pub(super) fn set_original(&mut self, url: String) {
        self.original.get_or_insert(url);
    }

    /// Names the picture that was met last.
    pub(super) fn set_picture_title(&mut self, title: String) {
        if let Some(picture) = self.pictures.last_mut() {
            picture.title.get_or_insert(title);
        }
    }

    /// Adds a file; of one that is listed already what was not known yet.
    fn add(&mut self, enclosure: Enclosure) {
        if !(1..=LONGEST_ADDRESS).contains(&enclosure.url.len()) {
            return;
        }
        let Enclosure { url, media_type, length } = enclosure;
        let is_same = |known: &&mut Enclosure| without_scheme(&known.url) == without_scheme(&url);
        if let Some(known) = self.enclosures.iter_mut().find(is_same) {
            known.media_type = known.media_type.take().or(media_type);
            known.length = known.length.filter(|length| *length > 0).or(length);
        } else if self.enclosures.len() < MOST_PARTS {
            self.enclosures.push(Enclosure { url, media_type, length });
        }
    }

    fn add_picture(&mut self, url: String) {
        if self.pictures.len() < MOST_PARTS {
            self.pictures.push(Picture { url, title: None });
        }
    }

    /// Gives an entry its files and its picture, once it is known who wrote it.
    pub(super) fn settle(self, entry: &mut ParsedEntry) {
        let Self { mut enclosures, original, pictures, .. } = self;
        if let (Some(original), Some(first)) = (original, enclosures.first_mut()) {
            first.url = original;
        }
        let (of_people, pictures): (Vec<Picture>, Vec<Picture>) =
            pictures.into_iter().partition(|picture| is_of_people(picture, entry));
        enclosures.retain(|enclosure| !of_people.iter().any(|picture| picture.url == enclosure.url));
        let attached = || enclosures.iter().find(|enclosure| is_picture(enclosure.media_type.as_deref()));
        let picture = pictures.into_iter().next().map(|picture| picture.url);
        entry.image = picture.or_else(|| attached().map(|enclosure| enclosure.url.clone()));
        entry.enclosures = enclosures;
    }
}

/// Whether a picture shows who wrote an entry.
fn is_of_people(picture: &Picture, entry: &ParsedEntry) -> bool {
    let is_name = |title: &String| entry.authors.iter().any(|author| author.name.eq_ignore_ascii_case(title));
    is_a_persons(&picture.url) || picture.title.as_ref().is_some_and(is_name)
}

/// Whether an address is one that pictures of people have.
fn is_a_persons(address: &str) -> bool {
    let address = address.get(..address.floor_char_boundary(300)).unwrap_or_default().to_ascii_lowercase();
    OF_PEOPLE.iter().any(|part| address.contains(part))
}

fn is_picture(media_type: Option<&str>) -> bool {
    media_type.is_some_and(|kind| kind.trim_start().starts_with("image/"))
}

/// Players of films that no program plays any more; feeds of films name one beside each film.
fn is_flash(media_type: Option<&str>, url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    matches!(media_type, Some("application/x-shockwave-flash" | "application/futuresplash"))
        || (media_type.is_none() && path.to_ascii_lowercase().ends_with(".swf"))
}

fn without_scheme(address: &str) -> &str {
    address.split_once("://").map_or(address, |(_, rest)| rest)
}

impl<'a> Reader<'a, '_> {
    /// Elements of Media RSS.
    pub(super) fn media(&mut self, parent: Kind, local: &str, attributes: Attributes<'a>) -> Kind {
        match local {
            "group" => {
                if let Some(item) = &mut self.item {
                    item.media.group = Some(None);
                }
                Kind::Group
            }
            "content" => self.media_content(attributes),
            "thumbnail" => {
                let url = self.attribute(attributes, "url");
                self.set_image(url);
                Kind::Foreign
            }
            "title" if parent == Kind::Picture => self.capture(Field::PictureTitle, Mode::Guess),
            _ if parent == Kind::Picture => Kind::Foreign,
            "title" => self.capture(Field::MediaTitle, Mode::Guess),
            "description" => self.capture(Field::SummaryToo, Mode::Guess),
            "category" => {
                let kind = self.capture(Field::Category, Mode::Plain);
                let label = self.attribute(attributes, "label");
                if let Some(capture) = &mut self.capture {
                    capture.instead = label;
                }
                kind
            }
            "keywords" => self.capture(Field::Keywords, Mode::Plain),
            _ => Kind::Foreign,
        }
    }

    fn media_content(&mut self, attributes: Attributes<'a>) -> Kind {
        let file = self.file(attributes, "fileSize");
        let is_image = match (attributes.get("medium").map(str::trim), &file) {
            (Some(medium), _) if !medium.is_empty() => medium.eq_ignore_ascii_case("image"),
            (_, Some(file)) => {
                is_picture(media_type::of(file.media_type.as_deref(), &file.url).as_deref()) || is_a_persons(&file.url)
            }
            (_, None) => is_picture(attributes.get("type")),
        };
        let kind = if is_image { Kind::Picture } else { Kind::Media };
        let Some(enclosure) = file else { return kind };
        if is_flash(enclosure.media_type.as_deref(), &enclosure.url) {
            return kind;
        }
        if is_image {
            self.set_image(Some(enclosure.url.clone()));
        }
        let says =
            |name: &str, value: &str| attributes.get(name).is_some_and(|said| said.trim().eq_ignore_ascii_case(value));
        let rank = (says("isDefault", "true"), !says("expression", "sample"), !is_image);
        let Some(item) = &mut self.item else { return kind };
        match &mut item.media.group {
            Some(best) => {
                if best.as_ref().is_none_or(|(best, _)| rank > *best) {
                    *best = Some((rank, enclosure));
                }
            }
            None => item.media.add(enclosure),
        }
        kind
    }

    /// What ends is one thing, in whichever of its files is the best.
    pub(super) fn end_group(&mut self) {
        if let Some(item) = &mut self.item
            && let Some(Some((_, enclosure))) = item.media.group.take()
        {
            item.media.add(enclosure);
        }
    }

    pub(super) fn enclosure(&mut self, attributes: Attributes<'a>) {
        if let Some(enclosure) = self.file(attributes, "length") {
            self.add_enclosure(enclosure);
        }
    }

    pub(super) fn add_enclosure(&mut self, enclosure: Enclosure) {
        if let Some(item) = &mut self.item {
            item.media.add(enclosure);
        }
    }

    /// The file that an element names.
    fn file(&self, attributes: Attributes<'a>, length: &str) -> Option<Enclosure> {
        let url = self.attribute(attributes, "url").or_else(|| self.attribute(attributes, "href"))?;
        let media_type = self.attribute(attributes, "type");
        let length = attributes.get(length).and_then(|length| length.trim().parse().ok());
        Some(Enclosure { url: self.absolute(&url), media_type, length })
    }

    pub(super) fn set_image(&mut self, url: Option<String>) {
        let Some(url) = url.filter(|url| !bare(url).is_empty()) else {
            return;
        };
        let url = self.absolute(&url);
        match &mut self.item {
            Some(item) => item.media.add_picture(url),
            None => _ = self.feed.image.get_or_insert(url),
        }
    }
}
