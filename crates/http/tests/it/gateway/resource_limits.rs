//! Bounds on the request slots, memory and connections that one client can hold, and requests that are refused before
//! a handler runs.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Request;
use axum::response::Response;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use serde_json::{Value, json};
use tenantry_core::values::IpAllowList;
use tenantry_http::{Config, Gateway, Limits, Rate, Rates, server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use tenantry_testkit::Acme;

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// A test that waits for longer than this has hung.
const HANGS: Duration = Duration::from_secs(20);

/// A body that sends its beginning and then nothing more.
struct Stalled {
    beginning: Option<Bytes>,
    announced: Option<u64>,
    stalls: Option<oneshot::Sender<()>>,
}

impl HttpBody for Stalled {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(beginning) = self.beginning.take() {
            return Poll::Ready(Some(Ok(Frame::data(beginning))));
        }
        if let Some(stalls) = self.stalls.take() {
            stalls.send(()).unwrap();
        }
        Poll::Pending
    }

    fn size_hint(&self) -> SizeHint {
        self.announced.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn gateway(acme: &Acme, limits: Limits) -> Gateway {
    Gateway::new(Arc::clone(&acme.world.app), Config { limits, ..Config::default() })
}

fn post(secret: &str, body: Body) -> Request<Body> {
    post_to("/v1/customers", secret, body)
}

fn post_to(path: &str, secret: &str, body: Body) -> Request<Body> {
    Request::post(path)
        .header("authorization", format!("Bearer {secret}"))
        .header("content-type", "application/json")
        .body(body)
        .unwrap()
}

fn customer(email: &str) -> Body {
    Body::from(json!({"email": email}).to_string())
}

/// Sends a request whose body stalls after `beginning`, and returns once it does.
async fn stall(gateway: &Gateway, secret: &str, beginning: &'static str) -> JoinHandle<Response> {
    let beginning = Bytes::from(beginning);
    stall_at(gateway, |body| post(secret, body), beginning, PEER).await.unwrap()
}

/// The same for a request from `peer`. Nothing when it is refused before that.
#[expect(clippy::disallowed_methods, reason = "the runtime of the test ends the task")]
pub(super) async fn stall_at(
    gateway: &Gateway,
    request: impl FnOnce(Body) -> Request<Body>,
    beginning: Bytes,
    peer: IpAddr,
) -> Option<JoinHandle<Response>> {
    let (stalls, has_stalled) = oneshot::channel();
    let body = Stalled { beginning: Some(beginning), announced: None, stalls: Some(stalls) };
    let (gateway, request) = (gateway.clone(), request(Body::new(body)));
    let request = tokio::spawn(async move { gateway.answer(request, peer).await });
    has_stalled.await.ok().map(|()| request)
}

#[tokio::test]
async fn a_body_that_does_not_arrive_holds_no_slot() {
    let acme = Acme::new().await;
    let gateway = gateway(&acme, Limits { in_flight: 1, ..Limits::default() });
    let secret = acme.client().secret();
    let stalled = [stall(&gateway, &secret, "{").await, stall(&gateway, &secret, "{").await];
    let response = gateway.answer(post(&secret, customer("a@example.com")), PEER).await;
    assert_eq!(response.status(), 201);
    stalled.iter().for_each(JoinHandle::abort);
}

#[tokio::test]
async fn a_body_that_arrives_too_slowly_is_refused_with_408() {
    let acme = Acme::new().await;
    let gateway = gateway(&acme, Limits { body_grace: Duration::from_millis(20), ..Limits::default() });
    let stalled = stall(&gateway, &acme.client().secret(), "{").await;
    let response = tokio::time::timeout(HANGS, stalled).await.unwrap().unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["connection"]),
        (408, &"close".parse().unwrap())
    );
}

#[tokio::test]
async fn unfinished_bodies_have_a_share_of_the_memory_each_and_a_bound_together() {
    let acme = Acme::new().await;
    let other = acme.world.organization("other").await;
    let other = acme.world.token(&other, "*").await.secret();
    let gateway = gateway(&acme, Limits { body: 100, body_memory: 100, ..Limits::default() });
    let secret = acme.client().secret();
    const NINETY: &str =
        "                                                                                          ";
    let stalled = stall(&gateway, &secret, NINETY).await;
    let status = async |secret: &str, email: &str| {
        gateway.answer(post(secret, customer(email)), PEER).await.status().as_u16()
    };
    assert_eq!(status(&secret, "a@example.com").await, 429, "the caller has its share");
    assert_eq!(status(&other, "a@example.com").await, 503, "all callers together have theirs");
    stalled.abort();
    assert!(stalled.await.unwrap_err().is_cancelled());
    assert_eq!(status(&secret, "a@example.com").await, 201);
    assert_eq!(status(&other, "a@example.com").await, 201);
}

