//! A configuration from its files: the one that is named, and those in `feeds.d` beside it.
//!
//! Edge: reads files.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use super::{Config, Further, from_files};

/// The folder beside a configuration whose files hold feeds alone.
pub const FURTHER_FEEDS: &str = "feeds.d";

/// Reads the configuration, or says what is wrong with it, a problem a line.
///
/// # Errors
/// The problems, for a person.
pub fn read(file: &Path) -> Result<Config, String> {
    let in_words = |error: Error| {
        let cure = match error.kind() {
            ErrorKind::NotFound => "name another file with `--config FILE`, or write one with `newsfold init`",
            kind => cure_for(kind),
        };
        cannot_be_read(file, &error, cure)
    };
    let text = text_of(file, std::fs::read(file).map_err(in_words)?)?;
    let whole = std::path::absolute(file).map_err(in_words)?;
    let further = further(&whole)?;
    from_files(&text, &whole, &further).map_err(|problems| {
        let typed = |named: &Path| folder_of(file).join(FURTHER_FEEDS).join(named.file_name().unwrap_or_default());
        let problems = problems.shown_as(&whole, file);
        further.iter().fold(problems, |problems, one| problems.shown_as(&one.file, &typed(&one.file))).to_string()
    })
}

/// The files of `feeds.d` beside a configuration, by name. What is hidden, or ends otherwise than in `.toml`, is none of them:
/// editors leave such files behind.
///
/// What is there and is no folder, or no file that ends when it is read, is a fault: feeds that somebody wrote down are never left
/// out in silence.
///
/// # Errors
/// What cannot be read and why, for a person.
pub fn further(file: &Path) -> Result<Vec<Further>, String> {
    let folder = folder_of(file).join(FURTHER_FEEDS);
    let files = match std::fs::read_dir(&folder) {
        Ok(files) => files,
        Err(error) if error.kind() == ErrorKind::NotFound && std::fs::symlink_metadata(&folder).is_err() => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(cannot_be_read(&folder, &error, cure_for(error.kind()))),
    };
    let files = files.map(|file| file.map(|file| file.path())).collect::<Result<Vec<PathBuf>, Error>>();
    let mut files = files.map_err(|error| cannot_be_read(&folder, &error, cure_for(error.kind())))?;
    let is_hidden = |file: &Path| file.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    files.retain(|file| file.extension().is_some_and(|ending| ending == "toml") && !is_hidden(file));
    files.sort();
    let read = |file: PathBuf| {
        let in_words = |error: Error| cannot_be_read(&file, &error, cure_for(error.kind()));
        // A pipe or a device would be waited for, and for ever.
        if !std::fs::metadata(&file).map_err(in_words)?.is_file() {
            return Err(in_words(Error::new(ErrorKind::InvalidInput, "it is no file")));
        }
        let bytes = std::fs::read(&file).map_err(in_words)?;
        Ok(Further { text: text_of(&file, bytes)?, file })
    };
    files.into_iter().map(read).collect()
}

fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

fn cannot_be_read(file: &Path, error: &Error, cure: &str) -> String {
    format!("{}: cannot be read: {error}; {cure}", file.display())
}

fn cure_for(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::PermissionDenied => "run this as a user who may read it, or let this one (`chmod`, `chgrp`)",
        ErrorKind::NotFound => "it is a link to what is not there: put that right, or take the link away",
        ErrorKind::NotADirectory => "make it a folder, or give it another name",
        ErrorKind::InvalidInput => "move it elsewhere, or give it a name that does not end in `.toml`",
        _ => "see to the file",
    }
}

fn text_of(file: &Path, bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|error| {
        let before =
            String::from_utf8_lossy(error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default());
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("{}:{line}:{column}: not valid UTF-8; save the file as UTF-8 in your editor", file.display())
    })
}
