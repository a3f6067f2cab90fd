//! Commands that follow changed files, so that these reach a server elsewhere.
//!
//! Edge: runs programs. What is owed is noted in the store before a command is run and struck out when it was done, so that
//! neither a failure nor a restart leaves a server behind for good.

use std::collections::VecDeque;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

use crate::config::OutputConfig;
use crate::publish::Output;
use crate::publish::files::Written;
use crate::redact;
use crate::store::{self, Store, outputs};

/// How long a command may take.
const LONGEST: Duration = Duration::from_secs(600);
/// How long what it said is listened to after its end.
const TO_LISTEN: Duration = Duration::from_millis(200);
/// How much of that is kept, in bytes.
const HEARD: usize = 400;

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

/// Runs an output's command in its directory. What it says last is told with its failure, and to whoever looks closely.
async fn follow(output: &OutputConfig) -> Result<(), String> {
    let (Some((program, given)), Some(directory)) = (output.after.split_first(), &output.directory) else {
        return Ok(());
    };
    let begun = Command::new(program)
        .args(given)
        .current_dir(directory)
        .env("NEWSFOLD_OUTPUT", &output.name)
        .env("NEWSFOLD_DIRECTORY", directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut command = begun.map_err(|error| format!("`after` cannot be run: {program}: {error}"))?;
    let said = LastWords::default();
    let listening = (listen(command.stdout.take(), said.clone()), listen(command.stderr.take(), said.clone()));
    let ended = tokio::time::timeout(LONGEST, command.wait()).await;
    // Whatever it began and left running may hold its outputs open for ever.
    for listening in [listening.0, listening.1] {
        let mut listening = AbortOnDropHandle::new(listening);
        let _ = tokio::time::timeout(TO_LISTEN, &mut listening).await;
    }
    let said = said.text();
    let with_words = |what: String| if said.is_empty() { what } else { format!("{what}; it said: {said}") };
    match ended {
        Err(_) => {
            let what = format!("`after` ({program}) took longer than {} minutes and was ended", LONGEST.as_secs() / 60);
            Err(with_words(what))
        }
        Ok(Err(error)) => Err(format!("`after` ({program}) cannot be waited for: {error}")),
        Ok(Ok(status)) if status.success() => {
            tracing::debug!(name: "publish.command_ran", output = output.name, said, "`after` ran");
            Ok(())
        }
        Ok(Ok(status)) => Err(with_words(format!("`after` ({program}) failed: {status}"))),
    }
}

/// The end of what a command says. Clones share it.
#[derive(Debug, Clone, Default)]
struct LastWords(Arc<Mutex<VecDeque<u8>>>);

impl LastWords {
    fn hear(&self, bytes: &[u8]) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.extend(bytes);
        let surplus = heard.len().saturating_sub(HEARD);
        heard.drain(..surplus);
    }

    /// In one line, without what a terminal would obey.
    fn text(&self) -> String {
        let heard: Vec<u8> = self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        let text = String::from_utf8_lossy(&heard);
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        redact::message(&lines.join(" / "))
    }
}

/// Reads what a command says, however much that is, so that it never waits for somebody to listen.
fn listen(from: Option<impl AsyncRead + Unpin + Send + 'static>, said: LastWords) -> JoinHandle<()> {
    tokio::spawn(async move {
        let (Some(mut from), mut room) = (from, vec![0; 4_096]) else { return };
        while let Ok(length @ 1..) = from.read(&mut room).await {
            said.hear(room.get(..length).unwrap_or_default());
        }
    })
}
