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

    /// Customers of every organization that were deleted before a time and are not anonymized, the earliest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customers_to_anonymize(
        &mut self,
        deleted_before: Timestamp,
        limit: i64,
    ) -> Result<Vec<(OrganizationId, CustomerId)>, StoreError> {
        let sql = "SELECT organization_id, id FROM customers
             WHERE deleted_at > 0 AND deleted_at < ?1 AND anonymized_at IS NULL ORDER BY deleted_at LIMIT ?2";
        self.all(sql, &[deleted_before.into(), limit.into()], |row| Ok((row.get(0)?, row.get(1)?))).await
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

    /// The next members that were deleted with their customer, the owner first, then the oldest.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn members_to_restore(
        &mut self,
        organization: OrganizationId,
        customer: CustomerId,
        limit: i64,
    ) -> Result<Vec<Member>, StoreError> {
        let owner = format!(
            "SELECT {} FROM members
             WHERE organization_id = ?1 AND customer_id = ?2 AND deleted_at IS NOT NULL
               AND deleted_with_customer AND role = 'owner' ORDER BY id LIMIT ?3",
            members::COLUMNS
        );
        let others = format!(
            "SELECT {} FROM members
             WHERE organization_id = ?1 AND customer_id = ?2 AND deleted_at IS NOT NULL
               AND deleted_with_customer AND role <> 'owner' ORDER BY id LIMIT ?3",
            members::COLUMNS
        );
        let params = [organization.into(), customer.into(), limit.into()];
        let mut found = self.all(&owner, &params, members::member).await?;
        found.extend(self.all(&others, &params, members::member).await?);
        Ok(found)
    }

    /// Brings a member back that was deleted with its customer, unless another member has taken its address or external
    /// id. Returns whether it is back. Three round trips.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn member_restore(&mut self, member: &Member) -> Result<bool, StoreError> {
        let (organization, customer) = (member.organization, member.customer_id);
        let is_free = self.member_by_email(organization, customer, &member.email).await?.is_none()
            && match &member.external_id {
                Some(id) => self.member_by_external_id(organization, customer, id.as_str()).await?.is_none(),
                None => true,
            };
        let sql = match is_free {
            true => {
                "UPDATE members SET deleted_at = NULL, deleted_with_customer = ?3
                 WHERE organization_id = ?1 AND id = ?2"
            }
            false => "UPDATE members SET deleted_with_customer = ?3 WHERE organization_id = ?1 AND id = ?2",
        };
        self.execute_unawaited(sql, &[organization.into(), member.id.into(), false.into()]).await?;
        if is_free {
            self.member_counters_add(organization, customer, 1).await?;
        }
        Ok(is_free)
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
