//! Commands that follow changed files, so that these reach a server elsewhere.
//!
//! Edge: runs programs. What is owed is noted in the store before a command is run and struck out when it was done, so that
//! neither a failure nor a restart leaves a server behind for good.

use std::os::fd::AsFd;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::config::OutputConfig;
use crate::publish::Output;
use crate::publish::files::Written;
use crate::store::{self, Store, outputs};

/// How long a command may take.
const LONGEST: Duration = Duration::from_secs(600);

/// Notes the commands that are to follow what was written.
///
/// # Errors
/// When the store refuses.
pub async fn owe(store: &Store, site: &[Output], written: &Written) -> store::Result<()> {
    let has_command =
        |name: &&String| site.iter().any(|output| output.config.name == **name && !output.config.after.is_empty());
    let names: Vec<String> = written.outputs.iter().filter(has_command).cloned().collect();
    if names.is_empty() {
        return Ok(());
    }
    store.write(0, move |context| names.iter().try_for_each(|name| outputs::owe_command(context.tx, name))).await
}

/// Runs the commands that are owed, one after the other; gives why some failed, a line each.
///
/// # Errors
/// When the store refuses.
pub async fn run(store: &Store, site: &[Output]) -> store::Result<Vec<String>> {
    let owed = store.read(outputs::commands_owed).await?;
    let mut failed = Vec::new();
    for output in site.iter().map(|output| &output.config) {
        let Some(times) = owed.get(&output.name).copied() else { continue };
        match follow(output).await {
            Ok(()) => {
                let name = output.name.clone();
                store.write(0, move |context| outputs::strike_command(context.tx, &name, times)).await?;
            }
            Err(why) => failed.push(format!("output `{}`: {why}", output.name)),
        }
    }
    Ok(failed)
}

/// Runs an output's command in its directory. What it says goes where our log goes.
async fn follow(output: &OutputConfig) -> Result<(), String> {
    let (Some((program, given)), Some(directory)) = (output.after.split_first(), &output.directory) else {
        return Ok(());
    };
    let said = std::io::stderr().as_fd().try_clone_to_owned().map_or_else(|_| Stdio::null(), Stdio::from);
    let begun = Command::new(program)
        .args(given)
        .current_dir(directory)
        .env("NEWSFOLD_OUTPUT", &output.name)
        .env("NEWSFOLD_DIRECTORY", directory)
        .stdin(Stdio::null())
        .stdout(said)
        .kill_on_drop(true)
        .spawn();
    let mut command = begun.map_err(|error| format!("`after` cannot be run: {program}: {error}"))?;
    match tokio::time::timeout(LONGEST, command.wait()).await {
        Err(_) => Err(format!("`after` ({program}) took longer than {} minutes and was ended", LONGEST.as_secs() / 60)),
        Ok(Err(error)) => Err(format!("`after` ({program}) cannot be waited for: {error}")),
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("`after` ({program}) failed: {status}")),
    }
}
