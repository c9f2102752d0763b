//! The HTTP/1.1 server: accepts connections until it is stopped, then drains them. A proxy in front of it provides TLS
//! and newer versions of HTTP.
//!
//! A client cannot hold a connection for as long as it likes:
//!
//! | phase | bound |
//! |---|---|
//! | between requests, and the head of a request | [`Limits::head_timeout`](crate::Limits) |
//! | body of a request | `pipeline::body` |
//! | response | `progress`: `limits::WRITE_PROGRESS` bytes within [`Limits::write_timeout`](crate::Limits) |
//! | connections of one address | `peers`: an eighth of [`Limits::connections`](crate::Limits) |
//! | connections of one address before their first request | `peers`: half of that |
//! | connections without a valid token | `peers`: half of all; one more closes another |

pub(crate) mod peers;
mod progress;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::gateway::Gateway;
use crate::limits;
use peers::{Peer, Peers};
use progress::ProgressStream;

/// Pause after a failed accept. The likely cause is a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

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
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(gateway.limits().head_timeout)
        .max_headers(limits::HEADERS)
        .max_buf_size(limits::HEAD);
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(gateway.limits().connections));
    let peers = Peers::new(gateway.limits());
    let mut connections = JoinSet::new();
    let meters = Arc::clone(&gateway.meters().connections);
    let mut stop = pin!(stop);
    let mut refused = false;
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &slots) => accepted,
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
        // A trusted proxy has the connections of all its clients.
        let peer = (!gateway.trusts(address.ip())).then(|| peers.admit(address.ip()).map(Arc::new));
        if matches!(peer, Some(None)) {
            meters.refused.increment();
            tracing::debug!(peer = %address.ip(), "connection refused: too many connections of the address");
            continue;
        }
        let stream = ProgressStream::new(stream, gateway.limits().write_timeout);
        let (gateway, peer) = (gateway.clone(), peer.flatten());
        let counted = peer.clone();
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            if let Some(peer) = &counted {
                peer.sent_request();
                request.extensions_mut().insert(Arc::clone(peer));
            }
            let gateway = gateway.clone();
            async move { Ok::<_, Infallible>(gateway.answer_received(request.map(Body::new), address.ip()).await) }
        });
        let (open, meters) = (meters.open(), Arc::clone(&meters));
        let connection = graceful.watch(builder.serve_connection(TokioIo::new(stream), service));
        connections.spawn(async move {
            tokio::select! {
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(%error, "connection ended early");
                },
                () = has_to_close(peer.as_deref()) => {
                    meters.replaced.increment();
                    tracing::debug!(peer = %address.ip(), "connection closed: too many connections without a valid token");
                }
            }
            drop((slot, peer, open));
        });
    }
    drop(listener);
    let drained = tokio::time::timeout(gateway.limits().drain_timeout, graceful.shutdown()).await;
    connections.shutdown().await;
    drained.is_ok()
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
