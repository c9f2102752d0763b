//! The team of an organization: list, add, change a role, remove, leave.

use tenantry_core::ExecutionContext;
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::invitation::Invitation;
use tenantry_core::mail::MailContent;
use tenantry_core::team::{self, NewTeamMember, RoleChange, TeamError, TeamFacts, TeamMember, TeamRole};
use tenantry_store::{ListQuery, Party, StoreError, Tx, UseCase};
use uuid::Uuid;

use crate::conditional::RowUseCase;
use crate::mails::{self, NewMail};
use crate::{
    App, Error, LimitReached, Requester, TeamPermission, admission, changes, limits, users, verified,
};

/// Adds a person to the team. Creates the user if no user has the address. Fails if the person is in the team.
#[derive(Debug, Clone)]
pub struct TeamMemberAdd {
    /// The requester.
    pub by: Requester,
    /// The organization.
    pub organization: OrganizationId,
    /// The person and their role.
    pub new: NewTeamMember,
}

impl UseCase for TeamMemberAdd {
    type Output = TeamMember;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<TeamMember, Error> {
        let Self { by, organization, new } = self;
        by.check(*organization, TeamPermission::ManageTeam)?;
        let invited = add(tx, context, by, *organization, new).await?;
        if invited.is_new { Ok(invited.member) } else { Err(TeamError::AlreadyMember.into()) }
    }
}

/// The result of an invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitedMember {
    /// The membership.
    pub member: TeamMember,
    /// Whether the invitation added the person. Otherwise they were in the team, and keep their role.
    pub is_new: bool,
}

/// Adds a person to the team, or finds them in it.
#[derive(Debug, Clone)]
pub struct TeamMemberInvite {
    /// The requester.
    pub by: Requester,
    /// The organization.
    pub organization: OrganizationId,
    /// The person, and the role that they get if they are not in the team.
    pub new: NewTeamMember,
}

impl UseCase for TeamMemberInvite {
    type Output = InvitedMember;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<InvitedMember, Error> {
        let Self { by, organization, new } = self;
        check_access(by, *organization)?;
        by.check(*organization, TeamPermission::ManageTeam)?;
        add(tx, context, by, *organization, new).await
    }
}

async fn add(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    organization: OrganizationId,
    new: &NewTeamMember,
) -> Result<InvitedMember, Error> {
    let now = context.now();
    by.check_role_grant(new.role, now)?;
    // Locked, so that of two concurrent additions the second finds the first.
    let tenant = tx.organization_for_update(organization).await?.ok_or(TeamError::OrganizationNotFound)?;
    if tenant.profile.team_admission.is_by_invitation() && !by.is_operator() {
        return Err(TeamError::InvitationRequired.into());
    }
    let user = users::find_or_create(tx, context, by, Some(organization), &new.email).await?;
    if let Some(member) = tx.team_member(organization, user.id).await? {
        return Ok(InvitedMember { member, is_new: false });
    }
    check_size(tx, organization).await?;
    let member = TeamMember {
        organization,
        user: user.id,
        email: new.email.clone(),
        name: new.name.clone(),
        role: new.role,
        created_at: now,
        modified_at: now,
        offered_until: None,
    };
    insert(tx, context, by, &member).await?;
    notify(tx, context, by, &member).await?;
    Ok(InvitedMember { member, is_new: true })
}

/// Checks that another person may join a team. The caller has locked the organization.
pub(crate) async fn check_size(tx: &mut Tx<'_>, organization: OrganizationId) -> Result<(), Error> {
    let most = limits::TEAM_MEMBERS_PER_ORGANIZATION;
    if tx.team_size(organization).await? >= most {
        return Err(LimitReached::TeamMembers(most).into());
    }
    Ok(())
}

/// Returns [`Error::OrganizationNotFound`] if the requester has no access, so that an outsider cannot find out whether
/// the organization exists.
pub(crate) fn check_access(by: &Requester, organization: OrganizationId) -> Result<(), Error> {
    if by.has_access(organization) { Ok(()) } else { Err(Error::OrganizationNotFound) }
}

/// The facts about one membership. Locks the organization until the transaction ends.
async fn facts(tx: &mut Tx<'_>, organization: OrganizationId, user: UserId) -> Result<TeamFacts, Error> {
    tx.organization_for_update(organization).await?.ok_or(Error::OrganizationNotFound)?;
    let member = tx.team_member(organization, user).await?.ok_or(TeamError::NotFound)?;
    Ok(TeamFacts::of(member, &tx.team(organization).await?))
}

