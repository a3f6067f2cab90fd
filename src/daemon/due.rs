//! Which feeds are due, and what came of polling them.
//!
//! Edge: moves due times in the store and sends feeds to their hosts' lines.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

use super::reload::Pending;
use super::rounds::Due;
use super::tasks::{Came, Done, Work};
use super::{Daemon, Error};
use crate::clock;
use crate::host_queue::Outcome;
use crate::model::{Feed, FeedRef};
use crate::politeness::connectivity::{Side, Turn};
use crate::poll::{PollJob, Polled, Postponement, Report, Trigger};
use crate::schedule::{self, ClockStep};
use crate::store::{self, Policy, Store, feeds};
use crate::subscriptions::Subscriptions;

/// The longest sleep: after a suspend or a step of the clock, what has come due meanwhile waits no longer.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// How long nobody is asked after the store refused to write.
const AFTER_TROUBLE: Duration = Duration::from_secs(60);
/// About how much memory a lease holds on to while it waits.
const LEASE_BYTES: usize = 4096;
/// While our network is down, how long feeds that are due wait before it is looked at again.
const OFFLINE_LOOK: TimeDelta = TimeDelta::seconds(5);

impl Daemon {
    /// How long to sleep until a feed is due.
    pub(super) fn until_due(&self, now: DateTime<Utc>) -> Duration {
        let next = self.due.peek().map_or(TimeDelta::MAX, |Reverse((at, _))| *at - now);
        next.to_std().unwrap_or(Duration::ZERO).min(LONGEST_SLEEP)
    }

    /// Keeps due times right when the clock is set, and when the machine slept.
    ///
    /// A clock that was put back would leave every feed waiting for a time that has been; one that leapt ahead makes all feeds
    /// due at once.
    pub(super) fn heed_the_clock(&mut self, now: DateTime<Utc>) {
        let (then, since) = self.ticked;
        self.ticked = (now, clock::instant());
        match schedule::clock_step(then, now, since.elapsed()) {
            ClockStep::None => {}
            ClockStep::Back(step) => {
                self.rounds.clear();
                tracing::warn!(
                    name: "clock.put_back",
                    seconds = step.num_seconds(),
                    "the clock was put back, and due times with it"
                );
                self.due = self.due.drain().map(|Reverse((at, feed))| Reverse((at + step, feed))).collect();
            }
            ClockStep::Ahead(step) => {
                tracing::info!(
                    name: "clock.leapt",
                    seconds = step.num_seconds(),
                    "the clock leapt ahead, or the machine slept"
                );
                self.spread(now, |at, _| at <= now);
            }
        }
    }

    /// Spreads the polls of the feeds that `is_meant` names, which may all be made now.
    pub(super) fn spread(&mut self, now: DateTime<Utc>, is_meant: impl Fn(DateTime<Utc>, FeedRef) -> bool) {
        let count = self.due.iter().filter(|Reverse((at, feed))| is_meant(*at, *feed)).count();
        let subscriptions = &self.subscriptions;
        let later = |Reverse((at, feed)): Reverse<(DateTime<Utc>, FeedRef)>| {
            let address = subscriptions.address(feed).map_or("", |address| address.as_str());
            Reverse((if is_meant(at, feed) { schedule::after_a_gap(address, count, now) } else { at }, feed))
        };
        self.due = self.due.drain().map(later).collect();
    }

    /// Takes the feeds that are due from the heap, with how urgent each is. While our network is down all but a few wait.
    pub(super) fn due_now(&mut self, now: DateTime<Utc>) -> Vec<(FeedRef, Trigger)> {
        let mut due = Vec::new();
        while let Some(Reverse((_, feed))) = self.due.peek().copied().filter(|Reverse((at, _))| *at <= now) {
            self.due.pop();
            due.push(feed);
        }
        self.gather(&due, now);
        let mut chosen = Vec::new();
        let mut waiting = Vec::new();
        let mut probes: HashMap<Side, usize> = HashMap::new();
        for feed in due {
            let Some(address) = self.subscriptions.address(feed) else { continue };
            if let Some(begins) = self.rounds.begins(host_of(address)) {
                waiting.push(Reverse((begins, feed)));
                continue;
            }
            let side = Side::of(address);
            if !self.politeness.uplinks().is_down(side) {
                chosen.push((feed, Trigger::Due));
                continue;
            }
            let left = probes.entry(side).or_insert_with(|| self.politeness.uplinks().allowance(side, now));
            if *left > 0 {
                *left -= 1;
                chosen.push((feed, Trigger::Probe));
            } else {
                self.offline.insert(feed);
                waiting.push(Reverse((now + OFFLINE_LOOK, feed)));
            }
        }
        self.due.extend(waiting);
        chosen
    }

