//! Suspension of an account: both dialects refuse its tokens at once, until the suspension ends.

use serde_json::json;
use tenantry_app::suspension::{OrganizationSuspend, OrganizationUnsuspend};
use tenantry_core::ids::OrganizationId;
use tenantry_core::values::SuspensionReason;

use tenantry_testkit::{Acme, Client, Organization, Response, portal_session};

/// A parent account with a sub-account, and the credentials of the sub-account.
struct Family {
    acme: Acme,
    child: Organization,
    /// The child in the parent's list.
    path: String,
    token: String,
    session: String,
}

async fn family() -> Family {
    let acme = Acme::new().await;
    let sub_accounts = format!("{}/sub-accounts", acme.path_v2());
    let body = json!({"name": "Child", "website": "child.example.com"});
    let made = acme.client().post(&sub_accounts, body).await.expect(201);
    let id = OrganizationId::new(made.id().parse().unwrap());
    let child = Organization { id, slug: "child".to_owned(), owner: acme.organization.owner.clone() };
    let client = acme.world.token(&child, "*").await;
    let customer = client.post("/v1/customers", json!({"email": "c@example.com"})).await.expect(201).id();
    let session = portal_session(&client, &json!({"customer_id": customer})).await;
    let (token, path) = (client.secret(), format!("{sub_accounts}/{id}"));
    Family { acme, child, path, token, session }
}

impl Family {
    fn account(&self) -> String {
        format!("/v2/accounts/{}", self.child.id)
    }

    async fn slug(&self) -> String {
        let mut reader = self.acme.world.app.store().reader().unwrap();
        let found = reader.tx().unwrap().organization(self.child.id).await.unwrap();
        found.unwrap().slug.to_string()
    }

    async fn suspend(&self) -> Response {
        self.acme.client().post(&format!("{}/suspend", self.path), json!({"reason": "late"})).await
    }

    async fn unsuspend(&self, by: &Client<'_>) -> Response {
        by.send("POST", &format!("{}/unsuspend", self.path), None, "").await
    }

    async fn check_open(&self) {
        let client = self.acme.world.bearer(&self.token);
        client.get("/v2/ping").await.expect(200);
        client.get(&self.account()).await.expect(200);
        client.get("/v1/customers").await.expect(200);
        self.acme.world.bearer(&self.session).get("/v1/customer-portal/customers/me").await.expect(200);
        let page = format!("/v1/customer-portal/organizations/{}", self.slug().await);
        self.acme.world.anonymous().get(&page).await.expect(200);
    }

    async fn check_shut(&self) {
        let client = self.acme.world.bearer(&self.token);
        for path in ["/v2/ping", &self.account()] {
            let refused = client.get(path).await.expect(401);
            assert_eq!(refused.body, json!({"message": "Account is suspended"}));
            assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
        }
        assert_eq!(client.get("/v1/customers").await.expect(401)["error"], json!("invalid_token"));
        let portal = self.acme.world.bearer(&self.session);
        let refused = portal.get("/v1/customer-portal/customers/me").await.expect(401);
        assert_eq!(refused["error"], json!("invalid_token"));
        let page = format!("/v1/customer-portal/organizations/{}", self.slug().await);
        self.acme.world.anonymous().get(&page).await.expect(404);
    }

    async fn operator_suspends(&self, id: OrganizationId) {
        let reason = SuspensionReason::parse("unpaid").unwrap();
        self.acme.world.app.write(OrganizationSuspend { id, reason }).await.unwrap();
    }
}

#[tokio::test]
async fn a_suspended_sub_account_is_refused_and_its_parent_still_administers_it() {
    let family = family().await;
    let parent = family.acme.client();
    let owner = family.acme.world.user(&family.child.owner, "*").await;
    owner.get(&family.account()).await.expect(200);
    family.check_open().await;
    assert_eq!(family.suspend().await.expect(200)["status"], json!("suspended"));
    family.check_shut().await;
    owner.get(&family.account()).await.expect(401);
    owner.get(&format!("/v1/organizations/{}", family.child.id)).await.expect(404);
    assert_eq!(owner.get("/v1/organizations").await.each("slug"), ["acme"]);
    // The parent sees the sub-account, changes it, and ends the suspension.
    assert_eq!(parent.get(&family.path).await.expect(200)["status"], json!("suspended"));
    let changed = parent.put(&family.path, json!({"name": "Renamed"})).await.expect(200);
    assert_eq!((&changed["name"], &changed["status"]), (&json!("Renamed"), &json!("suspended")));
    family.check_shut().await;
    assert_eq!(family.unsuspend(&owner).await.expect(200)["status"], json!("active"));
    family.check_open().await;
    owner.get(&family.account()).await.expect(200);
}

#[tokio::test]
async fn a_suspended_sub_account_can_be_deleted() {
    let family = family().await;
    family.suspend().await.expect(200);
    family.acme.client().delete(&family.path).await.expect(200);
    let refused = family.acme.world.bearer(&family.token).get("/v2/ping").await.expect(401);
    assert_eq!(refused.message(), "invalid API key");
}

