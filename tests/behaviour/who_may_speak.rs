//! Who may speak for a story, and what no feed can do to another's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::support::{Answer, Origin, Scene};

const VICTIM: (&str, &str) = ("victim", "http://feeds.victim.example/rss");
const EVIL: (&str, &str) = ("evil", "http://evil.example/feed");
const PAGE: &str = "http://www.victim.example/n/100";
const TITLE: &str = "Bridge closed after cracks are found";
const TEXT: &str = "The bridge over the river Arvo was closed on Monday after engineers found deep cracks in two of its pillars, the city council said. Mayor Anna Lindqvist told reporters that repairs would take eleven months.";

/// A newsfold that reads the web through a proxy, which plays every host.
struct Web {
    proxy: Origin,
    documents: Arc<Mutex<HashMap<String, String>>>,
    scene: Scene,
}

/// An item: its guid, its link, its title and its text.
type Item<'a> = (&'a str, &'a str, &'a str, &'a str);

impl Web {
    fn with(more: &str) -> Self {
        let proxy = Origin::of("");
        let documents: Arc<Mutex<HashMap<String, String>>> = Arc::default();
        let known = documents.clone();
        proxy.change(move |request| match known.lock().unwrap().get(&request.target) {
            Some(document) => Answer::ok(document),
            None => Answer::status("404 Not Found"),
        });
        let web = Self { proxy, documents, scene: Scene::with(&[], "") };
        web.configure(&[VICTIM, EVIL], more);
        web
    }

    fn configure(&self, feeds: &[(&str, &str)], more: &str) {
        let feeds: Vec<(&str, String)> = feeds.iter().map(|(name, url)| (*name, (*url).to_owned())).collect();
        self.scene.configure(&feeds, &format!("proxy = \"{}\"\n{more}", self.proxy.url("")));
    }

    /// Adds keys to the configuration of the feed that is named last.
    fn add_keys(&self, keys: &str) {
        let text = std::fs::read_to_string(self.scene.path("newsfold.toml")).unwrap();
        self.scene.write("newsfold.toml", &(text + keys + "\n"));
    }

