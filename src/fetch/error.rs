//! Why there is no document, in words.
//!
//! Pure but for looking into the HTTP client's errors. A message names hosts and never whole addresses, which may hold a reader's token. Each limit has words of its own.

use std::error::Error as _;
use std::io::ErrorKind;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::StatusCode;
use url::Url;

use crate::model::history::Outcome;

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The answer's status is not one that carries a feed.
    #[error("answered {status}{cure}")]
    Status {
        /// What was answered.
        status: StatusCode,
        /// What a person can do about it; empty where nothing is known.
        cure: String,
        /// How long to stay away, where the server said so.
        retry_after: Option<TimeDelta>,
        /// Whose server answered; `None` in a private network.
        domain: Option<String>,
    },
    /// Where redirects lead, now or since they were adopted, nothing is any more; they say nothing of the address before them.
    #[error("a redirect leads to {0}, which answers 410 Gone; the configured address is asked again")]
    GoneElsewhere(String),
    /// The server at the end of a redirect asked to be left alone.
    #[error("{domain} asked to be left alone until {}", until.format("%Y-%m-%d %H:%MZ"))]
    Held {
        /// Whose server.
        domain: String,
        /// Until when.
        until: DateTime<Utc>,
    },
    /// The address is none that may be asked.
    #[error("{0} is {1}, which is refused; list its network in `poll.allow_networks` if the feed belongs there")]
    Refused(String, &'static str),
    /// The name leads nowhere.
    #[error("the name {name} cannot be resolved{cure}")]
    Name {
        /// Which.
        name: String,
        /// What a person can do about it; empty where nothing is known.
        cure: &'static str,
    },
    /// Nobody is there: no route, or no answer to the knock.
    #[error("{0} cannot be reached: {1}")]
    Unreachable(String, String),
    /// Somebody is there, and no connection came about.
    #[error("no connection to {0}: {1}")]
    Connection(String, String),
    /// The connection was made, and no whole answer came of it.
    #[error("{0}: {1}")]
    Broken(String, String),
    /// Who answers cannot prove who they are.
    #[error("{0} cannot be trusted: {1}")]
    Certificate(String, String),
    /// More header than anybody needs.
    #[error("{0} sent more header than is read (100 fields, 400 KB)")]
    HeadTooLarge(String),
    /// It took too long.
    #[error("no complete answer within {0}s (`poll.timeout`)")]
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
    /// What the configuration names for asking cannot be had.
    #[error("{0}")]
    Access(String),
    /// There is no client to ask with.
    #[error("no HTTP client can be made: {0}; are CA certificates installed (package ca-certificates)?")]
    Client(String),
}

impl Error {
    /// How long the server asks us to stay away from this feed.
    #[must_use]
    pub fn retry_after(&self) -> Option<TimeDelta> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whose server asks us to stay away altogether (RFC 6585 §4, RFC 9110 §15.6.4), and for how long.
    #[must_use]
    pub fn hold(&self) -> Option<(&str, TimeDelta)> {
        match self {
            Self::Status { retry_after: Some(wait), domain: Some(domain), .. }
                if self.outcome() == Outcome::Throttled =>
            {
                Some((domain, *wait))
            }
            _ => None,
        }
    }

