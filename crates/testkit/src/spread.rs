//! Databases whose tables are spread, by Citus or by a stand-in for it, before a test begins.
//!
//! `TENANTRY_TEST_CITUS` says so: `stand-in`, for any server whose role is a superuser, or the `HOST:PORT` of each
//! worker, split by commas (`tests/citus.sh COMMAND` sets it).

use std::sync::Arc;

use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{Moments, StoreError};

use crate::{Postgres, apart, ask};

/// How tables are spread.
pub(crate) enum Sharding {
    /// Not at all.
    No,
    /// By what `stand_in.sql` says.
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

    /// Makes what must be there beside a database before its tables can be spread.
    pub(crate) fn make(&self, database: &Postgres) {
        match self {
            Self::No => {}
            Self::StandIn => drop(database.query(include_str!("stand_in.sql"))),
            Self::Citus(workers) => join(database, workers),
        }
    }

    /// Makes the same, and spreads the tables of a new, empty database.
    pub(crate) fn prepare(&self, database: &Postgres) {
        if matches!(self, Self::No) {
            return;
        }
        self.make(database);
        let distributed: Result<Vec<String>, StoreError> = apart(async {
            let store = database.open(beginning()).await?;
            let done = store.distribute_tables().await;
            store.close().await;
            done
        });
        assert!(!distributed.expect("the tables are spread").is_empty(), "no table was spread");
    }

    /// Takes away what was beside it.
    pub(crate) fn take_away(&self, database: &str) {
        if let Self::Citus(workers) = self {
            for worker in workers {
                let gone = format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)");
                // What a test cut in the middle of a commit may still be prepared there: it goes with the server.
                drop(std::panic::catch_unwind(|| ask(&worker.url("postgres"), &gone)));
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

/// Makes the database on each worker and the cluster of all.
fn join(database: &Postgres, workers: &[Worker]) {
    let name = database.name();
    for worker in workers {
        drop(ask(&worker.url("postgres"), &format!("CREATE DATABASE {name}")));
        drop(ask(&worker.url(name), "CREATE EXTENSION citus"));
    }
    drop(database.query("CREATE EXTENSION citus"));
    drop(database.query("SELECT citus_set_coordinator_host('127.0.0.1', current_setting('port')::int)"));
    for Worker { host, port } in workers {
        drop(database.query(&format!("SELECT citus_add_node('{host}', {port})")));
    }
}

/// Nothing that is made now depends on the time.
fn beginning() -> Moments {
    Arc::new(|| ExecutionContext::new(Timestamp::from_micros(0), [0; 32]))
}
