//! The feeds as OPML 2.0, for whoever wants to subscribe to them directly.
//!
//! Pure. Addresses are told as strangers may see them.

use std::collections::HashMap;

use crate::model::{Feed, FeedRef};
use crate::publish::merged::name_of;
use crate::publish::xml::Document;
use crate::redact;

/// The list; a feed whose address is not of the web, or holds a key in its path and leads nowhere without, is left out.
#[must_use]
pub fn render(title: &str, feeds: &[Feed], tags: &HashMap<FeedRef, Vec<String>>) -> String {
    let mut document = Document::new();
    document.open("opml", &[("version", Some("2.0"))]);
    document.open("head", &[]);
    document.leaf("title", &[], title);
    document.close();
    document.open("body", &[]);
    for feed in feeds {
        let address = redact::address(feed.address.as_str()).filter(|_| !redact::holds_key(&feed.address));
        let Some(address) = address else { continue };
        let title = name_of(feed.title.as_deref().unwrap_or(&feed.name));
        let categories = tags.get(&feed.feed).map(|tags| tags.join(","));
        document.empty(
            "outline",
            &[
                ("type", Some("rss")),
                ("text", Some(&title)),
                ("xmlUrl", Some(&address)),
                ("htmlUrl", feed.link.as_deref()),
                ("category", categories.as_deref()),
            ],
        );
    }
    document.finish()
}
