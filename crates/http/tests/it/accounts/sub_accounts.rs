//! `/v2/accounts/{account_id}/sub-accounts`: list, create, update, delete, usage. `suspension.rs` has
//! the tests of suspension.

use insta::assert_snapshot;
use serde_json::{Value, json};

use tenantry_testkit::{Acme, Client, Organization, Response, World};

/// The body of a request that creates a sub-account.
fn new(name: &str) -> Value {
    json!({"name": name, "website": "acme.example.com"})
}

fn of(acme: &Acme) -> String {
    format!("{}/sub-accounts", acme.path_v2())
}

/// The created sub-account as an organization of the test world, so that tokens of it can be created.
fn tenant(made: &Response, parent: &Organization) -> Organization {
    let id = tenantry_core::ids::OrganizationId::new(made.id().parse().unwrap());
    Organization { id, slug: String::new(), owner: parent.owner.clone() }
}

#[tokio::test]
async fn a_new_sub_account() {
    let acme = Acme::new().await;
    let body = json!({"name": " Acme Subsidiary ", "website": " acme.example.com ", "x": 1});
    let made = acme.client().post(&of(&acme), body).await;
    assert_snapshot!(made.transcript(), @r#"
    201
    {
      "object": "sub_account",
      "id": "<id 1>",
      "parent_account_id": "<id 2>",
      "created_at": "<time>",
      "name": "Acme Subsidiary",
      "website": "acme.example.com",
      "status": "active",
      "monthly_credit": 0,
      "domain_count": 0,
      "member_count": 1,
      "last_activity_at": null
    }
    "#);
    assert_eq!(made["parent_account_id"], json!(acme.organization.id));
    let path = format!("{}/{}", of(&acme), made.id());
    assert_eq!(acme.client().get(&path).await.expect(200).body, made.body);
    let log = acme.world.audit(&tenant(&made, &acme.organization)).await;
    let actions: Vec<&str> = log.iter().map(|line| line.action.as_str()).collect();
    assert_eq!(actions, ["organization.created", "team_member.created"]);
}

#[tokio::test]
async fn a_child_is_a_full_organization_in_both_dialects() {
    let acme = Acme::new().await;
    let body =
        json!({"name": "Child & Co", "website": "https://Acme.example", "monthly_credit": 1_000_000_000});
    let made = acme.client().post(&of(&acme), body).await.expect(201);
    assert_eq!(
        (&made["website"], &made["monthly_credit"]),
        (&json!("https://Acme.example"), &json!(1_000_000_000))
    );
    let child = tenant(&made, &acme.organization);
    let client = acme.world.token(&child, "*").await;
    let account = client.get(&format!("/v2/accounts/{}", child.id)).await.expect(200);
    assert_eq!(account["parent_account_id"], json!(acme.organization.id));
    assert_eq!(account["website"], json!("https://Acme.example"));
    assert_eq!(account["owner_id"], acme.client().get(&acme.path_v2()).await["owner_id"]);
    let organization = client.get(&format!("/v1/organizations/{}", child.id)).await.expect(200);
    assert_eq!(organization["website"], json!("https://acme.example/"));
    assert!(organization["slug"].as_str().unwrap().starts_with("child-co-"), "{organization}");
    client.post("/v1/customers", json!({"email": "c@example.com"})).await.expect(201);
    assert_eq!(acme.client().get("/v1/customers").await["pagination"]["total_count"], json!(0));
    let members = format!("/v2/accounts/{}/members", child.id);
    client.post(&members, json!({"email": "d@example.com", "role": "Developer"})).await.expect(201);
    let path = format!("{}/{}", of(&acme), child.id);
    assert_eq!(acme.client().get(&path).await["member_count"], json!(2));
    // The owner of the parent may use the sub-account's own path. A token of the parent may not.
    let owner = acme.world.user(&acme.organization.owner, "*").await;
    owner.get(&format!("/v2/accounts/{}", child.id)).await.expect(200);
    acme.client().get(&format!("/v2/accounts/{}", child.id)).await.expect(401);
    // A website changed in the other dialect is shown in its new form. The text as sent is shown again once it means
    // the same URL.
    let patch = async |website: Value| {
        client.patch(&format!("/v1/organizations/{}", child.id), json!({"website": website})).await
    };
    for (website, shown) in [
        (json!("https://other.example/a"), "https://other.example/a"),
        (json!(null), ""),
        (json!("https://acme.example"), "https://Acme.example"),
    ] {
        patch(website).await.expect(200);
        assert_eq!(acme.client().get(&path).await.expect(200)["website"], json!(shown));
    }
    patch(json!(format!("https://other.example/{}", "a".repeat(400)))).await.expect(200);
    assert_eq!(acme.client().get(&path).await.expect(200)["website"], json!("other.example"));
}

#[tokio::test]
async fn invalid_input_is_refused() {
    let acme = Acme::new().await;
    let path =
        format!("{}/{}", of(&acme), acme.client().post(&of(&acme), new("Child")).await.expect(201).id());
    let before = acme.client().get(&path).await.body;
    for (field, value) in [
        ("name", json!("")),
        ("name", json!("  ")),
        ("name", json!("n".repeat(256))),
        ("name", json!("a\0b")),
        ("name", json!(1)),
        ("website", json!("")),
        ("website", json!("acme")),
        ("website", json!("acme.example.com/x")),
        ("website", json!("ftp://acme.example.com")),
        ("website", json!("https://127.0.0.1")),
        ("website", json!("a b.example.com")),
        ("website", json!(format!("https://acme.example.com/{}", "a".repeat(255)))),
        ("website", json!([])),
        ("monthly_credit", json!(-1)),
        ("monthly_credit", json!(1_000_000_001)),
        ("monthly_credit", json!(1.5)),
        ("monthly_credit", json!("1")),
    ] {
        let mut body = new("Other");
        body[field] = value;
        let place = format!("{field}: ");
        for answer in
            [acme.client().post(&of(&acme), body.clone()).await, acme.client().put(&path, body).await]
        {
            assert!(answer.clone().expect(400).message().starts_with(&place), "{answer}");
        }
    }
    for (missing, body) in [("name", json!({"website": "a.example"})), ("website", json!({"name": "A"}))] {
        assert!(acme.client().post(&of(&acme), body).await.expect(400).message().starts_with(missing));
    }
    for nothing in
        [json!({}), json!({"name": null, "website": null, "monthly_credit": null}), json!({"x": 1})]
    {
        assert!(acme.client().put(&path, nothing).await.expect(400).message().contains("at least one"));
    }
    let same = json!({"name": " Child ", "website": "acme.example.com", "monthly_credit": 0});
    assert!(acme.client().put(&path, same).await.expect(400).message().contains("differ"));
    assert_eq!(acme.client().get(&path).await.body, before);
    assert_eq!(acme.client().get(&of(&acme)).await.each("name"), ["Child"]);
}

#[tokio::test]
async fn each_field_changes_alone() {
    let acme = Acme::new().await;
    let made = acme.client().post(&of(&acme), new("Child")).await.expect(201);
    let path = format!("{}/{}", of(&acme), made.id());
    let mut expected = made.body.clone();
    for (field, sent, kept) in [
        ("name", json!(" Other "), json!("Other")),
        ("website", json!("https://acme.example.com"), json!("https://acme.example.com")),
        ("website", json!("other.example"), json!("other.example")),
        ("monthly_credit", json!(50_000), json!(50_000)),
        ("monthly_credit", json!(0), json!(0)),
    ] {
        let changed = acme.client().put(&path, json!({field: sent})).await.expect(200);
        expected[field] = kept;
        assert_eq!(changed.body, expected);
        assert_eq!(acme.client().get(&path).await.body, expected);
    }
    let log = acme.world.audit(&tenant(&made, &acme.organization)).await;
    assert_eq!(log.iter().filter(|line| line.action == "organization.updated").count(), 5);
}

#[tokio::test]
async fn an_idempotency_key_creates_one_sub_account() {
    let acme = Acme::new().await;
    let keyed = acme.client().key("k");
    let first = keyed.post(&of(&acme), new("Child")).await.expect(201);
    let again = keyed.post(&of(&acme), new("Child")).await.expect(201);
    assert_eq!((&again.text, again.header("idempotent-replayed")), (&first.text, Some("true")));
    keyed.post(&of(&acme), new("Other")).await.expect(422);
    assert_eq!(acme.client().get(&of(&acme)).await.each("name"), ["Child"]);
    for _ in 0..2 {
        acme.client().key("bad").post(&of(&acme), json!({})).await.expect(400);
    }
}

#[tokio::test]
async fn there_is_one_level() {
    let acme = Acme::new().await;
    let made = acme.client().post(&of(&acme), new("Child")).await.expect(201);
    let client = acme.world.token(&tenant(&made, &acme.organization), "*").await;
    let nested = format!("/v2/accounts/{}/sub-accounts", made.id());
    let one_of_them = format!("{nested}/{}", made.id());
    for answer in [
        client.get(&nested).await,
        client.post(&nested, new("Grandchild")).await,
        client.get(&format!("{nested}/usage")).await,
        client.get(&one_of_them).await,
        client.put(&one_of_them, json!({"name": "x"})).await,
        client.delete(&one_of_them).await,
        client.post(&format!("{one_of_them}/suspend"), json!({"reason": "x"})).await,
        client.send("POST", &format!("{one_of_them}/unsuspend"), None, "").await,
    ] {
        assert_eq!(answer.expect(403).message(), "a sub account cannot have sub accounts");
    }
}

#[tokio::test]
async fn deletion_revokes_every_credential() {
    let acme = Acme::new().await;
    let made = acme.client().post(&of(&acme), new("Child")).await.expect(201);
    let (child, path) = (tenant(&made, &acme.organization), format!("{}/{}", of(&acme), made.id()));
    let (client, owner) =
        (acme.world.token(&child, "*").await, acme.world.user(&acme.organization.owner, "*").await);
    let account = format!("/v2/accounts/{}", child.id);
    client.get(&account).await.expect(200);
    owner.get(&account).await.expect(200);
    assert_eq!(acme.client().delete(&path).await.expect(200).body, json!({"message": "sub account deleted"}));
    assert_eq!(client.get(&account).await.expect(401).message(), "invalid API key");
    assert_eq!(client.get("/v1/customers").await.expect(401)["error"], json!("invalid_token"));
    owner.get(&account).await.expect(401);
    assert_eq!(owner.get("/v1/organizations").await.each("slug"), ["acme"]);
    for answer in [
        acme.client().get(&path).await,
        acme.client().put(&path, json!({"name": "x"})).await,
        acme.client().delete(&path).await,
        acme.client().post(&format!("{path}/suspend"), json!({"reason": "x"})).await,
        acme.client().send("POST", &format!("{path}/unsuspend"), None, "").await,
    ] {
        assert_eq!(answer.expect(404).message(), "sub account not found");
    }
    assert_eq!(acme.client().get(&of(&acme)).await.each("name"), Vec::<&str>::new());
    assert_eq!(acme.world.audit(&child).await.last().unwrap().action, "organization.deleted");
    acme.client().post(&of(&acme), new("Child")).await.expect(201);
}

#[tokio::test]
async fn the_list_has_pages() {
    let acme = Acme::new().await;
    for number in 1..=5 {
        acme.client().post(&of(&acme), new(&format!("{number}"))).await.expect(201);
    }
    let list = async |query: &str| acme.client().get(&format!("{}?{query}", of(&acme))).await;
    let first = list("limit=2").await.expect(200);
    assert_eq!((first["object"].as_str(), first.each("name")), (Some("list"), vec!["5", "4"]));
    let cursor = |answer: &Response, name: &str| answer["pagination"][name].as_str().unwrap().to_owned();
    assert_eq!(first["pagination"]["has_more"], json!(true));
    let second = list(&format!("limit=2&after={}", cursor(&first, "next_cursor"))).await.expect(200);
    assert_eq!(second.each("name"), ["3", "2"]);
    let third = list(&format!("limit=2&cursor={}", cursor(&second, "next_cursor"))).await.expect(200);
    assert_eq!((third.each("name"), &third["pagination"]["has_more"]), (vec!["1"], &json!(false)));
    let back = list(&format!("limit=2&before={}", cursor(&third, "previous_cursor"))).await.expect(200);
    assert_eq!(back.each("name"), ["3", "2"]);
    for bad in ["limit=0", "limit=101", "after=nope", "after=a&before=b"] {
        list(bad).await.expect(400);
    }
    // A cursor of another account's list is refused.
    let other = acme.world.organization("other").await;
    let path = format!("/v2/accounts/{}/sub-accounts?after={}", other.id, cursor(&first, "next_cursor"));
    acme.world.token(&other, "*").await.get(&path).await.expect(400);
}

#[tokio::test]
async fn usage_is_of_this_month_and_nothing() {
    let acme = Acme::new().await;
    for name in ["Acme", "Two"] {
        acme.client().post(&of(&acme), new(name)).await.expect(201);
    }
    let listed = acme.client().get(&of(&acme)).await;
    let gone = listed["data"][0]["id"].as_str().unwrap();
    acme.client().delete(&format!("{}/{gone}", of(&acme))).await.expect(200);
    let usage = acme.client().get(&format!("{}/usage", of(&acme))).await;
    assert_snapshot!(usage.transcript(), @r#"
    200
    {
      "billing_period": {
        "start": "<time>",
        "end": "2026-02-01T00:00:00Z"
      },
      "currency": "usd",
      "allocation_method": "proportional",
      "allocation_note": "Tenantry sends no messages, so every figure is 0.",
      "parent": {
        "account_id": "<id 1>",
        "reception_count": 0,
        "allocated_cost": 0.0
      },
      "sub_accounts": [
        {
          "account_id": "<id 2>",
          "name": "Acme",
          "reception_count": 0,
          "allocated_cost": 0.0
        }
      ],
      "removed_sub_accounts": {
        "reception_count": 0,
        "allocated_cost": 0.0
      },
      "total": {
        "reception_count": 0,
        "allocated_cost": 0.0
      }
    }
    "#);
    assert_eq!(usage["billing_period"]["start"], json!("2026-01-01T00:00:00Z"));
}

#[tokio::test]
async fn only_the_parent_and_its_managers_administer_a_sub_account() {
    let world = World::new();
    let (mine, other) = (world.organization("mine").await, world.organization("other").await);
    let (client, stranger) = (world.token(&mine, "*").await, world.token(&other, "*").await);
    let sub_accounts = format!("/v2/accounts/{}/sub-accounts", mine.id);
    let child = client.post(&sub_accounts, new("Child")).await.expect(201).id();
    // Not found: a sub-account of another parent, an unknown id, and the account itself.
    let elsewhere = |id: &str| format!("/v2/accounts/{}/sub-accounts/{id}", other.id);
    for id in [child.as_str(), "0b0f7bb4-6e1c-4c1b-9c56-52bfe2ad9a3e", &other.id.to_string()] {
        assert_eq!(stranger.get(&elsewhere(id)).await.expect(404).message(), "sub account not found");
        stranger.delete(&elsewhere(id)).await.expect(404);
    }
    assert_eq!(
        client.get(&format!("{sub_accounts}/nope")).await.expect(400).message(),
        "invalid sub_account_id"
    );
    // Of the users, only managers of the parent administer its sub-accounts.
    let team = format!("/v2/accounts/{}/members", mine.id);
    for (role, status) in
        [("Administrator", 201), ("Developer", 403), ("Analyst", 403), ("Billing Manager", 403)]
    {
        let email = format!("{}@example.com", role.replace(' ', ""));
        client.post(&team, json!({"email": email, "role": role})).await.expect(201);
        let person = world.user(&email, "*").await;
        person.post(&sub_accounts, new(role)).await.expect(status);
        person.get(&sub_accounts).await.expect(if status == 201 { 200 } else { 403 });
    }
    let owner: Client<'_> = world.user(&mine.owner, "sub-accounts:read").await;
    owner.get(&format!("{sub_accounts}/{child}")).await.expect(200);
    owner.delete(&format!("{sub_accounts}/{child}")).await.expect(403);
}
