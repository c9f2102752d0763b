//! The mail worker on a real database, with a directory as its mail server and a clock set by hand.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tenantry_app::customers::CustomerCreate;
use tenantry_app::email_updates::EmailUpdateRequest;
use tenantry_app::members::CustomerRef;
use tenantry_app::organizations::{OrganizationCreate, OrganizationUpdate, OwnerRef};
use tenantry_app::sessions::SessionCreate;
use tenantry_app::team::TeamMemberAdd;
use tenantry_app::tokens::TokenCreate;
use tenantry_app::{App, Clock, HashKey, Requester, moments};
use tenantry_core::customer::{CustomerKind, NewCustomer};
use tenantry_core::ids::OrganizationId;
use tenantry_core::organization::{
    CustomerPortalSettings, FeatureSettings, InitialState, NewOrganization, OrganizationChange,
    PortalCustomer,
};
use tenantry_core::team::{NewTeamMember, TeamRole};
use tenantry_core::token::Scopes;
use tenantry_core::values::{EmailAddress, OrganizationName, Slug};
use tenantry_core::values::{HttpUrl, Metadata};
use tenantry_core::{Patch, Timestamp};
use tenantry_outbound::mail::Mailer;
use tenantry_testkit::Database;
use tenantry_worker::mail::MailWorker;
use tokio::sync::watch;

struct World {
    app: Arc<App>,
    clock: Arc<AtomicI64>,
    database: Database,
    directory: tempfile::TempDir,
    organization: OrganizationId,
}

fn open(database: &Database, clock: &Arc<AtomicI64>) -> Arc<App> {
    open_slow(database, clock, 0)
}

/// An application whose every write lasts so many seconds.
fn open_slow(database: &Database, clock: &Arc<AtomicI64>, seconds: i64) -> Arc<App> {
    let behind = |seconds: i64| -> Clock {
        let told = Arc::clone(clock);
        Arc::new(move || Timestamp::from_micros(told.load(Ordering::SeqCst) - seconds * 1_000_000))
    };
    let store = database.open(moments(behind(seconds)));
    Arc::new(App::new(store, behind(0), HashKey::new([7; 32])))
}

fn email(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

impl World {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(1_795_219_200_000_000));
        let database = Database::of_environment();
        let app = open(&database, &clock);
        let create = OrganizationCreate {
            by: Requester::operator(),
            owner: OwnerRef::Email(email("owner@x.dev")),
            new: NewOrganization {
                name: OrganizationName::parse("Acme").unwrap(),
                slug: Slug::parse("acme").unwrap(),
                change: OrganizationChange::default(),
            },
            initial: InitialState::for_operator(FeatureSettings::default()),
        };
        let organization = app.write(create).await.unwrap().id;
        Self { app, clock, database, directory, organization }
    }

    fn advance(&self, seconds: i64) {
        self.clock.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    async fn add(&self, address: &str) {
        let new = NewTeamMember { email: email(address), name: None, role: TeamRole::BillingManager };
        let add = TeamMemberAdd { by: Requester::operator(), organization: self.organization, new };
        self.app.write(add).await.unwrap();
    }

    fn worker(&self) -> MailWorker {
        self.worker_with(None)
    }

    fn worker_with(&self, portal: Option<&str>) -> MailWorker {
        let mailer = Mailer::Directory(self.directory.path().join("mail"));
        let portal = portal.map(|url| HttpUrl::parse(url).unwrap());
        MailWorker::new(Arc::clone(&self.app), mailer, "Tenantry <no-reply@x.dev>", portal)
    }

    /// Who acts with this secret.
    async fn by(&self, secret: &str) -> Requester {
        Requester::caller(&self.app.authenticate(secret).await.unwrap(), None)
    }

    /// A customer asks for another address.
    async fn ask_for_address(&self, address: &str) {
        let (organization, hash_key) = (self.organization, self.app.hash_key().clone());
        let token = TokenCreate {
            by: Requester::operator(),
            organization,
            label: String::new(),
            scopes: Scopes::everything(),
            expires_in_s: None,
            hash_key: hash_key.clone(),
        };
        let token = self.app.write(token).await.unwrap();
        let by = self.by(token.secret.expose()).await;
        let allowed = PortalCustomer { allow_email_change: Some(true) };
        let settings =
            CustomerPortalSettings { customer: Some(allowed), ..CustomerPortalSettings::default() };
        let change = OrganizationChange {
            customer_portal_settings: Patch::Value(settings),
            ..OrganizationChange::default()
        };
        self.app.write(OrganizationUpdate { by: by.clone(), id: organization, change }).await.unwrap();
        let new = NewCustomer {
            kind: CustomerKind::Individual,
            email: Some(email("ada@x.dev")),
            name: None,
            external_id: None,
            metadata: Metadata::default(),
            billing_address: None,
            tax_id: None,
            locale: None,
            owner: None,
        };
        let create = CustomerCreate { by: by.clone(), organization: None, new };
        let customer = CustomerRef::Id(self.app.write(create).await.unwrap().id);
        let begin =
            SessionCreate { by, customer, member: None, return_url: None, hash_key: hash_key.clone() };
        let session = self.app.write(begin).await.unwrap();
        let by = self.by(session.secret.expose()).await;
        self.app.write(EmailUpdateRequest { by, email: email(address), hash_key }).await.unwrap();
    }

    /// The mails that were handed over, by file name.
    fn sent(&self) -> Vec<(String, String)> {
        let Ok(files) = std::fs::read_dir(self.directory.path().join("mail")) else { return Vec::new() };
        let mut mails: Vec<(String, String)> = files
            .map(|file| file.unwrap())
            // A mail that is being written has another name until it is whole.
            .filter(|file| file.path().extension().is_some_and(|kind| kind == "eml"))
            .map(|file| {
                let name = file.file_name().to_string_lossy().into_owned();
                (name, std::fs::read_to_string(file.path()).unwrap())
            })
            .collect();
        mails.sort();
        mails
    }

    /// Stands where the directory should: nothing can be handed over.
    fn block(&self) {
        std::fs::write(self.directory.path().join("mail"), "").unwrap();
    }

    fn unblock(&self) {
        std::fs::remove_file(self.directory.path().join("mail")).unwrap();
    }

    async fn waiting(&self) -> bool {
        self.app.next_mail_due().await.unwrap().is_some()
    }
}

