//! The file of the store: where it is, who owns it, whether it is ours, and how it is opened.
//!
//! Edge: files and SQLite. SQLite's locks are POSIX's: a process that closes *any* descriptor of the file, or of its index
//! (`-shm`), gives up all locks that it holds there, and another program may then take the log away from under us ("How To
//! Corrupt An SQLite Database File", section 2.2). So nothing here, and nothing else in `store`, opens what SQLite has open:
//! what there is to know comes from the file's metadata and from SQLite's own errors. `tests/tidy.rs` holds that.

use std::fs::{File, OpenOptions, Permissions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use crate::clock;
use crate::store::{Error, Result, schema};

/// How often it is looked whether another owner is gone.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// For the store's user alone: it holds the secrets of hubs and addresses that may carry a reader's token.
const PRIVATE: u32 = 0o600;
/// What SQLite keeps beside the file.
pub(super) const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// The file that `path` leads to, by its own name, be it there yet or not.
///
/// SQLite puts its log beside that file. So lie the lock and the copies: whatever link leads to a store, it has one owner.
#[must_use]
pub(super) fn resolved(path: &Path) -> PathBuf {
    let mut at = path.to_owned();
    // As many links in a row as Linux follows.
    for _ in 0..40 {
        let Ok(to) = std::fs::read_link(&at) else { break };
        at = folder_of(&at).join(to);
    }
    at
}

/// The folder that `path` is in.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The file whose name is that of `path` and `ending`.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Whether `other` leads to the store at `path`, or to what SQLite keeps beside it.
pub(super) fn is_part_of(path: &Path, other: &Path) -> bool {
    let number = |path: &Path| std::fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    let Some(other) = number(other) else { return false };
    [""].iter().chain(&BESIDE).any(|ending| number(&beside(path, ending)) == Some(other))
}

/// A file that is open, by what tells it from another one of its name.
#[derive(Debug, Clone)]
pub(super) struct OpenedFile {
    path: PathBuf,
    device: u64,
    number: u64,
}

impl OpenedFile {
    /// The file that is at `path` now.
    pub(super) fn at(path: &Path) -> Result<Self> {
        let unusable = |error| Error::Folder { path: path.to_owned(), error };
        let found = std::fs::metadata(path).map_err(unusable)?;
        Ok(Self { path: path.to_owned(), device: found.dev(), number: found.ino() })
    }

    /// Whether it is where it was opened.
    ///
    /// # Errors
    /// When it is not: what is written to it from now on, nobody will find.
    pub(super) fn is_in_place(&self) -> Result<()> {
        let is_it = match std::fs::metadata(&self.path) {
            Ok(found) => (found.dev(), found.ino()) == (self.device, self.number),
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        };
        if is_it { Ok(()) } else { Err(Error::TakenAway(self.path.clone())) }
    }
}

/// Whose the store is, as long as this lives: a lock on a file beside it, freed when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Ownership(#[expect(dead_code, reason = "what it holds is the lock")] File);

/// Makes the caller the owner of the store at `path`, a [`resolved`] one. Another owner is waited for as long as `patience`.
///
/// # Errors
/// When it has another owner, or its folder cannot be written to.
pub(super) fn own(path: &Path, patience: Duration) -> Result<Ownership> {
    let folder = folder_of(path);
    std::fs::create_dir_all(folder).map_err(|error| Error::Folder { path: folder.to_owned(), error })?;
    let lock = beside(path, ".lock");
    let unusable = |error| Error::Folder { path: lock.clone(), error };
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).mode(PRIVATE).open(&lock).map_err(unusable)?;
    let begun = clock::instant();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Ownership(file)),
            Err(std::fs::TryLockError::Error(error)) => return Err(unusable(error)),
            Err(std::fs::TryLockError::WouldBlock) if begun.elapsed() < patience => {
                std::thread::sleep(LOOK_AGAIN);
            }
            Err(std::fs::TryLockError::WouldBlock) => return Err(Error::Locked(path.to_owned())),
        }
    }
}

/// Makes an empty file at `path` that nobody else may read, where there is none. What SQLite puts beside it has its mode.
///
/// # Errors
/// When it cannot be made, or is there already.
pub(super) fn make_private(path: &Path) -> std::io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(path).map(drop)
}

