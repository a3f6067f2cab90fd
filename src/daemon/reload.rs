//! A configuration comes into force in the store: at the start, and when it was read again.
//!
//! Edge: writes to the store, and reads the tokens of outputs. It may take long, or have to wait until the store can be written
//! to; what was in force stays so until then.

use chrono::{DateTime, Utc};

use super::work::{Came, Done, Pending, Synced};
use crate::schedule;
use crate::store::{self, Store, cooldowns, feeds};
use crate::subscriptions::Subscriptions;

/// Makes the store's feeds those of the configuration, and looks up when they are due.
pub(super) async fn sync(store: Store, pending: Pending, now: DateTime<Utc>) -> Came {
    let config = pending.config.clone();
    let synced = move |context: &mut store::WriteContext<'_>| {
        let subscriptions = Subscriptions::sync(context, &config, now)?;
        let mut due = feeds::due_times(context.tx)?;
        due.retain(|(feed, _)| subscriptions.subscription(*feed).is_some());
        let mut wrong = Vec::new();
        for (feed, at) in &mut due {
            let Some(subscription) = subscriptions.subscription(*feed) else { continue };
            let right = schedule::put_right(*at, &subscription.cadence, subscription.min_interval, now);
            if right != *at {
                *at = right;
                wrong.push((*feed, right));
            }
        }
        feeds::put_right(context.tx, &wrong)?;
        Ok((subscriptions, due, cooldowns::all(context.tx, now)?))
    };
    let (subscriptions, due, cooldowns) = store.write(0, synced).await?;
    let (outputs, watchers) = (subscriptions.outputs(&pending.config), subscriptions.watchers(&pending.config));
    Ok(Done::Synced(Box::new(Synced { pending, subscriptions, outputs, watchers, due, cooldowns })))
}
