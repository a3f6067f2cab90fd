//! What is found at which address, and how patient the server is.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use newsfold::clock;
use serde_json::Value;
use url::form_urlencoded;

use crate::support::{Answer, Daemon, Origin, Scene, rss, rss_of};

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value).next().unwrap_or_default()
}

/// An RSS document with one entry for each of these names and dates.
fn dated(entries: &[(&str, &str)]) -> String {
    let items: String = entries
        .iter()
        .map(|(name, date)| {
            format!("<item><guid isPermaLink=\"false\">{name}</guid><link>https://example.org/{name}</link><title>{name}</title><pubDate>{date}</pubDate></item>")
        })
        .collect();
    format!(
        "<rss version=\"2.0\"><channel><title>A feed</title><link>https://example.org/</link><description>d</description>{items}</channel></rss>"
    )
}

/// Every document from `address` on, as a reader follows the links `mark`, in which an address stands behind `behind`.
fn walk(daemon: &Daemon, address: &str, (mark, behind): (&str, &str)) -> Vec<String> {
    let mut documents = Vec::new();
    let mut next = Some(address.to_owned());
    while let Some(address) = next {
        let (head, body) = daemon.get(&address);
        assert!(head.starts_with("HTTP/1.1 200"), "{address}: {head}");
        let link = body.lines().find(|line| line.contains(mark)).map(str::to_owned);
        next = link.and_then(|link| Some(link.split(behind).nth(1)?.split('"').next()?.replace("&amp;", "&")));
        next = next.map(|address| format!("/{}", address.splitn(4, '/').nth(3).unwrap()));
        documents.push(body);
    }
    documents
}

const ARCHIVES: (&str, &str) = ("rel=\"prev-archive\"", "href=\"");
const NEXT_URL: (&str, &str) = ("\"next_url\"", ": \"");

#[test]
fn a_reader_that_slept_finds_every_story_in_the_archives() {
    let entries: Vec<(String, String)> = (0..40)
        .map(|n| {
            (format!("n{n:02}"), format!("{:02} {} 2026 12:00:00 GMT", n % 20 + 1, if n < 20 { "Jan" } else { "Mar" }))
        })
        .collect();
    let entries: Vec<(&str, &str)> = entries.iter().map(|(name, date)| (name.as_str(), date.as_str())).collect();
    let origin = Origin::of(dated(&entries));
    let scene = Scene::with(&[("example", origin.url("/feed"))], "[[output]]\nname = \"news\"\nlimit = 5\n");
    let mut daemon = scene.start();
    daemon.wait_for_event("feed.polled");
    daemon.wait_for_event("output.published");
    for (address, link) in [("/news.atom", ARCHIVES), ("/news.rss", ARCHIVES), ("/news.json", NEXT_URL)] {
        let documents = walk(&daemon, address, link);
        assert_eq!(documents.len(), 3, "{address}: what is new, March and January");
        for (name, _) in &entries {
            let holds = |document: &&String| {
                document.contains(&format!("https://example.org/{name}\""))
                    || document.contains(&format!("<link>https://example.org/{name}<"))
            };
            assert_eq!(documents.iter().skip(1).filter(holds).count(), 1, "{address}: {name}");
        }
    }
    assert!(daemon.get("/news/2026-01").0.starts_with("HTTP/1.1 404"));
    for _ in 0..2 {
        let (head, _) = daemon.get("/news/2026-01.atom");
        assert_eq!(header(&head, "cache-control"), "public, max-age=86400");
    }
    let archive = daemon.get("/news/2026-01.atom").1;
    assert!(archive.contains("<fh:archive/>") && archive.contains("rel=\"current\""), "{archive}");
    daemon.signal("TERM");
    daemon.ended();
    // A feed that comes later with old entries changes no archive, and its entries are not lost either.
    let late = Origin::of(dated(&[("late", "05 Jan 2026 12:00:00 GMT")]));
    scene.configure(
        &[("example", origin.url("/feed")), ("late", late.url("/feed"))],
        "[[output]]\nname = \"news\"\nlimit = 5\n",
    );
    scene.must(&["poll", "late"]);
    let daemon = scene.start();
    assert_eq!(daemon.get("/news/2026-01.atom").1, archive);
    let documents = walk(&daemon, "/news.atom", ARCHIVES);
    assert!(documents.iter().any(|document| document.contains("<title>late</title>")));
}

