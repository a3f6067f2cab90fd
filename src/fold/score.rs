//! Whether an entry tells a story that is already there: what speaks for it, weighed against how sure it has to be.
//!
//! Pure. The numbers stand at the end; `NOTES.md` beside it says how they were found and what else was tried.

use serde::Serialize;

use super::weights::real;

/// What an entry and a story have in common, as far as it was measured.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Similarity {
    /// Cosine to the nearest member.
    pub nearest: f32,
    /// Cosine to the story's core.
    pub core: f32,
    /// Cosine to the story's first entry.
    pub founder: f32,
    /// The share of the entry's title that the story's first entry has anywhere.
    pub title_in_founder: f32,
    /// The share of the first entry's title that the entry has anywhere.
    pub founder_title_in: f32,
    /// Whether the entry tells as done what the first entry looks ahead to, or the other way round.
    pub founder_differs_in_time: bool,
    /// Whether one of the two reports and the other explains.
    pub founder_differs_in_kind: bool,
    /// Days between the entry and the story's first one.
    pub story_age_days: f32,
    /// The share of the entry's title that the nearest member has anywhere.
    pub title_in_other: f32,
    /// The share of the nearest member's title that the entry has anywhere.
    pub other_title_in: f32,
    /// The share of the entry's title that the members of the story have anywhere, all together.
    pub title_in_story: f32,
    /// Whether a member has the same text.
    pub one_text: bool,
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
    /// Words that both titles have and that are hardly names, as the entry writes them in small letters somewhere.
    pub deeds: u8,
    /// Whether the two titles begin with different things.
    pub begins_apart: bool,
    /// Days between the entry and the story's newest one.
    pub gap_days: f32,
    /// Days between the entry and the nearest member.
    pub nearest_gap_days: f32,
    /// Whether the nearest member is of the same feed.
    pub same_feed: bool,
    /// Whether all that is like the entry there was told by its own feed, which tells it once more.
    pub further: bool,
    /// Whether its feed told the story before.
    pub own_before: bool,
    /// Whether the entry and the nearest member say the contrary of each other.
    pub opposed: bool,
    /// Whether one of the two looks ahead to what the other tells as done.
    pub differs_in_time: bool,
    /// Whether the entry explains, asks or advises rather than reports.
    pub explains: bool,
    /// Whether one of the two is little more than a title.
    pub title_only: bool,
    /// Whether both have a text of their own.
    pub bodies: bool,
    /// Whether the two titles are of one form with different figures.
    pub other_edition: bool,
    /// Whether the same feed has put the same text under another title, or the two have one text under titles that say the
    /// contrary.
    pub stock_text: bool,
    /// The share of the entry's title that the nearest member of the same feed has too, the words apart that this feed's titles
    /// often use; `None` where there are no such words.
    pub beyond_frame: Option<f32>,
    /// Words of the entry's title, figures and stop words apart.
    pub title_words: u8,
    /// Numbers among the words of the text that has fewer, per cent.
    pub figures: u8,
    /// The share of the numbers of the text with fewer that the other has too.
    pub numbers_agree: f32,
    /// How nearly another story is as like the entry: the cosine to it, as a share of the cosine to this one.
    pub rival: f32,
    /// How much less alike neighbours are in the entry's language than in English.
    pub language_unlike: f32,
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
    /// One text stands under different titles: a column's announcement, an advertisement, a form.
    StockText,
    /// It is like the newest members and not like the story's first one.
    Drift,
    /// Too little to go by: they share next to nothing, or a short title such as a column's, and no text.
    TooLittle,
    /// Its own feed told this before: an entry beside it is a further one.
    Further,
    /// The story is too old: what is told now follows it.
    Late,
    /// A person took the entry out of this story.
    Split,
}

impl Veto {
    /// Whether an entry that may not join a story for it may still follow the story with one of its own.
    pub fn lets_follow(self) -> bool {
        matches!(self, Self::Late | Self::Further)
    }
}

