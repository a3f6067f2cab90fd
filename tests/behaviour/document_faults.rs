//! What is said of documents: what they are, what was repaired where, and what cannot be read.

use serde_json::Value;

use crate::support::{Answer, Origin, Scene, rss_of};

fn parsed(document: &[u8]) -> Value {
    let ended = Scene::with(&[], "").run_with(&["parse", "-"], document);
    assert_eq!(ended.status, 0, "{}", ended.err);
    serde_json::from_str(&ended.out).unwrap()
}

#[test]
fn parse_says_which_format_a_document_is_written_in() {
    for (file, format) in [
        ("sound-rss2.xml", "RSS 2.0"),
        ("sound-atom.xml", "Atom 1.0"),
        ("atom-03.xml", "Atom 0.3"),
        ("rss-090.xml", "RSS 0.90"),
        ("rss-10.xml", "RSS 1.0"),
        ("rss-11.xml", "RSS 1.1"),
        ("rss-without-version.xml", "RSS"),
        ("cdf.xml", "CDF"),
        ("jsonfeed.json", "JSON Feed 1.1"),
    ] {
        let path = format!("{}/tests/fixtures/feeds/{file}", env!("CARGO_MANIFEST_DIR"));
        assert_eq!(parsed(&std::fs::read(path).unwrap())["format"], format, "{file}");
    }
}

#[test]
fn parse_says_what_was_repaired_and_where() {
    let document = b"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<rss version=\"2.0\"><channel>\n<title>Caf\xe9 & bar</title>\n<item><title>One</title><pubDate>soon</pubDate></item></channel></rss>";
    let repairs = parsed(document)["repairs"].to_string();
    for told in [
        "line 3, column 11: the character set is not `utf-8` as declared; read as windows-1252",
        "line 3, column 13: bare `&` read as text",
        "line 4, column",
    ] {
        assert!(repairs.contains(told), "{told} in {repairs}");
    }
}

#[test]
fn the_entry_in_which_a_document_breaks_off_is_told_once_and_whole() {
    let item = |name: &str| {
        format!(
            "<item><title>News {name}</title><link>https://example.org/{name}</link><guid isPermaLink=\"false\">id-{name}</guid>\
             <pubDate>01 Jan 2026 06:00:00 GMT</pubDate><description>Words of {name}, and the last of them</description></item>"
        )
    };
    let document = |names: &[&str]| {
        let items: String = names.iter().map(|name| item(name)).collect();
        format!(
            "<rss version=\"2.0\"><channel><title>T</title><link>https://example.org/</link>{items}</channel></rss>"
        )
    };
    let (old, whole) = (document(&["b", "a"]), document(&["c", "b", "a"]));
    let published = |scene: &Scene| {
        let mut items = scene.json(&["publish", "--format", "json"])["items"].as_array().unwrap().clone();
        items.iter_mut().for_each(|item| drop(item.as_object_mut().unwrap().remove("date_modified")));
        items
    };
    for broken in
        ["News c</title>", "/c</link>", "id-c</guid>", "Words of c", "News b</title>", "Words of b, ", "/a</link>"]
    {
        let at = whole.find(broken).unwrap() + broken.len();
        let origin = Origin::of(&old);
        let scene = Scene::with(&[("example", origin.url("/feed"))], "");
        scene.must(&["poll"]);
        let before = published(&scene);
        let half = whole.get(..at).unwrap().to_owned();
        origin.change(move |_| Answer::ok(&half));
        scene.must(&["poll"]);
        for known in &before {
            assert!(published(&scene).contains(known), "{broken}: {known}");
        }
        let body = whole.clone();
        origin.change(move |_| Answer::ok(&body));
        scene.must(&["poll"]);
        let found = published(&scene);
        assert!(found.len() == 3 && before.iter().all(|known| found.contains(known)), "{broken}: {found:?}");
        assert!(found[0]["content_html"].as_str().unwrap().contains("Words of c, and the last"), "{broken}: {found:?}");
    }
}

#[test]
fn a_document_that_became_unreadable_says_where_and_keeps_what_is_stored() {
    let origin = Origin::of(rss_of(&["a", "b"]));
    let scene = Scene::with(&[("example", origin.url("/feed"))], "");
    scene.must(&["poll"]);
    for (document, told) in [
        ("{\"version\": \"https://jsonfeed.org/version/1.1\",\n \"items\": [}", "line 2, column 12"),
        ("\n<data>\n <row/>\n</data>", "line 2, column 1: `<data>`"),
    ] {
        origin.change(move |_| Answer::ok(document));
        assert_eq!(scene.run(&["poll"]).status, 1, "every feed failed");
        let feed = scene.feed();
        assert_eq!((feed["state"].as_str(), feed["entries"].as_u64()), (Some("failing"), Some(2)));
        let listed = scene.must(&["feeds"]);
        assert!(listed.contains("failing since") && listed.contains(told), "{told} in {listed}");
    }
    assert_eq!(scene.stories().len(), 2);
}

#[test]
fn relative_addresses_start_from_where_the_format_says() {
    let item = |link: &str| {
        format!(
            "<item><title>A</title><link>{link}</link><description>&lt;a href=\"/about\"&gt;about&lt;/a&gt;</description></item>"
        )
    };
    let rss = |link: &str| {
        format!(
            "<rss version=\"2.0\"><channel>{}<title>B</title><link>https://blog.example/</link></channel></rss>",
            item(link)
        )
    };
    let atom = "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>B</title><id>urn:b</id><link href=\"https://blog.example/\"/><entry>\
                <id>urn:1</id><title>A</title><link href=\"/posts/1\"/><content type=\"html\">&lt;a href=\"/about\"&gt;about&lt;/a&gt;\
                </content></entry></feed>";
    let check = |document: String, link: &str, about: &str| {
        let origin = Origin::of(document);
        let scene = Scene::with(&[("blog", origin.url("/feed.xml"))], "");
        scene.must(&["poll"]);
        let entry = scene.json(&["publish", "--format", "json"])["items"][0].clone();
        let here = |path: &str| path.replace("HERE", origin.url("/").trim_end_matches('/'));
        assert_eq!(entry["url"], here(link));
        assert!(entry["content_html"].as_str().unwrap().contains(&format!("href=\"{}\"", here(about))), "{entry}");
    };
    check(rss("/posts/1"), "https://blog.example/posts/1", "https://blog.example/about");
    check(rss("https://elsewhere.example/1"), "https://elsewhere.example/1", "https://blog.example/about");
    check(atom.into(), "HERE/posts/1", "HERE/about");
}
