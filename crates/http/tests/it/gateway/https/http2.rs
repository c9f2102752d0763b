//! HTTP/2: requests, and what one client can hold by one connection.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use serde_json::{Value, json};
use tenantry_core::values::IpAllowList;
use tokio::task::JoinSet;

use super::frames::{
    ACK, CANCEL, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, REFUSED_STREAM, RST_STREAM,
    WINDOW_UPDATE, block, frame, get_block, get_frame, next, next_of, preface,
};
use super::*;

const CUSTOMERS: &str = "/v1/customers";
/// SETTINGS_INITIAL_WINDOW_SIZE.
const INITIAL_WINDOW: u16 = 4;

#[tokio::test]
async fn requests_are_answered_as_over_http_1() {
    let acme = Acme::new().await;
    let site = Site::with_limits(&acme, Limits::default()).await;
    let mut client = site.http2().await;
    let secret = acme.client().secret();
    let (status, text) = client.send(post(CUSTOMERS, &secret), r#"{"email": "a@example.com"}"#).await;
    assert_eq!((status, json_of(&text)["email"].as_str()), (201, Some("a@example.com")));
    let (status, text) = client.send(post(CUSTOMERS, &secret), "{").await;
    assert_eq!((status, json_of(&text)["error"].as_str()), (422, Some("RequestValidationError")));
    assert_eq!(client.send(post("/v2/nothing", &secret), "{}").await.0, 404);
    assert_eq!(
        client.get("/v1/openapi.json").await.1.len(),
        acme.client().get("/v1/openapi.json").await.text.len()
    );
    let mut head = get(CUSTOMERS);
    *head.method_mut() = axum::http::Method::HEAD;
    head.headers_mut().insert("authorization", format!("Bearer {secret}").parse().unwrap());
    let (status, text) = client.send(head, "").await;
    assert_eq!((status, text.as_str()), (200, ""));
    // It names no path, and opens no tunnel.
    let mut connect = get("/");
    *connect.method_mut() = axum::http::Method::CONNECT;
    *connect.uri_mut() = "localhost:443".parse().unwrap();
    assert!(client.send(connect, "").await.0 >= 400);
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn one_connection_carries_many_requests_at_once() {
    let acme = Acme::new().await;
    let site = Site::with_limits(&acme, Limits::default()).await;
    let client = site.http2().await;
    let secret = acme.client().secret();
    let mut running = JoinSet::new();
    for number in 0..80 {
        let (mut client, secret) = (Http2(client.0.clone()), secret.clone());
        running.spawn(async move {
            let body = json!({"email": format!("c{number}@example.com")}).to_string();
            client.send(post(CUSTOMERS, &secret), &body).await.0
        });
    }
    assert_eq!(running.join_all().await, [201; 80]);
}

#[tokio::test]
async fn a_request_names_one_host() {
    let acme = Acme::new().await;
    let site = Site::with_limits(&acme, Limits::default()).await;
    let pseudo = [(":method", "GET"), (":scheme", "https"), (":path", "/healthz")];
    for (more, is_accepted) in [
        (vec![(":authority", "a.example")], true),
        (vec![("host", "a.example")], true),
        (vec![(":authority", "a.example"), ("host", "A.example")], true),
        (vec![(":authority", "a.example"), ("host", "b.example")], false),
        (vec![("host", "a.example"), ("host", "b.example")], false),
        (vec![], false),
    ] {
        let mut stream = site.frames().await;
        let headers = [&pseudo[..], &more].concat();
        let request = frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&headers));
        stream.write_all(&[preface(&[]), request].concat()).await.unwrap();
        let answer = next_of(&mut stream, HEADERS, 1).await.unwrap();
        // The static table has the statuses 200 and 400 (RFC 7541, appendix A).
        let expected = if is_accepted { 0x80 | 8 } else { 0x80 | 12 };
        assert_eq!(answer.payload[0], expected, "{more:?}");
    }
}

#[tokio::test]
async fn too_large_a_head_is_refused() {
    let acme = Acme::new().await;
    let site = Site::with_limits(&acme, Limits::default()).await;
    let mut client = site.http2().await;
    let many = (0..101).fold(get("/healthz"), |mut request, number| {
        let name = axum::http::HeaderName::try_from(format!("x-{number}")).unwrap();
        request.headers_mut().insert(name, "1".parse().unwrap());
        request
    });
    assert_eq!(client.send(many, "").await.0, 431);
    let mut long = get("/healthz");
    long.headers_mut().insert("x-long", "x".repeat(60_000).parse().unwrap());
    assert_eq!(client.send(long, "").await.0, 200);
    let mut longer = get("/healthz");
    longer.headers_mut().insert("x-long", "x".repeat(70_000).parse().unwrap());
    let (response, _) = client.open(longer).await;
    assert_eq!(response.await.unwrap().status(), 431);
    assert_eq!(client.get("/healthz").await.0, 200, "the connection goes on");
}

