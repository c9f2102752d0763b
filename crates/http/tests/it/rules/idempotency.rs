//! `Idempotency-Key`: every POST of both dialects, the owner of a key, and responses that contain a secret.
//! `accounts/members.rs` tests the states of one key in `/v2`.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use serde_json::{Value, json};

use crate::rules::authorization::{Estate, Served, Whose, estate, served};
use tenantry_testkit::{Acme, Client, Response, World};

use crate::support::{BusyWriter, first_of};

/// The headers of a replayed response.
const AGAIN: (Option<&str>, Option<&str>) = (Some("true"), None);
/// The headers of a response that is no replay.
const FRESH: (Option<&str>, Option<&str>) = (None, None);

async fn posts(world: &World) -> Vec<Served> {
    let all = served(world).await;
    all.into_iter().filter(|operation| operation.method == "POST" && !operation.is_public()).collect()
}

/// A slug for the estate of one operation and one kind of caller.
fn slug(operation: &Served, whose: Whose) -> String {
    format!("{}-{whose:?}", operation.id.replace([':', '_'], "-")).to_lowercase()
}

/// All stored rows, except those of idempotency keys.
fn effects(world: &World) -> Vec<String> {
    world.database().rows().into_iter().filter(|row| !row.starts_with("idempotency_records")).collect()
}

#[tokio::test]
async fn every_post_has_one_effect_and_one_answer_for_its_key() {
    let world = World::new();
    let operations = posts(&world).await;
    assert!(operations.len() >= 14, "{}", operations.len());
    for operation in &operations {
        for (whose, scopes) in &operation.open {
            let estate = estate(&world, &slug(operation, *whose)).await;
            let client = estate.client(&world, *whose, &scopes[0], operation).await;
            let before = effects(&world);
            let first = estate.send(&client.key("once"), *whose, operation).await;
            assert!(first.status < 300 && first.replayed() == FRESH, "{}: {first}", operation.id);
            // These have no effect here: the event is pending already, the sub-account is not suspended, nothing is
            // deleted, and the person is the owner already.
            let idle = [
                "webhooks:redeliver_webhook_event",
                "unsuspendSubAccount",
                "organizations:undelete",
                "customers:restore",
                "organizations:accept_transfer",
            ];
            let happens = !idle.contains(&operation.id.as_str());
            assert_eq!(before != effects(&world), happens, "{}", operation.id);
            world.app.sweep().await.unwrap();
            let after = world.database().rows();
            let again = estate.send(&client.key("once"), *whose, operation).await;
            assert_eq!((again.status, &again.text), (first.status, &first.text), "{}", operation.id);
            assert_eq!(again.replayed(), AGAIN, "{}: {again}", operation.id);
            assert_eq!(again.header("content-type"), first.header("content-type"));
            // The repeated upload of a file is stored until the sweep.
            world.app.sweep().await.unwrap();
            assert_eq!(world.database().rows(), after, "{}: it happened again", operation.id);
            // An invitation is sent again a minute later.
            world.advance_s(60);
            let unnamed = estate.send(&client, *whose, operation).await;
            assert_eq!(unnamed.replayed(), FRESH, "{}: no key, no replay", operation.id);
        }
    }
}

#[tokio::test]
async fn every_post_leaves_its_key_free_when_the_input_is_invalid() {
    let world = World::new();
    for operation in &posts(&world).await {
        for (whose, scopes) in &operation.open {
            let estate = estate(&world, &slug(operation, *whose)).await;
            let client = estate.client(&world, *whose, &scopes[0], operation).await.key("invalid");
            let send = async || client.raw("POST", &wrong_path(&estate, operation), "[").await;
            for refused in [send().await, send().await] {
                assert!((400..500).contains(&refused.status), "{}: {refused}", operation.id);
                assert_eq!(refused.replayed(), FRESH, "{}: {refused}", operation.id);
            }
            let corrected = estate.send(&client, *whose, operation).await;
            assert!(corrected.status < 300, "{}: {corrected}", operation.id);
            assert_eq!(corrected.replayed(), FRESH, "{}: {corrected}", operation.id);
        }
    }
}

