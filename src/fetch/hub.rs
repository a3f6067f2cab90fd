//! Telling a hub that a document of ours changed (WebSub §7).
//!
//! Edge. The hub is the operator's choice, so it may be a machine of the operator's own network.

use std::time::Duration;

use url::Url;
use url::form_urlencoded::Serializer;

/// How long the hub may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The hub was not told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It did not answer.
    #[error("{0}")]
    Silent(String),
    /// It would not have it.
    #[error("it answered {0}")]
    Refused(reqwest::StatusCode),
}

/// Tells the hub that the documents at these addresses changed.
///
/// # Errors
/// When the hub cannot be reached or refuses.
pub async fn tell(hub: &Url, changed: &[String], user_agent: &str) -> Result<(), Error> {
    let silent = |error: reqwest::Error| Error::Silent(last_cause(&error.without_url()));
    let client = reqwest::Client::builder()
        .user_agent(user_agent)
        .timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::limited(3))
        .no_proxy()
        .build()
        .map_err(silent)?;
    let addresses = changed.iter().map(|address| ("hub.url", address.as_str()));
    let form = Serializer::new(String::new()).append_pair("hub.mode", "publish").extend_pairs(addresses).finish();
    let request =
        client.post(hub.clone()).header(reqwest::header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
    let answer = request.send().await.map_err(silent)?;
    if answer.status().is_success() { Ok(()) } else { Err(Error::Refused(answer.status())) }
}

/// The innermost cause of an error, which is the one that people know: `Connection refused`.
fn last_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
