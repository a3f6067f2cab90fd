//! What is kept, for how long, and what a person can do with the store.

use crate::support::{Answer, Origin, Scene, rss, rss_of};

/// A store whose first entry left its feed long ago.
fn scene_with_an_old_entry() -> (Scene, Origin) {
    let origin = Origin::of(rss_of(&["old", "new"]));
    let scene = Scene::with(&[("one", origin.url("/"))], "");
    scene.must(&["poll"]);
    origin.change(|_| Answer::ok(rss_of(&["new"])));
    scene.must(&["poll"]);
    let store = rusqlite::Connection::open(scene.path("newsfold.db")).unwrap();
    assert_eq!(store.execute("UPDATE entry SET gone_at = 0 WHERE title = 'old'", []).unwrap(), 1);
    (scene, origin)
}

#[test]
fn an_entry_that_left_its_feed_long_ago_is_pruned_and_is_no_news_when_it_comes_back() {
    let (scene, origin) = scene_with_an_old_entry();
    assert!(scene.must(&["store", "prune", "--dry-run"]).starts_with("1 entry "));
    assert_eq!(scene.feed()["entries"], 2, "a dry run changes nothing");
    assert_eq!(scene.must(&["store", "prune"]), "1 entry pruned\n");
    assert_eq!(scene.feed()["entries"], 1);
    let titles = |scene: &Scene| scene.stories().into_iter().map(|(title, _)| title).collect::<Vec<_>>();
    assert_eq!(titles(&scene), ["new"]);

    origin.change(|_| Answer::ok(rss_of(&["old", "new", "newer"])));
    scene.must(&["poll"]);
    assert_eq!(scene.feed()["entries"], 3, "it is stored again");
    assert!(!titles(&scene).contains(&"old".to_owned()), "and not published again");
    assert!(titles(&scene).contains(&"newer".to_owned()));
}

#[test]
fn polling_without_a_daemon_prunes_too() {
    let (scene, _origin) = scene_with_an_old_entry();
    scene.must(&["poll"]);
    assert_eq!(scene.feed()["entries"], 1);
}

#[test]
fn entries_that_stand_in_their_feed_are_never_pruned() {
    let origin = Origin::of(rss_of(&["a", "b"]));
    let scene = Scene::with(&[("one", origin.url("/"))], "");
    scene.must(&["poll"]);
    let store = rusqlite::Connection::open(scene.path("newsfold.db")).unwrap();
    store.execute("UPDATE entry SET first_seen = 0, published = 0", []).unwrap();
    assert_eq!(scene.must(&["store", "prune"]), "0 entries pruned\n");
    assert_eq!(scene.feed()["entries"], 2);
}

#[test]
fn a_feed_that_is_not_configured_any_more_is_forgotten_in_time_and_starts_anew_when_it_comes_back() {
    let origin = Origin::start(|request| match request.header("if-none-match") {
        Some(_) => Answer::status("304 Not Modified"),
        None => Answer::new("200 OK", &[("ETag", "\"1\"")], rss_of(&["a", "b"])),
    });
    let other = Origin::of(rss_of(&["c"]));
    let scene = Scene::with(&[("one", origin.url("/"))], "");
    scene.must(&["poll"]);
    scene.configure(&[("other", other.url("/"))], "");
    scene.must(&["poll"]);
    assert_eq!(scene.must(&["store", "prune"]), "0 entries pruned\n", "its history is kept for a while");
    let store = rusqlite::Connection::open(scene.path("newsfold.db")).unwrap();
    store.execute("UPDATE feed SET last_poll = 0 WHERE configured = 0", []).unwrap();
    assert_eq!(scene.must(&["store", "prune"]), "2 entries pruned\n");
    scene.configure(&[("one", origin.url("/"))], "");
    scene.must(&["poll"]);
    assert_eq!(scene.feed()["entries"], 2, "what was forgotten is asked for in full");
}

