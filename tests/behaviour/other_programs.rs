//! The store beside other programs, other owners, and under other names.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use crate::support::{Answer, Daemon, Origin, Scene, rss_of};

/// Whether the kernel's table has a lock of the daemon's on the file. Whoever deletes a store's log looks for that.
fn holds_a_lock(daemon: &Daemon, file: &Path) -> bool {
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", daemon.id())).unwrap();
    descriptors.map(|descriptor| descriptor.unwrap().file_name().into_string().unwrap()).any(|number| {
        let of = |what: &str| format!("/proc/{}/{what}/{number}", daemon.id());
        std::fs::read_link(of("fd")).is_ok_and(|name| name == file)
            && std::fs::read_to_string(of("fdinfo")).unwrap_or_default().contains("POSIX")
    })
}

#[test]
fn the_daemon_keeps_its_lock_on_the_store_whatever_is_read_and_commanded() {
    let origin = Origin::of(rss_of(&["a", "b"]));
    let scene = Scene::with(&[("one", origin.url("/"))], "");
    let store = scene.path("newsfold.db");
    let mut daemon = scene.start();
    daemon.wait_for_event("feed.polled");
    daemon.wait_for_event("output.published");
    assert!(holds_a_lock(&daemon, &store));
    // More readers at once than connections are kept.
    let published = scene.json(&["publish", "--format", "json"]);
    let story = published["items"][0]["id"].as_str().unwrap().trim_start_matches("urn:uuid:").to_owned();
    let pages = ["/feeds", "/metrics", "/search?q=a", "/healthz", "/feeds/one", &format!("/story/{story}")];
    std::thread::scope(|scope| {
        pages.iter().cycle().take(30).for_each(|page| drop(scope.spawn(|| daemon.get(page))));
    });
    assert!(holds_a_lock(&daemon, &store), "pages were read");
    for command in [
        &["feeds"][..],
        &["stories"],
        &["explain", &story],
        &["publish"],
        &["join", "https://example.org/a", "https://example.org/b"],
        &["split", "https://example.org/b"],
        &["store", "check"],
        &["store", "prune"],
        &["store", "backup", "copy.db"],
    ] {
        scene.must(command);
        assert!(holds_a_lock(&daemon, &store), "{command:?}");
    }
    daemon.signal("HUP");
    daemon.wait_for_reload();
    assert!(holds_a_lock(&daemon, &store), "the configuration was read again");
}

#[test]
fn a_feed_that_is_the_store_itself_is_not_read_and_costs_no_lock() {
    let scene = Scene::with(&[], "");
    let (store, link) = (scene.path("newsfold.db"), scene.path("feed.xml"));
    symlink(&store, &link).unwrap();
    let files =
        ["newsfold.db", "newsfold.db-shm", "feed.xml"].map(|name| format!("file://{}", scene.path(name).display()));
    let names = ["store", "index", "link"];
    scene.configure(&names.into_iter().zip(files).collect::<Vec<_>>(), "");
    let mut daemon = scene.start();
    for _ in names {
        assert!(daemon.wait_for_event("feed.failed").contains("this is the store"));
    }
    assert!(holds_a_lock(&daemon, &store));
}

#[test]
fn a_store_has_one_owner_by_whatever_name_it_is_called() {
    let origin = Origin::of(rss_of(&["a"]));
    let scene = Scene::with(&[("one", origin.url("/"))], "");
    let text = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    let _daemon = scene.start();
    std::fs::create_dir(scene.path("other")).unwrap();
    symlink("../newsfold.db", scene.path("other/link.db")).unwrap();
    symlink("other/link.db", scene.path("again.db")).unwrap();
    symlink(".", scene.path("folder")).unwrap();
    std::fs::hard_link(scene.path("newsfold.db"), scene.path("other/hard.db")).unwrap();
    for (name, why) in [
        ("other/link.db", "another newsfold"),
        ("again.db", "another newsfold"),
        ("folder/newsfold.db", "another newsfold"),
        ("other/../newsfold.db", "another newsfold"),
        ("other/hard.db", "second name"),
    ] {
        scene.write("second.toml", &format!("{text}\n[store]\npath = \"{name}\"\n"));
        // One that starts all the same would run for ever.
        let mut second = std::process::Command::new("timeout");
        second.args(["20", env!("CARGO_BIN_EXE_newsfold"), "--config", "second.toml", "run"]);
        let second = second.current_dir(scene.path("")).output().unwrap();
        let said = String::from_utf8_lossy(&second.stderr);
        assert!(second.status.code() == Some(1) && said.contains(why), "{name}: {said}");
    }
}

