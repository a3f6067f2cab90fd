//! HTTP as it is spoken: what servers say that no specification foresaw, and what is made of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::support::{Answer, Identity, Origin, Scene, Stream, answer_once, rss_of};

fn scene(url: &str) -> Scene {
    Scene::with(&[("example", url.to_owned())], "")
}

/// Why the feed fails.
fn failure(url: &str) -> String {
    let scene = scene(url);
    assert_eq!(scene.run(&["poll"]).status, 1);
    scene.feed()["last_error"].as_str().unwrap().to_owned()
}

#[test]
fn a_cookie_is_brought_along_a_chain_of_redirects_and_forgotten_with_it() {
    let origin = Origin::start(|request| {
        let has_cookie = request.header("cookie").is_some_and(|cookies| cookies.contains("seen=1"));
        let document = Answer::new("200 OK", &[("ETag", "\"1\"")], rss_of(&["a"]));
        let sets = |to| Answer::new("302 Found", &[("Location", to), ("Set-Cookie", "seen=1; Path=/; HttpOnly")], "");
        match (request.target.as_str(), has_cookie) {
            ("/detour", false) => Answer::redirect("302 Found", "/check"),
            ("/check", _) => sets("/detour"),
            (_, true) if request.header("if-none-match").is_some() => Answer::status("304 Not Modified"),
            (_, true) => document,
            (own, false) => sets(own),
        }
    });
    for path in ["/feed", "/detour"] {
        let scene = scene(&origin.url(path));
        assert!(scene.must(&["poll"]).starts_with("1 new"));
        let before = origin.asked().len();
        scene.must(&["poll"]);
        let asked = origin.asked().split_off(before);
        assert_eq!(asked[0].header("cookie"), None, "nobody is known again");
        assert_eq!(scene.feed()["not_modified"], 1, "{path}: its validators are of the address that was led back to");
    }
}

#[test]
fn a_cookie_goes_to_its_own_host_beside_those_that_are_configured() {
    let abroad = Origin::of(rss_of(&["a"]));
    let target = abroad.url("/feed").replace("127.0.0.1", "localhost");
    let origin = Origin::start(move |request| match request.target.as_str() {
        "/feed" => Answer::new("302 Found", &[("Location", "/on"), ("Set-Cookie", "seen=1")], ""),
        _ => Answer::redirect("302 Found", &target),
    });
    let keys =
        format!("\n[[feed]]\nname = \"a\"\nurl = \"{}\"\nheaders = {{ Cookie = \"id=1\" }}\n", origin.url("/feed"));
    Scene::with(&[], &keys).must(&["poll"]);
    let cookies: Vec<_> = origin.asked().iter().map(|request| request.header("cookie").unwrap().to_owned()).collect();
    assert_eq!(cookies, ["id=1", "id=1; seen=1"]);
    assert_eq!(abroad.asked()[0].header("cookie"), None);
}

#[test]
fn a_circle_is_a_circle_whatever_cookie_it_sets_again() {
    let origin = Origin::start(|_| Answer::new("302 Found", &[("Location", "/feed"), ("Set-Cookie", "a=1")], ""));
    assert!(failure(&origin.url("/feed")).contains("in a circle"));
    assert_eq!(origin.asked().len(), 2);
    let count = Arc::new(Mutex::new(0));
    let origin = Origin::start(move |_| {
        let mut count = count.lock().unwrap();
        *count += 1;
        Answer::new("302 Found", &[("Location", "/feed"), ("Set-Cookie", &format!("a={count}"))], "")
    });
    assert!(failure(&origin.url("/feed")).contains("longer than 10 hops"));
}

#[test]
fn header_lines_that_are_none_cost_no_document() {
    let body = rss_of(&["a"]);
    for lines in [
        "Content-Security-Policy: default-src 'self';\r\n    img-src https:;\r\n\tscript-src 'none'\r\n",
        "Content-Type: application/rss+xml;\r\n charset=utf-8\r\n",
        "X Powered: by hand\r\n",
        "X-Made-By : hand\r\n",
        "no field at all\r\n",
        "X-Tab\t: 1\r\n",
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{lines}ETag: \"1\"\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let origin = Origin::start(move |_| Answer::raw(answer.clone()));
        let scene = scene(&origin.url("/feed"));
        assert!(scene.must(&["poll"]).starts_with("1 new"), "{lines}");
        scene.must(&["poll"]);
        assert_eq!(origin.asked()[1].header("if-none-match"), Some("\"1\""), "{lines}: the other lines count");
    }
}

