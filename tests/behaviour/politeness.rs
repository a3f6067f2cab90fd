//! What servers see of us when they misbehave, ask for quiet, or are not there.

use std::collections::HashSet;
use std::io::Write;

use chrono::{DateTime, Utc};

use crate::support::{Answer, Origin, Scene, rss, rss_of};

/// Polls one feed at this origin, and gives the error that is remembered.
fn refused(answer: impl Into<Vec<u8>>) -> String {
    let bytes = answer.into();
    let origin = Origin::start(move |_| Answer::raw(bytes.clone()));
    let scene = Scene::with(&[("example", origin.url("/feed"))], "timeout = \"1s\"\nmax_body = \"1MiB\"\n");
    let ended = scene.run(&["poll"]);
    assert_eq!(ended.status, 1, "{ended:?}");
    assert_eq!(origin.asked().len(), 1, "nothing is asked twice");
    scene.feed()["last_error"].as_str().unwrap().to_owned()
}

fn outcome(scene: &Scene) -> String {
    scene.feed()["recent"][0]["outcome"].as_str().unwrap().to_owned()
}

#[test]
fn validators_are_bytes_and_not_text() {
    let origin = Origin::start(|request| match request.raw("if-none-match") {
        Some(b"un\xe9quoted, \x80W/") => Answer::status("304 Not Modified"),
        Some(_) => Answer::status("500 Internal Server Error"),
        None => {
            let mut head = b"HTTP/1.1 200 OK\r\nETag: un\xe9quoted, \x80W/\r\n".to_vec();
            let body = rss_of(&["a"]);
            head.extend_from_slice(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
            Answer::raw(head)
        }
    });
    let scene = Scene::with(&[("example", origin.url("/feed"))], "");
    scene.must(&["poll"]);
    scene.must(&["poll"]);
    assert_eq!(scene.feed()["not_modified"], 1);
}

#[test]
fn a_304_to_an_unconditional_request_is_an_error() {
    assert!(refused("HTTP/1.1 304 Not Modified\r\n\r\n").contains("nothing was held"));
}

#[test]
fn a_304_freshens_the_date_only_under_the_same_strong_tag() {
    let origin =
        Origin::start(|_| Answer::new("200 OK", &[("ETag", "\"1\""), ("Last-Modified", "then")], rss_of(&["a"])));
    let scene = Scene::with(&[("example", origin.url("/feed"))], "");
    scene.must(&["poll"]);
    origin.change(|_| Answer::new("304 Not Modified", &[("ETag", "\"2\""), ("Last-Modified", "later")], ""));
    scene.must(&["poll"]);
    origin.change(|_| Answer::new("304 Not Modified", &[("ETag", "\"1\""), ("Last-Modified", "now")], ""));
    scene.must(&["poll"]);
    scene.must(&["poll"]);
    let asked = origin.asked();
    assert_eq!(asked[2].header("if-modified-since"), Some("then"));
    assert_eq!(asked[3].header("if-modified-since"), Some("now"));
    assert_eq!(asked[3].header("if-none-match"), Some("\"1\""));
}

#[test]
fn validators_are_sent_to_the_address_that_they_came_from_and_to_no_other() {
    let first = Origin::start(|_| Answer::new("200 OK", &[("ETag", "\"1\"")], rss_of(&["a"])));
    let second = Origin::start(|request| match request.header("if-none-match") {
        Some(_) => Answer::status("304 Not Modified"),
        None => Answer::new("200 OK", &[("ETag", "\"1\"")], rss_of(&["b"])),
    });
    let target = first.url("/one");
    let door = Origin::start(move |_| Answer::redirect("302 Found", &target));
    let scene = Scene::with(&[("example", door.url("/feed"))], "");
    scene.must(&["poll"]);
    scene.must(&["poll"]);
    assert_eq!(first.asked()[1].header("if-none-match"), Some("\"1\""));
    let target = second.url("/two");
    door.change(move |_| Answer::redirect("302 Found", &target));
    assert!(scene.must(&["poll"]).starts_with("1 new"), "another server's tag means another document");
    assert_eq!(second.asked()[0].header("if-none-match"), None);
}

#[test]
fn a_document_that_breaks_off_vouches_for_nothing() {
    let whole = rss_of(&["a", "b"]);
    let origin = Origin::start(|_| Answer::new("200 OK", &[("ETag", "\"good\"")], rss_of(&["a"])));
    let scene = Scene::with(&[("example", origin.url("/feed"))], "");
    scene.must(&["poll"]);
    let cut = whole.split("</item>").next().unwrap().to_owned() + "</item><item><title>hal";
    origin.change(move |_| Answer::new("200 OK", &[("ETag", "\"cut\"")], &cut));
    scene.must(&["poll"]);
    scene.must(&["poll"]);
    assert_eq!(origin.asked()[2].header("if-none-match"), Some("\"good\""));
    scene.must(&["poll"]);
    assert_eq!(origin.asked()[3].header("if-none-match"), Some("\"cut\""), "twice the same is all there is");
}

#[test]
fn a_body_shorter_than_announced_is_a_failure_however_it_is_framed() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(rss_of(&["a", "b", "c"]).as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let cut = packed.len() - 12;
    let gzip = [
        format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {cut}\r\n\r\n").into_bytes(),
        packed[..cut].to_vec(),
    ]
    .concat();
    for answer in [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n<rss version=\"2.0\"><channel>".to_vec(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<rss \r\n".to_vec(),
        gzip,
    ] {
        refused(answer);
    }
}

#[test]
fn statuses_that_carry_no_feed_are_told_by_name() {
    let body = rss_of(&["a"]);
    for (status, words) in [
        ("204 No Content", "204"),
        ("206 Partial Content", "206"),
        ("201 Created", "201"),
        ("300 Multiple Choices", "300"),
        ("404 Not Found", "404"),
        ("418 I'm a teapot", "418"),
        ("500 Internal Server Error", "500"),
    ] {
        let framed = if status.starts_with("204") {
            format!("HTTP/1.1 {status}\r\n\r\n")
        } else {
            format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        };
        assert!(refused(framed).contains(words), "{status}");
    }
}

#[test]
fn interim_answers_and_an_old_protocol_are_understood() {
    let body = rss_of(&["a"]);
    for head in [
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\n\r\nHTTP/1.1 200 OK\r\n",
        "HTTP/1.0 200 OK\r\n",
        "HTTP/1.1 203 Non-Authoritative Information\r\n",
    ] {
        let answer = format!("{head}Connection: close\r\n\r\n{body}");
        let origin = Origin::start(move |_| Answer::raw(answer.clone()));
        let scene = Scene::with(&[("example", origin.url("/feed"))], "");
        assert!(scene.must(&["poll"]).starts_with("1 new"), "{head}");
    }
}

#[test]
fn each_limit_has_words_of_its_own() {
    let flood: String = (0..200).map(|n| format!("X-{n}: {n}\r\n")).collect();
    assert!(refused(format!("HTTP/1.1 200 OK\r\n{flood}\r\n")).contains("more header than is read"));
    let endless = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", " ".repeat(2 << 20));
    assert!(refused(endless).contains("max_body"));
    assert!(
        refused("HTTP/1.1 200 OK\r\nContent-Encoding: pack200\r\nContent-Length: 3\r\n\r\nxyz").contains("pack200")
    );
    assert!(refused("nonsense\r\n\r\n").contains("127.0.0.1"));
}

#[test]
fn an_answer_that_never_ends_is_given_up_and_holds_up_nobody() {
    let slow = Origin::start(|_| Answer::hanging("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<rss"));
    let quick = Origin::of(rss_of(&["a"]));
    let quick_url = quick.url("/").replace("127.0.0.1", "localhost");
    let scene = Scene::with(
        &[("slow", slow.url("/")), ("quick", quick_url)],
        "timeout = \"1s\"\nallow_networks = [\"127.0.0.0/8\", \"::1\"]\n",
    );
    let summary = scene.must(&["poll"]);
    assert!(summary.starts_with("1 new") && summary.contains("1 failed: slow"), "{summary}");
    let feeds = scene.json(&["feeds", "--json"]);
    assert!(feeds[1]["last_error"].as_str().unwrap().contains("poll.timeout"), "{feeds}");
}

/// Feeds of the internet, read through a proxy that stands for all servers of it.
fn through(proxy: &Origin, feeds: &[(&str, &str)]) -> Scene {
    let feeds: Vec<_> = feeds.iter().map(|(name, url)| (*name, (*url).to_owned())).collect();
    Scene::with(&feeds, &format!("proxy = \"{}\"\n", proxy.url("")))
}

#[test]
fn retry_after_holds_for_the_whole_host_and_over_restarts() {
    let internet = Origin::start(|_| Answer::new("503 Service Unavailable", &[("Retry-After", "99999999999")], ""));
    let feeds = [("a", "http://one.example/a"), ("b", "http://one.example/b"), ("c", "http://one.example/c")];
    let scene = through(&internet, &feeds);
    scene.run(&["poll"]);
    assert_eq!(internet.asked().len(), 1, "the others of this host are not asked any more");
    let states = scene.json(&["feeds", "--json"]);
    assert_eq!(states[1]["next_poll_why"], "Retry-After of one.example");
    assert_eq!((&states[1]["failures"], states[1]["state"].as_str()), (&0.into(), Some("new")));
    let wait = |feed: usize| {
        let next: DateTime<Utc> = states[feed]["next_poll"].as_str().unwrap().parse().unwrap();
        (next - newsfold::clock::now()).num_minutes()
    };
    assert!((60 * 24 * 7 - 5..=60 * 24 * 7 + 5).contains(&wait(0)), "who asked for it waits for a week: {}", wait(0));
    assert!((55..=66).contains(&wait(1)), "its neighbours wait for an hour: {}", wait(1));
    scene.write(
        "newsfold.toml",
        &std::fs::read_to_string(scene.path("newsfold.toml")).unwrap().replace("one.example/c", "one.example/new"),
    );
    assert!(scene.must(&["poll"]).contains("3 left alone"));
    assert_eq!(internet.asked().len(), 1);
    scene.run(&["poll", "b"]);
    assert_eq!(internet.asked().len(), 2, "a person may ask");
}

#[test]
fn in_a_private_network_retry_after_holds_for_the_feed_that_was_told() {
    let origin = Origin::start(|request| match request.target.as_str() {
        "/tired" => Answer::new("429 Too Many Requests", &[("Retry-After", "7200")], ""),
        _ => Answer::ok(rss_of(&["a"])),
    });
    let scene = Scene::with(&[("tired", origin.url("/tired")), ("well", origin.url("/well"))], "");
    scene.run(&["poll", "tired"]);
    let polled = scene.must(&["poll"]);
    assert!(polled.starts_with("1 new") && polled.contains("1 left alone"), "{polled}");
    assert_eq!(origin.asked().len(), 2);
}

#[test]
fn a_redirect_does_not_lead_to_a_server_that_asked_to_be_left_alone() {
    let internet = Origin::start(|request| match request.target.as_str() {
        "http://tired.example/feed" => Answer::new("429 Too Many Requests", &[("Retry-After", "7200")], ""),
        _ => Answer::redirect("302 Found", "http://tired.example/feed"),
    });
    let scene = through(&internet, &[("a", "http://tired.example/feed"), ("z", "http://door.example/")]);
    scene.run(&["poll", "a"]);
    scene.run(&["poll"]);
    let asked: Vec<String> = internet.asked().into_iter().map(|request| request.target).collect();
    assert_eq!(asked, ["http://tired.example/feed", "http://door.example/"]);
    assert!(scene.json(&["feeds", "--json"])[1]["next_poll_why"].as_str().unwrap().contains("tired.example"));
}

#[test]
fn garbage_in_retry_after_is_back_off() {
    for value in ["-5", "soon", "0", ""] {
        let origin = Origin::start(move |_| Answer::new("429 Too Many Requests", &[("Retry-After", value)], ""));
        let scene = Scene::with(&[("example", origin.url("/feed"))], "");
        scene.run(&["poll"]);
        scene.run(&["poll"]);
        let feed = scene.feed();
        assert_eq!(feed["next_poll_why"], "back-off after 2 failures", "{value}");
    }
}

#[test]
fn a_permanent_move_with_the_same_document_is_a_move() {
    let moved = Origin::start(|request| match request.header("if-none-match") {
        Some(_) => Answer::status("304 Not Modified"),
        None => Answer::new("200 OK", &[("ETag", "\"1\"")], rss_of(&["a"])),
    });
    let origin = Origin::start(|_| Answer::new("200 OK", &[("ETag", "\"1\"")], rss_of(&["a"])));
    let scene = Scene::with(&[("example", origin.url("/feed"))], "");
    scene.must(&["poll"]);
    let target = moved.url("/new#top");
    origin.change(move |_| Answer::redirect("308 Permanent Redirect", &target));
    scene.must(&["poll"]);
    scene.must(&["poll"]);
    assert_eq!(scene.feed()["moved_to"].as_str(), Some(moved.url("/new").as_str()));
    assert_eq!((origin.asked().len(), moved.asked().len()), (2, 2));
    assert_eq!(moved.asked()[1].header("if-none-match"), Some("\"1\""));
}

#[test]
fn only_the_permanent_beginning_of_a_chain_is_adopted() {
    let last = Origin::of(rss_of(&["a"]));
    let target = last.url("/feed");
    let temporary = Origin::start(move |_| Answer::redirect("302 Found", &target));
    let middle = temporary.url("/middle");
    let target = middle.clone();
    let first = Origin::start(move |_| Answer::redirect("301 Moved Permanently", &target));
    let scene = Scene::with(&[("example", first.url("/feed"))], "");
    scene.must(&["poll"]);
    assert_eq!(scene.feed()["moved_to"].as_str(), Some(middle.as_str()));
    let target = first.url("/feed");
    let outer = Origin::start(move |_| Answer::redirect("307 Temporary Redirect", &target));
    let scene = Scene::with(&[("example", outer.url("/feed"))], "");
    scene.must(&["poll"]);
    assert_eq!(scene.feed()["moved_to"], serde_json::Value::Null);
}

#[test]
fn a_permanent_move_to_a_page_or_to_nowhere_is_not_adopted() {
    for answer in [Answer::ok("<!doctype html><title>Parked</title>"), Answer::status("404 Not Found")] {
        let parked = Origin::start(move |_| answer.clone());
        let target = parked.url("/");
        let origin = Origin::start(move |_| Answer::redirect("301 Moved Permanently", &target));
        let scene = Scene::with(&[("example", origin.url("/feed"))], "");
        scene.run(&["poll"]);
        scene.run(&["poll"]);
        assert_eq!(scene.feed()["moved_to"], serde_json::Value::Null);
        assert_eq!(origin.asked().len(), 2);
    }
}

#[test]
fn a_move_that_was_taken_back_is_forgotten() {
    let moved = Origin::of(rss_of(&["a"]));
    let target = moved.url("/new");
    let origin = Origin::start(move |_| Answer::redirect("301 Moved Permanently", &target));
    let scene = Scene::with(&[("example", origin.url("/feed"))], "");
    scene.must(&["poll"]);
    moved.change(|_| Answer::status("404 Not Found"));
    origin.change(|_| Answer::ok(rss_of(&["a", "b"])));
    for _ in 0..4 {
        scene.run(&["poll"]);
    }
    assert!(scene.must(&["poll"]).starts_with("1 new"));
    assert_eq!(scene.feed()["moved_to"], serde_json::Value::Null);
}

#[test]
fn nothing_but_the_request_is_sent_on_after_a_redirect() {
    let last = Origin::of(rss_of(&["a"]));
    let target = last.url("/feed?q=1&q=%20").replace("http://127.0.0.1", "http://me:secret@localhost");
    let first =
        Origin::start(move |_| Answer::new("302 Found", &[("Location", &target), ("Set-Cookie", "id=1; Path=/")], ""));
    Scene::with(&[("example", first.url("/feed?a=b&&c#top"))], "").must(&["poll"]);
    assert_eq!(first.asked()[0].target, "/feed?a=b&&c");
    let request = &last.asked()[0];
    assert_eq!(request.target, "/feed?q=1&q=%20");
    let mut names: Vec<&str> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "accept-encoding", "connection", "host", "user-agent"]);
}

