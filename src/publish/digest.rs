//! Digests: instead of stories one entry a period, which lists what most sources told in it.
//!
//! Edge: reads the store; what it plans is a value. A digest is made when its period is over, of the stories that entered the
//! output since the last one, and is final then: it is shown as it was stored, whatever becomes of its stories. What belongs to
//! which period goes by the entries that were known at its end, so that nothing is listed twice and nothing falls between two;
//! a daemon that slept makes a digest for each period in which entries came, and none for one without stories.

use std::cmp::Reverse;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::model::{EntryId, EntryRef, StoryId};
use crate::plural::counted;
use crate::publish::Output;
use crate::publish::merged::{Heading, MergedStory};
use crate::publish::select::{self, Entered};
use crate::sanitise;
use crate::schedule::Crontab;
use crate::store::digests::{self, Digest, Listed, Progress};
use crate::store::{Connection, Result, millis, search};

/// What is older than the period by more than this is no news of it: it comes from a feed that was only now subscribed to.
const LATE_BY: TimeDelta = TimeDelta::days(1);
/// Further ahead no clock is set on purpose.
const FAR_AHEAD: TimeDelta = TimeDelta::days(2);
/// The most characters of a story's text that a digest shows.
const LONGEST_LEAD: usize = 300;

/// What is to be stored of an output's digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Those that are made, each with the end of its period.
    pub made: Vec<(DateTime<Utc>, Digest)>,
    /// How far they go.
    pub progress: Progress,
}

/// What is due of an output's digests; `None` when nothing is.
///
/// # Errors
/// When the store cannot be read.
pub fn due(connection: &Connection, output: &Output, now: DateTime<Utc>) -> Result<Option<Due>> {
    let Some(crontab) = &output.config.digest else { return Ok(None) };
    if output.config.query.is_some() && !search::is_current(connection)? {
        return Ok(None);
    }
    let Some(known) = digests::progress(connection, &output.config.name)? else {
        let until = last_period(crontab, now);
        let upto = digests::last_seen_by(connection, EntryRef(0), until)?.unwrap_or(EntryRef(0));
        return Ok(Some(Due { made: Vec::new(), progress: Progress { until, upto } }));
    };
    // What lies far ahead was written by a clock that did.
    let until = if known.until - now > FAR_AHEAD { last_period(crontab, now) } else { known.until };
    let (mut made, mut progress) = (Vec::new(), Progress { until, ..known });
    // Periods in which no entry came are passed over at once, however many there were.
    while let Some(seen) = digests::next_seen(connection, progress.upto)? {
        let seen = Some(seen).filter(|seen| *seen <= now).map(|seen| seen - TimeDelta::milliseconds(1));
        let before = seen.map_or(progress.until, |seen| seen.max(progress.until));
        let Some(until) = crontab.next_after(before).filter(|until| *until <= now) else { break };
        let upto = digests::last_seen_by(connection, progress.upto, until)?.unwrap_or(progress.upto);
        if upto == progress.upto {
            break;
        }
        made.extend(
            digest(connection, output, crontab, progress, Progress { until, upto })?.map(|digest| (until, digest)),
        );
        progress = Progress { until, upto };
    }
    Ok((progress != known).then_some(Due { made, progress }))
}

/// When the digest after this instant is due.
#[must_use]
pub fn next(output: &Output, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    output.config.digest.as_ref()?.next_after(after)
}

/// About when the period before the one that runs `now` ended: the next one is as long as the one after it.
fn last_period(crontab: &Crontab, now: DateTime<Utc>) -> DateTime<Utc> {
    let next = crontab.next_after(now);
    let length = next.and_then(|next| Some(crontab.next_after(next)? - next));
    next.zip(length).map_or(now, |(next, length)| next - length).min(now)
}