#[test]
fn two_lengths_are_an_error() {
    let body = rss_of(&["a"]);
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len(),
        body.len() - 1
    );
    let origin = Origin::start(move |_| Answer::raw(answer.clone()));
    failure(&origin.url("/feed"));
}

#[test]
fn a_refusal_is_told_with_its_cure() {
    for (status, field, words) in [
        ("401 Unauthorized", ("WWW-Authenticate", "Digest realm=\"a\", nonce=\"b\""), "Digest"),
        ("403 Forbidden", ("cf-mitigated", "challenge"), "bot wall (Cloudflare)"),
        ("302 Found", ("Location", "http://"), "no address"),
    ] {
        let origin = Origin::start(move |_| Answer::new(status, &[field], ""));
        let told = failure(&origin.url("/feed"));
        assert!(told.contains(words), "{told}");
    }
    let port = Identity::signed("localhost", (2020, 2090)).listen(&[], drop);
    let told = failure(&format!("http://127.0.0.1:{port}/feed"));
    assert!(told.contains("an `https:` address"), "{told}");
    for answer in ["HTTP/1.1 400 Bad Request\r\n\r\n", ""] {
        let plain = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = plain.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for mut connection in plain.incoming().flatten() {
                let _ = connection.read(&mut [0; 4096]);
                let _ = connection.write_all(answer.as_bytes());
            }
        });
        let told = failure(&format!("https://127.0.0.1:{port}/feed"));
        assert!(told.contains("an `http:` address"), "{told}");
    }
}

#[test]
fn credentials_that_were_not_sent_along_are_told_of() {
    let abroad = Origin::start(|_| Answer::status("401 Unauthorized"));
    let target = abroad.url("/feed");
    let origin = Origin::start(move |_| Answer::redirect("302 Found", &target));
    let keys = format!(
        "\n[[feed]]\nname = \"a\"\nurl = \"{}\"\nusername = \"me\"\npassword = \"secret\"\n",
        origin.url("/feed")
    );
    let scene = Scene::with(&[], &keys);
    assert_eq!(scene.run(&["poll"]).status, 1);
    assert!(scene.feed()["last_error"].as_str().unwrap().contains("not sent along"), "{}", scene.feed());
}

/// A frame of HTTP/2 (RFC 9113 §4.1).
fn frame(kind: u8, stream: u32, load: &[u8]) -> Vec<u8> {
    let length = u32::try_from(load.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, 0], &stream.to_be_bytes(), load].concat()
}

const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

/// Reads until the request has come, and sends this instead of an answer.
fn fail_over_http_2(stream: &mut Stream, bytes: &[u8]) {
    const PREFACE: usize = 24;
    const HEADERS: u8 = 1;
    stream.write_all(&frame(SETTINGS, 0, &[])).unwrap();
    let mut received = vec![0; PREFACE];
    stream.read_exact(&mut received).unwrap();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        stream.read_exact(&mut vec![0; length.try_into().unwrap()]).unwrap();
        if head[3] == HEADERS {
            break;
        }
    }
    stream.write_all(bytes).unwrap();
    stream.conn.send_close_notify();
    stream.flush().unwrap();
}

/// Polls two feeds of a server where HTTP/2 fails like this; gives how many were read, and the protocols of the
/// connections.
fn spoken(failure: Option<Vec<u8>>) -> (usize, Vec<String>) {
    let identity = Identity::signed("localhost", (2020, 2090));
    let authority = identity.authority.clone();
    let log = Arc::new(Mutex::new(Vec::new()));
    let spoken = log.clone();
    let port = identity.listen(&[b"h2", b"http/1.1"], move |mut stream| {
        let protocol = stream.conn.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()).unwrap();
        let is_http_2 = protocol == "h2";
        spoken.lock().unwrap().push(protocol);
        match &failure {
            Some(bytes) if is_http_2 => fail_over_http_2(&mut stream, bytes),
            None if is_http_2 => {}
            _ => drop(answer_once(&mut stream, &rss_of(&["a"]))),
        }
    });
    let feeds = ["a", "b"].map(|name| {
        format!("\n[[feed]]\nname = \"{name}\"\nurl = \"https://localhost:{port}/{name}\"\nca = \"authority.pem\"\n")
    });
    let scene = Scene::with(&[], &feeds.concat());
    scene.write("authority.pem", &authority);
    scene.run(&["poll"]);
    let feeds = scene.json(&["feeds", "--json"]);
    let read = feeds.as_array().unwrap().iter().filter(|feed| feed["state"] == "ok").count();
    let spoken = log.lock().unwrap().clone();
    (read, spoken)
}

