//! Whether an entry passes on what another publisher wrote.
//!
//! Pure. Publishers say so in three ways: a `source` element that names another feed, an author that is a news agency, and a
//! dateline such as "BERLIN (dpa) - ". It matters when a story's speaker is chosen: who wrote it comes before who runs it.

use url::Url;

use crate::fold::canonical::same_publisher;
use crate::model::Person;
use crate::parse::Source;

/// The news agencies that papers credit: the names in datelines and bylines, and what the agency's own feeds go by.
const AGENCIES: &[(&[&str], &[&str])] = &[
    (&["reuters"], &["reuters"]),
    (&["ap", "associated press", "the associated press"], &["apnews", "ap.org", "associated press"]),
    (&["afp", "agence france-presse"], &["afp"]),
    (&["dpa", "deutsche presse-agentur"], &["dpa"]),
    (&["apa"], &["apa.at", "apa-ots"]),
    (&["upi", "united press international"], &["upi"]),
    (&["efe", "agencia efe"], &["efe"]),
    (&["ansa"], &["ansa"]),
    (&["lusa"], &["lusa"]),
    (&["anp"], &["anp"]),
    (&["belga"], &["belga"]),
    (&["pap"], &["pap.pl", "polska agencja"]),
    (&["ritzau"], &["ritzau"]),
    (&["ntb"], &["ntb"]),
    (&["tt"], &["tt.se"]),
    (&["tass", "тасс"], &["tass", "тасс"]),
    (&["interfax", "интерфакс"], &["interfax", "интерфакс"]),
    (&["ria novosti", "риа новости"], &["ria.ru", "риа новости"]),
    (&["xinhua", "新华社"], &["xinhua", "news.cn", "新华"]),
    (&["kyodo", "kyodo news"], &["kyodo"]),
    (&["jiji press", "jiji"], &["jiji"]),
    (&["yonhap"], &["yonhap", "yna.co.kr"]),
    (&["kcna"], &["kcna"]),
    (&["pti", "press trust of india"], &["ptinews"]),
    (&["ani"], &["aninews"]),
    (&["anadolu", "anadolu agency", "aa"], &["anadolu", "aa.com.tr"]),
    (&["pa", "pa media", "press association"], &["pa.media", "press association"]),
    (&["canadian press", "the canadian press"], &["canadian press"]),
    (&["aap"], &["aap.com.au"]),
];

/// How far into a text its dateline can end, in characters.
const LONGEST_DATELINE: usize = 80;
/// How far into the markup that is looked for.
const LONGEST_HEAD: usize = 400;

/// A feed, as far as one can tell from it who its publisher is.
#[derive(Debug, Clone, Copy)]
pub struct Publisher<'a> {
    /// Where its document is read from.
    pub address: &'a Url,
    /// Its own name for itself.
    pub title: Option<&'a str>,
}

/// Whether an entry of `feed` credits another publisher: by `source`, by its `authors`, or in the dateline of its
/// `markup`.
#[must_use]
pub fn is_second_hand(feed: Publisher<'_>, source: Option<&Source>, authors: &[Person], markup: &str) -> bool {
    names_another(feed, source)
        || authors.iter().any(|author| is_foreign_agency(feed, &author.name))
        || dateline(&beginning(markup)).is_some_and(|agency| is_foreign_agency(feed, agency))
}

/// The first characters of the text, tags left out.
fn beginning(markup: &str) -> String {
    let mut is_tag = false;
    let mut is_text = |c: char| {
        let shown = !is_tag && c != '<';
        is_tag = c == '<' || (is_tag && c != '>');
        shown
    };
    let mut text = String::with_capacity(2 * LONGEST_DATELINE);
    text.extend(markup.chars().take(LONGEST_HEAD).filter(|c| is_text(*c)).take(LONGEST_DATELINE));
    text
}

fn names_another(feed: Publisher<'_>, source: Option<&Source>) -> bool {
    let host = |text: &Option<String>| Url::parse(text.as_deref()?).ok()?.host_str().map(str::to_owned);
    let Some(source) = source else { return false };
    match (host(&source.url).or_else(|| host(&source.feed_url)), feed.address.host_str()) {
        (Some(theirs), Some(ours)) => !same_publisher(ours, &theirs),
        _ => false,
    }
}

fn is_foreign_agency(feed: Publisher<'_>, name: &str) -> bool {
    let name = name.trim().to_lowercase();
    let agency = AGENCIES.iter().find(|(names, _)| names.contains(&name.as_str()));
    let Some((_, own)) = agency else { return false };
    let goes_by = |own: &&str| {
        feed.title.is_some_and(|title| title.to_lowercase().contains(own))
            || feed.address.host_str().is_some_and(|host| host.contains(own))
    };
    !own.iter().any(goes_by)
}

/// The name in a dateline: in parentheses before a dash, or between slashes, at the beginning of a text.
fn dateline(head: &str) -> Option<&str> {
    if let Some((before, rest)) = head.split_once('(')
        && let Some((name, after)) = rest.split_once(')')
        && is_place(before)
        && after.trim_start().starts_with(['-', '–', '—'])
    {
        return Some(name);
    }
    let (before, rest) = head.split_once('/')?;
    let (name, _) = rest.split_once('/')?;
    is_place(before).then_some(name)
}

/// Whether `text` can stand before the agency in a dateline: a place and perhaps a date, no sentence.
fn is_place(text: &str) -> bool {
    text.split_whitespace().count() <= 6 && !text.contains([';', ':', '!', '?', '"'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(feed: &str, title: &str, author: &str, text: &str, expected: bool) {
        let address = Url::parse(feed).unwrap();
        let authors = [Person { name: author.into(), ..Person::default() }];
        let publisher = Publisher { address: &address, title: Some(title) };
        assert_eq!(is_second_hand(publisher, None, &authors, text), expected, "{title}: {author}: {text}");
    }

    #[test]
    fn a_paper_that_runs_an_agencys_report_says_so() {
        check("https://paper.example/rss", "The Paper", "", "<p><b>BERLIN</b> (dpa) - A bridge was closed.</p>", true);
        check("https://paper.example/rss", "The Paper", "", "LONDON, March 2 (Reuters) — A bridge.", true);
        check("https://paper.example/rss", "The Paper", "", "MOSCOW, November 2. /TASS/. A bridge.", true);
        check("https://paper.example/rss", "The Paper", "Associated Press", "A bridge was closed.", true);
        check("https://paper.example/rss", "The Paper", "A. Writer", "A bridge (Reuters) was closed - again.", false);
        check("https://paper.example/rss", "The Paper", "", "The mayor (who is 40) - said so.", false);
    }

    #[test]
    fn an_agencys_own_dateline_is_no_credit_to_another() {
        check("https://feeds.reuters.example/world", "World", "", "LONDON (Reuters) - A bridge.", false);
        check("https://wire.example/rss", "Reuters: World News", "", "LONDON (Reuters) - A bridge.", false);
    }

    #[test]
    fn an_aggregator_names_its_source() {
        let source = |url: &str| Source { url: Some(url.into()), ..Source::default() };
        let address = Url::parse("https://news.aggregator.example/rss").unwrap();
        let publisher = Publisher { address: &address, title: None };
        assert!(is_second_hand(publisher, Some(&source("https://paper.example/")), &[], ""));
        assert!(!is_second_hand(publisher, Some(&source("https://www.aggregator.example/")), &[], ""));
        assert!(!is_second_hand(publisher, Some(&Source::default()), &[], ""));
    }
}
