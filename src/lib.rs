//! newsfold polls feeds, keeps their entries, folds the many tellings of one story into one, and publishes the result.
//!
//! A poll is a sentence: **fetch, parse, normalise, store, fold, publish**. Everything between the socket and the database is
//! a plain function, values in and value out; each module says at its head whether it is such a **pure** one or an **edge**
//! that touches the world. What the program, the tests, the benches and the fuzz targets use is public; the rest is not, so that
//! the compiler says what nobody needs.
//!
//! | stage | module |
//! | --- | --- |
//! | what is said on the command line, and done about it | [`cli`], [`commands`], [`terminal`], `plural` |
//! | what is configured | [`config`], `secrets` |
//! | when a feed is due | [`schedule`], `subscription` |
//! | who is polled, and in which order | `subscriptions`, `host_queue` |
//! | what all polls together owe to servers | [`politeness`] |
//! | one feed, one poll | `poll` |
//! | bytes from a server | [`fetch`] |
//! | bytes to a feed | [`parse`] |
//! | a feed to entries | [`normalise`] |
//! | what all of them hand to each other | [`model`] |
//! | what markup, addresses, sizes and times say by themselves | [`text`], `net`, `units` |
//! | entries to changes | [`update`] |
//! | entries to stories | [`fold`] |
//! | changes and stories to the store, in one transaction | `ingest`, [`store`] |
//! | stories to what subscribers see | [`publish`], [`sanitise`], `redact`, `serve` |
//! | hubs that tell of changes | `websub` |
//! | stories in other languages | `encoder` |
//! | people who are told of stories | `notify` |
//! | all of it, for months | `daemon` |

pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
mod daemon;
mod encoder;
pub mod fetch;
pub mod fold;
mod host_queue;
mod ingest;
mod maintenance;
mod metrics;
pub mod model;
mod net;
pub mod normalise;
mod notify;
pub mod parse;
mod plural;
pub mod politeness;
mod poll;
pub mod publish;
mod redact;
pub mod sanitise;
pub mod schedule;
mod secrets;
mod serve;
pub mod store;
mod subscription;
mod subscriptions;
mod systemd;
pub mod terminal;
pub mod text;
mod units;
pub mod update;
mod websub;
