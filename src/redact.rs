//! What may be shown of an address, and of a message that may hold one.
//!
//! Pure. Feeds are public and the addresses of some are not: a reader's token stands in the user, in the query, or in the path.
//! Pages, published documents and logs show an address only as it comes from here.

use url::Url;

use crate::sanitise;
use crate::text;

/// A part of a path with so many letters and digits in one run may be a key. Words of news are shorter.
const SHORTEST_KEY: usize = 16;
/// In a parameter a shorter one may be a key, if it has digits and letters of both cases.
const SHORTEST_MIXED: usize = 8;
/// How the names of parameters end that say who reads.
const SECRET_ENDINGS: &[&str] = &[
    "auth",
    "code",
    "cred",
    "credential",
    "credentials",
    "hash",
    "jwt",
    "key",
    "license",
    "login",
    "mail",
    "member",
    "otp",
    "pass",
    "passwd",
    "password",
    "private",
    "pw",
    "pwd",
    "secret",
    "session",
    "sessid",
    "sid",
    "sig",
    "signature",
    "subscriber",
    "ticket",
    "token",
    "uid",
    "user",
    "userid",
    "username",
];
/// Parameters whose values look like keys, and are names that everybody may know: those of video channels.
const PUBLIC_PARAMETERS: &[&str] = &["channel_id", "playlist_id"];
/// The longest message that is kept and shown, in characters.
const LONGEST_MESSAGE: usize = 500;

/// The address of a feed as strangers may see it; `None` for one that is not of the web.
///
/// Its user and its query are left out, and its path from the first part on that looks like a key.
#[must_use]
pub(crate) fn address(address: &str) -> Option<String> {
    let mut address = sanitise::web_address(address, None)?;
    address.set_query(None);
    address.set_fragment(None);
    // A failure is impossible on a web address.
    let _ = address.set_username("");
    let _ = address.set_password(None);
    if holds_key(&address) {
        let parts = address.path_segments().into_iter().flatten();
        let shown: String = parts.take_while(|part| !is_key(part)).map(|part| format!("/{part}")).collect();
        address.set_path(&format!("{shown}/"));
    }
    Some(address.into())
}

/// The address of a feed if it is everybody's, and nothing of it otherwise: without its key it would not lead to the feed.
#[must_use]
pub(crate) fn of_everybody(address: &str) -> Option<String> {
    let mut address = sanitise::web_address(address, None).filter(|address| !holds_key(address))?;
    address.set_fragment(None);
    Some(address.into())
}

/// The address of somebody's page as strangers may see it: without a user, and without a query that is for one reader. What
/// stands in its path is the page's name.
#[must_use]
pub(crate) fn page(address: &str) -> Option<String> {
    let mut address = sanitise::web_address(address, None)?;
    if address.query_pairs().any(|(name, value)| is_parameter_of_one(&name, &value)) {
        address.set_query(None);
    }
    Some(sanitise::without_user(address.into()))
}

/// Whether an address looks as if it were made for one reader.
///
/// It names a user, or a part of its path or of its query looks like a key. What is shown of it would not lead to the feed then,
/// and the whole of it is not for strangers.
#[must_use]
pub(crate) fn holds_key(address: &Url) -> bool {
    let names_user = !address.username().is_empty() || address.password().is_some();
    names_user
        || address.path_segments().is_some_and(|mut parts| parts.any(is_key))
        || address.query_pairs().any(|(name, value)| is_parameter_of_one(&name, &value))
}

/// Whether a parameter is there for one reader, by its name or by its value.
fn is_parameter_of_one(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let has = |kind: fn(&u8) -> bool| value.as_bytes().iter().any(kind);
    let kinds = [u8::is_ascii_digit, u8::is_ascii_lowercase, u8::is_ascii_uppercase];
    let mixed = kinds.into_iter().filter(|kind| has(*kind)).count();
    let is_random = (mixed == 3 && value.len() >= SHORTEST_MIXED) || is_key(value) || is_key(&name);
    !PUBLIC_PARAMETERS.contains(&name.as_str())
        && (is_random || SECRET_ENDINGS.iter().any(|ending| name.ends_with(ending)))
}

/// Whether a part of a path was made to be guessed by nobody: a long run of letters and digits mixed, or of hexadecimal digits
/// with dashes, as a UUID is; or a parameter.
fn is_key(part: &str) -> bool {
    let is_random = |run: &str| {
        let has = |kind: fn(&u8) -> bool| run.as_bytes().iter().any(kind);
        let is_mixed = has(u8::is_ascii_digit) || (has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase));
        run.len() >= SHORTEST_KEY && is_mixed
    };
    let stem = part.split('.').next().unwrap_or(part);
    let digits = stem.bytes().filter(u8::is_ascii_hexdigit).count();
    let is_uuid = digits >= 2 * SHORTEST_KEY && stem.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    is_uuid || part.contains([';', '=']) || part.split(|c: char| !c.is_ascii_alphanumeric()).any(is_random)
}

/// A message fit for a log, a page and the store, though it may repeat what a stranger sent: on one line, of bounded length,
/// and with addresses as [`address`] shows them.
#[must_use]
pub(crate) fn message(said: &str) -> String {
    let clean: String = said.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect();
    let shown: Vec<String> = clean.split(' ').map(word).collect();
    text::shorten(&shown.join(" "), LONGEST_MESSAGE)
}

