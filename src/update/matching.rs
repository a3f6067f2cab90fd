//! Which stored entry a polled one is, where its id does not say so.
//!
//! Pure. An id may be shared by several entries, and one entry may get another id: a number at its end counts up, an address is
//! corrected, a site moves. What the rules here leave open is a new entry: a repeat is forgiven sooner than lost news.
//!
//! - An entry whose id another had in the document before, with which it shares nothing, is not that one, where most of the document
//!   is so.
//! - An entry that is stored under another of its names ([`identity::names`]), or with its page and title, is that entry.
//! - An entry took the place of one that left the document as it came, where a pair of the things that tell entries apart
//!   (`PAIRS`) is the same, and is so for no other entry of the two documents; not where the window slid, and the oldest left as
//!   the newest came. One such thing is enough where the headline is the same but for words that were added or taken out.
//! - Where the ids of a feed have been seen to stay, another id is its publisher's word that it is another entry, and less is taken
//!   for the same. What comes on top and bears a date some hours later is the next of its kind: tomorrow's programme, the same
//!   course next week. Not so on a page of its own, which is corrected within the day, and not where all entries have got one
//!   date.
//! - Where a document comes with other ids throughout, a site has moved: an entry took the place of the one that had its title.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use super::{Known, KnownEntry};
use crate::model::permalink::Permalink;
use crate::model::{Entry, EntryId, EntryRef};
use crate::normalise::identity;

/// A stored entry, with what tells it apart besides its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// The entry, with its title.
    pub known: KnownEntry,
    /// The id it is stored under.
    pub id: EntryId,
    /// Its page.
    pub permalink: Option<Permalink>,
    /// Milliseconds since 1970 of its date.
    pub published_ms: Option<i64>,
    /// The hash of its text, where that is known.
    pub text: Option<i64>,
}

/// What tells entries apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Title,
    Date,
    Text,
    Page,
    /// What stands behind the host in the address of its page, without a query.
    Path,
    /// Its id without what counts its versions.
    Stem,
}

/// Which two of them are enough, the surest first; see [`OwnParts`].
const PAIRS: [(Kind, Kind); 9] = [
    (Kind::Title, Kind::Date),
    (Kind::Title, Kind::Text),
    (Kind::Page, Kind::Stem),
    (Kind::Title, Kind::Page),
    (Kind::Text, Kind::Date),
    (Kind::Text, Kind::Page),
    (Kind::Title, Kind::Path),
    (Kind::Page, Kind::Date),
    (Kind::Stem, Kind::Date),
];

/// How much later than the entry that had its id before an entry is that is no correction of it: less than the day by which a
/// daily column counts, as editors are not punctual.
const A_DAY_MS: i64 = 20 * 60 * 60 * 1_000;

const MINUTE_MS: i64 = 60 * 1_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// How much later an entry is that is the next of its kind, where its page does not say which it is.
const HOURS_MS: i64 = 6 * 60 * 60 * 1_000;

/// How many titles a document has in common with the one before that is its like under other ids.
const TITLES_OF_A_MOVE: usize = 3;

/// Of how many entries it is looked whether one is the correction of another; more are not corrected at a time.
const MOST_CORRECTIONS: usize = 50;

/// Words before the number of a version, in the ids and addresses of entries.
const VERSIONS: [&str; 7] = ["v", "ver", "version", "r", "rev", "revision", "update"];

/// Whether some entry of a document may be one that is stored under another id, or not the one that is stored under its id.
#[must_use]
pub fn is_wanted(known: &Known, polled: &[Entry]) -> bool {
    let listed: HashSet<EntryRef> = known.listed.iter().copied().collect();
    let is_as_known = |entry: &Entry| {
        let known = known.entries.get(&entry.id);
        known.is_some_and(|known| known.title == entry.title && listed.contains(&known.entry))
    };
    !listed.is_empty() && !polled.iter().all(is_as_known)
}

