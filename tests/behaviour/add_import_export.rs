//! Feeds into the configuration and out of it: `add`, `import`, `export`.

use std::os::unix::fs::MetadataExt;

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
    assert!(
        after.contains(&format!("url = \"{}\"\nname = \"A feed\"\ntags = [\"world\"]", origin.url("/rss"))),
        "{after}"
    );
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
fn a_broken_list_gives_the_feeds_that_it_has_and_what_is_no_list_is_told_with_its_line() {
    let scene = Scene::with(&[], "");
    scene.write(
        "list.opml",
        "<opml><body><outline text=\"R & D\" xmlUrl=\"https://a.example/?x=1&y=2\"/>\n\
         <outline text=\"Page\" type=\"HTML+XPath\" xmlUrl=\"https://page.example/\"/>\n<outline text='F'>",
    );
    let ended = scene.run(&["import", "list.opml"]);
    assert!(ended.status == 0 && ended.out.starts_with("1 feed added"), "{ended:?}");
    assert!(ended.err.contains("list.opml:2: Page: https://page.example/ is a web page"), "{ended:?}");
    assert!(ended.err.contains("list.opml:3: the list breaks off here"), "{ended:?}");
    assert!(std::fs::read_to_string(scene.path("newsfold.toml")).unwrap().contains("https://a.example/?x=1&y=2"));
    scene.write("list.opml", "\n<rss/>");
    let ended = scene.run(&["import", "list.opml"]);
    assert!(ended.status == 1 && ended.err.contains("list.opml:2: not an OPML list"), "{ended:?}");
}

#[test]
fn what_export_writes_import_reads_back_whatever_the_tags_hold() {
    let feeds = "\n[[feed]]\nurl = \"https://a.example/0\"\nname = \"feed 0\"\ntags = [\"Art/Design\", \"x\"]\n\
                 \n[[feed]]\nurl = \"https://a.example/1\"\nname = \"feed 1\"\ntags = [\"News, local\", \"y\"]\n";
    let scene = Scene::with(&[], "");
    scene.write("newsfold.toml", feeds);
    let list = scene.must(&["export"]);
    scene.write("list.opml", &list);
    scene.write("newsfold.toml", "");
    scene.must(&["import", "list.opml"]);
    assert_eq!(std::fs::read_to_string(scene.path("newsfold.toml")).unwrap(), feeds);
}

#[test]
fn export_names_the_page_of_a_feed_that_was_polled() {
    let origin = Origin::of(rss_of(&["a"]));
    let scene = Scene::with(&[("one", origin.url("/"))], "");
    assert!(!scene.must(&["export"]).contains("htmlUrl"));
    scene.must(&["poll"]);
    assert!(scene.must(&["export"]).contains("htmlUrl=\"https://example.org/\""));
}

#[test]
fn the_published_list_has_addresses_that_lead_to_their_feeds_and_none_that_is_private() {
    let scene = Scene::with(
        &[
            ("one", "https://v.example/videos.xml?channel_id=UCBR8-60-B28hp2BmDPdntcQ".into()),
            ("two", "https://v.example/videos.xml?channel_id=UC2".into()),
            ("key", "https://k.example/feed?token=SECRET".into()),
        ],
        "schedule = \"0 0 1 1 *\"\n[[feed]]\nname = \"mine\"\nurl = \"https://mine.example/feed\"\nprivate = true\n\
         [[feed]]\nname = \"shown\"\nurl = \"https://shown.example/feed?user=everybody\"\nprivate = false\n",
    );
    let config = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap().replace("interval = \"1h\"\n", "");
    scene.write("newsfold.toml", &config);
    let list = scene.start().get("/feeds.opml").1;
    for shown in ["?channel_id=UCBR8-60-B28hp2BmDPdntcQ\"", "?channel_id=UC2\"", "?user=everybody\""] {
        assert!(list.contains(shown), "{list}");
    }
    assert!(!list.contains("SECRET") && !list.contains("mine") && !list.contains("k.example"), "{list}");
    assert!(list.contains("<!-- 2 feeds not listed"), "{list}");
}

#[test]
fn a_page_is_looked_through_for_its_feed_whatever_stands_before_it() {
    let style = "p > a { color: red } ".repeat(40_000);
    let origin = Origin::start(move |request| match request.target.as_str() {
        "/" => Answer::ok(format!(
            "<!doctype html><html><head><script>'<link rel=feed href=/no>'</script><style>{style}</style>\
             <link href rel=alternate type=application/rss+xml>\
             <link rel=alternate type='application/rss&#43;xml; charset=utf-8' href='&#47;rss'></head></html>"
        )),
        "/wide" => {
            let page = "\u{feff}<!doctype html><html><head><link rel=feed href=/rss></head></html>";
            Answer::ok(page.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>())
        }
        "/rss" => Answer::ok(rss_of(&["a"])),
        _ => Answer::status("404 Not Found"),
    });
    for page in ["/", "/wide"] {
        let scene = Scene::with(&[], "");
        assert!(scene.must(&["add", &origin.url(page)]).contains(&origin.url("/rss")));
    }
}

#[test]
fn a_configuration_keeps_its_line_ends_and_its_owner() {
    let scene = Scene::with(&[("known", "https://known.example/".into())], "");
    let before = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap().replace('\n', "\r\n");
    scene.write("newsfold.toml", &before);
    scene.write("list.opml", "<opml><outline text='A' xmlUrl='https://a.example/'/></opml>");
    let number = |name: &str| std::fs::metadata(scene.path(name)).unwrap().uid();
    let owner = number("newsfold.toml");
    scene.must(&["import", "list.opml"]);
    let after = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    let added = "\r\n[[feed]]\r\nurl = \"https://a.example/\"\r\nname = \"A\"\r\n";
    assert_eq!(after, format!("{before}{added}"));
    assert_eq!(number("newsfold.toml"), owner);
}