#[tokio::test]
async fn a_connection_without_a_request_loses_its_place() {
    let acme = Acme::new().await;
    let limits = Limits { connections: 1, head_timeout: Duration::from_millis(200), ..Limits::default() };
    let site = Site::with_limits(&acme, limits).await;
    let half = frame(HEADERS, END_STREAM, 1, &get_block("/healthz")[..5]);
    let served = [preface(&[]), get_frame(1, "/healthz")].concat();
    let pings = [preface(&[]), frame(PING, 0, 0, &[1; 8])].concat();
    for sent in [vec![], preface(&[]), [preface(&[]), half].concat(), served, pings] {
        let mut stream = site.frames().await;
        stream.write_all(&sent).await.unwrap();
        assert!(site.serves().await, "{sent:?}");
        until_end(&mut stream).await;
    }
}

#[tokio::test]
async fn a_client_hears_that_its_connection_will_end() {
    let acme = Acme::new().await;
    let limits = Limits { head_timeout: Duration::from_millis(200), ..Limits::default() };
    let site = Site::with_limits(&acme, limits).await;
    let mut stream = site.frames().await;
    stream.write_all(&preface(&[])).await.unwrap();
    assert_eq!(next_of(&mut stream, GOAWAY, 0).await.unwrap().code(), 0);
}

#[tokio::test]
async fn a_body_that_arrives_slowly_is_refused_and_delays_no_other() {
    let acme = Acme::new().await;
    let limits = Limits { body_grace: Duration::from_secs(2), in_flight: 1, ..Limits::default() };
    let site = Site::with_limits(&acme, limits).await;
    let mut client = site.http2().await;
    let secret = acme.client().secret();
    let (mut slow, mut body) = client.open(post(CUSTOMERS, &secret)).await;
    body.send_data("{".into(), false).unwrap();
    // While it is authorized, the slow request has the only slot.
    while client.send(post(CUSTOMERS, &secret), r#"{"email": "a@example.com"}"#).await.0 != 201 {
        let is_pending = poll_fn(|context| Poll::Ready(Pin::new(&mut slow).poll(context).is_pending())).await;
        assert!(is_pending, "the slow request has kept its slot");
    }
    let refused = tokio::time::timeout(HANGS, slow).await.unwrap().unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers().get("connection")), (408, None));
    assert_eq!(client.send(post(CUSTOMERS, &secret), r#"{"email": "b@example.com"}"#).await.0, 201);
}

#[tokio::test]
async fn bodies_that_nobody_reads_are_not_accepted() {
    let acme = Acme::new().await;
    let site = Site::with_limits(&acme, Limits { body: 8 << 20, ..Limits::default() }).await;
    let mut client = site.http2().await;
    // The body is longer than the window, so it arrives only as it is read.
    let body = format!(r#"{{"email": "a@example.com", "name": "x"{}}}"#, " ".repeat(1 << 20));
    assert_eq!(client.send(post(CUSTOMERS, &acme.client().secret()), &body).await.0, 201);
    // A refusal before the body is read ends the request without its body.
    let (refused, mut rest) = client.open(post(CUSTOMERS, "nobody")).await;
    rest.send_data(vec![b' '; 1 << 20].into(), false).unwrap();
    assert_eq!(tokio::time::timeout(HANGS, refused).await.unwrap().unwrap().status(), 401);
    assert_eq!(client.get("/healthz").await.0, 200);
}

#[tokio::test]
async fn a_response_that_the_client_has_no_room_for_is_given_up() {
    let acme = Acme::new().await;
    let limits = Limits { write_timeout: Duration::from_millis(50), ..Limits::default() };
    let site = Site::with_limits(&acme, limits).await;
    let mut stream = site.frames().await;
    let requests = [get_frame(1, "/v1/openapi.json"), get_frame(3, "/v1/openapi.json")].concat();
    stream.write_all(&[preface(&[(INITIAL_WINDOW, 0)]), requests].concat()).await.unwrap();
    // The client takes a little of the second response, which is not enough.
    stream.write_all(&frame(WINDOW_UPDATE, 0, 3, &1000_u32.to_be_bytes())).await.unwrap();
    let mut reset = Vec::new();
    while reset.len() < 2 {
        let frame = next(&mut stream).await.unwrap();
        if frame.kind == RST_STREAM {
            reset.push((frame.stream, frame.code()));
        }
    }
    reset.sort_unstable();
    assert_eq!(reset, [(1, CANCEL), (3, CANCEL)]);
    // The connection goes on.
    stream.write_all(&get_frame(5, "/healthz")).await.unwrap();
    stream.write_all(&frame(WINDOW_UPDATE, 0, 5, &1000_u32.to_be_bytes())).await.unwrap();
    assert!(next_of(&mut stream, DATA, 5).await.is_some());
}

#[tokio::test]
async fn a_client_that_reads_nothing_loses_its_connection() {
    let acme = Acme::new().await;
    let limits = Limits { connections: 64, write_timeout: Duration::from_millis(100), ..Limits::default() };
    let site = Site::with_limits(&acme, limits).await;
    let most = (1 << 31) - 1;
    let mut stream = site.frames().await;
    let window = frame(WINDOW_UPDATE, 0, 0, &0x3fff_ffff_u32.to_be_bytes());
    stream.write_all(&[preface(&[(INITIAL_WINDOW, most)]), window].concat()).await.unwrap();
    for number in 0..8 {
        stream.write_all(&get_frame(2 * number + 1, "/v1/openapi.json")).await.unwrap();
    }
    // Requests go on as long as the client asks for more, until the server notices that nothing is read.
    let asks_on = async {
        for number in 8.. {
            stream.write_all(&get_frame(2 * number + 1, "/v1/openapi.json")).await?;
            stream.flush().await?;
        }
        Ok::<_, std::io::Error>(())
    };
    assert!(tokio::time::timeout(HANGS, asks_on).await.unwrap().is_err());
}

#[tokio::test]
async fn requests_of_one_connection_count_as_connections() {
    let acme = Acme::new().await;
    // One address may have eight connections.
    let limits = Limits { connections: 64, body_grace: HANGS * 10, ..Limits::default() };
    let site = Site::with_limits(&acme, limits).await;
    let mut client = site.http2().await;
    let secret = acme.client().secret();
    let mut open = Vec::new();
    for _ in 0..8 {
        let (response, mut body) = client.open(post(CUSTOMERS, &secret)).await;
        body.send_data("{".into(), false).unwrap();
        open.push((response, body));
    }
    let (refused, _body) = client.open(post(CUSTOMERS, &secret)).await;
    let error = tokio::time::timeout(HANGS, refused).await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(h2::Reason::from(REFUSED_STREAM)));
    assert!(!site.serves().await, "another connection of the address");
    let stream = site.secure(site.tcp_from(2).await, &[HTTP2]).await.unwrap();
    let mut other = Http2::over(stream).await;
    assert_eq!(other.get("/healthz").await.0, 200, "another address has its own share");
    // A request that ends makes room for another.
    let (response, mut body) = open.pop().unwrap();
    body.send_data("}".into(), true).unwrap();
    assert_eq!(response.await.unwrap().status(), 422);
    assert_eq!(client.get("/healthz").await.0, 200);
}

#[tokio::test]
async fn requests_of_a_trusted_proxy_count_as_connections_of_all() {
    let acme = Acme::new().await;
    let trusted_proxies = IpAllowList::parse(["127.0.0.1"]).unwrap();
    let limits = Limits { connections: 12, body_grace: HANGS * 10, ..Limits::default() };
    let config = Config { limits, trusted_proxies, ..Config::default() };
    let site = Site::new(Gateway::new(Arc::clone(&acme.world.app), config)).await;
    let mut client = site.http2().await;
    let mut open = Vec::new();
    for _ in 0..12 {
        let (response, mut body) = client.open(post(CUSTOMERS, &acme.client().secret())).await;
        body.send_data("{".into(), false).unwrap();
        open.push((response, body));
    }
    let (refused, _body) = client.open(post(CUSTOMERS, &acme.client().secret())).await;
    let error = tokio::time::timeout(HANGS, refused).await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(h2::Reason::from(REFUSED_STREAM)));
}

