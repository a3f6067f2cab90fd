//! The whole configuration, from text to value or to messages.

use super::*;
use proptest::prelude::*;

fn read(text: &str) -> Config {
    from_toml(text, Path::new("/etc/newsfold/newsfold.toml")).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The problems of `text`, in a file called `n`, one a line.
fn problems(text: &str) -> String {
    let problems = from_toml(text, Path::new("/etc/newsfold.toml")).unwrap_err();
    problems.shown_as(Path::new("/etc/newsfold.toml"), Path::new("n")).to_string()
}

/// Checks the one problem of `text`.
fn check(text: &str, problem: &str) {
    assert_eq!(problems(text), problem, "\n{text}");
}

fn feed(lines: &str) -> String {
    format!("[[feed]]\nname = \"a\"\nurl = \"https://a.example/\"\n{lines}")
}

/// The commented file with the examples of `[[feed]]` and `[[output]]` brought to life.
fn with_examples() -> String {
    let mut in_example = false;
    let lines = COMMENTED.lines().map(|line| {
        in_example |= line == "# [[feed]]";
        match line.strip_prefix("# ") {
            Some(alive) if in_example && !line.starts_with("# One ") => alive,
            _ => line,
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn an_empty_file_is_every_default_and_a_warning() {
    let config = read("");
    assert_eq!(config.store, StoreConfig::default());
    assert_eq!(config.poll, PollConfig::default());
    assert_eq!(config.fold, FoldConfig::default());
    assert_eq!(config.serve, ServeConfig::default());
    assert_eq!(config.outputs, [OutputConfig::default()]);
    let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "/etc/newsfold/newsfold.toml:1:1: no feed is configured, so there is nothing to poll; add a `[[feed]]` with its `url`"
        ]
    );
}

#[test]
fn the_commented_file_says_every_default() {
    let commented = read(COMMENTED);
    assert_eq!(commented, read(""));
    // It also says so in the spelling that we print.
    assert!(COMMENTED.contains(&format!("timeout = \"{}\"", crate::units::print_duration(commented.poll.timeout))));
    assert!(COMMENTED.contains(&format!("max_body = \"{}\"", crate::units::print_size(commented.poll.max_body_bytes))));
}

#[test]
fn publishers_are_told_where_to_write_and_no_address_is_made_up() {
    fn check(text: &str, expected: &str) {
        assert_eq!(read(text).poll.user_agent, expected.replace("VERSION", env!("CARGO_PKG_VERSION")), "{text}");
    }
    check("", "newsfold/VERSION");
    check("poll.contact = ''", "newsfold/VERSION");
    check("poll.contact = 'https://example.org/about'", "newsfold/VERSION (+https://example.org/about)");
    check("poll.contact = 'me@example.org'", "newsfold/VERSION (+me@example.org)");
    check("poll.contact = 'me@example.org'\npoll.user_agent = 'mine/VERSION'", "mine/VERSION (+me@example.org)");
    check("poll.user_agent = 'CONTACT'\npoll.contact = 'me@example.org'", "me@example.org");
    let feeds =
        |count: usize| (0..count).map(|n| format!("[[feed]]\nurl = 'https://{n}.example/'\n")).collect::<String>();
    let asks = |text: &str| read(text).warnings.iter().any(|warning| warning.message.starts_with("poll.contact"));
    assert!(!asks(&feeds(5)), "a handful of feeds is nobody's trouble");
    assert!(asks(&feeds(6)));
    assert!(!asks(&format!("poll.contact = 'me@example.org'\n{}", feeds(6))));
}

#[test]
fn the_reader_wants_of_every_key_what_the_table_says() {
    for (heading, keys) in keys::sections() {
        for key in keys {
            let wanted = match key.kind {
                keys::Kind::Number(..) => "a whole number",
                keys::Kind::Flag => "`true` or `false`",
                keys::Kind::Secret => "a string or a table",
                keys::Kind::Secrets => "a table",
                keys::Kind::Numbers(..) | keys::Kind::Choices(_) | keys::Kind::Texts | keys::Kind::Rules => "a list",
                _ => "a string",
            };
            // Of what is sent nowhere, nothing else is read.
            let url = if heading == "[[notify]]" && key.name != "url" { "url = 'https://a.example/'\n" } else { "" };
            let text = format!("{heading}\n{url}{} = 2026-11-30\n", key.name);
            let told = problems(&text);
            assert!(told.contains(&format!("{} must be {wanted}, not a date", key.name)), "{text}{told}");
        }
    }
}

#[test]
fn the_reader_holds_every_key_to_the_bounds_of_the_table() {
    for (heading, keys) in keys::sections() {
        for key in keys {
            let (within, beyond) = match key.kind {
                keys::Kind::Number(least, most) => {
                    ([least, most].map(|n| n.to_string()), [least - 1, most + 1].map(|n| n.to_string()))
                }
                keys::Kind::Numbers(least, most) => {
                    ([least, most].map(|n| format!("[{n}]")), [least - 1, most + 1].map(|n| format!("[{n}]")))
                }
                keys::Kind::Duration(least, most) => {
                    let beyond = [least.checked_sub(1).unwrap_or(most + 1), most + 1];
                    ([least, most].map(|n| format!("'{n}s'")), beyond.map(|n| format!("'{n}s'")))
                }
                keys::Kind::Size(least, most) => {
                    ([least, most].map(|n| format!("'{n}B'")), [least - 1, most + 1].map(|n| format!("'{n}B'")))
                }
                _ => continue,
            };
            let is_told = |value: &str| {
                let text = format!("{heading}\n{} = {value}\n", key.name);
                let told =
                    from_toml(&text, Path::new("n")).err().map(|problems| problems.to_string()).unwrap_or_default();
                told.lines().any(|line| line.contains(&format!("{} `", key.name)))
            };
            assert!(within.iter().all(|value| !is_told(value)), "{}: {within:?}", key.name);
            assert!(beyond.iter().all(|value| is_told(value)), "{}: {beyond:?}", key.name);
        }
    }
}

#[test]
fn the_examples_of_the_commented_file_are_right() {
    let config = read(&with_examples().replace("[\"title ~ '(?i)kim'\"]", "[]"));
    let [feed, list] = &config.feeds[..] else { panic!("one feed and one list") };
    assert_eq!(
        (list.name.as_str(), &list.role, list.tags.as_slice()),
        ("planet", &Role::List, &["world".to_owned()][..])
    );
    assert_eq!(feed.name, "example");
    assert_eq!(feed.priority, 0);
    assert_eq!((feed.keep.len(), feed.drop.len()), (0, 0));
    assert_eq!(config.outputs, [OutputConfig::default()]);
    let [notify] = &config.notify[..] else { panic!("one to be told") };
    assert_eq!((notify.name.as_str(), notify.selection.min_sources), ("ntfy.example", 5));
}

#[test]
fn who_is_told_says_of_what_in_one_way() {
    let with = |lines: &str| {
        format!("{}\n[[output]]\nname = 'x'\nmin_sources = 3\n[[notify]]\n{lines}", feed("tags = ['world']"))
    };
    let of_output = read(&with("output = 'x'\nurl = { env = 'HOOK' }\nmethod = 'PUT'"));
    let [notify] = &of_output.notify[..] else { panic!("one") };
    assert_eq!((notify.selection.min_sources, notify.name.as_str(), notify.method), (3, "notify", NotifyMethod::Put));
    check(
        &with("output = 'y'\nurl = 'https://a.example/'"),
        "n:9:10: notify 1: output `y` is no output; did you mean `x`?",
    );
    check(
        &with("output = 'x'\ntags = ['world']\nurl = 'https://a.example/'"),
        "n:10:8: notify 1: tags says which stories, and so does `output`; take one of the two out",
    );
    check(&with("min_sources = 5"), "n:8:1: notify 1: it has no `url`; write where it is sent, `url = \"https://…\"`");
    let told = from_toml("[[notify]]\nmethod = 'GET'\nbody = 1\n", Path::new("/n.toml")).unwrap_err().to_string();
    assert_eq!(told.matches("notify 1: ").count(), 3, "no fault hides another: {told}");
    check(
        &with("url = 'ftp://a.example/token'"),
        "n:9:7: notify 1: url has the scheme `ftp:`; write the whole address, for example `https://example.org/`",
    );
    let twice = with("url = 'https://a.example/1'\n[[notify]]\nurl = 'https://a.example/2'");
    check(
        &twice,
        "n:10:1: notify `a.example`: another on line 8 has this name; give one of the two a `name` of its own",
    );
}

#[test]
fn paths_are_relative_to_the_file() {
    let config = read(
        "store.path = 'a.db'\nserve.listen = 'unix:http.sock'\n[[output]]\ndirectory = 'public'\n[[feed]]\nurl = 'file:demo/x y.xml'\n[[feed]]\nurl = 'file:///srv/z.xml'",
    );
    assert_eq!(config.store_path(None), Path::new("/etc/newsfold/a.db"));
    assert_eq!(config.store_path(Some(Path::new("/var/lib/newsfold"))), Path::new("/var/lib/newsfold/a.db"));
    assert_eq!(config.serve.listen, Listen::Unix("/etc/newsfold/http.sock".into()));
    assert_eq!(config.outputs[0].directory.as_deref(), Some(Path::new("/etc/newsfold/public")));
    let urls: Vec<&str> = config.feeds.iter().map(|feed| feed.url.as_str()).collect();
    assert_eq!(urls, ["file:///etc/newsfold/demo/x%20y.xml", "file:///srv/z.xml"]);
    assert_eq!(config.feeds[0].url.to_file_path(), Ok("/etc/newsfold/demo/x y.xml".into()));
}

#[test]
fn an_absolute_store_path_stays_under_systemd() {
    let config = read("store.path = '/srv/a.db'");
    assert_eq!(config.store_path(Some(Path::new("/var/lib/newsfold"))), Path::new("/srv/a.db"));
}

#[test]
fn names_are_made_from_addresses_and_unique() {
    let config = read(
        "[[feed]]\nurl = 'https://www.example.org/a'\n[[feed]]\nurl = 'https://example.org/b'\n[[feed]]\nurl = 'https://x.example/'\nname = 'example.org-2'\n[[feed]]\nurl = 'file:demo/wire.atom.xml'",
    );
    let names: Vec<(&str, bool)> = config.feeds.iter().map(|feed| (&*feed.name, feed.name_is_derived)).collect();
    assert_eq!(names, [("example.org", true), ("example.org-3", true), ("example.org-2", false), ("wire", true)]);
}

#[test]
fn the_public_address_follows_the_listener_and_ends_in_a_slash() {
    fn check(text: &str, public_url: &str) {
        assert_eq!(read(text).serve.public_url.as_str(), public_url);
    }
    check("serve.listen = '127.0.0.1:9000'", "http://127.0.0.1:9000/");
    check("serve.listen = 'localhost:9000'", "http://127.0.0.1:9000/");
    check("serve.listen = '[::]:9000'", "http://localhost:9000/");
    check("serve.listen = ''", "http://127.0.0.1:8080/");
    check("serve.public_url = 'https://News.example/feeds'", "https://news.example/feeds/");
}

#[test]
fn what_is_allowed_and_hardly_meant_is_warned_of() {
    fn check(text: &str, expected: &[&str]) {
        let warnings: Vec<String> = read(text).warnings.iter().map(|warning| warning.message.clone()).collect();
        assert_eq!(warnings.len(), expected.len(), "{warnings:?}");
        assert!(warnings.iter().zip(expected).all(|(told, start)| told.starts_with(start)), "{warnings:?}");
    }
    let two = |other: &str| feed(&format!("[[feed]]\nname = 'b'\nurl = '{other}'"));
    for other in ["http://a.example/", "https://www.a.example"] {
        check(&two(other), &["feed `b`: url looks like that of feed `a` on line 3 in another spelling"]);
    }
    for other in ["https://a.example/b", "https://a.example/?b", "https://a.example:8443/", "https://b.a.example/"] {
        check(&two(other), &[]);
    }
    check(&feed("[[output]]\nmin_sources = 2"), &["output 1: min_sources is more than there are feeds (1)"]);
    check(&feed("[[output]]\nmin_sources = 1"), &[]);
    for open in ["0.0.0.0:80", "[::]:80", "unix:/run/http.sock"] {
        check(&feed(&format!("[serve]\nlisten = '{open}'")), &["serve.listen lets other machines in"]);
        check(&feed(&format!("[serve]\nlisten = '{open}'\npublic_url = 'https://a.example/'")), &[]);
    }
    check(&feed("[serve]\nlisten = '127.0.0.1:80'"), &[]);
    for (own, is_own) in [("news.atom", true), ("t/secret/news.json?x", true), ("news", false), ("other.rss", false)] {
        let text = format!("serve.public_url = 'https://a.example/b/'\n[[feed]]\nurl = 'https://a.example/b/{own}'");
        check(&text, if is_own { &["feed 1: url is that of an output of this newsfold"] } else { &[] });
    }
}

#[test]
fn a_quote_of_a_query_that_is_not_closed_is_told() {
    let text = feed("[[output]]\nquery = 'ferry \"grey sea'");
    assert!(problems(&text).contains("query `ferry \"grey sea` has a quote that is not closed"), "{}", problems(&text));
}

#[test]
fn a_daemon_that_listens_where_it_did_says_so_in_what_it_publishes() {
    let serve = |text: &str| read(text).serve;
    let before = serve("serve.listen = '127.0.0.1:1'");
    let check = |text: &str, public_url: &str| {
        let now = serve(text).as_long_as_it_listens(&before);
        assert_eq!((now.listen, now.public_url.as_str()), (before.listen.clone(), public_url));
    };
    check("serve.listen = '127.0.0.1:2'", "http://127.0.0.1:1/");
    check("serve.listen = ''", "http://127.0.0.1:1/");
    check("[serve]\nlisten = '127.0.0.1:2'\npublic_url = 'https://a.example/'", "https://a.example/");
}

#[test]
fn every_key_is_read() {
    let config = read(
        r#"
[store]
keep = "30d"
[poll]
schedule = "*/30 * * * *"
timezone = "Europe/Berlin"
min_interval = "10m"
concurrency = 8
per_host = 2
per_host_gap = "0s"
timeout = "1m30s"
max_body = "2MiB"
backfill = "1w"
contact = "mailto:me@example.org"
user_agent = "mine/1"
allow_networks = ["192.168.1.0/24", "fd00::/8", "10.0.0.1"]
[fold]
level = "link"
profile = "careful"
window = "2d"
[[feed]]
url = "https://a.example/feed?token=x"
name = "a"
tags = ["world", "eu", "world"]
interval = "15m"
priority = -2
fold = "off"
keep = ["title ~ '(?i)kim'", 'url ~ "/news/"']
drop = ["category ~ 'sport'"]
[[feed]]
url = "https://b.example/"
[[output]]
name = "eu"
tags = ["eu"]
min_sources = 2
per_feed = 3
limit = 50
formats = ["json", "atom", "json"]
order = "coverage"
window = "12h"
query = "ferry"
source_in_title = true
on_coverage = "bump"
compress = true
formerly = ["europe"]
"#,
    );
    assert_eq!(config.store.keep, Duration::from_secs(30 * 86_400));
    let poll = &config.poll;
    assert!(
        matches!(&poll.cadence, Cadence::Crontab(line) if line.as_str() == "*/30 * * * *" && line.timezone() == Tz::Europe__Berlin)
    );
    assert_eq!((poll.concurrency, poll.per_host, poll.per_host_gap), (8, 2, Duration::ZERO));
    assert_eq!((poll.timeout, poll.max_body_bytes), (Duration::from_secs(90), 2 << 20));
    assert_eq!(poll.contact.as_deref(), Some("mailto:me@example.org"));
    assert_eq!(poll.user_agent, "mine/1 (+mailto:me@example.org)");
    let networks: Vec<String> = poll.allow_networks.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["192.168.1.0/24", "fd00::/8", "10.0.0.1/32"]);
    assert_eq!((config.fold.level, config.fold.profile), (Level::Link, Profile::Careful));
    let feed = &config.feeds[0];
    assert_eq!(feed.tags, ["world", "eu"]);
    assert_eq!(feed.cadence, Some(Cadence::Every(Duration::from_secs(900))));
    assert_eq!((feed.priority, feed.fold), (-2, Some(Level::Off)));
    assert_eq!((feed.keep.len(), feed.drop[0].field), (2, RuleField::Category));
    let expected = OutputConfig {
        name: "eu".to_owned(),
        title: "eu".to_owned(),
        tags: vec!["eu".to_owned()],
        min_sources: 2,
        per_feed: 3,
        limit: 50,
        formats: vec![Format::Json, Format::Atom],
        order: Order::Coverage,
        window: Duration::from_secs(43_200),
        query: Query::parse("ferry").ok(),
        source_in_title: true,
        on_coverage: OnCoverage::Bump,
        compress: true,
        formerly: vec!["europe".to_owned()],
        ..OutputConfig::default()
    };
    assert_eq!(config.outputs, [expected]);
    assert_eq!(config.warnings, []);
}

#[test]
fn a_secret_is_never_printed() {
    let secret = Secret::Literal("hunter2".to_owned());
    assert_eq!(format!("{secret:?}"), "Literal(…)");
}

#[test]
fn all_problems_come_at_once_in_the_order_of_the_file() {
    let text = r#"[store]
keep = "90 days"
[poll]
intervall = "1h"
concurrency = "many"
[[feed]]
url = "example.org/feed.xml"
schedule = "*/15 * * *"
"#;
    assert_eq!(
        problems(text),
        "n:2:8: store.keep `90 days` has the unknown unit `days`; write a number and `s`, `m`, `h`, `d` or `w`, for example `30s`, `6h` or `1h30m`
n:4:1: [poll]: unknown key `intervall`; did you mean `interval`?
n:5:15: poll.concurrency must be a whole number, not a string; write it like `concurrency = 32`
n:7:7: feed 1: url `example.org/feed.xml` has no scheme; write `https://…`, `http://…`, or `file:PATH`
n:8:12: feed 1: schedule `*/15 * * *` has 4 fields; write five, `minute hour day month weekday`, for example `*/30 * * * *`"
    );
}

#[test]
fn columns_count_characters() {
    check(
        "[[output]]\ntitle = \"Öl\"\nname = \"größe\" # ü\n",
        "n:3:8: output `größe`: name `größe` does not fit into an address; write lower-case letters, digits, `-` and `_`, at most 64",
    );
    check(
        "fold = { profile = \"äöü\", level = \"x\" }",
        "n:1:20: fold.profile `äöü` is unknown; write one of `careful`\nn:1:35: fold.level `x` is unknown; write one of `off`, `link`, `copy`, `story`",
    );
}

#[test]
fn syntax_errors_do_not_hide_other_problems() {
    assert_eq!(
        problems(
            "[store]\nkeep =\npath = 3\n[poll]\ntimeout = 30s\nbackfill = \"7d\"\nbackfill = \"8d\"\n[fold\nlevel = \"x\"\n"
        ),
        "n:2:7: this is no TOML: the value is missing; write one after `=`, or take the line out
n:3:8: store.path must be a string, not a whole number; write it like `path = \"newsfold.db\"`
n:5:11: this is no TOML: text needs quotes; write it as `\"…\"`
n:7:1: this is no TOML: this key was given before; take one of the two out
n:8:6: this is no TOML: unclosed table; expected `]`"
    );
}

#[test]
fn an_unknown_key_is_shown_its_place() {
    check("interval = \"1h\"", "n:1:1: unknown key `interval`; it belongs below `[poll]`");
    check("[feeds]", "n:1:2: unknown key `feeds`; did you mean `feed`?");
    check("[serve]\nlevel = 'off'", "n:2:1: [serve]: unknown key `level`; it belongs below `[fold]`");
    check(
        "[store]\ncolour = 'red'",
        "n:2:1: [store]: unknown key `colour`; the keys here are `path`, `keep`, `max_size`",
    );
    check(&feed("uri = 'x'"), "n:4:1: feed `a`: unknown key `uri`; did you mean `url`?");
}

#[test]
fn a_wrong_type_is_shown_the_right_one() {
    check(
        "poll.timeout = 30",
        "n:1:16: poll.timeout must be a string, not a whole number; write it like `timeout = \"30s\"`",
    );
    check(
        "serve.websub = 'no'",
        "n:1:16: serve.websub must be `true` or `false`, not a string; write it like `websub = false`",
    );
    check(
        "poll.allow_networks = '10.0.0.0/8'",
        "n:1:23: poll.allow_networks must be a list, not a string; write it like `allow_networks = [\"192.168.1.0/24\"], in square brackets`",
    );
    check(
        &feed("tags = ['x', 3]"),
        "n:4:14: feed `a`: tags must be a string, not a whole number; write it like `tags = \"world\"`",
    );
    check(
        "[feed]\nurl = 'https://a.example/'",
        "n:1:1: feed is written with two brackets; write `[[feed]]` above the keys of each",
    );
    check("poll = 3", "n:1:8: poll must be a section; write `[poll]` on a line of its own and its keys below");
    check("poll.concurrency = 0", "n:1:20: poll.concurrency `0` is out of range; write a number from 1 to 1000");
    check(
        &feed("priority = 99999999999999999999"),
        "n:4:12: feed `a`: priority `99999999999999999999` is out of range; write a number from -1000000 to 1000000",
    );
}

#[test]
fn a_value_that_cannot_be_read_is_shown_its_cure() {
    check(
        "poll.max_body = '16M'",
        "n:1:17: poll.max_body `16M` has the unknown unit `M`; write a number and `KiB`, `MiB` or `GiB`, for example `16MiB`",
    );
    check(
        "poll.timezone = 'Europe/Berlinn'",
        "n:1:17: poll.timezone `Europe/Berlinn` is no time zone; did you mean `Europe/Berlin`?",
    );
    check("poll.timezone = 'CEST'", "n:1:17: poll.timezone `CEST` is no time zone; did you mean `CET`?");
    check(
        "poll.allow_networks = ['10.0.0.0/33']",
        "n:1:24: poll.allow_networks `10.0.0.0/33` is no network; write an address, `/` and the length of the prefix, for example `192.168.1.0/24`",
    );
    check(
        "poll.proxy = 'ftp://x:1'",
        "n:1:14: poll.proxy has the scheme `ftp`; write `http://HOST:PORT`, or `socks5h://HOST:PORT` where the proxy resolves names",
    );
    check("poll.timeout = '0s'", "n:1:16: poll.timeout `0s` is too short; write `1s` or more");
    check("poll.user_agent = 'süß'", "n:1:19: poll.user_agent `süß` cannot stand in a request; write plain ASCII");
    check(
        "serve.listen = ':8080'",
        "n:1:16: serve.listen `:8080` is no address to listen at; write `ADDRESS:PORT` as in `127.0.0.1:8080`, `unix:PATH`, or `\"\"` to serve nothing",
    );
    check(
        "poll.contact = 'call me'",
        "n:1:16: poll.contact `call me` is not an address; write one where publishers reach you, `https://…` or for mail, in plain ASCII",
    );
    check(
        "serve.socket_mode = '0066'",
        "n:1:21: serve.socket_mode `0066` is not a mode of a socket; write octal digits, for example `0660` or `0666`",
    );
    check(
        "serve.public_url = 'news.example'",
        "n:1:20: serve.public_url `news.example` has no scheme; write the whole address, for example `https://example.org/`",
    );
    let listening = |listen: &str, admin: &str| {
        format!("[serve]\nlisten = '{listen}'\npublic_url = 'http://nas.lan/'\nadmin = '{admin}'")
    };
    for (listen, admin) in [
        ("0.0.0.0:80", "127.0.0.1:80"),
        ("127.0.0.1:80", "0.0.0.0:80"),
        ("[::]:80", "127.0.0.1:80"),
        ("[::1]:80", "[::]:80"),
    ] {
        check(
            &listening(listen, admin),
            &format!(
                "n:4:9: serve.admin is an address of this machine that `serve.listen` ({listen}) takes too; write another port, or the same address to have operators look where readers do"
            ),
        );
    }
    for (listen, admin) in [
        ("0.0.0.0:80", "0.0.0.0:80"),
        ("0.0.0.0:80", "127.0.0.1:81"),
        ("127.0.0.1:80", "127.0.0.2:80"),
        ("0.0.0.0:80", "[::1]:80"),
    ] {
        assert!(from_toml(&listening(listen, admin), Path::new("/n.toml")).is_ok(), "{listen} {admin}");
    }
    check(
        "poll.interval = '1m'",
        "n:1:17: poll.interval `1m` polls every 1m, more often than `poll.min_interval` of 5m allows; write a longer one, or lower `poll.min_interval`",
    );
    check(
        &feed("schedule = '* * * * *'"),
        "n:4:12: feed `a`: schedule `* * * * *` polls every 1m, more often than `poll.min_interval` of 5m allows; write a longer one, or lower `poll.min_interval`",
    );
    check(
        &feed("schedule = '0 0 31 2 *'"),
        "n:4:12: feed `a`: schedule `0 0 31 2 *` never comes due; write a day that its month has",
    );
    check(&feed("fold = 'storey'"), "n:4:8: feed `a`: fold `storey` is unknown; did you mean `story`?");
    check(
        &feed("drop = [\"title ~ '(x'\"]"),
        "n:4:9: feed `a`: drop `title ~ '(x'` has a bad pattern: unclosed group; correct the pattern, or write `\\` before a sign that is meant as such",
    );
    check(
        "[[feed]]\nurl = 'ftp://a.example/'",
        "n:2:7: feed 1: url `ftp://a.example/` has the scheme `ftp:`; write `https://…`, `http://…`, or `file:PATH`",
    );
    check(
        "[[feed]]\nurl = 'https://me:x@a.example/'",
        "n:2:7: feed 1: url holds a user name or password; write them as `username` and `password`",
    );
    check(
        "[[feed]]\nurl = 'file://demo/x.xml'",
        "n:2:7: feed 1: url `file://demo/x.xml` names a host; write `file:PATH` for this folder, or `file:///…` with three slashes",
    );
    check("[[feed]]\nname = 'a'", "n:1:1: feed `a`: it has no `url`; write `url = \"https://…\"`");
}

#[test]
fn a_token_is_a_secret_that_is_hard_to_guess() {
    let secret = |text: &str| read(text).outputs[0].token.clone();
    assert_eq!(secret("[[output]]\ntoken = { credential = 'x' }"), Some(Secret::Credential("x".into())));
    assert_eq!(secret("[[output]]"), None);
    check(
        "[[output]]\ntoken = 'hunter2'",
        "n:2:9: output 1: token is easily guessed; write 16 characters or more, such as `openssl rand -hex 16` prints",
    );
    for (one, other) in [("a", "a"), ("a/b", "a"), ("a", "a/b")] {
        let text = format!(
            "[[output]]\nname = 'x'\ndirectory = '{one}'\n[[output]]\nname = 'y'\ndirectory = '{other}'\ntoken = {{ env = 'T' }}"
        );
        check(
            &text,
            "n:7:9: output `y`: token keeps it from those whom output `x` is for, and the files of both are in one `directory`; give it a folder of its own",
        );
    }
}

#[test]
fn an_interval_and_a_schedule_exclude_each_other() {
    check(
        "[poll]\nschedule = '@hourly'\ninterval = '1h'",
        "n:3:12: poll.interval stands beside `schedule`, and a feed goes by one of them; take one of the two out",
    );
    check(
        &feed("interval = '1h'\nschedule = '@hourly'"),
        "n:5:12: feed `a`: schedule stands beside `interval`, and a feed goes by one of them; take one of the two out",
    );
}

#[test]
fn an_encoder_is_asked_where_one_is_named() {
    assert_eq!(read("[fold.encoder]\nurl = ''\nmodel = 'e5'").fold.encoder, None);
    let encoder = read("fold.encoder.url = 'http://10.0.0.1:8000/v1/embeddings'\nfold.encoder.key = 'k'").fold.encoder;
    let expected = EncoderConfig {
        url: Url::parse("http://10.0.0.1:8000/v1/embeddings").unwrap(),
        model: String::new(),
        key: Some(Secret::Literal("k".to_owned())),
        prefix: String::new(),
        patience: Duration::from_secs(10),
    };
    assert_eq!(encoder, Some(expected));
    check(
        "[fold]\nencoder = 'e5'",
        "n:2:11: fold.encoder must be a section; write `[fold.encoder]` on a line of its own and its keys below",
    );
    check(
        "[fold.encoder]\nadress = ''",
        "n:2:1: [fold.encoder]: unknown key `adress`; the keys here are `url`, `model`, `key`, `prefix`, `patience`, `fold`",
    );
    check(
        "[fold.encoder]\nurl = 'localhost:8000'",
        "n:2:7: fold.encoder.url has the scheme `localhost:`; write the whole address, for example `https://example.org/`",
    );
    check(
        "[fold.encoder]\nfold = true",
        "n:2:8: fold.encoder.fold cannot be `true` in this version: tellings in other languages are listed and not folded; take it out",
    );
}

#[test]
fn feeds_and_outputs_are_told_apart() {
    check(
        &format!("{}\n[[feed]]\nname = 'a'\nurl = 'https://b.example/'", feed("")),
        "n:6:8: feed `a`: the feed on line 2 has this name too; give one of the two another",
    );
    check(
        &format!("{}\n[[feed]]\nname = 'b'\nurl = 'HTTPS://A.example:443/#top'", feed("")),
        "n:7:7: feed `b`: url is also that of feed `a` on line 3; take one of the two out",
    );
    check(
        "[[output]]\nname = 'x'\n[[output]]\nname = 'x'",
        "n:4:8: output `x`: another on line 1 has this name; give one of the two another",
    );
    check(
        &format!("{}\n[[output]]\ntags = ['wrld']", feed("tags = ['world']")),
        "n:6:9: output 1: tags `wrld` is on no feed; did you mean `world`?",
    );
    check(
        &format!("{}\n[[output]]\ntags = ['sport']", feed("tags = ['world']")),
        "n:6:9: output 1: tags `sport` is on no feed; feeds have `world`",
    );
    check(
        "[[output]]\nname = 'feeds'",
        "n:2:8: output `feeds`: name `feeds` is taken by the server; write another name than `story`, `feeds`, `search`, `style`, `index`, `icon`, `websub`, `healthz`, `readyz`, `metrics`, `t`",
    );
    check(
        "[[output]]\nname = 'x'\n[[output]]\nname = 'y'\nformerly = ['x']",
        "n:5:13: output `y`: formerly `x` is the name of the output on line 1; take it out",
    );
    check(
        "[[output]]\nquery = '-strike'",
        "n:2:9: output 1: query `-strike` only says what to leave out; write words to find, for example `ferry \"grey sea\" -strike`",
    );
    check(
        "[[output]]\nformats = ['atom', 'rdf']",
        "n:2:20: output 1: formats `rdf` is unknown; write one of `atom`, `rss`, `json`, `html`",
    );
    check(
        "[[output]]\nformats = []",
        "n:2:11: output 1: formats is empty, so nothing would be published; name at least one of `atom`, `rss`, `json`, `html`",
    );
}

#[test]
fn two_outputs_without_a_good_name_are_not_taken_for_one() {
    let message = problems("[[output]]\nname = 'Bad Name'\n[[output]]\nname = 'Other Bad'");
    assert_eq!(message.lines().count(), 2, "{message}");
    assert!(!message.contains("has this name"), "{message}");
}

#[test]
fn secrets_are_read_without_being_repeated() {
    let message = problems(&feed(
        "username = 'me'\npassword = { fiel = 'hunter2' }\nheaders = { Host = 'hunter2', 'X Y' = 'hunter2', X-Key = { env = '' }, X-L = \"hunter2\\n\" }",
    ));
    assert!(!message.contains("hunter2"), "{message}");
    for part in [
        "password has the unknown key `fiel`; write one of `file`, `env`, `credential`, as in `{ file = \"…\" }`",
        "headers has `Host`, which newsfold sets itself; take it out",
        "headers has `X Y`, which is no name of a header; write letters, digits and `-`",
        "headers has no name for its `env`; write one of",
        "headers has `X-L` with a line break, which no header can hold; take it out",
    ] {
        assert!(message.contains(part), "{part}\n{message}");
    }
    let message = problems(&feed("username = 'me'"));
    assert!(
        message.contains("n:1:1: feed `a`: only one of `username` and `password` is given; give both"),
        "{message}"
    );
}

#[test]
fn a_bad_address_is_shown_without_its_token() {
    check(
        "[[feed]]\nurl = 'ftp://me:hunter2@a.example/x?token=hunter2'",
        "n:2:7: feed 1: url `ftp://…@a.example/x?…` has the scheme `ftp:`; write `https://…`, `http://…`, or `file:PATH`",
    );
}

#[test]
fn hubs_need_an_address_that_they_can_call() {
    let check = |text: &str, cure: &str| {
        let message = problems(text);
        assert!(message.contains("serve.websub") && message.contains(cure), "{message}");
    };
    check("serve.websub = true", "serve.public_url");
    check("[serve]\nwebsub = true\nlisten = ''\npublic_url = 'https://news.example/'", "serve.listen");
    read("[serve]\nwebsub = true\npublic_url = 'https://news.example/'");
    read("[serve]\nwebsub = false\nhub = ''");
}

#[test]
fn a_feed_has_its_own_way_and_credentials() {
    let text = "[poll]\nproxy = 'http://127.0.0.1:3128'\n".to_owned()
        + "[[feed]]\nurl = 'https://a.example/'\nusername = 'x'\npassword = 'y'\nca = 'a.pem'\ninterval = 'auto'\n"
        + "[[feed]]\nurl = 'https://b.example/'\nproxy = ''\nheaders = { X-Key = { file = 'x' } }\n";
    let config = from_toml(&text, Path::new("/etc/n.toml")).unwrap();
    let [a, b] = &config.feeds[..] else { panic!("two feeds") };
    assert_eq!(a.access.proxy.as_ref().map(Url::as_str), Some("http://127.0.0.1:3128/"));
    assert_eq!((a.access.ca.as_deref(), &a.cadence), (Some(Path::new("/etc/a.pem")), &Some(Cadence::Auto)));
    assert_eq!((&b.access.proxy, b.access.headers.len()), (&None, 1));
}

#[test]
fn the_demonstration_is_right_and_its_feeds_are_there() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/demo.toml");
    let config = from_toml(include_str!("../../config/demo.toml"), &file).unwrap();
    assert_eq!(config.warnings, []);
    assert_eq!((config.feeds.len(), config.outputs.len()), (8, 2));
    for feed in &config.feeds {
        let is_there = feed.url.to_file_path().unwrap().is_file();
        assert_eq!(is_there, feed.name != "lighthouse", "{}: one feed fails", feed.url);
    }
}

#[test]
fn a_hasty_least_interval_is_warned_of() {
    let config = read(&format!("poll.min_interval = '1s'\npoll.interval = '1s'\n{}", feed("")));
    assert_eq!(config.poll.cadence, Cadence::Every(Duration::from_secs(1)));
    let warnings: Vec<String> = config.warnings.iter().map(|warning| warning.message.clone()).collect();
    assert_eq!(
        warnings,
        ["poll.min_interval is below 5m, which many publishers take amiss; use it for feeds of your own"]
    );
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text: String) {
        let _ = from_toml(&text, Path::new("/n.toml"));
    }

    #[test]
    fn no_damage_to_the_commented_file_makes_the_reader_panic(at in 0..COMMENTED.len(), length in 0..40_usize, put in "[a-z\"'=\\[\\]{}#\n 0-9ü]{0,6}") {
        let text = with_examples();
        let before: String = text.chars().take(at).collect();
        let after: String = text.chars().skip(at + length).collect();
        let _ = from_toml(&format!("{before}{put}{after}"), Path::new("/n.toml"));
    }
}
