//! Which entries tell the same in different languages, by the vectors that an encoder makes of them.
//!
//! Pure. Asking the encoder is somebody else's work. No vector is believed by itself: of each the mean of its language is taken
//! off, which every text of a language has in common and which says nothing; and names and numbers that both texts hold are a
//! second witness. `NOTES.md` has what was measured.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::features::{guess, lists_headlines};
use super::language::Language;
use super::names::{self, Name};
use super::{Article, EntryRef, StoryRef};

/// Characters of an entry that are read: the title and the beginning of the text.
const CHARS: usize = 300;
/// The least cosine of two entries that tell the same, where both hold a name or a number,
const THRESHOLD: f32 = 0.54;
/// and where they share none.
const WITHOUT_WITNESS: f32 = 0.62;
/// A language's mean is drawn towards that of all entries as if so many more of these had been in the language.
const DRAWN_BY: f32 = 10.0;

/// The language of a text: the first part of a tag (RFC 5646 §2.1), two or three letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LanguageTag([u8; 3]);

impl LanguageTag {
    /// The first part of a tag such as `pt-BR`, in small letters; `None` where that is not two or three letters, or says that the
    /// language is not known (`und`).
    #[must_use]
    pub fn of(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default().trim();
        let mut letters = [0; 3];
        let is_tag = matches!(primary.len(), 2 | 3) && primary.bytes().all(|byte| byte.is_ascii_alphabetic());
        letters.iter_mut().zip(primary.bytes()).for_each(|(letter, byte)| *letter = byte.to_ascii_lowercase());
        (is_tag && letters != *b"und").then_some(Self(letters))
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let [.., last] = self.0;
        let written = if last == 0 { self.0.get(..2) } else { self.0.get(..) };
        std::str::from_utf8(written.unwrap_or_default()).unwrap_or_default()
    }
}

impl std::fmt::Debug for LanguageTag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an encoder is given of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// The title and the beginning of the text, plain.
    pub text: String,
    /// The language that it is in.
    pub language: LanguageTag,
}

impl Beginning {
    /// That of an entry; `None` where it has no text, or nothing tells its language.
    ///
    /// A tag that a publisher gives is believed, unless the words are plainly of another language that we know.
    #[must_use]
    pub fn of(article: &Article<'_>) -> Option<Self> {
        let title = article.title.trim();
        let body = [article.summary, article.content].into_iter().map(str::trim);
        let body = body.filter(|body| !lists_headlines(title, body)).find(|body| !body.is_empty()).unwrap_or_default();
        let body = body.strip_prefix(title).unwrap_or(body).trim();
        let text: String = [title, "\n", body].into_iter().flat_map(str::chars).take(CHARS).collect();
        let text = text.trim().to_owned();
        if !text.chars().any(char::is_alphabetic) {
            return None;
        }
        let tagged = article.language.and_then(LanguageTag::of);
        let is_known = |tag: LanguageTag| Language::of_tag(tag.as_str()) != Language::UNKNOWN;
        let guessed = guess(&[title, body]).code().and_then(LanguageTag::of);
        let language = match tagged {
            Some(tag) if !is_known(tag) => Some(tag),
            tagged => guessed.or(tagged),
        };
        Some(Self { text, language: language? })
    }

    fn names(&self) -> Vec<Name<'_>> {
        names::of(&self.text, Language::of_tag(self.language.as_str()))
    }
}

/// What is kept of an entry to know it in other languages by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embedding {
    /// The entry.
    pub entry: EntryRef,
    /// The story that it tells.
    pub story: StoryRef,
    /// The language that it is in.
    pub language: LanguageTag,
    /// When it was told, by its publisher's word where that is not later than we saw it.
    pub at: DateTime<Utc>,
    /// The encoder's vector, of a length that says nothing.
    pub vector: Vec<i8>,
    /// Keys of the names and numbers.
    pub names: Vec<u32>,
}

impl Embedding {
    fn shares_a_name_with(&self, other: &Self) -> bool {
        self.names.iter().any(|name| other.names.contains(name))
    }
}

/// An entry that an encoder made a vector of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// What is kept of it.
    pub embedding: Embedding,
    beginning: Beginning,
}

impl Encoded {
    /// Of an entry that was read as `beginning`, by the vector that the encoder made of it.
    #[must_use]
    pub fn new(entry: EntryRef, story: StoryRef, at: DateTime<Utc>, beginning: Beginning, vector: &[f32]) -> Self {
        let names = beginning.names().into_iter().map(|name| name.key).collect();
        let language = beginning.language;
        Self { embedding: Embedding { entry, story, language, at, vector: quantised(vector), names }, beginning }
    }
}

