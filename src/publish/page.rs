//! The merged feed as a page for people.
//!
//! Pure. A template and one style sheet, both in the binary; no script, nothing from elsewhere.

use minijinja::{Environment, Value, context};

use crate::config::Format;
use crate::publish::merged::{MergedFeed, MergedStory};

/// The one style sheet, served and written as `style.css`.
pub const STYLE: &str = include_str!("templates/style.css");

/// The feed as an HTML document; `formats` are those that it links to.
#[must_use]
pub fn render(feed: &MergedFeed, formats: &[Format]) -> String {
    let mut environment = Environment::new();
    environment
        .add_template("page.html", include_str!("templates/page.html"))
        .expect("the template is part of the program and was tested");
    let heading = &feed.heading;
    let links: Vec<Value> = formats
        .iter()
        .filter(|format| **format != Format::Html)
        .map(|format| {
            let label = match format {
                Format::Atom => "Atom",
                Format::Rss => "RSS",
                Format::Json | Format::Html => "JSON Feed",
            };
            context! { href => heading.address(format.ending()), type => format.media_type(), label }
        })
        .collect();
    let days: Vec<Value> = feed
        .stories
        .chunk_by(|a, b| a.published.date_naive() == b.published.date_naive())
        .map(|stories| {
            let date = stories.first().map(|story| story.published.date_naive()).unwrap_or_default();
            context! {
                date => date.to_string(),
                label => date.format("%A, %-d %B %Y").to_string(),
                stories => stories.iter().map(story).collect::<Vec<_>>(),
            }
        })
        .collect();
    let template = environment.get_template("page.html").expect("it was added above");
    template
        .render(context! { title => &heading.title, root => heading.public_url.as_str(), feeds => links, days })
        .expect("every value it names is given")
}

fn story(story: &MergedStory) -> Value {
    let mut tellers: Vec<&str> = story.others.iter().map(|other| other.source.as_str()).collect();
    tellers.sort_unstable();
    tellers.dedup();
    context! {
        title => &story.title,
        permalink => &story.permalink,
        lead => &story.lead,
        language => &story.language,
        source => &story.source.title,
        sources => story.sources,
        at => story.published.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        time => story.published.format("%H:%M").to_string(),
        tellers => tellers.join(", "),
        others => story.others.iter().map(|other| context! { source => &other.source, title => &other.title, permalink => &other.permalink }).collect::<Vec<_>>(),
    }
}
