//! What servers see of us, and what their answers come to.

use std::io::Write;

use chrono::TimeDelta;
use newsfold::model::history::{History, Sample};

use crate::support::{Answer, Origin, Scene, rss, rss_of};

fn scene(origin: &Origin) -> Scene {
    Scene::with(&[("example", origin.url("/feed"))], "")
}

#[test]
fn what_a_feed_holds_is_stored_once() {
    let origin = Origin::of(rss_of(&["a", "b"]));
    let scene = scene(&origin);
    assert!(scene.must(&["poll"]).starts_with("2 new"));
    assert!(scene.must(&["poll"]).starts_with("0 new"));
    assert_eq!(scene.stories().len(), 2);
    assert_eq!(scene.feed()["entries"], 2);
}

#[test]
fn validators_go_back_byte_for_byte_and_a_304_leaves_the_entries_untouched() {
    let origin = Origin::start(|request| match request.header("if-none-match") {
        Some(_) => Answer::status("304 Not Modified"),
        None => Answer::new(
            "200 OK",
            &[("ETag", "W/\"odd \\\"tag\""), ("Last-Modified", "yesterday, more or less")],
            rss_of(&["a"]),
        ),
    });
    let scene = scene(&origin);
    scene.must(&["poll"]);
    scene.must(&["poll"]);
    let asked = origin.asked();
    assert_eq!(asked[0].header("if-none-match"), None);
    assert_eq!(asked[1].header("if-none-match"), Some("W/\"odd \\\"tag\""));
    assert_eq!(asked[1].header("if-modified-since"), Some("yesterday, more or less"));
    assert_eq!(scene.stories().len(), 1);
    assert_eq!(scene.feed()["not_modified"], 1);
}

#[test]
fn a_200_replaces_both_validators_and_forgets_the_absent_one() {
    let origin = Origin::start(|_| Answer::new("200 OK", &[("ETag", "\"1\""), ("Last-Modified", "x")], rss_of(&["a"])));
    let scene = scene(&origin);
    scene.must(&["poll"]);
    origin.change(|_| Answer::new("200 OK", &[("ETag", "\"2\"")], rss_of(&["a", "b"])));
    scene.must(&["poll"]);
    scene.must(&["poll"]);
    let last = origin.asked().pop().unwrap();
    assert_eq!(last.header("if-none-match"), Some("\"2\""));
    assert_eq!(last.header("if-modified-since"), None);
}

#[test]
fn an_answer_that_cannot_be_read_advances_no_validator_and_removes_no_entry() {
    let origin = Origin::start(|_| Answer::new("200 OK", &[("ETag", "\"good\"")], rss_of(&["a"])));
    let scene = scene(&origin);
    scene.must(&["poll"]);
    let page = "<!doctype html><html><title>Log in</title></html>";
    let cut = &rss_of(&["a", "b"]).into_bytes()[..40];
    for body in [page.as_bytes(), cut, b"", b"{}"] {
        let body = body.to_vec();
        origin.change(move |_| Answer::new("200 OK", &[("ETag", "\"bad\"")], &body));
        assert_eq!(scene.run(&["poll"]).status, 1, "every feed failed");
    }
    origin.change(|_| Answer::status("500 Internal Server Error"));
    scene.run(&["poll"]);
    assert_eq!(origin.asked().pop().unwrap().header("if-none-match"), Some("\"good\""));
    assert_eq!(scene.stories().len(), 1);
    let feed = scene.feed();
    assert_eq!((feed["state"].as_str(), feed["failures"].as_u64()), (Some("failing"), Some(5)));
    assert!(feed["last_error"].as_str().unwrap().contains("500"), "{feed}");
}

#[test]
fn an_empty_or_shorter_document_deletes_nothing_and_an_edit_updates_in_place() {
    let origin = Origin::of(rss_of(&["a", "b"]));
    let scene = scene(&origin);
    scene.must(&["poll"]);
    let edited = rss("A feed", &[("a", "https://example.org/a", "a, corrected", "Other text.")]);
    origin.change(move |_| Answer::ok(&edited));
    assert!(scene.must(&["poll"]).starts_with("0 new and 1 revised"));
    let mut titles: Vec<String> = scene.stories().into_iter().map(|(title, _)| title).collect();
    titles.sort();
    assert_eq!(titles, ["a, corrected", "b"]);
}

#[test]
fn a_new_id_for_the_same_page_and_title_is_published_once() {
    let origin = Origin::of(rss(
        "A feed",
        &[("old-1", "https://example.org/a", "A", "t"), ("old-2", "https://example.org/b", "B", "t")],
    ));
    let scene = scene(&origin);
    scene.must(&["poll"]);
    let before = scene.must(&["publish"]);
    let renamed =
        rss("A feed", &[("new-1", "https://example.org/a", "A", "t"), ("new-2", "https://example.org/b", "B", "t")]);
    origin.change(move |_| Answer::ok(&renamed));
    scene.must(&["poll"]);
    assert_eq!(scene.must(&["publish"]), before);
}

