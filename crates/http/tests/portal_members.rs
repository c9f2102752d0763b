//! `/v1/customer-portal/members` (docs/contracts/polar/portal.md, 8.6, and docs/contracts/polar/cases.md, 11.4).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod portal_support;

use portal_support::{Tenant, World, both, conforms, seats_only};
use serde_json::{Value, json};

const MEMBERS: &str = "/v1/customer-portal/members";

/// A team with an owner, a billing manager and a member, and a session of each.
struct Team<'w> {
    world: &'w World,
    owner: (String, String),
    manager: (String, String),
    member: (String, String),
}

impl<'w> Team<'w> {
    async fn new(tenant: &Tenant<'w>) -> Self {
        let customer = tenant.team("team@x.dev").await;
        let owner = tenant.owner(&customer).await;
        let manager = tenant.member(&customer, "manager@x.dev", "billing_manager").await;
        let member = tenant.member(&customer, "member@x.dev", "member").await;
        let mut sessions = Vec::new();
        for id in [&owner, &manager, &member] {
            sessions.push(tenant.member_session(&customer, id).await);
        }
        let [a, b, c] = <[String; 3]>::try_from(sessions).unwrap();
        Self { world: tenant.world, owner: (owner, a), manager: (manager, b), member: (member, c) }
    }

    async fn roles(&self) -> Vec<(String, String)> {
        let list = self.world.get(MEMBERS, &self.owner.1).await;
        let list = if list.status == 200 { list } else { self.world.get(MEMBERS, &self.manager.1).await };
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let items = list.expect(200)["items"].as_array().unwrap().clone();
        items.iter().map(|item| (text(&item["email"]), text(&item["role"]))).collect()
    }
}

fn at(id: &str) -> String {
    format!("{MEMBERS}/{id}")
}

#[tokio::test]
async fn only_a_manager_of_a_team_comes_in() {
    let world = World::new();
    let acme = world.tenant("acme", both()).await;
    let team = Team::new(&acme).await;
    let one = acme.individual("ada@x.dev").await;
    let one = acme.session(json!({"customer_id": one["id"]})).await;
    let seats = world.tenant("seats", seats_only()).await;
    let customer = seats.team("team@x.dev").await;
    let customer = seats.session(json!({"customer_id": customer["id"]})).await;
    // Before anything that was sent is looked at: all of it is nonsense here.
    for (method, path) in [
        ("GET", format!("{MEMBERS}?page=x")),
        ("POST", MEMBERS.into()),
        ("PATCH", at("x")),
        ("DELETE", at("x")),
    ] {
        let ask = |token: &str| {
            let (path, token) = (path.clone(), token.to_owned());
            let world = &world;
            async move { world.call(method, &path, &token, (method != "GET").then(|| json!({}))).await }
        };
        ask("").await.fails(401, "Unauthorized");
        ask(&customer).await.fails(401, "Unauthorized");
        ask(&acme.token).await.fails(401, "Unauthorized");
        ask(&team.member.1).await.fails(403, "NotPermitted");
        let individual = ask(&one).await;
        individual.fails(403, "NotPermitted");
        assert!(individual.body["detail"].as_str().unwrap().to_lowercase().contains("team customers"));
        assert_eq!(ask(&team.owner.1).await.status, 422);
    }
}

#[tokio::test]
async fn managers_see_the_members_by_address() {
    let world = World::new();
    let acme = world.tenant("acme", both()).await;
    let team = Team::new(&acme).await;
    for token in [&team.owner.1, &team.manager.1] {
        let list = world.get(MEMBERS, token).await.expect(200);
        conforms("ListResource_CustomerPortalMember_", &list);
        assert_eq!(list["pagination"], json!({"total_count": 3, "max_page": 1}));
        let keys: Vec<_> = list["items"][0].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["created_at", "modified_at", "id", "email", "name", "role"]);
    }
    let emails: Vec<String> = team.roles().await.into_iter().map(|(email, _)| email).collect();
    assert_eq!(emails, ["manager@x.dev", "member@x.dev", "team@x.dev"]);
    let page = world.get(&format!("{MEMBERS}?limit=2&page=2"), &team.owner.1).await.expect(200);
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    assert_eq!(page["pagination"], json!({"total_count": 3, "max_page": 2}));
}

