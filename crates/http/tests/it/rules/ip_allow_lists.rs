//! API keys with an IP allow list: both dialects check the address before anything else.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use tenantry_core::mail::MailContent;
use tenantry_core::values::IpAllowList;
use tenantry_http::{Config, Gateway, Rate, Rates};

use tenantry_testkit::{Acme, portal_session};

const NOT_HERE: &str = "this API key may not be used from this IP address";

#[tokio::test]
async fn a_key_is_refused_from_other_networks_before_anything_else() {
    let acme = Acme::new().await;
    let body =
        json!({"label": "office", "scopes": ["*"], "ip_allow_list": ["203.0.113.0/24", "2001:db8::/32"]});
    let made = acme.client().post(&acme.api_keys(), body).await.expect(201);
    let key = acme.world.bearer(made["secret_key"].as_str().unwrap());
    for inside in ["203.0.113.5", "::ffff:203.0.113.5", "2001:db8:1::1"] {
        key.at(inside).get("/v2/ping").await.expect(200);
        key.at(inside).get("/v1/organizations").await.expect(200);
    }
    for outside in ["203.0.114.5", "::ffff:203.0.114.5", "::203.0.113.5", "2001:db9::1", "127.0.0.1"] {
        let key = key.at(outside);
        assert_eq!(key.get("/v2/ping").await.expect(403).message(), NOT_HERE, "{outside}");
        assert_eq!(key.get(&acme.path_v2()).await.expect(403).message(), NOT_HERE);
        let refused = key.get("/v1/organizations").await.expect(403);
        assert_eq!(refused["error"], json!("NotPermitted"));
        // The address is checked before the path, the scopes, the body and the idempotency key.
        assert_eq!(key.get("/v2/accounts/nope").await.expect(403).message(), NOT_HERE);
        assert_eq!(key.raw("POST", &acme.api_keys(), "{").await.expect(403).message(), NOT_HERE);
        let keyed = key.key("k").raw("POST", &acme.api_keys(), "{").await.expect(403);
        assert_eq!((keyed.message(), keyed.header("idempotent-replayed")), (NOT_HERE, None));
    }
    let first =
        key.at("203.0.113.5").key("k").post(&acme.api_keys(), json!({"label": "x", "scopes": ["*"]})).await;
    assert_eq!(first.expect(201).header("idempotent-replayed"), None, "nothing was claimed");
}

#[tokio::test]
async fn a_key_does_not_lock_its_own_caller_out() {
    let acme = Acme::new().await;
    let (id, key) = acme.create_api_key(&["api-keys:write", "api-keys:read"]).await;
    let path = format!("{}/{id}", acme.api_keys());
    let elsewhere = json!({"label": "moved", "ip_allow_list": ["203.0.113.0/24"]});
    let refused = key.key("k").put(&path, elsewhere.clone()).await.expect(409);
    assert_eq!(refused.message(), "ip_allow_list does not cover the address that this request comes from");
    assert_eq!((refused.header("idempotent-replayed"), refused.header("retry-after")), (None, None));
    let kept = key.get(&path).await.expect(200);
    assert_eq!((&kept["label"], &kept["ip_allow_list"]), (&json!("key"), &json!([])), "nothing was saved");
    key.put(&path, json!({"ip_allow_list": ["127.0.0.0/8"]})).await.expect(200);
    key.put(&path, json!({"ip_allow_list": []})).await.expect(403);
    acme.client().put(&path, json!({"ip_allow_list": []})).await.expect(200);
    // The rule applies only to a key that changes itself: not to another key, and not to a list that a person sets.
    let (other, _) = acme.create_api_key(&["api-keys:read"]).await;
    key.put(&format!("{}/{other}", acme.api_keys()), elsewhere.clone()).await.expect(200);
    let owner = acme.world.user(&acme.organization.owner, "*").await;
    owner.put(&path, elsewhere).await.expect(200);
    key.get(&path).await.expect(403);
    key.at("203.0.113.9").get(&path).await.expect(200);
}

#[tokio::test]
async fn an_ipv4_caller_is_the_same_through_a_dual_stack_socket() {
    let acme = Acme::new().await;
    let (id, key) = acme.create_api_key(&["api-keys:write"]).await;
    let path = format!("{}/{id}", acme.api_keys());
    let mapped = key.at("::ffff:192.0.2.7");
    let listed = mapped.put(&path, json!({"ip_allow_list": ["::ffff:192.0.2.7/128"]})).await.expect(200);
    assert_eq!(listed["ip_allow_list"], json!(["192.0.2.7/32"]));
    mapped.get("/v2/ping").await.expect(200);
    key.at("192.0.2.7").get("/v2/ping").await.expect(200);
    key.at("192.0.2.8").get("/v2/ping").await.expect(403);
}

