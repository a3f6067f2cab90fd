//! `newsfold split`, `join`, `forget` and `corrections`: a person's word on stories and entries.
//!
//! Edge: writes to the store, beside a running daemon, which publishes what follows within seconds.

use std::path::Path;

use crate::clock;
use crate::commands::console::{Exit, print};
use crate::commands::table;
use crate::model::{EntryRef, StoryId, StoryRef};
use crate::store::corrections::{self, Corrected, Correction, Kind};
use crate::store::{self, Connection, Reader, SideWriter, stories};
use crate::terminal;

/// Takes an entry out of its story.
pub(super) fn split(store: &Path, name: &str) -> anyhow::Result<Exit> {
    let done = SideWriter::open(store)?.write(|tx| match one_entry(tx, name) {
        Ok(entry) => corrections::split(tx, entry, clock::now()).map(Ok),
        Err(unnamed) => Ok(Err(unnamed)),
    })??;
    match done {
        Corrected::Done(story) => print(&format!("it tells a story of its own now: {story}\n"))?,
        Corrected::Already => print("it tells a story of its own already\n")?,
    }
    Ok(Exit::Done)
}

/// Makes one story of two.
pub(super) fn join(store: &Path, one: &str, other: &str) -> anyhow::Result<Exit> {
    let done = SideWriter::open(store)?.write(|tx| {
        let (Some(one), Some(other)) = (story_named(tx, one)?, story_named(tx, other)?) else { return Ok(None) };
        corrections::join(tx, one, other, clock::now()).map(Some)
    })?;
    match done {
        Some(Corrected::Done(story)) => print(&format!("they are one story now: {story}\n"))?,
        Some(_) => print("they are one story already\n")?,
        None => return Err(no_such(&format!("{one} or {other}"))),
    }
    Ok(Exit::Done)
}

/// Takes entries out of all that is published: all of them, or none when one is not known.
pub(super) fn forget(store: &Path, names: &[String]) -> anyhow::Result<Exit> {
    let titles = SideWriter::open(store)?.write(|tx| {
        let named: anyhow::Result<Vec<EntryRef>> = names.iter().map(|name| one_entry(tx, name)).collect();
        let Ok(named) = named else { return Ok(named.map(|_| Vec::new())) };
        let mut titles = Vec::with_capacity(named.len());
        for entry in named {
            titles.extend(stories::telling(tx, entry)?.map(|telling| telling.title));
            corrections::forget(tx, entry, clock::now())?;
        }
        Ok(Ok(titles))
    })??;
    for title in titles {
        print(&format!("forgotten: {}\n", table::cut(&title, 11, terminal::width())))?;
    }
    eprintln!(
        "nothing that is published or searched shows it from now on; `newsfold corrections` lists what can be taken back"
    );
    Ok(Exit::Done)
}

/// Lists what people decided, newest first.
pub(super) fn list(reader: &Reader) -> anyhow::Result<Exit> {
    let all = reader.read(corrections::all)?;
    for correction in &all {
        print(&format!("{}\n", table::cut(&in_words(correction), 0, terminal::width())))?;
    }
    if all.is_empty() {
        eprintln!("nobody has corrected anything yet; `split`, `join` and `forget` do");
    }
    Ok(Exit::Done)
}

/// Takes a correction back.
pub(super) fn undo(store: &Path, number: u64) -> anyhow::Result<Exit> {
    let done = SideWriter::open(store)?.write(|tx| corrections::undo(tx, number, clock::now()))?;
    match done {
        Some(Corrected::Done(story)) => print(&format!("taken back; see story {story}\n"))?,
        Some(Corrected::Already) => print("taken back; the stories have moved on since and stay as they are\n")?,
        None => anyhow::bail!("there is no correction {number}; `newsfold corrections` lists them with their numbers"),
    }
    Ok(Exit::Done)
}

fn in_words(correction: &Correction) -> String {
    let Correction { number, at, kind, title, feed, story_title, .. } = correction;
    let told = match story_title {
        Some(story) if *kind == Kind::Split => format!(", out of \u{201c}{story}\u{201d}"),
        Some(story) if *kind == Kind::Join => format!(", with \u{201c}{story}\u{201d}"),
        _ => String::new(),
    };
    format!("{number:>4}  {}  {:<6}  {feed}: {title}{told}", at.format("%Y-%m-%d %H:%MZ"), kind.name())
}

/// The story of a public id or of the end of one, or the one that a named entry tells.
pub(super) fn story_named(connection: &Connection, name: &str) -> store::Result<Option<StoryRef>> {
    if let Ok(id) = name.parse()
        && let Some(story) = stories::by_id(connection, id)?
    {
        return Ok(Some(story.story));
    }
    if let Some(entry) = corrections::entries_named(connection, name)?.first() {
        return stories::told_by(connection, *entry);
    }
    let is_short = name.len() >= StoryId::SHORT - 2 && name.bytes().all(|digit| digit.is_ascii_hexdigit());
    let found = if is_short { stories::ending_in(connection, name)? } else { Vec::new() };
    Ok(match found[..] {
        [story] => Some(story),
        _ => None,
    })
}

pub(super) fn one_entry(connection: &Connection, name: &str) -> anyhow::Result<EntryRef> {
    let found = corrections::entries_named(connection, name)?;
    match found.as_slice() {
        [entry] => Ok(*entry),
        [] => Err(no_such(name)),
        several => {
            let numbers: Vec<String> = several.iter().map(|entry| entry.0.to_string()).collect();
            anyhow::bail!("several entries lead to {name}; name one by its number: {}", numbers.join(", "))
        }
    }
}

pub(super) fn no_such(name: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "nothing is stored under `{name}`; name a story by its id, or an entry by its address, id or number, as `newsfold stories --json` shows them"
    )
}
