//! `newsfold store`: copies of the store, its health, and what it forgets.
//!
//! Edge: files and the store.

use std::path::Path;

use crate::cli::StoreCommand;
use crate::clock;
use crate::commands::{Exit, print};
use crate::config::Config;
use crate::plural::counted;
use crate::sanitise;
use crate::store::copies::{self, DamagedText};
use crate::store::{Reader, SideWriter, retention};
use crate::upkeep::{self, Kept};

pub(super) fn run(config: &Config, store: &Path, command: StoreCommand) -> anyhow::Result<Exit> {
    match command {
        StoreCommand::Backup { file } => {
            copies::back_up(&Reader::open(store)?, &file)?;
            print(&format!("{} copied to {}, and the copy is whole\n", store.display(), file.display()))?;
            Ok(Exit::Done)
        }
        StoreCommand::Check { repair } => check(store, repair),
        StoreCommand::Prune { dry_run: true } => {
            let cutoff = upkeep::cutoff(config.store.keep, clock::now());
            let expired = Reader::open(store)?.read(|connection| retention::expired(connection, cutoff))?;
            let expired = usize::try_from(expired).unwrap_or(usize::MAX);
            let before = cutoff.format("%Y-%m-%d");
            print(&format!("{} last seen before {before} would be pruned\n", counted(expired, "entry")))?;
            Ok(Exit::Done)
        }
        StoreCommand::Prune { dry_run: false } => prune(config, store),
        StoreCommand::Restore { file } => {
            match copies::restore(store, &file, clock::now())? {
                Some(kept) => print(&format!("restored; what was there is now {}\n", kept.display()))?,
                None => print("restored\n")?,
            }
            Ok(Exit::Done)
        }
    }
}

/// The file first, then every text in it.
fn check(store: &Path, repair: bool) -> anyhow::Result<Exit> {
    let faults = copies::check(store)?;
    if !faults.is_empty() {
        anyhow::bail!(
            "{}: damaged; put a copy back with `newsfold store restore COPY`\n  {}",
            store.display(),
            faults.join("\n  ")
        );
    }
    let damaged = match repair {
        true => SideWriter::open(store)?.write(copies::set_damaged_aside)?,
        false => Reader::open(store)?.read(copies::damaged_texts)?,
    };
    for DamagedText { entry, feed, title, what } in &damaged {
        print(&format!("entry {} of feed `{feed}`, “{}”: {what}\n", entry.0, sanitise::line(title)))?;
    }
    let texts = counted(damaged.len(), "damaged text");
    if damaged.is_empty() {
        print(&format!("{}: whole\n", store.display()))?;
    } else if repair {
        print(&format!(
            "{texts} set aside: the entries keep their titles and links, and get their texts back at the next poll of a feed that still has them\n"
        ))?;
    } else {
        anyhow::bail!(
            "{}: {texts}; all else is whole; `newsfold store check --repair` sets them aside and has their feeds asked for them again",
            store.display()
        );
    }
    Ok(Exit::Done)
}

/// In steps, so that a daemon that runs meanwhile waits for none of them long.
fn prune(config: &Config, path: &Path) -> anyhow::Result<Exit> {
    let (mut store, mut kept) = (SideWriter::open(path)?, Kept::default());
    while kept.add(store.write(|tx| upkeep::step(tx, &config.store, clock::now()))?) {}
    print(&format!("{} pruned\n", counted(kept.pruned, "entry")))?;
    if kept.is_too_large {
        anyhow::bail!("{}: {}", path.display(), upkeep::TOO_LARGE);
    }
    Ok(Exit::Done)
}
