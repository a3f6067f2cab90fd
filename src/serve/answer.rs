//! A request to an answer.
//!
//! Edge. GET and HEAD only, but for hubs that call.

use std::ops::RangeInclusive;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Version, header};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::json;

use super::negotiate::{choose, is_held};
use super::{Audience, Health, Pulse, Served, callback};
use crate::clock;
use crate::maintenance;
use crate::metrics::{self, Figures};
use crate::model::Feed;
use crate::publish::address::{Wanted, decoded};
use crate::publish::rendered::Rendered;
use crate::publish::{Found, Published, token};
use crate::store::{Policy, Result, feeds, retention};

/// What pages may do in a browser: show themselves and their style sheet, and a publisher's picture when a person opens it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' https: http:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// The shortest and the longest time that a reader may keep an answer without asking.
const SHORTEST_AGE: TimeDelta = TimeDelta::seconds(10);
const LONGEST_AGE: TimeDelta = TimeDelta::minutes(15);
/// How long it takes until what a poll brought is published, with room to spare.
const UNTIL_PUBLISHED: TimeDelta = TimeDelta::seconds(5);
/// How long a search waits for the index, which is made when it is first asked for.
const FOR_THE_INDEX: Duration = Duration::from_secs(8);

/// How long a search may take.
const LONGEST_SEARCH: Duration = Duration::from_secs(2);
/// How long a request waits for what a daemon that has just started renders first.
const FOR_THE_FIRST_RENDERING: Duration = Duration::from_secs(8);
/// How long a request waits for its turn to be rendered.
const FOR_A_PLACE: Duration = Duration::from_secs(5);

/// An answer, whole.
pub(super) type Response = http::Response<Full<Bytes>>;

/// How long what is sent may be kept.
#[derive(Clone, Copy)]
enum Age {
    /// Until the next poll can have changed it.
    UntilPolled,
    /// A day: an archive holds the same stories for good, but what it says of one follows the publisher's corrections.
    Archive,
    /// Not without asking.
    Asked,
}

pub(super) async fn answer(served: &Served, audience: Audience, request: Request<Incoming>) -> Response {
    let is_head = request.method() == Method::HEAD;
    let root = served.sources.published.borrow().root().unwrap_or(&served.sources.root).to_owned();
    let callback = below(&root, request.uri().path()).and_then(|path| path.strip_prefix(callback::PATH));
    let mut response = if !names_host(&request) {
        plain(StatusCode::BAD_REQUEST, "the request has to name one host\n")
    } else if let Some(callback) = callback.map(str::to_owned) {
        callback::answer(&served.sources.callbacks, &callback, request).await
    } else if matches!(*request.method(), Method::GET | Method::HEAD) {
        at(served, audience, &root, &request.map(drop)).await
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
    if is_head {
        let length = headers.get(header::CONTENT_LENGTH).cloned();
        *response.body_mut() = Full::default();
        if let Some(length) = length {
            response.headers_mut().insert(header::CONTENT_LENGTH, length);
        }
    }
    response
}

/// Whether a request says for which host it is, as RFC 9112 §3.2 has it: once, and in a form that can be one.
fn names_host<B>(request: &Request<B>) -> bool {
    let mut named = request.headers().get_all(header::HOST).iter();
    let is_host = |value: &HeaderValue| {
        let text = value.to_str().unwrap_or("@");
        text.is_empty() || (!text.contains('@') && text.parse::<Authority>().is_ok())
    };
    match (named.next(), named.next()) {
        (None, _) => request.version() < Version::HTTP_11,
        (Some(host), None) => is_host(host),
        (Some(_), Some(_)) => false,
    }
}

/// `root` is the path of the address that readers know us by, with a slash at its end.
async fn at(served: &Served, audience: Audience, root: &str, request: &Request<()>) -> Response {
    let Some(path) = below(root, request.uri().path()) else { return moved(root) };
    if audience == Audience::Readers && is_for_operators(path) && !shows_feeds(served) {
        return nothing();
    }
    match path {
        // Addresses for machines that watch over us.
        "/healthz" if audience == Audience::Readers && !shows_feeds(served) => {
            healthz(&served.sources.health.borrow(), false)
        }
        "/healthz" => healthz(&served.sources.health.borrow(), true),
        "/readyz" => readyz(&served.sources.health.borrow()),
        "/metrics" => metrics(served).await,
        _ => page(served, path, request).await,
    }
}

/// What stands below `root`: a reverse proxy may pass on the path that readers know, or only that. `None` for the root itself
/// without its slash.
fn below<'a>(root: &str, path: &'a str) -> Option<&'a str> {
    match path.strip_prefix(root.trim_end_matches('/')) {
        Some("") if root.len() > 1 => None,
        Some(below) if below.starts_with('/') => Some(below),
        _ => Some(path),
    }
}

