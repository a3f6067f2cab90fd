//! What a user can see, tried with the real program against real servers on loopback and a real store.

mod configuring;
mod folding;
mod polling;
mod publishing;
mod running;
mod support;
