//! The fixture: an application over an empty database, with organizations, people and tokens as a test
//! needs them.

mod client;
mod contract;

pub(crate) use client::{Answer, Client};
pub(crate) use contract::{Contract, Fact, OWN};

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tenantry_app::organizations::{OrganizationCreate, OwnerRef};
use tenantry_app::sub_accounts::SubAccountCreate;
use tenantry_app::tokens::{TokenCreate, UserTokenCreate};
use tenantry_app::{App as UseCases, Clock, Error, HashKey, Requester};
use tenantry_core::ids::{CustomerId, OrganizationId};
use tenantry_core::organization::{
    FeatureSettings, InitialState, NewOrganization, NewSubAccount, OrganizationChange,
};
use tenantry_core::token::{Scope, Scopes};
use tenantry_core::values::{EmailAddress, OrganizationName, Slug, Website};
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_http::{Config, Gateway, Limits};
use tenantry_store::{AuditRecord, Tx, UseCase};
use tenantry_testkit::Database;

/// 2026-01-01T00:00:00Z. Every look at the clock is a millisecond later than the one before.
const BEGINNING: i64 = 1_767_225_600_000_000;
/// The largest body that the fixture's server takes.
pub(crate) const BODY_LIMIT: usize = 64 << 10;
/// An origin that may send credentials.
pub(crate) const TRUSTED: &str = "https://app.example.com";

/// A server without a socket.
pub(crate) struct App {
    pub(crate) gateway: Gateway,
    database: Database,
    micros: Arc<AtomicI64>,
}

/// An organization of the fixture, as the operator made it.
#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    pub(crate) id: OrganizationId,
    pub(crate) owner: String,
}

impl App {
    pub(crate) fn new() -> Self {
        Self::with(Limits { body: BODY_LIMIT, ready_kept: Duration::ZERO, ..Limits::default() })
    }

    pub(crate) fn with(limits: Limits) -> Self {
        let database = Database::of_environment();
        let micros = Arc::new(AtomicI64::new(BEGINNING));
        let ticking = Arc::clone(&micros);
        let clock: Clock =
            Arc::new(move || Timestamp::from_micros(ticking.fetch_add(1_000, Ordering::Relaxed)));
        let seeds = AtomicI64::new(0);
        let now = Arc::clone(&clock);
        let moments = Arc::new(move || {
            let mut seed = [7; 32];
            seed[..8].copy_from_slice(&seeds.fetch_add(1, Ordering::Relaxed).to_be_bytes());
            ExecutionContext::new(now(), seed)
        });
        let store = database.open(moments);
        let app = Arc::new(UseCases::new(store, clock, HashKey::new([1; 32])));
        let config = Config { limits, trusted_origins: vec![TRUSTED.to_owned()], ..Config::default() };
        Self { gateway: Gateway::new(app, config), database, micros }
    }

    /// Lets time pass.
    pub(crate) fn wait(&self, seconds: i64) {
        self.micros.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }

    /// Every row of every table, as text.
    pub(crate) fn rows(&self) -> Vec<String> {
        self.database.rows()
    }

    /// Changes the database behind its back.
    pub(crate) fn change(&self, sql: &str) {
        let _ = self.database.texts(sql);
    }

    /// Whether the database holds these bytes anywhere.
    pub(crate) fn stores(&self, bytes: &str) -> bool {
        self.database.traces(bytes)
    }

    pub(crate) fn use_cases(&self) -> &Arc<UseCases> {
        self.gateway.app()
    }

    /// An organization with everything usual on; its owner is `owner@{slug}.example.com`.
    pub(crate) async fn organization(&self, slug: &str) -> Tenant {
        self.organization_with(slug, FeatureSettings::for_new_organization()).await
    }

