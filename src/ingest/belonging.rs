//! Whether an entry still belongs to its story: asked again when it was edited, and when what it joined by is discounted.
//!
//! Edge, inside the transaction of [`super::ingest`].

use crate::fold::Article;
use crate::fold::link::{Pages, Telling};
use crate::fold::plan::{Decision, Rule, Verdict};
use crate::fold::words::Words;
use crate::model::{EntryRef, Level, StoryRef};
use crate::store::{Error, Result, WriterCache, entries, fingerprints, stories};

use super::Intake;

/// With how many others of its story an entry is compared, the first to tell it.
const COMPARED: usize = 4;
/// How many entries of one story are asked at once.
const ASKED: usize = 100;

/// What others tell of a story, by which it is asked whether an entry of this feed does.
#[derive(Debug, Default)]
pub(super) struct Others {
    tellings: Vec<stories::Telling>,
    is_by_person: bool,
}

impl Others {
    /// The tellings of a story that `are_certain`. A person's word on the story is not asked again.
    fn of(coverage: Vec<stories::Telling>, are_certain: impl Fn(&stories::Telling) -> bool) -> Self {
        let is_by_person =
            |telling: &stories::Telling| telling.fold.as_ref().is_some_and(|fold| fold.rule == Rule::Person.name());
        Self {
            is_by_person: coverage.iter().any(is_by_person),
            tellings: coverage.into_iter().filter(are_certain).collect(),
        }
    }
}

impl Intake<'_> {
    /// Takes an edited entry out of its story if it does not tell any more what other feeds tell there.
    ///
    /// What its own feed tells there proves nothing. What others do is read once for all entries of a document, which cannot
    /// change it.
    pub(super) fn ask_edited(&mut self, memory: &mut WriterCache, entry: EntryRef, story: StoryRef) -> Result<()> {
        let own = self.record.feed.feed;
        let others = match self.others.remove(&story) {
            Some(others) => others,
            None => Others::of(stories::coverage(self.tx, story)?, |telling| telling.feed != own),
        };
        if !others.tellings.is_empty()
            && let Some(telling) = stories::telling(self.tx, entry)?
            && !self.still_tells(&telling, &others)?
        {
            self.move_out(memory, &telling, story)?;
        }
        self.others.insert(story, others);
        Ok(())
    }

    /// Takes those out of a story who joined by what `made_way` for its owner, and do not tell what the owner tells.
    pub(super) fn ask_those_who_joined_claims(
        &mut self,
        memory: &mut WriterCache,
        owner: EntryRef,
        made_way: &[EntryRef],
        story: StoryRef,
    ) -> Result<()> {
        let coverage = stories::coverage(self.tx, story)?;
        let is_doubtful = |telling: &&stories::Telling| telling.entry != owner && !made_way.contains(&telling.entry);
        let doubtful: Vec<stories::Telling> = coverage.iter().filter(is_doubtful).take(ASKED).cloned().collect();
        let certain = Others::of(coverage, |telling| telling.entry == owner);
        for telling in &doubtful {
            if !self.still_tells(telling, &certain)? {
                self.move_out(memory, telling, story)?;
            }
        }
        Ok(())
    }

    /// Whether an entry tells what others tell: it leads to a page of theirs, or has words of theirs.
    fn still_tells(&self, telling: &stories::Telling, others: &Others) -> Result<bool> {
        let leads_there = |other: &stories::Telling| {
            let leads = |page: &str| telling.candidate.pages.iter().any(|own| own.without_scheme() == page);
            other.candidate.pages.iter().any(|page| leads(page.without_scheme()))
        };
        if others.is_by_person || others.tellings.iter().any(leads_there) {
            return Ok(true);
        }
        let words = |entry| Ok::<_, Error>(Words::of(&entries::text_of(self.tx, entry)?.article()));
        let told = words(telling.entry)?;
        for other in others.tellings.iter().take(COMPARED) {
            if told.tell_the_same(&words(other.entry)?) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Moves an entry out of a story into the one where it belongs, which it may have to found.
    fn move_out(&mut self, memory: &mut WriterCache, left: &stories::Telling, from: StoryRef) -> Result<()> {
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
        let (fingerprint, verdict) = if level < Level::Copy {
            (None, linked.map_or(Verdict::New { nearest: None }, Verdict::from))
        } else {
            let text = entries::text_of(self.tx, entry)?;
            let Decision { fingerprint, verdict } = self.decide(memory, &Article { at, ..text.article() }, linked)?;
            (Some(fingerprint), verdict)
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
        if let (Some(index), Some(fingerprint)) = (&mut memory.index, &fingerprint) {
            index.keep(fingerprint, story);
        }
        fingerprint.iter().try_for_each(|fingerprint| fingerprints::add(self.tx, fingerprint))
    }

    /// Gives an entry that leaves its story one of its own.
    fn found_anew(&self, memory: &mut WriterCache, entry: EntryRef) -> Result<StoryRef> {
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
