//! Limits count an owner with all organizations, so that nobody multiplies them.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Map, Value, json};
use tenantry_http::{Config, Gateway, Rate, Rates};
use tenantry_testkit::{Acme, Organization};

/// A gateway whose callers have a burst of this many requests.
fn gateway(acme: &Acme, burst: u32) -> Gateway {
    let rate = Rate { per_second: NonZeroU32::MIN, burst: NonZeroU32::new(burst).unwrap() };
    let rates = Some(Rates { known: rate, unknown: rate });
    Gateway::new(Arc::clone(&acme.world.app), Config { rates, ..Config::default() })
}

async fn get(gateway: &Gateway, path: &str, secret: &str) -> u16 {
    let request = Request::get(path).header("authorization", format!("Bearer {secret}"));
    let request = request.body(Body::empty()).unwrap();
    gateway.answer(request, "192.0.2.1".parse().unwrap()).await.status().as_u16()
}

async fn ping(gateway: &Gateway, secret: &str) -> u16 {
    get(gateway, "/v2/ping", secret).await
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
async fn a_large_response_counts_as_many_requests_of_its_owner() {
    let acme = Acme::new().await;
    let metadata: Map<_, _> = (0..50).map(|key| (format!("k{key}"), Value::from("v".repeat(500)))).collect();
    for number in 0..60 {
        let body = json!({"email": format!("c{number}@x.dev"), "metadata": metadata});
        acme.client().post("/v1/customers/", body).await.expect(201);
    }
    let secret = acme.client().secret();
    // The list has 1.5 MB: it counts as more than 20 requests.
    for (rows, expected) in [(2, 200), (60, 429)] {
        let gateway = gateway(&acme, 20);
        assert_eq!(get(&gateway, &format!("/v1/customers/?limit={rows}"), &secret).await, 200);
        assert_eq!(ping(&gateway, &secret).await, expected, "{rows} rows");
    }
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
