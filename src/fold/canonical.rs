//! Which entry speaks for a story.
//!
//! Pure. The order of preference is: the feed's configured priority, a publisher that owns the page it links to, who wrote it
//! before who passes it on, the fuller text, the earlier telling. A choice is settled soon after the story is founded, so
//! that no reader sees it flip; after that only a withdrawn entry loses it.

use std::cmp::Reverse;

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::EntryRef;

/// How long after its founding a story may still change its speaker.
const UNSETTLED: TimeDelta = TimeDelta::minutes(30);

/// What the choice looks at, of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speaker {
    /// Which entry.
    pub entry: EntryRef,
    /// The configured priority of its feed; higher speaks first.
    pub priority: i32,
    /// Whether the feed and the page it links to have one publisher.
    pub owner: Owner,
    /// Whether it passes on what another publisher wrote, by its own word.
    pub is_second_hand: bool,
    /// Whether its publisher took it back.
    pub is_withdrawn: bool,
    /// How much text it carries, in bytes.
    pub text_bytes: usize,
    /// When it was first seen.
    pub first_seen: DateTime<Utc>,
}

/// Whether a page is the publisher's who tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// It is somebody else's, as far as one can see.
    Another,
    /// By the feed's own word: it names the page's host as its home, and is read from elsewhere.
    Claimed,
    /// The feed is read from the page's host, or from one of which the other is a subdomain.
    Certain,
}

/// The one of `tellings` that should speak for a story founded at `founded`, which `current` speaks for now.
///
/// `current` stays when the story is settled, unless it is no longer among the tellings or was withdrawn.
#[must_use]
pub fn choose(tellings: &[Speaker], current: EntryRef, founded: DateTime<Utc>, now: DateTime<Utc>) -> EntryRef {
    let still_tells = tellings.iter().any(|speaker| speaker.entry == current && !speaker.is_withdrawn);
    if still_tells && now - founded > UNSETTLED {
        return current;
    }
    tellings.iter().max_by_key(|speaker| rank(speaker)).map_or(current, |speaker| speaker.entry)
}

fn rank(speaker: &Speaker) -> impl Ord {
    // Text counts by its order of magnitude: a few words more are no fuller telling.
    let fullness = speaker.text_bytes.checked_ilog2().map_or(0, |log| log / 2);
    let Speaker { is_withdrawn, priority, owner, is_second_hand, .. } = *speaker;
    (!is_withdrawn, priority, owner, !is_second_hand, fullness, Reverse(speaker.first_seen), Reverse(speaker.entry))
}

/// Whether a feed at host `feed` and a page at host `page` have one publisher: `feeds.example.org` and `www.example.org` do.
/// Nobody publishes at an empty host.
#[must_use]
pub fn same_publisher(feed: &str, page: &str) -> bool {
    let bare = |host| str::strip_prefix(host, "www.").unwrap_or(host);
    let (feed, page) = (bare(feed), bare(page));
    let is_within =
        |one: &str, other: &str| one.strip_suffix(other).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    !feed.is_empty() && !page.is_empty() && (is_within(feed, page) || is_within(page, feed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn speaker(entry: u64) -> Speaker {
        Speaker {
            entry: EntryRef(entry),
            priority: 0,
            owner: Owner::Another,
            is_second_hand: false,
            is_withdrawn: false,
            text_bytes: 100,
            first_seen: at("2026-01-01T00:00:00Z"),
        }
    }

    fn check(tellings: &[Speaker], now: &str, expected: u64) {
        assert_eq!(choose(tellings, EntryRef(1), at("2026-01-01T00:00:00Z"), at(now)), EntryRef(expected));
    }

    #[test]
    fn priority_then_owner_then_writer_then_fullness_then_the_earliest() {
        let soon = "2026-01-01T00:10:00Z";
        check(&[speaker(1), speaker(2)], soon, 1);
        check(&[speaker(1), Speaker { text_bytes: 5000, ..speaker(2) }], soon, 2);
        check(&[speaker(1), Speaker { text_bytes: 110, ..speaker(2) }], soon, 1);
        let full = |entry| Speaker { text_bytes: 5000, ..speaker(entry) };
        let owner = |entry, owner| Speaker { owner, ..speaker(entry) };
        check(&[Speaker { is_second_hand: true, ..full(1) }, speaker(2)], soon, 2);
        check(&[full(1), owner(2, Owner::Claimed)], soon, 2);
        check(&[owner(1, Owner::Claimed), owner(2, Owner::Certain)], soon, 2);
        check(&[owner(1, Owner::Certain), Speaker { priority: 1, ..speaker(2) }], soon, 2);
    }

    #[test]
    fn a_settled_story_keeps_its_speaker_until_it_is_withdrawn() {
        let later = "2026-01-01T01:00:00Z";
        check(&[speaker(1), Speaker { priority: 9, ..speaker(2) }], later, 1);
        check(&[Speaker { priority: 9, ..speaker(2) }], later, 2);
        check(&[Speaker { is_withdrawn: true, ..speaker(1) }, speaker(2)], later, 2);
        check(&[Speaker { is_withdrawn: true, ..speaker(1) }], later, 1);
    }

    #[test]
    fn a_publisher_owns_its_subdomains() {
        assert!(same_publisher("feeds.example.org", "www.example.org"));
        assert!(same_publisher("example.org", "news.example.org"));
        assert!(!same_publisher("badexample.org", "example.org"));
    }
}
