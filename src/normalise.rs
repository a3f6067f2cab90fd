//! Parsed entries to entries that the store can keep.
//!
//! Pure. Identity, addresses and plain text are settled here, once; past this line nobody checks them again. Deciding what
//! is new is `update`'s work.

pub mod hub_links;
pub mod identity;
pub mod language;
pub mod spaceless;
pub mod told_below;

use std::cmp::Reverse;
use std::collections::HashSet;
use std::hash::Hasher;

use chrono::{DateTime, Datelike, Utc};
use url::Url;
use xxhash_rust::xxh3::Xxh3;

use crate::model::media_type;
use crate::model::permalink::Permalink;
use crate::model::{Detail, Enclosure, Entry, Fault, Person, Relayed};
use crate::net::LONGEST_ADDRESS;
use crate::parse::{self, AlsoToldBy, MOST_ENTRIES, ParsedEntry, ParsedFeed};
use crate::sanitise::{self, web_address};
use crate::text;

/// The longest title of an entry or a feed, in characters.
pub const LONGEST_TITLE: usize = 1_000;
/// The most markup of one text, in bytes, without what is long and never shown. An entry has two of them; how much of a text is
/// shown is `sanitise`'s to say, and most of the markup of a long article is not.
const LONGEST_MARKUP: usize = 7 * 256 * 1024;
/// The most people who publish a feed.
const MOST_PUBLISHERS: usize = 10;
/// The longest name of a person, label or language, in characters.
const LONGEST_NAME: usize = 500;
/// The most authors, categories or enclosures of one entry.
const MOST_PARTS: usize = 100;
/// Under how many names newsfolds elsewhere may know it.
const MOST_NAMES: usize = 16;
/// The most bytes that its authors, its categories or its enclosures may have together.
const MOST_PART_BYTES: usize = 16 * 1024;
/// What an entry may hold at most beside its two texts, in bytes: its three lists of parts, and a few titles and addresses.
const MOST_BESIDE: usize = 128 * 1024;
/// The most bytes of an entry as the store keeps it, without what its form adds: nothing larger is handed on, and the store
/// reads back whatever is no larger.
pub const LARGEST_ENTRY: usize = 2 * LONGEST_MARKUP + MOST_BESIDE;

/// The entries of a document as the store keeps them, and what had to be left out.
///
/// `address` is where the document was read from: what relative addresses start from where the document says nothing.
/// Entries come oldest first, so that they are stored and folded in the order in which they were told.
#[must_use]
pub fn entries(parsed: ParsedFeed, address: &Url) -> (Vec<Entry>, Vec<Fault>) {
    let ParsedFeed { format, link, language, mut authors, entries: parsed_entries, mut faults, .. } = parsed;
    // Each entry may get a copy.
    authors.truncate(MOST_PUBLISHERS);
    authors = authors.into_iter().map(person).collect();
    if parsed_entries.len() > MOST_ENTRIES {
        faults.push(Fault {
            entry: None,
            what: format!("the document has {} entries; the newest {MOST_ENTRIES} are kept", parsed_entries.len()),
        });
    }
    let parsed_entries = newest(parsed_entries, MOST_ENTRIES);
    let is_atom = format.starts_with("Atom");
    let page = link.as_deref().filter(|_| !is_atom).and_then(|link| web_address(link, Some(address)));
    let document = Document {
        base: page.unwrap_or_else(|| address.clone()),
        is_atom,
        language: language.as_deref().and_then(language::tag),
    };
    let mut entries: Vec<Entry> = parsed_entries
        .into_iter()
        .enumerate()
        .filter_map(|(position, mut parsed)| {
            // Who publishes a feed wrote those of its entries that name nobody (RFC 4287 §4.1.1, JSON Feed 1.1).
            if parsed.authors.is_empty() && parsed.source.is_none() {
                parsed.authors.clone_from(&authors);
            }
            entry(parsed, position, &document, &mut faults)
        })
        .collect();
    identity::make_unique(&mut entries);
    // What the dates leave open is settled by the document, whose newest entry stands first where they do not say otherwise.
    if !begins_with_the_oldest(&entries) {
        entries.reverse();
    }
    entries.sort_by_key(|entry| entry.published);
    (entries, faults)
}