#[test]
fn what_a_crash_left_of_files_is_taken_away_at_the_start() {
    let origin = Origin::of(rss_of(&["a"]));
    let output = "[[output]]\nname = \"news\"\ndirectory = \"public\"\n";
    let scene = Scene::with(&[("example", origin.url("/feed"))], output);
    std::fs::create_dir_all(scene.path("public/news")).unwrap();
    let strays = ["public/news.atom.123.tmp", "public/news/2026-01.atom.br.7.tmp"];
    let others = ["public/notes.5.tmp", "public/news.tmp"];
    strays.iter().chain(&others).for_each(|file| scene.write(file, "<feed"));
    let mut daemon = scene.start();
    daemon.wait_for_event("output.published");
    assert!(strays.iter().all(|stray| !scene.path(stray).exists()));
    assert!(others.iter().all(|other| scene.path(other).exists()), "they are not ours");
}

#[test]
fn archives_are_written_as_they_are_served_and_once() {
    let entries =
        [("a", "05 Jan 2026 12:00:00 GMT"), ("b", "05 Feb 2026 12:00:00 GMT"), ("c", "05 Mar 2026 12:00:00 GMT")];
    let origin = Origin::of(dated(&entries));
    let feeds = [("example", origin.url("/feed"))];
    let output = "[serve]\nlisten = \"127.0.0.1:0\"\npublic_url = \"https://example.org/\"\n[[output]]\nname = \"news\"\nlimit = 1\ndirectory = \"public\"\ncompress = true\n";
    let scene = Scene::with(&feeds, output);
    scene.must(&["poll"]);
    let daemon = scene.start();
    let names = ["2026-01", "2026-02", "2026-03"]
        .map(|month| [".atom", ".rss", ".json"].map(|ending| format!("news/{month}{ending}")));
    for name in names.iter().flatten() {
        let path = scene.path("public").join(name);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), daemon.get(&format!("/{name}")).1, "{name}");
        assert!(path.with_added_extension("br").exists());
    }
    daemon.signal("TERM");
    daemon.ended();
    let touched = |name: &String| std::fs::metadata(scene.path("public").join(name)).unwrap().modified().unwrap();
    let before: Vec<_> = names.iter().flatten().map(touched).collect();
    std::fs::remove_file(scene.path("public").join(&names[0][1])).unwrap();
    assert!(scene.must(&["poll"]).contains("1 file written"), "only what is missing");
    let after: Vec<_> = names.iter().flatten().map(touched).collect();
    assert_eq!(before.iter().zip(&after).filter(|(before, after)| before != after).count(), 1);
}

#[test]
fn a_search_that_finds_much_has_pages_in_every_format() {
    let items: Vec<(String, String)> =
        (0..230).map(|n| (format!("storm{n:03}"), format!("15 Mar 2026 {:02}:{:02}:00 GMT", n / 60, n % 60))).collect();
    let entries: Vec<(&str, &str)> = items.iter().map(|(name, date)| (name.as_str(), date.as_str())).collect();
    let origin = Origin::of(dated(&entries));
    let scene = Scene::with(&[("example", origin.url("/feed"))], "[[output]]\nname = \"news\"\n");
    let mut daemon = scene.start();
    daemon.wait_for_event("feed.polled");
    let next = ("rel=\"next\"", "href=\"");
    for (address, link, first) in [
        ("/search.atom?q=storm*", next, true),
        ("/search.rss?q=storm*", next, true),
        ("/search.json?q=storm*", NEXT_URL, false),
    ] {
        let documents = walk(&daemon, address, link);
        assert_eq!(documents.len(), 3, "{address}");
        let found = items.iter().filter(|(name, _)| {
            documents.iter().any(|document| document.contains(&format!("https://example.org/{name}")))
        });
        assert_eq!(found.count(), 230, "{address}");
        let is_newest_first = documents[0].contains("storm229") && documents[2].contains("storm000");
        assert!(is_newest_first, "{address}");
        assert_eq!(
            documents[1].contains("rel=\"first\"") && documents[1].contains("rel=\"previous\""),
            first,
            "{address}"
        );
    }
    let page = daemon.get("/search?q=storm*&page=2").1;
    assert!(page.contains("230 stories with"), "{page}");
    assert!(
        page.contains("href=\"/search?q=storm*\"") && page.contains("href=\"/search?q=storm*&amp;page=3\""),
        "{page}"
    );
    assert!(daemon.get("/search.atom?q=storm*&page=4").0.starts_with("HTTP/1.1 404"), "there is no fourth page");
    assert!(!daemon.get("/search?q=nothing").1.contains("Older stories"));
}

