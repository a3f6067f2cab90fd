//! Which stories an output takes, how it shows them, and that it shows them alike everywhere.

use std::process::Command;

use serde_json::Value;

use crate::support::{Answer, Origin, Scene, rss, rss_of};

/// Two feeds, `one` and `two`, of which each has one story of its own, and both tell a third.
fn two_feeds() -> (Origin, Origin) {
    let one = rss(
        "One",
        &[
            ("1", "https://example.org/storm", "Storm over the bay", "Boats stay in."),
            ("2", "https://example.org/market", "Market day", "Cheese and eels."),
        ],
    );
    let two = rss(
        "Two",
        &[
            ("3", "https://example.org/storm", "Storm over the bay", "Boats stay in."),
            ("4", "https://example.org/chess", "Chess final", "Black won."),
        ],
    );
    (Origin::of(one), Origin::of(two))
}

fn items(scene: &Scene, output: &str) -> Vec<Value> {
    scene.json(&["publish", output, "--format", "json"])["items"].as_array().unwrap().clone()
}

fn titles(scene: &Scene, output: &str) -> Vec<String> {
    items(scene, output).iter().map(|story| story["title"].as_str().unwrap().to_owned()).collect()
}

fn sorted(mut titles: Vec<String>) -> Vec<String> {
    titles.sort();
    titles
}

#[test]
fn an_outputs_rules_look_at_the_entry_that_is_shown() {
    let (one, two) = two_feeds();
    let scene = Scene::with(
        &[("one", one.url("/")), ("two", two.url("/"))],
        "[[output]]\nname = \"keep\"\nkeep = [\"title ~ '(?i)storm'\", \"summary ~ 'eels'\"]\n\
         [[output]]\nname = \"drop\"\ndrop = [\"title ~ '^Chess'\"]\n\
         [[output]]\nname = \"both\"\nkeep = [\"url ~ 'example.org'\"]\ndrop = [\"summary ~ 'eels'\", \"title ~ 'Chess'\"]\n\
         [[output]]\nname = \"none\"\nkeep = [\"author ~ 'nobody'\"]\n",
    );
    scene.must(&["poll"]);
    assert_eq!(sorted(titles(&scene, "keep")), ["Market day", "Storm over the bay"]);
    assert_eq!(sorted(titles(&scene, "drop")), ["Market day", "Storm over the bay"]);
    assert_eq!(titles(&scene, "both"), ["Storm over the bay"]);
    assert!(titles(&scene, "none").is_empty());
    for format in ["atom", "rss", "html"] {
        let published = scene.must(&["publish", "none", "--format", format]);
        assert!(!published.contains("Storm"), "{format}: {published}");
    }
}

#[test]
fn an_output_by_coverage_shows_what_most_tell_of_its_window() {
    let dated = |title: &str, entries: &[(&str, &str)]| {
        let items: String = entries
            .iter()
            .map(|(name, date)| {
                format!("<item><guid isPermaLink=\"false\">{title}{name}</guid><link>https://example.org/{name}</link><title>{name}</title><pubDate>{date}</pubDate></item>")
            })
            .collect();
        let link = "<link>https://example.org/</link><description>d</description>";
        Origin::of(format!("<rss version=\"2.0\"><channel><title>{title}</title>{link}{items}</channel></rss>"))
    };
    let newest = ("newest", "03 Mar 2026 12:00:00 GMT");
    let twice = ("twice", "03 Mar 2026 09:00:00 GMT");
    let thrice = ("thrice", "03 Mar 2026 06:00:00 GMT");
    let stale = ("stale", "01 Mar 2026 12:00:00 GMT");
    let feeds = [
        ("a", dated("A", &[newest, twice, thrice, stale])),
        ("b", dated("B", &[twice, thrice, stale])),
        ("c", dated("C", &[thrice, stale])),
    ];
    let urls: Vec<(&str, String)> = feeds.iter().map(|(name, origin)| (*name, origin.url("/"))).collect();
    let scene = Scene::with(
        &urls,
        "[[output]]\nname = \"newest\"\n[[output]]\nname = \"top\"\norder = \"coverage\"\nwindow = \"1d\"\n\
         [[output]]\nname = \"wide\"\norder = \"coverage\"\nwindow = \"7d\"\nlimit = 2\n\
         [[output]]\nname = \"many\"\norder = \"coverage\"\nmin_sources = 2\n",
    );
    scene.must(&["poll", "a"]);
    scene.must(&["poll", "b"]);
    scene.must(&["poll", "c"]);
    assert_eq!(titles(&scene, "newest"), ["newest", "twice", "thrice", "stale"]);
    assert_eq!(titles(&scene, "top"), ["thrice", "twice", "newest"], "the window ends with the newest story");
    assert_eq!(titles(&scene, "wide"), ["thrice", "stale"], "of those told alike, the newer one first");
    assert_eq!(titles(&scene, "many"), ["thrice", "twice"]);
    assert!(!scene.must(&["publish", "top"]).contains("prev-archive"), "it has no past to keep");
}

