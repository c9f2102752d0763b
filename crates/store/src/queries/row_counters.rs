//! Counters of a tenant's rows: they give the length of a list without counting its rows. A counter is the
//! sum of [`BUCKETS`] rows, so that transactions of one tenant rarely wait for the same row.

use tenantry_core::ids::OrganizationId;
use uuid::Uuid;

use super::{Query, count};
use crate::{StoreError, Tx};

/// Rows of one counter.
const BUCKETS: u8 = 16;

/// The kind of row that is counted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Counter {
    AccessTokens,
    Customers,
    Members,
}

impl Counter {
    const fn as_str(self) -> &'static str {
        match self {
            Self::AccessTokens => "access_tokens",
            Self::Customers => "customers",
            Self::Members => "members",
        }
    }
}

impl Tx<'_> {
    /// Adds `change` to a counter, in the bucket of the id `near`.
    pub(super) async fn row_counter_add(
        &mut self,
        organization: OrganizationId,
        counter: Counter,
        near: Uuid,
        change: i64,
    ) -> Result<(), StoreError> {
        let bucket = near.as_bytes().last().map_or(0, |byte| byte % BUCKETS);
        self.execute_unawaited(
            "INSERT INTO row_counters (organization_id, counter, bucket, row_count) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (organization_id, counter, bucket) DO UPDATE SET row_count = row_counters.row_count + excluded.row_count",
            &[organization.into(), counter.as_str().into(), i64::from(bucket).into(), change.into()],
        )
        .await
    }

    /// The sum of the counters of these organizations.
    pub(super) async fn row_counter(
        &mut self,
        organizations: &[OrganizationId],
        counter: Counter,
    ) -> Result<u64, StoreError> {
        let mut query =
            Query::new("SELECT CAST(coalesce(sum(row_count), 0) AS bigint) FROM row_counters WHERE ");
        query.organizations("organization_id", organizations);
        let subject = query.param(counter.as_str());
        query.push(&format!(" AND counter = {subject}"));
        let total = self.first(&query.sql, &query.params, |row| row.get::<i64>(0)).await?;
        Ok(count(total.unwrap_or(0)))
    }
}