/// The ids that a feed gives to several entries: to some of the document before, or to one there and to another in `polled`.
#[must_use]
pub fn shared_ids(known: &Known, polled: &[Entry], stored: &[StoredEntry]) -> HashSet<String> {
    let listed: HashSet<EntryRef> = known.listed.iter().copied().collect();
    let of_the_document = || stored.iter().filter(|stored| listed.contains(&stored.known.entry));
    let shared = of_the_document().filter_map(|stored| identity::shared(&stored.id)).map(ToOwned::to_owned);
    let before: HashMap<EntryRef, &StoredEntry> =
        of_the_document().map(|stored| (stored.known.entry, stored)).collect();
    shared.chain(reused_ids(known, polled, &before)).collect()
}

/// The ids that entries of the document before had, and others have in `polled`: those of a feed that calls its newest entry
/// `latest`, or counts places.
///
/// One entry among others may have been rewritten from end to end. Where most of those whose ids are known are others, it is the
/// ids that say nothing.
fn reused_ids(known: &Known, polled: &[Entry], before: &HashMap<EntryRef, &StoredEntry>) -> Vec<String> {
    let pairs = polled.iter().filter_map(|entry| Some((entry, before.get(&known.entries.get(&entry.id)?.entry)?)));
    let (reused, kept): (Vec<_>, Vec<_>) = pairs
        .filter(|(now, _)| identity::shared(&now.id).is_none())
        .partition(|(now, then)| Said::by(now).is_another_than(&then.said()));
    let are_believed = reused.len() > kept.len();
    reused.into_iter().filter(|_| are_believed).map(|(now, _)| now.id.0.clone()).collect()
}

/// The stored entries that those of `polled` are whose ids are not known, by these ids.
///
/// `stored` holds the entries of the document before, and those that bear another name, or the page and title, of a polled one.
/// `is_whole` says that `polled` is all that the feed lists, so that what is not in it has left it.
#[must_use]
pub fn renamed(
    known: &Known,
    polled: &[Entry],
    stored: &[StoredEntry],
    is_whole: bool,
) -> HashMap<EntryId, KnownEntry> {
    let exact = polled.iter().filter_map(|entry| known.entries.get(&entry.id)).map(|known| known.entry);
    let mut matching = Matching { known, polled, stored, taken: exact.collect(), found: HashMap::new() };
    matching.by_name();
    matching.by_page_and_title();
    if is_whole {
        matching.by_place();
        matching.by_title();
    }
    matching.found
}

