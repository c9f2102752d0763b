//! An application with a clock of its own, asked through its gateway.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use serde_json::Value;
use tenantry_app::bootstrap::Bootstrap;
use tenantry_app::tokens::{TokenCreate, UserTokenCreate};
use tenantry_app::{App, HashKey, Requester, moments};
use tenantry_core::Timestamp;
use tenantry_core::ids::OrganizationId;
use tenantry_core::token::{Scope, Scopes};
use tenantry_core::values::{EmailAddress, OrganizationName, Slug};
use tenantry_http::{Config, Gateway};
use tenantry_testkit::Database;

const START: i64 = 1_800_000_000_000_000;

/// A clock that goes on by a microsecond each time it is read, and otherwise when it is told to.
#[derive(Clone)]
pub struct Clock(Arc<AtomicI64>);

impl Clock {
    pub fn advance_s(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    fn reading(&self) -> tenantry_app::Clock {
        self.behind_s(0)
    }

    fn behind_s(&self, seconds: i64) -> tenantry_app::Clock {
        let micros = Arc::clone(&self.0);
        Arc::new(move || Timestamp::from_micros(micros.fetch_add(1, Ordering::SeqCst) - seconds * 1_000_000))
    }
}

/// A running application with one organization and a token that may do everything.
pub struct World {
    pub clock: Clock,
    pub app: Arc<App>,
    pub token: String,
    pub organization: OrganizationId,
    pub hosts: Vec<String>,
    gateway: Gateway,
    key: HashKey,
    database: Database,
}

fn open(database: &Database, clock: &Clock, key: &HashKey, hosts: &[String]) -> Arc<App> {
    open_slow(database, clock, key, hosts, 0)
}

/// One whose every write lasts so many seconds.
fn open_slow(database: &Database, clock: &Clock, key: &HashKey, hosts: &[String], seconds: i64) -> Arc<App> {
    let store = database.open(moments(clock.behind_s(seconds)));
    Arc::new(App::new(store, clock.reading(), key.clone()).with_plain_http_hosts(hosts))
}

fn bootstrap(key: &HashKey) -> Bootstrap {
    Bootstrap {
        name: OrganizationName::parse("Acme").unwrap(),
        slug: Slug::parse("acme").unwrap(),
        owner_email: EmailAddress::parse("owner@acme.dev").unwrap(),
        customer_email: EmailAddress::parse("first@acme.dev").unwrap(),
        hash_key: key.clone(),
    }
}

impl World {
    /// A new one, whose webhooks may go to these hosts by plain HTTP.
    pub async fn new(hosts: &[String]) -> Self {
        let database = Database::of_environment();
        let (clock, key) = (Clock(Arc::new(AtomicI64::new(START))), HashKey::generate());
        let app = open(&database, &clock, &key, hosts);
        let first = app.write(bootstrap(&key)).await.unwrap().unwrap();
        let gateway = Gateway::new(Arc::clone(&app), Config::default());
        let token = first.issued.secret.expose().to_owned();
        let hosts = hosts.to_vec();
        Self { clock, app, token, organization: first.organization.id, hosts, gateway, key, database }
    }

    /// The same after a restart.
    pub async fn restart(self) -> Self {
        self.restart_slow(0).await
    }

    /// The same after a restart; from then on every write lasts so many seconds.
    pub async fn restart_slow(self, seconds: i64) -> Self {
        self.app.store().close().await;
        let app = open_slow(&self.database, &self.clock, &self.key, &self.hosts, seconds);
        let gateway = Gateway::new(Arc::clone(&app), Config::default());
        Self { app, gateway, ..self }
    }

    /// What a query finds, or changes, behind the application's back.
    pub fn texts(&self, sql: &str) -> Vec<String> {
        self.database.texts(sql)
    }

    /// Whether the database holds a text anywhere.
    pub fn holds(&self, text: &str) -> bool {
        self.database.holds(text)
    }

    /// A token of the organization with these scopes.
    pub async fn token_with(&self, scopes: &[&str]) -> String {
        let scopes: Vec<Scope> = scopes.iter().map(|scope| scope.parse::<Scope>().unwrap()).collect();
        let create = TokenCreate {
            by: Requester::system(),
            organization: self.organization,
            label: String::new(),
            scopes: Scopes::new(scopes),
            expires_in_s: None,
            hash_key: self.key.clone(),
        };
        self.app.write(create).await.unwrap().secret.expose().to_owned()
    }

    /// A token of a person.
    pub async fn token_of(&self, email: &str) -> String {
        let create = UserTokenCreate {
            by: tenantry_app::Requester::operator(),
            expires_in_s: None,
            email: EmailAddress::parse(email).unwrap(),
            scopes: Scopes::everything(),
            hash_key: self.key.clone(),
        };
        self.app.write(create).await.unwrap().secret.expose().to_owned()
    }

    /// Asks with a token; answers status and body.
    pub async fn ask(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request =
            Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let response = self
            .gateway
            .answer(request.body(body).unwrap(), std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST))
            .await;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Asks with the token that may do everything, for an answer of that status.
    pub async fn get(&self, path: &str) -> Value {
        self.expect(200, "GET", path, None).await
    }

    pub async fn expect(&self, status: u16, method: &str, path: &str, body: Option<Value>) -> Value {
        let (answered, value) = self.ask(&self.token, method, path, body).await;
        assert_eq!(answered, status, "{method} {path}: {value}");
        value
    }
}
