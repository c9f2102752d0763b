//! The metrics of a server, in the text formats of OpenMetrics and Prometheus, on a listener of their own.
//!
//! The other crates record into the plain atomics of `tenantry_meter` and know no format. A scrape reads these, the
//! queues in memory and the operating system. It waits for no writer and no request. Only the backlogs are read from the
//! database, by bounded queries on indexes, at most once in [`BACKLOGS_KEPT`] however often the server is scraped.
//!
//! | module | does |
//! |---|---|
//! | `exposition` | names, help texts and types of all metrics |
//! | `process` | the figures that the operating system has about the process |
//! | `server` | the listener |

mod exposition;
mod process;
mod server;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tenantry_app::operator::Backlogs;
use tenantry_core::Timestamp;
use tenantry_http::Gateway;
use tenantry_meter::Counter;
use tenantry_worker::WorkerMeters;
use tokio::sync::Mutex;

pub use exposition::Format;
pub use server::{Bounds, serve};

use exposition::Snapshot;

/// The time for which the backlogs are shown again before they are read anew.
pub const BACKLOGS_KEPT: Duration = Duration::from_secs(5);
/// The time in which the database must answer. Without an answer, a scrape leaves the backlogs out.
const BACKLOGS_READ: Duration = Duration::from_secs(2);

/// The metrics of a server.
pub struct Metrics {
    gateway: Gateway,
    workers: Arc<WorkerMeters>,
    version: &'static str,
    started_at: Timestamp,
    backlogs: Mutex<Option<(Instant, Option<Backlogs>)>>,
    failed_reads: Counter,
}

impl Metrics {
    /// The metrics of a server that starts now, of this version.
    #[must_use]
    pub fn new(gateway: Gateway, workers: Arc<WorkerMeters>, version: &'static str) -> Self {
        let started_at = gateway.app().now();
        Self {
            gateway,
            workers,
            version,
            started_at,
            backlogs: Mutex::default(),
            failed_reads: Counter::new(),
        }
    }

    /// All metrics at this moment.
    pub async fn render(&self, format: Format) -> String {
        let app = self.gateway.app();
        let backlogs = self.backlogs().await;
        let snapshot = Snapshot {
            version: self.version,
            started_at: self.started_at,
            server: self.gateway.reading(),
            store: app.store().reading(),
            credential_cache: app.credential_cache(),
            clock_skew: app.clock_skew(),
            workers: self.workers.reading(),
            backlogs,
            failed_backlog_reads: self.failed_reads.value(),
            process: process::reading(),
        };
        snapshot.render(format)
    }

    /// The backlogs, at most [`BACKLOGS_KEPT`] old. None when the database does not answer: scrapes that come until
    /// then do not ask it again.
    async fn backlogs(&self) -> Option<Backlogs> {
        let mut kept = self.backlogs.lock().await;
        if let Some((read_at, backlogs)) = &*kept
            && read_at.elapsed() < BACKLOGS_KEPT
        {
            return *backlogs;
        }
        let read = tokio::time::timeout(BACKLOGS_READ, self.gateway.app().backlogs()).await;
        let backlogs = read.ok().and_then(Result::ok);
        if backlogs.is_none() {
            self.failed_reads.increment();
        }
        *kept = Some((Instant::now(), backlogs));
        backlogs
    }
}
