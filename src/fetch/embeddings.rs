//! Asking an encoder for the vectors of texts, as `OpenAI` has it (`embeddings`) and many servers understand.
//!
//! Edge. The encoder is the operator's choice, so it may be a machine of the operator's own network. Redirects are not followed:
//! they would carry texts elsewhere. What an answer may be is bounded, and nothing of it is believed before it was looked at.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::fields;
use crate::clock;
use crate::redact;

/// The longest answer that is read: a hundred texts in the longest vectors that are in use.
const MOST_BYTES: usize = 8 << 20;
/// The longest vector that is taken.
const MOST_DIMENSIONS: usize = 4_096;

/// There are no vectors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It cannot be reached, or took longer than it may.
    #[error("{0}")]
    Silent(String),
    /// It took longer than it may.
    #[error("it did not answer within `fold.encoder.patience`")]
    Late,
    /// It will not have these texts.
    #[error("it answered {status}; look at `fold.encoder.model`")]
    Texts {
        /// What it answered.
        status: StatusCode,
        /// For how long it asks not to be asked again.
        rest: Option<Duration>,
    },
    /// It will not have the question.
    #[error("it answered {status}; look at `fold.encoder.url`, `model` and `key`")]
    Refused {
        /// What it answered.
        status: StatusCode,
        /// For how long it asks not to be asked again.
        rest: Option<Duration>,
    },
    /// What it answered are no vectors of these texts.
    #[error("its answer cannot be used: {0}")]
    Unusable(&'static str),
    /// The key cannot stand in a request.
    #[error("`fold.encoder.key` cannot stand in a request; write plain ASCII")]
    Key,
}

impl Error {
    /// Whether it may be for what one of the texts is that there is no answer.
    #[must_use]
    pub fn may_be_a_text(&self) -> bool {
        matches!(self, Self::Texts { rest: None, .. } | Self::Unusable(_) | Self::Late)
    }

    /// For how long the encoder asks not to be asked again.
    #[must_use]
    pub fn rest(&self) -> Option<Duration> {
        match self {
            Self::Texts { rest, .. } | Self::Refused { rest, .. } => *rest,
            _ => None,
        }
    }
}

/// What an encoder answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    /// What it calls its model, cut where that is long; empty where it does not say.
    pub model: String,
    /// A vector for each text, in their order, all of one length; finite, and not all zeros.
    pub vectors: Vec<Vec<f32>>,
}

/// Whom to ask, and how.
#[derive(Debug)]
pub struct EncoderClient {
    client: Client,
    url: Url,
    model: String,
    key: Option<HeaderValue>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    model: Option<String>,
    data: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    index: Option<usize>,
    embedding: Vec<f32>,
}

impl EncoderClient {
    /// An encoder at `url`, which has `patience` for each answer. `model` may be empty; `key` is a bearer token.
    ///
    /// # Errors
    /// When the key cannot stand in a request, or TLS cannot be set up.
    pub fn new(
        url: Url,
        model: String,
        key: Option<&str>,
        patience: Duration,
        user_agent: &str,
    ) -> Result<Self, Error> {
        let client = Client::builder()
            .user_agent(user_agent)
            .timeout(patience)
            .redirect(Policy::none())
            .no_proxy()
            .build()
            .map_err(silent)?;
        let key = key.map(|key| {
            let mut value = HeaderValue::try_from(format!("Bearer {key}")).map_err(|_| Error::Key)?;
            value.set_sensitive(true);
            Ok(value)
        });
        Ok(Self { client, url, model, key: key.transpose()? })
    }

