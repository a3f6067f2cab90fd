//! Feeds that a list elsewhere names.

use crate::support::{Answer, Origin, Request, Scene, rss_of};

/// A server of a list at `/list` and of feeds at `/NAME`, each with one entry of its name.
fn planet(named: &str) -> Origin {
    let planet = Origin::of("");
    name(&planet, named);
    planet
}

/// Lets the list name these feeds, a letter each, from now on.
fn name(planet: &Origin, named: &str) {
    let (base, named) = (planet.url(""), named.to_owned());
    planet.change(move |request| answer(request, &list(&base, &named)));
}

fn list(base: &str, named: &str) -> String {
    let outlines: String =
        named.chars().map(|name| format!("<outline type=\"rss\" text=\"{name}\" xmlUrl=\"{base}/{name}\"/>")).collect();
    format!("<opml version=\"2.0\"><head><title>Planet</title></head><body>{outlines}</body></opml>")
}

fn answer(request: &Request, list: &str) -> Answer {
    if request.target != "/list" {
        return Answer::ok(rss_of(&[request.target.trim_start_matches('/')]));
    }
    let tag = format!("\"{}\"", list.len());
    if request.header("if-none-match") == Some(tag.as_str()) {
        return Answer::new("304 Not Modified", &[("ETag", &tag)], "");
    }
    Answer::new("200 OK", &[("ETag", &tag), ("Content-Type", "text/x-opml")], list)
}

fn configured(planet: &Origin, more: &str) -> String {
    format!("[[list]]\nname = \"planet\"\nurl = \"{}\"\ntags = [\"planet\"]\n{more}", planet.url("/list"))
}

fn titles(scene: &Scene) -> Vec<String> {
    let mut titles: Vec<String> = scene.stories().into_iter().map(|(title, _)| title).collect();
    titles.sort();
    titles
}

/// How often each feed was asked, as letters.
fn asked(planet: &Origin) -> String {
    planet.asked().iter().filter(|asked| asked.target.len() == 2).map(|asked| asked.target.replace('/', "")).collect()
}

/// Which feeds were asked after so many requests, as letters in their order.
fn asked_since(planet: &Origin, before: usize) -> String {
    let mut polled: Vec<char> = asked(planet).chars().skip(before).collect();
    polled.sort_unstable();
    polled.into_iter().collect()
}

#[test]
fn the_feeds_of_a_list_are_polled_as_if_they_were_configured() {
    let planet = planet("abc");
    let own = Origin::of(rss_of(&["own"]));
    let feeds = [("own", own.url("/"))];
    let output = "[[output]]\nname = \"news\"\n[[output]]\nname = \"planet\"\ntags = [\"planet\"]\n";
    let scene = Scene::with(&feeds, &configured(&planet, output));
    let told = scene.must(&["poll"]);
    assert!(told.contains("4 new"), "{told}");
    assert_eq!(titles(&scene), ["a", "b", "c", "own"], "in one go");
    let of_the_planet = scene.json(&["publish", "planet", "--format", "json"]);
    assert_eq!(of_the_planet["items"].as_array().unwrap().len(), 3, "they have the list's tags");
    let shown = scene.json(&["feeds", "--json"]);
    assert_eq!(shown.as_array().unwrap().len(), 5, "the list is shown with its state, as feeds are");
    let daemon = scene.start();
    let opml = daemon.get("/feeds.opml").1;
    assert!(opml.contains("/a\"") && !opml.contains("/list\""), "{opml}");
    drop(daemon);
    // The list is asked conditionally, like a feed.
    scene.must(&["poll"]);
    let lists: Vec<_> = planet.asked().into_iter().filter(|asked| asked.target == "/list").collect();
    assert_eq!(lists.len(), 2);
    assert!(lists[1].header("if-none-match").is_some());
    // A feed that is configured, too, is one feed.
    scene.configure(&[("own", own.url("/")), ("mine", planet.url("/a"))], &configured(&planet, output));
    scene.must(&["poll"]);
    assert_eq!(titles(&scene), ["a", "b", "c", "own"]);
    assert!(scene.must(&["check", "--online"]).contains("planet: a list of 3 feeds"));
    // Without the list its feeds are shown no more.
    scene.configure(&feeds, "");
    scene.must(&["poll"]);
    assert_eq!(titles(&scene), ["own"]);
}

