//! Clients that keep an HTTP/2 connection busy with anything but requests.

use super::frames::{
    ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, GOAWAY, HEADERS, PING,
    PRIORITY, RST_STREAM, Received, SETTINGS, WINDOW_UPDATE, block, frame, get_block, next, next_of, preface,
};
use super::*;

/// Sends `flood` again and again, and reads meanwhile, until the server ends the connection. Returns the last GOAWAY.
async fn until_refused(site: &Site, beginning: &[u8], flood: impl Fn(u32) -> Vec<u8>) -> Option<Received> {
    let mut stream = site.frames().await;
    stream.write_all(beginning).await.unwrap();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let writing = async {
        // Without a bound in the server, this would go on for a gigabyte and more.
        for number in 0..1_000_000 {
            if writer.write_all(&flood(number)).await.is_err() || writer.flush().await.is_err() {
                return;
            }
        }
        panic!("the flood has no bound");
    };
    let reading = async {
        let mut last = None;
        while let Some(frame) = next(&mut reader).await {
            if frame.kind == GOAWAY {
                last = Some(frame);
            }
        }
        last
    };
    let ((), last) = tokio::time::timeout(HANGS, async { tokio::join!(writing, reading) }).await.unwrap();
    assert!(site.serves().await);
    last
}

/// The same bytes many times over.
fn repeated(bytes: &[u8]) -> impl Fn(u32) -> Vec<u8> + use<> {
    let many = bytes.repeat(200);
    move |_| many.clone()
}

/// The head of a request that creates a customer.
fn head_of_create(acme: &Acme) -> Vec<u8> {
    let authorization = format!("Bearer {}", acme.client().secret());
    block(&[
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", "/v1/customers"),
        ("authorization", &authorization),
        ("content-type", "application/json"),
    ])
}

#[tokio::test]
async fn frames_that_belong_to_no_request_are_bounded() {
    let acme = Acme::new().await;
    let site = Site::with_limits(&acme, Limits::default()).await;
    for (name, flood) in [
        ("PING", frame(PING, 0, 0, &[7; 8])),
        ("answers to no PING", frame(PING, ACK, 0, &[7; 8])),
        ("SETTINGS", frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255])),
        ("PRIORITY", frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 9])),
        ("an unknown frame", frame(99, 0, 0, &[1; 20])),
        ("an empty unknown frame", frame(99, 0, 0, &[])),
    ] {
        println!("{name}");
        until_refused(&site, &preface(&[]), repeated(&flood)).await;
    }
}

#[tokio::test]
async fn frames_beside_a_request_are_bounded_as_well() {
    let acme = Acme::new().await;
    let site = Site::with_limits(&acme, Limits { body_grace: HANGS * 10, ..Limits::default() }).await;
    let head = head_of_create(&acme);
    let beginning = [preface(&[]), frame(HEADERS, END_HEADERS, 1, &head)].concat();
    for (name, flood) in [
        ("PING", frame(PING, 0, 0, &[7; 8])),
        ("empty DATA", frame(DATA, 0, 1, &[])),
        ("WINDOW_UPDATE", frame(WINDOW_UPDATE, 0, 1, &1_u32.to_be_bytes())),
    ] {
        println!("{name}");
        until_refused(&site, &beginning, repeated(&flood)).await;
    }
}

#[tokio::test]
async fn a_head_in_endless_frames_is_refused() {
    let acme = Acme::new().await;
    let site = Site::with_limits(&acme, Limits::default()).await;
    let beginning = [preface(&[]), frame(HEADERS, END_STREAM, 1, &get_block("/healthz"))].concat();
    let padding = block(&[("x-padding", &"x".repeat(1_000))]);
    for part in [vec![], block(&[("x-a", "1")]), padding] {
        let refused = until_refused(&site, &beginning, repeated(&frame(CONTINUATION, 0, 1, &part))).await;
        assert_eq!(refused.map(|frame| frame.code()), Some(ENHANCE_YOUR_CALM));
    }
}

#[tokio::test]
async fn heads_that_are_refused_are_bounded() {
    let acme = Acme::new().await;
    let site = Site::with_limits(&acme, Limits::default()).await;
    // Each head is a little too long, so it is answered 431, and the client leaves its body open.
    let padding = "x".repeat(15_000);
    let flood = move |number: u32| {
        let id = 2 * number + 1;
        let first = frame(HEADERS, 0, id, &get_block("/healthz"));
        let more = block(&[("x-padding", &padding)]);
        let more = [0, 0, 0, 0, END_HEADERS].map(|flags| frame(CONTINUATION, flags, id, &more));
        [vec![first], more.to_vec()].concat().concat()
    };
    until_refused(&site, &preface(&[]), flood).await;
}

#[tokio::test]
async fn requests_that_are_reset_at_once_are_bounded() {
    let acme = Acme::new().await;
    let site = Site::with_limits(&acme, Limits::default()).await;
    let secret = acme.client().secret();
    let flood = move |number: u32| {
        let id = 2 * number + 1;
        let head = block(&[
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "localhost"),
            (":path", "/v1/customers"),
            ("authorization", &format!("Bearer {secret}")),
        ]);
        let reset = frame(RST_STREAM, 0, id, &CANCEL.to_be_bytes());
        [frame(HEADERS, END_HEADERS | END_STREAM, id, &head), reset].concat()
    };
    let refused = until_refused(&site, &preface(&[]), flood).await.unwrap();
    assert_eq!(refused.code(), ENHANCE_YOUR_CALM);
}

#[tokio::test]
async fn requests_that_are_reset_while_they_run_are_bounded() {
    let acme = Acme::new().await;
    let site = Site::with_limits(&acme, Limits { body_grace: HANGS * 10, ..Limits::default() }).await;
    let head = head_of_create(&acme);
    let mut stream = site.frames().await;
    stream.write_all(&preface(&[])).await.unwrap();
    for number in 0..150 {
        let id = 2 * number + 1;
        // The answer to the PING shows that the server has read the head.
        let begun =
            [frame(HEADERS, END_HEADERS, id, &head), frame(PING, 0, 0, &[number.to_le_bytes()[0]; 8])]
                .concat();
        if stream.write_all(&begun).await.is_err() || next_of(&mut stream, PING, 0).await.is_none() {
            break;
        }
        if stream.write_all(&frame(RST_STREAM, 0, id, &CANCEL.to_be_bytes())).await.is_err() {
            break;
        }
        assert!(number < 140, "the resets have no bound");
    }
    until_end(&mut stream).await;
    assert!(site.serves().await);
}
