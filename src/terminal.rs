//! The terminal, which the log and a progress bar share.
//!
//! Edge. A log line takes the bar away while it is written, so that neither is printed into the other.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The bar that is shown now.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Shows a bar of so many steps on a terminal, and nothing elsewhere, until it is dropped.
#[must_use]
pub fn bar(steps: usize) -> Bar {
    let is_terminal = std::io::stderr().is_terminal();
    let target = if is_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(steps as u64), target);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} feeds, {elapsed}  {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    *shown() = is_terminal.then(|| bar.clone());
    Bar(bar)
}

/// How many characters a line of standard output has room for; `None` when it is no terminal, and nothing is to be cut.
#[must_use]
pub fn width() -> Option<usize> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let asked = || terminal_size::terminal_size().map(|(terminal_size::Width(width), _)| usize::from(width));
    told.or_else(asked).filter(|width| *width >= 20)
}

/// Whether standard output shows colours.
#[must_use]
pub fn has_colours() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty())
}

/// A bar that is shown.
pub struct Bar(ProgressBar);

impl Bar {
    /// One step is done; `what` is what it was.
    pub fn step(&self, what: &str) {
        self.0.set_message(what.to_owned());
        self.0.inc(1);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
        *shown() = None;
    }
}

/// Where a log line goes: standard error, beside the bar. It is written as a whole when it is dropped.
#[must_use]
pub fn line() -> Line {
    Line(Vec::new())
}

/// A log line being written.
pub struct Line(Vec<u8>);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let bar = shown().clone();
        // A log that nobody can read any more is no reason to stop.
        let write = || drop(std::io::stderr().write_all(&self.0));
        match bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

fn shown() -> std::sync::MutexGuard<'static, Option<ProgressBar>> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}
