//! Outputs that only those see who know their token, and what nobody else learns of them.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::support::{Answer, Daemon, Origin, Scene, rss, rss_of};

const TOKEN: &str = "0a1b2c3d4e5f60718293";

/// What each answer says that was given to somebody who may not see the private output.
fn is_missing((head, _): &(String, String)) -> bool {
    head.starts_with("HTTP/1.1 404")
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value).next().unwrap_or_default()
}

fn with_password(daemon: &Daemon, path: &str, password: &str) -> (String, String) {
    let given = format!("Basic {}", BASE64_STANDARD.encode(format!("me:{password}")));
    let (head, body) = daemon.ask("GET", path, &[("Authorization", &given)]);
    (head, String::from_utf8(body).unwrap())
}

/// A public feed and one whose stories only a private output takes; both tell of the ferry.
fn public_and_private() -> (Origin, Origin) {
    let public = rss(
        "Public",
        &[
            ("1", "https://public.example/ferry", "The ferry is afloat again", "The harbour was full of people."),
            ("2", "https://public.example/market", "Market day", "Cheese and eels."),
        ],
    );
    let private = rss(
        "Inhouse",
        &[
            ("1", "https://public.example/ferry", "Our ferry codename zebra", "Zebra sails at noon, says the board."),
            ("2", "https://inhouse.example/merger", "Merger with quagga", "Quagga signs on Friday."),
        ],
    );
    (Origin::of(public), Origin::of(private))
}

fn outputs(token: &str, more: &str) -> String {
    format!(
        "[[output]]\nname = \"news\"\ntags = [\"world\"]\n[[output]]\nname = \"inhouse\"\ntitle = \"Inhouse\"\ntags = [\"inhouse\"]\ntoken = {token}\n{more}"
    )
}

/// A scene with these two feeds.
fn scene(public: &Origin, private: &Origin, outputs: &str) -> Scene {
    let feeds = format!(
        "[[feed]]\nname = \"public\"\nurl = \"{}\"\ntags = [\"world\"]\n[[feed]]\nname = \"zoo-feed\"\nurl = \"{}\"\ntags = [\"inhouse\"]\n",
        public.url("/feed"),
        private.url("/feed")
    );
    Scene::with(&[], &format!("{outputs}{feeds}"))
}

#[test]
fn a_private_output_is_found_by_its_token_alone_and_in_every_format() {
    let (public, private) = public_and_private();
    let scene = scene(&public, &private, &outputs(&format!("\"{TOKEN}\""), "limit = 1\n"));
    scene.must(&["poll"]);
    let daemon = scene.start();
    for ending in [".atom", ".rss", ".json", ""] {
        let address = format!("/t/{TOKEN}/inhouse{ending}");
        let (head, body) = daemon.get(&address);
        assert!(
            head.starts_with("HTTP/1.1 200") && (body.contains("quagga") || body.contains("zebra")),
            "{address}: {head}"
        );
        assert!(header(&head, "cache-control").starts_with("private, max-age="), "{head}");
        assert_eq!(header(&head, "x-robots-tag"), "noindex");
        assert_eq!(header(&head, "referrer-policy"), "no-referrer");
        assert!(!head.to_lowercase().contains("access-control") && !head.to_lowercase().contains("\nlink:"), "{head}");
        let tag = header(&head, "etag");
        let (again, _) = daemon.ask("GET", &address, &[("If-None-Match", tag)]);
        assert!(again.starts_with("HTTP/1.1 304") && header(&again, "cache-control").starts_with("private"), "{again}");
        let (probed, nothing) = daemon.ask("HEAD", &address, &[]);
        assert!(probed.starts_with("HTTP/1.1 200") && nothing.is_empty());
        assert!(is_missing(&daemon.get(&format!("/t/{TOKEN}0/inhouse{ending}"))));
    }
    let page = daemon.get(&format!("/t/{TOKEN}/")).1;
    assert!(page.contains("<meta name=\"robots\" content=\"noindex\">"), "{page}");
    let (head, _) = daemon.get(&format!("/t/{TOKEN}"));
    assert_eq!(header(&head, "location"), format!("/t/{TOKEN}/"));
    let named = daemon.get(&format!("/t/{TOKEN}/inhouse.atom")).1;
    assert!(named.contains("<id>http://127.0.0.1:0/inhouse</id>"), "{named}");
    // Every address that its documents name leads there, too.
    for document in ["inhouse.atom", "inhouse.rss", "inhouse.json", "inhouse", ""] {
        let body = daemon.get(&format!("/t/{TOKEN}/{document}")).1;
        let named: Vec<&str> = body
            .split(['"', '<', '>', ' ', '\\'])
            .filter_map(|word| word.strip_prefix("http://127.0.0.1:0").or(word.strip_prefix("/t/").map(|_| word)))
            // The name for life stays whatever the token is.
            .filter(|address| *address != "/inhouse")
            .collect();
        assert!(!named.is_empty(), "{document} names no address: {body}");
        for address in named {
            assert!(address.starts_with(&format!("/t/{TOKEN}/")), "{document}: {address}");
            let (head, _) = daemon.ask("GET", &address.replace("&amp;", "&"), &[]);
            assert!(head.starts_with("HTTP/1.1 200"), "{document}: {address}: {head}");
        }
    }
}

