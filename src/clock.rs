//! The one place that reads the clock.
//!
//! Edge. Everyone else takes `now` as an argument, so that one poll sees one instant and a test can choose it.

use chrono::{DateTime, SubsecRound, Utc};

/// The present, in whole milliseconds as the store keeps it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the place the rule points to")]
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(3)
}

/// A monotonic instant, for measuring how long something took.
///
/// Follows tokio's clock, so a paused test measures the time that it lets pass.
#[must_use]
pub fn instant() -> tokio::time::Instant {
    tokio::time::Instant::now()
}
