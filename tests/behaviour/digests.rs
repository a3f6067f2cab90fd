//! Outputs that tell once a period what most sources told.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::Value;

use crate::support::{Answer, Origin, Scene};

/// A feed of these reports: `(id, page, title, date)`.
fn feed(name: &str, reports: &[(&str, &str, &str, DateTime<Utc>)]) -> String {
    let items: String = reports
        .iter()
        .map(|(id, page, title, at)| {
            let at = at.format("%a, %d %b %Y %H:%M:%S GMT");
            format!("<item><guid isPermaLink=\"false\">{id}</guid><link>{page}</link><title>{title}</title><description>Text of {title}.</description><pubDate>{at}</pubDate></item>")
        })
        .collect();
    format!(
        "<rss version=\"2.0\"><channel><title>{name}</title><link>https://example.org/</link><description>d</description>{items}</channel></rss>"
    )
}

fn digests(scene: &Scene) -> Vec<Value> {
    scene.json(&["publish", "daily", "--format", "json"])["items"].as_array().unwrap().clone()
}

fn listed(digest: &Value) -> Vec<(String, u64)> {
    let stories = digest["_newsfold"]["digest"].as_array().unwrap().iter();
    stories.map(|story| (story["title"].as_str().unwrap().to_owned(), story["sources"].as_u64().unwrap())).collect()
}

/// Makes all that is stored so much older.
fn age(scene: &Scene, by: TimeDelta) {
    let store = rusqlite::Connection::open(scene.path("newsfold.db")).unwrap();
    let by = by.num_milliseconds();
    store
        .execute_batch(&format!(
            "UPDATE entry SET first_seen = first_seen - {by}, published = published - {by}, place = place - {by};
             UPDATE story SET founded = founded - {by}, published = published - {by}, sort_at = sort_at - {by};
             UPDATE digest_progress SET until = until - {by}; UPDATE digest SET until = until - {by};"
        ))
        .unwrap();
}

/// A crontab line that comes due each day at the hour after this one.
fn next_hour(now: DateTime<Utc>) -> String {
    (now + TimeDelta::hours(1)).format("0 %-H * * *").to_string()
}

#[test]
fn a_digest_lists_what_most_sources_told_first_and_is_final() {
    let now = newsfold::clock::now();
    let ferry = move |id| (id, "https://example.org/ferry", "The ferry is afloat", now);
    let one = Origin::of(feed("One", &[("1", "https://one.example/eels", "Market day", now), ferry("2")]));
    let two = Origin::of(feed("Two", &[ferry("1")]));
    let feeds = [("one", one.url("/")), ("two", two.url("/"))];
    let output = |title: &str| {
        format!(
            "timezone = \"Asia/Tokyo\"\n[serve]\nlisten = \"127.0.0.1:0\"\n[[output]]\nname = \"daily\"\ntitle = \"{title}\"\ndigest = \"{}\"\n",
            (now + TimeDelta::hours(10)).format("0 %-H * * *")
        )
    };
    let scene = Scene::with(&feeds, &output("The day"));
    scene.must(&["poll"]);
    assert!(digests(&scene).is_empty(), "the period is not over");
    age(&scene, TimeDelta::days(1));
    scene.must(&["poll"]);
    let made = digests(&scene);
    assert_eq!(made.len(), 1);
    assert_eq!(listed(&made[0]), [("The ferry is afloat".to_owned(), 2), ("Market day".to_owned(), 1)]);
    let title = made[0]["title"].as_str().unwrap();
    let in_tokyo = (now + TimeDelta::hours(10)).format(", %H:00").to_string();
    assert!(title.starts_with("The day, ") && title.ends_with(&in_tokyo), "{title}: by the clock of poll.timezone");
    // Every format shows it, and a page for people.
    let bytes = ["atom", "rss", "json", "html"].map(|format| scene.must(&["publish", "daily", "--format", format]));
    for document in &bytes {
        let [ferry, market] = ["The ferry is afloat", "Market day"].map(|title| document.find(title).unwrap());
        assert!(ferry < market, "{document}");
        assert!(document.contains("https://one.example/eels") && !document.contains("<source"), "{document}");
    }
    // It stays as it is, whatever becomes of its stories and of the output.
    let three = Origin::of(feed("Three", &[ferry("1")]));
    one.change(move |_| {
        Answer::ok(feed("One", &[("1", "https://one.example/eels", "Market day, corrected", now), ferry("2")]))
    });
    scene.configure(&[feeds[0].clone(), feeds[1].clone(), ("three", three.url("/"))], &output("The day"));
    scene.must(&["poll"]);
    let again = ["atom", "rss", "json", "html"].map(|format| scene.must(&["publish", "daily", "--format", format]));
    assert_eq!(bytes, again);
    let mut daemon = scene.start();
    assert_eq!(daemon.get("/daily.atom").1, bytes[0]);
    let (head, _) = daemon.get("/daily.atom");
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
    assert!(daemon.ask("GET", "/daily.atom", &[("If-None-Match", &tag)]).0.starts_with("HTTP/1.1 304"));
    scene.configure(&feeds, &output("Another title"));
    daemon.signal("HUP");
    daemon.wait_for_reload();
    let renamed: Value = serde_json::from_str(&daemon.get("/daily.json").1).unwrap();
    assert_eq!(renamed["items"][0]["title"], title);
    assert_eq!(renamed["items"][0]["id"], made[0]["id"]);
    let story = made[0]["_newsfold"]["digest"][0]["id"].as_str().unwrap().replace("urn:uuid:", "/story/");
    assert!(daemon.get(&story).0.starts_with("HTTP/1.1 200"));
    drop(daemon);
    // But for what a person takes out, and for feeds that are left.
    scene.must(&["forget", "https://one.example/eels"]);
    assert_eq!(listed(&digests(&scene)[0]).len(), 1);
    scene.configure(&feeds[1..], &output("The day"));
    scene.must(&["poll"]);
    assert!(digests(&scene).iter().all(|digest| listed(digest).iter().all(|(title, _)| title != "Market day")));
}

