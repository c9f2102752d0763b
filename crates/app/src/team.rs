//! The team that runs an organization: see, add, remove.

use tenantry_core::Moment;
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::mail::Letter;
use tenantry_core::team::{self, NewTeamMember, TeamError, TeamMember};
use tenantry_core::user::User;
use tenantry_store::{Operation, StoreError, Tx};

use crate::audit::{self, Change};
use crate::mails::{self, NewMail};
use crate::{App, Error, Requester};

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
        let now = moment.now();
        let user = match tx.user_by_email(&new.email).await? {
            Some(user) => user,
            None => {
                let id = UserId::new(moment.uuid());
                let user = User { id, created_at: now, email: new.email.clone(), name: new.name.clone() };
                tx.user_insert(&user).await?
            }
        };
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
        tell(tx, moment, by, &member, new).await?;
        Ok(member)
    }
}

/// Writes to the person what they are part of now.
async fn tell(
    tx: &mut Tx<'_>,
    moment: &mut Moment,
    by: &Requester,
    member: &TeamMember,
    new: &NewTeamMember,
) -> Result<(), Error> {
    let tenant = tx.organization(member.organization).await?.ok_or(TeamError::OrganizationNotFound)?;
    let inviter = match by.person() {
        Some(id) => tx.user(id).await?,
        None => None,
    };
    let letter = Letter::TeamMemberAdded {
        organization: tenant.name.to_string(),
        role: member.role,
        inviter: inviter
            .map(|user| user.name.map_or_else(|| user.email.to_string(), |name| name.to_string())),
    };
    let (organization, to) = (member.organization, new.email.clone());
    let mail = NewMail { organization, to, letter, expires_at: None, secret: None };
    mails::queue(tx, moment, mail).await
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
    audit::record(tx, moment, by, added).await
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
        audit::record(tx, moment, by, removed).await
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