    pub(crate) async fn organization_with(&self, slug: &str, features: FeatureSettings) -> Tenant {
        let owner = format!("owner@{slug}.example.com");
        let created = self.use_cases().write(OrganizationCreate {
            by: Requester::operator(),
            owner: OwnerRef::Email(EmailAddress::parse(&owner).unwrap()),
            new: NewOrganization {
                name: OrganizationName::parse(slug).unwrap(),
                slug: Slug::parse(slug).unwrap(),
                change: OrganizationChange::default(),
            },
            initial: InitialState::for_operator(features),
        });
        Tenant { id: created.await.unwrap().id, owner }
    }

    /// A sub-account of an organization, with its parent's owner.
    pub(crate) async fn sub_account(&self, parent: &Tenant, name: &str) -> OrganizationId {
        let made = self.use_cases().write(SubAccountCreate {
            by: Requester::operator(),
            parent: parent.id,
            new: NewSubAccount {
                name: OrganizationName::parse(name).unwrap(),
                website: Website::parse("child.example.com").unwrap(),
                monthly_credit: 0,
            },
        });
        made.await.unwrap().organization.id
    }

    /// A client with a token of the organization; `*` is every scope.
    pub(crate) async fn token(&self, tenant: &Tenant, scopes: &str) -> Client<'_> {
        self.token_until(tenant, scopes, None).await
    }

    /// The same, with a token that is dead already.
    pub(crate) async fn expired_token(&self, tenant: &Tenant) -> Client<'_> {
        self.token_until(tenant, "*", Some(-1)).await
    }

    async fn token_until(&self, tenant: &Tenant, scopes: &str, expires_in_s: Option<i64>) -> Client<'_> {
        let issued = self.use_cases().write(TokenCreate {
            by: Requester::operator(),
            organization: tenant.id,
            label: "test".to_owned(),
            scopes: read_scopes(scopes),
            expires_in_s,
            hash_key: self.use_cases().hash_key().clone(),
        });
        let issued = issued.await.unwrap();
        Client::new(self, Some(issued.secret.expose().to_owned())).known_as(issued.token.id.uuid())
    }

    /// A client with a token of the person with this address.
    pub(crate) async fn user(&self, email: &str, scopes: &str) -> Client<'_> {
        let issued = self.use_cases().write(UserTokenCreate {
            by: Requester::operator(),
            email: EmailAddress::parse(email).unwrap(),
            scopes: read_scopes(scopes),
            expires_in_s: None,
            hash_key: self.use_cases().hash_key().clone(),
        });
        let issued = issued.await.unwrap();
        Client::new(self, Some(issued.secret.expose().to_owned())).known_as(issued.token.user.uuid())
    }

    pub(crate) fn anonymous(&self) -> Client<'_> {
        Client::new(self, None)
    }

    pub(crate) fn bearer(&self, token: &str) -> Client<'_> {
        Client::new(self, Some(token.to_owned()))
    }

    /// The first event that is still to be sent about a customer.
    pub(crate) async fn pending_event(&self, tenant: &Tenant, customer: &str) -> String {
        let mut reader = self.use_cases().store().reader().unwrap();
        let mut tx = reader.tx().unwrap();
        let customer = CustomerId::new(customer.parse().unwrap());
        tx.webhook_events_lock(tenant.id, customer).await.unwrap()[0].0.to_string()
    }

    /// What was written down of the organization so far.
    pub(crate) async fn audit(&self, tenant: &Tenant) -> Vec<AuditRecord> {
        let mut reader = self.use_cases().store().reader().unwrap();
        let mut tx = reader.tx().unwrap();
        tx.audit_log(tenant.id).await.unwrap()
    }
}

fn read_scopes(names: &str) -> Scopes {
    Scopes::new(names.split_whitespace().map(|name| name.parse::<Scope>().unwrap()).collect())
}

/// An application with one organization, and a token of it with every scope.
pub(crate) struct One {
    pub(crate) app: App,
    pub(crate) tenant: Tenant,
    secret: String,
}

impl One {
    pub(crate) async fn new() -> Self {
        let app = App::new();
        let tenant = app.organization("acme").await;
        let secret = app.token(&tenant, "*").await.secret();
        Self { app, tenant, secret }
    }

