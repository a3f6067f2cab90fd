//! Which outlet is which, of those that are polled here and those that aggregators pass on or name.
//!
//! Pure. What a feed calls itself says nothing about another: it would take that one's telling out of a list by its name. An
//! outlet is known by the address of its document, else by its name and the site that it is served from together. What that is
//! of an outlet that is passed on is said by the aggregator, whose word counts; of a feed that is polled here the address says
//! it, or the operator (`home`), and never the feed.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::model::permalink::Permalink;
use crate::model::{Detail, Relayed};
use crate::net::domain::site_of;
use crate::sanitise;
use crate::store::feeds::Source;
use crate::store::stories::Telling;
use crate::text;

/// The longest name of a person, a label or a feed, in characters.
const LONGEST_NAME: usize = 200;

/// A name on one line, and not a page of it.
#[must_use]
pub fn name_of(text: &str) -> String {
    text::shorten(&sanitise::line(text), LONGEST_NAME)
}

/// By what an outlet is known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Outlet {
    /// In lower case.
    name: String,
    /// Whether the operator gave it that name.
    is_named: bool,
    /// Its document.
    address: Option<String>,
    /// What it is served from; of one that is passed on, where neither its document nor its page is known, what its entry's page
    /// is on. None where nothing is known.
    sites: Vec<String>,
    /// Whether it is polled here.
    is_polled: bool,
}

impl Outlet {
    /// A feed that is polled here, under the `name` that it is shown with.
    #[must_use]
    pub fn of(source: &Source, name: &str) -> Self {
        let address = Url::parse(&source.address).ok();
        Self {
            name: name.to_lowercase(),
            is_named: source.is_named,
            address: address.as_ref().map(document),
            sites: address.as_ref().and_then(site).into_iter().collect(),
            is_polled: true,
        }
    }

    /// The same as the feed that a telling was read from, whose site is the operator's to say.
    #[must_use]
    pub(super) fn telling(&self, telling: &Telling) -> Self {
        let mut outlet = self.clone();
        // What is served from one host of a private network is told apart by the port.
        let home = Some(telling.candidate.site.as_str()).filter(|home| home.contains('.') && !is_literal(home));
        outlet.sites.extend(home.filter(|home| !outlet.sites.iter().any(|site| site == home)).map(str::to_owned));
        outlet
    }

    /// Whoever wrote an entry by the word of whom it came from, and the name; `None` where nobody is named.
    pub(super) fn written(detail: &Detail, page: Option<&Permalink>) -> Option<(String, Self)> {
        let (title, home) = detail.taken_from.as_ref()?;
        let name = name_of(title);
        let outlet = Self::relayed(&name, detail.taken_from_document.as_deref(), home.as_deref(), || {
            page.map(|page| page.as_str().to_owned())
        });
        (!name.is_empty()).then_some((name, outlet))
    }

    /// Whoever else tells a story by the word of another newsfold.
    pub(super) fn named(relayed: &Relayed) -> Self {
        let Relayed { source, page, feed_url, home, .. } = relayed;
        Self::relayed(&name_of(source), feed_url.as_deref(), home.as_deref(), || page.clone())
    }

    fn relayed(
        name: &str,
        document_at: Option<&str>,
        home: Option<&str>,
        page: impl FnOnce() -> Option<String>,
    ) -> Self {
        let parsed = |address: &str| Url::parse(address).ok();
        let address = document_at.and_then(parsed);
        let place = address.clone().or_else(|| home.and_then(parsed)).or_else(|| parsed(&page()?));
        Self {
            name: name.to_lowercase(),
            is_named: false,
            address: address.as_ref().map(document),
            sites: place.as_ref().and_then(site).into_iter().collect(),
            is_polled: false,
        }
    }

    /// Whether both are one.
    pub(super) fn is(&self, other: &Self) -> bool {
        let is_unplaced = |one: &Self, other: &Self| !one.is_polled && one.sites.is_empty() && other.may_be_unplaced();
        (self.address.is_some() && self.address == other.address)
            || (self.name == other.name
                && (self.sites.iter().any(|site| other.sites.contains(site))
                    || is_unplaced(self, other)
                    || is_unplaced(other, self)))
    }

    /// Whether its name alone tells it for one of which nothing else is known: by the word of an aggregator, or the operator's.
    const fn may_be_unplaced(&self) -> bool {
        !self.is_polled || self.is_named
    }
}

/// Outlets, each as often as it was added.
#[derive(Debug, Default)]
pub(super) struct Outlets {
    addresses: HashSet<String>,
    by_name: HashMap<String, Namesakes>,
}

/// Those of one name.
#[derive(Debug, Default)]
struct Namesakes {
    sites: HashSet<String>,
    /// Whether there is one of which nothing but the name is known.
    is_unplaced: bool,
    /// Whether there is one that may be such a one.
    may_be_unplaced: bool,
}

