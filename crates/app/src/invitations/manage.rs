//! Sending an invitation again, and revoking it.

use tenantry_core::ExecutionContext;
use tenantry_core::ids::{InvitationId, OrganizationId};
use tenantry_core::invitation::{self, Invitation, InvitationError};
use tenantry_core::organization::Organization;
use tenantry_core::token::{Secret, SecretKind, TokenHash};
use tenantry_store::{Party, Tx, UseCase};

use super::{InvitationDetails, InvitationMail, IssuedInvitation, count, details, managed};
use crate::conditional::RowUseCase;
use crate::{Error, HashKey, Requester, changes};

/// The organization and one of its invitations, both locked, if the requester may manage the team.
async fn find(
    tx: &mut Tx<'_>,
    by: &Requester,
    organization: OrganizationId,
    id: InvitationId,
) -> Result<(Organization, Invitation, TokenHash), Error> {
    let tenant = managed(tx, by, organization).await?;
    let found = tx.invitation_for_update(organization, id).await?;
    let (invitation, secret) = found.ok_or(InvitationError::NotFound)?;
    Ok((tenant, invitation, secret))
}

/// Gives a pending invitation another secret, also after it has expired. The secret before it opens nothing any more.
#[derive(Clone)]
pub struct InvitationResend {
    /// The requester.
    pub by: Requester,
    /// The organization.
    pub organization: OrganizationId,
    /// The invitation.
    pub invitation: InvitationId,
    /// Whether a mail carries the secret. Otherwise the result has it.
    pub send_email: bool,
    /// The key that hashes and seals the secret.
    pub hash_key: HashKey,
}

impl UseCase for InvitationResend {
    type Output = IssuedInvitation;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<IssuedInvitation, Error> {
        let Self { by, organization, invitation: id, send_email, hash_key } = self;
        let (tenant, before, old_secret) = find(tx, by, *organization, *id).await?;
        by.check_role_grant(before.role, context.now())?;
        let mut after = invitation::renew(&before, context.now())?;
        count(tx, context, (&tenant, hash_key), &after, *send_email).await?;
        if *send_email {
            after.last_sent_at = Some(context.now());
            after.sent_count = after.sent_count.saturating_add(1);
        }
        let secret = Secret::generate(SecretKind::Invitation, context);
        let row = (*organization, *id);
        tx.invitation_replace_secret(row, &old_secret, &hash_key.hash(secret.expose())).await?;
        tx.invitation_update(&after).await?;
        changes::updated(tx, context, by, "invitation.resent", (&before, &after)).await?;
        let details = details(tx, after.clone(), tenant.name.to_string()).await?;
        if !send_email {
            return Ok(IssuedInvitation { details, secret: Some(secret), is_new: false });
        }
        let user = tx.user_by_email(&after.email).await?;
        let mail = InvitationMail { invitation: after, user, secret };
        mail.queue(tx, context, (by, &tenant, hash_key)).await?;
        Ok(IssuedInvitation { details, secret: None, is_new: false })
    }
}

/// Revokes an invitation. Changes nothing if it was revoked or declined before.
#[derive(Debug, Clone)]
pub struct InvitationRevoke {
    /// The requester.
    pub by: Requester,
    /// The organization.
    pub organization: OrganizationId,
    /// The invitation.
    pub invitation: InvitationId,
}

impl UseCase for InvitationRevoke {
    type Output = InvitationDetails;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<InvitationDetails, Error> {
        let Self { by, organization, invitation: id } = self;
        let (tenant, before, _) = find(tx, by, *organization, *id).await?;
        by.check_role_loss(before.role)?;
        let after = invitation::revoke(&before, context.now())?;
        if after != before {
            tx.invitation_update(&after).await?;
            changes::updated(tx, context, by, "invitation.revoked", (&before, &after)).await?;
        }
        Ok(details(tx, after, tenant.name.to_string()).await?)
    }
}

impl RowUseCase for InvitationRevoke {
    type Row = InvitationDetails;

    async fn current(&self, tx: &mut Tx<'_>) -> Result<InvitationDetails, Error> {
        let (tenant, invitation, _) = find(tx, &self.by, self.organization, self.invitation).await?;
        Ok(details(tx, invitation, tenant.name.to_string()).await?)
    }
}
