//! The program: arguments in, exit status out.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use newsfold::cli::{Arguments, LogFormat};
use newsfold::{commands, terminal};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Err(error) = log(&arguments) {
        eprintln!(
            "newsfold: --log {:?} is no filter: {error}; write for example `debug` or `newsfold::fetch=debug,info`",
            arguments.log
        );
        return ExitCode::from(2);
    }
    match commands::run(arguments) {
        Ok(exit) => ExitCode::from(exit.status()),
        Err(error) => {
            eprintln!("newsfold: {error:#}");
            ExitCode::from(1)
        }
    }
}

/// Sends the log to standard error: text for people, JSON on request.
fn log(arguments: &Arguments) -> Result<(), tracing_subscriber::filter::ParseError> {
    // What the crates below us have to say is for debugging them.
    let filter = EnvFilter::try_new(format!("warn,newsfold={}", arguments.log))
        .or_else(|_| EnvFilter::try_new(&arguments.log))?;
    let logger = tracing_subscriber::fmt().with_env_filter(filter).with_writer(terminal::line).with_target(false);
    match arguments.log_format {
        LogFormat::Json => logger.json().flatten_event(true).init(),
        LogFormat::Text => {
            logger.with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()).init()
        }
    }
    Ok(())
}
