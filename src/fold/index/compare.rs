//! How an entry compares with a story: what was measured, by which rule it would join, and what forbids it.
//!
//! Pure. Which stories are asked is `index`'s choice, what the measurements are worth is `score`'s.

use std::cell::OnceCell;

use super::{Candidate, Index, Kept, LEAST_CORE, SUPPORT, days, days_after};
use crate::fold::boilerplate::NO_FEED;
use crate::fold::copy;
use crate::fold::features::Amount;
use crate::fold::fingerprint::Fingerprint;
use crate::fold::link::Linked;
use crate::fold::members::Member;
use crate::fold::plan::{Match, Rule};
use crate::fold::score::{Similarity, Veto};
use crate::fold::vector::{self, Centroid, Overlap, Packed, ProbeVector};

/// How far apart a feed may put out two headlines of one text; what it says again later, it means to say again.
const VARIANT_MINUTES: i64 = 60;

/// How far apart it may put out one text under one headline twice: less than a day, since what comes every day in the same words
/// is each day's own.
const REPEATED_MINUTES: i64 = 20 * 60;

/// How far apart it may do so under a headline that says something else.
const RETITLED_MINUTES: i64 = 20;

/// The fewest runs of words by which a feed's two texts are one: fewer are what it puts under everything.
const VARIANT_RUNS: usize = 8;

/// The share of one of two titles that the other entry of a feed must hold for the two to be headlines of one text.
const VARIANT_TITLE: f32 = 0.4;

/// The share of each title that the other must hold where they came further apart than that: a text holds words of its headline.
const VARIANT_TITLES: f32 = 0.8;

/// The cosine from which on two entries may be one form, filled in twice, and from which on little else can be told of them.
const ONE_FORM: f32 = 0.5;
const NEARLY_ONE: f32 = 0.7;

/// Words that the titles of a form have in common, at least, and those that are filled in, at most.
const LEAST_FORM: u32 = 2;
const MOST_FILLED: u32 = 2;

/// Words of the title of a column, at most.
const COLUMN_WORDS: u32 = 3;

/// A member of a story, laid beside an entry.
struct Beside<'a> {
    arrival: u32,
    member: Member,
    vector: Packed<'a>,
    /// What the two share, once that was asked.
    overlap: OnceCell<Overlap>,
    cosine: f32,
    feed: u32,
    /// Which of the entry's terms it has, a bit each.
    shared: u64,
    /// What it is to the entry.
    kin: Kin,
    /// The share of the shorter text that the other holds, where they are one text.
    contained: Option<f32>,
}

impl Beside<'_> {
    /// What the member shares with the entry, which `probe` is.
    fn overlap(&self, probe: &ProbeVector<'_>) -> &Overlap {
        self.overlap.get_or_init(|| probe.overlap(self.vector))
    }
}

/// How far two texts are one.
#[derive(Clone, Copy)]
struct OneText {
    /// The share of the shorter text that the other holds.
    contained: f32,
    /// The runs of words by which that is judged.
    runs: usize,
}

/// What an entry and a member are to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kin {
    /// Told by different outlets.
    Others,
    /// What one outlet put out again within the day word for word, or with another headline within the hour.
    Variants,
    /// One article of an outlet: its address carries the same number of it.
    SameArticle,
    /// Further entries of one outlet: it told the one and then told the other.
    Further,
    /// One text of an outlet under titles that have nothing to do with each other: a column's announcement, an advertisement.
    StockText,
}