#[test]
fn a_feed_that_leaves_its_list_stays_and_is_not_polled() {
    let planet = planet("abcd");
    let scene = Scene::with(&[], &configured(&planet, ""));
    scene.must(&["poll"]);
    name(&planet, "abc");
    scene.must(&["poll"]);
    assert_eq!(titles(&scene), ["a", "b", "c", "d"]);
    let before = asked(&planet).matches('d').count();
    scene.must(&["poll"]);
    assert_eq!(asked(&planet).matches('d').count(), before, "it is not polled any more");
    let shown = scene.json(&["feeds", "--json"]);
    let left =
        shown.as_array().unwrap().iter().find(|feed| feed["address"].as_str().is_some_and(|at| at.ends_with("/d")));
    assert!(left.unwrap()["next_poll_why"].as_str().unwrap().contains("left the list `planet`"), "{left:?}");
    assert!(left.unwrap()["next_poll"].is_null(), "{left:?}");
    name(&planet, "abcde");
    scene.must(&["poll"]);
    assert_eq!(asked(&planet).matches('d').count(), before + 1, "it is named again");
    assert_eq!(titles(&scene), ["a", "b", "c", "d", "e"]);
}

#[test]
fn a_feed_of_several_lists_has_the_tags_of_all_that_name_it_and_is_polled_as_long_as_one_does() {
    let planet = Origin::of("");
    let say = |first: &str, second: &str| {
        let (first, second) = (list(&planet.url(""), first), list(&planet.url(""), second));
        planet.change(move |request| match request.target.as_str() {
            "/first" => Answer::ok(&*first),
            "/second" => Answer::ok(&*second),
            _ => answer(request, ""),
        });
    };
    say("abcdef", "efg");
    let mut text = String::new();
    for name in ["first", "second"] {
        let url = planet.url(&format!("/{name}"));
        text += &format!("[[list]]\nname = \"{name}\"\nurl = \"{url}\"\ntags = [\"{name}\"]\n");
        text += &format!("[[output]]\nname = \"{name}\"\ntags = [\"{name}\"]\n");
    }
    let scene = Scene::with(&[], &text);
    let told_in = |output: &str| {
        let stories = scene.json(&["publish", output, "--format", "json"]);
        let items = stories["items"].as_array().unwrap().iter();
        let mut titles: Vec<String> = items.map(|item| item["title"].as_str().unwrap().to_owned()).collect();
        titles.sort();
        titles.concat()
    };
    scene.must(&["poll"]);
    assert_eq!((told_in("first"), told_in("second")), ("abcdef".to_owned(), "efg".to_owned()));
    say("abcdf", "efg");
    scene.must(&["poll"]);
    let before = asked(&planet).len();
    scene.must(&["poll"]);
    assert!(asked_since(&planet, before).contains('e'), "the other list names it still");
    assert_eq!((told_in("first"), told_in("second")), ("abcdf".to_owned(), "efg".to_owned()));
    say("abcdf", "fg");
    scene.must(&["poll"]);
    let before = asked(&planet).len();
    scene.must(&["poll"]);
    assert!(!asked_since(&planet, before).contains('e'), "no list names it");
    assert_eq!(told_in("second"), "fg", "and it stays where it was first");
    assert!(told_in("first").contains('e'));
}

#[test]
fn a_list_under_a_new_address_keeps_its_feeds_until_it_was_read_there_and_is_asked_at_once() {
    let planet = planet("abc");
    let configured = |at: &str, more: &str| configured(&planet, more).replace("/list\"", &format!("{at}\""));
    let yearly = "schedule = \"0 5 1 1 *\"\n";
    let scene = Scene::with(&[], &configured("/list", yearly));
    scene.must(&["poll"]);
    assert_eq!(titles(&scene), ["a", "b", "c"]);
    let base = planet.url("");
    planet.change(move |request| match request.target.as_str() {
        "/moved" => Answer::status("503 Service Unavailable"),
        _ => answer(request, &list(&base, "abc")),
    });
    scene.configure(&[], &configured("/moved", yearly));
    let before = asked(&planet).len();
    scene.run(&["poll", "--due"]);
    assert!(planet.asked().iter().any(|asked| asked.target == "/moved"), "it is asked at once");
    scene.run(&["poll"]);
    assert_eq!(asked_since(&planet, before), "abc", "its feeds are polled");
    assert_eq!(titles(&scene), ["a", "b", "c"]);
    // What it names there counts as what it names the next time.
    let base = planet.url("");
    planet.change(move |request| match request.target.as_str() {
        "/moved" => Answer::ok(list(&base, "abd")),
        _ => answer(request, ""),
    });
    scene.must(&["poll"]);
    assert_eq!(titles(&scene), ["a", "b", "c", "d"]);
    let before = asked(&planet).len();
    scene.must(&["poll"]);
    assert!(!asked_since(&planet, before).contains('c'), "it has left");
}

#[test]
fn a_feed_whose_address_its_list_corrects_tells_nothing_again() {
    let planet = planet("abcde");
    let (scene, base) = (Scene::with(&[], &configured(&planet, "")), planet.url(""));
    scene.must(&["poll"]);
    let before = scene.stories();
    planet.change(move |request| {
        let moved = list(&base, "abcde").replace("/e\"", "/new-e\"");
        if request.target == "/new-e" { Answer::ok(rss_of(&["e"])) } else { answer(request, &moved) }
    });
    (0..2).for_each(|_| drop(scene.must(&["poll"])));
    assert!(planet.asked().iter().any(|asked| asked.target == "/new-e"));
    assert_eq!(scene.stories(), before, "each of one source");
}

