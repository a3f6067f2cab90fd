//! The configuration file, changed by a command.
//!
//! Edge: reads and writes files. A file is replaced as a whole; where that cannot be, or would take it from its owner, it is
//! written in place.

use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

use anyhow::Context as _;
use url::Url;

use crate::config::edit::{NewFeed, with_feeds, without_feed};
use crate::config::{self, Config, load};
use crate::net::without_fragment;

/// The file that has a feed, or a list of feeds, of this address.
pub(super) fn file_with<'c>(config: &'c Config, address: &Url) -> Option<&'c Path> {
    let address = without_fragment(address);
    let position = config.feeds.iter().position(|feed| without_fragment(&feed.url) == address)?;
    Some(config.place_of_feed(position).map_or(config.file.as_path(), |(file, _)| file))
}

/// Adds feeds to the configuration file, unless that would make it wrong.
pub(super) fn add_feeds(config: &Config, feeds: &[NewFeed]) -> anyhow::Result<()> {
    change(config, &config.file, |before| with_feeds(before, feeds))
}

/// Takes the feed at this position out of the file that it stands in; gives that file.
pub(super) fn remove_feed(config: &Config, position: usize) -> anyhow::Result<&Path> {
    let (file, position) = config.place_of_feed(position).context("it stands in no file")?;
    change(config, file, |before| without_feed(before, position))?;
    Ok(file)
}

/// Changes a file of the configuration, unless that would make it wrong.
fn change(config: &Config, named: &Path, edit: impl Fn(&str) -> Result<String, String>) -> anyhow::Result<()> {
    // A link is followed, so that it is not replaced by a file.
    let file = named.canonicalize().unwrap_or_else(|_| named.to_owned());
    let cannot = || format!("{} cannot be changed", file.display());
    let before = std::fs::read_to_string(&file).with_context(cannot)?;
    let after = edit(&before).map_err(|why| anyhow::anyhow!("{}: {why}", cannot()))?;
    let mut further = load::further(&config.file).map_err(anyhow::Error::msg)?;
    let main = if named == config.file {
        after.clone()
    } else {
        let changed = further.iter_mut().filter(|further| further.file == named);
        changed.for_each(|further| further.text.clone_from(&after));
        std::fs::read_to_string(&config.file).with_context(cannot)?
    };
    config::from_files(&main, &config.file, &further)
        .map_err(|problems| anyhow::anyhow!("{}, because it would be wrong then:\n{problems}", cannot()))?;
    replace(&file, &after).with_context(cannot)
}

/// Replaces a file as a whole. What is written stands under a name that nobody can foresee, and never where somebody put
/// something else: in a folder that others may write to, that could lead anywhere.
fn replace(file: &Path, text: &str) -> anyhow::Result<()> {
    let beside = file.with_added_extension(format!("{:016x}.new", RandomState::new().hash_one(0)));
    let mut new = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside) {
        Ok(new) => new,
        Err(_) if is_mounted_by_itself(file) => return Ok(write_in_place(file, text)?),
        Err(error) => {
            let folder = file.parent().unwrap_or(file).display();
            anyhow::bail!(
                "no new file can be made in the folder {folder} ({error}); run this as a user who may write there"
            )
        }
    };
    let written = new.write_all(text.as_bytes()).and_then(|()| {
        take_over_rights(&new, file)?;
        new.sync_all()?;
        std::fs::rename(&beside, file)
    });
    let Err(error) = written else { return Ok(()) };
    let _ = std::fs::remove_file(&beside);
    // A file that is mounted by itself cannot be renamed over, and whoever may not give a file away may still write to it.
    match error.kind() {
        ErrorKind::ResourceBusy | ErrorKind::PermissionDenied => Ok(write_in_place(file, text)?),
        _ => Err(error.into()),
    }
}

/// Gives a new file the owner, the group and the rights of the one that it is to replace.
fn take_over_rights(new: &File, replaced: &Path) -> io::Result<()> {
    let (known, made) = (std::fs::metadata(replaced)?, new.metadata()?);
    if (known.uid(), known.gid()) != (made.uid(), made.gid()) {
        fchown(new, Some(known.uid()), Some(known.gid()))?;
    }
    new.set_permissions(known.permissions())
}

/// Writes what is new about a file over what was there, and that back when it cannot be written whole.
fn write_in_place(file: &Path, text: &str) -> io::Result<()> {
    let before = std::fs::read(file)?;
    let same = before.iter().zip(text.as_bytes()).take_while(|(old, new)| old == new).count();
    let file = OpenOptions::new().write(true).open(file)?;
    let put = |whole: &[u8]| {
        file.write_all_at(whole.get(same..).unwrap_or_default(), same as u64)?;
        file.set_len(whole.len() as u64)?;
        file.sync_all()
    };
    put(text.as_bytes()).inspect_err(|_| drop(put(&before)))
}

/// Whether a file is the root of a mount, as containers get single files (`proc_pid_mountinfo(5)`).
fn is_mounted_by_itself(file: &Path) -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    // A space in a path is written as an octal number.
    let point = file.to_string_lossy().replace('\\', r"\134").replace(' ', r"\040");
    mounts.lines().any(|mount| mount.split(' ').nth(4) == Some(&point))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_with_its_rights_and_nothing_is_written_through_links() {
        let folder = tempfile::tempdir().unwrap();
        let (file, victim) = (folder.path().join("newsfold.toml"), folder.path().join("victim"));
        std::fs::write(&file, "before").unwrap();
        std::fs::write(&victim, "whole").unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&victim, folder.path().join("newsfold.toml.new")).unwrap();
        replace(&file, "after").unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "whole");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "after");
        let found = std::fs::symlink_metadata(&file).unwrap();
        assert!(found.is_file() && found.mode() & 0o777 == 0o640);
    }

    #[test]
    fn what_is_written_in_place_is_the_same_file_whether_it_grows_or_shrinks() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("newsfold.toml");
        std::fs::write(&file, "a = 1\nb = 2\n").unwrap();
        let number = std::fs::metadata(&file).unwrap().ino();
        for text in ["a = 1\nb = 2\nc = 3\n", "a = 1\nc = 3\n", "b", "", "a = 1\n"] {
            write_in_place(&file, text).unwrap();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        }
        assert_eq!(std::fs::metadata(&file).unwrap().ino(), number);
    }

    #[test]
    fn a_folder_where_no_file_can_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gone/newsfold.toml");
        let told = replace(&file, "").unwrap_err().to_string();
        assert!(told.contains(&format!("in the folder {}", file.parent().unwrap().display())), "{told}");
        assert!(!is_mounted_by_itself(&file) && is_mounted_by_itself(Path::new("/proc")));
    }
}
