//! What comes through newsfolds that read newsfolds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::support::{Answer, Origin, Scene};

/// A feed of an outlet, with an entry for each page, title and hour.
fn outlet(number: usize, name: &str, entries: &[(&str, &str, u32)]) -> String {
    const BRIDGE: &str = "The harbour bridge at Port Sable was closed on Monday after inspectors found a crack in the main \
                          girder, the port authority said. Ferries will run every ten minutes until it is mended.";
    let items: String = entries
        .iter()
        .map(|(page, title, hour)| {
            let text = if page.contains("bridge") { BRIDGE } else { "Some text of it." };
            format!(
                "<item><guid isPermaLink=\"false\">{page}</guid><link>https://{number}.example/{page}</link>\
                 <title>{title}</title><description>{text}</description>\
                 <pubDate>Thu, 01 Jan 2026 {hour:02}:00:00 GMT</pubDate></item>"
            )
        })
        .collect();
    format!(
        "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>{name}</title>\
         <link>https://{number}.example/</link><description>d</description>{items}</channel></rss>"
    )
}

/// A newsfold that reads feeds, under an address of its own; of those in the second list it takes everybody's word.
fn newsfold(number: usize, feeds: &[&Origin], newsfolds: &[&Origin]) -> Scene {
    let scene = Scene::with(&[], "");
    let feed = |origin: &&Origin, more: &str| format!("[[feed]]\nurl = \"{}\"\n{more}", origin.url("/feed"));
    let feeds: String = newsfolds
        .iter()
        .map(|origin| feed(origin, "aggregator = true\n"))
        .chain(feeds.iter().map(|origin| feed(origin, "")))
        .collect();
    scene.write(
        "newsfold.toml",
        &format!(
            "[poll]\nmin_interval = \"1s\"\nbackfill = \"36500d\"\nper_host_gap = \"0s\"\n\
             allow_networks = [\"127.0.0.0/8\"]\n[serve]\npublic_url = \"http://{number}.newsfold.example/\"\n{feeds}"
        ),
    );
    scene
}

/// An origin, and the document that it serves.
fn serving(kind: &'static str) -> (Origin, Arc<Mutex<String>>) {
    let document: Arc<Mutex<String>> = Arc::default();
    let served = document.clone();
    let origin =
        Origin::start(move |_| Answer::new("200 OK", &[("Content-Type", kind)], served.lock().unwrap().as_str()));
    (origin, document)
}

/// The items of an output by their pages.
fn by_page(scene: &Scene) -> BTreeMap<String, Value> {
    let feed = scene.json(&["publish", "--format", "json"]);
    let items = feed["items"].as_array().unwrap().iter();
    items.map(|item| (item["url"].as_str().unwrap().to_owned(), item.clone())).collect()
}

/// The same without what each newsfold says of itself: the story's id and other names, and where it has its page.
fn shown(scene: &Scene) -> BTreeMap<String, Value> {
    let without_own = |mut item: Value| {
        let own = item["_newsfold"].as_object_mut().unwrap();
        let page = own.remove("story_url").unwrap();
        own.remove("known_as");
        let content = item["content_html"].as_str().unwrap().replace(page.as_str().unwrap(), "PAGE");
        let links = content.replace(" rel=\"noopener noreferrer nofollow\"", "");
        item["content_html"] = links.into();
        item.as_object_mut().unwrap().remove("id");
        item
    };
    by_page(scene).into_iter().map(|(page, item)| (page, without_own(item))).collect()
}

fn ids(scene: &Scene) -> BTreeMap<String, Value> {
    by_page(scene).into_iter().map(|(page, item)| (page, item["id"].clone())).collect()
}

const FORMATS: [(&str, &str); 3] =
    [("json", "application/feed+json"), ("atom", "application/atom+xml"), ("rss", "application/rss+xml")];