/// A path that an operation without a body refuses.
fn wrong_path(estate: &Estate, operation: &Served) -> String {
    match operation.id.as_str() {
        "webhooks:redeliver_webhook_event" => "/v1/webhooks/events/nothing/redeliver".to_owned(),
        "webhooks:test_webhook_endpoint" => "/v1/webhooks/endpoints/nothing/test".to_owned(),
        "unsuspendSubAccount" => estate.path(operation).replace("/unsuspend", "nothing/unsuspend"),
        "organizations:undelete" => "/v1/organizations/nothing/undelete".to_owned(),
        "customers:restore" => "/v1/customers/nothing/restore".to_owned(),
        "organizations:accept_transfer" => "/v1/organizations/nothing/transfer/accept".to_owned(),
        _ => estate.path(operation),
    }
}

#[tokio::test]
async fn every_post_documents_its_key() {
    let world = World::new();
    for document in ["/v1/openapi.json", "/v2/openapi.json"] {
        let document = world.anonymous().get(document).await.expect(200);
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let takes_key = method == "post" && operation["security"] != json!([]);
                let parameters = operation["parameters"].as_array().unwrap();
                let named = parameters.iter().filter(|parameter| parameter["name"] == "Idempotency-Key");
                assert_eq!(named.count(), usize::from(takes_key), "{method} {path}");
                let responses = &operation["responses"];
                assert_eq!(responses["409"]["headers"]["Retry-After"].is_object(), takes_key, "{path}");
            }
        }
    }
}

fn member(email: &str) -> Value {
    json!({"email": email})
}

#[tokio::test]
async fn the_states_of_a_key_in_the_polar_dialect() {
    let acme = Acme::new().await;
    let team = acme.create_team("team").await;
    let (client, members) = (acme.client(), format!("/v1/customers/{team}/members"));
    let first = client.key("k").post(&members, member("a@example.com")).await.expect(201);
    let again = client.key("k").post(&format!("{members}/"), member("a@example.com")).await.expect(201);
    assert_eq!((&again.text, again.replayed()), (&first.text, AGAIN), "a slash at the end means nothing");
    let shout = members.replace(&team, &team.to_uppercase());
    assert_eq!(client.key("k").post(&shout, member("a@example.com")).await.expect(201).replayed(), AGAIN);
    let by_external = "/v1/customers/external/team/members";
    for (path, body) in [(members.as_str(), member("b@example.com")), (by_external, member("a@example.com"))]
    {
        let other = client.key("k").post(path, body).await;
        assert_eq!((other.violations(), other.replayed()), (used(), FRESH));
    }
    let taken = || json!({"email": "c@example.com", "external_id": "x"});
    client.post(&members, taken()).await.expect(201);
    let taken = json!({"email": "d@example.com", "external_id": "x"});
    let refused = client.key("l").post(&members, taken.clone()).await.expect(422);
    let again = client.key("l").post(&members, taken).await.expect(422);
    assert_eq!((refused.replayed(), again.replayed(), &again.text), (FRESH, AGAIN, &refused.text));
    assert!(acme.world.database().traces(&refused.text), "a refusal by a rule about the data is stored");
    assert_eq!(refused["detail"][0]["input"], Value::Null, "a stored refusal repeats no input: {refused}");
    acme.world.advance_s(24 * 60 * 60);
    let later = client.key("k").post(&members, member("e@example.com")).await.expect(201);
    assert_eq!(later.replayed(), FRESH, "a day later the key is free");
}

fn used() -> Vec<String> {
    vec!["idempotency_key_reused header.Idempotency-Key".to_owned()]
}

#[tokio::test]
async fn a_merchants_own_ids_differ_by_case() {
    let acme = Acme::new().await;
    for (name, email) in [("team", "low@example.com"), ("TEAM", "high@example.com")] {
        let body = json!({"type": "team", "email": email, "external_id": name});
        acme.client().post("/v1/customers", body).await.expect(201);
    }
    let path = |name| format!("/v1/customers/external/{name}/members");
    let keyed = acme.client().key("k");
    keyed.post(&path("team"), member("a@example.com")).await.expect(201);
    assert_eq!(keyed.post(&path("TEAM"), member("a@example.com")).await.violations(), used());
}

