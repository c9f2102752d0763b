//! The transfer of an organization's ownership: by the operator to any person, or by the owner to a member of the team,
//! who accepts it. Limits count by owner, so no person becomes an owner through a request of another person.
//!
//! | step | by | effect |
//! |---|---|---|
//! | offer | the owner | the membership has `offered_until`; an earlier offer of the organization ends |
//! | accept | the person, until then | the person is the owner, the former owner an administrator |
//! | end | the owner or the person | the offer ends; it also ends when the person leaves the team or another becomes the owner |
//!
//! The organization's row is locked, so that transfers, removals and changes of roles take turns. `team_members_owner`
//! refuses a second owner in any case.

use tenantry_core::ExecutionContext;
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::mail::MailContent;
use tenantry_core::organization::Organization;
use tenantry_core::team::{
    self as rules, OWNERSHIP_OFFER_DAYS, TeamError, TeamMember, TeamRole, Transferred,
};
use tenantry_store::{Party, Tx, UseCase};

use crate::mails::{self, NewMail};
use crate::organizations::OwnerRef;
use crate::{App, Error, Requester, TeamPermission, changes, team, users, verified};

/// Makes another person the owner of an organization, on behalf of the operator. The former owner becomes an
/// administrator. Changes nothing if the person is the owner already.
#[derive(Debug, Clone)]
pub struct OrganizationTransfer {
    /// The organization.
    pub organization: OrganizationId,
    /// The new owner. A person who is named by address joins the team if necessary.
    pub to: OwnerRef,
}

impl UseCase for OrganizationTransfer {
    type Output = TeamMember;
    type Error = Error;

    fn party(&self) -> Party {
        Party { organization: Some(self.organization), ..Requester::operator().party() }
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<TeamMember, Error> {
        let Self { organization, to } = self;
        let by = &Requester::operator();
        let before = tx.organization_for_update(*organization).await?.ok_or(Error::OrganizationNotFound)?;
        let (next, is_new) = find(tx, context, by, &before, to).await?;
        if next.user == before.owner {
            return Ok(next);
        }
        let owner = tx.team_member(*organization, before.owner).await?.ok_or(TeamError::NotFound)?;
        if is_new {
            team::check_size(tx, *organization).await?;
            team::insert(tx, context, by, &next).await?;
        }
        let after = rules::transfer(owner.clone(), next.clone(), context.now());
        let new = hand_over(tx, context, by, &before, (&owner, &next), after).await?;
        if is_new {
            // This mail tells the new owner of the role.
            team::notify(tx, context, by, &new).await?;
            notify(tx, context, &before, &[&owner], &new).await?;
        } else {
            notify(tx, context, &before, &[&owner, &new], &new).await?;
        }
        Ok(new)
    }
}

/// Offers the ownership of an organization to a member of its team, who is told by mail. An earlier offer ends. Returns
/// the membership with the end of the offer.
#[derive(Debug, Clone)]
pub struct OwnershipOffer {
    /// The requester, the owner.
    pub by: Requester,
    /// The organization.
    pub organization: OrganizationId,
    /// The member of the team.
    pub to: UserId,
}

impl UseCase for OwnershipOffer {
    type Output = TeamMember;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<TeamMember, Error> {
        let Self { by, organization, to } = self;
        let tenant = locked(tx, context, by, *organization).await?;
        by.check_ownership(tenant.owner)?;
        by.check_proof(context.now())?;
        let before = tx.team_member(*organization, *to).await?.ok_or(TeamError::NotFound)?;
        let after = rules::offer_ownership(before.clone(), context.now())?;
        end_offer(tx, context, by, *organization).await?;
        save(tx, context, by, (&TeamMember { offered_until: None, ..before }, &after)).await?;
        let content = MailContent::OwnershipOffered {
            organization: tenant.name.to_string(),
            owner: team::name_of(tx, *organization, tenant.owner).await?,
            days: u32::try_from(OWNERSHIP_OFFER_DAYS).unwrap_or(u32::MAX),
        };
        let (user, to, expires_at) = (Some(after.user), after.email.normalized(), after.offered_until);
        let mail = NewMail {
            organization: *organization,
            user,
            to,
            language: None,
            content,
            expires_at,
            secret: None,
        };
        mails::queue(tx, context, mail).await?;
        Ok(after)
    }
}

/// Accepts the ownership of an organization. The former owner becomes an administrator. Changes nothing if the
/// requester is the owner already.
#[derive(Debug, Clone)]
pub struct OwnershipAccept {
    /// The requester, who has the offer.
    pub by: Requester,
    /// The organization.
    pub organization: OrganizationId,
}

impl UseCase for OwnershipAccept {
    type Output = TeamMember;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<TeamMember, Error> {
        let Self { by, organization } = self;
        let before = locked(tx, context, by, *organization).await?;
        let user = by.user().ok_or(TeamError::NotFound)?;
        // Locked, so that the person is not deleted meanwhile: an owner is not.
        tx.user_for_update(user).await?.ok_or(TeamError::NotFound)?;
        let next = tx.team_member(*organization, user).await?.ok_or(TeamError::NotFound)?;
        if user == before.owner {
            return Ok(next);
        }
        by.check_proof(context.now())?;
        let owner = tx.team_member(*organization, before.owner).await?.ok_or(TeamError::NotFound)?;
        let after = rules::accept_ownership(owner.clone(), next.clone(), context.now())?;
        let new = hand_over(tx, context, by, &before, (&owner, &next), after).await?;
        notify(tx, context, &before, &[&owner, &new], &new).await?;
        Ok(new)
    }
}

/// Ends an offer of the ownership: the owner withdraws it, or the person declines it.
#[derive(Debug, Clone)]
pub struct OwnershipOfferEnd {
    /// The requester.
    pub by: Requester,
    /// The organization.
    pub organization: OrganizationId,
}

impl UseCase for OwnershipOfferEnd {
    type Output = ();
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, organization } = self;
        let tenant = locked(tx, context, by, *organization).await?;
        let offered = tx.team_member_offered(*organization).await?;
        if offered.is_none_or(|offered| by.user() != Some(offered.user)) {
            by.check_ownership(tenant.owner)?;
        }
        end_offer(tx, context, by, *organization).await
    }
}

