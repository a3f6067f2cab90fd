//! Pictures: those that scripts were to load, those that stand for a character, those that only count readers.
//!
//! Pure. A feed reader runs no script, so a picture whose address waits in another attribute is shown from there.

use std::collections::HashSet;

use super::address::candidates;
use super::tree::{Element, Tree};

/// Attributes in which lazy loaders keep the address of a picture, a film or a frame, the best first.
const LAZY: &[&str] = &[
    "data-src",
    "data-lazy-src",
    "data-original",
    "data-actualsrc",
    "data-lazy",
    "data-lazyload",
    "data-original-src",
    "data-hi-res-src",
    "data-full-src",
    "data-url",
    "data-image",
    "data-large-file",
    "data-orig-file",
];
/// How many sources of a picture are looked at.
const MOST_SOURCES: usize = 64;
/// Attributes in which they keep its candidates.
const LAZY_SETS: &[&str] = &["data-srcset", "data-lazy-srcset"];
/// Parts of such attributes' names that say that they hold another picture.
const OTHERS: &[&str] = &["avatar", "error", "fallback", "placeholder", "thumb"];
/// What the names of pictures say that stand in until another is loaded.
const PLACEHOLDERS: &[&str] =
    &["1x1", "lazyload", "loader", "pagespeed_static", "placeholder", "spacer", "spinner", "transparent"];
/// What they say that others may say too. They stand in where they are called nothing else.
const VAGUE: &[&str] = &[
    "blank", "default", "dot", "dummy", "empty", "grey", "gray", "lazy", "load", "loading", "pixel", "preload", "white",
];
/// Words that say nothing about a picture.
const NEUTRAL: &[&str] = &["bg", "gif", "image", "img", "px", "small", "large", "t", "x"];

/// The address of an element that a lazy loader was to give it, or else its own.
pub(super) fn source(element: &Element) -> Option<&str> {
    let own = element.value("src").filter(|own| is_fetched(own));
    let lazy = || LAZY.iter().filter_map(|name| element.value(name)).find(|value| is_address(value));
    match own {
        Some(own) if is_placeholder(own) => lazy().or_else(|| waiting(element)).or(Some(own)),
        Some(own) if is_lazy(element) => lazy().or(Some(own)),
        Some(own) => Some(own),
        None => lazy().or_else(|| waiting(element)),
    }
}

/// The address that waits in an attribute of which only its loader knows: it is called a source, or ends like a picture.
fn waiting(element: &Element) -> Option<&str> {
    let mut found = element.attributes.iter().filter_map(|attribute| {
        let (name, value) = (&*attribute.name.local, &*attribute.value);
        let is_source = name.contains("src");
        let is_meant = is_source || (name.starts_with("data-") && is_picture(value));
        (name != "src"
            && !name.contains("set")
            && is_meant
            && is_address(value)
            && !OTHERS.iter().any(|other| name.contains(other)))
        .then_some(value)
    });
    found.next()
}

/// Whether the element's classes say that its address comes later.
fn is_lazy(element: &Element) -> bool {
    let classes = element.value("class").unwrap_or_default();
    classes.split_ascii_whitespace().any(|class| {
        let class = class.to_ascii_lowercase();
        (class.contains("lazy") && !class.contains("loaded") && !class.contains("no-lazy") && !class.contains("skip"))
            || class == "lozad"
    })
}

/// Whether a value that another element or attribute would hold as well is an address.
fn is_address(value: &str) -> bool {
    // One that a script was to complete leads nowhere.
    let is_template = value.contains('{') || value.contains("%7B") || value.contains("%7b");
    is_fetched(value) && value.contains(['/', '.']) && !value.trim().contains(char::is_whitespace) && !is_template
}

/// Whether an address is that of something that can be fetched.
fn is_fetched(value: &str) -> bool {
    let value = value.trim();
    let begins = |head: &str| value.get(..head.len()).is_some_and(|own| own.eq_ignore_ascii_case(head));
    !value.is_empty() && !["data:", "about:", "blob:", "javascript:", "{", "["].iter().any(|head| begins(head))
}

fn is_placeholder(address: &str) -> bool {
    let path = address.split(['?', '#']).next().unwrap_or(address).to_ascii_lowercase();
    let (folders, file) = path.rsplit_once('/').unwrap_or(("", &path));
    if PLACEHOLDERS.iter().any(|word| file.contains(word) || folders.ends_with(word)) {
        return true;
    }
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let words = || stem.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    words().any(|word| VAGUE.contains(&word)) && words().all(|word| VAGUE.contains(&word) || NEUTRAL.contains(&word))
}

