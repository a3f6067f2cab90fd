//! What a person can do about a status that is no feed's.
//!
//! Pure but for the names that the HTTP client has for statuses and headers.

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, SERVER, WWW_AUTHENTICATE};

use crate::fetch::access::Reach;
use crate::fetch::fields::all_text;

/// What bot walls put into an answer that lets nobody in: the header, what its value begins with, and whose wall it is.
const WALLS: [(&str, &str, &str); 8] = [
    ("cf-mitigated", "", "Cloudflare"),
    ("x-vercel-mitigated", "", "Vercel"),
    ("x-amzn-waf-action", "", "AWS"),
    ("x-datadome", "", "DataDome"),
    ("x-dd-b", "", "DataDome"),
    ("x-sucuri-block", "", "Sucuri"),
    ("set-cookie", "techaro.lol-anubis", "Anubis"),
    ("set-cookie", "datadome=", "DataDome"),
];
/// The same for servers that are walls altogether: what `Server` begins with. They are meant by a refusal (403) alone.
const WALLED_SERVERS: [(&str, &str); 4] =
    [("akamaighost", "Akamai"), ("ddos-guard", "DDoS-Guard"), ("qrator", "Qrator"), ("sucuri", "Sucuri")];

/// The words that follow the status in a message; empty where nothing is known.
pub(super) fn of(status: StatusCode, headers: &HeaderMap, credentials: Reach) -> String {
    if let Some(wall) = wall_of(status, headers) {
        return format!(
            "; that is a bot wall ({wall}), which lets browsers in alone: ask whoever runs the site to let feed readers in, or look for another address of the feed"
        );
    }
    let words = match (status.as_u16(), credentials) {
        (401 | 403, Reach::Elsewhere) => {
            "; a redirect led there from another server, and what the feed is configured with to log in is not sent along: if it is meant for this one, name its address as `url`"
        }
        (401, _) => wanted(headers, credentials),
        (403, _) => "; if this goes on, look at `poll.user_agent`",
        (404, _) => "; if this goes on, look for the feed's new address",
        (407, _) => "; the proxy wants a name and a password, written into its address",
        _ => "",
    };
    words.to_owned()
}

/// Whose wall answered.
fn wall_of(status: StatusCode, headers: &HeaderMap) -> Option<&'static str> {
    let begins = |name: &str, beginning: &str| {
        let values = HeaderName::from_bytes(name.as_bytes()).map(|name| all_text(headers, &name)).unwrap_or_default();
        values.iter().any(|value| value.to_ascii_lowercase().starts_with(beginning))
    };
    let by_name = || WALLED_SERVERS.iter().find(|(server, _)| begins(SERVER.as_str(), server)).map(|(_, wall)| *wall);
    WALLS
        .iter()
        .find(|(name, beginning, _)| begins(name, beginning))
        .map(|(_, _, wall)| *wall)
        .or_else(|| by_name().filter(|_| status == StatusCode::FORBIDDEN))
}

/// What a server wants to know of who asks (RFC 9110 §11.6.1).
fn wanted(headers: &HeaderMap, credentials: Reach) -> &'static str {
    let asked = all_text(headers, &WWW_AUTHENTICATE).join(", ").to_ascii_lowercase();
    let wants = |scheme: &str| asked.split([',', ' ']).any(|word| word == scheme);
    if wants("basic") && credentials == Reach::There {
        "; it does not take what the feed is configured with (`username` and `password`, or `headers`)"
    } else if wants("basic") || asked.is_empty() {
        "; it wants a name and a password (`username` and `password` of the feed)"
    } else if wants("digest") {
        "; it wants Digest authentication, which newsfold does not speak: ask whoever runs it for Basic over https, or for an address with a key in it"
    } else if wants("bearer") {
        "; it wants a token (`headers = { Authorization = … }` of the feed)"
    } else {
        "; it wants a way to log in that newsfold does not speak: ask whoever runs it for Basic over https"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, headers: &[(&'static str, &'static str)], credentials: Reach, expected: &str) {
        let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        let words = of(StatusCode::from_u16(status).unwrap(), &headers.collect(), credentials);
        assert!(words.contains(expected) && words.is_empty() == expected.is_empty(), "{status}: {words}");
    }

    #[test]
    fn a_bot_wall_is_named() {
        check(403, &[("cf-mitigated", "challenge"), ("server", "cloudflare")], Reach::Nowhere, "(Cloudflare)");
        check(202, &[("x-amzn-waf-action", "challenge")], Reach::Nowhere, "(AWS)");
        check(429, &[("x-vercel-mitigated", "challenge")], Reach::Nowhere, "(Vercel)");
        check(403, &[("server", "AkamaiGHost")], Reach::There, "(Akamai)");
        check(503, &[("server", "AkamaiGHost")], Reach::Nowhere, "");
        check(403, &[("server", "cloudflare")], Reach::Nowhere, "user_agent");
    }

    #[test]
    fn who_wants_to_know_who_asks_is_told_apart() {
        let asks = |scheme: &'static str| [("www-authenticate", scheme)];
        check(401, &[], Reach::Nowhere, "wants a name and a password");
        check(401, &asks("Basic realm=\"a\""), Reach::Nowhere, "wants a name and a password");
        check(401, &asks("Basic realm=\"a\""), Reach::There, "does not take");
        check(401, &asks("Digest realm=\"a\", nonce=\"b\", Basic realm=\"a\""), Reach::There, "does not take");
        check(401, &asks("Digest realm=\"a\", qop=\"auth\""), Reach::There, "Digest");
        check(401, &asks("Bearer"), Reach::Nowhere, "token");
        check(401, &asks("Negotiate"), Reach::There, "does not speak");
        check(401, &asks("Basic realm=\"a\""), Reach::Elsewhere, "not sent along");
        check(500, &[], Reach::Elsewhere, "");
    }
}
