//! The values of a JSON Feed, as loosely as they are written.
//!
//! Pure. What is not known is skipped and costs nothing, what is known is bounded in number and size, and a value of a type
//! that nobody expects there counts as absent: none of that is an error, so that one entry never costs another.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use crate::parse::Deadline;

/// The most entries of one document.
const MOST_ENTRIES: usize = 20_000;
/// The most authors, tags, attachments or hubs of one list.
const MOST_PARTS: usize = 100;
/// The most of them, and of entries, in all lists of a document: each takes several times the room that it takes there.
const MOST_PARTS_OF_ALL: usize = 200_000;
/// After so many of them it is asked whether the time is over.
const PARTS_BETWEEN: usize = 1_000;
/// The longest text, in bytes.
const LONGEST_FIELD: usize = 1024 * 1024;

/// The top level.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) version: Option<String>,
    pub(super) title: Option<String>,
    pub(super) home_page_url: Option<String>,
    pub(super) feed_url: Option<String>,
    pub(super) description: Option<String>,
    pub(super) language: Option<String>,
    pub(super) icon: Option<String>,
    pub(super) favicon: Option<String>,
    pub(super) next_url: Option<String>,
    pub(super) author: Option<Author>,
    pub(super) authors: Vec<Author>,
    pub(super) hubs: Vec<Hub>,
    /// `None` where there is no array of them; in it, what is no object.
    pub(super) items: Option<Vec<Option<Item>>>,
    /// Whether there was more of something than is read.
    pub(super) is_cut: bool,
}

/// An entry.
#[derive(Debug, Default)]
pub(super) struct Item {
    pub(super) id: Option<String>,
    pub(super) url: Option<String>,
    pub(super) external_url: Option<String>,
    pub(super) title: Option<String>,
    pub(super) summary: Option<String>,
    pub(super) content_html: Option<String>,
    pub(super) content_text: Option<String>,
    pub(super) date_published: Option<String>,
    pub(super) date_modified: Option<String>,
    pub(super) author: Option<Author>,
    pub(super) authors: Vec<Author>,
    pub(super) tags: Vec<Tag>,
    pub(super) attachments: Vec<Attachment>,
    pub(super) language: Option<String>,
    pub(super) image: Option<String>,
    pub(super) banner_image: Option<String>,
    pub(super) own: Option<Own>,
}

/// What another newsfold says of an entry.
#[derive(Debug, Default)]
pub(super) struct Own {
    pub(super) source: Option<Taken>,
    pub(super) also: Vec<Also>,
    pub(super) story_url: Option<String>,
    pub(super) story_title: Option<String>,
    pub(super) known_as: Vec<Tag>,
}

/// Who else tells its story.
#[derive(Debug, Default)]
pub(super) struct Also {
    pub(super) source: Option<String>,
    pub(super) title: Option<String>,
    pub(super) url: Option<String>,
    pub(super) date: Option<String>,
    pub(super) home_page_url: Option<String>,
    pub(super) feed_url: Option<String>,
}

/// Whom an entry was taken from.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) title: Option<String>,
    pub(super) home_page_url: Option<String>,
    pub(super) feed_url: Option<String>,
}

/// Someone, as an object or as a text that names them.
#[derive(Debug, Default)]
pub(super) struct Author {
    pub(super) said: Option<String>,
    pub(super) name: Option<String>,
    pub(super) url: Option<String>,
}

/// A media file; its size as a number may be written.
#[derive(Debug, Default)]
pub(super) struct Attachment {
    pub(super) url: Option<String>,
    pub(super) mime_type: Option<String>,
    pub(super) size_in_bytes: Option<String>,
}

/// A label; as an object it says nothing.
#[derive(Debug, Default)]
pub(super) struct Tag(pub(super) Option<String>);

/// Where to subscribe.
#[derive(Debug, Default)]
pub(super) struct Hub {
    pub(super) url: Option<String>,
    pub(super) kind: Option<String>,
}

/// Reads a document as it comes.
///
/// # Errors
/// When it is no JSON, or no object, or the time is over.
pub(super) fn read(document: &str, deadline: Deadline<'_>) -> serde_json::Result<Document> {
    let budget = Budget { parts: Cell::new(MOST_PARTS_OF_ALL), is_cut: Cell::new(false), deadline };
    let mut json = serde_json::Deserializer::from_str(document);
    let read = Any(One::<Document>::new(&budget)).deserialize(&mut json)?;
    json.end()?;
    let read = read.ok_or_else(|| serde_json::Error::custom("no object"))?;
    Ok(Document { is_cut: budget.is_cut.get(), ..read })
}

