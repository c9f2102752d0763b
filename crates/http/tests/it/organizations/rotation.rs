//! New secrets for tokens of both dialects, and the revocation of a secret by itself.

use std::sync::Arc;

use serde_json::{Value, json};
use tenantry_app::Requester;
use tenantry_app::access_tokens::AccessTokenRotate;
use tenantry_app::tokens::{RotatedToken, TokenRotate};
use tenantry_core::ids::TokenId;
use tenantry_core::token::Overlap;
use tenantry_testkit::{Acme, Client, World};
use tokio::task::JoinSet;

const DAY_S: i64 = 24 * 60 * 60;

/// A new token of `/v1` with some scopes: its id and secret.
async fn token(client: &Client<'_>, scopes: &[&str]) -> (String, String) {
    let body = json!({"comment": "x", "scopes": scopes});
    let made = client.post("/v1/organization-access-tokens", body).await.expect(201);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["organization_access_token"]["id"]), text(&made["token"]))
}

fn rotate_path(id: &str) -> String {
    format!("/v1/organization-access-tokens/{id}/rotate")
}

async fn works(world: &World, secret: &str) -> bool {
    match world.bearer(secret).get("/v2/ping").await.status {
        200 => true,
        401 => false,
        other => panic!("{other}"),
    }
}

async fn revoke(world: &World, secret: &str) {
    world.anonymous().post("/v1/tokens/revoke", json!({"token": secret})).await.expect(200);
}

