//! Whether an entry tells a story that is already there: what speaks for it, weighed against how sure a profile has to be.
//!
//! Pure. The numbers of the two profiles stand at the end; `NOTES.md` beside it says how they were found and what else was tried.

use serde::Serialize;

use super::Profile;
use super::weights::real;

/// What an entry and a story have in common, as far as it was measured.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Likeness {
    /// Cosine to the nearest member.
    pub nearest: f32,
    /// Cosine to the story's core.
    pub core: f32,
    /// Cosine to the story's first entry.
    pub founder: f32,
    /// The share of the entry's title that the nearest member has anywhere.
    pub title_in_other: f32,
    /// The share of the nearest member's title that the entry has anywhere.
    pub other_title_in: f32,
    /// How much the shared terms tell, all in all.
    pub mass: f32,
    /// The share of what the entry and the nearest member have in common, of the one that tells less.
    pub contained: f32,
    /// How rare the entry's rarest title term is that the nearest member lacks.
    pub missing: f32,
    /// How rare the nearest member's rarest title term is that the entry lacks.
    pub other_missing: f32,
    /// How rare the second rarest of the shared terms is.
    pub anchor: f32,
    /// Days between the entry and the story's newest one.
    pub gap_days: f32,
    /// Days between the entry and the nearest member.
    pub nearest_gap_days: f32,
    /// Whether the nearest member is of the same feed.
    pub same_feed: bool,
    /// Whether one of the two is little more than a title.
    pub title_only: bool,
    /// Whether both have a text of their own.
    pub bodies: bool,
    /// Whether the two titles are of one form with different figures.
    pub other_edition: bool,
    /// Whether the same feed has put the same text under another title.
    pub stock_text: bool,
    /// The share of the entry's title that the nearest member of the same feed has too, the words apart that this feed's titles
    /// often use; `None` where there are no such words.
    pub beyond_frame: Option<f32>,
    /// Numbers among the words of the text that has fewer, per cent.
    pub figures: u8,
    /// The share of the numbers of the text with fewer that the other has too.
    pub numbers_agree: f32,
    /// How well the entry's language is known by now, 0 to 1.
    pub known: f32,
    /// Entries in the story.
    pub members: u32,
}

/// Why an entry may not join a story that it is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Veto {
    /// The titles differ in nothing but their figures: another day's edition.
    OtherEdition,
    /// The feed puts one text under different titles: a column's announcement, an advertisement.
    StockText,
    /// It is like the newest members and not like the story's first one.
    Drift,
    /// Too little to go by: they share next to nothing, or a short title such as a column's, and no text.
    TooLittle,
    /// A person took the entry out of this story.
    Split,
}

impl Likeness {
    /// How alike the two are: about 0 for nothing in common, 1 and more for much.
    pub fn score(&self, profile: Profile) -> f32 {
        let measure = Measure::of(profile);
        let likeness = measure.nearest * self.nearest
            + measure.lower * self.core.min(self.nearest)
            + (1.0 - measure.nearest - measure.lower) * self.core;
        let (more, less) = (self.title_in_other.max(self.other_title_in), self.title_in_other.min(self.other_title_in));
        let titles = measure.title_held * (more - 0.5) + measure.titles_held * (less - 0.5);
        let told = TOLD * (self.mass.ln_1p().min(5.0) - 3.5);
        let contained = measure.contained * (self.contained - CONTAINED);
        // What a feed says again days later is a series; what two feeds tell with the same rare words is news, also days later.
        let certain = if self.same_feed { 0.0 } else { ((self.mass - 20.0) / 60.0).clamp(0.0, 1.0) };
        let silence = measure.silence * (self.gap_days.min(3.0) - measure.silence_free_days).max(0.0);
        let silence = silence * (1.0 - measure.silence_waived * certain);
        let age = measure.age * (self.nearest_gap_days.min(3.0) - AGE_FREE_DAYS).max(0.0);
        let lack = LACK * (self.missing.min(self.other_missing) - self.anchor - LACK_FROM).max(0.0);
        likeness + titles + told + contained - silence - age - lack
    }

