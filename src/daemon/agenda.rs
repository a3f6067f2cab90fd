//! When each feed is polled: which are due, which are under way, and what moves that.
//!
//! Pure but for the log and the locks of `politeness`. Each feed has a due time. A feed that is chosen has its
//! due time moved in the store first (`lease`), so that a crash in a loop hammers no server; it is under way from then until
//! its report comes, and is due again after that. So each feed that is not gone is either under way or due, at any instant.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

use super::rounds::{Due, Rounds};
use super::work::Leased;
use crate::model::{Feed, FeedRef};
use crate::politeness::Politeness;
use crate::politeness::connectivity::{Side, Turn};
use crate::poll::{PollJob, Polled, Postponement, Report, Trigger};
use crate::schedule::{self, ClockStep};
use crate::store::{self, Policy};
use crate::subscriptions::Subscriptions;

/// The longest sleep: after a suspend or a step of the clock, what has come due meanwhile waits no longer.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// How long nobody is asked after the store refused to write.
const AFTER_TROUBLE: Duration = Duration::from_secs(60);
/// While our network is down, how long feeds that are due wait before it is looked at again.
const OFFLINE_LOOK: TimeDelta = TimeDelta::seconds(5);

/// An instant by two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Now {
    /// By the one on the wall, which may be set.
    pub(super) wall: DateTime<Utc>,
    /// Since the daemon started, by one that nobody sets.
    pub(super) steady: Duration,
}

/// The polls that are to be made.
pub(super) struct Agenda {
    subscriptions: Subscriptions,
    politeness: Politeness,
    /// When each feed that is not being polled is due.
    due: BTreeSet<(DateTime<Utc>, FeedRef)>,
    /// Rounds of hosts that feeds which are due wait for.
    rounds: Rounds,
    /// Feeds that were asked since the configuration was read.
    asked: HashSet<FeedRef>,
    in_flight: HashSet<FeedRef>,
    /// Those of them whose due times are being moved.
    leasing: Vec<(FeedRef, Trigger)>,
    /// Those of them whose address the configuration has changed.
    moved: HashSet<FeedRef>,
    failing: HashMap<FeedRef, String>,
    /// How often in a row the store could not read a feed, or take in what it brought.
    unreadable: HashMap<FeedRef, u32>,
    /// Feeds whose polls were lost to an outage on our side.
    offline: HashSet<FeedRef>,
    /// Those of them that were tried since it began.
    tried: HashSet<FeedRef>,
    /// When polls were last spread.
    spread_at: DateTime<Utc>,
    /// When the two clocks were last looked at, to tell when one of them was set.
    looked: Now,
}

impl Agenda {
    /// Nothing is due until [`Agenda::take_up`] says what is.
    pub(super) fn new(subscriptions: Subscriptions, politeness: Politeness, now: Now) -> Self {
        Self {
            subscriptions,
            politeness,
            due: BTreeSet::new(),
            rounds: Rounds::default(),
            in_flight: HashSet::new(),
            asked: HashSet::new(),
            leasing: Vec::new(),
            moved: HashSet::new(),
            failing: HashMap::new(),
            unreadable: HashMap::new(),
            offline: HashSet::new(),
            tried: HashSet::new(),
            spread_at: DateTime::<Utc>::MIN_UTC,
            looked: now,
        }
    }

    /// Who is polled, and how.
    pub(super) fn subscriptions(&self) -> &Subscriptions {
        &self.subscriptions
    }

    /// When the next poll is due.
    pub(super) fn next(&self) -> Option<DateTime<Utc>> {
        self.due.first().map(|(at, _)| *at)
    }

    /// How many feeds are in line or being polled.
    pub(super) fn under_way(&self) -> usize {
        self.in_flight.len()
    }

    /// How many feeds failed the last time.
    pub(super) fn failing(&self) -> usize {
        self.failing.len()
    }

    /// The feeds whose due times are to be moved, each with how urgent it is.
    pub(super) fn leasing(&self) -> &[(FeedRef, Trigger)] {
        &self.leasing
    }

    /// How long to sleep until a feed is due.
    pub(super) fn until_due(&self, now: Now) -> Duration {
        let next = self.next().map_or(TimeDelta::MAX, |at| at - now.wall);
        next.to_std().unwrap_or(Duration::ZERO).min(LONGEST_SLEEP)
    }