#[tokio::test]
async fn the_other_dialect_keeps_the_list() {
    let acme = Acme::new().await;
    let (id, key) = acme.create_api_key(&["organization_access_tokens:write"]).await;
    let path = format!("{}/{id}", acme.api_keys());
    acme.client().put(&path, json!({"ip_allow_list": ["203.0.113.1"]})).await.expect(200);
    let token = format!("/v1/organization-access-tokens/{id}");
    acme.client().patch(&token, json!({"comment": "renamed"})).await.expect(200);
    let shown = acme.client().get(&path).await.expect(200);
    assert_eq!((&shown["label"], &shown["ip_allow_list"]), (&json!("renamed"), &json!(["203.0.113.1/32"])));
    key.patch(&token, json!({"comment": "again"})).await.expect(403);
    key.at("203.0.113.1").patch(&token, json!({"comment": "again"})).await.expect(200);
}

#[tokio::test]
async fn a_caller_gives_no_scope_to_a_key_of_other_networks() {
    let acme = Acme::new().await;
    let (weak, _) = acme.create_api_key(&["customers:read"]).await;
    let (id, key) = acme.create_api_key(&["*"]).await;
    let restricted = key.at("203.0.113.1");
    let here = json!({"ip_allow_list": ["203.0.113.1"]});
    acme.client().put(&format!("{}/{id}", acme.api_keys()), here.clone()).await.expect(200);
    let path = format!("{}/{weak}", acme.api_keys());
    restricted.put(&path, json!({"scopes": ["*"]})).await.expect(403);
    let token = format!("/v1/organization-access-tokens/{weak}");
    restricted.patch(&token, json!({"scopes": ["customers:read", "customers:write"]})).await.expect(403);
    restricted.put(&path, json!({"label": "renamed"})).await.expect(200);
    restricted.put(&path, here).await.expect(200);
    restricted.put(&path, json!({"scopes": ["*"]})).await.expect(200);
}

#[tokio::test]
async fn a_session_does_not_inherit_the_list_of_its_creator() {
    let acme = Acme::new().await;
    acme.create_team("team").await;
    let (id, key) = acme.create_api_key(&["*"]).await;
    acme.client()
        .put(&format!("{}/{id}", acme.api_keys()), json!({"ip_allow_list": ["203.0.113.1"]}))
        .await
        .expect(200);
    let customer = acme.client().get("/v1/customers/external/team").await.expect(200).id();
    let members = acme.client().get(&format!("/v1/members?customer_id={customer}")).await.expect(200);
    let owner = json!({"customer_id": customer, "member_id": members["items"][0]["id"]});
    let portal_caller = portal_session(&key.at("203.0.113.1"), &owner).await;
    acme.world.bearer(&portal_caller).get("/v1/customer-portal/customers/me").await.expect(200);
}

/// Takes all pending mails about allow lists, each as `recipient organization label`, sorted.
async fn told(acme: &Acme) -> Vec<String> {
    let mut told = Vec::new();
    loop {
        let taken = acme.world.app.lease_mails(None).await.unwrap();
        if taken.is_empty() {
            told.sort();
            return told;
        }
        for mail in taken {
            acme.world.app.delete_mail(&mail).await.unwrap();
            if let MailContent::ApiKeyAllowList { organization, label } = &mail.content {
                told.push(format!("{} {organization} {label}", mail.to));
            }
        }
    }
}

#[tokio::test]
async fn a_list_that_changes_all_the_time_does_not_fill_the_outbox() {
    let acme = Acme::new().await;
    let (id, _) = acme.create_api_key(&["accounts:read"]).await;
    let path = format!("{}/{id}", acme.api_keys());
    let change = async |last: u8| {
        let list = json!({"ip_allow_list": [format!("203.0.113.{last}")]});
        acme.client().put(&path, list).await.expect(200);
    };
    for last in 0..120 {
        change(last).await;
    }
    assert_eq!(told(&acme).await.len(), 10, "as many notices a day as one recipient gets");
    change(200).await;
    assert_eq!(told(&acme).await.len(), 0);
}

#[tokio::test]
async fn invitations_that_wait_keep_back_no_notice() {
    let acme = Acme::new().await;
    let (id, _) = acme.create_api_key(&["accounts:read"]).await;
    for round in 0..2 {
        let items: Vec<_> = (0..100).map(|n| json!({"email": format!("p{round}.{n}@example.com")})).collect();
        let path = format!("{}/invitations/bulk", acme.path_v1());
        acme.client().post(&path, json!({"items": items})).await.expect(200);
    }
    let list = json!({"ip_allow_list": ["203.0.113.1"]});
    acme.client().put(&format!("{}/{id}", acme.api_keys()), list).await.expect(200);
    assert_eq!(told(&acme).await.len(), 1);
}

