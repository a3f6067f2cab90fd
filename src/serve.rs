//! The HTTP server: what was published, from memory.
//!
//! Edge. What is asked for often is ready; what is asked for now and then is rendered on a thread of its own and kept until
//! something changes. A request that brings our entity tag back costs a comparison.
//!
//! | step | module |
//! | --- | --- |
//! | an address to stand ready at | `listener` |
//! | connections, and how patient we are with them | `connection` |
//! | a request to an answer | `answer`, and `callback` for hubs |
//! | what the reader holds, and how it is sent | `negotiate` |

mod answer;
mod callback;
mod connection;
mod listener;
mod negotiate;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::{Mutex, Semaphore, watch};
use tokio_util::sync::CancellationToken;

pub use listener::{ListenError, Listener, listen};

use crate::metrics::Counters;
use crate::publish::Published;
use crate::store::Store;
use crate::websub::callback::CallbackHandler;

/// How many pages are rendered at a time.
const RENDERING: usize = 2;
/// How many searches are made at a time. They take longest, and stand in a line of their own.
const SEARCHING: usize = 1;

/// What `/healthz` tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// What is wrong, for a person; empty when all is well.
    pub reasons: Vec<String>,
    /// What somebody should see to while all is served, for a person.
    pub warnings: Vec<String>,
    /// How many feeds are polled.
    pub feeds: usize,
    /// How many of them failed the last time.
    pub failing: usize,
    /// Whether the daemon is about to end: it still answers, and takes nothing new on.
    pub is_stopping: bool,
}

/// How far the polls are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pulse {
    /// How many are done.
    pub polls: u64,
    /// When the next one is due: until then nothing changes.
    pub next_poll: Option<DateTime<Utc>>,
    /// How many are in line or under way.
    pub waiting: usize,
}

/// What is served, as the daemon keeps it up.
#[derive(Clone)]
pub struct Sources {
    /// The documents; replaced as a whole whenever something changed.
    pub published: watch::Receiver<Published>,
    /// Whether all is well.
    pub health: watch::Receiver<Health>,
    /// How far the polls are.
    pub pulse: watch::Receiver<Pulse>,
    /// What was counted since the start.
    pub counters: watch::Receiver<Counters>,
    /// When the daemon started.
    pub started: DateTime<Utc>,
    /// Where the other pages come from.
    pub store: Store,
    /// What listens to hubs.
    pub callbacks: CallbackHandler,
    /// The path of the address that readers know us by, with a slash at its end, until something is published, which says it.
    pub root: String,
}

/// What every connection shares.
struct Served {
    sources: Sources,
    rendering: Semaphore,
    searching: Semaphore,
    /// Held by whoever fills the index of words.
    indexing: Mutex<()>,
}

/// Serves until `stop` is cancelled, then finishes the answers under way.
pub async fn serve(listener: Arc<Listener>, sources: Sources, stop: CancellationToken) {
    let (rendering, searching) = (Semaphore::new(RENDERING), Semaphore::new(SEARCHING));
    let served = Served { sources, rendering, searching, indexing: Mutex::default() };
    connection::serve(listener, Arc::new(served), stop).await;
}
