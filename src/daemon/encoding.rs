//! Tellings in other languages are looked for.
//!
//! Edge: asks the encoder. It is work like any other, so neither polls nor what is published wait for it, and when it fails it
//! is begun again after a pause.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::work::{Came, Done, Failure};
use crate::config::Config;
use crate::encoder::{self, Error, Pace};
use crate::store::Store;

/// Puts what is new to the encoder.
pub(super) async fn bring_on(store: Store, config: Arc<Config>, pace: Pace, now: DateTime<Utc>) -> Came {
    match encoder::bring_on(&store, &config, &pace, now).await {
        Ok(turn) => Ok(Done::Encoded(turn)),
        Err(Error::Store(error)) => Err(error.into()),
        Err(error) => Err(Failure::Later { why: error.to_string(), rest: error.rest() }),
    }
}
