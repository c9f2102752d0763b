//! Changes while a request is under way: a token that is revoked during the upload authorizes nothing, and a failed
//! look-up of a token does not count against the client's address.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Request;
use http_body_util::BodyExt;
use hyper::body::Frame;
use serde_json::json;
use tenantry_app::tokens::TokenRevoke;
use tenantry_app::{App, Requester};
use tenantry_http::{Config, Gateway, Limits, Rate, Rates};
use tokio::task::JoinSet;
use uuid::Uuid;

use tenantry_testkit::Acme;

use crate::support::BusyWriter;

/// Polls a future once.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut *future).poll(context))).await
}

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

async fn revoke(app: Arc<App>, id: Uuid) {
    app.write(TokenRevoke { by: Requester::operator(), id }).await.unwrap();
}

/// A body that arrives only after another future has completed.
struct After(Pin<Box<dyn Future<Output = ()> + Send>>, Option<Bytes>);

impl HttpBody for After {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.1.is_some() {
            ready!(self.0.as_mut().poll(context));
        }
        Poll::Ready(self.1.take().map(|bytes| Ok(Frame::data(bytes))))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_revoked_while_the_body_arrives_writes_nothing() {
    let acme = Acme::new().await;
    let token = acme.world.token(&acme.organization, "*").await;
    let body = Bytes::from(json!({"email": "late@example.com"}).to_string());
    let revoked = revoke(Arc::clone(&acme.world.app), token.actor());
    let request = Request::post("/v1/customers")
        .header("authorization", format!("Bearer {}", token.secret()))
        .header("content-type", "application/json")
        .body(Body::new(After(Box::pin(revoked), Some(body))))
        .unwrap();
    assert_eq!(acme.world.gateway.answer(request, PEER).await.status(), 401);
    assert_eq!(acme.client().get("/v1/customers").await.each("email"), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_ends_with_the_right_to_it() {
    let acme = Acme::new().await;
    for number in 0..26 {
        let body = json!({"email": format!("c{number}@example.com")});
        acme.client().post("/v1/customers", body).await.expect(201);
    }
    let token = acme.world.token(&acme.organization, "*").await;
    let request = Request::get("/v1/customers/export")
        .header("authorization", format!("Bearer {}", token.secret()))
        .body(Body::empty())
        .unwrap();
    let mut body = acme.world.gateway.answer(request, PEER).await.into_body();
    for part in ["its head", "the first customers"] {
        assert!(body.frame().await.unwrap().is_ok(), "{part}");
    }
    revoke(Arc::clone(&acme.world.app), token.actor()).await;
    assert!(body.frame().await.unwrap().is_err(), "the last customer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_token_look_up_does_not_count_against_the_address() {
    let acme = Acme::new().await;
    let rate = Rate { per_second: NonZeroU32::MIN, burst: NonZeroU32::MIN };
    let rates = Some(Rates { known: rate, unknown: rate });
    let gateway = Gateway::new(Arc::clone(&acme.world.app), Config { rates, ..Config::default() });
    let token = acme.world.token(&acme.organization, "*").await;
    let ask = async || {
        let bearer = format!("Bearer {}", token.secret());
        let request = Request::get("/v1/customers").header("authorization", bearer);
        gateway.answer(request.body(Body::empty()).unwrap(), PEER).await.status().as_u16()
    };
    acme.world.database().execute("ALTER TABLE credentials RENAME TO mislaid");
    for _ in 0..3 {
        assert_eq!(ask().await, 500);
    }
    acme.world.database().execute("ALTER TABLE mislaid RENAME TO credentials");
    assert_eq!(ask().await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_wait_leave_room_for_reads() {
    let acme = Acme::new().await;
    let limits = Limits { in_flight: 4, ..Limits::default() };
    let gateway = Gateway::new(Arc::clone(&acme.world.app), Config { limits, ..Config::default() });
    let bearer = format!("Bearer {}", acme.client().secret());
    let ask = |method: &str, body: Body| {
        let request = Request::builder().method(method).uri("/v1/customers").header("authorization", &bearer);
        let request = request.header("content-type", "application/json").body(body).unwrap();
        let gateway = gateway.clone();
        async move { gateway.answer(request, PEER).await.status().as_u16() }
    };
    let (release, held) = channel();
    let busy = BusyWriter(acme.organization.id, Mutex::new(held));
    let mut busy = Box::pin(acme.world.app.write(busy));
    assert!(poll_once(&mut busy).await.is_pending());
    // Writes may take three of the four slots: of four writes, one is refused.
    let mut writes: JoinSet<u16> = (0..4)
        .map(|number| ask("POST", json!({"email": format!("waits-{number}@example.com")}).to_string().into()))
        .collect();
    assert_eq!(writes.join_next().await.unwrap().unwrap(), 503);
    assert_eq!(ask("GET", Body::empty()).await, 200);
    release.send(()).unwrap();
    busy.await.unwrap();
    assert_eq!(writes.join_all().await, [201; 3]);
}
