//! The texts of entries as they are shown, each sanitised once.
//!
//! Pure but for what it remembers. An output is rendered whenever one of its stories changes, and most of its texts are then
//! those of the last time. They are kept in memory and not in the store: a poll brings many more texts than are ever shown,
//! and a better sanitiser has to clean what is already stored.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use url::Url;
use xxhash_rust::xxh3::Xxh3;

use crate::sanitise::{Origin, Sanitised, sanitise};

/// The most bytes of texts that are remembered.
const MOST_BYTES: usize = 16 << 20;

/// What is remembered, by a hash of the markup and of where it comes from.
#[derive(Default)]
struct WriterCache {
    texts: HashMap<u128, Arc<Sanitised>>,
    bytes: usize,
}

static MEMORY: LazyLock<Mutex<WriterCache>> = LazyLock::new(Mutex::default);

/// The markup, sanitised.
#[must_use]
pub(super) fn shown(markup: &str, origin: Origin<'_>) -> Arc<Sanitised> {
    let key = key(markup, origin);
    known(key).unwrap_or_else(|| {
        let text = Arc::new(sanitise(markup, origin));
        memory().keep(key, &text);
        text
    })
}

/// The same of a text that is hardly shown again, as in an archive. It is not remembered, so that it takes no other's place.
#[must_use]
pub(super) fn shown_once(markup: &str, origin: Origin<'_>) -> Arc<Sanitised> {
    known(key(markup, origin)).unwrap_or_else(|| Arc::new(sanitise(markup, origin)))
}

fn known(key: u128) -> Option<Arc<Sanitised>> {
    memory().texts.get(&key).cloned()
}

fn memory() -> MutexGuard<'static, WriterCache> {
    MEMORY.lock().unwrap_or_else(PoisonError::into_inner)
}

fn key(markup: &str, origin: Origin<'_>) -> u128 {
    let mut hasher = Xxh3::new();
    for address in [origin.base, origin.page] {
        hasher.update(address.map_or("", Url::as_str).as_bytes());
        hasher.update(b"\0");
    }
    hasher.update(markup.as_bytes());
    hasher.digest128()
}

impl WriterCache {
    fn keep(&mut self, key: u128, text: &Arc<Sanitised>) {
        let bytes = text.html.len() + size_of::<Sanitised>();
        if self.bytes + bytes > MOST_BYTES {
            *self = Self::default();
        }
        // Two threads may have made the same.
        if self.texts.insert(key, text.clone()).is_none() {
            self.bytes += bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_sanitised_once_and_as_its_base_has_it() {
        let [org, net] = ["https://example.org/", "https://example.net/"].map(|address| Url::parse(address).unwrap());
        let markup = "<p>a text of this test</p><img src=\"a.png\" alt=\"a\">";
        let [one, again] = [0, 1].map(|_| shown(markup, Origin { base: Some(&org), page: None }));
        assert!(Arc::ptr_eq(&one, &again));
        let once = "<p>a text of an archive</p>";
        let [first, second] = [0, 1].map(|_| shown_once(once, Origin::default()));
        assert!(!Arc::ptr_eq(&first, &second) && first == second);
        assert!(Arc::ptr_eq(&one, &shown_once(markup, Origin { base: Some(&org), page: None })));
        let other = shown(markup, Origin { base: Some(&net), page: None });
        let page = shown(markup, Origin { base: Some(&org), page: Some(&net) });
        assert!(!Arc::ptr_eq(&one, &page));
        assert!(one.html.contains("https://example.org/a.png") && other.html.contains("https://example.net/a.png"));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut memory = WriterCache::default();
        let text = Arc::new(Sanitised { html: "a".repeat(1 << 20), is_whole: true });
        for key in 0..100 {
            memory.keep(key, &text);
            assert!(memory.bytes <= MOST_BYTES && memory.texts.len() <= 16);
        }
        assert!(memory.texts.contains_key(&99));
    }
}
