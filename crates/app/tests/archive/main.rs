//! All data at once: a backup restores to what was backed up, a copy is the same, and whoever fails leaves
//! an empty database.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;
use tenantry_app::archive::{self, ArchiveError, Checked, Restored};
use tenantry_app::bootstrap::Bootstrap;
use tenantry_app::webhooks::WebhookEndpointCreate;
use tenantry_app::{App, Error, HashKey, KeyCheck, Requester};
use tenantry_core::ids::{MailId, OrganizationId};
use tenantry_core::mail::{MailContent, QueuedMail};
use tenantry_core::team::TeamRole;
use tenantry_core::webhook::{EndpointUrl, EventType, NewEndpoint, WebhookFormat};
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{Catalog, Store, Tx, UseCase, doctor};
use tenantry_testkit::Database as Stored;

mod by_hand;
mod hostile;

use by_hand::{JANE, JANET, written};

/// A database of one test on the engine that the environment names, and a folder, gone with it.
struct Database {
    stored: Stored,
    folder: TempDir,
    ticks: Arc<AtomicU64>,
}

impl Database {
    fn new() -> Self {
        Self { stored: Stored::of_environment(), folder: tempfile::tempdir().unwrap(), ticks: Arc::default() }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open(&self) -> Store {
        let ticks = Arc::clone(&self.ticks);
        self.stored.open(Arc::new(move || {
            let tick = ticks.fetch_add(1, Ordering::Relaxed);
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&tick.to_be_bytes());
            ExecutionContext::new(Timestamp::from_micros(1_000_000 + i64::try_from(tick).unwrap()), seed)
        }))
    }

    fn sql(&self, sql: &str) {
        match &self.stored {
            Stored::Sqlite(directory) => {
                let file = directory.path().join("tenantry.db");
                rusqlite::Connection::open(file).unwrap().execute_batch(sql).unwrap();
            }
            Stored::Postgres(database) => drop(database.query(sql)),
        }
    }

    /// Has nobody take the mark away while this is so.
    fn keep_mark(&self, so: &str) {
        match &self.stored {
            Stored::Sqlite(_) => self.sql(&format!(
                "DROP TRIGGER IF EXISTS keep;
                 CREATE TRIGGER keep BEFORE DELETE ON installation WHEN old.name = 'unfinished_load'
                 BEGIN SELECT RAISE(ABORT, 'kept') {so}; END"
            )),
            Stored::Postgres(_) => self.sql(&format!(
                "DROP TRIGGER IF EXISTS keep ON installation;
                 CREATE OR REPLACE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                    IF old.name = 'unfinished_load' AND (SELECT count(*) FROM (SELECT 1 {so}) AS found) > 0
                    THEN RAISE EXCEPTION 'kept'; END IF;
                    RETURN old; END $$;
                 CREATE TRIGGER keep BEFORE DELETE ON installation FOR EACH ROW EXECUTE FUNCTION keep()"
            )),
        }
    }

    fn count(&self, what: &str) -> i64 {
        self.stored.texts(&format!("SELECT CAST(count(*) AS text) FROM {what}"))[0].parse().unwrap()
    }

    /// Every row of every table that is moved.
    fn dump(&self) -> Vec<String> {
        let rows = self.stored.rows().into_iter();
        rows.filter(|row| !row.starts_with("schema_migrations")).collect()
    }
}

