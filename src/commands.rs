//! What each command does.
//!
//! Edge. Data goes to standard output and everything else to standard error; how a command ends is an [`Exit`]. The daemon
//! and `poll` share the code that polls, so what one shows holds for the other.

mod add;
mod check;
mod console;
mod correct;
mod demo;
mod explain;
mod feeds;
mod fold;
mod health;
mod lists;
mod manual;
mod parse;
mod poll;
mod publish;
mod rewrite;
mod site;
mod store_file;
mod stories;
mod table;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

pub use console::Exit;

use console::{print, runtime, runtime_of_the_daemon};

use crate::cli::{Arguments, Command};
use crate::config::{self, Config};
use crate::daemon;
use crate::fold::Rules;
use crate::fold::lines::Options;
use crate::publish::theme::ThemeError;
use crate::store::{self, Reader};

/// Does what the command line says.
///
/// # Errors
/// What went wrong, for a person, with what to do about it.
pub fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let Arguments { config, command, .. } = arguments;
    match command {
        Command::Init { file } => init(&file),
        Command::Schema => {
            print(&format!("{:#}\n", config::schema()))?;
            Ok(Exit::Done)
        }
        Command::Parse { file, base_url, content_type } => {
            parse::run(&file, base_url.as_ref(), content_type.as_deref())
        }
        Command::Fold { from_store: false, level, profile, window, explain } => {
            let rules = Rules { level, profile, window, ..Rules::default() };
            fold::stream(&Options { rules, explain })
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::described(), "newsfold", &mut script);
            print(&String::from_utf8_lossy(&script))?;
            Ok(Exit::Done)
        }
        Command::Man { folder } => manual::run(folder.as_deref()),
        Command::Demo { folder } => with_config(Command::Run, demo::prepare(&folder)?),
        configured => match config.map_or_else(find_config, Ok) {
            Ok(file) => with_config(configured, file),
            Err(error) => {
                eprintln!("newsfold: {error}");
                Ok(Exit::Misconfigured)
            }
        },
    }
}

fn with_config(command: Command, file: PathBuf) -> anyhow::Result<Exit> {
    match config::load::read(&file) {
        Ok(config) => run_configured(command, config, file).or_else(told_if_misconfigured),
        Err(problems) => {
            eprintln!("{problems}");
            Ok(Exit::Misconfigured)
        }
    }
}

fn run_configured(command: Command, config: Config, file: PathBuf) -> anyhow::Result<Exit> {
    if matches!(command, Command::Run | Command::Poll { .. } | Command::Check { .. }) {
        config.warnings.iter().for_each(|warning| tracing::warn!(name: "config.warning", "{warning}"));
    }
    let store = store_path(&config);
    match command {
        Command::Run => {
            let runtime = runtime_of_the_daemon()?;
            let ended = runtime.block_on(daemon::run(config, &store, move || config::load::read(&file)));
            // A name that is being looked up would keep us for as long as its server likes.
            runtime.shutdown_background();
            match ended {
                Err(daemon::Error::Store(error)) => Err(error.into()),
                Err(daemon::Error::Theme(error)) => Err(error.into()),
                ended => ended.map(|()| Exit::Done).map_err(Into::into),
            }
        }
        Command::Poll { due, quiet, feeds } => runtime()?.block_on(poll::run(&config, &store, due, quiet, &feeds)),
        Command::Check { online, notify } => check::run(&config, &store, online, notify),
        Command::Add { address, name, tags } => add::add(&config, &address, name.as_deref(), &tags),
        Command::Remove { feed } => add::remove(&config, &store, &feed),
        Command::Import { file } => lists::import(&config, &file),
        Command::Export => lists::export(&config, &store),
        Command::Feeds { json } => feeds::run(&config, &Reader::open(&store)?, json),
        Command::Stories { since, min_sources, json } => stories::run(&Reader::open(&store)?, since, min_sources, json),
        Command::Explain { what, other } => explain::run(&config, &Reader::open(&store)?, &what, other.as_deref()),
        Command::Split { entry } => correct::split(&store, &entry),
        Command::Join { story, other } => correct::join(&store, &story, &other),
        Command::Forget { entries } => correct::forget(&store, &entries),
        Command::Corrections { undo: None } => correct::list(&Reader::open(&store)?),
        Command::Corrections { undo: Some(number) } => correct::undo(&store, number),
        Command::Store(what) => store_file::run(&config, &store, what),
        Command::Fold { .. } => fold::from_store(&config, &store),
        Command::Publish { output, format } => publish::run(&config, &store, output.as_deref(), format),
        Command::Health => health::run(&config),
        Command::Init { .. }
        | Command::Schema
        | Command::Demo { .. }
        | Command::Parse { .. }
        | Command::Completions { .. }
        | Command::Man { .. } => Ok(Exit::Done),
    }
}