#[test]
fn a_backup_is_made_beside_a_running_daemon_and_restored_after_it() {
    let origin = Origin::of(rss_of(&["a", "b"]));
    let scene = Scene::with(&[("one", origin.url("/"))], "");
    let mut daemon = scene.start();
    daemon.wait_for_event("feed.polled");
    let copy = scene.path("copy.db");
    let copy = copy.to_str().unwrap();
    scene.must(&["store", "backup", copy]);
    let again = scene.run(&["store", "backup", copy]);
    assert!(again.status == 1 && again.err.contains("exists"), "{again:?}");
    let while_it_runs = scene.run(&["store", "restore", copy]);
    assert!(while_it_runs.status == 1 && while_it_runs.err.contains("another newsfold"), "{while_it_runs:?}");
    daemon.signal("TERM");
    daemon.ended();

    let stories = scene.stories();
    std::fs::remove_file(scene.path("newsfold.db")).unwrap();
    scene.must(&["store", "restore", copy]);
    assert_eq!(scene.stories(), stories);
    assert!(scene.must(&["store", "check"]).ends_with("whole\n"));
    for _ in 0..3 {
        assert!(scene.must(&["store", "restore", copy]).contains(".before-"), "what was there is kept");
    }
    let kept =
        std::fs::read_dir(scene.path("")).unwrap().filter_map(|file| file.unwrap().file_name().into_string().ok());
    assert_eq!(kept.filter(|name| name.contains(".before-")).count(), 3, "each under a name of its own");
}

#[test]
fn a_copy_is_one_file_and_nothing_is_written_beside_it() {
    let origin = Origin::of(rss_of(&["a", "b"]));
    let scene = Scene::with(&[("one", origin.url("/"))], "");
    scene.must(&["poll"]);
    let stories = scene.stories();
    std::fs::create_dir(scene.path("copies")).unwrap();
    let copy = scene.path("copies/a copy?#%20.db");
    let named = copy.to_str().unwrap();
    scene.must(&["store", "backup", named]);
    let write = |log: &str| {
        let connection = rusqlite::Connection::open(&copy).unwrap();
        connection.pragma_update(None, "journal_mode", log).unwrap();
        std::fs::read(&copy).unwrap()
    };
    let made = std::fs::read(&copy).unwrap();
    assert_eq!(made, write("DELETE"), "it needs no log to be read");
    // Those that were made by older newsfolds want one, and are restored from where nothing may be written all the same.
    write("WAL");
    for _ in 0..2 {
        let names = || std::fs::read_dir(scene.path("copies")).unwrap().map(|file| file.unwrap().file_name());
        std::fs::remove_file(scene.path("newsfold.db")).unwrap();
        scene.must(&["store", "restore", named]);
        assert_eq!(names().count(), 1, "{:?}", names().collect::<Vec<_>>());
        assert_eq!(scene.stories(), stories);
        write("DELETE");
    }
    let missing = scene.run(&["store", "restore", "nowhere.db"]);
    assert!(
        missing.status == 1 && missing.err.contains("the copy has to be a file that this user may read"),
        "{missing:?}"
    );
}

#[test]
fn what_a_restore_keeps_is_whole_without_its_log() {
    let origin = Origin::of(rss_of(&["a", "b"]));
    let scene = Scene::with(&[("one", origin.url("/"))], "");
    scene.must(&["poll"]);
    let copy = scene.path("copy.db");
    let copy = copy.to_str().unwrap();
    scene.must(&["store", "backup", copy]);
    std::fs::remove_file(scene.path("newsfold.db")).unwrap();
    origin.change(|_| Answer::ok(rss_of(&["a", "b", "c", "d"])));
    let mut daemon = scene.start();
    daemon.wait_for_event("feed.polled");
    daemon.signal("KILL");
    daemon.ended();
    assert!(std::fs::metadata(scene.path("newsfold.db-wal")).unwrap().len() > 0, "it had no time to tidy up");
    scene.must(&["store", "restore", copy]);
    let mut files = std::fs::read_dir(scene.path("")).unwrap().map(|file| file.unwrap().path());
    let kept = files.find(|file| file.to_str().unwrap().contains(".before-")).unwrap();
    let alone = scene.path("alone.db");
    std::fs::copy(kept, &alone).unwrap();
    let entries = "SELECT count(*) FROM entry";
    let count = rusqlite::Connection::open(&alone).unwrap().query_row(entries, [], |row| row.get::<_, u64>(0)).unwrap();
    assert_eq!(count, 4);
}

