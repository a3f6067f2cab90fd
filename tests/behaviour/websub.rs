//! Hubs: subscribing to them, and what they may and may not say.

use aws_lc_rs::hmac;
use url::form_urlencoded;

use crate::support::{Answer, Daemon, Origin, Scene, rss_of};

const TOPIC: &str = "https://example.org/topic?token=1";

/// A feed that names a hub in its document; it is never asked for in full twice.
fn feed(hub: &Origin) -> Origin {
    let links = format!(
        "<channel><link xmlns=\"http://www.w3.org/2005/Atom\" rel=\"hub\" href=\"{}\"/>\
         <link xmlns=\"http://www.w3.org/2005/Atom\" rel=\"self\" href=\"{TOPIC}\"/>",
        hub.url("/hub")
    );
    let document = rss_of(&["a"]).replace("<channel>", &links);
    Origin::start(move |request| match request.header("if-none-match") {
        Some(_) => Answer::status("304 Not Modified"),
        None => Answer::new("200 OK", &[("ETag", "\"1\"")], &document),
    })
}

fn hub() -> Origin {
    Origin::start(|_| Answer::status("202 Accepted"))
}

const SERVE: &str = "[serve]\nlisten = \"127.0.0.1:0\"\npublic_url = \"http://127.0.0.1:1/news/\"\nwebsub = true\n";

fn scene(feed: &Origin, poll: &str) -> Scene {
    Scene::with(&[("example", feed.url("/feed"))], &format!("{poll}{SERVE}"))
}

/// What a hub was asked the last time.
#[derive(Debug, Clone, PartialEq)]
struct Asked {
    mode: String,
    topic: String,
    /// The address to call: where it begins,
    host: String,
    /// and its path.
    path: String,
    secret: String,
}

fn asked(hub: &Origin) -> Asked {
    let last = hub.asked().pop().unwrap();
    assert_eq!(
        (last.method.as_str(), last.header("content-type")),
        ("POST", Some("application/x-www-form-urlencoded"))
    );
    let said = |name: &str| {
        let mut pairs = form_urlencoded::parse(&last.body);
        pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let callback = said("hub.callback");
    let (host, path) = callback.split_at(callback.find("/news/").unwrap());
    let (host, path) = (host.to_owned(), path.to_owned());
    Asked { mode: said("hub.mode"), topic: said("hub.topic"), host, path, secret: said("hub.secret") }
}

/// Asks back as a hub does; gives the status line and the body.
fn ask_back(daemon: &Daemon, path: &str, mode: &str, topic: &str) -> (String, String) {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("hub.mode", mode)
        .append_pair("hub.topic", topic)
        .append_pair("hub.challenge", "a challenge & more")
        .append_pair("hub.lease_seconds", "864000")
        .finish();
    let (head, body) = daemon.get(&format!("{path}?{query}"));
    (head.lines().next().unwrap().to_owned(), body)
}

/// Runs until the hub has been asked and has asked back.
fn subscribed(scene: &Scene, hub: &Origin) -> (Daemon, Asked) {
    let mut daemon = scene.start();
    daemon.wait_for_event("hub.asked");
    let asked = asked(hub);
    assert_eq!((asked.mode.as_str(), asked.topic.as_str()), ("subscribe", TOPIC));
    assert!(asked.path.starts_with("/news/websub/") && asked.path.len() > 40 && asked.secret.len() >= 40);
    let answered = ask_back(&daemon, &asked.path, "subscribe", TOPIC);
    assert_eq!((answered.0.as_str(), answered.1.as_str()), ("HTTP/1.1 200 OK", "a challenge & more"));
    daemon.wait_for_event("hub.subscribed");
    (daemon, asked)
}

fn signature(secret: &str, body: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), body.as_bytes());
    let digits: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={digits}")
}

/// Sends news as a hub does; gives the status line.
fn notify(daemon: &Daemon, path: &str, secret: &str, body: &str) -> String {
    let headers = [("X-Hub-Signature", &*signature(secret, body)), ("Content-Type", "application/rss+xml")];
    let (head, _) = daemon.send("POST", path, &headers, body.as_bytes());
    head.lines().next().unwrap().to_owned()
}

