//! The page of one story: what it is, and everyone who tells it.
//!
//! Edge: reads the store.

use chrono::{DateTime, Utc};
use minijinja::{Value, context};

use super::timeline::{self, Dot};
use super::{layout, time};
use crate::fold::evidence::Evidence;
use crate::model::Detail;
use crate::plural::counted;
use crate::publish::Site;
use crate::publish::merged::{self, Credit, Style};
use crate::publish::sight::{self, Seen};
use crate::redact;
use crate::sanitise;
use crate::store::follows::Neighbour;
use crate::store::stories::Telling;
use crate::store::{self, Connection, entries, feeds};

/// How many labels are shown.
const MOST_LABELS: usize = 12;

/// The page and when what it shows last changed; `None` when the story is not published. The `text` of its canonical entry is read
/// where it is not known.
///
/// # Errors
/// When the store cannot be read.
pub fn story(
    connection: &Connection,
    site: &Site,
    seen: &Seen,
    text: Option<Detail>,
) -> store::Result<Option<(String, DateTime<Utc>)>> {
    let Some(output) = site.outputs.first() else { return Ok(None) };
    let Seen { story, coverage, unlisted, .. } = seen;
    let credits = Credit::of_feeds(&feeds::sources_of(connection, coverage.iter().map(|telling| telling.feed))?);
    let detail = text.map_or_else(|| entries::detail_of(connection, story.canonical), Ok)?;
    let taken_from = detail.taken_from.clone().map(|(title, page)| (title, page.as_deref().and_then(redact::page)));
    let relays = sight::relays(connection, output, coverage)?;
    let shown = merged::story(story, coverage, detail, Style::default(), &relays, |telling| credits.get(&telling.feed));
    let Some(shown) = shown else { return Ok(None) };
    let feed_of = |telling: &Telling| credits.get(&telling.feed).map(|credit| credit.title.as_str());
    let source_of = |telling: &Telling| relays.outlet(telling).or_else(|| feed_of(telling)).unwrap_or("?").to_owned();
    let title_of = |telling: &Telling| {
        Some(sanitise::line(&telling.title)).filter(|title| !title.is_empty()).unwrap_or(shown.title.clone())
    };
    let dots: Vec<Dot> = coverage
        .iter()
        .map(|telling| Dot {
            source: source_of(telling),
            at: merged::told_at(telling),
            title: title_of(telling),
            speaks: telling.entry == story.canonical,
        })
        .collect();
    let mut tellings: Vec<(DateTime<Utc>, Value)> = coverage
        .iter()
        .map(|telling| {
            let at = merged::told_at(telling);
            let matched =
                telling.fold.as_ref().and_then(|fold| coverage.iter().find(|other| other.entry == fold.matched));
            let told = context! {
                source => source_of(telling),
                title => title_of(telling),
                permalink => telling.permalink.as_ref().map(ToString::to_string),
                time => time(site.timezone, at, "%-d %b %Y %H:%M"),
                speaks => telling.entry == story.canonical,
                reason => reason(telling),
                matched => matched.map(source_of),
                score => telling.fold.as_ref().map(|fold| format!("{:.2}", fold.score)),
                rule => telling.fold.as_ref().map(|fold| fold.rule.clone()),
                words => telling.fold.as_ref().map(|fold| words(&fold.evidence)),
            };
            (at, told)
        })
        .collect();
    tellings.extend(shown.others.iter().filter_map(|other| {
        let told = context! {
            source => &other.source,
            title => &other.title,
            permalink => &other.permalink,
            time => time(site.timezone, other.at, "%-d %b %Y %H:%M"),
            reason => format!("as {} says", other.via.as_ref()?),
        };
        Some((other.at, told))
    }));
    tellings.sort_by_key(|(at, _)| *at);
    let neighbour = |neighbour: &Neighbour| {
        let title = sanitise::line(&neighbour.title);
        context! {
            id => neighbour.id.to_string(),
            title => if title.is_empty() { "Untitled".to_owned() } else { title },
            time => time(site.timezone, neighbour.published, "%-d %b %Y %H:%M"),
            words => words(&neighbour.evidence),
        }
    };
    let updated = coverage.iter().map(|telling| telling.first_seen).max().unwrap_or(shown.updated).max(shown.updated);
    let labels: Vec<String> = shown.categories.iter().take(MOST_LABELS).cloned().collect();
    let heading = output.heading();
    let told_first = coverage.first();
    let page = context! {
        id => story.id.to_string(),
        address => heading.story(story.id),
        site_title => &heading.title,
        first_told => told_first.filter(|first| first.entry != story.canonical).map(|first| context! {
            source => source_of(first), time => time(site.timezone, merged::told_at(first), "%-d %B %Y, %H:%M"),
        }),
        heading => &shown.title,
        language => &shown.language,
        permalink => &shown.permalink,
        lead => &shown.lead,
        image => &shown.image,
        source => &shown.source.title,
        taken_from => taken_from.map(|(title, page)| context! { title => sanitise::line(&title), page }),
        authors => shown.authors.iter().map(|person| person.name.clone()).collect::<Vec<_>>(),
        published => time(site.timezone, shown.published, "%-d %B %Y, %H:%M"),
        updated => (shown.updated > shown.published).then(|| time(site.timezone, shown.updated, "%-d %B %Y, %H:%M")),
        sources => counted(shown.sources, "source"),
        unlisted,
        labels,
        comments => &shown.comments,
        comment_count => shown.comment_count,
        media => shown.enclosures.iter().map(|enclosure| context! {
            href => &enclosure.url, kind => enclosure.media_type.as_deref().and_then(|kind| kind.split('/').next()).unwrap_or("file"),
        }).collect::<Vec<_>>(),
        follows => sight::followed(connection, output, story)?.as_ref().map(neighbour),
        other_languages => sight::in_other_languages(connection, output, story)?.iter().map(|(language, other)| {
            context! { language, ..neighbour(other) }
        }).collect::<Vec<_>>(),
        followers => sight::followers(connection, output, story)?.iter().map(neighbour).collect::<Vec<_>>(),
        timelines => timeline::drawn(&dots, site.timezone).map(Vec::from),
        tellings => tellings.into_iter().map(|(_, told)| told).collect::<Vec<_>>(),
        ..layout(site, &shown.title, None)
    };
    Ok(Some((site.theme.page("story.html", &page), updated)))
}

/// Why a telling is in the story, in a few words.
fn reason(telling: &Telling) -> &'static str {
    match telling.fold.as_ref().map(|fold| fold.rule.as_str()) {
        None => "seen first, so the story is named after it",
        Some("link") if telling.permalink.is_none() => "same entry",
        Some("link") => "same page",
        Some("copy") => "same text",
        Some("person") => "joined by a person",
        Some(_) => "same event",
    }
}

/// The words that carried a fold.
fn words(evidence: &Evidence) -> Vec<String> {
    evidence.terms.iter().take(8).map(|term| sanitise::line(term)).collect()
}
