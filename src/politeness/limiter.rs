//! So many at a time, where the number may change while some wait.
//!
//! Edge: waits.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// Gives out so many permits at a time. Clones share them.
#[derive(Clone)]
pub struct Limiter(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    freed: Notify,
}

struct State {
    limit: usize,
    given: usize,
}

/// One of the permits, given back when it is dropped.
pub struct Permit(Arc<Shared>);

impl Limiter {
    /// A limiter with `limit` permits.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Shared { state: Mutex::new(State { limit, given: 0 }), freed: Notify::new() }))
    }

    /// Changes how many permits there are. Those that are given out stay so; what is too many is taken back as they return.
    pub fn set_limit(&self, limit: usize) {
        let mut state = self.0.state();
        let more = limit.saturating_sub(state.limit);
        state.limit = limit;
        drop(state);
        (0..more).for_each(|_| self.0.freed.notify_one());
    }

    /// Waits for a permit. Who waits longest is served first.
    pub async fn acquire(&self) -> Permit {
        loop {
            let freed = self.0.freed.notified();
            if let Some(permit) = self.try_acquire() {
                return permit;
            }
            freed.await;
        }
    }

    fn try_acquire(&self) -> Option<Permit> {
        let mut state = self.0.state();
        if state.given >= state.limit {
            return None;
        }
        state.given += 1;
        Some(Permit(self.0.clone()))
    }
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.given -= 1;
        let is_free = state.given < state.limit;
        drop(state);
        if is_free {
            self.0.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a permit is given at once.
    async fn takes(limiter: &Limiter) -> Option<Permit> {
        tokio::select! {
            biased;
            permit = limiter.acquire() => Some(permit),
            () = std::future::ready(()) => None,
        }
    }

    #[tokio::test]
    async fn permits_are_given_out_up_to_the_limit_and_come_back() {
        let limiter = Limiter::new(1);
        let held = takes(&limiter).await;
        assert!(held.is_some() && takes(&limiter).await.is_none());
        drop(held);
        assert!(takes(&limiter).await.is_some());
    }

    #[tokio::test]
    async fn a_higher_limit_lets_in_who_waits_already() {
        let limiter = Limiter::new(1);
        let _held = limiter.acquire().await;
        let waiting = [(); 2].map(|()| {
            let limiter = limiter.clone();
            tokio::spawn(async move { limiter.acquire().await })
        });
        tokio::task::yield_now().await;
        limiter.set_limit(3);
        let [one, two] = waiting;
        let _both = (one.await.unwrap(), two.await.unwrap());
        assert!(takes(&limiter).await.is_none());
    }

    #[tokio::test]
    async fn a_lower_limit_takes_back_what_returns() {
        let limiter = Limiter::new(2);
        let (one, two) = (limiter.acquire().await, limiter.acquire().await);
        limiter.set_limit(1);
        drop(one);
        assert!(takes(&limiter).await.is_none(), "one is still given out");
        drop(two);
        assert!(takes(&limiter).await.is_some());
    }

    #[tokio::test]
    async fn who_gives_up_waiting_takes_nobodys_turn() {
        let limiter = Limiter::new(1);
        let held = limiter.acquire().await;
        let (gives_up, waits) = (limiter.clone(), limiter.clone());
        let gives_up = tokio::spawn(async move { gives_up.acquire().await });
        let waits = tokio::spawn(async move { waits.acquire().await });
        tokio::task::yield_now().await;
        gives_up.abort();
        drop(held);
        waits.await.unwrap();
    }
}
