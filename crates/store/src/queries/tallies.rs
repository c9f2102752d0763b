//! Kept counts: the length of a tenant's lists without counting them.

use tenantry_core::ids::OrganizationId;
use uuid::Uuid;

use super::{Query, count};
use crate::{StoreError, Tx};

/// Buckets a count is spread over.
const BUCKETS: u8 = 16;

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tally {
    Customers,
    Members,
}

impl Tally {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Members => "members",
        }
    }
}

impl Tx<'_> {
    /// Adds `change` to a count, in the bucket that `near` falls into.
    pub(super) async fn tally_add(
        &mut self,
        organization: OrganizationId,
        tally: Tally,
        near: Uuid,
        change: i64,
    ) -> Result<(), StoreError> {
        let bucket = near.as_bytes().last().map_or(0, |byte| byte % BUCKETS);
        self.submit(
            "INSERT INTO tallies (organization_id, subject, bucket, total) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (organization_id, subject, bucket) DO UPDATE SET total = tallies.total + excluded.total",
            &[organization.into(), tally.as_str().into(), i64::from(bucket).into(), change.into()],
        )
        .await
    }

    /// A count over these organizations.
    pub(super) async fn tally(
        &mut self,
        organizations: &[OrganizationId],
        tally: Tally,
    ) -> Result<u64, StoreError> {
        let mut query = Query::new("SELECT CAST(coalesce(sum(total), 0) AS bigint) FROM tallies WHERE ");
        query.organizations("organization_id", organizations);
        let subject = query.param(tally.as_str());
        query.push(&format!(" AND subject = {subject}"));
        let total = self.first(&query.sql, &query.params, |row| row.get::<i64>(0)).await?;
        Ok(count(total.unwrap_or(0)))
    }
}
