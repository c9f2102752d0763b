//! Members of customers.

use tenantry_core::Timestamp;
use tenantry_core::customer::CustomerKind;
use tenantry_core::ids::{CustomerId, MemberId, OrganizationId};
use tenantry_core::member::{Member, MemberRole};
use tenantry_core::values::{EmailAddress, ExternalId, PersonName};

use super::row_counters::Counter;
use super::webhook_endpoints::ENABLED;
use super::{LISTED, Page, Paged, Query, count};
use crate::error::unexpected;
use crate::row::Row;
use crate::{StoreError, Tx};

/// The columns that [`member`] reads, as a literal for constant queries.
macro_rules! columns {
    () => {
        "organization_id, id, customer_id, created_at, modified_at, email, name, external_id, role, email_key"
    };
}

pub(super) const COLUMNS: &str = columns!();

pub(super) fn member(row: &Row<'_>) -> Result<Member, StoreError> {
    Ok(Member {
        organization: row.get(0)?,
        id: row.get(1)?,
        customer_id: row.get(2)?,
        created_at: row.get(3)?,
        modified_at: row.get(4)?,
        email: row.email(5, 9)?.ok_or_else(|| unexpected("a member without address"))?,
        name: row.parse_optional(6, PersonName::parse_stored)?.flatten(),
        external_id: row.parse_optional(7, ExternalId::parse)?.flatten(),
        role: row.named(8, MemberRole::from_name)?,
    })
}

/// The query of [`Tx::member_conflicts`].
const CONFLICTS: &str = "SELECT m.organization_id, m.id, m.customer_id, m.created_at, m.modified_at, m.email,
        m.name, m.external_id, m.role, m.email_key, o.members_enabled,
        EXISTS (SELECT 1 FROM members AS e
            WHERE e.organization_id = ?1 AND e.customer_id = ?2 AND e.external_id = ?4
                AND e.deleted_at IS NULL AND e.external_id IS NOT NULL)
    FROM organizations AS o
    LEFT JOIN members AS m ON m.organization_id = ?1 AND m.customer_id = ?2 AND m.email_key = ?3
        AND m.deleted_at IS NULL
    WHERE o.id = ?1 AND o.deleted_at IS NULL";

/// The filters and the order of a list of members.
#[derive(Debug, Clone, Default)]
pub struct MemberFilter {
    /// The organizations that the caller may see.
    pub organizations: Vec<OrganizationId>,
    /// The members of this customer.
    pub customer: Option<CustomerId>,
    /// The members of the customer with this external id.
    pub external_customer: Option<String>,
    /// The members with this role.
    pub role: Option<MemberRole>,
    /// Whether the oldest member comes first instead of the newest.
    pub oldest_first: bool,
}

/// The reasons that keep a new member from being added to a customer.
#[derive(Debug, Clone)]
pub struct MemberConflicts {
    /// Whether the organization allows members.
    pub members_enabled: bool,
    /// The member of the customer with the same e-mail address.
    pub same_email: Option<Member>,
    /// Whether a member of the customer has the same external id.
    pub external_id_taken: bool,
}

impl MemberFilter {
    /// Whether an index and a counter answer the list.
    #[must_use]
    pub const fn is_selective(&self) -> bool {
        self.external_customer.is_none() && self.role.is_none()
    }
}