#[test]
fn the_sources_name_stands_before_titles_where_that_is_asked_for() {
    let (one, _) = two_feeds();
    let scene = Scene::with(
        &[("one", one.url("/"))],
        "[[output]]\nname = \"named\"\nsource_in_title = true\n[[output]]\nname = \"plain\"\n",
    );
    scene.must(&["poll"]);
    assert_eq!(sorted(titles(&scene, "named")), ["One: Market day", "One: Storm over the bay"]);
    assert_eq!(sorted(titles(&scene, "plain")), ["Market day", "Storm over the bay"]);
    for format in ["atom", "rss"] {
        let published = scene.must(&["publish", "named", "--format", format]);
        assert!(published.contains("<title>One: Market day</title>"), "{format}: {published}");
    }
    let page = scene.must(&["publish", "named", "--format", "html"]);
    assert!(!page.contains("One: Market day"), "a page names the source beside the title: {page}");
}

#[test]
fn another_telling_moves_no_date_unless_the_output_bumps() {
    let (one, two) = two_feeds();
    let scene = Scene::with(
        &[("one", one.url("/")), ("two", two.url("/"))],
        "[[output]]\nname = \"quiet\"\n[[output]]\nname = \"bump\"\non_coverage = \"bump\"\n",
    );
    let storm = |output: &str| {
        let found = items(&scene, output).into_iter().find(|story| story["title"] == "Storm over the bay").unwrap();
        ["id", "date_published", "date_modified"].map(|field| found[field].as_str().unwrap_or_default().to_owned())
    };
    scene.must(&["poll", "one"]);
    let (quiet, bump) = (storm("quiet"), storm("bump"));
    assert_eq!(quiet, bump, "a story that one feed tells is the same in both");
    scene.must(&["poll", "two"]);
    let told_twice = |output: &str| scene.must(&["publish", output]).contains("Also told by");
    assert!(told_twice("quiet") && told_twice("bump"));
    assert_eq!(storm("quiet"), quiet, "the telling is listed, and no date moves");
    let [id, published, modified] = storm("bump");
    assert_eq!([&id, &published], [&bump[0], &bump[1]], "neither id nor first date ever move");
    assert!(modified > bump[2], "{modified} is not after {:?}", bump[2]);
}

#[test]
fn packed_files_hold_the_bytes_of_the_files_beside_them() {
    let origin = Origin::of(rss_of(&["a", "b"]));
    let output = "[[output]]\nname = \"news\"\ndirectory = \"public\"\n";
    let scene = Scene::with(&[("example", origin.url("/feed"))], &format!("{output}compress = true\n"));
    scene.must(&["poll"]);
    let read = |file: &str| std::fs::read(scene.path("public").join(file)).unwrap();
    let check = || {
        for file in ["news.atom", "news.rss", "news.json", "news.html", "index.html", "style.css"] {
            let plain = read(file);
            for (ending, coding) in [("gz", "gzip"), ("br", "br")] {
                let unpacked = newsfold::fetch::decode::decode(read(&format!("{file}.{ending}")), coding, 1 << 20);
                assert!(unpacked.unwrap() == plain, "{file}.{ending}");
            }
        }
    };
    check();
    assert!(!scene.must(&["poll"]).contains("written"));
    // A crash may have come between a file and its packed forms.
    let old = std::fs::File::options().write(true).open(scene.path("public/news.atom.gz")).unwrap();
    old.set_len(0).unwrap();
    old.set_modified(std::time::UNIX_EPOCH).unwrap();
    scene.must(&["poll"]);
    check();
    origin.change(|_| Answer::ok(rss_of(&["c", "a", "b"])));
    scene.must(&["poll"]);
    check();
    // What is not kept up any more would be served in place of the news.
    scene.configure(&[("example", origin.url("/feed"))], output);
    origin.change(|_| Answer::ok(rss_of(&["d", "c", "a", "b"])));
    scene.must(&["poll"]);
    assert!(!scene.path("public/news.atom.gz").exists() && !scene.path("public/news.json.br").exists());
}

