//! Encrypted connections to the database, with libpq's parameters.
//!
//! | `sslmode` | encrypted | certificate |
//! |---|---|---|
//! | `disable` | never | - |
//! | `prefer` (the default) | if the server supports it | not verified |
//! | `require` | always | not verified; with `sslrootcert` as `verify-ca` |
//! | `verify-ca` | always | issued by a trusted authority |
//! | `verify-full` | always | issued by a trusted authority for the host's name |
//!
//! `sslrootcert` is a PEM file with the only trusted authorities, or `system` for those of the operating system.
//! `sslcert` and `sslkey` are PEM files with the client's certificate and its key.

use std::future::Future;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;

use crate::read_limited;

/// The TLS parameters of a URL.
#[derive(Debug, Default)]
pub(super) struct TlsParameters {
    /// `sslmode`.
    pub(super) mode: Option<String>,
    /// `sslrootcert`: a file, or `system`.
    pub(super) root: Option<String>,
    /// `sslcert`: a file.
    pub(super) certificate: Option<String>,
    /// `sslkey`: a file.
    pub(super) key: Option<String>,
}

impl TlsParameters {
    /// The mode, or libpq's default.
    pub(super) fn mode(&self) -> &str {
        match (self.mode.as_deref(), self.root.as_deref()) {
            (Some(mode), _) => mode,
            (None, Some("system")) => "verify-full",
            (None, _) => "prefer",
        }
    }
}

/// The files in which operating systems keep their certificate authorities.
const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// A TLS client for the parameters. `more_roots` are trusted besides the public authorities, if the parameters
/// name none.
pub(super) fn client(
    parameters: &TlsParameters,
    more_roots: &[CertificateDer<'static>],
) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let trusted = || roots(parameters.root.as_deref(), more_roots);
    let builder = if parameters.mode() == "verify-full" {
        builder.with_root_certificates(trusted()?)
    } else {
        let is_verified = parameters.mode() == "verify-ca" || parameters.root.is_some();
        let chain = if is_verified && parameters.mode() != "disable" {
            let chain =
                WebPkiServerVerifier::builder_with_provider(Arc::new(trusted()?), Arc::clone(&provider));
            Some(chain.build().map_err(|error| error.to_string())?)
        } else {
            None
        };
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Lenient { chain, provider }))
    };
    match (&parameters.certificate, &parameters.key) {
        (Some(certificate), Some(key)) => {
            let chain = certificates(certificate)?;
            let secret = client_key(key)?;
            builder.with_client_auth_cert(chain, secret).map_err(|error| format!("{certificate}: {error}"))
        }
        _ => Ok(builder.with_no_client_auth()),
    }
}

/// The client's key. As in libpq, only its owner can read the file, or its group too if it belongs to root.
fn client_key(file: &str) -> Result<PrivateKeyDer<'static>, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("{file}: {error}");
    let found = std::fs::metadata(file).map_err(|error| wrong(&error))?;
    let forbidden = if found.uid() == 0 { 0o037 } else { 0o077 };
    if found.mode() & forbidden != 0 {
        return Err(wrong(&format!("other users can read the key: run chmod 600 {file}")));
    }
    let content = read_limited(Path::new(file)).map_err(|error| wrong(&error))?;
    PrivateKeyDer::from_pem_slice(&content).map_err(|error| wrong(&error))
}

/// The trusted certificate authorities.
fn roots(file: Option<&str>, more: &[CertificateDer<'static>]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let file = match file {
        None => {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            for root in more {
                roots.add(root.clone()).map_err(|error| error.to_string())?;
            }
            return Ok(roots);
        }
        Some("system") => {
            // Certificates that are too old to parse are skipped.
            roots.add_parsable_certificates(certificates(&system_file()?)?);
            return Ok(roots);
        }
        Some(file) => file,
    };
    for root in certificates(file)? {
        roots.add(root).map_err(|error| format!("{file}: {error}"))?;
    }
    Ok(roots)
}

/// The file of the system's certificate authorities: that of the variable `SSL_CERT_FILE`, or a usual one.
fn system_file() -> Result<String, String> {
    if let Ok(file) = std::env::var("SSL_CERT_FILE") {
        return Ok(file);
    }
    let found = SYSTEM_ROOTS.iter().find(|file| Path::new(file).exists());
    found.map(|file| (*file).to_owned()).ok_or_else(|| {
        format!(
            "the system has no certificate authorities: none of the files {} exists",
            SYSTEM_ROOTS.join(", ")
        )
    })
}

/// The certificates in a PEM file.
fn certificates(file: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("{file}: {error}");
    let content = read_limited(Path::new(file)).map_err(|error| wrong(&error))?;
    let found = CertificateDer::pem_slice_iter(&content)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| wrong(&error))?;
    if found.is_empty() { Err(wrong(&"the file contains no certificate in PEM form")) } else { Ok(found) }
}

/// Accepts certificates that libpq does not verify, or not by the host's name.
#[derive(Debug)]
struct Lenient {
    /// The verifier for `verify-ca`. `None` accepts every certificate, for `prefer` and `require`.
    chain: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use rustls::CertificateError::{NotValidForName, NotValidForNameContext};
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        // The name is verified last, after the chain.
        match chain.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })) => {
                Ok(ServerCertVerified::assertion())
            }
            outcome => outcome,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Makes encrypted streams for `tokio_postgres`.
#[derive(Clone)]
pub(super) struct Tls(Arc<ClientConfig>);

impl Tls {
    pub(super) fn new(config: &Arc<ClientConfig>) -> Self {
        Self(Arc::clone(config))
    }
}

/// Makes the encrypted stream to one host.
pub(super) struct TlsTo {
    connector: TlsConnector,
    host: Option<ServerName<'static>>,
}

impl<S> MakeTlsConnect<S> for Tls
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Encrypted<S>;
    type TlsConnect = TlsTo;
    type Error = io::Error;

    fn make_tls_connect(&mut self, domain: &str) -> io::Result<TlsTo> {
        // A Unix socket has no host name and is never encrypted.
        let host = ServerName::try_from(domain.to_owned()).ok();
        Ok(TlsTo { connector: TlsConnector::from(Arc::clone(&self.0)), host })
    }
}

impl<S> TlsConnect<S> for TlsTo
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Encrypted<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        let Self { connector, host } = self;
        Box::pin(async move {
            let host = host.ok_or_else(|| io::Error::other("the database's host has no name to verify"))?;
            Ok(Encrypted(Box::new(connector.connect(host, stream).await?)))
        })
    }
}

/// An encrypted stream with the interface that `tokio_postgres` needs.
pub(super) struct Encrypted<S>(Box<tokio_rustls::client::TlsStream<S>>);

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Encrypted<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}
