//! Whether it is our own network that is down.
//!
//! Pure: the caller says what time it is and what came of each poll. When many servers that have nothing to do with each other
//! cannot be reached one after the other, none of whose feeds was failing before, and nobody answers in between, the fault is
//! ours: nothing is held against the feeds, and only a few are tried now and then until one answers. Where feeds of a few domains
//! are polled, all of them have to be silent. A feed that was failing already says nothing of our network, nor does one whose
//! failures were taken for ours and that has not answered since; what they fail meanwhile is taken back with the rest. Servers
//! of private networks are told apart from those of the internet, because a dead uplink does not reach them.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

use crate::model::FeedRef;
use crate::net::blocklist;
use crate::net::domain::domain_of;

/// So many domains in a row have to be out of reach, or all whose feeds are polled, where these are fewer,
const MANY: usize = 5;
/// but no fewer than these: one alone may well be down.
const FEW: usize = 2;
/// Within so long: who reads a few dozen feeds asks one every other minute.
const WITHIN: TimeDelta = TimeDelta::hours(6);
/// How many feeds are tried at a time while it is down.
pub const PROBES: usize = 3;
/// How long after the first tries the next ones come; doubled each time to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(15);
/// The longest between tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(240);

/// What a poll says about the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Somebody answered, or at least refused.
    Answered,
    /// No name, no route, no connection.
    Unreachable,
}

/// What changed with a sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Nothing.
    None,
    /// The network went down: these feeds failed only because of it, each so many times.
    Down(Vec<(FeedRef, u32)>),
    /// The network is down still, and so this failure is no feed's fault.
    StillDown,
    /// The network is back.
    Up,
}

/// Where a server lives, as far as our network matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The internet.
    Public,
    /// A private network, by its literal address.
    Private,
}

impl Side {
    /// The side of an address; none for a file of this machine, which is read whatever the network does.
    #[must_use]
    pub fn of(address: &Url) -> Option<Self> {
        let side = if blocklist::is_private(address) { Self::Private } else { Self::Public };
        (address.scheme() != "file").then_some(side)
    }
}

/// A feed that was asked.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Which.
    pub feed: FeedRef,
    /// The domain of its server.
    pub domain: &'a str,
    /// Whether it had failed already.
    pub is_failing: bool,
}

/// Our networks.
#[derive(Debug, Clone, Default)]
pub struct Uplinks {
    public: Connectivity,
    private: Connectivity,
}

