//! Players and frames of other sites, each as a link.
//!
//! Pure. What a frame shows is not ours to show, but with it would go the only address of the film that the text speaks of.

use url::Url;

use super::pictures::{is_tiny, source};
use super::space;
use super::tree::{Element, Tree};
use crate::text::hidden::property;

/// Elements that show a film by its number, and where it is found.
const FILMS: &[(&str, &str)] = &[
    ("amp-dailymotion", "https://www.dailymotion.com/video/"),
    ("amp-vimeo", "https://vimeo.com/"),
    ("amp-youtube", "https://www.youtube.com/watch?v="),
    ("lite-vimeo", "https://vimeo.com/"),
    ("lite-youtube", "https://www.youtube.com/watch?v="),
    ("youtube-embed", "https://www.youtube.com/watch?v="),
];
/// Hosts whose frames count readers or show advertisements.
const NOT_SHOWN: &[&str] = &["googletagmanager.com", "doubleclick.net", "googlesyndication.com", "amazon-adsystem.com"];
/// The longest name that is shown, in characters.
const LONGEST_NAME: usize = 200;

/// Settles a player, or a film that can be shown as one.
pub(super) fn settle(tree: &mut Tree, number: usize) {
    let Some(element) = tree.element(number) else { return };
    match element.html() {
        Some("audio" | "video") => settle_media(tree, number),
        Some("amp-audio") => rename_media(tree, number, "audio"),
        Some("amp-video") => rename_media(tree, number, "video"),
        Some("script") => settle_script(tree, number),
        Some("iframe" | "embed" | "object" | "frame" | "portal" | "amp-iframe") => settle_frame(tree, number),
        Some("oembed") => match element.value("url").map(str::to_owned) {
            Some(address) => link(tree, number, &address),
            None => tree.detach(number),
        },
        Some(name) => {
            let Some((_, home)) = FILMS.iter().find(|(film, _)| *film == name) else { return };
            let id = element.value("videoid").or_else(|| element.value("data-videoid")).unwrap_or_default();
            if !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
                let address = format!("{home}{id}");
                link(tree, number, &address);
            }
        }
        None => {}
    }
}

/// A script that was to write what another site holds: code, or a recording.
fn settle_script(tree: &mut Tree, number: usize) {
    const HOLDERS: &[&str] = &["//gist.github.com/", "//asciinema.org/a/"];
    let Some(source) = tree.element(number).and_then(|element| element.value("src")) else { return };
    let Some((page, _)) = source.split_once(".js").filter(|_| HOLDERS.iter().any(|holder| source.contains(holder)))
    else {
        return;
    };
    let page = page.to_owned();
    let mut follows = std::iter::successors(tree.after(number), |at| tree.after(*at)).take(2);
    let is_written = follows.any(|at| tree.html(at) == Some("noscript"));
    if !is_written {
        link(tree, number, &page);
    }
}

fn rename_media(tree: &mut Tree, number: usize, name: &str) {
    tree.rename(number, name);
    settle_media(tree, number);
}

/// Without the site's script a player needs its own buttons.
fn settle_media(tree: &mut Tree, number: usize) {
    let Some(element) = tree.element_mut(number) else { return };
    if let Some(address) = source(element).map(str::to_owned) {
        element.set("src", &address);
    }
    element.set("controls", "");
}

fn settle_frame(tree: &mut Tree, number: usize) {
    let Some(element) = tree.element(number) else { return };
    let film = || {
        let parameters =
            tree.children(number).filter_map(|at| tree.element(at)).filter(|own| own.html() == Some("param"));
        parameters.filter(|own| matches!(own.value("name"), Some("movie" | "src"))).find_map(|own| own.value("value"))
    };
    let address =
        source(element).or_else(|| element.value("data")).or_else(film).map(|address| address.trim().to_owned());
    let is_seen = !is_tiny(element) && !is_invisible(element);
    let is_object = element.html() == Some("object");
    if let Some(address) = address.as_deref().filter(|_| is_object && is_picture(element)) {
        let picture = tree.add_element("img", &[("src", address), ("alt", tree.text(number).trim())]);
        return tree.replace(number, picture);
    }
    // What stands in an object is shown where it is not.
    let holds = |name: &str| tree.inside(number).any(|at| tree.html(at) == Some(name));
    if is_object && (holds("embed") || holds("iframe") || holds("img") || !tree.text(number).trim().is_empty()) {
        return;
    }
    match address.filter(|_| is_seen) {
        Some(address) => link(tree, number, &address),
        None if is_object => {}
        None => tree.detach(number),
    }
}

/// Whether an object says that it is a picture.
fn is_picture(element: &Element) -> bool {
    element.value("type").is_some_and(|media_type| media_type.trim().to_ascii_lowercase().starts_with("image/"))
}

/// Whether a frame is there to be fetched rather than seen.
fn is_invisible(element: &Element) -> bool {
    let is_none = |size: &str| matches!(size.trim().trim_end_matches("px"), "0" | "1");
    let style = element.value("style").unwrap_or_default();
    ["width", "height"].iter().any(|name| {
        element.value(name).is_some_and(|size| size.trim() == "0") || property(style, name).is_some_and(is_none)
    })
}