/// Queues the mail that tells a person about their new membership.
pub(crate) async fn notify(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    member: &TeamMember,
) -> Result<(), Error> {
    let tenant = tx.organization(member.organization).await?.ok_or(TeamError::OrganizationNotFound)?;
    let inviter = match by.person() {
        Some(id) => name_of(tx, member.organization, id).await?,
        None => None,
    };
    let content =
        MailContent::TeamMemberAdded { organization: tenant.name.to_string(), role: member.role, inviter };
    let (organization, user, to) = (member.organization, Some(member.user), member.email.normalized());
    let mail = NewMail { organization, user, to, language: None, content, expires_at: None, secret: None };
    mails::queue(tx, context, mail).await
}

/// The name of a person as the organization spells it, or their address.
pub(crate) async fn name_of(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    user: UserId,
) -> Result<Option<String>, StoreError> {
    if let Some(member) = tx.team_member(organization, user).await? {
        return Ok(Some(member.name.map_or_else(|| member.email.to_string(), |name| name.to_string())));
    }
    Ok(tx.user(user).await?.map(|user| user.email.to_string()))
}

/// Stores a new membership, if the person is not in too many teams. It has the person's present address: a membership
/// that it is copied from may have to take that over yet. Settles the pending invitation of that address, and returns
/// it.
pub(crate) async fn insert(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    member: &TeamMember,
) -> Result<Option<Invitation>, Error> {
    let most = match member.role {
        TeamRole::Owner => limits::ORGANIZATIONS_PER_PERSON,
        _ => limits::ORGANIZATIONS_PER_PERSON_BY_OTHERS,
    };
    // Locked, so that concurrent additions to several teams do not exceed the limit, and the person is not deleted.
    let user = tx.user_for_update(member.user).await?.ok_or(TeamError::NotFound)?;
    let count = tx.user_organization_count(member.user).await?;
    if count >= most {
        return Err(LimitReached::Organizations.into());
    }
    if member.role != TeamRole::Owner && count >= limits::ORGANIZATIONS_PER_PERSON_BY_ONE_OWNER {
        check_share(tx, member).await?;
    }
    let is_present = member.email.key() == user.email.key();
    let email = if is_present { member.email.clone() } else { user.email };
    let member = &TeamMember { email, ..member.clone() };
    tx.team_insert(member).await.map_err(|error: StoreError| {
        if error.is_violation_of("team_members_pkey") {
            TeamError::AlreadyMember.into()
        } else {
            Error::from(error)
        }
    })?;
    changes::created(tx, context, by, "team_member.created", member).await?;
    match member.role {
        // The owner of a new organization, which has no invitations.
        TeamRole::Owner => Ok(None),
        _ => admission::settle(tx, context, by, member, &member.email).await,
    }
}

/// Checks that the organizations of the same owner have the person in few teams.
async fn check_share(tx: &mut Tx<'_>, member: &TeamMember) -> Result<(), Error> {
    let most = limits::ORGANIZATIONS_PER_PERSON_BY_ONE_OWNER;
    let tenant = tx.organization(member.organization).await?.ok_or(TeamError::OrganizationNotFound)?;
    let teams = tx.user_organizations_of_owner(member.user, tenant.owner).await?.number;
    if teams < most { Ok(()) } else { Err(LimitReached::OrganizationsOfOwner(most).into()) }
}

/// Removes a person from the team.
#[derive(Debug, Clone)]
pub struct TeamMemberRemove {
    /// The requester.
    pub by: Requester,
    /// The organization.
    pub organization: OrganizationId,
    /// The person.
    pub user: UserId,
    /// Whether requesters may remove themselves.
    pub may_leave: bool,
}

impl UseCase for TeamMemberRemove {
    type Output = ();
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, organization, user, may_leave } = self;
        check_access(by, *organization)?;
        by.check(*organization, TeamPermission::ManageTeam)?;
        let facts = facts(tx, *organization, *user).await?;
        verified::before_change(tx, context, by).await?;
        team::remove(&facts, by.person().filter(|_| !may_leave))?;
        by.check_role_loss(facts.member.role)?;
        delete(tx, context, by, &facts.member).await
    }
}

impl RowUseCase for TeamMemberRemove {
    type Row = TeamMember;

    async fn current(&self, tx: &mut Tx<'_>) -> Result<TeamMember, Error> {
        let Self { by, organization, user, .. } = self;
        check_access(by, *organization)?;
        by.check(*organization, TeamPermission::ManageTeam)?;
        Ok(facts(tx, *organization, *user).await?.member)
    }
}

