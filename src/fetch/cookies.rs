//! Cookies for the length of one chain of redirects (RFC 6265).
//!
//! Pure. Some publishers set a cookie, lead back, and give the document only to who brings it along. What is set is sent along
//! that chain, to where it belongs by host, path and scheme, and forgotten with it: it tells nobody that we were here before.

use chrono::{DateTime, Utc};
use url::{Host, Url};

use crate::net::domain::is_public_suffix;

/// The most that a chain may have us carry, in bytes. What is set beyond that is left.
const MOST_BYTES: usize = 8 * 1024;

/// What was set so far, in the order in which it came.
#[derive(Default)]
pub(super) struct Jar(Vec<Cookie>);

struct Cookie {
    name: String,
    value: String,
    host: String,
    /// Whether hosts below `host` are meant as well.
    is_for_subdomains: bool,
    path: String,
    /// Whether it is for https alone.
    is_secure: bool,
}

impl Jar {
    /// Takes in the `Set-Cookie` fields of an answer from this address (RFC 6265 §5.3).
    pub(super) fn take_in(&mut self, fields: &[String], from: &Url, now: DateTime<Utc>) {
        for (cookie, is_over) in fields.iter().filter_map(|field| read(field, from, now)) {
            let place = self.0.iter().position(|known| known.is_same_as(&cookie));
            let held: usize = self.0.iter().map(Cookie::weight).sum();
            match place {
                Some(place) if is_over => drop(self.0.remove(place)),
                Some(place) => self.0[place] = cookie,
                None if is_over || held + cookie.weight() > MOST_BYTES => {}
                None => self.0.push(cookie),
            }
        }
    }