/// How much may still be taken of a document.
struct Budget<'d> {
    parts: Cell<usize>,
    is_cut: Cell<bool>,
    deadline: Deadline<'d>,
}

impl Budget<'_> {
    /// The first objects of a list, `None` for what is none; the rest is skipped.
    fn first<'de, T: Object, A: SeqAccess<'de>>(&self, mut list: A, most: usize) -> Result<Vec<Option<T>>, A::Error> {
        let mut read = Vec::new();
        while read.len() < most && self.parts.get() > 0 {
            let Some(part) = list.next_element_seed(Any(One::new(self)))? else { return Ok(read) };
            self.parts.update(|parts| parts - 1);
            if self.parts.get().is_multiple_of(PARTS_BETWEEN) && self.deadline.is_over() {
                return Err(A::Error::custom("it takes too long"));
            }
            read.push(part);
        }
        while list.next_element::<IgnoredAny>()?.is_some() {
            self.is_cut.set(true);
        }
        Ok(read)
    }
}

/// What is written as an object, or as a text in its place.
trait Object: Default {
    /// Takes a member in; one that it does not know it leaves.
    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, value: Member<'_, A>) -> Result<(), A::Error>;

    /// What a text in its place means; a number is its digits.
    fn of_text(_: String) -> Option<Self> {
        None
    }
}

/// The value of a member, unread.
struct Member<'m, A> {
    object: &'m mut A,
    budget: &'m Budget<'m>,
    is_read: &'m mut bool,
}

impl<'de, A: MapAccess<'de>> Member<'_, A> {
    fn text(self) -> Result<Option<String>, A::Error> {
        self.read(Text)
    }

    fn one<T: Object>(self) -> Result<Option<T>, A::Error> {
        let budget = self.budget;
        self.read(One::new(budget))
    }

    fn list<T: Object>(self) -> Result<Vec<T>, A::Error> {
        let budget = self.budget;
        self.read(List(One::new(budget)))
    }

    fn read<T: Take<'de>>(self, take: T) -> Result<T::Value, A::Error> {
        *self.is_read = true;
        self.object.next_value_seed(Any(take))
    }
}

impl Object for Document {
    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, value: Member<'_, A>) -> Result<(), A::Error> {
        match name {
            "version" => self.version = value.text()?,
            "title" => self.title = value.text()?,
            "home_page_url" => self.home_page_url = value.text()?,
            "feed_url" => self.feed_url = value.text()?,
            "description" => self.description = value.text()?,
            "language" => self.language = value.text()?,
            "icon" => self.icon = value.text()?,
            "favicon" => self.favicon = value.text()?,
            "next_url" => self.next_url = value.text()?,
            "author" => self.author = value.one()?,
            "authors" => self.authors = value.list()?,
            "hubs" => self.hubs = value.list()?,
            "items" => {
                let items = Items(value.budget);
                self.items = value.read(items)?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Object for Item {
    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, value: Member<'_, A>) -> Result<(), A::Error> {
        match name {
            "id" => self.id = value.text()?,
            "url" => self.url = value.text()?,
            "external_url" => self.external_url = value.text()?,
            "title" => self.title = value.text()?,
            "summary" => self.summary = value.text()?,
            "content_html" => self.content_html = value.text()?,
            "content_text" => self.content_text = value.text()?,
            "date_published" => self.date_published = value.text()?,
            "date_modified" => self.date_modified = value.text()?,
            "author" => self.author = value.one()?,
            "authors" => self.authors = value.list()?,
            "tags" => self.tags = value.list()?,
            "attachments" => self.attachments = value.list()?,
            "language" => self.language = value.text()?,
            "image" => self.image = value.text()?,
            "banner_image" => self.banner_image = value.text()?,
            "_newsfold" => self.own = value.one()?,
            _ => {}
        }
        Ok(())
    }
}

impl Object for Author {
    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, value: Member<'_, A>) -> Result<(), A::Error> {
        match name {
            "name" => self.name = value.text()?,
            "url" => self.url = value.text()?,
            _ => {}
        }
        Ok(())
    }

    fn of_text(said: String) -> Option<Self> {
        Some(Self { said: Some(said), ..Self::default() })
    }
}

impl Object for Tag {
    fn member<'de, A: MapAccess<'de>>(&mut self, _: &str, _: Member<'_, A>) -> Result<(), A::Error> {
        Ok(())
    }

    fn of_text(said: String) -> Option<Self> {
        Some(Self(Some(said)))
    }
}

impl Object for Own {
    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, value: Member<'_, A>) -> Result<(), A::Error> {
        match name {
            "source" => self.source = value.one()?,
            "also" => self.also = value.list()?,
            "story_url" => self.story_url = value.text()?,
            "story_title" => self.story_title = value.text()?,
            "known_as" => self.known_as = value.list()?,
            _ => {}
        }
        Ok(())
    }
}