/// A file of an import, which is longer than other bodies may be.
fn file(secret: &str, body: Body) -> Request<Body> {
    Request::post("/v1/customers/import")
        .header("authorization", format!("Bearer {secret}"))
        .header("content-type", "text/csv")
        .body(body)
        .unwrap()
}

#[tokio::test]
async fn a_file_that_does_not_arrive_holds_no_slot_and_is_refused_in_the_end() {
    let acme = Acme::new().await;
    let limits =
        Limits { in_flight: 1, body: 100, body_grace: Duration::from_millis(200), ..Limits::default() };
    let gateway = gateway(&acme, limits);
    let secret = acme.client().secret();
    let stalled =
        stall_at(&gateway, |body| file(&secret, body), "email\na@example.com\n".into(), PEER).await.unwrap();
    let response = gateway.answer(post(&secret, customer("b@example.com")), PEER).await;
    assert_eq!(response.status(), 201);
    let refused = tokio::time::timeout(HANGS, stalled).await.unwrap().unwrap();
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["connection"]),
        (408, &"close".parse().unwrap())
    );
    // A complete file may be longer than other bodies.
    let rows: String = (0..100).map(|number| format!("c{number}@example.com\n")).collect();
    let accepted = gateway.answer(file(&secret, Body::from(format!("email\n{rows}"))), PEER).await;
    assert_eq!(accepted.status(), 202);
    // A stranger has no such limit, and too long a file is refused before it arrives.
    let rows = Body::from("email\n".repeat(10_000));
    assert_eq!(gateway.answer(file("nobody", rows), PEER).await.status(), 401);
    let endless = Stalled { beginning: None, announced: Some((100 << 20) + 1), stalls: None };
    assert_eq!(gateway.answer(file(&secret, Body::new(endless)), PEER).await.status(), 413);
}

#[tokio::test]
async fn the_files_that_arrive_for_one_owner_have_a_share_of_the_memory() {
    let acme = Acme::new().await;
    let gateway = gateway(&acme, Limits { body_memory: 8 << 20, ..Limits::default() });
    let secret = acme.client().secret();
    let begin = || stall_at(&gateway, |body| file(&secret, body), "email\n".into(), PEER);
    let first = begin().await.unwrap();
    let refused = gateway.answer(file(&secret, Body::from("email\n")), PEER).await;
    assert_eq!(refused.status(), 429);
    first.abort();
}

#[tokio::test]
async fn customers_in_the_portal_cannot_fill_the_memory_for_bodies() {
    let acme = Acme::new().await;
    let other = acme.world.organization("other").await;
    let other = acme.world.token(&other, "*").await.secret();
    let gateway = gateway(&acme, Limits { body: 1_000, body_memory: 64_000, ..Limits::default() });
    let mut stalled = Vec::new();
    for number in 0..12 {
        let name = format!("team-{number}");
        acme.create_team(&name).await;
        let session = acme.owner_session(&name).await;
        for _ in 0..8 {
            let request = |body| post_to("/v1/customer-portal/members", &session, body);
            stalled.extend(stall_at(&gateway, request, vec![b' '; 900].into(), PEER).await);
        }
    }
    assert!((2..=8).contains(&stalled.len()), "{} of 96 bodies are in memory", stalled.len());
    let mut own = Vec::new();
    for _ in 0..4 {
        own.extend(
            stall_at(&gateway, |body| post(&acme.client().secret(), body), vec![b' '; 900].into(), PEER)
                .await,
        );
    }
    assert_eq!(own.len(), 4, "the merchant has a share of its own");
    assert_eq!(gateway.answer(post(&other, customer("a@example.com")), PEER).await.status(), 201);
    stalled.iter().chain(&own).for_each(JoinHandle::abort);
}

