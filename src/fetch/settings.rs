//! How feeds are asked, all of them.
//!
//! Pure: as configured, and what resolves names.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::names::{LookUp, SystemNames};
use crate::config::Config;

/// How to ask, for all feeds.
#[derive(Clone)]
pub struct Settings {
    /// Who we say we are.
    pub user_agent: String,
    /// How long one poll may take in all, redirects and body included.
    pub timeout: Duration,
    /// The largest document, after unpacking.
    pub max_body_bytes: u64,
    /// Requests at a time to one host.
    pub per_host: usize,
    /// The pause between two requests to one host.
    pub per_host_gap: Duration,
    /// Networks that are not the public internet and may be asked all the same.
    pub allow_networks: Vec<IpNet>,
    /// What resolves names.
    pub look_up: Arc<dyn LookUp>,
}

impl Settings {
    /// As configured.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let poll = &config.poll;
        Self {
            user_agent: poll.user_agent.clone(),
            timeout: poll.timeout,
            max_body_bytes: poll.max_body_bytes,
            per_host: poll.per_host,
            per_host_gap: poll.per_host_gap,
            allow_networks: poll.allow_networks.clone(),
            look_up: Arc::new(SystemNames::default()),
        }
    }
}