/// Puts a link in the place of a player.
fn link(tree: &mut Tree, number: usize, address: &str) {
    let Some(element) = tree.element(number) else { return };
    let absolute = if address.starts_with("//") { format!("https:{address}") } else { address.to_owned() };
    let host = Url::parse(&absolute).ok().and_then(|url| url.host_str().map(str::to_owned));
    let host = host.as_deref().map(|host| host.trim_start_matches("www.").to_owned());
    // What is shown at the front of a site is no film.
    let is_front = Url::parse(&absolute).is_ok_and(|url| url.path() == "/" && url.query().is_none());
    if is_front || host.as_deref().is_some_and(|host| NOT_SHOWN.iter().any(|known| host.ends_with(known))) {
        return tree.detach(number);
    }
    let title = element.value("title").map(str::trim).filter(|title| !title.is_empty());
    let name = title.map(str::to_owned).or(host).unwrap_or_else(|| address.to_owned());
    let name: String = name.chars().take(LONGEST_NAME).collect();
    let text = tree.add_text(&name);
    // A link inside a link is two of them for a browser.
    if tree.ancestors(number).any(|at| tree.html(at) == Some("a")) {
        return tree.replace(number, text);
    }
    let link = tree.add_element("a", &[("href", address)]);
    tree.link(link, None, text);
    tree.replace(number, link);
    // What it stands for was a box.
    space::part(tree, link);
}

#[cfg(test)]
mod tests {
    use url::Url;

    fn check(fragment: &str, expected: &str) {
        let base = Url::parse("https://example.org/").unwrap();
        let shown = crate::sanitise::html(fragment, Some(&base));
        assert_eq!(shown.replace(" rel=\"noopener noreferrer nofollow\"", ""), expected, "{fragment}");
    }

    #[test]
    fn a_player_is_a_link_to_it() {
        let link = "<a href=\"https://player.example/embed/a\">player.example</a>";
        for player in [
            "<iframe src=\"//player.example/embed/a\" width=\"560\"><p>no</p></iframe>",
            "<iframe data-src=\"https://player.example/embed/a\"></iframe>",
            "<iframe src=\"about:blank\" data-lazy-src=\"https://player.example/embed/a\"></iframe>",
            "<embed src=\"https://player.example/embed/a\">",
            "<object data=\"https://player.example/embed/a\"></object>",
            "<object><param name=\"movie\"><embed src=\"https://player.example/embed/a\"></object>",
            "<object><param name=\"movie\" value=\"https://player.example/embed/a\"></object>",
            "<amp-iframe src=\"https://player.example/embed/a\"></amp-iframe>",
            "<noscript><iframe src=\"https://player.example/embed/a\"></iframe></noscript>",
        ] {
            check(player, link);
        }
        check(
            "<iframe src=\"/a\" title=\"The <film>\"></iframe>",
            "<a href=\"https://example.org/a\">The &lt;film&gt;</a>",
        );
        check(
            "<a href=\"/b\"><iframe src=\"https://a.example/1\"></iframe></a>",
            "<a href=\"https://example.org/b\">a.example</a>",
        );
        check("<object data=\"/a.swf\"><p>Words</p></object>", "<p>Words</p>");
        check(
            "<amp-youtube data-videoid=\"aB-_1\"></amp-youtube>",
            "<a href=\"https://www.youtube.com/watch?v=aB-_1\">youtube.com</a>",
        );
        check(
            "<lite-youtube videoid=\"a\"></lite-youtube>",
            "<a href=\"https://www.youtube.com/watch?v=a\">youtube.com</a>",
        );
    }

    #[test]
    fn what_a_script_was_to_write_is_a_link() {
        check(
            "<script src=\"https://gist.github.com/u/1.js?file=a\"></script>",
            "<a href=\"https://gist.github.com/u/1\">gist.github.com</a>",
        );
        check(
            "<script src=\"https://gist.github.com/u/1.js\"></script><noscript><pre>a</pre></noscript>",
            "<pre>a</pre>",
        );
        check("<script src=\"https://a.example/1.js\"></script>", "");
    }

    #[test]
    fn a_frame_that_is_not_seen_is_none() {
        for frame in [
            "<iframe src=\"https://www.googletagmanager.com/ns.html\"></iframe>",
            "<iframe src=\"https://tags.example/\" height=\"0\"></iframe>",
            "<iframe src=\"https://tags.example/\" width=\"1\" height=\"1\"></iframe>",
            "<iframe src=\"https://tags.example/\" style=\"width:1px\"></iframe>",
            "<iframe src=\"https://tags.example/\" style=\"display:none\"></iframe>",
            "<iframe src=\"javascript:x()\"></iframe>",
            "<iframe src=\"data:text/html,x\"></iframe>",
            "<iframe></iframe>",
            "<iframe src=\"https://site.example/\"></iframe>",
            "<embed src=\"https://site.example\">",
        ] {
            check(&format!("a{frame}"), "a");
        }
    }

    #[test]
    fn a_film_keeps_its_buttons() {
        check(
            "<video src=\"/a.mp4\" autoplay></video>",
            "<video src=\"https://example.org/a.mp4\" controls=\"\"></video>",
        );
        check(
            "<audio controls><source data-src=\"/a.mp3\"></audio>",
            "<audio controls=\"\"><source src=\"https://example.org/a.mp3\"></audio>",
        );
        check(
            "<video data-src=\"/a.mp4\">words</video>",
            "<video src=\"https://example.org/a.mp4\" controls=\"\">words</video>",
        );
    }
}
