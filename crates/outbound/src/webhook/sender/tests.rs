use std::io;
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::webhook::sign;

/// A resolver that returns its answers in order, and then the last one again.
struct ScriptedResolver {
    answers: Mutex<Vec<Vec<IpAddr>>>,
    lookups: AtomicUsize,
}

impl ScriptedResolver {
    fn new(answers: &[&[&str]]) -> Self {
        let ips = |texts: &&[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Self { answers: Mutex::new(answers.iter().map(ips).collect()), lookups: AtomicUsize::new(0) }
    }
}

impl Resolve for &ScriptedResolver {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        let mut answers = self.answers.lock().unwrap();
        if answers.len() > 1 { Ok(answers.remove(0)) } else { Ok(answers[0].clone()) }
    }
}

/// A resolver that never answers.
struct HangingResolver;

impl Resolve for HangingResolver {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        pending().await
    }
}

/// A resolver that finds no name.
struct EmptyResolver;

impl Resolve for EmptyResolver {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        Err(io::Error::new(io::ErrorKind::NotFound, "no such name"))
    }
}

const BODY: &str = r#"{"type":"member.created"}"#;

fn signed() -> SignatureHeaders {
    sign(["whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="], "evt_1", 7, BODY.as_bytes())
}

async fn post<R: Resolve>(sender: &Sender<R>, url: &str) -> Result<WebhookResponse, DeliveryError> {
    sender.post(url, &signed(), Bytes::from_static(BODY.as_bytes())).await
}

/// A listener, and a policy that lists `host` at its port.
async fn listener(host: &str) -> (TcpListener, String, Policy) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = format!("{host}:{}", listener.local_addr().unwrap().port());
    let policy = Policy { plain_http_hosts: vec![authority.clone()], ..Policy::default() };
    (listener, authority, policy)
}

/// Reads one request to its end, sends the response and closes the connection.
async fn serve_stream<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, response: &[u8]) -> String {
    let mut request = Vec::new();
    while !request.ends_with(BODY.as_bytes()) {
        assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
    }
    // The client may close the connection before it has read everything.
    let _ = stream.write_all(response).await;
    let _ = stream.shutdown().await;
    String::from_utf8(request).unwrap()
}

async fn serve(listener: &TcpListener, response: &[u8]) -> String {
    serve_stream(listener.accept().await.unwrap().0, response).await
}

#[tokio::test]
async fn a_request_carries_its_headers_and_exact_body() {
    let (listener, authority, policy) = listener("127.0.0.1").await;
    let sender = Sender::new(policy).unwrap();
    let url = format!("http://{authority}/in?a=b");
    let (response, request) = tokio::join!(
        post(&sender, &url),
        serve(&listener, b"HTTP/1.1 202 Accepted\r\ncontent-length: 6\r\n\r\nok\0\xff\0!")
    );
    let response = response.unwrap();
    assert_eq!(response, WebhookResponse { status: 202, excerpt: "ok\u{FFFD}!".to_owned() });
    assert!(response.is_success());
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, BODY);
    let signature = format!("webhook-signature: {}", signed().webhook_signature);
    let host = format!("host: {authority}");
    assert_eq!(
        head.lines().collect::<Vec<_>>(),
        [
            "POST /in?a=b HTTP/1.1",
            &host,
            "user-agent: Tenantry webhooks",
            "content-type: application/json",
            "connection: close",
            "webhook-id: evt_1",
            "webhook-timestamp: 7",
            &signature,
            "content-length: 25",
        ]
    );
}

