//! Retention: how long the server keeps rows whose number grows with every request. The sweep deletes older ones in
//! bounded parts. Events that are pending or to be retried stay, whatever their age.

use std::num::NonZeroU32;

use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{StoreError, Tx, UseCase};

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

/// Deletes old audit entries, and of those about a creation only the image. Returns how many.
struct DeleteOldAuditEntries(NonZeroU32);

impl UseCase for DeleteOldAuditEntries {
    type Output = usize;
    type Error = StoreError;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<usize, StoreError> {
        let before = before(context.now(), self.0);
        let entries = tx.audit_entries_before(before, limits::OLD_ROWS_PER_TRANSACTION).await?;
        for entry in &entries {
            match entry.is_of_creation {
                true => tx.audit_images_replace(entry.organization, (entry.id, None, None)).await?,
                false => tx.audit_entry_delete(entry.organization, entry.id).await?,
            }
        }
        Ok(entries.len())
    }
}

impl App {
    /// Deletes rows that are older than their retention.
    pub(crate) async fn delete_old_rows(&self) -> Result<(), StoreError> {
        let Retention { payload_days, event_days, audit_days } = self.retention;
        while self.store.write(DropOldPayloads(payload_days)).await? > 0 {}
        while self.store.write(DeleteOldEvents(event_days)).await? > 0 {}
        let Some(days) = audit_days else { return Ok(()) };
        while self.store.write(DeleteOldAuditEntries(days)).await? > 0 {}
        Ok(())
    }
}