#[test]
fn a_permanent_redirect_is_adopted_after_a_good_feed_and_a_temporary_one_never() {
    let moved = Origin::of(rss_of(&["a"]));
    let target = moved.url("/new");
    let origin = Origin::start(move |_| Answer::redirect("301 Moved Permanently", &target));
    let scene = scene(&origin);
    scene.must(&["poll"]);
    scene.must(&["poll"]);
    assert_eq!((origin.asked().len(), moved.asked().len()), (1, 2));
    assert_eq!(scene.feed()["moved_to"].as_str(), Some(moved.url("/new").as_str()));

    let target = moved.url("/elsewhere");
    let away = Origin::start(move |_| Answer::redirect("302 Found", &target));
    let scene = Scene::with(&[("away", away.url("/feed"))], "");
    scene.must(&["poll"]);
    scene.must(&["poll"]);
    assert_eq!(away.asked().len(), 2);
    assert_eq!(scene.feed()["moved_to"], serde_json::Value::Null);
}

#[test]
fn redirects_that_loop_or_leave_the_web_are_refused() {
    for (to, words) in [("/feed", "in a circle"), ("file:///etc/passwd", "`file:`"), ("", "does not say where")] {
        let origin = Origin::start(move |_| match to {
            "" => Answer::status("302 Found"),
            to => Answer::redirect("302 Found", to),
        });
        let scene = scene(&origin);
        assert_eq!(scene.run(&["poll"]).status, 1);
        let feed = scene.feed();
        assert!(feed["last_error"].as_str().unwrap().contains(words), "{feed}");
    }
}

/// Moves what is remembered of the feed's polls into the past.
fn age(scene: &Scene, by: TimeDelta) {
    let store = rusqlite::Connection::open(scene.path("newsfold.db")).unwrap();
    let bytes: Vec<u8> = store.query_row("SELECT recent FROM feed", [], |row| row.get(0)).unwrap();
    let mut older = History::default();
    History::from_bytes(bytes).iter().for_each(|sample| older.push(Sample { at: sample.at - by, ..sample }));
    store.execute("UPDATE feed SET recent = ?1", [older.as_bytes()]).unwrap();
}

#[test]
fn gone_is_gone_when_it_is_said_twice_a_day_apart_until_a_person_asks() {
    let origin = Origin::start(|_| Answer::status("410 Gone"));
    let scene = scene(&origin);
    for _ in 0..2 {
        scene.run(&["poll"]);
        assert_eq!(scene.feed()["state"], "failing", "a server can be mistaken for an hour");
    }
    age(&scene, TimeDelta::hours(25));
    scene.must(&["poll"]);
    assert_eq!(scene.feed()["state"], "gone");
    scene.must(&["poll"]);
    assert_eq!(origin.asked().len(), 3);
    scene.must(&["poll", "example"]);
    assert_eq!(scene.feed()["state"], "gone");
    origin.change(|_| Answer::ok(rss_of(&["a"])));
    scene.must(&["poll", "example"]);
    assert_eq!(scene.feed()["state"], "ok");
    origin.change(|_| Answer::status("410 Gone"));
    scene.run(&["poll"]);
    assert_eq!(scene.feed()["state"], "failing", "what was said before a good answer does not count");
}

#[test]
fn what_is_gone_behind_a_redirect_says_nothing_of_the_configured_address() {
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let origin = Origin::start(move |request| match request.target.as_str() {
            "/feed" => Answer::redirect(status, "/new"),
            _ => Answer::status("410 Gone"),
        });
        let scene = scene(&origin);
        for _ in 0..2 {
            assert_eq!(scene.run(&["poll"]).status, 1);
            let feed = scene.feed();
            assert_eq!(feed["state"], "failing", "{status}");
            assert!(feed["last_error"].as_str().unwrap().contains("leads to 127.0.0.1"), "{feed}");
            age(&scene, TimeDelta::hours(25));
        }
        origin.change(|_| Answer::ok(rss_of(&["a"])));
        scene.must(&["poll"]);
        assert_eq!(scene.feed()["state"], "ok", "{status}");
    }
}

#[test]
fn where_a_feed_had_moved_to_is_gone_the_configured_address_is_asked_again() {
    let origin = Origin::start(|request| match request.target.as_str() {
        "/feed" => Answer::redirect("301 Moved Permanently", "/new"),
        _ => Answer::new("200 OK", &[("ETag", "\"new\"")], rss_of(&["a"])),
    });
    let scene = scene(&origin);
    scene.must(&["poll"]);
    assert!(scene.feed()["moved_to"].as_str().unwrap().ends_with("/new"));
    origin.change(|request| match request.target.as_str() {
        "/feed" => Answer::ok(rss_of(&["b"])),
        _ => Answer::status("410 Gone"),
    });
    assert_eq!(scene.run(&["poll"]).status, 1);
    assert_eq!(scene.feed()["state"], "failing");
    scene.must(&["poll"]);
    assert_eq!((&scene.feed()["state"], &scene.feed()["moved_to"]), (&"ok".into(), &serde_json::Value::Null));
    let last = origin.asked().pop().unwrap();
    assert_eq!((last.target.as_str(), last.header("if-none-match")), ("/feed", None), "validators were of the other");
}

