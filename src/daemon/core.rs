//! What the daemon decides: a value that events change, and that says what is to be done about each.
//!
//! Pure but for the log: no runtime, no store, no clock. [`Core::handle`] takes an event and the instant, and gives actions, which
//! the loop carries out in their order; what takes time is work in a task of its own, whose end is another event. So months of
//! polls, outages and reloads can be let pass in a test (`weeks`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::agenda::{Agenda, Now};
use super::work::{Came, Done, Failure, Pending, Publication, Synced, Work, Works};
use crate::config::Config;
use crate::host_queue::Outcome;
use crate::maintenance::{self, Kept};
use crate::metrics::Counters;
use crate::model::FeedRef;
use crate::notify::{Told, Watcher};
use crate::plural::counted;
use crate::politeness::Politeness;
use crate::poll::{PollJob, Polled, Report};
use crate::publish::theme::Theme;
use crate::publish::{Output, Published, digest, files};
use crate::serve::{Health, Pulse};
use crate::store::stories::DamagedEntry;
use crate::store::{self, Policy, Trouble};
use crate::subscriptions::Subscriptions;
use crate::websub::callback::Word;

/// What changed within this time is published together.
const PUBLISH_EVERY: Duration = Duration::from_secs(2);
/// The next publishing waits so many times as long as the last one took, so that large outputs do not keep a processor busy; and
/// no longer than that.
const PUBLISH_RESTS: u32 = 9;
const LONGEST_REST: Duration = Duration::from_secs(10);
/// How long the start waits for the store before what it holds already is published.
const FOR_THE_STORE: Duration = Duration::from_secs(3);
/// The service manager is told no later than this that the daemon is ready, or that the configuration was read again, whatever
/// is still being rendered: a large store is no reason to end a start. What is not rendered yet is answered with 503.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// What happened.
pub(super) enum Event {
    /// Time passed.
    Time,
    /// It is time to look for what no event tells of.
    Look,
    /// The service manager wants to know whether all goes on.
    Watchdog,
    /// A poll is done, or what it brought could not be stored.
    Polled(Outcome),
    /// A piece of work ended.
    Ended(Work, Came),
    /// A hub said something.
    Told(Word),
    /// The store cannot be written to, or can again.
    Store(Option<Trouble>),
    /// The configuration was read again, or is wrong.
    Reread(Result<Box<(Config, Option<Theme>)>, String>),
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Action {
    /// A piece of work.
    Begin(Work),
    /// Polls, in line at their hosts.
    Poll(Vec<PollJob>),
    /// What polls and hubs go by is that of a configuration that came into force.
    TakeUp,
    /// Readers are to see what was rendered.
    Show,
    /// Whoever started us is to know where to subscribe.
    Greet,
    /// The service manager is to know that the start, or a reload, is done.
    Ready,
    /// The service manager is to know that all goes on.
    Alive,
    /// The log is to know.
    Tell(News),
    /// Waiting does not mend this.
    End(store::Error),
}

impl Action {
    /// Whether it only says something, which is to be so by then.
    pub(super) fn is_a_word(&self) -> bool {
        matches!(self, Self::Greet | Self::Ready | Self::Tell(_))
    }
}

/// What the log is told of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Readers see what was rendered.
    Published { outputs: usize },
    /// A configuration that was read again is in force,
    Reloaded { feeds: usize },
    /// or waits until the store can take it up,
    ReloadWaits,
    /// or is wrong.
    Refused { problems: String },
    /// Work failed with these words, and is tried again after a pause.
    Failed { work: Work, what: String, pause: Duration },
    /// What failed before was done.
    Recovered { work: Work },
}

/// Of what the service manager is to be told that it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Start,
    Reload,
}