#[test]
fn an_output_that_is_gone_says_so_and_one_that_was_renamed_says_where_it_is() {
    let origin = Origin::of(rss_of(&["a"]));
    let feeds = [("example", origin.url("/feed"))];
    let scene = Scene::with(&feeds, "[[output]]\nname = \"old\"\n[[output]]\nname = \"gone\"\n");
    let daemon = scene.start();
    assert!(daemon.get("/old.atom").0.starts_with("HTTP/1.1 200"));
    daemon.signal("TERM");
    daemon.ended();
    scene.configure(&feeds, "[[output]]\nname = \"new\"\nformerly = [\"old\"]\n");
    let daemon = scene.start();
    for (path, status, to) in [
        ("/old.atom", "301", "/new.atom"),
        ("/old", "301", "/new"),
        ("/gone.rss", "410", ""),
        ("/gone", "410", ""),
        ("/never.atom", "404", ""),
        ("/new.atom", "200", ""),
    ] {
        let (head, _) = daemon.get(path);
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {head}");
        assert_eq!(header(&head, "location"), to, "{path}");
    }
}

#[test]
fn every_search_is_a_feed() {
    let origin = Origin::of(rss(
        "A feed",
        &[
            ("1", "https://example.org/a", "A ferry runs aground", "On a sandbank in the Grey Sea."),
            ("2", "https://example.org/b", "Ferries are on strike", "The crews want more."),
            ("3", "https://example.org/c", "Élan", "Nothing of the sea."),
        ],
    ));
    let scene =
        Scene::with(&[("example", origin.url("/feed"))], "[[output]]\nname = \"sea\"\nquery = '\"grey sea\"'\n");
    let mut daemon = scene.start();
    daemon.wait_for_event("feed.polled");
    daemon.wait_for_event("output.published");
    let found = |query: &str| {
        let (head, body) = daemon.get(&format!("/search.json?q={query}"));
        assert!(head.starts_with("HTTP/1.1 200"), "{query}: {head}");
        let feed: Value = serde_json::from_str(&body).unwrap();
        let mut titles: Vec<String> =
            feed["items"].as_array().unwrap().iter().map(|item| item["title"].as_str().unwrap().to_owned()).collect();
        titles.sort();
        titles
    };
    assert_eq!(found("ferry"), ["A ferry runs aground"]);
    assert_eq!(found("ferr*"), ["A ferry runs aground", "Ferries are on strike"]);
    assert_eq!(found("sea+-ferry"), ["Élan"]);
    assert_eq!(found("elan"), ["Élan"]);
    assert_eq!(found("strike+OR+sandbank").len(), 2);
    assert!(daemon.get("/sea.atom").1.contains("A ferry runs aground"));
    assert!(!daemon.get("/sea.atom").1.contains("strike"));
    assert!(daemon.get("/search.atom?q=ferry").1.contains("rel=\"self\" href=\"http://127.0.0.1:"));
    let (_, page) = daemon.get("/search?q=%3Cscript%3Ealert(1)%3C/script%3E%22NEAR");
    assert!(!page.contains("<script") && page.contains("&lt;script"), "{page}");
    for nothing in ["", "%22", "-ferry"] {
        assert!(daemon.get(&format!("/search?q={nothing}")).0.starts_with("HTTP/1.1 200"), "{nothing}");
    }
}

#[test]
fn words_of_languages_without_spaces_are_found_and_a_search_is_published_without_a_daemon() {
    let origin = Origin::of(rss(
        "A feed",
        &[
            ("1", "https://example.org/a", "東京都で大雨、避難指示が出る", "気象庁は土砂災害に警戒を呼びかけた。"),
            ("2", "https://example.org/b", "中国经济数据公布", "国家统计局周五公布的数据显示GDP增长放缓。"),
            ("3", "https://example.org/c", "กรุงเทพมหานครน้ำท่วม", "ฝนตกหนัก"),
            ("4", "https://example.org/d", "ទឹកជំនន់នៅភ្នំពេញ", "ភ្លៀងធ្លាក់ខ្លាំង"),
            ("5", "https://example.org/e", "Ferry stuck on a sandbank", "雨 and wind, says 大阪."),
        ],
    ));
    let queries = ["大雨", "土砂災害", "经济", "GDP增长", "น้ำท่วม", "ភ្នំពេញ", "ferry", "雨大"];
    let output = |(number, query): (usize, &&str)| format!("[[output]]\nname = \"q{number}\"\nquery = \"{query}\"\n");
    let outputs: String = queries.iter().enumerate().map(output).collect();
    let feeds = [("example", origin.url("/feed"))];
    let scene = Scene::with(&feeds, "");
    scene.must(&["poll"]);
    scene.configure(&feeds, &outputs);
    let found = |number: usize| {
        let feed = scene.json(&["publish", &format!("q{number}"), "--format", "json"]);
        let pages = feed["items"].as_array().unwrap().iter().map(|item| item["url"].as_str().unwrap().to_owned());
        pages.map(|page| page.trim_start_matches("https://example.org/").to_owned()).collect::<String>()
    };
    let all: Vec<String> = (0..queries.len()).map(found).collect();
    assert_eq!(all, ["a", "a", "b", "b", "c", "d", "e", ""], "`publish` indexes what nobody has searched yet");
    let polled = Scene::with(&feeds, &outputs);
    polled.must(&["poll"]);
    let store = rusqlite::Connection::open(polled.path("newsfold.db")).unwrap();
    let rows: u64 = store.query_row("SELECT count(*) FROM search_docsize", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 5, "and so does `poll`, whether or not an output is written to files");
}

