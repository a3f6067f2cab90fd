//! What a publisher hid from the eye.
//!
//! Pure.

/// Classes by which style sheets hide a text from the eye.
const UNSEEN: &[&str] = &[
    "a11y-hidden",
    "assistive-text",
    "element-invisible",
    "hidden-visually",
    "off-screen",
    "screen-reader-only",
    "screen-reader-text",
    "screenreader-only",
    "show-for-sr",
    "sr-only",
    "u-hidden-visually",
    "visually-hidden",
    "visuallyhidden",
];

/// Whether an element with these attributes is hidden with all that is in it.
#[must_use]
pub fn is_hidden<'a>(value: impl Fn(&str) -> Option<&'a str>) -> bool {
    value("hidden").is_some_and(|until| !until.trim().eq_ignore_ascii_case("until-found"))
        || value("style").is_some_and(is_hiding)
        || value("class").is_some_and(|classes| classes.split_ascii_whitespace().any(|class| UNSEEN.contains(&class)))
}

/// Whether a style hides; of several that say how, the last one counts.
fn is_hiding(style: &str) -> bool {
    let is =
        |name: &str, expected: &str| property(style, name).is_some_and(|value| value.eq_ignore_ascii_case(expected));
    let is_out_of_sight = || {
        let is_far = |name: &str| property(style, name).is_some_and(is_far_out);
        let is_placed = is("position", "absolute") || is("position", "fixed");
        // A clip is a rectangle of nothing, or of one point.
        let is_clipped = property(style, "clip").is_some_and(|clip| {
            let numbers = clip.trim_start_matches(|c: char| !c.is_ascii_digit());
            clip.starts_with("rect(")
                && numbers.split([',', ' ', ')']).all(|side| matches!(side, "" | "0" | "0px" | "1px"))
        });
        (is_placed && (is_clipped || ["left", "top", "right"].iter().any(|name| is_far(name)))) || is_far("text-indent")
    };
    is("display", "none")
        || ["hidden", "collapse"].iter().any(|value| is("visibility", value))
        || is("mso-hide", "all")
        || is_out_of_sight()
}

/// Whether a length leads out of every window: `-9999px`.
fn is_far_out(length: &str) -> bool {
    let number =
        length.strip_prefix('-').map(|length| length.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%'));
    number.and_then(|number| number.parse::<f32>().ok()).is_some_and(|number| number >= 999.0)
}

/// The value of a property of a style, without `!important`.
#[must_use]
pub fn property<'a>(style: &'a str, name: &str) -> Option<&'a str> {
    let value = style.rsplit(';').find_map(|declaration| {
        let (own, value) = declaration.split_once(':')?;
        own.trim().eq_ignore_ascii_case(name).then_some(value)
    })?;
    Some(value.split('!').next().unwrap_or(value).trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_is_told_from_what_shows() {
        let check = |name: &'static str, value: &'static str, expected: bool| {
            assert_eq!(is_hidden(|own| (own == name).then_some(value)), expected, "{name}={value}");
        };
        for (name, value) in [
            ("hidden", ""),
            ("hidden", "hidden"),
            ("style", "display:none"),
            ("style", "color: red; DISPLAY : None !important"),
            ("style", "display:block;display:none;"),
            ("style", "visibility:hidden"),
            ("style", "mso-hide:all"),
            ("class", "a sr-only"),
            ("class", "screen-reader-text"),
        ] {
            check(name, value, true);
        }
        for (name, value) in [
            ("hidden", "until-found"),
            ("style", "display:none;display:block"),
            ("style", "display:inline"),
            ("style", "--display:none-of-it"),
            ("style", "content: 'display'"),
            ("style", "visibility:visible"),
            ("class", "hidden-gem not-sr-only"),
            ("title", "hidden"),
        ] {
            check(name, value, false);
        }
    }
}
