//! How times are stored.
//!
//! Pure.

use chrono::{DateTime, Utc};

/// Milliseconds since 1970, as every time is stored.
#[must_use]
pub fn millis(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis()
}

/// The instant stored as `millis`.
#[must_use]
pub fn instant(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::UNIX_EPOCH)
}