#[test]
fn a_search_knows_what_an_entry_says_now_and_nothing_of_what_is_forgotten() {
    let entry = |title: &'static str, text: &'static str| {
        rss("A feed", &[("1", "https://example.org/a", title, text), ("2", "https://example.org/b", "Other", "Rest.")])
    };
    let origin = Origin::of(entry("A ferry runs aground", "On a sandbank."));
    let output = |query: &str| format!("[[output]]\nname = \"{query}\"\nquery = \"{query}\"\ndirectory = \"public\"\n");
    let outputs: String = ["ferry", "sandbank", "bridge", "island"].map(output).concat();
    let scene = Scene::with(&[("example", origin.url("/feed"))], &outputs);
    let found = || {
        ["ferry", "sandbank", "bridge", "island"].map(|query| {
            let written = std::fs::read_to_string(scene.path(&format!("public/{query}.json"))).unwrap();
            serde_json::from_str::<Value>(&written).unwrap()["items"].as_array().unwrap().len()
        })
    };
    scene.must(&["poll"]);
    assert_eq!(found(), [1, 1, 0, 0]);
    origin.change(move |_| Answer::ok(entry("A bridge is closed", "On the island.")));
    scene.must(&["poll"]);
    assert_eq!(found(), [0, 0, 1, 1], "the words are those of the revised entry");
    origin.change(|_| Answer::ok(rss("A feed", &[("2", "https://example.org/b", "Other", "Rest.")])));
    scene.must(&["poll"]);
    let store = rusqlite::Connection::open(scene.path("newsfold.db")).unwrap();
    let rows = || store.query_row("SELECT count(*) FROM search_docsize", [], |row| row.get::<_, u64>(0)).unwrap();
    assert_eq!(rows(), 2);
    store.execute("UPDATE entry SET gone_at = 0 WHERE gone_at IS NOT NULL", []).unwrap();
    assert_eq!(scene.must(&["store", "prune"]), "1 entry pruned\n");
    assert_eq!(rows(), 1, "its words are forgotten with it");
    // The newest of all, whose handle may be given again: what comes under it is found.
    store.execute("UPDATE entry SET gone_at = 0", []).unwrap();
    assert_eq!(scene.must(&["store", "prune"]), "1 entry pruned\n");
    origin.change(|_| Answer::ok(rss("A feed", &[("9", "https://example.org/c", "The ferry is afloat", "t")])));
    scene.must(&["poll"]);
    assert_eq!(found(), [1, 0, 0, 0]);
}

#[test]
fn a_story_has_a_page_that_names_everyone_who_tells_it_and_why() {
    let [one, two] = ["One", "Two"].map(|name| Origin::of(rss(name, &[("1", "https://example.org/a", name, "t")])));
    two.change(|_| {
        let later = rss("Two", &[("1", "https://example.org/a", "Two", "t")]).replace("00:00:00 GMT", "02:00:00 GMT");
        Answer::ok(later)
    });
    let scene = Scene::with(&[("one", one.url("/")), ("two", two.url("/"))], "");
    scene.must(&["poll", "one"]);
    scene.must(&["poll", "two"]);
    let id = scene.json(&["stories", "--since", "4000d", "--json"])[0]["id"].as_str().unwrap().to_owned();
    let daemon = scene.start();
    let (head, page) = daemon.get(&format!("/story/{id}"));
    assert!(head.starts_with("HTTP/1.1 200") && header(&head, "content-type").starts_with("text/html"), "{head}");
    for words in ["Told by 2 sources", "<svg ", "same page as", "score 1.00", "speaks for the story"] {
        assert!(page.contains(words), "{words} in {page}");
    }
    assert!(daemon.get("/").1.contains(&format!("/story/{id}")));
    let (_, feeds) = daemon.get("/feeds?sort=name");
    assert!(feeds.contains("2 feeds") && feeds.contains("/feeds/one"), "{feeds}");
    assert!(daemon.get("/feeds/one").1.contains("Its only entry"));
    assert!(daemon.get("/feeds/three").0.starts_with("HTTP/1.1 404"));
    assert!(daemon.get("/feeds.opml").1.contains("<outline type=\"rss\" text=\"One\""));
}

