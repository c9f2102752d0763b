//! The server: accepts connections until it is told to stop, then lets what runs come to its end.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::front::Front;
use crate::limits;

/// Serves `front` on `listener` until `stop` comes to pass; then accepts nothing more, and waits for what
/// runs, at most for the drain time-out. Answers whether everything came to its end.
///
/// # Errors
/// Never today; an error would be one of the listener.
pub async fn serve(listener: TcpListener, front: Front, stop: impl Future<Output = ()>) -> io::Result<bool> {
    let builder = builder(&front);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(front.limits().connections));
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, or the client is gone already: the next one may be well.
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::task::yield_now().await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        while connections.try_join_next().is_some() {}
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
        let front = front.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let front = front.clone();
            async move { Ok::<_, Infallible>(front.answer(request.map(Body::new), peer.ip()).await) }
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    let drained = tokio::time::timeout(front.limits().drain_timeout, graceful.shutdown()).await;
    connections.shutdown().await;
    Ok(drained.is_ok())
}

fn builder(front: &Front) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(front.limits().head_timeout)
        .max_headers(limits::HEADERS)
        .max_buf_size(limits::HEAD)
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits::HEAD).unwrap_or(u32::MAX))
        .max_concurrent_streams(128);
    builder
}
