//! A whole Tenantry over a database of its own, asked without a network.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde_json::Value;
use tenantry_app::organizations::{OrganizationCreate, OwnerRef};
use tenantry_app::tokens::{TokenCreate, UserTokenCreate};
use tenantry_app::{App, Clock, HashKey, Requester, moments};
use tenantry_core::Timestamp;
use tenantry_core::ids::OrganizationId;
use tenantry_core::organization::{FeatureSettings, InitialState, NewOrganization, OrganizationChange};
use tenantry_core::token::{Scope, Scopes};
use tenantry_core::values::{EmailAddress, OrganizationName, Slug};
use tenantry_http::{Config, Gateway};
use tenantry_testkit::Database;

pub(crate) struct World {
    database: Database,
    micros: Arc<AtomicI64>,
    pub(crate) app: Arc<App>,
    gateway: Gateway,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{self:?}"))
    }

    /// The JSON of an answer that must have this status.
    pub(crate) fn is(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// The `error` of an answer that must have this status.
    pub(crate) fn error(self, status: u16) -> String {
        self.is(status)["error"].as_str().unwrap().to_owned()
    }

    /// `type` and `loc` of the one thing that is wrong.
    pub(crate) fn fault(self) -> (String, String) {
        let body = self.is(422);
        let detail = body["detail"].as_array().unwrap();
        assert_eq!(detail.len(), 1, "{body}");
        let loc: Vec<String> = detail[0]["loc"]
            .as_array()
            .unwrap()
            .iter()
            .map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned))
            .collect();
        (detail[0]["type"].as_str().unwrap().to_owned(), loc.join("."))
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let database = Database::of_environment();
        let micros = Arc::new(AtomicI64::new(1_800_000_000_000_000));
        let ticking = Arc::clone(&micros);
        // Every look at the clock is a moment later than the one before.
        let clock: Clock =
            Arc::new(move || Timestamp::from_micros(ticking.fetch_add(1_000, Ordering::Relaxed)));
        let store = database.open(moments(Arc::clone(&clock)));
        let app = Arc::new(App::new(store, clock, HashKey::generate()));
        let gateway = Gateway::new(Arc::clone(&app), Config::default());
        Self { database, micros, app, gateway }
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.micros.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }

    pub(crate) const fn database(&self) -> &Database {
        &self.database
    }

    pub(crate) async fn organization(&self, slug: &str, owner: &str) -> OrganizationId {
        let create = OrganizationCreate {
            by: Requester::operator(),
            owner: OwnerRef::Email(EmailAddress::parse(owner).unwrap()),
            new: NewOrganization {
                name: OrganizationName::parse(slug).unwrap(),
                slug: Slug::parse(slug).unwrap(),
                change: OrganizationChange::default(),
            },
            initial: InitialState::for_operator(FeatureSettings::for_new_organization()),
        };
        self.app.write(create).await.unwrap().id
    }

    /// A token of the organization with these scopes.
    pub(crate) async fn token(&self, organization: OrganizationId, scopes: &[&str]) -> String {
        let scopes: Vec<Scope> = scopes.iter().map(|scope| scope.parse().unwrap()).collect();
        let create = TokenCreate {
            by: Requester::operator(),
            organization,
            label: "test".to_owned(),
            scopes: Scopes::new(scopes),
            expires_in_s: None,
            hash_key: self.app.hash_key().clone(),
        };
        self.app.write(create).await.unwrap().secret.expose().to_owned()
    }

    /// A token of the person, with these scopes.
    pub(crate) async fn person(&self, email: &str, scopes: &[&str]) -> String {
        let scopes: Vec<Scope> = scopes.iter().map(|scope| scope.parse().unwrap()).collect();
        let create = UserTokenCreate {
            by: tenantry_app::Requester::operator(),
            expires_in_s: None,
            email: EmailAddress::parse(email).unwrap(),
            scopes: Scopes::new(scopes),
            hash_key: self.app.hash_key().clone(),
        };
        self.app.write(create).await.unwrap().secret.expose().to_owned()
    }

    pub(crate) async fn send(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let response = self.gateway.answer(request.body(body).unwrap(), [127, 0, 0, 1].into()).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Answer {
        self.send(token, "GET", path, None).await
    }

    pub(crate) async fn post(&self, token: &str, path: &str, body: Value) -> Answer {
        self.send(token, "POST", path, Some(body)).await
    }

    pub(crate) async fn patch(&self, token: &str, path: &str, body: Value) -> Answer {
        self.send(token, "PATCH", path, Some(body)).await
    }

    pub(crate) async fn delete(&self, token: &str, path: &str) -> Answer {
        self.send(token, "DELETE", path, None).await
    }
}
