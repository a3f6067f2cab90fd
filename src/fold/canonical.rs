//! Which entry speaks for a story, and which pages an entry may speak about.
//!
//! Pure. A feed decides about its own entries and about nobody else's, so what it can claim decides nothing here: not an id, a
//! name, a home, a length or a date. What decides is the operator's word (`priority`), who told it first by our own clock, and
//! whose site a page is on: an entry that leads to a page of another site gives way to the feed that is served from there,
//! whenever that comes. Among equals the first to tell speaks, so a choice stays as it is until somebody has a better right.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use url::Url;

use crate::model::EntryRef;
use crate::model::permalink::Permalink;
use crate::net::domain::site_of;

/// The site of a feed or of a page: a registrable domain, or a host that has none. Nobody owns the pages of an empty one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Site(String);

impl Site {
    /// The site by its name, in lower case.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The site that an address is on; of a file, none.
    #[must_use]
    pub fn of(address: &Url) -> Self {
        Self(site_of(address.host_str().unwrap_or_default()).to_owned())
    }

    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a feed that is served from here owns this page.
    #[must_use]
    pub fn owns(&self, page: &Permalink) -> bool {
        !self.0.is_empty() && page.site() == self.0
    }
}

/// What the choice looks at, of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalCandidate {
    /// Which entry.
    pub entry: EntryRef,
    /// The configured priority of its feed; higher speaks first.
    pub priority: i32,
    /// The site that its feed is served from, by the operator's word.
    pub site: Site,
    /// Its page, and the page that its id leads to.
    pub pages: Vec<Permalink>,
    /// Whether it is published as new; what was old when its feed was first polled is not.
    pub is_placed: bool,
    /// Whether its publisher took it back.
    pub is_withdrawn: bool,
    /// Since when it tells this, by our own clock: its first sight, or the edit that made another entry of it.
    pub since: DateTime<Utc>,
}

impl CanonicalCandidate {
    /// What comes before the question who told it first.
    fn standing(&self) -> (bool, bool, i32) {
        (self.is_placed, !self.is_withdrawn, self.priority)
    }

    fn rank(&self) -> impl Ord + use<> {
        (self.standing(), Reverse((self.since, self.claims().next().is_some(), self.entry)))
    }

    /// The pages that it leads to and its feed does not own.
    fn claims(&self) -> impl Iterator<Item = &Permalink> {
        self.pages.iter().filter(|page| !self.site.owns(page))
    }

    fn is_at_home_at(&self, page: &Permalink) -> bool {
        self.site.owns(page) && self.pages.iter().any(|own| own.without_scheme() == page.without_scheme())
    }
}

/// The one of `candidates` that speaks for their story; `None` when there are none.
///
/// The order in which they are given does not matter.
#[must_use]
pub fn choose(candidates: &[CanonicalCandidate]) -> Option<&CanonicalCandidate> {
    let mut speaker = candidates.iter().max_by_key(|candidate| candidate.rank())?;
    // Who takes a page over may claim another in turn; each hands on once.
    for _ in candidates {
        match owner_of_a_claim(speaker, candidates) {
            Some(owner) => speaker = owner,
            None => break,
        }
    }
    Some(speaker)
}

