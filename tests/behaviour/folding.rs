//! Which entries become one story.

use crate::support::{Answer, Origin, Scene, rss, rss_of};

#[test]
fn two_feeds_with_one_permalink_give_one_story() {
    let one = Origin::of(rss("One", &[("1", "https://example.org/a?utm_source=one", "The news", "t")]));
    let two = Origin::of(rss("Two", &[("2", "https://example.org/a", "The same news", "t")]));
    let scene = Scene::with(&[("one", one.url("/")), ("two", two.url("/"))], "");
    scene.must(&["poll"]);
    let stories = scene.stories();
    assert_eq!(stories.len(), 1);
    assert_eq!(stories[0].1, 2);
    let atom = scene.must(&["publish"]);
    assert!(atom.contains("Also told by") && atom.contains("rel=\"related\""), "{atom}");
}

#[test]
fn feeds_that_lead_to_one_address_are_one_source() {
    let document = rss("Paper", &[("1", "https://paper.example/a", "The news", "t")]);
    for redirect in ["302 Found", "308 Permanent Redirect"] {
        let (paper, door, gate) = (Origin::of(&document), Origin::of(""), Origin::of(""));
        for origin in [&door, &gate] {
            let target = paper.url("/");
            origin.change(move |_| Answer::redirect(redirect, &target));
        }
        let wire = Origin::of(rss("Wire", &[("2", "https://paper.example/a", "From the wire", "t")]));
        let urls =
            [("door", door.url("/")), ("paper", paper.url("/")), ("gate", gate.url("/")), ("wire", wire.url("/"))];
        let scene = Scene::with(&urls, "[[output]]\nname = \"news\"\n[[output]]\nname = \"many\"\nmin_sources = 2\n");
        let many = || scene.json(&["publish", "many", "--format", "json"])["items"].as_array().unwrap().len();
        let told = || scene.must(&["publish", "news", "--format", "json"]).matches("Also told by").count();
        for feed in ["gate", "paper", "door"] {
            scene.must(&["poll", feed]);
            assert_eq!((many(), told()), (0, 0), "{redirect} {feed}");
        }
        scene.must(&["poll", "wire"]);
        let story = scene.json(&["publish", "many", "--format", "json"])["items"][0].clone();
        assert_eq!(story["_newsfold"]["sources"], 2, "{story}");
        assert_eq!(story["_newsfold"]["also"].as_array().map(Vec::len), Some(1), "{story}");
    }
}

#[test]
fn a_feed_that_comes_to_lead_to_another_is_no_source_of_its_own_any_more() {
    let document = rss("Paper", &[("1", "https://paper.example/a", "The news", "t")]);
    let (paper, old) = (Origin::of(&document), Origin::of(&document));
    let scene = Scene::with(
        &[("old", old.url("/")), ("paper", paper.url("/"))],
        "[[output]]\nname = \"many\"\nmin_sources = 2\n",
    );
    let many = || scene.json(&["publish", "--format", "json"])["items"].as_array().unwrap().len();
    scene.must(&["poll"]);
    assert_eq!(many(), 1);
    let target = paper.url("/");
    old.change(move |_| Answer::redirect("301 Moved Permanently", &target));
    scene.must(&["poll", "old"]);
    assert_eq!(many(), 0);
}