/// A vector with 8 bits a dimension; the largest one has all of them.
fn quantised(vector: &[f32]) -> Vec<i8> {
    let largest = vector.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    vector.iter().map(|value| rounded(value / largest * 127.0)).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the cast keeps to the bounds of the type, and makes 0 of what is no number"
)]
fn rounded(value: f32) -> i8 {
    value.round() as i8
}

/// Two entries that tell the same in two languages.
#[derive(Debug, Clone, PartialEq)]
pub struct Translation {
    /// One of them.
    pub entry: EntryRef,
    /// The other.
    pub other: EntryRef,
    /// The language of the one,
    pub language: LanguageTag,
    /// and of the other.
    pub other_language: LanguageTag,
    /// The cosine of their vectors, without what those of their languages have in common,
    pub score: f64,
    /// and what it had to be.
    pub threshold: f32,
    /// The names and numbers that both hold, as the one writes them.
    pub names: Vec<String>,
}

/// The entries of the window, to be asked what tells the same as another one.
#[derive(Debug, Default)]
pub struct Window {
    entries: Vec<Embedding>,
    /// The lengths of their vectors.
    norms: Vec<f32>,
}

impl Window {
    /// Of these entries, whose vectors are all of one length.
    #[must_use]
    pub fn of(entries: Vec<Embedding>) -> Self {
        let mut window = Self::default();
        entries.into_iter().for_each(|embedding| window.add(embedding));
        window
    }

    fn add(&mut self, embedding: Embedding) {
        self.norms.push(dot(&floats(&embedding.vector), &embedding.vector).sqrt().max(1.0));
        self.entries.push(embedding);
    }

    /// Takes new entries in, and gives for each the entry in every other language that most surely tells the same, where one does.
    #[must_use]
    pub fn take_in(&mut self, new: Vec<Encoded>) -> Vec<Translation> {
        let first = self.entries.len();
        let beginnings: Vec<Beginning> = new
            .into_iter()
            .map(|Encoded { embedding, beginning }| {
                self.add(embedding);
                beginning
            })
            .collect();
        let centres = Centres::of(self);
        let lengths: Vec<f32> = (0..self.entries.len()).map(|at| centres.length(self, at)).collect();
        let mut found: Vec<Translation> = Vec::new();
        for (at, beginning) in (first..).zip(&beginnings) {
            let mut new = self.translations(at, beginning, &centres, &lengths);
            // Of two that come together each finds the other.
            new.retain(|new| !found.iter().any(|found| (found.entry, found.other) == (new.other, new.entry)));
            found.append(&mut new);
        }
        found
    }

    fn translations(&self, at: usize, beginning: &Beginning, centres: &Centres, lengths: &[f32]) -> Vec<Translation> {
        let (Some(entry), Some(length)) = (self.entries.get(at), lengths.get(at)) else { return Vec::new() };
        let centred = centres.centred(self, at);
        let offsets = centres.products(&centred);
        let mut best: BTreeMap<LanguageTag, (f32, &Embedding)> = BTreeMap::new();
        for ((candidate, norm), others_length) in self.entries.iter().zip(&self.norms).zip(lengths) {
            if candidate.language == entry.language || candidate.story == entry.story {
                continue;
            }
            let offset = offsets.get(&candidate.language).copied().unwrap_or_default();
            let product = dot(&centred, &candidate.vector) / norm - offset;
            let cosine = product / (length * others_length).max(f32::EPSILON);
            let is_best = best.get(&candidate.language).is_none_or(|(least, _)| cosine > *least);
            let is_sure = |threshold| cosine >= threshold && is_best;
            if is_sure(WITHOUT_WITNESS) || is_sure(THRESHOLD) && entry.shares_a_name_with(candidate) {
                best.insert(candidate.language, (cosine, candidate));
            }
        }
        let found = |(cosine, other): (f32, &Embedding)| {
            let mut names = beginning.names();
            names.retain(|name| other.names.contains(&name.key));
            Translation {
                entry: entry.entry,
                other: other.entry,
                language: entry.language,
                other_language: other.language,
                score: cosine.into(),
                threshold: if names.is_empty() { WITHOUT_WITNESS } else { THRESHOLD },
                names: names.into_iter().map(|name| name.word.to_owned()).collect(),
            }
        };
        best.into_values().map(found).collect()
    }
}

