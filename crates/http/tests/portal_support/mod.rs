//! An organization behind the real router, a clock that is set by hand, and what a client would send.

#![allow(dead_code, reason = "each file of transcripts uses a part")]

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tenantry_app::organizations::{OrganizationCreate, OwnerRef};
use tenantry_app::tokens::{TokenCreate, UserTokenCreate};
use tenantry_app::{App, Clock, HashKey, Requester, moments};
use tenantry_core::Timestamp;
use tenantry_core::ids::OrganizationId;
use tenantry_core::mail::QueuedMail;
use tenantry_core::organization::{FeatureSettings, InitialState, NewOrganization, OrganizationChange};
use tenantry_core::token::Scopes;
use tenantry_core::values::{EmailAddress, OrganizationName, Slug};
use tenantry_http::{Config, Gateway};
use tenantry_testkit::Database;

/// 2026-11-21, a whole second.
const START: i64 = 1_795_219_200_000_000;

pub(crate) struct World {
    pub(crate) app: Arc<App>,
    gateway: Gateway,
    clock: Arc<AtomicI64>,
    _database: Database,
}

/// An organization and a token of it that may do everything.
pub(crate) struct Tenant<'w> {
    pub(crate) world: &'w World,
    pub(crate) id: OrganizationId,
    pub(crate) slug: String,
    pub(crate) token: String,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// Where a validation answer finds fault: `type` and `loc`, joined.
    pub(crate) fn faults(&self) -> Vec<String> {
        let Some(detail) = self.body["detail"].as_array() else { return Vec::new() };
        let place = |loc: &Value| {
            let steps = loc.as_array().unwrap().iter();
            steps.map(|step| step.to_string().trim_matches('"').to_owned()).collect::<Vec<_>>().join(".")
        };
        detail.iter().map(|one| format!("{} {}", one["type"].as_str().unwrap(), place(&one["loc"]))).collect()
    }

    /// The body, where the status is as expected.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// Asserts a refusal of what was sent.
    #[track_caller]
    pub(crate) fn refuses(&self, faults: &[&str]) {
        assert_eq!(self.status, 422, "{}", self.body);
        assert_eq!(self.faults(), faults);
    }

    /// Asserts status and `error`.
    #[track_caller]
    pub(crate) fn fails(&self, status: u16, error: &str) {
        assert_eq!((self.status, self.body["error"].as_str()), (status, Some(error)), "{}", self.body);
    }
}

pub(crate) fn both() -> FeatureSettings {
    FeatureSettings {
        member_model_enabled: true,
        seat_based_pricing_enabled: true,
        ..FeatureSettings::default()
    }
}

pub(crate) fn seats_only() -> FeatureSettings {
    FeatureSettings { seat_based_pricing_enabled: true, ..FeatureSettings::default() }
}

impl World {
    pub(crate) fn new() -> Self {
        let database = Database::of_environment();
        let clock = Arc::new(AtomicI64::new(START));
        let told = Arc::clone(&clock);
        let tell: Clock = Arc::new(move || Timestamp::from_micros(told.fetch_add(1, Ordering::SeqCst)));
        let store = database.open(moments(Arc::clone(&tell)));
        let app = Arc::new(App::new(store, tell, HashKey::new([7; 32])));
        let config = Config { portal_url: "https://portal.example/".to_owned(), ..Config::default() };
        let gateway = Gateway::new(Arc::clone(&app), config);
        Self { app, gateway, clock, _database: database }
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.clock.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    pub(crate) async fn tenant(&self, slug: &str, features: FeatureSettings) -> Tenant<'_> {
        let create = OrganizationCreate {
            by: Requester::operator(),
            owner: OwnerRef::Email(email(&format!("owner@{slug}.example"))),
            new: NewOrganization {
                name: OrganizationName::parse(slug).unwrap(),
                slug: Slug::parse(slug).unwrap(),
                change: OrganizationChange::default(),
            },
            initial: InitialState::for_operator(features),
        };
        let id = self.app.write(create).await.unwrap().id;
        let create = TokenCreate {
            by: Requester::operator(),
            organization: id,
            label: String::new(),
            scopes: Scopes::everything(),
            expires_in_s: None,
            hash_key: self.app.hash_key().clone(),
        };
        let token = self.app.write(create).await.unwrap().secret.expose().to_owned();
        Tenant { world: self, id, slug: slug.to_owned(), token }
    }

