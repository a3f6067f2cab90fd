//! Feeds into the configuration and out of it: `add`, `import`, `export`.

use crate::support::{Answer, Origin, Scene, rss_of};

#[test]
fn add_finds_the_feed_that_a_page_names_tries_it_and_keeps_the_comments() {
    let origin = Origin::start(|request| match request.target.as_str() {
        "/" => Answer::ok(
            "<!doctype html><html><head><link rel=alternate type='application/rss+xml' href='/rss'></head></html>",
        ),
        "/rss" => Answer::ok(rss_of(&["a"])),
        _ => Answer::status("404 Not Found"),
    });
    let scene = Scene::with(&[], "");
    let before = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap() + "# The end.\n";
    scene.write("newsfold.toml", &before);
    let told = scene.must(&["add", &origin.url("/"), "--tag", "world"]);
    assert!(told.contains("A feed, 1 entry"), "{told}");
    let after = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    assert!(after.contains(&format!("url = \"{}\"\ntags = [\"world\"]", origin.url("/rss"))), "{after}");
    assert!(after.contains("# The end."), "{after}");
    assert!(scene.must(&["add", &origin.url("/rss")]).contains("already"));
    assert!(scene.must(&["poll"]).starts_with("1 new"));
}

#[test]
fn add_offers_the_feeds_of_a_page_that_names_several_and_changes_nothing() {
    let origin = Origin::of(
        "<!doctype html><html><head><link rel=alternate type='application/rss+xml' href='/1' title='News'>\
         <link rel=alternate type='application/atom+xml' href='/2' title='Comments'></head></html>",
    );
    let scene = Scene::with(&[], "");
    let before = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    let ended = scene.run(&["add", &origin.url("/")]);
    assert_eq!(ended.status, 1);
    assert!(ended.out.contains(&origin.url("/1")) && ended.out.contains("Comments"), "{ended:?}");
    assert_eq!(std::fs::read_to_string(scene.path("newsfold.toml")).unwrap(), before);
    for nothing in ["nowhere:", "http://127.0.0.1:1/"] {
        assert_eq!(scene.run(&["add", nothing]).status, 1);
    }
}

#[test]
fn a_page_leads_to_no_file_and_add_goes_where_polls_go() {
    let scene = Scene::with(&[], "");
    scene.write("private.xml", &rss_of(&["hunter2"]));
    let file = scene.path("private.xml");
    let page = format!(
        "<!doctype html><html><head><link rel=alternate type='application/rss+xml' href='file://{}'></head></html>",
        file.display()
    );
    let origin = Origin::of(page);
    let ended = scene.run(&["add", &origin.url("/")]);
    assert!(ended.status == 1 && ended.err.contains("no feed on the web"), "{ended:?}");
    assert!(!std::fs::read_to_string(scene.path("newsfold.toml")).unwrap().contains("private"));

    let proxy = Origin::of(rss_of(&["a"]));
    let scene = Scene::with(&[], &format!("proxy = \"{}\"\n", proxy.url("")));
    scene.must(&["add", "feed:http://news.example/feed"]);
    assert_eq!(proxy.asked()[0].target, "http://news.example/feed");
    scene.write(
        "list.opml",
        "<opml version='1.0'><body><outline text='One' xmlUrl='feed:https://one.example/feed'/></body></opml>",
    );
    assert!(scene.must(&["import", "list.opml"]).starts_with("1 feed added"));
    let written = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    assert!(written.contains("url = \"http://news.example/feed\""), "{written}");
    assert!(written.contains("url = \"https://one.example/feed\""), "{written}");
}

#[test]
fn a_list_goes_in_with_its_folders_as_tags_and_comes_out_again() {
    let scene = Scene::with(&[("known", "https://known.example/".into())], "");
    scene.write(
        "list.opml",
        "<opml version='1.0'><body><outline text='World'><outline text='One' xmlUrl='https://one.example/feed'/></outline>\n\
         <outline text='Known' xmlUrl='https://known.example/'/>\n<outline text='Odd' xmlUrl='gopher://x'/></body></opml>",
    );
    let ended = scene.run(&["import", "list.opml"]);
    assert_eq!(ended.status, 0, "{ended:?}");
    assert!(ended.out.starts_with("1 feed added") && ended.out.contains("2 skipped"), "{ended:?}");
    assert!(ended.err.contains("list.opml:2: Known: it is there already"), "{ended:?}");
    assert!(ended.err.contains("list.opml:3: Odd"), "{ended:?}");
    let out = scene.must(&["export"]);
    assert!(out.contains("<outline text=\"World\">"), "{out}");
    assert!(out.contains("text=\"One\" xmlUrl=\"https://one.example/feed\""), "{out}");
    scene.write("out.opml", &out);
    assert!(scene.must(&["import", "out.opml"]).starts_with("0 feeds added"));
}

#[test]
fn a_bad_list_is_told_with_line_and_column() {
    let scene = Scene::with(&[], "");
    scene.write("list.opml", "<opml>\n<body><outline text=a></body>");
    let ended = scene.run(&["import", "list.opml"]);
    assert_eq!(ended.status, 1);
    assert!(ended.err.contains("list.opml:2:"), "{}", ended.err);
}
