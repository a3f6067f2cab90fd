//! Who a server is over TLS.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// A certificate and its key, and what vouches for it, in PEM.
pub(crate) struct Identity {
    pub(crate) authority: String,
    chain: Vec<rustls::pki_types::CertificateDer<'static>>,
    key: rustls::pki_types::PrivateKeyDer<'static>,
}

/// A connection over TLS.
pub(crate) type Stream = rustls::StreamOwned<rustls::ServerConnection, TcpStream>;

fn parameters(name: &str, years: (i32, i32)) -> rcgen::CertificateParams {
    let mut parameters = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    parameters.not_before = rcgen::date_time_ymd(years.0, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(years.1, 1, 1);
    parameters
}

impl Identity {
    /// A certificate for `name`, in force between these years, signed by an authority.
    pub(crate) fn signed(name: &str, years: (i32, i32)) -> Self {
        let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = authority.self_signed(&key).unwrap().pem();
        let issuer = rcgen::Issuer::new(authority, key);
        let key = rcgen::KeyPair::generate().unwrap();
        Self::of(pem, &parameters(name, years).signed_by(&key, &issuer).unwrap(), &key)
    }

    /// The same, signed by itself and vouching for itself, as one that may sign others or not.
    pub(crate) fn self_signed(name: &str, years: (i32, i32), is_authority: bool) -> Self {
        let mut parameters = parameters(name, years);
        if is_authority {
            parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        }
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        Self::of(certificate.pem(), &certificate, &key)
    }

    /// The same, vouched for by nobody but itself.
    pub(crate) fn pinned(self) -> Self {
        let authority = pem_of(&self.chain[0]);
        Self { authority, ..self }
    }

    fn of(authority: String, certificate: &rcgen::Certificate, key: &rcgen::KeyPair) -> Self {
        Self {
            authority,
            chain: vec![certificate.der().clone()],
            key: rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        }
    }

    /// Hands each connection, its handshake done, to `serve`, one after the other; gives the port.
    pub(crate) fn listen(self, protocols: &[&[u8]], mut serve: impl FnMut(Stream) + Send + 'static) -> u16 {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(self.chain, self.key)
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for mut socket in listener.incoming().flatten() {
                let mut connection = rustls::ServerConnection::new(config.clone()).unwrap();
                // Who does not trust us hangs up here.
                if connection.complete_io(&mut socket).is_ok() {
                    serve(rustls::StreamOwned::new(connection, socket));
                }
            }
        });
        port
    }
}

fn pem_of(certificate: &[u8]) -> String {
    use base64::Engine;
    let coded = base64::prelude::BASE64_STANDARD.encode(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{coded}\n-----END CERTIFICATE-----\n")
}

/// Answers one request over HTTP/1.1 and hangs up; gives what was received.
pub(crate) fn answer_once(stream: &mut Stream, body: &str) -> Vec<u8> {
    let mut received = vec![0; 4096];
    let read = stream.read(&mut received).unwrap_or(0);
    received.truncate(read);
    let answer = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let _ = stream.write_all(answer.as_bytes());
    stream.conn.send_close_notify();
    let _ = stream.flush();
    received
}
