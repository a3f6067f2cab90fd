//! How the texts of entries are kept: as MessagePack, many in a block, each block compressed as one.
//!
//! Edge: SQL on the connection it is given. Entries of one document resemble each other, so that a block takes half the room
//! of its texts compressed one by one, and a third of the time. A block lives as long as an entry has its text in it.
//! MessagePack copies a text where JSON would look at each of its characters. A checksum follows each text, so that a bit
//! that changed on the disk costs the texts that it is in and is told; blocks without, and those of JSON, are from older
//! versions.

use std::cell::RefCell;

use rusqlite::{Connection, Row, params};
use xxhash_rust::xxh3::xxh3_64;
use zstd::bulk::{Compressor, Decompressor};

use crate::model::Detail;
use crate::normalise::LARGEST_ENTRY;
use crate::store::{Error, Result, file};

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
/// The block's first byte: MessagePack as it is, no checksums.
const UNCHECKED: u8 = 2;
/// The block's first byte: MessagePack in one zstd frame, no checksums.
const ZSTD_UNCHECKED: u8 = 3;
/// The block's first byte: MessagePack as it is, a checksum after each text.
const PLAIN: u8 = 4;
/// The block's first byte: the same in one zstd frame.
const ZSTD: u8 = 5;
/// The bytes of a checksum.
const CHECKSUM: usize = 4;
/// Shorter blocks grow when compressed.
const WORTH_COMPRESSING: usize = 256;
/// A block is closed when it holds this much: what is read to get at one entry.
const FULL: usize = 32 * 1024;
/// The most bytes that an entry's text may have, far more than `normalise` lets through. Whoever writes and whoever reads go
/// by this one.
const LARGEST_TEXT: usize = 8 * 1024 * 1024;
/// So no block unpacks to more: it is closed with the text that fills it.
const LARGEST: usize = FULL + LARGEST_TEXT + CHECKSUM;
/// How much of each markup is kept of a text that is too large, in bytes. Nothing else of it is.
const KEPT_OF_LARGEST: usize = 1024 * 1024;
const _: () = assert!(2 * LARGEST_ENTRY <= LARGEST_TEXT, "what `normalise` lets through is kept whole");
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

/// Texts that were stored.
#[derive(Debug, Default)]
pub struct Kept {
    /// Where each went.
    pub places: Vec<Place>,
    /// How many were too large, and are stored without what made them so.
    pub shortened: usize,
}