/// The daemon, but for what it touches. Times without a date are since its start.
pub(super) struct Core {
    config: Arc<Config>,
    theme: Theme,
    outputs: Vec<Output>,
    /// Who is to be told of stories.
    watchers: Arc<[Watcher]>,
    agenda: Agenda,
    politeness: Politeness,
    works: Works,
    /// The configuration that is to come into force.
    pending: Option<Pending>,
    /// Whether the store's feeds are those of a configuration that was read by this process.
    is_synced: bool,
    /// Counts the configurations that came into force.
    edition: u64,
    awaited: Option<(Awaited, Duration)>,
    /// Whether a reload was told of before it was in force.
    is_reload_late: bool,
    /// Whether readers are to be answered.
    is_serving: bool,
    /// Whether the end has come, so that nothing new is begun.
    is_stopping: bool,
    /// Feeds that their hubs tell of no more, and those of them that are being looked up.
    untended: Vec<FeedRef>,
    tending: Vec<FeedRef>,
    /// What keeps the store from being written to.
    store_trouble: Option<Trouble>,
    /// What work failed the last time it was tried, and why.
    troubles: BTreeMap<Work, String>,
    /// What is wrong with the configuration that was last read, if it was not taken.
    refused: Option<String>,
    is_stale: bool,
    publish_at: Duration,
    are_files_stale: bool,
    /// Whether documents may have changed since our hub was told.
    is_hub_stale: bool,
    /// Whether there may be stories that somebody is to be told of.
    is_anybody_untold: bool,
    /// When those who could not be told may be tried again, since the daemon started.
    tell_again_at: Option<Duration>,
    /// Whether there may be entries that were not looked for in other languages.
    is_anything_unencoded: bool,
    /// Whether commands that follow changed files may be owed.
    are_commands_owed: bool,
    /// When the store is tidied next.
    tidy_at: Duration,
    look_for_corrections: bool,
    ask_hubs: bool,
    /// When the next digest is due.
    digest_at: Option<DateTime<Utc>>,
    /// How many corrections by a person are published.
    corrections: u64,
    published: Published,
    counters: Counters,
    polls: u64,
}

impl Core {
    /// A daemon that starts: `subscriptions` and `outputs` are what the store knows of the configuration already.
    pub(super) fn new(
        config: Arc<Config>,
        theme: Theme,
        subscriptions: Subscriptions,
        outputs: Vec<Output>,
        politeness: Politeness,
        now: Now,
    ) -> Self {
        Self {
            pending: Some(Pending { config: config.clone(), theme: Some(theme.clone()) }),
            config,
            theme,
            outputs,
            watchers: Arc::default(),
            agenda: Agenda::new(subscriptions, politeness.clone(), now),
            politeness,
            works: Works::default(),
            is_synced: false,
            edition: 0,
            awaited: Some((Awaited::Start, now.steady + READY_WITHIN)),
            is_reload_late: false,
            is_serving: false,
            is_stopping: false,
            untended: Vec::new(),
            tending: Vec::new(),
            store_trouble: None,
            troubles: BTreeMap::new(),
            refused: None,
            is_stale: true,
            publish_at: now.steady,
            are_files_stale: false,
            is_hub_stale: false,
            is_anybody_untold: false,
            tell_again_at: None,
            is_anything_unencoded: false,
            are_commands_owed: false,
            tidy_at: now.steady,
            look_for_corrections: false,
            ask_hubs: false,
            digest_at: None,
            corrections: 0,
            published: Published::default(),
            counters: Counters::of_tasks(Work::ALL.map(Work::name)),
            polls: 0,
        }
    }

    /// Handles an event: gives what is to be done, in this order, but that what only says something is said last.
    pub(super) fn handle(&mut self, event: Event, now: Now) -> Vec<Action> {
        let mut actions = Vec::new();
        self.agenda.heed_the_clock(now);
        match event {
            Event::Time => {}
            Event::Look => self.look_around(now),
            // This loop turns, and once the writer of the store does, so does that.
            Event::Watchdog => self.begin_if(!self.works.is_under_way(Work::Watchdog), Work::Watchdog, &mut actions),
            Event::Polled(outcome) => self.polled(outcome, now, &mut actions),
            Event::Ended(work, came) => self.ended(work, came, now, &mut actions),
            Event::Told(Word::News) => (self.is_stale, self.is_anything_unencoded) = (true, true),
            Event::Told(Word::Ended(feed)) => self.untended.push(feed),
            Event::Store(trouble) => {
                self.counters.is_store_refusing = trouble.is_some();
                self.store_trouble = trouble;
            }
            Event::Reread(Ok(read)) => self.reload(*read, now),
            Event::Reread(Err(problems)) => self.refuse(problems, &mut actions),
        }
        if self.awaited.is_some_and(|(_, at)| at <= now.steady) {
            self.announce(&mut actions);
        }
        if !self.is_stopping {
            self.begin_work(now, &mut actions);
        }
        actions
    }

