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
mod operators;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::{Mutex, Semaphore, watch};
use tokio_util::sync::CancellationToken;

pub(crate) use listener::{ListenError, Listener, listen, listen_for_operators};
pub(crate) use operators::OperatorsPages;

use crate::config::ServeConfig;
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
pub(crate) struct Health {
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
pub(crate) struct Pulse {
    /// How many are done.
    pub polls: u64,
    /// When the next one is due: until then nothing changes.
    pub next_poll: Option<DateTime<Utc>>,
    /// How many are in line or under way.
    pub waiting: usize,
}

/// What is served, as the daemon keeps it up.
#[derive(Clone)]
pub(crate) struct Sources {
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
    /// Whether operators' pages are where readers look, until something is published, which says it.
    pub shows_feeds: bool,
}

/// Where the server stands ready.
#[derive(Clone)]
pub(crate) struct Listeners {
    /// For readers.
    pub readers: Option<Arc<Listener>>,
    /// For operators, where that is another address.
    pub operators: Option<Arc<Listener>>,
}

impl Listeners {
    /// Takes all addresses.
    ///
    /// # Errors
    /// When one of them is taken, or not ours to take.
    pub(crate) async fn take(serve: &ServeConfig) -> Result<Self, ListenError> {
        let (readers, operators) = (listen(serve).await?, listen_for_operators(serve).await?);
        Ok(Self { readers: readers.map(Arc::new), operators: operators.map(Arc::new) })
    }

    /// Whether nothing is served.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.readers.is_none() && self.operators.is_none()
    }

    /// Where operators' pages are under this configuration.
    #[must_use]
    pub(crate) fn operators_pages(&self, serve: &ServeConfig) -> OperatorsPages {
        match &self.readers {
            Some(readers) => OperatorsPages::of(serve, readers.is_local()),
            None => OperatorsPages::configured(serve),
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audience {
    Readers,
    Operators,
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
pub(crate) async fn serve(listeners: Listeners, sources: Sources, stop: CancellationToken) {
    let (rendering, searching) = (Semaphore::new(RENDERING), Semaphore::new(SEARCHING));
    let served = Served { sources, rendering, searching, indexing: Mutex::default() };
    let served = Arc::new(served);
    let at = async |listener: Option<Arc<Listener>>, audience| {
        if let Some(listener) = listener {
            connection::serve(listener, audience, served.clone(), stop.clone()).await;
        }
    };
    tokio::join!(at(listeners.readers, Audience::Readers), at(listeners.operators, Audience::Operators));
}
