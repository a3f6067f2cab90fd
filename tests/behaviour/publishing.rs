//! What subscribers get.

use std::collections::HashSet;

use serde_json::Value;

use crate::support::{Answer, Origin, Scene, rss, rss_of};

fn started(origin: &Origin) -> (Scene, crate::support::Daemon) {
    let scene = Scene::with(&[("example", origin.url("/feed"))], "");
    scene.must(&["poll"]);
    let daemon = scene.start();
    (scene, daemon)
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let value =
        head.lines().filter_map(|line| line.split_once(": ")).find(|(known, _)| known.eq_ignore_ascii_case(name));
    value.map(|(_, value)| value).unwrap_or_else(|| panic!("no {name} in {head}"))
}

#[test]
fn what_a_command_says_is_told_with_its_failure_and_forges_no_line_of_the_log() {
    let origin = Origin::of(rss("x", &[("1", "https://example.org/1", "One", "t")]));
    let says = "printf 'forged\\n\\033[2J{\\n'; printf 'no space left\\n' >&2; exit 3";
    let output = format!("[[output]]\nname = \"news\"\ndirectory = \"out\"\nafter = [\"sh\", \"-c\", {says:?}]\n");
    let scene = Scene::with(&[("x", origin.url("/"))], &output);
    let ended = scene.run(&["--log-format", "json", "poll"]);
    let lines: Vec<Value> = ended.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let failed = lines.iter().find(|line| line["event"] == "publish.command_failed").unwrap().to_string();
    assert!(failed.contains("forged / ") && failed.contains("no space left"), "{failed}");
    assert!(!failed.contains("\\u001b"), "{failed}");
}

#[test]
fn every_format_parses_back_to_the_same_stories() {
    let origin = Origin::of(rss(
        "A feed",
        &[
            (
                "1",
                "https://example.org/a",
                "One &amp; two",
                "&lt;p&gt;Text with &lt;a href=\"/b\"&gt;a link&lt;/a&gt;&lt;/p&gt;",
            ),
            ("2", "https://example.org/b", "Ünïcödé \u{1F40C}", "More."),
        ],
    ));
    let scene = Scene::with(&[("example", origin.url("/feed"))], "");
    scene.must(&["poll"]);
    let stories = |format: &str| {
        let published = scene.must(&["publish", "--format", format]);
        let parsed = scene.run_with(&["parse", "-"], published.as_bytes());
        assert_eq!(parsed.status, 0, "{format}: {}", parsed.err);
        let parsed: Value = serde_json::from_str(&parsed.out).unwrap();
        let entries = parsed["entries"].as_array().unwrap().iter();
        let of = |entry: &Value| ["title", "id", "url", "published"].map(|field| entry[field].to_string());
        let mut stories: Vec<_> = entries.map(of).collect();
        stories.sort();
        stories
    };
    let atom = stories("atom");
    assert_eq!(atom.len(), 2);
    assert_eq!(atom[0][0].as_str(), "\"One & two\"");
    assert_eq!(stories("rss"), atom);
    assert_eq!(stories("json"), atom);
}

#[test]
fn the_same_stories_are_the_same_bytes() {
    let origin = Origin::of(rss_of(&["a", "b"]));
    let (scene, daemon) = started(&origin);
    for (path, format) in [("/news.atom", "atom"), ("/news.rss", "rss"), ("/news.json", "json"), ("/news", "html")] {
        let published = scene.must(&["publish", "--format", format]);
        assert_eq!(daemon.get(path).1, published, "{path}");
        assert_eq!(scene.must(&["publish", "--format", format]), published);
    }
    assert_eq!(daemon.get("/").1, daemon.get("/news").1);
}

#[test]
fn a_reader_that_holds_the_page_is_told_so() {
    let origin = Origin::of(rss_of(&["a"]));
    let (_scene, daemon) = started(&origin);
    let (head, _) = daemon.get("/news.atom");
    let (etag, date) = (header(&head, "etag").to_owned(), header(&head, "last-modified").to_owned());
    assert!(!etag.starts_with("W/"), "{etag}");
    for (name, value) in [
        ("If-None-Match", etag.clone()),
        ("If-None-Match", format!("\"other\", W/{etag}")),
        ("If-None-Match", "*".to_owned()),
        ("If-Modified-Since", date.clone()),
    ] {
        let (head, body) = daemon.ask("GET", "/news.atom", &[(name, &value)]);
        assert!(head.starts_with("HTTP/1.1 304"), "{name}: {value}: {head}");
        assert!(body.is_empty());
    }
    let (head, _) = daemon.ask("GET", "/news.atom", &[("If-None-Match", "\"other\""), ("If-Modified-Since", &date)]);
    assert!(head.starts_with("HTTP/1.1 200"), "entity tags come before dates: {head}");
}

