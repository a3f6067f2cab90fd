//! The stories of documents that may be any number, kept in a file while the documents are made.
//!
//! Edge: writes a file that has no name, so that nothing is left of it whatever happens. The archives of a month hold what all
//! feeds told in it: what stands above their stories is known when the last of them was read, and which of them are shown in brief.
//! They may come in any order, because the store gives their texts soonest in its own. In memory are the dates of each and its
//! place in the file.

use std::cmp::Reverse;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use tempfile::SpooledTempFile;

use crate::model::StoryId;
use crate::publish::merged::{Dates, MergedStory, Room, Sequence};

/// So many bytes of stories are kept in memory, before there is a file.
const IN_MEMORY: usize = 256 * 1024;

/// Stories on their way into documents, within what these may hold.
pub struct Spool {
    file: BufWriter<SpooledTempFile>,
    /// Those of each document.
    documents: Vec<Vec<Place>>,
    /// Where the next one goes.
    at: u64,
    written: io::Result<()>,
}

/// A story in the file.
struct Place {
    dates: Dates,
    /// Where it stands in the document, newest first.
    place: Option<DateTime<Utc>>,
    at: u64,
    length: usize,
    /// How many bytes it has in all formats, and in brief.
    bytes: usize,
    brief: usize,
    is_brief: bool,
}

impl Spool {
    /// For so many documents, and a file in `folder`, which is made when there are more stories than a few.
    #[must_use]
    pub fn new(folder: &Path, documents: usize) -> Self {
        let file = BufWriter::with_capacity(64 * 1024, SpooledTempFile::new_in(IN_MEMORY, folder));
        let documents = std::iter::repeat_with(Vec::new).take(documents).collect();
        Self { file, documents, at: 0, written: Ok(()) }
    }

    /// Adds a story to a document, in which it stands at this `place` among the others. That it could not be written is told by
    /// [`finish`](Self::finish).
    pub fn push(&mut self, document: usize, place: Option<DateTime<Utc>>, story: &MergedStory) {
        if self.written.is_ok() {
            self.written = self.write(document, place, story);
        }
    }

    fn write(&mut self, document: usize, place: Option<DateTime<Utc>>, story: &MergedStory) -> io::Result<()> {
        let Some(places) = self.documents.get_mut(document) else { return Ok(()) };
        let text = rmp_serde::to_vec_named(story).map_err(io::Error::other)?;
        self.file.write_all(&text)?;
        let (at, length) = (self.at, text.len());
        let (dates, bytes, brief) = (Dates::of(story), story.rendered_bytes(), story.brief_bytes());
        places.push(Place { dates, place, at, length, bytes, brief, is_brief: false });
        self.at += length as u64;
        Ok(())
    }

    /// The stories of each document, the newest first, to be read as often as they are needed.
    ///
    /// # Errors
    /// When one of them could not be written.
    pub fn finish(self) -> io::Result<Vec<Spooled>> {
        self.written?;
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        let file = Arc::new(Mutex::new(file));
        Ok(self.documents.into_iter().map(|places| Spooled::new(file.clone(), places)).collect())
    }
}

/// The stories of a document, in a file.
pub struct Spooled {
    file: Arc<Mutex<SpooledTempFile>>,
    places: Vec<Place>,
}

impl Spooled {
    fn new(file: Arc<Mutex<SpooledTempFile>>, mut places: Vec<Place>) -> Self {
        // They come in the order in which they were told first.
        places.reverse();
        places.sort_by_key(|story| Reverse(story.place));
        let mut room = Room::default();
        for position in 0..places.len() {
            let bytes = places.get(position).map_or(0, |story| story.bytes);
            room.add(bytes, |at| {
                places.get_mut(at).map_or(0, |story| {
                    let fewer = story.bytes.saturating_sub(story.brief);
                    story.is_brief = fewer > 0;
                    fewer
                })
            });
        }
        Self { file, places }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// When the newest of them changed; `None` where there is none.
    #[must_use]
    pub fn updated(&self) -> Option<DateTime<Utc>> {
        Dates::newest(self.places.iter().map(|place| place.dates))
    }

    /// The name of the story at this position.
    #[must_use]
    pub fn id(&self, position: usize) -> Option<StoryId> {
        self.places.get(position).map(|place| place.dates.id)
    }

    /// Those at these positions, which count up; `None` for all.
    #[must_use]
    pub fn only<'a>(&'a self, positions: Option<&'a [usize]>) -> impl Sequence + 'a {
        Only { spooled: self, positions }
    }
}

struct Only<'a> {
    spooled: &'a Spooled,
    positions: Option<&'a [usize]>,
}

impl Only<'_> {
    fn positions(&self) -> impl Iterator<Item = usize> {
        let some = self.positions.into_iter().flatten().copied();
        let all = if self.positions.is_none() { 0..self.spooled.len() } else { 0..0 };
        some.chain(all)
    }
}

impl Sequence for Only<'_> {
    fn dates(&self) -> Vec<Dates> {
        self.positions().filter_map(|at| self.spooled.places.get(at)).map(|place| place.dates).collect()
    }

    fn each(&self, mut show: impl FnMut(&MergedStory) -> io::Result<()>) -> io::Result<()> {
        let Spooled { file, places } = self.spooled;
        let (mut file, mut text) = (file.lock().unwrap_or_else(PoisonError::into_inner), Vec::new());
        for place in self.positions().filter_map(|at| places.get(at)) {
            file.seek(SeekFrom::Start(place.at))?;
            text.resize(place.length, 0);
            file.read_exact(&mut text)?;
            let mut story: MergedStory = rmp_serde::from_slice(&text).map_err(io::Error::other)?;
            if place.is_brief {
                story.shorten();
            }
            show(&story)?;
        }
        Ok(())
    }
}
