//! Reading invitations: by managers of the organization, by the holder of a secret, and by the person.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use tenantry_core::ids::{InvitationId, OrganizationId, UserId};
use tenantry_core::invitation::{Invitation, InvitationError, InvitationStatus};
use tenantry_core::organization::Organization;
use tenantry_core::team::TeamRole;
use tenantry_core::user::User;
use tenantry_core::values::EmailAddress;
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{InvitationFilter, InvitationSortKey, ListQuery, Order, Page, Paged, StoreError, Tx};
use uuid::Uuid;

use super::{InvitationDetails, details, inviter_name};
use crate::{App, Error, Requester, TeamPermission, limits, team, users};

/// An invitation as the holder of its secret sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationLookup {
    /// Name of the organization.
    pub organization_name: String,
    /// The address that it is for, of which the first letter and the domain are shown.
    pub masked_email: String,
    /// The role that the person gets.
    pub role: TeamRole,
    /// The state.
    pub status: InvitationStatus,
    /// The end of the time in which it can be accepted.
    pub expires_at: Timestamp,
    /// Name or address of the person who made it.
    pub inviter_name: Option<String>,
}

/// A page of the list of an organization's invitations.
struct InvitationList {
    organization: OrganizationId,
    organization_name: String,
    filter: InvitationFilter,
    now: Timestamp,
    order: Vec<Order<InvitationSortKey>>,
    page: Page,
    limited_as: Option<Uuid>,
}

impl ListQuery for InvitationList {
    type Output = Paged<InvitationDetails>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Paged<InvitationDetails>, StoreError> {
        let Self { organization, filter, now, order, page, .. } = self;
        let Paged { items, total } = tx.invitations(*organization, (filter, *now), order, *page).await?;
        let (mut names, mut shown) = (BTreeMap::<_, Option<String>>::new(), Vec::with_capacity(items.len()));
        for invitation in items {
            let inviter_name = match names.entry(invitation.invited_by) {
                Entry::Occupied(known) => known.get().clone(),
                Entry::Vacant(unknown) => unknown.insert(inviter_name(tx, &invitation).await?).clone(),
            };
            let organization_name = self.organization_name.clone();
            shown.push(InvitationDetails { invitation, organization_name, inviter_name });
        }
        Ok(Paged { items: shown, total })
    }

    fn limited_as(&self) -> Option<Uuid> {
        self.limited_as
    }
}

impl App {
    /// One invitation of an organization.
    ///
    /// # Errors
    /// [`Error::OrganizationNotFound`], [`Error::NotPermitted`], [`InvitationError::NotFound`], or a store error.
    pub async fn invitation(
        &self,
        by: &Requester,
        organization: OrganizationId,
        id: InvitationId,
    ) -> Result<InvitationDetails, Error> {
        let tenant = self.readable(by, organization).await?;
        let mut reader = self.store().reader()?;
        let mut tx = reader.tx()?;
        let invitation = tx.invitation(organization, id).await?.ok_or(InvitationError::NotFound)?;
        Ok(details(&mut tx, invitation, tenant.name.to_string()).await?)
    }

    /// A page of the list of an organization's invitations, newest first unless `order` says otherwise.
    ///
    /// # Errors
    /// [`Error::OrganizationNotFound`], [`Error::NotPermitted`], or a store error.
    pub async fn invitations(
        &self,
        by: &Requester,
        organization: OrganizationId,
        filter: &InvitationFilter,
        order: &[Order<InvitationSortKey>],
        page: Page,
    ) -> Result<Paged<InvitationDetails>, Error> {
        let tenant = self.readable(by, organization).await?;
        let query = filter.query.as_deref().map(tenantry_core::values::search_term);
        let list = InvitationList {
            organization,
            organization_name: tenant.name.to_string(),
            filter: InvitationFilter { query: query.filter(|term| !term.is_empty()), ..filter.clone() },
            now: self.now(),
            order: order.to_vec(),
            page,
            limited_as: by.limited_as(),
        };
        self.run_list(list, page, false).await
    }

    /// The organization, if the requester may read its team.
    async fn readable(&self, by: &Requester, organization: OrganizationId) -> Result<Organization, Error> {
        team::check_access(by, organization)?;
        by.check(organization, TeamPermission::ReadTeam)?;
        let found = self.store().reader()?.tx()?.organization(organization).await?;
        found.ok_or(Error::OrganizationNotFound)
    }

