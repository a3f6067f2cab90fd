//! The outputs as files, for whoever publishes them with a server of their own.
//!
//! Edge: writes files. Each is replaced at once, and one that would hold what it holds is not touched.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{File, Metadata, Permissions};
use std::io::{BufReader, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use xxhash_rust::xxh3::Xxh3;

use crate::clock;
use crate::config::{Format, OutputConfig};
use crate::publish::address::Wanted;
use crate::publish::archive::month_of;
use crate::publish::rendered::{self, Coding, Rendered};
use crate::publish::replacement::{BLOCK, Modes, Replacement, make_folder};
use crate::publish::select::{self, Archive};
use crate::publish::{Found, Output, Published, Site};
use crate::store::outputs::Closed;
use crate::store::{self, Store, outputs};

/// How often the files of archives are compared with what the store says now.
const ARCHIVES_EVERY: TimeDelta = TimeDelta::days(1);

/// The packed forms of a file, and what the names of those beside it end in.
const PACKED: [(Coding, &str); 2] = [(Coding::Gzip, "gz"), (Coding::Brotli, "br")];

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
    /// What belongs in them cannot be read.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A file cannot be written.
    #[error("{}: {error}; the file that was there is untouched", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
}

/// Files that were written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// How many.
    pub files: usize,
    /// The names of the outputs that they belong to.
    pub outputs: BTreeSet<String>,
}

impl Written {
    fn note(&mut self, output: &str, files: usize) {
        self.files += files;
        if files > 0 {
            self.outputs.insert(output.to_owned());
        }
    }

    /// With those that were written at another time.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.files += other.files;
        self.outputs.extend(other.outputs);
        self
    }
}

/// Writes the documents of all outputs that have a directory there; gives what was written.
///
/// # Errors
/// When a file cannot be written; those before it were.
pub async fn write(published: &Published) -> Result<Written, WriteError> {
    let published = published.clone();
    blocking(move || {
        published.for_files().map(write_documents).try_fold(Written::default(), |all, one| Ok(all.and(one?)))
    })
    .await
}

/// Writes the archives that were closed since the last time, each into the directory of its output. To be done before
/// [`write()`], whose documents name them.
///
/// # Errors
/// When a file cannot be written, or the store refuses; those before it were.
pub async fn write_new_archives(store: &Store, published: &Published) -> Result<Written, WriteError> {
    write_archives(store, published, |_, written| written.is_none()).await
}

/// Brings the files of older archives up to date. These hold years, so that is done now and then only: what is in them does
/// not change, and what they say of it seldom.
///
/// Where what may be seen changed, by a correction, a feed that came or left, or another configuration, all of them are due, and
/// so are the pages of stories that no document names any more.
///
/// # Errors
/// When a file cannot be written, or the store refuses; those before it were.
pub async fn compare(store: &Store, published: &Published, now: DateTime<Utc>) -> Result<Written, WriteError> {
    let (before, corrections) =
        store.read(|connection| Ok((outputs::standing(connection)?, outputs::corrections(connection)?))).await?;
    let standing = standing(published, corrections);
    let is_other = before.as_ref().is_some_and(|before| *before != standing);
    let is_recent = |at: DateTime<Utc>| (now - ARCHIVES_EVERY..=now).contains(&at);
    let mut written = write_archives(store, published, |files, written| {
        is_other || !written.is_some_and(is_recent) || !files.iter().all(|file| file.exists())
    })
    .await?;
    if is_other {
        for seen in published.for_files() {
            written = written.and(put_stories_right(store, seen).await?);
        }
    }
    if before.as_ref() != Some(&standing) {
        store.write(standing.len(), move |context| outputs::stand(context.tx, &standing)).await?;
    }
    Ok(written)
}

