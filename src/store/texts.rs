//! How the texts of entries are kept: as MessagePack, many in a block, each block compressed as one.
//!
//! Edge: SQL on the connection it is given. Entries of one document resemble each other, so that a block takes half the room
//! of its texts compressed one by one, and a third of the time. A block lives as long as an entry has its text in it.
//! MessagePack copies a text where JSON would look at each of its characters; blocks of JSON are from older versions.

use std::cell::RefCell;

use rusqlite::{Connection, Row, params};
use zstd::bulk::{Compressor, Decompressor};

use crate::model::Detail;
use crate::store::{Error, Result};

/// The columns of a [`Place`], in the order in which [`Place::read`] takes them.
macro_rules! place_columns {
    () => {
        "text_block, text_at, text_length"
    };
}
pub(crate) use place_columns;

/// The block's first byte: JSON as it is.
const JSON: u8 = 0;
/// The block's first byte: JSON in one zstd frame.
const ZSTD_JSON: u8 = 1;
/// The block's first byte: MessagePack as it is.
const PLAIN: u8 = 2;
/// The block's first byte: MessagePack in one zstd frame.
const ZSTD: u8 = 3;
/// Shorter blocks grow when compressed.
const WORTH_COMPRESSING: usize = 256;
/// A block is closed when it holds this much: what is read to get at one entry.
const FULL: usize = 64 * 1024;
/// What `normalise` caps an entry at, with room for what its form adds; no block of ours unpacks to more.
const LARGEST: usize = FULL + 8 * 1024 * 1024;
/// Level 3 takes half as long again for a twentieth less disk (`benches/poll.py`).
const LEVEL: i32 = 1;
/// The shortest match that is looked for: a tenth less time than the level's own for a thirtieth more disk.
const SHORTEST_MATCH: u32 = 7;

/// Where the text of an entry lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The block.
    pub block: i64,
    /// Its first byte in the block.
    pub at: usize,
    /// How many bytes it has; `None` for all that follow.
    pub length: Option<usize>,
}

impl Place {
    /// The place in the columns of `row` that begin with the `first`.
    ///
    /// # Errors
    /// When the columns hold something else.
    pub fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        Ok(Self { block: row.get(first)?, at: row.get(first + 1)?, length: row.get(first + 2)? })
    }
}

/// What packing and unpacking need, kept from one block to the next: contexts are costly to make.
#[derive(Default)]
struct Packer {
    compressor: Option<Compressor<'static>>,
    decompressor: Option<Decompressor<'static>>,
    packed: Vec<u8>,
    /// The block that is being filled.
    block: Vec<u8>,
}

thread_local! {
    static PACKER: RefCell<Packer> = RefCell::default();
}

/// Stores texts, and says where each went.
///
/// # Errors
/// When the store refuses.
pub fn keep<'a>(connection: &Connection, details: impl IntoIterator<Item = &'a Detail>) -> Result<Vec<Place>> {
    let mut insert = connection.prepare_cached("INSERT INTO text_block (held, bytes) VALUES (?1, ?2)")?;
    let mut places: Vec<Place> = Vec::new();
    let mut block = PACKER.with_borrow_mut(|packer| std::mem::take(&mut packer.block));
    block.clear();
    let mut closed = 0;
    let mut close = |block: &mut Vec<u8>, places: &mut [Place]| {
        PACKER.with_borrow_mut(|packer| insert.execute(params![places.len(), packer.pack(block)]))?;
        places.iter_mut().for_each(|place| place.block = connection.last_insert_rowid());
        block.clear();
        Ok::<_, Error>(())
    };
    for detail in details {
        let at = block.len();
        // Writing plain strings to memory cannot fail; a map of nothing would be read as an empty text.
        if rmp_serde::encode::write_named(&mut block, detail).is_err() {
            block.truncate(at);
            block.push(0x80);
        }
        places.push(Place { block: 0, at, length: Some(block.len() - at) });
        if block.len() >= FULL {
            close(&mut block, places.get_mut(closed..).unwrap_or_default())?;
            closed = places.len();
        }
    }
    if closed < places.len() {
        close(&mut block, places.get_mut(closed..).unwrap_or_default())?;
    }
    block.shrink_to(2 * FULL);
    PACKER.with_borrow_mut(|packer| packer.block = block);
    Ok(places)
}

/// The text that lies at `place`.
///
/// # Errors
/// When the store is damaged or cannot be read.
pub fn read(connection: &Connection, place: Place) -> Result<Detail> {
    let mut query = connection.prepare_cached("SELECT bytes FROM text_block WHERE id = ?1")?;
    let mut rows = query.query([place.block])?;
    let Some(row) = rows.next()? else { return Err(damaged("its block is missing")) };
    let bytes = row.get_ref(0)?.as_blob().map_err(|_| damaged("its block is not of bytes"))?;
    let (is_json, block) = PACKER.with_borrow_mut(|packer| packer.unpack(bytes))?;
    let end = place.length.map_or(block.len(), |length| place.at.saturating_add(length));
    let text = block.get(place.at..end).ok_or_else(|| damaged("its block is too short"))?;
    if is_json {
        return serde_json::from_slice(text).map_err(|error| damaged(&error.to_string()));
    }
    rmp_serde::from_slice(text).map_err(|error| damaged(&error.to_string()))
}

