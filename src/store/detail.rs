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
/// More costs more time than disk: measured in `benches/stages.rs`.
const LEVEL: i32 = 3;

thread_local! {
    // A compression context is costly to make, so each thread that needs one keeps it.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// `detail` as bytes to store.
#[must_use]
pub fn pack(detail: &Detail) -> Vec<u8> {
    let json = serde_json::to_vec(detail).unwrap_or_else(|_| b"{}".to_vec());
    if json.len() >= WORTH_COMPRESSING {
        let packed = COMPRESSOR.with_borrow_mut(|slot| {
            if slot.is_none() {
                *slot = Compressor::new(LEVEL).ok();
            }
            slot.as_mut()?.compress(&json).ok()
        });
        if let Some(packed) = packed.filter(|packed| packed.len() < json.len()) {
            return coded(ZSTD, &packed);
        }
    }
    coded(PLAIN, &json)
}

/// What [`pack`] packed.
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
            decompressor
                .decompress(rest, capacity)
                .map_err(|error| damaged(&error.to_string()))
        })?,
        other => {
            return Err(damaged(&format!(
                "coded in a way ({other}) this newsfold does not know"
            )));
        }
    };
    serde_json::from_slice(&json).map_err(|error| damaged(&error.to_string()))
}

fn coded(coding: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(rest.len() + 1);
    bytes.push(coding);
    bytes.extend_from_slice(rest);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_unpacks() {
        for text in ["", "short", &"a long text with \"quotes\" and ünïcödé\n".repeat(100)] {
            let detail = Detail {
                content: Some(text.into()),
                language: Some("en".into()),
                ..Detail::default()
            };
            assert_eq!(unpack(&pack(&detail)).unwrap(), detail);
        }
    }

    #[test]
    fn damage_is_told_and_not_a_panic() {
        for bytes in [&b""[..], b"\x00{", b"\x01nonsense", b"\x09{}"] {
            assert!(unpack(bytes).is_err());
        }
    }
}
