//! `/v1/customer-portal/members` (docs/contracts/polar/portal.md, 8.6, and docs/contracts/polar/cases.md, 11.4).

use serde_json::{Value, json};
use tenantry_testkit::World;
use tenantry_testkit::contract::assert_schema;

use super::tenant::{Tenant, both, seats_only, tenant};

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
        let list = self.world.bearer(&self.owner.1).get(MEMBERS).await;
        let list =
            if list.status == 200 { list } else { self.world.bearer(&self.manager.1).get(MEMBERS).await };
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
    let acme = tenant(&world, "acme", both()).await;
    let team = Team::new(&acme).await;
    let one = acme.individual("ada@x.dev").await;
    let one = acme.session(json!({"customer_id": one["id"]})).await;
    let seats = tenant(&world, "seats", seats_only()).await;
    let customer = seats.team("team@x.dev").await;
    let customer = seats.session(json!({"customer_id": customer["id"]})).await;
    // Permissions are checked before the input, which is invalid in each of these requests.
    for (method, path) in [
        ("GET", format!("{MEMBERS}?page=x")),
        ("POST", MEMBERS.into()),
        ("PATCH", at("x")),
        ("DELETE", at("x")),
    ] {
        let ask = |token: &str| {
            let (path, token) = (path.clone(), token.to_owned());
            let world = &world;
            async move { world.bearer(&token).call(method, &path, (method != "GET").then(|| json!({}))).await }
        };
        ask("").await.assert_error(401, "Unauthorized");
        ask(&customer).await.assert_error(401, "Unauthorized");
        ask(&acme.token).await.assert_error(401, "Unauthorized");
        ask(&team.member.1).await.assert_error(403, "NotPermitted");
        let individual = ask(&one).await;
        individual.assert_error(403, "NotPermitted");
        assert!(individual.body["detail"].as_str().unwrap().to_lowercase().contains("team customers"));
        assert_eq!(ask(&team.owner.1).await.status, 422);
    }
}

#[tokio::test]
async fn managers_see_the_members_by_address() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let team = Team::new(&acme).await;
    for token in [&team.owner.1, &team.manager.1] {
        let list = world.bearer(token).get(MEMBERS).await.expect(200).body;
        assert_schema("ListResource_CustomerPortalMember_", &list);
        assert_eq!(list["pagination"], json!({"total_count": 3, "max_page": 1}));
        let keys: Vec<_> = list["items"][0].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["created_at", "modified_at", "id", "email", "name", "role"]);
    }
    let emails: Vec<String> = team.roles().await.into_iter().map(|(email, _)| email).collect();
    assert_eq!(emails, ["manager@x.dev", "member@x.dev", "team@x.dev"]);
    let page = world.bearer(&team.owner.1).get(&format!("{MEMBERS}?limit=2&page=2")).await.expect(200).body;
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    assert_eq!(page["pagination"], json!({"total_count": 3, "max_page": 2}));
}

#[tokio::test]
async fn managers_add_members() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let team = Team::new(&acme).await;
    let new = world
        .bearer(&team.owner.1)
        .post(MEMBERS, json!({"email": "new@x.dev", "name": " New "}))
        .await
        .expect(201)
        .body;
    assert_schema("CustomerPortalMember", &new);
    assert_eq!((&new["role"], &new["name"]), (&json!("member"), &json!("New")));
    let again = json!({"email": "NEW@x.dev", "role": "billing_manager"});
    assert_eq!(world.bearer(&team.owner.1).post(MEMBERS, again).await.expect(201).body, new);
    let other = json!({"email": "other@x.dev", "role": "billing_manager"});
    let other = world.bearer(&team.manager.1).post(MEMBERS, other).await.expect(201).body;
    assert_eq!(other["role"], "billing_manager");
    let owner = json!({"email": "o@x.dev", "role": "owner"});
    world.bearer(&team.owner.1).post(MEMBERS, owner).await.assert_violations(&["value_error body.role"]);
    world
        .bearer(&team.owner.1)
        .post(MEMBERS, json!({"email": "nope"}))
        .await
        .assert_violations(&["value_error body.email"]);
    world.bearer(&team.owner.1).post(MEMBERS, json!({})).await.assert_violations(&["missing body.email"]);
    // A member that is added in the portal is a member in the API as well.
    let id = new["id"].as_str().unwrap();
    let seen = world.bearer(&acme.token).get(&format!("/v1/members/{id}")).await.expect(200).body;
    assert_eq!(seen["email"], "new@x.dev");
}