/// Gives up the text at `place`; the block goes with its last text.
///
/// # Errors
/// When the store refuses.
pub fn release(connection: &Connection, place: Place) -> Result<()> {
    let mut count = connection.prepare_cached("UPDATE text_block SET held = held - 1 WHERE id = ?1")?;
    count.execute([place.block])?;
    connection.prepare_cached("DELETE FROM text_block WHERE id = ?1 AND held < 1")?.execute([place.block])?;
    Ok(())
}

impl Packer {
    /// The block that holds `texts`, valid until the next.
    fn pack(&mut self, texts: &[u8]) -> &[u8] {
        let Self { compressor, packed, .. } = self;
        packed.clear();
        packed.push(ZSTD);
        if texts.len() >= WORTH_COMPRESSING {
            if compressor.is_none() {
                *compressor = Compressor::new(LEVEL).ok();
                let parameter = zstd::zstd_safe::CParameter::MinMatch(SHORTEST_MATCH);
                // A compressor that takes no advice still compresses.
                let _ = compressor.as_mut().map(|compressor| compressor.set_parameter(parameter));
            }
            packed.resize(1 + zstd::zstd_safe::compress_bound(texts.len()), 0);
            let room = packed.get_mut(1..).unwrap_or_default();
            let done = compressor.as_mut().map(|compressor| compressor.compress_to_buffer(texts, room));
            if let Some(Ok(length)) = done
                && length < texts.len()
            {
                packed.truncate(1 + length);
                return packed;
            }
        }
        packed.clear();
        packed.push(PLAIN);
        packed.extend_from_slice(texts);
        packed
    }

    /// What [`pack`](Self::pack) packed, and whether it is JSON.
    fn unpack(&mut self, block: &[u8]) -> Result<(bool, Vec<u8>)> {
        match block.split_first() {
            Some((code @ (&JSON | &PLAIN), texts)) => Ok((*code == JSON, texts.to_vec())),
            Some((code @ (&ZSTD_JSON | &ZSTD), frame)) => {
                if self.decompressor.is_none() {
                    self.decompressor = Decompressor::new().ok();
                }
                let decompressor = self.decompressor.as_mut().ok_or_else(|| damaged("out of memory"))?;
                let capacity = Decompressor::upper_bound(frame).unwrap_or(LARGEST).min(LARGEST);
                let texts = decompressor.decompress(frame, capacity).map_err(|error| damaged(&error.to_string()))?;
                Ok((*code == ZSTD_JSON, texts))
            }
            Some((other, _)) => Err(damaged(&format!("coded in a way ({other}) that this newsfold does not know"))),
            None => Err(damaged("empty")),
        }
    }
}

fn damaged(what: &str) -> Error {
    Error::Damaged(format!("the text of an entry: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema;

    fn store() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection, 0).unwrap();
        connection
    }

    fn detail(text: &str) -> Detail {
        Detail { content: Some(text.into()), language: Some("en".into()), ..Detail::default() }
    }

    fn blocks(connection: &Connection) -> usize {
        connection.query_row("SELECT count(*) FROM text_block", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn every_text_is_read_back_from_where_it_went() {
        let connection = store();
        let long = "a long text with \"quotes\" and ünïcödé\n".repeat(1000);
        let details = ["", "short", &long, "again", &long, &long, "last"].map(detail);
        let places = keep(&connection, &details).unwrap();
        assert!(blocks(&connection) > 1, "a full block is closed");
        for (place, detail) in places.iter().zip(&details) {
            assert_eq!(read(&connection, *place).unwrap(), *detail);
        }
    }

    #[test]
    fn blocks_of_older_versions_are_read() {
        let connection = store();
        let json = br#"{"c":"a text"}"#;
        let blocks =
            [[&[JSON], json.as_slice()].concat(), [vec![ZSTD_JSON], zstd::bulk::compress(json, 1).unwrap()].concat()];
        for block in blocks {
            connection.execute("INSERT INTO text_block (held, bytes) VALUES (1, ?1)", [block]).unwrap();
            let place = Place { block: connection.last_insert_rowid(), at: 0, length: None };
            assert_eq!(read(&connection, place).unwrap().content.as_deref(), Some("a text"));
        }
    }

    #[test]
    fn a_block_goes_with_the_last_of_its_texts() {
        let connection = store();
        let places = keep(&connection, &["one", "two"].map(detail)).unwrap();
        release(&connection, places[0]).unwrap();
        assert_eq!(read(&connection, places[1]).unwrap(), detail("two"));
        release(&connection, places[1]).unwrap();
        assert_eq!(blocks(&connection), 0);
    }

    #[test]
    fn damage_is_told_and_not_a_panic() {
        let connection = store();
        for bytes in [&b""[..], b"\x00{", b"\x01nonsense", b"\x02\xc1", b"\x03nonsense", b"\x09{}"] {
            connection.execute("INSERT INTO text_block (held, bytes) VALUES (1, ?1)", [bytes]).unwrap();
            let place = Place { block: connection.last_insert_rowid(), at: 0, length: None };
            assert!(matches!(read(&connection, place), Err(Error::Damaged(_))));
        }
        assert!(read(&connection, Place { block: 99, at: 0, length: None }).is_err());
    }
}