#[test]
fn the_token_is_also_the_password_and_a_wrong_one_is_refused() {
    let (public, private) = public_and_private();
    let scene = scene(&public, &private, &outputs(&format!("\"{TOKEN}\""), ""));
    scene.must(&["poll"]);
    let daemon = scene.start();
    let (head, body) = with_password(&daemon, "/inhouse.atom", TOKEN);
    assert!(head.starts_with("HTTP/1.1 200") && body.contains("quagga"), "{head}");
    assert!(header(&head, "cache-control").starts_with("private") && !body.contains(TOKEN), "{head}{body}");
    let story = body.split("/story/").nth(1).unwrap().split(['"', '&']).next().unwrap().to_owned();
    assert!(with_password(&daemon, &format!("/story/{story}"), TOKEN).0.starts_with("HTTP/1.1 200"));
    for wrong in ["", "x", "0a1b2c3d4e5f6071829", "0A1B2C3D4E5F60718293"] {
        let (head, body) = with_password(&daemon, "/inhouse.atom", wrong);
        assert!(head.starts_with("HTTP/1.1 401") && header(&head, "www-authenticate").starts_with("Basic "), "{head}");
        assert!(!body.contains("quagga"));
        assert!(is_missing(&with_password(&daemon, "/nothing", wrong)));
    }
    assert!(daemon.get("/inhouse.atom").0.starts_with("HTTP/1.1 401"));
    assert!(with_password(&daemon, "/news.atom", "x").0.starts_with("HTTP/1.1 200"), "others need none");
}

#[test]
fn nobody_else_learns_what_a_private_output_shows() {
    let (public, private) = public_and_private();
    let hub = Origin::start(|_| Answer::status("202 Accepted"));
    let phone = Origin::start(|_| Answer::status("204 No Content"));
    let more = format!(
        "[serve]\nlisten = \"127.0.0.1:0\"\nhub = \"{}\"\n[[notify]]\noutput = \"news\"\nurl = \"{}\"\n",
        hub.url("/"),
        phone.url("/")
    );
    let scene = scene(&public, &private, &(outputs(&format!("\"{TOKEN}\""), "") + &more));
    scene.must(&["poll"]);
    let mut daemon = scene.start();
    daemon.wait_for_event("hub.notified");
    let all = daemon.get(&format!("/t/{TOKEN}/inhouse.json")).1;
    let all: Value = serde_json::from_str(&all).unwrap();
    let id = |title: &str| {
        let mut items = all["items"].as_array().unwrap().iter();
        let item = items.find(|item| item["title"].as_str().unwrap().contains(title)).unwrap();
        item["id"].as_str().unwrap().trim_start_matches("urn:uuid:").to_owned()
    };
    let (merger, ferry) = (id("quagga"), id("ferry"));
    assert!(daemon.get(&format!("/t/{TOKEN}/story/{merger}")).1.contains("quagga"));
    assert!(daemon.get(&format!("/t/{TOKEN}/search.json?q=quagga")).1.contains("Merger"));
    assert!(
        is_missing(&daemon.get(&format!("/story/{merger}")))
            && is_missing(&daemon.get(&format!("/story/{merger}.json")))
    );
    let public_pages = [
        "/",
        "/news",
        "/news.atom",
        "/news.rss",
        "/news.json",
        "/feeds.opml",
        "/feeds.json",
        "/search?q=ferry",
        "/search.json?q=quagga",
        "/search?q=zebra",
        "/search?q=quagga",
        "/healthz",
        "/metrics",
        &format!("/story/{ferry}"),
        &format!("/story/{ferry}.json"),
    ];
    for address in public_pages {
        let (head, body) = daemon.get(address);
        let seen = (head + &body).to_lowercase();
        for word in ["inhouse", "codename", "merger", "signs", TOKEN] {
            assert!(!seen.contains(word) || (address == "/metrics" && word == "inhouse"), "{address}: {word}: {seen}");
        }
    }
    for nothing in ["/search?q=zebra", "/search?q=quagga"] {
        assert!(daemon.get(nothing).1.contains("<h1>0 stories"), "{nothing}");
    }
    assert!(daemon.get("/search?q=ferry").1.contains("<h1>1 story"));
    assert!(daemon.get(&format!("/story/{ferry}")).1.contains("Told by 1 source"));
    let told: String = hub.asked().iter().map(|asked| String::from_utf8(asked.body.clone()).unwrap()).collect();
    assert!(told.contains("news.atom") && !told.contains("inhouse") && !told.contains(TOKEN), "{told}");
    daemon.signal("TERM");
    let log = daemon.rest();
    assert!(!log.contains(TOKEN), "{log}");
    for format in ["atom", "html"] {
        let published = scene.must(&["publish", "news", "--format", format]);
        assert!(!published.to_lowercase().contains("inhouse"), "{published}");
    }
    let printed = scene.must(&["publish", "inhouse"]);
    assert!(printed.contains("quagga") && !printed.contains("rel=\"hub\"") && !printed.contains(TOKEN), "{printed}");
}

