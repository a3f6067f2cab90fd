//! What a feed's row remembers of an answer.
//!
//! Pure: the feed as it was and the answer in, the feed as it is now out. Which answer is remembered how is `decide`'s to say.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

use crate::fetch::Reply;
use crate::model::history::{Outcome, Sample};
use crate::model::{Feed, Validators};
use crate::schedule;
use crate::subscription::Subscription;

/// The longest that a failure other than 429 and 503 can keep us away by its `Retry-After`.
const LONGEST_OTHER_RETRY: Duration = schedule::LONGEST_WAIT;

/// A good answer: what failures left behind is cleared, and a permanent redirect that led to it is adopted.
///
/// `asked` is the address that the poll began at.
pub(super) fn answered(feed: &mut Feed, asked: &Url, reply: &Reply, outcome: Outcome, now: DateTime<Utc>) {
    feed.last_success = Some(now);
    feed.retired_at = None;
    feed.not_before = None;
    feed.failures = 0;
    feed.failing_since = None;
    feed.last_error = None;
    let took = millis(reply.took);
    feed.response_ms = Some(feed.response_ms.map_or(took, |before| (3 * before + took) / 4));
    feed.recent.push(Sample { at: now, took_ms: took, bytes: reply.bytes, outcome });
    // Where the configured address itself answers, it has not moved, or moved back.
    let before = feed.moved_to.take().filter(|_| *asked != feed.address);
    feed.moved_to = reply.moved_to.clone().or(before).filter(|moved| *moved != feed.address);
    if reply.is_full {
        feed.read_from.clone_from(&reply.read_from);
    }
    feed.read_from = feed.read_from.take().filter(|from| from != feed.moved_to.as_ref().unwrap_or(&feed.address));
}

/// What an answer without a new document says of the validators.
///
/// A 200 that brought the same bytes replaces both. A 304 freshens the date only if its strong entity tag is the one we hold
/// (RFC 9111 §4.3.4); one that names nothing changes nothing.
pub(super) fn refreshed(feed: &mut Feed, reply: &Reply) {
    if reply.is_full {
        feed.validators = reply.validators.clone();
        feed.last_full = feed.last_success;
    } else if reply
        .validators
        .etag
        .as_ref()
        .is_some_and(|etag| !etag.starts_with(b"W/") && Some(etag) == feed.validators.etag.as_ref())
        && reply.validators.last_modified.is_some()
    {
        feed.validators.last_modified.clone_from(&reply.validators.last_modified);
    }
    if !reply.is_full {
        feed.not_modified += 1;
        feed.saved_bytes += feed.body_bytes.unwrap_or(0);
    }
}

/// The configured address says that the feed is gone for good (410). It is believed when it said so a day before as well; until
/// then it is a failure. Gives whether it is believed.
pub(super) fn gone(feed: &mut Feed, subscription: &Subscription, took: Duration, now: DateTime<Utc>) -> bool {
    let words = "answered 410 Gone; if it says so again a day from the first time, it is not asked any more";
    failed(feed, subscription, &Failure { outcome: Outcome::Gone, what: words, retry_after: None }, took, now);
    let is_believed = feed.retired_at.is_some()
        || feed
            .recent
            .iter()
            .rev()
            .take_while(|sample| !sample.outcome.is_good())
            .any(|sample| sample.outcome == Outcome::Gone && now - sample.at >= TimeDelta::days(1));
    if is_believed {
        feed.retired_at = Some(now);
        feed.next_poll_why = format!("gone for good (410); `newsfold poll {}` asks once more", feed.name);
        feed.last_error = Some("410 Gone".into());
    }
    is_believed
}

/// The address that the feed had moved to is gone, so the configured one is asked from now on.
pub(super) fn forget_the_move(feed: &mut Feed) {
    feed.moved_to = None;
    feed.read_from = None;
    feed.validators = Validators::default();
}

/// A failure that counts against the feed; `retry_after` is what the server asked for.
pub(super) fn failed(
    feed: &mut Feed,
    subscription: &Subscription,
    failure: &Failure<'_>,
    took: Duration,
    now: DateTime<Utc>,
) {
    feed.failures += 1;
    feed.failing_since = feed.failing_since.or(Some(now));
    feed.last_error = Some(failure.what.to_owned());
    feed.recent.push(Sample { at: now, took_ms: millis(took), bytes: 0, outcome: failure.outcome });
    let longest = match failure.outcome {
        Outcome::Throttled => schedule::LONGEST_RETRY_AFTER,
        _ => LONGEST_OTHER_RETRY,
    };
    let retry_after = failure.retry_after.and_then(|wait| wait.to_std().ok()).map(|wait| wait.min(longest));
    let ended = now + took;
    feed.not_before = retry_after.map(|wait| ended + wait);
    plan_next(feed, subscription, None, retry_after, ended);
}

/// A failure, as far as the feed's row is concerned.
pub(super) struct Failure<'a> {
    pub(super) outcome: Outcome,
    pub(super) what: &'a str,
    pub(super) retry_after: Option<TimeDelta>,
}

/// A poll that could not be made, or came to nothing, through no fault of the feed's: it is made later, and nothing counts.
pub(super) fn postponed(feed: &mut Feed, until: DateTime<Utc>, why: String) {
    feed.next_poll = until;
    feed.next_poll_why = why;
}

/// Settles when the feed is polled next, and why then.
pub(super) fn plan_next(
    feed: &mut Feed,
    subscription: &Subscription,
    fresh_for: Option<Duration>,
    retry_after: Option<Duration>,
    from: DateTime<Utc>,
) {
    let due = subscription.plan(feed, fresh_for, retry_after, from);
    feed.fresh_until = fresh_for.map(|fresh| from + fresh.min(schedule::LONGEST_WAIT));
    feed.planned_by = Some(subscription.plan_name(feed.told_until.is_some()));
    feed.next_poll = due.at;
    feed.next_poll_why = due.reason;
}

pub(super) fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