#[tokio::test]
async fn members_are_changed_within_bounds() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let team = Team::new(&acme).await;
    let token = &team.owner.1;
    let unknown = at("00000000-0000-4000-8000-000000000000");
    world.bearer(token).patch(&unknown, json!({"name": "x"})).await.assert_error(404, "ResourceNotFound");
    let elsewhere = acme.individual("ada@x.dev").await;
    let elsewhere = at(&acme.owner(&elsewhere).await);
    world.bearer(token).patch(&elsewhere, json!({"name": "x"})).await.assert_error(404, "ResourceNotFound");

    let own = at(&team.owner.0);
    world
        .bearer(token)
        .patch(&own, json!({"role": "member"}))
        .await
        .assert_violations(&["value_error path.id"]);
    let renamed =
        world.bearer(token).patch(&own, json!({"name": "Boss", "role": "owner"})).await.expect(200).body;
    assert_eq!((&renamed["name"], &renamed["role"]), (&json!("Boss"), &json!("owner")));

    let other = at(&team.member.0);
    let raised = world.bearer(token).patch(&other, json!({"role": "billing_manager"})).await.expect(200).body;
    assert_eq!(raised["role"], "billing_manager");
    let renamed =
        world.bearer(token).patch(&other, json!({"name": "Jo", "role": null})).await.expect(200).body;
    assert_eq!((&renamed["name"], &renamed["role"]), (&json!("Jo"), &json!("billing_manager")));
    assert_schema("CustomerPortalMember", &renamed);
    // This endpoint does not change the address.
    let same = world.bearer(token).patch(&other, json!({"email": "other@x.dev"})).await.expect(200).body;
    assert_eq!(same, renamed);

    let manager = &team.manager.1;
    world
        .bearer(manager)
        .patch(&other, json!({"role": "owner"}))
        .await
        .assert_violations(&["value_error body.role"]);
    world
        .bearer(manager)
        .patch(&own, json!({"role": "member"}))
        .await
        .assert_violations(&["value_error body.role"]);
}

#[tokio::test]
async fn the_owner_hands_the_team_over() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let team = Team::new(&acme).await;
    let other = at(&team.member.0);
    let raised = world.bearer(&team.owner.1).patch(&other, json!({"role": "owner"})).await.expect(200).body;
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
    // A running session has the current role of its member.
    world.bearer(&team.member.1).get(MEMBERS).await.expect(200);
    world
        .bearer(&team.owner.1)
        .patch(&at(&team.manager.0), json!({"role": "owner"}))
        .await
        .assert_violations(&["value_error body.role"]);
}

#[tokio::test]
async fn members_are_removed_and_their_sessions_with_them() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let team = Team::new(&acme).await;
    let me = "/v1/customer-portal/customers/me";
    world.bearer(&team.member.1).get(me).await.expect(200);
    world.bearer(&team.owner.1).delete(&at(&team.owner.0)).await.assert_violations(&["value_error path.id"]);
    world.bearer(&team.manager.1).delete(&at(&team.owner.0)).await.assert_violations(&["value_error body"]);
    world.bearer(&team.manager.1).delete(&at(&team.member.0)).await.expect(204);
    world.bearer(&team.member.1).get(me).await.assert_error(401, "invalid_token");
    world.bearer(&team.manager.1).delete(&at(&team.member.0)).await.assert_error(404, "ResourceNotFound");
    // The session also ends when the organization removes the member.
    world.bearer(&team.manager.1).get(me).await.expect(200);
    world.bearer(&acme.token).delete(&format!("/v1/members/{}", team.manager.0)).await.expect(204);
    world.bearer(&team.manager.1).get(me).await.assert_error(401, "invalid_token");
    world.bearer(&team.owner.1).get(me).await.expect(200);
}
