//! The team of an organization, from both dialects.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by a panic")]

mod team_support;

use serde_json::{Value, json};
use team_support::World;
use tenantry_core::ids::OrganizationId;

const OWNER: &str = "owner@example.com";

struct Team {
    world: World,
    id: OrganizationId,
    /// A token of the owner.
    owner: String,
    /// A token of the organization.
    token: String,
    path: String,
}

async fn team() -> Team {
    let world = World::new();
    let id = world.organization("acme-team", OWNER).await;
    let owner = world.person(OWNER, &["*"]).await;
    let token = world.token(id, &["*"]).await;
    Team { world, id, owner, token, path: format!("/v1/organizations/{id}/members") }
}

impl Team {
    /// Adds a person with a role of this dialect; their id and a token of theirs.
    async fn with(&self, email: &str, role: &str) -> (String, String) {
        let body = json!({"email": email, "role": role});
        let added = self.world.post(&self.owner, &self.path, body).await.is(201);
        assert_eq!((&added["role"], &added["email"]), (&json!(role), &json!(email)));
        (added["user_id"].as_str().unwrap().to_owned(), self.world.person(email, &["*"]).await)
    }

    /// The same with a role of the other dialect.
    async fn with_v2(&self, email: &str, role: &str) -> (String, String) {
        let path = format!("/v2/accounts/{}/members", self.id);
        let added = self.world.post(&self.token, &path, json!({"email": email, "role": role})).await.is(201);
        (added["user_id"].as_str().unwrap().to_owned(), self.world.person(email, &["*"]).await)
    }

