//! `newsfold man`: the manual pages, from the command line and from the commented configuration.
//!
//! Pure but for [`write()`], which makes files. What is to be read was written where it is used.

use std::path::Path;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, line_break, roman};

use crate::cli::Arguments;
use crate::commands::console::{Exit, print};
use crate::config;
use crate::config::commented::{self, Part};

/// Prints newsfold(1), or writes all pages into a folder.
pub(super) fn run(folder: Option<&Path>) -> anyhow::Result<Exit> {
    match folder {
        None => print(&page(Arguments::described(), &[]))?,
        Some(folder) => write(folder)?,
    }
    Ok(Exit::Done)
}

fn write(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut whole = Arguments::described().disable_help_subcommand(true);
    whole.build();
    let mut commands = vec![whole];
    while let Some(command) = commands.pop() {
        commands.extend(command.get_subcommands().cloned());
        let name = Man::new(command.clone()).get_filename();
        std::fs::write(folder.join(name), page(command, &["newsfold(1)"]))?;
    }
    std::fs::write(folder.join("newsfold.toml.5"), configuration(config::COMMENTED))?;
    Ok(())
}

/// The page of a command.
fn page(command: Command, more: &[&str]) -> String {
    let is_whole = command.get_name() == "newsfold";
    let mut page = Vec::new();
    // Writing to memory cannot fail.
    let _ = Man::new(command).render(&mut page);
    let mut end = Roff::new();
    if is_whole {
        end.control("SH", ["EXIT STATUS"]).text([roman(
            "0: done. 1: it failed, and said why. 2: the command line is wrong. 78: the configuration or the store has to be put right first.",
        )]);
    }
    let others = if is_whole { &[][..] } else { more };
    let see: Vec<&str> = others.iter().copied().chain(["newsfold.toml(5)"]).collect();
    end.control("SH", ["SEE ALSO"]).text([roman(see.join(", "))]);
    String::from_utf8_lossy(&page).into_owned() + &end.to_roff()
}

/// newsfold.toml(5): each key with its default and what stands above it, in the order of the file.
fn configuration(commented: &str) -> String {
    let mut page = Roff::new();
    page.control("TH", ["newsfold.toml", "5"]);
    page.control("SH", ["NAME"]).text([roman("newsfold.toml - the configuration of newsfold")]);
    page.control("SH", ["DESCRIPTION"]);
    for part in commented::parts(commented) {
        match part {
            Part::Heading(heading) => {
                page.control("SH", [heading]);
            }
            Part::Said { keys, words } => put(&mut page, &keys, &words),
        }
    }
    page.control("SH", ["SEE ALSO"]).text([roman("newsfold(1)")]);
    page.to_roff()
}

/// Keys, and what is said of them; or a paragraph.
fn put(page: &mut Roff, keys: &[(&str, bool)], words: &[&str]) {
    if keys.is_empty() {
        page.control("PP", []);
    }
    for (at, (key, is_set)) in keys.iter().enumerate() {
        let unset = (!is_set).then(|| roman(" (not set)"));
        let line: Vec<Inline> = std::iter::once(bold(*key)).chain(unset).collect();
        page.control(if at == 0 { "TP" } else { "TQ" }, []).text(line);
    }
    for said in words {
        // What is set off in the file stays a line of its own.
        if said.starts_with(' ') {
            page.text([line_break()]);
        }
        page.text([roman(said.trim())]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_configuration_has_its_place_and_its_words() {
        let page = configuration(config::COMMENTED);
        for (key, words) in [
            ("\\fBkeep = \"90d\"\\fR", "Entries last seen in their feed longer ago are pruned."),
            ("\\fBmax_size = \"2GiB\"\\fR (not set)", "While the store is larger"),
            ("\\fBurl = \"https://example.org/feed.xml\"\\fR", "https or http; or file:"),
            ("\\fBcompress = false\\fR", "Put a .gz and a .br beside each of these files."),
        ] {
            let place = page.find(key).unwrap_or_else(|| panic!("{key} is not in\n{page}"));
            let after = page.get(place + key.len()..).unwrap();
            assert!(after.trim_start().starts_with(words), "{key}: {}", after.get(..200).unwrap());
        }
        let keys = commented::parts(config::COMMENTED).into_iter().map(|part| match part {
            Part::Heading(_) => 0,
            Part::Said { keys, .. } => keys.len(),
        });
        assert_eq!(page.matches("\n.TP").count() + page.matches("\n.TQ").count(), keys.sum::<usize>());
        for section in [".SH [store]", ".SH [[feed]]", ".SH [[output]]"] {
            assert!(page.contains(section), "{section}");
        }
    }
}
