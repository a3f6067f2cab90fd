//! What does not end the daemon: a store that is locked, full or damaged in places, a disk that hangs, a feed or a story that
//! cannot be read. And what does.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use rusqlite::Connection;

use crate::support::{Answer, Daemon, Origin, Scene, rss, rss_of};

/// Polled every second.
const OFTEN: &str = "interval = \"1s\"\n";

fn scene_polled_often(feeds: &[(&str, String)], more: &str) -> Scene {
    let scene = Scene::with(feeds, more);
    let text = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    scene.write("newsfold.toml", &text.replace("interval = \"1h\"\n", OFTEN));
    scene
}

/// Another program in the middle of writing to the store.
fn lock(scene: &Scene, how: &str) -> Connection {
    let other = Connection::open(scene.path("newsfold.db")).unwrap();
    other.busy_timeout(Duration::from_secs(20)).unwrap();
    other.execute_batch(how).unwrap();
    other
}

fn change(scene: &Scene, sql: &str) -> usize {
    lock(scene, "").execute(sql, []).unwrap()
}

fn is_healthy(daemon: &Daemon) -> bool {
    daemon.get("/healthz").0.starts_with("HTTP/1.1 200")
}

#[test]
fn a_store_that_another_program_locks_is_waited_for_and_nothing_is_lost() {
    for how in ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"] {
        let origin = Origin::of(rss_of(&["a"]));
        let scene = scene_polled_often(&[("example", origin.url("/"))], "");
        let mut daemon = scene.start();
        daemon.wait_for_event("feed.polled");
        daemon.wait_for_event("output.published");
        let other = lock(&scene, how);
        origin.change(|_| Answer::ok(rss_of(&["b", "a"])));
        daemon.wait_for_event("store.locked");
        while is_healthy(&daemon) {
            std::thread::yield_now();
        }
        assert!(daemon.get("/healthz").1.contains("another program holds the store locked"));
        assert!(daemon.get("/news.atom").1.contains("<title>a</title>"));
        assert!(daemon.get("/metrics").1.contains("newsfold_store_writable 0.0"));
        other.execute_batch("ROLLBACK").unwrap();
        daemon.wait_for_event("store.recovered");
        daemon.wait_for(r#""added":1"#);
        while !is_healthy(&daemon) {
            std::thread::yield_now();
        }
        daemon.signal("TERM");
        assert_eq!(daemon.ended(), 0);
        assert_eq!(scene.stories().len(), 2);
    }
}

#[test]
fn a_start_while_the_store_is_locked_serves_what_it_holds_and_polls_afterwards() {
    let origin = Origin::of(rss_of(&["a"]));
    let scene = scene_polled_often(&[("example", origin.url("/"))], "");
    let mut daemon = scene.start();
    daemon.wait_for_event("feed.polled");
    daemon.wait_for_event("output.published");
    daemon.signal("TERM");
    daemon.ended();
    let other = lock(&scene, "BEGIN IMMEDIATE");
    let mut daemon = scene.start();
    assert!(daemon.get("/news.atom").1.contains("<title>a</title>"));
    other.execute_batch("ROLLBACK").unwrap();
    daemon.wait_for_event("feed.unchanged");
}

#[test]
fn a_reload_while_the_store_is_locked_comes_into_force_afterwards() {
    let origin = Origin::of(rss_of(&["a"]));
    let scene = Scene::with(&[("example", origin.url("/"))], "[[output]]\nname = \"news\"\ntitle = \"One\"\n");
    let mut daemon = scene.start();
    daemon.wait_for_event("feed.polled");
    let other = lock(&scene, "BEGIN IMMEDIATE");
    let text = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    scene.write("newsfold.toml", &text.replace("\"One\"", "\"Two\""));
    daemon.signal("HUP");
    daemon.wait_for_event("store.locked");
    assert!(daemon.get("/news.atom").1.contains("<title>One</title>"));
    other.execute_batch("ROLLBACK").unwrap();
    while !daemon.get("/news.atom").1.contains("<title>Two</title>") {
        std::thread::yield_now();
    }
}

#[test]
fn the_end_does_not_wait_for_another_programs_lock() {
    let origin = Origin::of(rss_of(&["a"]));
    let scene = scene_polled_often(&[("example", origin.url("/"))], "");
    let mut daemon = scene.start();
    daemon.wait_for_event("feed.polled");
    let _other = lock(&scene, "BEGIN IMMEDIATE");
    daemon.wait_for_event("store.locked");
    daemon.signal("TERM");
    assert_eq!(daemon.ended(), 0);
}

#[test]
fn a_disk_that_takes_nothing_more_leaves_what_is_published_and_a_reload_waits_for_it() {
    let origin = Origin::of(rss_of(&["a"]));
    let scene = Scene::with(&[("example", origin.url("/"))], "[[output]]\nname = \"news\"\ntitle = \"One\"\n");
    // No file can grow past a limit, as on a disk that is full; the signal that goes with it is for programs that ask for it.
    let mut daemon = scene.start_by(&["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"]);
    daemon.wait_for_event("feed.polled");
    daemon.wait_for_event("output.published");
    daemon.limit_files("1024:");
    let text = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    scene.write("newsfold.toml", &text.replace("\"One\"", "\"Two\""));
    daemon.signal("HUP");
    daemon.wait_for_event("store.refuses");
    while is_healthy(&daemon) {
        std::thread::yield_now();
    }
    assert!(daemon.get("/news.atom").1.contains("<title>One</title>"));
    daemon.limit_files("unlimited:");
    daemon.wait_for_event("store.recovered");
    while !daemon.get("/news.atom").1.contains("<title>Two</title>") || !is_healthy(&daemon) {
        std::thread::yield_now();
    }
    daemon.signal("TERM");
    assert_eq!(daemon.ended(), 0);
}