/// Takes from others the right to read the store at `path` and what lies beside it, and says so where they had it.
pub(super) fn tighten(path: &Path) {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let is_ours = |file: &str| {
        let Some(ending) = file.strip_prefix(&name) else { return false };
        [".lock", ".v", ".before-"].iter().any(|ours| ending.starts_with(ours))
            || ending.is_empty()
            || BESIDE.contains(&ending)
    };
    let files = std::fs::read_dir(folder_of(path)).into_iter().flatten().flatten();
    let mut tightened = 0;
    for file in files.filter(|file| is_ours(&file.file_name().to_string_lossy())) {
        // The metadata of the name itself: what a link leads to is not ours to change.
        let Ok(found) = file.metadata() else { continue };
        if !found.is_file() || found.mode() & !PRIVATE & 0o777 == 0 {
            continue;
        }
        match std::fs::set_permissions(file.path(), Permissions::from_mode(PRIVATE)) {
            Ok(()) => tightened += 1,
            Err(error) => tracing::warn!(
                name: "store.open_to_others",
                "{}: others may read this file, which may hold secrets, and that cannot be changed: {error}",
                file.path().display()
            ),
        }
    }
    if tightened > 0 {
        tracing::info!(
            name: "store.made_private",
            files = tightened,
            "{}: the store holds secrets; only its user may read it now",
            path.display()
        );
    }
}

/// The version of the store's tables, 0 for an empty file, and how many tables there are.
///
/// # Errors
/// When the file is not ours.
pub(super) fn identify(connection: &Connection, path: &Path) -> Result<(usize, i64)> {
    let in_words = |error| in_words(error, path);
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(in_words)?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(in_words)?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(in_words)?;
    if tables > 0 && application != schema::APPLICATION_ID {
        return Err(Error::Foreign(path.to_owned()));
    }
    let known = usize::try_from(version).ok().filter(|version| *version <= schema::MIGRATIONS.len());
    known.map(|known| (known, tables)).ok_or_else(|| Error::Newer {
        path: path.to_owned(),
        found: version,
        known: schema::MIGRATIONS.len(),
    })
}

/// What SQLite says of the file at `path` when it opens it, in our words.
pub(super) fn in_words(error: rusqlite::Error, path: &Path) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => Error::Foreign(path.to_owned()),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            Error::Folder { path: path.to_owned(), error: std::io::ErrorKind::PermissionDenied.into() }
        }
        _ if is_corruption(&error) => Error::Corrupt { path: path.to_owned(), what: error.to_string() },
        _ => error.into(),
    }
}

/// Whether SQLite says that the file is damaged.
pub(super) fn is_corruption(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Looks the whole file through.
///
/// # Errors
/// When it is damaged.
pub(super) fn look_through(connection: &Connection, path: &Path) -> Result<()> {
    match faults(connection)?.as_slice() {
        [] => Ok(()),
        [first, ..] => Err(Error::Corrupt { path: path.to_owned(), what: first.clone() }),
    }
}

/// What SQLite finds wrong with the file, but for values in indices, a line each.
fn faults(connection: &Connection) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let looked = connection.pragma_query(None, "quick_check", |row| {
        faults.extend(Some(row.get::<_, String>(0)?).filter(|line| line != "ok"));
        Ok(())
    });
    match looked {
        Err(error) if is_corruption(&error) => faults.push(error.to_string()),
        looked => looked?,
    }
    Ok(faults)
}

/// Looks the file through before it is written to, and says what is damaged. A value of a row that is not what was stored costs
/// that row alone; where a page is damaged that holds others together, writing would make the damage larger.
///
/// # Errors
/// When such a page is damaged.
pub(super) fn look_through_for_writing(connection: &Connection, path: &Path) -> Result<()> {
    // The words of `PRAGMA quick_check` for values; whatever else it says is taken for the worst.
    let is_of_a_row =
        |fault: &String| [" value in ", "wrong # of entries in index"].iter().any(|of| fault.contains(of));
    let faults = faults(connection)?;
    if let Some(what) = faults.iter().find(|fault| !is_of_a_row(fault)) {
        return Err(Error::Corrupt { path: path.to_owned(), what: what.clone() });
    }
    if let Some(what) = faults.first() {
        tracing::error!(
            name: "store.damaged",
            "rows of the store are damaged ({what}); all others are shown; `newsfold store check --repair`, while no newsfold runs, puts it right"
        );
    }
    Ok(())
}

/// Says in words what SQLite would say in numbers: no file, or something else in its place.
///
/// # Errors
/// That.
pub(super) fn look_at(path: &Path) -> Result<()> {
    let unusable = |error| Err(Error::Folder { path: path.to_owned(), error });
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => unusable(std::io::ErrorKind::IsADirectory.into()),
        Ok(found) if !found.is_file() => unusable(std::io::Error::other("this is a pipe, a socket or a device")),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Error::Missing(path.to_owned())),
        Err(error) => unusable(error),
    }
}
