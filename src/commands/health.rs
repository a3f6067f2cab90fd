//! `newsfold health`: whether the daemon that runs is well, for containers and monitors.
//!
//! Edge: asks it.

use crate::commands::console::{Exit, print, runtime};
use crate::config::{Config, Listen, ServeConfig};
use crate::fetch::own;

pub(super) fn run(config: &Config) -> anyhow::Result<Exit> {
    let ServeConfig { listen, admin, .. } = &config.serve;
    let at = if *admin == Listen::Off { listen } else { admin };
    let (is_well, told) = runtime()?
        .block_on(own::ask(at, "/healthz"))
        .map_err(|why| anyhow::anyhow!("{why}; is newsfold running with {}?", config.file.display()))?;
    print(&format!("{}\n", told.trim_end()))?;
    Ok(if is_well { Exit::Done } else { Exit::Failed })
}
