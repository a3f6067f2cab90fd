//! What a user can see, tried with the real program against real servers on loopback and a real store.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod beside;
mod configuring;
mod enduring;
mod folding;
mod keeping;
mod lists;
mod manners;
mod notifying;
mod outputs;
mod polling;
mod publishing;
mod reading;
mod running;
mod service;
mod serving;
mod speaking;
mod spoken;
mod support;
mod validity;
mod websub;
