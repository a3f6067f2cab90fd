//! Weeks of a daemon in a moment: what it decides, with a world around it that is made up.
//!
//! Pure: the store, the network and the clocks are values here. Whatever happens, no feed is forgotten, none is polled too early, no
//! herd follows an outage or a sleep, and the service manager hears of us only as long as the store's writer does something.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::agenda::Now;
use super::core::{Action, Core, Event};
use super::work::{Came, Done, Failure, Leased, Pending, Publication, Synced, Work};
use crate::config::{self, Config, EncoderConfig};
use crate::encoder::Turn as EncoderTurn;
use crate::ingest::Ingested;
use crate::maintenance::Kept;
use crate::model::{Feed, FeedRef};
use crate::net::domain::domain_of;
use crate::politeness::Politeness;
use crate::politeness::connectivity::{Asked, Side, Sign, Turn};
use crate::politeness::cooldowns::Cooldowns;
use crate::poll::{PollJob, Polled, Postponement, Report, Trigger};
use crate::publish::Published;
use crate::publish::theme::Theme;
use crate::schedule;
use crate::store;
use crate::subscriptions::Subscriptions;
use crate::websub::callback::Word;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
/// As configured for all feeds.
const MIN_INTERVAL: Duration = Duration::from_secs(300);
/// How long a poll takes, and how long its host is left alone after it.
const POLL: Duration = Duration::from_millis(200);
const GAP: Duration = SECOND;

/// What is to happen to the daemon.
enum Coming {
    Event(Event),
    Poll(PollJob),
}

struct World {
    core: Core,
    politeness: Politeness,
    steady: Duration,
    /// The clock on the wall when the daemon started, had it been set then as it is now.
    began: DateTime<Utc>,
    coming: BTreeMap<(Duration, u64), Coming>,
    /// How much was ever to come, to tell what comes at one instant apart.
    count: u64,
    /// The store: feeds, by their handles and addresses.
    feeds: BTreeMap<FeedRef, Feed>,
    handles: HashMap<String, FeedRef>,
    /// Until when each host is busy.
    busy: HashMap<String, Duration>,
    is_network_down: bool,
    is_writer_stuck: bool,
    is_disk_full: bool,
    is_encoder_down: bool,
    /// When the encoder was asked.
    put_to_the_encoder: Vec<Duration>,
    /// When each feed was asked.
    asked: BTreeMap<FeedRef, Vec<Duration>>,
    /// When each server last saw us ask for each feed.
    reached: HashMap<FeedRef, Duration>,
    /// When the service manager was told that all goes on.
    alive: Vec<Duration>,
    published: Vec<Duration>,
    /// How often it was told that a start or a reload is done.
    ready: u32,
}

impl World {
    fn new(config: Config) -> Self {
        let (politeness, began) = (Politeness::default(), DateTime::from_timestamp(1_790_000_000, 0).unwrap());
        let now = Now { wall: began, steady: Duration::ZERO };
        let (theme, none) = (Theme::from(None).unwrap(), Subscriptions::default());
        let mut world = Self {
            core: Core::new(Arc::new(config), theme, none, Vec::new(), politeness.clone(), now),
            politeness,
            steady: Duration::ZERO,
            began,
            coming: BTreeMap::new(),
            count: 0,
            feeds: BTreeMap::new(),
            handles: HashMap::new(),
            busy: HashMap::new(),
            is_network_down: false,
            is_writer_stuck: false,
            is_disk_full: false,
            is_encoder_down: false,
            put_to_the_encoder: Vec::new(),
            asked: BTreeMap::new(),
            reached: HashMap::new(),
            alive: Vec::new(),
            published: Vec::new(),
            ready: 0,
        };
        world.tell(Event::Time);
        world
    }

    fn now(&self) -> Now {
        Now { wall: self.began + TimeDelta::from_std(self.steady).unwrap(), steady: self.steady }
    }

