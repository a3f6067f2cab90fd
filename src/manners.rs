//! What all polls together owe to the servers they ask.
//!
//! Edge: locks and waiting; the rules themselves are pure and stand in the modules below. It outlives a reload, because
//! what a server asked for holds whatever the configuration says.

pub mod domain;
pub mod gates;
pub mod holds;
pub mod limiter;
pub mod uplink;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gates::Gates;
use holds::Holds;
use uplink::Uplinks;

/// Shared by everything that asks. Clones are the same.
#[derive(Clone, Default)]
pub struct Manners {
    holds: Arc<Mutex<Holds>>,
    uplinks: Arc<Mutex<Uplinks>>,
    gates: Gates,
}

impl Manners {
    /// Which servers asked to be left alone, and until when.
    pub fn holds(&self) -> MutexGuard<'_, Holds> {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether our own network is there.
    pub fn uplinks(&self) -> MutexGuard<'_, Uplinks> {
        self.uplinks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who may ask which host now.
    #[must_use]
    pub fn gates(&self) -> &Gates {
        &self.gates
    }
}
