//! Why the store could not do what was asked, and what is to be done about it.
//!
//! Pure but for SQLite's names of errors. [`Error::policy`] is the one place that says of each error whether to try again, to report it, or to end: whoever
//! meets one asks there.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::ErrorCode;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process owns it.
    #[error("{}: another newsfold is using this store; stop it first, or give this one its own `store.path`", .0.display())]
    Locked(PathBuf),
    /// The file has a second name.
    #[error("{}: this file has a second name (a hard link), and SQLite would keep a log beside each, which damages the store; remove the other name, or make a copy with `newsfold store backup`", .0.display())]
    Linked(PathBuf),
    /// There is none.
    #[error("{}: there is no store yet; `newsfold poll` or `newsfold run` makes it", .0.display())]
    Missing(PathBuf),
    /// The file belongs to another program.
    #[error("{}: this is not a newsfold store; nothing was changed; point `store.path` elsewhere", .0.display())]
    Foreign(PathBuf),
    /// A newer newsfold wrote it.
    #[error("{}: a newer newsfold wrote this store (version {found}, this one knows {known}); nothing was changed; upgrade newsfold", path.display())]
    Newer {
        /// The store.
        path: PathBuf,
        /// The version of its tables.
        found: i64,
        /// The newest version that this program knows.
        known: usize,
    },
    /// The file is not what SQLite wrote.
    #[error(
        "{}: the store is damaged ({what}); nothing was changed; put a copy back with `newsfold store restore COPY`, or move the file away to begin anew", path.display()
    )]
    Corrupt {
        /// The store.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// The file that was opened is not at its path any more.
    #[error("{}: the store was moved, deleted or replaced while newsfold was using it; put it back, then start newsfold again, which goes on with the file that it finds there", .0.display())]
    TakenAway(PathBuf),
    /// The folder cannot be used.
    #[error("{}: {error}; `store.path` names a file, in a folder that this user may write to", path.display())]
    Folder {
        /// What could not be used.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// A copy cannot be made there.
    #[error("{}: {error}; a copy goes into a new file, in a folder that this user may write to; give another name", path.display())]
    Copy {
        /// Where the copy should go.
        path: PathBuf,
        /// Why it cannot.
        error: std::io::Error,
    },
    /// A copy cannot be read.
    #[error("{}: {error}; the copy has to be a file that this user may read", path.display())]
    UnreadableCopy {
        /// The copy.
        path: PathBuf,
        /// Why it cannot.
        error: std::io::Error,
    },
    /// Another program is in the middle of something.
    #[error(
        "another program holds the store locked (a backup, a database browser, `VACUUM`); close it, or wait until it is done"
    )]
    Busy,
    /// The writer has ended: the program is about to end, or has a fault that was reported before.
    #[error("the store has been closed")]
    Closed,
    /// The work that was given to the store panicked. Nothing of it was stored.
    #[error("the store was given work that failed in a way that is a fault of newsfold; please report it with the log")]
    Panicked,
    /// SQLite's own word.
    #[error("the store: {}", in_words(.0))]
    Sqlite(rusqlite::Error),
    /// A transaction could not be begun or committed; all work that shared it is told so.
    #[error("the store refuses to write: {0}")]
    Refused(Arc<Self>),
    /// A stored value is not what was put there.
    #[error("the store holds something unreadable: {0}")]
    Damaged(String),
}

/// What the store's work comes to.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What is to be done about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// It passes, or a person ends it without newsfold: keep what there is, say so, and try again.
    Retry,
    /// It concerns what was asked for alone: say so, and go on without it.
    Report,
    /// Waiting cannot mend it.
    Exit,
}

impl Error {
    /// What is to be done about it.
    #[must_use]
    pub fn policy(&self) -> Policy {
        match self {
            Self::Busy => Policy::Retry,
            Self::Sqlite(error) => of_sqlite(error),
            Self::Refused(error) => error.policy(),
            Self::Folder { error, .. } | Self::Copy { error, .. } | Self::UnreadableCopy { error, .. } => {
                of_file(error.kind())
            }
            // A story or a feed that cannot be read leaves all others as they are.
            Self::Damaged(_) | Self::Panicked => Policy::Report,
            Self::Locked(_)
            | Self::Linked(_)
            | Self::Missing(_)
            | Self::Foreign(_)
            | Self::Newer { .. }
            | Self::Corrupt { .. }
            | Self::TakenAway(_)
            | Self::Closed => Policy::Exit,
        }
    }

    /// Whether SQLite met something in its file that it did not write.
    #[must_use]
    pub fn is_corruption(&self) -> bool {
        matches!(self, Self::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt))
    }

    /// Whether a person has to change something before another start can help.
    #[must_use]
    pub fn is_misconfigured(&self) -> bool {
        match self {
            Self::Foreign(_) | Self::Newer { .. } | Self::Corrupt { .. } | Self::TakenAway(_) => true,
            Self::Sqlite(_) => self.policy() == Policy::Exit,
            Self::Refused(error) => error.is_misconfigured(),
            _ => false,
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            _ => Self::Sqlite(error),
        }
    }
}