    /// Takes up the feeds of a configuration, and when they are due. Polls under way finish as they were begun.
    pub(super) fn take_up(
        &mut self,
        subscriptions: Subscriptions,
        due: Vec<(FeedRef, DateTime<Utc>)>,
        now: DateTime<Utc>,
    ) {
        // What is under way asks the address from before; the one of now is asked next, and not when that was to be asked.
        let is_moved = |feed: &&FeedRef| {
            let (before, now) = (self.subscriptions.address(**feed), subscriptions.address(**feed));
            before.is_some() && now.is_some() && before != now
        };
        let moved: Vec<FeedRef> = self.in_flight.iter().filter(is_moved).copied().collect();
        self.moved.extend(moved);
        self.subscriptions = subscriptions;
        self.politeness.uplinks().expect(self.subscriptions.addresses());
        self.asked.clear();
        let waits = |(feed, _): &(FeedRef, DateTime<Utc>)| !self.in_flight.contains(feed);
        // What was overdue when it was spread, after an outage or a sleep, is so by the store still.
        let known: HashMap<FeedRef, DateTime<Utc>> = self.due.iter().map(|(at, feed)| (*feed, *at)).collect();
        let spread =
            |feed, at| known.get(&feed).copied().filter(|known| at <= self.spread_at && *known > now).unwrap_or(at);
        self.due = due.into_iter().filter(waits).map(|(feed, at)| (spread(feed, at), feed)).collect();
        let subscriptions = &self.subscriptions;
        self.failing.retain(|feed, _| subscriptions.subscription(*feed).is_some());
        self.unreadable.retain(|feed, _| subscriptions.subscription(*feed).is_some());
    }

    /// Keeps due times right when the clock is set, and when the machine slept.
    ///
    /// A clock that was put back would leave every feed waiting for a time that has been; one that leapt ahead makes all feeds
    /// due at once.
    pub(super) fn heed_the_clock(&mut self, now: Now) {
        let then = std::mem::replace(&mut self.looked, now);
        match schedule::clock_step(then.wall, now.wall, now.steady.saturating_sub(then.steady)) {
            ClockStep::None => {}
            ClockStep::Back(step) => {
                self.rounds.clear();
                tracing::warn!(
                    name: "clock.put_back",
                    seconds = step.num_seconds(),
                    "the clock was put back, and due times with it"
                );
                self.due = self.due.iter().map(|(at, feed)| (*at + step, *feed)).collect();
            }
            ClockStep::Ahead(step) => {
                tracing::info!(
                    name: "clock.leapt",
                    seconds = step.num_seconds(),
                    "the clock leapt ahead, or the machine slept"
                );
                self.spread(now.wall, |at, _| at <= now.wall);
            }
        }
    }

    /// Spreads the polls of the feeds that `is_meant` names, which may all be made now.
    fn spread(&mut self, now: DateTime<Utc>, is_meant: impl Fn(DateTime<Utc>, FeedRef) -> bool) {
        self.spread_at = now;
        let count = self.due.iter().filter(|(at, feed)| is_meant(*at, *feed)).count();
        let subscriptions = &self.subscriptions;
        let later = |(at, feed): (DateTime<Utc>, FeedRef)| {
            let address = subscriptions.address(feed).map_or("", |address| address.as_str());
            (if is_meant(at, feed) { schedule::after_a_gap(address, count, now) } else { at }, feed)
        };
        self.due = self.due.iter().copied().map(later).collect();
    }

    /// Chooses the feeds that are to be polled now; gives whether there are any. Their due times are to be moved first.
    pub(super) fn choose(&mut self, now: DateTime<Utc>) -> bool {
        self.leasing = self.due_now(now);
        self.in_flight.extend(self.leasing.iter().map(|(feed, _)| *feed));
        !self.leasing.is_empty()
    }

    /// Takes the feeds that are due now, with how urgent each is. While our network is down all but a few wait.
    fn due_now(&mut self, now: DateTime<Utc>) -> Vec<(FeedRef, Trigger)> {
        let mut due = Vec::new();
        while self.due.first().is_some_and(|(at, _)| *at <= now) {
            due.extend(self.due.pop_first().map(|(_, feed)| feed));
        }
        let mut chosen = Vec::new();
        let mut cut_off: HashMap<Side, Vec<FeedRef>> = HashMap::new();
        due.retain(|feed| {
            let Some(address) = self.subscriptions.address(*feed) else { return false };
            let dead_side = Side::of(address).filter(|side| self.politeness.uplinks().is_down(*side));
            if let Some(side) = dead_side {
                cut_off.entry(side).or_default().push(*feed);
            }
            dead_side.is_none()
        });
        for (side, feeds) in cut_off {
            chosen.extend(self.probes(side, feeds, now).into_iter().map(|feed| (feed, Trigger::Probe)));
        }
        self.gather(&due, now);
        for feed in due {
            let host = self.subscriptions.address(feed).map_or("", host_of);
            match self.rounds.begins(host) {
                Some(begins) => drop(self.due.insert((begins, feed))),
                None => chosen.push((feed, Trigger::Due)),
            }
        }
        chosen
    }