    /// How long nothing is to be done unless something happens.
    pub(super) fn rests_for(&self, now: Now) -> Option<Duration> {
        let until_due = self.may_lease(now).then(|| self.agenda.until_due(now));
        let until_told = self.awaited.map(|(_, at)| at.saturating_sub(now.steady));
        let until_published = self.is_stale.then(|| self.publish_at.saturating_sub(now.steady));
        // What is held up by more than that is begun with the next event.
        let until_published = until_published.filter(|rest| !rest.is_zero());
        until_due.into_iter().chain(until_told).chain(until_published).min()
    }

    /// Whether what came of polls can be handled: while the store takes a configuration up, what it holds and what we know may
    /// differ.
    pub(super) fn takes_reports(&self) -> bool {
        !self.works.is_under_way(Work::Sync)
    }

    /// Begins all work that is to be done now and is not under way.
    fn begin_work(&mut self, now: Now, actions: &mut Vec<Action>) {
        let (may, at) = (|core: &Self, work| core.works.may_begin(work, now.steady), now.steady);
        self.begin_if(self.pending.is_some() && may(self, Work::Sync), Work::Sync, actions);
        if self.may_lease(now) && self.agenda.choose(now.wall) {
            self.begin(Work::Lease, actions);
        }
        let is_known = self.is_synced || at >= FOR_THE_STORE;
        if self.is_stale && is_known && at >= self.publish_at && may(self, Work::Publish) {
            (self.is_stale, self.publish_at) = (false, at + PUBLISH_EVERY);
            self.begin(Work::Publish, actions);
        }
        if self.are_files_stale && may(self, Work::Files) {
            self.are_files_stale = false;
            self.begin(Work::Files, actions);
        }
        if self.is_hub_stale && may(self, Work::TellHub) {
            self.is_hub_stale = false;
            self.begin_if(self.config.serve.hub.is_some(), Work::TellHub, actions);
        }
        if self.are_commands_owed && self.is_synced && may(self, Work::Commands) {
            self.are_commands_owed = false;
            self.begin(Work::Commands, actions);
        }
        self.is_anybody_untold |= self.tell_again_at.is_some_and(|again| again <= at);
        if self.is_anybody_untold && self.is_synced && may(self, Work::Notify) {
            (self.is_anybody_untold, self.tell_again_at) = (false, None);
            self.begin(Work::Notify, actions);
        }
        if self.is_anything_unencoded && self.is_synced && may(self, Work::Encode) {
            self.is_anything_unencoded = false;
            self.begin_if(self.config.fold.encoder.is_some(), Work::Encode, actions);
        }
        if self.is_synced && at >= self.tidy_at && may(self, Work::Tidy) {
            self.tidy_at = at + maintenance::every(self.config.store.keep);
            self.begin(Work::Tidy, actions);
        }
        // While something is being published it is not known which corrections will have been.
        if self.look_for_corrections && !self.works.is_under_way(Work::Publish) && may(self, Work::Corrections) {
            self.look_for_corrections = false;
            self.begin(Work::Corrections, actions);
        }
        if self.ask_hubs && self.is_synced && may(self, Work::Hubs) {
            self.ask_hubs = false;
            self.begin(Work::Hubs, actions);
        }
        if !self.untended.is_empty() && may(self, Work::Replan) {
            self.tending = std::mem::take(&mut self.untended);
            self.begin(Work::Replan, actions);
        }
        self.begin_if(self.is_serving && may(self, Work::Serve), Work::Serve, actions);
    }

    fn begin(&mut self, work: Work, actions: &mut Vec<Action>) {
        self.works.begin(work);
        actions.push(Action::Begin(work));
    }