    /// A token of a person.
    pub(crate) async fn person(&self, address: &str) -> String {
        let create = UserTokenCreate {
            by: tenantry_app::Requester::operator(),
            expires_in_s: None,
            email: email(address),
            scopes: Scopes::everything(),
            hash_key: self.app.hash_key().clone(),
        };
        self.app.write(create).await.unwrap().secret.expose().to_owned()
    }

    pub(crate) async fn call(&self, method: &str, path: &str, token: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = match body {
            Some(body) => {
                request.header(CONTENT_TYPE, "application/json").body(Body::from(body.to_string())).unwrap()
            }
            None => request.body(Body::empty()).unwrap(),
        };
        let response =
            self.gateway.answer(request, std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Answer { status, headers, body }
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.call("GET", path, token, None).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call("POST", path, token, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call("PATCH", path, token, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str, token: &str) -> Answer {
        self.call("DELETE", path, token, None).await
    }

    /// The mail that waits now, oldest first, each taken once.
    pub(crate) async fn mail(&self) -> Vec<QueuedMail> {
        let mut mails = Vec::new();
        loop {
            let taken = self.app.lease_mails().await.unwrap();
            if taken.is_empty() {
                return mails;
            }
            for mail in &taken {
                self.app.delete_mail(mail).await.unwrap();
            }
            mails.extend(taken);
        }
    }
}

impl Tenant<'_> {
    pub(crate) async fn team(&self, address: &str) -> Value {
        let body = json!({"type": "team", "email": address, "name": "A team"});
        self.world.post("/v1/customers", &self.token, body).await.expect(201)
    }

    pub(crate) async fn individual(&self, address: &str) -> Value {
        self.world
            .post("/v1/customers", &self.token, json!({"email": address, "name": "Ada"}))
            .await
            .expect(201)
    }

    /// Adds a member; its id.
    pub(crate) async fn member(&self, customer: &Value, address: &str, role: &str) -> String {
        let path = format!("/v1/customers/{}/members", customer["id"].as_str().unwrap());
        let made = self.world.post(&path, &self.token, json!({"email": address, "role": role})).await;
        made.expect(201)["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn owner(&self, customer: &Value) -> String {
        let path = format!("/v1/members?role=owner&customer_id={}", customer["id"].as_str().unwrap());
        let found = self.world.get(&path, &self.token).await.expect(200);
        found["items"][0]["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn begin(&self, body: Value) -> Answer {
        self.world.post("/v1/customer-sessions/", &self.token, body).await
    }

    /// The token of a new session.
    pub(crate) async fn session(&self, body: Value) -> String {
        self.begin(body).await.expect(201)["token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn member_session(&self, customer: &Value, member: &str) -> String {
        self.session(json!({"customer_id": customer["id"], "member_id": member})).await
    }

    pub(crate) async fn set(&self, change: Value) {
        self.world.patch(&format!("/v1/organizations/{}", self.id), &self.token, change).await.expect(200);
    }

    pub(crate) async fn allow_email_change(&self) {
        let settings = json!({
            "usage": {"show": true},
            "subscription": {"update_seats": true, "update_plan": true},
            "customer": {"allow_email_change": true}
        });
        self.set(json!({"customer_portal_settings": settings})).await;
    }
}

fn email(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

static CONTRACT: LazyLock<Value> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/contracts/facts/polar-2026-04.openapi.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
});

/// Asserts that `body` is what the published contract calls `name`.
#[track_caller]
pub(crate) fn conforms(name: &str, body: &Value) {
    let schema =
        json!({"$ref": format!("#/components/schemas/{name}"), "components": CONTRACT["components"]});
    let validator = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<String> = validator.iter_errors(body).map(|error| error.to_string()).collect();
    assert!(faults.is_empty(), "{name}: {faults:?} in {body}");
}
