//! newsfold polls feeds, keeps their entries, folds the many tellings of one story into one, and publishes the result.
//!
//! A poll is a sentence: **fetch, parse, normalise, store, fold, publish**. Everything between the socket and the database is
//! a plain function, values in and value out; each module says at its head whether it is such a **pure** one or an **edge**
//! that touches the world.
//!
//! | stage | module |
//! | --- | --- |
//! | what is said on the command line, and done about it | [`cli`], [`commands`], [`terminal`], [`plural`] |
//! | what is configured | [`config`], [`secrets`] |
//! | when a feed is due | [`schedule`], [`subscription`] |
//! | who is polled, and in which order | [`subscriptions`], [`host_queue`] |
//! | what all polls together owe to servers | [`politeness`] |
//! | one feed, one poll | [`poll`] |
//! | bytes from a server | [`fetch`] |
//! | bytes to a feed | [`parse`] |
//! | a feed to entries | [`normalise`] |
//! | what all of them hand to each other | [`model`] |
//! | what markup, addresses, sizes and times say by themselves | [`text`], [`net`], [`units`] |
//! | entries to changes | [`update`] |
//! | entries to stories | [`fold`] |
//! | changes and stories to the store, in one transaction | [`ingest`], [`store`] |
//! | stories to what subscribers see | [`publish`], [`sanitise`], [`redact`], [`serve`] |
//! | hubs that tell of changes | [`websub`] |
//! | stories in other languages | [`encoder`] |
//! | people who are told of stories | [`notify`] |
//! | all of it, for months | [`daemon`] |

pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod daemon;
pub mod encoder;
pub mod fetch;
pub mod fold;
pub mod host_queue;
pub mod ingest;
pub mod maintenance;
pub mod metrics;
pub mod model;
pub mod net;
pub mod normalise;
pub mod notify;
pub mod parse;
pub mod plural;
pub mod politeness;
pub mod poll;
pub mod publish;
pub mod redact;
pub mod sanitise;
pub mod schedule;
pub mod secrets;
pub mod serve;
pub mod store;
pub mod subscription;
pub mod subscriptions;
pub mod systemd;
pub mod terminal;
pub mod text;
pub mod units;
pub mod update;
pub mod websub;