#[test]
fn no_feed_leads_more_stories_than_its_share() {
    let many = Origin::of(rss_of(&["a", "b", "c", "d"]));
    let (one, _) = two_feeds();
    let scene = Scene::with(
        &[("many", many.url("/")), ("one", one.url("/"))],
        "[[output]]\nname = \"fair\"\nper_feed = 2\n[[output]]\nname = \"short\"\nper_feed = 1\nlimit = 2\n",
    );
    scene.must(&["poll"]);
    let led = |output: &str| {
        let sources = items(&scene, output).into_iter();
        let mut sources: Vec<String> =
            sources.map(|story| story["_newsfold"]["source"]["title"].as_str().unwrap().to_owned()).collect();
        sources.sort();
        sources
    };
    assert_eq!(led("fair"), ["One", "One", "many", "many"]);
    assert_eq!(led("short"), ["One", "many"], "what has no share left takes nobody's room");
}

const FORMATS: [(&str, &str); 4] =
    [("/news.atom", "atom"), ("/news.rss", "rss"), ("/news.json", "json"), ("/news", "html")];

#[test]
fn the_same_stories_are_the_same_bytes_after_a_restart_and_in_another_place() {
    let (one, two) = two_feeds();
    let feeds = [("one", one.url("/")), ("two", two.url("/"))];
    let serve = "[serve]\nlisten = \"127.0.0.1:0\"\npublic_url = \"https://example.org/\"\n[[output]]\nname = \"news\"\nlimit = 2\n";
    let scene = Scene::with(&feeds, serve);
    scene.must(&["poll", "one"]);
    scene.must(&["poll", "two"]);
    let served = |scene: &Scene| {
        let daemon = scene.start();
        let archive =
            daemon.get("/news.atom").1.lines().find(|line| line.contains("prev-archive")).map(|line| {
                line.split("href=\"https://example.org").nth(1).unwrap().split('"').next().unwrap().to_owned()
            });
        let paths =
            FORMATS.iter().map(|(path, _)| (*path).to_owned()).chain([archive.unwrap(), "/feeds.opml".to_owned()]);
        let pages: Vec<(String, String)> = paths.map(|path| daemon.get(&path)).collect();
        daemon.signal("TERM");
        assert_eq!(daemon.ended(), 0);
        let of_the_bytes = |(head, body): (String, String)| {
            let told = |name: &str| head.lines().find(|line| line.to_lowercase().starts_with(name)).map(str::to_owned);
            (told("etag"), told("last-modified"), body)
        };
        pages.into_iter().map(of_the_bytes).collect::<Vec<_>>()
    };
    let first = served(&scene);
    assert!(first.iter().all(|(etag, _, body)| etag.is_some() && !body.is_empty()));
    assert_eq!(served(&scene), first, "after a restart");
    let copy = scene.path("copy.db");
    scene.must(&["store", "backup", copy.to_str().unwrap()]);
    let elsewhere = Scene::with(&feeds, serve);
    elsewhere.must(&["store", "restore", copy.to_str().unwrap()]);
    assert_eq!(served(&elsewhere), first, "from a copy of the store on another path");
}

#[test]
fn neither_the_time_zone_nor_the_language_of_the_machine_shows() {
    let (one, two) = two_feeds();
    let scene = Scene::with(&[("one", one.url("/")), ("two", two.url("/"))], "");
    scene.must(&["poll", "one"]);
    scene.must(&["poll", "two"]);
    for (_, format) in FORMATS {
        let published = scene.must(&["publish", "--format", format]);
        for (zone, language) in [("Asia/Kolkata", "hi_IN.UTF-8"), ("America/St_Johns", "de_DE"), ("Pacific/Apia", "C")]
        {
            let mut command: Command = scene.command();
            command.env("TZ", zone).env("LC_ALL", language).env("LANG", language);
            let abroad = command.args(["publish", "--format", format]).output().unwrap();
            assert!(abroad.status.success());
            assert!(abroad.stdout == published.as_bytes(), "{format} in {zone}");
        }
    }
}

