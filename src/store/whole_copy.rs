//! Whole copies of the store beside it, under their names only once they are whole.
//!
//! Edge.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::store::file::{self, beside, folder_of};
use crate::store::{Error, Result, schema};

/// Copies the store at `path`, to which `from` leads, beside it, and checks the copy. Under its name, which is `path` with
/// `ending`, there is never a part of it.
///
/// # Errors
/// When the copy cannot be written, or is not whole.
pub(super) fn keep(from: &Connection, path: &Path, ending: &str) -> Result<PathBuf> {
    let (kept, unfinished) = (beside(path, ending), beside(path, &format!("{ending}.tmp")));
    let unusable = |error| Error::Folder { path: kept.clone(), error };
    sweep(path);
    file::make_private(&unfinished).map_err(unusable)?;
    copy(from, &unfinished)?;
    file::look_through(&Connection::open(&unfinished)?, path)?;
    std::fs::rename(&unfinished, &kept).map_err(unusable)?;
    sync_folder(path).map_err(unusable)?;
    Ok(kept)
}

/// Takes away what a crash left of copies at `path` that were not finished. For who owns the store.
pub(super) fn sweep(path: &Path) {
    let upgrades = (1..schema::MIGRATIONS.len()).map(|version| format!(".v{version}.tmp"));
    for unfinished in upgrades.chain([".restored".to_owned()]) {
        for ending in ["", "-journal", "-wal", "-shm"] {
            // One that cannot be removed does no harm where it is.
            let _ = std::fs::remove_file(beside(path, &format!("{unfinished}{ending}")));
        }
    }
    // A second name of the store itself, which a restore had made when it was cut short, is no copy.
    let same_file = |one: &Path| std::fs::metadata(one).map(|file| (file.dev(), file.ino())).ok();
    let (Some(ours), Some(name)) = (same_file(path), path.file_name()) else { return };
    let spare = format!("{}.before-", name.to_string_lossy());
    for file in std::fs::read_dir(folder_of(path)).into_iter().flatten().flatten() {
        if file.file_name().to_string_lossy().starts_with(&spare) && same_file(&file.path()) == Some(ours) {
            let _ = std::fs::remove_file(file.path());
        }
    }
}

/// Names that were changed beside `path` stay changed, whatever happens to the machine.
pub(super) fn sync_folder(path: &Path) -> std::io::Result<()> {
    std::fs::File::open(folder_of(path))?.sync_all()
}

/// Copies all that `from` sees into the file `to`, in one go: who writes meanwhile does not wait, and is not seen.
///
/// The copy is one file, which is read without another beside it, until a store is made of it.
///
/// # Errors
/// When either cannot be used.
pub(super) fn copy(from: &Connection, to: &Path) -> Result<()> {
    let mut to = Connection::open(to)?;
    let copied = Backup::new(from, &mut to)?.step(-1)?;
    // It may also come back with nothing copied because a file is in use.
    if copied != StepResult::Done {
        return Err(Error::Busy);
    }
    Ok(to.pragma_update(None, "journal_mode", "DELETE")?)
}