/// Whether an address ends like that of a picture.
fn is_picture(address: &str) -> bool {
    const ENDINGS: &[&str] = &[".avif", ".gif", ".jpeg", ".jpg", ".png", ".webp"];
    let path = address.split(['?', '#']).next().unwrap_or(address).to_ascii_lowercase();
    ENDINGS.iter().any(|ending| path.ends_with(ending))
}

/// Settles a picture, or a source of one.
pub(super) fn settle(tree: &mut Tree, number: usize) {
    match tree.html(number) {
        Some("amp-img" | "amp-anim") => tree.rename(number, "img"),
        Some("img" | "source") => {}
        _ => return,
    }
    let Some(element) = tree.element_mut(number) else { return };
    if let Some(character) = character(element) {
        return tree.replace_by_text(number, &character);
    }
    let is_emoji = is_emoji(element);
    settle_source(element);
    if let Some(address) = beside(tree, number)
        && let Some(element) = tree.element_mut(number)
    {
        element.set("src", &address);
    }
    let Some(element) = tree.element_mut(number) else { return };
    if is_emoji && element.value("width").is_none() && element.value("height").is_none() {
        // The style that made it as large as a letter is not kept.
        element.set("width", "20");
        element.set("height", "20");
    }
    if element.html() == Some("img") && is_counter(element) {
        tree.detach(number);
    }
}

/// The address of a picture that has none of its own: that of its source, or of the picture that it is a link to.
fn beside(tree: &Tree, number: usize) -> Option<String> {
    let parent = tree.parent(number)?;
    if tree.html(number) != Some("img") || tree.element(number)?.value("src").is_some() {
        return None;
    }
    match tree.html(parent)? {
        "picture" => {
            let mut sources =
                tree.children(parent).take(MOST_SOURCES).filter_map(|at| tree.element(at)?.value("srcset"));
            sources.find_map(|set| candidates(set).next()).map(|(address, _)| address.to_owned())
        }
        "a" => {
            let link = tree.element(parent)?.value("href")?.trim();
            is_picture(link).then(|| link.to_owned())
        }
        _ => None,
    }
}

/// Gives a picture the address that it is to be fetched from, and its candidates.
fn settle_source(element: &mut Element) {
    let set = element.value("srcset").filter(|set| candidates(set).any(|(address, _)| is_address(address)));
    let lazy_set = LAZY_SETS.iter().find_map(|name| element.value(name));
    let set = match lazy_set {
        Some(lazy) if set.is_none() || is_lazy(element) => Some(lazy.to_owned()),
        _ => set.map(str::to_owned),
    };
    let first = || set.as_deref().and_then(|set| candidates(set).next()).map(|(address, _)| address.to_owned());
    let is_source = element.html() == Some("source");
    let address = source(element).map(str::to_owned).or_else(|| first().filter(|_| !is_source));
    match address {
        Some(address) => element.set("src", &address),
        None => element.unset("src"),
    }
    match set {
        Some(set) => element.set("srcset", &set),
        None => element.unset("srcset"),
    }
}

/// Shows a picture once that also stands in `noscript`, when the others have their addresses.
pub(super) fn settle_doubled(tree: &mut Tree, root: usize) {
    let noscript: Vec<usize> = tree.inside(root).filter(|at| tree.html(*at) == Some("noscript")).collect();
    if noscript.is_empty() {
        return;
    }
    let value = |at: usize, name: &str| tree.element(at).and_then(|element| element.value(name));
    let is_picture = |at: &usize| tree.html(*at) == Some("img");
    let copies: HashSet<usize> = noscript.iter().flat_map(|at| tree.inside(*at)).filter(is_picture).collect();
    let pictures: Vec<usize> = tree.inside(root).filter(is_picture).filter(|at| !copies.contains(at)).collect();
    let shown: HashSet<&str> = pictures.iter().filter_map(|at| value(*at, "src")).map(file).collect();
    let is_shown = |at: &usize| value(*at, "src").is_some_and(|source| shown.contains(file(source)));
    let named: HashSet<&str> = copies.iter().filter(|at| !is_shown(at)).filter_map(|at| value(*at, "alt")).collect();
    // One that has no address, and the same text in its place.
    let is_instead =
        |at: &usize| value(*at, "src").is_none() && value(*at, "alt").is_some_and(|alt| named.contains(alt));
    let out: Vec<usize> =
        copies.iter().copied().filter(is_shown).chain(pictures.iter().copied().filter(is_instead)).collect();
    out.into_iter().for_each(|at| tree.detach(at));
}

