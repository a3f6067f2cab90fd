//! What a validator would say of the outputs, rule by rule, and what becomes of hostile entries.

use std::collections::HashSet;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use url::Url;

use crate::support::{Origin, Scene};

/// An element of a document: its name, attributes, text and children.
#[derive(Debug, Default, Clone)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Self>,
}

impl Element {
    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The only child of this name.
    fn one<'a>(&'a self, name: &'a str) -> &'a Self {
        let found: Vec<_> = self.all(name).collect();
        assert_eq!(found.len(), 1, "`{name}` in {}: {self:#?}", self.name);
        found[0]
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn read(document: &str) -> Element {
    let mut reader = Reader::from_str(document);
    let opened = |start: &BytesStart<'_>| Element {
        name: start.name().as_ref().to_owned(),
        attributes: start
            .attributes()
            .map(|attribute| {
                let attribute = attribute.unwrap();
                let value = quick_xml::escape::unescape(&attribute.value).unwrap().into_owned();
                (attribute.key.as_ref().to_owned(), value)
            })
            .collect(),
        ..Element::default()
    };
    let mut stack = vec![Element::default()];
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => stack.push(opened(&start)),
            Event::Empty(start) => stack.last_mut().unwrap().children.push(opened(&start)),
            Event::End(_) => {
                let done = stack.pop().unwrap();
                stack.last_mut().unwrap().children.push(done);
            }
            Event::Text(text) => stack.last_mut().unwrap().text += &text,
            Event::GeneralRef(reference) => {
                let text = format!("&{};", &*reference);
                stack.last_mut().unwrap().text += &quick_xml::escape::unescape(&text).unwrap();
            }
            Event::Eof => return stack.pop().unwrap().children.pop().unwrap(),
            _ => {}
        }
    }
}

fn is_rfc3339(text: &str) -> bool {
    // Whole seconds: some readers know no fractions.
    text.ends_with('Z') && !text.contains('.') && chrono::DateTime::parse_from_rfc3339(text).is_ok()
}

