//! HTTPS: the handshake, HTTP/2, and the bounds of HTTP/1.1 that hold for both.

mod floods;
mod frames;
mod http2;
mod tls;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::Request;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tenantry_http::server::{self, Tls};
use tenantry_http::{Config, Gateway, Limits};
use tenantry_testkit::Acme;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A test that waits for longer than this has hung.
const HANGS: Duration = Duration::from_secs(20);
const HTTP1: &[u8] = b"http/1.1";
const HTTP2: &[u8] = b"h2";

/// A certificate and its key.
struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        Self { certificate: made.cert.der().clone(), key }
    }

    fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.clone()]
    }
}

/// A server that speaks HTTPS on a free port.
struct Site {
    address: SocketAddr,
    tls: Arc<Tls>,
    root: CertificateDer<'static>,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<bool>,
}

impl Site {
    async fn with_limits(acme: &Acme, limits: Limits) -> Self {
        Self::new(Gateway::new(Arc::clone(&acme.world.app), Config { limits, ..Config::default() })).await
    }

    #[expect(clippy::disallowed_methods, reason = "the runtime of the test ends the task")]
    async fn new(gateway: Gateway) -> Self {
        let identity = Identity::new();
        let tls = Arc::new(Tls::new(identity.chain(), identity.key.clone_key()).unwrap());
        let listener = server::listen("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move {
            let _ = stopped.await;
        };
        let served = tokio::spawn(server::serve_tls(listener, gateway, Arc::clone(&tls), stopped));
        Self { address, tls, root: identity.certificate, stop: Some(stop), served }
    }

    /// Connects from an address of its own.
    async fn tcp_from(&self, number: u8) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::new(127, 0, 8, number), 0).into()).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Performs the handshake for these versions of HTTP.
    async fn secure(&self, stream: TcpStream, versions: &[&[u8]]) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = versions.iter().map(|version| version.to_vec()).collect();
        let name = ServerName::try_from("localhost").unwrap();
        let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
        tokio::time::timeout(HANGS, handshake).await.unwrap()
    }

    async fn http1(&self) -> TlsStream<TcpStream> {
        self.secure(self.tcp().await, &[HTTP1]).await.unwrap()
    }

    /// An HTTP/2 connection whose bytes the test writes and reads itself.
    async fn frames(&self) -> TlsStream<TcpStream> {
        self.secure(self.tcp().await, &[HTTP2]).await.unwrap()
    }

    /// An HTTP/2 connection.
    async fn http2(&self) -> Http2 {
        Http2::over(self.frames().await).await
    }

    /// Whether another connection is served. It is once the server has a place for it.
    async fn serves(&self) -> bool {
        let Ok(mut stream) = self.secure(self.tcp().await, &[HTTP1]).await else { return false };
        is_served(&mut stream).await
    }
}

/// A client's HTTP/2 connection, which a task drives.
struct Http2(SendRequest<Bytes>);

impl Http2 {
    #[expect(clippy::disallowed_methods, reason = "the runtime of the test ends the task")]
    async fn over(stream: TlsStream<TcpStream>) -> Self {
        let (sender, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    /// Sends the head of a request, and leaves its body open.
    async fn open(&mut self, request: Request<()>) -> (ResponseFuture, SendStream<Bytes>) {
        let mut sender = self.0.clone().ready().await.unwrap();
        sender.send_request(request, false).unwrap()
    }

    /// Sends a request and returns the status and the text of the response.
    async fn send(&mut self, request: Request<()>, body: &str) -> (u16, String) {
        let (response, mut stream) = self.open(request).await;
        stream.send_data(Bytes::copy_from_slice(body.as_bytes()), true).unwrap();
        let response = tokio::time::timeout(HANGS, response).await.unwrap().unwrap();
        (response.status().as_u16(), text_of(response.into_body()).await)
    }

    async fn get(&mut self, path: &str) -> (u16, String) {
        self.send(get(path), "").await
    }
}

fn get(path: &str) -> Request<()> {
    Request::get(format!("https://localhost{path}")).body(()).unwrap()
}

fn post(path: &str, secret: &str) -> Request<()> {
    Request::post(format!("https://localhost{path}"))
        .header("authorization", format!("Bearer {secret}"))
        .header("content-type", "application/json")
        .body(())
        .unwrap()
}

async fn text_of(mut body: RecvStream) -> String {
    let mut text = Vec::new();
    while let Some(data) = tokio::time::timeout(HANGS, body.data()).await.unwrap() {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        text.extend_from_slice(&data);
    }
    String::from_utf8(text).unwrap()
}

/// Whether an HTTP/1.1 connection answers a request. A closed connection does not.
async fn is_served(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> bool {
    let mut first = [0; 12];
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.is_ok()
        && tokio::time::timeout(HANGS, stream.read_exact(&mut first)).await.unwrap().is_ok()
        && &first == b"HTTP/1.1 200"
}

/// All bytes until the server ends the connection, by whichever means.
async fn until_end(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut all = Vec::new();
    let _ = tokio::time::timeout(HANGS, stream.read_to_end(&mut all)).await.unwrap();
    all
}
