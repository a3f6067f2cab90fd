//! The one web address of an entry, in one spelling.
//!
//! Pure. `fold` compares permalinks; what counts as the same address is decided here and nowhere else.

use std::fmt;
use std::str::FromStr;

use url::Url;
use xxhash_rust::xxh3::xxh3_64;

use crate::net::LONGEST_ADDRESS;
use crate::net::domain::site_of;
use crate::net::redirects;

/// What the address of a page ends with that lists entries or changes with each.
const SECTIONS: &[&str] = &[
    "news",
    "blog",
    "latest",
    "articles",
    "stories",
    "posts",
    "podcast",
    "podcasts",
    "episodes",
    "live",
    "press",
    "releases",
    "events",
    "updates",
    "archive",
    "archives",
    "feed",
    "rss",
    "sport",
    "sports",
    "politics",
    "business",
    "world",
    "local",
    "opinion",
    "video",
    "videos",
    "media",
    "notices",
    "alerts",
    "status",
    "changelog",
    "show",
    "shows",
    "aktuelles",
    "nachrichten",
    "actualites",
    "noticias",
    "notizie",
    "aktualnosci",
    "wiadomosci",
    "novosti",
];

/// What stands before the name of something that has many entries.
const SHOWS: &[&str] =
    &["show", "shows", "podcast", "podcasts", "programme", "programmes", "program", "series", "channel"];

/// What stands in the addresses of pieces that give an opinion, between the site and the name of the piece.
const OPINION: &[&str] = &[
    "opinion",
    "opinions",
    "op-ed",
    "oped",
    "editorial",
    "editorials",
    "commentary",
    "commentisfree",
    "columnists",
    "letters",
    "opinie",
    "felietony",
    "komentarze",
    "publicystyka",
    "meinung",
    "kommentare",
    "kolumnen",
    "debats",
    "idees",
    "tribunes",
    "editoriaux",
    "opinioni",
    "editoriali",
    "mnenia",
];

/// Parts of a path that hold a day, and the months that are written in letters.
const DAY_PARTS: usize = 3;
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Words in the last part of an address from which on it belongs to one page.
const UNDATED_WORDS: usize = 5;

/// The fewest digits that number an article among all of a site's, and the fewest where there are letters to F among them.
const ARTICLE_DIGITS: usize = 7;
const ARTICLE_HEX_DIGITS: usize = 8;

/// Query parameters that say how a reader came to a page, not which page it is.
///
/// Each was met in feeds or is documented by the service that adds it: campaign tags of web analytics, click ids of
/// advertisers, mailing and social-network marks, and the feed marks that publishers add to their own links.
/// A parameter that selects a page on any site we know of is not here (`id`, `p`, `ref`, `source`, `from`, `s`).
const TRACKING: &[&str] = &[
    // Clicks on advertisements.
    "gclid",
    "gclsrc",
    "dclid",
    "gbraid",
    "wbraid",
    "msclkid",
    "yclid",
    "ymclid",
    "fbclid",
    "twclid",
    "ttclid",
    "li_fat_id",
    "rdt_cid",
    // Mailings.
    "mc_cid",
    "mc_eid",
    "mkt_tok",
    "_hsenc",
    "_hsmi",
    "__hssc",
    "__hstc",
    "__hsfp",
    "hsctatracking",
    "vero_id",
    "vero_conv",
    "oly_anon_id",
    "oly_enc_id",
    "ck_subscriber_id",
    "sc_cid",
    "wickedid",
    "s_cid",
    // Social networks and messengers.
    "igshid",
    "igsh",
    "fb_action_ids",
    "fb_action_types",
    "fb_source",
    "fb_ref",
    "action_object_map",
    "action_type_map",
    "action_ref_map",
    "__twitter_impression",
    "ref_src",
    "ref_url",
    "share_id",
    // Analytics of the publishers themselves.
    "_ga",
    "_gl",
    "xtor",
    "at_medium",
    "at_campaign",
    "at_custom1",
    "at_custom2",
    "at_custom3",
    "at_custom4",
    "ns_mchannel",
    "ns_campaign",
    "ns_source",
    "ns_linkname",
    "ns_fee",
    "ito",
    "cmpid",
    "cmp",
    "icid",
    "ncid",
    "sr_share",
    "guccounter",
    "guce_referrer",
    "guce_referrer_sig",
    "wt_mc",
    "wt_zmc",
    "wt.mc_id",
    "spm",
    "ftag",
    "smid",
    "smtyp",
    "feedtype",
    "feedname",
    "traffic_source",
];