    /// What it counts as.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Status { status, .. } => match status.as_u16() {
                429 | 503 => Outcome::Throttled,
                400..=499 => Outcome::Refused,
                500..=599 => Outcome::ServerFailed,
                _ => Outcome::Unexpected,
            },
            Self::GoneElsewhere(_) => Outcome::Refused,
            Self::Held { .. } => Outcome::Throttled,
            Self::Refused(..) => Outcome::Forbidden,
            Self::Name { .. } | Self::Unreachable(..) => Outcome::Unreachable,
            Self::Connection(..) | Self::Broken(..) => Outcome::Broken,
            Self::Certificate(..) => Outcome::Certificate,
            Self::HeadTooLarge(_) => Outcome::HeadTooLarge,
            Self::Timeout(_) => Outcome::TimedOut,
            Self::TooLarge(_) => Outcome::TooLarge,
            Self::Redirect(_) => Outcome::Redirect,
            Self::NothingHeld => Outcome::Unexpected,
            Self::File(_) | Self::Access(_) | Self::Client(_) => Outcome::Ours,
        }
    }

    /// What went wrong on the way to `target`, through `proxy` if there is one.
    pub(super) fn of(error: reqwest::Error, target: &Url, proxy: Option<&Url>) -> Self {
        let host = target.host_str().unwrap_or("the server").to_owned();
        let error = error.without_url();
        let causes = causes(&error);
        let told = || causes.iter().map(|(_, words)| words.as_str()).collect::<Vec<_>>().join(": ");
        let last = || causes.last().map(|(_, words)| words.clone()).unwrap_or_default();
        for (cause, _) in &causes {
            match cause {
                Cause::Refused(name, why) => return Self::Refused(name.clone(), why),
                Cause::Name(name) => {
                    let is_ours = proxy.is_some_and(|proxy| proxy.scheme() == "socks5");
                    return Self::Name { name: name.clone(), cure: if is_ours { RESOLVED_HERE } else { "" } };
                }
                Cause::Io(_) | Cause::Other => {}
            }
        }
        let all = told();
        if let Some(words) = certificate_words(&all) {
            return Self::Certificate(host, words);
        }
        if let Some(words) = other_protocol_words(&all, target) {
            return Self::Connection(host, words.into());
        }
        if all.contains("message head is too large") {
            return Self::HeadTooLarge(host);
        }
        if error.is_timeout() {
            return Self::Unreachable(host, "no answer in time".into());
        }
        if !error.is_connect() {
            return Self::Broken(host, all);
        }
        let kind = causes.iter().rev().find_map(|(cause, _)| match cause {
            Cause::Io(kind) => Some(*kind),
            _ => None,
        });
        match kind {
            // A proxy that refuses is ours, and stands between us and everybody.
            Some(ErrorKind::ConnectionRefused) if proxy.is_some() => {
                Self::Unreachable(host, "the proxy refuses connections (`proxy`)".into())
            }
            Some(
                ErrorKind::HostUnreachable
                | ErrorKind::NetworkUnreachable
                | ErrorKind::NetworkDown
                | ErrorKind::TimedOut
                | ErrorKind::AddrNotAvailable,
            ) => Self::Unreachable(host, last()),
            _ => Self::Connection(host, last()),
        }
    }
}

/// What is to be said of a name behind a proxy that is not asked to resolve it.
const RESOLVED_HERE: &str = " on this machine; write `socks5h:` instead of `socks5:` to have the proxy resolve names";