#[test]
fn what_a_hub_tells_is_published_without_a_poll() {
    let hub = hub();
    let origin = feed(&hub);
    let scene = scene(&origin, "");
    let (mut daemon, Asked { path, secret, .. }) = subscribed(&scene, &hub);
    assert_eq!(notify(&daemon, &path, &secret, &rss_of(&["b"])), "HTTP/1.1 200 OK");
    daemon.wait_for_event("hub.told");
    // What the poll before it brought may still be being rendered.
    let is_published = |page: &str| daemon.get("/news.json").1.contains(page);
    while !(is_published("org/a\"") && is_published("org/b\"")) {
        std::thread::yield_now();
    }
    assert_eq!(origin.asked().len(), 1);
    daemon.signal("TERM");
    daemon.ended();
    scene.must(&["poll"]);
    assert_eq!(origin.asked()[1].header("if-none-match"), Some("\"1\""), "news vouches for no document");
    let store = rusqlite::Connection::open(scene.path("newsfold.db")).unwrap();
    let gone: i64 =
        store.query_row("SELECT count(*) FROM entry WHERE gone_at IS NOT NULL", [], |row| row.get(0)).unwrap();
    assert_eq!(gone, 0, "what a hub leaves out is not gone");
}

#[test]
fn what_a_hub_told_before_undoes_nothing() {
    let hub = hub();
    let origin = feed(&hub);
    let scene = scene(&origin, "");
    let (mut daemon, Asked { path, secret, .. }) = subscribed(&scene, &hub);
    let told = |title: &str, updated: &str| {
        format!(
            "<feed xmlns='http://www.w3.org/2005/Atom'><title>A feed</title><id>urn:f</id><entry><id>urn:1</id><title>{title}</title>\
             <link href='https://example.org/1'/>{updated}<content>{title}</content></entry></feed>"
        )
    };
    let (first, second) = (told("Wrong", ""), told("Right", ""));
    for (body, expected) in [(&first, r#""added":1,"#), (&second, r#""revised":1,"#), (&first, r#""revised":0,"#)] {
        assert_eq!(notify(&daemon, &path, &secret, body), "HTTP/1.1 200 OK");
        assert!(daemon.wait_for_event("hub.told").contains(expected), "{expected}");
    }
    let dated = |title, hour: u32| told(title, &format!("<updated>2026-01-01T{hour:02}:00:00Z</updated>"));
    for (body, expected) in
        [(dated("Righter", 5), r#""revised":1,"#), (dated("Older and never told", 4), r#""revised":0,"#)]
    {
        assert_eq!(notify(&daemon, &path, &secret, &body), "HTTP/1.1 200 OK");
        assert!(daemon.wait_for_event("hub.told").contains(expected), "{expected}");
    }
    drop(daemon);
    assert!(scene.stories().iter().any(|(title, _)| title == "Righter"));
}

#[test]
fn a_hub_cannot_flood_and_what_it_tells_too_much_of_is_polled_for() {
    let hub = hub();
    let origin = feed(&hub);
    let scene = scene(&origin, "[fold]\nlevel = \"link\"\n");
    let (mut daemon, Asked { path, secret, .. }) = subscribed(&scene, &hub);
    for (round, expected) in [(0, r#""added":50,"#), (1, r#""added":0,"#), (2, r#""added":0,"#)] {
        let names: Vec<String> = (0..1_100).map(|name| format!("{round}-{name}")).collect();
        let document = rss_of(&names.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(notify(&daemon, &path, &secret, &document), "HTTP/1.1 200 OK");
        let told = daemon.wait_for_event("hub.told");
        assert!(told.contains(expected), "{round}: {told}");
    }
    drop(daemon);
    let told = scene.feed();
    assert_eq!(told["entries"], 51);
    assert!(told["next_poll_why"].as_str().unwrap().contains("told more"), "{told}");
}

#[test]
fn what_is_not_signed_by_the_hub_is_ignored() {
    let hub = hub();
    let origin = feed(&hub);
    let scene = scene(&origin, "max_body = \"64KiB\"\n");
    let (daemon, Asked { path, secret, .. }) = subscribed(&scene, &hub);
    let forged = rss_of(&["forged"]);
    assert_eq!(notify(&daemon, &path, "guessed", &forged), "HTTP/1.1 200 OK", "nobody learns what was wrong");
    let bare = daemon.send("POST", &path, &[], forged.as_bytes()).0;
    assert!(bare.starts_with("HTTP/1.1 200"), "{bare}");
    let large = "x".repeat(100_000);
    assert!(notify(&daemon, &path, &secret, &large).contains("413"));
    assert_eq!(notify(&daemon, &path, &secret, "no feed at all"), "HTTP/1.1 200 OK");
    assert!(notify(&daemon, "/news/websub/0123456789", &secret, &forged).contains("410"));
    assert!(daemon.ask("PUT", &path, &[]).0.starts_with("HTTP/1.1 405"));
    assert!(daemon.send("POST", "/news.atom", &[], b"x").0.starts_with("HTTP/1.1 405"));
    drop(daemon);
    assert_eq!(scene.stories().len(), 1);
}

#[test]
fn only_what_we_asked_for_is_confirmed() {
    let hub = hub();
    let origin = feed(&hub);
    let scene = scene(&origin, "");
    let mut daemon = scene.start();
    daemon.wait_for_event("hub.asked");
    let Asked { path, secret, .. } = asked(&hub);
    assert!(notify(&daemon, &path, &secret, &rss_of(&["b"])).contains("410"), "nothing is confirmed yet");
    for (path, mode, topic) in [
        (&*path, "subscribe", "https://example.org/other"),
        (&*path, "unsubscribe", TOPIC),
        (&*path, "publish", TOPIC),
        ("/news/websub/0123456789", "subscribe", TOPIC),
    ] {
        let (status, body) = ask_back(&daemon, path, mode, topic);
        assert!(status.contains("404") && !body.contains("challenge"), "{path} {mode} {topic}: {status}");
    }
    for _ in 0..2 {
        assert!(ask_back(&daemon, &path, "subscribe", TOPIC).0.contains("200"), "the first answer may have been lost");
    }
    assert!(ask_back(&daemon, &path, "unsubscribe", TOPIC).0.contains("404"));
}

#[test]
fn a_subscription_outlives_a_restart_and_is_renewed_before_it_ends() {
    let hub = hub();
    let origin = feed(&hub);
    let scene = scene(&origin, "");
    let (daemon, before) = subscribed(&scene, &hub);
    daemon.signal("TERM");
    daemon.ended();
    let mut daemon = scene.start();
    assert!(notify(&daemon, &before.path, &before.secret, &rss_of(&["b"])).contains("200"));
    daemon.wait_for_event("hub.told");
    assert_eq!(hub.asked().len(), 1, "nothing is asked twice");
    daemon.signal("TERM");
    daemon.ended();
    let store = rusqlite::Connection::open(scene.path("newsfold.db")).unwrap();
    let (lease, renewal): (i64, i64) = store
        .query_row("SELECT lease_until, next_step FROM hub_subscription", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!(lease - renewal, 2 * 86_400_000, "a fifth of ten days is left for renewing");
    store.execute("UPDATE hub_subscription SET next_step = 0", []).unwrap();
    drop(store);
    let mut daemon = scene.start();
    daemon.wait_for_event("hub.asked");
    assert_eq!(asked(&hub), before, "the address and the secret stay");
    assert!(notify(&daemon, &before.path, &before.secret, &rss_of(&["c"])).contains("200"));
    assert!(ask_back(&daemon, &before.path, "subscribe", TOPIC).0.contains("200"));
    assert_eq!(hub.asked().len(), 2);
}

#[test]
fn a_feed_that_leaves_the_configuration_is_unsubscribed() {
    let hub = hub();
    let origin = feed(&hub);
    let scene = scene(&origin, "");
    let (mut daemon, Asked { path, secret, .. }) = subscribed(&scene, &hub);
    scene.configure(&[], SERVE);
    daemon.signal("HUP");
    daemon.wait_for_event("hub.asked");
    let farewell = asked(&hub);
    assert_eq!((farewell.mode.as_str(), farewell.topic.as_str(), &farewell.path), ("unsubscribe", TOPIC, &path));
    assert!(notify(&daemon, &path, &secret, &rss_of(&["b"])).contains("410"));
    assert!(ask_back(&daemon, &path, "subscribe", TOPIC).0.contains("404"));
    assert!(ask_back(&daemon, &path, "unsubscribe", TOPIC).0.contains("200"));
    daemon.wait_for("no more");
    scene.configure(&[("example", origin.url("/feed"))], SERVE);
    daemon.signal("HUP");
    daemon.wait_for_event("hub.asked");
    let again = asked(&hub);
    assert!(again.mode == "subscribe" && again.path != path && again.secret != secret, "{again:?}");
}

#[test]
fn a_hub_that_knows_another_address_of_ours_is_left_and_asked_anew_and_the_feed_polled_meanwhile() {
    let hub = hub();
    let origin = feed(&hub);
    let scene = scene(&origin, "");
    let (daemon, before) = subscribed(&scene, &hub);
    drop(daemon);
    scene.must(&["poll"]);
    let why = || scene.feed()["next_poll_why"].as_str().unwrap().to_owned();
    assert!(why().contains("its hub tells of changes"), "{}", why());
    let text = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    scene.write("newsfold.toml", &text.replace("http://127.0.0.1:1/news/", "http://127.0.0.2:1/news/"));
    let mut daemon = scene.start();
    daemon.wait_for_event("hub.asked");
    let farewell = asked(&hub);
    assert_eq!((farewell.mode.as_str(), &farewell.host, &farewell.path), ("unsubscribe", &before.host, &before.path));
    assert!(!why().contains("its hub tells of changes"), "{}", why());
    assert!(ask_back(&daemon, &before.path, "unsubscribe", TOPIC).0.contains("200"));
    daemon.wait_for_event("hub.asked");
    let again = asked(&hub);
    assert_eq!((again.mode.as_str(), again.host.as_str()), ("subscribe", "http://127.0.0.2:1"));
    assert_ne!(again.path, before.path);
    assert!(ask_back(&daemon, &again.path, "subscribe", TOPIC).0.contains("200"));
    daemon.wait_for_event("hub.subscribed");
}

#[test]
fn while_a_hub_tells_a_feed_is_polled_once_a_day_and_as_configured_when_it_ends() {
    let hub = hub();
    let origin = feed(&hub);
    let scene = scene(&origin, "");
    let (daemon, Asked { path, .. }) = subscribed(&scene, &hub);
    daemon.signal("TERM");
    daemon.ended();
    scene.must(&["poll"]);
    let plan = scene.feed();
    assert!(plan["next_poll_why"].as_str().unwrap().contains("its hub tells of changes"), "{plan}");
    let file = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    scene.write("newsfold.toml", &file.replace("interval = \"1h\"", "interval = \"1s\""));
    let mut daemon = scene.start();
    assert!(scene.feed()["next_poll_why"].as_str().unwrap().contains("its hub tells of changes"));
    let topic = form_urlencoded::Serializer::new(String::new()).append_pair("hub.topic", TOPIC).finish();
    assert!(daemon.get(&format!("{path}?hub.mode=denied&{topic}")).0.starts_with("HTTP/1.1 200"));
    daemon.wait_for("polled as configured");
    daemon.wait_for_event("feed.unchanged");
}

#[test]
fn a_hub_that_misses_news_is_not_relied_on() {
    let hub = hub();
    let origin = feed(&hub);
    let scene = scene(&origin, "");
    let (daemon, _) = subscribed(&scene, &hub);
    drop(daemon);
    let why = || scene.feed()["next_poll_why"].as_str().unwrap().to_owned();
    let document = |names: &[&str]| {
        let link = format!(
            "<channel><link xmlns=\"http://www.w3.org/2005/Atom\" rel=\"hub\" href=\"{}\"/><link xmlns=\"http://www.w3.org/2005/Atom\" rel=\"self\" href=\"{TOPIC}\"/>",
            hub.url("/hub")
        );
        rss_of(names).replace("<channel>", &link)
    };
    for (names, is_relied_on) in [(&["a", "b"][..], true), (&["a", "b", "c"], true), (&["a", "b", "c", "d"], false)] {
        let body = document(names);
        origin.change(move |_| Answer::ok(&body));
        scene.must(&["poll"]);
        assert_eq!(why().contains("its hub tells"), is_relied_on, "{names:?}: {}", why());
    }
}

#[test]
fn a_hub_in_a_private_network_is_not_asked() {
    let document = rss_of(&["a"]);
    let link = ("Link", "<http://10.0.0.1/hub>; rel=\"hub\", </feed>; rel=\"self\"");
    let origin = Origin::start(move |_| Answer::new("200 OK", &[link], &document));
    let scene = scene(&origin, "");
    let mut daemon = scene.start();
    let said = daemon.wait_for_event("hub.unreachable");
    assert!(said.contains("10.0.0.1 is") && said.contains("allow_networks"), "{said}");
}

/// A feed whose document stays the same while the header fields beside it are these.
fn feed_with_fields(link: String) -> Origin {
    let document = rss_of(&["a"]);
    Origin::start(move |_| Answer::new("200 OK", &[("Link", &link)], &document))
}

#[test]
fn of_several_hubs_each_is_asked_in_turn_until_one_tells() {
    let dead = Origin::start(|_| Answer::status("500 Internal Server Error"));
    let (denying, willing) = (hub(), hub());
    let hubs = [&dead, &denying, &willing]
        .map(|hub| format!("<{}>; rel=hub", hub.url("/hub")).replace("127.0.0.1", "localhost"));
    let origin = feed_with_fields(format!("{}, <{TOPIC}>; rel=self", hubs.join(", ")));
    let scene = scene(&origin, "");
    let mut daemon = scene.start();
    assert!(daemon.wait_for_event("hub.refused").contains("next hub is asked"));
    daemon.wait_for_event("hub.asked");
    let first = asked(&denying);
    let why = form_urlencoded::Serializer::new(String::new())
        .append_pair("hub.topic", TOPIC)
        .append_pair("hub.reason", "no such\ntopic here")
        .finish();
    assert!(daemon.get(&format!("{}?hub.mode=denied&{why}", first.path)).0.starts_with("HTTP/1.1 200"));
    let denied = daemon.wait_for_event("hub.denied");
    assert!(denied.contains("no such") && denied.contains("topic here"), "{denied}");
    daemon.wait_for_event("hub.asked");
    let second = asked(&willing);
    assert!(first.path != second.path && first.secret != second.secret, "a secret is for one hub");
    assert!(ask_back(&daemon, &first.path, "subscribe", TOPIC).0.contains("404"));
    assert!(ask_back(&daemon, &second.path, "subscribe", TOPIC).0.contains("200"));
    assert_eq!((dead.asked().len(), denying.asked().len(), willing.asked().len()), (1, 1, 1));
}

#[test]
fn hubs_in_header_fields_are_looked_at_although_the_document_stays() {
    let (old, new) = (hub(), hub());
    let fields = |hub: &Origin, topic: &str| format!("<{}>; rel=hub, <{topic}>; rel=self", hub.url("/hub"));
    let topic = "https://example.org/other";
    for is_full in [true, false] {
        let origin = feed_with_fields(fields(&old, TOPIC));
        let scene = scene(&origin, "");
        scene.must(&["poll"]);
        let moved = fields(&new, topic);
        let document = rss_of(&["a"]);
        origin.change(move |_| Answer::new("200 OK", &[("Link", &moved), ("ETag", "\"1\"")], &document));
        if !is_full {
            let unmoved = fields(&old, TOPIC);
            let document = rss_of(&["a"]);
            origin.change(move |_| Answer::new("200 OK", &[("Link", &unmoved), ("ETag", "\"1\"")], &document));
            scene.must(&["poll"]);
            let moved = fields(&new, topic);
            origin.change(move |_| Answer::new("304 Not Modified", &[("Link", &moved)], ""));
        }
        scene.must(&["poll"]);
        let store = rusqlite::Connection::open(scene.path("newsfold.db")).unwrap();
        let known: (String, String) = store
            .query_row("SELECT hub, topic FROM hub_subscription", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(known, (new.url("/hub"), topic.to_owned()), "{is_full}");
        assert_eq!(scene.feed()["entries"], 1);
    }
}
