//! Whether an entry still belongs to its story: asked again when it was edited, and when what it joined by is discounted.
//!
//! Edge, inside the transaction of [`super::ingest`].

use crate::fold::Article;
use crate::fold::link::{Pages, Telling};
use crate::fold::plan::{Decision, Rule, Verdict};
use crate::fold::words::Words;
use crate::model::{EntryRef, Level, StoryRef};
use crate::store::{Memory, Result, entries, prints, stories};

use super::Intake;

/// With how many others of its story an entry is compared, the first to tell it.
const COMPARED: usize = 4;
/// How many entries of one story are asked at once.
const ASKED: usize = 100;

impl Intake<'_> {
    /// Takes the entries out of a story of whom it `is_doubtful` that they tell it, and who do not tell what those that
    /// are `certain` tell; asks where they belong as if they were new. A person's word is not asked again.
    pub(super) fn ask_again(
        &mut self,
        memory: &mut Memory,
        story: StoryRef,
        is_doubtful: impl Fn(EntryRef) -> bool,
        is_certain: impl Fn(EntryRef) -> bool,
    ) -> Result<()> {
        let coverage = stories::coverage(self.tx, story)?;
        let is_by_person =
            |telling: &stories::Telling| telling.fold.as_ref().is_some_and(|fold| fold.rule == Rule::Person.name());
        if coverage.len() < 2 || coverage.iter().any(is_by_person) {
            return Ok(());
        }
        let certain: Vec<&stories::Telling> = coverage.iter().filter(|telling| is_certain(telling.entry)).collect();
        for telling in coverage.iter().filter(|telling| is_doubtful(telling.entry)).take(ASKED) {
            if !self.still_tells(telling, &certain)? {
                self.move_out(memory, telling, story)?;
            }
        }
        Ok(())
    }

    /// Whether an entry tells what others in its story tell: it leads to a page of theirs, or has words of theirs. What its own
    /// feed tells there proves nothing, as long as others do.
    fn still_tells(&self, telling: &stories::Telling, others: &[&stories::Telling]) -> Result<bool> {
        let mut others: Vec<&&stories::Telling> = others.iter().filter(|other| other.feed != telling.feed).collect();
        let leads_there = |other: &&&stories::Telling| {
            let leads = |page: &str| telling.candidate.pages.iter().any(|own| own.without_scheme() == page);
            other.candidate.pages.iter().any(|page| leads(page.without_scheme()))
        };
        if others.is_empty() || others.iter().any(leads_there) {
            return Ok(true);
        }
        others.truncate(COMPARED);
        let words = |entry| Ok::<_, crate::store::Error>(Words::of(&entries::text_of(self.tx, entry)?.article()));
        let told = words(telling.entry)?;
        for other in others {
            if told.tell_the_same(&words(other.entry)?) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Moves an entry out of a story into the one where it belongs, which it may have to found.
    fn move_out(&mut self, memory: &mut Memory, left: &stories::Telling, from: StoryRef) -> Result<()> {
        let (entry, at, level) = (left.entry, self.record.at, self.record.terms.level);
        if let Some(index) = &mut memory.index {
            index.withdraw(entry, from);
        }
        let telling = Telling {
            entry,
            feed: Some(left.feed.0),
            permalinks: left.candidate.pages.clone(),
            title: left.title.clone(),
            site: Some(left.candidate.site.clone()),
            published: left.published.unwrap_or(left.first_seen),
        };
        let mut pages = match level {
            Level::Off => Pages::default(),
            _ => entries::leading_to(self.tx, telling.permalinks.iter())?,
        };
        pages.note(&telling);
        let linked = pages.find(&telling).filter(|linked| linked.story != from);
        let (print, verdict) = if level < Level::Copy {
            (None, linked.map_or(Verdict::New { nearest: None }, Verdict::from))
        } else {
            let text = entries::text_of(self.tx, entry)?;
            let Decision { print, verdict } = self.decide(memory, &Article { at, ..text.article() }, linked)?;
            (Some(print), verdict)
        };
        let story = match verdict {
            Verdict::Joins { rule, found, .. } => {
                stories::enter(self.tx, entry, found.story)?;
                stories::link(self.tx, entry, rule, &found, at)?;
                found.story
            }
            Verdict::New { .. } => self.found_anew(memory, entry)?,
        };
        entries::tells_since(self.tx, entry, at)?;
        self.touched.extend([from, story]);
        if let (Some(index), Some(print)) = (&mut memory.index, &print) {
            index.keep(print, story);
        }
        print.iter().try_for_each(|print| prints::add(self.tx, print))
    }

    /// Gives an entry that leaves its story one of its own.
    fn found_anew(&self, memory: &mut Memory, entry: EntryRef) -> Result<StoryRef> {
        let spare = match memory.next_entry {
            Some(next) => next,
            None => entries::next_ref(self.tx)?,
        };
        let alone = stories::leave(self.tx, entry, spare, self.record.at)?;
        let EntryRef(next) = spare;
        memory.next_entry = Some(EntryRef(next + u64::from(alone == StoryRef::founded_by(spare))));
        Ok(alone)
    }
}