async fn page(served: &Served, path: &str, request: &Request<()>) -> Response {
    let pulse = *served.sources.pulse.borrow();
    let published = first_rendered(served, path, request.uri().query(), pulse.polls).await;
    let Visit { published, path, is_refused } = visit(&published, path, request, pulse.polls);
    if is_refused {
        return unauthorised();
    }
    let (path, is_private) = (path.as_str(), published.is_private());
    let mut response = found_at(served, published, path, request, pulse).await;
    if is_private {
        keep_private(response.headers_mut());
    }
    response
}

/// What somebody sees, and where they look.
struct Visit {
    published: Published,
    path: String,
    /// Whether what is there is for those alone who give a password.
    is_refused: bool,
}

/// What somebody may see who asks for this path: by a token in it, by one that is given as a password, or as everybody.
fn visit(published: &Published, path: &str, request: &Request<()>, polls: u64) -> Visit {
    let of = |published: &Published, path: &str| Visit {
        published: published.clone(),
        path: path.to_owned(),
        is_refused: false,
    };
    let below = path.strip_prefix('/').and_then(|path| path.strip_prefix(token::BELOW)).unwrap_or_default();
    let (said, rest) = below.find('/').and_then(|end| below.split_at_checked(end)).unwrap_or((below, ""));
    if let Some(seen) = published.below_token(&decoded(said)) {
        return of(seen, rest);
    }
    let is_there =
        |seen: &&Published| !matches!(seen.find(path, request.uri().query(), polls), Found::Nothing | Found::Gone);
    let known = password(request.headers()).and_then(|said| published.by_password(&said).cloned());
    match known.as_ref().filter(is_there) {
        Some(seen) => of(seen, path),
        None => Visit { is_refused: published.asks_for_password(path), ..of(published, path) },
    }
}

/// The password of Basic authentication (RFC 7617), whatever the name that comes with it.
fn password(headers: &HeaderMap) -> Option<String> {
    let (scheme, said) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let said = BASE64_STANDARD.decode(said.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let said = String::from_utf8(said).ok()?;
    said.split_once(':').map(|(_, password)| password.to_owned())
}

fn unauthorised() -> Response {
    let mut refused = plain(StatusCode::UNAUTHORIZED, "this is for those who have its token\n");
    let headers = refused.headers_mut();
    headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"newsfold\", charset=\"UTF-8\""));
    keep_private(headers);
    refused
}