    fn begin_if(&mut self, is_wanted: bool, work: Work, actions: &mut Vec<Action>) {
        if is_wanted {
            self.begin(work, actions);
        }
    }

    /// Whether feeds that are due may be polled now: not before the configuration is in force.
    fn may_lease(&self, now: Now) -> bool {
        self.is_synced && self.awaited.is_none() && self.works.may_begin(Work::Lease, now.steady)
    }

    /// Handles the end of a piece of work.
    fn ended(&mut self, work: Work, came: Came, now: Now, actions: &mut Vec<Action>) {
        self.works.end(work);
        let done = match came {
            Ok(Done::Served) if self.is_serving => return self.failed(work, Failure::Ended, now, actions),
            Ok(done) => done,
            // It was taken out of the configuration while it was asked.
            Err(Failure::Later { .. }) if work == Work::Encode && self.config.fold.encoder.is_none() => return,
            Err(failure) => return self.failed(work, failure, now, actions),
        };
        let done = match done {
            Done::Published(publication) => return self.show(*publication, now, actions),
            Done::Notified(told) if !told.untold.is_empty() => return self.tell_again(&told, now, actions),
            done => done,
        };
        self.succeeded(work, actions);
        match done {
            // Nothing new is begun at the end.
            Done::Synced(_) | Done::Leased(_) if self.is_stopping => {}
            Done::Synced(synced) => self.apply(*synced, now, actions),
            Done::Leased(leased) => actions.push(Action::Poll(self.agenda.leased(leased, now.wall))),
            Done::Tidied(kept) => tell_kept(kept),
            Done::Corrections(corrections) => self.is_stale |= corrections != self.corrections,
            Done::Known(states) => self.agenda.replan(states),
            Done::Alive => actions.push(Action::Alive),
            Done::FilesWritten(took) => {
                self.are_commands_owed = true;
                self.rest_after_publishing(took, now);
            }
            Done::Notified(told) => self.tell_again_at = told.again_in.map(|wait| now.steady + wait),
            Done::Encoded(turn) => {
                self.counters.encode(turn.encoded, turn.found);
                self.is_stale |= turn.found > 0;
                self.is_anything_unencoded |= !turn.is_done;
            }
            Done::Published(_) | Done::CommandsRun | Done::HubsAsked | Done::HubTold | Done::Served => {}
        }
    }

    fn succeeded(&mut self, work: Work, actions: &mut Vec<Action>) {
        self.works.succeeded(work);
        if self.troubles.remove(&work).is_some() {
            actions.push(Action::Tell(News::Recovered { work }));
        }
    }

    /// Tells of work that failed, and sees to it that it is done later.
    fn failed(&mut self, work: Work, failure: Failure, now: Now, actions: &mut Vec<Action>) {
        let failure = match failure {
            Failure::Store(error) | Failure::Files(files::WriteError::Store(error))
                if error.policy() == Policy::Exit =>
            {
                return actions.push(Action::End(error));
            }
            failure => failure,
        };
        let rest = if let Failure::Later { rest, .. } = &failure { *rest } else { None };
        let pause = self.works.failed(work, now.steady, rest);
        self.note_trouble(work, &failure.to_string(), pause, actions);
        match work {
            Work::Lease => self.agenda.put_off(now.wall),
            Work::Publish => self.is_stale = true,
            Work::Files => self.are_files_stale = true,
            Work::Tidy => self.tidy_at = now.steady,
            Work::Replan => self.untended.append(&mut self.tending),
            Work::TellHub => self.is_hub_stale = true,
            Work::Notify => self.is_anybody_untold = true,
            Work::Encode => self.is_anything_unencoded = true,
            Work::Commands => self.are_commands_owed = true,
            // What these look for is looked for again, and a configuration stays pending until it is in force.
            Work::Sync | Work::Corrections | Work::Hubs | Work::Watchdog | Work::Serve => {}
        }
        if matches!(work, Work::Sync | Work::Publish) && self.is_reload() {
            self.announce(actions);
        }
    }

