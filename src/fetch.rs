//! One conditional GET.
//!
//! Edge. Gives the bytes of a document as they were received, or says why there are none; reading them is `parse`'s work, and
//! what an answer means for the next poll is `schedule`'s. Redirects are followed here, hop by hop, because a permanent one
//! moves the feed and a temporary one does not, and because each hop's address has to be checked.

pub mod access;
mod certificates;
mod connect;
mod cookies;
mod cure;
pub mod decode;
pub mod embeddings;
mod error;
mod fields;
pub mod freshness;
pub mod hub;
mod names;
pub mod notice;
pub mod own;
mod settings;

pub use error::Error;
pub use names::{Found, LookUp, SystemNames};
pub use settings::Settings;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::StatusCode;
use reqwest::header::{self, HeaderMap, HeaderValue};
use tokio::time::Instant;
use url::{Host, Url};
use xxhash_rust::xxh3::xxh3_64;

use crate::clock;
use crate::model::Validators;
use crate::net::blocklist;
use crate::net::domain::domain_of;
use crate::net::without_fragment;
use crate::politeness::Politeness;
use crate::politeness::host_limiter::Pass;

use access::{Access, Route, SOCKS_PROXY};
use connect::{Clients, Protocols};
use cookies::Jar;
use error::{is_hang_up, is_http_2_failure};
use fields::{all_text, text};

/// A longer chain of redirects is somebody's joke.
const MOST_HOPS: usize = 10;
/// The most redirects that a form is sent along.
const MOST_FORM_HOPS: usize = 3;
/// The largest body for which room is made before it comes.
const MOST_FORESEEN: u64 = 1 << 20;

/// What is asked.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// Where.
    pub address: &'a Url,
    /// Of the document that is held; empty to ask for it in full.
    pub validators: &'a Validators,
    /// Where that document came from, when it was behind a redirect: validators are sent to `address` and there, and to nobody
    /// else, because another server may use the same ones for something else.
    pub read_from: Option<&'a Url>,
    /// With which credentials, and which way.
    pub access: &'a Access,
    /// Whether a person asks, who may ask servers that want to be left alone.
    pub is_insistent: bool,
    /// Whether its server is asked for nothing else soon, and is told over HTTP/1 to close the connection (RFC 9112 §9.6).
    pub is_last: bool,
}

impl<'a> Question<'a> {
    /// A first look at an address.
    #[must_use]
    pub fn first(address: &'a Url, access: &'a Access) -> Self {
        const NONE: &Validators = &Validators { etag: None, last_modified: None };
        Self { address, validators: NONE, read_from: None, access, is_insistent: true, is_last: false }
    }
}

/// What a GET came to.
#[derive(Debug)]
pub enum Fetched {
    /// What we hold is what they have.
    NotModified(Reply),
    /// A document, whether or not it is the one we hold.
    Document(Document, Reply),
    /// The address that was asked for is gone for good, by its own word (RFC 9110 §15.5.11).
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
    /// Where the answer came from, when that was behind a redirect.
    pub read_from: Option<Url>,
    /// Whether it came with a document, so that its validators vouch for that.
    pub is_full: bool,
    /// Its `Link` fields.
    pub links: Vec<String>,
    /// The body as received, in bytes.
    pub bytes: u64,
    /// From sending the request to the end of the body.
    pub took: Duration,
}

/// What asks. Clones share connections.
#[derive(Clone)]
pub struct Client {
    settings: Arc<Settings>,
    clients: Arc<Clients>,
    politeness: Politeness,
}

impl Client {
    /// A client that has not asked anything yet.
    #[must_use]
    pub fn new(settings: Settings, politeness: Politeness) -> Self {
        Self { settings: Arc::new(settings), clients: Arc::default(), politeness }
    }

    /// The largest document that is read, after unpacking.
    #[must_use]
    pub fn max_body_bytes(&self) -> u64 {
        self.settings.max_body_bytes
    }

    /// What all polls together owe to servers.
    #[must_use]
    pub fn politeness(&self) -> &Politeness {
        &self.politeness
    }

    /// Asks for a document, conditionally if one is held.
    ///
    /// # Errors
    /// When there is neither a document nor the word that it has not changed.
    pub async fn get(&self, question: Question<'_>, now: DateTime<Utc>) -> Result<Fetched, Error> {
        if question.address.scheme() == "file" {
            return self.read_file(question.address).await;
        }
        self.follow(question, now).await
    }

