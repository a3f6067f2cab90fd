//! The HTTP server: what was published, from memory.
//!
//! Edge. Nothing is rendered here. GET and HEAD only; a request that brings our entity tag back costs a comparison.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde_json::json;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::Listen;
use crate::publish::{Coding, Page, Published};

/// What pages may do in a browser: show themselves and their style sheet.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// How long a reader may keep an answer without asking.
const CACHE_CONTROL: &str = "public, max-age=60";

/// What `/healthz` tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// What is wrong, for a person; empty when all is well.
    pub reasons: Vec<String>,
    /// How many feeds are polled.
    pub feeds: usize,
    /// How many of them failed the last time.
    pub failing: usize,
}

/// Where the server stands ready.
pub enum Listener {
    /// An address of the network.
    Tcp(TcpListener),
    /// A socket in the file system.
    Unix(UnixListener, PathBuf),
}

/// The address could not be taken.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen on {address}: {error}; is another newsfold running, or another program on that address? change `serve.listen`"
)]
pub struct ListenError {
    address: String,
    error: std::io::Error,
}

/// Takes the configured address; `None` when nothing is to be served.
///
/// # Errors
/// When it is taken, or not ours to take.
pub async fn listen(at: &Listen) -> Result<Option<Listener>, ListenError> {
    match at {
        Listen::Off => Ok(None),
        Listen::Tcp(address) => {
            let taken = TcpListener::bind(address).await;
            taken
                .map(|listener| Some(Listener::Tcp(listener)))
                .map_err(|error| ListenError { address: address.to_string(), error })
        }
        Listen::Unix(path) => {
            // The socket of a daemon that was killed is still there, and nobody answers on it.
            if tokio::net::UnixStream::connect(path)
                .await
                .is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
            {
                let _ = std::fs::remove_file(path);
            }
            let taken = UnixListener::bind(path);
            taken
                .map(|listener| Some(Listener::Unix(listener, path.clone())))
                .map_err(|error| ListenError { address: format!("unix:{}", path.display()), error })
        }
    }
}

impl Listener {
    /// The address that was taken, as it is told to people.
    #[must_use]
    pub fn address(&self) -> String {
        match self {
            Self::Tcp(listener) => listener.local_addr().map_or_else(|_| "?".to_owned(), |address| address.to_string()),
            Self::Unix(_, path) => format!("unix:{}", path.display()),
        }
    }
}

/// What is served: replaced as a whole whenever something changed.
#[derive(Clone)]
struct Served {
    published: watch::Receiver<Published>,
    health: watch::Receiver<Health>,
}

/// Serves until `stop` is cancelled, then finishes the answers under way.
pub async fn serve(
    listener: Listener,
    published: watch::Receiver<Published>,
    health: watch::Receiver<Health>,
    stop: CancellationToken,
) {
    let app = Router::new().fallback(answer).with_state(Arc::new(Served { published, health }));
    let stopped = async move { stop.cancelled().await };
    let ended = match listener {
        Listener::Tcp(listener) => axum::serve(listener, app).with_graceful_shutdown(stopped).await,
        Listener::Unix(listener, path) => {
            let ended = axum::serve(listener, app).with_graceful_shutdown(stopped).await;
            let _ = std::fs::remove_file(path);
            ended
        }
    };
    if let Err(error) = ended {
        tracing::error!(%error, "the server ended");
    }
}

