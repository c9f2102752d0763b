//! The team that runs an organization: see, add, change a role, remove, leave.

use tenantry_core::ExecutionContext;
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::mail::MailContent;
use tenantry_core::team::{self, NewTeamMember, RoleChange, TeamError, TeamFacts, TeamMember};
use tenantry_core::values::EmailAddress;
use tenantry_store::{StoreError, Tx, UseCase};

use crate::changes::{self, Change};
use crate::mails::{self, NewMail};
use crate::organizations::person;
use crate::{App, Error, Requester, TeamPermission};

/// Adds a person to the team; who is not known by that address becomes a user.
#[derive(Debug, Clone)]
pub struct TeamMemberAdd {
    /// On whose behalf.
    pub by: Requester,
    /// Whose team.
    pub organization: OrganizationId,
    /// Whom.
    pub new: NewTeamMember,
}

impl UseCase for TeamMemberAdd {
    type Output = TeamMember;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<TeamMember, Error> {
        let Self { by, organization, new } = self;
        by.check(*organization, TeamPermission::ManageTeam)?;
        match add(tx, context, by, *organization, new).await? {
            (member, _, true) => Ok(member),
            (_, _, false) => Err(TeamError::AlreadyMember.into()),
        }
    }
}

/// A person's part in a team, their address, and whether they are new in it.
pub type MembershipOutcome = (TeamMember, EmailAddress, bool);

/// Adds a person to the team, or finds them in it.
#[derive(Debug, Clone)]
pub struct TeamMemberInvite {
    /// On whose behalf.
    pub by: Requester,
    /// Whose team.
    pub organization: OrganizationId,
    /// Whom; the role is for who is new in the team.
    pub new: NewTeamMember,
}

impl UseCase for TeamMemberInvite {
    type Output = MembershipOutcome;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<MembershipOutcome, Error> {
        let Self { by, organization, new } = self;
        reached(by, *organization)?;
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
) -> Result<MembershipOutcome, Error> {
    let now = context.now();
    // Held, so that who is added twice at once is found in the team the second time.
    tx.organization_for_update(organization).await?.ok_or(TeamError::OrganizationNotFound)?;
    let user = person(tx, context, by, &new.email, new.name.as_ref()).await?;
    if let Some(member) = tx.team_member(organization, user.id).await? {
        return Ok((member, user.email, false));
    }
    let member =
        TeamMember { organization, user: user.id, role: new.role, created_at: now, modified_at: now };
    join(tx, context, by, &member).await?;
    tell(tx, context, by, &member, new).await?;
    Ok((member, user.email, true))
}

/// Another organization's team does not exist for the requester.
fn reached(by: &Requester, organization: OrganizationId) -> Result<(), Error> {
    if by.reaches(organization) { Ok(()) } else { Err(Error::OrganizationNotFound) }
}

/// What is known of one person's part in a team, which is held until the transaction ends.
async fn facts(tx: &mut Tx<'_>, organization: OrganizationId, user: UserId) -> Result<TeamFacts, Error> {
    tx.organization_for_update(organization).await?.ok_or(Error::OrganizationNotFound)?;
    let member = tx.team_member(organization, user).await?.ok_or(TeamError::NotFound)?;
    Ok(TeamFacts::of(member, &tx.team(organization).await?))
}

/// Writes to the person what they are part of now.
async fn tell(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    member: &TeamMember,
    new: &NewTeamMember,
) -> Result<(), Error> {
    let tenant = tx.organization(member.organization).await?.ok_or(TeamError::OrganizationNotFound)?;
    let inviter = match by.person() {
        Some(id) => tx.user(id).await?,
        None => None,
    };
    let content = MailContent::TeamMemberAdded {
        organization: tenant.name.to_string(),
        role: member.role,
        inviter: inviter
            .map(|user| user.name.map_or_else(|| user.email.to_string(), |name| name.to_string())),
    };
    let (organization, to) = (member.organization, new.email.clone());
    let mail = NewMail { organization, to, content, expires_at: None, secret: None };
    mails::queue(tx, context, mail).await
}

/// Stores a new part in a team.
pub(crate) async fn join(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    member: &TeamMember,
) -> Result<(), Error> {
    tx.team_insert(member).await.map_err(|error: StoreError| {
        if error.is_violation_of("team_members_pkey") {
            TeamError::AlreadyMember.into()
        } else {
            Error::from(error)
        }
    })?;
    record(tx, context, by, "team_member.created", None, Some(member)).await
}

/// Removes a person from the team.
#[derive(Debug, Clone)]
pub struct TeamMemberRemove {
    /// On whose behalf.
    pub by: Requester,
    /// Whose team.
    pub organization: OrganizationId,
    /// Whom.
    pub user: UserId,
    /// Whether a person may name themselves, and so leaves.
    pub may_leave: bool,
}

impl UseCase for TeamMemberRemove {
    type Output = ();
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, organization, user, may_leave } = self;
        reached(by, *organization)?;
        by.check(*organization, TeamPermission::ManageTeam)?;
        let facts = facts(tx, *organization, *user).await?;
        team::remove(&facts, by.person().filter(|_| !may_leave))?;
        part(tx, context, by, &facts.member).await
    }
}

