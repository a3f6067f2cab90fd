//! The program: arguments in, exit status out.

use std::fmt;
use std::io::IsTerminal;
use std::os::unix::fs::MetadataExt;
use std::process::ExitCode;

use newsfold::cli::{Arguments, LogFormat};
use newsfold::{commands, terminal};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{FormatFields, Writer, format};
use tracing_subscriber::fmt::{FmtContext, FormatEvent};
use tracing_subscriber::registry::LookupSpan;

fn main() -> ExitCode {
    let arguments = Arguments::read();
    if let Err(error) = log(&arguments) {
        eprintln!(
            "newsfold: --log {:?} is no filter: {error}; write for example `debug` or `newsfold::fetch=debug,info`",
            arguments.filter()
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

/// Sends the log to standard error: text for people, JSON on request. The journal has the time already and wants the level
/// in its own way.
fn log(arguments: &Arguments) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = filter(arguments.filter())?;
    let logger = tracing_subscriber::fmt().with_env_filter(filter).with_writer(terminal::line).with_target(false);
    match arguments.log_format {
        LogFormat::Json => {
            let lines = format().json().flatten_event(true).with_target(false);
            logger.json().event_format(Named(lines)).init();
        }
        LogFormat::Text if is_journal() => logger.event_format(Journal).init(),
        LogFormat::Text => {
            logger.with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()).init()
        }
    }
    Ok(())
}

/// What of the log is written. What the crates below us have to say is for debugging them, and those that read what strangers
/// sent have a warning for each of its slips: they are only heard when `wanted` names them.
fn filter(wanted: &str) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
    const READERS: &str = "html5ever=off,markup5ever=off,ammonia=off,feed_rs=off,quick_xml=off,encoding_rs=off,hyper=error,h2=error,rustls=off,rustls_platform_verifier=off";
    EnvFilter::try_new(format!("warn,{READERS},newsfold={wanted}"))
        .or_else(|_| EnvFilter::try_new(wanted).and_then(|_| EnvFilter::try_new(format!("{READERS},{wanted}"))))
}

/// Whether standard error is the journal's, as `$JOURNAL_STREAM` says (systemd.exec(5)).
fn is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    std::fs::metadata("/proc/self/fd/2").is_ok_and(|stderr| stream == format!("{}:{}", stderr.dev(), stderr.ino()))
}

/// A line of the log as the journal takes it: its level in front, as sd-daemon(3) has it.
struct Journal;

impl<S, N> FormatEvent<S, N> for Journal
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let level = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(writer, "<{level}>")?;
        format().without_time().with_level(false).with_target(false).format_event(context, writer, event)
    }
}

/// Lines of JSON that begin with the name of their event, by which programs know it whatever its words are.
struct Named<F>(F);

impl<S, N, F> FormatEvent<S, N> for Named<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        // Without a name of its own an event is called by the place where it stands.
        match line.strip_prefix('{').filter(|_| !event.metadata().name().starts_with("event ")) {
            Some(fields) => write!(writer, "{{\"event\":\"{}\",{fields}", event.metadata().name()),
            None => writer.write_str(&line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_that_read_what_strangers_sent_are_heard_only_when_they_are_named() {
        for quiet in ["info", "newsfold::fetch=debug,info", "trace"] {
            let told = filter(quiet).unwrap().to_string();
            assert!(told.contains("html5ever=off"), "{quiet}: {told}");
        }
        for loud in ["info,html5ever=warn", "html5ever=warn"] {
            let told = filter(loud).unwrap().to_string();
            assert!(told.contains("html5ever=warn") && !told.contains("html5ever=off"), "{loud}: {told}");
        }
        assert!(filter("no=such=filter").is_err());
    }
}