#[tokio::test]
async fn strangers_cannot_fill_the_memory_for_bodies() {
    let acme = Acme::new().await;
    let gateway = gateway(&acme, Limits { body: 1_000, body_memory: 64_000, ..Limits::default() });
    let path = "/v1/customer-portal/customers/me/email-update/verify";
    let mut stalled = Vec::new();
    for number in 0..100_u32 {
        let peer = IpAddr::V4(Ipv4Addr::from_bits(0xc000_0200 + number));
        let request = |body| Request::post(path).body(body).unwrap();
        stalled.extend(stall_at(&gateway, request, vec![b' '; 900].into(), peer).await);
    }
    assert!((10..=18).contains(&stalled.len()), "{} of 100 bodies are in memory", stalled.len());
    let response = gateway.answer(post(&acme.client().secret(), customer("a@example.com")), PEER).await;
    assert_eq!(response.status(), 201);
    stalled.iter().for_each(JoinHandle::abort);
}

#[tokio::test]
async fn customers_of_a_portal_share_a_rate_beside_their_merchant() {
    let acme = Acme::new().await;
    let rate = Rate { per_second: NonZeroU32::MIN, burst: NonZeroU32::new(8).unwrap() };
    let rates = Some(Rates { known: rate, unknown: rate });
    let gateway = Gateway::new(Arc::clone(&acme.world.app), Config { rates, ..Config::default() });
    let get = async |path: &str, secret: &str| {
        let request = Request::get(path).header("authorization", format!("Bearer {secret}"));
        gateway.answer(request.body(Body::empty()).unwrap(), PEER).await.status()
    };
    let mut sessions = Vec::new();
    for number in 0..12 {
        let name = format!("team-{number}");
        acme.create_team(&name).await;
        sessions.push(acme.owner_session(&name).await);
    }
    let mut admitted = 0;
    for session in sessions.iter().cycle().take(48) {
        let status = get("/v1/customer-portal/customers/me", session).await;
        admitted += usize::from(status != 429);
    }
    assert!((8..30).contains(&admitted), "{admitted} of 48");
    assert_eq!(get("/v1/customers", &acme.client().secret()).await, 200);
}

/// Sends a GET whose response is not read yet.
async fn unread(gateway: &Gateway, path: &str, secret: &str) -> Response {
    let request = Request::get(path).header("authorization", format!("Bearer {secret}"));
    gateway.answer(request.body(Body::empty()).unwrap(), PEER).await
}

#[tokio::test]
async fn responses_that_nobody_reads_have_a_share_of_the_memory() {
    let acme = Acme::new().await;
    let other = acme.world.organization("other").await;
    let other = acme.world.token(&other, "*").await.secret();
    let secret = acme.client().secret();
    for number in 0..10 {
        let metadata = json!({"text": "x".repeat(500)});
        let body = json!({"email": format!("c{number}@example.com"), "metadata": metadata});
        acme.client().post("/v1/customers", body).await.expect(201);
    }
    let gateway = gateway(&acme, Limits { response_memory: 200_000, ..Limits::default() });
    let mut held = Vec::new();
    let refused = loop {
        let response = unread(&gateway, "/v1/customers", &secret).await;
        if response.status() != 200 {
            break response;
        }
        held.push(response);
        assert!(held.len() < 20, "unread responses have no bound");
    };
    assert_eq!(refused.status(), 429);
    assert_eq!(unread(&gateway, "/v1/customers", &other).await.status(), 200);
    let bytes = held.pop().unwrap().into_body().collect().await.unwrap().to_bytes();
    assert!(bytes.len() > 5_000);
    assert_eq!(
        unread(&gateway, "/v1/customers", &secret).await.status(),
        429,
        "the bytes are still in memory"
    );
    drop(bytes);
    assert_eq!(unread(&gateway, "/v1/customers", &secret).await.status(), 200);
}

#[tokio::test]
async fn an_owner_runs_few_exports_at_once() {
    let acme = Acme::new().await;
    let gateway = gateway(&acme, Limits::default());
    let secret = acme.client().secret();
    let export = "/v1/customers/export";
    let first = unread(&gateway, export, &secret).await;
    let second = unread(&gateway, export, &secret).await;
    assert_eq!((first.status().as_u16(), second.status().as_u16()), (200, 200));
    assert_eq!(unread(&gateway, export, &secret).await.status(), 429);
    assert!(first.into_body().collect().await.unwrap().to_bytes().starts_with(b"ID,"));
    assert_eq!(unread(&gateway, export, &secret).await.status(), 200);
}