#[test]
fn hints_are_remembered_across_answers_without_a_body() {
    let ttl = rss_of(&["a"]).replace("<description>d</description>", "<description>d</description><ttl>180</ttl>");
    let origin = Origin::start(move |request| match request.header("if-none-match") {
        Some(_) => Answer::status("304 Not Modified"),
        None => Answer::new("200 OK", &[("ETag", "\"1\"")], &ttl),
    });
    let scene = Scene::with(&[("example", origin.url("/feed"))], "");
    scene.must(&["poll"]);
    scene.must(&["poll"]);
    assert_eq!(scene.feed()["next_poll_why"], "ttl of 3h in the feed");
}

#[test]
fn what_a_304_says_of_its_freshness_counts() {
    let origin = Origin::start(|request| match request.header("if-none-match") {
        Some(_) => Answer::new("304 Not Modified", &[("Cache-Control", "max-age=10800")], ""),
        None => Answer::new("200 OK", &[("ETag", "\"1\"")], rss_of(&["a"])),
    });
    let scene = Scene::with(&[("example", origin.url("/feed"))], "");
    scene.must(&["poll"]);
    scene.must(&["poll"]);
    assert_eq!(scene.feed()["next_poll_why"], "the server's max-age of 3h");
}

#[test]
fn many_unrelated_hosts_out_of_reach_are_our_outage_and_nobodys_failure() {
    let names: Vec<(String, String)> =
        (0..8).map(|n| (format!("f{n}"), format!("http://no-such-host-{n}.invalid/feed"))).collect();
    let feeds: Vec<(&str, String)> = names.iter().map(|(name, url)| (name.as_str(), url.clone())).collect();
    let scene = Scene::with(&feeds, "");
    let ended = scene.run(&["poll"]);
    assert_eq!(ended.status, 1);
    assert!(ended.out.contains("the network here seems to be down"), "{ended:?}");
    let states = scene.json(&["feeds", "--json"]);
    let excused = states.as_array().unwrap().iter().filter(|feed| feed["failures"] == 0).count();
    assert_eq!(excused, 8, "{states}");
}