#[test]
fn three_newsfolds_in_a_row_credit_count_and_date_as_one_that_reads_everything() {
    let harbour = |edited: bool| {
        let title = if edited { "Eels return, and not few" } else { "Eels return to the Tarn" };
        outlet(1, "Harbour Post", &[("bridge", "Port Sable bridge closed after crack found", 10), ("eels", title, 9)])
    };
    let tribune = outlet(
        2,
        "Tribune: News",
        &[("bridge-2", "Port Sable bridge closed: crack found", 11), ("chess", "Chess final", 8)],
    );
    let daily = outlet(3, "Daily", &[("market", "Market & opens", 7)]);
    let grown = outlet(
        3,
        "Daily",
        &[("bridge-3", "Crack found, Port Sable bridge closed", 12), ("market", "Market & opens", 7)],
    );
    let coast = outlet(
        4,
        "Coast News",
        &[("bridge-4", "Bridge at Port Sable closed after crack found", 13), ("z", "Storm", 6)],
    );
    for (format, kind) in FORMATS {
        let feeds = [serving("text/xml"), serving("text/xml"), serving("text/xml"), serving("text/xml")];
        let [one, two, three, four] = feeds.each_ref().map(|(origin, _)| origin);
        let tell = |number: usize, document: &str| document.clone_into(&mut feeds[number].1.lock().unwrap());
        [harbour(false), tribune.clone(), daily.clone(), coast.clone()]
            .iter()
            .enumerate()
            .for_each(|(number, document)| tell(number, document));
        let (first_output, second_output) = (serving(kind), serving(kind));
        let whole = newsfold(0, &[one, two, three, four], &[]);
        let first = newsfold(1, &[one, two, three], &[]);
        let second = newsfold(2, &[four], &[&first_output.0]);
        let third = newsfold(3, &[], &[&second_output.0]);
        let pass_on = || {
            whole.must(&["poll"]);
            first.must(&["poll"]);
            *first_output.1.lock().unwrap() = first.must(&["publish", "--format", format]);
            second.must(&["poll"]);
            *second_output.1.lock().unwrap() = second.must(&["publish", "--format", format]);
            third.must(&["poll"]);
        };
        let bridge = "https://1.example/bridge";
        pass_on();
        let (found, expected) = (shown(&third), shown(&whole));
        assert_eq!(expected[bridge]["_newsfold"]["sources"], 3, "{format}: {:#}", expected[bridge]);
        assert_eq!(found, expected, "{format}");
        let hops = [&first, &second, &third];
        let before = hops.map(ids);
        // Whoever knows a story from one newsfold finds it in the next.
        let there = before[0][bridge].as_str().unwrap();
        let here = before[1][bridge].as_str().unwrap().trim_start_matches("urn:uuid:").to_owned();
        assert!(second.must(&["explain", there]).contains(&here), "{format}: {there} is {here}");
        // Another outlet tells a story: nobody is told of an edit, and nothing is new.
        tell(2, &grown);
        pass_on();
        let (found, expected) = (shown(&third), shown(&whole));
        assert_eq!(expected[bridge]["_newsfold"]["sources"], 4, "{format}: {:#}", expected[bridge]);
        let untold = |mut items: BTreeMap<String, Value>| {
            // Who came later is listed last by the one that saw it come.
            let own = &mut items.get_mut(bridge).unwrap()["_newsfold"]["also"];
            own.as_array_mut().unwrap().sort_by_key(|other| other["source"].to_string());
            items.get_mut(bridge).unwrap()["content_html"].take();
            items
        };
        assert_eq!(untold(found), untold(expected), "{format}");
        assert_eq!(hops.map(ids), before, "{format}: ids are for life at each hop");
        // A correction arrives, under the same id.
        tell(0, &harbour(true));
        pass_on();
        let (found, expected) = (by_page(&third), by_page(&whole));
        let eels = "https://1.example/eels";
        assert_eq!(found[eels]["title"], expected[eels]["title"], "{format}");
        assert_eq!(hops.map(ids), before, "{format}: ids are for life at each hop");
    }
}