    /// Sends requests until an answer is no redirect.
    async fn follow(&self, question: Question<'_>, now: DateTime<Utc>) -> Result<Fetched, Error> {
        let asked = clock::instant();
        let mut deadline = asked + self.settings.timeout;
        let own = without_fragment(question.address);
        let mut target = own.clone();
        let mut pass = self.enter(&target).await;
        deadline += asked.elapsed();
        let mut jar = Jar::default();
        // What was asked, and with which cookies.
        let mut seen = vec![(target.clone(), None)];
        let mut moved_to = None;
        let mut all_permanent = true;
        loop {
            let is_own = target == own;
            let validators = question.validators.clone().only_if(is_own || question.read_from == Some(&target));
            let cookies = seen.last().and_then(|(_, cookies)| cookies.as_deref());
            let sent = self.send(&target, Question { validators: &validators, ..question }, cookies);
            let response = self.in_time(deadline, sent).await?;
            let status = response.status();
            let headers = response.headers();
            let reply = |moved_to, is_full| Reply {
                validators: validators_of(headers),
                fresh_for: fresh_for(headers, now),
                moved_to,
                read_from: (!is_own).then(|| target.clone()),
                is_full,
                links: all_text(headers, &header::LINK),
                bytes: 0,
                took: asked.elapsed(),
            };
            let is_permanent = match status {
                StatusCode::NOT_MODIFIED if validators.is_empty() => return Err(Error::NothingHeld),
                StatusCode::NOT_MODIFIED => return Ok(Fetched::NotModified(reply(moved_to, false))),
                StatusCode::GONE if is_own => return Ok(Fetched::Gone),
                StatusCode::GONE => return Err(Error::GoneElsewhere(target.host_str().unwrap_or_default().to_owned())),
                StatusCode::MOVED_PERMANENTLY | StatusCode::PERMANENT_REDIRECT => true,
                StatusCode::FOUND | StatusCode::SEE_OTHER | StatusCode::TEMPORARY_REDIRECT => false,
                StatusCode::OK | StatusCode::NON_AUTHORITATIVE_INFORMATION => {
                    let mut reply = reply(moved_to, true);
                    let document = self.in_time(deadline, self.receive(response, target, question.access)).await?;
                    reply.took = asked.elapsed();
                    reply.bytes = document.body.len() as u64;
                    return Ok(Fetched::Document(document, reply));
                }
                _ => {
                    let retry_after = fields::rest_asked_for(headers, now)
                        .filter(|_| status.is_client_error() || status.is_server_error())
                        .and_then(|wait| TimeDelta::from_std(wait).ok());
                    // Many services share an address or a name there, and what one says is not said for the others.
                    let domain = (!blocklist::is_private(&target)).then(|| domain_of(&target));
                    let cure = cure::of(status, headers, question.access.reach(&target));
                    return Err(Error::Status { status, cure, retry_after, domain });
                }
            };
            let next = next_hop(&target, headers)?;
            jar.take_in(&all_text(headers, &header::SET_COOKIE), &target, now);
            drop(response);
            if !question.is_insistent {
                self.check_hold(&next, now)?;
            }
            if next.host_str() != target.host_str() {
                // Our place at this host is given back first, or two feeds that redirect to each other's hosts would wait for
                // each other for ever. Waiting for a place is no fault of the server's.
                drop(pass.take());
                let came = clock::instant();
                pass = self.enter(&next).await;
                deadline += came.elapsed();
            }
            target = next;
            all_permanent &= is_permanent;
            if all_permanent {
                moved_to = Some(target.clone());
            }
            // Who brings another cookie along may be let in where they were sent away before.
            let step = (target.clone(), jar.field_for(&target));
            if seen.contains(&step) {
                return Err(Error::Redirect("leads in a circle".into()));
            }
            seen.push(step);
            if seen.len() > MOST_HOPS + 1 {
                return Err(Error::Redirect(format!("chain is longer than {MOST_HOPS} hops")));
            }
        }
    }

