//! What can be said on the command line.
//!
//! Pure. What each command does is in `commands`.

use std::path::PathBuf;

use chrono::TimeDelta;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::config::Format;
use crate::model::{Level, Profile};
use crate::units;

/// Under which the help lists what can be said with each command, below the command's own.
const OF_EVERY_COMMAND: &str = "Options of every command";

/// Polls news feeds politely, folds the many tellings of one story into one, and publishes a merged feed.
#[derive(Debug, Parser)]
#[command(name = "newsfold", version, max_term_width = 100)]
pub struct Arguments {
    /// The configuration file [default: the first that exists of `./newsfold.toml`, `$XDG_CONFIG_HOME/newsfold/newsfold.toml`, `/etc/newsfold/newsfold.toml`]
    #[arg(long, global = true, value_name = "FILE", env = "NEWSFOLD_CONFIG", hide_env_values = true, help_heading = OF_EVERY_COMMAND)]
    pub config: Option<PathBuf>,
    /// What to log, such as `debug` or `newsfold::fetch=debug` [default: info]
    #[arg(long, global = true, value_name = "FILTER", env = "NEWSFOLD_LOG", hide_env_values = true, help_heading = OF_EVERY_COMMAND)]
    pub log: Option<String>,
    /// How to log
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text", help_heading = OF_EVERY_COMMAND)]
    pub log_format: LogFormat,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// Examples that the help of each command ends with.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("run", &[r#"newsfold run"#, r#"newsfold --log debug run"#]),
    (
        "poll",
        &[
            r#"newsfold poll"#,
            r#"newsfold poll --quiet --due    # from cron, every few minutes"#,
            r#"newsfold poll bbc              # this feed, now"#,
        ],
    ),
    ("check", &[r#"newsfold check"#, r#"newsfold check --online"#, r#"newsfold check --notify"#]),
    (
        "add",
        &[
            r#"newsfold add https://example.org/"#,
            r#"newsfold add https://example.org/feed.xml --name example --tag world"#,
        ],
    ),
    ("remove", &[r#"newsfold remove example"#]),
    ("import", &[r#"newsfold import subscriptions.opml"#]),
    ("export", &[r#"newsfold export > subscriptions.opml"#]),
    ("feeds", &[r#"newsfold feeds"#, r#"newsfold feeds --json | jq '.[] | select(.failures > 0) | .name'"#]),
    ("stories", &[r#"newsfold stories"#, r#"newsfold stories --since 7d --min-sources 3"#]),
    (
        "explain",
        &[
            r#"newsfold explain 46d887a9-16c0-8a3b-8575-e6598445ff41"#,
            r#"newsfold explain https://example.org/a https://example.com/b"#,
        ],
    ),
    ("split", &[r#"newsfold split https://example.org/a"#]),
    ("join", &[r#"newsfold join https://example.org/a https://example.com/b"#]),
    ("forget", &[r#"newsfold forget https://example.org/a"#]),
    ("corrections", &[r#"newsfold corrections"#, r#"newsfold corrections --undo 3"#]),
    ("publish", &[r#"newsfold publish news --format json"#]),
    ("fold", &[r#"newsfold fold --explain < articles.jsonl"#, r#"newsfold fold --from-store"#]),
    (
        "parse",
        &[
            r#"newsfold parse feed.xml"#,
            r#"curl -s https://example.org/feed.xml | newsfold parse - --base-url https://example.org/feed.xml"#,
        ],
    ),
    ("health", &[r#"newsfold health"#]),
    ("demo", &[r#"newsfold demo"#]),
    ("init", &[r#"newsfold init"#]),
    ("schema", &[r#"newsfold schema > newsfold.schema.json"#]),
    ("completions", &[r#"newsfold completions bash > /etc/bash_completion.d/newsfold"#]),
    ("man", &[r#"newsfold man | man -l -"#, r#"newsfold man /usr/local/share/man/man1"#]),
];

impl Arguments {
    /// The command line, with an example or two in the help of each command.
    #[must_use]
    pub fn described() -> clap::Command {
        EXAMPLES.iter().fold(Self::command(), |whole, (name, lines)| {
            whole.mut_subcommand(*name, |command| command.after_help(format!("Examples:\n  {}", lines.join("\n  "))))
        })
    }

    /// Reads the command line; what is wrong with it is told, and ends the program.
    #[must_use]
    pub fn read() -> Self {
        Self::from_arg_matches(&Self::described().get_matches()).unwrap_or_else(|error| error.exit())
    }

    /// What is to be logged.
    #[must_use]
    pub fn filter(&self) -> &str {
        let unless_told = match self.command {
            Command::Poll { quiet: true, .. } => "error",
            _ => "info",
        };
        self.log.as_deref().unwrap_or(unless_told)
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Poll when due, fold, publish and serve until told to stop
    Run,
    /// Poll all feeds once, now, write the outputs' files, and exit
    Poll {
        /// Only those that are due, named or not
        #[arg(long)]
        due: bool,
        /// Say nothing unless no feed could be polled, or the store refused
        #[arg(long, short)]
        quiet: bool,
        /// Only these feeds, by name; they are asked even if their server wanted to be left alone
        #[arg(value_name = "FEED")]
        feeds: Vec<String>,
    },
    /// Read the configuration and say what is wrong with it
    Check {
        /// Also ask each feed once, without storing anything, and say what came
        #[arg(long)]
        online: bool,
        /// Also send each `[[notify]]` a notice of a made-up story, and say whether it was taken
        #[arg(long)]
        notify: bool,
    },
    /// Find the feed at an address, try it, and add it to the configuration
    Add {
        /// A feed, or a page that names one
        #[arg(value_name = "URL")]
        address: String,
        /// What to call it [default: its title]
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// A tag to give it; may be given more than once
        #[arg(long = "tag", value_name = "TAG")]
        tags: Vec<String>,
    },
    /// Take a feed out of the configuration
    Remove {
        /// By its name or address
        #[arg(value_name = "NAME")]
        feed: String,
    },
    /// Add the feeds of an OPML file to the configuration, folders as tags
    Import {
        /// The file
        #[arg(value_name = "FILE.opml")]
        file: PathBuf,
    },
    /// Print the configured feeds as OPML
    Export,
    /// Show each feed: state, last success, next poll and why
    Feeds {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the newest stories and who tells them
    Stories {
        /// Only stories no older than this
        #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = length)]
        since: TimeDelta,
        /// Only stories that so many feeds tell
        #[arg(long, value_name = "N", default_value_t = 1)]
        min_sources: u32,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show why entries are together: all of a story's, or two of them
    Explain {
        /// A story's id; or an entry, by its address, id or number
        #[arg(value_name = "STORY|ENTRY")]
        what: String,
        /// Another entry, to compare with the first
        #[arg(value_name = "ENTRY")]
        other: Option<String>,
    },
    /// Take an entry out of its story, for good
    Split {
        /// By its address, id or number
        #[arg(value_name = "ENTRY")]
        entry: String,
    },
    /// Make one story of two, for good
    Join {
        /// A story, or an entry that tells it
        #[arg(value_name = "STORY")]
        story: String,
        /// The other one
        #[arg(value_name = "STORY")]
        other: String,
    },
    /// Take entries out of everything that is published or searched, for good
    Forget {
        /// By their addresses, ids or numbers
        #[arg(value_name = "ENTRY", required = true)]
        entries: Vec<String>,
    },
    /// List what people decided with `split`, `join` and `forget`, newest first
    Corrections {
        /// Take the one of this number back
        #[arg(long, value_name = "N")]
        undo: Option<u64>,
    },
    /// Render an output from the store to standard output
    Publish {
        /// Which output [default: the first]
        #[arg(value_name = "OUTPUT")]
        output: Option<String>,
        /// In which format
        #[arg(long, value_parser = format, default_value = "atom", value_name = "atom|rss|json|html")]
        format: Format,
    },
    /// Fold articles from standard input into stories, line by line, without a store; or what is stored, to see what would change
    Fold {
        /// Fold what is stored anew, as configured, and print which stories would merge or split; nothing is changed
        #[arg(long, conflicts_with_all = ["level", "profile", "window", "explain"])]
        from_store: bool,
        /// How far to fold
        #[arg(long, value_parser = level, default_value = "story", value_name = "off|link|copy|story")]
        level: Level,
        /// How sure to be
        #[arg(long, value_parser = profile, default_value = "careful", value_name = "careful")]
        profile: Profile,
        /// How long an article is remembered
        #[arg(long, value_name = "DURATION", default_value = "3d", value_parser = length)]
        window: TimeDelta,
        /// Add the evidence to each line
        #[arg(long)]
        explain: bool,
    },
    /// Show what a feed document parses to, as JSON
    Parse {
        /// The document, or - for standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The address that relative ones start from
        #[arg(long, value_name = "URL")]
        base_url: Option<url::Url>,
        /// The Content-Type that the document came with
        #[arg(long, value_name = "TYPE")]
        content_type: Option<String>,
    },
    /// Copy, check, prune or restore the store
    #[command(subcommand)]
    Store(StoreCommand),
    /// Ask the running daemon whether it is well; 0 or 1
    Health,
    /// Run a demonstration that needs no internet
    Demo {
        /// Where it is made, unless it is there already
        #[arg(value_name = "FOLDER", default_value = "newsfold-demo")]
        folder: PathBuf,
    },
    /// Write the commented configuration, and its schema for editors beside it
    Init {
        /// Where to; one that is there is left as it is
        #[arg(value_name = "FILE", default_value = "newsfold.toml")]
        file: PathBuf,
    },
    /// Print the JSON Schema of the configuration, for editors
    Schema,
    /// Print a completion script
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one for each command and one for the configuration
    Man {
        /// Where to write them
        #[arg(value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
}

/// What is to be done with the store.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Copy the store into a new file, while the daemon runs
    Backup {
        /// The new file; nothing is overwritten
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Look the store through for damage, every row that is shown and every text too
    Check {
        /// Set damaged texts and rows aside, which are asked for again at their feeds' next polls; make a damaged file anew of what can be read, while no newsfold runs
        #[arg(long)]
        repair: bool,
    },
    /// Forget now what `store.keep` and `store.max_size` do not keep
    Prune {
        /// Say how much that is, and forget nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Put a copy in the place of the store, which is kept beside it
    Restore {
        /// The copy
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

fn length(text: &str) -> Result<TimeDelta, String> {
    let length = units::duration(text).map_err(|error| error.to_string())?;
    if length.is_zero() {
        return Err("has to be longer than nothing".to_owned());
    }
    TimeDelta::from_std(length).map_err(|_| "is too long".to_owned())
}

fn format(text: &str) -> Result<Format, String> {
    named(text, &Format::NAMES)
}

fn level(text: &str) -> Result<Level, String> {
    named(text, &Level::NAMES)
}

fn profile(text: &str) -> Result<Profile, String> {
    named(text, &Profile::NAMES)
}

fn named<T: Copy>(text: &str, names: &[(&str, T)]) -> Result<T, String> {
    let known = names.iter().find(|(name, _)| *name == text);
    let all = || names.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    known.map(|(_, value)| *value).ok_or_else(|| format!("write one of {}", all()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_hold_together_and_every_command_has_an_example_that_is_one() {
        let whole = Arguments::described();
        whole.clone().debug_assert();
        let named: Vec<&str> = EXAMPLES.iter().map(|(name, _)| *name).collect();
        let commands = whole.get_subcommands().map(clap::Command::get_name);
        assert_eq!(commands.filter(|name| !named.contains(name)).collect::<Vec<_>>(), ["store"]);
        for line in EXAMPLES.iter().flat_map(|(_, lines)| *lines) {
            let (_, ours) = line.split_once("newsfold ").unwrap();
            let words = ours
                .split([' '])
                .take_while(|word| !["#", "|", ">", "<"].contains(word))
                .filter(|word| !word.is_empty());
            let parsed = Arguments::try_parse_from(std::iter::once("newsfold").chain(words));
            assert!(parsed.is_ok(), "{line}: {parsed:?}");
        }
    }
}