/// What an entry says by which it can be told apart.
#[derive(Clone, Copy)]
struct Said<'a> {
    id: &'a EntryId,
    title: Option<&'a str>,
    date: Option<i64>,
    text: Option<i64>,
    page: Option<&'a Permalink>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Part<'a> {
    Number(i64),
    Words(&'a str),
}

impl<'a> Said<'a> {
    fn by(entry: &'a Entry) -> Self {
        Self {
            id: &entry.id,
            title: Some(entry.title.as_str()).filter(|title| !title.is_empty()),
            date: entry.published.map(|date| date.timestamp_millis()),
            text: identity::text_hash(&entry.detail),
            page: entry.permalink.as_ref(),
        }
    }

    fn part(&self, kind: Kind) -> Option<Part<'a>> {
        let part = match kind {
            Kind::Date => return self.date.map(Part::Number),
            Kind::Text => return self.text.map(Part::Number),
            Kind::Title => self.title?,
            Kind::Page => self.page?.without_scheme(),
            Kind::Path => path(self.page?)?,
            Kind::Stem => stem(self.id)?,
        };
        Some(Part::Words(part))
    }

    /// Two parts of what an entry says, if it has both. Where `ids_stay`, none that others may well have, too.
    fn both(&self, (first, second): (Kind, Kind), ids_stay: bool) -> Option<(Part<'a>, Part<'a>)> {
        let has = |kind| [first, second].contains(&kind);
        // A day alone is the date of whatever came that day.
        let is_usual = (has(Kind::Date) && self.is_of_a_day())
            || (has(Kind::Page) && self.page.is_some_and(Permalink::is_front_page));
        Some((self.part(first)?, self.part(second)?)).filter(|_| !(ids_stay && is_usual))
    }

    /// The same, if they are its own.
    fn pair(&self, pair: (Kind, Kind), own_parts: &OwnParts<'a>) -> Option<(Part<'a>, Part<'a>)> {
        self.both(pair, own_parts.ids_stay).filter(|parts| own_parts.have(*parts))
    }

    /// Whether both have one date, with its time.
    fn is_of_one_time(&self, other: &Said<'_>) -> bool {
        self.shares(Kind::Date, other) && !self.is_of_a_day()
    }

    /// Whether its date says the day and no more.
    fn is_of_a_day(&self) -> bool {
        self.date.is_some_and(|date| date % DAY_MS == 0)
    }

    /// Whether both have a date, and not the same.
    fn is_of_another_date(&self, other: &Said<'_>) -> bool {
        self.date.is_some() && other.date.is_some() && self.date != other.date
    }

    /// Whether it is another entry although it has the same id: it is newer, and nothing that it says is what the other says.
    ///
    /// A correction keeps the date, the page, the number of the article, or within the day most of its title. Where there are no
    /// dates it is one: what a feed edits into another entry is not to stay in the story that it told.
    fn is_another_than(&self, then: &Said<'_>) -> bool {
        let both = |kind| self.part(kind).zip(then.part(kind));
        let differ = |kind| both(kind).is_some_and(|(now, then)| now != then);
        let is_one_text = both(Kind::Text).is_some_and(|(now, then)| now == then);
        let newer_ms = self.date.zip(then.date).map_or(0, |(now, then)| now - then);
        if !differ(Kind::Title) || is_one_text || newer_ms <= 0 {
            return false;
        }
        let is_later = newer_ms >= A_DAY_MS;
        let key = self.page.and_then(Permalink::article_key);
        let is_one_article = key.is_some() && key == then.page.and_then(Permalink::article_key);
        if differ(Kind::Path) {
            return !is_one_article && (is_later || !self.has_most_of_its_title(then));
        }
        is_later && self.page.is_none_or(Permalink::is_front_page)
    }

    /// Whether it is so much younger, under an id that is no other version of the same one, neither made of its date nor a page with
    /// another query, where sessions stand: the next of its kind.
    fn is_the_next_after(&self, then: &Said<'_>, by_ms: i64) -> bool {
        let is_version = stem(self.id).is_some_and(|stem_now| stem(then.id) == Some(stem_now));
        let is_named_by_page = |said: &Said<'_>| said.page.is_some_and(|page| page.as_str() == said.id.0);
        let is_session =
            is_named_by_page(self) && self.page != then.page && self.part(Kind::Path) == then.part(Kind::Path);
        let may_be = !is_version && !is_session && !identity::is_made_up(self.id);
        may_be && self.date.zip(then.date).is_some_and(|(now, then)| now - then >= by_ms)
    }

    /// Whether all words of one of two titles stand in the other one.
    fn has_its_title(&self, other: &Said<'_>) -> bool {
        let [one, two] = [self, other].map(Said::words_of_its_title);
        !one.is_empty() && !two.is_empty() && (one.is_subset(&two) || two.is_subset(&one))
    }

    fn words_of_its_title(&self) -> HashSet<String> {
        self.title.unwrap_or_default().split_whitespace().map(str::to_lowercase).collect()
    }

    /// Whether most words of the shorter one of two titles stand in the other one, too.
    fn has_most_of_its_title(&self, other: &Said<'_>) -> bool {
        let [one, two] = [self, other].map(Said::words_of_its_title);
        one.intersection(&two).count() * 2 > one.len().min(two.len())
    }

    /// Whether it has a part, and the other has the same.
    fn shares(&self, kind: Kind, other: &Said<'_>) -> bool {
        self.part(kind).is_some_and(|part| other.part(kind) == Some(part))
    }

    /// How many of title, text and date are the same.
    fn agreement(&self, other: &Said<'_>) -> usize {
        [Kind::Title, Kind::Text, Kind::Date].into_iter().filter(|kind| self.shares(*kind, other)).count()
    }

    /// The id that was given to several, and the page of its own that the entry leads to, if it has both.
    fn shared_id_and_page(&self) -> Option<(&'a str, &'a str)> {
        let page = self.page.filter(|page| !page.is_front_page())?;
        Some((identity::shared(self.id)?, page.without_scheme()))
    }

    fn is_apart(&self) -> bool {
        identity::shared(self.id).is_some()
    }
}

