//! Hubs and our subscriptions there, over restarts.
//!
//! Edge: SQL on the connection it is given. Asking and listening are `websub`'s work.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Connection, OptionalExtension, params};
use url::Url;

use crate::model::FeedRef;
use crate::model::hub::HubLinks;
use crate::model::hub::HubMode;
use crate::store::{Error, Result, millis};

/// How soon a hub is asked again that grants less: one that says `0` may mean no end.
const SOONEST_RENEWAL: TimeDelta = TimeDelta::hours(1);
/// How long a hub has to ask back before it, or the next one, is asked; twice as long when all had their turn, to a day.
const FIRST_PATIENCE: TimeDelta = TimeDelta::hours(1);
const LONGEST_PATIENCE: TimeDelta = TimeDelta::days(1);
/// When a hub that will not tell us is asked again.
const AFTER_DENIAL: TimeDelta = TimeDelta::days(7);
/// How many messages of a feed's hub are remembered, the newest.
const REMEMBERED_MESSAGES: usize = 256;
/// How many times a hub is asked to stop; after that the subscription runs out by itself.
const FAREWELLS: u32 = 3;
/// How long a hub that knows us by another address has to ask back whether it is to stop, before it is asked anew.
const BEFORE_ASKED_ANEW: TimeDelta = TimeDelta::minutes(1);

/// Something to ask of a hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// For which feed,
    pub feed: FeedRef,
    /// as it is called.
    pub name: String,
    /// Whom.
    pub hub: Url,
    /// What about.
    pub topic: String,
    /// The address that it is to call begins with this,
    pub public_url: String,
    /// and ends with this.
    pub callback: String,
    /// What it is to sign with.
    pub secret: String,
    /// What for.
    pub mode: HubMode,
}

/// Whose news is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// From which hub,
    pub hub: Url,
    /// of which feed,
    pub feed: FeedRef,
    /// as it is called.
    pub name: String,
    /// What it is signed with.
    pub secret: String,
    /// What relative addresses in it are relative to.
    pub address: Url,
}

/// Notes what a feed's document says about hubs. A subscription at a hub that it names no more is left.
///
/// # Errors
/// When the store refuses.
pub fn note(tx: &Connection, feed: FeedRef, found: Option<&HubLinks>, now: DateTime<Utc>) -> Result<()> {
    let mut query = tx.prepare_cached("SELECT hub, topic FROM hub_subscription WHERE feed = ?1")?;
    let known: Option<(String, String)> = query.query_row([feed.0], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let all = |found: &HubLinks| found.hubs.iter().map(Url::as_str).collect::<Vec<_>>().join("\n");
    match (known, found) {
        (None, None) => {}
        (Some((hub, topic)), Some(found))
            if found.topic == topic && found.hubs.iter().any(|named| named.as_str() == hub) =>
        {
            tx.prepare_cached("UPDATE hub_subscription SET hubs = ?2 WHERE feed = ?1 AND hubs <> ?2")?
                .execute(params![feed.0, all(found)])?;
        }
        (Some(_), None) => leave(tx, "feed = ?1", now, [feed.0])?,
        // Who calls at the old address is told that nobody is there.
        (_, Some(found)) => {
            tx.prepare_cached(
                "INSERT OR REPLACE INTO hub_subscription (feed, hub, hubs, topic, next_step) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                feed.0,
                found.hubs.first().map(Url::as_str),
                all(found),
                found.topic,
                millis(now)
            ])?;
        }
    }
    Ok(())
}

/// Leaves the subscriptions of feeds that the configuration does not name, or all of them; takes up those of feeds that are back.
///
/// A hub that was told to call below another address than `public_url` is left, too, and asked anew.
///
/// # Errors
/// When the store refuses.
pub fn sync(tx: &Connection, is_on: bool, public_url: &Url, now: DateTime<Utc>) -> Result<()> {
    tx.execute(
        "UPDATE hub_subscription SET public_url = ?1 WHERE public_url IS NULL AND callback IS NOT NULL",
        [public_url.as_str()],
    )?;
    leave(tx, "NOT ?1 OR feed NOT IN (SELECT id FROM feed WHERE configured = 1 AND retired_at IS NULL)", now, [is_on])?;
    leave(tx, "public_url <> ?1", now, [public_url.as_str()])?;
    tx.execute(
        "UPDATE hub_subscription SET callback = NULL, secret = NULL, public_url = NULL, next_step = ?2
         WHERE public_url <> ?1 AND pending IS NULL",
        params![public_url.as_str(), millis(now)],
    )?;
    tx.execute(
        "UPDATE hub_subscription SET pending = NULL, failures = 0, next_step = ?2
         WHERE pending = 'unsubscribe' AND ?1 AND public_url = ?3 AND feed IN (SELECT id FROM feed WHERE configured = 1 AND retired_at IS NULL)",
        params![is_on, millis(now), public_url.as_str()],
    )?;
    Ok(())
}

