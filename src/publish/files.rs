//! The outputs as files, for whoever publishes them with a server of their own.
//!
//! Edge: writes files, and for archives reads the store. Each is replaced at once, and one that would hold what it holds is not touched.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::config::{Format, OutputConfig};
use crate::publish::rendered::{Coding, Rendered};
use crate::publish::{self, Output, Published, Site, select};
use crate::store;
use crate::store::outputs::{self, Closed};

/// Why files could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The folder is something else.
    #[error("{}: there is a file where the folder of output `{output}` should be; move it away, or change `directory`", path.display())]
    NoFolder {
        /// What stands there.
        path: PathBuf,
        /// Whose folder it should be.
        output: String,
    },
    /// A file cannot be written.
    #[error("{}: {error}; the file that was there is untouched", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// What is to be written cannot be read.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Writes the outputs that have a directory there; gives how many files were written.
///
/// # Errors
/// When a file cannot be written; those before it were.
pub fn write(published: &Published, outputs: &[Output]) -> Result<usize, WriteError> {
    let mut written = 0;
    // The first output in a folder is shown at its index.
    let mut indexed: BTreeSet<&Path> = BTreeSet::new();
    for output in outputs {
        let OutputConfig { name, directory: Some(directory), formats, compress, .. } = &output.config else {
            continue;
        };
        if directory.exists() && !directory.is_dir() {
            return Err(WriteError::NoFolder { path: directory.clone(), output: name.clone() });
        }
        let mut put = |address: &str, file: String| -> Result<(), WriteError> {
            let Some(rendered) = published.ready(address) else { return Ok(()) };
            written += put(&directory.join(file), &rendered, *compress)?;
            Ok(())
        };
        for format in formats {
            let ending = format.ending();
            let file_ending = if *format == Format::Html { ".html" } else { ending };
            put(&format!("/{name}{ending}"), format!("{name}{file_ending}"))?;
        }
        if formats.contains(&Format::Html) && indexed.insert(directory) {
            put(&format!("/{name}"), "index.html".to_owned())?;
        }
        for file in ["style.css", "icon.svg"] {
            put(&format!("/{file}"), file.to_owned())?;
        }
        for (address, file) in published.story_pages() {
            put(&address, file)?;
        }
    }
    Ok(written)
}

/// The file of an archive.
#[derive(Debug, Clone)]
pub struct ArchiveFile {
    /// The name of its output, which has a directory,
    output: String,
    /// and its own.
    name: String,
    path: PathBuf,
    /// The archive after it, which it names, is not written yet.
    is_behind: bool,
}

impl ArchiveFile {
    /// Whether what it should say is new.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.is_behind || !self.path.exists()
    }
}

/// The archives of those outputs that are written as files, oldest first.
///
/// # Errors
/// When the store cannot be read.
pub fn archives(connection: &Connection, outputs: &[Output]) -> store::Result<Vec<ArchiveFile>> {
    let mut files: Vec<ArchiveFile> = Vec::new();
    for output in outputs.iter().filter(|output| output.has_archives()) {
        let Some(directory) = &output.config.directory else { continue };
        let output = &output.config.name;
        for Closed { name, .. } in outputs::archives(connection, output)? {
            let path = directory.join(output).join(format!("{name}.atom"));
            if let Some(before) = files.last_mut().filter(|before| before.output == *output) {
                before.is_behind = !path.exists();
            }
            files.push(ArchiveFile { output: output.clone(), name, path, is_behind: false });
        }
    }
    Ok(files)
}

/// Renders one archive and writes it; gives how many files were written. All of them together are as large as the store, so
/// no more than one is held in memory.
///
/// # Errors
/// When the store cannot be read, or a file cannot be written.
pub fn write_archive(connection: &Connection, site: &Site, file: &ArchiveFile) -> Result<usize, WriteError> {
    let Some(output) = site.outputs.iter().find(|output| output.config.name == file.output) else { return Ok(0) };
    let Some(feed) = select::archive(connection, output, &file.name)? else { return Ok(0) };
    put(&file.path, &publish::render(site, &feed, Format::Atom), output.config.compress)
}

/// Takes away what a crash left of files that were being written.
pub fn sweep(outputs: &[Output]) {
    for OutputConfig { name, directory, .. } in outputs.iter().map(|output| &output.config) {
        let Some(directory) = directory else { continue };
        let ours = [name, "index.html", "style.css", "icon.svg"];
        for (folder, beginnings) in
            [(directory.clone(), &ours[..]), (directory.join("story"), &[""]), (directory.join(name), &[""])]
        {
            let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
            for file in files.filter(|file| is_unfinished(&file.file_name(), beginnings)) {
                // One that cannot be removed does no harm where it is.
                let _ = std::fs::remove_file(file.path());
            }
        }
    }
}

/// Whether a file's name begins like one of ours, and ends as [`replace`] has it end before it renames.
fn is_unfinished(name: &OsStr, beginnings: &[&str]) -> bool {
    let Some(name) = name.to_str() else { return false };
    let number = name.strip_suffix(".tmp").and_then(|name| name.rsplit_once('.')).map_or("", |(_, number)| number);
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number && beginnings.iter().any(|beginning| name.starts_with(beginning))
}

/// Writes a document, and its packed forms if they are wanted; gives how many files that were.
fn put(path: &Path, rendered: &Rendered, compress: bool) -> Result<usize, WriteError> {
    let is_new = replace(path, &rendered.body)?;
    let mut written = usize::from(is_new);
    for (coding, ending) in [(Coding::Gzip, ".gz"), (Coding::Brotli, ".br")] {
        let mut beside = path.as_os_str().to_owned();
        beside.push(ending);
        let beside = PathBuf::from(beside);
        if compress && (is_new || is_older(&beside, path)) {
            written += usize::from(replace(&beside, &rendered.packed(coding))?);
        } else if is_new {
            // A server that prefers packed files would go on showing what was there before.
            remove(&beside)?;
        }
    }
    Ok(written)
}

/// Whether a packed form is missing, or was left behind by a crash when the file beside it was replaced.
fn is_older(packed: &Path, plain: &Path) -> bool {
    let changed = |path: &Path| std::fs::metadata(path).and_then(|file| file.modified()).ok();
    changed(packed) < changed(plain)
}

fn remove(path: &Path) -> Result<(), WriteError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(WriteError::File { path: path.to_owned(), error })
        }
        _ => Ok(()),
    }
}

/// Puts `bytes` at `path`, all at once: whoever reads the file sees the old document or the new one, never a part.
///
/// Gives `false` when they were there already.
fn replace(path: &Path, bytes: &[u8]) -> Result<bool, WriteError> {
    if std::fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(false);
    }
    let in_words = |error| WriteError::File { path: path.to_owned(), error };
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory).map_err(in_words)?;
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let put = || {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        File::open(directory)?.sync_all()
    };
    put().map(|()| true).map_err(|error| {
        // What is left of a failed attempt would only take room; the error that matters is the first.
        let _ = std::fs::remove_file(&temporary);
        in_words(error)
    })
}
