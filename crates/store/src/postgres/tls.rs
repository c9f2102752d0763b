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
use std::task::{Context, Poll, ready};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;

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
    let builder = match (parameters.mode(), &parameters.root) {
        ("verify-full", _) => builder.with_root_certificates(roots(parameters.root.as_deref(), more_roots)?),
        ("verify-ca", _) | ("require" | "prefer", Some(_)) => {
            let roots = Arc::new(roots(parameters.root.as_deref(), more_roots)?);
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider)
                .build()
                .map_err(|error| error.to_string())?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyName(verifier)))
        }
        _ => builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider))),
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
    PrivateKeyDer::from_pem_file(file).map_err(|error| wrong(&error))
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
    let found = CertificateDer::pem_file_iter(file).map_err(|error| wrong(&error))?;
    let found = found.collect::<Result<Vec<_>, _>>().map_err(|error| wrong(&error))?;
    if found.is_empty() { Err(wrong(&"the file contains no certificate in PEM form")) } else { Ok(found) }
}

/// Accepts every certificate of a trusted authority, whatever its name, for `verify-ca`.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use rustls::CertificateError::{NotValidForName, NotValidForNameContext};
        // The name is verified last, after the chain.
        match self.0.verify_server_cert(certificate, intermediates, name, ocsp, now) {
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
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Accepts every certificate, for `sslmode` `prefer` and `require`.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Makes encrypted streams for `tokio_postgres`.
#[derive(Clone)]
pub(super) struct Tls {
    config: Arc<ClientConfig>,
    is_patient: bool,
}

impl Tls {
    pub(super) fn new(config: &Arc<ClientConfig>) -> Self {
        Self { config: Arc::clone(config), is_patient: false }
    }

    /// The same for streams that end only when the server closes them.
    pub(super) fn patient(&self) -> Self {
        Self { config: Arc::clone(&self.config), is_patient: true }
    }
}

/// Makes the encrypted stream to one host.
pub(super) struct TlsTo {
    connector: TlsConnector,
    host: Option<ServerName<'static>>,
    is_patient: bool,
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
        let connector = TlsConnector::from(Arc::clone(&self.config));
        Ok(TlsTo { connector, host, is_patient: self.is_patient })
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
        let Self { connector, host, is_patient } = self;
        Box::pin(async move {
            let host = host.ok_or_else(|| io::Error::other("the database's host has no name to verify"))?;
            Ok(Stream { inner: Box::new(connector.connect(host, stream).await?), is_patient })
        })
    }
}

/// A stream with the interface that `tokio_postgres` needs.
pub(super) struct Stream<S> {
    inner: S,
    /// Whether the stream stays open until the server closes it.
    is_patient: bool,
}

/// An encrypted stream.
pub(super) type Encrypted<S> = Stream<Box<tokio_rustls::client::TlsStream<S>>>;

impl<S> Stream<S> {
    /// A stream that stays open until the server closes it.
    pub(super) const fn patient(inner: S) -> Self {
        Self { inner, is_patient: true }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.is_patient {
            let mut space = [0; 64];
            let mut read = ReadBuf::new(&mut space);
            let outcome = ready!(Pin::new(&mut self.inner).poll_read(cx, &mut read));
            self.is_patient = outcome.is_ok() && !read.filled().is_empty();
        }
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Stream<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}
