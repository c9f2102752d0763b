//! Accepting and declining an invitation.

use tenantry_core::ExecutionContext;
use tenantry_core::ids::UserId;
use tenantry_core::invitation::{self, AcceptFacts, Invitation, InvitationError};
use tenantry_core::organization::Organization;
use tenantry_core::team::TeamMember;
use tenantry_core::user::User;
use tenantry_store::{Party, Tx, UseCase};

use super::{InvitationDetails, InvitationKey, details};
use crate::{Error, HashKey, Requester, admission, changes, team};

/// Accepts an invitation: the requester joins the team. Changes nothing if the requester has accepted it before.
#[derive(Clone)]
pub struct InvitationAccept {
    /// The requester, a person.
    pub by: Requester,
    /// The invitation.
    pub key: InvitationKey,
    /// The key that hashes secrets.
    pub hash_key: HashKey,
}

/// An invitation whose organization, person and row are locked.
struct Found {
    tenant: Organization,
    is_open: bool,
    /// The requester, if it is a person, and whether the person has proved the address.
    user: Option<(User, bool)>,
    invitation: Invitation,
}

/// The invitation that a request names. Locks the organization, then the person, then the invitation.
async fn find(
    tx: &mut Tx<'_>,
    by: &Requester,
    key: &InvitationKey,
    hash_key: &HashKey,
) -> Result<Found, Error> {
    let (organization, id, secret) = match key {
        InvitationKey::Secret(secret) => {
            let hash = hash_key.hash(secret);
            let found = tx.invitation_by_hash(&hash).await?;
            let (organization, id) = found.ok_or(InvitationError::NotFound)?;
            (organization, id, Some(hash))
        }
        InvitationKey::Id(organization, id) => (*organization, *id, None),
    };
    let tenant = tx.organization_for_update(organization).await?.ok_or(InvitationError::NotFound)?;
    // A sub-account is deleted with its parent.
    let parent = match tenant.parent {
        Some(parent) => Some(tx.organization(parent).await?.ok_or(InvitationError::NotFound)?),
        None => None,
    };
    let is_open = tenant.is_open() && parent.is_none_or(|parent| parent.is_open());
    let user = match by.user() {
        Some(user) => {
            let user = tx.user_for_update(user).await?.ok_or(InvitationError::NotFound)?;
            let is_proved = tx.user_is_verified(user.id).await?;
            Some((user, is_proved))
        }
        None => None,
    };
    let found = tx.invitation_for_update(organization, id).await?;
    let (invitation, current) = found.ok_or(InvitationError::NotFound)?;
    let is_named = match secret {
        // Another secret may have replaced it meanwhile.
        Some(secret) => secret.is_same(&current),
        // Without the secret, an invitation exists for its own person alone.
        None => user.as_ref().is_some_and(|(user, _)| {
            invitation.accepted_by == Some(user.id) || user.email.key() == invitation.email.key()
        }),
    };
    if is_named {
        Ok(Found { tenant, is_open, user, invitation })
    } else {
        Err(InvitationError::NotFound.into())
    }
}

impl UseCase for InvitationAccept {
    type Output = InvitationDetails;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<InvitationDetails, Error> {
        let Self { by, key, hash_key } = self;
        let Found { tenant, is_open, user, invitation } = find(tx, by, key, hash_key).await?;
        let (user, is_proved) = user.ok_or(InvitationError::NotFound)?;
        let facts = AcceptFacts { user: &user, is_proved, is_suspended: !is_open };
        let name = tenant.name.to_string();
        if !invitation::accept(&invitation, &facts, context.now())? {
            return Ok(details(tx, invitation, name).await?);
        }
        let accepted = match tx.team_member(tenant.id, user.id).await? {
            // The person joined with another address before.
            Some(member) => admission::settle(tx, context, by, &member, &invitation.email).await?,
            None => join(tx, context, by, &invitation, user.id).await?,
        };
        Ok(details(tx, accepted.unwrap_or(invitation), name).await?)
    }
}

/// Adds the person to the team, which settles the invitation.
async fn join(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    invitation: &Invitation,
    user: UserId,
) -> Result<Option<Invitation>, Error> {
    team::check_size(tx, invitation.organization).await?;
    let member = TeamMember {
        organization: invitation.organization,
        user,
        email: invitation.email.clone(),
        name: invitation.name.clone(),
        role: invitation.role,
        created_at: context.now(),
        modified_at: context.now(),
        offered_until: None,
    };
    team::insert(tx, context, by, &member).await
}

/// Declines an invitation. Changes nothing if it was declined before.
#[derive(Clone)]
pub struct InvitationDecline {
    /// The requester; with the secret anybody.
    pub by: Requester,
    /// The invitation.
    pub key: InvitationKey,
    /// The key that hashes secrets.
    pub hash_key: HashKey,
}

impl UseCase for InvitationDecline {
    type Output = InvitationDetails;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<InvitationDetails, Error> {
        let Self { by, key, hash_key } = self;
        let Found { tenant, user, invitation: before, .. } = find(tx, by, key, hash_key).await?;
        if matches!(key, InvitationKey::Id(..)) && user.is_some_and(|(_, is_proved)| !is_proved) {
            return Err(InvitationError::AddressUnproved.into());
        }
        let after = invitation::decline(&before, context.now())?;
        if after != before {
            tx.invitation_update(&after).await?;
            changes::updated(tx, context, by, "invitation.declined", (&before, &after)).await?;
        }
        Ok(details(tx, after, tenant.name.to_string()).await?)
    }
}