#[test]
fn pages_are_packed_as_the_reader_wishes() {
    let origin = Origin::of(rss_of(&["a", "b", "c"]));
    let (_scene, daemon) = started(&origin);
    let plain = daemon.get("/news.rss").1.into_bytes();
    for coding in ["gzip", "br", "zstd"] {
        let (head, body) = daemon.ask("GET", "/news.rss", &[("Accept-Encoding", coding)]);
        assert_eq!(header(&head, "content-encoding"), coding);
        assert_eq!(header(&head, "vary"), "Accept-Encoding");
        assert_eq!(newsfold::fetch::decode::decode(body, coding, 1 << 20).unwrap(), plain);
        let etag = header(&head, "etag").to_owned();
        let (head, _) = daemon.ask("GET", "/news.rss", &[("Accept-Encoding", coding), ("If-None-Match", &etag)]);
        assert!(head.starts_with("HTTP/1.1 304"), "{head}");
    }
}

#[test]
fn only_get_and_head_are_served() {
    let origin = Origin::of(rss_of(&["a"]));
    let (_scene, daemon) = started(&origin);
    let (got, body) = daemon.get("/news.atom");
    let (head, none) = daemon.ask("HEAD", "/news.atom", &[]);
    assert!(none.is_empty());
    assert_eq!(header(&head, "content-length"), body.len().to_string());
    assert_eq!(header(&head, "etag"), header(&got, "etag"));
    let (head, _) = daemon.ask("POST", "/news.atom", &[]);
    assert!(head.starts_with("HTTP/1.1 405") && header(&head, "allow") == "GET, HEAD", "{head}");
    assert!(daemon.get("/nothing").0.starts_with("HTTP/1.1 404"));
    let (head, _) = daemon.get("/");
    assert!(header(&head, "content-security-policy").contains("default-src 'none'"));
    assert_eq!(header(&head, "x-content-type-options"), "nosniff");
}

#[test]
fn health_is_told_in_json() {
    let origin = Origin::of(rss_of(&["a"]));
    let (_scene, daemon) = started(&origin);
    let (head, body) = daemon.get("/healthz");
    assert!(head.starts_with("HTTP/1.1 200"));
    let health: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((health["status"].as_str(), health["feeds"].as_u64()), (Some("ok"), Some(1)));
}

#[test]
fn files_hold_what_is_served_and_are_left_alone_when_nothing_changed() {
    let origin = Origin::of(rss_of(&["a"]));
    let scene =
        Scene::with(&[("example", origin.url("/feed"))], "[[output]]\nname = \"news\"\ndirectory = \"public\"\n");
    assert!(scene.must(&["poll"]).contains("13 files written"));
    let names = [
        "news.atom",
        "news.rss",
        "news.json",
        "news.html",
        "index.html",
        "style.css",
        "icon.svg",
        "icon.png",
        "favicon.ico",
    ];
    let times = || names.map(|name| std::fs::metadata(scene.path("public").join(name)).unwrap().modified().unwrap());
    let before = times();
    assert_eq!(std::fs::read_to_string(scene.path("public/news.atom")).unwrap(), scene.must(&["publish"]));
    assert!(!scene.must(&["poll"]).contains("written"));
    assert_eq!(times(), before);
    assert_eq!(
        std::fs::read_dir(scene.path("public")).unwrap().count(),
        names.len() + 2,
        "and the folders of story pages and archives"
    );
}

/// What came of a program that closed the archive of a month and wrote it.
struct Month {
    scene: Scene,
    /// Its peak memory, in kB.
    peak: usize,
    /// The archives of the month as JSON Feed, the oldest first.
    archives: Vec<Value>,
}

impl Month {
    fn stories(&self) -> impl Iterator<Item = &Value> {
        self.archives.iter().flat_map(|archive| archive["items"].as_array().unwrap())
    }
}

