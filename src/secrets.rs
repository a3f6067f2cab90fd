//! Secrets from where they are kept.
//!
//! Edge: reads files and the environment. They are fetched when they are needed and never stored, so that a changed one is in
//! force at the next poll.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::config::Secret;

/// The secret itself.
///
/// # Errors
/// Why it cannot be had, for a person, without the secret.
pub(crate) fn reveal(secret: &Secret) -> Result<String, String> {
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

/// The file that a secret is kept in, where every user of this machine may read it.
#[must_use]
pub(crate) fn open_to_all(secret: &Secret) -> Option<&Path> {
    let Secret::File(path) = secret else { return None };
    is_open_to_all(path).then_some(path)
}

/// Whether every user of this machine may read a file.
#[must_use]
pub(crate) fn is_open_to_all(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o004 != 0)
}

/// A file's text without the line break at its end.
fn read(path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}
