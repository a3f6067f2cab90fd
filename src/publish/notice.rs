//! What somebody is told of a story.
//!
//! Pure: a template and a story in, text out.

use minijinja::{AutoEscape, Environment, context};

use crate::publish::merged::{Heading, MergedStory};

/// The text that a template makes of a story. Nothing is escaped but by the template's own word (`tojson`).
///
/// # Errors
/// What is wrong with the template.
pub fn body(template: &str, heading: &Heading, story: &MergedStory) -> Result<String, String> {
    let shown = context! {
        title => &story.title,
        url => story.permalink.clone().unwrap_or_else(|| heading.story(story.id)),
        story_url => heading.story(story.id),
        source => &story.source.title,
        sources => story.sources,
        lead => &story.lead,
        published => story.published.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        id => story.id.urn(),
        tags => &story.tags,
    };
    environment().render_str(template, shown).map_err(|error| told(&error))
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