    /// Opens the rounds that feeds which are due wait for.
    fn gather(&mut self, due: &[FeedRef], now: DateTime<Utc>) {
        if due.is_empty() {
            return;
        }
        let subscriptions = &self.subscriptions;
        let waiting = due.iter().filter_map(|feed| {
            let slack = subscriptions.subscription(*feed)?.slack(now);
            Some(Due { host: host_of(subscriptions.address(*feed)?), until: schedule::after(now, slack) })
        });
        let waiting: Vec<Due<'_>> = waiting.collect();
        let coming =
            self.due.iter().filter_map(|Reverse((at, feed))| Some((*at, host_of(subscriptions.address(*feed)?))));
        self.rounds.open(&waiting, coming, now);
    }

    /// Begins to move the due times of the feeds that are due; polls begin when that is stored.
    pub(super) fn lease_due(&mut self, now: DateTime<Utc>) {
        let chosen = self.due_now(now);
        if chosen.is_empty() {
            return;
        }
        self.in_flight.extend(chosen.iter().map(|(feed, _)| *feed));
        self.leasing.clone_from(&chosen);
        self.tasks.begin(Work::Lease, lease(self.store.clone(), chosen, self.subscriptions.clone(), now));
        self.tell_health();
    }

    /// Sends the feeds whose due times were moved to their hosts' lines.
    pub(super) fn poll(&mut self, leased: Leased) {
        self.leasing.clear();
        for (feed, error) in leased.unreadable {
            self.in_flight.remove(&feed);
            self.set_aside(feed, &error);
        }
        let mut jobs = Vec::new();
        for (feed, trigger) in leased.feeds {
            self.unreadable.remove(&feed.feed);
            match self.subscriptions.subscription(feed.feed) {
                Some(subscription) => {
                    jobs.push(PollJob { subscription: subscription.clone(), feed: Box::new(feed), trigger, slow: None })
                }
                // The configuration was read again meanwhile.
                None => drop(self.in_flight.remove(&feed.feed)),
            }
        }
        self.host_queue.push(jobs);
    }

    /// Nothing is asked of anyone while we could not keep the answer.
    pub(super) fn put_off_leases(&mut self, now: DateTime<Utc>) {
        let later = schedule::after(now, AFTER_TROUBLE);
        for (feed, _) in std::mem::take(&mut self.leasing) {
            self.in_flight.remove(&feed);
            self.due.push(Reverse((later, feed)));
        }
    }

    /// A feed that the store cannot read, or whose news it cannot take in, costs no other its poll. It is tried more and more
    /// rarely.
    fn set_aside(&mut self, feed: FeedRef, error: &store::Error) {
        let times = self.unreadable.entry(feed).or_default();
        let wait = AFTER_TROUBLE.saturating_mul(2_u32.saturating_pow(*times)).min(schedule::LONGEST_WAIT);
        *times += 1;
        let least = self.subscriptions.subscription(feed).map_or(wait, |of| of.min_interval.max(wait));
        let again = schedule::after(clock::now(), least);
        self.due.push(Reverse((again, feed)));
        let (name, next) = (self.subscriptions.name(feed), again.format("%Y-%m-%d %H:%MZ"));
        tracing::warn!(
            name: "feed.unreadable",
            { feed.name = name },
            "the feed cannot be read from the store or written to it, next try {next}: {error}"
        );
        self.failing.insert(feed, error.to_string());
    }