    /// The organization's own client.
    pub(crate) fn client(&self) -> Client<'_> {
        self.app.bearer(&self.secret)
    }

    /// `/v2/accounts/{id}` of the organization.
    pub(crate) fn account(&self) -> String {
        format!("/v2/accounts/{}", self.tenant.id)
    }

    /// `/v2/accounts/{id}/api-keys` of the organization.
    pub(crate) fn keys(&self) -> String {
        format!("{}/api-keys", self.account())
    }

    /// A new key of the organization, and a client with it.
    pub(crate) async fn key(&self, scopes: &[&str]) -> (String, Client<'_>) {
        let body = json!({"label": "key", "scopes": scopes});
        let made = self.client().post(&self.keys(), body).await.expect(201);
        (made.id(), self.app.bearer(made["secret_key"].as_str().unwrap()))
    }

    /// `/v1/organizations/{id}` of the organization.
    pub(crate) fn organization(&self) -> String {
        format!("/v1/organizations/{}", self.tenant.id)
    }

    /// A new team customer whose external id is `name`; answers its id.
    pub(crate) async fn team(&self, name: &str) -> String {
        let body =
            json!({"type": "team", "email": format!("{name}@customers.example.com"), "external_id": name});
        self.client().post("/v1/customers", body).await.expect(201).id()
    }

    /// The token of a session of the portal for the owner of the team customer whose external id is `name`.
    pub(crate) async fn member_session(&self, name: &str) -> String {
        let client = self.client();
        let customer = client.get(&format!("/v1/customers/external/{name}")).await.expect(200).id();
        let members = client.get(&format!("/v1/members?customer_id={customer}&role=owner")).await;
        let owner = &members.expect(200)["items"][0]["id"];
        session(&client, &json!({"customer_id": customer, "member_id": owner})).await
    }

    /// The token of a session of the portal for a new customer, from when customers had no members.
    pub(crate) async fn customer_session(&self) -> String {
        let client = self.client();
        let members = |enabled: bool| json!({"feature_settings": {"member_model_enabled": enabled}});
        client.patch(&self.organization(), members(false)).await.expect(200);
        let customer = json!({"email": "holder@customers.example.com"});
        let customer = client.post("/v1/customers", customer).await.expect(201).id();
        let token = session(&client, &json!({"customer_id": customer})).await;
        client.patch(&self.organization(), members(true)).await.expect(200);
        token
    }

    /// A new member of the customer whose external id is `name`; answers its id.
    pub(crate) async fn member(&self, customer: &str, name: &str) -> String {
        let body = json!({"email": format!("{name}@members.example.com"), "external_id": name});
        self.client().post(&format!("/v1/customers/{customer}/members"), body).await.expect(201).id()
    }
}

/// Keeps the writer of an organization busy until it is let go.
pub(crate) struct Busy(pub(crate) OrganizationId, pub(crate) Mutex<Receiver<()>>);

impl UseCase for Busy {
    type Output = ();
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        Some(self.0)
    }

    async fn run(&self, _: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<(), Error> {
        // Where the writer is a task, its thread has other work.
        tokio::task::block_in_place(|| self.1.lock().unwrap().recv().unwrap());
        Ok(())
    }
}

/// What comes first of two, and the other one.
pub(crate) async fn first_of<T: Unpin + Future>([mut one, mut two]: [T; 2]) -> (T::Output, T) {
    tokio::select! {
        biased;
        done = &mut one => (done, two),
        done = &mut two => (done, one),
    }
}

/// The token of a new session of the portal.
pub(crate) async fn session(client: &Client<'_>, body: &Value) -> String {
    let begun = client.json("POST", "/v1/customer-sessions", body).await.expect(201);
    begun["token"].as_str().unwrap().to_owned()
}

/// The changed fields of an object, as a list of `name: value`.
pub(crate) fn difference(before: &Value, after: &Value) -> Value {
    let changed = after.as_object().unwrap().iter().filter(|(key, value)| before[key.as_str()] != **value);
    changed.map(|(key, value)| (key.clone(), value.clone())).collect::<serde_json::Map<_, _>>().into()
}