/// What an address has in common with those of the same picture in other sizes: all up to its size and its query.
fn file(address: &str) -> &str {
    let path = address.trim().split(['?', '#']).next().unwrap_or(address);
    let path = path.split_once("//").map_or(path, |(_, path)| path);
    let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
    let unsized_stem = stem.trim_end_matches(|c: char| c.is_ascii_digit() || c == 'x');
    unsized_stem.strip_suffix(['-', '_']).filter(|_| unsized_stem.len() < stem.len()).unwrap_or(stem)
}

/// Whether a picture stands for a character or a smile in a line of text.
fn is_emoji(element: &Element) -> bool {
    const CLASSES: &[&str] = &["emoji", "emojione", "joypixels", "twemoji", "wp-smiley"];
    const FOLDERS: &[&str] = &["/core/emoji/", "/twemoji/", "/emojione/", "/emoji/unicode/", "/noto-emoji/"];
    element.html() == Some("img")
        && (CLASSES.iter().any(|class| element.is_of(class))
            || element.value("src").is_some_and(|source| FOLDERS.iter().any(|folder| source.contains(folder))))
}

/// The character that a picture stands for: its alternative text, or what its file is named after.
fn character(element: &Element) -> Option<String> {
    /// The longest sequence of an emoji: a family, or a flag of a region.
    const LONGEST: usize = 12;
    if !is_emoji(element) {
        return None;
    }
    let alt = element.value("alt").unwrap_or_default().trim();
    let is_symbol = |c: char| !c.is_ascii() && !c.is_alphabetic() || matches!(c, '0'..='9' | '#' | '*');
    if !alt.is_ascii() && alt.chars().all(is_symbol) && alt.chars().count() <= LONGEST {
        return Some(alt.to_owned());
    }
    let file = element.value("src")?.split(['?', '#']).next()?.rsplit('/').next()?;
    let (name, _) = file.rsplit_once('.')?;
    let read = |digits: &str| u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).filter(|c| !c.is_ascii());
    let emoji: String = name.split(['-', '_']).take(LONGEST).map(read).collect::<Option<_>>()?;
    emoji.chars().all(is_symbol).then_some(emoji)
}

/// Whether a picture is there to be fetched rather than seen.
fn is_counter(element: &Element) -> bool {
    const COUNTERS: &[&str] = &[
        "feeds.feedburner.com/~r/",
        "feeds.feedburner.com/~ff/",
        "feedsportal.com/",
        "pixel.wp.com/",
        "stats.wordpress.com/",
        "pixel.quantserve.com/",
        "www.google-analytics.com/",
        "sb.scorecardresearch.com/",
        "b.scorecardresearch.com/",
        "feedads.g.doubleclick.net/",
        "ad.doubleclick.net/",
        "rss-tracking.",
        "/open.aspx?",
        "blogger.googleusercontent.com/tracker/",
        "statcounter.com/",
        "/feed-pixel",
        "/tracking-pixel",
    ];
    let source = element.value("src").unwrap_or_default();
    let is_nothing = source.is_empty() && element.value("srcset").is_none();
    (is_nothing && element.value("alt").is_none_or(str::is_empty))
        || is_tiny(element)
        || COUNTERS.iter().any(|counter| source.contains(counter))
}

/// Whether an element is no larger than a point.
pub(super) fn is_tiny(element: &Element) -> bool {
    let is_tiny =
        |name: &str| element.value(name).is_some_and(|size| matches!(size.trim().trim_end_matches("px"), "0" | "1"));
    // Elsewhere they are the shape of what takes the room there is.
    let style = element.value("style").unwrap_or_default();
    let has_size = ["srcset", "layout"].iter().any(|name| element.value(name).is_some()) || style.contains(['%']);
    is_tiny("width") && is_tiny("height") && !has_size
}

#[cfg(test)]
mod tests {
    use url::Url;

    fn check(fragment: &str, expected: &str) {
        let base = Url::parse("https://example.org/").unwrap();
        assert_eq!(crate::sanitise::html(fragment, Some(&base)), expected, "{fragment}");
    }

