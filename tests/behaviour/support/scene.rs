//! A newsfold in a folder of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A folder with a configuration, and the program to run in it.
pub(crate) struct Scene {
    folder: TempDir,
}

impl Scene {
    /// A configuration with these feeds by name and address, and with what `more` adds to it.
    pub(crate) fn with(feeds: &[(&str, String)], more: &str) -> Self {
        let scene = Self { folder: tempfile::tempdir().unwrap() };
        scene.configure(feeds, more);
        scene
    }

    /// Replaces the configuration.
    pub(crate) fn configure(&self, feeds: &[(&str, String)], more: &str) {
        let poll = "[poll]\nmin_interval = \"1s\"\ninterval = \"1h\"\nbackfill = \"36500d\"\nper_host_gap = \"0s\"\n";
        let allow = if more.contains("allow_networks") { "" } else { "allow_networks = [\"127.0.0.0/8\"]\n" };
        let serve = if more.contains("[serve]") { "" } else { "[serve]\nlisten = \"127.0.0.1:0\"\n" };
        // What `more` says about `[poll]` comes first, as long as it is no table of its own.
        let (keys, tables) = more
            .split_at(more.find('[').filter(|at| *at == 0 || more.as_bytes()[at - 1] == b'\n').unwrap_or(more.len()));
        let feeds: String =
            feeds.iter().map(|(name, url)| format!("[[feed]]\nname = \"{name}\"\nurl = \"{url}\"\n")).collect();
        self.write("newsfold.toml", &format!("{poll}{allow}{keys}\n{serve}{tables}\n{feeds}"));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_newsfold"));
        command.current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        ended(self.command().args(arguments).output().unwrap())
    }

    /// Runs a command that has to succeed; gives its standard output.
    pub(crate) fn must(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.status, 0, "{arguments:?}: {ended:?}");
        ended.out
    }

    /// Runs a command with this on its standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &[u8]) -> Ended {
        let mut child = self
            .command()
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        ended(child.wait_with_output().unwrap())
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.must(arguments)).unwrap()
    }

    /// What `newsfold feeds --json` says of the first feed.
    pub(crate) fn feed(&self) -> Value {
        self.json(&["feeds", "--json"])[0].clone()
    }

    /// The titles of the published stories, newest first, each with how many feeds tell it.
    pub(crate) fn stories(&self) -> Vec<(String, u64)> {
        let feed = self.json(&["publish", "--format", "json"]);
        let stories = feed["items"].as_array().unwrap().iter();
        stories
            .map(|story| (story["title"].as_str().unwrap().to_owned(), story["_newsfold"]["sources"].as_u64().unwrap()))
            .collect()
    }

    /// Starts the daemon and waits until it serves.
    pub(crate) fn start(&self) -> Daemon {
        self.start_with(&[])
    }

    /// Starts the daemon with more in its environment.
    pub(crate) fn start_with(&self, environment: &[(&str, &str)]) -> Daemon {
        let mut command = self.command();
        command.envs(environment.iter().copied());
        Self::started(command)
    }

    /// Starts the daemon by way of another program, which is given its command line.
    pub(crate) fn start_by(&self, program: &[&str]) -> Daemon {
        let mut command = Command::new(program[0]);
        command.args(&program[1..]).arg(env!("CARGO_BIN_EXE_newsfold")).current_dir(self.folder.path());
        Self::started(command)
    }

    fn started(mut command: Command) -> Daemon {
        let mut child = command
            .stdin(Stdio::null())
            .args(["--log", "debug", "--log-format", "json", "run"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let (is_over, over) = channel::<()>();
        let id = child.id().to_string();
        // A daemon that never says what a test waits for is ended, and the test fails.
        std::thread::spawn(move || {
            if over.recv_timeout(Duration::from_secs(60)) == Err(RecvTimeoutError::Timeout) {
                let _ = Command::new("kill").args(["-KILL", &id]).status();
            }
        });
        let listening = read_until(&mut lines, &named("serve.listening"));
        let said: Value = serde_json::from_str(&listening).unwrap();
        let address = said["message"].as_str().unwrap().rsplit(' ').next().unwrap().to_owned();
        Daemon { child, lines, address, _is_over: is_over }
    }
}

/// A running daemon, ended with the test.
pub(crate) struct Daemon {
    child: Child,
    lines: BufReader<ChildStderr>,
    _is_over: Sender<()>,
    /// Where it serves.
    pub(crate) address: String,
}

impl Daemon {
    /// Reads the log until something of this name happens (docs/log.md); gives the line.
    pub(crate) fn wait_for_event(&mut self, name: &str) -> String {
        read_until(&mut self.lines, &named(name))
    }

    /// Reads the log until the configuration was read again, whether it is in force or waits for the store (`config.reloaded`,
    /// `config.waits`).
    pub(crate) fn wait_for_reload(&mut self) -> String {
        read_until(&mut self.lines, "the configuration was read again")
    }

    /// Reads the log until a line says this; gives the line.
    pub(crate) fn wait_for(&mut self, words: &str) -> String {
        read_until(&mut self.lines, words)
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// The greatest size of its files from now on, as prlimit(1) takes it.
    pub(crate) fn limit_files(&self, size: &str) {
        let id = self.child.id().to_string();
        let limited = Command::new("prlimit").args(["--pid", &id, &format!("--fsize={size}")]).status().unwrap();
        assert!(limited.success());
    }

    /// Waits for the end; gives what the log said until then.
    pub(crate) fn rest(mut self) -> String {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        rest
    }

    /// Waits for the end; gives the exit status, -1 when a signal ended it.
    pub(crate) fn ended(mut self) -> i32 {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        self.child.wait().unwrap().code().unwrap_or(-1)
    }

    /// One request over a connection of its own; gives the head and the body.
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> (String, Vec<u8>) {
        self.send(method, path, headers, b"")
    }

    /// One request with a body.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (String, Vec<u8>) {
        let mut connection = TcpStream::connect(&self.address).unwrap();
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: newsfold\r\nConnection: close\r\n");
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            request += &format!("Content-Length: {}\r\n", body.len());
        }
        connection.write_all((request + "\r\n").as_bytes()).unwrap();
        // Who refuses a body need not read it.
        let _ = connection.write_all(body);
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let body = answer.split_off(end + 4);
        (String::from_utf8(answer).unwrap(), body)
    }

    pub(crate) fn get(&self, path: &str) -> (String, String) {
        let (head, body) = self.ask("GET", path, &[]);
        (head, String::from_utf8(body).unwrap())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a line of the log begins that tells of an event.
fn named(event: &str) -> String {
    format!("{{\"event\":\"{event}\",")
}

fn read_until(lines: &mut impl BufRead, words: &str) -> String {
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        assert!(lines.read_line(&mut line).unwrap() > 0, "it ended without saying {words:?}:\n{seen}");
        if line.contains(words) {
            return line;
        }
        seen += &line;
    }
}

fn ended(output: std::process::Output) -> Ended {
    Ended {
        status: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}
