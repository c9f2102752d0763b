//! The audit log: a change appends one entry for each changed row, in its own transaction. A no-op appends none.

use std::num::NonZeroU32;

use serde_json::{Value, json};
use tenantry_app::Retention;
use tenantry_store::AuditRecord;

use tenantry_testkit::{Acme, Client, Response, Settings, World};

/// Sends a request and compares its audit entries, as action and row, with `expected`.
async fn writes(
    acme: &Acme,
    by: &Client<'_>,
    request: impl AsyncFnOnce() -> Response,
    expected: &[&str],
) -> Response {
    let before = acme.world.audit(&acme.organization).await.len();
    let answer = request().await;
    let log = acme.world.audit(&acme.organization).await;
    let mut actions: Vec<&str> = log[before..].iter().map(|line| line.action.as_str()).collect();
    let (mut expected, times) = (expected.to_vec(), log[before..].iter().map(|line| line.at));
    actions.sort_unstable();
    expected.sort_unstable();
    assert_eq!(actions, expected, "{answer}");
    let times: Vec<_> = times.collect();
    assert!(times.windows(2).all(|pair| pair[0] == pair[1]), "one transaction has one time");
    for line in &log[before..] {
        assert_eq!(line.request_id.as_deref(), Some(answer.request_id()));
        assert_eq!(line.actor, Some(by.actor()));
    }
    let mut rows: Vec<_> = log[before..].iter().map(|line| (line.action.as_str(), line.subject)).collect();
    rows.sort_unstable();
    assert!(rows.windows(2).all(|pair| pair[0] != pair[1]), "one entry a row");
    if let (Some(modified), Some(at)) =
        (answer.body.get("modified_at").and_then(Value::as_str), times.first())
    {
        assert_eq!(modified, at.to_string(), "the entry is of the change's own time");
    }
    answer
}

#[tokio::test]
async fn customers_and_members() {
    let acme = Acme::new().await;
    let client = acme.world.token(&acme.organization, "*").await;
    let json = async |method: &str, path: &str, body: Value, expected: &[&str]| {
        writes(&acme, &client, async || client.json(method, path, &body).await, expected).await
    };
    let born: &[&str] = &["customer.created", "member.created"];
    let team =
        json("POST", "/v1/customers", json!({"type": "team", "email": "t@example.com"}), born).await.id();
    let solo = json("POST", "/v1/customers", json!({"email": "s@example.com"}), born).await.id();
    json("POST", "/v1/customers", json!({"email": "s@example.com"}), &[]).await.expect(422);
    let (team, solo) = (format!("/v1/customers/{team}"), format!("/v1/customers/{solo}"));
    json("PATCH", &team, json!({"name": "T"}), &["customer.updated"]).await.expect(200);
    json("PATCH", &team, json!({"name": " T "}), &[]).await.expect(200);
    json("PATCH", &team, json!({}), &[]).await.expect(200);
    json("PATCH", &solo, json!({"email": "new@example.com"}), &["customer.updated", "member.updated"]).await;
    let members = format!("{team}/members");
    let new = json!({"email": "m@example.com", "external_id": "m"});
    let member = json("POST", &members, new.clone(), &["member.created"]).await.id();
    json("POST", &members, new, &[]).await.expect(201);
    let taken = json!({"email": "n@example.com", "external_id": "m"});
    json("POST", &members, taken, &[]).await.expect(422);
    let path = format!("{members}/{member}");
    json("PATCH", &path, json!({"role": "member"}), &[]).await.expect(200);
    json("PATCH", &path, json!({"role": "owner"}), &["member.updated", "member.updated"]).await.expect(200);
    json("PATCH", &path, json!({"role": "member"}), &[]).await.expect(422);
    writes(&acme, &client, async || client.delete(&path).await, &[]).await.expect(422);
    let former =
        client.get("/v1/members?role=billing_manager").await["items"][0]["id"].as_str().unwrap().to_owned();
    let former = format!("{members}/{former}");
    writes(&acme, &client, async || client.delete(&former).await, &["member.deleted"]).await.expect(204);
    writes(&acme, &client, async || client.delete(&former).await, &[]).await.expect(404);
    let all = &["customer.deleted", "member.deleted"];
    writes(&acme, &client, async || client.delete(&team).await, all).await.expect(204);
    for path in ["/v1/customers", "/v1/members", &acme.path_v1(), &acme.path_v2()] {
        writes(&acme, &client, async || client.get(path).await, &[]).await.expect(200);
    }
}

