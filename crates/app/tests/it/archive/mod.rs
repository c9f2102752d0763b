//! Backup, restore and copy: the result equals the source, and a failure leaves an empty database.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;
use tenantry_app::archive::{self, ArchiveError, RestoreSummary, VerifiedBackup};
use tenantry_app::bootstrap::Bootstrap;
use tenantry_app::webhooks::WebhookEndpointCreate;
use tenantry_app::{App, Error, HashKey, KeyCheck, Requester};
use tenantry_core::ids::{MailId, OrganizationId};
use tenantry_core::mail::{MailContent, MailQueue, QueuedMail};
use tenantry_core::team::TeamRole;
use tenantry_core::webhook::{EndpointUrl, EventType, NewEndpoint, WebhookFormat};
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{Catalog, Store, Tx, UseCase, doctor};
use tenantry_testkit::Database as Stored;

mod handwritten;
mod hostile;

use handwritten::{JANE, JANET, backup_of_users};

/// The database of one test, and a temporary folder.
pub(crate) struct Database {
    stored: Stored,
    folder: TempDir,
    ticks: Arc<AtomicU64>,
}

impl Database {
    pub(crate) fn new() -> Self {
        Self { stored: Stored::of_environment(), folder: tempfile::tempdir().unwrap(), ticks: Arc::default() }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn open(&self) -> Store {
        let ticks = Arc::clone(&self.ticks);
        self.stored.open(Arc::new(move || {
            let tick = ticks.fetch_add(1, Ordering::Relaxed);
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&tick.to_be_bytes());
            ExecutionContext::new(Timestamp::from_micros(1_000_000 + i64::try_from(tick).unwrap()), seed)
        }))
    }

    pub(crate) fn sql(&self, sql: &str) {
        match &self.stored {
            Stored::Sqlite(directory) => {
                let file = directory.path().join("tenantry.db");
                rusqlite::Connection::open(file).unwrap().execute_batch(sql).unwrap();
            }
            Stored::Postgres(database) => drop(database.query(sql)),
        }
    }

    /// Makes the database refuse to delete the mark of an unfinished load while a row meets `condition`.
    fn keep_mark(&self, condition: &str) {
        match &self.stored {
            Stored::Sqlite(_) => self.sql(&format!(
                "DROP TRIGGER IF EXISTS keep;
                 CREATE TRIGGER keep BEFORE DELETE ON installation WHEN old.name = 'unfinished_load'
                 BEGIN SELECT RAISE(ABORT, 'kept') {condition}; END"
            )),
            Stored::Postgres(_) => self.sql(&format!(
                "DROP TRIGGER IF EXISTS keep ON installation;
                 CREATE OR REPLACE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                    IF old.name = 'unfinished_load' AND (SELECT count(*) FROM (SELECT 1 {condition}) AS found) > 0
                    THEN RAISE EXCEPTION 'kept'; END IF;
                    RETURN old; END $$;
                 CREATE TRIGGER keep BEFORE DELETE ON installation FOR EACH ROW EXECUTE FUNCTION keep()"
            )),
        }
    }

    pub(crate) fn count(&self, rows: &str) -> i64 {
        self.stored.texts(&format!("SELECT CAST(count(*) AS text) FROM {rows}"))[0].parse().unwrap()
    }

    /// Every row of every table that an archive contains.
    pub(crate) fn dump(&self) -> Vec<String> {
        let rows = self.stored.rows().into_iter();
        rows.filter(|row| !row.starts_with("schema_migrations")).collect()
    }
}

/// Stores a value in `installation`.
struct StoreValue(&'static str);

impl UseCase for StoreValue {
    type Output = ();
    type Error = Error;

    async fn run(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<(), Error> {
        Ok(tx.installation_value_ensure(self.0, b"1").await.map(|_| ())?)
    }
}

pub(crate) fn key() -> HashKey {
    HashKey::new([7; 32])
}

pub(crate) struct Mail(pub(crate) OrganizationId);

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
            queue: MailQueue::Invitations,
            is_counted: false,
            about: self.0,
            user: None,
            language: None,
        };
        Ok(tx.mail_insert(&mail).await?)
    }
}

