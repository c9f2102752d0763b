//! The server: accepts connections until it is stopped, then drains them. It speaks plain HTTP/1.1 ([`serve`]), or with a
//! certificate HTTPS, with HTTP/1.1 or HTTP/2 as the client prefers ([`serve_tls`]).
//!
//! A client cannot hold a connection for as long as it likes:
//!
//! | phase | bound |
//! |---|---|
//! | TLS handshake | [`Limits::head_timeout`](crate::Limits) |
//! | between requests, and the head of a request | [`Limits::head_timeout`](crate::Limits) |
//! | body of a request | `pipeline::body` |
//! | response | `progress`: `limits::WRITE_PROGRESS` bytes within [`Limits::write_timeout`](crate::Limits) |
//! | connections of one address | `peers`: an eighth of [`Limits::connections`](crate::Limits) |
//! | connections of one address before their first request, also in the handshake | `peers`: half of that |
//! | connections without a valid token | `peers`: half of all; one more closes another |
//! | requests of one HTTP/2 connection | `http2`: as connections |

mod http2;
pub(crate) mod peers;
mod progress;
mod tls;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::STRICT_TRANSPORT_SECURITY;
use axum::http::{HeaderValue, Request};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::gateway::Gateway;
use crate::limits;
use peers::{Peer, Peers};
use progress::{ProgressStream, Received};

pub use tls::Tls;

/// Pause after a failed accept. The likely cause is a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Tells browsers for a year to use HTTPS alone (RFC 6797).
const HTTPS_ONLY: &str = "max-age=31536000";

/// Listens on an address, `HOST:PORT`, with a queue of `limits::BACKLOG` connections that wait to be accepted. The
/// kernel lowers it to `net.core.somaxconn`.
///
/// # Errors
/// When the host is unknown or none of its addresses can be listened on.
pub async fn listen(address: &str) -> io::Result<TcpListener> {
    let mut failed = io::Error::new(io::ErrorKind::AddrNotAvailable, "the host has no address");
    for address in lookup_host(address).await? {
        match listen_on(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    // Accepted connections inherit the size. Without it the kernel lets each grow to megabytes.
    socket.set_send_buffer_size(limits::SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(limits::BACKLOG)
}

/// Serves `gateway` on `listener` until `stop` completes. Then it accepts nothing more and waits for requests in
/// progress, at most for the drain time-out. Returns whether all of them ended.
pub async fn serve(listener: TcpListener, gateway: Gateway, stop: impl Future<Output = ()>) -> bool {
    serve_with(listener, gateway, None, stop).await
}

/// The same over HTTPS.
pub async fn serve_tls(
    listener: TcpListener,
    gateway: Gateway,
    tls: Arc<Tls>,
    stop: impl Future<Output = ()>,
) -> bool {
    serve_with(listener, gateway, Some(tls), stop).await
}

async fn serve_with(
    listener: TcpListener,
    gateway: Gateway,
    tls: Option<Arc<Tls>>,
    stop: impl Future<Output = ()>,
) -> bool {
    let (stopping, stopped) = watch::channel(false);
    let server = Arc::new(Server::new(gateway, tls, stopped));
    let drain_timeout = server.gateway.limits().drain_timeout;
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    let mut refused = false;
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &server.slots) => accepted,
            () = &mut stop => break,
        };
        let (stream, address, slot) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                if !std::mem::replace(&mut refused, true) {
                    tracing::warn!(%error, "connections cannot be accepted for now");
                }
                tokio::select! {
                    () = tokio::time::sleep(ACCEPT_PAUSE) => continue,
                    () = &mut stop => break,
                }
            }
        };
        refused = false;
        while connections.try_join_next().is_some() {}
        let Some(client) = server.admit(address.ip()) else {
            server.gateway.meters().connections.refused.increment();
            tracing::debug!(peer = %address.ip(), "connection refused: too many connections of the address");
            continue;
        };
        connections.spawn(Arc::clone(&server).connection(stream, client, slot));
    }
    drop(listener);
    stopping.send_replace(true);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    let drained = timeout(drain_timeout, all_ended).await;
    connections.shutdown().await;
    drained.is_ok()
}

/// The state that all connections share.
struct Server {
    gateway: Gateway,
    tls: Option<Arc<Tls>>,
    http1: http1::Builder,
    slots: Arc<Semaphore>,
    peers: Arc<Peers>,
    stopping: watch::Receiver<bool>,
}

