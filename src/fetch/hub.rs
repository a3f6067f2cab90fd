//! Telling a hub that a document of ours changed (WebSub §7).
//!
//! Edge. The hub is the operator's choice, so it may be a machine of the operator's own network.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::redirect::Policy;
use url::Url;
use url::form_urlencoded::Serializer;

use super::fields;
use crate::clock;

/// The most redirects that are followed.
const MOST_HOPS: usize = 3;
/// How long the hub may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The hub was not told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It did not answer.
    #[error("{0}")]
    Silent(String),
    /// It would not have it.
    #[error("it answered {status}")]
    Refused {
        /// What it answered.
        status: StatusCode,
        /// For how long it asks not to be told anything.
        rest: Option<Duration>,
    },
    /// It is elsewhere, and what was said to it would not have been said there.
    #[error(
        "it answered {0}, which turns what is sent there into a question; write the address where it is now as `serve.hub`"
    )]
    Moved(StatusCode),
}

impl Error {
    /// For how long the hub asks not to be told anything.
    #[must_use]
    pub fn rest(&self) -> Option<Duration> {
        match self {
            Self::Refused { rest, .. } => *rest,
            Self::Silent(_) | Self::Moved(_) => None,
        }
    }
}

/// Tells the hub that the document at this address changed. Redirects that keep what is sent are followed (307, 308).
///
/// Some hubs want to know it as `hub.url` and others as `hub.topic`; each takes what it knows.
///
/// # Errors
/// When the hub cannot be reached or refuses.
pub async fn tell(hub: &Url, document: &str, user_agent: &str) -> Result<(), Error> {
    let silent = |error: reqwest::Error| Error::Silent(super::error::last_cause(&error.without_url()));
    let client = reqwest::Client::builder()
        .user_agent(user_agent)
        .timeout(TIMEOUT)
        .redirect(Policy::custom(|redirect| match redirect.status() {
            _ if redirect.previous().len() > MOST_HOPS => redirect.error("its redirects do not end"),
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => redirect.follow(),
            _ => redirect.stop(),
        }))
        .no_proxy()
        .build()
        .map_err(silent)?;
    let form = Serializer::new(String::new())
        .append_pair("hub.mode", "publish")
        .append_pair("hub.url", document)
        .append_pair("hub.topic", document)
        .finish();
    let request =
        client.post(hub.clone()).header(reqwest::header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
    let answer = request.send().await.map_err(silent)?;
    match answer.status() {
        status if status.is_success() => Ok(()),
        status if status.is_redirection() => Err(Error::Moved(status)),
        status => Err(Error::Refused { status, rest: fields::rest_asked_for(answer.headers(), clock::now()) }),
    }
}