/// What SQLite's error says of the store: <https://sqlite.org/rescode.html>.
fn of_sqlite(error: &rusqlite::Error) -> Policy {
    // A value of another type than expected, or no row where there should be one.
    let Some(failure) = error.sqlite_error() else { return Policy::Report };
    match failure.code {
        _ if failure.extended_code == rusqlite::ffi::SQLITE_READONLY_DBMOVED => Policy::Exit,
        ErrorCode::NotADatabase => Policy::Exit,
        ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::FileLockingProtocolFailed
        | ErrorCode::DiskFull
        | ErrorCode::SystemIoFailure
        | ErrorCode::ReadOnly
        | ErrorCode::PermissionDenied
        | ErrorCode::CannotOpen
        | ErrorCode::OutOfMemory => Policy::Retry,
        // A damaged page costs what is on it.
        _ => Policy::Report,
    }
}

fn of_file(kind: ErrorKind) -> Policy {
    match kind {
        ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::IsADirectory | ErrorKind::NotADirectory => {
            Policy::Exit
        }
        _ => Policy::Retry,
    }
}

/// SQLite's word, with what to do where that is known.
fn in_words(error: &rusqlite::Error) -> String {
    let cure = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "make room on the disk that holds it",
        Some(ErrorCode::SystemIoFailure) => "see to the disk that holds it",
        Some(ErrorCode::ReadOnly) => "see to it that its disk, its folder and its file can be written to",
        Some(ErrorCode::DatabaseCorrupt) => "`newsfold store check` says what is damaged",
        _ => return error.to_string(),
    };
    format!("{error}; {cure}")
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    fn sqlite(code: i32) -> Error {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), None).into()
    }

    fn folder(kind: ErrorKind) -> Error {
        Error::Folder { path: "/store".into(), error: kind.into() }
    }

    #[test]
    fn each_error_is_tried_again_reported_or_the_end() {
        let path = || PathBuf::from("/store");
        let table = [
            (Error::Busy, Policy::Retry),
            (sqlite(ffi::SQLITE_BUSY), Policy::Retry),
            (sqlite(ffi::SQLITE_BUSY_SNAPSHOT), Policy::Retry),
            (sqlite(ffi::SQLITE_BUSY_RECOVERY), Policy::Retry),
            (sqlite(ffi::SQLITE_LOCKED), Policy::Retry),
            (sqlite(ffi::SQLITE_PROTOCOL), Policy::Retry),
            (sqlite(ffi::SQLITE_FULL), Policy::Retry),
            (sqlite(ffi::SQLITE_IOERR), Policy::Retry),
            (sqlite(ffi::SQLITE_IOERR_FSYNC), Policy::Retry),
            (sqlite(ffi::SQLITE_READONLY), Policy::Retry),
            (sqlite(ffi::SQLITE_CANTOPEN), Policy::Retry),
            (sqlite(ffi::SQLITE_PERM), Policy::Retry),
            (sqlite(ffi::SQLITE_NOMEM), Policy::Retry),
            (sqlite(ffi::SQLITE_CORRUPT), Policy::Report),
            (sqlite(ffi::SQLITE_CONSTRAINT), Policy::Report),
            (sqlite(ffi::SQLITE_TOOBIG), Policy::Report),
            (sqlite(ffi::SQLITE_ERROR), Policy::Report),
            (rusqlite::Error::QueryReturnedNoRows.into(), Policy::Report),
            (Error::Damaged("a text".into()), Policy::Report),
            (Error::Panicked, Policy::Report),
            (folder(ErrorKind::StorageFull), Policy::Retry),
            (folder(ErrorKind::Other), Policy::Retry),
            (folder(ErrorKind::PermissionDenied), Policy::Exit),
            (folder(ErrorKind::IsADirectory), Policy::Exit),
            (sqlite(ffi::SQLITE_NOTADB), Policy::Exit),
            (sqlite(ffi::SQLITE_READONLY_DBMOVED), Policy::Exit),
            (Error::Locked(path()), Policy::Exit),
            (Error::Linked(path()), Policy::Exit),
            (Error::Missing(path()), Policy::Exit),
            (Error::Foreign(path()), Policy::Exit),
            (Error::Newer { path: path(), found: 9, known: 3 }, Policy::Exit),
            (Error::Corrupt { path: path(), what: "a page".into() }, Policy::Exit),
            (Error::TakenAway(path()), Policy::Exit),
            (Error::Closed, Policy::Exit),
        ];
        for (error, expected) in table {
            let is_misconfigured = error.is_misconfigured();
            assert_eq!(error.policy(), expected, "{error}");
            assert!(!is_misconfigured || expected == Policy::Exit, "{error}");
            let shared = Error::Refused(Arc::new(error));
            assert_eq!((shared.policy(), shared.is_misconfigured()), (expected, is_misconfigured), "{shared}");
        }
    }

    #[test]
    fn a_start_is_not_tried_again_where_a_person_has_to_act_first() {
        for error in [sqlite(ffi::SQLITE_NOTADB), Error::TakenAway("/store".into())] {
            assert!(error.is_misconfigured(), "{error}");
        }
        for error in [Error::Locked("/store".into()), Error::Closed, folder(ErrorKind::IsADirectory)] {
            assert!(!error.is_misconfigured(), "{error}");
        }
    }

    #[test]
    fn a_lock_is_told_as_a_lock_and_a_full_disk_as_a_full_disk() {
        assert!(sqlite(ffi::SQLITE_BUSY).to_string().contains("another program holds the store locked"));
        let full = Error::Refused(Arc::new(sqlite(ffi::SQLITE_FULL))).to_string();
        assert!(full.contains("full") && full.contains("make room"), "{full}");
        // What prints an error with its causes says so once.
        let locked = anyhow::Error::from(Error::Refused(Arc::new(Error::Busy)));
        assert_eq!(format!("{locked:#}").matches("another program").count(), 1);
    }
}