#[tokio::test]
async fn what_waits_is_sent_once_and_forgotten() {
    let world = World::new().await;
    for number in 0..20 {
        world.add(&format!("jo{number}@x.dev")).await;
    }
    world.worker().send_due().await.unwrap();
    let sent = world.sent();
    assert_eq!(sent.len(), 20);
    let (name, mail) = &sent[0];
    let id = name.strip_suffix(".eml").unwrap();
    assert!(mail.contains(&format!("Message-ID: <{id}@x.dev>")), "{mail}");
    assert!(mail.contains("Acme") && mail.contains("Billing Manager"), "{mail}");
    assert!(!world.waiting().await);
    std::fs::remove_dir_all(world.directory.path().join("mail")).unwrap();
    world.worker().send_due().await.unwrap();
    assert!(world.sent().is_empty());
}

#[tokio::test]
async fn what_cannot_be_sent_is_tried_again_later() {
    let world = World::new().await;
    world.add("jo@x.dev").await;
    world.block();
    let sleep = world.worker().send_due().await.unwrap();
    assert!(sleep <= Duration::from_secs(5) && world.waiting().await);
    let first = world.app.next_mail_due().await.unwrap();
    world.unblock();
    // Not before its time.
    world.worker().send_due().await.unwrap();
    assert!(world.sent().is_empty());
    assert_eq!(world.app.next_mail_due().await.unwrap(), first);
    world.advance(40);
    world.worker().send_due().await.unwrap();
    assert_eq!(world.sent().len(), 1);
    assert!(!world.waiting().await);
}

#[tokio::test]
async fn waits_grow_and_end() {
    let world = World::new().await;
    world.add("jo@x.dev").await;
    world.block();
    let mut waits = Vec::new();
    loop {
        world.worker().send_due().await.unwrap();
        let Some(due) = world.app.next_mail_due().await.unwrap() else { break };
        let wait = world.app.now().seconds_until(due);
        waits.push(wait);
        world.advance(i64::try_from(wait).unwrap());
    }
    assert_eq!(waits.len(), 9, "{waits:?}");
    for (wait, plain) in waits.iter().zip([30, 60, 120, 240, 480, 960, 1920, 3600, 3600]) {
        assert!((plain..=plain + plain / 4 + 1).contains(wait), "{waits:?}");
    }
}

#[tokio::test]
async fn mail_survives_the_process_and_its_death_while_sending() {
    let mut world = World::new().await;
    world.add("jo@x.dev").await;
    let taken = world.app.lease_mails().await.unwrap();
    let id = taken[0].id;
    world.app.store().close().await;
    world.app = open(&world.database, &world.clock);
    // Whoever took it may still be at it.
    world.worker().send_due().await.unwrap();
    assert!(world.sent().is_empty() && world.waiting().await);
    world.advance(19);
    world.worker().send_due().await.unwrap();
    assert!(world.sent().is_empty() && world.waiting().await);
    world.advance(1);
    world.worker().send_due().await.unwrap();
    let sent = world.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].0, format!("{id}.eml"));
}

