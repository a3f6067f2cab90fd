//! Stories that are told in other languages, as an encoder knows them for one another, and what becomes of them when it does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{Answer, Daemon, Origin, Request, Scene, rss};

/// What happened, by a word that stands in both languages.
const EVENTS: [&str; 6] = ["Skarvholm", "Orland", "Veskar", "Ludmark", "Hrafn", "Tarsk"];

/// A feed of reports from a few minutes ago, one for each of these titles.
fn told(name: &str, language: &str, titles: &[&str]) -> String {
    let links: Vec<String> =
        titles.iter().map(|title| format!("https://{name}.example/{title}").replace(' ', "-")).collect();
    let entries: Vec<_> =
        links.iter().zip(titles).map(|(link, title)| (link.as_str(), link.as_str(), *title, "")).collect();
    let at = newsfold::clock::now() - TimeDelta::minutes(5);
    rss(name, &entries)
        .replace("Thu, 01 Jan 2026 00:00:00 GMT", &at.format("%a, %d %b %Y %H:%M:%S GMT").to_string())
        .replace("</link><description>", &format!("</link><language>{language}</language><description>"))
}

fn english() -> Origin {
    Origin::of(told(
        "en",
        "en",
        &["Ferry aground off Skarvholm, 212 saved", "Rates held in Orland", "Choir of Veskar wins", "Ludmark votes"],
    ))
}

fn polish() -> Origin {
    Origin::of(told(
        "pl",
        "pl",
        &["Prom na mieliźnie pod Skarvholm, 212 uratowanych", "Wulkan Hrafn dymi", "Nowy samolot z Tarsk"],
    ))
}

