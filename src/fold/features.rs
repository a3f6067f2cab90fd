//! What an entry says, as numbers: weighted words, the form of its title, its sentences and links.
//!
//! Pure. `features::of` reads the text once; everything after it, the index, the store and a restart, works on the value it returns.

use super::boilerplate::FeedBoilerplate;
use super::hash::{hash_of, low, short};
use super::language::{Guess, Language, Stem};
use super::lexicon::{Lexicon, Word};
use super::text::{self, Kind};
use super::title::{self, Lead, Signs, Title};
use super::{Article, EntryRef, copy};
use crate::model::permalink::Permalink;
use chrono::{DateTime, Utc};

/// Characters of a title, a summary and a body that are read; the rest of a longer one is left alone.
const TITLE_CHARS: usize = 400;
const SUMMARY_CHARS: usize = 1_500;
const BODY_CHARS: usize = 4_000;

/// Characters at the beginning of a body whose words count twice: news says first what it is about.
const LEAD_CHARS: usize = 1_000;

/// Distinct terms kept of one entry, first seen first; a text with more says the rest too late to matter.
const TERMS_AT_MOST: usize = 320;

/// Letters from which on the name of a month or weekday is no other word.
const LONG_MONTH: usize = 6;

/// Words from which on a headline is no series' name.
const LONG_TITLE: u8 = 6;

/// Words that the name of an outlet behind a title has at most.
const OUTLET_WORDS: usize = 4;

/// Sentences per entry by which a feed's furniture is learned: its first and its last ones.
const SENTENCES_AT_MOST: usize = 8;

/// Where a term stood, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The stable hash that stands for the term everywhere but in the evidence.
    pub hash: u32,
    /// Times in the title.
    pub title: u8,
    /// Times in the summary.
    pub summary: u8,
    /// Times in the body, those in its lead doubled.
    pub body: u8,
    /// Whether it is a number.
    pub number: bool,
    /// Whether it stands somewhere in small letters: a name hardly does.
    pub is_small: bool,
    start: u32,
    length: u8,
}

/// What an entry gave us to judge it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Amount {
    /// A title and next to nothing else.
    Title,
    /// A title and a few sentences.
    Summary,
    /// A text.
    Body,
}

/// An entry, read.
#[derive(Debug, Clone)]
pub struct Features {
    /// The entry.
    pub entry: EntryRef,
    /// Its feed; `None` when nobody said, and then it is taken for a feed of its own.
    pub feed: Option<u64>,
    /// What its address has in common with others of the same article ([`Permalink::article_key`]; where there is no such number,
    /// [`Permalink::undated_key`] with its headline).
    pub article_key: Option<u32>,
    /// When it came.
    pub at: DateTime<Utc>,
    /// When its publisher put it out, if it says so.
    pub published: Option<DateTime<Utc>>,
    /// The language it was read in.
    pub language: Language,
    /// How much there was to read.
    pub amount: Amount,
    /// Numbers among the words of the text, per cent.
    pub figures: u8,
    /// The title's form.
    pub title: Title,
    /// The outlet that the title ends with, as a hash, where the feed gives those of many; 0 for none.
    pub outlet: u16,
    /// What the title begins with.
    pub lead: Lead,
    /// The terms, by ascending hash.
    pub terms: Vec<Term>,
    /// Sketch of the text for `copy`.
    pub sketch: copy::Sketch,
    /// Hashes of the sentences and title segments by which furniture is learned.
    pub sentences: Vec<u32>,
    words: String,
}

impl Features {
    /// The term that a cell stands for; `None` for one that the entry has not.
    pub fn term_of(&self, cell: u32) -> Option<&Term> {
        self.terms.get(self.terms.binary_search_by_key(&cell, |term| short(term.hash)).ok()?)
    }

