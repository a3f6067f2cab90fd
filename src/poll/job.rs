//! A poll to be made: of which feed, how, and on whose word.
//!
//! Pure: values.

use std::sync::Arc;
use std::time::Duration;

use super::readers::SlowPoll;
use crate::model::Feed;
use crate::subscription::Subscription;

/// A poll to be made.
#[derive(Debug)]
pub(crate) struct PollJob {
    /// The feed, with its state. It is large, and waits in line.
    pub feed: Box<Feed>,
    /// How to poll it.
    pub subscription: Arc<Subscription>,
    /// On whose word.
    pub trigger: Trigger,
    /// The right to poll a slow feed, once it waited for that.
    pub slow: Option<SlowPoll>,
}

/// On whose word a poll is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// It is due.
    Due,
    /// It is due, and shows whether our network is back.
    Probe,
    /// A person named the feed, and it is asked whatever its server said.
    Person,
}

/// How a poll stood in its host's line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InLine {
    /// How long it waited for its turn.
    pub waited: Duration,
    /// Whether nobody stands behind it, so that the connection is of no use after it.
    pub is_last: bool,
}
