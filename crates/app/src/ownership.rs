//! The transfer of an organization's ownership: by the owner to a person in the team, by the operator to anybody.
//!
//! The organization's row is locked, so that transfers, removals and changes of roles take turns. `team_members_owner`
//! refuses a second owner in any case.

use tenantry_core::ExecutionContext;
use tenantry_core::ids::OrganizationId;
use tenantry_core::organization::Organization;
use tenantry_core::team::{self as rules, TeamError, TeamMember, TeamRole, Transferred};
use tenantry_store::{Party, Tx, UseCase};

use crate::organizations::OwnerRef;
use crate::{Error, Requester, TeamPermission, changes, team, users};

/// Makes another person the owner of an organization. The former owner becomes an administrator. Changes nothing if the
/// person is the owner already.
#[derive(Debug, Clone)]
pub struct OrganizationTransfer {
    /// The requester.
    pub by: Requester,
    /// The organization.
    pub organization: OrganizationId,
    /// The new owner. A person who is named by address joins the team if necessary.
    pub to: OwnerRef,
}

impl UseCase for OrganizationTransfer {
    type Output = TeamMember;
    type Error = Error;

    fn party(&self) -> Party {
        Party { organization: Some(self.organization), ..self.by.party() }
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<TeamMember, Error> {
        let Self { by, organization, to } = self;
        team::check_access(by, *organization)?;
        by.check(*organization, TeamPermission::ReadTeam)?;
        let before = tx.organization_for_update(*organization).await?.ok_or(Error::OrganizationNotFound)?;
        // A former owner who repeats the request gets the outcome again.
        if !matches!(to, OwnerRef::User(user) if *user == before.owner) {
            by.check_ownership(before.owner)?;
        }
        let (next, is_new) = find(tx, context, by, &before, to).await?;
        if next.user == before.owner {
            return Ok(next);
        }
        let owner = tx.team_member(*organization, before.owner).await?.ok_or(TeamError::NotFound)?;
        let after = rules::transfer(owner.clone(), next.clone(), context.now());
        // The former owner first: there is at most one owner after each statement.
        save(tx, context, by, (&owner, &after.former)).await?;
        let Transferred { owner, .. } = after;
        if is_new {
            team::check_size(tx, *organization).await?;
            team::insert(tx, context, by, &owner).await?;
            team::notify(tx, context, by, &owner).await?;
        } else {
            save(tx, context, by, (&next, &owner)).await?;
        }
        let changed = Organization { owner: owner.user, modified_at: Some(context.now()), ..before.clone() };
        tx.organization_update_owner(&changed).await?;
        changes::updated(tx, context, by, "organization.updated", (&before, &changed)).await?;
        Ok(owner)
    }
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
        OwnerRef::User(user) => (*user, None),
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
    Ok((
        TeamMember { organization: organization.id, user, email, name: None, role, created_at, modified_at },
        true,
    ))
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