/// Whether the dates of a document's entries rise from its beginning to its end.
fn begins_with_the_oldest(entries: &[Entry]) -> bool {
    let dates: Vec<DateTime<Utc>> = entries.iter().filter_map(|entry| entry.published).collect();
    let steps = |is: fn(&DateTime<Utc>, &DateTime<Utc>) -> bool| {
        dates.iter().zip(dates.iter().skip(1)).filter(|(one, next)| is(one, next)).count()
    };
    steps(|one, next| one < next) > steps(|one, next| one > next)
}

/// The newest `most` entries, in the order in which they stand in their document.
///
/// The newest by date, wherever they stand. One without a date is as old as the one before it; where none has a date, the first
/// are the newest, as in nearly all feeds.
fn newest(entries: Vec<ParsedEntry>, most: usize) -> Vec<ParsedEntry> {
    if entries.len() <= most {
        return entries;
    }
    let mut latest = entries.iter().find_map(date_of);
    let mut dated = Vec::with_capacity(entries.len());
    for (position, entry) in entries.iter().enumerate() {
        latest = date_of(entry).or(latest);
        dated.push((Reverse(latest), position));
    }
    dated.sort_unstable();
    let kept: HashSet<usize> = dated.into_iter().take(most).map(|(_, position)| position).collect();
    let numbered = entries.into_iter().enumerate();
    numbered.filter(|(position, _)| kept.contains(position)).map(|(_, entry)| entry).collect()
}

fn date_of(entry: &ParsedEntry) -> Option<DateTime<Utc>> {
    entry.published.or(entry.updated)
}

/// What the document says about all of its entries.
struct Document {
    /// What relative addresses start from: Atom's from where the document was read (RFC 4287 §2, RFC 3986 §5.1.3), others',
    /// which say nothing, from the page that the feed belongs to.
    base: Url,
    is_atom: bool,
    language: Option<String>,
}

/// What a publisher wrote, of an entry that another newsfold publishes: without what newsfolds put below a text, without a short
/// form that is the whole, without the outlet before the title or among the authors, where it stands for readers that show no
/// source, and without the title in the place of a text.
fn without_additions(parsed: &mut ParsedEntry) {
    let ParsedEntry { title, summary, content, authors, source, also, story_page, story_title, is_by_newsfold, .. } =
        parsed;
    if !*is_by_newsfold && also.is_empty() && story_page.is_none() {
        return;
    }
    if story_title.is_some() {
        title.clone_from(story_title);
    }
    let mut is_text = false;
    for text in [&mut *summary, &mut *content].into_iter().flatten() {
        let own = told_below::without(text, also, story_page.as_deref()).len();
        // What something was put below is a text, though it be the title's words.
        is_text |= own > 0 && own < text.len();
        text.truncate(own);
    }
    // Of an entry without a text, readers that want one are shown the title.
    if !is_text && let Some(title) = &*title {
        let stands_in = |text: &mut String| text::plain(text) == text::plain(title);
        content.take_if(|content| content.is_empty() || stands_in(content));
        if content.is_none() {
            summary.take_if(stands_in);
        }
    }
    if let (Some(short), Some(full)) = (&*summary, &*content)
        && text::plain(short) == text::plain(full)
    {
        *summary = None;
    }
    if let Some(outlet) = source.as_ref().and_then(|source| source.title.as_ref()) {
        authors.retain(|person| person.name != *outlet);
    }
}

/// Who else tells a story, by the word of another newsfold.
fn relayed(also: Vec<AlsoToldBy>, address: impl Fn(Option<String>) -> Option<String>) -> Vec<Relayed> {
    let told = also.into_iter().filter_map(|AlsoToldBy { source, title, url, date, home_page_url, feed_url }| {
        let source = text::shorten(&source?, LONGEST_NAME);
        let title = text::shorten(&title.unwrap_or_default(), LONGEST_NAME);
        let [page, feed_url, home] =
            [url, feed_url, home_page_url].map(|said| address(said).filter(|page| page.len() <= LONGEST_ADDRESS));
        // One of them says it.
        let home = home.filter(|_| feed_url.is_none());
        (!source.is_empty()).then(|| Relayed { source, title, page, feed_url, home, at: date.filter(is_plausible) })
    });
    parts(told, |told| {
        let addresses = [&told.page, &told.feed_url, &told.home].into_iter().flatten();
        told.source.len() + told.title.len() + addresses.map(String::len).sum::<usize>()
    })
}

