//! The organization of a row that a request names by its id alone.

use std::collections::BTreeSet;

use tenantry_core::ids::OrganizationId;
use tenantry_core::values::ExternalId;
use uuid::Uuid;

use super::{Query, repeated};
use crate::value::Param;
use crate::{StoreError, Tx};

/// A key by which a request names a row without its organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKey<'a> {
    /// An access token, by id.
    AccessToken(Uuid),
    /// A customer, by id.
    Customer(Uuid),
    /// A customer that is not deleted, by the id in the organization's own system.
    CustomerExternalId(&'a str),
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
        key: RowKey<'_>,
        organizations: Vec<OrganizationId>,
    ) -> Result<Vec<OrganizationId>, StoreError> {
        if organizations.len() <= 1 {
            return Ok(organizations);
        }
        let (select, id): (_, Param<'_>) = match key {
            RowKey::AccessToken(id) => ("SELECT organization_id FROM access_tokens WHERE ", id.into()),
            RowKey::Customer(id) => ("SELECT organization_id FROM customers WHERE ", id.into()),
            RowKey::CustomerExternalId(id) => {
                ("SELECT organization_id FROM customers WHERE ", ExternalId::key(id).into())
            }
            RowKey::Member(id) => ("SELECT organization_id FROM members WHERE ", id.into()),
            RowKey::WebhookEndpoint(id) => {
                ("SELECT organization_id FROM webhook_endpoints WHERE ", id.into())
            }
            RowKey::WebhookEvent(id) => ("SELECT organization_id FROM webhook_events WHERE ", id.into()),
        };
        let mut query = Query::new(select);
        query.organizations("organization_id", &repeated(organizations.iter().copied()));
        let id = query.param(id);
        query.push(&match key {
            RowKey::CustomerExternalId(_) => {
                format!(" AND external_id = {id} AND deleted_at IS NULL")
            }
            _ => format!(" AND id = {id}"),
        });
        let found: Vec<OrganizationId> = self.all(&query.sql, &query.params, |row| row.get(0)).await?;
        let found: BTreeSet<OrganizationId> = found.into_iter().collect();
        Ok(organizations.into_iter().filter(|organization| found.contains(organization)).collect())
    }
}
