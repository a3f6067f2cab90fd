//! What is to be stored and told of a poll.
//!
//! Pure: the feed as it was and what came of asking in, an [`Intent`] out. What a feed's row remembers of an answer is
//! `remember`'s to say, and carrying an intent out is `submit`'s work.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::job::{PollJob, Trigger};
use super::outcome::{Answer, Asked, Error, News, Polled, Postponement};
use super::remember::{self, Failure, plan_next};
use crate::fetch::{self, Reply};
use crate::ingest::{Ingested, PollRecord};
use crate::model::history::Outcome;
use crate::model::hub::HubLinks;
use crate::model::{Feed, FeedRef, Validators};
use crate::net::domain::domain_of;
use crate::normalise::hub_links;
use crate::politeness::connectivity::{self, Side, Sign, Turn, Uplinks};
use crate::redact;
use crate::schedule;
use crate::subscription::Subscription;

/// After so long a document is asked for in full, in case "not modified" was a lie.
const FULL_AFTER: TimeDelta = TimeDelta::days(7);
/// When a poll that the network on our side kept from being made is made, unless the network is back before.
const WHEN_OFFLINE: TimeDelta = TimeDelta::seconds(60);
/// The most by which the polls that a server put off are spread when they may be made.
const HOLD_SPREAD: Duration = Duration::from_secs(300);
/// Why a feed waits while our network is down.
const OFFLINE: &str = "the network here is down; it is tried again when that is back";

/// A poll that is decided.
#[derive(Debug)]
pub(crate) struct Intent {
    /// The feed as it is to be remembered.
    pub(crate) feed: Arc<Feed>,
    /// What came of polling it.
    pub(crate) polled: Polled,
    /// What it counts as; `None` when nobody was asked.
    pub(crate) outcome: Option<Outcome>,
    /// What it says about the network on our side.
    pub(crate) turn: Turn,
    /// What the log is told at once.
    pub(crate) told: Told,
    /// What is stored.
    pub(crate) stored: Stored,
}

/// What is stored of a poll.
#[derive(Debug)]
pub(crate) enum Stored {
    /// The feed's row.
    Feed {
        /// Whose server asks to be left alone, and until when.
        cooldown: Option<(String, DateTime<Utc>)>,
        /// What the header fields say of hubs; `None` when they leave it at that.
        found: Option<HubLinks>,
    },
    /// What a document holds, with the feed's row.
    Document {
        /// The document.
        record: Arc<PollRecord>,
        /// What it and the header fields say of hubs,
        found: Option<HubLinks>,
        /// which is all that there is to say, unless it breaks off.
        is_cut_off: bool,
    },
    /// Which feeds a list names, with its row.
    List {
        /// Their addresses.
        named: BTreeSet<String>,
        /// Whether a person has asked.
        is_asked_for: bool,
    },
    /// The feed's row, and then that nothing counts against those that could not be reached either.
    Excused {
        /// These,
        others: Vec<(FeedRef, u32)>,
        /// which are polled again then,
        until: DateTime<Utc>,
        /// for this reason.
        why: &'static str,
    },
}

/// What the log is told of a poll.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Nothing, or nothing yet.
    Nothing,
    /// What we hold is what they have.
    Unchanged {
        /// How long the answer took.
        duration_ms: u64,
    },
    /// It is asked later.
    Postponed,
    /// The feed is gone for good.
    Gone,
    /// It failed, for the feed's part.
    Failed,
    /// It panicked.
    Panicked,
    /// It failed with these words while the network here is down,
    Offline(String),
    /// and is the one by which that is known.
    WentOffline(String),
}

/// A poll that is not to be made now: why, until when, and why then.
pub(crate) type Later = (Postponement, DateTime<Utc>, String);

/// What keeps a feed's server from being asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Obstacles<'a> {
    /// The domain that its server is of.
    pub(crate) domain: &'a str,
    /// Until when that wants to be left alone.
    pub(crate) cooldown: Option<DateTime<Utc>>,
    /// Whether the network on our side is down.
    pub(crate) is_offline: bool,
}

