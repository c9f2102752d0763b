//! Making invitations, one or many at once.

use tenantry_core::ExecutionContext;
use tenantry_core::ids::{InvitationId, OrganizationId};
use tenantry_core::invitation::{
    Invitation, InvitationError, InviteFacts, Invited, NewInvitation, invite, replace,
};
use tenantry_core::organization::Organization;
use tenantry_core::token::{Secret, SecretKind};
use tenantry_store::{Party, Tx, UseCase};

use super::{InvitationDetails, InvitationMail, IssuedInvitation, count, details, managed};
use crate::{Error, HashKey, Requester, changes};

/// Invites a person to the team of an organization. Changes nothing if the same address has a pending invitation with
/// the same role.
#[derive(Clone)]
pub struct InvitationCreate {
    /// The requester.
    pub by: Requester,
    /// The organization.
    pub organization: OrganizationId,
    /// The person and the role.
    pub new: NewInvitation,
    /// Whether a mail carries the secret. Otherwise the result has it.
    pub send_email: bool,
    /// The key that hashes and seals the secret.
    pub hash_key: HashKey,
}

impl UseCase for InvitationCreate {
    type Output = IssuedInvitation;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<IssuedInvitation, Error> {
        let Self { by, organization, new, send_email, hash_key } = self;
        let tenant = managed(tx, by, *organization).await?;
        let pending = tx.invitations_pending_count(*organization).await?;
        let mut inviting = Inviting { by, tenant: &tenant, sends_email: *send_email, hash_key, pending };
        let (issued, mail) = inviting.invite(tx, context, new.clone()).await?;
        if let Some(mail) = mail {
            mail.queue(tx, context, (by, &tenant, hash_key)).await?;
        }
        Ok(issued)
    }
}

/// The making of one or several invitations in one transaction.
struct Inviting<'a> {
    by: &'a Requester,
    /// The organization, locked.
    tenant: &'a Organization,
    sends_email: bool,
    hash_key: &'a HashKey,
    /// Number of pending invitations.
    pending: u64,
}

impl Inviting<'_> {
    /// Makes an invitation. Returns it with its mail, which the caller queues. A refusal has changed nothing but a
    /// count of invitations.
    async fn invite(
        &mut self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
        new: NewInvitation,
    ) -> Result<(IssuedInvitation, Option<InvitationMail>), Error> {
        let Self { by, tenant, sends_email, hash_key, .. } = *self;
        by.check_role_grant(new.role, context.now())?;
        let user = tx.user_by_email(&new.email).await?;
        let is_member = match &user {
            Some(user) => tx.team_member_unlocked(tenant.id, user.id).await?.is_some(),
            None => false,
        };
        let facts = InviteFacts {
            organization: tenant.id,
            invited_by: by.user(),
            is_member,
            pending: tx.invitation_pending_for_update(tenant.id, &new.email).await?,
            pending_count: self.pending,
        };
        let id = InvitationId::new(context.uuid());
        let (mut invitation, expired) = match invite(facts, new, id, context.now())? {
            Invited::New(invitation, expired) => (*invitation, expired),
            Invited::Pending(invitation) => {
                let details = details(tx, *invitation, tenant.name.to_string()).await?;
                return Ok((IssuedInvitation { details, secret: None, is_new: false }, None));
            }
        };
        count(tx, context, (tenant, hash_key), &invitation, sends_email).await?;
        match expired {
            Some(expired) => revoke_expired(tx, context, by, &expired).await?,
            None => self.pending = self.pending.saturating_add(1),
        }
        if sends_email {
            invitation.last_sent_at = Some(context.now());
            invitation.sent_count = 1;
        }
        let secret = Secret::generate(SecretKind::Invitation, context);
        tx.invitation_insert(&invitation, &hash_key.hash(secret.expose())).await?;
        changes::created(tx, context, by, "invitation.created", &invitation).await?;
        let details = details(tx, invitation.clone(), tenant.name.to_string()).await?;
        let (secret, mail) = match sends_email {
            true => (None, Some(InvitationMail { invitation, user, secret })),
            false => (Some(secret), None),
        };
        Ok((IssuedInvitation { details, secret, is_new: true }, mail))
    }
}

/// Revokes an expired invitation, whose place another one takes.
async fn revoke_expired(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    expired: &Invitation,
) -> Result<(), Error> {
    let after = replace(expired, context.now());
    tx.invitation_update(&after).await?;
    changes::updated(tx, context, by, "invitation.revoked", (expired, &after)).await
}

