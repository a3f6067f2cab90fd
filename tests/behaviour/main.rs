//! What a user can see, tried with the real program against real servers on loopback and a real store.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod add_import_export;
mod configuring;
mod credentials_and_proxies;
mod digests;
mod document_faults;
mod folding;
mod http_dialects;
mod lists_elsewhere;
mod newsfolds_in_a_row;
mod notifying;
mod other_languages;
mod other_programs;
mod outputs;
mod politeness;
mod polling;
mod private_outputs;
mod publishing;
mod retention_and_copies;
mod service_and_health;
mod serving;
mod starting_and_stopping;
mod store_trouble;
mod support;
mod validity;
mod websub;
mod who_may_speak;
