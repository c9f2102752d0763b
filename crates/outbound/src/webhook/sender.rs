//! Sends one webhook request and returns its response.
//!
//! Each call looks the host up, checks its addresses, connects to a checked address, sends one HTTP/1.1
//! request and closes the connection. It uses no connection pool, no proxy and no background task, and
//! follows no redirect. Dropping the future cancels the request. A status line is a response, even if the
//! body never ends.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, IpAddr as TlsIp, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::Host;

use super::error::DeliveryError;
use super::resolve::{Resolve, SystemResolver, addresses};
use super::signature::SignatureHeaders;
use super::target::Target;

#[cfg(test)]
mod tests;

/// The longest response head in bytes.
const MAX_HEAD_OCTETS: usize = 64 * 1024;

/// The limits of a delivery.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Hosts (`localhost:9000`) that may use plain `http` and have addresses that are not public.
    pub plain_http_hosts: Vec<String>,
    /// The timeout of the whole request, from the lookup to the end of the response body.
    pub timeout: Duration,
    /// The bytes of the response body that are read and stored.
    pub excerpt_bytes: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self { plain_http_hosts: Vec::new(), timeout: Duration::from_secs(10), excerpt_bytes: 2048 }
    }
}

/// The response of a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookResponse {
    /// The HTTP status.
    pub status: u16,
    /// The beginning of the body, as text that the store accepts.
    pub excerpt: String,
}

impl WebhookResponse {
    /// Whether the receiver accepted the event: only a 2xx status does.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }
}

/// The sender of webhooks could not be built.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The TLS library rejects its defaults or a root certificate.
    #[error("cannot set up TLS for webhooks: {0}")]
    Tls(#[from] rustls::Error),
    /// The resolver cannot be built.
    #[error("cannot set up name resolution for webhooks: {0}")]
    Resolver(#[from] std::io::Error),
}

/// Sends webhook requests under one policy.
pub struct Sender<R = SystemResolver> {
    policy: Policy,
    resolver: R,
    tls: TlsConnector,
}

/// The part of a response that has arrived.
struct PartialResponse {
    status: u16,
    body: Vec<u8>,
}

impl Sender {
    /// A sender with the public certificate authorities and the system's resolver.
    pub fn new(policy: Policy) -> Result<Self, SetupError> {
        Self::with(policy, SystemResolver::new()?, &[])
    }
}

impl<R: Resolve> Sender<R> {
    /// A sender with another resolver, and with more certificate authorities than the public ones.
    pub fn with(policy: Policy, resolver: R, more_roots: &[CertificateDer<'_>]) -> Result<Self, SetupError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for root in more_roots {
            roots.add(root.clone().into_owned())?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { policy, resolver, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// The timeout of one request.
    pub const fn timeout(&self) -> Duration {
        self.policy.timeout
    }

    /// Posts a signed JSON body. Every status is a response, that of a redirect too.
    pub async fn post(
        &self,
        url: &str,
        headers: &SignatureHeaders,
        body: Bytes,
    ) -> Result<WebhookResponse, DeliveryError> {
        let target = Target::parse(url, &self.policy.plain_http_hosts)?;
        let request = target.request(headers, body)?;
        let mut received = None;
        let outcome = timeout(self.policy.timeout, self.exchange(&target, request, &mut received)).await;
        match (received, outcome) {
            (Some(received), _) => Ok(self.response(&target, &received)),
            (None, Ok(Err(error))) => Err(error),
            (None, _) => Err(DeliveryError::TimedOut),
        }
    }

    async fn exchange(
        &self,
        target: &Target,
        request: Request<Full<Bytes>>,
        received: &mut Option<PartialResponse>,
    ) -> Result<(), DeliveryError> {
        let allowed = addresses(target, &self.resolver).await?;
        let stream = self.connect(&allowed).await?;
        let limit = self.policy.excerpt_bytes;
        if !target.tls {
            return send_request(stream, request, received, limit).await;
        }
        let name = server_name(&target.host)?;
        let encrypted =
            self.tls.connect(name, stream).await.map_err(|error| DeliveryError::transport(&error))?;
        send_request(encrypted, request, received, limit).await
    }

    /// Tries the addresses in order. Each gets an equal share of the timeout, so that an address that does
    /// not answer leaves time for the next.
    async fn connect(&self, allowed: &[SocketAddr]) -> Result<TcpStream, DeliveryError> {
        let share = self.policy.timeout / u32::try_from(allowed.len()).unwrap_or(u32::MAX).max(1);
        let mut last_error = DeliveryError::Transport("the host has no address".to_owned());
        for address in allowed {
            last_error = match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => DeliveryError::transport(&error),
                Err(_) => DeliveryError::TimedOut,
            };
        }
        Err(last_error)
    }

    fn response(&self, target: &Target, received: &PartialResponse) -> WebhookResponse {
        let cut = received.body.len() >= self.policy.excerpt_bytes;
        let excerpt = target.masked(excerpt(&received.body, cut));
        WebhookResponse { status: received.status, excerpt }
    }
}

impl<R> std::fmt::Debug for Sender<R> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Sender").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// The name for which the certificate must be valid.
fn server_name(host: &Host<String>) -> Result<ServerName<'static>, DeliveryError> {
    match host {
        Host::Ipv4(ip) => Ok(ServerName::IpAddress(TlsIp::from(std::net::IpAddr::V4(*ip)))),
        Host::Ipv6(ip) => Ok(ServerName::IpAddress(TlsIp::from(std::net::IpAddr::V6(*ip)))),
        Host::Domain(name) => ServerName::try_from(name.clone())
            .map_err(|_| DeliveryError::Refused("a certificate cannot contain such a host name".to_owned())),
    }
}

/// Sends one request on an open stream and reads the beginning of its response.
async fn send_request<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    request: Request<Full<Bytes>>,
    received: &mut Option<PartialResponse>,
    limit: usize,
) -> Result<(), DeliveryError> {
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD_OCTETS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| DeliveryError::transport(&error))?;
    // The connection only moves bytes: the request's result carries every error.
    let driver = async {
        let _ = connection.await;
        pending::<Infallible>().await
    };
    let exchange = async {
        let response =
            sender.send_request(request).await.map_err(|error| DeliveryError::transport(&error))?;
        let status = response.status().as_u16();
        let received = received.insert(PartialResponse { status, body: Vec::new() });
        read(response.into_body(), &mut received.body, limit).await;
        Ok(())
    };
    tokio::select! {
        outcome = exchange => outcome,
        never = driver => match never {},
    }
}

/// Reads the body to the limit, its end or an error. The status is known, so an error is ignored.
async fn read(mut body: Incoming, into: &mut Vec<u8>, limit: usize) {
    while into.len() < limit
        && let Some(Ok(frame)) = body.frame().await
    {
        if let Some(data) = frame.data_ref() {
            into.extend_from_slice(data.get(..limit - into.len()).unwrap_or(data));
        }
    }
}

/// The body as text without NUL characters, which PostgreSQL rejects. A character cut by the limit is dropped.
fn excerpt(body: &[u8], cut: bool) -> String {
    let mut text = String::with_capacity(body.len());
    let mut chunks = body.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        text.push_str(chunk.valid());
        let at_the_cut = cut && chunks.peek().is_none() && is_beginning(chunk.invalid());
        if !chunk.invalid().is_empty() && !at_the_cut {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    text.retain(|c| c != '\0');
    text
}

/// Whether the bytes are the beginning of a character.
fn is_beginning(invalid: &[u8]) -> bool {
    std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none())
}
