//! Secrets from where they are kept.
//!
//! Edge: reads files and the environment. They are fetched when they are needed and never stored, so that a changed one is in
//! force at the next poll.

use std::path::Path;

use crate::config::Secret;

/// The secret itself.
///
/// # Errors
/// Why it cannot be had, for a person, without the secret.
pub fn reveal(secret: &Secret) -> Result<String, String> {
    match secret {
        Secret::Literal(text) => Ok(text.clone()),
        Secret::File(path) => read(path),
        Secret::Env(name) => {
            std::env::var(name).map_err(|_| format!("the environment variable `{name}` is not set, or no text"))
        }
        Secret::Credential(name) => {
            let folder = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| {
                format!(
                    "the credential `{name}` is not there; the unit has to pass it with `LoadCredential={name}:FILE`"
                )
            })?;
            // `LoadCredential=feed:FOLDER`, as in our unit, passes each file of the folder under its name behind `feed_`.
            let one_of_many = Path::new(&folder).join(format!("feed_{name}"));
            if one_of_many.exists() { read(&one_of_many) } else { read(&Path::new(&folder).join(name)) }
        }
    }
}

/// A file's text without the line break at its end.
fn read(path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}
