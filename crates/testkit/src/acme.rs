//! A world with one organization.

use serde_json::json;
use tenantry_core::organization::FeatureSettings;

use crate::{Client, Organization, Settings, World, portal_session};

/// A world with one organization, `acme`, and a token of it with every scope.
pub struct Acme {
    /// The world.
    pub world: World,
    /// The organization.
    pub organization: Organization,
    secret: String,
}

impl Acme {
    /// A new one.
    pub async fn new() -> Self {
        Self::within(World::new()).await
    }

    /// A new one in this world, which is empty.
    pub async fn within(world: World) -> Self {
        let organization = world.organization("acme").await;
        let secret = world.token(&organization, "*").await.secret();
        Self { world, organization, secret }
    }

    /// The same after a restart.
    pub async fn restart(self) -> Self {
        Self { world: self.world.restart().await, ..self }
    }

    /// The same after a restart with these settings.
    pub async fn restart_with(self, settings: Settings) -> Self {
        Self { world: self.world.restart_with(settings).await, ..self }
    }

    /// A client with the token of the organization.
    #[must_use]
    pub fn client(&self) -> Client<'_> {
        self.world.bearer(&self.secret)
    }

    /// `/v1/organizations/{id}` of the organization.
    #[must_use]
    pub fn path_v1(&self) -> String {
        format!("/v1/organizations/{}", self.organization.id)
    }

    /// `/v2/accounts/{id}` of the organization.
    #[must_use]
    pub fn path_v2(&self) -> String {
        format!("/v2/accounts/{}", self.organization.id)
    }

    /// `/v2/accounts/{id}/api-keys` of the organization.
    #[must_use]
    pub fn api_keys(&self) -> String {
        format!("{}/api-keys", self.path_v2())
    }

    /// Creates an API key over HTTP. Returns its id and a client with it.
    pub async fn create_api_key(&self, scopes: &[&str]) -> (String, Client<'_>) {
        let body = json!({"label": "key", "scopes": scopes});
        let made = self.client().post(&self.api_keys(), body).await.expect(201);
        (made.id(), self.world.bearer(made["secret_key"].as_str().unwrap()))
    }

    /// Creates a team customer whose external id is `name`. Returns its id.
    pub async fn create_team(&self, name: &str) -> String {
        let body =
            json!({"type": "team", "email": format!("{name}@customers.example.com"), "external_id": name});
        self.client().post("/v1/customers", body).await.expect(201).id()
    }

    /// Adds a member to the customer whose external id is `customer`. Returns the member's id.
    pub async fn create_member(&self, customer: &str, name: &str) -> String {
        let body = json!({"email": format!("{name}@members.example.com"), "external_id": name});
        self.client().post(&format!("/v1/customers/{customer}/members"), body).await.expect(201).id()
    }

    /// The token of a portal session for the owner of the team customer whose external id is `name`.
    pub async fn owner_session(&self, name: &str) -> String {
        let client = self.client();
        let customer = client.get(&format!("/v1/customers/external/{name}")).await.expect(200).id();
        let members = client.get(&format!("/v1/members?customer_id={customer}&role=owner")).await;
        let owner = &members.expect(200)["items"][0]["id"];
        portal_session(&client, &json!({"customer_id": customer, "member_id": owner})).await
    }

    /// The token of a portal session for a customer of another organization, whose customers have no members.
    pub async fn customer_session(&self) -> String {
        let plain = self.world.organization_with("plain", FeatureSettings::default()).await;
        let client = self.world.token(&plain, "*").await;
        let customer = json!({"email": "holder@customers.example.com"});
        let customer = client.post("/v1/customers", customer).await.expect(201).id();
        portal_session(&client, &json!({"customer_id": customer})).await
    }
}
