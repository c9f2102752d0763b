//! The team that runs an organization: see, add, remove.

use tenantry_core::Moment;
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::team::{self, NewTeamMember, TeamError, TeamMember};
use tenantry_store::{Operation, StoreError, Tx};

use crate::changes::{self, Change};
use crate::organizations::person;
use crate::{App, Error, Requester, Right};

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

impl Operation for TeamMemberAdd {
    type Output = TeamMember;
    type Error = Error;

    async fn run(&self, tx: &mut Tx<'_>, moment: &mut Moment) -> Result<TeamMember, Error> {
        let Self { by, organization, new } = self;
        by.check(*organization, Right::ManageOrganization)?;
        let now = moment.now();
        let user = person(tx, moment, by, &new.email, new.name.as_ref()).await?;
        if tx.team_member(*organization, user.id).await?.is_some() {
            return Err(TeamError::AlreadyMember.into());
        }
        let member = TeamMember {
            organization: *organization,
            user: user.id,
            role: new.role,
            created_at: now,
            modified_at: now,
        };
        join(tx, moment, by, &member).await?;
        Ok(member)
    }
}

/// Stores a new part in a team.
pub(crate) async fn join(
    tx: &mut Tx<'_>,
    moment: &mut Moment,
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
    let added = Change {
        organization: member.organization,
        action: "team_member.created",
        subject: member.user.uuid(),
        before: None,
        after: Some(member),
    };
    changes::record(tx, moment, by, added).await
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
}

impl Operation for TeamMemberRemove {
    type Output = ();
    type Error = Error;

    async fn run(&self, tx: &mut Tx<'_>, moment: &mut Moment) -> Result<(), Error> {
        let Self { by, organization, user } = self;
        by.check(*organization, Right::ManageOrganization)?;
        let member = tx.team_member(*organization, *user).await?.ok_or(TeamError::NotFound)?;
        team::remove(&member, by.person())?;
        tx.team_delete(*organization, *user).await?;
        let removed = Change {
            organization: *organization,
            action: "team_member.deleted",
            subject: user.uuid(),
            before: Some(&member),
            after: None,
        };
        changes::record(tx, moment, by, removed).await
    }
}

impl App {
    /// The whole team of an organization, newest first.
    ///
    /// # Errors
    /// A fault.
    pub async fn team(&self, organization: OrganizationId) -> Result<Vec<TeamMember>, Error> {
        Ok(self.store.reader()?.tx()?.team(organization).await?)
    }
}