fn entry(mut parsed: ParsedEntry, position: usize, document: &Document, faults: &mut Vec<Fault>) -> Option<Entry> {
    let Document { base, is_atom, .. } = document;
    without_additions(&mut parsed);
    let base = parsed.base.as_deref().and_then(|own| web_address(own, Some(base))).unwrap_or_else(|| base.clone());
    let absolute = |text: &str| web_address(text, Some(&base));
    let address = |text: Option<String>| text.and_then(|text| absolute(&text)).map(String::from);
    // An id that is a web address stands in for a missing link, as RSS says of `guid` (and says of no other format).
    let own = parsed.url.as_deref().and_then(absolute).and_then(|url| Permalink::new(url).ok());
    let id_permalink = match &parsed.id {
        Some(_) if own.is_some() && parsed.id == parsed.url => own.clone(),
        id => id.as_deref().and_then(|id| id.parse::<Permalink>().ok()),
    };
    let permalink = match &parsed.url {
        Some(_) => own.or_else(|| id_permalink.clone()),
        None => id_permalink.clone().filter(|_| parsed.id_is_permalink != Some(false)),
    };
    let title = text::shorten(parsed.title.as_deref().unwrap_or_default(), LONGEST_TITLE);
    if permalink.is_none()
        && title.is_empty()
        && parsed.id.is_none()
        && parsed.summary.is_none()
        && parsed.content.is_none()
    {
        faults.push(Fault {
            entry: Some(format!("number {}", position + 1)),
            what: "it says nothing: no id, link, title or text".into(),
        });
        return None;
    }
    if parsed.is_half_told && parsed.id.is_none() && permalink.is_none() {
        faults.push(Fault {
            entry: Some(text::shorten(&title, LONGEST_NAME)),
            what: "the document breaks off in it, before its id and its link; it is taken in once the document has it whole"
                .into(),
        });
        return None;
    }
    let id = identity::id(&parsed, permalink.as_ref());
    // Where the id was shortened, the store could not say any more where it led.
    let is_kept = parsed.id.as_ref() == Some(&id.0);
    let id_permalink = id_permalink.filter(|address| is_kept && Some(address) != permalink.as_ref());
    // The id is made of the address as the publisher has it, which stays when we come to know where it leads.
    let permalink = permalink.map(Permalink::led_on);
    // An entry's own page is a fair base, also for the path of a file that lies beside it; a page elsewhere is none.
    let is_at_home =
        !*is_atom && permalink.as_ref().is_some_and(|page| page.is_on_site_of(base.host_str().unwrap_or_default()));
    let mut capped = |markup: Option<String>| {
        markup.map(|markup| {
            let markup = match markup.len() > LONGEST_MARKUP {
                true => sanitise::without_bulk(&markup).into_owned(),
                false => markup,
            };
            let kept = markup.get(..markup.floor_char_boundary(LONGEST_MARKUP)).unwrap_or(&markup);
            let is_whole = kept.len() == markup.len();
            if !is_whole || !sanitise::is_within_bounds(kept) {
                faults.push(Fault {
                    entry: Some(text::shorten(&title, LONGEST_NAME)),
                    what: format!(
                        "its text of {} bytes is too long, or too deep, to be shown whole; it is shown shortened, with a link to its page",
                        markup.len()
                    ),
                });
            }
            if is_whole { markup } else { kept.to_owned() }
        })
    };
    let detail = Detail {
        summary: capped(parsed.summary),
        content: capped(parsed.content),
        base: (parsed.base.is_some() || !is_at_home).then(|| base.to_string()),
        authors: parts(parsed.authors.into_iter().map(person), |person| {
            person.name.len() + [&person.email, &person.url].into_iter().flatten().map(String::len).sum::<usize>()
        }),
        categories: parts(parsed.categories.into_iter().map(|label| label_of(&label)), String::len),
        enclosures: parts(
            parsed.enclosures.into_iter().filter_map(|Enclosure { url, media_type, length }| {
                let url = String::from(absolute(&url)?);
                Some(Enclosure { media_type: media_type::of(media_type.as_deref(), &url), url, length })
            }),
            |enclosure| enclosure.url.len() + enclosure.media_type.as_ref().map_or(0, String::len),
        ),
        language: parsed.language.as_deref().and_then(language::tag).or_else(|| document.language.clone()),
        image: address(parsed.image),
        comments: address(parsed.comments),
        comment_count: parsed.comment_count,
        in_reply_to: parsed.in_reply_to.filter(|id| id.len() <= LONGEST_ADDRESS && Url::parse(id).is_ok()),
        taken_from_document: parsed.source.as_ref().and_then(|source| address(source.feed_url.clone())),
        taken_from: parsed
            .source
            .and_then(|source| Some((text::shorten(&source.title?, LONGEST_TITLE), address(source.url)))),
        also_told_by: relayed(parsed.also, address),
        known_as: parsed.known_as.iter().filter_map(|name| name.parse().ok()).take(MOST_NAMES).collect(),
        is_damaged: false,
    };
    let mut entry = Entry {
        id,
        permalink,
        id_permalink,
        title,
        published: parsed.published.filter(is_plausible),
        updated: parsed.updated.filter(is_plausible),
        detail,
        digest: 0,
        is_half_told: parsed.is_half_told,
    };
    entry.digest = digest(&entry);
    Some(entry)
}

