//! The tags of languages.
//!
//! Pure. XML and HTML take tags of BCP 47 alone, and publishers write locales (`en_US.UTF-8`), lists of what a browser accepts,
//! and names of languages.

/// The longest tag, in bytes (RFC 5646 §4.4.1 asks for room for 35).
const LONGEST: usize = 64;

/// Names and mistaken codes of languages, with what they mean. Countries that are also codes of languages are left alone.
const NAMES: &[(&str, &[&str])] = &[
    ("ar", &["arabic"]),
    ("bg", &["bulgarian"]),
    ("cs", &["czech", "cz"]),
    ("da", &["danish", "dk"]),
    ("de", &["german", "deutsch"]),
    ("el", &["greek", "gr"]),
    ("en", &["english", "eng"]),
    ("es", &["spanish", "espanol", "español"]),
    ("fa", &["persian", "farsi"]),
    ("fi", &["finnish", "suomi"]),
    ("fr", &["french", "francais", "français"]),
    ("he", &["hebrew", "iw"]),
    ("hi", &["hindi"]),
    ("hu", &["hungarian", "magyar"]),
    ("id", &["indonesian"]),
    ("it", &["italian", "italiano"]),
    ("ja", &["japanese", "jp"]),
    ("ko", &["korean"]),
    ("nl", &["dutch", "nederlands"]),
    ("no", &["norwegian", "norsk"]),
    ("pl", &["polish", "polski"]),
    ("pt", &["portuguese", "portugues", "português"]),
    ("ro", &["romanian"]),
    ("ru", &["russian", "русский"]),
    ("sv", &["swedish", "svenska"]),
    ("tr", &["turkish"]),
    ("uk", &["ukrainian", "ua"]),
    ("vi", &["vietnamese"]),
    ("zh", &["chinese", "cn"]),
];

/// The tag of the language that is meant, as BCP 47 has it; `None` when none is.
#[must_use]
pub fn tag(said: &str) -> Option<String> {
    // The first of several; a locale's character set and variant are none of the language.
    let said = said.trim().split([',', ';', ' ', '.', '@', '(', '/']).next().unwrap_or_default();
    let said = said.replace('_', "-");
    let lower = said.to_lowercase();
    let (name, rest) = lower.split_once('-').map_or((lower.as_str(), ""), |(name, rest)| (name, rest));
    if let Some((code, _)) = NAMES.iter().find(|(_, names)| names.contains(&name)) {
        return tag(&if rest.is_empty() { (*code).to_owned() } else { format!("{code}-{rest}") });
    }
    // What names a character set is met too.
    (is_tag(&said) && !matches!(name, "utf" | "iso")).then(|| cased(&said))
}

/// Whether it is a tag (RFC 5646 §2.1) of a code: names of five to eight letters are reserved, and none is registered.
fn is_tag(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let is_code = |part: &str| matches!(part.len(), 2..=3) && part.bytes().all(|byte| byte.is_ascii_alphabetic());
    tag.len() <= LONGEST
        && parts.next().is_some_and(is_code)
        && parts.all(|part| matches!(part.len(), 1..=8) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// The tag with the capitals that are customary (RFC 5646 §2.1.1).
fn cased(tag: &str) -> String {
    let mut is_extension = false;
    let parts = tag.split('-').enumerate().map(|(at, part)| {
        let lower = part.to_ascii_lowercase();
        let is_plain = at > 0 && !is_extension;
        is_extension |= part.len() == 1;
        match part.len() {
            2 if is_plain => part.to_ascii_uppercase(),
            4 if is_plain && lower.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                lower.get(..1).unwrap_or_default().to_ascii_uppercase() + lower.get(1..).unwrap_or_default()
            }
            _ => lower,
        }
    });
    parts.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_told_however_it_is_written() {
        for (said, expected) in [
            ("en", Some("en")),
            ("EN-us", Some("en-US")),
            ("en_US", Some("en-US")),
            ("en_US.UTF-8", Some("en-US")),
            ("ca_ES@valencia", Some("ca-ES")),
            ("zh_hans_cn", Some("zh-Hans-CN")),
            ("sr-Latn-RS", Some("sr-Latn-RS")),
            ("de-1996", Some("de-1996")),
            ("en-GB-u-ca-gregory", Some("en-GB-u-ca-gregory")),
            ("en-US, en;q=0.9", Some("en-US")),
            ("en; charset=utf-8", Some("en")),
            ("English", Some("en")),
            ("English (United States)", Some("en")),
            ("jp", Some("ja")),
            ("cn", Some("zh")),
            ("eng", Some("en")),
            ("iw-IL", Some("he-IL")),
            ("Русский", Some("ru")),
            ("", None),
            ("C", None),
            ("POSIX", None),
            ("en-", None),
            ("x-default", None),
            ("utf-8", None),
            ("klingonish", None),
            ("en\"us", None),
        ] {
            assert_eq!(tag(said).as_deref(), expected, "{said}");
        }
    }
}
