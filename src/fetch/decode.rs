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
    // Codings are listed in the order in which they were applied. More than two were never met outside an attack.
    let mut codings: Vec<String> =
        coding.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty()).collect();
    if codings.len() > 2 {
        return Err(Error::Unknown(coding.to_owned()));
    }
    let mut document = body;
    // A file that was packed beforehand is often served without a word about it.
    if codings.is_empty() && document.starts_with(GZIP) {
        codings.push("gzip".into());
    }
    while let Some(name) = codings.pop() {
        // Many servers name a coding and send what they would have sent without.
        if name == "identity" || is_plain(&document) {
            continue;
        }
        document = match name.as_str() {
            // And some name another than the one they use.
            _ if document.starts_with(GZIP) => gunzip(&document, most)?,
            _ if document.starts_with(ZSTD) => {
                let decoder = zstd::Decoder::with_buffer(&*document).map_err(|_| Error::Damaged(name.clone()))?;
                unpack(decoder, &name, document.len(), most)?
            }
            "gzip" | "x-gzip" => document,
            // The field means zlib's format, and some send the bare stream.
            "deflate" if document.first().is_some_and(|first| first & 0x0f == 8) => {
                unpack(flate2::read::ZlibDecoder::new(&*document), &name, document.len(), most)?
            }
            "deflate" => unpack(flate2::read::DeflateDecoder::new(&*document), &name, document.len(), most)?,
            "br" => unpack(brotli::Decompressor::new(&*document, 4096), &name, document.len(), most)?,
            "zstd" => return Err(Error::Damaged(name)),
            _ => return Err(Error::Unknown(name)),
        };
    }
    if document.len() as u64 > most { Err(Error::TooLarge(most)) } else { Ok(document) }
}

/// How the formats begin.
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Whether it begins as a document does: no packed one begins with `<?xml`, `<rss`, or the brace of an object and a quote.
fn is_plain(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let begins = |with: &[u8]| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    [b"<?xml".as_slice(), b"<rss", b"<feed", b"<rdf", b"<!doc", b"<html", b"<!--"].iter().any(|with| begins(with))
        || text.strip_prefix(b"{").is_some_and(|rest| rest.trim_ascii_start().starts_with(b"\""))
}

/// One gzip member after another; what follows the last and is none is padding, which some servers leave there.
fn gunzip(packed: &[u8], most: u64) -> Result<Vec<u8>, Error> {
    let mut document = Vec::new();
    let mut rest = packed;
    while rest.starts_with(GZIP) {
        let mut member = flate2::bufread::GzDecoder::new(rest);
        let room = (most + 1).saturating_sub(document.len() as u64);
        let damaged = |_| Error::Damaged("gzip".into());
        (&mut member).take(room).read_to_end(&mut document).map_err(damaged)?;
        if document.len() as u64 > most {
            return Err(Error::TooLarge(most));
        }
        rest = member.into_inner();
    }
    Ok(document)
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
            ("br", TEXT.to_vec()),
            ("utf-8", TEXT.to_vec()),
            ("br", gzipped(TEXT)),
            ("", gzipped(TEXT)),
            ("gzip", [gzipped(TEXT), vec![0; 20]].concat()),
            ("gzip", [gzipped(&TEXT[..9]), gzipped(&TEXT[9..])].concat()),
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
        assert_eq!(decode(gzipped(&gzipped(&zeros)), "gzip, gzip", 5000), Err(Error::TooLarge(5000)));
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
