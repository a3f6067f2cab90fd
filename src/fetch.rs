//! One conditional GET.
//!
//! Edge. Gives the bytes of a document as they were received, or says why there are none; reading them is `parse`'s work, and
//! what an answer means for the next poll is `schedule`'s. Redirects are followed here, hop by hop, because a permanent one
//! moves the feed and a temporary one does not, and because each hop's address has to be checked.

pub mod address;
pub mod decode;
pub mod freshness;
pub mod hub;

use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ipnet::IpNet;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{StatusCode, redirect};
use url::{Host, Url};
use xxhash_rust::xxh3::xxh3_64;

use crate::clock;
use crate::config::Config;
use crate::model::Validators;

/// What we can read, best first. Atom and RSS by their own names, then as what they are often mislabelled.
const ACCEPT: &str = "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, application/xml;q=0.8, text/xml;q=0.8, */*;q=0.1";
/// Gzip first: every server that compresses at all has it ready.
const ACCEPT_ENCODING: &str = "gzip, br, zstd, deflate";
/// A longer chain is a loop, or somebody's joke (POLLING rule 19).
const MOST_HOPS: usize = 10;
/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection is kept for the next feed of the same host, after the pause that is made between the two.
const IDLE_TIMEOUT: Duration = Duration::from_millis(500);

/// How to ask, for all feeds.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who we say we are.
    pub user_agent: String,
    /// How long one poll may take in all, redirects and body included.
    pub timeout: Duration,
    /// The largest document, after unpacking.
    pub max_body_bytes: u64,
    /// The pause between two requests to one host.
    pub per_host_gap: Duration,
    /// Networks that are not the public internet and may be asked all the same.
    pub allow_networks: Vec<IpNet>,
}

impl Settings {
    /// As configured.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let poll = &config.poll;
        Self {
            user_agent: poll.user_agent.clone(),
            timeout: poll.timeout,
            max_body_bytes: poll.max_body_bytes,
            per_host_gap: poll.per_host_gap,
            allow_networks: poll.allow_networks.clone(),
        }
    }
}

/// What a GET came to.
#[derive(Debug)]
pub enum Fetched {
    /// What we hold is what they have.
    NotModified(Reply),
    /// A document, whether or not it is the one we hold.
    Document(Document, Reply),
    /// The feed is gone for good, says its server (RFC 9110 §15.5.11).
    Gone,
}

/// A body as received.
#[derive(Debug)]
pub struct Document {
    /// The bytes as they came, still coded.
    pub body: Vec<u8>,
    /// `Content-Encoding`, empty when there is none.
    pub coding: String,
    /// `Content-Type`, where it is text at all.
    pub content_type: Option<String>,
    /// Of `body`.
    pub hash: i64,
    /// Where it came from, after all redirects.
    pub address: Url,
}

/// What an answer says besides its body.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// The validators of this answer; absent ones are absent.
    pub validators: Validators,
    /// How long it stays fresh by its headers.
    pub fresh_for: Option<Duration>,
    /// Where the permanent redirects at the beginning of the chain led.
    pub moved_to: Option<Url>,
    /// Whether it came with a document, so that its validators vouch for that.
    pub is_full: bool,
    /// From sending the request to the end of the body.
    pub took: Duration,
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The answer's status is not one that carries a feed.
    #[error("answered {0}{hint}", hint = hint(*.0))]
    Status(StatusCode, Option<TimeDelta>),
    /// The address is none that may be asked.
    #[error("{0} is {1}, which is refused; list its network in `poll.allow_networks` if the feed belongs there")]
    Refused(String, &'static str),
    /// The name leads nowhere.
    #[error("the name {0} cannot be resolved")]
    Name(String),
    /// No connection, or a broken one.
    #[error("{0}")]
    Connection(String),
    /// It took too long.
    #[error("no complete answer within {0}s")]
    Timeout(u64),
    /// The body is too large, as announced or as it came.
    #[error("the document is larger than {0} bytes; raise `poll.max_body` if it should be read")]
    TooLarge(u64),
    /// A redirect that cannot be followed.
    #[error("a redirect {0}")]
    Redirect(String),
    /// A conditional answer to an unconditional question.
    #[error("answered 304 Not Modified although nothing was held")]
    NothingHeld,
    /// A `file:` feed that cannot be read.
    #[error("the file cannot be read: {0}")]
    File(std::io::Error),
    /// There is no client to ask with.
    #[error("no HTTP client can be made: {0}; are CA certificates installed (package ca-certificates)?")]
    Client(String),
}

/// What a person can do about a status.
fn hint(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "; it wants a name and a password",
        403 => "; if this goes on, look at `poll.user_agent`",
        404 => "; if this goes on, look for the feed's new address",
        _ => "",
    }
}

impl Error {
    /// How long the server asks us to stay away.
    #[must_use]
    pub fn retry_after(&self) -> Option<TimeDelta> {
        match self {
            Self::Status(_, wait) => *wait,
            _ => None,
        }
    }
}

/// What asks. Clones share connections.
#[derive(Clone)]
pub struct Client {
    settings: Arc<Settings>,
    http: Arc<OnceLock<Result<reqwest::Client, String>>>,
}