#[test]
fn where_http_2_fails_http_1_is_spoken_in_the_same_poll_and_from_then_on() {
    let reset = |code: u32| frame(RST_STREAM, 1, &code.to_be_bytes());
    let away = |code: u32| frame(GOAWAY, 0, &[[0; 4], code.to_be_bytes()].concat());
    const PROTOCOL_ERROR: u32 = 1;
    const INTERNAL_ERROR: u32 = 2;
    const HTTP_1_1_REQUIRED: u32 = 13;
    for (what, failure) in [
        ("required for the stream", Some(reset(HTTP_1_1_REQUIRED))),
        ("required for the connection", Some(away(HTTP_1_1_REQUIRED))),
        ("an error of the protocol", Some(reset(PROTOCOL_ERROR))),
        ("the same for the connection", Some(away(PROTOCOL_ERROR))),
        ("an error of the server's", Some(reset(INTERNAL_ERROR))),
        ("an answer in HTTP/1.1", Some(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi".to_vec())),
        ("closed after the request", Some(Vec::new())),
        ("closed at once", None),
    ] {
        assert_eq!(spoken(failure), (2, ["h2", "http/1.1", "http/1.1"].map(str::to_owned).to_vec()), "{what}");
    }
}

#[test]
fn who_is_asked_too_much_over_http_2_is_not_asked_once_more() {
    const ENHANCE_YOUR_CALM: u32 = 11;
    let (read, spoken) = spoken(Some(frame(RST_STREAM, 1, &ENHANCE_YOUR_CALM.to_be_bytes())));
    assert_eq!((read, spoken), (0, vec!["h2".to_owned(), "h2".to_owned()]));
}

#[test]
fn a_connection_that_was_kept_and_is_closed_costs_no_feed_its_poll() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = asked.clone();
    std::thread::spawn(move || {
        // Each connection answers once, says that it stays, and closes when it is asked again.
        for mut stream in server.incoming().flatten() {
            let log = log.clone();
            std::thread::spawn(move || {
                let request = |stream: &mut TcpStream| {
                    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
                    let first = lines.next()?;
                    lines.find(|line| line.is_empty())?;
                    log.lock().unwrap().push(first.split(' ').nth(1)?.to_owned());
                    Some(())
                };
                if request(&mut stream).is_some() {
                    let body = rss_of(&["a"]);
                    let head =
                        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: keep-alive\r\n\r\n", body.len());
                    let _ = stream.write_all((head + &body).as_bytes());
                    request(&mut stream);
                }
            });
        }
    });
    let feeds = ["a", "b", "c"].map(|name| (name, format!("http://{address}/{name}")));
    let scene = Scene::with(&feeds, "");
    scene.must(&["poll"]);
    let states = scene.json(&["feeds", "--json"]);
    assert!(states.as_array().unwrap().iter().all(|feed| feed["state"] == "ok"), "{states}");
    assert!(asked.lock().unwrap().len() <= 5, "nothing is asked more than once more: {asked:?}");
}

#[test]
fn http_2_is_spoken_where_it_is_offered() {
    let identity = Identity::signed("localhost", (2020, 2090));
    let authority = identity.authority.clone();
    let (told, heard) = std::sync::mpsc::channel();
    let port = identity.listen(&[b"h2", b"http/1.1"], move |mut stream| {
        let received = answer_once(&mut stream, "");
        let _ = told.send((received, stream.conn.alpn_protocol().map(<[u8]>::to_vec)));
    });
    let keys = format!("\n[[feed]]\nname = \"a\"\nurl = \"https://localhost:{port}/feed\"\nca = \"authority.pem\"\n");
    let scene = Scene::with(&[], &keys);
    scene.write("authority.pem", &authority);
    scene.run(&["poll"]);
    let (received, protocol) = heard.recv().unwrap();
    assert_eq!(protocol.as_deref(), Some(b"h2".as_slice()));
    assert!(received.starts_with(b"PRI * HTTP/2.0"), "{received:?}");
}
