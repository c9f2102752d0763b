//! An organization with what its integration does before a customer opens the portal.

use serde_json::{Value, json};
use tenantry_core::ids::OrganizationId;
use tenantry_core::organization::FeatureSettings;
use tenantry_testkit::{Response, World};

/// An organization, and a token of it with every scope.
pub(crate) struct Tenant<'w> {
    pub(crate) world: &'w World,
    pub(crate) id: OrganizationId,
    pub(crate) token: String,
}

/// Features of an organization whose customers have members and seats.
pub(crate) fn both() -> FeatureSettings {
    FeatureSettings {
        member_model_enabled: true,
        seat_based_pricing_enabled: true,
        ..FeatureSettings::default()
    }
}

/// Features of an organization whose customers have seats and no members.
pub(crate) fn seats_only() -> FeatureSettings {
    FeatureSettings { seat_based_pricing_enabled: true, ..FeatureSettings::default() }
}

/// Creates an organization and a token of it.
pub(crate) async fn tenant<'w>(world: &'w World, slug: &str, features: FeatureSettings) -> Tenant<'w> {
    let organization = world.organization_with(slug, features).await;
    let token = world.token(&organization, "*").await.secret();
    Tenant { world, id: organization.id, token }
}

impl Tenant<'_> {
    /// Creates a team customer.
    pub(crate) async fn team(&self, address: &str) -> Value {
        let body = json!({"type": "team", "email": address, "name": "A team"});
        self.world.bearer(&self.token).post("/v1/customers", body).await.expect(201).body
    }

    /// Creates an individual customer.
    pub(crate) async fn individual(&self, address: &str) -> Value {
        self.world
            .bearer(&self.token)
            .post("/v1/customers", json!({"email": address, "name": "Ada"}))
            .await
            .expect(201)
            .body
    }

    /// Adds a member to a customer. Returns its id.
    pub(crate) async fn member(&self, customer: &Value, address: &str, role: &str) -> String {
        let path = format!("/v1/customers/{}/members", customer["id"].as_str().unwrap());
        let made = self.world.bearer(&self.token).post(&path, json!({"email": address, "role": role})).await;
        made.expect(201)["id"].as_str().unwrap().to_owned()
    }

    /// The id of the customer's owner.
    pub(crate) async fn owner(&self, customer: &Value) -> String {
        let path = format!("/v1/members?role=owner&customer_id={}", customer["id"].as_str().unwrap());
        let found = self.world.bearer(&self.token).get(&path).await.expect(200).body;
        found["items"][0]["id"].as_str().unwrap().to_owned()
    }

    /// Begins a portal session.
    pub(crate) async fn begin(&self, body: Value) -> Response {
        self.world.bearer(&self.token).post("/v1/customer-sessions/", body).await
    }

    /// Begins a portal session. Returns its token.
    pub(crate) async fn session(&self, body: Value) -> String {
        self.begin(body).await.expect(201)["token"].as_str().unwrap().to_owned()
    }

    /// Begins a portal session for a member. Returns its token.
    pub(crate) async fn member_session(&self, customer: &Value, member: &str) -> String {
        self.session(json!({"customer_id": customer["id"], "member_id": member})).await
    }

    /// Updates the organization.
    pub(crate) async fn set(&self, change: Value) {
        self.world
            .bearer(&self.token)
            .patch(&format!("/v1/organizations/{}", self.id), change)
            .await
            .expect(200);
    }

    /// Lets customers change their address in the portal.
    pub(crate) async fn allow_email_change(&self) {
        let settings = json!({
            "usage": {"show": true},
            "subscription": {"update_seats": true, "update_plan": true},
            "customer": {"allow_email_change": true}
        });
        self.set(json!({"customer_portal_settings": settings})).await;
    }
}