#[test]
fn programs_get_a_story_and_the_feeds_as_json() {
    let [one, two] = ["One", "Two"].map(|name| Origin::of(rss(name, &[("1", "https://example.org/a", name, "t")])));
    let scene = Scene::with(&[("one", one.url("/f?token=hunter2")), ("two", two.url("/"))], "");
    scene.must(&["poll", "one"]);
    scene.must(&["poll", "two"]);
    let daemon = scene.start();
    let feed: Value = serde_json::from_str(&daemon.get("/news.json").1).unwrap();
    let address = feed["items"][0]["_newsfold"]["story_url"].as_str().unwrap();
    let path = format!("/story/{}", address.rsplit('/').next().unwrap());
    let (head, text) = daemon.get(&format!("{path}.json"));
    assert_eq!(header(&head, "content-type"), "application/json; charset=utf-8");
    assert_eq!(header(&head, "access-control-allow-origin"), "*");
    let story: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((story["title"].as_str(), story["sources"].as_u64()), (Some("One"), Some(2)));
    assert_eq!(story["coverage"][1]["source"], "Two");
    assert_eq!(story["coverage"][1]["rule"], "link");
    let page = daemon.get(&path).1;
    assert!(page.contains(&format!("<meta property=\"og:url\" content=\"{address}\">")), "{page}");
    let (_, listed) = daemon.get("/feeds.json");
    let feeds: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(feeds["feeds"].as_array().unwrap().len(), 2);
    assert!(feeds["feeds"][0]["feed_url"].is_null() && !listed.contains("hunter2"), "{listed}");
    assert!(daemon.get("/story/00000000-0000-8000-8000-000000000000.json").0.starts_with("HTTP/1.1 404"));
}

#[test]
fn a_persons_correction_is_served_without_a_poll() {
    let [one, two] = ["One", "Two"].map(|name| Origin::of(rss(name, &[("1", "https://example.org/a", name, "t")])));
    let scene = Scene::with(&[("one", one.url("/")), ("two", two.url("/"))], "");
    scene.must(&["poll", "one"]);
    scene.must(&["poll", "two"]);
    let mut daemon = scene.start();
    assert_eq!(daemon.get("/news.atom").1.matches("<entry").count(), 1);
    scene.must(&["split", "2"]);
    daemon.wait_for_event("output.published");
    assert_eq!(daemon.get("/news.atom").1.matches("<entry").count(), 2);
}

#[test]
fn scripts_of_other_sites_may_read_feeds_and_readers_find_an_icon() {
    let origin = Origin::of(rss_of(&["a"]));
    let scene = Scene::with(&[("example", origin.url("/feed"))], "");
    scene.must(&["poll"]);
    let daemon = scene.start();
    for path in ["/news.atom", "/news.rss", "/news.json", "/feeds.opml"] {
        assert_eq!(header(&daemon.get(path).0, "access-control-allow-origin"), "*", "{path}");
    }
    assert!(!daemon.get("/").0.to_lowercase().contains("access-control-allow-origin"));
    for (path, kind) in [("/favicon.ico", "image/x-icon"), ("/icon.png", "image/png")] {
        let (head, body) = daemon.ask("GET", path, &[]);
        assert_eq!(header(&head, "content-type"), kind);
        assert!(body.len() > 100, "{path}");
    }
    assert!(daemon.get("/news.atom").1.contains("icon.png</icon>"));
}

#[test]
fn readers_find_us_behind_a_reverse_proxy_with_a_path() {
    let origin = Origin::of(rss_of(&["a"]));
    let serve = "[serve]\nlisten = \"127.0.0.1:0\"\npublic_url = \"https://example.org/planet\"\n";
    let scene = Scene::with(&[("example", origin.url("/feed"))], serve);
    scene.must(&["poll"]);
    let daemon = scene.start();
    for path in
        ["/news.atom", "/planet/news.atom", "/planet/", "/planet/style.css", "/feeds.opml", "/planet/feeds.json"]
    {
        assert!(daemon.get(path).0.starts_with("HTTP/1.1 200"), "{path}");
    }
    assert_eq!(header(&daemon.get("/planet").0, "location"), "/planet/");
    assert!(daemon.get("/news.atom").1.contains("href=\"https://example.org/planet/news.atom\""));
    let page = daemon.get("/").1;
    assert!(page.contains("href=\"/planet/style.css\"") && page.contains("action=\"/planet/search\""), "{page}");
}

