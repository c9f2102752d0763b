//! The database that tests on PostgreSQL copy: the schema is migrated once per server and test binary, not once
//! per test.
//!
//! | state of the template's name | meaning | next step |
//! |---|---|---|
//! | no database | no process has created it | create it, migrate it, mark it |
//! | a database without the mark | a process ended while it migrated | drop it, and create it again |
//! | a database with the mark (`IS_TEMPLATE`) | complete | copy it |
//!
//! Processes take turns by an advisory lock on the server. The name has a hash of the binary's path and time of
//! change, so that a template never has the schema of an older build.

use std::hash::{DefaultHasher, Hash, Hasher};

use tenantry_store::{Store, postgres};
use tokio_postgres::{Client, NoTls};

use crate::server::{Server, on_own_thread};
use crate::sharding::beginning;

/// The key of the advisory lock. No other program takes it on a test server.
const LOCK: i64 = 7_462_391_105;

/// Creates the template on the server, unless it is there. Returns its name.
pub(crate) fn create(server: &Server) -> String {
    let name = name();
    on_own_thread(async {
        let url = server.url("postgres");
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.expect("a connection");
        let created = async {
            create_locked(&client, &name, &server.url(&name)).await;
            drop(client);
        };
        let ((), closed) = tokio::join!(created, connection);
        closed.expect("the connection ends");
    });
    name
}

async fn create_locked(client: &Client, name: &str, url: &str) {
    let run = async |sql: String| {
        client.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
    };
    run(format!("SELECT pg_advisory_lock({LOCK})")).await;
    let marked = format!("SELECT 1 FROM pg_database WHERE datistemplate AND datname = '{name}'");
    let marked = client.query(&marked, &[]).await.expect("the list of databases");
    if marked.is_empty() {
        run(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        run(format!("CREATE DATABASE {name}")).await;
        let target = postgres::Target::parse(url).expect("a URL");
        let store = Store::open_postgres(target, postgres::Migrate::Yes, beginning()).await;
        store.expect("the template is migrated").close().await;
        run(format!("ALTER DATABASE {name} IS_TEMPLATE true")).await;
    }
    // The lock ends with the connection.
}

fn name() -> String {
    let binary = std::env::current_exe().expect("the path of the test binary");
    let changed = binary.metadata().and_then(|file| file.modified()).expect("its time of change");
    let mut hasher = DefaultHasher::new();
    (binary, changed).hash(&mut hasher);
    format!("template_{:016x}", hasher.finish())
}
