//! Pages count for the person of the session, wherever it comes from.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use tenantry_http::{Config, Gateway, Rate, Rates};
use tenantry_testkit::World;

use crate::browser::{Browser, world};

/// A gateway whose persons have a burst of `known` pages, and whose addresses one of `unknown`.
fn gateway(world: &World, known: u32, unknown: u32) -> Gateway {
    let rate = |burst| Rate { per_second: NonZeroU32::MIN, burst: NonZeroU32::new(burst).unwrap() };
    let rates = Some(Rates { known: rate(known), unknown: rate(unknown) });
    let pages = tenantry_web::router(Arc::clone(&world.app), tenantry_web::Settings::default());
    Gateway::new(Arc::clone(&world.app), Config { rates, pages, ..Config::default() })
}

async fn page(gateway: &Gateway, browser: Option<&Browser<'_>>, from: u8) -> u16 {
    let mut request = Request::get("/console/organizations");
    if let Some(browser) = browser {
        let cookie = format!("__Host-tenantry_session={}", browser.cookies["__Host-tenantry_session"]);
        request = request.header("cookie", cookie);
    }
    let address = IpAddr::from([192, 0, 2, from]);
    gateway.answer(request.body(Body::empty()).unwrap(), address).await.status().as_u16()
}

#[tokio::test]
async fn a_person_has_one_rate_from_all_addresses() {
    let world = world();
    let (acme, other) = (world.organization("acme").await, world.organization("other").await);
    let jane = Browser::signed_in(&world, &acme.owner).await;
    let joe = Browser::signed_in(&world, &other.owner).await;
    let gateway = gateway(&world, 3, 100);
    for address in 1..=3 {
        assert_eq!(page(&gateway, Some(&jane), address).await, 200);
    }
    assert_eq!(page(&gateway, Some(&jane), 4).await, 429);
    // It is that of the person's tokens and organizations as well.
    let request = Request::get("/v2/ping");
    let request =
        request.header("authorization", format!("Bearer {}", world.token(&acme, "*").await.secret()));
    let ping = gateway.answer(request.body(Body::empty()).unwrap(), [192, 0, 2, 5].into()).await;
    assert_eq!(ping.status().as_u16(), 429);
    assert_eq!(page(&gateway, Some(&joe), 4).await, 200);
}

#[tokio::test]
async fn strangers_do_not_use_up_the_rate_of_a_person_behind_the_same_address() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut jane = Browser::signed_in(&world, &acme.owner).await;
    let gateway = gateway(&world, 100, 2);
    let strangers =
        [page(&gateway, None, 1).await, page(&gateway, None, 1).await, page(&gateway, None, 1).await];
    assert_eq!(strangers, [303, 303, 429]);
    assert_eq!(page(&gateway, Some(&jane), 1).await, 200);
    // A session that has ended is no longer a person's.
    let ended = Browser { cookies: jane.cookies.clone(), ..Browser::new(&world) };
    jane.post("/console/sign-out", &[]).await.expect(303);
    assert_eq!(page(&gateway, Some(&ended), 1).await, 429);
}