#[test]
fn an_output_passes_on_as_much_as_it_is_told_to() {
    let long = "A sentence of the report. ".repeat(60);
    let [one, two] = ["One", "Two"].map(|name| Origin::of(rss(name, &[("1", "https://example.org/a", "News", &long)])));
    let outputs: String = ["full", "summary", "none"]
        .iter()
        .flat_map(|content| ["list", "link", "none"].map(|coverage| (content, coverage)))
        .map(|(content, coverage)| {
            format!("[[output]]\nname = \"{content}-{coverage}\"\ncontent = \"{content}\"\ncoverage = \"{coverage}\"\n")
        })
        .collect();
    let scene = Scene::with(&[("one", one.url("/")), ("two", two.url("/"))], &outputs);
    scene.must(&["poll"]);
    for (content, coverage) in
        [("full", "list"), ("full", "link"), ("summary", "link"), ("none", "none"), ("none", "list")]
    {
        let name = format!("{content}-{coverage}");
        let feed = scene.json(&["publish", &name, "--format", "json"]);
        let item = &feed["items"][0];
        let html = item["content_html"].as_str().unwrap();
        let sentences = html.matches("A sentence of the report.").count();
        let expected = match content {
            "full" => sentences == 60,
            "summary" => (1..60).contains(&sentences),
            _ => sentences == 0,
        };
        assert!(expected, "{name}: {sentences} sentences");
        assert_eq!(html.contains("Also told by"), coverage == "list", "{name}: {html}");
        let story = item["_newsfold"]["story_url"].as_str().unwrap();
        assert_eq!(html.contains(story), coverage != "none", "{name}: {html}");
        for format in ["atom", "rss"] {
            let document = scene.must(&["publish", &name, "--format", format]);
            assert!(document.contains(&format!("rel=\"related\" href=\"{story}\"")), "{document}");
        }
    }
}

#[test]
fn a_story_counts_as_updated_when_so_many_tell_it_and_else_stays() {
    let document = |name: &str| rss(name, &[("1", "https://example.org/a", "News", "t")]);
    let origins: Vec<Origin> = (0..4).map(|_| Origin::of(rss("x", &[]))).collect();
    let feeds: Vec<(String, String)> =
        (0..).zip(&origins).map(|(at, origin): (u32, _)| (format!("f{at}"), origin.url("/"))).collect();
    let feeds: Vec<(&str, String)> = feeds.iter().map(|(name, url)| (name.as_str(), url.clone())).collect();
    let scene = Scene::with(
        &feeds,
        "[[output]]\nname = \"quiet\"\ncoverage = \"link\"\n[[output]]\nname = \"loud\"\nbump_at = [3]\n",
    );
    let modified =
        |output: &str| scene.json(&["publish", output, "--format", "json"])["items"][0]["date_modified"].clone();
    let atom = |output: &str| scene.must(&["publish", output]).split("<entry").nth(1).unwrap().to_owned();
    let mut first = None;
    for (at, origin) in origins.iter().enumerate() {
        let document = document(&format!("Feed {at}"));
        origin.change(move |_| Answer::ok(&document));
        scene.must(&["poll"]);
        assert_eq!(modified("quiet"), Value::Null);
        assert_eq!(modified("loud").is_null(), at < 2, "after feed {at}");
        let entry = atom("quiet").split("<link rel=\"related\"").next().unwrap().to_owned();
        assert_eq!(first.get_or_insert_with(|| entry.clone()), &entry, "what is shown stays to the byte");
    }
}

#[test]
fn an_output_can_be_of_episodes_only_or_of_a_language() {
    let item =
        |id: &str, more: &str| format!("<item><guid isPermaLink='false'>{id}</guid><title>{id}</title>{more}</item>");
    let feed = |language: &str, items: String| {
        format!(
            "<rss version='2.0'><channel><title>Radio</title><language>{language}</language>{items}</channel></rss>"
        )
    };
    let sound = "<enclosure url='https://example.org/a.mp3' type='audio/mpeg' length='1'/>";
    let one = Origin::of(feed("en", item("episode", sound) + &item("text", "")));
    let two = Origin::of(feed("pl", item("polish", "")));
    let rules = [
        ("episodes", "enclosure ~ '^audio/'"),
        ("polish", "lang ~ '^pl'"),
        ("named", "feed ~ '^two$'"),
        ("called", "source ~ 'Radio'"),
    ];
    let outputs: String =
        rules.iter().map(|(name, rule)| format!("[[output]]\nname = \"{name}\"\nkeep = [\"{rule}\"]\n")).collect();
    let scene = Scene::with(&[("one", one.url("/")), ("two", two.url("/"))], &outputs);
    scene.must(&["poll"]);
    let shown = |output: &str| {
        let feed = scene.json(&["publish", output, "--format", "json"]);
        let mut titles: Vec<String> =
            feed["items"].as_array().unwrap().iter().map(|item| item["title"].as_str().unwrap().to_owned()).collect();
        titles.sort();
        titles.join(" ")
    };
    assert_eq!(
        [shown("episodes"), shown("polish"), shown("named"), shown("called")],
        ["episode", "polish", "polish", "episode polish text"]
    );
}
