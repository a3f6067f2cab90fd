//! Folds headlines from standard input as they come, without a store:
//!
//! ```sh
//! cargo run --example fold_headlines <<END
//! meridian  Port Sable ferry runs aground, all 212 aboard taken off safely
//! tribune   All safe after Port Sable ferry runs aground in fog
//! skyways   Why the old turboprop refuses to retire
//! END
//! ```
//!
//! Each line is the name of an outlet, white space, and a headline. Each answer says which line's story it tells, and why.
#![expect(clippy::print_stdout, reason = "it is what it is for")]

use std::collections::HashMap;
use std::error::Error;

use newsfold::clock;
use newsfold::fold::index::Index;
use newsfold::fold::plan::Verdict;
use newsfold::fold::weights::Weights;
use newsfold::fold::{Article, EntryRef, Level, Rules};

fn main() -> Result<(), Box<dyn Error>> {
    let mut index = Index::new(Rules::default(), Weights::default());
    let mut feeds: HashMap<String, u64> = HashMap::new();
    for (number, line) in (1..).zip(std::io::stdin().lines()) {
        let line = line?;
        let Some((outlet, title)) = line.split_once(char::is_whitespace) else { continue };
        let next = u64::try_from(feeds.len())?;
        let article = Article {
            page: None,
            entry: EntryRef(number),
            feed: Some(*feeds.entry(outlet.to_owned()).or_insert(next)),
            title: title.trim(),
            summary: "",
            content: "",
            language: Some("en"),
            at: clock::now(),
            published: None,
        };
        // A plan is a value: it can be looked at before it is carried out, or thrown away.
        let decision = index.plan(&article, Level::Story, None);
        match &decision.verdict {
            Verdict::New { .. } => println!("{number}: a story of its own"),
            Verdict::Joins { rule, found, .. } => println!(
                "{number}: the story of line {} ({}, {:.2} where {:.2} was needed: {})",
                found.story.0,
                rule.name(),
                found.score,
                found.threshold,
                found.terms.join(", ")
            ),
        }
        index.apply(&decision);
    }
    Ok(())
}