/// Stands for all that decides who may see what.
fn standing(published: &Published, corrections: u64) -> String {
    let mut standing = Xxh3::new();
    standing.update(&corrections.to_le_bytes());
    for site in published.for_files().map(Published::site) {
        standing.update(&[u8::from(site.is_private)]);
        site.outputs.iter().for_each(|output| standing.update(said_of(output).as_bytes()));
    }
    format!("{:032x}", standing.digest128())
}

/// What the configuration says of an output, as text that is the same where that is.
fn said_of(output: &Output) -> String {
    let Output {
        config,
        public_url,
        named_under,
        hub,
        has_story_pages,
        feeds,
        tags,
        aggregators,
        visible,
        hides_feeds,
    } = output;
    let feeds: Option<BTreeSet<u64>> = feeds.as_ref().map(|feeds| feeds.iter().map(|feed| feed.0).collect());
    let tags: BTreeMap<u64, &Vec<String>> = tags.iter().map(|(feed, tags)| (feed.0, tags)).collect();
    let aggregators: BTreeSet<u64> = aggregators.iter().map(|feed| feed.0).collect();
    let visible: BTreeSet<u64> = visible.iter().map(|feed| feed.0).collect();
    format!(
        "{config:?} {public_url} {named_under} {hub:?} {has_story_pages} {hides_feeds} {feeds:?} {tags:?} {aggregators:?} {visible:?}\n"
    )
}

/// Writes the pages of stories anew that no document names any more, and removes those of stories that may not be seen.
async fn put_stories_right(store: &Store, seen: &Published) -> Result<Written, WriteError> {
    let mut written = Written::default();
    let modes = Modes::of(seen.site().is_private);
    let named: BTreeSet<&str> = seen.story_pages().collect();
    for OutputConfig { name, directory, compress, .. } in seen.site().outputs.iter().map(|output| &output.config) {
        let Some(directory) = directory else { continue };
        let folders = folders(directory, name);
        for folder in &folders {
            mend_mode(folder, modes, |modes| modes.folder)?;
        }
        let [_, pages, _] = folders;
        for file in std::fs::read_dir(pages).into_iter().flatten().flatten() {
            let file_name = file.file_name();
            let Some(id) = file_name.to_str().and_then(|name| name.strip_suffix(".html")?.parse().ok()) else {
                continue;
            };
            if named.contains(&*format!("/story/{id}")) {
                continue;
            }
            let (page, path) = (seen.clone(), file.path());
            match store.read(move |connection| page.render(connection, &Wanted::Story(id), 0)).await? {
                Found::Ready(page) => {
                    let compress = *compress;
                    written.note(name, blocking(move || put(&path, &page, compress, modes)).await?);
                }
                _ => {
                    let packed = PACKED.map(|(_, ending)| path.with_added_extension(ending));
                    blocking(move || std::iter::once(&path).chain(&packed).try_for_each(|path| remove(path))).await?;
                    written.note(name, 1);
                }
            }
        }
    }
    Ok(written)
}

/// Writes the archives that are due by their files, and by when these were last brought up to date.
async fn write_archives(
    store: &Store,
    published: &Published,
    is_due: impl Fn(&[PathBuf], Option<DateTime<Utc>>) -> bool,
) -> Result<Written, WriteError> {
    let mut written = Written::default();
    for site in published.for_files().map(Published::site) {
        for output in site.outputs.iter().filter(|output| output.has_archives()) {
            written.note(&output.config.name, write_archives_of(store, site, output, &is_due).await?);
        }
    }
    Ok(written)
}