/// Stores texts.
///
/// # Errors
/// When the store refuses.
pub fn keep<'a>(connection: &Connection, details: impl IntoIterator<Item = &'a Detail>) -> Result<Kept> {
    let mut insert = connection.prepare_cached("INSERT INTO text_block (held, bytes) VALUES (?1, ?2)")?;
    let mut places: Vec<Place> = Vec::new();
    let mut block = PACKER.with_borrow_mut(|packer| std::mem::take(&mut packer.block));
    block.clear();
    let (mut closed, mut shortened) = (0, 0);
    let mut close = |block: &mut Vec<u8>, places: &mut [Place]| {
        PACKER.with_borrow_mut(|packer| insert.execute(params![places.len(), packer.pack(block)]))?;
        places.iter_mut().for_each(|place| place.block = connection.last_insert_rowid());
        block.clear();
        Ok::<_, Error>(())
    };
    for detail in details {
        let at = block.len();
        write(&mut block, detail);
        if block.len() - at > LARGEST_TEXT {
            block.truncate(at);
            write(&mut block, &shorten(detail));
            shortened += 1;
        }
        let sum = checksum(block.get(at..).unwrap_or_default());
        block.extend_from_slice(&sum);
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
    Ok(Kept { places, shortened })
}

/// Appends a text to a block.
fn write(block: &mut Vec<u8>, detail: &Detail) {
    let at = block.len();
    // Writing plain strings to memory cannot fail; a map of nothing would be read as an empty text.
    if rmp_serde::encode::write_named(block, detail).is_err() {
        block.truncate(at);
        block.push(0x80);
    }
}

/// What is kept of a text that is too large.
fn shorten(detail: &Detail) -> Detail {
    let cut = |markup: &Option<String>| {
        let end = markup.as_ref()?.floor_char_boundary(KEPT_OF_LARGEST);
        markup.as_ref()?.get(..end).map(str::to_owned)
    };
    Detail { summary: cut(&detail.summary), content: cut(&detail.content), ..Detail::default() }
}

fn checksum(text: &[u8]) -> [u8; CHECKSUM] {
    let [a, b, c, d, ..] = xxh3_64(text).to_le_bytes();
    [a, b, c, d]
}

/// The text that lies at `place`.
///
/// # Errors
/// [`Error::Damaged`] when it is not what was put there, else why the store cannot be read.
pub fn read(connection: &Connection, place: Place) -> Result<Detail> {
    let block = block(connection, place.block)?;
    block.text(place)
}

/// The block that was unpacked last. Who reads texts in the order of their entries unpacks each block once; all of them within one
/// view of the store, or it may be another block by then.
#[derive(Debug, Default)]
pub struct LastBlock(Option<(i64, Block)>);

impl LastBlock {
    /// The text that lies at `place`.
    ///
    /// # Errors
    /// Those of [`read`].
    pub fn read(&mut self, connection: &Connection, place: Place) -> Result<Detail> {
        match &self.0 {
            Some((number, block)) if *number == place.block => block.text(place),
            _ => {
                let (_, block) = self.0.insert((place.block, block(connection, place.block)?));
                block.text(place)
            }
        }
    }
}

/// The block with this number, unpacked.
///
/// # Errors
/// Those of [`read`].
pub(super) fn block(connection: &Connection, number: i64) -> Result<Block> {
    // Where SQLite says that the pages of this block are damaged, others may well be whole.
    let in_words = |error: rusqlite::Error| match file::is_corruption(&error) {
        true => damaged(&error.to_string()),
        false => error.into(),
    };
    let mut query = connection.prepare_cached("SELECT bytes FROM text_block WHERE id = ?1")?;
    let mut rows = query.query([number])?;
    let Some(row) = rows.next().map_err(in_words)? else { return Err(damaged("its block is missing")) };
    let bytes = row.get_ref(0)?.as_blob().map_err(|_| damaged("its block is not of bytes"))?;
    PACKER.with_borrow_mut(|packer| packer.unpack(bytes))
}

/// A block, unpacked.
#[derive(Debug)]
pub(super) struct Block {
    code: u8,
    texts: Vec<u8>,
}

impl Block {
    /// The text that lies at `place`, whose block this is.
    ///
    /// # Errors
    /// When it is not what was put there.
    pub(super) fn text(&self, place: Place) -> Result<Detail> {
        let end = place.length.map_or(self.texts.len(), |length| place.at.saturating_add(length));
        let text = self.texts.get(place.at..end).ok_or_else(|| damaged("its block is too short"))?;
        let unreadable = |error: String| damaged(&error);
        match self.code {
            JSON | ZSTD_JSON => serde_json::from_slice(text).map_err(|error| unreadable(error.to_string())),
            UNCHECKED | ZSTD_UNCHECKED => rmp_serde::from_slice(text).map_err(|error| unreadable(error.to_string())),
            _ => match text.split_last_chunk::<CHECKSUM>() {
                Some((text, sum)) if checksum(text) == *sum => {
                    rmp_serde::from_slice(text).map_err(|error| unreadable(error.to_string()))
                }
                _ => Err(damaged("its checksum is wrong")),
            },
        }
    }
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

    /// What [`pack`](Self::pack) packed.
    fn unpack(&mut self, block: &[u8]) -> Result<Block> {
        match block.split_first() {
            Some((code @ (&JSON | &UNCHECKED | &PLAIN), texts)) => Ok(Block { code: *code, texts: texts.to_vec() }),
            Some((code @ (&ZSTD_JSON | &ZSTD_UNCHECKED | &ZSTD), frame)) => {
                if self.decompressor.is_none() {
                    self.decompressor = Decompressor::new().ok();
                }
                let decompressor = self.decompressor.as_mut().ok_or_else(|| damaged("out of memory"))?;
                let capacity = Decompressor::upper_bound(frame).unwrap_or(LARGEST).min(LARGEST);
                let texts = decompressor.decompress(frame, capacity).map_err(|error| damaged(&error.to_string()))?;
                Ok(Block { code: *code, texts })
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
    use proptest::prelude::*;

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
        let places = keep(&connection, &details).unwrap().places;
        assert!(blocks(&connection) > 1, "a full block is closed");
        for (place, detail) in places.iter().zip(&details) {
            assert_eq!(read(&connection, *place).unwrap(), *detail);
        }
    }

    #[test]
    fn a_block_that_was_unpacked_last_gives_all_of_its_texts_and_no_other_s() {
        let connection = store();
        let details = [detail("one"), detail(&"two ".repeat(FULL)), detail("three"), detail("four")];
        let places = keep(&connection, &details).unwrap().places;
        assert_eq!(blocks(&connection), 2);
        let mut last = LastBlock::default();
        for at in [0, 1, 2, 3, 0, 3, 2] {
            assert_eq!(last.read(&connection, places[at]).unwrap(), details[at]);
        }
        // It is not unpacked again.
        connection.execute("DELETE FROM text_block", []).unwrap();
        assert_eq!(last.read(&connection, places[3]).unwrap(), details[3]);
        assert!(last.read(&connection, places[0]).is_err());
        assert!(last.read(&connection, places[1]).is_err());
    }

    #[test]
    fn the_largest_entry_is_read_back() {
        let connection = store();
        // What cannot be compressed, behind a block that is nearly full.
        let noise = |bytes: usize| {
            let mut state = 1_u64;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                char::from(b' ' + u8::try_from(state >> 58).unwrap())
            };
            (0..bytes).map(|_| next()).collect::<String>()
        };
        let details = [detail(&noise(FULL - 100)), detail(&noise(LARGEST_ENTRY)), detail(&"a".repeat(LARGEST_ENTRY))];
        let places = keep(&connection, &details).unwrap().places;
        for (place, detail) in places.iter().zip(&details) {
            assert_eq!(read(&connection, *place).unwrap(), *detail);
        }
    }

    #[test]
    fn blocks_of_older_versions_are_read() {
        let connection = store();
        let json = br#"{"c":"a text"}"#.to_vec();
        let packed = rmp_serde::to_vec_named(&Detail { content: Some("a text".into()), ..Detail::default() }).unwrap();
        let zstd = |text: &[u8]| zstd::bulk::compress(text, 1).unwrap();
        let blocks = [
            [vec![JSON], json.clone()].concat(),
            [vec![ZSTD_JSON], zstd(&json)].concat(),
            [vec![UNCHECKED], packed.clone()].concat(),
            [vec![ZSTD_UNCHECKED], zstd(&packed)].concat(),
        ];
        for block in blocks {
            connection.execute("INSERT INTO text_block (held, bytes) VALUES (1, ?1)", [block]).unwrap();
            let place = Place { block: connection.last_insert_rowid(), at: 0, length: None };
            assert_eq!(read(&connection, place).unwrap().content.as_deref(), Some("a text"));
        }
    }

    #[test]
    fn a_block_goes_with_the_last_of_its_texts() {
        let connection = store();
        let places = keep(&connection, &["one", "two"].map(detail)).unwrap().places;
        release(&connection, places[0]).unwrap();
        assert_eq!(read(&connection, places[1]).unwrap(), detail("two"));
        release(&connection, places[1]).unwrap();
        assert_eq!(blocks(&connection), 0);
    }

    #[test]
    fn damage_is_told_and_not_a_panic() {
        let connection = store();
        for bytes in
            [&b""[..], b"\x00{", b"\x01nonsense", b"\x02\xc1", b"\x03nonsense", b"\x04\x80", b"\x05no", b"\x09{}"]
        {
            connection.execute("INSERT INTO text_block (held, bytes) VALUES (1, ?1)", [bytes]).unwrap();
            let place = Place { block: connection.last_insert_rowid(), at: 0, length: None };
            assert!(matches!(read(&connection, place), Err(Error::Damaged(_))));
        }
        assert!(read(&connection, Place { block: 99, at: 0, length: None }).is_err());
    }

    #[test]
    fn no_bit_of_a_block_can_change_unnoticed() {
        let connection = store();
        let details = [detail("short"), detail(&"a text that compresses ".repeat(30)), detail("a third one")];
        for count in [1, 3] {
            let places = keep(&connection, &details[..count]).unwrap().places;
            let Place { block: number, .. } = places[0];
            let whole: Vec<u8> =
                connection.query_row("SELECT bytes FROM text_block WHERE id = ?1", [number], |row| row.get(0)).unwrap();
            for bit in 0..whole.len() * 8 {
                let mut bytes = whole.clone();
                bytes[bit / 8] ^= 1 << (bit % 8);
                connection.execute("UPDATE text_block SET bytes = ?1 WHERE id = ?2", params![bytes, number]).unwrap();
                for (place, detail) in places.iter().zip(&details) {
                    match read(&connection, *place) {
                        Ok(found) => assert_eq!(found, *detail, "bit {bit}"),
                        Err(error) => assert!(matches!(error, Error::Damaged(_)), "bit {bit}: {error}"),
                    }
                }
            }
        }
    }

    #[test]
    fn a_text_that_is_too_large_is_shortened_and_counted() {
        let connection = store();
        let labels = Detail { categories: vec!["x".repeat(1 << 20); 10], ..detail("its text") };
        let long = detail(&"ü".repeat(LARGEST_TEXT));
        let kept = keep(&connection, &[labels, long, detail("after them")]).unwrap();
        assert_eq!(kept.shortened, 2);
        let found: Vec<Detail> = kept.places.iter().map(|place| read(&connection, *place).unwrap()).collect();
        assert_eq!(found[0].content.as_deref(), Some("its text"));
        assert!(found[0].categories.is_empty());
        assert_eq!(found[1].content.as_ref().unwrap().len(), KEPT_OF_LARGEST);
        assert_eq!(found[2], detail("after them"));
    }

    #[test]
    fn whatever_is_stored_is_read_back() {
        let text = || proptest::option::of(".{0,300}");
        let sizes = proptest::collection::vec((text(), text(), 0..3usize, 0..40_000usize), 1..12);
        proptest!(ProptestConfig::with_cases(40), |(sizes in sizes)| {
            let connection = store();
            let details: Vec<Detail> = sizes
                .into_iter()
                .map(|(summary, language, labels, size)| Detail {
                    summary,
                    content: Some("lorem ".repeat(size)),
                    language,
                    categories: vec!["label".into(); labels],
                    ..Detail::default()
                })
                .collect();
            let kept = keep(&connection, &details).unwrap();
            prop_assert_eq!(kept.shortened, 0);
            for (place, detail) in kept.places.iter().zip(&details) {
                prop_assert_eq!(&read(&connection, *place).unwrap(), detail);
            }
        });
    }
}