#[test]
fn the_word_of_a_feed_that_is_not_trusted_counts_once() {
    let claims = r#"{"version":"https://jsonfeed.org/version/1.1","title":"Loud","items":[{"id":"1","url":"https://l.example/1",
        "title":"Loud news","content_html":"Words.","date_published":"2026-01-01T00:00:00Z","_newsfold":{"source":{"title":"Quiet"},
        "sources":99,"also":[{"source":"Reuter","title":"R","url":"https://r.example/1","date":"2026-01-01T00:00:00Z"},
        {"source":"Reuter","title":"R","url":"https://r.example/1","date":"2026-01-01T00:00:00Z"},{"source":"","title":"x"}]}}]}"#;
    let (loud, document) = serving("application/feed+json");
    claims.clone_into(&mut document.lock().unwrap());
    let told = |scene: &Scene| {
        scene.must(&["poll"]);
        let item = by_page(scene)["https://l.example/1"].clone();
        let also = item["_newsfold"]["also"].as_array().unwrap().len();
        (item["_newsfold"]["sources"].as_u64().unwrap(), also)
    };
    assert_eq!(told(&newsfold(1, &[&loud], &[])), (1, 1), "who else tells it is named, and does not count");
    assert_eq!(told(&newsfold(1, &[], &[&loud])), (2, 1));
}

/// What an aggregator says of one entry of `Meridian`, whose feed is at this address.
fn relayed(feed_url: &str) -> String {
    let text = "The harbour bridge at Port Sable was closed on Monday after inspectors found a crack in the main girder, \
                the port authority said. Ferries will run every ten minutes until it is mended.";
    serde_json::json!({ "version": "https://jsonfeed.org/version/1.1", "title": "Everything", "items": [{
        "id": "urn:uuid:1", "url": "https://meridian.example/1", "title": "Port Sable bridge closed after crack found",
        "content_html": text, "date_published": "2026-01-01T10:00:00Z",
        "_newsfold": { "source": { "title": "Meridian", "feed_url": feed_url, "home_page_url": "https://meridian.example/" }, "also": [
            { "source": "Meridian", "title": "Crack", "url": "https://chronicle.example/2", "feed_url": "https://chronicle.example/rss", "date": "2026-01-01T11:00:00Z" }
        ] },
    }] })
    .to_string()
}

#[test]
fn who_takes_the_name_of_another_takes_nothing_else() {
    let thief = outlet(9, "Meridian", &[("bridge", "Port Sable bridge closed after crack found", 12)]);
    for is_first in [true, false] {
        let (aggregator, said) = serving("application/feed+json");
        let (polled, told) = serving("text/xml");
        let scene = newsfold(1, &[&polled], &[&aggregator]);
        let tell = |document: &Mutex<String>, text: &str| {
            text.clone_into(&mut document.lock().unwrap());
            scene.run(&["poll"]);
        };
        let by_aggregator = relayed("https://meridian.example/rss");
        let order = if is_first {
            [(&told, &thief), (&said, &by_aggregator)]
        } else {
            [(&said, &by_aggregator), (&told, &thief)]
        };
        order.iter().for_each(|(document, text)| tell(document, text));
        let items = by_page(&scene);
        assert_eq!(items.len(), 1, "{items:#?}");
        let (page, item) = items.iter().next().unwrap();
        let also = item["_newsfold"]["also"].as_array().unwrap().iter().map(|other| other["url"].as_str().unwrap());
        let mut pages: Vec<&str> = also.chain([page.as_str()]).collect();
        pages.sort_unstable();
        assert_eq!(
            pages,
            ["https://9.example/bridge", "https://chronicle.example/2", "https://meridian.example/1"],
            "first: {is_first}; each has its place, whatever it calls itself"
        );
        assert_eq!(item["_newsfold"]["sources"], 3, "first: {is_first}");
    }
    // The very feed that the aggregator names is one source with what came through it.
    let (aggregator, said) = serving("application/feed+json");
    let (polled, told) = serving("text/xml");
    let scene = newsfold(1, &[&polled], &[&aggregator]);
    outlet(9, "The Meridian", &[("bridge", "Port Sable bridge closed after crack found", 12)])
        .clone_into(&mut told.lock().unwrap());
    *said.lock().unwrap() = relayed(&polled.url("/feed"));
    scene.must(&["poll"]);
    let items = by_page(&scene);
    let found: Vec<_> = items.values().map(|item| &item["_newsfold"]["sources"]).collect();
    assert_eq!(found, [2], "{items:#?}");
}