#[tokio::test]
async fn a_malformed_key_is_refused_with_the_reason() {
    let acme = Acme::new().await;
    let (v1, v2) = ("/v1/customers".to_owned(), format!("{}/members", acme.path_v2()));
    let twice = acme.client().key("a").key("b");
    let long = acme.client().key(&"k".repeat(256));
    let binary = acme.client().with("idempotency-key", [0xff]);
    let (empty, blank) = (acme.client().key(""), acme.client().key(" \t"));
    for client in [twice, long, binary, empty, blank] {
        for path in [&v1, &v2] {
            let refused = client.post(path, member("a@example.com")).await.expect(400);
            assert_eq!(refused.replayed(), FRESH);
            assert!(refused.text.contains("Idempotency-Key"), "{refused}");
        }
    }
    let longest = acme.client().key(&"k".repeat(255));
    longest.post(&v1, member("c@example.com")).await.expect(201);
    assert_eq!(longest.post(&v1, member("c@example.com")).await.expect(201).replayed(), AGAIN);
}

#[tokio::test]
async fn a_key_in_use_is_refused_in_the_polar_dialect() {
    let acme = Acme::new().await;
    let keyed = acme.client().key("k");
    let (release, held) = channel();
    let (busy, (first, second)) = tokio::join!(
        biased;
        acme.world.app.write(BusyWriter(acme.organization.id, Mutex::new(held))),
        async {
            // The first of the two waits for the writer. The second is refused because the key is in use.
            let both = [(); 2].map(|()| Box::pin(keyed.post("/v1/customers", member("a@example.com"))));
            let (second, first) = first_of(both).await;
            // Neither a malformed body nor another payload waits.
            let malformed = keyed.raw("POST", "/v1/customers", "[").await.expect(422);
            let other = keyed.post("/v1/customers", member("b@example.com")).await;
            release.send(()).unwrap();
            assert_eq!((malformed.replayed(), other.violations()), (FRESH, used()));
            (first.await, second)
        },
    );
    busy.unwrap();
    first.expect(201);
    assert_eq!((second.status, &second["error"]), (409, &json!("IdempotencyConflict")));
    let (flag, wait) = second.replayed();
    assert_eq!(flag, Some("false"));
    assert!(wait.unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(keyed.post("/v1/customers", member("a@example.com")).await.expect(201).replayed(), AGAIN);
}

#[tokio::test]
async fn keys_of_organizations_people_and_members_are_separate() {
    let acme = Acme::new().await;
    acme.create_team("team").await;
    let portal = acme.world.bearer(&acme.owner_session("team").await).key("k");
    let (first, other) =
        (acme.client().key("k"), acme.world.token(&acme.organization, "customers:write").await.key("k"));
    let person = acme.world.user(&acme.organization.owner, "*").await.key("k");
    let elsewhere = acme.world.organization("elsewhere").await;
    let elsewhere = acme.world.token(&elsewhere, "*").await.key("k");
    let body = member("a@example.com");
    let made = first.post("/v1/customers", body.clone()).await.expect(201);
    let shared = other.post("/v1/customers", body.clone()).await.expect(201);
    assert_eq!((&shared.text, shared.replayed()), (&made.text, AGAIN), "tokens of one account share keys");
    // A person has keys of their own. The 422 is no replay: a person must name the organization.
    assert_eq!(person.post("/v1/customers", body.clone()).await.expect(422).replayed(), FRESH);
    assert_eq!(elsewhere.post("/v1/customers", body.clone()).await.expect(201).replayed(), FRESH);
    let members = "/v1/customer-portal/members";
    let added = portal.post(members, body.clone()).await.expect(201);
    assert_eq!(added.replayed(), FRESH);
    assert_eq!(portal.post(members, body.clone()).await.expect(201).replayed(), AGAIN);
    // In `/v2` all callers share the keys of an account.
    let joined = json!({"email": "b@example.com", "role": "Analyst"});
    let path = format!("{}/members", acme.path_v2());
    let client = |client: &Client<'_>| acme.world.bearer(&client.secret()).key("v2");
    assert_eq!(client(&other).post(&path, joined.clone()).await.expect(403).replayed(), FRESH);
    assert_eq!(client(&first).post(&path, joined.clone()).await.expect(201).replayed(), FRESH);
    assert_eq!(client(&person).post(&path, joined).await.expect(201).replayed(), AGAIN);
}

/// A client of a new administrator of the organization, and the path of the administrator's membership.
async fn administrator<'a>(acme: &'a Acme, email: &str) -> (Client<'a>, String) {
    let body = json!({"email": email, "role": "admin"});
    let path = format!("{}/members", acme.path_v1());
    let joined = acme.client().post(&path, body).await.expect(201);
    let path = format!("{path}/{}", joined["user_id"].as_str().unwrap());
    (acme.world.user(email, "*").await, path)
}