#[test]
fn what_a_feed_lists_on_one_page_under_one_title_is_told_apart_by_text_and_date() {
    let bulletin = |guid: u32, day: u32, text: &str| {
        format!(
            "<item><guid isPermaLink=\"false\">{guid}</guid><link>https://met.example/leeds</link><title>Weather for Leeds</title>\
             <pubDate>{day} Jan 2026 06:00:00 GMT</pubDate><description>{text}</description></item>"
        )
    };
    let document = |items: &[String]| {
        let items = items.concat();
        format!(
            "<rss version=\"2.0\"><channel><title>Met</title><link>https://met.example/</link>{items}</channel></rss>"
        )
    };
    let (old, new) = (bulletin(1, 1, "Max 12, min 3, wind N 12 km/h"), bulletin(2, 2, "Max 9, min -3, wind S 30 km/h"));
    let last = bulletin(3, 3, "Max 15, min 8, wind W 5 km/h");
    let cases: [(&str, Vec<Vec<String>>, usize); 5] = [
        ("both in the first document", vec![vec![new.clone(), old.clone()]], 2),
        ("one after the other", vec![vec![old.clone()], vec![new.clone(), old.clone()]], 2),
        ("a window that moves", vec![vec![old.clone()], vec![new.clone(), old.clone()], vec![last, new.clone()]], 3),
        (
            "one that takes the other's place",
            vec![vec![old.clone()], vec![bulletin(2, 1, "Max 12, min 3, wind N 12 km/h, later S")]],
            1,
        ),
        ("one that is listed twice", vec![vec![bulletin(2, 1, "Max 12, min 3, wind N 12 km/h"), old]], 1),
    ];
    for (case, documents, stories) in cases {
        let origin = Origin::of("");
        let scene = Scene::with(&[("met", origin.url("/"))], "");
        for items in &documents {
            let body = document(items);
            origin.change(move |_| Answer::ok(&body));
            scene.must(&["poll"]);
        }
        assert_eq!(scene.stories().len(), stories, "{case}");
    }
}

#[test]
fn a_known_redirect_folds_with_the_page_that_it_leads_to() {
    let alert = "https://www.google.com/url?rct=j&amp;sa=t&amp;url=https://paper.example/a&amp;ct=ga&amp;usg=x";
    let click = "http://www.bing.com/news/apiclick.aspx?ref=FexRss&amp;url=https%3a%2f%2fpaper.example%2fa&amp;c=1";
    let [paper, one, two] = [("https://paper.example/a", "Paper"), (alert, "Alerts"), (click, "Clicks")]
        .map(|(link, title)| Origin::of(rss(title, &[("1", link, "Each has a title of its own", "t")])));
    let scene = Scene::with(&[("paper", paper.url("/")), ("one", one.url("/")), ("two", two.url("/"))], "");
    scene.must(&["poll"]);
    assert_eq!(scene.stories().iter().map(|story| story.1).collect::<Vec<_>>(), [3]);
}

#[test]
fn a_storys_id_is_the_same_in_a_rebuilt_store() {
    let one = Origin::of(rss_of(&["a", "b", "c"]));
    let scene = Scene::with(&[("one", one.url("/"))], "");
    scene.must(&["poll"]);
    let ids = |scene: &Scene| {
        scene
            .json(&["stories", "--since", "2000d", "--json"])
            .as_array()
            .unwrap()
            .iter()
            .map(|story| story["id"].to_string())
            .collect::<Vec<_>>()
    };
    let before = ids(&scene);
    assert_eq!(before.len(), 3);
    for name in ["newsfold.db", "newsfold.db-wal", "newsfold.db-shm"] {
        let _ = std::fs::remove_file(scene.path(name));
    }
    scene.must(&["poll"]);
    assert_eq!(ids(&scene), before);
}

#[test]
fn new_coverage_changes_neither_id_nor_dates() {
    let one = Origin::of(rss("One", &[("1", "https://example.org/a", "The news", "t")]));
    let two = Origin::of(rss_of(&[]));
    let scene = Scene::with(&[("one", one.url("/")), ("two", two.url("/"))], "");
    scene.must(&["poll"]);
    let of = |scene: &Scene| {
        let story = scene.json(&["publish", "--format", "json"])["items"][0].clone();
        (story["id"].clone(), story["date_published"].clone(), story["date_modified"].clone())
    };
    let before = of(&scene);
    let late = rss("Two", &[("2", "https://example.org/a", "Late to the party", "t")]);
    two.change(move |_| Answer::ok(&late));
    scene.must(&["poll"]);
    assert_eq!(scene.stories()[0].1, 2);
    assert_eq!(of(&scene), before);
}

#[test]
fn entries_that_a_rule_drops_are_stored_and_not_published() {
    let one = Origin::of(rss_of(&["keep me", "drop me"]).replace("/keep me", "/k").replace("/drop me", "/d"));
    let scene = Scene::with(&[("one", one.url("/"))], "");
    let text = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    scene.write("newsfold.toml", &(text + "drop = [\"title ~ 'drop'\"]\n"));
    scene.must(&["poll"]);
    assert_eq!(scene.feed()["entries"], 2);
    assert_eq!(scene.stories().iter().map(|(title, _)| title.as_str()).collect::<Vec<_>>(), ["keep me"]);
}