/// A store that is not ours and a broken template are told like a wrong configuration: trying again cannot help.
fn told_if_misconfigured(error: anyhow::Error) -> anyhow::Result<Exit> {
    let is_foreign = error.downcast_ref::<store::Error>().is_some_and(store::Error::is_misconfigured);
    if !is_foreign && !error.is::<ThemeError>() {
        return Err(error);
    }
    eprintln!("newsfold: {error}");
    Ok(Exit::Misconfigured)
}

/// Writes the commented configuration where there is no file yet, and beside it the schema that its first line names to editors.
fn init(file: &Path) -> anyhow::Result<Exit> {
    let schema = file.with_extension("schema.json");
    let name = schema.file_name().unwrap_or_default().to_string_lossy();
    let text = format!("#:schema ./{name}\n\n{}", config::COMMENTED);
    match std::fs::File::create_new(file).and_then(|mut made| made.write_all(text.as_bytes())) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            anyhow::bail!(
                "{} exists already and was left as it is; give another name to see what newsfold would write",
                file.display()
            )
        }
        Err(error) => anyhow::bail!("{}: {error}", file.display()),
    }
    std::fs::write(&schema, format!("{:#}\n", config::schema()))
        .with_context(|| format!("{} cannot be written", schema.display()))?;
    eprintln!("{} written; name your feeds in it, then `newsfold check` and `newsfold run`", file.display());
    Ok(Exit::Done)
}

/// The first configuration file that exists of those that are looked for.
fn find_config() -> anyhow::Result<PathBuf> {
    let service = std::env::var_os("CONFIGURATION_DIRECTORY").map(|folder| PathBuf::from(folder).join("newsfold.toml"));
    let home = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".config")))
        .map(|folder| folder.join("newsfold/newsfold.toml"));
    let places: Vec<PathBuf> =
        [service, Some(PathBuf::from("newsfold.toml")), home, Some(PathBuf::from("/etc/newsfold/newsfold.toml"))]
            .into_iter()
            .flatten()
            .collect();
    places.iter().find(|place| place.exists()).cloned().ok_or_else(|| {
        let places: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
        anyhow::anyhow!(
            "no configuration found (looked for {}); `newsfold init` writes one, `--config FILE` names another",
            places.join(", ")
        )
    })
}

/// Where the store is: under systemd in the state directory that it gives us. The configuration of the service means that
/// directory too when a person reads it from a shell.
fn store_path(config: &Config) -> PathBuf {
    let given = std::env::var_os("STATE_DIRECTORY").map(PathBuf::from);
    let is_service = || config.file.starts_with("/etc/newsfold") && Path::new(SERVICE_STATE).is_dir();
    let state_directory = given.or_else(|| is_service().then(|| PathBuf::from(SERVICE_STATE)));
    config.store_path(state_directory.as_deref())
}

/// What `StateDirectory=newsfold` is in `systemd/newsfold.service`.
const SERVICE_STATE: &str = "/var/lib/newsfold";
