//! What the program says about its configuration.

use crate::support::Scene;

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