/// A body that arrives after this time by the runtime's clock, which it moves.
struct Late {
    wait: Duration,
    text: Option<Bytes>,
    moving: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl HttpBody for Late {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.text.is_some() {
            let wait = self.wait;
            let moving = self.moving.get_or_insert_with(|| {
                Box::pin(async move {
                    tokio::time::pause();
                    tokio::time::advance(wait).await;
                    tokio::time::resume();
                })
            });
            ready!(moving.as_mut().poll(context));
        }
        Poll::Ready(self.text.take().map(|text| Ok(Frame::data(text))))
    }
}

#[tokio::test]
async fn the_time_of_an_upload_does_not_count_as_that_of_the_request() {
    let acme = Acme::new().await;
    let body_grace = Duration::from_secs(500);
    let gateway = gateway(&acme, Limits { body_grace, ..Limits::default() });
    let text = Some(json!({"email": "late@example.com"}).to_string().into());
    let body = Body::new(Late { wait: Duration::from_secs(400), text, moving: None });
    let response = gateway.answer(post(&acme.client().secret(), body), PEER).await;
    assert_eq!(response.status(), 201);
}

#[tokio::test]
async fn a_content_length_over_the_limit_is_refused_at_once() {
    let acme = Acme::new().await;
    let gateway = gateway(&acme, Limits::default());
    let announced = Stalled { beginning: None, announced: Some((1 << 20) + 1), stalls: None };
    let request = post(&acme.client().secret(), Body::new(announced));
    let response = tokio::time::timeout(HANGS / 10, gateway.answer(request, PEER)).await.unwrap();
    assert_eq!(response.status(), 413);
    // Endpoints without a token accept only small bodies.
    let path = "/v1/customer-portal/customers/me/email-update/verify";
    acme.world.anonymous().post(path, json!({"token": "x".repeat(17 << 10)})).await.expect(413);
    acme.world.anonymous().post(path, json!({"token": "x".repeat(8 << 10)})).await.expect(401);
}

/// Serves on a free port.
#[expect(clippy::disallowed_methods, reason = "the runtime of the test ends the task")]
async fn serve(gateway: Gateway) -> SocketAddr {
    let listener = server::listen("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(server::serve(listener, gateway, std::future::pending()));
    address
}

/// Whether the connection answers a request. A closed connection does not.
async fn is_served(stream: &mut TcpStream) -> bool {
    let mut first = [0; 12];
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.is_ok()
        && tokio::time::timeout(HANGS, stream.read_exact(&mut first)).await.unwrap().is_ok()
        && &first == b"HTTP/1.1 200"
}

/// The status line of the response to these bytes, and whether the server then closed the connection.
async fn status_and_end(address: SocketAddr, sent: &str) -> (String, bool) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    let ended = tokio::time::timeout(HANGS, stream.read_to_end(&mut all)).await.is_ok();
    let text = String::from_utf8(all).unwrap();
    (text.get(..12).unwrap_or_default().to_owned(), ended)
}

#[tokio::test]
async fn a_request_that_two_programs_read_differently_is_refused() {
    let acme = Acme::new().await;
    let address = serve(gateway(&acme, Limits::default())).await;
    let body = "2\r\n{}\r\n0\r\n\r\n";
    for (status, head) in [
        ("501", "Host: x\r\nTransfer-Encoding: gzip, chunked"),
        ("501", "Host: x\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked"),
        ("400", "Host: x\r\nTransfer-Encoding: chunked, chunked"),
        ("400", "Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        ("400", "Transfer-Encoding: chunked"),
        ("400", "Host: x\r\nHost: y\r\nTransfer-Encoding: chunked"),
    ] {
        for path in ["/v1/customers", "/v2/ping"] {
            let sent = format!("POST {path} HTTP/1.1\r\n{head}\r\n\r\n{body}");
            let (answered, ended) = status_and_end(address, &sent).await;
            assert_eq!((answered, ended), (format!("HTTP/1.1 {status}"), true), "{head}");
        }
    }
    let plain = format!(
        "POST /v2/none HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\nConnection: close\r\n\r\n{body}"
    );
    assert_eq!(status_and_end(address, &plain).await.0, "HTTP/1.1 404");
    assert_eq!(status_and_end(address, "GET /healthz HTTP/1.0\r\n\r\n").await.0, "HTTP/1.0 200");
}

/// A connection from an address of its own.
async fn connect_from(number: u8, address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 7, number), 0).into()).unwrap();
    socket.connect(address).await.unwrap()
}