    #[test]
    fn a_lazy_picture_is_shown_from_where_its_address_waits() {
        let (src, alt) = ("src=\"https://example.org/a.jpg\"", "alt=\"a\"");
        for name in super::LAZY {
            check(&format!("<img {name}=\"/a.jpg\" {alt}>"), &format!("<img {alt} {src}>"));
            for instead in
                ["", "data:image/gif;base64,R0lG", "about:blank", "/img/loading.gif", "/1x1.png?a", "{{ url }}"]
            {
                check(&format!("<img src=\"{instead}\" {name}=\"/a.jpg\" {alt}>"), &format!("<img {src} {alt}>"));
            }
        }
        for name in ["data-ezsrc", "nitro-lazy-src", "data-opt-src", "data-pagespeed-lazy-src", "data-breeze"] {
            for instead in ["data:image/gif;base64,R0lG", "/img/loading-2x.gif", "/pagespeed_static/1.JiBnMqyl6S.gif"] {
                check(&format!("<img src=\"{instead}\" {name}=\"/a.jpg\" {alt}>"), &format!("<img {src} {alt}>"));
            }
        }
        let shown = "<img src=\"https://example.org/real.jpg\">";
        for name in ["good-pixel-phone", "loading-dock", "empty-street", "blank-verse", "grey-heron"] {
            let own = format!("<img src=\"https://example.org/{name}.jpg\">");
            check(&format!("<img src=\"/{name}.jpg\" data-url=\"/share\" data-src=\"/b.jpg\">"), &own);
        }
        check("<img class=\"lazyload\" src=\"/real.jpg\" data-src=\"/a_{width}x.jpg\">", shown);
        check("<img data-error-src=\"/no.jpg\" data-x=\"/real.jpg\">", shown);
        check("<img src=\"/real.jpg\" class=\"lazyload\" data-big=\"/a.jpg\">", shown);
        check("<img src=\"/real.jpg\" data-src=\"a.jpg\">", shown);
        check("<img src=\"/small.jpg\" class=\"x lazyload\" data-src=\"real.jpg\">", shown);
        check("<img src=\"/real.jpg\" class=\"lazyloaded\" data-src=\"a.jpg\">", shown);
        check("<img src=\"/real.jpg\" data-src='{\"a\": \"/b.jpg\"}'>", shown);
        check("<img src=\"/real.jpg\" data-image=\"12345\">", shown);
        check("<amp-img src=\"/real.jpg\"></amp-img>", shown);
    }

    #[test]
    fn candidates_of_a_lazy_picture_are_shown() {
        check(
            "<img data-srcset=\"a.jpg 1x, b.jpg 2x\">",
            "<img src=\"https://example.org/a.jpg\" srcset=\"https://example.org/a.jpg 1x, https://example.org/b.jpg 2x\">",
        );
        check(
            "<picture><source data-srcset=\"a.webp\"><img data-src=\"a.jpg\"></picture>",
            "<picture><source srcset=\"https://example.org/a.webp\"><img src=\"https://example.org/a.jpg\"></picture>",
        );
        check(
            "<img srcset=\"a.jpg 2x\">",
            "<img srcset=\"https://example.org/a.jpg 2x\" src=\"https://example.org/a.jpg\">",
        );
        check("<img src=\"data:image/png;base64,AAAA\" alt=\"plot\">b", "<img alt=\"plot\">b");
        check("<img src=\"data:image/png;base64,AAAA\">b", "b");
    }

    #[test]
    fn a_picture_without_an_address_has_that_of_its_source_or_its_link() {
        check(
            "<picture><source data-srcset=\"a.webp 1x\"><img src=\"data:x\" alt=\"a\"></picture>",
            "<picture><source srcset=\"https://example.org/a.webp 1x\"><img alt=\"a\" src=\"https://example.org/a.webp\"></picture>",
        );
    }

    #[test]
    fn an_address_that_is_no_picture_is_not_taken_for_one() {
        let link = |href: &str, inner: &str| {
            format!("<a href=\"https://example.org/{href}\" rel=\"noopener noreferrer nofollow\">{inner}</a>")
        };
        check(
            "<a href=\"/a.JPG?x\"><img src=\"data:x\"></a>",
            &link("a.JPG?x", "<img src=\"https://example.org/a.JPG?x\">"),
        );
        check("<a href=\"/a.html\"><img src=\"data:x\" alt=\"a\"></a>", &link("a.html", "<img alt=\"a\">"));
        check("<a href=\"/a.png\"><img src=\"/b.png\"></a>", &link("a.png", "<img src=\"https://example.org/b.png\">"));
        check("<p><img src=\"data:x\" alt=\"a\"></p>", "<p><img alt=\"a\"></p>");
    }

