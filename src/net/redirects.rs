//! Addresses that only lead on to another one, which they name themselves.
//!
//! Pure. Alerts of search engines, networks and link shields write an address of their own in front of the page. Two feeds tell
//! of one page whichever way leads there, so folding compares where the way ends. Only services that are known are taken at
//! their word: a parameter called `url` means something else elsewhere.

use url::Url;
use url::form_urlencoded;

use crate::net::LONGEST_ADDRESS;

/// So often one may lead to another.
const MOST_STEPS: usize = 3;

/// A service: how its host ends, how its path begins, and which parameters of the query name the page.
struct Service(&'static str, &'static str, &'static [&'static str]);

const SERVICES: &[Service] = &[
    // Search engines and their alerts.
    Service("bing.com", "/news/apiclick.aspx", &["url"]),
    Service("bing.com", "/apiclick.aspx", &["url"]),
    Service("duckduckgo.com", "/l/", &["uddg"]),
    Service("news.google.com", "/news/url", &["url"]),
    Service("yandex.com", "/redir", &["url"]),
    Service("yandex.ru", "/redir", &["url"]),
    // Networks and messengers.
    Service("l.facebook.com", "/l.php", &["u"]),
    Service("lm.facebook.com", "/l.php", &["u"]),
    Service("l.instagram.com", "/", &["u"]),
    Service("out.reddit.com", "/", &["url"]),
    Service("t.umblr.com", "/redirect", &["z"]),
    Service("vk.com", "/away.php", &["to"]),
    Service("youtube.com", "/redirect", &["q"]),
    Service("steamcommunity.com", "/linkfilter", &["url", "u"]),
    Service("getpocket.com", "/redirect", &["url"]),
    Service("linkedin.com", "/redir/redirect", &["url"]),
    Service("slack-redir.net", "/link", &["url"]),
    Service("disq.us", "/url", &["url"]),
    // Shields of mail and advertising.
    Service("safelinks.protection.outlook.com", "/", &["url"]),
    Service("go.redirectingat.com", "/", &["url"]),
    Service("go.skimresources.com", "/", &["url"]),
    Service("redirect.viglink.com", "/", &["u"]),
    Service("click.linksynergy.com", "/", &["murl", "RD_PARM1"]),
    Service("awin1.com", "/cread.php", &["ued", "p"]),
    Service("prf.hn", "/click", &["destination"]),
];

/// Whether an address may be a redirect: each names its page in the query, or behind a mark in its path.
#[must_use]
pub(crate) fn may_lead_on(address: &str) -> bool {
    address.contains('?') || address.contains(MARK)
}

/// Where an address leads that is a known redirect; `None` for any other.
#[must_use]
pub(crate) fn target(address: &Url) -> Option<Url> {
    let mut found = step(address)?;
    for _ in 1..MOST_STEPS {
        let Some(next) = step(&found) else { break };
        found = next;
    }
    Some(found)
}

fn step(address: &Url) -> Option<Url> {
    let host = address.host_str()?;
    let is_of =
        |ending: &str| host.strip_suffix(ending).is_some_and(|before| before.is_empty() || before.ends_with('.'));
    let named = if is_google(host) && address.path() == "/url" {
        parameter(address, &["url", "q"])
    } else if is_of("r.search.yahoo.com") {
        behind_a_mark(address)
    } else {
        let service =
            SERVICES.iter().find(|Service(ending, path, _)| is_of(ending) && address.path().starts_with(path));
        service.and_then(|Service(_, _, names)| parameter(address, names))
    };
    named.and_then(|page| page_at(&page))
}

/// Whether it is a search engine's host in any country: `www.google.co.uk`.
fn is_google(host: &str) -> bool {
    let labels: Vec<&str> = host.trim_start_matches("www.").split('.').collect();
    matches!(labels.as_slice(), ["google", _] | ["google", "co" | "com", _])
}

fn parameter(address: &Url, names: &[&str]) -> Option<String> {
    let pairs = || address.query_pairs();
    names.iter().find_map(|name| pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()))
}

/// What stands before the page in the path of a redirect of Yahoo's search.
const MARK: &str = "/RU=";

/// The page behind the mark.
fn behind_a_mark(address: &Url) -> Option<String> {
    let (_, named) = address.path().split_once(MARK)?;
    let named = named.split('/').next().unwrap_or_default();
    let query = format!("page={}", named.replace('&', "%26").replace('+', "%2B"));
    form_urlencoded::parse(query.as_bytes()).next().map(|(_, page)| page.into_owned())
}

fn page_at(text: &str) -> Option<Url> {
    let is_web = |page: &Url| matches!(page.scheme(), "http" | "https") && page.host_str().is_some();
    Url::parse(text.trim()).ok().filter(|page| is_web(page) && page.as_str().len() <= LONGEST_ADDRESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, expected: Option<&str>) {
        let found = target(&Url::parse(address).unwrap());
        assert_eq!(found.as_ref().map(Url::as_str), expected, "{address}");
    }

    #[test]
    fn known_redirects_lead_to_the_page_that_they_name() {
        for address in [
            "https://www.google.com/url?rct=j&sa=t&url=https://paper.example/a%3Fid%3D1&ct=ga&cd=xyz&usg=abc",
            "https://www.google.co.uk/url?sa=t&q=https%3A%2F%2Fpaper.example%2Fa%3Fid%3D1",
            "http://www.bing.com/news/apiclick.aspx?ref=FexRss&aid=&tid=1&url=https%3a%2f%2fpaper.example%2fa%3fid%3d1&c=2",
            "https://news.google.com/news/url?sa=t&fd=R&url=https://paper.example/a?id=1",
            "https://l.facebook.com/l.php?u=https%3A%2F%2Fpaper.example%2Fa%3Fid%3D1&h=x",
            "https://out.reddit.com/t3_x?url=https%3A%2F%2Fpaper.example%2Fa%3Fid%3D1&token=x",
            "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fpaper.example%2Fa%3Fid%3D1&data=x",
            "https://r.search.yahoo.com/_ylt=x/RV=2/RE=1/RO=10/RU=https%3a%2f%2fpaper.example%2fa%3fid%3d1/RK=2/RS=x",
            "https://www.google.com/url?url=https%3A%2F%2Fl.facebook.com%2Fl.php%3Fu%3Dhttps%253A%252F%252Fpaper.example%252Fa%253Fid%253D1",
        ] {
            check(address, Some("https://paper.example/a?id=1"));
        }
    }

    #[test]
    fn any_other_address_is_left_alone() {
        for address in [
            "https://paper.example/url?url=https://other.example/",
            "https://google.paper.example/url?url=https://other.example/",
            "https://notbing.com/news/apiclick.aspx?url=https://other.example/",
            "https://www.google.com/search?q=https://other.example/",
            "https://www.google.com/url?url=javascript:alert(1)",
            "https://www.google.com/url?q=words",
            "https://r.search.yahoo.com/a",
        ] {
            check(address, None);
        }
    }
}
