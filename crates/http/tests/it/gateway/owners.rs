//! Limits count an owner with all organizations, so that nobody multiplies them.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use tenantry_http::{Config, Gateway, Rate, Rates};
use tenantry_testkit::{Acme, Organization};

/// A gateway whose callers have a burst of this many requests.
fn gateway(acme: &Acme, burst: u32) -> Gateway {
    let rate = Rate { per_second: NonZeroU32::MIN, burst: NonZeroU32::new(burst).unwrap() };
    let rates = Some(Rates { known: rate, unknown: rate });
    Gateway::new(Arc::clone(&acme.world.app), Config { rates, ..Config::default() })
}

async fn ping(gateway: &Gateway, secret: &str) -> u16 {
    let request = Request::get("/v2/ping").header("authorization", format!("Bearer {secret}"));
    let request = request.body(Body::empty()).unwrap();
    gateway.answer(request, "192.0.2.1".parse().unwrap()).await.status().as_u16()
}

/// The number of requests that are admitted, one with each secret.
async fn admitted(gateway: &Gateway, secrets: &[String]) -> usize {
    let mut admitted = 0;
    for secret in secrets {
        admitted += usize::from(ping(gateway, secret).await == 200);
    }
    admitted
}

#[tokio::test]
async fn sub_accounts_share_the_rate_of_their_account() {
    let acme = Acme::new().await;
    let world = &acme.world;
    let mut secrets = vec![acme.client().secret()];
    for number in 0..10 {
        let id = world.sub_account(&acme.organization, &format!("Child {number}")).await;
        let child = Organization { id, ..acme.organization.clone() };
        secrets.push(world.token(&child, "*").await.secret());
    }
    let admitted = admitted(&gateway(&acme, 2), &secrets).await;
    assert!(admitted < secrets.len(), "{admitted} of {}", secrets.len());
}

#[tokio::test]
async fn organizations_of_a_person_share_one_rate() {
    let acme = Acme::new().await;
    let world = &acme.world;
    let owner = &acme.organization.owner;
    let mut secrets = vec![acme.client().secret(), world.user(owner, "*").await.secret()];
    for number in 0..8 {
        let other = world.organization_owned_by(&format!("other-{number}"), owner).await;
        secrets.push(world.token(&other, "*").await.secret());
    }
    let gateway = gateway(&acme, 2);
    let admitted = admitted(&gateway, &secrets).await;
    assert!(admitted < secrets.len(), "{admitted} of {}", secrets.len());
    // Another owner has a rate of its own.
    let stranger = world.organization("stranger").await;
    assert_eq!(ping(&gateway, &world.token(&stranger, "*").await.secret()).await, 200);
}

#[tokio::test]
async fn every_credential_of_an_owner_is_counted_under_one_id() {
    let acme = Acme::new().await;
    let world = &acme.world;
    let counted = async |secret: &str| world.app.authenticate(secret).await.unwrap().limited_as();
    let own = counted(&acme.client().secret()).await;
    let owner = &acme.organization.owner;
    let child = world.sub_account(&acme.organization, "Child").await;
    let child = Organization { id: child, ..acme.organization.clone() };
    let second = world.organization_owned_by("second", owner).await;
    let stranger = world.organization("stranger").await;
    for (client, is_own) in [
        (world.token(&child, "*").await, true),
        (world.token(&second, "*").await, true),
        (world.user(owner, "*").await, true),
        (world.token(&stranger, "*").await, false),
    ] {
        assert_eq!(counted(&client.secret()).await == own, is_own);
    }
}
