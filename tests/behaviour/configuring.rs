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