/// Beginnings of parameter names that are tracking whatever follows.
const TRACKING_PREFIXES: &[&str] =
    &["utm_", "pk_", "piwik_", "mtm_", "matomo_", "hsa_", "itm_", "stm_", "trk_", "uta_"];

/// A web address in one spelling: host in lower case, no default port, no tracking parameters, fragment kept.
///
/// Two permalinks that are `==` lead to the same page. `http` and `https` spellings differ as text, and share a [`key`](Self::key).
///
/// # Examples
/// ```
/// use newsfold::model::permalink::Permalink;
///
/// let shared: Permalink = "https://Example.org:443/a?id=7&utm_source=mail#latest".parse()?;
/// assert_eq!(shared.as_str(), "https://example.org/a?id=7#latest");
/// assert!("mailto:me@example.org".parse::<Permalink>().is_err());
/// # Ok::<(), newsfold::model::permalink::PermalinkError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permalink {
    text: String,
    key: i64,
}

/// The text is no address that a browser could open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a web address")]
pub struct PermalinkError;

impl Permalink {
    /// Normalises an address that is absolute already.
    ///
    /// # Errors
    /// When it is neither `http` nor `https`, names no host, or is longer than an address may be.
    pub fn new(mut url: Url) -> Result<Self, PermalinkError> {
        let is_web = matches!(url.scheme(), "http" | "https") && !url.host_str().is_none_or(str::is_empty);
        if !is_web || url.as_str().len() > LONGEST_ADDRESS {
            return Err(PermalinkError);
        }
        // A user name in a link would be somebody's secret; a failure is impossible on a URL with a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        if let Some(query) = url.query() {
            let kept: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty() && !is_tracking(pair)).collect();
            let kept = (!kept.is_empty()).then(|| kept.join("&"));
            url.set_query(kept.as_deref());
        }
        if url.fragment().is_some_and(|fragment| fragment.is_empty() || fragment.split('&').all(is_tracking)) {
            url.set_fragment(None);
        }
        Ok(Self::stored(url.into()))
    }

    /// Where it leads, if it is a known redirect that names its page; else itself.
    #[must_use]
    pub fn led_on(self) -> Self {
        if !redirects::may_lead_on(&self.text) {
            return self;
        }
        let target = Url::parse(&self.text).ok().and_then(|url| redirects::target(&url));
        target.and_then(|page| Self::new(page).ok()).unwrap_or(self)
    }

    /// A permalink that was normalised before, as the store gives it back.
    #[must_use]
    pub fn stored(text: String) -> Self {
        let key = key(&text);
        Self { text, key }
    }

    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What the store looks permalinks up by: a hash that `http` and `https` spellings share.
    ///
    /// Its upper 20 bits are the host's, so that the pages of a site stand together in an index: what a feed brings is
    /// looked up in a few pages of the store however large it is.
    #[must_use]
    pub fn key(&self) -> i64 {
        self.key
    }

    /// The address after `http://` or `https://`: two permalinks with equal rests are one page.
    #[must_use]
    pub fn without_scheme(&self) -> &str {
        without_scheme(&self.text)
    }

    /// The site that it is on (`site_of`).
    #[must_use]
    pub fn site(&self) -> &str {
        site_of(host_in(&self.text))
    }

    /// Whether it is on the site of a host.
    #[must_use]
    pub fn is_on_site_of(&self, host: &str) -> bool {
        // The hosts of most feeds are those of their pages.
        host_in(&self.text) == host || self.site() == site_of(host)
    }

    /// Whether it is a site's front page, which many entries may link to and none owns: the bare site, its index by name, or
    /// the front page in a language.
    #[must_use]
    pub fn is_front_page(&self) -> bool {
        let Some((_, path)) = self.without_scheme().split_once('/') else { return true };
        let path = path.trim_end_matches('/');
        let name = path.split_once('.').map_or(path, |(name, _)| name);
        let is_language = |part: &str| part.len() == 2 && part.chars().all(|c| c.is_ascii_alphabetic());
        path.is_empty()
            || ["index", "default", "home"].iter().any(|index| name.eq_ignore_ascii_case(index))
            || path.split(['-', '_']).all(is_language)
    }

    /// Whether its address reads like that of a section, a blog or a show rather than of one article.
    #[must_use]
    pub fn is_general(&self) -> bool {
        let Some((_, path)) = self.without_scheme().split_once('/') else { return true };
        let is_in = |list: &[&str], part: &str| list.iter().any(|word| part.eq_ignore_ascii_case(word));
        let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
        let name = parts.last().map_or("", |last| last.split_once('.').map_or(*last, |(name, _)| name));
        let is_section = parts.len() <= 3 && is_in(SECTIONS, name);
        let is_show = parts.len() == 2 && parts.first().is_some_and(|first| is_in(SHOWS, first));
        self.is_front_page() || is_section || is_show
    }

    /// Whether its address says that it gives somebody's opinion.
    #[must_use]
    pub fn is_opinion(&self) -> bool {
        let path = path_of(self.without_scheme());
        path.split('/').rev().skip(1).any(|part| OPINION.iter().any(|word| part.eq_ignore_ascii_case(word)))
    }

    /// What its address has in common with others of the same article, as a hash; `None` for an address without an article's
    /// number.
    ///
    /// Who corrects a headline often corrects the address with it, and finds the article by its number alone:
    /// `/local/ferry-aground-7344629` and `/local/ferry-afloat-again-7344629` are one page. Such a number stands in the last part of
    /// the path and has seven digits or more, or eight or more hexadecimal ones, and is no date. Words around it do not count; the
    /// host, the query, and numbers elsewhere do, but for those that stand before it among its words.
    ///
    /// # Examples
    /// ```
    /// use newsfold::model::permalink::Permalink;
    ///
    /// let key = |address: &str| address.parse::<Permalink>().unwrap().article_key();
    /// let [first, corrected] = ["ferry-aground", "ferry-afloat"].map(|slug| key(&format!("https://example.org/local/{slug}-7344629")));
    /// assert!(first.is_some() && first == corrected);
    /// assert_eq!(key("https://example.org/local/ferry-aground"), None);
    /// ```
    #[must_use]
    pub fn article_key(&self) -> Option<u32> {
        let page = self.without_scheme().split('#').next()?;
        let (page, query) = page.split_once('?').unwrap_or((page, ""));
        let (parents, name) = page.trim_end_matches('/').rsplit_once('/')?;
        let tokens = |text| str::split(text, |c: char| !c.is_ascii_alphanumeric());
        let has_digits = |token: &&str| token.contains(|c: char| c.is_ascii_digit());
        let number = tokens(name).rev().find(|token| is_article_number(token))?;
        let (_, behind) = name.rsplit_once(number)?;
        let (_, folders) = parents.split_once('/').unwrap_or_default();
        let others = tokens(folders).filter(has_digits).chain([""]).chain(tokens(behind).filter(has_digits));
        hash_of(&[], [host_before(page), query, number].into_iter().chain(others))
    }

    /// What its address has in common with those that the same page had on other days, under one headline (`title`, a hash), as a
    /// hash; `None` for an address that does not hold a day and five words behind it.
    ///
    /// A publisher that keeps a page up to date may put it out each day under that day's address, as
    /// `/rugby/2023/09/11/team-by-team-guide-to-the-cup` and `/rugby/2023/09/12/team-by-team-guide-to-the-cup`. A running page
    /// (`/live/`) tells other news each day.
    ///
    /// # Examples
    /// ```
    /// use newsfold::model::permalink::Permalink;
    ///
    /// let key = |day: &str| format!("https://example.org/{day}/how-to-sail-round-skarvholm").parse::<Permalink>().unwrap().undated_key(7);
    /// assert!(key("2026/01/14").is_some() && key("2026/01/14") == key("2026/jan/15"));
    /// assert_eq!(key("travel"), None);
    /// ```
    #[must_use]
    pub fn undated_key(&self, title: u32) -> Option<u32> {
        let page = self.without_scheme().split('#').next()?;
        let (page, query) = page.split_once('?').unwrap_or((page, ""));
        let mut parts: Vec<&str> = path_of(page).split('/').filter(|part| !part.is_empty()).collect();
        let name = parts.pop()?;
        let words = name.split(|c: char| !c.is_ascii_alphanumeric());
        let words = words.filter(|word| word.contains(|c: char| c.is_ascii_alphabetic())).count();
        let day = parts.windows(DAY_PARTS).position(is_day)?;
        if words < UNDATED_WORDS || parts.contains(&"live") {
            return None;
        }
        parts.drain(day..day + DAY_PARTS);
        hash_of(&title.to_le_bytes(), [host_before(page), query, name].into_iter().chain(parts))
    }
}

