//! Which addresses a name has.
//!
//! Edge: asks the system.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use tokio::sync::{Semaphore, oneshot};

/// How many names are looked up at once.
const MOST_LOOK_UPS: usize = 32;

/// Finds the addresses of a name. The system's own way is [`SystemNames`]; a test may bring another.
pub trait LookUp: Send + Sync {
    /// The addresses of `name`, in no order; an error is a name that leads nowhere.
    fn look_up(&self, name: String) -> Found;
}

/// What a [`LookUp`] comes to.
pub type Found = std::pin::Pin<Box<dyn Future<Output = std::io::Result<Vec<SocketAddr>>> + Send>>;

/// Names as the system resolves them, `/etc/hosts` and all.
///
/// It may take half a minute to give a name up, which is longer than anybody waits here, and cannot be stopped. So each
/// look-up has a thread of its own, and holds up nothing but other look-ups when there are very many.
pub struct SystemNames {
    places: Arc<Semaphore>,
}

impl Default for SystemNames {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(MOST_LOOK_UPS)) }
    }
}

impl LookUp for SystemNames {
    fn look_up(&self, name: String) -> Found {
        let places = self.places.clone();
        Box::pin(async move {
            let place = places.acquire_owned().await.map_err(std::io::Error::other)?;
            let (tell, told) = oneshot::channel();
            let look_up = move || {
                let found = (name.as_str(), 0).to_socket_addrs().map(Iterator::collect);
                drop(place);
                // Nobody waits any more when it took too long.
                let _ = tell.send(found);
            };
            std::thread::Builder::new().name("look-up".into()).spawn(look_up)?;
            told.await.map_err(std::io::Error::other)?
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_are_those_of_the_system() {
        let found = SystemNames::default().look_up("localhost".into()).await.unwrap();
        assert!(!found.is_empty() && found.iter().all(|found| found.ip().is_loopback()), "{found:?}");
    }
}