/// The other end of a connection.
#[derive(Clone)]
struct Client {
    address: IpAddr,
    /// The counts of the connection. Nothing for a trusted proxy, which has the connections of all its clients.
    peer: Option<Arc<Peer>>,
    is_secure: bool,
    /// Whether the last request over HTTP/1.1 was answered before its end.
    is_unread: Arc<AtomicBool>,
}

impl Client {
    /// Records that the head of a request has arrived.
    fn sent_request(&self) {
        if let Some(peer) = &self.peer {
            peer.sent_request();
        }
    }

    /// Answers a request that came over the connection.
    async fn answer(&self, gateway: &Gateway, mut request: Request<Body>) -> Response {
        if let Some(peer) = &self.peer {
            request.extensions_mut().insert(Arc::clone(peer));
        }
        let mut response = gateway.answer_received(request, self.address).await;
        if self.is_secure {
            let value = HeaderValue::from_static(HTTPS_ONLY);
            response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, value);
        }
        response
    }
}

impl Server {
    fn new(gateway: Gateway, tls: Option<Arc<Tls>>, stopping: watch::Receiver<bool>) -> Self {
        let limits = gateway.limits();
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_timeout)
            .max_headers(limits::HEADERS)
            .max_buf_size(limits::HEAD);
        let slots = Arc::new(Semaphore::new(limits.connections));
        let peers = Peers::new(limits);
        Self { gateway, tls, http1, slots, peers, stopping }
    }

    /// Counts a new connection from `address`. Nothing when the address has its share already.
    fn admit(&self, address: IpAddr) -> Option<Client> {
        let peer = match self.gateway.trusts(address) {
            true => None,
            false => Some(Arc::new(self.peers.admit(address)?)),
        };
        Some(Client { address, peer, is_secure: self.tls.is_some(), is_unread: Arc::default() })
    }

    /// Serves a connection until it ends or has to make room for another.
    async fn connection(self: Arc<Self>, stream: TcpStream, client: Client, slot: OwnedSemaphorePermit) {
        let stream =
            ProgressStream::new(stream, self.gateway.limits().write_timeout, Arc::clone(&client.is_unread));
        let meters = Arc::clone(&self.gateway.meters().connections);
        let open = meters.open();
        tokio::select! {
            () = self.serve_stream(stream, &client) => {}
            () = has_to_close(client.peer.as_deref()) => {
                meters.replaced.increment();
                tracing::debug!(peer = %client.address, "connection closed: too many connections without a valid token");
            }
        }
        drop((slot, client, open));
    }

    async fn serve_stream(&self, stream: ProgressStream, client: &Client) {
        match &self.tls {
            None => self.serve_http1(stream, client).await,
            // In a box, because it is larger, and most servers stand behind a proxy.
            Some(tls) => Box::pin(self.serve_tls(tls, stream, client)).await,
        }
    }

    async fn serve_tls(&self, tls: &Tls, stream: ProgressStream, client: &Client) {
        let handshake = timeout(self.gateway.limits().head_timeout, tls.accept(stream));
        let secured = tokio::select! {
            secured = handshake => secured,
            () = stopped(self.stopping.clone()) => return,
        };
        let failed = |error: io::Error| {
            tracing::debug!(peer = %client.address, %error, "TLS handshake failed");
        };
        match secured {
            Ok(Ok(stream)) if tls::is_http2(&stream) => http2::serve(self, stream, client).await,
            Ok(Ok(stream)) => self.serve_http1(stream, client).await,
            Ok(Err(error)) => failed(error),
            Err(elapsed) => failed(elapsed.into()),
        }
    }

    async fn serve_http1<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S, client: &Client) {
        let service = service_fn(|request: Request<Incoming>| {
            client.sent_request();
            let (gateway, client) = (self.gateway.clone(), client.clone());
            let request = request.map(|body| Body::new(Received::new(body, &client.is_unread)));
            async move { Ok::<_, Infallible>(client.answer(&gateway, request).await) }
        });
        let mut connection = pin!(self.http1.serve_connection(TokioIo::new(stream), service));
        let mut stopping = pin!(stopped(self.stopping.clone()));
        let mut is_closing = false;
        loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "connection ended early");
                    }
                    return;
                }
                () = stopping.as_mut(), if !is_closing => {
                    is_closing = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

/// Waits until the server has to stop.
async fn stopped(mut stopping: watch::Receiver<bool>) {
    let _ = stopping.wait_for(|is_stopping| *is_stopping).await;
}

/// Waits until a connection has to make room for another. The connections of a trusted proxy never have to.
async fn has_to_close(peer: Option<&Peer>) {
    match peer {
        Some(peer) => peer.has_to_close().await,
        None => std::future::pending().await,
    }
}

/// The next connection, once a connection slot is free.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer, slot))
}
