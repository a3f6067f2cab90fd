//! Starting, stopping, and being stopped.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use newsfold::clock;

use crate::support::{Answer, Daemon, Origin, Scene, rss_of};

#[test]
fn sigterm_ends_it_cleanly_and_soon_even_with_a_poll_under_way() {
    let origin = Origin::start(|_| Answer::raw("HTTP/1.1 200 OK\r\n"));
    let scene = Scene::with(&[("slow", origin.url("/"))], "");
    let daemon = scene.start();
    let asked = clock::instant();
    daemon.signal("TERM");
    assert_eq!(daemon.ended(), 0);
    assert!(asked.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_reader_that_dawdles_keeps_it_for_a_moment_and_not_at_all_when_it_is_told_twice() {
    for (times, longest) in [(1, 6), (2, 2)] {
        let origin = Origin::of(rss_of(&["a"]));
        let scene = Scene::with(&[("example", origin.url("/"))], "");
        let mut daemon = scene.start();
        daemon.wait_for_event("feed.polled");
        let mut reader = TcpStream::connect(&daemon.address).unwrap();
        reader.write_all(b"GET /news.atom HTTP/1.1\r\n").unwrap();
        daemon.get("/healthz");
        let asked = clock::instant();
        daemon.signal("TERM");
        daemon.wait_for_event("daemon.stopping");
        for _ in 1..times {
            daemon.signal("TERM");
        }
        assert_eq!(daemon.ended(), 0);
        assert!(asked.elapsed() < Duration::from_secs(longest), "{times}: {:?}", asked.elapsed());
    }
}

#[test]
fn a_reader_who_was_let_in_is_answered_although_it_stops() {
    use std::io::Read;
    let origin = Origin::of(rss_of(&["a"]));
    let scene = Scene::with(&[("example", origin.url("/"))], "");
    let mut daemon = scene.start();
    daemon.wait_for_event("feed.polled");
    let mut reader = TcpStream::connect(&daemon.address).unwrap();
    // Who came later was let in, so the reader was, too.
    daemon.get("/healthz");
    daemon.signal("TERM");
    daemon.wait_for_event("daemon.stopping");
    reader.write_all(b"GET /news.atom HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    reader.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(daemon.ended(), 0);
}

#[test]
fn a_store_has_one_owner_and_can_be_read_meanwhile() {
    let origin = Origin::of(rss_of(&["a"]));
    let scene = Scene::with(&[("example", origin.url("/"))], "");
    scene.must(&["poll"]);
    let _daemon = scene.start();
    for command in ["run", "poll"] {
        let second = scene.run(&[command]);
        assert_eq!(second.status, 1);
        assert!(second.err.contains("another newsfold"), "{}", second.err);
    }
    assert_eq!(scene.stories().len(), 1);
    scene.must(&["feeds"]);
}

#[test]
fn a_restart_polls_nothing_early() {
    let origin = Origin::of(rss_of(&["a"]));
    let scene = Scene::with(&[("example", origin.url("/"))], "");
    let mut daemon = scene.start();
    daemon.wait_for_event("feed.polled");
    daemon.signal("TERM");
    daemon.ended();
    let daemon = scene.start();
    daemon.get("/news.atom");
    daemon.signal("TERM");
    daemon.ended();
    assert_eq!(origin.asked().len(), 1);
}

#[test]
fn a_stop_gives_up_the_polls_from_before_a_reload_too() {
    let origin = Origin::start(|_| Answer::hanging("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"));
    let scene = Scene::with(&[("example", origin.url("/"))], "");
    let mut daemon = scene.start();
    while origin.asked().is_empty() {
        std::thread::yield_now();
    }
    daemon.signal("HUP");
    daemon.wait_for_reload();
    let told = clock::instant();
    daemon.signal("TERM");
    assert_eq!(daemon.ended(), 0);
    assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
}

#[test]
fn a_reload_takes_up_new_feeds_and_a_wrong_file_changes_nothing() {
    let [one, two] = ["a", "b"].map(|name| Origin::of(rss_of(&[name])));
    let scene = Scene::with(&[("one", one.url("/"))], "");
    let mut daemon = scene.start();
    daemon.wait_for_event("feed.polled");
    scene.write("newsfold.toml", "[poll]\nintervall = 3\n");
    daemon.signal("HUP");
    daemon.wait_for("stays in force");
    scene.configure(&[("one", one.url("/")), ("two", two.url("/"))], "");
    daemon.signal("HUP");
    daemon.wait_for_reload();
    daemon.wait_for_event("feed.polled");
    assert_eq!((one.asked().len(), two.asked().len()), (1, 1));
}

/// The feed's last poll and its next, in seconds, and why.
#[test]
fn a_changed_address_is_asked_at_once() {
    let (old, new) = (Origin::of(rss_of(&["a"])), Origin::of(rss_of(&["b"])));
    let scene = Scene::with(&[("one", old.url("/"))], "");
    let mut daemon = scene.start();
    daemon.wait_for_event("feed.polled");
    scene.configure(&[("one", new.url("/"))], "");
    daemon.signal("HUP");
    daemon.wait_for_event("feed.polled");
    assert_eq!((old.asked().len(), new.asked().len()), (1, 1));
}

#[test]
fn a_feed_whose_address_is_edited_under_its_name_tells_its_stories_alone_and_under_their_ids() {
    let origin = Origin::of(rss_of(&["a", "b"]));
    let scene = Scene::with(&[("blog", origin.url("/old.xml"))], "");
    let shown = || {
        let feed = scene.json(&["publish", "--format", "json"]);
        let stories = feed["items"].as_array().unwrap().iter();
        let mut shown: Vec<_> =
            stories.map(|story| (story["id"].to_string(), story["_newsfold"]["sources"].to_string())).collect();
        shown.sort();
        shown
    };
    scene.must(&["poll"]);
    let before = shown();
    scene.configure(&[("blog", origin.url("/feed/new.xml"))], "");
    assert!(scene.must(&["poll"]).starts_with("0 new"));
    assert_eq!(shown(), before);
    assert!(before.len() == 2 && before.iter().all(|(_, sources)| sources == "1"), "{before:?}");
}

/// The address that the feed gives for itself, and the status there.
fn own_address(daemon: &Daemon) -> (String, bool) {
    let (_, body) = daemon.get("/news.json");
    let named = serde_json::from_str::<serde_json::Value>(&body).unwrap()["feed_url"].as_str().unwrap().to_owned();
    let path = url::Url::parse(&named).unwrap().path().to_owned();
    (named, daemon.get(&path).0.contains("200"))
}

#[test]
fn what_is_published_names_an_address_that_answers_after_a_reload_too() {
    let scene = Scene::with(&[], "");
    let mut daemon = scene.start();
    let (before, _) = own_address(&daemon);
    let mut reload = |serve: &str| {
        scene.configure(&[], serve);
        daemon.signal("HUP");
        daemon.wait_for_reload();
        own_address(&daemon)
    };
    let elsewhere = reload("[serve]\nlisten = \"127.0.0.1:1\"\n");
    assert_eq!(elsewhere, (before, true), "it listens where it did");
    let below = reload("[serve]\nlisten = \"127.0.0.1:1\"\npublic_url = \"https://example.org/planet/\"\n");
    assert_eq!(below, ("https://example.org/planet/news.json".to_owned(), true));
}

fn plan(scene: &Scene) -> (i64, String) {
    let feed = scene.feed();
    let time = |key: &str| feed[key].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    ((time("next_poll") - time("last_poll")).num_seconds(), feed["next_poll_why"].as_str().unwrap().to_owned())
}

#[test]
fn a_shorter_interval_brings_the_next_poll_forward_at_a_reload_and_at_a_restart() {
    let origin = Origin::of(rss_of(&["a"]));
    let scene = Scene::with(&[("example", origin.url("/"))], "");
    let mut daemon = scene.start();
    daemon.wait_for_event("feed.polled");
    let configure = |keys: &str| {
        scene.write("newsfold.toml", &format!(
        "[poll]\nmin_interval = \"1s\"\nallow_networks = [\"127.0.0.0/8\"]\n[serve]\nlisten = \"127.0.0.1:0\"\n[[feed]]\nname = \"example\"\nurl = \"{}\"\n{keys}\n",
        origin.url("/")
    ))
    };
    configure("interval = \"30m\"");
    daemon.signal("HUP");
    daemon.wait_for_reload();
    let (wait, why) = plan(&scene);
    assert!((1800..=2000).contains(&wait), "{wait}");
    assert_eq!(why, "every 30m");
    configure("interval = \"1s\"");
    daemon.signal("HUP");
    daemon.wait_for_event("feed.unchanged");
    daemon.signal("TERM");
    daemon.ended();
    configure("interval = \"10m\"");
    let daemon = scene.start();
    assert!((600..=700).contains(&plan(&scene).0));
    drop(daemon);
    assert_eq!(plan(&scene).1, "every 10m");
}

#[test]
fn what_a_server_asked_for_outlasts_a_shorter_interval() {
    for (status, headers, expected) in [
        ("503 Service Unavailable", ("Retry-After", "7200"), "Retry-After"),
        ("200 OK", ("Cache-Control", "max-age=7200"), "the server's max-age of 2h"),
    ] {
        let origin = Origin::start(move |_| Answer::new(status, &[headers], rss_of(&["a"])));
        let scene = Scene::with(&[("example", origin.url("/"))], "");
        scene.run(&["poll"]);
        let file = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
        scene.write("newsfold.toml", &file.replace("interval = \"1h\"", "interval = \"1s\""));
        assert!(scene.must(&["poll", "--due"]).starts_with("0 new"));
        assert_eq!(origin.asked().len(), 1);
        let (wait, why) = plan(&scene);
        assert!((7199..7300).contains(&wait), "{wait}");
        assert!(why.starts_with(expected), "{why}");
    }
}

#[test]
fn a_file_that_is_no_store_is_left_alone() {
    let scene = Scene::with(&[], "[store]\npath = \"notes.txt\"\n");
    scene.write("notes.txt", &"These are my notes, and no database.\n".repeat(50));
    let before = std::fs::read(scene.path("notes.txt")).unwrap();
    for command in ["run", "poll", "feeds"] {
        let ended = scene.run(&[command]);
        assert_eq!(ended.status, 78, "{}", ended.err);
        assert!(ended.err.contains("not a newsfold store"), "{}", ended.err);
    }
    assert_eq!(std::fs::read(scene.path("notes.txt")).unwrap(), before);
}

#[test]
fn a_store_path_that_is_a_folder_is_told_so() {
    let scene = Scene::with(&[], "[store]\npath = \"folder\"\n");
    std::fs::create_dir(scene.path("folder")).unwrap();
    for command in ["poll", "feeds"] {
        let ended = scene.run(&[command]);
        assert_eq!(ended.status, 1);
        assert!(ended.err.contains("directory") && ended.err.contains("store.path"), "{}", ended.err);
    }
}

#[test]
fn reading_a_store_that_is_not_there_says_what_makes_one() {
    let scene = Scene::with(&[], "");
    let ended = scene.run(&["feeds"]);
    assert_eq!(ended.status, 1);
    assert!(ended.err.contains("newsfold poll"), "{}", ended.err);
}

/// Killed at any instant, the next start has every entry that was stored, no second copy, and no validator without the
/// entries that it vouches for.
#[test]
fn kill_9_loses_nothing_and_doubles_nothing() {
    const FEEDS: usize = 12;
    const ENTRIES: usize = 20;
    let origins: Vec<Origin> = (0..FEEDS)
        .map(|feed| {
            let names: Vec<String> = (0..ENTRIES).map(|entry| format!("{feed}-{entry}")).collect();
            let document = rss_of(&names.iter().map(String::as_str).collect::<Vec<_>>());
            Origin::start(move |request| match request.header("if-none-match") {
                Some(_) => Answer::status("304 Not Modified"),
                None => Answer::new("200 OK", &[("ETag", "\"1\"")], &document),
            })
        })
        .collect();
    let names: Vec<String> = (0..FEEDS).map(|feed| format!("f{feed}")).collect();
    let feeds: Vec<(&str, String)> =
        names.iter().map(String::as_str).zip(origins.iter().map(|origin| origin.url("/"))).collect();
    for round in 0..25_u64 {
        let scene = Scene::with(&feeds, "");
        let mut poll = scene.command().arg("poll").stderr(std::process::Stdio::piped()).spawn().unwrap();
        // Between the first line of the log and the end lie all the commits; the rounds spread over them.
        let mut first = [0];
        let _ = poll.stderr.as_mut().unwrap().read(&mut first);
        let spin = clock::instant();
        while spin.elapsed() < Duration::from_millis(round * 3) {
            std::hint::spin_loop();
        }
        poll.kill().unwrap();
        poll.wait().unwrap();
        scene.must(&["poll"]);
        let store = rusqlite::Connection::open(scene.path("newsfold.db")).unwrap();
        let integrity: String = store.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(integrity, "ok", "round {round}");
        let entries: i64 = store.query_row("SELECT count(*) FROM entry", [], |row| row.get(0)).unwrap();
        let distinct: i64 =
            store.query_row("SELECT count(DISTINCT entry_id) FROM entry", [], |row| row.get(0)).unwrap();
        let stories: i64 = store.query_row("SELECT count(*) FROM story", [], |row| row.get(0)).unwrap();
        let expected = i64::try_from(FEEDS * ENTRIES).unwrap();
        assert_eq!((entries, distinct, stories), (expected, expected, expected), "round {round}");
    }
}

#[test]
fn whoever_watches_asks_the_daemon_whether_it_is_well() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for listen in ["unix:http.sock".to_owned(), format!("127.0.0.1:{port}")] {
        let serve = format!("[serve]\nlisten = \"{listen}\"\npublic_url = \"http://127.0.0.1:8080/\"\n");
        let scene = Scene::with(&[], &serve);
        let ended = scene.run(&["health"]);
        assert_eq!(ended.status, 1);
        assert!(ended.err.contains("nobody answers at"), "{ended:?}");
        let daemon = scene.start();
        assert!(scene.must(&["health"]).contains("\"status\":\"ok\""));
        daemon.signal("TERM");
        assert_eq!(daemon.ended(), 0);
    }
    let scene = Scene::with(&[], "[serve]\nlisten = \"\"\n");
    assert_eq!(scene.run(&["health"]).status, 1);
}
