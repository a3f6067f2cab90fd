//! Sending a notice to a service of the operator's choice.
//!
//! Edge. Since the operator names it, it may be a machine of the operator's own network. Its address may be a secret, and is
//! not repeated.

use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Method, StatusCode};
use url::Url;

use super::fields;
use crate::clock;
use crate::config::NotifyMethod;

/// How long the service may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// What is to be sent.
#[derive(Debug)]
pub struct Notice {
    /// Where to.
    pub url: Url,
    /// How.
    pub method: NotifyMethod,
    /// Request headers.
    pub headers: Vec<(String, String)>,
    /// What is said.
    pub body: String,
}

/// It was not sent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody answered.
    #[error("{0}")]
    Silent(String),
    /// The service cannot take it now.
    #[error("it answered {status}")]
    Busy {
        /// What it answered.
        status: StatusCode,
        /// For how long it asks not to be asked again.
        rest: Option<Duration>,
    },
    /// The service will not have it.
    #[error("it answered {0}, so this notice is given up; look at `url`, `headers` and `body`")]
    Refused(StatusCode),
    /// It cannot be said in a request.
    #[error("header `{0}` cannot stand in a request; this notice is given up")]
    Header(String),
}

/// Sends a notice.
///
/// # Errors
/// When the service cannot be reached or refuses.
pub async fn send(notice: Notice, user_agent: &str) -> Result<(), Error> {
    let silent = |error: reqwest::Error| Error::Silent(super::error::last_cause(&error.without_url()));
    let Notice { url, method, headers, body } = notice;
    let kind = if body.trim_start().starts_with('{') { "application/json" } else { "text/plain; charset=utf-8" };
    let mut sent = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(kind))]);
    for (name, value) in headers {
        let both = HeaderName::try_from(&name).ok().zip(HeaderValue::try_from(value).ok());
        let (key, mut value) = both.ok_or(Error::Header(name))?;
        value.set_sensitive(true);
        sent.insert(key, value);
    }
    let client = reqwest::Client::builder()
        .user_agent(user_agent)
        .timeout(TIMEOUT)
        .redirect(Policy::none())
        .no_proxy()
        .build()
        .map_err(silent)?;
    let method = match method {
        NotifyMethod::Post => Method::POST,
        NotifyMethod::Put => Method::PUT,
    };
    let answer = client.request(method, url).headers(sent).body(body).send().await.map_err(silent)?;
    let status = answer.status();
    let is_busy =
        status.is_server_error() || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    if status.is_success() {
        Ok(())
    } else if is_busy {
        let rest = fields::rest_asked_for(answer.headers(), clock::now());
        Err(Error::Busy { status, rest })
    } else {
        Err(Error::Refused(status))
    }
}