/// The first to tell of those on whose own page the speaker stands, if they may take over from it.
fn owner_of_a_claim<'a>(
    speaker: &CanonicalCandidate,
    candidates: &'a [CanonicalCandidate],
) -> Option<&'a CanonicalCandidate> {
    let may_take_over = |other: &&CanonicalCandidate| other.standing() >= speaker.standing();
    speaker.claims().find_map(|page| {
        let at_home = candidates.iter().filter(|other| other.is_at_home_at(page)).filter(may_take_over);
        at_home.max_by_key(|other| other.rank())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An entry of the feed served from `site`, the `entry`th that we saw, which leads to these pages.
    fn candidate(entry: u64, site: &str, pages: &[&str]) -> CanonicalCandidate {
        CanonicalCandidate {
            entry: EntryRef(entry),
            priority: 0,
            site: Site::new(site),
            pages: pages.iter().map(|page| page.parse().unwrap()).collect(),
            is_placed: true,
            is_withdrawn: false,
            since: DateTime::from_timestamp(i64::try_from(entry).unwrap() * 3_600, 0).unwrap(),
        }
    }

    fn check(candidates: &[CanonicalCandidate], expected: u64) {
        let chosen = choose(candidates).map(|chosen| chosen.entry);
        assert_eq!(chosen, Some(EntryRef(expected)), "{candidates:#?}");
        let reversed: Vec<CanonicalCandidate> = candidates.iter().rev().cloned().collect();
        assert_eq!(choose(&reversed).map(|chosen| chosen.entry), chosen, "the order does not matter");
    }

    const PAGE: &str = "https://www.owner.example/news/1";

    /// What entries can say of a page, by what they claim of it.
    fn claims(entry: u64) -> [(&'static str, CanonicalCandidate); 5] {
        [
            ("the owner, by link", candidate(entry, "owner.example", &[PAGE])),
            ("the owner, by id", candidate(entry, "owner.example", &["https://owner.example/?p=1", PAGE])),
            ("another, by link", candidate(entry, "other.example", &[PAGE])),
            ("another, by id", candidate(entry, "other.example", &["https://other.example/1", PAGE])),
            ("another page", candidate(entry, "other.example", &["https://other.example/1"])),
        ]
    }

    #[test]
    fn of_each_pair_of_claims_the_owner_speaks_and_else_the_first() {
        for (at, (first_claim, first)) in claims(1).into_iter().enumerate() {
            for (after, (second_claim, second)) in claims(2).into_iter().enumerate() {
                // The first three are about the page, and so is the fourth; the last is another telling, equal to all.
                let (is_claim, is_owner) = (matches!(at, 2 | 3), matches!(after, 0 | 1));
                let expected = if is_claim && is_owner { 2 } else { 1 };
                let chosen = choose(&[first.clone(), second]).map(|chosen| chosen.entry);
                assert_eq!(chosen, Some(EntryRef(expected)), "first {first_claim}, then {second_claim}");
            }
        }
    }

    #[test]
    fn an_owner_takes_over_from_claims_on_its_page_and_from_nothing_else() {
        let first = candidate(1, "first.example", &["https://first.example/1"]);
        let copy = candidate(2, "thief.example", &["https://thief.example/2"]);
        let owner_of_the_copy = candidate(3, "thief.example", &["https://thief.example/2"]);
        let claim_on_the_copy = candidate(4, "other.example", &["https://thief.example/2"]);
        check(&[first, copy, owner_of_the_copy, claim_on_the_copy], 1);
    }

    #[test]
    fn a_feed_that_is_served_from_elsewhere_keeps_what_it_told_first() {
        let hosted = candidate(1, "host.example", &[PAGE]);
        check(&[hosted.clone(), candidate(2, "thief.example", &["https://thief.example/1"])], 1);
        check(&[hosted.clone(), candidate(2, "thief.example", &["https://thief.example/1", PAGE])], 1);
        check(&[hosted, candidate(2, "owner.example", &[PAGE])], 2);
    }

    #[test]
    fn the_operators_word_comes_before_all_that_feeds_can_do() {
        let preferred = |entry| CanonicalCandidate { priority: 1, ..candidate(entry, "other.example", &[PAGE]) };
        check(&[candidate(1, "owner.example", &[PAGE]), preferred(2)], 2);
        check(&[preferred(1), candidate(2, "owner.example", &[PAGE])], 1);
    }

    #[test]
    fn what_was_withdrawn_or_is_not_published_speaks_last() {
        let owner = candidate(2, "owner.example", &[PAGE]);
        let claim = candidate(1, "other.example", &[PAGE]);
        check(&[claim.clone(), CanonicalCandidate { is_withdrawn: true, ..owner.clone() }], 1);
        check(&[claim, CanonicalCandidate { is_placed: false, ..owner.clone() }], 1);
        check(&[CanonicalCandidate { is_withdrawn: true, ..owner }], 2);
    }

    #[test]
    fn nobody_owns_the_pages_of_no_site() {
        check(&[candidate(1, "", &[PAGE]), candidate(2, "", &[PAGE])], 1);
        assert!(choose(&[]).is_none());
    }

    prop_compose! {
        fn any_candidate()(entry in 1_u64..6, site in 0_usize..4, pages in prop::collection::vec(0_usize..4, 0..3), priority in 0..2) -> CanonicalCandidate {
            const SITES: [&str; 4] = ["a.example", "b.example", "c.example", ""];
            let page = |at: &usize| format!("https://{}/1", ["a.example", "b.example", "c.example", "d.example"][*at]);
            let pages: Vec<String> = pages.iter().map(page).collect();
            let pages: Vec<&str> = pages.iter().map(String::as_str).collect();
            CanonicalCandidate { priority, ..candidate(entry, SITES[site], &pages) }
        }
    }

    proptest! {
        #[test]
        fn whoever_leads_only_to_its_own_pages_loses_its_place_to_no_later_claim(
            honest in any_candidate(), later in prop::collection::vec(any_candidate(), 0..6),
        ) {
            let honest = CanonicalCandidate { entry: EntryRef(0), since: DateTime::UNIX_EPOCH, priority: 1, ..honest };
            prop_assume!(honest.claims().next().is_none());
            let all: Vec<CanonicalCandidate> = std::iter::once(honest).chain(later).collect();
            prop_assert_eq!(choose(&all).map(|chosen| chosen.entry), Some(EntryRef(0)));
        }

        #[test]
        fn nobody_speaks_from_a_page_whose_owner_stands_as_high(candidates in prop::collection::vec(any_candidate(), 1..7)) {
            // One claim each: a ring of claims has no owner who claims nothing.
            let candidates: Vec<CanonicalCandidate> =
                candidates.into_iter().map(|candidate| CanonicalCandidate { pages: candidate.pages.into_iter().take(1).collect(), ..candidate }).collect();
            let chosen = choose(&candidates).unwrap();
            prop_assert!(owner_of_a_claim(chosen, &candidates).is_none());
        }
    }
}