async fn answer(State(served): State<Arc<Served>>, request: Request) -> Response {
    let mut response = if matches!(*request.method(), Method::GET | Method::HEAD) {
        found(&served, &request)
    } else {
        let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are served here\n");
        refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        refused
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if request.method() == Method::HEAD {
        let length = headers.get(header::CONTENT_LENGTH).cloned();
        *response.body_mut() = Body::empty();
        if let Some(length) = length {
            response.headers_mut().insert(header::CONTENT_LENGTH, length);
        }
    }
    response
}

fn found(served: &Served, request: &Request) -> Response {
    let path = request.uri().path();
    if path == "/healthz" {
        return healthz(&served.health.borrow());
    }
    let published = served.published.borrow();
    match published.get(path) {
        Some(page) => send(page, request.headers()),
        None => plain(StatusCode::NOT_FOUND, "there is nothing here; the merged feed is linked from /\n"),
    }
}

fn healthz(health: &Health) -> Response {
    let status = if health.reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({ "status": if health.reasons.is_empty() { "ok" } else { "failing" }, "reasons": health.reasons, "feeds": health.feeds, "failing": health.failing });
    let mut response = Response::new(Body::from(format!("{body}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A page, or the word that the reader has it.
fn send(page: &Page, asked: &HeaderMap) -> Response {
    let coding =
        choose(asked.get(header::ACCEPT_ENCODING).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default());
    // Each coding is a representation of its own, and a strong entity tag names one of them (RFC 9110 §8.8.3.3).
    let etag = match coding {
        Some(coding) => format!("\"{}-{}\"", page.etag, coding.name()),
        None => format!("\"{}\"", page.etag),
    };
    let mut response = if is_held(page, asked) {
        let mut unchanged = Response::new(Body::empty());
        *unchanged.status_mut() = StatusCode::NOT_MODIFIED;
        unchanged
    } else {
        let body = coding.map_or_else(|| page.body.clone(), |coding| page.packed(coding).to_vec());
        let length = body.len();
        let mut full = Response::new(Body::from(body));
        let headers = full.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(page.media_type));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        if let Some(coding) = coding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        }
        full
    };
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHE_CONTROL));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    if let Some(date) = page.last_modified.and_then(|at| HeaderValue::from_str(&http_date(at)).ok()) {
        headers.insert(header::LAST_MODIFIED, date);
    }
    response
}

/// Whether the reader holds this page, in whatever coding (RFC 9110 §13.1.2, §13.1.3): entity tags first, and the date only
/// when there are none.
fn is_held(page: &Page, asked: &HeaderMap) -> bool {
    let mut tags = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).peekable();
    if tags.peek().is_some() {
        return tags.flat_map(|list| list.split(',')).any(|tag| {
            let tag = tag.trim();
            let bare = tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"');
            tag == "*" || bare.split('-').next() == Some(&page.etag)
        });
    }
    let since = asked
        .get(header::IF_MODIFIED_SINCE)
        .and_then(|since| since.to_str().ok())
        .and_then(|since| httpdate::parse_http_date(since).ok());
    match (since, page.last_modified) {
        (Some(since), Some(modified)) => modified.timestamp() <= DateTime::<Utc>::from(since).timestamp(),
        _ => false,
    }
}

/// The coding to answer in, by an `Accept-Encoding` field (RFC 9110 §12.5.3): the reader's wish, then ours.
fn choose(accepted: &str) -> Option<Coding> {
    let weight_of = |name: &str| {
        let weight = |entry: &str| {
            let weight = entry.split(';').nth(1).and_then(|weight| weight.trim().strip_prefix("q=")).unwrap_or("1");
            weight.trim().parse::<f32>().unwrap_or(0.0)
        };
        let entry = |wanted: &str| {
            accepted
                .split(',')
                .find(|entry| entry.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted))
        };
        entry(name).or_else(|| entry("*")).map_or(0.0, weight)
    };
    let mut best = None;
    for coding in Coding::ALL {
        let weight = weight_of(coding.name());
        if weight > best.map_or(0.0, |(_, weight)| weight) {
            best = Some((coding, weight));
        }
    }
    best.map(|(coding, _)| coding)
}

fn http_date(at: DateTime<Utc>) -> String {
    httpdate::fmt_http_date(at.into())
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accepted: &str, expected: Option<Coding>) {
        assert_eq!(choose(accepted), expected, "{accepted}");
    }

    #[test]
    fn the_readers_wish_comes_before_ours() {
        check("gzip, deflate, br", Some(Coding::Brotli));
        check("gzip", Some(Coding::Gzip));
        check("gzip;q=1.0, br;q=0.5", Some(Coding::Gzip));
        check("br;q=0, *", Some(Coding::Zstd));
        check("identity", None);
        check("", None);
        check("gzip;q=nonsense", None);
    }
}
