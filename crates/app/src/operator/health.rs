//! The health of the installation: its database, the work that waits, and the last backup.

use std::time::Duration;

use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{Backlog, DatabaseFacts, StoreError, Tx, UseCase};

use super::doctor::{self, DoctorState};
use crate::{App, Error, Requester, limits};

/// The value of `installation` with the time of the last backup.
const BACKED_UP_AT: &str = "backed_up_at";

/// The health of the installation, as the operator sees it.
#[derive(Debug, Clone)]
pub struct Health {
    /// The database.
    pub database: DatabaseFacts,
    /// Servers of the database that do not answer.
    pub lost_servers: usize,
    /// The difference between the clock of this node and that of the database.
    pub clock_skew: Duration,
    /// Delivery queues of webhooks that are due, up to [`limits::BACKLOG_COUNTED`].
    pub webhooks: Backlog,
    /// Mail queues that are due, likewise.
    pub mails: Backlog,
    /// Imports of customers that are due, likewise.
    pub imports: Backlog,
    /// The time of the last `tenantry backup`, if there was one.
    pub backed_up_at: Option<Timestamp>,
    /// The last run of the doctor.
    pub doctor: DoctorState,
}

/// The work of workers that is due: queues of all organizations, up to [`limits::BACKLOG_COUNTED`] of each kind.
#[derive(Debug, Clone, Copy)]
pub struct Backlogs {
    /// The time at which they were read.
    pub at: Timestamp,
    /// Delivery queues of webhooks.
    pub webhooks: Backlog,
    /// Mail queues.
    pub mails: Backlog,
    /// Imports of customers.
    pub imports: Backlog,
}

/// Notes the time of a backup.
#[derive(Debug, Clone, Copy)]
pub struct BackupNote(pub Timestamp);

impl UseCase for BackupNote {
    type Output = ();
    type Error = Error;

    async fn run(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<(), Error> {
        Ok(tx.installation_value_replace(BACKED_UP_AT, &self.0.as_micros().to_be_bytes()).await?)
    }
}

async fn read_backlogs(tx: &mut Tx<'_>, now: Timestamp) -> Result<Backlogs, StoreError> {
    let most = limits::BACKLOG_COUNTED;
    Ok(Backlogs {
        at: now,
        webhooks: tx.webhook_backlog(now, most).await?,
        mails: tx.mail_backlog(now, most).await?,
        imports: tx.import_backlog(now, most).await?,
    })
}

impl App {
    /// The work of workers that is due, for the metrics of the server.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn backlogs(&self) -> Result<Backlogs, StoreError> {
        read_backlogs(&mut self.store.reader()?.tx()?, self.now()).await
    }

    /// The health of the installation.
    ///
    /// # Errors
    /// [`Error::OrganizationNotFound`] without the rights of the operator, or a store error.
    pub async fn operator_health(&self, by: &Requester) -> Result<Health, Error> {
        by.check_operator()?;
        let lost_servers = self.store.lost_servers().await?;
        let mut reader = self.store.reader()?;
        let mut tx = reader.tx()?;
        let now = self.now();
        let Backlogs { webhooks, mails, imports, .. } = read_backlogs(&mut tx, now).await?;
        let backed_up_at = tx.installation_value(BACKED_UP_AT).await?;
        let backed_up_at = backed_up_at.and_then(|value| value.try_into().ok());
        Ok(Health {
            database: tx.database().await?,
            lost_servers,
            clock_skew: self.clock_skew(),
            webhooks,
            mails,
            imports,
            backed_up_at: backed_up_at.map(|micros| Timestamp::from_micros(i64::from_be_bytes(micros))),
            doctor: doctor::state(&mut tx, now).await?,
        })
    }
}