#[test]
fn a_unix_socket_serves_and_a_missing_folder_is_told_with_its_cure() {
    let origin = Origin::of(rss_of(&["a"]));
    let feeds = [("example", origin.url("/feed"))];
    let scene = Scene::with(&feeds, "[serve]\nlisten = \"unix:http.sock\"\n");
    scene.must(&["poll"]);
    let daemon = scene.start();
    let mut connection = UnixStream::connect(scene.path("http.sock")).unwrap();
    connection.write_all(b"GET /news.atom HTTP/1.1\r\nHost: newsfold\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("<title>a</title>"), "{answer}");
    assert_eq!(mode_of(&scene.path("http.sock")), 0o660, "a proxy in its group may connect, whatever the umask");
    daemon.signal("TERM");
    assert_eq!(daemon.ended(), 0);
    assert!(!scene.path("http.sock").exists());
    scene.configure(&feeds, "[serve]\nlisten = \"unix:missing/http.sock\"\n");
    let refused = scene.run(&["run"]);
    assert!(refused.status == 1 && refused.err.contains("make the folder"), "{refused:?}");
    assert!(!refused.err.contains("another newsfold"), "{refused:?}");
}

fn mode_of(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_unix_socket_has_the_mode_and_group_that_are_configured() {
    let feeds: [(&str, String); 0] = [];
    let scene = Scene::with(&feeds, "[serve]\nlisten = \"unix:http.sock\"\nsocket_mode = \"0666\"\n");
    let daemon = scene.start();
    assert_eq!(mode_of(&scene.path("http.sock")), 0o666);
    drop(daemon);
    scene.configure(&feeds, "[serve]\nlisten = \"unix:http.sock\"\nsocket_group = \"nobody-has-it\"\n");
    let refused = scene.run(&["run"]);
    assert!(refused.status == 1 && refused.err.contains("`serve.socket_group`"), "{refused:?}");
}

#[test]
fn clients_that_dawdle_delay_nobody_and_are_sent_away() {
    let origin = Origin::of(rss_of(&["a"]));
    let scene = Scene::with(&[("example", origin.url("/feed"))], "");
    scene.must(&["poll"]);
    let daemon = scene.start();
    let began = clock::instant();
    let mut slow: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut connection = TcpStream::connect(&daemon.address).unwrap();
            connection.write_all(b"GET /news.atom HTTP/1.1\r\nHost: n\r\nX-Slow: ").unwrap();
            connection
        })
        .collect();
    let idle = TcpStream::connect(&daemon.address).unwrap();
    for _ in 0..50 {
        assert!(daemon.get("/news.atom").0.starts_with("HTTP/1.1 200"));
    }
    assert!(began.elapsed() < Duration::from_secs(8), "200 slow clients cost {:?}", began.elapsed());
    slow.push(idle);
    for mut connection in slow {
        connection.set_read_timeout(Some(Duration::from_secs(25))).unwrap();
        // It is hung up on, with or without a word.
        let mut rest = Vec::new();
        let _ = connection.read_to_end(&mut rest);
        assert!(!rest.starts_with(b"HTTP/1.1 200"));
        assert!(began.elapsed() < Duration::from_secs(40));
    }
    let (head, _) = daemon.ask("GET", "/news.atom", &[("X-Long", &"x".repeat(40_000))]);
    assert!(head.starts_with("HTTP/1.1 431"), "{head}");
}

