//! Which entry speaks for a story.
//!
//! Pure. The order of preference is: the feed's configured priority, a publisher that owns the page it links to, the fuller
//! text, the earlier telling. A choice is settled soon after the story is founded, so that no reader sees it flip.

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
    /// Whether the feed and the page it links to have one publisher: the same host, or one a subdomain of the other.
    pub owns_page: bool,
    /// How much text it carries, in bytes.
    pub text_bytes: usize,
    /// When it was first seen.
    pub first_seen: DateTime<Utc>,
}

/// The one of `tellings` that should speak for a story founded at `founded`, which `current` speaks for now.
///
/// `current` stays when the story is settled, unless it is no longer among the tellings.
#[must_use]
pub fn choose(tellings: &[Speaker], current: EntryRef, founded: DateTime<Utc>, now: DateTime<Utc>) -> EntryRef {
    let still_tells = tellings.iter().any(|speaker| speaker.entry == current);
    if still_tells && now - founded > UNSETTLED {
        return current;
    }
    tellings.iter().max_by_key(|speaker| rank(speaker)).map_or(current, |speaker| speaker.entry)
}

fn rank(speaker: &Speaker) -> impl Ord {
    // Text counts by its order of magnitude: a few words more are no fuller telling.
    let fullness = speaker.text_bytes.checked_ilog2().map_or(0, |log| log / 2);
    (speaker.priority, speaker.owns_page, fullness, Reverse(speaker.first_seen), Reverse(speaker.entry))
}

/// Whether a feed at host `feed` and a page at host `page` have one publisher: `feeds.example.org` and `www.example.org` do.
#[must_use]
pub fn same_publisher(feed: &str, page: &str) -> bool {
    let bare = |host: &str| host.strip_prefix("www.").unwrap_or(host).to_owned();
    let (feed, page) = (bare(feed), bare(page));
    feed == page || feed.ends_with(&format!(".{page}")) || page.ends_with(&format!(".{feed}"))
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
            owns_page: false,
            text_bytes: 100,
            first_seen: at("2026-01-01T00:00:00Z"),
        }
    }

    fn check(tellings: &[Speaker], now: &str, expected: u64) {
        assert_eq!(choose(tellings, EntryRef(1), at("2026-01-01T00:00:00Z"), at(now)), EntryRef(expected));
    }

    #[test]
    fn priority_then_owner_then_fullness_then_the_earliest() {
        let soon = "2026-01-01T00:10:00Z";
        check(&[speaker(1), speaker(2)], soon, 1);
        check(&[speaker(1), Speaker { text_bytes: 5000, ..speaker(2) }], soon, 2);
        check(&[speaker(1), Speaker { text_bytes: 110, ..speaker(2) }], soon, 1);
        check(&[Speaker { text_bytes: 5000, ..speaker(1) }, Speaker { owns_page: true, ..speaker(2) }], soon, 2);
        check(&[Speaker { owns_page: true, ..speaker(1) }, Speaker { priority: 1, ..speaker(2) }], soon, 2);
    }

    #[test]
    fn a_settled_story_keeps_its_speaker_until_it_is_withdrawn() {
        let later = "2026-01-01T01:00:00Z";
        check(&[speaker(1), Speaker { priority: 9, ..speaker(2) }], later, 1);
        check(&[Speaker { priority: 9, ..speaker(2) }], later, 2);
    }

    #[test]
    fn a_publisher_owns_its_subdomains() {
        assert!(same_publisher("feeds.example.org", "www.example.org"));
        assert!(same_publisher("example.org", "news.example.org"));
        assert!(!same_publisher("badexample.org", "example.org"));
    }
}
