//! Customers for the export of a tenant, and deleted customers that are to be anonymized.

use tenantry_core::Timestamp;
use tenantry_core::customer::Customer;
use tenantry_core::ids::{CustomerId, MemberId, OrganizationId};
use tenantry_core::member::Member;

use super::{customers, members};
use crate::{StoreError, Tx};

impl Tx<'_> {
    /// The next customers of an organization after `after`, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customers_after(
        &mut self,
        organization: OrganizationId,
        after: Option<CustomerId>,
        limit: i64,
    ) -> Result<Vec<Customer>, StoreError> {
        let after = after.map_or(uuid::Uuid::nil(), CustomerId::uuid);
        let sql = format!(
            "SELECT {} FROM customers WHERE organization_id = ?1 AND id > ?2 AND deleted_at IS NULL
             ORDER BY id LIMIT ?3",
            customers::COLUMNS
        );
        self.all(&sql, &[organization.into(), after.into(), limit.into()], customers::customer).await
    }

    /// A deleted customer that is not anonymized, locked until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn deleted_customer(
        &mut self,
        organization: OrganizationId,
        id: CustomerId,
    ) -> Result<Option<Customer>, StoreError> {
        let hold = self.for_update();
        let sql = format!(
            "SELECT {} FROM customers
             WHERE organization_id = ?1 AND id = ?2 AND deleted_at IS NOT NULL AND anonymized_at IS NULL{hold}",
            customers::COLUMNS
        );
        self.first(&sql, &[organization.into(), id.into()], customers::customer).await
    }

    /// The next deleted members of a customer after `after`, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn deleted_members(
        &mut self,
        organization: OrganizationId,
        customer: CustomerId,
        after: Option<MemberId>,
        limit: i64,
    ) -> Result<Vec<Member>, StoreError> {
        let after = after.map_or(uuid::Uuid::nil(), MemberId::uuid);
        let sql = format!(
            "SELECT {} FROM members
             WHERE organization_id = ?1 AND customer_id = ?2 AND deleted_at IS NOT NULL AND id > ?3
             ORDER BY id LIMIT ?4",
            members::COLUMNS
        );
        let params = [organization.into(), customer.into(), after.into(), limit.into()];
        self.all(&sql, &params, members::member).await
    }

    /// Saves a deleted customer without personal data, and the time of its anonymization.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_anonymize(
        &mut self,
        before: &Customer,
        anonymized: &Customer,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.customer_update(before, anonymized).await?;
        self.execute_unawaited(
            "UPDATE customers SET anonymized_at = ?3 WHERE organization_id = ?1 AND id = ?2",
            &[anonymized.organization.into(), anonymized.id.into(), now.into()],
        )
        .await
    }
}