impl Index {
    /// Compares an entry with a story.
    pub(super) fn compare(
        &self,
        fingerprint: &Fingerprint,
        probe: &ProbeVector<'_>,
        frame: &[u32],
        candidate: &Candidate<'_>,
    ) -> Option<(Rule, Match)> {
        let story = candidate.story;
        let (beside, core) = self.lay_beside(fingerprint, probe, candidate)?;
        let split = self.splits.contains(&(fingerprint.entry, story.id())).then_some(Veto::Split);
        if let Some(same) = beside.iter().find(|beside| beside.kin == Kin::SameArticle) {
            let linked = Linked { story: story.id(), matched: same.member.entry };
            return Some((Rule::Link, Match { veto: split, ..linked.into() }));
        }
        let speaks = |beside: &&Beside<'_>| matches!(beside.kin, Kin::Others | Kin::Variants);
        // What a feed tells once more is never the same for its own likeness, but may be for what others tell.
        let nearest = most_alike(beside.iter().filter(speaks)).or_else(|| most_alike(beside.iter()))?;
        // What stands under every entry of a publisher is not the entry: a text holds words of its headline.
        let has_its_text = |beside: &&Beside<'_>| {
            beside.contained.is_some() && {
                let overlap = beside.overlap(probe);
                overlap.title_in_other.max(overlap.other_title_in) >= copy::OTHER_TITLE
            }
        };
        let is_another = |beside: &Beside<'_>| are_of_one_form(fingerprint, probe, beside);
        let copied = beside.iter().filter(speaks).filter(has_its_text).filter(|beside| !is_another(beside));
        let copied = copied.max_by(|a, b| a.contained.unwrap_or(0.0).total_cmp(&b.contained.unwrap_or(0.0)));
        let overlap = nearest.overlap(probe);
        let mut likeness = self.likeness(fingerprint, candidate, nearest, overlap);
        likeness.core = core.unwrap_or(nearest.cosine);
        likeness.title_in_story = probe.title_in(beside.iter().fold(0, |shared, beside| shared | beside.shared));
        likeness.one_text = beside.iter().any(|beside| beside.contained.is_some());
        likeness.language_unlike = self.weights.unlike(fingerprint.language);
        likeness.other_edition = beside.iter().any(|Beside { member, .. }| {
            fingerprint.title.form == member.form && fingerprint.title.figures != member.title_figures
        });
        likeness.other_edition |= fingerprint.title.date.differs(nearest.member.date);
        likeness.stock_text = beside.iter().any(|beside| beside.kin == Kin::StockText)
            || (nearest.contained.is_some() && !has_its_text(&nearest))
            || is_another(nearest);
        likeness.further = !matches!(nearest.kin, Kin::Others | Kin::Variants);
        likeness.own_before = beside.iter().any(|beside| beside.kin == Kin::Further);
        likeness.beyond_frame =
            (nearest.kin != Kin::Others && !frame.is_empty()).then(|| probe.beyond(frame, overlap.shared));
        if let Some(first) = beside.iter().find(|beside| beside.arrival == story.first) {
            let held = first.overlap(probe);
            likeness.founder = first.cosine;
            likeness.title_in_founder = held.title_in_other;
            likeness.founder_title_in = held.other_title_in;
            likeness.founder_differs_in_kind = fingerprint.title.signs.explains() != first.member.signs.explains();
            likeness.founder_differs_in_time = fingerprint.title.signs.differ_in_time(first.member.signs);
        }
        let veto = split.or(is_lone(&beside, nearest.feed).then_some(Veto::Drift));
        let found = |matched, score, threshold, veto: Option<Veto>| Match {
            story: story.id(),
            matched,
            score,
            threshold,
            follows: veto.is_none_or(Veto::lets_follow) && likeness.would_follow(),
            veto,
            likeness: Some(likeness),
            terms: Vec::new(),
        };
        if let Some(copied) = copied.filter(|_| !likeness.other_edition) {
            let veto = veto.or(likeness.is_past().then_some(Veto::Late));
            return Some((Rule::Copy, found(copied.member.entry, copied.contained.unwrap_or(0.0), copy::SHARE, veto)));
        }
        let veto = veto.or_else(|| likeness.veto());
        Some((Rule::Story, found(nearest.member.entry, likeness.score(), likeness.threshold(), veto)))
    }

    /// The members of a story that an entry is compared with, and the cosine to its core; `None` for the core of one entry,
    /// and for all of it where the core tells the story from the entry.
    fn lay_beside<'a>(
        &'a self,
        fingerprint: &Fingerprint,
        probe: &ProbeVector<'_>,
        candidate: &Candidate<'_>,
    ) -> Option<(Vec<Beside<'a>>, Option<f32>)> {
        let Candidate { story, core, compared, .. } = candidate;
        let now = fingerprint.at.timestamp_micros();
        let feed = self.boilerplate.number(fingerprint.feed);
        // All members of a story without a kept core are compared, and the sum of products is the product of the sum.
        let oldest_first: Vec<u32> = compared.iter().rev().copied().collect();
        let tellers = if core.is_none() { self.tellers_among(&oldest_first) } else { Vec::new() };
        let mut dot = 0;
        let mut beside: Vec<Beside<'_>> = Vec::with_capacity(compared.len());
        for &arrival in compared {
            let Some(member) = self.members.get(arrival).filter(|member| !member.is_claim) else { continue };
            let vector = self.members.vector(arrival);
            let (product, shared) = probe.product(vector);
            if tellers.iter().any(|(_, counts)| *counts == arrival) {
                dot += product;
            }
            if !self.in_window(member.at, now) {
                continue;
            }
            let cosine = vector::cosine(product);
            let of = self.hot(arrival).map_or(NO_FEED, |hot| hot.feed);
            let is_own =
                feed == Some(of) && (fingerprint.outlet == member.outlet || fingerprint.outlet.min(member.outlet) == 0);
            let (contained, runs) = if cosine >= copy::COSINE {
                fingerprint.sketch.contained(self.members.sketch(arrival, &mut [0; copy::SIZE]))
            } else {
                (0.0, 0)
            };
            let is_one_text = runs >= copy::RUNS && contained >= copy::SHARE;
            let mut laid = Beside {
                arrival,
                member,
                vector,
                overlap: OnceCell::new(),
                cosine,
                feed: of,
                shared,
                kin: Kin::Others,
                contained: is_one_text.then_some(contained),
            };
            if is_own {
                let one_text = is_one_text.then_some(OneText { contained, runs });
                laid.kin = kin_within_a_feed(fingerprint, probe, &laid, one_text);
            }
            beside.push(laid);
        }
        let core = match core {
            None if story.members > 1 => {
                let vectors = tellers.iter().map(|(_, arrival)| self.members.vector(*arrival));
                Some(vector::core_cosine(dot, story.length(|| Centroid::of(vectors).length())))
            }
            core => *core,
        };
        core.is_none_or(|core| core >= LEAST_CORE).then_some((beside, core))
    }

    /// What an entry and the nearest member of a story have in common.
    fn likeness(
        &self,
        fingerprint: &Fingerprint,
        candidate: &Candidate<'_>,
        nearest: &Beside<'_>,
        overlap: &Overlap,
    ) -> Similarity {
        let Beside { member, .. } = nearest;
        let now = fingerprint.at.timestamp_micros();
        let told = fingerprint.told().timestamp_micros();
        let story = candidate.story;
        let members = match self.cores.get(&candidate.serial) {
            Some(kept) => Kept::len(kept),
            None => self.tellers_among(&candidate.compared.iter().rev().copied().collect::<Vec<u32>>()).len(),
        };
        Similarity {
            nearest: nearest.cosine,
            title_in_other: overlap.title_in_other,
            other_title_in: overlap.other_title_in,
            mass: overlap.mass,
            contained: overlap.contained,
            missing: overlap.missing,
            other_missing: overlap.other_missing,
            anchor: overlap.anchors[1],
            deeds: overlap.deeds,
            begins_apart: fingerprint.lead.differs(member.lead),
            gap_days: days(now.saturating_sub(self.members.at(story.newest))),
            nearest_gap_days: days(told.saturating_sub(member.told)),
            story_age_days: days_after(told, story.founded()),
            same_feed: nearest.kin != Kin::Others,
            title_words: fingerprint.title.words,
            title_only: fingerprint.amount.min(member.amount) == Amount::Title,
            bodies: fingerprint.amount.min(member.amount) == Amount::Body,
            figures: fingerprint.figures.min(member.figures),
            numbers_agree: match overlap.fewer_numbers {
                0 => 1.0,
                fewer => f32::from(overlap.numbers) / f32::from(fewer),
            },
            opposed: fingerprint.title.signs.are_opposed(member.signs),
            differs_in_time: fingerprint.title.signs.differ_in_time(member.signs),
            explains: fingerprint.title.signs.explains(),
            known: self.weights.known(fingerprint.language),
            members: u32::try_from(members).unwrap_or(u32::MAX),
            ..Similarity::default()
        }
    }
}

