//! Customers of organizations, as they are read. `customer_changes` writes them.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use tenantry_core::customer::{Customer, CustomerKind};
use tenantry_core::ids::{CustomerId, OrganizationId};
use tenantry_core::values::{
    Address, EmailAddress, ExternalId, Locale, Metadata, PersonName, TaxId, search_key, search_term,
};

use super::row_counters::Counter;
use super::{Order, Page, Paged, Query, contains};
use crate::row::Row;
use crate::{StoreError, Tx};

/// The columns of a customer of the organization `?1`.
pub(super) const COLUMNS: &str =
    "organization_id, id, created_at, modified_at, deleted_at, kind, email, email_verified,
    name, external_id, metadata, billing, locale, email_key,
    CASE WHEN email IS NULL THEN (
        SELECT email FROM members
        WHERE organization_id = ?1 AND customer_id = customers.id AND role = 'owner'
          AND deleted_at IS NULL) END";

/// The columns of a customer without the owner's address, for lists over several organizations.
const COLUMNS_OF_SEVERAL: &str =
    "organization_id, id, created_at, modified_at, deleted_at, kind, email, email_verified,
    name, external_id, metadata, billing, locale, email_key, CAST(NULL AS TEXT)";

/// The same for lists that show neither metadata nor data for invoices, which can be large.
const COLUMNS_IN_BRIEF: &str =
    "organization_id, id, created_at, modified_at, deleted_at, kind, email, email_verified,
    name, external_id, '{}', CAST(NULL AS TEXT), CAST(NULL AS TEXT), email_key, CAST(NULL AS TEXT)";

/// The data for invoices, stored as one JSON object; null when all of it is unset.
#[derive(Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Billing {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<PersonName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) address: Option<Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tax_id: Option<TaxId>,
}

pub(super) fn customer(row: &Row<'_>) -> Result<Customer, StoreError> {
    let billing = row.parse_optional(11, |text| serde_json::from_str::<Billing>(text))?.unwrap_or_default();
    Ok(Customer {
        organization: row.get(0)?,
        id: row.get(1)?,
        created_at: row.get(2)?,
        modified_at: row.get(3)?,
        deleted_at: row.get(4)?,
        kind: row.named(5, CustomerKind::from_name)?,
        email: row.email(6, 13)?,
        email_verified: row.get(7)?,
        name: row.parse_optional(8, PersonName::parse_stored)?.flatten(),
        external_id: row.parse_optional(9, ExternalId::parse)?.flatten(),
        metadata: row.parse(10, |text| serde_json::from_str::<Metadata>(text))?,
        billing_name: billing.name,
        billing_address: billing.address,
        tax_id: billing.tax_id,
        locale: row.parse_optional(12, Locale::parse)?,
        owner_email: row.parse_optional(14, EmailAddress::parse)?,
    })
}

/// The filters and the order of a list of customers.
#[derive(Debug, Clone, Default)]
pub struct CustomerFilter {
    /// The organizations that the caller may see.
    pub organizations: Vec<OrganizationId>,
    /// The customer whose e-mail address has this comparison key.
    pub email_key: Option<String>,
    /// Customers whose address, name or billing name contains this text, or whose external id begins with it.
    pub query: Option<String>,
    /// Customers that have each of these metadata keys, with one of the key's values.
    pub metadata: Vec<(String, Vec<String>)>,
    /// Customers of this kind.
    pub kind: Option<CustomerKind>,
    /// The order; newest first when empty.
    pub order: Vec<Order<CustomerKey>>,
    /// Whether metadata, data for invoices and locale are left empty.
    pub in_brief: bool,
}

impl CustomerFilter {
    /// Whether an index answers the list: the only filter is an address, and the order is that of creation.
    #[must_use]
    pub fn is_selective(&self) -> bool {
        let by_age = self.order.iter().all(|order| order.by == CustomerKey::CreatedAt);
        self.query.is_none() && self.metadata.is_empty() && self.kind.is_none() && by_age
    }
}

/// The criteria that a list of customers can be ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CustomerKey {
    /// Time of creation.
    CreatedAt,
    /// Address.
    Email,
    /// Name.
    Name,
}

impl CustomerKey {
    const fn column(self) -> &'static str {
        match self {
            Self::CreatedAt => "id",
            Self::Email => "email",
            Self::Name => "name",
        }
    }
}