impl StoredEntry {
    fn said(&self) -> Said<'_> {
        let title = Some(self.known.title.as_str()).filter(|title| !title.is_empty());
        Said { id: &self.id, title, date: self.published_ms, text: self.text, page: self.permalink.as_ref() }
    }
}

struct Matching<'a> {
    known: &'a Known,
    polled: &'a [Entry],
    stored: &'a [StoredEntry],
    /// Stored entries that are found.
    taken: HashSet<EntryRef>,
    /// By the polled entry's id.
    found: HashMap<EntryId, KnownEntry>,
}

impl<'a> Matching<'a> {
    /// The polled entries that are yet to be found.
    fn open(&self) -> impl Iterator<Item = &'a Entry> {
        let is_open =
            |entry: &&Entry| !self.known.entries.contains_key(&entry.id) && !self.found.contains_key(&entry.id);
        self.polled.iter().filter(is_open)
    }

    fn settle(&mut self, entry: &Entry, stored: &StoredEntry) {
        let is_open = !self.known.entries.contains_key(&entry.id) && !self.found.contains_key(&entry.id);
        if is_open && self.taken.insert(stored.known.entry) {
            self.found.insert(entry.id.clone(), stored.known.clone());
        }
    }

    /// Finds entries that are stored under another of their names: first those that say most of what they said.
    fn by_name(&mut self) {
        let by_id: HashMap<&EntryId, &StoredEntry> = self.stored.iter().map(|stored| (&stored.id, stored)).collect();
        let by_page = singles(self.stored.iter().map(|stored| (stored.said().shared_id_and_page(), stored)));
        let mut pairs: Vec<(usize, &Entry, &StoredEntry)> = Vec::new();
        for entry in self.open() {
            let now = Said::by(entry);
            let names = identity::names(entry);
            let named = names.iter().filter_map(|name| by_id.get(name)).copied();
            // The only one that bears a shared id may have got another title.
            let corrected = now.shared_id_and_page().and_then(|place| by_page.get(&place)).copied();
            for before in named.chain(corrected) {
                let then = before.said();
                let agreement = now.agreement(&then);
                let is_more_than_the_date = agreement > usize::from(now.date.is_some() && now.date == then.date);
                if is_more_than_the_date && !now.is_of_another_date(&then) {
                    pairs.push((agreement, entry, before));
                }
            }
        }
        pairs.sort_by(|(one, _, _), (two, _, _)| two.cmp(one));
        for (_, entry, before) in pairs {
            self.settle(entry, before);
        }
    }

    /// Finds entries that are stored with their page and title, unless more than that is needed to tell them apart.
    fn by_page_and_title(&mut self) {
        let mut by_page: HashMap<(&str, &str), Vec<&StoredEntry>> = HashMap::new();
        for stored in self.stored.iter().filter(|stored| !stored.said().is_apart()) {
            let Said { page: Some(page), title: Some(title), .. } = stored.said() else { continue };
            by_page.entry((page.as_str(), title)).or_default().push(stored);
        }
        // A feed that gives several entries one page tells them apart by the rest, as for the weather and the roads of a place.
        let ids_stay = self.known.ids_stay;
        let place = |said: &Said<'a>| (said.page.map_or("", Permalink::as_str), said.title.filter(|_| !ids_stay));
        let mut bearers: HashMap<(&str, Option<&str>), usize> = HashMap::new();
        for said in self.polled.iter().map(Said::by) {
            *bearers.entry(place(&said)).or_default() += 1;
        }
        let window = Window::of(self);
        let open: Vec<&Entry> = self.open().filter(|entry| !Said::by(entry).is_apart()).collect();
        for entry in open {
            let now = Said::by(entry);
            let Said { page: Some(page), title: Some(title), .. } = now else { continue };
            let is_alone = bearers.get(&place(&now)) == Some(&1);
            let candidates = by_page.get(&(page.as_str(), title)).into_iter().flatten().copied();
            let newest = candidates.filter(|stored| {
                // The title is the same already.
                let then = stored.said();
                let is_one = if ids_stay {
                    let is_like = now.shares(Kind::Text, &then) || now.is_of_one_time(&then);
                    let is_next = now.is_the_next_after(&then, if is_alone { A_DAY_MS } else { HOURS_MS });
                    !is_next && (is_alone || (is_like && !window.slid(entry, stored)))
                } else {
                    now.agreement(&then) > 1 || (is_alone && !now.is_the_next_after(&then, A_DAY_MS))
                };
                is_one && !self.taken.contains(&stored.known.entry)
            });
            if let Some(newest) = newest.max_by_key(|stored| stored.known.entry).filter(|_| !page.is_front_page()) {
                self.settle(entry, newest);
            }
        }
    }

    /// Finds entries that came in the place of one that left.
    fn by_place(&mut self) {
        let listed: HashSet<EntryRef> = self.known.listed.iter().copied().collect();
        let before: Vec<&StoredEntry> =
            self.stored.iter().filter(|stored| listed.contains(&stored.known.entry)).collect();
        if self.open().next().is_none() || before.iter().all(|stored| self.taken.contains(&stored.known.entry)) {
            return;
        }
        let (now_said, then_said): (Vec<_>, Vec<_>) =
            (self.polled.iter().map(Said::by).collect(), before.iter().map(|stored| stored.said()).collect());
        let kept: Vec<&&StoredEntry> =
            before.iter().filter(|stored| self.taken.contains(&stored.known.entry)).collect();
        let oldest_kept = kept.iter().filter_map(|stored| stored.published_ms).min();
        let is_one_for_one = self.polled.len() > 1 && before.len() > 1;
        // What falls off the end of a document makes room for another entry, which may well repeat its words.
        let fell_off = |then: &Said<'_>| match oldest_kept {
            Some(oldest) => Some(oldest) >= then.date,
            None => kept.is_empty() && !is_one_for_one,
        };
        let window = Window::of(self);
        // A site that moves may date all that it has by the move, one entry a moment after the other.
        let dates = || now_said.iter().filter_map(|said| said.date);
        let span_ms = dates().max().zip(dates().min()).map_or(0, |(newest, oldest)| newest - oldest);
        let are_dated_apart = self.polled.len() == 1 || span_ms > dates().map(|_| MINUTE_MS).sum();
        let ids_stay = self.known.ids_stay;
        for pair in PAIRS {
            // Mostly nothing that came says what one that left said, whatever tells entries apart.
            let left = before.iter().filter(|stored| !self.taken.contains(&stored.known.entry));
            let said_by_left: HashSet<_> = left.filter_map(|stored| stored.said().both(pair, ids_stay)).collect();
            let is_said_again = self
                .open()
                .filter_map(|entry| Said::by(entry).both(pair, ids_stay))
                .any(|parts| said_by_left.contains(&parts));
            if !is_said_again {
                continue;
            }
            let (own_now, own_then) =
                (OwnParts::of(&now_said, pair, ids_stay), OwnParts::of(&then_said, pair, ids_stay));
            let now = now_said.iter().zip(self.polled).map(|(said, entry)| (said.pair(pair, &own_now), entry));
            let then = then_said.iter().zip(&before).map(|(said, stored)| (said.pair(pair, &own_then), *stored));
            let (now, then) = (singles(now), singles(then));
            for (parts, entry) in now {
                let Some(stored) = then.get(&parts) else { continue };
                let (now, then) = (Said::by(entry), stored.said());
                // An id that was made of the date tells nothing of another date.
                let may_be_news = !identity::is_made_up(now.id)
                    && ((now.is_of_another_date(&then) && fell_off(&then))
                        || (!now.is_of_one_time(&then) && window.slid(entry, stored)));
                let is_next = ids_stay
                    && are_dated_apart
                    && window.is_on_top(entry)
                    && now.is_the_next_after(&then, if now.shares(Kind::Page, &then) { A_DAY_MS } else { HOURS_MS });
                if pair == (Kind::Page, Kind::Stem) || !(may_be_news || is_next) {
                    self.settle(entry, stored);
                }
            }
        }
        self.by_correction(&before, &window);
    }

    /// Finds an entry that was corrected so that its address and its date are others: it came as the one left, not where the
    /// window slid, and says the same text, or at the same time, under a headline with a few words more or less.
    fn by_correction(&mut self, before: &[&'a StoredEntry], window: &Window) {
        let open: Vec<&Entry> = self.open().collect();
        let left = before.iter().filter(|stored| !self.taken.contains(&stored.known.entry));
        let mut pairs: Vec<(&Entry, &StoredEntry)> = Vec::new();
        for stored in left.take(MOST_CORRECTIONS) {
            let then = stored.said();
            let is_like = |entry: &&&Entry| {
                let now = Said::by(entry);
                let is_like = now.shares(Kind::Text, &then) || now.is_of_one_time(&then);
                now.has_its_title(&then) && now.title != then.title && is_like
            };
            let mut like = open.iter().take(MOST_CORRECTIONS).filter(is_like);
            if let (Some(entry), None) = (like.next(), like.next())
                && (window.has_what_stayed() || !Said::by(entry).is_the_next_after(&then, HOURS_MS))
                && !window.slid(entry, stored)
            {
                pairs.push((entry, *stored));
            }
        }
        pairs.into_iter().for_each(|(entry, stored)| self.settle(entry, stored));
    }

    /// Finds the entries of a site that moved: none has the id that it had, and nearly all have the titles of those that left.
    /// Addresses, dates and the frames of texts change with the program that writes the feed.
    fn by_title(&mut self) {
        let listed: HashSet<EntryRef> = self.known.listed.iter().copied().collect();
        let is_kept =
            |entry: &Entry| self.known.entries.get(&entry.id).is_some_and(|known| listed.contains(&known.entry));
        if self.open().next().is_none() || self.polled.iter().any(is_kept) {
            return;
        }
        let now = singles(self.polled.iter().map(|entry| (Said::by(entry).title, entry)));
        let before = self.stored.iter().filter(|stored| listed.contains(&stored.known.entry));
        let then = singles(before.map(|stored| (stored.said().title, stored)));
        // What came a day later under the title of one that left is the next of its kind: the news at six.
        let is_in_time = |entry: &Entry, stored: &StoredEntry| {
            let (now, then) = (Said::by(entry), stored.said());
            now.date.zip(then.date).is_some_and(|(now, then)| now - then < A_DAY_MS)
        };
        let pairs: Vec<(&Entry, &StoredEntry)> = now
            .iter()
            .filter_map(|(title, entry)| Some((*entry, *then.get(title)?)))
            .filter(|(entry, stored)| is_in_time(entry, stored))
            .collect();
        if pairs.len() >= TITLES_OF_A_MOVE && 5 * pairs.len() >= 4 * self.polled.len() {
            pairs.into_iter().for_each(|(entry, stored)| self.settle(entry, stored));
        }
    }
}

