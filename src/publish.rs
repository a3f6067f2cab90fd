//! What subscribers see: the outputs, rendered from the store, kept in memory and written to files.
//!
//! Edge: reads the store and writes files. Rendering itself is pure, in the modules below, and depends on what is stored
//! alone; `serve` hands out what was rendered here.

pub mod atom;
pub mod json;
pub mod merged;
pub mod page;
pub mod rss;
pub mod xml;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use url::Url;

use crate::config::{Format, OutputConfig};
use crate::model::FeedRef;
use crate::publish::merged::{Heading, MergedFeed};
use crate::store::feeds::Source;
use crate::store::{self, entries, feeds, stories};

/// An output and the feeds that it takes stories from.
#[derive(Debug, Clone)]
pub struct Output {
    /// As configured.
    pub config: OutputConfig,
    /// The address that everything is served under.
    pub public_url: Url,
    /// The feeds whose tags it names; `None` is every feed.
    pub feeds: Option<HashSet<FeedRef>>,
}

impl Format {
    /// What an output's address ends in.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Self::Atom => ".atom",
            Self::Rss => ".rss",
            Self::Json => ".json",
            Self::Html => "",
        }
    }

    /// What it is served as.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Atom => "application/atom+xml; charset=utf-8",
            Self::Rss => "application/rss+xml; charset=utf-8",
            Self::Json => "application/feed+json; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
        }
    }
}

/// Everything that is published, rendered. Cheap to clone and never changed: a newer one takes its place.
#[derive(Debug, Clone, Default)]
pub struct Published {
    pages: Arc<BTreeMap<String, Page>>,
}

impl Published {
    /// What is served at `path`, which begins with a slash.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Page> {
        self.pages.get(path)
    }
}

/// One document as it is served.
#[derive(Debug)]
pub struct Page {
    /// What it is served as.
    pub media_type: &'static str,
    /// Its bytes.
    pub body: Vec<u8>,
    /// Strong, and without the quotes: a hash of the bytes.
    pub etag: String,
    /// When what it shows last changed; `None` when it shows nothing yet.
    pub last_modified: Option<DateTime<Utc>>,
    packed: [OnceLock<Vec<u8>>; 3],
}

/// A content coding that pages are served in.
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

impl Page {
    fn new(media_type: &'static str, text: String, last_modified: Option<DateTime<Utc>>) -> Self {
        let body = text.into_bytes();
        let etag = Sha256::digest(&body).iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        Self { media_type, body, etag, last_modified, packed: Default::default() }
    }

    /// The body in a coding; packed when it is first asked for, and once.
    #[must_use]
    pub fn packed(&self, coding: Coding) -> &[u8] {
        let pack = |coding| match coding {
            Coding::Brotli => {
                let mut packed = Vec::new();
                let written = brotli::CompressorWriter::new(&mut packed, 4096, 5, 20).write_all(&self.body);
                written.map(|()| packed)
            }
            Coding::Zstd => zstd::bulk::compress(&self.body, 3),
            Coding::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(&self.body).and_then(|()| encoder.finish())
            }
        };
        self.packed[coding as usize].get_or_init(|| pack(coding).expect("packing in memory cannot fail"))
    }
}

/// Why files could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}; the file that was there is untouched", path.display())]
pub struct WriteError {
    path: PathBuf,
    error: std::io::Error,
}

/// The merged feed of one output, as the store has it now.
///
/// # Errors
/// When the store cannot be read.
pub fn merge(connection: &Connection, output: &Output) -> store::Result<MergedFeed> {
    let OutputConfig { name, title, min_sources, per_feed, limit, .. } = &output.config;
    let sources: HashMap<FeedRef, Source> =
        feeds::sources(connection)?.into_iter().map(|source| (source.feed, source)).collect();
    let mut led: HashMap<FeedRef, usize> = HashMap::new();
    let mut merged = Vec::new();
    stories::newest(connection, None, |story| {
        if usize::try_from(story.sources).is_ok_and(|sources| sources < *min_sources) {
            return Ok(merged.len() < *limit);
        }
        let coverage = stories::coverage(connection, story.story)?;
        let is_ours =
            output.feeds.as_ref().is_none_or(|feeds| coverage.iter().any(|telling| feeds.contains(&telling.feed)));
        let Some(speaker) = coverage.iter().find(|telling| telling.entry == story.canonical).filter(|_| is_ours) else {
            return Ok(true);
        };
        let leads = led.entry(speaker.feed).or_default();
        if *per_feed > 0 && *leads >= *per_feed {
            return Ok(true);
        }
        *leads += 1;
        let detail = entries::detail_of(connection, story.canonical)?;
        merged.extend(merged::story(&story, &coverage, detail, |telling| sources.get(&telling.feed)));
        Ok(merged.len() < *limit)
    })?;
    let heading = Heading { name: name.clone(), title: title.clone(), public_url: output.public_url.clone() };
    Ok(merged::feed(heading, merged))
}

/// The merged feed in one format.
#[must_use]
pub fn render(feed: &MergedFeed, format: Format, formats: &[Format]) -> String {
    match format {
        Format::Atom => atom::render(feed),
        Format::Rss => rss::render(feed),
        Format::Json => json::render(feed),
        Format::Html => page::render(feed, formats),
    }
}

/// Renders every output, to be served.
///
/// # Errors
/// When the store cannot be read.
pub fn publish(connection: &Connection, outputs: &[Output]) -> store::Result<Published> {
    let mut pages = BTreeMap::new();
    for (position, output) in outputs.iter().enumerate() {
        let feed = merge(connection, output)?;
        for format in &output.config.formats {
            let text = render(&feed, *format, &output.config.formats);
            let page = |text| Page::new(format.media_type(), text, feed.updated);
            if position == 0 && *format == Format::Html {
                pages.insert("/".to_owned(), page(text.clone()));
            }
            pages.insert(format!("/{}{}", output.config.name, format.ending()), page(text));
        }
    }
    pages.insert("/style.css".to_owned(), Page::new("text/css; charset=utf-8", page::STYLE.to_owned(), None));
    Ok(Published { pages: Arc::new(pages) })
}

/// Writes the outputs that have a directory there. What has not changed is not touched; gives how many files were.
///
/// # Errors
/// When a file cannot be written; those before it were.
pub fn write(published: &Published, outputs: &[Output]) -> Result<usize, WriteError> {
    let mut written = 0;
    for output in outputs {
        let Some(directory) = &output.config.directory else {
            continue;
        };
        let mut put = |address: &str, file: String| -> Result<(), WriteError> {
            if let Some(page) = published.get(address) {
                written += usize::from(replace(&directory.join(file), &page.body)?);
            }
            Ok(())
        };
        let name = &output.config.name;
        for format in &output.config.formats {
            let ending = format.ending();
            let file_ending = if *format == Format::Html { ".html" } else { ending };
            put(&format!("/{name}{ending}"), format!("{name}{file_ending}"))?;
        }
        put("/style.css", "style.css".to_owned())?;
    }
    Ok(written)
}

/// Puts `bytes` at `path`, all at once: whoever reads the file sees the old document or the new one, never a part.
///
/// Gives `false` when they were there already.
fn replace(path: &Path, bytes: &[u8]) -> Result<bool, WriteError> {
    if std::fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(false);
    }
    let in_words = |error| WriteError { path: path.to_owned(), error };
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory).map_err(in_words)?;
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let put = || {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        File::open(directory)?.sync_all()
    };
    put().map(|()| true).map_err(|error| {
        // What is left of a failed attempt would only take room; the error that matters is the first.
        let _ = std::fs::remove_file(&temporary);
        in_words(error)
    })
}
