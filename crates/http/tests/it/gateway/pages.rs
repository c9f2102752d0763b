//! Pages for people are bounded like the requests of the dialects.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::Request;
use axum::routing::{get, post};
use tenantry_http::{Config, Gateway, Limits};
use tenantry_testkit::Acme;
use tokio::task::JoinHandle;

use super::resource_limits::stall_at;

/// A test that waits for longer than this has hung.
const HANGS: Duration = Duration::from_secs(20);
/// The bytes of a large page.
const PAGE: usize = 32 << 10;

/// A gateway with a form and a large page.
fn gateway(acme: &Acme, limits: Limits) -> Gateway {
    let pages = Router::new()
        .route("/console/form", post(|form: Bytes| async move { form }))
        .route("/console/page", get(|| async { "x".repeat(PAGE) }));
    Gateway::new(Arc::clone(&acme.world.app), Config { limits, pages, ..Config::default() })
}

fn address(number: u8) -> IpAddr {
    [192, 0, 2, number].into()
}

fn form(body: Body) -> Request<Body> {
    Request::post("/console/form").body(body).unwrap()
}

#[tokio::test]
async fn a_form_that_does_not_arrive_holds_no_slot() {
    let acme = Acme::new().await;
    let gateway = gateway(&acme, Limits { in_flight: 1, ..Limits::default() });
    let mut stalled = Vec::new();
    for number in 0..3 {
        stalled.push(stall_at(&gateway, form, Bytes::from("a=1"), address(number)).await.unwrap());
    }
    let sent = gateway.answer(form(Body::from("a=1&b=2")), address(9)).await;
    assert_eq!((sent.status().as_u16(), sent.headers().get("connection")), (200, None));
    stalled.iter().for_each(JoinHandle::abort);
}

#[tokio::test]
async fn a_form_that_is_too_slow_or_too_large_is_refused() {
    let acme = Acme::new().await;
    let gateway = gateway(&acme, Limits { body_grace: Duration::from_millis(20), ..Limits::default() });
    let stalled = stall_at(&gateway, form, Bytes::from("a=1"), address(1)).await.unwrap();
    let slow = tokio::time::timeout(HANGS, stalled).await.unwrap().unwrap();
    assert_eq!((slow.status().as_u16(), &slow.headers()["connection"]), (408, &"close".parse().unwrap()));
    let large = gateway.answer(form(Body::from("x".repeat((64 << 10) + 1))), address(1)).await;
    assert_eq!(large.status().as_u16(), 413);
}

#[tokio::test]
async fn an_address_has_a_share_of_the_memory_for_forms() {
    let acme = Acme::new().await;
    let gateway = gateway(&acme, Limits { body_memory: 310 << 10, ..Limits::default() });
    let beginning = Bytes::from("x".repeat(8 << 10));
    let stalled = stall_at(&gateway, form, beginning.clone(), address(1)).await.unwrap();
    assert!(stall_at(&gateway, form, beginning.clone(), address(1)).await.is_none());
    let other = stall_at(&gateway, form, beginning, address(2)).await.unwrap();
    [stalled, other].iter().for_each(JoinHandle::abort);
}

#[tokio::test]
async fn pages_that_are_not_read_count_until_they_are() {
    let acme = Acme::new().await;
    let gateway = gateway(&acme, Limits { response_memory: 20 * PAGE, ..Limits::default() });
    let page = async |number| {
        let request = Request::get("/console/page").body(Body::empty()).unwrap();
        gateway.answer(request, address(number)).await
    };
    let unread = page(1).await;
    let refused = page(1).await;
    assert_eq!((unread.status().as_u16(), refused.status().as_u16()), (200, 429));
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(page(2).await.status().as_u16(), 200);
    drop(unread);
    assert_eq!(page(1).await.status().as_u16(), 200);
}
