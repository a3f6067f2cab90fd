//! Tellings in other languages (`[fold.encoder]`): what is new is put to an encoder, compared with the window, and noted.
//!
//! Edge: reads the store, asks the encoder, and writes what was found. Nobody waits for it: an encoder that is down, slow, or
//! answers nonsense costs what it would have found, for as long as that lasts. What makes two entries one is
//! `fold::cross_lingual`'s to say.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use crate::clock;
use crate::config::{Config, EncoderConfig};
use crate::fetch::embeddings::{self, Embeddings, EncoderClient};
use crate::fold::cross_lingual::{Beginning, Embedding, Encoded, Translation, Window};
use crate::model::{EntryRef, StoryRef};
use crate::secrets;
use crate::store::{self, Connection, Store, embeddings as kept, entries, notices, other_languages};

/// Texts in one question, at most; an encoder that does not answer in time is asked about fewer.
const BATCH: usize = 16;
/// Questions in one turn. What was found by then is published before the next.
const QUESTIONS: usize = 16;
/// How long a model is in use before there may be another: each begins with the whole window.
const MODEL_FOR: Duration = Duration::from_secs(3_600);
/// Asked where an encoder has no answer, to learn whether it has none to anything.
const HARMLESS: &str = "The ferry to the island runs again.";

/// Nothing was found out, or not all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The store refuses.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The key is not where it should be.
    #[error("`fold.encoder.key`: {0}")]
    Key(String),
    /// The encoder could not be asked, or its answer not be used.
    #[error(transparent)]
    Encoder(#[from] embeddings::Error),
    /// Vectors of two models say nothing about each other.
    #[error(
        "its model is now `{0}` and now another; have `fold.encoder.url` lead to one server, or give all behind it one model"
    )]
    TwoModels(String),
}

impl Error {
    /// For how long the encoder asks not to be asked again.
    pub(crate) fn rest(&self) -> Option<Duration> {
        match self {
            Self::Encoder(error) => error.rest(),
            _ => None,
        }
    }
}

/// What one turn came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Turn {
    /// Entries that the encoder made vectors of.
    pub encoded: usize,
    /// Pairs of entries that tell the same in two languages.
    pub found: usize,
    /// Whether nothing more waits.
    pub is_done: bool,
}

/// What is known of the encoder's ways: how many texts it answers about in time, and when it had another model. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Pace(Arc<Mutex<Ways>>);

#[derive(Debug)]
struct Ways {
    batch: usize,
    /// When it was found to have another model than before.
    changed: Option<Instant>,
}

impl Default for Pace {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Ways { batch: BATCH, changed: None })))
    }
}

impl Pace {
    fn ways(&self) -> MutexGuard<'_, Ways> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn batch(&self) -> usize {
        self.ways().batch
    }

    fn faster(&self) {
        let mut ways = self.ways();
        ways.batch = (ways.batch * 2).min(BATCH);
    }

    fn slower(&self) {
        let mut ways = self.ways();
        ways.batch = (ways.batch / 4).max(1);
    }

    fn one_by_one(&self) {
        self.ways().batch = 1;
    }

    /// Notes that the encoder has another model; gives whether that can be: nobody puts one in place of the other every minute.
    fn may_change(&self, now: Instant) -> bool {
        let mut ways = self.ways();
        let is_likely = ways.changed.is_none_or(|changed| now.saturating_duration_since(changed) >= MODEL_FOR);
        if is_likely {
            ways.changed = Some(now);
        }
        is_likely
    }
}

/// An entry to be put to the encoder.
#[derive(Debug, Clone)]
struct Waiting {
    entry: EntryRef,
    story: StoryRef,
    at: DateTime<Utc>,
    /// `None` where there is nothing to ask.
    beginning: Option<Beginning>,
}

