//! The handshake, the certificate, and HTTP/1.1 over TLS.

use super::*;

#[tokio::test]
async fn both_versions_of_http_are_served_and_browsers_are_told_to_stay() {
    let acme = Acme::new().await;
    let site = Site::with_limits(&acme, Limits::default()).await;
    for versions in [&[] as &[&[u8]], &[HTTP1], &[HTTP1, b"h3"]] {
        let mut stream = site.secure(site.tcp().await, versions).await.unwrap();
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
        let text = String::from_utf8(until_end(&mut stream).await).unwrap();
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        assert!(text.contains("strict-transport-security: max-age=31536000\r\n"), "{text}");
    }
    let stream = site.secure(site.tcp().await, &[HTTP2, HTTP1]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(HTTP2));
    let mut client = Http2::over(stream).await;
    let (response, mut body) = client.open(get("/healthz")).await;
    body.send_data(Bytes::new(), true).unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    let headers = response.headers();
    assert_eq!(headers["strict-transport-security"], "max-age=31536000");
    assert!(headers["date"].to_str().unwrap().ends_with(" GMT") && headers.contains_key("x-request-id"));
    // A server without a certificate does not speak for the proxy in front of it.
    let plain = acme.world.anonymous().get("/healthz").await;
    assert_eq!(plain.header("strict-transport-security"), None);
}

#[tokio::test]
async fn older_versions_of_tls_are_refused() {
    let acme = Acme::new().await;
    let site = Site::with_limits(&acme, Limits::default()).await;
    // A ClientHello of TLS 1.1 with a cipher suite of its time, and signature algorithms and a group of today's.
    let mut hello = vec![3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x13, 1, 0]);
    hello.extend([0, 16, 0, 13, 0, 4, 0, 2, 4, 3, 0, 10, 0, 4, 0, 2, 0, 23]);
    let mut record = vec![22, 3, 1, 0, u8::try_from(hello.len() + 4).unwrap()];
    record.extend([1, 0, 0, u8::try_from(hello.len()).unwrap()]);
    record.extend(hello);
    let mut stream = site.tcp().await;
    stream.write_all(&record).await.unwrap();
    let answer = until_end(&mut stream).await;
    // A fatal alert: protocol_version (RFC 8446, section 6.2).
    assert_eq!((answer[0], &answer[5..7]), (21, &[2, 70][..]), "{answer:?}");
}

#[tokio::test]
async fn plain_http_gets_an_answer_that_it_can_read() {
    let acme = Acme::new().await;
    let site = Site::with_limits(&acme, Limits::default()).await;
    for sent in ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "POST"] {
        let mut stream = site.tcp().await;
        stream.write_all(sent.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let text = String::from_utf8(until_end(&mut stream).await).unwrap();
        assert!(text.starts_with("HTTP/1.1 400 ") && text.contains("https://"), "{text}");
    }
    // Bytes of neither protocol get nothing that could be mistaken for an answer.
    let mut stream = site.tcp().await;
    stream.write_all(b"\x00\x01\x02 nonsense, and more of it").await.unwrap();
    let answer = until_end(&mut stream).await;
    assert!(answer.first().is_none_or(|first| *first == 21), "{answer:?}");
}

#[tokio::test]
async fn a_handshake_that_never_ends_loses_its_place() {
    let acme = Acme::new().await;
    let limits = Limits { connections: 1, head_timeout: Duration::from_millis(100), ..Limits::default() };
    let site = Site::with_limits(&acme, limits).await;
    for sent in [b"" as &[u8], b"\x16\x03\x01\x02\x00\x01\x00\x01", b"GET / HTTP/1.1\r\n"] {
        let mut stuck = site.tcp().await;
        stuck.write_all(sent).await.unwrap();
        assert!(site.serves().await, "{sent:?}");
        until_end(&mut stuck).await;
    }
}

#[tokio::test]
async fn connections_in_the_handshake_have_half_of_a_share() {
    let acme = Acme::new().await;
    // One address may have four connections, two of them without a request.
    let site = Site::with_limits(&acme, Limits { connections: 32, ..Limits::default() }).await;
    let mut silent = [site.tcp().await, site.tcp().await];
    silent[1].write_all(b"\x16\x03\x01").await.unwrap();
    assert!(!site.serves().await);
    let mut other = site.secure(site.tcp_from(1).await, &[HTTP1]).await.unwrap();
    assert!(is_served(&mut other).await, "another address has its own share");
}

#[tokio::test]
async fn a_new_certificate_is_for_new_connections() {
    let acme = Acme::new().await;
    let mut site = Site::with_limits(&acme, Limits::default()).await;
    let (mut first, mut second) = (site.http1().await, site.http2().await);
    let (next, another) = (Identity::new(), Identity::new());
    assert!(site.tls.replace(next.chain(), another.key).is_err(), "the key of another certificate");
    assert!(site.serves().await);
    site.tls.replace(next.chain(), next.key.clone_key()).unwrap();
    assert!(is_served(&mut first).await);
    assert_eq!(second.get("/healthz").await.0, 200);
    assert!(site.secure(site.tcp().await, &[HTTP1]).await.is_err(), "the old certificate is still served");
    site.root = next.certificate;
    assert!(site.serves().await);
}

#[tokio::test]
async fn heads_that_arrive_slowly_lose_their_connection() {
    let acme = Acme::new().await;
    let limits = Limits { connections: 1, head_timeout: Duration::from_millis(200), ..Limits::default() };
    let site = Site::with_limits(&acme, limits).await;
    let mut slow = site.http1().await;
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost:").await.unwrap();
    assert!(site.serves().await);
    until_end(&mut slow).await;
}

#[tokio::test]
async fn a_body_that_arrives_slowly_is_refused() {
    let acme = Acme::new().await;
    let site =
        Site::with_limits(&acme, Limits { body_grace: Duration::from_millis(20), ..Limits::default() }).await;
    let mut slow = site.http1().await;
    let head = format!(
        "POST /v1/customers HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
        acme.client().secret()
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let answer = String::from_utf8(until_end(&mut slow).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn a_client_that_does_not_read_its_responses_loses_its_connection() {
    let acme = Acme::new().await;
    let limits = Limits { connections: 1, write_timeout: Duration::from_millis(100), ..Limits::default() };
    let site = Site::with_limits(&acme, limits).await;
    let mut silent = site.http1().await;
    let requests = "GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(60);
    silent.write_all(requests.as_bytes()).await.unwrap();
    // The server has one connection slot. It is free again once the server closes the silent client's connection.
    assert!(site.serves().await);
    drop(silent);
}
