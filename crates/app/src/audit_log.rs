//! Reading the audit log of an organization: whoever may manage the organization may read it.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use serde::Serialize;
use tenantry_core::ExecutionContext;
use tenantry_core::audit::anonymize_image;
use tenantry_core::customer::AnonymousIdentity;
use tenantry_core::ids::{AuditId, OrganizationId};
use tenantry_core::team::TeamPermission;
use tenantry_store::{
    AuditFilter, AuditRecord, Keyset, KeysetPage, ListQuery, Party, PersonalAuditEntry, RowKey, StoreError,
    Tx, UseCase,
};
use uuid::Uuid;

use crate::changes::Audited;
use crate::{App, Error, Requester, changes, limits};

/// The right that reading the log needs.
pub const PERMISSION: TeamPermission = TeamPermission::ManageOrganization;

/// A list that may read many entries.
struct EntryList {
    organization: OrganizationId,
    filter: AuditFilter,
    keyset: Keyset,
    limited_as: Option<Uuid>,
}

impl ListQuery for EntryList {
    type Output = KeysetPage<AuditRecord>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, StoreError> {
        tx.audit_entries(self.organization, &self.filter, self.keyset).await
    }

    fn limited_as(&self) -> Option<Uuid> {
        self.limited_as
    }
}

/// The next entries of an export.
struct ExportChunk {
    organization: OrganizationId,
    filter: AuditFilter,
    after: Option<AuditId>,
    limited_as: Option<Uuid>,
}

impl ListQuery for ExportChunk {
    type Output = Vec<AuditRecord>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<AuditRecord>, StoreError> {
        let Self { organization, filter, after, .. } = self;
        tx.audit_entries_after(*organization, filter, *after, limits::EXPORT_PAGE_ROWS).await
    }

    fn limited_as(&self) -> Option<Uuid> {
        self.limited_as
    }
}

/// The days for which an organization keeps its audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditLogRetention {
    /// The organization.
    pub organization: OrganizationId,
    /// Its own setting.
    pub days: Option<u32>,
    /// The setting of the operator, which bounds that of the organization.
    pub operator_days: Option<u32>,
}

/// Days for which an organization keeps its audit log, within the bounds of the server. [`App::audit_days_of`] makes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditDays(u32);

/// Sets or clears the days for which an organization keeps its audit log. The sweep deletes older entries.
#[derive(Debug, Clone)]
pub struct AuditLogRetentionSet {
    /// The requester.
    pub by: Requester,
    /// The organization.
    pub organization: OrganizationId,
    /// The days.
    pub days: Option<AuditDays>,
}

/// The setting, as an audit entry shows it.
#[derive(Serialize)]
struct RetentionImage {
    #[serde(skip)]
    organization: OrganizationId,
    audit_log_retention_days: Option<u32>,
}

impl Audited for RetentionImage {
    fn organization(&self) -> OrganizationId {
        self.organization
    }

    fn subject(&self) -> Uuid {
        self.organization.uuid()
    }
}

impl UseCase for AuditLogRetentionSet {
    type Output = ();
    type Error = Error;

    fn party(&self) -> Party {
        Party { organization: Some(self.organization), ..self.by.party() }
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, organization, days } = self;
        check(by, *organization)?;
        by.check_proof(context.now())?;
        tx.organization_for_update(*organization).await?.ok_or(Error::OrganizationNotFound)?;
        let (before, days) = (tx.audit_days(*organization).await?, days.map(|AuditDays(days)| days));
        if before == days {
            return Ok(());
        }
        tx.audit_days_set(*organization, days).await?;
        let image = |audit_log_retention_days| RetentionImage {
            organization: *organization,
            audit_log_retention_days,
        };
        let images = (&image(before), &image(days));
        changes::updated(tx, context, by, "audit_log.retention_updated", images).await
    }
}

impl App {
    /// The days for which an organization keeps its audit log.
    ///
    /// # Errors
    /// [`Error::OrganizationNotFound`] or [`Error::NotPermitted`] without the right, or a store error.
    pub async fn audit_log_retention(
        &self,
        by: &Requester,
        organization: OrganizationId,
    ) -> Result<AuditLogRetention, Error> {
        check(by, organization)?;
        let days = self.store.reader()?.tx()?.audit_days(organization).await?;
        Ok(AuditLogRetention { organization, days, operator_days: self.audit_days() })
    }

    /// The days that an organization can set: at least [`limits::AUDIT_DAYS_LEAST`], at most those of the operator. Empty
    /// where the operator keeps entries for a shorter time.
    #[must_use]
    pub fn audit_days_bounds(&self) -> RangeInclusive<u32> {
        let days = |days: i64| u32::try_from(days).unwrap_or(u32::MAX);
        let most = days(limits::AUDIT_DAYS_MOST);
        days(limits::AUDIT_DAYS_LEAST)..=self.audit_days().map_or(most, |operator| operator.min(most))
    }