#[tokio::test]
async fn a_redirect_is_a_response_and_is_not_followed() {
    let (listener, authority, policy) = listener("127.0.0.1").await;
    let sender = Sender::new(policy).unwrap();
    let url = format!("http://{authority}/");
    let found = format!("HTTP/1.1 302 Found\r\nlocation: {url}again\r\ncontent-length: 0\r\n\r\n");
    let (response, _) = tokio::join!(post(&sender, &url), serve(&listener, found.as_bytes()));
    let response = response.unwrap();
    assert_eq!((response.status, response.is_success()), (302, false));
    assert!(timeout(Duration::ZERO, listener.accept()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_does_not_respond_times_out() {
    let (listener, authority, policy) = listener("127.0.0.1").await;
    let sender = Sender::new(policy).unwrap();
    let started = tokio::time::Instant::now();
    assert_eq!(post(&sender, &format!("http://{authority}/")).await, Err(DeliveryError::TimedOut));
    assert_eq!(started.elapsed().as_secs(), 10);
    drop(listener);
}

#[tokio::test(start_paused = true)]
async fn a_lookup_that_does_not_end_times_out() {
    let sender = Sender::with(Policy::default(), HangingResolver, &[]).unwrap();
    let error = post(&sender, "https://x.dev/").await.unwrap_err();
    assert_eq!(error, DeliveryError::TimedOut);
    assert!(!error.is_permanent());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_end_still_gives_the_status() {
    let (near, mut far) = tokio::io::duplex(4096);
    let request = Target::parse("https://x.dev/", &[]).unwrap().request(&signed(), BODY.into()).unwrap();
    let mut received = None;
    let endless = async {
        let mut seen = [0; 4096];
        assert_ne!(far.read(&mut seen).await.unwrap(), 0);
        let part = b"HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n";
        far.write_all(part).await.unwrap();
        pending::<Infallible>().await
    };
    let sending = send_request(near, request, &mut received, 2048);
    let outcome = timeout(Duration::from_secs(10), async { tokio::join!(sending, endless) }).await;
    assert!(outcome.is_err());
    let received = received.unwrap();
    assert_eq!((received.status, received.body.as_slice()), (201, b"part".as_slice()));
}

#[tokio::test]
async fn a_body_that_breaks_off_still_gives_the_status() {
    let (listener, authority, policy) = listener("127.0.0.1").await;
    let sender = Sender::new(policy).unwrap();
    let url = format!("http://{authority}/");
    let cut = b"HTTP/1.1 500 Oops\r\ncontent-length: 100\r\n\r\npart";
    let (response, _) = tokio::join!(post(&sender, &url), serve(&listener, cut));
    assert_eq!(response, Ok(WebhookResponse { status: 500, excerpt: "part".to_owned() }));
}

#[tokio::test]
async fn a_large_body_is_truncated() {
    let (listener, authority, policy) = listener("127.0.0.1").await;
    let sender = Sender::new(policy).unwrap();
    let url = format!("http://{authority}/");
    let body = "é".repeat(4 << 20);
    let large = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n-{body}", body.len() + 1);
    let (response, _) = tokio::join!(post(&sender, &url), serve(&listener, large.as_bytes()));
    let expected = format!("-{}", "é".repeat(1023));
    assert_eq!(response, Ok(WebhookResponse { status: 200, excerpt: expected }));
}

#[tokio::test]
async fn a_response_that_is_not_http_or_has_a_long_head_is_a_transport_error() {
    let long = format!("HTTP/1.1 200 OK\r\na: {}", "x".repeat(2 * MAX_HEAD_OCTETS));
    for answer in [b"SSH-2.0-x\r\n".as_slice(), b"", long.as_bytes()] {
        let (listener, authority, policy) = listener("127.0.0.1").await;
        let sender = Sender::new(policy).unwrap();
        let url = format!("http://{authority}/");
        let (outcome, _) = tokio::join!(post(&sender, &url), serve(&listener, answer));
        assert!(matches!(outcome, Err(DeliveryError::Transport(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn private_addresses_are_refused_in_every_notation() {
    let private = ScriptedResolver::new(&[&["127.0.0.1"]]);
    let sender = Sender::with(Policy::default(), &private, &[]).unwrap();
    for url in [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://0x7f.1/",
        "https://2130706433/",
        "https://10.0.0.1:8443/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[fd00::1]/",
        "https://localhost/",
        "https://x.dev/",
    ] {
        let error = post(&sender, url).await.unwrap_err();
        assert!(error.is_permanent(), "{url}: {error:?}");
    }
}

#[tokio::test]
async fn one_private_address_among_public_ones_is_refused() {
    for answer in [["8.8.8.8", "10.0.0.1"], ["::ffff:127.0.0.1", "2606:4700::1111"]] {
        let mixed = ScriptedResolver::new(&[&answer]);
        let sender = Sender::with(Policy::default(), &mixed, &[]).unwrap();
        assert!(matches!(post(&sender, "https://x.dev/").await, Err(DeliveryError::Refused(_))));
    }
}

#[tokio::test]
async fn plain_http_is_for_listed_hosts_only() {
    let sender = Sender::new(Policy::default()).unwrap();
    assert!(matches!(post(&sender, "http://8.8.8.8/").await, Err(DeliveryError::Refused(_))));
}

#[tokio::test]
async fn a_name_is_looked_up_once_and_the_checked_address_is_connected_to() {
    let (listener, authority, policy) = listener("hooks.test").await;
    let names = ScriptedResolver::new(&[&["127.0.0.1"], &["203.0.113.1"]]);
    let sender = Sender::with(policy, &names, &[]).unwrap();
    let url = format!("http://{authority}/");
    let (response, _) =
        tokio::join!(post(&sender, &url), serve(&listener, b"HTTP/1.1 204 No Content\r\n\r\n"));
    assert_eq!(response.unwrap().status, 204);
    assert_eq!(names.lookups.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_name_whose_address_becomes_private_is_refused() {
    let names = ScriptedResolver::new(&[&["8.8.8.8", "2606:4700::1111"], &["127.0.0.1"]]);
    let sender = Sender::with(Policy::default(), &names, &[]).unwrap();
    let target = Target::parse("https://x.dev:8443/", &[]).unwrap();
    let checked = addresses(&target, &sender.resolver).await.unwrap();
    assert_eq!(checked, ["8.8.8.8:8443".parse().unwrap(), "[2606:4700::1111]:8443".parse().unwrap()]);
    assert!(matches!(post(&sender, "https://x.dev:8443/").await, Err(DeliveryError::Refused(_))));
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_fails() {
    let (listener, authority, policy) = listener("hooks.test").await;
    let names = ScriptedResolver::new(&[&["::1", "127.0.0.1"]]);
    let sender = Sender::with(policy, &names, &[]).unwrap();
    let url = format!("http://{authority}/");
    let (response, _) = tokio::join!(post(&sender, &url), serve(&listener, b"HTTP/1.1 200 OK\r\n\r\nhi"));
    assert_eq!(response.unwrap().excerpt, "hi");
}

#[tokio::test]
async fn a_failed_connection_or_lookup_is_not_permanent() {
    let (listener, authority, policy) = listener("hooks.test").await;
    drop(listener);
    let url = format!("http://{authority}/");
    let names = ScriptedResolver::new(&[&["127.0.0.1"], &[]]);
    let sender = Sender::with(policy, &names, &[]).unwrap();
    for _ in 0..2 {
        let error = post(&sender, &url).await.unwrap_err();
        assert!(matches!(error, DeliveryError::Transport(_)), "{error:?}");
    }
    let unknown = Sender::with(Policy::default(), EmptyResolver, &[]).unwrap();
    let error = post(&unknown, "https://x.dev/").await.unwrap_err();
    assert_eq!(error, DeliveryError::Transport("host lookup failed: no such name".to_owned()));
}

/// A certificate for `hooks.test`, and a TLS server that uses it.
fn tls_server() -> (CertificateDer<'static>, TlsAcceptor) {
    let made = rcgen::generate_simple_self_signed(vec!["hooks.test".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    (certificate, TlsAcceptor::from(Arc::new(config)))
}

#[tokio::test]
async fn tls_verifies_the_name_while_the_address_is_fixed() {
    let (listener, authority, policy) = listener("hooks.test").await;
    let (certificate, acceptor) = tls_server();
    let names = ScriptedResolver::new(&[&["127.0.0.1"]]);
    let sender = Sender::with(policy, &names, &[certificate]).unwrap();
    let url = format!("https://{authority}/");
    let server = async {
        let stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
        let name = stream.get_ref().1.server_name().map(ToOwned::to_owned);
        (name, serve_stream(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await)
    };
    let (response, (name, request)) = tokio::join!(post(&sender, &url), server);
    assert_eq!(response, Ok(WebhookResponse { status: 200, excerpt: "ok".to_owned() }));
    assert_eq!(name.as_deref(), Some("hooks.test"));
    assert!(request.contains(&format!("host: {authority}\r\n")));
}

#[tokio::test]
async fn a_certificate_of_another_name_or_authority_is_rejected() {
    let (certificate, acceptor) = tls_server();
    for (host, roots) in [("hooks.test", vec![]), ("other.test", vec![certificate])] {
        let (listener, authority, policy) = listener(host).await;
        let names = ScriptedResolver::new(&[&["127.0.0.1"]]);
        let sender = Sender::with(policy, &names, &roots).unwrap();
        let url = format!("https://{authority}/");
        let server = async { acceptor.accept(listener.accept().await.unwrap().0).await.is_err() };
        let (outcome, handshake_failed) = tokio::join!(post(&sender, &url), server);
        let Err(DeliveryError::Transport(text)) = outcome else { panic!("{outcome:?}") };
        assert!(text.contains("certificate"), "{text}");
        assert!(handshake_failed);
    }
}

#[test]
fn an_excerpt_has_no_nul_and_no_partial_character() {
    assert_eq!(excerpt("né\0e".as_bytes(), false), "née");
    assert_eq!(excerpt(b"a\xffb\xc3", false), "a\u{FFFD}b\u{FFFD}");
    assert_eq!(excerpt(b"a\xffb\xc3", true), "a\u{FFFD}b");
    assert_eq!(excerpt(b"a\xff", true), "a\u{FFFD}");
    assert_eq!(excerpt(b"", true), "");
}
