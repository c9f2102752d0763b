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

use rusqlite::types::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tenantry_app::archive::{self, ArchiveError, Checked, Restored};
use tenantry_app::bootstrap::Bootstrap;
use tenantry_app::webhooks::WebhookEndpointCreate;
use tenantry_app::{App, Error, HashKey, KeyCheck, Requester};
use tenantry_core::ids::{MailId, OrganizationId};
use tenantry_core::mail::{Letter, QueuedMail};
use tenantry_core::team::TeamRole;
use tenantry_core::webhook::{EndpointUrl, EventType, Format, NewEndpoint};
use tenantry_core::{Moment, Timestamp};
use tenantry_store::{Catalogue, Operation, Store, Tx, doctor, sqlite};

/// A database of one test, gone with it.
struct Database {
    directory: TempDir,
    ticks: Arc<AtomicU64>,
}

impl Database {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), ticks: Arc::default() }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn open(&self) -> Store {
        let ticks = Arc::clone(&self.ticks);
        let moments = Arc::new(move || {
            let tick = ticks.fetch_add(1, Ordering::Relaxed);
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&tick.to_be_bytes());
            Moment::new(Timestamp::from_micros(1_000_000 + i64::try_from(tick).unwrap()), seed)
        });
        sqlite::open(&self.file("tenantry.db"), moments).unwrap()
    }

    fn sql(&self, sql: &str) {
        rusqlite::Connection::open(self.file("tenantry.db")).unwrap().execute_batch(sql).unwrap();
    }

    fn count(&self, what: &str) -> i64 {
        let connection = rusqlite::Connection::open(self.file("tenantry.db")).unwrap();
        connection.query_row(&format!("SELECT count(*) FROM {what}"), [], |row| row.get(0)).unwrap()
    }

    /// Every row of every table that is moved.
    fn dump(&self) -> Vec<String> {
        let connection = rusqlite::Connection::open(self.file("tenantry.db")).unwrap();
        let mut rows = Vec::new();
        for table in Catalogue::now().unwrap().tables {
            let mut statement = connection.prepare(&format!("SELECT * FROM {}", table.name)).unwrap();
            let columns = statement.column_count();
            let mut found = statement.query([]).unwrap();
            while let Some(row) = found.next().unwrap() {
                let values: Vec<Value> = (0..columns).map(|column| row.get(column).unwrap()).collect();
                rows.push(format!("{}: {values:?}", table.name));
            }
        }
        rows.sort();
        rows
    }
}

fn key() -> HashKey {
    HashKey::new([7; 32])
}

struct Mail(OrganizationId);

impl Operation for Mail {
    type Output = ();
    type Error = Error;