    /// These days, if they are within [`App::audit_days_bounds`].
    #[must_use]
    pub fn audit_days_of(&self, days: u32) -> Option<AuditDays> {
        self.audit_days_bounds().contains(&days).then_some(AuditDays(days))
    }

    /// The days for which the operator keeps audit logs at most.
    #[must_use]
    pub fn audit_days(&self) -> Option<u32> {
        self.retention.audit_days.map(NonZeroU32::get)
    }

    /// The organization whose log a request reads: the one that it names, else the requester's only one.
    ///
    /// # Errors
    /// [`Error::UnknownOrganization`] for one without access, [`Error::NotPermitted`] for one in which the role does not
    /// allow it, [`Error::OrganizationRequired`] when there are several.
    pub fn audit_log_organization(
        &self,
        by: &Requester,
        named: Option<OrganizationId>,
    ) -> Result<OrganizationId, Error> {
        let organization = match (named, by.organizations()) {
            (Some(named), _) if by.has_access(named) => named,
            (Some(named), _) => return Err(Error::UnknownOrganization(named)),
            (None, [only]) => *only,
            (None, _) => return Err(Error::OrganizationRequired),
        };
        by.check(organization, PERMISSION)?;
        Ok(organization)
    }

    /// A page of an organization's audit log, newest entry first.
    ///
    /// # Errors
    /// [`Error::OrganizationNotFound`] or [`Error::NotPermitted`] without the right, or a store error.
    pub async fn audit_entries(
        &self,
        by: &Requester,
        organization: OrganizationId,
        filter: &AuditFilter,
        keyset: Keyset,
    ) -> Result<KeysetPage<AuditRecord>, Error> {
        check(by, organization)?;
        if filter.is_indexed() {
            return Ok(self.store.reader()?.tx()?.audit_entries(organization, filter, keyset).await?);
        }
        let (filter, limited_as) = (filter.clone(), by.limited_as());
        Ok(self.store.run_list_query(EntryList { organization, filter, keyset, limited_as }).await?)
    }

    /// One entry of the audit log of an organization that the requester may manage.
    ///
    /// # Errors
    /// [`Error::AuditEntryNotFound`], or a store error.
    pub async fn audit_entry(&self, by: &Requester, id: AuditId) -> Result<AuditRecord, Error> {
        let mut reader = self.store.reader()?;
        let mut tx = reader.tx()?;
        let key = RowKey::AuditEntry(id.uuid());
        for organization in by.organizations_with_row(&mut tx, PERMISSION, key).await? {
            if let Some(entry) = tx.audit_entry(organization, id).await? {
                return Ok(entry);
            }
        }
        Err(Error::AuditEntryNotFound)
    }

    /// The names of actors in an organization's log: those of people of its team and of its tokens.
    ///
    /// # Errors
    /// [`Error::OrganizationNotFound`] or [`Error::NotPermitted`] without the right, or a store error.
    pub async fn audit_actor_names(
        &self,
        by: &Requester,
        organization: OrganizationId,
        actors: BTreeSet<Uuid>,
    ) -> Result<BTreeMap<Uuid, String>, Error> {
        check(by, organization)?;
        let actors: Vec<Uuid> = actors.into_iter().collect();
        let found = self.store.reader()?.tx()?.audit_actor_names(organization, &actors).await?;
        Ok(found.into_iter().collect())
    }

    /// The next entries of an export, oldest first. Empty after the last one.
    ///
    /// # Errors
    /// [`Error::ProofRequired`] before the first one, when the database fails, or there is no place for a list query.
    pub async fn audit_entries_after(
        &self,
        by: &Requester,
        organization: OrganizationId,
        filter: AuditFilter,
        after: Option<AuditId>,
    ) -> Result<Vec<AuditRecord>, Error> {
        // A long export outlives its proof.
        if after.is_none() {
            by.check_proof(self.now())?;
        }
        let limited_as = by.limited_as();
        Ok(self.store.run_list_query(ExportChunk { organization, filter, after, limited_as }).await?)
    }
}

/// Removes personal data from an entry that concerns a person: from its images, if it is about the person, and the client,
/// if it is by the person.
pub(crate) async fn anonymize(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    (id, entry): (AuditId, PersonalAuditEntry),
    identity: &AnonymousIdentity,
) -> Result<(), Error> {
    if let Some((before, after)) = entry.images {
        let image = |image: Option<String>| image.map(|image| anonymize_image(&image, identity)).transpose();
        tx.audit_images_replace(organization, (id, image(before)?, image(after)?)).await?;
    }
    if entry.is_by_person {
        tx.audit_client_remove(organization, id).await?;
    }
    Ok(())
}

fn check(by: &Requester, organization: OrganizationId) -> Result<(), Error> {
    if !by.has_access(organization) {
        return Err(Error::OrganizationNotFound);
    }
    by.check(organization, PERMISSION)
}
