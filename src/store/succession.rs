//! A feed that is another one under a new address.
//!
//! An address that somebody edits, in the configuration or in a list elsewhere, is that of the same feed where the document
//! there lists what the feed that left had listed. It takes over what that one told, so that nothing is news again.
//!
//! Edge: SQL on the connection it is given.

use chrono::NaiveTime;
use rusqlite::{Connection, OptionalExtension, params};

use crate::model::permalink::Permalink;
use crate::model::{Entry, FeedRef};
use crate::normalise::identity;
use crate::store::checksum::{entry_is_whole, feed_is_whole};
use crate::store::{Result, feeds, millis};

/// How many feeds that left are asked about, the last ones that came.
const MOST_ASKED: usize = 300;
/// How many entries of a document they are asked about.
const ENTRIES_ASKED: usize = 50;
/// How many entries are several.
const SEVERAL: usize = 3;

/// Lets a feed that has told nothing yet take over from one that is subscribed to no more, where its document lists the same.
///
/// Gives the identity that it has then; `None` where it is a feed of its own.
///
/// # Errors
/// When the store refuses.
pub fn take_over(connection: &Connection, feed: FeedRef, polled: &[Entry]) -> Result<Option<String>> {
    let mut any = connection.prepare_cached("SELECT 1 FROM entry WHERE feed = ?1 LIMIT 1")?;
    if any.exists([feed.0])? {
        return Ok(None);
    }
    let mut left = connection.prepare_cached(
        "SELECT id FROM feed INDEXED BY feed_by_leaving WHERE (configured = 0 OR has_left = 1) AND length(listed) > 0 AND id <> ?1 ORDER BY id DESC LIMIT ?2",
    )?;
    let left: Vec<FeedRef> = left
        .query_map(params![feed.0, MOST_ASKED], |row| Ok(FeedRef(row.get(0)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for former in left {
        if lists_the_same(connection, feed, former, polled)? {
            return succeed(connection, feed, former).map(Some);
        }
    }
    Ok(None)
}

/// Whether most of a document is what a feed told, and most of what that one last listed.
///
/// Feeds number their entries alike, and call them alike: the id has to come with the page, or, of several entries of one site,
/// with the title and the time or the text.
fn lists_the_same(connection: &Connection, feed: FeedRef, former: FeedRef, polled: &[Entry]) -> Result<bool> {
    let mut told = connection.prepare_cached(
        "SELECT 1 FROM entry WHERE feed = ?1 AND id_hash = ?2 AND entry_id = ?3
             AND (permalink = ?4 OR (?8 AND title = ?5 AND (published = ?6 OR text_hash = ?7)))",
    )?;
    let mut one_site = connection.prepare_cached("SELECT 1 FROM feed AS now, feed AS former WHERE now.id = ?1 AND former.id = ?2 AND now.site = former.site AND now.site <> ''")?;
    let titles_tell = polled.len() >= SEVERAL && one_site.exists([feed.0, former.0])?;
    let (mut asked, mut same) = (0, 0);
    for entry in polled.iter().rev().take(ENTRIES_ASKED) {
        let permalink = entry.permalink.as_ref().filter(|page| !page.is_front_page()).map(Permalink::as_str);
        let title = Some(&entry.title).filter(|title| !title.is_empty());
        let time = entry.published.filter(|date| date.time() != NaiveTime::MIN).map(millis);
        let text = identity::text_hash(&entry.detail);
        asked += 1;
        same += usize::from(told.exists(params![
            former.0,
            entry.id.hash(),
            entry.id.0,
            permalink,
            title,
            time,
            text,
            titles_tell
        ])?);
        // Most feeds that left have nothing to do with it.
        if asked == 4 && same == 0 {
            return Ok(false);
        }
    }
    let listed = feeds::listed(connection, former)?.len().min(ENTRIES_ASKED);
    Ok(2 * same > asked && 2 * same > listed)
}

/// Gives what one feed told, and what it is known by, to another one, which has told nothing.
fn succeed(connection: &Connection, feed: FeedRef, former: FeedRef) -> Result<String> {
    let mut identity = connection.prepare_cached("SELECT identity FROM feed WHERE id = ?1")?;
    let mut identity = |feed: FeedRef| identity.query_row([feed.0], |row| row.get::<_, String>(0)).optional();
    let (now, then) = (identity(feed)?.unwrap_or_default(), identity(former)?.unwrap_or_default());
    connection.execute(
        concat!(
            "UPDATE entry SET feed = ?1, checksum = CASE WHEN checksum IS NOT NULL AND ",
            entry_is_whole!(),
            " THEN row_checksum(id, ?1, entry_id, permalink, title) ELSE checksum END WHERE feed = ?2"
        ),
        [feed.0, former.0],
    )?;
    connection.execute("UPDATE OR REPLACE tombstone SET feed = ?1 WHERE feed = ?2", [feed.0, former.0])?;
    connection.execute(
        "UPDATE feed SET (listed, rhythm, ids_stay) = (SELECT listed, rhythm, ids_stay FROM feed WHERE id = ?2) WHERE id = ?1",
        [feed.0, former.0],
    )?;
    // Should it be subscribed to again, it is read anew.
    connection.execute(
        "UPDATE feed SET listed = x'', etag = NULL, last_modified = NULL, body_hash = NULL WHERE id = ?1",
        [former.0],
    )?;
    // No two feeds have one identity at a time.
    let mut rename = connection.prepare_cached(concat!(
        "UPDATE feed SET identity = ?2, checksum = CASE WHEN checksum IS NOT NULL AND ",
        feed_is_whole!(),
        " THEN row_checksum(id, ?2, title, link) ELSE checksum END WHERE id = ?1"
    ))?;
    rename.execute(params![former.0, format!("{now}\u{1f}")])?;
    rename.execute(params![feed.0, then])?;
    rename.execute(params![former.0, now])?;
    Ok(then)
}
