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
use crate::fetch::{self, Reply};
use crate::ingest::Ingested;
use crate::maintenance::Kept;
use crate::model::{Feed, FeedRef, Hints};
use crate::net::domain::domain_of;
use crate::notify::Told;
use crate::politeness::Politeness;
use crate::politeness::connectivity::{Side, Sign};
use crate::politeness::cooldowns::Cooldowns;
use crate::poll::decide::{self, Intent, Obstacles, Stored};
use crate::poll::outcome::{Answer, Asked, Error, News};
use crate::poll::{PollJob, Polled, Report};
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
/// How long a server that has enough of us asks to be left alone.
const HOLD: Duration = Duration::from_secs(7200);

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
    /// When it was last set.
    clock_set: Duration,
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
    writing_takes: Duration,
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
            clock_set: Duration::ZERO,
            coming: BTreeMap::new(),
            count: 0,
            feeds: BTreeMap::new(),
            handles: HashMap::new(),
            busy: HashMap::new(),
            is_network_down: false,
            is_writer_stuck: false,
            is_disk_full: false,
            is_encoder_down: false,
            writing_takes: 10 * Duration::from_millis(1),
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
            Work::Files => self.ends(work, self.writing_takes, Ok(Done::FilesWritten(self.writing_takes))),
            Work::Corrections => self.ends(work, soon, Ok(Done::Corrections(0))),
            Work::Hubs => self.ends(work, soon, Ok(Done::HubsAsked)),
            Work::TellHub => self.ends(work, soon, Ok(Done::HubTold)),
            Work::Notify => self.ends(work, soon, Ok(Done::Notified(Told::default()))),
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
            if state.retired_at.is_none() {
                due.push((handle, state.next_poll));
            }
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

    /// Polls a feed, with an answer that is made up.
    fn poll(&mut self, job: PollJob) {
        let (now, address) = (self.now().wall, job.feed.target().clone());
        let (domain, side) = (domain_of(&address), Side::of(&address).expect("all these feeds are on the network"));
        let cooldown = self.politeness.cooldowns().until(&domain, now);
        let is_offline = self.politeness.uplinks().is_down(side);
        if let Some(later) = decide::before_poll(&job, Obstacles { domain: &domain, cooldown, is_offline }, now) {
            return self.record(decide::postpone(*job.feed, later), Duration::ZERO);
        }
        let PollJob { feed, subscription, trigger, .. } = job;
        let answer = self.answer(&feed);
        self.asked.entry(feed.feed).or_default().push(self.steady);
        let asked = Asked { address, trigger, took: POLL, answer };
        if asked.answer.as_ref().err().is_none_or(|error| error.sign() == Some(Sign::Answered))
            && let Some(before) = self.reached.insert(feed.feed, self.steady)
        {
            // A clock that is set ahead ends what a server asked for early.
            let is_held = feed.name.contains("limited") && before > self.clock_set;
            let (gap, least) = (self.steady - before, if is_held { HOLD } else { MIN_INTERVAL });
            assert!(gap >= least, "{} is polled too early, after {gap:?}", feed.name);
        }
        let turn = decide::notice(&mut self.politeness.uplinks(), &feed, &asked, now);
        self.record(decide::after_poll(*feed, &subscription, asked, turn, now), POLL);
    }

    /// What a feed's server says: as its name has it, and one time in five that there is news.
    fn answer(&self, feed: &Feed) -> Result<Answer, Error> {
        let is = |kind: &str| feed.name.contains(kind);
        let refused =
            |status, retry_after| Err(fetch::Error::refused(status, domain_of(feed.target()), retry_after).into());
        let reply = Reply { took: POLL, bytes: 1_000, is_full: true, ..Reply::default() };
        if self.is_network_down || is("dead") {
            Err(fetch::Error::Unreachable(feed.name.clone(), "no route".to_owned()).into())
        } else if is("broken") {
            refused(500, None)
        } else if is("limited") {
            refused(429, TimeDelta::from_std(HOLD).ok())
        } else if is("gone") {
            Ok(Answer::Gone)
        } else if (feed.feed.0 + self.count).is_multiple_of(5) {
            Ok(Answer::News(Box::new(News {
                reply,
                hash: i64::try_from(self.count).unwrap(),
                title: None,
                link: None,
                hints: Hints::default(),
                repairs: Vec::new(),
                is_cut_off: is("cut"),
                found: None,
                entries: Vec::new(),
                list: None,
            })))
        } else {
            Ok(Answer::Unchanged(Box::new(Reply { is_full: feed.body_hash.is_none(), ..reply })))
        }
    }

    /// Stores what was decided of a poll, and has it reported.
    fn record(&mut self, intent: Intent, after: Duration) {
        let Intent { feed, mut polled, outcome, turn, stored, .. } = intent;
        match stored {
            Stored::Feed { cooldown: Some((domain, until)), .. } => {
                self.politeness.cooldowns().put(&domain, feed.feed, until, self.now().wall);
            }
            Stored::Excused { others, until, .. } => {
                for (other, times) in others {
                    let other = self.feeds.get_mut(&other).unwrap();
                    other.failures = other.failures.saturating_sub(times);
                    other.next_poll = until;
                }
            }
            Stored::Document { .. } => polled = Polled::Document(Ingested { added: 1, ..Ingested::default() }),
            Stored::Feed { .. } | Stored::List { .. } => {}
        }
        self.feeds.insert(feed.feed, (*feed).clone());
        self.comes(after, Coming::Event(Event::Polled(Ok(Report { feed, polled, outcome, turn }))));
    }

    fn reload(&mut self, config: Config) {
        self.tell(Event::Reread(Ok(Box::new((config, None)))));
    }

    /// Puts the clock on the wall ahead, or back.
    fn set_the_clock(&mut self, by: TimeDelta) {
        (self.began, self.clock_set) = (self.began + by, self.steady);
    }

    /// The machine sleeps: the clock that nobody sets stands still.
    fn sleep(&mut self, time: TimeDelta) {
        self.set_the_clock(time);
    }

    /// How often each second saw somebody asked, since then.
    fn most_asked_a_second(&self, since: Duration) -> usize {
        let mut seconds: HashMap<u64, usize> = HashMap::new();
        for at in self.asked.values().flatten().filter(|at| **at >= since) {
            *seconds.entry(at.as_secs()).or_default() += 1;
        }
        seconds.into_values().max().unwrap_or(0)
    }

    /// The longest that a feed whose server answers was left alone in this time.
    fn longest_gap(&self, (from, to): (Duration, Duration)) -> (Duration, String) {
        let gap = |(feed, asked): (&FeedRef, &Vec<Duration>)| {
            let within = asked.iter().copied().filter(|at| *at >= from && *at <= to);
            let ends: Vec<Duration> = std::iter::once(from).chain(within).chain([to]).collect();
            let longest = ends.array_windows().map(|[one, other]| *other - *one).max().unwrap_or_default();
            (longest, self.feeds[feed].name.clone())
        };
        let is_meant = |(feed, _): &(&FeedRef, &Vec<Duration>)| {
            self.core.agenda().subscriptions().subscription(**feed).is_some()
                && self.feeds[*feed].name.contains("feed")
                && self.feeds[*feed].told_until.is_none()
        };
        self.asked.iter().filter(is_meant).map(gap).max().unwrap()
    }

    /// Every feed of the configuration is due some day, in line or being asked, unless it is gone for good.
    fn assert_that_none_is_forgotten(&self) {
        let agenda = self.core.agenda();
        let mut known = agenda.all();
        known.sort_unstable();
        let is_there = |feed: &FeedRef| self.feeds[feed].retired_at.is_none();
        let configured: Vec<FeedRef> = agenda.subscriptions().handles().filter(is_there).collect();
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

/// Three hundred feeds of a hundred hosts; some are broken, gone, break off, or their server has enough of us; some have an interval of
/// their own, or a crontab line.
fn configuration(feeds: impl Iterator<Item = u32>, interval: &str) -> Config {
    let feed = |n: u32| {
        let (host, kind) = match n % 60 {
            7 => (n % 100, "broken"),
            // What their servers ask for holds for all feeds of a domain.
            17 => (1_000 + n, "limited"),
            27 => (n % 100, "gone"),
            37 => (n % 100, "cut"),
            _ => (n % 100, "feed"),
        };
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
    let blamed = world.feeds.values().filter(|feed| feed.failures > 0 && feed.name.contains("feed")).count();
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
    let gone: Vec<&Feed> = world.feeds.values().filter(|feed| feed.name.contains("gone")).collect();
    assert!(gone.len() >= 5 && gone.iter().all(|feed| feed.retired_at.is_some()), "410 is believed after a day");
    assert!(gone.iter().all(|feed| world.asked[&feed.feed].len() < 60), "and nobody is asked then");
    let limited = world.feeds.values().filter(|feed| feed.name.contains("limited"));
    assert!(limited.clone().count() >= 5 && limited.clone().all(|feed| world.asked[&feed.feed].len() > 5));
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
fn what_takes_long_to_publish_is_published_the_less_often() {
    let mut world = World::new(configuration(0..300, "5m"));
    for (takes, least) in [(SECOND / 10, 2), (SECOND / 2, 5), (SECOND, 10)] {
        world.writing_takes = takes;
        world.pass(MINUTE);
        let before = world.published.len();
        world.pass(30 * MINUTE);
        let gaps = world.published[before..].array_windows().map(|[one, other]| *other - *one);
        let shortest = gaps.min().unwrap();
        assert!((least * SECOND..(least + 3) * SECOND).contains(&shortest), "{takes:?}: {shortest:?}");
    }
    // Who configures something else does not wait for it.
    world.pass(MINUTE);
    let told = world.ready;
    world.reload(configuration(0..301, "5m"));
    world.pass(2 * SECOND);
    assert_eq!(world.ready, told + 1);
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
