//! The HTTP/1.1 server: accepts connections until it is stopped, then drains them.
//!
//! It speaks HTTP/1.1. TLS, and newer versions with it, are the business of a proxy before it.

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
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::gateway::Gateway;
use crate::limits;

/// Pause after a failed accept. The likely cause is a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `gateway` on `listener` until `stop` comes to pass; then accepts nothing more, and waits for what
/// runs, at most for the drain time-out. Answers whether everything came to its end.
pub async fn serve(listener: TcpListener, gateway: Gateway, stop: impl Future<Output = ()>) -> bool {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(gateway.limits().head_timeout)
        .max_headers(limits::HEADERS)
        .max_buf_size(limits::HEAD);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(gateway.limits().connections));
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    let mut refused = false;
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = &mut stop => break,
        };
        let (stream, peer, place) = match accepted {
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
        let gateway = gateway.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let gateway = gateway.clone();
            async move { Ok::<_, Infallible>(gateway.answer(request.map(Body::new), peer.ip()).await) }
        });
        let connection = graceful.watch(builder.serve_connection(TokioIo::new(stream), service));
        connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    let drained = tokio::time::timeout(gateway.limits().drain_timeout, graceful.shutdown()).await;
    connections.shutdown().await;
    drained.is_ok()
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer, place))
}