#[test]
fn one_host_that_cannot_be_resolved_is_its_own_failure() {
    let scene = Scene::with(&[("example", "http://no-such-host.invalid/feed".into())], "");
    assert_eq!(scene.run(&["poll"]).status, 1);
    assert_eq!((scene.feed()["failures"].as_u64(), outcome(&scene).as_str()), (Some(1), "unreachable"));
}

#[test]
fn a_feed_whose_every_entry_is_always_new_is_flagged_and_limited() {
    let origin = Origin::of(rss_of(&["start"]));
    let scene = Scene::with(&[("example", origin.url("/feed"))], "");
    scene.must(&["poll"]);
    for round in 0..4 {
        // One that stays is no sign of a feed of news.
        let names: Vec<String> =
            (0..150).map(|n| format!("{round}-{n}")).chain(std::iter::once("start".into())).collect();
        let document = rss_of(&names.iter().map(String::as_str).collect::<Vec<_>>());
        origin.change(move |_| Answer::ok(&document));
        let summary = scene.must(&["poll"]);
        let expected = if round < 2 { "150 new" } else { "100 new" };
        assert!(summary.starts_with(expected), "{round}: {summary}");
    }
    assert_eq!(scene.feed()["is_flooding"], true);
    assert!(scene.must(&["feeds"]).contains("every entry has been new"));
}

