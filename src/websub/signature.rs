//! Whether news is from the hub that we told the secret (WebSub §7.1).
//!
//! Pure.

use aws_lc_rs::hmac;

/// Whether `signature`, an `X-Hub-Signature` field, is that of `body` under `secret`.
#[must_use]
pub(crate) fn is_good(signature: &str, secret: &str, body: &[u8]) -> bool {
    let Some((method, digits)) = signature.trim().split_once('=') else { return false };
    let algorithm = match method.to_ascii_lowercase().as_str() {
        "sha1" => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        "sha256" => hmac::HMAC_SHA256,
        "sha384" => hmac::HMAC_SHA384,
        "sha512" => hmac::HMAC_SHA512,
        _ => return false,
    };
    let key = hmac::Key::new(algorithm, secret.as_bytes());
    hex::decode(digits).is_ok_and(|tag| hmac::verify(&key, body, &tag).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_whole_body_under_our_secret() {
        let check = |signature: &str, expected| assert_eq!(is_good(signature, "key", BODY), expected, "{signature}");
        const BODY: &[u8] = b"The quick brown fox jumps over the lazy dog";
        check("sha1=de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9", true);
        check("sha256=f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8", true);
        check("SHA256=F7BC83F430538424B13298E6AA6FB143EF4D59A14946175997479DBC2D1A3CD8", true);
        for algorithm in [hmac::HMAC_SHA384, hmac::HMAC_SHA512] {
            let tag = hmac::sign(&hmac::Key::new(algorithm, b"key"), BODY);
            check(&format!("sha{}={}", 8 * tag.as_ref().len(), hex::encode(tag)), true);
        }
        check("sha1=f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8", false);
        check("sha256=f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd9", false);
        check("sha256=f7bc", false);
        check("sha256=", false);
        check("sha256=f", false);
        check("sha256=zz", false);
        check("md5=80070713463e7749b90c2dc24911e275", false);
        check("", false);
    }
}