#[test]
fn a_store_that_is_taken_away_ends_it_with_the_cure() {
    let scene = Scene::with(&[], "");
    let mut daemon = scene.start();
    std::fs::remove_file(scene.path("newsfold.db")).unwrap();
    let told = daemon.wait_for("moved, deleted or replaced");
    assert!(told.contains("put it back"), "{told}");
    assert_eq!(daemon.ended(), 78);
}

#[test]
fn files_on_a_disk_that_hangs_hold_up_neither_polls_nor_readers_nor_the_end() {
    let origin = Origin::of(rss_of(&["a"]));
    let output = "[[output]]\nname = \"news\"\ndirectory = \"public\"\n";
    let scene = scene_polled_often(&[("example", origin.url("/"))], output);
    std::fs::create_dir(scene.path("public")).unwrap();
    // Who opens this waits until somebody opens the other end.
    assert!(Command::new("mkfifo").arg(scene.path("public/news.atom")).status().unwrap().success());
    let socket = scene.path("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    let (hear, heard) = std::sync::mpsc::channel();
    // As a service manager does, this one always listens: nobody else takes what is said out of the socket.
    std::thread::spawn(move || {
        let mut said = [0; 4096];
        while let Ok(length) = manager.recv(&mut said) {
            let _ = hear.send(String::from_utf8_lossy(&said[..length]).into_owned());
        }
    });
    let mut daemon = scene.start_with(&[("NOTIFY_SOCKET", socket.to_str().unwrap()), ("WATCHDOG_USEC", "200000")]);
    daemon.wait_for_event("feed.polled");
    origin.change(|_| Answer::ok(rss_of(&["b", "a"])));
    daemon.wait_for_event("feed.polled");
    while !daemon.get("/news.atom").1.contains("<title>b</title>") {
        std::thread::yield_now();
    }
    for awaited in ["READY=1", "WATCHDOG=1"] {
        while !heard.recv_timeout(Duration::from_secs(30)).unwrap().contains(awaited) {}
    }
    daemon.signal("TERM");
    assert_eq!(daemon.ended(), 0);
}

/// Two feeds, the row of one of which cannot be read.
fn scene_with_a_damaged_row() -> (Scene, [Origin; 2]) {
    let origins = ["a", "b"].map(|name| Origin::of(rss_of(&[name])));
    let scene = Scene::with(&[("ill", origins[0].url("/")), ("well", origins[1].url("/"))], "");
    scene.must(&["poll"]);
    let damage = "UPDATE feed SET next_poll = 0, moved_to = CASE name WHEN 'ill' THEN 'no address' END";
    assert_eq!(change(&scene, damage), 2);
    (scene, origins)
}

#[test]
fn one_damaged_row_of_a_feed_costs_that_feed_alone() {
    let (scene, origins) = scene_with_a_damaged_row();
    let mut daemon = scene.start();
    let told = daemon.wait_for_event("feed.unreadable");
    assert!(told.contains("ill"), "{told}");
    daemon.wait_for_event("feed.unchanged");
    assert_eq!(origins.map(|origin| origin.asked().len()), [1, 2]);
    for path in ["/metrics", "/feeds", "/feeds.opml", "/news.atom", "/healthz"] {
        assert!(daemon.get(path).0.starts_with("HTTP/1.1 200"), "{path}");
    }
}

#[test]
fn a_poll_names_the_feed_that_the_store_cannot_read_and_polls_the_others() {
    let (scene, origins) = scene_with_a_damaged_row();
    let said = scene.must(&["poll"]);
    assert!(said.contains("1 not stored (the log says why): ill"), "{said}");
    assert_eq!(origins.map(|origin| origin.asked().len()), [1, 2]);
}

#[test]
fn a_story_whose_text_cannot_be_read_is_shown_without_it_and_told_once() {
    let origin = Origin::of(rss_of(&["a"]));
    let other = Origin::of(rss("Another", &[("b", "https://example.net/b", "b", "Another text.")]));
    let scene = scene_polled_often(&[("ill", origin.url("/")), ("well", other.url("/"))], "");
    scene.must(&["poll", "ill"]);
    assert_eq!(change(&scene, "UPDATE text_block SET bytes = x'07'"), 1);
    let mut daemon = scene.start();
    daemon.wait_for_event("feed.polled");
    daemon.wait_for_event("output.published");
    let (head, feed) = daemon.get("/news.atom");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    for title in ["<title>a</title>", "<title>b</title>", "Another text."] {
        assert!(feed.contains(title), "{title} is not in {feed}");
    }
    assert!(is_healthy(&daemon));
    daemon.signal("TERM");
    assert!(!daemon.rest().contains("its text is damaged"), "it was told before");
    let published = scene.run(&["publish"]);
    assert_eq!(published.status, 0, "{published:?}");
}

#[test]
fn a_changed_keep_holds_from_the_reload_on() {
    let origin = Origin::of(rss_of(&["old", "new"]));
    let scene = Scene::with(&[("one", origin.url("/"))], "");
    scene.must(&["poll"]);
    origin.change(|_| Answer::ok(rss_of(&["new"])));
    scene.must(&["poll"]);
    assert_eq!(change(&scene, "UPDATE entry SET gone_at = gone_at - 7200000 WHERE title = 'old'"), 1);
    let mut daemon = scene.start();
    scene.configure(&[("one", origin.url("/"))], "[store]\nkeep = \"1h\"\n");
    daemon.signal("HUP");
    let told = daemon.wait_for_event("store.pruned");
    assert!(told.contains(r#""pruned":1"#), "{told}");
}
