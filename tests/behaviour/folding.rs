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
