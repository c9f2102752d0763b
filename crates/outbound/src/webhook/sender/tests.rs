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
use crate::webhook::headers;

/// A name server that gives its answers one after the other, the last one for ever.
struct Answers {
    answers: Mutex<Vec<Vec<IpAddr>>>,
    asked: AtomicUsize,
}

impl Answers {
    fn new(answers: &[&[&str]]) -> Self {
        let ips = |texts: &&[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Self { answers: Mutex::new(answers.iter().map(ips).collect()), asked: AtomicUsize::new(0) }
    }
}

impl Resolve for &Answers {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mut answers = self.answers.lock().unwrap();
        if answers.len() > 1 { Ok(answers.remove(0)) } else { Ok(answers[0].clone()) }
    }
}

/// A name server that never answers.
struct Silence;

impl Resolve for Silence {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        pending().await
    }
}

/// A name server that knows nothing.
struct Ignorance;

impl Resolve for Ignorance {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        Err(io::Error::new(io::ErrorKind::NotFound, "no such name"))
    }
}

const BODY: &str = r#"{"type":"member.created"}"#;

fn signed() -> Headers {
    headers("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "evt_1", 7, BODY.as_bytes())
}

async fn post<R: Resolve>(sender: &Sender<R>, url: &str) -> Result<Answer, DeliveryError> {
    sender.post(url, &signed(), Bytes::from_static(BODY.as_bytes())).await
}

/// A listener, and the policy that trusts `host` at its port.
async fn listener(host: &str) -> (TcpListener, String, Policy) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = format!("{host}:{}", listener.local_addr().unwrap().port());
    let policy = Policy { plain_http_hosts: vec![authority.clone()], ..Policy::default() };
    (listener, authority, policy)
}

/// Reads one request to its end, answers it and hangs up.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, answer: &[u8]) -> String {
    let mut request = Vec::new();
    while !request.ends_with(BODY.as_bytes()) {
        assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
    }
    // The client may hang up before it has read everything.
    let _ = stream.write_all(answer).await;
    let _ = stream.shutdown().await;
    String::from_utf8(request).unwrap()
}

async fn serve(listener: &TcpListener, answer: &[u8]) -> String {
    talk(listener.accept().await.unwrap().0, answer).await
}

