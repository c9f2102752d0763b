//! Invitations to the team of an organization: make, send again, revoke, accept, decline, look up, list.
//!
//! | step | by | effect |
//! |---|---|---|
//! | create | a manager | a row with the hash of a secret; a mail with the secret, or the link in the answer |
//! | resend | a manager | another secret; the one before it opens nothing any more; the time begins anew |
//! | revoke | a manager | the invitation ends |
//! | accept | the person, with a proved address | the person joins the team, and the invitation is accepted |
//! | decline | whoever has the secret, or the person | the invitation ends |
//! | join another way | a manager adds the person | the invitation counts as accepted |
//!
//! Each step locks the organization, then the person, then the invitation, and reads them again. So accepting,
//! revoking, a direct addition and the deletion of the organization take turns, whatever the number of nodes. The index
//! `invitations_pending` refuses a second pending invitation for an address in any case.
//!
//! The secret is found by its hash and works on after the invitation was settled, for showing its state. The time of a
//! transaction is that of its node, as everywhere; each node reports a difference from the database's clock.

mod answer;
mod create;
mod manage;
mod read;

pub use answer::{InvitationAccept, InvitationDecline};
pub use create::{BulkItem, BulkResult, BulkStatus, InvitationBulkCreate, InvitationCreate};
pub use manage::{InvitationResend, InvitationRevoke};
pub use read::InvitationLookup;

pub(crate) use read::{newcomer, waiting_organization};

use std::num::NonZeroU32;

use tenantry_core::ExecutionContext;
use tenantry_core::budget::Budget;
use tenantry_core::ids::{InvitationId, OrganizationId};
use tenantry_core::invitation::{
    INVITATIONS_PER_ADDRESS_A_DAY, INVITATIONS_PER_HOUR, Invitation, InvitationError, MAILS_PER_ADDRESS_A_DAY,
};
use tenantry_core::mail::MailContent;
use tenantry_core::organization::Organization;
use tenantry_core::token::Secret;
use tenantry_core::user::User;
use tenantry_store::{StoreError, Tx, UseCase};

use crate::mails::{self, NewMail};
use crate::{Error, HashKey, Requester, TeamPermission, limits, team};

/// An invitation with the names that its readers see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationDetails {
    /// The invitation.
    pub invitation: Invitation,
    /// Name of the organization.
    pub organization_name: String,
    /// Name or address of the person who made it, as the organization spells it; none when a token of the organization
    /// or the operator did, or when the person has left the team.
    pub inviter_name: Option<String>,
}

/// An invitation that was made or sent again.
#[derive(Debug, Clone)]
pub struct IssuedInvitation {
    /// The invitation.
    pub details: InvitationDetails,
    /// Its secret, if no mail carries it. It is shown once.
    pub secret: Option<Secret>,
    /// Whether it was made now. Otherwise the same person was invited with the same role before, and nothing changed.
    pub is_new: bool,
}

/// The way in which a request names an invitation.
#[derive(Debug, Clone)]
pub enum InvitationKey {
    /// By its secret.
    Secret(String),
    /// By its id, for the person whose proved address it is for.
    Id(OrganizationId, InvitationId),
}

/// The organization, locked, if the requester may manage its team.
async fn managed(
    tx: &mut Tx<'_>,
    by: &Requester,
    organization: OrganizationId,
) -> Result<Organization, Error> {
    team::check_access(by, organization)?;
    by.check(organization, TeamPermission::ManageTeam)?;
    tx.organization_for_update(organization).await?.ok_or(Error::OrganizationNotFound)
}

/// The invitation with its names.
async fn details(
    tx: &mut Tx<'_>,
    invitation: Invitation,
    organization_name: String,
) -> Result<InvitationDetails, StoreError> {
    let inviter_name = inviter_name(tx, &invitation).await?;
    Ok(InvitationDetails { invitation, organization_name, inviter_name })
}

async fn inviter_name(tx: &mut Tx<'_>, invitation: &Invitation) -> Result<Option<String>, StoreError> {
    let Some(user) = invitation.invited_by else { return Ok(None) };
    let member = tx.team_member_unlocked(invitation.organization, user).await?;
    Ok(member.map(|member| member.name.map_or_else(|| member.email.to_string(), |name| name.to_string())))
}

/// A mail that is queued once the invitation is stored. A transaction takes all budgets before it locks a queue.
struct InvitationMail {
    invitation: Invitation,
    user: Option<User>,
    secret: Secret,
}

impl InvitationMail {
    async fn queue(
        self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
        (by, tenant, hash_key): (&Requester, &Organization, &HashKey),
    ) -> Result<(), Error> {
        let Self { invitation, user, secret } = self;
        let inviter = match by.person() {
            Some(person) => team::name_of(tx, tenant.id, person).await?,
            None => None,
        };
        let content = MailContent::TeamInvitation {
            organization: tenant.name.to_string(),
            role: invitation.role,
            inviter,
            until: invitation.expires_at,
        };
        let mail = NewMail {
            organization: tenant.id,
            user: user.as_ref().map(|user| user.id),
            to: invitation.email.normalized(),
            language: user.and_then(|user| user.language),
            content,
            expires_at: Some(invitation.expires_at),
            secret: Some((&secret, hash_key)),
        };
        mails::queue(tx, context, mail).await
    }
}

/// Counts an invitation, or one that is sent again, against the owner of the organization, against this owner and the
/// person's address together and, if a mail carries it, against the address.
async fn count(
    tx: &mut Tx<'_>,
    context: &ExecutionContext,
    (tenant, hash_key): (&Organization, &HashKey),
    invitation: &Invitation,
    sends_email: bool,
) -> Result<(), Error> {
    let at_most = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    let now = context.now();
    let mailbox = invitation.email.mailbox_key();
    let owner = hash_key.hash(&format!("invitations of an owner\0{}", tenant.owner));
    // Transactions of one owner take turns at the first budget, so they lock the second in any order.
    let both = hash_key.hash(&format!("invitations of an owner to an address\0{}\0{mailbox}", tenant.owner));
    for (key, budget) in [
        (owner, Budget::hourly(at_most(INVITATIONS_PER_HOUR))),
        (both, Budget::daily(at_most(INVITATIONS_PER_ADDRESS_A_DAY))),
    ] {
        if let Some(free_at) = tx.budget_take((mails::namespace(&key), key), budget, now).await? {
            let retry_after_s = now.seconds_until(free_at).max(1);
            return Err(InvitationError::TooMany { retry_after_s }.into());
        }
    }
    if !sends_email {
        return Ok(());
    }
    let address = hash_key.hash(&format!("invitations to an address\0{mailbox}"));
    let budget = Budget::daily(at_most(MAILS_PER_ADDRESS_A_DAY));
    match tx.budget_take((mails::namespace(&address), address), budget, now).await? {
        None => Ok(()),
        Some(free_at) => {
            let retry_after_s = now.seconds_until(free_at).max(1);
            Err(InvitationError::TooManyMails { retry_after_s }.into())
        }
    }
}

/// Deletes some of the invitations that are not kept any more. Returns how many.
pub(crate) struct DeleteExpired;

impl UseCase for DeleteExpired {
    type Output = usize;
    type Error = StoreError;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<usize, StoreError> {
        tx.invitations_delete_expired(context.now(), limits::INVITATIONS_PER_TRANSACTION).await
    }
}

/// Deletes some of the invitations for the address of a user who is to be deleted. Returns how many.
pub(crate) async fn forget(tx: &mut Tx<'_>, user: &User) -> Result<usize, StoreError> {
    tx.invitations_delete_to(&user.email, limits::INVITATIONS_PER_TRANSACTION).await
}