/// The digest of the stories that entered an output between two instants; `None` without any.
fn digest(
    connection: &Connection,
    output: &Output,
    crontab: &Crontab,
    from: Progress,
    to: Progress,
) -> Result<Option<Digest>> {
    let limit = output.config.limit;
    let mut entered = Vec::new();
    // A story is listed with the beginning of its text alone, and no more of them are kept than find room.
    let keep_first = |entered: &mut Vec<(_, Listed)>| {
        entered.sort_by_key(|(rank, _)| *rank);
        entered.truncate(limit);
    };
    select::entered_between(connection, output, from.upto, to.upto, |story| {
        if story.since > from.until - LATE_BY {
            let MergedStory { sources, published, id, .. } = story.shown;
            entered.push(((Reverse(sources), Reverse(published), id), listed(&story)));
        }
        if entered.len() > 2 * limit {
            keep_first(&mut entered);
        }
        Ok(())
    })?;
    keep_first(&mut entered);
    let stories: Vec<Listed> = entered.into_iter().map(|(_, listed)| listed).collect();
    if stories.is_empty() {
        return Ok(None);
    }
    let heading = output.heading();
    let at = to.until.to_rfc3339_opts(SecondsFormat::Secs, true);
    let id = StoryId::derive(&heading.id(None), &EntryId(format!("digest {at}"))).urn();
    let local = to.until.with_timezone(&crontab.timezone());
    Ok(Some(Digest { id, title: format!("{}, {}", heading.title, local.format("%A, %-d %B %Y, %H:%M")), stories }))
}

fn listed(entered: &Entered) -> Listed {
    let Entered { shown, speaker, .. } = entered;
    Listed {
        id: shown.id.urn(),
        entry: speaker.entry.0,
        feed: speaker.feed.0,
        title: shown.headline.clone(),
        url: shown.permalink.clone(),
        source: shown.source.title.clone(),
        sources: shown.sources,
        lead: crate::text::shorten(&shown.lead, LONGEST_LEAD),
        published: millis(shown.published),
    }
}

/// An output's digests as they are shown, newest first. What is not for its readers any more is left out.
///
/// # Errors
/// When the store cannot be read.
pub fn shown(connection: &Connection, output: &Output) -> Result<Vec<MergedStory>> {
    let mut found = Vec::new();
    for (until, mut digest) in digests::of(connection, &output.config.name)? {
        digest.stories.retain(|listed| output.visible.contains(&listed.feed()));
        if let (false, Ok(id)) = (digest.stories.is_empty(), digest.id.parse::<StoryId>()) {
            found.push(entry(&output.heading(), output.has_story_pages, id, until, digest));
        }
    }
    Ok(found)
}

/// A digest as an entry of the merged feed.
fn entry(heading: &Heading, has_pages: bool, id: StoryId, until: DateTime<Utc>, digest: Digest) -> MergedStory {
    let mut content = String::from("<ol>\n");
    for listed in &digest.stories {
        let title = sanitise::escape(&listed.title);
        let title = match &listed.url {
            Some(url) => format!("<a href=\"{}\">{title}</a>", sanitise::escape(url)),
            None => title,
        };
        let told = match (has_pages, listed.id.parse::<StoryId>()) {
            (true, Ok(id)) => {
                let page = sanitise::escape(&heading.story(id));
                format!("<a href=\"{page}\">{}</a>", counted(listed.sources, "source"))
            }
            _ => counted(listed.sources, "source").to_string(),
        };
        content.push_str(&format!("<li><p>{title} ({}, {told})</p>", sanitise::escape(&listed.source)));
        if !listed.lead.is_empty() {
            content.push_str(&format!("<p>{}</p>", sanitise::escape(&listed.lead)));
        }
        content.push_str("</li>\n");
    }
    content.push_str("</ol>");
    let first = digest.stories.first().map(|listed| listed.title.clone()).unwrap_or_default();
    let lead = match digest.stories.len() {
        1 => first,
        count => format!("{first}; and {} more", counted(count - 1, "story")),
    };
    let page = format!("{}#{id}", heading.address(""));
    MergedStory::of_our_own(heading, id, (digest.title, lead, content), page, until, digest.stories)
}
