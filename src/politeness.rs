//! What all polls together owe to the servers they ask.
//!
//! Edge: locks and waiting; the rules themselves are pure and stand in the modules below. It outlives a reload, because
//! what a server asked for holds whatever the configuration says.

pub mod connectivity;
pub mod cooldowns;
pub mod host_limiter;
pub mod limiter;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use connectivity::Uplinks;
use cooldowns::Cooldowns;
use host_limiter::HostLimiter;

/// Shared by everything that asks. Clones are the same.
#[derive(Clone, Default)]
pub struct Politeness {
    cooldowns: Arc<Mutex<Cooldowns>>,
    uplinks: Arc<Mutex<Uplinks>>,
    host_limiter: HostLimiter,
}

impl Politeness {
    /// Which servers asked to be left alone, and until when.
    pub fn cooldowns(&self) -> MutexGuard<'_, Cooldowns> {
        self.cooldowns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether our own network is there.
    pub fn uplinks(&self) -> MutexGuard<'_, Uplinks> {
        self.uplinks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who may ask which host now.
    #[must_use]
    pub fn host_limiter(&self) -> &HostLimiter {
        &self.host_limiter
    }
}