#[test]
fn a_damaged_store_is_told_left_alone_and_never_a_crash_loop() {
    let origin = Origin::of(rss_of(&["a", "b"]));
    type Damage = fn(&mut Vec<u8>);
    let damage: [(&str, Damage); 4] = [
        ("cut", |bytes| bytes.truncate(bytes.len() / 2 + 100)),
        ("a page of nothing", |bytes| bytes[8192..16384].fill(0)),
        ("noise", |bytes| bytes[100..4000].fill(0xa5)),
        ("another file", |bytes| *bytes = b"dear diary, ".repeat(1000)),
    ];
    for (what, damage) in damage {
        let scene = Scene::with(&[("one", origin.url("/"))], "");
        scene.must(&["poll"]);
        let mut bytes = std::fs::read(scene.path("newsfold.db")).unwrap();
        damage(&mut bytes);
        std::fs::write(scene.path("newsfold.db"), &bytes).unwrap();
        let checked = scene.run(&["store", "check"]);
        assert!(checked.status != 0, "{what}: {checked:?}");
        // The log of a daemon that was killed is what makes the next one look.
        std::fs::write(scene.path("newsfold.db-wal"), b"x").unwrap();
        let started = scene.run(&["run"]);
        assert_eq!(started.status, 78, "{what}: {started:?}");
        assert_eq!(std::fs::read(scene.path("newsfold.db")).unwrap(), bytes, "{what}: nothing was changed");
    }
}

#[test]
fn an_empty_file_is_an_empty_store() {
    let origin = Origin::of(rss_of(&["a"]));
    let scene = Scene::with(&[("one", origin.url("/"))], "");
    scene.write("newsfold.db", "");
    scene.must(&["poll"]);
    assert_eq!(scene.stories().len(), 1);
}

#[test]
fn a_store_larger_than_it_may_be_gives_up_what_left_its_feed_first() {
    let (scene, _origin) = scene_with_an_old_entry();
    let store = rusqlite::Connection::open(scene.path("newsfold.db")).unwrap();
    let two_days_ago = "UPDATE entry SET gone_at = (unixepoch() - 2 * 86400) * 1000 WHERE title = 'old'";
    store.execute(two_days_ago, []).unwrap();
    assert_eq!(scene.must(&["store", "prune"]), "0 entries pruned\n");
    // Ballast makes it larger than the least that can be configured.
    store.execute("INSERT INTO text_block (held, bytes) VALUES (1, zeroblob(20000000))", []).unwrap();
    let config = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    scene.write("newsfold.toml", &format!("[store]\nmax_size = \"16MiB\"\n{config}"));
    let pruned = scene.run(&["store", "prune"]);
    assert!(pruned.out.contains("1 entry pruned") && pruned.err.contains("max_size"), "{pruned:?}");
    assert_eq!(scene.feed()["entries"], 1);
}

