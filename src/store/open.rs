//! Opening the store: for its owner, beside its owner, or to read; and bringing it up to date.
//!
//! Edge.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use url::Url;

use crate::store::file::{
    Ownership, beside, identify, in_words, look_at, look_through_for_writing, make_private, tighten,
};
use crate::store::{Error, Result, checksum, schema, whole_copy};
use crate::systemd;

/// An entry is about a kilobyte: several fit a page, and few pages are half empty.
const PAGE_BYTES: i32 = 8192;
/// The pages that the writer keeps in memory.
const WRITER_CACHE_KIB: i32 = 3 * 1024;
/// How long a connection waits for another one's lock.
const BUSY: Duration = Duration::from_secs(5);

/// Opens the store at `path`, a resolved one, for its owner: makes it if there is none, and brings an older one up to
/// date.
///
/// # Errors
/// When it cannot be used. Nothing was changed then.
pub(super) fn open_as_owner(path: &Path, _owned: &Ownership) -> Result<Connection> {
    whole_copy::sweep(path);
    match look_at(path) {
        Err(Error::Missing(_)) => {
            make_private(path).map_err(|error| Error::Folder { path: path.to_owned(), error })?;
        }
        looked => looked?,
    }
    tighten(path);
    // Whoever stops in order leaves no log behind.
    let stopped_uncleanly = std::fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0);
    let mut connection = connect(path)?;
    bring_up(&mut connection, path, stopped_uncleanly)?;
    Ok(connection)
}

/// Opens the store at `path`, a resolved one, for writing while another process owns it. A log beside the file is then
/// the owner's, who also looked the file through.
///
/// # Errors
/// When it cannot be used, or has still to be brought up to date, which is its owner's to do.
pub(super) fn open_beside_owner(path: &Path) -> Result<Connection> {
    look_at(path)?;
    let connection = connect(path)?;
    let (version, _) = identify(&connection, path)?;
    if version < schema::MIGRATIONS.len() {
        return Err(Error::Locked(path.to_owned()));
    }
    tune_for_writing(&connection)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// A connection that can write, and knows nothing of ours yet.
fn connect(path: &Path) -> Result<Connection> {
    if std::fs::metadata(path).is_ok_and(|found| found.nlink() > 1) {
        return Err(Error::Linked(path.to_owned()));
    }
    let connection = Connection::open(path).map_err(|error| in_words(error, path))?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

/// Makes the file at `path`, to which `connection` leads, a store of the newest version. Stopped at any instant, it is what
/// it was or what it is to be.
pub(super) fn bring_up(connection: &mut Connection, path: &Path, stopped_uncleanly: bool) -> Result<()> {
    let (version, tables) = identify(connection, path)?;
    if stopped_uncleanly {
        systemd::takes_its_time("looking through the store, because it was not closed");
        look_through_for_writing(connection, path)?;
    }
    if tables == 0 {
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        connection.pragma_update(None, "application_id", schema::APPLICATION_ID)?;
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    tune_for_writing(connection)?;
    if version > 0 && version < schema::MIGRATIONS.len() {
        systemd::takes_its_time("bringing the store up to date");
        let copy = whole_copy::keep(connection, path, &format!(".v{version}"))?;
        tracing::info!(
            name: "store.upgraded",
            from = version,
            to = schema::MIGRATIONS.len(),
            copy = %copy.display(),
            "the store is brought up to date; a copy was made"
        );
    }
    schema::migrate(connection, version)?;
    // What a savepoint may have to restore; in a file it would be written for nothing. Only an upgrade restores more than
    // fits into memory.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(())
}

/// Opens the store at `path` to read it, whether or not it is in use.
///
/// # Errors
/// When there is no store, or it is not ours.
pub(super) fn open_for_reading(path: &Path) -> Result<Connection> {
    look_at(path)?;
    // Reading in WAL mode wants to write the index of the log; where that is not allowed, the bare file is still good to read.
    let open = |flags| Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX);
    let connection = open(OpenFlags::SQLITE_OPEN_READ_WRITE)
        .or_else(|_| open(OpenFlags::SQLITE_OPEN_READ_ONLY))
        .map_err(|error| in_words(error, path))?;
    connection.busy_timeout(BUSY)?;
    for_reading(connection, path)
}

/// A connection to the file at `path` that reads it, if it is a store.
fn for_reading(connection: Connection, path: &Path) -> Result<Connection> {
    let (version, _) = identify(&connection, path)?;
    if version == 0 {
        return Err(Error::Missing(path.to_owned()));
    }
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -512)?;
    tune(&connection)?;
    Ok(connection)
}

/// Opens the copy at `path` to read it, and writes nothing, neither to it nor beside it.
///
/// # Errors
/// When it cannot be read, or is not ours.
pub(super) fn open_copy(path: &Path) -> Result<Connection> {
    // What is a copy has no log; a store that is in use has one, and is read as such.
    if beside(path, "-wal").exists() {
        return open_for_reading(path);
    }
    let unreadable = |error| Error::UnreadableCopy { path: path.to_owned(), error };
    let open = || {
        look_at(path)?;
        let whole_path = std::path::absolute(path).map_err(unreadable)?;
        let mut address = Url::from_file_path(whole_path).map_err(|()| Error::Missing(path.to_owned()))?;
        address.set_query(Some("immutable=1"));
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(address.as_str(), flags).map_err(|error| in_words(error, path))?;
        for_reading(connection, path).map_err(|error| match error {
            Error::Missing(_) => unreadable(std::io::Error::other("this file is empty")),
            error => error,
        })
    };
    open().map_err(|error| match error {
        Error::Missing(_) => unreadable(std::io::ErrorKind::NotFound.into()),
        Error::Folder { error, .. } => unreadable(error),
        error => error,
    })
}

/// What every connection that writes is told.
fn tune_for_writing(connection: &Connection) -> Result<()> {
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    connection.pragma_update(None, "wal_autocheckpoint", 32 * 1024 * 1024 / PAGE_BYTES)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    tune(connection)
}

/// What every connection is told.
fn tune(connection: &Connection) -> Result<()> {
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    // A statement is compiled once, and not again for each value that its plan might depend on.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    checksum::define(connection)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}