#[tokio::test]
async fn administrators_get_a_mail_about_a_changed_list() {
    let acme = Acme::new().await;
    let members = format!("{}/members", acme.path_v2());
    for (email, role) in [("admin@example.com", "Administrator"), ("dev@example.com", "Developer")] {
        acme.client().post(&members, json!({"email": email, "role": role})).await.expect(201);
    }
    let (id, _) = acme.create_api_key(&["accounts:read"]).await;
    let path = format!("{}/{id}", acme.api_keys());
    let told = async || told(&acme).await;
    let both = ["admin@example.com acme key".to_owned(), format!("{} acme key", acme.organization.owner)];
    assert_eq!(told().await, [""; 0], "of a key without a list");
    acme.client().put(&path, json!({"ip_allow_list": ["203.0.113.1"]})).await.expect(200);
    assert_eq!(told().await, both);
    acme.client().put(&path, json!({"label": "key 2"})).await.expect(200);
    acme.client().put(&path, json!({"label": "key", "ip_allow_list": ["203.0.113.1"]})).await.expect(200);
    assert_eq!(told().await, [""; 0], "when the list stays");
    acme.client().put(&path, json!({"ip_allow_list": []})).await.expect(200);
    assert_eq!(told().await, both);
    let listed = json!({"label": "key", "scopes": ["accounts:read"], "ip_allow_list": ["::1"]});
    acme.client().post(&acme.api_keys(), listed).await.expect(201);
    assert_eq!(told().await, both);
}

#[tokio::test]
async fn refused_addresses_do_not_use_the_accounts_rate() {
    let acme = Acme::new().await;
    let body = json!({"label": "office", "scopes": ["*"], "ip_allow_list": ["203.0.113.0/24"]});
    let made = acme.client().post(&acme.api_keys(), body).await.expect(201);
    let once = NonZeroU32::MIN;
    let rate = Rate { per_second: once, burst: once.saturating_add(1) };
    let rates = Some(Rates { known: rate, unknown: rate });
    let gateway = Gateway::new(Arc::clone(&acme.world.app), Config { rates, ..Config::default() });
    let ask = async |peer: &str| {
        let bearer = format!("Bearer {}", made["secret_key"].as_str().unwrap());
        let request = Request::get("/v2/ping").header("authorization", bearer);
        let answer = gateway.answer(request.body(Body::empty()).unwrap(), peer.parse().unwrap()).await;
        (answer.status().as_u16(), answer.headers()["ratelimit"].to_str().unwrap().to_owned())
    };
    let mut elsewhere = Vec::new();
    for _ in 0..4 {
        elsewhere.push(ask("198.51.100.1").await.0);
    }
    assert_eq!(elsewhere[..2], [403, 403]);
    assert!(elsewhere.contains(&429), "an address that guesses is slowed down: {elsewhere:?}");
    let inside = ask("203.0.113.1").await;
    assert_eq!((inside.0, &inside.1[..12]), (200, "\"known\";r=1;"));
}

#[tokio::test]
async fn only_a_trusted_proxy_says_where_a_request_comes_from() {
    let acme = Acme::new().await;
    let body = json!({"label": "office", "scopes": ["*"], "ip_allow_list": ["203.0.113.0/24"]});
    let made = acme.client().post(&acme.api_keys(), body).await.expect(201);
    let trusted_proxies = IpAllowList::parse(["10.0.0.0/8"]).unwrap();
    let config = Config { trusted_proxies, ..Config::default() };
    let gateway = Gateway::new(Arc::clone(&acme.world.app), config);
    let ask = async |peer: &str, forwarded: &str| {
        let bearer = format!("Bearer {}", made["secret_key"].as_str().unwrap());
        let request = Request::get("/v2/ping").header("authorization", bearer);
        let request = request.header("x-forwarded-for", forwarded).body(Body::empty()).unwrap();
        gateway.answer(request, peer.parse().unwrap()).await.status().as_u16()
    };
    assert_eq!(ask("10.0.0.1", "203.0.113.5").await, 200);
    assert_eq!(ask("10.0.0.1", "::ffff:203.0.113.5").await, 200);
    assert_eq!(ask("10.0.0.1", "198.51.100.1").await, 403);
    assert_eq!(ask("198.51.100.1", "203.0.113.5").await, 403);
    assert_eq!(ask("203.0.113.5", "198.51.100.1").await, 200);
}