/// Those of one month at a time: they may hold what many feeds told.
async fn write_archives_of(
    store: &Store,
    site: &Site,
    output: &Output,
    is_due: impl Fn(&[PathBuf], Option<DateTime<Utc>>) -> bool,
) -> Result<usize, WriteError> {
    let OutputConfig { name, directory: Some(directory), formats, compress, .. } = &output.config else { return Ok(0) };
    let (now, asked) = (clock::now(), name.clone());
    let known =
        move |connection: &_| Ok((outputs::archives(connection, &asked)?, outputs::written(connection, &asked)?));
    let (archives, fresh) = store.read(known).await?;
    let formats: Vec<Format> = formats.iter().copied().filter(|format| *format != Format::Html).collect();
    let file = {
        let folder = directory.join(name);
        move |archive: &str, format: &Format| folder.join(format!("{archive}{}", format.ending()))
    };
    let is_due = |archive: &&Closed| {
        let files: Vec<PathBuf> = formats.iter().map(|format| file(&archive.name, format)).collect();
        is_due(&files, fresh.get(&archive.name).copied())
    };
    let due: Vec<&Closed> = archives.iter().filter(is_due).collect();
    let mut written = 0;
    for of_one_month in due.chunk_by(|one, other| month_of(one.until) == month_of(other.until)) {
        let names: Vec<String> = of_one_month.iter().map(|archive| archive.name.clone()).collect();
        let (wanted, selected, folder) = (names.clone(), output.clone(), directory.join(name));
        let modes = Modes::of(site.is_private);
        let in_words = |error| WriteError::File { path: directory.join(name), error };
        make_folder(&folder, modes.folder).map_err(in_words)?;
        let selected = store.read(move |connection| select::archives(connection, &selected, &wanted, &folder)).await?;
        let (selected, compress, formats, file) =
            (selected.map_err(in_words)?, *compress, formats.clone(), file.clone());
        written += blocking(move || {
            let put = |archive: &Archive, format| {
                put_archive(&file(&archive.name, format), archive, *format, compress, modes)
            };
            let put_all = |archive| formats.iter().map(move |format| put(archive, format));
            selected.iter().flat_map(put_all).sum::<Result<usize, _>>()
        })
        .await?;
        let name = name.clone();
        store
            .write(0, move |context| {
                names.iter().try_for_each(|archive| outputs::wrote(context.tx, &name, archive, now))
            })
            .await?;
    }
    if !due.is_empty() {
        let folder = directory.join(name);
        blocking(move || remove_but(&archives, &folder)).await?;
    }
    Ok(written)
}

/// Takes away the parts of months that one archive has whole by now, and whole months that are in parts now.
fn remove_but(archives: &[Closed], folder: &Path) -> Result<(), WriteError> {
    let is_there = |name: &str| archives.iter().any(|archive| archive.name == name);
    for file in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = file.file_name();
        // `2026-11.2.atom`, `2026-11.2.json.gz`
        let mut pieces = name.to_str().unwrap_or_default().splitn(3, '.');
        let (Some(month), Some(number)) = (pieces.next(), pieces.next()) else { continue };
        let is_old_part = pieces.next().is_some() && is_number(number) && !is_there(&format!("{month}.{number}"));
        let is_old_month = !is_number(number) && !is_there(month) && is_there(&format!("{month}.1"));
        if is_old_part || is_old_month {
            remove(&file.path())?;
        }
    }
    Ok(())
}

/// Where the files of an output are: its documents, the pages of stories, and its archives.
fn folders(directory: &Path, output: &str) -> [PathBuf; 3] {
    [directory.to_owned(), directory.join("story"), directory.join(output)]
}

/// What the files of all outputs are made of. While it stays the same, writing them again would change nothing.
///
/// That is what is stored (`change`, see [`outputs::note`]), the configuration, the look, the program, and the files themselves,
/// whoever wrote or removed one of them.
#[must_use]
pub fn made_of(site: &Site, change: i64) -> String {
    let mut made_of = Xxh3::new();
    let mut add = |of: String| {
        made_of.update(of.as_bytes());
        made_of.update(b"\n");
    };
    let written = |file: &Metadata| (file.len(), file.modified().ok());
    let program = std::env::current_exe().and_then(std::fs::metadata);
    add(format!("{:?}", program.ok().as_ref().map(written)));
    add(format!("{change} {:?} {} {}", site.public_url, site.shows_feeds, site.theme.digest()));
    for output in &site.outputs {
        add(said_of(output));
        if let Some(directory) = &output.config.directory {
            for folder in folders(directory, &output.config.name) {
                let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
                let mut files: Vec<_> = files
                    .filter_map(|file| Some((file.file_name(), file.metadata().ok().filter(Metadata::is_file)?)))
                    .map(|(name, file)| format!("{} {:?}", name.display(), written(&file)))
                    .collect();
                files.sort_unstable();
                add(files.concat());
            }
        }
    }
    format!("{:032x}", made_of.digest128())
}