    /// The word behind a cell's term, as it stood in the text first, in lower case; `None` for a term that the entry has not.
    pub fn word_of(&self, cell: u32) -> Option<&str> {
        let term = self.term_of(cell)?;
        let start = usize::try_from(term.start).ok()?;
        self.words.get(start..start.checked_add(usize::from(term.length))?)
    }
}

#[derive(Clone, Copy)]
enum Field {
    Title,
    Summary,
    Lead,
    Body,
}

/// Reads an entry.
///
/// `boilerplate` are what its feed is known to repeat; sentences and title segments found there count nothing.
pub fn of(article: &Article<'_>, boilerplate: FeedBoilerplate<'_>) -> Features {
    Lexicon::with(|lexicon| read(article, boilerplate, lexicon))
}

fn read(article: &Article<'_>, boilerplate: FeedBoilerplate<'_>, lexicon: &mut Lexicon) -> Features {
    let title = text::normal(head(article.title, TITLE_CHARS));
    let own = |text| if lists_headlines(article.title, text) { "" } else { text };
    let summary = text::normal(head(own(article.summary.trim()), SUMMARY_CHARS));
    let content = text::normal(head(own(article.content.trim()), BODY_CHARS));
    // Feeds carry the lead twice, as the summary and as the beginning of the content.
    let body = content.strip_prefix(summary.as_ref()).unwrap_or(&content);

    let language = article.language.map_or(Language::UNKNOWN, Language::of_tag);
    let language = if language == Language::UNKNOWN { guess(&[&title, &summary, body]) } else { language };

    let mut reader = Reader { found: Vec::with_capacity(96), words: String::with_capacity(512), ..Reader::default() };
    let mut sentences = Vec::new();
    let mut tokens = Tokens::new(language.stemmer(&title), lexicon);

    let names_outlet =
        [article.summary, article.content].iter().any(|text| lists_headlines(article.title, text.trim()));
    let mut segments = 0_usize;
    let mut outlet = 0;
    text::segments(&title, |_| segments += 1);
    let mut place = 0;
    text::segments(&title, |segment| {
        tokens.take(segment);
        let hash = tokens.hash();
        let is_short = tokens.found.len() <= OUTLET_WORDS;
        place += 1;
        let is_outlet = names_outlet && segments > 1 && place == segments && tokens.may_be_a_name(segment);
        // A long title that comes back is news told again, and none of its feed's furniture.
        let may_be_furniture = segments > 1 || is_short;
        if may_be_furniture {
            learn(&mut sentences, hash);
        }
        let is_apart = is_outlet || (may_be_furniture && boilerplate.repeats(hash));
        if !is_apart {
            reader.read(&tokens, Field::Title);
        }
        outlet = if is_outlet || (is_apart && segments > 1 && is_short) { upper(hash) } else { 0 };
    });
    // A headline that says nothing ("More »"), or that its feed puts over everything, leaves it to the text to say what this is.
    for text in [summary.as_ref(), body] {
        if !reader.found.is_empty() {
            break;
        }
        text::sentences(text, |sentence| {
            if reader.found.is_empty() {
                tokens.take(sentence);
                if !boilerplate.repeats(tokens.hash()) {
                    reader.read(&tokens, Field::Title);
                }
            }
        });
    }
    // A title that is furniture from end to end may still be all there is to go by.
    if reader.found.is_empty() {
        tokens.take(&title);
        reader.read(&tokens, Field::Title);
    }
    for (text, first, rest) in [(summary.as_ref(), Field::Summary, Field::Summary), (body, Field::Lead, Field::Body)] {
        let mut read_chars = 0;
        text::sentences(text, |sentence| {
            tokens.take(sentence);
            let hash = tokens.hash();
            learn(&mut sentences, hash);
            if !boilerplate.repeats(hash) {
                reader.read(&tokens, if read_chars < LEAD_CHARS { first } else { rest });
            }
            read_chars += sentence.chars().count();
        });
    }
    let amount = match (reader.text_words, body.is_empty()) {
        (0..=5, _) => Amount::Title,
        (words, _) if words > 80 => Amount::Body,
        _ => Amount::Summary,
    };
    let lead = reader.lead;
    let mut terms = reader.found;
    terms.sort_unstable_by_key(|term| term.hash);
    let mut form = title::of(&title, language);
    // Under another day's address a page keeps its words; a series does so, too, but not under one long headline.
    let undated = |page: &Permalink| (form.words >= LONG_TITLE).then(|| page.undated_key(form.exact)).flatten();
    let article_key = article.page.and_then(|page| page.article_key().or_else(|| undated(page)));
    if article.page.is_some_and(Permalink::is_opinion) {
        form.signs = form.signs.explaining();
    }
    Features {
        entry: article.entry,
        feed: article.feed,
        article_key,
        at: article.at,
        published: article.published,
        language,
        amount,
        figures: u8::try_from(reader.numbers * 100 / reader.text_words.max(8)).unwrap_or(100),
        title: form,
        outlet,
        lead,
        terms,
        sketch: reader.sketch.finish(),
        sentences,
        words: reader.words,
    }
}