    /// Lets time pass, with a look around each minute and a question of the service manager every thirty seconds.
    fn pass(&mut self, time: Duration) {
        let end = self.steady + time;
        let mut next_half_minute = self.steady;
        let mut turns_at_once = (self.steady, 0);
        loop {
            let rest = self.core.rests_for(self.now()).map(|rest| self.steady + rest);
            let coming = self.coming.first_key_value().map(|((at, _), _)| *at);
            let next = rest.into_iter().chain(coming).chain([next_half_minute, end]).min().unwrap().max(self.steady);
            turns_at_once = if next == turns_at_once.0 { (next, turns_at_once.1 + 1) } else { (next, 0) };
            assert!(turns_at_once.1 < 5_000, "it turns without end");
            self.steady = next;
            if coming == Some(next) {
                match self.coming.pop_first().unwrap().1 {
                    // The loop looks at no report while the store takes a configuration up.
                    Coming::Event(event @ Event::Polled(_)) if !self.core.takes_reports() => {
                        self.comes(Duration::from_millis(1), Coming::Event(event));
                    }
                    Coming::Event(event) => self.tell(event),
                    Coming::Poll(job) => self.poll(job),
                }
            } else if next == next_half_minute && next < end {
                let is_minute = (next.as_secs() / 30).is_multiple_of(2);
                next_half_minute += 30 * SECOND;
                self.tell(Event::Watchdog);
                if is_minute {
                    self.tell(Event::Look);
                }
            } else if next == end {
                return;
            } else {
                self.tell(Event::Time);
            }
        }
    }

    fn tell(&mut self, event: Event) {
        for action in self.core.handle(event, self.now()) {
            match action {
                Action::Begin(work) => self.begin(work),
                Action::Poll(jobs) => jobs.into_iter().for_each(|job| self.stand_in_line(job)),
                Action::Alive => self.alive.push(self.steady),
                Action::Show => self.published.push(self.steady),
                Action::End(error) => panic!("it ends: {error}"),
                Action::Ready => self.ready += 1,
                Action::TakeUp | Action::Greet | Action::Tell(_) => {}
            }
        }
    }

    fn comes(&mut self, after: Duration, coming: Coming) {
        self.count += 1;
        self.coming.insert((self.steady + after, self.count), coming);
    }

    fn ends(&mut self, work: Work, after: Duration, came: Came) {
        self.comes(after, Coming::Event(Event::Ended(work, came)));
    }

    fn begin(&mut self, work: Work) {
        let soon = Duration::from_millis(10);
        let refused = || Err(Failure::Store(store::Error::Busy));
        match work {
            Work::Sync | Work::Lease if self.is_disk_full => self.ends(work, soon, refused()),
            Work::Sync => {
                let synced = self.sync(self.core.pending().unwrap().clone());
                self.ends(work, 2 * soon, Ok(Done::Synced(Box::new(synced))));
            }
            Work::Lease => {
                let (agenda, now) = (self.core.agenda(), self.now().wall);
                let mut leased = Leased { feeds: Vec::new(), unreadable: Vec::new() };
                for (feed, trigger) in agenda.leasing() {
                    let state = self.feeds.get_mut(feed).unwrap();
                    leased.feeds.push((state.clone(), *trigger));
                    state.next_poll = agenda.subscriptions().after_a_crash(state, now);
                }
                self.ends(work, soon, Ok(Done::Leased(leased)));
            }
            Work::Publish => {
                let publication = Publication {
                    rendered: Published::default(),
                    edition: self.core.edition(),
                    corrections: 0,
                    is_indexed: true,
                    took: soon,
                };
                self.ends(work, 20 * soon, Ok(Done::Published(Box::new(publication))));
            }
            Work::Replan => {
                let known = self.core.tending().iter().map(|feed| self.feeds[feed].clone()).collect();
                self.ends(work, soon, Ok(Done::Known(known)));
            }
            Work::Watchdog if self.is_writer_stuck => {}
            Work::Watchdog => self.ends(work, soon, Ok(Done::Alive)),
            Work::Tidy => self.ends(work, 100 * soon, Ok(Done::Tidied(Kept { pruned: 0, is_too_large: false }))),
            Work::Files => self.ends(work, soon, Ok(Done::FilesWritten)),
            Work::Corrections => self.ends(work, soon, Ok(Done::Corrections(0))),
            Work::Hubs => self.ends(work, soon, Ok(Done::HubsAsked)),
            Work::TellHub => self.ends(work, soon, Ok(Done::HubTold)),
            Work::Notify => self.ends(work, soon, Ok(Done::Notified)),
            Work::Encode if self.is_encoder_down => {
                self.put_to_the_encoder.push(self.steady);
                self.ends(work, soon, Err(Failure::Some("it does not answer".to_owned())));
            }
            Work::Encode => {
                self.put_to_the_encoder.push(self.steady);
                let turn = EncoderTurn { encoded: 1, found: 0, is_done: true };
                self.ends(work, soon, Ok(Done::Encoded(turn)));
            }
            Work::Commands => self.ends(work, soon, Ok(Done::CommandsRun)),
            Work::Serve => panic!("nothing is served"),
        }
    }

