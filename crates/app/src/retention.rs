//! Retention: how long the server keeps rows whose number grows with every request. The sweep deletes older ones in
//! bounded parts. Events that are pending or to be retried stay, whatever their age.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use tenantry_core::ids::{AuditId, OrganizationId};
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{StoreError, Tx, UseCase};
use uuid::Uuid;

use crate::{App, limits};

/// Days for which rows are kept. An operator may change them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Days for which the payload of a webhook event is kept.
    pub payload_days: NonZeroU32,
    /// Days for which a webhook event and its deliveries are kept, at least as long as the payload.
    pub event_days: NonZeroU32,
    /// Days for which an audit entry is kept. Without a number all are kept. An entry about a creation always stays,
    /// without its image.
    pub audit_days: Option<NonZeroU32>,
}

impl Default for Retention {
    fn default() -> Self {
        let days = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self { payload_days: days(90), event_days: days(180), audit_days: None }
    }
}

fn before(now: Timestamp, days: NonZeroU32) -> Timestamp {
    now.plus_seconds(-i64::from(days.get()).saturating_mul(24 * 60 * 60))
}

/// Deletes the payloads of old events. Returns how many.
struct DropOldPayloads(NonZeroU32);

impl UseCase for DropOldPayloads {
    type Output = usize;
    type Error = StoreError;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<usize, StoreError> {
        tx.webhook_events_archive(before(context.now(), self.0), limits::OLD_ROWS_PER_TRANSACTION).await
    }
}

/// Deletes old events without payload, and their deliveries. Returns how many events.
struct DeleteOldEvents(NonZeroU32);

impl UseCase for DeleteOldEvents {
    type Output = usize;
    type Error = StoreError;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<usize, StoreError> {
        tx.webhook_events_delete_archived(before(context.now(), self.0), limits::OLD_EVENTS_PER_TRANSACTION)
            .await
    }
}

/// The last audit entry that the sweep has looked at.
pub(crate) type AuditPlace = (OrganizationId, AuditId);

/// Looks at the audit entries after a place and deletes the old ones. Returns the next place, if there are more.
struct DeleteOldAuditEntries {
    after: Option<AuditPlace>,
    days: NonZeroU32,
}

impl UseCase for DeleteOldAuditEntries {
    type Output = Option<AuditPlace>;
    type Error = StoreError;
    const IS_LONG: bool = true;

    async fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<Option<AuditPlace>, StoreError> {
        let before = before(context.now(), self.days);
        let limit = limits::OLD_ROWS_PER_TRANSACTION;
        let entries = tx.audit_entries_after(self.after, limit).await?;
        let is_last = i64::try_from(entries.len()).is_ok_and(|count| count < limit);
        let mut last = None;
        for entry in entries {
            let (organization, id) = (entry.organization, entry.id);
            if entry.at >= before {
                // The entries of an organization are ordered by time, so that all others are newer still.
                return Ok(Some((organization, AuditId::new(Uuid::max()))));
            }
            match (entry.is_of_creation, entry.has_image) {
                (true, true) => tx.audit_images_replace(organization, (id, None, None)).await?,
                (true, false) => {}
                (false, _) => tx.audit_entry_delete(organization, id).await?,
            }
            last = Some((organization, id));
        }
        Ok(last.filter(|_| !is_last))
    }
}

/// The place at which the next sweep of audit entries goes on.
#[derive(Default)]
pub(crate) struct AuditSweep(Mutex<Option<AuditPlace>>);

impl App {
    /// Deletes rows that are older than their retention.
    pub(crate) async fn delete_old_rows(&self) -> Result<(), StoreError> {
        let Retention { payload_days, event_days, audit_days } = self.retention;
        while self.store.write(DropOldPayloads(payload_days)).await? > 0 {}
        while self.store.write(DeleteOldEvents(event_days)).await? > 0 {}
        let Some(days) = audit_days else { return Ok(()) };
        for _ in 0..limits::AUDIT_TRANSACTIONS_PER_SWEEP {
            let after = *self.audit_sweep.0.lock().unwrap_or_else(PoisonError::into_inner);
            let next = self.store.write(DeleteOldAuditEntries { after, days }).await?;
            *self.audit_sweep.0.lock().unwrap_or_else(PoisonError::into_inner) = next;
            if next.is_none() {
                break;
            }
        }
        Ok(())
    }
}