#[test]
fn outputs_of_one_token_are_found_together_however_it_is_given() {
    let (public, private) = public_and_private();
    let again = "[[output]]\nname = \"board\"\ntags = [\"world\"]\ntoken = { file = \"token\" }\n";
    let scene = scene(&public, &private, &outputs(&format!("\"{TOKEN}\""), again));
    scene.write("token", &format!("{TOKEN}\n"));
    scene.must(&["poll"]);
    let daemon = scene.start();
    for output in ["inhouse", "board"] {
        assert!(daemon.get(&format!("/t/{TOKEN}/{output}.atom")).0.starts_with("HTTP/1.1 200"), "{output}");
        assert!(with_password(&daemon, &format!("/{output}.atom"), TOKEN).0.starts_with("HTTP/1.1 200"), "{output}");
    }
    let board = daemon.get(&format!("/t/{TOKEN}/board.json")).1;
    assert!(board.contains("zoo-feed"), "who knows the token sees who else tells it: {board}");
}

#[test]
fn files_that_stand_together_by_way_of_a_link_are_told_of() {
    let (public, private) = public_and_private();
    let outputs = outputs(&format!("\"{TOKEN}\""), "directory = \"inside/private\"\n")
        .replace("tags = [\"world\"]\n", "tags = [\"world\"]\ndirectory = \"public\"\n");
    let scene = scene(&public, &private, &outputs);
    assert!(!scene.run(&["check"]).err.contains("is a link"));
    std::fs::create_dir(scene.path("public")).unwrap();
    std::os::unix::fs::symlink(scene.path("public"), scene.path("inside")).unwrap();
    let told = scene.run(&["check"]).err;
    assert!(told.contains("output `inhouse`: its `directory` is a link to where the files of output `news`"), "{told}");
}

#[test]
fn addresses_that_look_like_a_tokens_lead_nowhere() {
    let (public, private) = public_and_private();
    let scene = scene(&public, &private, &outputs(&format!("\"{TOKEN}\""), ""));
    scene.must(&["poll"]);
    let daemon = scene.start();
    let upper = TOKEN.to_uppercase();
    for path in [
        "/t",
        "/t/",
        "/t//inhouse.atom",
        "/t/x",
        "/t/x/inhouse.atom",
        "/t/%00/inhouse.atom",
        "/t/%/inhouse.atom",
        &format!("/T/{TOKEN}/inhouse.atom"),
        &format!("/t/{upper}/inhouse.atom"),
        &format!("//t/{TOKEN}/inhouse.atom"),
        &format!("/t//{TOKEN}/inhouse.atom"),
        &format!("/t/{TOKEN}%20/inhouse.atom"),
        &format!("/t/{TOKEN}/../inhouse.atom"),
        &format!("/t/{TOKEN}/news.atom"),
        &format!("/t/{TOKEN}/feeds"),
        &format!("/t/{TOKEN}/metrics"),
        &format!("/t/{TOKEN}/healthz"),
        &format!("/t/{}/inhouse.atom", TOKEN.strip_suffix('3').unwrap()),
        &format!("/news.atom/t/{TOKEN}/"),
    ] {
        let (head, body) = daemon.get(path);
        assert!(head.starts_with("HTTP/1.1 404"), "{path}: {head}");
        assert_eq!(body, daemon.get("/nothing").1, "{path}: what is not there looks like it");
    }
    let coded: String = TOKEN.bytes().map(|byte| format!("%{byte:02x}")).collect();
    assert!(daemon.get(&format!("/t/{coded}/inhouse.atom")).0.starts_with("HTTP/1.1 200"), "it is the same address");
    let (head, _) = daemon.ask("OPTIONS", &format!("/t/{TOKEN}/inhouse.json"), &[("Origin", "https://evil.example")]);
    assert!(head.starts_with("HTTP/1.1 405") && !head.to_lowercase().contains("access-control"), "{head}");
}

