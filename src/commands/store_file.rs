//! `newsfold store`: copies of the store, its health, and what it forgets.
//!
//! Edge: files and the store.

use std::path::Path;

use crate::cli::StoreCommand;
use crate::clock;
use crate::commands::console::{Exit, print};
use crate::config::Config;
use crate::maintenance::{self, Kept};
use crate::plural::counted;
use crate::sanitise;
use crate::store::copies::{self, DamagedRow, DamagedText};
use crate::store::salvage::{self, Salvaged};
use crate::store::{Connection, Reader, SideWriter, retention};

pub(super) fn run(config: &Config, store: &Path, command: StoreCommand) -> anyhow::Result<Exit> {
    match command {
        StoreCommand::Backup { file } => {
            copies::back_up(&Reader::open(store)?, &file)?;
            print(&format!("{} copied to {}, and the copy is whole\n", store.display(), file.display()))?;
            Ok(Exit::Done)
        }
        StoreCommand::Check { repair } => check(store, repair),
        StoreCommand::Prune { dry_run: true } => {
            let cutoff = maintenance::cutoff(config.store.keep, clock::now());
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

/// The file first, then every row that readers are shown, and every text in it.
fn check(store: &Path, repair: bool) -> anyhow::Result<Exit> {
    let now = clock::now();
    let faults = copies::check(store)?;
    if !faults.is_empty() {
        let faults = faults.join("\n  ");
        if !repair {
            anyhow::bail!(
                "{}: damaged; put a copy back with `newsfold store restore COPY`, or have `newsfold store check --repair` bring back what can be read\n  {faults}",
                store.display(),
            );
        }
        let Salvaged { kept, entries, damaged } = salvage::salvage(store, now)?;
        let lost = match damaged.as_slice() {
            [] => "every row could be read".to_owned(),
            damaged => format!("what stood on damaged pages of {} is lost", damaged.join(", ")),
        };
        print(&format!(
            "{}: made anew with {}; {lost}; the damaged one is now {}\n  {faults}\n",
            store.display(),
            counted(usize::try_from(entries).unwrap_or(usize::MAX), "entry"),
            kept.display()
        ))?;
    }
    let look = |connection: &Connection| Ok((copies::damaged_rows(connection)?, copies::damaged_texts(connection)?));
    let mend = |tx: &Connection| Ok((copies::mend_damaged_rows(tx, now)?, copies::set_damaged_aside(tx)?));
    let (rows, texts) = if repair { SideWriter::open(store)?.write(mend)? } else { Reader::open(store)?.read(look)? };
    for (row, feed) in &rows {
        let feed = sanitise::line(feed);
        print(&match row {
            DamagedRow::Entry(entry) => format!("entry {} of feed `{feed}`: its row is damaged\n", entry.0),
            DamagedRow::Story(story) => format!("story {} of feed `{feed}`: its row is damaged\n", story.0),
            DamagedRow::Feed(_) => format!("feed `{feed}`: its row is damaged\n"),
        })?;
    }
    for DamagedText { entry, feed, title, what } in &texts {
        print(&format!("entry {} of feed `{feed}`, “{}”: {what}\n", entry.0, sanitise::line(title)))?;
    }
    let rows = (!rows.is_empty()).then(|| counted(rows.len(), "damaged row"));
    let texts = (!texts.is_empty()).then(|| counted(texts.len(), "damaged text"));
    let damage = rows.into_iter().chain(texts).collect::<Vec<_>>().join(" and ");
    if damage.is_empty() {
        print(&format!("{}: whole\n", store.display()))?;
    } else if repair {
        print(&format!(
            "{damage} set aside: texts, and entries whose rows are damaged, come back at the next poll of a feed that still has them\n"
        ))?;
    } else {
        anyhow::bail!(
            "{}: {damage}; all else is whole; `newsfold store check --repair` sets them aside and has their feeds asked for them again",
            store.display()
        );
    }
    Ok(Exit::Done)
}

/// In steps, so that a daemon that runs meanwhile waits for none of them long.
fn prune(config: &Config, path: &Path) -> anyhow::Result<Exit> {
    let (mut store, mut kept) = (SideWriter::open(path)?, Kept::default());
    while kept.add(store.write(|tx| maintenance::step(tx, &config.store, clock::now()))?) {}
    print(&format!("{} pruned\n", counted(kept.pruned, "entry")))?;
    if kept.is_too_large {
        anyhow::bail!("{}: {}", path.display(), maintenance::TOO_LARGE);
    }
    Ok(Exit::Done)
}
