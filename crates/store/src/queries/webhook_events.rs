//! Events for webhook endpoints.

use tenantry_core::Timestamp;
use tenantry_core::ids::{CustomerId, OrganizationId, UserId, WebhookEndpointId, WebhookEventId};
use tenantry_core::webhook::{CompletedEvent, Event, EventData, EventState, EventType, WebhookEndpoint};

use super::count;
use crate::row::Row;
use crate::{DeliveryQueue, DueQueue, StoreError, Tx};

/// An event as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookEventRow {
    /// The id of the event.
    pub id: WebhookEventId,
    /// The tenant.
    pub organization: OrganizationId,
    /// The endpoint that receives it.
    pub endpoint: WebhookEndpointId,
    /// The time of the event.
    pub created_at: Timestamp,
    /// The type of the event.
    pub event_type: EventType,
    /// The data of the event; nothing once it is archived or its customer is anonymized.
    pub data: Option<EventData>,
    /// The body that is sent, from the first attempt on.
    pub payload: Option<String>,
    /// The state of the delivery.
    pub state: EventState,
    /// Attempts made.
    pub attempts: u32,
}

impl WebhookEventRow {
    /// The event, unless it is archived.
    #[must_use]
    pub fn event(&self) -> Option<Event> {
        let data = self.data.clone()?;
        let Self { id, organization, endpoint, created_at, event_type, .. } = *self;
        Some(Event { id, organization, endpoint, created_at, event_type, data })
    }
}

const COLUMNS: &str = "organization_id, id, endpoint_id, created_at, type, data, payload, state, attempts";

fn event(row: &Row<'_>) -> Result<WebhookEventRow, StoreError> {
    Ok(WebhookEventRow {
        organization: row.get(0)?,
        id: row.get(1)?,
        endpoint: row.get(2)?,
        created_at: row.get(3)?,
        event_type: row.named(4, EventType::from_name)?,
        data: row.parse_optional(5, EventData::from_image)?,
        payload: row.get(6)?,
        state: row.named(7, EventState::from_name)?,
        attempts: u32::try_from(count(row.get(8)?)).unwrap_or(u32::MAX),
    })
}