#[test]
fn what_is_one_story_by_its_name_elsewhere_is_one_when_the_store_is_folded_anew() {
    let (origin, told) = serving("text/xml");
    let (passed_on, said) = serving("application/feed+json");
    let before = outlet(1, "Harbour Post", &[("eels", "Eels return to the Tarn", 9)]);
    before.clone_into(&mut told.lock().unwrap());
    let first = newsfold(1, &[&origin], &[]);
    first.must(&["poll"]);
    *said.lock().unwrap() = first.must(&["publish", "--format", "json"]);
    // The page has moved since then; the name is that of the feed and the id.
    *told.lock().unwrap() = before.replace("https://1.example/eels", "https://1.example/rivers/eels");
    let second = newsfold(2, &[&origin], &[&passed_on]);
    let config = std::fs::read_to_string(second.path("newsfold.toml")).unwrap();
    second.write("newsfold.toml", &(config + "[fold]\nlevel = \"link\"\n"));
    second.must(&["poll"]);
    assert_eq!(
        second.must(&["fold", "--from-store"]),
        "2 entries in the window: 1 stories as stored, 1 as configured\n"
    );
}

#[test]
fn what_was_said_for_readers_alone_is_not_taken_for_what_a_publisher_wrote() {
    let said = outlet(1, "Harbour Post", &[("x", "Harbour Post: a ferry", 10)])
        .replace("<description>Some text of it.</description>", "")
        + "<!-- titles and texts as they came -->";
    for (format, kind) in FORMATS {
        for coverage in ["list", "none"] {
            let (origin, document) = serving("text/xml");
            said.clone_into(&mut document.lock().unwrap());
            let outputs = [serving(kind), serving(kind)];
            let with_names = |scene: Scene| {
                let config = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
                let output =
                    format!("\n[[output]]\nname = \"news\"\nsource_in_title = true\ncoverage = \"{coverage}\"\n");
                scene.write("newsfold.toml", &(config + &output));
                scene
            };
            let hops = [
                with_names(newsfold(1, &[&origin], &[])),
                with_names(newsfold(2, &[], &[&outputs[0].0])),
                with_names(newsfold(3, &[], &[&outputs[1].0])),
            ];
            for (number, hop) in hops.iter().enumerate() {
                hop.must(&["poll"]);
                if let Some((_, output)) = outputs.get(number) {
                    *output.lock().unwrap() = hop.must(&["publish", "--format", format]);
                }
            }
            let [first, _, third] = hops.each_ref().map(shown);
            assert_eq!(third, first, "{format}, {coverage}");
            let item = &first["https://1.example/x"];
            assert_eq!(item["title"], "Harbour Post: Harbour Post: a ferry");
            assert!(!item["content_html"].as_str().unwrap().contains("ferry"), "{item:#}");
        }
    }
}