/// A month of so many times a thousand stories.
fn month_of(thousands: usize) -> Month {
    let document = |of: usize| {
        let item = |number: usize| {
            let text =
                format!("The harbour of town {of} was closed for {number} days, as it was told there. ").repeat(30);
            let link = format!("https://example.org/{of}/{number}");
            (format!("{of}/{number}"), link, format!("Harbour {of} closed, day {number}"), text)
        };
        let items: Vec<_> = (0..1_000).map(item).collect();
        let entries: Vec<_> = items.iter().map(|(id, link, title, text)| (&**id, &**link, &**title, &**text)).collect();
        // Each a minute after the one before.
        let document = rss(&format!("Town {of}"), &entries);
        let pieces = (0..).zip(document.split("00:00:00 GMT"));
        let dated = |(minute, piece): (usize, &str)| match minute {
            0 => piece.to_owned(),
            _ => format!("{:02}:{:02}:00 GMT{piece}", minute / 60, minute % 60),
        };
        pieces.map(dated).collect()
    };
    let documents: Vec<String> = (0..thousands).map(document).collect();
    let origin = Origin::start(move |request| {
        Answer::ok(&documents[request.target.trim_start_matches('/').parse::<usize>().unwrap()])
    });
    let names: Vec<String> = (0..thousands).map(|number| format!("town-{number}")).collect();
    let feeds: Vec<_> = names.iter().enumerate().map(|(at, name)| (&**name, origin.url(&format!("/{at}")))).collect();
    let level = "[fold]\nlevel = \"link\"\n";
    let scene = Scene::with(&feeds, level);
    scene.must(&["poll"]);
    let ask = "after = [\"sh\", \"-c\", \"grep VmHWM /proc/$PPID/status > peak\"]";
    let output = format!("[[output]]\nname = \"news\"\nlimit = 10\ndirectory = \"public\"\ncompress = true\n{ask}\n");
    scene.configure(&feeds, &format!("{level}{output}"));
    scene.must(&["poll", "--due"]);
    let peak = std::fs::read_to_string(scene.path("public/peak")).unwrap();
    let peak = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    let mut files: Vec<_> =
        std::fs::read_dir(scene.path("public/news")).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "json"));
    files.sort();
    assert!(files.iter().all(|file| file.with_extension("atom.br").exists()));
    let archives = files.iter().map(|file| serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()).collect();
    Month { scene, peak, archives }
}