#[tokio::test]
async fn a_second_suspension_changes_nothing() {
    let family = family().await;
    let parent = family.acme.client();
    let entries = async || family.acme.world.audit(&family.child).await.len();
    let before = entries().await;
    let open = family.unsuspend(&parent).await.expect(200);
    assert_eq!((&open["status"], entries().await), (&json!("active"), before));
    let first = family.suspend().await.expect(200);
    assert_eq!(family.suspend().await.expect(200).body, first.body);
    assert_eq!(entries().await, before + 1);
    family.unsuspend(&parent).await.expect(200);
    assert_eq!(family.unsuspend(&parent).await.expect(200)["status"], json!("active"));
    let log = family.acme.world.audit(&family.child).await;
    let actions: Vec<&str> = log[before..].iter().map(|line| line.action.as_str()).collect();
    assert_eq!(actions, ["organization.suspended", "organization.unsuspended"]);
    // The body is ignored.
    let odd = parent.raw("POST", &format!("{}/unsuspend", family.path), "{").await;
    odd.expect(200);
}

#[tokio::test]
async fn a_suspension_has_a_reason() {
    let family = family().await;
    let path = format!("{}/suspend", family.path);
    for body in [
        json!({}),
        json!({"reason": null}),
        json!({"reason": ""}),
        json!({"reason": " "}),
        json!({"reason": 1}),
    ] {
        assert!(family.acme.client().post(&path, body).await.expect(400).message().starts_with("reason: "));
    }
    let long = |length: usize| json!({"reason": "é".repeat(length)});
    family.acme.client().post(&path, long(501)).await.expect(400);
    family.acme.client().send("POST", &path, None, "").await.expect(400);
    family.check_open().await;
    family.acme.client().post(&path, long(500)).await.expect(200);
}

#[tokio::test]
async fn a_suspended_parent_suspends_its_sub_accounts() {
    let family = family().await;
    let id = family.acme.organization.id;
    let owner = family.acme.world.user(&family.child.owner, "*").await;
    family.check_open().await;
    owner.get(&family.account()).await.expect(200);
    family.operator_suspends(id).await;
    family.check_shut().await;
    let refused = family.acme.client().get(&family.acme.path_v2()).await.expect(401);
    assert_eq!(refused.message(), "Account is suspended");
    // The parent still administers its sub-account, but cannot end the suspension that it passes on.
    let client = family.acme.client();
    let status = async || client.get(&family.path).await.expect(200)["status"].clone();
    assert_eq!(status().await, json!("parent-suspended"));
    family.suspend().await.expect(200);
    assert_eq!(status().await, json!("suspended"));
    assert_eq!(family.unsuspend(&client).await.expect(200)["status"], json!("parent-suspended"));
    let key = json!({"label": "made meanwhile", "scopes": ["accounts:read"]});
    let made = client.post(&format!("{}/api-keys", family.path), key).await.expect(201);
    family.acme.world.bearer(made["secret_key"].as_str().unwrap()).get("/v2/ping").await.expect(401);
    family.check_shut().await;
    assert_eq!(family.acme.client().get("/v1/customers").await.expect(401)["error"], json!("invalid_token"));
    owner.get(&family.account()).await.expect(401);
    assert_eq!(owner.get("/v1/organizations").await.each("slug"), Vec::<&str>::new());
    family.acme.world.app.write(OrganizationUnsuspend { id }).await.unwrap();
    family.check_open().await;
    // A sub-account's own suspension stays when that of its parent ends.
    family.operator_suspends(family.child.id).await;
    family.operator_suspends(id).await;
    family.acme.world.app.write(OrganizationUnsuspend { id }).await.unwrap();
    family.check_shut().await;
    let log = family.acme.world.audit(&family.child).await;
    assert_eq!(log.last().unwrap().actor_kind, "operator");
}

#[tokio::test]
async fn suspension_is_checked_before_the_ip_allow_list() {
    let family = family().await;
    let body = json!({"label": "office", "scopes": ["*"], "ip_allow_list": ["203.0.113.0/24"]});
    let made = family.acme.client().post(&family.acme.api_keys(), body).await.expect(201);
    let office = family.acme.world.bearer(made["secret_key"].as_str().unwrap());
    office.get("/v2/ping").await.expect(403);
    family.operator_suspends(family.acme.organization.id).await;
    let (elsewhere, inside) = (&office, office.at("203.0.113.1"));
    for path in ["/v2/ping", "/v1/customers", &family.acme.path_v2()] {
        elsewhere.get(path).await.expect(401);
        inside.get(path).await.expect(401);
    }
    // The IP allow list still applies to the paths that a suspended account may use.
    elsewhere.get(&family.path).await.expect(403);
    inside.get(&family.path).await.expect(200);
}
