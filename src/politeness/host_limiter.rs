//! One gate for each host: so many requests at a time, and a pause after each.
//!
//! Edge: waits. The lines of `host_queue` keep feeds of one host apart; the gates also see the hosts that redirects lead to, where
//! the feeds of many hosts may meet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock;
use crate::politeness::limiter::{Limiter, Permit};

/// So many hosts are remembered before those that nobody asks are forgotten.
const MANY: usize = 1024;

/// The gates of all hosts. Clones are the same.
#[derive(Clone, Default)]
pub struct HostLimiter(Arc<Mutex<HashMap<String, Arc<Gate>>>>);

struct Gate {
    places: Limiter,
    left: Mutex<Option<Instant>>,
}

/// The right to ask a host, given back when it is dropped.
pub struct Pass {
    gate: Arc<Gate>,
    _place: Permit,
}

impl HostLimiter {
    /// Waits until the host may be asked: fewer than `at_once` do, and the last one left a `gap` ago. The last caller's word
    /// on `at_once` holds for all, so that a changed configuration holds for hosts that are known already.
    pub async fn enter(&self, host: &str, at_once: usize, gap: Duration) -> Pass {
        let gate = self.gate(host, at_once);
        let place = gate.places.acquire().await;
        let left = *gate.left.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(left) = left {
            tokio::time::sleep_until(left + gap).await;
        }
        Pass { gate, _place: place }
    }

    fn gate(&self, host: &str, at_once: usize) -> Arc<Gate> {
        let mut host_limiter = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if host_limiter.len() > MANY {
            let an_hour_ago = clock::instant().checked_sub(Duration::from_secs(3600));
            host_limiter.retain(|_, gate| {
                let left = *gate.left.lock().unwrap_or_else(PoisonError::into_inner);
                Arc::strong_count(gate) > 1 || left > an_hour_ago
            });
        }
        let new = || Arc::new(Gate { places: Limiter::new(at_once), left: Mutex::default() });
        let gate = host_limiter.entry(host.to_owned()).or_insert_with(new).clone();
        gate.places.set_limit(at_once);
        gate
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        *self.gate.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(clock::instant());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: Duration = Duration::from_millis(10);

    #[tokio::test]
    async fn one_at_a_time_with_a_pause_between() {
        let host_limiter = HostLimiter::default();
        let begun = clock::instant();
        for _ in 0..3 {
            drop(host_limiter.enter("a", 1, GAP).await);
        }
        assert!(begun.elapsed() >= 2 * GAP);
        let held = host_limiter.enter("b", 1, GAP).await;
        let waits = tokio::time::timeout(GAP, host_limiter.enter("b", 1, GAP)).await;
        assert!(waits.is_err(), "the place is taken");
        drop(held);
        host_limiter.enter("b", 1, GAP).await;
    }

    #[tokio::test]
    async fn a_changed_number_of_requests_at_a_time_holds_for_known_hosts_too() {
        let host_limiter = HostLimiter::default();
        let _held = host_limiter.enter("a", 1, Duration::ZERO).await;
        let _second = host_limiter.enter("a", 2, Duration::ZERO).await;
        let third = tokio::time::timeout(GAP, host_limiter.enter("a", 2, Duration::ZERO)).await;
        assert!(third.is_err(), "two are under way");
    }
}