    /// What the store makes of a configuration.
    fn sync(&mut self, pending: Pending) -> Synced {
        let (config, now) = (pending.config.clone(), self.now().wall);
        let mut handles = Vec::new();
        for feed in &config.feeds {
            let next = FeedRef(u64::try_from(self.handles.len()).unwrap());
            let handle = *self.handles.entry(feed.url.to_string()).or_insert(next);
            handles.push((handle, feed));
        }
        let subscriptions = Subscriptions::of(&config, handles.iter().copied());
        let mut due = Vec::new();
        for (handle, feed) in handles {
            let subscription = subscriptions.subscription(handle).unwrap();
            let state = self.feeds.entry(handle).or_insert_with(|| {
                let first = schedule::first_poll(
                    &subscription.cadence,
                    subscription.min_interval,
                    feed.url.as_str(),
                    config.feeds.len(),
                    now,
                );
                Feed {
                    next_poll: first.at,
                    planned_by: Some(subscription.plan_name(false)),
                    ..Feed::unasked(handle, feed.url.as_str())
                }
            });
            let wanted = subscription.plan_name(state.told_until.is_some());
            if state.planned_by.as_ref() != Some(&wanted) {
                state.next_poll = subscription.replan(state).map_or(state.next_poll, |due| due.at);
                state.planned_by = Some(wanted);
            }
            due.push((handle, state.next_poll));
        }
        let (outputs, watchers) = (subscriptions.outputs(&config), subscriptions.watchers(&config));
        Synced { pending, subscriptions, outputs, watchers, due, cooldowns: Cooldowns::default() }
    }

    /// A host's feeds are asked one after the other.
    fn stand_in_line(&mut self, job: PollJob) {
        let free = self.busy.entry(job.feed.target().host_str().unwrap().to_owned()).or_default();
        let begins = self.steady.max(*free);
        *free = begins + POLL + GAP;
        self.comes(begins - self.steady, Coming::Poll(job));
    }

    /// Asks a feed's server.
    fn poll(&mut self, job: PollJob) {
        let now = self.now().wall;
        let side = Side::of(job.feed.target()).expect("all these feeds are on the network");
        let PollJob { mut feed, subscription, trigger, .. } = job;
        let later = now + TimeDelta::seconds(60);
        if trigger == Trigger::Due && self.politeness.uplinks().is_down(side) {
            feed.next_poll = later;
            return self.report(*feed, Polled::Postponed(Postponement::Offline), Turn::None, Duration::ZERO);
        }
        let is_broken = feed.name.contains("broken");
        let is_dead = feed.name.contains("dead");
        let sign = if self.is_network_down || is_dead { Sign::Unreachable } else { Sign::Answered };
        self.asked.entry(feed.feed).or_default().push(self.steady);
        if sign == Sign::Answered
            && let Some(before) = self.reached.insert(feed.feed, self.steady)
        {
            let gap = self.steady - before;
            assert!(gap >= MIN_INTERVAL, "{} is polled too early, after {gap:?}", feed.name);
        }
        let domain = domain_of(feed.target());
        let turn = self.politeness.uplinks().note(
            side,
            Asked { feed: feed.feed, domain: &domain, is_failing: feed.failures > 0 },
            sign,
            now,
        );
        feed.last_poll = Some(now);
        if matches!(turn, Turn::Down(_) | Turn::StillDown) {
            feed.next_poll = later;
            return self.report(*feed, Polled::Postponed(Postponement::Offline), turn, POLL);
        }
        let polled = if sign == Sign::Unreachable || is_broken {
            feed.failures += 1;
            Polled::Failed("nobody answers".to_owned())
        } else {
            feed.failures = 0;
            let has_news = (feed.feed.0 + self.count).is_multiple_of(5);
            if has_news { Polled::Document(Ingested { added: 1, ..Ingested::default() }) } else { Polled::Unchanged }
        };
        let due = subscription.plan(&feed, None, None, now);
        (feed.next_poll, feed.next_poll_why) = (due.at, due.reason);
        feed.planned_by = Some(subscription.plan_name(feed.told_until.is_some()));
        self.report(*feed, polled, turn, POLL);
    }