/// Which entries stood below all that stayed in the document, and which came above it.
struct Window {
    oldest_kept: Option<EntryRef>,
    on_top: HashSet<EntryId>,
}

impl Window {
    fn of(matching: &Matching<'_>) -> Self {
        let kept = matching.known.listed.iter().filter(|entry| matching.taken.contains(entry));
        let handles: HashSet<EntryRef> = kept.copied().collect();
        let stays = |entry: &Entry| {
            let known = matching.known.entries.get(&entry.id).or_else(|| matching.found.get(&entry.id));
            known.is_some_and(|known| handles.contains(&known.entry))
        };
        // A document's newest entry comes last here.
        let on_top = matching.polled.iter().rev().take_while(|entry| !stays(entry));
        Self { oldest_kept: handles.iter().min().copied(), on_top: on_top.map(|entry| entry.id.clone()).collect() }
    }

    fn has_what_stayed(&self) -> bool {
        self.oldest_kept.is_some()
    }

    /// Whether an entry came above all that stayed.
    fn is_on_top(&self, entry: &Entry) -> bool {
        self.on_top.contains(&entry.id)
    }

    /// Whether the window slid past one as the other came.
    fn slid(&self, entry: &Entry, then: &StoredEntry) -> bool {
        self.oldest_kept.is_some_and(|oldest| then.known.entry < oldest) && self.is_on_top(entry)
    }
}