impl Similarity {
    /// Whether an entry that does not join the story follows it: it would join if it had come at once and the story began with
    /// the same.
    pub fn would_follow(&self) -> bool {
        let at_once = Self {
            founder: 1.0,
            founder_title_in: 1.0,
            story_age_days: 0.0,
            gap_days: 0.0,
            nearest_gap_days: 0.0,
            same_feed: false,
            further: false,
            own_before: false,
            opposed: false,
            differs_in_time: false,
            founder_differs_in_time: false,
            founder_differs_in_kind: false,
            explains: false,
            ..*self
        };
        at_once.veto().is_none() && at_once.score() >= at_once.threshold()
    }

    /// How alike the two are: about 0 for nothing in common, 1 and more for much.
    pub fn score(&self) -> f32 {
        let of_core = 1.0 - MEASURE.nearest - MEASURE.lower;
        let alike = MEASURE.nearest * self.nearest
            + MEASURE.lower * self.core.min(self.nearest)
            + of_core * self.core
            + TOLD * (self.mass.ln_1p().min(5.0) - 3.5)
            + MEASURE.contained * (self.contained - CONTAINED)
            + MEASURE.title_in_story * (self.title_in_story - TITLE_IN_STORY);
        alike + self.titles() - self.time() - self.strangeness() - self.manner()
    }

    /// What the titles count: that one stands in the other entry, and that each does, that they tell the same deeds, and that
    /// they begin with the same.
    fn titles(&self) -> f32 {
        let (more, less) = (self.title_in_other.max(self.other_title_in), self.title_in_other.min(self.other_title_in));
        let lack = LACK * (self.missing.min(self.other_missing) - self.anchor - LACK_FROM).max(0.0);
        // What two headlines of one feed have in common is the form in which it writes them.
        let deeds = if self.same_feed { 0 } else { self.deeds.min(DEEDS_AT_MOST) };
        let deeds = MEASURE.deeds * f32::from(deeds);
        let apart = if self.begins_apart { MEASURE.begins_apart } else { 0.0 };
        MEASURE.title_held * (more - 0.5) + MEASURE.titles_held * (less - 0.5) - lack + deeds - apart
    }

    /// What time costs: the story's age, its silence, and the age of the nearest member, whose first hours count most.
    fn time(&self) -> f32 {
        // What a feed says again days later is a series; what two feeds tell with the same rare words is news, also days later.
        let certain = if self.same_feed { 0.0 } else { ((self.mass - 20.0) / 60.0).clamp(0.0, 1.0) };
        let silence = MEASURE.silence * (self.gap_days.min(3.0) - MEASURE.silence_free_days).max(0.0);
        let days = self.story_age_days.clamp(0.0, 3.0);
        let age = MEASURE.young * days.min(YOUNG_DAYS) + MEASURE.old * (days - YOUNG_DAYS).max(0.0);
        silence * (1.0 - MEASURE.silence_waived * certain)
            + age * (1.0 - MEASURE.age_waived * certain)
            + MEASURE.age * (self.nearest_gap_days.min(3.0) - AGE_FREE_DAYS).max(0.0)
            + MEASURE.since * (self.nearest_gap_days.max(0.0) * 24.0).ln_1p()
    }

    /// What it costs to be unlike the story's first entry, and to be as like another story.
    fn strangeness(&self) -> f32 {
        MEASURE.first_core * (FIRST_CORE - self.founder).max(0.0)
            + MEASURE.first_title * (FIRST_TITLE - self.title_in_founder.max(self.founder_title_in)).max(0.0)
            + MEASURE.rival * (self.rival - RIVAL).max(0.0)
    }

    /// What it costs that the two speak of their news in another manner.
    fn manner(&self) -> f32 {
        // An announcement is told as done and as to come within the hour; between a preview and what came of it lie hours.
        let apart = 1.0 - MEASURE.in_time_waived * (1.0 - self.story_age_days / PARALLEL_DAYS).clamp(0.0, 1.0);
        let costs = [
            (self.opposed, MEASURE.opposed),
            (self.differs_in_time, MEASURE.in_time * apart),
            (self.founder_differs_in_time, MEASURE.in_time_of_first * apart),
            (self.founder_differs_in_kind, MEASURE.in_kind_of_first),
            (self.explains, MEASURE.explains),
            (self.own_before, MEASURE.own_before),
        ];
        costs.iter().filter(|(is_so, _)| *is_so).map(|(_, cost)| cost).sum()
    }