#[tokio::test]
async fn an_address_has_a_share_of_the_connections() {
    let acme = Acme::new().await;
    let address = serve(gateway(&acme, Limits { connections: 16, ..Limits::default() })).await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        assert!(is_served(&mut stream).await);
        open.push(stream);
    }
    let mut refused = TcpStream::connect(address).await.unwrap();
    assert!(!is_served(&mut refused).await);
    assert!(is_served(&mut connect_from(1, address).await).await, "another address has its own share");
}

#[tokio::test]
async fn connections_that_never_send_a_request_have_half_of_a_share() {
    let acme = Acme::new().await;
    // One address may have four connections, two of them without a request.
    let address = serve(gateway(&acme, Limits { connections: 32, ..Limits::default() })).await;
    let mut silent = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
    silent[1].write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
    assert!(!is_served(&mut TcpStream::connect(address).await.unwrap()).await);
    silent[1].write_all(b"Host: x\r\n\r\n").await.unwrap();
    let mut answered = [0; 12];
    silent[1].read_exact(&mut answered).await.unwrap();
    assert!(is_served(&mut TcpStream::connect(address).await.unwrap()).await);
}

#[tokio::test]
async fn strangers_together_leave_connections_to_callers() {
    let acme = Acme::new().await;
    // Strangers may have eight connections together.
    let limits = Limits { connections: 16, head_timeout: HANGS * 10, ..Limits::default() };
    let address = serve(gateway(&acme, limits)).await;
    let bearer = acme.client().secret();
    let request = format!("GET /v2/ping HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bearer}\r\n\r\n");
    let mut caller = TcpStream::connect(address).await.unwrap();
    let mut pings = async || {
        caller.write_all(request.as_bytes()).await.unwrap();
        let head = read_head(&mut caller).await;
        read_body(&mut caller, &head).await;
        head.starts_with("HTTP/1.1 200")
    };
    assert!(pings().await);
    let mut strangers = Vec::new();
    for number in 1..40 {
        let mut stranger = connect_from(number, address).await;
        match number % 3 {
            0 => {}
            1 => stranger.write_all(b"GET /v2/ping HTTP/1.1\r\nHost:").await.unwrap(),
            _ => assert!(is_served(&mut stranger).await),
        }
        strangers.push(stranger);
    }
    assert!(pings().await, "the connection of a caller stays");
    assert!(is_served(strangers.last_mut().unwrap()).await);
    for stranger in &mut strangers[..20] {
        let ended = async { while stranger.read_u8().await.is_ok() {} };
        tokio::time::timeout(HANGS, ended).await.unwrap();
    }
}

#[tokio::test]
async fn a_client_that_reads_no_refused_body_can_use_its_connection_again() {
    let acme = Acme::new().await;
    let rate = Rate { per_second: NonZeroU32::MIN, burst: NonZeroU32::MIN };
    let rates = Some(Rates { known: rate, unknown: rate });
    let config = Config { rates, ..Config::default() };
    let address = serve(Gateway::new(Arc::clone(&acme.world.app), config)).await;
    let secret = acme.client().secret();
    for path in ["/v1/customers", "/v2/ping"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret}\r\n\r\n");
        let mut refused = 0;
        for _ in 0..14 {
            stream.write_all(request.as_bytes()).await.unwrap();
            // The client reads the head alone. The next response begins right behind it.
            let head = read_head(&mut stream).await;
            if head.starts_with("HTTP/1.1 429") {
                refused += 1;
                assert!(head.contains("content-length: 0\r\n"), "{head}");
            } else {
                read_body(&mut stream, &head).await;
            }
        }
        assert!(refused >= 12, "{refused}");
    }
}

/// The head of a response.
async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tokio::time::timeout(HANGS, stream.read_u8()).await.unwrap().unwrap());
    }
    String::from_utf8(head).unwrap()
}

async fn read_body(stream: &mut TcpStream, head: &str) {
    let length = head.split_once("content-length: ").unwrap().1.split_once('\r').unwrap().0;
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
}