#[tokio::test]
async fn a_mail_that_was_taken_and_never_tried_has_all_its_attempts() {
    let world = World::new().await;
    world.add("jo@x.dev").await;
    for _ in 0..12 {
        assert_eq!(world.app.lease_mails().await.unwrap().len(), 1);
        world.advance(20);
    }
    world.block();
    world.worker().send_due().await.unwrap();
    assert_eq!(world.app.now().seconds_until(world.app.next_mail_due().await.unwrap().unwrap()) / 10, 3);
}

#[tokio::test]
async fn a_mail_that_was_taken_slowly_is_left_to_whoever_takes_it_next() {
    let mut world = World::new().await;
    world.add("jo@x.dev").await;
    world.advance(60);
    // Handing one over may take 15 s, and it is held for 20 s.
    for (seconds, sent) in [(6, 0), (4, 1)] {
        world.app.store().close().await;
        world.app = open_slow(&world.database, &world.clock, seconds);
        world.worker().send_due().await.unwrap();
        assert_eq!(world.sent().len(), sent);
        world.advance(20);
    }
}

#[tokio::test]
async fn whoever_has_lost_a_mail_decides_nothing_about_it() {
    let world = World::new().await;
    world.add("jo@x.dev").await;
    let mut lost = world.app.lease_mails().await.unwrap();
    world.advance(20);
    assert_eq!(world.app.lease_mails().await.unwrap().len(), 1, "by another");
    let held = world.app.next_mail_due().await.unwrap();
    world.app.postpone_mail(lost.remove(0)).await.unwrap();
    assert_eq!(world.app.next_mail_due().await.unwrap(), held);
}

#[tokio::test]
async fn a_letter_of_a_newer_program_holds_up_no_other() {
    let world = World::new().await;
    world.add("jo@x.dev").await;
    world.add("mo@x.dev").await;
    let rewrite = |from: &str, to: &str| {
        let of = "WHERE recipient = 'jo@x.dev'";
        let _ = world
            .database
            .texts(&format!("UPDATE mails SET content = replace(content, '{from}', '{to}') {of}"));
    };
    rewrite("team_member_added", "team_member_invented");
    world.worker().send_due().await.unwrap();
    assert_eq!(world.sent().len(), 1);
    assert!(world.sent()[0].1.contains("To: mo@x.dev"));
    rewrite("team_member_invented", "team_member_added");
    world.worker().send_due().await.unwrap();
    assert_eq!(world.sent().len(), 1, "it is not tried all the time");
    world.advance(60);
    world.worker().send_due().await.unwrap();
    assert_eq!(world.sent().len(), 2);
    assert!(!world.waiting().await);
}

#[tokio::test]
async fn a_mail_that_nobody_can_get_is_given_up() {
    let world = World::new().await;
    world.add("jo@x.dev").await;
    let mailer = Mailer::Directory(world.directory.path().join("mail"));
    let worker = MailWorker::new(Arc::clone(&world.app), mailer, "no sender", None);
    worker.send_due().await.unwrap();
    assert!(world.sent().is_empty() && !world.waiting().await);
}

#[tokio::test]
async fn the_worker_wakes_for_each_mail_and_stops_when_told() {
    let world = World::new().await;
    let (stop, stopped) = watch::channel(false);
    let worker = world.worker();
    let work = async {
        for number in 1..=10 {
            world.add(&format!("jo{number}@x.dev")).await;
            // The signal of the commit wakes the worker: alone it would look too seldom to be done in time.
            while world.sent().len() < number || world.waiting().await {
                tokio::task::yield_now().await;
            }
        }
        stop.send_replace(true);
    };
    let done = async { tokio::join!(worker.run(stopped), work) };
    tokio::time::timeout(Duration::from_secs(20), done).await.unwrap();
    assert_eq!(world.sent().len(), 10);
}

/// The plain text of a mail as people read it: soft line breaks and their like undone.
fn readable(mail: &str) -> String {
    mail.replace("=\r\n", "").replace("=3D", "=")
}

#[tokio::test]
async fn a_secret_reaches_its_reader_as_a_token_or_a_link() {
    for (portal, form) in [
        (None, "\r\n    tenantry_cev_"),
        (
            Some("https://portal.example/"),
            "https://portal.example/acme/portal/email-update?token=tenantry_cev_",
        ),
    ] {
        let world = World::new().await;
        world.ask_for_address("new@x.dev").await;
        assert!(!world.database.traces("tenantry_cev_"));
        world.worker_with(portal).send_due().await.unwrap();
        let sent = world.sent();
        assert_eq!(sent.len(), 1);
        assert!(sent[0].1.contains("To: new@x.dev"));
        assert!(readable(&sent[0].1).contains(form), "{}", sent[0].1);
    }
}

#[tokio::test]
async fn a_secret_that_lapsed_is_not_sent() {
    let world = World::new().await;
    world.ask_for_address("new@x.dev").await;
    world.advance(30 * 60);
    world.worker().send_due().await.unwrap();
    assert!(world.sent().is_empty() && !world.waiting().await);
}
