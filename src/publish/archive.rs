//! When the archives of an output are closed (RFC 5005 §4).
//!
//! Edge: reads the store; what it plans is a value. The document of an output and its archives together hold every story
//! that it ever showed, so a reader that slept for a month misses none. A month is closed when it is over. Where a month
//! brings more than the document has room for, parts of it are closed on the way, and give way to the whole at its end, unless
//! that is more than one document holds: then the rest of the month is closed in parts too.

use chrono::{DateTime, Datelike, Days, Months, NaiveTime, TimeDelta, Utc};

use crate::model::EntryRef;
use crate::publish::Output;
use crate::publish::merged::MOST_BYTES;
use crate::publish::select::Shown;
use crate::store::outputs::{self, Closed};
use crate::store::{Connection, Result, entries, stories};

/// The most stories of a part of a month.
const MOST_OF_A_PART: usize = 1_000;
/// The most bytes that the texts of an archive's stories have, as they are stored: what its formats hold without showing stories
/// in brief, if no more than every fifth character of a text is one that XML escapes.
const MOST_TEXT: usize = MOST_BYTES / 5;

/// What is to be closed of an output that shows this now.
///
/// # Errors
/// When the store cannot be read.
pub fn due(connection: &Connection, output: &Output, shown: &Shown, now: DateTime<Utc>) -> Result<Vec<Closed>> {
    if !output.has_archives() {
        return Ok(Vec::new());
    }
    let closed = outputs::archives(connection, &output.config.name)?;
    let last = closed.last();
    let EntryRef(next) = entries::next_ref(connection)?;
    let state = State {
        last,
        upto: EntryRef(next.saturating_sub(1)),
        months: stories::months(connection, last.map(|last| last.until))?,
        // Half of what is shown stays out of the part, so that the next one is not due at once.
        middle: shown.places.get(shown.places.len() / 2).copied(),
        left_out: shown.left_out,
        is_late: match (last, shown.left_out) {
            (Some(last), Some(end)) => {
                let end = last.until.min(end + TimeDelta::milliseconds(1));
                stories::came_late(connection, last, end, output.config.min_sources)?
            }
            _ => false,
        },
    };
    let mut due: Vec<Closed> = Vec::new();
    for planned in plan(&state, now) {
        let month = month_of(planned.until);
        let is_month = planned.name == month;
        if is_month {
            let before = closed.iter().chain(&due).rfind(|other| month_of(other.until) != month);
            let whole = (before.map(|before| before.until), planned.until);
            if stories::runs(connection, whole, usize::MAX, MOST_TEXT)?.is_empty() {
                due.push(planned);
                continue;
            }
        }
        // Parts that were closed on the way stay.
        let from = due.last().or(last).map(|last| last.until);
        let most_stories = if is_month { usize::MAX } else { MOST_OF_A_PART };
        let mut number = closed.iter().filter(|closed| month_of(closed.until) == month).count();
        let ends = stories::runs(connection, (from, planned.until), most_stories, MOST_TEXT)?;
        for until in ends.into_iter().chain([planned.until]) {
            number += 1;
            due.push(Closed { name: part_of(until, number), until, upto: planned.upto });
        }
    }
    Ok(due)
}

/// The archive that has what readers look for in one that is not there: the month of a part, the newest part of a month.
///
/// # Errors
/// When the store cannot be read.
pub fn instead(connection: &Connection, output: &Output, name: &str) -> Result<Option<String>> {
    let month = name.split('.').next().unwrap_or_default();
    let mut closed = outputs::archives(connection, &output.config.name)?.into_iter();
    Ok(closed.rfind(|closed| month_of(closed.until) == month && closed.name != name).map(|closed| closed.name))
}

/// What the plan goes by.
struct State<'a> {
    last: Option<&'a Closed>,
    upto: EntryRef,
    /// The first instants of months with stories that are in no archive.
    months: Vec<DateTime<Utc>>,
    middle: Option<DateTime<Utc>>,
    left_out: Option<DateTime<Utc>>,
    /// Whether a story came after its archive was closed, and found no room.
    is_late: bool,
}

/// The months that are over, then a part of the month that runs if stories find no room.
fn plan(state: &State<'_>, now: DateTime<Utc>) -> Vec<Closed> {
    let State { last, upto, months, middle, left_out, is_late } = state;
    let running = month_start(now);
    let mut planned: Vec<Closed> = Vec::new();
    for month in months.iter().filter(|month| **month < running) {
        let until = next_month(*month);
        if last.is_none_or(|last| last.until < until) {
            planned.push(Closed { name: month_of(until), until, upto: *upto });
        }
    }
    let reached = planned.last().or(*last).map(|last| last.until);
    let has_no_room = left_out.is_some_and(|left_out| reached.is_none_or(|reached| left_out >= reached));
    if let Some(middle) = middle.filter(|_| has_no_room || *is_late) {
        let until = reached.map_or(middle, |reached| middle.max(reached + TimeDelta::milliseconds(1)));
        planned.push(Closed { name: part_of(until, 1), until, upto: *upto });
    }
    planned
}

/// The name of the month that ends at `until`, or in which it lies.
#[must_use]
pub fn month_of(until: DateTime<Utc>) -> String {
    (until - TimeDelta::milliseconds(1)).format("%Y-%m").to_string()
}

fn part_of(until: DateTime<Utc>, number: usize) -> String {
    format!("{}.{number}", month_of(until))
}

fn month_start(at: DateTime<Utc>) -> DateTime<Utc> {
    let date = at.date_naive();
    let first = date.checked_sub_days(Days::new(u64::from(date.day0()))).unwrap_or(date);
    first.and_time(NaiveTime::MIN).and_utc()
}

fn next_month(at: DateTime<Utc>) -> DateTime<Utc> {
    month_start(at).checked_add_months(Months::new(1)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn names(state: &State<'_>) -> Vec<String> {
        plan(state, at("2026-11-22T12:00:00Z")).into_iter().map(|closed| closed.name).collect()
    }

    #[test]
    fn months_that_are_over_are_closed_and_a_part_where_there_is_no_room() {
        let mut state = State {
            last: None,
            upto: EntryRef(9),
            months: ["2026-08-01T00:00:00Z", "2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z"].map(at).to_vec(),
            middle: Some(at("2026-11-21T00:00:00Z")),
            left_out: None,
            is_late: false,
        };
        assert_eq!(names(&state), ["2026-08", "2026-10"]);
        state.left_out = Some(at("2026-10-30T00:00:00Z"));
        assert_eq!(names(&state), ["2026-08", "2026-10"], "what is left out is in the archive of its month");
        state.left_out = Some(at("2026-11-02T00:00:00Z"));
        assert_eq!(names(&state), ["2026-08", "2026-10", "2026-11.1"]);
    }

    #[test]
    fn nothing_is_closed_twice() {
        let last = Closed { name: "2026-11.1".into(), until: at("2026-11-21T00:00:00Z"), upto: EntryRef(9) };
        let mut state = State {
            last: Some(&last),
            upto: EntryRef(12),
            months: vec![at("2026-11-01T00:00:00Z")],
            middle: Some(at("2026-11-22T00:00:00Z")),
            left_out: Some(at("2026-11-20T00:00:00Z")),
            is_late: false,
        };
        assert!(names(&state).is_empty());
        state.is_late = true;
        assert_eq!(names(&state), ["2026-11.1"], "numbered by whoever closes it");
    }
}
