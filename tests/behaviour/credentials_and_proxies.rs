//! Credentials, proxies and authorities.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::support::{Answer, Identity, Origin, Scene, answer_once, rss_of};

/// A configuration with one feed and these further keys of it.
fn scene(url: &str, keys: &str) -> Scene {
    Scene::with(&[], &format!("\n[[feed]]\nname = \"example\"\nurl = \"{url}\"\n{keys}\n"))
}

#[test]
fn credentials_go_to_the_configured_origin_and_not_along_a_redirect() {
    let abroad = Origin::of(rss_of(&["a"]));
    let target = abroad.url("/feed");
    let origin = Origin::start(move |request| match request.target.as_str() {
        "/feed" => Answer::redirect("302 Found", "/same"),
        _ => Answer::redirect("302 Found", &target),
    });
    let keys = "username = \"me\"\npassword = { file = \"secret\" }\nheaders = { X-Api-Key = { env = \"KEY\" }, Cookie = \"id=1\" }";
    let scene = scene(&origin.url("/feed"), keys);
    scene.write("secret", "hunter2\n");
    let polled = scene.command().args(["--log", "trace", "poll"]).env("KEY", "key-of-mine").output().unwrap();
    assert!(polled.status.success(), "{polled:?}");
    for request in origin.asked() {
        assert_eq!(request.header("authorization"), Some("Basic bWU6aHVudGVyMg=="));
        assert_eq!((request.header("x-api-key"), request.header("cookie")), (Some("key-of-mine"), Some("id=1")));
    }
    assert_eq!(origin.asked().len(), 2);
    let request = &abroad.asked()[0];
    assert_eq!(
        (request.header("authorization"), request.header("x-api-key"), request.header("cookie")),
        (None, None, None)
    );
    let said = String::from_utf8_lossy(&polled.stderr);
    assert!(!said.contains("hunter2") && !said.contains("key-of-mine") && !said.contains("bWU6"), "{said}");
}

#[test]
fn a_feed_that_failed_for_want_of_a_password_is_asked_soon_once_it_has_one() {
    let origin = Origin::start(|request| match request.header("authorization") {
        Some("Basic bWU6aHVudGVyMg==") => Answer::ok(rss_of(&["a"])),
        _ => Answer::status("401 Unauthorized"),
    });
    let keys = |password: &str| format!("username = \"me\"\npassword = \"{password}\"");
    let scene = scene(&origin.url("/feed"), &keys("hunter1"));
    (0..4).for_each(|_| drop(scene.run(&["poll"])));
    let mut daemon = scene.start();
    assert!(scene.feed()["next_poll_why"].as_str().unwrap().contains("back-off"));
    let told = scene.run(&["poll", "example"]);
    assert!(told.status == 1 && told.err.contains("told to reload"), "{told:?}");
    let text = std::fs::read_to_string(scene.path("newsfold.toml")).unwrap();
    scene.write("newsfold.toml", &text.replace(&keys("hunter1"), &keys("hunter2")));
    daemon.signal("HUP");
    daemon.wait_for_event("feed.polled");
    assert_eq!(origin.asked().len(), 5);
    assert_eq!(scene.stories().len(), 1);
}

#[test]
fn a_secret_that_cannot_be_had_fails_its_feed_and_asks_nobody() {
    let origin = Origin::of(rss_of(&["a"]));
    let scene = scene(&origin.url("/feed"), "headers = { Authorization = { credential = \"token\" } }");
    assert_eq!(scene.run(&["poll"]).status, 1);
    assert!(scene.feed()["last_error"].as_str().unwrap().contains("LoadCredential"));
    assert!(origin.asked().is_empty());
    std::fs::create_dir(scene.path("credentials")).unwrap();
    scene.write("credentials/token", "Bearer abc");
    let folder = scene.path("credentials");
    assert!(scene.command().args(["poll", "example"]).env("CREDENTIALS_DIRECTORY", folder).status().unwrap().success());
    assert_eq!(origin.asked()[0].header("authorization"), Some("Bearer abc"));
}

#[test]
fn what_is_no_file_fails_its_feed_and_keeps_nobody_waiting() {
    let origin = Origin::of(rss_of(&["a"]));
    let keys = [
        "password = { file = \"pipe\" }\nusername = \"me\"",
        "ca = \"pipe\"",
        "headers = { Cookie = { file = \"/dev/zero\" } }",
    ];
    let feeds = keys.iter().enumerate().map(|(at, keys)| {
        format!("\n[[feed]]\nname = \"no-{at}\"\nurl = \"{}\"\n{keys}\n", origin.url(&format!("/{at}")))
    });
    let well = format!("\n[[feed]]\nname = \"well\"\nurl = \"{}\"\n", origin.url("/feed"));
    let scene = Scene::with(&[], &(feeds.collect::<String>() + &well));
    assert!(std::process::Command::new("mkfifo").arg(scene.path("pipe")).status().unwrap().success());
    let ended = scene.run(&["poll"]);
    assert_eq!(ended.err.matches("a pipe, a socket or a device").count(), 3, "{ended:?}");
    assert_eq!(origin.asked().iter().map(|request| request.target.as_str()).collect::<Vec<_>>(), ["/feed"]);
}