    async fn run(&self, tx: &mut Tx<'_>, moment: &mut Moment) -> Result<(), Error> {
        let mail = QueuedMail {
            id: MailId::new(moment.uuid()),
            organization: self.0,
            created_at: moment.now(),
            expires_at: None,
            to: "somebody@example.com".parse().unwrap(),
            letter: Letter::TeamMemberAdded {
                organization: "One".to_owned(),
                role: TeamRole::Developer,
                inviter: None,
            },
            sealed: None,
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
            url: EndpointUrl::stored("https://hooks.example.com/".to_owned()),
            name: None,
            format: Format::Raw,
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
    doctor::examine(&mut snapshot.tx().unwrap(), |finding| found.push(finding)).await.unwrap();
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
    assert!(!to.file("tenantry.db").exists());
}

#[tokio::test]
async fn other_formats_and_newer_schemas_are_refused() {
    let database = Database::new();
    let text = String::from_utf8(backup(&database.open()).await).unwrap();
    let schema = format!("\"schema\":{}", Catalogue::now().unwrap().schema);
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

/// A backup of schema `schema`: these rows of `users`, and no others.
fn written_by_hand(schema: i64, users: &[&str]) -> String {
    let mut text = format!(
        "{{\"format\":\"tenantry-backup\",\"version\":1,\"schema\":{schema},\"created_at\":5,\"program\":\"0\"}}\n"
    );
    let tables = Catalogue::at(schema).unwrap().tables;
    for table in &tables {
        let columns: Vec<String> =
            table.columns.iter().map(|one| format!("[\"{}\",\"{}\"]", one.name, one.kind.as_str())).collect();
        text += &format!("{{\"table\":\"{}\",\"columns\":[{}]}}\n", table.name, columns.join(","));
        let rows = if table.name == "users" { users } else { &[] };
        let mut sum = [0_u8; 32];
        for row in rows {
            text += &format!("{row}\n");
            let mut carry = 0;
            for (to, from) in sum.iter_mut().zip(Sha256::digest(row)).rev() {
                let total = u16::from(*to) + u16::from(from) + carry;
                (*to, carry) = ((total & 255) as u8, total >> 8);
            }
        }
        let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        text += &format!("{{\"end\":\"{}\",\"rows\":{},\"sha256\":\"{sum}\"}}\n", table.name, rows.len());
    }
    let digest: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    text + &format!("{{\"tables\":{},\"rows\":{},\"sha256\":\"{digest}\"}}\n", tables.len(), users.len())
}

const JANE: &str = r#"["01a20011-44c7-4f64-8000-21a102c19d44",1,"jane@example.com","jane@example.com",null]"#;
const JANET: &str =
    r#"["01a20011-44c7-4f64-8000-21a102c19d45",1,"jane@example.com","jane@example.com",null]"#;

#[tokio::test]
async fn the_format_is_the_documented_one_and_an_older_schema_is_filled_up() {
    let database = Database::new();
    let checked = checked(&database, written_by_hand(1, &[JANE]).as_bytes()).unwrap();
    assert_eq!((checked.schema(), checked.rows(), checked.needs_key()), (1, 1, false));
    restore(&database.open(), &checked, false).await.unwrap();
    assert_eq!(database.count("users WHERE email = 'jane@example.com'"), 1);
}

#[tokio::test]
async fn a_restore_that_fails_leaves_an_empty_database() {
    let database = Database::new();
    let store = database.open();
    let bad = checked(&database, written_by_hand(1, &[JANE, JANET]).as_bytes()).unwrap();
    let message = told(restore(&store, &bad, false).await);
    assert!(message.contains("users_email"), "{message}");
    assert_eq!(database.dump(), Vec::<String>::new());
    // A file that is exchanged after it was checked.
    let good = checked(&database, written_by_hand(1, &[JANE]).as_bytes()).unwrap();
    fs::write(database.file("backup.jsonl"), written_by_hand(1, &[])).unwrap();
    assert!(told(restore(&store, &good, false).await).contains("users"));
    assert_eq!(database.dump(), Vec::<String>::new());
    let good = checked(&database, written_by_hand(1, &[JANE]).as_bytes()).unwrap();
    restore(&store, &good, false).await.unwrap();
}

#[tokio::test]
async fn a_database_with_rows_or_half_full_is_refused_and_left_alone() {
    let (from, to) = (Database::new(), Database::new());
    let app = fill(&from).await;
    let checked = checked(&to, &backup(app.store()).await).unwrap();
    let store = to.open();
    to.sql("INSERT INTO tallies (organization_id, subject, bucket, total) VALUES (zeroblob(16), 'x', 0, 1)");
    let before = to.dump();
    assert!(told(restore(&store, &checked, false).await).contains("table tallies has rows"));
    assert!(told(archive::copy(app.store(), &store, &mut |_| ()).await).contains("table tallies has rows"));
    assert_eq!(to.dump(), before);
    to.sql("DELETE FROM tallies; INSERT INTO installation VALUES ('unfinished_load', x'00')");
    assert!(told(restore(&store, &checked, false).await).contains("did not finish"));
    assert!(
        told(archive::copy(&store, &Database::new().open(), &mut |_| ()).await).contains("did not finish")
    );
    let half = archive::backup(&store, Vec::new(), Timestamp::from_micros(5), "test", &mut |_| ()).await;
    assert!(told(half).contains("did not finish"));
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