    /// How alike they have to be.
    pub fn threshold(&self) -> f32 {
        let mut threshold = MEASURE.threshold + MEASURE.size * real(self.members.clamp(1, 32)).ln();
        if self.same_feed {
            threshold += MEASURE.same_feed;
        }
        if self.title_only {
            threshold += MEASURE.title_only;
        }
        if self.bodies {
            threshold += MEASURE.bodies;
        } else {
            threshold += COLD * (1.0 - self.known);
        }
        threshold -= MEASURE.language * self.language_unlike;
        if let Some(beyond) = self.beyond_frame.filter(|beyond| *beyond < FRAME_BEYOND) {
            threshold += FRAME * (1.0 - beyond);
        }
        if self.figures >= TABLE_FIGURES {
            threshold += TABLE * (1.0 - self.numbers_agree);
        }
        threshold
    }

    /// Whether the titles are one but for a word that hardly tells.
    pub fn has_one_title(&self) -> bool {
        self.title_in_other.min(self.other_title_in) >= ONE_TITLE
    }

    /// Whether the story is young enough for a parallel one to be found.
    pub fn is_young(&self) -> bool {
        self.story_age_days <= PARALLEL_DAYS
    }

    /// Whether the story is too old for anything but a link to join it.
    pub fn is_past(&self) -> bool {
        self.story_age_days > MEASURE.most_days
    }

    /// What forbids a fold, whatever the score.
    pub fn veto(&self) -> Option<Veto> {
        if self.other_edition {
            return Some(Veto::OtherEdition);
        }
        if self.is_past() {
            return Some(Veto::Late);
        }
        if self.further {
            return Some(Veto::Further);
        }
        if self.stock_text {
            return Some(Veto::StockText);
        }
        // "Photo of the day", "Release 1.2", "Obituaries": titles that say the same and name nothing.
        let same_title = self.missing.max(self.other_missing) == 0.0;
        let one_term = self.anchor == 0.0 && self.missing.min(self.other_missing) > 0.0;
        let least = match (same_title, self.title_words) {
            (true, LONG_TITLE..) => LEAST_LONG_TITLE,
            (true, _) => LEAST_SAME_TITLE,
            (false, _) => MEASURE.least,
        };
        if one_term || (!self.bodies && self.mass < least) {
            return Some(Veto::TooLittle);
        }
        (self.members > 1 && self.founder < FOUNDER).then_some(Veto::Drift)
    }
}

/// The least cosine of two cores whose stories may be one.
pub(super) fn merge_at(are_young: bool) -> f32 {
    if are_young { MEASURE.merge_young_at } else { MEASURE.merge_at }
}

/// Days up to which a story is young: what tells it comes thick and fast, and each hour tells news from what follows.
const YOUNG_DAYS: f32 = 0.5;

/// Words that both titles have and that are hardly names: the most that count.
const DEEDS_AT_MOST: u8 = 3;

/// What an entry should have in common with the story's first entry: as a cosine, and as the share of one title that the other
/// entry holds.
const FIRST_CORE: f32 = 0.35;
const FIRST_TITLE: f32 = 0.65;

/// Days up to which two stories may turn out to be parallel reports of one happening: six hours.
const PARALLEL_DAYS: f32 = 0.25;

/// The share from which on another story is a rival.
const RIVAL: f32 = 0.5;

/// Less than this in common with a story's first entry is drift.
const FOUNDER: f32 = 0.09;

/// The least that two entries without much text must share in rarity when their titles have the same words.
const LEAST_SAME_TITLE: f32 = 24.0;

/// The same for titles of so many words that no column has them by chance.
const LEAST_LONG_TITLE: f32 = 16.0;
const LONG_TITLE: u8 = 5;

/// What the amount of shared rarity counts: much shared in long texts is evidence that a cosine does not show.
const TOLD: f32 = 0.05;

/// The share of the one that tells less that two entries about different things have in common all the same.
const CONTAINED: f32 = 0.4;

/// The share of the entry's title that the members of a story about something else have all the same.
const TITLE_IN_STORY: f32 = 0.6;

/// The share of each of two titles that the other entry holds where they are one.
const ONE_TITLE: f32 = 0.85;

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
const COLD: f32 = 0.4;

