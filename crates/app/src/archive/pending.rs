//! Ends pending mail and webhooks after a restore, because they may have been sent since the backup. A webhook event is
//! marked as failed and can be redelivered; a mail is deleted. An unfinished import of customers fails.

use tenantry_core::ExecutionContext;
use tenantry_core::ids::WebhookDeliveryId;
use tenantry_store::{PendingEvent, Store, StoreError, Tx, UseCase, WebhookDelivery};

use super::ArchiveError;
use crate::limits;

/// The response text of these events in the list of deliveries.
const RESPONSE: &str = "not sent: the database was restored from a backup, and it may have been sent since";

/// Marks pending events after `.0` as failed, up to [`limits::ARCHIVE_BATCH_ROWS`]. Returns them.
struct EndEvents(Option<PendingEvent>);

impl UseCase for EndEvents {
    type Output = Vec<PendingEvent>;
    type Error = StoreError;
    const IS_LONG: bool = true;

    async fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<Vec<PendingEvent>, StoreError> {
        let pending = tx.webhook_events_pending(self.0, limits::ARCHIVE_BATCH_ROWS).await?;
        end_events(tx, context, &pending, RESPONSE).await?;
        Ok(pending)
    }
}

/// Marks pending events as failed, with a delivery that has this response text.
pub(super) async fn end_events(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    pending: &[PendingEvent],
    response: &str,
) -> Result<(), StoreError> {
    for event in pending {
        tx.webhook_event_fail_pending(*event, context.now()).await?;
        tx.webhook_delivery_append(&WebhookDelivery {
            id: WebhookDeliveryId::new(context.uuid()),
            organization: event.organization,
            endpoint: event.endpoint,
            event: event.id,
            created_at: context.now(),
            succeeded: false,
            http_code: None,
            response: Some(response.to_owned()),
        })
        .await?;
    }
    Ok(())
}

/// Makes all delivery queues idle, and deletes the mails. Returns how many mails.
struct EndQueuesAndMails;

impl UseCase for EndQueuesAndMails {
    type Output = usize;
    type Error = StoreError;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<usize, StoreError> {
        tx.webhook_queues_clear().await?;
        let now = context.now();
        let expires_at = now.plus_seconds(limits::IMPORT_RETENTION_S);
        tx.customer_imports_fail_all("the database was restored from a backup", now, expires_at).await?;
        tx.mails_delete_all().await
    }
}

/// Ends all pending events and mails. Returns how many of each.
pub(super) async fn end_all(store: &Store) -> Result<(u64, u64), ArchiveError> {
    let (mut events, mut last) = (0, None);
    loop {
        let ended = store.write(EndEvents(last)).await?;
        events += ended.len() as u64;
        match ended.last() {
            Some(event) => last = Some(*event),
            None => break,
        }
    }
    let mails = store.write(EndQueuesAndMails).await?;
    Ok((events, mails as u64))
}