#[test]
fn the_hub_is_told_of_a_change_and_named_to_subscribers() {
    let origin = Origin::of(rss_of(&["a"]));
    let hub = Origin::start(|_| Answer::status("204 No Content"));
    let public = "http://news.example/";
    let serve =
        format!("[serve]\nlisten = \"127.0.0.1:0\"\npublic_url = \"{public}\"\nhub = \"{}\"\n", hub.url("/hub"));
    let scene = Scene::with(&[("example", origin.url("/feed"))], &serve);
    let mut daemon = scene.start();
    daemon.wait_for_event("hub.notified");
    let mut told: Vec<String> = Vec::new();
    for ping in hub.asked() {
        let said: Vec<(String, String)> = form_urlencoded::parse(&ping.body).into_owned().collect();
        let [(mode, publish), (url, address), (topic, same)] = &said[..] else { panic!("{said:?}") };
        assert_eq!(
            (mode.as_str(), publish.as_str(), url.as_str(), topic.as_str()),
            ("hub.mode", "publish", "hub.url", "hub.topic")
        );
        assert_eq!(address, same);
        told.push(address.clone());
    }
    told.sort();
    told.dedup();
    let documents = ["news.atom", "news.json", "news.rss"].map(|name| format!("{public}{name}"));
    assert_eq!(told, documents);
    for document in documents {
        let path = document.strip_prefix(public.trim_end_matches('/')).unwrap();
        let named = format!("link: <{}>; rel=\"hub\", <{document}>; rel=\"self\"\r\n", hub.url("/hub"));
        let (head, _) = daemon.ask("GET", path, &[]);
        let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
        assert!(head.contains(&named), "{head}");
        for (method, headers) in [("HEAD", &[][..]), ("GET", &[("If-None-Match", tag)])] {
            let (head, _) = daemon.ask(method, path, headers);
            assert!(head.contains(&named), "{method} {headers:?}: {head}");
        }
    }
    assert!(!daemon.ask("GET", "/", &[]).0.contains("link: "), "nobody is told of pages");
    for path in ["/news.atom", "/news.rss"] {
        assert!(daemon.get(path).1.contains(&format!("rel=\"hub\" href=\"{}\"", hub.url("/hub"))), "{path}");
    }
    assert!(daemon.get("/news.json").1.contains("\"type\": \"WebSub\""));
}

#[test]
fn the_hub_is_told_once_of_each_change_whoever_publishes_it() {
    let origin = Origin::of(rss_of(&["a"]));
    let hub = Origin::start(|_| Answer::status("202 Accepted"));
    let more = format!(
        "[serve]\nlisten = \"127.0.0.1:0\"\npublic_url = \"http://news.example/\"\nhub = \"{}\"\n[[output]]\nname = \"news\"\ndirectory = \"out\"\nformats = [\"atom\", \"html\"]\n",
        hub.url("/hub")
    );
    let scene = Scene::with(&[("example", origin.url("/feed"))], &more);
    scene.must(&["poll"]);
    assert_eq!(hub.asked().len(), 1);
    scene.must(&["poll"]);
    assert_eq!(hub.asked().len(), 1, "nothing changed");
    origin.change(|_| Answer::ok(rss_of(&["b", "a"])));
    let store = rusqlite::Connection::open(scene.path("newsfold.db")).unwrap();
    store.execute("UPDATE feed SET next_poll = 0", []).unwrap();
    drop(store);
    let mut daemon = scene.start();
    daemon.wait_for_event("hub.notified");
    drop(daemon);
    assert_eq!(hub.asked().len(), 2, "a restart is no change, and what is polled then is");
    origin.change(|_| Answer::ok(rss_of(&["c", "b", "a"])));
    hub.change(|_| Answer::status("500 Internal Server Error"));
    assert!(scene.run(&["poll"]).err.contains("the hub was not told of a change: it answered 500"));
    hub.change(|_| Answer::status("202 Accepted"));
    let before = hub.asked().len();
    scene.must(&["poll"]);
    assert_eq!(hub.asked().len(), before + 1, "what it could not be told is told the next time");
}

#[test]
fn a_hub_that_has_moved_is_told_or_it_is_said_that_it_was_not() {
    for (status, is_told) in [
        ("301 Moved Permanently", false),
        ("302 Found", false),
        ("303 See Other", false),
        ("307 Temporary Redirect", true),
        ("308 Permanent Redirect", true),
    ] {
        let origin = Origin::of(rss_of(&["a"]));
        let hub = Origin::start(move |request| match request.target.as_str() {
            "/hub" => Answer::redirect(status, "/new"),
            _ => Answer::ok("a page about this hub"),
        });
        let more = format!(
            "[serve]\nlisten = \"127.0.0.1:0\"\npublic_url = \"http://news.example/\"\nhub = \"{}\"\n[[output]]\nname = \"news\"\ndirectory = \"out\"\nformats = [\"atom\"]\n",
            hub.url("/hub")
        );
        let polled = Scene::with(&[("example", origin.url("/feed"))], &more).run(&["poll"]);
        let asked: Vec<_> = hub.asked().into_iter().map(|request| (request.method, request.target)).collect();
        let pair = |target: &str| ("POST".to_owned(), target.to_owned());
        if is_told {
            assert_eq!(asked, [pair("/hub"), pair("/new")], "{status}");
        } else {
            assert_eq!(asked, [pair("/hub")], "{status}");
        }
        assert_eq!(
            polled.err.contains("the hub was not told") && polled.err.contains("`serve.hub`"),
            !is_told,
            "{polled:?}"
        );
    }
}