impl Client {
    /// A client that has not asked anything yet.
    ///
    /// The HTTP part is made when it is first needed: it wants the system's CA certificates, and `file:` feeds do not.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings), http: Arc::default() }
    }

    /// The largest document that is read, after unpacking.
    #[must_use]
    pub fn max_body_bytes(&self) -> u64 {
        self.settings.max_body_bytes
    }

    /// Asks for the document at `address`, conditionally if there are `validators`.
    ///
    /// # Errors
    /// When there is neither a document nor the word that it has not changed.
    pub async fn get(&self, address: &Url, validators: &Validators, now: DateTime<Utc>) -> Result<Fetched, Error> {
        if address.scheme() == "file" {
            return self.read_file(address).await;
        }
        let timeout = self.settings.timeout;
        tokio::time::timeout(timeout, self.follow(address, validators, now))
            .await
            .map_err(|_| Error::Timeout(timeout.as_secs()))?
    }

    /// Sends requests until an answer is no redirect.
    async fn follow(&self, address: &Url, validators: &Validators, now: DateTime<Utc>) -> Result<Fetched, Error> {
        let asked = clock::instant();
        let mut target = address.clone();
        let mut moved_to = None;
        let mut all_permanent = true;
        for _ in 0..=MOST_HOPS {
            let response = self.send(&target, validators).await?;
            let status = response.status();
            let headers = response.headers();
            let is_full = status == StatusCode::OK;
            let reply = |moved_to| Reply {
                validators: validators_of(headers),
                fresh_for: fresh_for(headers),
                moved_to,
                is_full,
                took: asked.elapsed(),
            };
            match status {
                StatusCode::NOT_MODIFIED if validators.is_empty() => return Err(Error::NothingHeld),
                StatusCode::NOT_MODIFIED => return Ok(Fetched::NotModified(reply(moved_to))),
                StatusCode::GONE => return Ok(Fetched::Gone),
                StatusCode::MOVED_PERMANENTLY | StatusCode::PERMANENT_REDIRECT => {
                    target = next_hop(&target, headers)?;
                    if all_permanent {
                        moved_to = Some(target.clone());
                    }
                }
                StatusCode::FOUND | StatusCode::SEE_OTHER | StatusCode::TEMPORARY_REDIRECT => {
                    target = next_hop(&target, headers)?;
                    all_permanent = false;
                }
                StatusCode::OK => {
                    let mut reply = reply(moved_to);
                    let document = self.receive(response, target).await?;
                    reply.took = asked.elapsed();
                    return Ok(Fetched::Document(document, reply));
                }
                _ => {
                    let wait = text(headers, header::RETRY_AFTER).and_then(|value| freshness::retry_after(&value, now));
                    let heeds = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
                    return Err(Error::Status(status, wait.filter(|_| heeds)));
                }
            }
        }
        Err(Error::Redirect(format!("chain is longer than {MOST_HOPS} hops")))
    }

    /// One request to one address that may be asked.
    async fn send(&self, target: &Url, validators: &Validators) -> Result<reqwest::Response, Error> {
        let literal = match target.host() {
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
            Some(Host::Domain(_)) => None,
            None => return Err(Error::Redirect("leads to an address without a host".into())),
        };
        // The resolver is never asked about literal addresses, so they are checked here.
        if let Some(literal) = literal
            && let Some(why) = address::refused(literal, &self.settings.allow_networks)
        {
            return Err(Error::Refused(literal.to_string(), why));
        }
        let mut request = self.http()?.get(target.clone());
        if let Some(etag) = validators.etag.as_deref().and_then(|etag| HeaderValue::from_bytes(etag).ok()) {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        if let Some(date) = validators.last_modified.as_deref().and_then(|date| HeaderValue::from_bytes(date).ok()) {
            request = request.header(header::IF_MODIFIED_SINCE, date);
        }
        request.send().await.map_err(|error| in_words(error, target))
    }

    /// The body, counted as it comes.
    async fn receive(&self, mut response: reqwest::Response, address: Url) -> Result<Document, Error> {
        let most = self.settings.max_body_bytes;
        let announced = response.content_length();
        if announced.is_some_and(|announced| announced > most) {
            return Err(Error::TooLarge(most));
        }
        let coding = text(response.headers(), header::CONTENT_ENCODING).unwrap_or_default();
        let content_type = text(response.headers(), header::CONTENT_TYPE);
        let mut body = Vec::with_capacity(announced.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0));
        while let Some(chunk) = response.chunk().await.map_err(|error| in_words(error, &address))? {
            if (body.len() + chunk.len()) as u64 > most {
                return Err(Error::TooLarge(most));
            }
            body.extend_from_slice(&chunk);
        }
        let hash = xxh3_64(&body).cast_signed();
        Ok(Document { body, coding, content_type, hash, address })
    }

    async fn read_file(&self, address: &Url) -> Result<Fetched, Error> {
        let asked = clock::instant();
        let most = self.settings.max_body_bytes;
        let unusable =
            || Error::File(std::io::Error::new(std::io::ErrorKind::InvalidInput, "the address names no local file"));
        let path = address.to_file_path().map_err(|()| unusable())?;
        if tokio::fs::metadata(&path).await.map_err(Error::File)?.len() > most {
            return Err(Error::TooLarge(most));
        }
        let body = tokio::fs::read(&path).await.map_err(Error::File)?;
        let hash = xxh3_64(&body).cast_signed();
        let document = Document { body, coding: String::new(), content_type: None, hash, address: address.clone() };
        Ok(Fetched::Document(document, Reply { is_full: true, took: asked.elapsed(), ..Reply::default() }))
    }

    fn http(&self) -> Result<&reqwest::Client, Error> {
        self.http
            .get_or_init(|| build(&self.settings).map_err(|error| told(&error)))
            .as_ref()
            .map_err(|error| Error::Client(error.clone()))
    }
}

