//! The clients that connect, one for each way to the feeds.
//!
//! Edge. Names are resolved here, and only to addresses that may be asked; what is resolved is what is connected to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Proxy, redirect};
use tokio::time::Instant;
use url::{Origin, Url};

use crate::clock;
use crate::fetch::access::{Route, SOCKS_PROXY};
use crate::fetch::certificates;
use crate::fetch::error::Error;
use crate::fetch::names::LookUp;
use crate::fetch::settings::Settings;
use crate::net::blocklist;
use crate::secrets;

/// What we can read, best first. Atom and RSS by their own names, then as what they are often mislabelled.
const ACCEPT: &str = "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, application/xml;q=0.8, text/xml;q=0.8, */*;q=0.1";
/// Gzip first: every server that compresses at all has it ready.
const ACCEPT_ENCODING: &str = "gzip, br, zstd, deflate";
/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection is kept for the next feed of the same host, after the pause that is made between the two.
const IDLE_TIMEOUT: Duration = Duration::from_millis(500);
/// The same where no pause is made: then the feeds of a host are asked back to back.
const BRIEF_IDLE_TIMEOUT: Duration = Duration::from_millis(150);

/// How long the body of an answer may take for its connection to be remembered as one that was kept.
const LONGEST_BODY: Duration = Duration::from_secs(10);

/// How long a server is spoken to over HTTP/1.1 after HTTP/2 failed there.
const OVER_HTTP_1: Duration = Duration::from_secs(86_400);
/// So many such servers are remembered before they are forgotten.
const MANY: usize = 1024;

/// Which protocols are offered to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Protocols {
    /// HTTP/2, and HTTP/1.1 for those that do not know it.
    Both,
    /// HTTP/1.1, because HTTP/2 does not work there.
    Http1,
}

impl Protocols {
    /// As TLS names them, the best first (RFC 7301).
    fn names(self) -> &'static [&'static [u8]] {
        match self {
            Self::Both => &[b"h2", b"http/1.1"],
            Self::Http1 => &[b"http/1.1"],
        }
    }
}

/// The clients made so far, the servers where HTTP/2 does not work, each with when that is tried again, and those to which a
/// connection may be there still, each with until when.
#[derive(Default)]
pub(super) struct Clients {
    made: Mutex<HashMap<(Route, Protocols), Made>>,
    over_http_1: Mutex<HashMap<Origin, Instant>>,
    kept: Mutex<HashMap<Origin, Instant>>,
}

type Made = Result<reqwest::Client, Arc<str>>;

impl Clients {
    /// The client for this way. It is made when it is first needed: it wants the system's CA certificates, and `file:` feeds do
    /// not.
    pub(super) fn by(&self, way: &Route, protocols: Protocols, settings: &Settings) -> Result<reqwest::Client, Error> {
        let mut clients = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (way.clone(), protocols);
        if let Some(made) = clients.get(&key) {
            return made.clone().map_err(|error| Error::Client(error.to_string()));
        }
        let made = build(way, protocols, settings)?;
        let kept = made.map_err(|error| Arc::from(told(&error)));
        clients.insert(key, kept.clone());
        kept.map_err(|error| Error::Client(error.to_string()))
    }

    /// What to offer to this server.
    pub(super) fn protocols_for(&self, target: &Url) -> Protocols {
        let servers = self.over_http_1.lock().unwrap_or_else(PoisonError::into_inner);
        match servers.get(&target.origin()) {
            Some(until) if clock::instant() < *until => Protocols::Http1,
            _ => Protocols::Both,
        }
    }

    /// Notes that HTTP/2 does not work at this server.
    pub(super) fn avoid_http_2(&self, target: &Url) {
        remember(&self.over_http_1, target, OVER_HTTP_1);
    }

    /// Notes that this server answers, over a connection that may be used again.
    pub(super) fn note_kept(&self, target: &Url, settings: &Settings) {
        remember(&self.kept, target, idle_timeout(settings) + LONGEST_BODY);
    }

    /// Whether a request may have gone over a connection that was used before.
    pub(super) fn may_be_kept(&self, target: &Url) -> bool {
        let servers = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        servers.get(&target.origin()).is_some_and(|until| clock::instant() < *until)
    }
}

/// Remembers a server for so long.
fn remember(servers: &Mutex<HashMap<Origin, Instant>>, target: &Url, long: Duration) {
    let now = clock::instant();
    let mut servers = servers.lock().unwrap_or_else(PoisonError::into_inner);
    if servers.len() >= MANY {
        servers.retain(|_, until| now < *until);
    }
    if servers.len() >= MANY {
        servers.clear();
    }
    servers.insert(target.origin(), now + long);
}

