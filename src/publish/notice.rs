//! What somebody is told of a story.
//!
//! Pure: a template and a story in, text out.

use chrono::{DateTime, Utc};
use minijinja::{AutoEscape, Environment, context};
use url::Url;

use crate::model::StoryId;
use crate::publish::merged::{Heading, MergedStory};

/// The text that a template makes of a story. Nothing is escaped but by the template's own word (`tojson`).
///
/// # Errors
/// What is wrong with the template.
pub fn body(template: &str, heading: &Heading, story: &MergedStory) -> Result<String, String> {
    let page = heading.story(story.id);
    Told {
        title: &story.title,
        url: story.permalink.as_deref().unwrap_or(&page),
        story_url: &page,
        source: &story.source.title,
        sources: story.sources,
        lead: &story.lead,
        published: told_at(story.published),
        id: story.id.urn(),
        tags: &story.tags,
    }
    .put_into(template)
}

/// The text that a template makes of a story that is made up to try it.
///
/// # Errors
/// What is wrong with the template.
pub fn trial(template: &str, public_url: &Url, now: DateTime<Utc>) -> Result<String, String> {
    Told {
        title: "A story that newsfold made up to try this notice",
        url: public_url.as_str(),
        story_url: public_url.as_str(),
        source: "newsfold",
        sources: 3,
        lead: "Somebody asked newsfold to send it.",
        published: told_at(now),
        id: StoryId([0; 16]).urn(),
        tags: &Vec::new(),
    }
    .put_into(template)
}

/// What a template may say of a story.
struct Told<'a> {
    title: &'a str,
    url: &'a str,
    story_url: &'a str,
    source: &'a str,
    sources: u32,
    lead: &'a str,
    published: String,
    id: String,
    tags: &'a Vec<String>,
}

impl Told<'_> {
    fn put_into(self, template: &str) -> Result<String, String> {
        let Self { title, url, story_url, source, sources, lead, published, id, tags } = self;
        let shown = context! { title, url, story_url, source, sources, lead, published, id, tags };
        environment().render_str(template, shown).map_err(|error| told(&error))
    }
}

/// A moment as templates are given it.
fn told_at(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// What is wrong with a template, as far as it shows before there is a story.
#[must_use]
pub fn fault(template: &str) -> Option<String> {
    environment().template_from_str(template).err().map(|error| told(&error))
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    environment
}

fn told(error: &minijinja::Error) -> String {
    let line = error.line().map(|line| format!("line {line}: ")).unwrap_or_default();
    format!("{line}{}", error.detail().map_or_else(|| error.kind().to_string(), str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_with_a_fault_is_told_by_its_line() {
        assert_eq!(fault("{{ title }}\n{{ url }}"), None);
        let told = fault("{{ title }}\n{{ url").unwrap();
        assert!(told.starts_with("line 2: "), "{told}");
    }
}
