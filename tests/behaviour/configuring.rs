//! What the program says about its configuration.

use crate::support::{Answer, Origin, Scene, rss, rss_of};

#[test]
fn what_init_writes_is_a_configuration_with_nothing_wrong() {
    let scene = Scene::with(&[], "");
    scene.must(&["init", "fresh.toml"]);
    scene.must(&["--config", "fresh.toml", "check"]);
    let again = scene.run(&["init", "fresh.toml"]);
    assert_eq!(again.status, 1);
    assert!(again.err.contains("exists already"), "{}", again.err);
}

#[test]
fn what_init_writes_names_the_schema_that_it_puts_beside_it() {
    let scene = Scene::with(&[], "");
    scene.must(&["init", "fresh.toml"]);
    let written = std::fs::read_to_string(scene.path("fresh.toml")).unwrap();
    assert!(written.starts_with("#:schema ./fresh.schema.json\n"), "{written}");
    let schema = std::fs::read_to_string(scene.path("fresh.schema.json")).unwrap();
    assert_eq!(schema, scene.must(&["schema"]));
}

#[test]
fn check_tells_all_problems_at_once_with_their_places() {
    let scene = Scene::with(&[], "");
    scene.write(
        "newsfold.toml",
        "[store]\nkep = \"1d\"\n[poll]\ninterval = \"1 hour\"\n[[feed]]\nurl = \"example.org\"\nschedule = \"* * *\"\n[[output]]\nname = \"New s\"\n",
    );
    let ended = scene.run(&["check"]);
    assert_eq!(ended.status, 78);
    for place in [
        "newsfold.toml:2:1: ",
        "newsfold.toml:4:12: ",
        "newsfold.toml:6:7: ",
        "newsfold.toml:7:12: ",
        "newsfold.toml:9:8: ",
    ] {
        assert!(ended.err.contains(place), "{place} in {}", ended.err);
    }
    assert!(ended.err.contains("did you mean `keep`?"), "{}", ended.err);
    assert_eq!(ended.out, "");
}

#[test]
fn without_a_configuration_it_says_where_it_looked() {
    let scene = Scene::with(&[], "");
    std::fs::remove_file(scene.path("newsfold.toml")).unwrap();
    for arguments in [&["poll"][..], &["--config", "nowhere.toml", "check"]] {
        let ended = scene.run(arguments);
        assert_eq!(ended.status, 78);
        assert!(ended.err.contains("newsfold init"), "{}", ended.err);
    }
    assert_eq!(scene.run(&["frobnicate"]).status, 2);
}

#[test]
fn a_feed_that_is_not_there_is_named() {
    let scene = Scene::with(&[], "");
    let ended = scene.run(&["poll", "nobody"]);
    assert_eq!(ended.status, 1);
    assert!(ended.err.contains("`nobody`"), "{}", ended.err);
}