fn most_alike<'a, 'b>(beside: impl Iterator<Item = &'b Beside<'a>>) -> Option<&'b Beside<'a>>
where
    'a: 'b,
{
    // The first of equals, which is the newest.
    beside.reduce(|most, next| if next.cosine > most.cosine { next } else { most })
}

/// Whether only what one feed tells of a story is like the entry: what it has put between two matters does not make them one.
fn is_lone(beside: &[Beside<'_>], carrier: u32) -> bool {
    let mut aside = beside.iter().filter(|beside| beside.feed != carrier).peekable();
    aside.peek().is_some() && aside.all(|beside| beside.cosine < SUPPORT)
}

/// What two entries of one outlet are to each other.
///
/// An id of its own is the publisher's word that it is another entry (RSS 2.0), so the two are told apart but for what editors do:
/// they try another headline on a text within the hour, and put out again within the day what they put out before.
fn kin_within_a_feed(
    fingerprint: &Fingerprint,
    probe: &ProbeVector<'_>,
    beside: &Beside<'_>,
    one_text: Option<OneText>,
) -> Kin {
    let (member, overlap) = (&beside.member, beside.overlap(probe));
    if fingerprint.article_key.is_some() && fingerprint.article_key == member.article_key {
        return Kin::SameArticle;
    }
    let minutes = (fingerprint.told().timestamp_micros() - member.told).abs() / 60_000_000;
    let (less, more) =
        (overlap.title_in_other.min(overlap.other_title_in), overlap.title_in_other.max(overlap.other_title_in));
    if less < VARIANT_TITLES && (one_text.is_none() || minutes > RETITLED_MINUTES || more < VARIANT_TITLE) {
        return if one_text.is_some() { Kin::StockText } else { Kin::Further };
    }
    let is_same_title = fingerprint.title.form == member.form && fingerprint.title.figures == member.title_figures;
    let is_dated = fingerprint.minutes_old.is_some() && member.is_dated;
    let are_variants = match one_text.filter(|text| text.runs >= VARIANT_RUNS) {
        Some(text) if is_same_title && text.contained >= 1.0 => minutes <= REPEATED_MINUTES,
        None if is_same_title => false,
        _ => minutes <= VARIANT_MINUTES,
    };
    let is_another = || {
        let titles = probe.titles(beside.vector);
        // A form that is filled in for two counties, or two songs, is no text with two headlines; and where the text is another,
        // too, a single name is enough.
        let has_names = titles.has_own_name && titles.other > titles.both;
        // "Recall of Xenia salami", "Recall of Clara salad": as many words, over a text that tells of none of them.
        let is_form = titles.both >= LEAST_FORM && titles.own == titles.other && !titles.is_told;
        titles.are_fillings()
            || (has_names && if one_text.is_some() { is_form } else { titles.lacking() == 1 })
            || fingerprint.title.signs.are_opposed(member.signs)
            || are_of_one_form(fingerprint, probe, beside)
    };
    if is_dated && are_variants && !is_another() { Kin::Variants } else { Kin::Further }
}

/// Whether two entries are one form, filled in twice: nearly the same words for a decision and its contrary, for two counties, or
/// for two results of a match. Paraphrases differ in more than a word or two, or in words that are no names.
fn are_of_one_form(fingerprint: &Fingerprint, probe: &ProbeVector<'_>, beside: &Beside<'_>) -> bool {
    if beside.cosine < ONE_FORM {
        return false;
    }
    let (title, member) = (&fingerprint.title, &beside.member);
    let titles = probe.titles(beside.vector);
    if titles.are_same_words() {
        return title.signs.say_another(fingerprint.lead, member.signs, member.lead);
    }
    let is_nearly_one = beside.cosine >= NEARLY_ONE;
    // "Photo of the day: heron", "Horoscope for Aries": what a column puts under each title says nothing of it.
    let is_column =
        fingerprint.amount > Amount::Title && !titles.is_told && titles.own.max(titles.other) <= COLUMN_WORDS;
    if is_column && is_nearly_one && titles.own > titles.both && titles.other > titles.both {
        return true;
    }
    let lacking = titles.lacking();
    if titles.both < LEAST_FORM || lacking > MOST_FILLED {
        return false;
    }
    let marks = u8::from(titles.fills_a_name) + u8::from(lacking == 1) + u8::from(is_nearly_one);
    title.signs.are_opposed(member.signs) || (titles.are_fillings() && marks >= 2)
}
