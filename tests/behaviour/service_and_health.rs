//! What the service manager and those who watch over the daemon are told.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::support::{Answer, Origin, Scene, rss_of};

/// The socket to which the daemon talks, as systemd opens it.
struct Manager(UnixDatagram);

impl Manager {
    fn at(scene: &Scene) -> Self {
        let socket = UnixDatagram::bind(scene.path("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self(socket)
    }

    /// Reads what the daemon says until it says this.
    fn hears(&self, words: &str) -> String {
        let mut buffer = [0; 4096];
        loop {
            let length = self.0.recv(&mut buffer).unwrap_or_else(|error| panic!("{words:?} was not said: {error}"));
            let said = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if said.contains(words) {
                return said;
            }
        }
    }
}

#[test]
fn the_service_manager_is_told_of_each_turn() {
    let origin = Origin::of(rss_of(&["a"]));
    let scene = Scene::with(&[("one", origin.url("/"))], "");
    let manager = Manager::at(&scene);
    let socket = scene.path("notify");
    let environment = [("NOTIFY_SOCKET", socket.to_str().unwrap()), ("WATCHDOG_USEC", "200000")];
    let daemon = scene.start_with(&environment);
    assert!(manager.hears("READY=1").contains("STATUS=1 feed, 0 failing"));
    assert!(daemon.get("/readyz").0.starts_with("HTTP/1.1 200"), "ready means that it answers");
    manager.hears("WATCHDOG=1");
    manager.hears("WATCHDOG=1");

    let right = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    scene.write("newsfold.toml", &right.replace("[[feed]]", "[[fed]]"));
    daemon.signal("HUP");
    assert!(manager.hears("RELOADING=1").contains("MONOTONIC_USEC="));
    let refused = manager.hears("READY=1");
    assert!(refused.contains("the configuration is wrong") && refused.contains("newsfold.toml:"), "{refused}");
    assert!(daemon.get("/metrics").1.contains("newsfold_config_current 0.0"));
    let (head, health) = daemon.get("/healthz");
    assert!(head.starts_with("HTTP/1.1 200") && health.contains("the configuration is wrong"), "{head}{health}");
    scene.write("newsfold.toml", &right);
    daemon.signal("HUP");
    manager.hears("RELOADING=1");
    assert!(!manager.hears("READY=1").contains("wrong"));
    assert!(!daemon.get("/healthz").1.contains("wrong"));

    daemon.signal("TERM");
    manager.hears("STOPPING=1");
    assert_eq!(daemon.ended(), 0);
}

#[test]
fn metrics_tell_of_polls_feeds_and_the_store() {
    let well = Origin::of(rss_of(&["a", "b"]));
    let ill = Origin::start(|_| Answer::status("500 Internal Server Error"));
    let scene = Scene::with(&[("well", well.url("/")), ("ill", ill.url("/"))], "");
    let daemon = scene.start();
    // The two polls end in either order; a daemon that never counts them is ended, and the test fails.
    let both = ["outcome=\"server_failed\"} 1", "outcome=\"document\"} 1"];
    while !both.iter().all(|counted| daemon.get("/metrics").1.contains(counted)) {
        std::thread::yield_now();
    }
    let (head, text) = daemon.get("/metrics");
    assert!(head.contains("application/openmetrics-text"), "{head}");
    for line in [
        "newsfold_polls_total{outcome=\"document\"} 1",
        "newsfold_entries_total{change=\"added\"} 2",
        "newsfold_feed_entries{feed=\"well\"} 2.0",
        "newsfold_feed_failures{feed=\"ill\"} 1.0",
        "newsfold_feeds{state=\"failing\"} 1",
        "newsfold_config_current 1.0",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let store: f64 = text
        .lines()
        .find_map(|line| line.strip_prefix("newsfold_store_bytes "))
        .unwrap_or_else(|| panic!("{text}"))
        .parse()
        .unwrap();
    assert!(store > 0.0);
}

#[test]
fn what_is_for_operators_is_not_where_the_world_reads() {
    let origin = Origin::of(rss_of(&["a"]));
    let feeds = [("one", origin.url("/"))];
    const PAGES: [&str; 6] = ["/feeds", "/feeds?sort=next", "/feeds/one", "/metrics", "/readyz", "/planet/metrics"];
    let serve =
        |more: &str| format!("[serve]\nlisten = \"127.0.0.1:0\"\npublic_url = \"https://example.org/planet/\"\n{more}");
    let scene = Scene::with(&feeds, &serve("admin = \"unix:admin.sock\"\n"));
    scene.must(&["poll"]);
    assert!(scene.must(&["check"]).contains("operators find /feeds, /metrics and /readyz at unix:"));
    let mut daemon = scene.start();
    daemon.wait_for("operators find /feeds, /metrics and /readyz at unix:");
    let at_operators = |path: &str| {
        use std::io::{Read, Write};
        let mut connection = std::os::unix::net::UnixStream::connect(scene.path("admin.sock")).unwrap();
        write!(connection, "GET {path} HTTP/1.1\r\nHost: newsfold\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    };
    for page in PAGES {
        for method in ["GET", "HEAD"] {
            assert!(daemon.ask(method, page, &[]).0.starts_with("HTTP/1.1 404"), "{page}");
        }
        assert!(at_operators(page).starts_with("HTTP/1.1 200"), "{page}");
    }
    for page in ["/%6detrics", "//metrics", "/metrics/", "/./metrics", "/feeds/", "/METRICS", "/planet//feeds"] {
        assert!(daemon.get(page).0.starts_with("HTTP/1.1 404"), "{page}");
    }
    let (head, told) = daemon.get("/healthz");
    assert!(head.starts_with("HTTP/1.1 200") && at_operators("/news.atom").contains("<title>a</title>"));
    assert_eq!(told, "{\"status\":\"ok\"}\n", "how many feeds there are is for operators");
    assert!(at_operators("/healthz").contains("\"feeds\":1"));
    assert!(!daemon.get("/").1.contains("/planet/feeds\""), "no page leads there");
    assert!(at_operators("/feeds").contains("/planet/feeds\""));
    assert!(scene.must(&["health"]).contains("\"ok\""));
    // A reload may make the world of it, and take that back.
    scene.configure(&feeds, "[serve]\nlisten = \"127.0.0.1:0\"\n");
    daemon.signal("HUP");
    daemon.wait_for_event("config.needs_restart");
    daemon.wait_for_reload();
    assert!(daemon.get("/metrics").0.starts_with("HTTP/1.1 404"), "operators still have an address of their own");
    daemon.signal("TERM");
    assert_eq!(daemon.ended(), 0);
    assert!(!scene.path("admin.sock").exists());
    let mut daemon = scene.start();
    daemon.wait_for("operators find /feeds, /metrics and /readyz at 127.0.0.1:");
    PAGES.iter().take(5).for_each(|page| assert!(daemon.get(page).0.starts_with("HTTP/1.1 200"), "{page}"));
    assert!(daemon.get("/").1.contains("href=\"/feeds\""));
    scene.configure(&feeds, &serve(""));
    daemon.signal("HUP");
    daemon.wait_for_reload();
    PAGES.iter().for_each(|page| assert!(daemon.get(page).0.starts_with("HTTP/1.1 404"), "{page}"));
    assert!(scene.must(&["check"]).contains("served nowhere, because `serve.public_url` is for the world"));
}