/// The organization, locked, if the requester is in its team.
async fn locked(
    tx: &mut Tx<'_>,
    context: &ExecutionContext,
    by: &Requester,
    organization: OrganizationId,
) -> Result<Organization, Error> {
    team::check_access(by, organization)?;
    let found = tx.organization_for_update(organization).await?.ok_or(Error::OrganizationNotFound)?;
    verified::before_change(tx, context, by).await?;
    Ok(found)
}

/// Stores a transfer from one member of the team to another, who is `next`. Returns the new owner's membership.
async fn hand_over(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    before: &Organization,
    (was_owner, next): (&TeamMember, &TeamMember),
    after: Transferred,
) -> Result<TeamMember, Error> {
    let Transferred { former, owner } = after;
    if tx.team_member_offered(before.id).await?.is_some_and(|offered| offered.user != next.user) {
        end_offer(tx, context, by, before.id).await?;
    }
    // The former owner first: there is at most one owner after each statement.
    save(tx, context, by, (was_owner, &former)).await?;
    save(tx, context, by, (next, &owner)).await?;
    let changed = Organization { owner: owner.user, modified_at: Some(context.now()), ..before.clone() };
    tx.organization_update_owner(&changed).await?;
    changes::updated(tx, context, by, "organization.updated", (before, &changed)).await?;
    changes::organization_transferred(tx, context, before, &changed).await?;
    Ok(owner)
}

/// Tells the former and the new owner by mail that the ownership has moved.
async fn notify(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    before: &Organization,
    recipients: &[&TeamMember],
    owner: &TeamMember,
) -> Result<(), Error> {
    let name = owner.name.as_ref().map_or_else(|| owner.email.to_string(), ToString::to_string);
    for member in recipients {
        let content = MailContent::OwnershipMoved {
            organization: before.name.to_string(),
            owner: Some(name.clone()),
            is_owner: member.user == owner.user,
        };
        let mail = NewMail {
            organization: before.id,
            user: Some(member.user),
            to: member.email.normalized(),
            language: None,
            content,
            expires_at: None,
            secret: None,
        };
        mails::queue(tx, context, mail).await?;
    }
    Ok(())
}

/// Ends the offer of an organization's ownership, if there is one.
async fn end_offer(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    organization: OrganizationId,
) -> Result<(), Error> {
    let Some(offered) = tx.team_member_offered(organization).await? else { return Ok(()) };
    let after = TeamMember { offered_until: None, ..offered.clone() };
    save(tx, context, by, (&offered, &after)).await
}

/// The membership of the new owner, and whether it is not stored yet.
async fn find(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    organization: &Organization,
    to: &OwnerRef,
) -> Result<(TeamMember, bool), Error> {
    let (user, email) = match to {
        // Locked, so that the person is not deleted meanwhile: an owner is not.
        OwnerRef::User(user) => (tx.user_for_update(*user).await?.ok_or(TeamError::NotFound)?.id, None),
        OwnerRef::Email(email) => {
            (users::find_or_create(tx, context, by, Some(organization.id), email).await?.id, Some(email))
        }
    };
    if let Some(member) = tx.team_member(organization.id, user).await? {
        return Ok((member, false));
    }
    let email = email.ok_or(TeamError::NotFound)?.clone();
    let (created_at, modified_at) = (context.now(), context.now());
    let role = TeamRole::Administrator;
    let organization = organization.id;
    let member = TeamMember {
        organization,
        user,
        email,
        name: None,
        role,
        created_at,
        modified_at,
        offered_until: None,
    };
    Ok((member, true))
}

async fn save(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    (before, after): (&TeamMember, &TeamMember),
) -> Result<(), Error> {
    tx.team_update(after).await?;
    changes::updated(tx, context, by, "team_member.updated", (before, after)).await
}

impl App {
    /// The member of the team that has the offer of the ownership.
    ///
    /// # Errors
    /// [`Error::OrganizationNotFound`], [`Error::NotPermitted`], [`TeamError::NotFound`] without an offer, or a store
    /// error.
    pub async fn ownership_offer(
        &self,
        by: &Requester,
        organization: OrganizationId,
    ) -> Result<TeamMember, Error> {
        team::check_access(by, organization)?;
        by.check(organization, TeamPermission::ReadTeam)?;
        let offered = self.store().reader()?.tx()?.team_member_offered(organization).await?;
        let stands = offered.filter(|offered| offered.is_offered_ownership(self.now()));
        Ok(stands.ok_or(TeamError::NotFound)?)
    }
}
