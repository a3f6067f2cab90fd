//! `newsfold health`: whether the daemon that runs is well, for containers and monitors.
//!
//! Edge: asks it.

use crate::commands::console::{Exit, print, runtime};
use crate::config::{Config, Listen, ServeConfig};
use crate::fetch::own;

pub(super) fn run(config: &Config) -> anyhow::Result<Exit> {
    let ServeConfig { listen, admin, .. } = &config.serve;
    let ask = async |at: &Listen| own::ask(at, "/healthz").await;
    let asked = async {
        match admin {
            Listen::Off => ask(listen).await,
            // A daemon that was started before `serve.admin` was written down answers where readers look.
            admin => match ask(admin).await {
                Err(why) if *listen != Listen::Off => ask(listen).await.map_err(|_| why),
                asked => asked,
            },
        }
    };
    let (is_well, told) = runtime()?
        .block_on(asked)
        .map_err(|why| anyhow::anyhow!("{why}; is newsfold running with {}?", config.file.display()))?;
    print(&format!("{}\n", told.trim_end()))?;
    Ok(if is_well { Exit::Done } else { Exit::Failed })
}