#[test]
fn a_store_that_a_link_leads_to_is_made_where_the_link_says() {
    let origin = Origin::of(rss_of(&["a"]));
    let scene = Scene::with(&[("one", origin.url("/"))], "");
    std::fs::create_dir(scene.path("disk")).unwrap();
    symlink("disk/real.db", scene.path("newsfold.db")).unwrap();
    scene.must(&["poll"]);
    scene.must(&["store", "backup", "copy.db"]);
    scene.must(&["store", "restore", "copy.db"]);
    assert_eq!(scene.stories().len(), 1);
    assert!(scene.path("newsfold.db").is_symlink(), "the link stays a link");
    assert!(scene.path("disk/real.db").is_file() && scene.path("disk/real.db.lock").is_file());
}

#[test]
fn a_correction_beside_a_daemon_does_not_look_the_whole_store_through() {
    let origin = Origin::of(rss_of(&["a", "b"]));
    let scene = Scene::with(&[("one", origin.url("/"))], "[fold]\nlevel = \"link\"\n");
    scene.must(&["poll"]);
    let store = rusqlite::Connection::open(scene.path("newsfold.db")).unwrap();
    // Whoever looks the store through, finds this; nobody else does.
    store
        .execute_batch("PRAGMA ignore_check_constraints = ON; INSERT INTO weights (one, bytes) VALUES (2, x'')")
        .unwrap();
    drop(store);
    origin.change(|_| Answer::ok(rss_of(&["a", "b", "c"])));
    let mut daemon = scene.start();
    daemon.signal("HUP");
    daemon.wait_for_reload();
    assert!(std::fs::metadata(scene.path("newsfold.db-wal")).unwrap().len() > 0, "its log is in use");
    let (one, two) = ("https://example.org/a", "https://example.org/b");
    scene.must(&["join", one, two]);
    scene.must(&["split", two]);
    scene.must(&["store", "prune"]);
    daemon.signal("KILL");
    daemon.ended();
    let after_a_crash = scene.run(&["join", one, two]);
    assert!(
        after_a_crash.err.contains("damaged"),
        "with nobody else at it, the log tells of a crash: {after_a_crash:?}"
    );
}

#[test]
fn the_store_and_its_copies_are_for_its_user_alone() {
    let origin = Origin::of(rss_of(&["a"]));
    let scene = Scene::with(&[("one", origin.url("/"))], "");
    let mode = |name: &str| std::fs::metadata(scene.path(name)).unwrap().mode() & 0o777;
    // The shell sets the umask, under which all that is made would be for everybody.
    let program = env!("CARGO_BIN_EXE_newsfold");
    let without_a_mask = |arguments: &str| {
        let script = format!("umask 0; {program} {arguments}");
        let done = std::process::Command::new("sh").arg("-c").arg(script).current_dir(scene.path("")).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stderr).unwrap()
    };
    without_a_mask("poll");
    without_a_mask("store backup copy.db");
    without_a_mask("store restore copy.db");
    without_a_mask("poll");
    for name in ["newsfold.db", "newsfold.db.lock", "copy.db"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    let loose = || std::fs::set_permissions(scene.path("newsfold.db"), PermissionsExt::from_mode(0o644)).unwrap();
    loose();
    assert!(without_a_mask("poll").contains("only its user may read it now"));
    assert_eq!(mode("newsfold.db"), 0o600);
    assert!(!without_a_mask("poll").contains("only its user"), "it is told once");
    loose();
    let _daemon = scene.start();
    for name in ["newsfold.db", "newsfold.db-wal", "newsfold.db-shm", "newsfold.db.lock"] {
        assert_eq!(mode(name), 0o600, "{name}, beside a daemon");
    }
}