    /// Tells of people who could not be told of stories, and sees to it that they are later. The others do not wait for that.
    fn tell_again(&mut self, Told { untold, again_in }: &Told, now: Now, actions: &mut Vec<Action>) {
        self.tell_again_at = again_in.map(|wait| now.steady + wait);
        self.works.succeeded(Work::Notify);
        self.note_trouble(Work::Notify, &untold.join("; "), again_in.unwrap_or_default(), actions);
    }

    /// Keeps what is wrong with a kind of work for whoever asks, and tells of it once.
    fn note_trouble(&mut self, work: Work, why: &str, pause: Duration, actions: &mut Vec<Action>) {
        self.counters.task_failed(work.name());
        let what = format!("{}: {why}", work.failed());
        if self.troubles.insert(work, what.clone()).as_ref() != Some(&what) {
            actions.push(Action::Tell(News::Failed { work, what, pause }));
        }
    }

    /// What no event tells of is to be looked for.
    fn look_around(&mut self, now: Now) {
        (self.look_for_corrections, self.ask_hubs) = (true, true);
        if self.digest_at.is_some_and(|at| at <= now.wall) {
            self.is_stale = true;
            self.plan_digests(now.wall);
        }
    }

    /// Looks up when the next digest is due.
    fn plan_digests(&mut self, now: DateTime<Utc>) {
        self.digest_at = self.outputs.iter().filter_map(|output| digest::next(output, now)).min();
    }

    /// Notes what came of a poll.
    fn polled(&mut self, outcome: Outcome, now: Now, actions: &mut Vec<Action>) {
        match outcome {
            Ok(report) => {
                self.count(&report);
                self.agenda.polled(report, now.wall);
            }
            Err((_, error)) if error.policy() == Policy::Exit => actions.push(Action::End(error)),
            Err((feed, error)) => self.agenda.not_stored(feed, &error, now.wall),
        }
    }

    fn count(&mut self, Report { feed, polled, outcome, .. }: &Report) {
        self.polls += 1;
        if let Some(outcome) = outcome {
            let bytes = feed.recent.iter().next_back().map_or(0, |newest| newest.bytes);
            self.counters.poll(*outcome, bytes);
        }
        match polled {
            Polled::Document(ingested) => {
                self.counters.ingest(*ingested);
                self.is_stale |= ingested.changed();
                self.is_anything_unencoded |= ingested.changed();
            }
            // The feeds that it names are taken up as those of a configuration that was read again.
            Polled::List(true) if self.pending.is_none() => {
                self.pending = Some(Pending { config: self.config.clone(), theme: Some(self.theme.clone()) });
            }
            _ => {}
        }
    }

    /// Takes up a configuration that was read again. It is in force once the store has it.
    fn reload(&mut self, (mut config, theme): (Config, Option<Theme>), now: Now) {
        let (serve, before) = (&config.serve, &self.config.serve);
        if (&serve.listen, &serve.admin, &config.store.path) != (&before.listen, &before.admin, &self.config.store.path)
        {
            tracing::warn!(
                name: "config.needs_restart",
                "a changed `serve.listen`, `serve.admin` or `store.path` takes effect at the next start"
            );
        }
        config.serve = config.serve.as_long_as_it_listens(&self.config.serve);
        self.refused = None;
        self.pending = Some(Pending { config: Arc::new(config), theme });
        self.awaited = Some((Awaited::Reload, now.steady + READY_WITHIN));
    }

    /// Keeps the configuration as it is, because the one in the file is wrong.
    fn refuse(&mut self, problems: String, actions: &mut Vec<Action>) {
        self.refused = problems.lines().next().map(str::to_owned);
        self.counters.reload(true);
        actions.push(Action::Tell(News::Refused { problems }));
        actions.push(Action::Ready);
    }

