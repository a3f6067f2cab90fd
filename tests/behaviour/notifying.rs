//! Who is told of a story, when, and how often.

use crate::support::{Answer, Origin, Request, Scene, rss};
use chrono::TimeDelta;

/// Dates that lie ahead are those of finding it.
const NOW: TimeDelta = TimeDelta::minutes(-5);

/// A feed of one report about the ferry, dated so long ago.
fn told(name: &str, age: TimeDelta) -> String {
    let at = newsfold::clock::now() - age;
    rss(name, &[("1", "https://example.org/ferry", "The ferry is afloat", "t")])
        .replace("Thu, 01 Jan 2026 00:00:00 GMT", &at.format("%a, %d %b %Y %H:%M:%S GMT").to_string())
}

fn notify(receiver: &Origin, more: &str) -> String {
    format!("[[notify]]\nname = \"phone\"\nmin_sources = 2\nurl = \"{}\"\n{more}", receiver.url("/hook"))
}

#[test]
fn somebody_is_told_once_when_enough_feeds_tell_it() {
    let receiver = Origin::start(|_| Answer::status("204 No Content"));
    let empty = || Origin::of("<rss version=\"2.0\"><channel><title>x</title></channel></rss>");
    let [one, two, three] = [empty(), empty(), empty()];
    let feeds = [("one", one.url("/")), ("two", two.url("/")), ("three", three.url("/"))];
    let body = "body = '{\"text\": {{ (title ~ \" \" ~ url) | tojson }}, \"sources\": {{ sources }}}'\nheaders = { X-Key = \"secret\" }\n";
    let scene = Scene::with(&feeds, &notify(&receiver, body));
    scene.must(&["poll"]);
    let tell = |origin: &Origin, name: &str| {
        let document = told(name, NOW);
        origin.change(move |_| Answer::ok(&document));
        scene.must(&["poll"]);
    };
    tell(&one, "One");
    assert_eq!(receiver.asked().len(), 0, "one feed alone is not enough");
    // The service is down for a while.
    receiver.change(|_| Answer::status("503 Service Unavailable"));
    tell(&two, "Two");
    receiver.change(|_| Answer::status("204 No Content"));
    scene.must(&["poll"]);
    scene.must(&["poll"]);
    tell(&three, "Three");
    let asked = receiver.asked();
    assert_eq!(asked.len(), 2, "once, and once in vain");
    let request = &asked[1];
    assert_eq!((request.method.as_str(), request.header("content-type")), ("POST", Some("application/json")));
    assert_eq!(request.header("x-key"), Some("secret"));
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body["text"], "The ferry is afloat https://example.org/ferry");
    assert_eq!(body["sources"], 2);
}

#[test]
fn nobody_is_told_of_what_is_old_or_was_there_before() {
    let receiver = Origin::start(|_| Answer::status("204 No Content"));
    let [one, two] = ["One", "Two"].map(|name| Origin::of(told(name, NOW)));
    let scene = Scene::with(&[("one", one.url("/")), ("two", two.url("/"))], &notify(&receiver, ""));
    scene.must(&["poll"]);
    scene.must(&["poll"]);
    let later = [("three", Origin::of(told("Three", TimeDelta::hours(2)).replace("ferry", "bridge")))];
    let four = Origin::of(told("Four", TimeDelta::hours(2)).replace("ferry", "bridge"));
    scene.configure(
        &[("one", one.url("/")), ("two", two.url("/")), ("three", later[0].1.url("/")), ("four", four.url("/"))],
        &notify(&receiver, ""),
    );
    scene.must(&["poll"]);
    assert_eq!(receiver.asked().len(), 0);
}

#[test]
fn the_daemon_tells_without_waiting_and_goes_on_when_nobody_listens() {
    let receiver = Origin::start(|_| Answer::status("404 Not Found"));
    let empty = || Origin::of("<rss version=\"2.0\"><channel><title>x</title></channel></rss>");
    let [one, two] = [empty(), empty()];
    let fast = "[[notify]]\nname = \"gone\"\nurl = \"http://127.0.0.1:1/\"\n";
    let scene = Scene::with(&[("one", one.url("/")), ("two", two.url("/"))], &(notify(&receiver, "") + fast));
    let text = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    scene.write("newsfold.toml", &text.replace("interval = \"1h\"", "interval = \"1s\""));
    scene.must(&["poll"]);
    let mut daemon = scene.start();
    for origin in [&one, &two] {
        origin.change(|_| Answer::ok(told("A paper", NOW)));
    }
    let refused = daemon.wait_for("it answered 404");
    assert!(!refused.contains("/hook"), "an address may be a secret: {refused}");
    daemon.wait_for("somebody could not be told of a story");
    let (_, health) = daemon.get("/healthz");
    assert!(health.contains("somebody could not be told"), "{health}");
    assert!(daemon.get("/news.atom").1.contains("The ferry is afloat"));
    daemon.signal("TERM");
    assert_eq!(daemon.ended(), 0);
}

