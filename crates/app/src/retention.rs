//! Retention: how long the server keeps rows whose number grows with every request. The sweep deletes older ones in
//! bounded parts, and removes the personal data of customers that were deleted long ago. Events that are pending or to be
//! retried stay, whatever their age.

use std::num::NonZeroU32;

use tenantry_core::ids::OrganizationId;
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{AuditRetention, OldAuditEntry, Party, StoreError, Tx, UseCase};

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
    /// Days for which the rows of a deleted organization are kept, so that it can be undeleted.
    pub deleted_days: NonZeroU32,
    /// Days for which a deleted customer keeps its personal data, so that it can be restored.
    pub deleted_customer_days: NonZeroU32,
}

impl Default for Retention {
    fn default() -> Self {
        let days = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self {
            payload_days: days(90),
            event_days: days(180),
            audit_days: None,
            deleted_days: days(30),
            deleted_customer_days: days(30),
        }
    }
}

pub(crate) fn before(now: Timestamp, days: NonZeroU32) -> Timestamp {
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

/// Deletes old audit entries, and of those about a creation only the image. Returns how many.
struct DeleteOldAuditEntries(NonZeroU32);

impl UseCase for DeleteOldAuditEntries {
    type Output = usize;
    type Error = StoreError;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<usize, StoreError> {
        let before = before(context.now(), self.0);
        let entries = tx.audit_entries_before(before, limits::OLD_ROWS_PER_TRANSACTION).await?;
        delete_audit_entries(tx, &entries).await?;
        Ok(entries.len())
    }
}

/// Deletes entries, and of those about a creation only the image and the client.
async fn delete_audit_entries(tx: &mut Tx<'_>, entries: &[OldAuditEntry]) -> Result<(), StoreError> {
    for entry in entries {
        if entry.is_of_creation {
            tx.audit_images_replace(entry.organization, (entry.id, None, None)).await?;
            tx.audit_client_remove(entry.organization, entry.id).await?;
        } else {
            tx.audit_entry_delete(entry.organization, entry.id).await?;
        }
    }
    Ok(())
}

/// The days of an organization's setting.
const fn kept_for(days: u32) -> NonZeroU32 {
    match NonZeroU32::new(days) {
        Some(days) => days,
        None => NonZeroU32::MAX,
    }
}

/// Deletes some old audit entries of one organization, by its own setting.
struct SweepAuditLog {
    organization: OrganizationId,
    days: u32,
}

impl UseCase for SweepAuditLog {
    type Output = ();
    type Error = StoreError;
    const IS_LONG: bool = true;

    fn party(&self) -> Party {
        Party::organization(self.organization)
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), StoreError> {
        let Self { organization, days } = *self;
        let before = before(context.now(), kept_for(days));
        let limit = limits::OLD_ROWS_PER_TRANSACTION;
        let entries = tx.audit_entries_to_sweep(organization, before, limit).await?;
        delete_audit_entries(tx, &entries).await?;
        if let Some(last) = entries.last() {
            tx.audit_swept(organization, last.id).await?;
        }
        Ok(())
    }
}

impl App {
    /// Deletes the audit entries that their organizations do not keep.
    async fn sweep_audit_logs(&self) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let limit = limits::OLD_ROWS_PER_TRANSACTION;
            let found = self.store.reader()?.tx()?.audit_retentions(after, limit).await?;
            let Some(last) = found.last() else { return Ok(()) };
            after = Some(*last);
            for AuditRetention { organization, days, .. } in found {
                while self.has_audit_entries_to_sweep(organization, days).await? {
                    self.store.write(SweepAuditLog { organization, days }).await?;
                }
            }
        }
    }

    /// Whether an organization has entries that it does not keep. Read apart, so that the sweep writes for nobody else.
    async fn has_audit_entries_to_sweep(
        &self,
        organization: OrganizationId,
        days: u32,
    ) -> Result<bool, StoreError> {
        let before = before(self.now(), kept_for(days));
        Ok(!self.store.reader()?.tx()?.audit_entries_to_sweep(organization, before, 1).await?.is_empty())
    }

    /// Deletes rows that are older than their retention.
    pub(crate) async fn delete_old_rows(&self) -> Result<(), StoreError> {
        let Retention { payload_days, event_days, audit_days, deleted_days, deleted_customer_days } =
            self.retention;
        while self.store.write(DropOldPayloads(payload_days)).await? > 0 {}
        while self.store.write(DeleteOldEvents(event_days)).await? > 0 {}
        if let Some(days) = audit_days {
            while self.store.write(DeleteOldAuditEntries(days)).await? > 0 {}
        }
        self.sweep_audit_logs().await?;
        self.anonymize_deleted_customers(deleted_customer_days).await?;
        self.purge_organizations(deleted_days).await
    }
}
