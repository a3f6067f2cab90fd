//! What feeds and we say of hubs (W3C WebSub).
//!
//! Pure: values.

use url::Url;

/// What a feed says about being told of its changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubLinks {
    /// The hubs, in the publisher's order; never empty.
    pub hubs: Vec<Url>,
    /// What to subscribe to: the feed's own address by its own word, letter for letter, because hubs know it by that (WebSub
    /// §5.1).
    pub topic: String,
}

/// What we ask of a hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HubMode {
    /// To tell us.
    Subscribe,
    /// To tell us no more.
    Unsubscribe,
}

impl HubMode {
    /// Its name in requests and in the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Unsubscribe => "unsubscribe",
        }
    }
}
