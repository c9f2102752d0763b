//! Encrypted connections to the database.
//!
//! `sslmode` means what PostgreSQL's own clients make of it: `require` encrypts and believes any
//! certificate, `verify-full` believes only the right one for the host's name.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;

/// What is checked of the database's certificate.
pub(super) enum Verify<'a> {
    /// Nothing: the connection is encrypted, whoever is at the other end.
    Nothing,
    /// Its chain, to one of the roots in the file or, without a file, of the web; and the host's name.
    Everything(Option<&'a str>),
}

pub(super) fn client(verify: Verify<'_>) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let mut roots = RootCertStore::empty();
    match verify {
        Verify::Nothing => {
            let nobody = Arc::new(Anybody(provider));
            return Ok(builder.dangerous().with_custom_certificate_verifier(nobody).with_no_client_auth());
        }
        Verify::Everything(None) => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Verify::Everything(Some(file)) => {
            let wrong = |error: &dyn std::fmt::Display| format!("{file}: {error}");
            for root in CertificateDer::pem_file_iter(file).map_err(|error| wrong(&error))? {
                roots.add(root.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
            }
        }
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Believes any certificate, for `sslmode` `prefer` and `require`.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
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

    /// The same for streams that the other side ends.
    pub(super) fn patient(&self) -> Self {
        Self { config: Arc::clone(&self.config), is_patient: true }
    }
}

/// The same for one host.
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
        // A socket in the file system has no name, and is never asked for encryption.
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

/// A stream as `tokio_postgres` takes it.
pub(super) struct Stream<S> {
    inner: S,
    /// Whether it is the other side that ends it.
    is_patient: bool,
}

/// An encrypted stream.
pub(super) type Encrypted<S> = Stream<Box<tokio_rustls::client::TlsStream<S>>>;

impl<S> Stream<S> {
    /// One that the other side ends.
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
