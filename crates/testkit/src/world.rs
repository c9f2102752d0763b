//! A whole Tenantry over a database of its own, called without a socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tenantry_app::console::{SignInComplete, SignInOutcome, UserRecover};
use tenantry_app::organizations::{OrganizationCreate, OwnerRef};
use tenantry_app::sub_accounts::SubAccountCreate;
use tenantry_app::tokens::{TokenCreate, UserTokenCreate};
use tenantry_app::{App, HashKey, Requester, Retention};
use tenantry_core::ExecutionContext;
use tenantry_core::console::Browser;
use tenantry_core::ids::{CustomerId, OrganizationId, UserId};
use tenantry_core::mail::{MailLimits, QueuedMail};
use tenantry_core::organization::{
    FeatureSettings, InitialState, NewOrganization, NewSubAccount, OrganizationChange,
};
use tenantry_core::token::{Scope, Scopes};
use tenantry_core::user::Language;
use tenantry_core::values::{EmailAddress, OrganizationName, Slug, Website};
use tenantry_http::{Config, Gateway, Limits};
use tenantry_store::{AuditRecord, Moments, doctor};

use crate::{Client, Clock, Database};

/// The largest body that the server takes, in bytes.
pub const BODY_LIMIT: usize = 64 << 10;
/// An origin of a browser application that may send credentials.
pub const TRUSTED_ORIGIN: &str = "https://app.example.com";

/// The settings of a [`World`].
#[derive(Debug, Clone)]
pub struct Settings {
    /// The limits of the server. By default `/readyz` asks the database each time.
    pub limits: Limits,
    /// Hosts that webhooks may be sent to over plain HTTP.
    pub plain_http_hosts: Vec<String>,
    /// The numbers of mails that are sent.
    pub mail_limits: MailLimits,
    /// The times for which old rows are kept.
    pub retention: Retention,
    /// Makes the pages for people.
    pub pages: Option<fn(Arc<App>) -> axum::Router>,
    /// The clock.
    pub clock: Clock,
    /// The duration of every write by the clock, in seconds.
    pub write_duration_s: i64,
}

impl Default for Settings {
    fn default() -> Self {
        let limits = Limits { body: BODY_LIMIT, ready_kept: Duration::ZERO, ..Limits::default() };
        Self {
            limits,
            plain_http_hosts: Vec::new(),
            mail_limits: MailLimits::default(),
            retention: Retention::default(),
            pages: None,
            clock: Clock::default(),
            write_duration_s: 0,
        }
    }
}

