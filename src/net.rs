//! What addresses say by themselves: whose they are, where they lead, and which may be asked.
//!
//! Pure: nobody is asked.

pub mod blocklist;
pub mod domain;
pub mod redirects;

/// The longest address, in bytes; what is longer is none. Browsers and servers take no more than a few thousand.
pub const LONGEST_ADDRESS: usize = 4 * 1024;