    /// Sends a form to a hub, by the rules that hold for feeds, and gives the status of the answer.
    ///
    /// Only redirects that keep the request as it is are followed (307, 308).
    ///
    /// # Errors
    /// When it may not be asked, or nobody answers.
    pub async fn post_form(
        &self,
        target: &Url,
        form: String,
        access: &Access,
        now: DateTime<Utc>,
    ) -> Result<u16, Error> {
        let mut target = without_fragment(target);
        for _ in 0..=MOST_FORM_HOPS {
            self.check_hold(&target, now)?;
            self.check_address(&target, access.way())?;
            let _pass = self.enter(&target).await;
            let request = |client: &reqwest::Client| {
                client
                    .post(target.clone())
                    .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(form.clone())
            };
            let sent = self.exchange(&target, access.way(), request);
            let response = self.in_time(clock::instant() + self.settings.timeout, sent).await?;
            match response.status() {
                StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => {
                    target = next_hop(&target, response.headers())?;
                }
                status => return Ok(status.as_u16()),
            }
        }
        Err(Error::Redirect(format!("chain is longer than {MOST_FORM_HOPS} hops")))
    }

    async fn enter(&self, target: &Url) -> Option<Pass> {
        let Settings { per_host, per_host_gap, .. } = *self.settings;
        Some(self.politeness.host_limiter().enter(target.host_str()?, per_host, per_host_gap).await)
    }

    /// A server that asked to be left alone is, whoever sends us there.
    fn check_hold(&self, target: &Url, now: DateTime<Utc>) -> Result<(), Error> {
        let domain = domain_of(target);
        match self.politeness.cooldowns().until(&domain, now) {
            Some(until) => Err(Error::Held { domain, until }),
            None => Ok(()),
        }
    }

    async fn in_time<T>(&self, deadline: Instant, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let late = |_| Error::Timeout(self.settings.timeout.as_secs());
        tokio::time::timeout_at(deadline, work).await.map_err(late)?
    }

    /// The resolver is never asked about literal addresses, nor about names that a proxy resolves, so they are checked here.
    fn check_address(&self, target: &Url, way: &Route) -> Result<(), Error> {
        let allowed = &self.settings.allow_networks;
        let (host, why) = match target.host() {
            Some(Host::Ipv4(literal)) => (literal.to_string(), blocklist::refused(literal.into(), allowed)),
            Some(Host::Ipv6(literal)) => (literal.to_string(), blocklist::refused(literal.into(), allowed)),
            Some(Host::Domain(SOCKS_PROXY)) => (SOCKS_PROXY.to_owned(), Some("a name of our own")),
            Some(Host::Domain(name)) if way.resolves_elsewhere() => {
                (name.to_owned(), blocklist::refused_name(name, allowed))
            }
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(Error::Redirect("leads to an address without a host".into())),
        };
        why.map_or(Ok(()), |why| Err(Error::Refused(host, why)))
    }