/// Removes the requester from a team.
#[derive(Debug, Clone)]
pub struct TeamMemberLeave {
    /// The requester, a person.
    pub by: Requester,
    /// The organization.
    pub organization: OrganizationId,
}

impl UseCase for TeamMemberLeave {
    type Output = ();
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, organization } = self;
        check_access(by, *organization)?;
        let user = by.user().ok_or(TeamError::NotFound)?;
        let facts = facts(tx, *organization, user).await?;
        verified::before_change(tx, context, by).await?;
        team::leave(&facts)?;
        delete(tx, context, by, &facts.member).await
    }
}

pub(crate) async fn delete(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    member: &TeamMember,
) -> Result<(), Error> {
    tx.team_delete(member.organization, member.user).await?;
    changes::deleted(tx, context, by, "team_member.deleted", member).await
}

/// Changes the role of a person in the team.
#[derive(Debug, Clone)]
pub struct TeamMemberSetRole {
    /// The requester.
    pub by: Requester,
    /// The organization.
    pub organization: OrganizationId,
    /// The person.
    pub user: UserId,
    /// The new role.
    pub change: RoleChange,
}

impl UseCase for TeamMemberSetRole {
    type Output = TeamMember;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<TeamMember, Error> {
        let Self { by, organization, user, change } = self;
        check_access(by, *organization)?;
        by.check(*organization, TeamPermission::ManageTeam)?;
        by.check_role_grant(change.to, context.now())?;
        let facts = facts(tx, *organization, *user).await?;
        verified::before_change(tx, context, by).await?;
        by.check_role_loss(facts.member.role)?;
        let before = facts.member.clone();
        let after = team::set_role(facts, *change, context.now())?;
        if after != before {
            tx.team_update(&after).await?;
            changes::updated(tx, context, by, "team_member.updated", (&before, &after)).await?;
        }
        Ok(after)
    }
}

impl RowUseCase for TeamMemberSetRole {
    type Row = TeamMember;

    async fn current(&self, tx: &mut Tx<'_>) -> Result<TeamMember, Error> {
        let Self { by, organization, user, .. } = self;
        check_access(by, *organization)?;
        by.check(*organization, TeamPermission::ManageTeam)?;
        Ok(facts(tx, *organization, *user).await?.member)
    }
}

/// The list of a whole team.
struct TeamQuery {
    organization: OrganizationId,
    is_oldest_first: bool,
    limited_as: Option<Uuid>,
}

impl ListQuery for TeamQuery {
    type Output = Vec<TeamMember>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<TeamMember>, StoreError> {
        match self.is_oldest_first {
            true => tx.team_oldest_first(self.organization).await,
            false => tx.team(self.organization).await,
        }
    }

    fn limited_as(&self) -> Option<Uuid> {
        self.limited_as
    }
}

impl App {
    /// One membership in the team of an organization.
    ///
    /// # Errors
    /// [`Error::OrganizationNotFound`], [`Error::NotPermitted`], [`TeamError::NotFound`], or a store error.
    pub async fn team_member(
        &self,
        by: &Requester,
        organization: OrganizationId,
        user: UserId,
    ) -> Result<TeamMember, Error> {
        check_access(by, organization)?;
        by.check(organization, TeamPermission::ReadTeam)?;
        let found = self.store.reader()?.tx()?.team_member(organization, user).await?;
        found.ok_or_else(|| TeamError::NotFound.into())
    }

    /// The whole team of an organization, newest membership first.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], or a store error.
    pub async fn team(&self, by: &Requester, organization: OrganizationId) -> Result<Vec<TeamMember>, Error> {
        by.check(organization, TeamPermission::ReadTeam)?;
        let limited_as = by.limited_as();
        Ok(self.store.run_large_read(TeamQuery { organization, is_oldest_first: false, limited_as }).await?)
    }

    /// The whole team of an organization, oldest membership first.
    ///
    /// # Errors
    /// [`Error::OrganizationNotFound`], [`Error::NotPermitted`], or a store error.
    pub async fn team_oldest_first(
        &self,
        by: &Requester,
        organization: OrganizationId,
    ) -> Result<Vec<TeamMember>, Error> {
        check_access(by, organization)?;
        by.check(organization, TeamPermission::ReadTeam)?;
        let limited_as = by.limited_as();
        Ok(self.store.run_large_read(TeamQuery { organization, is_oldest_first: true, limited_as }).await?)
    }
}