fn leave(tx: &Connection, which: &str, now: DateTime<Utc>, value: [impl rusqlite::ToSql; 1]) -> Result<()> {
    let [value] = value;
    tx.execute(
        &format!(
            "UPDATE hub_subscription SET pending = iif(lease_until IS NULL, NULL, 'unsubscribe'), failures = 0, next_step = ?2
             WHERE ({which}) AND pending IS NOT 'unsubscribe' AND (lease_until IS NOT NULL OR pending IS NOT NULL)"
        ),
        params![value, millis(now)],
    )?;
    Ok(())
}

/// For each hub that is to be asked for something now the feed that has waited longest, with the hub; only farewells unless
/// `is_on`.
///
/// # Errors
/// When the store cannot be read.
pub fn due(connection: &Connection, is_on: bool, now: DateTime<Utc>) -> Result<Vec<(FeedRef, Url)>> {
    let mut query = connection.prepare_cached(
        "SELECT feed, hub, min(next_step) FROM hub_subscription WHERE next_step <= ?1
         AND (pending IS 'unsubscribe' OR ?2 AND feed IN (SELECT id FROM feed WHERE configured = 1 AND retired_at IS NULL))
         GROUP BY hub ORDER BY 3",
    )?;
    let rows = query.query_map(params![millis(now), is_on], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
    let mut due = Vec::new();
    for row in rows {
        let (feed, hub) = row?;
        due.push((FeedRef(feed), address(&hub, "a hub")?));
    }
    Ok(due)
}

fn address(stored: &str, whose: &str) -> Result<Url> {
    Url::parse(stored).map_err(|error| Error::Damaged(format!("the address of {whose}: {error}")))
}

/// Notes that hubs are asked now, and gives what to ask. Each feed comes with words for a callback below `public_url` and a
/// secret, for when it has none.
///
/// # Errors
/// When the store refuses.
pub fn ask(
    tx: &Connection,
    feeds: &[(FeedRef, (String, String))],
    public_url: &Url,
    now: DateTime<Utc>,
) -> Result<Vec<Request>> {
    let mut requests = Vec::new();
    for (feed, (callback, secret)) in feeds {
        let hubs = take_turns(tx, *feed, now)?;
        let asked = tx
            .prepare_cached(
                "UPDATE hub_subscription SET callback = coalesce(callback, ?2), secret = coalesce(secret, ?3), failures = failures + 1,
                 pending = coalesce(pending, 'subscribe'), lease_until = iif(lease_until > ?4, lease_until, NULL), public_url = coalesce(public_url, ?5)
                 WHERE feed = ?1 RETURNING hub, topic, callback, secret, pending, failures, lease_until, (SELECT name FROM feed WHERE id = ?1), public_url,
                 public_url <> ?5 AND (SELECT configured FROM feed WHERE id = ?1)",
            )?
            .query_row(params![feed.0, callback, secret, millis(now), public_url.as_str()], |row| {
                let mode = match row.get::<_, String>(4)?.as_str() {
                    "unsubscribe" => HubMode::Unsubscribe,
                    _ => HubMode::Subscribe,
                };
                let request =
                    (row.get::<_, String>(0)?, row.get(1)?, row.get(2)?, row.get(3)?, mode, row.get(7)?, row.get(8)?);
                Ok((request, row.get::<_, u32>(5)?, row.get::<_, Option<i64>>(6)?, row.get::<_, bool>(9)?))
            })
            .optional()?;
        let Some(((hub, topic, callback, secret, mode, name, public_url), times, lease, is_asked_anew)) = asked else {
            continue;
        };
        let farewells = if is_asked_anew { 1 } else { FAREWELLS };
        if mode == HubMode::Unsubscribe && (times > farewells || lease.is_none()) {
            forget(tx, *feed, now)?;
            continue;
        }
        let rounds = times.saturating_sub(1) / hubs;
        let patience = match is_asked_anew {
            true => BEFORE_ASKED_ANEW,
            false => (FIRST_PATIENCE * 2_i32.pow(rounds.min(8))).min(LONGEST_PATIENCE),
        };
        tx.prepare_cached("UPDATE hub_subscription SET next_step = ?2 WHERE feed = ?1")?
            .execute(params![feed.0, millis(now + patience)])?;
        let hub = address(&hub, "a hub")?;
        requests.push(Request { feed: *feed, name, hub, topic, public_url, callback, secret, mode });
    }
    Ok(requests)
}

/// Has the hub asked whose turn it is, unless one tells of the feed already; gives how many there are. What one hub was told to
/// sign with is nothing for the next.
fn take_turns(tx: &Connection, feed: FeedRef, now: DateTime<Utc>) -> Result<u32> {
    let known = tx
        .prepare_cached(
            "SELECT hub, hubs, failures, lease_until > ?2 OR pending IS 'unsubscribe' FROM hub_subscription WHERE feed = ?1",
        )?
        .query_row(params![feed.0, millis(now)], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get(2)?, row.get::<_, Option<bool>>(3)?))
        })
        .optional()?;
    let Some((hub, hubs, failures, is_settled)) = known else { return Ok(1) };
    let turns = Turns { hubs: hubs.lines().collect(), failures };
    if let Some(next) = turns.next().filter(|next| is_settled != Some(true) && *next != hub) {
        tx.prepare_cached(
            "UPDATE hub_subscription SET hub = ?2, callback = NULL, secret = NULL, public_url = NULL WHERE feed = ?1",
        )?
        .execute(params![feed.0, next])?;
    }
    Ok(turns.count())
}

