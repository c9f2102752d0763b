//! The listener: what it serves, and how it ends connections that are slow.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tenantry_metrics::{Bounds, serve};
use tenantry_testkit::World;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::metrics;

/// A listener of metrics. Its tasks end when it is dropped.
struct Listening {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    tasks: JoinSet<()>,
}

async fn listening(bounds: Bounds) -> Listening {
    let world = World::new();
    let metrics = Arc::new(metrics(&world));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let _world = world;
        serve(listener, metrics, bounds, async { drop(stopped.await) }).await;
    });
    Listening { address, stop, tasks }
}

impl Listening {
    /// Sends this text on a connection, and reads until the server closes it.
    async fn exchange(&self, sent: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).await.unwrap();
        String::from_utf8(received).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_and_health_are_served_and_nothing_else() {
    let server = listening(Bounds::default()).await;
    for (request, status, contains) in [
        ("GET /metrics", "200", "text/plain; version=0.0.4"),
        ("GET /metrics?x=1", "200", "tenantry_build_info"),
        ("GET /healthz", "200", r#"{"status":"ok"}"#),
        ("POST /metrics", "404", "GET /metrics"),
        ("HEAD /metrics", "404", ""),
        ("GET /", "404", ""),
        ("GET /readyz", "404", ""),
        ("GET /v2/ping", "404", ""),
        ("GET /metrics/", "404", ""),
    ] {
        let answer = server.exchange(&format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(contains), "{answer}");
    }
    let accept = "GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: application/openmetrics-text\r\n\r\n";
    let answer = server.exchange(accept).await;
    assert!(answer.contains("content-type: application/openmetrics-text; version=1.0.0"), "{answer}");
    assert!(answer.ends_with("# EOF\n"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_head_ends_and_leaves_its_place_to_another() {
    let head = Duration::from_millis(100);
    let server = listening(Bounds { connections: 1, head, ..Bounds::default() }).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    silent.write_all(b"GET /metrics HTTP/1.1\r\nHo").await.unwrap();
    let answer = server.exchange("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let mut rest = Vec::new();
    silent.read_to_end(&mut rest).await.unwrap();
    assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_open_connections() {
    let mut server = listening(Bounds::default()).await;
    let mut open = TcpStream::connect(server.address).await.unwrap();
    server.exchange("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await;
    server.stop.send(()).unwrap();
    server.tasks.join_next().await.unwrap().unwrap();
    // Closed, with or without an error: the server reads nothing any more.
    let read = open.read(&mut [0; 1]).await;
    assert!(read.is_err() || read.is_ok_and(|bytes| bytes == 0));
    assert!(TcpStream::connect(server.address).await.is_err());
}