#[test]
fn no_address_that_others_name_is_shown_with_a_password_or_a_key() {
    let secret = "reader:hunter2@";
    let (atom, said) = serving("application/atom+xml");
    *said.lock().unwrap() = format!(
        "<feed xmlns=\"http://www.w3.org/2005/Atom\" xmlns:newsfold=\"https://newsfold.example/ns\"><title>planet</title><id>urn:p</id>\
         <link href=\"https://{secret}planet.example/?token=0123456789abcdef\"/>\
         <entry><id>urn:1</id><title>Story one</title><link href=\"https://x.example/1\"/><updated>2026-01-01T00:00:00Z</updated>\
         <author><name>Ann</name><uri>https://{secret}x.example/ann</uri></author>\
         <link rel=\"enclosure\" type=\"audio/mpeg\" href=\"https://{secret}x.example/1.mp3\"/>\
         <link rel=\"replies\" href=\"https://{secret}x.example/1/comments\"/>\
         <content type=\"html\">&lt;p>&lt;a href=\"https://{secret}x.example/2\">two&lt;/a> &lt;img src=\"https://{secret}x.example/3.png\" srcset=\"https://{secret}x.example/4.png 2x\">&lt;/p></content>\
         <source><title>Outlet</title><id>urn:o</id><link href=\"https://{secret}outlet.example/?token=0123456789abcdef\"/>\
         <link rel=\"self\" href=\"https://{secret}outlet.example/private/feed.xml?token=0123456789abcdef\"/></source>\
         <newsfold:also source=\"Other\" title=\"One\" url=\"https://{secret}other.example/1\" date=\"2026-01-01T00:00:00Z\" \
         feed_url=\"https://{secret}other.example/feed?token=0123456789abcdef\"/>\
         </entry></feed>"
    );
    let (rss, said) = serving("text/xml");
    *said.lock().unwrap() = outlet(7, "Second", &[("x", "Storm over the coast", 10)]).replace(
        "<title>Storm",
        &format!(
            "<source url=\"https://{secret}outlet.example/rss?token=0123456789abcdef\">Taken from</source><title>Storm"
        ),
    );
    let scene = newsfold(1, &[&rss], &[&atom]);
    scene.must(&["poll"]);
    for format in ["atom", "rss", "json", "html"] {
        let shown = scene.must(&["publish", "--format", format]);
        let told: Vec<&str> =
            shown.lines().filter(|line| line.contains("hunter2") || line.contains("0123456789abcdef")).collect();
        assert!(told.is_empty(), "{format}: {told:#?}");
        assert!(shown.contains("Story one"), "{format}: {shown}");
    }
    let story = by_page(&scene)["https://x.example/1"]["_newsfold"]["story_url"].as_str().unwrap().to_owned();
    let config = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    scene.write("newsfold.toml", &config.replace("[serve]\n", "[serve]\nlisten = \"127.0.0.1:0\"\n"));
    let daemon = scene.start();
    for ending in ["", ".json"] {
        let (head, page) = daemon.get(&format!("/story/{}{ending}", story.rsplit('/').next().unwrap()));
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(!page.contains("hunter2") && !page.contains("0123456789abcdef"), "{page}");
    }
}

/// A feed whose entries nothing tells apart but their ids, or a link of its own each.
fn alike(has_links: bool) -> String {
    let link =
        |number: usize| if has_links { format!("<link>https://1.example/{number}</link>") } else { String::new() };
    let items: String = (0..3)
        .map(|number| {
            format!(
                "<item><guid isPermaLink=\"false\">g{number}</guid>{}<title>Morning briefing</title>\
                 <description>Today {number}.</description><pubDate>Thu, 01 Jan 2026 0{number}:00:00 GMT</pubDate></item>",
                link(number)
            )
        })
        .collect();
    format!(
        "<rss version=\"2.0\"><channel><title>Outlet X</title><link>https://1.example/</link>{items}</channel></rss>"
    )
}

/// Puts more into the configuration of a newsfold, and `of_feeds` into that of each feed whose word does not count.
fn also(scene: Scene, more: &str, of_feeds: &str) -> Scene {
    let config = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    let config = config.replace("[serve]", &format!("{more}\n[serve]")) + "\n";
    scene.write("newsfold.toml", &config.replace("/feed\"\n[", &format!("/feed\"\n{of_feeds}\n[")));
    scene
}

/// How many sources each story has that is published.
fn sources(scene: &Scene) -> Vec<u64> {
    let feed = scene.json(&["publish", "--format", "json"]);
    feed["items"].as_array().unwrap().iter().map(|item| item["_newsfold"]["sources"].as_u64().unwrap()).collect()
}

