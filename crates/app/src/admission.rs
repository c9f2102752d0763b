//! Joining a team, whatever the way, settles the pending invitation of the person's address.

use tenantry_core::ExecutionContext;
use tenantry_core::invitation::{self, Invitation};
use tenantry_core::team::TeamMember;
use tenantry_core::values::EmailAddress;
use tenantry_store::Tx;

use crate::{Error, Requester, changes};

/// Settles the pending invitation of an address, if there is one, for a person who is in the team now. It may have
/// expired. The caller has locked the organization.
pub(crate) async fn settle(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    member: &TeamMember,
    email: &EmailAddress,
) -> Result<Option<Invitation>, Error> {
    let pending = tx.invitation_pending_for_update(member.organization, email).await?;
    let Some(before) = pending else { return Ok(None) };
    let after = invitation::settle(&before, member.user, context.now());
    tx.invitation_update(&after).await?;
    changes::updated(tx, context, by, "invitation.accepted", (&before, &after)).await?;
    Ok(Some(after))
}
