//! Connections that read the store, each within one view of it.
//!
//! Edge.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

use crate::clock;
use crate::store::file::{self, OpenedFile};
use crate::store::open;
use crate::store::{Error, Result};

/// After so many of its steps SQLite lets a reader look at the clock.
const STEPS: i32 = 10_000;
/// How many idle reading connections are kept.
const IDLE_READERS: usize = 2;

/// Connections that can only read. Clones share them.
#[derive(Clone)]
pub struct Reader {
    path: PathBuf,
    /// The file that the writer has open; `None` where there is no writer.
    file: Option<OpenedFile>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Reader {
    /// A reader of the store at `path`, which may be in use by a daemon.
    ///
    /// # Errors
    /// When there is no store, or it is not ours.
    pub fn open(path: &Path) -> Result<Self> {
        let reader = Self { path: file::resolved(path), file: None, idle: Arc::default() };
        reader.read(|_| Ok(()))?;
        Ok(reader)
    }

    /// A reader beside the writer that has `file` open.
    ///
    /// # Errors
    /// As for [`Reader::open`].
    pub(super) fn beside_writer(path: &Path, file: OpenedFile) -> Result<Self> {
        Ok(Self { file: Some(file), ..Self::open(path)? })
    }

    /// Runs `look` within one view of the store, however much is written meanwhile.
    ///
    /// # Errors
    /// What `look` returned, or why there is no connection.
    pub fn read<T>(&self, look: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let mut connection = self.take()?;
        let found = view(&mut connection, look)?;
        self.give_back(connection);
        found
    }

    /// Like [`read`](Self::read), and gives up when it takes longer than `most`: then there is `None`.
    ///
    /// # Errors
    /// What `look` returned, or why there is no connection.
    pub fn read_within<T>(&self, most: Duration, look: impl FnOnce(&Connection) -> Result<T>) -> Result<Option<T>> {
        let mut connection = self.take()?;
        let begun = clock::instant();
        connection.progress_handler(STEPS, Some(move || begun.elapsed() > most))?;
        let found = view(&mut connection, look)?;
        connection.progress_handler(0, None::<fn() -> bool>)?;
        self.give_back(connection);
        match found {
            Err(Error::Sqlite(error))
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) =>
            {
                Ok(None)
            }
            found => found.map(Some),
        }
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn take(&self) -> Result<Connection> {
        if let Some(file) = &self.file {
            file.is_in_place()?;
        }
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| open::open_for_reading(&self.path), Ok).map_err(|error| match error {
            // It was opened before and is in its place, so this passes: too many files are open, or the disk fails.
            Error::Folder { path, error } if self.file.is_some() => {
                Error::Folder { path, error: std::io::Error::other(error) }
            }
            error => error,
        })
    }

    fn give_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_READERS {
            idle.push(connection);
        }
    }
}

/// Runs `look` within one view of the store.
fn view<T>(connection: &mut Connection, look: impl FnOnce(&Connection) -> Result<T>) -> Result<Result<T>> {
    let view = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
    let found = look(&view);
    view.finish()?;
    Ok(found)
}