/// Invites several people at once. Each is invited or refused on its own.
#[derive(Clone)]
pub struct InvitationBulkCreate {
    /// The requester.
    pub by: Requester,
    /// The organization.
    pub organization: OrganizationId,
    /// The people, at most [`crate::limits::INVITATIONS_AT_ONCE`].
    pub items: Vec<BulkItem>,
    /// Whether mails carry the secrets. Otherwise the results have them.
    pub send_email: bool,
    /// The key that hashes and seals the secrets.
    pub hash_key: HashKey,
}

/// One person of an [`InvitationBulkCreate`].
#[derive(Debug, Clone)]
pub struct BulkItem {
    /// The person, or the reason why the item is invalid.
    pub new: Result<NewInvitation, String>,
}

/// The result for one person, in the order of the items.
#[derive(Debug, Clone)]
pub struct BulkResult {
    /// The outcome.
    pub status: BulkStatus,
    /// The invitation that was made, or is pending.
    pub details: Option<InvitationDetails>,
    /// The secret of a new one, if no mail carries it.
    pub secret: Option<Secret>,
    /// The reason of [`BulkStatus::Invalid`], and of a pending invitation with another role.
    pub error: Option<String>,
}

/// The outcome for one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkStatus {
    /// The person is invited now.
    Created,
    /// The address has a pending invitation.
    Pending,
    /// The person is in the team.
    Member,
    /// The item is refused.
    Invalid,
}

impl BulkStatus {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Pending => "pending",
            Self::Member => "member",
            Self::Invalid => "invalid",
        }
    }
}

impl BulkResult {
    const fn refused(status: BulkStatus, error: Option<String>) -> Self {
        Self { status, details: None, secret: None, error }
    }

    fn issued(issued: IssuedInvitation) -> Self {
        let status = if issued.is_new { BulkStatus::Created } else { BulkStatus::Pending };
        Self { status, details: Some(issued.details), secret: issued.secret, error: None }
    }
}

impl UseCase for InvitationBulkCreate {
    type Output = Vec<BulkResult>;
    type Error = Error;
    const IS_LONG: bool = true;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Vec<BulkResult>, Error> {
        let Self { by, organization, items, send_email, hash_key } = self;
        let tenant = managed(tx, by, *organization).await?;
        let pending = tx.invitations_pending_count(*organization).await?;
        let mut inviting = Inviting { by, tenant: &tenant, sends_email: *send_email, hash_key, pending };
        // By address, so that two transactions lock the budgets of addresses in one order.
        let mut order: Vec<(usize, &BulkItem)> = items.iter().enumerate().collect();
        order.sort_by_key(|(at, item)| {
            (item.new.as_ref().map(|new| new.email.mailbox_key()).unwrap_or_default(), *at)
        });
        let (mut results, mut mails) = (Vec::with_capacity(items.len()), Vec::new());
        for (at, item) in order {
            let result = match &item.new {
                Err(reason) => BulkResult::refused(BulkStatus::Invalid, Some(reason.clone())),
                Ok(new) => match inviting.invite(tx, context, new.clone()).await {
                    Ok((issued, mail)) => {
                        mails.extend(mail);
                        BulkResult::issued(issued)
                    }
                    Err(error) => refused(tx, &tenant, error).await?,
                },
            };
            results.push((at, result));
        }
        for mail in mails {
            mail.queue(tx, context, (by, &tenant, hash_key)).await?;
        }
        results.sort_by_key(|(at, _)| *at);
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }
}

/// The result for a person who was refused. An error of the whole request is returned as such.
async fn refused(tx: &mut Tx<'_>, tenant: &Organization, error: Error) -> Result<BulkResult, Error> {
    let text = error.to_string();
    match error {
        Error::Invitation(InvitationError::AlreadyMember) => {
            Ok(BulkResult::refused(BulkStatus::Member, None))
        }
        Error::Invitation(InvitationError::OtherPending(id)) => {
            let details = match tx.invitation(tenant.id, id).await? {
                Some(other) => Some(details(tx, other, tenant.name.to_string()).await?),
                None => None,
            };
            Ok(BulkResult { status: BulkStatus::Pending, details, secret: None, error: Some(text) })
        }
        Error::Invitation(_) | Error::NotPermitted(_) => {
            Ok(BulkResult::refused(BulkStatus::Invalid, Some(text)))
        }
        other => Err(other),
    }
}
