//! One entry after another: what is decided of each, and what those that come after it go by.
//!
//! Pure: values in memory. `ingest` folds a document's entries with it, `newsfold fold` a stream of articles, and
//! `newsfold fold --from-store` what is stored. What is to be kept of an entry is theirs to store.

use chrono::{DateTime, Utc};

use super::fingerprint::Fingerprint;
use super::index::Index;
use super::link::{Linked, Pages, Standing, Telling};
use super::plan::{Decision, Verdict};
use super::{Article, EntryRef, Level};

/// What entries are folded by.
#[derive(Debug)]
pub struct Folding<'a> {
    /// The stories of the window; `None` where links alone are looked at.
    pub index: Option<&'a mut Index>,
    /// Who leads to the same pages.
    pub pages: &'a mut Pages,
}

/// What becomes of an entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Fold {
    /// Which story it tells, and why.
    pub verdict: Verdict,
    /// What is kept of it; `None` where links alone are looked at.
    pub fingerprint: Option<Fingerprint>,
}

impl Folding<'_> {
    /// Decides what becomes of an entry; nothing knows of it yet. `linked` is the telling that it joins for where it leads, and
    /// `article` what it says, which only the index asks for.
    #[must_use]
    pub fn decide(
        &self,
        telling: &Telling,
        article: Option<&Article<'_>>,
        level: Level,
        linked: Option<Linked>,
    ) -> Fold {
        let (Some(index), Some(article)) = (&self.index, article) else {
            let linked = linked.filter(|_| level >= Level::Link);
            return Fold { verdict: linked.map_or(Verdict::New { nearest: None }, Verdict::from), fingerprint: None };
        };
        let Decision { fingerprint, verdict } = index.plan(article, level, linked);
        // Who comes to a page of its own is no claim.
        let owns = |site: &super::canonical::Site| telling.permalinks.iter().all(|page| site.owns(page));
        let is_claim = fingerprint.is_claim && !telling.site.as_ref().is_some_and(owns);
        Fold { verdict, fingerprint: Some(Fingerprint { is_claim, ..fingerprint }) }
    }

    /// Has those that come after an entry go by what became of it; it leads to its pages `since` then. Gives the claims on its
    /// pages that made way for it, as its story's index now knows; so does the entry as it was `passed_on` before it came from
    /// where it was told.
    pub fn apply(
        &mut self,
        telling: &Telling,
        fold: &Fold,
        since: DateTime<Utc>,
        passed_on: Option<EntryRef>,
    ) -> Vec<EntryRef> {
        let story = fold.verdict.story(telling.entry);
        let mut made_way = Vec::new();
        if let Verdict::Joins { absorbs, .. } = &fold.verdict {
            absorbs.iter().for_each(|younger| self.pages.absorb(story, *younger));
            made_way = self.pages.outranked(telling, story).collect();
            made_way.extend(passed_on.filter(|passed_on| !made_way.contains(passed_on)));
        }
        let speaks = matches!(fold.verdict, Verdict::New { .. }) || !made_way.is_empty();
        self.pages.add(telling, Standing { story, speaks, since: Some(since) });
        if let (Some(index), Some(fingerprint)) = (&mut self.index, &fold.fingerprint) {
            index.enter(fingerprint, &fold.verdict);
            made_way.iter().for_each(|claim| index.discount(*claim, story));
        }
        made_way
    }
}

#[cfg(test)]
mod tests {
    use super::super::canonical::Site;
    use super::super::weights::Weights;
    use super::super::{Rules, StoryRef};
    use super::*;

    const AT: DateTime<Utc> = DateTime::from_timestamp(1_768_046_400, 0).unwrap();

    fn telling(entry: u64, site: Option<&str>) -> Telling {
        Telling {
            entry: EntryRef(entry),
            feed: Some(entry),
            permalinks: vec!["https://town.example/bridge".parse().unwrap()],
            title: format!("Bridge closed {entry}"),
            site: site.map(Site::new),
            published: AT,
            text: None,
            seen: AT,
            left: None,
        }
    }

    fn article(telling: &Telling) -> Article<'_> {
        Article {
            page: None,
            entry: telling.entry,
            feed: telling.feed,
            title: &telling.title,
            summary: "",
            content: "",
            language: None,
            at: AT,
            published: None,
        }
    }

    /// Folds these one after another, and gives the story of each, whether it is a claim, and what made way for it.
    fn fold(tellings: &[Telling]) -> Vec<(StoryRef, bool, Vec<EntryRef>)> {
        let (mut index, mut pages) = (Index::new(Rules::default(), Weights::default()), Pages::default());
        let mut folding = Folding { index: Some(&mut index), pages: &mut pages };
        let mut one = |telling: &Telling| {
            folding.pages.note(telling);
            let linked = folding.pages.find(telling);
            let fold = folding.decide(telling, Some(&article(telling)), Level::Link, linked);
            let made_way = folding.apply(telling, &fold, AT, None);
            (fold.verdict.story(telling.entry), fold.fingerprint.unwrap().is_claim, made_way)
        };
        tellings.iter().map(&mut one).collect()
    }

    #[test]
    fn who_comes_to_a_page_of_its_own_is_no_claim_and_claims_make_way_for_it() {
        let story = StoryRef(1);
        let folded =
            fold(&[1, 2, 3].map(|entry| telling(entry, Some(if entry == 3 { "town.example" } else { "a.example" }))));
        let expected = [(story, false, vec![]), (story, true, vec![]), (story, false, vec![EntryRef(1), EntryRef(2)])];
        assert_eq!(folded, expected);
    }

    #[test]
    fn where_nothing_is_known_of_sites_every_claim_is_believed() {
        assert_eq!(fold(&[1, 2].map(|entry| telling(entry, None)))[1], (StoryRef(1), true, vec![]));
    }

    #[test]
    fn without_an_index_links_alone_are_looked_at() {
        let mut pages = Pages::default();
        let folding = Folding { index: None, pages: &mut pages };
        let linked = Linked { story: StoryRef(1), matched: EntryRef(1) };
        let fold = |level| folding.decide(&telling(2, None), None, level, Some(linked));
        assert_eq!(fold(Level::Link), Fold { verdict: linked.into(), fingerprint: None });
        assert_eq!(fold(Level::Off).verdict, Verdict::New { nearest: None });
    }
}