fn build(settings: &Settings) -> reqwest::Result<reqwest::Client> {
    let fixed = |name: HeaderName, value: &'static str| (name, HeaderValue::from_static(value));
    reqwest::Client::builder()
        .user_agent(&settings.user_agent)
        .default_headers(HeaderMap::from_iter([
            fixed(header::ACCEPT, ACCEPT),
            fixed(header::ACCEPT_ENCODING, ACCEPT_ENCODING),
        ]))
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(settings.per_host_gap + IDLE_TIMEOUT)
        .pool_max_idle_per_host(1)
        .dns_resolver(Arc::new(PublicNames { allowed: settings.allow_networks.clone() }))
        .build()
}

/// Resolves names to those of their addresses that may be asked. What it gives is what is connected to: there is no second
/// look-up in which a name could change its mind.
struct PublicNames {
    allowed: Vec<IpNet>,
}

impl reqwest::dns::Resolve for PublicNames {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let allowed = self.allowed.clone();
        Box::pin(async move {
            let name = name.as_str().to_owned();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0))
                .await
                .map_err(|_| Box::new(Error::Name(name.clone())))?
                .collect();
            let (fine, refused): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|found| address::refused(found.ip(), &allowed).is_none());
            match (fine.is_empty(), refused.first()) {
                (true, Some(first)) => {
                    let why = address::refused(first.ip(), &allowed).unwrap_or("refused");
                    Err(Box::new(Error::Refused(name, why)).into())
                }
                (true, None) => Err(Box::new(Error::Name(name)).into()),
                (false, _) => Ok(Box::new(fine.into_iter()) as reqwest::dns::Addrs),
            }
        })
    }
}

/// Where a redirect leads.
fn next_hop(from: &Url, headers: &HeaderMap) -> Result<Url, Error> {
    let location = text(headers, header::LOCATION).ok_or_else(|| Error::Redirect("does not say where to".into()))?;
    let target = from.join(&location).map_err(|_| Error::Redirect("leads to something that is no address".into()))?;
    match (from.scheme(), target.scheme()) {
        (_, "https") | ("http", "http") => Ok(target),
        ("https", "http") => Err(Error::Redirect("leads from https to http, which is refused".into())),
        (_, other) => Err(Error::Redirect(format!("leads to a `{other}:` address, which is refused"))),
    }
}

/// The validators of an answer, byte for byte.
fn validators_of(headers: &HeaderMap) -> Validators {
    let bytes = |name| headers.get(name).map(|value: &HeaderValue| value.as_bytes().to_vec());
    Validators { etag: bytes(header::ETAG), last_modified: bytes(header::LAST_MODIFIED) }
}

fn fresh_for(headers: &HeaderMap) -> Option<Duration> {
    let [cache_control, expires, date, age] =
        [header::CACHE_CONTROL, header::EXPIRES, header::DATE, header::AGE].map(|name| text(headers, name));
    freshness::fresh_for(cache_control.as_deref(), expires.as_deref(), date.as_deref(), age.as_deref())
}

/// A field as text; several of one name are joined, as RFC 9110 §5.3 has it.
fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let mut values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let first = values.next()?.to_owned();
    Some(values.fold(first, |joined, value| joined + ", " + value))
}

/// What went wrong, without the address, which may hold a reader's token.
fn in_words(error: reqwest::Error, target: &Url) -> Error {
    let error = error.without_url();
    let mut cause = error.source();
    while let Some(inner) = cause {
        match inner.downcast_ref::<Error>() {
            Some(Error::Refused(name, why)) => return Error::Refused(name.clone(), why),
            Some(Error::Name(name)) => return Error::Name(name.clone()),
            _ => cause = inner.source(),
        }
    }
    let host = target.host_str().unwrap_or("the server");
    match error {
        _ if error.is_timeout() => Error::Connection(format!("{host} did not answer in time")),
        _ if error.is_connect() => Error::Connection(format!("no connection to {host}: {}", last_cause(&error))),
        _ => Error::Connection(format!("{host}: {}", told(&error))),
    }
}

/// The innermost cause of an error, which is the one that people know: `Connection refused`.
fn last_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// An error and the causes behind it, as one phrase.
fn told(error: &reqwest::Error) -> String {
    let mut words = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !words.contains(&said) {
            words.push(said);
        }
        cause = inner.source();
    }
    words.join(": ")
}
