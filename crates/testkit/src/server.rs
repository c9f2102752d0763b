//! The PostgreSQL server of the tests, and statements on it.

use std::io::Write;

use tokio::runtime::Builder;
use tokio_postgres::{NoTls, SimpleQueryMessage};

/// The server of `TENANTRY_TEST_POSTGRES`: a URL without a database.
#[derive(Clone)]
pub(crate) struct Server(String);

impl Server {
    /// The server. Without one, a test fails in CI; elsewhere this prints that nothing is tested.
    pub(crate) fn of_environment() -> Option<Self> {
        let server = std::env::var("TENANTRY_TEST_POSTGRES").ok();
        if server.is_none() {
            let missing = "PostgreSQL is not tested: TENANTRY_TEST_POSTGRES is not set";
            assert!(std::env::var("CI").is_err(), "{missing}");
            let test = std::thread::current().name().unwrap_or("a test").to_owned();
            // Written to the stream itself, because the output of print macros is shown for failed tests only.
            let _ = writeln!(std::io::stderr(), "{test}: {missing}; run `tests/postgres.sh cargo test`");
        }
        server.map(Self)
    }

    /// The URL of a database on it.
    pub(crate) fn url(&self, database: &str) -> String {
        let (base, query) = self.0.split_once('?').unwrap_or((&self.0, ""));
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}/{database}{mark}{query}", base.trim_end_matches('/'))
    }

    /// Runs a statement outside of the databases of tests.
    pub(crate) fn run(&self, sql: &str) {
        drop(run_sql(&self.url("postgres"), sql));
    }
}

/// Runs `work` on a thread and a runtime of its own, since the caller may be on one.
pub(crate) fn on_own_thread<T: Send>(work: impl Future<Output = T> + Send) -> T {
    let run = || Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work);
    std::thread::scope(|scope| scope.spawn(run).join().expect("no panic"))
}

/// The rows of one statement, as text.
type Found = Vec<Vec<Option<String>>>;

/// Runs statements on a connection of their own. Returns the rows of each.
pub(crate) fn run_sql(url: &str, sql: &str) -> Vec<Found> {
    let asking = async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a connection");
        let asked = async {
            let answer = client.simple_query(sql).await;
            drop(client);
            answer
        };
        let (answer, _) = tokio::join!(asked, connection);
        answer.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
    };
    let (mut answers, mut found) = (Vec::new(), Found::new());
    for message in on_own_thread(asking) {
        match message {
            SimpleQueryMessage::Row(row) => {
                found.push((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect());
            }
            SimpleQueryMessage::CommandComplete(_) => answers.push(std::mem::take(&mut found)),
            _ => {}
        }
    }
    answers
}