#[tokio::test]
async fn a_trusted_proxy_has_all_connections() {
    let acme = Acme::new().await;
    let trusted_proxies = IpAllowList::parse(["127.0.0.1"]).unwrap();
    let limits = Limits { connections: 8, ..Limits::default() };
    let config = Config { limits, trusted_proxies, ..Config::default() };
    let address = serve(Gateway::new(Arc::clone(&acme.world.app), config)).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        assert!(is_served(&mut stream).await);
        open.push(stream);
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_its_responses_loses_its_connection() {
    let acme = Acme::new().await;
    let limits = Limits { connections: 1, write_timeout: Duration::from_millis(100), ..Limits::default() };
    let address = serve(gateway(&acme, limits)).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let requests = "GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(60);
    silent.write_all(requests.as_bytes()).await.unwrap();
    // The server has one connection slot. It is free again once the server closes the silent client's connection.
    let mut next = TcpStream::connect(address).await.unwrap();
    assert!(is_served(&mut next).await);
    drop(silent);
}

#[tokio::test]
async fn the_kernel_keeps_little_of_a_response_that_is_not_read() {
    let acme = Acme::new().await;
    let limits = Limits { connections: 1, write_timeout: Duration::from_millis(100), ..Limits::default() };
    let address = serve(gateway(&acme, limits)).await;
    let client = TcpSocket::new_v4().unwrap();
    client.set_recv_buffer_size(4 << 10).unwrap();
    let mut silent = client.connect(address).await.unwrap();
    let requests = "GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(60);
    silent.write_all(requests.as_bytes()).await.unwrap();
    // The server has one connection slot. It is free again once the server has closed the silent client's connection.
    let mut next = TcpStream::connect(address).await.unwrap();
    assert!(is_served(&mut next).await);
    let mut kept = Vec::new();
    // The server had not read all requests, so its end of the connection is a reset.
    let _ = silent.read_to_end(&mut kept).await;
    assert!(kept.len() < 512 << 10, "{} bytes", kept.len());
}

#[tokio::test]
async fn many_connections_may_wait_to_be_accepted() {
    let listener = server::listen("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let most = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
    let waiting = most.trim().parse::<usize>().unwrap().min(500);
    let mut open = Vec::new();
    for _ in 0..waiting {
        open.push(tokio::time::timeout(HANGS / 4, TcpStream::connect(address)).await.unwrap().unwrap());
    }
}

#[tokio::test]
async fn a_forwarded_address_with_a_port_is_the_clients_and_an_unknown_one_is_in_no_allow_list() {
    let acme = Acme::new().await;
    let body = json!({"label": "local", "scopes": ["*"], "ip_allow_list": ["127.0.0.0/8", "2001:db8::/32"]});
    let made = acme.client().post(&acme.api_keys(), body).await.expect(201);
    let trusted_proxies = IpAllowList::parse(["127.0.0.1"]).unwrap();
    let config = Config { trusted_proxies, ..Config::default() };
    let gateway = Gateway::new(Arc::clone(&acme.world.app), config);
    let bearer = format!("Bearer {}", made["secret_key"].as_str().unwrap());
    for (forwarded, status) in [
        ("198.51.100.66", 403),
        ("198.51.100.66:1234", 403),
        ("unknown", 403),
        ("_hidden, 127.0.0.1", 403),
        ("127.0.0.9:1234", 200),
        ("[2001:db8::1]:443", 200),
    ] {
        let request = Request::get("/v2/ping").header("authorization", &bearer);
        let request = request.header("x-forwarded-for", forwarded).body(Body::empty()).unwrap();
        assert_eq!(gateway.answer(request, PEER).await.status(), status, "{forwarded}");
    }
    let request = Request::get("/v2/ping").header("authorization", &bearer);
    let request = request.header("forwarded", "for=127.0.0.9").body(Body::empty()).unwrap();
    assert_eq!(gateway.answer(request, PEER).await.status(), 403, "Forwarded alone is not read");
}

#[tokio::test]
async fn every_response_forbids_frames_and_content_sniffing() {
    let acme = Acme::new().await;
    for path in
        ["/v1/customers", "/v2/ping", "/v1/nothing", "/nothing", "/docs", "/healthz", "/v1/openapi.json"]
    {
        let response = acme.client().get(path).await;
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{path}");
        let policy = response.header("content-security-policy").unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
    }
}

#[tokio::test]
async fn a_head_over_64_kib_is_refused() {
    let acme = Acme::new().await;
    for path in ["/v1/customers", "/v2/ping"] {
        acme.client().with("x-padding", "x".repeat(60_000)).get(path).await.expect(200);
        acme.client().with("x-padding", "x".repeat(66_000)).get(path).await.expect(431);
    }
}

#[tokio::test]
async fn a_request_with_two_hosts_is_refused() {
    let acme = Acme::new().await;
    for path in ["/v1/customers", "/v2/ping"] {
        let client = acme.client().with("host", "a.example");
        client.get(path).await.expect(200);
        client.with("host", "b.example").get(path).await.expect(400);
    }
}

#[tokio::test]
async fn a_query_with_too_many_parameters_is_refused() {
    let acme = Acme::new().await;
    let accounts = format!("{}/api-keys", acme.path_v2());
    for path in ["/v1/customers", accounts.as_str()] {
        let query = |count: usize| format!("{path}?{}", vec!["x=1"; count].join("&"));
        acme.client().get(&query(200)).await.expect(200);
        let refused = acme.client().get(&query(201)).await.expect(400);
        assert!(refused.text.contains("200"), "{refused}");
    }
}

#[tokio::test]
async fn a_compressed_body_is_refused_with_415() {
    let acme = Acme::new().await;
    for (method, path) in [("POST", "/v1/customers".to_owned()), ("PUT", acme.path_v2())] {
        let gzip = acme.client().with("content-encoding", "gzip");
        gzip.raw(method, &path, b"\x1f\x8b\x08\x00".to_vec()).await.expect(415);
    }
    let identity = acme.client().with("content-encoding", "identity");
    identity.post("/v1/customers", json!({"email": "a@example.com"})).await.expect(201);
}

#[tokio::test]
async fn polar_json_may_have_a_byte_order_mark_or_be_utf_16() {
    let acme = Acme::new().await;
    let text = json!({"name": "Acmé"}).to_string();
    let utf16 = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    for body in [
        [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        utf16(u16::to_le_bytes),
        utf16(u16::to_be_bytes),
        [b"\xff\xfe".to_vec(), utf16(u16::to_le_bytes)].concat(),
        [b"\xfe\xff".to_vec(), utf16(u16::to_be_bytes)].concat(),
    ] {
        let changed = acme.client().raw("PATCH", &acme.path_v1(), body.clone()).await.expect(200);
        assert_eq!(changed["name"], "Acmé");
        acme.client().raw("PUT", &acme.path_v2(), body).await.expect(400);
    }
}

#[tokio::test]
async fn a_webhook_endpoint_speaks_the_version_that_is_served() {
    let acme = Acme::new().await;
    let endpoint = |version: Value| json!({"url": "https://hooks.example.com", "format": "raw", "events": [], "api_version": version});
    let path = "/v1/webhooks/endpoints";
    let made = acme.client().post(path, endpoint(json!("2026-04"))).await.expect(201);
    assert_eq!(made["api_version"], "2026-04");
    acme.client().post(path, endpoint(Value::Null)).await.expect(201);
    for unknown in [json!("2026-10"), json!("banana"), json!(7)] {
        let refused = acme.client().post(path, endpoint(unknown.clone())).await.expect(422);
        assert_eq!(refused.violations(), ["enum body.api_version"]);
        let path = format!("{path}/{}", made.id());
        acme.client().patch(&path, json!({"api_version": unknown})).await.expect(422);
    }
}

#[tokio::test]
async fn a_refusal_by_rate_limit_has_no_body() {
    let acme = Acme::new().await;
    let gateway = gateway(&acme, Limits { body: 10, body_memory: 10, ..Limits::default() });
    let stalled = stall(&gateway, &acme.client().secret(), "{        ").await;
    let refused = gateway.answer(post(&acme.client().secret(), Body::from("{    }")), PEER).await;
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (429, &"1".parse().unwrap()));
    assert_eq!(refused.into_body().collect().await.unwrap().to_bytes().len(), 0);
    stalled.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_arrives_although_its_request_is_still_being_sent() {
    let acme = Acme::new().await;
    let address = serve(gateway(&acme, Limits::default())).await;
    let body = vec![b'x'; 4 << 20];
    let head = format!(
        "POST /v1/customers HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        acme.client().secret(),
        body.len()
    );
    for _ in 0..10 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 413 "), "{response}");
    }
}
