//! A file that takes the place of another, all at once, and only where it holds something else.
//!
//! Edge: writes files. What is written is compared with what is there, block by block; from the first difference on it goes
//! into a file beside it, which is renamed when it is whole.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// How much is read or written at a time.
pub(super) const BLOCK: usize = 64 * 1024;

/// Who may read what is written, whatever our umask.
#[derive(Debug, Clone, Copy)]
pub(super) struct Modes {
    /// Of a file.
    pub(super) file: u32,
    /// Of the folders that are made for it.
    pub(super) folder: u32,
}

impl Modes {
    /// What is published is read by a web server, as another user; of a private output, by who belongs to our group.
    pub(super) fn of(is_private: bool) -> Self {
        if is_private { Self { file: 0o640, folder: 0o750 } } else { Self { file: 0o644, folder: 0o755 } }
    }
}

/// A file on its way to its place. Whoever reads there sees the old document or the new one, never a part.
pub(super) struct Replacement {
    path: PathBuf,
    modes: Modes,
    /// What is at the path, read as far as the same was written; `None` where something else was.
    there: Option<BufReader<File>>,
    same: u64,
    begun: Option<Begun>,
    /// The first error, for writers that keep none.
    failed: Option<io::Error>,
}

/// A file beside the one whose place it is to take. It is removed unless that happens.
struct Begun {
    file: BufWriter<File>,
    temporary: PathBuf,
    is_placed: bool,
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.is_placed {
            // What is left of a failed attempt would only take room; the error that matters is the first.
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

impl Replacement {
    /// For what is at `path`, if anything.
    pub(super) fn of(path: &Path, modes: Modes) -> Self {
        let there = File::open(path).ok().map(|file| BufReader::with_capacity(BLOCK, file));
        Self { path: path.to_owned(), modes, there, same: 0, begun: None, failed: None }
    }

    /// Puts what was written in its place; gives `false` when the same was there already.
    pub(super) fn finish(mut self) -> io::Result<bool> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let is_at_end = |there: &mut BufReader<File>| there.read(&mut [0]).is_ok_and(|read| read == 0);
        if self.begun.is_none() && self.there.as_mut().is_some_and(is_at_end) {
            return Ok(false);
        }
        let mut begun = match self.begun.take() {
            Some(begun) => begun,
            None => self.begin()?,
        };
        begun.file.flush()?;
        begun.file.get_ref().sync_all()?;
        std::fs::rename(&begun.temporary, &self.path)?;
        begun.is_placed = true;
        File::open(self.path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(true)
    }

    /// Whether the file at the path goes on with these bytes.
    fn goes_on_with(&mut self, bytes: &[u8]) -> bool {
        let Some(there) = &mut self.there else { return false };
        let mut block = [0; 4096];
        bytes.chunks(block.len()).all(|wanted| {
            let block = block.get_mut(..wanted.len()).unwrap_or_default();
            there.read_exact(block).is_ok_and(|()| block == wanted)
        })
    }

    /// A file beside the one at the path, with what both begin with.
    fn begin(&mut self) -> io::Result<Begun> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        make_folder(directory, self.modes.folder)?;
        let temporary = self.path.with_added_extension(format!("{}.tmp", std::process::id()));
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(self.modes.file).open(&temporary)?;
        let mut begun = Begun { file: BufWriter::with_capacity(BLOCK, file), temporary, is_placed: false };
        begun.file.get_ref().set_permissions(Permissions::from_mode(self.modes.file))?;
        if let Some(mut there) = self.there.take().filter(|_| self.same > 0) {
            there.seek(SeekFrom::Start(0))?;
            let copied = io::copy(&mut there.take(self.same), &mut begun.file)?;
            if copied < self.same {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it was changed while it was compared"));
            }
        }
        Ok(begun)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.begun.is_none() {
            if self.goes_on_with(bytes) {
                self.same += bytes.len() as u64;
                return Ok(());
            }
            self.begun = Some(self.begin()?);
        }
        self.begun.as_mut().map_or(Ok(()), |begun| begun.file.write_all(bytes))
    }
}

impl Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.put(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(error) => {
                let told = io::Error::new(error.kind(), error.to_string());
                self.failed.get_or_insert(error);
                Err(told)
            }
        }
    }

    /// What is written is in its place when it is [finished](Self::finish), not before.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes `folder` and the folders above it that are missing, so that a web server may read what will be in them.
pub(super) fn make_folder(folder: &Path, mode: u32) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent().filter(|above| !above.as_os_str().is_empty()) {
        make_folder(above, mode)?;
    }
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.and_then(|()| std::fs::set_permissions(folder, Permissions::from_mode(mode))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_where_it_differs_and_left_alone_where_it_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("news.atom");
        let line = "a line of a document\n";
        let [most, rest] = [15_000, 5_000].map(|lines| line.repeat(lines));
        let (long, changed) = (format!("{most}{rest}"), format!("{most}another{rest}"));
        let put = |text: &str| {
            let mut replacement = Replacement::of(&path, Modes::of(false));
            text.as_bytes().chunks(7_001).try_for_each(|piece| replacement.write_all(piece)).unwrap();
            let is_new = replacement.finish().unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
            is_new
        };
        for text in ["", "short", &long, &changed, &most, &long] {
            assert!(put(text), "{} bytes are new", text.len());
            assert!(!put(text), "{} bytes are there", text.len());
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_given_up_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("news.atom");
        std::fs::write(&path, "old").unwrap();
        let mut replacement = Replacement::of(&path, Modes::of(false));
        replacement.write_all(b"new").unwrap();
        drop(replacement);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