    /// Puts a configuration that the store has into force.
    fn apply(&mut self, synced: Synced, now: Now, actions: &mut Vec<Action>) {
        let Synced { pending, subscriptions, outputs, watchers, due, cooldowns } = synced;
        // One that was read meanwhile is applied next.
        self.pending = self.pending.take().filter(|next| !Arc::ptr_eq(&next.config, &pending.config));
        self.politeness.cooldowns().restore_all(cooldowns);
        if pending.config.store != self.config.store {
            self.tidy_at = now.steady;
        }
        self.config = pending.config;
        self.theme = pending.theme.unwrap_or_else(|| self.theme.clone());
        (self.outputs, self.watchers) = (outputs, watchers.into());
        self.plan_digests(now.wall);
        self.agenda.take_up(subscriptions, due, now.wall);
        (self.is_synced, self.is_stale, self.is_anything_unencoded) = (true, true, true);
        self.publish_at = now.steady;
        if self.config.fold.encoder.is_none() {
            self.troubles.remove(&Work::Encode);
        }
        self.edition += 1;
        self.counters.is_config_refused = self.refused.is_some();
        actions.push(Action::TakeUp);
    }

    /// Has what changes from now on wait, the longer the longer publishing took.
    fn rest_after_publishing(&mut self, took: Duration, now: Now) {
        self.publish_at = self.publish_at.max(now.steady + LONGEST_REST.min(took * PUBLISH_RESTS));
    }

    /// Has readers see what was rendered. Outputs that could not be rendered keep what they had, and are tried again.
    fn show(&mut self, publication: Publication, now: Now, actions: &mut Vec<Action>) {
        let Publication { rendered, edition, corrections, is_indexed, took } = publication;
        let before = std::mem::replace(&mut self.published, rendered.clone());
        for (story, title) in rendered.damaged().iter().filter(|(story, _)| !before.damaged().contains_key(story)) {
            tracing::error!(
                name: "story.text_damaged",
                { story.id = %story },
                "{title}: its text is damaged in the store, so it is shown without; `newsfold store check --repair` has its feed asked for it again"
            );
        }
        for DamagedEntry { entry, feed } in rendered.damaged_entries().difference(before.damaged_entries()) {
            tracing::error!(
                name: "entry.damaged",
                { feed.name = feed, entry.id = entry.0 },
                "the entry is damaged in the store and not shown; `newsfold store check --repair` has its feed asked for it again"
            );
        }
        self.corrections = corrections;
        self.is_stale |= !is_indexed;
        (self.are_files_stale, self.is_hub_stale, self.is_anybody_untold) = (true, true, !self.watchers.is_empty());
        self.counters.render = took;
        self.rest_after_publishing(took, now);
        self.counters.stories_left_out = rendered.stories_left_out();
        actions.push(Action::Show);
        actions.push(Action::Tell(News::Published { outputs: self.outputs.len() }));
        if edition == self.edition && self.is_synced && self.pending.is_none() {
            self.announce(actions);
        }
        match rendered.failures() {
            failures if failures.is_empty() => self.succeeded(Work::Publish, actions),
            failures => self.failed(Work::Publish, Failure::Some(failures.join("; ")), now, actions),
        }
    }

    fn is_reload(&self) -> bool {
        matches!(self.awaited, Some((Awaited::Reload, _)))
    }

    /// Tells of a start or a reload that is done, or that takes longer than anybody should wait for it.
    fn announce(&mut self, actions: &mut Vec<Action>) {
        let is_in_force = self.pending.is_none();
        match self.awaited.take() {
            Some((Awaited::Start, _)) => actions.push(Action::Greet),
            None if !self.is_reload_late || !is_in_force => return,
            Some((Awaited::Reload, _)) | None => {
                let feeds = self.agenda.subscriptions().len();
                let news = if is_in_force { News::Reloaded { feeds } } else { News::ReloadWaits };
                self.is_reload_late = !is_in_force;
                actions.push(Action::Tell(news));
            }
        }
        actions.push(Action::Ready);
    }

    /// Readers are to be answered from now on.
    pub(super) fn serve(&mut self) {
        self.is_serving = true;
    }

    /// Nothing new is begun any more.
    pub(super) fn stop(&mut self) {
        (self.is_stopping, self.is_serving) = (true, false);
    }

    /// Notes that this work begins at the end, where there is some: what is stored is not published yet, or files are not
    /// written. Gives whether there is.
    pub(super) fn begin_last(&mut self, work: Work, now: Now) -> bool {
        let is_wanted = match work {
            Work::Publish => self.is_stale,
            Work::Files => self.are_files_stale,
            _ => false,
        };
        let begins = is_wanted && self.works.may_begin(work, now.steady);
        if begins {
            self.works.begin(work);
        }
        begins
    }