fn is_web(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

/// Markup that stands in a document has only absolute addresses and nothing that runs.
fn check_markup(markup: &str) {
    let lower = markup.to_lowercase();
    for tag in lower.split('<').skip(1).map(|piece| piece.split('>').next().unwrap()) {
        // What stands in quotes is a value and no attribute.
        let names = tag.split('"').step_by(2).collect::<Vec<_>>().join("\"\"");
        for forbidden in ["script", "style", "form", "iframe", "object", "embed", "base", "meta", "link", "svg"] {
            assert!(!names.starts_with(forbidden), "{tag}");
        }
        for forbidden in [" onclick", " onload", " onerror", " style", " class", " id"] {
            assert!(!names.contains(forbidden), "{tag}");
        }
        for name in [" href=\"", " src=\""] {
            if let Some(address) = tag.split(name).nth(1).and_then(|rest| rest.split('"').next()) {
                assert!(is_web(address) || address.starts_with("mailto:"), "{tag}");
            }
        }
    }
}

/// RFC 4287, with the warnings of the W3C's validator taken for errors.
fn check_atom(document: &str, at: &str) {
    let feed = read(document);
    assert_eq!((feed.name.as_str(), feed.attribute("xmlns")), ("feed", Some("http://www.w3.org/2005/Atom")));
    assert!(is_web(&feed.one("id").text) && !feed.one("title").text.is_empty());
    assert!(is_rfc3339(&feed.one("updated").text));
    let own: Vec<_> = feed.all("link").filter(|link| link.attribute("rel") == Some("self")).collect();
    assert_eq!(own.iter().map(|link| link.attribute("href").unwrap()).collect::<Vec<_>>(), [at]);
    let (mut ids, mut changes) = (HashSet::new(), HashSet::new());
    for entry in feed.all("entry") {
        assert!(ids.insert(entry.one("id").text.clone()), "an id occurs twice");
        assert!(entry.one("id").text.starts_with("urn:uuid:"));
        let (published, updated) = (&entry.one("published").text, &entry.one("updated").text);
        assert!(
            is_rfc3339(published) && is_rfc3339(updated) && changes.insert(updated.clone()),
            "{updated} occurs twice"
        );
        check_text(entry.one("title"));
        assert!(!entry.one("content").text.is_empty());
        check_text(entry.one("content"));
        entry.all("summary").for_each(check_text);
        assert!(entry.all("author").count() > 0);
        for author in entry.all("author") {
            assert!(!author.one("name").text.trim().is_empty());
            author.all("uri").for_each(|uri| assert!(is_web(&uri.text)));
            author.all("email").for_each(|email| assert!(email.text.contains('@') && !email.text.contains(' ')));
        }
        entry.all("category").for_each(|category| assert!(!category.attribute("term").unwrap().is_empty()));
        let alternates = entry.all("link").filter(|link| link.attribute("rel") == Some("alternate")).count();
        assert!(alternates <= 1);
        for link in entry.all("link") {
            assert!(is_web(link.attribute("href").unwrap()), "{link:?}");
            if let Some(kind) = link.attribute("type") {
                assert!(kind.split('/').count() == 2 && !kind.contains(' '), "{link:?}");
            }
            if let Some(length) = link.attribute("length") {
                assert!(length.parse::<u64>().is_ok(), "{link:?}");
            }
        }
        let language = entry.attribute("xml:lang").unwrap_or("en");
        assert!(
            language.split('-').all(|part| part.chars().all(|c| c.is_ascii_alphanumeric()) && part.len() <= 8),
            "{language}"
        );
        let source = entry.one("source");
        assert!(is_rfc3339(&source.one("updated").text) && !source.one("title").text.is_empty());
        assert!(Url::parse(&source.one("id").text).is_ok());
        check_for_newsfolds(entry);
    }
}

/// What newsfolds tell each other (docs/api.md).
fn check_for_newsfolds(entry: &Element) {
    let source = entry.one("newsfold:source");
    assert!(source.attribute("title").is_some_and(|title| !title.is_empty()));
    let addresses = [source.attribute("home_page_url"), source.attribute("feed_url")];
    assert!(addresses.into_iter().flatten().all(is_web), "{source:?}");
    for also in entry.all("newsfold:also") {
        assert!(also.attribute("url").is_none_or(is_web) && is_rfc3339(also.attribute("date").unwrap()), "{also:?}");
        assert!(also.attribute("source").is_some() && also.attribute("title").is_some(), "{also:?}");
    }
    assert!(is_web(entry.one("newsfold:story").attribute("url").unwrap()));
}

fn check_text(text: &Element) {
    match text.attribute("type") {
        None | Some("text") => assert!(!text.text.contains("</"), "markup in a plain text: {}", text.text),
        Some("html") => check_markup(&text.text),
        Some(other) => panic!("{other}"),
    }
}

/// RSS 2.0 and the modules that it is used with.
fn check_rss(document: &str, at: &str) {
    const OF_ITEM: &[&str] = &[
        "title",
        "link",
        "guid",
        "pubDate",
        "atom:updated",
        "dc:creator",
        "dc:language",
        "category",
        "comments",
        "slash:comments",
        "description",
        "content:encoded",
        "enclosure",
        "media:content",
        "media:thumbnail",
        "atom:link",
        "source",
        "dc:publisher",
        "newsfold:source",
        "newsfold:also",
        "newsfold:story",
    ];
    let rss = read(document);
    assert_eq!((rss.name.as_str(), rss.attribute("version")), ("rss", Some("2.0")));
    let channel = rss.one("channel");
    assert!(is_web(&channel.one("link").text));
    assert!(!channel.one("title").text.is_empty() && !channel.one("description").text.is_empty());
    let own: Vec<_> = channel.all("atom:link").filter(|link| link.attribute("rel") == Some("self")).collect();
    assert_eq!(own.iter().map(|link| link.attribute("href").unwrap()).collect::<Vec<_>>(), [at]);
    let is_date = |text: &str| {
        chrono::NaiveDateTime::parse_from_str(text, "%a, %d %b %Y %H:%M:%S GMT").is_ok() && text.len() == 29
    };
    channel.all("lastBuildDate").for_each(|date| assert!(is_date(&date.text), "{}", date.text));
    let mut ids = HashSet::new();
    for item in channel.all("item") {
        for child in &item.children {
            assert!(OF_ITEM.contains(&child.name.as_str()), "{}", child.name);
        }
        let guid = item.one("guid");
        assert!(ids.insert(guid.text.clone()) && guid.attribute("isPermaLink") == Some("false"));
        assert!(is_date(&item.one("pubDate").text));
        assert!(!item.one("title").text.is_empty());
        item.all("link").for_each(|link| assert!(is_web(&link.text)));
        check_markup(&item.one("description").text);
        assert!(!item.one("description").text.is_empty());
        item.all("content:encoded").for_each(|text| check_markup(&text.text));
        let place = |name: &str| item.children.iter().position(|child| child.name == name);
        assert!(place("content:encoded").is_none_or(|content| place("description").unwrap() < content));
        assert!(item.all("enclosure").count() <= 1);
        for enclosure in item.all("enclosure") {
            assert!(is_web(enclosure.attribute("url").unwrap()));
            assert!(enclosure.attribute("length").unwrap().parse::<u64>().is_ok());
            assert!(enclosure.attribute("type").unwrap().contains('/'));
        }
        item.all("comments").for_each(|page| assert!(is_web(&page.text)));
        check_for_newsfolds(item);
        item.all("source")
            .for_each(|source| assert!(is_web(source.attribute("url").unwrap()) && !source.text.is_empty()));
    }
}

/// JSON Feed 1.1.
fn check_json(document: &str, at: &str) {
    let feed: serde_json::Value = serde_json::from_str(document).unwrap();
    assert_eq!(feed["version"], "https://jsonfeed.org/version/1.1");
    assert_eq!(feed["feed_url"], at);
    let mut ids = HashSet::new();
    for item in feed["items"].as_array().unwrap() {
        assert!(ids.insert(item["id"].as_str().unwrap().to_owned()));
        check_markup(item["content_html"].as_str().unwrap());
        for date in ["date_published", "date_modified"] {
            assert!(item[date].as_str().is_none_or(is_rfc3339));
        }
        for address in ["url", "image"] {
            assert!(item[address].as_str().is_none_or(is_web));
        }
        for attachment in item["attachments"].as_array().into_iter().flatten() {
            assert!(is_web(attachment["url"].as_str().unwrap()) && attachment["mime_type"].is_string());
        }
    }
}

fn check_all(scene: &Scene) {
    let at = |ending: &str| format!("http://127.0.0.1:8080/news{ending}");
    let serve = |format: &str| scene.must(&["publish", "--format", format]);
    check_atom(&serve("atom"), &at(".atom"));
    check_rss(&serve("rss"), &at(".rss"));
    check_json(&serve("json"), &at(".json"));
}

/// A newsfold that has polled every feed of this folder.
fn filled_from(folder: &str) -> Scene {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|item| item.unwrap().path()).collect();
    files.sort();
    let feeds: Vec<(String, String)> = (0..)
        .zip(&files)
        .map(|(number, path): (u32, _)| (format!("f{number}"), Url::from_file_path(path).unwrap().to_string()))
        .collect();
    let feeds: Vec<(&str, String)> = feeds.iter().map(|(name, url)| (name.as_str(), url.clone())).collect();
    let scene = Scene::with(
        &feeds,
        "[serve]\nlisten = \"127.0.0.1:0\"\npublic_url = \"http://127.0.0.1:8080/\"\n[[output]]\nname = \"news\"\nlimit = 1000\n",
    );
    scene.must(&["poll"]);
    scene
}