#[test]
fn archives_take_no_more_memory_the_more_stories_they_hold_and_are_parted_where_one_would_be_too_large() {
    let small = month_of(1);
    assert_eq!((small.archives.len(), small.stories().count()), (1, 1_000));
    let large = month_of(4);
    assert_eq!((large.archives.len(), large.stories().count()), (2, 4_000));
    // Three thousand stories more have 7 MB of text, of which each format is made.
    assert!(large.peak < small.peak + 4_000, "{} kB, then {} kB", small.peak, large.peak);

    let ids: HashSet<_> = large.stories().map(|story| story["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 4_000);
    let in_brief = |story: &&Value| story["content_html"].as_str().unwrap().contains("longer than what is shown here");
    assert_eq!(large.stories().filter(in_brief).count(), 0);
    assert!(large.archives[0]["next_url"].is_null());
    assert!(large.archives[1]["next_url"].as_str().unwrap().ends_with("/news/2026-01.1.json"));
    let daemon = large.scene.start();
    assert!(daemon.get("/news.atom").1.contains("/news/2026-01.2.atom"));
    let (head, _) = daemon.get("/news/2026-01.atom");
    assert!(head.starts_with("HTTP/1.1 301") && header(&head, "location").ends_with("/news/2026-01.2.atom"), "{head}");
}

#[test]
fn a_poll_that_brought_nothing_renders_nothing_unless_something_else_changed() {
    let origin = Origin::of(rss_of(&["a", "b"]));
    let scene =
        Scene::with(&[("example", origin.url("/feed"))], "[[output]]\nname = \"news\"\ndirectory = \"public\"\n");
    let renders = || !scene.run(&["--log", "debug", "poll"]).err.contains("nothing that is published changed");
    let atom = || std::fs::read_to_string(scene.path("public/news.atom")).unwrap();
    assert!(renders());
    assert!(!renders());
    std::fs::remove_file(scene.path("public/news.rss")).unwrap();
    assert!(renders() && scene.path("public/news.rss").exists(), "a document that was taken away");
    std::fs::write(scene.path("public/news.json"), "{}").unwrap();
    assert!(renders() && !renders(), "one that somebody wrote over");
    scene.must(&["forget", "1"]);
    assert!(renders() && !renders(), "what a person decided");
    assert_eq!(atom().matches("<entry>").count(), 1);
    let configuration = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    scene.write("newsfold.toml", &configuration.replace("name = \"news\"", "name = \"news\"\ntitle = \"Ours\""));
    assert!(renders() && !renders(), "the configuration");
    assert!(atom().contains("<title>Ours</title>"));
    origin.change(|_| Answer::ok(rss_of(&["a", "b", "c"])));
    assert!(renders() && !renders(), "news");
    assert_eq!(atom().matches("<entry>").count(), 2);
    let store = rusqlite::Connection::open(scene.path("newsfold.db")).unwrap();
    store.execute("UPDATE entry SET title = 'By hand', checksum = NULL", []).unwrap();
    assert!(renders() && atom().contains("By hand"), "whoever writes into the store");
}

#[test]
fn outputs_take_their_stories_by_tag_sources_and_share() {
    let world = Origin::of(rss(
        "World",
        &[("1", "https://example.org/a", "Both", "t"), ("2", "https://example.org/b", "World only", "t")],
    ));
    let local = Origin::of(rss(
        "Local",
        &[("3", "https://example.org/a", "Both", "t"), ("4", "https://example.org/c", "Local only", "t")],
    ));
    let scene = Scene::with(
        &[],
        &format!(
            "[[feed]]\nname = \"w\"\nurl = \"{}\"\ntags = [\"world\"]\n[[feed]]\nname = \"l\"\nurl = \"{}\"\n\
             [[output]]\nname = \"all\"\n[[output]]\nname = \"world\"\ntags = [\"world\"]\n[[output]]\nname = \"many\"\nmin_sources = 2\n\
             [[output]]\nname = \"fair\"\nper_feed = 1\n[[output]]\nname = \"short\"\nlimit = 1\n",
            world.url("/"),
            local.url("/")
        ),
    );
    scene.must(&["poll"]);
    let titles = |output: &str| {
        let feed = scene.json(&["publish", output, "--format", "json"]);
        let mut titles: Vec<String> =
            feed["items"].as_array().unwrap().iter().map(|story| story["title"].as_str().unwrap().to_owned()).collect();
        titles.sort();
        titles
    };
    assert_eq!(titles("all"), ["Both", "Local only", "World only"]);
    assert_eq!(titles("world"), ["Both", "World only"]);
    assert_eq!(titles("many"), ["Both"]);
    assert_eq!(titles("fair").len(), 2);
    assert_eq!(titles("short").len(), 1);
}

#[test]
fn an_entry_that_would_break_the_feed_comes_out_harmless() {
    let nasty = "&lt;script&gt;alert(1)&lt;/script&gt;&lt;/div&gt;&lt;p onclick=\"x()\"&gt;text&lt;/p&gt;";
    let origin =
        Origin::of(rss("A feed", &[("1", "https://example.org/a", "]]&gt; &lt;b&gt;bold&lt;/b&gt; &#x202e;", nasty)]));
    let scene = Scene::with(&[("example", origin.url("/feed"))], "");
    scene.must(&["poll"]);
    for format in ["atom", "rss", "json", "html"] {
        let published = scene.must(&["publish", "--format", format]);
        assert!(!published.contains("alert(1)") && !published.contains("onclick"), "{format}: {published}");
    }
    let html = scene.must(&["publish", "--format", "html"]);
    assert!(!html.contains("<b>bold"), "{html}");
}

#[test]
fn what_a_poll_brings_is_served_without_a_restart() {
    let origin = Origin::of(rss_of(&["a"]));
    let scene = Scene::with(&[("example", origin.url("/feed"))], "");
    let text = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    scene.write("newsfold.toml", &text.replace("interval = \"1h\"", "interval = \"1s\""));
    let mut daemon = scene.start();
    daemon.wait_for_event("output.published");
    assert!(daemon.get("/news.atom").1.contains("<title>a</title>"));
    let more = rss_of(&["b", "a"]);
    origin.change(move |_| Answer::ok(&more));
    daemon.wait_for_event("output.published");
    assert!(daemon.get("/news.atom").1.contains("<title>b</title>"));
}

#[test]
fn a_readers_token_in_a_feeds_address_is_not_published() {
    let origin = Origin::of(rss_of(&["a"]));
    let scene = Scene::with(&[("example", origin.url("/feed?token=SECRET"))], "");
    scene.must(&["poll"]);
    for format in ["atom", "rss", "json", "html"] {
        let published = scene.must(&["publish", "--format", format]);
        assert!(!published.contains("SECRET"), "{format}: {published}");
    }
    assert!(scene.must(&["publish"]).contains("<title>example</title>"), "the feed is credited all the same");
}

#[test]
fn a_readers_token_is_not_told_by_what_its_server_answers() {
    let origin = Origin::start(|request| {
        Answer::ok(format!(
            "<!doctype html><html><head><link rel=alternate type='application/rss+xml' href='{}'></head></html>",
            request.target
        ))
    });
    let path = "/0123456789abcdefSECRET/feed?token=SECRET";
    let scene = Scene::with(&[("example", origin.url(path))], "");
    let ended = scene.run(&["poll"]);
    assert!(ended.err.contains("links to the feed"), "{ended:?}");
    let daemon = scene.start();
    for shown in [ended.err, daemon.get("/feeds").1, daemon.get("/feeds/example").1, daemon.get("/feeds.opml").1] {
        assert!(!shown.contains("SECRET"), "{shown}");
    }
}

#[test]
fn titles_and_leads_have_the_direction_of_their_text() {
    let origin = Origin::of(rss("A feed", &[("1", "https://example.org/a", "Rust היא שפה", "Rust היא שפת תכנות.")]));
    let (scene, daemon) = started(&origin);
    let page = scene.must(&["publish", "--format", "html"]);
    assert!(page.contains("<h3 dir=\"auto\">") && page.contains("<p class=\"lead\" dir=\"auto\">"), "{page}");
    let id = scene.json(&["stories", "--since", "4000d", "--json"])[0]["id"].as_str().unwrap().to_owned();
    let story = daemon.get(&format!("/story/{id}")).1;
    assert!(story.contains("<h1 dir=\"auto\">") && story.contains("<p class=\"lead\" dir=\"auto\">"), "{story}");
}

#[test]
fn a_link_to_a_place_in_a_text_leads_to_the_entrys_page() {
    let text = "&lt;p&gt;A claim&lt;a href=\"#note\"&gt;1&lt;/a&gt; and &lt;a href=\"x\"&gt;x&lt;/a&gt;.&lt;/p&gt;";
    let atom = format!(
        "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>A</title><id>a</id><entry><id>b</id><title>B</title>\
         <link href=\"https://example.org/posts/1/\"/><content type=\"html\">{text}</content></entry></feed>"
    );
    let origin = Origin::of(atom);
    let scene = Scene::with(&[("example", origin.url("/feeds/all"))], "");
    scene.must(&["poll"]);
    let published: Value = serde_json::from_str(&scene.must(&["publish", "--format", "json"])).unwrap();
    let content = published["items"][0]["content_html"].as_str().unwrap();
    assert!(content.contains("href=\"https://example.org/posts/1/#note\""), "{content}");
}

#[test]
fn a_command_follows_changed_files_and_is_run_again_when_it_failed() {
    let origin = Origin::of(rss_of(&["a"]));
    let command = r#"["sh", "-c", "echo \"$NEWSFOLD_OUTPUT\" >> ../runs; test -e ../open"]"#;
    let output = format!("[[output]]\nname = \"news\"\ndirectory = \"public\"\nafter = {command}\n");
    let scene = Scene::with(&[("example", origin.url("/feed"))], &output);
    let runs = || std::fs::read_to_string(scene.path("runs")).unwrap_or_default().lines().count();
    let poll = || scene.run(&["poll"]);
    assert!(poll().err.contains("output `news`: `after` (sh) failed"), "it is told");
    poll();
    assert_eq!(runs(), 2, "it is tried again although nothing changed since");
    scene.write("open", "");
    poll();
    poll();
    assert_eq!(runs(), 3, "once it went well there is nothing to follow");
    std::fs::remove_file(scene.path("open")).unwrap();
    origin.change(|_| Answer::ok(rss_of(&["a", "b"])));
    poll();
    assert_eq!(runs(), 4);
    // The daemon does what `poll` could not, and tells when it cannot either.
    let mut daemon = scene.start();
    daemon.wait_for("a command that follows changed files failed");
    assert!(daemon.get("/healthz").1.contains("`after` (sh) failed"));
    scene.write("open", "");
    daemon.wait_for_event("task.recovered");
    daemon.signal("TERM");
    assert_eq!(daemon.ended(), 0);
}