#[test]
fn a_list_that_shrinks_breaks_or_turns_into_something_else_takes_nothing_away() {
    let planet = planet("abcdef");
    let scene = Scene::with(&[], &configured(&planet, ""));
    scene.must(&["poll"]);
    let polled = |expected: &str| {
        let before = asked(&planet).len();
        scene.must(&["poll"]);
        assert_eq!(asked_since(&planet, before), expected);
    };
    let base = planet.url("");
    for document in [
        "<html><body>parked</body></html>".to_owned(),
        rss_of(&["x"]),
        String::new(),
        list(&base, "ab").replace("</body></opml>", ""),
    ] {
        planet.change(move |request| answer(request, &document));
        (0..4).for_each(|_| polled("abcdef"));
    }
    planet.change(
        move |request| {
            if request.target == "/list" { Answer::status("404 Not Found") } else { answer(request, "") }
        },
    );
    polled("abcdef");
    // Two further readings have to agree.
    name(&planet, "abx");
    polled("abcdefx");
    polled("abcdefx");
    name(&planet, "abcdef");
    polled("abcdefx");
    polled("abcdef");
    name(&planet, "ab");
    // What the third of them takes away was polled with it.
    (0..3).for_each(|_| polled("abcdef"));
    polled("ab");
    // Or a person.
    name(&planet, "a");
    scene.must(&["poll", "planet"]);
    polled("a");
}

#[test]
fn a_running_daemon_takes_up_what_a_list_names() {
    let planet = planet("a");
    let scene = Scene::with(&[], &configured(&planet, "interval = \"1s\"\n"));
    let text = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    scene.write("newsfold.toml", &text.replacen("interval = \"1h\"", "interval = \"1s\"", 1));
    let mut daemon = scene.start();
    let mut wait_for = |title: &str| {
        while !daemon.get("/news.atom").1.contains(&format!("<title>{title}</title>")) {
            daemon.wait_for_event("output.published");
        }
    };
    wait_for("a");
    name(&planet, "ab");
    wait_for("b");
}

#[test]
fn what_a_list_names_is_bounded_and_of_the_web() {
    let planet = planet("");
    let base = planet.url("");
    let feeds = format!(
        "<outline xmlUrl=\"file:///etc/passwd\"/><outline xmlUrl=\"{base}/a#x\"/><outline xmlUrl=\"{base}/a\"/>\
         <outline xmlUrl=\"http://me:secret@127.0.0.1/b\"/><outline xmlUrl=\"javascript:x\"/>"
    );
    let list = format!("<opml version=\"2.0\"><body>{feeds}</body></opml>");
    planet.change(move |request| answer(request, &list));
    let scene = Scene::with(&[], &configured(&planet, "username = \"u\"\npassword = \"p\"\n"));
    scene.must(&["poll"]);
    assert_eq!(titles(&scene), ["a"]);
    for asked in planet.asked() {
        assert_eq!(
            asked.header("authorization").is_some(),
            asked.target == "/list",
            "the list's credentials are its own"
        );
    }
    let repairs = scene.json(&["feeds", "--json"]).to_string();
    assert!(repairs.contains("what is not on the web is left out") && !repairs.contains("secret"), "{repairs}");
}

#[test]
fn a_feed_keeps_its_name_whoever_joins_its_list_or_leaves_it() {
    let planet = planet("bc");
    let scene = Scene::with(&[], &configured(&planet, ""));
    scene.must(&["poll"]);
    let names = || -> Vec<(String, String)> {
        let feeds = scene.json(&["feeds", "--json"]);
        let text = |feed: &serde_json::Value, key: &str| feed[key].as_str().unwrap().to_owned();
        feeds.as_array().unwrap().iter().map(|feed| (text(feed, "address"), text(feed, "name"))).collect()
    };
    let before = names();
    // It stands before the others, and would have the first one's name.
    name(&planet, "abc");
    scene.must(&["poll"]);
    let after = names();
    assert_eq!(after.len(), before.len() + 1);
    assert!(before.iter().all(|feed| after.contains(feed)), "{before:?} {after:?}");
}

#[test]
fn what_a_list_brought_is_not_taken_out_of_a_file_that_does_not_hold_it() {
    let planet = planet("a");
    let scene = Scene::with(&[], &configured(&planet, ""));
    scene.must(&["poll"]);
    let told = scene.run(&["remove", &planet.url("/a")]);
    assert!(told.status == 1 && told.err.contains("is there because the list `planet` names it"), "{told:?}");
    let told = scene.run(&["remove", "planet"]);
    assert!(
        told.status == 1 && told.err.contains("`planet` is a list of feeds; take its `[[list]]` out of"),
        "{told:?}"
    );
    assert!(scene.run(&["remove", "nothing"]).err.contains("has no feed `nothing`"));
}
