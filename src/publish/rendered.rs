//! One document as it is served: its bytes, what they are recognised by, and their packed forms.
//!
//! Pure.

use std::io::{self, Read, Write};
use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use chrono::{DateTime, Utc};

/// One document, rendered. It is never changed, only replaced.
#[derive(Debug)]
pub struct Rendered {
    /// What it is served as.
    pub media_type: &'static str,
    /// Its bytes.
    pub body: Bytes,
    /// When what it shows last changed; `None` when it shows nothing yet.
    pub last_modified: Option<DateTime<Utc>>,
    /// A `Link` field to go with it (RFC 8288).
    pub links: Option<String>,
    etag: OnceLock<String>,
    /// Packed once, wherever the same document is served.
    packed: Arc<[OnceLock<Bytes>; 3]>,
}

/// A content coding that documents are served in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Smallest.
    Brotli,
    /// Quickest.
    Zstd,
    /// Known to everyone.
    Gzip,
}

impl Coding {
    /// All of them, the one we would rather send first.
    pub const ALL: [Self; 3] = [Self::Brotli, Self::Zstd, Self::Gzip];

    /// Its name in `Content-Encoding`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }
}

impl Rendered {
    /// A document of this text.
    #[must_use]
    pub fn new(media_type: &'static str, text: String, last_modified: Option<DateTime<Utc>>) -> Self {
        // In a box: a text that grew may hold on to as much again.
        Self::of(media_type, Bytes::from(text.into_boxed_str().into_boxed_bytes()), last_modified)
    }

    /// A picture of the program's own.
    #[must_use]
    pub fn picture(media_type: &'static str, bytes: &'static [u8]) -> Self {
        Self::of(media_type, Bytes::from_static(bytes), None)
    }

    fn of(media_type: &'static str, body: Bytes, last_modified: Option<DateTime<Utc>>) -> Self {
        Self { media_type, body, last_modified, links: None, etag: OnceLock::new(), packed: Default::default() }
    }

    /// What it is recognised by: strong, and without the quotes. A hash of the bytes, made when it is first asked for.
    #[must_use]
    pub fn etag(&self) -> &str {
        self.etag.get_or_init(|| hex::encode(&digest(&SHA256, &self.body).as_ref()[..12]))
    }

    /// The same document with a `Link` field.
    #[must_use]
    pub fn linked(self, links: Option<String>) -> Self {
        Self { links, ..self }
    }

    /// The same document, last changed then.
    #[must_use]
    pub fn modified(self, at: DateTime<Utc>) -> Self {
        Self { last_modified: Some(at), ..self }
    }

    /// The same document, to be served at another address too.
    #[must_use]
    pub fn again(&self) -> Self {
        let (body, etag, links) = (self.body.clone(), self.etag.clone(), self.links.clone());
        Self { body, etag, links, packed: self.packed.clone(), ..*self }
    }

    /// The body in a coding, if it was packed before.
    #[must_use]
    pub fn ready(&self, coding: Coding) -> Option<Bytes> {
        self.packed[coding as usize].get().cloned()
    }

    /// The body in a coding; packed when it is first asked for, and once.
    #[must_use]
    pub fn packed(&self, coding: Coding) -> Bytes {
        self.packed[coding as usize].get_or_init(|| pack(&self.body, coding)).clone()
    }
}

/// The same bytes give the same packed bytes: none of the three forms notes a time or a name.
fn pack(body: &[u8], coding: Coding) -> Bytes {
    let mut packed = Vec::new();
    pack_into(coding, body, body.len(), &mut packed).expect("packing in memory cannot fail");
    packed.into()
}

/// Packs a document of so many bytes as it is read.
///
/// # Errors
/// When it cannot be read, or what comes of it not be written.
pub fn pack_into(coding: Coding, mut document: impl Read, bytes: usize, out: &mut impl Write) -> io::Result<()> {
    match coding {
        Coding::Brotli => {
            let params = brotli::enc::BrotliEncoderParams {
                // A fortieth more bytes than with 5, in two fifths of the time: the largest documents change most often.
                quality: 4,
                lgwin: 20,
                // By which it chooses how it looks for matches. It is not written down.
                size_hint: bytes,
                ..Default::default()
            };
            io::copy(&mut document, &mut brotli::CompressorWriter::with_params(out, 4096, &params)).map(drop)
        }
        Coding::Zstd => {
            let mut encoder = zstd::Encoder::new(out, 3)?;
            encoder.set_pledged_src_size(u64::try_from(bytes).ok())?;
            io::copy(&mut document, &mut encoder)?;
            encoder.finish().map(drop)
        }
        Coding::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::default());
            io::copy(&mut document, &mut encoder)?;
            encoder.finish().map(drop)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::decode::decode;

    #[test]
    fn a_document_is_packed_as_it_is_read() {
        let line = |number: usize| format!("<p>Report {} of {number}, as it was told</p>\n", number * 7_919 % 1_013);
        let body: String = (0..60_000).map(line).collect();
        for coding in Coding::ALL {
            let mut packed = Vec::new();
            pack_into(coding, io::BufReader::with_capacity(977, body.as_bytes()), body.len(), &mut packed).unwrap();
            assert!(packed.len() < body.len() / 4, "{coding:?}: {} bytes", packed.len());
            for packed in [packed, pack(body.as_bytes(), coding).into()] {
                let unpacked = decode(packed, coding.name(), 16 << 20).unwrap();
                assert!(unpacked == body.as_bytes(), "{coding:?}");
            }
        }
    }
}
