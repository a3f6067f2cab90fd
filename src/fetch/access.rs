//! With what a feed is asked: its credentials, and the way to it.
//!
//! Pure but for fetching the secrets, which `secrets` does. Credentials are for the origin (scheme, host and port) that the
//! configuration names and for no other: a redirect elsewhere goes without them.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use std::path::PathBuf;
use url::{Origin, Url};

use crate::config;
use crate::secrets;

/// The way to a feed; feeds that share it share connections.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Route {
    /// The proxy.
    pub proxy: Option<Url>,
    /// A file with certificates of further authorities.
    pub ca: Option<PathBuf>,
}

/// What stands for the name of a SOCKS proxy, so that the resolver, which is asked for the names of feeds as well, knows which of
/// them it is asked for. No name server answers for it (RFC 6761 §6.4).
pub(super) const SOCKS_PROXY: &str = "socks-proxy.newsfold.invalid";

impl Route {
    /// Whether the proxy resolves the names of feeds, so that nobody here sees what they lead to.
    pub(super) fn resolves_elsewhere(&self) -> bool {
        self.proxy.as_ref().is_some_and(|proxy| proxy.scheme() != "socks5")
    }
}

/// How far the credentials of a feed reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// It has none.
    Nowhere,
    /// They are sent there.
    There,
    /// They are for another origin, and not sent there.
    Elsewhere,
}

/// With what a feed is asked.
#[derive(Clone, Default)]
pub struct Access {
    way: Route,
    /// For whom the headers are; `None` when there are none.
    origin: Option<Origin>,
    headers: HeaderMap,
}

impl Access {
    /// As configured for the feed at `address`, secrets included.
    ///
    /// # Errors
    /// Which secret cannot be had or sent, and why.
    pub fn of(configured: &config::Access, address: &Url) -> Result<Self, String> {
        let way = Route { proxy: configured.proxy.clone(), ca: configured.ca.clone() };
        // Whoever connects reads it, and nobody is to wait there for what does not come here.
        if let Some(file) = &configured.ca {
            let unusable = |error| format!("its `ca` cannot be used: {}: {error}", file.display());
            secrets::small_file(file).map_err(unusable)?;
        }
        let mut headers = HeaderMap::new();
        if let (Some(username), Some(password)) = (&configured.username, &configured.password) {
            let password = secrets::reveal(password).map_err(|error| format!("its password cannot be had: {error}"))?;
            let both = BASE64_STANDARD.encode(format!("{username}:{password}"));
            headers.insert(AUTHORIZATION, value(&format!("Basic {both}"), "password")?);
        }
        for (name, secret) in &configured.headers {
            let text =
                secrets::reveal(secret).map_err(|error| format!("its header `{name}` cannot be had: {error}"))?;
            let header = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| format!("its header `{name}` cannot be sent; write another name"))?;
            headers.insert(header, value(&text, name)?);
        }
        let origin = (!headers.is_empty()).then(|| address.origin());
        Ok(Self { way, origin, headers })
    }

    /// The same, where what is kept in files may not come: that is waited for a while, and beside everything
    /// else.
    ///
    /// # Errors
    /// Which secret cannot be had or sent, and why.
    pub async fn in_time(configured: &config::Access, address: &Url) -> Result<Self, String> {
        let config::Access { password, headers, ca, .. } = configured;
        if password.is_none() && headers.is_empty() && ca.is_none() {
            return Self::of(configured, address);
        }
        let (configured, address) = (configured.clone(), address.clone());
        secrets::in_time(move || Self::of(&configured, &address)).await
    }

    /// The way to the feed.
    #[must_use]
    pub fn way(&self) -> &Route {
        &self.way
    }

    /// The way alone, without credentials.
    #[must_use]
    pub fn without_headers(self) -> Self {
        Self { way: self.way, ..Self::default() }
    }

    /// Whether there are headers that may be sent to `target`.
    pub(super) fn reach(&self, target: &Url) -> Reach {
        match &self.origin {
            None => Reach::Nowhere,
            Some(origin) if *origin == target.origin() => Reach::There,
            Some(_) => Reach::Elsewhere,
        }
    }

    /// The headers that may be sent to `target`.
    #[must_use]
    pub fn headers_for(&self, target: &Url) -> Option<&HeaderMap> {
        (self.origin.as_ref() == Some(&target.origin())).then_some(&self.headers)
    }
}

fn value(text: &str, name: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| format!("its `{name}` cannot be sent: it holds a line break or another control character"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[test]
    fn credentials_are_for_the_configured_origin_alone() {
        let url = |text: &str| Url::parse(text).unwrap();
        let configured = config::Access {
            username: Some("me".into()),
            password: Some(Secret::Literal("secret".into())),
            headers: vec![("X-Api-Key".into(), Secret::Literal("key".into()))],
            ..config::Access::default()
        };
        let access = Access::of(&configured, &url("https://example.org/feed")).unwrap();
        let sent = access.headers_for(&url("https://example.org/other")).unwrap();
        assert_eq!(sent.get("authorization").unwrap(), "Basic bWU6c2VjcmV0");
        assert_eq!(sent.get("x-api-key").unwrap(), "key");
        for other in ["http://example.org/feed", "https://example.org:8443/feed", "https://www.example.org/feed"] {
            assert!(access.headers_for(&url(other)).is_none(), "{other}");
        }
    }

    #[test]
    fn a_secret_that_cannot_be_had_is_told_without_it() {
        let missing = config::Access {
            headers: vec![("Cookie".into(), Secret::File("/nonexistent/cookie".into()))],
            ..config::Access::default()
        };
        let told = Access::of(&missing, &Url::parse("https://example.org/").unwrap()).err().unwrap();
        assert!(told.contains("`Cookie`") && told.contains("/nonexistent/cookie"), "{told}");
        let broken = config::Access {
            headers: vec![("X-Key".into(), Secret::Literal("top\nsecret".into()))],
            ..config::Access::default()
        };
        let told = Access::of(&broken, &Url::parse("https://example.org/").unwrap()).err().unwrap();
        assert!(!told.contains("secret"), "{told}");
    }
}