/// What the vectors of each language have in common.
struct Centres(BTreeMap<LanguageTag, Vec<f32>>);

impl Centres {
    fn of(window: &Window) -> Self {
        let dimensions = window.entries.first().map_or(0, |entry| entry.vector.len());
        let mut sums: BTreeMap<LanguageTag, (f32, Vec<f32>)> = BTreeMap::new();
        for (entry, norm) in window.entries.iter().zip(&window.norms) {
            let (count, sum) = sums.entry(entry.language).or_insert_with(|| (0.0, vec![0.0; dimensions]));
            *count += 1.0;
            sum.iter_mut().zip(&entry.vector).for_each(|(sum, value)| *sum += f32::from(*value) / norm);
        }
        let all = window.entries.len().max(1) as f32;
        let mut mean = vec![0.0; dimensions];
        for (_, sum) in sums.values() {
            mean.iter_mut().zip(sum).for_each(|(mean, value)| *mean += value / all);
        }
        let drawn = |(count, sum): (f32, Vec<f32>)| {
            let value = |(sum, mean): (f32, &f32)| (sum + DRAWN_BY * mean) / (count + DRAWN_BY);
            sum.into_iter().zip(&mean).map(value).collect()
        };
        Self(sums.into_iter().map(|(language, sum)| (language, drawn(sum))).collect())
    }

    /// An entry's vector without what its language has in common.
    fn centred(&self, window: &Window, at: usize) -> Vec<f32> {
        let (Some(entry), Some(norm)) = (window.entries.get(at), window.norms.get(at)) else { return Vec::new() };
        let Some(centre) = self.0.get(&entry.language) else { return Vec::new() };
        entry.vector.iter().zip(centre).map(|(value, centre)| f32::from(*value) / norm - centre).collect()
    }

    /// How long that is.
    fn length(&self, window: &Window, at: usize) -> f32 {
        self.centred(window, at).iter().map(|value| value * value).sum::<f32>().sqrt()
    }

    /// The products of a vector with what each language has in common.
    fn products(&self, vector: &[f32]) -> BTreeMap<LanguageTag, f32> {
        let product = |centre: &Vec<f32>| vector.iter().zip(centre).map(|(one, other)| one * other).sum();
        self.0.iter().map(|(language, centre)| (*language, product(centre))).collect()
    }
}

/// Sums that are taken side by side, so that the processor can.
const LANES: usize = 16;

/// The product of two vectors of one length.
fn dot(one: &[f32], other: &[i8]) -> f32 {
    let (ones, rest) = one.as_chunks::<LANES>();
    let (others, others_rest) = other.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (one, other) in ones.iter().zip(others) {
        for (sum, (one, other)) in sums.iter_mut().zip(one.iter().zip(other)) {
            *sum += one * f32::from(*other);
        }
    }
    let rest: f32 = rest.iter().zip(others_rest).map(|(one, other)| one * f32::from(*other)).sum();
    sums.iter().sum::<f32>() + rest
}

