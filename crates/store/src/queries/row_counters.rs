//! Counters of rows: they give the length of a list without counting its rows. A counter is the sum of at most
//! [`BUCKETS`](crate::schema::BUCKETS) rows. A transaction adds to the bucket of its connection, so that transactions on
//! different connections do not wait for the same row.

use tenantry_core::ids::{CustomerId, OrganizationId};

use super::{Query, count};
use crate::{StoreError, Tx};

/// The kind of row that is counted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Counter {
    AccessTokens,
    Customers,
    Members,
    CustomerMembers(CustomerId),
}

impl Counter {
    const fn as_str(self) -> &'static str {
        match self {
            Self::AccessTokens => "access_tokens",
            Self::Customers => "customers",
            Self::Members => "members",
            Self::CustomerMembers(_) => "customer_members",
        }
    }
}

/// The statement that adds these rows to the counters.
macro_rules! upsert {
    ($rows:literal) => {
        concat!(
            "INSERT INTO row_counters (organization_id, counter, subject_id, bucket, row_count) VALUES ",
            $rows,
            " ON CONFLICT (organization_id, counter, subject_id, bucket)
              DO UPDATE SET row_count = row_counters.row_count + excluded.row_count"
        )
    };
}

impl Tx<'_> {
    /// Adds `change` to a counter of an organization.
    pub(super) async fn row_counter_add(
        &mut self,
        organization: OrganizationId,
        counter: Counter,
        change: i64,
    ) -> Result<(), StoreError> {
        let bucket = self.bucket();
        self.execute_unawaited(
            upsert!("(?1, ?2, ?1, ?3, ?4)"),
            &[organization.into(), counter.as_str().into(), bucket.into(), change.into()],
        )
        .await
    }

    /// Adds `change` to the number of members of an organization and of one of its customers.
    pub(super) async fn member_counters_add(
        &mut self,
        organization: OrganizationId,
        customer: CustomerId,
        change: i64,
    ) -> Result<(), StoreError> {
        let bucket = self.bucket();
        self.execute_unawaited(
            upsert!("(?1, 'members', ?1, ?3, ?4), (?1, 'customer_members', ?2, ?3, ?4)"),
            &[organization.into(), customer.into(), bucket.into(), change.into()],
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
        let name = query.param(counter.as_str());
        query.push(&format!(" AND counter = {name}"));
        if let Counter::CustomerMembers(customer) = counter {
            let subject = query.param(customer);
            query.push(&format!(" AND subject_id = {subject}"));
        }
        let total = self.first(&query.sql, &query.params, |row| row.get::<i64>(0)).await?;
        Ok(count(total.unwrap_or(0)))
    }
}