#[tokio::test]
async fn the_old_secret_works_for_the_overlap() {
    let acme = Acme::new().await;
    let world = &acme.world;
    let (id, old) = token(&acme.client(), &["customers:read"]).await;
    let rotated = acme.client().key("k").post(&rotate_path(&id), json!({})).await.expect(200).body;
    let new = rotated["token"].as_str().unwrap().to_owned();
    assert!(new.starts_with("tenantry_oat_") && new != old);
    let shown = &rotated["organization_access_token"];
    assert_eq!((shown["id"].as_str(), shown["scopes"].clone()), (Some(&*id), json!(["customers:read"])));
    // A repetition shows the same secret, and makes no other one.
    let again = acme.client().key("k").post(&rotate_path(&id), json!({})).await.expect(200);
    assert_eq!(again.body, rotated);
    assert!(works(world, &old).await && works(world, &new).await);
    world.app.store_token_uses().await.unwrap();
    let listed = acme.client().get("/v1/organization-access-tokens").await.expect(200).body;
    let item = listed["items"].as_array().unwrap().iter().find(|item| item["id"] == json!(id)).unwrap();
    let previous = &item["previous_secret"];
    assert!(previous["last_used_at"].is_string() && item["last_used_at"].is_string(), "{item}");
    assert_eq!(previous["expires_at"], shown["previous_secret"]["expires_at"]);
    let key = format!("{}/api-keys/{id}", acme.path_v2());
    assert_eq!(acme.client().get(&key).await.expect(200)["previous_secret"], *previous);

    world.advance_s(DAY_S - 1);
    assert!(works(world, &old).await);
    world.advance_s(1);
    assert!(!works(world, &old).await && works(world, &new).await);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn the_overlap_is_the_callers_choice() {
    let acme = Acme::new().await;
    let world = &acme.world;
    let (id, first) = token(&acme.client(), &[]).await;
    let rotate = async |body: Value| acme.client().post(&rotate_path(&id), body).await;
    let secret = |body: Value| body["token"].as_str().unwrap().to_owned();
    let second = secret(rotate(json!({"overlap_seconds": 60})).await.expect(200).body);
    // Another rotation ends the oldest secret at once.
    let third = secret(rotate(json!({"overlap_seconds": 2_592_000})).await.expect(200).body);
    assert!(!works(world, &first).await && works(world, &second).await && works(world, &third).await);
    let last = rotate(json!({"overlap_seconds": 0})).await.expect(200).body;
    assert_eq!(last["organization_access_token"].get("previous_secret"), None);
    assert!(!works(world, &second).await && !works(world, &third).await && works(world, &secret(last)).await);
    for wrong in [json!(-1), json!(2_592_001), json!("60"), json!(1.5)] {
        rotate(json!({"overlap_seconds": wrong})).await.expect(422);
    }
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn keys_of_the_other_dialect_and_of_sub_accounts_are_rotated() {
    let acme = Acme::new().await;
    let world = &acme.world;
    let child = world.sub_account(&acme.organization, "Child").await;
    for keys in
        [format!("{}/api-keys", acme.path_v2()), format!("{}/sub-accounts/{child}/api-keys", acme.path_v2())]
    {
        let body = json!({"label": "x", "scopes": ["api-keys:write"], "ip_allow_list": []});
        let made = acme.client().post(&keys, body).await.expect(201);
        let (id, old) = (made.id(), made["secret_key"].as_str().unwrap().to_owned());
        let path = format!("{keys}/{id}/rotate");
        let rotated = acme.client().post(&path, json!({"overlap_seconds": 60})).await.expect(200);
        let new = rotated["secret_key"].as_str().unwrap();
        assert!(new.starts_with("aha-sk-") && works(world, new).await && works(world, &old).await);
        world.advance_s(60);
        assert!(works(world, new).await && !works(world, &old).await);
        acme.client().post(&path, json!({"overlap_seconds": -1})).await.expect(400);
        acme.client().post(&format!("{keys}/{child}/rotate"), json!({})).await.expect(404);
    }
}

#[tokio::test]
async fn a_rotation_gives_nobody_more_than_they_hold() {
    let acme = Acme::new().await;
    let world = &acme.world;
    let (id, _) = token(&acme.client(), &["customers:write"]).await;
    let weak = world.token(&acme.organization, "organization_access_tokens:write").await;
    weak.post(&rotate_path(&id), json!({})).await.expect(403);
    let stranger = world.token(&world.organization("other").await, "*").await;
    stranger.post(&rotate_path(&id), json!({})).await.expect(404);
    let keys = format!("{}/api-keys", acme.path_v2());
    let listed = json!({"label": "listed", "scopes": ["*"], "ip_allow_list": ["203.0.113.0/24"]});
    let listed = acme.client().post(&keys, listed).await.expect(201);
    let listed = world.bearer(listed["secret_key"].as_str().unwrap()).at("203.0.113.1");
    listed.post(&rotate_path(&id), json!({})).await.expect(403);
    let short = json!({"comment": "x", "scopes": [], "expires_in": 60});
    let short = acme.client().post("/v1/organization-access-tokens", short).await.expect(201);
    world.advance_s(60);
    let short = short["organization_access_token"]["id"].as_str().unwrap();
    let refused = acme.client().post(&rotate_path(short), json!({})).await.expect(409);
    assert_eq!(refused["error"], "TokenExpired");
}

/// The previous secret may be the one that leaked, so nothing that it makes outlives it, and it takes no token over.
#[tokio::test]
async fn a_previous_secret_leaves_nothing_behind() {
    let acme = Acme::new().await;
    let world = &acme.world;
    let (id, old) = token(&acme.client(), &["*"]).await;
    let rotated = acme.client().post(&rotate_path(&id), json!({"overlap_seconds": 60})).await.expect(200);
    let new = rotated["token"].as_str().unwrap();
    let path = "/v1/organization-access-tokens";
    let (previous, current) = (world.bearer(&old), world.bearer(new));
    let end = &rotated["organization_access_token"]["previous_secret"]["expires_at"];
    let made = previous.post(path, json!({"comment": "x", "scopes": []})).await.expect(201);
    assert_eq!(made["organization_access_token"]["expires_at"], *end);
    let longer = json!({"comment": "x", "scopes": [], "expires_in": 61});
    previous.post(path, longer.clone()).await.expect(403);
    current.post(path, longer).await.expect(201);
    let keys = format!("{}/api-keys", acme.path_v2());
    let key = json!({"label": "x", "scopes": ["api-keys:read"], "ip_allow_list": []});
    let key = previous.post(&keys, key).await.expect(201);
    for overlap_seconds in [0, 60] {
        previous.post(&rotate_path(&id), json!({"overlap_seconds": overlap_seconds})).await.expect(403);
    }
    let admin = json!({"email": "eve@example.com", "role": "admin"});
    previous.post(&format!("{}/members", acme.path_v1()), admin).await.expect(403);
    let customer = current.post("/v1/customers", json!({"email": "ada@x.dev"})).await.expect(201).id();
    let begun = previous.post("/v1/customer-sessions", json!({"customer_id": customer})).await.expect(201);
    let session = begun["token"].as_str().unwrap();
    let me = "/v1/customer-portal/customers/me";
    world.bearer(session).get(me).await.expect(200);
    world.advance_s(60);
    world.bearer(session).get(me).await.expect(401);
    for ended in [&made["token"], &key["secret_key"], &json!(old)] {
        assert!(!works(world, ended.as_str().unwrap()).await, "{ended}");
    }
    assert!(works(world, new).await);
}

/// Otherwise a person could keep access after leaving the team.
#[tokio::test]
async fn a_token_ends_with_the_rights_of_the_person_who_rotated_it() {
    let acme = Acme::new().await;
    let world = &acme.world;
    let members = format!("{}/members", acme.path_v1());
    let admin = json!({"email": "ada@example.com", "role": "admin"});
    let admin = acme.client().post(&members, admin).await.expect(201)["user_id"].clone();
    let ada = world.user("ada@example.com", "*").await;
    let (id, _) = token(&acme.client(), &[]).await;
    let rotated = ada.post(&rotate_path(&id), json!({"overlap_seconds": 0})).await.expect(200);
    let secret = rotated["token"].as_str().unwrap();
    assert!(works(world, secret).await);
    acme.client().delete(&format!("{members}/{}", admin.as_str().unwrap())).await.expect(204);
    assert!(!works(world, secret).await);
}

#[tokio::test]
async fn a_secret_revokes_itself() {
    let acme = Acme::new().await;
    let world = &acme.world;
    let (id, leaked) = token(&acme.client(), &["customers:read"]).await;
    let before = world.audit(&acme.organization).await.len();
    revoke(world, &leaked).await;
    assert!(!works(world, &leaked).await);
    let entry = world.audit(&acme.organization).await[before].clone();
    assert_eq!((entry.action.as_str(), entry.actor_kind.as_str()), ("access_token.deleted", "access_token"));
    assert_eq!(entry.subject.to_string(), id);
    // An unknown, mistyped or ended secret gets the same response and changes nothing.
    for other in [leaked.as_str(), "nothing", "", "tenantry_oat_0000000000000000000000000000000000000000000"]
    {
        revoke(world, other).await;
    }
    assert_eq!(world.audit(&acme.organization).await.len(), before + 1);
    // As a form, as RFC 7009 has it.
    let (_, leaked) = token(&acme.client(), &[]).await;
    let form = format!("token={leaked}&token_type_hint=access_token");
    let anonymous = world.anonymous();
    let form_type = Some("application/x-www-form-urlencoded");
    anonymous.send("POST", "/v1/tokens/revoke", form_type, form).await.expect(200);
    assert!(!works(world, &leaked).await);
    for body in [json!({}), json!({"token": 1}), json!([])] {
        world.anonymous().post("/v1/tokens/revoke", body).await.expect(422);
    }
    let person = world.user(&acme.organization.owner, "*").await.secret();
    revoke(world, &person).await;
    assert!(!works(world, &person).await);
    acme.create_team("crew").await;
    let session = acme.owner_session("crew").await;
    let me = "/v1/customer-portal/customers/me";
    world.bearer(&session).get(me).await.expect(200);
    revoke(world, &session).await;
    world.bearer(&session).get(me).await.expect(401);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_previous_secret_revokes_itself_alone() {
    let acme = Acme::new().await;
    let world = &acme.world;
    let (id, old) = token(&acme.client(), &[]).await;
    let rotated = acme.client().post(&rotate_path(&id), json!({})).await.expect(200);
    revoke(world, &old).await;
    assert!(!works(world, &old).await && works(world, rotated["token"].as_str().unwrap()).await);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn expiring_tokens_are_listed() {
    let acme = Acme::new().await;
    for (comment, expires_in) in
        [("short", json!(DAY_S)), ("long", json!(90 * DAY_S)), ("endless", json!(null))]
    {
        let body = json!({"comment": comment, "scopes": [], "expires_in": expires_in});
        acme.client().post("/v1/organization-access-tokens", body).await.expect(201);
    }
    let until = acme.world.app.now().plus_seconds(30 * DAY_S);
    let list = async |query: &str| {
        let listed = acme.client().get(&format!("/v1/organization-access-tokens?{query}")).await.expect(200);
        let items = listed["items"].as_array().unwrap().iter();
        items.map(|item| item["comment"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list(&format!("expires_before={until}")).await, ["short"]);
    assert_eq!(list("sorting=comment").await.len(), 4);
    let wrong = acme.client().get("/v1/organization-access-tokens?expires_before=soon").await;
    wrong.assert_violations(&["datetime_parsing query.expires_before"]);
}

#[tokio::test]
async fn the_operator_rotates_the_token_of_a_user() {
    let acme = Acme::new().await;
    let world = &acme.world;
    let person = world.user(&acme.organization.owner, "*").await.secret();
    let mut ids = Vec::new();
    world.app.each_user_token(|token, _| ids.push(token.id)).await.unwrap();
    let rotate = TokenRotate {
        by: Requester::operator(),
        id: ids[0].uuid(),
        overlap: Overlap::default(),
        hash_key: world.app.hash_key().clone(),
    };
    let RotatedToken::User(issued) = world.app.write(rotate).await.unwrap() else {
        panic!("a token of a user")
    };
    assert!(works(world, &person).await && works(world, issued.secret.expose()).await);
    world.advance_s(DAY_S);
    assert!(!works(world, &person).await && works(world, issued.secret.expose()).await);
    world.app.store_token_uses().await.unwrap();
    let mut used = Vec::new();
    world.app.each_user_token(|token, _| used.push(token)).await.unwrap();
    assert!(used[0].last_used_at > used[0].previous_secret.unwrap().last_used_at);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_rotations_leave_two_secrets() {
    let acme = Acme::new().await;
    let world = &acme.world;
    let (id, first) = token(&acme.client(), &[]).await;
    let caller = world.app.authenticate(&acme.client().secret()).await.unwrap();
    let mut running = JoinSet::new();
    for _ in 0..16 {
        let app = Arc::clone(&world.app);
        let rotate = AccessTokenRotate {
            by: Requester::caller(&caller, None),
            id: TokenId::new(id.parse().unwrap()),
            overlap: Overlap::default(),
            hash_key: app.hash_key().clone(),
        };
        running.spawn(async move { app.write(rotate).await.unwrap().secret.expose().to_owned() });
    }
    let mut alive = 0;
    for secret in running.join_all().await {
        alive += u32::from(works(world, &secret).await);
    }
    assert_eq!((alive, works(world, &first).await), (2, false));
    assert_eq!(world.findings().await, [""; 0]);
}
