//! Content codings undone, within a bound.
//!
//! Pure. Bodies arrive as they were sent, so that an unchanged one is recognised without unpacking it; what is unpacked is
//! counted as it grows, so that a small bomb never becomes a large document.

use std::io::Read;

/// Why a body could not be unpacked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It grows past the bound.
    #[error("the document is larger than {0} bytes when unpacked; raise `poll.max_body` if it should be read")]
    TooLarge(u64),
    /// It is damaged, or cut off.
    #[error("the `{0}` body is damaged or cut off")]
    Damaged(String),
    /// It is coded in a way we did not ask for.
    #[error("the body is coded as `{0}`, which was not asked for")]
    Unknown(String),
}

/// The document inside `body`, which was coded as the `Content-Encoding` field `coding` says (RFC 9110 §8.4).
///
/// # Errors
/// When it is damaged, coded in an unknown way, or larger than `most` bytes.
pub fn decode(body: Vec<u8>, coding: &str, most: u64) -> Result<Vec<u8>, Error> {
    let mut document = body;
    // Codings are listed in the order in which they were applied. More than two were never met outside an attack.
    let mut codings: Vec<String> =
        coding.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty()).collect();
    if codings.len() > 2 {
        return Err(Error::Unknown(coding.to_owned()));
    }
    while let Some(name) = codings.pop() {
        document = match name.as_str() {
            "identity" => document,
            // Many servers say gzip and send what they would have sent without.
            "gzip" | "x-gzip" if !document.starts_with(&[0x1f, 0x8b]) => document,
            "gzip" | "x-gzip" => unpack(flate2::read::MultiGzDecoder::new(&*document), &name, document.len(), most)?,
            // The field means zlib's format, and some send the bare stream.
            "deflate" if document.first().is_some_and(|first| first & 0x0f == 8) => {
                unpack(flate2::read::ZlibDecoder::new(&*document), &name, document.len(), most)?
            }
            "deflate" => unpack(flate2::read::DeflateDecoder::new(&*document), &name, document.len(), most)?,
            "br" => unpack(brotli::Decompressor::new(&*document, 4096), &name, document.len(), most)?,
            "zstd" => {
                let decoder = zstd::Decoder::with_buffer(&*document).map_err(|_| Error::Damaged(name.clone()))?;
                unpack(decoder, &name, document.len(), most)?
            }
            _ => return Err(Error::Unknown(name)),
        };
    }
    if document.len() as u64 > most { Err(Error::TooLarge(most)) } else { Ok(document) }
}

fn unpack(packed: impl Read, name: &str, packed_bytes: usize, most: u64) -> Result<Vec<u8>, Error> {
    let mut document =
        Vec::with_capacity(packed_bytes.saturating_mul(3).min(usize::try_from(most).unwrap_or(usize::MAX)));
    packed.take(most + 1).read_to_end(&mut document).map_err(|_| Error::Damaged(name.to_owned()))?;
    if document.len() as u64 > most { Err(Error::TooLarge(most)) } else { Ok(document) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const TEXT: &[u8] = b"<rss><channel><title>A feed</title></channel></rss>";

    fn gzipped(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_coding_we_ask_for_is_undone() {
        let mut brotlied = Vec::new();
        brotli::CompressorWriter::new(&mut brotlied, 4096, 5, 20).write_all(TEXT).unwrap();
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        zlib.write_all(TEXT).unwrap();
        let mut bare = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        bare.write_all(TEXT).unwrap();
        let bodies = [
            ("", TEXT.to_vec()),
            ("identity", TEXT.to_vec()),
            ("gzip", gzipped(TEXT)),
            ("GZIP", TEXT.to_vec()),
            ("br", brotlied),
            ("zstd", zstd::bulk::compress(TEXT, 3).unwrap()),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", bare.finish().unwrap()),
            ("gzip, gzip", gzipped(&gzipped(TEXT))),
        ];
        for (coding, body) in bodies {
            assert_eq!(decode(body, coding, 1000).as_deref(), Ok(TEXT), "{coding}");
        }
    }

    #[test]
    fn a_bomb_is_stopped_while_it_grows() {
        let zeros = vec![0; 1 << 20];
        assert_eq!(decode(gzipped(&zeros), "gzip", 1000), Err(Error::TooLarge(1000)));
        assert_eq!(decode(zstd::bulk::compress(&zeros, 3).unwrap(), "zstd", 1000), Err(Error::TooLarge(1000)));
        assert_eq!(decode(zeros, "", 1000), Err(Error::TooLarge(1000)));
    }

    #[test]
    fn a_cut_body_is_an_error_and_not_a_short_document() {
        let mut body = gzipped(&TEXT.repeat(50));
        body.truncate(body.len() - 9);
        assert_eq!(decode(body, "gzip", 100_000), Err(Error::Damaged("gzip".into())));
        assert_eq!(decode(b"x".to_vec(), "pack200", 10), Err(Error::Unknown("pack200".into())));
    }
}