/// A word of a message; one that is an address, or begins as one, as it may be shown.
fn word(word: &str) -> String {
    const QUOTES: [char; 8] = ['`', '\'', '"', '(', ')', ',', ';', '<'];
    let begin = word.len() - word.trim_start_matches(QUOTES).len();
    let (before, rest) = word.split_at(begin);
    let end = rest.trim_end_matches(QUOTES).trim_end_matches(['.', ':', '>']).len();
    let (shown, after) = rest.split_at(end);
    match shown.split_once(':').filter(|_| shown.contains("://")) {
        Some((scheme, _)) => {
            let shown = address(shown).unwrap_or_else(|| format!("{scheme}:…"));
            format!("{before}{shown}{after}")
        }
        None => match shown.split_once('?') {
            Some((path, query)) if query.contains('=') => format!("{before}{path}{after}"),
            _ => word.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_what_only_its_reader_may_know() {
        let check = |whole: &str, expected: &str| assert_eq!(address(whole).as_deref(), Some(expected), "{whole}");
        check("https://me:secret@example.org/feed?token=1#x", "https://example.org/feed");
        check(
            "https://example.org/2026/11/29/a-long-title-of-many-words/feed.xml",
            "https://example.org/2026/11/29/a-long-title-of-many-words/feed.xml",
        );
        check(
            "https://example.org/category/internationalization/rss",
            "https://example.org/category/internationalization/rss",
        );
        check("https://example.org/rss/9f86d081884c7d659a2feaa0c55ad015/feed", "https://example.org/rss/");
        check("https://example.org/550e8400-e29b-41d4-a716-446655440000.xml", "https://example.org/");
        check("https://example.org/550e8400-e29b-41d4-a716-446655440000", "https://example.org/");
        check("https://example.org/u/AbCdEfGhIjKlMnOpQrSt/rss", "https://example.org/u/");
        check("https://example.org/feed;auth=abc", "https://example.org/");
        check("https://example.org/token=abc/feed", "https://example.org/");
        assert_eq!(address("file:///srv/feed.xml"), None);
    }

    #[test]
    fn what_others_name_is_shown_without_what_only_a_reader_may_know() {
        let check = |whole: &str, page: &str, is_everybodys: bool| {
            assert_eq!(super::page(whole).as_deref(), Some(page), "{whole}");
            assert_eq!(of_everybody(whole).is_some(), is_everybodys, "{whole}");
        };
        check("https://example.org/?feed=rss2#top", "https://example.org/?feed=rss2#top", true);
        check("https://me:secret@example.org/", "https://example.org/", false);
        check("https://example.org/a?token=0123", "https://example.org/a", false);
        check("https://example.org/@me/AbCdEfGhIjKlMnOpQrSt", "https://example.org/@me/AbCdEfGhIjKlMnOpQrSt", false);
        assert_eq!(of_everybody("file:///srv/feed.xml"), None);
        assert_eq!(sanitise::without_user("mailto:me@example.org".into()), "mailto:me@example.org");
        assert_eq!(
            sanitise::without_user("https://me@example.org/@you?token=1".into()),
            "https://example.org/@you?token=1"
        );
    }

    #[test]
    fn an_address_made_for_one_reader_is_told_from_everybodys() {
        let check = |address: &str, expected: bool| {
            assert_eq!(holds_key(&Url::parse(address).unwrap()), expected, "{address}");
        };
        for everybodys in [
            "https://example.org/?feed=rss2",
            "https://example.org/rss.php?category=World+News&lang=en&page_id=12",
            "https://example.org/rss.aspx?tab=1&mod=2&author=5&keyword=ferry&hashtag=sea",
            "https://video.example/feeds/videos.xml?channel_id=UCBR8-60-B28hp2BmDPdntcQ",
            "https://example.org/2026/feed.atom#top",
        ] {
            check(everybodys, false);
        }
        for ones in [
            "https://me@example.org/feed",
            "https://example.org/feed?token=abc",
            "https://example.org/feed?rss_auth=1",
            "https://example.org/feed?apiKey=1",
            "https://example.org/feed?u=me&pass=x",
            "https://example.org/feed?PHPSESSID=1",
            "https://example.org/feed?k=aB3xY9qZ",
            "https://example.org/feed?x=9f86d081884c7d659a2f",
            "https://example.org/feed?9f86d081884c7d659a2f",
            "https://example.org/feed?x=9f86d081884c7d65%39a2f",
            "https://example.org/u/AbCdEfGhIjKlMnOpQrSt/rss",
        ] {
            check(ones, true);
        }
    }

    #[test]
    fn a_message_shows_no_more_of_an_address_than_that() {
        let check = |said: &str, expected: &str| assert_eq!(message(said), expected, "{said}");
        check(
            "this is a web page, which links to the feed https://example.org/f?auth=1 and `http://me:pw@b.example/`; not a feed",
            "this is a web page, which links to the feed https://example.org/f and `http://b.example/`; not a feed",
        );
        check("links to the feed /feed?auth=1", "links to the feed /feed");
        check("is the address right?", "is the address right?");
        check("(see gopher://me:pw@x/1)", "(see gopher:…)");
        check("feed:https://example.org/?key=1", "feed:…");
    }

    #[test]
    fn what_a_stranger_sent_cannot_write_lines_or_colours_into_a_log_nor_fill_it() {
        assert_eq!(message("coded as `a\nERROR b\u{1b}[31m\u{9b}`"), "coded as `a\u{fffd}ERROR b\u{fffd}[31m\u{fffd}`");
        assert!(message(&"x".repeat(480_000)).chars().count() <= LONGEST_MESSAGE + 1);
    }
}
