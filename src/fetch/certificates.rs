//! Whom a server may be that a feed names certificates for.
//!
//! Edge: reads the system's certificates. Whoever the system trusts is trusted, and whoever a certificate of the feed's `ca`
//! vouches for. A server that shows one of those very certificates is the one that was meant, byte for byte, whether or not it
//! says that it may sign others: `openssl req -x509` makes such ones, and most home servers have one.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, aws_lc_rs as ours};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;

/// What TLS is spoken with where these certificates, in PEM, are named; `protocols` are offered, the best first (RFC 7301).
///
/// # Errors
/// What is wrong with them.
pub(super) fn trusting(pem: &[u8], protocols: &[&[u8]]) -> Result<ClientConfig, String> {
    let named: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    if named.is_empty() {
        return Err("there is no certificate in it; it has to be in PEM".into());
    }
    let provider = CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(ours::default_provider()));
    let unusable = |error: Error| error.to_string();
    let others = Verifier::new_with_extra_roots(named.clone(), provider.clone()).map_err(unusable)?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trust { named, others }))
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}

#[derive(Debug)]
struct Trust {
    named: Vec<CertificateDer<'static>>,
    others: Verifier,
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.others.verify_server_cert(shown, between, name, ocsp, now) {
            // A certificate's time is looked at before its issuer, so its time is right.
            Err(error) if is_about_its_issuer(&error) && self.named.iter().any(|named| named == shown) => {
                verify_server_name(&ParsedCertificate::try_from(shown)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.others.verify_tls12_signature(message, shown, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.others.verify_tls13_signature(message, shown, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.others.supported_verify_schemes()
    }
}

/// Whether nothing is wrong with a certificate but who signed it: nobody known, somebody else, or itself as an authority.
fn is_about_its_issuer(error: &Error) -> bool {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => true,
        Error::InvalidCertificate(CertificateError::Other(other)) => other.to_string().contains("CaUsedAsEndEntity"),
        _ => false,
    }
}
