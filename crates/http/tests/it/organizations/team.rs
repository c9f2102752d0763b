//! The team of an organization, from both dialects.

use serde_json::{Value, json};
use tenantry_testkit::{Organization, World};

const OWNER: &str = "owner@example.com";

struct Team {
    world: World,
    organization: Organization,
    /// A token of the owner.
    owner: String,
    /// A token of the organization.
    token: String,
    path: String,
}

async fn team() -> Team {
    let world = World::new();
    let organization = world.organization_owned_by("acme-team", OWNER).await;
    let owner = world.user(OWNER, "*").await.secret();
    let token = world.token(&organization, "*").await.secret();
    let path = format!("/v1/organizations/{}/members", organization.id);
    Team { world, organization, owner, token, path }
}

impl Team {
    /// Adds a person with a role of `/v1`. Returns the id of the person and a token.
    async fn with(&self, email: &str, role: &str) -> (String, String) {
        let body = json!({"email": email, "role": role});
        let added = self.world.bearer(&self.owner).post(&self.path, body).await.expect(201).body;
        assert_eq!((&added["role"], &added["email"]), (&json!(role), &json!(email)));
        (added["user_id"].as_str().unwrap().to_owned(), self.world.user(email, "*").await.secret())
    }

    /// The same with a role of `/v2`.
    async fn with_v2(&self, email: &str, role: &str) -> (String, String) {
        let path = format!("/v2/accounts/{}/members", self.organization.id);
        let added = self
            .world
            .bearer(&self.token)
            .post(&path, json!({"email": email, "role": role}))
            .await
            .expect(201)
            .body;
        (added["user_id"].as_str().unwrap().to_owned(), self.world.user(email, "*").await.secret())
    }

