//! Feeds of one host that come due a little apart go together, so that one connection serves them.
//!
//! Pure. Who is due first waits for those that follow within its slack, and all of them go when the last is due; that only
//! lengthens a wait. A round that is waited for costs a host's name and an instant, and no connection.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

/// When the rounds that are waited for begin, by host.
#[derive(Debug, Default)]
pub(super) struct Rounds(HashMap<String, DateTime<Utc>>);

/// A feed that is due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due<'a> {
    /// Its host; empty when it has none, and waits for nobody.
    pub(super) host: &'a str,
    /// Until when it can wait for others.
    pub(super) until: DateTime<Utc>,
}

impl Rounds {
    /// Opens rounds for the hosts of feeds that are due and of which no round is waited for; `coming` are the feeds that are due
    /// later, each with its host.
    pub(super) fn open<'a>(
        &mut self,
        due: &[Due<'_>],
        coming: impl Iterator<Item = (DateTime<Utc>, &'a str)>,
        now: DateTime<Utc>,
    ) {
        // Who has waited waits no more.
        let begun: HashMap<String, DateTime<Utc>> = self.0.extract_if(|_, begins| *begins <= now).collect();
        let may_wait = |host: &str| !host.is_empty() && !begun.contains_key(host) && !self.0.contains_key(host);
        let mut ends: HashMap<&str, DateTime<Utc>> = HashMap::new();
        for Due { host, until } in due.iter().filter(|due| may_wait(due.host)) {
            ends.entry(host).and_modify(|end| *end = (*end).min(*until)).or_insert(*until);
        }
        for (at, host) in coming.filter(|(at, host)| ends.get(host).is_some_and(|end| at <= end)) {
            match self.0.get_mut(host) {
                Some(begins) => *begins = at.max(*begins),
                None => drop(self.0.insert(host.to_owned(), at)),
            }
        }
    }

    /// When feeds of this host that are due go, unless that is now.
    pub(super) fn begins(&self, host: &str) -> Option<DateTime<Utc>> {
        self.0.get(host).copied()
    }

    /// Waits for nobody any more: the clock was set.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
    }

    #[test]
    fn who_is_due_waits_for_those_that_follow_within_its_slack_and_no_longer() {
        let mut rounds = Rounds::default();
        let due = |host, until| Due { host, until: at(until) };
        let coming = [(at(3), "a"), (at(9), "a"), (at(11), "a"), (at(2), "b"), (at(1), "")];
        rounds.open(&[due("a", 10), due("c", 10), due("", 10)], coming.into_iter(), at(0));
        assert_eq!(rounds.begins("a"), Some(at(9)));
        assert_eq!((rounds.begins("b"), rounds.begins("c"), rounds.begins("")), (None, None, None));
        // The next of them finds the round, and does not put it off.
        rounds.open(&[due("a", 13)], [(at(9), "a"), (at(11), "a")].into_iter(), at(3));
        assert_eq!(rounds.begins("a"), Some(at(9)));
        rounds.open(&[due("a", 19)], std::iter::once((at(11), "a")), at(9));
        assert_eq!(rounds.begins("a"), None, "it begins, whoever else comes");
    }

    #[test]
    fn of_several_that_are_due_none_waits_longer_than_it_can() {
        let mut rounds = Rounds::default();
        let due = [Due { host: "a", until: at(10) }, Due { host: "a", until: at(5) }];
        rounds.open(&due, [(at(4), "a"), (at(8), "a")].into_iter(), at(0));
        assert_eq!(rounds.begins("a"), Some(at(4)));
    }
}
