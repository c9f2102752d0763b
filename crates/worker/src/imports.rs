//! Carries out the rows of imports.
//!
//! A worker leases an import that is due, carries out rows for `TURN`, and releases it, so that imports take turns.
//! Each part is one transaction, which also stores the progress. When a worker stops or crashes, another one goes on at
//! the end of the lease, from the first row that is not done.
//!
//! A commit names the organization whose import is due. The worker looks at these organizations, at those whose time on
//! the agenda has come, and every `POLL_INTERVAL` at all, for the imports of other processes.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tenantry_app::imports::{DueImports, ReadRows};
use tenantry_app::{App, Error};
use tenantry_core::customer::ImportState;
use tenantry_core::ids::OrganizationId;
use tenantry_store::{CustomerImport, Woken};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::agenda::Agenda;

/// Imports of one node that are carried out at once.
const MAX_IN_FLIGHT: usize = 4;
/// The pause between two looks at the due imports of all organizations; imports of other nodes are found by then.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// The shortest pause between two looks: another worker may hold the row of an import that is due.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
/// The time for which a worker stays with one import.
const TURN: Duration = Duration::from_secs(2);

/// Carries out the rows of imports.
pub struct ImportWorker {
    app: Arc<App>,
    read: ReadRows,
}

/// The turns under way, each of which ends with its organization.
type Turns = JoinSet<OrganizationId>;

impl ImportWorker {
    /// A worker that reads the rows of a file with `read`.
    #[must_use]
    pub fn new(app: Arc<App>, read: ReadRows) -> Self {
        Self { app, read }
    }

    /// Works until `stop` completes. A part under way is then either committed or rolled back.
    pub async fn run(self: Arc<Self>, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let (mut turns, mut agenda) = (Turns::new(), Agenda::default());
        let mut every = tokio::time::interval(POLL_INTERVAL);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let has_place = turns.len() < MAX_IN_FLIGHT;
            let pause = agenda.pause(self.app.now(), POLL_INTERVAL).max(SHORTEST_PAUSE);
            let woken = tokio::select! {
                () = &mut stop => break,
                Some(ended) = turns.join_next() => {
                    // A turn that panicked ends with its lease, which the look at all organizations finds.
                    let mut organizations = agenda.take_due(self.app.now());
                    organizations.extend(ended);
                    Woken::Some(organizations)
                }
                _ = every.tick(), if has_place => Woken::All,
                woken = self.app.store().import_signal().wait(), if has_place => woken,
                () = tokio::time::sleep(pause), if has_place => {
                    Woken::Some(agenda.take_due(self.app.now()))
                }
            };
            let looked = match woken {
                Woken::Some(organizations) => self.look_at(organizations, &mut turns, &mut agenda).await,
                Woken::All => self.look_at_all(&mut turns).await,
            };
            if let Err(error) = looked {
                tracing::warn!(%error, retry_after_ms = POLL_INTERVAL.as_millis(), "import queue failed");
            }
        }
        turns.shutdown().await;
    }

    /// Leases due imports of all organizations while there are free places, and starts a turn for each.
    async fn look_at_all(self: &Arc<Self>, turns: &mut Turns) -> Result<(), Error> {
        while turns.len() < MAX_IN_FLIGHT {
            let Some(import) = self.app.lease_import(DueImports::All).await? else { return Ok(()) };
            self.start(import, turns);
        }
        Ok(())
    }

    /// Leases due imports of these organizations and starts a turn for each. Adds the times of their next ones to the
    /// agenda, and that of organizations without a free place.
    async fn look_at(
        self: &Arc<Self>,
        organizations: BTreeSet<OrganizationId>,
        turns: &mut Turns,
        agenda: &mut Agenda,
    ) -> Result<(), Error> {
        for organization in organizations {
            while turns.len() < MAX_IN_FLIGHT {
                let due = DueImports::Of(organization);
                let Some(import) = self.app.lease_import(due).await? else { break };
                self.start(import, turns);
            }
            if let Some(due) = self.app.next_import_due_of(organization).await? {
                agenda.add(due, organization);
            }
        }
        Ok(())
    }

    fn start(self: &Arc<Self>, import: CustomerImport, turns: &mut Turns) {
        let (worker, organization) = (Arc::clone(self), import.organization);
        turns.spawn(async move {
            worker.turn(import).await;
            organization
        });
    }

    async fn turn(&self, import: CustomerImport) {
        let (organization_id, import_id) = (import.organization, import.id);
        let until = Instant::now() + TURN;
        match self.app.continue_import(import, self.read, until, |_| {}).await {
            Ok(import) => log_end(&import),
            // The lease ends by itself, and the next turn begins after the rows that are done.
            Err(error) => {
                tracing::warn!(%organization_id, %import_id, %error, "import interrupted, it goes on")
            }
        }
    }
}

/// Logs the end of an import that has one.
fn log_end(import: &CustomerImport) {
    let CustomerImport { organization, id, counts, rows, stop_reason, .. } = import;
    match import.state {
        ImportState::Completed => tracing::info!(
            organization_id = %organization, import_id = %id, rows, created = counts.created,
            updated = counts.updated, failed = counts.failed, "import completed"
        ),
        ImportState::Stopped => tracing::info!(
            organization_id = %organization, import_id = %id, rows, done = counts.done(), "import stopped"
        ),
        ImportState::Failed => tracing::warn!(
            organization_id = %organization, import_id = %id, rows, done = counts.done(), reason = stop_reason,
            "import failed"
        ),
        ImportState::Receiving | ImportState::Running => {}
    }
}