/// Why nobody is to be asked now, and until when.
pub(crate) fn before_poll(
    PollJob { feed, trigger, .. }: &PollJob,
    obstacles: Obstacles<'_>,
    now: DateTime<Utc>,
) -> Option<Later> {
    if *trigger == Trigger::Person {
        return None;
    }
    let is_sane = |until: &DateTime<Utc>| *until > now && *until <= now + schedule::LONGEST_RETRY_AFTER;
    if let Some(until) = feed.not_before.filter(is_sane) {
        return Some((Postponement::Held, until, "Retry-After".to_owned()));
    }
    if let Some(until) = obstacles.cooldown {
        let spread = HOLD_SPREAD.min((until - now).to_std().unwrap_or_default() / 10);
        let until = until + schedule::share(feed.address.as_str(), spread);
        return Some((Postponement::Held, until, format!("Retry-After of {}", obstacles.domain)));
    }
    (*trigger == Trigger::Due && obstacles.is_offline)
        .then(|| (Postponement::Offline, now + WHEN_OFFLINE, OFFLINE.to_owned()))
}

/// The validators that a server is sent: those of the document that we hold, where that came from the address that is asked.
pub(super) fn validators(feed: &Feed, address: &url::Url, now: DateTime<Utc>) -> Validators {
    // The configured address is tried again when the one it moved to fails, and what we hold came from there.
    let is_theirs = feed.moved_to.as_ref().is_none_or(|moved| moved == address);
    let is_recent = feed.last_full.is_some_and(|full| (now - full).abs() < FULL_AFTER);
    feed.validators.clone().only_if(is_theirs && feed.body_hash.is_some() && is_recent)
}

/// A poll that is made later, through no fault of the feed's.
pub(crate) fn postpone(mut feed: Feed, (postponement, until, why): Later) -> Intent {
    remember::postponed(&mut feed, until, why);
    let stored = Stored::Feed { cooldown: None, found: None };
    intent(feed, Polled::Postponed(postponement), None, Turn::None, Told::Postponed, stored)
}

/// What an answer, or that there is none, says about the network on our side.
pub(crate) fn notice(uplinks: &mut Uplinks, feed: &Feed, asked: &Asked, now: DateTime<Utc>) -> Turn {
    let Some(side) = Side::of(&asked.address) else { return Turn::None };
    let sign = match &asked.answer {
        // Nobody was asked.
        Err(Error::Fetch(fetch::Error::Held { .. })) => None,
        // It was asked before the network went down, and the answer never came.
        Err(error) if error.outcome() == Outcome::TimedOut && uplinks.is_down(side) => return Turn::StillDown,
        Err(error) => error.sign(),
        Ok(_) => Some(Sign::Answered),
    };
    let domain = domain_of(&asked.address);
    let asked = connectivity::Asked { feed: feed.feed, domain: &domain, is_failing: feed.failures > 0 };
    sign.map_or(Turn::None, |sign| uplinks.note(side, asked, sign, now))
}

/// What is to be remembered of an answer, or of none; `turn` is what that says about the network on our side.
pub(crate) fn after_poll(
    mut feed: Feed,
    subscription: &Subscription,
    Asked { address, trigger, took, answer }: Asked,
    turn: Turn,
    now: DateTime<Utc>,
) -> Intent {
    if let Err(Error::Fetch(fetch::Error::Held { until, domain })) = &answer {
        return postpone(feed, (Postponement::Held, *until, format!("Retry-After of {domain}")));
    }
    feed.polls += 1;
    match answer {
        Ok(Answer::News(news)) => take_in(feed, subscription, (&address, trigger), *news, turn, now),
        Ok(Answer::Unchanged(reply)) => {
            let outcome = if reply.is_full { Outcome::Same } else { Outcome::NotModified };
            remember::answered(&mut feed, &address, &reply, outcome, now);
            remember::refreshed(&mut feed, &reply);
            plan_next(&mut feed, subscription, reply.fresh_for, None, now + took);
            // What came with the same document was read with it; a 304 brings fields alone.
            let from = reply.read_from.as_ref().unwrap_or(&address);
            let found = hub_links::in_fields(&reply.links, from).filter(|_| !reply.is_full);
            let told = Told::Unchanged { duration_ms: remember::millis(reply.took) };
            intent(feed, Polled::Unchanged, Some(outcome), turn, told, Stored::Feed { cooldown: None, found })
        }
        Ok(Answer::Gone) => {
            let is_believed = remember::gone(&mut feed, subscription, took, now);
            let (polled, told) =
                if is_believed { (Polled::Gone, Told::Gone) } else { (Polled::Failed(words(&feed)), Told::Failed) };
            intent(feed, polled, Some(Outcome::Gone), turn, told, Stored::Feed { cooldown: None, found: None })
        }
        Err(error) if matches!(turn, Turn::Down(_) | Turn::StillDown) => excuse(feed, &error, turn, now),
        Err(error) => fail(feed, subscription, &error, turn, (now, took)),
    }
}