    /// The feeds that are tried to see whether our network is back: those first that were not tried yet, because some may be dead
    /// whatever our network does. All others wait for the next time, so that they are there together.
    fn probes(&mut self, side: Side, mut feeds: Vec<FeedRef>, now: DateTime<Utc>) -> Vec<FeedRef> {
        let (most, next_try) = {
            let mut uplinks = self.politeness.uplinks();
            (uplinks.allowance(side, now), uplinks.next_try(side).unwrap_or(now))
        };
        feeds.sort_by_key(|feed| self.tried.contains(feed));
        let waiting = feeds.split_off(most.min(feeds.len()));
        self.tried.extend(&feeds);
        self.offline.extend(&waiting);
        let again = next_try.max(now + OFFLINE_LOOK);
        self.due.extend(waiting.into_iter().map(|feed| (again, feed)));
        feeds
    }

    /// Opens the rounds that feeds which are due wait for.
    fn gather(&mut self, due: &[FeedRef], now: DateTime<Utc>) {
        if due.is_empty() {
            return;
        }
        let subscriptions = &self.subscriptions;
        let waiting = due.iter().filter_map(|feed| {
            // Somebody who subscribed to it looks for its first news.
            let is_new = subscriptions.is_new(*feed) && !self.asked.contains(feed);
            let slack = if is_new { Duration::ZERO } else { subscriptions.subscription(*feed)?.slack(now) };
            Some(Due { host: host_of(subscriptions.address(*feed)?), until: schedule::after(now, slack) })
        });
        let waiting: Vec<Due<'_>> = waiting.collect();
        // Nobody waits for a feed that is due later than that.
        let latest = waiting.iter().map(|due| due.until).max().unwrap_or(now);
        let soon = self.due.range(..=(latest, FeedRef(u64::MAX)));
        let coming = soon.filter_map(|(at, feed)| Some((*at, host_of(subscriptions.address(*feed)?))));
        self.rounds.open(&waiting, coming, now);
    }

    /// The polls of the feeds whose due times were moved.
    pub(super) fn leased(&mut self, leased: Leased, now: DateTime<Utc>) -> Vec<PollJob> {
        self.leasing.clear();
        for (feed, error) in leased.unreadable {
            self.in_flight.remove(&feed);
            self.set_aside(feed, &error, now);
        }
        let mut jobs = Vec::new();
        for (feed, trigger) in leased.feeds {
            self.unreadable.remove(&feed.feed);
            self.asked.insert(feed.feed);
            match self.subscriptions.subscription(feed.feed) {
                Some(subscription) => {
                    jobs.push(PollJob { subscription: subscription.clone(), feed: Box::new(feed), trigger, slow: None })
                }
                // The configuration was read again meanwhile.
                None => drop(self.in_flight.remove(&feed.feed)),
            }
        }
        jobs
    }

    /// Nothing is asked of anyone while we could not keep the answer.
    pub(super) fn put_off(&mut self, now: DateTime<Utc>) {
        let later = schedule::after(now, AFTER_TROUBLE);
        for (feed, _) in std::mem::take(&mut self.leasing) {
            self.in_flight.remove(&feed);
            self.due.insert((later, feed));
        }
    }

    /// A feed that the store cannot read, or whose news it cannot take in, costs no other its poll. It is tried more and more
    /// rarely.
    fn set_aside(&mut self, feed: FeedRef, error: &store::Error, now: DateTime<Utc>) {
        let times = self.unreadable.entry(feed).or_default();
        let wait = AFTER_TROUBLE.saturating_mul(2_u32.saturating_pow(*times)).min(schedule::LONGEST_WAIT);
        *times += 1;
        let again = self.again_after(feed, wait, now);
        let (name, next) = (self.subscriptions.name(feed), again.format("%Y-%m-%d %H:%MZ"));
        tracing::warn!(
            name: "feed.unreadable",
            { feed.name = name },
            "the feed cannot be read from the store or written to it, next try {next}: {error}"
        );
        self.failing.insert(feed, error.to_string());
    }