    /// How alike they have to be.
    pub fn threshold(&self, profile: Profile) -> f32 {
        let measure = Measure::of(profile);
        let mut threshold = measure.threshold + measure.size * real(self.members.clamp(1, 32)).ln();
        if self.same_feed {
            threshold += measure.same_feed;
        }
        if self.title_only {
            threshold += measure.title_only;
        }
        if self.bodies {
            threshold += measure.bodies;
        } else {
            threshold += COLD * (1.0 - self.known);
        }
        if let Some(beyond) = self.beyond_frame.filter(|beyond| *beyond < FRAME_BEYOND) {
            threshold += FRAME * (1.0 - beyond);
        }
        if self.figures >= TABLE_FIGURES {
            threshold += TABLE * (1.0 - self.numbers_agree);
        }
        threshold
    }

    /// What forbids a fold, whatever the score.
    pub fn veto(&self, profile: Profile) -> Option<Veto> {
        if self.other_edition {
            return Some(Veto::OtherEdition);
        }
        if self.stock_text {
            return Some(Veto::StockText);
        }
        // "Photo of the day", "Release 1.2", "Obituaries": titles that say the same and name nothing.
        let same_title = self.missing.max(self.other_missing) == 0.0;
        let one_term = self.anchor == 0.0 && self.missing.min(self.other_missing) > 0.0;
        let least = if same_title { LEAST_SAME_TITLE } else { Measure::of(profile).least };
        if one_term || (!self.bodies && self.mass < least) {
            return Some(Veto::TooLittle);
        }
        (self.members > 1 && self.founder < FOUNDER).then_some(Veto::Drift)
    }
}

/// The least cosine of two cores whose stories may be one.
pub(super) fn merge_at(profile: Profile) -> f32 {
    Measure::of(profile).merge_at
}

/// Less than this in common with a story's first entry is drift.
const FOUNDER: f32 = 0.09;

/// The least that two entries without much text must share in rarity when their titles have the same words.
const LEAST_SAME_TITLE: f32 = 24.0;

/// What the amount of shared rarity counts: much shared in long texts is evidence that a cosine does not show.
const TOLD: f32 = 0.04;

/// The share of the one that tells less that two entries about different things have in common all the same.
const CONTAINED: f32 = 0.4;

/// Days that the nearest member may be old for nothing.
const AGE_FREE_DAYS: f32 = 0.4;

/// What it counts, per unit of rarity, when each title has a term rarer than what the two share, as the names in two notes of
/// one form; and how much rarer it has to be.
const LACK: f32 = 0.015;
const LACK_FROM: f32 = 0.7;

/// What is added where an entry's title shares nothing with another of its feed but that feed's usual words, and the share of the
/// title from which on nothing is.
const FRAME: f32 = 0.85;
const FRAME_BEYOND: f32 = 0.72;

/// Numbers among a text's words, per cent, that make it a table, and what is added where the numbers of two tables differ.
const TABLE_FIGURES: u8 = 7;
const TABLE: f32 = 1.2;

/// What is added for short texts while a language is new to us and its every word seems rare.
const COLD: f32 = 0.25;

/// The numbers in which the profiles differ.
struct Measure {
    threshold: f32,
    /// The shares of the cosine to the nearest member and of the lower of the two cosines; the core's has the rest.
    nearest: f32,
    lower: f32,
    /// What it counts that one title stands in the other entry, and that each does.
    title_held: f32,
    titles_held: f32,
    /// What it counts that the one that tells less is held by the other.
    contained: f32,
    /// What a day of silence in the story costs, and the days that cost nothing.
    silence: f32,
    silence_free_days: f32,
    /// The share of it that is waived where two feeds share much.
    silence_waived: f32,
    /// What a day between the entry and the nearest member costs.
    age: f32,
    /// What is added for one feed, for titles without text (less than nothing), for two texts, and for each doubling of the
    /// story, nearly.
    same_feed: f32,
    title_only: f32,
    bodies: f32,
    size: f32,
    merge_at: f32,
    /// The least that two entries without much text must share in rarity.
    least: f32,
}