    fn report(&mut self, feed: Feed, polled: Polled, turn: Turn, after: Duration) {
        if let Turn::Down(others) = &turn {
            for (other, times) in others {
                let failures = &mut self.feeds.get_mut(other).unwrap().failures;
                *failures = failures.saturating_sub(*times);
            }
        }
        self.feeds.insert(feed.feed, feed.clone());
        let report = Report { feed: Arc::new(feed), polled, outcome: None, turn };
        self.comes(after, Coming::Event(Event::Polled(Ok(report))));
    }

    fn reload(&mut self, config: Config) {
        self.tell(Event::Reread(Ok(Box::new((config, None)))));
    }

    /// Puts the clock on the wall ahead, or back.
    fn set_the_clock(&mut self, by: TimeDelta) {
        self.began += by;
    }

    /// The machine sleeps: the clock that nobody sets stands still.
    fn sleep(&mut self, time: TimeDelta) {
        self.began += time;
    }

    /// How often each second saw somebody asked, since then.
    fn most_asked_a_second(&self, since: Duration) -> usize {
        let mut seconds: HashMap<u64, usize> = HashMap::new();
        for at in self.asked.values().flatten().filter(|at| **at >= since) {
            *seconds.entry(at.as_secs()).or_default() += 1;
        }
        seconds.into_values().max().unwrap_or(0)
    }

    /// The longest that a feed that is not broken was left alone in this time.
    fn longest_gap(&self, (from, to): (Duration, Duration)) -> (Duration, String) {
        let gap = |(feed, asked): (&FeedRef, &Vec<Duration>)| {
            let within = asked.iter().copied().filter(|at| *at >= from && *at <= to);
            let ends: Vec<Duration> = std::iter::once(from).chain(within).chain([to]).collect();
            let longest = ends.array_windows().map(|[one, other]| *other - *one).max().unwrap_or_default();
            (longest, self.feeds[feed].name.clone())
        };
        let is_meant = |(feed, _): &(&FeedRef, &Vec<Duration>)| {
            self.core.agenda().subscriptions().subscription(**feed).is_some()
                && !self.feeds[*feed].name.contains("broken")
                && self.feeds[*feed].told_until.is_none()
        };
        self.asked.iter().filter(is_meant).map(gap).max().unwrap()
    }

    /// Every feed of the configuration is due some day, in line or being asked.
    fn assert_that_none_is_forgotten(&self) {
        let agenda = self.core.agenda();
        let mut known = agenda.all();
        known.sort_unstable();
        let configured: Vec<FeedRef> = agenda.subscriptions().handles().collect();
        assert_eq!(known, configured, "each is under way or due, and once");
    }
}

#[test]
fn servers_that_are_gone_are_taken_for_our_outage_once_and_keep_nobody_else_from_being_polled() {
    let feed = |n: u32, kind: &str| {
        format!("[[feed]]\nname = \"{kind} {n}\"\nurl = \"https://{kind}{n}.example/{kind}{n}\"\n")
    };
    for alive in [1, 3, 10, 30] {
        let feeds: String = (0..5).map(|n| feed(n, "dead")).chain((0..alive).map(|n| feed(n, "alive"))).collect();
        let text = format!("[poll]\ninterval = \"15m\"\n{feeds}");
        let mut world = World::new(config::from_toml(&text, Path::new("/n.toml")).unwrap());
        world.pass(12 * HOUR);
        world.assert_that_none_is_forgotten();
        for (feed, asked) in &world.asked {
            let name = &world.feeds[feed].name;
            let least = if name.contains("alive") { 40 } else { 2 };
            assert!(asked.len() >= least, "{name} was asked {} times beside {alive}", asked.len());
        }
        let dead = world.feeds.values().filter(|feed| feed.name.contains("dead"));
        assert!(dead.clone().all(|feed| feed.failures >= 3), "it counts against them after that");
    }
}