#[test]
fn check_tells_of_secrets_that_everybody_may_read() {
    use std::os::unix::fs::PermissionsExt;
    let feed = "[[feed]]\nname = \"a\"\nurl = \"https://a.example/\"\nheaders = { X-Key = { file = \"key\" } }\n";
    let scene = Scene::with(&[], feed);
    scene.write("key", "hunter2");
    let allow = |mode| {
        let allowed = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(scene.path("key"), allowed).unwrap();
    };
    allow(0o644);
    let told = scene.run(&["check"]);
    assert!(told.status == 0 && told.err.contains("feed `a`: every user") && told.err.contains("key"), "{told:?}");
    allow(0o640);
    assert!(!scene.run(&["check"]).err.contains("every user"));
    let literal = feed.replace("{ file = \"key\" }", "\"hunter2\"");
    scene.configure(&[], &literal);
    std::fs::set_permissions(scene.path("newsfold.toml"), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(scene.run(&["check"]).err.contains("newsfold.toml"));
}

#[test]
fn check_refuses_a_folder_as_a_store() {
    let scene = Scene::with(&[], "[store]\npath = \".\"\n");
    let told = scene.run(&["check"]);
    assert_eq!(told.status, 78);
    assert!(told.err.contains("store.path is the folder"), "{}", told.err);
}

#[test]
fn check_says_what_can_be_known_without_asking_anybody() {
    let feeds = [
        ("gone", "file:gone.xml".to_owned()),
        ("private", "https://192.168.7.7/feed".to_owned()),
        ("here", "file:here.xml".to_owned()),
    ];
    let more = "[[feed]]\nname = \"locked\"\nurl = \"https://a.example/\"\nca = \"nowhere.pem\"\n\
                headers = { X-A = { file = \"no-key\" }, X-B = { env = \"NOT_SET\" }, X-C = { credential = \"service\" } }\n\
                [[output]]\nname = \"news\"\ndirectory = \"here.xml/public\"\n";
    let scene = Scene::with(&feeds, more);
    scene.write("here.xml", "");
    let told = scene.run(&["check"]);
    for expected in [
        "feed `gone`: its file cannot be read",
        "feed `private`: 192.168.7.7 is a private network",
        "feed `locked`: its secret cannot be read: ",
        "no-key",
        "`NOT_SET` is not set",
        "feed `locked`: `ca` cannot be read",
        "output `news`: `directory` cannot be written to",
    ] {
        assert!(told.err.contains(expected), "{expected}: {told:?}");
    }
    assert!(!told.err.contains("`service`") && !told.err.contains("feed `here`"), "{told:?}");
    assert!(told.status == 0 && told.out.contains("7 warnings above to look at"), "{told:?}");
}

#[test]
fn a_configuration_that_is_not_utf8_is_told_with_its_place() {
    let scene = Scene::with(&[], "");
    std::fs::write(scene.path("newsfold.toml"), b"# one\n# Caf\xe9\n").unwrap();
    let told = scene.run(&["check"]);
    assert_eq!(told.status, 78);
    assert!(told.err.contains("newsfold.toml:2:6: not valid UTF-8") && !told.err.contains("--config"), "{told:?}");
}

#[test]
fn a_broken_template_is_told_like_a_wrong_configuration() {
    let scene = Scene::with(&[], "[serve]\nlisten = \"127.0.0.1:0\"\ntemplates = \"look\"\n");
    scene.write("look/river.html", "{% if %}");
    for command in ["run", "check"] {
        let told = scene.run(&[command]);
        assert!(told.status == 78 && told.err.contains("river.html"), "{command}: {told:?}");
    }
}

#[test]
fn a_copy_that_would_overwrite_something_needs_another_name() {
    let scene = Scene::with(&[], "");
    scene.must(&["poll"]);
    scene.write("copy.db", "mine");
    let told = scene.run(&["store", "backup", "copy.db"]);
    assert!(told.status == 1 && told.err.contains("give another name") && !told.err.contains("store.path"), "{told:?}");
}

#[test]
fn a_feed_is_added_under_its_title_and_removed_by_name() {
    let origin = Origin::of(rss("A \"fine\" paper", &[("1", "https://example.org/a", "News", "t")]));
    let scene = Scene::with(&[("other", "https://other.example/feed".into())], "");
    let before = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    scene.must(&["add", &origin.url("/feed"), "--tag", "world"]);
    assert!(std::fs::read_to_string(scene.path("newsfold.toml")).unwrap().contains("name = 'A \"fine\" paper'"));
    scene.must(&["remove", "A \"fine\" paper"]);
    assert_eq!(std::fs::read_to_string(scene.path("newsfold.toml")).unwrap().trim_end(), before.trim_end());
    scene.must(&["add", &origin.url("/feed"), "--name", "fine"]);
    for wrong in [&["add", &origin.url("/second"), "--name", "fine"][..], &["remove", "nobody"]] {
        assert_eq!(scene.run(wrong).status, 1, "{wrong:?}");
    }
    scene.must(&["remove", &origin.url("/feed")]);
    scene.must(&["remove", "other"]);
    assert_eq!(scene.run(&["remove", "other"]).status, 1);
}

#[test]
fn a_feed_whose_address_is_edited_tells_nothing_again() {
    let document = |title: &str, ids: &[&'static str]| {
        let titles: Vec<_> = ids.iter().map(|id| (*id, format!("{title} {id}"))).collect();
        let entries = titles.iter().map(|(id, title)| (*id, "https://a.example/", title.as_str(), title.as_str()));
        rss("A", &entries.collect::<Vec<_>>())
    };
    let origin = Origin::of(document("News", &["1", "2", "3"]));
    let scene = Scene::with(&[], &format!("[[feed]]\nurl = \"{}\"\n", origin.url("/old")));
    let shown = || scene.must(&["publish", "--format", "json"]);
    let ids = || {
        let items = serde_json::from_str::<serde_json::Value>(&shown()).unwrap()["items"].take();
        items.as_array().unwrap().iter().map(|item| item["id"].to_string()).collect::<Vec<_>>()
    };
    scene.must(&["poll"]);
    let before = ids();
    for address in ["/new", "/old", "/third"] {
        scene.configure(&[], &format!("[[feed]]\nurl = \"{}\"\n", origin.url(address)));
        scene.must(&["poll"]);
        assert_eq!((ids(), scene.stories()[0].1), (before.clone(), 1), "{address}");
    }
    for (what, other) in [
        ("one with the same guids", document("Weather", &["1", "2", "3"])),
        ("one that has a part of it", document("News", &["1"])),
    ] {
        origin.change(move |_| Answer::ok(&other));
        scene.configure(&[], &format!("[[feed]]\nurl = \"{}\"\n", origin.url(&format!("/{}", what.len()))));
        scene.must(&["poll"]);
        assert!(ids().iter().all(|id| !before.contains(id)), "{what} is another feed");
    }
}

#[test]
fn poll_is_quiet_where_it_is_asked_to_and_tells_when_nothing_could_be_polled() {
    let origin = Origin::of(rss("A", &[("1", "https://example.org/a", "News", "t")]));
    let scene = Scene::with(&[("a", origin.url("/")), ("gone", "file:nowhere.xml".into())], "");
    let ended = scene.run(&["poll", "--quiet"]);
    assert_eq!((ended.status, ended.out.as_str(), ended.err.as_str()), (0, "", ""));
    let ended = scene.run(&["poll", "-q", "gone"]);
    assert_eq!(ended.status, 1);
    assert!(ended.out.contains("1 failed: gone"), "{ended:?}");
}

#[test]
fn each_command_has_help_with_its_own_options_first_and_an_example() {
    let scene = Scene::with(&[], "");
    for asked in [&["help", "add"][..], &["add", "--help"]] {
        let help = scene.must(asked);
        let at = |words: &str| help.find(words).unwrap_or_else(|| panic!("{words} in {help}"));
        assert!(at("--tag") < at("Options of every command") && at("--config") > at("--tag"));
        assert!(help.contains("newsfold add https://example.org/"), "{help}");
    }
}

#[test]
fn further_files_hold_feeds_and_are_told_of_by_name() {
    let [one, two, three] = ["a", "b", "c"].map(|name| Origin::of(rss_of(&[name])));
    let scene = Scene::with(&[("one", one.url("/"))], "");
    let table = |name: &str, url: String| format!("[[feed]]\nname = \"{name}\"\nurl = \"{url}\"\n");
    scene.write("feeds.d/b.toml", &table("two", two.url("/")));
    scene.write("feeds.d/.hidden.toml", "nonsense");
    scene.write("feeds.d/b.toml~", "nonsense");
    scene.write("feeds.d/notes.txt", "nonsense");
    scene.must(&["poll"]);
    assert_eq!(scene.stories().len(), 2);
    let mut daemon = scene.start();
    // A reload takes up what is new, and refuses what is wrong with its place.
    scene.write("feeds.d/c.toml", &(table("three", three.url("/")) + "\n[[output]]\nname = \"x\"\n"));
    daemon.signal("HUP");
    assert!(daemon.wait_for_event("config.refused").contains(
        "feeds.d/c.toml:5:3: unknown key `output`; only `[[feed]]` may stand here; write it into newsfold.toml"
    ));
    scene.write("feeds.d/c.toml", &table("three", three.url("/")));
    daemon.signal("HUP");
    daemon.wait_for_reload();
    assert_eq!(scene.json(&["feeds", "--json"]).as_array().unwrap().len(), 3);
    // What stands in two files is told of with both.
    scene.write("feeds.d/d.toml", &format!("# one\n{}", table("two", two.url("/"))));
    let told = scene.run(&["check"]);
    assert_eq!(told.status, 78);
    let lines: Vec<&str> = told.err.lines().collect();
    assert!(lines[0].starts_with("feeds.d/d.toml:3:8: feed `two`: the feed on line 2 of /"), "{told:?}");
    assert!(
        lines[1].starts_with("feeds.d/d.toml:4:7: feed `two`: url is also that of feed `two` on line 3 of /"),
        "{told:?}"
    );
    scene.write("feeds.d/d.toml", "[[feed]]\nurl = \n");
    assert!(scene.run(&["check"]).err.contains("feeds.d/d.toml:2:"));
    std::fs::write(scene.path("feeds.d/d.toml"), b"[[feed]]\n# \xff").unwrap();
    assert!(scene.run(&["check"]).err.contains("feeds.d/d.toml:2:3: not valid UTF-8"));
    // What is no file is not waited for.
    std::fs::remove_file(scene.path("feeds.d/d.toml")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(scene.path("feeds.d/d.toml")).status().unwrap().success());
    let told = scene.run(&["check"]).err;
    assert!(told.contains("feeds.d/d.toml: cannot be read: it is no file; move it elsewhere"), "{told}");
    std::fs::remove_file(scene.path("feeds.d/d.toml")).unwrap();
    // Whoever adds writes to the file that is named, and whoever removes finds the one where it stands.
    let four = Origin::of(rss_of(&["d"]));
    scene.must(&["add", &four.url("/"), "--name", "four"]);
    assert!(std::fs::read_to_string(scene.path("newsfold.toml")).unwrap().contains("name = \"four\""));
    let again = scene.run(&["add", &three.url("/"), "--name", "three-again"]);
    assert!(again.out.contains("feeds.d/c.toml already"), "{again:?}");
    assert!(again.out.contains("already"), "{again:?}");
    let removed = scene.must(&["remove", "three"]);
    assert!(removed.trim_end().ends_with("feeds.d/c.toml"), "{removed}");
    assert!(!std::fs::read_to_string(scene.path("feeds.d/c.toml")).unwrap().contains("three"));
    scene.must(&["remove", "one"]);
    assert!(!std::fs::read_to_string(scene.path("newsfold.toml")).unwrap().contains("\"one\""));
    assert!(std::fs::read_to_string(scene.path("feeds.d/b.toml")).unwrap().contains("two"));
}

#[test]
fn further_files_that_cannot_be_had_are_told_of() {
    let scene = Scene::with(&[], "");
    std::os::unix::fs::symlink(scene.path("nowhere"), scene.path("feeds.d")).unwrap();
    let told = scene.run(&["check"]);
    assert!(
        told.status == 78
            && told.err.contains("feeds.d: cannot be read: ")
            && told.err.contains("it is a link to what is not there"),
        "{told:?}"
    );
    std::fs::remove_file(scene.path("feeds.d")).unwrap();
    scene.write("feeds.d", "[[feed]]");
    let told = scene.run(&["check"]);
    assert!(told.status == 78 && told.err.contains("make it a folder, or give it another name"), "{told:?}");
}
