//! How a command ends, where it prints to, and what it runs on.
//!
//! Edge: standard output.

use std::io::Write;
use std::time::Duration;

/// How many threads read documents and the store beside those that wait for the network.
const READERS: usize = 3;
/// How long such a thread of a command that ends waits for work. Each has a heap of its own, and where one does what comes one
/// after the other, as archives do, only its heap grows.
const IDLE_READER: Duration = Duration::from_millis(100);
/// In the daemon, where two documents are read, two pages rendered, the outputs rendered and their files written at a time, and
/// none of these may keep the others waiting. Threads that are not needed are not there.
const READERS_OF_THE_DAEMON: usize = 8;

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// It failed, and said why.
    Failed,
    /// The configuration has to change first (`EX_CONFIG` of sysexits): a service manager should not try again.
    Misconfigured,
}

impl Exit {
    /// The exit status.
    #[must_use]
    pub fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Misconfigured => 78,
        }
    }
}

/// For a command that ends: one thread waits for the network.
pub(super) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(READERS)
        .thread_keep_alive(IDLE_READER)
        .enable_all()
        .build()
}

/// For the daemon, which answers readers while it polls.
pub(super) fn runtime_of_the_daemon() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(READERS_OF_THE_DAEMON)
        .enable_all()
        .build()
}

/// Prints to standard output. A reader that went away, as `head` does, is no failure.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