    /// Has a feed be due after a wait, which is no shorter than its shortest interval.
    fn again_after(&mut self, feed: FeedRef, wait: Duration, now: DateTime<Utc>) -> DateTime<Utc> {
        let least = self.subscriptions.subscription(feed).map_or(wait, |of| of.min_interval.max(wait));
        let again = schedule::after(now, least);
        self.due.insert((again, feed));
        again
    }

    /// What a feed brought could not be stored. It is lost with its validators, so nothing of it is missed later.
    pub(super) fn not_stored(&mut self, feed: FeedRef, error: &store::Error, now: DateTime<Utc>) {
        self.in_flight.remove(&feed);
        self.moved.remove(&feed);
        if error.policy() == Policy::Report {
            self.set_aside(feed, error, now);
        } else {
            let again = self.again_after(feed, AFTER_TROUBLE, now);
            let (name, again) = (self.subscriptions.name(feed), again.format("%Y-%m-%d %H:%MZ"));
            tracing::warn!(
                name: "feed.not_stored",
                { feed.name = name },
                "what it brought could not be stored, next try {again}: {error}"
            );
        }
    }

    /// Notes what came of a poll.
    pub(super) fn polled(&mut self, Report { feed, polled, turn, .. }: Report, now: DateTime<Utc>) {
        self.in_flight.remove(&feed.feed);
        self.unreadable.remove(&feed.feed);
        let is_moved = self.moved.remove(&feed.feed);
        if let Some(subscription) =
            self.subscriptions.subscription(feed.feed).filter(|_| is_moved || feed.retired_at.is_none())
        {
            // The configuration may have been read again meanwhile.
            let is_planned = matches!(polled, Polled::Postponed(_))
                || feed.planned_by == Some(subscription.plan_name(feed.told_until.is_some()));
            let planned_anew = || {
                let retry = subscription.retry(&feed, self.subscriptions.len(), now);
                retry.or_else(|| subscription.replan(&feed)).map_or(feed.next_poll, |due| due.at)
            };
            let due = match () {
                () if is_moved => now,
                () if is_planned => feed.next_poll,
                () => planned_anew(),
            };
            self.due.insert((due, feed.feed));
        }
        // One that was tried to see whether our network is back is not asked again when it is.
        if polled != Polled::Postponed(Postponement::Offline) {
            self.offline.remove(&feed.feed);
        }
        match polled {
            Polled::Failed(why) => {
                self.failing.insert(feed.feed, why);
            }
            Polled::List(_) | Polled::Document(_) | Polled::Unchanged | Polled::Gone => {
                self.failing.remove(&feed.feed);
            }
            Polled::Postponed(Postponement::Held) => {}
            Polled::Postponed(Postponement::Offline) => {
                self.offline.insert(feed.feed);
            }
        }
        self.turn(turn, now);
    }

    /// What a poll says about the network on our side.
    fn turn(&mut self, turn: Turn, now: DateTime<Utc>) {
        match turn {
            Turn::None | Turn::StillDown => {}
            Turn::Down(feeds) => {
                feeds.iter().for_each(|(feed, _)| drop(self.failing.remove(feed)));
                self.tried.clear();
                self.offline.extend(feeds.into_iter().map(|(feed, _)| feed));
                let offline = self.offline.clone();
                self.spread(now, |_, feed| offline.contains(&feed));
            }
            Turn::Up => {
                let offline = std::mem::take(&mut self.offline);
                tracing::info!(
                    name: "network.up",
                    feeds = offline.len(),
                    "the network is back; what was missed is polled now, spread out"
                );
                self.spread(now, |_, feed| offline.contains(&feed));
            }
        }
    }

    /// Plans feeds anew that their hubs tell of no more.
    pub(super) fn replan(&mut self, states: Vec<Feed>) {
        for state in states {
            let feed = state.feed;
            let due = self.subscriptions.subscription(feed).filter(|_| state.retired_at.is_none());
            if let Some(due) = due.and_then(|subscription| subscription.replan(&state))
                && !self.in_flight.contains(&feed)
            {
                self.due.retain(|(_, known)| *known != feed);
                self.due.insert((due.at, feed));
            }
        }
    }
}

/// Whose connection a feed shares; empty when it needs none.
fn host_of(address: &Url) -> &str {
    address.host_str().unwrap_or_default()
}

#[cfg(test)]
impl Agenda {
    /// The feeds that are under way, and those that are due some day.
    pub(super) fn all(&self) -> Vec<FeedRef> {
        self.in_flight.iter().copied().chain(self.due.iter().map(|(_, feed)| *feed)).collect()
    }
}
