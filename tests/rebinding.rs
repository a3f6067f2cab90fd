//! A name that changes its mind between two look-ups.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use newsfold::clock;
use newsfold::fetch::access::Access;
use newsfold::fetch::{Client, Error, Fetched, Found, LookUp, Question, Settings};
use newsfold::politeness::Politeness;
use url::Url;

/// Gives an allowed address the first time, and one inside ever after.
struct Rebinding(AtomicUsize);

impl LookUp for Rebinding {
    fn look_up(&self, _name: String) -> Found {
        let asked = self.0.fetch_add(1, Ordering::Relaxed);
        let address: SocketAddr = if asked == 0 { "127.0.0.1:0" } else { "127.0.0.2:0" }.parse().unwrap();
        Box::pin(async move { Ok(vec![address]) })
    }
}

#[tokio::test]
async fn what_a_name_was_checked_as_is_what_is_connected_to() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let _ = connection.read(&mut [0; 4096]);
        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx");
    });
    let look_up = Arc::new(Rebinding(AtomicUsize::new(0)));
    let settings = Settings {
        user_agent: "newsfold-test".into(),
        timeout: Duration::from_secs(5),
        max_body_bytes: 1000,
        per_host: 1,
        per_host_gap: Duration::ZERO,
        allow_networks: vec!["127.0.0.1/32".parse().unwrap()],
        look_up: look_up.clone(),
    };
    let client = Client::new(settings, Politeness::default());
    let (address, access) = (Url::parse(&format!("http://rebinding.example:{port}/")).unwrap(), Access::default());
    let first = client.get(Question::first(&address, &access), clock::now()).await;
    assert!(matches!(first, Ok(Fetched::Document(..))), "{first:?}");
    assert_eq!(look_up.0.load(Ordering::Relaxed), 1, "one look-up for one connection");
    let second = client.get(Question::first(&address, &access), clock::now()).await;
    assert!(matches!(second, Err(Error::Refused(..))), "{second:?}");
}