#[test]
fn templates_of_ones_own_replace_those_of_the_program() {
    let origin = Origin::of(rss_of(&["a"]));
    let serve = "[serve]\nlisten = \"127.0.0.1:0\"\ntemplates = \"look\"\n";
    let scene = Scene::with(&[("example", origin.url("/feed"))], serve);
    scene
        .write("look/river.html", "<h1>Mine: {{ title }}</h1>{% for day in days %}{{ day.nonsense.more }}{% endfor %}");
    scene.must(&["poll"]);
    let page = scene.must(&["publish", "--format", "html"]);
    assert!(page.contains("<h1>All the news</h1>"), "a template that fails gives way to the program's own: {page}");
    scene.write("look/river.html", "<h1>Mine: {{ title }}</h1>");
    assert_eq!(scene.must(&["publish", "--format", "html"]).trim(), "<h1>Mine: All the news</h1>");
    scene.write("look/river.html", "{% if %}");
    let wrong = scene.run(&["publish", "--format", "html"]);
    assert!(wrong.status == 78 && wrong.err.contains("river.html:1"), "{wrong:?}");
    let checked = scene.run(&["check"]);
    assert!(checked.status == 78 && checked.err.contains("look/river.html:1"), "{checked:?}");
    scene.write("look/river.html", "<h1>{{ title }}</h1>");
    assert!(scene.must(&["check"]).contains("1 feed and 1 output, "));
}

#[test]
fn a_flood_of_http_2_ends_with_its_first_words() {
    let origin = Origin::of(rss_of(&["a"]));
    let scene = Scene::with(&[("one", origin.url("/"))], "");
    let daemon = scene.start();
    // No settings, then requests that are taken back at once, heads that never end, and windows moved to and fro.
    let frame = |kind: u8, flags: u8, stream: u8, body: &[u8]| {
        let length = u8::try_from(body.len()).unwrap();
        [&[0, 0, length, kind, flags, 0, 0, 0, stream], body].concat()
    };
    let floods = [
        [frame(1, 4, 1, b"\x82\x84\x86"), frame(3, 0, 1, &[0, 0, 0, 8])].concat(),
        frame(9, 0, 1, &[0; 64]),
        frame(8, 0, 0, &[0, 0, 0, 1]),
    ];
    for flood in floods {
        let mut connection = TcpStream::connect(&daemon.address).unwrap();
        connection.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        connection.write_all(&frame(4, 0, 0, &[])).unwrap();
        // Who is refused may not get all of it across.
        let _ = connection.write_all(&flood.repeat(10_000));
        let mut answer = Vec::new();
        let _ = connection.read_to_end(&mut answer);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 "), "{:?}", String::from_utf8_lossy(&answer));
    }
    let (head, _) =
        daemon.ask("GET", "/news.atom", &[("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQAoAAAAAIAAAAA")]);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
}

#[test]
fn the_table_of_feeds_is_sifted_and_turned_like_a_book() {
    let feeds: String =
        (0..201).map(|n| format!("[[feed]]\nname = \"feed {n}\"\nurl = \"file:nowhere/{n}.xml\"\n")).collect();
    let scene = Scene::with(&[], &feeds);
    let daemon = scene.start();
    let rows = |path: &str| daemon.get(path).1.matches("<th scope=\"row\">").count();
    assert_eq!((rows("/feeds"), rows("/feeds?page=2"), rows("/feeds?page=9")), (200, 1, 1));
    assert_eq!((rows("/feeds?q=FEED+20"), rows("/feeds?q=nowhere%2F20"), rows("/feeds?q=%3Cb%3E")), (2, 2, 0));
    let page = daemon.get("/feeds?sort=name&q=feed&page=1").1;
    assert!(page.contains("href=\"/feeds?sort=name&amp;q=feed&amp;page=2\""), "{page}");
}

#[test]
fn pages_have_the_times_of_the_zone_that_is_configured() {
    let origin = Origin::of(rss_of(&["a"]));
    let scene = Scene::with(&[("one", origin.url("/"))], "[serve]\ntimezone = \"Asia/Tokyo\"\n");
    scene.must(&["poll"]);
    let page = scene.must(&["publish", "--format", "html"]);
    assert!(page.contains("times are Asia/Tokyo") && page.contains("09:00"), "{page}");
    assert!(page.contains("00:00 JST\"") || page.contains("09:00 JST\""), "the whole of it is told, too: {page}");
    let feed = scene.must(&["publish"]);
    assert!(feed.contains("00:00:00Z"), "a feed's dates are those of the world: {feed}");
}
