//! The organization of a row that a request names by its id alone.

use std::collections::BTreeSet;

use tenantry_core::ids::OrganizationId;
use uuid::Uuid;

use super::{Query, repeated};
use crate::{StoreError, Tx};

/// A key by which a request names a row without its organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKey {
    /// An access token, by id.
    AccessToken(Uuid),
    /// An entry of the audit log, by id.
    AuditEntry(Uuid),
    /// A customer, by id.
    Customer(Uuid),
    /// An import of customers, by id.
    CustomerImport(Uuid),
    /// A member of a customer, by id.
    Member(Uuid),
    /// A webhook endpoint, by id.
    WebhookEndpoint(Uuid),
    /// A webhook event, by id.
    WebhookEvent(Uuid),
}

impl Tx<'_> {
    /// The organizations that have the row, in the given order. A single organization is returned without a query,
    /// because the caller looks for the row there anyway.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organizations_with_row(
        &mut self,
        key: RowKey,
        organizations: Vec<OrganizationId>,
    ) -> Result<Vec<OrganizationId>, StoreError> {
        if organizations.len() <= 1 {
            return Ok(organizations);
        }
        let (select, id) = match key {
            RowKey::AccessToken(id) => ("SELECT organization_id FROM access_tokens WHERE ", id),
            RowKey::AuditEntry(id) => ("SELECT organization_id FROM audit_entries WHERE ", id),
            RowKey::Customer(id) => ("SELECT organization_id FROM customers WHERE ", id),
            RowKey::CustomerImport(id) => ("SELECT organization_id FROM customer_imports WHERE ", id),
            RowKey::Member(id) => ("SELECT organization_id FROM members WHERE ", id),
            RowKey::WebhookEndpoint(id) => ("SELECT organization_id FROM webhook_endpoints WHERE ", id),
            RowKey::WebhookEvent(id) => ("SELECT organization_id FROM webhook_events WHERE ", id),
        };
        let mut query = Query::new(select);
        query.organizations("organization_id", &repeated(organizations.iter().copied()));
        let id = query.param(id);
        query.push(&format!(" AND id = {id}"));
        let found: Vec<OrganizationId> = self.all(&query.sql, &query.params, |row| row.get(0)).await?;
        let found: BTreeSet<OrganizationId> = found.into_iter().collect();
        Ok(organizations.into_iter().filter(|organization| found.contains(organization)).collect())
    }
}