impl Measure {
    fn of(profile: Profile) -> &'static Self {
        match profile {
            Profile::Careful => &CAREFUL,
            Profile::Balanced => &BALANCED,
        }
    }
}

static CAREFUL: Measure = Measure {
    threshold: 0.465,
    nearest: 0.64,
    lower: 0.22,
    title_held: 0.4,
    titles_held: 0.2,
    contained: 0.0,
    silence: 0.3,
    silence_free_days: 0.1,
    silence_waived: 0.6,
    age: 0.1,
    same_feed: 0.37,
    title_only: -0.085,
    bodies: 0.035,
    size: 0.025,
    merge_at: 0.85,
    least: 12.0,
};

static BALANCED: Measure = Measure {
    threshold: 0.42,
    nearest: 0.5,
    lower: 0.0,
    title_held: 0.3,
    titles_held: 0.1,
    contained: 0.2,
    silence: 0.4,
    silence_free_days: 0.2,
    silence_waived: 0.5,
    age: 0.0,
    same_feed: 0.3,
    title_only: -0.19,
    bodies: -0.1,
    size: 0.02,
    merge_at: 0.6,
    least: 0.0,
};

#[cfg(test)]
mod tests {
    use super::*;

    fn alike() -> Likeness {
        Likeness {
            nearest: 0.5,
            core: 0.5,
            founder: 0.5,
            title_in_other: 0.7,
            other_title_in: 0.6,
            mass: 40.0,
            contained: 0.5,
            numbers_agree: 1.0,
            known: 1.0,
            members: 1,
            ..Likeness::default()
        }
    }

    fn margin(likeness: &Likeness, profile: Profile) -> f32 {
        likeness.score(profile) - likeness.threshold(profile)
    }

    #[test]
    fn balanced_folds_whatever_careful_folds_of_two_feeds() {
        for nearest in [0.2, 0.3, 0.4, 0.5, 0.6, 0.8] {
            for days in [0.0, 1.0, 3.0] {
                let likeness = Likeness { nearest, core: nearest, gap_days: days, nearest_gap_days: days, ..alike() };
                assert!(
                    margin(&likeness, Profile::Balanced) >= margin(&likeness, Profile::Careful),
                    "{nearest} {days}"
                );
            }
        }
    }

    #[test]
    fn one_feed_and_days_of_silence_ask_for_more() {
        for profile in [Profile::Careful, Profile::Balanced] {
            assert!(margin(&alike(), profile) > 0.0);
            assert!(margin(&Likeness { same_feed: true, ..alike() }, profile) < 0.0);
            assert!(margin(&Likeness { gap_days: 2.0, ..alike() }, profile) < 0.0);
        }
    }

    #[test]
    fn silence_costs_less_where_two_feeds_share_much() {
        for profile in [Profile::Careful, Profile::Balanced] {
            let late = Likeness { gap_days: 2.0, mass: 80.0, ..alike() };
            let cost = |late: Likeness| margin(&Likeness { gap_days: 0.0, ..late }, profile) - margin(&late, profile);
            assert!(cost(late) < cost(Likeness { mass: 20.0, ..late }));
            assert!(cost(late) < cost(Likeness { same_feed: true, ..late }));
        }
    }

    #[test]
    fn tables_are_held_to_their_numbers() {
        let table = Likeness { figures: 30, ..alike() };
        assert!(margin(&table, Profile::Careful) > 0.0);
        assert!(margin(&Likeness { numbers_agree: 0.2, ..table }, Profile::Careful) < 0.0);
    }

    #[test]
    fn another_edition_is_forbidden_however_alike() {
        assert_eq!(
            Likeness { other_edition: true, nearest: 1.0, ..alike() }.veto(Profile::Careful),
            Some(Veto::OtherEdition)
        );
        assert_eq!(Likeness { members: 5, founder: 0.01, ..alike() }.veto(Profile::Careful), Some(Veto::Drift));
        assert_eq!(alike().veto(Profile::Careful), None);
    }
}