#[test]
fn retry_after_is_obeyed_unless_a_person_names_the_feed() {
    let origin = Origin::start(|_| Answer::new("429 Too Many Requests", &[("Retry-After", "7200")], ""));
    let scene = scene(&origin);
    assert_eq!(scene.run(&["poll"]).status, 1);
    let left = scene.must(&["poll"]);
    assert!(left.contains("1 left alone"), "{left}");
    assert_eq!(origin.asked().len(), 1);
    assert_eq!(scene.feed()["next_poll_why"], "Retry-After");
    scene.run(&["poll", "example"]);
    assert_eq!(origin.asked().len(), 2);
}

#[test]
fn private_networks_are_refused_before_anything_is_sent() {
    let origin = Origin::of(rss_of(&["a"]));
    let scene = Scene::with(&[("example", origin.url("/feed"))], "allow_networks = []\n");
    assert_eq!(scene.run(&["poll"]).status, 1);
    assert!(origin.asked().is_empty());
    let feed = scene.feed();
    assert!(feed["last_error"].as_str().unwrap().contains("allow_networks"), "{feed}");

    // A redirect takes the same path as a configured address, and so does a name.
    let inside = origin.url("/secret").replace("127.0.0.1", "127.0.0.2");
    let lure = Origin::start(move |_| Answer::redirect("302 Found", &inside));
    let scene = Scene::with(&[("example", lure.url("/feed"))], "allow_networks = [\"127.0.0.1/32\"]\n");
    assert_eq!(scene.run(&["poll"]).status, 1);
    let named = origin.url("/feed").replace("127.0.0.1", "localhost");
    let scene = Scene::with(&[("example", named)], "allow_networks = []\n");
    assert_eq!(scene.run(&["poll"]).status, 1);
    assert!(origin.asked().is_empty());
}

#[test]
fn a_document_that_is_too_large_is_not_taken_in() {
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![b' '; 4 << 20]).unwrap();
    let bomb = bomb.finish().unwrap();
    let packed = Origin::start(move |_| Answer::new("200 OK", &[("Content-Encoding", "gzip")], &bomb));
    let announced = Origin::start(|_| Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"));
    for origin in [packed, announced] {
        let scene = Scene::with(&[("example", origin.url("/feed"))], "max_body = \"1MiB\"\n");
        assert_eq!(scene.run(&["poll"]).status, 1);
        let feed = scene.feed();
        assert!(feed["last_error"].as_str().unwrap().contains("max_body"), "{feed}");
    }
}

#[test]
fn a_body_that_breaks_off_is_a_failure() {
    let origin = Origin::start(|_| {
        Answer::raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n<rss version=\"2.0\"><channel>".to_vec())
    });
    let scene = scene(&origin);
    assert_eq!(scene.run(&["poll"]).status, 1);
    assert_eq!(scene.feed()["state"], "failing");
}

#[test]
fn what_we_send_is_what_we_say_we_send() {
    let origin = Origin::of(rss_of(&["a"]));
    scene(&origin).must(&["poll"]);
    let request = &origin.asked()[0];
    let mut names: Vec<&str> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "accept-encoding", "connection", "host", "user-agent"]);
    assert!(request.header("user-agent").unwrap().starts_with("newsfold/"));
}

#[test]
fn entries_older_than_backfill_are_stored_and_not_published_as_new() {
    let origin = Origin::of(rss_of(&["a"]));
    let scene = scene(&origin);
    let text = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    scene.write("newsfold.toml", &text.replace("backfill = \"36500d\"", "backfill = \"1d\""));
    scene.must(&["poll"]);
    assert_eq!(scene.feed()["entries"], 1);
    assert!(scene.stories().is_empty());
    let newer = rss_of(&["b", "a"]);
    origin.change(move |_| Answer::ok(&newer));
    scene.must(&["poll"]);
    assert_eq!(scene.stories().len(), 1, "what comes later is news, whatever its date");
}

#[test]
fn a_new_feed_waits_for_none_of_its_host() {
    let origin = Origin::of(rss_of(&["a"]));
    let known = format!("[[feed]]\nname = \"known\"\nurl = \"{}\"\ninterval = \"4m\"\n", origin.url("/known"));
    let scene = Scene::with(&[], &known);
    scene.must(&["poll"]);
    // The known one is due soon enough for the two to go together, were both known.
    scene.configure(&[("new", origin.url("/new"))], &known);
    let mut daemon = scene.start();
    assert!(daemon.wait_for_event("feed.polled").contains("new"));
}