#[tokio::test]
async fn a_caller_that_lost_the_permission_gets_no_replay() {
    let acme = Acme::new().await;
    let team = acme.create_team("team").await;
    let (admin, path) = administrator(&acme, "admin@example.com").await;
    let (person, keyed) = (admin.key("k"), admin.key("v2"));
    let members = format!("/v1/customers/{team}/members");
    person.post(&members, member("a@example.com")).await.expect(201);
    let added = format!("{}/members", acme.path_v2());
    let joined = json!({"email": "b@example.com", "role": "Analyst"});
    keyed.post(&added, joined.clone()).await.expect(201);
    let taken = json!({"email": "b@example.com", "role": "Developer"});
    let told = admin.key("taken");
    told.post(&added, taken.clone()).await.expect(409);
    assert_eq!(told.post(&added, taken.clone()).await.expect(409).replayed(), AGAIN);
    let nobody = admin.key("nobody");
    let nowhere = json!({"customer_id": acme.organization.id, "email": "a@example.com"});
    for replayed in [FRESH, AGAIN] {
        let answer = nobody.post("/v1/members", nowhere.clone()).await.expect(404);
        assert_eq!(answer.replayed(), replayed, "what was not there may be said again");
    }
    // A role that permits neither operation.
    acme.client().patch(&path, json!({"role": "finance"})).await.expect(200);
    let refused = person.post(&members, member("a@example.com")).await.expect(403);
    assert_eq!((refused.replayed(), &refused["error"]), (FRESH, &json!("NotPermitted")));
    assert_eq!(keyed.post(&added, joined.clone()).await.expect(403).replayed(), FRESH);
    assert_eq!(told.post(&added, taken).await.expect(403).replayed(), FRESH, "a refusal tells something too");
    // With the permission, the replay is possible again.
    acme.client().patch(&path, json!({"role": "admin"})).await.expect(200);
    assert_eq!(person.post(&members, member("a@example.com")).await.expect(201).replayed(), AGAIN);
    // Removed from the team.
    acme.client().delete(&path).await.expect(204);
    let gone = person.post(&members, member("a@example.com")).await.expect(404);
    assert_eq!(gone.replayed(), FRESH);
    keyed.post(&added, joined).await.expect(401);
}

#[tokio::test]
async fn missing_permission_is_not_stored_for_the_key() {
    let acme = Acme::new().await;
    let team = acme.create_team("team").await;
    let (person, path) = administrator(&acme, "admin@example.com").await;
    let person = person.key("k");
    let members = format!("/v1/customers/{team}/members");
    acme.client().patch(&path, json!({"role": "finance"})).await.expect(200);
    for _ in 0..2 {
        assert_eq!(person.post(&members, member("a@example.com")).await.expect(403).replayed(), FRESH);
    }
    acme.client().patch(&path, json!({"role": "admin"})).await.expect(200);
    assert_eq!(person.post(&members, member("a@example.com")).await.expect(201).replayed(), FRESH);
}