/// Puts entries of the window that were not looked at to the encoder, newest first, and notes what tells the same in other
/// languages. Does nothing where no encoder is configured.
///
/// # Errors
/// When the store refuses, or the encoder cannot be asked; what was found before stays.
pub(crate) async fn bring_on(store: &Store, config: &Config, pace: &Pace, now: DateTime<Utc>) -> Result<Turn, Error> {
    let mut turn = Turn::default();
    let Some(encoder) = &config.fold.encoder else { return Ok(Turn { is_done: true, ..turn }) };
    let begins = now
        .checked_sub_signed(TimeDelta::from_std(config.fold.window).unwrap_or(TimeDelta::MAX))
        .unwrap_or(DateTime::UNIX_EPOCH);
    let asker = Asker { encoder, client: client(encoder, &config.poll.user_agent).await?, pace };
    let configured = format!("{} {} {}", encoder.url, encoder.model, encoder.prefix);
    if store.read(kept::progress).await?.is_none_or(|known| known.configured != configured) {
        let configured = configured.clone();
        store.write(0, move |context| kept::begin(context.tx, &configured, begins)).await?;
    }
    let mut known: Option<Window> = None;
    for _ in 0..QUESTIONS {
        let most = pace.batch();
        let (newest, waiting) = store.read(move |connection| look(connection, begins, most)).await?;
        if waiting.is_empty() {
            if let Some(newest) = newest {
                store.write(0, move |context| kept::advance(context.tx, newest, begins)).await?;
            }
            return Ok(Turn { is_done: true, ..turn });
        }
        let Answered { model, encoded, passed_over } = asker.ask(waiting).await?;
        turn.encoded += encoded.len();
        if let Some(model) = model
            && asker.is_another(store, &configured, model, begins).await?
        {
            known = None;
        }
        let mut window = match known.take() {
            Some(window) => window,
            None => Window::of(store.read(move |connection| kept::window(connection, begins)).await?),
        };
        let embeddings: Vec<Embedding> = encoded.iter().map(|encoded| encoded.embedding.clone()).collect();
        let (window, found) = tokio::task::spawn_blocking(move || {
            let found = window.take_in(encoded);
            (window, found)
        })
        .await
        .map_err(store::Error::from)?;
        known = Some(window);
        turn.found += found.len();
        note(store, embeddings, passed_over, found, now).await?;
    }
    Ok(turn)
}

/// The same for a command that ends: it goes as far as it comes within the encoder's patience, and the next goes on.
///
/// # Errors
/// When the store refuses. That the encoder cannot be asked is no error: the log says so.
pub(crate) async fn bring_on_in_time(store: &Store, config: &Config, now: DateTime<Utc>) -> store::Result<()> {
    let Some(encoder) = &config.fold.encoder else { return Ok(()) };
    let pace = Pace::default();
    let all = async {
        while !bring_on(store, config, &pace, now).await?.is_done {}
        Ok(())
    };
    match tokio::time::timeout(encoder.patience, all).await {
        Ok(Err(Error::Store(error))) => Err(error),
        Ok(Err(error)) => {
            tracing::warn!(name: "encoder.not_asked", "stories are not looked for in other languages: {error}");
            Ok(())
        }
        Ok(Ok(())) | Err(_) => Ok(()),
    }
}

async fn client(encoder: &EncoderConfig, user_agent: &str) -> Result<EncoderClient, Error> {
    let key = match encoder.key.clone() {
        Some(key) => Some(secrets::in_time(move || secrets::reveal(&key)).await.map_err(Error::Key)?),
        None => None,
    };
    let EncoderConfig { url, model, patience, .. } = encoder;
    Ok(EncoderClient::new(url.clone(), model.clone(), key.as_deref(), *patience, user_agent)?)
}

/// The newest entry, unless it was the newest the last time, and the next ones that wait.
fn look(
    connection: &Connection,
    begins: DateTime<Utc>,
    most: usize,
) -> store::Result<(Option<EntryRef>, Vec<Waiting>)> {
    let (newest, before) = (notices::newest(connection)?, kept::progress(connection)?);
    let newest = Some(newest).filter(|newest| before.is_some_and(|before| before.upto < *newest));
    let waiting = kept::waiting(connection, begins, most)?.into_iter().map(|(entry, story)| {
        let text = entries::text_of(connection, entry)?;
        let article = text.article();
        let at = text.published.map_or(text.first_seen, |published| published.min(text.first_seen));
        Ok(Waiting { entry, story, at, beginning: Beginning::of(&article) })
    });
    Ok((newest, waiting.collect::<store::Result<_>>()?))
}

/// A model, by what the encoder calls it and how long its vectors are.
#[derive(Debug, PartialEq, Eq)]
struct Model {
    name: String,
    dimensions: usize,
}

/// What an encoder made of entries.
#[derive(Debug, Default)]
struct Answered {
    /// With which model; `None` where it made nothing.
    model: Option<Model>,
    encoded: Vec<Encoded>,
    /// Entries that there is nothing to ask about, or that it refuses.
    passed_over: Vec<EntryRef>,
}