    /// Has a feed say this, and polls it.
    fn says(&self, (name, url): (&str, &str), items: &[Item<'_>]) {
        let items: String = items
            .iter()
            .map(|(guid, link, title, text)| {
                let is_permalink = guid.starts_with("http");
                format!("<item><guid isPermaLink=\"{is_permalink}\">{guid}</guid><link>{link}</link><title>{title}</title><description>{text}</description></item>")
            })
            .collect();
        let document = format!(
            "<rss version=\"2.0\"><channel><title>Victim</title><link>http://victim.example/</link>{items}</channel></rss>"
        );
        self.documents.lock().unwrap().insert(url.to_owned(), document);
        self.scene.must(&["poll", name]);
    }

    /// What an output shows: title, link, source and id of each story.
    fn shown(&self, output: &str) -> Vec<(String, String, String, String)> {
        let feed = self.scene.json(&["publish", output, "--format", "json"]);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let story = |story: &Value| {
            (
                text(&story["title"]),
                text(&story["url"]),
                text(&story["_newsfold"]["source"]["title"]),
                text(&story["id"]),
            )
        };
        feed["items"].as_array().unwrap().iter().map(story).collect()
    }

    fn titles(&self) -> Vec<String> {
        self.shown("news").into_iter().map(|story| story.0).collect()
    }
}

const NEWS: Item<'_> = ("v100", PAGE, TITLE, TEXT);

#[test]
fn the_owner_of_a_page_takes_its_story_over_and_the_id_stays() {
    let web = Web::with("[fold]\nlevel = \"link\"\n");
    web.says(EVIL, &[("x", PAGE, "CHEAP PILLS", "x")]);
    let before = web.shown("news");
    web.says(VICTIM, &[NEWS]);
    let after = web.shown("news");
    assert_eq!(after.len(), 1);
    assert_eq!((after[0].0.as_str(), after[0].1.as_str(), after[0].2.as_str()), (TITLE, PAGE, "Victim"));
    assert_eq!(after[0].3, before[0].3, "nobody is told twice");
    web.says(VICTIM, &[("v100", PAGE, "Bridge to stay closed", TEXT)]);
    assert_eq!(web.titles(), ["Bridge to stay closed"], "and its corrections show");
}

#[test]
fn a_guid_that_names_anothers_page_changes_nothing_in_any_output() {
    let outputs = "[[output]]\nname = \"news\"\n[[output]]\nname = \"clean\"\ndrop = [\"title ~ 'PILLS'\"]\n[[output]]\nname = \"fair\"\nper_feed = 1\n";
    let web = Web::with(&format!("[fold]\nlevel = \"link\"\n{outputs}"));
    web.says(VICTIM, &[NEWS]);
    let before = web.shown("clean");
    web.says(
        EVIL,
        &[
            (PAGE, "http://evil.example/pills", "CHEAP PILLS", &TEXT.repeat(9)),
            ("q", "http://evil.example/q", "Newest", "q"),
        ],
    );
    assert_eq!(web.shown("news").iter().filter(|story| story.1 == PAGE).count(), 1);
    for output in ["news", "clean", "fair"] {
        assert!(web.shown(output).contains(&before[0]), "{output}: {:?}", web.shown(output));
    }
}

#[test]
fn an_entry_that_is_edited_into_another_one_leaves_its_story() {
    let web = Web::with("");
    web.says(EVIL, &[("p", "http://evil.example/1", "A bridge is closed", TEXT)]);
    web.says(VICTIM, &[NEWS]);
    let before = web.shown("news");
    assert_eq!((before.len(), before[0].0.as_str()), (1, "A bridge is closed"), "the first to tell speaks");
    web.says(EVIL, &[("p", "http://evil.example/else", "Buy now, two for one", "Buy.")]);
    let after = web.shown("news");
    let of = |page: &str| after.iter().find(|story| story.1 == page).unwrap();
    assert_eq!((of(PAGE).0.as_str(), &of(PAGE).3), (TITLE, &before[0].3), "who stays keeps the story and its id");
    assert_eq!(of("http://evil.example/else").0, "Buy now, two for one");
    assert_eq!(after.len(), 2);
}

#[test]
fn fold_off_also_keeps_others_from_joining() {
    let web = Web::with("");
    web.add_keys("fold = \"off\"");
    web.says(EVIL, &[("x", PAGE, "CHEAP PILLS", TEXT)]);
    web.says(VICTIM, &[NEWS]);
    let mut titles = web.titles();
    titles.sort();
    assert_eq!(titles, [TITLE, "CHEAP PILLS"]);
}

#[test]
fn a_feed_that_is_taken_out_is_shown_nowhere_and_comes_back_with_its_ids() {
    let output = "[fold]\nlevel = \"link\"\n[[output]]\nname = \"news\"\ndirectory = \"public\"\n";
    let web = Web::with(output);
    web.says(
        EVIL,
        &[
            (PAGE, "http://evil.example/pills", "CHEAP PILLS", "casino"),
            ("q", "http://evil.example/q", "Casino", "casino"),
        ],
    );
    web.says(VICTIM, &[NEWS]);
    let mut before = web.shown("news");
    web.configure(&[VICTIM], output);
    assert_eq!(web.titles(), [TITLE], "even before the store knows");
    web.scene.must(&["poll"]);
    assert_eq!(web.titles(), [TITLE]);
    let file = std::fs::read_to_string(web.scene.path("public/news.atom")).unwrap();
    assert!(file.contains(TITLE) && !file.contains("PILLS") && !file.contains("asino"), "{file}");
    let told = web.scene.json(&["stories", "--since", "4000d", "--json"]);
    assert_eq!(told.as_array().unwrap().iter().map(|story| &story["sources"]).collect::<Vec<_>>(), [1]);
    let daemon = web.scene.start();
    for gone in before.iter().filter(|story| story.0 == "Casino") {
        let (head, _) = daemon.get(&format!("/story/{}", gone.3.trim_start_matches("urn:uuid:")));
        assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    }
    drop(daemon);
    web.configure(&[VICTIM, EVIL], output);
    web.scene.must(&["poll"]);
    let mut after = web.shown("news");
    before.sort();
    after.sort();
    assert_eq!(after, before);
}

#[test]
fn the_operators_word_says_whose_page_it_is_where_a_feed_lives_elsewhere() {
    let hosted = ("victim", "http://host.example/victim.xml");
    let web = Web::with("");
    let configure = |keys: &str| {
        web.configure(&[EVIL, hosted], "[fold]\nlevel = \"link\"\n");
        web.add_keys(keys);
    };
    configure("");
    web.says(EVIL, &[("x", PAGE, "THE MAYOR IS A CROOK", "x")]);
    web.says(hosted, &[NEWS]);
    let shown = web.shown("news");
    assert_eq!(
        (shown[0].0.as_str(), shown[0].2.as_str()),
        ("THE MAYOR IS A CROOK", "evil"),
        "not by the name it gives itself"
    );
    let after = |keys: &str| {
        configure(keys);
        web.scene.must(&["poll"]);
        web.titles()
    };
    assert_eq!(after("home = \"http://victim.example/\""), [TITLE]);
    assert_eq!(after(""), ["THE MAYOR IS A CROOK"]);
    assert_eq!(after("priority = 1"), [TITLE], "priority counts at any age");
}