/// Changes a bit in the middle of the only block of texts.
fn damage_a_text(scene: &Scene) {
    let store = rusqlite::Connection::open(scene.path("newsfold.db")).unwrap();
    let mut bytes: Vec<u8> = store.query_row("SELECT bytes FROM text_block", [], |row| row.get(0)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    store.execute("UPDATE text_block SET bytes = ?1", [bytes]).unwrap();
}

#[test]
fn a_damaged_text_costs_its_entry_alone_is_told_and_comes_back_when_it_is_set_aside() {
    let origin = Origin::start(|request| match request.header("if-none-match") {
        Some(_) => Answer::status("304 Not Modified"),
        None => Answer::new("200 OK", &[("ETag", "\"1\"")], rss_of(&["hit"])),
    });
    let other = Origin::of(rss("B", &[("whole", "https://b.example/1", "b1", "A text that is whole.")]));
    let scene = Scene::with(&[("one", origin.url("/"))], "");
    scene.must(&["poll"]);
    damage_a_text(&scene);
    scene.configure(&[("one", origin.url("/")), ("two", other.url("/"))], "");

    let mut daemon = scene.start();
    daemon.wait_for(r#""feed.name":"two""#);
    let published = scene.must(&["publish", "--format", "json"]);
    assert!(
        published.contains("A text that is whole.") && published.contains("https://example.org/hit"),
        "{published}"
    );
    assert!(!published.contains("Some text") && published.contains("damaged"), "no garbage, and a word about it");
    let (head, health) = daemon.get("/healthz");
    assert!(head.starts_with("HTTP/1.1 200") && health.contains("1 text damaged in the store"), "{head}{health}");
    assert!(daemon.get("/readyz").0.starts_with("HTTP/1.1 200"), "readers are served");
    assert!(daemon.get("/metrics").1.contains("newsfold_store_damaged_texts 1"));
    assert!(daemon.get("/search?q=whole").0.starts_with("HTTP/1.1 200"), "it stops no index");

    let checked = scene.run(&["store", "check"]);
    assert!(checked.status == 1 && checked.out.contains("feed `one`, “hit”"), "{checked:?}");
    assert!(scene.must(&["store", "check", "--repair"]).contains("1 damaged text set aside"));
    assert!(scene.must(&["store", "check"]).ends_with("whole\n"));
    let updated = |scene: &Scene| scene.json(&["publish", "--format", "json"])["items"][0]["date_modified"].clone();
    let before = updated(&scene);
    scene.must(&["feeds"]);
    daemon.signal("TERM");
    daemon.ended();
    scene.must(&["poll"]);
    assert!(scene.must(&["publish", "--format", "json"]).contains("Some text"), "it is asked for in full");
    assert_eq!(updated(&scene), before, "and no reader is told of an edit");
}

/// Changes a bit of what is in `column`, a text, of the row that `which` says; the bit is that of a capital letter.
fn damage_a_row(scene: &Scene, table: &str, column: &str, which: &str) {
    let store = rusqlite::Connection::open(scene.path("newsfold.db")).unwrap();
    let sql = format!("SELECT {column} FROM {table} WHERE {which}");
    let before: String = store.query_row(&sql, [], |row| row.get(0)).unwrap();
    let mut bytes = before.into_bytes();
    let last = bytes.len() - 1;
    bytes[last] ^= 0x20;
    let after = String::from_utf8(bytes).unwrap();
    let sql = format!("UPDATE {table} SET {column} = ?1 WHERE {which}");
    assert_eq!(store.execute(&sql, [after]).unwrap(), 1);
}

#[test]
fn a_damaged_row_costs_its_entry_alone_is_told_and_comes_back_with_its_feed() {
    for column in ["title", "permalink", "entry_id"] {
        let origin = Origin::start(|request| match request.header("if-none-match") {
            Some(_) => Answer::status("304 Not Modified"),
            None => Answer::new("200 OK", &[("ETag", "\"1\"")], rss_of(&["hit", "whole"])),
        });
        let scene = Scene::with(&[("one", origin.url("/"))], "");
        scene.must(&["poll"]);
        let stories = |scene: &Scene| {
            let shown = scene.json(&["publish", "--format", "json"]);
            let items = shown["items"].as_array().unwrap().clone();
            items
                .iter()
                .map(|item| (item["id"].to_string(), item["title"].to_string(), item["url"].to_string()))
                .collect()
        };
        let before: std::collections::BTreeSet<_> = stories(&scene);
        assert_eq!(before.len(), 2);
        damage_a_row(&scene, "entry", column, "title LIKE 'hit%'");
        let shown: std::collections::BTreeSet<_> = stories(&scene);
        assert!(shown.len() == 1 && shown.is_subset(&before), "{column}: {shown:?}");
        let checked = scene.run(&["store", "check"]);
        assert!(checked.status == 1 && checked.out.contains("of feed `one`: its row is damaged"), "{checked:?}");
        let daemon = scene.start();
        while !daemon.get("/healthz").1.contains("1 entry damaged in the store") {
            std::thread::yield_now();
        }
        drop(daemon);
        assert!(scene.must(&["store", "check", "--repair"]).contains("1 damaged row set aside"));
        assert!(scene.must(&["store", "check"]).ends_with("whole\n"), "{column}");
        scene.must(&["poll"]);
        assert_eq!(stories(&scene), before, "{column}");
    }
}

#[test]
fn a_damaged_row_of_a_story_is_made_anew_and_one_of_a_feed_shows_its_name() {
    let origin = Origin::of(rss_of(&["hit", "whole"]));
    let scene = Scene::with(&[("one", origin.url("/"))], "");
    scene.must(&["poll"]);
    let shown = |scene: &Scene| scene.must(&["publish", "--format", "json"]);
    let before = shown(&scene);
    let store = rusqlite::Connection::open(scene.path("newsfold.db")).unwrap();
    let flip = "UPDATE story SET canonical = canonical + 1048576 WHERE id = (SELECT id FROM entry WHERE title = 'hit')";
    assert_eq!(store.execute(flip, []).unwrap(), 1);
    damage_a_row(&scene, "feed", "title", "name = 'one'");
    assert_eq!(scene.json(&["publish", "--format", "json"])["items"].as_array().unwrap().len(), 1);
    let repaired = scene.must(&["store", "check", "--repair"]);
    assert!(repaired.contains("story ") && repaired.contains("feed `one`"), "{repaired}");
    assert!(scene.must(&["store", "check"]).ends_with("whole\n"));
    scene.must(&["poll"]);
    assert_eq!(shown(&scene), before);
}

#[test]
fn a_row_whose_values_are_damaged_keeps_no_daemon_from_starting_after_a_crash() {
    let title = "x".repeat(100);
    let origin = Origin::of(rss_of(&[&title, "b"]));
    let scene = Scene::with(&[("one", origin.url("/"))], "");
    scene.must(&["poll"]);
    let mut bytes = std::fs::read(scene.path("newsfold.db")).unwrap();
    // A text of 100 bytes is of type 213, and a blob of as many of type 212; both are written in seven bits each.
    let text = bytes.windows(2).position(|pair| pair == [0x81, 0x55]).unwrap();
    bytes[text + 1] ^= 1;
    std::fs::write(scene.path("newsfold.db"), &bytes).unwrap();
    // The log of a daemon that was killed is what makes the next one look.
    std::fs::write(scene.path("newsfold.db-wal"), b"x").unwrap();
    let daemon = scene.start();
    assert!(daemon.get("/news.atom").1.contains("<title>b</title>"));
    drop(daemon);
    assert!(scene.must(&["store", "check", "--repair"]).contains("made anew"), "its title is no text");
    scene.must(&["poll"]);
    assert_eq!(scene.stories().len(), 2);
}

#[test]
fn a_store_with_a_damaged_index_is_made_anew() {
    let origin = Origin::of(rss_of(&["a", "b"]));
    let scene = Scene::with(&[("one", origin.url("/"))], "");
    scene.must(&["poll"]);
    let before = scene.must(&["publish", "--format", "json"]);
    let store = rusqlite::Connection::open(scene.path("newsfold.db")).unwrap();
    let look = "SELECT rootpage, page_size FROM sqlite_schema, pragma_page_size WHERE name = 'entry_by_id'";
    let (root, size): (usize, usize) = store.query_row(look, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    drop(store);
    let mut bytes = std::fs::read(scene.path("newsfold.db")).unwrap();
    // The last bytes of a page are those of its first cell: here a row number.
    bytes[root * size - 1] ^= 1;
    std::fs::write(scene.path("newsfold.db"), &bytes).unwrap();
    let checked = scene.run(&["store", "check"]);
    assert!(checked.status == 1 && checked.err.contains("--repair"), "{checked:?}");
    let repaired = scene.must(&["store", "check", "--repair"]);
    assert!(repaired.contains("made anew with 2 entries; every row could be read"), "{repaired}");
    assert!(scene.must(&["store", "check"]).ends_with("whole\n"));
    assert_eq!(scene.must(&["publish", "--format", "json"]), before);
    scene.must(&["poll"]);
    assert_eq!(scene.must(&["publish", "--format", "json"]), before);
}

#[test]
fn an_entry_too_large_for_the_store_is_shortened_and_ends_nothing() {
    let labels: String = (0..12).map(|n| format!("<category>{n}{}</category>", "x".repeat(1_000_000))).collect();
    let origin = Origin::of(rss_of(&["big"]).replace("</item>", &format!("{labels}</item>")));
    let scene = Scene::with(&[("one", origin.url("/"))], "");
    scene.must(&["poll"]);
    assert_eq!(scene.stories().len(), 1);
    assert!(scene.must(&["store", "check"]).ends_with("whole\n"));
    scene.start();
}
