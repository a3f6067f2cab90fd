//! The outputs as files, for whoever publishes them with a server of their own.
//!
//! Edge: writes files. Each is replaced at once, and one that would hold what it holds is not touched.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::config::{Format, OutputConfig};
use crate::publish::rendered::Coding;
use crate::publish::{Output, Published};

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
            let path = directory.join(file);
            let is_new = replace(&path, &rendered.body)?;
            written += usize::from(is_new);
            for (coding, ending) in [(Coding::Gzip, "gz"), (Coding::Brotli, "br")] {
                let beside = path.with_added_extension(ending);
                if *compress && (is_new || is_older(&beside, &path)) {
                    written += usize::from(replace(&beside, &rendered.packed(coding))?);
                } else if is_new {
                    // A server that prefers packed files would go on showing what was there before.
                    remove(&beside)?;
                }
            }
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
        for (address, file) in published.parts_of(name) {
            put(&address, file)?;
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
    let temporary = path.with_added_extension(format!("{}.tmp", std::process::id()));
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