#[test]
fn a_changed_token_is_in_force_at_a_reload_and_one_that_cannot_be_read_opens_nothing() {
    let origin = Origin::of(rss_of(&["a"]));
    let output = "[[output]]\nname = \"news\"\ntoken = { file = \"token\" }\n";
    let scene = Scene::with(&[("example", origin.url("/feed"))], output);
    scene.write("token", &format!("{TOKEN}\n"));
    scene.must(&["poll"]);
    let mut daemon = scene.start();
    assert!(daemon.get(&format!("/t/{TOKEN}/news.atom")).0.starts_with("HTTP/1.1 200"));
    let reload = |daemon: &mut Daemon| {
        daemon.signal("HUP");
        daemon.wait_for_reload();
    };
    scene.write("token", "another token of some length");
    reload(&mut daemon);
    let again = "/t/another%20token%20of%20some%20length/news.atom";
    assert!(daemon.get(again).0.starts_with("HTTP/1.1 200"));
    assert!(is_missing(&daemon.get(&format!("/t/{TOKEN}/news.atom"))));
    assert!(with_password(&daemon, "/news.atom", TOKEN).0.starts_with("HTTP/1.1 401"));
    let (head, _) = daemon.get("/");
    assert!(head.starts_with("HTTP/1.1 401"), "there is nothing else: {head}");
    std::fs::remove_file(scene.path("token")).unwrap();
    daemon.signal("HUP");
    let told = daemon.wait_for("its token cannot be read");
    assert!(told.contains("output `news`") && !told.contains("another token"), "{told}");
    for path in [again, "/news.atom", "/", "/t//news.atom"] {
        assert!(!daemon.get(path).0.starts_with("HTTP/1.1 200"), "{path}");
    }
    assert!(daemon.get("/healthz").1.contains("its token cannot be read"));
    let checked = scene.run(&["check"]);
    assert!(checked.err.contains("output `news`: its token cannot be read"), "{checked:?}");
    // What was published before may still be on its way.
    let until = |daemon: &mut Daemon, path: &str, status: &str| {
        daemon.signal("HUP");
        while !daemon.get(path).0.starts_with(&format!("HTTP/1.1 {status}")) {
            daemon.wait_for_event("output.published");
        }
    };
    scene.write("token", TOKEN);
    until(&mut daemon, &format!("/t/{TOKEN}/news.atom"), "200");
    // An output that becomes private is public no more, and the other way round.
    scene.configure(&[("example", origin.url("/feed"))], "[[output]]\nname = \"news\"\n");
    until(&mut daemon, "/news.atom", "200");
    assert!(is_missing(&daemon.get(&format!("/t/{TOKEN}/news.atom"))));
    scene.configure(&[("example", origin.url("/feed"))], output);
    until(&mut daemon, "/news.atom", "401");
}