/// What each piece of evidence counts.
struct Measure {
    threshold: f32,
    /// The shares of the cosine to the nearest member and of the lower of the two cosines; the core's has the rest.
    nearest: f32,
    lower: f32,
    /// What it counts that one title stands in the other entry, and that each does.
    title_held: f32,
    titles_held: f32,
    /// What a word counts that both titles have and that is hardly a name.
    deeds: f32,
    /// What it costs that the titles begin with different things.
    begins_apart: f32,
    /// What it counts that the one that tells less is held by the other.
    contained: f32,
    /// What it counts that the entry's title stands in the story, whichever members have its words.
    title_in_story: f32,
    /// What a day of silence in the story costs, and the days that cost nothing.
    silence: f32,
    silence_free_days: f32,
    /// The share of it that is waived where two feeds share much.
    silence_waived: f32,
    /// What a day of the story's age costs while it is young, and afterwards.
    young: f32,
    old: f32,
    /// The share of it that is waived where two feeds share much.
    age_waived: f32,
    /// What it costs to be unlike the story's first entry, and to share no title with it.
    first_core: f32,
    first_title: f32,
    /// What it costs to say the contrary of the nearest member, to tell as done what it or the first entry look ahead to, to
    /// explain, and to be told by a feed that told the story before.
    opposed: f32,
    in_time: f32,
    in_time_of_first: f32,
    /// The share of both that is waived while the story has only just begun.
    in_time_waived: f32,
    in_kind_of_first: f32,
    explains: f32,
    own_before: f32,
    /// What it costs that another story is as like the entry.
    rival: f32,
    /// Days after which nothing but a link joins a story.
    most_days: f32,
    /// What is taken off for a language whose neighbours are less alike.
    language: f32,
    /// What a day between the entry and the nearest member costs, and the logarithm of one and its hours.
    age: f32,
    since: f32,
    /// What is added for one feed, for titles without text (less than nothing), for two texts, and for each doubling of the
    /// story, nearly.
    same_feed: f32,
    title_only: f32,
    bodies: f32,
    size: f32,
    merge_at: f32,
    /// The same while both are young: parallel reports of what has only just happened.
    merge_young_at: f32,
    /// The least that two entries without much text must share in rarity.
    least: f32,
}

static MEASURE: Measure = Measure {
    threshold: 0.01,
    nearest: 0.64,
    lower: 0.264,
    title_held: 0.17,
    titles_held: 0.15,
    deeds: 0.12,
    begins_apart: 0.26,
    contained: 0.0,
    title_in_story: 0.12,
    silence: 0.15,
    young: 0.6,
    old: 0.3,
    age_waived: 0.4,
    first_core: 0.338,
    first_title: 1.0,
    opposed: 0.324,
    in_time: 0.34,
    in_time_of_first: 0.28,
    in_time_waived: 0.35,
    in_kind_of_first: 0.1,
    explains: 0.27,
    own_before: 0.07,
    rival: 0.7,
    most_days: 3.0,
    language: 2.0,
    silence_free_days: 0.1,
    silence_waived: 0.936,
    age: 0.05,
    since: 0.085,
    same_feed: 0.461,
    title_only: -0.085,
    bodies: 0.082,
    size: 0.012,
    merge_at: 0.85,
    merge_young_at: 0.6,
    least: 14.0,
};

#[cfg(test)]
mod tests {
    use super::*;

    fn alike() -> Similarity {
        Similarity {
            nearest: 0.6,
            core: 0.6,
            founder: 0.6,
            title_in_other: 0.8,
            other_title_in: 0.7,
            title_in_founder: 0.8,
            founder_title_in: 0.7,
            mass: 40.0,
            contained: 0.5,
            numbers_agree: 1.0,
            known: 1.0,
            members: 1,
            ..Similarity::default()
        }
    }

    fn margin(likeness: &Similarity) -> f32 {
        likeness.score() - likeness.threshold()
    }

    /// What it costs that something is so.
    fn cost(of: Similarity) -> f32 {
        margin(&alike()) - margin(&of)
    }