/// What only some may see is kept by no cache that others ask, read by no script of another site, and found by no search engine.
fn keep_private(headers: &mut HeaderMap) {
    let kept = headers.get(header::CACHE_CONTROL).and_then(|kept| kept.to_str().ok()).unwrap_or_default();
    let kept = match kept.strip_prefix("public") {
        Some(age) => format!("private{age}"),
        None if kept.is_empty() => "private, no-cache".to_owned(),
        None => format!("private, {kept}"),
    };
    put(headers, header::CACHE_CONTROL, &kept);
    headers.remove(header::ACCESS_CONTROL_ALLOW_ORIGIN);
    headers.insert(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex"));
}

async fn found_at(served: &Served, published: Published, path: &str, request: &Request<()>, pulse: Pulse) -> Response {
    let root = published.root().unwrap_or(&served.sources.root).to_owned();
    let age = match Wanted::at(path, request.uri().query()) {
        Some(Wanted::Archive(..)) => Age::Archive,
        Some(Wanted::Feeds(_) | Wanted::Feed(_) | Wanted::FeedData) => Age::Asked,
        Some(Wanted::Story(_) | Wanted::StoryData(_) | Wanted::Search { .. } | Wanted::Opml) | None => Age::UntilPolled,
    };
    let found = match published.find(path, request.uri().query(), pulse.polls) {
        Found::Askable(wanted) => {
            let is_search = matches!(wanted, Wanted::Search { .. });
            let rendered = async {
                if is_search {
                    index(served).await?;
                }
                let line = if is_search { &served.searching } else { &served.rendering };
                let Ok(_place) = tokio::time::timeout(FOR_A_PLACE, line.acquire()).await else {
                    return Ok(Err("too much is asked for at once; come again in a moment\n"));
                };
                let store = &served.sources.store;
                let read = move |connection: &_| published.render(connection, &wanted, pulse.polls);
                if is_search {
                    let found = store.read_within(LONGEST_SEARCH, read).await?;
                    return Ok(found.ok_or("this search takes too long; look for fewer or for longer words\n"));
                }
                store.read(read).await.map(Ok)
            };
            match rendered.await {
                Ok(Ok(found)) => found,
                Ok(Err(why)) => return later(why, "10"),
                Err(error) if error.policy() == Policy::Retry => {
                    tracing::warn!(name: "serve.page_failed", %error, "a page could not be rendered");
                    return later("the store cannot be read now; come again in a minute\n", "30");
                }
                Err(error) => {
                    tracing::error!(name: "serve.page_failed", %error, "a page could not be rendered");
                    return plain(
                        StatusCode::INTERNAL_SERVER_ERROR,
                        "the page cannot be shown now; the log says why\n",
                    );
                }
            }
        }
        found => found,
    };
    match found {
        Found::Ready(page) => send(page, request.headers(), age, pulse).await,
        Found::Moved(to) => moved(&format!("{}{to}", root.trim_end_matches('/'))),
        Found::Gone => plain(StatusCode::GONE, "this feed is not published any more\n"),
        Found::NotIndexed => {
            later("the stories are being indexed for the first search; come again in a minute\n", "30")
        }
        Found::NotRendered => later("this is being rendered for the first time; come again in a minute\n", "30"),
        Found::Nothing | Found::Askable(_) => nothing(),
    }
}

fn nothing() -> Response {
    plain(StatusCode::NOT_FOUND, "there is nothing here; the merged feed is linked from /\n")
}

/// Whether what is at a path is nobody's but the operator's.
fn is_for_operators(path: &str) -> bool {
    matches!(path, "/readyz" | "/metrics") || matches!(Wanted::at(path, None), Some(Wanted::Feeds(_) | Wanted::Feed(_)))
}

/// Whether operators look where readers do.
fn shows_feeds(served: &Served) -> bool {
    served.sources.published.borrow().shows_feeds().unwrap_or(served.sources.shows_feeds)
}

/// What is published. A reader that comes while the daemon starts waits for what it asks for, as long as that is bearable.
async fn first_rendered(served: &Served, path: &str, query: Option<&str>, polls: u64) -> Published {
    let mut published = served.sources.published.clone();
    let is_rendered = |published: &Published| !matches!(published.find(path, query, polls), Found::NotRendered);
    // Who waited in vain is told to come again.
    let _ = tokio::time::timeout(FOR_THE_FIRST_RENDERING, published.wait_for(is_rendered)).await;
    published.borrow().clone()
}

/// The word that this cannot be answered now, and in how many seconds it may be.
fn later(text: &'static str, seconds: &'static str) -> Response {
    let mut later = plain(StatusCode::SERVICE_UNAVAILABLE, text);
    later.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
    later
}

/// Fills the index of words, for as long as a person waits.
async fn index(served: &Served) -> Result<()> {
    let fill = async {
        let _alone = served.indexing.lock().await;
        maintenance::index(&served.sources.store, usize::MAX).await
    };
    tokio::time::timeout(FOR_THE_INDEX, fill).await.map_or(Ok(()), |filled| filled.map(drop))
}

/// Whether all is well. What is wrong, and how many feeds there are, is for operators: it names what may be private.
fn healthz(health: &Health, is_for_operators: bool) -> Response {
    let (status, word) = match health.reasons.is_empty() {
        true => (StatusCode::OK, "ok"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "failing"),
    };
    let Health { reasons, warnings, feeds, failing, .. } = health;
    let body = match is_for_operators {
        true => {
            json!({ "status": word, "reasons": reasons, "warnings": warnings, "feeds": feeds, "failing": failing })
        }
        false => json!({ "status": word }),
    };
    let mut response = Response::new(Full::from(format!("{body}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Whether new readers should be sent here.
fn readyz(health: &Health) -> Response {
    let mut response = match health {
        Health { is_stopping: true, .. } => plain(StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
        Health { reasons, .. } if !reasons.is_empty() => {
            plain(StatusCode::SERVICE_UNAVAILABLE, "not ready; /healthz says why\n")
        }
        _ => plain(StatusCode::OK, "ready\n"),
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn metrics(served: &Served) -> Response {
    let sources = &served.sources;
    let (counters, started) = (sources.counters.borrow().clone(), sources.started);
    let (damaged_texts, damaged_entries) = {
        let published = sources.published.borrow();
        (published.damaged().len(), published.damaged_entries().len())
    };
    let store_longest_work = sources.store.longest_work();
    let (polls_waiting, store_queue_bytes) = (sources.pulse.borrow().waiting, sources.store.queued_bytes());
    let figures = sources.store.read(move |connection| {
        let counts = feeds::entry_counts(connection)?;
        let count = |feed: Feed| {
            let entries = counts.get(&feed.feed).copied().unwrap_or(0);
            (feed, entries)
        };
        let (used, free) = retention::room(connection)?;
        Ok(Figures {
            counters,
            started,
            feeds: feeds::configured(connection)?.into_iter().map(count).collect(),
            store_bytes: used + free,
            log_bytes: crate::store::log_bytes(connection),
            damaged_texts,
            damaged_entries,
            polls_waiting,
            store_queue_bytes,
            store_longest_work,
        })
    });
    let figures = match figures.await {
        Ok(figures) => figures,
        Err(error) => {
            tracing::error!(name: "serve.metrics_failed", %error, "the metrics could not be read");
            return plain(StatusCode::INTERNAL_SERVER_ERROR, "the store cannot be read now; the log says why\n");
        }
    };
    let mut response = Response::new(Full::from(metrics::render(&figures)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(metrics::MEDIA_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The seconds since 1970 that an HTTP date can say here: those from then on, in years of four digits.
const EXPRESSIBLE: RangeInclusive<i64> = 0..=253_402_300_799;

/// A document, or the word that the reader has it.
async fn send(page: std::sync::Arc<Rendered>, asked: &HeaderMap, age: Age, pulse: Pulse) -> Response {
    let accepted: Vec<&str> =
        asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).collect();
    let coding = choose(&accepted.join(","));
    // Each coding is a representation of its own, and a strong entity tag names one of them (RFC 9110 §8.8.3.3).
    let etag = match coding {
        Some(coding) => format!("\"{}-{}\"", page.etag(), coding.name()),
        None => format!("\"{}\"", page.etag()),
    };
    let mut response = if is_held(&page, asked) {
        let mut unchanged = Response::new(Full::default());
        *unchanged.status_mut() = StatusCode::NOT_MODIFIED;
        unchanged
    } else {
        let body: Bytes = match coding.map(|coding| (coding, page.ready(coding))) {
            None => page.body.clone(),
            Some((_, Some(ready))) => ready,
            Some((coding, None)) => {
                let packing = page.clone();
                let packed = tokio::task::spawn_blocking(move || packing.packed(coding)).await;
                packed.unwrap_or_else(|_| page.packed(coding))
            }
        };
        let length = body.len();
        let mut full = Response::new(Full::from(body));
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
    // Feeds and lists may be read by scripts of other sites, as they may by any program.
    if !page.media_type.starts_with("text/html") {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    put(headers, header::CACHE_CONTROL, &kept_for(age, pulse.next_poll, clock::now()));
    put(headers, header::ETAG, &etag);
    if let Some(links) = &page.links {
        put(headers, header::LINK, links);
    }
    if let Some(at) = page.last_modified.filter(|at| EXPRESSIBLE.contains(&at.timestamp())) {
        put(headers, header::LAST_MODIFIED, &httpdate::fmt_http_date(at.into()));
    }
    response
}

/// `Cache-Control`: nothing changes before the next poll, so nobody needs to ask before.
fn kept_for(age: Age, next_poll: Option<DateTime<Utc>>, now: DateTime<Utc>) -> String {
    match age {
        Age::UntilPolled => {
            let wait = next_poll.map_or(LONGEST_AGE, |next| next - now + UNTIL_PUBLISHED);
            format!("public, max-age={}", wait.clamp(SHORTEST_AGE, LONGEST_AGE).num_seconds())
        }
        Age::Archive => "public, max-age=86400".to_owned(),
        Age::Asked => "no-cache".to_owned(),
    }
}

fn moved(to: &str) -> Response {
    let mut response = plain(StatusCode::MOVED_PERMANENTLY, "it is elsewhere now\n");
    put(response.headers_mut(), header::LOCATION, to);
    put(response.headers_mut(), header::CACHE_CONTROL, "public, max-age=3600");
    response
}

pub(super) fn plain(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

pub(super) fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_one_host() {
        let check = |hosts: &[&str], version: Version, expected: bool| {
            let mut request = Request::builder().version(version);
            for host in hosts {
                request = request.header(header::HOST, *host);
            }
            assert_eq!(names_host(&request.body(()).unwrap()), expected, "{hosts:?} {version:?}");
        };
        for host in ["a", "news.example:8080", "127.0.0.1", "[::1]:80", ""] {
            check(&[host], Version::HTTP_11, true);
        }
        check(&[], Version::HTTP_10, true);
        check(&[], Version::HTTP_11, false);
        check(&["a", "a"], Version::HTTP_10, false);
        for host in ["a b", "a/b", "me@a", "a:b:c", "[::1"] {
            check(&[host], Version::HTTP_11, false);
        }
    }

    #[test]
    fn an_answer_is_kept_until_the_next_poll_can_have_changed_it() {
        let now: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        let check = |next: Option<&str>, expected| {
            let next = next.map(|next| next.parse().unwrap());
            assert_eq!(kept_for(Age::UntilPolled, next, now), format!("public, max-age={expected}"));
        };
        check(Some("2026-01-01T00:05:00Z"), 305);
        check(Some("2025-12-31T23:00:00Z"), 10);
        check(Some("2026-01-02T00:00:00Z"), 900);
        check(None, 900);
    }
}