#[test]
fn nothing_is_listed_twice_and_nothing_falls_between_two_however_long_a_daemon_slept() {
    let now = newsfold::clock::now();
    let report = move |n: usize| {
        let page: &'static str = format!("https://example.org/{n}").leak();
        (
            page,
            page,
            format!("Report number {n} about {}", ["eels", "ferries", "storms", "chess", "choirs"][n]).leak() as &str,
            now,
        )
    };
    let origin = Origin::of(feed("One", &[report(0)]));
    let output = format!("[[output]]\nname = \"daily\"\ndigest = \"{}\"\n", next_hour(now));
    let scene = Scene::with(&[("one", origin.url("/"))], &output);
    scene.must(&["poll"]);
    // It sleeps for five days, of which the first has a report.
    age(&scene, TimeDelta::days(5));
    scene.must(&["poll"]);
    assert_eq!(
        digests(&scene).iter().map(|digest| listed(digest).len()).collect::<Vec<_>>(),
        [1],
        "none for empty days"
    );
    let first = digests(&scene)[0].clone();
    let until: DateTime<Utc> = first["date_published"].as_str().unwrap().parse().unwrap();
    assert!(until < now - TimeDelta::days(3), "the report is of the day on which it came: {until}");
    // Two reports, then a day without, then one more.
    origin.change(move |_| Answer::ok(feed("One", &[report(0), report(1), report(2)])));
    scene.must(&["poll"]);
    age(&scene, TimeDelta::days(2));
    origin.change(move |_| Answer::ok(feed("One", &[report(0), report(1), report(2), report(3)])));
    scene.must(&["poll"]);
    assert_eq!(digests(&scene).iter().map(|digest| listed(digest).len()).collect::<Vec<_>>(), [2, 1]);
    age(&scene, TimeDelta::days(1));
    scene.must(&["poll"]);
    scene.must(&["poll"]);
    let all = digests(&scene);
    assert_eq!(all.iter().map(|digest| listed(digest).len()).collect::<Vec<_>>(), [1, 2, 1]);
    let mut ids: Vec<&str> = all.iter().map(|digest| digest["id"].as_str().unwrap()).collect();
    assert_eq!(ids.last(), Some(&first["id"].as_str().unwrap()));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 3);
    let dates: Vec<String> = all.iter().map(|digest| digest["date_published"].to_string()).collect();
    assert!(dates.is_sorted_by(|one, two| one > two), "{dates:?}");
    // Under another name it has what it had.
    let renamed = output.replace("\"daily\"", "\"paper\"\nformerly = [\"daily\"]");
    scene.configure(&[("one", origin.url("/"))], &renamed);
    scene.must(&["poll"]);
    let now_called = scene.json(&["publish", "paper", "--format", "json"]);
    let found: Vec<&Value> = now_called["items"].as_array().unwrap().iter().map(|digest| &digest["id"]).collect();
    assert_eq!(found, all.iter().map(|digest| &digest["id"]).collect::<Vec<_>>());
}

#[test]
fn digests_go_on_after_a_clock_that_ran_ahead() {
    let now = newsfold::clock::now();
    let report = move |page, title| (page, page, title, now);
    let before = report("https://example.org/eels", "Eels");
    let origin = Origin::of(feed("One", &[before]));
    let scene = Scene::with(
        &[("one", origin.url("/"))],
        &format!("[[output]]\nname = \"daily\"\ndigest = \"{}\"\n", next_hour(now)),
    );
    scene.must(&["poll"]);
    age(&scene, TimeDelta::days(-3650));
    origin.change(move |_| Answer::ok(feed("One", &[before, report("https://example.org/chess", "Chess")])));
    scene.must(&["poll"]);
    age(&scene, TimeDelta::days(1));
    scene.must(&["poll"]);
    let made = digests(&scene);
    assert!(made.iter().flat_map(listed).any(|(title, _)| title == "Chess"), "{made:?}");
}

#[test]
fn a_running_daemon_makes_a_digest_when_it_is_due() {
    let now = newsfold::clock::now();
    let origin = Origin::of(feed("One", &[("1", "https://example.org/a", "A report", now)]));
    // Each second is a period of its own.
    let output = "[[output]]\nname = \"daily\"\ndigest = \"* * * * * *\"\n";
    let scene = Scene::with(&[("one", origin.url("/"))], output);
    let mut daemon = scene.start();
    daemon.wait_for_event("feed.polled");
    while !daemon.get("/daily.json").1.contains("A report") {
        daemon.wait_for_event("output.published");
    }
    let (_, before) = daemon.get("/daily.json");
    daemon.signal("TERM");
    daemon.ended();
    let daemon = scene.start();
    assert_eq!(daemon.get("/daily.json").1, before, "a restart makes none anew");
    let items: Value = serde_json::from_str(&before).unwrap();
    assert_eq!(items["items"].as_array().unwrap().len(), 1);
    let at = items["items"][0]["date_published"].as_str().unwrap();
    assert!(at >= now.to_rfc3339_opts(SecondsFormat::Secs, true).as_str(), "{at}");
}