/// Three feeds: an agency's report, a copy of it, and another matter.
fn told() -> [Origin; 3] {
    let report = "The harbour master of Vellmar said on Tuesday that the lighthouse tender Orsina had sunk at her moorings \
                  during the night after a bilge pump failed, and that nobody had been aboard.";
    [
        Origin::of(rss(
            "Agency",
            &[("1", "https://agency.example/1", "Lighthouse tender Orsina sinks at moorings in Vellmar", report)],
        )),
        Origin::of(rss("Paper", &[("2", "https://paper.example/2", "Tender sinks overnight at Vellmar quay", report)])),
        Origin::of(rss(
            "Other",
            &[(
                "3",
                "https://other.example/3",
                "Bakers ask for cheaper flour",
                "The guild of bakers has written to the ministry of trade about the price of flour.",
            )],
        )),
    ]
}

fn scene_of(origins: &[Origin; 3]) -> Scene {
    let [agency, paper, other] = origins;
    Scene::with(&[("agency", agency.url("/")), ("paper", paper.url("/")), ("other", other.url("/"))], "")
}

#[test]
fn a_copy_under_another_headline_is_the_same_story_and_explain_says_why() {
    let origins = told();
    let scene = scene_of(&origins);
    scene.must(&["poll"]);
    assert_eq!(scene.stories().len(), 2);
    let story = scene.json(&["stories", "--since", "4000d", "--min-sources", "2", "--json"])[0].clone();
    let explained = scene.must(&["explain", story["id"].as_str().unwrap()]);
    assert!(explained.contains("has the same text") && explained.contains("founded the story"), "{explained}");
    let pair = scene.must(&["explain", "https://agency.example/1", "https://other.example/3"]);
    assert!(pair.contains("different stories"), "{pair}");
    assert_eq!(scene.run(&["explain", "https://nowhere.example/"]).status, 1);
}

#[test]
fn a_persons_word_outlives_restarts_and_later_polls() {
    let origins = told();
    let scene = scene_of(&origins);
    scene.must(&["poll"]);
    let folded = scene.json(&["stories", "--since", "4000d", "--min-sources", "2", "--json"])[0]["coverage"][1].clone();
    let url = folded["url"].as_str().unwrap();
    scene.must(&["split", url]);
    assert_eq!(scene.stories().len(), 3);
    scene.must(&["poll"]);
    assert_eq!(scene.stories().len(), 3);
    scene.must(&["join", "https://agency.example/1", "https://paper.example/2"]);
    assert_eq!(scene.stories().len(), 2);
    let story = scene.json(&["stories", "--since", "4000d", "--min-sources", "2", "--json"])[0].clone();
    assert!(scene.must(&["explain", story["id"].as_str().unwrap()]).contains("joined by a person"));
}

#[test]
fn a_correction_reaches_a_running_daemon() {
    let origins = told();
    let scene = scene_of(&origins);
    scene.must(&["poll"]);
    let daemon = scene.start();
    let folded = scene.json(&["stories", "--since", "4000d", "--min-sources", "2", "--json"])[0]["coverage"][1].clone();
    scene.must(&["split", folded["url"].as_str().unwrap()]);
    assert_eq!(scene.stories().len(), 3);
    daemon.signal("TERM");
    assert_eq!(daemon.ended(), 0);
}

#[test]
fn what_is_stored_can_be_folded_anew_to_see_what_would_change() {
    let origins = told();
    let scene = scene_of(&origins);
    scene.must(&["poll"]);
    assert_eq!(
        scene.must(&["fold", "--from-store"]),
        "3 entries in the window: 2 stories as stored, 2 as configured\n"
    );
    let text = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    scene.write("newsfold.toml", &(text + "[fold]\nlevel = \"link\"\n"));
    let split = scene.must(&["fold", "--from-store"]);
    assert!(split.contains("would split") && split.contains("Tender sinks overnight"), "{split}");
    assert_eq!(scene.stories().len(), 2, "nothing was changed");
    scene.must(&["join", "https://agency.example/1", "https://other.example/3"]);
    assert!(!scene.must(&["fold", "--from-store"]).contains("Bakers"), "a person's word holds");
}