#[tokio::test]
async fn a_request_carries_its_headers_and_exact_body() {
    let (listener, authority, policy) = listener("127.0.0.1").await;
    let sender = Sender::new(policy).unwrap();
    let url = format!("http://{authority}/in?a=b");
    let (answer, request) = tokio::join!(
        post(&sender, &url),
        serve(&listener, b"HTTP/1.1 202 Accepted\r\ncontent-length: 6\r\n\r\nok\0\xff\0!")
    );
    let answer = answer.unwrap();
    assert_eq!(answer, Answer { status: 202, excerpt: "ok\u{FFFD}!".to_owned() });
    assert!(answer.is_success());
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
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let (listener, authority, policy) = listener("127.0.0.1").await;
    let sender = Sender::new(policy).unwrap();
    let url = format!("http://{authority}/");
    let found = format!("HTTP/1.1 302 Found\r\nlocation: {url}again\r\ncontent-length: 0\r\n\r\n");
    let (answer, _) = tokio::join!(post(&sender, &url), serve(&listener, found.as_bytes()));
    let answer = answer.unwrap();
    assert_eq!((answer.status, answer.is_success()), (302, false));
    assert!(timeout(Duration::ZERO, listener.accept()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_says_nothing_times_out() {
    let (listener, authority, policy) = listener("127.0.0.1").await;
    let sender = Sender::new(policy).unwrap();
    let started = tokio::time::Instant::now();
    assert_eq!(post(&sender, &format!("http://{authority}/")).await, Err(DeliveryError::TimedOut));
    assert_eq!(started.elapsed().as_secs(), 10);
    drop(listener);
}

#[tokio::test(start_paused = true)]
async fn a_name_server_that_says_nothing_times_out() {
    let sender = Sender::with(Policy::default(), Silence, &[]).unwrap();
    let failure = post(&sender, "https://x.dev/").await.unwrap_err();
    assert_eq!(failure, DeliveryError::TimedOut);
    assert!(!failure.is_permanent());
}

#[tokio::test(start_paused = true)]
async fn a_body_without_end_does_not_hide_the_status() {
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
    let conversation = converse(near, request, &mut received, 2048);
    let outcome = timeout(Duration::from_secs(10), async { tokio::join!(conversation, endless) }).await;
    assert!(outcome.is_err());
    let received = received.unwrap();
    assert_eq!((received.status, received.body.as_slice()), (201, b"part".as_slice()));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_still_an_answer() {
    let (listener, authority, policy) = listener("127.0.0.1").await;
    let sender = Sender::new(policy).unwrap();
    let url = format!("http://{authority}/");
    let cut = b"HTTP/1.1 500 Oops\r\ncontent-length: 100\r\n\r\npart";
    let (answer, _) = tokio::join!(post(&sender, &url), serve(&listener, cut));
    assert_eq!(answer, Ok(Answer { status: 500, excerpt: "part".to_owned() }));
}

#[tokio::test]
async fn a_large_body_is_cut() {
    let (listener, authority, policy) = listener("127.0.0.1").await;
    let sender = Sender::new(policy).unwrap();
    let url = format!("http://{authority}/");
    let body = "é".repeat(4 << 20);
    let large = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n-{body}", body.len() + 1);
    let (answer, _) = tokio::join!(post(&sender, &url), serve(&listener, large.as_bytes()));
    let expected = format!("-{}", "é".repeat(1023));
    assert_eq!(answer, Ok(Answer { status: 200, excerpt: expected }));
}

#[tokio::test]
async fn an_answer_that_is_not_http_or_too_long_is_a_failure() {
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
async fn inside_addresses_are_refused_however_they_are_written() {
    let inside = Answers::new(&[&["127.0.0.1"]]);
    let sender = Sender::with(Policy::default(), &inside, &[]).unwrap();
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
        let failure = post(&sender, url).await.unwrap_err();
        assert!(failure.is_permanent(), "{url}: {failure:?}");
    }
}

#[tokio::test]
async fn one_inside_address_among_public_ones_is_enough_to_refuse() {
    for answer in [["8.8.8.8", "10.0.0.1"], ["::ffff:127.0.0.1", "2606:4700::1111"]] {
        let mixed = Answers::new(&[&answer]);
        let sender = Sender::with(Policy::default(), &mixed, &[]).unwrap();
        assert!(matches!(post(&sender, "https://x.dev/").await, Err(DeliveryError::Refused(_))));
    }
}

#[tokio::test]
async fn plain_http_is_for_named_hosts_only() {
    let sender = Sender::new(Policy::default()).unwrap();
    assert!(matches!(post(&sender, "http://8.8.8.8/").await, Err(DeliveryError::Refused(_))));
}

#[tokio::test]
async fn a_name_is_looked_up_once_and_what_was_judged_is_connected_to() {
    let (listener, authority, policy) = listener("hooks.test").await;
    let names = Answers::new(&[&["127.0.0.1"], &["203.0.113.1"]]);
    let sender = Sender::with(policy, &names, &[]).unwrap();
    let url = format!("http://{authority}/");
    let (answer, _) = tokio::join!(post(&sender, &url), serve(&listener, b"HTTP/1.1 204 No Content\r\n\r\n"));
    assert_eq!(answer.unwrap().status, 204);
    assert_eq!(names.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_name_that_turns_inward_later_is_refused_then() {
    let names = Answers::new(&[&["8.8.8.8", "2606:4700::1111"], &["127.0.0.1"]]);
    let sender = Sender::with(Policy::default(), &names, &[]).unwrap();
    let target = Target::parse("https://x.dev:8443/", &[]).unwrap();
    let judged = addresses(&target, &sender.resolver).await.unwrap();
    assert_eq!(judged, ["8.8.8.8:8443".parse().unwrap(), "[2606:4700::1111]:8443".parse().unwrap()]);
    assert!(matches!(post(&sender, "https://x.dev:8443/").await, Err(DeliveryError::Refused(_))));
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_is_dead() {
    let (listener, authority, policy) = listener("hooks.test").await;
    let names = Answers::new(&[&["::1", "127.0.0.1"]]);
    let sender = Sender::with(policy, &names, &[]).unwrap();
    let url = format!("http://{authority}/");
    let (answer, _) = tokio::join!(post(&sender, &url), serve(&listener, b"HTTP/1.1 200 OK\r\n\r\nhi"));
    assert_eq!(answer.unwrap().excerpt, "hi");
}

#[tokio::test]
async fn what_cannot_be_reached_may_be_tried_again() {
    let (listener, authority, policy) = listener("hooks.test").await;
    drop(listener);
    let url = format!("http://{authority}/");
    let names = Answers::new(&[&["127.0.0.1"], &[]]);
    let sender = Sender::with(policy, &names, &[]).unwrap();
    for _ in 0..2 {
        let failure = post(&sender, &url).await.unwrap_err();
        assert!(matches!(failure, DeliveryError::Transport(_)), "{failure:?}");
    }
    let unknown = Sender::with(Policy::default(), Ignorance, &[]).unwrap();
    let failure = post(&unknown, "https://x.dev/").await.unwrap_err();
    assert_eq!(failure, DeliveryError::Transport("the host is unknown: no such name".to_owned()));
}

/// A certificate for `hooks.test`, and the server that shows it.
fn certified() -> (CertificateDer<'static>, TlsAcceptor) {
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
async fn tls_is_for_the_name_although_the_address_was_chosen() {
    let (listener, authority, policy) = listener("hooks.test").await;
    let (certificate, acceptor) = certified();
    let names = Answers::new(&[&["127.0.0.1"]]);
    let sender = Sender::with(policy, &names, &[certificate]).unwrap();
    let url = format!("https://{authority}/");
    let server = async {
        let stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
        let name = stream.get_ref().1.server_name().map(ToOwned::to_owned);
        (name, talk(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await)
    };
    let (answer, (name, request)) = tokio::join!(post(&sender, &url), server);
    assert_eq!(answer, Ok(Answer { status: 200, excerpt: "ok".to_owned() }));
    assert_eq!(name.as_deref(), Some("hooks.test"));
    assert!(request.contains(&format!("host: {authority}\r\n")));
}

#[tokio::test]
async fn a_certificate_of_another_name_or_authority_is_not_accepted() {
    let (certificate, acceptor) = certified();
    for (host, roots) in [("hooks.test", vec![]), ("other.test", vec![certificate])] {
        let (listener, authority, policy) = listener(host).await;
        let names = Answers::new(&[&["127.0.0.1"]]);
        let sender = Sender::with(policy, &names, &roots).unwrap();
        let url = format!("https://{authority}/");
        let server = async { acceptor.accept(listener.accept().await.unwrap().0).await.is_err() };
        let (outcome, broken_off) = tokio::join!(post(&sender, &url), server);
        let Err(DeliveryError::Transport(text)) = outcome else { panic!("{outcome:?}") };
        assert!(text.contains("certificate"), "{text}");
        assert!(broken_off);
    }
}

#[test]
fn an_excerpt_is_storable_text() {
    assert_eq!(excerpt("né\0e".as_bytes(), false), "née");
    assert_eq!(excerpt(b"a\xffb\xc3", false), "a\u{FFFD}b\u{FFFD}");
    assert_eq!(excerpt(b"a\xffb\xc3", true), "a\u{FFFD}b");
    assert_eq!(excerpt(b"a\xff", true), "a\u{FFFD}");
    assert_eq!(excerpt(b"", true), "");
}