/// Takes away what a crash left of files that were being written.
pub fn sweep(outputs: &[Output]) {
    for OutputConfig { name, directory, .. } in outputs.iter().map(|output| &output.config) {
        let Some(directory) = directory else { continue };
        let ours = [name, "index.html", "style.css", "icon.svg", "icon.png", "favicon.ico"];
        for (folder, beginnings) in folders(directory, name).into_iter().zip([&ours[..], &[""], &[""]]) {
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
    is_number(number) && beginnings.iter().any(|beginning| name.starts_with(beginning))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Writes files on a thread of its own: a disk may be slow.
async fn blocking<T: Send + 'static>(
    write: impl FnOnce() -> Result<T, WriteError> + Send + 'static,
) -> Result<T, WriteError> {
    match tokio::task::spawn_blocking(write).await {
        Ok(written) => written,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

fn write_documents(published: &Published) -> Result<Written, WriteError> {
    let mut written = Written::default();
    // The first output in a folder is shown at its index.
    let mut indexed: BTreeSet<&Path> = BTreeSet::new();
    let modes = Modes::of(published.site().is_private);
    for output in &published.site().outputs {
        let OutputConfig { name, directory: Some(directory), formats, compress, .. } = &output.config else {
            continue;
        };
        if directory.exists() && !directory.is_dir() {
            return Err(WriteError::NoFolder { path: directory.clone(), output: name.clone() });
        }
        let mut put = |address: &str, file: String| -> Result<(), WriteError> {
            let Some(rendered) = published.ready(address) else { return Ok(()) };
            written.note(name, put(&directory.join(file), &rendered, *compress, modes)?);
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
        for file in ["style.css", "icon.svg", "icon.png", "favicon.ico"] {
            put(&format!("/{file}"), file.to_owned())?;
        }
        for address in published.story_pages().filter(|_| formats.contains(&Format::Html)) {
            put(address, format!("{}.html", address.trim_start_matches('/')))?;
        }
    }
    Ok(written)
}

/// Puts a document at `path`, and its packed forms beside it if they are asked for; gives how many files were written.
fn put(path: &Path, document: &Rendered, compress: bool, modes: Modes) -> Result<usize, WriteError> {
    let is_new = replace(path, modes, |out| out.write_all(&document.body))?;
    put_beside(path, is_new, compress, modes, |coding, out| out.write_all(&document.packed(coding)))
}

/// The same of an archive, which is written as it is rendered: it may be of any size.
fn put_archive(
    path: &Path,
    archive: &Archive,
    format: Format,
    compress: bool,
    modes: Modes,
) -> Result<usize, WriteError> {
    let in_words = |error| WriteError::File { path: path.to_owned(), error };
    let begin = || BufWriter::with_capacity(BLOCK, Replacement::of(path, modes));
    let written = archive.write(format, begin).map_err(in_words)?;
    let is_new = written.into_inner().map_err(|error| in_words(error.into_error()))?.finish().map_err(in_words)?;
    if !is_new {
        mend_mode(path, modes, |modes| modes.file)?;
    }
    put_beside(path, is_new, compress, modes, |coding, out| {
        let plain = File::open(path)?;
        let bytes = usize::try_from(plain.metadata()?.len()).map_err(std::io::Error::other)?;
        rendered::pack_into(coding, BufReader::with_capacity(BLOCK, plain), bytes, out)
    })
}

/// Puts the packed forms of the document at `path` beside it, if they are asked for; gives how many files were written, with that
/// one if it `is_new`.
fn put_beside(
    path: &Path,
    is_new: bool,
    compress: bool,
    modes: Modes,
    pack: impl Fn(Coding, &mut Replacement) -> std::io::Result<()>,
) -> Result<usize, WriteError> {
    let mut written = usize::from(is_new);
    for (coding, ending) in PACKED {
        let beside = path.with_added_extension(ending);
        if compress && (is_new || is_older(&beside, path)) {
            written += usize::from(replace(&beside, modes, |out| pack(coding, out))?);
        } else if is_new {
            // A server that prefers packed files would go on showing what was there before.
            remove(&beside)?;
        } else {
            mend_mode(&beside, modes, |modes| modes.file)?;
        }
    }
    Ok(written)
}

/// Gives a file or folder the one `of` the modes that it should have. An output may have become private, or be so no more; what
/// a person made of its files, a mode that is none of ours, stays.
fn mend_mode(path: &Path, modes: Modes, of: fn(Modes) -> u32) -> Result<(), WriteError> {
    let Ok(there) = std::fs::metadata(path) else { return Ok(()) };
    let (there, mode) = (there.permissions().mode() & 0o777, of(modes));
    if there != mode && [true, false].map(Modes::of).map(of).contains(&there) {
        let in_words = |error| WriteError::File { path: path.to_owned(), error };
        std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(in_words)?;
    }
    Ok(())
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

/// Puts what is written at `path`, all at once; gives `false` when the same was there already.
fn replace(
    path: &Path,
    modes: Modes,
    write: impl FnOnce(&mut Replacement) -> std::io::Result<()>,
) -> Result<bool, WriteError> {
    let mut replacement = Replacement::of(path, modes);
    let is_new = write(&mut replacement)
        .and_then(|()| replacement.finish())
        .map_err(|error| WriteError::File { path: path.to_owned(), error })?;
    if !is_new {
        mend_mode(path, modes, |modes| modes.file)?;
    }
    Ok(is_new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::EntryRef;

    #[test]
    fn folders_and_files_are_for_a_web_server_to_read() {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::set_permissions(scratch.path(), Permissions::from_mode(0o700)).unwrap();
        let file = scratch.path().join("public/story/a.html");
        assert!(replace(&file, Modes::of(false), |out| out.write_all(b"a")).unwrap());
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&file), 0o644);
        assert_eq!(mode(&scratch.path().join("public/story")), 0o755);
        assert_eq!(mode(&scratch.path().join("public")), 0o755);
        assert_eq!(mode(scratch.path()), 0o700, "a folder that was there keeps its mode");
        let file = scratch.path().join("private/story/a.html");
        assert!(replace(&file, Modes::of(true), |out| out.write_all(b"a")).unwrap());
        assert_eq!((mode(&file), mode(&scratch.path().join("private"))), (0o640, 0o750), "not for everybody");
    }

    #[test]
    fn what_became_of_archives_is_taken_away_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let stays = ["2026-10.atom", "2026-11.1.atom", "2026-11.2.atom", "2026-11.2.json.gz", "notes.txt", "a.b.c"];
        for name in stays.iter().chain(&["2026-10.1.atom", "2026-10.12.json.gz", "2026-11.rss", "2026-11.json.br"]) {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let closed = |name: &str| Closed { name: name.into(), until: DateTime::UNIX_EPOCH, upto: EntryRef(1) };
        remove_but(&["2026-10", "2026-11.1", "2026-11.2"].map(closed), folder.path()).unwrap();
        let mut left: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        left.sort();
        let mut stays = stays.to_vec();
        stays.sort_unstable();
        assert_eq!(left, stays);
        remove_but(&[], &folder.path().join("missing")).unwrap();
    }
}