/// A person leaves a team themselves.
#[derive(Debug, Clone)]
pub struct TeamMemberLeave {
    /// Who.
    pub by: Requester,
    /// Whose team.
    pub organization: OrganizationId,
}

impl UseCase for TeamMemberLeave {
    type Output = ();
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, organization } = self;
        reached(by, *organization)?;
        let user = by.user().ok_or(TeamError::NotFound)?;
        let facts = facts(tx, *organization, user).await?;
        team::leave(&facts)?;
        part(tx, context, by, &facts.member).await
    }
}

async fn part(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    member: &TeamMember,
) -> Result<(), Error> {
    tx.team_delete(member.organization, member.user).await?;
    record(tx, context, by, "team_member.deleted", Some(member), None).await
}

/// Gives a person in the team another role.
#[derive(Debug, Clone)]
pub struct TeamMemberSetRole {
    /// On whose behalf.
    pub by: Requester,
    /// Whose team.
    pub organization: OrganizationId,
    /// Whom.
    pub user: UserId,
    /// Which.
    pub change: RoleChange,
}

impl UseCase for TeamMemberSetRole {
    type Output = (TeamMember, EmailAddress);
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<(TeamMember, EmailAddress), Error> {
        let Self { by, organization, user, change } = self;
        reached(by, *organization)?;
        by.check(*organization, TeamPermission::ManageTeam)?;
        let facts = facts(tx, *organization, *user).await?;
        let before = facts.member.clone();
        let after = team::set_role(facts, *change, context.now())?;
        if after != before {
            tx.team_update(&after).await?;
            record(tx, context, by, "team_member.updated", Some(&before), Some(&after)).await?;
        }
        let user = tx.user(*user).await?.ok_or(TeamError::NotFound)?;
        Ok((after, user.email))
    }
}

async fn record(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    action: &'static str,
    before: Option<&TeamMember>,
    after: Option<&TeamMember>,
) -> Result<(), Error> {
    let Some(TeamMember { organization, user, .. }) = after.or(before) else { return Ok(()) };
    let (organization, subject) = (*organization, user.uuid());
    changes::record(tx, context, by, Change { organization, action, subject, before, after }).await
}

impl App {
    /// The whole team of an organization, newest first.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], or a fault.
    pub async fn team(&self, by: &Requester, organization: OrganizationId) -> Result<Vec<TeamMember>, Error> {
        by.check(organization, TeamPermission::ReadTeam)?;
        Ok(self.store.reader()?.tx()?.team(organization).await?)
    }

    /// The whole team of an organization with each person's address, longest in the team first.
    ///
    /// # Errors
    /// [`Error::OrganizationNotFound`], [`Error::NotPermitted`], or a fault.
    pub async fn team_people(
        &self,
        by: &Requester,
        organization: OrganizationId,
    ) -> Result<Vec<(TeamMember, EmailAddress)>, Error> {
        reached(by, organization)?;
        by.check(organization, TeamPermission::ReadTeam)?;
        Ok(self.store.reader()?.tx()?.team_people(organization).await?)
    }
}