    /// The vectors of these texts.
    ///
    /// # Errors
    /// When it does not answer in time, will not have them, or answers what are no vectors of them.
    pub async fn embed(&self, texts: &[String]) -> Result<Embeddings, Error> {
        let mut asked = json!({ "input": texts, "encoding_format": "float" });
        if !self.model.is_empty() {
            asked["model"] = json!(self.model);
        }
        let mut request = self
            .client
            .post(self.url.clone())
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .body(asked.to_string());
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, key);
        }
        let mut answer = request.send().await.map_err(silent)?;
        let rest = fields::rest_asked_for(answer.headers(), clock::now());
        match answer.status() {
            status if status.is_success() => {}
            status @ (StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY) => {
                return Err(Error::Texts { status, rest });
            }
            // Servers end in the middle of a text, too, and what stands before them says that nobody is there.
            status if status.is_server_error() => return Err(Error::Texts { status, rest }),
            status => return Err(Error::Refused { status, rest }),
        }
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(silent)? {
            if body.len() + part.len() > MOST_BYTES {
                return Err(Error::Unusable("it is longer than 8 MiB"));
            }
            body.extend_from_slice(&part);
        }
        read(&body, texts.len())
    }
}

fn silent(error: reqwest::Error) -> Error {
    if error.is_timeout() { Error::Late } else { Error::Silent(super::error::last_cause(&error.without_url())) }
}

/// The vectors in an answer about so many texts.
fn read(body: &[u8], texts: usize) -> Result<Embeddings, Error> {
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|_| Error::Unusable("it is not JSON of the form that `embeddings` has"))?;
    let Answer { model, data } = answer;
    if data.len() != texts {
        return Err(Error::Unusable("it has not one vector for each text"));
    }
    let mut vectors = vec![Vec::new(); texts];
    let dimensions = data.first().map_or(0, |one| one.embedding.len());
    for (at, One { index, embedding }) in data.into_iter().enumerate() {
        if embedding.len() != dimensions || dimensions == 0 || dimensions > MOST_DIMENSIONS {
            return Err(Error::Unusable("its vectors are of different lengths, empty, or longer than 4,096 numbers"));
        }
        let is_number = embedding.iter().all(|value| value.is_finite());
        if !is_number || embedding.iter().all(|value| *value == 0.0) {
            return Err(Error::Unusable("a vector is all zeros, or holds what is no number"));
        }
        match vectors.get_mut(index.unwrap_or(at)) {
            Some(place) if place.is_empty() => *place = embedding,
            _ => return Err(Error::Unusable("it has not one vector for each text")),
        }
    }
    Ok(Embeddings { model: redact::message(&model.unwrap_or_default()), vectors })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_put_in_the_order_of_their_texts() {
        let body =
            br#"{"model":"m","data":[{"index":1,"embedding":[0,1]},{"index":0,"embedding":[1,0.5]}],"usage":{}}"#;
        let read = read(body, 2).unwrap();
        assert_eq!(read, Embeddings { model: "m".into(), vectors: vec![vec![1.0, 0.5], vec![0.0, 1.0]] });
    }

    #[test]
    fn the_name_of_a_model_has_a_greatest_length_and_no_line_breaks() {
        let body = format!(r#"{{"model":"m\n{}","data":[{{"embedding":[1]}}]}}"#, "x".repeat(1 << 20));
        let model = read(body.as_bytes(), 1).unwrap().model;
        assert!(model.starts_with('m') && model.len() < 2_048 && !model.contains('\n'), "{model}");
    }

    #[test]
    fn an_answer_that_is_no_answer_is_refused() {
        let check = |body: &str, texts: usize| {
            assert!(matches!(read(body.as_bytes(), texts), Err(Error::Unusable(_))), "{body}");
        };
        check("", 1);
        check("{}", 1);
        check(r#"{"data":[]}"#, 1);
        check(r#"{"data":[{"embedding":[1]},{"embedding":[1]}]}"#, 1);
        check(r#"{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}"#, 2);
        check(r#"{"data":[{"index":7,"embedding":[1]}]}"#, 1);
        check(r#"{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1,2]}]}"#, 2);
        check(r#"{"data":[{"embedding":[]}]}"#, 1);
        check(r#"{"data":[{"embedding":[0,0]}]}"#, 1);
        check(r#"{"data":[{"embedding":[1e99]}]}"#, 1);
        check(r#"{"data":[{"embedding":[NaN]}]}"#, 1);
        check(r#"{"data":[{"embedding":[null]}]}"#, 1);
    }
}