impl Tx<'_> {
    /// Inserts a pending event with the endpoint's next sequence number, and makes the queue of first
    /// attempts due. Nothing is inserted when the endpoint is deleted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_event_insert(&mut self, new: &Event) -> Result<(), StoreError> {
        let Event { id, organization, endpoint, created_at, event_type, data } = new;
        let sequence = self
            .first(
                "UPDATE webhook_queues
                 SET last_sequence = last_sequence + 1, due_at = coalesce(due_at, ?4)
                 WHERE organization_id = ?1 AND endpoint_id = ?2 AND queue = ?3 RETURNING last_sequence",
                &[
                    (*organization).into(),
                    (*endpoint).into(),
                    DeliveryQueue::FirstAttempts.as_str().into(),
                    (*created_at).into(),
                ],
                |row| row.get::<i64>(0),
            )
            .await?;
        // A deleted endpoint has no queue.
        let Some(sequence) = sequence else { return Ok(()) };
        self.execute_unawaited(
            "INSERT INTO webhook_events
                (organization_id, id, endpoint_id, sequence, created_at, type, subject_id, data, state, attempts)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'pending', 0)",
            &[
                (*organization).into(),
                (*id).into(),
                (*endpoint).into(),
                sequence.into(),
                (*created_at).into(),
                event_type.as_str().into(),
                data.about().into(),
                data.image()?.into(),
            ],
        )
        .await?;
        self.mark_webhooks_due(*organization);
        Ok(())
    }

    /// Takes a part of an owner's budget for large events. `cost_us` is the time in which that part refills, `all_us`
    /// the time in which the whole budget refills. Returns whether the budget was sufficient. The row stays locked
    /// until the transaction ends. A budget that is used up for longer than `all_us` was written while the clock was
    /// wrong, and counts as full.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_budget_take(
        &mut self,
        owner: UserId,
        (cost_us, all_us): (i64, i64),
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let after = |micros: i64| Timestamp::from_micros(now.as_micros().saturating_add(micros));
        let taken = self
            .execute(
                "INSERT INTO webhook_budgets (owner_user_id, full_at) VALUES (?1, ?2)
                 ON CONFLICT (owner_user_id) DO UPDATE SET full_at = CASE
                    WHEN webhook_budgets.full_at > ?3 AND webhook_budgets.full_at <= ?5
                    THEN webhook_budgets.full_at + ?4 ELSE ?2 END
                 WHERE webhook_budgets.full_at <= ?5 OR webhook_budgets.full_at > ?6",
                &[
                    owner.into(),
                    after(cost_us).into(),
                    now.into(),
                    cost_us.into(),
                    after(all_us.saturating_sub(cost_us)).into(),
                    after(all_us).into(),
                ],
            )
            .await?;
        Ok(taken > 0)
    }

    /// The event of this id, locked until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_event(
        &mut self,
        organization: OrganizationId,
        id: WebhookEventId,
    ) -> Result<Option<WebhookEventRow>, StoreError> {
        let hold = self.for_update();
        let sql =
            format!("SELECT {COLUMNS} FROM webhook_events WHERE organization_id = ?1 AND id = ?2{hold}");
        self.first(&sql, &[organization.into(), id.into()], event).await
    }

    /// The endpoint that receives this event; nothing when there is no such event.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_event_endpoint(
        &mut self,
        organization: OrganizationId,
        id: WebhookEventId,
    ) -> Result<Option<WebhookEndpointId>, StoreError> {
        let sql = "SELECT endpoint_id FROM webhook_events WHERE organization_id = ?1 AND id = ?2";
        self.first(sql, &[organization.into(), id.into()], |row| row.get(0)).await
    }

    /// The event that a queue delivers next.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_queue_next_event(
        &mut self,
        queue: DueQueue,
        now: Timestamp,
    ) -> Result<Option<WebhookEventRow>, StoreError> {
        let which = match queue.queue {
            DeliveryQueue::FirstAttempts => {
                "state = 'pending' AND due_at IS NULL AND ?3 IS NOT NULL ORDER BY sequence"
            }
            DeliveryQueue::Retries => "due_at IS NOT NULL AND due_at <= ?3 ORDER BY due_at, sequence",
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM webhook_events
             WHERE organization_id = ?1 AND endpoint_id = ?2 AND {which} LIMIT 1"
        );
        self.first(&sql, &[queue.organization.into(), queue.endpoint.into(), now.into()], event).await
    }

    /// Saves the outcome of an attempt: state, number of attempts, status and the time of a retry.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_event_record_attempt(
        &mut self,
        event: &WebhookEventRow,
        last_http_code: Option<u16>,
        due_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // A test does not count towards disabling its endpoint.
        let completed =
            matches!(event.state, EventState::Succeeded | EventState::Failed) && !event.event_type.is_test();
        self.execute_unawaited(
            "UPDATE webhook_events
             SET modified_at = ?3, payload = CASE WHEN data IS NULL THEN NULL ELSE ?4 END, state = ?5,
                 attempts = ?6, last_http_code = ?7, due_at = ?8,
                 completed_at = CASE WHEN ?9 THEN coalesce(completed_at, ?3) END
             WHERE organization_id = ?1 AND id = ?2",
            &[
                event.organization.into(),
                event.id.into(),
                now.into(),
                event.payload.as_deref().into(),
                event.state.as_str().into(),
                i64::from(event.attempts).into(),
                last_http_code.map(i64::from).into(),
                due_at.into(),
                completed.into(),
            ],
        )
        .await
    }

    /// Makes an event due now for one more attempt.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_event_redeliver(
        &mut self,
        event: &WebhookEventRow,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE webhook_events SET state = ?3, due_at = ?4 WHERE organization_id = ?1 AND id = ?2",
            &[event.organization.into(), event.id.into(), event.state.as_str().into(), now.into()],
        )
        .await?;
        self.webhook_queues_reschedule(event.organization, event.endpoint, now).await
    }

    /// Up to `limit` events, without tests, that completed since the endpoint was last enabled, newest event first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_events_completed(
        &mut self,
        endpoint: &WebhookEndpoint,
        limit: usize,
    ) -> Result<Vec<CompletedEvent>, StoreError> {
        let WebhookEndpoint { organization, id, enabled_since, .. } = endpoint;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.all(
            "SELECT id, state FROM webhook_events
             WHERE organization_id = ?1 AND endpoint_id = ?2 AND completed_at IS NOT NULL
               AND completed_at >= ?3
             ORDER BY sequence DESC LIMIT ?4",
            &[(*organization).into(), (*id).into(), (*enabled_since).into(), limit.into()],
            |row| {
                let failed = row.named(1, EventState::from_name)? == EventState::Failed;
                Ok(CompletedEvent { id: row.get(0)?, failed })
            },
        )
        .await
    }

    /// Cancels the first attempts of at most `limit` events of an endpoint, and the retries of as many;
    /// returns whether none is left. A pending event becomes skipped, a completed one keeps its state.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_events_skip(
        &mut self,
        organization: OrganizationId,
        endpoint: WebhookEndpointId,
        now: Timestamp,
        limit: usize,
    ) -> Result<bool, StoreError> {
        self.webhook_queues_lock(organization, endpoint).await?;
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut is_all = true;
        for which in
            ["state = 'pending' AND due_at IS NULL ORDER BY sequence", "due_at IS NOT NULL ORDER BY due_at"]
        {
            // The ids are read first: with a sub-query in the `UPDATE`, PostgreSQL would read every event of
            // the organization.
            let found = format!(
                "SELECT id FROM webhook_events
                 WHERE organization_id = ?1 AND endpoint_id = ?2 AND {which} LIMIT ?3"
            );
            let found = self
                .all(&found, &[organization.into(), endpoint.into(), most.into()], |row| {
                    row.get::<WebhookEventId>(0)
                })
                .await?;
            is_all &= found.len() < limit;
            for id in found {
                self.execute_unawaited(
                    "UPDATE webhook_events
                     SET state = CASE WHEN state = 'pending' THEN 'skipped' ELSE state END, due_at = NULL,
                         modified_at = ?3
                     WHERE organization_id = ?1 AND id = ?2",
                    &[organization.into(), id.into(), now.into()],
                )
                .await?;
            }
        }
        self.webhook_queues_reschedule(organization, endpoint, now).await?;
        Ok(is_all)
    }

    /// The ids that `sql` selects of at most `limit` events that happened before `before`.
    async fn webhook_events_before(
        &mut self,
        sql: &str,
        before: Timestamp,
        limit: i64,
    ) -> Result<Vec<(OrganizationId, WebhookEventId)>, StoreError> {
        self.all(sql, &[before.into(), limit.into()], |row| Ok((row.get(0)?, row.get(1)?))).await
    }

    /// Archives at most `limit` events of all organizations that happened before `before`: deletes their data
    /// and payload. An event that is pending or to be retried keeps both, because its request is still to be sent.
    /// Returns how many it archived.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_events_archive(
        &mut self,
        before: Timestamp,
        limit: i64,
    ) -> Result<usize, StoreError> {
        const OLD: &str = "SELECT organization_id, id FROM webhook_events
            WHERE data IS NOT NULL AND created_at < ?1 AND due_at IS NULL AND state <> 'pending'
            ORDER BY created_at, organization_id, id LIMIT ?2";
        let old = self.webhook_events_before(OLD, before, limit).await?;
        let mut archived = 0;
        for (organization, id) in old {
            archived += self
                .execute(
                    "UPDATE webhook_events SET data = NULL, payload = NULL
                     WHERE organization_id = ?1 AND id = ?2 AND data IS NOT NULL
                        AND due_at IS NULL AND state <> 'pending'",
                    &[organization.into(), id.into()],
                )
                .await?;
        }
        Ok(archived)
    }

    /// Deletes at most `limit` archived events of all organizations that happened before `before`, and their
    /// deliveries. Returns how many events it deleted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_events_delete_archived(
        &mut self,
        before: Timestamp,
        limit: i64,
    ) -> Result<usize, StoreError> {
        const OLD: &str = "SELECT organization_id, id FROM webhook_events
            WHERE data IS NULL AND created_at < ?1 AND due_at IS NULL AND state <> 'pending'
            ORDER BY created_at, organization_id, id LIMIT ?2";
        let old = self.webhook_events_before(OLD, before, limit).await?;
        for (organization, id) in &old {
            for sql in [
                "DELETE FROM webhook_deliveries WHERE organization_id = ?1 AND event_id = ?2",
                "DELETE FROM webhook_events WHERE organization_id = ?1 AND id = ?2",
            ] {
                self.execute_unawaited(sql, &[(*organization).into(), (*id).into()]).await?;
            }
        }
        Ok(old.len())
    }

    /// Locks all events about a customer or its members until the transaction ends, so that no event is sent
    /// meanwhile. Returns the pending ones and their data.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_events_lock(
        &mut self,
        organization: OrganizationId,
        customer: CustomerId,
    ) -> Result<Vec<(WebhookEventId, EventData)>, StoreError> {
        let sql = format!(
            "SELECT id, CASE WHEN state = 'pending' THEN data END FROM webhook_events
             WHERE organization_id = ?1 AND subject_id = ?2 AND data IS NOT NULL ORDER BY id{}",
            self.for_update()
        );
        let params = [organization.into(), customer.into()];
        let held = self.all(&sql, &params, |row| {
            let Some(data) = row.parse_optional(1, |text| serde_json::from_str(text))? else {
                return Ok(None);
            };
            Ok(Some((row.get(0)?, data)))
        });
        Ok(held.await?.into_iter().flatten().collect())
    }

    /// Deletes the data and payload of the events about a customer and its members that are not pending, and
    /// cancels their retries; returns how many events it changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_events_delete_data(
        &mut self,
        organization: OrganizationId,
        customer: CustomerId,
    ) -> Result<usize, StoreError> {
        self.execute(
            "UPDATE webhook_events SET data = NULL, payload = NULL, due_at = NULL
             WHERE organization_id = ?1 AND subject_id = ?2 AND data IS NOT NULL AND state <> 'pending'",
            &[organization.into(), customer.into()],
        )
        .await
    }

    /// Replaces the data of a pending event. Its payload is made anew at the next attempt.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_event_replace_data(
        &mut self,
        organization: OrganizationId,
        id: WebhookEventId,
        data: &EventData,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE webhook_events SET data = ?3, payload = NULL WHERE organization_id = ?1 AND id = ?2",
            &[organization.into(), id.into(), data.image()?.into()],
        )
        .await
    }
}