impl Settings {
    /// The default settings with these limits.
    #[must_use]
    pub fn with_limits(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    fn config(&self, app: &Arc<App>) -> Config {
        Config {
            pages: self.pages.map(|pages| pages(Arc::clone(app))).unwrap_or_default(),
            limits: self.limits.clone(),
            trusted_origins: vec![TRUSTED_ORIGIN.to_owned()],
            portal_url: "https://portal.example/".to_owned(),
            public_url: "https://tenantry.example".to_owned(),
            ..Config::default()
        }
    }
}

/// A running Tenantry: the application, the router in front of it, and the database below.
pub struct World {
    /// The use cases.
    pub app: Arc<App>,
    /// The router, as the server uses it.
    pub gateway: Gateway,
    /// The clock of the application.
    pub clock: Clock,
    settings: Settings,
    database: Arc<Database>,
    seeds: Arc<AtomicU64>,
}

/// An organization that the operator created.
#[derive(Debug, Clone)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Its slug.
    pub slug: String,
    /// The address of its owner.
    pub owner: String,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Settings::default())
    }

    /// An empty one with settings of its own.
    #[must_use]
    pub fn with(settings: Settings) -> Self {
        let (database, seeds) = (Arc::new(Database::of_environment()), Arc::default());
        let app = open(&database, &settings, &seeds);
        let gateway = Gateway::new(Arc::clone(&app), settings.config(&app));
        Self { app, gateway, clock: settings.clock.clone(), settings, database, seeds }
    }

    /// The same after a restart.
    pub async fn restart(self) -> Self {
        let settings = self.settings.clone();
        self.restart_with(settings).await
    }

    /// The same after a restart with these settings. The clock goes on.
    pub async fn restart_with(self, settings: Settings) -> Self {
        self.app.store().close().await;
        let settings = Settings { clock: self.clock.clone(), ..settings };
        let app = open(&self.database, &settings, &self.seeds);
        let gateway = Gateway::new(Arc::clone(&app), settings.config(&app));
        Self { app, gateway, settings, ..self }
    }

    /// Another node on the same database. `SQLite` has none: the same node stands in for it.
    #[must_use]
    pub fn other_node(&self) -> Self {
        let (app, gateway) = match *self.database {
            Database::Sqlite(_) => (Arc::clone(&self.app), self.gateway.clone()),
            Database::Postgres(_) => {
                let app = open(&self.database, &self.settings, &self.seeds);
                let gateway = Gateway::new(Arc::clone(&app), self.settings.config(&app));
                (app, gateway)
            }
        };
        let (clock, settings) = (self.clock.clone(), self.settings.clone());
        let (database, seeds) = (Arc::clone(&self.database), Arc::clone(&self.seeds));
        Self { app, gateway, clock, settings, database, seeds }
    }

    /// Moves the clock on, or back when `seconds` is negative.
    pub fn advance_s(&self, seconds: i64) {
        self.clock.advance_s(seconds);
    }

    /// The settings that it runs with.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The database below.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// An organization with the usual features; its owner is `owner@{slug}.example.com`.
    pub async fn organization(&self, slug: &str) -> Organization {
        self.organization_with(slug, FeatureSettings::for_new_organization()).await
    }

    /// The same with these features.
    pub async fn organization_with(&self, slug: &str, features: FeatureSettings) -> Organization {
        self.create_organization(slug, &format!("owner@{slug}.example.com"), features).await
    }

    /// An organization with the usual features and this owner.
    pub async fn organization_owned_by(&self, slug: &str, owner: &str) -> Organization {
        self.create_organization(slug, owner, FeatureSettings::for_new_organization()).await
    }

    async fn create_organization(&self, slug: &str, owner: &str, features: FeatureSettings) -> Organization {
        let created = self.app.write(OrganizationCreate {
            by: Requester::operator(),
            owner: OwnerRef::Email(EmailAddress::parse(owner).unwrap()),
            new: NewOrganization {
                name: OrganizationName::parse(slug).unwrap(),
                slug: Slug::parse(slug).unwrap(),
                change: OrganizationChange::default(),
            },
            initial: InitialState::for_operator(features),
        });
        Organization { id: created.await.unwrap().id, slug: slug.to_owned(), owner: owner.to_owned() }
    }

    /// A sub-account of an organization, with its parent's owner.
    pub async fn sub_account(&self, parent: &Organization, name: &str) -> OrganizationId {
        let created = self.app.write(SubAccountCreate {
            by: Requester::operator(),
            parent: parent.id,
            new: NewSubAccount {
                name: OrganizationName::parse(name).unwrap(),
                website: Website::parse("child.example.com").unwrap(),
                monthly_credit: 0,
            },
        });
        created.await.unwrap().organization.id
    }

    /// A client with a new token of the organization. `scopes` are split by spaces; `*` is every scope.
    pub async fn token(&self, organization: &Organization, scopes: &str) -> Client<'_> {
        self.token_until(organization, scopes, None).await
    }

    /// A client with a token of the organization that has expired.
    pub async fn expired_token(&self, organization: &Organization) -> Client<'_> {
        self.token_until(organization, "*", Some(-1)).await
    }

    /// A client with a token of the organization that expires after so many seconds, or never.
    pub async fn token_until(
        &self,
        organization: &Organization,
        scopes: &str,
        expires_in_s: Option<i64>,
    ) -> Client<'_> {
        let issued = self.app.write(TokenCreate {
            by: Requester::operator(),
            organization: organization.id,
            label: "test".to_owned(),
            scopes: parse_scopes(scopes),
            expires_in_s,
            hash_key: self.app.hash_key().clone(),
        });
        let issued = issued.await.unwrap();
        self.bearer(issued.secret.expose()).known_as(issued.token.id.uuid())
    }

    /// A client with a new token of the user with this address. `scopes` are split by spaces.
    pub async fn user(&self, email: &str, scopes: &str) -> Client<'_> {
        let issued = self.app.write(UserTokenCreate {
            by: Requester::operator(),
            email: EmailAddress::parse(email).unwrap(),
            scopes: parse_scopes(scopes),
            expires_in_s: None,
            hash_key: self.app.hash_key().clone(),
        });
        let issued = issued.await.unwrap();
        self.bearer(issued.secret.expose()).known_as(issued.token.user.uuid())
    }

    /// A client with a new token of the user with this address, who has proved the address.
    pub async fn proved_user(&self, email: &str, scopes: &str) -> Client<'_> {
        let client = self.user(email, scopes).await;
        let (user, hash_key) = (UserId::new(client.actor()), self.app.hash_key().clone());
        let secret = self.app.write(UserRecover { user, hash_key: hash_key.clone() }).await.unwrap();
        // Always the same browser, so that no mail tells of a new one.
        let browser = Browser { mark: Some("0".repeat(64)), ..Browser::default() };
        let (code, request_id) = (String::new(), None);
        let (secret, language) = (secret.expose().to_owned(), Language::English);
        let complete = SignInComplete { secret, code, browser, language, request_id, hash_key };
        assert!(matches!(self.app.write(complete).await.unwrap(), SignInOutcome::SignedIn(_)));
        client
    }

    /// A client without credentials.
    #[must_use]
    pub fn anonymous(&self) -> Client<'_> {
        Client::new(self, None)
    }

    /// A client with this bearer token.
    #[must_use]
    pub fn bearer(&self, token: &str) -> Client<'_> {
        Client::new(self, Some(token.to_owned()))
    }

    /// The mail that is due now, oldest first. Each is returned once.
    pub async fn mail(&self) -> Vec<QueuedMail> {
        let mut mails = Vec::new();
        loop {
            let taken = self.app.lease_mails(None).await.unwrap();
            if taken.is_empty() {
                return mails;
            }
            for mail in &taken {
                self.app.delete_mail(mail).await.unwrap();
            }
            mails.extend(taken);
        }
    }

    /// The id of the first pending webhook event about a customer.
    pub async fn pending_event(&self, organization: &Organization, customer: &str) -> String {
        let mut reader = self.app.store().reader().unwrap();
        let mut tx = reader.tx().unwrap();
        let customer = CustomerId::new(customer.parse().unwrap());
        tx.webhook_events_lock(organization.id, customer).await.unwrap()[0].0.to_string()
    }

    /// Every row that breaks an invariant, as the doctor prints it.
    pub async fn findings(&self) -> Vec<String> {
        let mut snapshot = self.app.store().snapshot().await.unwrap();
        let mut found = Vec::new();
        let report = |finding: doctor::Finding| found.push(finding.to_string());
        doctor::inspect(&mut snapshot.tx().unwrap(), report).await.unwrap();
        found
    }

    /// The organization's audit entries, oldest first.
    pub async fn audit(&self, organization: &Organization) -> Vec<AuditRecord> {
        let mut reader = self.app.store().reader().unwrap();
        let mut tx = reader.tx().unwrap();
        tx.audit_log(organization.id).await.unwrap()
    }
}

/// Opens the database. A write gets a time that is behind the clock by its duration.
fn open(database: &Database, settings: &Settings, seeds: &Arc<AtomicU64>) -> Arc<App> {
    let (began, seeds) = (settings.clock.reading_behind_s(settings.write_duration_s), Arc::clone(seeds));
    let moments: Moments = Arc::new(move || {
        let mut seed = [7; 32];
        seed[..8].copy_from_slice(&seeds.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        ExecutionContext::new(began(), seed)
    });
    let app = App::new(database.open(moments), settings.clock.reading(), HashKey::new([7; 32]));
    let app = app.with_plain_http_hosts(&settings.plain_http_hosts).with_mail_limits(settings.mail_limits);
    let app = app.with_retention(settings.retention);
    Arc::new(app)
}

fn parse_scopes(names: &str) -> Scopes {
    Scopes::new(names.split_whitespace().map(|name| name.parse::<Scope>().unwrap()).collect())
}