#[test]
fn the_demonstration_is_valid_in_every_format() {
    check_all(&filled_from("config/demo"));
}

#[test]
fn every_feed_that_can_be_read_is_republished_validly() {
    check_all(&filled_from("tests/fixtures/feeds"));
}

/// A scene with one entry of this title and markup, polled.
fn hostile(title: &str, markup: &str) -> Scene {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
    let document = format!(
        "<rss version=\"2.0\"><channel><title>{0}</title><link>https://example.org/</link><description>d</description>\
         <item><guid>x</guid><link>https://example.org/a</link><title>{0}</title><author>{0}</author><category>{0}</category>\
         <description>{1}</description></item></channel></rss>",
        escape(title),
        escape(markup)
    );
    let scene = Scene::with(
        &[("example", Origin::of("").url("/"))],
        "[serve]\nlisten = \"127.0.0.1:0\"\npublic_url = \"http://127.0.0.1:8080/\"\n",
    );
    scene.write("feed.xml", &document);
    let file = Url::from_file_path(scene.path("feed.xml")).unwrap();
    scene.configure(
        &[("example", file.to_string())],
        "[serve]\nlisten = \"127.0.0.1:0\"\npublic_url = \"http://127.0.0.1:8080/\"\n",
    );
    scene.must(&["poll"]);
    scene
}