/// The hubs of a feed, and how many times one of them was asked in vain.
struct Turns<'a> {
    hubs: Vec<&'a str>,
    failures: u32,
}

impl Turns<'_> {
    fn count(&self) -> u32 {
        u32::try_from(self.hubs.len()).unwrap_or(u32::MAX).max(1)
    }

    /// The one to ask next; `None` when they are not known.
    fn next(&self) -> Option<&str> {
        self.hubs.get(usize::try_from(self.failures % self.count()).ok()?).copied()
    }

    /// Whether some were not asked since all had their turn.
    fn are_left(&self) -> bool {
        !self.failures.is_multiple_of(self.count())
    }
}

/// Notes that the hub would not be asked; gives whether another is asked now.
///
/// # Errors
/// When the store refuses.
pub fn failed(tx: &Connection, request: &Request, now: DateTime<Utc>) -> Result<bool> {
    let known = tx
        .prepare_cached(
            "SELECT hubs, failures FROM hub_subscription
             WHERE feed = ?1 AND callback = ?2 AND pending = 'subscribe' AND lease_until IS NULL",
        )?
        .query_row(params![request.feed.0, request.callback], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))
        .optional()?;
    let is_next = known.is_some_and(|(hubs, failures)| Turns { hubs: hubs.lines().collect(), failures }.are_left());
    if is_next {
        tx.prepare_cached("UPDATE hub_subscription SET next_step = ?2 WHERE feed = ?1")?
            .execute(params![request.feed.0, millis(now)])?;
    }
    Ok(is_next)
}

/// Ends a subscription for good. When the feed is polled again, its hub is asked anew.
fn forget(tx: &Connection, feed: FeedRef, now: DateTime<Utc>) -> Result<()> {
    tx.prepare_cached(
        "UPDATE hub_subscription SET callback = NULL, secret = NULL, public_url = NULL, pending = NULL, lease_until = NULL, failures = 0, missed = 0, next_step = ?2
         WHERE feed = ?1",
    )?
    .execute(params![feed.0, millis(now)])?;
    Ok(())
}

/// Confirms what a hub asks back, if we asked for it; gives the feed's name then. A hub whose first answer got lost asks again,
/// and is told the same for as long as the subscription lasts.
///
/// # Errors
/// When the store refuses.
pub fn confirm(
    tx: &Connection,
    callback: &str,
    mode: HubMode,
    topic: &str,
    lease: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Option<String>> {
    let meant = tx
        .prepare_cached(
            "SELECT feed, name FROM hub_subscription JOIN feed ON feed.id = feed WHERE callback = ?1 AND topic = ?3
             AND (pending = ?2 OR ?2 = 'subscribe' AND pending IS NULL AND lease_until > ?4)",
        )?
        .query_row(params![callback, mode.name(), topic, millis(now)], |row| Ok((FeedRef(row.get(0)?), row.get(1)?)))
        .optional()?;
    let Some((feed, name)) = meant else { return Ok(None) };
    match mode {
        HubMode::Unsubscribe => forget(tx, feed, now)?,
        HubMode::Subscribe => {
            // A fifth of its time is left for renewing it.
            tx.prepare_cached(
                "UPDATE hub_subscription SET pending = NULL, lease_until = ?2, next_step = ?3, failures = 0 WHERE feed = ?1",
            )?
            .execute(params![feed.0, millis(now + lease), millis(now + (lease * 4 / 5).max(SOONEST_RENEWAL))])?;
        }
    }
    Ok(Some(name))
}

/// Takes a hub's refusal, or its end of a subscription; gives the feed and its name. The feed's next hub is asked, and when all
/// had their turn, the first of them in a week.
///
/// # Errors
/// When the store refuses.
pub fn deny(tx: &Connection, callback: &str, topic: &str, now: DateTime<Utc>) -> Result<Option<(FeedRef, String)>> {
    let denied = tx
        .prepare_cached(
            "UPDATE hub_subscription SET pending = NULL, lease_until = NULL, failures = max(failures, 1)
             WHERE callback = ?1 AND topic = ?2 RETURNING feed, hubs, failures",
        )?
        .query_row(params![callback, topic], |row| Ok((row.get::<_, u64>(0)?, row.get::<_, String>(1)?, row.get(2)?)))
        .optional()?;
    let Some((feed, hubs, failures)) = denied else { return Ok(None) };
    let are_left = Turns { hubs: hubs.lines().collect(), failures }.are_left();
    let (failures, next) = if are_left { (failures, now) } else { (0, now + AFTER_DENIAL) };
    tx.prepare_cached("UPDATE hub_subscription SET failures = ?2, next_step = ?3 WHERE feed = ?1")?
        .execute(params![feed, failures, millis(next)])?;
    let name = tx.query_row("SELECT name FROM feed WHERE id = ?1", [feed], |row| row.get(0))?;
    Ok(Some((FeedRef(feed), name)))
}

/// Whose news is expected at `callback`; `None` when nobody's is.
///
/// # Errors
/// When the store cannot be read.
pub fn expected(connection: &Connection, callback: &str) -> Result<Option<Expected>> {
    let found = connection
        .prepare_cached(
            "SELECT feed, name, secret, coalesce(read_from, moved_to, address), hub FROM hub_subscription JOIN feed ON feed.id = feed
             WHERE callback = ?1 AND lease_until IS NOT NULL AND pending IS NOT 'unsubscribe' AND configured = 1",
        )?
        .query_row([callback], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, String>(3)?, row.get::<_, String>(4)?))
        })
        .optional()?;
    let Some((feed, name, secret, home, hub)) = found else { return Ok(None) };
    let (hub, address) = (address(&hub, "a hub")?, address(&home, "a feed")?);
    Ok(Some(Expected { hub, feed: FeedRef(feed), name, secret, address }))
}