    /// The `Cookie` field for a request to this address; `None` when nothing belongs there (RFC 6265 §5.4).
    pub(super) fn field_for(&self, target: &Url) -> Option<String> {
        let mut sent: Vec<&Cookie> = self.0.iter().filter(|cookie| cookie.belongs_to(target)).collect();
        sent.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<String> = sent.into_iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

impl Cookie {
    fn is_same_as(&self, other: &Self) -> bool {
        (&self.name, &self.host, &self.path) == (&other.name, &other.host, &other.path)
    }

    fn weight(&self) -> usize {
        self.name.len() + self.value.len()
    }

    fn belongs_to(&self, target: &Url) -> bool {
        let is_host = match target.host_str() {
            Some(host) if self.is_for_subdomains => is_below(host, &self.host),
            Some(host) => host == self.host,
            None => false,
        };
        let is_path = target
            .path()
            .strip_prefix(self.path.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/'));
        is_host && is_path && (!self.is_secure || target.scheme() == "https")
    }
}

/// A `Set-Cookie` field, and whether it is a word to forget the cookie; `None` when it sets none that this address may set.
fn read(field: &str, from: &Url, now: DateTime<Utc>) -> Option<(Cookie, bool)> {
    let mut parts = field.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    if name.is_empty() {
        return None;
    }
    let (mut domain, mut path, mut is_secure, mut lives, mut ends) = (None, None, false, None, None);
    for part in parts {
        let (attribute, value) = part.split_once('=').unwrap_or((part, ""));
        let value = value.trim();
        match attribute.trim().to_ascii_lowercase().as_str() {
            "domain" => {
                domain = Some(value.trim_start_matches('.').to_ascii_lowercase()).filter(|name| !name.is_empty())
            }
            "path" => path = Some(value).filter(|path| path.starts_with('/')),
            "secure" => is_secure = true,
            "max-age" => lives = value.parse::<i64>().ok(),
            "expires" => ends = httpdate::parse_http_date(value).ok().map(DateTime::<Utc>::from),
            _ => {}
        }
    }
    let host = from.host_str()?;
    let is_for_subdomains = match &domain {
        None => false,
        Some(domain) if is_public_suffix(domain) && domain == host => false,
        Some(domain) if is_public_suffix(domain) || !is_below(host, domain) => return None,
        Some(_) => !matches!(from.host(), Some(Host::Ipv4(_) | Host::Ipv6(_))),
    };
    let cookie = Cookie {
        name: name.to_owned(),
        value: value.to_owned(),
        host: domain.unwrap_or_else(|| host.to_owned()),
        is_for_subdomains,
        path: path.unwrap_or_else(|| folder_of(from.path())).to_owned(),
        is_secure,
    };
    let is_over = lives.map_or_else(|| ends.is_some_and(|ends| ends <= now), |seconds| seconds <= 0);
    Some((cookie, is_over))
}

/// Whether a host is this domain or stands below it.
fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The path that a cookie is for which names none (RFC 6265 §5.1.4).
fn folder_of(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some((folder, _)) if !folder.is_empty() => folder,
        _ => "/",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is sent to `to` after `from` set these.
    fn sent(fields: &[&str], from: &str, to: &str) -> Option<String> {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        let mut jar = Jar::default();
        jar.take_in(&fields, &Url::parse(from).unwrap(), now);
        jar.field_for(&Url::parse(to).unwrap())
    }

    #[test]
    fn a_cookie_is_for_the_host_that_set_it_unless_it_names_one_above() {
        let check = |field, from, to, expected: bool| {
            assert_eq!(sent(&[field], from, to).is_some(), expected, "{field} {from} {to}");
        };
        check("a=1", "https://news.example/", "https://news.example/feed", true);
        check("a=1", "https://news.example:8443/", "http://news.example/", true);
        check("a=1", "https://news.example/", "https://www.news.example/", false);
        check("a=1; Domain=news.example", "https://id.news.example/", "https://www.news.example/", true);
        check("a=1; domain=.News.Example", "https://id.news.example/", "https://news.example/", true);
        check("a=1; Domain=news.example", "https://id.news.example/", "https://fakenews.example/", false);
        check("a=1; Domain=other.example", "https://news.example/", "https://other.example/", false);
        check("a=1; Domain=www.news.example", "https://news.example/", "https://www.news.example/", false);
        check("a=1; Domain=co.uk", "https://news.co.uk/", "https://other.co.uk/", false);
        check("a=1; Domain=co.uk", "https://news.co.uk/", "https://news.co.uk/", false);
        check("a=1; Domain=localhost", "http://localhost/", "http://localhost/", true);
        check("a=1; Domain=127.0.0.1", "http://127.0.0.1/", "http://127.0.0.1:8080/", true);
        check("a=1; Domain=0.0.1", "http://127.0.0.1/", "http://127.0.0.1/", false);
    }

    #[test]
    fn a_cookie_is_for_its_path_and_scheme() {
        let check = |field, from, to, expected: bool| {
            assert_eq!(sent(&[field], from, to).is_some(), expected, "{field} {from} {to}");
        };
        check("a=1", "https://n.example/a/b", "https://n.example/a/c", true);
        check("a=1", "https://n.example/a/b", "https://n.example/", false);
        check("a=1; Path=/a", "https://n.example/", "https://n.example/ab", false);
        check("a=1; Path=/a", "https://n.example/", "https://n.example/a/b", true);
        check("a=1; Path=/a/", "https://n.example/", "https://n.example/a/b", true);
        check("a=1; Path=a", "https://n.example/x", "https://n.example/y", true);
        check("a=1; Secure", "https://n.example/", "http://n.example/", false);
        check("a=1; Secure", "http://n.example/", "https://n.example/", true);
    }

    #[test]
    fn a_newer_one_takes_the_place_of_the_older_and_one_that_is_over_removes_it() {
        let there = "https://n.example/a/b";
        let check = |fields: &[&str], expected: Option<&str>| {
            assert_eq!(sent(fields, there, there).as_deref(), expected, "{fields:?}");
        };
        check(&["a=1; Path=/", "b=2; Path=/a", "a=3; Path=/; HttpOnly"], Some("b=2; a=3"));
        check(&["a=1", "a=; Max-Age=0"], None);
        check(&["a=1", "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], None);
        check(&["a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60"], Some("a=1"));
        check(&["a=", "=1", "b", ""], Some("a="));
        let large = format!("a={}", "x".repeat(MOST_BYTES));
        check(&[&large, "b=1"], Some("b=1"));
    }
}