/// The texts that are asked about.
fn texts(request: &Request) -> Vec<String> {
    let asked: Value = serde_json::from_slice(&request.body).unwrap();
    asked["input"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// A vector of `dimensions` numbers that says which event a text tells, and what language it is in.
fn vector(text: &str, dimensions: usize) -> Vec<f64> {
    let mut vector = vec![0.1; dimensions];
    let event = EVENTS.iter().position(|event| text.contains(event)).unwrap_or(EVENTS.len());
    vector[event] += 1.0;
    vector[dimensions - 1 - usize::from(text.is_ascii())] += 0.2;
    vector
}

fn vectors(request: &Request, model: &str, dimensions: usize) -> Answer {
    let data: Vec<Value> = texts(request)
        .iter()
        .enumerate()
        .map(|(index, text)| json!({ "object": "embedding", "index": index, "embedding": vector(text, dimensions) }))
        .collect();
    Answer::new("200 OK", &[], json!({ "object": "list", "model": model, "data": data }).to_string())
}

fn encoder() -> Origin {
    Origin::start(|request| vectors(request, "m", 16))
}

fn scene(feeds: &[(&str, String)], encoder: &Origin, more: &str) -> Scene {
    let url = encoder.url("/v1/embeddings");
    Scene::with(feeds, &format!("[fold.encoder]\nurl = \"{url}\"\n{more}"))
}

/// Waits until a document says this.
fn until(daemon: &mut Daemon, path: &str, words: &str) -> String {
    loop {
        let (_, body) = daemon.get(path);
        if body.contains(words) {
            return body;
        }
        daemon.wait_for_event("output.published");
    }
}

/// What the stories of the first output are told as in other languages, by their titles.
fn listed(daemon: &mut Daemon) -> Vec<(String, String, String)> {
    let feed: Value = serde_json::from_str(&until(daemon, "/news.json", "also_in_other_languages")).unwrap();
    let mut found = Vec::new();
    for item in feed["items"].as_array().unwrap() {
        for told in item["_newsfold"]["also_in_other_languages"].as_array().into_iter().flatten() {
            let [title, language, other] =
                [&item["title"], &told["language"], &told["title"]].map(|of| of.as_str().unwrap().to_owned());
            found.push((title, language, other));
        }
    }
    found.sort();
    found
}

const BOTH: [(&str, &str, &str); 2] = [
    ("Ferry aground off Skarvholm, 212 saved", "pl", "Prom na mieliźnie pod Skarvholm, 212 uratowanych"),
    ("Prom na mieliźnie pod Skarvholm, 212 uratowanych", "en", "Ferry aground off Skarvholm, 212 saved"),
];

fn assert_both(found: &[(String, String, String)]) {
    let found: Vec<_> = found.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
    assert_eq!(found, BOTH);
}

#[test]
fn what_is_told_in_another_language_is_listed_everywhere_and_not_folded() {
    let (en, pl, encoder) = (english(), polish(), encoder());
    let more = "model = \"small\"\nprefix = \"query: \"\nkey = \"a-key\"\n";
    let scene = scene(&[("en", en.url("/")), ("pl", pl.url("/"))], &encoder, more);
    let mut daemon = scene.start();
    assert_both(&listed(&mut daemon));

    let feed: Value = serde_json::from_str(&daemon.get("/news.json").1).unwrap();
    let items = feed["items"].as_array().unwrap();
    assert_eq!(items.len(), 7, "all stand there as themselves");
    let ferry = items.iter().find(|item| item["title"] == BOTH[0].0).unwrap();
    let prom = items.iter().find(|item| item["title"] == BOTH[1].0).unwrap();
    let page = |item: &Value| item["_newsfold"]["story_url"].as_str().unwrap().to_owned();
    assert_eq!(ferry["_newsfold"]["also_in_other_languages"][0]["story_url"], page(prom));

    let path = format!("/story/{}", page(ferry).rsplit('/').next().unwrap());
    let (_, html) = daemon.get(&path);
    assert!(html.contains("Also in other languages") && html.contains("Prom na mieliźnie"), "{html}");
    assert!(html.contains("both tell of Skarvholm, 212") || html.contains("both tell of 212, Skarvholm"), "{html}");
    let told: Value = serde_json::from_str(&daemon.get(&format!("{path}.json")).1).unwrap();
    assert_eq!(told["also_in_other_languages"][0]["language"], "pl");
    for path in ["/news.atom", "/news.rss"] {
        let (_, document) = daemon.get(path);
        assert!(document.contains("hreflang=\"pl\" title=\"Also in other languages: Prom na mieliźnie"), "{document}");
    }
    // What is stored is shown without the daemon, too.
    drop(daemon);
    assert!(scene.must(&["publish", "--format", "json"]).contains("also_in_other_languages"));

    let asked = encoder.asked();
    assert_eq!((asked[0].method.as_str(), asked[0].target.as_str()), ("POST", "/v1/embeddings"));
    assert_eq!(asked[0].header("authorization"), Some("Bearer a-key"));
    let body: Value = serde_json::from_slice(&asked[0].body).unwrap();
    assert_eq!((&body["model"], &body["encoding_format"]), (&json!("small"), &json!("float")));
    let texts: Vec<String> = asked.iter().flat_map(texts).collect();
    assert!(texts.iter().all(|text| text.starts_with("query: ")), "{texts:?}");
    assert_eq!(texts.len(), 7, "each is asked about once");
}

#[test]
fn a_poll_without_a_daemon_looks_for_other_languages_and_says_where_it_cannot() {
    let (en, pl, encoder) = (english(), polish(), encoder());
    let scene = scene(&[("en", en.url("/")), ("pl", pl.url("/"))], &encoder, "");
    encoder.change(|_| Answer::status("401 Unauthorized"));
    let ended = scene.run(&["poll"]);
    assert!(
        ended.status == 0 && ended.err.contains("it answered 401 Unauthorized; look at `fold.encoder.url`"),
        "{ended:?}"
    );
    assert!(!scene.must(&["publish", "--format", "json"]).contains("also_in_other_languages"));
    encoder.change(|request| vectors(request, "m", 16));
    scene.must(&["poll"]);
    assert!(scene.must(&["publish", "--format", "json"]).contains("also_in_other_languages"));
    let asked = encoder.asked().len();
    scene.must(&["poll"]);
    assert_eq!(encoder.asked().len(), asked, "there is nothing new");
}

#[test]
fn an_encoder_that_is_down_costs_nothing_else_and_is_asked_again() {
    let (en, pl) = (english(), polish());
    let encoder = Origin::start(|_| Answer::status("503 Service Unavailable"));
    let scene = scene(&[("en", en.url("/")), ("pl", pl.url("/"))], &encoder, "");
    let mut daemon = scene.start();
    let failed = daemon.wait_for_event("task.failed");
    assert!(failed.contains("\"level\":\"WARN\"") && failed.contains("it answered 503"), "{failed}");
    until(&mut daemon, "/news.json", "Prom na mieliźnie");
    let (head, health) = daemon.get("/healthz");
    assert!(head.starts_with("HTTP/1.1 200") && health.contains("the encoder could not be asked"), "{head}{health}");
    assert!(daemon.get("/metrics").1.contains("newsfold_task_failures_total{task=\"encode\"}"));
    encoder.change(|request| vectors(request, "m", 16));
    daemon.wait_for_event("task.recovered");
    assert_both(&listed(&mut daemon));
    let (_, health) = daemon.get("/healthz");
    assert!(!health.contains("encoder"), "{health}");
    assert!(daemon.get("/metrics").1.contains("newsfold_translations_total 1\n"));
}

#[test]
fn an_encoder_that_does_not_answer_keeps_nobody_waiting_and_is_asked_about_less() {
    let (en, pl) = (english(), polish());
    let encoder = Origin::start(|_| Answer::hanging(*b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"));
    let scene = scene(&[("en", en.url("/")), ("pl", pl.url("/"))], &encoder, "patience = \"1s\"\n");
    let mut daemon = scene.start();
    let failed = daemon.wait_for_event("task.failed");
    until(&mut daemon, "/news.json", "Prom na mieliźnie");
    assert!(failed.contains("it did not answer within `fold.encoder.patience`"), "{failed}");
    // One that takes its time with many texts is asked about fewer.
    encoder.change(|request| match texts(request).len() {
        1..=4 => vectors(request, "m", 16),
        _ => Answer::hanging(*b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"),
    });
    assert_both(&listed(&mut daemon));
    encoder.change(|_| Answer::hanging(*b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"));
    daemon.signal("TERM");
    assert_eq!(daemon.ended(), 0);
}

#[test]
fn an_answer_that_is_none_is_told_and_believed_in_nothing() {
    fn check(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static, why: &str) {
        let (en, pl, encoder) = (english(), polish(), Origin::start(answer));
        let scene = scene(&[("en", en.url("/")), ("pl", pl.url("/"))], &encoder, "");
        let mut daemon = scene.start();
        let failed = daemon.wait_for_event("task.failed");
        assert!(failed.contains(why), "{why}: {failed}");
        assert!(!until(&mut daemon, "/news.json", "Prom na mieliźnie").contains("also_in_other_languages"));
    }
    let json = |body: Value| Answer::new("200 OK", &[], body.to_string());
    check(|_| Answer::ok("<html>"), "it is not JSON of the form");
    check(move |_| json(json!({ "data": [] })), "not one vector for each text");
    check(
        |request| {
            let vectors: Vec<String> = texts(request).iter().map(|_| "{\"embedding\":[NaN,1]}".to_owned()).collect();
            Answer::ok(format!("{{\"data\":[{}]}}", vectors.join(",")))
        },
        "it is not JSON of the form",
    );
    check(
        move |request| {
            let longer = |(at, _): (usize, &String)| json!({ "embedding": vec![1.0; at] });
            json(json!({ "data": texts(request).iter().enumerate().map(longer).collect::<Vec<_>>() }))
        },
        "different lengths",
    );
    check(|_| Answer::ok(vec![b' '; 9 << 20]), "longer than 8 MiB");
    check(|_| Answer::redirect("307 Temporary Redirect", "http://127.0.0.1:1/"), "it answered 307");
    check(|_| Answer::status("400 Bad Request"), "it answered 400");
}

#[test]
fn a_text_that_the_encoder_has_no_answer_to_is_left_out_and_told() {
    let check = |answer: fn(&Request) -> Answer| {
        let (en, pl) = (english(), polish());
        let encoder = Origin::start(move |request| match texts(request).iter().any(|text| text.contains("Ludmark")) {
            true => answer(request),
            false => vectors(request, "m", 16),
        });
        let scene = scene(&[("en", en.url("/")), ("pl", pl.url("/"))], &encoder, "");
        let mut daemon = scene.start();
        daemon.wait_for_event("encoder.refused");
        assert_both(&listed(&mut daemon));
    };
    check(|_| Answer::status("413 Payload Too Large"));
    check(|_| Answer::status("503 Service Unavailable"));
    check(|request| {
        let zeros = |text: &String| json!({ "embedding": vec![u8::from(!text.contains("Ludmark")); 16] });
        let data: Vec<Value> = texts(request).iter().map(zeros).collect();
        Answer::new("200 OK", &[], json!({ "data": data }).to_string())
    });
}

#[test]
fn two_models_behind_one_address_are_told_and_not_asked_without_end() {
    let (en, pl, count) = (english(), polish(), AtomicUsize::new(0));
    let encoder = Origin::start(move |request| match count.fetch_add(1, Ordering::Relaxed) % 2 {
        0 => vectors(request, "m", 16),
        _ => vectors(request, "n", 20),
    });
    let scene = scene(&[("en", en.url("/")), ("pl", pl.url("/"))], &encoder, "");
    let text = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    scene.write("newsfold.toml", &text.replace("interval = \"1h\"", "interval = \"1s\""));
    let mut daemon = scene.start();
    assert_both(&listed(&mut daemon));
    let more = ["Ferry aground off Skarvholm, 212 saved", "Volcano Hrafn smokes"];
    en.change(move |_| Answer::ok(told("en", "en", &more)));
    daemon.wait_for_event("encoder.changed");
    daemon.wait_for("its model is now `n` and now another");
}

#[test]
fn another_model_begins_anew() {
    let (en, pl, encoder) = (english(), polish(), encoder());
    let scene = scene(&[("en", en.url("/")), ("pl", pl.url("/"))], &encoder, "");
    let text = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    scene.write("newsfold.toml", &text.replace("interval = \"1h\"", "interval = \"1s\""));
    let mut daemon = scene.start();
    assert_both(&listed(&mut daemon));
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    encoder.change(move |request| {
        counted.fetch_add(texts(request).len(), Ordering::Relaxed);
        vectors(request, "n", 20)
    });
    let more = ["Ferry aground off Skarvholm, 212 saved", "Volcano Hrafn smokes"];
    en.change(move |_| Answer::ok(told("en", "en", &more)));
    daemon.wait_for_event("encoder.changed");
    let found = loop {
        let found = listed(&mut daemon);
        if found.len() == 4 {
            break found;
        }
        daemon.wait_for_event("output.published");
    };
    assert!(found.iter().any(|(title, ..)| title == "Volcano Hrafn smokes"), "{found:?}");
    assert!(count.load(Ordering::Relaxed) >= 8, "all of the window is asked about again");
}

#[test]
fn feeds_that_do_not_fold_are_not_put_to_the_encoder() {
    let (en, pl, encoder) = (english(), polish(), encoder());
    let feeds = format!("[[feed]]\nname = \"pl\"\nurl = \"{}\"\nfold = \"off\"\n", pl.url("/"));
    let scene = scene(&[("en", en.url("/"))], &encoder, &feeds);
    let mut daemon = scene.start();
    until(&mut daemon, "/news.json", "Ludmark votes");
    until(&mut daemon, "/news.json", "Prom na mieliźnie");
    until(&mut daemon, "/metrics", "newsfold_encoded_entries_total 4\n");
    assert!(encoder.asked().iter().flat_map(texts).all(|text| text.is_ascii()));
}

#[test]
fn nobody_learns_from_another_language_what_is_for_some_readers_alone() {
    let (en, pl, encoder) = (english(), polish(), encoder());
    let feeds = format!(
        "[[feed]]\nname = \"en\"\nurl = \"{}\"\ntags = [\"world\"]\n[[feed]]\nname = \"pl\"\nurl = \"{}\"\ntags = [\"board\"]\n\
         [[output]]\nname = \"news\"\ntags = [\"world\"]\n[[output]]\nname = \"board\"\ntags = [\"world\", \"board\"]\ntoken = \"0a1b2c3d4e5f60718293\"\n",
        en.url("/"),
        pl.url("/")
    );
    let scene = scene(&[], &encoder, &feeds);
    let mut daemon = scene.start();
    let board = "/t/0a1b2c3d4e5f60718293/board.json";
    until(&mut daemon, board, "also_in_other_languages");
    let (_, news) = daemon.get("/news.json");
    assert!(news.contains("Ferry aground") && !news.contains("also_in_other_languages"), "{news}");
}