/// Keeps something in `installation`.
struct Keep(&'static str);

impl UseCase for Keep {
    type Output = ();
    type Error = Error;

    async fn run(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<(), Error> {
        Ok(tx.installation_value_ensure(self.0, b"1").await.map(|_| ())?)
    }
}

fn key() -> HashKey {
    HashKey::new([7; 32])
}

struct Mail(OrganizationId);

impl UseCase for Mail {
    type Output = ();
    type Error = Error;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let mail = QueuedMail {
            id: MailId::new(context.uuid()),
            organization: self.0,
            created_at: context.now(),
            expires_at: None,
            to: "somebody@example.com".parse().unwrap(),
            content: MailContent::TeamMemberAdded {
                organization: "One".to_owned(),
                role: TeamRole::Developer,
                inviter: None,
            },
            sealed: None,
            due_at: context.now(),
            attempts: 0,
        };
        Ok(tx.mail_insert(&mail).await?)
    }
}

/// An organization with a customer, a token, an endpoint, events and a mail that wait.
async fn fill(database: &Database) -> App {
    let app = App::new(database.open(), Arc::new(|| Timestamp::from_micros(9_000_000)), key());
    assert!(app.write(KeyCheck { hash_key: key() }).await.unwrap());
    let first = Bootstrap {
        name: "My Organization".parse().unwrap(),
        slug: "my-organization".parse().unwrap(),
        owner_email: "owner@example.com".parse().unwrap(),
        customer_email: "team@example.com".parse().unwrap(),
        hash_key: key(),
    };
    let organization = app.write(first).await.unwrap().unwrap().organization.id;
    let endpoint = WebhookEndpointCreate {
        by: Requester::operator(),
        organization: Some(organization),
        new: NewEndpoint {
            url: EndpointUrl::from_stored("https://hooks.example.com/".to_owned()),
            name: None,
            format: WebhookFormat::Raw,
            secret: None,
            events: vec![EventType::CustomerCreated],
        },
    };
    app.write(endpoint).await.unwrap();
    for number in 0..3 {
        let new = tenantry_app::customers::CustomerCreate {
            by: Requester::operator(),
            organization: Some(organization),
            new: tenantry_core::customer::NewCustomer {
                kind: tenantry_core::customer::CustomerKind::Team,
                email: Some(format!("customer{number}@example.com").parse().unwrap()),
                name: None,
                external_id: None,
                metadata: serde_json::from_str(r#"{"plan": "gold \" \u2028", "seats": 3}"#).unwrap(),
                billing_address: None,
                tax_id: None,
                locale: None,
                owner: None,
            },
        };
        app.write(new).await.unwrap();
    }
    app.write(Mail(organization)).await.unwrap();
    app
}

async fn backup(store: &Store) -> Vec<u8> {
    let mut out = Vec::new();
    archive::backup(store, &mut out, Timestamp::from_micros(5), "test", &mut |_| ()).await.unwrap();
    out
}

fn checked(database: &Database, data: &[u8]) -> Result<Checked, ArchiveError> {
    let path = database.file("backup.jsonl");
    fs::write(&path, data).unwrap();
    archive::check(&path, &mut |_| ())
}

async fn restore(store: &Store, checked: &Checked, keep_pending: bool) -> Result<Restored, ArchiveError> {
    archive::restore(store, checked, keep_pending, &mut |_| ()).await
}

/// The message of what failed.
fn told<T>(outcome: Result<T, ArchiveError>) -> String {
    outcome.err().expect("it is refused").to_string()
}

async fn findings(app: &App) -> Vec<doctor::Finding> {
    let mut found = Vec::new();
    let mut snapshot = app.store().snapshot().await.unwrap();
    doctor::inspect(&mut snapshot.tx().unwrap(), |finding| found.push(finding)).await.unwrap();
    found
}

#[tokio::test]
async fn a_restored_database_is_the_one_that_was_backed_up() {
    let (from, to) = (Database::new(), Database::new());
    let app = fill(&from).await;
    let checked = checked(&to, &backup(app.store()).await).unwrap();
    assert!(checked.needs_key() && checked.has_key(&key()) && !checked.has_key(&HashKey::new([8; 32])));
    let restored = restore(&to.open(), &checked, true).await.unwrap();
    assert_eq!((restored.rows, restored.webhook_events_ended), (checked.rows(), 0));
    assert_eq!(to.dump(), from.dump());
    assert_eq!(findings(&App::new(to.open(), Arc::new(|| Timestamp::from_micros(1)), key())).await, []);
}

#[tokio::test]
async fn what_waited_is_not_sent_by_a_restored_database() {
    let (from, to) = (Database::new(), Database::new());
    let app = fill(&from).await;
    let checked = checked(&to, &backup(app.store()).await).unwrap();
    let restored = restore(&to.open(), &checked, false).await.unwrap();
    assert_eq!((restored.webhook_events_ended, restored.mails_dropped), (3, 1));
    let app = App::new(to.open(), Arc::new(|| Timestamp::from_micros(99_000_000)), key());
    assert!(app.webhook_claim(10).await.unwrap().is_empty());
    assert_eq!(app.webhook_next_due().await.unwrap(), None);
    assert_eq!(app.mail_next_due().await.unwrap(), None);
    assert_eq!(to.count("webhook_events WHERE state = 'failed' AND completed_at IS NULL"), 3);
    assert_eq!(to.count("webhook_deliveries WHERE NOT succeeded"), 3);
    assert_eq!(findings(&app).await, []);
}

#[tokio::test]
async fn a_deleted_endpoint_whose_events_were_being_given_up_leaves_nothing() {
    let (from, to) = (Database::new(), Database::new());
    let app = fill(&from).await;
    from.sql("UPDATE webhook_endpoints SET deleted_at = 9000000");
    assert_eq!(findings(&app).await, [], "they are given up in portions");
    let checked = checked(&to, &backup(app.store()).await).unwrap();
    restore(&to.open(), &checked, false).await.unwrap();
    assert_eq!(to.count("webhook_queues"), 0);
    let app = App::new(to.open(), Arc::new(|| Timestamp::from_micros(1)), key());
    assert_eq!(findings(&app).await, []);
}

#[tokio::test]
async fn a_damaged_file_is_refused_wherever_it_is_damaged() {
    let (from, to) = (Database::new(), Database::new());
    let app = fill(&from).await;
    let whole = backup(app.store()).await;
    assert!(checked(&to, &whole).is_ok());
    for at in (0..whole.len()).step_by(101) {
        let mut damaged = whole.clone();
        damaged[at] ^= 4;
        assert!(checked(&to, &damaged).is_err(), "byte {at}");
        assert!(checked(&to, &whole[..at]).is_err(), "cut at {at}");
    }
    assert!(checked(&to, &whole[..whole.len() - 1]).is_err());
    let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    for at in 0..lines.len() {
        let (mut without, mut twice) = (lines.clone(), lines.clone());
        without.remove(at);
        twice.insert(at, lines[at]);
        assert!(checked(&to, &without.concat()).is_err(), "without line {at}");
        assert!(checked(&to, &twice.concat()).is_err(), "line {at} twice");
    }
}

#[tokio::test]
async fn other_formats_and_newer_schemas_are_refused() {
    let database = Database::new();
    let text = String::from_utf8(backup(&database.open()).await).unwrap();
    let schema = format!("\"schema\":{}", Catalog::now().unwrap().schema);
    for (from, to, says) in [
        ("tenantry-backup", "other", "not a backup"),
        ("\"version\":1", "\"version\":2", "version 2"),
        (schema.as_str(), "\"schema\":9999", "use a newer one"),
    ] {
        let message = told(checked(&database, text.replacen(from, to, 1).as_bytes()));
        assert!(message.contains(says), "{message}");
    }
    assert!(told(checked(&database, b"")).contains("not a backup"));
    assert!(told(checked(&database, &[0xff; 100])).contains("not a backup"));
}

#[tokio::test]
async fn the_format_is_the_documented_one_and_an_older_schema_is_filled_up() {
    let database = Database::new();
    let checked = checked(&database, written(1, &[JANE]).as_bytes()).unwrap();
    assert_eq!((checked.schema(), checked.rows(), checked.needs_key()), (1, 1, false));
    restore(&database.open(), &checked, false).await.unwrap();
    assert_eq!(database.count("users WHERE email = 'jane@example.com'"), 1);
}

#[tokio::test]
async fn a_restore_that_fails_leaves_an_empty_database() {
    let database = Database::new();
    let store = database.open();
    let bad = checked(&database, written(1, &[JANE, JANET]).as_bytes()).unwrap();
    let message = told(restore(&store, &bad, false).await);
    assert!(message.contains("users_email"), "{message}");
    assert_eq!(database.dump(), Vec::<String>::new());
    // A file that is exchanged after it was checked.
    let good = checked(&database, written(1, &[JANE]).as_bytes()).unwrap();
    fs::write(database.file("backup.jsonl"), written(1, &[])).unwrap();
    assert!(told(restore(&store, &good, false).await).contains("users"));
    assert_eq!(database.dump(), Vec::<String>::new());
    let good = checked(&database, written(1, &[JANE]).as_bytes()).unwrap();
    restore(&store, &good, false).await.unwrap();
}

#[tokio::test]
async fn a_database_with_rows_or_half_full_is_refused_and_left_alone() {
    let (from, to) = (Database::new(), Database::new());
    let app = fill(&from).await;
    let checked = checked(&to, &backup(app.store()).await).unwrap();
    let store = to.open();
    App::new(store.clone(), Arc::new(|| Timestamp::from_micros(1)), key()).write(Keep("x")).await.unwrap();
    let before = to.dump();
    assert!(told(restore(&store, &checked, false).await).contains("table installation has rows"));
    assert!(
        told(archive::copy(app.store(), &store, &mut |_| ()).await).contains("table installation has rows")
    );
    assert_eq!(to.dump(), before);
    to.sql("UPDATE installation SET name = 'unfinished_load'");
    assert!(told(restore(&store, &checked, false).await).contains("did not finish"));
    assert!(
        told(archive::copy(&store, &Database::new().open(), &mut |_| ()).await).contains("did not finish")
    );
    let half = archive::backup(&store, Vec::new(), Timestamp::from_micros(5), "test", &mut |_| ()).await;
    assert!(told(half).contains("did not finish"));
}

#[tokio::test]
async fn what_cannot_be_ended_is_taken_away_or_said_to_be_left() {
    let (from, to) = (Database::new(), Database::new());
    let app = fill(&from).await;
    let checked = checked(&to, &backup(app.store()).await).unwrap();
    let store = to.open();
    // The mark stays as long as there are users, then for good.
    to.keep_mark("WHERE EXISTS (SELECT 1 FROM users)");
    let message = told(restore(&store, &checked, false).await);
    assert!(!message.contains("could not be removed"), "{message}");
    assert_eq!(to.dump(), Vec::<String>::new());
    to.keep_mark("");
    let message = told(restore(&store, &checked, false).await);
    assert!(message.contains("could not be removed") && message.contains("new, empty database"), "{message}");
    assert!(told(restore(&store, &checked, false).await).contains("did not finish"));
}

#[tokio::test]
async fn a_copy_is_the_same_and_tells_how_far_it_has_come() {
    let (from, to) = (Database::new(), Database::new());
    let app = fill(&from).await;
    let (mut steps, mut last) = (Vec::new(), None);
    let rows = archive::copy(app.store(), &to.open(), &mut |progress| {
        if steps.last() != Some(&progress.doing) {
            steps.push(progress.doing);
        }
        last = Some((progress.rows, progress.of));
    })
    .await
    .unwrap();
    assert_eq!(to.dump(), from.dump());
    assert_eq!(steps, ["copying", "verifying", "looking at the source again"]);
    assert_eq!(last, Some((rows, Some(rows))));
    assert_eq!(rows, from.dump().len() as u64);
}

#[tokio::test]
async fn a_source_that_does_not_stand_still_is_noticed() {
    let (from, to) = (Database::new(), Database::new());
    let app = fill(&from).await;
    let mut told_once = false;
    let outcome = archive::copy(app.store(), &to.open(), &mut |progress| {
        if progress.doing == "verifying" && !told_once {
            told_once = true;
            from.sql("UPDATE members SET name = 'Somebody'");
        }
    })
    .await;
    assert!(told(outcome).contains("members of the source changed"));
    assert_eq!(to.dump(), Vec::<String>::new());
}

#[tokio::test]
async fn a_backup_is_of_one_moment() {
    let from = Database::new();
    let app = fill(&from).await;
    let mut begun = false;
    let mut out = Vec::new();
    archive::backup(app.store(), &mut out, Timestamp::from_micros(5), "test", &mut |_| {
        if !begun {
            begun = true;
            from.sql("UPDATE members SET name = 'Somebody'; DELETE FROM customers");
        }
    })
    .await
    .unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(!text.contains("Somebody") && text.contains("customer2@example.com"));
    assert!(String::from_utf8(backup(app.store()).await).unwrap().contains("Somebody"));
}
