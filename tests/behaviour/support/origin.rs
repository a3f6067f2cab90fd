//! A server that answers as it is told, and remembers what it was asked.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a newsfold asked.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Which connection it came over, from 0.
    pub(crate) connection: usize,
    pub(crate) method: String,
    /// What the first line asks for.
    pub(crate) target: String,
    /// Names in lower case, in the order in which they came.
    pub(crate) headers: Vec<(String, String)>,
    raw: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A header's bytes, which need not be text.
    pub(crate) fn raw(&self, name: &str) -> Option<&[u8]> {
        self.raw.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice())
    }
}

/// The bytes of an answer, head and body.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    bytes: Vec<u8>,
    hangs: bool,
}

impl Answer {
    pub(crate) fn new(status: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            answer += &format!("{name}: {value}\r\n");
        }
        let mut bytes = (answer + "\r\n").into_bytes();
        bytes.extend_from_slice(body);
        Self { bytes, hangs: false }
    }

    pub(crate) fn ok(body: impl AsRef<[u8]>) -> Self {
        Self::new("200 OK", &[("Content-Type", "application/rss+xml")], body)
    }

    pub(crate) fn status(status: &str) -> Self {
        Self::new(status, &[], "")
    }

    pub(crate) fn redirect(status: &str, to: &str) -> Self {
        Self::new(status, &[("Location", to)], "")
    }

    /// What a server sends that does not keep to the protocol: these bytes, and then it hangs up.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into(), hangs: false }
    }

    /// These bytes, and then nothing, until the other side hangs up.
    pub(crate) fn hanging(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into(), hangs: true }
    }
}

type Script = dyn Fn(&Request) -> Answer + Send + Sync;

/// A server on loopback for the length of a test.
pub(crate) struct Origin {
    address: SocketAddr,
    script: Arc<Mutex<Arc<Script>>>,
    log: Arc<Mutex<Vec<Request>>>,
    is_over: Arc<AtomicBool>,
}

impl Origin {
    pub(crate) fn start(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = Self {
            address: listener.local_addr().unwrap(),
            script: Arc::new(Mutex::new(Arc::new(script))),
            log: Arc::default(),
            is_over: Arc::default(),
        };
        let (script, log, is_over) = (origin.script.clone(), origin.log.clone(), origin.is_over.clone());
        std::thread::spawn(move || {
            for (number, connection) in listener.incoming().enumerate() {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                let (script, log) = (script.clone(), log.clone());
                std::thread::spawn(move || converse(connection.unwrap(), number, &script, &log));
            }
        });
        origin
    }

    /// Always answers with this document.
    pub(crate) fn of(document: impl Into<String>) -> Self {
        let document = document.into();
        Self::start(move |_| Answer::ok(&document))
    }

    /// Answers differently from now on.
    pub(crate) fn change(&self, script: impl Fn(&Request) -> Answer + Send + Sync + 'static) {
        *self.script.lock().unwrap() = Arc::new(script);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Everything that was asked so far.
    pub(crate) fn asked(&self) -> Vec<Request> {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

/// Requests and answers on one connection, until either side hangs up.
fn converse(connection: TcpStream, number: usize, script: &Mutex<Arc<Script>>, log: &Mutex<Vec<Request>>) {
    connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut writer = connection.try_clone().unwrap();
    let mut reader = BufReader::new(connection);
    while let Some(request) = read_head(&mut reader, number) {
        log.lock().unwrap().push(request.clone());
        let script = script.lock().unwrap().clone();
        let Answer { bytes, hangs } = script(&request);
        let keeps_on = bytes.windows(15).any(|window| window == b"Content-Length:");
        if writer.write_all(&bytes).is_err() || !keeps_on {
            return;
        }
        if hangs {
            let _ = reader.read_line(&mut String::new());
            return;
        }
    }
}

fn read_head(reader: &mut impl BufRead, connection: usize) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let mut raw = Vec::new();
    loop {
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line).ok()?;
        let line = line.trim_ascii();
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            break;
        };
        let name = String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase();
        raw.push((name, line[colon + 1..].trim_ascii().to_vec()));
    }
    let length = raw
        .iter()
        .find(|(name, _)| name == "content-length")
        .map_or(0, |(_, length)| std::str::from_utf8(length).unwrap().parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let headers = raw.iter().map(|(name, value)| (name.clone(), String::from_utf8_lossy(value).into_owned())).collect();
    Some(Request { connection, method, target, headers, raw, body })
}