/// Three hundred feeds of a hundred hosts, five of which are broken; some have an interval of their own, or a crontab line.
fn configuration(feeds: impl Iterator<Item = u32>, interval: &str) -> Config {
    let feed = |n: u32| {
        let (host, kind) = (n % 100, if n % 60 == 7 { "broken" } else { "feed" });
        let cadence = match n % 50 {
            0 => "schedule = \"*/20 * * * *\"\n".to_owned(),
            1 => "interval = \"6h\"\n".to_owned(),
            _ => format!("interval = \"{interval}\"\n"),
        };
        format!("[[feed]]\nname = \"{kind} {n}\"\nurl = \"https://host{host}.example/{kind}{n}\"\n{cadence}")
    };
    let feeds: String = feeds.map(feed).collect();
    config::from_toml(&format!("[poll]\ncontact = \"a@b.example\"\n{feeds}"), Path::new("/n.toml")).unwrap()
}

#[test]
fn a_month_passes_and_no_feed_is_forgotten_or_polled_too_early() {
    let mut world = World::new(configuration(0..300, "1h"));
    world.pass(DAY);
    world.assert_that_none_is_forgotten();
    assert_eq!(world.asked.len(), 300);
    assert!(world.most_asked_a_second(Duration::ZERO) <= 40, "a first start is spread");
    let (gap, name) = world.longest_gap((HOUR, DAY));
    assert!(gap <= 6 * HOUR + 15 * MINUTE, "{name} waited {gap:?}");

    // Our network is down for five hours; what was missed is asked when it is back, spread out.
    world.is_network_down = true;
    let down = world.steady;
    world.pass(5 * HOUR);
    let asked = world.asked.values().flatten().filter(|at| **at > down + 10 * MINUTE).count();
    assert!(asked < 300, "a few are tried now and then: {asked}");
    world.is_network_down = false;
    let up = world.steady;
    world.pass(HOUR);
    world.assert_that_none_is_forgotten();
    assert!(world.most_asked_a_second(up) <= 30, "no herd follows: {}", world.most_asked_a_second(up));
    let blamed = world.feeds.values().filter(|feed| feed.failures > 0 && !feed.name.contains("broken")).count();
    assert_eq!(blamed, 0, "it counts against nobody");

    // The machine sleeps for a night; the clock is put right, ahead and back.
    world.sleep(TimeDelta::hours(9));
    let awake = world.steady;
    world.pass(HOUR);
    assert!(world.most_asked_a_second(awake) <= 30, "no herd follows: {}", world.most_asked_a_second(awake));
    let (gap, name) = world.longest_gap((awake, awake + HOUR));
    assert!(gap <= HOUR, "{name} waited {gap:?}");
    for step in [TimeDelta::hours(-30), TimeDelta::days(2), TimeDelta::minutes(-3), TimeDelta::seconds(40)] {
        world.set_the_clock(step);
        let set = world.steady;
        world.pass(8 * HOUR);
        world.assert_that_none_is_forgotten();
        let (gap, name) = world.longest_gap((set, set + 8 * HOUR));
        assert!(gap <= 6 * HOUR + 40 * MINUTE, "after {step}: {name} waited {gap:?}");
    }

    // Feeds come and go with reloads, and intervals change; a reload while the disk is full waits for it.
    for day in 0..4_u32 {
        let interval = if day % 2 == 0 { "30m" } else { "2h" };
        world.is_disk_full = day == 2;
        world.reload(configuration((day * 20)..(300 + day * 10), interval));
        world.pass(HOUR);
        world.is_disk_full = false;
        world.pass(5 * HOUR);
        world.assert_that_none_is_forgotten();
        assert_eq!(world.core.agenda().subscriptions().len(), 300 - usize::try_from(day).unwrap() * 10);
    }

    // A hub tells of twenty feeds, and one day does no more.
    let until = world.now().wall + TimeDelta::days(10);
    let told: Vec<FeedRef> = world.feeds.keys().copied().filter(|feed| (100..120).contains(&feed.0)).collect();
    told.iter().for_each(|feed| world.feeds.get_mut(feed).unwrap().told_until = Some(until));
    world.pass(3 * DAY);
    for feed in &told {
        world.feeds.get_mut(feed).unwrap().told_until = None;
        world.tell(Event::Told(Word::Ended(*feed)));
    }
    world.pass(DAY);
    let (gap, name) = world.longest_gap((world.steady - 20 * HOUR, world.steady));
    assert!(gap <= 6 * HOUR + 15 * MINUTE, "{name} waited {gap:?}");

    let rest = 30 * DAY - world.steady.min(30 * DAY);
    world.pass(rest);
    world.assert_that_none_is_forgotten();
    let often = world.published.array_windows().all(|[one, other]| *other - *one >= Duration::from_millis(1_900));
    assert!(often, "what changed within two seconds is published together");
    assert!(world.alive.array_windows().all(|[one, other]| *other - *one <= MINUTE), "all went on");
    let polls: usize = world.asked.values().map(Vec::len).sum();
    assert!(polls > 100_000, "{polls}");
}