#[tokio::test]
async fn managers_add_members() {
    let world = World::new();
    let acme = world.tenant("acme", both()).await;
    let team = Team::new(&acme).await;
    let new =
        world.post(MEMBERS, &team.owner.1, json!({"email": "new@x.dev", "name": " New "})).await.expect(201);
    conforms("CustomerPortalMember", &new);
    assert_eq!((&new["role"], &new["name"]), (&json!("member"), &json!("New")));
    let again = json!({"email": "NEW@x.dev", "role": "billing_manager"});
    assert_eq!(world.post(MEMBERS, &team.owner.1, again).await.expect(201), new);
    let other = json!({"email": "other@x.dev", "role": "billing_manager"});
    let other = world.post(MEMBERS, &team.manager.1, other).await.expect(201);
    assert_eq!(other["role"], "billing_manager");
    let owner = json!({"email": "o@x.dev", "role": "owner"});
    world.post(MEMBERS, &team.owner.1, owner).await.refuses(&["value_error body.role"]);
    world.post(MEMBERS, &team.owner.1, json!({"email": "nope"})).await.refuses(&["value_error body.email"]);
    world.post(MEMBERS, &team.owner.1, json!({})).await.refuses(&["missing body.email"]);
    // What is added here is a member like any other.
    let id = new["id"].as_str().unwrap();
    let seen = world.get(&format!("/v1/members/{id}"), &acme.token).await.expect(200);
    assert_eq!(seen["email"], "new@x.dev");
}

#[tokio::test]
async fn members_are_changed_within_bounds() {
    let world = World::new();
    let acme = world.tenant("acme", both()).await;
    let team = Team::new(&acme).await;
    let token = &team.owner.1;
    let unknown = at("00000000-0000-4000-8000-000000000000");
    world.patch(&unknown, token, json!({"name": "x"})).await.fails(404, "ResourceNotFound");
    let elsewhere = acme.individual("ada@x.dev").await;
    let elsewhere = at(&acme.owner(&elsewhere).await);
    world.patch(&elsewhere, token, json!({"name": "x"})).await.fails(404, "ResourceNotFound");

    let own = at(&team.owner.0);
    world.patch(&own, token, json!({"role": "member"})).await.refuses(&["value_error path.id"]);
    let renamed = world.patch(&own, token, json!({"name": "Boss", "role": "owner"})).await.expect(200);
    assert_eq!((&renamed["name"], &renamed["role"]), (&json!("Boss"), &json!("owner")));

    let other = at(&team.member.0);
    let raised = world.patch(&other, token, json!({"role": "billing_manager"})).await.expect(200);
    assert_eq!(raised["role"], "billing_manager");
    let renamed = world.patch(&other, token, json!({"name": "Jo", "role": null})).await.expect(200);
    assert_eq!((&renamed["name"], &renamed["role"]), (&json!("Jo"), &json!("billing_manager")));
    conforms("CustomerPortalMember", &renamed);
    // An address is not changed here.
    let same = world.patch(&other, token, json!({"email": "other@x.dev"})).await.expect(200);
    assert_eq!(same, renamed);

    let manager = &team.manager.1;
    world.patch(&other, manager, json!({"role": "owner"})).await.refuses(&["value_error body.role"]);
    world.patch(&own, manager, json!({"role": "member"})).await.refuses(&["value_error body.role"]);
}

#[tokio::test]
async fn the_owner_hands_the_team_over() {
    let world = World::new();
    let acme = world.tenant("acme", both()).await;
    let team = Team::new(&acme).await;
    let other = at(&team.member.0);
    let raised = world.patch(&other, &team.owner.1, json!({"role": "owner"})).await.expect(200);
    assert_eq!(raised["role"], "owner");
    let role = |email: &str, role: &str| (email.to_owned(), role.to_owned());
    assert_eq!(
        team.roles().await,
        [
            role("manager@x.dev", "billing_manager"),
            role("member@x.dev", "owner"),
            role("team@x.dev", "billing_manager")
        ]
    );
    // A session goes on with the role that its member has now.
    world.get(MEMBERS, &team.member.1).await.expect(200);
    world
        .patch(&at(&team.manager.0), &team.owner.1, json!({"role": "owner"}))
        .await
        .refuses(&["value_error body.role"]);
}

#[tokio::test]
async fn members_are_removed_and_their_sessions_with_them() {
    let world = World::new();
    let acme = world.tenant("acme", both()).await;
    let team = Team::new(&acme).await;
    let me = "/v1/customer-portal/customers/me";
    world.get(me, &team.member.1).await.expect(200);
    world.delete(&at(&team.owner.0), &team.owner.1).await.refuses(&["value_error path.id"]);
    world.delete(&at(&team.owner.0), &team.manager.1).await.refuses(&["value_error body"]);
    world.delete(&at(&team.member.0), &team.manager.1).await.expect(204);
    world.get(me, &team.member.1).await.fails(401, "invalid_token");
    world.delete(&at(&team.member.0), &team.manager.1).await.fails(404, "ResourceNotFound");
    // Removed by the organization itself, it is the same.
    world.get(me, &team.manager.1).await.expect(200);
    world.delete(&format!("/v1/members/{}", team.manager.0), &acme.token).await.expect(204);
    world.get(me, &team.manager.1).await.fails(401, "invalid_token");
    world.get(me, &team.owner.1).await.expect(200);
}
