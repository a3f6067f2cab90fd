//! `newsfold publish`: an output from the store to standard output.
//!
//! Edge: reads the store.

use crate::commands::{Exit, print};
use crate::config::{Config, Format};
use crate::publish::look::Look;
use crate::publish::{self, Site};
use crate::roster::Roster;
use crate::store::Reader;

pub(super) fn run(config: &Config, reader: &Reader, output: Option<&str>, format: Format) -> anyhow::Result<Exit> {
    let outputs = reader.read(|connection| Ok(Roster::look_up(connection, config)?.outputs(config)))?;
    let chosen = match output {
        Some(name) => outputs.iter().find(|output| output.config.name == name),
        None => outputs.first(),
    };
    let Some(chosen) = chosen else {
        let known: Vec<&str> = outputs.iter().map(|output| output.config.name.as_str()).collect();
        anyhow::bail!("there is no output `{}`; there are: {}", output.unwrap_or_default(), known.join(", "));
    };
    let feed = reader.read(|connection| publish::merge(connection, chosen))?;
    let site = Site { outputs: outputs.clone(), look: Look::from(config.serve.templates.as_deref())? };
    print(&String::from_utf8_lossy(&publish::render(&site, &feed, format).body))?;
    Ok(Exit::Done)
}