    /// Notes what came of a poll.
    ///
    /// # Errors
    /// When the store refused it for a reason that waiting cannot mend.
    pub(super) fn take(&mut self, report: Outcome) -> Result<(), Error> {
        match report {
            Ok(report) => self.take_report(report),
            Err((_, error)) if error.policy() == Policy::Exit => return Err(error.into()),
            // What the feed brought is lost with its validators, so nothing of it is missed later.
            Err((feed, error)) => {
                self.in_flight.remove(&feed);
                self.moved.remove(&feed);
                if error.policy() == Policy::Report {
                    self.set_aside(feed, &error);
                } else {
                    let least = self
                        .subscriptions
                        .subscription(feed)
                        .map_or(AFTER_TROUBLE, |of| of.min_interval.max(AFTER_TROUBLE));
                    let again = schedule::after(clock::now(), least);
                    self.due.push(Reverse((again, feed)));
                    let (name, again) = (self.subscriptions.name(feed), again.format("%Y-%m-%d %H:%MZ"));
                    tracing::warn!(
                        name: "feed.not_stored",
                        { feed.name = name },
                        "what it brought could not be stored, next try {again}: {error}"
                    );
                }
            }
        }
        self.tell_health();
        Ok(())
    }

    fn take_report(&mut self, Report { feed, polled, outcome, turn }: Report) {
        self.in_flight.remove(&feed.feed);
        self.unreadable.remove(&feed.feed);
        self.counters.send_modify(|counters| {
            if let Some(outcome) = outcome {
                counters.poll(outcome, feed.recent.iter().next_back().map_or(0, |newest| newest.bytes));
            }
            if let Polled::Document(ingested) = &polled {
                counters.ingest(*ingested);
            }
        });
        self.pulse.send_modify(|pulse| pulse.polls += 1);
        self.is_stale |= matches!(&polled, Polled::Document(ingested) if ingested.changed());
        if polled == Polled::List(true) && self.pending.is_none() {
            // The feeds that it names are taken up as those of a configuration that was read again.
            self.pending = Some(Pending { config: self.config.clone(), theme: Some(self.theme.clone()) });
        }
        let is_moved = self.moved.remove(&feed.feed);
        if let Some(subscription) =
            self.subscriptions.subscription(feed.feed).filter(|_| is_moved || feed.retired_at.is_none())
        {
            // The configuration may have been read again meanwhile.
            let is_planned = matches!(polled, Polled::Postponed(_))
                || feed.planned_by == Some(subscription.plan_name(feed.told_until.is_some()));
            let due = match () {
                () if is_moved => clock::now(),
                () if is_planned => feed.next_poll,
                () => subscription.replan(&feed).map_or(feed.next_poll, |due| due.at),
            };
            self.due.push(Reverse((due, feed.feed)));
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
        self.turn(turn, clock::now());
    }

    /// What a poll says about the network on our side.
    pub(super) fn turn(&mut self, turn: Turn, now: DateTime<Utc>) {
        match turn {
            Turn::None | Turn::StillDown => {}
            Turn::Down(feeds) => {
                feeds.iter().for_each(|feed| drop(self.failing.remove(feed)));
                self.offline.extend(feeds);
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
}

/// Feeds whose due times were moved, and those that cannot be read.
pub(super) struct Leased {
    feeds: Vec<(Feed, Trigger)>,
    unreadable: Vec<(FeedRef, store::Error)>,
}

/// Moves the due times of feeds that are about to be polled. One that cannot be read stays as it is.
async fn lease(
    store: Store,
    chosen: Vec<(FeedRef, Trigger)>,
    subscriptions: Subscriptions,
    now: DateTime<Utc>,
) -> Came {
    let work = move |context: &mut store::WriteContext<'_>| {
        let mut leased = Leased { feeds: Vec::with_capacity(chosen.len()), unreadable: Vec::new() };
        for (feed, trigger) in &chosen {
            match feeds::one(context.tx, *feed) {
                Ok(state) => leased.feeds.push((state, *trigger)),
                Err(error) if error.policy() == Policy::Report => leased.unreadable.push((*feed, error)),
                Err(error) => return Err(error),
            }
        }
        let due = |(feed, _): &(Feed, Trigger)| (feed.feed, subscriptions.after_a_crash(feed, now));
        feeds::lease(context.tx, &leased.feeds.iter().map(due).collect::<Vec<_>>(), now)?;
        Ok(leased)
    };
    Ok(Done::Leased(store.write(LEASE_BYTES, work).await?))
}

/// Whose connection a feed shares; empty when it needs none.
fn host_of(address: &Url) -> &str {
    address.host_str().unwrap_or_default()
}
