//! Removes pending events and mails after a restore: the server may have sent them after the backup was made.

use tenantry_core::Timestamp;
use tenantry_core::ids::{OrganizationId, WebhookEndpointId, WebhookEventId};

use crate::{StoreError, Tx};

/// An event that has an attempt to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingEvent {
    /// The tenant.
    pub organization: OrganizationId,
    /// The event.
    pub id: WebhookEventId,
    /// The endpoint that receives it.
    pub endpoint: WebhookEndpointId,
}

impl Tx<'_> {
    /// The next `limit` events after `after` that have an attempt to make, of all organizations, ordered by
    /// organization and id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_events_pending(
        &mut self,
        after: Option<PendingEvent>,
        limit: i64,
    ) -> Result<Vec<PendingEvent>, StoreError> {
        // The only id of zeros is the installation's, which has no events.
        let nil = uuid::Uuid::nil();
        let (organization, id) = after.map_or((nil, nil), |last| (last.organization.uuid(), last.id.uuid()));
        self.all(
            "SELECT organization_id, id, endpoint_id FROM webhook_events
             WHERE (organization_id, id) > (?1, ?2) AND (state = 'pending' OR due_at IS NOT NULL)
             ORDER BY organization_id, id LIMIT ?3",
            &[organization.into(), id.into(), limit.into()],
            |row| Ok(PendingEvent { organization: row.get(0)?, id: row.get(1)?, endpoint: row.get(2)? }),
        )
        .await
    }

    /// Cancels the next attempt of an event. A pending event becomes failed, without a counted attempt.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_event_fail_pending(
        &mut self,
        event: PendingEvent,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE webhook_events
             SET state = CASE WHEN state = 'pending' THEN 'failed' ELSE state END, due_at = NULL, modified_at = ?3
             WHERE organization_id = ?1 AND id = ?2",
            &[event.organization.into(), event.id.into(), now.into()],
        )
        .await
    }

    /// Makes no queue of any organization due and ends every lease. Deletes the queues of deleted endpoints.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_queues_clear(&mut self) -> Result<(), StoreError> {
        let of_deleted = "SELECT l.organization_id, l.endpoint_id FROM webhook_queues AS l
            WHERE l.queue = 'first_attempts' AND NOT EXISTS (SELECT 1 FROM webhook_endpoints AS e
                WHERE e.organization_id = l.organization_id AND e.id = l.endpoint_id AND e.deleted_at IS NULL)";
        for (organization, endpoint) in
            self.all(of_deleted, &[], |row| Ok((row.get(0)?, row.get(1)?))).await?
        {
            self.webhook_queues_delete(organization, endpoint).await?;
        }
        self.execute_unawaited("UPDATE webhook_queues SET due_at = NULL, leased_until = NULL", &[]).await
    }

    /// Deletes the queues of up to `limit` deleted endpoints of an organization. Returns of how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_queues_of_deleted_delete(
        &mut self,
        organization: OrganizationId,
        limit: i64,
    ) -> Result<usize, StoreError> {
        let of_deleted = "SELECT l.endpoint_id FROM webhook_queues AS l
            WHERE l.organization_id = ?1 AND l.queue = 'first_attempts'
                AND NOT EXISTS (SELECT 1 FROM webhook_endpoints AS e
                    WHERE e.organization_id = ?1 AND e.id = l.endpoint_id AND e.deleted_at IS NULL)
            ORDER BY l.endpoint_id LIMIT ?2";
        let endpoints: Vec<WebhookEndpointId> =
            self.all(of_deleted, &[organization.into(), limit.into()], |row| row.get(0)).await?;
        for endpoint in &endpoints {
            self.webhook_queues_delete(organization, *endpoint).await?;
        }
        Ok(endpoints.len())
    }

    /// Deletes every pending mail; returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mails_delete_all(&mut self) -> Result<usize, StoreError> {
        let deleted = self.execute("DELETE FROM mails", &[]).await?;
        self.execute_unawaited("UPDATE mail_queues SET due_at = NULL", &[]).await?;
        Ok(deleted)
    }
}
