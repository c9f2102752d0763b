//! Sends one webhook request and reports what came of it.
//!
//! One call is one connection: looked up, judged, connected to the judged address, spoken HTTP/1.1 on,
//! closed. There is no pool, no proxy, no redirect and no task left behind; dropping the future ends it.
//! As soon as a status line has arrived the receiver has answered, even if its body never ends.

use std::convert::Infallible;
use std::error::Error;
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

use super::resolve::{Resolve, SystemResolver, addresses};
use super::signature::Headers;
use super::target::Target;

#[cfg(test)]
mod tests;

/// Octets of response headers that are buffered at most.
const MAX_HEAD_OCTETS: usize = 64 * 1024;

/// What the operator allows a delivery to do.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Hosts, written as in an address (`localhost:9000`), that may be plain `http` and not public.
    pub plain_http_hosts: Vec<String>,
    /// The time for everything, from the lookup to the end of the body.
    pub timeout: Duration,
    /// Octets of the response body that are read and kept.
    pub excerpt_bytes: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self { plain_http_hosts: Vec::new(), timeout: Duration::from_secs(10), excerpt_bytes: 2048 }
    }
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status, whatever it is.
    pub status: u16,
    /// The beginning of the body, fit to be stored as text.
    pub excerpt: String,
}

impl Answer {
    /// Whether the receiver took the event: any 2xx, and nothing else.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// The request may not or cannot be made, now or later.
    #[error("refused: {0}")]
    Refused(String),
    /// The receiver could not be reached, or broke off before a status.
    #[error("{0}")]
    Transport(String),
    /// The time ran out before a status.
    #[error("timed out")]
    TimedOut,
}

impl DeliveryError {
    /// Whether a further attempt is pointless.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

/// The TLS library refused its own defaults or a given root certificate.
#[derive(Debug, thiserror::Error)]
#[error("TLS for webhooks cannot be set up: {0}")]
pub struct SetupError(#[from] rustls::Error);

/// Delivers webhook requests under one policy.
pub struct Sender<R = SystemResolver> {
    policy: Policy,
    resolver: R,
    tls: TlsConnector,
}

/// What has arrived of an answer.
struct Received {
    status: u16,
    body: Vec<u8>,
}

impl Sender {
    /// A sender that trusts the web's certificate authorities and asks the system's resolver.
    pub fn new(policy: Policy) -> Result<Self, SetupError> {
        Self::with(policy, SystemResolver, &[])
    }
}

impl<R: Resolve> Sender<R> {
    /// A sender with another resolver, and with certificate authorities beside those of the web.
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

    /// How long a request may take.
    pub const fn timeout(&self) -> Duration {
        self.policy.timeout
    }

    /// Posts a signed JSON body. Any status is an answer, a redirect too.
    pub async fn post(&self, url: &str, headers: &Headers, body: Bytes) -> Result<Answer, DeliveryError> {
        let target = Target::parse(url, &self.policy.plain_http_hosts)?;
        let request = target.request(headers, body)?;
        let mut received = None;
        let outcome = timeout(self.policy.timeout, self.exchange(&target, request, &mut received)).await;
        match (received, outcome) {
            (Some(received), _) => Ok(self.answer(received)),
            (None, Ok(Err(failure))) => Err(failure),
            (None, _) => Err(DeliveryError::TimedOut),
        }
    }

    async fn exchange(
        &self,
        target: &Target,
        request: Request<Full<Bytes>>,
        received: &mut Option<Received>,
    ) -> Result<(), DeliveryError> {
        let allowed = addresses(target, &self.resolver).await?;
        let stream = self.connect(&allowed).await?;
        let limit = self.policy.excerpt_bytes;
        if !target.tls {
            return converse(stream, request, received, limit).await;
        }
        let name = server_name(&target.host)?;
        let encrypted = self.tls.connect(name, stream).await.map_err(|error| broken(&error))?;
        converse(encrypted, request, received, limit).await
    }

    /// Tries the addresses in order; each may use its share of the time, so that a dead one costs no more.
    async fn connect(&self, allowed: &[SocketAddr]) -> Result<TcpStream, DeliveryError> {
        let share = self.policy.timeout / u32::try_from(allowed.len()).unwrap_or(u32::MAX).max(1);
        let mut failure = DeliveryError::Transport("the host has no address".to_owned());
        for address in allowed {
            failure = match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => broken(&error),
                Err(_) => DeliveryError::TimedOut,
            };
        }
        Err(failure)
    }

    fn answer(&self, received: Received) -> Answer {
        let cut = received.body.len() >= self.policy.excerpt_bytes;
        Answer { status: received.status, excerpt: excerpt(&received.body, cut) }
    }
}

impl<R> std::fmt::Debug for Sender<R> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Sender").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// An error and what caused it, in one line.
pub(super) fn described(error: &dyn Error) -> String {
    let mut parts = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !parts.iter().any(|part| part.ends_with(&text)) {
            parts.push(text);
        }
        source = cause.source();
    }
    parts.join(": ")
}

fn broken(error: &dyn Error) -> DeliveryError {
    DeliveryError::Transport(described(error))
}

/// The name that the certificate must carry.
fn server_name(host: &Host<String>) -> Result<ServerName<'static>, DeliveryError> {
    match host {
        Host::Ipv4(ip) => Ok(ServerName::IpAddress(TlsIp::from(std::net::IpAddr::V4(*ip)))),
        Host::Ipv6(ip) => Ok(ServerName::IpAddress(TlsIp::from(std::net::IpAddr::V6(*ip)))),
        Host::Domain(name) => ServerName::try_from(name.clone())
            .map_err(|_| DeliveryError::Refused("no certificate can be for such a host".to_owned())),
    }
}

/// One request and the beginning of its answer, on an open stream.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    request: Request<Full<Bytes>>,
    received: &mut Option<Received>,
    limit: usize,
) -> Result<(), DeliveryError> {
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD_OCTETS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| broken(&error))?;
    // The connection must be polled for anything to move; its own end says nothing, the exchange's does.
    let driven = async {
        let _ = connection.await;
        pending::<Infallible>().await
    };
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
        let status = response.status().as_u16();
        let received = received.insert(Received { status, body: Vec::new() });
        read(response.into_body(), &mut received.body, limit).await;
        Ok(())
    };
    tokio::select! {
        outcome = exchange => outcome,
        never = driven => match never {},
    }
}

/// Reads until the limit, the end or a failure: the status is known, so none of them matters.
async fn read(mut body: Incoming, into: &mut Vec<u8>, limit: usize) {
    while into.len() < limit
        && let Some(Ok(frame)) = body.frame().await
    {
        if let Some(data) = frame.data_ref() {
            into.extend_from_slice(data.get(..limit - into.len()).unwrap_or(data));
        }
    }
}

/// Text without NULs, which no store takes; a character that the limit cut is dropped.
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

/// Whether the octets could have become a character with those that follow.
fn is_beginning(invalid: &[u8]) -> bool {
    std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none())
}