#[test]
fn more_new_entries_than_one_poll_takes_in_come_with_the_next() {
    let names: Vec<String> = (0..2_100).map(|n| n.to_string()).collect();
    let document = rss_of(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let origin = Origin::start(move |_| Answer::new("200 OK", &[("ETag", "\"1\"")], &document));
    let scene = Scene::with(&[("example", origin.url("/feed"))], "");
    assert!(scene.must(&["poll"]).starts_with("2000 new"));
    assert!(scene.must(&["poll"]).starts_with("100 new"));
    assert_eq!(origin.asked()[1].header("if-none-match"), None);
}

#[test]
fn ids_that_all_change_at_every_poll_are_published_once() {
    let document = |round: u32| {
        let ids: Vec<String> = (0..5).map(|n| format!("{round}-{n}")).collect();
        let links: Vec<String> = (0..5).map(|n| format!("https://example.org/{n}?session={round}{n}")).collect();
        let titles: Vec<String> = (0..5).map(|n| format!("Title {n}")).collect();
        let entries: Vec<_> = (0..5).map(|n| (ids[n].as_str(), links[n].as_str(), titles[n].as_str(), "t")).collect();
        rss("A feed", &entries)
    };
    let origin = Origin::of(document(0));
    let scene = Scene::with(&[("example", origin.url("/feed"))], "");
    scene.must(&["poll"]);
    for round in 1..4 {
        origin.change(move |_| Answer::ok(document(round)));
        assert!(scene.must(&["poll"]).starts_with("0 new"), "{round}");
    }
    assert_eq!(scene.feed()["entries"], 5);
}

#[test]
fn an_id_that_another_feed_uses_too_is_another_entry() {
    let one = Origin::of(rss("One", &[("same", "https://one.example/a", "Budget passed", "t")]));
    let two = Origin::of(rss("Two", &[("same", "https://two.example/b", "Wolf seen", "u")]));
    let scene = Scene::with(&[("one", one.url("/")), ("two", two.url("/"))], "");
    scene.must(&["poll"]);
    let titles: Vec<String> = scene.stories().into_iter().map(|(title, _)| title).collect();
    assert!(titles.contains(&"Budget passed".to_owned()) && titles.contains(&"Wolf seen".to_owned()));
}

#[test]
fn auto_learns_from_the_dates_of_the_first_document() {
    let document = rss_of(&["a", "b", "c", "d"]);
    let dates = ["00:00", "00:20", "00:40", "01:00"];
    let mut parts = document.split("00:00:00 GMT");
    let mut dated = parts.next().unwrap().to_owned();
    for (part, date) in parts.zip(dates) {
        dated += &format!("{date}:00 GMT{part}");
    }
    let origin = Origin::of(dated);
    let scene = Scene::with(&[("example", origin.url("/feed"))], "");
    let text = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    scene.write("newsfold.toml", &text.replace("interval = \"1h\"", "interval = \"auto\""));
    scene.must(&["poll"]);
    let why = scene.feed()["next_poll_why"].as_str().unwrap().to_owned();
    assert_eq!(why, "every 1d, as it publishes", "it has been quiet since 2026 began");
}

#[test]
fn a_named_feed_with_due_is_polled_only_if_it_is_due() {
    let origin = Origin::of(rss_of(&["a"]));
    let scene = Scene::with(&[("example", origin.url("/feed"))], "");
    scene.must(&["poll", "example", "--due"]);
    scene.must(&["poll", "example", "--due"]);
    assert_eq!(origin.asked().len(), 1);
}

#[test]
fn what_came_of_each_poll_is_kept() {
    let origin = Origin::start(|_| Answer::new("200 OK", &[("ETag", "\"1\"")], rss_of(&["a"])));
    let scene = Scene::with(&[("example", origin.url("/feed"))], "");
    scene.must(&["poll"]);
    origin.change(|_| Answer::status("304 Not Modified"));
    scene.must(&["poll"]);
    origin.change(|_| Answer::status("500 Internal Server Error"));
    scene.run(&["poll"]);
    let feed = scene.feed();
    let outcomes: Vec<&str> =
        feed["recent"].as_array().unwrap().iter().map(|poll| poll["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["server_failed", "not_modified", "document"]);
    assert_eq!(feed["validators"]["etag"], "\"1\"");
    assert!(feed["saved_bytes"].as_u64() > Some(0) && feed["median_bytes"].as_u64() > Some(0), "{feed}");
}

#[test]
fn feeds_of_one_host_are_asked_one_after_the_other_over_one_connection() {
    let origin = Origin::of(rss_of(&["a"]));
    let names: Vec<String> = (0..6).map(|n| format!("f{n}")).collect();
    let feeds: Vec<(&str, String)> =
        names.iter().map(|name| (name.as_str(), origin.url(&format!("/{name}")))).collect();
    Scene::with(&feeds, "").must(&["poll"]);
    let asked = origin.asked();
    assert_eq!(asked.len(), 6);
    assert!(asked.iter().all(|request| request.connection == asked[0].connection), "{asked:?}");
    let told: Vec<Option<&str>> = asked.iter().map(|request| request.header("connection")).collect();
    assert_eq!(told, [None, None, None, None, None, Some("close")], "and the last says that it is the last");
}

#[test]
fn feeds_of_one_host_go_on_sharing_connections_round_after_round() {
    const FEEDS: usize = 20;
    const ROUNDS: usize = 4;
    let origin = Origin::of(rss_of(&["a"]));
    let names: Vec<String> = (0..FEEDS).map(|n| format!("f{n}")).collect();
    let feeds: Vec<(&str, String)> =
        names.iter().map(|name| (name.as_str(), origin.url(&format!("/{name}")))).collect();
    let scene = Scene::with(&feeds, "");
    let text = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    scene.write("newsfold.toml", &text.replace("interval = \"1h\"", "interval = \"3s\""));
    let mut daemon = scene.start();
    for _ in 0..FEEDS * (ROUNDS - 1) {
        daemon.wait_for_event("feed.unchanged");
    }
    drop(daemon);
    let connections: HashSet<usize> = origin.asked().iter().map(|request| request.connection).collect();
    assert!(connections.len() <= 2 * ROUNDS, "{} connections in {ROUNDS} rounds", connections.len());
}

#[test]
fn a_feed_behind_a_redirect_is_followed_over_one_connection() {
    let origin = Origin::start(|request| match request.target.as_str() {
        "/feed" => Answer::redirect("302 Found", "/today"),
        _ => Answer::ok(rss_of(&["a"])),
    });
    let scene = Scene::with(&[("example", origin.url("/feed"))], "");
    scene.must(&["poll"]);
    scene.must(&["poll"]);
    let asked = origin.asked();
    let [.., hop, document] = &*asked else { panic!("{asked:?}") };
    assert_eq!((hop.target.as_str(), document.target.as_str()), ("/feed", "/today"));
    assert_eq!((hop.connection, hop.header("connection")), (document.connection, None));
}

#[test]
fn killed_while_asking_it_does_not_ask_again_at_once() {
    let origin = Origin::start(|_| Answer::hanging("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"));
    let scene = Scene::with(&[("example", origin.url("/feed"))], "");
    let daemon = scene.start();
    while origin.asked().is_empty() {
        std::thread::yield_now();
    }
    daemon.signal("KILL");
    assert_eq!(daemon.ended(), -1);
    assert_eq!(scene.feed()["next_poll_why"], "a poll is under way");
    let daemon = scene.start();
    daemon.get("/healthz");
    daemon.signal("TERM");
    daemon.ended();
    assert_eq!(origin.asked().len(), 1);
}

#[test]
fn a_missing_feed_is_tried_again_and_a_good_answer_ends_the_back_off() {
    let origin = Origin::start(|_| Answer::status("404 Not Found"));
    let scene = Scene::with(&[("example", origin.url("/feed"))], "");
    for _ in 0..3 {
        scene.run(&["poll"]);
    }
    assert_eq!(scene.feed()["next_poll_why"], "back-off after 3 failures");
    origin.change(|_| Answer::ok(rss_of(&["a"])));
    scene.must(&["poll"]);
    assert_eq!(
        (scene.feed()["next_poll_why"].as_str(), scene.feed()["state"].as_str()),
        (Some("every 1h"), Some("ok"))
    );
}

#[test]
fn a_document_full_of_entities_and_depth_is_neither_expanded_nor_a_crash() {
    let bomb = "<?xml version=\"1.0\"?><!DOCTYPE r [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\"><!ENTITY x SYSTEM \"file:///etc/passwd\">]><rss version=\"2.0\"><channel><title>&c;&x;</title><item><title>one</title><link>https://example.org/1</link></item></channel></rss>".to_owned();
    let deep = format!("{}{}", rss_of(&["a"]).replace("</channel></rss>", ""), "<x>".repeat(100_000));
    for document in [bomb, deep] {
        let origin = Origin::of(document);
        let scene = Scene::with(&[("example", origin.url("/feed"))], "");
        scene.must(&["poll"]);
        let feed = scene.feed();
        assert!(!feed.to_string().contains("root:") && feed["entries"] == 1, "{feed}");
    }
}