#[test]
fn the_files_of_a_private_output_name_no_token_and_are_not_for_everybody() {
    use std::os::unix::fs::PermissionsExt;
    let (public, private) = public_and_private();
    let scene = scene(&public, &private, &outputs(&format!("\"{TOKEN}\""), "directory = \"inhouse\"\n"));
    scene.must(&["poll"]);
    let mut files = vec![scene.path("inhouse")];
    let mut seen = 0;
    while let Some(path) = files.pop() {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        if path.is_dir() {
            assert_eq!(mode, 0o750, "{}", path.display());
            files.extend(std::fs::read_dir(&path).unwrap().map(|file| file.unwrap().path()));
        } else {
            assert_eq!(mode, 0o640, "{}", path.display());
            let held = std::fs::read(&path).unwrap();
            assert!(!String::from_utf8_lossy(&held).contains(TOKEN), "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 8, "{seen} files");
    let shared = outputs(&format!("\"{TOKEN}\""), "directory = \"public\"\n")
        .replace("name = \"news\"\n", "name = \"news\"\ndirectory = \"public\"\n");
    scene.configure(&[("public", public.url("/feed"))], &shared.replace("tags", "# tags"));
    let checked = scene.run(&["check"]);
    assert_eq!(checked.status, 78);
    assert!(checked.err.contains("the files of both are in one `directory`"), "{checked:?}");
}

#[test]
fn another_output_is_no_secret_that_went_to_those_with_another_token() {
    let (public, private) = public_and_private();
    let scene = scene(&public, &private, &outputs(&format!("\"{TOKEN}\""), ""));
    scene.must(&["poll"]);
    // What was served once is remembered over a restart.
    for _ in 0..2 {
        let daemon = scene.start();
        assert!(daemon.get("/news.atom").0.starts_with("HTTP/1.1 200"));
        assert!(is_missing(&daemon.get(&format!("/t/{TOKEN}/news.atom"))), "not gone: it is not theirs");
        assert!(with_password(&daemon, "/inhouse.atom", "another-password").0.starts_with("HTTP/1.1 401"));
        daemon.signal("TERM");
        assert_eq!(daemon.ended(), 0);
    }
}

#[test]
fn that_a_private_feed_told_a_story_first_is_not_seen_in_why_others_tell_it() {
    let text = "A freight train with grain derailed near Ostmark this morning, spilling its load over both tracks.";
    let of =
        |host: &str| rss(host, &[("1", &format!("https://{host}/train"), "Freight train derails near Ostmark", text)]);
    let (public, private) = (Origin::of(of("public.example")), Origin::of(of("inhouse.example")));
    let scene = scene(&public, &private, &outputs(&format!("\"{TOKEN}\""), ""));
    scene.must(&["poll", "zoo-feed"]);
    scene.must(&["poll", "public"]);
    let daemon = scene.start();
    let stories = |path: &str, password: &str| {
        let (_, body) = with_password(&daemon, path, password);
        serde_json::from_str::<Value>(&body).unwrap()
    };
    let feed = stories("/news.json", "");
    let address = feed["items"][0]["_newsfold"]["story_url"].as_str().unwrap();
    let path = format!("/story/{}", address.rsplit_once("/story/").unwrap().1);
    let seen = stories(&format!("{path}.json"), "");
    assert_eq!((&seen["sources"], &seen["coverage"][0]["rule"]), (&Value::from(1), &Value::Null), "{seen}");
    assert!(!daemon.get(&path).1.contains("same text"));
}

/// All files below a folder, each with its permissions and its text.
fn files_below(folder: std::path::PathBuf) -> Vec<(std::path::PathBuf, u32, String)> {
    use std::os::unix::fs::PermissionsExt;
    let (mut open, mut found) = (vec![folder], Vec::new());
    while let Some(path) = open.pop() {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|file| file.unwrap().path()));
            found.push((path, mode, String::new()));
        } else {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            found.push((path, mode, text));
        }
    }
    found
}

#[test]
fn what_may_not_be_seen_any_more_leaves_every_file() {
    // In the order in which they are stored.
    let names = ["okapi", "quagga", "zebra", "eland", "tapir"];
    let newest_first = |names: &[&str]| rss_of(&names.iter().rev().copied().collect::<Vec<_>>());
    let origin = Origin::of(newest_first(&names[..3]));
    let output = "[[output]]\nname = \"news\"\ndirectory = \"public\"\nlimit = 2\ncompress = true\n";
    let scene = Scene::with(&[("example", origin.url("/feed"))], output);
    scene.must(&["poll"]);
    let all = newest_first(&names);
    origin.change(move |_| Answer::ok(all.clone()));
    scene.must(&["poll"]);
    let told = |name: &str| {
        let files = files_below(scene.path("public"));
        files.iter().filter(|(_, _, text)| text.contains(&format!("/{name}"))).count()
    };
    assert!(names.iter().all(|name| told(name) > 0), "in the document, an archive, or its page");
    for (entry, name) in (1..).zip(names) {
        scene.must(&["forget", &entry.to_string()]);
        scene.must(&["poll"]);
        assert_eq!(told(name), 0, "{name}");
    }

    let is_closed = |mode: u32| mode & 0o007 == 0;
    let configuration = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    origin.change(move |_| Answer::ok(rss_of(&["gnu", "kudu", "oryx", "saiga"])));
    scene.must(&["poll"]);
    scene.write("newsfold.toml", &configuration.replace("limit = 2", &format!("limit = 2\ntoken = \"{TOKEN}\"")));
    scene.must(&["poll"]);
    for (path, mode, _) in files_below(scene.path("public")) {
        assert!(is_closed(mode), "{} {mode:o}", path.display());
    }
    scene.write("newsfold.toml", &configuration);
    scene.must(&["poll"]);
    for (path, mode, _) in files_below(scene.path("public")) {
        assert!(!is_closed(mode), "{} {mode:o}", path.display());
    }
}