impl Tx<'_> {
    /// The member of this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn member(
        &mut self,
        organization: OrganizationId,
        id: MemberId,
    ) -> Result<Option<Member>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM members WHERE organization_id = ?1 AND id = ?2 AND deleted_at IS NULL"
        );
        self.first(SQL, &[organization.into(), id.into()], member).await
    }

    /// The member of a customer whose e-mail address has the same comparison key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn member_by_email(
        &mut self,
        organization: OrganizationId,
        customer: CustomerId,
        email: &EmailAddress,
    ) -> Result<Option<Member>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM members WHERE organization_id = ?1 AND customer_id = ?2 AND email_key = ?3 AND deleted_at IS NULL"
        );
        self.first(SQL, &[organization.into(), customer.into(), email.key().into()], member).await
    }

    /// The member of a customer with this external id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn member_by_external_id(
        &mut self,
        organization: OrganizationId,
        customer: CustomerId,
        external_id: &str,
    ) -> Result<Option<Member>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM members
             WHERE organization_id = ?1 AND customer_id = ?2 AND external_id = ?3 AND deleted_at IS NULL
               AND external_id IS NOT NULL"
        );
        self.first(&sql, &[organization.into(), customer.into(), ExternalId::key(external_id).into()], member)
            .await
    }

    /// Announces [`Tx::member_conflicts`] and [`Tx::webhook_endpoints_subscribed`], which the use case runs after its
    /// next query.
    pub fn member_create_ahead(
        &mut self,
        organization: OrganizationId,
        customer: CustomerId,
        email: &EmailAddress,
        external_id: Option<&str>,
    ) {
        let params = [organization.into(), customer.into(), email.key().into(), external_id.into()];
        self.ask_ahead(CONFLICTS, &params);
        self.ask_ahead(ENABLED, &[organization.into()]);
    }

    /// The conflicts of a new member with this address and this external id; nothing when the organization
    /// does not exist.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn member_conflicts(
        &mut self,
        organization: OrganizationId,
        customer: CustomerId,
        email: &EmailAddress,
        external_id: Option<&str>,
    ) -> Result<Option<MemberConflicts>, StoreError> {
        let params = [organization.into(), customer.into(), email.key().into(), external_id.into()];
        self.first(CONFLICTS, &params, |row| {
            Ok(MemberConflicts {
                members_enabled: row.get(10)?,
                same_email: row.get::<Option<MemberId>>(1)?.map(|_| member(row)).transpose()?,
                external_id_taken: row.get(11)?,
            })
        })
        .await
    }

    /// The owner of a customer.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_owner(
        &mut self,
        organization: OrganizationId,
        customer: CustomerId,
    ) -> Result<Option<Member>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM members
             WHERE organization_id = ?1 AND customer_id = ?2 AND role = 'owner' AND deleted_at IS NULL"
        );
        self.first(&sql, &[organization.into(), customer.into()], member).await
    }

    /// All members of a customer, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn members_of_customer(
        &mut self,
        organization: OrganizationId,
        customer: CustomerId,
    ) -> Result<Vec<Member>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM members
             WHERE organization_id = ?1 AND customer_id = ?2 AND {LISTED} ORDER BY id"
        );
        self.all(&sql, &[organization.into(), customer.into()], member).await
    }

    /// The first `limit` members of a customer, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn first_members_of_customer(
        &mut self,
        organization: OrganizationId,
        customer: CustomerId,
        limit: i64,
    ) -> Result<Vec<Member>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM members
             WHERE organization_id = ?1 AND customer_id = ?2 AND {LISTED} ORDER BY id LIMIT ?3"
        );
        self.all(&sql, &[organization.into(), customer.into(), limit.into()], member).await
    }

    /// The next members of an organization after the id `after`, in the order of creation.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn members_after(
        &mut self,
        organization: OrganizationId,
        after: Option<MemberId>,
        limit: i64,
    ) -> Result<Vec<Member>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM members WHERE organization_id = ?1 AND id > ?2 AND deleted_at IS NULL ORDER BY id LIMIT ?3"
        );
        let after = after.map_or(uuid::Uuid::nil(), MemberId::uuid);
        self.all(SQL, &[organization.into(), after.into(), limit.into()], member).await
    }

    /// A page of a list of members. The length of a whole organization's or customer's list comes from a
    /// counter. Two round trips.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn members(&mut self, filter: &MemberFilter, page: Page) -> Result<Paged<Member>, StoreError> {
        let MemberFilter { organizations, customer, external_customer, role, oldest_first } = filter;
        let mut query = Query::new(format!("FROM members WHERE {LISTED} AND "));
        query.organizations("organization_id", organizations);
        if let Some(customer) = customer {
            let customer = query.param(*customer);
            query.push(&format!(" AND customer_id = {customer}"));
        }
        if let Some(external_customer) = external_customer {
            let external_id = query.param(ExternalId::key(external_customer));
            query.push(&format!(
                " AND customer_id IN (SELECT id FROM customers
                    WHERE organization_id {tenants} AND organization_id = members.organization_id
                      AND external_id = {external_id} AND deleted_at IS NULL)",
                tenants = query.tenants
            ));
        }
        if let Some(role) = role {
            let role = query.param(role.as_str());
            query.push(&format!(" AND role = {role}"));
        }
        let total = match (customer, external_customer, role) {
            (None, None, None) => self.row_counter(organizations, Counter::Members).await?,
            (Some(customer), None, None) => {
                self.row_counter(organizations, Counter::CustomerMembers(*customer)).await?
            }
            _ => {
                let counted = format!("SELECT count(*) {}", query.sql);
                count(self.first(&counted, &query.params, |row| row.get(0)).await?.unwrap_or(0))
            }
        };
        query = query.selecting(COLUMNS);
        query.push(if *oldest_first { " ORDER BY id" } else { " ORDER BY id DESC" });
        query.page(page);
        let items = self.all(&query.sql, &query.params, member).await?;
        Ok(Paged { items, total })
    }

    /// Inserts a member of a customer of this kind, and counts it. The caller has locked the customer, or creates it.
    ///
    /// # Errors
    /// [`StoreError::Violated`] `members_email`, `members_external_id` or `members_owner` when another member
    /// has the value that must be unique. `members_of_individual` when an individual has a member already.
    pub async fn member_insert(&mut self, new: &Member, of: CustomerKind) -> Result<(), StoreError> {
        let Member { id, organization, created_at, modified_at, customer_id, email, name, external_id, role } =
            new;
        self.execute_unawaited(
            "INSERT INTO members (organization_id, id, customer_id, created_at, modified_at, email, email_key,
                name, external_id, role, is_of_individual)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            &[
                (*organization).into(),
                (*id).into(),
                (*customer_id).into(),
                (*created_at).into(),
                (*modified_at).into(),
                email.as_str().into(),
                email.key().into(),
                name.as_ref().map(PersonName::as_str).into(),
                external_id.as_ref().map(ExternalId::as_str).into(),
                role.as_str().into(),
                (of == CustomerKind::Individual).into(),
            ],
        )
        .await?;
        self.member_counters_add(*organization, *customer_id, 1).await
    }

    /// Saves a member.
    ///
    /// # Errors
    /// [`StoreError::Violated`] `members_email` or `members_owner` when another member has the value that
    /// must be unique.
    pub async fn member_update(&mut self, changed: &Member) -> Result<(), StoreError> {
        let Member { id, organization, modified_at, email, name, role, .. } = changed;
        self.execute_unawaited(
            "UPDATE members SET modified_at = ?3, email = ?4, email_key = ?5, name = ?6, role = ?7
             WHERE organization_id = ?1 AND id = ?2",
            &[
                (*organization).into(),
                (*id).into(),
                (*modified_at).into(),
                email.as_str().into(),
                email.key().into(),
                name.as_ref().map(PersonName::as_str).into(),
                role.as_str().into(),
            ],
        )
        .await
    }

    /// Marks a member as deleted, deletes its sessions and decrements the counters.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn member_delete(&mut self, member: &Member, now: Timestamp) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE members SET deleted_at = ?3 WHERE organization_id = ?1 AND id = ?2",
            &[member.organization.into(), member.id.into(), now.into()],
        )
        .await?;
        self.customer_sessions_delete(member.organization, member.customer_id, Some(member.id)).await?;
        self.member_counters_add(member.organization, member.customer_id, -1).await
    }

    /// A page of a customer's members, ordered by e-mail address. The length of the list comes from a
    /// counter. Two round trips.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn members_by_email(
        &mut self,
        organization: OrganizationId,
        customer: CustomerId,
        page: Page,
    ) -> Result<Paged<Member>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM members
             WHERE organization_id = ?1 AND customer_id = ?2 AND email_key >= '' AND deleted_at IS NULL
             ORDER BY email_key LIMIT ?3 OFFSET ?4"
        );
        let [limit, offset] = page.params();
        let items = self.all(&sql, &[organization.into(), customer.into(), limit, offset], member).await?;
        Ok(Paged {
            items,
            total: self.row_counter(&[organization], Counter::CustomerMembers(customer)).await?,
        })
    }

    /// The members of all customers that have the address of this key, by customer, up to `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn members_with_email(
        &mut self,
        organization: OrganizationId,
        email_key: &str,
        limit: i64,
    ) -> Result<Vec<Member>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM members
             WHERE organization_id = ?1 AND email_key = ?2 AND {LISTED} LIMIT ?3"
        );
        let params = [organization.into(), email_key.into(), limit.into()];
        let mut found = self.all(&sql, &params, member).await?;
        found.sort_unstable_by_key(|member| member.customer_id);
        Ok(found)
    }

    /// Marks the first `count` members of a customer as deleted: the members up to the id `last`.
    /// [`Tx::customer_delete`] has deleted their sessions.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn members_delete(
        &mut self,
        organization: OrganizationId,
        customer: CustomerId,
        (count, last): (usize, MemberId),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            &format!(
                "UPDATE members SET deleted_at = ?3, deleted_with_customer = ?5
                 WHERE organization_id = ?1 AND customer_id = ?2 AND {LISTED} AND id <= ?4"
            ),
            &[organization.into(), customer.into(), now.into(), last.into(), true.into()],
        )
        .await?;
        let deleted = i64::try_from(count).map_err(unexpected)?;
        self.member_counters_add(organization, customer, -deleted).await
    }
}