#[test]
fn the_service_manager_hears_of_us_only_while_the_writer_does_something() {
    let mut world = World::new(configuration(0..30, "1h"));
    world.pass(10 * MINUTE);
    assert!(world.alive.len() >= 19);
    world.is_writer_stuck = true;
    let (stuck, before) = (world.steady, world.alive.len());
    world.pass(10 * MINUTE);
    assert!(world.alive.len() <= before + 1, "it is silent from {stuck:?} on");
    world.is_writer_stuck = false;
    world.ends(Work::Watchdog, SECOND, Ok(Done::Alive));
    world.pass(10 * MINUTE);
    assert!(world.alive.len() >= before + 19);
}

#[test]
fn a_store_that_refuses_has_nobody_asked_until_it_does_not() {
    let mut world = World::new(configuration(0..30, "10m"));
    world.pass(30 * MINUTE);
    world.is_disk_full = true;
    let full = world.steady;
    world.pass(2 * HOUR);
    let asked = world.asked.values().flatten().filter(|at| **at > full + MINUTE).count();
    assert_eq!(asked, 0, "nobody is asked while the answer could not be kept");
    assert!(!world.core.health().reasons.is_empty());
    // Who reloads is not kept waiting, and told again when it is in force.
    let told = world.ready;
    world.reload(configuration(0..31, "10m"));
    world.pass(MINUTE);
    assert_eq!((world.ready, world.core.agenda().subscriptions().len()), (told + 1, 30));
    world.is_disk_full = false;
    world.pass(30 * MINUTE);
    world.assert_that_none_is_forgotten();
    assert!(world.core.health().reasons.is_empty());
    assert_eq!((world.ready, world.core.agenda().subscriptions().len()), (told + 2, 31));
    let back: BTreeSet<FeedRef> = world
        .asked
        .iter()
        .filter(|(_, asked)| asked.last().is_some_and(|at| *at > full))
        .map(|(feed, _)| *feed)
        .collect();
    // Those that are asked every six hours may not have been due.
    assert!(back.len() >= 25, "{back:?}");
}

#[test]
fn an_encoder_that_is_down_is_asked_once_a_minute_and_makes_nobody_ill() {
    let mut config = configuration(0..30, "10m");
    let url = "http://127.0.0.1:8000/v1/embeddings".parse().unwrap();
    let (model, prefix) = Default::default();
    config.fold.encoder = Some(EncoderConfig { url, model, key: None, prefix, patience: 10 * SECOND });
    let mut world = World::new(config.clone());
    world.pass(30 * MINUTE);
    assert!(world.put_to_the_encoder.len() > 3, "what is new is put to it");
    assert!(world.core.health().warnings.is_empty());
    world.is_encoder_down = true;
    let (down, published) = (world.steady, world.published.len());
    world.pass(DAY);
    let asked = world.put_to_the_encoder.iter().filter(|at| **at > down).count();
    assert!((24 * 50..24 * 75).contains(&asked), "{asked}");
    assert!(world.published.len() > published + 24, "all else goes on");
    let health = world.core.health();
    assert!(health.reasons.is_empty(), "{:?}", health.reasons);
    assert!(health.warnings.iter().any(|warning| warning.contains("it does not answer")), "{:?}", health.warnings);
    // Who takes it out is told of it no more.
    config.fold.encoder = None;
    world.reload(config);
    world.pass(MINUTE);
    assert_eq!(world.core.health().warnings, [""; 0]);
    let asked = world.put_to_the_encoder.len();
    world.pass(HOUR);
    assert_eq!(world.put_to_the_encoder.len(), asked);
}
