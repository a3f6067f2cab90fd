//! What `[fold.encoder]` may hold: the server that makes vectors of texts.
//!
//! Pure.

use std::path::Path;
use std::time::Duration;

use super::EncoderConfig;
use super::feed::secret;
use super::read::web_address;
use super::table::Table;

/// How long an answer may take where nothing else is configured.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads `[fold.encoder]`; `None` where it has no `url`, which is how it is switched off.
pub(super) fn encoder(table: &Table<'_>, folder: &Path) -> Option<EncoderConfig> {
    let url = table.get("url").and_then(|value| {
        value.parsed_unseen("\"http://127.0.0.1:8000/v1/embeddings\"", |text| {
            (!text.is_empty()).then(|| web_address(text)).transpose()
        })
    });
    // All of it is read, so that one fault hides no other.
    let (model, prefix) = (table.text("model", ""), table.text("prefix", ""));
    let key = table.get("key").and_then(|value| secret(&value, folder));
    let patience = table.duration("patience", PATIENCE);
    if table.flag("fold", false)
        && let Some(value) = table.get("fold")
    {
        value.problem(
            "cannot be `true` in this version: tellings in other languages are listed and not folded; take it out",
        );
    }
    Some(EncoderConfig { url: url.flatten()?, model, key, prefix, patience })
}