/// A new document.
fn take_in(
    mut feed: Feed,
    subscription: &Subscription,
    (asked, trigger): (&url::Url, Trigger),
    news: News,
    turn: Turn,
    now: DateTime<Utc>,
) -> Intent {
    let is_first = feed.last_success.is_none();
    let News { reply, hash, title, link, hints, repairs, is_cut_off, found, entries, list } = news;
    remember::answered(&mut feed, asked, &reply, Outcome::Document, now);
    let Reply { validators, fresh_for, bytes, took, .. } = reply;
    if !is_cut_off {
        feed.validators = validators;
        feed.last_full = Some(now);
    }
    // A document that comes cut off twice in a row is all there is, and its validators are taken then.
    (feed.body_hash, feed.body_bytes) = (Some(hash), Some(bytes));
    (feed.title, feed.link, feed.hints, feed.repairs) = (title.or(feed.title), link.or(feed.link), hints, repairs);
    if let Some(named) = list {
        plan_next(&mut feed, subscription, fresh_for, None, now + took);
        let (polled, stored) = if is_cut_off {
            feed.repairs.push("the list breaks off, and nothing of it is taken".into());
            (Polled::Unchanged, Stored::Feed { cooldown: None, found: None })
        } else {
            (Polled::List(false), Stored::List { named, is_asked_for: trigger == Trigger::Person })
        };
        return intent(feed, polled, Some(Outcome::Document), turn, Told::Nothing, stored);
    }
    let (entries, options) = (entries.into(), subscription.options.clone());
    let mut record = PollRecord { feed, at: now, is_first, is_partial: false, entries, options };
    record.feed.rhythm = record.rhythm_after(&record.feed.rhythm);
    plan_next(&mut record.feed, subscription, fresh_for, None, now + took);
    let polled = Polled::Document(Ingested::default());
    let feed = record.feed.clone();
    let stored = Stored::Document { record: Arc::new(record), found, is_cut_off };
    intent(feed, polled, Some(Outcome::Document), turn, Told::Nothing, stored)
}

/// A failure that is no feed's fault: nothing is counted, and what was counted while nobody knew is taken back.
fn excuse(mut feed: Feed, error: &Error, turn: Turn, now: DateTime<Utc>) -> Intent {
    let (until, why) = (now + WHEN_OFFLINE, OFFLINE);
    remember::postponed(&mut feed, until, why.to_owned());
    let polled = Polled::Postponed(Postponement::Offline);
    let words = format!("{error}; {why}");
    let (told, stored) = match &turn {
        Turn::Down(others) => {
            let others = others.iter().copied().filter(|(other, _)| *other != feed.feed).collect();
            (Told::WentOffline(words), Stored::Excused { others, until, why })
        }
        _ => (Told::Offline(words), Stored::Feed { cooldown: None, found: None }),
    };
    intent(feed, polled, Some(Outcome::Offline), turn, told, stored)
}

/// A failure that counts against the feed.
fn fail(
    mut feed: Feed,
    subscription: &Subscription,
    error: &Error,
    turn: Turn,
    (now, took): (DateTime<Utc>, Duration),
) -> Intent {
    let what = redact::message(&error.to_string());
    let outcome = error.outcome();
    let (retry_after, cooldown) = match error {
        Error::Fetch(error) => (error.retry_after(), error.hold()),
        _ => (None, None),
    };
    remember::failed(&mut feed, subscription, &Failure { outcome, what: &what, retry_after }, took, now);
    if let (Error::Fetch(fetch::Error::GoneElsewhere(_)), Some(_)) = (error, &feed.moved_to) {
        remember::forget_the_move(&mut feed);
    }
    let cooldown = cooldown.map(|(domain, wait)| (domain.to_owned(), now + took + wait));
    let polled = Polled::Failed(words(&feed));
    intent(feed, polled, Some(outcome), turn, Told::Failed, Stored::Feed { cooldown, found: None })
}

