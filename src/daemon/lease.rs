//! Moves the due times of feeds that are about to be polled.
//!
//! Edge: writes to the store. A poll that never ends, because we did, is made again as after a failure.

use chrono::{DateTime, Utc};

use super::work::{Came, Done, Leased};
use crate::model::{Feed, FeedRef};
use crate::poll::Trigger;
use crate::store::{self, Policy, Store, feeds};
use crate::subscriptions::Subscriptions;

/// About how much memory a lease holds on to while it waits.
const LEASE_BYTES: usize = 4096;

/// Moves due times. A feed that cannot be read stays as it is.
pub(super) async fn lease(
    store: Store,
    chosen: Vec<(FeedRef, Trigger)>,
    subscriptions: Subscriptions,
    now: DateTime<Utc>,
) -> Came {
    let work = move |context: &mut store::WriteContext<'_>| {
        let mut leased = Leased { feeds: Vec::with_capacity(chosen.len()), unreadable: Vec::new() };
        for (feed, trigger) in &chosen {
            match feeds::one(context.tx, *feed) {
                Ok(state) => leased.feeds.push((state, *trigger)),
                Err(error) if error.policy() == Policy::Report => leased.unreadable.push((*feed, error)),
                Err(error) => return Err(error),
            }
        }
        let due = |(feed, _): &(Feed, Trigger)| (feed.feed, subscriptions.after_a_crash(feed, now));
        feeds::lease(context.tx, &leased.feeds.iter().map(due).collect::<Vec<_>>(), now)?;
        Ok(leased)
    };
    Ok(Done::Leased(store.write(LEASE_BYTES, work).await?))
}
