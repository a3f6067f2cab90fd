//! Whether it is our own network that is down.
//!
//! Pure: the caller says what time it is and what came of each poll. When many servers that have nothing to do with each other
//! cannot be reached one after the other, all of which could be before, and none answers in between, the fault is ours: nothing
//! is held against the feeds, and only a few are tried now and then until one answers. A feed that was failing already says
//! nothing of our network, nor does one that was excused and has not answered since. Servers of private networks are told apart from those of the
//! internet, because a dead uplink does not reach them.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use url::{Host, Url};

use crate::model::FeedRef;
use crate::net::blocklist;

/// So many domains in a row have to be out of reach.
const MANY: usize = 5;
/// Within so long: who reads a few dozen feeds asks one every other minute.
const IN_A_ROW: TimeDelta = TimeDelta::hours(6);
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
    /// The network went down: these feeds failed only because of it.
    Down(Vec<FeedRef>),
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
    /// The side of an address.
    #[must_use]
    pub fn of(address: &Url) -> Self {
        let literal = match address.host() {
            Some(Host::Ipv4(literal)) => literal.into(),
            Some(Host::Ipv6(literal)) => literal.into(),
            Some(Host::Domain("localhost")) => return Self::Private,
            Some(Host::Domain(_)) | None => return Self::Public,
        };
        if blocklist::refused(literal, &[]).is_some() { Self::Private } else { Self::Public }
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
    /// Takes in what a poll of a feed says.
    pub fn note(&mut self, side: Side, asked: Asked<'_>, sign: Sign, now: DateTime<Utc>) -> Turn {
        self.side(side).note(asked, sign, now)
    }

    /// Whether feeds on this side are to wait.
    #[must_use]
    pub fn is_down(&self, side: Side) -> bool {
        match side {
            Side::Public => self.public.down.is_some(),
            Side::Private => self.private.down.is_some(),
        }
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
    /// Failures since somebody last answered.
    streak: Vec<(DateTime<Utc>, FeedRef, String)>,
    /// Feeds whose failures were taken for our outage, and that have not answered since.
    excused: HashSet<FeedRef>,
    down: Option<Down>,
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
            self.excused.remove(&feed);
            return self.down.take().map_or(Turn::None, |_| Turn::Up);
        }
        if self.down.is_some() {
            return Turn::StillDown;
        }
        if is_failing || self.excused.contains(&feed) {
            return Turn::None;
        }
        self.streak.retain(|(at, known, _)| (now - *at).abs() <= IN_A_ROW && *known != feed);
        self.streak.push((now, feed, domain.to_owned()));
        let mut domains: Vec<&str> = self.streak.iter().map(|(_, _, domain)| domain.as_str()).collect();
        domains.sort_unstable();
        domains.dedup();
        if domains.len() < MANY {
            return Turn::None;
        }
        self.down = Some(Down { next_try: now + FIRST_PAUSE, pause: FIRST_PAUSE });
        let excused: Vec<FeedRef> = self.streak.drain(..).map(|(_, feed, _)| feed).collect();
        self.excused.extend(&excused);
        Turn::Down(excused)
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
        let feeds = (0..5).map(FeedRef).collect();
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
    fn servers_that_are_gone_for_good_are_not_taken_for_our_outage_again_and_again() {
        let mut uplinks = Uplinks::default();
        assert!(matches!(failures(&mut uplinks, &FIVE, 0), Turn::Down(_)));
        assert_eq!(uplinks.note(Side::Public, asked(9, "f.example"), Sign::Answered, at(60)), Turn::Up);
        assert_eq!(failures(&mut uplinks, &FIVE, 100), Turn::None, "they were excused once");
        let dead = |n: u32| Asked { is_failing: true, ..asked(n.into(), FIVE[usize::try_from(n).unwrap()]) };
        assert!((0..5).all(|n| uplinks.note(Side::Public, dead(n), Sign::Unreachable, at(200)) == Turn::None));
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
    fn a_private_network_is_told_apart_from_the_internet() {
        let check = |address: &str, side| assert_eq!(Side::of(&Url::parse(address).unwrap()), side, "{address}");
        check("https://example.org/", Side::Public);
        check("http://1.1.1.1/", Side::Public);
        check("http://192.168.1.2/", Side::Private);
        check("http://[::1]/", Side::Private);
        check("http://localhost/", Side::Private);
    }
}