fn pong(payload: &[u8]) -> Vec<u8> {
    frame(PING, ACK, 0, payload)
}

#[tokio::test]
async fn a_stop_lets_requests_end() {
    let acme = Acme::new().await;
    let mut site = Site::with_limits(&acme, Limits { body_grace: HANGS, ..Limits::default() }).await;
    let mut client = site.http2().await;
    assert_eq!(client.get("/healthz").await.0, 200);
    let (response, mut body) = client.open(post(CUSTOMERS, &acme.client().secret())).await;
    // A connection in the handshake, and two without a request.
    let mut idle = (site.tcp().await, site.http1().await, site.frames().await);
    idle.2.write_all(&preface(&[])).await.unwrap();
    assert!(is_served(&mut idle.1).await);
    site.stop.take().unwrap().send(()).unwrap();
    until_end(&mut idle.0).await;
    until_end(&mut idle.1).await;
    loop {
        let frame = next(&mut idle.2).await.unwrap();
        if frame.kind == PING && frame.flags == 0 {
            idle.2.write_all(&pong(&frame.payload)).await.unwrap();
            break;
        }
    }
    until_end(&mut idle.2).await;
    body.send_data(r#"{"email": "late@example.com"}"#.into(), true).unwrap();
    assert_eq!(tokio::time::timeout(HANGS, response).await.unwrap().unwrap().status(), 201);
    drop(client);
    assert!(tokio::time::timeout(HANGS, site.served).await.unwrap().unwrap(), "all requests have ended");
}
