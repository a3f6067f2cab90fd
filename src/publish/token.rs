//! The tokens of private outputs: who knows one sees what it is of.
//!
//! Edge: fetches secrets. What is kept of a token is what it takes to tell it, and the path below which its readers find
//! what is theirs.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Digest, SHA256, digest};
use url::Url;

use crate::config::{SHORTEST_TOKEN, Secret};
use crate::publish::address::encoded;
use crate::secrets;

/// The path below which tokens stand, within that of `public_url`.
pub const BELOW: &str = "t/";

/// A token.
#[derive(Clone)]
pub(super) struct Token {
    hash: Digest,
    text: String,
}

impl std::fmt::Debug for Token {
    /// Never prints the token itself.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// The token that an output has.
    ///
    /// # Errors
    /// Why it cannot be had, or is none, for a person; never with the token.
    pub(super) fn of(secret: &Secret) -> Result<Self, String> {
        let text = secrets::reveal(secret).map_err(|why| format!("its token cannot be read: {why}"))?;
        if text.chars().count() < SHORTEST_TOKEN {
            return Err(format!("its token is easily guessed; give it one of {SHORTEST_TOKEN} characters or more"));
        }
        Ok(Self { hash: hash(&text), text })
    }

    /// Whether somebody who says this knows it. How long that takes says nothing of the token.
    pub(super) fn is(&self, said: &str) -> bool {
        verify_slices_are_equal(self.hash.as_ref(), hash(said).as_ref()).is_ok()
    }

    /// Where what it is of is served, below the address that everything is served under.
    pub(super) fn address(&self, public_url: &Url) -> Url {
        let mut address = public_url.clone();
        address.set_path(&format!("{}{BELOW}{}/", public_url.path(), encoded(&self.text)));
        address
    }
}

/// Why an output's token cannot be used, for a person; never with the token.
#[must_use]
pub fn fault(secret: &Secret) -> Option<String> {
    Token::of(secret).err()
}

fn hash(text: &str) -> Digest {
    digest(&SHA256, text.as_bytes())
}

/// Whether two outputs have one token, however each of them is given it. One that cannot be had is like itself alone.
#[must_use]
pub fn is_one(one: &Secret, other: &Secret) -> bool {
    one == other || matches!((Token::of(one), Token::of(other)), (Ok(one), Ok(other)) if one.is(&other.text))
}

/// The tokens of these outputs, each once, in their order.
pub(super) fn distinct<'a>(tokens: impl Iterator<Item = &'a Secret>) -> Vec<&'a Secret> {
    let mut found: Vec<&Secret> = Vec::new();
    for token in tokens {
        if !found.iter().any(|known| is_one(known, token)) {
            found.push(token);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Token {
        Token::of(&Secret::Literal(text.into())).unwrap()
    }

    #[test]
    fn a_token_is_known_by_all_of_it_alone() {
        let known = token("0123456789abcdef");
        assert!(known.is("0123456789abcdef"));
        for wrong in ["", "0", "0123456789abcdeg", "0123456789ABCDEF", "0123456789abcdef ", "0123456789abcdef0"] {
            assert!(!known.is(wrong), "{wrong}");
        }
        assert_eq!(format!("{known:?}"), "Token(…)");
    }

    #[test]
    fn a_token_stands_in_an_address_whatever_letters_it_has() {
        let public: Url = "https://example.org/planet/".parse().unwrap();
        for (text, expected) in [
            ("0123456789abcdef", "https://example.org/planet/t/0123456789abcdef/"),
            ("a/b ü?#%+&../:@x.y", "https://example.org/planet/t/a%2Fb%20%C3%BC%3F%23%25%2B%26..%2F%3A%40x.y/"),
        ] {
            assert_eq!(token(text).address(&public).as_str(), expected);
        }
    }

    #[test]
    fn a_token_is_one_however_it_is_given() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "0123456789abcdef\n").unwrap();
        let [literal, other] = ["0123456789abcdef", "fedcba9876543210"].map(|text| Secret::Literal(text.into()));
        let [file, missing] = [file, folder.path().join("none")].map(Secret::File);
        assert!(is_one(&literal, &file) && is_one(&file, &literal) && is_one(&missing, &missing));
        assert!(!is_one(&literal, &other) && !is_one(&other, &file) && !is_one(&missing, &literal));
        assert_eq!(distinct([&file, &other, &literal, &missing].into_iter()), [&file, &other, &missing]);
    }

    #[test]
    fn what_is_easily_guessed_is_no_token() {
        let told = Token::of(&Secret::Literal("hunter2".into())).unwrap_err();
        assert!(told.contains("easily guessed") && !told.contains("hunter2"), "{told}");
        let told = Token::of(&Secret::Env("NEWSFOLD_NO_SUCH_TOKEN".into())).unwrap_err();
        assert!(told.starts_with("its token cannot be read: the environment variable"), "{told}");
    }
}
