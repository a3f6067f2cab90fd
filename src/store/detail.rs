//! How an entry's text is kept: as JSON, compressed.
//!
//! Pure. The first byte says how the rest is coded, so that a better coding can come later without rewriting what is stored.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};

use crate::model::Detail;
use crate::store::Error;

/// JSON as it is.
const PLAIN: u8 = 0;
/// One zstd frame.
const ZSTD: u8 = 1;
/// Shorter texts grow when compressed.
const WORTH_COMPRESSING: usize = 256;
/// What `normalise` caps an entry at, with room for what JSON adds; nothing stored by us unpacks to more.
const LARGEST: usize = 8 * 1024 * 1024;
/// Level 3 takes half as long again for a twentieth less disk (`benches/poll.py`).
const LEVEL: i32 = 1;

/// What packing needs, kept from one entry to the next: a compression context is costly to make.
#[derive(Default)]
struct Packer {
    compressor: Option<Compressor<'static>>,
    json: Vec<u8>,
    packed: Vec<u8>,
}

thread_local! {
    static PACKER: RefCell<Packer> = RefCell::default();
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Calls `store` with `detail` as bytes to store.
pub fn packed<T>(detail: &Detail, store: impl FnOnce(&[u8]) -> T) -> T {
    PACKER.with_borrow_mut(|packer| store(packer.pack(detail)))
}

impl Packer {
    fn pack(&mut self, detail: &Detail) -> &[u8] {
        let Self { compressor, json, packed } = self;
        json.clear();
        json.push(PLAIN);
        // Writing a value of plain strings to memory cannot fail; an empty object would be read as an empty text.
        if serde_json::to_writer(&mut *json, detail).is_err() {
            json.truncate(1);
            json.extend_from_slice(b"{}");
        }
        if json.len() < WORTH_COMPRESSING {
            return json;
        }
        if compressor.is_none() {
            *compressor = Compressor::new(LEVEL).ok();
        }
        packed.clear();
        packed.reserve(zstd::zstd_safe::compress_bound(json.len()));
        let text = json.get(1..).unwrap_or_default();
        match compressor.as_mut().map(|compressor| compressor.compress_to_buffer(text, packed)) {
            Some(Ok(_)) if packed.len() < text.len() => {
                // The codec byte takes the place of the one in front of the JSON, which is not needed any more.
                json.clear();
                json.push(ZSTD);
                json.extend_from_slice(packed);
                json
            }
            _ => json,
        }
    }
}

/// What [`packed`] packed.
///
/// # Errors
/// When the bytes are not what `pack` makes: the file was damaged.
pub fn unpack(bytes: &[u8]) -> Result<Detail, Error> {
    let damaged = |what: &str| Error::Damaged(format!("the text of an entry: {what}"));
    let (coding, rest) = bytes.split_first().ok_or_else(|| damaged("empty"))?;
    let json = match *coding {
        PLAIN => rest.to_vec(),
        ZSTD => DECOMPRESSOR.with_borrow_mut(|slot| {
            if slot.is_none() {
                *slot = Decompressor::new().ok();
            }
            let decompressor = slot.as_mut().ok_or_else(|| damaged("out of memory"))?;
            let capacity = Decompressor::upper_bound(rest).unwrap_or(LARGEST).min(LARGEST);
            decompressor.decompress(rest, capacity).map_err(|error| damaged(&error.to_string()))
        })?,
        other => {
            return Err(damaged(&format!("coded in a way ({other}) this newsfold does not know")));
        }
    };
    serde_json::from_slice(&json).map_err(|error| damaged(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_unpacks() {
        for text in ["", "short", &"a long text with \"quotes\" and ünïcödé\n".repeat(100)] {
            let detail = Detail { content: Some(text.into()), language: Some("en".into()), ..Detail::default() };
            assert_eq!(packed(&detail, unpack).unwrap(), detail);
        }
    }

    #[test]
    fn damage_is_told_and_not_a_panic() {
        for bytes in [&b""[..], b"\x00{", b"\x01nonsense", b"\x09{}"] {
            assert!(unpack(bytes).is_err());
        }
    }
}