#[test]
fn fold_answers_each_line_and_names_a_broken_one() {
    let scene = Scene::with(&[], "");
    let lines = "{\"id\":\"1\",\"title\":\"One\",\"url\":\"https://example.org/a\"}\n{\"id\":\"2\",\"title\":\"Two\",\"url\":\"https://example.org/a?utm_source=x\"}\n{\"id\":\"2\"";
    let ended = scene.run_with(&["fold"], lines.as_bytes());
    assert_eq!(ended.status, 1);
    let out: Vec<&str> = ended.out.lines().collect();
    assert_eq!(out.len(), 2, "the lines before it are out: {ended:?}");
    assert!(out[1].contains("\"story\":\"1\",\"rule\":\"link\""), "{}", out[1]);
    assert!(ended.err.contains("line 3"), "{}", ended.err);
}

#[test]
fn the_demonstration_tells_the_jet_story_once_with_its_five_tellings() {
    let scene = Scene::with(&[], "");
    let config = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    std::fs::create_dir(scene.path("demo")).unwrap();
    for file in std::fs::read_dir(config.join("demo")).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), scene.path("demo").join(file.file_name())).unwrap();
    }
    let demo = std::fs::read_to_string(config.join("demo.toml")).unwrap();
    scene.write("newsfold.toml", &demo.replace("127.0.0.1:8080", "127.0.0.1:0"));
    let mut daemon = scene.start();
    for _ in 0..6 {
        daemon.wait_for_event("feed.polled");
    }
    daemon.signal("TERM");
    daemon.ended();
    let stories = scene.json(&["stories", "--since", "4000d", "--json"]);
    let telling = |word: &str| {
        let tells = |story: &&serde_json::Value| {
            story["coverage"]
                .as_array()
                .unwrap()
                .iter()
                .any(|telling| telling["title"].as_str().unwrap().contains(word))
        };
        stories
            .as_array()
            .unwrap()
            .iter()
            .filter(tells)
            .map(|story| story["sources"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(telling("Olmert"), [5], "the visit, with the agency's copies and the rewrites");
    assert_eq!(telling("orders engines"), [1], "the follow-up is another story");
    assert_eq!(telling("Morning briefing"), [1, 1], "two editions of one column");
}

/// The titles in the first output, as `publish` renders it.
fn titles(scene: &Scene) -> Vec<String> {
    let feed = scene.json(&["publish", "--format", "json"]);
    feed["items"].as_array().unwrap().iter().map(|item| item["title"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_a_person_had_forgotten_is_shown_nowhere_whatever_its_publisher_makes_of_it() {
    let entry = |id: &str, page: &str, title: &str| {
        format!(
            "<item><guid isPermaLink=\"false\">{id}</guid><link>https://hacked.example/{page}</link><title>{title}</title></item>"
        )
    };
    let document = |entries: &[String]| {
        format!("<rss version=\"2.0\"><channel><title>A paper</title>{}</channel></rss>", entries.concat())
    };
    let origin =
        Origin::of(document(&[entry("1", "pills", "Cheap pills"), entry("2", "ferry", "The ferry is afloat")]));
    let scene = Scene::with(&[("paper", origin.url("/"))], "");
    scene.must(&["poll"]);
    assert_eq!(titles(&scene).len(), 2);
    let mut daemon = scene.start();
    let story = scene.json(&["stories", "--since", "4000d", "--json"]);
    let story = story.as_array().unwrap().iter().find(|story| story["title"] == "Cheap pills").unwrap().clone();
    let page = format!("/story/{}", story["id"].as_str().unwrap());
    assert!(daemon.get("/search?q=pills").1.contains("Cheap pills"));
    assert!(scene.must(&["forget", "https://hacked.example/pills"]).contains("Cheap pills"));
    daemon.wait_for_event("output.published");
    for path in ["/", "/news.atom", "/news.json", "/feeds/paper", "/search?q=pills", &page] {
        assert!(!daemon.get(path).1.contains("Cheap pills"), "{path}");
    }
    daemon.signal("TERM");
    assert_eq!(daemon.ended(), 0);

    // Edited, under another id, as a copy beside itself: it stays forgotten.
    for entries in [
        [entry("1", "pills", "Cheap pills, new"), entry("2", "ferry", "The ferry is afloat")],
        [entry("9", "pills", "Cheap pills, new"), entry("2", "ferry", "The ferry is afloat")],
        [entry("9", "pills", "Cheap pills, new"), entry("10", "pills", "Cheap pills, new")],
    ] {
        origin.change(move |_| Answer::ok(document(&entries)));
        scene.must(&["poll"]);
        assert_eq!(titles(&scene), ["The ferry is afloat"]);
    }
    // It left its document long ago.
    let store = rusqlite::Connection::open(scene.path("newsfold.db")).unwrap();
    store.execute("UPDATE entry SET gone_at = 0", []).unwrap();
    scene.must(&["store", "prune"]);
    scene.must(&["poll"]);
    assert!(titles(&scene).iter().all(|title| !title.contains("pills")), "{:?}", titles(&scene));
    assert_eq!(scene.run(&["forget", "https://hacked.example/pills"]).status, 1, "it is forgotten already");

    let listed = scene.must(&["corrections"]);
    assert!(listed.contains("forget") && listed.contains("paper: Cheap pills"), "{listed}");
    let number = listed.split_whitespace().next().unwrap();
    scene.must(&["corrections", "--undo", number]);
    assert!(titles(&scene).iter().any(|title| title.contains("pills")));
    assert_eq!(scene.must(&["corrections"]), "");
    assert_eq!(scene.run(&["corrections", "--undo", number]).status, 1);
}

#[test]
fn split_and_join_are_taken_back_to_what_there_was_before() {
    let origins = told();
    let scene = scene_of(&origins);
    scene.must(&["poll"]);
    let stories = || scene.json(&["stories", "--since", "4000d", "--json"]);
    let before = stories();
    let folded = scene.json(&["stories", "--since", "4000d", "--min-sources", "2", "--json"])[0]["coverage"].clone();
    for telling in [&folded[0], &folded[1]] {
        scene.must(&["split", telling["url"].as_str().unwrap()]);
        assert_eq!(scene.stories().len(), 3);
        let listed = scene.must(&["corrections"]);
        assert!(listed.contains("  split   "), "{listed}");
        scene.must(&["corrections", "--undo", listed.split_whitespace().next().unwrap()]);
        assert_eq!(scene.stories().len(), 2);
        let coverage =
            scene.json(&["stories", "--since", "4000d", "--min-sources", "2", "--json"])[0]["coverage"].clone();
        assert_eq!(coverage[1]["rule"], folded[1]["rule"], "why they are together is known as before");
    }
    scene.must(&["join", "https://agency.example/1", "https://other.example/3"]);
    assert_eq!(scene.stories().len(), 1);
    let listed = scene.must(&["corrections"]);
    assert!(listed.contains("  join    "), "{listed}");
    scene.must(&["corrections", "--undo", listed.split_whitespace().next().unwrap()]);
    let after = stories();
    let ids = |stories: &serde_json::Value| -> Vec<String> {
        stories.as_array().unwrap().iter().map(|story| story["id"].to_string()).collect()
    };
    assert_eq!(ids(&before), ids(&after));
}

#[test]
fn the_end_of_a_storys_id_is_enough_to_name_it() {
    let origins = told();
    let scene = scene_of(&origins);
    scene.must(&["poll"]);
    let listed = scene.must(&["stories", "--since", "4000d"]);
    let heads: Vec<&str> = listed.lines().filter(|line| !line.starts_with(' ')).collect();
    let [one, other] = heads[..] else { panic!("two stories: {listed}") };
    let short = [one, other].map(|head| head.split_whitespace().next().unwrap());
    assert!(scene.must(&["explain", short[0]]).contains("founded the story"));
    assert!(scene.must(&["join", short[0], short[1]]).contains("one story now"));
    assert_eq!(scene.run(&["explain", "00000000"]).status, 1);
    // An entry is named by the number beside it.
    scene.must(&["split", one.split_whitespace().nth(3).unwrap()]);
}
