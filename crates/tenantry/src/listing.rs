//! The list of organizations, as the operator sees it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde_json::{Value, json};
use tenantry_app::{App, Requester};
use tenantry_core::organization::{DeletedOrganization, Organization};
use tenantry_core::values::{EmailAddress, Slug};
use tenantry_store::{OrganizationFilter, Page};

use crate::cli::DatabaseOptions;
use crate::error::CommandError;
use crate::installation;

/// An organization with what the operator needs to know about it.
pub(crate) struct ListedOrganization {
    organization: Organization,
    owner: Option<EmailAddress>,
    parent: Option<Slug>,
}

impl ListedOrganization {
    /// The organization as JSON.
    pub(crate) fn object(&self) -> Value {
        let one = &self.organization;
        json!({
            "id": one.id, "name": one.name, "slug": one.slug, "created_at": one.created_at,
            "owner_id": one.owner, "owner_email": self.owner, "parent_id": one.parent,
            "suspended_at": one.suspended.as_ref().map(|suspension| suspension.at),
            "suspension_reason": one.suspended.as_ref().map(|suspension| &suspension.reason),
        })
    }

    /// The organization as a line of text.
    pub(crate) fn line(&self) -> String {
        let one = &self.organization;
        let mut line = format!("{}  {}  {}", one.id, one.slug, one.name);
        if let Some(owner) = &self.owner {
            line = format!("{line}  owner {owner}");
        }
        if let Some(parent) = &self.parent {
            line = format!("{line}  sub-account of {parent}");
        }
        if let Some(suspension) = &one.suspended {
            line = format!("{line}  suspended: {}", suspension.reason.as_str());
        }
        line
    }
}

/// All organizations, oldest first.
pub(crate) async fn organizations(
    options: &DatabaseOptions,
) -> Result<Vec<ListedOrganization>, CommandError> {
    let app = installation::open_to_read(options).await?;
    let found = listed(&app).await;
    app.store().close().await;
    found
}

async fn listed(app: &App) -> Result<Vec<ListedOrganization>, CommandError> {
    let page = Page { offset: 0, limit: u64::MAX };
    let filter = OrganizationFilter::default();
    let found = app.organizations(&Requester::operator(), &filter, page).await?.items;
    let slugs: HashMap<_, _> = found.iter().map(|one| (one.id, one.slug.clone())).collect();
    let mut owners = HashMap::new();
    let mut reader = app.store().reader()?;
    let mut listed = Vec::new();
    for organization in found {
        if let Entry::Vacant(unknown) = owners.entry(organization.owner) {
            let owner = reader.tx()?.user(organization.owner).await?;
            unknown.insert(owner.map(|owner| owner.email));
        }
        listed.push(ListedOrganization {
            owner: owners.get(&organization.owner).cloned().flatten(),
            parent: organization.parent.and_then(|parent| slugs.get(&parent).cloned()),
            organization,
        });
    }
    Ok(listed)
}

/// All deleted organizations that are not purged yet, the first deleted first.
pub(crate) async fn deleted_organizations(
    options: &DatabaseOptions,
) -> Result<Vec<DeletedOrganization>, CommandError> {
    let app = installation::open_to_read(options).await?;
    let found = listed_deleted(&app).await;
    app.store().close().await;
    found
}

async fn listed_deleted(app: &App) -> Result<Vec<DeletedOrganization>, CommandError> {
    Ok(app.store().reader()?.tx()?.organizations_deleted().await?)
}