    /// The configuration in force.
    pub(super) fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The configuration that is to come into force.
    pub(super) fn pending(&self) -> Option<&Pending> {
        self.pending.as_ref()
    }

    /// When which feed is polled.
    pub(super) fn agenda(&self) -> &Agenda {
        &self.agenda
    }

    /// What is published.
    pub(super) fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// How pages look.
    pub(super) fn theme(&self) -> &Theme {
        &self.theme
    }

    /// Who is to be told of stories.
    pub(super) fn watchers(&self) -> &Arc<[Watcher]> {
        &self.watchers
    }

    /// Which configuration is in force, counted.
    pub(super) fn edition(&self) -> u64 {
        self.edition
    }

    /// The feeds to be looked up because their hubs tell of them no more.
    pub(super) fn tending(&self) -> &[FeedRef] {
        &self.tending
    }

    /// What readers see.
    pub(super) fn published(&self) -> &Published {
        &self.published
    }

    /// What was counted.
    pub(super) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How far the polls are.
    pub(super) fn pulse(&self) -> Pulse {
        Pulse { polls: self.polls, next_poll: self.agenda.next(), waiting: self.agenda.under_way() }
    }

    /// Whether all is well.
    pub(super) fn health(&self) -> Health {
        Health {
            reasons: self.reasons(),
            warnings: self.warnings(),
            feeds: self.agenda.subscriptions().len(),
            failing: self.agenda.failing(),
            is_stopping: self.is_stopping,
        }
    }

    /// What the daemon is at, in a line for the service manager.
    pub(super) fn status(&self) -> String {
        let (feeds, failing) = (self.agenda.subscriptions().len(), self.agenda.failing());
        let mut status = format!("{}, {failing} failing", counted(feeds, "feed"));
        if let Some(next) = self.agenda.next() {
            status.push_str(&format!("; next poll {}", next.format("%H:%M:%SZ")));
        }
        for trouble in self.reasons() {
            status.push_str(&format!("; {trouble}"));
        }
        for warning in self.warnings() {
            status.push_str(&format!("; {warning}"));
        }
        status
    }

    /// What is wrong now, for a person.
    fn reasons(&self) -> Vec<String> {
        let troubles = self.troubles.iter().filter(|(work, _)| !work.is_dispensable());
        self.store_trouble.iter().map(Trouble::to_string).chain(troubles.map(|(_, what)| what.clone())).collect()
    }

    /// What somebody should see to while all goes on.
    fn warnings(&self) -> Vec<String> {
        let published = &self.published;
        let (damaged, left_out) = (published.damaged().len(), published.stories_left_out());
        let damaged = (damaged > 0).then(|| {
            format!(
                "{} damaged in the store and not shown; `newsfold store check` names them",
                counted(damaged, "text")
            )
        });
        let hidden = published.damaged_entries().len();
        let hidden = (hidden > 0).then(|| {
            let entries = counted(hidden, "entry");
            format!("{entries} damaged in the store and not shown; `newsfold store check` names them")
        });
        let left_out = (left_out > 0).then(|| {
            format!("{left_out} of the stories cannot be read or rendered and are left out; the log names them")
        });
        let missed = self.troubles.iter().filter(|(work, _)| work.is_dispensable()).map(|(_, what)| what.clone());
        let wrong = |refused| format!("the configuration is wrong, and the one before it stays in force: {refused}");
        let refused = self.refused.as_ref().map(wrong);
        damaged.into_iter().chain(hidden).chain(left_out).chain(missed).chain(refused).collect()
    }
}

fn tell_kept(kept: Kept) {
    match kept {
        Kept { pruned: 0, is_too_large: false } => {}
        Kept { pruned, is_too_large: false } => {
            tracing::info!(name: "store.pruned", pruned, "entries past `store.keep` are forgotten")
        }
        Kept { pruned, is_too_large: true } => {
            tracing::warn!(name: "store.too_large", pruned, "{}", maintenance::TOO_LARGE)
        }
    }
}
