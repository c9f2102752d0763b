//! Support of tests with concurrent requests.

use std::sync::Mutex;
use std::sync::mpsc::Receiver;

use tenantry_app::Error;
use tenantry_core::ExecutionContext;
use tenantry_core::ids::OrganizationId;
use tenantry_store::{Party, Tx, UseCase};

/// Keeps the writer of an organization busy until the receiver gets a value.
pub(crate) struct BusyWriter(pub(crate) OrganizationId, pub(crate) Mutex<Receiver<()>>);

impl UseCase for BusyWriter {
    type Output = ();
    type Error = Error;

    fn party(&self) -> Party {
        Party::organization(self.0)
    }

    async fn run(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<(), Error> {
        // PostgreSQL has no writer: there the row of the organization is what others wait for.
        tx.organization_for_update(self.0).await?;
        // On PostgreSQL this is a task. The other tasks of its thread move to another thread meanwhile.
        tokio::task::block_in_place(|| self.1.lock().unwrap().recv().unwrap());
        Ok(())
    }
}

/// Waits for the first of two futures. Returns its output and the other future.
pub(crate) async fn first_of<T: Unpin + Future>([mut one, mut two]: [T; 2]) -> (T::Output, T) {
    tokio::select! {
        biased;
        done = &mut one => (done, two),
        done = &mut two => (done, one),
    }
}
