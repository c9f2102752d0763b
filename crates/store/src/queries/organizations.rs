//! Organizations and their slugs.

use std::collections::BTreeSet;

use tenantry_core::Timestamp;
use tenantry_core::ids::OrganizationId;
use tenantry_core::organization::{Organization, OrganizationStatus, Profile, Suspension};
use tenantry_core::values::{OrganizationName, Slug, SuspensionReason, search_key};

use super::{Order, Page, Paged, Query, repeated};
use crate::row::Row;
use crate::{StoreError, Tx};

pub(super) const COLUMNS: &str = "id, parent_id, created_at, modified_at, name, slug, status, owner_user_id,
    profile, suspended_at, suspension_reason";

pub(super) fn organization(row: &Row<'_>) -> Result<Organization, StoreError> {
    let suspended_at: Option<Timestamp> = row.get(9)?;
    let reason = row.parse_optional(10, SuspensionReason::parse)?;
    Ok(Organization {
        id: row.get(0)?,
        parent: row.get(1)?,
        created_at: row.get(2)?,
        modified_at: row.get(3)?,
        name: row.parse(4, OrganizationName::parse_stored)?,
        slug: Slug::from_stored(row.get(5)?),
        status: row.named(6, OrganizationStatus::from_name)?,
        owner: row.get(7)?,
        suspended: suspended_at.zip(reason).map(|(at, reason)| Suspension { at, reason }),
        profile: row.parse(8, |text| serde_json::from_str::<Profile>(text))?,
    })
}

/// The value of `search_text`: the search keys of name and slug, one a line.
pub(crate) fn organization_search_text(name: &str, slug: &str) -> String {
    format!("{}\n{}", search_key(name), search_key(slug))
}

/// The filters and the order of a list of organizations.
#[derive(Debug, Clone, Default)]
pub struct OrganizationFilter {
    /// The organizations that the caller may see; nothing for the operator, who sees every organization.
    pub visible: Option<Vec<OrganizationId>>,
    /// The organization with this slug, in any case.
    pub slug: Option<String>,
    /// The order; oldest first when empty.
    pub order: Vec<Order<OrganizationKey>>,
}

/// The criteria that a list of organizations can be ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrganizationKey {
    /// Time of creation.
    CreatedAt,
    /// Slug.
    Slug,
    /// Name.
    Name,
}

impl OrganizationKey {
    const fn column(self) -> &'static str {
        match self {
            Self::CreatedAt => "id",
            Self::Slug => "slug",
            Self::Name => "name",
        }
    }
}