/// Fills the database: an organization with a customer, a token, an endpoint, pending events and a pending mail.
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
                metadata: serde_json::from_str(r#"{"plan": "gold \" \u2028", "seats": 3}"#).unwrap(),
                ..tenantry_core::customer::NewCustomer::new(
                    tenantry_core::customer::CustomerKind::Team,
                    format!("customer{number}@example.com").parse().unwrap(),
                )
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

fn verified(database: &Database, data: &[u8]) -> Result<VerifiedBackup, ArchiveError> {
    let path = database.file("backup.jsonl");
    fs::write(&path, data).unwrap();
    archive::verify(&path, &mut |_| ())
}

async fn restore(
    store: &Store,
    verified: &VerifiedBackup,
    keep_pending: bool,
) -> Result<RestoreSummary, ArchiveError> {
    archive::restore(store, verified, keep_pending, &mut |_| ()).await
}

/// The message of a failure.
fn message<T>(outcome: Result<T, ArchiveError>) -> String {
    outcome.err().expect("a failure").to_string()
}

pub(crate) async fn findings(app: &App) -> Vec<doctor::Finding> {
    let mut found = Vec::new();
    let mut snapshot = app.store().snapshot().await.unwrap();
    doctor::inspect(&mut snapshot.tx().unwrap(), |finding| found.push(finding)).await.unwrap();
    found
}

#[tokio::test]
async fn a_restored_database_equals_the_source() {
    let (from, to) = (Database::new(), Database::new());
    let app = fill(&from).await;
    let verified = verified(&to, &backup(app.store()).await).unwrap();
    assert!(verified.needs_key() && verified.has_key(&key()) && !verified.has_key(&HashKey::new([8; 32])));
    let restored = restore(&to.open(), &verified, true).await.unwrap();
    assert_eq!((restored.rows, restored.webhook_events_ended), (verified.rows(), 0));
    assert_eq!(to.dump(), from.dump());
    assert_eq!(findings(&App::new(to.open(), Arc::new(|| Timestamp::from_micros(1)), key())).await, []);
}

#[tokio::test]
async fn a_restored_database_does_not_send_pending_mail_and_webhooks() {
    let (from, to) = (Database::new(), Database::new());
    let app = fill(&from).await;
    let verified = verified(&to, &backup(app.store()).await).unwrap();
    let restored = restore(&to.open(), &verified, false).await.unwrap();
    assert_eq!((restored.webhook_events_ended, restored.mails_dropped), (3, 1));
    let app = App::new(to.open(), Arc::new(|| Timestamp::from_micros(99_000_000)), key());
    assert!(app.lease_webhook_deliveries(10).await.unwrap().is_empty());
    assert_eq!(to.count("webhook_queues WHERE due_at IS NOT NULL"), 0);
    assert_eq!(to.count("mail_queues WHERE due_at IS NOT NULL"), 0);
    assert_eq!(to.count("webhook_events WHERE state = 'failed' AND completed_at IS NULL"), 3);
    assert_eq!(to.count("webhook_deliveries WHERE NOT succeeded"), 3);
    assert_eq!(findings(&app).await, []);
}

#[tokio::test]
async fn a_restore_completes_the_deletion_of_an_endpoint() {
    let (from, to) = (Database::new(), Database::new());
    let app = fill(&from).await;
    from.sql("UPDATE webhook_endpoints SET deleted_at = 9000000");
    assert_eq!(findings(&app).await, [], "a deletion in batches is not a finding");
    let verified = verified(&to, &backup(app.store()).await).unwrap();
    restore(&to.open(), &verified, false).await.unwrap();
    assert_eq!(to.count("webhook_queues"), 0);
    let app = App::new(to.open(), Arc::new(|| Timestamp::from_micros(1)), key());
    assert_eq!(findings(&app).await, []);
}

#[tokio::test]
async fn a_file_damaged_at_any_place_is_refused() {
    let (from, to) = (Database::new(), Database::new());
    let app = fill(&from).await;
    let whole = backup(app.store()).await;
    assert!(verified(&to, &whole).is_ok());
    for at in (0..whole.len()).step_by(101) {
        let mut damaged = whole.clone();
        damaged[at] ^= 4;
        assert!(verified(&to, &damaged).is_err(), "byte {at}");
        assert!(verified(&to, &whole[..at]).is_err(), "cut at {at}");
    }
    assert!(verified(&to, &whole[..whole.len() - 1]).is_err());
    let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    for at in 0..lines.len() {
        let (mut without, mut twice) = (lines.clone(), lines.clone());
        without.remove(at);
        twice.insert(at, lines[at]);
        assert!(verified(&to, &without.concat()).is_err(), "without line {at}");
        assert!(verified(&to, &twice.concat()).is_err(), "line {at} twice");
    }
}

#[tokio::test]
async fn other_formats_and_newer_schemas_are_refused() {
    let database = Database::new();
    let text = String::from_utf8(backup(&database.open()).await).unwrap();
    let schema = format!("\"schema\":{}", Catalog::now().unwrap().schema);
    for (from, to, expected) in [
        ("tenantry-backup", "other", "not a Tenantry backup"),
        ("\"version\":1", "\"version\":2", "version 2"),
        (schema.as_str(), "\"schema\":9999", "use a newer program"),
    ] {
        let text = message(verified(&database, text.replacen(from, to, 1).as_bytes()));
        assert!(text.contains(expected), "{text}");
    }
    assert!(message(verified(&database, b"")).contains("not a Tenantry backup"));
    assert!(message(verified(&database, &[0xff; 100])).contains("not a Tenantry backup"));
}

#[tokio::test]
async fn a_handwritten_backup_of_an_older_schema_is_restored() {
    let database = Database::new();
    let verified = verified(&database, backup_of_users(1, &[JANE]).as_bytes()).unwrap();
    assert_eq!((verified.schema(), verified.rows(), verified.needs_key()), (1, 1, false));
    restore(&database.open(), &verified, false).await.unwrap();
    assert_eq!(database.count("users WHERE email = 'jane@example.com'"), 1);
}

#[tokio::test]
async fn a_restore_that_fails_leaves_an_empty_database() {
    let database = Database::new();
    let store = database.open();
    let bad = verified(&database, backup_of_users(1, &[JANE, JANET]).as_bytes()).unwrap();
    let text = message(restore(&store, &bad, false).await);
    assert!(text.contains("users_email"), "{text}");
    assert_eq!(database.dump(), Vec::<String>::new());
    // The file is replaced after it was verified.
    let good = verified(&database, backup_of_users(1, &[JANE]).as_bytes()).unwrap();
    fs::write(database.file("backup.jsonl"), backup_of_users(1, &[])).unwrap();
    assert!(message(restore(&store, &good, false).await).contains("users"));
    assert_eq!(database.dump(), Vec::<String>::new());
    let good = verified(&database, backup_of_users(1, &[JANE]).as_bytes()).unwrap();
    restore(&store, &good, false).await.unwrap();
}

#[tokio::test]
async fn a_database_with_rows_or_with_the_mark_is_refused_and_unchanged() {
    let (from, to) = (Database::new(), Database::new());
    let app = fill(&from).await;
    let verified = verified(&to, &backup(app.store()).await).unwrap();
    let store = to.open();
    App::new(store.clone(), Arc::new(|| Timestamp::from_micros(1)), key())
        .write(StoreValue("x"))
        .await
        .unwrap();
    let before = to.dump();
    assert!(message(restore(&store, &verified, false).await).contains("table installation has rows"));
    assert!(
        message(archive::copy(app.store(), &store, &mut |_| ()).await)
            .contains("table installation has rows")
    );
    assert_eq!(to.dump(), before);
    to.sql("UPDATE installation SET name = 'unfinished_load'");
    assert!(message(restore(&store, &verified, false).await).contains("did not finish"));
    assert!(
        message(archive::copy(&store, &Database::new().open(), &mut |_| ()).await).contains("did not finish")
    );
    let half = archive::backup(&store, Vec::new(), Timestamp::from_micros(5), "test", &mut |_| ()).await;
    assert!(message(half).contains("did not finish"));
}

#[tokio::test]
async fn a_load_that_cannot_end_is_removed_or_reported() {
    let (from, to) = (Database::new(), Database::new());
    let app = fill(&from).await;
    let verified = verified(&to, &backup(app.store()).await).unwrap();
    let store = to.open();
    // The mark cannot be deleted: first while there are users, then at all.
    to.keep_mark("WHERE EXISTS (SELECT 1 FROM users)");
    let text = message(restore(&store, &verified, false).await);
    assert!(!text.contains("could not be removed"), "{text}");
    assert_eq!(to.dump(), Vec::<String>::new());
    to.keep_mark("");
    let text = message(restore(&store, &verified, false).await);
    assert!(text.contains("could not be removed") && text.contains("new, empty database"), "{text}");
    assert!(message(restore(&store, &verified, false).await).contains("did not finish"));
}

#[tokio::test]
async fn a_copy_equals_the_source_and_reports_progress() {
    let (from, to) = (Database::new(), Database::new());
    let app = fill(&from).await;
    let (mut steps, mut last) = (Vec::new(), None);
    let rows = archive::copy(app.store(), &to.open(), &mut |progress| {
        if steps.last() != Some(&progress.phase) {
            steps.push(progress.phase);
        }
        last = Some((progress.rows, progress.total_rows));
    })
    .await
    .unwrap();
    assert_eq!(to.dump(), from.dump());
    assert_eq!(steps, ["copying", "verifying", "checking the source"]);
    assert_eq!(last, Some((rows, Some(rows))));
    assert_eq!(rows, from.dump().len() as u64);
}

#[tokio::test]
async fn a_source_that_changes_during_the_copy_is_detected() {
    let (from, to) = (Database::new(), Database::new());
    let app = fill(&from).await;
    let mut has_changed = false;
    let outcome = archive::copy(app.store(), &to.open(), &mut |progress| {
        if progress.phase == "verifying" && !has_changed {
            has_changed = true;
            from.sql("UPDATE members SET name = 'Somebody'");
        }
    })
    .await;
    assert!(message(outcome).contains("members of the source changed"));
    assert_eq!(to.dump(), Vec::<String>::new());
}

#[tokio::test]
async fn a_backup_is_a_consistent_snapshot() {
    let from = Database::new();
    let app = fill(&from).await;
    let mut begun = false;
    let mut out = Vec::new();
    archive::backup(app.store(), &mut out, Timestamp::from_micros(5), "test", &mut |_| {
        if !begun {
            begun = true;
            from.sql("UPDATE members SET name = 'Somebody'; UPDATE customers SET email = NULL");
        }
    })
    .await
    .unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(!text.contains("Somebody") && text.contains("customer2@example.com"));
    assert!(String::from_utf8(backup(app.store()).await).unwrap().contains("Somebody"));
}