fn floats(vector: &[i8]) -> Vec<f32> {
    vector.iter().map(|value| f32::from(*value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    fn article<'a>(entry: u64, language: Option<&'a str>, title: &'a str, summary: &'a str) -> Article<'a> {
        let at =
            DateTime::from_timestamp(1_767_268_800, 0).unwrap() + TimeDelta::minutes(i64::try_from(entry).unwrap());
        Article {
            entry: EntryRef(entry),
            feed: Some(entry),
            title,
            summary,
            content: "",
            page: None,
            language,
            at,
            published: None,
        }
    }

    /// An entry that tells event number `event`: in a space of a dimension for each event and one for each language, it lies
    /// between the two of its own.
    fn encoded(entry: u64, tag: &str, event: usize, title: &str) -> Encoded {
        let told = article(entry, Some(tag), title, "");
        let mut vector = vec![0.01; 24];
        vector[event] += 0.3;
        vector[20 + usize::from(tag == "de") + 2 * usize::from(tag == "pl")] += 0.3;
        Encoded::new(told.entry, StoryRef(entry), told.at, Beginning::of(&told).unwrap(), &vector)
    }

    /// As many entries of other events in each language as make its mean known.
    fn window() -> Window {
        let mut window = Window::default();
        for (entry, event) in (100..).zip((5..20).chain(5..20)) {
            let tag = if entry % 2 == 0 { "en" } else { "de" };
            let _ = window.take_in(vec![encoded(entry, tag, event, "Other things")]);
        }
        window
    }

    #[test]
    fn what_tells_the_same_in_another_language_is_found_whichever_came_first() {
        let mut window = window();
        assert_eq!(window.take_in(vec![encoded(1, "en", 0, "Storm hits Skarvholm, 212 rescued")]), []);
        let found = window.take_in(vec![
            encoded(2, "de", 0, "Sturm über Skarvholm: 212 gerettet"),
            encoded(3, "pl", 1, "Coś zupełnie innego"),
        ]);
        let [found] = &found[..] else { panic!("{found:?}") };
        assert_eq!((found.entry, found.other), (EntryRef(2), EntryRef(1)));
        assert_eq!((found.language.as_str(), found.other_language.as_str()), ("de", "en"));
        assert!(found.score > 0.7, "{found:?}");
        assert_eq!(found.names, ["Sturm", "Skarvholm", "212"], "a storm is one in both");
    }

    #[test]
    fn the_same_language_and_the_same_story_are_not_looked_at() {
        let mut window = window();
        let first = encoded(1, "en", 0, "Storm hits Skarvholm");
        let mut folded = encoded(3, "de", 0, "Sturm über Skarvholm");
        folded.embedding.story = StoryRef(1);
        let found = window.take_in(vec![first, encoded(2, "en", 0, "Skarvholm storm"), folded]);
        let found: Vec<_> = found.iter().map(|found| (found.entry, found.other)).collect();
        assert_eq!(found, [(EntryRef(2), EntryRef(3))], "1 and 2 are both English, and 1 and 3 one story");
    }

    #[test]
    fn what_a_language_has_in_common_says_nothing() {
        let mut window = Window::default();
        let new = (1..40).map(|entry| {
            encoded(entry, if entry % 2 == 0 { "en" } else { "de" }, usize::try_from(entry).unwrap() % 20, "x y")
        });
        // Each event is told in one of the two languages alone.
        assert_eq!(window.take_in(new.collect()), []);
    }

    #[test]
    fn a_tag_is_believed_unless_the_words_are_plainly_of_another_language() {
        let language =
            |tag, title, text| Beginning::of(&article(1, tag, title, text)).map(|beginning| beginning.language);
        let german = "Der Rat hat beschlossen, dass die Brücke nicht gebaut wird, wie es in dem Bericht hieß.";
        let tag = |tag| LanguageTag::of(tag);
        assert_eq!(language(Some("de-AT"), "Brücke", german), tag("de"));
        assert_eq!(language(Some("en-us"), "Brücke", german), tag("de"));
        assert_eq!(language(None, "Brücke", german), tag("de"));
        assert_eq!(language(Some("hu"), "Brücke", german), tag("hu"), "we know no words of it");
        assert_eq!(language(Some("en"), "Bridge", ""), tag("en"));
        assert_eq!(language(None, "Bridge", ""), None);
        assert_eq!(language(Some("en"), "—", ""), None);
    }

    #[test]
    fn tags_are_read_by_their_first_part() {
        let check = |tag: &str, expected: Option<&str>| {
            assert_eq!(LanguageTag::of(tag).as_ref().map(LanguageTag::as_str), expected, "{tag}");
        };
        check("pt-BR", Some("pt"));
        check("FIL", Some("fil"));
        for tag in ["", "und", "x-klingon", "english", "e1", "é"] {
            check(tag, None);
        }
    }

    #[test]
    fn the_encoder_is_given_the_title_and_the_beginning_of_the_text_once() {
        let text = |title: &str, summary: &str| Beginning::of(&article(1, Some("en"), title, summary)).unwrap().text;
        assert_eq!(text("A title", "A title and more."), "A title\nand more.");
        assert_eq!(text("A title", ""), "A title");
        let long = "word ".repeat(500);
        assert!(text("A title", &long).chars().count() > CHARS - 2);
        assert_eq!(
            text("Fog over the bay - The Post", "Fog over the bay The Post Other news"),
            "Fog over the bay - The Post"
        );
    }

    #[test]
    fn eight_bits_a_dimension_change_a_product_by_little() {
        let vector: Vec<f32> = (0..384).map(|at| ((at * 37 % 101) as f32 - 50.0) / 700.0).collect();
        let eight = floats(&quantised(&vector));
        let length = |vector: &[f32]| vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        let product: f32 = vector.iter().zip(&eight).map(|(one, other)| one * other).sum();
        assert!(product / length(&vector) / length(&eight) > 0.9999);
        assert_eq!(quantised(&[0.5, -0.5, 0.25]), [127, -127, 64]);
    }
}
