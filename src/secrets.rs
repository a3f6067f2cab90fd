//! Secrets from where they are kept.
//!
//! Edge: reads files and the environment. They are fetched when they are needed and never stored, so that a changed one is in
//! force at the next poll.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use crate::config::Secret;

/// How long fetching a secret may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest file that is read: a bundle of certificates, as far as those go.
const MOST_BYTES: u64 = 1 << 20;

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

/// Fetches secrets on a thread of their own, and gives up when that takes longer than [`PATIENCE`]: a file may lie on a server that
/// does not answer, and nothing else is to wait for it.
///
/// # Errors
/// Why they cannot be had, for a person.
pub(crate) async fn in_time<T: Send + 'static>(
    fetch: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    within(PATIENCE, fetch).await
}

async fn within<T: Send + 'static>(
    patience: Duration,
    fetch: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    match tokio::time::timeout(patience, tokio::task::spawn_blocking(fetch)).await {
        Ok(Ok(fetched)) => fetched,
        Ok(Err(_)) => Err("fetching it failed, which is a fault of newsfold".to_owned()),
        Err(_) => Err(format!("a file that it takes cannot be read within {} seconds", patience.as_secs())),
    }
}

/// A file's text without the line break at its end.
fn read(path: &Path) -> Result<String, String> {
    let bytes = small_file(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{}: this is no text in UTF-8", path.display()))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

/// What a small file holds.
///
/// # Errors
/// When it cannot be read, is larger than [`MOST_BYTES`], or is none: a pipe or a device may never come to its end.
pub(crate) fn small_file(path: &Path) -> io::Result<Vec<u8>> {
    let refuse = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, why.to_owned()));
    let found = std::fs::metadata(path)?;
    if !found.is_file() {
        return refuse("this is a folder, a pipe, a socket or a device");
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return refuse("it is larger than 1 MiB");
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(path: &Path) -> String {
        reveal(&Secret::File(path.to_owned())).unwrap_err()
    }

    #[test]
    fn what_is_no_small_file_is_no_secret_and_nobody_waits_for_it() {
        let folder = tempfile::tempdir().unwrap();
        assert!(refusal(Path::new("/dev/zero")).contains("device"));
        assert!(refusal(folder.path()).contains("folder"));
        let large = folder.path().join("large");
        File::create(&large).unwrap().set_len(MOST_BYTES + 1).unwrap();
        assert!(refusal(&large).contains("larger than 1 MiB"));
        std::fs::write(&large, "secret\r\n").unwrap();
        assert_eq!(reveal(&Secret::File(large)).unwrap(), "secret");
    }

    #[tokio::test]
    async fn a_file_that_never_comes_is_given_up() {
        let (end, never) = std::sync::mpsc::channel::<()>();
        let fetch = move || never.recv().map_err(|_| "it ended".to_owned());
        let why = within(Duration::ZERO, fetch).await.unwrap_err();
        assert!(why.contains("cannot be read within"), "{why}");
        drop(end);
    }
}
