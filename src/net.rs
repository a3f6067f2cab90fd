//! What addresses say by themselves: whose they are, where they lead, and which may be asked.
//!
//! Pure: nobody is asked.

pub(crate) mod blocklist;
pub(crate) mod domain;
pub(crate) mod redirects;

use url::Url;

/// The longest address, in bytes; what is longer is none. Browsers and servers take no more than a few thousand.
pub(crate) const LONGEST_ADDRESS: usize = 4 * 1024;

/// The address of the document that holds the place to which an address leads.
pub(crate) fn without_fragment(address: &Url) -> Url {
    let mut address = address.clone();
    address.set_fragment(None);
    address
}