#[tokio::test]
async fn a_portal_member_that_lost_the_role_gets_no_replay() {
    let acme = Acme::new().await;
    let team = acme.create_team("team").await;
    let owner = acme.world.bearer(&acme.owner_session("team").await).key("k");
    let body = member("a@example.com");
    owner.post("/v1/customer-portal/members", body.clone()).await.expect(201);
    let heir = acme.create_member(&team, "heir").await;
    let client = acme.client();
    client.patch(&format!("/v1/members/{heir}"), json!({"role": "owner"})).await.expect(200);
    let former = client.get(&format!("/v1/members?customer_id={team}&role=billing_manager")).await;
    let former = former["items"][0]["id"].as_str().unwrap().to_owned();
    client.patch(&format!("/v1/members/{former}"), json!({"role": "member"})).await.expect(200);
    let refused = owner.post("/v1/customer-portal/members", body).await.expect(403);
    assert_eq!(refused.replayed(), FRESH);
}

/// Requests a new token with this idempotency key.
async fn token(client: &Client<'_>, key: &str) -> Response {
    let body = json!({"comment": "c", "scopes": ["customers:read"]});
    client.key(key).post("/v1/organization-access-tokens", body).await
}

#[tokio::test]
async fn a_secret_is_shown_again_for_five_minutes_and_never_after() {
    let acme = Acme::new().await;
    let client = acme.client();
    let first = token(&client, "k").await.expect(201);
    let secret = first["token"].as_str().unwrap().to_owned();
    let again = token(&client, "k").await.expect(201);
    assert_eq!((&again.text, again.replayed()), (&first.text, AGAIN));
    assert!(!acme.world.database().traces(&secret), "a secret stands in the database");
    acme.world.advance_s(5 * 60 - 10);
    assert_eq!(token(&client, "k").await.expect(201).text, first.text);
    acme.world.advance_s(10);
    let rows = |world: &World| {
        world.database().rows().into_iter().filter(|row| row.starts_with("access_tokens")).count()
    };
    let tokens = rows(&acme.world);
    for _ in 0..3 {
        // In the first round the sweep has not run yet.
        let gone = token(&client, "k").await.expect(409);
        assert_eq!((gone.replayed(), &gone["error"]), (FRESH, &json!("IdempotencyResponseExpired")));
        acme.world.app.sweep().await.unwrap();
    }
    let other = json!({"comment": "other", "scopes": []});
    let other = client.key("k").post("/v1/organization-access-tokens", other).await;
    assert_eq!(other.violations(), used());
    assert_eq!(rows(&acme.world), tokens, "no second secret");
    acme.world.advance_s(24 * 60 * 60);
    assert_eq!(token(&client, "k").await.expect(201).replayed(), FRESH);
}

#[tokio::test]
async fn an_answer_without_a_secret_is_kept_as_it_is() {
    // `traces` finds a text that is stored in clear.
    let acme = Acme::new().await;
    let body = json!({"email": "plain@example.com", "name": "Somebody Unusual"});
    let made = acme.client().key("k").post("/v1/customers", body).await.expect(201);
    assert!(acme.world.database().traces(&made.text));
}

#[tokio::test]
async fn every_secret_is_sealed() {
    let acme = Acme::new().await;
    let team = acme.create_team("team").await;
    let client = acme.client();
    let owner =
        client.get(&format!("/v1/members?customer_id={team}&role=owner")).await["items"][0]["id"].clone();
    let session = json!({"customer_id": team, "member_id": owner});
    let session = client.key("a").post("/v1/customer-sessions", session).await.expect(201);
    let endpoint = json!({"url": "https://hooks.example.com", "format": "raw", "events": []});
    let endpoint = client.key("b").post("/v1/webhooks/endpoints", endpoint).await.expect(201);
    for secret in [&session["token"], &endpoint["secret"]] {
        assert!(!acme.world.database().traces(secret.as_str().unwrap()), "{secret}");
    }
}