/// Whether a text is what an aggregator puts where an entry's text would stand: the entry's own headline and outlet, and below
/// them those of other entries. What these say is not what the entry says, and the title ends with the outlet's name.
pub(super) fn lists_headlines(title: &str, text: &str) -> bool {
    title.rsplit_once(" - ").is_some_and(|(headline, outlet)| {
        let rest = text.strip_prefix(headline.trim()).map(str::trim_start);
        rest.is_some_and(|rest| rest.starts_with(outlet.trim()))
    })
}

/// The upper half of a hash, never 0.
fn upper(hash: u32) -> u16 {
    let [.., a, b] = hash.to_le_bytes();
    u16::from_le_bytes([a, b]).max(1)
}

fn head(text: &str, chars: usize) -> &str {
    if text.len() <= chars {
        return text;
    }
    let end = text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or(text)
}

pub(super) fn guess(texts: &[&str]) -> Language {
    let mut guess = Guess::default();
    let mut words = 0_usize;
    for text in texts {
        text::tokens(text, |kind, word| {
            if kind == Kind::Word {
                guess.see(word);
                words += 1;
            }
            words < 80
        });
    }
    guess.language()
}

fn learn(sentences: &mut Vec<u32>, hash: u32) {
    if hash == 0 || sentences.contains(&hash) {
        return;
    }
    // The first ones and the newest ones stay: furniture stands at the two ends of a text.
    if sentences.len() == SENTENCES_AT_MOST {
        sentences.remove(SENTENCES_AT_MOST / 2);
    }
    sentences.push(hash);
}

/// The tokens of a sentence, taken apart once for its hash and for its terms.
struct Tokens<'a> {
    stem: Stem,
    lexicon: &'a mut Lexicon,
    /// The tokens, a space behind each.
    text: String,
    found: Vec<Token>,
    /// Which of them are months and weekdays, and whether they are long enough to be nothing else.
    calendar: Vec<(usize, bool)>,
}

/// A token of a sentence.
#[derive(Clone, Copy)]
struct Token {
    kind: Kind,
    /// Where it ends.
    end: usize,
    hash: u64,
    /// What it is, if it is a word.
    word: Word,
    /// Whether it is a word in small letters.
    is_small: bool,
}

impl<'a> Tokens<'a> {
    fn new(stem: Stem, lexicon: &'a mut Lexicon) -> Self {
        Self { stem, lexicon, text: String::new(), found: Vec::new(), calendar: Vec::new() }
    }

    fn take(&mut self, sentence: &str) {
        let Self { stem, lexicon, text, found, calendar } = self;
        text.clear();
        found.clear();
        calendar.clear();
        text::written_tokens(sentence, |kind, token, is_small| {
            let hash = hash_of(token);
            let word = if kind == Kind::Word { lexicon.word(token, hash, stem) } else { Word::default() };
            if word.is_calendar {
                calendar.push((found.len(), token.chars().nth(LONG_MONTH - 1).is_some()));
            }
            text.push_str(token);
            found.push(Token { kind, end: text.len(), hash, word, is_small });
            text.push(' ');
            true
        });
    }