/// The query of [`Tx::customer_by_external_id`].
const BY_EXTERNAL_ID: &str =
    "SELECT id FROM customers WHERE organization_id = ?1 AND external_id = ?2 AND deleted_at IS NULL";

/// The query of [`Tx::customer_by_email`].
const BY_EMAIL: &str =
    "SELECT id FROM customers WHERE organization_id = ?1 AND email_key = ?2 AND deleted_at IS NULL";

impl Tx<'_> {
    /// The customer of this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer(
        &mut self,
        organization: OrganizationId,
        id: CustomerId,
    ) -> Result<Option<Customer>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM customers WHERE organization_id = ?1 AND id = ?2 AND deleted_at IS NULL"
        );
        self.first(&sql, &[organization.into(), id.into()], customer).await
    }

    /// The customer of this id, locked until the transaction ends. A transaction that changes or deletes the customer
    /// or one of its members calls this first, so that these changes run one after the other.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_for_update(
        &mut self,
        organization: OrganizationId,
        id: CustomerId,
    ) -> Result<Option<Customer>, StoreError> {
        self.customer_locked(organization, id, self.for_exclusive_update()).await
    }

    /// The customer of this id, with a shared lock until the transaction ends: [`Tx::customer_for_update`] waits, but
    /// other transactions with a shared lock do not. A transaction that adds a member calls this first, so that the
    /// customer stays, and stays of its kind.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_for_share(
        &mut self,
        organization: OrganizationId,
        id: CustomerId,
    ) -> Result<Option<Customer>, StoreError> {
        self.customer_locked(organization, id, self.for_key_share()).await
    }

    async fn customer_locked(
        &mut self,
        organization: OrganizationId,
        id: CustomerId,
        hold: &str,
    ) -> Result<Option<Customer>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM customers
             WHERE organization_id = ?1 AND id = ?2 AND deleted_at IS NULL{hold}"
        );
        self.first(&sql, &[organization.into(), id.into()], customer).await
    }

    /// The id of the customer with this external id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_by_external_id(
        &mut self,
        organization: OrganizationId,
        external_id: &str,
    ) -> Result<Option<CustomerId>, StoreError> {
        let params = [organization.into(), ExternalId::key(external_id).into()];
        self.first(BY_EXTERNAL_ID, &params, |row| row.get(0)).await
    }

    /// Whether a customer other than `besides` has this e-mail address.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_email_taken(
        &mut self,
        organization: OrganizationId,
        email: &EmailAddress,
        besides: Option<CustomerId>,
    ) -> Result<bool, StoreError> {
        let found = self.customer_by_email(organization, email).await?;
        Ok(found.is_some_and(|id| Some(id) != besides))
    }

    /// The id of the customer with this e-mail address.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_by_email(
        &mut self,
        organization: OrganizationId,
        email: &EmailAddress,
    ) -> Result<Option<CustomerId>, StoreError> {
        self.first(BY_EMAIL, &[organization.into(), email.key().into()], |row| row.get(0)).await
    }

    /// Announces [`Tx::customer_by_external_id`] and [`Tx::customer_by_email`], which the use case runs next.
    pub fn customer_match_ahead(
        &mut self,
        organization: OrganizationId,
        external_id: Option<&str>,
        email: Option<&EmailAddress>,
    ) {
        if let Some(external_id) = external_id {
            self.ask_ahead(BY_EXTERNAL_ID, &[organization.into(), ExternalId::key(external_id).into()]);
        }
        if let Some(email) = email {
            self.ask_ahead(BY_EMAIL, &[organization.into(), email.key().into()]);
        }
    }

    /// A page of a list of customers. The length of a whole organization's list comes from its counter. At
    /// most two round trips, and one more for the addresses of owners where customers have none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customers(
        &mut self,
        filter: &CustomerFilter,
        page: Page,
    ) -> Result<Paged<Customer>, StoreError> {
        let from = narrowed(filter);
        let CustomerFilter { organizations, email_key, query: text, metadata, kind, order, in_brief } =
            filter;
        let is_whole = email_key.is_none() && text.is_none() && metadata.is_empty() && kind.is_none();
        let mut query = from.selecting(if *in_brief { COLUMNS_IN_BRIEF } else { COLUMNS_OF_SEVERAL });
        query.push(" ORDER BY ");
        for Order { by, descending } in order {
            query.push(by.column());
            query.push(if *descending { " DESC NULLS FIRST, " } else { " NULLS LAST, " });
        }
        query.push(if order.is_empty() { "id DESC" } else { "id" });
        query.page(page);
        let mut items = self.all(&query.sql, &query.params, customer).await?;
        let total = if is_whole {
            self.row_counter(organizations, Counter::Customers).await?
        } else {
            self.list_length(&from, page, items.len()).await?
        };
        self.owner_emails(organizations, &mut items).await?;
        Ok(Paged { items, total })
    }

    /// Reads the owner's address of each customer that has no address of its own.
    async fn owner_emails(
        &mut self,
        organizations: &[OrganizationId],
        customers: &mut [Customer],
    ) -> Result<(), StoreError> {
        let without = || customers.iter().filter(|customer| customer.email.is_none());
        let Some(_) = without().next() else { return Ok(()) };
        let mut query = Query::new(
            "SELECT customer_id, email FROM members WHERE role = 'owner' AND deleted_at IS NULL AND ",
        );
        query.organizations("organization_id", organizations);
        let ids: Vec<String> = without().map(|customer| query.param(customer.id)).collect();
        query.push(&format!(" AND customer_id IN ({})", ids.join(", ")));
        let owners = self
            .all(&query.sql, &query.params, |row| {
                Ok((row.get::<CustomerId>(0)?, row.parse_optional(1, EmailAddress::parse)?))
            })
            .await?;
        let mut owners: HashMap<_, _> = owners.into_iter().collect();
        for customer in customers.iter_mut().filter(|customer| customer.email.is_none()) {
            customer.owner_email = owners.remove(&customer.id).flatten();
        }
        Ok(())
    }
}