enum Cause {
    Refused(String, &'static str),
    Name(String),
    Io(ErrorKind),
    Other,
}

/// What lies at the bottom of an error: the outer words say no more than that something failed.
pub(super) fn last_cause(error: &reqwest::Error) -> String {
    causes(error).pop().map(|(_, words)| words).unwrap_or_default()
}

/// An error and what is behind it, from the outside in, each with its words.
fn causes(error: &reqwest::Error) -> Vec<(Cause, String)> {
    let mut found: Vec<(Cause, String)> = vec![(Cause::Other, error.to_string())];
    let mut next = error.source();
    while let Some(inner) = next {
        let cause = match inner.downcast_ref::<Error>() {
            Some(Error::Refused(name, why)) => Cause::Refused(name.clone(), why),
            Some(Error::Name { name, .. }) => Cause::Name(name.clone()),
            _ => inner.downcast_ref::<std::io::Error>().map_or(Cause::Other, |error| Cause::Io(error.kind())),
        };
        let words = inner.to_string();
        // An outer error often repeats the inner one.
        found.retain(|(_, outer)| *outer != words);
        found.push((cause, words));
        next = inner.source();
    }
    found
}

/// Whether HTTP/2 may have been agreed on with this server and came to nothing: it said so in HTTP/2's own words, or hung up
/// without an answer. One that finds us too busy is no better off with another request.
pub(super) fn is_http_2_failure(error: &reqwest::Error, target: &Url) -> bool {
    let http_2 = inner_errors(error).find_map(|inner| inner.downcast_ref::<h2::Error>());
    let is_failure = match http_2 {
        Some(http_2) => http_2.reason() != Some(h2::Reason::ENHANCE_YOUR_CALM),
        None => is_hang_up(error),
    };
    is_failure && target.scheme() == "https"
}

/// Whether the server hung up without an answer.
pub(super) fn is_hang_up(error: &reqwest::Error) -> bool {
    let hung_up = |inner: &(dyn std::error::Error + 'static)| {
        let of_hyper = inner.downcast_ref::<hyper::Error>();
        // What is cancelled was not sent yet when the connection closed.
        of_hyper.is_some_and(|of| of.is_closed() || of.is_incomplete_message() || of.is_canceled())
            || inner.downcast_ref::<std::io::Error>().is_some_and(|of| HUNG_UP.contains(&of.kind()))
    };
    error.is_request() && inner_errors(error).any(hung_up)
}

fn inner_errors(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    let mut next = error.source();
    std::iter::from_fn(move || {
        let inner = next?;
        next = inner.source();
        Some(inner)
    })
}

/// What is left of a connection that the other side gave up.
const HUNG_UP: [ErrorKind; 4] =
    [ErrorKind::ConnectionReset, ErrorKind::ConnectionAborted, ErrorKind::BrokenPipe, ErrorKind::UnexpectedEof];

/// What is to be said of a server that speaks TLS where HTTP was expected, or the other way round.
fn other_protocol_words(told: &str, target: &Url) -> Option<&'static str> {
    match target.scheme() {
        "https" if told.contains("InvalidContentType") => {
            Some("it does not speak TLS there; is the feed at an `http:` address, or at another port?")
        }
        "https" if told.contains("tls handshake eof") => {
            Some("it hung up when TLS was begun; is the feed at an `http:` address, or at another port?")
        }
        "http" if told.contains("invalid HTTP version") => {
            Some("it does not speak HTTP there; is the feed at an `https:` address, or at another port?")
        }
        _ => None,
    }
}

/// What is wrong with a certificate, and what to do about it; `None` when it is not about one.
fn certificate_words(told: &str) -> Option<String> {
    let has = |word: &str| told.contains(word);
    let words = if has("certificate expired") || has("peer certificate: Expired") {
        "its certificate has expired; whoever runs it has to renew it"
    } else if has("not valid yet") || has("NotValidYet") {
        "its certificate is not valid yet; is the clock of this machine right?"
    } else if has("not valid for name") || has("NotValidForName") {
        "its certificate is for another name; is the address right?"
    } else if has("UnknownIssuer") || has("CaUsedAsEndEntity") {
        "its certificate is signed by an authority that is not known here; if it is one of your own, name its certificate as `ca` of the feed"
    } else if has("Revoked") {
        "its certificate was revoked"
    } else if let Some((_, why)) = told.split_once("invalid peer certificate: ") {
        return Some(format!("its certificate is not valid: {why}"));
    } else {
        return None;
    };
    Some(words.to_owned())
}

#[cfg(test)]
impl Error {
    /// A server's refusal, for tests elsewhere.
    pub(crate) fn refused(status: u16, domain: String, retry_after: Option<TimeDelta>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or_default();
        Self::Status { status, cure: String::new(), retry_after, domain: Some(domain) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_told_in_words() {
        let check = |told: &str, expected: &str| {
            let words = certificate_words(told).unwrap_or_default();
            assert!(words.contains(expected), "{told}: {words}");
        };
        check("client error: invalid peer certificate: certificate expired: verification time 1", "has expired");
        check("invalid peer certificate: certificate not valid for name \"a\"", "another name");
        check("invalid peer certificate: UnknownIssuer", "`ca`");
        check("invalid peer certificate: BadEncoding", "not valid: BadEncoding");
        assert_eq!(certificate_words("Connection refused"), None);
    }
}
