//! Users: persons, known by their e-mail address in the whole installation.
//!
//! Several organizations share a user, so that no organization may decide how the person appears to the others. The
//! user's row therefore has the normalized address and no name; the spelling and the name are those of the membership
//! ([`tenantry_core::team::TeamMember`]). The user's id is random, unlike other ids: it does not contain the time at
//! which another organization first added the person.

use std::collections::BTreeSet;

use tenantry_core::ExecutionContext;
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::user::User;
use tenantry_core::values::EmailAddress;
use tenantry_store::Tx;
use uuid::Builder;

use crate::changes::AddedUser;
use crate::{Error, Requester, changes};

/// The user with this address. Creates one if there is none, with an audit entry in the log of `organization`, which
/// adds the user. The operator alone reads audit logs.
pub(crate) async fn find_or_create(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    organization: Option<OrganizationId>,
    email: &EmailAddress,
) -> Result<User, Error> {
    // Locked, so that the person is not deleted before the membership or token is stored.
    if let Some(user) = tx.user_by_email_for_update(email).await? {
        return Ok(user);
    }
    let id = UserId::new(Builder::from_random_bytes(context.random_bytes()).into_uuid());
    let new = User {
        id,
        created_at: context.now(),
        email: email.normalized(),
        name: None,
        language: None,
        muted_notices: BTreeSet::new(),
    };
    let user = tx.user_insert(&new).await?;
    // Another transaction may have inserted the address first: then `user` is its row.
    if user.id == id {
        changes::created(tx, context, by, "user.created", &AddedUser { user: &user, organization }).await?;
    }
    Ok(user)
}
