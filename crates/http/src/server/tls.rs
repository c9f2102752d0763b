//! TLS 1.2 and 1.3, with a certificate that can be replaced while the server runs.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::progress::ProgressStream;

/// The name of HTTP/2 in the handshake (RFC 9113, section 3.1).
const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";
/// The answer to a client that speaks plain HTTP.
const PLAIN: &str = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 53\r\n\
    Connection: close\r\n\r\nThis port speaks HTTPS. Begin the URL with https://\r\n";

/// The certificate of the server and its private key.
#[derive(Debug)]
pub struct Tls {
    config: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// Serves `chain`, which begins with the certificate of the server, and `key`.
    ///
    /// # Errors
    /// When the key is of an unknown kind or another one than that of the certificate.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, rustls::Error> {
        Ok(Self { config: RwLock::new(Arc::new(config(chain, key)?)) })
    }

    /// Serves another certificate to connections from now on. Open connections stay.
    ///
    /// # Errors
    /// As [`Self::new`]. The certificate in use then stays.
    pub fn replace(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<(), rustls::Error> {
        let config = Arc::new(config(chain, key)?);
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// Performs the handshake. A client that speaks plain HTTP gets an answer that it can read.
    pub(super) async fn accept(&self, stream: ProgressStream) -> io::Result<TlsStream<ProgressStream>> {
        // The first byte of a handshake is 22. That of an HTTP request is a letter.
        if stream.first_byte().await?.is_some_and(|first| first.is_ascii_uppercase()) {
            refuse_plain(stream).await?;
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the client speaks plain HTTP"));
        }
        let config = Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner));
        TlsAcceptor::from(config).accept(stream).await
    }
}

/// Whether the handshake agreed on HTTP/2.
pub(super) fn is_http2(stream: &TlsStream<ProgressStream>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(HTTP2)
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
    Ok(config)
}

async fn refuse_plain(mut stream: ProgressStream) -> io::Result<()> {
    stream.write_all(PLAIN.as_bytes()).await?;
    // This also reads what the client still sends, so that the client does not lose the answer.
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_plain_http_is_complete() {
        let (head, body) = PLAIN.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
    }
}
