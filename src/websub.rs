//! Hubs that tell of changes (W3C WebSub): subscribing to them, taking in what they say, and telling ours.
//!
//! Edge: asks, stores and answers; what is found in a document and what a signature proves are pure.
//!
//! | step | module |
//! | --- | --- |
//! | which hub and topic a document names | `normalise::hub_links` |
//! | asking hubs: subscriptions, renewals, farewells | [`subscriber`] |
//! | what hubs say to us: questions and news | [`callback`] |
//! | telling our hub of what we publish | [`publisher`] |
//! | whether news is from whom we asked | [`signature`] |
//!
//! What a hub tells is taken in as a polled document is. Polling goes on, a day apart, because a promise is no delivery: when
//! polls find news that the hub did not tell, the feed is polled at its own cadence again.

pub(crate) mod callback;
pub(crate) mod publisher;
pub(crate) mod signature;
pub(crate) mod subscriber;