#[tokio::test]
async fn organizations_accounts_and_teams() {
    let acme = Acme::new().await;
    let client = acme.world.token(&acme.organization, "*").await;
    let json = async |method: &str, path: &str, body: Value, expected: &[&str]| {
        writes(&acme, &client, async || client.json(method, path, &body).await, expected).await
    };
    let (organization, account) = (acme.path_v1(), acme.path_v2());
    let updated: &[&str] = &["organization.updated"];
    let unchanged = json("PATCH", &organization, json!({}), &[]).await.expect(200);
    assert_eq!(unchanged["modified_at"], Value::Null, "the first empty update changes nothing");
    let unchanged = json("PUT", &account, json!({}), &[]).await.expect(200);
    assert_eq!(unchanged["updated_at"], unchanged["created_at"]);
    json("PATCH", &organization, json!({"name": "Acme"}), updated).await.expect(200);
    json("PATCH", &organization, json!({"name": "Acme", "email": null}), &[]).await.expect(200);
    json("PATCH", &organization, json!({"sso_enforced": true, "name": "x y z"}), &[]).await.expect(403);
    json("PUT", &account, json!({"about": "x"}), updated).await.expect(200);
    json("PUT", &account, json!({"about": "x"}), &[]).await.expect(200);
    json("PUT", &account, json!({"about": 1}), &[]).await.expect(400);
    let members = format!("{account}/members");
    let new = json!({"email": "a@example.com", "role": "Developer"});
    let new_person: &[&str] = &["team_member.created", "user.created"];
    let added = json("POST", &members, new.clone(), new_person).await.expect(201);
    json("POST", &members, new.clone(), &[]).await.expect(409);
    let keyed = client.key("k");
    let other = json!({"email": "b@example.com", "role": "Analyst"});
    writes(&acme, &client, async || keyed.post(&members, other.clone()).await, new_person).await;
    writes(&acme, &client, async || keyed.post(&members, other).await, &[]).await.expect(201);
    writes(&acme, &client, async || keyed.post(&members, new).await, &[]).await.expect(422);
    let path = format!("{members}/{}", added["user_id"].as_str().unwrap());
    writes(&acme, &client, async || client.delete(&path).await, &["team_member.deleted"]).await.expect(200);
    writes(&acme, &client, async || client.delete(&path).await, &[]).await.expect(404);
}

#[tokio::test]
async fn the_actor_of_a_users_change_is_the_user() {
    let acme = Acme::new().await;
    let owner = acme.world.user(&acme.organization.owner, "*").await;
    let rename = async || owner.patch(&acme.path_v1(), json!({"name": "Acme"})).await;
    writes(&acme, &owner, rename, &["organization.updated"]).await.expect(200);
    assert_eq!(acme.world.audit(&acme.organization).await.last().unwrap().actor_kind, "user");
}

#[tokio::test]
async fn the_log_of_an_organization_shows_that_its_owner_was_created() {
    let acme = Acme::new().await;
    let log = acme.world.audit(&acme.organization).await;
    let of = |action: &str| log.iter().find(|entry| entry.action == action).map(|entry| entry.subject);
    assert_eq!(of("user.created"), of("team_member.created"));
    assert!(of("user.created").is_some());
}

#[tokio::test]
async fn an_entry_keeps_the_length_and_hash_of_a_long_field() {
    let acme = Acme::new().await;
    let customer = acme.create_team("crew").await;
    let path = format!("/v1/customers/{customer}");
    for letter in ["a", "b"] {
        let metadata: Value = (0..50).map(|key| (key.to_string(), json!(letter.repeat(500)))).collect();
        acme.client().patch(&path, json!({"metadata": metadata})).await.expect(200);
    }
    let images = acme.world.database().texts("SELECT before FROM audit_entries WHERE before IS NOT NULL");
    let image: Value = serde_json::from_str(images.iter().max_by_key(|image| image.len()).unwrap()).unwrap();
    assert_eq!(image["metadata"]["bytes"], 50 * 500 + 50 * "\"\":\"\",".len() + 90 + 1);
    assert_eq!(image["metadata"]["sha256"].as_str().unwrap().len(), 64);
    acme.client().patch(&path, json!({"name": "N".repeat(200)})).await.expect(200);
    let images = acme.world.database().texts("SELECT after FROM audit_entries WHERE after LIKE '%NNN%'");
    assert_eq!(images.len(), 1, "a field of usual length is kept");
    acme.client().delete(&format!("{path}?anonymize=true")).await.expect(204);
    assert!(!acme.world.database().holds("NNN"));
}

#[tokio::test]
async fn old_audit_entries_are_deleted_where_the_operator_says_so() {
    let retention = Retention { audit_days: NonZeroU32::new(30), ..Retention::default() };
    let acme = Acme::within(World::with(Settings { retention, ..Settings::default() })).await;
    let customer = acme.create_team("crew").await;
    let rename = async |name: &str| {
        acme.client().patch(&format!("/v1/customers/{customer}"), json!({"name": name})).await.expect(200)
    };
    for number in 0..600 {
        rename(&format!("Name {number}")).await;
    }
    acme.world.advance_s(31 * 24 * 60 * 60);
    rename("New name").await;
    let before = acme.world.audit(&acme.organization).await;
    acme.world.app.sweep().await.unwrap();
    let after = acme.world.audit(&acme.organization).await;
    let is_kept = |entry: &&AuditRecord| entry.action.ends_with(".created");
    let without_images = |entry: &AuditRecord| AuditRecord {
        before: None,
        after: None,
        client_address: None,
        user_agent: None,
        ..entry.clone()
    };
    let mut kept: Vec<_> = before.iter().filter(is_kept).map(without_images).collect();
    kept.extend(before.last().cloned());
    assert_eq!(after, kept);
    let images = "SELECT action FROM audit_entries WHERE before IS NOT NULL OR after IS NOT NULL";
    assert_eq!(acme.world.database().texts(images), ["customer.updated"]);
    assert_eq!(acme.world.findings().await, [""; 0]);
}

#[tokio::test]
async fn audit_entries_are_kept_by_default() {
    let acme = Acme::new().await;
    acme.create_team("crew").await;
    let before = acme.world.audit(&acme.organization).await;
    acme.world.advance_s(10 * 365 * 24 * 60 * 60);
    acme.world.app.sweep().await.unwrap();
    assert_eq!(acme.world.audit(&acme.organization).await, before);
}
