//! Deletions of customers that are not finished. A large customer is deleted in several transactions; its row here
//! records the progress, so that another process can continue after a crash.

use tenantry_core::Timestamp;
use tenantry_core::ids::{CustomerId, MemberId, OrganizationId, WebhookEventId};
use tenantry_core::webhook::{EventData, EventState};
use uuid::Uuid;

use crate::row::Row;
use crate::value::Param;
use crate::{StoreError, Tx};

/// The next step of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletionStep {
    /// Deletes the members.
    Members,
    /// Removes personal data of the members from their rows and audit entries.
    MemberData,
    /// Removes personal data of the customer from its audit entries.
    CustomerData,
    /// Removes personal data from the webhook events, then from the customer's row.
    Events,
    /// Brings back the members of a restored customer.
    Restore,
}

impl DeletionStep {
    const ALL: [Self; 5] = [Self::Members, Self::MemberData, Self::CustomerData, Self::Events, Self::Restore];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Members => "members",
            Self::MemberData => "member_data",
            Self::CustomerData => "customer_data",
            Self::Events => "events",
            Self::Restore => "restore",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == name)
    }
}

/// The progress of a deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerDeletion {
    /// The tenant.
    pub organization: OrganizationId,
    /// The customer.
    pub customer: CustomerId,
    /// The time of the request.
    pub created_at: Timestamp,
    /// The id of the request.
    pub request_id: Option<String>,
    /// The next step.
    pub step: DeletionStep,
    /// Whether personal data is removed.
    pub anonymize: bool,
    /// The random seed of the names that replace personal data.
    pub seed: Vec<u8>,
    /// The last member that the step has finished.
    pub member: Option<MemberId>,
    /// The last audit entry or event that the step has finished.
    pub entry: Option<Uuid>,
}

const COLUMNS: &str =
    "organization_id, customer_id, created_at, request_id, step, anonymize, seed, member_id,
    entry_id";

fn deletion(row: &Row<'_>) -> Result<CustomerDeletion, StoreError> {
    Ok(CustomerDeletion {
        organization: row.get(0)?,
        customer: row.get(1)?,
        created_at: row.get(2)?,
        request_id: row.get(3)?,
        step: row.named(4, DeletionStep::from_name)?,
        anonymize: row.get(5)?,
        seed: row.get(6)?,
        member: row.get(7)?,
        entry: row.get(8)?,
    })
}

/// An event about a customer: its id, and its data while it is pending.
pub type CustomerEvent = (WebhookEventId, Option<EventData>);

impl Tx<'_> {
    /// The unfinished deletion of a customer, locked until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_deletion(
        &mut self,
        organization: OrganizationId,
        customer: CustomerId,
    ) -> Result<Option<CustomerDeletion>, StoreError> {
        let lock = self.for_update();
        let sql = format!(
            "SELECT {COLUMNS} FROM customer_deletions WHERE organization_id = ?1 AND customer_id = ?2{lock}"
        );
        self.first(&sql, &[organization.into(), customer.into()], deletion).await
    }

    /// Stores the progress of a deletion.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_deletion_save(&mut self, progress: &CustomerDeletion) -> Result<(), StoreError> {
        let CustomerDeletion { organization, customer, created_at, request_id, step, .. } = progress;
        self.execute_unawaited(
            "INSERT INTO customer_deletions (organization_id, customer_id, created_at, request_id, step,
                anonymize, seed, member_id, entry_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (organization_id, customer_id) DO UPDATE SET step = excluded.step,
                anonymize = excluded.anonymize, member_id = excluded.member_id, entry_id = excluded.entry_id",
            &[
                (*organization).into(),
                (*customer).into(),
                (*created_at).into(),
                request_id.as_deref().into(),
                step.as_str().into(),
                progress.anonymize.into(),
                Param::Bytes(&progress.seed),
                progress.member.into(),
                progress.entry.into(),
            ],
        )
        .await
    }

    /// Deletes the record of a deletion that is finished.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_deletion_finish(
        &mut self,
        organization: OrganizationId,
        customer: CustomerId,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "DELETE FROM customer_deletions WHERE organization_id = ?1 AND customer_id = ?2",
            &[organization.into(), customer.into()],
        )
        .await
    }

    /// Unfinished deletions of every organization that began after a time, the oldest first, with their begin.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_deletions(
        &mut self,
        after: Option<Timestamp>,
        limit: i64,
    ) -> Result<Vec<(Timestamp, (OrganizationId, CustomerId))>, StoreError> {
        let sql = "SELECT created_at, organization_id, customer_id FROM customer_deletions
             WHERE created_at > ?1 ORDER BY created_at LIMIT ?2";
        let after = after.map_or(i64::MIN, Timestamp::as_micros);
        self.all(sql, &[after.into(), limit.into()], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))
            .await
    }

    /// The next events about a customer after `after` that still have data, locked until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_events(
        &mut self,
        organization: OrganizationId,
        customer: CustomerId,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<CustomerEvent>, StoreError> {
        let sql = format!(
            "SELECT id, state, data FROM webhook_events
             WHERE organization_id = ?1 AND subject_id = ?2 AND id > ?3 AND data IS NOT NULL
             ORDER BY id LIMIT ?4{}",
            self.for_update()
        );
        let params =
            [organization.into(), customer.into(), after.unwrap_or(Uuid::nil()).into(), limit.into()];
        self.all(&sql, &params, |row| {
            let is_pending = row.named(1, EventState::from_name)? == EventState::Pending;
            let data = row.parse_optional(2, EventData::from_image)?;
            Ok((row.get(0)?, data.filter(|_| is_pending)))
        })
        .await
    }

    /// Deletes the data of an event that is not pending.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_event_delete_data(
        &mut self,
        organization: OrganizationId,
        id: WebhookEventId,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE webhook_events SET data = NULL, payload = NULL, due_at = NULL
             WHERE organization_id = ?1 AND id = ?2",
            &[organization.into(), id.into()],
        )
        .await
    }
}