impl Outlets {
    /// Whether this one is among them.
    pub(super) fn have(&self, outlet: &Outlet) -> bool {
        outlet.address.as_ref().is_some_and(|address| self.addresses.contains(address))
            || self.by_name.get(&outlet.name).is_some_and(|known| {
                outlet.sites.iter().any(|site| known.sites.contains(site))
                    || (outlet.sites.is_empty() && !outlet.is_polled && known.may_be_unplaced)
                    || (known.is_unplaced && outlet.may_be_unplaced())
            })
    }
}

impl Extend<Outlet> for Outlets {
    fn extend<I: IntoIterator<Item = Outlet>>(&mut self, outlets: I) {
        for outlet in outlets {
            let (may_be_unplaced, is_unplaced) =
                (outlet.may_be_unplaced(), !outlet.is_polled && outlet.sites.is_empty());
            self.addresses.extend(outlet.address);
            let known = self.by_name.entry(outlet.name).or_default();
            known.sites.extend(outlet.sites);
            known.is_unplaced |= is_unplaced;
            known.may_be_unplaced |= may_be_unplaced;
        }
    }
}

/// The address of a document, as it is compared: without scheme, user and fragment.
fn document(address: &Url) -> String {
    let host = address.host_str().unwrap_or_default();
    let host = host.strip_prefix("www.").unwrap_or(host);
    let port = address.port().map(|port| format!(":{port}")).unwrap_or_default();
    let query = address.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{host}{port}{}{query}", address.path().trim_end_matches('/'))
}

/// What an address is served from: a registrable domain; of an address or a name of a private network, that and the port. `None`
/// for a file.
fn site(address: &Url) -> Option<String> {
    match address.host()? {
        Host::Domain(host) if host.contains('.') => Some(site_of(host).to_owned()),
        host => Some(format!("{host}:{}", address.port_or_known_default().unwrap_or_default())),
    }
}

fn is_literal(host: &str) -> bool {
    host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polled(name: &str, address: &str, is_named: bool) -> Outlet {
        let address = Url::parse(address).unwrap();
        Outlet {
            name: name.into(),
            is_named,
            address: Some(document(&address)),
            sites: site(&address).into_iter().collect(),
            is_polled: true,
        }
    }

    fn relayed(name: &str, document: Option<&str>, home: Option<&str>, page: Option<&str>) -> Outlet {
        Outlet::relayed(name, document, home, || page.map(str::to_owned))
    }

    #[test]
    fn an_outlet_is_known_by_where_it_is_and_not_by_what_it_calls_itself() {
        let check = |one: &Outlet, other: &Outlet, expected: bool| {
            assert_eq!((one.is(other), other.is(one)), (expected, expected), "{one:?} and {other:?}");
            for (one, other) in [(one, other), (other, one)] {
                let mut outlets = Outlets::default();
                outlets.extend([one.clone()]);
                assert_eq!(outlets.have(other), expected, "{one:?} and {other:?}");
            }
        };
        let feed = "https://www.meridian.example/rss/";
        let meridian = relayed("Meridian", Some(feed), Some("https://meridian.example/"), None);
        check(&polled("meridian", "http://meridian.example/rss", false), &meridian, true);
        check(&polled("the meridian", feed, false), &meridian, true);
        check(&polled("meridian", "https://feeds.meridian.example/atom", false), &meridian, true);
        check(&polled("the meridian", "https://feeds.meridian.example/atom", false), &meridian, false);
        check(&polled("meridian", "https://tribune.example/rss", false), &meridian, false);
        check(&polled("meridian", "https://tribune.example/rss", true), &meridian, false);
        // By its page, where nothing else is said of it.
        let by_page = relayed("Meridian", None, None, Some("https://meridian.example/1"));
        check(&polled("meridian", "https://meridian.example/rss", false), &by_page, true);
        check(&polled("meridian", "https://tribune.example/rss", false), &by_page, false);
        check(&meridian, &by_page, true);
        check(
            &relayed("Meridian", Some("https://tribune.example/rss"), Some("https://meridian.example/"), None),
            &meridian,
            false,
        );
        // Of one that is known by name alone, the operator's name says it, and another aggregator's.
        let by_name = relayed("Meridian", None, None, None);
        check(&polled("meridian", "https://tribune.example/rss", false), &by_name, false);
        check(&polled("meridian", "https://tribune.example/rss", true), &by_name, true);
        check(&meridian, &by_name, true);
        // Two services of one machine.
        let bridge = relayed("Meridian", Some("http://127.0.0.1:3000/rss"), None, None);
        check(&polled("meridian", "http://127.0.0.1:3000/atom", false), &bridge, true);
        check(&polled("meridian", "http://127.0.0.1:4000/atom", false), &bridge, false);
    }
}