/// Every format of a scene, and the page of its only story.
fn shown(scene: &Scene) -> Vec<String> {
    let mut shown: Vec<String> =
        ["atom", "rss", "json", "html"].iter().map(|format| scene.must(&["publish", "--format", format])).collect();
    let id = scene.json(&["stories", "--since", "4000d", "--json"])[0]["id"].as_str().unwrap().to_owned();
    let daemon = scene.start();
    shown.push(daemon.get(&format!("/story/{id}")).1);
    shown.push(daemon.get("/feeds").1);
    shown.push(daemon.get("/feeds/example").1);
    shown
}

/// Checks that none of this is left in any format.
fn check_harmless(title: &str, markup: &str, forbidden: &[&str]) {
    let scene = hostile(title, markup);
    check_all(&scene);
    for document in shown(&scene) {
        for forbidden in forbidden {
            assert!(!document.contains(forbidden), "{forbidden:?} in {document}");
        }
    }
}

#[test]
fn scripts_and_handlers_are_gone() {
    let markup =
        "<script>evil()</script><p onclick=\"evil()\">text</p><svg onload=evil()></svg><img src=x onerror=evil()>";
    check_harmless("<script>evil()</script>A title", markup, &["evil()</script", "onclick=", "onload=", "onerror="]);
}

#[test]
fn styles_are_gone() {
    check_harmless(
        "A",
        "<style>body{display:none}</style><p style=\"position:fixed\" class=\"top\" id=\"main\">t</p>",
        &["display:none}", "position:fixed"],
    );
}

#[test]
fn forms_are_gone_and_frames_are_links() {
    check_harmless(
        "A",
        "<form action=\"https://evil.example/\"><input name=p></form><iframe src=\"https://film.example/1\"></iframe>t",
        &["evil.example", "iframe", "src=\"https://film.example/", "src=\\\"https://film.example/"],
    );
}

#[test]
fn links_lead_to_the_web_only() {
    let markup = "<a href=\"javascript:evil()\">a</a><a href=\"data:text/html,evil\">b</a><img src=\"data:image/svg+xml,evil\"><a href=\" jav&#x09;ascript:evil()\">c</a>";
    check_harmless("A", markup, &["javascript:", "data:text", "data:image", "evil()"]);
}

#[test]
fn control_characters_are_gone() {
    check_harmless(
        "A\u{b}B\u{1f}C\u{fffe}",
        "x\u{0}y\u{8}z\u{ffff}",
        &["\u{b}", "\u{1f}", "\u{fffe}", "\u{8}", "\u{ffff}"],
    );
}

#[test]
fn text_is_not_turned_around() {
    check_harmless("A \u{202e}drow\u{2066} title", "<p>a \u{202e}drow</p>", &["\u{202e}", "\u{2066}"]);
}

#[test]
fn a_megabyte_of_title_is_shortened() {
    let scene = hostile(&"long ".repeat(200_000), "t");
    check_all(&scene);
    for document in shown(&scene) {
        assert!(document.len() < 40_000, "{} bytes", document.len());
    }
}

#[test]
fn markup_that_closes_our_own_page_stays_inside_it() {
    let breaker = "</title></a></p></article></section></main></body></html><h1>Mine now</h1>";
    let scene = hostile(breaker, &format!("{breaker}]]></content></entry></feed>"));
    check_all(&scene);
    for document in shown(&scene).iter().skip(3) {
        assert_eq!(document.matches("</html>").count(), 1, "{document}");
        assert_eq!(document.matches("</main>").count(), 1, "{document}");
        assert_eq!(document.matches("<h1").count(), 1, "{document}");
    }
}

#[test]
fn a_title_that_speaks_of_markup_is_shown_as_it_was_written() {
    let atom = "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>T</title><id>urn:t</id><entry><id>urn:a</id>\
                <link href=\"https://example.org/a\"/><title type=\"text\">Use of &lt;b&gt; &amp; &amp;amp; in HTML</title></entry></feed>";
    let scene = Scene::with(&[("example", Origin::of("").url("/"))], "");
    scene.write("feed.xml", atom);
    scene.configure(&[("example", Url::from_file_path(scene.path("feed.xml")).unwrap().to_string())], "");
    scene.must(&["poll"]);
    for format in ["atom", "rss", "json"] {
        let published = scene.must(&["publish", "--format", format]);
        let parsed = scene.run_with(&["parse", "-"], published.as_bytes());
        let parsed: serde_json::Value = serde_json::from_str(&parsed.out).unwrap();
        assert_eq!(parsed["entries"][0]["title"], "Use of <b> & &amp; in HTML", "{format}: {published}");
    }
}