/// The parts of a pair by which the entries of a document are told apart.
///
/// A title tells an entry apart by itself; a page, a text, a date or the beginning of an id may be the usual one of a feed. The
/// first part has to be one among others and of one entry alone, and so has the second where ids stay.
struct OwnParts<'a> {
    ids_stay: bool,
    is_any_title: bool,
    first: HashMap<Part<'a>, usize>,
    second: HashMap<Part<'a>, usize>,
}

impl<'a> OwnParts<'a> {
    fn of(document: &[Said<'a>], (first, second): (Kind, Kind), ids_stay: bool) -> Self {
        let count = |kind: Kind| {
            let mut count_of: HashMap<Part<'a>, usize> = HashMap::new();
            for part in document.iter().filter_map(|said| said.part(kind)) {
                *count_of.entry(part).or_default() += 1;
            }
            count_of
        };
        let is_any_title = first == Kind::Title;
        Self { ids_stay, is_any_title, first: count(first), second: count(second) }
    }

    fn have(&self, (first, second): (Part<'a>, Part<'a>)) -> bool {
        let is_own = self.first.len() > 1 && self.first.get(&first) == Some(&1);
        (self.is_any_title || is_own) && (!self.ids_stay || self.second.get(&second) == Some(&1))
    }
}

/// What stands behind a key that nothing else stands behind.
fn singles<K: Eq + Hash, V>(all: impl Iterator<Item = (Option<K>, V)>) -> HashMap<K, V> {
    let mut found: HashMap<K, Option<V>> = HashMap::new();
    for (key, value) in all {
        let Some(key) = key else { continue };
        found.entry(key).and_modify(|before| *before = None).or_insert(Some(value));
    }
    found.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}

/// What stands behind the host of an address, without query and fragment; `None` where that is nothing.
fn path(page: &Permalink) -> Option<&str> {
    let (_, path) = page.without_scheme().split_once('/')?;
    path.split(['?', '#']).next().filter(|path| !path.is_empty())
}

/// An id without a fragment and without the number of a version at its end; `None` for an id that was made here.
fn stem(id: &EntryId) -> Option<&str> {
    if identity::shared(id).is_some() || identity::is_made_up(id) {
        return None;
    }
    let id = id.0.split('#').next()?;
    let unnumbered = id.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let before_word = unnumbered.trim_end_matches(['=', '-', '_', ':']);
    let rest = before_word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let word = before_word.strip_prefix(rest)?.to_ascii_lowercase();
    let is_version = unnumbered.len() < id.len() && VERSIONS.contains(&word.as_str());
    let stem = rest.strip_suffix(['?', '&', ';', '/', '-', '_', '.', ':', ',', '@', ' ']).filter(|_| is_version);
    Some(stem.unwrap_or(id)).filter(|stem| !stem.is_empty())
}

#[cfg(test)]
mod tests;
