//! `newsfold publish`: an output from the store to standard output.
//!
//! Edge: reads the store, and indexes its words where the output is one of a search and they are not known yet.

use std::path::Path;

use crate::commands::console::{Exit, print};
use crate::commands::site::site;
use crate::config::{Config, Format};
use crate::maintenance;
use crate::publish;
use crate::store::{Reader, search};
use crate::subscriptions::Subscriptions;

pub(super) fn run(config: &Config, store: &Path, output: Option<&str>, format: Format) -> anyhow::Result<Exit> {
    let reader = Reader::open(store)?;
    let outputs = reader.read(|connection| Ok(Subscriptions::look_up(connection, config)?.outputs(config)))?;
    let chosen = match output {
        Some(name) => outputs.iter().find(|output| output.config.name == name),
        None => outputs.first(),
    };
    let Some(chosen) = chosen else {
        let known: Vec<&str> = outputs.iter().map(|output| output.config.name.as_str()).collect();
        anyhow::bail!("there is no output `{}`; there are: {}", output.unwrap_or_default(), known.join(", "));
    };
    if chosen.config.query.is_some() && !reader.read(search::is_current)? {
        maintenance::index_beside(store)?;
    }
    let feed = reader.read(|connection| publish::merge(connection, chosen))?;
    let site = site(config, outputs.clone())?.as_seen_with(chosen);
    print(&String::from_utf8_lossy(&publish::render(&site, &feed, format).body))?;
    Ok(Exit::Done)
}
