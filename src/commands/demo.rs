//! `newsfold demo`: a demonstration that needs no internet, as if its news were of today.
//!
//! Edge: writes files and runs the daemon on them.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use anyhow::Context as _;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use regex::{Captures, Regex};

use crate::clock;

/// The configuration, and the documents of the made-up outlets, below the demonstration's folder.
const CONFIGURATION: &str = include_str!("../../config/demo.toml");
const DOCUMENTS: [(&str, &str); 7] = [
    ("demo/harbour-post.json", include_str!("../../config/demo/harbour-post.json")),
    ("demo/marsa.rss.xml", include_str!("../../config/demo/marsa.rss.xml")),
    ("demo/meridian.atom.xml", include_str!("../../config/demo/meridian.atom.xml")),
    ("demo/orland-daily.rdf.xml", include_str!("../../config/demo/orland-daily.rdf.xml")),
    ("demo/skyways.atom.xml", include_str!("../../config/demo/skyways.atom.xml")),
    ("demo/tribune.rss.xml", include_str!("../../config/demo/tribune.rss.xml")),
    ("demo/vsna.rss.xml", include_str!("../../config/demo/vsna.rss.xml")),
];
/// The date of the newest report in them.
const NEWEST: DateTime<Utc> = DateTime::from_timestamp(1_795_338_600, 0).unwrap();
/// How old it is to be.
const AGE_OF_THE_NEWEST: TimeDelta = TimeDelta::minutes(12);

/// Dates of RFC 3339, and of RFC 822 with the day of the week.
static DATES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b(?:2026-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} 2026 \d\d:\d\d:\d\d (?:GMT|[+-]\d{4}))")
        .expect("it is an expression")
});

/// Makes the demonstration in `folder`, unless it is there already, and gives its configuration's file.
pub(super) fn prepare(folder: &Path) -> anyhow::Result<PathBuf> {
    let file = folder.join("newsfold.toml");
    if file.exists() {
        eprintln!("{} is there already and is used as it is", file.display());
        return Ok(file);
    }
    let later = clock::now() - AGE_OF_THE_NEWEST - NEWEST;
    let documents = DOCUMENTS.iter().map(|(name, document)| (*name, moved(document, later)));
    for (name, text) in documents.chain([("newsfold.toml", CONFIGURATION.to_owned())]) {
        let file = folder.join(name);
        let written =
            std::fs::create_dir_all(file.parent().unwrap_or(folder)).and_then(|()| std::fs::write(&file, text));
        written.with_context(|| {
            format!("{} cannot be written; name a folder that can: `newsfold demo FOLDER`", file.display())
        })?;
    }
    eprintln!(
        "a demonstration is in {}; end it with Ctrl-C, begin it again with `newsfold demo {0}`, and delete the folder when you are done",
        folder.display()
    );
    Ok(file)
}

/// A document whose dates are `later`, in whole minutes.
fn moved(document: &str, later: TimeDelta) -> String {
    let later = TimeDelta::minutes(later.num_minutes());
    let at = |date: &Captures<'_>| {
        let date = &date[0];
        let moved = match DateTime::parse_from_rfc3339(date) {
            Ok(date) => date.checked_add_signed(later).map(|date| date.to_rfc3339_opts(SecondsFormat::Secs, true)),
            Err(_) => DateTime::parse_from_rfc2822(date)
                .ok()
                .and_then(|date| date.checked_add_signed(later))
                .map(|date| date.format("%a, %d %b %Y %H:%M:%S %z").to_string()),
        };
        moved.unwrap_or_else(|| date.to_owned())
    };
    DATES.replace_all(document, at).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_move_together_and_nothing_else_does() {
        let later = TimeDelta::days(10) + TimeDelta::minutes(5);
        let text =
            "<a>2026-11-21T23:58:00+01:00</a> Fri, 20 Nov 2026 06:00:00 GMT, 20261120-0001, 2031-06-14T08:00:00Z";
        let expected =
            "<a>2026-12-02T00:03:00+01:00</a> Mon, 30 Nov 2026 06:05:00 +0000, 20261120-0001, 2031-06-14T08:00:00Z";
        assert_eq!(moved(text, later), expected);
    }

    #[test]
    fn every_document_of_the_demonstration_is_carried_along_and_the_newest_is_known() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/demo");
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), DOCUMENTS.len());
        let dates = DOCUMENTS.iter().flat_map(|(_, document)| DATES.find_iter(document));
        let instants = dates.map(|date| {
            let date = date.as_str();
            DateTime::parse_from_rfc3339(date).or_else(|_| DateTime::parse_from_rfc2822(date)).unwrap()
        });
        assert_eq!(instants.max().unwrap(), NEWEST);
    }
}