/// A feed of reports that have only just come, one for each of these titles.
fn reports(titles: &[&str]) -> String {
    let entries: Vec<_> = titles.iter().map(|title| (*title, "", *title, "t")).collect();
    let at = newsfold::clock::now() - NOW;
    rss("x", &entries).replace("Thu, 01 Jan 2026 00:00:00 GMT", &at.format("%a, %d %b %Y %H:%M:%S GMT").to_string())
}

#[test]
fn who_was_first_told_under_a_clock_that_ran_ahead_is_told() {
    let receiver = Origin::start(|_| Answer::status("204 No Content"));
    let feed = Origin::of(reports(&[]));
    let scene =
        Scene::with(&[("one", feed.url("/"))], &notify(&receiver, "").replace("min_sources = 2", "min_sources = 1"));
    scene.must(&["poll"]);
    let store = rusqlite::Connection::open(scene.path("newsfold.db")).unwrap();
    assert_eq!(store.execute("UPDATE notify SET begun = begun + 315360000000", []).unwrap(), 1);
    drop(store);
    feed.change(|_| Answer::ok(reports(&["Ferry afloat"])));
    scene.must(&["poll"]);
    assert_eq!(receiver.asked().len(), 1);
}

#[test]
fn a_story_that_a_service_cannot_take_keeps_nobody_from_the_others() {
    let has = |request: &Request, word: &str| String::from_utf8_lossy(&request.body).contains(word);
    let receiver = Origin::start(move |request| match has(request, "Poison") {
        true => Answer::status("500 Internal Server Error"),
        false => Answer::status("204 No Content"),
    });
    let feed = Origin::of(reports(&[]));
    let scene =
        Scene::with(&[("one", feed.url("/"))], &notify(&receiver, "").replace("min_sources = 2", "min_sources = 1"));
    scene.must(&["poll"]);
    feed.change(|_| {
        Answer::ok(reports(&["Ferry afloat", "Poison in the well", "Choir of Veskar wins", "Poison again"]))
    });
    let ended = scene.run(&["poll"]);
    assert!(ended.err.contains("it answered 500"), "{ended:?}");
    let told = |word| receiver.asked().iter().filter(|request| has(request, word)).count();
    assert_eq!([told("Ferry"), told("Choir"), told("Poison")], [1, 1, 2]);
    scene.must(&["poll"]);
    assert_eq!([told("Ferry"), told("Choir"), told("Poison")], [1, 1, 4], "and is tried again by itself");
}