/// Has each newsfold poll, and publish for the others, so many times.
fn pass_on(rounds: usize, format: &str, newsfolds: &[(&Scene, &Mutex<String>)]) {
    for _ in 0..rounds {
        for (scene, output) in newsfolds {
            // What it reads may have nothing to say yet.
            scene.run(&["poll"]);
            *output.lock().unwrap() = scene.must(&["publish", "--format", format]);
        }
    }
}

#[test]
fn what_goes_round_a_circle_of_newsfolds_comes_back_as_what_it_was() {
    for (at, (level, has_links, of_feeds)) in
        [("story", false, ""), ("off", true, ""), ("link", false, ""), ("story", false, "fold = \"off\"")]
            .into_iter()
            .enumerate()
    {
        let (format, kind) = FORMATS[at % FORMATS.len()];
        let (x, document) = serving("text/xml");
        *document.lock().unwrap() = alike(has_links);
        let [a, b, c] = [serving(kind), serving(kind), serving(kind)];
        let fold = format!("[fold]\nlevel = \"{level}\"");
        let first = also(newsfold(1, &[&x], &[&c.0]), &fold, of_feeds);
        let second = also(newsfold(2, &[], &[&a.0]), &fold, "");
        let third = also(newsfold(3, &[], &[&b.0]), &fold, "");
        pass_on(2, format, &[(&first, &a.1), (&second, &b.1), (&third, &c.1)]);
        for scene in [&first, &second, &third] {
            assert_eq!(sources(scene), [1, 1, 1], "{format}, {level}, links: {has_links}");
        }
        // An edit goes round, too, and nothing leaves its story for it.
        let edited = alike(has_links).replace("Today 1.", "Something else altogether, in words that nobody had.");
        *document.lock().unwrap() = edited;
        pass_on(1, format, &[(&first, &a.1), (&second, &b.1), (&third, &c.1), (&first, &a.1)]);
        for scene in [&first, &second, &third] {
            assert_eq!(sources(scene), [1, 1, 1], "{format}, {level}, links: {has_links}, edited");
        }
    }
}

#[test]
fn what_comes_two_ways_is_one_whichever_comes_first() {
    let (format, kind) = FORMATS[1];
    let (x, document) = serving("text/xml");
    *document.lock().unwrap() = alike(false);
    let [b, c, d] = [serving(kind), serving(kind), serving(kind)];
    let by = newsfold(2, &[&x], &[]);
    pass_on(1, format, &[(&by, &b.1), (&newsfold(3, &[&x], &[]), &c.1), (&newsfold(4, &[], &[&b.0]), &d.1)]);
    let by_both = newsfold(1, &[], &[&b.0, &c.0]);
    by_both.must(&["poll"]);
    assert_eq!(sources(&by_both), [1, 1, 1]);
    // The longer way first, then the shorter one, then the outlet itself: in each case what was there is what comes.
    let scene = newsfold(1, &[], &[&d.0]);
    scene.must(&["poll"]);
    let before = ids_of(&scene);
    for is_direct in [false, true] {
        let feeds = [&x];
        let more = newsfold(1, &feeds[usize::from(!is_direct)..], &[&d.0, &b.0]);
        scene.write("newsfold.toml", &std::fs::read_to_string(more.path("newsfold.toml")).unwrap());
        scene.must(&["poll"]);
        assert_eq!(sources(&scene), [1, 1, 1], "directly: {is_direct}");
        assert_eq!(ids_of(&scene), before, "directly: {is_direct}; nobody is told again");
    }
}