/// A hash of parts of an address, after what else is to make it another.
fn hash_of<'a>(before: &[u8], parts: impl Iterator<Item = &'a str>) -> Option<u32> {
    let mut hash = xxhash_rust::xxh3::Xxh3Default::new();
    hash.update(before);
    for part in parts {
        hash.update(part.as_bytes());
        hash.update(b"\0");
    }
    u32::try_from(hash.digest() >> u32::BITS).ok()
}

/// Whether parts of a path are a year, a month, and a day of it: `2026/01/14`, `2026/jan/14`.
fn is_day(parts: &[&str]) -> bool {
    let number = |text: &str, most: u32| text.parse::<u32>().is_ok_and(|number| (1..=most).contains(&number));
    let [year, month, day] = parts else { return false };
    year.len() == 4
        && (year.starts_with("19") || year.starts_with("20"))
        && number(year, 9_999)
        && (number(month, 12) || MONTHS.contains(&month.to_ascii_lowercase().as_str()))
        && number(day, 31)
}

/// The host of an address that was read as a URL and written again, which leaves one spelling; empty where it has none.
#[must_use]
pub fn host_in(address: &str) -> &str {
    host_before(without_scheme(address))
}

/// The host that an address without a scheme begins with.
fn host_before(page: &str) -> &str {
    let authority = page.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    // An address of IPv6 has colons of its own.
    match host.find(']') {
        Some(end) => host.get(..=end).unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}

/// The path of an address without a scheme, from behind the host on.
fn path_of(page: &str) -> &str {
    let page = page.split(['?', '#']).next().unwrap_or_default();
    page.split_once('/').map_or("", |(_, path)| path)
}

/// Whether a part of an address numbers one article among all of a site's.
fn is_article_number(token: &str) -> bool {
    let digits = token.bytes().filter(u8::is_ascii_digit).count();
    let is_decimal = digits == token.len();
    let is_hexadecimal = token.bytes().all(|byte| byte.is_ascii_hexdigit()) && digits > 1 && !is_decimal;
    (is_decimal && digits >= ARTICLE_DIGITS && !is_date(token)) || (is_hexadecimal && token.len() >= ARTICLE_HEX_DIGITS)
}

/// Whether digits may be a day, with or without a time of day: `20260114`, `14012026`, `202601141230`.
fn is_date(digits: &str) -> bool {
    let number = |from: usize, length: usize| digits.get(from..from + length).and_then(|part| part.parse::<u32>().ok());
    let is_day = |year: usize, month: usize, day: usize| {
        number(year, 4).is_some_and(|year| (1900..2100).contains(&year))
            && number(month, 2).is_some_and(|month| (1..=12).contains(&month))
            && number(day, 2).is_some_and(|day| (1..=31).contains(&day))
    };
    matches!(digits.len(), 8 | 10 | 12 | 14) && is_day(0, 4, 6) || digits.len() == 8 && is_day(4, 2, 0)
}

fn key(address: &str) -> i64 {
    const PAGE_BITS: u32 = 44;
    let page = without_scheme(address);
    let host = xxh3_64(host_before(page).as_bytes()) >> PAGE_BITS << PAGE_BITS;
    (host | xxh3_64(page.as_bytes()) >> (u64::BITS - PAGE_BITS)).cast_signed()
}

fn without_scheme(address: &str) -> &str {
    address.split_once("://").map_or(address, |(_, rest)| rest)
}

/// Whether a `name=value` pair tells how a reader came rather than what to show.
fn is_tracking(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
    TRACKING.contains(&name.as_str()) || TRACKING_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

impl fmt::Display for Permalink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Permalink {
    type Err = PermalinkError;

    fn from_str(text: &str) -> Result<Self, PermalinkError> {
        Self::new(Url::parse(text.trim()).map_err(|_| PermalinkError)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(input: &str, expected: &str) {
        assert_eq!(input.parse::<Permalink>().unwrap().as_str(), expected, "{input}");
    }

    #[test]
    fn the_host_is_found_in_any_address() {
        for (address, host) in [
            ("https://example.org/a:b@c", "example.org"),
            ("https://name:secret@example.org:8080/a", "example.org"),
            ("http://[::1]:80/", "[::1]"),
            ("http://example.org?a", "example.org"),
            ("", ""),
        ] {
            assert_eq!(host_in(address), host, "{address}");
        }
    }

    #[test]
    fn the_pages_of_a_site_have_keys_that_stand_together() {
        let key = |text: &str| text.parse::<Permalink>().unwrap().key();
        assert_eq!(key("http://example.org/1"), key("https://example.org/1"));
        assert_ne!(key("https://example.org/1"), key("https://example.org/2"));
        assert_eq!(key("https://example.org/1") >> 44, key("https://example.org/2") >> 44);
        assert_ne!(key("https://example.org/1") >> 44, key("https://example.net/1") >> 44);
        assert_eq!(key("https://example.org/1") >> 44, key("https://example.org/?page=http://example.net/1") >> 44);
    }

    #[test]
    fn one_page_has_one_spelling() {
        check("HTTPS://Example.ORG:443/a", "https://example.org/a");
        check("https://example.org", "https://example.org/");
        check("https://example.org/a?utm_source=rss&id=7&UTM_Medium=x", "https://example.org/a?id=7");
        check("https://example.org/a?utm_source=rss", "https://example.org/a");
        check("https://example.org/a?xtor=RSS-1#xtor=RSS-1", "https://example.org/a");
        check("https://me:secret@example.org/a", "https://example.org/a");
        check(" https://example.org/a\n", "https://example.org/a");
        check("https://bücher.example/a b", "https://xn--bcher-kva.example/a%20b");
    }

    #[test]
    fn what_selects_a_page_is_kept() {
        // Changelogs put every entry on one page.
        check("https://example.org/changes#v1.2", "https://example.org/changes#v1.2");
        check("https://example.org/?p=7", "https://example.org/?p=7");
        check("https://example.org/a?ref=2&source=x", "https://example.org/a?ref=2&source=x");
        check("https://example.org/a/", "https://example.org/a/");
    }

    #[test]
    fn only_the_web_has_permalinks() {
        for text in ["mailto:a@example.org", "javascript:alert(1)", "/a", "", "urn:uuid:1", "file:///etc/passwd"] {
            assert_eq!(text.parse::<Permalink>(), Err(PermalinkError), "{text}");
        }
    }

    #[test]
    fn http_and_https_are_one_page() {
        let [a, b] = ["http://example.org/a", "https://example.org/a"].map(|text| text.parse::<Permalink>().unwrap());
        assert_eq!(a.key(), b.key());
        assert_eq!(host_in(a.as_str()), "example.org");
    }

    #[test]
    fn a_front_page_is_nobodys_entry() {
        let front = |text: &str| text.parse::<Permalink>().unwrap().is_front_page();
        assert!(front("https://example.org"));
        assert!(front("https://example.org/?utm_source=rss"));
        assert!(front("https://example.org/index.html"));
        assert!(front("https://example.org/en/"));
        assert!(front("https://example.org/pt-br"));
        assert!(!front("https://example.org/?p=7"));
        assert!(!front("https://example.org/a"));
        assert!(!front("https://example.org/index/ferry-aground"));
    }

    #[test]
    fn a_section_is_told_from_an_article_by_its_address() {
        let general = |text: &str| text.parse::<Permalink>().unwrap().is_general();
        for section in ["/news", "/blog/", "/town/news.html", "/shows/morning-talk", "/en/"] {
            assert!(general(&format!("https://example.org{section}")), "{section}");
        }
        for article in ["/a", "/ferry-aground", "/news/ferry", "/blog/hello-world", "/news?id=7", "/show/1/7"] {
            assert!(!general(&format!("https://example.org{article}")), "{article}");
        }
    }

    #[test]
    fn an_article_is_known_by_its_number_whatever_words_stand_around_it() {
        let key = |text: &str| format!("https://example.org{text}").parse::<Permalink>().unwrap().article_key();
        for (one, other) in [
            ("/local/ferry-aground-7344629", "/local/ferry-with-12-aboard-aground-7344629?utm_source=rss"),
            ("/articles/u-s-plans-33dd2021", "/articles/sanctions-are-here-33dd2021"),
            ("/a/10612209,ferry-aground.html", "/a/10612209,ferry-afloat.html#top"),
            ("/x-a-956815f5-e1fa-46c4-ac9b-ce41e49fcd89", "/y-a-956815f5-e1fa-46c4-ac9b-ce41e49fcd89"),
            ("/world/one-subject/articleshow/126282056.cms", "/world/another/articleshow/126282056.cms"),
        ] {
            assert!(key(one).is_some(), "{one}");
            assert_eq!(key(one), key(other), "{one} {other}");
        }
        for (one, other) in [
            ("/ferry-7344629", "/ferry-7344630"),
            ("/ferry-7344629-page-2", "/ferry-7344629-page-3"),
            ("/ferry-7344629?page=2", "/ferry-7344629?page=3"),
            ("/2026/01/ferry-7344629", "/2026/02/ferry-7344629"),
        ] {
            assert_ne!(key(one), key(other), "{one} {other}");
        }
        for none in [
            "/",
            "/thread.7344629/page-2",
            "/ferry",
            "/ferry-20260114",
            "/ferry-14012026",
            "/ferry-202601141230",
            "/ferry-123456",
            "/7344629/ferry",
            "/decade-facade",
            "/effaced1",
        ] {
            assert_eq!(key(none), None, "{none}");
        }
    }

    #[test]
    fn a_page_is_known_under_another_days_address_by_its_words_and_headline() {
        let key = |text: &str| format!("https://example.org{text}").parse::<Permalink>().unwrap().undated_key(1);
        let page = key("/sport/2026/01/14/a-team-by-team-guide/");
        assert!(page.is_some());
        for same in ["/sport/2026/01/15/a-team-by-team-guide", "/sport/2026/feb/1/a-team-by-team-guide#top"] {
            assert_eq!(key(same), page, "{same}");
        }
        for other in [
            "/news/2026/01/14/a-team-by-team-guide",
            "/sport/2026/01/14/a-game-by-game-guide",
            "/sport/2026/01/14/a-team-by-team-guide?page=2",
        ] {
            assert!(key(other).is_some() && key(other) != page, "{other}");
        }
        for none in [
            "/sport/a-team-by-team-guide",
            "/sport/2026/01/a-team-by-team-guide",
            "/sport/2026/13/14/a-team-by-team-guide",
            "/sport/2026/01/14/daily-discussion-thread",
            "/live/2026/01/14/a-team-by-team-guide",
            "/a-team-by-team-guide/2026/01/14",
        ] {
            assert_eq!(key(none), None, "{none}");
        }
        let [one, two] = [1, 2].map(|title| {
            "https://example.org/2026/01/14/a-team-by-team-guide".parse::<Permalink>().unwrap().undated_key(title)
        });
        assert_ne!(one, two, "another headline");
    }

    #[test]
    fn an_opinion_is_told_by_its_address() {
        let is_opinion = |text: &str| format!("https://example.org{text}").parse::<Permalink>().unwrap().is_opinion();
        assert!(is_opinion("/opinion/2026/why-ferries") && is_opinion("/pl/Opinie/prom"));
        assert!(!is_opinion("/news/opinion") && !is_opinion("/opinion") && !is_opinion("/?opinion/x"));
    }

    proptest! {
        #[test]
        fn normalising_twice_is_normalising_once(path in "[a-z/]{0,8}", query in "([a-z_]{1,8}=[a-z0-9]{0,3}&?){0,4}", fragment in "[a-z=]{0,6}") {
            if let Ok(once) = format!("http://Example.org/{path}?{query}#{fragment}").parse::<Permalink>() {
                prop_assert_eq!(once.as_str().parse::<Permalink>(), Ok(once.clone()));
            }
        }
    }
}
