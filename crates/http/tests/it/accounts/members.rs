//! `/v2/accounts/{account_id}/members` and its idempotency keys.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use insta::assert_snapshot;
use serde_json::{Value, json};

use tenantry_testkit::{Acme, World};

use crate::support::{BusyWriter, first_of};

fn developer(email: &str) -> Value {
    json!({"email": email, "role": "Developer"})
}

#[tokio::test]
async fn a_member_is_added_listed_and_removed() {
    let acme = Acme::new().await;
    let (client, members) = (acme.client(), format!("{}/members", acme.path_v2()));
    let body =
        json!({"email": "teammate@example.com", "name": "Jordan Lee", "role": "Billing Manager", "x": 1});
    let added = client.post(&members, body).await;
    assert_snapshot!(added.transcript(), @r#"
    201
    {
      "created_at": "<time>",
      "updated_at": "<time>",
      "user_id": "<id 1>",
      "account_id": "<id 2>",
      "role": "Billing Manager"
    }
    "#);
    assert_eq!(added.replayed(), (None, None));
    let list = client.get(&members).await.expect(200);
    assert_eq!(list["object"], json!("list"));
    assert_eq!(
        list.each("role"),
        ["Billing Manager", "Administrator"],
        "newest first, the owner as administrator"
    );
    assert_eq!(list["data"][0], added.body);
    let path = format!("{members}/{}", added["user_id"].as_str().unwrap());
    assert!(!client.delete(&path).await.expect(200).message().is_empty());
    assert_eq!(client.delete(&path).await.expect(404).message(), "member not found");
    assert_eq!(client.get(&members).await.each("role"), ["Administrator"]);
}

#[tokio::test]
async fn the_same_person_in_two_accounts_is_one_user() {
    let world = World::new();
    let mut users = Vec::new();
    for slug in ["first", "second"] {
        let tenant = world.organization(slug).await;
        let members = format!("/v2/accounts/{}/members", tenant.id);
        let email = if slug == "first" { "Jordan@example.com" } else { "jordan@EXAMPLE.com" };
        let added = world.token(&tenant, "*").await.post(&members, developer(email)).await.expect(201);
        users.push(added["user_id"].clone());
    }
    assert_eq!(users[0], users[1]);
}

#[tokio::test]
async fn what_a_new_member_cannot_be() {
    let acme = Acme::new().await;
    let (client, members) = (acme.client(), format!("{}/members", acme.path_v2()));
    for (body, place) in [
        (json!({}), "email: "),
        (json!({"email": "a@example.com"}), "role: "),
        (json!({"email": "nobody", "role": "Developer"}), "email: "),
        (json!({"email": 1, "role": "Developer"}), "email: "),
        (json!({"email": "a@example.com", "role": "Owner"}), "role: "),
        (json!({"email": "a@example.com", "role": "developer"}), "role: "),
        (json!({"email": "a@example.com", "role": "Developer", "name": 1}), "name: "),
        (json!({"email": "a@example.com", "role": "Developer", "name": "a\0b"}), "name: "),
        (json!([]), "invalid request body"),
    ] {
        let answer = client.post(&members, body).await.expect(400);
        assert!(answer.message().starts_with(place), "{answer}");
    }
    client
        .post(&members, json!({"email": "a@example.com", "role": "Developer", "name": ""}))
        .await
        .expect(201);
    let bad = client.delete(&format!("{members}/nope")).await.expect(400);
    assert_eq!(bad.message(), "invalid user_id");
}

#[tokio::test]
async fn neither_the_owner_nor_oneself_can_be_removed() {
    let acme = Acme::new().await;
    let (client, members) = (acme.client(), format!("{}/members", acme.path_v2()));
    let owner = client.get(&members).await["data"][0]["user_id"].as_str().unwrap().to_owned();
    assert!(client.delete(&format!("{members}/{owner}")).await.expect(403).message().contains("owner"));
    client.post(&members, json!({"email": "admin@example.com", "role": "Administrator"})).await.expect(201);
    let admin = acme.world.user("admin@example.com", "*").await;
    let refused = admin.delete(&format!("{members}/{}", admin.actor())).await.expect(403);
    assert!(refused.message().contains("yourself"));
}

#[tokio::test]
async fn a_key_has_one_effect_and_one_answer() {
    let acme = Acme::new().await;
    let (client, members) = (acme.client(), format!("{}/members", acme.path_v2()));
    let keyed = client.key("k");
    let first = keyed.post(&members, developer("a@example.com")).await.expect(201);
    assert_eq!(first.replayed(), (None, None));
    let again = keyed.post(&members, developer("a@example.com")).await.expect(201);
    assert_eq!((&again.text, again.replayed()), (&first.text, (Some("true"), None)));
    assert_eq!(again.header("content-type"), first.header("content-type"));
    assert_eq!(client.get(&members).await.each("role").len(), 2);
    for other in [developer("b@example.com").to_string(), developer("a@example.com").to_string() + " "] {
        let other = keyed.raw("POST", &members, other).await.expect(422);
        assert_eq!(other.replayed(), (None, None));
        assert_eq!(other.message(), "idempotency key was already used with a different request payload");
    }
    let another = client.key("l").post(&members, developer("a@example.com")).await.expect(409);
    assert_eq!(another.replayed(), (None, None), "a duplicate, told by the account");
    let another = client.key("l").post(&members, developer("a@example.com")).await.expect(409);
    assert_eq!(another.replayed(), (Some("true"), None), "the same, told again");
    assert_eq!(client.post(&members, developer("a@example.com")).await.expect(409).replayed(), (None, None));
}

#[tokio::test]
async fn a_body_that_is_invalid_leaves_its_key_free() {
    let acme = Acme::new().await;
    let (keyed, members) = (acme.client().key("k"), format!("{}/members", acme.path_v2()));
    for body in ["{\"email\": \"nobody\"}", "{", ""] {
        let first = keyed.raw("POST", &members, body).await.expect(400);
        let again = keyed.raw("POST", &members, body).await.expect(400);
        assert_eq!((first.replayed(), again.replayed()), ((None, None), (None, None)));
        assert_eq!(first.text, again.text);
    }
    let corrected = keyed.post(&members, developer("a@example.com")).await.expect(201);
    assert_eq!(corrected.replayed(), (None, None));
}

#[tokio::test]
async fn which_keys_there_are() {
    let acme = Acme::new().await;
    let members = format!("{}/members", acme.path_v2());
    let longest = acme.client().key(&"k".repeat(255));
    longest.post(&members, developer("a@example.com")).await.expect(201);
    assert_eq!(
        longest.post(&members, developer("a@example.com")).await.expect(201).replayed().0,
        Some("true")
    );
    let long =
        acme.client().key(&"k".repeat(256)).post(&members, developer("b@example.com")).await.expect(400);
    assert!(long.message().contains("255"));
    for _ in 0..2 {
        let binary =
            acme.client().with("idempotency-key", [0xff]).post(&members, developer("b@example.com")).await;
        assert_eq!(binary.expect(400).replayed(), (None, None));
    }
    for blank in ["", "  "] {
        let blank = acme.client().key(blank).post(&members, developer("b@example.com")).await.expect(400);
        assert!(blank.message().starts_with("Idempotency-Key is empty"), "{blank}");
    }
}

#[tokio::test]
async fn a_key_belongs_to_its_account_and_only_additions_look_at_it() {
    let world = World::new();
    for slug in ["first", "second"] {
        let tenant = world.organization(slug).await;
        let client = world.token(&tenant, "*").await.key("same");
        let account = format!("/v2/accounts/{}", tenant.id);
        let added = client.post(&format!("{account}/members"), developer("a@example.com")).await.expect(201);
        assert_eq!(added.replayed().0, None);
        client.put(&account, json!({"name": "one"})).await.expect(200);
        assert_eq!(client.put(&account, json!({"name": "two"})).await.expect(200)["name"], json!("two"));
        let path = format!("{account}/members/{}", added["user_id"].as_str().unwrap());
        client.delete(&path).await.expect(200);
        client.delete(&path).await.expect(404);
    }
}

#[tokio::test]
async fn who_may_not_ask_claims_nothing() {
    let acme = Acme::new().await;
    let members = format!("{}/members", acme.path_v2());
    let reader = acme.world.token(&acme.organization, "accounts:members:read").await.key("k");
    reader.post(&members, developer("a@example.com")).await.expect(403);
    acme.world.anonymous().key("k").post(&members, developer("a@example.com")).await.expect(401);
    let first = acme.client().key("k").post(&members, developer("b@example.com")).await.expect(201);
    assert_eq!(first.replayed().0, None);
}

#[tokio::test]
async fn a_key_in_use_is_refused_at_once() {
    let acme = Acme::new().await;
    let (keyed, members) = (acme.client().key("k"), format!("{}/members", acme.path_v2()));
    let (release, held) = channel();
    let (busy, (first, second, other)) = tokio::join!(
        biased;
        acme.world.app.write(BusyWriter(acme.organization.id, Mutex::new(held))),
        async {
            // The first of the two requests waits for the writer. The other one is refused, because the key is in
            // use.
            let both = [(); 2].map(|()| Box::pin(keyed.post(&members, developer("a@example.com"))));
            let (second, first) = first_of(both).await;
            let other = keyed.post(&members, developer("b@example.com")).await;
            release.send(()).unwrap();
            (first.await, second, other)
        },
    );
    busy.unwrap();
    first.expect(201);
    let (flag, retry_after) = second.replayed();
    assert_eq!((second.status, flag), (409, Some("false")), "{second}");
    assert!(retry_after.unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(second.message(), "A request with this idempotency key is already in progress");
    assert_eq!(other.expect(422).replayed(), (None, None));
    assert_eq!(keyed.post(&members, developer("a@example.com")).await.expect(201).replayed().0, Some("true"));
}

#[tokio::test]
async fn a_token_without_every_scope_makes_no_administrator() {
    let acme = Acme::new().await;
    let members = format!("{}/members", acme.path_v2());
    let weak = acme.world.token(&acme.organization, "accounts:members:add organizations:write").await;
    let admin = json!({"email": "admin@example.com", "role": "Administrator"});
    weak.post(&members, admin.clone()).await.expect(403);
    let developer =
        weak.post(&members, json!({"email": "dev@example.com", "role": "Developer"})).await.expect(201);
    let polar = format!(
        "/v1/organizations/{}/members/{}",
        acme.organization.id,
        developer["user_id"].as_str().unwrap()
    );
    weak.patch(&polar, json!({"role": "admin"})).await.expect(403);
    acme.client().post(&members, admin).await.expect(201);
}

#[tokio::test]
async fn a_token_without_every_scope_ends_no_administrator_and_so_no_token_of_theirs() {
    let acme = Acme::new().await;
    let members = format!("{}/members", acme.path_v2());
    let admin = json!({"email": "admin@example.com", "role": "Administrator"});
    let admin = acme.client().post(&members, admin).await.expect(201)["user_id"].as_str().unwrap().to_owned();
    let scopes = "accounts:members:remove accounts:members:read organizations:write organizations:read";
    let weak = acme.world.token(&acme.organization, scopes).await;
    let polar = format!("/v1/organizations/{}/members/{admin}", acme.organization.id);
    weak.patch(&polar, json!({"role": "member"})).await.expect(403);
    weak.delete(&polar).await.expect(403);
    weak.delete(&format!("{members}/{admin}")).await.expect(403);
    acme.client().patch(&polar, json!({"role": "member"})).await.expect(200);
    weak.delete(&format!("{members}/{admin}")).await.expect(200);
}