#[test]
fn an_http_proxy_is_asked_for_the_whole_address() {
    let proxy = Origin::of(rss_of(&["a"]));
    let scene = scene("http://news.example/feed", &format!("proxy = \"{}\"", proxy.url("")));
    assert!(scene.must(&["poll"]).starts_with("1 new"));
    assert_eq!(proxy.asked()[0].target, "http://news.example/feed");
    let inside = self::scene("http://10.0.0.1/feed", &format!("proxy = \"{}\"", proxy.url("")));
    assert_eq!(inside.run(&["poll"]).status, 1, "a literal address is checked all the same");
    for name in ["localhost", "router", "metadata.google.internal"] {
        let inside = Scene::with(
            &[("inside", format!("http://{name}/feed"))],
            &format!("allow_networks = []\nproxy = \"{}\"\n", proxy.url("")),
        );
        assert_eq!(inside.run(&["poll"]).status, 1);
        assert!(inside.feed()["last_error"].as_str().unwrap().contains("is refused"), "{}", inside.feed());
    }
    assert_eq!(proxy.asked().len(), 1);
}

#[test]
fn a_socks_proxy_carries_the_request() {
    let origin = Origin::of(rss_of(&["a"]));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = listener.local_addr().unwrap();
    let to = origin.url("/").trim_start_matches("http://").trim_end_matches('/').to_owned();
    std::thread::spawn(move || {
        let mut client = listener.accept().unwrap().0;
        let mut greeting = [0; 2];
        client.read_exact(&mut greeting).unwrap();
        client.read_exact(&mut vec![0; usize::from(greeting[1])]).unwrap();
        client.write_all(&[5, 0]).unwrap();
        let mut asked = [0; 4];
        client.read_exact(&mut asked).unwrap();
        let mut length = [0];
        client.read_exact(&mut length).unwrap();
        client.read_exact(&mut vec![0; usize::from(length[0]) + 2]).unwrap();
        client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
        let mut server = TcpStream::connect(to).unwrap();
        let (mut back, mut from) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut from, &mut back));
        let _ = std::io::copy(&mut client, &mut server);
    });
    let scene = scene("http://news.example/feed", &format!("proxy = \"socks5h://localhost:{}\"", proxy.port()));
    assert!(scene.must(&["poll"]).starts_with("1 new"));
    assert_eq!(origin.asked()[0].header("host"), Some("news.example"));
}

#[test]
fn a_socks_proxy_with_a_name_opens_no_way_to_its_own_machine() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let port = proxy.local_addr().unwrap().port();
    for scheme in ["socks5", "socks5h"] {
        for target in ["localhost", "socks-proxy.newsfold.invalid"] {
            let scene = Scene::with(
                &[("example", format!("http://{target}:{port}/feed"))],
                &format!("allow_networks = [\"127.0.0.2/32\"]\nproxy = \"{scheme}://localhost:{port}\"\n"),
            );
            assert_eq!(scene.run(&["poll"]).status, 1);
            let told = scene.feed()["last_error"].as_str().unwrap().to_owned();
            assert!(told.contains(target) && told.contains("is refused"), "{scheme} {target}: {told}");
        }
    }
    assert!(proxy.accept().is_err(), "it was asked for nothing");
}

#[test]
fn an_authority_of_ones_own_is_trusted_where_it_is_named_and_certificates_are_told_in_words() {
    let check = |identity: Identity, is_named: bool, expected: Option<&str>| {
        let authority = identity.authority.clone();
        let port = identity.listen(&[b"http/1.1"], |mut stream| drop(answer_once(&mut stream, &rss_of(&["a"]))));
        let keys = if is_named { "ca = \"authority.pem\"" } else { "" };
        let scene = scene(&format!("https://localhost:{port}/feed"), keys);
        scene.write("authority.pem", &authority);
        let ended = scene.command().arg("poll").output().unwrap();
        match expected {
            None => assert!(ended.status.success(), "{}", scene.feed()),
            Some(words) => assert!(scene.feed()["last_error"].as_str().unwrap().contains(words), "{}", scene.feed()),
        }
    };
    let (now, before) = ((2020, 2090), (2020, 2021));
    check(Identity::signed("localhost", now), true, None);
    check(Identity::signed("localhost", now), false, Some("authority that is not known here"));
    check(Identity::signed("localhost", before), true, Some("has expired"));
    check(Identity::signed("elsewhere.example", now), true, Some("another name"));
    // The certificate of the server itself may be named, whatever it says of itself and whoever signed it.
    check(Identity::signed("localhost", now).pinned(), true, None);
    for is_authority in [true, false] {
        let own = |name, years| Identity::self_signed(name, years, is_authority);
        check(own("localhost", now), true, None);
        check(own("localhost", now), false, Some("name its certificate as `ca`"));
        check(own("localhost", before), true, Some("has expired"));
        check(own("localhost", (2080, 2090)), true, Some("not valid yet"));
        check(own("elsewhere.example", now), true, Some("another name"));
        let mut other = own("localhost", now);
        other.authority = own("localhost", now).authority;
        check(other, true, Some("cannot be trusted"));
    }
}
