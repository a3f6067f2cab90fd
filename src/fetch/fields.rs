//! Header fields as text.
//!
//! Edge in form only: they are those of the client that asks.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{self, HeaderMap, HeaderName};

use super::freshness;

/// Each field of this name as text: UTF-8 as far as it is, which is what servers mean by bytes that no header may hold.
pub(super) fn all_text(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
}

/// A field as text; several of one name are joined, as RFC 9110 §5.3 has it.
pub(super) fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values = all_text(headers, name);
    (!values.is_empty()).then(|| values.join(", "))
}

/// How long an answer asks us to stay away, by its own fields (RFC 9110 §10.2.3).
pub(super) fn rest_asked_for(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let [value, date] = [header::RETRY_AFTER, header::DATE].map(|name| text(headers, &name));
    freshness::retry_after(&value?, date.as_deref(), now)?.to_std().ok()
}