/// A poll that panicked, which counts as a failure that is ours.
pub(super) fn after_panic(mut feed: Feed, subscription: &Subscription, now: DateTime<Utc>) -> Intent {
    feed.polls += 1;
    let what = "polling it failed in a way that is a fault of newsfold; please report it with the log";
    let failure = Failure { outcome: Outcome::Ours, what, retry_after: None };
    remember::failed(&mut feed, subscription, &failure, Duration::ZERO, now);
    let polled = Polled::Failed(words(&feed));
    let stored = Stored::Feed { cooldown: None, found: None };
    intent(feed, polled, Some(Outcome::Ours), Turn::None, Told::Panicked, stored)
}

fn intent(feed: Feed, polled: Polled, outcome: Option<Outcome>, turn: Turn, told: Told, stored: Stored) -> Intent {
    Intent { feed: Arc::new(feed), polled, outcome, turn, told, stored }
}

/// What the last failure was.
fn words(feed: &Feed) -> String {
    feed.last_error.clone().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;
    use crate::model::Hints;

    const NOW: DateTime<Utc> = DateTime::from_timestamp(1_768_046_400, 0).unwrap();
    const DOMAIN: &str = "one.example";

    fn feed() -> Feed {
        Feed::unasked(FeedRef(1), "https://one.example/feed")
    }

    fn after(feed: Feed, answer: Result<Answer, Error>, turn: Turn) -> Intent {
        let (address, trigger) = (feed.target().clone(), Trigger::Due);
        let asked = Asked { address, trigger, took: Duration::from_secs(1), answer };
        after_poll(feed, &Subscription::hourly(), asked, turn, NOW)
    }

    fn news(is_cut_off: bool) -> Result<Answer, Error> {
        let validators = Validators { etag: Some(b"\"1\"".into()), last_modified: None };
        Ok(Answer::News(Box::new(News {
            reply: Reply { validators, is_full: true, bytes: 9, ..Reply::default() },
            hash: 7,
            title: Some("Title".into()),
            link: None,
            hints: Hints::default(),
            repairs: Vec::new(),
            is_cut_off,
            found: None,
            entries: Vec::new(),
            list: None,
        })))
    }

    fn throttled(domain: Option<&str>) -> Result<Answer, Error> {
        let (status, domain) = (StatusCode::TOO_MANY_REQUESTS, domain.map(str::to_owned));
        Err(fetch::Error::Status { status, cure: String::new(), retry_after: Some(TimeDelta::hours(2)), domain }.into())
    }

    fn unreachable() -> Result<Answer, Error> {
        Err(fetch::Error::Unreachable("one.example".into(), "no route".into()).into())
    }

    #[test]
    fn a_document_is_stored_with_its_validators_unless_it_breaks_off() {
        for (is_cut_off, etag) in [(false, Some(b"\"1\"".to_vec())), (true, None)] {
            let Intent { feed, stored, .. } = after(feed(), news(is_cut_off), Turn::None);
            let Stored::Document { record, .. } = stored else { panic!("{stored:?}") };
            assert_eq!((&record.feed, record.is_first), (&*feed, true), "what is told is what is stored");
            assert_eq!((feed.validators.etag.clone(), feed.body_hash, feed.polls), (etag, Some(7), 1));
            let hour = NOW + TimeDelta::hours(1);
            assert!(feed.next_poll >= hour && feed.next_poll < hour + TimeDelta::minutes(10), "{}", feed.next_poll);
        }
    }

    #[test]
    fn a_failure_counts_and_leaves_its_domain_alone_where_the_server_asks_for_that() {
        let intent = after(feed(), throttled(Some(DOMAIN)), Turn::None);
        assert_eq!((intent.feed.failures, intent.feed.polls, intent.told), (1, 1, Told::Failed));
        assert_eq!(
            intent.feed.not_before,
            Some(NOW + TimeDelta::seconds(2 * 3600 + 1)),
            "from the end of the answer on"
        );
        let Stored::Feed { cooldown, .. } = intent.stored else { panic!("it is no document") };
        assert_eq!(cooldown, Some((DOMAIN.to_owned(), NOW + TimeDelta::seconds(2 * 3600 + 1))));
        let Stored::Feed { cooldown, .. } = after(feed(), throttled(None), Turn::None).stored else { panic!() };
        assert_eq!(cooldown, None, "in a private network");
    }

    #[test]
    fn a_feed_that_cannot_be_asked_is_put_off_and_nothing_counts() {
        let until = NOW + TimeDelta::hours(1);
        let held = Err(fetch::Error::Held { domain: DOMAIN.into(), until }.into());
        let intent = after(feed(), held, Turn::None);
        assert_eq!((intent.feed.polls, intent.feed.failures, intent.feed.next_poll), (0, 0, until));
        assert_eq!((intent.polled, intent.outcome), (Polled::Postponed(Postponement::Held), None));
    }

    #[test]
    fn while_the_network_here_is_down_no_failure_counts_and_the_first_takes_back_those_before_it() {
        let intent = after(feed(), unreachable(), Turn::StillDown);
        assert_eq!((intent.feed.polls, intent.feed.failures), (1, 0));
        assert!(matches!(intent.stored, Stored::Feed { cooldown: None, .. }));
        let Intent { feed: own, stored, .. } =
            after(feed(), unreachable(), Turn::Down(vec![(FeedRef(1), 1), (FeedRef(2), 3)]));
        let Stored::Excused { others, until, .. } = stored else { panic!("{stored:?}") };
        assert_eq!((others, until, own.next_poll), (vec![(FeedRef(2), 3)], NOW + WHEN_OFFLINE, NOW + WHEN_OFFLINE));
        assert_eq!(after(feed(), unreachable(), Turn::None).feed.failures, 1);
    }

    #[test]
    fn a_feed_is_gone_when_its_server_says_so_a_day_apart() {
        let first = after(feed(), Ok(Answer::Gone), Turn::None);
        assert!(matches!(first.polled, Polled::Failed(_)), "{:?}", first.polled);
        let (address, trigger) = (first.feed.target().clone(), Trigger::Due);
        let asked = Asked { address, trigger, took: Duration::ZERO, answer: Ok(Answer::Gone) };
        let later = NOW + TimeDelta::days(1);
        let second = after_poll((*first.feed).clone(), &Subscription::hourly(), asked, Turn::None, later);
        assert_eq!((second.polled, second.told, second.feed.retired_at), (Polled::Gone, Told::Gone, Some(later)));
    }

    #[test]
    fn who_wants_to_be_left_alone_is_asked_by_persons_alone() {
        let later = |trigger, not_before, cooldown, is_offline| {
            let feed = Box::new(Feed { not_before, ..feed() });
            let job = PollJob { feed, subscription: Arc::new(Subscription::hourly()), trigger, slow: None };
            let obstacles = Obstacles { domain: DOMAIN, cooldown, is_offline };
            before_poll(&job, obstacles, NOW).map(|(postponement, ..)| postponement)
        };
        let soon = Some(NOW + TimeDelta::minutes(5));
        for (not_before, cooldown, is_offline, expected) in [
            (None, None, false, None),
            (soon, None, false, Some(Postponement::Held)),
            (None, soon, false, Some(Postponement::Held)),
            (None, None, true, Some(Postponement::Offline)),
            (Some(NOW - TimeDelta::minutes(5)), None, false, None),
        ] {
            assert_eq!(later(Trigger::Due, not_before, cooldown, is_offline), expected);
            assert_eq!(later(Trigger::Person, not_before, cooldown, is_offline), None);
        }
        assert_eq!(later(Trigger::Probe, None, None, true), None, "or nobody would know that it is back");
    }

    #[test]
    fn validators_go_where_they_came_from_and_for_a_week() {
        let validators_of =
            |feed: &Feed, address: &str, now| !validators(feed, &address.parse().unwrap(), now).is_empty();
        let own = "https://one.example/feed";
        let held = Feed {
            validators: Validators { etag: Some(b"\"1\"".into()), last_modified: None },
            body_hash: Some(7),
            last_full: Some(NOW),
            ..feed()
        };
        assert!(validators_of(&held, own, NOW));
        assert!(!validators_of(&held, own, NOW + FULL_AFTER), "or a lie would last");
        let moved = Feed { moved_to: Some("https://two.example/feed".parse().unwrap()), ..held };
        assert!(!validators_of(&moved, own, NOW));
        assert!(validators_of(&moved, "https://two.example/feed", NOW));
    }
}
