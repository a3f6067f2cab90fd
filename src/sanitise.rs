//! A publisher's markup made safe to show under our own name.
//!
//! Pure. Everything that is published or shown passes here; what is stored stays as it came, so a better sanitiser also
//! cleans what is already stored.

use std::collections::HashSet;
use std::sync::LazyLock;

use ammonia::{Builder, UrlRelative};
use url::Url;

/// The fragment with only harmless elements and attributes left, and every address absolute.
///
/// Relative addresses are resolved against `base`; without one they are taken out. Scripts, styles, forms, frames, event
/// handlers, classes and ids are gone, and links lead only to `http`, `https` and `mailto`.
#[must_use]
pub fn html(fragment: &str, base: Option<&Url>) -> String {
    if !fragment.contains(['<', '&']) {
        return escape(fragment);
    }
    let clean = match base {
        Some(base) => {
            let mut rules = rules();
            rules.url_relative(UrlRelative::RewriteWithBase(base.clone()));
            rules.clean(fragment).to_string()
        }
        None => RULES.clean(fragment).to_string(),
    };
    clean.trim().to_owned()
}

/// Plain text as HTML that shows it.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// The address, if a reader may be sent there: absolute, `http` or `https`.
#[must_use]
pub fn web_address(text: &str, base: Option<&Url>) -> Option<Url> {
    let text = text.trim();
    let url = Url::parse(text).or_else(|error| base.ok_or(error)?.join(text)).ok()?;
    matches!(url.scheme(), "http" | "https").then_some(url)
}

static RULES: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut rules = rules();
    rules.url_relative(UrlRelative::Deny);
    rules
});

/// What may stay. Ammonia's own list, less what would let an entry restyle or reach out of its place.
fn rules() -> Builder<'static> {
    let mut rules = Builder::default();
    rules
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .rm_tags(["map", "area"])
        .add_tags(["picture", "source", "audio", "video", "figure", "figcaption"])
        .add_tag_attributes("audio", ["src", "controls", "preload"])
        .add_tag_attributes("video", ["src", "poster", "controls", "preload", "width", "height"])
        .add_tag_attributes("source", ["src", "type"])
        .link_rel(Some("noopener noreferrer nofollow"));
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fragment: &str, expected: &str) {
        let base = Url::parse("https://example.org/a/b").unwrap();
        assert_eq!(html(fragment, Some(&base)), expected, "{fragment}");
    }

    #[test]
    fn what_runs_or_restyles_is_taken_out() {
        check("<p onclick=\"x()\">a<script>x()</script></p>", "<p>a</p>");
        check("<style>p{}</style><p style=\"position:fixed\" class=\"c\" id=\"i\">a</p>", "<p>a</p>");
        check("<a href=\"javascript:x()\">a</a>", "<a rel=\"noopener noreferrer nofollow\">a</a>");
        check("<a href=\"data:text/html,x\">a</a>", "<a rel=\"noopener noreferrer nofollow\">a</a>");
        check("<form action=\"/x\"><input></form><iframe src=\"https://x.example\"></iframe>", "");
        check("</div></body></html><p>a", "<p>a</p>");
        // An attribute that leaves its quotes, as one parser's rebuilt XHTML does.
        check(
            "<img alt=\"\" onerror=\"alert(1)\" src=\"https://example.org/i.png\">",
            "<img alt=\"\" src=\"https://example.org/i.png\">",
        );
    }

    #[test]
    fn addresses_become_absolute() {
        check("<img src=\"i.png\">", "<img src=\"https://example.org/a/i.png\">");
        check("<a href=\"/x\">x</a>", "<a href=\"https://example.org/x\" rel=\"noopener noreferrer nofollow\">x</a>");
        assert_eq!(html("<img src=\"i.png\" alt=\"i\">", None), "<img alt=\"i\">");
    }

    #[test]
    fn plain_text_is_escaped() {
        assert_eq!(html("a \"quoted\" text", None), "a &quot;quoted&quot; text");
        assert_eq!(html("1 < 2 & 3", None), "1 &lt; 2 &amp; 3");
    }

    #[test]
    fn only_the_web_is_linked_to() {
        assert_eq!(web_address("javascript:x()", None), None);
        assert_eq!(web_address("/a", None), None);
        let base = Url::parse("https://example.org/").unwrap();
        assert_eq!(web_address("/a", Some(&base)).unwrap().as_str(), "https://example.org/a");
    }
}
