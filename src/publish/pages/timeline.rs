//! A picture of who told a story when.
//!
//! Pure: places on a plane; the template draws them. Time runs from left to right, each source has a line of its own.

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use chrono_tz::Tz;
use minijinja::{Value, context};

/// Where the axis of time begins and ends, how wide the picture is, and how long a name is in characters.
struct Measure {
    left: f64,
    right: f64,
    width: f64,
    name: usize,
    ticks: i64,
}

/// For a desk, and for a phone.
const WIDE: Measure = Measure { left: 150.0, right: 690.0, width: 720.0, name: 20, ticks: 5 };
const NARROW: Measure = Measure { left: 96.0, right: 322.0, width: 340.0, name: 12, ticks: 2 };
/// Room for one source.
const LANE: f64 = 26.0;
/// Where the first one stands.
const TOP: f64 = 16.0;
/// The most sources that are drawn.
const MOST_LANES: usize = 24;

/// One telling.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Dot {
    /// Who told it.
    pub(super) source: String,
    /// When.
    pub(super) at: DateTime<Utc>,
    /// Under which title.
    pub(super) title: String,
    /// Whether it speaks for the story.
    pub(super) speaks: bool,
}

/// What the picture shows, in the order of the first telling of each source, for a wide window and for a narrow one; `None` when
/// all was told within a minute.
pub(super) fn drawn(dots: &[Dot], zone: Tz) -> Option<[Value; 2]> {
    Some([measured(dots, zone, &WIDE)?, measured(dots, zone, &NARROW)?])
}

fn measured(dots: &[Dot], zone: Tz, measure: &Measure) -> Option<Value> {
    let Measure { left, right, width, name, ticks: most_ticks } = *measure;
    let (first, last) = (dots.iter().map(|dot| dot.at).min()?, dots.iter().map(|dot| dot.at).max()?);
    let span = last - first;
    if span < TimeDelta::minutes(1) {
        return None;
    }
    let mut by_time: Vec<&Dot> = dots.iter().collect();
    by_time.sort_by_key(|dot| dot.at);
    let mut lanes: Vec<(&str, Vec<&Dot>)> = Vec::new();
    for dot in by_time {
        match lanes.iter_mut().find(|(source, _)| *source == dot.source) {
            Some((_, told)) => told.push(dot),
            None => lanes.push((&dot.source, vec![dot])),
        }
    }
    let hidden = lanes.len().saturating_sub(MOST_LANES);
    lanes.truncate(MOST_LANES);
    #[expect(clippy::cast_precision_loss, reason = "a place in a picture")]
    let x = |at: DateTime<Utc>| {
        left + (right - left) * (at - first).num_milliseconds() as f64 / span.num_milliseconds() as f64
    };
    let y = |lane: u32| TOP + LANE * f64::from(lane);
    let bottom = y(u32::try_from(lanes.len()).unwrap_or(0));
    let drawn_lanes: Vec<Value> = (0..)
        .zip(&lanes)
        .map(|(lane, (source, told))| {
            let dots: Vec<Value> = told
                .iter()
                .map(|dot| context! { x => fixed(x(dot.at)), speaks => dot.speaks, title => &dot.title, at => moment(dot.at, zone) })
                .collect();
            let begins = told.first().map(|dot| fixed(x(dot.at)));
            context! { y => fixed(y(lane)), name => crate::text::shorten(source, name), begins, dots }
        })
        .collect();
    let ticks: Vec<Value> = ticks(first, last, zone, most_ticks)
        .into_iter()
        .map(|(at, label)| context! { x => fixed(x(at)), label })
        .collect();
    Some(context! {
        width, height => fixed(bottom + 22.0), left, right, axis => fixed(bottom - 8.0), label_y => fixed(bottom + 10.0),
        lanes => drawn_lanes, ticks, hidden,
        begins => moment(first, zone), ends => moment(last, zone), span => spoken(span),
    })
}

/// About so many round instants between the two, with what is written below them.
fn ticks(first: DateTime<Utc>, last: DateTime<Utc>, zone: Tz, most: i64) -> Vec<(DateTime<Utc>, String)> {
    const STEPS: [i64; 14] = [1, 2, 5, 10, 20, 30, 60, 120, 240, 480, 720, 1_440, 2_880, 10_080];
    let minutes = (last - first).num_minutes().max(1);
    let step = STEPS.into_iter().find(|step| minutes / step <= most).unwrap_or(minutes / most);
    let start = first.timestamp().div_euclid(step * 60) + i64::from(first.timestamp().rem_euclid(step * 60) > 0);
    let at = |number: i64| DateTime::from_timestamp((start + number) * step * 60, 0);
    (0..8)
        .filter_map(at)
        .take_while(|at| *at <= last)
        .map(|at| {
            let local = at.with_timezone(&zone);
            let is_midnight = local.num_seconds_from_midnight() == 0;
            (at, local.format(if step >= 1_440 || is_midnight { "%-d %b" } else { "%H:%M" }).to_string())
        })
        .collect()
}

/// A length of time as people say it.
fn spoken(span: TimeDelta) -> String {
    match (span.num_days(), span.num_hours(), span.num_minutes()) {
        (days @ 2.., ..) => format!("{days} days"),
        (_, hours @ 2.., _) => format!("{hours} hours"),
        (.., 1) => "1 minute".to_owned(),
        (.., minutes) => format!("{minutes} minutes"),
    }
}

fn moment(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// One place after the point, so that the same story is the same bytes on every machine.
fn fixed(place: f64) -> String {
    format!("{place:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(source: &str, at: &str) -> Dot {
        Dot { source: source.into(), at: at.parse().unwrap(), title: "t".into(), speaks: false }
    }

    #[test]
    fn one_telling_is_no_picture_and_a_source_has_one_lane() {
        assert_eq!(drawn(&[dot("a", "2026-01-01T00:00:00Z")], Tz::UTC), None);
        let told =
            [dot("b", "2026-01-01T02:00:00Z"), dot("a", "2026-01-01T00:00:00Z"), dot("b", "2026-01-01T01:00:00Z")];
        for drawn in drawn(&told, Tz::UTC).unwrap() {
            assert_eq!(drawn.get_attr("lanes").unwrap().len(), Some(2));
            assert_eq!(drawn.get_attr("span").unwrap().as_str(), Some("2 hours"));
        }
    }

    #[test]
    fn ticks_are_round_and_few() {
        for (first, last) in [
            ("2026-01-01T00:01:00Z", "2026-01-01T00:03:00Z"),
            ("2026-01-01T00:01:00Z", "2026-01-01T11:59:00Z"),
            ("2026-01-01T00:01:00Z", "2026-03-01T00:00:00Z"),
            ("2026-01-01T00:01:00Z", "2026-01-01T00:01:00Z"),
        ] {
            let (first, last) = (first.parse().unwrap(), last.parse().unwrap());
            let ticks = ticks(first, last, Tz::UTC, 5);
            assert!(ticks.len() <= 7 && ticks.iter().all(|(at, _)| *at >= first && *at <= last), "{ticks:?}");
        }
    }
}
