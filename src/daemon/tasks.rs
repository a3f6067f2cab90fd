//! The work beside the loop, each piece in a task of its own.
//!
//! Edge: starts tasks. How one ended, be it well, with an error or with a panic, is an event for the loop.

use std::collections::HashMap;
use std::future::Future;

use tokio::task::{AbortHandle, Id, JoinSet};

use super::work::{Came, Failure, Work};

/// The work under way.
#[derive(Default)]
pub(super) struct Tasks {
    running: JoinSet<Came>,
    works: HashMap<Id, (Work, AbortHandle)>,
}

impl Tasks {
    /// Begins a piece of work.
    pub(super) fn begin(&mut self, work: Work, task: impl Future<Output = Came> + Send + 'static) {
        let handle = self.running.spawn(task);
        self.works.insert(handle.id(), (work, handle));
    }

    /// Whether work of this kind is under way.
    pub(super) fn is_running(&self, work: Work) -> bool {
        self.works.values().any(|(running, _)| *running == work)
    }

    /// Waits until some work ends. Nothing is lost when this is given up.
    pub(super) async fn next(&mut self) -> (Work, Came) {
        loop {
            let (id, came) = match self.running.join_next_with_id().await {
                Some(Ok((id, came))) => (id, came),
                Some(Err(ended)) if ended.is_panic() => (ended.id(), Err(Failure::Panicked)),
                // It was told to stop, and nobody waits for it.
                Some(Err(ended)) => {
                    self.works.remove(&ended.id());
                    continue;
                }
                None => std::future::pending().await,
            };
            if let Some((work, _)) = self.works.remove(&id) {
                return (work, came);
            }
        }
    }

    /// Gives up all work but that of these kinds.
    pub(super) fn stop_all_but(&mut self, kept: &[Work]) {
        let others = self.works.values().filter(|(work, _)| !kept.contains(work));
        others.for_each(|(_, handle)| handle.abort());
    }
}

#[cfg(test)]
mod tests {
    use super::super::work::Done;
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_event_like_any_other_end() {
        let mut tasks = Tasks::default();
        tasks.begin(Work::Publish, async { panic!("on purpose") });
        tasks.begin(Work::Corrections, std::future::pending());
        let (work, came) = tasks.next().await;
        assert_eq!(work, Work::Publish);
        assert!(matches!(came, Err(Failure::Panicked)));
        assert!(!tasks.is_running(Work::Publish) && tasks.is_running(Work::Corrections));
        tasks.begin(work, async { Ok(Done::HubTold) });
        assert!(matches!(tasks.next().await, (Work::Publish, Ok(_))));
    }

    #[tokio::test]
    async fn what_is_given_up_is_no_event() {
        let mut tasks = Tasks::default();
        tasks.begin(Work::Tidy, std::future::pending());
        tasks.stop_all_but(&[Work::Publish]);
        tasks.begin(Work::Publish, async { Ok(Done::HubTold) });
        assert!(matches!(tasks.next().await, (Work::Publish, Ok(Done::HubTold))));
        tokio::task::yield_now().await;
    }
}