/// Tells a daemon of three stories that two services are to be told of, of which one does `otherwise`; gives how often each was
/// asked once the other was told of all three, and what `/healthz` says then.
fn three_told(otherwise: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> ([usize; 2], String) {
    let other = Origin::start(otherwise);
    let ready = Origin::start(|_| Answer::status("204 No Content"));
    let feed = Origin::of(reports(&[]));
    let two = [&other, &ready].map(|service| notify(service, "").replace("min_sources = 2", "min_sources = 1"));
    let more = two[0].replace("phone", "other") + &two[1];
    let scene = Scene::with(&[("one", feed.url("/"))], &more);
    let text = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    scene.write("newsfold.toml", &text.replace("interval = \"1h\"", "interval = \"1s\""));
    scene.must(&["poll"]);
    let mut daemon = scene.start();
    feed.change(|_| Answer::ok(reports(&["Ferry afloat"])));
    daemon.wait_for_event("notify.told");
    feed.change(|_| Answer::ok(reports(&["Ferry afloat", "Choir of Veskar wins"])));
    daemon.wait_for_event("notify.told");
    feed.change(|_| Answer::ok(reports(&["Ferry afloat", "Choir of Veskar wins", "Ludmark votes"])));
    daemon.wait_for_event("notify.told");
    let asked = [other.asked().len(), ready.asked().len()];
    let (head, health) = daemon.get("/healthz");
    assert!(head.contains("200"), "{head}");
    (asked, health)
}

#[test]
fn a_service_that_asks_for_a_rest_has_it_and_the_others_are_told() {
    let (asked, health) = three_told(|_| Answer::new("429 Too Many Requests", &[("Retry-After", "3600")], ""));
    assert_eq!(asked, [1, 3]);
    assert!(health.contains("it answered 429"), "{health}");
}

#[test]
fn who_waits_for_a_service_that_hangs_is_nobody_else() {
    let (asked, _) = three_told(|_| Answer::hanging(*b"HTTP/1.1 200 OK\r\nContent-Length: 9"));
    assert_eq!(asked, [1, 3], "the first question is still open");
}

#[test]
fn a_notice_can_be_tried() {
    let receiver = Origin::start(|_| Answer::status("204 No Content"));
    let scene = Scene::with(&[], &notify(&receiver, "body = '{\"text\": {{ title | tojson }}}'\n"));
    let tried = scene.must(&["check", "--notify"]);
    assert!(tried.contains("notify phone: told"), "{tried}");
    let asked = receiver.asked();
    assert_eq!(asked.len(), 1);
    let body: serde_json::Value = serde_json::from_slice(&asked[0].body).unwrap();
    assert!(body["text"].as_str().unwrap().contains("made up"), "{body}");
    receiver.change(|_| Answer::status("403 Forbidden"));
    let refused = scene.run(&["check", "--notify"]);
    assert!(refused.status != 0 && refused.out.contains("notify phone: not told: it answered 403"), "{refused:?}");
    assert!(!refused.out.contains("/hook"), "an address may be a secret: {refused:?}");
    scene.must(&["check"]);
    assert_eq!(receiver.asked().len(), 2, "nobody is told unless that is asked for");
}

#[test]
fn check_tells_of_a_template_that_is_none() {
    let receiver = Origin::of("");
    let scene = Scene::with(&[], &notify(&receiver, "body = \"{{ title\"\n"));
    let ended = scene.run(&["check"]);
    assert!(ended.err.contains("notify `phone`: `body` is no template: line 1"), "{ended:?}");
}

#[test]
fn what_is_for_some_readers_alone_is_told_to_those_alone_who_are_to_be_told_of_it() {
    let receiver = Origin::start(|_| Answer::status("204 No Content"));
    let empty = || Origin::of("<rss version=\"2.0\"><channel><title>x</title></channel></rss>");
    let [public, private] = [empty(), empty()];
    let feeds = format!(
        "[[feed]]\nname = \"public\"\nurl = \"{}\"\ntags = [\"world\"]\n[[feed]]\nname = \"board\"\nurl = \"{}\"\ntags = [\"board\"]\n",
        public.url("/"),
        private.url("/")
    );
    let outputs = "[[output]]\nname = \"news\"\ntags = [\"world\"]\n[[output]]\nname = \"board\"\ntags = [\"board\"]\ntoken = \"0a1b2c3d4e5f60718293\"\n";
    let notify = |name: &str, more: &str| {
        format!(
            "[[notify]]\nname = \"{name}\"\nmin_sources = 1\nurl = \"{}\"\n{more}",
            receiver.url(&format!("/{name}"))
        )
    };
    let notices =
        notify("all", "") + &notify("named", "output = \"board\"\n") + &notify("tagged", "tags = [\"board\"]\n");
    let scene = Scene::with(&[], &format!("{outputs}{feeds}{notices}"));
    scene.must(&["poll"]);
    let told_of = |what: &str| told("x", NOW).replace("ferry", what);
    let (market, merger) = (told_of("market"), told_of("merger"));
    public.change(move |_| Answer::ok(&market));
    private.change(move |_| Answer::ok(&merger));
    scene.must(&["poll"]);
    let mut told: Vec<(String, bool)> = receiver
        .asked()
        .iter()
        .map(|asked| (asked.target.clone(), String::from_utf8_lossy(&asked.body).contains("merger")))
        .collect();
    told.sort();
    assert_eq!(told, [("/all".into(), false), ("/named".into(), true), ("/tagged".into(), true)]);
}
