//! Changes of customers: the row, its metadata and its counter.

use tenantry_core::Timestamp;
use tenantry_core::customer::{Customer, CustomerKind};
use tenantry_core::values::{EmailAddress, ExternalId, Locale, PersonName};

use super::LISTED;
use super::customers::{Billing, search_text};
use super::row_counters::Counter;
use crate::value::Param;
use crate::{StoreError, Tx};

impl Tx<'_> {
    /// Inserts a customer and counts it.
    ///
    /// # Errors
    /// [`StoreError::Violated`] `customers_email` or `customers_external_id` when another customer has the
    /// value.
    pub async fn customer_insert(&mut self, new: &Customer) -> Result<(), StoreError> {
        let [email, email_key, name, external_id, metadata, billing, locale, search_text] = texts(new)?;
        self.execute_unawaited(
            "INSERT INTO customers (organization_id, id, created_at, modified_at, kind, email_verified,
                email, email_key, name, external_id, metadata, billing, locale, search_text)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            &[
                new.organization.into(),
                new.id.into(),
                new.created_at.into(),
                new.modified_at.into(),
                new.kind.as_str().into(),
                new.email_verified.into(),
                email,
                email_key,
                name,
                external_id,
                metadata,
                billing,
                locale,
                search_text,
            ],
        )
        .await?;
        self.metadata_insert(new).await?;
        self.row_counter_add(new.organization, Counter::Customers, 1).await
    }

    /// Saves a customer. Its metadata and the kind that its members show are saved where they changed.
    ///
    /// # Errors
    /// [`StoreError::Violated`] `customers_email` or `customers_external_id` when another customer has the
    /// value. `members_of_individual` when a customer with several members becomes an individual.
    pub async fn customer_update(&mut self, before: &Customer, now: &Customer) -> Result<(), StoreError> {
        let [email, email_key, name, external_id, metadata, billing, locale, search_text] = texts(now)?;
        self.execute_unawaited(
            "UPDATE customers SET modified_at = ?3, kind = ?4, email_verified = ?5, email = ?6, email_key = ?7,
                name = ?8, external_id = ?9, metadata = ?10, billing = ?11, locale = ?12, search_text = ?13
             WHERE organization_id = ?1 AND id = ?2",
            &[
                now.organization.into(),
                now.id.into(),
                now.modified_at.into(),
                now.kind.as_str().into(),
                now.email_verified.into(),
                email,
                email_key,
                name,
                external_id,
                metadata,
                billing,
                locale,
                search_text,
            ],
        )
        .await?;
        if before.kind != now.kind {
            self.execute_unawaited(
                &format!(
                    "UPDATE members SET is_of_individual = ?3
                     WHERE organization_id = ?1 AND customer_id = ?2 AND {LISTED}"
                ),
                &[now.organization.into(), now.id.into(), (now.kind == CustomerKind::Individual).into()],
            )
            .await?;
        }
        if before.metadata != now.metadata {
            self.metadata_delete(now).await?;
            self.metadata_insert(now).await?;
        }
        Ok(())
    }

    /// Marks a customer as deleted, deletes its sessions and decrements the counter. The caller deletes the
    /// members.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_delete(&mut self, deleted: &Customer, now: Timestamp) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE customers SET deleted_at = ?3 WHERE organization_id = ?1 AND id = ?2",
            &[deleted.organization.into(), deleted.id.into(), now.into()],
        )
        .await?;
        self.metadata_delete(deleted).await?;
        self.email_update_delete(deleted.organization, deleted.id).await?;
        self.customer_sessions_delete(deleted.organization, deleted.id, None).await?;
        self.row_counter_add(deleted.organization, Counter::Customers, -1).await
    }

    /// Ends the deletion of a customer and counts it. Its sessions do not come back.
    ///
    /// # Errors
    /// [`StoreError::Violated`] `customers_email` or `customers_external_id` when another customer has the
    /// value.
    pub async fn customer_restore(&mut self, restored: &Customer) -> Result<(), StoreError> {
        self.execute(
            "UPDATE customers SET deleted_at = NULL WHERE organization_id = ?1 AND id = ?2",
            &[restored.organization.into(), restored.id.into()],
        )
        .await?;
        self.metadata_insert(restored).await?;
        self.row_counter_add(restored.organization, Counter::Customers, 1).await
    }

    async fn metadata_insert(&mut self, customer: &Customer) -> Result<(), StoreError> {
        for (key, value) in customer.metadata.iter() {
            self.execute_unawaited(
                "INSERT INTO customer_metadata (organization_id, customer_id, key, value)
                 VALUES (?1, ?2, ?3, ?4)",
                &[customer.organization.into(), customer.id.into(), key.into(), value.to_text().into()],
            )
            .await?;
        }
        Ok(())
    }

    async fn metadata_delete(&mut self, customer: &Customer) -> Result<(), StoreError> {
        self.execute_unawaited(
            "DELETE FROM customer_metadata WHERE organization_id = ?1 AND customer_id = ?2",
            &[customer.organization.into(), customer.id.into()],
        )
        .await
    }
}

/// The values of the text columns, in the order of the queries above.
fn texts(customer: &Customer) -> Result<[Param<'_>; 8], StoreError> {
    let email = customer.email.as_ref();
    let billing = Billing {
        name: customer.billing_name.clone(),
        address: customer.billing_address.clone(),
        tax_id: customer.tax_id.clone(),
    };
    let billing = if billing == Billing::default() { None } else { Some(serde_json::to_string(&billing)?) };
    let search_text = search_text(
        email.map(EmailAddress::as_str),
        customer.name.as_ref().map(PersonName::as_str),
        customer.billing_name.as_ref().map(PersonName::as_str),
    );
    Ok([
        email.map(EmailAddress::as_str).into(),
        email.map(EmailAddress::key).into(),
        customer.name.as_ref().map(PersonName::as_str).into(),
        customer.external_id.as_ref().map(ExternalId::as_str).into(),
        serde_json::to_string(&customer.metadata)?.into(),
        billing.into(),
        customer.locale.as_ref().map(Locale::as_str).into(),
        search_text.into(),
    ])
}