#[tokio::test]
async fn a_refused_secret_can_be_asked_for_again() {
    let acme = Acme::new().await;
    let team = acme.create_team("team").await;
    let client = acme.client().key("k");
    let body = json!({"customer_id": team, "external_member_id": "m"});
    for _ in 0..2 {
        assert_eq!(client.post("/v1/customer-sessions", body.clone()).await.expect(422).replayed(), FRESH);
    }
    acme.create_member(&team, "m").await;
    assert_eq!(client.post("/v1/customer-sessions", body.clone()).await.expect(201).replayed(), FRESH);
    assert_eq!(client.post("/v1/customer-sessions", body).await.expect(201).replayed(), AGAIN);
}

#[tokio::test]
async fn a_secret_is_not_shown_to_a_token_that_could_not_have_made_it() {
    let acme = Acme::new().await;
    let strong = acme.client().key("k");
    let weak = acme.world.token(&acme.organization, "organization_access_tokens:write").await.key("k");
    let body = json!({"comment": "c", "scopes": ["customers:write"]});
    let path = "/v1/organization-access-tokens";
    let first = strong.post(path, body.clone()).await.expect(201);
    let refused = weak.post(path, body.clone()).await.expect(409);
    assert_eq!((&refused["error"], refused.replayed()), (&json!("IdempotencyKeyOfOtherToken"), FRESH));
    assert_eq!(strong.post(path, body).await.expect(201).text, first.text);
}

#[tokio::test]
async fn a_secret_is_shown_again_to_the_token_that_made_it_alone() {
    let acme = Acme::new().await;
    let (strong, path) = (acme.client().key("k"), acme.api_keys());
    let restricted = json!({"label": "r", "scopes": ["*"], "ip_allow_list": ["127.0.0.1"]});
    let restricted = acme.client().post(&path, restricted).await.expect(201);
    let restricted = acme.world.bearer(restricted["secret_key"].as_str().unwrap()).key("k");
    let brief = acme.world.token(&acme.organization, "*").await.key("k");
    let person = acme.world.user(&acme.organization.owner, "*").await.key("k");
    let body = json!({"label": "k", "scopes": ["api-keys:write"]});
    let first = strong.post(&path, body.clone()).await.expect(201);
    for other in [&restricted, &brief, &person] {
        let refused = other.post(&path, body.clone()).await.expect(409);
        assert!(refused.replayed() == FRESH && refused.message().contains("send a new key"), "{refused}");
        assert!(!refused.text.contains(first["secret_key"].as_str().unwrap()));
    }
    let different = json!({"label": "other", "scopes": ["api-keys:write"]});
    restricted.post(&path, different).await.expect(422);
    assert_eq!(strong.post(&path, body).await.expect(201).replayed(), AGAIN);
}

#[tokio::test]
async fn the_key_of_an_anonymous_request_is_ignored() {
    let world = World::new();
    let path = "/v1/customer-portal/customers/me/email-update/verify";
    for key in ["k".to_owned(), "k".repeat(300)] {
        for _ in 0..2 {
            let refused =
                world.anonymous().key(&key).post(path, json!({"token": "nothing"})).await.expect(401);
            assert_eq!(refused.replayed(), FRESH);
        }
    }
}

#[tokio::test]
async fn a_key_belongs_to_the_ids_of_the_path_in_any_spelling() {
    let acme = Acme::new().await;
    let id = acme.organization.id.uuid();
    let body = json!({"label": "key", "scopes": ["customers:read"]});
    let path = |account: &str| format!("/v2/accounts/{account}/api-keys");
    let first = acme.client().key("spelled").post(&path(&id.to_string()), body.clone()).await.expect(201);
    let escaped = id.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    for spelled in [id.simple().to_string(), id.to_string().to_uppercase(), escaped] {
        let again = acme.client().key("spelled").post(&path(&spelled), body.clone()).await.expect(201);
        assert_eq!(
            (again.id(), again.header("idempotent-replayed")),
            (first.id(), Some("true")),
            "{spelled}"
        );
    }
}

#[tokio::test]
async fn a_tab_is_no_character_of_a_key() {
    let acme = Acme::new().await;
    for (client, path) in [(acme.client(), "/v1/customers".to_owned()), (acme.client(), acme.api_keys())] {
        client.key("a\tb").post(&path, json!({})).await.expect(400);
    }
}