    /// One request to one address that may be asked, with these cookies.
    async fn send(
        &self,
        target: &Url,
        question: Question<'_>,
        cookies: Option<&str>,
    ) -> Result<reqwest::Response, Error> {
        let Question { validators, access, is_last, .. } = question;
        self.check_address(target, access.way())?;
        let mut headers = access.headers_for(target).cloned().unwrap_or_default();
        if let Some(cookies) = cookies.and_then(|cookies| joined(headers.get(header::COOKIE), cookies)) {
            headers.insert(header::COOKIE, cookies);
        }
        for (name, value) in
            [(header::IF_NONE_MATCH, &validators.etag), (header::IF_MODIFIED_SINCE, &validators.last_modified)]
        {
            if let Some(value) = value.as_deref().and_then(|value| HeaderValue::from_bytes(value).ok()) {
                headers.insert(name, value);
            }
        }
        if is_last {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        self.exchange(target, access.way(), |client| client.get(target.clone()).headers(headers.clone())).await
    }

    /// Sends a request, and once more over HTTP/1.1 where HTTP/2 was agreed on and does not work (RFC 9113 §7).
    ///
    /// What asks and changes nothing is sent once more, too, where a connection that was kept turns out to be closed: the server
    /// may have closed it before it saw the request (RFC 9112 §9.3.1).
    async fn exchange(
        &self,
        target: &Url,
        way: &Route,
        request: impl Fn(&reqwest::Client) -> reqwest::RequestBuilder,
    ) -> Result<reqwest::Response, Error> {
        let protocols = self.clients.protocols_for(target);
        let client = self.clients.by(way, protocols, &self.settings)?;
        let was_kept = self.clients.may_be_kept(target);
        let sent = match request(&client).build() {
            Ok(built) if was_kept && built.method().is_idempotent() => match client.execute(built).await {
                Err(error) if is_hang_up(&error) => request(&client).send().await,
                sent => sent,
            },
            Ok(built) => client.execute(built).await,
            Err(error) => Err(error),
        };
        let sent = match sent {
            Err(error) if protocols == Protocols::Both && is_http_2_failure(&error, target) => {
                tracing::debug!(
                    name: "fetch.http_1",
                    host = target.host_str(),
                    "HTTP/2 does not work there; HTTP/1.1 is spoken for a day"
                );
                self.clients.avoid_http_2(target);
                request(&self.clients.by(way, Protocols::Http1, &self.settings)?).send().await
            }
            sent => sent,
        };
        if sent.is_ok() {
            self.clients.note_kept(target, &self.settings);
        }
        sent.map_err(|error| Error::of(error, target, way.proxy.as_ref()))
    }

    /// The body, counted as it comes.
    async fn receive(&self, mut response: reqwest::Response, address: Url, access: &Access) -> Result<Document, Error> {
        let most = self.settings.max_body_bytes;
        let announced = response.content_length();
        if announced.is_some_and(|announced| announced > most) {
            return Err(Error::TooLarge(most));
        }
        let coding = text(response.headers(), &header::CONTENT_ENCODING).unwrap_or_default();
        let content_type = text(response.headers(), &header::CONTENT_TYPE);
        let foreseen = announced.unwrap_or(0).min(MOST_FORESEEN);
        let mut body = Vec::with_capacity(usize::try_from(foreseen).unwrap_or(0));
        let broken = |error| {
            if is_http_2_failure(&error, &address) {
                self.clients.avoid_http_2(&address);
            }
            Error::of(error, &address, access.way().proxy.as_ref())
        };
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
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
        let unusable = |why| Error::File(std::io::Error::new(std::io::ErrorKind::InvalidInput, why));
        let path = address.to_file_path().map_err(|()| unusable("the address names no local file"))?;
        let found = tokio::fs::metadata(&path).await.map_err(Error::File)?;
        if !found.is_file() {
            return Err(unusable("it is a folder, a pipe or a device"));
        }
        if found.len() > most {
            return Err(Error::TooLarge(most));
        }
        let body = tokio::fs::read(&path).await.map_err(Error::File)?;
        let hash = xxh3_64(&body).cast_signed();
        let bytes = body.len() as u64;
        let document = Document { body, coding: String::new(), content_type: None, hash, address: address.clone() };
        Ok(Fetched::Document(document, Reply { is_full: true, bytes, took: asked.elapsed(), ..Reply::default() }))
    }
}

/// Cookies of a chain beside those that the configuration names, as one field.
fn joined(configured: Option<&HeaderValue>, cookies: &str) -> Option<HeaderValue> {
    let own = configured.map(|own| [own.as_bytes(), b"; "].concat()).unwrap_or_default();
    let mut field = HeaderValue::from_bytes(&[own.as_slice(), cookies.as_bytes()].concat()).ok()?;
    field.set_sensitive(true);
    Some(field)
}

/// Where a redirect leads. A name and password that it carries are not ours to send.
fn next_hop(from: &Url, headers: &HeaderMap) -> Result<Url, Error> {
    let location =
        all_text(headers, &header::LOCATION).into_iter().next().filter(|location| !location.trim().is_empty());
    let location = location.ok_or_else(|| Error::Redirect("does not say where to".into()))?;
    let mut target = from
        .join(location.trim())
        .map(|target| without_fragment(&target))
        .map_err(|_| Error::Redirect("leads to something that is no address".into()))?;
    let _ = target.set_username("");
    let _ = target.set_password(None);
    match (from.scheme(), target.scheme()) {
        (_, "https") | ("http", "http") => Ok(target),
        ("https", "http") => Err(Error::Redirect(
            "leads from https to http, which is refused; if the feed is only there, name that `http:` address as its `url`"
                .into(),
        )),
        (_, other) => Err(Error::Redirect(format!("leads to a `{other}:` address, which is refused"))),
    }
}

/// The validators of an answer, byte for byte.
fn validators_of(headers: &HeaderMap) -> Validators {
    let bytes =
        |name| headers.get(name).map(|value: &HeaderValue| value.as_bytes().to_vec()).filter(|bytes| !bytes.is_empty());
    Validators { etag: bytes(header::ETAG), last_modified: bytes(header::LAST_MODIFIED) }
}

fn fresh_for(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let [cache_control, expires, date, age] =
        [header::CACHE_CONTROL, header::EXPIRES, header::DATE, header::AGE].map(|name| text(headers, &name));
    freshness::fresh_for(cache_control.as_deref(), expires.as_deref(), date.as_deref(), age.as_deref(), now)
}
