//! Header fields as text.
//!
//! Edge in form only: they are those of the client that asks.

use reqwest::header::{HeaderMap, HeaderName};

/// Each field of this name as text: UTF-8 as far as it is, which is what servers mean by bytes that no header may hold.
pub(super) fn all_text(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
}

/// The values of a field as one, with commas between them where it came more than once.
pub(super) fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values = all_text(headers, name);
    (!values.is_empty()).then(|| values.join(", "))
}