/// What our hub was last told of each document of ours: its address, and its entity tag then.
///
/// # Errors
/// When the store cannot be read.
pub fn documents_told(connection: &Connection, hub: &Url) -> Result<HashMap<String, String>> {
    let mut query = connection.prepare_cached("SELECT document, etag FROM hub_told WHERE hub = ?1")?;
    let rows = query.query_map([hub.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Notes that our hub was told of a document.
///
/// # Errors
/// When the store refuses.
pub fn tell_document(tx: &Connection, hub: &Url, document: &str, etag: &str) -> Result<()> {
    tx.prepare_cached("INSERT OR REPLACE INTO hub_told (document, hub, etag) VALUES (?1, ?2, ?3)")?
        .execute(params![document, hub.as_str(), etag])?;
    Ok(())
}

/// Notes that a hub told of a feed, so that its promise is believed. `hash` is of what it told; gives whether that is new, and
/// not a message that somebody kept and sends again.
///
/// # Errors
/// When the store refuses.
pub fn told(tx: &Connection, feed: FeedRef, hash: i64, now: DateTime<Utc>) -> Result<bool> {
    let is_new = tx
        .prepare_cached("INSERT INTO hub_message (feed, hash, heard) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
        .execute(params![feed.0, hash, millis(now)])?
        > 0;
    if is_new {
        tx.prepare_cached(
            "DELETE FROM hub_message WHERE feed = ?1 AND hash IN
             (SELECT hash FROM hub_message WHERE feed = ?1 ORDER BY heard DESC, hash LIMIT -1 OFFSET ?2)",
        )?
        .execute(params![feed.0, REMEMBERED_MESSAGES])?;
    }
    tx.prepare_cached("UPDATE hub_subscription SET missed = 0 WHERE feed = ?1 AND missed > 0")?.execute([feed.0])?;
    Ok(is_new)
}

/// Notes that a poll found news of which the hub had not told.
///
/// # Errors
/// When the store refuses.
pub fn missed(tx: &Connection, feed: FeedRef) -> Result<()> {
    tx.prepare_cached("UPDATE hub_subscription SET missed = missed + 1 WHERE feed = ?1 AND lease_until IS NOT NULL")?
        .execute([feed.0])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema;

    #[test]
    fn a_message_is_new_once_and_not_all_are_remembered() {
        let mut store = Connection::open_in_memory().unwrap();
        schema::migrate(&mut store, 0).unwrap();
        let at = |seconds| DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(seconds);
        let feed = FeedRef(1);
        let insert = "INSERT INTO feed (id, identity, address, name, configured, next_poll, next_poll_why) VALUES (1, '', '', '', 1, 0, '')";
        store.execute(insert, []).unwrap();
        for message in 0..1_000 {
            assert!(told(&store, feed, message, at(message)).unwrap());
        }
        assert!(!told(&store, feed, 990, at(1_000)).unwrap());
        let kept: usize = store.query_row("SELECT count(*) FROM hub_message", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, REMEMBERED_MESSAGES);
    }
}