/// Asks an encoder.
struct Asker<'a> {
    encoder: &'a EncoderConfig,
    client: EncoderClient,
    pace: &'a Pace,
}

impl Asker<'_> {
    /// Asks about entries, about fewer at a time where it takes too long, and about each by itself where it refuses them.
    async fn ask(&self, waiting: Vec<Waiting>) -> Result<Answered, embeddings::Error> {
        let mut answered = Answered::default();
        let (asked, nothing): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|entry| entry.beginning.is_some());
        answered.passed_over.extend(nothing.iter().map(|entry| entry.entry));
        let texts: Vec<String> =
            asked.iter().filter_map(|entry| entry.beginning.as_ref()).map(|of| self.put(of)).collect();
        if texts.is_empty() {
            return Ok(answered);
        }
        let came = match self.client.embed(&texts).await {
            Err(embeddings::Error::Late) if asked.len() > 1 => {
                self.pace.slower();
                return Err(embeddings::Error::Late);
            }
            Err(error) if error.may_be_a_text() => {
                // It may be one text, or none of them: who has no answer to what is harmless has none to anything.
                self.client.embed(&[HARMLESS.to_owned()]).await?;
                if let [refused] = &asked[..] {
                    tracing::warn!(
                        name: "encoder.refused",
                        { entry.id = refused.entry.0 },
                        "the encoder has no answer to a text, and the entry is not looked for in other languages: {error}"
                    );
                    answered.passed_over.push(refused.entry);
                    return Ok(answered);
                }
                self.pace.one_by_one();
                return Ok(answered);
            }
            came => came?,
        };
        self.pace.faster();
        let Embeddings { model, vectors } = came;
        answered.model = vectors.first().map(|first| Model { name: model, dimensions: first.len() });
        let of = |(Waiting { entry, story, at, beginning }, vector): (_, &Vec<f32>)| {
            Some(Encoded::new(entry, story, at, beginning?, vector))
        };
        answered.encoded = asked.into_iter().zip(&vectors).filter_map(of).collect();
        Ok(answered)
    }

    /// Whether the vectors that there are were made with another model; they are forgotten then.
    async fn is_another(
        &self,
        store: &Store,
        configured: &str,
        model: Model,
        begins: DateTime<Utc>,
    ) -> Result<bool, Error> {
        let Some(before) = store.read(kept::progress).await? else { return Ok(false) };
        let before = Model { name: before.model, dimensions: before.dimensions };
        if before == model {
            return Ok(false);
        }
        let is_first = before.dimensions == 0;
        if !is_first {
            if !self.pace.may_change(clock::instant()) {
                return Err(Error::TwoModels(before.name));
            }
            tracing::warn!(
                name: "encoder.changed",
                before = before.name,
                model = model.name,
                dimensions = model.dimensions,
                "the encoder has another model than before; all entries of the window are put to it again"
            );
        }
        let configured = configured.to_owned();
        store
            .write(0, move |context| {
                if !is_first {
                    kept::begin(context.tx, &configured, begins)?;
                }
                kept::name(context.tx, &model.name, model.dimensions)
            })
            .await?;
        Ok(!is_first)
    }

    /// A text as it is sent.
    fn put(&self, beginning: &Beginning) -> String {
        format!("{}{}", self.encoder.prefix, beginning.text)
    }
}

/// Notes what the encoder made of entries, and what was found by it.
async fn note(
    store: &Store,
    embeddings: Vec<Embedding>,
    passed_over: Vec<EntryRef>,
    found: Vec<Translation>,
    now: DateTime<Utc>,
) -> store::Result<()> {
    for Translation { entry, other, language, other_language, score, .. } in &found {
        tracing::debug!(
            name: "encoder.found",
            { entry.id = entry.0, other.id = other.0, language = language.as_str(), other_language = other_language.as_str(), score },
            "two entries tell the same in two languages"
        );
    }
    let bytes = embeddings.iter().map(|embedding| embedding.vector.len()).sum();
    store
        .write(bytes, move |context| {
            embeddings.iter().try_for_each(|embedding| kept::add(context.tx, embedding))?;
            passed_over.iter().try_for_each(|entry| kept::pass_over(context.tx, *entry))?;
            found.iter().try_for_each(|found| other_languages::add(context.tx, found, now))
        })
        .await
}