    async fn roles(&self) -> Vec<(String, String)> {
        let listed = self.world.get(&self.owner, &self.path).await.is(200);
        assert_eq!(listed["pagination"]["max_page"], 1);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        listed["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| (text(&item["email"]), text(&item["role"])))
            .collect()
    }
}

#[tokio::test]
async fn the_list_shows_the_whole_team_longest_in_it_first() {
    let team = team().await;
    team.with("ada@example.com", "admin").await;
    team.with("bob@example.com", "finance").await;
    let listed = team.world.get(&team.token, &format!("{}?page=7&limit=1", team.path)).await.is(200);
    assert_eq!(listed["pagination"], json!({"total_count": 3, "max_page": 1}));
    let keys: Vec<&String> = listed["items"][0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["user_id", "created_at", "email", "avatar_url", "role"]);
    let expected = [(OWNER, "owner"), ("ada@example.com", "admin"), ("bob@example.com", "finance")];
    assert_eq!(team.roles().await, expected.map(|(email, role)| (email.to_owned(), role.to_owned())));
}

#[tokio::test]
async fn who_may_see_the_team() {
    let team = team().await;
    let (_, finance) = team.with("bob@example.com", "finance").await;
    let (_, member) = team.with("cy@example.com", "member").await;
    let (_, analyst) = team.with_v2("dee@example.com", "Analyst").await;
    let stranger = team.world.person("eve@example.com", &["*"]).await;
    let refused = team.world.get(&finance, &team.path).await.is(403);
    assert_eq!(refused["detail"], "You don't have permission to view members");
    let v2 = format!("/v2/accounts/{}/members", team.id);
    team.world.get(&finance, &v2).await.is(403);
    for token in [&member, &analyst, &team.owner, &team.token] {
        team.world.get(token, &team.path).await.is(200);
        team.world.get(token, &v2).await.is(200);
    }
    assert_eq!(team.world.get(&stranger, &team.path).await.error(404), "ResourceNotFound");
    team.world.get("", &team.path).await.is(401);
    let narrow = team.world.token(team.id, &["customers:read"]).await;
    assert_eq!(team.world.get(&narrow, &team.path).await.error(403), "insufficient_scope");
    team.world.get(&team.owner, "/v1/organizations/nope/members").await.is(422);
}

#[tokio::test]
async fn an_invited_person_is_in_the_team_at_once() {
    let team = team().await;
    let invite = format!("{}/invite", team.path);
    let body = json!({"email": "ada@example.com"});
    let first = team.world.post(&team.owner, &invite, body.clone()).await.is(201);
    assert_eq!(first["role"], "member");
    // Again, in other letters: who is in the team already is shown, and stays what they are.
    let again = team.world.post(&team.owner, &invite, json!({"email": "ADA@example.com"})).await.is(200);
    assert_eq!(again, first);
    assert_eq!(team.world.post(&team.owner, &invite, json!({"email": "x"})).await.fault().1, "body.email");
    // Only a person invites.
    assert_eq!(team.world.post(&team.token, &invite, body.clone()).await.error(401), "Unauthorized");
    let (_, member) = team.with("cy@example.com", "member").await;
    let refused = team.world.post(&member, &invite, body.clone()).await.is(403);
    assert_eq!(refused["detail"], "You don't have permission to manage members");
    let stranger = team.world.person("eve@example.com", &["*"]).await;
    team.world.post(&stranger, &invite, body).await.is(404);
    assert_eq!(team.roles().await.len(), 3);
}

#[tokio::test]
async fn adding_names_a_role() {
    let team = team().await;
    let added = team.world.post(&team.token, &team.path, json!({"email": "a@example.com"})).await.is(201);
    assert_eq!(added["role"], "member");
    let again = json!({"email": "a@example.com", "role": "admin"});
    assert_eq!(team.world.post(&team.token, &team.path, again).await.is(200)["role"], "member");
    let owner = json!({"email": "b@example.com", "role": "owner"});
    let fault = team.world.post(&team.owner, &team.path, owner).await.fault();
    assert_eq!(fault, ("literal_error".to_owned(), "body.role".to_owned()));
    let readers = team.world.token(team.id, &["organizations:read", "members:write"]).await;
    let refused = team.world.post(&readers, &team.path, json!({"email": "c@example.com"})).await;
    assert_eq!(refused.error(403), "insufficient_scope");
}

#[tokio::test]
async fn roles_move_between_the_assignable_ones() {
    let team = team().await;
    let (ada, _) = team.with("ada@example.com", "member").await;
    let path = format!("{}/{ada}", team.path);
    for role in ["admin", "finance", "member", "admin"] {
        let changed = team.world.patch(&team.owner, &path, json!({"role": role})).await.is(200);
        assert_eq!((&changed["role"], &changed["user_id"]), (&json!(role), &json!(ada)));
    }
    team.world.patch(&team.token, &path, json!({"role": "finance"})).await.is(200);
    for role in [json!("owner"), json!("boss"), json!(null)] {
        let fault = team.world.patch(&team.owner, &path, json!({"role": role})).await.fault();
        assert_eq!(fault, ("literal_error".to_owned(), "body.role".to_owned()));
    }
    let (_, member) = team.with("cy@example.com", "member").await;
    assert_eq!(team.world.patch(&member, &path, json!({"role": "admin"})).await.error(403), "NotPermitted");
    let unknown = format!("{}/00000000-0000-4000-8000-000000000000", team.path);
    team.world.patch(&team.owner, &unknown, json!({"role": "admin"})).await.is(404);
    for method in ["PATCH", "DELETE"] {
        let bad = format!("{}/nope", team.path);
        let fault = team.world.send(&team.owner, method, &bad, Some(json!({"role": "admin"}))).await.fault();
        assert_eq!(fault, ("uuid_parsing".to_owned(), "path.user_id".to_owned()));
    }
    // The scope for a person is another than for an organization's token, where it is about customers' members.
    let narrow = team.world.person(OWNER, &["members:write"]).await;
    team.world.patch(&narrow, &path, json!({"role": "admin"})).await.is(200);
    let narrow = team.world.token(team.id, &["members:write"]).await;
    team.world.patch(&narrow, &path, json!({"role": "member"})).await.is(403);
}

#[tokio::test]
async fn the_owner_stays_owner_and_in_the_team() {
    let team = team().await;
    let owner = team.world.get(&team.owner, &team.path).await.is(200)["items"][0]["user_id"].clone();
    let path = format!("{}/{}", team.path, owner.as_str().unwrap());
    let (_, admin) = team.with("ada@example.com", "admin").await;
    for token in [&team.owner, &admin, &team.token] {
        assert_eq!(
            team.world.patch(token, &path, json!({"role": "member"})).await.error(403),
            "NotPermitted"
        );
        assert_eq!(team.world.delete(token, &path).await.error(403), "NotPermitted");
    }
    let leave = format!("{}/leave", team.path);
    assert_eq!(team.world.delete(&team.owner, &leave).await.error(403), "NotPermitted");
    team.world.delete(&team.token, &leave).await.is(401);
    assert_eq!(team.roles().await.len(), 2);
}

#[tokio::test]
async fn people_leave_and_are_removed() {
    let team = team().await;
    let (ada, ada_token) = team.with("ada@example.com", "admin").await;
    let (bob, bob_token) = team.with("bob@example.com", "member").await;
    team.world.delete(&bob_token, &format!("{}/{ada}", team.path)).await.is(403);
    team.world.delete(&bob_token, &format!("{}/leave", team.path)).await.is(204);
    // Who has left has nothing there any more.
    team.world.get(&bob_token, &team.path).await.is(404);
    team.world.delete(&bob_token, &format!("{}/leave", team.path)).await.is(404);
    team.world.delete(&team.owner, &format!("{}/{bob}", team.path)).await.is(404);
    // Removing oneself is leaving.
    team.world.delete(&ada_token, &format!("{}/{ada}", team.path)).await.is(204);
    assert_eq!(team.roles().await, [(OWNER.to_owned(), "owner".to_owned())]);
    // Who comes back is new.
    let back = team.world.post(&team.owner, &team.path, json!({"email": "bob@example.com"})).await.is(201);
    assert_eq!(back["user_id"], bob);
    let count = |action| async move {
        let mut reader = team.world.app.store().reader().unwrap();
        let subject = bob.parse().unwrap();
        reader.tx().unwrap().audit_count(team.id, action, subject).await.unwrap()
    };
    assert_eq!(count("team_member.created").await, 2);
}

#[tokio::test]
async fn both_dialects_show_one_team() {
    let team = team().await;
    let v2 = format!("/v2/accounts/{}/members", team.id);
    for (email, role) in [
        ("admin@example.com", "Administrator"),
        ("dev@example.com", "Developer"),
        ("analyst@example.com", "Analyst"),
        ("billing@example.com", "Billing Manager"),
    ] {
        team.with_v2(email, role).await;
    }
    let expected = [
        (OWNER, "owner"),
        ("admin@example.com", "admin"),
        ("dev@example.com", "member"),
        ("analyst@example.com", "member"),
        ("billing@example.com", "finance"),
    ];
    assert_eq!(team.roles().await, expected.map(|(email, role)| (email.to_owned(), role.to_owned())));
    for (email, role) in
        [("a@example.com", "admin"), ("m@example.com", "member"), ("f@example.com", "finance")]
    {
        team.with(email, role).await;
    }
    let listed = team.world.get(&team.token, &v2).await.is(200);
    let mut roles: Vec<&str> =
        listed["data"].as_array().unwrap().iter().map(|item| item["role"].as_str().unwrap()).collect();
    roles.reverse();
    let oldest_first = [
        "Administrator",
        "Administrator",
        "Developer",
        "Analyst",
        "Billing Manager",
        "Administrator",
        "Developer",
        "Billing Manager",
    ];
    assert_eq!(roles, oldest_first);
}

#[tokio::test]
async fn an_analyst_is_shown_as_a_member_and_stays_one() {
    let team = team().await;
    let (dee, analyst) = team.with_v2("dee@example.com", "Analyst").await;
    let path = format!("{}/{dee}", team.path);
    let v2_role = || async {
        let listed = team.world.get(&team.token, &format!("/v2/accounts/{}/members", team.id)).await.is(200);
        let items = listed["data"].as_array().unwrap().clone();
        items.into_iter().find(|item| item["user_id"] == dee).unwrap()["role"].clone()
    };
    // What was read is written back: no right comes of it.
    assert_eq!(
        team.world.patch(&team.owner, &path, json!({"role": "member"})).await.is(200)["role"],
        "member"
    );
    assert_eq!(v2_role().await, "Analyst");
    let customer = json!({"email": "c@example.com", "organization_id": team.id});
    team.world.post(&analyst, "/v1/customers/", customer).await.is(403);
    team.world.patch(&team.owner, &path, json!({"role": "finance"})).await.is(200);
    assert_eq!(v2_role().await, "Billing Manager");
    team.world.patch(&team.owner, &path, json!({"role": "member"})).await.is(200);
    assert_eq!(v2_role().await, "Developer");
}

#[tokio::test]
async fn a_person_manages_the_team_in_both_dialects_or_in_neither() {
    let team = team().await;
    let (_, member) = team.with("cy@example.com", "member").await;
    let v2 = format!("/v2/accounts/{}/members", team.id);
    let body = json!({"email": "new@example.com", "role": "Administrator"});
    team.world.post(&member, &v2, body.clone()).await.is(403);
    let (ada, _) = team.with("ada@example.com", "admin").await;
    team.world.delete(&member, &format!("{v2}/{ada}")).await.is(403);
    team.world.post(&team.owner, &v2, body).await.is(201);
    team.world.delete(&team.owner, &format!("{v2}/{ada}")).await.is(200);
}

#[tokio::test]
async fn the_roles_are_published() {
    let team = team().await;
    let path = format!("/v1/organizations/{}/roles", team.id);
    for token in [&team.owner, &team.token] {
        let roles = team.world.get(token, &path).await.is(200);
        let ids: Vec<&str> =
            roles.as_array().unwrap().iter().map(|role| role["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["member", "admin", "owner", "finance"]);
        for role in roles.as_array().unwrap() {
            let permissions = role["permissions"].as_array().unwrap();
            assert!(!permissions.is_empty());
            assert!(permissions.is_sorted_by_key(|permission| permission.as_str()));
        }
    }
    let stranger = team.world.person("eve@example.com", &["*"]).await;
    team.world.get(&stranger, &path).await.is(404);
    team.world.get("", &path).await.is(401);
}
