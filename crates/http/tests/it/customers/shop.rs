//! An organization whose customers the tests make.

use serde_json::{Value, json};
use tenantry_testkit::{Organization, World};

pub(super) const NOBODY: &str = "00000000-0000-4000-8000-000000000000";
pub(super) const OWNER: &str = "owner@example.com";

pub(super) struct Shop {
    pub(super) world: World,
    pub(super) organization: Organization,
    pub(super) token: String,
}

pub(super) async fn shop() -> Shop {
    let world = World::new();
    let organization = world.organization_owned_by("acme-team", OWNER).await;
    let token = world.token(&organization, "*").await.secret();
    Shop { world, organization, token }
}

impl Shop {
    pub(super) async fn customer(&self, body: Value) -> Value {
        self.world.bearer(&self.token).post("/v1/customers/", body).await.expect(201).body
    }

    pub(super) async fn named(&self, name: &str) -> Value {
        self.customer(json!({"email": format!("{name}@example.com"), "name": name, "external_id": name}))
            .await
    }

    /// Adds a person to the team with this role. Returns a token of the person.
    pub(super) async fn person(&self, email: &str, role: &str) -> String {
        let path = format!("/v1/organizations/{}/members", self.organization.id);
        self.world.bearer(&self.token).post(&path, json!({"email": email, "role": role})).await.expect(201);
        self.world.user(email, "*").await.secret()
    }

    pub(super) async fn export(&self) -> Vec<String> {
        let answer = self.world.bearer(&self.token).get("/v1/customers/export").await;
        assert_eq!(answer.status, 200);
        answer.text.split_terminator("\r\n").map(str::to_owned).collect()
    }
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