fn ids_of(scene: &Scene) -> Vec<String> {
    let feed = scene.json(&["publish", "--format", "json"]);
    let mut ids: Vec<String> =
        feed["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

#[test]
fn who_claims_the_names_of_anothers_entries_takes_nothing_from_it() {
    let (x, document) = serving("text/xml");
    *document.lock().unwrap() = alike(false);
    let before = newsfold(1, &[&x], &[]);
    before.must(&["poll"]);
    let names = ids_of(&before);
    let liar = serde_json::json!({ "version": "https://jsonfeed.org/version/1.1", "title": "Liar", "items": [{
        "id": "1", "url": "https://liar.example/1", "title": "CHEAP PILLS", "content_html": "Pills.", "date_published": "2026-01-01T00:00:00Z",
        "_newsfold": { "source": { "title": "Liar" }, "known_as": names },
    }] })
    .to_string();
    let titles = |scene: &Scene| {
        let feed = scene.json(&["publish", "--format", "json"]);
        let told = |item: &Value| {
            (item["title"].as_str().unwrap().to_owned(), item["content_html"].as_str().unwrap().contains("Today"))
        };
        let mut told: Vec<_> = feed["items"].as_array().unwrap().iter().map(told).collect();
        told.sort();
        told
    };
    let briefings = vec![("Morning briefing".to_owned(), true); 3];
    for (is_trusted, is_first) in [(false, false), (false, true), (true, false), (true, true)] {
        let (evil, said) = serving("application/feed+json");
        said.lock().unwrap().clone_from(&liar);
        let all = |feeds: &[&Origin]| {
            if is_trusted { newsfold(1, feeds, &[&evil]) } else { newsfold(1, &[feeds, &[&evil]].concat(), &[]) }
        };
        let scene = if is_first { all(&[]) } else { newsfold(1, &[&x], &[]) };
        scene.must(&["poll"]);
        scene.write("newsfold.toml", &std::fs::read_to_string(all(&[&x]).path("newsfold.toml")).unwrap());
        scene.must(&["poll"]);
        let shown = titles(&scene);
        let honest: Vec<_> = shown.iter().filter(|(title, _)| title == "Morning briefing").cloned().collect();
        assert_eq!(honest, briefings, "trusted: {is_trusted}, first: {is_first}: {shown:?}");
        let is_apart = is_first && !is_trusted;
        assert_eq!(
            shown.len() - honest.len(),
            usize::from(is_apart),
            "trusted: {is_trusted}, first: {is_first}: {shown:?}"
        );
    }
}

#[test]
fn what_a_newsfold_publishes_itself_is_no_source_by_whatever_list_it_comes_back() {
    let (own, document) = serving("application/feed+json");
    let address = own.url("/news.json");
    let planet = Origin::start(move |request| match request.target.as_str() {
        "/list" => Answer::ok(format!("<opml version=\"2.0\"><body><outline xmlUrl=\"{address}\"/></body></opml>")),
        _ => Answer::ok(outlet(
            1,
            "Gazette",
            &[("bridge", "Bridge closed at Port Sable", 1), ("ferry", "Ferries full", 2)],
        )),
    });
    let feeds = [("Gazette", planet.url("/feed"))];
    let served = |more: &str| format!("[serve]\nlisten = \"\"\npublic_url = \"{}\"\n{more}\n", own.url("/"));
    let list = format!("[[list]]\nurl = \"{}\"", planet.url("/list"));
    let scene = Scene::with(&feeds, &served(&list));
    scene.must(&["poll", "Gazette"]);
    let publish = || scene.must(&["publish", "news", "--format", "json"]);
    *document.lock().unwrap() = publish();
    (0..2).for_each(|_| drop(scene.must(&["poll"])));
    assert!(own.asked().len() > 1);
    let published: Value = serde_json::from_str(&publish()).unwrap();
    let items = published["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert!(items.iter().all(|item| item["_newsfold"]["sources"] == 1), "{published}");
    scene.configure(&feeds, &served(&format!("[[feed]]\nurl = \"{}\"", own.url("/news.json"))));
    let told = scene.run(&["check"]);
    assert!(format!("{}{}", told.out, told.err).contains("that of an output of this newsfold"), "{told:?}");
}