    #[test]
    fn what_speaks_against_a_fold_costs() {
        assert!(margin(&alike()) > 0.0);
        let against = [
            Similarity { same_feed: true, ..alike() },
            Similarity { gap_days: 2.0, ..alike() },
            Similarity { opposed: true, ..alike() },
            Similarity { differs_in_time: true, ..alike() },
            Similarity { explains: true, ..alike() },
            Similarity { rival: 1.0, ..alike() },
            Similarity { begins_apart: true, ..alike() },
            Similarity { founder: 0.1, title_in_founder: 0.1, founder_title_in: 0.1, ..alike() },
        ];
        for likeness in against {
            assert!(cost(likeness) > 0.0, "{likeness:?}");
        }
    }

    #[test]
    fn each_hour_of_a_young_story_costs_more_than_those_after() {
        let at = |days| cost(Similarity { story_age_days: days, ..alike() });
        assert!(at(0.25) > 0.0 && at(0.5) > at(0.25) && at(1.5) > at(0.5));
        assert!(at(0.5) / 0.5 >= at(1.5) - at(0.5), "per day");
    }

    #[test]
    fn silence_costs_less_where_two_feeds_share_much() {
        let late = |mass| Similarity { gap_days: 2.0, mass, ..alike() };
        let cost = |late: Similarity| margin(&Similarity { gap_days: 0.0, ..late }) - margin(&late);
        assert!(cost(late(80.0)) < cost(late(20.0)));
        assert!(cost(late(80.0)) < cost(Similarity { same_feed: true, ..late(80.0) }));
    }

    #[test]
    fn an_announcement_is_told_as_done_and_as_to_come_within_the_hour() {
        let at = |days| {
            cost(Similarity { differs_in_time: true, story_age_days: days, ..alike() })
                - cost(Similarity { story_age_days: days, ..alike() })
        };
        assert!(at(0.02) > 0.0 && at(0.02) < at(0.3));
    }

    #[test]
    fn what_two_titles_say_happened_counts_up_to_three_words() {
        let at = |deeds| cost(Similarity { deeds, ..alike() });
        assert!(at(1) < 0.0 && at(3) < at(1));
        assert!((at(3) - at(9)).abs() < f32::EPSILON);
        let of_one_feed = |deeds| margin(&Similarity { deeds, same_feed: true, ..alike() });
        assert!((of_one_feed(3) - of_one_feed(0)).abs() < f32::EPSILON);
    }

    #[test]
    fn the_first_hours_after_the_nearest_member_count_more_than_later_ones() {
        let at = |hours: f32| cost(Similarity { nearest_gap_days: hours / 24.0, ..alike() });
        assert!(at(1.0) > 0.0 && at(2.0) - at(1.0) > at(8.0) - at(7.0) && at(8.0) > at(7.0));
    }

    #[test]
    fn what_the_members_hold_together_of_a_title_counts() {
        assert!(cost(Similarity { title_in_story: 0.9, ..alike() }) < 0.0);
    }

    #[test]
    fn tables_are_held_to_their_numbers() {
        let table = Similarity { figures: 30, ..alike() };
        assert!(margin(&table) > 0.0);
        assert!(margin(&Similarity { numbers_agree: 0.0, ..table }) < 0.0);
    }

    #[test]
    fn less_is_asked_of_a_language_whose_neighbours_are_less_alike() {
        assert!(cost(Similarity { language_unlike: 0.04, ..alike() }) < 0.0);
    }

    #[test]
    fn some_things_forbid_a_fold_however_alike() {
        fn check(likeness: Similarity, expected: Option<Veto>) {
            assert_eq!(likeness.veto(), expected, "{likeness:?}");
        }
        check(alike(), None);
        check(Similarity { other_edition: true, nearest: 1.0, ..alike() }, Some(Veto::OtherEdition));
        check(Similarity { members: 5, founder: 0.01, ..alike() }, Some(Veto::Drift));
        check(Similarity { story_age_days: 3.1, ..alike() }, Some(Veto::Late));
        check(Similarity { further: true, ..alike() }, Some(Veto::Further));
    }

    #[test]
    fn what_would_have_joined_at_once_follows() {
        let late = Similarity { story_age_days: 2.0, gap_days: 1.0, differs_in_time: true, ..alike() };
        assert!(margin(&late) < 0.0 && late.would_follow());
        assert!(
            !Similarity { nearest: 0.1, core: 0.1, title_in_other: 0.1, other_title_in: 0.1, ..late }.would_follow()
        );
        assert!(!Similarity { other_edition: true, ..late }.would_follow());
    }
}
