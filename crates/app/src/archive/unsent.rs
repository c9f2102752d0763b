//! Ending what waits to be sent. After a restore nobody knows what was sent since the backup: a webhook is
//! shown as failed and can be redelivered, a mail is dropped.

use tenantry_core::ExecutionContext;
use tenantry_core::ids::WebhookDeliveryId;
use tenantry_store::{PendingEvent, Store, StoreError, Tx, UseCase, WebhookDelivery};

use super::ArchiveError;
use crate::limits;

/// What the list of deliveries shows of an event that was not sent.
const WHY: &str = "not sent: the database was restored from a backup, and it may have been sent since";

/// Ends a few events that wait, after the event `.0`; answers them.
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
        let waiting = tx.webhook_events_pending(self.0, limits::MOVED_ROWS).await?;
        for event in &waiting {
            tx.webhook_event_fail_pending(*event, context.now()).await?;
            tx.webhook_delivery_append(&WebhookDelivery {
                id: WebhookDeliveryId::new(context.uuid()),
                organization: event.organization,
                endpoint: event.endpoint,
                event: event.id,
                created_at: context.now(),
                succeeded: false,
                http_code: None,
                response: Some(WHY.to_owned()),
            })
            .await?;
        }
        Ok(waiting)
    }
}

/// Has no queue do anything, and drops the mails; answers how many.
struct EndRest;

impl UseCase for EndRest {
    type Output = usize;
    type Error = StoreError;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<usize, StoreError> {
        tx.webhook_queues_clear().await?;
        tx.mails_delete_all().await
    }
}

/// Ends all that waits; answers how many events and mails.
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
    let mails = store.write(EndRest).await?;
    Ok((events, mails as u64))
}
