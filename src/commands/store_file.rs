//! `newsfold store`: copies of the store, its health, and what it forgets.
//!
//! Edge: files and the store.

use std::path::Path;

use crate::cli::StoreCommand;
use crate::clock;
use crate::commands::{Exit, print};
use crate::config::Config;
use crate::plural::counted;
use crate::store::{Reader, SideWriter, copies, retention};
use crate::upkeep::{self, Kept};

pub(super) fn run(config: &Config, store: &Path, command: StoreCommand) -> anyhow::Result<Exit> {
    match command {
        StoreCommand::Backup { file } => {
            copies::back_up(&Reader::open(store)?, &file)?;
            print(&format!("{} copied to {}, and the copy is whole\n", store.display(), file.display()))?;
            Ok(Exit::Done)
        }
        StoreCommand::Check => {
            let faults = copies::check(store)?;
            if faults.is_empty() {
                print(&format!("{}: whole\n", store.display()))?;
                return Ok(Exit::Done);
            }
            anyhow::bail!(
                "{}: damaged; put a copy back with `newsfold store restore COPY`\n  {}",
                store.display(),
                faults.join("\n  ")
            )
        }
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