    async fn roles(&self) -> Vec<(String, String)> {
        let listed = self.world.bearer(&self.owner).get(&self.path).await.expect(200).body;
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
    let listed =
        team.world.bearer(&team.token).get(&format!("{}?page=7&limit=1", team.path)).await.expect(200).body;
    assert_eq!(listed["pagination"], json!({"total_count": 3, "max_page": 1}));
    let keys: Vec<&String> = listed["items"][0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["user_id", "created_at", "email", "avatar_url", "role"]);
    let expected = [(OWNER, "owner"), ("ada@example.com", "admin"), ("bob@example.com", "finance")];
    assert_eq!(team.roles().await, expected.map(|(email, role)| (email.to_owned(), role.to_owned())));
}

#[tokio::test]
async fn the_team_is_visible_to_callers_with_the_permission() {
    let team = team().await;
    let (_, finance) = team.with("bob@example.com", "finance").await;
    let (_, member) = team.with("cy@example.com", "member").await;
    let (_, analyst) = team.with_v2("dee@example.com", "Analyst").await;
    let stranger = team.world.user("eve@example.com", "*").await.secret();
    let refused = team.world.bearer(&finance).get(&team.path).await.expect(403).body;
    assert_eq!(refused["detail"], "You don't have permission to view members");
    let v2 = format!("/v2/accounts/{}/members", team.organization.id);
    team.world.bearer(&finance).get(&v2).await.expect(403);
    for token in [&member, &analyst, &team.owner, &team.token] {
        team.world.bearer(token).get(&team.path).await.expect(200);
        team.world.bearer(token).get(&v2).await.expect(200);
    }
    assert_eq!(team.world.bearer(&stranger).get(&team.path).await.expect(404)["error"], "ResourceNotFound");
    team.world.anonymous().get(&team.path).await.expect(401);
    let narrow = team.world.token(&team.organization, "customers:read").await.secret();
    assert_eq!(team.world.bearer(&narrow).get(&team.path).await.expect(403)["error"], "insufficient_scope");
    team.world.bearer(&team.owner).get("/v1/organizations/nope/members").await.expect(422);
}

#[tokio::test]
async fn an_invited_person_is_in_the_team_at_once() {
    let team = team().await;
    let invite = format!("{}/invite", team.path);
    let body = json!({"email": "ada@example.com"});
    let first = team.world.bearer(&team.owner).post(&invite, body.clone()).await.expect(201).body;
    assert_eq!(first["role"], "member");
    // The same address in other letters: the response shows the team member, with the unchanged role.
    let again = team
        .world
        .bearer(&team.owner)
        .post(&invite, json!({"email": "ADA@example.com"}))
        .await
        .expect(200)
        .body;
    assert_eq!(again, first);
    let violations = team.world.bearer(&team.owner).post(&invite, json!({"email": "x"})).await.violations();
    assert!(violations.len() == 1 && violations[0].ends_with(" body.email"), "{violations:?}");
    // Only users can invite.
    assert_eq!(
        team.world.bearer(&team.token).post(&invite, body.clone()).await.expect(401)["error"],
        "Unauthorized"
    );
    let (_, member) = team.with("cy@example.com", "member").await;
    let refused = team.world.bearer(&member).post(&invite, body.clone()).await.expect(403).body;
    assert_eq!(refused["detail"], "You don't have permission to manage members");
    let stranger = team.world.user("eve@example.com", "*").await.secret();
    team.world.bearer(&stranger).post(&invite, body).await.expect(404);
    assert_eq!(team.roles().await.len(), 3);
}

#[tokio::test]
async fn adding_names_a_role() {
    let team = team().await;
    let added = team
        .world
        .bearer(&team.token)
        .post(&team.path, json!({"email": "a@example.com"}))
        .await
        .expect(201)
        .body;
    assert_eq!(added["role"], "member");
    let again = json!({"email": "a@example.com", "role": "admin"});
    assert_eq!(team.world.bearer(&team.token).post(&team.path, again).await.expect(200)["role"], "member");
    let owner = json!({"email": "b@example.com", "role": "owner"});
    team.world
        .bearer(&team.owner)
        .post(&team.path, owner)
        .await
        .assert_violations(&["literal_error body.role"]);
    let readers = team.world.token(&team.organization, "organizations:read members:write").await.secret();
    let refused = team.world.bearer(&readers).post(&team.path, json!({"email": "c@example.com"})).await;
    assert_eq!(refused.expect(403)["error"], "insufficient_scope");
}

#[tokio::test]
async fn roles_move_between_the_assignable_ones() {
    let team = team().await;
    let (ada, _) = team.with("ada@example.com", "member").await;
    let path = format!("{}/{ada}", team.path);
    for role in ["admin", "finance", "member", "admin"] {
        let changed =
            team.world.bearer(&team.owner).patch(&path, json!({"role": role})).await.expect(200).body;
        assert_eq!((&changed["role"], &changed["user_id"]), (&json!(role), &json!(ada)));
    }
    team.world.bearer(&team.token).patch(&path, json!({"role": "finance"})).await.expect(200);
    for role in [json!("owner"), json!("boss"), json!(null)] {
        team.world
            .bearer(&team.owner)
            .patch(&path, json!({"role": role}))
            .await
            .assert_violations(&["literal_error body.role"]);
    }
    let (_, member) = team.with("cy@example.com", "member").await;
    assert_eq!(
        team.world.bearer(&member).patch(&path, json!({"role": "admin"})).await.expect(403)["error"],
        "NotPermitted"
    );
    let unknown = format!("{}/00000000-0000-4000-8000-000000000000", team.path);
    team.world.bearer(&team.owner).patch(&unknown, json!({"role": "admin"})).await.expect(404);
    for method in ["PATCH", "DELETE"] {
        let bad = format!("{}/nope", team.path);
        team.world
            .bearer(&team.owner)
            .call(method, &bad, Some(json!({"role": "admin"})))
            .await
            .assert_violations(&["uuid_parsing path.user_id"]);
    }
    // For the members of customers, a user's token and an organization's token need different scopes.
    let narrow = team.world.user(OWNER, "members:write").await.secret();
    team.world.bearer(&narrow).patch(&path, json!({"role": "admin"})).await.expect(200);
    let narrow = team.world.token(&team.organization, "members:write").await.secret();
    team.world.bearer(&narrow).patch(&path, json!({"role": "member"})).await.expect(403);
}

#[tokio::test]
async fn the_owner_stays_owner_and_in_the_team() {
    let team = team().await;
    let owner =
        team.world.bearer(&team.owner).get(&team.path).await.expect(200)["items"][0]["user_id"].clone();
    let path = format!("{}/{}", team.path, owner.as_str().unwrap());
    let (_, admin) = team.with("ada@example.com", "admin").await;
    for token in [&team.owner, &admin, &team.token] {
        assert_eq!(
            team.world.bearer(token).patch(&path, json!({"role": "member"})).await.expect(403)["error"],
            "NotPermitted"
        );
        assert_eq!(team.world.bearer(token).delete(&path).await.expect(403)["error"], "NotPermitted");
    }
    let leave = format!("{}/leave", team.path);
    assert_eq!(team.world.bearer(&team.owner).delete(&leave).await.expect(403)["error"], "NotPermitted");
    team.world.bearer(&team.token).delete(&leave).await.expect(401);
    assert_eq!(team.roles().await.len(), 2);
}

#[tokio::test]
async fn people_leave_and_are_removed() {
    let team = team().await;
    let (ada, ada_token) = team.with("ada@example.com", "admin").await;
    let (bob, bob_token) = team.with("bob@example.com", "member").await;
    team.world.bearer(&bob_token).delete(&format!("{}/{ada}", team.path)).await.expect(403);
    team.world.bearer(&bob_token).delete(&format!("{}/leave", team.path)).await.expect(204);
    // A person who left has no access any more.
    team.world.bearer(&bob_token).get(&team.path).await.expect(404);
    team.world.bearer(&bob_token).delete(&format!("{}/leave", team.path)).await.expect(404);
    team.world.bearer(&team.owner).delete(&format!("{}/{bob}", team.path)).await.expect(404);
    // Users who remove themselves leave the team.
    team.world.bearer(&ada_token).delete(&format!("{}/{ada}", team.path)).await.expect(204);
    assert_eq!(team.roles().await, [(OWNER.to_owned(), "owner".to_owned())]);
    // A person who is added again is a new team member.
    let back = team
        .world
        .bearer(&team.owner)
        .post(&team.path, json!({"email": "bob@example.com"}))
        .await
        .expect(201)
        .body;
    assert_eq!(back["user_id"], bob);
    let count = |action| async move {
        let mut reader = team.world.app.store().reader().unwrap();
        let subject = bob.parse().unwrap();
        reader.tx().unwrap().audit_count(team.organization.id, action, subject).await.unwrap()
    };
    assert_eq!(count("team_member.created").await, 2);
}

#[tokio::test]
async fn both_dialects_show_one_team() {
    let team = team().await;
    let v2 = format!("/v2/accounts/{}/members", team.organization.id);
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
    let listed = team.world.bearer(&team.token).get(&v2).await.expect(200).body;
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
        let listed = team
            .world
            .bearer(&team.token)
            .get(&format!("/v2/accounts/{}/members", team.organization.id))
            .await
            .expect(200)
            .body;
        let items = listed["data"].as_array().unwrap().clone();
        items.into_iter().find(|item| item["user_id"] == dee).unwrap()["role"].clone()
    };
    // Writing back the role that was read grants no permission.
    assert_eq!(
        team.world.bearer(&team.owner).patch(&path, json!({"role": "member"})).await.expect(200)["role"],
        "member"
    );
    assert_eq!(v2_role().await, "Analyst");
    let customer = json!({"email": "c@example.com", "organization_id": team.organization.id});
    team.world.bearer(&analyst).post("/v1/customers/", customer).await.expect(403);
    team.world.bearer(&team.owner).patch(&path, json!({"role": "finance"})).await.expect(200);
    assert_eq!(v2_role().await, "Billing Manager");
    team.world.bearer(&team.owner).patch(&path, json!({"role": "member"})).await.expect(200);
    assert_eq!(v2_role().await, "Developer");
}

