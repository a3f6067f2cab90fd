//! A first look at an address, for a person who adds a feed or checks those that are configured.
//!
//! Edge: asks servers, and stores nothing. The answer is unpacked and read as a poll does it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use url::Url;

use super::document::Unpacked;
use super::outcome::Error;
use super::readers::Readers;
use crate::config;
use crate::fetch::access::Access;
use crate::fetch::{self, Client, Fetched, Question, decode};
use crate::model::FeedRef;
use crate::parse::{self, Deadline, ParsedFeed};

/// What there is at an address.
#[derive(Debug)]
pub(crate) struct Looked {
    /// Where the answer came from, after all redirects.
    pub address: Url,
    /// Where the feed has moved to for good.
    pub moved_to: Option<Url>,
    /// Whether it can be asked for conditionally.
    pub sends_validators: bool,
    /// The body as received, in bytes.
    pub bytes: usize,
    /// From sending the request to the end of the body.
    pub took: Duration,
    /// What the document says; an error with the document's text when it is no feed.
    pub feed: Result<ParsedFeed, (parse::Error, String)>,
}

/// Why there is nothing to look at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookError {
    /// No document came.
    #[error(transparent)]
    Fetch(#[from] fetch::Error),
    /// It could not be unpacked.
    #[error(transparent)]
    Decode(#[from] decode::Error),
    /// It was not read to its end.
    #[error(transparent)]
    Unread(Error),
    /// The server says that what we hold is what it has.
    #[error("answered 304 although nothing was held")]
    NothingHeld,
    /// Its server says that it is gone for good.
    #[error("gone for good (410)")]
    Gone,
}

/// Asks for the document at an address as for a feed that was never polled.
///
/// # Errors
/// When there is no document.
pub(crate) async fn look(
    client: &Client,
    configured: &config::Access,
    url: &Url,
    now: DateTime<Utc>,
) -> Result<Looked, LookError> {
    let access = Access::in_time(configured, url).await.map_err(fetch::Error::Access)?;
    let (document, reply) = match client.get(Question::first(url, &access), now).await? {
        Fetched::Document(document, reply) => (document, reply),
        Fetched::NotModified(_) => return Err(LookError::NothingHeld),
        Fetched::Gone => return Err(LookError::Gone),
    };
    let bytes = document.body.len();
    let most = client.max_body_bytes();
    let read = move |_, is_over: &dyn Fn() -> bool| {
        let unpacked = Unpacked::of(document, most)?;
        let feed = unpacked.parse(Deadline::when(is_over));
        Ok::<_, decode::Error>((unpacked.address.clone(), feed.map_err(|error| (error, unpacked.decoded()))))
    };
    let readers = Readers::new();
    let (address, feed) = readers.run(FeedRef(0), read).await.map_err(|unread| LookError::Unread(unread.into()))??;
    Ok(Looked {
        moved_to: reply.moved_to,
        sends_validators: !reply.validators.is_empty(),
        bytes,
        took: reply.took,
        feed,
        address,
    })
}
