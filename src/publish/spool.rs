//! The stories of a document that may be any number, kept in a file while the document is made.
//!
//! Edge: writes a file that has no name, so that nothing is left of it whatever happens. An archive holds a month of all
//! feeds: what stands above its stories is known when the last of them was read, and which of them are shown in brief. In
//! memory are the dates of each and its place in the file.

use std::cell::RefCell;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use chrono::{DateTime, Utc};
use tempfile::SpooledTempFile;

use crate::model::StoryId;
use crate::publish::merged::{Dates, MergedStory, Room, Sequence};

/// So many bytes of stories are kept in memory, before there is a file.
const IN_MEMORY: usize = 256 * 1024;

/// Stories on their way into a document, within what it may hold.
pub struct Spool {
    file: BufWriter<SpooledTempFile>,
    places: Vec<Place>,
    room: Room,
    bytes: u64,
    written: io::Result<()>,
}

/// A story in the file.
struct Place {
    dates: Dates,
    at: u64,
    /// How many bytes it has in all formats in brief.
    brief: usize,
    is_brief: bool,
}

impl Spool {
    /// For a file in `folder`, which is made when there are more stories than a few.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        let file = BufWriter::with_capacity(64 * 1024, SpooledTempFile::new_in(IN_MEMORY, folder));
        Self { file, places: Vec::new(), room: Room::default(), bytes: 0, written: Ok(()) }
    }

    /// Adds a story below the others. That it could not be written is told by [`finish`](Self::finish).
    pub fn push(&mut self, mut story: MergedStory) {
        let Self { places, room, .. } = self;
        let dates = Dates::of(&story);
        let full = story.rendered_bytes();
        let at = places.len();
        places.push(Place { dates, at: self.bytes, brief: story.brief_bytes(), is_brief: false });
        room.add(full, |at| {
            places.get_mut(at).map_or(usize::MAX, |place| {
                place.is_brief = true;
                place.brief
            })
        });
        // There is nothing to keep of a text that is not shown.
        if places.get(at).is_some_and(|place| place.is_brief) {
            story.shorten();
        }
        if self.written.is_ok() {
            self.written = self.write(&story);
        }
    }

    fn write(&mut self, story: &MergedStory) -> io::Result<()> {
        let bytes = rmp_serde::to_vec_named(story).map_err(io::Error::other)?;
        self.bytes += bytes.len() as u64;
        self.file.write_all(&bytes)
    }

    /// The stories, to be read in their order as often as they are needed.
    ///
    /// # Errors
    /// When one of them could not be written.
    pub fn finish(self) -> io::Result<Spooled> {
        self.written?;
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(Spooled {
            file: RefCell::new(BufReader::with_capacity(64 * 1024, file)),
            places: self.places,
            bytes: self.bytes,
        })
    }
}

/// The stories of a document, in a file.
pub struct Spooled {
    file: RefCell<BufReader<SpooledTempFile>>,
    places: Vec<Place>,
    bytes: u64,
}

impl Spooled {
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
        let Spooled { file, places, bytes } = self.spooled;
        // A panic while a story was shown leaves the file somewhere in its midst.
        let mut file = file.borrow_mut();
        let mut read = file.seek(SeekFrom::Start(0))?;
        let mut text = Vec::new();
        for position in self.positions() {
            let Some(place) = places.get(position) else { continue };
            let end = places.get(position + 1).map_or(*bytes, |next| next.at);
            if read != place.at {
                file.seek(SeekFrom::Start(place.at))?;
            }
            text.resize(usize::try_from(end - place.at).map_err(io::Error::other)?, 0);
            file.read_exact(&mut text)?;
            read = end;
            let mut story: MergedStory = rmp_serde::from_slice(&text).map_err(io::Error::other)?;
            if place.is_brief {
                story.shorten();
            }
            show(&story)?;
        }
        Ok(())
    }
}