#[tokio::test]
async fn a_person_manages_the_team_in_both_dialects_or_in_neither() {
    let team = team().await;
    let (_, member) = team.with("cy@example.com", "member").await;
    let v2 = format!("/v2/accounts/{}/members", team.organization.id);
    let body = json!({"email": "new@example.com", "role": "Administrator"});
    team.world.bearer(&member).post(&v2, body.clone()).await.expect(403);
    let (ada, _) = team.with("ada@example.com", "admin").await;
    team.world.bearer(&member).delete(&format!("{v2}/{ada}")).await.expect(403);
    team.world.bearer(&team.owner).post(&v2, body).await.expect(201);
    team.world.bearer(&team.owner).delete(&format!("{v2}/{ada}")).await.expect(200);
}

#[tokio::test]
async fn the_roles_are_published() {
    let team = team().await;
    let path = format!("/v1/organizations/{}/roles", team.organization.id);
    for token in [&team.owner, &team.token] {
        let roles = team.world.bearer(token).get(&path).await.expect(200).body;
        let ids: Vec<&str> =
            roles.as_array().unwrap().iter().map(|role| role["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["member", "admin", "owner", "finance"]);
        for role in roles.as_array().unwrap() {
            let permissions = role["permissions"].as_array().unwrap();
            assert!(!permissions.is_empty());
            assert!(permissions.is_sorted_by_key(|permission| permission.as_str()));
        }
    }
    let stranger = team.world.user("eve@example.com", "*").await.secret();
    team.world.bearer(&stranger).get(&path).await.expect(404);
    team.world.anonymous().get(&path).await.expect(401);
}