    /// Hash of the sentence without its case, signs and numbers; 0 for one with no letter.
    fn hash(&self) -> u32 {
        let are_numbers = |token: &Token| token.kind == Kind::Number;
        if self.found.iter().all(are_numbers) {
            return 0;
        }
        let hash = match self.found.iter().any(are_numbers) {
            false => hash_of(&self.text),
            true => {
                let mut masked = String::with_capacity(self.text.len());
                for (token, text) in self.iter() {
                    masked.push_str(if token.kind == Kind::Number { "0" } else { text });
                    masked.push(' ');
                }
                hash_of(&masked)
            }
        };
        low(hash).max(1)
    }

    /// Whether they may be an outlet's name: no number, no date, and nothing that says what became of the headline's matter.
    fn may_be_a_name(&self, segment: &str) -> bool {
        self.calendar.is_empty()
            && self.found.iter().all(|token| token.kind == Kind::Word)
            && title::of(segment, self.stem.language()).signs == Signs::default()
    }

    /// Whether a token is of a date, by which two entries of one day would be alike: a month or a weekday, or a number beside
    /// one. A short word may be another one (the planet Mars, a march) unless a number stands beside it.
    fn is_date(&self, at: usize) -> bool {
        let is_number =
            |at: usize| self.found.get(at).is_some_and(|token| token.kind == Kind::Number) || self.is_ordinal(at);
        let has_number = |at: usize| is_number(at + 1) || at.checked_sub(1).is_some_and(is_number);
        self.calendar.iter().any(|(month, is_long)| {
            if *month == at { *is_long || has_number(at) } else { month.abs_diff(at) == 1 && is_number(at) }
        })
    }

    fn is_ordinal(&self, at: usize) -> bool {
        self.iter().nth(at).is_some_and(|(_, token)| {
            token.starts_with(|c: char| c.is_ascii_digit()) && token.ends_with(|c: char| !c.is_ascii_digit())
        })
    }

    /// Each token with its text.
    fn iter(&self) -> impl Iterator<Item = (&Token, &str)> {
        let mut start = 0;
        self.found.iter().map(move |token| {
            let text = self.text.get(start..token.end).unwrap_or_default();
            start = token.end + 1;
            (token, text)
        })
    }
}

#[derive(Default)]
struct Reader {
    found: Vec<Term>,
    index: HashIndex,
    words: String,
    sketch: copy::Sketcher,
    text_words: usize,
    numbers: usize,
    lead: Lead,
}

impl Reader {
    fn read(&mut self, tokens: &Tokens<'_>, field: Field) {
        for (at, (token, text)) in tokens.iter().enumerate() {
            let Token { kind, hash, word, is_small, .. } = *token;
            if !matches!(field, Field::Title) {
                self.sketch.see(low(hash));
                self.text_words += 1;
                self.numbers += usize::from(kind == Kind::Number);
            }
            if word.says_nothing || tokens.is_date(at) {
                continue;
            }
            // The evidence shows a word as it stood, not its stem.
            let term = if kind == Kind::Word { word.stem } else { low(hash) };
            if matches!(field, Field::Title) {
                self.lead.see(term);
            }
            self.count(term, text, kind, is_small, field);
        }
    }

    /// Counts a term.
    fn count(&mut self, hash: u32, word: &str, kind: Kind, is_small: bool, field: Field) {
        let at = match self.index.at(hash, &self.found) {
            Some(at) => at,
            None if self.found.len() >= TERMS_AT_MOST => return,
            None => {
                let (Ok(start), Ok(length)) = (u32::try_from(self.words.len()), u8::try_from(word.len())) else {
                    return;
                };
                self.words.push_str(word);
                self.index.insert(hash, self.found.len());
                self.found.push(Term {
                    hash,
                    title: 0,
                    summary: 0,
                    body: 0,
                    number: kind == Kind::Number,
                    is_small: false,
                    start,
                    length,
                });
                self.found.len() - 1
            }
        };
        self.see(at, is_small, field);
    }