    /// The invitation that has this secret, in any state. Changes nothing.
    ///
    /// # Errors
    /// [`InvitationError::NotFound`], or a store error.
    pub async fn lookup_invitation(&self, secret: &str) -> Result<InvitationLookup, Error> {
        // A mistyped secret costs the same as an unknown one.
        let hash = self.hash_key().hash(secret);
        let mut reader = self.store().reader()?;
        let mut tx = reader.tx()?;
        let found = tx.invitation_by_hash(&hash).await?;
        let (organization, id) = found.ok_or(InvitationError::NotFound)?;
        let tenant = existing(&mut tx, organization).await?.ok_or(InvitationError::NotFound)?;
        let invitation = tx.invitation(organization, id).await?.ok_or(InvitationError::NotFound)?;
        let inviter_name = inviter_name(&mut tx, &invitation).await?;
        Ok(InvitationLookup {
            organization_name: tenant.name.to_string(),
            masked_email: invitation.email.masked(),
            role: invitation.role,
            status: invitation.status(self.now()),
            expires_at: invitation.expires_at,
            inviter_name,
        })
    }

    /// The invitations that wait for the requester's proved address, newest first, at most
    /// [`limits::INVITATIONS_WAITING`]. None for an address that is not proved.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invitations_for(&self, by: &Requester) -> Result<Vec<InvitationDetails>, Error> {
        let Some(user) = by.user() else { return Ok(Vec::new()) };
        Ok(self.store().run_large_read(WaitingQuery { user, now: self.now() }).await?)
    }
}

/// The invitations that wait for a person's proved address.
struct WaitingQuery {
    user: UserId,
    now: Timestamp,
}

impl ListQuery for WaitingQuery {
    type Output = Vec<InvitationDetails>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<InvitationDetails>, StoreError> {
        let Some(user) = tx.user(self.user).await? else { return Ok(Vec::new()) };
        if !tx.user_is_verified(user.id).await? {
            return Ok(Vec::new());
        }
        let mut shown = Vec::new();
        for (tenant, invitation) in waiting(tx, &user.email, self.now, limits::INVITATIONS_WAITING).await? {
            shown.push(details(tx, invitation, tenant.name.to_string()).await?);
        }
        Ok(shown)
    }

    fn limited_as(&self) -> Option<Uuid> {
        // The id that the person's own tokens count under.
        Some(self.user.uuid())
    }
}

/// An organization that neither it nor its parent is deleted.
async fn existing(tx: &mut Tx<'_>, id: OrganizationId) -> Result<Option<Organization>, StoreError> {
    let Some(found) = tx.organization(id).await? else { return Ok(None) };
    let has_parent = match found.parent {
        Some(parent) => tx.organization(parent).await?.is_some(),
        None => true,
    };
    Ok(has_parent.then_some(found))
}

/// The newest invitations for an address that can be accepted at `now`, with their organizations, at most `limit`. The
/// caller knows that the address is the reader's.
async fn waiting(
    tx: &mut Tx<'_>,
    email: &EmailAddress,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<(Organization, Invitation)>, StoreError> {
    let pending = tx.invitations_waiting(email, limits::INVITATIONS_LOOKED_AT).await?;
    let open =
        tx.organizations_open(&pending.iter().map(|(organization, _)| *organization).collect()).await?;
    let mut found = Vec::new();
    for (organization, id) in pending.into_iter().filter(|(organization, _)| open.contains(organization)) {
        if found.len() >= limit {
            break;
        }
        let invitation = tx.invitation(organization, id).await?;
        let waits = |one: &Invitation| one.status(now) == InvitationStatus::Pending;
        let Some(invitation) = invitation.filter(waits) else { continue };
        let Some(tenant) = tx.organization(organization).await? else { continue };
        let is_open = match tenant.parent {
            Some(parent) => tx.organization_is_open(parent).await?,
            None => true,
        };
        if is_open {
            found.push((tenant, invitation));
        }
    }
    Ok(found)
}

/// The organization of an invitation that waits for an address. Its account mails the code for signing in.
pub(crate) async fn waiting_organization(
    tx: &mut Tx<'_>,
    context: &ExecutionContext,
    email: &EmailAddress,
) -> Result<Option<OrganizationId>, Error> {
    let newest = waiting(tx, email, context.now(), 1).await?;
    Ok(newest.first().map(|(tenant, _)| tenant.id))
}

/// Creates the user of an address that nobody has and an invitation waits for, so that the person can prove the address
/// and accept.
pub(crate) async fn newcomer(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    email: &EmailAddress,
) -> Result<Option<User>, Error> {
    if waiting_organization(tx, context, email).await?.is_none() {
        return Ok(None);
    }
    Ok(Some(users::find_or_create(tx, context, &Requester::system(), None, email).await?))
}