impl Object for Also {
    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, value: Member<'_, A>) -> Result<(), A::Error> {
        match name {
            "source" => self.source = value.text()?,
            "title" => self.title = value.text()?,
            "url" => self.url = value.text()?,
            "date" => self.date = value.text()?,
            "home_page_url" => self.home_page_url = value.text()?,
            "feed_url" => self.feed_url = value.text()?,
            _ => {}
        }
        Ok(())
    }
}

impl Object for Taken {
    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, value: Member<'_, A>) -> Result<(), A::Error> {
        match name {
            "title" => self.title = value.text()?,
            "home_page_url" => self.home_page_url = value.text()?,
            "feed_url" => self.feed_url = value.text()?,
            _ => {}
        }
        Ok(())
    }
}

impl Object for Attachment {
    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, value: Member<'_, A>) -> Result<(), A::Error> {
        match name {
            "url" => self.url = value.text()?,
            "mime_type" => self.mime_type = value.text()?,
            "size_in_bytes" => self.size_in_bytes = value.text()?,
            _ => {}
        }
        Ok(())
    }
}

impl Object for Hub {
    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, value: Member<'_, A>) -> Result<(), A::Error> {
        match name {
            "url" => self.url = value.text()?,
            "type" => self.kind = value.text()?,
            _ => {}
        }
        Ok(())
    }
}

/// What is made of a value, whatever its type is. By default, nothing.
trait Take<'de>: Sized {
    type Value: Default;

    fn text(self, _: String) -> Self::Value {
        Self::Value::default()
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::Value::default())
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::Value::default())
    }
}

/// A text, or the digits of a number.
struct Text;

impl Take<'_> for Text {
    type Value = Option<String>;

    fn text(self, said: String) -> Option<String> {
        Some(said)
    }
}

/// One object.
struct One<'b, T>(&'b Budget<'b>, PhantomData<T>);

impl<'b, T> One<'b, T> {
    fn new(budget: &'b Budget<'b>) -> Self {
        Self(budget, PhantomData)
    }
}

impl<'de, T: Object> Take<'de> for One<'_, T> {
    type Value = Option<T>;

    fn text(self, said: String) -> Option<T> {
        T::of_text(said)
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Option<T>, A::Error> {
        let mut read = T::default();
        while let Some(name) = object.next_key::<String>()? {
            let mut is_read = false;
            read.member(&name, Member { object: &mut object, budget: self.0, is_read: &mut is_read })?;
            if !is_read {
                object.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Some(read))
    }
}

/// A list of objects, or one where a list is meant.
struct List<'b, T>(One<'b, T>);

impl<'de, T: Object> Take<'de> for List<'_, T> {
    type Value = Vec<T>;

    fn text(self, said: String) -> Vec<T> {
        self.0.text(said).into_iter().collect()
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Vec<T>, A::Error> {
        Ok(self.0.0.first(list, MOST_PARTS)?.into_iter().flatten().collect())
    }

    fn object<A: MapAccess<'de>>(self, object: A) -> Result<Vec<T>, A::Error> {
        Ok(self.0.object(object)?.into_iter().collect())
    }
}

/// The entries.
struct Items<'b>(&'b Budget<'b>);

impl<'de> Take<'de> for Items<'_> {
    type Value = Option<Vec<Option<Item>>>;

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        self.0.first(list, MOST_ENTRIES).map(Some)
    }
}

/// Reads a value of any type.
struct Any<T>(T);

impl<'de, T: Take<'de>> DeserializeSeed<'de> for Any<T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<T::Value, D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de, T: Take<'de>> Visitor<'de> for Any<T> {
    type Value = T::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_str<E: Error>(self, said: &str) -> Result<T::Value, E> {
        let said = said.trim();
        let said = said.get(..said.floor_char_boundary(LONGEST_FIELD)).unwrap_or(said);
        Ok(if said.is_empty() { T::Value::default() } else { self.0.text(said.to_owned()) })
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T::Value, E> {
        Ok(self.0.text(number.to_string()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T::Value, E> {
        Ok(self.0.text(number.to_string()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T::Value, E> {
        Ok(Number::from_f64(number).map_or_else(T::Value::default, |number| self.0.text(number.to_string())))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<T::Value, E> {
        Ok(T::Value::default())
    }

    fn visit_unit<E: Error>(self) -> Result<T::Value, E> {
        Ok(T::Value::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T::Value, A::Error> {
        self.0.list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<T::Value, A::Error> {
        self.0.object(object)
    }
}