    #[test]
    fn the_copy_of_a_picture_for_old_programs_is_shown_once() {
        let shown = "<img src=\"https://example.org/a.jpg\">";
        check("<img data-src=\"/a.jpg\"><noscript><img src=\"/a.jpg\"></noscript>", shown);
        check("<noscript><img src=\"/a.jpg\"></noscript>", shown);
        check(
            "<img data-src=\"//example.org/a.jpg\"><noscript><img src=\"http://example.org/a.jpg?w=9\"></noscript>",
            shown,
        );
        check(
            "<img data-src=\"/a-800.jpg\"><noscript><img src=\"/a-1024x768.jpg\"></noscript>",
            "<img src=\"https://example.org/a-800.jpg\">",
        );
        check(
            "<img src=\"/a1.jpg\"><noscript><img src=\"/a2.jpg\"></noscript>",
            "<img src=\"https://example.org/a1.jpg\"><img src=\"https://example.org/a2.jpg\">",
        );
        check("<img src=\"data:x\" class=\"lazy\"><noscript><img src=\"/a.jpg\"></noscript>", shown);
        check(
            "<img src=\"data:x\" alt=\"a\"><noscript><img src=\"/a.jpg\" alt=\"a\"></noscript>",
            "<img src=\"https://example.org/a.jpg\" alt=\"a\">",
        );
        check("<p>a <noscript>b <b>c</b></noscript></p>", "<p>a b <b>c</b></p>");
        check("<noscript><noscript><img src=\"/a.jpg\"></noscript></noscript>", shown);
    }

    #[test]
    fn a_picture_of_a_character_is_that_character() {
        check(
            "Hi <img src=\"https://s.w.org/images/core/emoji/15/72x72/1f600.png\" alt=\"😀\" class=\"wp-smiley\">",
            "Hi 😀",
        );
        check("<img class=\"emoji\" alt=\"👩‍👩‍👧\" src=\"a.png\">", "👩‍👩‍👧");
        check("<img class=\"emoji\" alt=\"1️⃣\" src=\"a.png\">", "1️⃣");
        check("<img class=\"emoji\" alt=\":tada:\" src=\"/images/icons/emoji/unicode/1f389.png?v8\">", "🎉");
        check(
            "<img src=\"https://twemoji.maxcdn.com/v/latest/72x72/1f1e9-1f1ea.png\" class=\"twemoji\" alt=\"DE\">",
            "🇩🇪",
        );
        check(
            "<img class=\"emoji\" alt=\":bridge:\" src=\"/bridge.png\">",
            "<img alt=\":bridge:\" src=\"https://example.org/bridge.png\" width=\"20\" height=\"20\">",
        );
        check("<img alt=\"😀\" src=\"/a.png\">", "<img alt=\"😀\" src=\"https://example.org/a.png\">");
        check(
            "<img class=\"smilie\" width=\"20\" height=\"20\" alt=\":)\" src=\"/a.gif\">",
            "<img width=\"20\" height=\"20\" alt=\":)\" src=\"https://example.org/a.gif\">",
        );
        check(
            "<img class=\"emoji\" alt=\"Köln\" src=\"/beef.png\" width=\"9\">",
            "<img alt=\"Köln\" src=\"https://example.org/beef.png\" width=\"9\">",
        );
    }

    #[test]
    fn what_only_counts_readers_is_taken_out() {
        check("a<img src=\"https://example.org/p.gif\" width=\"1\" height=\"1\">", "a");
        check("a<img src=\"https://example.org/p.gif\" width=\"0px\" height=\"1px\">", "a");
        check("a<img src=\"http://feeds.feedburner.com/~r/x/~4/y\">", "a");
        check("a<img src=\"\" alt=\"\">", "a");
        check("<p><a href=\"/\"><img width=\"1\" height=\"1\" src=\"https://t.example/\"></a></p>b", "b");
        let ratio = "<img src=\"https://example.org/a.png\" width=\"1\" height=\"1\">";
        check("<amp-img src=\"/a.png\" width=\"1\" height=\"1\" layout=\"responsive\"></amp-img>", ratio);
        check("<img src=\"/a.png\" width=\"1\" height=\"1\" style=\"width:100%\">", ratio);
        check("a<img src=\"/p.gif\" width=\"1\" height=\"1\" style=\"width:1px\">", "a");
        check(
            "a<img src=\"/line.png\" width=\"1\" height=\"90\">",
            "a<img src=\"https://example.org/line.png\" width=\"1\" height=\"90\">",
        );
    }
}