/// The longest search term, in characters. No text that is searched is longer, and SQLite refuses a pattern
/// of more than 50,000 bytes.
const SEARCHED: usize = 4_096;

/// `FROM customers WHERE ..` for a filter.
fn narrowed(filter: &CustomerFilter) -> Query<'_> {
    let mut query = Query::new("FROM customers WHERE deleted_at IS NULL AND ");
    query.organizations("organization_id", &filter.organizations);
    if let Some(key) = &filter.email_key {
        let key = query.param(key.as_str());
        query.push(&format!(" AND email_key = {key}"));
    }
    let term = filter.query.as_deref().map(search_term);
    if term.as_ref().is_some_and(|term| term.chars().nth(SEARCHED).is_some()) {
        query.push(" AND 1 = 0");
    } else if let (Some(term), Some(text)) = (term, &filter.query) {
        let (part, start) = (query.param(contains(&term)), query.param(ExternalId::key(text)));
        query.push(&format!(
            " AND (search_text LIKE {part} ESCAPE '\\' OR substr(external_id, 1, length({start})) = {start})"
        ));
    }
    if let Some(kind) = filter.kind {
        let kind = query.param(kind.as_str());
        query.push(&format!(" AND kind = {kind}"));
    }
    for (key, values) in &filter.metadata {
        let key = query.param(key.as_str());
        let values: Vec<String> = values.iter().map(|value| query.param(value.as_str())).collect();
        // The sub-query also compares its rows with the customer. Without this, PostgreSQL plans a join of as
        // many tables as there are keys.
        query.push(&format!(
            " AND id IN (SELECT customer_id FROM customer_metadata
                WHERE organization_id {tenants} AND organization_id = customers.organization_id
                    AND key = {key} AND value IN ({}))",
            values.join(", "),
            tenants = query.tenants
        ));
    }
    query
}

/// The value of `search_text`: the search keys of the address, the name and the billing name, one a line.
pub(crate) fn search_text(email: Option<&str>, name: Option<&str>, billing_name: Option<&str>) -> String {
    let searched = [email, name, billing_name];
    searched.into_iter().flatten().map(search_key).collect::<Vec<_>>().join("\n")
}

/// The billing name in the stored JSON of the data for invoices.
pub(crate) fn billing_name(stored: &str) -> Result<Option<String>, StoreError> {
    let Billing { name, .. } = serde_json::from_str(stored)?;
    Ok(name.map(|name| name.as_str().to_owned()))
}
