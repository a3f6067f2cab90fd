//! What a media file is.
//!
//! Pure. Podcast programs play what is `audio/…` or `video/…` and leave out the rest, and many publishers name no type, or one
//! that says nothing. The ending of the address says it then.

use url::Url;

use crate::model::is_media_type;

/// Types that say no more than that there is something, or what the server does with it.
const EMPTY: &[&str] = &[
    "application/octet-stream",
    "application/octetstream",
    "application/binary",
    "application/x-binary",
    "application/download",
    "application/x-download",
    "application/force-download",
    "application/x-force-download",
    "application/unknown",
    "application/x-unknown",
    "binary/octet-stream",
    "unknown/unknown",
    "content/unknown",
    "audio/unknown",
    "video/unknown",
    "image/unknown",
];

/// Types by the endings of files.
const ENDINGS: &[(&str, &[&str])] = &[
    ("audio/mpeg", &["mp3", "mp2", "mpga"]),
    ("audio/mp4", &["m4a", "m4b", "m4r"]),
    ("audio/aac", &["aac", "adts"]),
    ("audio/ogg", &["ogg", "oga", "opus", "spx"]),
    ("audio/flac", &["flac"]),
    ("audio/wav", &["wav", "wave"]),
    ("audio/aiff", &["aif", "aiff", "aifc"]),
    ("audio/midi", &["mid", "midi"]),
    ("audio/x-ms-wma", &["wma"]),
    ("audio/amr", &["amr"]),
    ("video/mp4", &["mp4", "m4v", "mp4v"]),
    ("video/quicktime", &["mov", "qt"]),
    ("video/webm", &["webm"]),
    ("video/ogg", &["ogv"]),
    ("video/mpeg", &["mpg", "mpeg", "mpe"]),
    ("video/x-matroska", &["mkv"]),
    ("video/x-msvideo", &["avi"]),
    ("video/x-ms-wmv", &["wmv"]),
    ("video/x-flv", &["flv"]),
    ("video/3gpp", &["3gp", "3gpp"]),
    ("application/vnd.apple.mpegurl", &["m3u8"]),
    ("image/jpeg", &["jpg", "jpeg", "jpe", "jfif"]),
    ("image/png", &["png"]),
    ("image/gif", &["gif"]),
    ("image/webp", &["webp"]),
    ("image/avif", &["avif"]),
    ("image/svg+xml", &["svg"]),
    ("image/heic", &["heic"]),
    ("image/tiff", &["tif", "tiff"]),
    ("application/pdf", &["pdf"]),
    ("application/epub+zip", &["epub"]),
    ("application/zip", &["zip"]),
    ("application/x-bittorrent", &["torrent"]),
];

/// The type of a file: the publisher's word, where it says something, else what the ending of the address says.
#[must_use]
pub fn of(said: Option<&str>, address: &str) -> Option<String> {
    let said = said.map(|said| said.split(';').next().unwrap_or(said).trim());
    let usable = said.filter(|kind| is_media_type(kind) && !EMPTY.iter().any(|empty| empty.eq_ignore_ascii_case(kind)));
    let by_ending = || by_address(address).or_else(|| said.and_then(by_ending)).map(str::to_owned);
    match usable {
        // A file of sound or pictures is no page, whatever a server says of all that it has.
        Some(kind) if is_page(kind) => by_ending().or_else(|| Some(kind.to_owned())),
        Some(kind) => Some(kind.to_owned()),
        None => by_ending().or_else(|| said.filter(|kind| is_media_type(kind)).map(str::to_owned)),
    }
}

fn is_page(kind: &str) -> bool {
    ["text/html", "text/plain"].iter().any(|page| page.eq_ignore_ascii_case(kind))
}

/// The type that the end of the path says, or of a value in the query (`download.php?file=1.mp3`).
fn by_address(address: &str) -> Option<&'static str> {
    let url = Url::parse(address).ok()?;
    let ending = |name: &str| name.rsplit_once('.').and_then(|(_, ending)| by_ending(ending));
    ending(url.path().trim_end_matches('/')).or_else(|| url.query_pairs().find_map(|(_, value)| ending(&value)))
}

/// The type of files with this ending, which is also what some publishers take for a type.
fn by_ending(ending: &str) -> Option<&'static str> {
    let ending = ending.to_ascii_lowercase();
    let ending = ending.trim_start_matches('.');
    ENDINGS.iter().find(|(_, endings)| endings.contains(&ending)).map(|(kind, _)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_says_what_no_usable_type_says() {
        for (said, address, expected) in [
            (None, "https://a.example/1.mp3", Some("audio/mpeg")),
            (Some(""), "https://a.example/1.MP3?token=x.y", Some("audio/mpeg")),
            (Some("mp3"), "https://a.example/1", Some("audio/mpeg")),
            (Some("audio"), "https://a.example/1.m4a", Some("audio/mp4")),
            (Some("application/octet-stream"), "https://a.example/1.opus", Some("audio/ogg")),
            (Some("Application/X-Download"), "https://a.example/1.m4v", Some("video/mp4")),
            (Some("text/html"), "https://a.example/1.mp3", Some("audio/mpeg")),
            (Some("text/html"), "https://a.example/1.html", Some("text/html")),
            (None, "https://a.example/get.php?file=show%2F1.ogg&x=1", Some("audio/ogg")),
            (None, "https://a.example/1.mp3/", Some("audio/mpeg")),
            (Some("audio/x-m4a"), "https://a.example/1.m4a", Some("audio/x-m4a")),
            (Some("audio/mpeg; charset=binary"), "https://a.example/1", Some("audio/mpeg")),
            (Some("application/octet-stream"), "https://a.example/1", Some("application/octet-stream")),
            (Some("a/\"b"), "https://a.example/1", None),
            (None, "https://a.example/mp3", None),
            (None, "https://a.mp3", None),
            (None, "no address", None),
        ] {
            assert_eq!(of(said, address).as_deref(), expected, "{said:?} {address}");
        }
    }
}