/// How long a connection is kept for the next request.
fn idle_timeout(settings: &Settings) -> Duration {
    let gap = settings.per_host_gap;
    if gap.is_zero() { BRIEF_IDLE_TIMEOUT } else { gap + IDLE_TIMEOUT }
}

fn build(way: &Route, protocols: Protocols, settings: &Settings) -> Result<reqwest::Result<reqwest::Client>, Error> {
    let idle = idle_timeout(settings);
    let fixed = |name: HeaderName, value: &'static str| (name, HeaderValue::from_static(value));
    let mut client = reqwest::Client::builder()
        .user_agent(&settings.user_agent)
        .default_headers(HeaderMap::from_iter([
            fixed(header::ACCEPT, ACCEPT),
            fixed(header::ACCEPT_ENCODING, ACCEPT_ENCODING),
        ]))
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        // RFC 9112 §5.2 has a folded value read; a line that is no field is left out, as browsers do.
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_ignore_invalid_headers_in_responses(true)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(idle)
        .pool_max_idle_per_host(1);
    let mut proxy_name = None;
    if let Some(proxy) = &way.proxy {
        let (address, name) = named(proxy);
        let made =
            Proxy::all(address.as_str()).map_err(|_| Error::Access("its proxy's address cannot be used".into()))?;
        client = client.proxy(made);
        proxy_name = name;
    }
    if let Some(file) = &way.ca {
        let unusable = |why: String| Error::Access(format!("its `ca` cannot be used: {}: {why}", file.display()));
        let pem = secrets::small_file(file).map_err(|error| unusable(error.to_string()))?;
        client = client.tls_backend_preconfigured(certificates::trusting(&pem, protocols.names()).map_err(unusable)?);
    }
    if protocols == Protocols::Http1 {
        client = client.http1_only();
    }
    let names =
        PublicNames { allowed: settings.allow_networks.clone(), proxy: proxy_name, look_up: settings.look_up.clone() };
    Ok(client.dns_resolver(Arc::new(names)).build())
}

/// The name of a proxy. It is the configuration's word, and may lead into a private network.
struct ProxyName {
    /// Under which the resolver is asked for it.
    asked: String,
    /// Which it is.
    name: String,
}

/// The address of a proxy as the client is given it, and its name where it has one.
fn named(proxy: &Url) -> (Url, Option<ProxyName>) {
    let Some(name) = proxy.host_str().filter(|host| !is_literal(host)).map(str::to_owned) else {
        return (proxy.clone(), None);
    };
    let mut address = proxy.clone();
    // Through any other proxy no name is resolved here but its own.
    let asked = match proxy.scheme() {
        "socks5" | "socks5h" if address.set_host(Some(SOCKS_PROXY)).is_ok() => SOCKS_PROXY.to_owned(),
        _ => name.clone(),
    };
    (address, Some(ProxyName { asked, name }))
}

fn is_literal(host: &str) -> bool {
    host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok()
}

/// Resolves names to those of their addresses that may be asked. What it gives is what is connected to: there is no second
/// look-up in which a name could change its mind.
struct PublicNames {
    allowed: Vec<IpNet>,
    proxy: Option<ProxyName>,
    look_up: Arc<dyn LookUp>,
}

impl reqwest::dns::Resolve for PublicNames {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let allowed = self.allowed.clone();
        let proxy = self.proxy.as_ref().filter(|proxy| proxy.asked == name.as_str());
        let (is_proxy, name) = (proxy.is_some(), proxy.map_or(name.as_str(), |proxy| &proxy.name).to_owned());
        let found = self.look_up.look_up(name.clone());
        Box::pin(async move {
            let unresolved = |name: String| Error::Name { name, cure: "" };
            let found = found.await.map_err(|_| unresolved(name.clone()))?;
            let (fine, refused): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|found| is_proxy || blocklist::refused(found.ip(), &allowed).is_none());
            match (fine.is_empty(), refused.first()) {
                (true, Some(first)) => {
                    let why = blocklist::refused(first.ip(), &allowed).unwrap_or("refused");
                    Err(Error::Refused(name, why).into())
                }
                (true, None) => Err(unresolved(name).into()),
                (false, _) => Ok(Box::new(fine.into_iter()) as reqwest::dns::Addrs),
            }
        })
    }
}

/// An error and the causes behind it, as one phrase.
fn told(error: &reqwest::Error) -> String {
    let mut words = vec![error.to_string()];
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !words.contains(&said) {
            words.push(said);
        }
        cause = inner.source();
    }
    words.join(": ")
}