impl Tx<'_> {
    /// The organization of this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization(&mut self, id: OrganizationId) -> Result<Option<Organization>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM organizations WHERE id = ?1 AND deleted_at IS NULL");
        self.first(&sql, &[id.into()], organization).await
    }

    /// The organization of this id, locked until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization_for_update(
        &mut self,
        id: OrganizationId,
    ) -> Result<Option<Organization>, StoreError> {
        let hold = self.for_update();
        let sql = format!("SELECT {COLUMNS} FROM organizations WHERE id = ?1 AND deleted_at IS NULL{hold}");
        self.first(&sql, &[id.into()], organization).await
    }

    /// The id of the organization that owns this slug. A deleted organization still owns its slug; the slug of a purged
    /// one stays taken and names no organization.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization_by_slug(&mut self, slug: &str) -> Result<Option<OrganizationId>, StoreError> {
        let slug = Slug::key(slug);
        self.first(
            "SELECT organization_id FROM organization_slugs WHERE slug = ?1",
            &[slug.as_str().into()],
            |row| row.get::<Option<OrganizationId>>(0),
        )
        .await
        .map(Option::flatten)
    }

    /// Whether any organization exists or existed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn any_organization(&mut self) -> Result<bool, StoreError> {
        let found =
            self.first("SELECT 1 FROM organization_slugs LIMIT 1", &[], |row| row.get::<i64>(0)).await?;
        Ok(found.is_some())
    }

    /// A page of the list of organizations. At most two round trips.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organizations(
        &mut self,
        filter: &OrganizationFilter,
        page: Page,
    ) -> Result<Paged<Organization>, StoreError> {
        let OrganizationFilter { visible, slug, order } = filter;
        let slug = slug.as_ref().map(|slug| Slug::key(slug));
        let mut from = Query::new("FROM organizations WHERE deleted_at IS NULL AND status <> 'blocked'");
        if let Some(visible) = visible {
            from.push(" AND ");
            from.organizations("id", visible);
        }
        if let Some(slug) = &slug {
            let slug = from.param(slug.as_str());
            from.push(&format!(" AND slug = {slug}"));
        }
        let mut query = from.selecting(COLUMNS);
        query.push(" ORDER BY ");
        for Order { by, descending } in order {
            query.push(by.column());
            query.push(if *descending { " DESC, " } else { ", " });
        }
        query.push("id");
        query.page(page);
        let items = self.all(&query.sql, &query.params, organization).await?;
        let total = self.list_length(&from, page, items.len()).await?;
        Ok(Paged { items, total })
    }

    /// Inserts an organization and its slug.
    ///
    /// # Errors
    /// [`StoreError::Violated`] `organization_slugs_pkey` when the slug belongs, or belonged, to another
    /// organization.
    pub async fn organization_insert(&mut self, new: &Organization) -> Result<(), StoreError> {
        let Organization {
            id,
            parent,
            created_at,
            modified_at,
            name,
            slug,
            status,
            owner,
            profile,
            suspended,
        } = new;
        self.execute_unawaited(
            "INSERT INTO organization_slugs (slug, organization_id) VALUES (?1, ?2)",
            &[slug.as_str().into(), (*id).into()],
        )
        .await?;
        self.execute_unawaited(
            "INSERT INTO organizations
                (id, parent_id, created_at, modified_at, name, slug, status, owner_user_id, profile,
                 members_enabled, suspended_at, suspension_reason, search_text)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            &[
                (*id).into(),
                (*parent).into(),
                (*created_at).into(),
                (*modified_at).into(),
                name.as_str().into(),
                slug.as_str().into(),
                status.as_str().into(),
                (*owner).into(),
                serde_json::to_string(profile)?.into(),
                new.members_enabled().into(),
                suspended.as_ref().map(|suspension| suspension.at).into(),
                suspended.as_ref().map(|suspension| suspension.reason.as_str()).into(),
                organization_search_text(name.as_str(), slug.as_str()).into(),
            ],
        )
        .await
    }

    /// Saves an organization's name and profile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization_update(&mut self, changed: &Organization) -> Result<(), StoreError> {
        let Organization { id, modified_at, name, slug, profile, .. } = changed;
        self.execute_unawaited(
            "UPDATE organizations SET modified_at = ?2, name = ?3, profile = ?4, members_enabled = ?5, search_text = ?6
             WHERE id = ?1",
            &[
                (*id).into(),
                (*modified_at).into(),
                name.as_str().into(),
                serde_json::to_string(profile)?.into(),
                changed.members_enabled().into(),
                organization_search_text(name.as_str(), slug.as_str()).into(),
            ],
        )
        .await
    }

    /// Saves the owner of an organization, for its delivery queues too. Locks these queues.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization_update_owner(&mut self, changed: &Organization) -> Result<(), StoreError> {
        let Organization { id, modified_at, owner, .. } = changed;
        self.execute_unawaited(
            "UPDATE organizations SET modified_at = ?2, owner_user_id = ?3 WHERE id = ?1",
            &[(*id).into(), (*modified_at).into(), (*owner).into()],
        )
        .await?;
        self.webhook_queues_update_owner(*id, *owner).await?;
        self.mark_credentials_changed();
        Ok(())
    }

    /// Saves whether an organization is suspended, and why.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization_update_suspension(&mut self, changed: &Organization) -> Result<(), StoreError> {
        let Organization { id, modified_at, suspended, .. } = changed;
        self.execute_unawaited(
            "UPDATE organizations SET modified_at = ?2, suspended_at = ?3, suspension_reason = ?4 WHERE id = ?1",
            &[
                (*id).into(),
                (*modified_at).into(),
                suspended.as_ref().map(|suspension| suspension.at).into(),
                suspended.as_ref().map(|suspension| suspension.reason.as_str()).into(),
            ],
        )
        .await?;
        self.mark_credentials_changed();
        Ok(())
    }

    /// Marks an organization as deleted. Its rows stay until [`Tx::organization_purge`], and its slug is taken for
    /// good.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization_delete(
        &mut self,
        id: OrganizationId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE organizations SET deleted_at = ?2 WHERE id = ?1";
        self.execute_unawaited(sql, &[id.into(), now.into()]).await?;
        self.mark_credentials_changed();
        Ok(())
    }

    /// Whether an organization exists and is neither blocked nor suspended. The state of its parent does not
    /// matter here.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization_is_open(&mut self, id: OrganizationId) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM organizations
            WHERE id = ?1 AND deleted_at IS NULL AND status <> 'blocked' AND suspended_at IS NULL";
        Ok(self.first(sql, &[id.into()], |_| Ok(())).await?.is_some())
    }

    /// Whether an organization is neither blocked nor suspended; nothing when it is deleted.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn organization_openness(
        &mut self,
        id: OrganizationId,
    ) -> Result<Option<bool>, StoreError> {
        let sql = "SELECT status <> 'blocked' AND suspended_at IS NULL FROM organizations
            WHERE id = ?1 AND deleted_at IS NULL";
        self.first(sql, &[id.into()], |row| row.get(0)).await
    }

    /// The organizations among these that exist and are neither blocked nor suspended. The states of their parents do
    /// not matter here.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organizations_open(
        &mut self,
        ids: &BTreeSet<OrganizationId>,
    ) -> Result<BTreeSet<OrganizationId>, StoreError> {
        if ids.is_empty() {
            return Ok(BTreeSet::new());
        }
        let mut query = Query::new("SELECT id FROM organizations WHERE ");
        query.organizations("id", &repeated(ids.iter().copied()));
        query.push(" AND deleted_at IS NULL AND status <> 'blocked' AND suspended_at IS NULL");
        Ok(self.all(&query.sql, &query.params, |row| row.get(0)).await?.into_iter().collect())
    }
}