/// Whether a date can be meant: programs write the first instant that they know where they know none, and HTTP has no date
/// outside these years (RFC 9110 §5.6.7).
fn is_plausible(at: &DateTime<Utc>) -> bool {
    (1970..=9999).contains(&at.year()) && at.timestamp() > 0
}

/// A person with a name of some length, and addresses that are some.
fn person(person: Person) -> Person {
    let Person { name, email, url } = person;
    Person {
        name: text::shorten(&name, LONGEST_NAME),
        email: email.filter(|email| email.len() <= LONGEST_NAME),
        url: url.filter(|url| url.len() <= LONGEST_ADDRESS),
    }
}

/// A label of some length.
fn label_of(label: &str) -> String {
    // The rest of a label is not looked at.
    let head = label.get(..label.floor_char_boundary(MOST_PART_BYTES)).unwrap_or(label);
    text::shorten(&parse::label(head), LONGEST_NAME)
}

/// The first parts, as many as an entry may have and as far as there is room for them.
fn parts<T>(parts: impl Iterator<Item = T>, bytes: impl Fn(&T) -> usize) -> Vec<T> {
    let mut room = MOST_PART_BYTES;
    let has_room = |part: &T| {
        let left = room.checked_sub(bytes(part));
        room = left.unwrap_or(room);
        left.is_some()
    };
    parts.filter(has_room).take(MOST_PARTS).collect()
}

