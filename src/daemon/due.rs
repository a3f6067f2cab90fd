//! Which feeds are due, and what came of polling them.
//!
//! Edge: moves due times in the store and sends feeds to their hosts' lines.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Daemon, Error};
use crate::clock;
use crate::hosts::Outcome;
use crate::manners::uplink::{Side, Turn};
use crate::model::{Feed, FeedRef};
use crate::poll::{Errand, Polled, Postponement, Report, Urgency};
use crate::schedule::{self, ClockStep};
use crate::store::{self, feeds};

/// The longest sleep: after a suspend or a step of the clock, what has come due meanwhile waits no longer.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// How long nobody is asked after the store refused to write.
const AFTER_TROUBLE: Duration = Duration::from_secs(60);
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
                tracing::warn!(seconds = step.num_seconds(), "the clock was put back, and due times with it");
                self.due = self.due.drain().map(|Reverse((at, feed))| Reverse((at + step, feed))).collect();
            }
            ClockStep::Ahead(step) => {
                tracing::info!(seconds = step.num_seconds(), "the clock leapt ahead, or the machine slept");
                self.spread(now, |at, _| at <= now);
            }
        }
    }

    /// Spreads the polls of the feeds that `is_meant` names, which may all be made now.
    pub(super) fn spread(&mut self, now: DateTime<Utc>, is_meant: impl Fn(DateTime<Utc>, FeedRef) -> bool) {
        let count = self.due.iter().filter(|Reverse((at, feed))| is_meant(*at, *feed)).count();
        let roster = &self.roster;
        let later = |Reverse((at, feed)): Reverse<(DateTime<Utc>, FeedRef)>| {
            let address = roster.address(feed).map_or("", |address| address.as_str());
            Reverse((if is_meant(at, feed) { schedule::after_a_gap(address, count, now) } else { at }, feed))
        };
        self.due = self.due.drain().map(later).collect();
    }

    /// Takes the feeds that are due from the heap, with how urgent each is. While our network is down all but a few wait.
    pub(super) fn due_now(&mut self, now: DateTime<Utc>) -> Vec<(FeedRef, Urgency)> {
        let mut chosen = Vec::new();
        let mut waiting = Vec::new();
        let mut probes: HashMap<Side, usize> = HashMap::new();
        while let Some(Reverse((_, feed))) = self.due.peek().copied().filter(|Reverse((at, _))| *at <= now) {
            self.due.pop();
            let Some(address) = self.roster.address(feed) else { continue };
            let side = Side::of(address);
            if !self.manners.uplinks().is_down(side) {
                chosen.push((feed, Urgency::Due));
                continue;
            }
            let left = probes.entry(side).or_insert_with(|| self.manners.uplinks().allowance(side, now));
            if *left > 0 {
                *left -= 1;
                chosen.push((feed, Urgency::Probe));
            } else {
                self.offline.insert(feed);
                waiting.push(Reverse((now + OFFLINE_LOOK, feed)));
            }
        }
        self.due.extend(waiting);
        chosen
    }

    /// Sends the feeds that are due to their hosts' lines, after moving their due times in the store.
    pub(super) async fn poll_due(&mut self, now: DateTime<Utc>) -> Result<(), Error> {
        let chosen = self.due_now(now);
        if chosen.is_empty() {
            return Ok(());
        }
        let feeds: Vec<FeedRef> = chosen.iter().map(|(feed, _)| *feed).collect();
        let (asked, roster) = (feeds.clone(), self.roster.clone());
        let leased = move |desk: &mut store::Desk<'_>| {
            let states: Vec<Feed> =
                asked.iter().map(|feed| feeds::one(desk.tx, *feed)).collect::<store::Result<_>>()?;
            let lease = |feed: &Feed| (feed.feed, roster.after_a_crash(feed, now));
            feeds::lease(desk.tx, &states.iter().map(lease).collect::<Vec<_>>(), now)?;
            Ok(states)
        };
        match self.store.write(feeds.len() * 64, leased).await {
            Ok(states) => {
                self.store_trouble = None;
                let errands = states.into_iter().zip(chosen).filter_map(|(feed, (_, urgency))| {
                    let subscription = self.roster.subscription(feed.feed)?.clone();
                    self.in_flight.insert(feed.feed);
                    Some(Errand { feed: Box::new(feed), subscription, urgency })
                });
                self.hosts.push(errands);
            }
            Err(store::Error::Closed) => return Err(store::Error::Closed.into()),
            Err(error) => {
                // Nothing is asked of anyone while we could not keep the answer.
                self.store_trouble = Some(error.to_string());
                let later = schedule::after(now, AFTER_TROUBLE);
                self.due.extend(feeds.into_iter().map(|feed| Reverse((later, feed))));
            }
        }
        self.tell_health();
        Ok(())
    }

    /// Notes what came of a poll.
    pub(super) fn take(&mut self, report: Outcome) {
        match report {
            Ok(Report { feed, polled, outcome, turn }) => {
                self.in_flight.remove(&feed.feed);
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
                if let Some(subscription) = self.roster.subscription(feed.feed).filter(|_| feed.retired_at.is_none()) {
                    // The configuration may have been read again meanwhile.
                    let is_planned = matches!(polled, Polled::Postponed(_))
                        || feed.planned_by == Some(subscription.plan_name(feed.told_until.is_some()));
                    let due = if is_planned { None } else { subscription.replan(&feed) };
                    self.due.push(Reverse((due.map_or(feed.next_poll, |due| due.at), feed.feed)));
                }
                match polled {
                    Polled::Failed(why) => {
                        self.failing.insert(feed.feed, why);
                    }
                    Polled::Document(_) | Polled::Unchanged | Polled::Gone => {
                        self.failing.remove(&feed.feed);
                    }
                    Polled::Postponed(Postponement::Held) => {}
                    Polled::Postponed(Postponement::Offline) => {
                        self.offline.insert(feed.feed);
                    }
                }
                self.turn(turn, clock::now());
            }
            // What the feed brought is lost with its validators, so nothing of it is missed later.
            Err((feed, error)) => {
                self.in_flight.remove(&feed);
                let least =
                    self.roster.subscription(feed).map_or(AFTER_TROUBLE, |of| of.min_interval.max(AFTER_TROUBLE));
                let again = schedule::after(clock::now(), least);
                self.due.push(Reverse((again, feed)));
                let (name, again) = (self.roster.name(feed), again.format("%Y-%m-%d %H:%MZ"));
                tracing::warn!(feed.name = name, "what it brought could not be stored, next try {again}: {error}");
                self.store_trouble = Some(error.to_string());
            }
        }
        self.tell_health();
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
                tracing::info!(feeds = offline.len(), "the network is back; what was missed is polled now, spread out");
                self.spread(now, |_, feed| offline.contains(&feed));
            }
        }
    }
}
