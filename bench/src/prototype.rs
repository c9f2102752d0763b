//! A minimal server over SQLite: one table with three unique indexes, without authentication.
//!
//! Reads run on the thread that serves the request. Writes run on one writer thread, which inserts everything
//! that is queued and commits once (group commit). Checkpoints are SQLite's default ones.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path as UrlPath, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::Error;

/// The most inserts in one commit.
const BATCH: usize = 512;
/// The most inserts that wait for the writer thread; more are refused with 503.
const QUEUE: usize = 8_192;

const SCHEMA: &str = "
    CREATE TABLE members (
        id BLOB NOT NULL, organization_id BLOB NOT NULL, customer_id BLOB NOT NULL,
        created_at INTEGER NOT NULL, modified_at INTEGER, email TEXT NOT NULL, email_key TEXT NOT NULL,
        name TEXT, external_id TEXT, role TEXT NOT NULL, PRIMARY KEY (organization_id, id)
    ) STRICT;
    CREATE UNIQUE INDEX members_email ON members (organization_id, customer_id, email_key);
    CREATE UNIQUE INDEX members_external_id ON members (organization_id, customer_id, external_id);";
const SELECT: &str = "SELECT id, customer_id, created_at, modified_at, email, name, external_id, role
    FROM members WHERE organization_id = ?1 AND id = ?2";
const INSERT: &str = "INSERT INTO members VALUES (?1, ?2, ?3, ?4, NULL, ?5, ?6, ?7, ?8, ?9)";

/// The only organization and the only customer.
const ORGANIZATION: Uuid = Uuid::from_u128(1);
const CUSTOMER: Uuid = Uuid::from_u128(2);

#[derive(Serialize)]
struct Member {
    id: Uuid,
    customer_id: Uuid,
    created_at: i64,
    modified_at: Option<i64>,
    email: String,
    name: Option<String>,
    external_id: Option<String>,
    role: String,
}

#[derive(Deserialize)]
struct MemberCreate {
    email: String,
}

impl Member {
    fn new(email: String) -> Self {
        let id = Uuid::now_v7();
        let created_at = i64::try_from(id.as_u128() >> 80).unwrap_or(0);
        let external_id = email.split('@').next().map(str::to_owned);
        let name = Some("A member of the team".to_owned());
        let role = "member".to_owned();
        Self { id, customer_id: CUSTOMER, created_at, modified_at: None, email, name, external_id, role }
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: Uuid::from_bytes(row.get(0)?),
            customer_id: Uuid::from_bytes(row.get(1)?),
            created_at: row.get(2)?,
            modified_at: row.get(3)?,
            email: row.get(4)?,
            name: row.get(5)?,
            external_id: row.get(6)?,
            role: row.get(7)?,
        })
    }

    fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        let Self { id, customer_id, created_at, email, name, external_id, role, .. } = self;
        let key = email.to_lowercase();
        let (id, organization) = (id.as_bytes(), ORGANIZATION.as_bytes());
        let values = params![
            id,
            organization,
            customer_id.as_bytes(),
            created_at,
            email,
            key,
            name,
            external_id,
            role
        ];
        connection.prepare_cached(INSERT)?.execute(values).map(|_| ())
    }
}

type Job = (Member, oneshot::Sender<Option<Member>>);

struct Prototype {
    path: String,
    writes: SyncSender<Job>,
}

thread_local! {
    /// The connection on which this thread reads.
    static READER: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

async fn member_get(State(prototype): State<Arc<Prototype>>, UrlPath(id): UrlPath<Uuid>) -> Response {
    let found = READER.with_borrow_mut(|reader| -> rusqlite::Result<Option<Member>> {
        let connection = match reader {
            Some(connection) => connection,
            None => reader.insert(connect(&prototype.path)?),
        };
        let keys = params![ORGANIZATION.as_bytes(), id.as_bytes()];
        connection.prepare_cached(SELECT)?.query_row(keys, Member::read).optional()
    });
    found.map_or_else(failed, |found| answer(StatusCode::OK, StatusCode::NOT_FOUND, found.as_ref()))
}

async fn member_create(State(prototype): State<Arc<Prototype>>, body: Bytes) -> Response {
    let Ok(MemberCreate { email }) = serde_json::from_slice(&body) else {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    };
    let (reply, written) = oneshot::channel();
    if prototype.writes.try_send((Member::new(email), reply)).is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    written
        .await
        .map_or_else(failed, |member| answer(StatusCode::CREATED, StatusCode::CONFLICT, member.as_ref()))
}

fn answer(status: StatusCode, otherwise: StatusCode, member: Option<&Member>) -> Response {
    let Some(member) = member else { return otherwise.into_response() };
    match serde_json::to_vec(member) {
        Ok(body) => (status, [(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => failed(error),
    }
}

fn failed(error: impl std::fmt::Display) -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
}

/// Opens a connection with the same settings as tenantry.
pub fn connect(path: impl AsRef<Path>) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -65_536)?;
    connection.pragma_update(None, "mmap_size", 1_u32 << 30)?;
    Ok(connection)
}

fn write_all(connection: &Connection, jobs: &Receiver<Job>) -> rusqlite::Result<()> {
    let mut answers = Vec::with_capacity(BATCH);
    while let Ok(first) = jobs.recv() {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for (member, reply) in std::iter::once(first).chain(jobs.try_iter().take(BATCH - 1)) {
            let inserted = member.insert(connection).is_ok();
            answers.push((inserted.then_some(member), reply));
        }
        connection.execute_batch("COMMIT")?;
        for (member, reply) in answers.drain(..) {
            drop(reply.send(member));
        }
    }
    Ok(())
}

/// The routes of the prototype, over a new database at `path` that gets `members` members.
pub fn routes(path: String, members: u64) -> Result<Router, Error> {
    let mut connection = connect(&path)?;
    connection.execute_batch(SCHEMA)?;
    let transaction = connection.transaction()?;
    for number in 0..members {
        Member::new(format!("preloaded-{number}@example.com")).insert(&transaction)?;
    }
    transaction.commit()?;
    let (writes, jobs) = sync_channel(QUEUE);
    std::thread::spawn(move || {
        if let Err(error) = write_all(&connection, &jobs) {
            eprintln!("the writer stopped: {error}");
        }
    });
    let routes =
        Router::new().route("/members/", post(member_create)).route("/members/{id}", get(member_get));
    Ok(routes.with_state(Arc::new(Prototype { path, writes })))
}