/// A hash over what a reader sees, so that an edit shows and a moved date does not.
///
/// The first published date is left out on purpose: feeds move it at every poll. The lengths keep fields apart.
fn digest(entry: &Entry) -> i64 {
    let mut hasher = Xxh3::new();
    let mut add = |text: &str| {
        hasher.write(text.as_bytes());
        hasher.write_usize(text.len());
    };
    let detail = &entry.detail;
    add(&entry.title);
    add(entry.permalink.as_ref().map_or("", Permalink::as_str));
    add(detail.summary.as_deref().unwrap_or_default());
    add(detail.content.as_deref().unwrap_or_default());
    add(&entry.updated.map(|updated| updated.to_rfc3339()).unwrap_or_default());
    for person in &detail.authors {
        add(&person.name);
    }
    for category in &detail.categories {
        add(category);
    }
    for enclosure in &detail.enclosures {
        add(&enclosure.url);
    }
    for told in &detail.also_told_by {
        add(&told.source);
        add(&told.title);
        add(told.page.as_deref().unwrap_or_default());
    }
    hasher.finish().cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(entries: Vec<ParsedEntry>) -> ParsedFeed {
        ParsedFeed { link: Some("https://example.org/".into()), entries, ..ParsedFeed::default() }
    }

    fn normalised(entries: Vec<ParsedEntry>) -> Vec<Entry> {
        super::entries(feed(entries), &Url::parse("https://feeds.example.org/rss").unwrap()).0
    }

    fn entry_at(url: &str) -> ParsedEntry {
        ParsedEntry { url: Some(url.into()), title: Some("A title".into()), ..ParsedEntry::default() }
    }

    #[test]
    fn relative_links_start_from_the_feeds_page() {
        let entries = normalised(vec![entry_at("/2026/a?utm_source=rss")]);
        assert_eq!(entries[0].permalink.as_ref().unwrap().as_str(), "https://example.org/2026/a");
    }

    #[test]
    fn an_id_that_is_an_address_serves_as_the_link() {
        let entry =
            ParsedEntry { id: Some("https://example.org/a".into()), title: Some("A".into()), ..ParsedEntry::default() };
        let entries = normalised(vec![entry]);
        assert_eq!(entries[0].permalink.as_ref().unwrap().as_str(), "https://example.org/a");
        assert_eq!(entries[0].id_permalink, None);
    }

    #[test]
    fn one_id_on_different_links_is_two_entries() {
        let [mut a, mut b] = ["https://example.org/a", "https://example.org/b"].map(entry_at);
        a.id = Some("1".into());
        b.id = Some("1".into());
        let entries = normalised(vec![a.clone(), b]);
        assert_eq!(entries.len(), 2);
        assert_ne!(entries[0].id, entries[1].id);
        assert_eq!(normalised(vec![a.clone(), a]).len(), 1);
    }

    #[test]
    fn an_id_that_is_not_kept_as_it_is_leads_to_no_page() {
        let with = |id: &str, url: &str| ParsedEntry { id: Some(id.into()), ..entry_at(url) };
        let page_of = |entries| normalised(entries)[0].id_permalink.clone();
        assert!(page_of(vec![with("https://example.org/?p=1", "/a")]).is_some());
        assert_eq!(page_of(vec![with(&format!("https://example.org/{}", "long".repeat(400)), "/a")]), None);
        assert_eq!(page_of(vec![with("https://example.org/?p=1", "/a"), with("https://example.org/?p=1", "/b")]), None);
    }

    #[test]
    fn a_moved_date_is_no_edit() {
        let at = |text: &str| Some(text.parse().unwrap());
        let a = ParsedEntry { published: at("2026-01-01T00:00:00Z"), ..entry_at("/a") };
        let b = ParsedEntry { published: at("2026-01-02T00:00:00Z"), ..entry_at("/a") };
        let c = ParsedEntry { title: Some("Another".into()), ..entry_at("/a") };
        let [a, b, c] = [a, b, c].map(|entry| normalised(vec![entry]).remove(0).digest);
        assert_eq!(a, b);
        assert_ne!(a, c);
    }

    #[test]
    fn an_entry_that_says_nothing_is_a_fault_and_costs_no_other() {
        let (entries, faults) =
            entries(feed(vec![ParsedEntry::default(), entry_at("/a")]), &Url::parse("https://example.org/").unwrap());
        assert_eq!((entries.len(), faults.len()), (1, 1));
    }

    #[test]
    fn what_the_dates_leave_open_is_settled_by_the_document() {
        let check = |days: &[Option<u32>], expected: &[&str]| {
            let at = |day: u32| format!("2026-01-{day:02}T00:00:00Z").parse().unwrap();
            let listed = (1..).zip(days).map(|(id, day)| ParsedEntry {
                id: Some(id.to_string()),
                published: day.map(at),
                ..entry_at(&format!("/{id}"))
            });
            let found: Vec<String> = normalised(listed.collect()).into_iter().map(|entry| entry.id.0).collect();
            assert_eq!(found, expected, "{days:?}");
        };
        check(&[Some(3), Some(1), Some(2)], &["2", "3", "1"]);
        check(&[None; 11], &["11", "10", "9", "8", "7", "6", "5", "4", "3", "2", "1"]);
        check(&[Some(2), Some(2), Some(1), Some(1)], &["4", "3", "2", "1"]);
        check(&[Some(1), Some(1), Some(2), Some(2)], &["1", "2", "3", "4"]);
        check(&[Some(2), None, Some(1)], &["2", "3", "1"]);
    }

    #[test]
    fn of_too_many_entries_the_newest_are_kept_wherever_they_stand() {
        let check = |days: &[Option<u32>], most: usize, expected: &[&str]| {
            let at = |day: u32| format!("2026-01-{day:02}T00:00:00Z").parse().unwrap();
            let numbered = days.iter().enumerate();
            let listed = numbered.map(|(number, day)| ParsedEntry {
                id: Some(number.to_string()),
                published: day.map(at),
                ..ParsedEntry::default()
            });
            let kept = newest(listed.collect(), most);
            let ids: Vec<&str> = kept.iter().filter_map(|entry| entry.id.as_deref()).collect();
            assert_eq!(ids, expected, "{days:?}");
        };
        check(&[Some(1), Some(2), Some(3)], 2, &["1", "2"]);
        check(&[Some(3), Some(1), Some(2)], 2, &["0", "2"]);
        check(&[None, None, None], 2, &["0", "1"]);
        check(&[Some(1), None, Some(3), None], 2, &["2", "3"]);
        check(&[None, Some(1), Some(3)], 2, &["0", "2"]);
        check(&[Some(1)], 2, &["0"]);
    }

    #[test]
    fn what_an_entry_holds_is_capped_and_the_store_can_read_it() {
        let long = |what: &str| what.repeat(2_000_000 / what.len());
        let page = |n: usize| format!("https://example.org/{}{n}", "a".repeat(3_900));
        let mut parsed = ParsedEntry {
            id: Some(long("i")),
            title: Some(long("title ")),
            summary: Some(long("<p>words")),
            content: Some(long("&")),
            base: Some(page(0)),
            authors: (0..150)
                .map(|n| Person {
                    name: format!("{n}{}", "n".repeat(20_000)),
                    email: Some("e".repeat(20_000)),
                    url: Some(page(n)),
                })
                .collect(),
            categories: (0..150).map(|n| format!("{n}{}", "c".repeat(20_000))).collect(),
            enclosures: (0..150)
                .map(|n| Enclosure { url: page(n), media_type: Some("a/".repeat(10_000)), length: None })
                .collect(),
            language: Some(long("l")),
            image: Some(page(1)),
            comments: Some(page(2)),
            in_reply_to: Some(long("urn:")),
            source: Some(parse::Source { title: Some(long("s")), url: Some(page(3)), ..Default::default() }),
            ..entry_at(&page(4))
        };
        let entry = normalised(vec![parsed.clone()]).remove(0);
        let bytes = |entry: &Entry| serde_json::to_string(&entry.detail).unwrap().len();
        assert!(bytes(&entry) <= LARGEST_ENTRY + 10_000, "{}", bytes(&entry));
        assert!(entry.id.0.len() + entry.title.len() < 10_000);
        assert!(
            entry.detail.authors.len() > 2 && entry.detail.categories.len() > 2 && entry.detail.enclosures.len() > 2
        );
        parsed.url = Some(long("https://example.org/"));
        assert_eq!(normalised(vec![parsed])[0].permalink, None, "what is too long is no address");
    }

    #[test]
    fn a_text_that_is_not_shown_whole_is_told() {
        let with = |content: String| feed(vec![ParsedEntry { content: Some(content), ..entry_at("/a") }]);
        let address = Url::parse("https://example.org/").unwrap();
        let faults = |content: String| entries(with(content), &address).1.len();
        let picture = format!("<p>a</p><img src=\"data:image/png;base64,{}\"><p>b</p>", "AAAA".repeat(600_000));
        let (kept, told) = entries(with(picture.clone()), &address);
        assert_eq!(kept[0].detail.content.as_deref(), Some("<p>a</p><img src=\"\"><p>b</p>"));
        assert!(told.is_empty(), "{told:?}");
        let small = picture.replace("AAAAAAAA", "A");
        assert_eq!(normalised(with(small.clone()).entries)[0].detail.content.as_deref(), Some(&*small));
        assert_eq!(faults("<p>words</p>".repeat(400_000)), 1);
        assert_eq!(faults("<p>words</p>".repeat(1_000)), 0);
        assert_eq!(faults("<p>words</p>".repeat(60_000)), 1);
        assert_eq!(faults("<p>words</p>".repeat(100_000)), 1);
    }

    #[test]
    fn dates_that_cannot_be_meant_are_absent() {
        let dated = |at: &str| {
            let entry = ParsedEntry { published: at.parse().ok(), updated: at.parse().ok(), ..entry_at("/a") };
            let Entry { published, updated, .. } = normalised(vec![entry]).remove(0);
            assert_eq!(published, updated);
            published.is_some()
        };
        assert!(dated("1970-01-02T00:00:00Z") && dated("9999-12-31T23:59:59Z"));
        for at in ["0001-01-01T00:00:00Z", "1960-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "+10000-01-01T00:00:00Z"] {
            assert!(!dated(at), "{at}");
        }
    }

    #[test]
    fn a_media_type_is_one_or_what_the_ending_says() {
        let attached = |kind: &str| {
            let enclosure = Enclosure { url: "/a.mp3".into(), media_type: Some(kind.into()), length: None };
            let entry = ParsedEntry { enclosures: vec![enclosure], ..entry_at("/a") };
            normalised(vec![entry]).remove(0).detail.enclosures.remove(0).media_type
        };
        assert_eq!(attached("audio/x-mp3").as_deref(), Some("audio/x-mp3"));
        for kind in ["audio", "a/\"b", "audio/\u{202e}mpeg", "audio/mp\u{85}eg", ""] {
            assert_eq!(attached(kind).as_deref(), Some("audio/mpeg"), "the ending says it instead of {kind}");
        }
    }

    #[test]
    fn relative_addresses_in_a_text_start_from_where_the_format_says() {
        let base = |format: &str, page: &str, own: Option<&str>| {
            let entry = ParsedEntry { base: own.map(Into::into), ..entry_at(page) };
            let feed = ParsedFeed { format: format.into(), ..feed(vec![entry]) };
            let address = Url::parse("https://feeds.example.org/rss").unwrap();
            entries(feed, &address).0.remove(0).detail.base
        };
        assert_eq!(base("RSS 2.0", "https://www.example.org/a", None), None, "its own page");
        assert_eq!(base("RSS 2.0", "https://elsewhere.example/a", None).as_deref(), Some("https://example.org/"));
        assert_eq!(base("JSON Feed 1.1", "https://elsewhere.example/a", None).as_deref(), Some("https://example.org/"));
        assert_eq!(base("Atom 1.0", "/a", None).as_deref(), Some("https://feeds.example.org/rss"));
        assert_eq!(base("Atom 1.0", "/a", Some("/b/")).as_deref(), Some("https://feeds.example.org/b/"));
    }

    #[test]
    fn a_known_redirect_leads_to_its_page_and_the_id_stays_what_it_was() {
        let alert = "https://www.google.com/url?sa=t&url=https://paper.example/a&ct=ga";
        let entry = normalised(vec![entry_at(alert)]).remove(0);
        assert_eq!(entry.permalink.unwrap().as_str(), "https://paper.example/a");
        assert_eq!(entry.id.0, alert);
    }

    #[test]
    fn a_label_keeps_every_word() {
        let categories =
            ["List<String>", "R&amp;D", "The <select> element", "<b>Bold</b> words"].map(Into::into).to_vec();
        let entry = normalised(vec![ParsedEntry { categories, ..entry_at("/a") }]).remove(0);
        assert_eq!(entry.detail.categories, ["List<String>", "R&D", "The <select> element", "Bold words"]);
    }

    #[test]
    fn a_language_is_kept_as_its_tag() {
        let language = |own: Option<&str>, of_feed: &str| {
            let entry = ParsedEntry { language: own.map(Into::into), ..entry_at("/a") };
            let feed = ParsedFeed { language: Some(of_feed.into()), ..feed(vec![entry]) };
            entries(feed, &Url::parse("https://example.org/").unwrap()).0.remove(0).detail.language
        };
        assert_eq!(language(None, "en_US").as_deref(), Some("en-US"));
        assert_eq!(language(Some("de_AT"), "en").as_deref(), Some("de-AT"));
        assert_eq!(language(Some("?"), "en").as_deref(), Some("en"));
    }

    #[test]
    fn absent_dates_stay_absent() {
        assert_eq!(normalised(vec![entry_at("/a")])[0].published, None);
    }
}