impl Uplinks {
    /// Says whose feeds are polled from now on.
    pub fn expect<'a>(&mut self, addresses: impl Iterator<Item = &'a Url>) {
        let mut domains = HashSet::new();
        for address in addresses.filter(|address| Side::of(address) == Some(Side::Public)) {
            domains.insert(domain_of(address));
            if domains.len() == MANY {
                break;
            }
        }
        // Servers of a private network may all be one machine.
        self.public.domains = Some(domains.len());
    }

    /// Takes in what a poll of a feed says.
    pub fn note(&mut self, side: Side, asked: Asked<'_>, sign: Sign, now: DateTime<Utc>) -> Turn {
        self.side(side).note(asked, sign, now)
    }

    /// Whether feeds on this side are to wait.
    #[must_use]
    pub fn is_down(&self, side: Side) -> bool {
        self.next_try(side).is_some()
    }

    /// When it is time to try again whether this side is back; `None` while it is not down.
    #[must_use]
    pub fn next_try(&self, side: Side) -> Option<DateTime<Utc>> {
        let connectivity = match side {
            Side::Public => &self.public,
            Side::Private => &self.private,
        };
        connectivity.down.map(|down| down.next_try)
    }

    /// How many feeds of this side may be tried now: [`PROBES`] when it is down and time to look, none when it is down, and
    /// any number when it is not.
    pub fn allowance(&mut self, side: Side, now: DateTime<Utc>) -> usize {
        self.side(side).allowance(now)
    }

    fn side(&mut self, side: Side) -> &mut Connectivity {
        match side {
            Side::Public => &mut self.public,
            Side::Private => &mut self.private,
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Connectivity {
    /// Who could not be reached since somebody last answered.
    streak: Vec<Silent>,
    /// Feeds whose failures were taken for our outage, and that have not answered since.
    doubtful: HashSet<FeedRef>,
    /// Of how many domains feeds are polled, up to [`MANY`]; `None` where nobody said.
    domains: Option<usize>,
    down: Option<Down>,
}

/// A feed that could not be reached.
#[derive(Debug, Clone)]
struct Silent {
    feed: FeedRef,
    domain: String,
    /// When it was last asked, and how often.
    at: DateTime<Utc>,
    times: u32,
    /// Whether that says something of our network.
    is_sign: bool,
}

#[derive(Debug, Clone, Copy)]
struct Down {
    next_try: DateTime<Utc>,
    pause: Duration,
}

impl Connectivity {
    fn note(&mut self, Asked { feed, domain, is_failing }: Asked<'_>, sign: Sign, now: DateTime<Utc>) -> Turn {
        if sign == Sign::Answered {
            self.streak.clear();
            self.doubtful.remove(&feed);
            return self.down.take().map_or(Turn::None, |_| Turn::Up);
        }
        if self.down.is_some() {
            return Turn::StillDown;
        }
        self.streak.retain(|silent| (now - silent.at).abs() <= WITHIN);
        let before = self.streak.iter().position(|silent| silent.feed == feed).map(|at| self.streak.remove(at));
        let times = before.as_ref().map_or(1, |before| before.times + 1);
        let is_sign = before.is_some_and(|before| before.is_sign) || !(is_failing || self.doubtful.contains(&feed));
        self.streak.push(Silent { feed, domain: domain.to_owned(), at: now, times, is_sign });
        let signs = self.streak.iter().filter(|silent| silent.is_sign);
        let domains: HashSet<&str> = signs.map(|silent| silent.domain.as_str()).collect();
        if domains.len() < self.domains.unwrap_or(MANY).clamp(FEW, MANY) {
            return Turn::None;
        }
        self.down = Some(Down { next_try: now + FIRST_PAUSE, pause: FIRST_PAUSE });
        let silent: Vec<(FeedRef, u32)> = self.streak.drain(..).map(|silent| (silent.feed, silent.times)).collect();
        self.doubtful.extend(silent.iter().map(|(feed, _)| *feed));
        Turn::Down(silent)
    }

    fn allowance(&mut self, now: DateTime<Utc>) -> usize {
        let Some(down) = &mut self.down else { return usize::MAX };
        // A clock that was put back must not make the wait longer.
        let is_time = down.next_try <= now || down.next_try > now + LONGEST_PAUSE;
        if !is_time {
            return 0;
        }
        down.pause = (2 * down.pause).min(LONGEST_PAUSE);
        down.next_try = now + down.pause;
        PROBES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn asked(feed: u64, domain: &str) -> Asked<'_> {
        Asked { feed: FeedRef(feed), domain, is_failing: false }
    }

    fn failures(uplinks: &mut Uplinks, domains: &[&str], from: i64) -> Turn {
        let mut turn = Turn::None;
        for (n, domain) in (0_u32..).zip(domains) {
            turn = uplinks.note(Side::Public, asked(n.into(), domain), Sign::Unreachable, at(from + i64::from(n)));
        }
        turn
    }

    const FIVE: [&str; 5] = ["a.example", "b.example", "c.example", "d.example", "e.example"];

    #[test]
    fn many_unrelated_hosts_out_of_reach_at_once_are_our_outage() {
        let mut uplinks = Uplinks::default();
        let feeds = (0..5).map(|feed| (FeedRef(feed), 1)).collect();
        assert_eq!(failures(&mut uplinks, &FIVE, 0), Turn::Down(feeds));
        assert!(uplinks.is_down(Side::Public) && !uplinks.is_down(Side::Private));
        assert_eq!(uplinks.note(Side::Public, asked(9, "f.example"), Sign::Unreachable, at(9)), Turn::StillDown);
        assert_eq!(uplinks.note(Side::Public, asked(9, "f.example"), Sign::Answered, at(60)), Turn::Up);
        assert!(!uplinks.is_down(Side::Public));
    }

    #[test]
    fn one_answer_or_a_common_domain_or_a_long_time_makes_it_theirs() {
        let mut uplinks = Uplinks::default();
        failures(&mut uplinks, &FIVE[..4], 0);
        uplinks.note(Side::Public, asked(7, "g.example"), Sign::Answered, at(4));
        assert_eq!(failures(&mut uplinks, &FIVE[4..], 5), Turn::None);
        assert_eq!(failures(&mut Uplinks::default(), &["a.example"; 9], 0), Turn::None);
        let mut uplinks = Uplinks::default();
        failures(&mut uplinks, &FIVE[..4], 0);
        assert_eq!(failures(&mut uplinks, &FIVE[4..], 100_000), Turn::None);
    }

    #[test]
    fn a_few_feeds_asked_now_and_then_show_an_outage_too() {
        let mut uplinks = Uplinks::default();
        let tell = |uplinks: &mut Uplinks, n: u32| {
            let domain = FIVE[usize::try_from(n).unwrap()];
            uplinks.note(Side::Public, asked(n.into(), domain), Sign::Unreachable, at(i64::from(n) * 1200))
        };
        assert!((0..4).all(|n| tell(&mut uplinks, n) == Turn::None));
        assert!(matches!(tell(&mut uplinks, 4), Turn::Down(_)));
    }

    #[test]
    fn where_few_domains_are_polled_all_of_them_have_to_be_silent() {
        let url = |domain: &str| Url::parse(&format!("https://feeds.{domain}/1")).unwrap();
        let check = |domains: &[&str], silent: usize, is_down: bool| {
            let (addresses, mut uplinks): (Vec<Url>, _) =
                (domains.iter().map(|domain| url(domain)).collect(), Uplinks::default());
            uplinks.expect(addresses.iter());
            failures(&mut uplinks, &domains[..silent], 0);
            assert_eq!(uplinks.is_down(Side::Public), is_down, "{silent} of {domains:?}");
        };
        check(&FIVE[..3], 3, true);
        check(&FIVE[..3], 2, false);
        check(&FIVE[..1], 1, false);
        check(&["a.com", "b.com", "c.com", "d.com", "e.com", "f.com", "g.com"], 4, false);
        check(&["a.com", "b.com", "c.com", "d.com", "e.com", "f.com", "g.com"], 5, true);
    }

    #[test]
    fn servers_that_are_gone_for_good_are_not_taken_for_our_outage_again_and_again() {
        let mut uplinks = Uplinks::default();
        assert!(matches!(failures(&mut uplinks, &FIVE, 0), Turn::Down(_)));
        assert_eq!(uplinks.note(Side::Public, asked(9, "f.example"), Sign::Answered, at(60)), Turn::Up);
        assert_eq!(failures(&mut uplinks, &FIVE, 100), Turn::None, "they were excused once");
        uplinks.note(Side::Public, asked(9, "f.example"), Sign::Answered, at(150));
        let dead = |n: u32| Asked { is_failing: true, ..asked(n.into(), FIVE[usize::try_from(n).unwrap()]) };
        assert!((0..5).all(|n| uplinks.note(Side::Public, dead(n), Sign::Unreachable, at(200)) == Turn::None));
        uplinks.note(Side::Public, asked(9, "f.example"), Sign::Answered, at(250));
        // One that answers is as good a sign as any other after that.
        (0..5).for_each(|n| drop(uplinks.note(Side::Public, asked(n, "x.example"), Sign::Answered, at(300))));
        assert!(matches!(failures(&mut uplinks, &FIVE, 400), Turn::Down(_)));
    }

    #[test]
    fn while_it_is_down_a_few_are_tried_ever_more_rarely() {
        let mut uplinks = Uplinks::default();
        assert_eq!(uplinks.allowance(Side::Public, at(0)), usize::MAX);
        failures(&mut uplinks, &FIVE, 0);
        let tries: Vec<i64> = (0..1000).filter(|second| uplinks.allowance(Side::Public, at(*second)) > 0).collect();
        assert_eq!(tries, [19, 49, 109, 229, 469, 709, 949]);
    }

    #[test]
    fn what_a_feed_failed_before_it_was_known_is_taken_back_whether_it_was_a_sign_or_not() {
        let mut uplinks = Uplinks::default();
        let flaky = Asked { is_failing: true, ..asked(7, "g.example") };
        assert_eq!(uplinks.note(Side::Public, flaky, Sign::Unreachable, at(0)), Turn::None);
        failures(&mut uplinks, &FIVE[..4], 1);
        let again = Asked { is_failing: true, ..asked(0, FIVE[0]) };
        assert_eq!(uplinks.note(Side::Public, again, Sign::Unreachable, at(900)), Turn::None);
        let Turn::Down(mut silent) = uplinks.note(Side::Public, asked(4, FIVE[4]), Sign::Unreachable, at(1000)) else {
            panic!("five domains are silent")
        };
        silent.sort_unstable();
        let expected = [(0, 2), (1, 1), (2, 1), (3, 1), (4, 1), (7, 1)].map(|(feed, times)| (FeedRef(feed), times));
        assert_eq!(silent, expected);
    }

    #[test]
    fn a_private_network_is_told_apart_from_the_internet() {
        let side = |address: &str| Side::of(&Url::parse(address).unwrap());
        assert_eq!(side("file:///srv/feeds/notes.xml"), None, "a file of this machine");
        let check = |address: &str, expected| assert_eq!(side(address), Some(expected), "{address}");
        check("https://example.org/", Side::Public);
        check("http://1.1.1.1/", Side::Public);
        check("http://192.168.1.2/", Side::Private);
        check("http://[::1]/", Side::Private);
        check("http://localhost/", Side::Private);
        check("http://rss-bridge/", Side::Private);
        check("http://nas.lan/feed", Side::Private);
    }
}