    fn see(&mut self, at: usize, is_small: bool, field: Field) {
        if let Some(term) = self.found.get_mut(at) {
            let (times, once) = match field {
                Field::Title => (&mut term.title, 1),
                Field::Summary => (&mut term.summary, 1),
                Field::Lead => (&mut term.body, 2),
                Field::Body => (&mut term.body, 1),
            };
            *times = times.saturating_add(once);
            term.is_small |= is_small;
        }
    }
}

/// Where each hash stands among the terms found, by open addressing; a text's worth of terms always fits.
struct HashIndex {
    slots: Vec<u16>,
}

impl Default for HashIndex {
    fn default() -> Self {
        Self { slots: vec![0; 1024] }
    }
}

impl HashIndex {
    fn at(&self, hash: u32, found: &[Term]) -> Option<usize> {
        let mut slot = Self::home(hash);
        loop {
            let at = usize::from(*self.slots.get(slot)?);
            if at == 0 {
                return None;
            }
            if found.get(at - 1).is_some_and(|term| term.hash == hash) {
                return Some(at - 1);
            }
            slot = (slot + 1) % 1024;
        }
    }

    fn insert(&mut self, hash: u32, at: usize) {
        let mut slot = Self::home(hash);
        while self.slots.get(slot).is_some_and(|at| *at != 0) {
            slot = (slot + 1) % 1024;
        }
        if let (Some(place), Ok(at)) = (self.slots.get_mut(slot), u16::try_from(at + 1)) {
            *place = at;
        }
    }

    fn home(hash: u32) -> usize {
        usize::try_from(hash % 1024).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(title: &str, summary: &str) -> Features {
        let article = Article {
            page: None,
            entry: EntryRef(1),
            feed: Some(1),
            title,
            summary,
            content: "",
            language: Some("en"),
            at: DateTime::UNIX_EPOCH,
            published: None,
        };
        of(&article, FeedBoilerplate::default())
    }

    /// The words that count as the title's.
    fn of_title(title: &str, summary: &str) -> Vec<String> {
        let features = read(title, summary);
        let titled = features.terms.iter().filter(|term| term.title > 0);
        let mut words: Vec<String> =
            titled.filter_map(|term| features.word_of(short(term.hash)).map(str::to_owned)).collect();
        words.sort_unstable();
        words
    }

    #[test]
    fn a_headline_that_says_nothing_leaves_it_to_the_first_sentence() {
        let text = "Ferry aground off Skarvholm. All passengers are safe.";
        assert_eq!(of_title("More »", text), of_title("Ferry aground off Skarvholm.", ""));
        assert_eq!(of_title("Mayor resigns", text), ["mayor", "resigns"]);
    }

    #[test]
    fn what_an_aggregator_puts_where_the_text_would_stand_names_the_outlet() {
        let outlet = |title: &str, summary: &str| read(title, summary).outlet;
        let of = |name: &str| {
            outlet(
                &format!("Ferry aground - {name}"),
                &format!("Ferry aground {name} All safe after ferry strands Other"),
            )
        };
        assert_ne!(of("Harbour Post"), 0);
        assert_ne!(of("Harbour Post"), of("The Tribune"));
        assert_eq!(outlet("Ferry aground - Harbour Post", "The ferry ran aground."), 0);
        assert_eq!(outlet("Server alpha - DOWN", "Server alpha DOWN since noon"), 0, "it is no name");
        assert_eq!(outlet("Nightly backup - 5 June", "Nightly backup 5 June done"), 0);
    }
}
