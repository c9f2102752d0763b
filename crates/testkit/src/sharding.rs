//! Databases whose tables are distributed before a test begins, by Citus or by a stand-in for it.
//!
//! `TENANTRY_TEST_CITUS` is `stand-in`, on any server whose role is a superuser, or the `HOST:PORT` of each worker,
//! separated by commas (`tests/citus.sh COMMAND` sets it).

use std::sync::Arc;

use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{Moments, Store, StoreError, postgres};

use crate::server::{Server, on_own_thread, run_sql};

/// The way in which tables are distributed.
pub(crate) enum Sharding {
    /// Not at all.
    No,
    /// By the functions of `stand_in.sql`.
    StandIn,
    /// By Citus, over these workers.
    Citus(Vec<Worker>),
}

pub(crate) struct Worker {
    host: String,
    port: u16,
}

impl Sharding {
    pub(crate) fn of_environment() -> Self {
        match std::env::var("TENANTRY_TEST_CITUS").as_deref() {
            Err(_) | Ok("") => Self::No,
            Ok("stand-in") => Self::StandIn,
            Ok(workers) => Self::Citus(workers.split(',').map(Worker::parse).collect()),
        }
    }

    /// Creates what must exist beside a database before its tables can be distributed.
    pub(crate) fn make(&self, server: &Server, database: &str) {
        match self {
            Self::No => {}
            Self::StandIn => drop(run_sql(&server.url(database), include_str!("stand_in.sql"))),
            Self::Citus(workers) => join(server, database, workers),
        }
    }

    /// Does the same, and distributes the tables of a new, empty database.
    pub(crate) fn prepare(&self, server: &Server, database: &str) {
        if matches!(self, Self::No) {
            return;
        }
        self.make(server, database);
        let distributed: Result<Vec<String>, StoreError> = on_own_thread(async {
            let target = postgres::Target::parse(&server.url(database)).expect("a URL");
            let store = Store::open_postgres(target, postgres::Migrate::Yes, beginning()).await?;
            let done = store.distribute_tables().await;
            store.close().await;
            done
        });
        assert!(!distributed.expect("the tables are distributed").is_empty(), "no table was distributed");
    }

    /// Drops the database on the workers.
    pub(crate) fn drop_database(&self, database: &str) {
        if let Self::Citus(workers) = self {
            for worker in workers {
                let drop_it = format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)");
                // A test may have left a prepared transaction there, which blocks the drop. It ends with the server.
                drop(std::panic::catch_unwind(|| run_sql(&worker.url("postgres"), &drop_it)));
            }
        }
    }
}

impl Worker {
    fn parse(text: &str) -> Self {
        let (host, port) = text.trim().rsplit_once(':').expect("HOST:PORT");
        Self { host: host.to_owned(), port: port.parse().expect("a port") }
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://tenantry@{}:{}/{database}", self.host, self.port)
    }
}

/// Creates the database on each worker, and joins the workers to the coordinator.
fn join(server: &Server, database: &str, workers: &[Worker]) {
    for worker in workers {
        drop(run_sql(&worker.url("postgres"), &format!("CREATE DATABASE {database}")));
        drop(run_sql(&worker.url(database), "CREATE EXTENSION citus"));
    }
    let coordinator = server.url(database);
    drop(run_sql(&coordinator, "CREATE EXTENSION citus"));
    // Adding a node writes the roles of the worker, which all databases share: one at a time.
    let path = std::env::var_os("TENANTRY_TEST_CITUS_LOCK").expect("TENANTRY_TEST_CITUS_LOCK");
    let lock = std::fs::File::create(path).expect("a file");
    lock.lock().expect("the lock");
    let itself = "SELECT citus_set_coordinator_host('127.0.0.1', current_setting('port')::int)";
    drop(run_sql(&coordinator, itself));
    for Worker { host, port } in workers {
        drop(run_sql(&coordinator, &format!("SELECT citus_add_node('{host}', {port})")));
    }
}

/// The time of the migration. No test depends on it.
pub(crate) fn beginning() -> Moments {
    Arc::new(|| ExecutionContext::new(Timestamp::from_micros(0), [0; 32]))
}
