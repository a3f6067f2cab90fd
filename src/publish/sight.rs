//! What of a story the readers of an output may see.
//!
//! Edge: reads the store. Feeds that private outputs alone take stories from are for the readers of those: nobody else sees
//! that one of them tells a story, what it says, or that there is a story that nobody else tells.

use crate::fold::evidence::Evidence;
use crate::model::StoryId;
use crate::publish::Output;
use crate::publish::relays::Relays;
use crate::store::follows::Neighbour;
use crate::store::stories::{self, Story, Telling};
use crate::store::{Connection, Policy, Result, entries, follows, other_languages};

/// A story as some readers see it.
pub struct Seen {
    /// As it is where one of the tellings that they see speaks for it.
    pub story: Story,
    /// The tellings that they see, in the order in which they were first seen.
    pub coverage: Vec<Telling>,
    /// Whether that is all of them.
    pub is_whole: bool,
    /// How many more tell it than are listed.
    pub unlisted: usize,
}

/// The story of this name, or the one that it became; `None` when there is none that readers of the output may see.
///
/// # Errors
/// When the store cannot be read.
pub fn story(connection: &Connection, output: &Output, id: StoryId) -> Result<Option<Seen>> {
    let Some(story) = stories::by_id(connection, id)? else { return Ok(None) };
    let mut coverage = stories::coverage(connection, story.story)?;
    let all = coverage.len();
    let unlisted = stories::times_told(connection, story.story)?.saturating_sub(all);
    if !output.hides_feeds {
        return Ok(Some(Seen { story, coverage, is_whole: true, unlisted }));
    }
    coverage.retain(|telling| output.visible.contains(&telling.feed));
    if coverage.len() == all && unlisted == 0 {
        return Ok(Some(Seen { story, coverage, is_whole: true, unlisted }));
    }
    // What a telling has in common with one that is not seen would tell of that.
    let seen: Vec<_> = coverage.iter().map(|telling| telling.entry).collect();
    for telling in &mut coverage {
        telling.fold.take_if(|fold| !seen.contains(&fold.matched));
    }
    let speaker =
        coverage.iter().find(|telling| telling.entry == story.canonical).or_else(|| stories::speaker(&coverage));
    let Some(speaker) = speaker else { return Ok(None) };
    let sources = stories::count_sources(&coverage);
    let story = Story { sources, ..story.spoken_for(speaker) };
    // How many are not listed would tell of those that are not seen.
    Ok(Some(Seen { story, coverage, is_whole: false, unlisted: 0 }))
}

/// What aggregators say of who tells a story, of those among these tellings whose word counts. Of a damaged text nothing is known.
///
/// # Errors
/// When the store cannot be read.
pub fn relays(connection: &Connection, output: &Output, coverage: &[Telling]) -> Result<Relays> {
    let mut details = Vec::new();
    for telling in coverage.iter().filter(|telling| output.aggregators.contains(&telling.feed)) {
        match entries::detail_of(connection, telling.entry) {
            Err(error) if error.policy() == Policy::Report => {}
            detail => details.push((telling, detail?)),
        }
    }
    Ok(Relays::of(details))
}

/// The story that a story follows, as readers of the output see it.
///
/// # Errors
/// When the store cannot be read.
pub fn followed(connection: &Connection, output: &Output, story: &Story) -> Result<Option<Neighbour>> {
    let found = follows::followed(connection, story.story)?;
    found.map_or(Ok(None), |neighbour| neighbour_seen(connection, output, neighbour))
}

/// The stories that follow a story, as readers of the output see them.
///
/// # Errors
/// When the store cannot be read.
pub fn followers(connection: &Connection, output: &Output, story: &Story) -> Result<Vec<Neighbour>> {
    let found = follows::followers(connection, story.story)?.into_iter();
    found.filter_map(|neighbour| neighbour_seen(connection, output, neighbour).transpose()).collect()
}

/// The stories that tell the same as a story in other languages, as readers of the output see them, each with its language.
///
/// # Errors
/// When the store cannot be read.
pub fn in_other_languages(connection: &Connection, output: &Output, story: &Story) -> Result<Vec<(String, Neighbour)>> {
    let seen = |(language, neighbour)| {
        let seen = neighbour_seen(connection, output, neighbour).transpose()?;
        Some(seen.map(|neighbour| (language, neighbour)))
    };
    other_languages::of(connection, story.story)?.into_iter().filter_map(seen).collect()
}

fn neighbour_seen(connection: &Connection, output: &Output, neighbour: Neighbour) -> Result<Option<Neighbour>> {
    if !output.hides_feeds {
        return Ok(Some(neighbour));
    }
    let Some(seen) = story(connection, output, neighbour.id)? else { return Ok(None) };
    if seen.is_whole {
        return Ok(Some(neighbour));
    }
    let title = seen.coverage.iter().find(|telling| telling.entry == seen.story.canonical);
    let title = title.map(|telling| telling.title.clone()).unwrap_or_default();
    // What the two have in common may be another telling's words.
    let seen = seen.story.published.map(|published| Neighbour {
        title,
        published,
        evidence: Evidence::default(),
        ..neighbour
    });
    Ok(seen)
}
